// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/icmp.h"
#include "net/udp.h"
#include "punch/carrier_private.h"
#include "wire/packet.h"

#define PACKETS_IN_TURN 64
#define SENDS_IN_TURN	4096

/* --- input --- */

void carrier_take_errors(struct carried *s)
{
	struct carrier *c = s->carrier;
	struct udp_error e;
	uint8_t quoted[STUN_MESSAGE_BYTES];

	for (int i = 0; i < PACKETS_IN_TURN; i++) {
		struct icmp_seen seen;

		if (udp_receive_error(s->fd, quoted, sizeof(quoted), &e))
			return;
		seen = udp_error_seen(&e, clock_now_us());
		session_error(
			c->config.session, seen.t_us, s->number, &e.to, &seen, quoted, e.quoted);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct carried *s = context;
	struct carrier *c = s->carrier;
	struct udp_meta meta;
	struct endpoint from;

	(void)what;
	carrier_take_errors(s);
	for (int i = 0; i < PACKETS_IN_TURN && s->fd == fd; i++) {
		int n = udp_receive(fd, c->datagram, sizeof(c->datagram), &from, &meta);

		if (n < 0)
			break;
		if (!session_input(c->config.session, clock_now_us(), s->number, &from, meta.ttl,
			    c->datagram, (size_t)n) &&
			c->config.datagram)
			c->config.datagram(
				c->config.context, s->number, &from, c->datagram, (size_t)n);
	}
	carrier_turn(c);
}

/* Only what icmp_want has named comes. */
static void on_raw(evutil_socket_t fd, short what, void *context)
{
	struct carrier *c = context;
	struct icmp_message m;
	struct icmp_meta meta;

	(void)what;
	for (int i = 0; i < PACKETS_IN_TURN; i++) {
		struct icmp_seen seen = {.count = 1, .t_us = clock_now_us()};
		int err =
			icmp_receive(fd, FAMILY_IPV4, c->datagram, sizeof(c->datagram), &m, &meta);

		if (err == -EBADMSG)
			continue;
		if (err)
			break;
		seen.type = m.type;
		seen.code = m.code;
		seen.offender = meta.from;
		session_icmp(c->config.session, seen.t_us, &seen, m.body.data, m.body.length);
	}
	carrier_turn(c);
}

/* 0 or -ENOMEM. */
static int watch_raw(struct carrier *c)
{
	int fd = c->config.raw ? c->config.raw[0] : -1;

	if (fd < 0)
		return 0;
	c->raw = event_new(c->config.base, fd, EV_READ | EV_PERSIST, on_raw, c);
	return c->raw && !event_add(c->raw, NULL) ? 0 : -ENOMEM;
}

/* --- sockets --- */

static void forget(struct carried *s)
{
	if (s->event)
		event_free(s->event);
	*s = (struct carried){.fd = -1, .carrier = s->carrier, .number = s->number};
}

void carrier_close_socket(struct carried *s)
{
	int fd = s->fd;

	forget(s);
	if (fd >= 0)
		close(fd);
}

static bool has_main(const struct carrier *c, enum family family)
{
	for (unsigned i = 0; i < SESSION_FURTHER; i++)
		if (c->sockets[i].fd >= 0 && c->sockets[i].family == family)
			return true;
	return false;
}

/* Only one main socket of a family has the port that the user wants: there can be no two of it. */
struct endpoint carrier_local_for(const struct carrier *c, unsigned number, enum family family)
{
	struct endpoint e = c->config.local[family == FAMILY_IPV6];

	if (e.family == FAMILY_NONE)
		return (struct endpoint){.family = family};
	if (number >= SESSION_FURTHER || has_main(c, family))
		e.port = 0;
	return e;
}

int carrier_watch(struct carried *s, short what, event_callback_fn function)
{
	if (s->event)
		event_free(s->event);
	s->event = event_new(s->carrier->config.base, s->fd, what, function, s);
	return s->event && !event_add(s->event, NULL) ? 0 : -ENOMEM;
}

static void open_socket(struct carrier *c, const struct session_output *out)
{
	unsigned number = out->socket;
	struct endpoint local = out->local.family != FAMILY_NONE
		? out->local
		: carrier_local_for(c, number, out->family);
	struct carried *s = &c->sockets[number];
	int err;

	local.port = out->port ? out->port : local.port;
	err = udp_open(&local, c->config.interface, UDP_META, &s->fd);
	s->family = local.family;
	if (!err)
		err = udp_local(s->fd, &local);
	if (!err)
		watch_opened(c->config.watch, IPPROTO_UDP, &local);
	if (!err)
		err = carrier_watch(s, EV_READ | EV_PERSIST, on_readable);
	if (err)
		carrier_close_socket(s);
	session_opened(c->config.session, clock_now_us(), number, err, err ? NULL : &local);
}

/* --- the server over TCP --- */

static void close_stream(struct carrier *c)
{
	stun_stream_destroy(c->stream);
	c->stream = NULL;
}

static void on_stream(void *context)
{
	struct carrier *c = context;
	const struct endpoint none = {.family = FAMILY_NONE};
	struct endpoint local = none;
	enum stun_stream_state state;
	int error, n;

	state = stun_stream_state(c->stream, &error);
	if (state == STUN_STREAM_OPEN && !c->stream_opened) {
		c->stream_opened = true;
		stun_stream_local(c->stream, &local);
		session_opened(c->config.session, clock_now_us(), SESSION_STREAM, 0, &local);
	}
	while ((n = stun_stream_take(c->stream, c->datagram)) > 0)
		session_input(c->config.session, clock_now_us(), SESSION_STREAM, &none, 0,
			c->datagram, (size_t)n);
	if (stun_stream_state(c->stream, &error) == STUN_STREAM_ENDED) {
		close_stream(c);
		session_opened(c->config.session, clock_now_us(), SESSION_STREAM, error, NULL);
	}
	carrier_turn(c);
}

static void connect_stream(struct carrier *c, const struct endpoint *to)
{
	const struct stun_stream_config config = {.base = c->config.base,
		.to = *to,
		.local = c->config.local[to->family == FAMILY_IPV6],
		.interface = c->config.interface,
		.changed = on_stream,
		.context = c,
		.watch = c->config.watch};
	int err;

	close_stream(c);
	c->stream_opened = false;
	err = stun_stream_create(&config, &c->stream);
	if (err)
		session_opened(c->config.session, clock_now_us(), SESSION_STREAM, err, NULL);
}

/* --- output --- */

static void send_packet(struct carrier *c, const struct session_output *out)
{
	struct carried *s = &c->sockets[out->socket];
	struct icmp_seen seen = {.count = 1, .local = true, .t_us = clock_now_us()};
	int err = s->fd >= 0 ? udp_send_ttl(s->fd, &out->to, out->ttl, out->data, out->length)
			     : -EBADF;

	/* what did not leave this host is evidence, too; a full queue is only a lost packet */
	if (!err || err == -EAGAIN || err == -ENOBUFS)
		return;
	seen.error = -err;
	session_error(
		c->config.session, seen.t_us, out->socket, &out->to, &seen, out->data, out->length);
}

/* What an error quotes, as it is when the last hop is over; 0: it is no error. */
static int build_quoted(uint8_t *quoted, size_t size, const struct session_output *out)
{
	struct endpoint from = out->quoted_from;

	if (out->action == SESSION_ECHO)
		return 0;
	if (!out->quotes_echo)
		return packet_build_udp(
			quoted, size, &from, &out->quoted_to, 1, out->data, out->length);
	from.port = 0; /* the identifier */
	return packet_build_echo(quoted, size, &from, &out->quoted_to, 1, false, 0, NULL, 0);
}

static void send_icmp(struct carrier *c, const struct session_output *out)
{
	struct icmp_seen seen = {.count = 1, .local = true, .t_us = clock_now_us()};
	uint8_t quoted[ICMP_BYTES_MAX];
	struct icmp_message message = {.type = out->type, .code = out->code};
	int f = out->to.family == FAMILY_IPV6, fd = c->config.raw ? c->config.raw[f] : -1;
	const struct endpoint *from = &c->config.local[f];
	int length, err;

	if (out->action == SESSION_ECHO)
		from = &out->local;
	else
		watch_raised(c->config.watch, &out->to);
	length = build_quoted(quoted, sizeof(quoted), out);
	message.body = (struct span){quoted, length > 0 ? (size_t)length : 0};
	err = fd < 0 ? -EBADF : length < 0 ? length : icmp_send(fd, from, &out->to, 0, &message);
	if (!err || err == -EAGAIN || err == -ENOBUFS)
		return;
	seen.error = -err;
	session_error(c->config.session, seen.t_us, SESSION_RAW, &out->to, &seen, NULL, 0);
}

static void carry(struct carrier *c, const struct session_output *out)
{
	if (c->config.tcp) {
		carrier_tcp_carry(c, out);
		return;
	}
	switch (out->action) {
	case SESSION_OPEN:
		open_socket(c, out);
		return;
	case SESSION_CONNECT:
		connect_stream(c, &out->to);
		return;
	case SESSION_CLOSE:
		if (out->socket == SESSION_STREAM)
			close_stream(c);
		else
			carrier_close_socket(&c->sockets[out->socket]);
		return;
	case SESSION_SEND:
		if (out->socket != SESSION_STREAM)
			send_packet(c, out);
		else if (c->stream) /* what cannot leave now will be said again */
			stun_stream_send(c->stream, out->data, out->length);
		return;
	case SESSION_ERROR:
	case SESSION_ECHO:
		send_icmp(c, out);
		return;
	default:
		return;
	}
}

static void arm(struct carrier *c, uint64_t now_us, uint64_t deadline_us)
{
	uint64_t us = deadline_us > now_us ? deadline_us - now_us : 0;
	struct timeval wait = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};

	if (deadline_us == UINT64_MAX)
		event_del(c->timer);
	else
		event_add(c->timer, &wait);
}

