// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/endpoint.h"

/*
 * Lines of key=value (logfmt). Under the journal, which has its own time, the level is a <N> prefix
 * as in sd-daemon(3). One event gives a few lines at a time; what was left out is told with the
 * next one.
 */

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

#define LOG_EVENTS	 24
#define LOG_LINE_BYTES	 1024
#define LOG_WINDOW_US	 10000000u
#define LOG_WINDOW_LINES 5

struct log_event {
	const char *name;
	uint64_t window_us; /* when it began */
	uint64_t suppressed;
	unsigned lines;
};

struct log {
	FILE *out;
	enum log_level level; /* what is less urgent is left out */
	bool journal;
	bool full_addresses; /* of clients; else only their /24 or /48 */
	struct log_event events[LOG_EVENTS];
};

/* A line being written; a value that does not fit any more is left out. */
struct log_line {
	struct log *log; /* NULL: suppressed */
	size_t length;
	char text[LOG_LINE_BYTES];
};

void log_init(struct log *log, FILE *out, enum log_level level);

/* event must outlive the log: a literal. */
struct log_line log_begin(struct log *log, enum log_level level, const char *event);
void log_text(struct log_line *line, const char *key, const char *value);
void log_number(struct log_line *line, const char *key, uint64_t value);
/* An endpoint of our own, in full. */
void log_endpoint(struct log_line *line, const char *key, const struct endpoint *e);
/* A stranger's address: as much of it as may be kept. */
void log_client(struct log_line *line, const char *key, const struct endpoint *e);
void log_end(struct log_line *line);
