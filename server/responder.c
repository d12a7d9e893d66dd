// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "server/responder.h"

#define ATTRIBUTE_HEADER 4
#define OBSERVED_BYTES	 12
#define SYN_BYTES	 24

/* One request being answered. */
struct exchange {
	const struct responder *responder;
	const struct responder_request *request;
	const struct stun_message *message;
	struct stun_probe probe; /* as far as we heed it */
	bool paired; /* there is a second address to change to */
	struct responder_replies *out;
};

/* What will be said, decided before a byte is written, so that it fits. */
struct plan {
	unsigned local, copies;
	struct endpoint to;
	bool receipt, receipt_observed, observed, has_syn, software;
	struct stun_syn syn;
	size_t padding; /* bytes of the PADDING attribute with its header; 0: none */
	size_t icmp_count;
	struct stun_icmp icmp[STUN_ICMP_MAX];
};

static const struct endpoint *other_endpoint(const struct exchange *x)
{
	return &x->responder->advertised[x->request->local ^ (RESPONDER_ADDRESS | RESPONDER_PORT)];
}

/* --- sizes --- */

static size_t address_bytes(const struct exchange *x)
{
	return ATTRIBUTE_HEADER + 4 + endpoint_address_length(x->request->from.family);
}

static size_t frame_bytes(const struct exchange *x)
{
	return STUN_HEADER_BYTES + (x->message->has_fingerprint ? STUN_FINGERPRINT_BYTES : 0);
}

static size_t plain_bytes(const struct exchange *x)
{
	size_t addresses = (x->message->classic ? 2 : 3) + (x->paired ? 1 : 0);

	return frame_bytes(x) + addresses * address_bytes(x);
}

/* XOR-MAPPED-ADDRESS, RESPONSE-ORIGIN, OTHER-ADDRESS and RECEIPT, four bytes longer than those. */
static size_t receipt_bytes(const struct exchange *x)
{
	return frame_bytes(x) + (x->paired ? 4 : 3) * address_bytes(x) + 4;
}

static size_t icmp_bytes(const struct exchange *x)
{
	return 2 * address_bytes(x);
}

static size_t text_bytes(const char *text)
{
	return ATTRIBUTE_HEADER + ((strlen(text) + 3) & ~(size_t)3);
}

/* --- what to say --- */

static bool take(size_t *left, size_t bytes)
{
	if (bytes > *left)
		return false;
	*left -= bytes;
	return true;
}

static unsigned wanted_copies(const struct exchange *x)
{
	unsigned copies = x->probe.copies;

	return copies < 1 ? 1 : copies > RESPONDER_COPIES_MAX ? RESPONDER_COPIES_MAX : copies;
}

/* ICMP-ERROR goes where it surely arrives and only once: into the receipt, if there is one. */
static void plan_icmp(const struct exchange *x, struct plan *p, size_t *left)
{
	const struct responder *r = x->responder;
	enum family family = x->request->from.family;
	struct stun_icmp found[STUN_ICMP_MAX];
	size_t n = r->icmp ? r->icmp(r->icmp_context, &x->request->from, found) : 0;

	for (size_t i = 0; i < n && i < STUN_ICMP_MAX; i++) {
		if (found[i].offender.family != family || found[i].quoted_from.family != family)
			continue;
		if (!take(left, icmp_bytes(x) * (p->receipt ? 1 : p->copies)))
			break;
		p->icmp[p->icmp_count++] = found[i];
	}
}

static void plan_syn(const struct exchange *x, struct plan *p, size_t *left)
{
	const struct responder_request *q = x->request;

	if (*left < SYN_BYTES || !q->syn || !q->syn(q->syn_context, &p->syn))
		return;
	p->syn.version = 1;
	p->has_syn = take(left, SYN_BYTES);
}

/* What goes beyond the plain answer, the most important first, as far as the request pays. */
static void plan_extras(const struct exchange *x, struct plan *p, size_t left)
{
	const struct stun_message *m = x->message;
	bool elsewhere = p->local != x->request->local || p->to.port != x->request->from.port;
	unsigned copies = elsewhere ? wanted_copies(x) : 1;

	if (elsewhere && x->probe.wants & STUN_WANT_RECEIPT)
		p->receipt = take(&left, receipt_bytes(x));
	while (p->copies < copies && take(&left, plain_bytes(x)))
		p->copies++;
	if (x->probe.wants & STUN_WANT_OBSERVED) {
		p->receipt_observed = p->receipt && take(&left, OBSERVED_BYTES);
		p->observed = take(&left, OBSERVED_BYTES * p->copies);
	}
	if (x->probe.wants & STUN_WANT_SYN)
		plan_syn(x, p, &left);
	if (x->probe.wants & STUN_WANT_ICMP)
		plan_icmp(x, p, &left);
	if (m->has_padding)
		p->padding = left / p->copies & ~(size_t)3;
	else
		p->software = take(&left, text_bytes(x->responder->software) * p->copies);
}

