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

#include "punch/checks.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define BEGIN_US  1000000000u
#define SECOND	  1000000u
#define MS	  1000u
#define MAIN	  0
#define FIRST	  32 /* of the further sockets */
#define SOCKETS	  512

static const uint8_t key_out[PUNCH_KEY_BYTES] = {1}, key_in[PUNCH_KEY_BYTES] = {2};
static const struct endpoint peer = {FAMILY_IPV4, 50000, 0, {203, 0, 113, 7}},
			     peer_port = {FAMILY_IPV4, 50001, 0, {203, 0, 113, 7}},
			     mapped = {FAMILY_IPV4, 40000, 0, {198, 51, 100, 9}};

/* Checks, whose sockets open at once, and whose peer says what the test wants. */
struct kit {
	struct trail *trail;
	struct checks *checks;
	const struct checks_result *result;
	struct checks_output out, last; /* last: of those that were packets */
	bool open[SOCKETS], refuse; /* refuse: no more sockets */
	unsigned opened, closed, sent;
	uint64_t now_us, counter; /* counter: of the peer */
};

static void kit(struct kit *k, bool controlling)
{
	struct checks_config c = {.controlling = controlling};

	memset(k, 0, sizeof(*k));
	assert_int_equal(trail_create(BEGIN_US, &k->trail), 0);
	c.trail = k->trail;
	memcpy(c.key_out, key_out, sizeof(key_out));
	memcpy(c.key_in, key_in, sizeof(key_in));
	random_init_number(&c.random, 1);
	k->now_us = BEGIN_US;
	assert_int_equal(checks_create(&c, &k->checks), 0);
	k->result = checks_result(k->checks);
	k->open[MAIN] = true;
	checks_set_main(k->checks, FAMILY_IPV4, MAIN);
}

static void finish(struct kit *k)
{
	checks_destroy(k->checks);
	trail_destroy(k->trail);
}

/* What must hold of every packet. */
static void check_packet(struct kit *k)
{
	struct punch_message m;

	assert_true(k->open[k->out.socket]);
	assert_true(endpoint_is_unicast(&k->out.to));
	assert_false(endpoint_is_loopback(&k->out.to));
	assert_int_equal(punch_decode(k->out.data, k->out.length, key_out, &m), 0);
	k->last = k->out;
	k->sent++;
}

/* The next packet that is due now; sockets are dealt with. */
static bool poll(struct kit *k)
{
	for (unsigned i = 0; i < 4 * SOCKETS; i++) {
		switch (checks_poll(k->checks, k->now_us, &k->out)) {
		case CHECKS_WAIT:
			assert_true(k->out.deadline_us > k->now_us);
			return false;
		case CHECKS_SEND:
			check_packet(k);
			return true;
		case CHECKS_OPEN:
			assert_true(k->out.socket < SOCKETS && !k->open[k->out.socket]);
			k->open[k->out.socket] = !k->refuse;
			k->opened++;
			checks_opened(k->checks, k->now_us, k->out.socket, k->refuse ? -EMFILE : 0);
			break;
		case CHECKS_CLOSE:
			assert_true(k->open[k->out.socket]);
			k->open[k->out.socket] = false;
			k->closed++;
			break;
		}
	}
	fail_msg("it does not come to rest");
	return false;
}

/* Time goes on to the next packet; false: there is none until then. */
static bool next_until(struct kit *k, uint64_t end_us)
{
	while (!poll(k)) {
		if (k->out.deadline_us > end_us) {
			k->now_us = end_us;
			return false;
		}
		k->now_us = k->out.deadline_us;
	}
	return true;
}

/* How many packets go out in this time. */
static unsigned count_until(struct kit *k, uint64_t end_us)
{
	unsigned before = k->sent;

	while (next_until(k, end_us))
		;
	return k->sent - before;
}

/* --- the peer --- */

static bool deliver(struct kit *k, const struct punch_message *m, unsigned socket,
	const struct endpoint *from, const uint8_t *key)
{
	uint8_t data[PUNCH_BYTES_MAX], *exact;
	int n = punch_encode(m, key, data, sizeof(data));
	bool taken;

	assert_true(n > 0);
	exact = malloc((size_t)n); /* a sanitizer sees what is read beyond it */
	assert_non_null(exact);
	memcpy(exact, data, (size_t)n);
	taken = checks_input(k->checks, k->now_us, socket, from, exact, (size_t)n);
	free(exact);
	return taken;
}

static void request(struct kit *k, unsigned socket, const struct endpoint *from, uint8_t flags)
{
	struct punch_message m = {.class = STUN_REQUEST,
		.id = {{0x21, 0x12, 0xa4, 0x42}},
		.flags = flags,
		.counter = ++k->counter};

	m.id.bytes[15] = (uint8_t)k->counter;
	assert_true(deliver(k, &m, socket, from, key_in));
}

/* A request that answers to the packet that went out last. */
static void request_with_echo(
	struct kit *k, unsigned socket, const struct endpoint *from, uint8_t flags)
{
	struct punch_message out,
		m = {.class = STUN_REQUEST,
			.id = {{0x21, 0x12, 0xa4, 0x42}},
			.flags = flags,
			.counter = ++k->counter,
			.has_echo = true,
			.mapped = mapped};

	assert_int_equal(punch_decode(k->last.data, k->last.length, key_out, &out), 0);
	m.id.bytes[15] = (uint8_t)k->counter;
	m.echo = out.id;
	assert_true(deliver(k, &m, socket, from, key_in));
}

/* To the packet that went out last. */
static struct punch_message answer_to(struct kit *k, uint8_t flags)
{
	struct punch_message m;

	assert_int_equal(punch_decode(k->last.data, k->last.length, key_out, &m), 0);
	return (struct punch_message){.class = STUN_SUCCESS,
		.id = m.id,
		.flags = flags,
		.counter = ++k->counter,
		.mapped = mapped};
}

static uint8_t flags_of_output(const struct kit *k)
{
	struct punch_message m;

	assert_int_equal(punch_decode(k->last.data, k->last.length, key_out, &m), 0);
	return m.flags;
}

static bool is_request(const struct kit *k)
{
	struct punch_message m;

	assert_int_equal(punch_decode(k->last.data, k->last.length, key_out, &m), 0);
	return m.class == STUN_REQUEST;
}

static unsigned trail_count(const struct kit *k, enum trail_kind kind)
{
	unsigned count = 0;

	for (size_t i = 0; i < k->trail->event_count; i++)
		count += k->trail->events[i].kind == kind;
	return count;
}

/* --- candidates --- */

