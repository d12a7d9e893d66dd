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
#include <stdlib.h>
#include <string.h>

#include "punch/sealed.h"
#include "test_punch_kit.h"

#define ROOM (4 * SEALED_RECORD_MAX)

struct kit {
	struct keys keys[2];
	struct sealed a, b;
	uint8_t wire[ROOM], out[SEALED_BYTES_MAX];
	size_t length; /* on the wire */
};

static struct kit kit;

static struct span salt(int number)
{
	static const char *const salts[] = {"", "connection 1", "connection 2"};

	return (struct span){(const uint8_t *)salts[number], strlen(salts[number])};
}

static int setup(void **state)
{
	(void)state;
	memset(&kit, 0, sizeof(kit));
	keys_of_both(&kit.keys[0], &kit.keys[1]);
	sealed_init(&kit.a, &kit.keys[0], salt(1));
	sealed_init(&kit.b, &kit.keys[1], salt(1));
	return 0;
}

static void push(const void *data, size_t length, bool last)
{
	int n = sealed_push(&kit.a, data, length, last, kit.wire + kit.length, ROOM - kit.length);

	assert_true(n > 0);
	kit.length += (size_t)n;
}

/* From the beginning of what is on the wire, of which only size bytes have come. */
static int pull(size_t size, size_t *length)
{
	uint8_t *exact = malloc(size ? size : 1); /* a sanitizer sees what is read beyond it */
	size_t taken;
	int event;

	assert_non_null(exact);
	memcpy(exact, kit.wire, size);
	event = sealed_pull(&kit.b, exact, size, &taken, kit.out, length);
	free(exact);
	assert_true(taken <= size);
	memmove(kit.wire, kit.wire + taken, kit.length - taken);
	kit.length -= taken;
	return event;
}

static void assert_pulls(const char *expected, enum sealed_event event)
{
	size_t length;

	assert_int_equal(pull(kit.length, &length), event);
	assert_int_equal(length, strlen(expected));
	assert_memory_equal(kit.out, expected, length);
}

static void test_records(void **state)
{
	static uint8_t big[SEALED_BYTES_MAX + 1];
	size_t length;

	(void)state;
	push("one", 3, false);
	assert_int_equal(kit.length, SEALED_HEADER + SEALED_OVERHEAD + 3);
	push("", 0, false);
	push("three", 5, false);
	assert_pulls("one", SEALED_DATA);
	assert_pulls("", SEALED_DATA);
	assert_pulls("three", SEALED_DATA);
	assert_pulls("", SEALED_MORE);
	memset(big, 7, sizeof(big));
	push(big, SEALED_BYTES_MAX, false);
	assert_int_equal(kit.length, SEALED_RECORD_MAX);
	assert_int_equal(pull(kit.length, &length), SEALED_DATA);
	assert_int_equal(length, SEALED_BYTES_MAX);
	assert_memory_equal(kit.out, big, length);
	assert_int_equal(sealed_push(&kit.a, big, sizeof(big), false, kit.wire, ROOM), -EMSGSIZE);
	assert_int_equal(
		sealed_push(&kit.a, big, 9, false, kit.wire, SEALED_OVERHEAD + 8), -EMSGSIZE);
	push("bye", 3, true);
	assert_pulls("bye", SEALED_LAST);
	assert_pulls("", SEALED_MORE);
	assert_int_equal(sealed_push(&kit.a, "x", 1, false, kit.wire, ROOM), -EPIPE);
	kit.length = 1;
	assert_int_equal(pull(1, &length), -EPIPE);
}

/* However it is cut. */
static void test_pieces(void **state)
{
	size_t length, have = 0;
	unsigned records = 0;
	int event;

	(void)state;
	push("one", 3, false);
	push("two", 3, true);
	while (records < 2) {
		size_t before = kit.length;

		event = pull(have, &length);
		have -= before - kit.length;
		assert_true(event >= 0);
		records += event > SEALED_MORE;
		if (event == SEALED_MORE)
			assert_true(++have <= kit.length);
	}
	assert_int_equal(event, SEALED_LAST);
	assert_int_equal(kit.length, 0);
}

/* Each single bit of header, length and record is authentic; a length that is too long only waits for more. */
static void test_altered(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < 8 * (SEALED_HEADER + 2 * (SEALED_OVERHEAD + 3)); bit++) {
		size_t length;
		int event;

		setup(NULL);
		push("one", 3, false);
		push("two", 3, false);
		kit.wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
		event = pull(kit.length, &length);
		if (event == SEALED_DATA) {
			assert_true(bit >= 8 * (SEALED_HEADER + SEALED_OVERHEAD + 3));
			assert_memory_equal(kit.out, "one", 3);
			event = pull(kit.length, &length);
		}
		assert_true(event == -EBADMSG || event == SEALED_MORE);
		assert_int_equal(length, 0);
	}
}

/* Left out, twice, in another order, or sent back. */
static void test_order(void **state)
{
	uint8_t records[3][SEALED_OVERHEAD + 1];
	static const uint8_t orders[][3] = {{0, 2, 1}, {0, 0, 1}, {1, 0, 2}, {0, 2, 2}};
	size_t length;

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		unsigned good = 0;

		setup(NULL);
		push("a", 1, false);
		for (unsigned k = 0; k < 3; k++) {
			memcpy(records[k], kit.wire + SEALED_HEADER + k * (SEALED_OVERHEAD + 1),
				sizeof(records[k]));
			push(k ? "c" : "b", 1, false);
		}
		kit.length = SEALED_HEADER;
		for (unsigned k = 0; k < 3; k++) {
			memcpy(kit.wire + kit.length, records[orders[i][k]], sizeof(records[0]));
			kit.length += sizeof(records[0]);
		}
		while (pull(kit.length, &length) == SEALED_DATA)
			good++;
		assert_true(good < 3);
		assert_int_equal(good, orders[i][0] ? 0 : 1);
	}
	setup(NULL);
	push("x", 1, false);
	assert_int_equal(
		sealed_pull(&kit.a, kit.wire, kit.length, &length, kit.out, &length), -EBADMSG);
}

/* Records that no peer sends: shorter than their tag, or longer than there is room for. */
static void test_lengths(void **state)
{
	static const struct {
		uint16_t size;
		int event;
	} rows[] = {{0, -EBADMSG}, {16, -EBADMSG}, {17, SEALED_MORE}, {16401, SEALED_MORE},
		{16402, -EBADMSG}, {65535, -EBADMSG}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t length;

		setup(NULL);
		push("one", 3, false);
		assert_pulls("one", SEALED_DATA);
		kit.wire[0] = (uint8_t)(rows[i].size >> 8);
		kit.wire[1] = (uint8_t)rows[i].size;
		kit.length = 2;
		assert_int_equal(pull(2, &length), rows[i].event);
	}
}

/* What was recorded on one connection cannot be played back on another. */
static void test_salt(void **state)
{
	size_t length;

	(void)state;
	for (int number = 0; number < 3; number++) {
		setup(NULL);
		sealed_init(&kit.b, &kit.keys[1], salt(number));
		push("hello", 5, false);
		assert_int_equal(pull(kit.length, &length), number == 1 ? SEALED_DATA : -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_records, setup),
		cmocka_unit_test_setup(test_salt, setup),
		cmocka_unit_test_setup(test_pieces, setup),
		cmocka_unit_test_setup(test_altered, setup),
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_lengths, setup),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
