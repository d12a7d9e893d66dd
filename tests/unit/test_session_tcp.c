// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Two whole sides of a punch over TCP in virtual time: natlab's NATs, natprobed's engines, the TCP of each host, start
 * offsets at random. The cells are those of test_session.c, with what TCP adds: how a NAT answers a SYN that comes too
 * early.
 */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "tests/unit/punchnet.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define SECOND	  1000000u
#define MS	  1000u

#define EIM_APDF \
	"symmetric tcp.mapping=endpoint-independent tcp.filtering=address-and-port-dependent "

static const struct {
	const char *name, *kind;
} kinds[] = {
	{"FC", "symmetric tcp.mapping=endpoint-independent tcp.filtering=endpoint-independent"},
	{"RC", "symmetric tcp.mapping=endpoint-independent tcp.filtering=address-dependent"},
	{"ED", EIM_APDF "unsolicited=drop"},
	{"ER", EIM_APDF "unsolicited=rst syn-silence=0"},
	{"EI", EIM_APDF "unsolicited=icmp syn-silence=0"},
	{"E6", EIM_APDF "unsolicited=icmp syn-silence=6s"},
	{"LS", EIM_APDF "unsolicited=drop simultaneous-open=no"},
	{"SQ", "symmetric-sequential unsolicited=drop"},
	{"SB", "linux-random low=40000 high=40250"},
	{"SR", "symmetric unsolicited=drop"},
};

enum { FC, RC, ED, ER, EI, E6, LS, SQ, SB, SR, KINDS };

static void make_topology(char *text, size_t size, const char *a, const char *b, const char *link)
{
	snprintf(text, size,
		"link delay=10ms hops=3 %s\nnat a kind=%s\nnat b kind=%s\n"
		"link delay=0 hops=0 loss=0 jitter=0 reorder=0 duplicate=0\n"
		"host a behind=a\nhost b behind=b\nlink delay=5ms hops=1\nhost server\n",
		link, a, b);
}

static struct punchnet_config make_config(const char *topology, unsigned run)
{
	struct punchnet_config c = {.topology = topology,
		.tcp = true,
		.seed = 1000 + run,
		.party = {{.secret = "crossover-clockwork"}, {.secret = "crossover-clockwork"}}};
	struct random random;

	random_init_number(&random, run);
	c.party[0].start_us = random_below(&random, 1500) * MS;
	c.party[1].start_us = random_below(&random, 1500) * MS;
	for (int i = 0; i < 2; i++) {
		c.party[i].sockets_max = 512;
		c.party[i].rate_pps = 100;
	}
	return c;
}

static void fail_with(const struct punchnet_result *r, const char *what)
{
	for (int i = 0; i < PUNCHNET_PARTIES; i++) {
		const struct session_view *v = &r->party[i].view;

		print_message("party %d: state %d, failure %d, attempt %u of %zu, %u connections\n",
			i, (int)v->state, (int)v->failure, v->attempt, v->plans.count,
			r->party[i].sent);
		for (size_t k = 0; k < r->party[i].trail->event_count; k++) {
			static const char *const names[] = {[TRAIL_SENT] = "sent",
				[TRAIL_RECEIVED] = "received",
				[TRAIL_REFUSED] = "refused",
				[TRAIL_ICMP] = "icmp",
				[TRAIL_OPENED] = "opened",
				[TRAIL_RESET] = "reset",
				[TRAIL_STEP] = "",
				[TRAIL_STRANGER] = "stranger"};
			const struct trail_event *e = &r->party[i].trail->events[k];
			char from[ENDPOINT_TEXT] = "", to[ENDPOINT_TEXT] = "";

			if (k > 60 && e->kind != TRAIL_STEP)
				continue;
			if (e->from.family != FAMILY_NONE)
				endpoint_format(&e->from, from);
			if (e->to.family != FAMILY_NONE)
				endpoint_format(&e->to, to);
			print_message("  %.1f ms %s %s %s %s\n", (double)e->t_us / 1000,
				names[e->kind], from, to, e->text);
		}
	}
	fail_msg("%s: %s", what, r->broken);
}

