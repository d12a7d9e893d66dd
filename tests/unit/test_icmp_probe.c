// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* The ICMP prober and the judge together, in virtual time, against NATs and servers of every kind. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "icmpnet.h"
#include "probe/icmp_probe.h"

#define MS     1000u
#define RTT_US (50 * MS)
#define SEEDS  12 /* of each kind with loss; SIMNET_SEEDS in the environment: another number */

static struct icmpnet_config usual(void)
{
	return (struct icmpnet_config){
		.delay_us = RTT_US / 2, .seed = 1, .limit_us = 20000 * MS, .tests = ICMP_BEHAVIOUR};
}

static const struct icmp_verdict *run(const struct icmpnet_config *c, struct icmpnet_result *r)
{
	icmpnet_run(c, r);
	if (r->broken)
		fail_msg("seed %u: the prober %s", (unsigned)c->seed, r->broken);
	return c->ipv6 ? &r->verdict.icmp6 : &r->verdict.icmp4;
}

static unsigned seeds(void)
{
	const char *text = getenv("SIMNET_SEEDS");
	uint64_t value;

	return text && !number_from_text(text, 1, 100000, &value) ? (unsigned)value : SEEDS;
}

/* --- what is right --- */

static enum tri tri_of(bool yes)
{
	return yes ? TRI_YES : TRI_NO;
}

static bool is_mtu(const struct icmpnet_config *c, const struct icmp_error_verdict *e)
{
	return c->ipv6 ? e->type == 2 : e->type == 3 && e->code == 4;
}

static bool is_let_in(const struct icmpnet_config *c, const struct icmp_error_verdict *e)
{
	return !(c->dropped >> e->type & 1) && !(c->mtu_dropped && is_mtu(c, e));
}

/* Right, or unknown where that is allowed. */
static void assert_right(const char *what, int found, int right, bool loose)
{
	if (found == right || (loose && !found))
		return;
	fail_msg("%s is %d and not %d", what, found, right);
}

static void assert_errors(const struct icmpnet_config *c, const struct icmp_verdict *v, bool loose)
{
	size_t asked = 0;

	for (size_t i = 0; i < v->error_count; i++) {
		const struct icmp_error_verdict *e = &v->errors[i];
		bool hidden = c->no_raw && is_mtu(c, e) && c->mtu_ignored;

		for (int origin = 0; origin < ICMP_ORIGINS; origin++) {
			/* not all kinds are asked about connections and attempts */
			assert_right("an error about UDP", e->arrives[ICMP_ABOUT_UDP][origin],
				tri_of(is_let_in(c, e)), loose);
			assert_right("an error about TCP", e->arrives[ICMP_ABOUT_TCP][origin],
				tri_of(is_let_in(c, e)), loose || is_mtu(c, e) || hidden);
			assert_right("an error about an attempt",
				e->arrives[ICMP_ABOUT_ATTEMPT][origin], tri_of(is_let_in(c, e)),
				true);
			asked += e->arrives[ICMP_ABOUT_ATTEMPT][origin] != TRI_UNKNOWN;
		}
	}
	if (!loose)
		assert_int_equal(v->error_count, c->ipv6 ? 8 : c->no_raw ? 8 : 9);
	assert_true(loose || asked == 4);
}

static enum dependence expected_mapping(const struct icmpnet_config *c)
{
	return !c->no_nat && c->identifiers == ICMPNET_BY_ADDRESS ? DEPENDENCE_ADDRESS
								  : DEPENDENCE_ENDPOINT_INDEPENDENT;
}

static enum egress expected_egress(const struct icmpnet_config *c)
{
	if (c->egress == EGRESS_INSIDE && c->no_nat)
		return EGRESS_EXTERNAL;
	return c->egress ? c->egress : EGRESS_EXTERNAL;
}

/* What attempts are told of. */
static bool loses_attempts(const struct icmpnet_config *c)
{
	uint32_t asked = c->ipv6 ? 1u << 1 | 1u << 3 : 1u << 3 | 1u << 11;

	return (c->dropped & asked) == asked;
}

static bool loses_all(const struct icmpnet_config *c)
{
	return c->dropped == UINT32_MAX;
}

