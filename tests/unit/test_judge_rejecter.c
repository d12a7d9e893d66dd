// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Who has rejected a SYN that nobody had asked for: by the TTL of the RST, or by who sent the error. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "journal_build.h"
#include "judge/findings.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define RTT_US	  40000u
#define CALLS	  3
#define HOST	  REJECTER_HOST
#define NAT	  REJECTER_NAT
#define ON_PATH	  REJECTER_PATH
#define NOBODY	  REJECTER_UNKNOWN
#define NOT_KNOWN REJECTER_HOPS_UNKNOWN
#define NO_TTL	  "with which TTL"
#define NO_HOPS	  "how many hops"
#define FARTHER	  "farther away"
#define DIFFERENT "different distances"
#define OWN	  "the address that was called"
#define OTHER	  "the NAT's or a router's"

/* The calls come from A2P2, A2P1 and A1P2; the host is `hops` away from A1, and `other_hops` from A2. */
struct row {
	bool nat;
	uint8_t hops, other_hops;
	uint8_t ttl[CALLS]; /* of the RST; 0: not known */
	const char *icmp; /* who has sent ICMP errors instead */
	enum rejecter who;
	int before;
	const char *why;
};

static void tell_syn(struct observation *o, uint8_t ttl, uint8_t hops)
{
	o->handshake.told = true;
	o->handshake.ttl = ttl;
	o->answer.has_syn = true;
	o->answer.syn.version = 1;
	o->answer.syn.parts = STUN_SYN_ARRIVED;
	o->answer.syn.arrived.ttl = (uint8_t)(ttl - hops);
}

static void add_calls(struct journal *j, size_t server, const struct row *row)
{
	static const enum question questions[CALLS] = {
		QUESTION_FILTERING_BOTH, QUESTION_FILTERING_ADDRESS, QUESTION_FILTERING_PORT};
	struct endpoint a1p1 = build_target(j, server, false, false);

	for (int i = 0; i < CALLS; i++) {
		struct endpoint from = build_target(j, server, i < 2, i != 1);
		struct observation *o = build_ask(j, questions[i], server, 50000, &a1p1, &from, 0);

		o->state = OBSERVATION_REFUSED;
		o->call = (struct connection_seen){.outcome = CONNECTION_REFUSED,
			.took_us = RTT_US,
			.ttl = row->icmp ? 0 : row->ttl[i]};
		if (!row->icmp)
			continue;
		o->call.outcome = CONNECTION_UNREACHABLE;
		o->reported[o->reported_count++] = (struct stun_icmp){
			.type = 3, .code = 13, .count = 1, .offender = build_at(row->icmp)};
	}
}

static size_t add_server(struct journal *j, const struct row *row)
{
	static const int external[4] = {40000, 40000, 40000, 40000};
	size_t server = build_server(j), first = j->observation_count;
	const struct endpoint *a1 = &j->servers[server].endpoint;

	j->servers[server].transport = TRANSPORT_TCP;
	build_mapping(j, server, external);
	add_calls(j, server, row);
	for (size_t i = first; i < j->observation_count; i++) {
		struct observation *o = &j->observations[i];
		bool near = endpoint_same_address(&o->to, a1);

		o->transport = TRANSPORT_TCP;
		if (o->question != QUESTION_BINDING && o->question != QUESTION_MAPPING)
			continue;
		o->own = (struct connection_seen){.outcome = CONNECTION_MADE, .took_us = RTT_US};
		tell_syn(o, o->question == QUESTION_MAPPING && near ? 128 : 64,
			near ? row->hops : row->other_hops);
		if (!row->nat)
			o->answer.mapped = o->answer.mapped_plain = o->local;
	}
	return server;
}

static void check(const struct journal *j, const struct row *row, const char *what)
{
	const struct behaviour *b;
	struct verdict v;

	judge(j, &v);
	b = &v.tcp4;
	assert_int_equal(b->early, EARLY_REJECT);
	assert_int_equal(b->nat, row->nat ? TRI_YES : TRI_NO);
	if (b->rejecter != row->who || b->rejecter_hops != row->before ||
		!row->why != !*b->rejecter_basis.text ||
		(row->why && !strstr(b->rejecter_basis.text, row->why)))
		fail_msg("%s, TTL %u %u %u: %s, %d hops before (%s)", what, row->ttl[0],
			row->ttl[1], row->ttl[2], rejecter_name(b->rejecter), b->rejecter_hops,
			b->rejecter_basis.text);
	assert_true(b->rejecter_basis.evidence_count >= CALLS);
	assert_int_equal(v.udp4.rejecter, NOBODY);
}

