// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "punch/hello.h"

/* A version, then parts: type, length of 16 bits, value. Of candidates there are several. */

enum part {
	PART_TRANSPORT = 1,
	PART_CANDIDATE = 2,
	PART_SIDE4 = 3,
	PART_SIDE6 = 4,
	PART_LATEST = 5,
	PART_ATTEMPT = 6,
	PART_FAILED = 7,
	PART_PORTS = 8,
	PART_TCP4 = 9,
	PART_TCP6 = 10,
};

#define SIDE_BYTES_MAX 64

static void put_header(struct writer *w, enum part type, size_t length)
{
	writer_u8(w, (uint8_t)type);
	writer_u16(w, (uint16_t)length);
}

static size_t endpoint_bytes(const struct endpoint *e)
{
	return 3 + endpoint_address_length(e->family);
}

static void put_endpoint(struct writer *w, const struct endpoint *e)
{
	writer_u8(w, (uint8_t)e->family);
	writer_u16(w, e->port);
	writer_bytes(w, e->address, endpoint_address_length(e->family));
}

static void put_side(struct writer *w, const struct hello *h, int f)
{
	bool tcp = h->transport == HELLO_TCP;
	uint8_t bytes[SIDE_BYTES_MAX];
	int length = tcp ? pair_tcp_side_encode(&h->tcp[f], bytes, sizeof(bytes))
			 : pair_side_encode(&h->side[f], bytes, sizeof(bytes));

	if (length < 0) {
		w->failed = true;
		return;
	}
	put_header(w, (tcp ? PART_TCP4 : PART_SIDE4) + (unsigned)f, (size_t)length);
	writer_bytes(w, bytes, (size_t)length);
}

static void put_attempt(struct writer *w, const struct hello_attempt *a)
{
	put_header(w, PART_ATTEMPT, 28 + endpoint_bytes(&a->offender) + (a->captured ? 8 : 0));
	writer_u16(w, a->number);
	writer_u32(w, a->sent);
	writer_u32(w, a->received);
	writer_u32(w, a->refused);
	writer_u32(w, a->errors);
	writer_u8(w, a->type);
	writer_u8(w, a->code);
	put_endpoint(w, &a->offender);
	writer_u32(w, a->opened);
	writer_u32(w, a->resets);
	if (!a->captured)
		return;
	writer_u32(w, a->left);
	writer_u32(w, a->arrived);
}

static void put_ports(struct writer *w, const struct hello *h)
{
	unsigned count = h->port_count < CHECKS_PORTS ? h->port_count : CHECKS_PORTS;

	put_header(w, PART_PORTS, 2 * count);
	for (unsigned i = 0; i < count; i++)
		writer_u16(w, h->ports[i]);
}

int hello_encode(const struct hello *h, void *buffer, size_t size)
{
	struct writer w = writer_over(buffer, size);

	writer_u8(&w, HELLO_VERSION);
	put_header(&w, PART_TRANSPORT, 1);
	writer_u8(&w, (uint8_t)h->transport);
	for (size_t i = 0; i < h->candidate_count && i < HELLO_CANDIDATES; i++) {
		put_header(&w, PART_CANDIDATE, 1 + endpoint_bytes(&h->candidates[i].endpoint));
		writer_u8(&w, (uint8_t)h->candidates[i].kind);
		put_endpoint(&w, &h->candidates[i].endpoint);
	}
	for (int f = 0; f < 2; f++)
		if (h->has_side[f])
			put_side(&w, h, f);
	if (h->latest.family != FAMILY_NONE) {
		put_header(&w, PART_LATEST, endpoint_bytes(&h->latest));
		put_endpoint(&w, &h->latest);
	}
	if (h->port_count)
		put_ports(&w, h);
	if (h->attempt.number)
		put_attempt(&w, &h->attempt);
	if (h->failed)
		put_header(&w, PART_FAILED, 0);
	return w.failed ? -EMSGSIZE : (int)w.position;
}

/* --- decoding --- */

