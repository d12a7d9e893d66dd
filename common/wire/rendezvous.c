// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "wire/rendezvous.h"

#define SESSION_CONTEXT "natutils-session"

_Static_assert(sizeof(SESSION_CONTEXT) - 1 == crypto_generichash_blake2b_PERSONALBYTES,
	"a personalisation of BLAKE2b");

/* --- decoding --- */

static bool take_bytes(struct span value, bool *has, uint8_t *out, size_t length)
{
	if (value.length != length)
		return false;
	memcpy(out, value.data, length);
	*has = true;
	return true;
}

static bool take_slot(struct span value, struct rendezvous_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->slot_version = reader_u32(&r);
	m->slot = reader_span(&r, reader_left(&r));
	m->has_slot = !r.failed && m->slot_version && m->slot.length <= RENDEZVOUS_SLOT_MAX;
	return m->has_slot;
}

static bool take_cookie(struct span value, struct rendezvous_message *m)
{
	m->cookie = value;
	return value.length <= RENDEZVOUS_COOKIE_MAX;
}

static bool take_ready(struct span value, struct rendezvous_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->ready = reader_u16(&r);
	reader_skip(&r, 2);
	m->rtt_us = reader_u32(&r);
	m->has_ready = !r.failed && !reader_left(&r);
	return m->has_ready;
}

static bool take_seen(struct span value, struct rendezvous_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->seen_version = reader_u32(&r);
	m->seen_ready = reader_u16(&r);
	m->seen_go = reader_u16(&r);
	m->has_seen = !r.failed && !reader_left(&r);
	return m->has_seen;
}

static bool take_number(struct span value, struct rendezvous_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->number = reader_u32(&r);
	return !r.failed && !reader_left(&r);
}

static bool take_peer(struct span value, struct rendezvous_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->peer = (enum rendezvous_peer)reader_u8(&r);
	m->place = reader_u8(&r);
	m->ready = reader_u16(&r);
	m->rtt_us = reader_u32(&r);
	m->has_peer = !r.failed && !reader_left(&r) && m->peer <= RENDEZVOUS_LEFT && m->place <= 1;
	return m->has_peer;
}

static bool take_go(struct span value, struct rendezvous_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->go = reader_u16(&r);
	reader_skip(&r, 2);
	m->go_wait_us = (int32_t)reader_u32(&r);
	m->has_go = !r.failed && !reader_left(&r);
	return m->has_go;
}

static bool take_from_request(uint16_t type, struct span value, struct rendezvous_message *m)
{
	switch (type) {
	case RENDEZVOUS_SESSION:
		return take_bytes(value, &m->has_session, m->session, sizeof(m->session));
	case RENDEZVOUS_PARTY:
		return take_bytes(value, &m->has_party, m->party, sizeof(m->party));
	case RENDEZVOUS_COOKIE:
		return take_cookie(value, m);
	case RENDEZVOUS_ALLOCATE:
		m->allocate = true;
		return !value.length;
	case RENDEZVOUS_SLOT:
		return take_slot(value, m);
	case RENDEZVOUS_READY:
		return take_ready(value, m);
	case RENDEZVOUS_SEEN:
		return take_seen(value, m);
	default:
		return true;
	}
}

static bool take_from_answer(uint16_t type, struct span value, const struct stun_message *stun,
	struct rendezvous_message *m)
{
	switch (type) {
	case RENDEZVOUS_SESSION:
		return take_bytes(value, &m->has_session, m->session, sizeof(m->session));
	case RENDEZVOUS_PARTY:
		return take_bytes(value, &m->has_party, m->party, sizeof(m->party));
	case RENDEZVOUS_COOKIE:
		return take_cookie(value, m);
	case RENDEZVOUS_NUMBER:
		return take_number(value, m);
	case RENDEZVOUS_SLOT:
		return take_slot(value, m);
	case RENDEZVOUS_PEER:
		return take_peer(value, m);
	case RENDEZVOUS_PEER_ADDRESS:
		return !stun_xor_address(stun, value, &m->peer_address);
	case RENDEZVOUS_GO:
		return take_go(value, m);
	default:
		return true;
	}
}

/* Of several attributes of one type the first one counts (RFC 8489 14). */
static int take_attributes(const struct stun_message *stun, struct rendezvous_message *m)
{
	uint32_t taken = 0;
	size_t cursor = 0;
	struct span value;
	uint16_t type;

	while (stun_next(stun, &cursor, &type, &value)) {
		uint32_t bit = 1u << (type & 31);
		bool ok = true;

		if (type < RENDEZVOUS_SESSION || type > RENDEZVOUS_GO || taken & bit)
			continue;
		taken |= bit;
		if (m->class == STUN_REQUEST)
			ok = take_from_request(type, value, m);
		else if (m->class != STUN_ERROR)
			ok = take_from_answer(type, value, stun, m);
		else if (type == RENDEZVOUS_COOKIE)
			ok = take_cookie(value, m);
		if (!ok)
			return -EBADMSG;
	}
	return 0;
}

static bool is_method(uint16_t method)
{
	return method == RENDEZVOUS_JOIN || method == RENDEZVOUS_NEWS || method == RENDEZVOUS_LEAVE;
}

