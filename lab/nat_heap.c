// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>

#include "lab/nat_store.h"

#define SIZE_FIRST 64

static struct nat_timer *timer_of(const struct nat_heap *h, uint32_t record)
{
	return (struct nat_timer *)((uint8_t *)nat_pool_at(h->pool, record) + h->offset);
}

void nat_heap_init(struct nat_heap *h, const struct nat_pool *pool, size_t offset)
{
	*h = (struct nat_heap){.pool = pool, .offset = offset};
}

void nat_heap_free(struct nat_heap *h)
{
	free(h->entries);
	h->entries = NULL;
}

int nat_heap_reserve(struct nat_heap *h)
{
	struct nat_heap_entry *entries;
	size_t size = h->size ? 2 * (size_t)h->size : SIZE_FIRST;

	if (h->count + 1 < h->size)
		return 0;
	if (size > UINT32_MAX)
		return -ENOMEM;
	entries = realloc(h->entries, size * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	h->entries = entries;
	h->size = (uint32_t)size;
	return 0;
}

static void put(struct nat_heap *h, uint32_t place, struct nat_heap_entry entry)
{
	h->entries[place] = entry;
	timer_of(h, entry.record)->place = place;
}

static void sift_up(struct nat_heap *h, uint32_t place)
{
	struct nat_heap_entry entry = h->entries[place];

	for (; place > 1 && h->entries[place / 2].key_us > entry.key_us; place /= 2)
		put(h, place, h->entries[place / 2]);
	put(h, place, entry);
}

static void sift_down(struct nat_heap *h, uint32_t place)
{
	struct nat_heap_entry entry = h->entries[place];
	uint32_t child;

	for (; (child = 2 * place) <= h->count; place = child) {
		if (child < h->count && h->entries[child + 1].key_us < h->entries[child].key_us)
			child++;
		if (h->entries[child].key_us >= entry.key_us)
			break;
		put(h, place, h->entries[child]);
	}
	put(h, place, entry);
}

void nat_heap_set(struct nat_heap *h, uint32_t record, uint64_t expires_us)
{
	struct nat_timer *t = timer_of(h, record);
	bool put_off = expires_us >= t->expires_us; /* and the heap need not be looked at */

	t->expires_us = expires_us;
	if (!t->place) {
		t->place = ++h->count;
		h->entries[t->place] = (struct nat_heap_entry){expires_us, record};
		sift_up(h, t->place);
	} else if (!put_off && expires_us < h->entries[t->place].key_us) {
		h->entries[t->place].key_us = expires_us;
		sift_up(h, t->place);
	}
}

void nat_heap_remove(struct nat_heap *h, uint32_t record)
{
	struct nat_timer *t = timer_of(h, record);
	uint32_t place = t->place;
	struct nat_heap_entry last;

	if (!place)
		return;
	t->place = 0;
	last = h->entries[h->count--];
	if (place > h->count)
		return;
	put(h, place, last);
	sift_up(h, place);
	sift_down(h, timer_of(h, last.record)->place);
}

uint32_t nat_heap_due(struct nat_heap *h, uint64_t now_us, uint64_t *next_us)
{
	while (h->count && h->entries[1].key_us <= now_us) {
		struct nat_heap_entry *top = &h->entries[1];
		uint64_t expires_us = timer_of(h, top->record)->expires_us;

		if (expires_us <= now_us)
			return top->record;
		top->key_us = expires_us; /* it was put off since */
		sift_down(h, 1);
	}
	*next_us = h->count ? h->entries[1].key_us : UINT64_MAX;
	return 0;
}

size_t nat_heap_bytes(const struct nat_heap *h)
{
	return h->size * sizeof(*h->entries);
}
