// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "punch/tcp_checks_private.h"

/* Attempts, and what happens to connections. */

#define ACCEPTED_MAX 16 /* that have not proved anything yet */

int tcp_checks_create(const struct tcp_checks_config *config, struct tcp_checks **out)
{
	struct tcp_checks *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->config = *config;
	for (unsigned i = 0; i < PORTS; i++)
		c->ports[i].holder = c->ports[i].listener = NO_SOCKET;
	c->ports[0].family = FAMILY_IPV4;
	c->ports[1].family = FAMILY_IPV6;
	*out = c;
	return 0;
}

void tcp_checks_destroy(struct tcp_checks *c)
{
	if (!c)
		return;
	sodium_memzero(c, sizeof(*c));
	free(c);
}

const struct checks_result *tcp_checks_result(const struct tcp_checks *c)
{
	return &c->result;
}

/* --- attempts --- */

static void end_links_of(struct tcp_checks *c, unsigned place)
{
	for (unsigned i = 0; i < c->link_count; i++) {
		struct link *l = &c->links[i];

		if (l->state == LINK_NONE || l->state == LINK_OPEN || l->port != place)
			continue;
		tcp_checks_end_link(c, l);
		l->state = LINK_NONE;
	}
}

void tcp_checks_set_main(struct tcp_checks *c, enum family family, uint16_t port)
{
	unsigned place = family == FAMILY_IPV6;
	struct port *p = &c->ports[place];

	if (p->number == port || c->result.connected)
		return;
	end_links_of(c, place);
	tcp_checks_close_port(c, place);
	p->number = port;
	p->state = port ? PORT_OPEN : PORT_NONE;
	p->listening = port ? LISTENER_WANTED : LISTENER_NONE;
}

static void open_further(struct tcp_checks *c)
{
	const struct pair_tcp_role *role = &c->attempt.role;

	c->further = c->attempt.further || role->aim.sockets > 1 ? role->aim.sockets : 0;
	if (c->further > PORTS_FURTHER)
		c->further = PORTS_FURTHER;
	for (unsigned i = 2; i < 2 + c->further; i++)
		c->ports[i] = (struct port){.state = PORT_WANTED,
			.family = c->attempt.family,
			.holder = NO_SOCKET,
			.listening = role->listens ? LISTENER_WANTED : LISTENER_NONE,
			.listener = NO_SOCKET};
}

void tcp_checks_begin(
	struct tcp_checks *c, uint64_t now_us, const struct tcp_checks_attempt *attempt)
{
	(void)now_us;
	tcp_checks_plan_end(c);
	c->attempt = *attempt;
	c->target = (struct checks_target){.port_count = 0};
	c->active = c->held = true;
	c->paused = false;
	open_further(c);
}

unsigned tcp_checks_further(const struct tcp_checks *c)
{
	return c->further;
}

bool tcp_checks_are_open(const struct tcp_checks *c)
{
	for (unsigned i = 2; i < 2 + c->further; i++)
		if (c->ports[i].state == PORT_WANTED || c->ports[i].state == PORT_ASKED)
			return false;
	return true;
}

unsigned tcp_checks_ports(const struct tcp_checks *c, uint16_t ports[static CHECKS_PORTS])
{
	unsigned count = 0;

	for (unsigned i = 2; i < 2 + c->further && count < CHECKS_PORTS; i++)
		if (c->ports[i].state == PORT_OPEN)
			ports[count++] = c->ports[i].number;
	return count;
}

void tcp_checks_go(struct tcp_checks *c, uint64_t now_us, const struct checks_target *target)
{
	c->target = *target;
	if (target->peer.family != c->attempt.family || !endpoint_is_unicast(&target->peer) ||
		endpoint_is_loopback(&target->peer))
		c->target.peer.family = FAMILY_NONE; /* the peer may have made it up */
	c->held = c->attempt.role.aim.second;
	tcp_checks_plan_go(c, now_us);
}

void tcp_checks_release(struct tcp_checks *c, uint64_t now_us)
{
	if (!c->held)
		return;
	c->held = false;
	tcp_checks_plan_go(c, now_us); /* from now on */
}

void tcp_checks_pause(struct tcp_checks *c)
{
	tcp_checks_plan_end(c);
	c->active = false;
	c->paused = c->held = true;
}

void tcp_checks_again(struct tcp_checks *c)
{
	tcp_checks_plan_end(c);
	for (unsigned i = 0; i < c->link_count; i++) {
		struct link *l = &c->links[i];

		if (l->state == LINK_NONE)
			continue;
		tcp_checks_end_link(c, l);
		l->state = LINK_NONE;
	}
	c->link_count = 0;
	c->chosen = NULL;
	c->strangers = 0;
	c->oldest = c->attempt.number + 1;
	c->result = (struct checks_result){.connected = false};
	for (unsigned i = 0; i < 2; i++)
		if (c->ports[i].state == PORT_OPEN)
			c->ports[i].listening = LISTENER_WANTED;
}

/* --- connections --- */

void tcp_checks_connected(struct tcp_checks *c, uint64_t now_us, unsigned socket, int error)
{
	struct owner *o = tcp_checks_owner(c, socket);
	struct link *l;

	if (o->kind != OWNER_LINK || c->links[o->place].state != LINK_CONNECTING)
		return;
	l = &c->links[o->place];
	if (!error) {
		tcp_checks_open_link(c, now_us, l);
		return;
	}
	if (error == -ECONNREFUSED && !l->icmp)
		tcp_checks_note(c, now_us, TRAIL_RESET, l, 0);
	tcp_checks_fail_link(c, now_us, l, error);
}

int tcp_checks_accepted(
	struct tcp_checks *c, uint64_t now_us, unsigned listener, const struct endpoint *from)
{
	struct owner *o = tcp_checks_owner(c, listener);
	struct link *l;

	if (o->kind != OWNER_LISTENER || c->accepted == ACCEPTED_MAX || c->result.connected)
		return -ENOSPC;
	l = tcp_checks_add_link(c, o->place, from, CHECK_PEER_REFLEXIVE);
	if (!l)
		return -ENOSPC;
	l->socket = tcp_checks_new_socket(c, OWNER_LINK, (unsigned)(l - c->links));
	if (l->socket == NO_SOCKET) {
		l->state = LINK_NONE;
		return -ENOSPC;
	}
	l->accepted = true;
	c->accepted++;
	tcp_checks_open_link(c, now_us, l);
	return (int)l->socket;
}

void tcp_checks_closed(struct tcp_checks *c, uint64_t now_us, unsigned socket, int error)
{
	struct owner *o = tcp_checks_owner(c, socket);
	struct link *l;

	if (o->kind != OWNER_LINK || c->links[o->place].state != LINK_OPEN || c->result.connected)
		return;
	l = &c->links[o->place];
	if (error == -EBADMSG)
		tcp_checks_note(c, now_us, TRAIL_REFUSED, l, 0);
	tcp_checks_fail_link(c, now_us, l, error == -EBADMSG ? -EACCES : error);
}

enum tcp_checks_action tcp_checks_poll(
	struct tcp_checks *c, uint64_t now_us, struct tcp_checks_output *out)
{
	uint64_t deadline_us = UINT64_MAX;

	memset(out, 0, sizeof(*out));
	if (tcp_checks_poll_proof(c, now_us, out, &deadline_us) ||
		tcp_checks_poll_sockets(c, out) ||
		tcp_checks_poll_links(c, now_us, out, &deadline_us))
		return out->action;
	out->action = TCP_CHECKS_WAIT;
	out->deadline_us = deadline_us;
	return TCP_CHECKS_WAIT;
}
