// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include <nettle/base64.h>
#include <nettle/sha2.h>

#include "report/html_private.h"
#include "report/markup.h"
#include "report/text_private.h"

/* The page: its head, the answer, and the list of what follows. */

/* --- the answer --- */

static bool is_punch(const json_t *document)
{
	return member_is(document, "format", "punch-report");
}

static bool is_reading(const json_t *document)
{
	return member_is(document, "format", "capture-report");
}

/* Colour only repeats what the words say. */
static const char *tone(const json_t *d)
{
	const json_t *outlook = json_object_get(d, "outlook");

	if (is_punch(d))
		return member_is(d, "outcome", "connected") ? "good" : "bad";
	if (is_reading(d))
		return json_array_size(json_object_get(d, "causes")) ? "bad" : "good";
	if (member_is(outlook, "p2p", "easy") || member_is(outlook, "p2p", "possible"))
		return "good";
	if (member_is(outlook, "p2p", "none") || member_is(outlook, "p2p", "relay-only"))
		return "bad";
	if (member_is(outlook, "p2p", "hard"))
		return "warning";
	return json_array_size(json_object_get(d, "causes")) ? "bad" : "plain";
}

static void add_punch_answer(const json_t *d, struct line *l)
{
	const json_t *error = json_array_get(json_object_get(d, "errors"), 0);

	if (member_is(d, "outcome", "connected")) {
		line_add(l, "connected: ");
		line_add_endpoint(l, json_object_get(d, "local"));
		line_add(l, " to ");
		line_add_endpoint(l, json_object_get(d, "peer"));
		return;
	}
	line_add(l, "failed: ");
	if (!line_add_string(l, json_object_get(d, "reason")) &&
		!line_add_string(l, json_object_get(error, "message")))
		line_add(l, "nothing is known");
}

static void add_summary(const struct html_block *b, struct line *l)
{
	if (!line_add_string(l, json_object_get(b->block, "summary")))
		line_add(l, "%s: no answer in this report", b->name);
}

/* The first line of the report for people. */
static void put_title(struct html *h)
{
	struct html_block blocks[HTML_BLOCKS];
	struct line l;

	line_begin(&h->page, &l);
	if (is_punch(h->document))
		add_punch_answer(h->document, &l);
	else if (is_reading(h->document))
		text_add_reading(&l, h->document);
	else if (html_tested(h->document, blocks))
		add_summary(&blocks[0], &l);
	else
		line_add(&l, "no answer: nothing was tested");
	markup_line(h->out, &l);
}

static void put_other_answers(struct html *h)
{
	struct html_block blocks[HTML_BLOCKS];
	size_t count = is_punch(h->document) ? 0 : html_tested(h->document, blocks);

	for (size_t i = 1; i < count; i++) {
		struct line l;

		line_begin(&h->page, &l);
		add_summary(&blocks[i], &l);
		fputs("<p class=\"answer\">", h->out);
		markup_line(h->out, &l);
		fputs("</p>\n", h->out);
	}
}

/* Which run this was. */
static void put_run(struct html *h)
{
	const json_t *d = h->document;
	struct line l;

	line_begin(&h->page, &l);
	if (!line_add_string(&l, json_object_get(d, "tool")))
		line_add(&l, "report");
	line_add(&l, " ");
	line_add_string(&l, json_object_get(d, "version"));
	if (member_text(d, "time")) {
		line_add(&l, " \xc2\xb7 ");
		line_add_string(&l, json_object_get(d, "time"));
	}
	if (json_is_number(json_object_get(d, "duration_ms"))) {
		line_add(&l, " \xc2\xb7 took ");
		line_add_ms(&l, json_object_get(d, "duration_ms"));
	}
	fputs("<p class=\"run\">", h->out);
	markup_line(h->out, &l);
	fputs("</p>\n", h->out);
}

/* The main cause, right under the answer. */
static void put_main_cause(struct html *h)
{
	const json_t *cause = json_array_get(json_object_get(h->document, "causes"), 0);

	if (!member_text(cause, "title") || is_reading(h->document)) /* there it is the answer */
		return;
	fputs("<p class=\"why\"><b>Why:</b> ", h->out);
	html_text(h, json_object_get(cause, "title"));
	fputs("</p>\n", h->out);
}

