// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

/* What the tests of common/punch share. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

/* Hexadecimal digits, with blanks anywhere, as bytes; how many. */
static inline size_t from_hex(const char *text, uint8_t *out)
{
	static const char all[] = "0123456789abcdef";
	size_t digits = 0;

	for (; *text; text++) {
		const char *digit = strchr(all, *text);

		if (!digit)
			continue;
		if (digits % 2)
			out[digits / 2] = (uint8_t)(out[digits / 2] | (digit - all));
		else
			out[digits / 2] = (uint8_t)((digit - all) << 4);
		digits++;
	}
	return digits / 2;
}

static inline struct span span_of(const char *text)
{
	return (struct span){(const uint8_t *)text, strlen(text)};
}