static void test_candidates(void **state)
{
	static const struct {
		struct endpoint e;
		int result;
		bool tried;
	} rows[] = {
		{{FAMILY_IPV4, 1, 0, {192, 0, 2, 7}}, 0, true},
		{{FAMILY_IPV4, 1, 0, {10, 0, 0, 255}}, 0, true},
		{{FAMILY_IPV4, 0, 0, {192, 0, 2, 7}}, -EINVAL, false},
		{{FAMILY_IPV4, 1, 0, {127, 0, 0, 1}}, -EINVAL, false},
		{{FAMILY_IPV4, 1, 0, {127, 255, 255, 255}}, -EINVAL, false},
		{{FAMILY_IPV4, 1, 0, {0, 0, 0, 0}}, -EINVAL, false},
		{{FAMILY_IPV4, 1, 0, {0, 1, 2, 3}}, -EINVAL, false},
		{{FAMILY_IPV4, 1, 0, {224, 0, 0, 1}}, -EINVAL, false},
		{{FAMILY_IPV4, 1, 0, {239, 255, 255, 250}}, -EINVAL, false},
		{{FAMILY_IPV4, 1, 0, {240, 0, 0, 1}}, -EINVAL, false},
		{{FAMILY_IPV4, 1, 0, {255, 255, 255, 255}}, -EINVAL, false},
		{{FAMILY_NONE, 1, 0, {192, 0, 2, 7}}, -EINVAL, false},
		{{FAMILY_IPV6, 1, 0, {[15] = 1}}, -EINVAL, false},
		{{FAMILY_IPV6, 1, 0, {0}}, -EINVAL, false},
		{{FAMILY_IPV6, 1, 0, {0xff, 2, [15] = 1}}, -EINVAL, false},
		/* there is no socket of this family */
		{{FAMILY_IPV6, 1, 0, {0x20, 1, 0xd, 0xb8, [15] = 1}}, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct kit k;

		kit(&k, true);
		assert_int_equal(
			checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &rows[i].e, true),
			rows[i].result);
		assert_int_equal(checks_candidates_are_tried(k.checks), !rows[i].tried);
		assert_int_equal(poll(&k), rows[i].tried);
		assert_true(checks_candidates_are_tried(k.checks));
		if (rows[i].tried)
			assert_true(endpoint_equal(&k.out.to, &rows[i].e));
		finish(&k);
	}
}

/* Whom nobody vouches for gets a few packets; for good, though it is named again and again. */
static void test_handful(void **state)
{
	struct kit k;
	unsigned sent = 0;

	(void)state;
	kit(&k, true);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(
			checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, false), 0);
		sent += count_until(&k, k.now_us + 10 * SECOND);
	}
	assert_int_equal(sent, 3);
	assert_true(checks_candidates_are_tried(k.checks));
	/* and some more when it speaks */
	for (unsigned i = 0; i < 100; i++) {
		request(&k, MAIN, &peer, 0);
		sent += count_until(&k, k.now_us + 10 * SECOND);
	}
	assert_int_equal(sent, 8);
	finish(&k);
	kit(&k, true);
	assert_int_equal(checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true), 0);
	assert_int_equal(count_until(&k, k.now_us + 1000u * SECOND), 120);
	finish(&k);
}

/* One whom the peer has named first may be vouched for later. */
static void test_vouched_later(void **state)
{
	struct kit k;

	(void)state;
	kit(&k, true);
	assert_int_equal(checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, false), 0);
	assert_int_equal(count_until(&k, k.now_us + 10 * SECOND), 3);
	assert_int_equal(checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true), 0);
	assert_int_equal(count_until(&k, k.now_us + 1000u * SECOND), 117);
	finish(&k);
}

/* Of the addresses that are vouched for the latest ones count: others have been there before. */
static void test_many_vouched(void **state)
{
	struct endpoint e = peer;
	struct kit k;

	(void)state;
	kit(&k, false);
	for (e.address[3] = 1; e.address[3] <= 9; e.address[3]++)
		assert_int_equal(checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &e, true), 0);
	assert_int_equal(count_until(&k, k.now_us + 1000u * SECOND), 8 * 120 + 3);
	finish(&k);
}

/* Thousands of candidates: a few packets to each address, 48 to all together, and memory for no more than there is. */
static void test_flood_of_candidates(void **state)
{
	struct kit k;

	(void)state;
	for (unsigned addresses = 1; addresses <= 50; addresses += 49) {
		unsigned taken = 0;

		kit(&k, true);
		for (unsigned i = 0; i < 5000; i++) {
			struct endpoint e = {FAMILY_IPV4, (uint16_t)(1 + i), 0, {192, 0, 2, 1}};
			int err;

			e.address[3] = (uint8_t)(1 + i % addresses);
			err = checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &e, false);
			assert_true(!err || err == -ENOSPC);
			taken += !err;
		}
		assert_int_equal(taken, CHECKS_WAYS);
		assert_int_equal(
			count_until(&k, k.now_us + 1000u * SECOND), addresses == 1 ? 3 : 48);
		assert_true(checks_candidates_are_tried(k.checks));
		finish(&k);
	}
}

/* Quick first, and then slower: never two of one way at once. */
static void test_pace(void **state)
{
	static const struct {
		unsigned until;
		uint64_t least_us, most_us;
	} rows[] = {{7, 15 * MS, 25 * MS}, {13, 37500, 62500}, {25, 75 * MS, 125 * MS},
		{45, 150 * MS, 250 * MS}, {120, 375 * MS, 625 * MS}};
	uint64_t last_us = 0;
	struct kit k;

	(void)state;
	kit(&k, true);
	assert_int_equal(checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true), 0);
	for (size_t i = 0; i < LENGTH(rows); i++)
		while (k.sent < rows[i].until) {
			assert_true(next_until(&k, k.now_us + SECOND));
			if (last_us && k.sent > (i ? rows[i - 1].until + 1 : 1))
				assert_in_range(
					k.now_us - last_us, rows[i].least_us, rows[i].most_us);
			last_us = k.now_us;
		}
	assert_int_equal(checks_result(k.checks)->first_sent_us, BEGIN_US);
	finish(&k);
}

/* --- proof --- */

