// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Both engines of a knock and, between them, a NAT that is no more than a table: who waits is behind it, who knocks has a
 * public address. Nothing takes time on its way.
 */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sodium.h>
#include <string.h>

#include "punch/knocker.h"
#include "punch/waiter.h"
#include "test_knock_kit.h"

#define BEGIN_US    (777 * SECOND)
#define MIDDLE_US   (KNOCK_SLOT * SLOT_US + SLOT_US / 2)
#define MS	    1000u
#define LIFETIME_US (30 * SECOND) /* of a UDP mapping that is not answered, on Linux */
#define ENTRIES	    4096
#define OUTPUTS	    2000 /* at one moment */
#define PORT_MIN    1024
#define PORTS	    64512
#define FLOWS	    256
#define GUESSES	    1024
#define SEEDS	    200
#define PATH_HOPS   7 /* from who knocks to the NAT */

struct entry {
	unsigned socket;
	struct endpoint remote;
	uint16_t port; /* outside */
	uint64_t until_us;
};

struct world {
	/* the NAT */
	bool random_ports, lets_all_in, drops_errors;
	struct entry entries[ENTRIES];
	size_t count;
	/* the hosts */
	struct waiter *w;
	struct knocker *k;
	struct trail *trail;
	struct endpoint locals[WAITER_SOCKETS];
	uint64_t now_us;
	uint64_t answered_us; /* 0: not */
	unsigned open;
	bool stopped; /* the search is over */
	struct random random;
};

static struct world x;

/* Of the NAT, and of the sockets of who knocks. */
static const struct endpoint outside = {FAMILY_IPV4, 0, 0, {198, 51, 100, 1}};

static struct endpoint knocker_at(unsigned socket)
{
	return host4(7, (uint16_t)(5000 + socket));
}

/* --- the NAT --- */

static struct entry *find_entry(unsigned socket, const struct endpoint *remote)
{
	for (size_t i = 0; i < x.count; i++)
		if (x.entries[i].socket == socket && endpoint_equal(&x.entries[i].remote, remote))
			return &x.entries[i];
	return NULL;
}

/* Who is inside of that port and has sent to remote; NULL as remote is anybody. */
static const struct entry *find_port(uint16_t port, const struct endpoint *remote)
{
	for (size_t i = 0; i < x.count; i++) {
		const struct entry *e = &x.entries[i];

		if (e->port == port && e->until_us > x.now_us &&
			(!remote || endpoint_equal(&e->remote, remote)))
			return e;
	}
	return NULL;
}

static uint16_t choose_port(unsigned socket)
{
	uint16_t port = x.locals[socket].port;

	if (!x.random_ports)
		return port;
	do
		port = (uint16_t)(PORT_MIN + random_below(&x.random, PORTS));
	while (find_port(port, NULL));
	return port;
}

static uint16_t translate(unsigned socket, const struct endpoint *remote)
{
	struct entry *e = find_entry(socket, remote);

	if (!e || e->until_us <= x.now_us) {
		assert_true(e || x.count < ENTRIES);
		if (!e)
			e = &x.entries[x.count++];
		*e = (struct entry){
			.socket = socket, .remote = *remote, .port = choose_port(socket)};
	}
	e->until_us = x.now_us + LIFETIME_US;
	return e->port;
}

/* --- who waits --- */

static void heed(enum waiter_heard heard)
{
	struct knock answer = knock_of(KNOCK_ANSWER, 9);

	if (heard == WAITER_NEW)
		assert_int_equal(waiter_answer(x.w, x.now_us, &answer), 0);
}

static void to_knocker(const struct endpoint *from, const struct knock_output *out)
{
	for (unsigned i = 0; i < 2; i++) {
		struct endpoint at = knocker_at(i);

		if (endpoint_equal(&at, &out->to) &&
			knocker_input(x.k, x.now_us, from, out->data, out->length))
			x.answered_us = x.now_us;
	}
}

static void take_of_waiter(const struct knock_output *out)
{
	struct endpoint from = outside;

	switch (out->action) {
	case KNOCK_OPEN:
		x.locals[out->socket] = out->local;
		if (!out->local.port)
			x.locals[out->socket].port = (uint16_t)(40000 + out->socket);
		x.open++;
		waiter_opened(x.w, x.now_us, out->socket, 0, &x.locals[out->socket]);
		break;
	case KNOCK_CLOSE:
		x.open--;
		break;
	default:
		from.port = translate(out->socket, &out->to);
		if (x.k && !out->ttl)
			to_knocker(&from, out);
	}
}

/* --- who knocks --- */

static void take_of_knocker(const struct knock_output *out)
{
	struct endpoint from = knocker_at(out->socket);
	const struct entry *e;

	if (out->action == KNOCK_ERROR) {
		e = find_port(out->quoted_from.port, &out->quoted_to);
		from.port = 0;
		if (e && !x.drops_errors)
			heed(waiter_error(x.w, x.now_us, e->socket, &from, out->data, out->length));
		x.stopped = knocker_counts(x.k)->ports == GUESSES;
		return;
	}
	assert_int_equal(out->action, KNOCK_SEND);
	e = find_port(out->to.port, x.lets_all_in ? NULL : &from);
	if (e && (!out->ttl || out->ttl > PATH_HOPS))
		heed(waiter_input(x.w, x.now_us, e->socket, &from, out->data, out->length));
}

/* --- time --- */

