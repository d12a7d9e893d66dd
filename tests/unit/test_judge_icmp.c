// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* The judge of ICMP, as tables: made-up observations in, verdicts out. */

#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "journal_build.h"
#include "judge/findings.h"

#define US 1000u

static struct journal *j;
static size_t server;
static struct verdict verdict;

/* A server that has answered, and says that it serves ICMP. */
static void begin(void)
{
	struct endpoint to;

	if (j)
		build_empty(j);
	else
		j = build_journal();
	server = build_server(j);
	j->servers[server].transport = TRANSPORT_ICMP;
	to = j->servers[server].endpoint;
	build_ask(j, QUESTION_BINDING, server, BUILD_SOCKET, &to, &to, BUILD_SOCKET)->transport =
		TRANSPORT_ICMP;
	build_find(j, QUESTION_BINDING, server)->answer.other = build_target(j, server, true, true);
}

static struct observation *ask(enum question question, enum observation_state state)
{
	struct observation *o = journal_add_observation(j);

	assert_non_null(o);
	o->question = question;
	o->family = FAMILY_IPV4;
	o->transport = TRANSPORT_ICMP;
	o->server = server;
	o->state = state;
	o->to = o->expect = j->servers[server].endpoint;
	o->local = build_at("10.0.1.2:40000");
	o->sent = o->awaited = 1;
	o->answers = state == OBSERVATION_ANSWERED;
	return o;
}

/* Enough requests that were answered for silence to mean something. */
static void serve(void)
{
	struct observation *o = ask(QUESTION_ICMP_SERVICE, OBSERVATION_ANSWERED);

	o->sent = o->answers = 30;
}

static const struct icmp_verdict *decide(void)
{
	judge(j, &verdict);
	return &verdict.icmp4;
}

static struct observation *echo(
	unsigned socket, bool other, enum observation_state state, uint16_t identifier)
{
	struct observation *o = ask(QUESTION_ECHO, state);

	o->socket = socket;
	o->detail.flow = ICMP_FLOW_ECHO;
	o->to = build_target(j, server, other, false);
	o->to.port = 0;
	o->local.port = (uint16_t)(100 + socket);
	if (!identifier)
		return o;
	o->detail.recorded = 1;
	o->detail.recorded_from = build_at("198.51.100.99:1");
	o->detail.recorded_from.port = identifier;
	return o;
}

static struct observation *error(enum icmp_flow flow, uint8_t type, uint8_t code, bool other,
	enum observation_state state, unsigned awaited)
{
	struct observation *o = ask(QUESTION_ICMP_ERROR, state);

	o->detail.flow = flow;
	o->detail.type = type;
	o->detail.code = code;
	o->detail.other = other;
	o->awaited = awaited;
	return o;
}

/* --- the service --- */

