// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "punch/query.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define BEGIN_US  1000000u
#define TIMES	  5

static const struct endpoint server = {FAMILY_IPV4, 3478, 0, {192, 0, 2, 7}};
static const struct endpoint mapped = {FAMILY_IPV4, 40000, 0, {198, 51, 100, 9}};

static struct query begin(uint64_t seed)
{
	struct random random;
	struct query q;

	random_init_number(&random, seed);
	query_begin(&q, BEGIN_US, 3, &server, &random);
	return q;
}

static bool poll(struct query *q, uint64_t now_us, uint64_t *deadline_us)
{
	uint8_t data[STUN_MESSAGE_BYTES];
	size_t length = 0;

	*deadline_us = UINT64_MAX;
	return query_poll(q, now_us, data, sizeof(data), &length, deadline_us);
}

static size_t make_answer(const struct query *q, enum stun_class class, uint16_t method,
	const struct endpoint *in, uint8_t out[static STUN_MESSAGE_BYTES])
{
	struct stun_writer s = stun_begin(out, STUN_MESSAGE_BYTES, class, method, &q->id);
	int n;

	if (class == STUN_ERROR)
		stun_add_error(&s, 500, "no");
	if (in)
		stun_add_address(&s, STUN_XOR_MAPPED_ADDRESS, in);
	stun_add_fingerprint(&s);
	n = stun_end(&s);
	assert_true(n > 0);
	return (size_t)n;
}

/* RFC 8489 6.2.1, and five of them; then it gives up, once and for good, and says that there is news. */
static void test_times(void **state)
{
	static const uint32_t at_ms[TIMES] = {0, 200, 600, 1400, 3000};
	struct query q = begin(1);
	uint64_t deadline_us, now_us = BEGIN_US;

	(void)state;
	for (unsigned i = 0; i < TIMES; i++) {
		assert_int_equal(now_us, BEGIN_US + at_ms[i] * 1000u);
		assert_true(poll(&q, now_us, &deadline_us));
		assert_false(poll(&q, now_us, &deadline_us));
		assert_true(deadline_us > now_us);
		assert_false(poll(&q, deadline_us - 1, &now_us));
		now_us = deadline_us;
	}
	assert_int_equal(now_us, BEGIN_US + 6200000u);
	assert_false(q.done);
	assert_false(poll(&q, now_us, &deadline_us));
	assert_true(q.done);
	/* without this, who waits for it would sleep until something else happens */
	assert_int_equal(deadline_us, now_us);
	assert_false(poll(&q, now_us, &deadline_us));
	assert_true(deadline_us == UINT64_MAX);
	assert_int_equal(q.mapped.family, FAMILY_NONE);
}

static void test_request(void **state)
{
	struct query q = begin(1), other = begin(2);
	struct stun_message m;
	uint8_t data[STUN_MESSAGE_BYTES];
	size_t length;
	uint64_t deadline_us = UINT64_MAX;

	(void)state;
	assert_true(query_poll(&q, BEGIN_US, data, sizeof(data), &length, &deadline_us));
	assert_int_equal(stun_decode(data, length, &m), 0);
	assert_int_equal(m.class, STUN_REQUEST);
	assert_int_equal(m.method, STUN_BINDING);
	assert_false(m.classic);
	assert_true(stun_id_equal(&m.id, &q.id));
	assert_false(stun_id_equal(&q.id, &other.id));
	/* a room that is too small: nothing is sent, and nothing beyond it is written */
	assert_false(query_poll(&other, BEGIN_US, data, 8, &length, &deadline_us));
}

static void test_not_begun(void **state)
{
	struct query q = {.begun = false};
	uint8_t data[STUN_MESSAGE_BYTES];
	uint64_t deadline_us;
	size_t length;

	(void)state;
	assert_false(poll(&q, BEGIN_US, &deadline_us));
	assert_true(deadline_us == UINT64_MAX);
	length = make_answer(&q, STUN_SUCCESS, STUN_BINDING, &mapped, data);
	assert_false(query_input(&q, 0, &q.to, data, length));
}

static void test_answers(void **state)
{
	static const struct endpoint other_port = {FAMILY_IPV4, 3479, 0, {192, 0, 2, 7}},
				     other_host = {FAMILY_IPV4, 3478, 0, {192, 0, 2, 8}};
	static const struct {
		enum stun_class class;
		uint16_t method;
		unsigned socket;
		const struct endpoint *from, *mapped;
		int id_change;
		bool taken, known;
	} rows[] = {
		{STUN_SUCCESS, STUN_BINDING, 3, &server, &mapped, 0, true, true},
		{STUN_SUCCESS, STUN_BINDING, 3, &server, NULL, 0, true, false},
		{STUN_ERROR, STUN_BINDING, 3, &server, NULL, 0, true, false},
		{STUN_ERROR, STUN_BINDING, 3, &server, &mapped, 0, true, false},
		{STUN_SUCCESS, STUN_BINDING, 2, &server, &mapped, 0, false, false},
		{STUN_SUCCESS, STUN_BINDING, 3, &other_port, &mapped, 0, false, false},
		{STUN_SUCCESS, STUN_BINDING, 3, &other_host, &mapped, 0, false, false},
		{STUN_SUCCESS, STUN_BINDING, 3, &server, &mapped, 1, false, false},
		{STUN_SUCCESS, 0x5d1, 3, &server, &mapped, 0, false, false},
		/* an echo of the request is no answer */
		{STUN_REQUEST, STUN_BINDING, 3, &server, NULL, 0, false, false},
		{STUN_INDICATION, STUN_BINDING, 3, &server, &mapped, 0, false, false},
	};
	uint8_t data[STUN_MESSAGE_BYTES];

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct query q = begin(1), as_sent = q;
		size_t length;

		as_sent.id.bytes[15] ^= (uint8_t)rows[i].id_change;
		length = make_answer(&as_sent, rows[i].class, rows[i].method, rows[i].mapped, data);
		for (size_t cut = 0; cut < length; cut++)
			assert_false(query_input(&q, rows[i].socket, rows[i].from, data, cut));
		assert_int_equal(
			query_input(&q, rows[i].socket, rows[i].from, data, length), rows[i].taken);
		assert_int_equal(q.done, rows[i].taken);
		assert_int_equal(endpoint_equal(&q.mapped, &mapped), rows[i].known);
	}
}

/* The first answer counts: neither a later one nor one after the end changes it. */
static void test_second_answer(void **state)
{
	static const struct endpoint lie = {FAMILY_IPV4, 1, 0, {203, 0, 113, 1}};
	struct query q = begin(1);
	uint8_t data[STUN_MESSAGE_BYTES];
	uint64_t deadline_us;
	size_t length;

	(void)state;
	length = make_answer(&q, STUN_SUCCESS, STUN_BINDING, &mapped, data);
	assert_true(query_input(&q, 3, &server, data, length));
	length = make_answer(&q, STUN_SUCCESS, STUN_BINDING, &lie, data);
	assert_true(query_input(&q, 3, &server, data, length));
	assert_true(endpoint_equal(&q.mapped, &mapped));
	assert_false(poll(&q, BEGIN_US, &deadline_us));
	assert_true(deadline_us == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_not_begun),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_second_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
