// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Two whole sides of a punch in virtual time: natlab's NATs, natprobed's engines, start offsets at random. What theory
 * allows has to succeed, what it does not allow has to fail for the right reason, and nothing is ever claimed that
 * is not there.
 */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/unit/punchnet.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define SECOND	  1000000u
#define MS	  1000u

/* The kinds of the matrix; SB has a block of 251 ports and uses them again for other peers, as Linux does. */
static const struct {
	const char *name, *kind;
} kinds[] = {
	{"FC", "full-cone"},
	{"RC", "restricted"},
	{"PR", "port-restricted"},
	{"PX", "linux-accept"},
	{"SQ", "symmetric-sequential"},
	{"SB", "linux-random low=40000 high=40250"},
	{"SR", "symmetric"},
};

enum { FC, RC, PR, PX, SQ, SB, SR, KINDS };

static void make_topology(char *text, size_t size, const char *a, const char *b, const char *link)
{
	snprintf(text, size,
		"link delay=25ms hops=3 %s\nnat a kind=%s\nnat b kind=%s\n"
		"link delay=0 hops=0 loss=0 jitter=0 reorder=0 duplicate=0\n"
		"host a behind=a\nhost b behind=b\nlink delay=5ms hops=1\nhost server\n",
		link, a, b);
}

/* Each run has other offsets, of up to 1.5 s. */
static struct punchnet_config make_config(const char *topology, unsigned run)
{
	struct punchnet_config c = {.topology = topology,
		.seed = 1000 + run,
		.party = {{.secret = "crossover-clockwork"}, {.secret = "crossover-clockwork"}}};
	struct random random;

	random_init_number(&random, run);
	c.party[0].start_us = random_below(&random, 1500) * MS;
	c.party[1].start_us = random_below(&random, 1500) * MS;
	return c;
}

static void fail_with(const struct punchnet_result *r, const char *what)
{
	for (int i = 0; i < PUNCHNET_PARTIES; i++) {
		const struct session_view *v = &r->party[i].view;

		print_message("party %d: state %d, failure %d, attempt %u of %zu, %u packets\n", i,
			(int)v->state, (int)v->failure, v->attempt, v->plans.count,
			r->party[i].sent);
		for (size_t k = 0; k < r->party[i].trail->event_count; k++) {
			const struct trail_event *e = &r->party[i].trail->events[k];

			if (e->kind == TRAIL_STEP)
				print_message("  %.1f ms %s\n", (double)e->t_us / 1000, e->text);
		}
	}
	fail_msg("%s: %s", what, r->broken);
}

static bool trail_mentions(const struct trail *t, const char *words)
{
	for (size_t i = 0; i < t->event_count; i++)
		if (t->events[i].kind == TRAIL_STEP && strstr(t->events[i].text, words))
			return true;
	return false;
}

/* Both say the same: connected, by the same way seen from both ends, or not. */
static bool have_met(const struct punchnet_result *r, const char *what)
{
	const struct punchnet_outcome *a = &r->party[0], *b = &r->party[1];
	bool met = a->view.state == SESSION_CONNECTED;

	if (*r->broken || !a->ended || !b->ended || met != (b->view.state == SESSION_CONNECTED))
		fail_with(r, what);
	if (met &&
		(!endpoint_equal(&a->checks.mapped, &b->remote) ||
			!endpoint_equal(&b->checks.mapped, &a->remote)))
		fail_with(r, what);
	return met;
}

/* How many of so many runs of a pair of kinds succeed. */
static unsigned count_successes(int a, int b, unsigned runs, const char *link)
{
	unsigned successes = 0;
	char topology[600], what[40];

	make_topology(topology, sizeof(topology), kinds[a].kind, kinds[b].kind, link);
	for (unsigned i = 0; i < runs; i++) {
		struct punchnet_config c = make_config(topology, i);
		struct punchnet_result r;

		punchnet_run(&c, &r);
		snprintf(what, sizeof(what), "%s x %s, run %u", kinds[a].name, kinds[b].name, i);
		successes += have_met(&r, what);
		punchnet_free(&r);
	}
	return successes;
}

/* Cells where nothing is left to luck. */
static void test_sure_cells(void **state)
{
	static const int cells[][2] = {{FC, FC}, {FC, RC}, {FC, PR}, {FC, PX}, {FC, SQ}, {FC, SB},
		{FC, SR}, {RC, RC}, {RC, PR}, {RC, PX}, {RC, SQ}, {RC, SB}, {RC, SR}, {PR, PR},
		{PR, PX}, {PX, PX}, {PR, SQ}, {PX, SQ}, {SQ, SQ}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++)
		for (int turned = 0; turned < 2; turned++)
			if (count_successes(cells[i][turned], cells[i][!turned], 4, "") != 4)
				fail_msg("%s x %s", kinds[cells[i][turned]].name,
					kinds[cells[i][!turned]].name);
}

