// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Unpredictable numbers from a seed, so that a run can be repeated: ChaCha20 of libsodium, the first
 * bytes of each block being the next seed.
 */

struct random {
	uint8_t seed[32];
};

/* Seeds from the kernel: for everything that strangers must not predict. */
void random_init(struct random *r);

/* Seeds from a number: for tests and laboratories that must repeat. */
void random_init_number(struct random *r, uint64_t number);

void random_bytes(struct random *r, void *out, size_t length);

/* Uniform in [0, bound); 0 when bound is 0. */
uint32_t random_below(struct random *r, uint32_t bound);
