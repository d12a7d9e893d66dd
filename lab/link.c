// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "lab/link.h"

#define QUEUE_US   100000u
#define HELD_US	   1000u
#define CHANCE_ONE (1u << 30) /* chances are drawn in parts of this */

void link_init(struct link *l, const struct link_config *config, uint64_t seed)
{
	*l = (struct link){.config = *config};
	random_init_number(&l->random, seed);
	if (!l->config.queue_us)
		l->config.queue_us = QUEUE_US;
}

static bool happens(struct link *l, double chance)
{
	return chance > 0 && random_below(&l->random, CHANCE_ONE) < chance * CHANCE_ONE;
}

/* Up to and including max_us. */
static uint64_t spread(struct link *l, uint64_t max_us)
{
	if (!max_us)
		return 0;
	return random_below(&l->random, max_us < UINT32_MAX ? (uint32_t)max_us + 1 : UINT32_MAX);
}

/* When the packet has been sent at the link's rate; false: the queue is too long. */
static bool take_turn(struct link *l, uint64_t now_us, size_t bytes, uint64_t *sent_us)
{
	uint64_t parts = bytes * 8 * 1000000; /* of a microsecond, rate_bps to each */

	*sent_us = now_us;
	if (!l->config.rate_bps)
		return true;
	if (l->free_us < now_us) {
		l->free_us = now_us;
		l->free_parts = 0;
	}
	if (l->free_us - now_us > l->config.queue_us)
		return false;
	parts += l->free_parts;
	*sent_us = l->free_us += parts / l->config.rate_bps;
	l->free_parts = parts % l->config.rate_bps;
	return true;
}

static uint64_t arrival_of(struct link *l, uint64_t sent_us)
{
	const struct link_config *c = &l->config;
	uint64_t at_us = sent_us + c->delay_us + spread(l, c->jitter_us);

	bool held = happens(l, c->reorder);

	if (at_us < l->last_us)
		at_us = l->last_us;
	if (held) /* behind where it would have been, or nobody could overtake it */
		return at_us + 1 + spread(l, HELD_US - 1 + c->delay_us + c->jitter_us);
	l->last_us = at_us;
	return at_us;
}

struct link_arrival link_send(struct link *l, uint64_t now_us, size_t bytes)
{
	struct link_arrival a = {.fate = LINK_ARRIVES, .copies = 1};
	uint64_t sent_us;

	if (!take_turn(l, now_us, bytes, &sent_us))
		return (struct link_arrival){.fate = LINK_QUEUE_FULL};
	if (happens(l, l->config.loss))
		return (struct link_arrival){.fate = LINK_LOST};
	if (happens(l, l->config.duplicate))
		a.copies = 2;
	for (unsigned i = 0; i < a.copies; i++)
		a.at_us[i] = arrival_of(l, sent_us);
	return a;
}
