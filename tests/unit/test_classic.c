// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* The classic knock: what is quoted, whom a NAT is opened for, and both engines with it. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "punch/classic.h"
#include "punch/knocker.h"
#include "punch/waiter.h"
#include "wire/packet.h"

#define SECOND	 UINT64_C(1000000)
#define START_US (1000 * SECOND)
#define UTC_US	 ((UINT64_C(6000000) * KNOCK_SLOT_S + 100) * SECOND) /* in the middle of a slot */

static struct endpoint at(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 0, &e), 0);
	return e;
}

static const struct knock_key key = {{1, 2, 3}};
static struct trail *trail;

static struct knock_place place(void)
{
	struct knock_place p;

	knock_place_at(&key, UTC_US / SECOND / KNOCK_SLOT_S, &p);
	return p;
}

/* --- what is quoted --- */

static size_t build(
	uint8_t *out, size_t size, const struct endpoint *from, const struct endpoint *to)
{
	struct endpoint identifier = *from;
	int n;

	identifier.port = 0;
	n = packet_build_echo(out, size, &identifier, to, 1, false, 0, NULL, 0);
	assert_true(n > 0);
	return (size_t)n;
}

static void test_echo(void **state)
{
	struct endpoint from = at("192.0.2.1"), to = at("198.18.3.4"), other = at("192.0.2.2");
	uint8_t bytes[64] = {0};
	size_t n = build(bytes, sizeof(bytes), &from, &to);

	(void)state;
	assert_int_equal(n, CLASSIC_ECHO_BYTES);
	assert_true(classic_is_echo((struct span){bytes, n}, &from, &to));
	/* what a router may add behind it (RFC 4884) */
	assert_true(classic_is_echo((struct span){bytes, sizeof(bytes)}, &from, &to));
	for (size_t i = 0; i < n; i++)
		assert_false(classic_is_echo((struct span){bytes, i}, &from, &to));
	assert_false(classic_is_echo((struct span){bytes, n}, &other, &to));
	assert_false(classic_is_echo((struct span){bytes, n}, &from, &other));
	assert_false(classic_is_echo((struct span){NULL, 0}, &from, &to));
}

/* Of the header what has to be: the fields that a router changes may differ. */
static void test_echo_altered(void **state)
{
	static const struct {
		uint8_t offset, value;
		bool is_echo;
	} rows[] = {
		{0, 0x46, false}, /* options */
		{0, 0x65, false}, /* IPv6 */
		{1, 0x10, true}, /* TOS */
		{3, 29, false}, /* a length with data */
		{3, 27, false}, {5, 7, true}, /* identification */
		{8, 60, true}, /* TTL */
		{9, 17, false}, /* UDP */
		{10, 0xaa, true}, /* checksum */
		{20, 0, false}, /* a reply */
		{20, 11, false}, {25, 1, false}, /* identifier */
		{27, 1, false}, /* sequence number */
	};
	struct endpoint from = at("192.0.2.1"), to = at("198.18.3.4");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t bytes[CLASSIC_ECHO_BYTES];

		build(bytes, sizeof(bytes), &from, &to);
		bytes[rows[i].offset] = rows[i].value;
		if (classic_is_echo((struct span){bytes, sizeof(bytes)}, &from, &to) !=
			rows[i].is_echo)
			fail_msg("row %zu", i);
	}
}

/* Whatever comes in, of any length. */
static void test_echo_random(void **state)
{
	struct endpoint from = at("192.0.2.1"), to = at("198.18.3.4");
	struct random random;

	(void)state;
	random_init_number(&random, 3);
	for (unsigned i = 0; i < 100000; i++) {
		size_t n = random_below(&random, 64);
		uint8_t *bytes =
			malloc(n ? n : 1); /* for a sanitizer to see what is read behind it */

		assert_non_null(bytes);
		random_bytes(&random, bytes, n);
		if (n >= CLASSIC_ECHO_BYTES && i % 2) {
			build(bytes, n, &from, &to);
			bytes[random_below(&random, CLASSIC_ECHO_BYTES)] ^=
				(uint8_t)(1 + random_below(&random, 255));
		}
		classic_is_echo((struct span){bytes, n}, &from, &to);
		free(bytes);
	}
}

/* --- openings --- */

static void test_openings(void **state)
{
	struct classic_openings o = {{{0}}};
	struct endpoint a = at("192.0.2.1"), b = at("192.0.2.2");
	const struct classic_opening *p;

	(void)state;
	a.port = b.port = 20000;
	assert_null(classic_take(&o));
	assert_true(classic_add(&o, START_US, 3, &a));
	assert_false(classic_add(&o, START_US, 3, &a));
	assert_true(classic_add(&o, START_US, 4, &a));
	assert_true(classic_add(&o, START_US, 3, &b));
	p = classic_take(&o);
	assert_non_null(p);
	assert_int_equal(p->socket, 3);
	assert_true(endpoint_equal(&p->to, &a));
	assert_non_null(classic_take(&o));
	assert_non_null(classic_take(&o));
	assert_null(classic_take(&o));
	assert_false(classic_add(&o, START_US + SECOND - 1, 3, &a));
	assert_null(classic_take(&o));
	assert_true(classic_add(&o, START_US + SECOND, 3, &a));
	assert_non_null(classic_take(&o));
	assert_null(classic_take(&o));
}

