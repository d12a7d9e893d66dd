// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/random.h"

#define DRAWS 60000

static void test_repeatable(void **state)
{
	struct random a, b, c;
	uint8_t x[1000], y[1000], z[1000];

	(void)state;
	random_init_number(&a, 7);
	random_init_number(&b, 7);
	random_init_number(&c, 8);
	random_bytes(&a, x, sizeof(x));
	random_bytes(&b, y, sizeof(y));
	random_bytes(&c, z, sizeof(z));
	assert_memory_equal(x, y, sizeof(x));
	assert_memory_not_equal(x, z, sizeof(x));
	random_bytes(&a, y, sizeof(y));
	assert_memory_not_equal(x, y, sizeof(x)); /* it goes on */
}

static void test_from_kernel(void **state)
{
	struct random a, b;

	(void)state;
	random_init(&a);
	random_init(&b);
	assert_memory_not_equal(a.seed, b.seed, sizeof(a.seed));
}

static void test_length(void **state)
{
	struct random r;

	(void)state;
	random_init_number(&r, 1);
	for (size_t length = 0; length < 600; length += 7) {
		uint8_t out[610];

		memset(out, 0xaa, sizeof(out));
		random_bytes(&r, out, length);
		for (size_t i = length; i < sizeof(out); i++)
			assert_int_equal(out[i], 0xaa);
	}
	random_bytes(&r, NULL, 0);
}

static void test_below(void **state)
{
	struct random r;

	(void)state;
	random_init_number(&r, 2);
	assert_int_equal(random_below(&r, 0), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(random_below(&r, 1), 0);
		assert_true(random_below(&r, UINT32_MAX) < UINT32_MAX);
	}
	/* bounds where a plain remainder would favour the lower values two to one */
	for (int i = 0, high = 0; i <= 1000; i++) {
		high += random_below(&r, 0xc0000000) >= 0x60000000;
		if (i == 1000)
			assert_in_range(high, 430, 570);
	}
}

/* Chi-square of six values: with five degrees of freedom 20.5 is exceeded once in a thousand. */
static void test_uniform(void **state)
{
	unsigned seen[6] = {0};
	double chi = 0;
	struct random r;

	(void)state;
	random_init_number(&r, 3);
	for (int i = 0; i < DRAWS; i++)
		seen[random_below(&r, 6)]++;
	for (int i = 0; i < 6; i++)
		chi += (seen[i] - DRAWS / 6.0) * (seen[i] - DRAWS / 6.0) / (DRAWS / 6.0);
	assert_true(chi < 20.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repeatable),
		cmocka_unit_test(test_from_kernel),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_below),
		cmocka_unit_test(test_uniform),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
