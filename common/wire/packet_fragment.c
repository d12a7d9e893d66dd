// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "wire/checksum.h"
#include "wire/packet.h"

/* Fragments of an IPv4 packet, as a router makes them (RFC 791 3.2). */

#define IPV4_BYTES     20
#define CHECKSUM       10
#define MORE_FRAGMENTS 0x2000u
#define OPTION_END     0
#define OPTION_NOP     1
#define OPTION_COPIED  0x80u

static void put_u16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint16_t u16_at(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
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

/* What has changed in the header, into its checksum: a wrong one stays wrong. */
static void adjust_checksum(uint8_t *bytes, const uint8_t *before, size_t header)
{
	uint32_t changes = 0;

	for (size_t i = 0; i < header; i += 2)
		if (i != CHECKSUM)
			changes += checksum_change(u16_at(before + i), u16_at(bytes + i));
	put_u16(bytes + CHECKSUM, checksum_adjust(u16_at(before + CHECKSUM), changes));
}

struct part {
	size_t cursor, length; /* of the data */
	bool more;
};

static void put_header(
	uint8_t *bytes, const struct packet *p, size_t header, const struct part *part)
{
	size_t offset = p->fragment_offset + part->cursor;

	memcpy(bytes, p->bytes, header);
	put_u16(bytes + 2, (uint16_t)(header + part->length));
	put_u16(bytes + 6, (uint16_t)(offset / 8 | (part->more ? MORE_FRAGMENTS : 0)));
	if (part->cursor)
		blank_options(bytes + IPV4_BYTES, header - IPV4_BYTES);
	adjust_checksum(bytes, p->bytes, header);
}

int packet_fragment(const struct packet *p, unsigned mtu, size_t *cursor, void *buffer, size_t size)
{
	struct part part = {.cursor = *cursor};
	size_t header, data, room;
	uint8_t *out = buffer;

	if (p->family != FAMILY_IPV4 || p->dont_fragment || p->cut_off)
		return -EINVAL;
	header = (p->bytes[0] & 15u) * 4u;
	data = p->length - header;
	if (*cursor >= data)
		return 0;
	if (mtu < header + 8)
		return -EMSGSIZE;
	part.length = data - *cursor;
	part.more = p->more_fragments;
	room = mtu - header;
	if (part.length > room) {
		part.length = room / 8 * 8;
		part.more = true;
	}
	if (header + part.length > size)
		return -EMSGSIZE;
	put_header(out, p, header, &part);
	memcpy(out + header, p->bytes + header + *cursor, part.length);
	*cursor += part.length;
	return (int)(header + part.length);
}
