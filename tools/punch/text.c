// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "report/page.h"
#include "report/text_private.h"
#include "tools/punch/text.h"

#define INDENT 2

static void put_string(struct page *p, const char *prefix, const json_t *value, size_t indent)
{
	struct line l;

	line_begin(p, &l);
	if (line_add_string(&l, value))
		line_put(&l, indent, prefix, STYLE_PLAIN, STYLE_PLAIN);
	else
		line_drop(&l);
}

/* --- a way --- */

static void put_endpoints(struct page *p, const json_t *d)
{
	struct line l;

	line_begin(p, &l);
	line_add_endpoint(&l, json_object_get(d, "local"));
	if (json_is_object(json_object_get(d, "mapped"))) {
		line_add(&l, " (seen as ");
		line_add_endpoint(&l, json_object_get(d, "mapped"));
		line_add(&l, ")");
	}
	line_add(&l, " to ");
	line_add_endpoint(&l, json_object_get(d, "peer"));
	line_put(&l, 0, "connected: ", STYLE_GREEN, STYLE_BOLD);
}

static void put_quality(struct page *p, const json_t *d)
{
	const json_t *loss = json_object_get(d, "loss");
	struct line l;

	line_begin(p, &l);
	line_add_string(&l, json_object_get(d, "strategy"));
	line_add(&l, ", ");
	line_add_string(&l, json_object_get(d, "peer_kind"));
	line_add(&l, " candidate, RTT ");
	if (!line_add_ms(&l, json_object_get(d, "rtt_ms")))
		line_add(&l, "unknown");
	if (json_is_number(loss))
		line_add(&l, ", loss %.0f %%", 100 * json_number_value(loss));
	line_put(&l, INDENT, "way: ", STYLE_PLAIN, STYLE_PLAIN);
}

static void put_times(struct page *p, const json_t *d)
{
	static const struct {
		const char *key, *text;
	} rows[] = {{"register", "registered"}, {"exchange", "peer known after"},
		{"first_packet", "first packet"}, {"first_inbound", "first inbound"},
		{"confirmed", "confirmed"}, {"total", "in all"}};
	const json_t *times = json_object_get(d, "time_ms");
	const char *between = "";
	struct line l;

	line_begin(p, &l);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const json_t *value = json_object_get(times, rows[i].key);

		if (!json_is_number(value))
			continue;
		line_add(&l, "%s%s ", between, rows[i].text);
		line_add_ms(&l, value);
		between = ", ";
	}
	if (*between)
		line_put(&l, INDENT, "time: ", STYLE_PLAIN, STYLE_PLAIN);
	else
		line_drop(&l);
}

/* --- no way --- */

static void put_list(
	struct page *p, const json_t *explanation, const char *key, const char *heading)
{
	const json_t *list = json_object_get(explanation, key);

	if (!json_array_size(list))
		return;
	page_heading(p, heading);
	for (size_t i = 0; i < json_array_size(list); i++)
		put_string(p, "- ", json_array_get(list, i), INDENT);
}

static void put_explanation(struct page *p, const json_t *d)
{
	const json_t *e = json_object_get(d, "explanation");

	put_list(p, e, "certain", "What is certain");
	put_list(p, e, "likely", "What is likely");
	put_list(p, e, "try_next", "What to try next");
}

/* --- all --- */

static void put_sides(struct page *p, const json_t *d)
{
	put_string(p, "here: ", json_object_get(json_object_get(d, "own_nat"), "summary"), INDENT);
	put_string(p, "peer: ", json_object_get(json_object_get(d, "peer_nat"), "summary"), INDENT);
}

static void put_steps(struct page *p, const json_t *d)
{
	const json_t *steps = json_object_get(d, "steps");

	if (!json_array_size(steps))
		return;
	page_heading(p, "Steps");
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *step = json_array_get(steps, i);
		struct line l;

		line_begin(p, &l);
		line_add_ms(&l, json_object_get(step, "t_ms"));
		line_add(&l, "  ");
		line_add_string(&l, json_object_get(step, "text"));
		line_put(&l, INDENT, "", STYLE_PLAIN, STYLE_PLAIN);
	}
}

int punch_text(const json_t *d, const struct text_options *options, FILE *out)
{
	struct page p = {
		.out = out, .options = options, .width = options->width ? options->width : 80};

	if (member_is(d, "outcome", "connected")) {
		put_endpoints(&p, d);
		if (!options->brief) {
			put_quality(&p, d);
			put_times(&p, d);
		}
	} else {
		put_string(&p, "no way: ", json_object_get(d, "failure"), 0);
	}
	if (!options->brief) {
		put_sides(&p, d);
		put_explanation(&p, d);
		if (options->verbose)
			put_steps(&p, d);
	}
	if (p.failed)
		return -ENOMEM;
	return fflush(out) || ferror(out) ? -EIO : 0;
}

int punch_print(const json_t *d, FILE *out)
{
	const struct text_options plain = {.utf8 = false};
	struct page p = {.out = out, .options = &plain, .width = 1000};
	struct line l;

	if (!member_is(d, "outcome", "connected"))
		return 0;
	line_begin(&p, &l);
	line_add(&l, "udp ");
	line_add_endpoint(&l, json_object_get(d, "local"));
	line_add(&l, " ");
	line_add_endpoint(&l, json_object_get(d, "peer"));
	line_put(&l, 0, "", STYLE_PLAIN, STYLE_PLAIN);
	return p.failed ? -ENOMEM : fflush(out) || ferror(out) ? -EIO : 0;
}
