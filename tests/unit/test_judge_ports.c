// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "base/random.h"
#include "journal_build.h"

#define PAIRS	   12
#define SOCKETS	   (2 * PAIRS)
#define RUNS	   2000
#define LOW	   1024
#define BAND_HOLDS 94 /* of a hundred */
#define ALL	   64512 /* 1024 to 65535 */

/* How a simulated NAT chooses ports. */
struct allocator {
	enum { KEEP, KEEP_FIRST, COUNT, DRAW, DRAW_PARITY, DRAW_PAIR } how;
	int step; /* COUNT */
	unsigned others; /* COUNT: before so many of a hundred sockets somebody takes a port */
	uint32_t low, width; /* DRAW */
	unsigned taken; /* KEEP: of a hundred ports, so many are in use by others */
	int kept; /* KEEP_FIRST: so many sockets after the first keep their ports */
};

struct simulation {
	const struct allocator *how;
	struct random random;
	uint16_t next, pair[PAIRS];
};

static uint16_t choose(struct simulation *s, uint16_t internal, int number)
{
	const struct allocator *a = s->how;
	uint16_t drawn = (uint16_t)(a->low + random_below(&s->random, a->width));

	switch (a->how) {
	case KEEP:
		return random_below(&s->random, 100) < a->taken ? drawn : internal;
	case KEEP_FIRST:
		return number > 0 && number <= a->kept ? internal : (uint16_t)(internal ^ 0x2000);
	case COUNT:
		while (random_below(&s->random, 100) < a->others)
			s->next = (uint16_t)(s->next + a->step);
		s->next = (uint16_t)(s->next + a->step);
		return s->next;
	case DRAW_PARITY:
		return (uint16_t)((drawn & ~1) | (internal & 1));
	case DRAW_PAIR:
		if (!(internal & 1))
			s->pair[number % PAIRS] = drawn & 0xfffe;
		return (uint16_t)(s->pair[number % PAIRS] | (internal & 1));
	default:
		return drawn;
	}
}

/* Pairs of neighbouring ports, all even ones first, as probe/ports.c asks. */
static void simulate(const struct allocator *how, uint64_t seed, int sockets, struct behaviour *out)
{
	static struct journal *j; /* kept: there are many runs */
	struct simulation s = {.how = how, .next = 30000};
	uint16_t even[PAIRS];
	struct endpoint to;
	struct verdict v;
	size_t server;

	if (!j)
		j = build_journal();
	build_empty(j);
	server = build_server(j);
	to = build_target(j, server, false, false);
	random_init_number(&s.random, seed);
	for (int i = 0; i < PAIRS; i++)
		even[i] = (uint16_t)(32768 + 1000 * i + 2 * random_below(&s.random, 400));
	build_ask(j, QUESTION_BINDING, server, 31000, &to, &to, choose(&s, 31000, 0));
	for (int i = 0; i < sockets; i++) {
		uint16_t internal = (uint16_t)(even[i % PAIRS] + i / PAIRS);

		build_ask(j, QUESTION_PORTS, server, internal, &to, &to, choose(&s, internal, i));
	}
	judge(j, &v);
	*out = v.udp4;
}

