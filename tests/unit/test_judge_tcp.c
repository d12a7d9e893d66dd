// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "journal_build.h"
#include "judge/findings.h"

#define RTT_US	   40000u
#define EIM	   DEPENDENCE_ENDPOINT_INDEPENDENT
#define ADF	   DEPENDENCE_ADDRESS
#define APDF	   DEPENDENCE_ADDRESS_AND_PORT
#define PDF	   DEPENDENCE_PORT
#define UNKNOWN	   DEPENDENCE_UNKNOWN

#define NO_CALLS   "no server that calls back"
#define NO_CONTROL "the silence has no control"

/*
 * What became of the server's calls: a letter each for those from A2P2, A2P1, A1P2. A it is here; S silent; R refused,
 * U unreachable, both as far away as this host; r refused at once; M somebody else took it; L the server could not; E the
 * request was answered with an error; X the run ended before.
 *
 * Simultaneous opens, any number: f with A1 after one round trip, s after nearly two; F and S with A2; x with A1, which
 * did not come about.
 */
struct row {
	bool dependent; /* another port for each destination */
	const char *calls, *crossings;
	enum dependence filtering;
	enum early_packet early;
	enum tri simultaneous;
	const char *why; /* of the filtering, when it is unknown */
};

static struct connection_seen seen(enum connection_outcome outcome, uint64_t took_us)
{
	return (struct connection_seen){.outcome = outcome, .took_us = took_us};
}

static void set_call(struct observation *o, char letter)
{
	o->state = OBSERVATION_REFUSED;
	o->answers = 0;
	switch (letter) {
	case 'A':
		o->state = OBSERVATION_ANSWERED;
		o->answers = 1;
		o->answer.from = o->expect;
		o->call = seen(CONNECTION_MADE, RTT_US);
		break;
	case 'S':
		o->state = OBSERVATION_SILENT;
		o->call = seen(CONNECTION_SILENT, 7500000);
		break;
	case 'R':
		o->call = seen(CONNECTION_REFUSED, RTT_US);
		break;
	case 'r':
		o->call = seen(CONNECTION_REFUSED, RTT_US / 10);
		break;
	case 'U':
		o->call = seen(CONNECTION_UNREACHABLE, 6 * RTT_US);
		break;
	case 'M':
		o->call = seen(CONNECTION_MADE, RTT_US);
		break;
	case 'L':
		o->call = seen(CONNECTION_LOCAL, 1);
		break;
	case 'E':
		o->state = OBSERVATION_ERROR;
		break;
	default:
		o->state = OBSERVATION_ABANDONED;
		break;
	}
}

static void add_calls(struct journal *j, size_t server, const char *letters)
{
	static const enum question questions[] = {
		QUESTION_FILTERING_BOTH, QUESTION_FILTERING_ADDRESS, QUESTION_FILTERING_PORT};
	struct endpoint a1p1 = build_target(j, server, false, false);

	for (int i = 0; letters[i]; i++) {
		struct endpoint from = build_target(j, server, i < 2, i != 1);

		set_call(build_ask(j, questions[i], server, 50000, &a1p1, &from, 0), letters[i]);
	}
}

static void add_crossing(struct journal *j, size_t server, char letter)
{
	struct endpoint to = build_target(j, server, strchr("FS", letter), false);
	struct observation *o;

	to.port = 60000;
	o = build_ask(j, QUESTION_SIMULTANEOUS, server, 51000, &to, &to, 0);
	set_call(o, letter == 'x' ? 'R' : 'A');
	o->call.took_us = strchr("fF", letter) ? RTT_US : RTT_US * 7 / 4;
}

static void to_tcp(struct journal *j)
{
	for (size_t i = 0; i < j->server_count; i++)
		j->servers[i].transport = TRANSPORT_TCP;
	for (size_t i = 0; i < j->observation_count; i++) {
		struct observation *o = &j->observations[i];

		o->transport = TRANSPORT_TCP;
		if (o->question == QUESTION_BINDING || o->question == QUESTION_MAPPING)
			o->own = seen(CONNECTION_MADE, RTT_US);
	}
}

static void build(struct journal *j, const struct row *row)
{
	static const int same[4] = {40000, 40000, 40000, 40000},
			 other[4] = {1001, 1002, 1003, 1004};
	size_t server = build_server(j);

	build_mapping(j, server, row->dependent ? other : same);
	add_calls(j, server, row->calls);
	for (const char *c = row->crossings; *c; c++)
		add_crossing(j, server, *c);
	to_tcp(j);
}

