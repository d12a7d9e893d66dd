// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdio.h>

#include "report/page.h"

/* Text of a document in HTML and SVG. */

/*
 * Writes text so that it is nothing but text, between tags and in an attribute in double quotes: markup
 * is escaped, and what hides or reorders text, or is no character of XML 1.0, is shown as "[U+202E]".
 */
void markup_text(FILE *out, const char *text);
/* The same with so many bytes of it. */
void markup_bytes(FILE *out, const char *text, size_t bytes);
/* The same with a line, which it takes. */
void markup_line(FILE *out, struct line *l);

/* A page whose lines hold text as it is, for markup_line. */
void markup_begin(struct page *p, FILE *out);
