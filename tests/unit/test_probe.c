// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* The prober and the judge together, in virtual time, against NATs and servers of every kind. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "probe/probe.h"
#include "simnet.h"

#define MS	  1000u
#define RTT_US	  (50 * MS)

#define EIM	  DEPENDENCE_ENDPOINT_INDEPENDENT
#define ADM	  DEPENDENCE_ADDRESS
#define APDM	  DEPENDENCE_ADDRESS_AND_PORT
#define PDM	  DEPENDENCE_PORT

#define ALL_TESTS (PROBE_MAPPING | PROBE_FILTERING | PROBE_PORTS | PROBE_EARLY | PROBE_HAIRPIN)
#define USUAL	  (PROBE_MAPPING | PROBE_FILTERING | PROBE_PORTS_IF_QUICK | PROBE_EARLY)
#define SEEDS	  24 /* of each kind of NAT; SIMNET_SEEDS in the environment: another number */

static const enum dependence kinds[] = {EIM, ADM, APDM, PDM};

/* A run against one server on a path without loss. */
static struct simnet_config one_server(enum simnet_server server)
{
	return (struct simnet_config){.mapping = EIM,
		.filtering = APDM,
		.early = EARLY_SILENT,
		.delay_us = RTT_US / 2,
		.seed = 1,
		.servers = {server},
		.server_count = 1,
		.tests = USUAL,
		.limit_us = 5000 * MS};
}

static const struct behaviour *run(const struct simnet_config *c, struct simnet_result *r)
{
	simnet_run(c, r);
	if (*r->broken)
		fail_msg("mapping %s, filtering %s, seed %u: the prober %s",
			dependence_name(c->mapping), dependence_name(c->filtering),
			(unsigned)c->seed, r->broken);
	assert_in_range(r->foreign_rate, 0, 10);
	return c->ipv6 ? &r->verdict.udp6 : &r->verdict.udp4;
}

/* --- the grid of mappings and filterings --- */

static enum early_packet expected_early(const struct simnet_config *c)
{
	if (c->filtering == EIM)
		return EARLY_DELIVERED;
	if (c->mapping != EIM && c->mapping != DEPENDENCE_UNKNOWN)
		return EARLY_UNKNOWN;
	if (c->early == EARLY_REMAP && c->mapping == EIM)
		return EARLY_REMAP;
	if (c->servers[0] != SIMNET_OWN) /* only natprobed hears of the ICMP errors */
		return EARLY_UNKNOWN;
	return c->early == EARLY_REJECT ? EARLY_REJECT : EARLY_SILENT;
}

static void assert_verdict(const struct simnet_config *c, const struct behaviour *b)
{
	bool nat = c->mapping != DEPENDENCE_UNKNOWN;

	assert_string_equal(path_status_name(b->status), "ok");
	assert_int_equal(b->nat, nat ? TRI_YES : TRI_NO);
	assert_string_equal(dependence_name(b->mapping), dependence_name(nat ? c->mapping : EIM));
	assert_string_equal(dependence_name(b->filtering), dependence_name(c->filtering));
	assert_string_equal(early_name(b->early), early_name(expected_early(c)));
}

static void check_grid(struct simnet_config c, unsigned *packets_max, uint64_t *duration_max)
{
	*packets_max = 0;
	*duration_max = 0;
	for (size_t m = 0; m < 5; m++) {
		for (size_t f = 0; f < 4; f++) {
			struct simnet_result r;

			c.mapping = m < 4 ? kinds[m] : DEPENDENCE_UNKNOWN; /* the last: no NAT */
			c.filtering = kinds[f];
			assert_verdict(&c, run(&c, &r));
			if (r.packets > *packets_max)
				*packets_max = r.packets;
			if (r.duration_us > *duration_max)
				*duration_max = r.duration_us;
			simnet_free(&r);
		}
	}
}

static void test_grid_own(void **state)
{
	struct simnet_config c = one_server(SIMNET_OWN);
	unsigned packets;
	uint64_t duration_us;

	(void)state;
	for (int ports = SIMNET_PORTS_RANDOM; ports <= SIMNET_PORTS_SEQUENTIAL; ports++) {
		c.ports = (enum simnet_ports)ports;
		check_grid(c, &packets, &duration_us);
	}
	print_message("# own server, RTT %u ms: at most %u packets, %u ms\n", RTT_US / MS, packets,
		(unsigned)(duration_us / MS));
	assert_true(duration_us < 3 * RTT_US + 150 * MS);
	assert_in_range(packets, 1, 60);
}

