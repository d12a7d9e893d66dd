// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "journal_build.h"

#define EIF	   DEPENDENCE_ENDPOINT_INDEPENDENT
#define ADF	   DEPENDENCE_ADDRESS
#define APDF	   DEPENDENCE_ADDRESS_AND_PORT
#define PDF	   DEPENDENCE_PORT
#define NONE	   DEPENDENCE_UNKNOWN

#define CONTRADICT "the answers contradict each other: measure again"
#define TOO_FEW	   "too few answers are missing to exclude loss"
#define UNPROVED   "the server never proved that it can answer from another address"
#define RUN_ENDED  "the run ended before enough answers were missing"
#define NOT_ASKED  "was not asked"

/* Letters as journal_build.h says: from A2P2, from A2P1, from A1P2; then what proves the change. */
static void test_one_server(void **state)
{
	static const struct {
		const char *letters;
		enum dependence filtering;
		const char *why;
	} rows[] = {
		/* all that can be, with a control and with receipts */
		{"YYYY", EIF, ""},
		{"NNYY", ADF, ""},
		{"NYNY", PDF, ""},
		{"NNNY", APDF, ""},
		{"YYYR", EIF, ""},
		{"NNYR", ADF, ""},
		{"NYNR", PDF, ""},
		{"NNNR", APDF, ""},
		{"NYYY", NONE, CONTRADICT},
		{"YNNY", NONE, CONTRADICT},
		{"YNYY", NONE, CONTRADICT},
		{"YYNY", NONE, CONTRADICT},
		{"NYYR", NONE, CONTRADICT},
		{"YNNR", NONE, CONTRADICT},
		/* silence that does not count */
		{"FFFY", NONE, TOO_FEW},
		{"NNFY", NONE, TOO_FEW},
		{"NFYY", NONE, TOO_FEW},
		{"XXXY", NONE, RUN_ENDED},
		{"NNXR", NONE, RUN_ENDED},
		{"NNNN", NONE, UNPROVED},
		{"NNN-", NONE, UNPROVED},
		{"---Y", NONE, ""}, /* with other words: see below */
		{"N--Y", NONE, NOT_ASKED},
		{"NN-R", NONE, NOT_ASKED},
		/* one positive answer proves that the server can, and excludes what is stricter */
		{"NNY-", ADF, ""},
		{"NYN-", PDF, ""},
		{"YYY-", EIF, ""},
		/* what came from the most distant endpoint: the others would have come as well */
		{"YFFY", EIF, ""},
		{"Y--Y", EIF, ""},
		{"YXXR", EIF, ""},
		{"YNFY", NONE, CONTRADICT},
		/* a yes from nearer than the silent one does not tell what the silent one is */
		{"FYFY", NONE, TOO_FEW},
		{"FFYY", NONE, TOO_FEW},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		build_whole(j, 40000, rows[i].letters);
		judge(j, &v);
		if (v.udp4.filtering != rows[i].filtering)
			fail_msg("%s: %s", rows[i].letters, dependence_name(v.udp4.filtering));
		/* an answer that came says nothing about doubts in another */
		if (!rows[i].filtering && *rows[i].why)
			assert_string_equal(v.udp4.filtering_basis.text, rows[i].why);
		assert_int_equal(v.udp4.filtering == NONE, *v.udp4.filtering_basis.text != '\0');
		assert_int_equal(v.udp4.mapping, DEPENDENCE_ENDPOINT_INDEPENDENT);
		journal_destroy(j);
	}
}

/* Endpoints that have never answered may be dead: that they are silent is no filter. */
static void test_dead_endpoints(void **state)
{
	static const struct {
		int external[4]; /* as in the mapping question */
		const char *letters;
		enum dependence filtering;
	} rows[] = {
		{{1, 1, 1, 1}, "NNNR", APDF},
		{{1, 0, 1, 1}, "NNNR", NONE},
		{{1, 1, 0, 1}, "NNNR", NONE},
		{{1, 1, 1, 0}, "NNNR", NONE},
		{{1, 0, 0, 0}, "NNNR", NONE},
		{{1, 0, 1, 1}, "NNYR", ADF}, /* an answer that came needs no control */
		{{1, 1, 0, 0}, "NNNR", NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		size_t server = build_server(j);
		struct verdict v;

		build_mapping(j, server, rows[i].external);
		build_filtering(j, server, rows[i].letters);
		judge(j, &v);
		if (v.udp4.filtering != rows[i].filtering)
			fail_msg("row %zu: %s", i, dependence_name(v.udp4.filtering));
		journal_destroy(j);
	}
}

/* What is enough on a good path is not on a bad one. */
static void test_loss(void **state)
{
	static const struct {
		unsigned sent, awaited;
		enum dependence filtering;
	} rows[] = {{1, 4, APDF}, {1, 3, NONE}, {3, 8, NONE}, {3, 16, APDF}, {5, 16, NONE}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		build_whole(j, 40000, "NNNR");
		for (size_t k = 0; k < j->observation_count; k++) {
			struct observation *o = &j->observations[k];

			if (o->question <= QUESTION_MAPPING)
				o->sent = rows[i].sent;
			else
				o->awaited = rows[i].awaited;
		}
		judge(j, &v);
		if (v.udp4.filtering != rows[i].filtering)
			fail_msg("row %zu: %s", i, dependence_name(v.udp4.filtering));
		journal_destroy(j);
	}
}

static void test_servers(void **state)
{
	static const struct {
		const char *letters[5];
		enum dependence filtering;
		const char *why;
	} rows[] = {
		{{"NNNR", "NNNY"}, APDF, ""},
		{{"FFFY", "NNNR"}, APDF, ""}, /* one does not know, the other does */
		{{"NNNR", "YYYR"}, NONE, "the servers contradict each other"},
		{{"NNNR", "YYYR", "NNNY"}, APDF, ""},
		{{"YYYR", "NNYR", "NNNY"}, NONE, "the servers contradict each other"},
		{{"YYYR", "NNNR", "NNNY", "NNYY", "NNNR"}, APDF, ""},
		{{"CCCY", "NNYR"}, ADF, ""}, /* one ignores CHANGE-REQUEST */
		{{"EEEN", "NNYR"}, ADF, ""}, /* one refuses it */
		{{"CCCY"}, NONE, "no server that offers a second address (RFC 5780) could be used"},
		{{"EEEN"}, NONE, "no server that offers a second address (RFC 5780) could be used"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		for (size_t s = 0; s < 5 && rows[i].letters[s]; s++)
			build_whole(j, 40000, rows[i].letters[s]);
		judge(j, &v);
		if (v.udp4.filtering != rows[i].filtering)
			fail_msg("row %zu: %s", i, dependence_name(v.udp4.filtering));
		assert_string_equal(v.udp4.filtering_basis.text, rows[i].why);
		journal_destroy(j);
	}
}

static void test_nobody_to_ask(void **state)
{
	struct journal *j = build_journal();
	struct verdict v;

	(void)state;
	build_mapping(j, build_plain_server(j, "192.0.2.1"), (int[4]){1});
	judge(j, &v);
	assert_int_equal(v.udp4.filtering, NONE);
	assert_string_equal(v.udp4.filtering_basis.text,
		"no server that offers a second address (RFC 5780) could be used");
	assert_string_equal(v.udp6.filtering_basis.text, "no server answered");
	journal_destroy(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_server),
		cmocka_unit_test(test_dead_endpoints),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_nobody_to_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
