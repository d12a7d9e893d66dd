// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* TTL ladders of both probers, in virtual time: who is named when no server answers, and what a healthy run costs. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "judge/findings.h"
#include "probe/probe.h"
#include "probe/tcp_probe.h"
#include "tcpnet.h"

#define MS	1000u
#define RTT_US	(50 * MS)
#define EIM	DEPENDENCE_ENDPOINT_INDEPENDENT
#define ROUTERS 4
#define ALL	((1u << (ROUTERS + 1)) - 1)

static struct simnet_config one_server(enum simnet_server server)
{
	return (struct simnet_config){.mapping = EIM,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.early = EARLY_SILENT,
		.way = {.routers = ROUTERS},
		.delay_us = RTT_US / 2,
		.seed = 1,
		.servers = {server},
		.server_count = 1,
		.tests = PROBE_MAPPING | PROBE_FILTERING | PROBE_PORTS_IF_QUICK | PROBE_EARLY,
		.limit_us = 5000 * MS};
}

static const struct behaviour *run(const struct simnet_config *c, struct simnet_result *r)
{
	simnet_run(c, r);
	if (*r->broken)
		fail_msg("seed %u: the prober %s", (unsigned)c->seed, r->broken);
	assert_in_range(r->foreign_rate, 0, 10);
	return c->ipv6 ? &r->verdict.udp6 : &r->verdict.udp4;
}

static const struct trace *only_trace(const struct journal *j)
{
	assert_int_equal(j->trace_count, 1);
	return &j->traces[0];
}

/* --- a truth table --- */

struct row {
	const char *what;
	enum simnet_server server;
	struct simnet_way way;
	enum tri reached;
	unsigned target, last;
	bool lost;
	const char *ipv4, *ipv6; /* what the status says */
};

static const struct row rows[] = {
	{"blocked at hop 3", SIMNET_OWN, {.drops_at = 3}, TRI_UNKNOWN, 0, 3, true,
		"no answer from the server; likely lost or dropped at or behind 192.0.2.3 (hop 3), "
		"the last router that answers",
		"no answer from the server; likely lost or dropped at or behind 2001:db8:2::3 (hop "
		"3), the last router that answers"},
	{"blocked at hop 1", SIMNET_OWN, {.drops_at = 1}, TRI_UNKNOWN, 0, 1, false,
		"no answer from the server; packets get as far as 10.0.1.1 (hop 1), the last "
		"router "
		"that answers",
		"no answer from the server; packets get as far as fd00::1 (hop 1), the last router "
		"that answers"},
	{"the server's host is there, and nobody listens", SIMNET_REFUSING, {0}, TRI_YES, 5, 4,
		false,
		"203.0.113.1 itself says that nothing listens on its port 3478: ICMP type 3 code "
		"3; that is hop 5",
		"2001:db8:113::1 itself says that nothing listens on its port 3478: ICMP type 1 "
		"code 4; that is hop 5"},
	{"the server's host says nothing, or is not there", SIMNET_SILENT, {0}, TRI_UNKNOWN, 0, 4,
		true,
		"no answer from the server; likely lost or dropped at or behind 192.0.2.4 (hop 4), "
		"the last router that answers",
		"no answer from the server; likely lost or dropped at or behind 2001:db8:2::4 (hop "
		"4), the last router that answers"},
	{"no ICMP gets in", SIMNET_SILENT, {.no_icmp = true}, TRI_UNKNOWN, 0, 1, false,
		"no answer from the server; packets get as far as 10.0.1.1 (hop 1), the last "
		"router "
		"that answers",
		"no answer from the server; packets get as far as fd00::1 (hop 1), the last router "
		"that answers"},
	{"all silent", SIMNET_SILENT, {.mute = ALL}, TRI_UNKNOWN, 0, 0, false,
		"no answer from the server", "no answer from the server"},
	{"some silent", SIMNET_OWN, {.mute = 1 << 2, .drops_at = 4}, TRI_UNKNOWN, 0, 4, false,
		"no answer from the server; packets get as far as 192.0.2.4 (hop 4), the last "
		"router "
		"that answers",
		"no answer from the server; packets get as far as 2001:db8:2::4 (hop 4), the last "
		"router that answers"},
	{"a router says no", SIMNET_OWN, {.rejects_at = 3}, TRI_NO, 0, 3, false,
		"192.0.2.3 refuses UDP: ICMP type 3 code 13; that is hop 3",
		"2001:db8:2::3 refuses UDP: ICMP type 1 code 1; that is hop 3"},
	{"routers that quote too little", SIMNET_OWN, {.drops_at = 3, .brief = true}, TRI_UNKNOWN,
		0, 3, true,
		"no answer from the server; likely lost or dropped at or behind 192.0.2.3 (hop 3), "
		"the last router that answers",
		"no answer from the server; likely lost or dropped at or behind 2001:db8:2::3 (hop "
		"3), the last router that answers"},
};

