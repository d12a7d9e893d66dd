// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "lab/world.h"
#include "wire/packet.h"

/* What the files of the network share; nobody else includes this. */

/* Addresses from first to last are reached by way of one node below. */
struct world_route {
	uint8_t first[17], last[17]; /* the family, then the address */
	int child;
};

struct world_routes {
	struct world_route *list; /* in order, and none overlaps another */
	size_t count, size;
};

/* A packet on its way. */
struct flight {
	uint64_t at_us, order; /* of two at the same moment the one that began first */
	struct flight *next; /* in the list of free ones */
	int node; /* whose link it is on */
	bool begins; /* not yet: the node, a host, is about to send it */
	bool up;
	size_t size, length;
	uint8_t bytes[];
};

struct flights {
	struct flight **heap;
	size_t count, size;
	struct flight *free;
	size_t bytes; /* of all flights, free ones too */
	uint64_t order;
};

struct world_member {
	struct world_node config;
	struct link up, down;
	struct world_routes routes;
	struct nat *nat;
	uint64_t timer_us; /* when the NAT wants to be polled; UINT64_MAX: never */
};

struct world {
	struct world_member *members[WORLD_NODES_MAX];
	int count;
	uint64_t seed;
	struct endpoint internet[2];
	struct flights flights;
	struct flight *arrived; /* what world_poll gave last */
	uint64_t now_us;
	uint64_t timer_us; /* the earliest of all NATs, or before that */
	world_listener *listener;
	void *listener_context;
	uint64_t lost[WORLD_LOST_REASONS];
	uint8_t before[PACKET_BYTES_MAX]; /* a packet as the NAT got it, for the listener */
	uint8_t error[PACKET_BYTES_MAX];
};

/* --- world_routes.c --- */
/* -EEXIST: some of it leads elsewhere already; -ENOMEM. */
int world_routes_add(
	struct world_routes *r, const struct endpoint *address, uint8_t bits, int child);
/* The node below by which an address is reached; -1: none. */
int world_routes_find(const struct world_routes *r, const struct endpoint *address);
void world_routes_clear(struct world_routes *r);
void world_routes_free(struct world_routes *r);

/* --- world_flights.c --- */
/* A flight with room for so many bytes, not yet on its way; NULL: no memory, or too many. */
struct flight *world_flight_new(struct flights *f, size_t length);
void world_flight_begin(struct flights *f, struct flight *flight, uint64_t at_us);
/* The next one that ends by now; NULL, and when the next one ends. */
struct flight *world_flight_end(struct flights *f, uint64_t now_us, uint64_t *next_us);
void world_flight_free(struct flights *f, struct flight *flight);
void world_flights_destroy(struct flights *f);

/* --- world_link.c: over a link, with all that is on it --- */
/* What a host sends, at this time. */
void world_send_later(
	struct world *w, uint64_t at_us, int host, const uint8_t *bytes, size_t length);
void world_send_up(struct world *w, int node, uint8_t *bytes, size_t length);
void world_send_down(struct world *w, int node, uint8_t *bytes, size_t length);
void world_lose(
	struct world *w, int node, enum world_lost reason, const uint8_t *bytes, size_t length);
/* NAT inside or internet address of this family, from where the upper end of a link answers. */
struct endpoint world_upper_address(const struct world *w, int node, enum family family);

/* --- world.c --- */
void world_tell(struct world *w, enum world_what what, int node, enum nat_side side,
	const char *reason, const uint8_t *bytes, size_t length);
