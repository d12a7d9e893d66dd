// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "judge/pair_tcp_private.h"

/* Which strategies two sides have over TCP, and in which order. */

#define CONNECTIONS_DEFAULT 512 /* fits below the usual limit of 1024 open files */
#define LATE_US		    6000000u /* RFC 5382 REQ-4 */
#define ONE_WAY_US	    20000u /* a SYN is on its way at least so long, mostly */

/*
 * Estimates, in millionths. RFC 5382 asks for simultaneous open, and Linux has it. A NAT that does not let it pass
 * may still let in the answer to its own SYN, as Linux does with a rule against SYNs from outside.
 */
#define TRUST_PASSES_UNKNOWN 900000
#define TRUST_STRICT	     600000
#define TRUST_EARLY_UNKNOWN  900000
#define CHANCE_CROSSING	     300000
#define CHANCE_SYNCHRONOUS   600000

/* --- parts of plans --- */

uint32_t pair_tcp_times(uint32_t a, uint32_t b)
{
	return (uint32_t)((uint64_t)a * b / PAIR_MILLION);
}

struct pair_tcp_plan *pair_tcp_add(
	struct pair_tcp_case *c, enum pair_tcp_strategy strategy, uint32_t chance, const char *why)
{
	struct pair_tcp_plan *p = &c->out->plans[c->out->count];

	if (c->out->count == PAIR_TCP_PLANS)
		return NULL;
	c->out->count++;
	p->strategy = strategy;
	p->chance = (double)chance / PAIR_MILLION;
	snprintf(p->why, sizeof(p->why), "%s", why);
	for (int i = 0; i < 2; i++) {
		p->role[i].connects = true;
		p->role[i].listens = c->face[i].listens;
		pair_role_known(&p->role[i].aim, 1, 1);
	}
	return p;
}

uint32_t pair_tcp_crossing(const struct pair_tcp_case *c)
{
	uint64_t a = c->side[0].sync_error_us, b = c->side[1].sync_error_us;

	return a && b && a + b <= ONE_WAY_US ? CHANCE_SYNCHRONOUS : CHANCE_CROSSING;
}

/* --- what the facts come to --- */

/* Early packets aside: what they do is of another kind here. */
static void as_over_udp(const struct pair_tcp_side *s, struct pair_side *out)
{
	bool keeps = s->preservation == SHARE_ALWAYS || s->preservation == SHARE_SOMETIMES;

	*out = (struct pair_side){.status = s->status,
		.nat = s->nat,
		.mapping = s->mapping,
		.filtering = s->filtering,
		.early = EARLY_SILENT,
		.allocation = s->allocation == ALLOCATION_UNKNOWN && keeps ? ALLOCATION_PRESERVING
									   : s->allocation,
		.step = s->step,
		.low = s->low,
		.high = s->high,
		.sync_error_us = s->sync_error_us,
		.rate_pps = s->rate_cps};
	out->sockets_max = s->connections_max ? s->connections_max : CONNECTIONS_DEFAULT;
	out->packets_max = out->sockets_max;
}

static enum tri comes_first(const struct pair_tcp_case *c, int i, enum early_syn early)
{
	if (c->udp.face[i].in == PAIR_IN_ANY) /* nothing is too early */
		return TRI_NO;
	switch (early) {
	case EARLY_SYN_UNKNOWN:
		return TRI_UNKNOWN;
	case EARLY_SYN_SILENT:
		return TRI_NO;
	case EARLY_SYN_LATE: /* by then the other has begun */
		return pair_phase_us(&c->udp) < LATE_US ? TRI_NO : TRI_YES;
	case EARLY_SYN_RST:
	case EARLY_SYN_ICMP:
	case EARLY_SYN_REMAP:
		break;
	}
	return TRI_YES;
}

static enum pair_tcp_order order_of(const struct pair_tcp_face face[2])
{
	enum tri a = face[0].first, b = face[1].first;

	if (face[0].strict && face[1].strict)
		return PAIR_TCP_NO_ORDER;
	/* the strict side's SYN has to be the one that gets through, so the other has to have opened */
	if (face[0].strict)
		return a == TRI_YES ? PAIR_TCP_CROSS : PAIR_TCP_FIRST_1;
	if (face[1].strict)
		return b == TRI_YES ? PAIR_TCP_CROSS : PAIR_TCP_FIRST_0;
	if (a == b && a == TRI_UNKNOWN)
		return PAIR_TCP_UNSURE;
	if (a == b)
		return a == TRI_NO ? PAIR_TCP_ANY_ORDER : PAIR_TCP_CROSS;
	return a == TRI_YES || b == TRI_NO ? PAIR_TCP_FIRST_0 : PAIR_TCP_FIRST_1;
}

static uint32_t trust_of(const struct pair_tcp_side sides[2], const struct pair_tcp_face face[2])
{
	uint32_t trust = PAIR_MILLION;

	if (face[0].strict || face[1].strict)
		trust = TRUST_STRICT;
	else if (sides[0].simultaneous != TRI_YES || sides[1].simultaneous != TRI_YES)
		trust = TRUST_PASSES_UNKNOWN;
	if (face[0].first == TRI_UNKNOWN || face[1].first == TRI_UNKNOWN)
		trust = pair_tcp_times(trust, TRUST_EARLY_UNKNOWN);
	return trust;
}