static void check_row(const struct row *row, bool ipv6)
{
	struct simnet_config c = one_server(row->server);
	struct simnet_result r;
	const struct behaviour *b;
	const struct trace *t;

	c.ipv6 = ipv6;
	c.way = row->way;
	c.way.routers = ROUTERS;
	b = run(&c, &r);
	print_message("# %s: %u ms, %u packets with a TTL: %s\n", row->what,
		(unsigned)(r.duration_us / MS), r.with_ttl, b->status_basis.text);
	t = only_trace(r.journal);
	assert_true(b->reach.measured);
	assert_int_equal(b->reach.reached, row->reached);
	assert_int_equal(b->reach.target, row->target);
	assert_int_equal(b->reach.last, row->last);
	assert_int_equal(b->reach.lost, row->lost);
	assert_string_equal(b->status_basis.text, ipv6 ? row->ipv6 : row->ipv4);
	assert_int_equal(b->reach.observation, t->observation);
	assert_in_range(r.with_ttl, 4, 40);
	for (unsigned i = 0; i < trace_length(t); i++)
		if (t->hops[i].answers && t->hops[i].sent == 1)
			assert_in_range(t->hops[i].rtt_us, 1, 2 * RTT_US);
	simnet_free(&r);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (int ipv6 = 0; ipv6 < 2; ipv6++)
			check_row(&rows[i], ipv6);
}

/* Silence and loss at once: the wrong router is never named as one that answers, and nothing as reached. */
static void test_loss(void **state)
{
	unsigned named = 0;

	(void)state;
	for (unsigned seed = 0; seed < 200; seed++) {
		struct simnet_config c = one_server(SIMNET_OWN);
		struct simnet_result r;
		const struct behaviour *b;

		c.way.drops_at = 3;
		c.loss = 100;
		c.jitter_us = 20 * MS;
		c.seed = seed;
		b = run(&c, &r);
		assert_int_equal(b->reach.reached, TRI_UNKNOWN);
		assert_in_range(b->reach.last, 0, 3);
		named += b->reach.last == 3;
		simnet_free(&r);
	}
	print_message("# 10 %% loss: the last router was named in %u of 200 runs\n", named);
	assert_in_range(named, 190, 200);
}

/* Of several servers one is gone after: not an inside one, and one that is silent rather than refused. */
static void test_choice(void **state)
{
	struct simnet_config c = one_server(SIMNET_REFUSING);
	struct simnet_result r;
	const struct behaviour *b;

	(void)state;
	c.server_count = 3;
	c.servers[1] = c.servers[2] = SIMNET_SILENT;
	b = run(&c, &r);
	assert_int_equal(only_trace(r.journal)->to.address[3], 2);
	assert_non_null(strstr(b->status_basis.text, "; packets get as far as 192.0.2.4 (hop 4)"));
	assert_non_null(strstr(b->status_basis.text, "towards 203.0.113.2"));
	simnet_free(&r);
}

/* While names are looked up, a server that answers may still come. */
static void test_resolver(void **state)
{
	struct simnet_config c = one_server(SIMNET_SILENT);
	struct simnet_result r;
	const struct observation *o;

	(void)state;
	c.server_count = 8;
	for (size_t i = 0; i < 8; i++)
		c.servers[i] = SIMNET_SILENT;
	c.servers_late = true; /* the last one comes after 700 ms */
	run(&c, &r);
	o = &r.journal->observations[only_trace(r.journal)->observation];
	assert_in_range(o->first_sent_us - r.journal->start_us, 1600 * MS, 1700 * MS);
	assert_int_equal(r.verdict.udp4.reach.last, ROUTERS);
	simnet_free(&r);
}

/* A server on this host has no way to it. */
static void test_loopback(void **state)
{
	struct probe_config config = {.family = FAMILY_IPV4,
		.tests = PROBE_MAPPING,
		.trace = true,
		.limit_us = 5000 * MS};
	struct journal_server server = {.name = "here"};
	struct endpoint local;
	struct journal *j;
	struct probe *p;
	struct random random;
	struct probe_output out;
	size_t place;

	(void)state;
	random_init_number(&random, 1);
	assert_int_equal(journal_create(MS, &j), 0);
	assert_int_equal(endpoint_parse("127.0.0.1:3478", 1, &server.endpoint), 0);
	assert_int_equal(endpoint_parse("127.0.0.1:40000", 1, &local), 0);
	assert_int_equal(journal_add_server(j, &server, &place), 0);
	assert_int_equal(probe_create(&config, j, &random, MS, &p), 0);
	probe_add_server(p, MS, place);
	probe_servers_complete(p);
	for (uint64_t now_us = MS; now_us < 6000 * MS; now_us += 10 * MS) {
		do {
			if (probe_poll(p, now_us, &out) == PROBE_OPEN)
				probe_opened(p, now_us, out.socket, 0, &local);
			assert_int_equal(out.ttl, 0);
		} while (out.action != PROBE_WAIT && out.action != PROBE_DONE);
	}
	assert_int_equal(out.action, PROBE_DONE);
	assert_int_equal(j->trace_count, 0);
	probe_destroy(p);
	journal_destroy(j);
}

