// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "probe/run_tcp.h"
#include "probe/tcp_probe.h"

#define ACCEPTS_AT_ONCE 16
#define READS_AT_ONCE	16

struct held_socket {
	struct run_tcp *run;
	unsigned number;
	int fd; /* -1: none */
	bool listener, connected;
	bool quotes; /* errors are taken from it */
	uint8_t ttl;
	uint16_t mss; /* of the SYN, when it was sent */
	uint64_t since_ns, until_ns; /* when it was */
	struct endpoint local, to;
	struct event *event;
};

struct run_tcp {
	struct run_tcp_config config;
	struct tcp_probe *probe;
	struct tcp_habits habits;
	struct held_socket sockets[TCP_SOCKETS];
	bool done;
};

static void drop(struct held_socket *s)
{
	if (s->event)
		event_free(s->event);
	s->event = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* --- what comes --- */

static void on_event(evutil_socket_t fd, short what, void *argument);

static int watch(struct held_socket *s, short what)
{
	if (s->event)
		event_free(s->event);
	s->event = event_new(s->run->config.base, s->fd, what, on_event, s);
	return !s->event || event_add(s->event, NULL) ? -ENOMEM : 0;
}

static struct held_socket *hold(struct run_tcp *r, unsigned number, int fd)
{
	struct held_socket *s = &r->sockets[number];

	*s = (struct held_socket){.run = r, .number = number, .fd = fd};
	return s;
}

static void take_accepts(struct held_socket *s)
{
	struct run_tcp *r = s->run;

	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct endpoint from;
		int fd, number;

		if (tcp_accept(s->fd, &from, &fd))
			return;
		number = tcp_probe_accepted(r->probe, clock_now_us(), s->number, &from);
		if (number < 0) {
			close(fd);
			continue;
		}
		hold(r, (unsigned)number, fd)->connected = true;
		if (watch(&r->sockets[number], EV_READ | EV_PERSIST))
			tcp_probe_closed(r->probe, clock_now_us(), (unsigned)number, -ENOMEM);
	}
}

/* A connection with IP_RECVERR would be ended by later ICMP errors, too. */
static void take_error(struct held_socket *s, struct handshake *h)
{
	struct udp_error e;
	struct icmp_seen seen;

	if (tcp_receive_error(s->fd, &s->local, &s->to, &e, &h->quoted, &h->sequence))
		return;
	seen = udp_error_seen(&e, clock_now_us());
	tcp_probe_icmp(s->run->probe, s->number, &seen);
}

static void take_handshake(struct held_socket *s, int err)
{
	struct handshake h = {.told = false};

	if (!err)
		tcp_describe(s->fd, &s->run->habits, s->mss, &h);
	if (s->quotes && err)
		take_error(s, &h);
	else if (s->quotes)
		(void)tcp_want_errors(s->fd, s->to.family, false);
	h.ttl = s->ttl;
	h.since_ns = s->since_ns;
	h.until_ns = s->until_ns;
	tcp_probe_handshake(s->run->probe, s->number, &h);
}

static void take_connected(struct held_socket *s)
{
	struct tcp_probe *probe = s->run->probe;
	int err = tcp_connect_result(s->fd);

	s->connected = !err;
	if (!err)
		err = watch(s, EV_READ | EV_PERSIST);
	take_handshake(s, err);
	tcp_probe_connected(
		probe, clock_now_us(), s->number, err, err ? 0 : tcp_segments_in(s->fd));
}

static void take_bytes(struct held_socket *s)
{
	struct tcp_probe *probe = s->run->probe;
	uint8_t data[2048];
	int error;

	for (int i = 0; i < READS_AT_ONCE; i++) {
		ssize_t n = recv(s->fd, data, sizeof(data), MSG_DONTWAIT);

		error = errno;
		if (n > 0) {
			tcp_probe_input(probe, clock_now_us(), s->number, data, (size_t)n);
			continue;
		}
		if (n < 0 && (error == EAGAIN || error == EINTR))
			return;
		event_del(s->event); /* the prober closes it when it likes */
		tcp_probe_closed(probe, clock_now_us(), s->number, n ? -error : 0);
		return;
	}
}

static void on_event(evutil_socket_t fd, short what, void *argument)
{
	struct held_socket *s = argument;
	struct run_tcp *r = s->run;

	(void)fd;
	(void)what;
	if (s->listener)
		take_accepts(s);
	else if (s->connected)
		take_bytes(s);
	else
		take_connected(s);
	r->config.changed(r->config.context);
}

