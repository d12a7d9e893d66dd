// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "server/store_memory.h"
#include "server/worker_private.h"

#define PLACES_PER_SOURCE 64
#define OUTPUTS_PER_TURN  256 /* then the sockets have their turn, however many are due */
#define OTHER_DESCRIPTORS 64 /* besides connections and calls: sockets, log, event loop */
#define CONNECTIONS_MIN	  64
#define NEVER		  UINT64_MAX

/* --- the log --- */

static const char *event_name(enum rendezvous_event event)
{
	return event == RENDEZVOUS_WAITS ? "join" : event == RENDEZVOUS_PAIRED ? "pair" : "leave";
}

/* Never a slot nor the session itself: a tag that means nothing outside of this process. */
static void log_event(struct worker *w, const struct endpoint *from)
{
	const struct rendezvous_output *out = &w->output;
	struct log_line line;
	char tag[16];

	if (w->log->level < LOG_LEVEL_DEBUG)
		return;
	line = log_begin(w->log, LOG_LEVEL_DEBUG, event_name(out->event));
	snprintf(tag, sizeof(tag), "%08x", (unsigned)out->tag);
	log_text(&line, "session", tag);
	if (from)
		log_client(&line, "client", from);
	else
		log_text(&line, "reason", "silent");
	log_end(&line);
}

static void log_limit(struct worker *w, const struct endpoint *from)
{
	struct log_line line = log_begin(w->log, LOG_LEVEL_WARNING, "limit");

	log_number(&line, "error", w->output.error);
	log_client(&line, "client", from);
	log_end(&line);
}

static void log_output(struct worker *w, const struct endpoint *from)
{
	const struct rendezvous_output *out = &w->output;

	if (out->event == RENDEZVOUS_REFUSED) {
		if (out->error == RENDEZVOUS_QUOTA || out->error == RENDEZVOUS_FULL)
			log_limit(w, from);
	} else if (out->event != RENDEZVOUS_NOTHING) {
		log_event(w, from);
	}
}

/* --- messages --- */

void worker_send(struct worker *w, uint64_t connection, unsigned local, const struct endpoint *to,
	const void *data, size_t length)
{
	if (!connection)
		worker_queue(w, local, to, data, length);
	else if (!stream_send(w->stream, connection, data, length))
		w->counts.replies++;
	else
		w->counts.unsent++;
}

static void send_output(struct worker *w)
{
	const struct rendezvous_output *out = &w->output;

	worker_send(w, out->connection, out->local, &out->to, out->bytes, out->length);
}

/*
 * A token is taken before anything is looked at, so that who has none changes nothing; the rest of the
 * price, for what is longer than the request, when the answer is known.
 */
void worker_meet(struct worker *w, const struct rendezvous_input *in)
{
	const struct rendezvous_output *out = &w->output;
	uint64_t now_us = clock_now_us();
	uint32_t rest;

	if (!limits_take(w->limits, &in->from, limits_cost(1, 0, 0), now_us)) {
		w->counts.requests++;
		worker_refuse(w, &in->from);
		return;
	}
	rendezvous_input(w->rendezvous, now_us, in, &w->output);
	log_output(w, &in->from);
	if (!out->length) {
		w->counts.ignored++;
		return;
	}
	w->counts.requests++;
	rest = limits_cost(0, in->length, out->length);
	if (rest && !limits_take(w->limits, &in->from, rest, now_us))
		worker_refuse(w, &in->from);
	else
		send_output(w);
}

/* NEWS is on the account of the party that has caused it; when that has nothing left it counts as lost. */
static bool is_paid(struct worker *w, uint64_t now_us)
{
	const struct rendezvous_output *out = &w->output;
	const struct endpoint *payer =
		out->payer_connection ? stream_peer(w->stream, out->payer_connection) : &out->payer;

	if (!payer || payer->family == FAMILY_NONE ||
		limits_take(w->limits, payer, limits_cost(1, 0, out->length), now_us))
		return true;
	worker_refuse(w, payer);
	return false;
}

static void deliver(struct worker *w)
{
	uint64_t now_us = clock_now_us();

	for (unsigned i = 0; i < OUTPUTS_PER_TURN; i++) {
		if (!rendezvous_poll(w->rendezvous, now_us, &w->output))
			break;
		log_output(w, NULL);
		if (w->output.length && is_paid(w, now_us))
			send_output(w);
	}
	worker_flush(w);
}

/* --- TCP --- */

struct connection_of {
	struct stream *stream;
	uint64_t connection;
};

static bool look_up_syn(void *context, struct stun_syn *out)
{
	const struct connection_of *c = context;

	return stream_syn(c->stream, c->connection, out);
}

static void serve_binding(struct worker *w, const struct stream_message *m)
{
	struct connection_of connection = {w->stream, m->connection};
	struct responder_request request = {.data = m->data,
		.length = m->length,
		.from = m->from,
		.local = m->local,
		.stream = true,
		.syn = look_up_syn,
		.syn_context = &connection};
	const struct responder_reply *reply = w->replies.reply;
	uint32_t cost;

	responder_answer(&w->responder, &request, &w->replies);
	if (!w->replies.count) {
		w->counts.ignored++;
		return;
	}
	w->counts.requests++;
	cost = limits_cost(1, m->length, reply->length);
	if (!limits_take(w->limits, &m->from, cost, w->now_us))
		worker_refuse(w, &m->from);
	else
		worker_send(w, m->connection, m->local, &m->from, reply->bytes, reply->length);
}

