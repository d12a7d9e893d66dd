// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdint.h>

/* Which counters have been seen, of the last WINDOW_COUNTERS (RFC 6479, without its ring). */

#define WINDOW_WORDS	64
#define WINDOW_COUNTERS (64 * (WINDOW_WORDS - 1))

struct window {
	uint64_t highest; /* 0: none yet */
	uint64_t words[WINDOW_WORDS];
};

/* 0: it is new, and noted; -EALREADY: it has been seen, or is too old to tell. Counters begin at 1. */
int window_take(struct window *w, uint64_t counter);
