// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * A flow, and a script that plays its peer, strangers, the network and time. Promised: what it seals the peer can open; data
 * and the last word go only to where the peer has proved to be; to other endpoints go a few packets, however many the
 * peer makes up; and it comes to rest at any moment.
 */

#include <config.h>

#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "punch/flow.h"

#define BEGIN_US	1000000000u
#define SECOND		1000000u
#define STEPS_MAX	300
#define POLLS		600 /* at one moment */
#define END_US		(100u * SECOND) /* after the script */
#define STRANGE_MAX	8
#define STRANGE_EVERY_S 10
#define KEPT		8
#define PLACES		16

enum step {
	TIME,
	PACKET, /* of any type */
	KEEP, /* a packet that comes later */
	LATE,
	ANSWER, /* from where it was asked, or from elsewhere */
	STRANGER,
	SEND,
	FORWARD,
	PING,
	REBIND,
	INTERVAL,
	CLOSE,
	STEPS,
};

struct kept {
	uint8_t bytes[CHANNEL_PACKET_MAX];
	size_t length;
	unsigned place; /* of a keepalive of the flow: where it went */
};

struct run {
	struct reader r;
	struct flow *flow;
	struct channel peer;
	uint64_t now_us;
	struct kept late[KEPT], asked[KEPT]; /* the latest ones, in turn */
	unsigned late_count, asked_count;
	bool proved[PLACES];
	unsigned strange, answers; /* packets to where nobody has proved to be */
};

/* --- places: a socket and an endpoint --- */

static struct endpoint endpoint_of(unsigned place)
{
	struct endpoint e = {FAMILY_IPV4, 50000, 0, {203, 0, 113, 7}};

	e.port = (uint16_t)(e.port + (place & 1));
	e.address[3] = (uint8_t)(e.address[3] + (place >> 1 & 3));
	return e;
}

static unsigned socket_of(unsigned place)
{
	return place >> 3 & 1;
}

static unsigned place_of(unsigned socket, const struct endpoint *e)
{
	for (unsigned i = 0; i < PLACES; i++) {
		struct endpoint at = endpoint_of(i);

		if (socket_of(i) == socket && endpoint_equal(&at, e))
			return i;
	}
	require(false);
	return 0;
}

/* --- what the flow does --- */

static void take_packet(struct run *x, const struct flow_output *out)
{
	unsigned place = place_of(out->socket, &out->to);
	struct endpoint remote = flow_remote(x->flow);
	struct kept *k = &x->asked[x->asked_count % KEPT];
	enum channel_type type;
	int n = channel_open(&x->peer, out->data, out->length, &type, k->bytes, sizeof(k->bytes));

	require(n >= 0);
	if (type == CHANNEL_KEEPALIVE) {
		k->length = (size_t)n;
		k->place = place;
		x->asked_count++;
	} else if (type != CHANNEL_KEEPALIVE_REPLY) {
		require(x->proved[place] && endpoint_equal(&remote, &out->to));
	}
	x->strange += !x->proved[place];
	require(x->strange <=
		STRANGE_MAX + x->answers + (x->now_us - BEGIN_US) / SECOND / STRANGE_EVERY_S);
}

static void check(const struct run *x)
{
	struct flow_statistics s = flow_statistics(x->flow);

	require(s.pongs <= s.pings && s.moves <= x->answers);
}

/* Everything that is to be done now; when it wants to be called again. */
static uint64_t poll(struct run *x)
{
	struct flow_output out;
	unsigned count = 0;

	while (flow_poll(x->flow, x->now_us, &out) == FLOW_SEND) {
		require(++count < POLLS);
		take_packet(x, &out);
	}
	require(out.deadline_us > x->now_us);
	check(x);
	return out.deadline_us;
}

static void run_until(struct run *x, uint64_t end_us)
{
	uint64_t at_us;

	while ((at_us = poll(x)) <= end_us)
		x->now_us = at_us;
	x->now_us = end_us;
}

/* --- what comes --- */

/* Of exactly this length for the sanitizer. */
static enum flow_event deliver(struct run *x, unsigned place, const void *bytes, size_t length)
{
	uint8_t *exact = malloc(length ? length : 1);
	struct endpoint from = endpoint_of(place);
	struct flow_payload payload;
	enum flow_event e;

	require(exact != NULL);
	if (length)
		memcpy(exact, bytes, length);
	e = flow_input(x->flow, x->now_us, socket_of(place), &from, exact, length, &payload);
	free(exact);
	if (e == FLOW_DATA || e == FLOW_FORWARDED)
		require(payload.length <= CHANNEL_PAYLOAD_MAX);
	return e;
}

