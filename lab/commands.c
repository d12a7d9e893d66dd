// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/commands.h"
#include "lab/commands_spawn.h"

#define READY_EVERY_US 20000
#define READY_TIMES    3 /* as many looks in a row have to show the same sockets */
#define READY_MAX_US   10000000
#define GRACE_US       2000000

enum state { STATE_WAITS, STATE_RUNS, STATE_ENDED, STATE_UNSTARTED };

struct stream {
	struct running *owner;
	struct event *readable;
	int fd, number;
	size_t length;
	char text[COMMAND_LINE_MAX];
};

struct running {
	struct commands *all;
	size_t index;
	enum state state;
	int status;
	pid_t pid;
	struct event *start;
	struct stream *streams[2];
	int sockets, looks; /* of a daemon: how many, and how often that was seen */
};

struct commands {
	struct commands_config config;
	const struct hosts *hosts;
	struct event_base *base;
	struct random random;
	struct running *list;
	struct event *children, *look, *grace;
	uint64_t ready_by_us;
	bool started, stopping, done;
	char error[128];
};

static void stop(struct commands *c, int signal, bool daemons_only);

static struct timeval interval(uint64_t us)
{
	return (struct timeval){(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
}

/* --- output --- */

static void give_out(struct stream *s, const char *text, size_t length)
{
	const struct commands_config *config = &s->owner->all->config;

	config->line(config->context, s->owner->index, s->number, text, length);
}

/* All whole lines; what is left moves to the front. */
static void give_out_lines(struct stream *s)
{
	size_t begin = 0;
	char *end;

	while ((end = memchr(s->text + begin, '\n', s->length - begin))) {
		size_t length = (size_t)(end - s->text) - begin;

		give_out(s, s->text + begin, length);
		begin += length + 1;
	}
	if (!begin && s->length == sizeof(s->text)) {
		give_out(s, s->text, s->length);
		begin = s->length;
	}
	s->length -= begin;
	memmove(s->text, s->text + begin, s->length);
}

static void close_stream(struct stream **place)
{
	struct stream *s = *place;

	if (!s)
		return;
	if (s->length)
		give_out(s, s->text, s->length);
	if (s->readable)
		event_free(s->readable);
	close(s->fd);
	free(s);
	*place = NULL;
}

/* What is there now, and no more: a child may go on writing for ever. */
static void read_rest(struct stream *s)
{
	int left = 0;
	ssize_t n = 1;

	if (ioctl(s->fd, FIONREAD, &left))
		return;
	for (; left > 0 && n > 0; left -= (int)n) {
		n = read(s->fd, s->text + s->length, sizeof(s->text) - s->length);
		if (n <= 0)
			break;
		s->length += (size_t)n;
		give_out_lines(s);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct stream *s = context;
	ssize_t n = read(fd, s->text + s->length, sizeof(s->text) - s->length);

	(void)what;
	if (n > 0) {
		s->length += (size_t)n;
		give_out_lines(s);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close_stream(&s->owner->streams[s->number - 1]);
	}
}

static int open_stream(struct running *r, int number, int fd)
{
	struct stream *s = malloc(sizeof(*s));

	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	s->owner = r;
	s->fd = fd;
	s->number = number;
	s->length = 0;
	s->readable = event_new(r->all->base, fd, EV_READ | EV_PERSIST, on_readable, s);
	r->streams[number - 1] = s;
	return s->readable && !event_add(s->readable, NULL) ? 0 : -ENOMEM;
}

/* --- ends --- */

static bool all_are(const struct commands *c, bool daemons)
{
	for (size_t i = 0; i < c->config.count; i++) {
		enum state state = c->list[i].state;

		if (c->config.list[i].daemon == daemons &&
			(state == STATE_WAITS || state == STATE_RUNS))
			return false;
	}
	return true;
}

__attribute__((format(printf, 3, 4))) static void fail(
	struct commands *c, size_t command, const char *format, ...)
{
	char why[80];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	if (!*c->error)
		snprintf(c->error, sizeof(c->error), "host %s: %s", c->config.list[command].host,
			why);
	stop(c, SIGTERM, false);
}

static void send_signal(struct running *r, int signal)
{
	bool passthrough = r->all->config.list[r->index].passthrough;

	if (r->state == STATE_RUNS)
		kill(passthrough ? r->pid : -r->pid, signal);
}

static void check_done(struct commands *c)
{
	if (c->done)
		return;
	if (!all_are(c, false) && !c->stopping)
		return;
	if (!c->stopping)
		stop(c, SIGTERM, true);
	if (!all_are(c, false) || !all_are(c, true))
		return;
	c->done = true;
	event_del(c->grace);
	c->config.done(c->config.context, *c->error ? c->error : NULL);
}

static void end(struct running *r, int status)
{
	struct commands *c = r->all;

	r->state = STATE_ENDED;
	r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	/* what it has said before, of which a child of its may hold the other end */
	for (int i = 0; i < 2; i++) {
		if (r->streams[i])
			read_rest(r->streams[i]);
		close_stream(&r->streams[i]);
	}
	c->config.ended(c->config.context, r->index, r->status);
	if (c->config.list[r->index].daemon && !c->stopping && !all_are(c, false))
		fail(c, r->index, "its daemon has ended, with status %d", r->status);
}

static void on_children(evutil_socket_t fd, short what, void *context)
{
	struct commands *c = context;
	int status;
	pid_t pid;

	(void)fd;
	(void)what;
	/* also those that nobody waits for: the first process of a namespace inherits them */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < c->config.count; i++)
			if (c->list[i].state == STATE_RUNS && c->list[i].pid == pid)
				end(&c->list[i], status);
	check_done(c);
}

/* --- starts --- */

static void start(struct running *r)
{
	struct commands *c = r->all;
	const struct command *command = &c->config.list[r->index];
	struct spawned spawned;
	int err = command_spawn(command, hosts_namespace(c->hosts, command->node), &spawned);

	if (err) {
		r->state = STATE_UNSTARTED;
		fail(c, r->index, "cannot start a command: %s", strerror(-err));
		return;
	}
	r->state = STATE_RUNS;
	r->pid = spawned.pid;
	c->config.started(c->config.context, r->index);
	for (int i = 0; i < 2 && !command->passthrough; i++)
		if (open_stream(r, i + 1, spawned.streams[i]))
			fail(c, r->index, "no memory for its output");
}

static void on_start(evutil_socket_t fd, short what, void *context)
{
	struct running *r = context;

	(void)fd;
	(void)what;
	if (r->state == STATE_WAITS && !r->all->stopping)
		start(r);
	check_done(r->all);
}

static uint64_t choose_delay(struct commands *c, const struct command *command)
{
	uint64_t range = command->delay_max_us - command->delay_min_us;
	uint32_t bound = range < UINT32_MAX ? (uint32_t)range + 1 : UINT32_MAX;

	return command->delay_min_us + (range ? random_below(&c->random, bound) : 0);
}

static void start_all(struct commands *c)
{
	c->started = true;
	for (size_t i = 0; i < c->config.count; i++) {
		struct timeval delay = interval(choose_delay(c, &c->config.list[i]));

		if (!c->config.list[i].daemon)
			event_add(c->list[i].start, &delay);
	}
}

/* Whether all daemons have had the same sockets for a while. */
static bool are_ready(struct commands *c)
{
	bool ready = true;

	for (size_t i = 0; i < c->config.count; i++) {
		struct running *r = &c->list[i];
		int sockets;

		if (!c->config.list[i].daemon || r->state != STATE_RUNS)
			continue;
		sockets = command_count_sockets(r->pid);
		r->looks = sockets > 0 && sockets == r->sockets ? r->looks + 1 : 0;
		r->sockets = sockets;
		ready = ready && r->looks >= READY_TIMES;
	}
	return ready;
}

static size_t first_unready(const struct commands *c)
{
	size_t i = 0;

	while (i + 1 < c->config.count &&
		(!c->config.list[i].daemon || c->list[i].looks >= READY_TIMES))
		i++;
	return i;
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
	struct commands *c = context;

	(void)fd;
	(void)what;
	if (c->stopping || c->started)
		return;
	if (are_ready(c)) {
		event_del(c->look);
		start_all(c);
	} else if (clock_now_us() > c->ready_by_us) { /* a look may take long itself */
		event_del(c->look);
		fail(c, first_unready(c), "its daemon has opened no socket within %d s",
			READY_MAX_US / 1000000);
		check_done(c);
	}
}

/* --- stopping --- */

static void on_grace(evutil_socket_t fd, short what, void *context)
{
	struct commands *c = context;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < c->config.count; i++)
		send_signal(&c->list[i], SIGKILL);
}

static void stop(struct commands *c, int signal, bool daemons_only)
{
	struct timeval grace = interval(GRACE_US);

	c->stopping = true;
	for (size_t i = 0; i < c->config.count; i++) {
		struct running *r = &c->list[i];

		if (r->state == STATE_WAITS)
			r->state = STATE_UNSTARTED;
		if (signal && (!daemons_only || c->config.list[i].daemon))
			send_signal(r, signal);
	}
	event_add(c->grace, &grace);
}

void commands_stop(struct commands *c, int signal)
{
	stop(c, signal, false);
	check_done(c);
}

int commands_status(const struct commands *c, size_t command)
{
	return c->list[command].state == STATE_ENDED ? c->list[command].status : COMMANDS_UNSTARTED;
}

/* --- creation --- */

static int create_events(struct commands *c)
{
	c->children = evsignal_new(c->base, SIGCHLD, on_children, c);
	c->look = event_new(c->base, -1, EV_PERSIST, on_look, c);
	c->grace = event_new(c->base, -1, 0, on_grace, c);
	if (!c->children || !c->look || !c->grace || event_add(c->children, NULL))
		return -ENOMEM;
	for (size_t i = 0; i < c->config.count; i++) {
		struct running *r = &c->list[i];

		r->all = c;
		r->index = i;
		r->start = event_new(c->base, -1, 0, on_start, r);
		if (!r->start)
			return -ENOMEM;
	}
	return 0;
}

/* From the loop, so that what `done` is told comes after commands_begin has returned. */
static void begin(struct commands *c)
{
	struct timeval every = interval(READY_EVERY_US), at_once = {0, 0};
	bool daemons = false;

	for (size_t i = 0; i < c->config.count; i++) {
		if (!c->config.list[i].daemon)
			continue;
		daemons = true;
		event_add(c->list[i].start, &at_once);
	}
	c->ready_by_us = clock_now_us() + READY_MAX_US;
	if (daemons)
		event_add(c->look, &every);
	else
		start_all(c);
}

int commands_begin(struct event_base *base, const struct hosts *hosts,
	const struct commands_config *config, struct commands **out)
{
	struct commands *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->config = *config;
	c->base = base;
	c->hosts = hosts;
	random_init_number(&c->random, config->seed);
	c->list = calloc(config->count ? config->count : 1, sizeof(*c->list));
	err = c->list ? create_events(c) : -ENOMEM;
	if (err) {
		commands_destroy(c);
		return err;
	}
	begin(c);
	*out = c;
	return 0;
}

static void free_event(struct event *e)
{
	if (e)
		event_free(e);
}

void commands_destroy(struct commands *c)
{
	if (!c)
		return;
	for (size_t i = 0; c->list && i < c->config.count; i++) {
		struct running *r = &c->list[i];

		send_signal(r, SIGKILL);
		close_stream(&r->streams[0]);
		close_stream(&r->streams[1]);
		free_event(r->start);
	}
	free_event(c->children);
	free_event(c->look);
	free_event(c->grace);
	free(c->list);
	free(c);
}
