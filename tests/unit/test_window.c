// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/random.h"
#include "punch/window.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define SIZE	  WINDOW_COUNTERS
#define MODEL	  20000

static void test_table(void **state)
{
	static const struct {
		uint64_t counters[4];
		int results[4];
	} rows[] = {
		{{0, 1, 1, 0}, {-EALREADY, 0, -EALREADY, -EALREADY}},
		{{1, 2, 3, 2}, {0, 0, 0, -EALREADY}},
		{{3, 1, 2, 1}, {0, 0, 0, -EALREADY}},
		/* the first that is too old, and the last that is not */
		{{SIZE + 1, 1, 2, 2}, {0, -EALREADY, 0, -EALREADY}},
		{{SIZE, 1, 1, 0}, {0, 0, -EALREADY, -EALREADY}},
		/* the same bit of the same word, one ring later */
		{{5, 64 * WINDOW_WORDS + 5, 5, 64 * WINDOW_WORDS + 5},
			{0, 0, -EALREADY, -EALREADY}},
		{{5, 2 * 64 * WINDOW_WORDS + 5, 2 * 64 * WINDOW_WORDS + 4, 6},
			{0, 0, 0, -EALREADY}},
		/* to the end of all counters, after which nothing is new */
		{{7, UINT64_MAX, UINT64_MAX, UINT64_MAX - 1}, {0, 0, -EALREADY, 0}},
		{{UINT64_MAX, UINT64_MAX - SIZE + 1, UINT64_MAX - SIZE, 8},
			{0, 0, -EALREADY, -EALREADY}},
		{{UINT64_MAX, 0, 1, 2}, {0, -EALREADY, -EALREADY, -EALREADY}},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct window w = {.highest = 0};

		for (size_t k = 0; k < 4; k++)
			assert_int_equal(window_take(&w, rows[i].counters[k]), rows[i].results[k]);
	}
}

/* A gap of any width leaves nothing of the old words where new counters will come. */
static void test_gaps(void **state)
{
	(void)state;
	for (uint64_t gap = 1; gap < 3 * 64 * WINDOW_WORDS; gap += gap < 200 ? 1 : 61) {
		struct window w = {.highest = 0};

		for (uint64_t i = 1; i <= SIZE; i++)
			assert_int_equal(window_take(&w, i), 0);
		assert_int_equal(window_take(&w, SIZE + gap), 0);
		for (uint64_t i = SIZE + 1; i < SIZE + gap; i++)
			assert_int_equal(
				window_take(&w, i), gap + SIZE - i >= SIZE ? -EALREADY : 0);
		for (uint64_t i = 1; i <= SIZE; i++)
			assert_int_equal(window_take(&w, i), -EALREADY);
	}
}

/* Against a model that forgets nothing. */
static void test_model(void **state)
{
	static uint8_t seen[4 * MODEL];
	struct window w = {.highest = 0};
	struct random random;
	uint64_t highest = 0, around = 1;

	(void)state;
	random_init_number(&random, 1);
	memset(seen, 0, sizeof(seen));
	for (unsigned i = 0; i < MODEL; i++) {
		uint64_t counter = around + random_below(&random, 2 * SIZE);
		bool new;

		counter = counter > SIZE ? counter - SIZE : counter;
		new = !seen[counter] && (counter > highest || highest - counter < SIZE);
		assert_int_equal(window_take(&w, counter), new ? 0 : -EALREADY);
		seen[counter] = 1;
		highest = counter > highest ? counter : highest;
		around += random_below(&random, 3);
		assert_true(w.highest == highest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
