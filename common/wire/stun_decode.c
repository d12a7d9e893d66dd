// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "wire/stun.h"
#include "wire/stun_private.h"

bool stun_id_equal(const struct stun_id *a, const struct stun_id *b)
{
	return !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static bool read_address(struct reader *r, bool xor, const struct stun_id *id, struct endpoint *out)
{
	uint8_t family;
	size_t length;

	memset(out, 0, sizeof(*out));
	reader_skip(r, 1);
	family = reader_u8(r);
	out->port = reader_u16(r);
	out->family = family == 1 ? FAMILY_IPV4 : family == 2 ? FAMILY_IPV6 : FAMILY_NONE;
	length = endpoint_address_length(out->family);
	reader_copy(r, out->address, length);
	if (r->failed || !length) {
		out->family = FAMILY_NONE;
		return false;
	}
	if (xor) {
		out->port ^= STUN_COOKIE >> 16;
		for (size_t i = 0; i < length; i++)
			out->address[i] ^= i < 4 ? stun_cookie[i] : id->bytes[i];
	}
	return true;
}

/* The first address of a kind counts (RFC 8489 14: later duplicates are ignored). */
static bool take_address(
	struct span value, bool xor, const struct stun_id *id, struct endpoint *out)
{
	struct reader r = reader_over(value.data, value.length);
	struct endpoint e;

	if (!read_address(&r, xor, id, &e) || reader_left(&r))
		return false;
	if (out->family == FAMILY_NONE)
		*out = e;
	return true;
}

static bool take_error(struct span value, struct stun_message *m)
{
	struct reader r = reader_over(value.data, value.length);
	uint8_t class, number;

	reader_skip(&r, 2);
	class = reader_u8(&r) & 7;
	number = reader_u8(&r);
	if (r.failed || class < 3 || class > 6 || number > 99)
		return false;
	m->error_code = (uint16_t)(class * 100 + number);
	m->reason = reader_span(&r, reader_left(&r));
	m->has_error = true;
	return true;
}

static bool take_receipt(struct span value, struct stun_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->receipt.copies = reader_u8(&r);
	reader_skip(&r, 3);
	m->has_receipt = read_address(&r, true, &m->id, &m->receipt.from);
	return m->has_receipt;
}

static bool take_observed(struct span value, struct stun_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->observed.version = reader_u8(&r);
	m->observed.can = reader_u8(&r);
	m->observed.ttl = reader_u8(&r);
	m->observed.tos = reader_u8(&r);
	m->observed.bytes = reader_u16(&r);
	m->observed.fragment_bytes = reader_u16(&r);
	m->has_observed = !r.failed;
	return m->has_observed;
}

static bool take_syn(struct span value, struct stun_message *m)
{
	struct reader r = reader_over(value.data, value.length);
	struct syn *arrived = &m->syn.arrived;

	m->syn.version = reader_u8(&r);
	m->syn.parts = reader_u8(&r);
	arrived->ttl = reader_u8(&r);
	arrived->tos = reader_u8(&r);
	arrived->options.mss = reader_u16(&r);
	arrived->window = reader_u16(&r);
	arrived->sequence = reader_u32(&r);
	arrived->options.has = reader_u8(&r);
	arrived->options.scale = reader_u8(&r);
	arrived->options_bytes = reader_u8(&r);
	m->syn.answered.has = reader_u8(&r);
	m->syn.answered.mss = reader_u16(&r);
	m->syn.answered.scale = reader_u8(&r);
	reader_skip(&r, 1);
	m->has_syn = !r.failed;
	return m->has_syn;
}

static bool take_icmp(struct span value, struct stun_message *m)
{
	struct reader r = reader_over(value.data, value.length);
	struct stun_icmp icmp = {0};

	icmp.type = reader_u8(&r);
	icmp.code = reader_u8(&r);
	icmp.count = reader_u8(&r);
	reader_skip(&r, 1);
	if (!read_address(&r, true, &m->id, &icmp.offender) ||
		!read_address(&r, true, &m->id, &icmp.quoted_from))
		return false;
	if (m->icmp_count < STUN_ICMP_MAX)
		m->icmp[m->icmp_count++] = icmp;
	return true;
}

static bool take_probe(struct span value, struct stun_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->probe.version = reader_u8(&r);
	m->probe.wants = reader_u8(&r);
	m->probe.copies = reader_u8(&r);
	m->has_probe = !r.failed;
	return m->has_probe;
}

static bool take_change_request(struct span value, struct stun_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	m->change_request = reader_u32(&r);
	m->has_change_request = !r.failed && !reader_left(&r);
	return m->has_change_request;
}

static bool take_response_port(struct span value, struct stun_message *m)
{
	struct reader r = reader_over(value.data, value.length);

	/* two bytes, or four with the padding counted: both are in the field */
	if (value.length != 2 && value.length != 4)
		return false;
	m->response_port = reader_u16(&r);
	m->has_response_port = true;
	return true;
}

static bool take_unknown(uint16_t type, struct stun_message *m)
{
	if (type < STUN_COMPREHENSION_OPTIONAL && m->unknown_count < STUN_UNKNOWN_MAX)
		m->unknown[m->unknown_count++] = type;
	return true;
}

/* One attribute into the message; false when its value is malformed. */
static bool take_attribute(uint16_t type, struct span value, struct stun_message *m)
{
	switch (type) {
	case STUN_MAPPED_ADDRESS:
		return take_address(value, false, &m->id, &m->mapped);
	case STUN_XOR_MAPPED_ADDRESS:
	case STUN_OLD_XOR_MAPPED_ADDRESS:
		return take_address(value, true, &m->id, &m->xor_mapped);
	case STUN_RESPONSE_ORIGIN:
		return take_address(value, false, &m->id, &m->response_origin);
	case STUN_OTHER_ADDRESS:
		return take_address(value, false, &m->id, &m->other_address);
	case STUN_SOURCE_ADDRESS:
		return take_address(value, false, &m->id, &m->source_address);
	case STUN_CHANGED_ADDRESS:
		return take_address(value, false, &m->id, &m->changed_address);
	case STUN_ALTERNATE_SERVER:
		return take_address(value, false, &m->id, &m->alternate_server);
	case STUN_CHANGE_REQUEST:
		return take_change_request(value, m);
	case STUN_RESPONSE_PORT:
		return take_response_port(value, m);
	case STUN_ERROR_CODE:
		return take_error(value, m);
	case STUN_PROBE:
		return take_probe(value, m);
	case STUN_RECEIPT:
		return take_receipt(value, m);
	case STUN_OBSERVED:
		return take_observed(value, m);
	case STUN_SYN:
		return take_syn(value, m);
	case STUN_ICMP_ERROR:
		return take_icmp(value, m);
	case STUN_PADDING:
		m->has_padding = true;
		return true;
	case STUN_SOFTWARE:
		m->software = value;
		return true;
	case STUN_USERNAME:
		m->username = value;
		return true;
	case STUN_REALM:
		m->realm = value;
		return true;
	case STUN_NONCE:
		m->nonce = value;
		return true;
	case STUN_UNKNOWN_ATTRIBUTES:
	case STUN_PRIORITY:
		return true;
	default:
		return take_unknown(type, m);
	}
}

/* Integrity covers what stands before it; behind it only its stronger kin and FINGERPRINT count. */
static bool take_trailer(
	uint16_t type, struct span value, size_t at, struct stun_message *m, bool *trailer)
{
	if (type == STUN_MESSAGE_INTEGRITY && !m->integrity_sha256_at) {
		m->integrity_at = at;
		*trailer = true;
		return value.length == STUN_SHA1_BYTES;
	}
	if (type == STUN_MESSAGE_INTEGRITY_SHA256) {
		m->integrity_sha256_at = at;
		*trailer = true;
		return value.length >= 16 && value.length <= STUN_SHA256_BYTES &&
			!(value.length & 3);
	}
	return true;
}

static bool take_fingerprint(struct span value, size_t at, struct stun_message *m)
{
	struct reader r = reader_over(value.data, value.length);
	uint32_t sum = reader_u32(&r);

	if (r.failed || reader_left(&r) || at + STUN_FINGERPRINT_BYTES != m->bytes.length)
		return false;
	m->has_fingerprint = sum == (stun_crc32(m->bytes.data, at) ^ STUN_FINGERPRINT_XOR);
	return m->has_fingerprint;
}

static int decode_attributes(struct reader *r, struct stun_message *m)
{
	bool trailer = false, ok = true;

	while (ok && reader_left(r)) {
		size_t at = r->position;
		uint16_t type = reader_u16(r);
		uint16_t length = reader_u16(r);
		struct span value = reader_span(r, length);

		/* RFC 3489 knows no padding: its values are multiples of four anyway */
		reader_skip(r, stun_padded(length) - length);
		if (r->failed)
			return -EBADMSG;
		if (type == STUN_FINGERPRINT)
			ok = take_fingerprint(value, at, m);
		else if (type == STUN_MESSAGE_INTEGRITY || type == STUN_MESSAGE_INTEGRITY_SHA256)
			ok = take_trailer(type, value, at, m, &trailer);
		else if (!trailer)
			ok = take_attribute(type, value, m);
	}
	return ok && !r->failed ? 0 : -EBADMSG;
}

static bool is_trailer(uint16_t type)
{
	return type == STUN_MESSAGE_INTEGRITY || type == STUN_MESSAGE_INTEGRITY_SHA256 ||
		type == STUN_FINGERPRINT;
}

bool stun_next(const struct stun_message *m, size_t *cursor, uint16_t *type, struct span *value)
{
	struct reader r = reader_over(m->bytes.data, m->bytes.length);
	uint16_t length;

	reader_skip(&r, *cursor ? *cursor : STUN_HEADER_BYTES);
	*type = reader_u16(&r);
	length = reader_u16(&r);
	*value = reader_span(&r, length);
	reader_skip(&r, stun_padded(length) - length);
	if (r.failed || is_trailer(*type))
		return false;
	*cursor = r.position;
	return true;
}

int stun_xor_address(const struct stun_message *m, struct span value, struct endpoint *out)
{
	out->family = FAMILY_NONE;
	return take_address(value, true, &m->id, out) ? 0 : -EBADMSG;
}

bool stun_read_xor_address(struct reader *r, const struct stun_id *id, struct endpoint *out)
{
	return read_address(r, true, id, out);
}

bool stun_looks_like(const void *data, size_t length)
{
	struct reader r = reader_over(data, length);
	uint16_t type = reader_u16(&r);
	uint16_t rest = reader_u16(&r);

	return !r.failed && length >= STUN_HEADER_BYTES && !(type & 0xc000) && !(rest & 3) &&
		length - STUN_HEADER_BYTES == rest;
}

int stun_frame_bytes(const void *data, size_t length, size_t max)
{
	struct reader first = reader_over(data, length), r = first;
	uint16_t type = reader_u16(&r);
	size_t bytes = STUN_HEADER_BYTES + (size_t)reader_u16(&r);

	if (length && reader_u8(&first) & 0xc0)
		return -EBADMSG;
	if (r.failed)
		return 0;
	return type & 0xc000 || bytes & 3 || bytes > max ? -EBADMSG : (int)bytes;
}

int stun_decode(const void *data, size_t length, struct stun_message *out)
{
	struct reader r = reader_over(data, length);
	uint16_t type;

	memset(out, 0, sizeof(*out));
	if (!stun_looks_like(data, length))
		return -EBADMSG;
	type = reader_u16(&r);
	reader_skip(&r, 2);
	reader_copy(&r, out->id.bytes, sizeof(out->id.bytes));
	out->class = (enum stun_class)((type >> 7 & 2) | (type >> 4 & 1));
	out->method = (uint16_t)((type & 0x000f) | (type >> 1 & 0x0070) | (type >> 2 & 0x0f80));
	out->classic = memcmp(out->id.bytes, stun_cookie, sizeof(stun_cookie)) != 0;
	out->bytes = (struct span){data, length};
	return decode_attributes(&r, out);
}
