// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <math.h>

#include "judge/pair_private.h"

#define PORTS_MAX 65536u
#define ONE	  (1ull << 47) /* fixed point: times PORTS_MAX it stays below 2^64 */

/* The chance that one guess more misses, too, when `before` did. */
static uint64_t miss_again(uint64_t miss, unsigned ports, unsigned open, unsigned before)
{
	return open + before >= ports ? 0 : miss * (ports - open - before) / (ports - before);
}

/* Hypergeometric: C(ports - open, guesses) / C(ports, guesses), which is the same with both exchanged. */
static uint64_t miss_all(unsigned ports, unsigned open, unsigned guesses)
{
	unsigned fewer = guesses < open ? guesses : open, more = guesses < open ? open : guesses;
	uint64_t miss = ONE;

	if (!fewer)
		return ONE;
	ports = ports > PORTS_MAX ? PORTS_MAX : ports;
	if (more >= ports)
		return 0;
	for (unsigned i = 0; i < fewer && miss; i++)
		miss = miss_again(miss, ports, more, i);
	return miss;
}

static uint32_t ppm_of(uint64_t hit)
{
	return (uint32_t)(((hit >> 10) * PAIR_MILLION + (ONE >> 11)) / (ONE >> 10));
}

double pair_chance_hit(unsigned ports, unsigned open, unsigned guesses)
{
	return (double)(ONE - miss_all(ports, open, guesses)) / (double)ONE;
}

uint32_t pair_hit_ppm(unsigned ports, unsigned open, unsigned guesses)
{
	return ppm_of(ONE - miss_all(ports, open, guesses));
}

unsigned pair_guesses_for(unsigned ports, unsigned open, uint32_t ppm, unsigned most)
{
	uint64_t miss = ONE;
	unsigned guesses = 0;

	most = most < ports ? most : ports;
	if (!open)
		return most;
	while (guesses < most && ppm_of(ONE - miss) < ppm)
		miss = miss_again(miss, ports, open, guesses++);
	return guesses;
}

/* Of all pairs of ports, packets_a * packets_b are tried: rare and independent, so Poisson's. */
double pair_chance_both(unsigned ports_a, unsigned packets_a, unsigned ports_b, unsigned packets_b)
{
	if (!ports_a || !ports_b)
		return 0;
	return -expm1(-(double)packets_a / ports_a * ((double)packets_b / ports_b));
}

uint32_t pair_both_ppm(unsigned ports_a, unsigned packets_a, unsigned ports_b, unsigned packets_b)
{
	double chance = pair_chance_both(ports_a, packets_a, ports_b, packets_b);

	return (uint32_t)(chance * PAIR_MILLION + 0.5);
}
