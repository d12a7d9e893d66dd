// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "journal_build.h"

#define NOT_ALL "the questions were not all answered"
#define NOBODY	"no server could send from an address that was not asked"
#define KEPT	"the port is kept; this server cannot tell whether an error came back"

/*
 * What became of an early packet of natprobed: the socket of the filtering question asks both endpoints
 * again.
 */
struct row {
	const char *letters; /* of the filtering question */
	int base, check; /* external ports towards A1P1 and A2P2; 0: silence */
	bool reported; /* the server heard of an ICMP error for its packet from A2P2 */
	bool can; /* … and would have heard of one */
	enum early_packet early;
	const char *why;
};

static void add_early(struct journal *j, size_t server, const struct row *row)
{
	const struct observation *both = build_find(j, QUESTION_FILTERING_BOTH, server);
	struct endpoint a1p1 = build_target(j, server, false, false);
	struct endpoint a2p2 = build_target(j, server, true, true);
	struct observation *o;

	if (row->check >= 0)
		build_ask(j, QUESTION_EARLY_CHECK, server, both->local.port, &a2p2, &a2p2,
			row->check);
	if (row->base < 0)
		return;
	o = build_ask(j, QUESTION_EARLY_BASE, server, both->local.port, &a1p1, &a1p1, row->base);
	o->answer.has_observed = row->can && row->base;
	o->answer.observed.version = 1;
	o->answer.observed.can = STUN_WANT_RECEIPT | STUN_WANT_OBSERVED | STUN_WANT_ICMP;
	if (row->reported) {
		o->reported_count = 1;
		o->reported[0] = (struct stun_icmp){.type = 3, .count = 1, .quoted_from = a2p2};
	}
}

