// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

/* One direction of a link: what becomes of a packet, and when it arrives. Pure; randomness is its own. */

struct link_config {
	uint64_t delay_us;
	uint64_t jitter_us; /* up to so much is added, evenly spread; packets keep their order … */
	double loss, duplicate; /* of each packet, 0 to 1 */
	double reorder; /* … but these, held back by up to 1 ms, delay and jitter together */
	uint64_t rate_bps; /* bits per second; 0: any number */
	uint64_t queue_us; /* a packet that would wait longer for the rate is lost; 0: 100 ms */
};

struct link {
	struct link_config config;
	struct random random;
	uint64_t free_us; /* when the last packet will have been sent … */
	uint64_t free_parts; /* … and what it takes besides: of a microsecond, rate_bps to each */
	uint64_t last_us; /* when the last one that is in order arrives */
};

enum link_fate { LINK_ARRIVES, LINK_LOST, LINK_QUEUE_FULL };

struct link_arrival {
	enum link_fate fate;
	unsigned copies; /* 1 or 2 */
	uint64_t at_us[2]; /* when each copy arrives */
};

void link_init(struct link *l, const struct link_config *config, uint64_t seed);

/* Sends so many bytes. */
struct link_arrival link_send(struct link *l, uint64_t now_us, size_t bytes);