static void test_controlling(void **state)
{
	struct punch_message m;
	struct kit k;

	(void)state;
	kit(&k, true);
	checks_add_candidate(k.checks, k.now_us, CHECK_SERVER_REFLEXIVE, &peer, true);
	assert_true(poll(&k));
	assert_int_equal(flags_of_output(&k), 0);
	k.now_us += 30 * MS;
	m = answer_to(&k, 0);
	assert_true(deliver(&k, &m, MAIN, &peer, key_in));
	assert_true(k.result->connected);
	assert_true(endpoint_equal(&k.result->remote, &peer));
	assert_true(endpoint_equal(&k.result->mapped, &mapped));
	assert_int_equal(k.result->kind, CHECK_SERVER_REFLEXIVE);
	assert_int_equal(k.result->rtt_us, 30 * MS);
	assert_int_equal(k.result->proved_us, k.now_us);
	assert_int_equal(k.result->first_heard_us, k.now_us);
	/* it nominates until the peer says that it knows */
	assert_true(poll(&k));
	assert_int_equal(flags_of_output(&k), PUNCH_NOMINATE);
	assert_in_range(count_until(&k, k.now_us + SECOND), 5, 50);
	m = answer_to(&k, 0);
	assert_true(deliver(&k, &m, MAIN, &peer, key_in));
	assert_true(next_until(&k, k.now_us + SECOND));
	m = answer_to(&k, PUNCH_NOMINATE);
	assert_true(deliver(&k, &m, MAIN, &peer, key_in));
	assert_int_equal(count_until(&k, k.now_us + 100u * SECOND), 0);
	finish(&k);
}

static void test_controlled(void **state)
{
	struct punch_message m;
	struct kit k;

	(void)state;
	kit(&k, false);
	checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true);
	assert_true(poll(&k));
	m = answer_to(&k, PUNCH_NOMINATE); /* it is not the peer's to say that in an answer */
	assert_true(deliver(&k, &m, MAIN, &peer, key_in));
	assert_int_equal(k.result->proved_us, k.now_us);
	assert_false(k.result->connected);
	/* calmly: the peer's own proof may have got lost */
	assert_in_range(count_until(&k, k.now_us + 500 * MS), 4, 7);
	request(&k, MAIN, &peer, PUNCH_NOMINATE);
	assert_true(k.result->connected);
	assert_true(poll(&k));
	assert_false(is_request(&k));
	assert_int_equal(flags_of_output(&k), PUNCH_NOMINATE);
	/* the first nomination counts */
	request(&k, MAIN, &peer_port, PUNCH_NOMINATE);
	assert_true(endpoint_equal(&k.result->remote, &peer));
	assert_true(poll(&k));
	assert_int_equal(flags_of_output(&k), 0);
	assert_int_equal(count_until(&k, k.now_us + 10 * SECOND), 0);
	finish(&k);
}

/* A nomination counts when the way is proved, and not before: anybody's address can be made up as a source. */
static void test_nomination(void **state)
{
	struct punch_message m;
	struct kit k;

	(void)state;
	for (int vouched = 0; vouched < 2; vouched++) {
		kit(&k, false);
		checks_add_candidate(
			k.checks, k.now_us, CHECK_HOST, vouched ? &peer : &mapped, true);
		assert_true(poll(&k));
		request(&k, MAIN, &peer, PUNCH_NOMINATE);
		assert_false(k.result->connected);
		assert_int_equal(k.result->proved_us, 0);
		while (poll(&k))
			assert_int_equal(flags_of_output(&k), 0);
		do
			assert_true(next_until(&k, k.now_us + SECOND));
		while (!is_request(&k) || !endpoint_equal(&k.out.to, &peer));
		m = answer_to(&k, 0);
		assert_true(deliver(&k, &m, MAIN, &peer, key_in));
		assert_true(k.result->connected);
		assert_true(endpoint_equal(&k.result->remote, &peer));
		assert_int_equal(k.result->kind, vouched ? CHECK_HOST : CHECK_PEER_REFLEXIVE);
		/* now that it is known to be there, it gets an answer */
		request(&k, MAIN, &peer, PUNCH_NOMINATE);
		assert_true(poll(&k));
		assert_int_equal(flags_of_output(&k), PUNCH_NOMINATE);
		finish(&k);
	}
}

/* Who controls cannot be made to take a way by a nomination. */
static void test_nominated_by_controlled(void **state)
{
	struct kit k;

	(void)state;
	kit(&k, true);
	checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &mapped, true);
	request(&k, MAIN, &peer, PUNCH_NOMINATE);
	assert_int_equal(k.result->proved_us, 0);
	assert_true(poll(&k));
	request_with_echo(&k, MAIN, &k.out.to, PUNCH_NOMINATE);
	assert_true(endpoint_equal(&k.result->remote, &mapped));
	request(&k, MAIN, &peer, PUNCH_NOMINATE);
	assert_true(endpoint_equal(&k.result->remote, &mapped));
	finish(&k);
}

/* A request may say that ours has arrived: as good as an answer, which may have got lost. */
static void test_echo(void **state)
{
	struct punch_message m;
	struct kit k;

	(void)state;
	kit(&k, true);
	checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true);
	assert_true(poll(&k));
	assert_int_equal(punch_decode(k.last.data, k.last.length, key_out, &m), 0);
	assert_false(m.has_echo);
	k.now_us += 30 * MS;
	k.open[MAIN + 1] = true;
	request_with_echo(&k, MAIN, &mapped, 0); /* of a request to somebody else */
	request_with_echo(&k, MAIN + 1, &peer, 0);
	assert_int_equal(k.result->proved_us, 0);
	request_with_echo(&k, MAIN, &peer, 0);
	assert_true(k.result->connected);
	assert_true(endpoint_equal(&k.result->mapped, &mapped));
	assert_int_equal(k.result->rtt_us, 30 * MS);
	/* and so does ours, from where it came */
	do
		assert_true(poll(&k));
	while (!is_request(&k));
	assert_int_equal(punch_decode(k.last.data, k.last.length, key_out, &m), 0);
	assert_true(m.has_echo);
	assert_int_equal(m.echo.bytes[15], k.counter);
	assert_true(endpoint_equal(&m.mapped, &peer));
	finish(&k);
	/* an old one proves nothing */
	kit(&k, true);
	checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true);
	assert_true(poll(&k));
	k.now_us += 5 * SECOND + 1;
	request_with_echo(&k, MAIN, &peer, 0);
	assert_int_equal(k.result->proved_us, 0);
	finish(&k);
}

