// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "server/icmp_table.h"

#define SECOND 1000000u
#define START  (1000 * (uint64_t)SECOND)
#define CROWD  100000u

static const uint8_t key[ICMP_TABLE_KEY_BYTES] = {1, 2, 3};

static struct endpoint endpoint(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 0, &e), 0);
	return e;
}

static struct stun_icmp error(uint8_t type, uint8_t code)
{
	return (struct stun_icmp){.type = type,
		.code = code,
		.offender = endpoint("192.0.2.254"),
		.quoted_from = endpoint("198.51.100.10:3478")};
}

static int setup(void **state)
{
	return icmp_table_create((struct icmp_table **)state, key);
}

static int teardown(void **state)
{
	icmp_table_destroy(*state);
	return 0;
}

static void test_one(void **state)
{
	struct endpoint to = endpoint("192.0.2.1:40000");
	struct stun_icmp out[STUN_ICMP_MAX], icmp = error(3, 3);

	assert_int_equal(icmp_table_find(*state, &to, START, out), 0);
	icmp_table_record(*state, &to, &icmp, START);
	assert_int_equal(icmp_table_find(*state, &to, START, out), 1);
	assert_int_equal(out[0].type, 3);
	assert_int_equal(out[0].code, 3);
	assert_int_equal(out[0].count, 1);
	assert_true(endpoint_equal(&out[0].offender, &icmp.offender));
	assert_true(endpoint_equal(&out[0].quoted_from, &icmp.quoted_from));
}

/* Errors are told to exactly the endpoint that the packets went to. */
static void test_other_endpoints(void **state)
{
	static const char *const others[] = {
		"192.0.2.1:40001", "192.0.2.2:40000", "[c000:201::]:40000", "[2001:db8::1]:40000"};
	struct endpoint to = endpoint("192.0.2.1:40000");
	struct stun_icmp out[STUN_ICMP_MAX], icmp = error(3, 3);

	icmp_table_record(*state, &to, &icmp, START);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct endpoint other = endpoint(others[i]);

		assert_int_equal(icmp_table_find(*state, &other, START, out), 0);
	}
}

static void test_life(void **state)
{
	static const struct {
		uint64_t after_us;
		size_t found;
	} rows[] = {{0, 1}, {29 * SECOND, 1}, {ICMP_TABLE_LIFE_US, 1}, {ICMP_TABLE_LIFE_US + 1, 0},
		{3600 * (uint64_t)SECOND, 0}};
	struct endpoint to = endpoint("192.0.2.1:40000");
	struct stun_icmp out[STUN_ICMP_MAX], icmp = error(3, 3);

	icmp_table_record(*state, &to, &icmp, START);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(
			icmp_table_find(*state, &to, START + rows[i].after_us, out), rows[i].found);
	/* counted anew once forgotten */
	icmp_table_record(*state, &to, &icmp, START + 31 * SECOND);
	assert_int_equal(icmp_table_find(*state, &to, START + 31 * SECOND, out), 1);
	assert_int_equal(out[0].count, 1);
}

static void test_count(void **state)
{
	struct endpoint to = endpoint("192.0.2.1:40000");
	struct stun_icmp out[STUN_ICMP_MAX], icmp = error(3, 3);

	for (unsigned i = 1; i <= 300; i++) {
		/* each one keeps it alive */
		icmp_table_record(*state, &to, &icmp, START + i * SECOND);
		assert_int_equal(icmp_table_find(*state, &to, START + i * SECOND, out), 1);
		assert_int_equal(out[0].count, i < 255 ? i : 255);
	}
}

static void test_what_differs(void **state)
{
	struct endpoint to = endpoint("192.0.2.1:40000");
	struct stun_icmp out[STUN_ICMP_MAX], icmp = error(3, 3);

	icmp_table_record(*state, &to, &icmp, START);
	icmp.type = 11;
	icmp_table_record(*state, &to, &icmp, START + 1);
	icmp.offender = endpoint("192.0.2.253");
	icmp_table_record(*state, &to, &icmp, START + 2);
	icmp.quoted_from.port = 3479;
	icmp_table_record(*state, &to, &icmp, START + 3);
	assert_int_equal(icmp_table_find(*state, &to, START + 3, out), 4);
	/* the newest first */
	assert_int_equal(out[0].quoted_from.port, 3479);
	assert_int_equal(out[3].type, 3);
}

/*
 * One destination fills no more places than are ever told: the newest four, and nobody is pushed
 * out.
 */
static void test_one_destination(void **state)
{
	struct endpoint to = endpoint("192.0.2.1:40000");
	struct stun_icmp out[STUN_ICMP_MAX], icmp;

	for (unsigned i = 0; i < 200; i++) {
		icmp = error(3, (uint8_t)i);
		icmp_table_record(*state, &to, &icmp, START + i);
	}
	assert_int_equal(icmp_table_find(*state, &to, START + 200, out), STUN_ICMP_MAX);
	for (unsigned i = 0; i < STUN_ICMP_MAX; i++)
		assert_int_equal(out[i].code, 199 - i);
}

/* Far more destinations than places: the last one is always there. */
static void test_crowd(void **state)
{
	struct endpoint to = endpoint("10.0.0.0:40000");
	struct stun_icmp out[STUN_ICMP_MAX], icmp = error(3, 3);

	for (uint32_t i = 0; i < CROWD; i++) {
		to.address[1] = (uint8_t)(i >> 16);
		to.address[2] = (uint8_t)(i >> 8);
		to.address[3] = (uint8_t)i;
		icmp_table_record(*state, &to, &icmp, START + i);
		assert_int_equal(icmp_table_find(*state, &to, START + i, out), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_endpoints, setup, teardown),
		cmocka_unit_test_setup_teardown(test_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_count, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_differs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_destination, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crowd, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
