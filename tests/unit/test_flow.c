// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "punch/flow.h"
#include "test_punch_kit.h"

#define BEGIN_US     1000000000u
#define SECOND	     1000000u
#define KEEPALIVE_US (10 * SECOND)

#define MS	     1000u
#define SOCKET	     5

static const struct endpoint there = {FAMILY_IPV4, 40000, 0, {198, 51, 100, 9}},
			     elsewhere = {FAMILY_IPV4, 40001, 0, {203, 0, 113, 7}},
			     third = {FAMILY_IPV4, 40002, 0, {192, 0, 2, 8}};

/* A flow, and the channel of its peer, which may say whatever it wants. */
struct kit {
	struct keys keys[2];
	struct flow *flow;
	struct channel peer;
	struct flow_output out;
	struct flow_payload payload;
	uint8_t plain[CHANNEL_PAYLOAD_MAX]; /* of what next_until has found */
	uint64_t now_us;
};

static void kit_with_seed(struct kit *k, uint64_t keepalive_us, uint64_t seed)
{
	struct flow_config c = {.socket = SOCKET, .remote = there, .keepalive_us = keepalive_us};

	memset(k, 0, sizeof(*k));
	keys_of_both(&k->keys[0], &k->keys[1]);
	c.keys = &k->keys[0];
	random_init_number(&c.random, seed);
	k->now_us = BEGIN_US;
	assert_int_equal(flow_create(&c, k->now_us, &k->flow), 0);
	channel_init(&k->peer, &k->keys[1]);
}

static void kit(struct kit *k, uint64_t keepalive_us)
{
	kit_with_seed(k, keepalive_us, 1);
}

static enum flow_event input_from(struct kit *k, unsigned socket, const struct endpoint *from,
	enum channel_type type, const void *data, size_t length)
{
	uint8_t packet[CHANNEL_PACKET_MAX];
	int n = channel_seal(&k->peer, type, data, length, packet, sizeof(packet));

	assert_true(n > 0);
	return flow_input(k->flow, k->now_us, socket, from, packet, (size_t)n, &k->payload);
}

static enum flow_event input(struct kit *k, enum channel_type type, const void *data, size_t length)
{
	return input_from(k, SOCKET, &there, type, data, length);
}

/* What has been sent, as the peer opens it. */
static int opened(struct kit *k, enum channel_type *type, uint8_t *out)
{
	return channel_open(&k->peer, k->out.data, k->out.length, type, out, CHANNEL_PAYLOAD_MAX);
}

/* Time goes on to the next packet; false: there is none until then. */
static bool next_until(struct kit *k, uint64_t end_us, enum channel_type *type)
{
	uint64_t last_us = 0;

	while (flow_poll(k->flow, k->now_us, &k->out) == FLOW_WAIT) {
		assert_true(k->out.deadline_us > k->now_us && k->out.deadline_us > last_us);
		last_us = k->out.deadline_us;
		if (last_us > end_us) {
			k->now_us = end_us;
			return false;
		}
		k->now_us = last_us;
	}
	assert_true(opened(k, type, k->plain) >= 0);
	return true;
}

static void test_datagrams(void **state)
{
	uint8_t big[CHANNEL_PAYLOAD_MAX + 1] = {7}, plain[CHANNEL_PAYLOAD_MAX];
	enum channel_type type;
	struct kit k;

	(void)state;
	kit(&k, KEEPALIVE_US);
	assert_int_equal(flow_send(k.flow, big, sizeof(big) - 1, &k.out), 0);
	assert_int_equal(k.out.action, FLOW_SEND);
	assert_int_equal(k.out.socket, SOCKET);
	assert_true(endpoint_equal(&k.out.to, &there));
	assert_int_equal(opened(&k, &type, plain), CHANNEL_PAYLOAD_MAX);
	assert_int_equal(type, CHANNEL_DATA);
	assert_int_equal(flow_send(k.flow, big, sizeof(big), &k.out), -EMSGSIZE);
	assert_int_equal(input(&k, CHANNEL_DATA, "hello", 5), FLOW_DATA);
	assert_int_equal(k.payload.length, 5);
	assert_memory_equal(k.payload.data, "hello", 5);
	assert_int_equal(input(&k, CHANNEL_DATA, "", 0), FLOW_DATA);
	assert_int_equal(k.payload.length, 0);
	assert_int_equal(input(&k, CHANNEL_CLOSE, NULL, 0), FLOW_CLOSED);
	flow_destroy(k.flow);
	flow_destroy(NULL);
}

