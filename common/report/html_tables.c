// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "report/html_private.h"
#include "report/ladder_private.h"
#include "report/markup.h"
#include "report/text_private.h"

/* The tables of evidence and of packets. */

/* --- evidence --- */

static bool is_answered(const struct html *h, const json_t *e)
{
	(void)h;
	return member_is(e, "state", "answered");
}

static bool is_silent(const struct html *h, const json_t *e)
{
	(void)h;
	return member_is(e, "state", "silent");
}

static bool is_other(const struct html *h, const json_t *e)
{
	return !is_answered(h, e) && !is_silent(h, e);
}

static const struct html_choice evidence_choices[] = {
	{"all", "all", NULL},
	{"answered", "answered", is_answered},
	{"silent", "silent", is_silent},
	{"other", "other outcomes", is_other},
};

#define EVIDENCE_CHOICES (sizeof(evidence_choices) / sizeof(*evidence_choices))

static void put_remarks(struct html *h, const json_t *e)
{
	struct line l;
	char *text;

	line_begin(&h->page, &l);
	text_evidence_remarks(&l, e);
	text = line_take(&l);
	fputs("<td class=\"wide\">", h->out);
	if (text)
		markup_text(h->out, text + strspn(text, "; "));
	fputs("</td>", h->out);
	free(text);
}

/* Whom, and who was to answer when that is another. */
static void put_asked(struct html *h, const json_t *e)
{
	const json_t *to = json_object_get(e, "to"), *from = json_object_get(e, "from");

	fputs("<td>", h->out);
	html_endpoint(h, to);
	if (json_is_object(from) && !json_equal(to, from)) {
		fputs("<br/>answer from ", h->out);
		html_endpoint(h, from);
	}
	fputs("</td>", h->out);
}

static void put_evidence(struct html *h, const json_t *e, json_int_t *last)
{
	fputs("<tr", h->out);
	html_row_id(h->out, 'e', json_object_get(e, "n"), last);
	html_row_classes(h, evidence_choices, EVIDENCE_CHOICES, e);
	fputs("><th scope=\"row\" class=\"number\">", h->out);
	fprintf(h->out, "[%llu]</th>", member_count(e, "n"));
	html_cell_ms(h, json_object_get(e, "t_ms"));
	html_cell_text(h, json_object_get(e, "question"));
	html_cell_text(h, json_object_get(e, "transport"));
	html_cell_endpoint(h, json_object_get(e, "local"));
	put_asked(h, e);
	html_cell_integer(h, json_object_get(e, "sent"));
	html_cell_integer(h, json_object_get(e, "received"));
	html_cell_text(h, json_object_get(e, "state"));
	html_cell_endpoint(h, json_object_get(e, "mapped"));
	html_cell_ms(h, json_object_get(e, "rtt_ms"));
	put_remarks(h, e);
	fputs("</tr>\n", h->out);
}

void html_evidence(struct html *h)
{
	static const char *const heads[] = {">n", ">ms", "question", "over", "from", "to", ">sent",
		">received", "outcome", "seen as", ">RTT ms", "remarks", NULL};
	const json_t *evidence = json_object_get(h->document, "evidence");
	json_int_t last = -1;

	html_begin(h, "evidence", "Evidence");
	html_choices(h, evidence_choices, EVIDENCE_CHOICES, 'e', evidence, HTML_EVIDENCE);
	html_table(h, "scroll tall", "What was asked, and what came of it", heads);
	for (size_t i = 0; i < json_array_size(evidence) && i < HTML_EVIDENCE; i++)
		if (json_is_object(json_array_get(evidence, i)))
			put_evidence(h, json_array_get(evidence, i), &last);
	html_table_end(h);
	html_rest(h, json_array_size(evidence), HTML_EVIDENCE);
	html_end(h);
}

/* --- packets --- */

/* As many as the ladder marks, and a few more: a stranger may name millions. */
static bool is_cited(const struct html *h, const json_t *packet)
{
	const json_t *causes = json_object_get(h->document, "causes");
	json_int_t n = json_integer_value(json_object_get(packet, "n"));

	for (size_t i = 0; i < json_array_size(causes) && i < 16; i++) {
		const json_t *numbers = json_object_get(json_array_get(causes, i), "packets");

		for (size_t k = 0; k < json_array_size(numbers) && k < 64; k++)
			if (json_is_integer(json_array_get(numbers, k)) &&
				json_integer_value(json_array_get(numbers, k)) == n)
				return true;
	}
	return false;
}

static bool is_undelivered(const struct html *h, const json_t *packet)
{
	(void)h;
	return json_is_false(json_object_get(packet, "delivered"));
}

static bool is_ours(const struct html *h, const json_t *packet)
{
	(void)h;
	return member_is(packet, "class", "ours");
}

static bool is_answer(const struct html *h, const json_t *packet)
{
	(void)h;
	return member_is(packet, "class", "answer");
}

static bool is_error(const struct html *h, const json_t *packet)
{
	(void)h;
	return ladder_is_error(packet);
}

static bool is_peers(const struct html *h, const json_t *packet)
{
	(void)h;
	return member_is(packet, "class", "peer");
}

