// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "wire/icmp.h"

#define WANTED_BYTES 8
#define RECORD_BYTES (16 + 4 * 20) /* with four addresses of IPv6 */
#define SYN_BYTES    (8 + 20)

static const uint8_t magic[ICMP_MARK_BYTES - ICMP_TOKEN_BYTES] = {
	'n', 'a', 't', 'u', 't', 'i', 'l', 's'};

/* --- what there is to send --- */

bool icmp_is_offered(enum family family, uint8_t type, uint8_t code)
{
	static const struct {
		enum family family;
		uint8_t type;
		uint32_t codes; /* mask */
	} offered[] = {
		{FAMILY_IPV4, 3, 1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 13},
		{FAMILY_IPV4, 11, 1u << 0 | 1u << 1},
		{FAMILY_IPV4, 12, 1u << 0},
		{FAMILY_IPV6, 1, 1u << 0 | 1u << 1 | 1u << 3 | 1u << 4},
		{FAMILY_IPV6, 2, 1u << 0},
		{FAMILY_IPV6, 3, 1u << 0 | 1u << 1},
		{FAMILY_IPV6, 4, 1u << 0},
	};

	for (size_t i = 0; i < sizeof(offered) / sizeof(*offered); i++)
		if (offered[i].family == family && offered[i].type == type)
			return code < 32 && offered[i].codes & 1u << code;
	return false;
}

void icmp_write_mark(
	const uint8_t token[static ICMP_TOKEN_BYTES], uint8_t out[static ICMP_MARK_BYTES])
{
	memcpy(out, magic, sizeof(magic));
	memcpy(out + sizeof(magic), token, ICMP_TOKEN_BYTES);
}

bool icmp_read_mark(struct span payload, uint8_t token[static ICMP_TOKEN_BYTES])
{
	if (payload.length < ICMP_MARK_BYTES || memcmp(payload.data, magic, sizeof(magic)) != 0)
		return false;
	memcpy(token, payload.data + sizeof(magic), ICMP_TOKEN_BYTES);
	return true;
}

/* --- decoding --- */

typedef bool take(struct span value, struct icmp_inquiry *m);

static bool is_at_end(const struct reader *r)
{
	return !r->failed && !reader_left(r);
}

static bool take_ask(struct span value, struct icmp_inquiry *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->ask = (enum icmp_ask)reader_u8(&r);
	reader_skip(&r, 3);
	return is_at_end(&r) && m->ask >= ICMP_ASK_ERRORS && m->ask <= ICMP_ASK_LATER;
}

static bool take_cookie(struct span value, struct icmp_inquiry *m)
{
	m->cookie = value;
	return value.length <= ICMP_COOKIE_MAX;
}

static bool take_wanted(struct reader *r, struct icmp_wanted *out)
{
	out->type = reader_u8(r);
	out->code = reader_u8(r);
	out->from = (enum icmp_from)reader_u8(r);
	reader_skip(r, 1);
	out->delay_ms = reader_u16(r);
	out->mtu = reader_u16(r);
	return !r->failed && out->from <= ICMP_FROM_OTHER && out->delay_ms <= ICMP_DELAY_MAX_MS;
}

static bool take_errors(struct span value, struct icmp_inquiry *m)
{
	struct reader r = reader_over(value.data, value.length);

	if (value.length > ICMP_ERRORS_MAX * WANTED_BYTES)
		return false;
	while (reader_left(&r))
		if (!take_wanted(&r, &m->errors[m->error_count++]))
			return false;
	return true;
}

static bool take_address(struct span value, const struct icmp_inquiry *m, struct endpoint *out)
{
	struct reader r = reader_over(value.data, value.length);

	return stun_read_xor_address(&r, &m->id, out) && is_at_end(&r);
}

static bool take_own(struct span value, struct icmp_inquiry *m)
{
	return take_address(value, m, &m->own);
}

static bool take_other(struct span value, struct icmp_inquiry *m)
{
	return take_address(value, m, &m->other);
}

static bool take_target(struct span value, struct icmp_inquiry *m)
{
	return take_address(value, m, &m->target);
}

static bool take_token(struct span value, struct icmp_inquiry *m)
{
	struct reader r = reader_over(value.data, value.length);

	reader_copy(&r, m->token, sizeof(m->token));
	return is_at_end(&r);
}

