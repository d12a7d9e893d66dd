// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "report/document.h"

/*
 * Parts of the document. A part that could not be allocated is NULL, and putting NULL into an object
 * or array marks the maker as failed, so that only report_document has to check.
 */

struct maker {
	bool failed;
};

void make_set(struct maker *m, json_t *object, const char *key, json_t *value);
void make_append(struct maker *m, json_t *array, json_t *value);

/* Made valid UTF-8; null for NULL and "". */
json_t *make_text(const char *text);
/* {"address","port"}, or null for FAMILY_NONE. */
json_t *make_endpoint(struct maker *m, const struct endpoint *e);
/* The address alone, or null. */
json_t *make_address(const struct endpoint *e);
/* true, false or null. */
json_t *make_tri(enum tri t);
/* Milliseconds with three decimals. */
json_t *make_ms(uint64_t us);
/* Since the start of the run; null when it never happened. */
json_t *make_moment(const struct journal *j, uint64_t t_us);
json_t *make_numbers(struct maker *m, const size_t *numbers, size_t count);
/* A number, or null for 0 where 0 means "none". */
json_t *make_number_or_null(json_int_t number);

/* One behaviour block; b NULL: untested. */
json_t *make_behaviour(
	struct maker *m, const char *protocol, const struct behaviour *b, enum family family);
json_t *make_server(struct maker *m, const struct journal *j, const struct verdict *v, size_t n);
json_t *make_evidence(struct maker *m, const struct journal *j, size_t n);