/* Both say the same: connected, by the same connection seen from both ends, or not. */
static bool have_met(const struct punchnet_result *r, const char *what)
{
	const struct punchnet_outcome *a = &r->party[0], *b = &r->party[1];
	bool met = a->view.state == SESSION_CONNECTED;

	if (*r->broken || !a->ended || !b->ended || met != (b->view.state == SESSION_CONNECTED))
		fail_with(r, what);
	if (met &&
		(!endpoint_equal(&a->checks.mapped, &b->remote) ||
			!endpoint_equal(&b->checks.mapped, &a->remote) ||
			!stun_id_equal(&a->checks.nomination, &b->checks.nomination)))
		fail_with(r, what);
	return met;
}

static unsigned count_successes(int a, int b, unsigned runs, const char *link, bool must)
{
	unsigned successes = 0;
	char topology[700], what[40];

	make_topology(topology, sizeof(topology), kinds[a].kind, kinds[b].kind, link);
	for (unsigned i = 0; i < runs; i++) {
		struct punchnet_config c = make_config(topology, i);
		struct punchnet_result r;
		bool met;

		punchnet_run(&c, &r);
		snprintf(what, sizeof(what), "%s x %s, run %u", kinds[a].name, kinds[b].name, i);
		met = have_met(&r, what);
		if (must && !met)
			fail_with(&r, what);
		successes += met;
		punchnet_free(&r);
	}
	return successes;
}

static void test_sure_cells(void **state)
{
	static const int cells[][2] = {{FC, FC}, {FC, RC}, {FC, ED}, {FC, ER}, {FC, EI}, {FC, E6},
		{FC, SQ}, {FC, SB}, {FC, SR}, {FC, LS}, {RC, RC}, {RC, ED}, {RC, ER}, {RC, EI},
		{RC, SQ}, {RC, SB}, {RC, SR}, {ED, ED}, {ED, ER}, {ED, EI}, {ED, E6}, {ED, SQ},
		{ED, LS}, {ER, E6}, {EI, E6}, {E6, E6}, {SQ, SQ}, {ER, ER}, {ER, EI}, {EI, EI},
		{ER, LS}, {EI, LS}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++)
		for (int turned = 0; turned < 2; turned++)
			if (count_successes(cells[i][turned], cells[i][!turned], 4, "", true) != 4)
				fail_msg("%s x %s", kinds[cells[i][turned]].name,
					kinds[cells[i][!turned]].name);
}

/* Cells of chance: as often as theory has it, within what so few runs can show. */
static void test_chance_cells(void **state)
{
	static const struct {
		int a, b;
		unsigned runs, least;
	} cells[] = {{ED, SB, 6, 5}, {SB, E6, 6, 5}, {SB, RC, 4, 4}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++) {
		unsigned n = count_successes(cells[i].a, cells[i].b, cells[i].runs, "", false);

		if (n < cells[i].least)
			fail_msg("%s x %s: %u of %u", kinds[cells[i].a].name,
				kinds[cells[i].b].name, n, cells[i].runs);
	}
}

/* Where theory says no, both sides say so, and why. */
static void test_hopeless_cells(void **state)
{
	static const int cells[][2] = {{SR, SR}, {SQ, SR}, {ED, SR}, {LS, LS}, {LS, SR}};
	char topology[700], what[40];

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++) {
		struct punchnet_config c;
		struct punchnet_result r;

		make_topology(topology, sizeof(topology), kinds[cells[i][0]].kind,
			kinds[cells[i][1]].kind, "");
		c = make_config(topology, (unsigned)i);
		punchnet_run(&c, &r);
		snprintf(what, sizeof(what), "%s x %s", kinds[cells[i][0]].name,
			kinds[cells[i][1]].name);
		if (have_met(&r, what))
			fail_with(&r, what);
		for (int p = 0; p < PUNCHNET_PARTIES; p++) {
			assert_int_equal(r.party[p].view.failure, SESSION_NO_PATH);
			if (!r.party[p].view.plans.count)
				assert_true(strlen(r.party[p].view.plans.why_not) > 20);
		}
		punchnet_free(&r);
	}
}