/* Nothing without the peer's key, nothing twice, nothing in place of what was asked. */
static void test_no_proof(void **state)
{
	static const uint8_t no_key[PUNCH_KEY_BYTES] = {3};
	static const struct endpoint other_address = {FAMILY_IPV4, 50000, 0, {203, 0, 113, 8}};
	struct punch_message good, m;
	struct kit k;

	(void)state;
	kit(&k, true);
	checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true);
	assert_true(poll(&k));
	good = answer_to(&k, 0);
	assert_true(deliver(&k, &good, MAIN, &peer, no_key));
	assert_true(deliver(&k, &good, MAIN, &peer, key_out)); /* our own words */
	assert_true(checks_input(k.checks, k.now_us, MAIN, &peer, k.out.data, k.out.length));
	for (size_t length = 0; length < k.out.length; length++)
		assert_false(checks_input(k.checks, k.now_us, MAIN, &peer, k.out.data, length));
	assert_int_equal(trail_count(&k, TRAIL_REFUSED), 3);
	/* authentic, but not an answer to a request of ours: from elsewhere, at another socket … */
	assert_true(deliver(&k, &good, MAIN, &peer_port, key_in));
	good.counter = ++k.counter;
	assert_true(deliver(&k, &good, MAIN, &other_address, key_in));
	good.counter = ++k.counter;
	assert_true(deliver(&k, &good, MAIN + 1, &peer, key_in));
	for (int byte = 4; byte < 16; byte++) {
		m = good;
		m.counter = ++k.counter;
		m.id.bytes[byte] ^= 1;
		assert_true(deliver(&k, &m, MAIN, &peer, key_in));
	}
	/* … or too late */
	k.now_us += 5 * SECOND + 1;
	good.counter = ++k.counter;
	assert_true(deliver(&k, &good, MAIN, &peer, key_in));
	assert_int_equal(trail_count(&k, TRAIL_REFUSED), 3 + 3 + 12 + 1);
	assert_int_equal(k.result->proved_us, 0);
	assert_int_equal(k.result->first_heard_us, 0);
	assert_false(k.result->connected);
	/* not even when the clock in it has gone round */
	k.now_us += (UINT64_C(1) << 32) - 5 * SECOND;
	good.counter = ++k.counter;
	assert_true(deliver(&k, &good, MAIN, &peer, key_in));
	assert_false(k.result->connected);
	k.now_us -= (UINT64_C(1) << 32) - 5 * SECOND + 1;
	good.counter = ++k.counter;
	assert_true(deliver(&k, &good, MAIN, &peer, key_in));
	assert_true(k.result->connected);
	finish(&k);
}

/* A copy of a packet is neither answered nor does it open a way. */
static void test_replay(void **state)
{
	struct punch_message m = {
		.class = STUN_REQUEST, .id = {{0x21, 0x12, 0xa4, 0x42}}, .counter = 5};
	struct kit k;

	(void)state;
	kit(&k, true);
	checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true);
	assert_int_equal(count_until(&k, k.now_us + 1000u * SECOND), 120);
	assert_true(deliver(&k, &m, MAIN, &peer, key_in));
	assert_int_equal(count_until(&k, k.now_us + SECOND), 1);
	for (unsigned i = 0; i < 100; i++)
		assert_true(deliver(&k, &m, MAIN, i % 2 ? &peer : &mapped, key_in));
	assert_int_equal(count_until(&k, k.now_us + SECOND), 0);
	m.counter = UINT64_MAX;
	assert_true(deliver(&k, &m, MAIN, &peer, key_in));
	m.counter = 6; /* the peer's last word came too early */
	assert_true(deliver(&k, &m, MAIN, &peer, key_in));
	assert_int_equal(trail_count(&k, TRAIL_REFUSED), 101);
	finish(&k);
}

/* --- liars --- */

#define LIAR_ADDRESSES 256

/* How much goes to each address of 192.0.2.0/24 until then. */
static void count_by_address(struct kit *k, uint64_t end_us, unsigned counts[LIAR_ADDRESSES])
{
	while (next_until(k, end_us)) {
		assert_int_equal(k->out.to.address[0], 192);
		counts[k->out.to.address[3]]++;
	}
}

/*
 * A peer that knows the code names 16 candidates, and then sends from 200 endpoints, nominates all, and answers as if it
 * were there: whoever is there gets 8 packets, and all together 64, however long it goes on.
 */
static void test_liar(void **state)
{
	static const unsigned addresses[] = {1, 7, 200};

	(void)state;
	for (int controlling = 0; controlling < 2; controlling++)
		for (size_t n = 0; n < LENGTH(addresses); n++) {
			unsigned counts[LIAR_ADDRESSES] = {0}, sum = 0;
			struct punch_message m;
			struct kit k;

			kit(&k, controlling);
			for (unsigned i = 0; i < 16; i++) {
				struct endpoint e = {
					FAMILY_IPV4, (uint16_t)(1 + i), 0, {192, 0, 2}};

				e.address[3] = (uint8_t)(i % addresses[n]);
				checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &e, false);
			}
			count_by_address(&k, k.now_us + SECOND, counts);
			for (unsigned i = 0; i < 2000; i++) {
				struct endpoint e = {
					FAMILY_IPV4, (uint16_t)(1 + i % 200), 0, {192, 0, 2}};

				e.address[3] = (uint8_t)(i % addresses[n]);
				request(&k, MAIN, &e, PUNCH_NOMINATE);
				count_by_address(&k, k.now_us + 20 * MS, counts);
				if (endpoint_equal(&k.last.to, &e))
					continue;
				m = answer_to(&k, PUNCH_NOMINATE);
				assert_true(deliver(&k, &m, MAIN, &e, key_in));
				request_with_echo(&k, MAIN, &e, PUNCH_NOMINATE);
			}
			count_by_address(&k, k.now_us + 1000u * SECOND, counts);
			for (unsigned i = 0; i < LIAR_ADDRESSES; i++) {
				assert_true(counts[i] <= 8);
				sum += counts[i];
			}
			assert_int_equal(sum, addresses[n] == 1 ? 8 : addresses[n] == 7 ? 56 : 64);
			assert_int_equal(k.result->proved_us, 0);
			assert_false(k.result->connected);
			finish(&k);
		}
}

/* A new attempt with new sockets gives a liar nothing more to send to. */
static void test_patient_liar(void **state)
{
	static const struct endpoint victim = {FAMILY_IPV4, 53, 0, {192, 0, 2, 1}};
	unsigned counts[LIAR_ADDRESSES] = {0};
	struct kit k;

	(void)state;
	kit(&k, false);
	for (unsigned n = 1; n <= 20; n++) {
		struct checks_attempt a = {.number = n,
			.role = {.sockets = 5, .targets = PAIR_KNOWN, .guesses = 1},
			.family = FAMILY_IPV4,
			.first_socket = FIRST};

		checks_begin(k.checks, k.now_us, &a);
		count_by_address(&k, k.now_us + MS, counts);
		for (unsigned i = 0; i < 5; i++)
			request(&k, FIRST + i, &victim, 0);
		count_by_address(&k, k.now_us + SECOND, counts);
	}
	assert_int_equal(counts[1], 8);
	finish(&k);
}

