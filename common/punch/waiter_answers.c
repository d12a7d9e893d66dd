// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "punch/waiter_private.h"

/* To where the visitor may be. */

#define ANSWER_COUNT   3
#define ANSWER_US      250000u
#define GAP_US	       2000u /* between any two, whoever asks how often */
#define BROAD_AFTER_US 1000000u /* nothing has come directly: answers from all sockets */
#define BROAD_TIMES    2

/* A hello can name anything: never what no host has, nor what is on this one. */
static bool may_be_at(const struct waiter *w, unsigned socket, const struct endpoint *e)
{
	const struct endpoint *local = &w->spots[socket].local;

	return endpoint_is_unicast(e) && e->family == local->family &&
		(!endpoint_is_loopback(e) || endpoint_is_loopback(local));
}

static void add_target(
	struct waiter *w, uint64_t now_us, unsigned socket, const struct endpoint *to)
{
	struct target *t = NULL;

	if (!may_be_at(w, socket, to))
		return;
	for (size_t i = 0; i < w->target_count; i++)
		if (w->targets[i].socket == socket && endpoint_equal(&w->targets[i].to, to))
			t = &w->targets[i];
	if (!t && w->target_count == WAITER_PLACES)
		return;
	if (!t)
		t = &w->targets[w->target_count++];
	*t = (struct target){.socket = socket, .to = *to, .left = ANSWER_COUNT, .due_us = now_us};
}

/* An error shows an address and no port: that of the visitor's host, if its NAT keeps it. */
static struct endpoint behind_offender(const struct waiter_visit *v)
{
	struct endpoint e = v->from;

	for (size_t i = 0; i < v->ask.hello.candidate_count && !e.port; i++)
		if (v->ask.hello.candidates[i].endpoint.family == e.family)
			e.port = v->ask.hello.candidates[i].endpoint.port;
	return e;
}

void waiter_aim(struct waiter *w, uint64_t now_us)
{
	const struct waiter_visit *v = &w->visit;
	struct endpoint e = behind_offender(v);

	if (v->datagram) { /* it is there, and nowhere else */
		w->target_count = 0;
		w->broad_left = 0;
		add_target(w, now_us, v->socket, &v->from);
		return;
	}
	add_target(w, now_us, v->socket, &e);
	for (size_t i = 0; i < v->ask.hello.candidate_count; i++)
		add_target(w, now_us, v->socket, &v->ask.hello.candidates[i].endpoint);
}

int waiter_answer(struct waiter *w, uint64_t now_us, const struct knock *answer)
{
	w->answer = *answer;
	w->answer.kind = KNOCK_ANSWER;
	w->answer.answered = knock_tag(&w->visit.ask);
	w->answers = !knock_digest(&w->answer);
	if (!w->answers)
		return -EMSGSIZE;
	w->target_count = 0;
	w->broad_at = 0;
	w->broad_left = BROAD_TIMES;
	w->broad_us = now_us + BROAD_AFTER_US;
	waiter_aim(w, now_us);
	return 0;
}

static bool say(struct waiter *w, uint64_t now_us, unsigned socket, const struct endpoint *to,
	struct knock_output *out)
{
	int length;

	if (!w->answers_left)
		return false;
	w->answers_left--;
	w->answer_us = now_us + GAP_US;
	*out = (struct knock_output){.action = KNOCK_SEND, .socket = socket, .to = *to};
	w->answer.utc_ms = waiter_utc_us(w, now_us) / 1000;
	length = knock_seal(
		&w->config.key, &w->answer, &w->config.random, out->data, sizeof(out->data));
	out->length = length > 0 ? (size_t)length : 0;
	return length > 0;
}

/* Where the visitor is seen from outside, if it knows that itself, or the error's sender says it. */
static bool is_outside(const struct waiter *w, const struct endpoint *e)
{
	return e->family == FAMILY_IPV4 && !endpoint_is_private(e) &&
		may_be_at(w, w->visit.socket, e);
}

static struct endpoint reflexive(const struct waiter *w)
{
	const struct hello *h = &w->visit.ask.hello;
	struct endpoint e = behind_offender(&w->visit);

	for (size_t i = 0; i < h->candidate_count; i++)
		if (is_outside(w, &h->candidates[i].endpoint))
			return h->candidates[i].endpoint;
	return is_outside(w, &e) ? e : (struct endpoint){.family = FAMILY_NONE};
}

/* The next of the further sockets that is open; WAITER_FURTHER: all had their turn. */
static unsigned next_further(struct waiter *w)
{
	while (w->broad_at < WAITER_FURTHER) {
		const struct spot *s = &w->spots[w->broad_at++];

		if (s->state == SPOT_OPEN && !s->closing)
			return w->broad_at - 1;
	}
	return WAITER_FURTHER;
}

/*
 * Each flow has a port of its own outside, and the visitor tries ports at random: all of them have to be open for where
 * it sends from.
 */
static bool poll_broad(
	struct waiter *w, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us)
{
	struct endpoint to = reflexive(w);

	if (!w->config.further || to.family == FAMILY_NONE)
		return false;
	while (w->broad_left && w->broad_us <= now_us) {
		unsigned socket = next_further(w);

		if (socket < WAITER_FURTHER) {
			w->broad_us = now_us + GAP_US;
			return say(w, now_us, socket, &to, out);
		}
		w->broad_at = 0;
		w->broad_left--;
		w->broad_us = now_us + 2 * BROAD_AFTER_US;
	}
	if (w->broad_left && w->broad_us < *deadline_us)
		*deadline_us = w->broad_us;
	return false;
}

bool waiter_poll_answers(
	struct waiter *w, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us)
{
	if (!w->answers || !w->answers_left)
		return false;
	if (w->answer_us > now_us) {
		if (w->answer_us < *deadline_us)
			*deadline_us = w->answer_us;
		return false;
	}
	for (size_t i = 0; i < w->target_count; i++) {
		struct target *t = &w->targets[i];

		if (!t->left || w->spots[t->socket].state != SPOT_OPEN)
			continue;
		if (t->due_us <= now_us) {
			t->left--;
			t->due_us = now_us + ANSWER_US;
			return say(w, now_us, t->socket, &t->to, out);
		}
		if (t->due_us < *deadline_us)
			*deadline_us = t->due_us;
	}
	return poll_broad(w, now_us, out, deadline_us);
}
