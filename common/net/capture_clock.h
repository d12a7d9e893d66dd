// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The kernel stamps captured packets with UTC, which somebody may set while a capture runs; a run counts on the clock of
 * base/clock.h. Pure: who uses it reads the clocks.
 */

/* One look at both clocks. */
struct capture_clock_look {
	uint64_t before_us, utc_us, after_us; /* of the run's clock, of UTC, of the run's again */
};

struct capture_clock {
	int64_t offset_us; /* of UTC against the run's clock */
	int64_t offset_before_us; /* before UTC was set, or the same */
	uint64_t
		looked_us; /* on the run's clock, when everything captured up to then had been read */
	uint64_t now_us; /* of the last look */
};

void capture_clock_init(struct capture_clock *c, const struct capture_clock_look *look);

/* To be called before captured packets are read: has UTC been set since? */
void capture_clock_look(struct capture_clock *c, const struct capture_clock_look *look);

/* To be called when all that had been captured at the last look was read. */
void capture_clock_emptied(struct capture_clock *c);

/*
 * The time on the run's clock of a packet that is read now. When UTC was set since the last reading, it is told by what
 * is possible on which side of that it was captured.
 */
uint64_t capture_clock_time_us(const struct capture_clock *c, uint64_t utc_us);
