// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "journal/trail.h"

int trail_create(uint64_t start_us, struct trail **out)
{
	struct trail *t = calloc(1, sizeof(*t));

	if (t)
		t->events = calloc(TRAIL_EVENTS, sizeof(*t->events));
	if (!t || !t->events) {
		free(t);
		return -ENOMEM;
	}
	t->start_us = start_us;
	*out = t;
	return 0;
}

void trail_destroy(struct trail *t)
{
	if (!t)
		return;
	free(t->events);
	free(t);
}

void trail_attempt(struct trail *t, uint64_t t_us, const char *strategy)
{
	struct trail_attempt *a = &t->attempts[t->attempt];

	if (*a->strategy && !a->end_us)
		a->end_us = t_us;
	if (t->attempt + 1 < TRAIL_ATTEMPTS && *a->strategy)
		a = &t->attempts[++t->attempt];
	snprintf(a->strategy, sizeof(a->strategy), "%s", strategy);
	if (!a->begin_us)
		a->begin_us = t_us;
}

bool trail_has_attempt(const struct trail *t)
{
	return *t->attempts[0].strategy;
}

/* Errors of this host itself have no offender, and are alike in that. */
static bool is_same_place(const struct endpoint *a, const struct endpoint *b)
{
	return endpoint_same_address(a, b) ||
		(a->family == FAMILY_NONE && b->family == FAMILY_NONE);
}

static void count_error(
	struct trail_error *errors, size_t *count, size_t max, const struct trail_event *e)
{
	struct trail_error *error;

	for (size_t i = 0; i < *count; i++) {
		error = &errors[i];
		if (error->type != e->type || error->code != e->code ||
			error->attempt != e->attempt ||
			!is_same_place(&error->offender, &e->from) ||
			!is_same_place(&error->to, &e->to))
			continue;
		if (error->to.port != e->to.port)
			error->to.port = 0;
		error->count++;
		return;
	}
	if (*count == max)
		return;
	errors[(*count)++] = (struct trail_error){.offender = e->from,
		.to = e->to,
		.type = e->type,
		.code = e->code,
		.count = 1,
		.attempt = e->attempt};
}

/*
 * The latest packet to the peer that the error can be about; NULL: there was none. Where not all are remembered the
 * address has to do.
 */
static const struct trail_event *find_packet(const struct trail *t, const struct trail_event *error)
{
	bool all = t->event_count < TRAIL_EVENTS;

	for (size_t i = t->event_count; i-- > 0;) {
		const struct trail_event *e = &t->events[i];

		if (e->kind != TRAIL_SENT || !endpoint_same_address(&e->to, &error->to))
			continue;
		if (!all || (e->socket == error->socket && e->to.port == error->to.port))
			return e;
	}
	return NULL;
}

static void attribute(const struct trail *t, struct trail_event *e)
{
	const struct trail_event *packet;

	e->attempt = t->attempt;
	if (e->kind != TRAIL_ICMP)
		return;
	packet = find_packet(t, e);
	e->server = !packet;
	e->attempt = packet ? packet->attempt : 0;
}

static void count_icmp(struct trail *t, const struct trail_event *e)
{
	if (e->server) {
		count_error(t->server_errors, &t->server_error_count, TRAIL_SERVER, e);
		return;
	}
	t->attempts[e->attempt].errors++;
	count_error(t->errors, &t->error_count, TRAIL_ERRORS, e);
}

static void count(struct trail *t, const struct trail_event *e)
{
	struct trail_attempt *a = &t->attempts[t->attempt];

	switch (e->kind) {
	case TRAIL_SENT:
		a->sent++;
		break;
	case TRAIL_RECEIVED:
		a->received++;
		break;
	case TRAIL_REFUSED:
		a->refused++;
		break;
	case TRAIL_OPENED:
		a->opened++;
		a->accepted += e->accepted;
		break;
	case TRAIL_RESET:
		a->resets++;
		break;
	case TRAIL_STRANGER:
		t->strangers++;
		break;
	case TRAIL_ICMP:
		count_icmp(t, e);
		break;
	default:
		break;
	}
}

void trail_end(struct trail *t, uint64_t t_us, bool succeeded)
{
	struct trail_attempt *a = &t->attempts[t->attempt];

	a->end_us = t_us;
	a->succeeded = succeeded;
}

void trail_add(struct trail *t, const struct trail_event *event)
{
	struct trail_event e = *event;

	attribute(t, &e);
	count(t, &e);
	if (t->event_count < TRAIL_EVENTS)
		t->events[t->event_count++] = e;
	if (t->listener)
		t->listener(t->listener_context, &e);
}

void trail_step(struct trail *t, uint64_t t_us, const char *format, ...)
{
	struct trail_event e = {.t_us = t_us, .kind = TRAIL_STEP};
	va_list args;

	va_start(args, format);
	vsnprintf(e.text, sizeof(e.text), format, args);
	va_end(args);
	trail_add(t, &e);
}
