// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "server/quota.h"

#define START	  ((uint64_t)1000000000)
#define AT_ALL	  10
#define OF_SOURCE 4

static const uint8_t key[SOURCES_KEY_BYTES] = {1};

static struct endpoint source(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 1, &e), 0);
	return e;
}

static int setup(void **state)
{
	return quota_create((struct quota **)state, AT_ALL, OF_SOURCE, key);
}

static int teardown(void **state)
{
	quota_destroy(*state);
	return 0;
}

/* A source is an IPv4 address, whatever its port, or an IPv6 /64. */
static void test_source(void **state)
{
	static const char *const same[2][2] = {{"192.0.2.1:7", "192.0.2.1:8"},
		{"[2001:db8:0:1::1]:7", "[2001:db8:0:1:ffff::2]:7"}};
	struct quota *q = *state;

	for (unsigned i = 0; i < 2; i++) {
		struct endpoint one = source(same[i][0]), two = source(same[i][1]);

		assert_int_equal(quota_take(q, START, &one, 3), 0);
		assert_int_equal(quota_take(q, START, &two, 2), -EDQUOT);
		assert_int_equal(
			quota_take(q, START, &two, 1), 0); /* of the two nothing was taken */
		assert_int_equal(quota_take(q, START, &one, 1), -EDQUOT);
		assert_int_equal(quota_take(q, START, &one, 0), 0);
	}
}

static void test_at_all(void **state)
{
	static const char *const sources[4] = {
		"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:1::1"};
	struct quota *q = *state;
	struct endpoint e;

	for (unsigned i = 0; i < 3; i++) {
		e = source(sources[i]);
		assert_int_equal(quota_take(q, START, &e, 3), 0);
	}
	e = source(sources[3]);
	assert_int_equal(quota_take(q, START, &e, 2), -EBUSY);
	assert_int_equal(quota_take(q, START, &e, UINT32_MAX), -EBUSY);
	assert_int_equal(quota_take(q, START, &e, 1), 0);
	assert_int_equal(quota_take(q, START, &e, 1), -EBUSY);
}

/* Each is given back a minute after it was taken; the ring goes round. */
static void test_minute(void **state)
{
	struct quota *q = *state;
	struct endpoint e = source("192.0.2.1");
	uint64_t now_us = START;

	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < OF_SOURCE; i++)
			assert_int_equal(quota_take(q, now_us + i, &e, 1), 0);
		for (unsigned i = 0; i < OF_SOURCE - 1; i++) {
			assert_int_equal(
				quota_take(q, now_us + QUOTA_MINUTE_US + i - 1, &e, 1), -EDQUOT);
			assert_int_equal(quota_take(q, now_us + QUOTA_MINUTE_US + i, &e, 1), 0);
		}
		now_us += 3 * (uint64_t)QUOTA_MINUTE_US;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_source, setup, teardown),
		cmocka_unit_test_setup_teardown(test_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_minute, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
