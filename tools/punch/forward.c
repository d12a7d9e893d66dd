// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "net/sockaddr.h"
#include "net/udp.h"
#include "tools/punch/forward.h"

#define DATAGRAM_BYTES 65536

struct client {
	struct forward *forward;
	bool used;
	uint16_t number;
	uint64_t active_us; /* when it last sent or was sent something */
	struct endpoint from; /* of a side that listens */
	int fd; /* of a side that has a target */
	struct event *event;
};

struct forward {
	struct forward_config config;
	int fd; /* that listens; -1: the side has a target */
	struct event *event, *timer;
	uint16_t next;
	struct client clients[FORWARD_CLIENTS];
	struct forward_statistics statistics;
	uint8_t datagram[DATAGRAM_BYTES];
};

/* --- clients --- */

static struct client *find_number(struct forward *f, uint16_t number)
{
	for (size_t i = 0; i < FORWARD_CLIENTS; i++)
		if (f->clients[i].used && f->clients[i].number == number)
			return &f->clients[i];
	return NULL;
}

static struct client *find_endpoint(struct forward *f, const struct endpoint *from)
{
	for (size_t i = 0; i < FORWARD_CLIENTS; i++)
		if (f->clients[i].used && endpoint_equal(&f->clients[i].from, from))
			return &f->clients[i];
	return NULL;
}

static void end_client(struct client *c)
{
	if (!c->used)
		return;
	if (c->event)
		event_free(c->event);
	if (c->fd >= 0)
		close(c->fd);
	c->forward->statistics.clients--;
	*c = (struct client){.forward = c->forward, .fd = -1};
}

static struct client *find_longest_idle(struct forward *f)
{
	struct client *found = NULL;

	for (size_t i = 0; i < FORWARD_CLIENTS; i++) {
		struct client *c = &f->clients[i];

		if (c->used && (!found || c->active_us < found->active_us))
			found = c;
	}
	return found;
}

/* A place for a new one; NULL when all are in use. */
static struct client *find_place(struct forward *f, uint64_t now_us)
{
	struct client *oldest;

	for (size_t i = 0; i < FORWARD_CLIENTS; i++)
		if (!f->clients[i].used)
			return &f->clients[i];
	oldest = find_longest_idle(f);
	if (now_us - oldest->active_us <= f->config.replace_us)
		return NULL;
	end_client(oldest);
	f->statistics.replaced++;
	return oldest;
}

/* When the one that is idle longest ends. */
static void arm(struct forward *f, uint64_t now_us)
{
	const struct client *oldest = find_longest_idle(f);
	uint64_t end_us = oldest ? oldest->active_us + f->config.idle_us : 0;
	uint64_t us = end_us > now_us ? end_us - now_us : 0;
	struct timeval wait = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};

	if (oldest)
		event_add(f->timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct forward *f = context;
	uint64_t now_us = clock_now_us();

	(void)fd;
	(void)what;
	for (size_t i = 0; i < FORWARD_CLIENTS; i++) {
		struct client *c = &f->clients[i];

		if (!c->used || now_us - c->active_us < f->config.idle_us)
			continue;
		end_client(c);
		f->statistics.ended++;
	}
	arm(f, now_us);
}

static struct client *begin_client(struct forward *f, uint16_t number, uint64_t now_us)
{
	struct client *c = find_place(f, now_us);

	if (!c) {
		f->statistics.crowded++;
		return NULL;
	}
	c->used = true;
	c->number = number;
	c->active_us = now_us;
	f->statistics.clients++;
	if (!event_pending(f->timer, EV_TIMEOUT, NULL))
		arm(f, now_us);
	return c;
}

/* --- from here to the peer --- */

static void take_errors(struct forward *f, int fd)
{
	struct udp_error e;
	uint8_t quoted[1];

	for (int i = 0; i < FORWARD_TURN; i++) {
		if (udp_receive_error(fd, quoted, sizeof(quoted), &e))
			return;
		f->statistics.errors++;
	}
}

/* The length of what is in datagram then; negative: none that can be carried, or none at all (-EAGAIN). */
static int take_datagram(struct forward *f, int fd, struct endpoint *from)
{
	struct udp_meta meta;
	int n = udp_receive(fd, f->datagram, sizeof(f->datagram), from, &meta);

	if (n < 0 || (size_t)n <= f->config.datagram_max)
		return n;
	f->statistics.too_long++;
	return -EMSGSIZE;
}

static void carry(struct forward *f, struct client *c, uint64_t now_us, size_t length)
{
	c->active_us = now_us;
	f->statistics.sent++;
	f->config.send(f->config.context, c->number, f->datagram, length);
}

/* A number comes back only after all others, so that what is late for an old client reaches no new one. */
static uint16_t next_number(struct forward *f)
{
	while (find_number(f, f->next))
		f->next++;
	return f->next++;
}

static void take_local(struct forward *f, const struct endpoint *from, size_t length)
{
	uint64_t now_us = clock_now_us();
	struct client *c = find_endpoint(f, from);

	if (!c) {
		c = begin_client(f, next_number(f), now_us);
		if (!c)
			return;
		c->from = *from;
	}
	carry(f, c, now_us, length);
}

