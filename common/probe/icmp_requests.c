// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "probe/icmp_private.h"

/*
 * What is asked of the server (wire/icmp.h). Over UDP it wants to see a cookie, which it gives to whoever asks without
 * one: so of the requests over one socket only the first goes out until there is one. They are repeated until there is an
 * answer.
 */

#define MS		1000u
#define SENDS_MAX	7
#define RENEWALS_MAX	3
#define TCP_PATIENCE_US (4000 * MS) /* a segment may be sent three times */

struct icmp_request *icmp_probe_request(struct icmp_probe *p, uint64_t now_us,
	enum icmp_purpose purpose, unsigned index, unsigned socket, enum icmp_ask ask)
{
	for (unsigned i = 0; i < ICMP_REQUESTS; i++) {
		struct icmp_request *r = &p->requests[i];

		if (r->open)
			continue;
		*r = (struct icmp_request){.open = true,
			.purpose = purpose,
			.index = index,
			.socket = socket,
			.at_us = now_us};
		r->message.class = STUN_REQUEST;
		r->message.ask = ask;
		icmp_probe_new_id(p, &r->message.id);
		return r;
	}
	return NULL;
}

static struct icmp_server *server_of(struct icmp_probe *p, const struct icmp_request *r)
{
	return r->purpose == ICMP_FOR_SERVICE ? &p->servers[r->index] : p->chosen;
}

/* --- sending --- */

/* Another one waits for the cookie that this one needs, too. */
static bool must_wait(const struct icmp_probe *p, const struct icmp_request *r)
{
	const struct icmp_socket *s = &p->sockets[r->socket];

	if (s->kind == ICMP_SOCKET_TCP || s->cookie_length)
		return false;
	for (unsigned i = 0; i < ICMP_REQUESTS; i++)
		if (p->requests[i].open && &p->requests[i] != r &&
			p->requests[i].socket == r->socket && p->requests[i].sent)
			return true;
	return false;
}

/* The request of an errand stays known: errors quote it. */
static void keep_request(
	struct icmp_probe *p, const struct icmp_request *r, const struct icmp_output *out)
{
	struct icmp_errand *e = &p->errands[r->index];

	if (r->purpose != ICMP_FOR_ERRAND)
		return;
	e->requests = r->sent + 1;
	e->request_length = out->length < sizeof(e->request) ? out->length : sizeof(e->request);
	memcpy(e->request, out->data, e->request_length);
}

static bool send_request(
	struct icmp_probe *p, uint64_t now_us, struct icmp_request *r, struct icmp_output *out)
{
	const struct icmp_socket *s = &p->sockets[r->socket];
	const struct icmp_server *server = server_of(p, r);
	int length;

	r->message.cookie = (struct span){s->cookie, s->cookie_length};
	length = icmp_encode(&r->message, out->data, sizeof(out->data), 0);
	if (length <= 0)
		return false;
	out->length = (size_t)length;
	out->action = ICMP_SEND;
	out->kind = s->kind;
	out->socket = r->socket;
	out->to = s->to;
	keep_request(p, r, out);
	if (!r->sent++)
		r->first_us = now_us;
	r->last_us = now_us;
	r->at_us = now_us +
		(s->kind == ICMP_SOCKET_TCP ? TCP_PATIENCE_US : icmp_probe_interval_us(server));
	/* of those over UDP all that are answered in the end tell how much gets lost */
	if (s->kind == ICMP_SOCKET_TCP)
		journal_event(p->journal, now_us, EVENT_SENT, NULL, &s->local, &s->to, out->length);
	else
		icmp_probe_note_sent(p, now_us, server->service, out->length);
	return true;
}

static void deliver(struct icmp_probe *p, uint64_t now_us, struct icmp_request *r,
	const struct icmp_inquiry *answer);

bool icmp_probe_poll_requests(
	struct icmp_probe *p, uint64_t now_us, struct icmp_output *out, uint64_t *deadline_us)
{
	for (unsigned i = 0; i < ICMP_REQUESTS; i++) {
		struct icmp_request *r = &p->requests[i];
		const struct icmp_socket *s = &p->sockets[r->socket];
		bool once = s->kind == ICMP_SOCKET_TCP;

		if (!r->open || s->state != ICMP_SOCKET_READY || must_wait(p, r))
			continue;
		if (now_us < r->at_us) {
			icmp_probe_wake(deadline_us, now_us, r->at_us);
			continue;
		}
		if (r->sent >= (once ? 1 : SENDS_MAX))
			deliver(p, now_us, r, NULL);
		else if (send_request(p, now_us, r, out))
			return true;
	}
	return false;
}

/* --- answers --- */

