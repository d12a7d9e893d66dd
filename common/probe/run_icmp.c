// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/icmp.h"
#include "net/ping.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "probe/icmp_probe.h"
#include "probe/run_icmp.h"

#define READS_AT_ONCE 64
#define READ_BYTES    2048

struct held_socket {
	struct run_icmp *run;
	unsigned number;
	enum icmp_socket_kind kind;
	int fd; /* -1: none */
	bool connected; /* TCP */
	uint16_t identifier; /* of echos that go over the raw socket; 0: they have a socket */
	struct endpoint local, to;
	struct event *event;
};

struct run_icmp {
	struct run_icmp_config config;
	struct icmp_probe *probe;
	struct held_socket sockets[ICMP_SOCKETS];
	struct event *raw_event;
	bool done;
};

static enum family family_of(const struct run_icmp *r)
{
	return r->config.source.family;
}

static void drop(struct held_socket *s)
{
	if (s->event)
		event_free(s->event);
	s->event = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->identifier = 0;
}

static void on_event(evutil_socket_t fd, short what, void *argument);

static int watch(struct held_socket *s, short what)
{
	if (s->event)
		event_free(s->event);
	s->event = event_new(s->run->config.base, s->fd, what, on_event, s);
	return !s->event || event_add(s->event, NULL) ? -ENOMEM : 0;
}

/* --- what comes --- */

static void take_errors(struct held_socket *s)
{
	uint8_t quoted[ICMP_DATA_BYTES];
	struct udp_error e;

	for (int i = 0; i < READS_AT_ONCE && s->fd >= 0; i++) {
		struct icmp_seen seen;

		if (udp_receive_error(s->fd, quoted, sizeof(quoted), &e))
			return;
		seen = udp_error_seen(&e, clock_now_us());
		icmp_probe_error(
			s->run->probe, seen.t_us, s->number, &e.to, &seen, quoted, e.quoted);
	}
}

static void take_connected(struct held_socket *s)
{
	int err;

	if (tcp_is_connecting(s->fd))
		return;
	err = tcp_connect_result(s->fd); /* taking an error off the queue makes it forgotten */
	take_errors(s);
	s->connected = !err;
	if (!err)
		err = watch(s, EV_READ | EV_PERSIST);
	if (err)
		event_del(s->event);
	icmp_probe_connected(s->run->probe, clock_now_us(), s->number, err);
}

/* An ICMP error makes one call fail, and leaves the connection as it was. */
static bool is_excused(struct held_socket *s, int error)
{
	if (!tcp_is_established(s->fd))
		return false;
	icmp_probe_connection_error(s->run->probe, clock_now_us(), s->number, error);
	return true;
}

static void take_bytes(struct held_socket *s)
{
	struct icmp_probe *probe = s->run->probe;
	uint8_t data[READ_BYTES];

	for (int i = 0; i < READS_AT_ONCE && s->fd >= 0; i++) {
		ssize_t n = recv(s->fd, data, sizeof(data), MSG_DONTWAIT);
		int error = errno;

		if (n > 0)
			icmp_probe_input(probe, clock_now_us(), s->number, &s->to, data, (size_t)n);
		if (n < 0 && (error == EAGAIN || error == EINTR))
			return;
		if (n > 0 || (n < 0 && is_excused(s, error)))
			continue;
		event_del(s->event); /* the prober closes it when it likes */
		icmp_probe_closed(probe, clock_now_us(), s->number, n ? -error : 0);
		return;
	}
}

static void take_datagrams(struct held_socket *s)
{
	uint8_t data[READ_BYTES];

	take_errors(s);
	for (int i = 0; i < READS_AT_ONCE && s->fd >= 0; i++) {
		struct endpoint from;
		struct udp_meta meta;
		int n = udp_receive(s->fd, data, sizeof(data), &from, &meta);

		if (n == -EMSGSIZE) /* longer than anything that was asked for */
			continue;
		if (n < 0)
			return;
		icmp_probe_input(s->run->probe, clock_now_us(), s->number, &from, data, (size_t)n);
	}
}

static void take_replies(struct held_socket *s)
{
	uint8_t data[READ_BYTES];

	take_errors(s);
	for (int i = 0; i < READS_AT_ONCE && s->fd >= 0; i++) {
		struct ping_reply reply;
		int n = ping_receive(s->fd, family_of(s->run), data, sizeof(data), &reply);

		if (n == -EBADMSG)
			continue;
		if (n < 0)
			return;
		icmp_probe_reply(s->run->probe, clock_now_us(), s->number, &reply.from,
			reply.sequence, reply.ttl, reply.data.data, reply.data.length);
	}
}

static void on_event(evutil_socket_t fd, short what, void *argument)
{
	struct held_socket *s = argument;
	struct run_icmp *r = s->run;

	(void)fd;
	(void)what;
	if (s->kind == ICMP_SOCKET_UDP)
		take_datagrams(s);
	else if (s->kind == ICMP_SOCKET_ECHO)
		take_replies(s);
	else if (s->connected)
		take_bytes(s);
	else
		take_connected(s);
	r->config.changed(r->config.context);
}