static uint64_t poll_all(void)
{
	struct knock_output out;

	for (unsigned i = 0; i < OUTPUTS; i++) {
		uint64_t deadline_us = UINT64_MAX;

		if (waiter_poll(x.w, x.now_us, &out, &deadline_us))
			take_of_waiter(&out);
		else if (x.k && !x.stopped && knocker_poll(x.k, x.now_us, &out, &deadline_us))
			take_of_knocker(&out);
		else
			return deadline_us;
	}
	fail_msg("it does not come to rest");
	return 0;
}

static void run_for(uint64_t us)
{
	uint64_t end_us = x.now_us + us;

	for (;;) {
		uint64_t deadline_us = poll_all();

		if (deadline_us > end_us || x.answered_us || x.stopped)
			break;
		x.now_us = deadline_us;
	}
	if (!x.answered_us && !x.stopped)
		x.now_us = end_us;
}

static void begin_waiting(uint64_t utc_us, unsigned further)
{
	struct waiter_config c = {.key = knock_key_of(1),
		.utc_us = utc_us,
		.from = {{FAMILY_IPV4, 0, 0, {192, 168, 1, 9}}},
		.from_count = 1,
		.further = further,
		.trail = x.trail};

	c.random = x.random;
	assert_int_equal(waiter_create(&c, x.now_us, &x.w), 0);
}

static void begin_knocking(uint64_t utc_us)
{
	struct knocker_config c = {.key = knock_key_of(1),
		.utc_us = utc_us,
		.target = outside,
		.packets_max = UINT32_MAX,
		.rate_pps = 1000,
		.ask = knock_of(KNOCK_ASK, 5),
		.trail = x.trail};

	add_candidate(&c.ask.hello, CHECK_HOST, knocker_at(KNOCKER_NEAR));
	random_init_number(&c.random, random_below(&x.random, 1u << 31));
	assert_int_equal(knocker_create(&c, x.now_us, &x.k), 0);
}

static void begin(uint64_t seed)
{
	memset(&x, 0, sizeof(x));
	x.now_us = BEGIN_US;
	random_init_number(&x.random, seed);
	assert_int_equal(trail_create(BEGIN_US, &x.trail), 0);
}

static void end(void)
{
	waiter_destroy(x.w);
	knocker_destroy(x.k);
	trail_destroy(x.trail);
}

/* --- tests --- */

/* At any moment, one clock ahead of the other by up to a minute, and the wait up to ten minutes: the first error does. */
static void test_kept_port(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		uint64_t utc_us = KNOCK_SLOT * SLOT_US, wait_us, apart_us;

		begin(seed);
		utc_us += random_below(&x.random, SLOT_US);
		wait_us = SECOND + random_below(&x.random, 600 * SECOND);
		apart_us = random_below(&x.random, 120 * SECOND) - 60 * SECOND;
		begin_waiting(utc_us, 0);
		run_for(wait_us);
		begin_knocking(utc_us + wait_us + apart_us);
		run_for(100 * MS);
		assert_true(x.answered_us);
		assert_int_equal(knocker_counts(x.k)->errors, 1);
		assert_int_equal(knocker_answer(x.k)->share[0], 9);
		assert_int_equal(waiter_visit(x.w)->ask.share[0], 5);
		end();
	}
}

/* Clocks that are too far apart for it: that is seen and said where the slots are the same by chance. */
static void test_clocks_too_far_apart(void **state)
{
	(void)state;
	begin(1);
	begin_waiting(KNOCK_SLOT * SLOT_US + 100 * SECOND, 0);
	run_for(SECOND);
	begin_knocking(KNOCK_SLOT * SLOT_US + 231 * SECOND);
	run_for(SECOND / 2);
	assert_false(x.answered_us);
	assert_true(waiter_counts(x.w)->stale > 0);
	assert_int_equal(waiter_counts(x.w)->clock_ms / 1000, 130);
	end();
}

/* Its errors get lost, and any datagram comes in. */
static void test_datagram_alone(void **state)
{
	(void)state;
	begin(1);
	x.lets_all_in = x.drops_errors = true;
	begin_waiting(MIDDLE_US, 0);
	run_for(SECOND);
	begin_knocking(MIDDLE_US + SECOND);
	run_for(SECOND);
	assert_true(x.answered_us);
	assert_true(waiter_visit(x.w)->datagram);
	end();
}

/* One search through a NAT that gives out ports at random: whether it meets one of the flows. */
static bool search(uint64_t seed)
{
	bool met;

	begin(seed);
	x.random_ports = true;
	begin_waiting(MIDDLE_US, FLOWS);
	run_for(SECOND);
	assert_int_equal(x.open, FLOWS + 1);
	begin_knocking(MIDDLE_US + SECOND);
	run_for(10 * SECOND);
	met = waiter_counts(x.w)->heard > 0;
	assert_true(met || knocker_counts(x.k)->ports == GUESSES);
	assert_int_equal(met, x.answered_us != 0);
	end();
	return met;
}

static void test_random_ports(void **state)
{
	double missed = 1, off;
	unsigned met = 0;

	(void)state;
	for (unsigned i = 0; i < GUESSES; i++)
		missed *= 1 - (double)FLOWS / PORTS;
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		met += search(seed);
	off = (double)met / SEEDS - (1 - missed);
	print_message("%u of %u, and %.1f expected\n", met, SEEDS, (1 - missed) * SEEDS);
	assert_true(off > -0.03 && off < 0.03);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_port),
		cmocka_unit_test(test_clocks_too_far_apart),
		cmocka_unit_test(test_datagram_alone),
		cmocka_unit_test(test_random_ports),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
