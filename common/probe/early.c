// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/private.h"

/*
 * The early-packet reaction: A2P2 has sent to the socket of FILTERING_BOTH, which had never sent there,
 * and the NAT has kept that back. Now the socket sends to A2P2. A Linux router that accepts packets
 * to itself has made an entry for the early packet, which takes the port away from this flow. The
 * same socket's mapping towards A1P1 is the comparison; and natprobed tells which ICMP errors the
 * early packet drew.
 */
void early_advance(struct probe *p, uint64_t now_us, struct probe_server *s)
{
	const struct observation *both = probe_observation(p, s->filtering[TARGET_BOTH]);
	struct transaction *t;

	if (!(p->config.tests & PROBE_EARLY) || !both || s->early_check != JOURNAL_NONE ||
		both->state != OBSERVATION_SILENT || !probe_answered(p, s->mapping[TARGET_BOTH]))
		return;
	t = probe_ask(p, now_us, s, QUESTION_EARLY_CHECK, both->socket, &s->other, &s->other);
	if (t)
		s->early_check = journal_place(p->journal, t->o);
	t = probe_ask(p, now_us, s, QUESTION_EARLY_BASE, both->socket, &s->endpoint, &s->endpoint);
	if (!t)
		return;
	s->early_base = journal_place(p->journal, t->o);
	if (s->ours) {
		t->wants = STUN_WANT_ICMP | STUN_WANT_OBSERVED;
		t->fill = p->config.family == FAMILY_IPV4 ? 256 : 400;
	}
}
