// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab/nat_store.h"

#define BUCKETS_FIRST 64 /* a power of two, as all later counts */

static struct nat_link *link_of(const struct nat_hash *h, uint32_t record)
{
	return (struct nat_link *)((uint8_t *)nat_pool_at(h->pool, record) + h->offset);
}

int nat_hash_init(struct nat_hash *h, const struct nat_pool *pool, size_t offset)
{
	*h = (struct nat_hash){.pool = pool, .offset = offset, .bucket_count = BUCKETS_FIRST};
	h->buckets = calloc(BUCKETS_FIRST, sizeof(*h->buckets));
	return h->buckets ? 0 : -ENOMEM;
}

void nat_hash_free(struct nat_hash *h)
{
	free(h->buckets);
	h->buckets = NULL;
}

static uint32_t *bucket_of(const struct nat_hash *h, uint32_t hash)
{
	return &h->buckets[hash & (h->bucket_count - 1)];
}

static void push(struct nat_hash *h, uint32_t record)
{
	struct nat_link *l = link_of(h, record);
	uint32_t *bucket = bucket_of(h, l->hash);

	l->previous = 0;
	l->next = *bucket;
	if (*bucket)
		link_of(h, *bucket)->previous = record;
	*bucket = record;
}

/* Moves a chain of the old table into the new one from its end, so that the order stays. */
static void move_chain(struct nat_hash *h, uint32_t record)
{
	while (record && link_of(h, record)->next)
		record = link_of(h, record)->next;
	while (record) {
		uint32_t previous = link_of(h, record)->previous;

		push(h, record);
		record = previous;
	}
}

/* When there is no memory for more buckets, the chains get longer. */
static void grow(struct nat_hash *h)
{
	uint32_t count = h->bucket_count, *old = h->buckets;
	uint32_t *buckets;

	if (count > UINT32_MAX / 2)
		return;
	buckets = calloc(2 * (size_t)count, sizeof(*buckets));
	if (!buckets)
		return;
	h->buckets = buckets;
	h->bucket_count = 2 * count;
	for (uint32_t i = 0; i < count; i++)
		move_chain(h, old[i]);
	free(old);
}

void nat_hash_add(struct nat_hash *h, uint32_t record, uint32_t hash)
{
	if (h->used >= h->bucket_count)
		grow(h);
	link_of(h, record)->hash = hash;
	push(h, record);
	h->used++;
}

void nat_hash_add_behind(struct nat_hash *h, uint32_t record, uint32_t other)
{
	struct nat_link *l = link_of(h, record), *o = link_of(h, other);

	l->hash = o->hash;
	l->previous = other;
	l->next = o->next;
	if (o->next)
		link_of(h, o->next)->previous = record;
	o->next = record;
	h->used++;
}

void nat_hash_remove(struct nat_hash *h, uint32_t record)
{
	struct nat_link *l = link_of(h, record);

	if (l->previous)
		link_of(h, l->previous)->next = l->next;
	else
		*bucket_of(h, l->hash) = l->next;
	if (l->next)
		link_of(h, l->next)->previous = l->previous;
	l->next = l->previous = 0;
	h->used--;
}

static uint32_t same_from(const struct nat_hash *h, uint32_t record, uint32_t hash)
{
	while (record && link_of(h, record)->hash != hash)
		record = link_of(h, record)->next;
	return record;
}

uint32_t nat_hash_first(const struct nat_hash *h, uint32_t hash)
{
	return same_from(h, *bucket_of(h, hash), hash);
}

uint32_t nat_hash_next(const struct nat_hash *h, uint32_t record)
{
	const struct nat_link *l = link_of(h, record);

	return same_from(h, l->next, l->hash);
}

size_t nat_hash_bytes(const struct nat_hash *h)
{
	return h->bucket_count * sizeof(*h->buckets);
}
