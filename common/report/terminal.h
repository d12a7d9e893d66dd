// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the terminal can show, and how text from strangers is made harmless before it goes there. */

enum color_when { COLOR_AUTO = 0, COLOR_ALWAYS, COLOR_NEVER };

#define TERMINAL_WIDTH	   80 /* when nobody knows */
#define TERMINAL_WIDTH_MIN 40
#define TERMINAL_WIDTH_MAX 1000

/* "auto", "always" or "never": 0, else -EINVAL. */
int terminal_color_from_text(const char *text, enum color_when *out);

/*
 * Whether to colour what goes to fd: `when`, unless auto; then no if NO_COLOR is set and not empty,
 * yes if CLICOLOR_FORCE is (and not "0"), else if fd is a terminal and TERM is neither empty nor "dumb".
 */
bool terminal_color(enum color_when when, int fd);

/* Columns of the terminal at fd, else COLUMNS of the environment, else 80; kept within the limits. */
unsigned terminal_width(int fd);

/* Whether the locale's character set is UTF-8; the tool has called setlocale(LC_CTYPE, ""). */
bool terminal_utf8(void);

/*
 * Whether a character is one that a terminal could obey, or that hides or reorders the text around it (UAX #9,
 * UTR #36).
 */
bool terminal_is_unsafe(uint32_t code);

/*
 * A copy without anything that a terminal could obey or that hides or reorders text: control
 * characters (C0, DEL, C1), bidirectional controls, invisible characters and invalid UTF-8, and beyond
 * ASCII everything when utf8 is false, become "\xNN" for each byte. Newlines and tabs too: one string
 * is one line. The caller frees it; NULL when there is no memory.
 */
char *terminal_escape(const char *text, bool utf8);

/*
 * A copy that is valid UTF-8: each byte that is part of no valid character becomes U+FFFD. The
 * caller frees it; NULL when there is no memory.
 */
char *terminal_valid_utf8(const char *text);

/* Columns that escaped text takes. */
size_t terminal_columns(const char *text);

/*
 * How many bytes of escaped text to put on a line of at most `columns`: up to a space, where there
 * is one, else cut between characters; at least one character. *next is where the next line begins,
 * behind the spaces.
 */
size_t terminal_fit(const char *text, size_t columns, const char **next);