static void test_service(void **state)
{
	static const struct {
		enum observation_state state;
		unsigned awaited, error_code;
		enum tri service;
	} rows[] = {
		{OBSERVATION_ANSWERED, 1, 0, TRI_YES},
		{OBSERVATION_ERROR, 1, 403, TRI_NO},
		{OBSERVATION_ERROR, 1, 486, TRI_UNKNOWN},
		{OBSERVATION_ERROR, 1, 508, TRI_UNKNOWN},
		{OBSERVATION_SILENT, 7, 0, TRI_NO},
		{OBSERVATION_SILENT, 3, 0, TRI_UNKNOWN},
		{OBSERVATION_ABANDONED, 7, 0, TRI_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct observation *o;

		begin();
		o = ask(QUESTION_ICMP_SERVICE, rows[i].state);
		o->awaited = rows[i].awaited;
		o->error_code = rows[i].error_code;
		assert_int_equal(decide()->service, rows[i].service);
		/* nothing else was asked */
		assert_int_equal(verdict.icmp4.echo, TRI_UNKNOWN);
		assert_true(*verdict.icmp4.echo_basis.text);
	}
}

static void test_nobody(void **state)
{
	(void)state;
	build_empty(j);
	assert_int_equal(decide()->common.status, PATH_UNTESTED);
	assert_int_equal(verdict.icmp4.service, TRI_UNKNOWN);
	assert_int_equal(verdict.icmp6.egress, EGRESS_UNKNOWN);
}

/* --- echo and identifiers --- */

static void test_identifiers(void **state)
{
	static const struct {
		uint16_t own[2], other[2]; /* as they arrive, of local 100 and 101; 0: not */
		enum dependence mapping;
		enum share kept;
	} rows[] = {
		{{100, 101}, {100, 101}, DEPENDENCE_ENDPOINT_INDEPENDENT, SHARE_ALWAYS},
		{{100, 7}, {100, 7}, DEPENDENCE_ENDPOINT_INDEPENDENT, SHARE_SOMETIMES},
		{{7, 8}, {7, 8}, DEPENDENCE_ENDPOINT_INDEPENDENT, SHARE_NEVER},
		{{7, 8}, {9, 10}, DEPENDENCE_ADDRESS, SHARE_NEVER},
		{{100, 101}, {100, 10}, DEPENDENCE_ADDRESS, SHARE_SOMETIMES},
		{{100, 101}, {0, 0}, DEPENDENCE_UNKNOWN, SHARE_ALWAYS},
		{{0, 101}, {100, 0}, DEPENDENCE_UNKNOWN, SHARE_ALWAYS},
		{{0, 0}, {0, 0}, DEPENDENCE_UNKNOWN, SHARE_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		begin();
		serve();
		for (unsigned k = 0; k < 2; k++) {
			echo(k, false, OBSERVATION_ANSWERED, rows[i].own[k]);
			echo(k, true, OBSERVATION_ANSWERED, rows[i].other[k]);
		}
		assert_int_equal(decide()->common.mapping, rows[i].mapping);
		assert_int_equal(verdict.icmp4.common.port_preservation, rows[i].kept);
		assert_int_equal(verdict.icmp4.echo, TRI_YES);
		assert_int_equal(verdict.icmp4.identifiers, 2);
		if (!rows[i].mapping)
			assert_true(*verdict.icmp4.common.mapping_basis.text);
	}
}

static void test_echo(void **state)
{
	static const struct {
		enum observation_state state;
		unsigned awaited;
		uint16_t recorded;
		int error; /* of this host */
		const char *why;
	} rows[] = {
		{OBSERVATION_SILENT, 8, 100, 0, "arrive at the server, and no reply"},
		{OBSERVATION_SILENT, 8, 0, 0, "no request arrives"},
		{OBSERVATION_SILENT, 3, 0, 0, "too few"},
		{OBSERVATION_REFUSED, 0, 0, EACCES, "ping_group_range"},
		{OBSERVATION_ABANDONED, 3, 0, 0, "ended before"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct observation *o;

		begin();
		serve();
		o = echo(0, false, rows[i].state, rows[i].recorded);
		o->awaited = rows[i].awaited;
		o->sent = o->awaited;
		o->icmp.local = rows[i].error != 0;
		o->icmp.error = rows[i].error;
		assert_int_equal(decide()->echo, TRI_UNKNOWN);
		assert_non_null(strstr(verdict.icmp4.echo_basis.text, rows[i].why));
	}
}

/* --- errors --- */

static void test_arrival(void **state)
{
	static const struct {
		enum observation_state state;
		unsigned awaited, error_code;
		bool control, strange;
		enum tri arrives;
		enum share share;
	} rows[] = {
		{OBSERVATION_ANSWERED, 1, 0, false, false, TRI_YES, SHARE_ALWAYS},
		{OBSERVATION_SILENT, 5, 0, true, false, TRI_NO, SHARE_NEVER},
		/* nothing shows that ICMP of the server can get here */
		{OBSERVATION_SILENT, 5, 0, false, false, TRI_UNKNOWN, SHARE_UNKNOWN},
		{OBSERVATION_SILENT, 3, 0, true, false, TRI_UNKNOWN, SHARE_UNKNOWN},
		{OBSERVATION_SILENT, 0, 0, true, false, TRI_UNKNOWN, SHARE_UNKNOWN},
		{OBSERVATION_SILENT, 5, 0, true, true, TRI_UNKNOWN, SHARE_UNKNOWN},
		{OBSERVATION_ERROR, 5, 403, true, false, TRI_UNKNOWN, SHARE_UNKNOWN},
		{OBSERVATION_ABANDONED, 5, 0, true, false, TRI_UNKNOWN, SHARE_UNKNOWN},
		{OBSERVATION_REFUSED, 0, 0, true, false, TRI_UNKNOWN, SHARE_UNKNOWN},
	};
	static const enum icmp_flow flows[] = {ICMP_FLOW_UDP, ICMP_FLOW_TCP, ICMP_FLOW_ATTEMPT};

	(void)state;
	for (size_t i = 0; i < 3 * sizeof(rows) / sizeof(*rows); i++) {
		int about = (int)(i % 3);
		struct observation *o;

		begin();
		serve();
		echo(0, false, rows[i / 3].control ? OBSERVATION_ANSWERED : OBSERVATION_ABANDONED,
			0);
		o = error(flows[about], 3, 1, true, rows[i / 3].state, rows[i / 3].awaited);
		o->error_code = rows[i / 3].error_code;
		o->wrong_source = rows[i / 3].strange;
		assert_int_equal(decide()->error_count, 1);
		assert_int_equal(verdict.icmp4.errors[0].arrives[about][ICMP_ORIGIN_OTHER],
			rows[i / 3].arrives);
		assert_int_equal(
			verdict.icmp4.errors[0].arrives[about][ICMP_ORIGIN_OWN], TRI_UNKNOWN);
		assert_int_equal(verdict.icmp4.passing[about], rows[i / 3].share);
		assert_true(
			verdict.icmp4.passing[about] || *verdict.icmp4.passing_basis[about].text);
	}
	begin();
	serve();
	error(ICMP_FLOW_UDP, 3, 1, false, OBSERVATION_ANSWERED, 1);
	error(ICMP_FLOW_UDP, 11, 0, false, OBSERVATION_SILENT, 5);
	assert_int_equal(decide()->passing[ICMP_ABOUT_UDP], SHARE_SOMETIMES);
}

static void test_quotes(void **state)
{
	static const struct {
		bool answered;
		unsigned quotes, wrong, malformed;
		enum tri right;
		bool whole;
	} rows[] = {
		{true, 3, 0, 0, TRI_YES, true},
		{true, 3, 1, 0, TRI_NO, true},
		{true, 0, 0, 0, TRI_YES, false},
		{true, 0, 0, 2, TRI_UNKNOWN, false},
		{false, 0, 0, 2, TRI_UNKNOWN, false},
		{false, 0, 0, 0, TRI_UNKNOWN, false},
		{false, 2, 2, 0, TRI_NO, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct observation *o;

		begin();
		serve();
		echo(0, false, OBSERVATION_ANSWERED, 0);
		o = error(ICMP_FLOW_UDP, 3, 1, true,
			rows[i].answered ? OBSERVATION_ANSWERED : OBSERVATION_SILENT, 5);
		o->detail.quotes = rows[i].quotes;
		o->detail.wrong_quotes = rows[i].wrong;
		o->malformed = rows[i].malformed;
		assert_int_equal(decide()->quotes, rows[i].right);
		assert_int_equal(verdict.icmp4.quotes_whole, rows[i].whole);
	}
}

static void test_ends(void **state)
{
	static const struct {
		unsigned alive, silent, broken;
		bool told; /* some indication has come */
		enum tri ends;
	} rows[] = {
		{1, 0, 0, true, TRI_NO},
		{1, 9, 0, true, TRI_NO},
		{0, 5, 0, true, TRI_YES},
		{0, 3, 0, true, TRI_UNKNOWN},
		{0, 5, 0, false, TRI_UNKNOWN},
		{0, 0, 0, true, TRI_UNKNOWN},
		{0, 0, 1, true, TRI_UNKNOWN},
		{0, 0, 2, true, TRI_YES},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
		enum icmp_flow flow = i % 2 ? ICMP_FLOW_TCP : ICMP_FLOW_UDP;
		const unsigned counts[] = {
			rows[i / 2].alive, rows[i / 2].silent, rows[i / 2].broken};
		static const enum observation_state states[] = {
			OBSERVATION_ANSWERED, OBSERVATION_SILENT, OBSERVATION_REFUSED};

		begin();
		serve();
		echo(0, false, OBSERVATION_ANSWERED, 0);
		error(flow, 3, 1, true, OBSERVATION_ANSWERED, rows[i / 2].told);
		for (int s = 0; s < 3; s++)
			for (unsigned k = 0; k < counts[s]; k++)
				ask(QUESTION_AFTER_ERRORS, states[s])->detail.flow = flow;
		decide();
		assert_int_equal(flow == ICMP_FLOW_UDP ? verdict.icmp4.end_mapping
						       : verdict.icmp4.end_connection,
			rows[i / 2].ends);
		assert_int_equal(flow == ICMP_FLOW_UDP ? verdict.icmp4.end_connection
						       : verdict.icmp4.end_mapping,
			TRI_UNKNOWN);
	}
}

static void test_attempt(void **state)
{
	static const struct {
		enum observation_state state;
		enum connection_outcome outcome;
		enum tri ends;
	} rows[] = {
		{OBSERVATION_ANSWERED, CONNECTION_UNREACHABLE, TRI_YES},
		{OBSERVATION_ANSWERED, CONNECTION_REFUSED, TRI_YES},
		{OBSERVATION_ANSWERED, CONNECTION_NONE, TRI_NO},
		{OBSERVATION_SILENT, CONNECTION_REFUSED, TRI_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		begin();
		serve();
		error(ICMP_FLOW_ATTEMPT, 3, 1, true, rows[i].state, 5)->own.outcome =
			rows[i].outcome;
		assert_int_equal(decide()->end_attempt, rows[i].ends);
	}
}

static void test_path_mtu(void **state)
{
	static const struct {
		enum observation_state state;
		uint16_t mtu, before, after;
		enum tri learnt;
	} rows[] = {
		{OBSERVATION_ANSWERED, 1492, 1500, 1492, TRI_YES},
		{OBSERVATION_ANSWERED, 1492, 1500, 1484, TRI_YES},
		{OBSERVATION_ANSWERED, 1492, 1500, 1500, TRI_NO},
		{OBSERVATION_ANSWERED, 1300, 1300, 1300, TRI_UNKNOWN},
		{OBSERVATION_ANSWERED, 1400, 0, 0, TRI_UNKNOWN},
		{OBSERVATION_SILENT, 1492, 1500, 0, TRI_NO},
		{OBSERVATION_ABANDONED, 1492, 1500, 0, TRI_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct observation *o;

		begin();
		serve();
		echo(0, false, OBSERVATION_ANSWERED, 0);
		o = error(ICMP_FLOW_UDP, 3, 4, true, rows[i].state, 5);
		o->detail.mtu = rows[i].mtu;
		o->detail.mtu_before = rows[i].before;
		o->detail.mtu_after = rows[i].after;
		assert_int_equal(decide()->path_mtu, rows[i].learnt);
		assert_true(verdict.icmp4.path_mtu || *verdict.icmp4.path_mtu_basis.text);
	}
}

/* --- outward --- */

static struct observation *egress(enum icmp_flow flow, enum observation_state state,
	unsigned awaited, const char *from, const char *quoted)
{
	struct observation *o = ask(QUESTION_EGRESS, state);

	o->detail.flow = flow;
	o->detail.type = 11;
	o->awaited = awaited;
	if (!from)
		return o;
	o->detail.recorded = 1;
	o->detail.recorded_from = build_at(from);
	o->detail.recorded_quoted = build_at(quoted);
	return o;
}

static void test_egress(void **state)
{
	static const struct {
		const char *from[2]; /* NULL: it does not arrive */
		unsigned awaited;
		bool seen; /* other ICMP of this host */
		enum egress egress;
	} rows[] = {
		{{"198.51.100.99:1", "198.51.100.99:1"}, 1, false, EGRESS_EXTERNAL},
		{{"10.0.1.2:1", NULL}, 6, false, EGRESS_INSIDE},
		{{NULL, "198.51.100.7:1"}, 6, false, EGRESS_OTHER},
		{{NULL, NULL}, 6, true, EGRESS_DROPPED},
		{{NULL, NULL}, 6, false, EGRESS_UNKNOWN},
		{{NULL, NULL}, 3, true, EGRESS_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		begin();
		serve();
		echo(0, false, OBSERVATION_ANSWERED, rows[i].seen ? 100 : 0);
		for (int k = 0; k < 2; k++)
			egress(ICMP_FLOW_FOREIGN,
				rows[i].from[k] ? OBSERVATION_ANSWERED : OBSERVATION_SILENT,
				rows[i].awaited, rows[i].from[k], "198.18.0.17:1");
		assert_int_equal(decide()->egress, rows[i].egress);
		assert_true(verdict.icmp4.egress || *verdict.icmp4.egress_basis.text);
	}
}

static void test_outward(void **state)
{
	static const struct {
		enum observation_state state;
		const char *from, *quoted;
		enum tri translated;
	} rows[] = {
		{OBSERVATION_ANSWERED, "198.51.100.99:1", "198.51.100.99:40000", TRI_YES},
		{OBSERVATION_ANSWERED, "198.51.100.99:1", "10.0.1.2:40000", TRI_NO},
		{OBSERVATION_ANSWERED, "10.0.1.2:1", "198.51.100.99:40000", TRI_NO},
		{OBSERVATION_SILENT, NULL, NULL, TRI_NO},
		{OBSERVATION_ABANDONED, NULL, NULL, TRI_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		begin();
		serve();
		echo(0, false, OBSERVATION_ANSWERED, 100);
		egress(ICMP_FLOW_UDP, rows[i].state, 6, rows[i].from, rows[i].quoted);
		assert_int_equal(decide()->outward, rows[i].translated);
	}
}

static void test_unprivileged(void **state)
{
	struct observation *o;

	(void)state;
	begin();
	serve();
	echo(0, false, OBSERVATION_ANSWERED, 100);
	o = egress(ICMP_FLOW_FOREIGN, OBSERVATION_REFUSED, 0, NULL, NULL);
	o->sent = 0;
	o->icmp.local = true;
	o->icmp.error = EPERM;
	assert_int_equal(decide()->egress, EGRESS_UNKNOWN);
	assert_non_null(strstr(verdict.icmp4.egress_basis.text, "setcap cap_net_raw+p"));
}

/* --- lifetime --- */

static void test_lifetime(void **state)
{
	static const uint32_t steps[] = {1000, 10000, 20000, 29000, 40000, 50000};
	static const struct {
		const char *came; /* of two copies of each step: digits */
		uint32_t lasts, ends;
	} rows[] = {
		{"222222", 50000, 0},
		{"222200", 29000, 50000},
		{"211100", 29000, 50000},
		/* two that are missing may have been lost */
		{"222220", 40000, 0},
		{"200000", 1000, 20000},
		{"202000", 20000, 40000},
		/* without the control it may be that no second reply ever comes in */
		{"000000", 0, 0},
		{"020000", 10000, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		begin();
		serve();
		for (int k = 0; k < 12; k++)
			ask(QUESTION_ECHO_TIMER,
				k % 2 < rows[i].came[k / 2] - '0' ? OBSERVATION_ANSWERED
								  : OBSERVATION_SILENT)
				->detail.late_ms = steps[k / 2];
		assert_int_equal(decide()->lasts_ms, rows[i].lasts);
		assert_int_equal(verdict.icmp4.ends_ms, rows[i].ends);
		assert_true(verdict.icmp4.lasts_ms || *verdict.icmp4.lifetime_basis.text);
	}
}

/* --- findings and the sentence --- */

static bool is_found(const char *id)
{
	static struct finding findings[FINDINGS_MAX];
	size_t count = judge_findings(j, &verdict, findings);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(findings[i].id, id)) {
			assert_string_equal(findings[i].about, "icmp.ipv4");
			assert_true(*findings[i].title);
			return true;
		}
	return false;
}

static void test_findings(void **state)
{
	static const struct {
		const char *id;
		int what;
	} rows[] = {{"icmp-errors-dropped", 0}, {"icmp-errors-some", 1}, {"icmp-ends-mapping", 2},
		{"icmp-ends-connection", 3}, {"icmp-quotes-wrong", 4},
		{"path-mtu-errors-missing", 5}, {"icmp-identifier-dependent", 6},
		{"icmp-egress-inside", 7}, {"icmp-outward-untranslated", 8},
		{"icmp-lifetime-short", 9}, {"icmp-punching", 0}, {"icmp-nothing-arrives", 10},
		{"icmp-unprivileged", 11}, {"icmp-service-missing", 12},
		{"icmp-errors-dropped-tcp", 13}, {"icmp-errors-some-tcp", 14},
		{"icmp-attempts-untold", 15}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int what = rows[i].what;
		struct observation *o;

		begin();
		if (what != 12)
			serve();
		echo(0, false, what == 10 ? OBSERVATION_SILENT : OBSERVATION_ANSWERED,
			what == 6 ? 7 : 100);
		echo(0, true, what == 10 ? OBSERVATION_SILENT : OBSERVATION_ANSWERED,
			what == 6 ? 8 : 100);
		if (what == 0 || what == 1 || what == 10)
			error(ICMP_FLOW_UDP, 11, 0, false, OBSERVATION_SILENT, 6);
		if (what >= 13)
			error(what == 15 ? ICMP_FLOW_ATTEMPT : ICMP_FLOW_TCP, 11, 0, false,
				OBSERVATION_SILENT, 6);
		if (what == 14)
			error(ICMP_FLOW_TCP, 3, 1, true, OBSERVATION_ANSWERED, 1);
		if (what == 1 || what == 4) {
			o = error(ICMP_FLOW_UDP, 3, 1, true, OBSERVATION_ANSWERED, 1);
			o->detail.quotes = 1;
			o->detail.wrong_quotes = what == 4;
			o->detail.quote_defects = what == 4 ? QUOTE_CHECKSUM : 0;
		}
		if (what == 2 || what == 3) {
			o = error(what == 2 ? ICMP_FLOW_UDP : ICMP_FLOW_TCP, 3, 1, true,
				OBSERVATION_ANSWERED, 1);
			for (int k = 0; k < 6; k++)
				ask(QUESTION_AFTER_ERRORS, OBSERVATION_SILENT)->detail.flow =
					o->detail.flow;
		}
		if (what == 5)
			error(ICMP_FLOW_UDP, 3, 4, true, OBSERVATION_SILENT, 6);
		if (what == 7)
			egress(ICMP_FLOW_FOREIGN, OBSERVATION_ANSWERED, 1, "10.0.1.2:1",
				"198.18.0.17:1");
		if (what == 8)
			egress(ICMP_FLOW_UDP, OBSERVATION_SILENT, 6, NULL, NULL);
		for (int k = 0; what == 9 && k < 6; k++)
			ask(QUESTION_ECHO_TIMER, k ? OBSERVATION_SILENT : OBSERVATION_ANSWERED)
				->detail.late_ms = k ? 10000 : 1000;
		if (what == 11) {
			o = egress(ICMP_FLOW_FOREIGN, OBSERVATION_REFUSED, 0, NULL, NULL);
			o->sent = 0;
			o->icmp.local = true;
			o->icmp.error = EPERM;
		}
		if (what == 12)
			ask(QUESTION_ICMP_SERVICE, OBSERVATION_SILENT)->awaited = 8;
		decide();
		if (!is_found(rows[i].id))
			fail_msg("no %s", rows[i].id);
	}
	/* and where all is well nothing is found but what is worth knowing */
	begin();
	serve();
	echo(0, false, OBSERVATION_ANSWERED, 100);
	echo(0, true, OBSERVATION_ANSWERED, 100);
	error(ICMP_FLOW_UDP, 3, 1, true, OBSERVATION_ANSWERED, 1);
	decide();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(rows[i].id, "icmp-punching") != 0 && is_found(rows[i].id))
			fail_msg("%s", rows[i].id);
}

/* A Binding request needs no privilege: who refuses it is a firewall. */
static void test_refused_binding(void **state)
{
	struct observation *o;

	(void)state;
	begin();
	o = ask(QUESTION_BINDING, OBSERVATION_REFUSED);
	o->sent = 0;
	o->icmp.count = 3;
	o->icmp.local = true;
	o->icmp.error = EPERM;
	decide();
	assert_false(is_found("icmp-unprivileged"));
}

static void test_sentence(void **state)
{
	char text[512];

	(void)state;
	begin();
	serve();
	echo(0, false, OBSERVATION_ANSWERED, 100);
	echo(0, true, OBSERVATION_ANSWERED, 100);
	error(ICMP_FLOW_UDP, 3, 1, true, OBSERVATION_ANSWERED, 1);
	egress(ICMP_FLOW_FOREIGN, OBSERVATION_SILENT, 6, NULL, NULL);
	judge_sentence_icmp(decide(), FAMILY_IPV4, text, sizeof(text));
	assert_string_equal(text,
		"ICMP: echo works and keeps its identifiers; errors arrive; those that this host "
		"sends about foreign flows are dropped");
	begin();
	judge_sentence_icmp(decide(), FAMILY_IPV4, text, sizeof(text));
	assert_string_equal(text,
		"ICMP: whether echo requests are replied to is unknown; whether errors arrive is "
		"unknown; what becomes of those that this host sends is unknown");
	judge_sentence_icmp(&verdict.icmp6, FAMILY_IPV6, text, sizeof(text));
	assert_string_equal(text, "ICMP over IPv6: not tested");
}

static int tear_down(void **state)
{
	(void)state;
	journal_destroy(j);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_identifiers),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_arrival),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_attempt),
		cmocka_unit_test(test_path_mtu),
		cmocka_unit_test(test_egress),
		cmocka_unit_test(test_outward),
		cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_lifetime),
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_refused_binding),
		cmocka_unit_test(test_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