static void test_grid_own_reactions(void **state)
{
	static const enum early_packet reactions[] = {EARLY_SILENT, EARLY_REJECT, EARLY_REMAP};
	struct simnet_config c = one_server(SIMNET_OWN);
	unsigned packets;
	uint64_t duration_us;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		c.early = reactions[i];
		for (int ipv6 = 0; ipv6 < 2; ipv6++) {
			c.ipv6 = ipv6;
			check_grid(c, &packets, &duration_us);
		}
	}
}

static void test_grid_rfc5780(void **state)
{
	static const enum simnet_server servers[] = {SIMNET_RFC5780, SIMNET_RFC3489};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct simnet_config c = one_server(servers[i]);
		unsigned packets;
		uint64_t duration_us;

		check_grid(c, &packets, &duration_us);
		print_message("# RFC %s server, RTT %u ms: at most %u packets, %u ms\n",
			i ? "3489" : "5780", RTT_US / MS, packets, (unsigned)(duration_us / MS));
		assert_true(duration_us < 1000 * MS);
		assert_in_range(packets, 1, 40);
	}
}

/* With everything asked for, and with far and near servers. */
static void test_grid_all_tests(void **state)
{
	static const uint64_t delays[] = {500, 5 * MS, 150 * MS, 350 * MS};
	static const enum simnet_server servers[] = {SIMNET_OWN, SIMNET_RFC5780};

	(void)state;
	for (size_t d = 0; d < 4; d++) {
		for (size_t s = 0; s < 2; s++) {
			struct simnet_config c = one_server(servers[s]);
			unsigned packets;
			uint64_t duration_us;

			c.tests = ALL_TESTS;
			c.delay_us = delays[d];
			c.limit_us = 20000 * MS;
			check_grid(c, &packets, &duration_us);
			print_message(
				"# %s server, RTT %u ms, all tests: at most %u packets, %u ms\n",
				s ? "RFC 5780" : "own", (unsigned)(2 * delays[d] / MS), packets,
				(unsigned)(duration_us / MS));
		}
	}
}

/* --- under loss --- */

struct tally {
	unsigned runs, unreachable, mapping, filtering, early; /* unknown ones */
	unsigned wrong;
	unsigned packets_max;
	uint64_t duration_us; /* sum */
};

static bool right_or_unknown(int is, int should_be)
{
	return is == 0 || is == should_be;
}

static void add_run(const struct simnet_config *c, struct tally *t)
{
	enum early_packet early = expected_early(c);
	struct simnet_result r;
	const struct behaviour *b = run(c, &r);
	bool ok = right_or_unknown((int)b->mapping, (int)c->mapping) &&
		right_or_unknown((int)b->filtering, (int)c->filtering) &&
		right_or_unknown((int)b->nat, TRI_YES) && b->status != PATH_BLOCKED &&
		right_or_unknown((int)b->early, (int)early);

	t->runs++;
	t->unreachable += b->status != PATH_OK;
	t->mapping += b->mapping == DEPENDENCE_UNKNOWN;
	t->filtering += b->filtering == DEPENDENCE_UNKNOWN;
	t->early += b->early == EARLY_UNKNOWN && early != EARLY_UNKNOWN;
	t->duration_us += r.duration_us;
	if (r.packets > t->packets_max)
		t->packets_max = r.packets;
	if (!ok) {
		t->wrong++;
		print_message("# wrong: seed %u, %s/%s/%s: %s/%s/%s\n", (unsigned)c->seed,
			dependence_name(c->mapping), dependence_name(c->filtering),
			early_name(early), dependence_name(b->mapping),
			dependence_name(b->filtering), early_name(b->early));
	}
	simnet_free(&r);
}

static size_t seeds(void)
{
	const char *text = getenv("SIMNET_SEEDS");
	uint64_t n;

	return text && !number_from_text(text, 1, 1000000, &n) ? (size_t)n : SEEDS;
}

