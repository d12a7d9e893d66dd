// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/endpoint.h"

/*
 * Parts of JSON documents. A part that could not be allocated is NULL, and putting NULL into an object or
 * array marks the maker as failed, so that only who has the whole document has to check.
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
/* Milliseconds with three decimals. */
json_t *make_ms(uint64_t us);
/* A number, or null for 0 where 0 means "none". */
json_t *make_number_or_null(json_int_t number);
