// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/private.h"

/*
 * RFC 5780 4.3, with all four endpoints at once: the socket that has asked A1P1 asks A1P2, A2P1 and
 * A2P2, which also shows that these endpoints are alive.
 */
void mapping_advance(struct probe *p, uint64_t now_us, struct probe_server *s)
{
	struct endpoint to[TARGETS] = {s->other, s->other, s->endpoint};

	if (s->questions_put || !s->capable)
		return;
	to[TARGET_ADDRESS].port = s->endpoint.port;
	to[TARGET_PORT].port = s->other.port;
	for (int i = 0; i < TARGETS; i++) {
		struct transaction *t =
			probe_ask(p, now_us, s, QUESTION_MAPPING, 0, &to[i], &to[i]);

		if (t)
			s->mapping[i] = journal_place(p->journal, t->o);
	}
}
