// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "server/cookie.h"

#define EPOCH ((uint64_t)COOKIE_EPOCH_US)
#define START (100 * EPOCH)

static const uint8_t key[COOKIE_KEY_BYTES] = {1, 2, 3};

static struct endpoint endpoint(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 0, &e), 0);
	return e;
}

static int check(const char *from, uint64_t now_us, const uint8_t *cookie, size_t length)
{
	struct endpoint e = endpoint(from);

	return cookie_check(key, &e, now_us, (struct span){cookie, length});
}

static void test_age(void **state)
{
	static const struct {
		uint64_t made, shown;
		int result;
	} rows[] = {
		{START, START, 0},
		{START, START + EPOCH - 1, 0},
		{START, START + EPOCH, 1},
		{START + EPOCH - 1, START + EPOCH, 1},
		{START, START + 2 * EPOCH - 1, 1},
		{START, START + 2 * EPOCH, -ESTALE},
		{START + EPOCH, START, -ESTALE}, /* of the future */
		{0, 0, 0}, /* the very first epoch has none before it */
		{0, EPOCH, 1},
	};
	struct endpoint from = endpoint("192.0.2.1:4000");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t cookie[COOKIE_BYTES];

		cookie_make(key, &from, rows[i].made, cookie);
		assert_int_equal(check("192.0.2.1:4000", rows[i].shown, cookie, sizeof(cookie)),
			rows[i].result);
	}
}

static void test_source(void **state)
{
	static const char *const others[] = {
		"192.0.2.1:4001", "192.0.2.2:4000", "[c000:201::]:4000", "[2001:db8::1]:4000"};
	struct endpoint from = endpoint("192.0.2.1:4000");
	uint8_t cookie[COOKIE_BYTES], other_key[COOKIE_KEY_BYTES] = {1, 2, 4};

	(void)state;
	cookie_make(key, &from, START, cookie);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_int_equal(check(others[i], START, cookie, sizeof(cookie)), -ESTALE);
	assert_int_equal(
		cookie_check(other_key, &from, START, (struct span){cookie, sizeof(cookie)}),
		-ESTALE);
}

static void test_form(void **state)
{
	struct endpoint from = endpoint("192.0.2.1:4000");
	uint8_t cookie[COOKIE_BYTES + 1] = {0};

	(void)state;
	cookie_make(key, &from, START, cookie);
	for (size_t n = 0; n <= sizeof(cookie); n++)
		assert_int_equal(
			check("192.0.2.1:4000", START, cookie, n), n == COOKIE_BYTES ? 0 : -ESTALE);
	for (size_t bit = 0; bit < 8 * COOKIE_BYTES; bit++) {
		cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(check("192.0.2.1:4000", START, cookie, COOKIE_BYTES), -ESTALE);
		cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_form),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
