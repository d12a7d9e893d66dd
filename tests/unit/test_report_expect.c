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

#include "report/expect.h"

static const char document[] =
	"{\"udp\":{\"ipv4\":{\"nat\":true,\"mapping\":\"endpoint-independent\",\"alg\":null,"
	"\"rtt_ms\":0.1,\"port\":5000,\"external\":[{\"port\":1},{\"port\":2}],\"empty\":\"\","
	"\"equation\":\"a=b\"}},\"servers\":[{\"status\":\"ok\"},[7,8]],\"null\":\"null\"}";

static void test_compare(void **state)
{
	static const struct {
		const char *argument;
		enum expect_result result;
		const char *actual;
	} rows[] = {
		{"udp.ipv4.nat=true", EXPECT_MATCH, "true"},
		{"udp.ipv4.nat=false", EXPECT_MISMATCH, "true"},
		{"udp.ipv4.nat=True", EXPECT_MISMATCH, "true"},
		{"udp.ipv4.mapping=endpoint-independent", EXPECT_MATCH, "endpoint-independent"},
		{"udp.ipv4.mapping=\"endpoint-independent\"", EXPECT_MISMATCH,
			"endpoint-independent"},
		{"udp.ipv4.alg=null", EXPECT_MATCH, "null"},
		{"udp.ipv4.alg=", EXPECT_MISMATCH, "null"},
		{"udp.ipv4.empty=", EXPECT_MATCH, ""},
		{"udp.ipv4.equation=a=b", EXPECT_MATCH, "a=b"},
		{"udp.ipv4.rtt_ms=0.1", EXPECT_MATCH, "0.1"},
		{"udp.ipv4.port=5000", EXPECT_MATCH, "5000"},
		{"udp.ipv4.port=5000.0", EXPECT_MISMATCH, "5000"},
		{"udp.ipv4.external[1].port=2", EXPECT_MATCH, "2"},
		{"udp.ipv4.external.1.port=2", EXPECT_MATCH, "2"},
		{"udp.ipv4.external=[{\"port\":1},{\"port\":2}]", EXPECT_MATCH,
			"[{\"port\":1},{\"port\":2}]"},
		{"servers[1][0]=7", EXPECT_MATCH, "7"},
		{"servers.1[1]=8", EXPECT_MATCH, "8"},
		{"servers[0].status=ok", EXPECT_MATCH, "ok"},
		{"servers[0].status.x=ok", EXPECT_NO_PATH, ""},
		{"servers[2].status=ok", EXPECT_NO_PATH, ""},
		{"servers.x=ok", EXPECT_NO_PATH, ""},
		{"servers.-1=ok", EXPECT_NO_PATH, ""},
		{"servers.99999999999999999999=ok", EXPECT_NO_PATH, ""},
		{"tcp=1", EXPECT_NO_PATH, ""},
		{"null=null", EXPECT_MATCH, "null"},
	};
	json_t *d = json_loads(document, 0, NULL);

	(void)state;
	assert_non_null(d);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		enum expect_result result;
		char actual[64];

		assert_int_equal(expect_check_syntax(rows[i].argument), 0);
		assert_int_equal(
			expect_compare(d, rows[i].argument, &result, actual, sizeof(actual)), 0);
		assert_int_equal(result, rows[i].result);
		assert_string_equal(actual, rows[i].actual);
	}
	json_decref(d);
}

static void test_malformed(void **state)
{
	static const char *const rows[] = {"", "udp", "=", "=value", ".=1", "udp.=1", ".udp=1",
		"udp..ipv4=1", "a[=1", "a[]=1", "a[1=1", "a]=1", "a[1]b=1", "a.[1]=1", "[1=x",
		"a[1].=x", "a[[1]]=x"};
	json_t *d = json_loads(document, 0, NULL);
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		enum expect_result result;
		char actual[64] = "x";

		assert_int_equal(expect_check_syntax(rows[i]), -EINVAL);
		assert_int_equal(
			expect_compare(d, rows[i], &result, actual, sizeof(actual)), -EINVAL);
		assert_string_equal(actual, "");
	}
	memset(longest, 'k', sizeof(longest));
	memcpy(longest + sizeof(longest) - 3, "=1", 3);
	assert_int_equal(expect_check_syntax(longest), -EINVAL);
	json_decref(d);
}

static void test_actual_is_cut(void **state)
{
	json_t *d = json_loads(document, 0, NULL);
	enum expect_result result;
	char actual[5];

	(void)state;
	assert_int_equal(expect_compare(d, "udp.ipv4.mapping=endpoint-independent", &result, actual,
				 sizeof(actual)),
		0);
	assert_int_equal(result, EXPECT_MATCH);
	assert_string_equal(actual, "endp");
	json_decref(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_actual_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