static void run_many(enum simnet_server server, unsigned loss, struct tally *t)
{
	static const enum early_packet reactions[] = {EARLY_SILENT, EARLY_REJECT, EARLY_REMAP};
	struct simnet_config c = one_server(server);

	memset(t, 0, sizeof(*t));
	c.loss = loss;
	c.duplicates = 20;
	c.jitter_us = 8 * MS;
	for (size_t i = 0; i < 16 * seeds(); i++) {
		c.seed = i;
		c.mapping = kinds[i / 4 % 4];
		c.filtering = kinds[i % 4];
		c.early = reactions[i / 16 % 3];
		c.ports = i / 48 % 2 ? SIMNET_PORTS_KEPT : SIMNET_PORTS_RANDOM;
		add_run(&c, t);
	}
	print_message("# %s server, loss %u %% each way: %u runs, %u wrong; unknown: mapping %u, "
		      "filtering %u, early %u, path %u; at most %u packets, mean %u ms\n",
		server == SIMNET_OWN ? "own" : "RFC 5780", loss / 10, t->runs, t->wrong, t->mapping,
		t->filtering, t->early, t->unreachable, t->packets_max,
		(unsigned)(t->duration_us / t->runs / MS));
	/* silence is believed at a risk of about one in a thousand: see silence.h */
	assert_in_range(1000 * t->wrong, 0, 2 * t->runs);
}

static void test_jitter(void **state)
{
	struct tally t;

	(void)state;
	run_many(SIMNET_OWN, 0, &t);
	assert_int_equal(t.mapping + t.filtering + t.early + t.unreachable, 0);
	run_many(SIMNET_RFC5780, 0, &t);
	assert_int_equal(t.mapping + t.filtering + t.early + t.unreachable, 0);
}

/* A busy machine: answers that come after the question was given up, and after the next one was put. */
static void test_late_answers(void **state)
{
	struct simnet_config c = one_server(SIMNET_OWN);
	struct tally t = {0};

	(void)state;
	c.jitter_us = 150 * MS;
	for (size_t i = 0; i < 16 * seeds(); i++) {
		c.seed = i;
		c.mapping = kinds[i / 4 % 4];
		c.filtering = kinds[i % 4];
		c.early = EARLY_SILENT;
		add_run(&c, &t);
	}
	print_message("# late answers: %u runs, %u wrong, filtering %u, early %u unknown\n", t.runs,
		t.wrong, t.filtering, t.early);
	assert_in_range(1000 * t.wrong, 0, 2 * t.runs);
	assert_int_equal(t.filtering, 0);
}

static void test_loss_own(void **state)
{
	struct tally t;

	(void)state;
	run_many(SIMNET_OWN, 50, &t);
	assert_in_range(t.filtering, 0, t.runs / 50);
	run_many(SIMNET_OWN, 200, &t);
	assert_in_range(t.filtering, 0, t.runs / 2);
}

static void test_loss_rfc5780(void **state)
{
	struct tally t;

	(void)state;
	run_many(SIMNET_RFC5780, 50, &t);
	assert_in_range(t.filtering, 0, t.runs / 6);
	run_many(SIMNET_RFC5780, 100, &t);
}

/* --- several servers, and wrong ones --- */

struct defect_row {
	enum simnet_server wrong;
	enum server_status status;
	enum server_defect defect; /* DEFECT_COUNT: none */
};

static const struct defect_row defects[] = {
	{SIMNET_SILENT, SERVER_TIMEOUT, DEFECT_COUNT},
	{SIMNET_REFUSING, SERVER_UNREACHABLE, DEFECT_COUNT},
	{SIMNET_CHANGE_IGNORED, SERVER_MISBEHAVING, DEFECT_CHANGE_IGNORED},
	{SIMNET_CHANGE_REFUSED, SERVER_OK, DEFECT_CHANGE_REFUSED},
	{SIMNET_CHANGE_LOST, SERVER_OK, DEFECT_CHANGE_UNPROVED},
	{SIMNET_SELF_AS_OTHER, SERVER_MISBEHAVING, DEFECT_SELF_AS_OTHER},
	{SIMNET_OTHER_SILENT, SERVER_OK, DEFECT_OTHER_SILENT},
	{SIMNET_MAPPED_DIFFERS, SERVER_MISBEHAVING, DEFECT_MAPPED_DIFFERS},
	{SIMNET_GARBAGE, SERVER_MISBEHAVING, DEFECT_MALFORMED},
};

