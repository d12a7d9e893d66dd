// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "server/marked.h"
#include "wire/packet.h"

#define HEADER_BYTES 8
#define QUOTE_BYTES  (HEADER_BYTES + 128) /* no mark is behind these */

static uint16_t word(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static bool is_error(enum family family, uint8_t type)
{
	return family == FAMILY_IPV4 ? type == 3 || type == 4 || type == 11 || type == 12
				     : type >= 1 && type <= 4;
}

static bool read_echo(const struct icmp_message *m, struct icmp_record *out,
	uint8_t token[static ICMP_TOKEN_BYTES], struct span *data)
{
	*out = (struct icmp_record){.kind = ICMP_KIND_ECHO,
		.type = m->type,
		.code = m->code,
		.identifier = word(m->rest),
		.sequence = word(m->rest + 2)};
	*data = m->body;
	return icmp_read_mark(m->body, token);
}

/* The error as a packet without its IP header, as far as packet_decode_quoted looks at it. */
static bool read_error(enum family family, const struct icmp_message *m, struct icmp_record *out,
	uint8_t token[static ICMP_TOKEN_BYTES])
{
	uint8_t bytes[QUOTE_BYTES] = {m->type, m->code};
	size_t quoted = m->body.length < QUOTE_BYTES - HEADER_BYTES ? m->body.length
								    : QUOTE_BYTES - HEADER_BYTES;
	struct packet error = {.bytes = bytes,
			      .length = HEADER_BYTES + quoted,
			      .family = family,
			      .protocol = PACKET_ERROR,
			      .type = m->type,
			      .code = m->code,
			      .quoted = HEADER_BYTES},
		      q;

	memcpy(bytes + 4, m->rest, sizeof(m->rest));
	memcpy(bytes + HEADER_BYTES, m->body.data, quoted);
	if (!quoted || packet_decode_quoted(&error, &q) ||
		(q.protocol != PACKET_UDP && q.protocol != PACKET_ECHO))
		return false;
	*out = (struct icmp_record){.kind = ICMP_KIND_ERROR,
		.type = m->type,
		.code = m->code,
		.quoted_protocol = q.ip_protocol,
		.quoted_from = q.source,
		.quoted_to = q.destination};
	return icmp_read_mark((struct span){q.bytes + q.payload, q.payload_length}, token);
}

bool marked_read(enum family family, const struct icmp_message *message, struct icmp_record *out,
	uint8_t token[static ICMP_TOKEN_BYTES], struct span *data)
{
	*data = (struct span){NULL, 0};
	if (message->type == (family == FAMILY_IPV4 ? 8 : 128) && !message->code)
		return read_echo(message, out, token, data);
	return is_error(family, message->type) && read_error(family, message, out, token);
}
