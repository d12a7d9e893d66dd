// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal.h"

int journal_create(uint64_t start_us, struct journal **out)
{
	struct journal *j = calloc(1, sizeof(*j));

	*out = j;
	if (!j)
		return -ENOMEM;
	j->start_us = start_us;
	j->observations = calloc(JOURNAL_OBSERVATIONS, sizeof(*j->observations));
	j->events = calloc(JOURNAL_EVENTS, sizeof(*j->events));
	if (j->observations && j->events)
		return 0;
	journal_destroy(j);
	*out = NULL;
	return -ENOMEM;
}

void journal_destroy(struct journal *j)
{
	if (!j)
		return;
	free(j->observations);
	free(j->events);
	free(j);
}

void journal_forget(struct journal *j)
{
	memset(j->observations, 0, j->observation_count * sizeof(*j->observations));
	j->server_count = j->observation_count = j->event_count = j->trace_count = 0;
	j->strangers = 0;
}

int journal_add_server(struct journal *j, const struct journal_server *server, size_t *place)
{
	if (j->server_count >= JOURNAL_SERVERS)
		return -ENOSPC;
	*place = j->server_count++;
	j->servers[*place] = *server;
	return 0;
}

struct observation *journal_add_observation(struct journal *j)
{
	if (j->observation_count >= JOURNAL_OBSERVATIONS)
		return NULL;
	return &j->observations[j->observation_count++];
}

size_t journal_place(const struct journal *j, const struct observation *o)
{
	return o ? (size_t)(o - j->observations) : JOURNAL_NONE;
}

struct trace *journal_add_trace(struct journal *j, const struct observation *o)
{
	struct trace *t;

	if (j->trace_count >= JOURNAL_TRACES)
		return NULL;
	t = &j->traces[j->trace_count++];
	*t = (struct trace){.observation = journal_place(j, o), .to = o->to};
	return t;
}

const struct trace *journal_trace(const struct journal *j, const struct observation *o)
{
	for (size_t i = 0; i < j->trace_count; i++)
		if (j->traces[i].observation == journal_place(j, o))
			return &j->traces[i];
	return NULL;
}

static void add_event(struct journal *j, const struct event *e)
{
	if (j->event_count < JOURNAL_EVENTS)
		j->events[j->event_count++] = *e;
	if (j->listener)
		j->listener(j->listener_context, j, e);
}

void journal_event(struct journal *j, uint64_t t_us, enum event_kind kind,
	const struct observation *o, const struct endpoint *from, const struct endpoint *to,
	size_t bytes)
{
	struct event e = {
		.t_us = t_us, .kind = kind, .observation = journal_place(j, o), .bytes = bytes};

	if (from)
		e.from = *from;
	if (to)
		e.to = *to;
	add_event(j, &e);
}

void journal_note(
	struct journal *j, uint64_t t_us, const struct observation *o, const char *format, ...)
{
	struct event e = {.t_us = t_us, .kind = EVENT_NOTE, .observation = journal_place(j, o)};
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(e.note, sizeof(e.note), format, arguments);
	va_end(arguments);
	add_event(j, &e);
}

void journal_settle(
	struct journal *j, uint64_t t_us, struct observation *o, enum observation_state state)
{
	o->state = state;
	o->settled_us = t_us;
	journal_event(j, t_us, EVENT_SETTLED, o, NULL, NULL, 0);
}

static bool is_ours(const struct observation *o, const struct endpoint *e)
{
	return endpoint_equal(e, &o->local) || endpoint_equal(e, &o->answer.mapped);
}

bool observation_other_usable(const struct observation *o)
{
	const struct endpoint *asked = &o->to, *other = &o->answer.other;
	struct endpoint same_port = *other;

	same_port.port = asked->port;
	return other->family == asked->family && endpoint_is_unicast(other) &&
		!endpoint_same_address(asked, other) && other->port != asked->port &&
		!is_ours(o, other) && !is_ours(o, &same_port) &&
		endpoint_is_loopback(asked) == endpoint_is_loopback(other) &&
		(endpoint_is_private(asked) || !endpoint_is_private(other));
}

