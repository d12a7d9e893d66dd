// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "report/text_private.h"

/* Why it failed. */

#define INDENT	    2
#define CAUSES_MAX  32
#define NUMBERS_MAX 64 /* of packets, or of evidence, that one cause cites */

/* Words of a stranger are no prefixes: only those that are known are. */
static const char *certainty_word(const json_t *cause)
{
	if (member_is(cause, "certainty", "certain"))
		return "certain: ";
	return member_is(cause, "certainty", "likely") ? "likely: " : "possible: ";
}

static enum style certainty_style(const json_t *cause)
{
	if (member_is(cause, "certainty", "certain"))
		return STYLE_RED;
	return member_is(cause, "certainty", "likely") ? STYLE_YELLOW : STYLE_PLAIN;
}

bool text_add_where(struct line *l, const json_t *cause)
{
	static const struct {
		const char *word, *text;
	} places[] = {
		{"host", "at this host"},
		{"own-nat", "at this side's NAT"},
		{"path", "on the path"},
		{"server", "at the server"},
		{"peer-nat", "at the peer's NAT"},
		{"peer", "at the peer"},
	};
	unsigned long long hops = member_count(cause, "hops");
	bool known = false;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (!member_is(cause, "where", places[i].word))
			continue;
		line_add(l, "%s", places[i].text);
		known = true;
	}
	if (member_text(cause, "device")) {
		line_add(l, "%s", known ? ", " : "at ");
		line_add_string(l, json_object_get(cause, "device"));
		known = true;
	}
	if (hops)
		line_add(l, "%s%llu %s away", known ? ", " : "", hops, hops == 1 ? "hop" : "hops");
	return known || hops;
}

/* "packets #3 #7"; whether there were any. */
static bool add_numbers(struct line *l, const json_t *cause, const char *key, const char *format)
{
	const json_t *numbers = json_object_get(cause, key);
	size_t shown = 0;

	for (size_t i = 0; i < json_array_size(numbers) && i < NUMBERS_MAX; i++) {
		const json_t *number = json_array_get(numbers, i);
		json_int_t n = json_integer_value(number);

		if (!json_is_integer(number) || n < 0)
			continue;
		line_add(l, "%s", shown++ ? " " : "");
		line_add(l, *format == '#' ? "#%llu" : "[%llu]", (unsigned long long)n);
	}
	if (json_array_size(numbers) > NUMBERS_MAX)
		line_add(l, " and %zu more", json_array_size(numbers) - NUMBERS_MAX);
	return shown;
}

static void put_numbers(struct page *p, const json_t *cause, const char *key, const char *format)
{
	struct line l;

	line_begin(p, &l);
	if (add_numbers(&l, cause, key, format))
		line_put(&l, 2 * INDENT, *format == '#' ? "packets " : "evidence ", STYLE_PLAIN,
			STYLE_PLAIN);
	else
		line_drop(&l);
}

static void put_member(struct page *p, const json_t *cause, const char *key, const char *prefix)
{
	struct line l;

	line_begin(p, &l);
	if (line_add_string(&l, json_object_get(cause, key)))
		line_put(&l, 2 * INDENT, prefix, STYLE_PLAIN, STYLE_PLAIN);
	else
		line_drop(&l);
}

static void put_where(struct page *p, const json_t *cause)
{
	struct line l;

	line_begin(p, &l);
	if (text_add_where(&l, cause))
		line_put(&l, 2 * INDENT, "", STYLE_PLAIN, STYLE_PLAIN);
	else
		line_drop(&l);
}

static void put_cause(struct page *p, const json_t *cause)
{
	struct line l;

	line_begin(p, &l);
	if (!line_add_string(&l, json_object_get(cause, "title")) &&
		!line_add_string(&l, json_object_get(cause, "id")))
		line_add(&l, "untitled");
	line_put(&l, INDENT, certainty_word(cause), certainty_style(cause), STYLE_BOLD);
	put_where(p, cause);
	put_member(p, cause, "detail", "");
	put_numbers(p, cause, "packets", "#");
	put_numbers(p, cause, "evidence", "[");
	put_member(p, cause, "advice", "advice: ");
	put_member(p, cause, "decide", "to decide: ");
}

/* Whether it is packets that did not get through. */
static bool has_failed(const json_t *document)
{
	static const char *const failures[] = {
		"server-unreachable", "no-path", "deadline", "silent"};
	const json_t *error = json_array_get(json_object_get(document, "errors"), 0);

	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++)
		if (member_is(document, "failure", failures[i]))
			return true;
	return member_is(error, "code", "no-answer");
}

/* A capture could have told more. */
static bool has_hint(const json_t *document)
{
	const json_t *capture = json_object_get(document, "capture");

	return member_is(capture, "state", "not-permitted") && member_text(capture, "hint");
}

static void put_hint(struct page *p, const json_t *document)
{
	struct line l;

	if (!has_hint(document))
		return;
	line_begin(p, &l);
	line_add_string(&l, json_object_get(json_object_get(document, "capture"), "hint"));
	line_put(&l, INDENT, "", STYLE_DIM, STYLE_DIM);
}

void text_causes(struct page *p, const json_t *document)
{
	const json_t *causes = json_object_get(document, "causes");
	bool any = false;

	if (!json_array_size(causes) && (!has_failed(document) || !has_hint(document)))
		return;
	page_heading(p, "why");
	for (size_t i = 0; i < json_array_size(causes) && i < CAUSES_MAX; i++) {
		const json_t *cause = json_array_get(causes, i);

		if (!json_is_object(cause))
			continue;
		if (any)
			page_gap(p);
		any = true;
		put_cause(p, cause);
	}
	if (any && has_hint(document))
		page_gap(p);
	put_hint(p, document);
}
