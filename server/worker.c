// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "net/udp.h"
#include "server/worker_private.h"

/* Work per wake-up: a socket under flood leaves the others their turn. */
#define BATCHES_PER_TURN    8
#define ERRORS_PER_TURN	    64

#define SOCKET_BUFFER_BYTES (4 << 20) /* the kernel gives as much of it as its rmem_max allows */

#ifdef PACKAGE_VERSION
static const char software[] = "natprobed " PACKAGE_VERSION;
#else
static const char software[] = "natprobed";
#endif

/* --- sending --- */

static void flush(struct listener *l)
{
	unsigned count = udp_batch_count(l->out), sent;

	if (!count)
		return;
	sent = (unsigned)udp_batch_send(l->out, l->fd);
	l->worker->counts.replies += sent;
	l->worker->counts.unsent += count - sent;
}

void worker_flush(struct worker *w)
{
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		if (w->listeners[i].out)
			flush(&w->listeners[i]);
}

void worker_queue(struct worker *w, unsigned local, const struct endpoint *to, const void *data,
	size_t length)
{
	struct listener *l = &w->listeners[local];

	if (udp_batch_count(l->out) == UDP_BATCH)
		flush(l);
	memcpy(udp_batch_slot(l->out), data, length);
	udp_batch_add(l->out, length, to);
}

static void queue(struct worker *w, const struct responder_reply *reply)
{
	for (unsigned i = 0; i < reply->copies; i++)
		worker_queue(w, reply->local, &reply->to, reply->bytes, reply->length);
}

/* Past the batches, which do not tell what was refused; whether the kernel took every copy. */
static bool send_now(struct worker *w, const struct responder_reply *reply)
{
	int fd = w->listeners[reply->local].fd;
	unsigned sent = 0;

	for (unsigned i = 0; i < reply->copies; i++)
		sent += !udp_send(fd, &reply->to, reply->bytes, reply->length);
	w->counts.replies += sent;
	w->counts.unsent += reply->copies - sent;
	return sent == reply->copies;
}

/*
 * A receipt, which is the last reply, says which answers were sent, and clients conclude from it that
 * their NAT dropped them: it is left out when its own answer was refused, and then only.
 */
static void send_replies(struct worker *w)
{
	const struct responder_replies *r = &w->replies;
	bool receipted = r->reply[r->count - 1].receipt;

	for (size_t i = 0; i < r->count; i++)
		if (!receipted || r->reply[i].receipt)
			queue(w, &r->reply[i]);
		else if (!send_now(w, &r->reply[i]))
			return;
}

static void log_unsent(struct worker *w)
{
	struct log_line line = log_begin(w->log, LOG_LEVEL_WARNING, "send_failed");

	log_number(&line, "unsent", w->counts.unsent);
	log_end(&line);
}

/* --- receiving --- */

void worker_refuse(struct worker *w, const struct endpoint *from)
{
	struct log_line line;

	w->counts.refused++;
	if (w->log->level < LOG_LEVEL_DEBUG)
		return;
	line = log_begin(w->log, LOG_LEVEL_DEBUG, "refused");
	log_client(&line, "client", from);
	log_end(&line);
}

static void serve(struct worker *w, const struct responder_request *request)
{
	unsigned datagrams;
	size_t bytes;

	responder_answer(&w->responder, request, &w->replies);
	if (!w->replies.count) {
		w->counts.ignored++;
		return;
	}
	w->counts.requests++;
	bytes = responder_bytes(&w->replies, &datagrams);
	if (!limits_take(w->limits, &request->from, limits_cost(datagrams, request->length, bytes),
		    w->now_us)) {
		worker_refuse(w, &request->from);
		return;
	}
	send_replies(w);
}