static bool take_endpoint(struct reader *r, struct endpoint *out)
{
	uint8_t family = reader_u8(r);

	memset(out, 0, sizeof(*out));
	if (family != FAMILY_NONE && family != FAMILY_IPV4 && family != FAMILY_IPV6)
		return false;
	out->family = (enum family)family;
	out->port = reader_u16(r);
	reader_copy(r, out->address, endpoint_address_length(out->family));
	return !r->failed;
}

static bool take_candidate(struct reader *r, struct hello *out)
{
	uint8_t kind = reader_u8(r);
	struct endpoint e;

	if (!take_endpoint(r, &e) || reader_left(r) || e.family == FAMILY_NONE)
		return false;
	/* of kinds that are not known, and of more than enough, nothing is lost but a way */
	if ((kind != CHECK_HOST && kind != CHECK_SERVER_REFLEXIVE) ||
		out->candidate_count == HELLO_CANDIDATES)
		return true;
	out->candidates[out->candidate_count].kind = (enum check_kind)kind;
	out->candidates[out->candidate_count++].endpoint = e;
	return true;
}

/* What is said of another transport is not looked at. */
static bool take_side(
	struct span value, struct hello *out, int family, enum hello_transport transport)
{
	if (out->transport != transport)
		return true;
	out->has_side[family] = true;
	if (transport == HELLO_TCP)
		return !pair_tcp_side_decode(value.data, value.length, &out->tcp[family]);
	return !pair_side_decode(value.data, value.length, &out->side[family]);
}

static bool take_attempt(struct reader *r, struct hello_attempt *out)
{
	out->number = reader_u16(r);
	out->sent = reader_u32(r);
	out->received = reader_u32(r);
	out->refused = reader_u32(r);
	out->errors = reader_u32(r);
	out->type = reader_u8(r);
	out->code = reader_u8(r);
	if (!take_endpoint(r, &out->offender))
		return false;
	if (reader_left(r) >= 8) { /* not of the first version */
		out->opened = reader_u32(r);
		out->resets = reader_u32(r);
	}
	if (reader_left(r) >= 8) { /* of who captures, and of no earlier version */
		out->captured = true;
		out->left = reader_u32(r);
		out->arrived = reader_u32(r);
	}
	return true;
}

static bool take_ports(struct reader *r, struct hello *out)
{
	for (out->port_count = 0; out->port_count < CHECKS_PORTS && reader_left(r);)
		out->ports[out->port_count++] = reader_u16(r);
	return !r->failed;
}

static bool take_transport(struct reader *r, struct hello *out)
{
	uint8_t transport = reader_u8(r);

	out->transport = (enum hello_transport)transport;
	return !r->failed && (transport == HELLO_UDP || transport == HELLO_TCP);
}

static bool take_part(unsigned type, struct span value, struct hello *out)
{
	struct reader r = reader_over(value.data, value.length);

	switch (type) {
	case PART_TRANSPORT:
		return take_transport(&r, out);
	case PART_CANDIDATE:
		return take_candidate(&r, out);
	case PART_SIDE4:
	case PART_SIDE6:
		return take_side(value, out, type == PART_SIDE6, HELLO_UDP);
	case PART_TCP4:
	case PART_TCP6:
		return take_side(value, out, type == PART_TCP6, HELLO_TCP);
	case PART_LATEST:
		return take_endpoint(&r, &out->latest);
	case PART_ATTEMPT:
		return take_attempt(&r, &out->attempt);
	case PART_PORTS:
		return take_ports(&r, out);
	case PART_FAILED:
		out->failed = true;
		return true;
	default:
		return true;
	}
}

enum path_status hello_status(const struct hello *h, int f)
{
	return h->transport == HELLO_TCP ? h->tcp[f].status : h->side[f].status;
}

int hello_decode(const void *data, size_t length, struct hello *out)
{
	struct reader r = reader_over(data, length);
	bool ok = true;

	memset(out, 0, sizeof(*out));
	if (reader_u8(&r) != HELLO_VERSION)
		return r.failed ? -EBADMSG : -EPROTO;
	while (ok && reader_left(&r)) {
		uint8_t type = reader_u8(&r);
		size_t size = reader_u16(&r);
		struct span value = reader_span(&r, size);

		ok = !r.failed && take_part(type, value, out);
	}
	return ok && out->transport ? 0 : -EBADMSG;
}
