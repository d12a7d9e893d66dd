// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "lab/nat_store.h"

#define CACHE_LINE 64

/* Chunks do not move, so that growing costs the same with a thousand records and with a million. */

void nat_pool_init(struct nat_pool *pool, size_t record_bytes)
{
	memset(pool, 0, sizeof(*pool));
	pool->record_bytes = record_bytes;
	pool->fresh = 1;
}

void nat_pool_free(struct nat_pool *pool)
{
	for (uint32_t i = 0; i < pool->chunk_count; i++)
		free(pool->chunks[i]);
	free(pool->chunks);
	nat_pool_init(pool, pool->record_bytes);
}

static bool add_chunk(struct nat_pool *pool)
{
	uint32_t n = pool->chunk_count;
	uint8_t *chunk;

	if (!(n & (n - 1))) { /* the directory doubles */
		uint8_t **chunks = realloc(pool->chunks, (n ? 2 * n : 1) * sizeof(*chunks));

		if (!chunks)
			return false;
		pool->chunks = chunks;
	}
	/* 256 records are so many whole cache lines: one of 128 bytes is never in three of them */
	chunk = aligned_alloc(CACHE_LINE, NAT_POOL_CHUNK * pool->record_bytes);
	if (!chunk)
		return false;
	pool->chunks[pool->chunk_count++] = chunk;
	return true;
}

uint32_t nat_pool_take(struct nat_pool *pool)
{
	uint32_t record = pool->free;

	if (record) {
		memcpy(&pool->free, nat_pool_at(pool, record), sizeof(pool->free));
	} else {
		if (pool->fresh == UINT32_MAX)
			return 0;
		if (pool->fresh / NAT_POOL_CHUNK >= pool->chunk_count && !add_chunk(pool))
			return 0;
		record = pool->fresh++;
	}
	pool->used++;
	memset(nat_pool_at(pool, record), 0, pool->record_bytes);
	return record;
}

void nat_pool_give(struct nat_pool *pool, uint32_t record)
{
	memset(nat_pool_at(pool, record), 0, pool->record_bytes);
	memcpy(nat_pool_at(pool, record), &pool->free, sizeof(pool->free));
	pool->free = record;
	pool->used--;
}

size_t nat_pool_bytes(const struct nat_pool *pool)
{
	return pool->chunk_count * (NAT_POOL_CHUNK * pool->record_bytes + sizeof(*pool->chunks));
}

/* --- lists --- */

static struct nat_neighbours *neighbours(
	const struct nat_pool *pool, size_t offset, uint32_t record)
{
	return (struct nat_neighbours *)((uint8_t *)nat_pool_at(pool, record) + offset);
}

void nat_list_add_last(
	const struct nat_pool *pool, size_t offset, struct nat_ends *ends, uint32_t record)
{
	struct nat_neighbours *n = neighbours(pool, offset, record);

	n->next = 0;
	n->previous = ends->last;
	if (ends->last)
		neighbours(pool, offset, ends->last)->next = record;
	else
		ends->first = record;
	ends->last = record;
}

void nat_list_add_first(
	const struct nat_pool *pool, size_t offset, struct nat_ends *ends, uint32_t record)
{
	struct nat_neighbours *n = neighbours(pool, offset, record);

	n->previous = 0;
	n->next = ends->first;
	if (ends->first)
		neighbours(pool, offset, ends->first)->previous = record;
	else
		ends->last = record;
	ends->first = record;
}

void nat_list_remove(
	const struct nat_pool *pool, size_t offset, struct nat_ends *ends, uint32_t record)
{
	struct nat_neighbours *n = neighbours(pool, offset, record);

	if (n->previous)
		neighbours(pool, offset, n->previous)->next = n->next;
	else
		ends->first = n->next;
	if (n->next)
		neighbours(pool, offset, n->next)->previous = n->previous;
	else
		ends->last = n->previous;
	n->next = n->previous = 0;
}
