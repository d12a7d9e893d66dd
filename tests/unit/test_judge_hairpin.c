// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "journal_build.h"

/* One own socket to the external endpoint of the other, and the other way round. */
static void test_hairpin(void **state)
{
	static const struct {
		enum observation_state states[2];
		unsigned awaited; /* each way */
		enum tri hairpin;
		const char *why;
	} rows[] = {
		{{OBSERVATION_ANSWERED, OBSERVATION_ANSWERED}, 4, TRI_YES, ""},
		{{OBSERVATION_ANSWERED, OBSERVATION_SILENT}, 4, TRI_YES, ""},
		{{OBSERVATION_SILENT, OBSERVATION_ANSWERED}, 4, TRI_YES, ""},
		{{OBSERVATION_ABANDONED, OBSERVATION_ANSWERED}, 1, TRI_YES, ""},
		{{OBSERVATION_SILENT, OBSERVATION_SILENT}, 4, TRI_NO, ""},
		{{OBSERVATION_SILENT, OBSERVATION_SILENT}, 1, TRI_UNKNOWN,
			"the run ended before enough packets were missing"},
		{{OBSERVATION_SILENT, OBSERVATION_ABANDONED}, 4, TRI_UNKNOWN,
			"the run ended before enough packets were missing"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		size_t server = build_whole(j, 40000, "NNNR");
		struct endpoint to = build_at("198.51.100.99:50000");
		struct verdict v;

		for (int k = 0; k < 2; k++) {
			struct observation *o = build_ask(
				j, QUESTION_HAIRPIN, server, (uint16_t)(41000 + k), &to, &to, 0);

			o->state = rows[i].states[k];
			o->answers = o->state == OBSERVATION_ANSWERED;
			o->sent = o->awaited = rows[i].awaited;
		}
		judge(j, &v);
		assert_int_equal(v.udp4.hairpin, rows[i].hairpin);
		assert_string_equal(v.udp4.hairpin_basis.text, rows[i].why);
		assert_int_equal(v.udp4.hairpin_basis.evidence_count, 2);
		/* it is no answer of the server: nothing of it is held against that */
		assert_int_equal(v.servers[server].status, SERVER_OK);
		journal_destroy(j);
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
		cmocka_unit_test(test_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
