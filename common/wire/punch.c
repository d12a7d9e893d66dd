// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "wire/punch.h"

#define STATE_VERSION 1
#define STATE_BYTES   12
#define ECHO_BYTES    12 /* what comes behind the cookie */

static bool is_answer(const struct punch_message *m)
{
	return m->class == STUN_SUCCESS || m->has_echo;
}

int punch_encode(const struct punch_message *m, const uint8_t key[static PUNCH_KEY_BYTES],
	void *buffer, size_t size)
{
	struct stun_writer s = stun_begin(buffer, size, m->class, PUNCH_METHOD, &m->id);
	uint8_t state[STATE_BYTES];
	struct writer w = writer_over(state, sizeof(state));

	writer_u8(&w, STATE_VERSION);
	writer_u8(&w, m->flags);
	writer_u16(&w, m->attempt);
	writer_u32(&w, (uint32_t)(m->counter >> 32));
	writer_u32(&w, (uint32_t)m->counter);
	stun_add(&s, PUNCH_STATE, state, sizeof(state));
	if (is_answer(m))
		stun_add_address(&s, STUN_XOR_MAPPED_ADDRESS, &m->mapped);
	if (m->has_echo)
		stun_add(&s, PUNCH_ECHO, m->echo.bytes + 4, ECHO_BYTES);
	stun_add_integrity_sha256(&s, key, PUNCH_KEY_BYTES);
	return stun_end(&s);
}

static int read_state(struct span value, struct punch_message *out)
{
	struct reader r = reader_over(value.data, value.length);
	uint8_t version = reader_u8(&r);

	out->flags = reader_u8(&r);
	out->attempt = reader_u16(&r);
	out->counter = (uint64_t)reader_u32(&r) << 32;
	out->counter |= reader_u32(&r);
	return r.failed || version != STATE_VERSION ? -EBADMSG : 0;
}

static int read_echo(struct span value, struct punch_message *out)
{
	struct writer w = writer_over(out->echo.bytes, sizeof(out->echo.bytes));

	writer_u32(&w, STUN_COOKIE);
	writer_bytes(&w, value.data, value.length);
	out->has_echo = value.length == ECHO_BYTES;
	return out->has_echo ? 0 : -EBADMSG;
}

/* The first of its type; stun_next ends at the MAC, and what stands behind does not count (RFC 8489 14.6). */
static bool find(const struct stun_message *m, uint16_t wanted, struct span *value)
{
	size_t cursor = 0;
	uint16_t type;

	while (stun_next(m, &cursor, &type, value))
		if (type == wanted)
			return true;
	return false;
}

int punch_decode(const void *data, size_t length, const uint8_t key[static PUNCH_KEY_BYTES],
	struct punch_message *out)
{
	struct stun_message m;
	struct span value;

	memset(out, 0, sizeof(*out));
	if (length > PUNCH_BYTES_MAX || stun_decode(data, length, &m) || m.method != PUNCH_METHOD)
		return -EPROTO;
	if (m.class != STUN_REQUEST && m.class != STUN_SUCCESS)
		return -EBADMSG;
	if (stun_check_integrity_sha256(&m, key, PUNCH_KEY_BYTES))
		return -EACCES;
	out->class = m.class;
	out->id = m.id;
	out->mapped = m.xor_mapped;
	if (m.class == STUN_REQUEST && find(&m, PUNCH_ECHO, &value) && read_echo(value, out))
		return -EBADMSG;
	if (is_answer(out) && m.xor_mapped.family == FAMILY_NONE)
		return -EBADMSG;
	return find(&m, PUNCH_STATE, &value) ? read_state(value, out) : -EBADMSG;
}
