// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "lab/link.h"
#include "lab/nat.h"

/*
 * A network without I/O: a tree of hosts and NATs, with the internet as its root, a router that knows the way to
 * every public address. A packet of a host goes in with the time, and comes out at another host later. NATs
 * are as nat.h says; hosts behind one NAT reach each other directly, as on a LAN. Deterministic
 * from its seed: each link and each NAT has random numbers of its own.
 */

#define WORLD_NODES_MAX	    512
#define WORLD_NAME_BYTES    32 /* with the final NUL */
#define WORLD_ADDRESSES_MAX NAT_EXTERNAL_MAX
#define WORLD_INTERNET	    0 /* its number */

enum world_kind { WORLD_HOST, WORLD_NAT };

/* What a router on a link can be told to drop. */
enum world_filter {
	WORLD_FILTER_UDP = 1,
	WORLD_FILTER_TCP = 2,
	WORLD_FILTER_ICMP = 4, /* all of it */
	WORLD_FILTER_FRAGMENTS = 8,
};

/* The link from a node to the one above it. */
struct world_link {
	struct link_config up, down;
	unsigned
		hops; /* routers on it, at most 32: each one takes a hop, and says when there are none left */
	struct endpoint
		routers[2]; /* IPv4, IPv6: the addresses of the routers are the ones behind these */
	unsigned mtu; /* bytes of the largest packet, but 1280 at least over IPv6; 0: any */
	bool mtu_silent; /* nobody is told what was too large: a black hole */
	unsigned filter; /* of enum world_filter */
	unsigned
		filter_hop; /* the router that drops them, counted from the node; 0: the last one */
	bool source_check; /* upward only sources that are the node's (BCP 38) */
};

struct world_prefix {
	struct endpoint address; /* FAMILY_NONE: there is none */
	uint8_t bits;
};

struct world_node {
	char name[WORLD_NAME_BYTES];
	enum world_kind kind;
	int up; /* number of the node above: the internet or a NAT */
	struct world_link link;
	struct endpoint addresses[WORLD_ADDRESSES_MAX]; /* of a host; of a NAT: nat.external */
	size_t address_count;
	struct nat_config nat;
	struct world_prefix inside[2]; /* of a NAT, IPv4 and IPv6: where the nodes below are */
};

struct world;

/* internet: its own addresses, IPv4 and IPv6. -ENOMEM. */
int world_create(uint64_t seed, const struct endpoint internet[2], struct world **out);
void world_destroy(struct world *w);

/*
 * The number of the new node, 1 or more. Negative, with one line in error, and nothing was added: -EINVAL (bad
 * addresses or NAT), -EEXIST (an address is taken), -ENOSPC, -ENOMEM.
 */
int world_add(struct world *w, const struct world_node *node, char *error, size_t size);

int world_count(const struct world *w); /* with the internet, whose node is all zeros */
const struct world_node *world_at(const struct world *w, int node);
struct nat *world_nat(struct world *w, int node); /* NULL: it is none */

/* Why a packet did not come to the end of a link, or no further than to it. */
enum world_lost {
	WORLD_LOST_LOSS,
	WORLD_LOST_QUEUE,
	WORLD_LOST_MTU,
	WORLD_LOST_TTL,
	WORLD_LOST_FILTER,
	WORLD_LOST_SOURCE, /* it was not the node's */
	WORLD_LOST_NO_ROUTE,
	WORLD_LOST_REASONS,
};
const char *world_lost_name(enum world_lost reason);
uint64_t world_lost_count(const struct world *w, enum world_lost reason);

/* What happens to packets. Of the internet nothing is told but what it loses. */
enum world_what { WORLD_SENT, WORLD_RECEIVED, WORLD_LOST };
struct world_event {
	uint64_t t_us;
	enum world_what what;
	int node; /* who sent or received it; of WORLD_LOST: on whose link */
	enum nat_side side; /* of a NAT: where; of a host and of a loss: NAT_OUTSIDE */
	/* WORLD_LOST: a name of enum world_lost; what a NAT received: why it dropped it, if it did; else NULL */
	const char *reason;
	const uint8_t *bytes;
	size_t length;
};
typedef void world_listener(void *context, const struct world_event *event);
void world_listen(struct world *w, world_listener *listener, void *context);

/* A packet that a host sends now; it is copied. It goes its way in world_poll. */
void world_input(struct world *w, uint64_t now_us, int host, const void *bytes, size_t length);

/* A packet that has arrived at a host; valid until the next call. */
struct world_arrival {
	int host;
	const uint8_t *bytes;
	size_t length;
};

/*
 * All that happens until now, up to the next packet that arrives at a host (true); false: nothing is left,
 * and *deadline_us is when to call again at the latest (UINT64_MAX: only after world_input).
 */
bool world_poll(struct world *w, uint64_t now_us, struct world_arrival *out, uint64_t *deadline_us);
