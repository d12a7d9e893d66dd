// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab/world_private.h"

/* Which node below has an address: ranges in order, found by halving. */

static void key_of(const struct endpoint *e, uint8_t key[static 17])
{
	key[0] = (uint8_t)e->family;
	memcpy(key + 1, e->address, 16);
}

/* The bits behind the prefix, all 0 or all 1. */
static void set_rest(uint8_t key[static 17], size_t address_bytes, unsigned bits, bool ones)
{
	for (size_t i = bits; i < address_bytes * 8; i++) {
		uint8_t bit = (uint8_t)(0x80u >> (i % 8));

		if (ones)
			key[1 + i / 8] |= bit;
		else
			key[1 + i / 8] &= (uint8_t)~bit;
	}
}

/* The first range that ends at the key or behind it. */
static size_t place_of(const struct world_routes *r, const uint8_t key[static 17])
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(r->list[middle].last, key, 17) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int grow(struct world_routes *r)
{
	size_t size = r->size ? 2 * r->size : 8;
	struct world_route *list;

	if (r->count < r->size)
		return 0;
	list = realloc(r->list, size * sizeof(*list));
	if (!list)
		return -ENOMEM;
	r->list = list;
	r->size = size;
	return 0;
}

static bool is_within(const struct world_route *inner, const struct world_route *outer)
{
	return memcmp(inner->first, outer->first, 17) >= 0 &&
		memcmp(inner->last, outer->last, 17) <= 0;
}

int world_routes_add(
	struct world_routes *r, const struct endpoint *address, uint8_t bits, int child)
{
	size_t bytes = endpoint_address_length(address->family), place;
	struct world_route route = {.child = child};
	int err;

	key_of(address, route.first);
	key_of(address, route.last);
	set_rest(route.first, bytes, bits, false);
	set_rest(route.last, bytes, bits, true);
	place = place_of(r, route.first);
	if (place < r->count && memcmp(r->list[place].first, route.last, 17) <= 0) {
		/* a network behind the box that has it already */
		return r->list[place].child == child && is_within(&route, &r->list[place])
			? 0
			: -EEXIST;
	}
	err = grow(r);
	if (err)
		return err;
	memmove(&r->list[place + 1], &r->list[place], (r->count - place) * sizeof(route));
	r->list[place] = route;
	r->count++;
	return 0;
}

int world_routes_find(const struct world_routes *r, const struct endpoint *address)
{
	uint8_t key[17];
	size_t place;

	key_of(address, key);
	place = place_of(r, key);
	if (place == r->count || memcmp(r->list[place].first, key, 17) > 0)
		return -1;
	return r->list[place].child;
}

void world_routes_clear(struct world_routes *r)
{
	r->count = 0;
}

void world_routes_free(struct world_routes *r)
{
	free(r->list);
	*r = (struct world_routes){.list = NULL};
}
