// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "probe/private.h"

/*
 * How far do packets get when no server answers? Requests to one of them whose TTL ends on the way come back from there
 * in ICMP errors, each with its TTL as the last byte of its transaction ID. All leave from one socket, so that they
 * are one flow, which takes one way and needs one mapping.
 *
 * A router that quotes no more than RFC 792 asks for, which is no payload, does not tell which of them it means. Then
 * those that follow have a socket each.
 */

#define PATIENCE_US 900000u /* a server that is there has answered by then: it was asked twice */
#define RESOLVER_US 2000000u /* so long others may still become known, and answer */
#define SENDS_MIN   2

/* Whether its silence is one that a ladder can tell more of. */
static bool is_silent(const struct observation *o, uint64_t now_us)
{
	if (o->malformed || o->wrong_source) /* it is heard, whatever it says */
		return false;
	if (o->state == OBSERVATION_OPEN)
		return o->sent >= SENDS_MIN && now_us >= o->first_sent_us + PATIENCE_US;
	return o->state == OBSERVATION_SILENT || o->state == OBSERVATION_REFUSED;
}

/* An own refusal says all, and who has said so by ICMP is known; an address of the inside may be near. */
static int worth(const struct observation *o)
{
	if (o->icmp.local || !o->sent || endpoint_is_loopback(&o->to))
		return 0;
	return 1 + (o->icmp.count ? 0 : 1) + (endpoint_is_private(&o->to) ? 0 : 2);
}

/* The server that the ladder goes to, the first of several that are alike; NULL: it is not the time, or never will be. */
static struct probe_server *choose(struct probe *p, uint64_t now_us)
{
	struct probe_server *best = NULL;
	int best_worth = 0;

	if (!p->servers_complete && now_us < p->start_us + RESOLVER_US)
		return NULL;
	for (size_t i = 0; i < p->server_count; i++) {
		const struct observation *o = probe_observation(p, p->servers[i].binding);

		if (!o || p->servers[i].answered || !is_silent(o, now_us))
			return NULL;
		if (worth(o) > best_worth) {
			best_worth = worth(o);
			best = &p->servers[i];
		}
	}
	return best;
}

static void begin(struct probe *p, uint64_t now_us, struct probe_server *server)
{
	struct probe_trace *x = &p->trace;
	int socket = probe_socket(p, 0);
	struct observation *o = socket < 0 ? NULL : journal_add_observation(p->journal);
	struct trace *trace;

	x->put = true;
	if (!o)
		return;
	o->question = QUESTION_TRACE;
	o->family = p->config.family;
	o->server = server->place;
	o->socket = x->socket = (unsigned)socket;
	o->to = o->expect = server->endpoint;
	trace = journal_add_trace(p->journal, o);
	if (!trace) {
		journal_settle(p->journal, now_us, o, OBSERVATION_ABANDONED);
		return;
	}
	x->observation = o;
	probe_new_id(p, &x->id);
	ladder_begin(&x->ladder, trace);
}

static bool is_open(const struct probe *p)
{
	return p->trace.observation && p->trace.observation->state == OBSERVATION_OPEN;
}

static void settle(struct probe *p, uint64_t now_us, enum observation_state state)
{
	const struct trace *t = p->trace.ladder.trace;

	for (unsigned i = 0; i < t->hop_count && state != OBSERVATION_ABANDONED; i++)
		if (t->hops[i].answers)
			state = OBSERVATION_ANSWERED;
	journal_settle(p->journal, now_us, p->trace.observation, state);
}

/* Which socket a packet with this TTL leaves from; PROBE_SOCKETS: there is none. */
static unsigned socket_for(struct probe *p, unsigned ttl)
{
	struct probe_trace *x = &p->trace;
	int socket;

	if (!x->apart)
		return x->socket;
	if (!x->sockets[ttl - 1]) { /* number 0 is the mapping question's */
		socket = probe_socket(p, 0);
		x->sockets[ttl - 1] = socket < 0 ? PROBE_SOCKETS : (unsigned)socket;
	}
	return x->sockets[ttl - 1];
}

void trace_advance(struct probe *p, uint64_t now_us)
{
	struct probe_trace *x = &p->trace;
	struct probe_server *server;

	if (!p->config.trace)
		return;
	if (!x->put) {
		server = choose(p, now_us);
		if (server)
			begin(p, now_us, server);
	}
	if (!is_open(p))
		return;
	if (probe_any_answered(p)) /* it was late: no more need to be known of its way */
		settle(p, now_us, OBSERVATION_ABANDONED);
	else if (!x->next_ttl && ladder_is_over(&x->ladder, now_us))
		settle(p, now_us, OBSERVATION_SILENT);
	if (!is_open(p) || x->next_ttl)
		return;
	x->deadline_us = UINT64_MAX;
	x->next_ttl = ladder_next(&x->ladder, now_us, &x->deadline_us);
	if (x->next_ttl)
		x->next_socket = socket_for(p, x->next_ttl);
}

static size_t encode(struct probe *p, unsigned ttl, uint8_t *buffer, size_t size)
{
	struct stun_id id = p->trace.id;
	struct stun_writer s;
	int length;

	id.bytes[sizeof(id.bytes) - 1] = (uint8_t)ttl;
	s = stun_begin(buffer, size, STUN_REQUEST, STUN_BINDING, &id);
	stun_add_fill(&s, PROBE_FILL(p->config.family));
	length = stun_end(&s);
	return length > 0 ? (size_t)length : 0;
}

