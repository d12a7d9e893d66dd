// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "net/sockaddr.h"

int sockaddr_family(enum family family)
{
	return family == FAMILY_IPV4 ? AF_INET : family == FAMILY_IPV6 ? AF_INET6 : AF_UNSPEC;
}

socklen_t sockaddr_from_endpoint(const struct endpoint *e, struct sockaddr_storage *out)
{
	if (e->family == FAMILY_IPV4) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		memset(in, 0, sizeof(*in));
		in->sin_family = AF_INET;
		in->sin_port = htons(e->port);
		memcpy(&in->sin_addr, e->address, 4);
		return sizeof(*in);
	}
	if (e->family == FAMILY_IPV6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

		memset(in6, 0, sizeof(*in6));
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(e->port);
		in6->sin6_scope_id = e->scope;
		memcpy(&in6->sin6_addr, e->address, 16);
		return sizeof(*in6);
	}
	out->ss_family = AF_UNSPEC;
	return 0;
}

struct endpoint sockaddr_to_endpoint(const struct sockaddr_storage *s)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)s;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)s;
	const uint8_t *a = (const uint8_t *)&in->sin_addr;
	struct endpoint e = {0};

	if (s->ss_family == AF_INET)
		return (struct endpoint){.family = FAMILY_IPV4,
			.port = ntohs(in->sin_port),
			.address = {a[0], a[1], a[2], a[3]}};
	if (s->ss_family == AF_INET6) {
		e.family = FAMILY_IPV6;
		e.port = ntohs(in6->sin6_port);
		e.scope = in6->sin6_scope_id;
		memcpy(e.address, &in6->sin6_addr, 16);
	}
	return e;
}
