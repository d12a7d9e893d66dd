// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdint.h>

#include "report/html_private.h"
#include "report/markup.h"

#define RUN_MIN 4 /* numbers that follow upon each other: "#3 to #9" */

bool html_text(struct html *h, const json_t *value)
{
	struct line l;

	if (!json_is_string(value))
		return false;
	line_begin(&h->page, &l);
	line_add_string(&l, value);
	markup_line(h->out, &l);
	return true;
}

bool html_endpoint(struct html *h, const json_t *endpoint)
{
	struct line l;

	if (!member_text(endpoint, "address"))
		return false;
	line_begin(&h->page, &l);
	line_add_endpoint(&l, endpoint);
	fputs("<code>", h->out);
	markup_line(h->out, &l);
	fputs("</code>", h->out);
	return true;
}

bool html_ms(struct html *h, const json_t *value)
{
	struct line l;

	if (!json_is_number(value))
		return false;
	line_begin(&h->page, &l);
	line_add_ms(&l, value);
	markup_line(h->out, &l);
	return true;
}

void html_paragraph(struct html *h, const json_t *object, const char *key, const char *class)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_string(value))
		return;
	fprintf(h->out, "<p class=\"%s\">", class);
	html_text(h, value);
	fputs("</p>\n", h->out);
}

void html_term(struct html *h, const char *name, const json_t *value)
{
	if (!json_is_string(value))
		return;
	fprintf(h->out, "<dt>%s</dt><dd>", name);
	html_text(h, value);
	fputs("</dd>\n", h->out);
}

/* How many numbers from place i on follow upon each other. */
static size_t run_of(const json_t *numbers, size_t i)
{
	json_int_t first = json_integer_value(json_array_get(numbers, i));
	size_t count = 1;

	for (; i + count < json_array_size(numbers); count++) {
		const json_t *next = json_array_get(numbers, i + count);

		if (!json_is_integer(next) || json_integer_value(next) != first + (json_int_t)count)
			break;
	}
	return count;
}

static void put_link(struct html *h, const json_t *number, char kind)
{
	json_int_t n = json_integer_value(number);
	bool packet = kind == 'p';

	fprintf(h->out, "<a href=\"#%c%" JSON_INTEGER_FORMAT "\">%s%" JSON_INTEGER_FORMAT "%s</a>",
		kind, n, packet ? "#" : "[", n, packet ? "" : "]");
}

bool html_links(struct html *h, const json_t *numbers, char kind)
{
	size_t size = json_array_size(numbers), shown = 0, run;

	for (size_t i = 0; i < size && i < HTML_ITEMS; i += run) {
		const json_t *number = json_array_get(numbers, i);
		json_int_t n = json_integer_value(number);

		run = 1;
		if (!json_is_integer(number) || n < 0 || n > INT32_MAX)
			continue;
		if (run_of(numbers, i) >= RUN_MIN)
			run = run_of(numbers, i);
		fputs(shown++ ? " " : "", h->out);
		put_link(h, number, kind);
		if (run == 1)
			continue;
		fputs(" to ", h->out);
		put_link(h, json_array_get(numbers, i + run - 1), kind);
	}
	if (size > HTML_ITEMS)
		fprintf(h->out, " and more");
	return shown;
}

void html_begin(struct html *h, const char *id, const char *title)
{
	fprintf(h->out,
		"<section id=\"%s\" aria-labelledby=\"%s-title\">\n<h2 id=\"%s-title\">%s</h2>\n",
		id, id, id, title);
}

void html_end(struct html *h)
{
	fputs("</section>\n", h->out);
}

void html_table(struct html *h, const char *class, const char *caption, const char *const *heads)
{
	fprintf(h->out,
		"<div class=\"%s\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">\n"
		"<table>\n<caption>%s</caption>\n<thead><tr>",
		class, caption, caption);
	for (; *heads; heads++)
		fprintf(h->out, "<th scope=\"col\"%s>%s</th>",
			**heads == '>' ? " class=\"number\"" : "", *heads + (**heads == '>'));
	fputs("</tr></thead>\n<tbody>\n", h->out);
}

void html_table_end(struct html *h)
{
	fputs("</tbody>\n</table>\n</div>\n", h->out);
}
