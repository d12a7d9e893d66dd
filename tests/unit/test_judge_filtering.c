// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "journal_build.h"

#define EIF	   DEPENDENCE_ENDPOINT_INDEPENDENT
#define ADF	   DEPENDENCE_ADDRESS
#define APDF	   DEPENDENCE_ADDRESS_AND_PORT
#define PDF	   DEPENDENCE_PORT
#define NONE	   DEPENDENCE_UNKNOWN

#define CONTRADICT "the answers contradict each other: measure again"
#define TOO_FEW	   "too few answers are missing to exclude loss"
#define CONTROL	   "no changed answer came even where the path was open: the silence has no control"
#define RUN_ENDED  "the run ended before enough answers were missing"
#define NOT_ASKED  "was not asked"
#define NOBODY	   "no server that offers a second address (RFC 5780) could be used"

/* Letters as journal_build.h says: from A2P2, from A2P1, from A1P2; then what the controls were. */
static void test_one_server(void **state)
{
	static const struct {
		const char *letters;
		enum dependence filtering;
		const char *why;
	} rows[] = {
		/* all that can be, with natprobed and with a foreign server */
		{"YYYR", EIF, ""},
		{"NNYR", ADF, ""},
		{"NYNR", PDF, ""},
		{"NNNR", APDF, ""},
		{"YYYY", EIF, ""},
		{"-NYY", ADF, ""},
		{"-YNY", PDF, ""},
		{"-NNY", APDF, ""},
		/* two decide, unless both say yes: then the third does */
		{"FNNR", APDF, ""},
		{"XNYR", ADF, ""},
		{"FYNY", PDF, ""},
		{"-YYR", NONE, NOT_ASKED},
		{"-YYY", NONE, NOT_ASKED},
		{"FYYY", NONE, TOO_FEW},
		{"XYYR", NONE, RUN_ENDED},
		{"NYYR", NONE, CONTRADICT},
		{"NYYY", NONE, CONTRADICT},
		{"YNNR", NONE, CONTRADICT},
		{"YNYY", NONE, CONTRADICT},
		{"YYNY", NONE, CONTRADICT},
		/* silence that does not count */
		{"-FFY", NONE, TOO_FEW},
		{"NNFR", NONE, TOO_FEW},
		{"-FYY", NONE, TOO_FEW},
		{"XXXR", NONE, RUN_ENDED},
		{"NNXR", NONE, RUN_ENDED},
		{"-XNY", NONE, RUN_ENDED},
		/* and has no control: no changed answer, no way there, nothing asked */
		{"-NNN", NONE, CONTROL},
		{"-NNS", NONE, CONTROL},
		{"-NN-", NONE, CONTROL},
		{"NNNU", NONE, CONTROL},
		{"NNYU", NONE, CONTROL},
		/* that the server can is no control for the socket that stayed silent */
		{"-NYN", NONE, CONTROL},
		{"-YNS", NONE, CONTROL},
		{"-NY-", NONE, CONTROL},
		{"YYY-", EIF, ""},
		{"YYYU", EIF, ""},
		{"NYY-", NONE, CONTROL},
		/* one of the two was not asked */
		{"---Y", NONE, NOBODY},
		{"N--Y", NONE, NOBODY},
		{"NN-R", NONE, NOBODY},
		{"N-NR", NONE, NOBODY},
		/* what came from the most distant endpoint: the others would have come as well */
		{"YFFY", EIF, ""},
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
		assert_string_equal(v.udp4.filtering_basis.text, rows[i].why);
		assert_int_equal(v.udp4.mapping, DEPENDENCE_ENDPOINT_INDEPENDENT);
		journal_destroy(j);
	}
}

/* The observation of a question from the socket on which A2P1 should have sent. */
static struct observation *find(struct journal *j, enum question question)
{
	const struct observation *silent = build_find(j, QUESTION_FILTERING_ADDRESS, 0);

	for (size_t i = 0; i < j->observation_count; i++)
		if (j->observations[i].question == question &&
			j->observations[i].socket == silent->socket)
			return &j->observations[i];
	abort();
}

static void nothing(struct journal *j)
{
	(void)j;
}

static void check_elsewhere(struct journal *j)
{
	find(j, QUESTION_EARLY_CHECK)->to = build_target(j, 0, true, true);
}

static void check_silent(struct journal *j)
{
	find(j, QUESTION_EARLY_CHECK)->state = OBSERVATION_SILENT;
}

static void check_from_another(struct journal *j)
{
	find(j, QUESTION_EARLY_CHECK)->socket = 99;
}

static void control_elsewhere(struct journal *j)
{
	find(j, QUESTION_CONTROL)->expect = build_target(j, 0, true, true);
}

