// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "judge/plan.h"

_Static_assert(PAIR_PLANS <= PLANS_MAX && PAIR_TCP_PLANS <= PLANS_MAX, "room for all plans");

static void copy_texts(
	const char why[PAIR_TEXT], const char cost[PAIR_TEXT], double chance, struct plan *out)
{
	memcpy(out->why, why, PAIR_TEXT);
	memcpy(out->cost, cost, PAIR_TEXT);
	out->chance = chance;
}

void plans_from_udp(const struct pair_advice *advice, struct plans *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->why_not, advice->why_not, sizeof(out->why_not));
	for (; out->count < advice->count; out->count++) {
		const struct pair_plan *p = &advice->plans[out->count];
		struct plan *to = &out->plan[out->count];

		to->strategy = pair_strategy_name(p->strategy);
		to->guesses = p->strategy >= PAIR_PREDICTION;
		to->direct =
			p->strategy == PAIR_DIRECT && !p->role[0].low_ttl && !p->role[1].low_ttl;
		memcpy(to->role, p->role, sizeof(to->role));
		to->rate = p->rate_pps;
		to->give_up_us = p->give_up_us;
		copy_texts(p->why, p->cost, p->chance, to);
	}
}

void plans_from_tcp(const struct pair_tcp_advice *advice, struct plans *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->why_not, advice->why_not, sizeof(out->why_not));
	for (; out->count < advice->count; out->count++) {
		const struct pair_tcp_plan *p = &advice->plans[out->count];
		struct plan *to = &out->plan[out->count];

		to->strategy = pair_tcp_strategy_name(p->strategy);
		to->guesses = p->strategy >= PAIR_TCP_PREDICTION;
		to->direct = p->strategy == PAIR_TCP_DIRECT || p->strategy == PAIR_TCP_SIMULTANEOUS;
		to->role[0] = p->role[0].aim;
		to->role[1] = p->role[1].aim;
		to->rate = p->rate_cps;
		to->give_up_us = p->give_up_us;
		copy_texts(p->why, p->cost, p->chance, to);
	}
}

double plans_chance(const struct plans *p)
{
	double missed = 1;

	for (size_t i = 0; i < p->count; i++)
		missed *= 1 - p->plan[i].chance;
	return 1 - missed;
}

bool plans_guess(const struct plans *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->plan[i].guesses)
			return true;
	return false;
}
