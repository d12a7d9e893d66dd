// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/control.h"
#include "lab/isolate.h"
#include "lab/pump.h"
#include "lab/run.h"

struct laboratory {
	const struct run_config *config;
	struct run_result *result;
	struct world *world;
	struct hosts *hosts;
	struct event_base *base;
	struct pump *pump;
	struct control *control;
	struct commands *commands;
	struct event *interrupt, *terminate, *limit, *tick;
	struct watched {
		struct laboratory *laboratory;
		int node;
	} watched[WORLD_NODES_MAX];
	char *error;
	size_t error_size;
	int err;
};

static int complain(struct laboratory *l, const char *what, int err)
{
	snprintf(l->error, l->error_size, "%s: %s", what, strerror(-err));
	return err;
}

/* --- signals and time --- */

static void stop(struct laboratory *l, int signal)
{
	bool knows = signal == SIGINT && l->config->terminal;

	commands_stop(l->commands, knows ? 0 : signal);
	if (!l->config->command_count)
		event_base_loopbreak(l->base);
}

static void on_interrupt(evutil_socket_t fd, short what, void *context)
{
	struct laboratory *l = context;

	(void)fd;
	(void)what;
	l->result->signal = SIGINT;
	stop(l, SIGINT);
}

static void on_terminate(evutil_socket_t fd, short what, void *context)
{
	struct laboratory *l = context;

	(void)fd;
	(void)what;
	l->result->signal = SIGTERM;
	stop(l, SIGTERM);
}

static void on_limit(evutil_socket_t fd, short what, void *context)
{
	struct laboratory *l = context;

	(void)fd;
	(void)what;
	l->result->late = true;
	stop(l, SIGTERM);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	const struct run_observer *o = &((struct laboratory *)context)->config->observer;

	(void)fd;
	(void)what;
	o->tick(o->context);
}

/* --- what is observed --- */

static void on_table(void *context, const struct nat_event *event)
{
	const struct watched *w = context;
	const struct run_observer *o = &w->laboratory->config->observer;

	o->table(o->context, w->node, event);
}

static void watch_tables(struct laboratory *l)
{
	for (int i = 1; i < world_count(l->world); i++) {
		struct nat *nat = world_nat(l->world, i);

		l->watched[i] = (struct watched){l, i};
		if (nat)
			nat_listen(nat, on_table, &l->watched[i]);
	}
}

static void on_line(void *context, size_t command, int stream, const char *text, size_t length)
{
	const struct run_observer *o = &((struct laboratory *)context)->config->observer;

	if (o->line)
		o->line(o->context, command, stream, text, length);
}

static void on_started(void *context, size_t command)
{
	const struct run_observer *o = &((struct laboratory *)context)->config->observer;

	if (o->started)
		o->started(o->context, command);
}

static void on_ended(void *context, size_t command, int status)
{
	const struct run_observer *o = &((struct laboratory *)context)->config->observer;

	if (o->ended)
		o->ended(o->context, command, status);
}

static void on_done(void *context, const char *error)
{
	struct laboratory *l = context;

	if (error && !l->result->signal && !l->result->late) {
		snprintf(l->error, l->error_size, "%s", error);
		l->err = -ECHILD;
	}
	if (l->config->command_count)
		event_base_loopbreak(l->base);
}

/* --- from beginning to end --- */

static struct event_base *create_base(void)
{
	struct event_config *c = event_config_new();
	struct event_base *base = NULL;

	if (c && !event_config_set_flag(c, EVENT_BASE_FLAG_PRECISE_TIMER))
		base = event_base_new_with_config(c);
	if (c)
		event_config_free(c);
	return base;
}

static int add_timer(struct laboratory *l, struct event **out, short flags,
	event_callback_fn handler, uint64_t us)
{
	struct timeval time = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};

	*out = event_new(l->base, -1, flags, handler, l);
	return *out && !event_add(*out, &time) ? 0 : -ENOMEM;
}

static int add_signal(
	struct laboratory *l, struct event **out, int signal, event_callback_fn handler)
{
	*out = evsignal_new(l->base, signal, handler, l);
	return *out && !event_add(*out, NULL) ? 0 : -ENOMEM;
}

static int create_events(struct laboratory *l)
{
	const struct run_config *c = l->config;
	int err = add_signal(l, &l->interrupt, ISOLATE_INTERRUPT, on_interrupt);

	if (!err)
		err = add_signal(l, &l->terminate, ISOLATE_TERMINATE, on_terminate);
	isolate_take_signals();
	if (!err && c->limit_us)
		err = add_timer(l, &l->limit, 0, on_limit, c->limit_us);
	if (!err && c->observer.tick)
		err = add_timer(l, &l->tick, EV_PERSIST, on_tick, c->observer.tick_us);
	return err;
}

static int begin_commands(struct laboratory *l)
{
	const struct commands_config commands = {.list = l->config->commands,
		.count = l->config->command_count,
		.seed = l->config->seed,
		.line = on_line,
		.started = on_started,
		.ended = on_ended,
		.done = on_done,
		.context = l};

	return commands_begin(l->base, l->hosts, &commands, &l->commands);
}

static int create(struct laboratory *l)
{
	const struct run_config *c = l->config;
	int err = topology_build(c->topology, c->seed, &l->world, l->error, l->error_size);

	if (!err)
		err = hosts_create(c->topology, &l->hosts, l->error, l->error_size);
	if (err)
		return err;
	if (c->observer.packet)
		world_listen(l->world, c->observer.packet, c->observer.context);
	if (c->observer.table)
		watch_tables(l);
	l->base = create_base();
	err = l->base ? create_events(l) : -ENOMEM;
	if (!err)
		err = pump_create(l->base, l->world, l->hosts, &l->pump);
	if (!err && c->control >= 0)
		err = control_begin(l->base, c->control, c->topology, l->hosts, &l->control);
	if (!err && c->observer.ready)
		c->observer.ready(c->observer.context, l->world);
	if (!err)
		err = begin_commands(l);
	return err ? complain(l, "cannot begin", err) : 0;
}

static void free_event(struct event *e)
{
	if (e)
		event_free(e);
}

static void destroy(struct laboratory *l)
{
	commands_destroy(l->commands);
	control_destroy(l->control);
	pump_destroy(l->pump);
	free_event(l->interrupt);
	free_event(l->terminate);
	free_event(l->limit);
	free_event(l->tick);
	if (l->base)
		event_base_free(l->base);
	hosts_destroy(l->hosts);
	world_destroy(l->world);
}

int laboratory_run(
	const struct run_config *config, struct run_result *out, char *error, size_t size)
{
	struct laboratory *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	memset(out, 0, sizeof(*out));
	*l = (struct laboratory){
		.config = config, .result = out, .error = error, .error_size = size};
	err = create(l);
	if (!err && event_base_dispatch(l->base) < 0)
		err = complain(l, "cannot wait for events", -EIO);
	for (size_t i = 0; !err && i < config->command_count; i++)
		out->statuses[i] = commands_status(l->commands, i);
	if (!err && config->observer.over)
		config->observer.over(config->observer.context, l->world);
	if (!err)
		err = l->err;
	destroy(l);
	free(l);
	return err;
}
