// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lab/world.h"

/*
 * What a network looks like, as text and as nodes. One statement a line, "#" begins a comment:
 *
 *	families 4,6
 *	link delay=10ms loss=1%              what the links of the nodes below have unless they say otherwise
 *	nat isp kind=cgnat hops=3
 *	nat home kind=linux-accept behind=isp udp.one-way=30s
 *	host alice behind=home delay=1ms
 *	host server address=198.51.100.10,203.0.113.10
 *
 * A node without "behind" is on the internet; hosts have names of their own, and so have NATs. Addresses that are
 * not given are chosen by topology_complete.
 */

#define TOPOLOGY_TEXT_MAX 65536 /* bytes of a text at most */
#define TOPOLOGY_KIND_MAX 32

struct topology_node {
	struct world_node
		node; /* .up: number of a topology node, counted from 1; 0: the internet */
	char kind[TOPOLOGY_KIND_MAX]; /* of a NAT: its name; "" of a host */
	bool carrier; /* of a NAT: what is inside is RFC 6598's */
};

struct topology;

int topology_create(struct topology **out); /* -ENOMEM */
void topology_destroy(struct topology *t);

/* Reads statements, which are added to what is there. -EINVAL, with "line N: …" in error; -ENOMEM. */
int topology_read(struct topology *t, const char *text, size_t length, char *error, size_t size);

/* One of the topologies that come with natlab. */
struct topology_builtin {
	const char *name, *help, *text;
};
/* NULL name at the end. */
const struct topology_builtin *topology_builtins(void);

/*
 * "NAME=KIND[,PROPERTY=VALUE]…": the NAT of this name becomes one of this kind; if there is none and `add` says
 * so, one is made on the internet, and a host of the same name behind it. -EINVAL with one line in error.
 */
int topology_set_nat(struct topology *t, const char *text, bool add, char *error, size_t size);

/* "PROPERTY=VALUE[,…]" for the link above each NAT. -EINVAL with one line in error. */
int topology_set_links(struct topology *t, const char *text, char *error, size_t size);

/* Only this family from now on. */
void topology_set_family(struct topology *t, enum family family);

/* Chooses the addresses that are missing. -EINVAL with one line in error: there are none left. */
int topology_complete(struct topology *t, char *error, size_t size);

/* The network; nodes have the numbers of world_add, in this order. Negative with one line in error. */
int topology_build(
	const struct topology *t, uint64_t seed, struct world **out, char *error, size_t size);

/* Nodes have the numbers 1 to count. */
int topology_count(const struct topology *t);
const struct topology_node *topology_at(const struct topology *t, int number);
/* The number of a host or NAT by its name; 0: none. */
int topology_find(const struct topology *t, enum world_kind kind, const char *name);

/* All properties of links with their values in words, one a line. */
const char *topology_link_properties(void);
