// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>

#include <jansson.h>

/* --expect PATH=VALUE: what a script holds a report against. */

enum expect_result {
	EXPECT_MATCH,
	EXPECT_MISMATCH,
	EXPECT_NO_PATH, /* the document has no such key or place */
};

/* Whether the argument has the form PATH=VALUE; 0 or -EINVAL. For use before the run. */
int expect_check_syntax(const char *argument);

/*
 * Compares. PATH is keys with dots between; places in arrays are "servers.0.status" or
 * "servers[0].status", from 0. Strings are compared as they are; null, true, false, numbers, arrays
 * and objects as their JSON text without spaces. actual receives what is there, cut to size (empty
 * for EXPECT_NO_PATH): it may come from the network, so escape it before printing. 0, -EINVAL for a
 * malformed argument, -ENOMEM.
 */
int expect_compare(const json_t *document, const char *argument, enum expect_result *result,
	char *actual, size_t actual_size);

#define EXPECTATIONS_MAX 64

struct expectations {
	const char *all[EXPECTATIONS_MAX];
	size_t count;
};

/* Compares with each and says on stderr what differs, in the tool's name; how many do. */
unsigned expect_all(const char *tool, const json_t *document, const struct expectations *e);
