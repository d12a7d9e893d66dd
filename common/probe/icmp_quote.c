// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "probe/icmp_private.h"
#include "wire/checksum.h"
#include "wire/packet.h"

#define HEADER_BYTES   8 /* of ICMP, in front of what it quotes */
#define UDP_BYTES      8
#define CHECKSUM_AT    6 /* in the header of UDP */
#define IPV4_BYTES_MIN 20

static enum icmp_flow flow_of(const struct packet *p)
{
	switch (p->protocol) {
	case PACKET_UDP:
		return ICMP_FLOW_UDP;
	case PACKET_TCP:
		return ICMP_FLOW_TCP;
	case PACKET_ECHO:
		return ICMP_FLOW_ECHO;
	default:
		return ICMP_FLOW_NONE;
	}
}

/* Only IPv4 has a checksum there. */
static bool is_header_right(const struct packet *p)
{
	size_t bytes = (size_t)(p->bytes[0] & 15) * 4;

	return p->family != FAMILY_IPV4 ||
		(bytes >= IPV4_BYTES_MIN && bytes <= p->length &&
			checksum_sum(p->bytes, bytes) == 0xffff);
}

int icmp_quote_read(enum family family, uint8_t type, const uint8_t rest[static 4],
	struct span body, uint8_t copy[static ICMP_DATA_BYTES + 8], struct icmp_quote *out)
{
	size_t length = body.length < ICMP_DATA_BYTES ? body.length : ICMP_DATA_BYTES;
	struct packet error = {.bytes = copy,
		.length = HEADER_BYTES + length,
		.family = family,
		.type = type,
		.quoted = HEADER_BYTES};
	struct packet p;

	memset(out, 0, sizeof(*out));
	memset(copy, 0, HEADER_BYTES);
	memcpy(copy + 4, rest, 4);
	if (length)
		memcpy(copy + HEADER_BYTES, body.data, length);
	if (!length || packet_decode_quoted(&error, &p) || p.family != family)
		return -EBADMSG;
	out->flow = flow_of(&p);
	out->from = p.source;
	out->to = p.destination;
	out->header_right = is_header_right(&p);
	if (out->flow == ICMP_FLOW_UDP && p.payload >= p.transport + UDP_BYTES) {
		out->checksum = (uint16_t)(p.bytes[p.transport + CHECKSUM_AT] << 8 |
			p.bytes[p.transport + CHECKSUM_AT + 1]);
		out->payload = (struct span){&p.bytes[p.payload], p.payload_length};
	}
	return 0;
}

uint16_t icmp_quote_checksum(
	const struct endpoint *from, const struct endpoint *to, const void *payload, size_t length)
{
	uint8_t datagram[ICMP_DATA_BYTES];
	int bytes = packet_build_udp(datagram, sizeof(datagram), from, to, 64, payload, length);
	struct packet p;

	if (bytes <= 0 || packet_decode(datagram, (size_t)bytes, &p))
		return 0;
	return (uint16_t)(datagram[p.transport + CHECKSUM_AT] << 8 |
		datagram[p.transport + CHECKSUM_AT + 1]);
}