/* Loss, and a way to the server whose times vary, so that the two are never quite in step. */
static void test_bad_links(void **state)
{
	static const int cells[][2] = {{ED, ED}, {ED, ER}, {ER, ER}, {EI, EI}, {ER, EI}, {FC, ED}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++) {
		unsigned jitter = count_successes(cells[i][0], cells[i][1], 8, "jitter=15ms", true);
		unsigned loss = count_successes(
			cells[i][0], cells[i][1], 8, "loss=5% jitter=5ms duplicate=2%", false);

		if (jitter != 8 || loss < 7)
			fail_msg("%s x %s: %u and %u of 8", kinds[cells[i][0]].name,
				kinds[cells[i][1]].name, jitter, loss);
	}
}

/* One round trip after the later SYN, on the side that sent it; the proof another two and a half. */
static void test_time(void **state)
{
	const uint64_t round_trip_us = 40 * MS;
	char topology[700];
	unsigned quick = 0, proved = 0;

	(void)state;
	make_topology(topology, sizeof(topology), kinds[ED].kind, kinds[ED].kind, "");
	for (unsigned run = 0; run < 9; run++) {
		struct punchnet_config c = make_config(topology, run);
		struct punchnet_result r;
		const struct session_view *a = &r.party[0].view, *b = &r.party[1].view;
		uint64_t sent_us, opened_us, proved_us;

		punchnet_run(&c, &r);
		assert_true(have_met(&r, "time"));
		sent_us = a->first_sent_us > b->first_sent_us ? a->first_sent_us : b->first_sent_us;
		opened_us = a->first_heard_us < b->first_heard_us ? a->first_heard_us
								  : b->first_heard_us;
		proved_us = a->proved_us > b->proved_us ? a->proved_us : b->proved_us;
		quick += opened_us <= sent_us + round_trip_us;
		proved += proved_us <= sent_us + round_trip_us * 7 / 2;
		punchnet_free(&r);
	}
	assert_true(quick >= 5);
	assert_true(proved >= 5);
}

/* From the later side's first SYN to the proof, with one NAT on each side or one more in the provider's network. */
static uint64_t time_refused(int a, int b, bool two, unsigned run)
{
	char topology[1000];
	struct punchnet_config c;
	struct punchnet_result r;
	const struct session_view *x = &r.party[0].view, *y = &r.party[1].view;
	uint64_t sent_us, proved_us;

	if (two)
		snprintf(topology, sizeof(topology),
			"link delay=10ms hops=3\nnat oa kind=%s\nnat ob kind=%s\n"
			"link delay=1ms hops=0\nnat a kind=linux behind=oa\n"
			"nat b kind=linux behind=ob\nlink delay=0\nhost a behind=a\n"
			"host b behind=b\nlink delay=5ms hops=1\nhost server\n",
			kinds[a].kind, kinds[b].kind);
	else
		make_topology(topology, sizeof(topology), kinds[a].kind, kinds[b].kind, "");
	c = make_config(topology, run);
	punchnet_run(&c, &r);
	if (!have_met(&r, "refused") || x->attempt > (two ? 2 : 1))
		fail_with(&r, "refused");
	sent_us = x->first_sent_us > y->first_sent_us ? x->first_sent_us : y->first_sent_us;
	proved_us = x->proved_us > y->proved_us ? x->proved_us : y->proved_us;
	punchnet_free(&r);
	return proved_us - sent_us;
}

/*
 * Both refuse, and the first plan gets through at once, each time; only where RSTs come and the first SYN does not reach
 * the outer NAT it takes until it is repeated, or the second plan.
 */
