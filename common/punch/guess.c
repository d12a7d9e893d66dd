// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "punch/guess.h"

static uint32_t band_size(const struct pair_role *role)
{
	return role->high >= role->low ? (uint32_t)(role->high - role->low) + 1 : 1;
}

/* A permutation of the band: start and stride, without common divisors with its size. */
static void permute(struct guess *g, uint32_t size, struct random *random)
{
	uint32_t a, b;

	g->start = random_below(random, size);
	do {
		g->stride = 1 + random_below(random, size);
		for (a = g->stride, b = size; b; a ^= b, b ^= a, a ^= b)
			a %= b;
	} while (a != 1);
}

void guess_init(struct guess *g, const struct pair_role *role, struct random *random)
{
	*g = (struct guess){.role = role};
	if (role->targets == PAIR_BAND)
		permute(g, band_size(role), random);
}

/* None twice from one socket: each goes through the whole band, from a place of its own on. */
static uint16_t band_port(const struct guess *g, unsigned number)
{
	const struct pair_role *role = g->role;
	uint32_t size = band_size(role), sockets = role->sockets ? role->sockets : 1;
	uint64_t place = g->start + (uint64_t)(size / sockets) * pair_socket(role, number) +
		(uint64_t)(number / sockets) * g->stride;

	return (uint16_t)(role->low + place % size);
}

struct endpoint guess_endpoint(
	const struct guess *g, const struct checks_target *target, unsigned number)
{
	struct endpoint e = target->peer;

	if (g->role->targets == PAIR_BAND)
		e.port = band_port(g, number);
	else if (g->role->targets != PAIR_PRESERVED)
		e.port = pair_sequence_port(g->role, target->latest, number);
	else if (target->port_count)
		e.port = target->ports[pair_place(g->role, number) % target->port_count];
	return e;
}
