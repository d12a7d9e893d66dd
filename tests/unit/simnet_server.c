// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "server/responder.h"
#include "simnet_private.h"

void server_init(struct sim_server *s, enum simnet_server kind, size_t number, bool ipv6)
{
	memset(s, 0, sizeof(*s));
	s->kind = kind;
	for (int i = 0; i < SERVER_ENDPOINTS; i++) {
		char text[ENDPOINT_TEXT];

		snprintf(text, sizeof(text), ipv6 ? "[2001:db8:%d::%zu]" : "203.0.%d.%zu",
			i & SERVER_ADDRESS ? 114 : 113, number + 1);
		endpoint_parse(text, i & SERVER_PORT ? 3479 : 3478, &s->at[i]);
	}
}

int server_endpoint(const struct sim_server *s, const struct endpoint *e)
{
	for (int i = 0; i < SERVER_ENDPOINTS; i++)
		if (endpoint_equal(&s->at[i], e))
			return i;
	return -1;
}

void server_icmp(struct sim_server *s, const struct endpoint *to,
	const struct endpoint *quoted_from, const struct endpoint *offender)
{
	if (s->error_count >= SERVER_ERRORS)
		return;
	s->errors[s->error_count].to = *to;
	s->errors[s->error_count++].icmp = (struct stun_icmp){.type = 3,
		.code = 3,
		.count = 1,
		.offender = *offender,
		.quoted_from = *quoted_from};
}

/* --- natprobed --- */

static size_t look_up(
	void *context, const struct endpoint *to, struct stun_icmp out[static STUN_ICMP_MAX])
{
	const struct sim_server *s = context;
	size_t n = 0;

	for (size_t i = 0; i < s->error_count && n < STUN_ICMP_MAX; i++)
		if (endpoint_equal(&s->errors[i].to, to))
			out[n++] = s->errors[i].icmp;
	return n;
}

static void answer_own(struct sim_server *s, int local, const struct endpoint *from,
	const void *data, size_t length, server_emit *emit, void *context)
{
	unsigned family = from->family == FAMILY_IPV6 ? RESPONDER_IPV6 : 0;
	struct responder r = {.software = "natprobed", .icmp = look_up, .icmp_context = s};
	struct responder_request q = {.data = data,
		.length = length,
		.from = *from,
		.local = (unsigned)local | family,
		.meta = {60, 0, 0}};
	struct responder_replies replies;

	for (unsigned i = 0; i < SERVER_ENDPOINTS; i++)
		r.advertised[i | family] = s->at[i];
	responder_answer(&r, &q, &replies);
	for (size_t i = 0; i < replies.count; i++) {
		const struct responder_reply *reply = &replies.reply[i];

		for (unsigned copy = 0; copy < reply->copies; copy++)
			emit(context, &s->at[reply->local & ~(unsigned)RESPONDER_IPV6], &reply->to,
				reply->bytes, reply->length);
	}
}

/* --- foreign servers: as RFC 5780 says, and with one defect each --- */

struct reply {
	struct endpoint source, origin, other, to, mapped;
	unsigned error;
	bool none, garbage, classic;
};

static struct reply plan(const struct sim_server *s, int local, const struct endpoint *from,
	const struct stun_message *m)
{
	int leaves = local ^ (m->change_request & STUN_CHANGE_ADDRESS ? SERVER_ADDRESS : 0) ^
		(m->change_request & STUN_CHANGE_PORT ? SERVER_PORT : 0);
	struct reply r = {.source = s->at[leaves],
		.other = s->at[local ^ (SERVER_ADDRESS | SERVER_PORT)],
		.to = *from,
		.mapped = *from};
	bool changed = leaves != local;

	if (m->has_response_port)
		r.to.port = m->response_port;
	switch (s->kind) {
	case SIMNET_PLAIN:
		r.other.family = FAMILY_NONE;
		r.source = s->at[local];
		r.none = local & SERVER_ADDRESS;
		break;
	case SIMNET_RFC3489:
		r.classic = true;
		break;
	case SIMNET_CHANGE_IGNORED:
		r.source = s->at[local];
		break;
	case SIMNET_CHANGE_REFUSED:
		r.error = changed ? 420 : 0;
		r.source = s->at[local];
		break;
	case SIMNET_CHANGE_LOST:
		r.none = changed;
		break;
	case SIMNET_SELF_AS_OTHER:
		r.other = s->at[local];
		r.source = s->at[local];
		break;
	case SIMNET_OTHER_SILENT:
		r.none = leaves & SERVER_ADDRESS || local & SERVER_ADDRESS;
		break;
	case SIMNET_OTHER_ELSEWHERE:
		r.source.address[r.source.family == FAMILY_IPV4 ? 3 : 15] ^= changed ? 0x40 : 0;
		break;
	case SIMNET_WRONG_MAPPED:
		r.mapped.port ^= 0x155;
		break;
	case SIMNET_WRONG_SOURCE:
		r.source.port ^= 0x100;
		break;
	case SIMNET_GARBAGE:
		r.garbage = true;
		break;
	default:
		break;
	}
	r.origin = r.source;
	return r;
}

static int write_reply(const struct sim_server *s, const struct reply *r,
	const struct stun_message *m, uint8_t *buffer, size_t size)
{
	struct stun_writer w = stun_begin(
		buffer, size, r->error ? STUN_ERROR : STUN_SUCCESS, STUN_BINDING, &m->id);
	struct endpoint plain = r->mapped;

	if (r->garbage) {
		memset(buffer, 0xee, 60);
		return 60;
	}
	if (r->error) {
		stun_add_error(&w, r->error, "Unknown Attribute");
		return stun_end(&w);
	}
	if (s->kind == SIMNET_MAPPED_DIFFERS)
		plain.port ^= 0x155;
	stun_add_address(&w, STUN_MAPPED_ADDRESS, &plain);
	if (!r->classic)
		stun_add_address(&w, STUN_XOR_MAPPED_ADDRESS, &r->mapped);
	stun_add_address(&w, r->classic ? STUN_SOURCE_ADDRESS : STUN_RESPONSE_ORIGIN, &r->origin);
	if (r->other.family != FAMILY_NONE)
		stun_add_address(
			&w, r->classic ? STUN_CHANGED_ADDRESS : STUN_OTHER_ADDRESS, &r->other);
	stun_add_text(&w, STUN_SOFTWARE, "simulated");
	return stun_end(&w);
}

static void answer_foreign(struct sim_server *s, int local, const struct endpoint *from,
	const void *data, size_t length, server_emit *emit, void *context)
{
	uint8_t buffer[STUN_MESSAGE_BYTES];
	struct stun_message m;
	struct reply r;
	int n;

	if (stun_decode(data, length, &m) || m.class != STUN_REQUEST || m.method != STUN_BINDING)
		return;
	r = plan(s, local, from, &m);
	if (r.none)
		return;
	n = write_reply(s, &r, &m, buffer, sizeof(buffer));
	if (n > 0)
		emit(context, &r.source, &r.to, buffer, (size_t)n);
}

void server_receive(struct sim_server *s, int local, const struct endpoint *from, const void *data,
	size_t length, server_emit *emit, void *context)
{
	if (s->kind == SIMNET_OWN)
		answer_own(s, local, from, data, length, emit, context);
	else if (s->kind != SIMNET_SILENT && s->kind != SIMNET_REFUSING)
		answer_foreign(s, local, from, data, length, emit, context);
}
