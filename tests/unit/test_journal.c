// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "journal/journal.h"

static int set_up(void **state)
{
	struct journal *j;
	int err = journal_create(1000, &j);

	*state = j;
	return err;
}

static int tear_down(void **state)
{
	journal_destroy(*state);
	return 0;
}

static void test_empty(void **state)
{
	const struct journal *j = *state;

	assert_int_equal(j->start_us, 1000);
	assert_int_equal(j->server_count + j->observation_count + j->event_count, 0);
	assert_int_equal(journal_place(j, NULL), JOURNAL_NONE);
	journal_destroy(NULL);
}

static void test_servers(void **state)
{
	struct journal *j = *state;
	struct journal_server server = {.name = "a.example", .endpoint = {FAMILY_IPV4, 1, 0, {1}}};
	size_t place = 99;

	for (size_t i = 0; i < JOURNAL_SERVERS; i++) {
		assert_int_equal(journal_add_server(j, &server, &place), 0);
		assert_int_equal(place, i);
	}
	assert_int_equal(journal_add_server(j, &server, &place), -ENOSPC);
	assert_int_equal(j->server_count, JOURNAL_SERVERS);
	memset(&server, 0, sizeof(server));
	assert_string_equal(j->servers[3].name, "a.example"); /* a copy */
}

static void test_observations(void **state)
{
	struct journal *j = *state;
	struct observation *first = NULL;

	for (size_t i = 0; i < JOURNAL_OBSERVATIONS; i++) {
		struct observation *o = journal_add_observation(j);

		assert_non_null(o);
		assert_int_equal(o->state, OBSERVATION_OPEN);
		assert_int_equal(journal_place(j, o), i);
		first = first ? first : o;
	}
	assert_null(journal_add_observation(j));
	assert_ptr_equal(first, j->observations); /* they stay where they are */
}

struct heard {
	unsigned count;
	struct event last;
};

static void listen(void *context, const struct journal *j, const struct event *e)
{
	struct heard *h = context;

	(void)j;
	h->count++;
	h->last = *e;
}

/* A full journal keeps the beginning; the listener still hears everything. */
static void test_events(void **state)
{
	struct journal *j = *state;
	struct endpoint from = {FAMILY_IPV4, 1, 0, {1}}, to = {FAMILY_IPV4, 2, 0, {2}};
	struct observation *o = journal_add_observation(j);
	struct heard heard = {0};

	j->listener = listen;
	j->listener_context = &heard;
	for (unsigned i = 0; i < JOURNAL_EVENTS + 10; i++)
		journal_event(j, i, EVENT_SENT, i ? NULL : o, &from, &to, i);
	assert_int_equal(j->event_count, JOURNAL_EVENTS);
	assert_int_equal(heard.count, JOURNAL_EVENTS + 10);
	assert_int_equal(heard.last.bytes, JOURNAL_EVENTS + 9);
	assert_int_equal(j->events[0].observation, 0);
	assert_int_equal(j->events[1].observation, JOURNAL_NONE);
	assert_true(endpoint_equal(&j->events[1].from, &from));
	assert_true(endpoint_equal(&j->events[1].to, &to));
}

static void test_settle(void **state)
{
	struct journal *j = *state;
	struct observation *o = journal_add_observation(j);

	journal_settle(j, 5, o, OBSERVATION_SILENT);
	assert_int_equal(o->state, OBSERVATION_SILENT);
	assert_int_equal(o->settled_us, 5);
	assert_int_equal(j->event_count, 1);
	assert_int_equal(j->events[0].kind, EVENT_SETTLED);
	assert_int_equal(j->events[0].from.family, FAMILY_NONE);
}

static void test_traces(void **state)
{
	struct journal *j = *state;
	struct observation *o = NULL;
	struct trace *first = NULL;

	for (int i = 0; i < JOURNAL_TRACES; i++) {
		o = journal_add_observation(j);
		o->to.port = (uint16_t)(i + 1);
		assert_null(journal_trace(j, o));
		assert_non_null(journal_add_trace(j, o));
		assert_ptr_equal(journal_trace(j, o), &j->traces[i]);
		assert_int_equal(j->traces[i].to.port, i + 1);
		assert_int_equal(j->traces[i].observation, i);
	}
	first = &j->traces[0];
	first->hop_count = 3;
	o = journal_add_observation(j);
	assert_null(journal_add_trace(j, o));
	assert_null(journal_trace(j, o));
	journal_forget(j);
	assert_int_equal(j->trace_count, 0);
	o = journal_add_observation(j);
	assert_null(journal_trace(j, o));
	assert_int_equal(journal_add_trace(j, o)->hop_count, 0);
}

static void test_note(void **state)
{
	struct journal *j = *state;
	char text[JOURNAL_TEXT * 2];

	journal_note(j, 5, NULL, "%d and %s", 3, "four");
	assert_string_equal(j->events[0].note, "3 and four");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	journal_note(j, 5, NULL, "%s", text);
	assert_int_equal(strlen(j->events[1].note), JOURNAL_TEXT - 1);
}

/* Every value has its own word, and what is none has one too. */
static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < QUESTION_COUNT; i++) {
		assert_string_not_equal(question_name((enum question)i), "unknown");
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
				question_name((enum question)i), question_name((enum question)k));
	}
	assert_string_equal(question_name(QUESTION_COUNT), "unknown");
	for (int i = OBSERVATION_OPEN; i <= OBSERVATION_ABANDONED; i++)
		assert_string_not_equal(
			observation_state_name((enum observation_state)i), "unknown");
	assert_string_equal(
		observation_state_name((enum observation_state)(OBSERVATION_ABANDONED + 1)),
		"unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_servers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_observations, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_events, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_settle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_traces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_note, set_up, tear_down),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