/* --- the raw socket --- */

static uint8_t reply_type(const struct run_icmp *r)
{
	return family_of(r) == FAMILY_IPV4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
}

static uint16_t word_at(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void take_raw_reply(
	struct run_icmp *r, const struct icmp_message *m, const struct icmp_meta *meta)
{
	for (unsigned i = 0; i < ICMP_SOCKETS; i++)
		if (r->sockets[i].identifier && r->sockets[i].identifier == word_at(m->rest))
			icmp_probe_reply(r->probe, clock_now_us(), i, &meta->from,
				word_at(m->rest + 2), meta->ttl, m->body.data, m->body.length);
}

static void on_raw(evutil_socket_t fd, short what, void *argument)
{
	struct run_icmp *r = argument;
	uint8_t data[ICMP_BYTES_MAX];

	(void)what;
	for (int i = 0; i < READS_AT_ONCE; i++) {
		struct icmp_message m;
		struct icmp_meta meta;
		int err = icmp_receive((int)fd, family_of(r), data, sizeof(data), &m, &meta);

		if (err == -EBADMSG)
			continue;
		if (err)
			break;
		if (m.type == reply_type(r))
			take_raw_reply(r, &m, &meta);
		else
			icmp_probe_raw(r->probe, clock_now_us(), &meta.from, m.type, m.code, m.rest,
				m.body);
	}
	r->config.changed(r->config.context);
}

static int watch_raw(struct run_icmp *r)
{
	static const uint8_t four[] = {ICMP_ECHOREPLY, ICMP_DEST_UNREACH, ICMP_TIME_EXCEEDED,
		ICMP_PARAMETERPROB},
			     six[] = {ICMP6_ECHO_REPLY, ICMP6_DST_UNREACH, ICMP6_PACKET_TOO_BIG,
				     ICMP6_TIME_EXCEEDED, ICMP6_PARAM_PROB};
	bool v4 = family_of(r) == FAMILY_IPV4;
	int err = icmp_want(
		r->config.raw, family_of(r), v4 ? four : six, v4 ? sizeof(four) : sizeof(six));

	if (err)
		return err;
	r->raw_event = event_new(r->config.base, r->config.raw, EV_READ | EV_PERSIST, on_raw, r);
	return !r->raw_event || event_add(r->raw_event, NULL) ? -ENOMEM : 0;
}

/* --- what the prober wants --- */

/* Where this user may not have a socket for echos, they go over the raw one. */
static int open_echo(struct held_socket *s, struct endpoint *local)
{
	struct run_icmp *r = s->run;
	int err = ping_open(local, r->config.interface, &s->fd);

	if (!err)
		err = udp_local(s->fd, local);
	else if (r->config.raw >= 0) {
		s->identifier = (uint16_t)(1 + random_below(r->config.random, UINT16_MAX));
		local->port = s->identifier;
		err = 0;
	}
	if (!err)
		watch_opened(r->config.watch, IPPROTO_ICMP, local);
	return err;
}

static int open_connection(
	struct held_socket *s, const struct icmp_output *out, struct endpoint *local)
{
	int err = tcp_bind(local, s->run->config.interface, &s->fd);

	if (!err)
		watch_socket(s->run->config.watch, IPPROTO_TCP, s->fd);
	if (!err)
		err = tcp_want_errors(s->fd, out->to.family, true);
	if (!err)
		err = tcp_begin_connect(s->fd, &out->to);
	return err ? err : udp_local(s->fd, local);
}

static int open_socket(struct held_socket *s, const struct icmp_output *out, struct endpoint *local)
{
	int err;

	s->kind = out->kind;
	s->to = out->to;
	if (out->kind == ICMP_SOCKET_ECHO) {
		err = open_echo(s, local);
	} else if (out->kind == ICMP_SOCKET_TCP) {
		err = open_connection(s, out, local);
	} else {
		err = udp_open(local, s->run->config.interface, 0, &s->fd);
		if (!err)
			err = udp_local(s->fd, local);
		if (!err)
			watch_opened(s->run->config.watch, IPPROTO_UDP, local);
	}
	s->local = *local;
	if (!err && s->fd >= 0)
		err = watch(s, out->kind == ICMP_SOCKET_TCP ? EV_WRITE : EV_READ | EV_PERSIST);
	if (err)
		drop(s);
	return err;
}

static void carry_open(struct run_icmp *r, uint64_t now_us, const struct icmp_output *out)
{
	struct held_socket *s = &r->sockets[out->socket];
	struct endpoint local = r->config.source;
	int err;

	*s = (struct held_socket){.run = r, .number = out->socket, .fd = -1};
	local.port = out->port;
	err = open_socket(s, out, &local);
	if ((err == -EMFILE || err == -ENFILE) && !*r->config.error)
		*r->config.error = err;
	icmp_probe_opened(r->probe, now_us, out->socket, err, &local);
}

/* As ping_send, over the raw socket. */
static int send_raw_echo(const struct held_socket *s, const struct icmp_output *out)
{
	const struct run_icmp *r = s->run;
	struct icmp_message m = {
		.type = family_of(r) == FAMILY_IPV4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
		.rest = {(uint8_t)(s->identifier >> 8), (uint8_t)s->identifier,
			(uint8_t)(out->sequence >> 8), (uint8_t)out->sequence},
		.body = {out->data, out->length}};

	return icmp_send(r->config.raw, &r->config.source, &out->to, 0, &m);
}

static int send_bytes(struct held_socket *s, const struct icmp_output *out)
{
	for (int try = 0; try < 2; try++) {
		ssize_t n = send(s->fd, out->data, out->length, MSG_NOSIGNAL | MSG_DONTWAIT);

		/* so little always fits into the kernel's buffer */
		if (n == (ssize_t)out->length)
			return 0;
		if (n >= 0 || !is_excused(s, errno))
			return n < 0 ? -errno : -ENOBUFS;
	}
	return -EIO;
}

static void carry_send(struct run_icmp *r, uint64_t now_us, const struct icmp_output *out)
{
	struct held_socket *s = &r->sockets[out->socket];
	int err;

	if (s->kind == ICMP_SOCKET_TCP)
		err = send_bytes(s, out);
	else if (s->kind == ICMP_SOCKET_UDP)
		err = udp_send(s->fd, &out->to, out->data, out->length);
	else if (s->identifier)
		err = send_raw_echo(s, out);
	else
		err = ping_send(s->fd, &out->to, out->sequence, out->data, out->length);
	if (err)
		icmp_probe_unsent(r->probe, now_us, out->socket, err);
}

static void carry_error(struct run_icmp *r, uint64_t now_us, const struct icmp_output *out)
{
	struct icmp_message m = {
		.type = out->type, .code = out->code, .body = {out->data, out->length}};
	int err;

	watch_raised(r->config.watch, &out->to);
	err = icmp_send(r->config.raw, &r->config.source, &out->to, 0, &m);
	if (err)
		icmp_probe_error_unsent(r->probe, now_us, err);
}

static void carry_look(struct run_icmp *r, uint64_t now_us, const struct icmp_output *out)
{
	uint16_t mtu;

	(void)udp_path_mtu(&out->to, r->config.interface, &mtu);
	icmp_probe_path_mtu(r->probe, now_us, mtu);
}

bool run_icmp_turn(struct run_icmp *r, uint64_t now_us, uint64_t *deadline_us)
{
	struct icmp_output out;

	while (!r->done) {
		switch (icmp_probe_poll(r->probe, now_us, &out)) {
		case ICMP_OPEN:
			carry_open(r, now_us, &out);
			break;
		case ICMP_SEND:
			carry_send(r, now_us, &out);
			break;
		case ICMP_SEND_ERROR:
			carry_error(r, now_us, &out);
			break;
		case ICMP_LOOK:
			carry_look(r, now_us, &out);
			break;
		case ICMP_CLOSE:
			drop(&r->sockets[out.socket]);
			break;
		case ICMP_WAIT:
			if (out.deadline_us < *deadline_us)
				*deadline_us = out.deadline_us;
			return false;
		case ICMP_DONE:
			r->done = true;
			break;
		}
	}
	return true;
}

/* --- the whole --- */

int run_icmp_create(const struct run_icmp_config *config, uint64_t now_us, struct run_icmp **out)
{
	struct run_icmp *r = calloc(1, sizeof(*r));
	struct icmp_probe_config probe;
	int err;

	if (!r)
		return -ENOMEM;
	r->config = *config;
	for (unsigned i = 0; i < ICMP_SOCKETS; i++)
		r->sockets[i].fd = -1;
	if (r->config.raw >= 0) {
		err = watch_raw(r);
		if (err) {
			r->config.raw = -1;
			r->config.raw_error = -err;
		}
	}
	probe = (struct icmp_probe_config){.family = config->source.family,
		.tests = config->tests,
		.raw = r->config.raw >= 0,
		.raw_error = r->config.raw_error,
		.limit_us = config->limit_us};
	err = icmp_probe_create(&probe, config->journal, config->random, now_us, &r->probe);
	if (err) {
		run_icmp_destroy(r);
		return err;
	}
	*out = r;
	return 0;
}

void run_icmp_destroy(struct run_icmp *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < ICMP_SOCKETS; i++)
		drop(&r->sockets[i]);
	if (r->raw_event)
		event_free(r->raw_event);
	icmp_probe_destroy(r->probe);
	free(r);
}

void run_icmp_add_server(struct run_icmp *r, uint64_t now_us, size_t place)
{
	icmp_probe_add_server(r->probe, now_us, place);
}

void run_icmp_finish(struct run_icmp *r, uint64_t now_us)
{
	icmp_probe_finish(r->probe, now_us);
}