static void test_preserving(void **state)
{
	static const struct {
		unsigned taken;
		int sockets;
		enum share share;
		enum allocation_pattern pattern;
	} rows[] = {
		{0, SOCKETS, SHARE_ALWAYS, ALLOCATION_PRESERVING},
		{0, 7, SHARE_ALWAYS, ALLOCATION_PRESERVING}, /* and the first socket */
		{0, 6, SHARE_UNKNOWN, ALLOCATION_UNKNOWN},
		{100, SOCKETS, SHARE_NEVER, ALLOCATION_RANDOM},
		{100, 6, SHARE_UNKNOWN, ALLOCATION_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct allocator a = {
			.how = KEEP, .taken = rows[i].taken, .low = LOW, .width = ALL};
		struct behaviour b;

		simulate(&a, 3, rows[i].sockets, &b);
		if (b.port_preservation != rows[i].share || b.allocation.pattern != rows[i].pattern)
			fail_msg("row %zu: %s, %s", i, share_name(b.port_preservation),
				allocation_name(b.allocation.pattern));
		assert_int_equal(b.allocation.samples, rows[i].sockets + 1);
		if (!rows[i].pattern)
			assert_string_equal(
				b.allocation_basis.text, "only 7 sockets were measured");
		assert_int_equal(b.allocation.parity,
			rows[i].share == SHARE_ALWAYS && rows[i].sockets == SOCKETS ? TRI_YES
				: rows[i].taken					    ? TRI_NO
										    : TRI_UNKNOWN);
	}
}

/* A port that is drawn may be the own one by chance: one of many is nothing, two are something. */
static void test_kept_by_chance(void **state)
{
	static const struct {
		int kept;
		enum share share;
	} rows[] = {{0, SHARE_NEVER}, {1, SHARE_NEVER}, {2, SHARE_SOMETIMES}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct allocator a = {
			.how = KEEP_FIRST, .kept = rows[i].kept, .low = LOW, .width = ALL};
		struct behaviour b;

		simulate(&a, 3, SOCKETS - 1, &b);
		if (b.port_preservation != rows[i].share)
			fail_msg("%d kept: %s", rows[i].kept, share_name(b.port_preservation));
	}
}

/* Collisions with other hosts do not make a preserving NAT another one. */
static void test_collisions(void **state)
{
	struct allocator a = {.how = KEEP, .taken = 10, .low = LOW, .width = ALL};
	unsigned preserving = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct behaviour b;

		simulate(&a, seed, SOCKETS, &b);
		assert_int_not_equal(b.port_preservation, SHARE_NEVER);
		/* too few that were not kept to tell where they come from */
		assert_true(b.allocation.pattern == ALLOCATION_PRESERVING ||
			b.allocation.pattern == ALLOCATION_UNKNOWN);
		preserving += b.allocation.pattern == ALLOCATION_PRESERVING;
	}
	print_message("# one port in ten taken: preserving in %u of 100\n", preserving);
	assert_in_range(preserving, 95, 100);
}

/*
 * Somebody else's sockets take ports in between: the step is found as long as most are
 * undisturbed.
 */
static void test_sequential(void **state)
{
	static const struct {
		int step;
		unsigned others;
		unsigned found_min, found_max; /* in a hundred runs, as sequential */
	} rows[] = {
		{1, 0, 100, 100},
		{-1, 0, 100, 100},
		{2, 0, 100, 100},
		{64, 0, 100, 100},
		{-64, 0, 100, 100},
		{65, 0, 0, 0},
		{1, 10, 99, 100},
		{1, 20, 95, 100},
		{2, 20, 95, 100},
		{1, 30, 70, 100},
		{1, 60, 0, 5},
		{3, 80, 0, 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct allocator a = {.how = COUNT,
			.step = rows[i].step,
			.others = rows[i].others,
			.low = LOW,
			.width = ALL};
		unsigned found = 0;

		for (uint64_t seed = 0; seed < 100; seed++) {
			struct behaviour b;

			simulate(&a, seed, SOCKETS, &b);
			if (b.allocation.pattern != ALLOCATION_SEQUENTIAL) {
				/* what follows in order is not drawn: unknown, for all that is said */
				assert_int_equal(b.allocation.pattern, ALLOCATION_UNKNOWN);
				assert_non_null(
					strstr(b.allocation_basis.text, "follow each other"));
				continue;
			}
			found++;
			assert_int_equal(b.allocation.step, rows[i].step);
			assert_true(b.allocation.confidence >= 0.6);
			assert_true(b.allocation.confidence <= 1);
			assert_int_equal(b.port_preservation, SHARE_NEVER);
			/* neighbours were not asked one after the other */
			assert_int_equal(b.allocation.contiguity, TRI_NO);
		}
		print_message("# step %d, others before %u %%: sequential in %u of 100\n",
			rows[i].step, rows[i].others, found);
		assert_in_range(found, rows[i].found_min, rows[i].found_max);
	}
}

/* A step across the end of the port range is one like the others. */
static void test_sequential_wraps(void **state)
{
	struct journal *j = build_journal();
	size_t server = build_server(j);
	struct endpoint to = build_target(j, server, false, false);
	struct verdict v;

	(void)state;
	build_ask(j, QUESTION_BINDING, server, 31000, &to, &to, 50);
	for (int i = 0; i < 12; i++)
		build_ask(j, QUESTION_PORTS, server, (uint16_t)(40000 + 2 * i), &to, &to,
			(uint16_t)(65530 + i) ? (uint16_t)(65530 + i) : 1);
	judge(j, &v);
	assert_int_equal(v.udp4.allocation.pattern, ALLOCATION_SEQUENTIAL);
	assert_int_equal(v.udp4.allocation.step, 1);
	journal_destroy(j);
}

/*
 * Sockets that had to ask twice may have got their port before or after others: they do not
 * count.
 */
static void test_sequential_loss(void **state)
{
	struct journal *j = build_journal();
	size_t server = build_server(j);
	struct endpoint to = build_target(j, server, false, false);
	struct verdict v;

	(void)state;
	build_ask(j, QUESTION_BINDING, server, 31000, &to, &to, 50);
	for (int i = 0; i < 24; i++) {
		bool again = i % 3 == 2;
		struct observation *o = build_ask(j, QUESTION_PORTS, server,
			(uint16_t)(40000 + 2 * i), &to, &to, again ? 20000 - i : 20000 + i - i / 3);

		o->sent = again ? 2 : 1;
	}
	judge(j, &v);
	assert_int_equal(v.udp4.allocation.pattern, ALLOCATION_SEQUENTIAL);
	assert_int_equal(v.udp4.allocation.step, 1);
	journal_destroy(j);
}

/*
 * Ports drawn from a band. What is said with a confidence of 95 % has to hold in about so many
 * runs: the stated band holds the true one, and it is no more than a few times as wide.
 */
static void test_band(void **state)
{
	static const uint32_t widths[] = {64, 512, 2048, 16384};

	(void)state;
	for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++) {
		struct allocator a = {.how = DRAW, .low = 20000, .width = widths[i]};
		unsigned bands = 0, holds = 0;
		double width = 0;

		for (uint64_t seed = 0; seed < RUNS; seed++) {
			struct behaviour b;

			simulate(&a, seed, SOCKETS, &b);
			assert_int_not_equal(b.allocation.pattern, ALLOCATION_RANDOM);
			if (b.allocation.pattern != ALLOCATION_BAND)
				continue;
			bands++;
			holds += b.allocation.low <= a.low &&
				b.allocation.high >= a.low + a.width - 1;
			width += b.allocation.high - b.allocation.low + 1;
		}
		print_message("# width %u: band in %u of %u runs, holds the true one in %u, mean "
			      "width %.0f\n",
			widths[i], bands, RUNS, holds, width / bands);
		assert_in_range(bands, RUNS * 99 / 100, RUNS);
		assert_in_range(holds, bands * BAND_HOLDS / 100, bands);
		assert_true(width / bands < 1.5 * widths[i]);
	}
}

