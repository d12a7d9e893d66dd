// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "server/limits.h"

#define SETS   8192 /* a power of two */
#define WAYS   8
#define SECOND 1000000u

/* Tokens are counted in millionths, so that one microsecond earns `rate` of them. */
struct bucket {
	uint64_t prefix;
	uint64_t time_us;
	uint64_t tokens;
	uint32_t family; /* enum family; FAMILY_NONE: free */
};

struct limits {
	uint32_t rate;
	uint64_t full; /* what a bucket holds */
	uint8_t key[LIMITS_KEY_BYTES];
	struct bucket buckets[SETS][WAYS];
};

_Static_assert(LIMITS_KEY_BYTES == crypto_shorthash_KEYBYTES, "the key is one of crypto_shorthash");

int limits_create(struct limits **out, uint32_t rate, const uint8_t key[static LIMITS_KEY_BYTES])
{
	struct limits *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->rate = rate;
	l->full = (uint64_t)rate * 2 * SECOND;
	memcpy(l->key, key, sizeof(l->key));
	*out = l;
	return 0;
}

void limits_destroy(struct limits *limits)
{
	free(limits);
}

uint32_t limits_cost(unsigned datagrams, size_t bytes_in, size_t bytes_out)
{
	return datagrams + (bytes_out > bytes_in ? (uint32_t)((bytes_out - bytes_in) / 8) : 0);
}

static uint64_t tokens_at(const struct limits *l, const struct bucket *b, uint64_t now_us)
{
	uint64_t elapsed = now_us > b->time_us ? now_us - b->time_us : 0;

	/* two seconds fill any bucket; nor can the product overflow below that */
	if (elapsed >= 2 * SECOND || b->tokens + elapsed * l->rate > l->full)
		return l->full;
	return b->tokens + elapsed * l->rate;
}

/* The source's bucket, refilled up to now; a new one takes a free place or the fullest's. */
static struct bucket *find(struct limits *l, struct bucket set[static WAYS],
	const struct bucket *source, uint64_t now_us)
{
	struct bucket *fullest = NULL;
	uint64_t most = 0;

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].prefix == source->prefix && set[i].family == source->family) {
			set[i].tokens = tokens_at(l, &set[i], now_us);
			set[i].time_us = now_us > set[i].time_us ? now_us : set[i].time_us;
			return &set[i];
		}
	for (size_t i = 0; i < WAYS; i++) {
		uint64_t tokens =
			set[i].family == FAMILY_NONE ? UINT64_MAX : tokens_at(l, &set[i], now_us);

		if (!fullest || tokens > most) {
			fullest = &set[i];
			most = tokens;
		}
	}
	*fullest = *source;
	return fullest;
}

bool limits_take(struct limits *l, const struct endpoint *from, uint32_t cost, uint64_t now_us)
{
	struct bucket source = {.time_us = now_us, .tokens = l->full, .family = from->family};
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t price = (uint64_t)cost * SECOND;
	struct bucket *b;
	uint32_t set;

	if (!l->rate)
		return true;
	/* an IPv6 host can use any address of its /64 */
	memcpy(&source.prefix, from->address, from->family == FAMILY_IPV4 ? 4 : 8);
	crypto_shorthash(hash, (const uint8_t *)&source.prefix, sizeof(source.prefix), l->key);
	memcpy(&set, hash, sizeof(set));
	b = find(l, l->buckets[set % SETS], &source, now_us);
	if (price > l->full)
		price = l->full;
	if (b->tokens < price)
		return false;
	b->tokens -= price;
	return true;
}