#define CROSSED_RTT_MIN_US 8000u /* less is within the errors of both clocks */

bool observation_crossed(const struct observation *o, uint64_t rtt_us)
{
	return o->state == OBSERVATION_ANSWERED && o->call.outcome == CONNECTION_MADE &&
		rtt_us >= CROSSED_RTT_MIN_US && 10 * o->call.took_us <= 13 * rtt_us &&
		o->own.segments != 1;
}

bool observation_took_long(const struct observation *o, uint64_t rtt_us)
{
	return o->state == OBSERVATION_ANSWERED && o->call.outcome == CONNECTION_MADE &&
		rtt_us >= CROSSED_RTT_MIN_US && 10 * o->call.took_us >= 15 * rtt_us &&
		10 * o->call.took_us <= 25 * rtt_us && o->own.segments <= 1;
}

const char *question_name(enum question q)
{
	static const char *const names[QUESTION_COUNT] = {
		[QUESTION_BINDING] = "binding",
		[QUESTION_MAPPING] = "mapping",
		[QUESTION_FILTERING_BOTH] = "filtering-both",
		[QUESTION_FILTERING_ADDRESS] = "filtering-address",
		[QUESTION_FILTERING_PORT] = "filtering-port",
		[QUESTION_CONTROL] = "control",
		[QUESTION_PORTS] = "ports",
		[QUESTION_EARLY_BASE] = "early-base",
		[QUESTION_EARLY_CHECK] = "early-check",
		[QUESTION_HAIRPIN_BASE] = "hairpin-base",
		[QUESTION_HAIRPIN] = "hairpin",
		[QUESTION_TCP_CONTROL] = "tcp-control",
		[QUESTION_UDP_CONTROL] = "udp-control",
		[QUESTION_CALL_BASE] = "call-base",
		[QUESTION_SIMULTANEOUS] = "simultaneous-open",
		[QUESTION_SEQUENCE] = "sequence",
		[QUESTION_ICMP_SERVICE] = "icmp-service",
		[QUESTION_ECHO] = "echo",
		[QUESTION_ICMP_ERROR] = "icmp-error",
		[QUESTION_AFTER_ERRORS] = "after-errors",
		[QUESTION_EGRESS] = "egress",
		[QUESTION_ECHO_TIMER] = "echo-timer",
		[QUESTION_TRACE] = "trace",
	};

	return q < QUESTION_COUNT ? names[q] : "unknown";
}

const char *observation_state_name(enum observation_state state)
{
	switch (state) {
	case OBSERVATION_OPEN:
		return "open";
	case OBSERVATION_ANSWERED:
		return "answered";
	case OBSERVATION_SILENT:
		return "silent";
	case OBSERVATION_CHANGE_IGNORED:
		return "change-ignored";
	case OBSERVATION_ERROR:
		return "error";
	case OBSERVATION_REFUSED:
		return "refused";
	case OBSERVATION_ABANDONED:
		return "abandoned";
	}
	return "unknown";
}

const char *transport_name(enum transport transport)
{
	static const char *const names[TRANSPORT_COUNT] = {"udp", "tcp", "icmp"};

	return transport < TRANSPORT_COUNT ? names[transport] : "unknown";
}

const char *icmp_flow_name(enum icmp_flow flow)
{
	static const char *const names[ICMP_FLOW_COUNT] = {
		"none", "udp", "tcp", "attempt", "echo", "foreign"};

	return flow < ICMP_FLOW_COUNT ? names[flow] : "unknown";
}

const char *connection_outcome_name(enum connection_outcome outcome)
{
	switch (outcome) {
	case CONNECTION_MADE:
		return "connected";
	case CONNECTION_REFUSED:
		return "refused";
	case CONNECTION_UNREACHABLE:
		return "unreachable";
	case CONNECTION_SILENT:
		return "silent";
	case CONNECTION_LOCAL:
		return "local";
	case CONNECTION_NONE:
		break;
	}
	return "unknown";
}
