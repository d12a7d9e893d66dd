// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/capture_clock.h"

#define UTC  UINT64_C(1795795200000000) /* when the run's clock was 0 */
#define HOUR INT64_C(3600000000)

/* A look at this time, which took so long, with UTC set by so much. */
static struct capture_clock_look look(uint64_t now_us, uint64_t took_us, int64_t set_us)
{
	return (struct capture_clock_look){
		now_us, UTC + now_us + took_us / 2 + (uint64_t)set_us, now_us + took_us};
}

static uint64_t time_of(const struct capture_clock *c, uint64_t captured_us, int64_t set_us)
{
	return capture_clock_time_us(c, UTC + captured_us + (uint64_t)set_us);
}

/* Nobody sets the clock: however long a look takes, nothing moves by more than the best one took. */
static void test_steady(void **state)
{
	struct capture_clock_look l = look(1000000, 2, 0);
	struct capture_clock c;

	(void)state;
	capture_clock_init(&c, &l);
	for (uint64_t now = 2000000; now < 100000000; now += 999983) {
		uint64_t took = now / 7 % 5000;

		l = look(now, took, 0);
		l.utc_us = now % 2 ? l.utc_us + took / 2 : l.utc_us - took / 2;
		capture_clock_look(&c, &l);
		assert_int_equal(time_of(&c, now - 500000, 0), now - 500000);
		assert_int_equal(time_of(&c, now, 0), now);
		assert_int_equal(
			time_of(&c, now + took + 100, 0), now + took + 100); /* while it is read */
		capture_clock_emptied(&c);
	}
}

/* The clock is set, between two packets that are read at once. */
static void test_set(void **state)
{
	static const int64_t steps[] = {-24 * HOUR, -HOUR, -2000000, 2000000, HOUR, 24 * HOUR};

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		struct capture_clock_look l = look(HOUR, 2, 0);
		struct capture_clock c;

		capture_clock_init(&c, &l);
		l = look(HOUR + 1000000, 2, 0);
		capture_clock_look(&c, &l);
		capture_clock_emptied(&c);
		l = look(HOUR + 2000000, 2, steps[i]);
		capture_clock_look(&c, &l);
		assert_int_equal(time_of(&c, HOUR + 1300000, 0), HOUR + 1300000);
		assert_int_equal(time_of(&c, HOUR + 1600000, steps[i]), HOUR + 1600000);
		/* and a look that finds nothing new forgets nothing */
		l = look(HOUR + 2000010, 2, steps[i]);
		capture_clock_look(&c, &l);
		assert_int_equal(time_of(&c, HOUR + 1300000, 0), HOUR + 1300000);
		capture_clock_emptied(&c);
		l = look(HOUR + 5000000, 2, steps[i]);
		capture_clock_look(&c, &l);
		assert_int_equal(time_of(&c, HOUR + 4000000, steps[i]), HOUR + 4000000);
	}
}

/* A stamp from before the run's clock began is no huge number. */
static void test_before(void **state)
{
	struct capture_clock_look l = look(1000, 2, 0);
	struct capture_clock c;

	(void)state;
	capture_clock_init(&c, &l);
	assert_int_equal(capture_clock_time_us(&c, UTC - 1000), 0);
	assert_int_equal(capture_clock_time_us(&c, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
