// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* One direction of a link: delay, jitter, loss, copies, order, rate and queue. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "lab/link.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define MS	 1000ull
#define SECOND	 1000000ull
#define PACKETS	 100000u
#define SEED	 0x6c696e6b

static struct link link_of(struct link_config config, uint64_t seed)
{
	struct link l;

	link_init(&l, &config, seed);
	return l;
}

static uint64_t arrives(struct link *l, uint64_t now_us, size_t bytes)
{
	struct link_arrival a = link_send(l, now_us, bytes);

	assert_int_equal(a.fate, LINK_ARRIVES);
	assert_int_equal(a.copies, 1);
	return a.at_us[0];
}

/* Five standard deviations of a binomial distribution: one run in two million is outside by chance. */
static void assert_rate(unsigned seen, unsigned of, double chance)
{
	double off = (double)seen - of * chance, variance = of * chance * (1 - chance);

	if (off * off > 25 * variance + 1e-9)
		fail_msg("%u of %u where %g of all were expected", seen, of, chance);
}

/* --- delay and jitter --- */

static void test_delay(void **state)
{
	static const uint64_t delays[] = {0, 1, 999, 20 * MS, 3600 * SECOND};

	(void)state;
	for (size_t i = 0; i < COUNT(delays); i++) {
		struct link l = link_of((struct link_config){.delay_us = delays[i]}, SEED);

		for (uint64_t now = 5 * SECOND; now < 5 * SECOND + 1000; now += 7)
			assert_int_equal(arrives(&l, now, 1500), now + delays[i]);
	}
}

/* All of the range is used, both ends too, and what was sent later does not arrive earlier. */
static void test_jitter(void **state)
{
	static const uint64_t steps[] = {0, 1, 3, 50};

	(void)state;
	for (size_t s = 0; s < COUNT(steps); s++) {
		struct link l =
			link_of((struct link_config){.delay_us = 100, .jitter_us = 9}, SEED);
		uint64_t now = SECOND, last = 0, seen[10] = {0};

		for (unsigned i = 0; i < PACKETS; i++, now += steps[s]) {
			uint64_t at = arrives(&l, now, 100);

			assert_true(at >= last && at >= now + 100 && at <= now + 109);
			last = at;
			seen[at - now - 100]++;
		}
		/* far enough apart, each one has a jitter that its predecessors do not touch */
		for (int i = 0; i < 10 && steps[s] > 9; i++)
			assert_rate((unsigned)seen[i], PACKETS, 0.1);
	}
}

/* --- loss and copies --- */

static void test_loss_and_duplicates(void **state)
{
	static const struct {
		double loss, duplicate;
	} rows[] = {{0, 0}, {1, 0}, {0, 1}, {0.01, 0}, {0.5, 0}, {0, 0.2}, {0.001, 0.999}, {1, 1}};

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		struct link l = link_of((struct link_config){.delay_us = 10,
						.loss = rows[r].loss,
						.duplicate = rows[r].duplicate},
			SEED + r);
		unsigned lost = 0, twice = 0;

		for (unsigned i = 0; i < PACKETS; i++) {
			struct link_arrival a = link_send(&l, i, 100);

			lost += a.fate == LINK_LOST;
			if (a.fate == LINK_LOST)
				continue;
			assert_int_equal(a.fate, LINK_ARRIVES);
			assert_int_equal(a.at_us[0], i + 10u);
			if (a.copies == 2)
				assert_int_equal(a.at_us[1], i + 10u);
			twice += a.copies == 2;
		}
		assert_rate(lost, PACKETS, rows[r].loss);
		assert_rate(twice, PACKETS - lost, rows[r].duplicate);
	}
}

/* Copies are packets like others: each with a jitter of its own, and in order. */
static void test_copies_have_their_own_jitter(void **state)
{
	struct link l = link_of(
		(struct link_config){.delay_us = 10, .jitter_us = 1000, .duplicate = 1}, SEED);
	unsigned apart = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		struct link_arrival a = link_send(&l, i * 10 * MS, 100);

		assert_int_equal(a.copies, 2);
		assert_true(a.at_us[1] >= a.at_us[0] && a.at_us[1] <= i * 10 * MS + 1010);
		apart += a.at_us[1] > a.at_us[0];
	}
	assert_in_range(apart, 400, 600); /* where the second one was not waiting for the first */
}