/* Cells of chance: as often as theory has it, within what so few runs can show. */
static void test_chance_cells(void **state)
{
	static const struct {
		int a, b;
		unsigned runs, least;
	} cells[] = {{PR, SB, 8, 7}, {SB, PX, 8, 7}, {PR, SR, 4, 3}, {SR, PX, 4, 3}, {SB, SB, 8, 5},
		{SQ, SB, 8, 4}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++)
		assert_true(count_successes(cells[i].a, cells[i].b, cells[i].runs, "") >=
			cells[i].least);
}

/* Where theory says no, both sides say so, and why. */
static void test_hopeless_cells(void **state)
{
	static const int cells[][2] = {{SR, SR}, {SQ, SR}, {SB, SR}};
	char topology[600];

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++) {
		struct punchnet_config c;
		struct punchnet_result r;

		make_topology(topology, sizeof(topology), kinds[cells[i][0]].kind,
			kinds[cells[i][1]].kind, "");
		c = make_config(topology, (unsigned)i);
		punchnet_run(&c, &r);
		assert_false(have_met(&r, "a hopeless pair"));
		for (int p = 0; p < PUNCHNET_PARTIES; p++) {
			assert_int_equal(r.party[p].view.failure, SESSION_NO_PATH);
			assert_int_equal(r.party[p].view.plans.count, 0);
			assert_non_null(strstr(r.party[p].view.plans.why_not, "packets"));
		}
		punchnet_free(&r);
	}
}

/* From the moment both know each other, at most one and a half round trips (median). */
static void test_time(void **state)
{
	static const int cells[][2] = {{FC, FC}, {RC, PR}, {PR, PR}, {FC, SR}, {RC, SQ}};
	const uint64_t round_trip_us = 100 * MS;
	char topology[600];

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++) {
		unsigned quick = 0;

		make_topology(topology, sizeof(topology), kinds[cells[i][0]].kind,
			kinds[cells[i][1]].kind, "");
		for (unsigned run = 0; run < 9; run++) {
			struct punchnet_config c = make_config(topology, run);
			struct punchnet_result r;
			uint64_t know_us, proved_us;

			punchnet_run(&c, &r);
			assert_true(have_met(&r, "time"));
			know_us = r.party[0].view.exchanged_us > r.party[1].view.exchanged_us
				? r.party[0].view.exchanged_us
				: r.party[1].view.exchanged_us;
			proved_us = r.party[0].view.proved_us > r.party[1].view.proved_us
				? r.party[0].view.proved_us
				: r.party[1].view.proved_us;
			quick += proved_us <= know_us + round_trip_us * 3 / 2;
			punchnet_free(&r);
		}
		assert_true(quick >= 5);
	}
}

/* Loss, duplicates and reordering: slower, and never wrong. */
static void test_bad_links(void **state)
{
	(void)state;
	assert_int_equal(
		count_successes(PR, PR, 6, "loss=5% jitter=10ms reorder=5% duplicate=2%"), 6);
	assert_true(
		count_successes(PR, PR, 6, "loss=20% jitter=10ms reorder=5% duplicate=5%") >= 5);
	assert_true(count_successes(PX, PR, 6, "loss=5% jitter=10ms reorder=5%") >= 5);
}

static void test_ipv6(void **state)
{
	static const char *const pairs[] = {"firewall", "none", "port-restricted", "symmetric"};
	char topology[600];

	(void)state;
	for (size_t i = 0; i < LENGTH(pairs); i++)
		for (int both = 0; both < 2; both++) {
			struct punchnet_config c;
			struct punchnet_result r;

			make_topology(topology, sizeof(topology), pairs[i], "firewall", "");
			c = make_config(topology, (unsigned)i);
			c.ipv6 = true;
			c.ipv4 = both;
			punchnet_run(&c, &r);
			assert_true(have_met(&r, "IPv6"));
			punchnet_free(&r);
		}
}

