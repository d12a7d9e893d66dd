// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "base/clock.h"
#include "tools/punch/path_private.h"

/* What a way that stands is used for. */

/* --- standard input and output --- */

static void on_input(void *context, const uint8_t *data, size_t length)
{
	struct path *p = context;
	struct flow_output out;

	if (!flow_send(p->flow, data, length, &out))
		path_transmit(p, &out);
}

static void on_input_ended(void *context, int error)
{
	struct path *p = context;

	if (error)
		p->result->error = error;
	p->input_ended = true;
	path_way_close(p, clock_now_us());
	path_turn(p);
}

/* --- a local port --- */

static void on_forward(void *context, uint16_t client, const uint8_t *data, size_t length)
{
	struct path *p = context;
	struct flow_output out;

	if (p->flow && p->phase == CARRYING && !flow_forward(p->flow, client, data, length, &out))
		path_transmit(p, &out);
}

/* --- streams --- */

static enum streams_use streams_use_of(const struct path *p)
{
	const struct path_config *c = p->config;

	if (c->use == PATH_STDIO)
		return STREAMS_STDIO;
	if (c->use != PATH_FORWARD)
		return STREAMS_NONE;
	return c->listen.family != FAMILY_NONE ? STREAMS_LISTEN : STREAMS_TARGET;
}

uint8_t path_use_number(const struct path *p)
{
	return (uint8_t)streams_use_of(p);
}

bool path_use_differs(const struct path *p)
{
	static const enum streams_use others[] = {[STREAMS_STDIO] = STREAMS_STDIO,
		[STREAMS_LISTEN] = STREAMS_TARGET,
		[STREAMS_TARGET] = STREAMS_LISTEN};
	enum streams_use own = streams_use_of(p);
	uint8_t peer = p->tunnel ? tunnel_peer_use(p->tunnel) : 0;

	return peer && own != STREAMS_NONE && peer != others[own];
}

static void on_streams_ended(void *context, int error)
{
	struct path *p = context;

	if (error && path_use_differs(p)) /* it was refused for that, which is said elsewhere */
		return;
	if (error == -ECONNABORTED) { /* nothing is wrong here */
		p->aborted = true;
		return;
	}
	if (error)
		p->result->error = error;
	p->input_ended = true;
	if (error)
		path_stop(p);
}

static int prepare_streams(struct path *p)
{
	const struct streams_config config = {.base = p->base,
		.use = streams_use_of(p),
		.listen = p->config->listen,
		.target = p->config->target,
		.ended = on_streams_ended,
		.context = p};

	return streams_create(&config, &p->streams);
}

void path_use_event(void *context, enum mux_event event, const struct mux_payload *payload)
{
	struct path *p = context;

	streams_event(p->streams, event, payload);
}

void path_use_changed(struct path *p)
{
	if (p->streams)
		streams_set_tunnel(p->streams, p->tunnel);
	if (p->streams && p->phase == CARRYING)
		streams_begin(p->streams, !session_view(p->config->session)->side);
}

bool path_use_is_done(const struct path *p)
{
	return p->tunnel && p->config->use == PATH_STDIO && p->input_ended &&
		!tunnel_statistics(p->tunnel).streams;
}

/* Over TCP the last word ends both directions, and comes when both sides have all; or its user is in a hurry. */
bool path_use_is_cut(const struct path *p)
{
	return p->config->tcp && p->config->use == PATH_STDIO &&
		(p->aborted || (p->result->closed && !path_use_is_done(p)));
}

/* --- the other side's line --- */

static int on_paste(void *context, const char *text)
{
	struct path *p = context;
	int err = session_take_line(p->config->session, clock_now_us(), text);

	if (err)
		p->config->refused(p->config->context, err);
	return err;
}

static void on_paste_ended(void *context, int error)
{
	struct path *p = context;

	if (!error) {
		carrier_turn(p->carrier);
		return;
	}
	p->result->error = error;
	path_enter(p, OVER, 0);
}

int path_use_paste(struct path *p)
{
	const struct paste_config config = {
		.base = p->base, .take = on_paste, .ended = on_paste_ended, .context = p};

	if (!p->config->manual || p->paste || !session_view(p->config->session)->line)
		return 0;
	return paste_create(&config, &p->paste);
}

/* --- all --- */

int path_use_prepare(struct path *p)
{
	const struct forward_config forward = {.base = p->base,
		.listen = p->config->listen,
		.target = p->config->target,
		.datagram_max = FLOW_FORWARD_MAX,
		.send = on_forward,
		.context = p};

	if (p->config->tcp)
		return prepare_streams(p);
	return p->config->use == PATH_FORWARD ? forward_create(&forward, &p->forward) : 0;
}

int path_use_begin(struct path *p)
{
	const struct stdio_config stdio = {.base = p->base,
		.block_bytes = CHANNEL_PAYLOAD_MAX,
		.input = on_input,
		.ended = on_input_ended,
		.context = p};

	if (p->config->tcp) {
		streams_begin(p->streams, !session_view(p->config->session)->side);
		return 0;
	}
	return p->config->use == PATH_STDIO ? stdio_create(&stdio, &p->stdio) : 0;
}

void path_use_end(struct path *p)
{
	paste_destroy(p->paste);
	stdio_destroy(p->stdio);
	forward_destroy(p->forward);
	streams_destroy(p->streams);
}

void path_use_data(struct path *p, const uint8_t *data, size_t length)
{
	int err;

	if (p->config->use != PATH_STDIO || p->phase >= LEAVING)
		return;
	err = stdio_write(data, length, &p->stuck); /* a datagram, a block */
	if (!err)
		return;
	p->result->error = err;
	path_stop(p);
}

void path_use_forwarded(struct path *p, uint16_t client, const uint8_t *data, size_t length)
{
	if (p->forward && p->phase != OVER)
		forward_input(p->forward, client, data, length);
}
