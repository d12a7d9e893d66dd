// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Any bytes from any endpoint at any endpoint of the server: what goes out stays within what came
 * in (or is the plain response of RFC 5780, or an error hardly longer than the request), goes to
 * the source address, leaves from an endpoint of ours, and is well-formed STUN that answers this
 * request.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "server/responder.h"

#define HEAD_BYTES	4 /* in front of the message: local endpoint, pairing and TCP, errors, port */
#define ERROR_OVERSHOOT 12
#define PLAIN_V4	68
#define PLAIN_V6	116

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static size_t fake_icmp(
	void *context, const struct endpoint *to, struct stun_icmp out[static STUN_ICMP_MAX])
{
	const uint8_t *count = context;

	for (size_t i = 0; i < *count; i++)
		out[i] = (struct stun_icmp){3, (uint8_t)i, 1, *to, *to};
	return *count;
}

static bool fake_syn(void *context, struct stun_syn *out)
{
	const uint8_t *parts = context;

	*out = (struct stun_syn){.parts = *parts, .arrived = {.ttl = 64}};
	return *parts != 0;
}

static struct responder make_responder(bool paired, uint8_t *icmp_count)
{
	struct responder r = {.software = "fuzz", .icmp = fake_icmp, .icmp_context = icmp_count};

	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++) {
		struct endpoint *e = &r.advertised[i];

		if (i & RESPONDER_ADDRESS && !paired)
			continue;
		e->family = i & RESPONDER_IPV6 ? FAMILY_IPV6 : FAMILY_IPV4;
		e->port = i & RESPONDER_PORT ? 3479 : 3478;
		memcpy(e->address, i & RESPONDER_ADDRESS ? "\xcb\x00\x71\x0a" : "\xc6\x33\x64\x0a",
			4);
	}
	return r;
}

static void check_reply(const struct responder *r, const struct responder_request *q,
	const struct stun_message *request, const struct responder_reply *reply)
{
	struct stun_message answer;

	require(endpoint_same_address(&reply->to, &q->from));
	require(reply->to.port == q->from.port ||
		(request->has_response_port && reply->to.port == request->response_port));
	require(reply->to.port != 0);
	require(reply->local < RESPONDER_ENDPOINTS);
	require(!q->stream ||
		(reply->local == q->local && reply->copies == 1 && reply->to.port == q->from.port));
	require(r->advertised[reply->local].family == q->from.family);
	require(reply->copies >= 1 && reply->copies <= RESPONDER_COPIES_MAX);
	require(!stun_decode(reply->bytes, reply->length, &answer));
	require(answer.class == STUN_SUCCESS || answer.class == STUN_ERROR);
	require(stun_id_equal(&answer.id, &request->id));
	require(answer.has_fingerprint == request->has_fingerprint);
	require(!answer.has_syn ||
		(q->stream && request->has_probe && request->probe.wants & STUN_WANT_SYN));
}

static void check_budget(const struct responder_request *q, const struct stun_message *request,
	const struct responder_replies *out)
{
	size_t plain = (q->from.family == FAMILY_IPV4 ? PLAIN_V4 : PLAIN_V6) +
		(request->has_fingerprint ? STUN_FINGERPRINT_BYTES : 0);
	unsigned datagrams;
	size_t bytes = responder_bytes(out, &datagrams);
	struct stun_message answer;

	if (bytes <= q->length)
		return;
	require(out->count == 1 && datagrams == 1 && bytes <= plain);
	require(!stun_decode(out->reply[0].bytes, out->reply[0].length, &answer));
	if (answer.class == STUN_ERROR)
		require(bytes <= q->length + ERROR_OVERSHOOT);
	else
		require(!answer.software.length && !answer.has_padding && !answer.has_receipt &&
			!answer.has_observed && !answer.has_syn && !answer.icmp_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct responder_replies out;
	struct responder_request q = {.meta = {64, 0, 0}};
	struct stun_message request;
	struct responder r;
	uint8_t icmp_count, syn_parts;

	if (size < HEAD_BYTES)
		return 0;
	icmp_count = data[1] % (STUN_ICMP_MAX + 1);
	r = make_responder(!(data[0] & 8), &icmp_count);
	q.local = data[0] & 7;
	q.stream = data[0] & 16;
	syn_parts = data[0] >> 5 & 3;
	q.syn = fake_syn;
	q.syn_context = &syn_parts;
	q.from.family = q.local & RESPONDER_IPV6 ? FAMILY_IPV6 : FAMILY_IPV4;
	q.from.port = (uint16_t)(data[2] << 8 | data[3]);
	memcpy(q.from.address, "\xc0\x00\x02\x07", 4);
	q.data = data + HEAD_BYTES;
	q.length = size - HEAD_BYTES;

	responder_answer(&r, &q, &out);
	if (!out.count)
		return 0;
	require(out.count <= (q.stream ? 1 : RESPONDER_REPLIES_MAX));
	require(!stun_decode(q.data, q.length, &request));
	require(request.class == STUN_REQUEST && request.method == STUN_BINDING);
	for (size_t i = 0; i < out.count; i++)
		check_reply(&r, &q, &request, &out.reply[i]);
	check_budget(&q, &request, &out);
	return 0;
}
