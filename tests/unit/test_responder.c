// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "server/responder.h"

#define CLIENT_PORT	40000
#define FLAGS_NONE	0x100 /* CHANGE-REQUEST is there and asks for nothing */
#define PORT_ZERO	(-1)
#define ALL_WANTS	(STUN_WANT_RECEIPT | STUN_WANT_OBSERVED | STUN_WANT_ICMP)
#define CHANGE_BOTH	(STUN_CHANGE_ADDRESS | STUN_CHANGE_PORT)
#define V6		RESPONDER_IPV6
#define PROPERTY_RUNS	200000
#define REQUEST_BYTES	2048
#define ERROR_OVERSHOOT 12

static struct endpoint endpoint(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 0, &e), 0);
	return e;
}

/* As many errors as were recorded, the number being the context. */
static size_t fake_icmp(
	void *context, const struct endpoint *to, struct stun_icmp out[static STUN_ICMP_MAX])
{
	const size_t *count = context;

	for (size_t i = 0; i < *count; i++)
		out[i] = (struct stun_icmp){.type = 3,
			.code = (uint8_t)i,
			.count = 1,
			.offender = *to,
			.quoted_from = *to};
	return *count;
}

static struct responder make_responder(bool single, size_t *icmp_count)
{
	static const char *const addresses[RESPONDER_ENDPOINTS] = {"198.51.100.10:3478",
		"198.51.100.10:3479", "203.0.113.10:3478", "203.0.113.10:3479",
		"[2001:db8::10]:3478", "[2001:db8::10]:3479", "[2001:db8:1::10]:3478",
		"[2001:db8:1::10]:3479"};
	struct responder r = {
		.software = "natprobed test", .icmp = fake_icmp, .icmp_context = icmp_count};

	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		if (!single || !(i & RESPONDER_ADDRESS))
			r.advertised[i] = endpoint(addresses[i]);
	return r;
}

static struct endpoint client(unsigned local)
{
	struct endpoint e = endpoint(local & V6 ? "2001:db8:ffff::7" : "192.0.2.7");

	e.port = CLIENT_PORT;
	return e;
}

/* --- what must hold for every request --- */

/* Whether a success reply is what RFC 5780 6.1 demands and nothing else. */
static bool is_plain(const struct responder_reply *reply, const struct stun_message *request)
{
	struct reader r = reader_over(reply->bytes, reply->length);

	reader_skip(&r, STUN_HEADER_BYTES);
	while (reader_left(&r)) {
		uint16_t type = reader_u16(&r);

		reader_skip(&r, reader_u16(&r));
		switch (type) {
		case STUN_XOR_MAPPED_ADDRESS:
		case STUN_MAPPED_ADDRESS:
		case STUN_RESPONSE_ORIGIN:
		case STUN_OTHER_ADDRESS:
		case STUN_SOURCE_ADDRESS:
		case STUN_CHANGED_ADDRESS:
			continue;
		case STUN_FINGERPRINT:
			if (request->has_fingerprint)
				continue;
			return false;
		default:
			return false;
		}
	}
	return !r.failed && reply->copies == 1;
}

static void check_budget(const struct responder_request *q, const struct stun_message *request,
	const struct responder_replies *out)
{
	const struct responder_reply *first = &out->reply[0];
	struct stun_message answer;
	unsigned datagrams;
	size_t bytes = responder_bytes(out, &datagrams);

	assert_true(datagrams <= RESPONDER_COPIES_MAX + 1);
	if (bytes <= q->length)
		return;
	assert_int_equal(out->count, 1);
	assert_int_equal(stun_decode(first->bytes, first->length, &answer), 0);
	if (answer.class == STUN_ERROR)
		assert_true(bytes <= q->length + ERROR_OVERSHOOT);
	else
		assert_true(is_plain(first, request));
}