static void serve_datagram(struct worker *w, const struct responder_request *request)
{
	struct rendezvous_input in = {.data = request->data,
		.length = request->length,
		.from = request->from,
		.local = request->local};
	struct calls_input call = {.data = request->data,
		.length = request->length,
		.from = request->from,
		.local = request->local};
	struct inquiries_input inquiry = {.data = request->data,
		.length = request->length,
		.from = request->from,
		.local = request->local,
		.ttl = request->meta.ttl};

	if (w->rendezvous && rendezvous_looks_like(request->data, request->length))
		worker_meet(w, &in);
	else if (call_looks_like(request->data, request->length))
		worker_call(w, &call);
	else if (icmp_looks_like(request->data, request->length))
		worker_inquire(w, &inquiry);
	else
		serve(w, request);
}

/* One batch; false when there was no more to have. */
static bool serve_batch(struct listener *l)
{
	struct worker *w = l->worker;
	struct responder_request request = {.local = l->index};
	uint64_t unsent = w->counts.unsent;
	int n = udp_batch_receive(w->in, l->fd);

	/* any other error is an ICMP error's, told once here and kept in the error queue */
	if (n < 0)
		return n != -EAGAIN;
	for (unsigned i = 0; i < (unsigned)n; i++) {
		request.data =
			udp_batch_data(w->in, i, &request.length, &request.from, &request.meta);
		serve_datagram(w, &request);
	}
	worker_flush(w);
	if (w->counts.unsent != unsent)
		log_unsent(w);
	return n == UDP_BATCH;
}

/* --- ICMP errors --- */

static void record_error(struct listener *l, const struct udp_error *error)
{
	struct worker *w = l->worker;
	struct stun_icmp icmp = {.type = error->type,
		.code = error->code,
		.offender = error->offender,
		.quoted_from = w->responder.advertised[l->index]};
	struct log_line line;

	w->counts.icmp_errors++;
	icmp_table_record(w->icmp, &error->to, &icmp, w->now_us);
	if (w->log->level < LOG_LEVEL_DEBUG)
		return;
	line = log_begin(w->log, LOG_LEVEL_DEBUG, "icmp_error");
	log_number(&line, "type", icmp.type);
	log_number(&line, "code", icmp.code);
	log_client(&line, "client", &error->to);
	log_end(&line);
}

static void drain_errors(struct listener *l)
{
	struct udp_error error;
	uint8_t quoted[64];

	for (unsigned i = 0; i < ERRORS_PER_TURN; i++) {
		if (udp_receive_error(l->fd, quoted, sizeof(quoted), &error))
			return;
		if (!error.local && error.offender.family == error.to.family)
			record_error(l, &error);
	}
}

static size_t find_icmp(
	void *context, const struct endpoint *to, struct stun_icmp out[static STUN_ICMP_MAX])
{
	const struct worker *w = context;

	return icmp_table_find(w->icmp, to, w->now_us, out);
}

/* --- the loop --- */

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct listener *l = context;

	(void)fd;
	(void)what;
	l->worker->now_us = clock_now_us();
	drain_errors(l);
	for (unsigned i = 0; i < BATCHES_PER_TURN; i++)
		if (!serve_batch(l))
			break;
	worker_turn(l->worker);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	struct worker *w = context;

	(void)number;
	(void)what;
	event_base_loopbreak(w->base);
}

int worker_run(struct worker *w)
{
	struct log_line line;
	int result = event_base_dispatch(w->base);

	line = log_begin(w->log, LOG_LEVEL_INFO, "summary");
	log_number(&line, "requests", w->counts.requests);
	log_number(&line, "replies", w->counts.replies);
	log_number(&line, "refused", w->counts.refused);
	log_number(&line, "ignored", w->counts.ignored);
	log_number(&line, "unsent", w->counts.unsent);
	log_number(&line, "icmp_errors", w->counts.icmp_errors);
	worker_summarise(w, &line);
	worker_summarise_calls(w, &line);
	worker_summarise_icmp(w, &line);
	log_end(&line);
	return result < 0 ? -EIO : 0;
}

/* --- making and ending --- */