/* Whether there are such messages, and what they cannot be without is there. */
static bool is_whole(const struct rendezvous_message *m)
{
	if (m->method == RENDEZVOUS_NEWS)
		return m->class == STUN_INDICATION && m->has_session && m->has_party;
	if (m->class == STUN_REQUEST)
		return m->has_party &&
			(m->has_session || (m->allocate && m->method == RENDEZVOUS_JOIN));
	return m->class == STUN_SUCCESS || (m->class == STUN_ERROR && m->error_code);
}

bool rendezvous_looks_like(const void *data, size_t length)
{
	struct reader r = reader_over(data, length);
	unsigned type = reader_u16(&r);

	return !r.failed && !(type & 0xc000) &&
		is_method(
			(uint16_t)((type & 0x000f) | (type >> 1 & 0x0070) | (type >> 2 & 0x0f80)));
}

int rendezvous_decode(const void *data, size_t length, struct rendezvous_message *out)
{
	struct stun_message stun;
	int err = stun_decode(data, length, &stun);

	memset(out, 0, sizeof(*out));
	if (err)
		return err;
	if (stun.classic || !is_method(stun.method))
		return -EPROTO;
	out->class = stun.class;
	out->method = stun.method;
	out->id = stun.id;
	if (stun.class == STUN_ERROR)
		out->error_code = stun.error_code;
	else if (stun.class != STUN_REQUEST)
		out->mapped = stun.xor_mapped;
	err = take_attributes(&stun, out);
	if (err)
		return err;
	return stun.unknown_count || !is_whole(out) ? -EPROTO : 0;
}

/* --- encoding --- */

static void add_slot(struct stun_writer *s, const struct rendezvous_message *m)
{
	uint8_t value[4 + RENDEZVOUS_SLOT_MAX];
	struct writer w = writer_over(value, sizeof(value));

	writer_u32(&w, m->slot_version);
	writer_bytes(&w, m->slot.data, m->slot.length);
	stun_add(s, RENDEZVOUS_SLOT, value, w.position);
	s->w.failed |= w.failed;
}

/* Two words: most of our attributes are so. */
static void add_words(struct stun_writer *s, uint16_t type, uint32_t first, uint32_t second)
{
	uint8_t value[8];
	struct writer w = writer_over(value, sizeof(value));

	writer_u32(&w, first);
	writer_u32(&w, second);
	stun_add(s, type, value, sizeof(value));
}

static void add_to_request(struct stun_writer *s, const struct rendezvous_message *m)
{
	if (m->allocate)
		stun_add(s, RENDEZVOUS_ALLOCATE, NULL, 0);
	if (m->has_seen)
		add_words(s, RENDEZVOUS_SEEN, m->seen_version,
			(uint32_t)m->seen_ready << 16 | m->seen_go);
	if (m->has_ready)
		add_words(s, RENDEZVOUS_READY, (uint32_t)m->ready << 16, m->rtt_us);
}

static void add_to_answer(struct stun_writer *s, const struct rendezvous_message *m)
{
	if (m->mapped.family != FAMILY_NONE)
		stun_add_address(s, STUN_XOR_MAPPED_ADDRESS, &m->mapped);
	if (m->number)
		stun_add_u32(s, RENDEZVOUS_NUMBER, m->number);
	if (m->has_peer)
		add_words(s, RENDEZVOUS_PEER,
			(uint32_t)m->peer << 24 | (uint32_t)m->place << 16 | m->ready, m->rtt_us);
	if (m->peer_address.family != FAMILY_NONE)
		stun_add_xor_address(s, RENDEZVOUS_PEER_ADDRESS, &m->peer_address);
	if (m->has_go)
		add_words(s, RENDEZVOUS_GO, (uint32_t)m->go << 16, (uint32_t)m->go_wait_us);
}

int rendezvous_encode(const struct rendezvous_message *m, void *buffer, size_t size, size_t fill)
{
	struct stun_writer s = stun_begin(buffer, size, m->class, m->method, &m->id);

	if (m->class == STUN_ERROR)
		stun_add_error(&s, m->error_code, ""); /* no reason phrase: it must be short */
	if (m->has_session && m->class != STUN_ERROR)
		stun_add(&s, RENDEZVOUS_SESSION, m->session, sizeof(m->session));
	if (m->has_party && (m->class == STUN_REQUEST || m->class == STUN_INDICATION))
		stun_add(&s, RENDEZVOUS_PARTY, m->party, sizeof(m->party));
	if (m->class == STUN_REQUEST)
		add_to_request(&s, m);
	else if (m->class != STUN_ERROR)
		add_to_answer(&s, m);
	if (m->cookie.length)
		stun_add(&s, RENDEZVOUS_COOKIE, m->cookie.data, m->cookie.length);
	if (m->has_slot && m->class != STUN_ERROR)
		add_slot(&s, m);
	if (fill > STUN_FINGERPRINT_BYTES)
		stun_add_fill(&s, fill - STUN_FINGERPRINT_BYTES);
	stun_add_fingerprint(&s);
	return stun_end(&s);
}

void rendezvous_session_of(
	const char *nameplate, size_t length, uint8_t out[static RENDEZVOUS_SESSION_BYTES])
{
	static const uint8_t salt[crypto_generichash_blake2b_SALTBYTES];

	crypto_generichash_blake2b_salt_personal(out, RENDEZVOUS_SESSION_BYTES,
		(const uint8_t *)nameplate, length, NULL, 0, salt,
		(const uint8_t *)SESSION_CONTEXT);
}
