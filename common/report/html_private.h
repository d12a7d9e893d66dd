// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "report/html.h"
#include "report/page.h"

/* The sections of the page, from top to bottom. */

#define HTML_PACKETS  20000 /* rows of a table; a stranger's report may hold more */
#define HTML_EVIDENCE 5000
#define HTML_FLOWS    5000
#define HTML_ITEMS    200 /* of everything else */

struct html {
	FILE *out;
	struct page page; /* whose lines hold text as it is */
	const json_t *document;
};

/* --- html_write.c: parts of sections --- */

/* A value of the document: a string, an endpoint, or milliseconds; whether it was one. */
bool html_text(struct html *h, const json_t *value);
bool html_endpoint(struct html *h, const json_t *endpoint);
bool html_ms(struct html *h, const json_t *value);
/* "<p class="...">text</p>", when the member is a string. */
void html_paragraph(struct html *h, const json_t *object, const char *key, const char *class);
/* "<dt>name</dt><dd>text</dd>", likewise. */
void html_term(struct html *h, const char *name, const json_t *value);
/* Links to packets ('p') or evidence ('e') by number; whether there were any. */
bool html_links(struct html *h, const json_t *numbers, char kind);
/* A section with its heading, which html_end ends; id has to be one of those in the list of sections. */
void html_begin(struct html *h, const char *id, const char *title);
void html_end(struct html *h);

/*
 * A table in a box of that class, up to its first row; names of columns up to NULL, with ">" in front of those of
 * numbers. html_table_end ends it.
 */
void html_table(struct html *h, const char *class, const char *caption, const char *const *heads);
void html_table_end(struct html *h);

/* --- html_rows.c: parts of tables --- */

/*
 * What a table shows can be chosen without a script: each choice is a radio button in front of the table, and the style
 * hides the rows that are not of its class. The first one is everything.
 */
struct html_choice {
	const char *class, *name;
	bool (*belongs)(const struct html *h, const json_t *item);
};

/* The buttons of a table of that kind, without choices that nothing belongs to. */
void html_choices(const struct html *h, const struct html_choice *choices, size_t count, char kind,
	const json_t *items, size_t most);
/* ' class="..."' of a row. */
void html_row_classes(
	const struct html *h, const struct html_choice *choices, size_t count, const json_t *item);
/* ' id="p7"', if the number is above *last, so that no row has the id of another. */
void html_row_id(FILE *out, char kind, const json_t *number, json_int_t *last);
/* How many rows the page has left out. */
void html_rest(struct html *h, size_t size, size_t most);
/* Cells, empty when the value is of another type. */
void html_cell_integer(struct html *h, const json_t *value);
void html_cell_ms(struct html *h, const json_t *value);
void html_cell_text(struct html *h, const json_t *value);
void html_cell_endpoint(struct html *h, const json_t *value);

/* --- sections: nothing when there is nothing to say --- */

bool html_has_causes(const json_t *document);
void html_answer(struct html *h);
void html_causes(struct html *h);
void html_ladder(struct html *h);
void html_picture(struct html *h);
void html_blocks(struct html *h);
void html_findings(struct html *h);
void html_attempts(struct html *h);
void html_servers(struct html *h);
void html_mappings(struct html *h);
void html_flows(struct html *h);
void html_evidence(struct html *h);
void html_packets(struct html *h);
void html_errors(struct html *h);

/* --- html_blocks.c --- */

struct html_block {
	const json_t *block;
	const char *protocol, *family, *name; /* "udp", "ipv4", "UDP over IPv4" */
};

#define HTML_BLOCKS 6

/* The tested blocks of the document; their number. */
size_t html_tested(const json_t *document, struct html_block *blocks);

/* --- html_style.c --- */

extern const char html_style[];
