// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "report/document_reading.h"
#include "report/terminal.h"
#include "report/text_private.h"
#include "report/text_punch.h"
#include "report/text_reading.h"

static const char *const protocols[] = {"udp", "tcp", "icmp"};
static const char *const families[] = {"ipv4", "ipv6"};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

bool block_was_tested(const json_t *block)
{
	const char *status = member_text(block, "status");

	return status && strcmp(status, "untested");
}

static const json_t *block_at(const json_t *document, size_t protocol, size_t family)
{
	return json_object_get(json_object_get(document, protocols[protocol]), families[family]);
}

/* Colour only repeats what the words say. */
static enum style outlook_style(const json_t *document)
{
	const json_t *outlook = json_object_get(document, "outlook");

	if (member_is(outlook, "p2p", "easy") || member_is(outlook, "p2p", "possible"))
		return STYLE_GREEN;
	if (member_is(outlook, "p2p", "none") || member_is(outlook, "p2p", "relay-only"))
		return STYLE_RED;
	return member_is(outlook, "p2p", "hard") ? STYLE_YELLOW : STYLE_BOLD;
}

static void text_answers(struct page *p, const json_t *document)
{
	enum style style = outlook_style(document);
	struct line l;
	size_t tested = 0;

	for (size_t i = 0; i < COUNT(protocols) * COUNT(families); i++) {
		const json_t *block = block_at(document, i / COUNT(families), i % COUNT(families));

		if (!block_was_tested(block))
			continue;
		line_begin(p, &l);
		if (!line_add_string(&l, json_object_get(block, "summary")))
			line_add(&l, "%s over %s: no answer in this report",
				protocols[i / COUNT(families)], families[i % COUNT(families)]);
		line_put(&l, 0, "", STYLE_PLAIN, style);
		tested++;
	}
	if (!tested)
		page_put(p, 0, "", STYLE_PLAIN, "no answer: nothing was tested", STYLE_BOLD);
}

static void text_incomplete(struct page *p, const json_t *document)
{
	if (json_is_false(json_object_get(document, "complete")))
		page_put(p, 0, "", STYLE_PLAIN,
			"interrupted: what is unknown below may just not have been asked yet",
			STYLE_YELLOW);
}

int text_render(const json_t *document, const struct text_options *options, FILE *out)
{
	struct page p = {.out = out, .options = options, .width = options->width};

	if (!p.width)
		p.width = TERMINAL_WIDTH;
	text_answers(&p, document);
	if (!options->brief) {
		text_incomplete(&p, document);
		text_causes(&p, document);
		for (size_t i = 0; i < COUNT(protocols) * COUNT(families); i++)
			text_block(&p, document, protocols[i / COUNT(families)],
				families[i % COUNT(families)]);
		text_servers(&p, document);
		text_findings(&p, document);
		text_errors(&p, document);
	}
	if (p.failed)
		return -ENOMEM;
	return fflush(out) || ferror(out) ? -EIO : 0;
}

int text_report(const json_t *document, const struct text_options *options, FILE *out)
{
	if (member_is(document, "format", PUNCH_FORMAT))
		return text_punch(document, options, out);
	if (member_is(document, "format", READING_FORMAT))
		return text_reading(document, options, out);
	return text_render(document, options, out);
}

/* --- one word --- */

#define WORD_MAX 32

/* A value may come from a stranger, and a word is one word of letters. */
static const char *word(const json_t *block, const char *key)
{
	const char *text = member_text(block, key);

	size_t length = text ? strspn(text, "abcdefghijklmnopqrstuvwxyz-") : 0;

	return length && length < WORD_MAX && !text[length] ? text : "unknown";
}

static void short_block(const json_t *block, bool icmp, FILE *out)
{
	if (!member_is(block, "status", "ok"))
		fprintf(out, "%s\n", word(block, "status"));
	else if (icmp)
		fprintf(out, "%s/%s\n", word(block, "mapping"),
			word(json_object_get(block, "errors_arrive"), "udp"));
	else
		fprintf(out, "%s/%s\n",
			json_is_false(json_object_get(block, "nat")) ? "no-nat"
								     : word(block, "mapping"),
			word(block, "filtering"));
}

static const char *punch_word(const json_t *document)
{
	return member_is(document, "outcome", "connected") ? "connected"
							   : word(document, "failure");
}

static const char *reading_word(const json_t *document)
{
	const json_t *causes = json_object_get(document, "causes");

	return json_array_size(causes) ? word(json_array_get(causes, 0), "id") : "none";
}

static size_t short_blocks(const json_t *document, FILE *out)
{
	size_t tested = 0;

	/* a word for each family: of UDP, or of TCP or ICMP when only that was asked for */
	for (size_t protocol = 0; protocol < COUNT(protocols) && !tested; protocol++) {
		for (size_t i = 0; i < COUNT(families); i++) {
			const json_t *block = block_at(document, protocol, i);

			if (!block_was_tested(block))
				continue;
			short_block(block, protocols[protocol][0] == 'i', out);
			tested++;
		}
	}
	return tested;
}

int text_short(const json_t *document, FILE *out)
{
	if (member_is(document, "format", PUNCH_FORMAT))
		fprintf(out, "%s\n", punch_word(document));
	else if (member_is(document, "format", READING_FORMAT))
		fprintf(out, "%s\n", reading_word(document));
	else if (!short_blocks(document, out))
		fputs("untested\n", out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
