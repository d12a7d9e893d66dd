// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "server/store.h"

/*
 * The store of one server, in its memory: a hash table under a secret key and one heap of timers. A session that
 * waits is one allocation and its slot, which is as large as it is; the second place comes with the second party.
 */

#define STORE_MEMORY_KEY_BYTES	  16
#define STORE_MEMORY_SESSIONS_MAX 10000000u

struct store_memory_limits {
	uint32_t sessions; /* at most so many at once, 1 to STORE_MEMORY_SESSIONS_MAX */
	uint32_t per_source; /* places that one source (IPv4 /32, IPv6 /64) may hold */
};

/* 0 or -ENOMEM. The key is secret, so that strangers cannot aim at one bucket. */
int store_memory_create(struct store **out, const struct store_memory_limits *limits,
	const uint8_t key[static STORE_MEMORY_KEY_BYTES]);