static const struct row rows[] = {
	/* as far away as this host */
	{false, 4, 4, {60, 60, 60}, NULL, HOST, 0, NULL},
	{true, 4, 4, {60, 60, 60}, NULL, HOST, 0, NULL},
	{false, 0, 0, {64, 64, 64}, NULL, HOST, 0, NULL},
	/* the first router; without a NAT it is any device */
	{true, 4, 4, {61, 61, 61}, NULL, NAT, 1, NULL},
	{false, 4, 4, {61, 61, 61}, NULL, ON_PATH, 1, NULL},
	/* before that it may be a NAT, or not */
	{true, 4, 4, {62, 62, 62}, NULL, ON_PATH, 2, NULL},
	{false, 4, 4, {64, 64, 64}, NULL, ON_PATH, 4, NULL},
	/* other systems begin with another TTL, and nobody with 32 */
	{true, 4, 4, {125, 125, 125}, NULL, NAT, 1, NULL},
	{false, 4, 4, {124, 124, 124}, NULL, HOST, 0, NULL},
	{true, 4, 4, {252, 252, 252}, NULL, NAT, 1, NULL},
	{false, 4, 4, {255, 255, 255}, NULL, ON_PATH, 4, NULL},
	{true, 4, 4, {29, 29, 29}, NULL, NOBODY, NOT_KNOWN, FARTHER},
	{true, 40, 40, {25, 25, 25}, NULL, NAT, 1, NULL},
	{false, 63, 63, {1, 1, 1}, NULL, HOST, 0, NULL},
	/* it cannot come from behind this host */
	{true, 4, 4, {59, 59, 59}, NULL, NOBODY, NOT_KNOWN, FARTHER},
	{true, 0, 0, {63, 63, 63}, NULL, NOBODY, NOT_KNOWN, FARTHER},
	/* the server's other address may be farther away */
	{true, 4, 6, {59, 59, 61}, NULL, NAT, 1, NULL},
	{true, 4, 6, {61, 61, 61}, NULL, NOBODY, NOT_KNOWN, DIFFERENT},
	{true, 4, 4, {61, 60, 61}, NULL, NOBODY, NOT_KNOWN, DIFFERENT},
	{true, 4, 4, {61, 61, 59}, NULL, NOBODY, NOT_KNOWN, DIFFERENT},
	{true, 4, 4, {59, 61, 61}, NULL, NOBODY, NOT_KNOWN, DIFFERENT},
	{true, 4, 4, {62, 63, 63}, NULL, NOBODY, NOT_KNOWN, DIFFERENT},
	/* one that is known is enough */
	{true, 4, 4, {0, 61, 0}, NULL, NAT, 1, NULL},
	{true, 4, 4, {0, 0, 61}, NULL, NAT, 1, NULL},
	{true, 4, 4, {0, 0, 0}, NULL, NOBODY, NOT_KNOWN, NO_TTL},
	/* ICMP */
	{false, 4, 4, {0}, "198.51.100.1:1", ON_PATH, NOT_KNOWN, NULL},
	{false, 4, 4, {0}, "10.0.1.2:1", NOBODY, NOT_KNOWN, OWN},
	{true, 4, 4, {0}, "198.51.100.99:1", NOBODY, NOT_KNOWN, OWN},
	{true, 4, 4, {0}, "198.51.100.1:1", NOBODY, NOT_KNOWN, OTHER},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct journal *j = build_journal();

		add_server(j, &rows[i]);
		check(j, &rows[i], rows[i].nat ? "NAT" : "no NAT");
		journal_destroy(j);
	}
}

