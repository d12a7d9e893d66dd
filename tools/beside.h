// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "report/output.h"

/* Files beside the results, such as that of --pcap: opened before anything is done, and written when all is known. */

/* path NULL: nothing. 0, or a negative errno with one line in error; out->file is NULL then. */
int beside_open(const char *option, const char *path, struct output *out, char *error, size_t size);

/*
 * No two of them may be one file: the later one would overwrite the other. Those that are not open are passed over, and
 * whatever is no regular file. 0, or -EINVAL with one line in error.
 */
int beside_differ(const struct output *const *all, size_t count, char *error, size_t size);

/* Whether both paths name one regular file that is there; NULL names none. */
bool beside_is_same(const char *a, const char *b);

/* err: of what was written into it. 0, or that or another negative errno, which is said on standard error. */
int beside_close(
	const char *tool, const char *option, const char *path, struct output *out, int err);
