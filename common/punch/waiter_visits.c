// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "punch/waiter_private.h"

/* What has come: is it a knock, and whose? */

#define REMEMBERED_US ((2 * 2 * KNOCK_CLOCK_S + 1) * 1000000u) /* longer than anything is fresh */
#define STALE_US      60000000u /* between two steps of the trail about them */

/* False: it is there, or there is no place to remember it, and who is not remembered is not heard. */
static bool remember_nonce(struct waiter *w, uint64_t now_us, const uint8_t *nonce)
{
	struct nonce *place = NULL;

	for (size_t i = 0; i < WAITER_NONCES; i++) {
		struct nonce *n = &w->nonces[i];

		if (n->until_us <= now_us) {
			place = n;
		} else if (!memcmp(n->part, nonce, WAITER_NONCE_PART)) {
			w->counts.replayed++;
			return false;
		}
	}
	if (!place) {
		w->counts.surplus++;
		return false;
	}
	memcpy(place->part, nonce, WAITER_NONCE_PART);
	place->until_us = now_us + REMEMBERED_US;
	return true;
}

/* The same with shares: one that had its turn comes no more, and not too many come. */
static bool remember_share(struct waiter *w, uint64_t now_us, const uint8_t *share)
{
	struct visitor *place = NULL;

	for (size_t i = 0; i < WAITER_VISITORS; i++) {
		struct visitor *s = &w->visitors[i];

		if (s->until_us <= now_us) {
			place = s;
		} else if (!memcmp(s->share, share, CPACE_POINT_BYTES)) {
			w->counts.replayed++;
			return false;
		}
	}
	if (!place) {
		w->counts.surplus++;
		return false;
	}
	memcpy(place->share, share, CPACE_POINT_BYTES);
	place->until_us = now_us + REMEMBERED_US;
	return true;
}

/* Anybody can play old ones back, as often as he likes. */
static void note_stale(struct waiter *w, uint64_t now_us)
{
	if (now_us < w->stale_us)
		return;
	w->stale_us = now_us + STALE_US;
	trail_step(w->config.trail, now_us,
		"knock: with the right code, and a clock that differs by %lld s",
		(long long)(w->counts.clock_ms / 1000));
}

static bool is_good(
	struct waiter *w, uint64_t now_us, bool datagram, struct span sealed, struct knock *ask)
{
	uint64_t now_ms = waiter_utc_us(w, now_us) / 1000;

	if (knock_open(&w->config.key, sealed, ask) || ask->kind != KNOCK_ASK) {
		/* from a visitor more comes than knocks */
		w->counts.foreign += !(datagram && w->answers);
		return false;
	}
	if (!knock_is_fresh(ask, now_ms)) {
		w->counts.stale++;
		w->counts.clock_ms = (int64_t)(ask->utc_ms - now_ms);
		note_stale(w, now_us);
		return false;
	}
	/* what was heard before this run is not remembered: somebody may have kept it */
	if (ask->utc_ms + KNOCK_CLOCK_S * UINT64_C(1000) < w->config.utc_us / 1000) {
		w->counts.replayed++;
		return false;
	}
	return remember_nonce(w, now_us, sealed.data);
}

static void visit(struct waiter *w, uint64_t now_us, const struct waiter_visit *v)
{
	bool same = w->has_visit && !w->renews && v->datagram == w->visit.datagram &&
		v->socket == w->visit.socket && endpoint_equal(&v->from, &w->visit.from);
	char text[ENDPOINT_TEXT];

	w->visit = *v;
	w->has_visit = true;
	w->renews = false;
	if (same)
		return;
	if (v->datagram)
		trail_step(w->config.trail, now_us, "knock: a datagram from %s",
			endpoint_format(&v->from, text));
	else
		trail_step(w->config.trail, now_us,
			"knock: an ICMP error from %s about port %u outside, %u here",
			endpoint_format_address(&v->from, text), v->ask.quoted_port, v->local.port);
}

static enum waiter_heard hear(struct waiter *w, uint64_t now_us, const struct waiter_visit *v)
{
	bool again =
		w->has_visit && !memcmp(v->ask.share, w->visit.ask.share, sizeof(v->ask.share));

	if (!again && (w->resting || !remember_share(w, now_us, v->ask.share))) {
		w->counts.surplus += w->resting;
		return WAITER_NOTHING;
	}
	w->counts.heard++;
	if (!again) {
		w->answers = w->has_visit = false;
		w->answers_left = WAITER_ANSWERS;
	}
	/* a datagram shows where it is; an error that comes later says no more than the first */
	if (!again || ((v->datagram || w->renews) && !w->resting))
		visit(w, now_us, v);
	if (again && w->answers && !w->resting)
		waiter_aim(w, now_us);
	return again ? WAITER_AGAIN : WAITER_NEW;
}

static enum waiter_heard take(struct waiter *w, uint64_t now_us, unsigned socket,
	const struct endpoint *from, bool datagram, struct span sealed)
{
	struct waiter_visit v = {.socket = socket, .from = *from, .datagram = datagram};

	if (socket >= WAITER_SOCKETS || w->spots[socket].state != SPOT_OPEN ||
		w->spots[socket].closing)
		return WAITER_NOTHING;
	if (!is_good(w, now_us, datagram, sealed, &v.ask))
		return WAITER_NOTHING;
	v.local = w->spots[socket].local;
	return hear(w, now_us, &v);
}

/* It quotes what we have sent there, or a part of it, or more: behind it there may be an extension (RFC 4884). */
static bool is_usual(const struct waiter *w, unsigned socket, const void *quoted, size_t length)
{
	return length <= WAITER_DARK_BYTES ||
		(socket < WAITER_SOCKETS &&
			!memcmp(quoted, w->spots[socket].said, WAITER_DARK_BYTES));
}

/* The own host says that it has no way to there: this shows nothing of what is let in. */
static bool is_own(const struct waiter *w, const struct endpoint *offender)
{
	for (size_t i = 0; i < w->config.from_count; i++)
		if (endpoint_same_address(&w->config.from[i], offender))
			return true;
	return endpoint_is_loopback(offender);
}

enum waiter_heard waiter_error(struct waiter *w, uint64_t now_us, unsigned socket,
	const struct endpoint *offender, const void *quoted, size_t length)
{
	if (is_usual(w, socket, quoted, length)) {
		w->counts.usual += !is_own(w, offender);
		return WAITER_NOTHING;
	}
	return take(w, now_us, socket, offender, false, (struct span){quoted, length});
}

enum waiter_heard waiter_input(struct waiter *w, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length)
{
	return take(w, now_us, socket, from, true, (struct span){data, length});
}