/* What is not the peer's moves nothing and is no sign of life; nor is what has come before. */
static void test_strangers(void **state)
{
	uint8_t packet[CHANNEL_PACKET_MAX + 1] = {0};
	struct kit k;
	int n;

	(void)state;
	kit(&k, KEEPALIVE_US);
	n = channel_seal(&k.peer, CHANNEL_DATA, "hello", 5, packet, CHANNEL_PACKET_MAX);
	for (int i = 0; i < n; i++) {
		packet[i] ^= 1;
		assert_int_equal(
			flow_input(k.flow, k.now_us, 6, &elsewhere, packet, (size_t)n, &k.payload),
			FLOW_STRANGE);
		packet[i] ^= 1;
		assert_int_equal(
			flow_input(k.flow, k.now_us, 6, &elsewhere, packet, (size_t)i, &k.payload),
			FLOW_STRANGE);
	}
	assert_int_equal(
		flow_input(k.flow, k.now_us, 6, &elsewhere, packet, sizeof(packet), &k.payload),
		FLOW_STRANGE);
	assert_int_equal(flow_statistics(k.flow).heard_us, 0);
	assert_int_equal(flow_statistics(k.flow).channel.forged, 2 * n + 1);
	assert_int_equal(
		flow_input(k.flow, k.now_us, 5, &there, packet, (size_t)n, &k.payload), FLOW_DATA);
	/* a copy of it from elsewhere, later */
	assert_int_equal(
		flow_input(k.flow, k.now_us + 5, 6, &elsewhere, packet, (size_t)n, &k.payload),
		FLOW_NOTHING);
	assert_int_equal(flow_statistics(k.flow).heard_us, BEGIN_US);
	assert_int_equal(flow_statistics(k.flow).moves, 0);
	assert_int_equal(flow_statistics(k.flow).channel.duplicates, 1);
	flow_destroy(k.flow);
}

/* --- where the peer is --- */

/* The next packet that is due now, and its type; its payload, if it is a keepalive, into ping. */
static bool poll(struct kit *k, enum channel_type *type, uint8_t ping[static CHANNEL_PAYLOAD_MAX])
{
	if (flow_poll(k->flow, k->now_us, &k->out) == FLOW_WAIT)
		return false;
	assert_true(opened(k, type, ping) >= 0);
	return true;
}

static bool is_at(const struct kit *k, const struct endpoint *e)
{
	struct endpoint remote = flow_remote(k->flow);

	return endpoint_equal(&remote, e);
}

static const struct endpoint *data_goes_to(struct kit *k)
{
	enum channel_type type;
	uint8_t plain[CHANNEL_PAYLOAD_MAX];

	assert_int_equal(flow_send(k->flow, "y", 1, &k->out), 0);
	assert_int_equal(opened(k, &type, plain), 1);
	return &k->out.to;
}

/* A challenge, to there; its payload. */
static void challenged(struct kit *k, unsigned socket, const struct endpoint *e,
	uint8_t ping[static CHANNEL_PAYLOAD_MAX])
{
	enum channel_type type;

	assert_true(poll(k, &type, ping));
	assert_int_equal(type, CHANNEL_KEEPALIVE);
	assert_int_equal(k->out.socket, socket);
	assert_true(endpoint_equal(&k->out.to, e));
}

/* Data goes on to where the peer was, until it answers from where it seems to be; that takes a round trip. */
static void test_move(void **state)
{
	uint8_t ping[CHANNEL_PAYLOAD_MAX];
	enum channel_type type;
	struct kit k;

	(void)state;
	kit(&k, KEEPALIVE_US);
	assert_int_equal(input_from(&k, 6, &elsewhere, CHANNEL_DATA, "x", 1), FLOW_DATA);
	challenged(&k, 6, &elsewhere, ping);
	assert_false(poll(&k, &type, ping));
	assert_true(endpoint_equal(data_goes_to(&k), &there));
	assert_int_equal(k.out.socket, SOCKET);
	k.now_us += 50 * MS;
	assert_int_equal(
		input_from(&k, 6, &elsewhere, CHANNEL_KEEPALIVE_REPLY, ping, 8), FLOW_NOTHING);
	assert_true(endpoint_equal(data_goes_to(&k), &elsewhere));
	assert_int_equal(k.out.socket, 6);
	assert_int_equal(flow_statistics(k.flow).moves, 1);
	assert_int_equal(flow_statistics(k.flow).rtt_us, 50 * MS);
	assert_int_equal(flow_statistics(k.flow).pings, 0);
	assert_int_equal(flow_statistics(k.flow).pongs, 0);
	/* the same endpoint on another socket is another way */
	assert_int_equal(input_from(&k, SOCKET, &elsewhere, CHANNEL_DATA, "x", 1), FLOW_DATA);
	challenged(&k, SOCKET, &elsewhere, ping);
	assert_int_equal(
		input_from(&k, SOCKET, &elsewhere, CHANNEL_KEEPALIVE_REPLY, ping, 8), FLOW_NOTHING);
	assert_int_equal(flow_statistics(k.flow).moves, 2);
	flow_destroy(k.flow);
}