/* Behind one NAT: by its inside addresses, whether it hairpins or not. */
static void test_same_nat(void **state)
{
	static const char *const kind[] = {"linux", "symmetric", "cgnat"};

	(void)state;
	for (size_t i = 0; i < LENGTH(kind); i++) {
		struct punchnet_config c;
		struct punchnet_result r;
		char topology[400];

		snprintf(topology, sizeof(topology),
			"link delay=25ms\nnat n kind=%s\nlink delay=1ms\nhost a behind=n\n"
			"host b behind=n\nhost server\n",
			kind[i]);
		c = make_config(topology, (unsigned)i);
		punchnet_run(&c, &r);
		if (!have_met(&r, kind[i]))
			fail_with(&r, kind[i]);
		assert_true(endpoint_is_private(&r.party[0].remote));
		punchnet_free(&r);
	}
}

/* Both sides learn it, and nobody is any the wiser. */
static void test_wrong_code(void **state)
{
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[600];

	(void)state;
	make_topology(topology, sizeof(topology), "linux", "linux", "");
	for (unsigned i = 0; i < 4; i++) {
		c = make_config(topology, i);
		c.party[1].secret = "crossover-clockworks";
		punchnet_run(&c, &r);
		assert_false(have_met(&r, "another code"));
		for (int p = 0; p < PUNCHNET_PARTIES; p++) {
			assert_int_equal(r.party[p].view.failure, SESSION_WRONG_CODE);
			assert_int_equal(r.party[p].sent, 0);
		}
		punchnet_free(&r);
	}
}

static void test_nobody_there(void **state)
{
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[600];

	(void)state;
	make_topology(topology, sizeof(topology), "linux", "linux", "");
	/* the other one never comes */
	c = make_config(topology, 1);
	c.party[1].start_us = 80 * SECOND;
	c.party[1].die_us = 1;
	c.wait_us = 20 * SECOND;
	punchnet_run(&c, &r);
	assert_int_equal(r.party[0].view.failure, SESSION_NO_PEER);
	punchnet_free(&r);
	/* comes late, but comes */
	c = make_config(topology, 2);
	c.party[1].start_us = c.party[0].start_us + 20 * SECOND;
	punchnet_run(&c, &r);
	assert_true(have_met(&r, "a late side"));
	punchnet_free(&r);
	/* comes, and dies before it has said anything of use */
	c = make_config(topology, 3);
	c.party[0].start_us = 0;
	c.party[1].start_us = 0;
	c.party[1].die_us = 150 * MS;
	c.limit_us = 120 * SECOND;
	punchnet_run(&c, &r);
	assert_true(r.party[0].ended);
	assert_int_equal(r.party[0].view.state, SESSION_FAILED);
	punchnet_free(&r);
	/* no server */
	c = make_config(topology, 4);
	c.server_dies_us = 1;
	punchnet_run(&c, &r);
	for (int p = 0; p < PUNCHNET_PARTIES; p++)
		assert_int_equal(r.party[p].view.failure, SESSION_UNREACHABLE);
	punchnet_free(&r);
}

/* The server is gone when both know each other: what needs no order works without it. */
static void test_server_dies(void **state)
{
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[600];

	(void)state;
	make_topology(topology, sizeof(topology), "linux", "linux", "");
	for (unsigned ms = 100; ms < 1200; ms += 100) {
		c = make_config(topology, 5);
		c.party[0].start_us = c.party[1].start_us = 0;
		c.server_dies_us = ms * MS;
		punchnet_run(&c, &r);
		for (int p = 0; p < PUNCHNET_PARTIES; p++)
			assert_true(r.party[p].ended);
		if (*r.broken)
			fail_with(&r, "the server dies");
		punchnet_free(&r);
	}
}

/* It begins anew at any moment, with none of what it knew: both find each other again, also where order matters. */
static void test_server_returns(void **state)
{
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[600];

	(void)state;
	make_topology(topology, sizeof(topology), kinds[PX].kind, kinds[PX].kind, "");
	for (unsigned ms = 50; ms < 3000; ms += 50) {
		c = make_config(topology, ms);
		c.server_dies_us = ms * MS;
		c.server_returns_us = (ms + 1500) * MS;
		punchnet_run(&c, &r);
		if (!have_met(&r, "the server begins anew"))
			fail_with(&r, "the server begins anew");
		punchnet_free(&r);
	}
}

