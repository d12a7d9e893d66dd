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
			assert_int_equal(v.servers[k].status, SERVER_MISBEHAVING);
			assert_false(v.servers[k].counts);
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
		cmocka_unit_test(test_honest),
		cmocka_unit_test(test_majority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
