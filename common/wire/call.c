// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "wire/call.h"

#define ENDPOINT_LAST (CALL_ATTRIBUTE_ENDPOINT + CALL_FROM_KINDS - 1)

/* --- decoding --- */

static bool take_from(struct span value, struct call_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->from = reader_u8(&r);
	m->patience_ms = (uint16_t)(reader_u8(&r) * CALL_PATIENCE_STEP_MS);
	m->wait_ms = reader_u16(&r);
	m->has_from = !r.failed && !reader_left(&r);
	return m->has_from;
}

/* Exactly one of the bits that have a meaning. */
static bool is_one(unsigned which)
{
	return which && !(which & (which - 1)) && which < 1u << CALL_FROM_KINDS;
}

static bool take_result(struct span value, struct call_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->which = (enum call_from)reader_u8(&r);
	m->outcome = (enum call_outcome)reader_u8(&r);
	m->error = reader_u16(&r);
	m->elapsed_us = reader_u32(&r);
	m->has_result = !r.failed && !reader_left(&r) && is_one(m->which) &&
		m->outcome >= CALL_CONNECTED && m->outcome <= CALL_LOCAL;
	return m->has_result;
}

static bool take_ttl(struct span value, struct call_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->ttl = reader_u8(&r);
	reader_skip(&r, 3);
	return !r.failed && !reader_left(&r);
}

static bool take_attribute(
	const struct stun_message *stun, uint16_t type, struct span value, struct call_message *m)
{
	if (type == CALL_ATTRIBUTE_FROM)
		return (m->class != STUN_REQUEST && m->class != STUN_SUCCESS) ||
			take_from(value, m);
	if (type == CALL_ATTRIBUTE_RESULT)
		return m->class != STUN_INDICATION || take_result(value, m);
	if (type == CALL_ATTRIBUTE_TTL)
		return m->class != STUN_INDICATION || take_ttl(value, m);
	if (type >= CALL_ATTRIBUTE_ENDPOINT && type <= ENDPOINT_LAST)
		return m->class != STUN_SUCCESS ||
			!stun_xor_address(
				stun, value, &m->endpoint[type - CALL_ATTRIBUTE_ENDPOINT]);
	return true;
}

/* Of several attributes of one type the first one counts (RFC 8489 14). */
static int take_attributes(const struct stun_message *stun, struct call_message *m)
{
	uint32_t taken = 0;
	size_t cursor = 0;
	struct span value;
	uint16_t type;

	while (stun_next(stun, &cursor, &type, &value)) {
		uint32_t bit = 1u << (type & 31);

		if (type < CALL_ATTRIBUTE_FROM || type > CALL_ATTRIBUTE_TTL || taken & bit)
			continue;
		taken |= bit;
		if (!take_attribute(stun, type, value, m))
			return -EBADMSG;
	}
	return 0;
}

/* What the class calls for; nothing else of what stun_decode knows is looked at. */
static void take_known(const struct stun_message *stun, struct call_message *m)
{
	if (m->class == STUN_ERROR)
		m->error_code = stun->error_code;
	else if (m->class == STUN_SUCCESS)
		m->mapped = stun->xor_mapped;
	m->has_icmp = m->class == STUN_INDICATION && stun->icmp_count;
	if (m->has_icmp)
		m->icmp = stun->icmp[0];
}

static bool is_whole(const struct call_message *m)
{
	return m->class == STUN_INDICATION ? m->has_result
		: m->class == STUN_ERROR   ? m->error_code != 0
					   : m->has_from;
}

bool call_looks_like(const void *data, size_t length)
{
	struct reader r = reader_over(data, length);
	unsigned type = reader_u16(&r);

	return !r.failed && !(type & 0xc000) &&
		((type & 0x000f) | (type >> 1 & 0x0070) | (type >> 2 & 0x0f80)) == CALL_METHOD;
}

int call_decode(const void *data, size_t length, struct call_message *out)
{
	struct stun_message stun;
	int err = stun_decode(data, length, &stun);

	memset(out, 0, sizeof(*out));
	if (err)
		return err;
	if (stun.classic || stun.method != CALL_METHOD)
		return -EPROTO;
	out->class = stun.class;
	out->id = stun.id;
	take_known(&stun, out);
	err = take_attributes(&stun, out);
	if (err)
		return err;
	return stun.unknown_count || !is_whole(out) ? -EPROTO : 0;
}

/* --- encoding --- */

static void add_from(struct stun_writer *s, const struct call_message *m)
{
	uint32_t value = (uint32_t)m->from << 24, steps = m->patience_ms / CALL_PATIENCE_STEP_MS;

	if (m->class == STUN_REQUEST)
		value |= (steps < UINT8_MAX ? steps : UINT8_MAX) << 16 | m->wait_ms;
	if (m->has_from)
		stun_add_u32(s, CALL_ATTRIBUTE_FROM, value);
}

static void add_to_answer(struct stun_writer *s, const struct call_message *m)
{
	if (m->mapped.family != FAMILY_NONE)
		stun_add_address(s, STUN_XOR_MAPPED_ADDRESS, &m->mapped);
	add_from(s, m);
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
		if (m->endpoint[i].family != FAMILY_NONE)
			stun_add_xor_address(
				s, (uint16_t)(CALL_ATTRIBUTE_ENDPOINT + i), &m->endpoint[i]);
}

static void add_to_indication(struct stun_writer *s, const struct call_message *m)
{
	uint8_t value[8];
	struct writer w = writer_over(value, sizeof(value));

	if (!m->has_result)
		return;
	writer_u8(&w, (uint8_t)m->which);
	writer_u8(&w, (uint8_t)m->outcome);
	writer_u16(&w, m->error);
	writer_u32(&w, m->elapsed_us);
	stun_add(s, CALL_ATTRIBUTE_RESULT, value, sizeof(value));
	if (m->has_icmp)
		stun_add_icmp(s, &m->icmp);
	if (m->ttl)
		stun_add_u32(s, CALL_ATTRIBUTE_TTL, (uint32_t)m->ttl << 24);
}

int call_encode(const struct call_message *m, void *buffer, size_t size)
{
	struct stun_writer s = stun_begin(buffer, size, m->class, CALL_METHOD, &m->id);

	if (m->class == STUN_ERROR)
		stun_add_error(&s, m->error_code, ""); /* no reason phrase: it must be short */
	else if (m->class == STUN_SUCCESS)
		add_to_answer(&s, m);
	else if (m->class == STUN_REQUEST)
		add_from(&s, m);
	else
		add_to_indication(&s, m);
	stun_add_fingerprint(&s);
	return stun_end(&s);
}