static void learn_service(
	struct icmp_probe *p, uint64_t now_us, unsigned index, const struct icmp_inquiry *answer)
{
	struct icmp_server *s = &p->servers[index];
	struct observation *o = icmp_probe_observation(p, s->service);
	bool refused = answer && answer->class == STUN_ERROR;

	if (!o)
		return;
	o->awaited = o->sent;
	s->offers = answer && !refused ? ICMP_SERVICE_YES : ICMP_SERVICE_NO;
	if (refused)
		o->error_code = answer->error_code;
	icmp_probe_settle(p, now_us, s->service,
		!answer		  ? OBSERVATION_SILENT
			: refused ? OBSERVATION_ERROR
				  : OBSERVATION_ANSWERED);
}

/* It is over; answer: NULL when there is none. */
static void deliver(struct icmp_probe *p, uint64_t now_us, struct icmp_request *r,
	const struct icmp_inquiry *answer)
{
	unsigned index = r->index;

	r->open = false;
	switch (r->purpose) {
	case ICMP_FOR_SERVICE:
		learn_service(p, now_us, index, answer);
		break;
	case ICMP_FOR_TOKEN:
		icmp_probe_token_answered(p, now_us, index, answer);
		break;
	case ICMP_FOR_ERRAND:
		icmp_probe_errand_answered(p, now_us, index, answer);
		break;
	case ICMP_FOR_TIMER:
		icmp_probe_timer_token(p, now_us, index, answer);
		break;
	case ICMP_FOR_LATER:
		icmp_probe_timer_later(p, now_us, index, answer);
		break;
	}
}

static void keep_cookie(struct icmp_socket *s, struct span cookie)
{
	if (!cookie.length || cookie.length > sizeof(s->cookie))
		return;
	memcpy(s->cookie, cookie.data, cookie.length);
	s->cookie_length = cookie.length;
}

/* A cookie is worth another try, under another ID. */
static bool renew(
	struct icmp_probe *p, uint64_t now_us, struct icmp_request *r, const struct icmp_inquiry *m)
{
	if (m->class != STUN_ERROR || m->error_code != ICMP_STALE || !m->cookie.length ||
		r->renewed >= RENEWALS_MAX)
		return false;
	icmp_probe_new_id(p, &r->message.id);
	r->renewed++;
	r->sent = 0;
	r->at_us = now_us;
	return true;
}

static void note_answer(struct icmp_probe *p, uint64_t now_us, const struct icmp_request *r)
{
	struct icmp_server *s = server_of(p, r);
	struct observation *o = icmp_probe_observation(p, s->service);

	if (p->sockets[r->socket].kind == ICMP_SOCKET_TCP || !o)
		return;
	/* what comes sooner than any answer does is that to an earlier copy, which was repeated too soon */
	if ((r->sent == 1 || now_us - r->last_us < s->rtt_us) && now_us - r->first_us > s->slow_us)
		s->slow_us = now_us - r->first_us;
	if (!o->answers++) {
		o->answer.t_us = now_us;
		o->answer.from = s->endpoint;
	}
}

static struct icmp_request *find_request(
	struct icmp_probe *p, unsigned socket, const struct stun_id *id)
{
	for (unsigned i = 0; i < ICMP_REQUESTS; i++)
		if (p->requests[i].open && p->requests[i].sent && p->requests[i].socket == socket &&
			stun_id_equal(&p->requests[i].message.id, id))
			return &p->requests[i];
	return NULL;
}

void icmp_probe_take_inquiry(
	struct icmp_probe *p, uint64_t now_us, unsigned socket, const uint8_t *data, size_t length)
{
	struct icmp_socket *s = &p->sockets[socket];
	struct icmp_request *r;
	struct icmp_inquiry m;

	if (icmp_decode(data, length, &m))
		return;
	if (m.class == STUN_INDICATION && s->owner == ICMP_OF_ERRAND)
		icmp_probe_errand_indication(p, now_us, s->index, &m);
	if (m.class != STUN_SUCCESS && m.class != STUN_ERROR)
		return;
	r = find_request(p, socket, &m.id);
	if (!r || (m.class == STUN_SUCCESS && m.ask != r->message.ask))
		return;
	note_answer(p, now_us, r);
	keep_cookie(s, m.cookie);
	if (!renew(p, now_us, r, &m))
		deliver(p, now_us, r, &m);
}

void icmp_probe_forget_requests(struct icmp_probe *p, uint64_t now_us, unsigned socket)
{
	for (unsigned i = 0; i < ICMP_REQUESTS; i++)
		if (p->requests[i].open && p->requests[i].socket == socket)
			deliver(p, now_us, &p->requests[i], NULL);
}