/* But no answer to a keepalive: what nobody can guess an engine that sees comparisons can. */
static size_t make_packet(struct run *x, uint8_t out[static CHANNEL_PACKET_MAX])
{
	uint8_t head = reader_u8(&x->r);
	enum channel_type type = (enum channel_type)(CHANNEL_DATA + head % 16 % 5);
	struct span payload = reader_span(&x->r, head >> 4);
	int n;

	if (type == CHANNEL_KEEPALIVE_REPLY && payload.length == 8)
		payload.length--;
	n = channel_seal(&x->peer, type, payload.data, payload.length, out, CHANNEL_PACKET_MAX);
	return n > 0 ? (size_t)n : 0;
}

static void packet(struct run *x)
{
	uint8_t bytes[CHANNEL_PACKET_MAX], place = reader_u8(&x->r) % PLACES;
	size_t length = make_packet(x, bytes);

	require(!length || deliver(x, place, bytes, length) != FLOW_STRANGE);
}

static void keep(struct run *x)
{
	struct kept *k = &x->late[x->late_count++ % KEPT];

	k->length = make_packet(x, k->bytes);
}

static void answer(struct run *x)
{
	uint8_t which = reader_u8(&x->r), place = reader_u8(&x->r), bytes[CHANNEL_PACKET_MAX];
	const struct kept *k = &x->asked[which % KEPT];
	int n;

	if (!k->length)
		return;
	n = channel_seal(
		&x->peer, CHANNEL_KEEPALIVE_REPLY, k->bytes, k->length, bytes, sizeof(bytes));
	require(n > 0);
	/* who has not been asked there does not know what to say */
	place = place & 128 ? place % PLACES : (uint8_t)k->place;
	if (place == k->place) {
		x->proved[place] = true;
		x->answers++;
	}
	deliver(x, place, bytes, (size_t)n);
}

static void strange(struct run *x)
{
	uint8_t place = reader_u8(&x->r) % PLACES;
	struct span bytes = reader_span(&x->r, reader_u8(&x->r));

	require(deliver(x, place, bytes.data, bytes.length) == FLOW_STRANGE);
}

static void send(struct run *x, enum step s)
{
	static const uint8_t data[CHANNEL_PAYLOAD_MAX];
	size_t length = reader_u16(&x->r) % CHANNEL_PAYLOAD_MAX;
	struct flow_output out;
	int err;

	if (s == SEND)
		err = flow_send(x->flow, data, length, &out);
	else
		err = flow_forward(x->flow, (uint16_t)length, data, length, &out);
	require(!err == (s == SEND || length <= FLOW_FORWARD_MAX));
	if (!err)
		take_packet(x, &out);
}

static void rebind(struct run *x)
{
	uint8_t place = reader_u8(&x->r) % PLACES;
	struct endpoint remote = endpoint_of(place);

	x->proved[place] = true;
	flow_rebind(x->flow, x->now_us, socket_of(place), &remote);
}

static void step(struct run *x)
{
	enum step s = reader_u8(&x->r) % STEPS;
	const struct kept *k;
	uint64_t us;

	switch (s) {
	case TIME:
		us = reader_u8(&x->r);
		run_until(x, x->now_us + (us << reader_u8(&x->r) % 18));
		break;
	case PACKET:
		packet(x);
		break;
	case KEEP:
		keep(x);
		break;
	case LATE:
		k = &x->late[reader_u8(&x->r) % KEPT];
		if (k->length)
			deliver(x, reader_u8(&x->r) % PLACES, k->bytes, k->length);
		break;
	case ANSWER:
		answer(x);
		break;
	case STRANGER:
		strange(x);
		break;
	case SEND:
	case FORWARD:
		send(x, s);
		break;
	case PING:
		us = reader_u8(&x->r);
		flow_ping(x->flow, x->now_us, reader_u8(&x->r), us * 1000);
		break;
	case REBIND:
		rebind(x);
		break;
	case INTERVAL:
		flow_set_keepalive(x->flow, reader_u8(&x->r) * 100000u);
		break;
	default:
		flow_close(x->flow, x->now_us, 3);
		break;
	}
	poll(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flow_config config = {.remote = endpoint_of(0), .keepalive_us = 15u * SECOND};
	struct keys keys, mirrored;
	static struct run x;

	memset(&x, 0, sizeof(x));
	x.r = reader_over(data, size);
	x.now_us = BEGIN_US;
	x.proved[0] = true;
	memset(&keys.send, 1, sizeof(keys.send));
	memset(&keys.receive, 2, sizeof(keys.receive));
	mirrored.send = keys.receive;
	mirrored.receive = keys.send;
	channel_init(&x.peer, &mirrored);
	config.keys = &keys;
	random_init_number(&config.random, 1);
	require(!flow_create(&config, x.now_us, &x.flow));
	for (int i = 0; i < STEPS_MAX && reader_left(&x.r); i++)
		step(&x);
	run_until(&x, x.now_us + END_US);
	flow_destroy(x.flow);
	return 0;
}
