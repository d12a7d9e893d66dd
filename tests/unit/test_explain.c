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

#include "judge/explain.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

/* The kinds of tests/net/udppunch_matrix.py, as they are measured. */
static const struct pair_side kinds[] = {
	{.status = PATH_OK,
		.nat = TRI_YES,
		.mapping = DEPENDENCE_ENDPOINT_INDEPENDENT,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.early = EARLY_SILENT,
		.allocation = ALLOCATION_PRESERVING},
	{.status = PATH_OK,
		.nat = TRI_YES,
		.mapping = DEPENDENCE_ENDPOINT_INDEPENDENT,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.early = EARLY_REMAP,
		.depth = 1,
		.allocation = ALLOCATION_PRESERVING},
	{.status = PATH_OK,
		.nat = TRI_YES,
		.mapping = DEPENDENCE_ADDRESS_AND_PORT,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.allocation = ALLOCATION_SEQUENTIAL,
		.step = 1},
	{.status = PATH_OK,
		.nat = TRI_YES,
		.mapping = DEPENDENCE_ADDRESS_AND_PORT,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.allocation = ALLOCATION_BAND,
		.low = 40000,
		.high = 40250},
	{.status = PATH_OK,
		.nat = TRI_YES,
		.mapping = DEPENDENCE_ADDRESS_AND_PORT,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.allocation = ALLOCATION_RANDOM},
	{.status = PATH_OK, .nat = TRI_YES},
	{.status = PATH_BLOCKED},
	{.status = PATH_UNREACHABLE},
	{.status = PATH_OK, .nat = TRI_NO, .filtering = DEPENDENCE_ENDPOINT_INDEPENDENT},
	{.status = PATH_OK, .nat = TRI_NO, .filtering = DEPENDENCE_ADDRESS_AND_PORT},
};
enum { PR, PX, SQ, SB, SR, UNKNOWN, BLOCKED, UNREACHABLE, OPEN, FIREWALL };

static const struct explain_peer mute = {.said = false}, deaf = {.said = true, .sent = 30},
				 heard = {.said = true, .sent = 30, .received = 7};

static bool has(const struct explain_list *l, const char *part)
{
	for (size_t i = 0; i < l->count; i++)
		if (strstr(l->text[i], part))
			return true;
	return false;
}

static void print_list(const char *name, const struct explain_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		print_error("%s: %s\n", name, l->text[i]);
}

/* What has to be in a list, and what may not be. */
static void check(const struct explanation *e, const char *name, bool good)
{
	if (good)
		return;
	print_list("certain", &e->certain);
	print_list("likely", &e->likely);
	print_list("try next", &e->try_next);
	fail_msg("%s", name);
}

static struct endpoint at(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 0, &e), 0);
	return e;
}

static void add(struct trail *t, enum trail_kind kind, unsigned times)
{
	const struct trail_event e = {.kind = kind};

	while (times--)
		trail_add(t, &e);
}

/* All plans have been tried: in the first attempt 20 packets left, in each further one another 20 and one more. */
static struct trail *try_all(const struct plans *plans, unsigned here)
{
	struct trail *t;

	assert_int_equal(trail_create(1, &t), 0);
	for (unsigned i = 0; i < plans->count; i++) {
		trail_attempt(t, 2, plans->plan[i].strategy);
		add(t, TRAIL_SENT, 20 + i);
		if (i + 1 == plans->count)
			add(t, TRAIL_RECEIVED, here);
		trail_end(t, 3, false);
	}
	return t;
}

static void explain(const struct pair_side *own, const struct pair_side *peer, unsigned here,
	const struct explain_peer *said, struct explanation *out)
{
	const struct pair_side sides[2] = {*own, *peer};
	struct pair_advice advice;
	struct plans plans;
	struct explain_facts facts = {
		.own = own, .peer = peer, .family = FAMILY_IPV4, .plans = &plans, .said = *said};
	struct trail *t;

	pair_advise(sides, &advice);
	plans_from_udp(&advice, &plans);
	t = try_all(&plans, here);
	facts.trail = t;
	explain_failure(&facts, out);
	trail_destroy(t);
	assert_in_range(out->certain.count, 3, EXPLAIN_MAX);
	assert_in_range(out->likely.count, 1, EXPLAIN_MAX);
	assert_in_range(out->try_next.count, 2, EXPLAIN_MAX);
}