/* --- what it costs --- */

static void assert_same_cost(struct simnet_config c)
{
	struct simnet_result with, without;

	run(&c, &with);
	c.no_trace = true;
	run(&c, &without);
	assert_int_equal(with.with_ttl, 0);
	assert_int_equal(with.packets, without.packets);
	assert_int_equal(with.bytes, without.bytes);
	assert_int_equal(with.duration_us, without.duration_us);
	assert_int_equal(with.journal->observation_count, without.journal->observation_count);
	assert_int_equal(with.journal->trace_count, 0);
	simnet_free(&with);
	simnet_free(&without);
}

/* Where any server answers in time, not one packet more leaves, and no time is lost. */
static void test_healthy(void **state)
{
	static const uint64_t delays_us[] = {500, 5 * MS, 25 * MS, 150 * MS, 350 * MS};
	static const enum simnet_server servers[] = {SIMNET_OWN, SIMNET_RFC5780, SIMNET_PLAIN};

	(void)state;
	for (size_t d = 0; d < 5; d++) {
		for (size_t s = 0; s < 3; s++) {
			struct simnet_config c = one_server(servers[s]);

			c.delay_us = delays_us[d];
			c.ipv6 = d & 1;
			assert_same_cost(c);
			/* beside others that are dead, or closed, or come late */
			c.server_count = 4;
			c.servers[1] = servers[s];
			c.servers[0] = c.servers[2] = SIMNET_SILENT;
			c.servers[3] = SIMNET_REFUSING;
			assert_same_cost(c);
			c.servers_late = true;
			assert_same_cost(c);
		}
	}
}

/* One that talks nonsense is heard: there is nothing to look for on the way. */
static void test_heard(void **state)
{
	static const enum simnet_server servers[] = {SIMNET_GARBAGE, SIMNET_WRONG_SOURCE};

	(void)state;
	for (size_t s = 0; s < 2; s++) {
		struct simnet_config c = one_server(servers[s]);

		c.filtering = EIM;
		assert_same_cost(c);
	}
}

/* A run that ends in silence takes as long as ever: the first requests are waited for longer. */
static void test_time(void **state)
{
	(void)state;
	for (unsigned drops_at = 0; drops_at <= ROUTERS; drops_at++) {
		struct simnet_config c = one_server(SIMNET_SILENT);
		struct simnet_result with, without;

		c.way.drops_at = drops_at;
		run(&c, &with);
		c.no_trace = true;
		run(&c, &without);
		assert_true(with.with_ttl > 0);
		assert_int_equal(with.duration_us, without.duration_us);
		simnet_free(&with);
		simnet_free(&without);
	}
}

/* The run may end at any time; and an answer may come while the ladder is under way. */
static void test_cut(void **state)
{
	(void)state;
	for (uint64_t limit_us = 850 * MS; limit_us < 2000 * MS; limit_us += 50 * MS) {
		struct simnet_config c = one_server(SIMNET_SILENT);
		struct simnet_result r;
		const struct behaviour *b;

		c.way.drops_at = 3;
		c.limit_us = limit_us;
		b = run(&c, &r);
		assert_in_range(r.duration_us, 0, limit_us + 1 * MS);
		assert_int_equal(b->reach.reached, TRI_UNKNOWN);
		simnet_free(&r);
	}
}

static void test_late_answer(void **state)
{
	struct simnet_config c = one_server(SIMNET_OWN);
	struct simnet_result r;
	const struct behaviour *b;

	(void)state;
	c.delay_us = 475 * MS; /* an answer after 950 ms */
	c.limit_us = 20000 * MS;
	b = run(&c, &r);
	assert_string_equal(path_status_name(b->status), "ok");
	assert_int_equal(b->mapping, EIM);
	assert_int_equal(r.journal->observations[only_trace(r.journal)->observation].state,
		OBSERVATION_ABANDONED);
	assert_false(b->reach.measured);
	simnet_free(&r);
}

/* This host refuses, or has no socket: nothing is to be learnt from a ladder. */
static void test_own_refusal(void **state)
{
	struct simnet_config c = one_server(SIMNET_OWN);

	(void)state;
	c.firewall = SIMNET_FORBIDDEN;
	assert_same_cost(c);
	c.firewall = SIMNET_OPEN;
	c.no_sockets = true;
	assert_same_cost(c);
}

