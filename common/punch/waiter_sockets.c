// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "punch/waiter_private.h"

/* Sockets: at the ports of code and time, and further ones. */

#define SPREAD_US 1000u /* between the first datagrams of many sockets */

static struct spot *find_free(struct waiter *w, bool further)
{
	unsigned first = further ? 0 : WAITER_FURTHER,
		 end = further ? WAITER_FURTHER : WAITER_SOCKETS;

	for (unsigned i = first; i < end; i++)
		if (w->spots[i].state == SPOT_FREE)
			return &w->spots[i];
	return NULL;
}

static bool has_spot(const struct waiter *w, const struct endpoint *local)
{
	for (unsigned i = WAITER_FURTHER; i < WAITER_SOCKETS; i++)
		if (w->spots[i].state != SPOT_FREE && !w->spots[i].closing &&
			endpoint_equal(&w->spots[i].local, local))
			return true;
	return false;
}

static void want_place(struct waiter *w, uint64_t now_us, const struct knock_place *place)
{
	for (size_t i = 0; i < w->config.from_count; i++) {
		struct endpoint local = w->config.from[i];
		struct spot *s;

		local.port = place->port;
		if (has_spot(w, &local))
			continue;
		s = find_free(w, false);
		w->lacking |= !s;
		if (s)
			*s = (struct spot){.state = SPOT_WANTED, .local = local, .due_us = now_us};
	}
}

static void want_further(struct waiter *w, uint64_t now_us)
{
	unsigned count = 0;

	for (unsigned i = 0; i < WAITER_FURTHER; i++)
		count += w->spots[i].state != SPOT_FREE && !w->spots[i].closing;
	for (; count < w->config.further; count++) {
		struct spot *s = find_free(w, true);

		w->lacking |= !s;
		if (!s)
			return;
		*s = (struct spot){.state = SPOT_WANTED,
			.local = {.family = FAMILY_IPV4},
			.further = true,
			.due_us = now_us + count * SPREAD_US};
	}
}

void waiter_drop(struct spot *s)
{
	if (s->state == SPOT_OPEN || s->state == SPOT_ASKED)
		s->closing = true;
	else
		*s = (struct spot){.state = SPOT_FREE};
}

static bool is_present(const struct waiter *w, uint64_t slot)
{
	for (size_t i = 0; i < w->place_count; i++)
		if (w->places[i].slot == slot)
			return true;
	return false;
}

bool waiter_has_port_of_place(const struct waiter *w, const struct spot *s)
{
	for (size_t i = 0; i < w->place_count; i++)
		if (w->places[i].port == s->local.port)
			return true;
	return false;
}

static void want_sockets(struct waiter *w, uint64_t now_us)
{
	w->lacking = false;
	for (size_t i = 0; i < w->place_count; i++)
		want_place(w, now_us, &w->places[i]);
	want_further(w, now_us);
}

/* In a new slot of time what could not be opened is tried again. */
static void drop_old(struct waiter *w, bool is_new)
{
	for (unsigned i = 0; i < WAITER_SOCKETS; i++) {
		struct spot *s = &w->spots[i];

		if (s->further ? is_new && s->state == SPOT_FAILED
			       : !s->kept && !waiter_has_port_of_place(w, s))
			waiter_drop(s);
	}
}

/* Flows to a new place are needed now, from sockets that have been there before, too. */
static void hasten(struct waiter *w, uint64_t now_us)
{
	for (unsigned i = 0; i < WAITER_SOCKETS; i++) {
		struct spot *s = &w->spots[i];
		uint64_t at_us = now_us + (s->further ? i * SPREAD_US : 0);

		s->turn = 0;
		s->due_us = at_us < s->due_us ? at_us : s->due_us;
	}
}

/* Ports come and go with the time; with a visitor all stays as it is. */
void waiter_heed_time(struct waiter *w, uint64_t now_us)
{
	struct knock_place places[2];
	size_t count = knock_places(&w->config.key, waiter_utc_us(w, now_us), places);
	bool is_new = !is_present(w, places[count - 1].slot);

	if (w->resting || w->answers ||
		(!is_new && count == w->place_count && places[0].slot == w->places[0].slot))
		return;
	memcpy(w->places, places, sizeof(places));
	w->place_count = count;
	drop_old(w, is_new);
	want_sockets(w, now_us);
	if (is_new)
		hasten(w, now_us);
	trail_step(w->config.trail, now_us, "wait: for a knock at port %u%s", places[0].port,
		count > 1 ? " and at the next one" : "");
}

/* The next moment at which ports change. */
uint64_t waiter_change_us(const struct waiter *w, uint64_t now_us)
{
	const uint64_t slot_us = KNOCK_SLOT_S * UINT64_C(1000000),
		       clock_us = KNOCK_CLOCK_S * UINT64_C(1000000);
	uint64_t in_slot = waiter_utc_us(w, now_us) % slot_us;

	if (in_slot < clock_us)
		return now_us + clock_us - in_slot;
	if (in_slot < slot_us - clock_us)
		return now_us + slot_us - clock_us - in_slot;
	return now_us + slot_us + clock_us - in_slot;
}

void waiter_opened(
	struct waiter *w, uint64_t now_us, unsigned socket, int error, const struct endpoint *local)
{
	struct spot *s = socket < WAITER_SOCKETS ? &w->spots[socket] : NULL;
	char text[ENDPOINT_TEXT];

	if (!s || s->state != SPOT_ASKED)
		return;
	if (!error) {
		s->state = SPOT_OPEN;
		s->local = *local;
		random_bytes(&w->config.random, s->said, WAITER_DARK_BYTES);
		w->counts.flows++;
		return;
	}
	w->counts.open_error = error;
	s->state = SPOT_FAILED;
	if (s->closing) {
		*s = (struct spot){.state = SPOT_FREE};
		return;
	}
	if (!s->further)
		trail_step(w->config.trail, now_us, "socket: none at %s: %s",
			endpoint_format(&s->local, text), strerror(-error));
}

unsigned waiter_hopes(const struct waiter *w)
{
	unsigned count = 0;

	for (unsigned i = 0; i < WAITER_SOCKETS; i++)
		count += !w->spots[i].closing && w->spots[i].state != SPOT_FREE &&
			w->spots[i].state != SPOT_FAILED;
	return count;
}

static bool poll_closing(struct waiter *w, struct knock_output *out)
{
	for (unsigned i = 0; i < WAITER_SOCKETS; i++) {
		struct spot *s = &w->spots[i];

		if (!s->closing || s->state != SPOT_OPEN)
			continue;
		w->counts.flows--;
		*s = (struct spot){.state = SPOT_FREE};
		*out = (struct knock_output){.action = KNOCK_CLOSE, .socket = i};
		return true;
	}
	return false;
}

/* First those that go: a new one may have the port of one of them. Then known ports, if there are not enough for all. */
bool waiter_poll_sockets(struct waiter *w, uint64_t now_us, struct knock_output *out)
{
	if (poll_closing(w, out))
		return true;
	if (w->lacking && !w->resting)
		want_sockets(w, now_us);
	for (unsigned n = 0; n < WAITER_SOCKETS; n++) {
		unsigned i = (WAITER_FURTHER + n) % WAITER_SOCKETS;
		struct spot *s = &w->spots[i];

		if (s->state != SPOT_WANTED)
			continue;
		s->state = SPOT_ASKED;
		*out = (struct knock_output){.action = KNOCK_OPEN, .socket = i, .local = s->local};
		return true;
	}
	return false;
}
