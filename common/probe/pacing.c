// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/private.h"

#define MS 1000u

/* RFC 8489 6.2.1: a client that knows nothing of the path starts with half a second. */
#define FIRST_RTO_US (500 * MS)
/* between new transactions with a foreign server, so that their repetitions don't fall together */
#define FOREIGN_GAP_US (20 * MS)
/* our own servers are made for it; the gap keeps the packets in order */
#define OWN_GAP_US (1 * MS)

uint64_t probe_pace(struct probe_server *s, uint64_t now_us)
{
	uint64_t gap = s->ours ? OWN_GAP_US : FOREIGN_GAP_US;
	uint64_t oldest = s->starts_us[s->start_next];
	uint64_t latest = s->starts_us[(s->start_next + PROBE_PACE_WINDOW - 1) % PROBE_PACE_WINDOW];
	uint64_t at = now_us;

	if (latest && at < latest + gap)
		at = latest + gap;
	if (!s->ours && oldest && at < oldest + 1000 * MS)
		at = oldest + 1000 * MS;
	s->starts_us[s->start_next] = at;
	s->start_next = (s->start_next + 1) % PROBE_PACE_WINDOW;
	return at;
}

uint64_t probe_interval(const struct transaction *t)
{
	const struct probe_server *s = t->server;
	uint64_t rto;

	if (t->attempts < t->repeat)
		return t->repeat_gap_us;
	if (!s->srtt_us)
		return FIRST_RTO_US;
	if (s->ours)
		return s->srtt_us * 5 / 4 + 20 * MS;
	/* what RFC 6298 comes to after a few round trips that were alike, doubled each time */
	rto = s->srtt_us * 3 / 2;
	if (rto < 75 * MS)
		rto = 75 * MS;
	return rto << (t->attempts ? t->attempts - 1 : 0);
}

uint64_t probe_patience_us(const struct probe_server *s)
{
	uint64_t jitter = s->rtt_max_us - s->rtt_min_us;
	uint64_t margin = s->srtt_us / 2 + 2 * jitter;

	if (!s->srtt_us)
		return 800 * MS;
	if (margin < 50 * MS)
		margin = 50 * MS;
	return s->srtt_us + (margin > 400 * MS ? 400 * MS : margin);
}

void probe_rtt(struct probe_server *s, const struct observation *o, uint64_t now_us)
{
	uint64_t rtt_us = now_us - o->first_sent_us;

	/*
	 * After repetitions it cannot be told which request was answered (Karn). The longest time is
	 * the safe one, and any single sample is better.
	 */
	if (o->sent > 1 && s->srtt_us)
		return;
	if (!rtt_us)
		rtt_us = 1;
	if (s->rtt_ambiguous)
		s->srtt_us = s->rtt_min_us = s->rtt_max_us = 0;
	s->rtt_ambiguous = o->sent > 1;
	s->srtt_us = s->srtt_us ? (7 * s->srtt_us + rtt_us) / 8 : rtt_us;
	if (!s->rtt_min_us || rtt_us < s->rtt_min_us)
		s->rtt_min_us = rtt_us;
	if (rtt_us > s->rtt_max_us)
		s->rtt_max_us = rtt_us;
}
