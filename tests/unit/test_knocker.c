// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* The side that knocks, in virtual time. */

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

#include "punch/knocker.h"
#include "test_knock_kit.h"

#define LENGTH(a)   (sizeof(a) / sizeof(*(a)))
#define BEGIN_US    (777 * SECOND)
#define MIDDLE_US   (KNOCK_SLOT * SLOT_US + SLOT_US / 2)
#define MS	    1000u
#define PACKETS_MAX 100000
#define OUTPUTS	    1000 /* at one moment */
#define FIRST_TRIES 9 /* packets to the known port, before a search begins */

struct packet {
	uint64_t at_us;
	enum knock_action action;
	unsigned socket, round;
	struct endpoint to, quoted_from, quoted_to;
	uint8_t ttl, type, code;
	struct knock ask;
};

struct kit {
	struct knocker_config config;
	struct knocker *k;
	uint64_t now_us, utc_us; /* utc_us: at BEGIN_US */
	bool anew; /* when it is over */
	struct packet packets[PACKETS_MAX];
	size_t count;
	struct random random;
};

static struct kit kit;

static uint64_t utc_now(void)
{
	return kit.utc_us + (kit.now_us - BEGIN_US);
}

static int setup(void **state)
{
	(void)state;
	memset(&kit, 0, sizeof(kit));
	kit.now_us = BEGIN_US;
	kit.utc_us = MIDDLE_US;
	assert_int_equal(trail_create(BEGIN_US, &kit.config.trail), 0);
	random_init_number(&kit.random, 1);
	kit.config.key = knock_key_of(1);
	kit.config.target = host4(1, 0);
	kit.config.packets_max = 2048;
	kit.config.rate_pps = 1000;
	kit.config.ask = knock_of(KNOCK_ASK, 5);
	random_init_number(&kit.config.random, 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	knocker_destroy(kit.k);
	kit.k = NULL;
	trail_destroy(kit.config.trail);
	return 0;
}

static void begin(void)
{
	knocker_destroy(kit.k);
	kit.count = 0;
	kit.config.utc_us = utc_now();
	assert_int_equal(knocker_create(&kit.config, kit.now_us, &kit.k), 0);
}

static struct knock_place place_now(void)
{
	struct knock_place place;

	knock_place_at(&kit.config.key, utc_now() / SLOT_US, &place);
	return place;
}

/* --- the world around --- */

static void take(const struct knock_output *out)
{
	struct packet *p = &kit.packets[kit.count++];

	assert_true(kit.count < PACKETS_MAX);
	*p = (struct packet){.at_us = kit.now_us,
		.action = out->action,
		.socket = out->socket,
		.round = knocker_counts(kit.k)->rounds,
		.to = out->to,
		.quoted_from = out->quoted_from,
		.quoted_to = out->quoted_to,
		.ttl = out->ttl,
		.type = out->type,
		.code = out->code};
	assert_int_equal(
		knock_open(&kit.config.key, (struct span){out->data, out->length}, &p->ask), 0);
	assert_int_equal(p->ask.kind, KNOCK_ASK);
	assert_true(p->ask.utc_ms == utc_now() / 1000);
	assert_memory_equal(p->ask.share, kit.config.ask.share, CPACE_POINT_BYTES);
	assert_true(endpoint_same_address(&out->to, &kit.config.target));
	if (out->action == KNOCK_SEND) {
		assert_int_equal(p->ask.quoted_port, 0);
		return;
	}
	assert_int_equal(out->action, KNOCK_ERROR);
	assert_int_equal(p->ask.quoted_port, out->quoted_from.port);
	assert_true(endpoint_same_address(&out->quoted_from, &kit.config.target));
}

static uint64_t poll_all(void)
{
	struct knock_output out;

	for (unsigned i = 0; i < OUTPUTS; i++) {
		uint64_t deadline_us = UINT64_MAX;

		if (knocker_poll(kit.k, kit.now_us, &out, &deadline_us)) {
			take(&out);
			continue;
		}
		assert_true(deadline_us > kit.now_us);
		return deadline_us;
	}
	fail_msg("it does not come to rest");
	return 0;
}

/* As the caller does it who wants to knock on. */
static void begin_anew(void)
{
	struct knocker_config c = kit.config;

	c.before = *knocker_counts(kit.k);
	c.utc_us = utc_now();
	random_init_number(&c.random, c.before.errors);
	knocker_destroy(kit.k);
	assert_int_equal(knocker_create(&c, kit.now_us, &kit.k), 0);
}

/* Each wakeup is late by up to late_us. */
static void run_late(uint64_t end_us, uint32_t late_us)
{
	for (;;) {
		uint64_t deadline_us = poll_all();

		if (kit.anew && knocker_is_over(kit.k)) {
			begin_anew();
			continue;
		}
		if (deadline_us >= end_us)
			break;
		kit.now_us = deadline_us + random_below(&kit.random, late_us + 1);
	}
	kit.now_us = kit.now_us > end_us ? kit.now_us : end_us;
}

static void run_for(uint64_t us)
{
	run_late(kit.now_us + us, 0);
}

static uint16_t port_of(const struct packet *p)
{
	return p->action == KNOCK_ERROR ? p->quoted_from.port : p->to.port;
}

/* --- the known port --- */

struct row {
	uint32_t at_ms;
	uint8_t ttl, type, code;
	bool far;
};

/* A datagram, an error 1 ms later, and from the fourth on a datagram that goes all the way. */
static void assert_schedule(const struct row *rows, size_t count, uint16_t port)
{
	struct knock_place place = place_now();
	int f = kit.config.target.family == FAMILY_IPV6;
	struct endpoint dark =
		kit.config.dark.family != FAMILY_NONE ? kit.config.dark : place.dark[f];
	const struct packet *p = kit.packets;

	for (size_t i = 0; i < count; i++) {
		uint64_t at_us = BEGIN_US + UINT64_C(1000) * rows[i].at_ms;

		assert_true(p->at_us == at_us);
		assert_int_equal(p->action, KNOCK_SEND);
		assert_int_equal(p->socket, KNOCKER_NEAR);
		assert_int_equal(p->ttl, rows[i].ttl);
		assert_int_equal(port_of(p), port);
		p++;
		assert_true(p->at_us == at_us + MS);
		assert_int_equal(p->action, KNOCK_ERROR);
		assert_int_equal(p->type, rows[i].type);
		assert_int_equal(p->code, rows[i].code);
		assert_int_equal(port_of(p), port);
		assert_true(endpoint_equal(&p->quoted_to, &dark));
		p++;
		if (!rows[i].far)
			continue;
		assert_true(p->at_us == at_us + 2 * MS);
		assert_int_equal(p->action, KNOCK_SEND);
		assert_int_equal(p->socket, KNOCKER_FAR);
		assert_int_equal(p->ttl, 0);
		assert_int_equal(port_of(p), port);
		p++;
	}
	assert_int_equal(p - kit.packets, kit.count);
}

static const struct row four[] = {
	{0, 2, 11, 0, false},
	{200, 3, 3, 3, false},
	{400, 4, 12, 0, false},
	{800, 2, 3, 1, true},
	{1300, 3, 11, 0, true},
	{1800, 4, 3, 3, true},
	{2300, 2, 12, 0, true},
	{2800, 3, 3, 1, true},
};

static const struct row six[] = {
	{0, 2, 3, 0, false},
	{200, 3, 1, 4, false},
	{400, 4, 3, 1, false},
	{800, 2, 4, 0, true},
	{1300, 3, 3, 0, true},
	{1800, 4, 1, 4, true},
};

/* What is known of the port is all that is tried, for ever. */
static void assert_no_search(uint16_t port)
{
	run_for(100 * SECOND);
	for (size_t i = 0; i < kit.count; i++)
		assert_int_equal(port_of(&kit.packets[i]), port);
	assert_int_equal(knocker_counts(kit.k)->ports, 0);
	assert_false(knocker_is_searching(kit.k));
	assert_int_equal(knocker_counts(kit.k)->rounds, 1);
	assert_in_range(kit.count, 3 * 60, 3 * 75);
}

static void test_given_port(void **state)
{
	(void)state;
	kit.config.target.port = 4711;
	kit.config.dark = host4(200, 9);
	begin();
	run_for(3 * SECOND);
	assert_schedule(four, LENGTH(four), 4711);
	assert_no_search(4711);
}

static void test_ipv6(void **state)
{
	(void)state;
	kit.config.target = host6(1, 0);
	begin();
	run_for(2 * SECOND);
	assert_schedule(six, LENGTH(six), place_now().port);
	assert_no_search(place_now().port);
}

/* Where a search is possible, it begins a second later. */
static void test_known_port(void **state)
{
	(void)state;
	begin();
	run_for(SECOND);
	assert_schedule(four, 4, place_now().port);
	assert_int_equal(kit.count, FIRST_TRIES);
	assert_int_equal(knocker_counts(kit.k)->ports, 0);
	assert_int_equal(knocker_counts(kit.k)->errors, 4);
	assert_int_equal(knocker_counts(kit.k)->datagrams, 5);
}

/* Port and dark endpoint are always those of the moment. */
static void test_slots(void **state)
{
	(void)state;
	kit.config.target = host6(1, 0);
	kit.utc_us = KNOCK_SLOT * SLOT_US - 100 * SECOND;
	begin();
	for (unsigned s = 0; s < 500; s++) {
		size_t before = kit.count;

		run_for(SECOND);
		for (size_t i = before; i < kit.count; i++) {
			const struct packet *p = &kit.packets[i];
			struct knock_place place;

			knock_place_at(&kit.config.key,
				(kit.utc_us + p->at_us - BEGIN_US) / SLOT_US, &place);
			assert_int_equal(port_of(p), place.port);
			assert_true(p->action != KNOCK_ERROR ||
				endpoint_equal(&p->quoted_to, &place.dark[1]));
		}
	}
}

/* --- the search --- */

/* Ports of this round's search, in order; of each a datagram that goes all the way, and an error of this type. */
static size_t search_ports(unsigned round, uint16_t *out, uint8_t type, uint8_t code)
{
	size_t count = 0;

	for (size_t i = 0; i < kit.count; i++) {
		const struct packet *p = &kit.packets[i];

		if (p->round != round || p->action != KNOCK_SEND || p->ttl ||
			p->socket != KNOCKER_NEAR)
			continue;
		assert_int_equal(p[1].action, KNOCK_ERROR);
		assert_int_equal(port_of(&p[1]), port_of(p));
		assert_int_equal(p[1].type, type);
		assert_int_equal(p[1].code, code);
		out[count++] = port_of(p);
	}
	return count;
}

static uint16_t ports[65536];

static void assert_distinct(const uint16_t *all, size_t count, uint16_t known)
{
	static bool seen[65536];

	memset(seen, 0, sizeof(seen));
	seen[known] = true;
	for (size_t i = 0; i < count; i++) {
		assert_false(seen[all[i]]);
		assert_true(all[i] >= 1024);
		seen[all[i]] = true;
	}
}

static void test_search(void **state)
{
	static const uint8_t types[][2] = {{11, 0}, {3, 3}, {12, 0}, {3, 1}, {11, 0}};
	uint16_t known;

	(void)state;
	kit.anew = true;
	begin();
	known = place_now().port;
	run_for(120 * SECOND);
	assert_true(knocker_counts(kit.k)->rounds > LENGTH(types));
	for (unsigned round = 1; round <= LENGTH(types); round++) {
		size_t count = search_ports(round, ports, types[round - 1][0], types[round - 1][1]);
		unsigned high = 0;

		assert_in_range(count, 1010, 1020);
		for (int i = 0; i < 8; i++)
			assert_int_equal(ports[i], known + (i < 4 ? i - 4 : i - 3));
		assert_distinct(ports, count, known);
		for (size_t i = 8; i < count; i++)
			high += ports[i] >= 1024 + 64512 / 2;
		assert_in_range(high, 430, 580);
	}
	assert_true(knocker_counts(kit.k)->ports <= 1020);
}

/* At a border there is another known port, wherever in the search that happens. */
static void test_search_over_border(void **state)
{
	(void)state;
	kit.config.rate_pps = 10;
	for (unsigned i = 0; i < 40; i++) {
		size_t count;

		kit.now_us = BEGIN_US;
		kit.utc_us = KNOCK_SLOT * SLOT_US - 100 * MS * i;
		begin();
		run_for(8 * SECOND);
		count = search_ports(1, ports, 11, 0);
		assert_true(count > 14);
		assert_distinct(ports, count, 0);
	}
}

/* As many ports as there can be, and as fast. */
static void test_largest_search(void **state)
{
	(void)state;
	kit.config.packets_max = UINT32_MAX;
	kit.config.rate_pps = UINT32_MAX;
	begin();
	run_for(2 * SECOND);
	assert_int_equal(search_ports(1, ports, 11, 0), 64512 / 2);
	assert_distinct(ports, 64512 / 2, place_now().port);
	run_for(3 * SECOND); /* then there is a pause */
	assert_int_equal(knocker_counts(kit.k)->rounds, 1);
}

/* Each pause is twice as long as the one before it, and none is longer than 30 s. */
static void test_pauses(void **state)
{
	static const unsigned pauses_s[] = {5, 10, 20, 30, 30, 30};
	uint64_t last_us = 0;
	unsigned round = 1;

	(void)state;
	kit.config.packets_max = 200;
	kit.anew = true;
	begin();
	run_for(140 * SECOND);
	assert_int_equal(knocker_counts(kit.k)->rounds, LENGTH(pauses_s) + 1);
	for (size_t i = 0; i < kit.count; i++) {
		const struct packet *p = &kit.packets[i];
		bool search = p->action == KNOCK_SEND && p->socket == KNOCKER_NEAR && !p->ttl;

		if (p->round > round) {
			uint64_t pause_us = p->at_us - last_us;

			assert_in_range(pause_us / MS, pauses_s[round - 1] * 1000,
				pauses_s[round - 1] * 1000 + 4);
			assert_int_equal(p->ttl, 2); /* all from the beginning */
			round = p->round;
		}
		last_us = search ? p->at_us : last_us;
	}
	assert_int_equal(round, LENGTH(pauses_s) + 1);
}

/* --- budgets --- */

/* In any second, wherever it begins. */
static void assert_rate(uint32_t rate)
{
	size_t first = 0;

	for (size_t i = 0; i < kit.count; i++) {
		while (kit.packets[i].at_us - kit.packets[first].at_us >= SECOND)
			first++;
		assert_true(i - first + 1 <= rate);
	}
}

/* From the beginning of each round to the last packet of its search. */
static void assert_budget(uint32_t most)
{
	unsigned count = 0, round = 0;

	for (size_t i = 0; i < kit.count; i++) {
		const struct packet *p = &kit.packets[i];

		count = p->round == round ? count + 1 : 1;
		round = p->round;
		if (p->socket == KNOCKER_NEAR && !p->ttl && p->action == KNOCK_SEND)
			assert_true(count + 1 <= most); /* its error, too */
	}
}

static void test_budgets(void **state)
{
	static const uint32_t rates[] = {0, 1, 2, 3, 7, 10, 100, 333, 1000, 5000};
	static const uint32_t budgets[] = {0, 1, 9, 20, 21, 22, 500, 2048};
	static const uint32_t late_us[] = {0, 3000, 3000000};

	(void)state;
	kit.anew = true;
	for (size_t i = 0; i < LENGTH(rates); i++)
		for (size_t k = 0; k < LENGTH(budgets); k++)
			for (size_t l = 0; l < LENGTH(late_us); l++) {
				kit.config.rate_pps = rates[i];
				kit.config.packets_max = budgets[k];
				begin();
				run_late(kit.now_us + 60 * SECOND, late_us[l]);
				assert_rate(rates[i] ? rates[i] : 1);
				assert_budget(budgets[k]);
				assert_true(kit.count > 10);
			}
}

/* A budget too small for a search is none for knocking at the known port. */
static void test_no_budget(void **state)
{
	(void)state;
	kit.config.packets_max = 0;
	begin();
	run_for(60 * SECOND);
	assert_int_equal(search_ports(1, ports, 0, 0), 0);
	assert_true(kit.count > 90);
}

/* At one packet in a second all still comes in its order. */
static void test_slowest(void **state)
{
	(void)state;
	kit.config.rate_pps = 1;
	kit.config.packets_max = 13;
	begin();
	run_for(20 * SECOND);
	for (size_t i = 0; i < FIRST_TRIES; i++) {
		assert_true(kit.packets[i].at_us == BEGIN_US + i * SECOND);
		assert_int_equal(port_of(&kit.packets[i]), place_now().port);
	}
	assert_int_equal(kit.packets[6].ttl, 2);
}

/* --- answers --- */

static size_t answer_of(const struct knock_key *key, struct knock *k, uint8_t *out)
{
	int n = knock_seal(key, k, &kit.random, out, KNOCK_BYTES_MAX);

	assert_true(n > 0);
	return (size_t)n;
}

static bool hear(const uint8_t *data, size_t length)
{
	const struct endpoint from = host4(1, 999);
	uint8_t *exact = malloc(length ? length : 1);
	bool heard;

	assert_non_null(exact);
	memcpy(exact, data, length);
	heard = knocker_input(kit.k, kit.now_us, &from, exact, length);
	free(exact);
	return heard;
}

static struct knock answer_now(void)
{
	struct knock ask = kit.config.ask, answer = knock_of(KNOCK_ANSWER, 9);

	assert_int_equal(knock_digest(&ask), 0);
	answer.answered = knock_tag(&ask);
	answer.utc_ms = utc_now() / 1000;
	return answer;
}

static bool hear_answer(struct knock answer)
{
	uint8_t data[KNOCK_BYTES_MAX];

	return hear(data, answer_of(&kit.config.key, &answer, data));
}

static void test_answer(void **state)
{
	const struct endpoint from = host4(1, 999);
	struct knock answer;
	size_t before;

	(void)state;
	begin();
	run_for(500 * MS);
	answer = answer_now();
	add_candidate(&answer.hello, CHECK_HOST, host4(8, 8));
	assert_true(hear_answer(answer));
	assert_int_equal(knocker_answer(kit.k)->share[0], 9);
	assert_int_equal(knocker_answer(kit.k)->hello.candidate_count, 1);
	assert_true(endpoint_equal(knocker_answer_from(kit.k), &from));
	before = kit.count;
	assert_int_equal(poll_all(), UINT64_MAX);
	run_for(100 * SECOND);
	assert_int_equal(kit.count, before);
	assert_false(hear_answer(answer_now())); /* one is enough */
	assert_int_equal(knocker_counts(kit.k)->foreign, 0);
}

/* Between the packets of one port, and in a search. */
static void test_answer_at_any_moment(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		size_t before;

		kit.now_us = BEGIN_US;
		begin();
		run_for(random_below(&kit.random, 8000) * MS);
		assert_true(hear_answer(answer_now()));
		before = kit.count;
		assert_int_equal(poll_all(), UINT64_MAX);
		assert_int_equal(kit.count, before);
	}
}

