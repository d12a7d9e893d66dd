// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "judge/pair_private.h"

/*
 * Both sides send to the endpoint from which the server hears the other. What has to be planned is the order of
 * the first packets: a NAT that takes an early packet for itself gives the flow to that peer another port.
 */

#define GAP_US	      100000u /* between two packets */
#define ONE_WAY_US    150000u /* a packet is on its way no longer than this */
#define MARGIN_US     200000u
#define PHASE_UNKNOWN 1600000u /* when it is not known how far off the sides begin */
#define PHASE_CHEAP   500000u /* so long may somebody wait without need */
#define PHASE_MAX     10000000u
#define TTL_TRIES     3

/*
 * Estimates, in millionths. In the field 70 % of 4.4 million attempts between known endpoints succeeded, without
 * anything known about the NATs (Trautwein et al. 2025); in the laboratory all, when the facts are right.
 */
#define CHANCE_OPEN	  990000
#define CHANCE_DIRECT	  970000
#define CHANCE_ORDERED	  950000
#define CHANCE_CALIBRATED 930000 /* low TTL from the measured depth */
#define CHANCE_UNORDERED  800000 /* nothing known of what early packets do */
#define CHANCE_SILENT	  500000 /* that the NAT of which nothing is known does nothing */
#define CHANCE_AGAIN	  250000 /* something else although the facts do not ask for it */
#define CHANCE_MAPPED	  900000 /* the NAT has to answer from where it was asked */
static const uint32_t chance_of_ttl[TTL_TRIES] = {800000, 500000, 300000};

uint32_t pair_phase_us(const struct pair_case *c)
{
	uint64_t a = c->face[0].side->sync_error_us, b = c->face[1].side->sync_error_us;
	uint64_t phase = a + b + ONE_WAY_US + MARGIN_US;

	if ((!a || !b) && phase < PHASE_UNKNOWN)
		phase = PHASE_UNKNOWN;
	return phase > PHASE_MAX ? PHASE_MAX : (uint32_t)phase;
}

/*
 * One more than what opens the own NATs; if that has failed, no more than that, as the peer may be near. When it
 * is not known: enough for one NAT, for two with a router between, and for a carrier's network.
 */
uint8_t pair_low_ttl(const struct pair_face *f, int number)
{
	static const uint8_t otherwise[TTL_TRIES] = {3, 5, 8};

	if (!f->depth)
		return otherwise[number % TTL_TRIES];
	return (uint8_t)(f->depth + (number % 2 ? 0 : 1));
}

/* Whether this side has to send before the peer's first packet arrives. */
static enum tri comes_first(const struct pair_face *me, const struct pair_face *peer)
{
	/* a peer that lets in any port of this address can do with the other port … */
	if (peer->in == PAIR_IN_ENDPOINT)
		return me->moves;
	/* … unless this side has to receive first to learn the peer's port */
	return peer->in == PAIR_IN_ADDRESS && peer->dependent != TRI_NO ? me->moves : TRI_NO;
}

static struct pair_plan *add(struct pair_case *c, enum pair_strategy strategy, uint32_t chance,
	uint32_t us, const char *why)
{
	struct pair_plan *p = pair_add(c, strategy, chance, why);

	if (!p)
		return NULL;
	p->give_up_us = us;
	for (int i = 0; i < 2; i++)
		pair_role_known(&p->role[i], 1, us / GAP_US);
	return p;
}

/* A side, with one endpoint for all peers or with any mapping, that lets in so much. */
static bool some_side_lets_in(const struct pair_case *c, enum pair_lets_in in, bool any_mapping)
{
	for (int i = 0; i < 2; i++)
		if (c->face[i].in == in && (any_mapping || c->face[i].dependent == TRI_NO))
			return true;
	return false;
}

static bool both_mappings_known(const struct pair_case *c)
{
	return c->face[0].dependent == TRI_NO && c->face[1].dependent == TRI_NO;
}

