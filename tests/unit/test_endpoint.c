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

#include "base/endpoint.h"

#define PORT 3478

static struct endpoint at(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, PORT, &e), 0);
	return e;
}

/* What is read and how it is written again. */
static void test_parse_and_format(void **state)
{
	static const struct {
		const char *text, *whole, *address;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1:3478", "192.0.2.1"},
		{"192.0.2.1:1", "192.0.2.1:1", "192.0.2.1"},
		{"192.0.2.1:65535", "192.0.2.1:65535", "192.0.2.1"},
		{"0.0.0.0", "0.0.0.0:3478", "0.0.0.0"},
		{"255.255.255.255:9", "255.255.255.255:9", "255.255.255.255"},
		{"2001:db8::1", "[2001:db8::1]:3478", "2001:db8::1"},
		{"[2001:db8::1]", "[2001:db8::1]:3478", "2001:db8::1"},
		{"[2001:db8::1]:53", "[2001:db8::1]:53", "2001:db8::1"},
		{"2001:DB8:0:0:0:0:0:1", "[2001:db8::1]:3478", "2001:db8::1"}, /* RFC 5952 */
		{"2001:db8:0:0:1:0:0:1", "[2001:db8::1:0:0:1]:3478", "2001:db8::1:0:0:1"},
		{"::", "[::]:3478", "::"},
		{"::1", "[::1]:3478", "::1"},
		{"::ffff:192.0.2.1", "[::ffff:192.0.2.1]:3478", "::ffff:192.0.2.1"},
		{"fe80::1%7", "[fe80::1%7]:3478", "fe80::1%7"},
		{"[fe80::1%7]:9", "[fe80::1%7]:9", "fe80::1%7"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295",
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:3478",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct endpoint e = at(rows[i].text), again;
		char text[ENDPOINT_TEXT];

		assert_string_equal(endpoint_format_address(&e, text), rows[i].address);
		assert_string_equal(endpoint_format(&e, text), rows[i].whole);
		assert_int_equal(endpoint_parse(text, 1, &again), 0);
		assert_true(endpoint_equal(&e, &again));
		assert_int_equal(e.scope, again.scope);
	}
}

static void test_parse_errors(void **state)
{
	static const char *const rows[] = {"", " ", "localhost", "192.0.2", "192.0.2.256",
		"192.0.2.1.1", " 192.0.2.1", "192.0.2.1 ", "192.0.2.1:", "192.0.2.1:0",
		"192.0.2.1:65536", "192.0.2.1:99999999999999999999", "192.0.2.1:-1", "192.0.2.1:+1",
		"192.0.2.1:1x", "192.0.2.1%1", "[192.0.2.1]:80", "[192.0.2.1]", "[", "[]", "[]:80",
		"[::1", "::1]", "[::1]80", "[::1]:", "[::1]:0", "[::1]:65536", "[::1]::", ":80",
		":", ":::", "1::2::3", "g::1", "fe80::1%", "fe80::1%0", "fe80::1%nosuchinterface",
		"fe80::1%4294967296", "%1",
		/* longer than any can be */
		"2001:db8:1111:2222:3333:4444:5555:6666%7777777777777777777777777777777777777"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct endpoint e;

		if (endpoint_parse(rows[i], PORT, &e) != -EINVAL)
			fail_msg("\"%s\" was taken for an endpoint", rows[i]);
	}
}

static void test_format_none(void **state)
{
	struct endpoint none = {0};
	char text[ENDPOINT_TEXT];

	(void)state;
	assert_string_equal(endpoint_format(&none, text), "none");
	assert_string_equal(endpoint_format_address(&none, text), "none");
}

static void test_equal(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal, same_address;
	} rows[] = {
		{"192.0.2.1:1", "192.0.2.1:1", true, true},
		{"192.0.2.1:1", "192.0.2.1:2", false, true},
		{"192.0.2.1:1", "192.0.2.2:1", false, false},
		{"[2001:db8::1]:1", "[2001:db8::1]:1", true, true},
		{"[2001:db8::1]:1", "[2001:db8::2]:1", false, false},
		{"192.0.2.1:1", "[::ffff:192.0.2.1]:1", false, false},
		{"[c000:201::]:1", "192.0.2.1:1", false, false}, /* the same first four bytes */
	};
	struct endpoint none = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct endpoint a = at(rows[i].a), b = at(rows[i].b);

		assert_int_equal(endpoint_equal(&a, &b), rows[i].equal);
		assert_int_equal(endpoint_equal(&b, &a), rows[i].equal);
		assert_int_equal(endpoint_same_address(&a, &b), rows[i].same_address);
	}
	assert_false(endpoint_equal(&none, &none)); /* nothing is not somewhere */
	assert_int_equal(endpoint_address_length(FAMILY_IPV4), 4);
	assert_int_equal(endpoint_address_length(FAMILY_IPV6), 16);
	assert_int_equal(endpoint_address_length(FAMILY_NONE), 0);
}

/* U unicast, L loopback, P private, S shared (RFC 6598); addresses at both edges of each range. */
static void test_kinds(void **state)
{
	static const struct {
		const char *text, *kinds;
	} rows[] = {
		{"0.0.0.0", ""},
		{"0.255.255.255", ""},
		{"1.0.0.0", "U"},
		{"9.255.255.255", "U"},
		{"10.0.0.0", "UP"},
		{"10.255.255.255", "UP"},
		{"11.0.0.0", "U"},
		{"100.63.255.255", "U"},
		{"100.64.0.0", "UPS"},
		{"100.127.255.255", "UPS"},
		{"100.128.0.0", "U"},
		{"126.255.255.255", "U"},
		{"127.0.0.1", "UL"},
		{"127.255.255.255", "UL"},
		{"128.0.0.0", "U"},
		{"169.253.255.255", "U"},
		{"169.254.0.0", "UP"},
		{"169.255.0.0", "U"},
		{"172.15.255.255", "U"},
		{"172.16.0.0", "UP"},
		{"172.31.255.255", "UP"},
		{"172.32.0.0", "U"},
		{"192.167.255.255", "U"},
		{"192.168.0.0", "UP"},
		{"192.169.0.0", "U"},
		{"223.255.255.255", "U"},
		{"224.0.0.0", ""},
		{"239.255.255.255", ""},
		{"240.0.0.1", ""},
		{"255.255.255.255", ""},
		{"::", ""},
		{"::1", "UL"},
		{"::2", "U"},
		{"2001:db8::1", "U"},
		{"fbff::1", "U"},
		{"fc00::1", "UP"},
		{"fdff::1", "UP"},
		{"fe00::1", "U"},
		{"fe7f::1", "U"},
		{"fe80::1", "UP"},
		{"febf::1", "UP"},
		{"fec0::1", "U"},
		{"ff02::1", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct endpoint e = at(rows[i].text);
		char kinds[5] = "";

		strcat(kinds, endpoint_is_unicast(&e) ? "U" : "");
		strcat(kinds, endpoint_is_loopback(&e) ? "L" : "");
		strcat(kinds, endpoint_is_private(&e) ? "P" : "");
		strcat(kinds, endpoint_is_shared(&e) ? "S" : "");
		if (strcmp(kinds, rows[i].kinds))
			fail_msg("%s is \"%s\", not \"%s\"", rows[i].text, kinds, rows[i].kinds);
		e.port = 0;
		assert_false(endpoint_is_unicast(&e));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_format),
		cmocka_unit_test(test_parse_errors),
		cmocka_unit_test(test_format_none),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