static void enlarge_buffers(int fd)
{
	int size = SOCKET_BUFFER_BYTES;

	/* what the kernel will not give is no failure: only a burst is lost earlier */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int open_listener(struct worker *w, unsigned index, const struct endpoint *local,
	char *error, size_t error_size)
{
	struct listener *l = &w->listeners[index];
	char text[ENDPOINT_TEXT];
	int err;

	l->worker = w;
	l->index = index;
	err = udp_open(local, NULL, UDP_META, &l->fd);
	if (err) {
		snprintf(error, error_size, "cannot bind %s: %s", endpoint_format(local, text),
			strerror(-err));
		return err;
	}
	enlarge_buffers(l->fd);
	err = udp_batch_create(&l->out);
	if (err)
		return err;
	l->event = event_new(w->base, l->fd, EV_READ | EV_PERSIST, on_readable, l);
	return !l->event || event_add(l->event, NULL) ? -ENOMEM : 0;
}

static int watch_signals(struct worker *w)
{
	static const int numbers[WORKER_SIGNALS] = {SIGTERM, SIGINT};

	for (size_t i = 0; i < WORKER_SIGNALS; i++) {
		w->signals[i] = evsignal_new(w->base, numbers[i], on_signal, w);
		if (!w->signals[i] || event_add(w->signals[i], NULL))
			return -ENOMEM;
	}
	return 0;
}

static int create_tables(struct worker *w, const struct settings *settings)
{
	struct random random;
	uint8_t key[LIMITS_KEY_BYTES];
	int err;

	random_init(&random);
	random_bytes(&random, key, sizeof(key));
	err = limits_create(&w->limits, settings->rate, key);
	random_bytes(&random, key, sizeof(key));
	if (!err)
		err = icmp_table_create(&w->icmp, key);
	return err ? err : udp_batch_create(&w->in);
}

/*
 * poll() and not epoll: we have few sockets, and one in an epoll set calls it for each datagram
 * that comes or has left, awaited or not. Without that a core answers some 3 % more.
 */
static struct event_base *create_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config && !event_config_avoid_method(config, "epoll"))
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	return base;
}

static int open_all(
	struct worker *w, const struct settings *settings, char *error, size_t error_size)
{
	int err;

	w->base = create_base();
	if (!w->base)
		return -ENOMEM;
	err = create_tables(w, settings);
	if (!err)
		err = watch_signals(w);
	if (!err)
		err = worker_open_time(w);
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS && !err; i++)
		if (settings->local[i].family != FAMILY_NONE)
			err = open_listener(w, i, &settings->local[i], error, error_size);
	if (!err && !settings->no_rendezvous)
		err = worker_open_rendezvous(w, settings, error, error_size);
	return err || settings->no_icmp ? err : worker_open_icmp(w, settings);
}

int worker_create(struct worker **out, const struct settings *settings, struct log *log,
	char *error, size_t error_size)
{
	struct worker *w = calloc(1, sizeof(*w));
	int err;

	snprintf(error, error_size, "out of memory");
	if (!w)
		return -ENOMEM;
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		w->listeners[i].fd = -1;
	w->log = log;
	w->responder.software = software;
	w->responder.icmp = find_icmp;
	w->responder.icmp_context = w;
	memcpy(w->responder.advertised, settings->advertised, sizeof(w->responder.advertised));
	err = open_all(w, settings, error, error_size);
	if (err)
		worker_destroy(w);
	else
		*out = w;
	return err;
}

void worker_destroy(struct worker *w)
{
	worker_close_icmp(w);
	worker_close_rendezvous(w);
	worker_close_time(w);
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++) {
		struct listener *l = &w->listeners[i];

		if (l->event)
			event_free(l->event);
		if (l->fd >= 0)
			close(l->fd);
		udp_batch_destroy(l->out);
	}
	for (size_t i = 0; i < WORKER_SIGNALS; i++)
		if (w->signals[i])
			event_free(w->signals[i]);
	if (w->base)
		event_base_free(w->base);
	udp_batch_destroy(w->in);
	limits_destroy(w->limits);
	icmp_table_destroy(w->icmp);
	free(w);
}
