// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "report/html_private.h"
#include "report/text_private.h"

/* What a file of packets shows: external endpoints, and flows. */

static void put_packet_link(struct html *h, unsigned long long number)
{
	fputs("<td class=\"number\">", h->out);
	if (number)
		fprintf(h->out, "<a href=\"#p%llu\">#%llu</a>", number, number);
	fputs("</td>", h->out);
}

/* --- external endpoints --- */

static void put_seen(struct html *h, const json_t *mapping, const json_t *seen)
{
	fputs("<tr>", h->out);
	html_cell_endpoint(h, json_object_get(mapping, "local"));
	html_cell_endpoint(h, json_object_get(seen, "mapped"));
	html_cell_endpoint(h, json_object_get(seen, "server"));
	html_cell_text(h, json_object_get(mapping, "mapping"));
	put_packet_link(h, member_count(seen, "packet"));
	fputs("</tr>\n", h->out);
}

void html_mappings(struct html *h)
{
	static const char *const heads[] = {"local", "seen as", "by", "mapping", ">packet", NULL};
	const json_t *mappings = json_object_get(h->document, "mappings");
	size_t rows = 0;

	html_begin(h, "mappings", "External endpoints");
	html_table(h, "scroll tall", "What servers have told of the captured sockets", heads);
	for (size_t i = 0; i < json_array_size(mappings); i++) {
		const json_t *mapping = json_array_get(mappings, i);
		const json_t *seen = json_object_get(mapping, "seen");

		for (size_t k = 0; k < json_array_size(seen); k++)
			if (rows++ < HTML_FLOWS)
				put_seen(h, mapping, json_array_get(seen, k));
	}
	html_table_end(h);
	html_rest(h, rows, HTML_FLOWS);
	html_end(h);
}

/* --- flows --- */

static bool works(const struct html *h, const json_t *flow)
{
	(void)h;
	return member_is(flow, "state", "works");
}

static bool is_silent(const struct html *h, const json_t *flow)
{
	(void)h;
	return member_is(flow, "state", "silent");
}

static bool is_refused(const struct html *h, const json_t *flow)
{
	(void)h;
	return member_is(flow, "state", "refused") || member_is(flow, "state", "reset");
}

static bool is_other(const struct html *h, const json_t *flow)
{
	return !works(h, flow) && !is_silent(h, flow) && !is_refused(h, flow);
}

static const struct html_choice choices[] = {
	{"all", "all", NULL},
	{"works", "work", works},
	{"silent", "silent", is_silent},
	{"refused", "refused or reset", is_refused},
	{"other", "one-sided", is_other},
};

#define CHOICES (sizeof(choices) / sizeof(*choices))

/* "3/13 from 192.0.2.1" */
static void put_errors(struct html *h, const json_t *flow)
{
	const json_t *errors = json_object_get(flow, "icmp_errors");

	fputs("<td>", h->out);
	for (size_t i = 0; i < json_array_size(errors) && i < HTML_ITEMS; i++) {
		const json_t *e = json_array_get(errors, i);

		fprintf(h->out, "%sICMP %llu/%llu from ", i ? "; " : "", member_count(e, "type"),
			member_count(e, "code"));
		html_text(h, json_object_get(e, "from"));
	}
	fputs("</td>", h->out);
}

static void put_flow(struct html *h, const json_t *flow)
{
	const json_t *sent = json_object_get(flow, "sent");
	const json_t *received = json_object_get(flow, "received");
	unsigned long long first = member_count(sent, "first");

	fputs("<tr", h->out);
	html_row_classes(h, choices, CHOICES, flow);
	fputs(">", h->out);
	html_cell_text(h, json_object_get(flow, "state"));
	html_cell_text(h, json_object_get(flow, "protocol"));
	html_cell_endpoint(h, json_object_get(flow, "local"));
	html_cell_endpoint(h, json_object_get(flow, "remote"));
	html_cell_integer(h, json_object_get(sent, "packets"));
	html_cell_integer(h, json_object_get(received, "packets"));
	put_packet_link(h, first ? first : member_count(received, "first"));
	put_errors(h, flow);
	fputs("</tr>\n", h->out);
}

void html_flows(struct html *h)
{
	static const char *const heads[] = {"state", "protocol", "local", "remote", ">sent",
		">received", ">first", "errors", NULL};
	const json_t *flows = json_object_get(h->document, "flows");

	html_begin(h, "flows", "Flows");
	html_choices(h, choices, CHOICES, 'f', flows, HTML_FLOWS);
	html_table(h, "scroll tall", "Between which endpoints packets went", heads);
	for (size_t i = 0; i < json_array_size(flows) && i < HTML_FLOWS; i++)
		if (json_is_object(json_array_get(flows, i)))
			put_flow(h, json_array_get(flows, i));
	html_table_end(h);
	html_rest(h, json_array_size(flows), HTML_FLOWS);
	html_end(h);
}
