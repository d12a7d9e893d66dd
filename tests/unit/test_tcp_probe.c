// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* The TCP prober and the judge together, in virtual time, against NATs and servers of every kind. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "probe/tcp_probe.h"
#include "tcpnet.h"

#define MS     1000u
#define RTT_US (50 * MS)
#define SEEDS  6 /* of each kind of NAT; SIMNET_SEEDS in the environment: another number */
#define NO_NAT DEPENDENCE_UNKNOWN
#define EIM    DEPENDENCE_ENDPOINT_INDEPENDENT
#define APDM   DEPENDENCE_ADDRESS_AND_PORT

static const enum dependence kinds[] = {EIM, DEPENDENCE_ADDRESS, APDM, DEPENDENCE_PORT, NO_NAT};

static struct tcpnet_config one_server(enum tcpnet_server server)
{
	return (struct tcpnet_config){.nat = {.mapping = EIM,
					      .filtering = APDM,
					      .delay_us = RTT_US / 2,
					      .seed = 1,
					      .limit_us = 20000 * MS},
		.server = server,
		.tests = TCP_BEHAVIOUR};
}

static const struct behaviour *run(const struct tcpnet_config *c, struct simnet_result *r)
{
	tcpnet_run(c, r);
	if (*r->broken)
		fail_msg("mapping %s, filtering %s, seed %u: the prober %s",
			dependence_name(c->nat.mapping), dependence_name(c->nat.filtering),
			(unsigned)c->nat.seed, r->broken);
	return c->nat.ipv6 ? &r->verdict.tcp6 : &r->verdict.tcp4;
}

/* --- the grid --- */

static enum early_packet expected_early(const struct tcpnet_config *c)
{
	if (c->nat.filtering == EIM)
		return EARLY_DELIVERED;
	return c->reaction == TCPNET_DROP ? EARLY_SILENT : EARLY_REJECT;
}

static enum tri expected_simultaneous(const struct tcpnet_config *c)
{
	if (c->nat.mapping > EIM)
		return TRI_UNKNOWN;
	return c->no_crossing ? TRI_NO : TRI_YES;
}

static void assert_verdict(const struct tcpnet_config *c, const struct behaviour *b)
{
	bool nat = c->nat.mapping != NO_NAT;

	assert_string_equal(path_status_name(b->status), "ok");
	assert_int_equal(b->nat, nat ? TRI_YES : TRI_NO);
	assert_string_equal(
		dependence_name(b->mapping), dependence_name(nat ? c->nat.mapping : EIM));
	assert_string_equal(dependence_name(b->filtering), dependence_name(c->nat.filtering));
	assert_string_equal(early_name(b->early), early_name(expected_early(c)));
	assert_int_equal(b->simultaneous, expected_simultaneous(c));
	if (b->early == EARLY_REJECT && c->reaction == TCPNET_REFUSE_LATE)
		assert_in_range(b->early_after_us, 6000 * MS, 7500 * MS);
	else if (b->early == EARLY_REJECT)
		assert_in_range(b->early_after_us, RTT_US / 2, 2 * RTT_US);
	else
		assert_int_equal(b->early_after_us, 0);
}

static void check_grid(struct tcpnet_config c)
{
	for (size_t m = 0; m < 5; m++) {
		for (size_t f = 0; f < 4; f++) {
			struct simnet_result r;

			c.nat.mapping = kinds[m];
			c.nat.filtering = kinds[f];
			assert_verdict(&c, run(&c, &r));
			simnet_free(&r);
		}
	}
}

static void test_grid(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);

	(void)state;
	for (int reaction = TCPNET_DROP; reaction <= TCPNET_REFUSE_LATE; reaction++) {
		for (int variant = 0; variant < 4; variant++) {
			c.reaction = (enum tcpnet_reaction)reaction;
			c.no_crossing = variant & 1;
			c.nat.ipv6 = variant & 2;
			check_grid(c);
		}
	}
}

