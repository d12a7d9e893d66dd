// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <sodium.h>
#include <string.h>

#include "base/random.h"

void random_init(struct random *r)
{
	randombytes_buf(r->seed, sizeof(r->seed));
}

void random_init_number(struct random *r, uint64_t number)
{
	memset(r->seed, 0, sizeof(r->seed));
	for (size_t i = 0; i < sizeof(number); i++)
		r->seed[i] = (uint8_t)(number >> 8 * i);
}

void random_bytes(struct random *r, void *out, size_t length)
{
	uint8_t block[32 + 224];
	uint8_t *p = out;

	while (length) {
		size_t n = length < sizeof(block) - 32 ? length : sizeof(block) - 32;

		randombytes_buf_deterministic(block, 32 + n, r->seed);
		memcpy(r->seed, block, 32);
		memcpy(p, block + 32, n);
		p += n;
		length -= n;
	}
}

uint32_t random_below(struct random *r, uint32_t bound)
{
	uint32_t value, rest;

	if (!bound)
		return 0;
	/* rejecting the incomplete last stretch keeps every value equally likely */
	rest = (UINT32_MAX % bound + 1) % bound;
	do
		random_bytes(r, &value, sizeof(value));
	while (value > UINT32_MAX - rest);
	return value % bound;
}
