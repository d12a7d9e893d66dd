// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/tcp_private.h"

/*
 * Hairpinning (RFC 5382 REQ-8): two local ports, each with a connection to the server and a listener, connect to each
 * other's external endpoint, both at once, since a filter on the way lets nothing in before the own side has sent.
 * A request over the connection shows that it leads to this host and not to a box that answers itself.
 */

#define HAIRPIN_US 3500000u /* three SYNs */

static void ask_base(struct tcp_probe *p, uint64_t now_us, struct tcp_server *s, int i)
{
	int slot = tcp_probe_slot(p, 0);

	if (slot < 0 || !tcp_probe_socket(p, (unsigned)slot, NULL))
		return;
	p->hairpin_slot[i] = (unsigned)slot;
	p->hairpin_base[i] =
		tcp_probe_ask(p, now_us, s, QUESTION_HAIRPIN_BASE, (unsigned)slot, &s->endpoint);
}

static struct tcp_server *choose_server(struct tcp_probe *p)
{
	for (size_t i = 0; i < p->server_count; i++)
		if (p->servers[i].answered)
			return &p->servers[i];
	return NULL;
}

/* Never from an endpoint to itself: firewalls take that for an attack. */
static bool harmless(const struct observation *a, const struct observation *b)
{
	const struct endpoint *to = &b->answer.mapped;

	return endpoint_is_unicast(to) && to->family == a->local.family &&
		endpoint_is_loopback(to) == endpoint_is_loopback(&a->local) &&
		!endpoint_equal(to, &a->answer.mapped) && !endpoint_same_address(to, &a->local);
}

static void connect_across(struct tcp_probe *p, uint64_t now_us, struct tcp_server *s)
{
	const struct observation *bases[2];

	for (int i = 0; i < 2; i++) {
		bases[i] = tcp_probe_observation(p, p->hairpin_base[i]);
		if (!tcp_probe_is_answered(p, p->hairpin_base[i]))
			return;
	}
	if (!harmless(bases[0], bases[1]) || !harmless(bases[1], bases[0])) {
		journal_note(
			p->journal, now_us, bases[0], "no hairpin test: it would not be harmless");
		return;
	}
	for (int i = 0; i < 2; i++) {
		p->hairpin[i] = tcp_probe_ask(p, now_us, s, QUESTION_HAIRPIN, p->hairpin_slot[i],
			&bases[!i]->answer.mapped);
		if (p->hairpin[i] != JOURNAL_NONE)
			p->sockets[tcp_probe_observation(p, p->hairpin[i])->socket].give_up_us =
				now_us + HAIRPIN_US;
	}
}

bool tcp_probe_hairpin_advance(struct tcp_probe *p, uint64_t now_us)
{
	struct tcp_server *s = choose_server(p);

	if (!(p->config.tests & TCP_HAIRPIN) || !s || p->hairpin_sent)
		return false;
	if (!p->hairpin_put) {
		p->hairpin_put = true;
		for (int i = 0; i < 2; i++)
			ask_base(p, now_us, s, i);
		return true;
	}
	p->hairpin_sent = true; /* this is its last part */
	connect_across(p, now_us, s);
	return true;
}

void tcp_probe_hairpin_input(
	struct tcp_probe *p, uint64_t now_us, unsigned socket, const struct stun_message *m)
{
	for (int i = 0; i < 2; i++) {
		struct observation *o = tcp_probe_observation(p, p->hairpin[i]);

		if (!o || o->socket == socket || !stun_id_equal(&p->sockets[o->socket].id, &m->id))
			continue;
		if (!o->answers++) {
			o->answer.t_us = now_us;
			o->answer.from = p->sockets[socket].to;
		}
		tcp_probe_settle(p, now_us, p->hairpin[i], OBSERVATION_ANSWERED);
		return;
	}
	p->journal->strangers++;
}