static void test_no_answers(void **state)
{
	const struct knock_key other = knock_key_of(2);
	uint8_t data[KNOCK_BYTES_MAX];
	struct knock answer;
	unsigned refused = 0;
	size_t n;

	(void)state;
	begin();
	answer = answer_now();
	n = answer_of(&other, &answer, data);
	refused += !hear(data, n);
	n = answer_of(&kit.config.key, &answer, data);
	for (size_t length = 0; length < n; length++)
		refused += !hear(data, length);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		refused += !hear(data, n);
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(refused, 1 + n + 8 * n);
	answer.kind = KNOCK_ASK; /* its own, that somebody sends back */
	assert_false(hear_answer(answer));
	answer = answer_now();
	answer.answered ^= 1; /* to one who knocked before */
	assert_false(hear_answer(answer));
	answer = answer_now();
	answer.utc_ms -= 120001;
	assert_false(hear_answer(answer));
	answer.utc_ms += 240002;
	assert_false(hear_answer(answer));
	assert_int_equal(knocker_counts(kit.k)->foreign, refused + 4);
	assert_true(hear(data, n));
}

static void test_copies(void **state)
{
	uint8_t first[KNOCK_BYTES_MAX], second[KNOCK_BYTES_MAX];
	struct knock answer;
	size_t n[2];

	(void)state;
	begin();
	answer = answer_now();
	n[0] = answer_of(&kit.config.key, &answer, first);
	answer.utc_ms += 250;
	n[1] = answer_of(&kit.config.key, &answer, second);
	assert_true(hear(first, n[0]));
	assert_false(hear(first, n[0]));
	assert_false(hear(second, n[1]));
	for (unsigned i = 0; i < 2; i++) {
		knocker_resume(kit.k, kit.now_us);
		assert_false(hear(first, n[0]));
		assert_false(hear(second, n[1]));
		run_for(SECOND);
		assert_true(hear_answer(answer_now()));
	}
}

