// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report/markup.h"
#include "report/terminal.h"
#include "report/utf8.h"

/* Beyond what is not safe: nobody's, and not allowed in XML (XML 1.0 2.2) or HTML. */
static bool is_noncharacter(uint32_t code)
{
	return (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) == 0xfffe;
}

static const char *entity(uint32_t code)
{
	switch (code) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void markup_bytes(FILE *out, const char *text, size_t bytes)
{
	const char *end = text + bytes;

	while (text < end && *text) {
		uint32_t code;
		size_t length = utf8_next(text, &code);
		const char *name = length == 1 ? entity(code) : NULL;

		if (!length)
			fprintf(out, "[0x%02x]", (unsigned)(unsigned char)*text);
		else if (name)
			fputs(name, out);
		else if (terminal_is_unsafe(code) || is_noncharacter(code))
			fprintf(out, "[U+%04X]", (unsigned)code);
		else
			fwrite(text, 1, length, out);
		text += length ? length : 1;
	}
}

void markup_text(FILE *out, const char *text)
{
	markup_bytes(out, text, strlen(text));
}

void markup_line(FILE *out, struct line *l)
{
	char *text = line_take(l);

	if (text)
		markup_text(out, text);
	free(text);
}

void markup_begin(struct page *p, FILE *out)
{
	static const struct text_options options = {.utf8 = true};

	*p = (struct page){.out = out, .options = &options, .width = 80, .verbatim = true};
}
