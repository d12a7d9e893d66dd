// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "probe/icmp_private.h"

/*
 * Echo requests (RFC 5508 3): several identifiers at once, each to both addresses of the server, which says how they have
 * arrived. Without such a server it can only be seen whether there are replies.
 */

#define ECHOS_MAX  8
#define DATA_BYTES 32 /* of an echo request */

size_t icmp_probe_write_echo(const uint8_t token[static ICMP_TOKEN_BYTES], uint8_t *out)
{
	icmp_write_mark(token, out);
	memset(out + ICMP_MARK_BYTES, 0, DATA_BYTES - ICMP_MARK_BYTES);
	return DATA_BYTES;
}

/* --- tokens --- */

void icmp_probe_ask_token(struct icmp_probe *p, uint64_t now_us, unsigned token)
{
	struct icmp_token *t = &p->tokens[token];
	struct icmp_request *r;

	if (t->asked || t->polls >= ICMP_POLLS)
		return;
	r = icmp_probe_request(p, now_us, ICMP_FOR_TOKEN, token, p->chosen->socket, ICMP_ASK_SEEN);
	if (!r)
		return;
	memcpy(r->message.token, t->bytes, ICMP_TOKEN_BYTES);
	t->asked = true;
	t->polls += t->known;
}

static void take_record(
	struct icmp_probe *p, uint64_t now_us, unsigned target, const struct icmp_record *r)
{
	for (unsigned i = 0; i < ICMP_IDENTIFIERS; i++) {
		const struct icmp_copies *c = &p->echos[i].to[target];
		struct observation *o = icmp_probe_observation(p, c->observation);

		if (!o || r->kind != ICMP_KIND_ECHO || r->sequence != c->sequence)
			continue;
		if (o->detail.recorded++)
			continue;
		o->detail.recorded_from = r->from;
		o->detail.recorded_from.port = r->identifier;
		o->detail.recorded_to = r->to;
		journal_note(p->journal, now_us, o, "arrived with identifier %u", r->identifier);
	}
}

void icmp_probe_token_answered(
	struct icmp_probe *p, uint64_t now_us, unsigned token, const struct icmp_inquiry *answer)
{
	struct icmp_token *t = &p->tokens[token];

	t->asked = false;
	if (!answer || answer->class != STUN_SUCCESS) {
		t->polls = ICMP_POLLS;
		return;
	}
	t->known = true;
	if (token == ICMP_TOKEN_EGRESS)
		icmp_probe_take_records(p, now_us, answer);
	for (size_t i = 0; token < ICMP_TARGETS && i < answer->record_count; i++)
		take_record(p, now_us, token, &answer->records[i]);
}

/* --- echos --- */

static struct endpoint target_of(const struct icmp_server *s, int target)
{
	struct endpoint e = target == ICMP_TARGET_OWN ? s->endpoint : s->other;

	e.port = 0;
	return e;
}

static bool is_served(const struct icmp_probe *p)
{
	return p->chosen->offers == ICMP_SERVICE_YES;
}

static void put_echo(struct icmp_probe *p, uint64_t now_us, unsigned i, int target)
{
	struct icmp_copies *c = &p->echos[i].to[target];
	struct endpoint to = target_of(p->chosen, target);

	c->observation = icmp_probe_ask(p, QUESTION_ECHO, p->echos[i].socket, &to);
	c->at_us = now_us;
	/* so that what arrives can be told apart, whatever becomes of the identifier */
	c->sequence = (uint16_t)(1 + i);
	if (icmp_probe_observation(p, c->observation))
		icmp_probe_observation(p, c->observation)->detail.flow = ICMP_FLOW_ECHO;
}

static void put_echos(struct icmp_probe *p, uint64_t now_us)
{
	p->echo_put = true;
	for (unsigned i = 0; i < ICMP_IDENTIFIERS; i++) {
		struct endpoint to = target_of(p->chosen, ICMP_TARGET_OWN);

		p->echos[i].socket =
			icmp_probe_socket(p, ICMP_SOCKET_ECHO, ICMP_OF_ECHO, i, 0, &to);
		put_echo(p, now_us, i, ICMP_TARGET_OWN);
		if (p->chosen->capable)
			put_echo(p, now_us, i, ICMP_TARGET_OTHER);
	}
	if (is_served(p) && p->chosen->capable)
		icmp_probe_ask_token(p, now_us, ICMP_TARGET_OTHER);
}

/* Enough of them have been sent to call it silence. */
static bool is_exhausted(const struct icmp_probe *p, const struct icmp_copies *c)
{
	return c->sent >= ECHOS_MAX || (c->sent >= 4 && icmp_probe_is_silent(p, c->sent));
}