/* All from the beginning, with the same words. */
static void test_resume(void **state)
{
	size_t before;

	(void)state;
	kit.config.target.port = 4711;
	begin();
	run_for(500 * MS);
	assert_true(hear_answer(answer_now()));
	run_for(100 * SECOND);
	before = kit.count;
	knocker_resume(kit.k, kit.now_us);
	run_for(3 * SECOND);
	for (size_t i = before; i < kit.count; i++)
		kit.packets[i - before] = kit.packets[i];
	kit.count -= before;
	for (size_t i = 0; i < kit.count; i++)
		kit.packets[i].at_us -= 100 * SECOND + 500 * MS;
	assert_schedule(four, LENGTH(four), 4711);
}

/* A search, a pause, and then it is over; knocker_resume begins with the search again. */
static void test_resume_search(void **state)
{
	(void)state;
	kit.config.packets_max = 100;
	begin();
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(knocker_counts(kit.k)->rounds, i + 1);
		run_for(SECOND - 1);
		assert_false(knocker_is_searching(kit.k));
		run_for(50 * MS);
		assert_true(knocker_is_searching(kit.k));
		run_for(50 * MS);
		assert_false(knocker_is_searching(kit.k));
		assert_int_equal(knocker_counts(kit.k)->ports, 45);
		run_for((i ? 9 : 4) * SECOND);
		assert_false(knocker_is_over(kit.k));
		run_for(SECOND);
		assert_true(knocker_is_over(kit.k));
		run_for(60 * SECOND); /* it does not begin by itself */
		assert_true(knocker_is_over(kit.k));
		assert_int_equal(knocker_counts(kit.k)->ports, 45);
		assert_true(hear_answer(answer_now()));
		assert_false(knocker_is_over(kit.k));
		knocker_resume(kit.k, kit.now_us);
		assert_false(knocker_is_over(kit.k));
	}
}