static void assert_verdict(const struct icmpnet_config *c, const struct icmp_verdict *v, bool loose)
{
	bool kept = c->no_nat || c->identifiers == ICMPNET_KEPT, seen = c->quotes != ICMPNET_SOURCE;
	bool told = !loses_all(c) && seen;

	assert_right("service", v->service, TRI_YES, loose);
	if (!loose || v->common.status != PATH_UNREACHABLE)
		assert_right("status", v->common.status, PATH_OK, loose);
	assert_right("echo", v->echo, TRI_YES, loose);
	assert_right("mapping", v->common.mapping, expected_mapping(c), loose);
	assert_right("preservation", v->common.port_preservation, kept ? SHARE_ALWAYS : SHARE_NEVER,
		loose);
	if (seen)
		assert_errors(c, v, loose);
	assert_right("quotes", v->quotes, tri_of(c->quotes == ICMPNET_RIGHT),
		loose || loses_all(c) || c->no_raw);
	assert_right("the mapping's end", v->end_mapping, tri_of(c->end_mapping), loose || !told);
	assert_right("the connection's end", v->end_connection, tri_of(c->end_connection),
		loose || !told);
	assert_right("the attempt's end", v->end_attempt, tri_of(!c->ignores_attempts),
		loose || !told || loses_attempts(c));
	assert_right("the path MTU", v->path_mtu,
		tri_of(!c->mtu_dropped && !c->mtu_ignored && told),
		loose || c->mtu || !seen || (c->mtu_ignored && c->mtu_dropped));
	if (c->no_raw) {
		assert_int_equal(v->egress, EGRESS_UNKNOWN);
		assert_non_null(strstr(v->egress_basis.text, "setcap"));
		assert_int_equal(v->outward, TRI_UNKNOWN);
		return;
	}
	assert_right("egress", v->egress, (int)expected_egress(c), loose);
	assert_right("outward errors", v->outward,
		tri_of(!c->outward_dropped && (!c->outward_untranslated || c->no_nat)), loose);
}

static void check(const struct icmpnet_config *c)
{
	struct icmpnet_result r;

	assert_verdict(c, run(c, &r), false);
	icmpnet_free(&r);
}

/* With every seed: right or unknown, and how often all that is known without loss is known here, too. */
static void check_loss(struct icmpnet_config c, unsigned loss, bool loose)
{
	unsigned known = 0, count = seeds();

	c.loss = loss;
	for (unsigned seed = 1; seed <= count; seed++) {
		struct icmpnet_result r;
		const struct icmp_verdict *v;

		c.seed = seed;
		v = run(&c, &r);
		assert_verdict(&c, v, true);
		known += v->echo && v->common.mapping && v->passing[ICMP_ABOUT_UDP] &&
			v->passing[ICMP_ABOUT_TCP];
		icmpnet_free(&r);
	}
	if (!loose && 10 * known < 9 * count)
		fail_msg("only %u of %u runs know it", known, count);
}

/* --- NATs --- */

static void test_usual(void **state)
{
	struct icmpnet_config c = usual();
	struct icmpnet_result r;

	(void)state;
	for (int variant = 0; variant < 4; variant++) {
		const struct icmp_verdict *v;

		c.ipv6 = variant & 1;
		c.no_nat = variant & 2;
		v = run(&c, &r);
		assert_verdict(&c, v, false);
		assert_int_equal(v->common.nat, c.no_nat ? TRI_NO : TRI_YES);
		assert_int_equal(v->identifiers, 4);
		assert_true(v->quotes_whole);
		assert_int_equal(v->passing[ICMP_ABOUT_UDP], SHARE_ALWAYS);
		/* what is asked while somebody waits */
		assert_in_range(r.duration_us, 1, 1000 * MS);
		assert_in_range(r.errors, 1, 60);
		icmpnet_free(&r);
	}
}

static void test_identifiers(void **state)
{
	(void)state;
	for (int i = ICMPNET_KEPT; i <= ICMPNET_BY_ADDRESS; i++) {
		struct icmpnet_config c = usual();

		c.identifiers = (enum icmpnet_identifiers)i;
		check(&c);
	}
}

static void test_errors(void **state)
{
	static const uint32_t masks[] = {
		1u << 3, 1u << 11, 1u << 12, 1u << 3 | 1u << 11, 1u << 1, 1u << 4, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(masks) / sizeof(*masks); i++) {
		for (int variant = 0; variant < 4; variant++) {
			struct icmpnet_config c = usual();

			c.ipv6 = variant & 1;
			c.no_raw = variant & 2;
			c.dropped = masks[i];
			if (masks[i] & 1u << (c.ipv6 ? 2 : 3))
				c.mtu_dropped = true;
			check(&c);
		}
	}
}

