// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <sodium.h>

#include "punch/cpace.h"

/* The steps of CPace, for the test with the vectors of the draft, which say what comes out of each. */

/* Goes on hashing with the length of s in LEB128, then s. */
void cpace_hash_lv(crypto_hash_sha512_state *hash, struct span s);

/* Hash of the generator string; the generator is the point that it is mapped to. */
void cpace_generator_hash(
	const struct cpace_input *in, uint8_t hash[static crypto_core_ristretto255_HASHBYTES]);

/* As cpace_begin, with this scalar; -EINVAL also when it is zero. */
int cpace_begin_with(struct cpace *c, const struct cpace_input *in,
	const uint8_t scalar[static CPACE_SCALAR_BYTES]);

/* The secret point K: 0, or -EBADMSG when share encodes no point, or K is the identity. */
int cpace_point(const uint8_t scalar[static CPACE_SCALAR_BYTES], struct span share,
	uint8_t k[static CPACE_POINT_BYTES]);
