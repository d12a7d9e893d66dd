// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "report/utf8.h"

/* Bytes of a character by its first byte, and the smallest code that needs so many. */
static size_t lead(uint8_t byte, uint32_t *code, uint32_t *smallest)
{
	if (byte >= 0xf0 && byte <= 0xf4) {
		*code = byte & 0x07;
		*smallest = 0x10000;
		return 4;
	}
	if (byte >= 0xe0 && byte <= 0xef) {
		*code = byte & 0x0f;
		*smallest = 0x800;
		return 3;
	}
	if (byte >= 0xc2 && byte <= 0xdf) {
		*code = byte & 0x1f;
		*smallest = 0x80;
		return 2;
	}
	*code = byte;
	*smallest = 0;
	return byte && byte < 0x80 ? 1 : 0;
}

size_t utf8_next(const char *text, uint32_t *code)
{
	uint32_t smallest;
	size_t length = lead((uint8_t)*text, code, &smallest);

	for (size_t i = 1; i < length; i++) {
		uint8_t byte = (uint8_t)text[i]; /* the final NUL is no continuation: ends here */

		if ((byte & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (byte & 0x3f);
	}
	if (*code < smallest || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return length;
}
