// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "journal_build.h"
#include "judge/private.h"

#define EIM	       DEPENDENCE_ENDPOINT_INDEPENDENT
#define ADM	       DEPENDENCE_ADDRESS
#define APDM	       DEPENDENCE_ADDRESS_AND_PORT
#define PDM	       DEPENDENCE_PORT
#define NONE	       DEPENDENCE_UNKNOWN

#define CHANGED	       "the mapping changed while it was measured: measure again"
#define CONTRADICT     "the servers contradict each other"
#define NO_PORT_NO     "independent of the address; no server answered on a second port"
#define NO_PORT_YES    "depends on the address; no server answered on a second port"
#define NO_ADDRESS_NO  "independent of the port; no server answered on a second address"
#define NO_ADDRESS_YES "depends on the port; no server answered on a second address"
#define ONE_ENDPOINT   "only one endpoint of a server answered"

/* One server: external ports towards A1P1, A1P2, A2P1, A2P2 (0: silence), and what follows. */
static void test_one_server(void **state)
{
	static const struct {
		int external[4];
		enum dependence mapping;
		enum tri by_address, by_port;
		const char *why;
	} rows[] = {
		/* everything known */
		{{1, 1, 1, 1}, EIM, TRI_NO, TRI_NO, ""},
		{{1, 1, 2, 2}, ADM, TRI_YES, TRI_NO, ""},
		{{1, 2, 1, 2}, PDM, TRI_NO, TRI_YES, ""},
		{{1, 2, 3, 4}, APDM, TRI_YES, TRI_YES, ""},
		/* one answer missing */
		{{1, 1, 1, 0}, EIM, TRI_NO, TRI_NO, ""},
		{{1, 1, 0, 1}, EIM, TRI_NO, TRI_NO, ""},
		{{1, 0, 1, 1}, EIM, TRI_NO, TRI_NO, ""},
		{{1, 1, 2, 0}, ADM, TRI_YES, TRI_NO, ""},
		{{1, 1, 0, 2}, ADM, TRI_YES, TRI_NO, ""},
		{{1, 0, 2, 2}, ADM, TRI_YES, TRI_NO, ""},
		{{1, 2, 1, 0}, PDM, TRI_NO, TRI_YES, ""},
		{{1, 2, 0, 2}, PDM, TRI_NO, TRI_YES, ""},
		{{1, 0, 1, 2}, PDM, TRI_NO, TRI_YES, ""},
		{{1, 2, 3, 0}, APDM, TRI_YES, TRI_YES, ""},
		{{1, 2, 0, 3}, APDM, TRI_YES, TRI_YES, ""},
		{{1, 0, 2, 3}, APDM, TRI_YES, TRI_YES, ""},
		/* two missing */
		{{1, 0, 0, 1}, EIM, TRI_NO, TRI_NO, ""},
		{{1, 0, 0, 2}, NONE, TRI_UNKNOWN, TRI_UNKNOWN, ONE_ENDPOINT},
		{{1, 1, 0, 0}, NONE, TRI_UNKNOWN, TRI_NO, NO_ADDRESS_NO},
		{{1, 2, 0, 0}, NONE, TRI_UNKNOWN, TRI_YES, NO_ADDRESS_YES},
		{{1, 0, 1, 0}, NONE, TRI_NO, TRI_UNKNOWN, NO_PORT_NO},
		{{1, 0, 2, 0}, NONE, TRI_YES, TRI_UNKNOWN, NO_PORT_YES},
		/* all but the first */
		{{1, 0, 0, 0}, NONE, TRI_UNKNOWN, TRI_UNKNOWN, ONE_ENDPOINT},
		/* comparisons that contradict each other */
		{{1, 1, 1, 2}, NONE, TRI_UNKNOWN, TRI_UNKNOWN, CHANGED},
		{{1, 1, 2, 1}, NONE, TRI_UNKNOWN, TRI_UNKNOWN, CHANGED},
		{{1, 2, 1, 1}, NONE, TRI_UNKNOWN, TRI_UNKNOWN, CHANGED},
		{{1, 2, 2, 2}, NONE, TRI_UNKNOWN, TRI_UNKNOWN, CHANGED},
		{{1, 1, 2, 3}, NONE, TRI_YES, TRI_UNKNOWN, CHANGED},
		{{1, 2, 1, 3}, NONE, TRI_UNKNOWN, TRI_YES, CHANGED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		build_mapping(j, build_server(j), rows[i].external);
		judge(j, &v);
		if (v.udp4.mapping != rows[i].mapping)
			fail_msg("row %zu: %s", i, dependence_name(v.udp4.mapping));
		assert_int_equal(v.udp4.mapping_by_address, rows[i].by_address);
		assert_int_equal(v.udp4.mapping_by_port, rows[i].by_port);
		assert_string_equal(v.udp4.mapping_basis.text, rows[i].why);
		assert_in_range(v.udp4.mapping_basis.evidence_count, 1, 4);
		journal_destroy(j);
	}
}

/* Whatever part of the answers is there: what is said is right. */
static void test_partial_knowledge(void **state)
{
	static const struct {
		int external[4];
		enum dependence mapping;
	} kinds[] = {{{1, 1, 1, 1}, EIM}, {{1, 1, 2, 2}, ADM}, {{1, 2, 1, 2}, PDM},
		{{1, 2, 3, 4}, APDM}};

	(void)state;
	for (size_t k = 0; k < 4; k++) {
		for (unsigned mask = 0; mask < 16; mask++) {
			struct journal *j = build_journal();
			int external[4];
			struct verdict v;

			for (int i = 0; i < 4; i++)
				external[i] = mask >> i & 1 ? kinds[k].external[i] : 0;
			build_mapping(j, build_server(j), external);
			judge(j, &v);
			if (v.udp4.mapping)
				assert_int_equal(v.udp4.mapping, kinds[k].mapping);
			else
				assert_true(*v.udp4.mapping_basis.text != '\0');
			if (mask == 15)
				assert_int_equal(v.udp4.mapping, kinds[k].mapping);
			journal_destroy(j);
		}
	}
}

/* Several servers with two addresses each. */
static void test_servers(void **state)
{
	static const struct {
		int external[5][4];
		size_t servers;
		enum dependence mapping;
		const char *why;
	} rows[] = {
		{{{1, 1, 1, 1}, {1, 1, 1, 1}}, 2, EIM, ""},
		{{{1, 1, 2, 2}, {3, 3, 4, 4}}, 2, ADM, ""},
		{{{1, 2, 1, 2}, {1, 2, 1, 2}}, 2, PDM, ""},
		{{{1, 2, 3, 4}, {5, 6, 7, 8}}, 2, APDM, ""},
		{{{1, 1, 0, 0}, {2, 0, 3, 0}}, 2, ADM,
			""}, /* what one does not know the other does */
		{{{1, 0, 0, 0}, {1, 1, 1, 1}}, 2, EIM, ""},
		{{{1, 1, 1, 1}, {2, 3, 4, 5}}, 2, NONE, CONTRADICT},
		{{{1, 1, 2, 2}, {3, 4, 5, 6}}, 2, NONE, CONTRADICT},
		{{{1, 1, 2, 2}, {3, 4, 5, 6}, {7, 7, 8, 8}}, 3, ADM, ""}, /* two against one */
		{{{1, 2, 3, 4}, {5, 5, 5, 5}, {6, 7, 8, 9}}, 3, APDM, ""},
		{{{1, 1, 2, 2}, {3, 3, 4, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}}, 4, NONE, CONTRADICT},
		{{{1, 1, 2, 2}, {3, 3, 4, 4}, {5, 6, 7, 8}, {9, 9, 10, 10}, {11, 11, 12, 12}}, 5,
			ADM, ""},
		/* each for itself sees no change, and they see different ports */
		{{{1, 1, 1, 1}, {2, 2, 2, 2}}, 2, NONE,
			"servers disagree about the mapping of one socket, and none is outvoted"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		for (size_t s = 0; s < rows[i].servers; s++)
			build_mapping(j, build_server(j), rows[i].external[s]);
		judge(j, &v);
		if (v.udp4.mapping != rows[i].mapping)
			fail_msg("row %zu: %s", i, dependence_name(v.udp4.mapping));
		assert_string_equal(v.udp4.mapping_basis.text, rows[i].why);
		journal_destroy(j);
	}
}

/* Plain servers: endpoint and the external port that it saw. */
static void test_plain_servers(void **state)
{
	static const struct {
		struct {
			const char *endpoint;
			int external;
		} servers[5];
		enum dependence mapping;
		enum tri by_address, by_port;
		const char *why;
	} rows[] = {
		{{{"192.0.2.1", 1}}, NONE, TRI_UNKNOWN, TRI_UNKNOWN, ONE_ENDPOINT},
		{{{"192.0.2.1", 1}, {"192.0.2.2", 1}}, NONE, TRI_NO, TRI_UNKNOWN, NO_PORT_NO},
		{{{"192.0.2.1", 1}, {"192.0.2.2", 2}}, NONE, TRI_YES, TRI_UNKNOWN, NO_PORT_YES},
		{{{"192.0.2.1", 1}, {"192.0.2.1:9", 1}}, NONE, TRI_UNKNOWN, TRI_NO, NO_ADDRESS_NO},
		{{{"192.0.2.1", 1}, {"192.0.2.1:9", 2}}, NONE, TRI_UNKNOWN, TRI_YES,
			NO_ADDRESS_YES},
		{{{"192.0.2.1", 1}, {"192.0.2.2:9", 1}}, EIM, TRI_NO, TRI_NO, ""},
		{{{"192.0.2.1", 1}, {"192.0.2.2:9", 2}}, NONE, TRI_UNKNOWN, TRI_UNKNOWN,
			ONE_ENDPOINT},
		{{{"192.0.2.1", 1}, {"192.0.2.1:9", 1}, {"192.0.2.2", 2}}, ADM, TRI_YES, TRI_NO,
			""},
		{{{"192.0.2.1", 1}, {"192.0.2.1:9", 2}, {"192.0.2.2", 1}}, PDM, TRI_NO, TRI_YES,
			""},
		{{{"192.0.2.1", 1}, {"192.0.2.1:9", 2}, {"192.0.2.2", 3}}, APDM, TRI_YES, TRI_YES,
			""},
		/* one difference is final, whatever is the same after it */
		{{{"192.0.2.1", 1}, {"192.0.2.2", 1}, {"192.0.2.3", 2}, {"192.0.2.4", 2}}, NONE,
			TRI_YES, TRI_UNKNOWN, NO_PORT_YES},
		{{{"192.0.2.1", 1}, {"192.0.2.1:9", 2}, {"192.0.2.1:10", 2}}, NONE, TRI_UNKNOWN,
			TRI_YES, NO_ADDRESS_YES},
		{{{"192.0.2.1", 1}, {"192.0.2.2", 2}, {"192.0.2.3:9", 2}, {"192.0.2.4:10", 1}}, ADM,
			TRI_YES, TRI_NO, ""},
		{{{"192.0.2.1", 1}, {"192.0.2.1:9", 2}, {"192.0.2.2:10", 2}, {"192.0.2.3:11", 1}},
			PDM, TRI_NO, TRI_YES, ""},
		/* two servers at one and the same endpoint tell nothing about another */
		{{{"192.0.2.1", 1}, {"192.0.2.1", 1}}, NONE, TRI_UNKNOWN, TRI_UNKNOWN,
			ONE_ENDPOINT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		struct verdict v;

		for (size_t s = 0; s < 5 && rows[i].servers[s].endpoint; s++)
			build_mapping(j, build_plain_server(j, rows[i].servers[s].endpoint),
				(int[4]){rows[i].servers[s].external});
		judge(j, &v);
		if (v.udp4.mapping != rows[i].mapping)
			fail_msg("row %zu: %s", i, dependence_name(v.udp4.mapping));
		assert_int_equal(v.udp4.mapping_by_address, rows[i].by_address);
		assert_int_equal(v.udp4.mapping_by_port, rows[i].by_port);
		assert_string_equal(v.udp4.mapping_basis.text, rows[i].why);
		journal_destroy(j);
	}
}

/* Another address with the same port is pooling, and no other kind of mapping (RFC 4787 4.1). */
static void test_addresses_apart(void **state)
{
	struct journal *j = build_journal();
	size_t server = build_server(j);
	struct verdict v;

	(void)state;
	build_mapping(j, server, (int[4]){1, 1, 1, 1});
	j->observations[2].answer.mapped.address[3] = 98;
	j->observations[2].answer.mapped_plain = j->observations[2].answer.mapped;
	judge(j, &v);
	assert_int_equal(v.udp4.mapping, EIM);
	assert_int_equal(v.udp4.pooling, POOLING_ARBITRARY);
	journal_destroy(j);
}

/* IPv4 and IPv6 are judged apart. */
static void test_families(void **state)
{
	struct journal *j = build_journal();
	struct verdict v;

	(void)state;
	build_mapping(j, build_server(j), (int[4]){1, 1, 2, 2});
	build_mapping(j, build_plain_server(j, "2001:db8:2::1"), (int[4]){7});
	build_mapping(j, build_plain_server(j, "[2001:db8:2::2]:9"), (int[4]){7});
	judge(j, &v);
	assert_int_equal(v.udp4.mapping, ADM);
	assert_int_equal(v.udp6.mapping, EIM);
	journal_destroy(j);
}

static void test_no_answer(void **state)
{
	struct journal *j = build_journal();
	struct verdict v;

	(void)state;
	build_mapping(j, build_server(j), (int[4]){0, -1, -1, -1});
	judge(j, &v);
	assert_int_equal(v.udp4.mapping, NONE);
	assert_string_equal(v.udp4.mapping_basis.text, "no server answered");
	journal_destroy(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_server),
		cmocka_unit_test(test_partial_knowledge),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_plain_servers),
		cmocka_unit_test(test_addresses_apart),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
