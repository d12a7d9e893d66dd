// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "punch/tcp_checks_private.h"

/*
 * Both sides ask, and answer; the controlling one asks once more on the connection that it chooses, and the answer to
 * that is the last message there. It chooses when it has been asked itself, so that behind its question comes nothing
 * that has to be answered.
 */

#define PROOF_US 5000000 /* for all of it */

void tcp_checks_note(struct tcp_checks *c, uint64_t now_us, enum trail_kind kind,
	const struct link *l, size_t bytes)
{
	struct trail_event e = {.t_us = now_us, .kind = kind, .socket = l->socket, .bytes = bytes};

	if (kind == TRAIL_SENT)
		e.to = l->remote;
	else
		e.from = l->remote;
	trail_add(c->config.checks.trail, &e);
}

void tcp_checks_open_link(struct tcp_checks *c, uint64_t now_us, struct link *l)
{
	l->state = LINK_OPEN;
	l->opened_us = now_us;
	l->next_us = now_us + PROOF_US;
	l->must_ask = !l->accepted;
	l->asked = l->must_answer = l->heard = l->proved = l->nominated = false;
	tcp_checks_note(c, now_us, TRAIL_OPENED, l, 0);
}

/* --- output --- */

static bool is_controlling(const struct tcp_checks *c)
{
	return c->config.checks.controlling;
}

static void send_message(struct tcp_checks *c, struct link *l, struct punch_message *m,
	struct tcp_checks_output *out)
{
	int length;

	m->attempt = (uint16_t)c->attempt.number;
	m->counter = ++c->counter;
	length = punch_encode(m, c->config.checks.key_out, out->data, sizeof(out->data));
	out->action = TCP_CHECKS_SEND;
	out->socket = l->socket;
	out->to = l->remote;
	out->length = length > 0 ? (size_t)length : 0;
}

/* The connection is the one: all others are closed. */
static void stand(struct tcp_checks *c, struct link *l)
{
	c->chosen = l;
	c->result.connected = true;
	c->result.socket = l->socket;
	c->result.remote = l->remote;
	c->result.kind = l->kind;
	c->result.nomination = is_controlling(c) ? l->id : l->peer_id;
	c->result.mapped = l->mapped;
	c->result.rtt_us = l->rtt_us;
	for (unsigned i = 0; i < c->link_count; i++)
		if (&c->links[i] != l && c->links[i].state != LINK_NONE)
			tcp_checks_end_link(c, &c->links[i]);
	c->active = false;
	for (unsigned i = 0; i < 2; i++)
		tcp_checks_close_listener(c, &c->ports[i]);
	tcp_checks_plan_end(c);
}

static void answer(struct tcp_checks *c, struct link *l, struct tcp_checks_output *out)
{
	struct punch_message m = {.class = STUN_SUCCESS, .id = l->peer_id, .mapped = l->remote};
	bool last = l->nominated && l->proved;

	m.flags = last ? PUNCH_NOMINATE : 0;
	l->must_answer = false;
	send_message(c, l, &m, out);
	if (last)
		stand(c, l);
}

static void ask(
	struct tcp_checks *c, uint64_t now_us, struct link *l, struct tcp_checks_output *out)
{
	struct punch_message m = {.class = STUN_REQUEST};
	struct writer w = writer_over(l->id.bytes, sizeof(l->id.bytes));

	writer_u32(&w, STUN_COOKIE);
	random_bytes(&c->config.checks.random, l->id.bytes + 4, sizeof(l->id.bytes) - 4);
	m.id = l->id;
	m.flags = c->chosen == l ? PUNCH_NOMINATE : 0;
	l->must_ask = false;
	l->asked = true;
	l->asked_us = now_us;
	send_message(c, l, &m, out);
}

static bool poll_link(struct tcp_checks *c, uint64_t now_us, struct link *l,
	struct tcp_checks_output *out, uint64_t *deadline_us)
{
	if (l->must_answer) {
		answer(c, l, out);
		return true;
	}
	if (l->must_ask) {
		ask(c, now_us, l, out);
		return true;
	}
	if (now_us >= l->next_us) {
		trail_step(c->config.checks.trail, now_us, "proof: none came over a connection");
		tcp_checks_fail_link(c, now_us, l, -ETIMEDOUT);
	} else if (l->next_us < *deadline_us) {
		*deadline_us = l->next_us;
	}
	return false;
}

static void choose(struct tcp_checks *c, struct link *l)
{
	if (!is_controlling(c) || c->chosen || !l->proved || !l->heard)
		return;
	c->chosen = l;
	l->must_ask = true;
}

bool tcp_checks_poll_proof(
	struct tcp_checks *c, uint64_t now_us, struct tcp_checks_output *out, uint64_t *deadline_us)
{
	for (unsigned i = 0; i < c->link_count && !c->result.connected; i++) {
		struct link *l = &c->links[i];

		if (l->state != LINK_OPEN)
			continue;
		choose(c, l); /* the one that was chosen before may have broken */
		if (poll_link(c, now_us, l, out, deadline_us))
			return true;
	}
	return false;
}

/* --- input --- */

static void take_request(
	struct tcp_checks *c, uint64_t now_us, struct link *l, const struct punch_message *m)
{
	l->must_answer = true;
	l->peer_id = m->id;
	l->heard = true;
	l->next_us = now_us + PROOF_US;
	l->must_ask |= !l->asked;
	c->result.peer_attempt = m->attempt;
	c->result.asked_us = now_us;
	if (m->flags & PUNCH_NOMINATE && !is_controlling(c) && m->attempt >= c->oldest)
		l->nominated = true;
}

/* Whether it was one to a request of ours. */
static bool take_answer(
	struct tcp_checks *c, uint64_t now_us, struct link *l, const struct punch_message *m)
{
	char text[ENDPOINT_TEXT];

	if (!l->asked || !stun_id_equal(&m->id, &l->id))
		return false;
	if (c->chosen == l) { /* to the last one */
		if (m->flags & PUNCH_NOMINATE)
			stand(c, l);
		return true;
	}
	if (l->proved)
		return true;
	l->proved = true;
	l->next_us = now_us + PROOF_US;
	l->rtt_us = now_us - l->asked_us;
	l->mapped = m->mapped;
	c->accepted -= l->accepted;
	trail_step(c->config.checks.trail, now_us, "proof: %s, %s", check_kind_name(l->kind),
		endpoint_format(&l->remote, text));
	if (c->result.proved_us)
		return true;
	c->result.proved_us = now_us;
	c->result.first_heard_us = l->opened_us;
	return true;
}

static void take_message(
	struct tcp_checks *c, uint64_t now_us, struct link *l, const void *data, size_t length)
{
	struct punch_message m;
	bool ok = !punch_decode(data, length, c->config.checks.key_in, &m) &&
		!window_take(&c->window, m.counter);

	if (ok && m.class == STUN_SUCCESS)
		ok = take_answer(c, now_us, l, &m);
	else if (ok)
		take_request(c, now_us, l, &m);
	tcp_checks_note(c, now_us, ok ? TRAIL_RECEIVED : TRAIL_REFUSED, l, length);
	if (!ok) {
		tcp_checks_fail_link(c, now_us, l, -EACCES);
		return;
	}
	choose(c, l);
}

void tcp_checks_input(
	struct tcp_checks *c, uint64_t now_us, unsigned socket, const void *data, size_t length)
{
	struct owner *o = tcp_checks_owner(c, socket);

	if (o->kind == OWNER_LINK && c->links[o->place].state == LINK_OPEN && !c->result.connected)
		take_message(c, now_us, &c->links[o->place], data, length);
}
