// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

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
	path_close(p, clock_now_us());
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

	return p->config->use == PATH_FORWARD ? forward_create(&forward, &p->forward) : 0;
}

int path_use_begin(struct path *p)
{
	const struct stdio_config stdio = {.base = p->base,
		.block_bytes = CHANNEL_PAYLOAD_MAX,
		.input = on_input,
		.ended = on_input_ended,
		.context = p};

	return p->config->use == PATH_STDIO ? stdio_create(&stdio, &p->stdio) : 0;
}

void path_use_end(struct path *p)
{
	paste_destroy(p->paste);
	stdio_destroy(p->stdio);
	forward_destroy(p->forward);
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
