// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/private.h"

#define COPIES	      3
#define REPEAT_GAP_US 8000u

static const struct {
	enum question question;
	uint32_t change;
} targets[TARGETS] = {
	[TARGET_BOTH] = {QUESTION_FILTERING_BOTH, STUN_CHANGE_ADDRESS | STUN_CHANGE_PORT},
	[TARGET_ADDRESS] = {QUESTION_FILTERING_ADDRESS, STUN_CHANGE_ADDRESS},
	[TARGET_PORT] = {QUESTION_FILTERING_PORT, STUN_CHANGE_PORT},
};

static struct endpoint target(const struct probe_server *s, uint32_t change)
{
	struct endpoint e = change & STUN_CHANGE_ADDRESS ? s->other : s->endpoint;

	e.port = change & STUN_CHANGE_PORT ? s->other.port : s->endpoint.port;
	return e;
}

/* RFC 5780 4.4, each from a fresh socket, so that no test opens the filter for another. */
static void ask_all(struct probe *p, uint64_t now_us, struct probe_server *s)
{
	for (int i = 0; i < TARGETS; i++) {
		struct endpoint expect = target(s, targets[i].change);
		int socket = probe_socket(p, 0);
		struct transaction *t = NULL;

		if (socket >= 0)
			t = probe_ask(p, now_us, s, targets[i].question, (unsigned)socket,
				&s->endpoint, &expect);
		if (!t)
			return;
		s->filtering[i] = journal_place(p->journal, t->o);
		t->change = targets[i].change;
		if (!s->ours)
			continue;
		t->wants = STUN_WANT_RECEIPT;
		t->copies = COPIES;
		t->repeat = 2;
		t->repeat_gap_us = REPEAT_GAP_US;
		t->fill = p->config.family == FAMILY_IPV4 ? 376 : 592;
	}
}

/*
 * The positive control: the same change, requested by the socket whose path to A2P2 is open. Where
 * the mapping depends on the destination, RESPONSE-PORT leads the answer to the mapping that belongs
 * to A2P2; where even the external address differs it cannot be led there.
 */
static void ask_control(struct probe *p, uint64_t now_us, struct probe_server *s)
{
	const struct observation *first = probe_observation(p, s->binding);
	const struct observation *both = probe_observation(p, s->mapping[TARGET_BOTH]);
	struct transaction *t;

	t = probe_ask(p, now_us, s, QUESTION_CONTROL, 0, &s->endpoint, &s->other);
	if (!t)
		return;
	s->control = journal_place(p->journal, t->o);
	t->change = STUN_CHANGE_ADDRESS | STUN_CHANGE_PORT;
	if (first->answer.mapped.port != both->answer.mapped.port)
		t->response_port = both->answer.mapped.port;
}

void filtering_advance(struct probe *p, uint64_t now_us, struct probe_server *s)
{
	if (!(p->config.tests & (PROBE_FILTERING | PROBE_EARLY)) || !s->capable)
		return;
	if (!s->questions_put)
		ask_all(p, now_us, s);
	if (s->control == JOURNAL_NONE && probe_answered(p, s->mapping[TARGET_BOTH]))
		ask_control(p, now_us, s);
}
