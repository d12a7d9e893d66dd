// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "report/terminal.h"
#include "report/text_private.h"
#include "report/text_reading.h"

#define INDENT	   2
#define FLOWS_TOLD 40 /* without -v */

static const char *certainty(const json_t *cause)
{
	if (member_is(cause, "certainty", "certain"))
		return "certain";
	return member_is(cause, "certainty", "likely") ? "likely" : "possible";
}

void text_add_reading(struct line *l, const json_t *d)
{
	const json_t *cause = json_array_get(json_object_get(d, "causes"), 0);

	if (!json_array_size(json_object_get(d, "causes"))) {
		line_add(l, "nothing that has failed: %llu flows work, of %llu packets",
			member_count(json_object_get(d, "flow_states"), "works"),
			member_count(json_object_get(d, "file"), "packets"));
		return;
	}
	line_add(l, "%s: ", certainty(cause));
	if (!line_add_string(l, json_object_get(cause, "title")))
		line_add(l, "untitled");
}

static void put_answer(struct page *p, const json_t *d)
{
	struct line l;

	line_begin(p, &l);
	text_add_reading(&l, d);
	line_put(&l, 0, "", STYLE_PLAIN, STYLE_BOLD);
}

static void put_counts(struct page *p, const json_t *d)
{
	static const char *const states[] = {
		"works", "silent", "refused", "reset", "unasked", "unheard"};
	const json_t *file = json_object_get(d, "file");
	const char *between = "; flows: ";
	struct line l;

	page_gap(p);
	line_begin(p, &l);
	line_add(&l, "%llu packets", member_count(file, "packets"));
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		unsigned long long n = member_count(json_object_get(d, "flow_states"), states[i]);

		if (!n)
			continue;
		line_add(&l, "%s%llu %s", between, n, states[i]);
		between = ", ";
	}
	line_put(&l, 0, "", STYLE_PLAIN, STYLE_PLAIN);
}

static void put_hosts(struct page *p, const json_t *d)
{
	const json_t *hosts = json_object_get(d, "hosts");
	struct line l;

	if (!json_array_size(hosts))
		return;
	line_begin(p, &l);
	for (size_t i = 0; i < json_array_size(hosts); i++) {
		line_add(&l, "%s", i ? ", " : "");
		line_add_string(&l, json_array_get(hosts, i));
	}
	line_put(&l, 0,
		json_is_true(json_object_get(d, "hosts_guessed"))
			? "taken for the host that captured: "
			: "captured on: ",
		STYLE_PLAIN, STYLE_PLAIN);
}

static void put_problem(struct page *p, const json_t *d)
{
	const json_t *file = json_object_get(d, "file");
	struct line l;

	if (member_text(file, "problem")) {
		line_begin(p, &l);
		line_add_string(&l, json_object_get(file, "problem"));
		line_put(&l, 0, "read up to here: ", STYLE_YELLOW, STYLE_PLAIN);
	} else if (json_is_true(json_object_get(file, "cut_off"))) {
		page_put(p, 0, "", STYLE_PLAIN, "the file ends within a packet", STYLE_YELLOW);
	}
}

/* --- mappings --- */

static void put_mapping(struct page *p, const json_t *mapping)
{
	const json_t *seen = json_object_get(mapping, "seen");
	struct line l;

	line_begin(p, &l);
	line_add_endpoint(&l, json_object_get(mapping, "local"));
	for (size_t i = 0; i < json_array_size(seen); i++) {
		const json_t *s = json_array_get(seen, i);

		line_add(&l, i ? ", " : " is ");
		line_add_endpoint(&l, json_object_get(s, "mapped"));
		line_add(&l, " for ");
		line_add_endpoint(&l, json_object_get(s, "server"));
	}
	if (!member_is(mapping, "mapping", "unknown")) {
		line_add(&l, ": mapping ");
		line_add_string(&l, json_object_get(mapping, "mapping"));
	}
	line_put(&l, INDENT, "", STYLE_PLAIN, STYLE_PLAIN);
}

static void put_mappings(struct page *p, const json_t *d)
{
	const json_t *mappings = json_object_get(d, "mappings");

	if (!json_array_size(mappings))
		return;
	page_heading(p, "external endpoints");
	for (size_t i = 0; i < json_array_size(mappings); i++)
		put_mapping(p, json_array_get(mappings, i));
}

/* --- flows --- */

static void put_flow(struct page *p, const json_t *flow)
{
	const json_t *sent = json_object_get(flow, "sent");
	const json_t *received = json_object_get(flow, "received");
	struct line l;

	line_begin(p, &l);
	line_add_string(&l, json_object_get(flow, "state"));
	line_add(&l, "  ");
	line_add_string(&l, json_object_get(flow, "protocol"));
	line_add(&l, "  ");
	line_add_endpoint(&l, json_object_get(flow, "local"));
	line_add(&l, " - ");
	line_add_endpoint(&l, json_object_get(flow, "remote"));
	line_add(&l, "  %llu sent, %llu received", member_count(sent, "packets"),
		member_count(received, "packets"));
	if (member_count(sent, "first"))
		line_add(&l, ", from #%llu", member_count(sent, "first"));
	else if (member_count(received, "first"))
		line_add(&l, ", from #%llu", member_count(received, "first"));
	if (json_is_true(json_object_get(flow, "heard_first")))
		line_add(&l, ", heard before it sent");
	line_put(&l, INDENT, "", STYLE_PLAIN, STYLE_PLAIN);
}

static void put_flows(struct page *p, const json_t *d)
{
	const json_t *flows = json_object_get(d, "flows");
	size_t count = json_array_size(flows), told;

	if (!count)
		return;
	told = p->options->verbose || count < FLOWS_TOLD ? count : FLOWS_TOLD;
	page_heading(p, "flows");
	for (size_t i = 0; i < told; i++)
		put_flow(p, json_array_get(flows, i));
	if (told < count)
		page_put(p, INDENT, "", STYLE_PLAIN, "more with --verbose", STYLE_DIM);
}

int text_reading(const json_t *d, const struct text_options *options, FILE *out)
{
	struct page p = {.out = out, .options = options, .width = options->width};

	if (!p.width)
		p.width = TERMINAL_WIDTH;
	put_answer(&p, d);
	if (!options->brief) {
		put_counts(&p, d);
		put_hosts(&p, d);
		put_problem(&p, d);
		text_causes(&p, d);
		put_mappings(&p, d);
		put_flows(&p, d);
	}
	if (p.failed)
		return -ENOMEM;
	return fflush(out) || ferror(out) ? -EIO : 0;
}