static void plan_answer(const struct exchange *x, struct plan *p)
{
	const struct responder_request *q = x->request;
	size_t budget = q->length < RESPONDER_REPLY_BYTES ? q->length : RESPONDER_REPLY_BYTES;
	size_t plain = plain_bytes(x);

	p->local = q->local;
	if (x->message->change_request & STUN_CHANGE_ADDRESS)
		p->local ^= RESPONDER_ADDRESS;
	if (x->message->change_request & STUN_CHANGE_PORT)
		p->local ^= RESPONDER_PORT;
	p->to = q->from;
	if (x->message->has_response_port)
		p->to.port = x->message->response_port;
	p->copies = 1;
	p->receipt = p->receipt_observed = p->observed = p->has_syn = p->software = false;
	p->padding = p->icmp_count = 0;
	if (budget > plain)
		plan_extras(x, p, budget - plain);
}

/* --- saying it --- */

static struct stun_writer begin_reply(const struct exchange *x, enum stun_class class)
{
	struct responder_reply *reply = &x->out->reply[x->out->count];

	reply->local = x->request->local;
	reply->copies = 1;
	reply->receipt = false;
	reply->to = x->request->from;
	return stun_begin(reply->bytes, sizeof(reply->bytes), class, STUN_BINDING, &x->message->id);
}

static void end_reply(const struct exchange *x, struct stun_writer *s)
{
	int length;

	if (x->message->has_fingerprint)
		stun_add_fingerprint(s);
	length = stun_end(s);
	if (length < 0)
		return;
	x->out->reply[x->out->count].length = (size_t)length;
	x->out->count++;
}

static void write_observed(const struct exchange *x, struct stun_writer *s)
{
	const struct responder_request *q = x->request;
	struct stun_observed observed = {.version = 1,
		.can = STUN_WANT_RECEIPT | STUN_WANT_OBSERVED | STUN_WANT_ICMP,
		.ttl = q->meta.ttl,
		.tos = q->meta.tos,
		.bytes = (uint16_t)q->length,
		.fragment_bytes = q->meta.fragment_bytes};

	stun_add_observed(s, &observed);
}

static void write_icmp(const struct plan *p, struct stun_writer *s)
{
	for (size_t i = 0; i < p->icmp_count; i++)
		stun_add_icmp(s, &p->icmp[i]);
}

/* Clients of RFC 3489 know neither XOR-MAPPED-ADDRESS nor the newer names of the other two. */
static void write_addresses(const struct exchange *x, const struct plan *p, struct stun_writer *s)
{
	const struct endpoint *origin = &x->responder->advertised[p->local];
	bool classic = x->message->classic;

	if (!classic)
		stun_add_address(s, STUN_XOR_MAPPED_ADDRESS, &x->request->from);
	stun_add_address(s, STUN_MAPPED_ADDRESS, &x->request->from);
	stun_add_address(s, classic ? STUN_SOURCE_ADDRESS : STUN_RESPONSE_ORIGIN, origin);
	if (x->paired)
		stun_add_address(
			s, classic ? STUN_CHANGED_ADDRESS : STUN_OTHER_ADDRESS, other_endpoint(x));
}

static void write_answer(const struct exchange *x, const struct plan *p)
{
	static const uint8_t zeros[RESPONDER_REPLY_BYTES];
	struct responder_reply *reply = &x->out->reply[x->out->count];
	struct stun_writer s = begin_reply(x, STUN_SUCCESS);

	reply->local = p->local;
	reply->to = p->to;
	reply->copies = p->copies;
	write_addresses(x, p, &s);
	if (p->observed)
		write_observed(x, &s);
	if (p->has_syn)
		stun_add_syn(&s, &p->syn);
	if (!p->receipt)
		write_icmp(p, &s);
	if (p->software)
		stun_add_text(&s, STUN_SOFTWARE, x->responder->software);
	if (p->padding)
		stun_add(&s, STUN_PADDING, zeros, p->padding - ATTRIBUTE_HEADER);
	end_reply(x, &s);
}

