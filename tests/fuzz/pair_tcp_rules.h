// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/pair_tcp.h"
#include "pair_rules.h"

/* What holds for all advice for TCP, whatever the sides; shared by the unit tests and the fuzz target. */

static inline unsigned rule_connections(const struct pair_role *aim)
{
	return aim->targets == PAIR_KNOWN ? aim->sockets * aim->guesses : aim->guesses;
}

static inline unsigned rule_rate(const struct pair_tcp_side sides[2])
{
	unsigned a = rule_budget(sides[0].rate_cps, 100), b = rule_budget(sides[1].rate_cps, 100);

	return a < b ? a : b;
}

static inline const char *rule_broken_by_listener(const struct pair_tcp_role *r)
{
	RULE(r->listens && !r->aside && !r->retry_high_us);
	RULE(r->aim.sockets == 1 && r->aim.entries == 1 && r->aim.targets == PAIR_KNOWN);
	RULE(!r->aim.guesses && !r->aim.packets && !r->aim.second);
	return NULL;
}

static inline const char *rule_broken_by_retry(
	const struct pair_tcp_role *r, uint32_t us, unsigned rate)
{
	uint64_t mean_us = ((uint64_t)r->retry_low_us + r->retry_high_us) / 2;

	RULE(r->retry_low_us && r->retry_low_us < r->retry_high_us);
	RULE(r->aim.sockets == 1 && r->aim.guesses == 1);
	RULE(mean_us * rate >= 1000000);
	RULE(r->aim.packets >= 2 && r->aim.packets <= 1 + us / mean_us);
	return NULL;
}

static inline const char *rule_broken_by_tcp_role(
	const struct pair_tcp_role *r, const struct pair_tcp_side *s)
{
	RULE(r->aim.sockets && rule_connections(&r->aim) >= r->aim.sockets);
	RULE(rule_connections(&r->aim) <= rule_budget(s->connections_max, 512));
	RULE(r->aim.entries && r->aim.entries <= rule_connections(&r->aim));
	RULE(!r->aim.low_ttl_us);
	RULE(!r->aim.low_ttl || r->aim.low_ttl <= PAIR_DEPTH_MAX + 1);
	RULE((!r->aim.low_ttl && !r->unheeding) || (!r->aim.second && r->retry_high_us));
	RULE(!r->aim.low_ttl || !r->unheeding);
	RULE(r->retry_high_us || r->aim.packets == rule_connections(&r->aim));
	RULE(!r->aside || (r->listens && r->aim.targets == PAIR_KNOWN));
	RULE(r->listens || s->filtering == DEPENDENCE_ADDRESS_AND_PORT ||
		s->filtering == DEPENDENCE_PORT);
	return rule_broken_by_targets(&r->aim);
}

static inline const char *rule_broken_by_kind(const struct pair_tcp_plan *p)
{
	const struct pair_tcp_role *a = &p->role[0], *b = &p->role[1];
	bool one = a->aim.targets == PAIR_KNOWN && a->aim.sockets == 1 &&
		b->aim.targets == PAIR_KNOWN && b->aim.sockets == 1;
	bool second = a->aim.second || b->aim.second;

	RULE((p->strategy == PAIR_TCP_DIRECT) == (a->connects != b->connects));
	RULE(a->connects || b->connects);
	switch (p->strategy) {
	case PAIR_TCP_SIMULTANEOUS:
		RULE(one && !second && !a->retry_high_us && !b->retry_high_us);
		break;
	case PAIR_TCP_ORDERED:
		RULE(one && second);
		return NULL;
	case PAIR_TCP_JITTERED:
		RULE(one && !second && a->retry_high_us && b->retry_high_us);
		break;
	case PAIR_TCP_DIRECT:
		RULE(one && !second);
		break;
	default: /* of the others, one may have a single socket in a plan of few ports */
		RULE(a->aim.targets != PAIR_KNOWN || b->aim.targets != PAIR_KNOWN);
		RULE(!a->retry_high_us && !b->retry_high_us);
	}
	RULE(!a->aim.low_ttl && !b->aim.low_ttl && !a->unheeding && !b->unheeding);
	return NULL;
}

