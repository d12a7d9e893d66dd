// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/tcp.h"
#include "tools/punch/pump.h"
#include "tools/punch/streams.h"

#define NUMBERS	 (2 * MUX_STREAMS)
#define ACCEPTS	 16 /* at once */
#define PAUSE_MS 100 /* without accepting, when there are no descriptors or no memory left */

struct streams {
	struct streams_config config;
	struct tunnel *tunnel;
	int listener;
	struct event *acceptable, *pause;
	struct pump *pumps[NUMBERS]; /* by the number of the stream */
	unsigned count;
	bool has_stdio; /* or had */
};

unsigned streams_count(const struct streams *s)
{
	return s->count;
}

static void forget(struct streams *s, uint16_t id)
{
	if (!s->pumps[id])
		return;
	pump_destroy(s->pumps[id]);
	s->pumps[id] = NULL;
	s->count--;
}

static void on_ended(void *context, uint16_t id, int error)
{
	struct streams *s = context;

	forget(s, id);
	if (s->config.use == STREAMS_STDIO)
		s->config.ended(s->config.context, error);
}

/* Whose descriptors they are from now on; if not, the stream is reset. */
static int carry(struct streams *s, uint16_t id, int in, int out)
{
	const struct pump_config config = {.base = s->config.base,
		.tunnel = s->tunnel,
		.id = id,
		.in = in,
		.out = out,
		.ended = on_ended,
		.context = s};
	int err = pump_create(&config, &s->pumps[id]);

	if (err)
		tunnel_reset(s->tunnel, id, MUX_REFUSED);
	else
		s->count++;
	return err;
}

/* --- the side that listens --- */

static void open_stream(struct streams *s, int fd)
{
	uint16_t id;

	(void)tcp_prepare_stream(fd, 0);
	if (tunnel_open(s->tunnel, &id) || carry(s, id, fd, fd))
		tcp_reset(fd);
}

/* Of what is missing the kernel would go on to tell. */
static void pause_accepting(struct streams *s)
{
	const struct timeval pause = {0, PAUSE_MS * 1000};

	event_del(s->acceptable);
	event_add(s->pause, &pause);
}

static void on_acceptable(evutil_socket_t listener, short what, void *context)
{
	struct streams *s = context;
	struct endpoint from;

	(void)what;
	for (int i = 0; i < ACCEPTS && s->tunnel; i++) {
		int fd, err = tcp_accept(listener, &from, &fd);

		if (!err) {
			open_stream(s, fd);
		} else if (err == -EAGAIN) {
			return;
		} else if (err != -ECONNABORTED && err != -EINTR) {
			pause_accepting(s);
			return;
		}
	}
}

static void on_pause(evutil_socket_t fd, short what, void *context)
{
	struct streams *s = context;

	(void)fd;
	(void)what;
	if (s->tunnel)
		event_add(s->acceptable, NULL);
}

static int listen_there(struct streams *s)
{
	int err = tcp_listen(&s->config.listen, &s->listener);

	if (err)
		return err;
	s->acceptable =
		event_new(s->config.base, s->listener, EV_READ | EV_PERSIST, on_acceptable, s);
	s->pause = event_new(s->config.base, -1, 0, on_pause, s);
	return s->acceptable && s->pause ? 0 : -ENOMEM;
}

/* --- the side that has the target --- */

static void connect_stream(struct streams *s, uint16_t id)
{
	int fd, err = tcp_connect_start(&s->config.target, NULL, NULL, &fd);

	if (err) {
		tunnel_reset(s->tunnel, id, MUX_REFUSED);
		return;
	}
	(void)tcp_prepare_stream(fd, 0);
	if (carry(s, id, fd, fd))
		tcp_reset(fd);
}

/* --- standard input and output --- */

static int copy(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

/*
 * A pipe or a terminal is opened anew, so that writing does not wait, and others that have it are left alone. Nothing
 * else is: a file has its place in the descriptor. Nor is the input: a FIFO may have no writer any more, and poll(2) is
 * silent about that to who has not seen one.
 */
static int copy_output(void)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFL), own = -1;
	struct stat file;

	if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && !fstat(STDOUT_FILENO, &file) &&
		(S_ISFIFO(file.st_mode) || isatty(STDOUT_FILENO)))
		own = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return own >= 0 ? own : copy(STDOUT_FILENO);
}

