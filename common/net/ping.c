// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "net/ping.h"
#include "net/udp.h"

#define HEADER_BYTES 8
#define BYTES_MAX    1024

int ping_open(const struct endpoint *local, const char *interface, int *fd)
{
	return udp_open_protocol(local, interface, UDP_META,
		local->family == FAMILY_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, fd);
}

/* The kernel fills in identifier and checksum. */
int ping_send(int fd, const struct endpoint *to, uint16_t sequence, const void *data, size_t length)
{
	uint8_t message[BYTES_MAX] = {to->family == FAMILY_IPV4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST};
	struct endpoint host = *to;

	if (length > sizeof(message) - HEADER_BYTES)
		return -EMSGSIZE;
	host.port = 0;
	message[6] = (uint8_t)(sequence >> 8);
	message[7] = (uint8_t)sequence;
	memcpy(message + HEADER_BYTES, data, length);
	return udp_send(fd, &host, message, HEADER_BYTES + length);
}

int ping_receive(int fd, enum family family, void *buffer, size_t size, struct ping_reply *out)
{
	struct udp_meta meta;
	int n = udp_receive(fd, buffer, size, &out->from, &meta);
	const uint8_t *data = buffer;

	if (n == -EMSGSIZE)
		return -EBADMSG;
	if (n < 0)
		return n;
	if (n < HEADER_BYTES ||
		data[0] != (family == FAMILY_IPV4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY))
		return -EBADMSG;
	out->from.port = 0;
	out->ttl = meta.ttl;
	out->sequence = (uint16_t)(data[6] << 8 | data[7]);
	out->data = (struct span){data + HEADER_BYTES, (size_t)n - HEADER_BYTES};
	return n;
}
