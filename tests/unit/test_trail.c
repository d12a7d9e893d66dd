// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "journal/trail.h"

static struct endpoint host(uint8_t last, uint16_t port)
{
	return (struct endpoint){FAMILY_IPV4, port, 0, {192, 0, 2, last}};
}

static struct trail *make(void)
{
	struct trail *t;

	assert_int_equal(trail_create(1000, &t), 0);
	assert_int_equal(t->start_us, 1000);
	return t;
}

static void add(struct trail *t, enum trail_kind kind)
{
	const struct trail_event e = {.t_us = 1, .kind = kind, .attempt = 77};

	trail_add(t, &e);
}

static void test_counts(void **state)
{
	struct trail *t = make();
	const struct trail_attempt *a = &t->attempts[0];

	(void)state;
	for (unsigned kind = 0; kind < TRAIL_KINDS; kind++)
		for (unsigned i = 0; i <= kind; i++)
			add(t, (enum trail_kind)kind);
	assert_int_equal(a->sent, 1);
	assert_int_equal(a->received, 2);
	assert_int_equal(a->refused, 3);
	assert_int_equal(t->strangers, 4);
	assert_int_equal(a->errors, 0); /* for no packet of ours */
	assert_int_equal(a->opened, 6);
	assert_int_equal(a->resets, 7);
	assert_int_equal(t->event_count, 36);
	for (size_t i = 0; i < t->event_count; i++)
		assert_int_equal(t->events[i].attempt, 0);
	trail_destroy(t);
	trail_destroy(NULL);
}

struct heard {
	unsigned count;
	struct trail_event last;
};

static void hear(void *context, const struct trail_event *event)
{
	struct heard *h = context;

	h->count++;
	h->last = *event;
}

/* A flood fills the memory no further; everything is counted and heard. */
static void test_flood(void **state)
{
	struct trail *t = make();
	struct heard heard = {.count = 0};

	(void)state;
	t->listener = hear;
	t->listener_context = &heard;
	for (unsigned i = 0; i < TRAIL_EVENTS + 100; i++)
		add(t, TRAIL_SENT);
	assert_int_equal(t->event_count, TRAIL_EVENTS);
	assert_int_equal(t->attempts[0].sent, TRAIL_EVENTS + 100);
	assert_int_equal(heard.count, TRAIL_EVENTS + 100);
	trail_destroy(t);
}

static void test_step(void **state)
{
	struct trail *t = make();
	char text[2 * TRAIL_TEXT];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	trail_step(t, 5, "plan: %u of %s", 3u, "these");
	assert_string_equal(t->events[0].text, "plan: 3 of these");
	assert_int_equal(t->events[0].kind, TRAIL_STEP);
	assert_int_equal(t->events[0].t_us, 5);
	trail_step(t, 5, "%s", text);
	assert_int_equal(strlen(t->events[1].text), TRAIL_TEXT - 1);
	trail_destroy(t);
}

static void test_attempts(void **state)
{
	struct trail *t = make();

	(void)state;
	add(t, TRAIL_SENT); /* before the first one counts as its */
	trail_attempt(t, 10, "direct");
	assert_int_equal(t->attempt, 0);
	assert_int_equal(t->attempts[0].begin_us, 10);
	assert_int_equal(t->attempts[0].end_us, 0); /* it has not ended */
	add(t, TRAIL_SENT);
	trail_attempt(t, 20, "a name that is too long for it");
	assert_int_equal(t->attempt, 1);
	assert_int_equal(t->attempts[0].end_us, 20);
	assert_int_equal(t->attempts[1].begin_us, 20);
	assert_int_equal(t->attempts[1].end_us, 0);
	assert_string_equal(t->attempts[1].strategy, "a name that is ");
	add(t, TRAIL_RECEIVED);
	assert_int_equal(t->attempts[0].sent, 2);
	assert_int_equal(t->attempts[1].received, 1);
	assert_int_equal(t->events[2].attempt, 1);
	trail_destroy(t);
}

/* More than there is room for are counted with the last one. */
static void test_many_attempts(void **state)
{
	struct trail *t = make();
	char name[16];

	(void)state;
	for (unsigned i = 0; i < TRAIL_ATTEMPTS + 3; i++) {
		snprintf(name, sizeof(name), "number %u", i);
		trail_attempt(t, 10 + i, name);
		add(t, TRAIL_SENT);
	}
	assert_int_equal(t->attempt, TRAIL_ATTEMPTS - 1);
	assert_int_equal(t->attempts[TRAIL_ATTEMPTS - 1].sent, 4);
	assert_int_equal(t->attempts[TRAIL_ATTEMPTS - 1].begin_us, 10 + TRAIL_ATTEMPTS - 1);
	assert_string_equal(t->attempts[TRAIL_ATTEMPTS - 1].strategy, name);
	assert_string_equal(t->attempts[0].strategy, "number 0");
	trail_destroy(t);
}

static void add_sent(struct trail *t, unsigned socket, struct endpoint to)
{
	const struct trail_event e = {.kind = TRAIL_SENT, .socket = socket, .to = to};

	trail_add(t, &e);
}

static void add_icmp(struct trail *t, unsigned socket, struct endpoint from, struct endpoint to,
	unsigned type, unsigned code)
{
	const struct trail_event e = {.kind = TRAIL_ICMP,
		.socket = socket,
		.from = from,
		.to = to,
		.type = (uint8_t)type,
		.code = (uint8_t)code};

	trail_add(t, &e);
}

/* For a packet to the peer. */
static void add_error(
	struct trail *t, struct endpoint from, struct endpoint to, unsigned type, unsigned code)
{
	add_sent(t, 0, to);
	add_icmp(t, 0, from, to, type, code);
}

