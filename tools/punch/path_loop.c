// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "tools/punch/path_private.h"

/* The event loop around a path: timers, signals, begin and end. */

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct path *p = context;

	(void)fd;
	(void)what;
	carrier_turn(p->carrier);
	path_turn(p);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
	struct path *p = context;

	(void)fd;
	(void)what;
	p->result->late = true;
	path_enter(p, FAILING, clock_now_us());
	path_turn(p);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	struct path *p = context;

	(void)what;
	if (p->result->signal) { /* somebody is in a hurry */
		path_enter(p, OVER, 0);
		return;
	}
	p->result->signal = (int)number;
	path_stop(p);
}

/* --- begin and end --- */

static int create_events(struct path *p)
{
	static const int numbers[PATH_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
	const uint64_t limit_us = p->config->limit_us;
	struct timeval limit = {(time_t)(limit_us / 1000000), (suseconds_t)(limit_us % 1000000)};

	p->timer = event_new(p->base, -1, 0, on_timer, p);
	p->deadline = event_new(p->base, -1, 0, on_deadline, p);
	if (!p->timer || !p->deadline)
		return -ENOMEM;
	/* a session without a server has it itself, and can say more at its end */
	if (!p->config->manual && !p->config->knocks && event_add(p->deadline, &limit))
		return -ENOMEM;
	for (int i = 0; i < PATH_SIGNALS; i++) {
		p->signals[i] = evsignal_new(p->base, numbers[i], on_signal, p);
		if (!p->signals[i] || event_add(p->signals[i], NULL))
			return -ENOMEM;
	}
	return 0;
}

/* Regular files work with poll only. */
static int create_base(struct path *p)
{
	struct event_config *config = event_config_new();

	if (!config)
		return -ENOMEM;
	event_config_require_features(config, EV_FEATURE_FDS);
	p->base = event_base_new_with_config(config);
	event_config_free(config);
	return p->base ? 0 : -ENOMEM;
}

static int begin(struct path *p)
{
	const struct path_config *c = p->config;
	struct carrier_config carrier = {.session = c->session,
		.tcp = c->tcp,
		.raw = c->raw,
		.interface = c->interface,
		.local = {c->local[0], c->local[1]},
		.changed = path_changed,
		.datagram = path_datagram,
		.context = p,
		.watch = &c->watch};
	int err = create_base(p);

	if (!err)
		err = create_events(p);
	if (!err)
		watch_begin(&c->watch, p->base);
	carrier.base = p->base;
	if (!err)
		err = carrier_create(&carrier, &p->carrier);
	if (!err)
		err = path_use_prepare(p);
	return err;
}

static void finish(struct path *p)
{
	struct path_result *r = p->result;

	if (path_way_exists(p)) {
		r->flow = path_way_statistics(p);
		r->stood = r->flow.heard_us != 0 && !p->mute;
		r->fd = path_way_take(p);
	}
	if (r->fd < 0)
		r->fd = -1;
	path_use_end(p);
	path_way_end(p);
	carrier_destroy(p->carrier);
	if (p->base)
		watch_end(&p->config->watch);
	for (int i = 0; i < PATH_SIGNALS; i++)
		if (p->signals[i])
			event_free(p->signals[i]);
	if (p->timer)
		event_free(p->timer);
	if (p->deadline)
		event_free(p->deadline);
	if (p->base)
		event_base_free(p->base);
}

int path_run(const struct path_config *config, struct path_result *out)
{
	struct path p = {.config = config, .result = out, .until_us = UINT64_MAX};
	int err;

	*out = (struct path_result){.fd = -1};
	err = begin(&p);
	if (!err && config->interrupted)
		out->signal = *config->interrupted;
	if (!err && !out->signal) {
		carrier_turn(p.carrier);
		if (p.phase != OVER)
			event_base_dispatch(p.base);
	}
	finish(&p);
	return err;
}
