// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* The chances of plans: against exact values, and against many tries. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "judge/pair.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define PORTS_MAX 65536

static bool near(double a, double b, double tolerance)
{
	return fabs(a - b) <= tolerance;
}

/* Below bound, from a state that is never 0: many and quickly (Marsaglia's xorshift). */
static unsigned below(uint64_t *state, unsigned bound)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (unsigned)((*state * 2685821657736338717u >> 32) * bound >> 32);
}

static double log_choose(double n, double k)
{
	return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

static void test_hit(void **state)
{
	static const struct {
		unsigned ports, open, guesses;
		double chance;
	} rows[] = {
		{64512, 256, 1024, 0.983498},
		{64512, 256, 174, 0.499817},
		{64512, 256, 256, 0.639374},
		{64512, 84, 700, 0.600297},
		{28232, 256, 256, 0.903919},
		{2016, 64, 93, 0.953675},
		{251, 16, 43, 0.955408},
		{4032, 32, 361, 0.950891},
		{10, 1, 1, 0.1},
		{10, 3, 1, 0.3},
		{4, 2, 2, 5.0 / 6},
		{10, 0, 10, 0},
		{10, 10, 0, 0},
		{10, 10, 1, 1},
		{10, 1, 10, 1},
		{10, 6, 5, 1},
		{10, 100, 100, 1},
		{0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		double hit = pair_chance_hit(rows[i].ports, rows[i].open, rows[i].guesses);

		assert_true(near(hit, rows[i].chance, 1e-6));
		assert_true(hit == pair_chance_hit(rows[i].ports, rows[i].guesses, rows[i].open));
	}
}

/* 1 - C(ports - open, guesses) / C(ports, guesses) by the gamma function. */
static void test_hit_by_gamma(void **state)
{
	uint64_t r;

	(void)state;
	r = 1;
	for (int i = 0; i < 2000; i++) {
		unsigned ports = 2 + below(&r, PORTS_MAX - 1);
		unsigned open = below(&r, ports / 2), guesses = below(&r, ports / 2);
		double exact =
			1 - exp(log_choose(ports - open, guesses) - log_choose(ports, guesses));

		assert_true(near(pair_chance_hit(ports, open, guesses), exact, 1e-7));
	}
}

static void test_both(void **state)
{
	static const struct {
		unsigned ports_a, packets_a, ports_b, packets_b;
		double chance;
	} rows[] = {
		{251, 434, 251, 434, 0.949699},
		{64511, 700, 64511, 700, 0.000117734},
		{64512, 53700, 64512, 53700, 0.499874},
		{1008, 1744, 1008, 1744, 0.949886},
		{1008, 872, 1008, 872, 0.526859},
		{2016, 3490, 2016, 3490, 0.950058},
		{100, 100, 1000, 1000, 0.632121},
		{100, 0, 100, 100, 0},
		{0, 1, 1, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_true(near(pair_chance_both(rows[i].ports_a, rows[i].packets_a,
					 rows[i].ports_b, rows[i].packets_b),
			rows[i].chance, 1e-6));
}

/* --- tries --- */

/* So many different ports below `ports`, marked. */
static void draw(uint64_t *r, bool *marked, unsigned ports, unsigned count)
{
	memset(marked, 0, ports);
	while (count) {
		unsigned port = below(r, ports);

		count -= !marked[port];
		marked[port] = true;
	}
}

static double tried_hits(uint64_t *r, unsigned ports, unsigned open, unsigned guesses)
{
	static bool opened[PORTS_MAX], guessed[PORTS_MAX];
	unsigned hits = 0, tries = 20000;

	for (unsigned i = 0; i < tries; i++) {
		bool hit = false;

		draw(r, opened, ports, open);
		draw(r, guessed, ports, guesses);
		for (unsigned port = 0; port < ports && !hit; port++)
			hit = opened[port] && guessed[port];
		hits += hit;
	}
	return (double)hits / tries;
}

/* Twenty thousand tries are right to 15 in a thousand (four deviations in the worst case). */
static void test_tried_hits(void **state)
{
	static const struct {
		unsigned ports, open, guesses;
	} rows[] = {{2016, 64, 93}, {2016, 64, 30}, {251, 16, 43}, {251, 62, 3}};
	uint64_t r;

	(void)state;
	r = 2;
	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_true(near(tried_hits(&r, rows[i].ports, rows[i].open, rows[i].guesses),
			pair_chance_hit(rows[i].ports, rows[i].open, rows[i].guesses), 0.015));
}

#define BAND_MAX 512

/* Packets of two sides, each from a random port of its own to a random one of the other: none twice. */
struct crossing {
	unsigned ports_a, ports_b;
	bool sent_a[BAND_MAX][BAND_MAX]; /* from a port of A to one of B */
};

static bool meet(uint64_t *r, struct crossing *c, unsigned packets_a, unsigned packets_b)
{
	bool hit = false;

	memset(c->sent_a, 0, sizeof(c->sent_a));
	for (unsigned i = 0; i < packets_a; i++)
		c->sent_a[below(r, c->ports_a)][i % c->ports_b] = true;
	for (unsigned i = 0; i < packets_b; i++)
		hit |= c->sent_a[i % c->ports_a][below(r, c->ports_b)];
	return hit;
}

static void test_tried_crossings(void **state)
{
	static const struct {
		unsigned ports_a, packets_a, ports_b, packets_b;
	} rows[] = {{251, 434, 251, 434}, {251, 217, 251, 217}, {64, 443, 256, 64},
		{500, 100, 100, 400}};
	static struct crossing c;
	uint64_t r;

	(void)state;
	r = 3;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		unsigned hits = 0, tries = 20000;

		c.ports_a = rows[i].ports_a;
		c.ports_b = rows[i].ports_b;
		for (unsigned k = 0; k < tries; k++)
			hits += meet(&r, &c, rows[i].packets_a, rows[i].packets_b);
		assert_true(near((double)hits / tries,
			pair_chance_both(rows[i].ports_a, rows[i].packets_a, rows[i].ports_b,
				rows[i].packets_b),
			0.015));
	}
}

/* A sequence of ports against a band: what the plan promises, less what others take of the sequence. */
static void test_tried_sequence_and_band(void **state)
{
	const struct pair_side sides[2] = {
		{.status = PATH_OK,
			.mapping = DEPENDENCE_ADDRESS_AND_PORT,
			.allocation = ALLOCATION_SEQUENTIAL},
		{.status = PATH_OK,
			.mapping = DEPENDENCE_ADDRESS_AND_PORT,
			.allocation = ALLOCATION_BAND,
			.low = 3001,
			.high = 3251},
	};
	unsigned target[BAND_MAX], hits = 0, tries = 20000, ports = 251, taken = 8;
	const struct pair_role *role;
	struct pair_advice a;
	uint64_t r;

	(void)state;
	r = 4;
	pair_advise(sides, &a);
	assert_int_equal(a.plans[0].strategy, PAIR_BOTH_HARD);
	role = a.plans[0].role;
	for (unsigned t = 0; t < tries; t++) {
		bool hit = false;

		for (unsigned i = 0; i < role[0].guesses; i++)
			target[i] = below(&r, ports);
		for (unsigned i = 0; i < role[1].guesses; i++) {
			unsigned place = pair_place(&role[1], i), from = below(&r, ports);

			hit |= place >= taken && target[place - taken] == from;
		}
		hits += hit;
	}
	assert_true((double)hits / tries > a.plans[0].chance);
	assert_true(near((double)hits / tries, 0.93, 0.015));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hit),
		cmocka_unit_test(test_hit_by_gamma),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_tried_hits),
		cmocka_unit_test(test_tried_crossings),
		cmocka_unit_test(test_tried_sequence_and_band),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
