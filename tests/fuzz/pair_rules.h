// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <string.h>

#include "judge/pair.h"

/* What holds for all advice, whatever the sides; shared by the unit tests and the fuzz target. */

#define RULE(holds)                    \
	do {                           \
		if (!(holds))          \
			return #holds; \
	} while (0)

static inline unsigned rule_budget(uint32_t said, unsigned otherwise)
{
	return said ? said : otherwise;
}

static inline bool rule_text_ends(const char text[PAIR_TEXT])
{
	const char *end = memchr(text, '\0', PAIR_TEXT);

	return end && end - text < PAIR_TEXT - 1; /* and nothing was cut off */
}

static inline const char *rule_broken_by_targets(const struct pair_role *r)
{
	switch (r->targets) {
	case PAIR_KNOWN:
		RULE(r->guesses == 1 && !r->span && !r->low && !r->high);
		break;
	case PAIR_SEQUENCE:
		RULE(r->step);
		RULE(r->low && r->low <= r->high);
		RULE(r->span && r->guesses <= r->span * r->sockets);
		break;
	case PAIR_BAND:
		RULE(r->low && r->low <= r->high && !r->span);
		RULE(r->guesses <= r->sockets * (r->high - r->low + 1u));
		break;
	case PAIR_PRESERVED:
		RULE(r->span && r->guesses <= r->span * r->sockets);
		break;
	default:
		return "targets";
	}
	for (unsigned i = 0; i < r->guesses && i < 100; i++)
		RULE(pair_socket(r, i) < r->sockets);
	return NULL;
}

static inline const char *rule_broken_by_role(const struct pair_role *r, const struct pair_side *s)
{
	RULE(r->sockets && r->sockets <= rule_budget(s->sockets_max, 256));
	RULE(r->packets && r->packets <= rule_budget(s->packets_max, 2048));
	RULE(r->guesses && r->guesses <= r->packets);
	RULE(r->sockets <= r->packets);
	RULE(r->entries && r->entries <= r->packets);
	RULE(r->low_ttl <= PAIR_DEPTH_MAX + 1 && !r->low_ttl == !r->low_ttl_us);
	return rule_broken_by_targets(r);
}

static inline bool rule_same_role(const struct pair_role *a, const struct pair_role *b)
{
	return a->sockets == b->sockets && a->fresh == b->fresh && a->targets == b->targets &&
		a->guesses == b->guesses && a->step == b->step && a->span == b->span &&
		a->ahead == b->ahead && a->low == b->low && a->high == b->high &&
		a->second == b->second && a->low_ttl == b->low_ttl &&
		a->low_ttl_us == b->low_ttl_us && a->packets == b->packets &&
		a->entries == b->entries;
}

/* The same but for fresh sockets: nothing else to try. */
static inline bool rule_repeats(const struct pair_plan *a, const struct pair_plan *b)
{
	struct pair_role role[2] = {b->role[0], b->role[1]};

	role[0].fresh = a->role[0].fresh;
	role[1].fresh = a->role[1].fresh;
	return a->strategy == b->strategy && rule_same_role(&a->role[0], &role[0]) &&
		rule_same_role(&a->role[1], &role[1]);
}

static inline const char *rule_broken_by_plan(
	const struct pair_plan *p, const struct pair_side sides[2])
{
	RULE((unsigned)p->strategy < PAIR_STRATEGIES);
	RULE(p->chance > 0 && p->chance <= 1);
	RULE(p->give_up_us >= 1000000 && p->give_up_us <= PAIR_MAX_US);
	RULE(p->role[0].low_ttl_us < p->give_up_us && p->role[1].low_ttl_us < p->give_up_us);
	RULE(!p->role[0].second || !p->role[1].second);
	RULE(p->why[0] && rule_text_ends(p->why) && rule_text_ends(p->cost));
	for (int i = 0; i < 2; i++) {
		const char *broken = rule_broken_by_role(&p->role[i], &sides[i]);

		if (broken)
			return broken;
		RULE(p->rate_pps <= rule_budget(sides[i].rate_pps, 100));
		RULE(p->role[i].entries <= 100 || p->cost[0]);
	}
	return NULL;
}

/* NULL, or the rule that is broken. */
static inline const char *rule_broken_by(
	const struct pair_advice *a, const struct pair_side sides[2])
{
	RULE(a->count <= PAIR_PLANS);
	RULE(!a->count == !!a->why_not[0] && rule_text_ends(a->why_not));
	RULE(!a->count || (sides[0].status != PATH_BLOCKED && sides[1].status != PATH_BLOCKED));
	for (size_t i = 0; i < a->count; i++) {
		const char *broken = rule_broken_by_plan(&a->plans[i], sides);

		if (broken)
			return broken;
		for (size_t k = 0; k < i; k++)
			RULE(!rule_repeats(&a->plans[i], &a->plans[k]));
	}
	return NULL;
}

/* Whether the sides know exactly the same: then only their numbers tell the roles apart. */
static inline bool rule_same_side(const struct pair_side *a, const struct pair_side *b)
{
	return a->status == b->status && a->nat == b->nat && a->mapping == b->mapping &&
		a->filtering == b->filtering && a->early == b->early &&
		a->allocation == b->allocation && a->step == b->step && a->low == b->low &&
		a->high == b->high && a->parity == b->parity && a->depth == b->depth &&
		a->sync_error_us == b->sync_error_us && a->packets_max == b->packets_max &&
		a->sockets_max == b->sockets_max && a->rate_pps == b->rate_pps;
}

/* NULL, or what exchanged sides have not exchanged; a for sides, b for the same ones exchanged. */
static inline const char *rule_broken_by_mirror(
	const struct pair_advice *a, const struct pair_advice *b, bool same_sides)
{
	RULE(a->count == b->count);
	RULE(!strcmp(a->why_not, b->why_not));
	for (size_t i = 0; i < a->count; i++) {
		const struct pair_plan *p = &a->plans[i], *q = &b->plans[i];

		RULE(p->strategy == q->strategy && p->rate_pps == q->rate_pps);
		RULE(p->give_up_us == q->give_up_us);
		RULE(!memcmp(&p->chance, &q->chance, sizeof(p->chance)));
		RULE(!strcmp(p->why, q->why) && !strcmp(p->cost, q->cost));
		RULE(rule_same_role(&p->role[0], &q->role[!same_sides]));
		RULE(rule_same_role(&p->role[1], &q->role[same_sides]));
	}
	return NULL;
}