/* While somebody waits: right within two seconds, but for a refusal that comes later. */
static void test_quick(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);

	(void)state;
	c.quick = true;
	c.nat.limit_us = 2000 * MS;
	for (int reaction = TCPNET_DROP; reaction <= TCPNET_REFUSE; reaction++) {
		c.reaction = (enum tcpnet_reaction)reaction;
		for (c.nat.seed = 1; c.nat.seed <= 4; c.nat.seed++)
			check_grid(c);
	}
	c.reaction = TCPNET_REFUSE_LATE;
	for (size_t f = 0; f < 4; f++) {
		struct simnet_result r;
		const struct behaviour *b;

		c.nat.filtering = kinds[f];
		b = run(&c, &r);
		assert_string_equal(
			dependence_name(b->filtering), dependence_name(c.nat.filtering));
		assert_string_equal(early_name(b->early),
			early_name(kinds[f] == EIM ? EARLY_DELIVERED : EARLY_SILENT));
		simnet_free(&r);
	}
}

/* A server that is late calls when this host's SYN has come: what the caller sees is as short as if SYNs had crossed. */
static void test_late_calls(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);
	unsigned known = 0;

	(void)state;
	c.late_us = RTT_US;
	for (unsigned i = 0; i < 400; i++) {
		struct simnet_result r;
		const struct behaviour *b;

		c.no_crossing = i & 1;
		c.nat.seed = i + 1;
		b = run(&c, &r);
		known += b->simultaneous != TRI_UNKNOWN;
		if (b->simultaneous != TRI_UNKNOWN)
			assert_int_equal(b->simultaneous, i & 1 ? TRI_NO : TRI_YES);
		simnet_free(&r);
	}
	assert_true(known > 100);
}

static void test_ports(void **state)
{
	static const enum allocation_pattern patterns[] = {
		[SIMNET_PORTS_RANDOM] = ALLOCATION_RANDOM,
		[SIMNET_PORTS_KEPT] = ALLOCATION_PRESERVING,
		[SIMNET_PORTS_SEQUENTIAL] = ALLOCATION_SEQUENTIAL};
	struct tcpnet_config c = one_server(TCPNET_OWN);

	(void)state;
	for (int ports = SIMNET_PORTS_RANDOM; ports <= SIMNET_PORTS_SEQUENTIAL; ports++) {
		struct simnet_result r;
		const struct behaviour *b;

		c.nat.ports = (enum simnet_ports)ports;
		b = run(&c, &r);
		assert_string_equal(
			allocation_name(b->allocation.pattern), allocation_name(patterns[ports]));
		assert_int_equal(b->port_preservation,
			ports == SIMNET_PORTS_KEPT ? SHARE_ALWAYS : SHARE_NEVER);
		simnet_free(&r);
	}
}

static void test_hairpin(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);

	(void)state;
	c.tests |= TCP_HAIRPIN;
	for (int variant = 0; variant < 4; variant++) {
		struct simnet_result r;

		c.nat.hairpin = variant & 1;
		c.nat.filtering = variant & 2 ? EIM : APDM;
		assert_int_equal(run(&c, &r)->hairpin, variant & 1 ? TRI_YES : TRI_NO);
		simnet_free(&r);
	}
}

/* A filter on the way is opened by a SYN, which the other one then has to cross. */
static void test_hairpin_without_crossing(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);

	(void)state;
	c.tests |= TCP_HAIRPIN;
	c.no_crossing = true;
	for (int variant = 0; variant < 2; variant++) {
		struct simnet_result r;

		c.nat.hairpin = variant & 1;
		assert_int_equal(run(&c, &r)->hairpin, TRI_UNKNOWN);
		simnet_free(&r);
	}
}

/* A SYN that has come too early moves the connection that this host makes to its sender. */
static void test_remap(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);

	(void)state;
	for (int reaction = TCPNET_DROP; reaction <= TCPNET_REFUSE; reaction++) {
		struct simnet_result r;

		c.reaction = (enum tcpnet_reaction)reaction;
		c.nat.early = EARLY_REMAP;
		assert_string_equal(early_name(run(&c, &r)->early), "remap");
		simnet_free(&r);
	}
}

/* --- what becomes of SYNs --- */

struct syn_case {
	const char *name;
	struct tcpnet_syns syns;
	enum tri clamping;
	int removed; /* enum syn_option; -1: not known */
	int hops; /* -1: not known */
	enum tri renumbered;
};