/* From the asked endpoint to the asking one, so that no filter on the way is in doubt. */
static void write_receipt(const struct exchange *x, const struct plan *p)
{
	const struct responder *r = x->responder;
	struct stun_receipt receipt = {(uint8_t)p->copies, r->advertised[p->local]};
	struct responder_reply *reply = &x->out->reply[x->out->count];
	struct stun_writer s = begin_reply(x, STUN_SUCCESS);

	reply->receipt = true;
	stun_add_address(&s, STUN_XOR_MAPPED_ADDRESS, &x->request->from);
	stun_add_address(&s, STUN_RESPONSE_ORIGIN, &r->advertised[x->request->local]);
	if (x->paired)
		stun_add_address(&s, STUN_OTHER_ADDRESS, other_endpoint(x));
	stun_add_receipt(&s, &receipt);
	if (p->receipt_observed)
		write_observed(x, &s);
	write_icmp(p, &s);
	end_reply(x, &s);
}

/* The reason phrase is for people: only where there is room. */
static void write_error(const struct exchange *x, unsigned code, const char *reason,
	const uint16_t *unknown, size_t count)
{
	struct stun_writer s = begin_reply(x, STUN_ERROR);
	uint16_t types[STUN_UNKNOWN_MAX];
	size_t bytes = frame_bytes(x) + 4 + text_bytes(reason);

	for (size_t i = 0; i < count; i++)
		types[i] = unknown[i];
	/* RFC 3489 11.2.10 knows no padding inside it: an odd number repeats one */
	if (x->message->classic && count & 1) {
		types[count] = types[count - 1];
		count++;
	}
	if (count)
		bytes += ATTRIBUTE_HEADER + ((2 * count + 3) & ~(size_t)3);
	stun_add_error(&s, code, bytes <= x->request->length ? reason : "");
	if (count)
		stun_add_unknown(&s, types, count);
	end_reply(x, &s);
}

/* --- what can be answered --- */

/* Over a stream there is only the connection to tell of, and only a stream has one. */
static struct stun_probe heeded(const struct responder_request *q, const struct stun_message *m)
{
	struct stun_probe probe = m->probe;

	if (!m->has_probe || !probe.version || m->classic)
		return (struct stun_probe){.version = 0};
	probe.wants &= (uint8_t)(q->stream ? STUN_WANT_SYN : ~STUN_WANT_SYN);
	return probe;
}

static bool is_answerable(const struct responder *r, const struct responder_request *q)
{
	/* a reply to an address that cannot be a host's would help nobody but an attacker */
	return q->local < RESPONDER_ENDPOINTS && q->from.family != FAMILY_NONE &&
		r->advertised[q->local].family == q->from.family && endpoint_is_unicast(&q->from);
}

/* Whether the request was turned down, with an error response. */
static bool refuse(const struct exchange *x)
{
	static const uint16_t change_request = STUN_CHANGE_REQUEST;
	const struct stun_message *m = x->message;

	if (m->unknown_count) {
		write_error(x, 420, "Unknown Attribute", m->unknown, m->unknown_count);
		return true;
	}
	/*
	 * RFC 5780 6.1. RFC 3489 clients ask for no change at all in this way: that can be had. A connection has
	 * two ends, which cannot be changed either.
	 */
	if ((!x->paired || x->request->stream) &&
		m->change_request & (STUN_CHANGE_ADDRESS | STUN_CHANGE_PORT)) {
		write_error(x, 420, "Unknown Attribute", &change_request, 1);
		return true;
	}
	/* RFC 5780 7.5, 7.6: together they would send fragments to somebody who did not ask */
	if ((m->has_response_port && (m->has_padding || !m->response_port)) ||
		(x->request->stream && (m->has_response_port || m->has_padding))) {
		write_error(x, 400, "Bad Request", NULL, 0);
		return true;
	}
	return false;
}

void responder_answer(const struct responder *r, const struct responder_request *request,
	struct responder_replies *out)
{
	struct stun_message message;
	struct exchange x = {.responder = r, .request = request, .message = &message, .out = out};
	struct plan p;

	out->count = 0;
	if (!is_answerable(r, request) || stun_decode(request->data, request->length, &message))
		return;
	if (message.class != STUN_REQUEST || message.method != STUN_BINDING)
		return;
	x.paired = other_endpoint(&x)->family != FAMILY_NONE;
	x.probe = heeded(request, &message);
	if (refuse(&x))
		return;
	plan_answer(&x, &p);
	write_answer(&x, &p);
	if (p.receipt)
		write_receipt(&x, &p);
}

size_t responder_bytes(const struct responder_replies *replies, unsigned *datagrams)
{
	size_t bytes = 0;

	*datagrams = 0;
	for (size_t i = 0; i < replies->count; i++) {
		bytes += replies->reply[i].length * replies->reply[i].copies;
		*datagrams += replies->reply[i].copies;
	}
	return bytes;
}