/* Where there is nothing to search for, it is over as well. */
static void test_over_without_search(void **state)
{
	(void)state;
	kit.config.target.port = 4711;
	begin();
	run_for(6 * SECOND - 1);
	assert_false(knocker_is_over(kit.k));
	run_for(1 + 3 * MS);
	assert_true(knocker_is_over(kit.k));
}

/* --- the caller's mistakes, and the host's --- */

static void assert_refused(int error)
{
	struct knocker *k = NULL;

	assert_int_equal(knocker_create(&kit.config, kit.now_us, &k), error);
	assert_null(k);
}

static void test_create(void **state)
{
	(void)state;
	kit.config.target = (struct endpoint){.family = FAMILY_NONE};
	assert_refused(-EINVAL);
	kit.config.target = (struct endpoint){FAMILY_IPV4, 0, 0, {224, 0, 0, 1}};
	assert_refused(-EINVAL);
	kit.config.target = (struct endpoint){FAMILY_IPV6, 9, 0, {0}};
	assert_refused(-EINVAL);
	kit.config.target = host4(1, 0);
	kit.config.dark = host6(1, 1);
	assert_refused(-EINVAL);
	kit.config.dark.family = FAMILY_NONE;
	for (uint8_t i = 0; i < HELLO_CANDIDATES; i++)
		add_candidate(&kit.config.ask.hello, CHECK_HOST, host6(i, 1));
	assert_refused(-EMSGSIZE);
}

