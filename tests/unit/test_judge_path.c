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

#include "journal_build.h"

/* --- is there a NAT --- */

static void test_nat(void **state)
{
	static const struct {
		const char *local, *mapped[2];
		enum tri nat;
		size_t external;
	} rows[] = {
		{"10.0.1.2:40000", {"198.51.100.99:40000"}, TRI_YES, 1},
		{"198.51.100.99:40000", {"198.51.100.99:40000"}, TRI_NO, 1},
		{"198.51.100.99:40000", {"198.51.100.99:40001"}, TRI_YES, 1}, /* only the port */
		/* one sees the local endpoint, one does not: nobody knows; see test_judge_quorum.c */
		{"198.51.100.99:40000", {"198.51.100.99:40000", "198.51.100.98:40000"}, TRI_UNKNOWN,
			0},
		{"198.51.100.99:40000", {"198.51.100.98:40000", "198.51.100.99:40000"}, TRI_UNKNOWN,
			0},
		{"198.51.100.99:40000", {"198.51.100.99:40000", "198.51.100.99:40000"}, TRI_NO, 1},
		{"10.0.1.2:40000", {"198.51.100.99:1", "198.51.100.99:2"}, TRI_YES, 2},
		{"10.0.1.2:40000", {"198.51.100.99:1", "198.51.100.99:1"}, TRI_YES, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		for (size_t k = 0; k < 2 && rows[i].mapped[k]; k++) {
			char server[ENDPOINT_TEXT];
			struct observation *o;

			snprintf(server, sizeof(server), "192.0.2.%zu", k + 1);
			build_mapping(j, build_plain_server(j, server), (int[4]){1});
			o = &j->observations[k];
			o->local = build_at(rows[i].local);
			o->answer.mapped = o->answer.mapped_plain = build_at(rows[i].mapped[k]);
		}
		judge(j, &v);
		assert_int_equal(v.udp4.status, PATH_OK);
		assert_int_equal(v.udp4.nat, rows[i].nat);
		assert_int_equal(v.udp4.external_count, rows[i].external);
		assert_int_equal(v.udp4.nat_basis.evidence_count > 0, v.udp4.nat != TRI_UNKNOWN);
		assert_string_equal(v.udp4.nat_basis.text,
			v.udp4.nat ? "" : "no server that answers can be believed");
		journal_destroy(j);
	}
}

/* An ALG that rewrites addresses in packets does it to all servers' answers (RFC 5780 3.6). */
static void test_alg(void **state)
{
	static const struct {
		unsigned servers, rewritten;
		bool plain; /* they send MAPPED-ADDRESS, too */
		enum tri alg;
		enum path_status status;
	} rows[] = {
		{1, 0, true, TRI_NO, PATH_OK}, {1, 0, false, TRI_UNKNOWN, PATH_OK},
		{2, 0, true, TRI_NO, PATH_OK}, {2, 2, true, TRI_YES, PATH_OK},
		{3, 3, true, TRI_YES, PATH_OK},
		{2, 1, true, TRI_NO, PATH_OK}, /* then it is the server's own fault */
		{1, 1, true, TRI_UNKNOWN, PATH_OK}, /* one alone: nobody knows */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		for (unsigned k = 0; k < rows[i].servers; k++) {
			struct observation *o;
			char server[ENDPOINT_TEXT];

			snprintf(server, sizeof(server), "192.0.2.%u", k + 1);
			build_mapping(j, build_plain_server(j, server), (int[4]){40000});
			o = &j->observations[k];
			if (!rows[i].plain)
				o->answer.mapped_plain.family = FAMILY_NONE;
			if (k < rows[i].rewritten)
				o->answer.mapped_plain = o->local;
		}
		judge(j, &v);
		assert_int_equal(v.udp4.alg, rows[i].alg);
		assert_string_equal(
			path_status_name(v.udp4.status), path_status_name(rows[i].status));
		journal_destroy(j);
	}
}

/* What is rewritten in one family says nothing about the other. */
static void test_alg_families(void **state)
{
	static const char *const servers[] = {
		"192.0.2.1", "192.0.2.2", "2001:db8:2::1", "2001:db8:2::2"};
	static const struct {
		const char *rewritten; /* a letter each: r its answer */
		enum tri alg4, alg6;
		int fault; /* the server that does it by itself; -1: none */
	} rows[] = {
		{"rr--", TRI_YES, TRI_NO, -1},
		{"--rr", TRI_NO, TRI_YES, -1},
		{"rrrr", TRI_YES, TRI_YES, -1},
		{"rrr-", TRI_YES, TRI_NO, 2},
		{"-rrr", TRI_NO, TRI_YES, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		for (int k = 0; k < 4; k++) {
			struct observation *o = &j->observations[k];

			build_mapping(j, build_plain_server(j, servers[k]), (int[4]){40000});
			if (rows[i].rewritten[k] == 'r')
				o->answer.mapped_plain = o->local;
		}
		judge(j, &v);
		assert_int_equal(v.udp4.alg, rows[i].alg4);
		assert_int_equal(v.udp6.alg, rows[i].alg6);
		for (int k = 0; k < 4; k++) {
			assert_int_equal(v.servers[k].counts, k != rows[i].fault);
			assert_int_equal(v.servers[k].status,
				k == rows[i].fault ? SERVER_MISBEHAVING : SERVER_OK);
		}
		journal_destroy(j);
	}
}

/* --- no way out --- */

#define PASSES                                                                                    \
	"UDP reaches a server's host, which says that another port is closed; from the server's " \
	"own port nothing was received"

struct blocked_row {
	const char *server;
	unsigned servers; /* silent ones */
	unsigned tcp; /* so many of their hosts answer TCP */
	const char *offender; /* of an ICMP error; NULL: none */
	uint8_t type, code;
	int local; /* error of this host */
	unsigned udp; /* so many say that another UDP port is closed */
	enum path_status status;
	const char *why;
};

static const struct blocked_row blocked[] = {
	{"192.0.2.1", 1, 0, NULL, 0, 0, 0, 0, PATH_UNREACHABLE, "no answer from the server"},
	{"192.0.2.1", 4, 0, NULL, 0, 0, 0, 0, PATH_UNREACHABLE, "no answer from any of 4 servers"},
	{"192.0.2.1", 1, 1, NULL, 0, 0, 0, 0, PATH_UNREACHABLE,
		"the host answers TCP, but not UDP on this port: UDP is blocked, or no server runs "
		"there"},
	{"192.0.2.1", 2, 2, NULL, 0, 0, 0, 0, PATH_BLOCKED,
		"2 servers' hosts answer TCP, and not one UDP packet: it is dropped on the way, or "
		"by all of them (2 asked)"},
	{"192.0.2.1", 5, 2, NULL, 0, 0, 0, 0, PATH_BLOCKED,
		"2 servers' hosts answer TCP, and not one UDP packet: it is dropped on the way, or "
		"by all of them (5 asked)"},
	/* by whom: prohibitions, and port unreachable from somebody who is not the server */
	{"192.0.2.1", 1, 0, "10.0.1.1", 3, 13, 0, 0, PATH_BLOCKED,
		"10.0.1.1 refuses UDP: ICMP type 3 code 13"},
	{"192.0.2.1", 1, 0, "10.0.1.1", 3, 9, 0, 0, PATH_BLOCKED,
		"10.0.1.1 refuses UDP: ICMP type 3 code 9"},
	{"192.0.2.1", 1, 0, "10.0.1.1", 3, 10, 0, 0, PATH_BLOCKED,
		"10.0.1.1 refuses UDP: ICMP type 3 code 10"},
	{"192.0.2.1", 1, 0, "10.0.1.1", 3, 3, 0, 0, PATH_BLOCKED,
		"10.0.1.1 refuses UDP: ICMP type 3 code 3"},
	{"2001:db8::1", 1, 0, "fd00::1", 1, 1, 0, 0, PATH_BLOCKED,
		"fd00::1 refuses UDP: ICMP type 1 code 1"},
	{"2001:db8::1", 1, 0, "fd00::1", 1, 4, 0, 0, PATH_BLOCKED,
		"fd00::1 refuses UDP: ICMP type 1 code 4"},
	{"2001:db8::1", 1, 0, "fd00::1", 1, 5, 0, 0, PATH_BLOCKED,
		"fd00::1 refuses UDP: ICMP type 1 code 5"},
	{"2001:db8::1", 1, 0, "fd00::1", 1, 6, 0, 0, PATH_BLOCKED,
		"fd00::1 refuses UDP: ICMP type 1 code 6"},
	/* the server's own host, whatever it says; no route; the way is too long: no firewall */
	{"192.0.2.1", 1, 0, "192.0.2.1", 3, 3, 0, 0, PATH_UNREACHABLE,
		"192.0.2.1 itself says that nothing listens on its port 3478: ICMP type 3 code 3"},
	{"192.0.2.1", 1, 0, "192.0.2.1", 3, 9, 0, 0, PATH_UNREACHABLE,
		"192.0.2.1 answers with ICMP type 3 code 9"},
	{"192.0.2.1", 1, 0, "192.0.2.1", 3, 10, 0, 0, PATH_UNREACHABLE,
		"192.0.2.1 answers with ICMP type 3 code 10"},
	{"192.0.2.1", 1, 0, "192.0.2.1", 3, 13, 0, 0, PATH_UNREACHABLE,
		"192.0.2.1 answers with ICMP type 3 code 13"},
	{"2001:db8::1", 1, 0, "2001:db8::1", 1, 1, 0, 0, PATH_UNREACHABLE,
		"2001:db8::1 answers with ICMP type 1 code 1"},
	{"2001:db8::1", 1, 0, "2001:db8::1", 1, 5, 0, 0, PATH_UNREACHABLE,
		"2001:db8::1 answers with ICMP type 1 code 5"},
	{"2001:db8::1", 1, 0, "2001:db8::1", 1, 6, 0, 0, PATH_UNREACHABLE,
		"2001:db8::1 answers with ICMP type 1 code 6"},
	{"192.0.2.1", 1, 0, "10.0.1.1", 3, 1, 0, 0, PATH_UNREACHABLE,
		"10.0.1.1 answers with ICMP type 3 code 1"},
	{"192.0.2.1", 1, 0, "10.0.1.1", 11, 0, 0, 0, PATH_UNREACHABLE,
		"10.0.1.1 answers with ICMP type 11 code 0"},
	{"2001:db8::1", 1, 0, "2001:db8::1", 1, 4, 0, 0, PATH_UNREACHABLE,
		"2001:db8::1 itself says that nothing listens on its port 3478: ICMP type 1 code "
		"4"},
	{"2001:db8::1", 1, 0, "fd00::1", 1, 0, 0, 0, PATH_UNREACHABLE,
		"fd00::1 answers with ICMP type 1 code 0"},
	/* this host itself */
	{"192.0.2.1", 1, 0, NULL, 0, 0, EPERM, 0, PATH_BLOCKED,
		"this host itself refuses to send: Operation not permitted"},
	{"192.0.2.1", 1, 0, NULL, 0, 0, EACCES, 0, PATH_BLOCKED,
		"this host itself refuses to send: Permission denied"},
	{"192.0.2.1", 1, 0, NULL, 0, 0, ENETUNREACH, 0, PATH_UNREACHABLE,
		"this host itself cannot send: Network is unreachable"},
	/* UDP gets to a host and back: it is not blocked */
	{"192.0.2.1", 2, 2, NULL, 0, 0, 0, 1, PATH_UNREACHABLE, PASSES},
	{"192.0.2.1", 3, 3, NULL, 0, 0, 0, 3, PATH_UNREACHABLE, PASSES},
	{"192.0.2.1", 1, 0, NULL, 0, 0, 0, 1, PATH_UNREACHABLE, PASSES},
	{"2001:db8::1", 2, 2, NULL, 0, 0, 0, 1, PATH_UNREACHABLE, PASSES},
	/* one server's own word on its own port says more than on another; of several it is not the only one */
	{"192.0.2.1", 1, 0, "192.0.2.1", 3, 3, 0, 1, PATH_UNREACHABLE,
		"192.0.2.1 itself says that nothing listens on its port 3478: ICMP type 3 code 3"},
	{"192.0.2.1", 2, 0, "10.0.1.1", 3, 1, 0, 1, PATH_UNREACHABLE, PASSES},
};

static void add_silent(struct journal *j, const struct blocked_row *row, unsigned number)
{
	struct endpoint e = build_at(row->server);
	char text[ENDPOINT_TEXT];
	struct observation *o;
	size_t server;

	e.address[e.family == FAMILY_IPV4 ? 3 : 15] = (uint8_t)(number + 1);
	server = build_plain_server(j, endpoint_format(&e, text));
	o = build_ask(j, QUESTION_BINDING, server, BUILD_SOCKET, &e, &e, 0);
	if (row->offender || row->local) {
		o->state = OBSERVATION_REFUSED;
		o->icmp = (struct icmp_seen){.count = 1,
			.local = row->local,
			.error = row->local,
			.type = row->type,
			.code = row->code};
		if (row->offender)
			o->icmp.offender = build_at(row->offender);
	}
	o = build_ask(j, QUESTION_TCP_CONTROL, server, 0, &e, &e, 0);
	if (number < row->tcp)
		o->state = OBSERVATION_ANSWERED;
	e.port = 33434;
	o = build_ask(j, QUESTION_UDP_CONTROL, server, BUILD_SOCKET, &e, &e, 0);
	if (number < row->udp)
		o->state = OBSERVATION_ANSWERED;
}

static void test_blocked(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(blocked) / sizeof(*blocked); i++) {
		const struct blocked_row *row = &blocked[i];
		struct journal *j = build_journal();
		const struct behaviour *b;
		struct verdict v;

		for (unsigned k = 0; k < row->servers; k++)
			add_silent(j, row, k);
		judge(j, &v);
		b = j->servers[0].endpoint.family == FAMILY_IPV4 ? &v.udp4 : &v.udp6;
		if (b->status != row->status)
			fail_msg("row %zu: %s", i, path_status_name(b->status));
		assert_string_equal(b->status_basis.text, row->why);
		assert_string_equal(classic_name(b->classic),
			row->status == PATH_BLOCKED ? "blocked" : "unknown");
		if (row->offender && row->status == PATH_BLOCKED) {
			struct endpoint offender = build_at(row->offender);

			assert_true(endpoint_same_address(&b->icmp_offender, &offender));
			assert_int_equal(b->icmp_type, row->type);
			assert_int_equal(b->icmp_code, row->code);
		}
		assert_int_equal(b->nat, TRI_UNKNOWN);
		journal_destroy(j);
	}
}

/* Two names of one host are one witness. */
static void test_one_host(void **state)
{
	struct journal *j = build_journal();
	struct verdict v;

	(void)state;
	for (int k = 0; k < 2; k++) {
		struct endpoint e = build_at(k ? "192.0.2.1:9" : "192.0.2.1");
		size_t server = build_plain_server(j, k ? "192.0.2.1:9" : "192.0.2.1");

		build_ask(j, QUESTION_BINDING, server, BUILD_SOCKET, &e, &e, 0);
		build_ask(j, QUESTION_TCP_CONTROL, server, 0, &e, &e, 1);
	}
	judge(j, &v);
	assert_int_equal(v.udp4.status, PATH_UNREACHABLE);
	journal_destroy(j);
}

/* One that answers is enough, whatever a firewall says about others. */
static void test_one_answers(void **state)
{
	struct journal *j = build_journal();
	struct verdict v;

	(void)state;
	add_silent(j, &blocked[5], 0);
	build_whole(j, 40000, "NNNR");
	judge(j, &v);
	assert_int_equal(v.udp4.status, PATH_OK);
	assert_int_equal(v.servers[0].status, SERVER_UNREACHABLE);
	assert_string_equal(v.servers[0].problem, "ICMP type 3 code 13 from 10.0.1.1");
	journal_destroy(j);
}

static void test_untested(void **state)
{
	struct journal *j = build_journal();
	struct verdict v;

	(void)state;
	judge(j, &v);
	assert_int_equal(v.udp4.status, PATH_UNTESTED);
	assert_int_equal(v.udp6.status, PATH_UNTESTED);
	assert_string_equal(v.udp4.status_basis.text, "no server of this address family");
	journal_destroy(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nat),
		cmocka_unit_test(test_alg),
		cmocka_unit_test(test_alg_families),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_one_host),
		cmocka_unit_test(test_one_answers),
		cmocka_unit_test(test_untested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