static void test_refused(void **state)
{
	static const int cells[][2] = {{ER, ER}, {ER, EI}, {EI, ER}, {EI, EI}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++)
		for (unsigned run = 0; run < 8; run++) {
			bool resets = cells[i][0] == ER && cells[i][1] == ER;

			assert_true(time_refused(cells[i][0], cells[i][1], false, run) < 250 * MS);
			assert_true(time_refused(cells[i][0], cells[i][1], true, run) <
				(resets ? 7000 : 250) * MS);
		}
}

static void test_ipv6(void **state)
{
	static const char *const pairs[] = {"firewall", "none", "port-restricted"};
	char topology[700];

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
			if (!have_met(&r, "IPv6"))
				fail_with(&r, "IPv6");
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

static void test_wrong_code(void **state)
{
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[700];

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
	char topology[700];

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
	c.party[1].start_us = c.party[0].start_us + 40 * SECOND;
	punchnet_run(&c, &r);
	assert_true(have_met(&r, "a late side"));
	punchnet_free(&r);
	/* no server */
	c = make_config(topology, 4);
	c.server_dies_us = 1;
	punchnet_run(&c, &r);
	for (int p = 0; p < PUNCHNET_PARTIES; p++)
		assert_int_equal(r.party[p].view.failure, SESSION_UNREACHABLE);
	punchnet_free(&r);
	/* no sockets */
	c = make_config(topology, 5);
	c.party[0].no_sockets_us = 1;
	c.wait_us = 20 * SECOND;
	punchnet_run(&c, &r);
	assert_int_equal(r.party[0].view.failure, SESSION_NO_SOCKET);
	punchnet_free(&r);
}

/* Once the two know each other they do without the server. */
static void test_server_dies(void **state)
{
	static const int kind[] = {ED, ER};
	char topology[700];

	(void)state;
	for (size_t i = 0; i < LENGTH(kind); i++)
		for (unsigned at_ms = 0; at_ms < 3000; at_ms += 157) {
			struct punchnet_config c;
			struct punchnet_result r;

			make_topology(topology, sizeof(topology), kinds[ED].kind,
				kinds[kind[i]].kind, "");
			c = make_config(topology, at_ms);
			c.server_dies_us = at_ms * MS + 1;
			c.wait_us = 20 * SECOND;
			c.limit_us = 180 * SECOND;
			punchnet_run(&c, &r);
			for (int p = 0; p < PUNCHNET_PARTIES; p++)
				if (!r.party[p].ended)
					fail_with(&r, "a server that dies");
			punchnet_free(&r);
		}
}

/* A family over which the server is not reached, in silence, is not waited for. */
static void test_lost_family(void **state)
{
	static const enum family lost[] = {FAMILY_IPV4, FAMILY_IPV6};
	char topology[700];

	(void)state;
	make_topology(topology, sizeof(topology), kinds[ED].kind, kinds[ER].kind, "");
	for (size_t i = 0; i < LENGTH(lost); i++)
		for (unsigned run = 0; run < 4; run++) {
			struct punchnet_config c = make_config(topology, run);
			struct punchnet_result r;

			c.ipv4 = c.ipv6 = true;
			c.tcp_lost = lost[i];
			punchnet_run(&c, &r);
			if (!have_met(&r, "a lost family") || r.duration_us > 12 * SECOND)
				fail_with(&r, "a lost family");
			punchnet_free(&r);
		}
}

/* Each attempt has a new connection to the server, and the end of the old one is not the end of its side. */
static void test_many_attempts(void **state)
{
	static const int cells[][2] = {{SQ, SR}, {ED, SR}, {LS, LS}, {ER, ER}};
	static const char *const links[] = {"", "loss=5% jitter=15ms"};
	char topology[700];

	(void)state;
	for (size_t i = 0; i < LENGTH(cells) * LENGTH(links); i++)
		for (unsigned run = 0; run < 6; run++) {
			const int *cell = cells[i / LENGTH(links)];
			struct punchnet_config c;
			struct punchnet_result r;

			make_topology(topology, sizeof(topology), kinds[cell[0]].kind,
				kinds[cell[1]].kind, links[i % LENGTH(links)]);
			c = make_config(topology, run);
			punchnet_run(&c, &r);
			for (int p = 0; p < PUNCHNET_PARTIES; p++)
				if (r.party[p].view.state == SESSION_FAILED &&
					r.party[p].view.failure != SESSION_NO_PATH)
					fail_with(&r, "many attempts");
			punchnet_free(&r);
		}
}

/* One of the two loses its connection to the server, whenever that is: both meet all the same. */
static void test_reset(void **state)
{
	static const int cells[][2] = {{ED, ED}, {ED, ER}, {ER, ER}, {FC, SQ}};
	char topology[700], what[60];

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++)
		for (unsigned at_ms = 200; at_ms < 6000; at_ms += 143) {
			struct punchnet_config c;
			struct punchnet_result r;

			make_topology(topology, sizeof(topology), kinds[cells[i][0]].kind,
				kinds[cells[i][1]].kind, "");
			c = make_config(topology, at_ms);
			c.party[at_ms & 1].reset_us = at_ms * MS;
			punchnet_run(&c, &r);
			snprintf(what, sizeof(what), "%s x %s, reset after %u ms",
				kinds[cells[i][0]].name, kinds[cells[i][1]].name, at_ms);
			if (!have_met(&r, what))
				fail_with(&r, what);
			punchnet_free(&r);
		}
}