static void check_invariants(const struct responder *r, const struct responder_request *q,
	const struct responder_replies *out)
{
	struct stun_message request, answer;

	if (!out->count)
		return;
	assert_int_equal(stun_decode(q->data, q->length, &request), 0);
	assert_int_equal(request.class, STUN_REQUEST);
	assert_true(out->count <= RESPONDER_REPLIES_MAX);
	for (size_t i = 0; i < out->count; i++) {
		const struct responder_reply *reply = &out->reply[i];

		assert_true(endpoint_same_address(&reply->to, &q->from));
		assert_true(reply->to.port == q->from.port ||
			(request.has_response_port && reply->to.port == request.response_port));
		assert_int_not_equal(reply->to.port, 0);
		assert_true(reply->local < RESPONDER_ENDPOINTS);
		assert_int_equal(r->advertised[reply->local].family, q->from.family);
		assert_true(reply->copies >= 1 && reply->copies <= RESPONDER_COPIES_MAX);
		assert_int_equal(stun_decode(reply->bytes, reply->length, &answer), 0);
		assert_true(answer.class == STUN_SUCCESS || answer.class == STUN_ERROR);
		assert_true(stun_id_equal(&answer.id, &request.id));
		assert_int_equal(answer.has_fingerprint, request.has_fingerprint);
	}
	check_budget(q, &request, out);
}

/* --- rules, one row each --- */

struct row {
	const char *name;
	/* the request */
	unsigned local;
	bool single, stream, classic, fingerprint;
	int change; /* flags; 0: no CHANGE-REQUEST */
	struct stun_probe probe; /* version 0: none */
	int response_port; /* 0: none */
	size_t padding, fill; /* bytes of PADDING; size of the whole message */
	uint16_t unknown[3];
	size_t icmp_recorded;
	bool syn_unknown; /* nothing was kept of it */
	/* the replies */
	unsigned from, copies; /* of the first one */
	unsigned error;
	uint16_t to_port; /* 0: the client's */
	bool receipt, observed, syn, software;
	size_t icmp, length; /* length 0: any */
};

/* clang-format off: rows, not lists */
#define PROBE(wanted, n)     \
	{                    \
		1, wanted, n \
	}