/* The honest peer whose NAT shows us another address than the server: a request is lost, and one arrives. */
static void test_stranger_proves(void **state)
{
	struct punch_message m;
	struct kit k;

	(void)state;
	kit(&k, true);
	checks_add_candidate(k.checks, k.now_us, CHECK_SERVER_REFLEXIVE, &mapped, true);
	count_until(&k, k.now_us + 100u * SECOND);
	request(&k, MAIN, &peer, 0);
	assert_true(poll(&k));
	assert_true(is_request(&k));
	k.now_us += 20 * MS;
	request(&k, MAIN, &peer, 0);
	assert_false(next_until(&k, k.now_us + 50 * MS)); /* few are left */
	assert_true(next_until(&k, k.now_us + 60 * MS));
	assert_true(endpoint_equal(&k.out.to, &peer));
	m = answer_to(&k, 0);
	assert_true(deliver(&k, &m, MAIN, &peer, key_in));
	assert_true(k.result->connected);
	/* from now on it is the peer's endpoint like any other */
	assert_in_range(count_until(&k, k.now_us + 1000u * SECOND), 119, 120);
	for (unsigned i = 0; i < 100; i++) {
		request(&k, MAIN, &peer, 0);
		assert_true(poll(&k));
	}
	finish(&k);
}

/* Where the server has seen the peer, answers go as they are asked for, and each way has its requests. */
static void test_made_up_ports(void **state)
{
	struct kit k;
	unsigned sent;

	(void)state;
	kit(&k, true);
	checks_add_candidate(k.checks, k.now_us, CHECK_SERVER_REFLEXIVE, &peer, true);
	sent = count_until(&k, k.now_us + 10000u * SECOND);
	for (unsigned i = 0; i < 1000; i++) {
		request(&k, MAIN, &peer_port, 0);
		sent += count_until(&k, k.now_us + 11 * MS);
	}
	assert_in_range(sent, 1000 + 240, 1000 + 240);
	finish(&k);
	kit(&k, true);
	checks_add_candidate(k.checks, k.now_us, CHECK_SERVER_REFLEXIVE, &peer, true);
	for (unsigned i = 0; i < 5000; i++) {
		struct endpoint e = peer;

		e.port = (uint16_t)(1 + i);
		request(&k, MAIN, &e, 0);
	}
	sent = count_until(&k, k.now_us + 10000u * SECOND);
	assert_int_equal(sent, 64 + CHECKS_WAYS * 120);
	finish(&k);
}

/* A flood is answered as far as the queue goes, and triggers few requests. */
static void test_flood_of_requests(void **state)
{
	struct kit k;
	unsigned answers = 0;

	(void)state;
	kit(&k, false);
	checks_add_candidate(k.checks, k.now_us, CHECK_SERVER_REFLEXIVE, &peer, true);
	for (unsigned i = 0; i < 10000; i++)
		request(&k, MAIN, &peer, 0);
	while (poll(&k))
		answers += !is_request(&k);
	assert_int_equal(answers, 64);
	assert_int_equal(k.sent, 65);
	for (unsigned i = 0; i < 99; i++) { /* shorter than the gap */
		k.now_us += 100;
		request(&k, MAIN, &peer, 0);
		while (poll(&k))
			answers += !is_request(&k);
	}
	assert_int_equal(answers, 64 + 99);
	assert_int_equal(k.sent, 65 + 99);
	for (unsigned i = 0; i < 10000; i++) {
		k.now_us += 100;
		request(&k, MAIN, &peer, 0);
		while (poll(&k))
			answers += !is_request(&k);
	}
	assert_int_equal(answers, 64 + 99 + 10000);
	assert_in_range(k.sent - answers, 1, 120);
	finish(&k);
}

/* After the end there are answers, but nothing of the own accord: a peer cannot wake it. */
static void test_pause(void **state)
{
	struct kit k;

	(void)state;
	kit(&k, true);
	checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true);
	assert_true(poll(&k));
	checks_pause(k.checks);
	assert_int_equal(count_until(&k, k.now_us + 10 * SECOND), 0);
	request(&k, MAIN, &peer, 0);
	request(&k, MAIN, &peer_port, 0);
	request(&k, MAIN, &mapped, 0); /* a stranger */
	assert_int_equal(count_until(&k, k.now_us + 1000u * SECOND), 2);
	finish(&k);
}

/* --- again --- */

/* A path that has failed is punched anew: nothing of the old way counts, and no packet counts twice. */
static void test_again(void **state)
{
	struct punch_message m, late, copy;
	struct checks_attempt a = {.number = 2,
		.role = {.sockets = 1, .targets = PAIR_KNOWN, .guesses = 1},
		.family = FAMILY_IPV4,
		.first_socket = FIRST};
	struct checks_target t = {.peer = peer};
	struct kit k;

	(void)state;
	kit(&k, false);
	checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true);
	assert_true(poll(&k));
	copy = answer_to(&k, 0);
	assert_true(deliver(&k, &copy, MAIN, &peer, key_in));
	m = (struct punch_message){.class = STUN_REQUEST,
		.id = {{0x21, 0x12, 0xa4, 0x42}},
		.flags = PUNCH_NOMINATE,
		.attempt = 1,
		.counter = ++k.counter};
	assert_true(deliver(&k, &m, MAIN, &peer, key_in));
	assert_true(k.result->connected);
	late = answer_to(&k, 0);
	checks_again(k.checks);
	assert_false(k.result->connected);
	assert_int_equal(k.result->first_sent_us, 0);
	assert_int_equal(k.result->first_heard_us, 0);
	assert_int_equal(k.result->proved_us, 0);
	assert_int_equal(count_until(&k, k.now_us + SECOND), 0);
	assert_true(deliver(&k, &late, MAIN, &peer, key_in));
	assert_true(deliver(&k, &copy, MAIN, &peer, key_in));
	assert_int_equal(k.result->first_heard_us, 0);
	/* with the next attempt there is a new way … */
	checks_begin(k.checks, k.now_us, &a);
	checks_go(k.checks, k.now_us, &t);
	assert_true(poll(&k));
	m.counter = ++k.counter; /* … but this says that it is about the old one */
	assert_true(deliver(&k, &m, MAIN, &peer, key_in));
	late = answer_to(&k, 0);
	assert_true(deliver(&k, &late, MAIN, &peer, key_in));
	assert_int_equal(k.result->proved_us, k.now_us);
	assert_false(k.result->connected);
	m.attempt = 2;
	m.counter = ++k.counter;
	assert_true(deliver(&k, &m, MAIN, &peer, key_in));
	assert_true(k.result->connected);
	finish(&k);
}

