// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "report/document.h"
#include "report/expect.h"

/* Documents are looked at through the paths of --expect. Include after cmocka.h. */

static inline void document_check(const json_t *document, const char *const *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum expect_result result;
		char actual[256];

		assert_int_equal(
			expect_compare(document, rows[i], &result, actual, sizeof(actual)), 0);
		if (result != EXPECT_MATCH)
			print_error("%s: %s\n", rows[i], actual);
		assert_int_equal(result, EXPECT_MATCH);
	}
}

#define CHECK(document, ...)                                                  \
	do {                                                                  \
		static const char *const rows[] = {__VA_ARGS__};              \
                                                                              \
		document_check(document, rows, sizeof(rows) / sizeof(*rows)); \
	} while (0)

/* For tests/schema_check.py: with REPORT_SAMPLES=FOLDER the documents are kept. */
static inline void document_keep(const json_t *document, const char *name)
{
	const char *folder = getenv("REPORT_SAMPLES");
	char path[512];
	FILE *out;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/%s.json", folder, name);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(report_write(document, out), 0);
	fclose(out);
}
