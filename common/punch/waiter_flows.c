// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "punch/waiter_private.h"

/* What goes to the dark, and keeps the mappings. */

#define REFRESH_US 12000000u /* and up to a quarter more; UDP that nobody answers lives for 30 s */

/* Where the flows of a socket go: to the places that have its port, or to all if none has. */
static size_t darks_of(
	const struct waiter *w, const struct spot *s, const struct endpoint *out[static 2])
{
	bool all = s->further || !waiter_has_port_of_place(w, s);
	int f = s->local.family == FAMILY_IPV6;
	size_t count = 0;

	if (w->config.dark[f].family != FAMILY_NONE) {
		out[0] = &w->config.dark[f];
		return 1;
	}
	for (size_t i = 0; i < w->place_count; i++)
		if (all || w->places[i].port == s->local.port)
			out[count++] = &w->places[i].dark[f];
	return count;
}

bool waiter_is_dark(const struct waiter *w, unsigned socket, const struct endpoint *to)
{
	int f = to->family == FAMILY_IPV6;

	if (socket >= WAITER_SOCKETS || w->spots[socket].state != SPOT_OPEN)
		return false;
	if (w->config.dark[f].family != FAMILY_NONE)
		return endpoint_equal(&w->config.dark[f], to);
	for (size_t i = 0; i < w->place_count; i++)
		if (endpoint_equal(&w->places[i].dark[f], to))
			return true;
	return false;
}

static uint64_t refresh_us(struct waiter *w)
{
	return w->config.classic ? CLASSIC_PERIOD_US
				 : REFRESH_US + random_below(&w->config.random, REFRESH_US / 4);
}

/* The present one of the spot; to the other place at once, where there are two. */
static const struct endpoint *next_dark(struct waiter *w, uint64_t now_us, struct spot *s)
{
	const struct endpoint *darks[2];
	size_t count = darks_of(w, s, darks), turn = s->turn++ % count;

	if (turn + 1 == count)
		s->due_us = now_us + refresh_us(w);
	return darks[turn];
}

/* The next packet to the dark, which is due. */
static void put_flow(struct waiter *w, uint64_t now_us, unsigned socket, struct knock_output *out)
{
	struct spot *s = &w->spots[socket];

	*out = (struct knock_output){
		.action = KNOCK_SEND, .socket = socket, .to = *next_dark(w, now_us, s)};
	w->counts.sent++;
	if (w->config.classic) {
		out->action = KNOCK_ECHO;
		out->local = s->local;
		out->type = CLASSIC_ECHO;
		return;
	}
	out->ttl = WAITER_TTL;
	out->length = WAITER_DARK_BYTES;
	memcpy(out->data, s->said, WAITER_DARK_BYTES);
}

bool waiter_poll_flows(
	struct waiter *w, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us)
{
	for (unsigned i = 0; i < WAITER_SOCKETS; i++) {
		struct spot *s = &w->spots[i];

		if (s->state != SPOT_OPEN || s->closing)
			continue;
		if (s->due_us > now_us) {
			if (s->due_us < *deadline_us)
				*deadline_us = s->due_us;
			continue;
		}
		put_flow(w, now_us, i, out);
		return true;
	}
	return false;
}

/* --- classic: who has sent an error may come in at the known port --- */

static bool is_its_echo(const struct waiter *w, const struct spot *s, struct span quoted)
{
	const struct endpoint *darks[2];
	size_t count = darks_of(w, s, darks);

	for (size_t i = 0; i < count; i++)
		if (classic_is_echo(quoted, &s->local, darks[i]))
			return true;
	return false;
}

void waiter_exceeded(
	struct waiter *w, uint64_t now_us, const struct endpoint *offender, struct span quoted)
{
	char text[ENDPOINT_TEXT];

	if (!w->config.classic || w->resting)
		return;
	for (unsigned i = WAITER_FURTHER; i < WAITER_SOCKETS; i++) {
		const struct spot *s = &w->spots[i];
		struct endpoint to = *offender;

		if (s->state != SPOT_OPEN || s->closing || !is_its_echo(w, s, quoted))
			continue;
		to.port = s->local.port;
		w->counts.exceeded++;
		if (!endpoint_is_unicast(&to) || endpoint_equal(&to, &s->local) ||
			!classic_add(&w->openings, now_us, i, &to) ||
			endpoint_equal(&to, &w->opened))
			continue;
		w->opened = to;
		trail_step(w->config.trail, now_us,
			"knock: ICMP errors about the echo; a datagram after each to %s",
			endpoint_format(&to, text));
	}
}

bool waiter_poll_openings(struct waiter *w, struct knock_output *out)
{
	const struct classic_opening *o;

	while ((o = classic_take(&w->openings))) {
		if (w->spots[o->socket].state != SPOT_OPEN || w->spots[o->socket].closing)
			continue;
		*out = (struct knock_output){
			.action = KNOCK_SEND, .socket = o->socket, .to = o->to};
		return true;
	}
	return false;
}