static void check_row(const struct row *row)
{
	struct journal *j = build_journal();
	struct verdict v;

	build(j, row);
	judge(j, &v);
	if (v.tcp4.filtering != row->filtering || v.tcp4.early != row->early ||
		v.tcp4.simultaneous != row->simultaneous)
		fail_msg("%s %s%s: filtering %s (%s), early %s, simultaneous %d", row->calls,
			row->crossings, row->dependent ? " dependent" : "",
			dependence_name(v.tcp4.filtering), v.tcp4.filtering_basis.text,
			early_name(v.tcp4.early), v.tcp4.simultaneous);
	if (row->why && !strstr(v.tcp4.filtering_basis.text, row->why))
		fail_msg("%s: \"%s\", not \"%s\"", row->calls, v.tcp4.filtering_basis.text,
			row->why);
	assert_int_equal(v.tcp4.mapping, row->dependent ? APDF : EIM);
	assert_int_equal(v.udp4.status, PATH_UNTESTED);
	journal_destroy(j);
}

static void test_calls(void **state)
{
	static const struct row rows[] = {
		/* a SYN that is let in anyway shows nothing when it comes before our own */
		{false, "AAA", "fFF", EIM, EARLY_DELIVERED, TRI_YES, NULL},
		{false, "AAA", "ffF", EIM, EARLY_DELIVERED, TRI_UNKNOWN, NULL},
		{false, "AAA", "sFsS", EIM, EARLY_DELIVERED, TRI_UNKNOWN, NULL},
		{false, "AAA", "sSs", EIM, EARLY_DELIVERED, TRI_NO, NULL},
		{false, "SSA", "fS", ADF, EARLY_SILENT, TRI_UNKNOWN, NULL},
		{false, "SSS", "fF", APDF, EARLY_SILENT, TRI_YES, NULL},
		{false, "SSA", "fF", ADF, EARLY_SILENT, TRI_YES, NULL},
		{false, "SAS", "fF", PDF, EARLY_SILENT, TRI_YES, NULL},
		/* SYNs that the NAT does not let in make the connection slower, and still prove that calls leave */
		{false, "SSS", "sSs", APDF, EARLY_SILENT, TRI_NO, NULL},
		{false, "SSS", "sS", APDF, EARLY_SILENT, TRI_UNKNOWN, NULL},
		{false, "SSS", "ssF", APDF, EARLY_SILENT, TRI_YES, NULL},
		/* of each address: the other one may be shut in */
		{false, "SSS", "f", UNKNOWN, EARLY_UNKNOWN, TRI_UNKNOWN, NO_CONTROL},
		{false, "SSS", "F", UNKNOWN, EARLY_UNKNOWN, TRI_YES, NO_CONTROL},
		{false, "SSA", "", UNKNOWN, EARLY_UNKNOWN, TRI_UNKNOWN, NO_CONTROL},
		{false, "SSA", "F", ADF, EARLY_SILENT, TRI_YES, NULL},
		{false, "SAS", "f", PDF, EARLY_SILENT, TRI_YES, NULL},
		{false, "SSS", "xxxxxx", UNKNOWN, EARLY_UNKNOWN, TRI_UNKNOWN, NO_CONTROL},
		/* who answers from as far away as this host has got the SYN */
		{false, "RRR", "", APDF, EARLY_REJECT, TRI_UNKNOWN, NULL},
		{false, "UUU", "", APDF, EARLY_REJECT, TRI_UNKNOWN, NULL},
		{false, "RRA", "", ADF, EARLY_REJECT, TRI_UNKNOWN, NULL},
		{false, "SRS", "f", APDF, EARLY_REJECT, TRI_YES, NULL},
		{false, "rrr", "", UNKNOWN, EARLY_UNKNOWN, TRI_UNKNOWN, NO_CONTROL},
		/* no call can meet a SYN of ours */
		{true, "SSS", "", APDF, EARLY_SILENT, TRI_UNKNOWN, NULL},
		{true, "SSA", "", ADF, EARLY_SILENT, TRI_UNKNOWN, NULL},
		{true, "AAA", "", EIM, EARLY_DELIVERED, TRI_UNKNOWN, NULL},
		/* not known */
		{false, "MMM", "fF", UNKNOWN, EARLY_UNKNOWN, TRI_YES, "took the server's calls"},
		{false, "LLL", "fF", UNKNOWN, EARLY_UNKNOWN, TRI_YES, "could not call"},
		{false, "EEE", "", UNKNOWN, EARLY_UNKNOWN, TRI_UNKNOWN, NO_CALLS},
		{false, "XXX", "fF", UNKNOWN, EARLY_UNKNOWN, TRI_YES, "the run ended"},
		{false, "", "", UNKNOWN, EARLY_UNKNOWN, TRI_UNKNOWN, NO_CALLS},
		/* contradictions */
		{false, "ASS", "fF", UNKNOWN, EARLY_UNKNOWN, TRI_YES, "contradict"},
		{false, "SAA", "fF", UNKNOWN, EARLY_UNKNOWN, TRI_YES, "contradict"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(&rows[i]);
}

/* The place of the finding, or -1. */
static int find(const struct finding *findings, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(findings[i].id, id) && !strcmp(findings[i].about, "tcp.ipv4"))
			return (int)i;
	return -1;
}

static void assert_finding(struct journal *j, const char *id, bool expected)
{
	static struct finding findings[FINDINGS_MAX];
	struct verdict v;
	size_t count;

	judge(j, &v);
	count = judge_findings(j, &v, findings);
	if (expected != (find(findings, count, id) >= 0))
		fail_msg("%s is%s there", id, expected ? " not" : "");
}

static void check_finding(const struct row *row, const char *id, bool expected)
{
	struct journal *j = build_journal();

	build(j, row);
	assert_finding(j, id, expected);
	journal_destroy(j);
}

static void test_findings(void **state)
{
	static const struct row silent = {.calls = "SSS", .crossings = "fF"},
				refused = {.calls = "RRR", .crossings = "fF"},
				slow = {.calls = "SSS", .crossings = "sSs"},
				dependent = {.dependent = true, .calls = "SSS", .crossings = ""};

	(void)state;
	check_finding(&silent, "syn-rejected", false);
	check_finding(&refused, "syn-rejected", true);
	check_finding(&silent, "simultaneous-open-missing", false);
	check_finding(&slow, "simultaneous-open-missing", true);
	check_finding(&silent, "tcp-mapping-dependent", false);
	check_finding(&dependent, "tcp-mapping-dependent", true);
	check_finding(&dependent, "simultaneous-open-unknown", true);
	check_finding(&silent, "simultaneous-open-unknown", false);
	check_finding(&silent, "tcp-differs", false);
	check_finding(&silent, "one-transport-only", false);
}

/* A refusal that comes after six seconds is what RFC 5382 REQ-4 allows. */
static void test_late_refusal(void **state)
{
	static const struct row row = {.calls = "RRR", .crossings = "fF"};
	struct journal *j = build_journal();
	struct verdict v;

	(void)state;
	build(j, &row);
	for (size_t i = 0; i < j->observation_count; i++)
		if (j->observations[i].call.outcome == CONNECTION_REFUSED)
			j->observations[i].call.took_us = 6100000;
	judge(j, &v);
	assert_int_equal(v.tcp4.early, EARLY_REJECT);
	assert_int_equal(v.tcp4.early_after_us, 6100000);
	assert_finding(j, "syn-rejected", false);
	journal_destroy(j);
}

/* The same server over UDP, where all is open. */
static void test_differs(void **state)
{
	static const struct row row = {.calls = "SSS", .crossings = "fF"};
	struct journal *j = build_journal();
	struct verdict v;

	(void)state;
	build(j, &row);
	build_whole(j, 40000, "YYY-");
	judge(j, &v);
	assert_int_equal(v.udp4.filtering, EIM);
	assert_int_equal(v.tcp4.filtering, APDF);
	assert_finding(j, "tcp-differs", true);
	journal_destroy(j);
}

/* Neither hairpin question says anything about the other transport. */
static void test_hairpin_apart(void **state)
{
	static const struct row row = {.calls = "SSS", .crossings = "fF"};
	struct journal *j = build_journal();
	struct endpoint to = build_at("198.51.100.99:45000");
	struct observation *o;
	struct verdict v;

	(void)state;
	build(j, &row);
	o = build_ask(j, QUESTION_HAIRPIN, 0, 52000, &to, &to, 0);
	o->transport = TRANSPORT_TCP;
	o->own = seen(CONNECTION_SILENT, 3500000);
	build_whole(j, 40000, "YYY-");
	judge(j, &v);
	assert_int_equal(v.tcp4.hairpin, TRI_NO);
	assert_int_equal(v.udp4.hairpin, TRI_UNKNOWN);
	assert_non_null(strstr(v.udp4.hairpin_basis.text, "was not asked"));
	journal_destroy(j);
}

/* TCP that gets no answer, beside UDP that does. */
static void test_unreachable(void **state)
{
	struct journal *j = build_journal();
	struct endpoint to;
	struct verdict v;
	size_t server = build_server(j);
	struct observation *o;

	(void)state;
	to = build_target(j, server, false, false);
	o = build_ask(j, QUESTION_BINDING, server, 40000, &to, &to, 0);
	to_tcp(j);
	o->state = OBSERVATION_REFUSED;
	o->own = seen(CONNECTION_REFUSED, RTT_US);
	o->own.error = ECONNREFUSED;
	build_whole(j, 40000, "YYY-");
	judge(j, &v);
	assert_int_equal(v.tcp4.status, PATH_UNREACHABLE);
	assert_int_equal(v.udp4.status, PATH_OK);
	assert_int_equal(v.servers[server].status, SERVER_UNREACHABLE);
	assert_finding(j, "tcp-unreachable", true);
	assert_finding(j, "one-transport-only", true);
	journal_destroy(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_late_refusal),
		cmocka_unit_test(test_differs),
		cmocka_unit_test(test_hairpin_apart),
		cmocka_unit_test(test_unreachable),
	};

	return cmocka_run_group_tests_name("judge_tcp", tests, NULL, NULL);
}
