// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdio.h>

#include "report/lines.h"

/* Where results go: stdout or a file that is written only when everything is known. */

struct output {
	FILE *file; /* where to print; a stream in memory for a file that must not be half-written */
	int fd; /* of the file; -1: file is stdout */
	char *buffer;
	size_t size;
	struct lines lines;
};

/*
 * Opens the file that path names, without changing it yet unless JSON lines go there; NULL and "-" are stdout. 0 or
 * a negative errno.
 */
int output_open(const char *path, bool json_lines, struct output *o);

/* Writes what was held back, and closes. 0 or a negative errno: not everything was written. */
int output_close(struct output *o);