void carrier_turn(struct carrier *c)
{
	struct session_output out = {.deadline_us = 0};
	uint64_t now_us = clock_now_us();
	int sends = 0;

	if (c->turning)
		return;
	c->turning = true;
	while (sends++ < SENDS_IN_TURN &&
		session_poll(c->config.session, now_us = clock_now_us(), &out) != SESSION_WAIT)
		carry(c, &out);
	c->turning = false;
	arm(c, now_us, out.action == SESSION_WAIT ? out.deadline_us : now_us);
	if (c->config.changed)
		c->config.changed(c->config.context); /* last: it may turn again */
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	carrier_turn(context);
}

int carrier_send(struct carrier *c, unsigned socket, const struct endpoint *to, const void *data,
	size_t length)
{
	int fd = carrier_fd(c, socket);

	return fd < 0 ? fd : udp_send(fd, to, data, length);
}

int carrier_fd(const struct carrier *c, unsigned socket)
{
	return socket < SESSION_SOCKETS && c->sockets[socket].fd >= 0 ? c->sockets[socket].fd
								      : -EBADF;
}

int carrier_take(struct carrier *c, unsigned socket)
{
	int fd = carrier_fd(c, socket);

	if (fd >= 0)
		forget(&c->sockets[socket]);
	return fd;
}

int carrier_create(const struct carrier_config *config, struct carrier **out)
{
	struct carrier *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->config = *config;
	for (unsigned i = 0; i < SESSION_SOCKETS; i++)
		c->sockets[i] = (struct carried){.carrier = c, .fd = -1, .number = i};
	c->timer = event_new(config->base, -1, 0, on_timer, c);
	if (!c->timer || watch_raw(c)) {
		carrier_destroy(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void carrier_destroy(struct carrier *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < SESSION_SOCKETS; i++)
		if (c->config.tcp)
			carrier_tcp_close(&c->sockets[i]);
		else
			carrier_close_socket(&c->sockets[i]);
	close_stream(c);
	if (c->timer)
		event_free(c->timer);
	if (c->raw)
		event_free(c->raw);
	free(c);
}