/* What makes it work, the surest first; unordered: early packets may do harm. */
static void add_direct(struct pair_case *c, bool unordered)
{
	uint32_t chance = CHANCE_DIRECT;
	const char *why =
		"both have one external endpoint for all peers, and what arrives too early does "
		"no harm, so both send at once";

	if (some_side_lets_in(c, PAIR_IN_ANY, false)) {
		chance = CHANCE_OPEN;
		why = "one side lets in anybody at its external endpoint, so it is enough that the "
		      "other sends there";
	} else if (some_side_lets_in(c, PAIR_IN_ANY, true)) {
		chance = CHANCE_MAPPED;
		why = "one side lets in anybody at the external endpoint that the server sees, "
		      "whatever endpoint others would see";
	} else if (some_side_lets_in(c, PAIR_IN_ADDRESS, false)) {
		why = "one side lets in all ports of an address that it has sent to, so the other "
		      "side's port need not be known";
	} else if (unordered || !both_mappings_known(c)) {
		chance = unordered ? CHANCE_UNORDERED : CHANCE_DIRECT;
		why = "nothing is known that forbids it, and it costs least: both send at once to "
		      "the endpoint that the server sees";
	}
	add(c, PAIR_DIRECT, chance, PAIR_TRY_US + pair_phase_us(c), why);
}

static void add_ordered(struct pair_case *c, int first, uint32_t chance)
{
	struct pair_plan *p = add(c, PAIR_ORDERED, chance, PAIR_TRY_US + PAIR_TOLD_US,
		c->face[first].moves == TRI_YES
			? "a packet that arrives too early would move one side's external port, so "
			  "that side sends first and the other waits until it has"
			: "a packet that arrives too early may move one side's external port, so "
			  "that side sends first and the other waits until it has");

	if (p)
		p->role[!first].second = true;
}

static int ttl_tries(const struct pair_case *c)
{
	return c->face[0].depth && c->face[1].depth ? 2 : TTL_TRIES;
}

static uint32_t ttl_chance(const struct pair_case *c, int number)
{
	bool known = ttl_tries(c) == 2;

	if (known)
		return number ? CHANCE_AGAIN : CHANCE_CALIBRATED;
	return chance_of_ttl[number];
}

/* The second try is also longer: the first may have been shorter than the sides were apart. */
static void add_low_ttl(struct pair_case *c, int number, uint32_t chance)
{
	uint32_t phase = pair_phase_us(c);
	struct pair_plan *p;

	if (number >= ttl_tries(c))
		return;
	if (number && phase < PHASE_UNKNOWN)
		phase = PHASE_UNKNOWN;
	p = add(c, PAIR_LOW_TTL, chance, PAIR_TRY_US + phase,
		"packets that arrive too early may do harm on either side, so both begin with "
		"packets that open the own NAT and end before the peer's");
	for (int i = 0; p && i < 2; i++) {
		p->role[i].low_ttl = pair_low_ttl(&c->face[i], number);
		p->role[i].low_ttl_us = phase;
	}
}

/* Both would have to be first, or it is not known. */
static void meet_apart(struct pair_case *c, const enum tri first[2])
{
	bool unknown = first[0] == TRI_UNKNOWN && first[1] == TRI_UNKNOWN;

	if (unknown && pair_phase_us(c) > PHASE_CHEAP)
		add_direct(c, true);
	add_low_ttl(c, 0, ttl_chance(c, 0));
	if (!unknown && first[0] != first[1]) /* the unknown one may well be silent */
		add_ordered(c, first[1] == TRI_YES, CHANCE_SILENT);
	for (int i = 1; i < TTL_TRIES; i++)
		add_low_ttl(c, i, ttl_chance(c, i));
}

/* The order does not matter: the alternatives are for facts that are wrong, or boxes that punish a packet. */
static void meet_at_once(struct pair_case *c)
{
	const struct pair_face *a = &c->face[0], *b = &c->face[1];

	add_direct(c, false);
	if ((a->moves == TRI_NO) != (b->moves == TRI_NO))
		add_ordered(c, a->moves == TRI_NO, CHANCE_AGAIN);
	if (!some_side_lets_in(c, PAIR_IN_ANY, true) && a->dependent != TRI_YES &&
		b->dependent != TRI_YES)
		add_low_ttl(c, 0, CHANCE_AGAIN);
}

void pair_meet(struct pair_case *c, size_t limit)
{
	enum tri first[2] = {
		comes_first(&c->face[0], &c->face[1]), comes_first(&c->face[1], &c->face[0])};

	if (first[0] == TRI_NO && first[1] == TRI_NO) {
		meet_at_once(c);
	} else if (first[0] == TRI_NO || first[1] == TRI_NO) {
		add_ordered(c, first[0] == TRI_NO, CHANCE_ORDERED);
		for (int i = 0; i < 2; i++)
			add_low_ttl(c, i, CHANCE_AGAIN);
	} else {
		meet_apart(c, first);
	}
	if (c->out->count > limit)
		c->out->count = limit;
}