static void assert_defect(const struct defect_row *row, const struct server_verdict *v)
{
	assert_string_equal(server_status_name(v->status), server_status_name(row->status));
	for (int d = 0; d < DEFECT_COUNT; d++)
		if (v->defects[d] != (d == (int)row->defect))
			fail_msg("server %d: defect %d is %d: %s", (int)row->wrong, d,
				v->defects[d], v->problem);
	assert_int_equal(*v->problem != '\0', 1);
}

/* Alone, through a NAT that lets nothing in: what it says about filtering is never believed. */
static void test_liars_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(defects) / sizeof(*defects); i++) {
		struct simnet_config c = one_server(defects[i].wrong);
		struct simnet_result r;
		const struct behaviour *b = run(&c, &r);

		assert_defect(&defects[i], &r.verdict.servers[0]);
		assert_int_equal(b->filtering, DEPENDENCE_UNKNOWN);
		assert_true(b->mapping == DEPENDENCE_UNKNOWN || b->mapping == EIM);
		assert_true(*b->filtering_basis.text != '\0');
		simnet_free(&r);
	}
}

/* Where the NAT lets everything in, an answer from elsewhere arrives and is seen to be wrong. */
static void test_liars_open(void **state)
{
	static const struct defect_row rows[] = {
		{SIMNET_WRONG_SOURCE, SERVER_MISBEHAVING, DEFECT_WRONG_SOURCE},
		{SIMNET_OTHER_ELSEWHERE, SERVER_MISBEHAVING, DEFECT_WRONG_SOURCE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct simnet_config c = one_server(rows[i].wrong);
		struct simnet_result r;
		const struct behaviour *b;

		c.filtering = EIM;
		b = run(&c, &r);
		assert_true(r.verdict.servers[0].defects[rows[i].defect]);
		assert_string_equal(server_status_name(r.verdict.servers[0].status), "misbehaving");
		assert_int_equal(b->filtering, DEPENDENCE_UNKNOWN);
		simnet_free(&r);
	}
}

/* Beside a good one, in either order: the good one's verdict stands, and the bad one is named. */
static void test_liars_among_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(defects) / sizeof(*defects); i++) {
		for (size_t at = 0; at < 2; at++) {
			for (size_t k = 0; k < 16; k++) {
				struct simnet_config c = one_server(SIMNET_OWN);
				struct simnet_result r;

				c.server_count = 2;
				c.servers[at] = defects[i].wrong;
				c.servers[!at] = k & 1 ? SIMNET_RFC5780 : SIMNET_OWN;
				c.mapping = kinds[k / 4];
				c.filtering = kinds[k % 4];
				c.tests = PROBE_MAPPING | PROBE_FILTERING;
				const struct behaviour *b = run(&c, &r);
				assert_int_equal(b->mapping, c.mapping);
				assert_int_equal(b->filtering, c.filtering);
				assert_string_equal(
					server_status_name(r.verdict.servers[at].status),
					server_status_name(defects[i].status));
				assert_string_equal(
					server_status_name(r.verdict.servers[!at].status), "ok");
				simnet_free(&r);
			}
		}
	}
}

/* One that has told everything, and first, is not enough when it is not to be believed. */
static void test_hasty_liars(void **state)
{
	static const enum simnet_server liars[] = {SIMNET_MAPPED_DIFFERS, SIMNET_WRONG_MAPPED};

	(void)state;
	for (size_t i = 0; i < sizeof(liars) / sizeof(*liars); i++) {
		for (unsigned k = 0; k < 4 * 8; k++) {
			struct simnet_config c = one_server(liars[i]);
			struct simnet_result r;
			const struct behaviour *b;

			c.server_count = 3;
			c.servers[1] = c.servers[2] = SIMNET_RFC5780;
			c.servers_late = true;
			c.filtering = kinds[k % 4];
			c.delay_us = (5 + k / 4 * 15) * MS;
			b = run(&c, &r);
			assert_string_equal(
				dependence_name(b->filtering), dependence_name(c.filtering));
			assert_string_equal(dependence_name(b->mapping), dependence_name(EIM));
			simnet_free(&r);
		}
	}
}

