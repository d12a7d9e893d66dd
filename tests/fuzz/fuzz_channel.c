// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Packets of one side to the other in any order: as they were sealed, again, changed, sent back, or made
 * up. A packet that opens was sealed by the peer, has what was sealed, and opens once; one that was sealed
 * and is neither old nor known opens.
 */

#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "punch/channel.h"

#define PACKETS_MAX 24
#define STEPS_MAX   64
#define PAYLOAD_MAX 15

enum step {
	SEAL,
	SKIP, /* the counter goes on by up to 65535: packets that get lost */
	DELIVER,
	CHANGE, /* with one byte changed */
	CUT, /* or with bytes behind it */
	SEND_BACK,
	MAKE_UP, /* bytes of the input */
	STEPS,
};

struct packet {
	uint8_t bytes[CHANNEL_OVERHEAD + PAYLOAD_MAX], payload[PAYLOAD_MAX];
	size_t length, payload_length;
	enum channel_type type;
	uint64_t counter;
	bool opened;
};

struct pair {
	struct channel a, b;
	struct packet packets[PACKETS_MAX];
	size_t count;
	uint64_t newest, opened, again, old, forged; /* what b has to count */
};

static void pair_begin(struct pair *p)
{
	struct keys keys, mirrored;

	memset(p, 0, sizeof(*p));
	memset(&keys.send, 1, sizeof(keys.send));
	memset(&keys.receive, 2, sizeof(keys.receive));
	mirrored.send = keys.receive;
	mirrored.receive = keys.send;
	channel_init(&p->a, &keys);
	channel_init(&p->b, &mirrored);
}

static void seal(struct pair *p, struct reader *r)
{
	struct packet *k = &p->packets[p->count];
	uint8_t head = reader_u8(r);
	int n;

	if (p->count == PACKETS_MAX)
		return;
	k->type = (enum channel_type)(CHANNEL_DATA + head % 16 % 5);
	k->payload_length = head >> 4;
	reader_copy(r, k->payload, k->payload_length);
	n = channel_seal(&p->a, k->type, k->payload, k->payload_length, k->bytes, sizeof(k->bytes));
	if (n == -EOVERFLOW)
		return;
	require(n == (int)(k->payload_length + CHANNEL_OVERHEAD));
	k->length = (size_t)n;
	k->counter = p->a.sent;
	p->count++;
}

static void deliver(struct pair *p, struct packet *k)
{
	bool old = p->newest >= CHANNEL_WINDOW && k->counter <= p->newest - CHANNEL_WINDOW;
	uint8_t out[PAYLOAD_MAX];
	enum channel_type type;
	int n = channel_open(&p->b, k->bytes, k->length, &type, out, sizeof(out));

	if (old || k->opened) {
		require(n == -EALREADY);
		p->old += old;
		p->again += !old;
		return;
	}
	require(n == (int)k->payload_length && type == k->type);
	require(!memcmp(out, k->payload, k->payload_length));
	k->opened = true;
	p->opened++;
	p->newest = k->counter > p->newest ? k->counter : p->newest;
}

/* What nobody has sealed, of exactly this length for the sanitizer. */
static void deliver_forged(struct pair *p, struct channel *to, const uint8_t *bytes, size_t length)
{
	uint8_t *exact = malloc(length ? length : 1), out[CHANNEL_PACKET_MAX];
	enum channel_type type;

	if (!exact)
		return;
	if (length)
		memcpy(exact, bytes, length);
	require(channel_open(to, exact, length, &type, out, sizeof(out)) == -EBADMSG);
	p->forged += to == &p->b;
	free(exact);
}

static void deliver_changed(struct pair *p, struct reader *r, struct packet *k)
{
	uint8_t at = reader_u8(r), by = reader_u8(r), bytes[sizeof(k->bytes)];

	memcpy(bytes, k->bytes, k->length);
	bytes[at % k->length] ^= by ? by : 1;
	deliver_forged(p, &p->b, bytes, k->length);
}

static void deliver_cut(struct pair *p, struct reader *r, struct packet *k)
{
	uint8_t bytes[256] = {0}, length = reader_u8(r);

	memcpy(bytes, k->bytes, k->length);
	if (length != k->length)
		deliver_forged(p, &p->b, bytes, length);
}

static void step(struct pair *p, struct reader *r)
{
	enum step s = reader_u8(r) % STEPS;
	struct packet *k = NULL;

	if (s == SEAL) {
		seal(p, r);
	} else if (s == SKIP) {
		uint16_t by = reader_u16(r);

		if (p->a.sent < UINT64_MAX - UINT16_MAX) /* never back */
			p->a.sent = by < UINT16_MAX ? p->a.sent + by : UINT64_MAX - 1;
	} else if (s == MAKE_UP) {
		struct span bytes = reader_span(r, reader_u16(r));

		deliver_forged(p, &p->b, bytes.data, bytes.length);
	} else if (p->count) {
		k = &p->packets[reader_u8(r) % p->count];
	}
	if (!k)
		return;
	if (s == DELIVER)
		deliver(p, k);
	else if (s == CHANGE)
		deliver_changed(p, r, k);
	else if (s == CUT)
		deliver_cut(p, r, k);
	else
		deliver_forged(p, &p->a, k->bytes, k->length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_over(data, size);
	struct channel_statistics s;
	static struct pair p;

	pair_begin(&p);
	for (int i = 0; i < STEPS_MAX && reader_left(&r); i++)
		step(&p, &r);
	s = channel_statistics(&p.b);
	require(s.received == p.opened && s.lost == p.newest - p.opened);
	require(s.duplicates == p.again && s.old == p.old && s.forged == p.forged);
	return 0;
}