static void test_ends(void **state)
{
	(void)state;
	for (int variant = 1; variant < 8; variant++) {
		struct icmpnet_config c = usual();

		c.end_mapping = variant & 1;
		c.end_connection = variant & 2;
		c.ignores_attempts = variant & 4;
		check(&c);
	}
}

static void test_quotes(void **state)
{
	struct icmpnet_config c = usual();
	struct icmpnet_result r;
	const struct icmp_verdict *v;

	(void)state;
	c.quotes = ICMPNET_CHECKSUM;
	v = run(&c, &r);
	assert_verdict(&c, v, false);
	assert_int_equal(v->quote_defects, QUOTE_CHECKSUM);
	icmpnet_free(&r);
	c.quotes = ICMPNET_HEADER;
	v = run(&c, &r);
	assert_int_equal(v->quotes, TRI_NO);
	assert_int_equal(v->quote_defects, QUOTE_HEADER);
	icmpnet_free(&r);
	/* no socket gets it; of UDP the payload tells what it is about */
	c.quotes = ICMPNET_SOURCE;
	v = run(&c, &r);
	assert_int_equal(v->quotes, TRI_NO);
	assert_true(v->quote_defects & QUOTE_SOURCE);
	assert_int_equal(v->passing[ICMP_ABOUT_UDP], SHARE_NEVER);
	icmpnet_free(&r);
}

/* A path, a server or a host that has become slow: requests are not repeated in vain, and silence is told. */
static void test_slow(void **state)
{
	struct icmpnet_config c = usual();
	unsigned known = 0;

	(void)state;
	c.dropped = UINT32_MAX;
	c.delay_us = 18000;
	c.jitter_us = 5000;
	c.slower_us = 30000;
	for (c.seed = 1; c.seed <= 40; c.seed++) {
		struct icmpnet_result r;
		const struct icmp_verdict *v = run(&c, &r);

		assert_verdict(&c, v, true);
		known += v->passing[ICMP_ABOUT_UDP] == SHARE_NEVER;
		icmpnet_free(&r);
	}
	print_message("# slow: %u of 40 known\n", known);
	assert_true(known >= 39);
}

/* The promise was lost, and comes again when the errors are there already. */
static void test_errors_overtake(void **state)
{
	struct icmpnet_config c = usual();

	(void)state;
	for (unsigned late_ms = 5; late_ms <= 200; late_ms += 5) {
		c.bytes_late_us = late_ms * 1000;
		check(&c);
	}
	c.ipv6 = true;
	c.bytes_late_us = 100000;
	check(&c);
}

static void test_unprivileged(void **state)
{
	struct icmpnet_config c = usual();
	struct icmpnet_result r;
	const struct icmp_verdict *v;

	(void)state;
	c.no_raw = true;
	check(&c);
	c.no_ping = true;
	v = run(&c, &r);
	assert_int_equal(v->echo, TRI_UNKNOWN);
	assert_non_null(strstr(v->echo_basis.text, "ping_group_range"));
	assert_int_equal(v->passing[ICMP_ABOUT_UDP], SHARE_ALWAYS);
	assert_int_equal(v->passing[ICMP_ABOUT_TCP], SHARE_ALWAYS);
	assert_false(v->quotes_whole);
	icmpnet_free(&r);
}

static void test_path_mtu(void **state)
{
	struct icmpnet_config c = usual();

	(void)state;
	c.mtu_dropped = true;
	check(&c);
	c.ipv6 = true;
	check(&c);
	c = usual();
	c.mtu_ignored = true;
	check(&c);
	/* where the path is narrow already nothing is tried */
	c = usual();
	c.mtu = 1300;
	check(&c);
}

static void test_outward(void **state)
{
	static const enum egress all[] = {
		EGRESS_EXTERNAL, EGRESS_INSIDE, EGRESS_OTHER, EGRESS_DROPPED};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct icmpnet_config c = usual();

		c.egress = all[i];
		check(&c);
		c.ipv6 = true;
		c.outward_dropped = true;
		check(&c);
		c.outward_dropped = false;
		c.outward_untranslated = true;
		check(&c);
	}
}

/* What does not leave this host says nothing of the NAT. */
static void test_unsendable(void **state)
{
	struct icmpnet_config c = usual();
	struct icmpnet_result r;
	const struct icmp_verdict *v;

	(void)state;
	c.errors_unsendable = true;
	v = run(&c, &r);
	assert_int_equal(v->egress, EGRESS_UNKNOWN);
	assert_int_equal(v->outward, TRI_UNKNOWN);
	assert_string_equal(v->egress_basis.text, "this host could not send it");
	assert_int_equal(v->passing[ICMP_ABOUT_UDP], SHARE_ALWAYS);
	icmpnet_free(&r);
}

