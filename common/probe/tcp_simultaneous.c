// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/tcp_private.h"

/*
 * Simultaneous open (RFC 5382 REQ-2): the server calls from a port where nobody listens while this host connects to
 * that port. Our SYN leaves shortly before the server's arrives here: then it has opened the filter, and the
 * server's socket has long been there when it arrives. That the connection comes about is the positive control of
 * the filtering questions: calls do leave the server. That the NAT let in the server's SYN shows in the
 * server's time: one round trip; where the NAT has dropped it, the connection comes about all the same, since
 * the server answers our SYN, but takes longer (observation_crossed).
 *
 * Where each destination has a port of its own, a call to the port that the server knows cannot meet our SYN.
 */

#define MS	 1000u
#define WAIT_MS	 60 /* beyond two round trips: the answer has to be here before the calls begin */
#define LATE_US	 2000u /* and may be so much later than it could have been */
#define LATER_US (3 * MS) /* each try a little more: the server's clock has a grain, too */
#define CROSS_US (3500 * MS) /* three SYNs */
#define TRIES_US (6000 * MS) /* no further one begins later */
#define BOTH	 2 /* number of CALL_FROM_BOTH */
#define THIRD	 3 /* bits of CALL_FROM_THIRD and CALL_FROM_THIRD_ADDRESS */
#define MASK	 (CALL_FROM_THIRD | CALL_FROM_THIRD_ADDRESS)

static bool may_begin(const struct tcp_probe *p, uint64_t now_us)
{
	const struct tcp_server *s = p->filtering.server;

	return p->calls && p->tries < TCP_TRIES && now_us < p->start_us + TRIES_US &&
		tcp_probe_mapping_independent(p, s) == 1 && s->rtt_us;
}

/* One address has been shown to call, and one SYN of it to have come in. */
static void note_success(struct tcp_probe *p)
{
	struct tcp_calls *c = &p->simultaneous;

	for (int i = 0; i < 2; i++) {
		const struct observation *o = tcp_probe_observation(p, c->observation[THIRD + i]);

		if (!o || o->state != OBSERVATION_ANSWERED)
			continue;
		p->met[i] = true;
		p->crossings += i && observation_crossed(o, c->server->rtt_us);
	}
}

/* Where all SYNs are let in once may be chance: see judge_simultaneous(). */
static bool is_enough(const struct tcp_probe *p)
{
	bool open = tcp_probe_is_answered(p, p->filtering.observation[BOTH]);

	return p->met[0] && p->met[1] && p->crossings > open;
}

/* The answer came as soon as it could: so the request arrived, and the calls begin, when they should. */
static bool in_time(const struct tcp_calls *c)
{
	uint64_t rtt_us = c->server->rtt_us;

	return c->promised_us - c->asked_us <= rtt_us + rtt_us / 4 + LATE_US;
}

/* A quarter of a round trip after the server's SYN, which then has as long a way again. */
static void cross(struct tcp_probe *p, struct tcp_calls *c, unsigned bit)
{
	struct observation *o = tcp_probe_observation(p, c->observation[bit]);
	uint64_t call_us = c->asked_us + c->server->rtt_us / 2 + c->wait_ms * MS;
	struct tcp_socket *s;

	if (!tcp_probe_is_open(p, c->observation[bit]))
		return;
	o->to = o->expect;
	s = tcp_probe_socket(p, c->slot, &o->to);
	if (!s)
		return;
	o->socket = tcp_probe_number(p, s);
	s->observation = c->observation[bit];
	s->begin_us = call_us + c->server->rtt_us / 4 + p->tries % 3 * LATER_US;
	s->give_up_us = s->begin_us + CROSS_US;
}

static void begin_crossing(struct tcp_probe *p, uint64_t now_us, struct tcp_calls *c)
{
	c->crossing = true;
	if (in_time(c)) {
		cross(p, c, THIRD);
		cross(p, c, THIRD + 1);
		return;
	}
	for (unsigned i = THIRD; i < CALL_FROM_KINDS; i++)
		tcp_probe_settle(p, now_us, c->observation[i], OBSERVATION_ABANDONED);
}

void tcp_probe_simultaneous_advance(struct tcp_probe *p, uint64_t now_us)
{
	struct tcp_calls *c = &p->simultaneous;

	if (c->phase == CALL_CONNECTING && tcp_probe_is_answered(p, c->base))
		tcp_probe_calls_ask(
			p, now_us, c, MASK, (uint16_t)(2 * c->server->rtt_us / MS + WAIT_MS), 0);
	if (c->phase == CALL_PROMISED && !c->crossing)
		begin_crossing(p, now_us, c);
	tcp_probe_calls_watch(p, now_us, c);
	if (!tcp_probe_calls_over(c))
		return;
	if (c->phase == CALL_OVER && !c->ended) {
		note_success(p);
		tcp_probe_calls_end(p, c);
		p->tries++;
	}
	if (may_begin(p, now_us) && !is_enough(p))
		tcp_probe_calls_begin(p, now_us, p->filtering.server, c, false);
}
