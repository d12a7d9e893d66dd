// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "probe/ladder.h"

#define MS	    1000u

#define WINDOW	    4 /* rungs beyond the last one that was answered */
#define SENDS	    3 /* of each rung */
#define SENDS_BELOW 2 /* … of one below the end: it is known that packets get further */
#define GAP_US	    (300 * MS) /* between them, while no round trip is known */
#define GAP_MIN_US  (150 * MS) /* a router has more to do than to write errors */
#define PATIENCE_US (500 * MS) /* after the last one */

_Static_assert(LADDER_TTL <= TRACE_HOPS, "a ladder fits into its record");

void ladder_begin(struct ladder *l, struct trace *trace)
{
	memset(l, 0, sizeof(*l));
	l->trace = trace;
}

static struct hop *rung(const struct ladder *l, unsigned ttl)
{
	return &l->trace->hops[ttl - 1];
}

/* The highest TTL that it makes sense to send. */
static unsigned highest(const struct ladder *l)
{
	unsigned end = trace_end(l->trace), ttl = l->trace->hop_count;

	if (end)
		return end;
	while (ttl > 0 && !rung(l, ttl)->answers)
		ttl--;
	return ttl + WINDOW < LADDER_TTL ? ttl + WINDOW : LADDER_TTL;
}

static unsigned sends_max(const struct ladder *l)
{
	return trace_end(l->trace) ? SENDS_BELOW : SENDS;
}

static uint64_t gap_us(const struct ladder *l)
{
	uint64_t gap = 3 * l->rtt_us;

	if (!l->rtt_us)
		return GAP_US;
	if (gap < GAP_MIN_US)
		return GAP_MIN_US;
	return gap < PATIENCE_US ? gap : PATIENCE_US;
}

/* When a rung without an answer is looked at again: to be asked once more, or to be given up. */
static uint64_t due_us(const struct ladder *l, unsigned ttl)
{
	bool last = rung(l, ttl)->sent >= sends_max(l);

	if (!rung(l, ttl)->sent)
		return 0;
	return l->sent_us[ttl - 1] + (last && !trace_end(l->trace) ? PATIENCE_US : gap_us(l));
}

unsigned ladder_next(struct ladder *l, uint64_t now_us, uint64_t *deadline_us)
{
	for (unsigned ttl = 1; ttl <= highest(l); ttl++) {
		struct hop *h = rung(l, ttl);
		uint64_t due = due_us(l, ttl);

		if (h->answers || (h->sent >= sends_max(l) && now_us >= due))
			continue;
		if (now_us < due || h->sent >= sends_max(l)) {
			if (due < *deadline_us)
				*deadline_us = due;
			continue;
		}
		h->sent++;
		l->sent_us[ttl - 1] = now_us;
		if (l->trace->hop_count < ttl)
			l->trace->hop_count = ttl;
		return ttl;
	}
	return 0;
}

void ladder_unsent(struct ladder *l, unsigned ttl)
{
	if (ttl && ttl <= LADDER_TTL && rung(l, ttl)->sent)
		rung(l, ttl)->sent--;
}

void ladder_answer(struct ladder *l, unsigned ttl, const struct icmp_seen *icmp, uint64_t rtt_us)
{
	enum family family = l->trace->to.family;
	struct hop *h;

	if (!ttl || ttl > l->trace->hop_count)
		return;
	if (icmp &&
		(icmp->local || icmp->offender.family != family ||
			(!trace_is_expiry(family, icmp->type, icmp->code) &&
				!trace_is_refusal(family, icmp->type, icmp->code))))
		return;
	h = rung(l, ttl);
	if (rtt_us > l->rtt_us)
		l->rtt_us = rtt_us;
	if (h->answers++)
		return;
	h->from = icmp ? icmp->offender : l->trace->to;
	h->from.port = 0;
	h->icmp = icmp;
	h->type = icmp ? icmp->type : 0;
	h->code = icmp ? icmp->code : 0;
	h->rtt_us = rtt_us;
}

bool ladder_is_over(const struct ladder *l, uint64_t now_us)
{
	for (unsigned ttl = 1; ttl <= highest(l); ttl++)
		if (!rung(l, ttl)->answers &&
			(rung(l, ttl)->sent < sends_max(l) || now_us < due_us(l, ttl)))
			return false;
	return true;
}
