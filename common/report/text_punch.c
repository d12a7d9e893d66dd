// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "report/page.h"
#include "report/text_private.h"
#include "report/text_punch.h"

#define INDENT 2

/* Nothing when it is no string: the document may come from a stranger. */
static void put_text(struct page *p, const char *prefix, const json_t *value)
{
	struct line l;

	line_begin(p, &l);
	if (line_add_string(&l, value))
		line_put(&l, INDENT, prefix, STYLE_PLAIN, STYLE_PLAIN);
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

/* In words that say from when each of them counts. */
static void put_times(struct page *p, const json_t *d)
{
	static const struct {
		const char *key, *before, *after;
	} rows[] = {{"total", "", " in all"}, {"register", ": registered in ", ""},
		{"exchange", ", peer known ", " later"},
		{"first_packet", "; from there first packet ", ""},
		{"first_inbound", ", first inbound ", ""}, {"confirmed", ", proof ", ""}};
	const json_t *times = json_object_get(d, "time_ms");
	struct line l;

	if (!json_is_number(json_object_get(times, rows[0].key)))
		return;
	line_begin(p, &l);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const json_t *value = json_object_get(times, rows[i].key);

		if (!json_is_number(value))
			continue;
		line_add(&l, "%s", rows[i].before);
		line_add_ms(&l, value);
		line_add(&l, "%s", rows[i].after);
	}
	line_put(&l, INDENT, "time: ", STYLE_PLAIN, STYLE_PLAIN);
}

/* --- no way --- */

/* The reason, or else what has ended the run before there was one. */
static void put_failure(struct page *p, const json_t *d)
{
	const json_t *error = json_array_get(json_object_get(d, "errors"), 0);
	struct line l;

	line_begin(p, &l);
	if (!line_add_string(&l, json_object_get(d, "reason")) &&
		!line_add_string(&l, json_object_get(error, "message")))
		line_add(&l, "nothing is known");
	line_put(&l, 0, "failed: ", STYLE_RED, STYLE_BOLD);
}

static void put_list(
	struct page *p, const json_t *explanation, const char *key, const char *heading)
{
	const json_t *list = json_object_get(explanation, key);

	if (!json_array_size(list))
		return;
	page_heading(p, heading);
	for (size_t i = 0; i < json_array_size(list); i++)
		put_text(p, "- ", json_array_get(list, i));
}

static void put_explanation(struct page *p, const json_t *d)
{
	const json_t *e = json_object_get(d, "explanation");

	put_list(p, e, "certain", "What is certain");
	put_list(p, e, "likely", "What is likely");
	put_list(p, e, "try_next", "What to try next");
}

/* --- all --- */

static void put_side(struct page *p, const char *prefix, const json_t *side)
{
	if (block_was_tested(side))
		put_text(p, prefix, json_object_get(side, "summary"));
}

/* An explanation has them among what is certain. */
static void put_sides(struct page *p, const json_t *d)
{
	if (json_is_object(json_object_get(d, "explanation")))
		return;
	put_side(p, "here: ", json_object_get(d, "own_nat"));
	put_side(p, "peer: ", json_object_get(d, "peer_nat"));
}

static void put_steps(struct page *p, const json_t *d)
{
	const json_t *steps = json_object_get(d, "steps");

	if (!json_array_size(steps))
		return;
	page_heading(p, "Steps");
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *step = json_array_get(steps, i);
		char moment[32];

		snprintf(moment, sizeof(moment), "%9.1f ms  ",
			json_number_value(json_object_get(step, "t_ms")));
		put_text(p, moment, json_object_get(step, "text"));
	}
}

int text_punch(const json_t *d, const struct text_options *options, FILE *out)
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
		put_failure(&p, d);
	}
	if (!options->brief) {
		put_sides(&p, d);
		text_causes(&p, d);
		put_explanation(&p, d);
		if (options->verbose)
			put_steps(&p, d);
	}
	if (p.failed)
		return -ENOMEM;
	return fflush(out) || ferror(out) ? -EIO : 0;
}

int text_punch_line(const json_t *d, FILE *out)
{
	const struct text_options plain = {.utf8 = false};
	struct page p = {.out = out, .options = &plain, .width = 1000};
	struct line l;

	if (!member_is(d, "outcome", "connected"))
		return 0;
	line_begin(&p, &l);
	line_add(&l, member_is(d, "transport", "tcp") ? "tcp " : "udp ");
	line_add_endpoint(&l, json_object_get(d, "local"));
	line_add(&l, " ");
	line_add_endpoint(&l, json_object_get(d, "peer"));
	line_put(&l, 0, "", STYLE_PLAIN, STYLE_PLAIN);
	return p.failed ? -ENOMEM : fflush(out) || ferror(out) ? -EIO : 0;
}
