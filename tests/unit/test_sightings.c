// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/sightings.h"

#define MS     ((uint64_t)1000)
#define SECOND ((uint64_t)1000000)
#define START  (1000 * SECOND)

static const uint8_t key[SOURCES_KEY_BYTES] = {1};

static int setup(void **state)
{
	return sightings_create((struct sightings **)state, key);
}

static int teardown(void **state)
{
	sightings_destroy(*state);
	return 0;
}

static struct endpoint endpoint(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 0, &e), 0);
	return e;
}

/* The token of a number. */
static const uint8_t *token(unsigned number)
{
	static uint8_t bytes[ICMP_TOKEN_BYTES];

	memset(bytes, 0xaa, sizeof(bytes));
	memcpy(bytes, &number, sizeof(number));
	return bytes;
}

static int ask_for(struct sightings *s, uint64_t now_us, const char *from, unsigned number)
{
	struct endpoint e = endpoint(from);

	return sightings_ask(s, now_us, &e, token(number));
}

static bool see(struct sightings *s, uint64_t now_us, unsigned number, enum icmp_kind kind,
	uint16_t sequence, size_t length)
{
	uint8_t data[200];
	struct sighting it = {.local = 2, .data = {data, length}};

	memset(data, (int)sequence, sizeof(data));
	memcpy(it.token, token(number), sizeof(it.token));
	it.record = (struct icmp_record){.kind = kind, .sequence = sequence, .identifier = 5};
	it.record.from = endpoint("192.0.2.1:1");
	it.record.from.port = 0;
	return sightings_see(s, now_us, &it);
}

static size_t found(struct sightings *s, uint64_t now_us, unsigned number, struct icmp_record *out)
{
	return sightings_find(s, now_us, token(number), out);
}

static void test_known_for_a_minute(void **state)
{
	struct sightings *s = *state;
	struct icmp_record r[ICMP_RECORDS_MAX];

	assert_false(see(s, START, 1, ICMP_KIND_ECHO, 1, 0));
	assert_int_equal(ask_for(s, START, "192.0.2.1:1", 1), 0);
	assert_int_equal(found(s, START, 1, r), 0);
	assert_true(see(s, START + 5 * SECOND, 1, ICMP_KIND_ECHO, 2, 0));
	assert_false(see(s, START, 2, ICMP_KIND_ECHO, 3, 0));
	assert_int_equal(found(s, START + 7 * SECOND, 1, r), 1);
	assert_int_equal(r[0].sequence, 2);
	assert_int_equal(r[0].age_ms, 2000);
	assert_int_equal(found(s, START + ICMP_SEEN_US - 1, 1, r), 1);
	/* anew, by anybody who knows it */
	assert_int_equal(ask_for(s, START + ICMP_SEEN_US - 1, "198.51.100.1:1", 1), 0);
	assert_int_equal(found(s, START + 2 * (uint64_t)ICMP_SEEN_US - 2, 1, r), 1);
	assert_int_equal(found(s, START + 2 * (uint64_t)ICMP_SEEN_US - 1, 1, r), 0);
	assert_false(see(s, START + 2 * (uint64_t)ICMP_SEEN_US - 1, 1, ICMP_KIND_ECHO, 4, 0));
	/* as if it had never been there */
	assert_int_equal(ask_for(s, START + 2 * (uint64_t)ICMP_SEEN_US, "192.0.2.1:1", 1), 0);
	assert_int_equal(found(s, START + 2 * (uint64_t)ICMP_SEEN_US, 1, r), 0);
}

static void test_first_ones(void **state)
{
	struct sightings *s = *state;
	struct icmp_record r[ICMP_RECORDS_MAX];

	assert_int_equal(ask_for(s, START, "192.0.2.1:1", 1), 0);
	for (uint16_t i = 0; i < 30; i++)
		assert_true(
			see(s, START + i, 1, i % 2 ? ICMP_KIND_ERROR : ICMP_KIND_ECHO, i, i * 5u));
	assert_int_equal(found(s, START, 1, r), ICMP_RECORDS_MAX);
	for (uint16_t i = 0; i < ICMP_RECORDS_MAX; i++)
		assert_int_equal(r[i].sequence, i);
}

static void test_limits(void **state)
{
	struct sightings *s = *state;
	char text[32];

	for (unsigned i = 0; i < SIGHTINGS_OF_SOURCE; i++)
		assert_int_equal(ask_for(s, START, "192.0.2.1:1", i), 0);
	assert_int_equal(ask_for(s, START, "192.0.2.1:2", 99), -EDQUOT);
	assert_int_equal(ask_for(s, START, "192.0.2.1:2", 3), 0);
	for (unsigned i = SIGHTINGS_OF_SOURCE; i < SIGHTINGS_TOKENS; i++) {
		snprintf(text, sizeof(text), "10.0.%u.1:1", i / SIGHTINGS_OF_SOURCE);
		assert_int_equal(ask_for(s, START + SECOND, text, i), 0);
	}
	assert_int_equal(ask_for(s, START + SECOND, "192.0.2.7:1", 9999), -EBUSY);
	/* those of the first one are over, but for that which it has asked for again */
	assert_int_equal(ask_for(s, START + 10 * SECOND, "192.0.2.1:1", 3), 0);
	for (unsigned i = 0; i < SIGHTINGS_OF_SOURCE - 1; i++)
		assert_int_equal(ask_for(s, START + ICMP_SEEN_US, "192.0.2.1:1", 10000 + i), 0);
	assert_int_equal(ask_for(s, START + ICMP_SEEN_US, "192.0.2.7:1", 20000), -EBUSY);
}

/* --- replies --- */