static void test_unsent(void **state)
{
	unsigned datagrams;

	(void)state;
	begin();
	knocker_unsent(kit.k, -EPERM);
	knocker_unsent(kit.k, -ENETUNREACH);
	assert_int_equal(knocker_counts(kit.k)->unsent, 2);
	assert_int_equal(knocker_counts(kit.k)->error, -ENETUNREACH);
	assert_int_equal(knocker_counts(kit.k)->datagrams, 0);
	knocker_unsent_datagram(kit.k); /* that was none of it */
	assert_int_equal(knocker_counts(kit.k)->datagrams, 0);
	run_for(SECOND);
	datagrams = knocker_counts(kit.k)->datagrams;
	assert_in_range(datagrams, 1, 100);
	knocker_unsent_datagram(kit.k);
	assert_int_equal(knocker_counts(kit.k)->datagrams, datagrams - 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_given_port),
		TEST(test_ipv6),
		TEST(test_known_port),
		TEST(test_slots),
		TEST(test_search),
		TEST(test_search_over_border),
		TEST(test_largest_search),
		TEST(test_pauses),
		TEST(test_budgets),
		TEST(test_no_budget),
		TEST(test_slowest),
		TEST(test_answer),
		TEST(test_answer_at_any_moment),
		TEST(test_no_answers),
		TEST(test_copies),
		TEST(test_resume),
		TEST(test_resume_search),
		TEST(test_over_without_search),
		TEST(test_create),
		TEST(test_unsent),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
