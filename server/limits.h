// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"

/*
 * A token bucket for each source address (IPv4 /32, IPv6 /64) in a table of fixed size. Where a
 * source lands in it depends on a secret key, so that strangers cannot aim at each other's place.
 * When there is no room the fullest bucket gives way: to forget it changes least.
 */

struct limits;

#define LIMITS_KEY_BYTES 16

/* rate: tokens per second and source, 0: no limit; a bucket holds those of two seconds. */
int limits_create(struct limits **out, uint32_t rate, const uint8_t key[static LIMITS_KEY_BYTES]);
void limits_destroy(struct limits *limits);

/*
 * Whether the source may have something that costs so many tokens; if so they are taken. What
 * costs more than a bucket holds can be had for a full one.
 */
bool limits_take(
	struct limits *limits, const struct endpoint *from, uint32_t cost, uint64_t now_us);

/* Tokens for replies: one each, and one for every 8 bytes that go out beyond what came in. */
uint32_t limits_cost(unsigned datagrams, size_t bytes_in, size_t bytes_out);