static const struct row rows[] = {
	/* RFC 5780 6.1, table 1: from each of the four endpoints */
	{.name = "plain", .from = 0, .length = 68},
	{.name = "change nothing", .change = FLAGS_NONE, .from = 0, .length = 68},
	{.name = "change port", .change = STUN_CHANGE_PORT, .from = 1, .length = 68},
	{.name = "change address", .change = STUN_CHANGE_ADDRESS, .from = 2, .length = 68},
	{.name = "change both", .change = CHANGE_BOTH, .from = 3, .length = 68},
	{.name = "plain at Ca:Cp", .local = 3, .from = 3},
	{.name = "port at Ca:Cp", .local = 3, .change = STUN_CHANGE_PORT, .from = 2},
	{.name = "address at Ca:Cp", .local = 3, .change = STUN_CHANGE_ADDRESS, .from = 1},
	{.name = "both at Da:Cp", .local = 1, .change = CHANGE_BOTH, .from = 2},
	{.name = "unknown flags are ignored", .change = CHANGE_BOTH | 0x10, .from = 3},
	{.name = "IPv6 plain", .local = V6, .from = V6, .length = 116},
	{.name = "IPv6 both", .local = V6, .change = CHANGE_BOTH, .from = V6 + 3},
	{.name = "IPv6 port", .local = V6 + 2, .change = STUN_CHANGE_PORT, .from = V6 + 3},

	/* FINGERPRINT and SOFTWARE */
	{.name = "fingerprint echoed", .fingerprint = true, .from = 0, .length = 76},
	{.name = "software where it fits", .fill = 88, .from = 0, .software = true, .length = 88},
	{.name = "not where it does not", .fill = 84, .from = 0, .length = 68},
	{.name = "software and fingerprint", .fill = 96, .fingerprint = true, .software = true},

	/* RFC 3489 */
	{.name = "classic", .classic = true, .from = 0, .length = 56},
	{.name = "classic change both", .classic = true, .change = CHANGE_BOTH, .from = 3},
	{.name = "classic is not probed",
		.classic = true,
		.change = CHANGE_BOTH,
		.from = 3,
		.probe = PROBE(ALL_WANTS, 4),
		.fill = 1200,
		.software = true},
	{.name = "classic unknown, odd", .classic = true, .unknown = {2}, .error = 420},
	{.name = "classic single", .classic = true, .single = true, .length = 44},

	/* one address only */
	{.name = "single plain", .single = true, .length = 56},
	{.name = "single second port", .single = true, .local = 1, .from = 1, .length = 56},
	{.name = "single change nothing", .single = true, .change = FLAGS_NONE, .length = 56},
	{.name = "single change address",
		.single = true,
		.change = STUN_CHANGE_ADDRESS,
		.error = 420},
	{.name = "single change port", .single = true, .change = STUN_CHANGE_PORT, .error = 420},
	{.name = "single change both", .single = true, .change = CHANGE_BOTH, .error = 420},
	{.name = "single IPv6 change",
		.local = V6,
		.from = V6,
		.single = true,
		.change = CHANGE_BOTH,
		.error = 420},
	{.name = "single, receipt for another port",
		.single = true,
		.response_port = 40001,
		.probe = PROBE(STUN_WANT_RECEIPT, 1),
		.fill = 400,
		.to_port = 40001,
		.receipt = true,
		.software = true},

	/* over TCP: a connection has its two ends */
	{.name = "TCP plain", .stream = true, .local = 2, .from = 2, .length = 68},
	{.name = "TCP change nothing", .stream = true, .change = FLAGS_NONE, .length = 68},
	{.name = "TCP change port", .stream = true, .change = STUN_CHANGE_PORT, .error = 420},
	{.name = "TCP change address", .stream = true, .change = STUN_CHANGE_ADDRESS, .error = 420},
	{.name = "TCP response port", .stream = true, .response_port = 40001, .error = 400},
	{.name = "TCP padding", .stream = true, .padding = 100, .error = 400},
	{.name = "TCP probe",
		.stream = true,
		.probe = PROBE(STUN_WANT_RECEIPT | STUN_WANT_OBSERVED | STUN_WANT_ICMP, 4),
		.fill = 400,
		.icmp_recorded = 2,
		.software = true},

	/* SYN: 24 bytes, only over TCP, only for who asks */
	{.name = "syn",
		.stream = true,
		.probe = PROBE(STUN_WANT_SYN, 0),
		.fill = 92,
		.syn = true,
		.length = 92},
	{.name = "no room for syn",
		.stream = true,
		.probe = PROBE(STUN_WANT_SYN, 0),
		.fill = 88,
		.software = true,
		.length = 88},
	{.name = "syn and software",
		.stream = true,
		.probe = PROBE(ALL_WANTS | STUN_WANT_SYN, 4),
		.fill = 112,
		.icmp_recorded = 2,
		.syn = true,
		.software = true,
		.length = 112},
	{.name = "syn that was not kept",
		.stream = true,
		.probe = PROBE(STUN_WANT_SYN, 0),
		.fill = 92,
		.syn_unknown = true,
		.software = true,
		.length = 88},
	{.name = "IPv6 syn",
		.stream = true,
		.local = V6,
		.from = V6,
		.probe = PROBE(STUN_WANT_SYN, 0),
		.fill = 140,
		.syn = true,
		.length = 140},
	{.name = "syn with a change is an error",
		.stream = true,
		.probe = PROBE(STUN_WANT_SYN, 0),
		.change = STUN_CHANGE_PORT,
		.fill = 400,
		.error = 420},
	{.name = "no syn over UDP",
		.probe = PROBE(STUN_WANT_SYN, 0),
		.fill = 400,
		.software = true},

	/* unknown attributes (RFC 8489 6.3.1) */
	{.name = "unknown required", .unknown = {0x7fff}, .error = 420, .length = 36},
	{.name = "three unknown", .unknown = {0x0002, 0x7ffe, 0x7fff}, .error = 420, .length = 40},
	{.name = "unknown from the asked endpoint",
		.unknown = {0x7fff},
		.change = CHANGE_BOTH,
		.local = 1,
		.from = 1,
		.error = 420},
	{.name = "unknown optional", .unknown = {0xffff}, .from = 0, .length = 68},
	{.name = "reason where it fits",
		.unknown = {0x7fff},
		.fill = 56,
		.error = 420,
		.length = 56},
	{.name = "no reason where not",
		.unknown = {0x7fff},
		.fill = 52,
		.error = 420,
		.length = 36},

	/* RESPONSE-PORT and PADDING (RFC 5780 7.5, 7.6) */
	{.name = "response port", .response_port = 41000, .to_port = 41000, .length = 68},
	{.name = "response port and change",
		.response_port = 41000,
		.change = CHANGE_BOTH,
		.from = 3,
		.to_port = 41000},
	{.name = "response port zero", .response_port = PORT_ZERO, .error = 400},
	{.name = "response port with padding", .response_port = 41000, .padding = 64, .error = 400},
	{.name = "own response port",
		.response_port = CLIENT_PORT,
		.probe = PROBE(ALL_WANTS, 4),
		.fill = 600,
		.observed = true,
		.software = true},
	{.name = "padding", .padding = 1500, .length = 1524},
	{.name = "padding, too small to answer alike", .padding = 20, .length = 68},
	{.name = "padding and change",
		.padding = 1000,
		.change = CHANGE_BOTH,
		.from = 3,
		.length = 1032},
	{.name = "padding shared by copies",
		.padding = 1000,
		.change = CHANGE_BOTH,
		.from = 3,
		.probe = PROBE(0, 4),
		.copies = 4,
		.length = 260},

	/* receipts; 68 is an answer, 72 a receipt */
	{.name = "receipt",
		.probe = PROBE(STUN_WANT_RECEIPT, 1),
		.change = CHANGE_BOTH,
		.fill = 140,
		.from = 3,
		.receipt = true,
		.length = 68},
	{.name = "no room for a receipt",
		.probe = PROBE(STUN_WANT_RECEIPT, 1),
		.fill = 136,
		.change = CHANGE_BOTH,
		.from = 3,
		.software = true},
	{.name = "receipt before a second copy",
		.probe = PROBE(STUN_WANT_RECEIPT, 4),
		.fill = 204,
		.change = CHANGE_BOTH,
		.from = 3,
		.copies = 1,
		.receipt = true,
		.software = true},
	{.name = "two copies",
		.probe = PROBE(STUN_WANT_RECEIPT, 4),
		.fill = 208,
		.change = CHANGE_BOTH,
		.from = 3,
		.copies = 2,
		.receipt = true,
		.length = 68},
	{.name = "four copies",
		.probe = PROBE(STUN_WANT_RECEIPT, 4),
		.fill = 344,
		.change = STUN_CHANGE_ADDRESS,
		.from = 2,
		.copies = 4,
		.receipt = true},
	{.name = "never more than four",
		.probe = PROBE(STUN_WANT_RECEIPT, 200),
		.fill = 1200,
		.change = STUN_CHANGE_PORT,
		.from = 1,
		.copies = 4,
		.receipt = true,
		.software = true},
	{.name = "zero copies mean one",
		.probe = PROBE(STUN_WANT_RECEIPT, 0),
		.fill = 1200,
		.change = STUN_CHANGE_PORT,
		.from = 1,
		.copies = 1,
		.receipt = true,
		.software = true},
	{.name = "no receipt without a change",
		.probe = PROBE(STUN_WANT_RECEIPT, 4),
		.fill = 1200,
		.from = 0,
		.copies = 1,
		.software = true},
	{.name = "nor when nothing is changed",
		.probe = PROBE(STUN_WANT_RECEIPT, 4),
		.fill = 1200,
		.change = FLAGS_NONE,
		.from = 0,
		.copies = 1,
		.software = true},
	{.name = "receipt for another port",
		.probe = PROBE(STUN_WANT_RECEIPT, 2),
		.fill = 1200,
		.response_port = 41000,
		.to_port = 41000,
		.copies = 2,
		.receipt = true,
		.software = true},
	{.name = "receipt not asked for",
		.probe = PROBE(0, 2),
		.fill = 136,
		.change = CHANGE_BOTH,
		.from = 3,
		.copies = 2,
		.length = 68},
	{.name = "IPv6 receipt",
		.local = V6,
		.probe = PROBE(STUN_WANT_RECEIPT, 1),
		.fill = 236,
		.change = CHANGE_BOTH,
		.from = V6 + 3,
		.receipt = true,
		.length = 116},
	{.name = "IPv6 no room",
		.local = V6,
		.probe = PROBE(STUN_WANT_RECEIPT, 1),
		.fill = 228,
		.change = CHANGE_BOTH,
		.from = V6 + 3,
		.software = true},

	/* OBSERVED */
	{.name = "observed",
		.probe = PROBE(STUN_WANT_OBSERVED, 0),
		.fill = 80,
		.observed = true,
		.length = 80},
	{.name = "no room for observed",
		.probe = PROBE(STUN_WANT_OBSERVED, 0),
		.fill = 76,
		.length = 68},
	{.name = "observed in both",
		.probe = PROBE(3, 1),
		.fill = 164,
		.change = CHANGE_BOTH,
		.from = 3,
		.receipt = true,
		.observed = true,
		.length = 80},

	/* ICMP-ERROR: 24 bytes each, 48 for IPv6 */
	{.name = "icmp",
		.probe = PROBE(STUN_WANT_ICMP, 0),
		.fill = 164,
		.icmp_recorded = 4,
		.icmp = 4,
		.length = 164},
	{.name = "icmp as far as it fits",
		.probe = PROBE(STUN_WANT_ICMP, 0),
		.fill = 128,
		.icmp_recorded = 4,
		.icmp = 2,
		.length = 116},
	{.name = "icmp not asked for",
		.probe = PROBE(STUN_WANT_OBSERVED, 0),
		.fill = 1200,
		.icmp_recorded = 4,
		.observed = true,
		.software = true},
	{.name = "icmp, none recorded",
		.probe = PROBE(STUN_WANT_ICMP, 0),
		.fill = 1200,
		.software = true},
	{.name = "icmp in the receipt",
		.probe = PROBE(ALL_WANTS, 2),
		.fill = 600,
		.change = CHANGE_BOTH,
		.from = 3,
		.copies = 2,
		.icmp_recorded = 3,
		.icmp = 3,
		.receipt = true,
		.observed = true,
		.software = true},
	{.name = "IPv6 icmp",
		.local = V6,
		.from = V6,
		.probe = PROBE(STUN_WANT_ICMP, 0),
		.fill = 308,
		.icmp_recorded = 4,
		.icmp = 4,
		.length = 308},
	{.name = "probe of version 0",
		.probe = {0, ALL_WANTS, 4},
		.fill = 1200,
		.change = CHANGE_BOTH,
		.from = 3,
		.software = true},
};
/* clang-format on */