static void fill_output(
	struct probe *p, uint64_t now_us, unsigned ttl, unsigned socket, struct probe_output *out)
{
	struct observation *o = p->trace.observation;

	out->action = PROBE_SEND;
	out->socket = socket;
	out->to = o->to;
	out->ttl = (uint8_t)ttl;
	out->length = encode(p, ttl, out->data, sizeof(out->data));
	o->local = p->sockets[socket].local;
	if (!o->sent++)
		o->first_sent_us = now_us;
	o->last_sent_us = now_us;
	journal_event(p->journal, now_us, EVENT_SENT, o, &o->local, &o->to, out->length);
}

bool trace_poll(struct probe *p, uint64_t now_us, struct probe_output *out)
{
	struct probe_trace *x = &p->trace;
	enum socket_state state = SOCKET_FAILED;
	unsigned ttl = x->next_ttl;

	if (!is_open(p))
		return false;
	if (!ttl) {
		if (x->deadline_us < out->deadline_us)
			out->deadline_us = x->deadline_us;
		return false;
	}
	if (x->next_socket < PROBE_SOCKETS)
		state = p->sockets[x->next_socket].state;
	if (state == SOCKET_FAILED) {
		ladder_unsent(&x->ladder, ttl);
		settle(p, now_us, OBSERVATION_REFUSED);
	}
	if (state != SOCKET_READY)
		return false;
	x->next_ttl = 0;
	fill_output(p, now_us, ttl, x->next_socket, out);
	return true;
}

/* --- what comes back --- */

/* Of one of the ladder's sockets: the TTL that all its packets have, or 0. */
static bool is_mine(const struct probe *p, unsigned socket, unsigned *ttl)
{
	const struct probe_trace *x = &p->trace;

	*ttl = 0;
	if (!x->observation)
		return false;
	for (unsigned i = 0; i < LADDER_TTL; i++)
		if (x->sockets[i] && x->sockets[i] == socket)
			*ttl = i + 1;
	return *ttl || socket == x->socket;
}

/* The TTL in a transaction ID; 0: it is none of ours. */
static unsigned ttl_of(const struct probe *p, const struct stun_id *id)
{
	size_t last = sizeof(id->bytes) - 1;

	return memcmp(id->bytes, p->trace.id.bytes, last) ? 0 : id->bytes[last];
}

static void answer(struct probe *p, uint64_t now_us, unsigned ttl, const struct icmp_seen *icmp)
{
	struct probe_trace *x = &p->trace;
	bool once = ttl && ttl <= LADDER_TTL && x->ladder.trace->hops[ttl - 1].sent == 1;
	uint64_t rtt_us = once ? now_us - x->ladder.sent_us[ttl - 1] : 0;

	if (is_open(p))
		ladder_answer(&x->ladder, ttl, icmp, once && !rtt_us ? 1 : rtt_us);
}

bool trace_input(struct probe *p, uint64_t now_us, unsigned socket, const struct endpoint *from,
	const struct stun_message *m, size_t length)
{
	struct observation *o = p->trace.observation;
	unsigned ttl;

	if (!is_mine(p, socket, &ttl))
		return false;
	journal_event(
		p->journal, now_us, EVENT_RECEIVED, o, from, &p->sockets[socket].local, length);
	ttl = m ? ttl_of(p, &m->id) : 0;
	if (endpoint_equal(from, &o->to) && ttl && m->class != STUN_REQUEST)
		answer(p, now_us, ttl, NULL);
	else
		p->journal->strangers++;
	return true;
}

bool trace_error(struct probe *p, uint64_t now_us, unsigned socket, const struct endpoint *to,
	const struct icmp_seen *error, const void *quoted, size_t length)
{
	struct reader r = reader_over(quoted, length);
	struct probe_trace *x = &p->trace;
	struct stun_id id;
	unsigned ttl, count;

	if (!is_mine(p, socket, &ttl))
		return false;
	count = x->observation->icmp.count + 1;
	x->observation->icmp = *error;
	x->observation->icmp.count = count;
	journal_event(p->journal, now_us, EVENT_ICMP, x->observation, &error->offender, to, length);
	reader_skip(&r, 4);
	reader_copy(&r, id.bytes, sizeof(id.bytes));
	if (!endpoint_equal(to, &x->observation->to))
		return true;
	if (error->local && is_open(p)) {
		settle(p, now_us, OBSERVATION_REFUSED);
	} else if (!r.failed) {
		answer(p, now_us, ttl_of(p, &id), error);
	} else if (ttl) {
		answer(p, now_us, ttl, error);
	} else if (!x->apart) {
		x->apart = true;
		journal_note(p->journal, now_us, x->observation,
			"a router quotes too little: each TTL gets a socket of its own");
	}
	return true;
}

bool trace_unsent(struct probe *p, uint64_t now_us, unsigned socket, int error, const void *data,
	size_t length)
{
	struct probe_trace *x = &p->trace;
	struct stun_message m;
	unsigned ttl;

	if (!is_mine(p, socket, &ttl))
		return false;
	if (!stun_decode(data, length, &m))
		ladder_unsent(&x->ladder, ttl_of(p, &m.id));
	if (x->observation->sent)
		x->observation->sent--;
	/* a full queue is as good as a loss */
	if (error == -EAGAIN || error == -ENOBUFS || !is_open(p))
		return true;
	x->observation->icmp =
		(struct icmp_seen){.count = 1, .t_us = now_us, .local = true, .error = -error};
	settle(p, now_us, OBSERVATION_REFUSED);
	return true;
}
