// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/pair.h"
#include "judge/pair_tcp.h"

/* Plans of pair.h and pair_tcp.h, as far as they have the same shape: who goes through them needs not know which. */

struct plan {
	const char *strategy; /* its name */
	bool guesses; /* at ports, so that luck decides */
	bool direct; /* nothing is lost when one side begins before the other */
	struct pair_role role[2];
	uint32_t rate; /* of guesses, each second; 0: they are few */
	uint32_t give_up_us;
	double chance;
	char why[PAIR_TEXT], cost[PAIR_TEXT];
};

#define PLANS_MAX 6

struct plans {
	struct plan plan[PLANS_MAX];
	size_t count;
	char why_not[PAIR_TEXT]; /* when count is 0 */
};

void plans_from_udp(const struct pair_advice *advice, struct plans *out);
void plans_from_tcp(const struct pair_tcp_advice *advice, struct plans *out);

/* That one of them succeeds. */
double plans_chance(const struct plans *p);
/* Whether one of them guesses. */
bool plans_guess(const struct plans *p);