static const struct syn_case syn_cases[] = {
	{"nothing", {.hops = 3}, TRI_NO, 0, 3, TRI_NO},
	{"renumbered", {.hops = 3, .renumber = true}, TRI_NO, 0, 3, TRI_YES},
	{"renumbered, on the link", {.renumber = true}, TRI_NO, 0, 0, TRI_UNKNOWN},
	{"router says nothing", {.hops = 3, .renumber = true, .mute_router = true}, TRI_NO, 0, 3,
		TRI_UNKNOWN},
	{"quote is not shown", {.hops = 3, .renumber = true, .unquoted = true}, TRI_NO, 0, 3,
		TRI_UNKNOWN},
	{"no clock", {.hops = 3, .by_chance = true}, TRI_NO, 0, 3, TRI_UNKNOWN},
	{"no clock, renumbered", {.hops = 3, .by_chance = true, .renumber = true}, TRI_NO, 0, 3,
		TRI_UNKNOWN},
	{"clamped", {.mss = 1300, .hops = 9}, TRI_YES, 0, 9, TRI_NO},
	{"timestamps", {.strip_out = SYN_TIMESTAMPS}, TRI_NO, SYN_TIMESTAMPS, 0, TRI_UNKNOWN},
	{"inward", {.strip_in = SYN_SACK}, TRI_NO, SYN_SACK, 0, TRI_UNKNOWN},
	{"all", {.mss = 536, .strip_out = SYN_TIMESTAMPS | SYN_SACK | SYN_SCALE, .hops = 1},
		TRI_YES, SYN_TIMESTAMPS | SYN_SACK | SYN_SCALE, 1, TRI_NO},
	{"no MSS", {.strip_out = SYN_MSS}, TRI_YES, SYN_MSS, 0, TRI_UNKNOWN},
	{"TTL set", {.hops = 3, .ttl = 64}, TRI_NO, 0, -1, TRI_NO},
	{"small here", {.host_mtu = 1492}, TRI_UNKNOWN, 0, 0, TRI_UNKNOWN},
	{"small here, clamped", {.host_mtu = 1492, .mss = 1400}, TRI_YES, 0, 0, TRI_UNKNOWN},
	{"large there", {.server_mtu = 9000}, TRI_UNKNOWN, 0, 0, TRI_UNKNOWN},
	{"large there, clamped", {.server_mtu = 9000, .mss = 1300}, TRI_YES, 0, 0, TRI_UNKNOWN},
	{"large here", {.host_mtu = 9000}, TRI_NO, 0, 0, TRI_UNKNOWN},
	{"not kept", {.unsaved = true, .hops = 3}, TRI_UNKNOWN, -1, -1, TRI_UNKNOWN},
	{"not kept, clamped", {.unsaved = true, .mss = 1300}, TRI_YES, -1, -1, TRI_UNKNOWN},
	{"not told", {.untold = true, .mss = 1300, .hops = 3}, TRI_UNKNOWN, -1, -1, TRI_UNKNOWN},
};

static void assert_syns(const struct syn_case *c, const struct behaviour *b, bool maybe)
{
	int removed = b->options_known ? b->removed_outward | b->removed_inward : -1;
	int hops = b->hops_known ? (int)b->hops : -1;

	if ((b->mss_clamping != c->clamping && !(maybe && !b->mss_clamping)) ||
		(removed != c->removed && !(maybe && removed < 0)) ||
		(hops != c->hops && !(maybe && hops < 0)) ||
		(b->sequence_rewriting != c->renumbered && !(maybe && !b->sequence_rewriting)))
		fail_msg("%s: clamping %d, removed %d, hops %d, renumbered %d (%s; %s; %s; %s)",
			c->name, b->mss_clamping, removed, hops, b->sequence_rewriting,
			b->mss_basis.text, b->options_basis.text, b->hops_basis.text,
			b->sequence_basis.text);
}

