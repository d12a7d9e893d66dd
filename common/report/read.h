// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

/* Reads a saved report: natprobe-report, punch-report or capture-report. It may come from a stranger: size, depth and count are bounded. */

#define REPORT_BYTES_MAX  (16u << 20)
#define REPORT_DEPTH_MAX  32
#define REPORT_VALUES_MAX 500000

/*
 * The document in *out, which the caller owns. 0; -EFBIG: beyond the limits; -EBADMSG: not JSON, or a
 * key twice in one object; -EPROTO: none of these, or of a format_version other than 1;
 * -ENOMEM. On failure *out is NULL and error holds one line, with the place where there is one.
 */
int report_read(const void *data, size_t length, json_t **out, char *error, size_t error_size);

/* The same from a stream up to its end; also the negative errno of a failed read. */
int report_read_stream(FILE *in, json_t **out, char *error, size_t error_size);
