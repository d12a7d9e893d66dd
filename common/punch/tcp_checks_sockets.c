// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "punch/tcp_checks_private.h"

/* Numbers of sockets, local ports, and listeners. */

unsigned tcp_checks_new_socket(struct tcp_checks *c, enum owner_kind kind, unsigned place)
{
	for (unsigned i = 0; i < TCP_CHECKS_SOCKETS; i++) {
		unsigned at = (c->next_socket + i) % TCP_CHECKS_SOCKETS;

		if (c->owners[at].kind != OWNER_NONE)
			continue;
		c->next_socket = at + 1;
		c->owners[at] = (struct owner){kind, place};
		return c->config.first_socket + at;
	}
	return NO_SOCKET;
}

struct owner *tcp_checks_owner(struct tcp_checks *c, unsigned socket)
{
	static struct owner nobody;
	unsigned at = socket - c->config.first_socket;

	nobody = (struct owner){.kind = OWNER_NONE};
	return at < TCP_CHECKS_SOCKETS ? &c->owners[at] : &nobody;
}

void tcp_checks_drop(struct tcp_checks *c, unsigned *socket)
{
	if (*socket == NO_SOCKET)
		return;
	tcp_checks_owner(c, *socket)->kind = OWNER_CLOSING;
	c->closing++;
	*socket = NO_SOCKET;
}

/* While it is being opened it cannot be closed. */
static void drop_asked(struct tcp_checks *c, unsigned *socket)
{
	if (*socket != NO_SOCKET)
		tcp_checks_owner(c, *socket)->kind = OWNER_LATE;
	*socket = NO_SOCKET;
}

void tcp_checks_close_listener(struct tcp_checks *c, struct port *p)
{
	if (p->listening == LISTENER_ASKED)
		drop_asked(c, &p->listener);
	else
		tcp_checks_drop(c, &p->listener);
	p->listening = LISTENER_NONE;
}

void tcp_checks_close_port(struct tcp_checks *c, unsigned place)
{
	struct port *p = &c->ports[place];

	tcp_checks_close_listener(c, p);
	if (p->state == PORT_ASKED)
		drop_asked(c, &p->holder);
	else
		tcp_checks_drop(c, &p->holder);
	p->state = PORT_NONE;
}

/* --- output --- */

static bool poll_closing(struct tcp_checks *c, struct tcp_checks_output *out)
{
	for (unsigned i = 0; c->closing && i < TCP_CHECKS_SOCKETS; i++) {
		if (c->owners[i].kind != OWNER_CLOSING)
			continue;
		c->owners[i].kind = OWNER_NONE;
		c->closing--;
		out->action = TCP_CHECKS_CLOSE;
		out->socket = c->config.first_socket + i;
		return true;
	}
	return false;
}

static bool want_open(const struct port *p, unsigned socket, struct tcp_checks_output *out)
{
	out->action = TCP_CHECKS_OPEN;
	out->socket = socket;
	out->to.family = p->family;
	out->port = p->number;
	return true;
}

static bool poll_port(struct tcp_checks *c, unsigned place, struct tcp_checks_output *out)
{
	struct port *p = &c->ports[place];

	if (p->state == PORT_WANTED) {
		p->holder = tcp_checks_new_socket(c, OWNER_HOLDER, place);
		p->state = p->holder == NO_SOCKET ? PORT_GONE : PORT_ASKED;
		return p->holder != NO_SOCKET && want_open(p, p->holder, out);
	}
	if (p->state != PORT_OPEN)
		return false;
	if (p->listening == LISTENER_WANTED) {
		p->listener = tcp_checks_new_socket(c, OWNER_LISTENER, place);
		p->listening = p->listener == NO_SOCKET ? LISTENER_NONE : LISTENER_ASKED;
		return p->listener != NO_SOCKET && want_open(p, p->listener, out);
	}
	if (p->listening != LISTENER_BOUND)
		return false;
	p->listening = LISTENER_OPEN;
	out->action = TCP_CHECKS_LISTEN;
	out->socket = p->listener;
	return true;
}

bool tcp_checks_poll_sockets(struct tcp_checks *c, struct tcp_checks_output *out)
{
	if (poll_closing(c, out))
		return true;
	for (unsigned i = 0; i < 2 + c->further; i++)
		if (poll_port(c, i, out))
			return true;
	return false;
}

/* --- input --- */

static void holder_opened(struct tcp_checks *c, uint64_t now_us, unsigned place, int error,
	const struct endpoint *local)
{
	struct port *p = &c->ports[place];

	p->state = error ? PORT_GONE : PORT_OPEN;
	if (!error) {
		p->number = local->port;
		return;
	}
	tcp_checks_owner(c, p->holder)->kind = OWNER_NONE;
	p->holder = NO_SOCKET;
	trail_step(c->config.checks.trail, now_us, "socket: one more cannot be opened: %s",
		strerror(-error));
}

/* Also when it was bound, and could not listen. */
static void listener_opened(struct tcp_checks *c, uint64_t now_us, unsigned place, int error)
{
	struct port *p = &c->ports[place];

	if (!error) {
		p->listening = LISTENER_BOUND;
		return;
	}
	trail_step(c->config.checks.trail, now_us, "socket: cannot listen on port %u: %s",
		p->number, strerror(-error));
	tcp_checks_owner(c, p->listener)->kind = OWNER_NONE;
	p->listener = NO_SOCKET;
	p->listening = LISTENER_NONE;
}

static void link_opened(struct tcp_checks *c, uint64_t now_us, struct link *l, int error)
{
	if (l->state != LINK_ASKED)
		return;
	if (!error) {
		l->state = LINK_BOUND;
		tcp_checks_drop(c, &l->old);
		return;
	}
	tcp_checks_owner(c, l->socket)->kind = OWNER_NONE;
	l->socket = NO_SOCKET;
	tcp_checks_fail_link(c, now_us, l, error);
}

void tcp_checks_opened(struct tcp_checks *c, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local)
{
	struct owner *o = tcp_checks_owner(c, socket);

	switch (o->kind) {
	case OWNER_LATE:
		o->kind = error ? OWNER_NONE : OWNER_CLOSING;
		c->closing += !error;
		break;
	case OWNER_HOLDER:
		holder_opened(c, now_us, o->place, error, local);
		break;
	case OWNER_LISTENER:
		listener_opened(c, now_us, o->place, error);
		break;
	case OWNER_LINK:
		link_opened(c, now_us, &c->links[o->place], error);
		break;
	default:
		break;
	}
}
