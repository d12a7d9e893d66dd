// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bounded reader and writer, big-endian. Both have a sticky error: after the first access beyond
 * the end every later one does nothing (a read gives zero), so a decoder checks once, at its end.
 */

struct span {
	const uint8_t *data;
	size_t length;
};

struct reader {
	const uint8_t *data;
	size_t length, position;
	bool failed;
};

struct reader reader_over(const void *data, size_t length);
size_t reader_left(const struct reader *r);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
/* length bytes in place; an empty span on failure. */
struct span reader_span(struct reader *r, size_t length);
/* Copies length bytes to out; zeros on failure. */
void reader_copy(struct reader *r, void *out, size_t length);
void reader_skip(struct reader *r, size_t length);

struct writer {
	uint8_t *data;
	size_t size, position;
	bool failed;
};

struct writer writer_over(void *data, size_t size);
void writer_u8(struct writer *w, uint8_t value);
void writer_u16(struct writer *w, uint16_t value);
void writer_u32(struct writer *w, uint32_t value);
void writer_bytes(struct writer *w, const void *data, size_t length);
/* length times the byte value. */
void writer_fill(struct writer *w, uint8_t value, size_t length);
/* Overwrites two bytes already written at offset. */
void writer_patch_u16(struct writer *w, size_t offset, uint16_t value);