/* A server that is there again soon, and has forgotten all: from then on both are at other ports. */
static void test_server_restarts(void **state)
{
	static const int cells[][2] = {{ED, ED}, {ED, ER}};
	char topology[700], what[60];
	unsigned at_once = 0, runs = 0;

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++)
		for (unsigned at_ms = 300; at_ms < 2400; at_ms += 41, runs++) {
			struct punchnet_config c;
			struct punchnet_result r;

			make_topology(topology, sizeof(topology), kinds[cells[i][0]].kind,
				kinds[cells[i][1]].kind, "");
			c = make_config(topology, at_ms);
			c.server_dies_us = at_ms * MS;
			c.server_returns_us = (at_ms + 300) * MS;
			for (int p = 0; p < PUNCHNET_PARTIES; p++)
				c.party[p].reset_us = c.server_returns_us + 1;
			punchnet_run(&c, &r);
			snprintf(what, sizeof(what), "%s x %s, the server restarts after %u ms",
				kinds[cells[i][0]].name, kinds[cells[i][1]].name, at_ms);
			if (!have_met(&r, what))
				fail_with(&r, what);
			at_once += r.party[0].view.attempt == 1;
			punchnet_free(&r);
		}
	/* but where it happens in the middle of the first attempt */
	assert_in_range(at_once, runs * 9 / 10, runs);
}

/* A server that ends what it has taken is asked ever more rarely. */
static void test_back_off(void **state)
{
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[700];

	(void)state;
	make_topology(topology, sizeof(topology), "linux", "linux", "");
	c = make_config(topology, 1);
	c.party[0].start_us = 0;
	c.party[0].reset_us = c.party[0].reset_every_us = 100 * MS;
	c.party[1].start_us = 110 * SECOND;
	c.wait_us = c.limit_us = 60 * SECOND;
	punchnet_run(&c, &r);
	/* at once, then after 1, 2 and 4 s, and every 8 s from there */
	assert_in_range(r.party[0].connects, 8, 12);
	punchnet_free(&r);
}

/*
 * A server that lies: to an address that it alone names go two SYNs of each side, and where it has both sides vouch for
 * it what the plans say.
 */
