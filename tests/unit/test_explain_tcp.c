// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "judge/explain.h"

enum { ED, ER, EU, SR, BLOCKED, UNREACHED, OPEN, KINDS };

static const struct pair_tcp_side kinds[KINDS] = {
	[ED] = {.nat = TRI_YES,
		.mapping = DEPENDENCE_ENDPOINT_INDEPENDENT,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.allocation = ALLOCATION_PRESERVING,
		.early = EARLY_SYN_SILENT,
		.simultaneous = TRI_YES,
		.status = PATH_OK},
	[ER] = {.nat = TRI_YES,
		.mapping = DEPENDENCE_ENDPOINT_INDEPENDENT,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.allocation = ALLOCATION_PRESERVING,
		.early = EARLY_SYN_RST,
		.simultaneous = TRI_YES,
		.status = PATH_OK},
	[EU] = {.nat = TRI_YES,
		.mapping = DEPENDENCE_ENDPOINT_INDEPENDENT,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.allocation = ALLOCATION_PRESERVING,
		.status = PATH_OK},
	[SR] = {.nat = TRI_YES,
		.mapping = DEPENDENCE_ADDRESS_AND_PORT,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.allocation = ALLOCATION_RANDOM,
		.early = EARLY_SYN_SILENT,
		.status = PATH_OK},
	[BLOCKED] = {.status = PATH_BLOCKED},
	[UNREACHED] = {.status = PATH_UNREACHABLE},
	[OPEN] = {.nat = TRI_NO,
		.mapping = DEPENDENCE_ENDPOINT_INDEPENDENT,
		.filtering = DEPENDENCE_ENDPOINT_INDEPENDENT,
		.early = EARLY_SYN_SILENT,
		.status = PATH_OK},
};

static bool has(const struct explain_list *l, const char *part)
{
	for (size_t i = 0; i < l->count; i++)
		if (strstr(l->text[i], part))
			return true;
	return false;
}

static void assert_has(const struct explain_list *l, const char *part)
{
	if (has(l, part))
		return;
	for (size_t i = 0; i < l->count; i++)
		print_message("  %s\n", l->text[i]);
	fail_msg("nothing says \"%s\"", part);
}

/* What happened in each attempt of the plans between two kinds. */
struct happened {
	unsigned sent, opened, accepted, received, resets;
	const char *icmp; /* who sent a "prohibited" */
	struct explain_peer said;
};

static const struct endpoint peer = {FAMILY_IPV4, 5000, 0, {198, 51, 100, 9}};

static void add(struct trail *t, enum trail_kind kind, unsigned times, const char *from)
{
	struct trail_event e = {
		.t_us = 5, .kind = kind, .to = peer, .from = peer, .type = 3, .code = 13};

	if (from)
		assert_int_equal(endpoint_parse(from, 1, &e.from), 0);
	if (from)
		e.from.port = 0;
	while (times--)
		trail_add(t, &e);
}

static void add_accepted(struct trail *t, unsigned times)
{
	const struct trail_event e = {
		.t_us = 5, .kind = TRAIL_OPENED, .accepted = true, .to = peer, .from = peer};

	while (times--)
		trail_add(t, &e);
}

static void explain(int own, int other, const struct happened *h, struct explanation *out)
{
	const struct pair_tcp_side sides[2] = {kinds[own], kinds[other]};
	struct pair_tcp_advice advice;
	struct plans plans;
	struct trail *t;
	struct explain_tcp_facts f = {.own = &kinds[own],
		.peer = &kinds[other],
		.family = FAMILY_IPV4,
		.plans = &plans,
		.said = h->said};

	pair_tcp_advise(sides, FAMILY_IPV4, &advice);
	plans_from_tcp(&advice, &plans);
	assert_int_equal(trail_create(1, &t), 0);
	for (size_t i = 0; i < plans.count; i++) {
		trail_attempt(t, 2, plans.plan[i].strategy);
		add(t, TRAIL_SENT, h->sent, NULL);
		add(t, TRAIL_OPENED, h->opened, NULL);
		add_accepted(t, h->accepted);
		add(t, TRAIL_RECEIVED, h->received, NULL);
		add(t, TRAIL_RESET, h->resets, NULL);
		if (h->icmp)
			add(t, TRAIL_ICMP, 2, h->icmp);
		trail_end(t, 9, false);
	}
	f.trail = t;
	explain_tcp_failure(&f, out);
	trail_destroy(t);
}

