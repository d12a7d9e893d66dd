// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* How far packets get: what a ladder says beside what else is known, as a table. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "journal_build.h"

struct row {
	/* '.': no answer; r: a router; R: it refuses; T: the server's host; three packets without an answer, else one */
	const char *rungs;
	enum observation_state state;
	unsigned tcp; /* hosts that answer over TCP, of two servers */
	bool closed; /* the first one says that another UDP port is closed */
	enum path_status status;
	enum tri reached;
	bool lost;
	const char *why; /* how the reason ends */
};

static const struct row rows[] = {
	{"rr....", OBSERVATION_ANSWERED, 0, false, PATH_UNREACHABLE, TRI_UNKNOWN, true,
		"no answer from any of 2 servers; likely lost or dropped at or behind 198.18.0.2 "
		"(hop 2), the last router that answers towards 203.0.113.1"},
	{"rr....", OBSERVATION_ANSWERED, 2, false, PATH_BLOCKED, TRI_UNKNOWN, true,
		"2 servers' hosts answer TCP, and not one UDP packet: it is dropped on the way, or "
		"by all of them (2 asked); likely lost or dropped at or behind 198.18.0.2 (hop 2), "
		"the last router that answers towards 203.0.113.1"},
	/* errors from behind the first router are not known to come in */
	{"r....", OBSERVATION_ANSWERED, 0, false, PATH_UNREACHABLE, TRI_UNKNOWN, false,
		"packets get as far as 198.18.0.1 (hop 1), the last router that answers towards "
		"203.0.113.1"},
	/* one that says nothing is on the way: so may be others */
	{"r.r....", OBSERVATION_ANSWERED, 0, false, PATH_UNREACHABLE, TRI_UNKNOWN, false,
		"packets get as far as 198.18.0.3 (hop 3), the last router that answers towards "
		"203.0.113.1"},
	/* too few packets, and a ladder that was cut off */
	{"rr.", OBSERVATION_ANSWERED, 0, false, PATH_UNREACHABLE, TRI_UNKNOWN, false,
		"packets get as far as 198.18.0.2 (hop 2), the last router that answers towards "
		"203.0.113.1"},
	{"rr....", OBSERVATION_ABANDONED, 0, false, PATH_UNREACHABLE, TRI_UNKNOWN, false,
		"packets get as far as 198.18.0.2 (hop 2), the last router that answers towards "
		"203.0.113.1"},
	/* UDP gets through, if to another port */
	{"rr....", OBSERVATION_ANSWERED, 2, true, PATH_UNREACHABLE, TRI_UNKNOWN, false,
		"nothing was received; packets get as far as 198.18.0.2 (hop 2), the last "
		"router that answers towards 203.0.113.1"},
	/* it gets there, so it is not blocked, though two hosts answer over TCP alone */
	{"rrT", OBSERVATION_ANSWERED, 2, false, PATH_UNREACHABLE, TRI_YES, false,
		"UDP reaches a server's host, and no server answers; packets reach the host "
		"203.0.113.1 (hop 3)"},
	{"..T", OBSERVATION_ANSWERED, 0, false, PATH_UNREACHABLE, TRI_YES, false,
		"UDP reaches a server's host, and no server answers; packets reach the host "
		"203.0.113.1 (hop 3)"},
	{"rrR", OBSERVATION_ANSWERED, 0, false, PATH_UNREACHABLE, TRI_NO, false,
		"no answer from any of 2 servers; 198.18.0.3 (hop 3) says that it goes no further: "
		"ICMP type 3 code 1"},
	/* silence of all says nothing of anybody */
	{"....", OBSERVATION_SILENT, 0, false, PATH_UNREACHABLE, TRI_UNKNOWN, false,
		"no answer from any of 2 servers"},
	{"", OBSERVATION_REFUSED, 0, false, PATH_UNREACHABLE, TRI_UNKNOWN, false,
		"no answer from any of 2 servers"},
};

static void add_rung(struct trace *t, char letter)
{
	struct hop *h = &t->hops[t->hop_count++];

	h->sent = letter == '.' ? 3 : 1;
	if (letter == '.')
		return;
	h->answers = 1;
	h->icmp = true;
	h->type = letter == 'r' ? 11 : 3;
	h->code = letter == 'T' ? 3 : letter == 'R' ? 1 : 0;
	h->from = t->to;
	if (letter != 'T') {
		h->from = build_at("198.18.0.0:1");
		h->from.address[3] = (uint8_t)t->hop_count;
	}
	h->from.port = 0;
}

