// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "base/clock.h"
#include "server/worker_private.h"

#define NEVER UINT64_MAX

static uint64_t next_us(const struct worker *w)
{
	const uint64_t all[] = {
		worker_rendezvous_next_us(w), worker_calls_next_us(w), worker_icmp_next_us(w)};
	uint64_t next = NEVER;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i] < next)
			next = all[i];
	return next;
}

static void set_timer(struct worker *w)
{
	uint64_t next = next_us(w), now_us;
	struct timeval delay;

	/* a timer that goes off too early finds nothing to do, which is cheaper than to set it all the time */
	if (next >= w->timer_us)
		return;
	now_us = clock_now_us();
	w->timer_us = next;
	next = next > now_us ? next - now_us : 0;
	delay.tv_sec = (time_t)(next / 1000000);
	delay.tv_usec = (suseconds_t)(next % 1000000);
	evtimer_add(w->timer, &delay);
}

void worker_turn(struct worker *w)
{
	worker_turn_rendezvous(w);
	worker_turn_calls(w);
	worker_turn_icmp(w);
	set_timer(w);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct worker *w = context;

	(void)fd;
	(void)what;
	w->timer_us = NEVER;
	w->now_us = clock_now_us();
	worker_tick_rendezvous(w);
	worker_turn(w);
}

int worker_open_time(struct worker *w)
{
	w->timer_us = NEVER;
	w->timer = evtimer_new(w->base, on_timer, w);
	return w->timer ? 0 : -ENOMEM;
}

void worker_close_time(struct worker *w)
{
	if (w->timer)
		event_free(w->timer);
}