static void test_rows(void **state)
{
	static const struct {
		int own, other;
		struct happened h;
		const char *certain, *likely, *next;
	} rows[] = {
		/* nothing came, although the NATs let it expect that */
		{ED, ED, {.sent = 1},
			"attempt 1, simultaneous: 1 connections begun, 0 refused by a RST",
			"a firewall that the measurement does not show keeps back SYNs",
			"udppunch"},
		{ED, ER, {.sent = 40, .resets = 39}, "39 refused by a RST",
			"the NAT of the other side refuses SYNs that come before its own",
			"drop TCP to the router itself instead of refusing it (RFC 5382 REQ-4)"},
		{ER, ED, {.sent = 1, .said = {.said = true, .sent = 9, .resets = 8}},
			"the peer says of its last attempt: 9 connections begun, 8 refused by a "
			"RST",
			"the NAT of this side refuses SYNs",
			"on the router of this side: drop TCP"},
		{ED, ED, {.sent = 3, .resets = 3}, "3 refused by a RST",
			"although that did not show when it was measured", "IPv6 on both sides"},
		/* either side refuses, and only of one that is known */
		{ER, ED, {.sent = 3, .resets = 3}, "3 refused by a RST",
			"the host, or the NAT, of the other side refuses SYNs, although that did "
			"not show",
			"on the router of this side: drop TCP"},
		{ER, EU, {.sent = 3, .resets = 3}, "3 refused by a RST",
			"of the other side refuses SYNs; how it takes those that come too early "
			"could not be measured",
			"on the router of this side: drop TCP"},
		{ER, ER, {.sent = 3, .resets = 3, .said = {.said = true, .sent = 9, .resets = 8}},
			"3 refused by a RST", "the NAT of each side refuses SYNs that come before",
			"on the router of each side: drop TCP"},
		{ED, ED, {.sent = 1, .opened = 1}, "1 came about, with nothing of the peer",
			"somebody else answers at the peer's endpoint", "--bind"},
		{ED, ED, {.sent = 1, .opened = 1, .received = 1},
			"1 came about, with 1 messages of the peer",
			"it breaks before both are done", "relay"},
		{ED, ED, {.sent = 1, .accepted = 2},
			"1, simultaneous: 1 connections begun, 0 "
			"refused by a RST, 0 by ICMP, 2 came in, with nothing of the peer",
			"what came in was of strangers", "relay"},
		{ED, ED, {.sent = 1, .accepted = 2}, "",
			"a firewall that the measurement does not show", "relay"},
		{ED, ED, {.sent = 1, .opened = 1, .accepted = 2},
			"1 came about, 2 came in, with nothing of the peer",
			"somebody else answers at the peer's endpoint", "relay"},
		{ED, ED, {.sent = 1, .said = {.said = true, .sent = 1, .opened = 1}},
			"1 came about",
			"connections of the peer come about, and not with this side", "relay"},
		{ED, ED, {.sent = 1, .icmp = "203.0.113.4"}, "ICMP type 3 code 13",
			"203.0.113.4, on the way to the peer, refuses our packets", "relay"},
		/* no plan */
		{SR, SR, {.sent = 0}, "no plan: nothing was sent to the peer", "is left",
			"the same port for all destinations"},
		{BLOCKED, ED, {.sent = 0}, "own side: TCP blocked", "TCP is blocked on one side",
			"let TCP out on this side"},
		{ED, UNREACHED, {.sent = 0},
			"the peer says of its side: no server was reached over TCP", "",
			"let TCP out on the other side"},
		{OPEN, OPEN, {.sent = 1}, "own side: no NAT, endpoint-independent filtering",
			"a firewall that the measurement does not show",
			"a rule in the firewall of one side that lets in TCP"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct explanation e;

		explain(rows[i].own, rows[i].other, &rows[i].h, &e);
		if (*rows[i].certain)
			assert_has(&e.certain, rows[i].certain);
		if (*rows[i].likely)
			assert_has(&e.likely, rows[i].likely);
		assert_has(&e.try_next, rows[i].next);
		assert_true(e.certain.count < EXPLAIN_MAX && e.try_next.count < EXPLAIN_MAX);
	}
}

static void test_sides(void **state)
{
	struct pair_tcp_side s = kinds[ED];
	char text[EXPLAIN_TEXT];
	static const struct {
		enum early_syn early;
		const char *part;
	} rows[] = {{EARLY_SYN_RST, "is refused by a RST"}, {EARLY_SYN_ICMP, "is refused by ICMP"},
		{EARLY_SYN_LATE, "is refused after 6 s"}, {EARLY_SYN_REMAP, "costs the port"}};

	(void)state;
	explain_tcp_side(&s, text, sizeof(text));
	assert_string_equal(text,
		"NAT with endpoint-independent mapping, address-and-port-dependent filtering, "
		"preserving ports");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		s.early = rows[i].early;
		explain_tcp_side(&s, text, sizeof(text));
		assert_non_null(strstr(text, rows[i].part));
	}
	s.simultaneous = TRI_NO;
	explain_tcp_side(&s, text, sizeof(text));
	assert_non_null(strstr(text, "even when its own is out"));
	explain_tcp_side(&s, text, 10); /* it is cut off */
	assert_int_equal(strlen(text), 9);
}

static void test_server(void **state)
{
	static const struct {
		bool taken;
		int error;
		const char *certain, *likely;
	} rows[] = {
		{false, 0, "no answer came from 198.51.100.9:5000", "silence does not tell which"},
		{false, -ETIMEDOUT, "no answer came", "silence does not tell which"},
		{false, -ECONNREFUSED, "198.51.100.9:5000 refuses TCP", "its port 5000 is closed"},
		{false, -EHOSTUNREACH, "No route to host", "there is no way to it"},
		{true, 0, "198.51.100.9:5000 takes connections, and does not answer",
			"it takes connections and is no natprobed"},
		{true, -ECONNRESET, "takes connections, and ends them", "is no natprobed"},
		{true, -EBADMSG, "and sends what is no message of natprobed", "is no natprobed"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct explanation e = {.certain.count = 0};

		explain_tcp_server(&peer, rows[i].taken, rows[i].error, &e);
		assert_has(&e.certain, rows[i].certain);
		assert_has(&e.likely, rows[i].likely);
		assert_true(e.try_next.count == 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_sides),
		cmocka_unit_test(test_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
