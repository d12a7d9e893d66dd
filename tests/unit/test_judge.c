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

#define EIM  DEPENDENCE_ENDPOINT_INDEPENDENT
#define ADM  DEPENDENCE_ADDRESS
#define APDM DEPENDENCE_ADDRESS_AND_PORT
#define PDM  DEPENDENCE_PORT

/* The names of RFC 3489 that people still search for. */
static void test_classic(void **state)
{
	static const struct {
		bool nat;
		int external[4];
		const char *letters; /* of the filtering question; see journal_build.h */
		const char *classic;
	} rows[] = {
		{false, {1, 1, 1, 1}, "YYYR", "open"},
		{false, {1, 1, 1, 1}, "NNYR", "symmetric-firewall"},
		{false, {1, 1, 1, 1}, "NNNR", "symmetric-firewall"},
		{false, {1, 1, 1, 1}, "FFFR", "unknown"},
		{true, {1, 1, 1, 1}, "YYYR", "full-cone"},
		{true, {1, 1, 1, 1}, "NNYR", "restricted-cone"},
		{true, {1, 1, 1, 1}, "NNNR", "port-restricted-cone"},
		{true, {1, 1, 1, 1}, "NYNR", "unknown"}, /* it has no name for that */
		{true, {1, 1, 1, 1}, "FFFR", "unknown"},
		{true, {1, 2, 3, 4}, "NNNR", "symmetric"},
		{true, {1, 1, 2, 2}, "YYYR", "symmetric"},
		{true, {1, 2, 1, 2}, "NNYR", "symmetric"},
		{true, {1, 2, 3, 4}, "FFFR", "symmetric"},
		{true, {1, 0, 0, 2}, "NNNR", "unknown"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct journal *j = build_journal();
		size_t server = build_server(j);
		struct verdict v;

		build_mapping(j, server, rows[i].external);
		build_filtering(j, server, rows[i].letters);
		for (size_t k = 0; !rows[i].nat && k < j->observation_count; k++)
			if (j->observations[k].question <= QUESTION_MAPPING)
				j->observations[k].local = j->observations[k].answer.mapped;
		judge(j, &v);
		if (strcmp(classic_name(v.udp4.classic), rows[i].classic))
			fail_msg("row %zu: %s", i, classic_name(v.udp4.classic));
		assert_string_equal(classic_name(v.udp6.classic), "unknown");
		journal_destroy(j);
	}
}

/* The same journal gives the same verdict, to the byte. */
static void test_pure(void **state)
{
	static struct verdict first, second;
	struct journal *j = build_journal();

	(void)state;
	build_whole(j, 40000, "NNNR");
	build_whole(j, 40001, "-NYY");
	memset(&first, 0xaa, sizeof(first));
	memset(&second, 0x55, sizeof(second));
	judge(j, &first);
	judge(j, &second);
	assert_memory_equal(&first, &second, sizeof(first));
	journal_destroy(j);
}

/* Every value has its own word; zero and what is no value are "unknown". */
static void test_names(void **state)
{
	(void)state;
#define EACH(name, type, first, last, zero)                                                      \
	do {                                                                                     \
		assert_string_equal(name((enum type)0), zero);                                   \
		for (int i = (first); i <= (int)(last); i++)                                     \
			for (int k = 0; k < i; k++)                                              \
				assert_string_not_equal(name((enum type)i), name((enum type)k)); \
	} while (0)
	EACH(dependence_name, dependence, EIM, PDM, "unknown");
	EACH(path_status_name, path_status, PATH_OK, PATH_UNREACHABLE, "untested");
	EACH(share_name, share, SHARE_ALWAYS, SHARE_NEVER, "unknown");
	EACH(allocation_name, allocation_pattern, ALLOCATION_PRESERVING, ALLOCATION_RANDOM,
		"unknown");
	EACH(pooling_name, pooling, POOLING_PAIRED, POOLING_ARBITRARY, "unknown");
	EACH(early_name, early_packet, EARLY_SILENT, EARLY_DELIVERED, "unknown");
	EACH(rejecter_name, rejecter, REJECTER_HOST, REJECTER_PATH, "unknown");
	EACH(classic_name, classic_class, CLASSIC_OPEN, CLASSIC_BLOCKED, "unknown");
	EACH(server_status_name, server_status, SERVER_TIMEOUT, SERVER_MISBEHAVING, "ok");
#undef EACH
	assert_string_equal(dependence_name(ADM), "address-dependent");
	assert_string_equal(dependence_name(APDM), "address-and-port-dependent");
	assert_string_equal(dependence_name((enum dependence)99), "unknown");
	assert_string_equal(server_status_name((enum server_status)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classic),
		cmocka_unit_test(test_pure),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
