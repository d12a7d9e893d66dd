// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "base/bytes.h"

struct reader reader_over(const void *data, size_t length)
{
	return (struct reader){.data = data, .length = length};
}

size_t reader_left(const struct reader *r)
{
	return r->failed ? 0 : r->length - r->position;
}

struct span reader_span(struct reader *r, size_t length)
{
	struct span s = {0};

	if (r->failed || r->length - r->position < length) {
		r->failed = true;
		return s;
	}
	if (!r->data) /* nothing of nothing: C allows no sum with NULL, not even of zero */
		return s;
	s.data = r->data + r->position;
	s.length = length;
	r->position += length;
	return s;
}

uint8_t reader_u8(struct reader *r)
{
	struct span s = reader_span(r, 1);

	return s.length ? s.data[0] : 0;
}

uint16_t reader_u16(struct reader *r)
{
	struct span s = reader_span(r, 2);

	return s.length ? (uint16_t)(s.data[0] << 8 | s.data[1]) : 0;
}

uint32_t reader_u32(struct reader *r)
{
	struct span s = reader_span(r, 4);

	if (!s.length)
		return 0;
	return (uint32_t)s.data[0] << 24 | (uint32_t)s.data[1] << 16 | (uint32_t)s.data[2] << 8 |
		s.data[3];
}

void reader_copy(struct reader *r, void *out, size_t length)
{
	struct span s = reader_span(r, length);

	if (!length)
		return;
	if (s.length)
		memcpy(out, s.data, length);
	else
		memset(out, 0, length);
}

void reader_skip(struct reader *r, size_t length)
{
	reader_span(r, length);
}

struct writer writer_over(void *data, size_t size)
{
	return (struct writer){.data = data, .size = size};
}

static uint8_t *reserve(struct writer *w, size_t length)
{
	uint8_t *p;

	if (w->failed || w->size - w->position < length) {
		w->failed = true;
		return NULL;
	}
	if (!w->data)
		return NULL;
	p = w->data + w->position;
	w->position += length;
	return p;
}

void writer_bytes(struct writer *w, const void *data, size_t length)
{
	uint8_t *p = reserve(w, length);

	if (p && length)
		memcpy(p, data, length);
}

void writer_fill(struct writer *w, uint8_t value, size_t length)
{
	uint8_t *p = reserve(w, length);

	if (p && length)
		memset(p, value, length);
}

void writer_u8(struct writer *w, uint8_t value)
{
	uint8_t *p = reserve(w, 1);

	if (p)
		p[0] = value;
}

void writer_u16(struct writer *w, uint16_t value)
{
	uint8_t *p = reserve(w, 2);

	if (!p)
		return;
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

void writer_u32(struct writer *w, uint32_t value)
{
	uint8_t *p = reserve(w, 4);

	if (!p)
		return;
	p[0] = (uint8_t)(value >> 24);
	p[1] = (uint8_t)(value >> 16);
	p[2] = (uint8_t)(value >> 8);
	p[3] = (uint8_t)value;
}

void writer_patch_u16(struct writer *w, size_t offset, uint16_t value)
{
	if (w->failed || w->position < 2 || offset > w->position - 2) {
		w->failed = true;
		return;
	}
	w->data[offset] = (uint8_t)(value >> 8);
	w->data[offset + 1] = (uint8_t)value;
}
