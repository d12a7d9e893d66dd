// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "journal_build.h"

/* A server that answers everything rightly, and then one thing is changed. */
typedef void change(struct journal *j, size_t server);

static void nothing(struct journal *j, size_t server)
{
	(void)j;
	(void)server;
}

static void set_other(struct journal *j, size_t server, const char *other)
{
	build_find(j, QUESTION_BINDING, server)->answer.other = build_at(other);
}

static void no_other(struct journal *j, size_t server)
{
	build_find(j, QUESTION_BINDING, server)->answer.other.family = FAMILY_NONE;
}

static void self_as_other(struct journal *j, size_t server)
{
	set_other(j, server, "203.0.113.1:3478");
}

static void own_address(struct journal *j, size_t server)
{
	set_other(j, server, "203.0.113.1:3479");
}

static void own_port(struct journal *j, size_t server)
{
	set_other(j, server, "203.0.114.1:3478");
}

static void private_other(struct journal *j, size_t server)
{
	set_other(j, server, "192.168.0.1:3479");
}

static void multicast_other(struct journal *j, size_t server)
{
	set_other(j, server, "224.0.0.1:3479");
}

static void loopback_other(struct journal *j, size_t server)
{
	set_other(j, server, "127.0.0.1:3479");
}

static void other_family(struct journal *j, size_t server)
{
	set_other(j, server, "[2001:db8::1]:3479");
}

static void mapped_other(struct journal *j, size_t server)
{
	set_other(j, server, "198.51.100.99:40000");
}

/* To be asked on the first port, too: and that one is ours. */
static void mapped_other_port(struct journal *j, size_t server)
{
	struct answer *a = &build_find(j, QUESTION_BINDING, server)->answer;

	a->mapped.port = a->mapped_plain.port = 3478;
	set_other(j, server, "198.51.100.99:3479");
}

/* A server behind the same NAT, on another port of its address. */
static void neighbour_other(struct journal *j, size_t server)
{
	set_other(j, server, "198.51.100.99:3479");
}

static void local_other(struct journal *j, size_t server)
{
	build_find(j, QUESTION_BINDING, server)->local = build_at("198.51.100.7:40000");
	set_other(j, server, "198.51.100.7:40000");
}

static void change_ignored(struct journal *j, size_t server)
{
	build_find(j, QUESTION_FILTERING_PORT, server)->state = OBSERVATION_CHANGE_IGNORED;
}

/* What became of all the controls. */
static void end_controls(
	struct journal *j, size_t server, enum observation_state ending, unsigned sent)
{
	for (size_t i = 0; i < j->observation_count; i++) {
		struct observation *o = &j->observations[i];

		if (o->question != QUESTION_CONTROL || o->server != server)
			continue;
		o->state = ending;
		o->sent = sent;
		o->error_code = ending == OBSERVATION_ERROR ? 420 : 0;
	}
}

static void control_ignored(struct journal *j, size_t server)
{
	build_find(j, QUESTION_CONTROL, server)->state = OBSERVATION_CHANGE_IGNORED;
}

static void change_refused(struct journal *j, size_t server)
{
	struct observation *o = build_find(j, QUESTION_FILTERING_ADDRESS, server);

	o->state = OBSERVATION_ERROR;
	o->error_code = 420;
}

static void silence(struct journal *j, enum question question, size_t server, unsigned sent)
{
	for (size_t i = 0; i < j->observation_count; i++) {
		struct observation *o = &j->observations[i];

		if (o->question != question || o->server != server ||
			endpoint_same_address(&o->to, &j->servers[server].endpoint))
			continue;
		o->state = OBSERVATION_SILENT;
		o->answers = 0;
		o->sent = sent;
	}
}

static void other_silent(struct journal *j, size_t server)
{
	silence(j, QUESTION_MAPPING, server, 5);
}

static void other_not_long_silent(struct journal *j, size_t server)
{
	silence(j, QUESTION_MAPPING, server, 1);
}

static void other_silent_alone(struct journal *j, size_t server)
{
	struct endpoint a2p1 = build_target(j, server, true, false);

	silence(j, QUESTION_MAPPING, server, 5);
	for (size_t i = 0; i < j->observation_count; i++)
		if (j->observations[i].question == QUESTION_MAPPING &&
			endpoint_equal(&j->observations[i].to, &a2p1))
			j->observations[i].server = JOURNAL_NONE; /* was not asked */
}

