// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "punch/window.h"

/* The words between the old and the new highest counter have nothing in them yet. */
static void advance(struct window *w, uint64_t counter)
{
	uint64_t from = w->highest / 64, words = counter / 64 - from;

	if (words >= WINDOW_WORDS)
		memset(w->words, 0, sizeof(w->words));
	else
		for (uint64_t i = 1; i <= words; i++)
			w->words[(from + i) % WINDOW_WORDS] = 0;
	w->highest = counter;
}

int window_take(struct window *w, uint64_t counter)
{
	uint64_t *word = &w->words[counter / 64 % WINDOW_WORDS], bit = 1ull << counter % 64;

	if (!counter || (counter <= w->highest && w->highest - counter >= WINDOW_COUNTERS))
		return -EALREADY;
	if (counter > w->highest)
		advance(w, counter);
	else if (*word & bit)
		return -EALREADY;
	*word |= bit;
	return 0;
}
