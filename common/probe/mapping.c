// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/private.h"

static void ask(struct probe *p, uint64_t now_us, struct probe_server *s, int target)
{
	struct endpoint to = probe_target(s, target);
	struct transaction *t = NULL;

	if (s->mapping[target] == JOURNAL_NONE)
		t = probe_ask(p, now_us, s, QUESTION_MAPPING, 0, &to, &to);
	if (t)
		s->mapping[target] = journal_place(p->journal, t->o);
}

/*
 * RFC 5780 4.3: the socket that has asked A1P1 asks A1P2, A2P1 and A2P2, our own servers at once. Of
 * foreign ones A2P2 first: when it sees the same port, the mapping depends on nothing, and two of the
 * ten transactions that they are asked in a second are saved.
 */
void mapping_advance(struct probe *p, uint64_t now_us, struct probe_server *s)
{
	const struct observation *first = probe_observation(p, s->binding), *both;

	if (!s->capable)
		return;
	ask(p, now_us, s, TARGET_BOTH);
	both = probe_observation(p, s->mapping[TARGET_BOTH]);
	if (!both ||
		(!s->ours &&
			(both->state == OBSERVATION_OPEN ||
				(both->state == OBSERVATION_ANSWERED &&
					both->answer.mapped.port == first->answer.mapped.port))))
		return;
	ask(p, now_us, s, TARGET_ADDRESS);
	ask(p, now_us, s, TARGET_PORT);
}
