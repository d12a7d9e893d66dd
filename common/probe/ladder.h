// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "journal/journal.h"

/*
 * When which rung of a TTL ladder is asked, over UDP and TCP alike: a few at a time, further on only as long as somebody
 * answers, and each of them again when nobody does.
 */

#define LADDER_TTL 24 /* the highest one: longer ways are rare, and TRACE_HOPS is more */

struct ladder {
	struct trace *trace;
	uint64_t sent_us[LADDER_TTL]; /* the latest packet of each rung */
	uint64_t rtt_us; /* the longest that was seen; 0: none */
};

/* The trace is the journal's, and empty. */
void ladder_begin(struct ladder *l, struct trace *trace);

/*
 * The TTL of a packet that is to leave now, which is counted as sent; 0: none, before *deadline_us, which is only made
 * earlier.
 */
unsigned ladder_next(struct ladder *l, uint64_t now_us, uint64_t *deadline_us);

/* The latest packet of this rung could not leave. */
void ladder_unsent(struct ladder *l, unsigned ttl);

/*
 * A rung is answered: by an ICMP error, or if that is NULL by the target itself. rtt_us: 0 where it is not known. What
 * is no answer to a TTL is not counted.
 */
void ladder_answer(struct ladder *l, unsigned ttl, const struct icmp_seen *icmp, uint64_t rtt_us);

/* Whether nothing is to be expected any more. */
bool ladder_is_over(const struct ladder *l, uint64_t now_us);
