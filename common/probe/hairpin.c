// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/private.h"

#define COPIES 4
#define GAP_US 20000u

/* The server whose word about the external endpoints is taken: ours first, and only if it is alike. */
static struct probe_server *choose_server(struct probe *p)
{
	struct probe_server *found = NULL;

	for (size_t i = 0; i < p->server_count; i++) {
		struct probe_server *s = &p->servers[i];

		if (s->answered && (!found || (s->ours && !found->ours)))
			found = s;
	}
	return found;
}

static void ask_bases(struct probe *p, uint64_t now_us, struct probe_server *s)
{
	for (int i = 0; i < 2; i++) {
		int socket = probe_socket(p, 0);
		struct transaction *t = NULL;

		if (socket >= 0)
			t = probe_ask(p, now_us, s, QUESTION_HAIRPIN_BASE, (unsigned)socket,
				&s->endpoint, &s->endpoint);
		if (t)
			p->hairpin_base[i] = journal_place(p->journal, t->o);
	}
}

/*
 * Both ways, since a filter on the hairpin path lets nothing in before the own side has sent. Never
 * from an endpoint to itself: firewalls take that for an attack.
 */
static bool harmless(const struct observation *a, const struct observation *b)
{
	const struct endpoint *to = &b->answer.mapped;

	return endpoint_is_unicast(to) && to->family == a->local.family &&
		endpoint_is_loopback(to) == endpoint_is_loopback(&a->local) &&
		!endpoint_equal(to, &a->answer.mapped) && !endpoint_same_address(to, &a->local);
}

static void send_across(struct probe *p, uint64_t now_us, const struct observation *bases[2])
{
	for (int i = 0; i < 2; i++) {
		const struct observation *a = bases[i], *b = bases[!i];
		struct transaction *t;

		if (!harmless(a, b)) {
			journal_note(
				p->journal, now_us, a, "no hairpin test: it would not be harmless");
			return;
		}
		t = probe_ask(p, now_us, probe_transaction(p, a)->server, QUESTION_HAIRPIN,
			a->socket, &b->answer.mapped, &b->answer.mapped);
		if (!t)
			return;
		p->hairpin[i] = journal_place(p->journal, t->o);
		t->wake_us = now_us + (uint64_t)i * GAP_US;
		t->sends_max = t->repeat = COPIES;
		t->repeat_gap_us = GAP_US;
		t->fill = 0;
	}
}

bool hairpin_advance(struct probe *p, uint64_t now_us)
{
	const struct observation *bases[2];
	struct probe_server *s = choose_server(p);

	if (!(p->config.tests & PROBE_HAIRPIN) || !s)
		return false;
	if (!p->hairpin_put) {
		p->hairpin_put = true;
		ask_bases(p, now_us, s);
		return true;
	}
	p->config.tests &= ~(unsigned)PROBE_HAIRPIN; /* this is its last part */
	for (int i = 0; i < 2; i++) {
		if (!probe_answered(p, p->hairpin_base[i]))
			return false;
		bases[i] = probe_observation(p, p->hairpin_base[i]);
	}
	send_across(p, now_us, bases);
	return true;
}

void hairpin_input(struct probe *p, uint64_t now_us, unsigned socket, const struct endpoint *from,
	const struct stun_message *m)
{
	for (size_t i = 0; i < p->transaction_count; i++) {
		struct transaction *t = &p->transactions[i];

		if (t->o->question != QUESTION_HAIRPIN || !stun_id_equal(&t->id, &m->id) ||
			t->o->socket == socket)
			continue;
		if (!t->o->answers++) {
			t->o->answer.t_us = now_us;
			t->o->answer.from = *from;
		}
		if (t->o->state == OBSERVATION_OPEN)
			journal_settle(p->journal, now_us, t->o, OBSERVATION_ANSWERED);
		return;
	}
	p->journal->strangers++;
}