static bool is_missing(const struct icmp_probe *p, const struct icmp_copies *c)
{
	const struct observation *o = icmp_probe_observation(p, c->observation);

	return o && c->sent && !o->detail.recorded && o->state != OBSERVATION_REFUSED;
}

/* Whether all is known of the echos to one address. */
static bool watch_target(struct icmp_probe *p, uint64_t now_us, unsigned target)
{
	struct icmp_token *t = &p->tokens[target];
	bool open = false, missing = false;

	for (unsigned i = 0; i < ICMP_IDENTIFIERS; i++) {
		const struct icmp_copies *c = &p->echos[i].to[target];
		const struct icmp_socket *s = &p->sockets[p->echos[i].socket];

		if (s->error)
			icmp_probe_refuse(p, now_us, c->observation, -s->error);
		if (icmp_probe_is_open(p, c->observation) && c->sent && now_us >= c->at_us &&
			is_exhausted(p, c))
			icmp_probe_settle(p, now_us, c->observation, OBSERVATION_SILENT);
		open |= icmp_probe_is_open(p, c->observation);
		missing |= is_missing(p, c);
	}
	if (!open && missing && is_served(p) && t->known)
		icmp_probe_ask_token(p, now_us, target);
	return !open && !t->asked && (!missing || !is_served(p) || t->polls >= ICMP_POLLS);
}

bool icmp_probe_echo_advance(struct icmp_probe *p, uint64_t now_us)
{
	bool over = true;

	if (!p->echo_put)
		put_echos(p, now_us);
	for (unsigned target = 0; target < ICMP_TARGETS; target++)
		over &= watch_target(p, now_us, target);
	return over;
}

static bool send_echo(
	struct icmp_probe *p, uint64_t now_us, unsigned i, unsigned target, struct icmp_output *out)
{
	struct icmp_copies *c = &p->echos[i].to[target];
	struct observation *o = icmp_probe_observation(p, c->observation);

	o->local = p->sockets[p->echos[i].socket].local;
	out->action = ICMP_SEND;
	out->kind = ICMP_SOCKET_ECHO;
	out->socket = p->echos[i].socket;
	out->to = o->to;
	out->sequence = c->sequence;
	out->length = icmp_probe_write_echo(p->tokens[target].bytes, out->data);
	icmp_probe_note_sent(p, now_us, c->observation, out->length);
	o->awaited = ++c->sent;
	c->at_us = now_us + icmp_probe_interval_us(p->chosen);
	return true;
}

bool icmp_probe_poll_echos(
	struct icmp_probe *p, uint64_t now_us, struct icmp_output *out, uint64_t *deadline_us)
{
	for (unsigned n = 0; p->echo_put && n < ICMP_IDENTIFIERS * ICMP_TARGETS; n++) {
		unsigned i = n % ICMP_IDENTIFIERS, target = n / ICMP_IDENTIFIERS;
		struct icmp_copies *c = &p->echos[i].to[target];

		if (!icmp_probe_is_open(p, c->observation) ||
			!icmp_probe_is_ready(p, p->echos[i].socket) ||
			(is_served(p) && !p->tokens[target].known &&
				p->tokens[target].polls < ICMP_POLLS))
			continue;
		if (now_us >= c->at_us && !is_exhausted(p, c))
			return send_echo(p, now_us, i, target, out);
		icmp_probe_wake(deadline_us, now_us, c->at_us);
	}
	return false;
}

void icmp_probe_echo_reply(struct icmp_probe *p, uint64_t now_us, unsigned index,
	const struct endpoint *from, uint16_t sequence, uint8_t ttl)
{
	for (unsigned target = 0; target < ICMP_TARGETS; target++) {
		const struct icmp_copies *c = &p->echos[index].to[target];
		struct observation *o = icmp_probe_observation(p, c->observation);

		if (!o || c->sequence != sequence || !c->sent)
			continue;
		if (!endpoint_same_address(from, &o->to)) {
			/* the other target has the same sequence number */
			if (!endpoint_same_address(from, &p->chosen->endpoint) &&
				!(p->chosen->capable &&
					endpoint_same_address(from, &p->chosen->other))) {
				o->wrong_source++;
				o->wrong_from = *from;
			}
			continue;
		}
		if (!o->answers++) {
			o->answer.t_us = now_us;
			o->answer.from = *from;
			o->answer.ttl = ttl;
		}
		icmp_probe_settle(p, now_us, c->observation, OBSERVATION_ANSWERED);
	}
}