void html_answer(struct html *h)
{
	fprintf(h->out, "<header class=\"%s\">\n", tone(h->document));
	put_run(h);
	fputs("<h1>", h->out);
	put_title(h);
	fputs("</h1>\n", h->out);
	put_other_answers(h);
	put_main_cause(h);
	if (json_is_false(json_object_get(h->document, "complete")))
		fputs("<p class=\"answer\">Interrupted: what is unknown may just not have been "
		      "asked yet.</p>\n",
			h->out);
	fputs("</header>\n", h->out);
}

/* --- the list of sections --- */

static bool has_array(const json_t *d, const char *key)
{
	return json_array_size(json_object_get(d, key)) > 0;
}

static bool has_section(const json_t *d, const char *id)
{
	struct html_block blocks[HTML_BLOCKS];

	if (!strcmp(id, "why"))
		return html_has_causes(d);
	if (!strcmp(id, "ladder"))
		return has_array(d, "packets") || json_is_object(json_object_get(d, "capture"));
	if (!strcmp(id, "nat") || !strcmp(id, "verdicts"))
		return html_tested(d, blocks);
	if (!strcmp(id, "attempts"))
		return has_array(d, "attempts") || has_array(d, "steps");
	return has_array(d, id);
}

struct section {
	const char *id, *name;
	void (*put)(struct html *h);
};

static const struct section sections[] = {
	{"why", "Why", html_causes},
	{"ladder", "Ladder", html_ladder},
	{"nat", "NAT", html_picture},
	{"verdicts", "Verdicts", html_blocks},
	{"findings", "Findings", html_findings},
	{"attempts", "Attempts", html_attempts},
	{"servers", "Servers", html_servers},
	{"errors", "Errors", html_errors},
	{"mappings", "External endpoints", html_mappings},
	{"flows", "Flows", html_flows},
	{"evidence", "Evidence", html_evidence},
	{"packets", "Packets", html_packets},
};

#define SECTIONS (sizeof(sections) / sizeof(*sections))

static void put_navigation(struct html *h)
{
	fputs("<nav aria-label=\"Sections\"><ul>\n", h->out);
	for (size_t i = 0; i < SECTIONS; i++)
		if (has_section(h->document, sections[i].id))
			fprintf(h->out, "<li><a href=\"#%s\">%s</a></li>\n", sections[i].id,
				sections[i].name);
	fputs("</ul></nav>\n", h->out);
}

/* --- the head --- */

/* The style is allowed by what it is: nothing else that got into the page could be one. */
static void put_policy(FILE *out)
{
	char text[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE)];
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, strlen(html_style), (const uint8_t *)html_style);
	sha256_digest(&sha, sizeof(digest), digest);
	base64_encode_raw(text, sizeof(digest), digest);
	fprintf(out,
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src 'sha256-%.*s'; base-uri 'none'; form-action 'none'\"/>\n",
		(int)sizeof(text), text);
}

static void put_head(struct html *h)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n", h->out);
	put_policy(h->out);
	fputs("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
	      "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
	      "<meta name=\"referrer\" content=\"no-referrer\"/>\n<title>",
		h->out);
	put_title(h);
	fprintf(h->out, "</title>\n<style>%s</style>\n</head>\n", html_style);
}

int html_render(const json_t *document, FILE *out)
{
	struct html h = {.out = out, .document = document};

	markup_begin(&h.page, out);
	put_head(&h);
	fputs("<body>\n<a class=\"skip\" href=\"#main\">Skip to the report</a>\n", out);
	html_answer(&h);
	put_navigation(&h);
	fputs("<main id=\"main\">\n", out);
	for (size_t i = 0; i < SECTIONS; i++)
		if (has_section(document, sections[i].id))
			sections[i].put(&h);
	fputs("</main>\n<footer><p>Everything on this page is in the JSON document that it was "
	      "made from."
	      "</p></footer>\n</body>\n</html>\n",
		out);
	if (h.page.failed)
		return -ENOMEM;
	return fflush(out) || ferror(out) ? -EIO : 0;
}