static void test_named(void **state)
{
	static const int cells[][2] = {{ED, ED}, {ER, ER}, {ED, ER}, {FC, SQ}, {ED, SB}};
	/* eight for each plan that nobody answers, and in the last cell as many connections as there may be */
	static const unsigned most[] = {16, 24, 16, 16, 8 * 512};
	const struct endpoint victim = {FAMILY_IPV4, 7777, 0, {192, 0, 2, 200}};
	char topology[700];

	(void)state;
	for (size_t i = 0; i < 2 * LENGTH(cells); i++) {
		const int *cell = cells[i / 2];
		struct punchnet_config c;
		struct punchnet_result r;

		make_topology(
			topology, sizeof(topology), kinds[cell[0]].kind, kinds[cell[1]].kind, "");
		c = make_config(topology, (unsigned)i);
		c.named = victim;
		c.vouch = i & 1;
		punchnet_run(&c, &r);
		assert_string_equal(r.broken, "");
		for (int p = 0; p < PUNCHNET_PARTIES; p++)
			assert_in_range(r.party[p].named, 0, c.vouch ? most[i / 2] : 2);
		punchnet_free(&r);
	}
}

/* The port that is given out last is worth some seconds, and no more. */
static void test_latest_lost(void **state)
{
	struct punchnet_config c;
	struct punchnet_result r;
	char topology[700];

	(void)state;
	make_topology(topology, sizeof(topology), kinds[SQ].kind, kinds[ED].kind, "");
	for (unsigned run = 0; run < 4; run++) {
		c = make_config(topology, run);
		c.party[0].latest_lost = true;
		punchnet_run(&c, &r);
		have_met(&r, "the latest port is lost");
		for (int p = 0; p < PUNCHNET_PARTIES; p++)
			if (r.party[p].view.state == SESSION_FAILED &&
				r.party[p].view.failure != SESSION_NO_PATH)
				fail_with(&r, "the latest port is lost");
		punchnet_free(&r);
	}
}

/* Behind the same NAT nothing that the plans are about has to come of it, nor has there to be a plan. */
static void test_without_plan(void **state)
{
	struct punchnet_config c;
	struct punchnet_result r;

	(void)state;
	c = make_config("link delay=25ms\nnat n kind=symmetric\nlink delay=1ms\n"
			"host a behind=n\nhost b behind=n\nhost server\n",
		1);
	for (int tcp = 0; tcp < 2; tcp++) {
		c.tcp = tcp;
		for (int p = 0; p < PUNCHNET_PARTIES; p++)
			c.party[p].packets_max = 1;
		punchnet_run(&c, &r);
		assert_true(have_met(&r, "without a plan"));
		for (int p = 0; p < PUNCHNET_PARTIES; p++) {
			const struct trail *t = r.party[p].trail;

			assert_true(t->attempts[t->attempt].succeeded);
			assert_true(*t->attempts[t->attempt].strategy);
			if (!r.party[p].view.plans.count)
				assert_string_equal(t->attempts[0].strategy, "direct");
		}
		punchnet_free(&r);
	}
}

/* A way that ends is punched anew, whoever notices it first. */
static void test_again(void **state)
{
	static const int cells[][2] = {{ED, ED}, {ED, ER}, {ER, ER}, {FC, ED}, {SQ, ED}};
	char topology[700];

	(void)state;
	for (size_t i = 0; i < LENGTH(cells); i++)
		for (unsigned run = 0; run < 3; run++) {
			struct punchnet_config c;
			struct punchnet_result r;

			make_topology(topology, sizeof(topology), kinds[cells[i][0]].kind,
				kinds[cells[i][1]].kind, "");
			c = make_config(topology, run);
			c.again = 3;
			c.again_us = 10 * SECOND;
			c.limit_us = 300 * SECOND;
			punchnet_run(&c, &r);
			if (!have_met(&r, "again"))
				fail_with(&r, "again");
			for (int p = 0; p < PUNCHNET_PARTIES; p++)
				assert_true(r.party[p].view.round >= 3);
			punchnet_free(&r);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sure_cells),
		cmocka_unit_test(test_chance_cells),
		cmocka_unit_test(test_hopeless_cells),
		cmocka_unit_test(test_bad_links),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_same_nat),
		cmocka_unit_test(test_wrong_code),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_server_dies),
		cmocka_unit_test(test_lost_family),
		cmocka_unit_test(test_many_attempts),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_server_restarts),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_latest_lost),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_without_plan),
		cmocka_unit_test(test_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
