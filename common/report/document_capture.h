// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "journal/captured.h"
#include "judge/causes.h"
#include "report/make.h"

/* What a capture beside the sockets adds to a document: "capture", "packets" and "causes". */

#define REPORT_PACKETS_MAX 1000 /* besides those that causes name */

struct report_capture {
	enum capture_state state;
	const char *hint; /* how to have one; NULL: there is one, or there is no way */
	const struct captured_list *list; /* joined; NULL: none */
	uint64_t missed; /* packets that the system has dropped before they were captured */
	const struct journal *journal; /* that it was joined with; NULL */
	uint64_t start_us; /* when t_ms begins, by the clock of its packets */
	bool all; /* packets: not only those that causes name */
	const struct causes *causes; /* NULL: none */
};

/* NULL stands for one that is off. */
void make_capture(struct maker *m, json_t *root, const struct report_capture *c);
