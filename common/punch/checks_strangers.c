// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "punch/checks_private.h"

/*
 * A peer that knows the code may name the addresses of others, or send from them. So an address gets a handful of
 * requests, whatever their ports, and no answers, until the server vouches for it or an answer proves the way:
 * sooner or later one of a handful arrives, even where every fifth packet is lost.
 */

#define LIMIT_HANDFUL 8 /* to one address */
#define LIMIT_UNHEARD 3 /* … before something came from there: the others may be answered */
#define FOR_THE_HEARD 16 /* of LIMIT_UNVOUCHED: candidates alone do not use it up */

void checks_vouch(struct checks *c, const struct endpoint *e)
{
	if (!checks_is_vouched(c, e))
		c->vouched[c->vouched_count++ % VOUCHED_MAX] = *e;
}

bool checks_is_vouched(const struct checks *c, const struct endpoint *e)
{
	for (size_t i = 0; i < c->vouched_count && i < VOUCHED_MAX; i++)
		if (endpoint_same_address(&c->vouched[i], e))
			return true;
	return false;
}

/* Its place, or that of the next one. */
static size_t find(const struct checks *c, const struct endpoint *e)
{
	size_t i = 0;

	while (i < c->stranger_count && !endpoint_same_address(&c->strangers[i].address, e))
		i++;
	return i;
}

bool checks_may_send(const struct checks *c, const struct endpoint *to, bool heard)
{
	size_t place;

	if (checks_is_vouched(c, to))
		return true;
	if (c->strange >= (heard ? LIMIT_UNVOUCHED : LIMIT_UNVOUCHED - FOR_THE_HEARD))
		return false;
	place = find(c, to);
	return place == c->stranger_count ||
		c->strangers[place].sent < (heard ? LIMIT_HANDFUL : LIMIT_UNHEARD);
}

void checks_note_sent(struct checks *c, const struct endpoint *to)
{
	size_t place;

	if (checks_is_vouched(c, to) || c->strange == LIMIT_UNVOUCHED)
		return;
	place = find(c, to);
	if (place == c->stranger_count)
		c->strangers[c->stranger_count++] = (struct stranger){.address = *to};
	c->strangers[place].sent++;
	c->strange++;
}