/* --- order --- */

/*
 * Packets at an even pace: who is not held back is in order and in time; who is arrives behind others that were
 * sent later, and no later than 1 ms, delay and jitter together allow.
 */
static void check_reorder(struct link_config config, uint64_t pace_us)
{
	static uint64_t at[PACKETS];
	uint64_t most = MS + 2 * (config.delay_us + config.jitter_us), soonest = UINT64_MAX;
	struct link l = link_of(config, SEED);
	unsigned overtaken = 0, late = 0;

	for (unsigned i = 0; i < PACKETS; i++) {
		at[i] = arrives(&l, i * pace_us, 100);
		assert_true(at[i] >= i * pace_us + config.delay_us);
		assert_true(at[i] <= i * pace_us + most + config.jitter_us);
		late += at[i] > i * pace_us + config.delay_us + config.jitter_us;
	}
	for (unsigned i = PACKETS; i-- > 0;) {
		overtaken += at[i] > soonest;
		soonest = at[i] < soonest ? at[i] : soonest;
	}
	if (config.jitter_us == 0)
		assert_rate(late, PACKETS, config.reorder);
	/* who is held back for less than the pace is not overtaken, and the last ones by nobody */
	assert_true(overtaken <= PACKETS * config.reorder * 1.2 + 1);
	assert_true(overtaken >= PACKETS * config.reorder * 0.8);
}

static void test_reorder(void **state)
{
	static const double chances[] = {0, 0.01, 0.1, 0.3};

	(void)state;
	for (size_t i = 0; i < COUNT(chances); i++) {
		check_reorder((struct link_config){.reorder = chances[i]}, 10);
		check_reorder((struct link_config){.reorder = chances[i], .delay_us = 5 * MS}, 100);
		check_reorder(
			(struct link_config){
				.reorder = chances[i], .delay_us = 5 * MS, .jitter_us = 500},
			100);
	}
}

/* It never comes before one that was sent earlier, nor with one that was sent at the same moment. */
static void test_held_back_is_later(void **state)
{
	struct link l = link_of((struct link_config){.jitter_us = 10 * MS, .reorder = 0.5}, SEED);
	uint64_t latest = 0;

	(void)state;
	for (unsigned i = 0; i < PACKETS; i++) {
		uint64_t before = l.last_us, at = arrives(&l, i, 100);

		if (l.last_us == before && at != before) /* it was held back */
			assert_true(at > before);
		latest = at > latest ? at : latest;
	}
	assert_true(latest > l.last_us);
}

/* --- rate --- */

/* Back to back, packets are as far apart as their bits take, however small that is. */
static void test_rate(void **state)
{
	static const struct {
		uint64_t bps;
		size_t bytes;
		unsigned packets;
		uint64_t us; /* when the last one has been sent */
	} rows[] = {
		{1, 1, 2, 16 * SECOND}, {8000, 100, 10, 1 * SECOND}, {64000, 1500, 1, 187500},
		{10000000, 1500, 10, 12000}, {1000000000, 1500, 1000, 12000},
		{1000000000, 64, 1000, 512}, /* 0.512 us each */
		{3000000, 1, 3000, 8000}, /* 2.67 us each */
		{1000000000000, 125, 100000, 100}, /* a thousand in a microsecond */
	};

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		struct link l = link_of(
			(struct link_config){
				.delay_us = 70, .rate_bps = rows[r].bps, .queue_us = 3600 * SECOND},
			SEED);
		uint64_t at = 0, last = 0;

		for (unsigned i = 0; i < rows[r].packets; i++, last = at) {
			at = arrives(&l, SECOND, rows[r].bytes);
			assert_true(at >= last);
		}
		assert_int_equal(at, SECOND + 70 + rows[r].us);
		/* and who comes when nobody waits has the link for himself */
		assert_int_equal(arrives(&l, 9000 * SECOND, rows[r].bytes),
			9000 * SECOND + 70 + rows[r].bytes * 8 * SECOND / rows[r].bps);
	}
}