/* The socket of the old way stays open, the others do not; strangers have had their handful, a peer has proved itself. */
static void test_again_from_further(void **state)
{
	struct checks_attempt a = {.number = 1,
		.role = {.sockets = 5, .targets = PAIR_KNOWN, .guesses = 1, .packets = 100},
		.family = FAMILY_IPV4,
		.first_socket = FIRST};
	struct checks_target t = {.peer = peer};
	struct punch_message m;
	struct kit k;

	(void)state;
	kit(&k, true);
	for (unsigned i = 0; i < 50; i++) {
		struct endpoint e = mapped;

		e.address[3] = (uint8_t)(mapped.address[3] + i);
		checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &e, false);
	}
	checks_begin(k.checks, k.now_us, &a);
	count_until(&k, k.now_us + SECOND);
	checks_go(k.checks, k.now_us, &t);
	assert_true(next_until(&k, k.now_us + SECOND));
	m = answer_to(&k, 0);
	assert_true(deliver(&k, &m, FIRST, &peer, key_in));
	assert_true(k.result->connected);
	checks_again(k.checks);
	assert_int_equal(count_until(&k, k.now_us + 100u * SECOND), 0);
	assert_int_equal(k.closed, 4);
	assert_true(k.open[FIRST]);
	checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &mapped, false);
	assert_int_equal(count_until(&k, k.now_us + 100u * SECOND), 0);
	checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, false);
	assert_int_equal(count_until(&k, k.now_us + 100u * SECOND), 120);
	finish(&k);
}

/* --- plans --- */

static struct checks_attempt attempt_of(
	unsigned number, enum pair_targets targets, unsigned sockets, unsigned guesses)
{
	return (struct checks_attempt){.number = number,
		.role = {.sockets = sockets,
			.targets = targets,
			.guesses = guesses,
			.low = 40000,
			.high = 40099,
			.packets = 20 * sockets + 3 * guesses,
			.step = 1,
			.span = 1},
		.family = FAMILY_IPV4,
		.first_socket = FIRST};
}

static void begin_and_go(struct kit *k, const struct checks_attempt *a, const struct endpoint *to)
{
	struct checks_target t = {.peer = *to, .latest = 40000, .port_count = 3};

	t.ports[0] = 40010;
	t.ports[1] = 40011;
	t.ports[2] = 0; /* no port of a socket */
	checks_begin(k->checks, k->now_us, a);
	assert_false(poll(k));
	assert_true(checks_are_open(k->checks));
	checks_go(k->checks, k->now_us, &t);
}

/* Each kind of guesses keeps its rate and goes to the peer's address, at ports that there are. */
static void test_guesses(void **state)
{
	static const struct {
		enum pair_targets targets;
		unsigned sockets, guesses, rate;
	} rows[] = {{PAIR_BAND, 1, 100, 0}, {PAIR_BAND, 4, 100, 100}, {PAIR_SEQUENCE, 1, 20, 200},
		{PAIR_PRESERVED, 1, 3, 50}, {PAIR_BAND, 1, 100, UINT32_MAX}};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct checks_attempt a =
			attempt_of(1, rows[i].targets, rows[i].sockets, rows[i].guesses);
		unsigned rate = rows[i].rate ? rows[i].rate : 200;
		struct kit k;

		a.rate_pps = rows[i].rate;
		if (rows[i].targets == PAIR_PRESERVED)
			a.role.span = 3;
		a.role.packets = 0; /* it does not say */
		kit(&k, true);
		begin_and_go(&k, &a, &peer);
		assert_false(checks_has_sent_all(k.checks));
		while (next_until(&k, BEGIN_US + 4 * SECOND)) {
			assert_true(endpoint_same_address(&k.out.to, &peer));
			assert_in_range(k.out.to.port, 40000, 40099);
		}
		assert_true(checks_has_sent_all(k.checks));
		assert_true(k.sent <= 20 * rows[i].guesses); /* some 250 ms for a pass */
		assert_true(k.sent <= 5ull * rate);
		checks_pause(k.checks);
		assert_int_equal(count_until(&k, k.now_us + 10 * SECOND), 0);
		finish(&k);
	}
}

/* One pass meets each port of the band once, from one socket. */
static void test_band(void **state)
{
	struct checks_attempt a = attempt_of(1, PAIR_BAND, 1, 100);
	bool seen[100] = {false};
	struct kit k;

	(void)state;
	kit(&k, true);
	begin_and_go(&k, &a, &peer);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(next_until(&k, BEGIN_US + 10 * SECOND));
		assert_false(seen[k.out.to.port - 40000]);
		seen[k.out.to.port - 40000] = true;
	}
	finish(&k);
}

/* A target that the peer may have made up, and that no packet may go to. */
static void test_bad_targets(void **state)
{
	static const struct endpoint bad[] = {
		{FAMILY_IPV4, 5, 0, {224, 0, 0, 1}},
		{FAMILY_IPV4, 5, 0, {255, 255, 255, 255}},
		{FAMILY_IPV4, 5, 0, {127, 0, 0, 1}},
		{FAMILY_IPV4, 5, 0, {0, 0, 0, 0}},
		{FAMILY_IPV4, 0, 0, {192, 0, 2, 7}},
		{FAMILY_IPV6, 5, 0, {0xff, 2, [15] = 1}},
		{FAMILY_IPV6, 5, 0, {0x20, 1, 0xd, 0xb8}}, /* of another family than the sockets */
		{FAMILY_NONE, 5, 0, {192, 0, 2, 7}},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(bad); i++)
		for (unsigned targets = 0; targets < PAIR_TARGETS; targets++)
			for (unsigned sockets = 1; sockets < 4; sockets += 2) {
				struct checks_attempt a =
					attempt_of(1, (enum pair_targets)targets, sockets, 3);
				struct kit k;

				kit(&k, true);
				begin_and_go(&k, &a, &bad[i]);
				/* nobody has to wait for what will not be sent */
				assert_true(checks_has_sent_all(k.checks));
				assert_int_equal(count_until(&k, k.now_us + 10 * SECOND), 0);
				finish(&k);
			}
}

/* The peer alone says where it is: plans of any kind send it a few packets, and the other side need not wait. */
static void test_claimed_target(void **state)
{
	(void)state;
	for (unsigned targets = 0; targets < PAIR_TARGETS; targets++)
		for (unsigned sockets = 1; sockets < 50; sockets += 48) {
			struct checks_attempt a =
				attempt_of(1, (enum pair_targets)targets, sockets, 100);
			struct checks_target t = {.peer = peer,
				.claimed = true,
				.latest = 40000,
				.ports = {40010},
				.port_count = 1};
			struct kit k;

			kit(&k, true);
			for (a.number = 1; a.number < 5; a.number++) {
				checks_begin(k.checks, k.now_us, &a);
				assert_false(poll(&k));
				checks_go(k.checks, k.now_us, &t);
				count_until(&k, k.now_us + 10 * SECOND);
				assert_true(checks_has_sent_all(k.checks) || sockets == 1);
			}
			assert_int_equal(k.sent, 3);
			checks_pause(k.checks);
			finish(&k);
		}
}