/* Without UDP the two still meet, over TCP, and both learn that there is no way, and whose UDP does not work. */
static void test_blocked(void **state)
{
	static const char *const others[] = {"full-cone", "symmetric", "udp-blocked"};
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[600];

	(void)state;
	for (size_t i = 0; i < LENGTH(others); i++) {
		make_topology(topology, sizeof(topology), "udp-blocked", others[i], "");
		c = make_config(topology, (unsigned)i);
		punchnet_run(&c, &r);
		if (have_met(&r, others[i]))
			fail_with(&r, others[i]);
		assert_true(r.party[0].view.over_tcp);
		assert_int_equal(r.party[1].view.over_tcp, i == 2);
		for (int p = 0; p < PUNCHNET_PARTIES; p++) {
			const struct session_view *v = &r.party[p].view;

			assert_int_equal(v->failure, SESSION_NO_PATH);
			assert_true(v->has_peer);
			assert_true(v->ended_us - v->started_us < 15u * SECOND);
			assert_int_equal((p ? v->peer : v->own).side[0].status, PATH_UNREACHABLE);
		}
		punchnet_free(&r);
		/* a server that has no TCP either is no server */
		c.no_tcp = true;
		punchnet_run(&c, &r);
		assert_int_equal(r.party[0].view.failure, SESSION_UNREACHABLE);
		punchnet_free(&r);
	}
}

/* Of two families one does not reach the server, and there is no TCP: the two meet over the other, soon. */
static void test_family_turns(void **state)
{
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[600];

	(void)state;
	make_topology(topology, sizeof(topology), "linux", "firewall", "");
	for (int i = 0; i < 2; i++) {
		c = make_config(topology, (unsigned)i);
		c.ipv4 = c.ipv6 = c.no_tcp = true;
		c.udp_lost = i ? FAMILY_IPV6 : FAMILY_IPV4;
		punchnet_run(&c, &r);
		if (!have_met(&r, "turns"))
			fail_with(&r, "turns");
		for (int p = 0; p < PUNCHNET_PARTIES; p++)
			assert_true(r.party[p].view.registered_us - r.party[p].view.started_us <
				SECOND);
		punchnet_free(&r);
	}
}

/* Nor do they need the family that was tried first: what is lost without a word is not waited for until it is too late. */
static void test_blocked_family(void **state)
{
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[600];

	(void)state;
	make_topology(topology, sizeof(topology), "udp-blocked", "udp-blocked", "");
	for (int lost = 0; lost < 2; lost++) {
		c = make_config(topology, 1);
		c.ipv4 = c.ipv6 = true;
		c.tcp_lost = lost ? FAMILY_IPV6 : FAMILY_IPV4;
		punchnet_run(&c, &r);
		if (have_met(&r, "one family is lost"))
			fail_with(&r, "one family is lost");
		for (int p = 0; p < PUNCHNET_PARTIES; p++)
			assert_true(r.party[p].view.over_tcp && r.party[p].view.has_peer);
		punchnet_free(&r);
	}
}

/* A way that works no more is found anew, whoever notices it, also where order or luck matter; and again. */
static void test_again(void **state)
{
	static const int cells[][2] = {
		{FC, FC}, {PR, PR}, {PX, PR}, {PX, PX}, {FC, SR}, {PR, SQ}, {PR, SB}};
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[600];

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++) {
		make_topology(topology, sizeof(topology), kinds[cells[i][0]].kind,
			kinds[cells[i][1]].kind, i % 2 ? "loss=3%" : "");
		c = make_config(topology, (unsigned)i);
		c.again = 3;
		c.limit_us = 600u * SECOND;
		punchnet_run(&c, &r);
		if (!have_met(&r, "again"))
			fail_with(&r, kinds[cells[i][1]].name);
		for (int p = 0; p < PUNCHNET_PARTIES; p++)
			assert_in_range(r.party[p].view.round, 3, 9);
		assert_int_equal(r.party[0].view.round, r.party[1].view.round);
		punchnet_free(&r);
	}
}

/* Also by a side that can open no new socket: its old one is better than none. */
static void test_again_without_new_sockets(void **state)
{
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[600];

	(void)state;
	make_topology(topology, sizeof(topology), kinds[PR].kind, kinds[PR].kind, "");
	for (unsigned run = 0; run < 6; run++) {
		c = make_config(topology, run);
		c.again = 2;
		c.again_us = 10u * SECOND;
		c.party[run % 2].no_sockets_us = 8u * SECOND;
		c.limit_us = 300u * SECOND;
		punchnet_run(&c, &r);
		if (!have_met(&r, "again without new sockets"))
			fail_with(&r, "again");
		assert_true(trail_mentions(r.party[run % 2].trail, "no new one"));
		punchnet_free(&r);
	}
}

