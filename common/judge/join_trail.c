// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdlib.h>

#include "judge/causes_punch.h"

/* Addresses of the other side, as packets went to them or came from them. */
#define PEERS_MAX 64

struct peers {
	struct endpoint address[PEERS_MAX];
	size_t count;
};

static bool is_peer(const struct peers *p, const struct endpoint *e)
{
	for (size_t i = 0; i < p->count; i++)
		if (endpoint_same_address(&p->address[i], e))
			return true;
	return false;
}

static void add(struct peers *p, const struct endpoint *e)
{
	if (e->family != FAMILY_NONE && p->count < PEERS_MAX && !is_peer(p, e))
		p->address[p->count++] = *e;
}

/* Both sides may have the same private address, each in a network of its own: what goes there stays here. */
static void find_own(const struct captured_list *l, struct peers *own)
{
	own->count = 0;
	for (size_t i = 0; i < l->count; i++)
		if (l->packets[i].way == WAY_OUT && l->packets[i].content != CONTENT_ERROR)
			add(own, &l->packets[i].from);
}

static void find_peers(const struct trail *t, const struct peers *own, struct peers *p)
{
	p->count = 0;
	for (size_t i = 0; i < t->event_count; i++) {
		const struct trail_event *e = &t->events[i];

		if (e->kind == TRAIL_SENT && !is_peer(own, &e->to))
			add(p, &e->to);
		else if (e->kind == TRAIL_RECEIVED && !is_peer(own, &e->from))
			add(p, &e->from);
	}
}

/* A packet is captured a little before or after the event beside it is written down. */
#define EARLY_US 3000u
#define LATE_US	 200000u

/* Something came. */
static bool is_arrival(const struct trail_event *e)
{
	return e->kind == TRAIL_RECEIVED || e->kind == TRAIL_REFUSED || e->kind == TRAIL_STRANGER;
}

#define LOOKS 512 /* at events for one packet */

/*
 * Whether an event tells of it; each does for one packet. Both are in the order of time, but sockets are read in any
 * order.
 */
static void find_delivery(const struct trail *t, struct captured *c, size_t from, bool *used)
{
	unsigned looks = 0;

	for (size_t n = from; n < t->event_count && t->events[n].t_us <= c->t_us + LATE_US; n++) {
		if (used[n] || !is_arrival(&t->events[n]))
			continue;
		if (endpoint_equal(&t->events[n].from, &c->from)) {
			used[n] = c->delivered = c->delivery_known = true;
			return;
		}
		if (++looks == LOOKS)
			return; /* not known */
	}
	c->delivery_known = t->event_count < TRAIL_EVENTS;
}

static void mark_delivery(struct captured_list *l, const struct trail *t)
{
	bool *used = calloc(t->event_count + 1, sizeof(*used));
	size_t from = 0;

	for (size_t i = 0; used && i < l->count; i++) {
		struct captured *c = &l->packets[i];

		if (c->class != CLASS_PEER || c->protocol != PACKET_UDP)
			continue;
		while (from < t->event_count &&
			(used[from] || t->events[from].t_us + EARLY_US < c->t_us))
			from++;
		c->delivered = c->delivery_known = false;
		find_delivery(t, c, from, used);
	}
	free(used);
}

void join_trail(struct captured_list *l, const struct trail *t)
{
	struct peers peers, own;

	find_own(l, &own);
	find_peers(t, &own, &peers);
	for (size_t i = 0; i < l->count; i++) {
		struct captured *c = &l->packets[i];

		if (c->observation != CAPTURED_NONE)
			continue;
		if (c->way == WAY_IN && c->content != CONTENT_ERROR && is_peer(&peers, &c->from))
			c->class = CLASS_PEER;
		c->to_peer = c->way == WAY_OUT && is_peer(&peers, &c->to);
	}
	mark_delivery(l, t);
}