/* 16 sockets towards one endpoint, and one towards three others, which get their ports from `beyond` on. */
static struct port_allocation band_of(uint64_t seed, uint16_t low, uint16_t width, uint16_t beyond)
{
	static struct journal *j;
	struct random random;
	struct verdict v;
	size_t server;
	struct endpoint to;

	if (!j)
		j = build_journal();
	build_empty(j);
	server = build_server(j);
	random_init_number(&random, seed);
	for (int i = 0; i < 4; i++) {
		to = build_target(j, server, i & 1, i & 2);
		build_ask(j, i ? QUESTION_MAPPING : QUESTION_BINDING, server, 31000, &to, &to,
			low + (int)random_below(&random, width) + (i ? beyond : 0));
	}
	to = build_target(j, server, false, false);
	for (int i = 0; i < 16; i++)
		build_ask(j, QUESTION_PORTS, server, (uint16_t)(50000 + i), &to, &to,
			low + (int)random_below(&random, width));
	judge(j, &v);
	return v.udp4.allocation;
}

/* What other endpoints see makes the band better known; unless it is another band. */
static void test_band_of_others(void **state)
{
	unsigned bands = 0, holds = 0;
	double width = 0, alone = 0;

	(void)state;
	for (uint64_t seed = 0; seed < RUNS; seed++) {
		struct port_allocation a = band_of(seed, 20000, 251, 0);
		struct port_allocation b = band_of(seed, 20000, 251, 5000);

		if (a.pattern != ALLOCATION_BAND || b.pattern != ALLOCATION_BAND)
			continue;
		bands++;
		assert_true(b.high < 20500);
		holds += a.low <= 20000 && a.high >= 20250;
		width += a.high - a.low + 1;
		alone += b.high - b.low + 1;
	}
	print_message("# 251 ports: mean width %.0f, by one endpoint %.0f, holds the true one in "
		      "%u of %u\n",
		width / bands, alone / bands, holds, bands);
	assert_in_range(bands, RUNS * 99 / 100, RUNS);
	assert_in_range(holds, bands * BAND_HOLDS / 100, bands);
	assert_true(width < 0.95 * alone);
}

