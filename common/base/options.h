// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * One table of options per tool. Parsing, the usage text and the shell completions are made from it,
 * and the man page is held against it.
 */

enum option_words {
	OPTION_WORDS_NONE, /* free text, or no argument */
	OPTION_WORDS_ONE, /* one of `words` */
	OPTION_WORDS_LIST, /* several of `words`, with commas */
	OPTION_WORDS_FILE,
	OPTION_WORDS_INTERFACE,
	OPTION_WORDS_HOST,
};

struct option_spec {
	char letter; /* 0: long form only */
	const char *name; /* long form without the dashes; never NULL */
	const char *argument; /* how the usage text calls it; NULL: takes none */
	enum option_words kind;
	const char *words; /* with spaces between; for OPTION_WORDS_ONE and _LIST */
	const char *help; /* lower case, no full stop */
};

/* What a tool is, for usage and completions. */
struct option_table {
	const char *tool;
	const char *operands; /* "[SERVER[:PORT]]..." */
	enum option_words operand_kind;
	const char *summary; /* one sentence in the usage text */
	const struct option_spec *specs;
	size_t count;
	bool in_order; /* operands are given to the handler where they stand, with the index `count` */
};

/*
 * Called for each option with its place in the table and its argument (NULL when it takes none). 0, or
 * negative to stop: the handler has then written its own one-line message to error.
 */
typedef int option_handler(
	void *context, size_t index, const char *argument, char *error, size_t error_size);

/*
 * Reads argv; options and operands may be mixed, "--" ends the options. *first is set to the place
 * in argv (which gets permuted) of the first operand; with in_order, of what follows "--". 0, or -EINVAL with
 * one line in error.
 */
int options_parse(const struct option_table *table, int argc, char **argv, option_handler *handler,
	void *context, int *first, char *error, size_t error_size);

/* Usage text: a synopsis, the summary, one line per option. */
void options_usage(const struct option_table *table, FILE *out);

/* A completion script for "bash", "zsh" or "fish". 0, or -EINVAL for another shell. */
int options_completion(const struct option_table *table, const char *shell, FILE *out);

/* "OPTION letter name argument" lines, for checks against the man page. */
void options_list(const struct option_table *table, FILE *out);