static void test_reactions(void **state)
{
	static const struct row rows[] = {
		{"NNNR", 1, 1, false, true, EARLY_SILENT, ""},
		{"NNNR", 1, 1, true, true, EARLY_REJECT, ""},
		{"NNNR", 1, 2, false, true, EARLY_REMAP, ""},
		{"NNNR", 1, 2, true, true, EARLY_REMAP, ""}, /* whatever came back */
		{"NNYR", 1, 1, false, true, EARLY_SILENT, ""},
		{"NNNR", 1, 1, false, false, EARLY_UNKNOWN, KEPT},
		{"NNNU", 1, 2, false, true, EARLY_REMAP, ""},
		{"YYYR", -1, -1, false, false, EARLY_DELIVERED, ""},
		{"NNNR", -1, -1, false, false, EARLY_UNKNOWN, NOBODY},
		{"NNNR", 1, -1, false, true, EARLY_UNKNOWN, NOBODY},
		{"NNNR", -1, 1, false, true, EARLY_UNKNOWN, NOBODY},
		{"NNNR", 0, 1, false, true, EARLY_UNKNOWN, NOT_ALL},
		{"NNNR", 1, 0, false, true, EARLY_UNKNOWN, NOT_ALL},
		{"FFFR", 1, 2, false, true, EARLY_UNKNOWN, NOT_ALL}, /* perhaps none was sent */
		{"NNN-", 1, 2, false, true, EARLY_UNKNOWN, NOT_ALL},
		{"XXXR", 1, 2, false, true, EARLY_UNKNOWN, NOT_ALL},
		{"CCCR", 1, 2, false, true, EARLY_UNKNOWN, NOBODY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		add_early(j, build_whole(j, 40000, rows[i].letters), &rows[i]);
		judge(j, &v);
		if (v.udp4.early != rows[i].early)
			fail_msg("row %zu: %s", i, early_name(v.udp4.early));
		assert_string_equal(v.udp4.early_basis.text, rows[i].why);
		if (v.udp4.early)
			assert_true(v.udp4.early_basis.evidence_count >= 3);
		journal_destroy(j);
	}
}

/* From a silent socket of a foreign server to the endpoint that should have sent, and to A1P1. */
static struct observation *find(struct journal *j, enum question question, enum question filtering)
{
	const struct observation *silent = build_find(j, filtering, 0);

	for (size_t i = 0; i < j->observation_count; i++)
		if (j->observations[i].question == question &&
			j->observations[i].socket == silent->socket)
			return &j->observations[i];
	return NULL;
}

static void set_external(struct observation *o, int external)
{
	if (!o)
		return;
	if (!external)
		o->state = OBSERVATION_SILENT;
	o->answer.mapped.port = o->answer.mapped_plain.port = (uint16_t)external;
}

/* Foreign servers: several changed endpoints may have been early, each to a socket of its own. */
static void test_foreign(void **state)
{
	static const struct {
		const char *letters;
		bool can; /* tell of ICMP errors */
		int base[2], check[2]; /* of the sockets for A2P1 and A1P2 */
		enum early_packet early;
		const char *why;
	} rows[] = {
		{"-NNY", false, {1, 1}, {1, 1}, EARLY_UNKNOWN, KEPT},
		{"-NNY", false, {1, 2}, {1, 2}, EARLY_UNKNOWN,
			KEPT}, /* each socket has its own port */
		{"-NNY", false, {2, 1}, {2, 1}, EARLY_UNKNOWN, KEPT},
		{"-NNY", true, {1, 1}, {1, 1}, EARLY_SILENT, ""},
		/* one that was moved is enough, whichever */
		{"-NNY", false, {1, 2}, {3, 4}, EARLY_REMAP, ""},
		{"-NNY", false, {1, 2}, {3, 2}, EARLY_REMAP, ""},
		{"-NNY", false, {1, 2}, {1, 3}, EARLY_REMAP, ""},
		{"-NNY", false, {1, 2}, {2, 2}, EARLY_REMAP, ""},
		{"-NYY", false, {1}, {2}, EARLY_REMAP, ""},
		{"-NYY", false, {1}, {1}, EARLY_UNKNOWN, KEPT},
		{"-NNY", true, {1, 1}, {1, 3}, EARLY_REMAP, ""},
		{"-NNY", true, {1, 1}, {3, 1}, EARLY_REMAP, ""},
		/* and what is not known of the other does not undo it */
		{"-NNY", false, {1, 0}, {3, 2}, EARLY_REMAP, ""},
		{"-NNY", false, {0, 1}, {2, 3}, EARLY_REMAP, ""},
		{"-NNY", false, {1, 1}, {3, 0}, EARLY_REMAP, ""},
		{"-NNY", false, {0, 0}, {2, 2}, EARLY_UNKNOWN, NOT_ALL},
		/* perhaps none was sent */
		{"-NNN", false, {1, 1}, {2, 2}, EARLY_UNKNOWN, NOT_ALL},
		{"-FFY", false, {1, 1}, {2, 2}, EARLY_UNKNOWN, NOT_ALL},
		{"-NNS", false, {1, 1}, {0, 0}, EARLY_UNKNOWN, NOT_ALL},
		{"-NN-", false, {0, 0}, {0, 0}, EARLY_UNKNOWN, NOBODY},
		{"-XXY", false, {0, 0}, {0, 0}, EARLY_UNKNOWN, NOBODY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		build_whole(j, 40000, rows[i].letters);
		for (int k = 0; k < 2; k++) {
			enum question filtering =
				k ? QUESTION_FILTERING_PORT : QUESTION_FILTERING_ADDRESS;

			struct observation *base = find(j, QUESTION_EARLY_BASE, filtering);

			set_external(base, rows[i].base[k]);
			if (base && rows[i].can) {
				base->answer.has_observed = true;
				base->answer.observed.can = STUN_WANT_ICMP;
			}
			set_external(find(j, QUESTION_EARLY_CHECK, filtering), rows[i].check[k]);
		}
		judge(j, &v);
		if (v.udp4.early != rows[i].early)
			fail_msg("row %zu: %s", i, early_name(v.udp4.early));
		assert_string_equal(v.udp4.early_basis.text, rows[i].why);
		journal_destroy(j);
	}
}

/* Another socket than the one to which the early packet came tells nothing. */
static void test_other_socket(void **state)
{
	static const struct row row = {"NNNR", 1, 2, false, true, EARLY_REMAP, ""};
	static const enum question questions[] = {QUESTION_EARLY_BASE, QUESTION_EARLY_CHECK};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct journal *j = build_journal();
		size_t server = build_whole(j, 40000, row.letters);
		struct verdict v;

		add_early(j, server, &row);
		build_find(j, questions[i], server)->socket = 99;
		judge(j, &v);
		assert_int_equal(v.udp4.early, EARLY_UNKNOWN);
		assert_string_equal(v.udp4.early_basis.text, NOBODY);
		journal_destroy(j);
	}
}

/* An error that was drawn by another packet than the early one is no reaction to it. */
static void test_other_error(void **state)
{
	static const struct row row = {"NNNR", 1, 1, true, true, EARLY_SILENT, ""};
	struct journal *j = build_journal();
	size_t server = build_whole(j, 40000, row.letters);
	struct verdict v;

	(void)state;
	add_early(j, server, &row);
	build_find(j, QUESTION_EARLY_BASE, server)->reported[0].quoted_from.port ^= 1;
	judge(j, &v);
	assert_int_equal(v.udp4.early, EARLY_SILENT);
	journal_destroy(j);
}

static void test_pooling(void **state)
{
	static const struct row row = {"NNNR", 1, 2, false, true, EARLY_UNKNOWN, ""};
	struct journal *j = build_journal();
	size_t server = build_whole(j, 40000, row.letters);
	struct observation *check;
	struct verdict v;

	(void)state;
	add_early(j, server, &row);
	check = build_find(j, QUESTION_EARLY_CHECK, server);
	check->answer.mapped.address[3] = 98;
	check->answer.mapped_plain = check->answer.mapped;
	judge(j, &v);
	assert_int_equal(v.udp4.early, EARLY_UNKNOWN);
	assert_string_equal(
		v.udp4.early_basis.text, "the external address changed between the questions");
	journal_destroy(j);
}

/* Where the mapping depends on the destination there is nothing to compare. */
static void test_mapping(void **state)
{
	static const struct row row = {"NNNR", 1, 2, false, true, EARLY_UNKNOWN, ""};
	static const struct {
		int external[4];
		const char *why;
	} rows[] = {
		{{1, 2, 3, 4},
			"each destination has another port, so an early packet meets another "
			"mapping"},
		{{1, 0, 0, 2}, "the mapping is not known"},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct journal *j = build_journal();
		size_t server = build_server(j);
		struct verdict v;

		build_mapping(j, server, rows[i].external);
		build_filtering(j, server, row.letters);
		add_early(j, server, &row);
		judge(j, &v);
		assert_int_equal(v.udp4.early, EARLY_UNKNOWN);
		assert_string_equal(v.udp4.early_basis.text, rows[i].why);
		journal_destroy(j);
	}
}

static void test_servers(void **state)
{
	static const struct row remap = {"NNNR", 1, 2, false, true, EARLY_REMAP, ""};
	static const struct row silent = {"NNNR", 1, 1, false, true, EARLY_SILENT, ""};
	static const struct {
		const struct row *servers[3];
		enum early_packet early;
	} rows[] = {
		{{&remap, &remap}, EARLY_REMAP},
		{{&remap, &silent}, EARLY_UNKNOWN},
		{{&remap, &silent, &remap}, EARLY_REMAP},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		for (size_t s = 0; s < 3 && rows[i].servers[s]; s++)
			add_early(j, build_whole(j, 40000, "NNNR"), rows[i].servers[s]);
		judge(j, &v);
		assert_string_equal(early_name(v.udp4.early), early_name(rows[i].early));
		journal_destroy(j);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reactions),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_other_socket),
		cmocka_unit_test(test_other_error),
		cmocka_unit_test(test_pooling),
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
