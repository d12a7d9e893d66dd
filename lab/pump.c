// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/pump.h"
#include "wire/packet.h"

#define BATCH 64 /* packets of one host before the others have their turn */

struct pump {
	struct world *world;
	const struct hosts *hosts;
	struct event *timer;
	struct source {
		struct pump *pump;
		struct event *readable;
		int node;
	} sources[WORLD_NODES_MAX];
	uint8_t bytes[PACKET_BYTES_MAX];
};

/* All that is due, and the timer for what is not. */
static void advance(struct pump *p)
{
	struct world_arrival a;
	uint64_t deadline_us, now_us;
	struct timeval wait;

	do {
		now_us = clock_now_us();
		while (world_poll(p->world, now_us, &a, &deadline_us))
			/* a full queue loses the packet, as a real one would */
			if (write(hosts_tun(p->hosts, a.host), a.bytes, a.length) < 0)
				continue;
		if (deadline_us == UINT64_MAX) {
			event_del(p->timer);
			return;
		}
		now_us = clock_now_us();
	} while (deadline_us <= now_us);
	deadline_us -= now_us;
	wait = (struct timeval){
		(time_t)(deadline_us / 1000000), (suseconds_t)(deadline_us % 1000000)};
	event_add(p->timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	advance(context);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct source *s = context;
	struct pump *p = s->pump;

	(void)what;
	for (int i = 0; i < BATCH; i++) {
		ssize_t n = read(fd, p->bytes, sizeof(p->bytes));

		if (n <= 0)
			break;
		world_input(p->world, clock_now_us(), s->node, p->bytes, (size_t)n);
	}
	advance(p);
}

static int add_source(struct pump *p, struct event_base *base, int node, int tun)
{
	struct source *s = &p->sources[node];

	*s = (struct source){.pump = p, .node = node};
	s->readable = event_new(base, tun, EV_READ | EV_PERSIST, on_readable, s);
	return s->readable && !event_add(s->readable, NULL) ? 0 : -ENOMEM;
}

int pump_create(
	struct event_base *base, struct world *world, const struct hosts *hosts, struct pump **out)
{
	struct pump *p = calloc(1, sizeof(*p));
	int err = 0;

	if (!p)
		return -ENOMEM;
	p->world = world;
	p->hosts = hosts;
	p->timer = event_new(base, -1, 0, on_timer, p);
	if (!p->timer)
		err = -ENOMEM;
	for (int i = 1; i < world_count(world) && !err; i++)
		if (hosts_tun(hosts, i) >= 0)
			err = add_source(p, base, i, hosts_tun(hosts, i));
	if (err) {
		pump_destroy(p);
		return err;
	}
	*out = p;
	return 0;
}

void pump_destroy(struct pump *p)
{
	if (!p)
		return;
	if (p->timer)
		event_free(p->timer);
	for (int i = 0; i < WORLD_NODES_MAX; i++)
		if (p->sources[i].readable)
			event_free(p->sources[i].readable);
	free(p);
}
