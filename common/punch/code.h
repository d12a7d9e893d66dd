// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

/*
 * Codes: what one tells the other by phone. "7-acorn-albatross" is a nameplate, by which the two find each other
 * and which the server may know, and the secret behind its first hyphen, which nobody else may. Any secret will
 * do; code_make draws one of 65536, which is enough since each attempt is one guess.
 */

#define CODE_NAMEPLATE_MAX 32
#define CODE_SECRET_MIN	   2
#define CODE_SECRET_MAX	   128
#define CODE_SESSION_BYTES 16
/* Long enough for nameplate "-" secret and the final NUL. */
#define CODE_TEXT    (CODE_NAMEPLATE_MAX + 1 + CODE_SECRET_MAX + 1)
#define CODE_EXAMPLE "7-acorn-albatross"

/* Normalised: what two people write in different ways becomes the same. */
struct code {
	char nameplate[CODE_NAMEPLATE_MAX + 1]; /* a-z, 0-9 */
	char secret[CODE_SECRET_MAX + 1]; /* goes into CPace without the NUL */
};

/*
 * Reads a code. ASCII letters become lower case; blanks, underscores and hyphens in a row become one hyphen, and
 * vanish at both ends; other bytes stay as they are. 0, or -EINVAL with one line in error, which does not repeat
 * the secret.
 */
int code_parse(const char *text, struct code *out, char *error, size_t error_size);

void code_wipe(struct code *c);

/* The rendezvous session of a nameplate; tells nothing of the secret. */
void code_session_id(const struct code *c, uint8_t out[static CODE_SESSION_BYTES]);

/* "7-acorn-albatross" with two words at random; the number comes from the server. */
void code_make(uint32_t number, struct random *random, char out[static CODE_TEXT]);

/* "acorn-albatross-aimless-…": so many words, at most 8, for use without a server. */
void code_make_words(unsigned count, struct random *random, char out[static CODE_TEXT]);

/*
 * Whether a code looks like one of code_make's with letters wrong or with the words swapped: then what was probably
 * meant, in meant, which is overwritten either way. Only for a hint: another code may be right.
 */
bool code_complete(const struct code *c, char meant[static CODE_TEXT]);
