// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "server/sources.h"

struct source {
	struct source *next;
	uint64_t prefix;
	uint32_t held;
	uint8_t family; /* enum family */
};

struct sources {
	uint8_t key[SOURCES_KEY_BYTES];
	uint32_t each;
	size_t count;
	size_t mask; /* buckets, a power of two, less one */
	struct source *buckets[];
};

_Static_assert(SOURCES_KEY_BYTES == crypto_shorthash_KEYBYTES, "a key of crypto_shorthash");

int sources_create(struct sources **out, size_t expected, uint32_t each,
	const uint8_t key[static SOURCES_KEY_BYTES])
{
	struct sources *s;
	size_t buckets = 1;

	while (buckets < expected)
		buckets *= 2;
	s = calloc(1, sizeof(*s) + buckets * sizeof(*s->buckets));
	if (!s)
		return -ENOMEM;
	memcpy(s->key, key, sizeof(s->key));
	s->each = each;
	s->mask = buckets - 1;
	*out = s;
	return 0;
}

void sources_destroy(struct sources *s)
{
	for (size_t i = 0; s && i <= s->mask; i++)
		while (s->buckets[i]) {
			struct source *gone = s->buckets[i];

			s->buckets[i] = gone->next;
			free(gone);
		}
	free(s);
}

static struct source **bucket_of(struct sources *s, uint64_t prefix)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t value;

	crypto_shorthash(hash, (const uint8_t *)&prefix, sizeof(prefix), s->key);
	memcpy(&value, hash, sizeof(value));
	return &s->buckets[value & s->mask];
}

int sources_take(struct sources *s, const struct endpoint *from, struct source **out)
{
	struct source **bucket, *found;
	uint64_t prefix = 0;

	/* an IPv6 host can use any address of its /64 */
	memcpy(&prefix, from->address, from->family == FAMILY_IPV4 ? 4 : 8);
	bucket = bucket_of(s, prefix);
	for (found = *bucket; found; found = found->next)
		if (found->prefix == prefix && found->family == from->family)
			break;
	if (found && found->held >= s->each)
		return -EDQUOT;
	if (!found) {
		found = calloc(1, sizeof(*found));
		if (!found)
			return -ENOMEM;
		*found = (struct source){*bucket, prefix, 0, (uint8_t)from->family};
		*bucket = found;
		s->count++;
	}
	found->held++;
	*out = found;
	return 0;
}

void sources_give_back(struct sources *s, struct source *source)
{
	struct source **place = bucket_of(s, source->prefix);

	if (--source->held)
		return;
	while (*place != source)
		place = &(*place)->next;
	*place = source->next;
	s->count--;
	free(source);
}

size_t sources_count(const struct sources *s)
{
	return s->count;
}

size_t sources_bytes(const struct sources *s)
{
	return sizeof(*s) + (s->mask + 1) * sizeof(*s->buckets) + s->count * sizeof(struct source);
}
