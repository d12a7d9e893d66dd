// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "punch/egress.h"
#include "wire/icmp.h"

#define MS 1000u

/* A natprobed by hand. */
struct kit {
	struct knock_egress e;
	uint64_t now_us;
	unsigned requests, errors; /* that were sent */
	struct icmp_inquiry last; /* request */
	struct knock_output out; /* the latest one, which `last` points into */
};

static const struct endpoint server = {FAMILY_IPV4, 3478, 0, {198, 51, 100, 1}};
static const struct endpoint dark = {FAMILY_IPV4, 33434, 0, {198, 18, 0, 1}};

static void begin(struct kit *k)
{
	struct random random;

	random_init_number(&random, 1);
	*k = (struct kit){.now_us = 1};
	egress_begin(&k->e, k->now_us, &server, &dark, &random);
}

/* All that is due within this time. */
static void pass(struct kit *k, uint64_t us)
{
	uint64_t end_us = k->now_us + us;

	for (;;) {
		uint64_t at_us = UINT64_MAX;
		uint8_t token[ICMP_TOKEN_BYTES];

		while (egress_poll(&k->e, k->now_us, &k->out, &at_us)) {
			assert_true(endpoint_equal(&k->out.to, &server));
			if (k->out.action == KNOCK_SEND) {
				assert_int_equal(
					icmp_decode(k->out.data, k->out.length, &k->last), 0);
				assert_int_equal(k->last.ask, ICMP_ASK_SEEN);
				k->requests++;
				continue;
			}
			assert_int_equal(k->out.action, KNOCK_ERROR);
			assert_true(endpoint_equal(&k->out.quoted_from, &server));
			assert_true(endpoint_equal(&k->out.quoted_to, &dark));
			assert_true(
				icmp_read_mark((struct span){k->out.data, k->out.length}, token));
			assert_memory_equal(token, k->last.token, sizeof(token));
			k->errors++;
		}
		if (at_us > end_us)
			break;
		k->now_us = at_us;
	}
	k->now_us = end_us;
}

static void answer(struct kit *k, struct icmp_inquiry *m)
{
	uint8_t bytes[STUN_MESSAGE_BYTES];
	int length = icmp_encode(m, bytes, sizeof(bytes), 0);

	assert_true(length > 0);
	assert_true(egress_input(&k->e, k->now_us, bytes, (size_t)length));
}

static void refuse(struct kit *k, uint16_t code)
{
	static const uint8_t cookie[] = "a cookie";
	struct icmp_inquiry m = {.class = STUN_ERROR, .id = k->last.id, .error_code = code};

	if (code == ICMP_STALE)
		m.cookie = (struct span){cookie, sizeof(cookie)};
	answer(k, &m);
}

/* So many errors have arrived. */
static void tell(struct kit *k, unsigned seen)
{
	struct icmp_inquiry m = {.class = STUN_SUCCESS,
		.id = k->last.id,
		.ask = ICMP_ASK_SEEN,
		.mapped = {FAMILY_IPV4, 40000, 0, {192, 0, 2, 2}},
		.record_count = seen};

	memcpy(m.token, k->last.token, sizeof(m.token));
	for (unsigned i = 0; i < seen; i++)
		m.records[i] = (struct icmp_record){.kind = ICMP_KIND_ERROR,
			.type = 11,
			.from = {FAMILY_IPV4, 0, 0, {10, 0, 0, 2}},
			.to = {FAMILY_IPV4, 0, 0, {198, 51, 100, 1}},
			.quoted_protocol = 17,
			.quoted_from = server,
			.quoted_to = dark};
	answer(k, &m);
}

/* The server wants a cookie, takes it, and looks for four errors. */
static void begin_sending(struct kit *k)
{
	begin(k);
	pass(k, 0);
	assert_int_equal(k->last.cookie.length, 0);
	refuse(k, ICMP_STALE);
	pass(k, 10 * MS);
	assert_int_equal(k->requests, 2);
	assert_string_equal((const char *)k->last.cookie.data, "a cookie");
	tell(k, 0);
	pass(k, 600 * MS);
	assert_int_equal(k->errors, 4);
	assert_int_equal(k->requests, 3);
	assert_false(egress_is_done(&k->e));
}

