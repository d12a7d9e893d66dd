// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

/* What the tests of common/punch share. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "punch/keys.h"

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

/* Keys of both sides, from the bytes 0 to 63 as ISK; the first has the smaller share. */
static inline void keys_of_both(struct keys *a, struct keys *b)
{
	uint8_t isk[CPACE_ISK_BYTES], shares[2][CPACE_POINT_BYTES] = {{1}, {2}};

	for (size_t i = 0; i < sizeof(isk); i++)
		isk[i] = (uint8_t)i;
	keys_derive(isk, shares[0], shares[1], a);
	keys_derive(isk, shares[1], shares[0], b);
}
