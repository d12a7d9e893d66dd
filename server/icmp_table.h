// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "wire/stun.h"

/*
 * The ICMP errors that came back for what we had sent, by the endpoint it was sent to. Of fixed
 * size; what is older than ICMP_TABLE_LIFE_US is forgotten, and the oldest gives way when there is
 * no room.
 */

struct icmp_table;

#define ICMP_TABLE_KEY_BYTES 16
#define ICMP_TABLE_LIFE_US   30000000u

/* 0 or -ENOMEM. The key is secret, so that strangers cannot push out each other's entries. */
int icmp_table_create(struct icmp_table **out, const uint8_t key[static ICMP_TABLE_KEY_BYTES]);
void icmp_table_destroy(struct icmp_table *table);

/* Records an error for a packet to the endpoint; those alike are counted (icmp->count is ours). */
void icmp_table_record(struct icmp_table *table, const struct endpoint *to,
	const struct stun_icmp *icmp, uint64_t now_us);

/* The errors recorded for the endpoint, the newest first; returns how many. */
size_t icmp_table_find(const struct icmp_table *table, const struct endpoint *to, uint64_t now_us,
	struct stun_icmp out[static STUN_ICMP_MAX]);