static void test_syns(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);

	(void)state;
	for (size_t i = 0; i < sizeof(syn_cases) / sizeof(*syn_cases); i++)
		for (size_t m = 0; m < 5; m++) {
			struct simnet_result r;

			c.syns = syn_cases[i].syns;
			c.nat.mapping = kinds[m];
			c.nat.ipv6 = m & 1;
			assert_syns(&syn_cases[i], run(&c, &r), false);
			simnet_free(&r);
		}
}

/* With loss, and when the time is up at any moment, nothing is wrong. */
static void test_syns_lossy(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);
	size_t n = sizeof(syn_cases) / sizeof(*syn_cases);

	(void)state;
	c.nat.jitter_us = 5 * MS;
	for (unsigned i = 0; i < 20 * n; i++) {
		struct simnet_result r;

		c.syns = syn_cases[i % n].syns;
		c.nat.loss = i & 1 ? 100 : 0;
		c.nat.limit_us = i & 1 ? 20000 * MS : (i / n + 1) * 20 * MS;
		c.nat.seed = i + 1;
		assert_syns(&syn_cases[i % n], run(&c, &r), true);
		simnet_free(&r);
	}
}

/* --- who has rejected a SYN --- */

struct rejecter_case {
	struct tcpnet_syns syns;
	enum rejecter with_nat, without;
	int hops; /* before the host */
};

static const struct rejecter_case rejecter_cases[] = {
	{{.hops = 3}, REJECTER_NAT, REJECTER_PATH, 1},
	{{.hops = 1}, REJECTER_NAT, REJECTER_PATH, 1},
	{{.hops = 0}, REJECTER_HOST, REJECTER_HOST, 0},
	{{.hops = 3, .ttl = 64}, REJECTER_UNKNOWN, REJECTER_UNKNOWN, REJECTER_HOPS_UNKNOWN},
	{{.hops = 3, .unsaved = true}, REJECTER_UNKNOWN, REJECTER_UNKNOWN, REJECTER_HOPS_UNKNOWN},
	{{.hops = 3, .untold = true}, REJECTER_UNKNOWN, REJECTER_UNKNOWN, REJECTER_HOPS_UNKNOWN},
};

static void assert_rejecter(const struct rejecter_case *c, const struct behaviour *b, bool maybe)
{
	enum rejecter who = b->nat == TRI_YES ? c->with_nat : c->without;

	if (b->early == EARLY_REJECT && b->rejecter == who && b->rejecter_hops == c->hops)
		return;
	if (maybe && !b->rejecter && b->rejecter_hops == REJECTER_HOPS_UNKNOWN)
		return;
	fail_msg("%u hops: %s, %d hops before (%s)", c->syns.hops, rejecter_name(b->rejecter),
		b->rejecter_hops, b->rejecter_basis.text);
}

static void test_rejecter(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);

	(void)state;
	for (size_t i = 0; i < sizeof(rejecter_cases) / sizeof(*rejecter_cases); i++)
		for (unsigned m = 0; m < 2 * 5; m++) {
			struct simnet_result r;

			c.syns = rejecter_cases[i].syns;
			c.nat.mapping = kinds[m / 2];
			c.nat.ipv6 = m / 2 & 1;
			c.reaction = m & 1 ? TCPNET_REFUSE : TCPNET_REFUSE_LATE;
			assert_rejecter(&rejecter_cases[i], run(&c, &r), false);
			simnet_free(&r);
		}
}

/* With loss, and when the time is up at any moment, nobody else is named. */
static void test_rejecter_lossy(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);
	size_t n = sizeof(rejecter_cases) / sizeof(*rejecter_cases);

	(void)state;
	c.reaction = TCPNET_REFUSE;
	c.nat.jitter_us = 5 * MS;
	for (unsigned i = 0; i < 20 * n; i++) {
		struct simnet_result r;

		c.syns = rejecter_cases[i % n].syns;
		c.nat.loss = i & 1 ? 100 : 0;
		c.nat.limit_us = i & 1 ? 20000 * MS : (i / n + 1) * 20 * MS;
		c.nat.seed = i + 1;
		assert_rejecter(&rejecter_cases[i % n], run(&c, &r), true);
		simnet_free(&r);
	}
}

/* --- servers that cannot call --- */