static void unproved(struct journal *j, size_t server)
{
	end_controls(j, server, OBSERVATION_SILENT, 5);
}

static void unproved_at_last(struct journal *j, size_t server)
{
	end_controls(j, server, OBSERVATION_SILENT, 1);
	build_find(j, QUESTION_CONTROL, server)->sent = 2;
}

static void hardly_tried(struct journal *j, size_t server)
{
	end_controls(j, server, OBSERVATION_ABANDONED, 1);
}

static void control_refused(struct journal *j, size_t server)
{
	end_controls(j, server, OBSERVATION_ERROR, 1); /* perhaps for its RESPONSE-PORT */
}

static void wrong_source(struct journal *j, size_t server)
{
	struct observation *o = build_find(j, QUESTION_FILTERING_ADDRESS, server);

	o->wrong_source = 1;
	o->wrong_from = build_at("192.0.2.66:1");
}

static void wrong_origin(struct journal *j, size_t server)
{
	build_find(j, QUESTION_BINDING, server)->answer.origin = build_at("203.0.113.1:9");
}

static void no_origin(struct journal *j, size_t server)
{
	build_find(j, QUESTION_BINDING, server)->answer.origin.family = FAMILY_NONE;
}

static void mapped_differs(struct journal *j, size_t server)
{
	build_find(j, QUESTION_BINDING, server)->answer.mapped_plain.port = 9;
}

static void no_mapped(struct journal *j, size_t server)
{
	build_find(j, QUESTION_BINDING, server)->answer.mapped.family = FAMILY_NONE;
}

static void some_garbage(struct journal *j, size_t server)
{
	build_find(j, QUESTION_BINDING, server)->malformed = 3;
}

#define NO_DEFECT DEFECT_COUNT

