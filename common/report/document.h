// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "journal/journal.h"
#include "judge/behaviour.h"
#include "judge/findings.h"
#include "report/document_capture.h"

/* The natprobe-report document: natprobe-report(5) and data/natprobe-report.schema.json. */

#define REPORT_FORMAT	      "natprobe-report"
#define REPORT_FORMAT_VERSION 1

/* Something that went wrong in the run itself: not a property of the network. */
struct report_error {
	const char *code; /* stable, lower case with hyphens: "no-server", "permission" */
	const char *message;
	const char *test; /* the test that it spoiled; NULL: none in particular */
};

/* What only the tool knows. Pointers are borrowed for the call. */
struct report_run {
	const char *tool; /* "natprobe" */
	const char *version;
	const char *time; /* when the run began, RFC 3339, UTC */
	double duration_ms;
	bool complete; /* false: interrupted */
	const char *const *tests; /* names of the tests that were asked for */
	size_t test_count;
	const struct report_error *errors;
	size_t error_count;
};

/* What was found out. A run that failed before its first packet has NULL and 0 everywhere. */
struct report_facts {
	const struct journal *journal;
	const struct verdict *verdict;
	const struct outlook *outlook;
	const struct finding *findings;
	size_t finding_count;
	const struct report_capture *capture; /* NULL: none, and no causes */
};

/* Builds the document; the caller owns *out (json_decref). 0 or -ENOMEM. */
int report_document(const struct report_run *run, const struct report_facts *facts, json_t **out);

/* Prints the document, indented, and a newline. 0, or -EIO when out took not everything. */
int report_write(const json_t *document, FILE *out);

/* One line without spaces, as in JSON lines; no newline. 0 or -EIO. */
int report_write_line(const json_t *value, FILE *out);
