// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "net/interfaces.h"
#include "net/sockaddr.h"

static bool is_link_local(const struct endpoint *e)
{
	if (e->family == FAMILY_IPV4)
		return e->address[0] == 169 && e->address[1] == 254;
	return e->address[0] == 0xfe && (e->address[1] & 0xc0) == 0x80;
}

static bool take(const struct ifaddrs *i, const char *interface, struct endpoint *out)
{
	struct sockaddr_storage address;

	if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || i->ifa_flags & IFF_LOOPBACK ||
		(interface && strcmp(interface, i->ifa_name) != 0))
		return false;
	if (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6)
		return false;
	memset(&address, 0, sizeof(address));
	memcpy(&address, i->ifa_addr,
		i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
						  : sizeof(struct sockaddr_in6));
	*out = sockaddr_to_endpoint(&address);
	out->port = 0;
	out->scope = 0;
	return !is_link_local(out);
}

int interfaces_list(const char *interface, struct endpoint *list, size_t size)
{
	struct ifaddrs *all;
	size_t count = 0;

	if (getifaddrs(&all))
		return -errno;
	for (const struct ifaddrs *i = all; i && count < size; i = i->ifa_next)
		if (take(i, interface, &list[count]))
			count++;
	freeifaddrs(all);
	return (int)count;
}