/* Who has the other end of it sees the end of one direction only by shutdown(2). */
static bool is_one_socket(void)
{
	struct stat in, out;

	return !fstat(STDIN_FILENO, &in) && !fstat(STDOUT_FILENO, &out) && S_ISSOCK(in.st_mode) &&
		in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

/* Who reads has to see the end when the pump closes its own; and nothing else gets the number. */
static void close_standard(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, fd);
	close(null);
}

static int copy_both(int *in, int *out)
{
	*in = copy(STDIN_FILENO);
	if (*in < 0)
		return -errno;
	*out = is_one_socket() ? *in : copy_output();
	if (*out < 0) {
		int err = -errno;

		close(*in);
		return err;
	}
	close_standard(STDIN_FILENO);
	close_standard(STDOUT_FILENO);
	return 0;
}

static int carry_both(struct streams *s, uint16_t id)
{
	int in = -1, out = -1, err = copy_both(&in, &out);

	if (err) {
		tunnel_reset(s->tunnel, id, MUX_REFUSED);
		return err;
	}
	err = carry(s, id, in, out);
	if (!err)
		return 0;
	close(in);
	if (out != in)
		close(out);
	return err;
}

static void carry_stdio(struct streams *s, uint16_t id)
{
	int err;

	s->has_stdio = true;
	err = carry_both(s, id);
	if (err)
		s->config.ended(s->config.context, err);
}

/* --- the tunnel --- */

static void end_all(struct streams *s)
{
	for (unsigned i = 0; i < NUMBERS; i++)
		forget(s, (uint16_t)i);
}

void streams_set_tunnel(struct streams *s, struct tunnel *tunnel)
{
	if (s->acceptable) {
		event_del(s->acceptable);
		event_del(s->pause);
	}
	end_all(s);
	s->tunnel = tunnel;
}

void streams_begin(struct streams *s, bool controlling)
{
	uint16_t id;

	if (!s->tunnel)
		return;
	if (s->acceptable)
		event_add(s->acceptable, NULL);
	if (s->config.use == STREAMS_STDIO && controlling && !s->has_stdio &&
		!tunnel_open(s->tunnel, &id))
		carry_stdio(s, id);
}

static void opened(struct streams *s, uint16_t id)
{
	if (s->config.use == STREAMS_TARGET)
		connect_stream(s, id);
	else if (s->config.use == STREAMS_STDIO && !s->has_stdio)
		carry_stdio(s, id);
	else
		tunnel_reset(s->tunnel, id, MUX_REFUSED);
}

/* The peer has lost what it was connected to, or has refused it. */
static void reset(struct streams *s, uint16_t id)
{
	bool was_there = s->pumps[id] != NULL;

	forget(s, id);
	if (was_there && s->config.use == STREAMS_STDIO)
		s->config.ended(s->config.context, -ECONNABORTED);
}

void streams_event(struct streams *s, enum mux_event event, const struct mux_payload *payload)
{
	struct pump *p = payload->id < NUMBERS ? s->pumps[payload->id] : NULL;

	if (!s->tunnel)
		return;
	if (event == MUX_OPENED)
		opened(s, payload->id);
	else if (event == MUX_RESET && payload->id < NUMBERS)
		reset(s, payload->id);
	else if (event == MUX_DATA && p)
		pump_data(p, payload->data, payload->length);
	else if (event == MUX_DATA) /* of a stream that is being reset */
		tunnel_consumed(s->tunnel, clock_now_us(), payload->id, payload->length);
	else if (event == MUX_ENDED && p)
		pump_end(p);
	else if (event == MUX_ROOM && p)
		pump_turn(p);
}

void streams_turn(struct streams *s)
{
	for (unsigned i = 0; i < NUMBERS && s->count; i++)
		if (s->pumps[i])
			pump_turn(s->pumps[i]);
}

/* --- begin and end --- */

int streams_create(const struct streams_config *config, struct streams **out)
{
	struct streams *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->listener = -1;
	err = config->use == STREAMS_LISTEN ? listen_there(s) : 0;
	if (err) {
		streams_destroy(s);
		return err;
	}
	*out = s;
	return 0;
}

void streams_destroy(struct streams *s)
{
	if (!s)
		return;
	end_all(s);
	if (s->acceptable)
		event_free(s->acceptable);
	if (s->pause)
		event_free(s->pause);
	if (s->listener >= 0)
		close(s->listener);
	free(s);
}