static void build(struct journal *j, const struct row *row)
{
	struct observation *o;
	struct trace *t;

	for (unsigned k = 0; k < 2; k++) {
		size_t server = build_server(j);
		struct endpoint e = build_target(j, server, false, false);

		build_ask(j, QUESTION_BINDING, server, BUILD_SOCKET, &e, &e, 0);
		o = build_ask(j, QUESTION_TCP_CONTROL, server, 0, &e, &e, 0);
		if (k < row->tcp)
			o->state = OBSERVATION_ANSWERED;
		e.port = 33434;
		o = build_ask(j, QUESTION_UDP_CONTROL, server, BUILD_SOCKET, &e, &e, 0);
		if (k || !row->closed)
			continue;
		o->state = OBSERVATION_ANSWERED;
		o->icmp = (struct icmp_seen){.count = 1, .type = 3, .code = 3, .offender = e};
	}
	o = build_ask(j, QUESTION_TRACE, 0, BUILD_SOCKET + 1, &j->servers[0].endpoint,
		&j->servers[0].endpoint, 0);
	o->state = row->state;
	t = journal_add_trace(j, o);
	for (const char *c = row->rungs; *c; c++)
		add_rung(t, *c);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		struct journal *j = build_journal();
		const struct behaviour *b;
		struct verdict v;
		size_t length;

		build(j, row);
		judge(j, &v);
		b = &v.udp4;
		length = strlen(b->status_basis.text);
		if (b->status != row->status || b->reach.reached != row->reached ||
			b->reach.lost != row->lost || length < strlen(row->why) ||
			strcmp(b->status_basis.text + length - strlen(row->why), row->why) != 0)
			fail_msg("%s: %s, reached %d, lost %d: %s", row->rungs,
				path_status_name(b->status), (int)b->reach.reached, b->reach.lost,
				b->status_basis.text);
		assert_true(b->reach.measured);
		assert_int_equal(b->reach.observation, 6);
		/* it is one of the things that the status rests on */
		assert_int_equal(b->status_basis.evidence[b->status_basis.evidence_count - 1], 6);
		assert_false(v.udp6.reach.measured);
		assert_false(v.tcp4.reach.measured);
		assert_false(v.icmp4.common.reach.measured);
		journal_destroy(j);
	}
}

/* The longest text that there can be is whole. */
static void test_longest(void **state)
{
	struct journal *j = build_journal();
	const char *server = "[2001:db8:1111:2222:3333:4444:5555:6661]:65535";
	const char *router = "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:fff1]:1";
	struct observation *o;
	struct trace *t;
	struct verdict v;

	(void)state;
	for (char k = '1'; k < '9'; k++) {
		char text[64];
		struct endpoint e;
		size_t place;

		snprintf(text, sizeof(text), "%s", server);
		text[38] = k;
		place = build_plain_server(j, text);
		e = j->servers[place].endpoint;
		build_ask(j, QUESTION_BINDING, place, BUILD_SOCKET, &e, &e, 0);
		build_ask(j, QUESTION_TCP_CONTROL, place, 0, &e, &e, 1);
	}
	o = build_ask(j, QUESTION_TRACE, 0, BUILD_SOCKET + 1, &j->servers[0].endpoint,
		&j->servers[0].endpoint, 0);
	t = journal_add_trace(j, o);
	t->hop_count = 24;
	for (unsigned i = 0; i < 20; i++)
		t->hops[i] = (struct hop){
			.sent = 1, .answers = 1, .icmp = true, .type = 3, .from = build_at(router)};
	for (unsigned i = 20; i < 24; i++)
		t->hops[i] = (struct hop){.sent = 3};
	judge(j, &v);
	assert_string_equal(v.udp6.status_basis.text,
		"8 servers' hosts answer TCP, and not one UDP packet: it is dropped on the way, or "
		"by all of them (8 asked); likely lost or dropped at or behind "
		"2001:db8:aaaa:bbbb:cccc:dddd:eeee:fff1 (hop 20), the last router that answers "
		"towards 2001:db8:1111:2222:3333:4444:5555:6661");
	journal_destroy(j);
}

/* What refuses is named once. */
static void test_named(void **state)
{
	struct journal *j = build_journal();
	size_t server = build_server(j);
	struct endpoint e = build_target(j, server, false, false);
	struct observation *o;
	struct trace *t;
	struct verdict v;

	(void)state;
	o = build_ask(j, QUESTION_BINDING, server, BUILD_SOCKET, &e, &e, 0);
	o->state = OBSERVATION_REFUSED;
	o->icmp = (struct icmp_seen){
		.count = 3, .type = 3, .code = 1, .offender = build_at("198.18.0.2:1")};
	o = build_ask(j, QUESTION_TRACE, server, BUILD_SOCKET + 1, &e, &e, 0);
	o->state = OBSERVATION_ANSWERED;
	t = journal_add_trace(j, o);
	add_rung(t, 'r');
	add_rung(t, 'R');
	judge(j, &v);
	assert_string_equal(v.udp4.status_basis.text,
		"198.18.0.2 answers with ICMP type 3 code 1; that is hop 2");
	journal_destroy(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
