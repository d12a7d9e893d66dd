// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "journal/silence.h"

/* The chance that so many answers were lost on a path that has lost so many of those requests. */
static void test_risk(void **state)
{
	static const struct {
		unsigned requests, lost, awaited;
		double low, high;
	} rows[] = {
		{0, 0, 0, 1, 1}, /* nothing was awaited: nothing is shown */
		/* nothing known: as if one in nine were lost, and each further one likelier */
		{0, 0, 1, 1 / 9.0, 1 / 9.0},
		{0, 0, 3, 2 / 330.0, 2 / 330.0},
		{0, 0, 4, 2 / 990.0, 2 / 990.0},
		{1, 0, 1, 0.1, 0.1},
		{1, 0, 2, 2 / 110.0, 2 / 110.0},
		{91, 0, 1, 0.01, 0.01},
		{6, 5, 1, 0.4, 0.4},
		{6, 5, 2, 0.175, 0.175},
		{7, 5, 8, 0.002624848, 0.002624849},
		{12, 1, 4, 0.000470543, 0.000470544},
		{UINT32_MAX, UINT32_MAX, 4, 0.999, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double risk = silence_risk(rows[i].requests, rows[i].lost, rows[i].awaited);

		if (risk < rows[i].low * 0.999999 || risk > rows[i].high * 1.000001)
			fail_msg("row %zu: %.9f", i, risk);
	}
}

static struct observation *ask(struct journal *j, size_t server, enum question question,
	enum observation_state state, unsigned sent, unsigned answers)
{
	struct observation *o = journal_add_observation(j);

	assert_non_null(o);
	o->server = server;
	o->question = question;
	o->state = state;
	o->sent = sent;
	o->answers = answers;
	return o;
}

/* What tells about loss, and what does not. */
static void test_loss(void **state)
{
	unsigned requests, lost;
	struct journal *j;

	(void)state;
	assert_int_equal(journal_create(0, &j), 0);
	silence_loss(j, 0, &requests, &lost);
	assert_int_equal(requests, 0);
	assert_int_equal(lost, 0);
	ask(j, 0, QUESTION_BINDING, OBSERVATION_ANSWERED, 3, 1);
	ask(j, 0, QUESTION_MAPPING, OBSERVATION_ANSWERED, 1, 1);
	ask(j, 0, QUESTION_PORTS, OBSERVATION_ANSWERED, 2, 2);
	ask(j, 0, QUESTION_EARLY_BASE, OBSERVATION_ANSWERED, 1,
		5); /* duplicates make up for none */
	silence_loss(j, 0, &requests, &lost);
	assert_int_equal(requests, 7);
	assert_int_equal(lost, 2);
	ask(j, 0, QUESTION_MAPPING, OBSERVATION_SILENT, 5, 0); /* may never have been there */
	ask(j, 0, QUESTION_FILTERING_BOTH, OBSERVATION_SILENT, 8, 0);
	ask(j, 0, QUESTION_FILTERING_PORT, OBSERVATION_ANSWERED, 2, 1);
	ask(j, 0, QUESTION_CONTROL, OBSERVATION_SILENT, 5, 0);
	ask(j, 0, QUESTION_HAIRPIN, OBSERVATION_ANSWERED, 4, 1);
	ask(j, 1, QUESTION_BINDING, OBSERVATION_ANSWERED, 9, 1); /* of another server */
	silence_loss(j, 0, &requests, &lost);
	assert_int_equal(requests, 7);
	assert_int_equal(lost, 2);
	ask(j, 0, QUESTION_CONTROL, OBSERVATION_ANSWERED, 2, 1);
	silence_loss(j, 0, &requests, &lost);
	assert_int_equal(requests, 9);
	assert_int_equal(lost, 3);
	journal_destroy(j);
}

/* How many answers have to be missing until silence is an answer, by what the path has lost. */
static void test_proved(void **state)
{
	static const struct {
		unsigned sent, answered, proved, sufficient, early; /* with receipts, without */
	} rows[] = {
		{0, 0, 5, 7, 5}, /* 7.8e-4, 1.6e-4, 7.8e-4 */
		{3, 3, 4, 6, 4}, /* 7.3e-4, 8.1e-5 */
		{5, 5, 4, 5, 4}, {50, 50, 4, 4, 4}, /* fewer than four never do */
		{10, 8, 5, 7, 5}, {10, 5, 8, 11, 8}, {40, 20, 10, 12, 10}, /* nine: 1.11e-3 */
		{20, 15, 6, 7, 5}, /* 3.4e-4, 1.2e-4, 1.06e-3 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j;

		assert_int_equal(journal_create(0, &j), 0);
		ask(j, 0, QUESTION_BINDING, OBSERVATION_ANSWERED, rows[i].sent, rows[i].answered);
		for (unsigned awaited = 0; awaited < 30; awaited++) {
			if (silence_proved(j, 0, awaited) != (awaited >= rows[i].proved))
				fail_msg("row %zu: %u awaited", i, awaited);
			if (silence_sufficient(j, 0, awaited, true) !=
				(awaited >= rows[i].sufficient))
				fail_msg("row %zu: %u awaited, with receipts", i, awaited);
			if (silence_sufficient(j, 0, awaited, false) != (awaited >= rows[i].early))
				fail_msg("row %zu: %u awaited, without", i, awaited);
		}
		journal_destroy(j);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_risk),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_proved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
