// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "wire/checksum.h"
#include "wire/packet.h"

/* Fragments of an IPv4 packet, as a router makes them (RFC 791 3.2). */

#define IPV4_BYTES     20
#define MORE_FRAGMENTS 0x2000u
#define OPTION_END     0
#define OPTION_NOP     1
#define OPTION_COPIED  0x80u

static void put_u16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Options that only the first fragment has become no-operations in the others. */
static void blank_options(uint8_t *options, size_t length)
{
	size_t i = 0, size;

	while (i < length && options[i] != OPTION_END) {
		size = options[i] == OPTION_NOP || i + 1 == length ? 1 : options[i + 1];
		if (size < 1 || size > length - i || (size < 2 && options[i] != OPTION_NOP))
			size = length - i; /* nonsense up to the end */
		if (!(options[i] & OPTION_COPIED))
			memset(options + i, OPTION_NOP, size);
		i += size;
	}
}

static void put_header(
	uint8_t *bytes, size_t header, size_t length, size_t offset, bool more, bool first)
{
	put_u16(bytes + 2, (uint16_t)length);
	put_u16(bytes + 6, (uint16_t)(offset / 8 | (more ? MORE_FRAGMENTS : 0)));
	if (!first)
		blank_options(bytes + IPV4_BYTES, header - IPV4_BYTES);
	put_u16(bytes + 10, 0);
	put_u16(bytes + 10, (uint16_t)~checksum_sum(bytes, header));
}

int packet_fragment(const struct packet *p, unsigned mtu, size_t *cursor, void *buffer, size_t size)
{
	size_t header, data, room, part;
	uint8_t *out = buffer;
	bool more;

	if (p->family != FAMILY_IPV4 || p->dont_fragment || p->cut_off)
		return -EINVAL;
	header = (p->bytes[0] & 15u) * 4u;
	data = p->length - header;
	if (*cursor >= data)
		return 0;
	if (mtu < header + 8)
		return -EMSGSIZE;
	part = data - *cursor;
	room = mtu - header;
	more = part > room;
	if (more)
		part = room / 8 * 8;
	if (header + part > size)
		return -EMSGSIZE;
	memcpy(out, p->bytes, header);
	memcpy(out + header, p->bytes + header + *cursor, part);
	put_header(out, header, header + part, p->fragment_offset + *cursor,
		more || p->more_fragments, *cursor == 0);
	*cursor += part;
	return (int)(header + part);
}
