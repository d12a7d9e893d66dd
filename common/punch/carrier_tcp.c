// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "punch/carrier_private.h"

/*
 * Whole messages are taken from the kernel one by one, and nothing that stands behind them: that may be the first bytes
 * of what the connection is used for.
 */

#define AT_ONCE	     16 /* accepts, or messages of one socket */
#define HEADER_BYTES 20 /* of STUN */

static struct session *session_of(const struct carried *s)
{
	return s->carrier->config.session;
}

/* --- input --- */

static void on_event(evutil_socket_t fd, short what, void *context);

static void end(struct carried *s, int error)
{
	if (s->event)
		event_del(s->event);
	s->state = CARRIED_ENDED;
	session_closed(session_of(s), clock_now_us(), s->number, error);
}

static void watch_connected(struct carried *s)
{
	int err = tcp_want_errors(s->fd, s->family, false);

	if (!err)
		err = tcp_no_delay(s->fd); /* an answer must not wait behind a question */
	s->state = CARRIED_CONNECTED;
	if (s->family == FAMILY_IPV4)
		tcp_heed(s->fd);
	if (!err && session_is_framed(s->number))
		err = tcp_expect(s->fd, HEADER_BYTES);
	if (!err)
		err = carrier_watch(s, EV_READ | EV_PERSIST, on_event);
	if (err)
		end(s, err);
}

static void take_connected(struct carried *s)
{
	int err = tcp_connect_result(s->fd);

	carrier_take_errors(s);
	if (!err && tcp_is_connecting(s->fd)) /* an ICMP error that did not end it */
		return;
	if (err) {
		event_del(s->event);
		s->state = CARRIED_ENDED;
	} else {
		watch_connected(s);
	}
	if (err || s->state == CARRIED_CONNECTED)
		session_connected(session_of(s), clock_now_us(), s->number, err,
			err ? 0 : tcp_segments_in(s->fd));
}

static void take_accepts(struct carried *s)
{
	for (int i = 0; i < AT_ONCE && s->state == CARRIED_LISTENING; i++) {
		struct carried *to;
		struct endpoint from;
		int fd, number;

		if (tcp_accept(s->fd, &from, &fd))
			return;
		number = session_accepted(session_of(s), clock_now_us(), s->number, &from);
		if (number < 0) {
			tcp_reset(fd);
			continue;
		}
		to = &s->carrier->sockets[number];
		carrier_close_socket(to);
		to->fd = fd;
		to->family = from.family;
		watch_connected(to);
	}
}

/* The session has it that far that its peer may go on to what comes behind the messages. */
static bool is_way(const struct carried *s)
{
	const struct checks_result *r = session_view(session_of(s))->checks;

	return r && r->connected && r->socket == s->number;
}

/* Its next whole message: whether there was one. */
static bool take_message(struct carried *s)
{
	uint8_t *data = s->carrier->datagram;
	ssize_t n = recv(s->fd, data, STUN_STREAM_BYTES, MSG_PEEK | MSG_DONTWAIT);
	int bytes = n > 0 ? stun_frame_bytes(data, (size_t)n, STUN_STREAM_BYTES) : 0;
	struct endpoint from;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		end(s, n ? -errno : 0);
		return false;
	}
	if (bytes < 0) {
		end(s, -EBADMSG);
		return false;
	}
	/* the rest will never come, and the kernel would wake us for that again and again */
	if (n > 0 && (!bytes || bytes > n) && tcp_has_ended(s->fd)) {
		end(s, -EBADMSG);
		return false;
	}
	if (n < 0 || !bytes || bytes > n) {
		tcp_expect(s->fd, bytes > n ? (size_t)bytes : HEADER_BYTES);
		return false;
	}
	if (recv(s->fd, data, (size_t)bytes, MSG_DONTWAIT) != bytes || tcp_peer(s->fd, &from)) {
		end(s, -EIO);
		return false;
	}
	tcp_expect(s->fd, HEADER_BYTES);
	session_input(session_of(s), clock_now_us(), s->number, &from, 0, data, (size_t)bytes);
	return true;
}

static void take_messages(struct carried *s)
{
	for (int i = 0; i < AT_ONCE && s->state == CARRIED_CONNECTED; i++) {
		if (is_way(s)) {
			event_del(s->event);
			return;
		}
		if (!take_message(s))
			return;
	}
}

static void take_bytes(struct carried *s)
{
	uint8_t *data = s->carrier->datagram;
	ssize_t n = recv(s->fd, data, CARRIER_DATAGRAM_MAX, MSG_DONTWAIT);
	static const struct endpoint none;

	if (n > 0)
		session_input(session_of(s), clock_now_us(), s->number, &none, 0, data, (size_t)n);
	else if (!n || (errno != EAGAIN && errno != EINTR))
		end(s, n ? -errno : 0);
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
	struct carried *s = context;
	struct carrier *c = s->carrier;

	(void)fd;
	(void)what;
	if (s->state == CARRIED_LISTENING)
		take_accepts(s);
	else if (s->state == CARRIED_CONNECTING)
		take_connected(s);
	else if (s->state == CARRIED_CONNECTED && session_is_framed(s->number))
		take_messages(s);
	else if (s->state == CARRIED_CONNECTED)
		take_bytes(s);
	carrier_turn(c);
}

