// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * What the kernel hands up: a captured frame with its cooked header, and texts of /proc. The first byte: 'p' for a text,
 * else bit 0 for the older header and the rest for bytes that were not captured, 256 each.
 */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "net/capture_link.h"
#include "net/counters.h"

/* A copy of the exact size, so that a sanitizer sees the first byte that is touched beyond it. */
static uint8_t *copy_of(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (copy && size)
		memcpy(copy, data, size);
	return copy;
}

static void check_frame(enum capture_link link, const uint8_t *frame, size_t size, size_t more)
{
	struct capture_packet p = {0};
	int err = capture_link_decode(link, (struct span){frame, size}, size + more, &p);

	require(err == 0 || err == -EBADMSG || err == -EAFNOSUPPORT);
	if (err)
		return;
	require(p.packet.data >= frame && p.packet.data + p.packet.length <= frame + size);
	require(p.packet.length <= p.length && p.length <= size + more && p.length >= 20);
	require(p.packet.length >= 4);
}

static void check_text(const char *text, size_t size)
{
	struct counters c = {0}, none;

	counters_parse(&c, text, size);
	none = counters_difference(&c, &c);
	for (size_t i = 0; i < COUNTERS; i++)
		require(none.known[i] == c.known[i] && none.values[i] == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size < 1)
		return 0;
	copy = copy_of(data + 1, size - 1);
	if (!copy)
		return 0;
	if (data[0] == 'p')
		check_text((const char *)copy, size - 1);
	else
		check_frame(data[0] & 1 ? CAPTURE_SLL : CAPTURE_SLL2, copy, size - 1,
			(size_t)(data[0] >> 1) * 256);
	free(copy);
	return 0;
}