/* The one that has proved a way before the server has brought it the other's facts looks for another way, too. */
static void test_again_when_peer_was_quicker(void **state)
{
	static const char topology[] =
		"link delay=80ms jitter=70ms\nnat n kind=full-cone\nlink delay=1ms jitter=0\n"
		"host a behind=n\nhost b behind=n\nhost server\n";
	struct punchnet_config c;
	struct punchnet_result r;
	unsigned quick = 0;

	(void)state;
	for (unsigned run = 0; run < 12; run++) {
		c = make_config(topology, run);
		c.again = 2;
		c.again_us = 10u * SECOND; /* what was under way is there */
		c.limit_us = 300u * SECOND;
		punchnet_run(&c, &r);
		if (!have_met(&r, "again"))
			fail_with(&r, "again");
		for (int p = 0; p < PUNCHNET_PARTIES; p++) {
			const struct session_view *v = &r.party[p].view;

			quick += v->exchanged_us == v->first_heard_us;
			assert_in_range(v->round, 2, 6);
		}
		punchnet_free(&r);
	}
	assert_in_range(quick, 1, 23);
}

/* Two people with clocks that are half a second off hand each other their lines some time or other. */
static void test_manual(void **state)
{
	static const int cells[][2] = {
		{FC, FC}, {FC, PR}, {PR, PR}, {PX, PR}, {PX, PX}, {FC, SR}, {PR, SB}};
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[600];

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++)
		for (unsigned run = 0; run < 4; run++) {
			make_topology(topology, sizeof(topology), kinds[cells[i][0]].kind,
				kinds[cells[i][1]].kind, "");
			c = make_config(topology, run);
			c.manual = true;
			c.limit_us = c.wait_us = 400u * SECOND;
			c.party[0].paste_us = (10 + 7 * run) * SECOND;
			c.party[1].paste_us = (12 + 20 * run) * SECOND;
			c.party[run & 1].skew_us = run & 2 ? 200000 : -200000;
			punchnet_run(&c, &r);
			if (!have_met(&r, "manual"))
				fail_with(&r, kinds[cells[i][1]].name);
			punchnet_free(&r);
		}
}

/*
 * By hand, too, a way is found anew, though one side alone has noticed, at any time: how long the other's line may take
 * is nothing to a way that has stood.
 */
static void test_manual_again(void **state)
{
	static const int cells[][2] = {{PR, FC}, {FC, PR}, {PR, PR}, {SR, FC}};
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[600];

	(void)state;
	for (unsigned run = 0; run < 4 * LENGTH(cells); run++) {
		const int *cell = cells[run / 4];

		make_topology(
			topology, sizeof(topology), kinds[cell[0]].kind, kinds[cell[1]].kind, "");
		c = make_config(topology, run);
		c.manual = true;
		c.wait_us = 60u * SECOND;
		c.again = 2;
		c.again_us = 70u * SECOND;
		c.limit_us = 400u * SECOND;
		punchnet_run(&c, &r);
		if (!have_met(&r, "manual again"))
			fail_with(&r, "manual again");
		for (int p = 0; p < PUNCHNET_PARTIES; p++)
			assert_in_range(r.party[p].view.round, 1, 4);
		punchnet_free(&r);
	}
}

/* Other codes, or no line ever: an end, in time. */
static void test_manual_fails(void **state)
{
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[600];

	(void)state;
	make_topology(topology, sizeof(topology), "linux", "linux", "");
	c = make_config(topology, 1);
	c.manual = true;
	c.wait_us = 60u * SECOND;
	c.party[1].secret = "crossover-clockwise";
	punchnet_run(&c, &r);
	assert_false(have_met(&r, "other codes"));
	for (int p = 0; p < PUNCHNET_PARTIES; p++)
		assert_int_equal(r.party[p].view.failure, SESSION_WRONG_CODE);
	punchnet_free(&r);
	c.party[0].paste_us = c.party[1].paste_us = 80u * SECOND;
	punchnet_run(&c, &r);
	for (int p = 0; p < PUNCHNET_PARTIES; p++) {
		assert_int_equal(r.party[p].view.failure, SESSION_NO_PEER);
		assert_true(r.party[p].ended);
	}
	punchnet_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sure_cells),
		cmocka_unit_test(test_chance_cells),
		cmocka_unit_test(test_hopeless_cells),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_bad_links),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_same_nat),
		cmocka_unit_test(test_wrong_code),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_server_dies),
		cmocka_unit_test(test_server_returns),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_family_turns),
		cmocka_unit_test(test_blocked_family),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_again_without_new_sockets),
		cmocka_unit_test(test_again_when_peer_was_quicker),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_manual_again),
		cmocka_unit_test(test_manual_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
