// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "report/html_private.h"
#include "report/text_private.h"

/* What the tables share. */

static size_t count_items(
	const struct html *h, const struct html_choice *choice, const json_t *items, size_t most)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(items) && i < most; i++) {
		const json_t *item = json_array_get(items, i);

		count += json_is_object(item) && (!choice->belongs || choice->belongs(h, item));
	}
	return count;
}

void html_choices(const struct html *h, const struct html_choice *choices, size_t count, char kind,
	const json_t *items, size_t most)
{
	fputs("<p class=\"filter\">Show: </p>\n", h->out);
	for (size_t i = 0; i < count; i++) {
		size_t found = count_items(h, &choices[i], items, most);

		if (!found)
			continue;
		fprintf(h->out,
			"<input type=\"radio\" name=\"show-%c\" id=\"show-%c-%s\"%s/><label "
			"for=\"show-%c-%s\">%s <span class=\"count\">%zu</span></label>\n",
			kind, kind, choices[i].class, i ? "" : " checked=\"checked\"", kind,
			choices[i].class, choices[i].name, found);
	}
}

void html_row_classes(
	const struct html *h, const struct html_choice *choices, size_t count, const json_t *item)
{
	const char *between = " class=\"";

	for (size_t i = 1; i < count; i++) {
		if (!choices[i].belongs(h, item))
			continue;
		fprintf(h->out, "%s%s", between, choices[i].class);
		between = " ";
	}
	fputs(*between == ' ' && between[1] ? "" : "\"", h->out);
}

void html_row_id(FILE *out, char kind, const json_t *number, json_int_t *last)
{
	json_int_t n = json_integer_value(number);

	if (!json_is_integer(number) || n <= *last)
		return;
	fprintf(out, " id=\"%c%" JSON_INTEGER_FORMAT "\"", kind, n);
	*last = n;
}

void html_rest(struct html *h, size_t size, size_t most)
{
	if (size > most)
		fprintf(h->out, "<p>%zu more are in the JSON document only.</p>\n", size - most);
}

void html_cell_integer(struct html *h, const json_t *value)
{
	fputs("<td class=\"number\">", h->out);
	if (json_is_integer(value))
		fprintf(h->out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	fputs("</td>", h->out);
}

void html_cell_ms(struct html *h, const json_t *value)
{
	double ms = json_number_value(value);

	fputs("<td class=\"number\">", h->out);
	if (json_is_number(value) && ms >= 0 && ms < 1e9)
		fprintf(h->out, "%.2f", ms);
	fputs("</td>", h->out);
}

void html_cell_text(struct html *h, const json_t *value)
{
	fputs("<td>", h->out);
	html_text(h, value);
	fputs("</td>", h->out);
}

void html_cell_endpoint(struct html *h, const json_t *value)
{
	fputs("<td>", h->out);
	html_endpoint(h, value);
	fputs("</td>", h->out);
}