/* Nothing has arrived: what the theory says of the pair, and what would help. */
static void test_pairs(void **state)
{
	static const struct {
		int own, peer;
		unsigned packets;
		const char *certain, *likely, *also, *todo, *not_todo;
	} rows[] = {
		{SR, SR, 2048, "no plan: nothing was sent to the peer", "111657 packets",
			"a relay is left", "on the router of each side: the same port",
			"--packets"},
		{SQ, SR, 2048, "no plan", "193258 packets", "", "another network", "--packets"},
		{SB, SR, 2048, "no plan", "6964 packets", "",
			"--packets 8192 --sockets 256 on both sides, if the routers can bear it: "
			"by "
			"the numbers 89 of 100",
			"once more"},
		{SB, SB, 2048, "attempt 1, both-hard: 20 packets", "both NATs choose a new port",
			"that happens in 5 of 100 runs",
			"once more: where ports are guessed luck decides, and by the numbers 95 of",
			"--packets"},
		{SQ, SQ, 2048, "attempt 2, prediction: 21 packets", "both NATs choose",
			"28 of 100 runs", "once more", "--packets"},
		{PR, SR, 2048, "attempt 1, birthday", "one NAT chooses a new port",
			"fewer than 5 of 100", "on the router of the other side: the same port",
			"--packets"},
		{PR, SR, 120, "attempt 1, birthday", "one NAT chooses a new port",
			"that happens in 80 of 100", "--packets 960", "once more"},
		{PR, SR, 400, "attempt 1, birthday", "one NAT chooses a new port",
			"that happens in 20 of 100", "--packets 800", "drop UDP"},
		{PR, SR, 900, "attempt 1, birthday", "one NAT chooses a new port",
			"fewer than 5 of 100", "by the numbers 97 of 100", "--packets"},
		{PX, SQ, 2048, "attempt 4, birthday", "one NAT chooses a new port",
			"fewer than 5 of 100", "by the numbers 99 of 100", "--packets"},
		{SR, PR, 200, "attempt 1, birthday", "one NAT chooses", "54 of 100 runs",
			"on the router of this side: the same port", "drop UDP to the router"},
		{PR, SR, 200, "attempt 1, birthday", "one NAT chooses", "", "--packets 800",
			"drop UDP to the router"},
		{PX, PX, 2048, "attempt 2, low-ttl", "came too early", "NAT of either side",
			"on the router of each side: drop UDP", "once more"},
		{PX, PR, 2048, "attempt 1, ordered", "came too early", "NAT of this side",
			"on the router of this side: drop UDP", "another network"},
		{PR, PX, 2048, "attempt 1, ordered", "came too early", "NAT of the other side",
			"on the router of the other side: drop UDP", "once more"},
		{PR, PR, 2048, "attempt 1, direct", "that the measurement does not show", "",
			"--bind", "once more"},
		{UNKNOWN, PR, 2048, "unknown mapping", "the own NAT could not", "", "IPv6",
			"symmetric"},
		{PR, UNKNOWN, 2048, "the peer says of its side: NAT with unknown",
			"the peer's NAT could not", "", "IPv6", "symmetric"},
		{UNKNOWN, UNKNOWN, 2048, "attempt 6, birthday", "either NAT could not", "", "IPv6",
			"symmetric"},
		{BLOCKED, PR, 2048, "own side: UDP blocked", "UDP is blocked on one side", "",
			"let UDP out on this side", "--bind"},
		{SR, BLOCKED, 2048, "of its side: UDP blocked", "UDP is blocked on one side", "",
			"let UDP out on the other side", "--packets"},
		{BLOCKED, BLOCKED, 2048, "own side: UDP blocked", "UDP is blocked on both", "",
			"let UDP out on each side", "--bind"},
		{UNREACHABLE, PR, 2048, "own side: nothing was answered over UDP",
			"UDP is dropped on this side", "", "let UDP out on this side", "--bind"},
		{PR, UNREACHABLE, 2048, "of its side: nothing was answered",
			"UDP is dropped on the other side", "", "let UDP out on the other side",
			"--bind"},
		{OPEN, OPEN, 2048, "own side: no NAT", "that the measurement does not show", "",
			"relay", "--bind"},
		{FIREWALL, OPEN, 2048, "own side: no NAT", "that the measurement", "",
			"a rule in the firewall", "forwards"},
		{OPEN, PR, 2048, "own side: no NAT", "that the measurement", "", "forwards",
			"a rule in the firewall"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct pair_side own = kinds[rows[i].own], peer = kinds[rows[i].peer];
		struct explanation e;
		char name[32];

		own.packets_max = peer.packets_max = rows[i].packets;
		explain(&own, &peer, 0, &mute, &e);
		snprintf(name, sizeof(name), "row %zu", i);
		check(&e, name,
			has(&e.certain, rows[i].certain) && has(&e.likely, rows[i].likely) &&
				has(&e.likely, rows[i].also) && has(&e.try_next, rows[i].todo) &&
				!has(&e.try_next, rows[i].not_todo));
		check(&e, name, has(&e.try_next, "a relay (TURN)"));
	}
}

static void test_direction(void **state)
{
	static const struct {
		unsigned here;
		const struct explain_peer *said;
		const char *likely;
	} rows[] = {
		{0, &heard, "our packets reach the peer, and neither"},
		{0, &heard, "firewall on this side"},
		{3, &deaf, "the peer's packets reach us, and neither"},
		{3, &deaf, "firewall on the other side"},
		{3, &mute, "whether ours reach it is unknown"},
		{3, &heard, "packets arrive in both directions"},
		{0, &deaf, "that the measurement does not show"},
		{0, &mute, "that the measurement does not show"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct explanation e;

		explain(&kinds[PR], &kinds[PR], rows[i].here, rows[i].said, &e);
		check(&e, rows[i].likely, e.likely.count == 1 && has(&e.likely, rows[i].likely));
		check(&e, "said",
			has(&e.certain, "its last attempt: 30 packets sent, ") ==
				rows[i].said->said);
		check(&e, "received",
			has(&e.certain,
				rows[i].here ? "21 packets to the peer, 3 of its arrived, but"
					     : "21 packets to the peer, 0 of its arrived"));
	}
}

/* What arrived before the last attempt says nothing about the peer's account of the last one. */
static void test_attempts(void **state)
{
	struct plans plans = {.count = 2};
	struct explain_facts facts = {.own = &kinds[PR],
		.peer = &kinds[PR],
		.family = FAMILY_IPV6,
		.plans = &plans,
		.said = deaf};
	struct explanation e;
	struct trail *t;

	(void)state;
	assert_int_equal(trail_create(1, &t), 0);
	facts.trail = t;
	add(t, TRAIL_SENT, 2);
	explain_failure(&facts, &e);
	assert_true(
		has(&e.certain, "no plan: 2 packets went to addresses that the peer has named"));
	assert_int_equal(e.likely.count, 0);
	trail_attempt(t, 2, "direct");
	add(t, TRAIL_SENT, 17);
	add(t, TRAIL_RECEIVED, 5);
	add(t, TRAIL_REFUSED, 4);
	trail_attempt(t, 3, "low-ttl");
	add(t, TRAIL_SENT, 11);
	explain_failure(&facts, &e);
	assert_true(has(&e.certain,
		"attempt 1, direct: 19 packets to the peer, 5 of its arrived, 4 more were not "
		"authentic, but nothing that proves"));
	assert_true(
		has(&e.certain, "attempt 2, low-ttl: 11 packets to the peer, 0 of its arrived"));
	assert_true(has(&e.likely, "that the measurement does not show"));
	assert_false(has(&e.try_next, "IPv6"));
	facts.said = mute; /* then all that has come counts */
	explain_failure(&facts, &e);
	assert_true(has(&e.likely, "whether ours reach it is unknown"));
	facts.other_family_possible = true;
	explain_failure(&facts, &e);
	assert_true(has(&e.try_next, "-4 on both sides"));
	facts.trail = NULL;
	explain_failure(&facts, &e);
	assert_true(has(&e.certain, "no plan: nothing was sent"));
	trail_destroy(t);
}

static void add_icmp(
	struct trail *t, const char *from, const char *to, unsigned type, unsigned code)
{
	struct trail_event e = {
		.kind = TRAIL_SENT, .to = at(to), .type = (uint8_t)type, .code = (uint8_t)code};

	trail_add(t, &e);
	e.kind = TRAIL_ICMP;
	if (from)
		e.from = at(from);
	trail_add(t, &e);
}

static void explain_icmp(const struct trail *t, struct explanation *e)
{
	static const struct plans none = {.why_not = "it would take 111657 packets"};
	const struct explain_facts facts = {.own = &kinds[SR],
		.peer = &kinds[SR],
		.family = FAMILY_IPV4,
		.plans = &none,
		.trail = t};

	explain_failure(&facts, e);
}

static void test_icmp(void **state)
{
	static const struct {
		const char *from, *to;
		unsigned type, code;
		const char *certain, *likely;
	} rows[] = {
		{"192.0.2.1", "203.0.113.9:4000", 3, 13,
			"ICMP type 3 code 13 (prohibited by a firewall) came from 192.0.2.1, 1 "
			"times, for packets to 203.0.113.9:4000",
			"192.0.2.1, on the way to the peer, refuses our packets"},
		{"192.0.2.1", "203.0.113.9:4000", 3, 3, "(port unreachable) came from 192.0.2.1",
			"192.0.2.1, on the way to the peer, refuses"},
		{"203.0.113.9", "203.0.113.9:4000", 3, 3,
			"(port unreachable) came from 203.0.113.9",
			"our packets get as far as 203.0.113.9"},
		{"192.0.2.1", "203.0.113.9:4000", 3, 1, "type 3 code 1 (unreachable)",
			"192.0.2.1, on the way to the peer, cannot deliver"},
		{"192.0.2.1", "203.0.113.9:4000", 3, 4, "(packet too big)", "cannot deliver"},
		{"192.0.2.1", "10.0.2.9:4000", 3, 13, "came from 192.0.2.1", NULL},
		{NULL, "203.0.113.9:4000", 0, 0,
			"this host itself refused 1 of our packets to 203.0.113.9:4000",
			"this host does not send to the peer"},
		{"192.0.2.1", "203.0.113.9:4000", 11, 0, NULL, NULL},
		{"2001:db8::1", "[2001:db8::9]:4000", 3, 0, NULL, NULL},
		{"2001:db8::1", "[2001:db8::9]:4000", 1, 1, "(prohibited by a firewall)",
			"2001:db8::1, on the way to the peer, refuses"},
		{"2001:db8::9", "[2001:db8::9]:4000", 1, 4, "(port unreachable)",
			"our packets get as far as 2001:db8::9"},
		{"2001:db8::1", "[2001:db8::9]:4000", 2, 0, "(packet too big)", "cannot deliver"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct explanation e;
		struct trail *t;

		assert_int_equal(trail_create(1, &t), 0);
		add_icmp(t, rows[i].from, rows[i].to, rows[i].type, rows[i].code);
		explain_icmp(t, &e);
		trail_destroy(t);
		check(&e, rows[i].to,
			e.certain.count == (rows[i].certain ? 4 : 3) &&
				e.likely.count == (rows[i].likely ? 2 : 1));
		check(&e, rows[i].to, !rows[i].certain || has(&e.certain, rows[i].certain));
		check(&e, rows[i].to, !rows[i].likely || has(&e.likely, rows[i].likely));
	}
}

/* A side that is blocked says by whom; for another one errors for packets to the server are another matter. */
static void test_blocked(void **state)
{
	static const struct plans none = {.why_not = "UDP is blocked"};
	struct trail_event event = {
		.kind = TRAIL_ICMP, .type = 3, .code = 13, .from = at("10.0.1.1")};
	struct explain_facts facts = {
		.own = &kinds[BLOCKED], .peer = &kinds[PR], .family = FAMILY_IPV4, .plans = &none};
	struct explanation e;
	struct trail *t;

	(void)state;
	event.to = at("198.51.100.1:3478");
	assert_int_equal(trail_create(1, &t), 0);
	trail_add(t, &event);
	facts.trail = t;
	explain_failure(&facts, &e);
	assert_true(has(&e.certain, "came from 10.0.1.1, 1 times, for packets to 198.51.100.1"));
	assert_true(has(&e.likely, "10.0.1.1 refuses UDP to the server"));
	facts.own = &kinds[PR];
	facts.peer = &kinds[BLOCKED];
	explain_failure(&facts, &e);
	assert_false(has(&e.certain, "10.0.1.1"));
	assert_false(has(&e.likely, "10.0.1.1"));
	trail_destroy(t);
}

/* The four that came most often, the rest in one number. */
static void test_many_errors(void **state)
{
	struct explanation e;
	struct trail *t;
	char from[16];

	(void)state;
	assert_int_equal(trail_create(1, &t), 0);
	for (int i = 1; i <= 7; i++)
		for (int k = 0; k < i; k++) {
			snprintf(from, sizeof(from), "192.0.2.%d", i);
			add_icmp(t, from, k ? "203.0.113.9:1" : "203.0.113.9:2", 3, 13);
		}
	explain_icmp(t, &e);
	assert_int_equal(e.certain.count, 3 + 4 + 1);
	assert_true(has(&e.certain, "from 192.0.2.7, 7 times, for packets to 203.0.113.9"));
	assert_false(has(&e.certain, "203.0.113.9:"));
	assert_true(has(&e.certain, "from 192.0.2.4, 4 times"));
	assert_false(has(&e.certain, "from 192.0.2.3, "));
	assert_true(has(&e.certain, "6 ICMP errors of other kinds"));
	assert_true(has(&e.likely, "192.0.2.7, on the way"));
	trail_destroy(t);
}

static void test_said(void **state)
{
	struct explain_peer said = heard;
	struct explanation e;

	(void)state;
	said.errors = 9;
	said.offender = at("192.0.2.77");
	said.type = 3;
	said.code = 13;
	explain(&kinds[PR], &kinds[PR], 0, &said, &e);
	assert_true(has(&e.certain, "30 packets sent, 7 of ours arrived"));
	assert_true(has(&e.certain,
		"the peer says that ICMP type 3 code 13 (prohibited by a firewall) came to it from "
		"192.0.2.77; errors in all: 9"));
	said.type = 11; /* it was meant to be so */
	explain(&kinds[PR], &kinds[PR], 0, &said, &e);
	assert_false(has(&e.certain, "192.0.2.77"));
}

static void test_server(void **state)
{
	static const struct behaviour stun = {.status = PATH_OK};
	static const struct behaviour silent = {
		.status = PATH_UNREACHABLE, .status_basis = {.text = "no answer from the server"}};
	static const struct behaviour blocked = {.status = PATH_BLOCKED,
		.status_basis = {.text = "10.0.1.1 refuses UDP: ICMP type 3 code 13"}};
	static const struct {
		const char *from; /* of an ICMP error; NULL: none came; "": this host itself */
		unsigned type, code;
		const struct behaviour *measured;
		const char *certain, *likely, *todo;
	} rows[] = {
		{NULL, 0, 0, NULL, "no answer came from 198.51.100.1:3478",
			"silence does not tell which", "see that natprobed runs there, with"},
		{NULL, 0, 0, &stun, "no answer came", "it answers STUN", "natprobe, which"},
		{NULL, 0, 0, &silent, "no answer came", "silence does not tell", "natprobe, which"},
		{NULL, 0, 0, &blocked, "no answer came", "10.0.1.1 refuses UDP", "natprobe, which"},
		{"198.51.100.1", 3, 3, &silent,
			"ICMP type 3 code 3 (port unreachable) came from 198.51.100.1, 1 times, "
			"for "
			"packets to 198.51.100.1:3478",
			"198.51.100.1 says that its UDP port 3478 is closed: is natprobed",
			"start natprobed there"},
		{"10.0.1.1", 3, 3, &blocked, "came from 10.0.1.1",
			"10.0.1.1 refuses UDP to the server", "let UDP to port 3478 pass"},
		{"10.0.1.1", 3, 13, &blocked, "came from 10.0.1.1", "10.0.1.1 refuses",
			"natprobe, which"},
		{"198.51.100.1", 3, 13, &silent, "came from 198.51.100.1",
			"198.51.100.1 refuses UDP", "natprobe, which"},
		{"10.0.1.1", 3, 1, NULL, "(unreachable)", "10.0.1.1 cannot deliver",
			"natprobe, which"},
		{"", 0, 0, NULL, "this host itself refused 1 of our packets to 198.51.100.1:3478",
			"this host does not send to the server", "natprobe, which"},
	};
	const struct endpoint server = at("198.51.100.1:3478");

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct trail_event event = {.kind = TRAIL_ICMP,
			.to = server,
			.type = (uint8_t)rows[i].type,
			.code = (uint8_t)rows[i].code};
		struct explanation e = {.certain = {.count = 0}};
		struct trail *t;

		assert_int_equal(trail_create(1, &t), 0);
		if (rows[i].from && *rows[i].from)
			event.from = at(rows[i].from);
		if (rows[i].from)
			trail_add(t, &event);
		explain_server(&server, rows[i].measured, t, &e);
		trail_destroy(t);
		check(&e, rows[i].certain,
			e.certain.count == (rows[i].from ? 2 : 1) && e.likely.count == 1 &&
				has(&e.certain, rows[i].certain) &&
				has(&e.likely, rows[i].likely) && has(&e.try_next, rows[i].todo) &&
				has(&e.try_next, "natprobe, which"));
	}
}

static void test_sides(void **state)
{
	static const struct {
		struct pair_side side;
		const char *text;
	} rows[] = {
		{{.status = PATH_BLOCKED}, "UDP blocked"},
		{{.status = PATH_UNREACHABLE}, "nothing was answered over UDP"},
		{{.status = PATH_UNTESTED}, "UDP not measured"},
		{{.status = PATH_OK, .nat = TRI_NO, .filtering = DEPENDENCE_ADDRESS},
			"no NAT, address-dependent filtering"},
		{{.status = PATH_OK},
			"whether there is a NAT is unknown: unknown mapping, unknown filtering, "
			"unknown ports"},
		{{.status = PATH_OK, .nat = TRI_YES, .early = EARLY_REJECT},
			"NAT with unknown mapping, unknown filtering, unknown ports, a packet of "
			"the peer that comes too early is answered with an error"},
	};
	char text[EXPLAIN_TEXT];

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		explain_side(&rows[i].side, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
	}
	explain_side(&kinds[PX], text, sizeof(text));
	assert_non_null(strstr(text,
		"preserving ports, a packet of the peer that comes too early costs the port"));
	explain_side(&kinds[PX], text, 8); /* cut, and nothing beyond */
	assert_int_equal(strlen(text), 7);
}

static void test_full(void **state)
{
	struct explain_list l = {.count = 0};

	(void)state;
	for (int i = 0; i < EXPLAIN_MAX + 3; i++)
		explain_add(&l, "number %d", i);
	assert_int_equal(l.count, EXPLAIN_MAX);
	assert_string_equal(l.text[EXPLAIN_MAX - 1], "number 15");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_direction),
		cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_many_errors),
		cmocka_unit_test(test_said),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_sides),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
