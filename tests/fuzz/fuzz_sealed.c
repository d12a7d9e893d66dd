// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * A stream of sealed records, cut anywhere, changed, repeated and filled with bytes of the input. What comes out is
 * the beginning of what went in, byte for byte, and the last record is the last one; behind anything that was
 * touched nothing comes out any more.
 */

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "punch/sealed.h"

#define WIRE_MAX  8192
#define PLAIN_MAX 4096
#define PIECE_MAX 255
#define STEPS_MAX 200

enum step { PUSH, LAST, FEED, CHANGE, INSERT, REPEAT, STEPS };

struct run {
	struct sealed a, b;
	uint8_t plain[PLAIN_MAX], wire[WIRE_MAX];
	size_t pushed, pulled; /* of plain */
	size_t length, come; /* of what is on the wire, and how much of that has come */
	bool last_pushed, last_pulled, touched, broken;
};

static void begin(struct run *x)
{
	const struct span salt = {(const uint8_t *)"salt", 4};
	struct keys keys, mirrored;

	memset(x, 0, sizeof(*x));
	memset(&keys.send, 1, sizeof(keys.send));
	memset(&keys.receive, 2, sizeof(keys.receive));
	mirrored.send = keys.receive;
	mirrored.receive = keys.send;
	sealed_init(&x->a, &keys, salt);
	sealed_init(&x->b, &mirrored, salt);
}

static void push(struct run *x, size_t length, uint8_t seed, bool last)
{
	uint8_t *data = x->plain + x->pushed;
	int n;

	if (x->pushed + length > PLAIN_MAX)
		return;
	for (size_t i = 0; i < length; i++)
		data[i] = (uint8_t)(seed + i);
	n = sealed_push(&x->a, data, length, last, x->wire + x->length, WIRE_MAX - x->length);
	require(!x->last_pushed || n == -EPIPE);
	if (n < 0)
		return;
	x->length += (size_t)n;
	x->pushed += length;
	x->last_pushed |= last;
}

/* Of exactly this length for the sanitizer. */
static int pull_once(struct run *x, size_t *taken, uint8_t *out, size_t *length)
{
	uint8_t *exact = malloc(x->come ? x->come : 1);
	int event;

	require(exact != NULL);
	memcpy(exact, x->wire, x->come);
	event = sealed_pull(&x->b, exact, x->come, taken, out, length);
	free(exact);
	return event;
}

static void pull(struct run *x)
{
	static uint8_t out[SEALED_BYTES_MAX];
	size_t taken, length;
	int event;

	for (unsigned i = 0; i < WIRE_MAX && !x->broken; i++) {
		event = pull_once(x, &taken, out, &length);
		require(taken <= x->come && (event > SEALED_MORE || !length));
		memmove(x->wire, x->wire + taken, x->length - taken);
		x->length -= taken;
		x->come -= taken;
		x->broken = event < 0;
		if (event <= SEALED_MORE)
			break;
		require(!x->last_pulled && x->pulled + length <= x->pushed);
		require(!length || !memcmp(out, x->plain + x->pulled, length));
		x->pulled += length;
		x->last_pulled = event == SEALED_LAST;
		require(!x->last_pulled || (x->last_pushed && x->pulled == x->pushed));
	}
	require(!x->broken || x->touched);
}

static void insert(struct run *x, struct reader *r, size_t length)
{
	if (x->length + length > WIRE_MAX)
		return;
	reader_copy(r, x->wire + x->length, length);
	x->length += length;
	x->touched |= length > 0;
}

static void repeat(struct run *x, size_t length)
{
	if (length > x->length || x->length + length > WIRE_MAX)
		return;
	memcpy(x->wire + x->length, x->wire, length);
	x->length += length;
	x->touched |= length > 0;
}

static void step(struct run *x, struct reader *r)
{
	enum step s = (enum step)(reader_u8(r) % STEPS);
	size_t length = reader_u8(r);

	switch (s) {
	case PUSH:
	case LAST:
		push(x, length, reader_u8(r), s == LAST);
		break;
	case FEED:
		x->come = x->come + length < x->length ? x->come + length : x->length;
		pull(x);
		break;
	case CHANGE:
		if (!x->length)
			break;
		x->wire[length % x->length] ^= 1;
		x->touched = true;
		break;
	case INSERT:
		insert(x, r, length % 32);
		break;
	default:
		repeat(x, length);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_over(data, size);
	static struct run x;

	require(sodium_init() >= 0);
	begin(&x);
	for (unsigned i = 0; i < STEPS_MAX && reader_left(&r); i++)
		step(&x, &r);
	x.come = x.length;
	pull(&x);
	require(x.touched || (x.pulled == x.pushed && x.last_pulled == x.last_pushed));
	return 0;
}
