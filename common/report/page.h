// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "report/text.h"

/* Text in columns on a stream, with values of a document that need not be what they should be. */

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_RED, STYLE_YELLOW, STYLE_GREEN };

struct page {
	FILE *out;
	const struct text_options *options;
	size_t width;
	bool failed; /* no memory */
	bool verbatim; /* lines hold strings of the document as they are: who takes them escapes them */
};

/*
 * Indent, prefix, then the text, wrapped: later lines begin below the first one's text. Both must be
 * escaped.
 */
void page_put(struct page *p, size_t indent, const char *prefix, enum style prefix_style,
	const char *text, enum style text_style);
/* So many bytes of escaped text, in the middle of a line. */
void page_print(struct page *p, const char *text, size_t bytes, enum style style);
void page_heading(struct page *p, const char *text);
void page_gap(struct page *p);

/* A line being put together. */
struct line {
	struct page *page;
	FILE *stream; /* NULL: no memory; the functions below then do nothing */
	char *text;
	size_t length;
};

void line_begin(struct page *p, struct line *l);
void line_add(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A string of the document, escaped; whether it was one. */
bool line_add_string(struct line *l, const json_t *value);
/* "192.0.2.1:3478", escaped; "none" when it is no endpoint. */
bool line_add_endpoint(struct line *l, const json_t *endpoint);
/* "50.6 ms"; whether it was a number. */
bool line_add_ms(struct line *l, const json_t *value);
/* Puts the line on the page as page_put does. */
void line_put(struct line *l, size_t indent, const char *prefix, enum style prefix_style,
	enum style text_style);

/* Forgets the line. */
void line_drop(struct line *l);

/* Its text, which the caller frees; NULL when there is no memory. */
char *line_take(struct line *l);

/* A string member; NULL when it is missing or something else. */
const char *member_text(const json_t *object, const char *key);
bool member_is(const json_t *object, const char *key, const char *text);
/* A whole number member of at least 0; 0 when it is missing or something else. */
unsigned long long member_count(const json_t *object, const char *key);