/* One that makes up mapped addresses is outvoted by two, and against one nobody wins. */
static void test_wrong_mapped(void **state)
{
	static const struct {
		enum simnet_server servers[5];
		size_t count;
		enum dependence mapping;
	} rows[] = {
		{{SIMNET_WRONG_MAPPED, SIMNET_OWN, SIMNET_RFC5780}, 3, EIM},
		{{SIMNET_OWN, SIMNET_WRONG_MAPPED, SIMNET_RFC5780}, 3, EIM},
		{{SIMNET_PLAIN, SIMNET_PLAIN, SIMNET_WRONG_MAPPED, SIMNET_OWN}, 4, EIM},
		{{SIMNET_PLAIN, SIMNET_OWN, SIMNET_WRONG_MAPPED, SIMNET_SILENT, SIMNET_RFC5780}, 5,
			EIM},
		{{SIMNET_OWN, SIMNET_WRONG_MAPPED}, 2, DEPENDENCE_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct simnet_config c = one_server(SIMNET_OWN);
		struct simnet_result r;
		const struct behaviour *b;

		memcpy(c.servers, rows[i].servers, sizeof(rows[i].servers));
		c.server_count = rows[i].count;
		b = run(&c, &r);
		assert_string_equal(dependence_name(b->mapping), dependence_name(rows[i].mapping));
		for (size_t k = 0; k < c.server_count; k++)
			assert_int_equal(r.verdict.servers[k].defects[DEFECT_DISAGREES],
				rows[i].mapping == EIM && c.servers[k] == SIMNET_WRONG_MAPPED);
		simnet_free(&r);
	}
}

/* Plain servers have no second port: the address can be told, the port only when nothing varies. */
static void test_plain_servers(void **state)
{
	static const struct {
		enum dependence nat, mapping;
		enum tri by_address, by_port;
		size_t servers;
	} rows[] = {
		{EIM, DEPENDENCE_UNKNOWN, TRI_UNKNOWN, TRI_UNKNOWN, 1},
		{EIM, DEPENDENCE_UNKNOWN, TRI_NO, TRI_UNKNOWN, 2},
		{ADM, DEPENDENCE_UNKNOWN, TRI_YES, TRI_UNKNOWN, 2},
		{APDM, DEPENDENCE_UNKNOWN, TRI_YES, TRI_UNKNOWN, 2},
		{PDM, DEPENDENCE_UNKNOWN, TRI_NO, TRI_UNKNOWN, 2},
		{ADM, DEPENDENCE_UNKNOWN, TRI_YES, TRI_UNKNOWN, 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct simnet_config c = one_server(SIMNET_PLAIN);
		struct simnet_result r;
		const struct behaviour *b;

		c.mapping = rows[i].nat;
		c.server_count = rows[i].servers;
		for (size_t k = 0; k < c.server_count; k++)
			c.servers[k] = SIMNET_PLAIN;
		b = run(&c, &r);
		assert_int_equal(b->mapping, rows[i].mapping);
		assert_int_equal(b->mapping_by_address, rows[i].by_address);
		assert_int_equal(b->mapping_by_port, rows[i].by_port);
		assert_int_equal(b->filtering, DEPENDENCE_UNKNOWN);
		simnet_free(&r);
	}
}

/* --- ports, hairpin --- */

static void test_ports(void **state)
{
	static const struct {
		enum simnet_ports ports;
		enum allocation_pattern pattern;
		enum share preservation;
	} rows[] = {
		{SIMNET_PORTS_KEPT, ALLOCATION_PRESERVING, SHARE_ALWAYS},
		{SIMNET_PORTS_SEQUENTIAL, ALLOCATION_SEQUENTIAL, SHARE_NEVER},
		{SIMNET_PORTS_RANDOM, ALLOCATION_RANDOM, SHARE_NEVER},
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (int foreign = 0; foreign < 2; foreign++) {
			struct simnet_config c = one_server(foreign ? SIMNET_RFC5780 : SIMNET_OWN);
			struct simnet_result r;
			const struct behaviour *b;

			c.tests = ALL_TESTS;
			c.ports = rows[i].ports;
			b = run(&c, &r);
			assert_string_equal(allocation_name(b->allocation.pattern),
				allocation_name(rows[i].pattern));
			assert_string_equal(
				share_name(b->port_preservation), share_name(rows[i].preservation));
			assert_int_equal(b->allocation.parity,
				rows[i].preservation == SHARE_ALWAYS ? TRI_YES : TRI_NO);
			assert_int_equal(b->allocation.contiguity,
				rows[i].preservation == SHARE_ALWAYS ? TRI_YES : TRI_NO);
			if (rows[i].pattern == ALLOCATION_SEQUENTIAL)
				assert_int_equal(b->allocation.step, 1);
			assert_string_equal(pooling_name(b->pooling), "paired");
			simnet_free(&r);
		}
	}
}

static void test_hairpin(void **state)
{
	(void)state;
	for (size_t k = 0; k < 16; k++) {
		for (int turns = 0; turns < 2; turns++) {
			bool hairpin = turns;
			struct simnet_config c = one_server(k & 1 ? SIMNET_RFC5780 : SIMNET_OWN);
			struct simnet_result r;
			const struct behaviour *b;

			c.mapping = kinds[k / 4];
			c.filtering = kinds[k % 4];
			c.hairpin = hairpin;
			c.tests = PROBE_HAIRPIN;
			b = run(&c, &r);
			/* where both sides get a new mapping for it, the filters keep them apart */
			hairpin &= c.mapping == EIM || c.filtering == EIM;
			assert_int_equal(b->hairpin,
				hairpin			   ? TRI_YES
					: c.mapping == EIM ? TRI_NO
							   : TRI_UNKNOWN);
			simnet_free(&r);
		}
	}
}

/* --- no way out --- */

static void test_blocked(void **state)
{
	static const struct {
		enum simnet_firewall firewall;
		bool tcp;
		size_t servers;
		enum path_status status;
		const char *why;
	} rows[] = {
		{SIMNET_REJECT, true, 1, PATH_BLOCKED,
			"10.0.1.1 refuses UDP: ICMP type 3 code 13; that is hop 1"},
		{SIMNET_REJECT, false, 3, PATH_BLOCKED,
			"10.0.1.1 refuses UDP: ICMP type 3 code 13; that is hop 1"},
		{SIMNET_FORBIDDEN, true, 1, PATH_BLOCKED,
			"this host itself refuses to send: Operation not permitted"},
		{SIMNET_DROP, true, 2, PATH_BLOCKED,
			"2 servers' hosts answer TCP, and not one UDP packet: it is dropped on the "
			"way, or by all of them (2 asked)"},
		{SIMNET_DROP, true, 1, PATH_UNREACHABLE,
			"the host answers TCP, but not UDP on this port: UDP is blocked, or no "
			"server "
			"runs there"},
		{SIMNET_DROP, false, 3, PATH_UNREACHABLE, "no answer from any of 3 servers"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct simnet_config c = one_server(SIMNET_OWN);
		struct simnet_result r;
		const struct behaviour *b;

		c.firewall = rows[i].firewall;
		c.tcp = rows[i].tcp;
		c.server_count = rows[i].servers;
		b = run(&c, &r);
		assert_string_equal(path_status_name(b->status), path_status_name(rows[i].status));
		assert_string_equal(b->status_basis.text, rows[i].why);
		assert_int_equal(b->nat, TRI_UNKNOWN);
		assert_int_equal(b->mapping, DEPENDENCE_UNKNOWN);
		assert_int_equal(b->filtering, DEPENDENCE_UNKNOWN);
		print_message("# firewall %d, %u servers, TCP %d: %u ms\n", (int)rows[i].firewall,
			(unsigned)rows[i].servers, rows[i].tcp, (unsigned)(r.duration_us / MS));
		simnet_free(&r);
	}
}

/* ICMP from the servers' own hosts: nobody listens there; that is no firewall. */
static void test_refusing(void **state)
{
	struct simnet_config c = one_server(SIMNET_REFUSING);
	struct simnet_result r;
	const struct behaviour *b;

	(void)state;
	b = run(&c, &r);
	assert_string_equal(path_status_name(b->status), "unreachable");
	assert_string_equal(server_status_name(r.verdict.servers[0].status), "unreachable");
	assert_in_range(r.packets, 3, 12);
	simnet_free(&r);
}

static void test_no_sockets(void **state)
{
	struct simnet_config c = one_server(SIMNET_OWN);
	struct simnet_result r;
	const struct behaviour *b;

	(void)state;
	c.no_sockets = true;
	b = run(&c, &r);
	assert_int_equal(r.packets, 0);
	assert_int_not_equal(b->status, PATH_OK);
	simnet_free(&r);
}

/* --- time --- */

static void test_silent_servers(void **state)
{
	struct simnet_config c = one_server(SIMNET_OWN);
	struct simnet_result r;
	const struct behaviour *b;

	(void)state;
	c.server_count = 4;
	c.servers[0] = c.servers[1] = c.servers[3] = SIMNET_SILENT;
	c.servers[2] = SIMNET_OWN;
	b = run(&c, &r);
	assert_int_equal(b->mapping, EIM);
	assert_int_equal(b->filtering, APDM);
	assert_true(r.duration_us < 1000 * MS); /* they are not waited for to the end */
	simnet_free(&r);

	for (size_t i = 0; i < 4; i++)
		c.servers[i] = SIMNET_SILENT;
	b = run(&c, &r);
	assert_string_equal(path_status_name(b->status), "unreachable");
	assert_true(r.duration_us < 5000 * MS);
	assert_in_range(r.packets, 12, 44);
	simnet_free(&r);
}

static void test_limit(void **state)
{
	static const uint64_t limits[] = {1, 10 * MS, 60 * MS, 120 * MS, 200 * MS, 700 * MS};

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct simnet_config c = one_server(SIMNET_RFC5780);
		struct simnet_result r;
		const struct behaviour *b;

		c.limit_us = limits[i];
		c.tests = ALL_TESTS;
		b = run(&c, &r);
		assert_in_range(r.duration_us, 0, limits[i] + 1 * MS);
		assert_true(right_or_unknown((int)b->mapping, (int)c.mapping));
		assert_true(right_or_unknown((int)b->filtering, (int)c.filtering));
		simnet_free(&r);
	}
}

static void test_no_servers(void **state)
{
	struct simnet_config c = one_server(SIMNET_OWN);
	struct simnet_result r;

	(void)state;
	c.server_count = 0;
	run(&c, &r);
	assert_int_equal(r.packets, 0);
	assert_int_equal(r.duration_us, c.limit_us);
	simnet_free(&r);
}

static void test_late_servers(void **state)
{
	struct simnet_config c = one_server(SIMNET_SILENT);
	struct simnet_result r;
	const struct behaviour *b;

	(void)state;
	c.servers_late = true;
	c.server_count = 4;
	c.servers[1] = SIMNET_PLAIN;
	c.servers[2] = SIMNET_RFC5780;
	c.servers[3] = SIMNET_OWN;
	b = run(&c, &r);
	assert_int_equal(b->mapping, EIM);
	assert_int_equal(b->filtering, APDM);
	assert_true(r.duration_us < 1500 * MS);
	simnet_free(&r);
}

/* The worst that can be asked for: the number of packets has a limit, and so has the time. */
static void test_budget(void **state)
{
	unsigned packets_max = 0;

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		struct simnet_config c = one_server(SIMNET_OWN);
		struct simnet_result r;

		c.seed = i;
		c.tests = ALL_TESTS;
		c.mapping = kinds[i % 4];
		c.loss = (unsigned)(i * 25);
		c.duplicates = 100;
		c.jitter_us = 200 * MS;
		c.server_count = 8;
		for (size_t k = 0; k < 8; k++)
			c.servers[k] = (enum simnet_server)((i + k * 5) % (SIMNET_GARBAGE + 1));
		run(&c, &r);
		assert_true(r.duration_us <= c.limit_us + 1 * MS);
		if (r.packets > packets_max)
			packets_max = r.packets;
		simnet_free(&r);
	}
	print_message(
		"# eight servers, all tests, loss up to 97 %%: at most %u packets\n", packets_max);
	assert_in_range(packets_max, 1, 600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid_own),
		cmocka_unit_test(test_grid_own_reactions),
		cmocka_unit_test(test_grid_rfc5780),
		cmocka_unit_test(test_grid_all_tests),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_late_answers),
		cmocka_unit_test(test_loss_own),
		cmocka_unit_test(test_loss_rfc5780),
		cmocka_unit_test(test_liars_alone),
		cmocka_unit_test(test_liars_open),
		cmocka_unit_test(test_liars_among_others),
		cmocka_unit_test(test_hasty_liars),
		cmocka_unit_test(test_wrong_mapped),
		cmocka_unit_test(test_plain_servers),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_hairpin),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_refusing),
		cmocka_unit_test(test_no_sockets),
		cmocka_unit_test(test_silent_servers),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_no_servers),
		cmocka_unit_test(test_late_servers),
		cmocka_unit_test(test_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
