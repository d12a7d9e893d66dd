// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "wire/syn.h"

#define IPV4_BYTES 20
#define TCP_BYTES  20
#define FLAG_SYN   2

bool tcp_option_next(struct reader *r, uint8_t *kind, size_t *at, struct span *value)
{
	uint8_t length;

	do {
		*at = r->position;
		*kind = reader_left(r) ? reader_u8(r) : TCP_OPTION_END;
	} while (*kind == TCP_OPTION_NOP);
	if (*kind == TCP_OPTION_END)
		return false;
	length = reader_u8(r);
	if (length < 2)
		return false;
	*value = reader_span(r, length - 2u);
	return !r->failed;
}

void syn_read_options(struct span options, struct syn_options *out)
{
	struct reader r = reader_over(options.data, options.length);
	struct span value;
	uint8_t kind;
	size_t at;

	memset(out, 0, sizeof(*out));
	while (tcp_option_next(&r, &kind, &at, &value)) {
		if (kind == TCP_OPTION_MSS && value.length == 2) {
			out->has |= SYN_MSS;
			out->mss = (uint16_t)(value.data[0] << 8 | value.data[1]);
		} else if (kind == TCP_OPTION_SCALE && value.length == 1) {
			out->has |= SYN_SCALE;
			out->scale = value.data[0];
		} else if (kind == TCP_OPTION_SACK && !value.length) {
			out->has |= SYN_SACK;
		} else if (kind == TCP_OPTION_TIMESTAMPS && value.length == 8) {
			out->has |= SYN_TIMESTAMPS;
		}
	}
}

/* Up to the TCP header; false where there is another one. */
static bool take_ip(struct reader *r, struct syn *out)
{
	uint8_t first = reader_u8(r), second = reader_u8(r), protocol;
	size_t header = (first & 15u) * 4u;

	if (first >> 4 == 6) {
		out->tos = (uint8_t)(first << 4 | second >> 4);
		reader_skip(r, 4);
		protocol = reader_u8(r);
		out->ttl = reader_u8(r);
		reader_skip(r, 32);
		return protocol == IPPROTO_TCP;
	}
	if (first >> 4 != 4 || header < IPV4_BYTES)
		return false;
	out->tos = second;
	reader_skip(r, 6);
	out->ttl = reader_u8(r);
	protocol = reader_u8(r);
	reader_skip(r, header - 10);
	return protocol == IPPROTO_TCP;
}

int syn_decode(const void *data, size_t length, struct syn *out)
{
	struct reader r = reader_over(data, length);
	size_t header;
	uint8_t flags;

	memset(out, 0, sizeof(*out));
	if (!take_ip(&r, out))
		return -EBADMSG;
	reader_skip(&r, 4);
	out->sequence = reader_u32(&r);
	reader_skip(&r, 4);
	header = (reader_u8(&r) >> 4) * 4u;
	flags = reader_u8(&r);
	out->window = reader_u16(&r);
	reader_skip(&r, 4);
	if (r.failed || header < TCP_BYTES || !(flags & FLAG_SYN))
		return -EBADMSG;
	out->options_bytes = (uint8_t)(header - TCP_BYTES);
	syn_read_options(reader_span(&r, out->options_bytes), &out->options);
	return r.failed ? -EBADMSG : 0;
}
