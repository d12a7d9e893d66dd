// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* What one side tells the other about itself, as bytes. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tests/fuzz/pair_rules.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define BYTES	  29

static const struct pair_side full = {PATH_OK, TRI_YES, DEPENDENCE_ADDRESS_AND_PORT,
	DEPENDENCE_ADDRESS, EARLY_REJECT, ALLOCATION_SEQUENTIAL, -2, 0x1234, 0xfedc, true, 3,
	0x01020304, 0x00050607, 0x0809, 0x000a0b0c};

static const uint8_t full_bytes[BYTES] = {1, 1, 2, 3, 2, 2, 2, 1, 3, 0xff, 0xfe, 0x12, 0x34, 0xfe,
	0xdc, 0x08, 0x09, 0x00, 0x05, 0x06, 0x07, 0x00, 0x0a, 0x0b, 0x0c, 0x01, 0x02, 0x03, 0x04};

static void test_round_trip(void **state)
{
	static const struct pair_side nothing;
	const struct pair_side *all[] = {&full, &nothing};
	uint8_t buffer[PAIR_SIDE_BYTES];
	struct pair_side s;

	(void)state;
	for (size_t i = 0; i < LENGTH(all); i++) {
		assert_int_equal(pair_side_encode(all[i], buffer, sizeof(buffer)), BYTES);
		assert_int_equal(pair_side_decode(buffer, BYTES, &s), 0);
		assert_true(rule_same_side(&s, all[i]));
	}
	assert_int_equal(pair_side_encode(&full, buffer, sizeof(buffer)), BYTES);
	assert_memory_equal(buffer, full_bytes, BYTES);
}

static void test_truncated(void **state)
{
	struct pair_side s;

	(void)state;
	for (size_t length = 0; length < BYTES; length++) {
		uint8_t buffer[BYTES];

		assert_int_equal(pair_side_decode(full_bytes, length, &s), -EBADMSG);
		assert_int_equal(pair_side_encode(&full, buffer, length), -EMSGSIZE);
	}
}

/* A later version adds fields; more than there may ever be is not one of ours. */
static void test_later_version(void **state)
{
	uint8_t bytes[PAIR_SIDE_BYTES + 1];
	struct pair_side s;

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	memcpy(bytes, full_bytes, BYTES);
	bytes[0] = 2;
	bytes[7] |= 0xfe; /* flags */
	assert_int_equal(pair_side_decode(bytes, PAIR_SIDE_BYTES, &s), 0);
	assert_true(rule_same_side(&s, &full));
	assert_int_equal(pair_side_decode(bytes, PAIR_SIDE_BYTES + 1, &s), -EBADMSG);
	bytes[0] = 0;
	assert_int_equal(pair_side_decode(bytes, PAIR_SIDE_BYTES, &s), -EBADMSG);
}

/* Each byte with each value: refused, or a side that can be written again and planned with. */
static void test_each_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < BYTES; i++) {
		for (unsigned value = 0; value < 256; value++) {
			uint8_t bytes[BYTES], again[PAIR_SIDE_BYTES];
			struct pair_side sides[2] = {full, full};
			struct pair_advice advice;
			const char *broken;
			int result;

			memcpy(bytes, full_bytes, BYTES);
			bytes[i] = (uint8_t)value;
			result = pair_side_decode(bytes, BYTES, &sides[1]);
			if (result) {
				assert_int_equal(result, -EBADMSG);
				assert_true(rule_same_side(&sides[1], &full)); /* untouched */
				continue;
			}
			assert_int_equal(pair_side_encode(&sides[1], again, sizeof(again)), BYTES);
			assert_memory_equal(again + 8, bytes + 8, BYTES - 8);
			pair_advise(sides, &advice);
			broken = rule_broken_by(&advice, sides);
			if (broken)
				fail_msg("byte %zu, value %u: %s", i, value, broken);
		}
	}
}

/* What decode refuses, encode does not write. */
static void test_ranges(void **state)
{
	static const struct {
		size_t at;
		uint8_t last; /* good value */
	} bytes[] = {{1, PATH_UNREACHABLE}, {2, TRI_YES}, {3, DEPENDENCE_PORT},
		{4, DEPENDENCE_PORT}, {5, EARLY_DELIVERED}, {6, ALLOCATION_RANDOM},
		{8, PAIR_DEPTH_MAX}, {10, PAIR_STEP_MAX}};
	struct pair_side bad[12], s;
	uint8_t buffer[PAIR_SIDE_BYTES];

	(void)state;
	for (size_t i = 0; i < LENGTH(bytes); i++) {
		memcpy(buffer, full_bytes, BYTES);
		buffer[9] = buffer[10] = 0; /* step */
		buffer[bytes[i].at] = bytes[i].last;
		assert_int_equal(pair_side_decode(buffer, BYTES, &s), 0);
		buffer[bytes[i].at]++;
		assert_int_equal(pair_side_decode(buffer, BYTES, &s), -EBADMSG);
	}
	for (size_t i = 0; i < LENGTH(bad); i++)
		bad[i] = full;
	bad[0].status = (enum path_status)(PATH_UNREACHABLE + 1);
	bad[1].nat = (enum tri)(TRI_YES + 1);
	bad[2].mapping = (enum dependence)(DEPENDENCE_PORT + 1);
	bad[3].allocation = (enum allocation_pattern)(ALLOCATION_RANDOM + 1);
	bad[4].step = PAIR_STEP_MAX + 1;
	bad[5].step = -PAIR_STEP_MAX - 1;
	bad[6].low = 0;
	bad[7].high = 0;
	bad[8].high = (uint16_t)(bad[8].low - 1);
	bad[9].sync_error_us = 60000001;
	bad[10].packets_max = PAIR_MANY + 1;
	bad[11].rate_pps = PAIR_MANY + 1;
	for (size_t i = 0; i < LENGTH(bad); i++)
		assert_int_equal(pair_side_encode(&bad[i], buffer, sizeof(buffer)), -EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_later_version),
		cmocka_unit_test(test_each_byte),
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
