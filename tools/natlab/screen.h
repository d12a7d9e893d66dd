// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lab/topology.h"
#include "lab/world.h"

/* The live view of --watch: the tables of the NATs, below them the last lines that commands have printed. */

#define SCREEN_LINES 64 /* remembered */
#define SCREEN_WIDTH 256

struct screen {
	char lines[SCREEN_LINES][SCREEN_WIDTH];
	size_t count; /* printed so far */
};

/* One more line of a command, which is escaped and cut off if need be. */
void screen_line(struct screen *s, const char *host, const char *text);

struct screen_size {
	size_t columns, rows;
	bool colored;
};

/* The whole screen, from its upper left corner on, with what was there before overwritten. */
void screen_draw(const struct screen *s, const struct topology *t, struct world *w, uint64_t now_us,
	struct screen_size size, FILE *out);