static void test_defects(void **state)
{
	static const struct {
		change *apply;
		enum server_status status;
		enum server_defect defect;
		bool counts, filters;
		const char *problem;
	} rows[] = {
		{nothing, SERVER_OK, NO_DEFECT, true, true, ""},
		{no_origin, SERVER_OK, NO_DEFECT, true, true, ""},
		{no_other, SERVER_OK, NO_DEFECT, true, false, ""},
		{self_as_other, SERVER_MISBEHAVING, DEFECT_SELF_AS_OTHER, true, false,
			"names its own address (203.0.113.1:3478) as its other address"},
		{own_address, SERVER_MISBEHAVING, DEFECT_SELF_AS_OTHER, true, false,
			"names its own address (203.0.113.1:3479) as its other address"},
		{own_port, SERVER_MISBEHAVING, DEFECT_SELF_AS_OTHER, true, false,
			"names its own port (203.0.114.1:3478) as its other address"},
		{private_other, SERVER_MISBEHAVING, DEFECT_OTHER_UNUSABLE, true, false,
			"its other address (192.168.0.1:3479) cannot be asked"},
		{multicast_other, SERVER_MISBEHAVING, DEFECT_OTHER_UNUSABLE, true, false,
			"its other address (224.0.0.1:3479) cannot be asked"},
		{loopback_other, SERVER_MISBEHAVING, DEFECT_OTHER_UNUSABLE, true, false,
			"its other address (127.0.0.1:3479) cannot be asked"},
		{other_family, SERVER_MISBEHAVING, DEFECT_OTHER_UNUSABLE, true, false,
			"its other address ([2001:db8::1]:3479) cannot be asked"},
		{mapped_other, SERVER_MISBEHAVING, DEFECT_OTHER_UNUSABLE, true, false,
			"its other address (198.51.100.99:40000) cannot be asked"},
		{mapped_other_port, SERVER_MISBEHAVING, DEFECT_OTHER_UNUSABLE, true, false,
			"its other address (198.51.100.99:3479) cannot be asked"},
		{neighbour_other, SERVER_OK, NO_DEFECT, true, true, ""},
		{local_other, SERVER_MISBEHAVING, DEFECT_OTHER_UNUSABLE, true, false,
			"its other address (198.51.100.7:40000) cannot be asked"},
		{change_ignored, SERVER_MISBEHAVING, DEFECT_CHANGE_IGNORED, true, false,
			"offers 203.0.114.1:3479 as other address, but ignores CHANGE-REQUEST"},
		{control_ignored, SERVER_MISBEHAVING, DEFECT_CHANGE_IGNORED, true, false,
			"offers 203.0.114.1:3479 as other address, but ignores CHANGE-REQUEST"},
		{change_refused, SERVER_OK, DEFECT_CHANGE_REFUSED, true, false,
			"answers CHANGE-REQUEST with error 420"},
		{other_silent, SERVER_OK, DEFECT_OTHER_SILENT, true, false,
			"its other address 203.0.114.1 gave no answer to 10 requests"},
		{other_silent_alone, SERVER_OK, DEFECT_OTHER_SILENT, true, false,
			"its other address 203.0.114.1 gave no answer to 5 requests"},
		{other_not_long_silent, SERVER_OK, NO_DEFECT, true, true, ""},
		{unproved, SERVER_OK, DEFECT_CHANGE_UNPROVED, true, true,
			"did not prove that it can answer from its other address (10 requests)"},
		{unproved_at_last, SERVER_OK, DEFECT_CHANGE_UNPROVED, true, true,
			"did not prove that it can answer from its other address (3 requests)"},
		{hardly_tried, SERVER_OK, NO_DEFECT, true, true, ""},
		{control_refused, SERVER_OK, NO_DEFECT, true, true, ""},
		{wrong_source, SERVER_MISBEHAVING, DEFECT_WRONG_SOURCE, true, false,
			"answered from 192.0.2.66:1, where nothing was asked"},
		{wrong_origin, SERVER_OK, DEFECT_ORIGIN, true, false,
			"answers from 203.0.113.1:3478, but says it was 203.0.113.1:9"},
		{mapped_differs, SERVER_MISBEHAVING, DEFECT_MAPPED_DIFFERS, false, false,
			"MAPPED-ADDRESS 198.51.100.99:9, but XOR-MAPPED-ADDRESS "
			"198.51.100.99:40000"},
		{no_mapped, SERVER_MISBEHAVING, DEFECT_NO_MAPPED, false, false,
			"its answers hold no mapped address"},
		{some_garbage, SERVER_OK, DEFECT_MALFORMED, true, true,
			"sent 3 datagrams that are no usable answer"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		size_t server = build_whole(j, 40000, "-NNY");
		const struct server_verdict *s;
		struct verdict v;

		rows[i].apply(j, server);
		judge(j, &v);
		s = &v.servers[server];
		if (strcmp(s->problem, rows[i].problem))
			fail_msg("row %zu: \"%s\"", i, s->problem);
		assert_string_equal(
			server_status_name(s->status), server_status_name(rows[i].status));
		assert_int_equal(s->counts, rows[i].counts);
		assert_int_equal(s->filters, rows[i].filters);
		for (int d = 0; d < DEFECT_COUNT; d++)
			assert_int_equal(s->defects[d], d == (int)rows[i].defect);
		/* what it cannot be believed about is not said */
		if (!s->filters || !s->changes)
			assert_int_equal(v.udp4.filtering, DEPENDENCE_UNKNOWN);
		else
			assert_int_equal(v.udp4.filtering, DEPENDENCE_ADDRESS_AND_PORT);
		if (!s->counts)
			assert_int_equal(v.udp4.mapping, DEPENDENCE_UNKNOWN);
		journal_destroy(j);
	}
}

/* --- servers that gave no answer --- */

static void refused(struct observation *o)
{
	o->state = OBSERVATION_REFUSED;
	o->icmp = (struct icmp_seen){
		.count = 3, .type = 3, .code = 3, .offender = build_at("203.0.113.1")};
}

static void no_route(struct observation *o)
{
	o->state = OBSERVATION_REFUSED;
	o->icmp = (struct icmp_seen){.count = 1, .local = true, .error = ENETUNREACH};
}

static void error_response(struct observation *o)
{
	o->state = OBSERVATION_ERROR;
	o->error_code = 401;
}

static void garbage(struct observation *o)
{
	o->malformed = 5;
}

static void elsewhere(struct observation *o)
{
	o->wrong_source = 5;
	o->wrong_from = build_at("203.0.113.1:99");
}

static void abandoned(struct observation *o)
{
	o->state = OBSERVATION_ABANDONED;
	o->sent = 2;
}

static void plain_silence(struct observation *o)
{
	o->sent = 5;
}

static void test_unanswered(void **state)
{
	static const struct {
		void (*apply)(struct observation *o);
		enum server_status status;
		enum server_defect defect;
		const char *problem;
	} rows[] = {
		{plain_silence, SERVER_TIMEOUT, NO_DEFECT, "no answer to 5 requests"},
		{abandoned, SERVER_TIMEOUT, NO_DEFECT, "no answer to 2 requests"},
		{refused, SERVER_UNREACHABLE, NO_DEFECT, "ICMP type 3 code 3 from 203.0.113.1"},
		{no_route, SERVER_UNREACHABLE, NO_DEFECT, "this host: Network is unreachable"},
		{error_response, SERVER_MISBEHAVING, DEFECT_NO_MAPPED,
			"answers a Binding request with error 401"},
		{garbage, SERVER_MISBEHAVING, DEFECT_MALFORMED,
			"sent 5 datagrams that are no usable answer"},
		{elsewhere, SERVER_MISBEHAVING, DEFECT_WRONG_SOURCE,
			"answered from 203.0.113.1:99, where nothing was asked"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		size_t server = build_server(j);
		struct verdict v;

		build_mapping(j, server, (int[4]){0, -1, -1, -1});
		rows[i].apply(&j->observations[0]);
		judge(j, &v);
		assert_string_equal(v.servers[0].problem, rows[i].problem);
		assert_string_equal(server_status_name(v.servers[0].status),
			server_status_name(rows[i].status));
		for (int d = 0; d < DEFECT_COUNT; d++)
			assert_int_equal(v.servers[0].defects[d], d == (int)rows[i].defect);
		assert_false(v.servers[0].counts);
		assert_int_equal(v.servers[0].answer_at, JOURNAL_NONE);
		journal_destroy(j);
	}
}

static void test_unresolved(void **state)
{
	struct journal_server server = {.name = "x.example",
		.resolution = SERVER_UNRESOLVED,
		.problem = "Name or service not known"};
	struct journal *j = build_journal();
	struct verdict v;
	size_t place;

	(void)state;
	journal_add_server(j, &server, &place);
	judge(j, &v);
	assert_int_equal(v.servers[0].status, SERVER_NOT_RESOLVED);
	assert_string_equal(v.servers[0].problem, "Name or service not known");
	assert_int_equal(v.udp4.status, PATH_UNTESTED);
	journal_destroy(j);
}

/* --- what is known about a good one --- */

static void test_facts(void **state)
{
	struct journal *j = build_journal();
	size_t server = build_whole(j, 40000, "NNNR");
	struct endpoint other = build_target(j, server, true, true);
	struct observation *o = build_find(j, QUESTION_BINDING, server);
	struct verdict v;

	(void)state;
	strcpy(o->answer.software, "natprobed 1");
	o->answer.has_observed = true;
	o->answer.observed.version = 1;
	build_find(j, QUESTION_MAPPING, server)->answer.t_us -= 20000;
	judge(j, &v);
	assert_string_equal(v.servers[server].software, "natprobed 1");
	assert_true(v.servers[server].ours);
	assert_true(v.servers[server].has_other);
	assert_true(v.servers[server].changes);
	assert_true(endpoint_equal(&v.servers[server].other, &other));
	assert_int_equal(v.servers[server].rtt_us, 30000); /* the smallest */
	assert_int_equal(v.servers[server].answer_at, 0);
	journal_destroy(j);
}

/* Changed answers prove that it can send them; receipts do not. */
static void test_changes(void **state)
{
	static const struct {
		const char *letters;
		bool changes;
		const char *problem;
	} rows[] = {
		{"NNNR", true, ""}, {"YYYU", true, ""}, {"NNYU", true, ""}, {"NYNU", true, ""},
		{"NNNU", false,
			"did not prove that it can answer from its other address (8 requests)"},
		{"-NNY", true, ""}, {"-NYN", true, ""}, {"-YNN", true, ""},
		{"-NNN", false,
			"did not prove that it can answer from its other address (16 requests)"},
		{"-NNS", false, ""}, {"-NN-", false, ""}, /* hardly tried */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		size_t server = build_whole(j, 40000, rows[i].letters);
		struct verdict v;

		judge(j, &v);
		assert_string_equal(v.servers[server].problem, rows[i].problem);
		assert_int_equal(v.servers[server].changes, rows[i].changes);
		assert_int_equal(
			v.servers[server].defects[DEFECT_CHANGE_UNPROVED], *rows[i].problem != 0);
		journal_destroy(j);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defects),
		cmocka_unit_test(test_unanswered),
		cmocka_unit_test(test_unresolved),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
