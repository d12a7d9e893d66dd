// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "server/worker_private.h"

/* A request with all that follows from it: its answer, five calls, and what is told of them. */
#define REQUEST_TOKENS 40

/* --- the log --- */

static const char *outcome_name(enum call_outcome outcome)
{
	return outcome == CALL_CONNECTED      ? "connected"
		: outcome == CALL_REFUSED     ? "refused"
		: outcome == CALL_UNREACHABLE ? "unreachable"
		: outcome == CALL_SILENT      ? "silent"
					      : "local";
}

static void log_call(struct worker *w)
{
	const struct calls_output *out = &w->call_output;
	struct log_line line;

	if (!out->outcome || w->log->level < LOG_LEVEL_DEBUG)
		return;
	line = log_begin(w->log, LOG_LEVEL_DEBUG, "call");
	log_endpoint(&line, "from", &out->from);
	log_text(&line, "outcome", outcome_name(out->outcome));
	log_number(&line, "us", out->elapsed_us);
	log_client(&line, "client", &out->called);
	log_end(&line);
}

static void log_refusal(struct worker *w, const struct endpoint *from)
{
	const struct calls_output *out = &w->call_output;
	struct log_line line;

	if (out->error != CALL_QUOTA && out->error != CALL_BUSY)
		return;
	line = log_begin(w->log, LOG_LEVEL_WARNING, "call_limit");
	log_number(&line, "error", out->error);
	log_client(&line, "client", from);
	log_end(&line);
}

/* --- what the engine wants --- */

static void send_output(struct worker *w)
{
	const struct calls_output *out = &w->call_output;

	if (out->length)
		worker_send(w, out->connection, out->local, &out->to, out->bytes, out->length);
}

static void act(struct worker *w);

static void connect_call(struct worker *w)
{
	const struct calls_output *out = &w->call_output;
	struct calls_event failure = {.number = out->number, .local = true};

	failure.error = callers_connect(w->callers, out->number, &out->to);
	if (!failure.error)
		return;
	calls_event(w->calls, clock_now_us(), &failure, &w->call_output);
	act(w);
}

static void act(struct worker *w)
{
	const struct calls_output *out = &w->call_output;

	log_call(w);
	send_output(w);
	switch (out->step) {
	case CALLS_NOTHING:
		break;
	case CALLS_CONNECT:
		connect_call(w);
		break;
	case CALLS_GREET:
		callers_greet(w->callers, out->number, out->bytes, out->length);
		break;
	case CALLS_CLOSE:
		callers_close(w->callers, out->number);
		break;
	}
}

void worker_call(struct worker *w, const struct calls_input *in)
{
	uint64_t now_us = clock_now_us();

	if (!limits_take(w->limits, &in->from, REQUEST_TOKENS, now_us)) {
		w->counts.requests++;
		worker_refuse(w, &in->from);
		return;
	}
	calls_input(w->calls, now_us, in, &w->call_output);
	if (!w->call_output.length) {
		w->counts.ignored++;
		return;
	}
	w->counts.requests++;
	log_refusal(w, &in->from);
	act(w);
}

static void on_event(void *context, const struct calls_event *event)
{
	struct worker *w = context;

	/* the segment that has brought this about was seen before */
	worker_look(w);
	calls_event(w->calls, clock_now_us(), event, &w->call_output);
	act(w);
}

static void on_callers(evutil_socket_t fd, short what, void *context)
{
	struct worker *w = context;

	(void)fd;
	(void)what;
	w->now_us = clock_now_us();
	callers_run(w->callers);
	worker_turn(w);
}

/* --- time --- */

void worker_turn_calls(struct worker *w)
{
	while (w->calls && calls_poll(w->calls, clock_now_us(), &w->call_output))
		act(w);
}

uint64_t worker_calls_next_us(const struct worker *w)
{
	return w->calls ? calls_next_us(w->calls) : UINT64_MAX;
}

void worker_summarise_calls(const struct worker *w, struct log_line *line)
{
	const struct calls_counts *c;

	if (!w->calls)
		return;
	c = calls_counts(w->calls);
	log_number(line, "calls", c->made);
	log_number(line, "calls_connected", c->connected);
	log_number(line, "calls_refused", c->refused);
	log_number(line, "calls_unreachable", c->unreachable);
	log_number(line, "calls_silent", c->silent);
	log_number(line, "calls_local", c->local);
	log_number(line, "calls_cancelled", c->cancelled);
	log_number(line, "calls_denied", c->denied);
}

/* --- making and ending --- */

static int bind_call(void *context, unsigned number, unsigned local, uint16_t *port)
{
	struct worker *w = context;

	return callers_bind(w->callers, number, &w->local[local], port);
}

int worker_open_calls(struct worker *w, const struct settings *settings)
{
	struct calls_config config = {.bind = bind_call, .context = w};
	uint8_t key[SOURCES_KEY_BYTES];
	struct random random;
	int err;

	w->local = settings->local;
	memcpy(config.advertised, settings->advertised, sizeof(config.advertised));
	random_init(&random);
	random_bytes(&random, key, sizeof(key));
	err = calls_create(&w->calls, &config, key);
	if (!err)
		err = callers_create(&w->callers, on_event, w);
	if (err)
		return err;
	w->callers_event =
		event_new(w->base, callers_fd(w->callers), EV_READ | EV_PERSIST, on_callers, w);
	return !w->callers_event || event_add(w->callers_event, NULL) ? -ENOMEM : 0;
}

void worker_close_calls(struct worker *w)
{
	if (w->callers_event)
		event_free(w->callers_event);
	callers_destroy(w->callers);
	calls_destroy(w->calls);
}