/* Nor is a server silent that was not asked; what leaves at the second try was asked. */
static void test_refused(void **state)
{
	static const int errors[] = {EPERM, ENETUNREACH, EINVAL};
	struct icmpnet_config c = usual();
	struct icmpnet_result r;
	const struct icmp_verdict *v;

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		c.refused = errors[i];
		v = run(&c, &r);
		assert_int_equal(
			v->common.status, errors[i] == EPERM ? PATH_BLOCKED : PATH_UNREACHABLE);
		assert_int_equal(v->common.refused_here, errors[i] == EPERM ? EPERM : 0);
		assert_int_equal(r.journal->observations[0].question, QUESTION_BINDING);
		assert_int_equal(r.journal->observations[0].state, OBSERVATION_REFUSED);
		assert_int_equal(r.journal->observations[0].icmp.error, errors[i]);
		assert_true(r.journal->observations[0].icmp.local);
		assert_int_equal(r.journal->observations[0].sent, 0);
		assert_int_equal(r.journal->observations[0].icmp.count, 3); /* and no more */
		assert_in_range(r.duration_us, 0, 600000);
		icmpnet_free(&r);
	}
	c.refused = ENOBUFS;
	v = run(&c, &r);
	assert_int_equal(r.journal->observations[0].state, OBSERVATION_SILENT);
	icmpnet_free(&r);
	c.refused = EPERM;
	c.refusals = 1;
	check(&c);
}

/* Nothing of ICMP comes: then it is not known who drops it. */
static void test_nothing(void **state)
{
	struct icmpnet_config c = usual();
	struct icmpnet_result r;
	const struct icmp_verdict *v;

	(void)state;
	for (int variant = 0; variant < 2; variant++) {
		c.server = variant ? ICMPNET_IDLE : ICMPNET_OWN;
		c.reply_dropped = !variant;
		c.dropped = variant ? 0 : UINT32_MAX;
		v = run(&c, &r);
		assert_int_equal(v->echo, TRI_UNKNOWN);
		for (int about = 0; about < ICMP_ABOUTS; about++)
			assert_int_equal(v->passing[about], SHARE_UNKNOWN);
		assert_int_equal(v->path_mtu, TRI_UNKNOWN);
		assert_int_equal(v->end_mapping, TRI_UNKNOWN);
		/* what the server has seen is known all the same */
		assert_int_equal(v->common.mapping, DEPENDENCE_ENDPOINT_INDEPENDENT);
		icmpnet_free(&r);
	}
	c = usual();
	c.echo_dropped = true;
	v = run(&c, &r);
	assert_int_equal(v->echo, TRI_UNKNOWN);
	assert_int_equal(v->common.mapping, DEPENDENCE_UNKNOWN);
	assert_int_equal(v->passing[ICMP_ABOUT_UDP], SHARE_ALWAYS);
	icmpnet_free(&r);
}

/* --- servers --- */