/* --- findings --- */

static const struct finding *find(const struct simnet_result *r, const char *id)
{
	static struct finding findings[FINDINGS_MAX];
	size_t count = judge_findings(r->journal, &r->verdict, findings);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(findings[i].id, id))
			return &findings[i];
	fail_msg("no finding %s", id);
	return NULL;
}

static void test_finding(void **state)
{
	struct simnet_config c = one_server(SIMNET_OWN);
	struct simnet_result r;

	(void)state;
	c.way.drops_at = 2;
	run(&c, &r);
	assert_string_equal(find(&r, "udp-silent")->detail,
		"no answer from the server; likely lost or dropped at or behind 192.0.2.2 (hop 2), "
		"the last router that answers. Routers that answer towards 203.0.113.1: 10.0.1.1, "
		"192.0.2.2 (hops 1 to 2); 12 packets that may go further brought nothing.");
	simnet_free(&r);
	c.way.mute = ALL;
	run(&c, &r);
	assert_string_equal(find(&r, "udp-silent")->detail,
		"no answer from the server. No router on the way answers to packets whose TTL runs "
		"out.");
	simnet_free(&r);
}

/* --- TCP --- */

static struct tcpnet_config over_tcp(enum tcpnet_server server)
{
	return (struct tcpnet_config){.nat = {.mapping = EIM,
					      .filtering = DEPENDENCE_ADDRESS_AND_PORT,
					      .way = {.routers = ROUTERS},
					      .delay_us = RTT_US / 2,
					      .seed = 1,
					      .limit_us = 20000 * MS},
		.server = server,
		.tests = TCP_BEHAVIOUR};
}

static void run_tcp(const struct tcpnet_config *c, struct simnet_result *r)
{
	tcpnet_run(c, r);
	if (*r->broken)
		fail_msg("the prober %s", r->broken);
}

#define NO_TCP \
	"no answer over TCP from 1 server: 0 refused the connection, 0 took it and said nothing"

static void test_tcp(void **state)
{
	static const struct {
		struct simnet_way way;
		enum tri reached;
		unsigned last;
		const char *why;
	} table[] = {
		{{.drops_at = 3}, TRI_UNKNOWN, 3,
			NO_TCP "; likely lost or dropped at or behind 192.0.2.3 (hop 3), the last "
			       "router that answers"},
		{{.drops_at = 1}, TRI_UNKNOWN, 1,
			NO_TCP
			"; packets get as far as 10.0.1.1 (hop 1), the last router that answers"},
		{{0}, TRI_UNKNOWN, 4,
			NO_TCP "; likely lost or dropped at or behind 192.0.2.4 (hop 4), the last "
			       "router that answers"},
		{{.mute = ALL}, TRI_UNKNOWN, 0, NO_TCP},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct tcpnet_config c = over_tcp(TCPNET_SILENT);
		struct simnet_result with, without;
		const struct reach *reach = &with.verdict.tcp4.reach;

		c.nat.way = table[i].way;
		c.nat.way.routers = ROUTERS;
		run_tcp(&c, &with);
		print_message("# TCP: %u ms, %u SYNs with a TTL: %s\n",
			(unsigned)(with.duration_us / MS), with.with_ttl,
			with.verdict.tcp4.status_basis.text);
		assert_int_equal(reach->reached, table[i].reached);
		assert_int_equal(reach->last, table[i].last);
		assert_string_equal(with.verdict.tcp4.status_basis.text, table[i].why);
		assert_non_null(find(&with, "tcp-unreachable"));
		c.nat.no_trace = true;
		run_tcp(&c, &without);
		assert_int_equal(with.duration_us, without.duration_us);
		simnet_free(&with);
		simnet_free(&without);
	}
}

/* A server that is there, or whose host refuses: no ladder. */
static void test_tcp_healthy(void **state)
{
	static const enum tcpnet_server servers[] = {
		TCPNET_OWN, TCPNET_RFC5780, TCPNET_MUTE, TCPNET_PLAIN, TCPNET_CAGED, TCPNET_CLOSED};

	(void)state;
	for (size_t i = 0; i < sizeof(servers) / sizeof(*servers); i++) {
		struct tcpnet_config c = over_tcp(servers[i]);
		struct simnet_result with, without;

		run_tcp(&c, &with);
		c.nat.no_trace = true;
		run_tcp(&c, &without);
		assert_int_equal(with.journal->trace_count, 0);
		assert_int_equal(with.packets, without.packets);
		assert_int_equal(with.duration_us, without.duration_us);
		simnet_free(&with);
		simnet_free(&without);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_resolver),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_healthy),
		cmocka_unit_test(test_heard),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_own_refusal),
		cmocka_unit_test(test_finding),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tcp_healthy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
