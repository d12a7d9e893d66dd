// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "base/endpoint.h"

/*
 * Cookies that prove a source address over UDP: who shows one has got a datagram that was sent there. They are
 * computed and not stored: a keyed hash of the endpoint and of the time in epochs.
 */

#define COOKIE_BYTES	 16
#define COOKIE_KEY_BYTES 32
#define COOKIE_EPOCH_US	 30000000u

/* The cookie of the endpoint, good in this epoch and the next one. */
void cookie_make(const uint8_t key[static COOKIE_KEY_BYTES], const struct endpoint *from,
	uint64_t now_us, uint8_t out[static COOKIE_BYTES]);

/*
 * Compares in constant time. 0: of this epoch; 1: of the last one, so that it is good for no more than the rest
 * of this epoch; -ESTALE: older, of another endpoint or key, or none at all.
 */
int cookie_check(const uint8_t key[static COOKIE_KEY_BYTES], const struct endpoint *from,
	uint64_t now_us, struct span cookie);