static void test_errors(void **state)
{
	struct trail *t = make();

	(void)state;
	add_error(t, host(1, 0), host(9, 5), 3, 3);
	assert_int_equal(t->errors[0].to.port, 5);
	add_error(t, host(1, 0), host(9, 6), 3, 3); /* ports make no difference */
	assert_int_equal(t->error_count, 1);
	assert_int_equal(t->errors[0].count, 2);
	assert_int_equal(t->errors[0].to.port, 0);
	add_error(t, host(2, 0), host(9, 5), 3, 3);
	add_error(t, host(1, 0), host(8, 5), 3, 3);
	add_error(t, host(1, 0), host(9, 5), 11, 3);
	add_error(t, host(1, 0), host(9, 5), 3, 13);
	assert_int_equal(t->error_count, 5);
	trail_attempt(t, 1, "direct");
	trail_attempt(t, 2, "ordered");
	add_error(t, host(1, 0), host(9, 5), 3, 3);
	assert_int_equal(t->error_count, 6);
	assert_int_equal(t->errors[5].attempt, 1);
	assert_int_equal(t->errors[0].count, 2);
	trail_destroy(t);
}

/* Those for packets to the server are counted apart, also while the peer is tried. */
static void test_server_errors(void **state)
{
	struct trail *t = make();

	(void)state;
	add_icmp(t, 0, host(7, 0), host(7, 3478), 3, 3);
	assert_true(t->events[0].server);
	trail_attempt(t, 1, "direct");
	add_error(t, host(1, 0), host(9, 5), 3, 3);
	assert_false(t->events[2].server);
	trail_attempt(t, 2, "ordered");
	add_icmp(t, 0, host(7, 0), host(7, 3478), 3, 3);
	add_icmp(t, 0, host(9, 0), host(9, 3478), 3, 3); /* the peer's host may be the server's */
	add_icmp(t, 1, host(1, 0), host(9, 5), 3, 3); /* that socket has sent nothing */
	assert_int_equal(t->server_error_count, 3);
	assert_int_equal(t->server_errors[0].count, 2);
	assert_int_equal(t->server_errors[0].to.port, 3478);
	assert_int_equal(t->error_count, 1);
	assert_int_equal(t->attempts[0].errors, 1);
	assert_int_equal(t->attempts[1].errors, 0);
	for (unsigned i = 0; i < 3 * TRAIL_SERVER; i++)
		add_icmp(t, 0, host((uint8_t)i, 0), host(200, 1), 3, 1);
	assert_int_equal(t->server_error_count, TRAIL_SERVER);
	trail_destroy(t);
}

/* An error counts with the attempt of the packet that it is about, which may be over. */
static void test_late_errors(void **state)
{
	struct trail *t = make();

	(void)state;
	trail_attempt(t, 1, "direct");
	add_sent(t, 3, host(9, 5));
	trail_attempt(t, 2, "ordered");
	add_sent(t, 3, host(9, 6));
	add_icmp(t, 3, host(1, 0), host(9, 5), 3, 3);
	assert_int_equal(t->events[2].attempt, 0);
	assert_int_equal(t->attempts[0].errors, 1);
	assert_int_equal(t->attempts[1].errors, 0);
	add_sent(t, 3, host(9, 5)); /* the latest one counts */
	add_icmp(t, 3, host(1, 0), host(9, 5), 3, 3);
	assert_int_equal(t->attempts[1].errors, 1);
	assert_int_equal(t->error_count, 2);
	trail_destroy(t);
}

/* When not every packet is remembered, its address is enough. */
static void test_forgotten_packets(void **state)
{
	struct trail *t = make();

	(void)state;
	trail_attempt(t, 1, "birthday");
	for (unsigned i = 0; i < TRAIL_EVENTS + 100; i++)
		add_sent(t, 0, host(9, (uint16_t)(1024 + i)));
	add_icmp(t, 0, host(1, 0), host(9, 1024 + TRAIL_EVENTS + 50), 3, 3);
	add_icmp(t, 0, host(1, 0), host(8, 1024), 3, 3);
	assert_int_equal(t->attempts[0].errors, 1);
	assert_int_equal(t->server_error_count, 1);
	trail_destroy(t);
}

/* An error of this host itself has no offender; those alike are one all the same. */
static void test_local_errors(void **state)
{
	const struct endpoint none = {.family = FAMILY_NONE};
	struct trail *t = make();

	(void)state;
	add_error(t, none, host(9, 5), 0, 0);
	add_error(t, none, host(9, 5), 0, 0);
	add_error(t, host(1, 0), host(9, 5), 0, 0);
	add_error(t, none, host(8, 5), 0, 0);
	assert_int_equal(t->error_count, 3);
	assert_int_equal(t->errors[0].count, 2);
	trail_destroy(t);
}

/* Errors from everywhere fill the table no further, and those in it still count. */
static void test_many_errors(void **state)
{
	struct trail *t = make();

	(void)state;
	for (unsigned i = 0; i < 3 * TRAIL_ERRORS; i++)
		add_error(t, host((uint8_t)i, 0), host(200, 1), 3, 1);
	add_error(t, host(0, 0), host(200, 1), 3, 1);
	assert_int_equal(t->error_count, TRAIL_ERRORS);
	assert_int_equal(t->errors[0].count, 2);
	assert_int_equal(t->attempts[0].errors, 3 * TRAIL_ERRORS + 1);
	trail_destroy(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_step),
		cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_many_attempts),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_server_errors),
		cmocka_unit_test(test_late_errors),
		cmocka_unit_test(test_forgotten_packets),
		cmocka_unit_test(test_local_errors),
		cmocka_unit_test(test_many_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
