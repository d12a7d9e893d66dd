// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* When which rung of a TTL ladder is asked, and what is made of the answers. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "probe/ladder.h"

#define MS   1000u
#define LONG (10000 * MS) /* more than a ladder ever takes */

struct way {
	struct trace trace;
	struct ladder ladder;
	uint64_t now_us;
	unsigned sent;
};

static void set_up(struct way *w)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(endpoint_parse("203.0.113.1:3478", 1, &w->trace.to), 0);
	ladder_begin(&w->ladder, &w->trace);
	w->now_us = 1000 * MS;
}

/* What leaves now: the TTLs as letters, 1 is 'a'. */
static const char *sent_now(struct way *w)
{
	static char text[64];
	uint64_t deadline_us = w->now_us + LONG;
	size_t n = 0;

	for (unsigned ttl; (ttl = ladder_next(&w->ladder, w->now_us, &deadline_us)); w->sent++) {
		assert_in_range(ttl, 1, LADDER_TTL);
		assert_true(n < sizeof(text) - 1);
		text[n++] = (char)('a' + ttl - 1);
	}
	text[n] = '\0';
	return text;
}

/* Goes on to when something is due, and says how long that took. */
static unsigned wait(struct way *w)
{
	uint64_t deadline_us = w->now_us + LONG, before_us = w->now_us;

	assert_int_equal(ladder_next(&w->ladder, w->now_us, &deadline_us), 0);
	assert_true(deadline_us > w->now_us);
	w->now_us = deadline_us;
	return (unsigned)((w->now_us - before_us) / MS);
}

static void answer(struct way *w, unsigned ttl, const char *from, uint8_t type, uint8_t code)
{
	struct icmp_seen icmp = {.count = 1, .type = type, .code = code};

	assert_int_equal(endpoint_parse(from, 1, &icmp.offender), 0);
	ladder_answer(&w->ladder, ttl, &icmp, 20 * MS);
}

/* Four at a time, and further as far as somebody answers. */
static void test_window(void **state)
{
	struct way w;

	(void)state;
	set_up(&w);
	assert_string_equal(sent_now(&w), "abcd");
	assert_string_equal(sent_now(&w), "");
	answer(&w, 1, "10.0.1.1", 11, 0);
	assert_string_equal(sent_now(&w), "e");
	answer(&w, 4, "192.0.2.4", 11, 0);
	assert_string_equal(sent_now(&w), "fgh");
	assert_false(ladder_is_over(&w.ladder, w.now_us));
	assert_int_equal(trace_last_router(&w.trace), 4);
	assert_int_equal(w.trace.hops[3].rtt_us, 20 * MS);
	assert_int_equal(w.trace.hops[3].sent, 1);
}

/* Nobody answers: three times each, and half a second for the last. */
static void test_silence(void **state)
{
	struct way w;

	(void)state;
	set_up(&w);
	assert_string_equal(sent_now(&w), "abcd");
	assert_int_equal(wait(&w), 300);
	assert_string_equal(sent_now(&w), "abcd");
	assert_int_equal(wait(&w), 300);
	assert_string_equal(sent_now(&w), "abcd");
	assert_false(ladder_is_over(&w.ladder, w.now_us));
	assert_int_equal(wait(&w), 500);
	assert_string_equal(sent_now(&w), "");
	assert_true(ladder_is_over(&w.ladder, w.now_us));
	assert_int_equal(w.sent, 12);
	assert_int_equal(trace_end(&w.trace), 0);
	assert_int_equal(trace_last_router(&w.trace), 0);
	assert_int_equal(trace_length(&w.trace), 4);
}

/* The first router alone: four more, each three times; the gap is that of the round trip. */
static void test_first_only(void **state)
{
	struct way w;
	unsigned took = 0;

	(void)state;
	set_up(&w);
	sent_now(&w);
	answer(&w, 1, "10.0.1.1", 11, 0);
	while (!ladder_is_over(&w.ladder, w.now_us)) {
		sent_now(&w);
		if (!ladder_is_over(&w.ladder, w.now_us))
			took += wait(&w);
	}
	assert_int_equal(took, 150 + 150 + 500);
	assert_int_equal(w.sent, 1 + 4 * 3);
	assert_int_equal(trace_length(&w.trace), 5);
}

