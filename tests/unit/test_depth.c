// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "punch/depth.h"

#define FIRST  480
#define RTT_US 100000u
#define BEGIN  1000000u

static const char asked_text[] = "198.51.100.1:3478", other_text[] = "203.0.113.1:3479";

/* A way with NATs that a packet passes with a TTL of at least `depth`; some packets are lost. */
struct way {
	struct depth d;
	struct endpoint asked, other;
	uint8_t depth;
	bool open[DEPTH_TTLS]; /* the server's other endpoint may come in */
	unsigned lost_from, lost_to; /* packets with these numbers */
	bool deaf; /* no socket can be opened */
	unsigned sent, closed;
	struct { /* answers under way */
		uint64_t at_us;
		unsigned socket;
		struct stun_id id;
	} answers[64];
	size_t answer_count;
	uint64_t now_us;
};

static void begin(struct way *w, uint8_t depth)
{
	struct random random;

	memset(w, 0, sizeof(*w));
	random_init_number(&random, 1);
	assert_int_equal(endpoint_parse(asked_text, 0, &w->asked), 0);
	assert_int_equal(endpoint_parse(other_text, 0, &w->other), 0);
	w->depth = depth;
	w->now_us = BEGIN;
	w->lost_from = w->lost_to = UINT32_MAX;
	depth_begin(&w->d, BEGIN, FIRST, &w->asked, &w->other, RTT_US, &random);
}

static void take(struct way *w, const struct depth_output *out)
{
	unsigned number = w->sent++, socket = out->socket - FIRST;
	struct stun_message m;

	assert_in_range(socket, 0, DEPTH_TTLS - 1);
	assert_int_equal(stun_decode(out->data, out->length, &m), 0);
	assert_int_equal(m.class, STUN_REQUEST);
	if (number >= w->lost_from && number <= w->lost_to)
		return;
	if (endpoint_equal(&out->to, &w->other)) {
		assert_int_equal(out->ttl, socket + 1);
		w->open[socket] |= out->ttl >= w->depth;
		return; /* it may not come so far as the server */
	}
	assert_true(endpoint_equal(&out->to, &w->asked));
	assert_int_equal(out->ttl, 0);
	w->answers[w->answer_count].at_us = w->now_us + RTT_US;
	w->answers[w->answer_count].socket = out->socket;
	w->answers[w->answer_count++].id = m.id;
}

static void answer(
	struct way *w, unsigned socket, const struct endpoint *from, const struct stun_id *id)
{
	uint8_t data[STUN_MESSAGE_BYTES];
	struct stun_writer s = stun_begin(data, sizeof(data), STUN_SUCCESS, STUN_BINDING, id);
	int length = stun_end(&s);

	assert_true(length > 0);
	depth_input(&w->d, w->now_us, socket, from, data, (size_t)length);
}

static void deliver(struct way *w)
{
	for (size_t i = 0; i < w->answer_count; i++) {
		if (w->answers[i].at_us > w->now_us || !w->answers[i].socket)
			continue;
		if (w->open[w->answers[i].socket - FIRST])
			answer(w, w->answers[i].socket, &w->other, &w->answers[i].id);
		w->answers[i].socket = 0;
	}
}

/* The result, after so much time at most. */
static uint8_t run(struct way *w, uint64_t limit_us)
{
	struct depth_output out;
	uint64_t deadline_us;

	while (w->now_us < BEGIN + limit_us) {
		enum depth_action action;

		deliver(w);
		deadline_us = UINT64_MAX;
		action = depth_poll(&w->d, w->now_us, &out, &deadline_us);
		if (action == DEPTH_OPEN_SOCKET)
			depth_opened(&w->d, out.socket, w->deaf ? -EMFILE : 0);
		else if (action == DEPTH_SEND)
			take(w, &out);
		else if (action == DEPTH_CLOSE_SOCKET)
			w->closed++;
		else if (w->d.done && deadline_us == UINT64_MAX)
			break;
		else
			w->now_us += 1000;
	}
	assert_true(w->d.done);
	return depth_result(&w->d);
}

static void test_depths(void **state)
{
	(void)state;
	for (uint8_t depth = 1; depth <= DEPTH_TTLS + 1; depth++) {
		struct way w;

		begin(&w, depth);
		assert_int_equal(depth_result(&w.d), 0);
		assert_int_equal(run(&w, 400000), depth <= DEPTH_TTLS ? depth : 0);
		assert_in_range(w.sent, 2 * DEPTH_TTLS, 4 * DEPTH_TTLS);
		assert_int_equal(w.closed, DEPTH_TTLS);
	}
}

/* One packet of each kind may be lost; the first answers make most of the others superfluous. */
static void test_loss(void **state)
{
	(void)state;
	for (unsigned lost = 0; lost < 2 * DEPTH_TTLS; lost++) {
		struct way w;

		begin(&w, 2);
		w.lost_from = w.lost_to = lost;
		assert_int_equal(run(&w, 400000), 2);
	}
}

/* A server that does not answer from its other endpoint. */
static void test_silence(void **state)
{
	struct way w;

	(void)state;
	begin(&w, 2);
	w.lost_from = 0;
	assert_int_equal(run(&w, 400000), 0);
	assert_int_equal(w.sent, 4 * DEPTH_TTLS);
}

static void test_no_sockets(void **state)
{
	struct way w;

	(void)state;
	begin(&w, 2);
	w.deaf = true;
	assert_int_equal(run(&w, 400000), 0);
	assert_int_equal(w.sent + w.closed, 0);
}

/* Only the other endpoint's answer to what was asked from this socket counts. */
static void test_strangers(void **state)
{
	struct depth_output out;
	struct endpoint third;
	uint64_t deadline_us = UINT64_MAX;
	struct way w;

	(void)state;
	begin(&w, 9);
	assert_int_equal(endpoint_parse("203.0.113.2:3479", 0, &third), 0);
	while (depth_poll(&w.d, w.now_us, &out, &deadline_us) == DEPTH_OPEN_SOCKET)
		depth_opened(&w.d, out.socket, 0);
	answer(&w, FIRST, &w.asked, &w.d.sockets[0].id);
	answer(&w, FIRST, &third, &w.d.sockets[0].id);
	answer(&w, FIRST, &w.other, &w.d.sockets[1].id);
	answer(&w, FIRST - 1, &w.other, &w.d.sockets[0].id);
	answer(&w, FIRST + DEPTH_TTLS, &w.other, &w.d.sockets[0].id);
	depth_input(&w.d, w.now_us, FIRST, &w.other, "x", 1);
	assert_int_equal(run(&w, 400000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depths),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_no_sockets),
		cmocka_unit_test(test_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
