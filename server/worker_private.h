// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "net/udp.h"
#include "server/call.h"
#include "server/caller.h"
#include "server/icmp_table.h"
#include "server/inquiry.h"
#include "server/limits.h"
#include "server/raw.h"
#include "server/rendezvous.h"
#include "server/responder.h"
#include "server/stream.h"
#include "server/worker.h"

/* What the parts of the worker share: UDP, the rendezvous with its TCP, calls, and ICMP; nobody else includes this. */

#define WORKER_SIGNALS 2

struct listener {
	struct worker *worker;
	unsigned index;
	int fd;
	struct event *event;
	struct udp_batch *out;
};

struct counts {
	uint64_t requests, replies, ignored, refused, icmp_errors, unsent;
};

struct worker {
	struct event_base *base;
	struct event *signals[WORKER_SIGNALS];
	struct listener listeners[RESPONDER_ENDPOINTS];
	struct udp_batch *in;
	struct responder responder;
	struct limits *limits;
	struct icmp_table *icmp;
	struct log *log;
	uint64_t now_us; /* when this turn began */
	struct counts counts;
	struct responder_replies replies;
	struct event *timer;
	uint64_t timer_us; /* when the timer is set to; UINT64_MAX: not */

	/* NULL with --no-rendezvous */
	struct store *store;
	struct rendezvous *rendezvous;
	struct stream *stream;
	struct event *stream_event;
	struct rendezvous_output output;

	/* NULL with --no-calls, too */
	struct calls *calls;
	struct callers *callers;
	struct event *callers_event;
	const struct endpoint *local; /* RESPONDER_ENDPOINTS of them, as they are bound */
	struct calls_output call_output;

	/* NULL with --no-icmp, or without the privilege */
	struct raws *raws;
	struct event *raws_event;
	struct inquiries *inquiries;
	struct inquiries_output inquiry_output;
};

/* --- worker.c --- */

/* Into the batch of our endpoint `local`, which worker_flush sends. */
void worker_queue(struct worker *w, unsigned local, const struct endpoint *to, const void *data,
	size_t length);
void worker_flush(struct worker *w);
/* A request for which its source had no tokens left. */
void worker_refuse(struct worker *w, const struct endpoint *from);

/* --- worker_rendezvous.c --- */

/* The store, the engine and the TCP listeners. 0, or a negative errno with one line in error. */
int worker_open_rendezvous(
	struct worker *w, const struct settings *settings, char *error, size_t error_size);
void worker_close_rendezvous(struct worker *w);

/* Over this connection, or, when it is 0, as worker_queue does. */
void worker_send(struct worker *w, uint64_t connection, unsigned local, const struct endpoint *to,
	const void *data, size_t length);

/* One message of the rendezvous, and its answer. */
void worker_meet(struct worker *w, const struct rendezvous_input *in);

/* What has become due is sent; what has to be done besides when the timer goes off; and when that has to be. */
void worker_turn_rendezvous(struct worker *w);
void worker_tick_rendezvous(struct worker *w);
uint64_t worker_rendezvous_next_us(const struct worker *w);

void worker_summarise(const struct worker *w, struct log_line *line);

/* --- worker_call.c --- */

/* The engine of calls and its sockets. 0 or a negative errno. */
int worker_open_calls(struct worker *w, const struct settings *settings);
void worker_close_calls(struct worker *w);

/* One request for calls, and its answer. */
void worker_call(struct worker *w, const struct calls_input *in);

/* What has become due is done; and when that will be the next time, UINT64_MAX: never. */
void worker_turn_calls(struct worker *w);
uint64_t worker_calls_next_us(const struct worker *w);

void worker_summarise_calls(const struct worker *w, struct log_line *line);

/* --- worker_icmp.c --- */

/* The raw sockets, and the engine; where they cannot be had a line is logged. 0 or a negative errno. */
int worker_open_icmp(struct worker *w, const struct settings *settings);
void worker_close_icmp(struct worker *w);

/* One request about ICMP, and its answer. */
void worker_inquire(struct worker *w, const struct inquiries_input *in);

/* Takes what raw sockets have seen up to now. */
void worker_look(struct worker *w);

/* What has become due is done; and when that will be the next time, UINT64_MAX: never. */
void worker_turn_icmp(struct worker *w);
uint64_t worker_icmp_next_us(const struct worker *w);

void worker_summarise_icmp(const struct worker *w, struct log_line *line);

/* --- worker_time.c --- */

/* The timer. 0 or -ENOMEM. */
int worker_open_time(struct worker *w);
void worker_close_time(struct worker *w);

/* At the end of each turn: what has become due meanwhile is done, and the timer set. */
void worker_turn(struct worker *w);