static void test_order(void **state)
{
	struct checks_attempt a = attempt_of(1, PAIR_KNOWN, 1, 1);
	struct kit k;

	(void)state;
	kit(&k, true);
	a.role.second = true;
	begin_and_go(&k, &a, &peer);
	assert_int_equal(count_until(&k, k.now_us + 10 * SECOND), 0);
	checks_release(k.checks, k.now_us);
	assert_true(poll(&k));
	assert_int_equal(k.out.ttl, 0);
	finish(&k);
	/* guesses wait, too */
	kit(&k, true);
	a = attempt_of(1, PAIR_BAND, 1, 100);
	a.role.second = true;
	begin_and_go(&k, &a, &peer);
	assert_int_equal(count_until(&k, k.now_us + 10 * SECOND), 0);
	checks_release(k.checks, k.now_us);
	assert_true(poll(&k));
	finish(&k);
	/* before GO nothing goes out either, nor does a release do anything then */
	kit(&k, true);
	a.role.second = false;
	checks_begin(k.checks, k.now_us, &a);
	assert_int_equal(count_until(&k, k.now_us + 10 * SECOND), 0);
	finish(&k);
}

static void test_low_ttl(void **state)
{
	struct checks_attempt a = attempt_of(1, PAIR_KNOWN, 1, 1);
	struct kit k;

	(void)state;
	kit(&k, true);
	a.role.low_ttl = 4;
	a.role.low_ttl_us = 500 * MS;
	begin_and_go(&k, &a, &peer);
	while (next_until(&k, BEGIN_US + 3 * SECOND))
		assert_int_equal(k.out.ttl, k.now_us < BEGIN_US + 500 * MS ? 4 : 0);
	/* whoever has been heard is met with all there is */
	finish(&k);
	kit(&k, true);
	begin_and_go(&k, &a, &peer);
	assert_true(poll(&k));
	request(&k, MAIN, &peer, 0);
	while (next_until(&k, BEGIN_US + 400 * MS))
		assert_int_equal(k.out.ttl, 0);
	finish(&k);
}

/* Further sockets are opened once, used, and given back; those that cannot be had are done without. */
static void test_sockets(void **state)
{
	struct checks_attempt a = attempt_of(1, PAIR_KNOWN, 50, 1);
	struct kit k;

	(void)state;
	kit(&k, true);
	begin_and_go(&k, &a, &peer);
	assert_int_equal(k.opened, 50);
	assert_int_equal(checks_further(k.checks), 50);
	assert_in_range(count_until(&k, k.now_us + 3 * SECOND), 50, 50);
	assert_true(checks_has_sent_all(k.checks));
	checks_pause(k.checks);
	assert_int_equal(count_until(&k, k.now_us + SECOND), 0);
	assert_int_equal(k.closed, 50);
	finish(&k);
	kit(&k, true);
	k.refuse = true;
	begin_and_go(&k, &a, &peer);
	assert_int_equal(count_until(&k, k.now_us + 3 * SECOND), 0);
	assert_true(checks_has_sent_all(k.checks));
	finish(&k);
	kit(&k, true);
	a.role.sockets = 100000;
	begin_and_go(&k, &a, &peer);
	assert_int_equal(k.opened, CHECKS_SOCKETS);
	finish(&k);
}

/* What the plan says that it costs is what it costs, however long it takes. */
static void test_budget(void **state)
{
	static const struct {
		unsigned sockets, packets, most;
	} rows[] = {{16, 144, 144}, {16, 0, 16}, {16, 15, 16}, {50, 150, 150}, {1, 30, 30}};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct checks_attempt a = attempt_of(1, PAIR_KNOWN, rows[i].sockets, 1);
		struct kit k;

		a.role.packets = rows[i].packets;
		a.further = true;
		kit(&k, true);
		begin_and_go(&k, &a, &peer);
		assert_int_equal(count_until(&k, k.now_us + 3600u * SECOND), rows[i].most);
		assert_true(checks_has_sent_all(k.checks));
		finish(&k);
	}
}

static void test_budget_of_guesses(void **state)
{
	static const struct {
		unsigned guesses, packets;
	} rows[] = {{100, 100}, {100, 250}, {20, 60}, {1, 3}};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct checks_attempt a = attempt_of(1, PAIR_BAND, 1, rows[i].guesses);
		struct kit k;

		a.role.packets = rows[i].packets;
		kit(&k, true);
		begin_and_go(&k, &a, &peer);
		assert_int_equal(count_until(&k, k.now_us + 3600u * SECOND), rows[i].packets);
		assert_true(checks_has_sent_all(k.checks));
		finish(&k);
	}
}

/* The socket of the way that was chosen stays, and is the only one. */
static void test_chosen_socket(void **state)
{
	struct checks_attempt a = attempt_of(1, PAIR_KNOWN, 5, 1);
	struct punch_message m;
	uint64_t end_us;
	struct kit k;

	(void)state;
	kit(&k, true);
	begin_and_go(&k, &a, &peer);
	assert_true(next_until(&k, k.now_us + SECOND));
	assert_true(next_until(&k, k.now_us + SECOND));
	assert_int_equal(k.out.socket, FIRST + 1);
	m = answer_to(&k, 0);
	assert_true(deliver(&k, &m, FIRST + 1, &peer, key_in));
	assert_int_equal(k.result->socket, FIRST + 1);
	end_us = k.now_us + 3 * SECOND;
	while (next_until(&k, end_us))
		assert_int_equal(k.out.socket, FIRST + 1);
	assert_int_equal(k.closed, 4);
	assert_true(k.open[FIRST + 1]);
	finish(&k);
}

/* A way from a socket that is closed ends with it, and so do answers; another socket of that number begins anew. */
static void test_closed_sockets(void **state)
{
	struct checks_attempt a = attempt_of(1, PAIR_KNOWN, 5, 1);
	struct kit k;
	unsigned requests = 0;

	(void)state;
	kit(&k, false);
	begin_and_go(&k, &a, &peer);
	request(&k, FIRST + 2, &peer, 0);
	do
		assert_true(next_until(&k, k.now_us + SECOND));
	while (k.out.socket != FIRST + 2 || !is_request(&k));
	request_with_echo(&k, FIRST + 2, &peer, 0);
	assert_int_equal(k.result->proved_us, k.now_us);
	request(&k, FIRST + 3, &mapped, 0);
	a.number = 2;
	a.role.sockets = 1;
	checks_begin(k.checks, k.now_us, &a);
	assert_int_equal(count_until(&k, k.now_us + 3 * SECOND), 0);
	assert_int_equal(k.closed, 5);
	a.number = 3;
	a.role.sockets = 5;
	checks_begin(k.checks, k.now_us, &a);
	assert_int_equal(count_until(&k, k.now_us + 3 * SECOND), 0);
	assert_int_equal(k.opened, 10);
	/* what was proved of the old one is not of the new one */
	request(&k, FIRST + 2, &peer, 0);
	while (poll(&k))
		requests += is_request(&k);
	assert_int_equal(requests, 1);
	finish(&k);
}