static void test_servers(void **state)
{
	static const struct {
		enum icmpnet_server server;
		enum tri service, echo;
		enum share udp, tcp;
	} rows[] = {
		{ICMPNET_PLAIN, TRI_NO, TRI_YES, SHARE_UNKNOWN, SHARE_UNKNOWN},
		{ICMPNET_OFF, TRI_NO, TRI_YES, SHARE_UNKNOWN, SHARE_UNKNOWN},
		{ICMPNET_QUOTA, TRI_YES, TRI_YES, SHARE_UNKNOWN, SHARE_UNKNOWN},
		{ICMPNET_DEAF, TRI_YES, TRI_UNKNOWN, SHARE_ALWAYS, SHARE_ALWAYS},
		{ICMPNET_NO_TCP, TRI_YES, TRI_YES, SHARE_ALWAYS, SHARE_UNKNOWN},
		{ICMPNET_ONE_ADDRESS, TRI_YES, TRI_YES, SHARE_ALWAYS, SHARE_ALWAYS},
		{ICMPNET_SILENT, TRI_UNKNOWN, TRI_UNKNOWN, SHARE_UNKNOWN, SHARE_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct icmpnet_config c = usual();
		struct icmpnet_result r;
		const struct icmp_verdict *v;

		c.server = rows[i].server;
		v = run(&c, &r);
		assert_int_equal(v->service, rows[i].service);
		assert_int_equal(v->echo, rows[i].echo);
		assert_int_equal(v->passing[ICMP_ABOUT_UDP], rows[i].udp);
		assert_int_equal(v->passing[ICMP_ABOUT_TCP], rows[i].tcp);
		if (!rows[i].udp)
			assert_true(*v->passing_basis[ICMP_ABOUT_UDP].text);
		icmpnet_free(&r);
	}
}

static void test_one_address(void **state)
{
	struct icmpnet_config c = usual();
	struct icmpnet_result r;
	const struct icmp_verdict *v;

	(void)state;
	c.server = ICMPNET_ONE_ADDRESS;
	v = run(&c, &r);
	assert_int_equal(v->common.mapping, DEPENDENCE_UNKNOWN);
	assert_int_equal(v->common.port_preservation, SHARE_ALWAYS);
	for (size_t i = 0; i < v->error_count; i++)
		assert_int_equal(
			v->errors[i].arrives[ICMP_ABOUT_UDP][ICMP_ORIGIN_OTHER], TRI_UNKNOWN);
	icmpnet_free(&r);
}

/* --- the lifetime of queries --- */

static void test_timer(void **state)
{
	static const struct {
		uint32_t lifetime_ms, lasts_ms, ends_ms, at_most_ms;
	} rows[] = {{500, 0, 0, 130000}, {5000, 1000, 10000, 25000}, {30000, 29000, 40000, 55000},
		{60500, 50000, 61000, 95000}, {100000, 91000, 121000, 130000},
		{400000, 121000, 0, 130000}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct icmpnet_config c = usual();
		struct icmpnet_result r;
		const struct icmp_verdict *v;

		c.tests = ICMP_TIMER;
		c.limit_us = 150000 * MS;
		c.lifetime_ms = rows[i].lifetime_ms;
		v = run(&c, &r);
		assert_int_equal(v->lasts_ms, rows[i].lasts_ms);
		assert_int_equal(v->ends_ms, rows[i].ends_ms);
		assert_in_range(r.duration_us, 1, rows[i].at_most_ms * MS);
		icmpnet_free(&r);
	}
}

/* What is lost makes it look shorter nowhere. */
static void test_timer_loss(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= seeds(); seed++) {
		struct icmpnet_config c = usual();
		struct icmpnet_result r;
		const struct icmp_verdict *v;

		c.tests = ICMP_TIMER;
		c.limit_us = 150000 * MS;
		c.loss = 5;
		c.seed = seed;
		v = run(&c, &r);
		assert_in_range(v->lasts_ms, 0, 29000);
		if (v->ends_ms)
			assert_in_range(v->ends_ms, 40000, 121000);
		icmpnet_free(&r);
	}
}

/* --- what the network does --- */

static void test_loss(void **state)
{
	struct icmpnet_config c = usual();

	(void)state;
	check_loss(c, 5, false);
	c.ipv6 = true;
	c.identifiers = ICMPNET_BY_ADDRESS;
	c.egress = EGRESS_DROPPED;
	check_loss(c, 5, false);
	c = usual();
	c.dropped = 1u << 11;
	c.no_raw = true;
	check_loss(c, 5, false);
	c = usual();
	c.dropped = UINT32_MAX;
	c.mtu_dropped = true;
	check_loss(c, 5, true);
	c = usual();
	c.end_mapping = c.end_connection = true;
	check_loss(c, 5, true);
	check_loss(usual(), 25, true);
}

static void test_jitter(void **state)
{
	struct icmpnet_config c = usual();

	(void)state;
	c.jitter_us = 30 * MS;
	c.doubled = true;
	for (c.seed = 1; c.seed <= 10; c.seed++) {
		c.dropped = c.seed & 1 ? 1u << 11 : 0;
		check(&c);
	}
}

static void test_forged(void **state)
{
	struct icmpnet_config c = usual();

	(void)state;
	c.forged = true;
	check(&c);
	c.dropped = UINT32_MAX;
	c.mtu_dropped = true;
	check(&c);
}

static void test_limit(void **state)
{
	struct icmpnet_config c = usual();

	(void)state;
	for (c.limit_us = 10 * MS; c.limit_us <= 400 * MS; c.limit_us += 10 * MS) {
		struct icmpnet_result r;

		assert_verdict(&c, run(&c, &r), true);
		icmpnet_free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual),
		cmocka_unit_test(test_identifiers),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_errors_overtake),
		cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_path_mtu),
		cmocka_unit_test(test_outward),
		cmocka_unit_test(test_unsendable),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_one_address),
		cmocka_unit_test(test_timer),
		cmocka_unit_test(test_timer_loss),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