/* It is over as soon as its end is known and all before it have answered. */
static void test_end(void **state)
{
	static const struct {
		const char *from;
		uint8_t type, code;
		bool end, target;
	} rows[] = {
		{"203.0.113.1", 3, 3, true, true},
		{"203.0.113.1", 11, 0, true, true}, /* a router of its own host */
		{"192.0.2.3", 3, 13, true, false},
		{"192.0.2.3", 3, 1, true, false},
		{"192.0.2.3", 3, 3, true, false},
		{"192.0.2.3", 11, 0, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct way w;

		set_up(&w);
		sent_now(&w);
		answer(&w, 4, "192.0.2.9", 3, 3); /* later than the end: it is not looked at */
		answer(&w, 3, rows[i].from, rows[i].type, rows[i].code);
		assert_int_equal(trace_end(&w.trace), rows[i].end ? 3 : 4);
		assert_int_equal(hop_is_target(&w.trace, &w.trace.hops[2]), rows[i].target);
		answer(&w, 1, "10.0.1.1", 11, 0);
		assert_false(ladder_is_over(&w.ladder, w.now_us));
		answer(&w, 2, "192.0.2.2", 11, 0);
		assert_true(ladder_is_over(&w.ladder, w.now_us));
		assert_string_equal(sent_now(&w), "");
		assert_int_equal(trace_last_router(&w.trace),
			!rows[i].end		 ? 4
				: rows[i].target ? 2
						 : 3);
	}
}

/* A silent router before the end is asked once more, and not waited for. */
static void test_gap(void **state)
{
	struct way w;

	(void)state;
	set_up(&w);
	sent_now(&w);
	answer(&w, 1, "10.0.1.1", 11, 0);
	ladder_answer(&w.ladder, 3, NULL, 40 * MS);
	assert_string_equal(sent_now(&w), "");
	assert_int_equal(wait(&w), 150);
	assert_string_equal(sent_now(&w), "b");
	assert_int_equal(wait(&w), 150);
	assert_true(ladder_is_over(&w.ladder, w.now_us));
	assert_false(w.trace.hops[2].icmp);
	assert_true(hop_is_target(&w.trace, &w.trace.hops[2]));
	assert_int_equal(w.trace.hops[1].sent, 2);
}

/* Nothing beyond the highest TTL, however many answer. */
static void test_bound(void **state)
{
	struct way w;

	(void)state;
	set_up(&w);
	for (unsigned ttl = 1; ttl <= LADDER_TTL; ttl++) {
		sent_now(&w);
		answer(&w, ttl, "192.0.2.1", 11, 0);
	}
	assert_string_equal(sent_now(&w), "");
	assert_true(ladder_is_over(&w.ladder, w.now_us));
	assert_int_equal(w.sent, LADDER_TTL);
	assert_int_equal(trace_length(&w.trace), LADDER_TTL);
	assert_int_equal(trace_last_router(&w.trace), LADDER_TTL);
}

/* What is no answer to a TTL. */
static void test_noise(void **state)
{
	static const struct icmp_seen local = {.count = 1, .local = true, .error = 1};
	static const struct icmp_seen nobody = {.count = 1, .type = 11};
	struct way w;

	(void)state;
	set_up(&w);
	sent_now(&w);
	answer(&w, 0, "10.0.1.1", 11, 0);
	answer(&w, 5, "10.0.1.1", 11, 0); /* not asked yet */
	answer(&w, 255, "10.0.1.1", 11, 0);
	answer(&w, 1, "10.0.1.1", 3, 4); /* too large */
	answer(&w, 1, "10.0.1.1", 11, 1); /* reassembly */
	answer(&w, 1, "10.0.1.1", 12, 0);
	answer(&w, 1, "[2001:db8::1]:1", 11, 0);
	ladder_answer(&w.ladder, 1, &local, 0);
	ladder_answer(&w.ladder, 1, &nobody, 0);
	for (unsigned i = 0; i < TRACE_HOPS; i++)
		assert_int_equal(w.trace.hops[i].answers, 0);
	/* the first that answers is kept, and all are counted */
	answer(&w, 1, "10.0.1.1", 11, 0);
	answer(&w, 1, "10.0.1.9", 3, 3);
	assert_int_equal(w.trace.hops[0].answers, 2);
	assert_int_equal(w.trace.hops[0].from.address[3], 1);
	assert_int_equal(w.trace.hops[0].from.port, 0);
	assert_int_equal(w.trace.hops[0].type, 11);
}

static void test_unsent(void **state)
{
	struct way w;

	(void)state;
	set_up(&w);
	sent_now(&w);
	ladder_unsent(&w.ladder, 0);
	ladder_unsent(&w.ladder, 255);
	ladder_unsent(&w.ladder, 2);
	ladder_unsent(&w.ladder, 2);
	assert_int_equal(w.trace.hops[1].sent, 0);
	assert_string_equal(sent_now(&w), "b");
}

static void test_ipv6(void **state)
{
	struct way w;

	(void)state;
	set_up(&w);
	assert_int_equal(endpoint_parse("[2001:db8::9]:3478", 1, &w.trace.to), 0);
	sent_now(&w);
	answer(&w, 1, "[2001:db8:1::1]:1", 11, 0); /* that is IPv4's */
	answer(&w, 2, "[2001:db8:1::1]:1", 2, 0); /* too big */
	assert_int_equal(trace_last_router(&w.trace), 0);
	answer(&w, 1, "[2001:db8:1::1]:1", 3, 0);
	answer(&w, 3, "[2001:db8:1::3]:1", 1, 1);
	assert_int_equal(trace_last_router(&w.trace), 3);
	assert_int_equal(trace_end(&w.trace), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_first_only),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_unsent),
		cmocka_unit_test(test_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
