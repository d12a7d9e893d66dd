// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "wire/stun.h"
#include "wire/stun_private.h"

struct stun_writer stun_begin(
	void *buffer, size_t size, enum stun_class class, uint16_t method, const struct stun_id *id)
{
	struct stun_writer s = {.w = writer_over(buffer, size), .id = *id};
	unsigned m = method, c = class;

	writer_u16(&s.w,
		(uint16_t)((m & 0x0f80) << 2 | (m & 0x0070) << 1 | (m & 0x000f) | (c & 2) << 7 |
			(c & 1) << 4));
	writer_u16(&s.w, 0);
	writer_bytes(&s.w, id->bytes, sizeof(id->bytes));
	return s;
}

/* The length field always tells what stands so far, as integrity and fingerprint want it. */
static void update_length(struct stun_writer *s)
{
	if (s->w.failed)
		return;
	if (s->w.position - STUN_HEADER_BYTES > UINT16_MAX)
		s->w.failed = true;
	else
		writer_patch_u16(&s->w, 2, (uint16_t)(s->w.position - STUN_HEADER_BYTES));
}

static void end_value(struct stun_writer *s, size_t length)
{
	writer_fill(&s->w, s->padding, stun_padded(length) - length);
	update_length(s);
}

void stun_add(struct stun_writer *s, uint16_t type, const void *value, size_t length)
{
	if (length > UINT16_MAX)
		s->w.failed = true;
	writer_u16(&s->w, type);
	writer_u16(&s->w, (uint16_t)length);
	writer_bytes(&s->w, value, length);
	end_value(s, length);
}

void stun_add_u32(struct stun_writer *s, uint16_t type, uint32_t value)
{
	writer_u16(&s->w, type);
	writer_u16(&s->w, 4);
	writer_u32(&s->w, value);
	end_value(s, 4);
}

void stun_add_text(struct stun_writer *s, uint16_t type, const char *text)
{
	stun_add(s, type, text, strlen(text));
}

static size_t address_bytes(const struct endpoint *e)
{
	return 4 + endpoint_address_length(e->family);
}

static uint32_t word_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Word by word: a server writes four addresses for every request. */
static void write_words(
	struct writer *w, const struct stun_id *id, const struct endpoint *e, bool xor)
{
	size_t length = endpoint_address_length(e->family);
	uint32_t family = e->family == FAMILY_IPV4 ? 1 : 2;
	uint32_t port = xor? e->port ^ STUN_COOKIE >> 16 : e->port;

	if (!length)
		w->failed = true;
	writer_u32(w, family << 16 | port);
	for (size_t i = 0; i < length; i += 4) {
		uint32_t mask = !xor? 0 : i ? word_at(id->bytes + i) : STUN_COOKIE;

		writer_u32(w, word_at(e->address + i) ^ mask);
	}
}

static void write_address(struct stun_writer *s, const struct endpoint *e, bool xor)
{
	write_words(&s->w, &s->id, e, xor);
}

void stun_add_address(struct stun_writer *s, uint16_t type, const struct endpoint *e)
{
	writer_u32(&s->w, (uint32_t)type << 16 | (uint32_t)address_bytes(e));
	write_address(s, e, type == STUN_XOR_MAPPED_ADDRESS || type == STUN_OLD_XOR_MAPPED_ADDRESS);
	update_length(s);
}

void stun_add_xor_address(struct stun_writer *s, uint16_t type, const struct endpoint *e)
{
	writer_u32(&s->w, (uint32_t)type << 16 | (uint32_t)address_bytes(e));
	write_address(s, e, true);
	update_length(s);
}

void stun_write_xor_address(struct writer *w, const struct stun_id *id, const struct endpoint *e)
{
	write_words(w, id, e, true);
}

void stun_add_response_port(struct stun_writer *s, uint16_t port, bool short_form)
{
	uint8_t value[4] = {(uint8_t)(port >> 8), (uint8_t)port};

	stun_add(s, STUN_RESPONSE_PORT, value, short_form ? 2 : 4);
}