static void on_local(evutil_socket_t fd, short what, void *context)
{
	struct forward *f = context;
	struct endpoint from;
	int n = 0;

	(void)what;
	take_errors(f, fd);
	for (int i = 0; i < FORWARD_TURN && n != -EAGAIN; i++) {
		n = take_datagram(f, fd, &from);
		if (n >= 0)
			take_local(f, &from, (size_t)n);
	}
}

static void on_target(evutil_socket_t fd, short what, void *context)
{
	struct client *c = context;
	struct forward *f = c->forward;
	struct endpoint from;
	int n = 0;

	(void)what;
	take_errors(f, fd);
	for (int i = 0; i < FORWARD_TURN && n != -EAGAIN; i++) {
		n = take_datagram(f, fd, &from);
		if (n >= 0)
			carry(f, c, clock_now_us(), (size_t)n);
	}
}

/* --- from the peer to here --- */

/* Connected: what others send to its port does not come in. */
static int open_target(struct forward *f, struct client *c)
{
	const struct endpoint local = {.family = f->config.target.family};
	struct sockaddr_storage to;
	socklen_t length = sockaddr_from_endpoint(&f->config.target, &to);
	int err = udp_open(&local, NULL, 0, &c->fd);

	if (!err && connect(c->fd, (struct sockaddr *)&to, length))
		err = -errno;
	if (err)
		return err;
	c->event = event_new(f->config.base, c->fd, EV_READ | EV_PERSIST, on_target, c);
	return c->event && !event_add(c->event, NULL) ? 0 : -ENOMEM;
}

/* The client of a number, which a new number makes on the side that has a target. */
static struct client *find_receiver(struct forward *f, uint16_t number, uint64_t now_us)
{
	struct client *c = find_number(f, number);

	if (c)
		return c;
	if (f->fd >= 0) {
		f->statistics.strange++;
		return NULL;
	}
	c = begin_client(f, number, now_us);
	if (!c || !open_target(f, c))
		return c;
	end_client(c);
	f->statistics.failed++;
	return NULL;
}

void forward_input(struct forward *f, uint16_t client, const uint8_t *data, size_t length)
{
	uint64_t now_us = clock_now_us();
	struct client *c = find_receiver(f, client, now_us);
	int err;

	if (!c)
		return;
	c->active_us = now_us;
	if (f->fd >= 0)
		err = udp_send(f->fd, &c->from, data, length);
	else
		err = udp_send(c->fd, &f->config.target, data, length);
	if (err)
		f->statistics.failed++;
	else
		f->statistics.received++;
}

/* --- begin and end --- */

static int listen_locally(struct forward *f)
{
	int err = udp_open(&f->config.listen, NULL, 0, &f->fd);

	if (err)
		return err;
	f->event = event_new(f->config.base, f->fd, EV_READ | EV_PERSIST, on_local, f);
	return f->event && !event_add(f->event, NULL) ? 0 : -ENOMEM;
}

static int check_target(const struct endpoint *target)
{
	struct endpoint source;

	return endpoint_is_unicast(target) ? udp_source_towards(target, NULL, &source) : -EINVAL;
}

int forward_create(const struct forward_config *config, struct forward **out)
{
	bool listens = config->listen.family != FAMILY_NONE;
	struct forward *f;
	int err;

	if (listens == (config->target.family != FAMILY_NONE))
		return -EINVAL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->config = *config;
	f->config.replace_us = config->replace_us ? config->replace_us : FORWARD_REPLACE_US;
	f->config.idle_us = config->idle_us ? config->idle_us : FORWARD_IDLE_US;
	f->fd = -1;
	for (size_t i = 0; i < FORWARD_CLIENTS; i++)
		f->clients[i] = (struct client){.forward = f, .fd = -1};
	f->timer = event_new(config->base, -1, 0, on_timer, f);
	err = f->timer ? 0 : -ENOMEM;
	if (!err)
		err = listens ? listen_locally(f) : check_target(&config->target);
	if (err) {
		forward_destroy(f);
		return err;
	}
	*out = f;
	return 0;
}

void forward_destroy(struct forward *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < FORWARD_CLIENTS; i++)
		end_client(&f->clients[i]);
	if (f->event)
		event_free(f->event);
	if (f->timer)
		event_free(f->timer);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

int forward_local(const struct forward *f, struct endpoint *out)
{
	return f->fd >= 0 ? udp_local(f->fd, out) : -EBADF;
}

struct forward_statistics forward_statistics(const struct forward *f)
{
	return f->statistics;
}

int forward_listen_parse(const char *text, struct endpoint *out)
{
	uint64_t port;
	int err;

	if (!number_from_text(text, 1, UINT16_MAX, &port)) {
		*out = (struct endpoint){FAMILY_IPV4, (uint16_t)port, 0, {127, 0, 0, 1}};
		return 0;
	}
	err = endpoint_parse(text, 0, out);
	return err || !out->port ? -EINVAL : 0;
}