static void test_out(void **state)
{
	struct kit k;

	(void)state;
	begin_sending(&k);
	tell(&k, 3);
	assert_int_equal(k.e.result.state, KNOCK_EGRESS_OUT);
	assert_int_equal(k.e.result.sent, 4);
	assert_int_equal(k.e.result.seen, 3);
	assert_int_equal(k.e.result.from.address[0], 10);
	pass(&k, 5000 * MS);
	assert_int_equal(k.requests, 3);
}

static void test_dropped(void **state)
{
	struct kit k;

	(void)state;
	begin_sending(&k);
	tell(&k, 0);
	assert_int_equal(k.e.result.state, KNOCK_EGRESS_DROPPED);
}

/* What never left this host says nothing about the NAT. */
static void test_unsent(void **state)
{
	struct kit k;

	(void)state;
	begin_sending(&k);
	for (int i = 0; i < 5; i++)
		egress_unsent(&k.e);
	tell(&k, 0);
	assert_int_equal(k.e.result.state, KNOCK_EGRESS_UNKNOWN);
	assert_int_equal(k.e.result.sent, 0);
}

static void test_no_answer(void **state)
{
	struct kit k;

	(void)state;
	begin(&k);
	pass(&k, 5000 * MS);
	assert_int_equal(k.e.result.state, KNOCK_EGRESS_UNKNOWN);
	assert_int_equal(k.requests, 3);
	assert_int_equal(k.errors, 0);
	begin_sending(&k); /* … in the end */
	pass(&k, 5000 * MS);
	assert_int_equal(k.e.result.state, KNOCK_EGRESS_UNKNOWN);
	assert_int_equal(k.errors, 4);
}

static void test_refused(void **state)
{
	struct kit k;

	(void)state;
	begin(&k);
	pass(&k, 0);
	refuse(&k, ICMP_OFF);
	assert_int_equal(k.e.result.state, KNOCK_EGRESS_UNKNOWN);
	pass(&k, 5000 * MS);
	assert_int_equal(k.errors, 0);
}

/* A server that never takes its own cookies. */
static void test_cookies_without_end(void **state)
{
	struct kit k;

	(void)state;
	begin(&k);
	for (int i = 0; i < 100; i++) {
		pass(&k, 10 * MS);
		refuse(&k, ICMP_STALE);
	}
	assert_in_range(k.requests, 2, 3);
	pass(&k, 5000 * MS);
	assert_int_equal(k.e.result.state, KNOCK_EGRESS_UNKNOWN);
}

/* Answers to other requests, to earlier ones and to none, and what is none. */
static void test_strange(void **state)
{
	struct kit k;
	struct icmp_inquiry before;

	(void)state;
	begin(&k);
	pass(&k, 0);
	before = k.last;
	refuse(&k, ICMP_STALE);
	pass(&k, 10 * MS);
	k.last.id = before.id;
	tell(&k, 2);
	assert_int_equal(k.e.result.state, KNOCK_EGRESS_ASKING);
	assert_false(egress_input(&k.e, k.now_us, "no STUN at all, but text", 24));
	pass(&k, 5000 * MS);
	tell(&k, 1); /* too late */
	assert_int_equal(k.e.result.state, KNOCK_EGRESS_UNKNOWN);
}

/* Before all errors have been sent no answer can say that none has arrived. */
static void test_answer_too_early(void **state)
{
	struct kit k;

	(void)state;
	begin(&k);
	pass(&k, 0);
	tell(&k, 0);
	pass(&k, 60 * MS);
	assert_int_equal(k.errors, 2);
	tell(&k, 0);
	assert_int_equal(k.e.result.state, KNOCK_EGRESS_SENDING);
	pass(&k, 400 * MS);
	assert_int_equal(k.errors, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_unsent),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cookies_without_end),
		cmocka_unit_test(test_strange),
		cmocka_unit_test(test_answer_too_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
