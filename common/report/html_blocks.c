// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "report/html_private.h"
#include "report/markup.h"
#include "report/picture.h"
#include "report/text_private.h"

/* Verdicts: what is known of the NATs, as pictures and as tables. */

static const char *const protocols[] = {"udp", "tcp", "icmp"};
static const char *const families[] = {"ipv4", "ipv6"};

static size_t punch_block(const json_t *d, struct html_block *b)
{
	const char *protocol = member_is(d, "transport", "tcp") ? "tcp" : "udp";
	const char *family = member_count(d, "family") == 6 ? "ipv6" : "ipv4";

	*b = (struct html_block){json_object_get(d, "own_nat"), protocol, family, "own side"};
	return block_was_tested(b->block);
}

size_t html_tested(const json_t *document, struct html_block *blocks)
{
	size_t count = 0;

	if (member_is(document, "format", "punch-report"))
		return punch_block(document, blocks);
	for (size_t i = 0; i < HTML_BLOCKS; i++) {
		const char *protocol = protocols[i / 2], *family = families[i % 2];
		const json_t *block = json_object_get(json_object_get(document, protocol), family);

		if (block_was_tested(block))
			blocks[count++] = (struct html_block){
				block, protocol, family, text_block_name(protocol, family)};
	}
	return count;
}

/* --- pictures --- */

static void put_caption(struct html *h, const struct html_block *b, const struct picture *picture)
{
	fprintf(h->out, "<figcaption>%s.", text_block_name(b->protocol, b->family));
	if (picture->more)
		fputs(" There are more endpoints: see the evidence.", h->out);
	if (member_text(picture->cause, "title")) {
		fputs(" \xe2\x9c\x97: ", h->out);
		html_text(h, json_object_get(picture->cause, "title"));
		fputs(".", h->out);
	}
	fputs("</figcaption>\n", h->out);
}

void html_picture(struct html *h)
{
	struct html_block blocks[HTML_BLOCKS];
	size_t count = html_tested(h->document, blocks);

	html_begin(h, "nat", "Who is seen as what");
	for (size_t i = 0; i < count; i++) {
		char name[16];
		struct picture picture;

		picture_read(h->document, blocks[i].block, blocks[i].protocol, blocks[i].family,
			&picture);
		snprintf(name, sizeof(name), "%s-%s", blocks[i].protocol, blocks[i].family);
		fprintf(h->out,
			"<figure>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
			"aria-label=\"Endpoints, %s\">\n",
			blocks[i].name);
		if (picture_svg(&picture, name, h->out))
			h->page.failed = true;
		fputs("</div>\n", h->out);
		put_caption(h, &blocks[i], &picture);
		fputs("</figure>\n", h->out);
	}
	html_end(h);
}

/* --- tables --- */

struct rows {
	struct html *html;
	const json_t *block;
};

static void put_row(void *context, const char *label, const char *key, struct line *l)
{
	const struct rows *r = context;
	const json_t *basis = json_object_get(r->block, "basis");
	const json_t *numbers = key ? json_object_get(basis, key) : NULL;

	fprintf(r->html->out, "<tr><th scope=\"row\">%s</th><td>", label);
	markup_line(r->html->out, l);
	if (json_array_size(numbers)) {
		fputs(" <span class=\"basis\">", r->html->out);
		html_links(r->html, numbers, 'e');
		fputs("</span>", r->html->out);
	}
	fputs("</td></tr>\n", r->html->out);
}

static void begin_card(struct html *h, const char *name, const json_t *block)
{
	fprintf(h->out, "<div class=\"card\">\n<table class=\"verdict\">\n<caption>%s", name);
	if (member_text(block, "summary")) {
		fputs("<span class=\"summary\">", h->out);
		html_text(h, json_object_get(block, "summary"));
		fputs("</span>", h->out);
	}
	fputs("</caption>\n<tbody>\n", h->out);
}

static void end_card(struct html *h)
{
	fputs("</tbody>\n</table>\n</div>\n", h->out);
}

/* What the peer says of its own side. */
static void put_peer(struct html *h)
{
	static const struct {
		const char *label, *key;
	} rows[] = {{"status", "status"}, {"mapping", "mapping"}, {"filtering", "filtering"},
		{"early packets", "early_packet"}};
	const json_t *side = json_object_get(h->document, "peer_nat");
	const json_t *ports = json_object_get(side, "port_allocation");

	if (!json_is_object(side))
		return;
	begin_card(h, "the peer says of its side", side);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fprintf(h->out, "<tr><th scope=\"row\">%s</th><td>", rows[i].label);
		if (!html_text(h, json_object_get(side, rows[i].key)))
			fputs("unknown", h->out);
		fputs("</td></tr>\n", h->out);
	}
	fputs("<tr><th scope=\"row\">ports</th><td>", h->out);
	if (!html_text(h, json_object_get(ports, "pattern")))
		fputs("unknown", h->out);
	if (member_count(ports, "low") && member_count(ports, "high"))
		fprintf(h->out, ", %llu to %llu", member_count(ports, "low"),
			member_count(ports, "high"));
	fputs("</td></tr>\n", h->out);
	end_card(h);
}

void html_blocks(struct html *h)
{
	struct html_block blocks[HTML_BLOCKS];
	size_t count = html_tested(h->document, blocks);

	html_begin(h, "verdicts", "Verdicts");
	fputs("<div class=\"cards\">\n", h->out);
	for (size_t i = 0; i < count; i++) {
		const struct html_block *b = &blocks[i];
		struct rows rows = {h, b->block};

		begin_card(h, b->name, b->block);
		text_block_rows(
			&h->page, h->document, b->block, b->protocol, b->family, put_row, &rows);
		end_card(h);
	}
	put_peer(h);
	fputs("</div>\n", h->out);
	html_end(h);
}
