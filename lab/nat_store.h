// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What tables are made of: records with a number instead of an address (half as large, and a table is the
 * same in every run), and hash tables, lists and timers whose links are inside of the records.
 * Number 0 is no record.
 */

struct nat_pool {
	size_t record_bytes;
	uint8_t **chunks;
	uint32_t chunk_count, fresh, free, used;
};

void nat_pool_init(struct nat_pool *pool, size_t record_bytes);
void nat_pool_free(struct nat_pool *pool);
/* A record of zeros; 0: no memory. */
uint32_t nat_pool_take(struct nat_pool *pool);
void nat_pool_give(struct nat_pool *pool, uint32_t record);
size_t nat_pool_bytes(const struct nat_pool *pool);

#define NAT_POOL_CHUNK 256

static inline void *nat_pool_at(const struct nat_pool *pool, uint32_t record)
{
	return pool->chunks[record / NAT_POOL_CHUNK] + record % NAT_POOL_CHUNK * pool->record_bytes;
}

/* --- hash tables: chained, with the hash kept, so that growing touches no keys --- */

struct nat_link {
	uint32_t next, previous, hash;
};

struct nat_hash {
	const struct nat_pool *pool;
	size_t offset; /* of the struct nat_link in a record */
	uint32_t *buckets;
	uint32_t bucket_count, used;
};

int nat_hash_init(struct nat_hash *h, const struct nat_pool *pool, size_t offset);
void nat_hash_free(struct nat_hash *h);
/* In front of all others with this hash. */
void nat_hash_add(struct nat_hash *h, uint32_t record, uint32_t hash);
/* Behind another one with the same hash. */
void nat_hash_add_behind(struct nat_hash *h, uint32_t record, uint32_t other);
void nat_hash_remove(struct nat_hash *h, uint32_t record);
/* The records with this hash, the last one added first; 0: no more. */
uint32_t nat_hash_first(const struct nat_hash *h, uint32_t hash);
uint32_t nat_hash_next(const struct nat_hash *h, uint32_t record);
size_t nat_hash_bytes(const struct nat_hash *h);

/* --- lists --- */

struct nat_ends {
	uint32_t first, last;
};

struct nat_neighbours {
	uint32_t next, previous;
};

void nat_list_add_last(
	const struct nat_pool *pool, size_t offset, struct nat_ends *ends, uint32_t record);
void nat_list_add_first(
	const struct nat_pool *pool, size_t offset, struct nat_ends *ends, uint32_t record);
void nat_list_remove(
	const struct nat_pool *pool, size_t offset, struct nat_ends *ends, uint32_t record);

/* --- timers --- */

struct nat_timer {
	uint64_t expires_us;
	uint32_t place; /* in the heap; 0: not there */
};

/*
 * A heap that is lazy: a timer that is put off keeps its place until its old time has come, so that
 * refreshing a session costs nothing: the key of an entry is at most the time of its timer.
 */
struct nat_heap {
	const struct nat_pool *pool;
	size_t offset; /* of the struct nat_timer in a record */
	struct nat_heap_entry {
		uint64_t key_us;
		uint32_t record;
	} * entries; /* from 1 */
	uint32_t count, size;
};

void nat_heap_init(struct nat_heap *h, const struct nat_pool *pool, size_t offset);
void nat_heap_free(struct nat_heap *h);
/* Makes room for one more; -ENOMEM. */
int nat_heap_reserve(struct nat_heap *h);
/* Sets a timer, new (for which there is room) or not. */
void nat_heap_set(struct nat_heap *h, uint32_t record, uint64_t expires_us);
void nat_heap_remove(struct nat_heap *h, uint32_t record);
/* The record whose time has come by now; 0: none, and none before *next_us. */
uint32_t nat_heap_due(struct nat_heap *h, uint64_t now_us, uint64_t *next_us);
size_t nat_heap_bytes(const struct nat_heap *h);
