// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "server/icmp_table.h"

#define SETS 512 /* a power of two */
#define WAYS 8

struct entry {
	struct endpoint to; /* FAMILY_NONE: free */
	struct stun_icmp icmp;
	uint64_t time_us;
};

struct icmp_table {
	uint8_t key[ICMP_TABLE_KEY_BYTES];
	struct entry entries[SETS][WAYS];
};

_Static_assert(ICMP_TABLE_KEY_BYTES == crypto_shorthash_KEYBYTES, "a key of crypto_shorthash");

int icmp_table_create(struct icmp_table **out, const uint8_t key[static ICMP_TABLE_KEY_BYTES])
{
	struct icmp_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	memcpy(t->key, key, sizeof(t->key));
	*out = t;
	return 0;
}

void icmp_table_destroy(struct icmp_table *table)
{
	free(table);
}

static size_t set_of(const struct icmp_table *t, const struct endpoint *to)
{
	uint8_t bytes[18], hash[crypto_shorthash_BYTES];
	uint32_t value;

	memcpy(bytes, to->address, 16);
	bytes[16] = (uint8_t)(to->port >> 8);
	bytes[17] = (uint8_t)to->port;
	crypto_shorthash(hash, bytes, sizeof(bytes), t->key);
	memcpy(&value, hash, sizeof(value));
	return value % SETS;
}

static bool is_alive(const struct entry *e, uint64_t now_us)
{
	return e->to.family != FAMILY_NONE &&
		(now_us <= e->time_us || now_us - e->time_us <= ICMP_TABLE_LIFE_US);
}

static bool is_alike(const struct stun_icmp *a, const struct stun_icmp *b)
{
	return a->type == b->type && a->code == b->code &&
		endpoint_same_address(&a->offender, &b->offender) &&
		endpoint_equal(&a->quoted_from, &b->quoted_from);
}

/*
 * Where a new entry goes: a free or dead place; else the oldest, but the oldest of the same
 * destination once that has as many as are ever told, so that one client cannot fill a set.
 */
static struct entry *place_for(
	struct entry set[static WAYS], const struct endpoint *to, uint64_t now_us)
{
	struct entry *own = NULL, *oldest = NULL, *unused = NULL;
	size_t own_count = 0;

	for (struct entry *e = set; e < set + WAYS; e++) {
		if (!is_alive(e, now_us)) {
			unused = e;
			continue;
		}
		if (!oldest || e->time_us < oldest->time_us)
			oldest = e;
		if (!endpoint_equal(&e->to, to))
			continue;
		own_count++;
		if (!own || e->time_us < own->time_us)
			own = e;
	}
	if (own_count >= STUN_ICMP_MAX)
		return own;
	return unused ? unused : oldest;
}

void icmp_table_record(struct icmp_table *table, const struct endpoint *to,
	const struct stun_icmp *icmp, uint64_t now_us)
{
	struct entry *set = table->entries[set_of(table, to)];
	struct entry *e;

	if (to->family == FAMILY_NONE)
		return;
	for (e = set; e < set + WAYS; e++)
		if (is_alive(e, now_us) && endpoint_equal(&e->to, to) && is_alike(&e->icmp, icmp)) {
			e->time_us = now_us;
			e->icmp.count += e->icmp.count < UINT8_MAX;
			return;
		}
	e = place_for(set, to, now_us);
	*e = (struct entry){.to = *to, .icmp = *icmp, .time_us = now_us};
	e->icmp.count = 1;
}

size_t icmp_table_find(const struct icmp_table *table, const struct endpoint *to, uint64_t now_us,
	struct stun_icmp out[static STUN_ICMP_MAX])
{
	const struct entry *set = table->entries[set_of(table, to)];
	const struct entry *found[STUN_ICMP_MAX];
	size_t count = 0;

	for (const struct entry *e = set; e < set + WAYS && count < STUN_ICMP_MAX; e++) {
		size_t at = count;

		if (!is_alive(e, now_us) || !endpoint_equal(&e->to, to))
			continue;
		for (; at && found[at - 1]->time_us < e->time_us; at--)
			found[at] = found[at - 1];
		found[at] = e;
		count++;
	}
	for (size_t i = 0; i < count; i++)
		out[i] = found[i]->icmp;
	return count;
}