/* --- what the prober wants --- */

static int connect_to(struct held_socket *s, const struct tcp_output *out)
{
	int err;

	s->to = out->to;
	if (out->ttl && !tcp_set_ttl(s->fd, out->to.family, out->ttl))
		s->ttl = out->ttl;
	if (out->quotes)
		s->quotes = !tcp_want_errors(s->fd, out->to.family, true);
	s->since_ns = clock_utc_ns();
	err = tcp_begin_connect(s->fd, &out->to);
	s->until_ns = clock_utc_ns();
	if (!err)
		s->mss = tcp_sent_mss(s->fd);
	return err;
}

static int open_socket(struct held_socket *s, const struct tcp_output *out, struct endpoint *local)
{
	const struct run_tcp_config *c = &s->run->config;
	int err;

	*local = c->source;
	local->port = out->port;
	s->listener = out->action == TCP_LISTEN;
	err = tcp_bind(local, c->interface, &s->fd);
	if (!err)
		watch_socket(c->watch, IPPROTO_TCP, s->fd);
	if (!err)
		err = s->listener ? tcp_begin_listen(s->fd) : connect_to(s, out);
	if (!err)
		err = udp_local(s->fd, local);
	s->local = *local;
	if (!err)
		err = watch(s, s->listener ? EV_READ | EV_PERSIST : EV_WRITE);
	if (err)
		drop(s);
	return err;
}

static void carry_open(struct run_tcp *r, uint64_t now_us, const struct tcp_output *out)
{
	struct held_socket *s = hold(r, out->socket, -1);
	struct endpoint local;
	int err = open_socket(s, out, &local);

	if ((err == -EMFILE || err == -ENFILE || err == -EACCES) && !*r->config.error)
		*r->config.error = err;
	tcp_probe_opened(r->probe, now_us, out->socket, err, &local);
}

static void carry_send(struct run_tcp *r, uint64_t now_us, const struct tcp_output *out)
{
	ssize_t n = send(
		r->sockets[out->socket].fd, out->data, out->length, MSG_NOSIGNAL | MSG_DONTWAIT);

	/* so little always fits into the kernel's buffer */
	if (n != (ssize_t)out->length)
		tcp_probe_closed(r->probe, now_us, out->socket, n < 0 ? -errno : -ENOBUFS);
}

bool run_tcp_turn(struct run_tcp *r, uint64_t now_us, uint64_t *deadline_us)
{
	struct tcp_output out;

	while (!r->done) {
		switch (tcp_probe_poll(r->probe, now_us, &out)) {
		case TCP_OPEN:
		case TCP_LISTEN:
			carry_open(r, now_us, &out);
			break;
		case TCP_SEND:
			carry_send(r, now_us, &out);
			break;
		case TCP_CLOSE:
			drop(&r->sockets[out.socket]);
			break;
		case TCP_WAIT:
			if (out.deadline_us < *deadline_us)
				*deadline_us = out.deadline_us;
			return false;
		case TCP_DONE:
			r->done = true;
			break;
		}
	}
	return true;
}

/* --- the whole --- */

int run_tcp_create(const struct run_tcp_config *config, uint64_t now_us, struct run_tcp **out)
{
	struct tcp_probe_config probe = {.family = config->source.family,
		.tests = config->tests,
		.port = config->source.port,
		.syns = true,
		.trace = true,
		.limit_us = config->limit_us};
	struct run_tcp *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->config = *config;
	tcp_learn_habits(&r->habits);
	for (unsigned i = 0; i < TCP_SOCKETS; i++)
		r->sockets[i].fd = -1;
	err = tcp_probe_create(&probe, config->journal, config->random, now_us, &r->probe);
	if (err) {
		free(r);
		return err;
	}
	*out = r;
	return 0;
}

void run_tcp_destroy(struct run_tcp *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < TCP_SOCKETS; i++)
		drop(&r->sockets[i]);
	tcp_probe_destroy(r->probe);
	free(r);
}

void run_tcp_add_server(struct run_tcp *r, uint64_t now_us, size_t place)
{
	tcp_probe_add_server(r->probe, now_us, place);
}

void run_tcp_finish(struct run_tcp *r, uint64_t now_us)
{
	tcp_probe_finish(r->probe, now_us);
}
