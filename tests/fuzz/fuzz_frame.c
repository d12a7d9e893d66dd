// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Two bytes of link type, and any bytes as a frame of it. The packet that is found lies in the frame, is as long as it
 * says, and is found again without what stood before and behind it.
 */

#include <config.h>

#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "wire/frame.h"
#include "wire/packet.h"

static bool same_span(struct span a, struct span b)
{
	return a.length == b.length && a.data == b.data;
}

/* One without a length of its own (or of a jumbogram) ends with its frame. */
static bool is_endless(struct span packet)
{
	struct reader r = reader_over(packet.data, packet.length);
	uint32_t first = reader_u32(&r), second = reader_u32(&r);

	return first >> 28 == 4 ? !(first & 0xffff) : !(second >> 8);
}

static void check_packet(struct span packet, uint8_t *copy)
{
	struct packet p;

	memcpy(copy, packet.data, packet.length);
	if (packet_decode(copy, packet.length, &p))
		return;
	require(p.length <= packet.length);
	require(p.length == packet.length || is_endless(packet));
	require(p.family == (enum family)(*packet.data >> 4));
}

static void check_found(unsigned link, struct span bytes, const struct frame *f)
{
	const uint8_t *end = bytes.data + bytes.length;
	struct frame again;
	uint8_t *copy;

	require(f->packet.data >= bytes.data && f->packet.data < end);
	require(f->packet.length <= (size_t)(end - f->packet.data));
	require(f->packet.length >= (*f->packet.data >> 4 == 6 ? 40 : 20));
	require(f->cut_off == (f->packet.length < f->length) && f->packet.length <= f->length);
	require(!f->cut_off || f->packet.data + f->packet.length == end);
	require(!f->direction || link == FRAME_SLL || link == FRAME_SLL2);
	require(!f->interface || link == FRAME_SLL2);
	require(!frame_decode(FRAME_RAW, f->packet, &again));
	require(same_span(again.packet, f->packet) && again.length == f->length);
	require(!is_endless(f->packet) || !f->cut_off);
	copy = malloc(f->packet.length);
	if (copy)
		check_packet(f->packet, copy);
	free(copy);
}

/* The same without its last byte: at most the end of the packet is missing. */
static void check_shorter(unsigned link, struct span bytes, const struct frame *whole)
{
	struct frame f;
	int err;

	bytes.length--;
	err = frame_decode(link, bytes, &f);
	require(!err || err == -EBADMSG);
	if (err || is_endless(f.packet))
		return;
	require(f.packet.data == whole->packet.data && f.length == whole->length);
	require(f.direction == whole->direction && f.interface == whole->interface);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_over(data, size);
	unsigned link = reader_u16(&r);
	struct span bytes = reader_span(&r, reader_left(&r));
	struct frame f;
	int err;

	if (r.failed)
		return 0;
	err = frame_decode(link, bytes, &f);
	require(!err || err == -EAFNOSUPPORT || err == -EBADMSG || err == -ENOTSUP);
	if (err)
		return 0;
	check_found(link, bytes, &f);
	check_shorter(link, bytes, &f);
	return 0;
}