/* Two servers at different distances see the same device, or they do not. */
static void test_servers(void **state)
{
	static const struct row near = {true, 2, 2, {63, 63, 63}, NULL, NAT, 1, NULL},
				far = {true, 9, 9, {56, 56, 56}, NULL, NAT, 1, NULL},
				other = {true, 9, 9, {57, 57, 57}, NULL, ON_PATH, 2, NULL},
				contrary = {true, 9, 9, {0}, NULL, NOBODY, NOT_KNOWN, DIFFERENT},
				by_icmp = {.hops = 4, .other_hops = 4, .icmp = "198.51.100.1:1"},
				behind = {.hops = 4, .other_hops = 4, .ttl = {59, 59, 59}},
				neither = {.before = NOT_KNOWN, .why = DIFFERENT};
	struct journal *j = build_journal();

	(void)state;
	add_server(j, &near);
	add_server(j, &far);
	check(j, &near, "two that agree");
	build_empty(j);
	add_server(j, &near);
	add_server(j, &other);
	check(j, &contrary, "two that do not");
	build_empty(j);
	add_server(j, &by_icmp);
	add_server(j, &behind);
	check(j, &neither, "an error, and what cannot be");
	journal_destroy(j);
}

/* Without a distance of this host nothing can be compared: nobody tells it, or something sets the TTL. */
static void test_no_hops(void **state)
{
	static const struct row row = {true, 4, 4, {61, 61, 61}, NULL, NOBODY, NOT_KNOWN, NO_HOPS};

	(void)state;
	for (int way = 0; way < 3; way++) {
		struct journal *j = build_journal();

		add_server(j, &row);
		for (size_t i = 0; i < j->observation_count; i++) {
			struct observation *o = &j->observations[i];

			if (way == 0)
				o->answer.has_syn = false;
			else if (way == 1)
				o->handshake.told = false;
			else
				o->answer.syn.arrived.ttl = 60;
		}
		check(j, &row, "no hops");
		journal_destroy(j);
	}
}

/* Nobody has rejected anything, or whether that is so is not known: nobody is to be named. */
static void test_silent(void **state)
{
	static const struct row row = {
		.nat = true, .hops = 4, .other_hops = 4, .ttl = {61, 61, 61}};

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		struct journal *j = build_journal();
		struct verdict v;

		for (size_t i = 0; i < 1 + more; i++)
			add_server(j, &row);
		for (size_t i = 0; i < j->observation_count; i++)
			if (j->observations[i].call.outcome && j->observations[i].server == 0)
				j->observations[i].call.outcome = CONNECTION_SILENT;
		judge(j, &v);
		assert_int_not_equal(v.tcp4.early, EARLY_REJECT);
		assert_int_equal(v.tcp4.rejecter, NOBODY);
		assert_int_equal(v.tcp4.rejecter_hops, NOT_KNOWN);
		assert_int_equal(v.tcp4.rejecter_basis.evidence_count, 0);
		assert_string_equal(v.tcp4.rejecter_basis.text, "");
		journal_destroy(j);
	}
}

static void assert_finding(const struct row *row, const char *words)
{
	static struct finding findings[FINDINGS_MAX];
	struct journal *j = build_journal();
	struct verdict v;
	size_t count, i = 0;

	add_server(j, row);
	judge(j, &v);
	count = judge_findings(j, &v, findings);
	while (i < count && strcmp(findings[i].id, "syn-rejected"))
		i++;
	assert_true(i < count);
	if (!strstr(findings[i].detail, words))
		fail_msg("\"%s\", not \"%s\"", findings[i].detail, words);
	assert_true(strlen(findings[i].detail) + 1 < sizeof(findings[i].detail));
	assert_int_equal(findings[i].detail[strlen(findings[i].detail) - 1], '.');
	journal_destroy(j);
}

static void test_finding(void **state)
{
	(void)state;
	assert_finding(&(struct row){.hops = 4, .other_hops = 4, .ttl = {60, 60, 60}},
		"with a RST. It came from as far away as this host");
	assert_finding(&(struct row){.nat = true, .hops = 4, .other_hops = 4, .ttl = {61, 61, 61}},
		"with a RST. It came from the first router");
	assert_finding(&(struct row){.hops = 4, .other_hops = 4, .ttl = {61, 61, 61}},
		"with a RST. It did not come from this host, but from 1 hop before it.");
	assert_finding(&(struct row){.hops = 4, .other_hops = 4, .ttl = {64, 64, 64}},
		", but from 4 hops before it.");
	assert_finding(&(struct row){.hops = 4, .other_hops = 4, .icmp = "198.51.100.1:1"},
		"from 198.51.100.1. It did not come from this host.");
	assert_finding(&(struct row){.nat = true, .hops = 4, .other_hops = 4}, "with a RST.");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_no_hops),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_finding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