static bool take_later(struct span value, struct icmp_inquiry *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->later_ms = reader_u32(&r);
	return is_at_end(&r) && m->later_ms <= ICMP_LATER_MAX_MS;
}

static bool take_quoted(
	struct reader *r, const struct stun_id *id, uint8_t protocol, struct icmp_record *out)
{
	out->quoted_protocol = protocol;
	return stun_read_xor_address(r, id, &out->quoted_from) &&
		stun_read_xor_address(r, id, &out->quoted_to) &&
		out->quoted_from.family == out->quoted_to.family;
}

static bool take_record(struct span value, const struct stun_id *id, struct icmp_record *out)
{
	struct reader r = reader_over(value.data, value.length);
	uint8_t protocol;

	out->kind = (enum icmp_kind)reader_u8(&r);
	out->type = reader_u8(&r);
	out->code = reader_u8(&r);
	out->ttl = reader_u8(&r);
	out->identifier = reader_u16(&r);
	out->sequence = reader_u16(&r);
	out->age_ms = reader_u32(&r);
	protocol = reader_u8(&r);
	reader_skip(&r, 3);
	if (!stun_read_xor_address(&r, id, &out->from) || !stun_read_xor_address(&r, id, &out->to))
		return false;
	if (out->kind == ICMP_KIND_ERROR)
		return take_quoted(&r, id, protocol, out) && is_at_end(&r);
	return out->kind == ICMP_KIND_ECHO && is_at_end(&r);
}

/* Those that are too many are not looked at. */
static bool take_seen(struct span value, struct icmp_inquiry *m)
{
	return m->record_count == ICMP_RECORDS_MAX ||
		take_record(value, &m->id, &m->records[m->record_count++]);
}

static bool take_sent(struct span value, struct icmp_inquiry *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->sent = reader_u8(&r);
	reader_skip(&r, 1);
	m->sent_error = reader_u16(&r);
	return is_at_end(&r);
}

static bool take_syn(struct span value, struct icmp_inquiry *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->syn_sequence = reader_u32(&r);
	m->syn_ttl = reader_u8(&r);
	reader_skip(&r, 3);
	m->has_syn = stun_read_xor_address(&r, &m->id, &m->syn_from) && is_at_end(&r);
	return m->has_syn;
}

#define REQUEST	   (1u << STUN_REQUEST)
#define INDICATION (1u << STUN_INDICATION)
#define SUCCESS	   (1u << STUN_SUCCESS)
#define ERROR	   (1u << STUN_ERROR)
#define ERRORS	   (1u << ICMP_ASK_ERRORS)
#define ATTEMPT	   (1u << ICMP_ASK_ATTEMPT)
#define SEEN	   (1u << ICMP_ASK_SEEN)
#define LATER	   (1u << ICMP_ASK_LATER)
#define ANY	   (ERRORS | ATTEMPT | SEEN | LATER)

/* What each attribute has a meaning in, and where it must be. */
static const struct {
	uint16_t type;
	uint8_t classes, asks, needed;
	take *take;
} attributes[] = {
	{ICMP_ATTRIBUTE_COOKIE, REQUEST | SUCCESS | ERROR, ANY, 0, take_cookie},
	{ICMP_ATTRIBUTE_ERRORS, REQUEST | SUCCESS, ERRORS | ATTEMPT, 0, take_errors},
	{ICMP_ATTRIBUTE_OWN, SUCCESS, ERRORS | ATTEMPT, 0, take_own},
	{ICMP_ATTRIBUTE_OTHER, SUCCESS, ERRORS | ATTEMPT, 0, take_other},
	{ICMP_ATTRIBUTE_TARGET, SUCCESS, ATTEMPT, SUCCESS, take_target},
	{ICMP_ATTRIBUTE_TOKEN, REQUEST | SUCCESS, SEEN | LATER, REQUEST | SUCCESS, take_token},
	{ICMP_ATTRIBUTE_LATER, REQUEST | SUCCESS, LATER, REQUEST | SUCCESS, take_later},
	{ICMP_ATTRIBUTE_SEEN, SUCCESS, SEEN | LATER, 0, take_seen},
	{ICMP_ATTRIBUTE_SENT, INDICATION, ERRORS | ATTEMPT, INDICATION, take_sent},
	{ICMP_ATTRIBUTE_SYN, INDICATION, ATTEMPT, 0, take_syn},
};

#define ATTRIBUTES (sizeof(attributes) / sizeof(*attributes))