static inline const char *rule_broken_by_tcp_plan(
	const struct pair_tcp_plan *p, const struct pair_tcp_side sides[2])
{
	RULE((unsigned)p->strategy < PAIR_TCP_STRATEGIES);
	RULE(p->chance > 0 && p->chance < 1);
	RULE(p->give_up_us >= 1000000 && p->give_up_us <= PAIR_MAX_US);
	RULE(p->why[0] && rule_text_ends(p->why) && rule_text_ends(p->cost));
	RULE(!p->role[0].aim.second || !p->role[1].aim.second);
	RULE(p->rate_cps <= rule_rate(sides));
	for (int i = 0; i < 2; i++) {
		const struct pair_tcp_role *r = &p->role[i];
		const char *broken = r->connects ? rule_broken_by_tcp_role(r, &sides[i])
						 : rule_broken_by_listener(r);

		if (!broken && r->retry_high_us)
			broken = rule_broken_by_retry(r, p->give_up_us, rule_rate(sides));
		if (broken)
			return broken;
		RULE(r->aim.entries <= 100 || p->cost[0]);
		RULE(r->aim.guesses <= 32 || p->rate_cps);
	}
	return rule_broken_by_kind(p);
}

static inline bool rule_same_tcp_role(const struct pair_tcp_role *a, const struct pair_tcp_role *b)
{
	return a->connects == b->connects && a->listens == b->listens && a->aside == b->aside &&
		a->unheeding == b->unheeding && a->retry_low_us == b->retry_low_us &&
		a->retry_high_us == b->retry_high_us && rule_same_role(&a->aim, &b->aim);
}

/* The same but for fresh sockets: nothing else to try. */
static inline bool rule_repeats_tcp(const struct pair_tcp_plan *a, const struct pair_tcp_plan *b)
{
	struct pair_tcp_role role[2] = {b->role[0], b->role[1]};

	role[0].aim.fresh = a->role[0].aim.fresh;
	role[1].aim.fresh = a->role[1].aim.fresh;
	return a->strategy == b->strategy && rule_same_tcp_role(&a->role[0], &role[0]) &&
		rule_same_tcp_role(&a->role[1], &role[1]);
}

/* NULL, or the rule that is broken. */
static inline const char *rule_broken_by_tcp(
	const struct pair_tcp_advice *a, const struct pair_tcp_side sides[2])
{
	RULE(a->count <= PAIR_TCP_PLANS);
	RULE(!a->count == !!a->why_not[0] && rule_text_ends(a->why_not));
	RULE(!a->count || (sides[0].status != PATH_BLOCKED && sides[1].status != PATH_BLOCKED));
	for (size_t i = 0; i < a->count; i++) {
		const char *broken = rule_broken_by_tcp_plan(&a->plans[i], sides);

		if (broken)
			return broken;
		for (size_t k = 0; k < i; k++)
			RULE(!rule_repeats_tcp(&a->plans[i], &a->plans[k]));
	}
	return NULL;
}

static inline bool rule_same_tcp_side(const struct pair_tcp_side *a, const struct pair_tcp_side *b)
{
	return a->status == b->status && a->nat == b->nat && a->mapping == b->mapping &&
		a->filtering == b->filtering && a->allocation == b->allocation &&
		a->step == b->step && a->low == b->low && a->high == b->high &&
		a->preservation == b->preservation && a->early == b->early &&
		a->simultaneous == b->simultaneous && a->sync_error_us == b->sync_error_us &&
		a->connections_max == b->connections_max && a->rate_cps == b->rate_cps;
}

/* NULL, or what exchanged sides have not exchanged; a for sides, b for the same ones exchanged. */
static inline const char *rule_broken_by_tcp_mirror(
	const struct pair_tcp_advice *a, const struct pair_tcp_advice *b, bool same_sides)
{
	RULE(a->count == b->count);
	RULE(!strcmp(a->why_not, b->why_not));
	for (size_t i = 0; i < a->count; i++) {
		const struct pair_tcp_plan *p = &a->plans[i], *q = &b->plans[i];

		RULE(p->strategy == q->strategy && p->rate_cps == q->rate_cps);
		RULE(p->give_up_us == q->give_up_us);
		RULE(!memcmp(&p->chance, &q->chance, sizeof(p->chance)));
		RULE(!strcmp(p->why, q->why) && !strcmp(p->cost, q->cost));
		RULE(rule_same_tcp_role(&p->role[0], &q->role[!same_sides]));
		RULE(rule_same_tcp_role(&p->role[1], &q->role[same_sides]));
	}
	return NULL;
}
