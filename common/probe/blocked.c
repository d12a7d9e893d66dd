// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/private.h"

#define PATIENCE_US   900000u
#define HOSTS	      3
#define CLOSED_PORT   33434u /* traceroute(8) has asked for it for ever: nobody listens there */
#define CONTROL_SENDS 3

/* TCP to the server's own port: a RST will do. */
static void ask_tcp(struct probe *p, uint64_t now_us, const struct probe_server *s)
{
	struct observation *o = journal_add_observation(p->journal);

	if (!o)
		return;
	o->question = QUESTION_TCP_CONTROL;
	o->family = p->config.family;
	o->server = s->place;
	o->to = o->expect = s->endpoint;
	o->first_sent_us = now_us;
}

/* UDP to a port where nobody listens: the host's ICMP error shows that UDP gets there. */
static void ask_udp(struct probe *p, uint64_t now_us, struct probe_server *s)
{
	struct endpoint to = s->endpoint;
	struct transaction *t;

	to.port = CLOSED_PORT;
	t = probe_ask(p, now_us, s, QUESTION_UDP_CONTROL, 0, &to, &to);
	if (t)
		t->sends_max = CONTROL_SENDS;
}

/*
 * When no server answers over UDP, that alone does not show that UDP is blocked: they may be gone. The
 * controls are TCP, and another UDP port, of the same hosts.
 */
void blocked_advance(struct probe *p, uint64_t now_us)
{
	if (p->tcp_put || probe_any_answered(p))
		return;
	for (size_t i = 0; i < p->server_count; i++) {
		const struct observation *o = probe_observation(p, p->servers[i].binding);

		if (!o || (o->state == OBSERVATION_OPEN && now_us < p->start_us + PATIENCE_US))
			return;
	}
	p->tcp_put = p->server_count > 0;
	for (size_t i = 0; i < p->server_count && i < HOSTS; i++) {
		ask_tcp(p, now_us, &p->servers[i]);
		ask_udp(p, now_us, &p->servers[i]);
	}
}
