// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <jansson.h>
#include <stdio.h>

#include "report/document.h"

/* natprobe --read: a file of packets is explained, a saved report is printed again. */

/*
 * The document of the file: a capture-report of packets, or the report as it was saved. The caller owns it. 0, or a
 * negative errno with one line in error: it cannot be read, or is neither. run: the duration is filled in; all: packets,
 * not only those that causes name.
 */
int read_document(const char *path, const struct report_run *run, bool all, json_t **out,
	char *error, size_t size);