static size_t build(const struct row *row, uint8_t *buffer)
{
	static const uint8_t padding[1500];
	struct stun_id id = {{0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
	struct stun_writer s;
	int length;

	if (row->classic)
		id.bytes[0] = 0;
	s = stun_begin(buffer, REQUEST_BYTES, STUN_REQUEST, STUN_BINDING, &id);
	if (row->change)
		stun_add_u32(&s, STUN_CHANGE_REQUEST, (uint32_t)row->change & 0xff);
	if (row->probe.version || row->probe.wants)
		stun_add_probe(&s, &row->probe);
	if (row->response_port)
		stun_add_response_port(
			&s, row->response_port < 0 ? 0 : (uint16_t)row->response_port, false);
	if (row->padding)
		stun_add(&s, STUN_PADDING, padding, row->padding);
	for (size_t i = 0; i < 3; i++)
		if (row->unknown[i])
			stun_add(&s, row->unknown[i], NULL, 0);
	if (row->fill)
		stun_add_fill(&s, row->fill - (row->fingerprint ? STUN_FINGERPRINT_BYTES : 0));
	if (row->fingerprint)
		stun_add_fingerprint(&s);
	length = stun_end(&s);
	assert_true(length > 0);
	if (row->fill)
		assert_int_equal(length, row->fill);
	return (size_t)length;
}

static void check_error(const struct row *row, const struct stun_message *m)
{
	assert_int_equal(m->class, row->error ? STUN_ERROR : STUN_SUCCESS);
	assert_int_equal(m->has_error, row->error != 0);
	assert_int_equal(m->error_code, row->error);
}

/* A change of address or none: family, OTHER-ADDRESS and the rest of an answer's addresses. */
static void check_addresses(const struct responder *r, const struct row *row,
	const struct responder_reply *reply, const struct stun_message *m)
{
	struct endpoint from = client(row->local);
	const struct endpoint *other = row->classic ? &m->changed_address : &m->other_address;

	assert_int_equal(m->xor_mapped.family != FAMILY_NONE, !row->classic);
	assert_true(row->classic || endpoint_equal(&m->xor_mapped, &from));
	assert_true(reply->receipt || endpoint_equal(&m->mapped, &from));
	assert_true(endpoint_equal(row->classic ? &m->source_address : &m->response_origin,
		&r->advertised[reply->local]));
	if (row->single)
		assert_int_equal(other->family, FAMILY_NONE);
	else
		assert_true(endpoint_equal(other, &r->advertised[row->local ^ 3]));
}

static void check_observed(
	const struct row *row, const struct responder_request *q, const struct stun_message *m)
{
	assert_int_equal(m->has_observed, row->observed);
	if (!row->observed)
		return;
	assert_int_equal(m->observed.version, 1);
	assert_int_equal(m->observed.can, ALL_WANTS);
	assert_int_equal(m->observed.ttl, q->meta.ttl);
	assert_int_equal(m->observed.tos, q->meta.tos);
	assert_int_equal(m->observed.fragment_bytes, q->meta.fragment_bytes);
	assert_int_equal(m->observed.bytes, q->length);
}

/* Looked up for nobody who has not asked for it: the lookup counts. */
static bool fake_syn(void *context, struct stun_syn *out)
{
	unsigned *lookups = context;

	++*lookups;
	*out = (struct stun_syn){.parts = STUN_SYN_ARRIVED,
		.arrived = {.ttl = 57, .options = {.has = SYN_MSS, .mss = 1412}}};
	return true;
}

static bool no_syn(void *context, struct stun_syn *out)
{
	(void)context;
	(void)out;
	return false;
}

static void check_syn(const struct row *row, const struct stun_message *m, unsigned lookups)
{
	assert_int_equal(m->has_syn, row->syn);
	assert_int_equal(lookups, row->syn);
	if (!row->syn)
		return;
	assert_int_equal(m->syn.version, 1);
	assert_int_equal(m->syn.parts, STUN_SYN_ARRIVED);
	assert_int_equal(m->syn.arrived.ttl, 57);
	assert_int_equal(m->syn.arrived.options.mss, 1412);
}

static void check_answer(const struct responder *r, const struct row *row,
	const struct responder_request *q, const struct responder_replies *out)
{
	const struct responder_reply *reply = &out->reply[0];
	struct stun_message m;

	assert_int_equal(out->count, row->receipt ? 2 : 1);
	assert_int_equal(reply->local, row->from);
	assert_false(reply->receipt);
	assert_int_equal(reply->copies, row->copies ? row->copies : 1);
	assert_int_equal(reply->to.port, row->to_port ? row->to_port : CLIENT_PORT);
	if (row->length)
		assert_int_equal(reply->length, row->length);
	assert_int_equal(stun_decode(reply->bytes, reply->length, &m), 0);
	check_error(row, &m);
	if (row->error)
		return;
	check_addresses(r, row, reply, &m);
	check_observed(row, q, &m);
	check_syn(row, &m, q->syn_context ? *(unsigned *)q->syn_context : 0);
	assert_int_equal(m.software.length > 0, row->software);
	assert_int_equal(m.icmp_count, row->receipt ? 0 : row->icmp);
	assert_false(m.has_receipt);
}

static void check_receipt(const struct responder *r, const struct row *row,
	const struct responder_request *q, const struct responder_replies *out)
{
	const struct responder_reply *reply = &out->reply[1];
	struct stun_message m;

	assert_true(reply->receipt);
	assert_int_equal(reply->local, row->local);
	assert_int_equal(reply->copies, 1);
	assert_int_equal(reply->to.port, CLIENT_PORT);
	assert_int_equal(stun_decode(reply->bytes, reply->length, &m), 0);
	assert_int_equal(m.class, STUN_SUCCESS);
	check_addresses(r, row, reply, &m);
	check_observed(row, q, &m);
	assert_true(m.has_receipt);
	assert_int_equal(m.receipt.copies, out->reply[0].copies);
	assert_true(endpoint_equal(&m.receipt.from, &r->advertised[row->from]));
	assert_int_equal(m.icmp_count, row->icmp);
}

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		size_t icmp_count = row->icmp_recorded;
		struct responder r = make_responder(row->single, &icmp_count);
		uint8_t data[REQUEST_BYTES];
		unsigned lookups = 0;
		struct responder_request q = {.data = data,
			.length = build(row, data),
			.from = client(row->local),
			.local = row->local,
			.stream = row->stream,
			.meta = {57, 2, 1480},
			.syn = row->syn_unknown ? no_syn : fake_syn,
			.syn_context = &lookups};
		struct responder_replies out;

		print_message("# %s\n", row->name);
		responder_answer(&r, &q, &out);
		check_invariants(&r, &q, &out);
		check_answer(&r, row, &q, &out);
		if (row->receipt)
			check_receipt(&r, row, &q, &out);
	}
}