/* Errors from everywhere, for a minute: so many packets and no more. */
static void test_flood(void **state)
{
	struct classic_openings o = {{{0}}};
	unsigned packets = 0;

	(void)state;
	for (unsigned i = 0; i < 60000; i++) {
		struct endpoint to = {
			FAMILY_IPV4, 20000, 0, {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};

		classic_add(&o, START_US + i * UINT64_C(1000), 3, &to);
		while (classic_take(&o))
			packets++;
	}
	assert_true(packets > 0);
	assert_true(packets <= CLASSIC_OPENINGS * 60 * SECOND / CLASSIC_PERIOD_US);
}

/* --- who waits --- */

static struct waiter *create_waiter(struct endpoint *local)
{
	struct waiter_config config = {.key = key,
		.utc_us = UTC_US,
		.from = {at("10.0.1.2")},
		.from_count = 1,
		.classic = true,
		.trail = trail};
	struct knock_output out;
	struct waiter *w;
	uint64_t deadline_us = UINT64_MAX;

	random_init_number(&config.random, 1);
	assert_int_equal(waiter_create(&config, START_US, &w), 0);
	assert_true(waiter_poll(w, START_US, &out, &deadline_us));
	assert_int_equal(out.action, KNOCK_OPEN);
	assert_int_equal(out.local.port, place().port);
	*local = out.local;
	waiter_opened(w, START_US, out.socket, 0, local);
	return w;
}

/* The only thing to do; the socket. */
static unsigned expect_echo(struct waiter *w, uint64_t now_us, const struct endpoint *local)
{
	struct knock_output out = {.length = 1};
	struct knock_place p = place();
	uint64_t deadline_us = UINT64_MAX;

	assert_true(waiter_poll(w, now_us, &out, &deadline_us));
	assert_int_equal(out.action, KNOCK_ECHO);
	assert_int_equal(out.type, 8);
	assert_int_equal(out.code, 0);
	assert_true(endpoint_same_address(&out.local, local));
	assert_true(endpoint_same_address(&out.to, &p.dark[0]));
	assert_int_equal(out.length, 0);
	assert_int_equal(out.ttl, 0);
	assert_false(waiter_poll(w, now_us, &out, &deadline_us));
	assert_int_equal(deadline_us, now_us + CLASSIC_PERIOD_US);
	return out.socket;
}

static void test_waits(void **state)
{
	struct endpoint local;
	struct waiter *w = create_waiter(&local);

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		expect_echo(w, START_US + i * CLASSIC_PERIOD_US, &local);
	assert_int_equal(waiter_counts(w)->sent, 10);
	waiter_destroy(w);
}

static void exceed(struct waiter *w, uint64_t now_us, const struct endpoint *local,
	const struct endpoint *to, const char *offender)
{
	struct endpoint from = at(offender);
	uint8_t bytes[CLASSIC_ECHO_BYTES];
	size_t n = build(bytes, sizeof(bytes), local, to);

	waiter_exceeded(w, now_us, &from, (struct span){bytes, n});
}

static void test_opens(void **state)
{
	struct knock_place p = place();
	struct knock_output out = {.length = 1};
	uint64_t deadline_us = UINT64_MAX;
	struct endpoint local, other = at("10.0.1.3"), offender = at("192.0.2.9");
	struct waiter *w = create_waiter(&local);

	(void)state;
	expect_echo(w, START_US, &local);
	exceed(w, START_US, &local, &p.dark[0], "192.0.2.9");
	assert_true(waiter_poll(w, START_US, &out, &deadline_us));
	assert_int_equal(out.action, KNOCK_SEND);
	assert_int_equal(out.length, 0);
	assert_int_equal(out.ttl, 0);
	assert_int_equal(out.to.port, local.port);
	assert_true(endpoint_same_address(&out.to, &offender));
	assert_false(waiter_poll(w, START_US, &out, &deadline_us));
	/* about something else, or of whom nobody may be sent anything */
	exceed(w, START_US, &local, &other, "192.0.2.10");
	exceed(w, START_US, &other, &p.dark[0], "192.0.2.10");
	assert_int_equal(waiter_counts(w)->exceeded, 1);
	exceed(w, START_US, &local, &p.dark[0], "10.0.1.2");
	exceed(w, START_US, &local, &p.dark[0], "255.255.255.255");
	exceed(w, START_US, &local, &p.dark[0], "224.0.0.1");
	exceed(w, START_US, &local, &p.dark[0], "0.0.0.0");
	assert_int_equal(waiter_counts(w)->exceeded, 5);
	assert_false(waiter_poll(w, START_US, &out, &deadline_us));
	waiter_destroy(w);
}

/* Without --classic such an error is nothing. */
static void test_only_classic(void **state)
{
	struct waiter_config config = {.key = key,
		.utc_us = UTC_US,
		.from = {at("10.0.1.2")},
		.from_count = 1,
		.trail = trail};
	struct knock_place p = place();
	struct knock_output out;
	uint64_t deadline_us = UINT64_MAX;
	struct waiter *w;

	(void)state;
	random_init_number(&config.random, 1);
	assert_int_equal(waiter_create(&config, START_US, &w), 0);
	assert_true(waiter_poll(w, START_US, &out, &deadline_us));
	waiter_opened(w, START_US, out.socket, 0, &out.local);
	exceed(w, START_US, &out.local, &p.dark[0], "192.0.2.9");
	assert_int_equal(waiter_counts(w)->exceeded, 0);
	assert_true(waiter_poll(w, START_US, &out, &deadline_us));
	assert_int_equal(out.action, KNOCK_SEND);
	assert_true(endpoint_equal(&out.to, &p.dark[0]));
	assert_false(waiter_poll(w, START_US, &out, &deadline_us));
	waiter_destroy(w);
}

/* --- who knocks --- */

static struct knocker *create_knocker(uint16_t port)
{
	struct knocker_config config = {.key = key,
		.utc_us = UTC_US,
		.target = at("192.0.2.1"),
		.classic = true,
		.packets_max = 2048,
		.rate_pps = 500,
		.trail = trail};
	struct knocker *k;

	config.target.port = port;
	random_init_number(&config.random, 2);
	config.ask.hello.transport = HELLO_UDP;
	assert_int_equal(knocker_create(&config, START_US, &k), 0);
	return k;
}

static void expect_error(const struct knock_output *out)
{
	struct knock_place p = place();
	struct endpoint target = at("192.0.2.1");

	assert_int_equal(out->action, KNOCK_ERROR);
	assert_int_equal(out->type, 11);
	assert_int_equal(out->code, 0);
	assert_true(out->quotes_echo);
	assert_int_equal(out->length, 0);
	assert_true(endpoint_same_address(&out->to, &target));
	assert_true(endpoint_same_address(&out->quoted_from, &target));
	assert_true(endpoint_same_address(&out->quoted_to, &p.dark[0]));
}

static void expect_ask(const struct knock_output *out, uint16_t port)
{
	struct knock ask;

	assert_int_equal(out->action, KNOCK_SEND);
	assert_int_equal(out->socket, KNOCKER_NEAR);
	assert_int_equal(out->ttl, 0);
	assert_int_equal(out->to.port, port);
	assert_int_equal(knock_open(&key, (struct span){out->data, out->length}, &ask), 0);
	assert_int_equal(ask.kind, KNOCK_ASK);
	assert_int_equal(ask.quoted_port, 0);
}

/* The same all the time, to the end of the slot. */
static void test_knocks(void **state)
{
	(void)state;
	for (int told = 0; told < 2; told++) {
		uint16_t port = told ? 4444 : place().port;
		struct knocker *k = create_knocker(told ? port : 0);
		uint64_t now_us = START_US, end_us = START_US + (KNOCK_SLOT_S - 100) * SECOND;

		for (unsigned i = 0; i < 40; i++) {
			struct knock_output out;
			uint64_t deadline_us = UINT64_MAX;

			assert_true(knocker_poll(k, now_us, &out, &deadline_us));
			expect_error(&out);
			assert_false(knocker_poll(k, now_us, &out, &deadline_us));
			assert_int_equal(deadline_us, now_us + SECOND);
			assert_true(knocker_poll(k, now_us + SECOND, &out, &deadline_us));
			expect_ask(&out, port);
			deadline_us = UINT64_MAX;
			assert_false(knocker_poll(k, now_us + SECOND, &out, &deadline_us));
			assert_int_equal(deadline_us, now_us + CLASSIC_PERIOD_US);
			assert_false(knocker_is_over(k));
			now_us += CLASSIC_PERIOD_US;
		}
		assert_int_equal(now_us, end_us);
		for (unsigned i = 0; i < 3; i++) {
			struct knock_output out;
			uint64_t deadline_us = UINT64_MAX;

			knocker_poll(k, end_us + i * SECOND / 10, &out, &deadline_us);
		}
		assert_true(knocker_is_over(k));
		assert_int_equal(knocker_counts(k)->errors, 41);
		assert_int_equal(knocker_counts(k)->ports, 0);
		knocker_destroy(k);
	}
}

static int setup(void **state)
{
	(void)state;
	return trail_create(START_US, &trail);
}

static int teardown(void **state)
{
	(void)state;
	trail_destroy(trail);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_echo_altered),
		cmocka_unit_test(test_echo_random),
		cmocka_unit_test(test_openings),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_opens),
		cmocka_unit_test(test_only_classic),
		cmocka_unit_test(test_knocks),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
