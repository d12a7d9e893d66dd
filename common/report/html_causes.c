// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "report/html_private.h"
#include "report/ladder.h"
#include "report/markup.h"
#include "report/text_private.h"

/* Why it failed, and the ladder. */

bool html_has_causes(const json_t *document)
{
	return json_array_size(json_object_get(document, "causes")) > 0 ||
		json_is_object(json_object_get(document, "explanation"));
}

/* Only words that are known become classes and tags. */
static const char *certainty(const json_t *cause)
{
	if (member_is(cause, "certainty", "certain"))
		return "certain";
	return member_is(cause, "certainty", "likely") ? "likely" : "possible";
}

static void put_where(struct html *h, const json_t *cause)
{
	struct line l;

	line_begin(&h->page, &l);
	if (!text_add_where(&l, cause)) {
		line_drop(&l);
		return;
	}
	fputs("<p class=\"where\">", h->out);
	markup_line(h->out, &l);
	fputs("</p>\n", h->out);
}

static void put_cited(struct html *h, const json_t *cause)
{
	const json_t *packets = json_object_get(cause, "packets");
	const json_t *evidence = json_object_get(cause, "evidence");

	if (json_array_size(packets)) {
		fputs("<dt>Seen in packets</dt><dd>", h->out);
		html_links(h, packets, 'p');
		fputs("</dd>\n", h->out);
	}
	if (json_array_size(evidence)) {
		fputs("<dt>Rests on evidence</dt><dd>", h->out);
		html_links(h, evidence, 'e');
		fputs("</dd>\n", h->out);
	}
}

static void put_cause(struct html *h, const json_t *cause)
{
	fprintf(h->out, "<article class=\"card %s\">\n<h3><span class=\"tag\">%s</span> ",
		certainty(cause), certainty(cause));
	if (!html_text(h, json_object_get(cause, "title")) &&
		!html_text(h, json_object_get(cause, "id")))
		fputs("untitled", h->out);
	fputs("</h3>\n", h->out);
	put_where(h, cause);
	html_paragraph(h, cause, "detail", "detail");
	fputs("<dl>\n", h->out);
	html_term(h, "What to do", json_object_get(cause, "advice"));
	html_term(h, "What would decide", json_object_get(cause, "decide"));
	put_cited(h, cause);
	fputs("</dl>\n</article>\n", h->out);
}

static void put_list(struct html *h, const char *key, const char *title)
{
	const json_t *explanation = json_object_get(h->document, "explanation");
	const json_t *list = json_object_get(explanation, key);

	if (!json_array_size(list))
		return;
	fprintf(h->out, "<h3>%s</h3>\n<ul>\n", title);
	for (size_t i = 0; i < json_array_size(list) && i < HTML_ITEMS; i++) {
		fputs("<li>", h->out);
		html_text(h, json_array_get(list, i));
		fputs("</li>\n", h->out);
	}
	fputs("</ul>\n", h->out);
}

void html_causes(struct html *h)
{
	const json_t *causes = json_object_get(h->document, "causes");

	html_begin(h, "why", "Why");
	for (size_t i = 0; i < json_array_size(causes) && i < HTML_ITEMS; i++)
		if (json_is_object(json_array_get(causes, i)))
			put_cause(h, json_array_get(causes, i));
	put_list(h, "certain", "What is certain");
	put_list(h, "likely", "What is likely");
	put_list(h, "try_next", "What to try next");
	html_end(h);
}

/* --- the ladder --- */

static void put_actors(struct html *h, const struct ladder *ladder)
{
	fputs("<dl class=\"actors\">\n", h->out);
	for (enum ladder_place p = LADDER_HOST; p < LADDER_PLACES; p++) {
		struct line l;

		line_begin(&h->page, &l);
		if (!ladder->actor[p].present || !ladder_add_actor(ladder, p, &l)) {
			line_drop(&l);
			continue;
		}
		fputs("<div><dt>", h->out);
		markup_text(h->out, ladder_place_name(ladder, p));
		fputs("</dt><dd>", h->out);
		markup_line(h->out, &l);
		fputs("</dd></div>\n", h->out);
	}
	fputs("</dl>\n", h->out);
}

static void put_legend(struct html *h, const struct ladder *ladder)
{
	unsigned long long missed = member_count(json_object_get(h->document, "capture"), "missed");

	fputs("<figcaption>\n"
	      "Solid: what was captured at this host. Dashed: what follows from what came back. "
	      "\xe2\x9c\x97: it ended there. ?: nothing tells how far it got. Marked rows are "
	      "cited above.",
		h->out);
	if (ladder->quiet)
		fprintf(h->out, " %zu bare TCP %s not drawn.", ladder->quiet,
			ladder->quiet == 1 ? "acknowledgment is" : "acknowledgments are");
	if (missed)
		fprintf(h->out,
			" The capture has missed %llu %s: what is not drawn may have been there.",
			missed, missed == 1 ? "packet" : "packets");
	fputs("\n</figcaption>\n", h->out);
}

static void put_nothing(struct html *h, const struct ladder *ladder)
{
	struct line l;

	line_begin(&h->page, &l);
	ladder_add_nothing(ladder, &l);
	fputs("<p>", h->out);
	markup_line(h->out, &l);
	fputs("</p>\n", h->out);
}

static int put_figure(struct html *h, const struct ladder *ladder)
{
	int err;

	put_actors(h, ladder);
	fputs("<figure>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	      "aria-label=\"Ladder of packets\">\n",
		h->out);
	err = ladder_svg(ladder, h->out);
	fputs("</div>\n", h->out);
	put_legend(h, ladder);
	fputs("</figure>\n", h->out);
	return err;
}

void html_ladder(struct html *h)
{
	struct ladder *ladder;

	if (ladder_create(h->document, &ladder)) {
		h->page.failed = true;
		return;
	}
	html_begin(h, "ladder", "What happened");
	if (!ladder->row_count)
		put_nothing(h, ladder);
	else if (put_figure(h, ladder))
		h->page.failed = true;
	html_end(h);
	ladder_destroy(ladder);
}
