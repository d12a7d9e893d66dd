// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/random.h"
#include "punch/checks.h"

/* The guesses of a role (judge/pair.h) at ports of the peer, in their order. */

struct guess {
	const struct pair_role *role;
	uint32_t start,
		stride; /* of PAIR_BAND: a permutation of the band, from another place for each socket */
};

/* The role has to last as long. */
void guess_init(struct guess *g, const struct pair_role *role, struct random *random);

/* Guess `number`, for the socket pair_socket(); port 0 where the peer has named that. */
struct endpoint guess_endpoint(
	const struct guess *g, const struct checks_target *target, unsigned number);