/* An answer proves nothing from elsewhere, changed, cut, or given before. */
static void test_no_proof(void **state)
{
	uint8_t ping[CHANNEL_PAYLOAD_MAX], again[CHANNEL_PAYLOAD_MAX];
	struct kit k;

	(void)state;
	kit(&k, 0);
	flow_ping(k.flow, k.now_us, 1, SECOND);
	challenged(&k, SOCKET, &there, again);
	input_from(&k, 6, &elsewhere, CHANNEL_DATA, "x", 1);
	challenged(&k, 6, &elsewhere, ping);
	input_from(&k, 6, &elsewhere, CHANNEL_KEEPALIVE_REPLY, again, 8); /* to another */
	for (unsigned bit = 0; bit < 64; bit++) {
		ping[bit / 8] ^= (uint8_t)(1 << bit % 8);
		input_from(&k, 6, &elsewhere, CHANNEL_KEEPALIVE_REPLY, ping, 8);
		ping[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	input_from(&k, 6, &elsewhere, CHANNEL_KEEPALIVE_REPLY, ping, 7);
	input_from(&k, 6, &elsewhere, CHANNEL_KEEPALIVE_REPLY, ping, 9);
	input_from(&k, SOCKET, &elsewhere, CHANNEL_KEEPALIVE_REPLY, ping, 8);
	input_from(&k, 6, &there, CHANNEL_KEEPALIVE_REPLY, ping, 8);
	input_from(&k, 6, &elsewhere, CHANNEL_DATA, "x", 1);
	assert_true(is_at(&k, &there));
	input_from(&k, 6, &elsewhere, CHANNEL_KEEPALIVE_REPLY, ping, 8);
	assert_true(is_at(&k, &elsewhere));
	/* back, and the old answer again */
	input_from(&k, SOCKET, &there, CHANNEL_DATA, "x", 1);
	challenged(&k, SOCKET, &there, again);
	input_from(&k, SOCKET, &there, CHANNEL_KEEPALIVE_REPLY, again, 8);
	assert_true(is_at(&k, &there));
	input_from(&k, 6, &elsewhere, CHANNEL_KEEPALIVE_REPLY, ping, 8);
	assert_true(is_at(&k, &there));
	flow_destroy(k.flow);
}

/* A packet that was late does not lead back, nor does an answer, after one from where the peer is. */
static void test_late(void **state)
{
	uint8_t late[2][CHANNEL_PACKET_MAX], ping[CHANNEL_PAYLOAD_MAX];
	enum channel_type type;
	struct kit k;
	int n, m;

	(void)state;
	kit(&k, KEEPALIVE_US);
	n = channel_seal(&k.peer, CHANNEL_DATA, "late", 4, late[0], sizeof(late[0]));
	input(&k, CHANNEL_DATA, "x", 1);
	assert_int_equal(
		flow_input(k.flow, k.now_us, 6, &elsewhere, late[0], (size_t)n, &k.payload),
		FLOW_DATA);
	assert_false(poll(&k, &type, ping));
	/* challenged, but then it is heard from where it was */
	input_from(&k, 6, &elsewhere, CHANNEL_DATA, "x", 1);
	challenged(&k, 6, &elsewhere, ping);
	m = channel_seal(&k.peer, CHANNEL_KEEPALIVE_REPLY, ping, 8, late[1], sizeof(late[1]));
	input(&k, CHANNEL_DATA, "x", 1);
	flow_input(k.flow, k.now_us, 6, &elsewhere, late[1], (size_t)m, &k.payload);
	assert_true(is_at(&k, &there));
	assert_false(poll(&k, &type, ping));
	/* it has moved on before it answers */
	input_from(&k, 6, &elsewhere, CHANNEL_DATA, "x", 1);
	k.now_us += SECOND;
	challenged(&k, 6, &elsewhere, ping);
	m = channel_seal(&k.peer, CHANNEL_KEEPALIVE_REPLY, ping, 8, late[1], sizeof(late[1]));
	input_from(&k, 6, &third, CHANNEL_DATA, "x", 1);
	flow_input(k.flow, k.now_us, 6, &elsewhere, late[1], (size_t)m, &k.payload);
	assert_true(is_at(&k, &there));
	challenged(&k, 6, &third, ping);
	flow_destroy(k.flow);
}

/* The old endpoint is dead, and so may be some packets: all is well as soon as a challenge and its answer arrive. */
static void test_move_with_loss(void **state)
{
	uint8_t ping[CHANNEL_PAYLOAD_MAX];
	enum channel_type type;

	(void)state;
	for (unsigned run = 0; run < 200; run++) {
		struct random random;
		unsigned loss = 10 * (run % 4);
		struct kit k;

		kit(&k, KEEPALIVE_US);
		random_init_number(&random, run);
		while (!is_at(&k, &elsewhere) && k.now_us < BEGIN_US + 60 * SECOND) {
			if (random_below(&random, 100) >= loss)
				input_from(&k, SOCKET, &elsewhere, CHANNEL_DATA, "x", 1);
			while (poll(&k, &type, ping))
				if (random_below(&random, 100) >= loss &&
					random_below(&random, 100) >= loss)
					input_from(&k, SOCKET, &elsewhere, CHANNEL_KEEPALIVE_REPLY,
						ping, 8);
			k.now_us += 20 * MS;
		}
		assert_true(is_at(&k, &elsewhere));
		assert_true(loss || k.now_us == BEGIN_US + 20 * MS);
		flow_destroy(k.flow);
	}
}

/* A silent peer is challenged a few times; another packet of it asks for it again. */
static void test_challenges(void **state)
{
	uint8_t ping[CHANNEL_PAYLOAD_MAX];
	enum channel_type type;
	uint64_t last_us;
	struct kit k;

	(void)state;
	kit(&k, 0);
	for (unsigned round = 0; round < 2; round++) {
		input_from(&k, 6, &elsewhere, CHANNEL_DATA, "x", 1);
		challenged(&k, 6, &elsewhere, ping);
		for (unsigned i = 0; i < 2; i++) {
			last_us = k.now_us;
			assert_true(next_until(&k, k.now_us + SECOND, &type));
			assert_int_equal(k.now_us - last_us, 200 * MS);
			assert_true(endpoint_equal(&k.out.to, &elsewhere));
		}
		assert_false(next_until(&k, k.now_us + 1000u * SECOND, &type));
	}
	flow_destroy(k.flow);
}

/* How many packets go to others than to where the peer is. */
static unsigned count_strange(struct kit *k, uint64_t end_us)
{
	enum channel_type type;
	unsigned count = 0;

	while (next_until(k, end_us, &type))
		count += !endpoint_equal(&k->out.to, &there);
	return count;
}

/* Who makes up where its packets come from gets nobody there more than a handful, whatever it sends. */
static void test_liar(void **state)
{
	static const unsigned sources[] = {1, 2, 200};

	(void)state;
	for (size_t n = 0; n < sizeof(sources) / sizeof(*sources); n++) {
		unsigned strange = 0;
		struct kit k;

		kit(&k, KEEPALIVE_US);
		for (unsigned i = 0; i < 2000; i++) {
			struct endpoint e = elsewhere;
			uint8_t guess[8] = {(uint8_t)i};

			e.port = (uint16_t)(1 + i % sources[n]);
			e.address[3] = (uint8_t)(1 + i % sources[n]);
			input_from(&k, 6, &e, CHANNEL_DATA, "x", 1);
			strange += count_strange(&k, k.now_us);
			input_from(&k, 6, &e, CHANNEL_KEEPALIVE, "ask", 3);
			strange += count_strange(&k, k.now_us);
			input_from(&k, 6, &e, CHANNEL_KEEPALIVE_REPLY, guess, 8);
			strange += count_strange(&k, k.now_us + 4 * MS);
			assert_true(is_at(&k, &there));
		}
		assert_int_equal(strange, 8); /* in 8 seconds */
		for (unsigned i = 0; i < 1000; i++) {
			struct endpoint e = elsewhere;

			e.port = (uint16_t)(1 + i % sources[n]);
			input_from(&k, 6, &e, CHANNEL_KEEPALIVE, "ask", 3);
			strange += count_strange(&k, k.now_us + SECOND);
		}
		assert_in_range(strange, 8 + 99, 8 + 101);
		assert_int_equal(flow_statistics(k.flow).moves, 0);
		flow_destroy(k.flow);
	}
}

/* A liar that answers from one endpoint does not get packets for others by that. */
static void test_liar_that_moves(void **state)
{
	uint8_t ping[CHANNEL_PAYLOAD_MAX];
	unsigned victims = 0;
	enum channel_type type;
	struct kit k;

	(void)state;
	kit(&k, KEEPALIVE_US);
	for (unsigned i = 0; i < 1000; i++) {
		input_from(&k, 6, i % 2 ? &there : &elsewhere, CHANNEL_DATA, "x", 1);
		while (poll(&k, &type, ping))
			if (endpoint_equal(&k.out.to, i % 2 ? &there : &elsewhere))
				input_from(&k, 6, &k.out.to, CHANNEL_KEEPALIVE_REPLY, ping, 8);
		input_from(&k, 6, &third, CHANNEL_DATA, "x", 1);
		while (poll(&k, &type, ping))
			victims += endpoint_equal(&k.out.to, &third);
		k.now_us += MS;
	}
	assert_int_equal(victims, 8);
	flow_destroy(k.flow);
}

/* A peer with two ways that uses them in turn: it is followed only as often as it answers. */
static void test_alternating(void **state)
{
	uint8_t ping[CHANNEL_PAYLOAD_MAX];
	unsigned answers = 0, challenges = 0;
	enum channel_type type;
	struct kit k;

	(void)state;
	kit(&k, 0);
	for (unsigned i = 0; i < 10000; i++) {
		const struct endpoint *from = i % 2 ? &there : &elsewhere;

		input_from(&k, SOCKET, from, CHANNEL_DATA, "x", 1);
		while (poll(&k, &type, ping)) {
			challenges += type == CHANNEL_KEEPALIVE;
			if (i % 10 == 9) {
				answers++;
				input_from(&k, SOCKET, &k.out.to, CHANNEL_KEEPALIVE_REPLY, ping, 8);
			}
		}
		k.now_us += MS;
	}
	assert_true(flow_statistics(k.flow).moves <= answers);
	assert_true(challenges <= answers + 8 + 1);
	flow_destroy(k.flow);
}

/* Keepalives are answered where they come from; of strangers only a few, so that their proof comes first. */
static void test_answers_to_strangers(void **state)
{
	uint8_t ping[CHANNEL_PAYLOAD_MAX], late[CHANNEL_PACKET_MAX];
	unsigned answers = 0, challenges = 0;
	enum channel_type type;
	struct kit k;
	int n;

	(void)state;
	kit(&k, 0);
	for (unsigned i = 0; i < 100; i++) {
		input_from(&k, 6, &elsewhere, CHANNEL_KEEPALIVE, "ask", 3);
		while (poll(&k, &type, ping)) {
			assert_true(endpoint_equal(&k.out.to, &elsewhere));
			assert_int_equal(k.out.socket, 6);
			answers += type == CHANNEL_KEEPALIVE_REPLY;
			challenges += type == CHANNEL_KEEPALIVE;
		}
		k.now_us += 50 * MS;
	}
	assert_in_range(answers, 1, 4);
	assert_int_equal(answers + challenges, 8);
	flow_destroy(k.flow);
	/* none to where nothing new comes from */
	kit(&k, 0);
	n = channel_seal(&k.peer, CHANNEL_KEEPALIVE, "ask", 3, late, sizeof(late));
	input(&k, CHANNEL_DATA, "x", 1);
	flow_input(k.flow, k.now_us, 6, &elsewhere, late, (size_t)n, &k.payload);
	assert_false(poll(&k, &type, ping));
	flow_destroy(k.flow);
}

/* The path was punched anew: from another socket, to another endpoint, which needs no proof. */
static void test_rebind(void **state)
{
	uint8_t ping[CHANNEL_PAYLOAD_MAX];
	enum channel_type type;
	struct kit k;

	(void)state;
	kit(&k, KEEPALIVE_US);
	input(&k, CHANNEL_DATA, "x", 1);
	while (k.now_us < flow_silent_at(k.flow))
		assert_true(next_until(&k, flow_silent_at(k.flow), &type) ||
			k.now_us >= flow_silent_at(k.flow));
	flow_rebind(k.flow, k.now_us, 7, &elsewhere);
	assert_true(flow_silent_at(k.flow) == UINT64_MAX);
	assert_true(endpoint_equal(data_goes_to(&k), &elsewhere));
	assert_int_equal(k.out.socket, 7);
	assert_int_equal(flow_statistics(k.flow).heard_us, BEGIN_US);
	assert_int_equal(flow_statistics(k.flow).channel.received, 1);
	assert_int_equal(flow_statistics(k.flow).moves, 0);
	/* the peer does not know yet */
	assert_int_equal(input(&k, CHANNEL_DATA, "x", 1), FLOW_DATA);
	assert_false(poll(&k, &type, ping));
	/* and now it does */
	input_from(&k, 7, &elsewhere, CHANNEL_KEEPALIVE, "ask", 3);
	assert_true(poll(&k, &type, ping));
	assert_int_equal(type, CHANNEL_KEEPALIVE_REPLY);
	assert_true(endpoint_equal(&k.out.to, &elsewhere));
	assert_false(poll(&k, &type, ping));
	/* later it may be where it was */
	k.now_us += 11 * SECOND;
	input(&k, CHANNEL_DATA, "x", 1);
	while (poll(&k, &type, ping) && !endpoint_equal(&k.out.to, &there))
		;
	input(&k, CHANNEL_KEEPALIVE_REPLY, ping, 8);
	assert_true(is_at(&k, &there));
	flow_destroy(k.flow);
	/* a challenge of before proves nothing */
	kit(&k, 0);
	input_from(&k, 6, &third, CHANNEL_DATA, "x", 1);
	challenged(&k, 6, &third, ping);
	flow_rebind(k.flow, k.now_us, 7, &elsewhere);
	assert_false(next_until(&k, k.now_us + SECOND, &type)); /* nobody else is of interest */
	input_from(&k, 7, &elsewhere, CHANNEL_DATA, "x", 1);
	input_from(&k, 7, &elsewhere, CHANNEL_KEEPALIVE_REPLY, ping, 8);
	assert_true(is_at(&k, &elsewhere));
	assert_int_equal(flow_statistics(k.flow).moves, 0);
	flow_destroy(k.flow);
}

static void test_forward(void **state)
{
	uint8_t big[FLOW_FORWARD_MAX + 1] = {7}, plain[CHANNEL_PAYLOAD_MAX];
	enum channel_type type;
	struct kit k;

	(void)state;
	kit(&k, KEEPALIVE_US);
	assert_int_equal(flow_forward(k.flow, 0x1234, big, FLOW_FORWARD_MAX, &k.out), 0);
	assert_true(endpoint_equal(&k.out.to, &there));
	assert_int_equal(opened(&k, &type, plain), CHANNEL_PAYLOAD_MAX);
	assert_int_equal(type, CHANNEL_FORWARDED);
	assert_int_equal(plain[0], 0x12);
	assert_int_equal(plain[1], 0x34);
	assert_memory_equal(plain + 2, big, FLOW_FORWARD_MAX);
	assert_int_equal(flow_forward(k.flow, 1, big, sizeof(big), &k.out), -EMSGSIZE);
	assert_int_equal(flow_forward(k.flow, 1, big, SIZE_MAX, &k.out), -EMSGSIZE);
	assert_int_equal(flow_forward(k.flow, 1, NULL, 0, &k.out), 0);
	assert_int_equal(opened(&k, &type, plain), 2);
	assert_int_equal(input(&k, CHANNEL_FORWARDED, "\xff\xfehello", 7), FLOW_FORWARDED);
	assert_int_equal(k.payload.id, 0xfffe);
	assert_int_equal(k.payload.length, 5);
	assert_memory_equal(k.payload.data, "hello", 5);
	assert_int_equal(input(&k, CHANNEL_FORWARDED, "\0\1", 2), FLOW_FORWARDED);
	assert_int_equal(k.payload.id, 1);
	assert_int_equal(k.payload.length, 0);
	/* without a whole number it is nobody's */
	assert_int_equal(input(&k, CHANNEL_FORWARDED, "x", 1), FLOW_NOTHING);
	assert_int_equal(input(&k, CHANNEL_FORWARDED, NULL, 0), FLOW_NOTHING);
	flow_destroy(k.flow);
}

/* --- keepalives --- */

/* One now and then while they are answered, whatever else is sent. */
static void test_keepalives(void **state)
{
	enum channel_type type;
	uint64_t last_us;
	struct kit k;

	(void)state;
	kit(&k, KEEPALIVE_US);
	last_us = k.now_us;
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(flow_send(k.flow, "x", 1, &k.out), 0);
		assert_true(next_until(&k, UINT64_MAX - 1, &type));
		assert_int_equal(type, CHANNEL_KEEPALIVE);
		assert_in_range(k.now_us - last_us, KEEPALIVE_US * 3 / 4, KEEPALIVE_US);
		last_us = k.now_us;
		input(&k, CHANNEL_KEEPALIVE_REPLY, k.plain, 8);
		assert_true(flow_silent_at(k.flow) == UINT64_MAX);
	}
	assert_int_equal(flow_statistics(k.flow).pings, 50);
	flow_destroy(k.flow);
	kit(&k, 0);
	assert_int_equal(flow_poll(k.flow, k.now_us + 1000u * SECOND, &k.out), FLOW_WAIT);
	assert_true(k.out.deadline_us == UINT64_MAX);
	/* none is wanted, until they are */
	flow_set_keepalive(k.flow, KEEPALIVE_US);
	assert_int_equal(flow_poll(k.flow, k.now_us, &k.out), FLOW_WAIT);
	assert_in_range(
		k.out.deadline_us, BEGIN_US + KEEPALIVE_US * 3 / 4, BEGIN_US + KEEPALIVE_US);
	flow_set_keepalive(k.flow, SECOND);
	assert_true(next_until(&k, BEGIN_US + SECOND, &type));
	flow_destroy(k.flow);
}

static void test_pings(void **state)
{
	enum channel_type type;
	struct kit k;

	(void)state;
	kit(&k, 0);
	flow_ping(k.flow, k.now_us, 5, SECOND);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(next_until(&k, UINT64_MAX - 1, &type));
		assert_int_equal(k.now_us, BEGIN_US + i * SECOND);
	}
	assert_false(next_until(&k, k.now_us + 100u * SECOND, &type));
	flow_ping(k.flow, k.now_us, 100, 0); /* all at once, but no more */
	for (unsigned i = 0; i < 100; i++)
		assert_true(next_until(&k, k.now_us, &type));
	assert_int_equal(flow_poll(k.flow, k.now_us, &k.out), FLOW_WAIT);
	flow_destroy(k.flow);
}