static int later(struct sightings *s, uint64_t now_us, const char *from, uint8_t id, uint32_t ms,
	uint16_t *sequence)
{
	struct icmp_inquiry m = {.class = STUN_REQUEST, .ask = ICMP_ASK_LATER, .later_ms = ms};
	struct endpoint e = endpoint(from);
	struct icmp_record r = {.kind = ICMP_KIND_ECHO};
	int err;

	m.id.bytes[15] = id;
	memcpy(m.token, token(1), sizeof(m.token));
	err = sightings_reply_later(s, now_us, &e, &m, &r);
	*sequence = r.sequence;
	return err;
}

static void test_later(void **state)
{
	struct sightings *s = *state;
	struct sightings_reply reply;
	uint16_t n;

	assert_int_equal(later(s, START, "192.0.2.1:7", 1, 0, &n), -ENOENT);
	assert_int_equal(ask_for(s, START, "192.0.2.1:1", 1), 0);
	see(s, START, 1, ICMP_KIND_ERROR, 1, 0);
	assert_int_equal(later(s, START, "192.0.2.1:7", 1, 0, &n), -ENOENT);
	see(s, START, 1, ICMP_KIND_ECHO, 2, 20);
	see(s, START, 1, ICMP_KIND_ECHO, 3, 200);
	see(s, START, 1, ICMP_KIND_ERROR, 4, 0);
	assert_int_equal(later(s, START, "192.0.2.2:7", 1, 0, &n), -EXDEV);
	assert_int_equal(later(s, START, "192.0.2.1:7", 1, 500, &n), 0);
	assert_int_equal(n, 3); /* the newest one */
	assert_int_equal(later(s, START, "192.0.2.1:7", 1, 500, &n), 0);
	assert_int_equal(n, 3); /* the same request */
	assert_int_equal(later(s, START, "192.0.2.1:7", 2, 400, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(later(s, START, "192.0.2.1:7", 3, 0, &n), -ENOENT);
	assert_int_equal(later(s, START, "192.0.2.1:8", 1, 0, &n), -ENOENT); /* another one's ID */
	assert_int_equal(sightings_next_us(s), START + 400 * MS);
	assert_false(sightings_poll(s, START + 400 * MS - 1, &reply));
	assert_true(sightings_poll(s, START + 400 * MS, &reply));
	assert_int_equal(reply.sequence, 2);
	assert_int_equal(reply.identifier, 5);
	assert_int_equal(reply.local, 2);
	assert_int_equal(reply.length, 20);
	assert_false(sightings_poll(s, START + 400 * MS, &reply));
	assert_int_equal(sightings_next_us(s), START + 500 * MS);
	assert_true(sightings_poll(s, START + SECOND, &reply));
	assert_int_equal(reply.length, ICMP_KEPT_BYTES);
	assert_int_equal(reply.data[ICMP_KEPT_BYTES - 1], 3);
	assert_false(sightings_poll(s, START + SECOND, &reply));
	assert_true(sightings_next_us(s) == UINT64_MAX);
	assert_int_equal(later(s, START + SECOND, "192.0.2.1:7", 2, 400, &n), 0);
	assert_int_equal(n, 2); /* answered still, and sent no second time */
	assert_true(sightings_next_us(s) == UINT64_MAX);
}

/* Also behind the first eight; and while its reply is due it is not taken for another one. */
static void test_newest(void **state)
{
	struct sightings *s = *state;
	struct sightings_reply reply;
	uint16_t n;

	assert_int_equal(ask_for(s, START, "192.0.2.1:1", 1), 0);
	for (uint16_t i = 0; i < 20; i++)
		see(s, START, 1, ICMP_KIND_ECHO, i, 0);
	assert_int_equal(later(s, START, "192.0.2.1:7", 1, 10, &n), 0);
	assert_int_equal(n, 19);
	see(s, START, 1, ICMP_KIND_ECHO, 20, 0); /* no room for it now */
	assert_true(sightings_poll(s, START + 10 * MS, &reply));
	assert_int_equal(reply.sequence, 19);
	see(s, START, 1, ICMP_KIND_ECHO, 21, 0);
	assert_int_equal(later(s, START, "192.0.2.1:7", 2, 10, &n), 0);
	assert_int_equal(n, 21);
	for (uint16_t i = 7; i < 8; i--) {
		assert_int_equal(later(s, START, "192.0.2.1:7", (uint8_t)(100 + i), 10, &n), 0);
		assert_int_equal(n, i);
	}
	assert_int_equal(later(s, START, "192.0.2.1:7", 3, 10, &n), -ENOENT);
}

/* A token stays until the last reply has been sent, five minutes if need be. */
static void test_long(void **state)
{
	struct sightings *s = *state;
	struct icmp_record r[ICMP_RECORDS_MAX];
	struct sightings_reply reply;
	uint64_t end_us = START + ICMP_LATER_MAX_MS * MS;
	uint16_t n;

	assert_int_equal(ask_for(s, START, "192.0.2.1:1", 1), 0);
	see(s, START, 1, ICMP_KIND_ECHO, 1, 0);
	assert_int_equal(later(s, START, "192.0.2.1:7", 1, ICMP_LATER_MAX_MS, &n), 0);
	assert_int_equal(ask_for(s, end_us - 1, "192.0.2.1:1", 2), 0);
	assert_int_equal(found(s, end_us - 1, 1, r), 1);
	assert_int_equal(r[0].age_ms, ICMP_LATER_MAX_MS - 1);
	assert_true(sightings_poll(s, end_us, &reply));
	assert_int_equal(found(s, end_us, 1, r), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_known_for_a_minute, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
