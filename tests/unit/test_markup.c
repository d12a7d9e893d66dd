// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/markup.h"

static void test_text(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"", ""},
		{"plain, \xc3\xa4 \xe2\x9c\x97 \xf0\x9f\x92\xa9",
			"plain, \xc3\xa4 \xe2\x9c\x97 \xf0\x9f\x92\xa9"},
		{"<b a=\"1\" c='2'>&amp;", "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;"},
		{"]]>", "]]&gt;"},
		{"\033[2J\t\n\x7f", "[U+001B][2J[U+0009][U+000A][U+007F]"},
		{"\xc2\x9b"
		 "31m",
			"[U+009B]31m"},
		{"a\xe2\x80\xae"
		 "b\xe2\x81\xa6",
			"a[U+202E]b[U+2066]"}, /* override, isolate */
		{"\xef\xbb\xbf\xf3\xa0\x81\x81", "[U+FEFF][U+E0041]"}, /* byte order mark, tag */
		{"\xef\xbf\xbe\xef\xbf\xbf\xef\xb7\x90\xf4\x8f\xbf\xbf",
			"[U+FFFE][U+FFFF][U+FDD0][U+10FFFF]"}, /* no characters of XML */
		{"\xff\xed\xa0\x80<", "[0xff][0xed][0xa0][0x80]&lt;"},
		{"\xe2\x80", "[0xe2][0x80]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *text = NULL;
		size_t length;
		FILE *out = open_memstream(&text, &length);

		assert_non_null(out);
		markup_text(out, rows[i].text);
		fclose(out);
		assert_string_equal(text, rows[i].expected);
		free(text);
	}
}

static void test_line(void **state)
{
	json_t *value = json_string("a\033<");
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	struct page p;
	struct line l;

	(void)state;
	assert_non_null(out);
	markup_begin(&p, out);
	line_begin(&p, &l);
	line_add(&l, "%s", "1 < 2, ");
	line_add_string(&l, value);
	markup_line(out, &l);
	fclose(out);
	assert_string_equal(text, "1 &lt; 2, a[U+001B]&lt;");
	assert_false(p.failed);
	free(text);
	json_decref(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
