// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/private.h"

/*
 * The early-packet reaction: a changed endpoint has sent to the socket of a filtering question, which had
 * never sent there, and the NAT has kept that back. Now the socket sends there itself. A Linux router
 * that accepts packets to itself has made an entry for the early packet, which takes the port away
 * from this flow. The same socket's mapping towards A1P1 is the comparison; and natprobed tells which
 * ICMP errors the early packet drew.
 *
 * With foreign servers the same two questions show that the silent socket gets through at all.
 */
static bool wanted(struct probe *p, const struct probe_server *s, int target)
{
	if (s->early_check[target] != JOURNAL_NONE || !probe_silent(p, s->filtering[target]))
		return false;
	if (!s->ours)
		return true;
	return target == TARGET_BOTH && p->config.tests & PROBE_EARLY;
}

/* Where each destination has its own port there is nothing to compare, only to get through. */
static bool depends_on_destination(struct probe *p, const struct probe_server *s)
{
	const struct observation *first = probe_observation(p, s->binding);

	for (int i = 0; i < TARGETS; i++) {
		const struct observation *o = probe_observation(p, s->mapping[i]);

		if (probe_answered(p, s->mapping[i]) &&
			o->answer.mapped.port != first->answer.mapped.port)
			return true;
	}
	return false;
}

static void ask(struct probe *p, uint64_t now_us, struct probe_server *s, int target)
{
	unsigned socket = probe_observation(p, s->filtering[target])->socket;
	struct endpoint to = probe_target(s, target);
	struct transaction *t;

	t = probe_ask(p, now_us, s, QUESTION_EARLY_CHECK, socket, &to, &to);
	if (t)
		s->early_check[target] = journal_place(p->journal, t->o);
	if (!s->ours && depends_on_destination(p, s))
		return;
	t = probe_ask(p, now_us, s, QUESTION_EARLY_BASE, socket, &s->endpoint, &s->endpoint);
	if (!t)
		return;
	s->early_base[target] = journal_place(p->journal, t->o);
	if (s->ours) {
		t->wants = STUN_WANT_ICMP | STUN_WANT_OBSERVED;
		t->fill = p->config.family == FAMILY_IPV4 ? 256 : 400;
	}
}

void early_advance(struct probe *p, uint64_t now_us, struct probe_server *s)
{
	for (int i = 0; i < TARGETS; i++)
		if (s->capable && wanted(p, s, i))
			ask(p, now_us, s, i);
}
