// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/private.h"

#define COPIES	      2
#define REPEAT	      5
#define REPEAT_GAP_US 15000u

static const struct {
	enum question question;
	uint32_t change;
} targets[TARGETS] = {
	[TARGET_BOTH] = {QUESTION_FILTERING_BOTH, STUN_CHANGE_ADDRESS | STUN_CHANGE_PORT},
	[TARGET_ADDRESS] = {QUESTION_FILTERING_ADDRESS, STUN_CHANGE_ADDRESS},
	[TARGET_PORT] = {QUESTION_FILTERING_PORT, STUN_CHANGE_PORT},
};

/* RFC 5780 4.4, each from a fresh socket, so that no test opens the filter for another. */
static void ask(struct probe *p, uint64_t now_us, struct probe_server *s, int target)
{
	struct endpoint expect = probe_target(s, target);
	struct transaction *t = NULL;
	int socket;

	if (s->filtering[target] != JOURNAL_NONE)
		return;
	socket = probe_socket(p, 0);
	if (socket >= 0)
		t = probe_ask(p, now_us, s, targets[target].question, (unsigned)socket,
			&s->endpoint, &expect);
	if (!t)
		return;
	s->filtering[target] = journal_place(p->journal, t->o);
	t->change = targets[target].change;
	if (!s->ours)
		return;
	t->wants = STUN_WANT_RECEIPT;
	t->copies = COPIES;
	t->repeat = REPEAT; /* a short outage shall not hit them all */
	t->repeat_gap_us = REPEAT_GAP_US;
	t->fill = p->config.family == FAMILY_IPV4 ? 376 : 592;
}

/*
 * The positive control: the same change, requested by a socket whose path to the changed endpoint has
 * been opened. Where the NAT uses another port towards that endpoint, RESPONSE-PORT leads the answer
 * there; where even the external address differs, nothing can.
 */
static void ask_control(struct probe *p, uint64_t now_us, struct probe_server *s, int target,
	const struct observation *base, const struct observation *opened)
{
	struct endpoint expect = probe_target(s, target);
	struct transaction *t =
		probe_ask(p, now_us, s, QUESTION_CONTROL, opened->socket, &s->endpoint, &expect);

	if (!t)
		return;
	s->control[target] = journal_place(p->journal, t->o);
	t->change = targets[target].change;
	if (!base || base->answer.mapped.port != opened->answer.mapped.port)
		t->response_port = opened->answer.mapped.port;
}

/* Our own servers: one control is enough, since receipts prove that each question arrived. */
static void control_own(struct probe *p, uint64_t now_us, struct probe_server *s)
{
	if (s->control[TARGET_BOTH] == JOURNAL_NONE && probe_answered(p, s->mapping[TARGET_BOTH]))
		ask_control(p, now_us, s, TARGET_BOTH, probe_observation(p, s->binding),
			probe_observation(p, s->mapping[TARGET_BOTH]));
}

/* Foreign ones: each silent socket has to show that it gets through, and gets changed answers. */
static void control_foreign(struct probe *p, uint64_t now_us, struct probe_server *s)
{
	for (int i = 0; i < TARGETS; i++) {
		bool has_base = s->early_base[i] != JOURNAL_NONE;

		if (s->control[i] != JOURNAL_NONE || !probe_answered(p, s->early_check[i]) ||
			(has_base && !probe_answered(p, s->early_base[i])))
			continue;
		ask_control(p, now_us, s, i,
			has_base ? probe_observation(p, s->early_base[i]) : NULL,
			probe_observation(p, s->early_check[i]));
	}
}

void filtering_advance(struct probe *p, uint64_t now_us, struct probe_server *s)
{
	if (!(p->config.tests & (PROBE_FILTERING | PROBE_EARLY)) || !s->capable)
		return;
	ask(p, now_us, s, TARGET_ADDRESS);
	ask(p, now_us, s, TARGET_PORT);
	/* who lets in both changes is asked for them together; our own servers may be asked at once */
	if (s->ours ||
		(probe_answered(p, s->filtering[TARGET_ADDRESS]) &&
			probe_answered(p, s->filtering[TARGET_PORT])))
		ask(p, now_us, s, TARGET_BOTH);
	if (s->ours)
		control_own(p, now_us, s);
	else
		control_foreign(p, now_us, s);
}
