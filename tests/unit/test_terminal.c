// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/terminal.h"

static void set(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static void test_color_words(void **state)
{
	enum color_when when;

	(void)state;
	assert_int_equal(terminal_color_from_text("auto", &when), 0);
	assert_int_equal(when, COLOR_AUTO);
	assert_int_equal(terminal_color_from_text("always", &when), 0);
	assert_int_equal(when, COLOR_ALWAYS);
	assert_int_equal(terminal_color_from_text("never", &when), 0);
	assert_int_equal(when, COLOR_NEVER);
	assert_int_equal(terminal_color_from_text("", &when), -EINVAL);
	assert_int_equal(terminal_color_from_text("yes", &when), -EINVAL);
}

static void test_color_decision(void **state)
{
	static const struct {
		enum color_when when;
		const char *no_color, *force, *term;
		bool terminal, expected;
	} rows[] = {
		{COLOR_ALWAYS, "1", NULL, "dumb", false, true},
		{COLOR_NEVER, NULL, "1", "xterm", true, false},
		{COLOR_AUTO, NULL, NULL, "xterm", true, true},
		{COLOR_AUTO, "", NULL, "xterm", true, true}, /* empty does not count */
		{COLOR_AUTO, "1", NULL, "xterm", true, false},
		{COLOR_AUTO, "1", "1", "xterm", true, false},
		{COLOR_AUTO, NULL, NULL, "dumb", true, false},
		{COLOR_AUTO, NULL, NULL, NULL, true, false},
		{COLOR_AUTO, NULL, NULL, "", true, false},
		{COLOR_AUTO, NULL, NULL, "xterm", false, false},
		{COLOR_AUTO, NULL, "1", NULL, false, true},
		{COLOR_AUTO, NULL, "0", "xterm", false, false},
	};
	int terminal = posix_openpt(O_RDWR | O_NOCTTY), file = open("/dev/null", O_RDWR);

	(void)state;
	assert_true(file >= 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].terminal && terminal < 0)
			continue; /* no pseudo terminals here */
		set("NO_COLOR", rows[i].no_color);
		set("CLICOLOR_FORCE", rows[i].force);
		set("TERM", rows[i].term);
		assert_int_equal(terminal_color(rows[i].when, rows[i].terminal ? terminal : file),
			rows[i].expected);
	}
	if (terminal >= 0)
		close(terminal);
	close(file);
}

static void test_width(void **state)
{
	static const struct {
		const char *columns;
		unsigned expected;
	} rows[] = {{NULL, 80}, {"", 80}, {"x", 80}, {"0", 80}, {"-5", 80}, {"100", 100},
		{"7", TERMINAL_WIDTH_MIN}, {"99999", TERMINAL_WIDTH_MAX}};
	int file = open("/dev/null", O_RDWR);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		set("COLUMNS", rows[i].columns);
		assert_int_equal(terminal_width(file), rows[i].expected);
	}
	close(file);
}

static void test_escape(void **state)
{
	static const struct {
		const char *text, *utf8, *ascii;
	} rows[] = {
		{"", "", ""},
		{"plain <b>&\"' text\\", "plain <b>&\"' text\\", "plain <b>&\"' text\\"},
		{"\033[2J\a\b\r\n\t\x7f", "\\x1b[2J\\x07\\x08\\x0d\\x0a\\x09\\x7f",
			"\\x1b[2J\\x07\\x08\\x0d\\x0a\\x09\\x7f"},
		{"\xc2\x9b"
		 "31m",
			"\\xc2\\x9b31m", "\\xc2\\x9b31m"}, /* C1: CSI */
		{"\x9b"
		 "31m",
			"\\x9b31m", "\\x9b31m"}, /* the same as a bare byte */
		{"M\xc3\xbcller", "M\xc3\xbcller", "M\\xc3\\xbcller"},
		{"a\xe2\x80\xae"
		 "b",
			"a\\xe2\\x80\\xaeb", "a\\xe2\\x80\\xaeb"}, /* right-to-left override */
		{"\xe2\x81\xa6\xe2\x80\x8b\xef\xbb\xbf", /* isolate, zero width space, BOM */
			"\\xe2\\x81\\xa6\\xe2\\x80\\x8b\\xef\\xbb\\xbf",
			"\\xe2\\x81\\xa6\\xe2\\x80\\x8b\\xef\\xbb\\xbf"},
		{"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81", "\\xf3\\xa0\\x81\\x81"}, /* tag A */
		{"\xff\xc3", "\\xff\\xc3", "\\xff\\xc3"},
		{"\xc0\x80\xed\xa0\x80", "\\xc0\\x80\\xed\\xa0\\x80", "\\xc0\\x80\\xed\\xa0\\x80"},
		{"\xf0\x9f\x92\xa9", "\xf0\x9f\x92\xa9", "\\xf0\\x9f\\x92\\xa9"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *utf8 = terminal_escape(rows[i].text, true);
		char *ascii = terminal_escape(rows[i].text, false);

		assert_string_equal(utf8, rows[i].utf8);
		assert_string_equal(ascii, rows[i].ascii);
		free(utf8);
		free(ascii);
	}
}

static void test_valid_utf8(void **state)
{
#define R "\xef\xbf\xbd"
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"", ""},
		{"M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x92\xa9",
			"M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x92\xa9"},
		{"a\xff"
		 "b",
			"a" R "b"},
		{"a\xc3", "a" R}, /* cut off */
		{"\xe2\x82", R R}, {"\xe2\x28\xa1", R "(" R}, {"\xc0\xaf", R R}, /* overlong "/" */
		{"\xe0\x80\xaf", R R R}, {"\xed\xa0\x80", R R R}, /* surrogate */
		{"\xf4\x90\x80\x80", R R R R}, /* beyond U+10FFFF */
		{"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
		{"\x01\x1b", "\x01\x1b"}, /* control characters are valid: JSON escapes them */
	};
#undef R

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *valid = terminal_valid_utf8(rows[i].text);

		assert_string_equal(valid, rows[i].expected);
		free(valid);
	}
}

static void test_fit(void **state)
{
	static const struct {
		const char *text;
		size_t columns, bytes;
		const char *next;
	} rows[] = {
		{"", 10, 0, ""}, {"short", 10, 5, ""}, {"exactly ten", 11, 11, ""},
		{"two words", 5, 3, "words"}, {"two words", 8, 3, "words"},
		{"two   words", 8, 5, "words"}, /* the space at the end of the line is kept */
		{"abcdefgh", 3, 3, "defgh"},
		{"abc defgh", 3, 3, "defgh"}, /* ends where a space begins */
		{"M\xc3\xbcller", 2, 3, "ller"}, /* columns, not bytes */
		{"x", 0, 1, ""}, /* never stands still */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *next;

		assert_int_equal(terminal_fit(rows[i].text, rows[i].columns, &next), rows[i].bytes);
		assert_string_equal(next, rows[i].next);
	}
	assert_int_equal(terminal_columns("M\xc3\xbcller"), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_color_words),
		cmocka_unit_test(test_color_decision),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_valid_utf8),
		cmocka_unit_test(test_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