static void on_message(void *context, const struct stream_message *m)
{
	struct worker *w = context;
	struct rendezvous_input in = {.data = m->data,
		.length = m->length,
		.from = m->from,
		.local = m->local,
		.connection = m->connection,
		.bond = m->bond};
	struct calls_input call = {.data = m->data,
		.length = m->length,
		.from = m->from,
		.local = m->local,
		.connection = m->connection,
		.tally = m->tally};
	struct inquiries_input inquiry = {.data = m->data,
		.length = m->length,
		.from = m->from,
		.local = m->local,
		.connection = m->connection,
		.heed = m->heed};

	if (rendezvous_looks_like(m->data, m->length))
		worker_meet(w, &in);
	else if (call_looks_like(m->data, m->length))
		worker_call(w, &call);
	else if (icmp_looks_like(m->data, m->length))
		worker_inquire(w, &inquiry);
	else
		serve_binding(w, m);
}

static void on_closed(void *context, uint64_t connection, const struct endpoint *from,
	const struct rendezvous_bond *bond)
{
	struct worker *w = context;

	rendezvous_closed(w->rendezvous, clock_now_us(), connection, bond, &w->output);
	log_output(w, from);
}

static void on_hung_up(void *context, uint64_t connection)
{
	struct worker *w = context;

	if (w->calls)
		calls_closed(w->calls, connection);
	if (w->inquiries)
		inquiries_closed(w->inquiries, connection);
}

static void on_stream(evutil_socket_t fd, short what, void *context)
{
	struct worker *w = context;

	(void)fd;
	(void)what;
	w->now_us = clock_now_us();
	stream_run(w->stream, w->now_us);
	worker_turn(w);
}

/* --- time --- */

void worker_turn_rendezvous(struct worker *w)
{
	if (w->rendezvous)
		deliver(w);
}

void worker_tick_rendezvous(struct worker *w)
{
	if (w->stream)
		stream_tick(w->stream, w->now_us);
}

uint64_t worker_rendezvous_next_us(const struct worker *w)
{
	uint64_t next_us, stream_us;

	if (!w->rendezvous)
		return NEVER;
	next_us = rendezvous_next_us(w->rendezvous);
	stream_us = stream_next_us(w->stream);
	return stream_us < next_us ? stream_us : next_us;
}

void worker_summarise(const struct worker *w, struct log_line *line)
{
	const struct rendezvous_counts *c;
	const struct stream_counts *s;

	if (!w->rendezvous)
		return;
	c = rendezvous_counts(w->rendezvous);
	s = stream_counts(w->stream);
	log_number(line, "joins", c->joins);
	log_number(line, "sessions", c->sessions);
	log_number(line, "pairs", c->pairs);
	log_number(line, "left", c->gone);
	log_number(line, "news", c->news);
	log_number(line, "go", c->go);
	log_number(line, "unproved", c->unproved);
	log_number(line, "denied", c->refused);
	log_number(line, "connections", s->accepted);
	log_number(line, "connections_refused", s->refused);
	log_number(line, "malformed", s->malformed);
}

/* --- making and ending --- */

/* As many descriptors as we are allowed to have; how many of them may be connections, besides `others`. */
static uint32_t connections_max(uint32_t others)
{
	struct rlimit limit = {0};

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return CONNECTIONS_MIN;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < others + CONNECTIONS_MIN)
		return CONNECTIONS_MIN;
	limit.rlim_cur -= others;
	return limit.rlim_cur < STREAM_CONNECTIONS_MAX ? (uint32_t)limit.rlim_cur
						       : STREAM_CONNECTIONS_MAX;
}

static int create_engine(struct worker *w, const struct settings *settings)
{
	struct store_memory_limits limits = {settings->sessions, PLACES_PER_SOURCE};
	uint8_t key[STORE_MEMORY_KEY_BYTES];
	struct random random;
	int err;

	random_init(&random);
	random_bytes(&random, key, sizeof(key));
	err = store_memory_create(&w->store, &limits, key);
	return err ? err : rendezvous_create(&w->rendezvous, w->store, &random);
}

static int listen_on_all(
	struct worker *w, const struct settings *settings, char *error, size_t error_size)
{
	char text[ENDPOINT_TEXT];
	int err = 0;

	for (unsigned i = 0; i < RESPONDER_ENDPOINTS && !err; i++) {
		if (settings->local[i].family == FAMILY_NONE)
			continue;
		err = stream_listen(w->stream, &settings->local[i], i);
		if (err)
			snprintf(error, error_size, "cannot bind %s over TCP: %s",
				endpoint_format(&settings->local[i], text), strerror(-err));
	}
	return err;
}

int worker_open_rendezvous(
	struct worker *w, const struct settings *settings, char *error, size_t error_size)
{
	uint32_t others = OTHER_DESCRIPTORS + (settings->no_calls ? 0 : CALLS_MAX);
	struct stream_limits limits = {connections_max(others), STREAM_PER_SOURCE};
	struct stream_handler handler = {on_message, on_closed, on_hung_up, w};
	int err = create_engine(w, settings);

	if (!err && !settings->no_calls)
		err = worker_open_calls(w, settings);
	if (!err)
		err = stream_create(&w->stream, &limits, &handler);
	if (!err)
		err = listen_on_all(w, settings, error, error_size);
	if (err)
		return err;
	w->stream_event =
		event_new(w->base, stream_fd(w->stream), EV_READ | EV_PERSIST, on_stream, w);
	return !w->stream_event || event_add(w->stream_event, NULL) ? -ENOMEM : 0;
}

void worker_close_rendezvous(struct worker *w)
{
	if (w->stream_event)
		event_free(w->stream_event);
	stream_destroy(w->stream);
	worker_close_calls(w);
	rendezvous_destroy(w->rendezvous);
	if (w->store)
		w->store->does->destroy(w->store);
}
