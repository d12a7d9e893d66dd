// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * A report from a stranger, and an --expect argument in its first line: whatever they hold, the text
 * that comes out is printable, fits the width, and stays within bounds, the ladder too; the page has no markup that
 * is not its own; a report that was read comes out of the writer as one that can be read again.
 */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/document.h"
#include "report/expect.h"
#include "report/html.h"
#include "report/ladder.h"
#include "report/read.h"
#include "report/terminal.h"
#include "report/text.h"
#include "report/utf8.h"
#include "tests/unit/test_markup_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* ASCII or UTF-8 without control characters, in lines that are not too wide. */
static void check_text(const char *text, const struct text_options *options)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		char *line = strndup(text, length);

		require(line && text[length] == '\n');
		for (size_t i = 0; i < length;) {
			uint32_t code;
			size_t bytes = utf8_next(line + i, &code);

			require(bytes && code >= ' ' && !(code >= 0x7f && code < 0xa0));
			require(options->utf8 || bytes == 1);
			i += bytes;
		}
		require(terminal_columns(line) <= (options->width ? options->width : 80));
		free(line);
		text += length + 1;
	}
}

static void check_render(const json_t *document)
{
	static const struct text_options all[] = {
		{.width = 0},
		{.width = 200, .utf8 = true, .reason = true, .verbose = true},
		{.width = 40, .reason = true},
		{.width = 80, .utf8 = true, .brief = true},
		{.width = 80, .color = true, .reason = true, .verbose = true},
	};

	for (size_t i = 0; i <= sizeof(all) / sizeof(*all); i++) {
		bool last = i == sizeof(all) / sizeof(*all);
		char *text = NULL;
		size_t length;
		FILE *out = open_memstream(&text, &length);

		require(out);
		require(!(last ? text_short(document, out) : text_render(document, &all[i], out)));
		fclose(out);
		require(length > 0 && strlen(text) == length);
		if (last || !all[i].color)
			check_text(text, last ? &all[0] : &all[i]);
		free(text);
	}
}

static void check_ladder(const json_t *document)
{
	static const struct text_options all[] = {
		{.width = 0},
		{.width = 40, .utf8 = true},
		{.width = 200, .utf8 = true},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		char *text = NULL;
		size_t length;
		FILE *out = open_memstream(&text, &length);

		require(out && !ladder_render(document, &all[i], out));
		fclose(out);
		require(strlen(text) == length);
		check_text(text, &all[i]);
		free(text);
	}
}

/* --- the page --- */

static size_t tags_of_page(const json_t *document)
{
	char *html = NULL;
	size_t length, count = 0;
	FILE *out = open_memstream(&html, &length);

	require(out && !html_render(document, out));
	fclose(out);
	require(strlen(html) == length);
	require(!markup_problem(html));
	for (const char *at = html; (at = strchr(at, '<')); at++)
		count++;
	free(html);
	return count;
}

/* Other characters of the same width, and not the same one for all: what was not equal stays so. */
static json_t *harmless_text(const json_t *value)
{
	static const char markup[] = "<>&\"'";
	const char *text = json_string_value(value);
	char *copy = malloc(3 * strlen(text) + 1), *p = copy;
	json_t *harmless;

	require(copy);
	for (; *text; text++) {
		const char *found = strchr(markup, *text);

		if (found)
			p += sprintf(p, "\xee\x80%c", (char)(0x80 + (found - markup))); /* U+E000 */
		else
			*p++ = *text;
	}
	*p = '\0';
	harmless = json_string(copy);
	require(harmless);
	free(copy);
	return harmless;
}

static void make_harmless(json_t *in)
{
	const char *key;
	json_t *child;
	size_t i;

	json_array_foreach(in, i, child)
	{
		if (json_is_string(child))
			json_array_set_new(in, i, harmless_text(child));
		else
			make_harmless(child);
	}
	json_object_foreach(in, key, child)
	{
		if (json_is_string(child))
			json_object_set_new(in, key, harmless_text(child));
		else
			make_harmless(child);
	}
}

/* Without any markup in it the document makes a page with as much of it. */
static void check_page(const json_t *document)
{
	json_t *harmless = json_deep_copy(document);

	require(harmless);
	make_harmless(harmless);
	require(tags_of_page(document) == tags_of_page(harmless));
	json_decref(harmless);
}

static void check_expect(const json_t *document, const char *argument)
{
	enum expect_result result = EXPECT_NO_PATH;
	int syntax = expect_check_syntax(argument);
	char actual[32];

	require(syntax == 0 || syntax == -EINVAL);
	require(expect_compare(document, argument, &result, actual, sizeof(actual)) == syntax);
	require(strlen(actual) < sizeof(actual));
	if (syntax || result == EXPECT_NO_PATH)
		require(!*actual);
}

static void check_again(const json_t *document)
{
	char *text = NULL, error[200];
	size_t length;
	FILE *out = open_memstream(&text, &length);
	json_t *again;

	require(out && !report_write(document, out));
	fclose(out);
	require(!report_read(text, length, &again, error, sizeof(error)));
	json_decref(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
	size_t first = newline ? (size_t)(newline - data) : 0;
	char *argument = strndup((const char *)data, first), error[200] = "";
	const uint8_t *rest = newline ? newline + 1 : data;
	json_t *document;
	int err;

	require(argument);
	size -= (size_t)(rest - data);
	err = report_read(rest, size, &document, error, sizeof(error));
	require(!err == !*error && !err == !!document);
	if (document)
		check_again(document);
	if (err == -EPROTO) /* no report, but JSON: must be borne as well */
		document = json_loadb((const char *)rest, size, 0, NULL);
	if (document) {
		check_render(document);
		check_ladder(document);
		check_page(document);
		check_expect(document, argument);
	}
	json_decref(document);
	free(argument);
	return 0;
}
