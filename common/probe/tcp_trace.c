// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "probe/tcp_private.h"

/*
 * How far do SYNs get when no server answers over TCP? As trace.c, but each leaves from a socket and a local port of its
 * own, for one connection has one TTL; a router that divides flows may send them different ways.
 */

#define PATIENCE_US 1500000u /* two SYNs have left by then */
#define ANSWER_US   900000u /* for what comes back, before the system repeats the SYN */

/* Whether its silence is one that a ladder can tell more of. */
static bool is_silent(const struct observation *o, uint64_t now_us)
{
	if (o->own.outcome == CONNECTION_MADE) /* it is heard, whatever it says */
		return false;
	return o->state != OBSERVATION_OPEN ||
		(o->sent && now_us >= o->first_sent_us + PATIENCE_US);
}

/* Who refuses a connection has been reached; an address of the inside may be near. */
static int worth(const struct observation *o)
{
	if (o->own.outcome == CONNECTION_REFUSED || o->own.outcome == CONNECTION_LOCAL ||
		!o->sent || endpoint_is_loopback(&o->to))
		return 0;
	return endpoint_is_private(&o->to) ? 1 : 2;
}

static struct tcp_server *choose(struct tcp_probe *p, uint64_t now_us)
{
	struct tcp_server *best = NULL;
	int best_worth = 0;

	for (size_t i = 0; i < p->server_count; i++) {
		const struct observation *o = tcp_probe_observation(p, p->servers[i].binding);

		if (!o || p->servers[i].answered || !is_silent(o, now_us))
			return NULL;
		if (worth(o) > best_worth) {
			best_worth = worth(o);
			best = &p->servers[i];
		}
	}
	return best;
}

static void begin(struct tcp_probe *p, uint64_t now_us, const struct tcp_server *server)
{
	struct observation *o = tcp_probe_new_observation(
		p, server, QUESTION_TRACE, TCP_SOCKETS, &server->endpoint);
	struct trace *trace = o ? journal_add_trace(p->journal, o) : NULL;

	p->trace.put = true;
	p->trace.observation = journal_place(p->journal, o);
	if (trace)
		ladder_begin(&p->trace.ladder, trace);
	else
		tcp_probe_settle(p, now_us, p->trace.observation, OBSERVATION_ABANDONED);
}

static bool is_open(const struct tcp_probe *p)
{
	return p->trace.put && tcp_probe_is_open(p, p->trace.observation);
}

static void settle(struct tcp_probe *p, uint64_t now_us, enum observation_state state)
{
	const struct trace *t = p->trace.ladder.trace;

	for (unsigned i = 0; i < t->hop_count && state != OBSERVATION_ABANDONED; i++)
		if (t->hops[i].answers)
			state = OBSERVATION_ANSWERED;
	tcp_probe_settle(p, now_us, p->trace.observation, state);
	for (unsigned i = 0; i < p->socket_count; i++)
		if (p->sockets[i].rung)
			tcp_probe_end(&p->sockets[i]);
}

static bool send_syn(struct tcp_probe *p, uint64_t now_us, unsigned ttl)
{
	struct observation *o = tcp_probe_observation(p, p->trace.observation);
	int slot = tcp_probe_slot(p, 0);
	struct tcp_socket *s = slot < 0 ? NULL : tcp_probe_socket(p, (unsigned)slot, &o->to);

	if (!s)
		return false;
	s->ttl = (uint8_t)ttl;
	s->rung = (uint8_t)ttl;
	s->quotes = true;
	s->begin_us = now_us;
	s->give_up_us = now_us + ANSWER_US;
	if (!o->sent++)
		o->first_sent_us = now_us;
	o->last_sent_us = now_us;
	return true;
}

static bool any_answered(const struct tcp_probe *p)
{
	for (size_t i = 0; i < p->server_count; i++)
		if (p->servers[i].answered)
			return true;
	return false;
}

void tcp_probe_trace_advance(struct tcp_probe *p, uint64_t now_us)
{
	const struct tcp_server *server;
	unsigned ttl;

	if (!p->config.trace)
		return;
	if (!p->trace.put) {
		server = choose(p, now_us);
		if (server)
			begin(p, now_us, server);
	}
	p->trace.deadline_us = UINT64_MAX;
	while (is_open(p)) {
		ttl = any_answered(p) /* it was late: no more need to be known of its way */
			? 0
			: ladder_next(&p->trace.ladder, now_us, &p->trace.deadline_us);
		if (ttl && send_syn(p, now_us, ttl))
			continue;
		ladder_unsent(&p->trace.ladder, ttl);
		if (any_answered(p))
			settle(p, now_us, OBSERVATION_ABANDONED);
		else if (ttl || ladder_is_over(&p->trace.ladder, now_us))
			settle(p, now_us, OBSERVATION_SILENT);
		return;
	}
}

/* --- what becomes of its sockets --- */

static void answer(
	struct tcp_probe *p, uint64_t now_us, struct tcp_socket *s, const struct icmp_seen *icmp)
{
	uint64_t rtt_us = now_us > s->begin_us ? now_us - s->begin_us : 1;

	s->told = true;
	if (is_open(p))
		ladder_answer(&p->trace.ladder, s->rung, icmp, rtt_us);
}

void tcp_probe_trace_icmp(struct tcp_probe *p, struct tcp_socket *s, const struct icmp_seen *icmp)
{
	struct observation *o = tcp_probe_observation(p, p->trace.observation);
	unsigned count = o->icmp.count + 1;

	o->icmp = *icmp;
	o->icmp.count = count;
	answer(p, icmp->t_us, s, icmp);
}

void tcp_probe_trace_ended(struct tcp_probe *p, uint64_t now_us, struct tcp_socket *s, int error)
{
	if (!s->told && (!error || error == -ECONNREFUSED || error == -ECONNRESET))
		answer(p, now_us, s, NULL);
	tcp_probe_end(s);
}

void tcp_probe_trace_failed(struct tcp_probe *p, uint64_t now_us, const struct tcp_socket *s)
{
	ladder_unsent(&p->trace.ladder, s->rung);
	if (is_open(p))
		settle(p, now_us, OBSERVATION_REFUSED);
}