static void control_silent(struct journal *j)
{
	find(j, QUESTION_CONTROL)->state = OBSERVATION_SILENT;
}

static void control_from_another(struct journal *j)
{
	find(j, QUESTION_CONTROL)->socket = 99;
}

static void base_silent(struct journal *j)
{
	find(j, QUESTION_EARLY_BASE)->state = OBSERVATION_SILENT;
}

static void no_receipts(struct journal *j)
{
	find(j, QUESTION_FILTERING_ADDRESS)->receipts = 0;
}

static void other_control(struct journal *j)
{
	build_find(j, QUESTION_CONTROL, 0)->expect = build_target(j, 0, false, true);
}

static void set_address(struct journal *j, const struct endpoint *to)
{
	for (size_t i = 0; i < j->observation_count; i++) {
		struct answer *a = &j->observations[i].answer;

		if (j->observations[i].question != QUESTION_MAPPING ||
			!endpoint_equal(&j->observations[i].to, to))
			continue;
		a->mapped.address[3] = 98;
		a->mapped_plain = a->mapped;
	}
}

/* Towards A2P2 the external address is another one: a control could not arrive. */
static void address_differs(struct journal *j)
{
	struct endpoint a2p2 = build_target(j, 0, true, true);

	set_address(j, &a2p2);
}

static void nearer_address_differs(struct journal *j)
{
	struct endpoint a1p2 = build_target(j, 0, false, true);

	set_address(j, &a1p2);
}

/* The control belongs to the very socket that stayed silent, or to natprobed's receipts. */
static void test_control(void **state)
{
	static const struct {
		const char *letters;
		void (*apply)(struct journal *j);
		enum dependence filtering;
	} rows[] = {
		{"-NNY", nothing, APDF},
		{"-NNY", check_elsewhere, NONE},
		{"-NNY", check_silent, NONE},
		{"-NNY", check_from_another, NONE},
		{"-NNY", control_elsewhere, NONE},
		{"-NNY", control_silent, NONE},
		{"-NNY", control_from_another, NONE},
		{"-NNY", base_silent, APDF},
		{"NNNR", nothing, APDF},
		{"NNNR", other_control, APDF},
		{"NNNR", no_receipts, NONE},
		{"NNNU", nothing, NONE},
		{"NNNU", address_differs, APDF},
		{"NNNU", nearer_address_differs, NONE},
		/* where a foreign server's control cannot arrive, nothing is known */
		{"-NNN", address_differs, NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		build_whole(j, 40000, rows[i].letters);
		rows[i].apply(j);
		judge(j, &v);
		if (v.udp4.filtering != rows[i].filtering)
			fail_msg("row %zu: %s", i, dependence_name(v.udp4.filtering));
		assert_string_equal(v.udp4.filtering_basis.text, rows[i].filtering ? "" : CONTROL);
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
		{{1, 1, 1, 0}, "NNNR", APDF}, /* which need not be asked */
		{{1, 1, 1, 0}, "NNNU", NONE}, /* but no control is none, whatever the reason */
		{{1, 0, 0, 0}, "NNNR", NONE},
		{{1, 0, 1, 1}, "NNYR", ADF}, /* an answer that came needs no control */
		{{1, 1, 0, 0}, "NNNR", NONE},
		/* foreign servers are asked A2P2 only; each silent socket asks for itself */
		{{1, -1, -1, 1}, "-NNY", APDF},
		{{1, -1, -1, 1}, "-NNS", NONE},
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
	} rows[] = {{1, 4, APDF}, {1, 3, NONE}, {3, 9, NONE}, {3, 10, APDF}, {5, 15, NONE},
		{5, 16, APDF}};

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
		{{"NNNR", "-NNY"}, APDF, ""},
		{{"-FFY", "NNNR"}, APDF, ""}, /* one does not know, the other does */
		{{"NNNR", "YYYR"}, NONE, "the servers contradict each other"},
		{{"NNNR", "YYYR", "-NNY"}, APDF, ""},
		{{"YYYR", "NNYR", "-NNY"}, NONE, "the servers contradict each other"},
		{{"YYYR", "NNNR", "-NNY", "-NYY", "NNNR"}, APDF, ""},
		{{"CCCY", "NNYR"}, ADF, ""}, /* one ignores CHANGE-REQUEST */
		{{"EEEN", "NNYR"}, ADF, ""}, /* one refuses it */
		{{"CCCY"}, NONE, NOBODY},
		{{"EEEN"}, NONE, NOBODY},
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
	assert_string_equal(v.udp4.filtering_basis.text, NOBODY);
	assert_string_equal(v.udp6.filtering_basis.text, "no server answered");
	journal_destroy(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_server),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_dead_endpoints),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_nobody_to_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
