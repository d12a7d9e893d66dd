// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "probe/tcp_private.h"

/* The sockets of the TCP prober, and the local ports that they share. */

#define PORT_LOW     32768u /* RFC 5780 4.1 */
#define PORT_HIGH    65535u
#define FAILURES_MAX 8 /* ports that may be taken */

static uint16_t random_port(struct tcp_probe *p)
{
	return (uint16_t)(PORT_LOW + random_below(p->random, PORT_HIGH - PORT_LOW));
}

int tcp_probe_slot(struct tcp_probe *p, uint16_t port)
{
	if (p->slot_count >= TCP_PORTS)
		return -ENOSPC;
	p->slots[p->slot_count].port = port ? port : random_port(p);
	return (int)p->slot_count++;
}

unsigned tcp_probe_number(const struct tcp_probe *p, const struct tcp_socket *s)
{
	return (unsigned)(s - p->sockets);
}

struct tcp_socket *tcp_probe_socket(struct tcp_probe *p, unsigned slot, const struct endpoint *to)
{
	struct tcp_socket *s;

	if (p->socket_count >= TCP_SOCKETS)
		return NULL;
	s = &p->sockets[p->socket_count++];
	memset(s, 0, offsetof(struct tcp_socket, out));
	s->slot = slot;
	s->listener = !to;
	if (to)
		s->to = *to;
	s->give_up_us = UINT64_MAX;
	s->observation = JOURNAL_NONE;
	return s;
}

void tcp_probe_end(struct tcp_socket *s)
{
	if (s->state == TCP_WANTED)
		s->state = TCP_ENDED; /* it was never opened */
	else if (s->state != TCP_ENDED)
		s->state = TCP_ENDING;
}

void tcp_probe_queue(struct tcp_socket *s, const void *data, size_t length)
{
	if (length > sizeof(s->out) - s->out_length)
		return;
	memcpy(s->out + s->out_length, data, length);
	s->out_length += length;
}

void tcp_probe_new_id(struct tcp_probe *p, struct stun_id *id)
{
	random_bytes(p->random, id->bytes, sizeof(id->bytes));
	id->bytes[0] = STUN_COOKIE >> 24;
	id->bytes[1] = STUN_COOKIE >> 16 & 0xff;
	id->bytes[2] = STUN_COOKIE >> 8 & 0xff;
	id->bytes[3] = STUN_COOKIE & 0xff;
}

static void fill_open(
	struct tcp_probe *p, uint64_t now_us, struct tcp_socket *s, struct tcp_output *out)
{
	struct observation *o = tcp_probe_observation(p, s->observation);

	s->state = TCP_OPENING;
	out->action = s->listener ? TCP_LISTEN : TCP_OPEN;
	out->port = p->slots[s->slot].port;
	out->to = s->to;
	out->ttl = s->ttl;
	out->quotes = s->quotes;
	if (!o)
		return;
	o->first_sent_us = o->last_sent_us = now_us;
	o->sent = o->awaited = 1;
}

static void fill_send(
	struct tcp_probe *p, uint64_t now_us, struct tcp_socket *s, struct tcp_output *out)
{
	out->action = TCP_SEND;
	out->length = s->out_length;
	memcpy(out->data, s->out, s->out_length);
	s->out_length = 0;
	journal_event(p->journal, now_us, EVENT_SENT, tcp_probe_observation(p, s->observation),
		&s->local, &s->to, out->length);
}

/* One port is bound by one socket first: only then is it sure which port it is. */
static bool may_open(const struct tcp_probe *p, const struct tcp_socket *s)
{
	if (p->slots[s->slot].bound)
		return true;
	for (unsigned i = 0; i < p->socket_count; i++)
		if (p->sockets[i].slot == s->slot && p->sockets[i].state == TCP_OPENING)
			return false;
	return true;
}

static bool poll_socket(
	struct tcp_probe *p, uint64_t now_us, struct tcp_socket *s, struct tcp_output *out)
{
	switch (s->state) {
	case TCP_WANTED:
		if (now_us < s->begin_us && s->begin_us < out->deadline_us)
			out->deadline_us = s->begin_us;
		if (now_us < s->begin_us || !may_open(p, s))
			return false;
		fill_open(p, now_us, s, out);
		return true;
	case TCP_READY:
		if (!s->out_length)
			return false;
		fill_send(p, now_us, s, out);
		return true;
	case TCP_ENDING:
		s->state = TCP_ENDED;
		out->action = TCP_CLOSE;
		return true;
	default:
		return false;
	}
}

bool tcp_probe_poll_sockets(struct tcp_probe *p, uint64_t now_us, struct tcp_output *out)
{
	for (unsigned i = 0; i < p->socket_count; i++) {
		struct tcp_socket *s = &p->sockets[i];

		out->socket = i;
		if (poll_socket(p, now_us, s, out))
			return true;
		if (s->state != TCP_ENDED && s->give_up_us < out->deadline_us)
			out->deadline_us = s->give_up_us;
	}
	return false;
}

void tcp_probe_opened(struct tcp_probe *p, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local)
{
	struct tcp_socket *s;
	struct tcp_slot *slot;

	if (socket >= p->socket_count || p->sockets[socket].state != TCP_OPENING)
		return;
	s = &p->sockets[socket];
	slot = &p->slots[s->slot];
	if ((error == -EADDRINUSE || error == -EADDRNOTAVAIL) && !slot->bound &&
		slot->failures++ < FAILURES_MAX) { /* any other port will do */
		slot->port = random_port(p);
		s->state = TCP_WANTED;
		return;
	}
	if (error) {
		s->state = TCP_ENDED;
		if (s->rung)
			tcp_probe_trace_failed(p, now_us, s);
		if (tcp_probe_is_open(p, s->observation)) {
			tcp_probe_note_own(tcp_probe_observation(p, s->observation), now_us, error);
			tcp_probe_settle(p, now_us, s->observation, OBSERVATION_REFUSED);
		}
		tcp_probe_calls_closed(p, now_us, socket);
		return;
	}
	slot->bound = true;
	slot->port = local->port;
	s->local = *local;
	s->state = s->listener ? TCP_READY : TCP_CONNECTING;
	if (tcp_probe_observation(p, s->observation))
		tcp_probe_observation(p, s->observation)->local = *local;
}
