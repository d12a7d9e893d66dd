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
			if (count_successes(
				    cells[i][turned], cells[i][!turned], 4, "", true) != 4)
				fail_msg("%s x %s", kinds[cells[i][turned]].name,
					kinds[cells[i][!turned]].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sure_cells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
