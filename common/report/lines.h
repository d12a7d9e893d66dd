// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "journal/journal.h"
#include "report/make.h"

/*
 * JSON lines: one object per event of the journal as it happens, each line flushed; the last one,
 * {"event":"end","report":{...}}, holds the whole document. `n` is the number of the question in the
 * document's evidence.
 */

struct lines {
	FILE *out;
	uint64_t sequence;
	bool failed; /* a line could not be written */
};

void lines_begin(struct lines *l, FILE *out);

/* A journal_listener; the context is the struct lines. */
void lines_event(void *context, const struct journal *j, const struct event *e);

/* A line of another kind: begin it, add to it with make_set, put it; which takes it over. */
json_t *lines_new(struct lines *l, struct maker *m, const char *event, uint64_t since_start_us);
void lines_put(struct lines *l, struct maker *m, json_t *line);

/* Writes the last line. 0, -ENOMEM, or -EIO when any line was lost. */
int lines_end(struct lines *l, json_t *document);
