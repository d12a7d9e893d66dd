// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/reading.h"
#include "report/document.h"

/* The capture-report document: what a file of packets shows (natprobe --read). */

#define READING_FORMAT	       "capture-report"
#define READING_FORMAT_VERSION 1

/* The file, as it was read. */
struct reading_file {
	const char *name;
	uint64_t packets, other, malformed, passed_over;
	bool cut_off;
	const char *problem; /* why it was not read to its end; NULL */
	uint64_t begin_us, end_us; /* since 1970, of its first and last packet; 0: it has none */
};

struct reading_facts {
	const struct reading_file *file;
	const struct captured_list *list; /* NULL: nothing could be read */
	const struct reading *reading;
	bool all; /* packets: not only those that causes name */
};

/* The document, which the caller owns; NULL: no memory. */
json_t *reading_document(const struct report_run *run, const struct reading_facts *facts);
