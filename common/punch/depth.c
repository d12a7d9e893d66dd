// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "punch/depth.h"

#define ROUNDS	  2 /* one packet of each may be lost */
#define MARGIN_US 50000u

void depth_begin(struct depth *d, uint64_t now_us, unsigned first_socket,
	const struct endpoint *asked, const struct endpoint *other, uint64_t rtt_us,
	struct random *random)
{
	*d = (struct depth){.begun = true,
		.family = asked->family,
		.first_socket = first_socket,
		.asked = *asked,
		.other = *other,
		.round_us = rtt_us + rtt_us / 4 + MARGIN_US,
		.next_us = now_us};
	for (int i = 0; i < DEPTH_TTLS; i++) {
		struct writer w =
			writer_over(d->sockets[i].id.bytes, sizeof(d->sockets[i].id.bytes));

		writer_u32(&w, STUN_COOKIE);
		random_bytes(
			random, d->sockets[i].id.bytes + 4, sizeof(d->sockets[i].id.bytes) - 4);
	}
}

/* First the packet that opens, with its TTL, and then the one that has the other endpoint answer. */
static void write_packet(struct depth *d, unsigned number, struct depth_output *out)
{
	struct depth_socket *s = &d->sockets[number];
	bool asks = s->sent % 2;
	struct stun_writer w =
		stun_begin(out->data, sizeof(out->data), STUN_REQUEST, STUN_BINDING, &s->id);
	int length;

	if (asks)
		stun_add_u32(&w, STUN_CHANGE_REQUEST, STUN_CHANGE_ADDRESS | STUN_CHANGE_PORT);
	stun_add_fill(&w, d->family == FAMILY_IPV4 ? 116 : 164);
	length = stun_end(&w);
	out->length = length > 0 ? (size_t)length : 0;
	out->to = asks ? d->asked : d->other;
	out->ttl = asks ? 0 : (uint8_t)(number + 1);
	out->socket = d->first_socket + number;
	s->sent++;
}

static bool poll_send(struct depth *d, struct depth_output *out)
{
	for (unsigned i = 0; i < DEPTH_TTLS; i++) {
		struct depth_socket *s = &d->sockets[i];

		if (s->state != DEPTH_OPEN || s->answered || s->sent >= 2 * d->round)
			continue;
		write_packet(d, i, out);
		return true;
	}
	return false;
}

static bool poll_state(struct depth *d, int from, int to, struct depth_output *out)
{
	for (unsigned i = 0; i < DEPTH_TTLS; i++) {
		if ((int)d->sockets[i].state != from)
			continue;
		d->sockets[i].state = to;
		out->socket = d->first_socket + i;
		return true;
	}
	return false;
}

enum depth_action depth_poll(
	struct depth *d, uint64_t now_us, struct depth_output *out, uint64_t *deadline_us)
{
	memset(out, 0, sizeof(*out));
	if (!d->begun)
		return DEPTH_WAIT;
	if (d->done)
		return poll_state(d, DEPTH_OPEN, DEPTH_CLOSED, out) ? DEPTH_CLOSE_SOCKET
								    : DEPTH_WAIT;
	if (poll_state(d, DEPTH_WANTED, DEPTH_ASKED, out))
		return DEPTH_OPEN_SOCKET;
	if (now_us >= d->next_us) {
		d->done = d->round == ROUNDS;
		d->round++;
		d->next_us = now_us + d->round_us;
	}
	if (d->done) {
		*deadline_us = now_us; /* who waits has to look now */
		return DEPTH_WAIT;
	}
	if (poll_send(d, out))
		return DEPTH_SEND;
	if (d->next_us < *deadline_us)
		*deadline_us = d->next_us;
	return DEPTH_WAIT;
}

static struct depth_socket *find(struct depth *d, unsigned socket)
{
	bool ours = d->begun && socket >= d->first_socket && socket < d->first_socket + DEPTH_TTLS;

	return ours ? &d->sockets[socket - d->first_socket] : NULL;
}

void depth_opened(struct depth *d, unsigned socket, int error)
{
	struct depth_socket *s = find(d, socket);

	if (s && s->state == DEPTH_ASKED)
		s->state = error ? DEPTH_CLOSED : DEPTH_OPEN;
}

void depth_input(struct depth *d, uint64_t now_us, unsigned socket, const struct endpoint *from,
	const void *data, size_t length)
{
	struct depth_socket *s = find(d, socket);
	struct stun_message m;

	if (!s || d->done || !endpoint_equal(from, &d->other) || stun_decode(data, length, &m) ||
		m.class != STUN_SUCCESS || !stun_id_equal(&m.id, &s->id))
		return;
	s->answered = true;
	for (unsigned i = 0; i < DEPTH_TTLS; i++)
		if (d->sockets[i].state == DEPTH_OPEN && !d->sockets[i].answered)
			return;
	d->next_us = now_us; /* nothing more can come */
	d->round = ROUNDS;
}

uint8_t depth_result(const struct depth *d)
{
	for (unsigned i = 0; i < DEPTH_TTLS; i++)
		if (d->done && d->sockets[i].answered)
			return (uint8_t)(i + 1);
	return 0;
}
