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

#include "base/serverlist.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		bool has_port;
		const char *endpoint;
	} rows[] = {
		{"stun.example.org", "stun.example.org", 3478, false, "none"},
		{"stun.example.org:5349", "stun.example.org", 5349, true, "none"},
		{"stun:stun.example.org", "stun.example.org", 3478, false, "none"},
		{"turn:stun.example.org:1", "stun.example.org", 1, true, "none"},
		{"localhost", "localhost", 3478, false, "none"},
		{"a", "a", 3478, false, "none"},
		{"1a", "1a", 3478, false, "none"},
		{"3com.example", "3com.example", 3478, false, "none"},
		{"x-y_z.example.", "x-y_z.example.", 3478, false, "none"},
		{"stun", "stun", 3478, false, "none"},
		{"192.0.2.1", "192.0.2.1", 3478, false, "192.0.2.1:3478"},
		{"192.0.2.1:9", "192.0.2.1", 9, false, "192.0.2.1:9"},
		{"stun:192.0.2.1:9", "192.0.2.1", 9, false, "192.0.2.1:9"},
		{"2001:db8::1", "2001:db8::1", 3478, false, "[2001:db8::1]:3478"},
		{"[2001:DB8::1]:9", "2001:db8::1", 9, false, "[2001:db8::1]:9"},
		{"stun:[2001:db8::1]:9", "2001:db8::1", 9, false, "[2001:db8::1]:9"},
		{"turn:2001:db8::1", "2001:db8::1", 3478, false, "[2001:db8::1]:3478"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[ENDPOINT_TEXT];
		struct server_spec s;

		if (server_parse(rows[i].text, 3478, &s))
			fail_msg("\"%s\" was not taken", rows[i].text);
		assert_string_equal(s.name, rows[i].text);
		assert_string_equal(s.host, rows[i].host);
		assert_int_equal(s.port, rows[i].port);
		if (s.endpoint.family == FAMILY_NONE)
			assert_int_equal(s.has_port, rows[i].has_port);
		assert_string_equal(endpoint_format(&s.endpoint, text), rows[i].endpoint);
	}
}

static void test_parse_errors(void **state)
{
	static const char *const rows[] = {"", "stun:", "turn:", ":", ":3478", "stun::1:2:3:x",
		"host:", "host:0", "host:65536", "host:x", "host:1:2", "ho st", " host", "host ",
		"-host", ".host", "host/", "http://host", "host?transport=udp", "[host]",
		"[host]:1", "[::1", "[::1]:0", "192.0.2.256", "192.0.2", "1.2.3.4.5", "127.1",
		"2130706433", "192.0.2.1:", "1.2.3.4.:5", "h\xc3\xb6st", "*", "$(id)", "`id`",
		"a;b", "host\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct server_spec s;

		if (server_parse(rows[i], 3478, &s) != -EINVAL)
			fail_msg("\"%s\" was taken for a server", rows[i]);
	}
}

/* RFC 1035: 253 characters are a name, 254 are none; and the buffers have their own end. */
static void test_long(void **state)
{
	(void)state;
	for (size_t length = 250; length < 300; length++) {
		char text[300];
		struct server_spec s;

		memset(text, 'a', length);
		text[length] = '\0';
		assert_int_equal(server_parse(text, 1, &s), length <= 253 ? 0 : -EINVAL);
	}
}

static int parse_list(const char *text, struct server_spec out[SERVERLIST_MAX], unsigned *line)
{
	return serverlist_parse(text, strlen(text), 3478, out, line);
}

static void test_list(void **state)
{
	struct server_spec out[SERVERLIST_MAX];
	unsigned line;

	(void)state;
	assert_int_equal(parse_list("", out, &line), 0);
	assert_int_equal(parse_list("\n\n# nothing\n   \t\r\n", out, &line), 0);
	assert_int_equal(parse_list("# servers\n"
				    "  a.example:1 # the first\r\n"
				    "\n"
				    "192.0.2.1\n"
				    "\tstun:b.example",
				 out, &line),
		3);
	assert_string_equal(out[0].host, "a.example");
	assert_int_equal(out[0].port, 1);
	assert_string_equal(out[1].host, "192.0.2.1");
	assert_string_equal(out[2].host, "b.example");
	assert_int_equal(out[2].port, 3478);
}

static void test_list_errors(void **state)
{
	static const struct {
		const char *text;
		int result;
		unsigned line;
	} rows[] = {
		{"a\nb c\nd\n", -EINVAL, 2},
		{"a\n\n#\n:1", -EINVAL, 4},
		{"host:0\n", -EINVAL, 1},
	};
	struct server_spec out[SERVERLIST_MAX];
	unsigned line;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(parse_list(rows[i].text, out, &line), rows[i].result);
		assert_int_equal(line, rows[i].line);
	}
	/* a NUL ends no line */
	assert_int_equal(serverlist_parse("a\nb\0c\n", 6, 1, out, &line), -EINVAL);
	assert_int_equal(line, 2);
}

static void test_list_full(void **state)
{
	struct server_spec out[SERVERLIST_MAX];
	char text[512] = "";
	unsigned line;

	(void)state;
	for (int i = 0; i < SERVERLIST_MAX; i++)
		strcat(text, "a.example\n");
	assert_int_equal(parse_list(text, out, &line), SERVERLIST_MAX);
	strcat(text, "#\n");
	assert_int_equal(parse_list(text, out, &line), SERVERLIST_MAX);
	strcat(text, "b.example\n");
	assert_int_equal(parse_list(text, out, &line), -ENOSPC);
	assert_int_equal(line, SERVERLIST_MAX + 2);
}

static void test_list_long_line(void **state)
{
	struct server_spec out[SERVERLIST_MAX];
	char text[2000];
	unsigned line;

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text + 1000, "a.example", 9);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(parse_list(text, out, &line), 1); /* blanks do not count */
	memset(text, '#', sizeof(text) - 1);
	assert_int_equal(parse_list(text, out, &line), 0);
	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(parse_list(text, out, &line), -EINVAL);
	assert_int_equal(line, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_errors),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_errors),
		cmocka_unit_test(test_list_full),
		cmocka_unit_test(test_list_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
