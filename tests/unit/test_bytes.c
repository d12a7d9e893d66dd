// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"

static const uint8_t sample[] = {1, 2, 3, 4, 5, 6, 7, 8};

static void test_read(void **state)
{
	struct reader r = reader_over(sample, sizeof(sample));
	struct span s;

	(void)state;
	assert_int_equal(reader_u8(&r), 0x01);
	assert_int_equal(reader_u16(&r), 0x0203);
	assert_int_equal(reader_u32(&r), 0x04050607);
	assert_int_equal(reader_left(&r), 1);
	s = reader_span(&r, 1);
	assert_ptr_equal(s.data, sample + 7);
	assert_int_equal(s.length, 1);
	assert_int_equal(reader_left(&r), 0);
	assert_false(r.failed);
}

/* After the first access beyond the end nothing is read any more, not even what would fit. */
static void test_read_error_sticks(void **state)
{
	struct reader r = reader_over(sample, 3);
	uint8_t copy[2] = {9, 9};

	(void)state;
	assert_int_equal(reader_u32(&r), 0);
	assert_true(r.failed);
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(reader_u8(&r), 0);
	assert_int_equal(reader_u16(&r), 0);
	reader_copy(&r, copy, sizeof(copy));
	assert_int_equal(copy[0] | copy[1], 0);
	assert_null(reader_span(&r, 1).data);
	assert_int_equal(r.position, 0);
}

static void test_read_edges(void **state)
{
	struct reader r = reader_over(sample, 2);
	struct reader empty = reader_over(NULL, 0);

	(void)state;
	reader_skip(&r, 2);
	assert_false(r.failed);
	assert_int_equal(reader_span(&r, 0).length, 0);
	assert_false(r.failed);
	reader_skip(&r, SIZE_MAX); /* position + length would wrap around */
	assert_true(r.failed);
	reader_copy(&empty, NULL, 0);
	reader_skip(&empty, 0);
	assert_false(empty.failed);
	assert_int_equal(reader_u8(&empty), 0);
	assert_true(empty.failed);
}

static void test_write(void **state)
{
	static const uint8_t expected[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0xee, 0xee};
	uint8_t data[sizeof(expected)];
	struct writer w = writer_over(data, sizeof(data));

	(void)state;
	writer_u8(&w, 1);
	writer_u16(&w, 0x0203);
	writer_u32(&w, 0x04050607);
	writer_bytes(&w, "\x08\x09", 2);
	writer_fill(&w, 0xee, 2);
	assert_false(w.failed);
	assert_int_equal(w.position, sizeof(expected));
	assert_memory_equal(data, expected, sizeof(expected));
	writer_bytes(&w, NULL, 0);
	writer_fill(&w, 0, 0);
	assert_false(w.failed);
}

/*
 * Each kind of write into a buffer that is one byte too short: nothing is written, and it
 * sticks.
 */
static void test_write_short(void **state)
{
	(void)state;
	for (int kind = 0; kind < 5; kind++) {
		static const size_t bytes[] = {1, 2, 4, 3, 5};
		uint8_t data[8];
		struct writer w = writer_over(data, bytes[kind] - 1);

		memset(data, 0xaa, sizeof(data));
		if (kind == 0)
			writer_u8(&w, 0);
		else if (kind == 1)
			writer_u16(&w, 0);
		else if (kind == 2)
			writer_u32(&w, 0);
		else if (kind == 3)
			writer_bytes(&w, "\0\0\0", 3);
		else
			writer_fill(&w, 0, 5);
		assert_true(w.failed);
		assert_int_equal(w.position, 0);
		w.size = sizeof(data);
		writer_u8(&w, 0);
		for (size_t i = 0; i < sizeof(data); i++)
			assert_int_equal(data[i], 0xaa);
	}
}

static void test_patch(void **state)
{
	uint8_t data[8] = {0};
	struct writer w = writer_over(data, sizeof(data));

	(void)state;
	writer_fill(&w, 0, 4);
	writer_patch_u16(&w, 0, 0x0102);
	writer_patch_u16(&w, 2, 0x0304);
	assert_false(w.failed);
	assert_memory_equal(data, "\1\2\3\4\0\0\0\0", 8);
	writer_patch_u16(&w, 3, 0xffff); /* its second byte is not written yet */
	assert_true(w.failed);
	assert_memory_equal(data, "\1\2\3\4\0\0\0\0", 8);

	w = writer_over(data, sizeof(data));
	writer_patch_u16(&w, 0, 0xffff);
	assert_true(w.failed);
	w = writer_over(data, sizeof(data));
	writer_fill(&w, 0, 4);
	writer_patch_u16(&w, SIZE_MAX, 0xffff);
	assert_true(w.failed);
	w = writer_over(NULL, 0);
	writer_bytes(&w, NULL, 0);
	assert_false(w.failed);
	writer_u8(&w, 0);
	assert_true(w.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_error_sticks),
		cmocka_unit_test(test_read_edges),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_short),
		cmocka_unit_test(test_patch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