static void check_unknown(enum tcpnet_server server, const char *why)
{
	struct tcpnet_config c = one_server(server);

	for (int f = 0; f < 4; f++) {
		struct simnet_result r;
		const struct behaviour *b;

		c.nat.filtering = kinds[f];
		b = run(&c, &r);
		assert_string_equal(path_status_name(b->status), "ok");
		assert_int_equal(b->mapping, server == TCPNET_PLAIN ? NO_NAT : EIM);
		assert_int_equal(b->filtering, DEPENDENCE_UNKNOWN);
		assert_non_null(strstr(b->filtering_basis.text, why));
		assert_int_equal(b->early, EARLY_UNKNOWN);
		assert_int_equal(b->simultaneous, TRI_UNKNOWN);
		simnet_free(&r);
	}
}

static void test_no_calls(void **state)
{
	(void)state;
	check_unknown(TCPNET_RFC5780, "no server that calls back");
	check_unknown(TCPNET_MUTE, "no server that calls back");
	check_unknown(TCPNET_PLAIN, "no server that calls back");
	check_unknown(TCPNET_BUSY, "no server that calls back");
	check_unknown(TCPNET_WRONG_ENDPOINT, "no server that calls back");
}

/* What comes from elsewhere than the server says shows nothing about the filter. */
static void test_false_endpoint(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_FALSE_ENDPOINT);

	(void)state;
	for (int f = 0; f < 4; f++) {
		struct simnet_result r;
		const struct behaviour *b;

		c.nat.filtering = kinds[f];
		b = run(&c, &r);
		assert_int_equal(b->filtering, DEPENDENCE_UNKNOWN);
		assert_int_equal(b->simultaneous, TRI_UNKNOWN);
		simnet_free(&r);
	}
}

/* Calls that never leave the server must not look like a filter at this end. */
static void test_caged_server(void **state)
{
	(void)state;
	check_unknown(TCPNET_CAGED, "has no control");
	check_unknown(TCPNET_CAGED_REFUSING, "has no control");
}

/* Somebody takes the calls, and it is not this host. */
static void test_thief(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);
	struct simnet_result r;
	const struct behaviour *b;

	(void)state;
	c.thief = true;
	b = run(&c, &r);
	assert_int_equal(b->filtering, DEPENDENCE_UNKNOWN);
	assert_non_null(strstr(b->filtering_basis.text, "took the server's calls"));
	simnet_free(&r);
}

static void test_no_answer(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_CLOSED);
	struct simnet_result r;
	const struct behaviour *b;

	(void)state;
	b = run(&c, &r);
	assert_string_equal(path_status_name(b->status), "unreachable");
	assert_non_null(strstr(b->status_basis.text, "1 refused"));
	assert_int_equal(r.verdict.servers[0].status, SERVER_UNREACHABLE);
	simnet_free(&r);
	c.server = TCPNET_SILENT;
	b = run(&c, &r);
	assert_string_equal(path_status_name(b->status), "unreachable");
	assert_int_equal(r.verdict.servers[0].status, SERVER_TIMEOUT);
	simnet_free(&r);
}

/* --- the run --- */

static void test_taken_port(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);
	struct simnet_result r;

	(void)state;
	c.taken_port = true;
	assert_verdict(&c, run(&c, &r));
	simnet_free(&r);
}

/* What is not known when the time is up is unknown, whenever that is. */
static void test_limit(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);

	(void)state;
	for (uint64_t limit_us = 1; limit_us < 12000 * MS; limit_us += 97 * MS) {
		struct simnet_result r;
		const struct behaviour *b;

		c.nat.limit_us = limit_us;
		b = run(&c, &r);
		assert_in_range(r.duration_us, 0, limit_us + 100 * MS);
		assert_true(b->mapping == EIM || b->mapping == DEPENDENCE_UNKNOWN);
		assert_true(b->filtering == APDM || b->filtering == DEPENDENCE_UNKNOWN);
		assert_true(b->early == EARLY_SILENT || b->early == EARLY_UNKNOWN);
		simnet_free(&r);
	}
}