static void ping_once(struct kit *k, uint8_t plain[static CHANNEL_PAYLOAD_MAX])
{
	enum channel_type type;

	flow_ping(k->flow, k->now_us, 1, SECOND);
	assert_int_equal(flow_poll(k->flow, k->now_us, &k->out), FLOW_SEND);
	assert_int_equal(opened(k, &type, plain), 8);
	assert_int_equal(type, CHANNEL_KEEPALIVE);
}

/* Who has seen all keepalives of one flow knows nothing of those of another. */
static void test_payloads(void **state)
{
	uint8_t all[200][CHANNEL_PAYLOAD_MAX];
	struct kit k;

	(void)state;
	for (unsigned flow = 0; flow < 2; flow++) {
		kit_with_seed(&k, 0, flow);
		for (unsigned i = 0; i < 100; i++)
			ping_once(&k, all[100 * flow + i]);
		flow_destroy(k.flow);
	}
	for (unsigned i = 0; i < 200; i++)
		for (unsigned j = 0; j < i; j++)
			assert_memory_not_equal(all[i], all[j], 8);
}

/* RFC 6298 2.3, without its variance. */
static void test_round_trips(void **state)
{
	uint8_t plain[CHANNEL_PAYLOAD_MAX];
	struct kit k;

	(void)state;
	kit(&k, 0);
	ping_once(&k, plain);
	k.now_us += 80000;
	assert_int_equal(input(&k, CHANNEL_KEEPALIVE_REPLY, plain, 8), FLOW_NOTHING);
	assert_int_equal(flow_statistics(k.flow).rtt_us, 80000);
	ping_once(&k, plain);
	k.now_us += 160000;
	assert_int_equal(input(&k, CHANNEL_KEEPALIVE_REPLY, plain, 8), FLOW_NOTHING);
	assert_int_equal(flow_statistics(k.flow).rtt_us, 90000);
	assert_int_equal(flow_statistics(k.flow).rtt_min_us, 80000);
	assert_int_equal(flow_statistics(k.flow).pongs, 2);
	flow_destroy(k.flow);
}