/* Whether attribute i of the table can be in this message. */
static bool has_meaning(size_t i, const struct icmp_inquiry *m)
{
	return attributes[i].classes & 1u << m->class &&
		(m->class == STUN_ERROR || attributes[i].asks & 1u << m->ask);
}

static int take_attribute(uint16_t type, struct span value, uint32_t *taken, struct icmp_inquiry *m)
{
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		if (attributes[i].type != type || !has_meaning(i, m))
			continue;
		/* of several of one type the first one counts (RFC 8489 14) */
		if (*taken & 1u << i && type != ICMP_ATTRIBUTE_SEEN)
			return 0;
		*taken |= 1u << i;
		return attributes[i].take(value, m) ? 0 : -EBADMSG;
	}
	return 0;
}

static int take_attributes(const struct stun_message *stun, uint32_t *taken, struct icmp_inquiry *m)
{
	size_t cursor = 0;
	struct span value;
	uint16_t type;
	int err = 0;

	while (!err && stun_next(stun, &cursor, &type, &value))
		err = take_attribute(type, value, taken, m);
	return err;
}

/* Before all others, which depend on it. */
static int find_ask(const struct stun_message *stun, struct icmp_inquiry *m)
{
	size_t cursor = 0;
	struct span value;
	uint16_t type;

	while (stun_next(stun, &cursor, &type, &value))
		if (type == ICMP_ATTRIBUTE_ASK)
			return take_ask(value, m) ? 0 : -EBADMSG;
	return -EPROTO;
}

static bool is_whole(const struct icmp_inquiry *m, uint32_t taken)
{
	if (m->class == STUN_ERROR)
		return m->error_code != 0;
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (has_meaning(i, m) && attributes[i].needed & 1u << m->class &&
			!(taken & 1u << i))
			return false;
	return m->class == STUN_INDICATION ? m->ask <= ICMP_ASK_ATTEMPT
					   : m->ask != ICMP_ASK_ERRORS || m->error_count;
}

bool icmp_looks_like(const void *data, size_t length)
{
	struct reader r = reader_over(data, length);
	unsigned type = reader_u16(&r);

	return !r.failed && !(type & 0xc000) &&
		((type & 0x000f) | (type >> 1 & 0x0070) | (type >> 2 & 0x0f80)) == ICMP_METHOD;
}

int icmp_decode(const void *data, size_t length, struct icmp_inquiry *out)
{
	struct stun_message stun;
	uint32_t taken = 0;
	int err = stun_decode(data, length, &stun);

	memset(out, 0, sizeof(*out));
	if (err)
		return err;
	if (stun.classic || stun.method != ICMP_METHOD)
		return -EPROTO;
	out->class = stun.class;
	out->id = stun.id;
	if (stun.class == STUN_ERROR)
		out->error_code = stun.error_code;
	else
		err = find_ask(&stun, out);
	if (stun.class == STUN_SUCCESS)
		out->mapped = stun.xor_mapped;
	if (!err)
		err = take_attributes(&stun, &taken, out);
	if (err)
		return err;
	return stun.unknown_count || !is_whole(out, taken) ? -EPROTO : 0;
}

/* --- encoding --- */

static void add_errors(struct stun_writer *s, const struct icmp_inquiry *m)
{
	uint8_t value[ICMP_ERRORS_MAX * WANTED_BYTES];
	struct writer w = writer_over(value, sizeof(value));

	for (size_t i = 0; i < m->error_count && i < ICMP_ERRORS_MAX; i++) {
		const struct icmp_wanted *e = &m->errors[i];

		writer_u8(&w, e->type);
		writer_u8(&w, e->code);
		writer_u8(&w, (uint8_t)e->from);
		writer_u8(&w, 0);
		writer_u16(&w, e->delay_ms);
		writer_u16(&w, e->mtu);
	}
	stun_add(s, ICMP_ATTRIBUTE_ERRORS, value, w.position);
}

static void add_endpoint(struct stun_writer *s, uint16_t type, const struct endpoint *e)
{
	if (e->family != FAMILY_NONE)
		stun_add_xor_address(s, type, e);
}