/* --- output --- */

static int open_bound(struct carried *s, enum family family, uint16_t port)
{
	struct endpoint local = carrier_local_for(s->carrier, s->number, family);
	int err;

	if (port)
		local.port = port;
	s->family = family;
	s->state = CARRIED_BOUND;
	err = tcp_bind(&local, s->carrier->config.interface, &s->fd);
	if (!err)
		watch_socket(s->carrier->config.watch, IPPROTO_TCP, s->fd);
	return err;
}

static void tell_opened(struct carried *s, int err)
{
	struct endpoint local;

	if (!err)
		err = udp_local(s->fd, &local);
	if (err)
		carrier_close_socket(s);
	session_opened(session_of(s), clock_now_us(), s->number, err, err ? NULL : &local);
}

static int begin_connect(struct carried *s, const struct session_output *out)
{
	int err = tcp_want_errors(s->fd, s->family, true);

	if (!err && out->syns)
		err = tcp_limit_syns(s->fd, out->syns);
	if (out->ttl) /* where that cannot be had, the SYN is one as usual */
		(void)tcp_unheed(s->fd, out->ttl);
	if (!err)
		err = tcp_begin_connect(s->fd, &out->to);
	if (out->ttl)
		(void)tcp_unheed(s->fd, 0);
	if (!err)
		err = carrier_watch(s, EV_WRITE | EV_PERSIST, on_event);
	if (!err)
		s->state = CARRIED_CONNECTING;
	return err;
}

/* An error of this host for what it was to send is evidence, too. */
static void tell_local(struct carried *s, const struct endpoint *to, int err)
{
	struct icmp_seen seen = {.count = 1, .local = true, .t_us = clock_now_us(), .error = -err};

	session_error(session_of(s), seen.t_us, s->number, to, &seen, NULL, 0);
}

static void connect_socket(struct carried *s, const struct session_output *out)
{
	bool is_new = s->fd < 0, is_main = s->number < SESSION_FURTHER;
	int err = is_new ? open_bound(s, out->to.family, out->port) : 0;

	if (!err && is_new && is_main) { /* it matters whether that or the port has failed */
		tell_opened(s, 0);
		is_new = false;
	}
	if (!err)
		err = begin_connect(s, out);
	if (is_new) { /* what fails at once was never open */
		tell_opened(s, err);
		return;
	}
	if (!err)
		return;
	if (err != -EADDRNOTAVAIL && !is_main)
		tell_local(s, &out->to, err);
	s->state = CARRIED_ENDED;
	session_connected(session_of(s), clock_now_us(), s->number, err, 0);
}

static void listen_socket(struct carried *s, const struct session_output *out)
{
	bool is_new = s->fd < 0;
	int err = is_new ? open_bound(s, out->family, out->port) : 0;

	if (!err)
		err = tcp_begin_listen(s->fd);
	if (!err)
		err = carrier_watch(s, EV_READ | EV_PERSIST, on_event);
	if (!err)
		s->state = CARRIED_LISTENING;
	if (err || is_new)
		tell_opened(s, err);
}

static void send_bytes(struct carried *s, const struct session_output *out)
{
	ssize_t n;

	if (s->state != CARRIED_CONNECTED)
		return;
	n = send(s->fd, out->data, out->length, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* so little always fits into the kernel's buffer */
	if (n != (ssize_t)out->length)
		end(s, n < 0 ? -errno : -ENOBUFS);
}

/*
 * What is connected to the peer or to the server ends at once: nothing may be left in the kernel that keeps the same two
 * endpoints from meeting again, as a port of --bind would.
 */
void carrier_tcp_close(struct carried *s)
{
	int fd = s->fd;

	if (fd >= 0 && session_is_framed(s->number) &&
		(s->state == CARRIED_CONNECTED || s->state == CARRIED_ENDED)) {
		if (s->event)
			event_del(s->event);
		s->fd = -1;
		tcp_reset(fd);
	}
	carrier_close_socket(s);
}

void carrier_tcp_carry(struct carrier *c, const struct session_output *out)
{
	struct carried *s = &c->sockets[out->socket];

	switch (out->action) {
	case SESSION_OPEN:
		tell_opened(s, open_bound(s, out->family, out->port));
		break;
	case SESSION_CONNECT:
		connect_socket(s, out);
		break;
	case SESSION_LISTEN:
		listen_socket(s, out);
		break;
	case SESSION_SEND:
		send_bytes(s, out);
		break;
	case SESSION_CLOSE:
		carrier_tcp_close(s);
		break;
	default:
		break;
	}
}