static void test_durations(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);
	struct simnet_result r;

	(void)state;
	run(&c, &r);
	print_message("# own server, RTT %u ms, silent NAT: %u ms\n", RTT_US / MS,
		(unsigned)(r.duration_us / MS));
	assert_true(r.duration_us < 9000 * MS);
	simnet_free(&r);
	c.reaction = TCPNET_REFUSE;
	run(&c, &r);
	print_message("# … NAT that refuses: %u ms\n", (unsigned)(r.duration_us / MS));
	assert_true(r.duration_us < 2000 * MS);
	simnet_free(&r);
}

/* --- loss: nothing may be wrong --- */

static unsigned seeds(void)
{
	const char *text = getenv("SIMNET_SEEDS");
	uint64_t number;

	return text && !number_from_text(text, 1, 100000, &number) ? (unsigned)number : SEEDS;
}

static bool wrong(int have, int truth)
{
	return have && have != truth;
}

static bool check_lossy(const struct tcpnet_config *c)
{
	bool nat = c->nat.mapping != NO_NAT, unknown;
	struct simnet_result r;
	const struct behaviour *b = run(c, &r);

	if (wrong((int)b->mapping, nat ? (int)c->nat.mapping : (int)EIM) ||
		wrong((int)b->filtering, (int)c->nat.filtering) ||
		wrong((int)b->early, (int)expected_early(c)) ||
		wrong((int)b->simultaneous, (int)expected_simultaneous(c)))
		fail_msg("mapping %s, filtering %s, reaction %d, crossing %d, seed %u: %s, %s, %s, "
			 "%d",
			dependence_name(c->nat.mapping), dependence_name(c->nat.filtering),
			c->reaction, !c->no_crossing, (unsigned)c->nat.seed,
			dependence_name(b->mapping), dependence_name(b->filtering),
			early_name(b->early), b->simultaneous);
	unknown = !b->mapping || !b->filtering;
	simnet_free(&r);
	return unknown;
}

/* The promise was lost, and comes again when calls are there already. */
static void test_calls_overtake(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);

	(void)state;
	for (unsigned i = 0; i < 30 * 5 * 4 * 6; i++) {
		struct simnet_result r;

		c.bytes_late_us = (1 + i / 120) * 20 * MS;
		c.nat.mapping = kinds[i % 5];
		c.nat.filtering = kinds[i / 5 % 4];
		c.reaction = (enum tcpnet_reaction)(i / 20 % 3);
		c.no_crossing = i / 60 % 2;
		check_lossy(&c);
		run(&c, &r);
		assert_string_equal(server_status_name(r.verdict.servers[0].status), "ok");
		simnet_free(&r);
	}
}

static void test_loss(void **state)
{
	struct tcpnet_config c = one_server(TCPNET_OWN);
	unsigned runs = 0, unknown = 0;

	(void)state;
	c.nat.loss = 50;
	c.nat.jitter_us = 5 * MS;
	for (unsigned i = 0; i < seeds() * 5 * 4 * 6; i++) {
		c.nat.seed = 1000 + i;
		c.nat.mapping = kinds[i % 5];
		c.nat.filtering = kinds[i / 5 % 4];
		c.reaction = (enum tcpnet_reaction)(i / 20 % 3);
		c.no_crossing = i / 60 % 2;
		unknown += check_lossy(&c);
		runs++;
	}
	print_message("# 5 %% loss each way: %u runs, none wrong, %u with something unknown\n",
		runs, unknown);
	assert_true(unknown <= runs / 20 + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_quick),
		cmocka_unit_test(test_late_calls),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_hairpin),
		cmocka_unit_test(test_hairpin_without_crossing),
		cmocka_unit_test(test_remap),
		cmocka_unit_test(test_syns),
		cmocka_unit_test(test_syns_lossy),
		cmocka_unit_test(test_rejecter),
		cmocka_unit_test(test_rejecter_lossy),
		cmocka_unit_test(test_no_calls),
		cmocka_unit_test(test_false_endpoint),
		cmocka_unit_test(test_caged_server),
		cmocka_unit_test(test_thief),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_taken_port),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_calls_overtake),
		cmocka_unit_test(test_loss),
	};

	return cmocka_run_group_tests_name("tcp_probe", tests, NULL, NULL);
}
