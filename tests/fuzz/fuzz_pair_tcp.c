// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Two sides from the same bytes, as a peer could send them. What is taken is written again the same; the advice
 * keeps its rules, and is the mirrored one for the sides exchanged.
 */

#include <config.h>

#include <errno.h>

#include "fuzz.h"
#include "pair_tcp_rules.h"

/* A promise with the name of the rule in it. */
static void keep(const char *broken)
{
	if (broken)
		fprintf(stderr, "broken: %s\n", broken);
	require(!broken);
}

static bool take(const uint8_t *data, size_t size, struct pair_tcp_side *out)
{
	uint8_t again[PAIR_TCP_SIDE_BYTES];
	struct pair_tcp_side s;
	int length, result = pair_tcp_side_decode(data, size, out);

	require(result == 0 || result == -EBADMSG);
	if (result)
		return false;
	length = pair_tcp_side_encode(out, again, sizeof(again));
	require(length > 0 && (size_t)length <= size && size <= PAIR_TCP_SIDE_BYTES);
	require(pair_tcp_side_decode(again, (size_t)length, &s) == 0);
	require(rule_same_tcp_side(out, &s));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pair_tcp_side sides[2], mirrored[2];
	struct pair_tcp_advice a, b;

	if (!take(data, size / 2, &sides[0]) || !take(data + size / 2, size - size / 2, &sides[1]))
		return 0;
	mirrored[0] = sides[1];
	mirrored[1] = sides[0];
	for (int i = 0; i < 2; i++) {
		enum family family = i ? FAMILY_IPV6 : FAMILY_IPV4;

		pair_tcp_advise(sides, family, &a);
		pair_tcp_advise(mirrored, family, &b);
		keep(rule_broken_by_tcp(&a, sides));
		keep(rule_broken_by_tcp_mirror(&a, &b, rule_same_tcp_side(&sides[0], &sides[1])));
	}
	return 0;
}
