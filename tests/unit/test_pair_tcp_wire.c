// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* What one side tells the other about its TCP, as bytes. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tests/fuzz/pair_tcp_rules.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define BYTES	  25

static const struct pair_tcp_side full = {PATH_OK, TRI_YES, DEPENDENCE_ADDRESS_AND_PORT,
	DEPENDENCE_ADDRESS, ALLOCATION_SEQUENTIAL, -2, 0x1234, 0xfedc, SHARE_SOMETIMES,
	EARLY_SYN_LATE, TRI_NO, 0x01020304, 0x0809, 0x000a0b0c};

static const uint8_t full_bytes[BYTES] = {1, 1, 2, 3, 2, 2, 2, 4, 1, 0xff, 0xfe, 0x12, 0x34, 0xfe,
	0xdc, 0x08, 0x09, 0x00, 0x0a, 0x0b, 0x0c, 0x01, 0x02, 0x03, 0x04};

static void test_round_trip(void **state)
{
	static const struct pair_tcp_side nothing;
	const struct pair_tcp_side *all[] = {&full, &nothing};
	uint8_t buffer[PAIR_TCP_SIDE_BYTES];
	struct pair_tcp_side s;

	(void)state;
	for (size_t i = 0; i < LENGTH(all); i++) {
		assert_int_equal(pair_tcp_side_encode(all[i], buffer, sizeof(buffer)), BYTES);
		assert_int_equal(pair_tcp_side_decode(buffer, BYTES, &s), 0);
		assert_true(rule_same_tcp_side(&s, all[i]));
	}
	assert_int_equal(pair_tcp_side_encode(&full, buffer, sizeof(buffer)), BYTES);
	assert_memory_equal(buffer, full_bytes, BYTES);
}

static void test_truncated(void **state)
{
	struct pair_tcp_side s;

	(void)state;
	for (size_t length = 0; length < BYTES; length++) {
		uint8_t buffer[BYTES];

		assert_int_equal(pair_tcp_side_decode(full_bytes, length, &s), -EBADMSG);
		assert_int_equal(pair_tcp_side_encode(&full, buffer, length), -EMSGSIZE);
	}
}

/* A later version adds fields; more than there may ever be is not one of ours. */
static void test_later_version(void **state)
{
	uint8_t bytes[PAIR_TCP_SIDE_BYTES + 1];
	struct pair_tcp_side s;

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	memcpy(bytes, full_bytes, BYTES);
	bytes[0] = 2;
	assert_int_equal(pair_tcp_side_decode(bytes, PAIR_TCP_SIDE_BYTES, &s), 0);
	assert_true(rule_same_tcp_side(&s, &full));
	assert_int_equal(pair_tcp_side_decode(bytes, PAIR_TCP_SIDE_BYTES + 1, &s), -EBADMSG);
	bytes[0] = 0;
	assert_int_equal(pair_tcp_side_decode(bytes, PAIR_TCP_SIDE_BYTES, &s), -EBADMSG);
}

/* Each byte with each value: refused, or a side that can be written again and planned with. */
static void test_each_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < BYTES; i++) {
		for (unsigned value = 0; value < 256; value++) {
			uint8_t bytes[BYTES], again[PAIR_TCP_SIDE_BYTES];
			struct pair_tcp_side sides[2] = {full, full};
			struct pair_tcp_advice advice;
			const char *broken;
			int result;

			memcpy(bytes, full_bytes, BYTES);
			bytes[i] = (uint8_t)value;
			result = pair_tcp_side_decode(bytes, BYTES, &sides[1]);
			if (result) {
				assert_int_equal(result, -EBADMSG);
				assert_true(rule_same_tcp_side(&sides[1], &full)); /* untouched */
				continue;
			}
			assert_int_equal(
				pair_tcp_side_encode(&sides[1], again, sizeof(again)), BYTES);
			assert_memory_equal(again + 1, bytes + 1, 16); /* up to what is clamped */
			pair_tcp_advise(sides, FAMILY_IPV4, &advice);
			broken = rule_broken_by_tcp(&advice, sides);
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
		{4, DEPENDENCE_PORT}, {5, ALLOCATION_RANDOM}, {6, SHARE_NEVER},
		{7, EARLY_SYN_REMAP}, {8, TRI_YES}, {10, PAIR_STEP_MAX}};
	struct pair_tcp_side bad[13], s;
	uint8_t buffer[PAIR_TCP_SIDE_BYTES];

	(void)state;
	for (size_t i = 0; i < LENGTH(bytes); i++) {
		memcpy(buffer, full_bytes, BYTES);
		buffer[9] = buffer[10] = 0; /* step */
		buffer[bytes[i].at] = bytes[i].last;
		assert_int_equal(pair_tcp_side_decode(buffer, BYTES, &s), 0);
		buffer[bytes[i].at]++;
		assert_int_equal(pair_tcp_side_decode(buffer, BYTES, &s), -EBADMSG);
	}
	for (size_t i = 0; i < LENGTH(bad); i++)
		bad[i] = full;
	bad[0].status = (enum path_status)(PATH_UNREACHABLE + 1);
	bad[1].nat = (enum tri)(TRI_YES + 1);
	bad[2].mapping = (enum dependence)(DEPENDENCE_PORT + 1);
	bad[3].filtering = (enum dependence)(DEPENDENCE_PORT + 1);
	bad[4].allocation = (enum allocation_pattern)(ALLOCATION_RANDOM + 1);
	bad[5].preservation = (enum share)(SHARE_NEVER + 1);
	bad[6].early = (enum early_syn)(EARLY_SYN_REMAP + 1);
	bad[7].simultaneous = (enum tri)(TRI_YES + 1);
	bad[8].step = PAIR_STEP_MAX + 1;
	bad[9].step = -PAIR_STEP_MAX - 1;
	bad[10].low = 0;
	bad[11].high = 0;
	bad[12].high = (uint16_t)(bad[12].low - 1);
	for (size_t i = 0; i < LENGTH(bad); i++)
		assert_int_equal(pair_tcp_side_encode(&bad[i], buffer, sizeof(buffer)), -EINVAL);
}

/* Whoever says more than can be means the most, and both sides plan with that: the peer has it from the wire. */
static void test_clamped(void **state)
{
	struct pair_tcp_side own[2] = {full, full}, told[2] = {full, full};
	uint8_t buffer[PAIR_TCP_SIDE_BYTES];
	struct pair_tcp_advice a, b;

	(void)state;
	own[0].mapping = told[0].mapping = DEPENDENCE_ENDPOINT_INDEPENDENT;
	own[0].sync_error_us = own[1].rate_cps = UINT32_MAX;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pair_tcp_side_encode(&own[i], buffer, sizeof(buffer)), BYTES);
		assert_int_equal(pair_tcp_side_decode(buffer, BYTES, &told[i]), 0);
	}
	assert_int_equal(told[0].sync_error_us, 60000000);
	assert_int_equal(told[1].rate_cps, PAIR_MANY);
	pair_tcp_advise(own, FAMILY_IPV4, &a);
	pair_tcp_advise(told, FAMILY_IPV4, &b);
	assert_true(a.count);
	assert_memory_equal(&a, &b, sizeof(a));
	memset(buffer + 17, 0xff, 8); /* rate and sync error */
	assert_int_equal(pair_tcp_side_decode(buffer, BYTES, &told[0]), 0);
	assert_int_equal(told[0].sync_error_us, 60000000);
	assert_int_equal(told[0].rate_cps, PAIR_MANY);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_later_version),
		cmocka_unit_test(test_each_byte),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_clamped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
