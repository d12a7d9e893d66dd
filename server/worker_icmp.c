// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "server/worker_private.h"

/* A request with all that follows from it: its answer, errors, and what is told of them. */
#define REQUEST_TOKENS	 40
#define OUTPUTS_PER_TURN 256 /* then the sockets have their turn, however many are due */

/* --- the log --- */

static void log_refusal(struct worker *w, const struct endpoint *from)
{
	const struct inquiries_output *out = &w->inquiry_output;
	struct log_line line;

	if (out->refusal != ICMP_QUOTA && out->refusal != ICMP_BUSY)
		return;
	line = log_begin(w->log, LOG_LEVEL_WARNING, "icmp_limit");
	log_number(&line, "error", out->refusal);
	log_client(&line, "client", from);
	log_end(&line);
}

static void log_sent(struct worker *w, int err)
{
	const struct inquiries_output *out = &w->inquiry_output;
	struct log_line line;

	if (w->log->level < LOG_LEVEL_DEBUG)
		return;
	line = log_begin(w->log, LOG_LEVEL_DEBUG, "icmp_sent");
	log_number(&line, "type", out->type);
	log_number(&line, "code", out->code);
	log_client(&line, "client", &out->target);
	if (err)
		log_text(&line, "error", strerror(-err));
	log_end(&line);
}

static void log_off(struct worker *w, int err)
{
	struct log_line line = log_begin(w->log, LOG_LEVEL_INFO, "icmp_off");

	log_text(&line, "error", strerror(-err));
	log_end(&line);
}

/* --- what the engine wants --- */

static void send_output(struct worker *w)
{
	const struct inquiries_output *out = &w->inquiry_output;

	if (out->length)
		worker_send(w, out->connection, out->local, &out->to, out->bytes, out->length);
}

static void send_icmp(struct worker *w)
{
	const struct inquiries_output *out = &w->inquiry_output;
	struct icmp_message m = {
		.type = out->type, .code = out->code, .body = {out->body, out->body_length}};
	int err;

	memcpy(m.rest, out->rest, sizeof(m.rest));
	err = raws_send(w->raws, out->source, &out->target, &m);
	log_sent(w, err);
	if (out->step == INQUIRIES_ERROR)
		inquiries_sent(w->inquiries, out->number, out->place, err);
}

void worker_inquire(struct worker *w, const struct inquiries_input *in)
{
	uint64_t now_us = clock_now_us();

	if (!limits_take(w->limits, &in->from, REQUEST_TOKENS, now_us)) {
		w->counts.requests++;
		worker_refuse(w, &in->from);
		return;
	}
	inquiries_input(w->inquiries, now_us, in, &w->inquiry_output);
	if (!w->inquiry_output.length) {
		w->counts.ignored++;
		return;
	}
	w->counts.requests++;
	log_refusal(w, &in->from);
	send_output(w);
}

/* --- what raw sockets see --- */

static void on_icmp(void *context, unsigned local, const struct icmp_message *message,
	const struct icmp_meta *meta)
{
	struct worker *w = context;

	inquiries_seen(w->inquiries, clock_now_us(), local, message, meta);
}

static void on_segment(void *context, unsigned local, const struct packet *segment)
{
	struct worker *w = context;
	struct calls_segment heard = {.from = segment->source,
		.local = local,
		.port = segment->destination.port,
		.flags = segment->flags,
		.ttl = segment->ttl};

	if (segment->flags & (PACKET_ACK | PACKET_RST)) {
		if (w->calls)
			calls_heard(w->calls, &heard);
	} else {
		inquiries_syn(w->inquiries, clock_now_us(), local, segment);
	}
}

void worker_look(struct worker *w)
{
	if (w->raws)
		raws_run(w->raws);
}

static void on_raws(evutil_socket_t fd, short what, void *context)
{
	struct worker *w = context;

	(void)fd;
	(void)what;
	w->now_us = clock_now_us();
	worker_look(w);
	worker_turn(w);
}

/* --- time --- */

void worker_turn_icmp(struct worker *w)
{
	/* answers, before what they announce */
	worker_flush(w);
	for (unsigned i = 0; w->inquiries && i < OUTPUTS_PER_TURN; i++) {
		if (!inquiries_poll(w->inquiries, clock_now_us(), &w->inquiry_output))
			break;
		send_output(w);
		if (w->inquiry_output.step != INQUIRIES_NOTHING)
			send_icmp(w);
	}
	worker_flush(w);
}

uint64_t worker_icmp_next_us(const struct worker *w)
{
	return w->inquiries ? inquiries_next_us(w->inquiries) : UINT64_MAX;
}

void worker_summarise_icmp(const struct worker *w, struct log_line *line)
{
	const struct inquiries_counts *c;

	if (!w->inquiries)
		return;
	c = inquiries_counts(w->inquiries);
	log_number(line, "icmp_asked", c->asked);
	log_number(line, "icmp_sent", c->errors);
	log_number(line, "icmp_unsent", c->unsent);
	log_number(line, "icmp_replies", c->replies);
	log_number(line, "icmp_echoes", c->echoes);
	log_number(line, "icmp_quoting", c->quoting);
	log_number(line, "icmp_syns", c->syns);
	log_number(line, "icmp_unproved", c->unproved);
	log_number(line, "icmp_denied", c->denied);
}

/* --- making and ending --- */

static bool expect(void *context, uint64_t connection, uint32_t *sequence)
{
	struct worker *w = context;

	return stream_expected(w->stream, connection, sequence);
}

static int create_engine(struct worker *w, const struct settings *settings)
{
	struct inquiries_config config = {.expected = expect, .context = w};
	struct inquiries_keys keys;
	struct random random;

	memcpy(config.local, settings->local, sizeof(config.local));
	memcpy(config.advertised, settings->advertised, sizeof(config.advertised));
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		config.silent[i] = raws_silent_port(w->raws, i);
	random_init(&random);
	random_bytes(&random, keys.cookie, sizeof(keys.cookie));
	random_bytes(&random, keys.sources, sizeof(keys.sources));
	return inquiries_create(&w->inquiries, &config, &keys);
}

int worker_open_icmp(struct worker *w, const struct settings *settings)
{
	struct raws_handler handler = {on_icmp, on_segment, w};
	int err = raws_open(&w->raws, settings->local, !settings->no_rendezvous, &handler);

	if (err) {
		log_off(w, err);
		return 0;
	}
	err = create_engine(w, settings);
	if (err)
		return err;
	w->raws_event = event_new(w->base, raws_fd(w->raws), EV_READ | EV_PERSIST, on_raws, w);
	return !w->raws_event || event_add(w->raws_event, NULL) ? -ENOMEM : 0;
}

bool worker_has_icmp(const struct worker *w)
{
	return w->inquiries != NULL;
}

void worker_close_icmp(struct worker *w)
{
	if (w->raws_event)
		event_free(w->raws_event);
	raws_close(w->raws);
	inquiries_destroy(w->inquiries);
}