static bool is_strangers(const struct html *h, const json_t *packet)
{
	(void)h;
	return member_is(packet, "class", "stranger");
}

static const struct html_choice packet_choices[] = {
	{"all", "all", NULL},
	{"cited", "cited", is_cited},
	{"ours", "sent by this host", is_ours},
	{"answer", "answers", is_answer},
	{"error", "errors and RSTs", is_error},
	{"peer", "of the peer", is_peers},
	{"stranger", "of strangers", is_strangers},
	{"undelivered", "not delivered", is_undelivered},
};

#define PACKET_CHOICES (sizeof(packet_choices) / sizeof(*packet_choices))

/* "in eth1" */
static void put_way(struct html *h, const json_t *packet)
{
	const json_t *capture = json_object_get(h->document, "capture");
	const json_t *interfaces = json_object_get(capture, "interfaces");
	const json_t *place = json_object_get(packet, "interface");
	const json_t *interface;

	fputs("<td class=\"short\">", h->out);
	html_text(h, json_object_get(packet, "direction"));
	if (json_is_integer(place) && json_integer_value(place) >= 0) {
		interface = json_array_get(interfaces, (size_t)json_integer_value(place));
		fputs(" ", h->out);
		html_text(h, json_object_get(interface, "name"));
	}
	fputs("</td>", h->out);
}

static void put_protocol(struct html *h, const json_t *packet)
{
	const json_t *flags = json_object_get(packet, "flags");

	fputs("<td>", h->out);
	html_text(h, json_object_get(packet, "protocol"));
	for (size_t i = 0; i < json_array_size(flags) && i < 8; i++) {
		fputs(" ", h->out);
		html_text(h, json_array_get(flags, i));
	}
	if (json_is_integer(json_object_get(packet, "type")))
		fprintf(h->out, " %llu/%llu", member_count(packet, "type"),
			member_count(packet, "code"));
	fputs("</td>", h->out);
}

static void put_meaning(struct html *h, const json_t *packet)
{
	unsigned long long about = member_count(packet, "about");
	const json_t *evidence = json_object_get(packet, "evidence");

	fputs("<td class=\"wide\">", h->out);
	html_text(h, json_object_get(packet, "meaning"));
	fputs("<span class=\"basis\">", h->out);
	if (about)
		fprintf(h->out, " <a href=\"#p%llu\">%s #%llu</a>", about,
			ladder_is_error(packet) ? "about" : "answers", about);
	if (json_is_integer(evidence))
		fprintf(h->out, " <a href=\"#e%llu\">[%llu]</a>", member_count(packet, "evidence"),
			member_count(packet, "evidence"));
	fputs("</span></td>", h->out);
}

static void put_sender(struct html *h, const json_t *packet)
{
	unsigned long long hops = member_count(packet, "hops");

	fputs("<td class=\"short\">", h->out);
	html_text(h, json_object_get(packet, "device"));
	if (hops)
		fprintf(h->out, ", %llu %s", hops, hops == 1 ? "hop" : "hops");
	fputs("</td>", h->out);
}

static void put_packet(struct html *h, const json_t *packet, json_int_t *last)
{
	const json_t *delivered = json_object_get(packet, "delivered");

	fputs("<tr", h->out);
	html_row_id(h->out, 'p', json_object_get(packet, "n"), last);
	html_row_classes(h, packet_choices, PACKET_CHOICES, packet);
	fprintf(h->out, "><th scope=\"row\" class=\"number\">#%llu</th>",
		member_count(packet, "n"));
	html_cell_ms(h, json_object_get(packet, "t_ms"));
	put_way(h, packet);
	html_cell_endpoint(h, json_object_get(packet, "from"));
	html_cell_endpoint(h, json_object_get(packet, "to"));
	put_protocol(h, packet);
	html_cell_integer(h, json_object_get(packet, "size_bytes"));
	html_cell_integer(h, json_object_get(packet, "ttl"));
	put_meaning(h, packet);
	put_sender(h, packet);
	fprintf(h->out, "<td>%s</td></tr>\n",
		json_is_true(delivered)		   ? "yes"
			: json_is_false(delivered) ? "no"
						   : "");
}

void html_packets(struct html *h)
{
	static const char *const heads[] = {">#", ">ms", "way", "from", "to", "protocol", ">bytes",
		">TTL", "meaning", "sender", "delivered", NULL};
	const json_t *packets = json_object_get(h->document, "packets");
	json_int_t last = 0;

	html_begin(h, "packets", "Packets");
	html_choices(h, packet_choices, PACKET_CHOICES, 'p', packets, HTML_PACKETS);
	html_table(h, "scroll tall",
		"What was captured at this host; the numbers are those of the capture file", heads);
	for (size_t i = 0; i < json_array_size(packets) && i < HTML_PACKETS; i++)
		if (json_is_object(json_array_get(packets, i)))
			put_packet(h, json_array_get(packets, i), &last);
	html_table_end(h);
	html_rest(h, json_array_size(packets), HTML_PACKETS);
	html_end(h);
}
