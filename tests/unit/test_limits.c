// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "server/limits.h"

#define SECOND 1000000u
#define START  (1000 * (uint64_t)SECOND)
#define RATE   100
#define BURST  (2 * RATE)
#define CROWD  300000u

static const uint8_t key[LIMITS_KEY_BYTES] = {1, 2, 3};

static struct endpoint endpoint(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 40000, &e), 0);
	return e;
}

static struct limits *make(uint32_t rate)
{
	struct limits *l;

	assert_int_equal(limits_create(&l, rate, key), 0);
	return l;
}

static void test_cost(void **state)
{
	static const struct {
		unsigned datagrams;
		size_t in, out;
		uint32_t cost;
	} rows[] = {
		{1, 68, 68, 1},
		{1, 200, 68, 1},
		{1, 20, 68, 7},
		{1, 60, 68, 2},
		{1, 61, 68, 1},
		{1, 20, 116, 13},
		{5, 400, 400, 5},
		{0, 100, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(
			limits_cost(rows[i].datagrams, rows[i].in, rows[i].out), rows[i].cost);
}

/* Steps in time on one bucket, each with how many single tokens can then be had. */
static void test_refill(void **state)
{
	static const struct {
		uint64_t after_us;
		unsigned tokens;
	} steps[] = {
		{0, BURST},
		{0, 0},
		{SECOND / RATE, 1},
		{SECOND / 2, RATE / 2},
		{SECOND / RATE - 1, 0},
		{1, 1},
		{2 * SECOND, BURST},
		{3600 * (uint64_t)SECOND, BURST},
	};
	struct limits *l = make(RATE);
	struct endpoint e = endpoint("192.0.2.1");
	uint64_t now = START;

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		unsigned got = 0;

		now += steps[i].after_us;
		while (got <= BURST && limits_take(l, &e, 1, now))
			got++;
		assert_int_equal(got, steps[i].tokens);
	}
	limits_destroy(l);
}

/* Whether the second source draws from the bucket of the first. */
static void test_sources(void **state)
{
	static const struct {
		const char *first, *second;
		bool same;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1:1", true}, {"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"192.0.2.1", "c000:201::1", false}, /* the same leading bytes, another family */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct limits *l = make(RATE);
		struct endpoint first = endpoint(rows[i].first), second = endpoint(rows[i].second);

		assert_true(limits_take(l, &first, BURST, START));
		assert_int_equal(limits_take(l, &second, 1, START), !rows[i].same);
		limits_destroy(l);
	}
}

static void test_no_limit(void **state)
{
	struct limits *l = make(0);
	struct endpoint e = endpoint("192.0.2.1");

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		assert_true(limits_take(l, &e, 1000, START));
	limits_destroy(l);
}

/* A low rate must not mean "never". */
static void test_cost_beyond_burst(void **state)
{
	struct limits *l = make(1);
	struct endpoint e = endpoint("192.0.2.1");

	(void)state;
	assert_true(limits_take(l, &e, 7, START));
	assert_false(limits_take(l, &e, 7, START + SECOND));
	assert_true(limits_take(l, &e, 7, START + 2 * SECOND));
	limits_destroy(l);
}

static void test_clock_going_back(void **state)
{
	struct limits *l = make(RATE);
	struct endpoint e = endpoint("192.0.2.1");

	(void)state;
	assert_true(limits_take(l, &e, BURST, START));
	assert_false(limits_take(l, &e, 1, START - SECOND));
	assert_false(limits_take(l, &e, 1, START));
	assert_true(limits_take(l, &e, 1, START + SECOND));
	limits_destroy(l);
}

/*
 * A crowd of strangers, more than the table holds, does not make it forget who has used up his
 * share.
 */
static void test_crowd(void **state)
{
	struct limits *l = make(RATE);
	struct endpoint greedy = endpoint("192.0.2.1"), stranger = endpoint("10.0.0.0");

	(void)state;
	assert_true(limits_take(l, &greedy, BURST, START));
	for (uint32_t i = 0; i < CROWD; i++) {
		stranger.address[1] = (uint8_t)(i >> 16);
		stranger.address[2] = (uint8_t)(i >> 8);
		stranger.address[3] = (uint8_t)i;
		assert_true(limits_take(l, &stranger, 7, START));
	}
	assert_false(limits_take(l, &greedy, 1, START));
	limits_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_refill),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_cost_beyond_burst),
		cmocka_unit_test(test_clock_going_back),
		cmocka_unit_test(test_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
