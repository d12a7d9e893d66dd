// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/endpoint.h"
#include "base/serverlist.h"

/*
 * Names to endpoints, each in a thread of its own that nobody waits for: a resolver that hangs cannot
 * stop the run. SRV records first (_stun-behavior._udp, then _stun._udp; RFC 5780 6.1, RFC 8489 8),
 * unless a port was given, then A and AAAA.
 */

#define RESOLVE_ADDRESSES 4

struct resolve_result {
	size_t query; /* the number that resolver_ask was given */
	int error; /* of getaddrinfo (gai_strerror); 0: at least one address */
	struct endpoint addresses[RESOLVE_ADDRESSES]; /* in the resolver's order, both families */
	size_t count;
};

struct resolver;

int resolver_create(struct resolver **out);
/* Threads that are still out finish by themselves; their results are lost. */
void resolver_destroy(struct resolver *r);

/* Readable when a result waits. */
int resolver_fd(const struct resolver *r);

/* Starts to resolve. 0 or a negative errno. */
int resolver_ask(struct resolver *r, size_t query, const struct server_spec *spec);

/* Takes one result: 0, or -EAGAIN. */
int resolver_take(struct resolver *r, struct resolve_result *out);
