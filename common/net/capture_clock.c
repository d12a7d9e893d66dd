// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "net/capture_clock.h"

#define LATE_US 20000 /* from a stamp to its packet being read, or from the look to that */

static int64_t middle(const struct capture_clock_look *look)
{
	return (int64_t)(look->before_us + (look->after_us - look->before_us) / 2);
}

void capture_clock_init(struct capture_clock *c, const struct capture_clock_look *look)
{
	c->offset_us = c->offset_before_us = (int64_t)look->utc_us - middle(look);
	c->looked_us = look->before_us;
	c->now_us = look->after_us;
}

void capture_clock_look(struct capture_clock *c, const struct capture_clock_look *look)
{
	int64_t doubt = (int64_t)(look->after_us - look->before_us) + 1;
	int64_t offset = (int64_t)look->utc_us - middle(look);

	c->now_us = look->after_us;
	/* both clocks are slewed alike; what differs by less than the look took is no difference */
	if (offset - c->offset_us <= doubt && c->offset_us - offset <= doubt)
		return;
	c->offset_before_us = c->offset_us;
	c->offset_us = offset;
}

void capture_clock_emptied(struct capture_clock *c)
{
	c->looked_us = c->now_us;
	c->offset_before_us = c->offset_us;
}

static bool is_possible(const struct capture_clock *c, int64_t time_us)
{
	return time_us >= (int64_t)c->looked_us - LATE_US &&
		time_us <= (int64_t)c->now_us + LATE_US;
}

uint64_t capture_clock_time_us(const struct capture_clock *c, uint64_t utc_us)
{
	int64_t now = (int64_t)utc_us - c->offset_us;
	int64_t before = (int64_t)utc_us - c->offset_before_us;
	int64_t time = is_possible(c, now) || !is_possible(c, before) ? now : before;

	return time < 0 ? 0 : (uint64_t)time;
}