/* Answers to what was never asked, or too long ago, and more than one to one. */
static void test_false_answers(void **state)
{
	static const uint8_t never[8];
	uint8_t plain[CHANNEL_PAYLOAD_MAX], first[CHANNEL_PAYLOAD_MAX];
	struct kit k;

	(void)state;
	kit(&k, 0);
	assert_int_equal(input(&k, CHANNEL_KEEPALIVE_REPLY, never, 8), FLOW_NOTHING);
	ping_once(&k, first);
	for (unsigned i = 0; i < 70; i++)
		ping_once(&k, plain);
	k.now_us += 80000;
	assert_int_equal(input(&k, CHANNEL_KEEPALIVE_REPLY, first, 8), FLOW_NOTHING);
	assert_int_equal(input(&k, CHANNEL_KEEPALIVE_REPLY, never, 8), FLOW_NOTHING);
	for (size_t n = 0; n < 8; n++)
		assert_int_equal(input(&k, CHANNEL_KEEPALIVE_REPLY, plain, n), FLOW_NOTHING);
	assert_int_equal(flow_statistics(k.flow).pongs, 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(input(&k, CHANNEL_KEEPALIVE_REPLY, plain, 8), FLOW_NOTHING);
	assert_int_equal(flow_statistics(k.flow).pongs, 1);
	flow_destroy(k.flow);
}

/* One answer to a keepalive, with the same payload, however many come between two polls. */
static void test_answers(void **state)
{
	uint8_t big[CHANNEL_PAYLOAD_MAX] = {9}, plain[CHANNEL_PAYLOAD_MAX];
	enum channel_type type;
	struct kit k;

	(void)state;
	kit(&k, 0);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(input(&k, CHANNEL_KEEPALIVE, "old", 3), FLOW_NOTHING);
	assert_int_equal(input(&k, CHANNEL_KEEPALIVE, big, sizeof(big)), FLOW_NOTHING);
	assert_int_equal(flow_poll(k.flow, k.now_us, &k.out), FLOW_SEND);
	assert_int_equal(opened(&k, &type, plain), CHANNEL_PAYLOAD_MAX);
	assert_int_equal(type, CHANNEL_KEEPALIVE_REPLY);
	assert_memory_equal(plain, big, sizeof(big));
	assert_int_equal(flow_poll(k.flow, k.now_us, &k.out), FLOW_WAIT);
	flow_destroy(k.flow);
}

/* Three last words, and then nothing more, whatever was wanted before. */
static void test_close(void **state)
{
	enum channel_type type;
	struct kit k;

	(void)state;
	kit(&k, KEEPALIVE_US);
	flow_ping(k.flow, k.now_us, 100, 1000);
	flow_close(k.flow, k.now_us, 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(next_until(&k, UINT64_MAX - 1, &type));
		assert_int_equal(type, CHANNEL_CLOSE);
		assert_int_equal(k.now_us, BEGIN_US + ((1u << i) - 1) * 50000);
	}
	/* the peer may still have something to say */
	assert_true(next_until(&k, k.now_us + KEEPALIVE_US, &type));
	assert_int_equal(type, CHANNEL_KEEPALIVE);
	flow_destroy(k.flow);
}

/* Keepalives without an answer are repeated soon; that the peer is heard does not help, an answer does. */
static void test_silence(void **state)
{
	uint64_t first_us, last_us, silent_us;
	enum channel_type type;
	struct kit k;

	(void)state;
	for (unsigned answered = 0; answered < 2; answered++) {
		kit(&k, KEEPALIVE_US);
		assert_true(next_until(&k, UINT64_MAX - 1, &type));
		first_us = last_us = k.now_us;
		silent_us = flow_silent_at(k.flow);
		assert_int_equal(silent_us, first_us + 8 * SECOND);
		for (unsigned i = 1; i < 8; i++) {
			assert_true(next_until(&k, UINT64_MAX - 1, &type));
			assert_int_equal(type, CHANNEL_KEEPALIVE);
			assert_int_equal(k.now_us - last_us, SECOND);
			last_us = k.now_us;
			assert_int_equal(input(&k, CHANNEL_DATA, "x", 1), FLOW_DATA);
		}
		assert_int_equal(flow_silent_at(k.flow), silent_us);
		if (answered) {
			input(&k, CHANNEL_KEEPALIVE_REPLY, k.plain, 8);
			assert_true(flow_silent_at(k.flow) == UINT64_MAX);
			assert_false(next_until(&k, k.now_us + KEEPALIVE_US / 2, &type));
		}
		flow_destroy(k.flow);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_no_proof),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_move_with_loss),
		cmocka_unit_test(test_challenges),
		cmocka_unit_test(test_liar),
		cmocka_unit_test(test_liar_that_moves),
		cmocka_unit_test(test_alternating),
		cmocka_unit_test(test_answers_to_strangers),
		cmocka_unit_test(test_rebind),
		cmocka_unit_test(test_forward),
		cmocka_unit_test(test_keepalives),
		cmocka_unit_test(test_pings),
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_false_answers),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