static void prepare(const struct pair_tcp_side sides[2], struct pair_tcp_case *c)
{
	for (int i = 0; i < 2; i++) {
		as_over_udp(&sides[i], &c->side[i]);
		pair_face_of(&c->side[i], &c->udp.face[i]);
	}
	for (int i = 0; i < 2; i++) {
		const struct pair_face *f = &c->udp.face[i];

		c->face[i] = (struct pair_tcp_face){.first = comes_first(c, i, sides[i].early),
			.strict = sides[i].simultaneous == TRI_NO,
			.listens = f->in != PAIR_IN_ENDPOINT ||
				sides[i].filtering == DEPENDENCE_UNKNOWN};
		c->face[i].remaps =
			sides[i].early == EARLY_SYN_REMAP && c->face[i].first == TRI_YES;
		c->face[i].by_icmp =
			sides[i].early == EARLY_SYN_ICMP || sides[i].early == EARLY_SYN_LATE;
	}
	c->order = order_of(c->face);
	c->trust = trust_of(sides, c->face);
}

/* --- the plans --- */

static bool is_nothing_left(struct pair_tcp_case *c)
{
	int blocked = 0, unheard = 0;
	const char *why = "";

	for (int i = 0; i < 2; i++) {
		blocked += c->side[i].status == PATH_BLOCKED;
		unheard += c->side[i].status == PATH_UNREACHABLE;
	}
	if (blocked == 2)
		why = "TCP is blocked on both sides: UDP, or a relay, is left";
	else if (blocked)
		why = "TCP is blocked on one side: UDP, or a relay, is left";
	else if (unheard == 2)
		why = "no server has answered either side over TCP, so there is no endpoint to "
		      "connect to: UDP, or a relay, is left";
	snprintf(c->out->why_not, sizeof(c->out->why_not), "%s", why);
	return why[0];
}

/* The plans for UDP say what has to be guessed, and how sure it is that nothing has to be. */
static void plan(struct pair_tcp_case *c)
{
	struct pair_advice udp;

	pair_advise(c->side, &udp);
	for (size_t i = 0; i < udp.count; i++) {
		const struct pair_plan *p = &udp.plans[i];

		if (p->strategy >= PAIR_PREDICTION)
			pair_tcp_guess(c, p);
		else if (!i) /* those that follow differ in what early packets do */
			pair_tcp_meet(c, (uint32_t)(p->chance * PAIR_MILLION + 0.5));
	}
	if (!c->out->count)
		pair_tcp_say_why_not(c);
}

/* A port may have been taken for an early SYN of the plan before. */
static bool is_spoilt(const struct pair_tcp_case *c, int side)
{
	const struct pair_tcp_face *f = &c->face[side];

	return f->remaps || f->first == TRI_UNKNOWN || c->order == PAIR_TCP_CROSS;
}

static void finish(struct pair_tcp_case *c)
{
	for (size_t i = 0; i < c->out->count; i++) {
		struct pair_tcp_plan *p = &c->out->plans[i];
		struct pair_costs costs = {.name = pair_tcp_strategy_name(p->strategy),
			.sockets = "ports",
			.guesses = "candidates",
			.role = {&p->role[0].aim, &p->role[1].aim},
			.chance = p->chance,
			.rate_pps = p->rate_cps};

		for (int k = 0; k < 2; k++)
			p->role[k].aim.fresh = i && is_spoilt(c, k);
		pair_costs_text(&costs, p->cost);
	}
}

static void exchange_roles(struct pair_tcp_advice *a)
{
	for (size_t i = 0; i < a->count; i++) {
		struct pair_tcp_role first = a->plans[i].role[0];

		a->plans[i].role[0] = a->plans[i].role[1];
		a->plans[i].role[1] = first;
	}
}

void pair_tcp_advise(
	const struct pair_tcp_side sides[2], enum family family, struct pair_tcp_advice *out)
{
	/* Linux compares IP_MINTTL with the TTL of what an ICMP error quotes; IPV6_MINHOPCOUNT is of the error itself */
	struct pair_tcp_case c = {.out = out, .hides = family == FAMILY_IPV4};
	struct pair_tcp_side own[2];
	bool exchanged;

	memset(out, 0, sizeof(*out));
	pair_tcp_side_clamp(&sides[0], &own[0]);
	pair_tcp_side_clamp(&sides[1], &own[1]);
	exchanged = pair_tcp_side_compare(&own[0], &own[1]) > 0;
	if (exchanged) {
		struct pair_tcp_side first = own[0];

		own[0] = own[1];
		own[1] = first;
	}
	prepare(own, &c);
	if (!is_nothing_left(&c))
		plan(&c);
	finish(&c);
	if (exchanged)
		exchange_roles(out);
}

const char *pair_tcp_strategy_name(enum pair_tcp_strategy s)
{
	switch (s) {
	case PAIR_TCP_DIRECT:
		return "direct";
	case PAIR_TCP_SIMULTANEOUS:
		return "simultaneous";
	case PAIR_TCP_ORDERED:
		return "ordered";
	case PAIR_TCP_JITTERED:
		return "jittered";
	case PAIR_TCP_PREDICTION:
		return "prediction";
	case PAIR_TCP_BAND:
		return "band";
	case PAIR_TCP_BIRTHDAY:
		return "birthday";
	case PAIR_TCP_BOTH_HARD:
		return "both-hard";
	case PAIR_TCP_STRATEGIES:
		break;
	}
	return "unknown";
}
