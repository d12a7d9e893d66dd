// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>

#include "judge/pair_private.h"

#define PACKETS_MANY 300
#define ENTRIES_MANY 100 /* home routers have room for some thousands */

const char *pair_strategy_name(enum pair_strategy s)
{
	switch (s) {
	case PAIR_DIRECT:
		return "direct";
	case PAIR_ORDERED:
		return "ordered";
	case PAIR_LOW_TTL:
		return "low-ttl";
	case PAIR_PREDICTION:
		return "prediction";
	case PAIR_BIRTHDAY:
		return "birthday";
	case PAIR_BOTH_HARD:
		return "both-hard";
	case PAIR_STRATEGIES:
		break;
	}
	return "unknown";
}

static void text_of_chance(double chance, char *out, size_t size)
{
	unsigned percent = (unsigned)(chance * 100 + 0.5);

	if (percent >= 100)
		snprintf(out, size, "over 99 %%");
	else if (percent < 1)
		snprintf(out, size, "under 1 %%");
	else
		snprintf(out, size, "%u %%", percent);
}

/* To two digits. */
static unsigned roughly(unsigned number)
{
	unsigned unit = 1;

	while (number / unit >= 100)
		unit *= 10;
	return (number + unit / 2) / unit * unit;
}

static void text_of_time(unsigned packets, unsigned rate, char *out, size_t size)
{
	uint64_t s = rate ? ((uint64_t)packets + rate / 2) / rate : 0;

	if (s >= 120)
		snprintf(out, size, "%llu minutes", (unsigned long long)((s + 30) / 60));
	else
		snprintf(out, size, "%llu s", (unsigned long long)(s ? s : 1));
}

/* Who guesses, with what: one side guesses for the other's sockets, or both for themselves. */
static void text_of_roles(const struct pair_costs *c, char *out, size_t size)
{
	const struct pair_role *a = c->role[0], *b = c->role[1];

	if (a->targets == PAIR_KNOWN || b->targets == PAIR_KNOWN) {
		snprintf(out, size, "%u %s x %u %s",
			a->targets == PAIR_KNOWN ? a->sockets : b->sockets, c->sockets,
			a->targets == PAIR_KNOWN ? b->guesses : a->guesses, c->guesses);
		return;
	}
	if (a->sockets == b->sockets && a->guesses == b->guesses)
		snprintf(out, size, "%u %s from %u %s on each side", a->guesses, c->guesses,
			a->sockets, c->sockets);
	else
		snprintf(out, size, "%u %s from %u %s and %u from %u", a->guesses, c->guesses,
			a->sockets, c->sockets, b->guesses, b->sockets);
}

void pair_costs_text(const struct pair_costs *c, char out[PAIR_TEXT])
{
	const struct pair_role *a = c->role[0], *b = c->role[1];
	unsigned guesses = a->guesses > b->guesses ? a->guesses : b->guesses;
	char roles[80], chance[16], duration[32];

	out[0] = '\0';
	if (a->packets <= PACKETS_MANY && b->packets <= PACKETS_MANY &&
		a->entries <= ENTRIES_MANY && b->entries <= ENTRIES_MANY)
		return;
	text_of_roles(c, roles, sizeof(roles));
	text_of_chance(c->chance, chance, sizeof(chance));
	text_of_time(guesses, c->rate_pps, duration, sizeof(duration));
	snprintf(out, PAIR_TEXT, "%s, %s, %s, about %s, about %u entries in the routers", c->name,
		roles, chance, duration, roughly(a->entries + b->entries));
}

void pair_cost(struct pair_plan *p)
{
	struct pair_costs costs = {.name = pair_strategy_name(p->strategy),
		.sockets = "sockets",
		.guesses = "probes",
		.role = {&p->role[0], &p->role[1]},
		.chance = p->chance,
		.rate_pps = p->rate_pps};

	pair_costs_text(&costs, p->cost);
}
