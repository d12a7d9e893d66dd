// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sockaddr.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "server/caller.h"

#define EVENTS_PER_TURN 64

struct caller {
	int fd; /* -1: none */
	bool connected;
};

struct callers {
	callers_handler *handler;
	void *context;
	int epoll;
	struct caller table[CALLS_MAX];
};

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

/*
 * Both of the two that share a port are needed: SO_REUSEPORT lets us in beside the listener, and SO_REUSEADDR beside
 * connections that no process holds any more, which kernels have taken for root's.
 */
static int set_options(int fd, enum family family, bool shared)
{
	bool v4 = family == FAMILY_IPV4;
	int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	struct linger reset = {.l_onoff = 1};
	int err = set_int(fd, level, v4 ? IP_RECVERR : IPV6_RECVERR, 1);

	/* nothing is left of it then in the kernel that would keep the same two endpoints from meeting again */
	if (!err && setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		err = -errno;
	if (!err && !v4)
		err = set_int(fd, level, IPV6_V6ONLY, 1);
	if (!err && shared)
		err = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!err && shared)
		err = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return err;
}

int callers_bind(struct callers *c, unsigned number, const struct endpoint *local, uint16_t *port)
{
	struct caller *caller = &c->table[number];
	struct endpoint e = *local;
	struct sockaddr_storage address;
	socklen_t length;
	int err;

	e.port = *port;
	length = sockaddr_from_endpoint(&e, &address);
	*caller = (struct caller){.fd = socket(sockaddr_family(e.family),
					  SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
	if (caller->fd < 0)
		return -errno;
	err = set_options(caller->fd, e.family, e.port != 0);
	if (!err && bind(caller->fd, (struct sockaddr *)&address, length))
		err = -errno;
	if (!err)
		err = udp_local(caller->fd, &e);
	if (err)
		callers_close(c, number);
	else
		*port = e.port;
	return err;
}

int callers_connect(struct callers *c, unsigned number, const struct endpoint *to)
{
	int fd = c->table[number].fd;
	struct epoll_event event = {.events = EPOLLOUT, .data.u32 = number};
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from_endpoint(to, &address);

	if (connect(fd, (struct sockaddr *)&address, length) && errno != EINPROGRESS)
		return -errno;
	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void callers_greet(struct callers *c, unsigned number, const void *data, size_t length)
{
	struct caller *caller = &c->table[number];
	struct epoll_event event = {.events = EPOLLRDHUP, .data.u32 = number};

	caller->connected = true;
	/* so few bytes fit into any new connection; one that is broken already makes an event */
	(void)send(caller->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(caller->fd, SHUT_WR);
	(void)epoll_ctl(c->epoll, EPOLL_CTL_MOD, caller->fd, &event);
}

void callers_close(struct callers *c, unsigned number)
{
	struct caller *caller = &c->table[number];

	if (caller->fd < 0)
		return;
	close(caller->fd);
	caller->fd = -1;
}

/* --- events --- */

/* After the error itself, which the kernel forgets when its message is taken from the queue. */
static void take_icmp(int fd, struct calls_event *e)
{
	struct udp_error error;

	while (!udp_receive_error(fd, NULL, 0, &error)) {
		if (error.local || error.offender.family != error.to.family)
			continue;
		e->has_icmp = e->error != 0;
		e->icmp = (struct stun_icmp){.type = error.type,
			.code = error.code,
			.count = 1,
			.offender = error.offender};
	}
}

static void serve(struct callers *c, unsigned number, uint32_t events)
{
	struct caller *caller = &c->table[number];
	struct calls_event e = {.number = number};

	if (!caller->connected) {
		e.error = tcp_connect_result(caller->fd);
		take_icmp(caller->fd, &e);
		/* an ICMP error that was not for the attempt */
		if (!e.error && !(events & EPOLLOUT))
			return;
	}
	c->handler(c->context, &e);
}

int callers_fd(const struct callers *c)
{
	return c->epoll;
}

void callers_run(struct callers *c)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int n = epoll_wait(c->epoll, events, EVENTS_PER_TURN, 0);

	for (int i = 0; i < n; i++)
		if (c->table[events[i].data.u32].fd >= 0)
			serve(c, events[i].data.u32, events[i].events);
}

/* --- making and ending --- */

int callers_create(struct callers **out, callers_handler *handler, void *context)
{
	struct callers *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->handler = handler;
	c->context = context;
	for (unsigned i = 0; i < CALLS_MAX; i++)
		c->table[i].fd = -1;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll < 0) {
		err = -errno;
		free(c);
		return err;
	}
	*out = c;
	return 0;
}

void callers_destroy(struct callers *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < CALLS_MAX; i++)
		callers_close(c, i);
	close(c->epoll);
	free(c);
}
