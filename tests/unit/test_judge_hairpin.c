// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "journal_build.h"

#define SAME               \
	{                  \
		1, 1, 1, 1 \
	}
#define OTHER              \
	{                  \
		1, 2, 3, 4 \
	}
#define ENDED	 "the run ended before enough packets were missing"
#define FILTERED "the packets back had another port, which the filter keeps out anyway"

/* One own socket to the external endpoint of the other, and the other way round. */
static void test_hairpin(void **state)
{
	static const struct {
		int external[4]; /* of the mapping question */
		const char *letters; /* of the filtering question */
		enum observation_state states[2];
		unsigned awaited; /* each way */
		enum tri hairpin;
		const char *why;
	} rows[] = {
		{SAME, "NNNR", {OBSERVATION_ANSWERED, OBSERVATION_ANSWERED}, 4, TRI_YES, ""},
		{SAME, "NNNR", {OBSERVATION_ANSWERED, OBSERVATION_SILENT}, 4, TRI_YES, ""},
		{SAME, "NNNR", {OBSERVATION_SILENT, OBSERVATION_ANSWERED}, 4, TRI_YES, ""},
		{SAME, "NNNR", {OBSERVATION_ABANDONED, OBSERVATION_ANSWERED}, 1, TRI_YES, ""},
		{SAME, "NNNR", {OBSERVATION_SILENT, OBSERVATION_SILENT}, 4, TRI_NO, ""},
		{SAME, "NNNR", {OBSERVATION_SILENT, OBSERVATION_SILENT}, 1, TRI_UNKNOWN, ENDED},
		{SAME, "NNNR", {OBSERVATION_SILENT, OBSERVATION_ABANDONED}, 4, TRI_UNKNOWN, ENDED},
		/* what came through came through; silence needs one that is independent */
		{OTHER, "NNNR", {OBSERVATION_SILENT, OBSERVATION_ANSWERED}, 4, TRI_YES, ""},
		{OTHER, "NNNR", {OBSERVATION_SILENT, OBSERVATION_SILENT}, 4, TRI_UNKNOWN, FILTERED},
		{OTHER, "NNYR", {OBSERVATION_SILENT, OBSERVATION_SILENT}, 4, TRI_UNKNOWN, FILTERED},
		{OTHER, "FFFR", {OBSERVATION_SILENT, OBSERVATION_SILENT}, 4, TRI_UNKNOWN, FILTERED},
		{OTHER, "YYYR", {OBSERVATION_SILENT, OBSERVATION_SILENT}, 4, TRI_NO, ""},
		{{1, 0, 0, 2}, "NNNR", {OBSERVATION_SILENT, OBSERVATION_SILENT}, 4, TRI_UNKNOWN,
			FILTERED},
		{SAME, "FFFR", {OBSERVATION_SILENT, OBSERVATION_SILENT}, 4, TRI_NO, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		size_t server = build_server(j);
		struct endpoint to = build_at("198.51.100.99:50000");
		struct verdict v;

		build_mapping(j, server, rows[i].external);
		build_filtering(j, server, rows[i].letters);
		for (int k = 0; k < 2; k++) {
			struct observation *o = build_ask(
				j, QUESTION_HAIRPIN, server, (uint16_t)(41000 + k), &to, &to, 0);

			o->state = rows[i].states[k];
			o->answers = o->state == OBSERVATION_ANSWERED;
			o->sent = o->awaited = rows[i].awaited;
		}
		judge(j, &v);
		if (v.udp4.hairpin != rows[i].hairpin)
			fail_msg("row %zu: %d", i, v.udp4.hairpin);
		assert_string_equal(v.udp4.hairpin_basis.text, rows[i].why);
		assert_int_equal(v.udp4.hairpin_basis.evidence_count, 2);
		/* it is no answer of the server: nothing of it is held against that */
		assert_int_equal(v.servers[server].status, SERVER_OK);
		journal_destroy(j);
	}
}

/* The external endpoints are the word of a server: of one that can be believed? */
static void test_believed(void **state)
{
	static const enum tri expected[2][2] = {
		{TRI_NO, TRI_YES}, {TRI_UNKNOWN, TRI_UNKNOWN}}; /* told by a bad one; passed */

	(void)state;
	for (int bad = 0; bad < 2; bad++) {
		for (int passed = 0; passed < 2; passed++) {
			struct journal *j = build_journal();
			size_t servers[2] = {
				build_whole(j, 40000, "NNNR"), build_whole(j, 40000, "NNNR")};
			struct endpoint to = build_at("198.51.100.99:50000");
			struct verdict v;

			build_find(j, QUESTION_BINDING, servers[1])->answer.mapped_plain.port = 9;
			for (int k = 0; k < 2; k++)
				build_ask(j, QUESTION_HAIRPIN, servers[bad], (uint16_t)(41000 + k),
					&to, &to, passed);
			judge(j, &v);
			assert_false(v.servers[servers[1]].counts);
			assert_int_equal(v.udp4.nat, TRI_YES);
			assert_int_equal(v.udp4.hairpin, expected[bad][passed]);
			assert_string_equal(v.udp4.hairpin_basis.text,
				bad ? "the server that told the external endpoints cannot be "
				      "believed"
				    : "");
			journal_destroy(j);
		}
	}
}

static void test_not_asked(void **state)
{
	struct journal *j = build_journal();
	struct verdict v;

	(void)state;
	build_whole(j, 40000, "NNNR");
	judge(j, &v);
	assert_int_equal(v.udp4.hairpin, TRI_UNKNOWN);
	assert_string_equal(
		v.udp4.hairpin_basis.text, "was not asked: some firewalls take it for an attack");
	for (size_t i = 0; i < j->observation_count; i++)
		j->observations[i].local = j->observations[i].answer.mapped;
	judge(j, &v);
	assert_int_equal(v.udp4.nat, TRI_NO);
	assert_string_equal(v.udp4.hairpin_basis.text, "there is no NAT");
	journal_destroy(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hairpin),
		cmocka_unit_test(test_believed),
		cmocka_unit_test(test_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
