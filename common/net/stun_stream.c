// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "net/stun_stream.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "wire/stun.h"

#define OUTPUT_BYTES 16384

struct stun_stream {
	struct stun_stream_config config;
	struct bufferevent *buffers;
	enum stun_stream_state state;
	int error;
};

static void end(struct stun_stream *s, int error)
{
	s->state = STUN_STREAM_ENDED;
	s->error = error;
	bufferevent_disable(s->buffers, EV_READ | EV_WRITE);
}

static void on_read(struct bufferevent *buffers, void *context)
{
	struct stun_stream *s = context;

	(void)buffers;
	s->config.changed(s->config.context);
}

static void on_event(struct bufferevent *buffers, short what, void *context)
{
	struct stun_stream *s = context;
	int error = EVUTIL_SOCKET_ERROR();

	(void)buffers;
	if (what & BEV_EVENT_CONNECTED)
		s->state = STUN_STREAM_OPEN;
	else if (what & BEV_EVENT_EOF)
		end(s, -ECONNRESET);
	else
		end(s, error ? -error : -EIO);
	s->config.changed(s->config.context);
}

/* The port is known before the SYN leaves. */
static int begin_connect(const struct stun_stream_config *config, int *fd)
{
	struct endpoint local = {.family = config->to.family};
	int err;

	if (config->local.family == config->to.family)
		local = config->local;
	local.port = 0;
	err = tcp_bind(&local, config->interface, fd);
	if (err)
		return err;
	if (config->watch)
		watch_socket(config->watch, IPPROTO_TCP, *fd);
	return tcp_begin_connect(*fd, &config->to);
}

int stun_stream_create(const struct stun_stream_config *config, struct stun_stream **out)
{
	struct stun_stream *s = calloc(1, sizeof(*s));
	int fd = -1, err;

	if (!s)
		return -ENOMEM;
	s->config = *config;
	err = begin_connect(config, &fd);
	if (err) {
		if (fd >= 0)
			evutil_closesocket(fd);
		free(s);
		return err;
	}
	s->buffers = bufferevent_socket_new(config->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!s->buffers) {
		evutil_closesocket(fd);
		free(s);
		return -ENOMEM;
	}
	bufferevent_setcb(s->buffers, on_read, NULL, on_event, s);
	bufferevent_setwatermark(s->buffers, EV_READ, 0, 2 * STUN_STREAM_BYTES);
	err = bufferevent_enable(s->buffers, EV_READ | EV_WRITE) ||
		bufferevent_socket_connect(s->buffers, NULL, 0);
	if (err) {
		stun_stream_destroy(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void stun_stream_destroy(struct stun_stream *s)
{
	if (!s)
		return;
	bufferevent_free(s->buffers);
	free(s);
}

enum stun_stream_state stun_stream_state(const struct stun_stream *s, int *error)
{
	*error = s->error;
	return s->state;
}

int stun_stream_local(const struct stun_stream *s, struct endpoint *out)
{
	return udp_local(bufferevent_getfd(s->buffers), out);
}

int stun_stream_send(struct stun_stream *s, const void *data, size_t length)
{
	if (s->state != STUN_STREAM_OPEN)
		return -ENOTCONN;
	if (evbuffer_get_length(bufferevent_get_output(s->buffers)) + length > OUTPUT_BYTES)
		return -ENOBUFS;
	return bufferevent_write(s->buffers, data, length) ? -ENOMEM : 0;
}

int stun_stream_take(struct stun_stream *s, uint8_t buffer[static STUN_STREAM_BYTES])
{
	struct evbuffer *input = bufferevent_get_input(s->buffers);
	ev_ssize_t have = evbuffer_copyout(input, buffer, STUN_STREAM_BYTES);
	int bytes = have > 0 ? stun_frame_bytes(buffer, (size_t)have, STUN_STREAM_BYTES) : 0;

	if (bytes < 0)
		end(s, -EBADMSG);
	if (bytes <= 0 || bytes > have)
		return -EAGAIN;
	evbuffer_drain(input, (size_t)bytes);
	return bytes;
}