/* The same for a main socket in whose place comes another one. */
static void test_new_main(void **state)
{
	struct kit k;

	(void)state;
	kit(&k, false);
	checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true);
	assert_true(poll(&k));
	request(&k, MAIN, &mapped, 0);
	k.open[MAIN] = false;
	k.open[MAIN + 1] = true;
	checks_set_main(k.checks, FAMILY_IPV4, MAIN + 1);
	count_until(&k, k.now_us + 10 * SECOND); /* check_packet knows what is open */
	checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true);
	assert_true(poll(&k));
	assert_int_equal(k.out.socket, MAIN + 1);
	finish(&k);
	/* but the chosen way stays where it is */
	kit(&k, true);
	checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true);
	assert_true(poll(&k));
	request_with_echo(&k, MAIN, &peer, 0);
	checks_set_main(k.checks, FAMILY_IPV4, MAIN + 1);
	assert_true(next_until(&k, k.now_us + SECOND));
	while (!is_request(&k))
		assert_true(next_until(&k, k.now_us + SECOND));
	assert_int_equal(flags_of_output(&k), PUNCH_NOMINATE);
	assert_int_equal(k.out.socket, MAIN);
	finish(&k);
}

/* Attempt after attempt, each with ways of its own: places are used again. */
static void test_many_attempts(void **state)
{
	struct kit k;

	(void)state;
	kit(&k, false);
	for (unsigned n = 1; n < 50; n++) {
		struct checks_attempt a = attempt_of(n, PAIR_KNOWN, 5, 1);

		begin_and_go(&k, &a, &peer);
		for (unsigned i = 0; i < 5; i++)
			request(&k, FIRST + i, &peer, 0);
		assert_true(count_until(&k, k.now_us + SECOND) >= 10);
	}
	request(&k, FIRST, &peer, 0);
	while (!is_request(&k) || k.out.socket != FIRST)
		assert_true(next_until(&k, k.now_us + SECOND));
	request_with_echo(&k, FIRST, &peer, PUNCH_NOMINATE);
	assert_true(k.result->connected);
	finish(&k);
}

/* One that is opened after its plan has ended is closed, and its number is not asked for before. */
static void test_late_socket(void **state)
{
	struct checks_attempt a = attempt_of(1, PAIR_KNOWN, 5, 1);
	struct checks_output out;
	struct kit k;

	(void)state;
	kit(&k, true);
	for (int error = 0; error < 2; error++) {
		a.number++;
		checks_begin(k.checks, k.now_us, &a);
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(checks_poll(k.checks, k.now_us, &out), CHECKS_OPEN);
			assert_int_equal(out.socket, FIRST + i);
		}
		a.number++;
		checks_begin(k.checks, k.now_us, &a);
		assert_int_equal(checks_poll(k.checks, k.now_us, &out), CHECKS_WAIT);
		checks_opened(k.checks, k.now_us, FIRST + 1, error ? -EMFILE : 0);
		if (!error) {
			assert_int_equal(checks_poll(k.checks, k.now_us, &out), CHECKS_CLOSE);
			assert_int_equal(out.socket, FIRST + 1);
		}
		assert_int_equal(checks_poll(k.checks, k.now_us, &out), CHECKS_WAIT);
		assert_false(checks_are_open(k.checks));
		checks_opened(k.checks, k.now_us, FIRST, -EMFILE);
		/* now they are the new plan's */
		assert_false(poll(&k));
		assert_int_equal(k.opened, 5 * (error + 1));
		assert_true(checks_are_open(k.checks));
		checks_pause(k.checks);
		assert_false(poll(&k));
		assert_int_equal(k.closed, k.opened);
	}
	/* the same for a plan that has ended for good, or with success */
	for (int paused = 1; paused >= 0; paused--) {
		a.number++;
		checks_begin(k.checks, k.now_us, &a);
		assert_int_equal(checks_poll(k.checks, k.now_us, &out), CHECKS_OPEN);
		if (paused) {
			checks_pause(k.checks);
		} else {
			checks_add_candidate(k.checks, k.now_us, CHECK_HOST, &peer, true);
			assert_int_equal(checks_poll(k.checks, k.now_us, &k.last), CHECKS_SEND);
			request_with_echo(&k, MAIN, &peer, 0);
			assert_true(k.result->connected);
		}
		checks_opened(k.checks, k.now_us, FIRST, 0);
		k.open[FIRST] = true;
		while (poll(&k))
			;
		assert_false(k.open[FIRST]);
	}
	finish(&k);
}

/* A socket number that was never asked for. */
static void test_opened_wrongly(void **state)
{
	struct checks_attempt a = attempt_of(1, PAIR_KNOWN, 5, 1);
	struct kit k;

	(void)state;
	kit(&k, true);
	checks_opened(k.checks, k.now_us, 0, 0);
	begin_and_go(&k, &a, &peer);
	checks_opened(k.checks, k.now_us, 0, -EMFILE);
	checks_opened(k.checks, k.now_us, FIRST + 5, 0);
	checks_opened(k.checks, k.now_us, UINT32_MAX, 0);
	assert_int_equal(checks_further(k.checks), 5);
	count_until(&k, k.now_us + SECOND);
	finish(&k);
	checks_destroy(NULL);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(check_kind_name(CHECK_HOST), "host");
	assert_string_equal(check_kind_name(CHECK_PREDICTED), "predicted");
	assert_string_equal(check_kind_name(CHECK_KINDS), "unknown");
	assert_string_equal(check_kind_name((enum check_kind) - 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_candidates),
		cmocka_unit_test(test_handful),
		cmocka_unit_test(test_vouched_later),
		cmocka_unit_test(test_many_vouched),
		cmocka_unit_test(test_flood_of_candidates),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_controlling),
		cmocka_unit_test(test_controlled),
		cmocka_unit_test(test_nomination),
		cmocka_unit_test(test_nominated_by_controlled),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_no_proof),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_liar),
		cmocka_unit_test(test_patient_liar),
		cmocka_unit_test(test_stranger_proves),
		cmocka_unit_test(test_made_up_ports),
		cmocka_unit_test(test_flood_of_requests),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_again_from_further),
		cmocka_unit_test(test_guesses),
		cmocka_unit_test(test_band),
		cmocka_unit_test(test_bad_targets),
		cmocka_unit_test(test_claimed_target),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_low_ttl),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_budget_of_guesses),
		cmocka_unit_test(test_chosen_socket),
		cmocka_unit_test(test_closed_sockets),
		cmocka_unit_test(test_new_main),
		cmocka_unit_test(test_many_attempts),
		cmocka_unit_test(test_late_socket),
		cmocka_unit_test(test_opened_wrongly),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