static void test_random(void **state)
{
	struct allocator all = {.how = DRAW, .low = LOW, .width = ALL};
	struct allocator half = {.how = DRAW, .low = 32768, .width = 32768};
	unsigned random = 0, called_random = 0;

	(void)state;
	for (uint64_t seed = 0; seed < RUNS; seed++) {
		struct behaviour b;

		simulate(&all, seed, SOCKETS, &b);
		random += b.allocation.pattern == ALLOCATION_RANDOM;
		assert_int_not_equal(b.allocation.pattern, ALLOCATION_SEQUENTIAL);
		assert_int_not_equal(b.allocation.pattern, ALLOCATION_PRESERVING);
		assert_int_not_equal(b.allocation.parity, TRI_YES);
		assert_int_not_equal(b.allocation.contiguity, TRI_YES);
		simulate(&half, seed, SOCKETS, &b);
		called_random += b.allocation.pattern == ALLOCATION_RANDOM;
	}
	print_message("# all ports: random in %u of %u runs; the upper half: in %u\n", random, RUNS,
		called_random);
	assert_in_range(random, RUNS * 99 / 100, RUNS);
	assert_int_equal(called_random, 0);
}

static void test_parity_and_contiguity(void **state)
{
	static const struct {
		struct allocator how;
		enum tri parity, contiguity;
	} rows[] = {
		{{.how = KEEP, .low = LOW, .width = ALL}, TRI_YES, TRI_YES},
		{{.how = DRAW, .low = LOW, .width = ALL}, TRI_NO, TRI_NO},
		{{.how = DRAW_PARITY, .low = LOW, .width = ALL}, TRI_YES, TRI_NO},
		{{.how = DRAW_PAIR, .low = LOW, .width = ALL}, TRI_YES, TRI_YES},
		{{.how = COUNT, .step = 1, .low = LOW, .width = ALL}, TRI_NO, TRI_NO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct behaviour b;

		simulate(&rows[i].how, 11, SOCKETS, &b);
		if (b.allocation.parity != rows[i].parity ||
			b.allocation.contiguity != rows[i].contiguity)
			fail_msg("row %zu: %d %d", i, b.allocation.parity, b.allocation.contiguity);
	}
}

static void test_pooling(void **state)
{
	static const struct {
		int sockets, other_address; /* that socket gets another one; 0: none */
		enum pooling pooling;
	} rows[] = {
		{SOCKETS, 0, POOLING_PAIRED},
		{SOCKETS, 5, POOLING_ARBITRARY},
		{8, 0, POOLING_PAIRED},
		{5, 0, POOLING_UNKNOWN},
		{5, 5, POOLING_ARBITRARY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		size_t server = build_server(j);
		struct endpoint to = build_target(j, server, false, false);
		struct verdict v;

		build_ask(j, QUESTION_BINDING, server, 31000, &to, &to, 31000);
		for (int k = 0; k < rows[i].sockets; k++) {
			struct observation *o = build_ask(j, QUESTION_PORTS, server,
				(uint16_t)(40000 + k), &to, &to, 40000 + k);

			if (k + 1 == rows[i].other_address) {
				o->answer.mapped.address[3] = 98;
				o->answer.mapped_plain = o->answer.mapped;
			}
		}
		judge(j, &v);
		assert_string_equal(pooling_name(v.udp4.pooling), pooling_name(rows[i].pooling));
		journal_destroy(j);
	}
}

static void test_nothing(void **state)
{
	struct journal *j = build_journal();
	struct verdict v;

	(void)state;
	build_mapping(j, build_server(j), (int[4]){0, -1, -1, -1});
	judge(j, &v);
	assert_int_equal(v.udp4.allocation.pattern, ALLOCATION_UNKNOWN);
	assert_int_equal(v.udp4.port_preservation, SHARE_UNKNOWN);
	assert_int_equal(v.udp4.allocation.samples, 0);
	assert_string_equal(v.udp4.allocation_basis.text, "no server answered");
	journal_destroy(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_preserving),
		cmocka_unit_test(test_kept_by_chance),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_sequential),
		cmocka_unit_test(test_sequential_wraps),
		cmocka_unit_test(test_sequential_loss),
		cmocka_unit_test(test_band),
		cmocka_unit_test(test_band_of_others),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_parity_and_contiguity),
		cmocka_unit_test(test_pooling),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
