// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "base/number.h"

#define UNTOUCHED 4711

static void test_number(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max, value;
		int result;
	} rows[] = {
		{"0", 0, 9, 0, 0},
		{"007", 0, 9, 7, 0},
		{"65535", 1, 65535, 65535, 0},
		{"65536", 1, 65535, 0, -ERANGE},
		{"0", 1, 65535, 0, -ERANGE},
		{"", 0, 9, 0, -EINVAL},
		{" 1", 0, 9, 0, -EINVAL},
		{"1 ", 0, 9, 0, -EINVAL},
		{"+1", 0, 9, 0, -EINVAL},
		{"-1", 0, UINT64_MAX, 0, -EINVAL},
		{"0x10", 0, 99, 0, -EINVAL},
		{"1.5", 0, 9, 0, -EINVAL},
		{"1a", 0, 9, 0, -EINVAL},
		{"18446744073709551600", 0, UINT64_MAX, 18446744073709551600u, 0},
		{"18446744073709551616", 0, UINT64_MAX, 0, -ERANGE},
		{"99999999999999999999999999", 0, UINT64_MAX, 0, -ERANGE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t value = UNTOUCHED;

		assert_int_equal(number_from_text(rows[i].text, rows[i].min, rows[i].max, &value),
			rows[i].result);
		assert_int_equal(value, rows[i].result ? UNTOUCHED : rows[i].value);
	}
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
		int result;
	} rows[] = {
		{"5", 5000000, 0}, {"5s", 5000000, 0}, {"250ms", 250000, 0}, {"250us", 250, 0},
		{"2m", 120000000, 0}, {"1h", 3600000000u, 0}, {"1.5", 1500000, 0},
		{"0.25s", 250000, 0}, {"1.5ms", 1500, 0}, {"0.5m", 30000000, 0}, {"0.000001", 1, 0},
		{"0.0000019", 1, 0}, /* what is smaller than a microsecond is cut */
		{"1.999999999999999999999", 1999999, 0}, {"0", 0, 0}, {"", 0, -EINVAL},
		{".5", 0, -EINVAL}, {"5.", 0, -EINVAL}, {"5.s", 0, -EINVAL}, {"-5", 0, -EINVAL},
		{"5 s", 0, -EINVAL}, {"5S", 0, -EINVAL}, {"5min", 0, -EINVAL}, {"5d", 0, -EINVAL},
		{"5ns", 0, -EINVAL}, {"1e3", 0, -EINVAL}, {"s", 0, -EINVAL}, {"2h", 0, -ERANGE},
		{"99999999999999999999s", 0, -ERANGE},
		{"18446744073709551599h", 0, -ERANGE}, /* would wrap around when multiplied */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t us = UNTOUCHED;

		assert_int_equal(
			duration_from_text(rows[i].text, 0, 3600000000u, &us), rows[i].result);
		assert_int_equal(us, rows[i].result ? UNTOUCHED : rows[i].us);
	}
}

static void test_duration_range(void **state)
{
	uint64_t us;

	(void)state;
	assert_int_equal(duration_from_text("99ms", 100000, 200000, &us), -ERANGE);
	assert_int_equal(duration_from_text("100ms", 100000, 200000, &us), 0);
	assert_int_equal(duration_from_text("200ms", 100000, 200000, &us), 0);
	assert_int_equal(duration_from_text("0.200001", 100000, 200000, &us), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_duration_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