/* UNKNOWN-ATTRIBUTES names them; RFC 3489 has an odd number of them made even. */
static void test_unknown_attributes(void **state)
{
	static const struct row two[] = {
		{.unknown = {0x7fff}, .local = 0}, {.unknown = {0x7fff}, .classic = true}};
	static const uint8_t modern[] = {0, 0x0a, 0, 2, 0x7f, 0xff, 0, 0};
	static const uint8_t classic[] = {0, 0x0a, 0, 4, 0x7f, 0xff, 0x7f, 0xff};
	size_t none = 0;
	struct responder r = make_responder(false, &none);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t data[REQUEST_BYTES];
		struct responder_request q = {
			.data = data, .length = build(&two[i], data), .from = client(0)};
		struct responder_replies out;

		responder_answer(&r, &q, &out);
		assert_int_equal(out.count, 1);
		assert_memory_equal(out.reply[0].bytes + out.reply[0].length - 8,
			two[i].classic ? classic : modern, 8);
	}
}

/* --- what gets no reply at all --- */

static void test_silence(void **state)
{
	static const struct {
		const char *name;
		uint8_t bytes[32];
		size_t length;
	} messages[] = {
		{"nothing", {0}, 0},
		{"19 bytes", {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, 19},
		{"indication", {0, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42}, 20},
		{"success response", {1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, 20},
		{"error response", {1, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42}, 20},
		{"allocate", {0, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42}, 20},
		{"length beyond the end", {0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42}, 20},
		{"bytes behind the end", {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, 24},
		{"attribute beyond the end",
			{0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42, [20] = 0x7f, 0xff, 0, 1}, 24},
		{"CHANGE-REQUEST of no length",
			{0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42, [20] = 0, 3, 0, 0}, 24},
		{"RESPONSE-PORT of no length",
			{0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42, [20] = 0, 0x27, 0, 0}, 24},
		{"PROBE too short",
			{0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, [20] = 0xda, 0x70, 0, 2, 1, 7}, 28},
		{"wrong FINGERPRINT",
			{0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, [20] = 0x80, 0x28, 0, 4, 1, 2, 3, 4},
			28},
		{"DNS query", {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1},
			19},
		{"RTP", {0x80, 0, 0, 1, 0, 0, 0, 0}, 20},
		{"text", "GET / HTTP/1.0\r\n\r\n    ", 20},
	};
	size_t none = 0;
	struct responder r = make_responder(false, &none);

	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		struct responder_request q = {
			.data = messages[i].bytes, .length = messages[i].length, .from = client(0)};
		struct responder_replies out;

		print_message("# %s\n", messages[i].name);
		responder_answer(&r, &q, &out);
		assert_int_equal(out.count, 0);
	}
}

static void test_impossible_sources(void **state)
{
	static const struct {
		const char *from;
		uint16_t port;
		unsigned local;
		bool single;
	} sources[] = {
		{"192.0.2.7", 0, 0, false},
		{"0.0.0.0", 40000, 0, false},
		{"224.0.0.1", 40000, 0, false},
		{"255.255.255.255", 40000, 0, false},
		{"ff02::1", 40000, V6, false},
		{"::", 40000, V6, false},
		{"2001:db8::7", 40000, 0, false}, /* came in by IPv4 */
		{"192.0.2.7", 40000, 2, true}, /* an endpoint that is not served */
		{"192.0.2.7", 40000, RESPONDER_ENDPOINTS, false},
	};
	static const uint8_t plain[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	size_t none = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		struct responder r = make_responder(sources[i].single, &none);
		struct responder_request q = {.data = plain,
			.length = sizeof(plain),
			.from = endpoint(sources[i].from),
			.local = sources[i].local};
		struct responder_replies out;

		q.from.port = sources[i].port;
		responder_answer(&r, &q, &out);
		assert_int_equal(out.count, 0);
	}
}

/* --- anything else: random requests, some of them broken --- */

static size_t random_request(struct random *random, uint8_t *buffer)
{
	static const uint8_t zeros[1400];
	struct row row = {.classic = !random_below(random, 8),
		.fingerprint = random_below(random, 2),
		.change = random_below(random, 2) ? (int)random_below(random, 8) | FLAGS_NONE : 0,
		.response_port = random_below(random, 4) ? 0 : (int)random_below(random, 65536),
		.unknown = {random_below(random, 8) ? 0 : (uint16_t)random_below(random, 65536)}};
	struct stun_id id;
	struct stun_writer s;

	if (random_below(random, 3))
		row.probe = (struct stun_probe){(uint8_t)random_below(random, 3),
			(uint8_t)random_below(random, 16), (uint8_t)random_below(random, 8)};
	random_bytes(random, &id, sizeof(id));
	if (!row.classic)
		memcpy(id.bytes, "\x21\x12\xa4\x42", 4);
	s = stun_begin(buffer, REQUEST_BYTES, STUN_REQUEST, STUN_BINDING, &id);
	if (row.change)
		stun_add_u32(&s, STUN_CHANGE_REQUEST, (uint32_t)row.change & 0xff);
	if (row.probe.version)
		stun_add_probe(&s, &row.probe);
	if (row.response_port)
		stun_add_response_port(&s, (uint16_t)row.response_port, random_below(random, 2));
	if (row.unknown[0])
		stun_add(&s, row.unknown[0], zeros, random_below(random, 12));
	if (!random_below(random, 4))
		stun_add(&s, STUN_PADDING, zeros, random_below(random, sizeof(zeros)));
	if (random_below(random, 2))
		stun_add_fill(&s, 40 + random_below(random, 600));
	if (row.fingerprint)
		stun_add_fingerprint(&s);
	return (size_t)stun_end(&s);
}

static void test_property(void **state)
{
	struct random random;
	size_t icmp_count, answered = 0;
	unsigned lookups = 0;
	struct responder both = make_responder(false, &icmp_count);
	struct responder single = make_responder(true, &icmp_count);
	static struct responder_replies out;

	(void)state;
	random_init_number(&random, 5780);
	for (unsigned i = 0; i < PROPERTY_RUNS; i++) {
		const struct responder *r = random_below(&random, 4) ? &both : &single;
		uint8_t data[REQUEST_BYTES];
		struct responder_request q = {.data = data,
			.length = random_request(&random, data),
			.local = random_below(&random, RESPONDER_ENDPOINTS),
			.stream = !random_below(&random, 4),
			.syn = fake_syn,
			.syn_context = &lookups};

		icmp_count = random_below(&random, STUN_ICMP_MAX + 1);
		q.from = client(q.local);
		if (!random_below(&random, 4)) /* broken in one place */
			data[random_below(&random, (uint32_t)q.length)] ^=
				(uint8_t)(1 + random_below(&random, 255));
		responder_answer(r, &q, &out);
		check_invariants(r, &q, &out);
		answered += out.count > 0;
	}
	/* a positive control: the property was not held by silence */
	assert_true(answered > PROPERTY_RUNS / 2);
	assert_true(lookups > PROPERTY_RUNS / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_unknown_attributes),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_impossible_sources),
		cmocka_unit_test(test_property),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
