// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdio.h>

#include "report/document.h"
#include "report/lines.h"
#include "tools/natprobe/options.h"

/* Where results go: stdout or a file that is written only when everything is known. */

struct output {
	FILE *file; /* where to print; a stream in memory for a file that must not be half-written */
	int fd; /* of the file; -1: file is stdout */
	char *buffer;
	size_t size;
	struct lines lines;
};

/* Opens what -o names, without changing it yet. 0 or a negative errno. */
int output_open(const struct natprobe_params *p, struct output *o);

/* Prints the document in the form that the options ask for. 0 or a negative errno. */
int output_document(const struct natprobe_params *p, struct output *o, json_t *document);

/* Writes what was held back, and closes. 0 or a negative errno: not everything was written. */
int output_close(struct output *o);
