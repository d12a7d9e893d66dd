// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/tcp_private.h"

/*
 * Which sequence number do SYNs leave with, and arrive with? The system tells nobody without privileges. But a SYN
 * whose TTL ends at the first router comes back from there in an ICMP error, quoted as it left; and Linux chooses the
 * number of the next one between the same endpoints by its clock (secure_tcp_seq). So two such SYNs, which show that it
 * does, and then one that arrives, all from one local port.
 */

#define QUOTE_US 900000u /* for the error; before a second SYN would leave */

static struct tcp_server *choose_server(struct tcp_probe *p)
{
	for (size_t i = 0; i < p->server_count; i++)
		if (p->servers[i].tells_syns)
			return &p->servers[i];
	return NULL;
}

static void ask(struct tcp_probe *p, uint64_t now_us)
{
	unsigned i = p->sequence.count++;
	struct tcp_server *server = p->sequence.server;
	size_t place = tcp_probe_ask(
		p, now_us, server, QUESTION_SEQUENCE, p->sequence.slot, &server->endpoint);
	struct tcp_socket *s;

	p->sequence.observation[i] = place;
	if (place == JOURNAL_NONE || i == TCP_SEQUENCE - 1)
		return;
	s = &p->sockets[tcp_probe_observation(p, place)->socket];
	s->ttl = 1;
	s->quotes = true;
	s->give_up_us = now_us + QUOTE_US;
}

void tcp_probe_sequence_advance(struct tcp_probe *p, uint64_t now_us)
{
	const struct observation *last;
	int slot;

	if (!p->config.syns || p->sequence.count == TCP_SEQUENCE)
		return;
	if (!p->sequence.server) {
		p->sequence.server = choose_server(p);
		slot = p->sequence.server ? tcp_probe_slot(p, 0) : -1;
		p->sequence.slot = slot < 0 ? 0 : (unsigned)slot;
		if (slot >= 0)
			ask(p, now_us);
		return;
	}
	if (!p->sequence.count) /* there was no port left */
		return;
	last = tcp_probe_observation(p, p->sequence.observation[p->sequence.count - 1]);
	if (!last || (last->state != OBSERVATION_OPEN && !last->handshake.quoted))
		p->sequence.count = TCP_SEQUENCE; /* no more can be learnt */
	else if (last->state != OBSERVATION_OPEN)
		ask(p, now_us);
}
