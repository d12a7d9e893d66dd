// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "report/document.h"
#include "report/make.h"

/* Parts of the document, beside the general ones. */

/* true, false or null. */
json_t *make_tri(enum tri t);
/* Since the start of the run; null when it never happened. */
json_t *make_moment(const struct journal *j, uint64_t t_us);
json_t *make_numbers(struct maker *m, const size_t *numbers, size_t count);

/* Words for these, as syn_option_name has them. */
json_t *make_syn_options(struct maker *m, unsigned options);

/* One behaviour block; b NULL: untested. */
json_t *make_behaviour(
	struct maker *m, const char *protocol, const struct behaviour *b, enum family family);
json_t *make_icmp_behaviour(struct maker *m, const struct icmp_verdict *v, enum family family);
json_t *make_server(struct maker *m, const struct journal *j, const struct verdict *v, size_t n);
/* A TTL ladder: of an observation, or null; and that of the report. v NULL: there is none. */
json_t *make_trace(struct maker *m, const struct journal *j, const struct observation *x);
json_t *make_path(struct maker *m, const struct journal *j, const struct verdict *v);
json_t *make_evidence(struct maker *m, const struct journal *j, size_t n);
json_t *make_all_evidence(struct maker *m, const struct journal *j);

/* What every document begins with, and what it ends with. */
void make_head(struct maker *m, json_t *root, const char *format, int version,
	const struct report_run *run);
json_t *make_findings(struct maker *m, const struct finding *findings, size_t count);
json_t *make_errors(struct maker *m, const struct report_run *run);
