// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "journal_build.h"
#include "judge/private.h"

/* Plain servers with the external port that each saw; '!' marks those who must be found out. */
static void test_quorum(void **state)
{
	static const struct {
		struct {
			const char *endpoint;
			int external;
			bool wrong;
		} servers[5];
		enum dependence mapping;
	} rows[] = {
		/* two cannot outvote one another */
		{{{"192.0.2.1", 1, false}, {"192.0.2.2:9", 2, false}}, DEPENDENCE_UNKNOWN},
		/* two at different addresses, one of them on the port of the third */
		{{{"192.0.2.1", 1, false}, {"192.0.2.2", 1, false}, {"192.0.2.3", 2, true}},
			DEPENDENCE_UNKNOWN},
		{{{"192.0.2.1", 1, false}, {"192.0.2.2:9", 1, false}, {"192.0.2.3", 2, true}},
			DEPENDENCE_ENDPOINT_INDEPENDENT},
		/* a mapping by port would look just so */
		{{{"192.0.2.1", 1, false}, {"192.0.2.2", 1, false}, {"192.0.2.3:9", 2, false}},
			DEPENDENCE_UNKNOWN},
		/* a mapping by address would look just so */
		{{{"192.0.2.1", 1, false}, {"192.0.2.1:9", 1, false}, {"192.0.2.3", 2, false}},
			DEPENDENCE_ADDRESS},
		/* a mapping by both: all differ */
		{{{"192.0.2.1", 1, false}, {"192.0.2.2", 2, false}, {"192.0.2.3", 3, false}},
			DEPENDENCE_UNKNOWN},
		/* two liars of five; and two who lie alike */
		{{{"192.0.2.1", 1, false}, {"192.0.2.2:9", 1, false}, {"192.0.2.3", 1, false},
			 {"192.0.2.4", 2, true}, {"192.0.2.5:9", 3, true}},
			DEPENDENCE_ENDPOINT_INDEPENDENT},
		{{{"192.0.2.1", 1, false}, {"192.0.2.2:9", 1, false}, {"192.0.2.3", 1, false},
			 {"192.0.2.4", 2, true}, {"192.0.2.5:9", 2, true}},
			DEPENDENCE_ENDPOINT_INDEPENDENT},
		/* half and half */
		{{{"192.0.2.1", 1, false}, {"192.0.2.2", 1, false}, {"192.0.2.3", 2, false},
			 {"192.0.2.4", 2, false}},
			DEPENDENCE_UNKNOWN},
		/* one that gave no answer has no vote */
		{{{"192.0.2.1", 1, false}, {"192.0.2.2:9", 0, false}, {"192.0.2.3", 2, false}},
			DEPENDENCE_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		for (size_t k = 0; k < 5 && rows[i].servers[k].endpoint; k++)
			build_mapping(j, build_plain_server(j, rows[i].servers[k].endpoint),
				(int[4]){rows[i].servers[k].external});
		judge(j, &v);
		for (size_t k = 0; k < j->server_count; k++) {
			bool wrong = rows[i].servers[k].wrong;

			if (v.servers[k].defects[DEFECT_DISAGREES] != wrong)
				fail_msg("row %zu, server %zu", i, k);
			if (!wrong)
				continue;
			assert_int_equal(v.servers[k].status, SERVER_OK);
			assert_false(v.servers[k].counts);
			assert_false(v.servers[k].filters);
			assert_int_equal(v.udp4.external_count, 1); /* what it said is not shown */
		}
		if (v.udp4.mapping != rows[i].mapping)
			fail_msg("row %zu: %s", i, dependence_name(v.udp4.mapping));
		journal_destroy(j);
	}
}

static void test_words(void **state)
{
	struct journal *j = build_journal();
	struct verdict v;

	(void)state;
	build_mapping(j, build_plain_server(j, "192.0.2.1"), (int[4]){1111});
	build_mapping(j, build_plain_server(j, "192.0.2.2"), (int[4]){2222});
	build_mapping(j, build_plain_server(j, "192.0.2.3"), (int[4]){1111});
	judge(j, &v);
	assert_string_equal(v.servers[1].problem,
		"sees one socket on port 2222, the others see it on port 1111");
	journal_destroy(j);
}

#define NEAR	     "stands on this side of the NAT: it sees the inside endpoint"
#define SEES_INSIDE  "sees the inside endpoint, others do not"
#define SEES_OUTSIDE "sees a NAT, others do not"

/* Some see the local endpoint itself, others do not: who counts then, and is there a NAT? */
static void test_sides(void **state)
{
	static const struct {
		struct {
			const char *endpoint;
			char sees; /* i the inside endpoint; o another; '-' gave no answer */
			const char *problem; /* NULL: it counts */
		} servers[5];
		enum tri nat;
	} rows[] = {
		{{{"192.0.2.1", 'i', NULL}, {"192.0.2.2", 'i', NULL}}, TRI_NO},
		{{{"192.0.2.1", 'o', NULL}, {"192.0.2.2", 'o', NULL}}, TRI_YES},
		/* the majority */
		{{{"192.0.2.1", 'o', NULL}, {"192.0.2.2", 'o', NULL},
			 {"192.0.2.3", 'i', SEES_INSIDE}},
			TRI_YES},
		{{{"192.0.2.1", 'o', SEES_OUTSIDE}, {"192.0.2.2", 'i', NULL},
			 {"192.0.2.3", 'i', NULL}},
			TRI_NO},
		/* half and half: none */
		{{{"192.0.2.1", 'o', SEES_OUTSIDE}, {"192.0.2.2", 'i', SEES_INSIDE}}, TRI_UNKNOWN},
		{{{"192.0.2.1", 'o', NULL}, {"192.0.2.2", '-', NULL}}, TRI_YES},
		/* on this side of the NAT, however many */
		{{{"192.168.7.1", 'i', NEAR}, {"192.0.2.1", 'o', NULL}}, TRI_YES},
		{{{"192.168.7.1", 'i', NEAR}, {"10.0.1.7", 'i', NEAR}, {"192.0.2.1", 'o', NULL}},
			TRI_YES},
		{{{"192.168.7.1", 'i', NULL}}, TRI_NO},
		{{{"192.168.7.1", 'i', NULL}, {"192.0.2.1", 'i', NULL}}, TRI_NO},
		/* a NAT that only a private server sees shows nothing about which side is which */
		{{{"192.168.7.1", 'i', SEES_INSIDE}, {"192.168.8.1", 'o', SEES_OUTSIDE}},
			TRI_UNKNOWN},
		{{{"192.168.8.1", 'o', SEES_OUTSIDE}, {"192.0.2.1", 'i', SEES_INSIDE}},
			TRI_UNKNOWN},
		/* a near one has no vote among the others */
		{{{"192.168.7.1", 'i', NEAR}, {"192.0.2.1", 'o', SEES_OUTSIDE},
			 {"192.0.2.2", 'i', SEES_INSIDE}},
			TRI_UNKNOWN},
		{{{"192.168.7.1", 'i', NEAR}, {"192.0.2.1", 'o', NULL},
			 {"192.0.2.2", 'i', SEES_INSIDE}, {"192.0.2.3", 'o', NULL}},
			TRI_YES},
		/* the families are apart */
		{{{"192.0.2.1", 'o', NULL}, {"2001:db8:2::1", 'i', NULL}}, TRI_YES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		for (size_t k = 0; k < 5 && rows[i].servers[k].endpoint; k++) {
			struct observation *o = &j->observations[k];

			build_mapping(j, build_plain_server(j, rows[i].servers[k].endpoint),
				(int[4]){rows[i].servers[k].sees == '-' ? 0 : BUILD_SOCKET});
			if (rows[i].servers[k].sees == 'i')
				o->answer.mapped = o->answer.mapped_plain = o->local;
		}
		judge(j, &v);
		for (size_t k = 0; k < j->server_count; k++) {
			const char *problem = rows[i].servers[k].problem;
			const struct server_verdict *s = &v.servers[k];

			if (s->defects[DEFECT_DISAGREES] != (problem != NULL))
				fail_msg("row %zu, server %zu", i, k);
			if (rows[i].servers[k].sees == '-')
				continue;
			assert_string_equal(s->problem, problem ? problem : "");
			assert_int_equal(s->status, SERVER_OK);
			assert_int_equal(s->counts, !problem);
			if (problem)
				assert_false(s->filters);
		}
		if (v.udp4.nat != rows[i].nat)
			fail_msg("row %zu: %d", i, v.udp4.nat);
		assert_int_equal(v.udp4.status, PATH_OK);
		assert_int_equal(v.udp4.external_count, rows[i].nat ? 1 : 0);
		journal_destroy(j);
	}
}

/* One that is left out gives no word on filtering either. */
static void test_left_out(void **state)
{
	struct journal *j = build_journal();
	struct verdict v;
	size_t server;

	(void)state;
	build_mapping(j, build_plain_server(j, "192.0.2.1"), (int[4]){BUILD_SOCKET});
	build_mapping(j, build_plain_server(j, "192.0.2.2"), (int[4]){BUILD_SOCKET});
	server = build_whole(j, BUILD_SOCKET + 1, "NNNR");
	judge(j, &v);
	assert_true(v.servers[server].defects[DEFECT_DISAGREES]);
	assert_false(v.servers[server].filters);
	assert_int_equal(v.udp4.filtering, DEPENDENCE_UNKNOWN);
	journal_destroy(j);
}

/* Each mapping that a NAT can have, seen by honest servers anywhere: nobody is accused. */
static void test_honest(void **state)
{
	(void)state;
	for (unsigned placing = 0; placing < 1 << 10; placing++) {
		for (int kind = DEPENDENCE_ENDPOINT_INDEPENDENT; kind <= DEPENDENCE_PORT; kind++) {
			struct journal *j = build_journal();
			struct verdict v;

			/* five servers, each at one of two addresses and two ports */
			for (int k = 0; k < 5; k++) {
				int address = placing >> 2 * k & 1,
				    port = placing >> (2 * k + 1) & 1;
				bool by_address = kind == DEPENDENCE_ADDRESS ||
					kind == DEPENDENCE_ADDRESS_AND_PORT;
				bool by_port = kind == DEPENDENCE_PORT ||
					kind == DEPENDENCE_ADDRESS_AND_PORT;
				struct endpoint e = build_at(address ? "192.0.2.2" : "192.0.2.1");
				char text[ENDPOINT_TEXT];

				e.port = (uint16_t)(e.port + port);
				build_mapping(j, build_plain_server(j, endpoint_format(&e, text)),
					(int[4]){1 + (by_address ? 2 * address : 0) +
						(by_port ? port : 0)});
			}
			judge(j, &v);
			for (size_t k = 0; k < 5; k++)
				assert_false(v.servers[k].defects[DEFECT_DISAGREES]);
			assert_true(v.udp4.mapping == DEPENDENCE_UNKNOWN ||
				(int)v.udp4.mapping == kind);
			journal_destroy(j);
		}
	}
}

static void test_majority(void **state)
{
	static const struct {
		int values[5];
		int winner;
		bool agreed;
	} rows[] = {
		{{0, 0, 0, 0, 0}, 0, true},
		{{1, 0, 0, 0, 0}, 1, true},
		{{1, 1, 0, 0, 0}, 1, true},
		{{1, 2, 0, 0, 0}, 0, false},
		{{1, 2, 1, 0, 0}, 1, true},
		{{2, 2, 1, 1, 0}, 0, false},
		{{2, 2, 1, 1, 2}, 2, true},
		{{1, 1, 2, 3, 0}, 0, false}, /* two of four are no majority */
		{{3, 2, 3, 1, 3}, 3, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int winner = 99;

		assert_int_equal(majority(rows[i].values, 5, &winner), rows[i].agreed);
		assert_int_equal(winner, rows[i].winner);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quorum),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_sides),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_honest),
		cmocka_unit_test(test_majority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
