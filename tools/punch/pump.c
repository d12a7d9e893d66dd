// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/tcp.h"
#include "tools/punch/pump.h"

#define READS 4 /* at once: others want to be served, too */

struct pump {
	struct pump_config config;
	struct event *readable, *writable;
	struct evbuffer *output;
	bool in_waits,
		out_waits; /* read(2) and write(2) may: it is not for us to set that for others, too */
	bool worked; /* something was read or written: it is connected */
	bool in_ended, out_ended; /* this host's input; the peer's end, written out */
	bool ending; /* the peer has ended */
	bool dead; /* ended() was called */
};

static bool is_socket(const struct pump *p)
{
	return p->config.in == p->config.out;
}

/* Of the wrong kind poll(2) may say nothing, and a call at once that it is. */
static bool may_wait(int fd, int wrong)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat file;

	return flags >= 0 && !(flags & O_NONBLOCK) && (flags & O_ACCMODE) != wrong &&
		!fstat(fd, &file) && !S_ISREG(file.st_mode);
}

/* The last thing that is done. */
static void finish(struct pump *p, int error)
{
	if (p->dead)
		return;
	p->dead = true;
	event_del(p->readable);
	event_del(p->writable);
	if (error)
		tunnel_reset(p->config.tunnel, p->config.id, p->worked ? MUX_ABORTED : MUX_REFUSED);
	p->config.ended(p->config.context, p->config.id, error);
}

static void finish_if_done(struct pump *p)
{
	if (p->in_ended && p->out_ended)
		finish(p, 0);
}

/* --- from this host to the tunnel --- */

/* Whether there may be more, and nobody would wait for it. */
static bool read_once(struct pump *p, int *error)
{
	uint8_t data[MUX_DATA_MAX];
	size_t room = tunnel_room(p->config.tunnel, p->config.id);
	ssize_t n;

	if (!room)
		return false;
	n = read(p->config.in, data, room < sizeof(data) ? room : sizeof(data));
	if (n < 0) {
		*error = errno == EAGAIN || errno == EINTR ? 0 : -errno;
		return false;
	}
	p->worked = true;
	if (n > 0) {
		*error = tunnel_write(p->config.tunnel, p->config.id, data, (size_t)n);
		return !*error && !p->in_waits;
	}
	p->in_ended = true;
	tunnel_end(p->config.tunnel, p->config.id);
	return false;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct pump *p = context;
	int error = 0;

	(void)fd;
	(void)what;
	for (int i = 0; i < READS && read_once(p, &error); i++)
		;
	if (error)
		finish(p, error);
	else if (p->in_ended)
		finish_if_done(p);
	else
		pump_turn(p);
}

void pump_turn(struct pump *p)
{
	if (!p->dead && !p->in_ended && tunnel_room(p->config.tunnel, p->config.id))
		event_add(p->readable, NULL);
}

/* --- from the tunnel to this host --- */

/* A program that reads to the end has to see it. */
static void end_output(struct pump *p)
{
	event_del(p->writable);
	if (is_socket(p)) {
		shutdown(p->config.out, SHUT_WR);
	} else {
		close(p->config.out);
		p->config.out = -1;
	}
	p->out_ended = true;
	finish_if_done(p);
}

/* shutdown(2) would end an attempt to connect. */
static bool is_connecting(const struct pump *p)
{
	return !p->worked && is_socket(p) && tcp_is_connecting(p->config.out);
}

/* Where it may wait, once: what poll(2) calls writable has room for so much. */
static void write_out(struct pump *p)
{
	int n = 0;

	while (evbuffer_get_length(p->output)) {
		n = evbuffer_write_atmost(p->output, p->config.out, p->out_waits ? PIPE_BUF : -1);
		if (n <= 0)
			break;
		p->worked = true;
		tunnel_consumed(p->config.tunnel, clock_now_us(), p->config.id, (size_t)n);
		if (p->out_waits)
			break;
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		finish(p, -errno);
	else if (evbuffer_get_length(p->output) || (p->ending && is_connecting(p)))
		event_add(p->writable, NULL);
	else if (p->ending && !p->out_ended)
		end_output(p);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	write_out(context);
}

/* At once, if that cannot wait. */
static void begin_writing(struct pump *p)
{
	if (p->out_waits && evbuffer_get_length(p->output))
		event_add(p->writable, NULL);
	else
		write_out(p);
}

void pump_data(struct pump *p, const uint8_t *data, size_t length)
{
	if (p->dead)
		return;
	if (evbuffer_add(p->output, data, length))
		finish(p, -ENOMEM);
	else
		begin_writing(p);
}

void pump_end(struct pump *p)
{
	if (p->dead)
		return;
	p->ending = true;
	begin_writing(p);
}

/* --- begin and end --- */

int pump_create(const struct pump_config *config, struct pump **out)
{
	struct pump *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->config = *config;
	p->in_waits = may_wait(config->in, O_WRONLY);
	p->out_waits = may_wait(config->out, O_RDONLY);
	p->output = evbuffer_new();
	p->readable = event_new(config->base, config->in, EV_READ, on_readable, p);
	p->writable = event_new(config->base, config->out, EV_WRITE, on_writable, p);
	if (!p->output || !p->readable || !p->writable) {
		p->config.in = p->config.out = -1; /* they stay the caller's */
		pump_destroy(p);
		return -ENOMEM;
	}
	pump_turn(p);
	*out = p;
	return 0;
}

/* A program at the other end must not take what it has got for all. */
static void close_socket(struct pump *p)
{
	if (p->in_ended && p->out_ended)
		close(p->config.in);
	else
		tcp_reset(p->config.in);
}

void pump_destroy(struct pump *p)
{
	if (!p)
		return;
	if (p->readable)
		event_free(p->readable);
	if (p->writable)
		event_free(p->writable);
	if (p->output)
		evbuffer_free(p->output);
	if (!is_socket(p) && p->config.out >= 0)
		close(p->config.out);
	if (is_socket(p) && p->config.in >= 0)
		close_socket(p);
	else if (p->config.in >= 0)
		close(p->config.in);
	free(p);
}