static void add_record(struct stun_writer *s, const struct icmp_record *r)
{
	uint8_t value[RECORD_BYTES];
	struct writer w = writer_over(value, sizeof(value));
	bool quotes = r->kind == ICMP_KIND_ERROR;

	writer_u8(&w, (uint8_t)r->kind);
	writer_u8(&w, r->type);
	writer_u8(&w, r->code);
	writer_u8(&w, r->ttl);
	writer_u16(&w, r->identifier);
	writer_u16(&w, r->sequence);
	writer_u32(&w, r->age_ms);
	writer_u8(&w, quotes ? r->quoted_protocol : 0);
	writer_fill(&w, 0, 3);
	stun_write_xor_address(&w, &s->id, &r->from);
	stun_write_xor_address(&w, &s->id, &r->to);
	if (quotes) {
		stun_write_xor_address(&w, &s->id, &r->quoted_from);
		stun_write_xor_address(&w, &s->id, &r->quoted_to);
	}
	stun_add(s, ICMP_ATTRIBUTE_SEEN, value, w.position);
	s->w.failed |= w.failed;
}

static void add_syn(struct stun_writer *s, const struct icmp_inquiry *m)
{
	uint8_t value[SYN_BYTES];
	struct writer w = writer_over(value, sizeof(value));

	writer_u32(&w, m->syn_sequence);
	writer_u8(&w, m->syn_ttl);
	writer_fill(&w, 0, 3);
	stun_write_xor_address(&w, &s->id, &m->syn_from);
	stun_add(s, ICMP_ATTRIBUTE_SYN, value, w.position);
	s->w.failed |= w.failed;
}

/* What requests and their answers have in common. */
static void add_asked(struct stun_writer *s, const struct icmp_inquiry *m)
{
	if (m->ask <= ICMP_ASK_ATTEMPT) {
		if (m->error_count)
			add_errors(s, m);
		return;
	}
	stun_add(s, ICMP_ATTRIBUTE_TOKEN, m->token, sizeof(m->token));
	if (m->ask == ICMP_ASK_LATER)
		stun_add_u32(s, ICMP_ATTRIBUTE_LATER, m->later_ms);
}

static void add_to_answer(struct stun_writer *s, const struct icmp_inquiry *m)
{
	add_endpoint(s, STUN_XOR_MAPPED_ADDRESS, &m->mapped);
	if (m->ask <= ICMP_ASK_ATTEMPT) {
		add_endpoint(s, ICMP_ATTRIBUTE_OWN, &m->own);
		add_endpoint(s, ICMP_ATTRIBUTE_OTHER, &m->other);
		if (m->ask == ICMP_ASK_ATTEMPT)
			add_endpoint(s, ICMP_ATTRIBUTE_TARGET, &m->target);
		return;
	}
	for (size_t i = 0; i < m->record_count && i < ICMP_RECORDS_MAX; i++)
		add_record(s, &m->records[i]);
}

static void add_to_indication(struct stun_writer *s, const struct icmp_inquiry *m)
{
	if (m->ask > ICMP_ASK_ATTEMPT)
		return;
	stun_add_u32(s, ICMP_ATTRIBUTE_SENT, (uint32_t)m->sent << 24 | m->sent_error);
	if (m->has_syn && m->ask == ICMP_ASK_ATTEMPT)
		add_syn(s, m);
}

int icmp_encode(const struct icmp_inquiry *m, void *buffer, size_t size, size_t fill)
{
	struct stun_writer s = stun_begin(buffer, size, m->class, ICMP_METHOD, &m->id);

	if (m->class == STUN_ERROR)
		stun_add_error(&s, m->error_code, ""); /* no reason phrase: it must be short */
	else
		stun_add_u32(&s, ICMP_ATTRIBUTE_ASK, (uint32_t)m->ask << 24);
	if (m->cookie.length && m->class != STUN_INDICATION)
		stun_add(&s, ICMP_ATTRIBUTE_COOKIE, m->cookie.data, m->cookie.length);
	if (m->class == STUN_REQUEST || m->class == STUN_SUCCESS)
		add_asked(&s, m);
	if (m->class == STUN_SUCCESS)
		add_to_answer(&s, m);
	else if (m->class == STUN_INDICATION)
		add_to_indication(&s, m);
	if (m->class == STUN_REQUEST && fill < ICMP_REQUEST_MIN)
		fill = ICMP_REQUEST_MIN;
	if (fill > STUN_FINGERPRINT_BYTES)
		stun_add_fill(&s, fill - STUN_FINGERPRINT_BYTES);
	stun_add_fingerprint(&s);
	return stun_end(&s);
}