void stun_add_error(struct stun_writer *s, unsigned code, const char *reason)
{
	size_t length = strlen(reason);

	writer_u16(&s->w, STUN_ERROR_CODE);
	writer_u16(&s->w, (uint16_t)(4 + length));
	writer_u16(&s->w, 0);
	writer_u8(&s->w, (uint8_t)(code / 100));
	writer_u8(&s->w, (uint8_t)(code % 100));
	writer_bytes(&s->w, reason, length);
	end_value(s, length);
}

void stun_add_unknown(struct stun_writer *s, const uint16_t *types, size_t count)
{
	writer_u16(&s->w, STUN_UNKNOWN_ATTRIBUTES);
	writer_u16(&s->w, (uint16_t)(2 * count));
	for (size_t i = 0; i < count; i++)
		writer_u16(&s->w, types[i]);
	end_value(s, 2 * count);
}

void stun_add_probe(struct stun_writer *s, const struct stun_probe *probe)
{
	uint8_t value[4] = {probe->version, probe->wants, probe->copies};

	stun_add(s, STUN_PROBE, value, sizeof(value));
}

void stun_add_receipt(struct stun_writer *s, const struct stun_receipt *receipt)
{
	writer_u16(&s->w, STUN_RECEIPT);
	writer_u16(&s->w, (uint16_t)(4 + address_bytes(&receipt->from)));
	writer_u8(&s->w, receipt->copies);
	writer_fill(&s->w, 0, 3);
	write_address(s, &receipt->from, true);
	update_length(s);
}

void stun_add_observed(struct stun_writer *s, const struct stun_observed *observed)
{
	writer_u16(&s->w, STUN_OBSERVED);
	writer_u16(&s->w, 8);
	writer_u8(&s->w, observed->version);
	writer_u8(&s->w, observed->can);
	writer_u8(&s->w, observed->ttl);
	writer_u8(&s->w, observed->tos);
	writer_u16(&s->w, observed->bytes);
	writer_u16(&s->w, observed->fragment_bytes);
	update_length(s);
}

void stun_add_syn(struct stun_writer *s, const struct stun_syn *syn)
{
	const struct syn *arrived = &syn->arrived;

	writer_u16(&s->w, STUN_SYN);
	writer_u16(&s->w, 20);
	writer_u8(&s->w, syn->version);
	writer_u8(&s->w, syn->parts);
	writer_u8(&s->w, arrived->ttl);
	writer_u8(&s->w, arrived->tos);
	writer_u16(&s->w, arrived->options.mss);
	writer_u16(&s->w, arrived->window);
	writer_u32(&s->w, arrived->sequence);
	writer_u8(&s->w, arrived->options.has);
	writer_u8(&s->w, arrived->options.scale);
	writer_u8(&s->w, arrived->options_bytes);
	writer_u8(&s->w, syn->answered.has);
	writer_u16(&s->w, syn->answered.mss);
	writer_u8(&s->w, syn->answered.scale);
	writer_u8(&s->w, 0);
	update_length(s);
}

void stun_add_icmp(struct stun_writer *s, const struct stun_icmp *icmp)
{
	writer_u16(&s->w, STUN_ICMP_ERROR);
	writer_u16(&s->w,
		(uint16_t)(4 + address_bytes(&icmp->offender) + address_bytes(&icmp->quoted_from)));
	writer_u8(&s->w, icmp->type);
	writer_u8(&s->w, icmp->code);
	writer_u8(&s->w, icmp->count);
	writer_u8(&s->w, 0);
	write_address(s, &icmp->offender, true);
	write_address(s, &icmp->quoted_from, true);
	update_length(s);
}

void stun_add_fill(struct stun_writer *s, size_t length)
{
	size_t value;

	if (s->w.failed || s->w.position + STUN_ATTRIBUTE_HEADER > length)
		return;
	value = (length - s->w.position - STUN_ATTRIBUTE_HEADER) & ~(size_t)3;
	writer_u16(&s->w, STUN_FILL);
	writer_u16(&s->w, (uint16_t)value);
	writer_fill(&s->w, 0, value);
	update_length(s);
}

int stun_end(struct stun_writer *s)
{
	return s->w.failed ? -EMSGSIZE : (int)s->w.position;
}
