// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

/* A network under watch: what fuzz_topology and fuzz_world have in common. */

#include "lab/world_private.h"
#include "fuzz.h"

#define NET_POLLS_MAX 200000 /* of one input; more is a network that does not come to rest */

struct net {
	struct world *world;
	uint64_t now;
	bool tainted; /* a packet went in with a wrong checksum, or none */
	unsigned polls;
	uint64_t events, event_us;
	int host; /* what has arrived last */
	struct packet seen;
	uint8_t in[PACKET_BYTES_MAX];
};

static inline void net_event(void *context, const struct world_event *e)
{
	struct net *n = context;
	struct packet p;

	require(e->t_us >= n->event_us);
	require(e->node >= 0 && e->node < world_count(n->world));
	require(e->what != WORLD_LOST || e->reason);
	require(e->what == WORLD_LOST ||
		(!packet_decode((void *)e->bytes, e->length, &p) && p.length == e->length));
	n->event_us = e->t_us;
	n->events++;
}

static inline void net_take(struct net *n, const struct world_arrival *a)
{
	const struct world_node *h = world_at(n->world, a->host);
	bool own = false;

	require(h->kind == WORLD_HOST);
	require(a->length <= sizeof(n->in));
	memcpy(n->in, a->bytes, a->length);
	require(!packet_decode(n->in, a->length, &n->seen) && n->seen.length == a->length);
	require(n->tainted || packet_checksums_right(&n->seen));
	for (size_t i = 0; i < h->address_count; i++)
		own = own || endpoint_same_address(&h->addresses[i], &n->seen.destination);
	require(own);
	n->host = a->host;
}

/* Whether a packet has arrived by n->now; else *deadline is later. */
static inline bool net_poll(struct net *n, uint64_t *deadline)
{
	struct world_arrival a;
	uint64_t events, later;

	require(n->polls++ < NET_POLLS_MAX);
	if (world_poll(n->world, n->now, &a, deadline)) {
		net_take(n, &a);
		return true;
	}
	require(*deadline > n->now);
	if (*deadline == UINT64_MAX) {
		require(!n->world->flights.count);
		return false;
	}
	events = n->events;
	require(!world_poll(n->world, *deadline - 1, &a, &later));
	require(later == *deadline && n->events == events);
	return false;
}

/* All that arrives for so long. */
static inline void net_pass(struct net *n, uint64_t us)
{
	uint64_t end = n->now + us, deadline;

	for (;;) {
		if (net_poll(n, &deadline))
			continue;
		if (deadline > end)
			break;
		n->now = deadline;
	}
	n->now = end;
}

/* Until nothing is left to happen. */
static inline void net_finish(struct net *n)
{
	uint64_t deadline;

	for (;;) {
		if (net_poll(n, &deadline))
			continue;
		if (deadline == UINT64_MAX)
			break;
		n->now = deadline;
	}
	require(!n->world->flights.count);
	for (int i = 1; i < world_count(n->world); i++)
		require(!world_nat(n->world, i) || !nat_session_count(world_nat(n->world, i)));
}