/* The rate holds when packets come a little faster than it, however small they are. */
static void test_rate_under_load(void **state)
{
	struct link l =
		link_of((struct link_config){.rate_bps = 100000000, .queue_us = 10 * MS}, SEED);
	unsigned through = 0;

	(void)state;
	/* 40 bytes are 3.2 us, and one comes every 3 us, for a second */
	for (uint64_t now = 0; now < SECOND; now += 3) {
		struct link_arrival a = link_send(&l, now, 40);

		through += a.fate == LINK_ARRIVES;
		if (a.fate != LINK_ARRIVES)
			assert_int_equal(a.fate, LINK_QUEUE_FULL);
		else
			assert_true(a.at_us[0] <= now + 10 * MS + 4);
	}
	/* what the rate lets through in a second, and what the queue still holds */
	assert_in_range(through, 1000000 / 3.2, 1010004 / 3.2 + 1);
}

/* A packet of 1 ms each: so many wait as the queue is long, 100 ms if it is not said. */
static void test_queue(void **state)
{
	static const struct {
		uint64_t queue_us;
		unsigned at_once;
	} rows[] = {{0, 101}, {100 * MS, 101}, {1, 1}, {999, 1}, {1000, 2}, {5500, 6}};

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		struct link l = link_of(
			(struct link_config){.rate_bps = 8000000, .queue_us = rows[r].queue_us},
			SEED);
		unsigned through = 0;

		for (unsigned i = 0; i < 200; i++)
			through += link_send(&l, 7, 1000).fate == LINK_ARRIVES;
		assert_int_equal(through, rows[r].at_once);
		/* as one has left there is room for one more, and what was lost has taken none */
		assert_int_equal(link_send(&l, 7 + MS, 1000).fate, LINK_ARRIVES);
		assert_int_equal(link_send(&l, 7 + MS, 1000).fate, LINK_QUEUE_FULL);
	}
}

static void test_no_rate_no_queue(void **state)
{
	struct link l = link_of((struct link_config){.queue_us = 1}, SEED);

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(arrives(&l, 5, 65535), 5);
}

/* --- seeds --- */

static const struct link_config everything = {.delay_us = 500,
	.jitter_us = 900,
	.loss = 0.1,
	.duplicate = 0.1,
	.reorder = 0.1,
	.rate_bps = 100000000,
	.queue_us = 5 * MS};

static bool same_arrival(const struct link_arrival *a, const struct link_arrival *b)
{
	return a->fate == b->fate && a->copies == b->copies &&
		!memcmp(a->at_us, b->at_us, sizeof(a->at_us));
}

/* How many of a thousand packets have the same end on both. */
static unsigned count_same(struct link *a, struct link *b)
{
	unsigned same = 0;

	for (unsigned i = 0; i < 1000; i++) {
		struct link_arrival x = link_send(a, i * 50, 100 + i);
		struct link_arrival y = link_send(b, i * 50, 100 + i);

		same += same_arrival(&x, &y);
	}
	return same;
}

static void test_seeds(void **state)
{
	struct link a = link_of(everything, 1), b = link_of(everything, 1),
		    c = link_of(everything, 2), other = link_of(everything, 3);

	(void)state;
	/* nothing that happens on another link matters */
	for (unsigned i = 0; i < 100; i++)
		link_send(&other, i, 100);
	assert_int_equal(count_same(&a, &b), 1000);
	b = link_of(everything, 1);
	assert_true(count_same(&b, &c) < 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_loss_and_duplicates),
		cmocka_unit_test(test_copies_have_their_own_jitter),
		cmocka_unit_test(test_reorder),
		cmocka_unit_test(test_held_back_is_later),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rate_under_load),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_no_rate_no_queue),
		cmocka_unit_test(test_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
