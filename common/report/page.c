// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report/page.h"
#include "report/terminal.h"

/* Longer than any text of ours: a stranger's report may hold one of megabytes, and name it often. */
#define STRING_BYTES_MAX 1024

#define COLUMNS_MIN	 16 /* of text, however deep it is indented */

static const char *style_on(const struct page *p, enum style style)
{
	static const char *const codes[] = {
		[STYLE_PLAIN] = "",
		[STYLE_BOLD] = "\033[1m",
		[STYLE_DIM] = "\033[2m",
		[STYLE_RED] = "\033[1;31m",
		[STYLE_YELLOW] = "\033[1;33m",
		[STYLE_GREEN] = "\033[1;32m",
	};

	return p->options->color ? codes[style] : "";
}

static const char *style_off(const struct page *p, enum style style)
{
	return p->options->color && style != STYLE_PLAIN ? "\033[0m" : "";
}

void page_print(struct page *p, const char *text, size_t bytes, enum style style)
{
	fputs(style_on(p, style), p->out);
	fwrite(text, 1, bytes, p->out);
	fputs(style_off(p, style), p->out);
}

void page_put(struct page *p, size_t indent, const char *prefix, enum style prefix_style,
	const char *text, enum style text_style)
{
	size_t hang = indent + terminal_columns(prefix);
	size_t room = p->width > hang + COLUMNS_MIN ? p->width - hang : COLUMNS_MIN;

	fprintf(p->out, "%*s", (int)indent, "");
	page_print(p, prefix, strlen(prefix), prefix_style);
	do {
		const char *next;
		size_t bytes = terminal_fit(text, room, &next);

		page_print(p, text, bytes, text_style);
		fputc('\n', p->out);
		text = next;
		if (*text)
			fprintf(p->out, "%*s", (int)hang, "");
	} while (*text);
}

void page_heading(struct page *p, const char *text)
{
	page_gap(p);
	page_put(p, 0, "", STYLE_PLAIN, text, STYLE_BOLD);
}

void page_gap(struct page *p)
{
	fputc('\n', p->out);
}

void line_begin(struct page *p, struct line *l)
{
	*l = (struct line){.page = p};
	l->stream = open_memstream(&l->text, &l->length);
	if (!l->stream)
		p->failed = true;
}

void line_add(struct line *l, const char *format, ...)
{
	va_list arguments;

	if (!l->stream)
		return;
	va_start(arguments, format);
	vfprintf(l->stream, format, arguments);
	va_end(arguments);
}

bool line_add_string(struct line *l, const json_t *value)
{
	const char *text = json_string_value(value);
	char *cut, *safe;

	if (!text)
		return false;
	cut = strndup(text, STRING_BYTES_MAX);
	safe = !cut		    ? NULL
		: l->page->verbatim ? strdup(cut)
				    : terminal_escape(cut, l->page->options->utf8);
	if (safe)
		line_add(l, "%s%s", safe, text[strlen(cut)] ? "..." : "");
	else
		l->page->failed = true;
	free(safe);
	free(cut);
	return true;
}

bool line_add_endpoint(struct line *l, const json_t *endpoint)
{
	const json_t *address = json_object_get(endpoint, "address");
	const json_t *port = json_object_get(endpoint, "port");
	bool has_port =
		json_is_integer(port) && json_integer_value(port); /* of ICMP there is none */
	bool brackets;

	if (!json_is_string(address)) {
		line_add(l, "none");
		return false;
	}
	brackets = has_port && strchr(json_string_value(address), ':');
	line_add(l, "%s", brackets ? "[" : "");
	line_add_string(l, address);
	line_add(l, "%s", brackets ? "]" : "");
	if (has_port)
		line_add(l, ":%" JSON_INTEGER_FORMAT, json_integer_value(port));
	return true;
}

bool line_add_ms(struct line *l, const json_t *value)
{
	double ms = json_number_value(value);

	if (!json_is_number(value))
		return false;
	if (ms >= 0 && ms < 1e9)
		line_add(l, "%.*f ms", ms < 10 ? 2 : 1, ms);
	else
		line_add(l, "%g ms", ms);
	return true;
}

void line_put(struct line *l, size_t indent, const char *prefix, enum style prefix_style,
	enum style text_style)
{
	if (!l->stream)
		return;
	if (fclose(l->stream))
		l->page->failed = true;
	else
		page_put(l->page, indent, prefix, prefix_style, l->text, text_style);
	free(l->text);
}

void line_drop(struct line *l)
{
	if (l->stream)
		fclose(l->stream);
	free(l->text);
}

char *line_take(struct line *l)
{
	bool closed = l->stream && !fclose(l->stream);

	if (closed)
		return l->text;
	l->page->failed = true;
	free(l->text);
	return NULL;
}

const char *member_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

bool member_is(const json_t *object, const char *key, const char *text)
{
	const char *value = member_text(object, key);

	return value && !strcmp(value, text);
}

unsigned long long member_count(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (unsigned long long)value : 0;
}
