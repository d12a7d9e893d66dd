// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/number.h"
#include "report/terminal.h"
#include "report/utf8.h"

int terminal_color_from_text(const char *text, enum color_when *out)
{
	static const char *const words[] = {
		[COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(text, words[i]))
			continue;
		*out = (enum color_when)i;
		return 0;
	}
	return -EINVAL;
}

bool terminal_color(enum color_when when, int fd)
{
	const char *no = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE"),
		   *term = getenv("TERM");

	if (when != COLOR_AUTO)
		return when == COLOR_ALWAYS;
	if (no && *no)
		return false;
	if (force && *force && strcmp(force, "0"))
		return true;
	return isatty(fd) && term && *term && strcmp(term, "dumb");
}

static unsigned bounded(uint64_t width)
{
	if (width < TERMINAL_WIDTH_MIN)
		return TERMINAL_WIDTH_MIN;
	return width > TERMINAL_WIDTH_MAX ? TERMINAL_WIDTH_MAX : (unsigned)width;
}

unsigned terminal_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t width;

	if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col)
		return bounded(size.ws_col);
	if (columns && !number_from_text(columns, 1, UINT32_MAX, &width))
		return bounded(width);
	return TERMINAL_WIDTH;
}

bool terminal_utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

bool terminal_is_unsafe(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x0000, 0x001f}, /* C0 */
		{0x007f, 0x009f}, /* DEL, C1 */
		{0x00ad, 0x00ad}, /* soft hyphen */
		{0x061c, 0x061c}, /* Arabic letter mark */
		{0x115f, 0x1160}, /* Hangul fillers */
		{0x180b, 0x180f}, /* Mongolian selectors and vowel separator */
		{0x200b, 0x200f}, /* zero width, direction marks */
		{0x2028, 0x202e}, /* line and paragraph separators, embeddings, overrides */
		{0x2060, 0x206f}, /* word joiner, isolates, deprecated format characters */
		{0xfe00, 0xfe0f}, /* variation selectors */
		{0xfeff, 0xfeff}, /* byte order mark */
		{0xfff9, 0xfffb}, /* interlinear annotation */
		{0xe0000, 0xe0fff}, /* tags, more variation selectors */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

char *terminal_escape(const char *text, bool utf8)
{
	char *copy = malloc(4 * strlen(text) + 1), *p = copy;

	if (!copy)
		return NULL;
	while (*text) {
		uint32_t code;
		size_t length = utf8_next(text, &code);
		bool safe = length && !terminal_is_unsafe(code) && (utf8 || length == 1);

		for (size_t i = length ? length : 1; i > 0; i--, text++) {
			if (safe)
				*p++ = *text;
			else
				p += sprintf(p, "\\x%02x", (unsigned)(unsigned char)*text);
		}
	}
	*p = '\0';
	return copy;
}

char *terminal_valid_utf8(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
	char *copy = malloc(3 * strlen(text) + 1), *p = copy;

	if (!copy)
		return NULL;
	while (*text) {
		uint32_t code;
		size_t length = utf8_next(text, &code);

		memcpy(p, length ? text : replacement, length ? length : 3);
		p += length ? length : 3;
		text += length ? length : 1;
	}
	*p = '\0';
	return copy;
}

/* One character: its bytes, at least 1, and the columns it takes. */
static size_t measure(const char *text, size_t *columns)
{
	uint32_t code;
	size_t length = utf8_next(text, &code);
	int width = length > 1 ? wcwidth((wchar_t)code) : 1;

	*columns = width < 0 ? 1 : (size_t)width; /* unknown to this locale: most take one */
	return length ? length : 1;
}

size_t terminal_columns(const char *text)
{
	size_t total = 0, columns;

	while (*text) {
		text += measure(text, &columns);
		total += columns;
	}
	return total;
}

size_t terminal_fit(const char *text, size_t columns, const char **next)
{
	size_t used = 0, at = 0, space = 0;

	while (text[at]) {
		size_t width, length = measure(text + at, &width);

		if (text[at] == ' ')
			space = at;
		if (at && used + width > columns)
			break;
		used += width;
		at += length;
	}
	if (text[at] && space)
		at = space;
	*next = text + at;
	while (**next == ' ')
		(*next)++;
	return at;
}
