// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "probe/tcp_private.h"

/*
 * Filtering over TCP, and the reaction to a SYN that nobody has asked for: natprobed calls the external endpoint of a
 * connection, from endpoints to which this local port has never sent anything, while this host listens there. It says
 * how each call ended. A SYN that is kept back is retransmitted for seven seconds: a NAT may answer as late as that
 * (RFC 5382 REQ-4).
 */

#define MS	     1000u
#define ANSWER_US    (2500 * MS) /* to the request; a server without call-backs may never answer */
#define SPARE_US     (2000 * MS) /* for a result, behind the end of a call */
#define HERE_US	     (500 * MS) /* until a call that has connected is here */
#define QUICK_RTTS   4
#define QUICK_MIN_MS 400
#define QUICK_MAX_MS 1500

static unsigned number_of(enum call_from from)
{
	unsigned bit = 0;

	while (bit + 1 < CALL_FROM_KINDS && !((unsigned)from >> bit & 1))
		bit++;
	return bit;
}

void tcp_probe_calls_begin(struct tcp_probe *p, uint64_t now_us, struct tcp_server *server,
	struct tcp_calls *c, bool listen)
{
	int slot = tcp_probe_slot(p, 0);
	struct tcp_socket *listener = NULL;

	memset(c, 0, sizeof(*c));
	c->phase = CALL_OVER;
	c->server = server;
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
		c->observation[i] = JOURNAL_NONE;
	c->listener = TCP_SOCKETS;
	c->base = JOURNAL_NONE;
	c->ended = slot < 0;
	if (c->ended)
		return;
	c->slot = (unsigned)slot;
	if (listen)
		listener = tcp_probe_socket(p, c->slot, NULL);
	if (listener)
		c->listener = tcp_probe_number(p, listener);
	c->base = tcp_probe_ask(p, now_us, server, QUESTION_CALL_BASE, c->slot, &server->endpoint);
	if (c->base == JOURNAL_NONE || (listen && !listener))
		return;
	c->control = tcp_probe_observation(p, c->base)->socket;
	c->phase = CALL_CONNECTING;
}

static size_t add_question(struct tcp_probe *p, uint64_t now_us, const struct tcp_calls *c,
	enum question question, const struct endpoint *expect)
{
	struct observation *o = journal_add_observation(p->journal);

	if (!o)
		return JOURNAL_NONE;
	o->question = question;
	o->family = p->config.family;
	o->transport = TRANSPORT_TCP;
	o->server = c->server->place;
	o->socket = c->control;
	o->local = p->sockets[c->control].local;
	o->to = c->server->endpoint;
	o->expect = *expect;
	o->first_sent_us = o->last_sent_us = now_us;
	o->sent = 1;
	return journal_place(p->journal, o);
}

/* Which question a call answers, and from where it has to come. */
static enum question question_of(const struct tcp_calls *c, unsigned bit, struct endpoint *expect)
{
	switch (1u << bit) {
	case CALL_FROM_PORT:
		*expect = tcp_probe_target(c->server, TCP_TARGET_PORT);
		return QUESTION_FILTERING_PORT;
	case CALL_FROM_ADDRESS:
		*expect = tcp_probe_target(c->server, TCP_TARGET_ADDRESS);
		return QUESTION_FILTERING_ADDRESS;
	case CALL_FROM_BOTH:
		*expect = tcp_probe_target(c->server, TCP_TARGET_BOTH);
		return QUESTION_FILTERING_BOTH;
	case CALL_FROM_THIRD:
		*expect = c->server->endpoint;
		break;
	default:
		*expect = c->server->other;
		break;
	}
	expect->port = 0; /* the server says which */
	return QUESTION_SIMULTANEOUS;
}

void tcp_probe_calls_ask(struct tcp_probe *p, uint64_t now_us, struct tcp_calls *c, uint8_t mask,
	uint16_t wait_ms, uint16_t patience_ms)
{
	struct call_message m = {.class = STUN_REQUEST,
		.has_from = true,
		.from = mask,
		.wait_ms = wait_ms,
		.patience_ms = patience_ms};
	uint8_t buffer[CALL_BYTES_MAX];
	struct endpoint expect;
	int length;

	tcp_probe_new_id(p, &c->id);
	m.id = c->id;
	length = call_encode(&m, buffer, sizeof(buffer));
	if (length > 0)
		tcp_probe_queue(&p->sockets[c->control], buffer, (size_t)length);
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++) {
		enum question question = question_of(c, i, &expect);

		if (mask >> i & 1)
			c->observation[i] = add_question(p, now_us, c, question, &expect);
	}
	c->phase = CALL_ASKED;
	c->wait_ms = wait_ms;
	c->patience_ms = patience_ms ? patience_ms : CALL_SILENT_US / MS;
	c->asked_us = now_us;
	c->over_us = now_us + ANSWER_US;
}

static void settle_open(
	struct tcp_probe *p, uint64_t now_us, struct tcp_calls *c, enum observation_state state)
{
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
		tcp_probe_settle(p, now_us, c->observation[i], state);
}

void tcp_probe_calls_end(struct tcp_probe *p, struct tcp_calls *c)
{
	for (unsigned i = 0; i < p->socket_count; i++)
		if (p->sockets[i].slot == c->slot)
			tcp_probe_end(&p->sockets[i]);
	c->phase = CALL_OVER;
	c->ended = true;
}

bool tcp_probe_calls_over(const struct tcp_calls *c)
{
	return c->phase == CALL_IDLE || c->phase == CALL_OVER;
}

/* --- what the server says --- */

static bool is_from(const struct endpoint *expect, const struct endpoint *from)
{
	return expect->port ? endpoint_equal(expect, from) : endpoint_same_address(expect, from);
}

static void take_refusal(struct tcp_probe *p, uint64_t now_us, struct tcp_calls *c, uint16_t code)
{
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
		if (tcp_probe_is_open(p, c->observation[i]))
			tcp_probe_observation(p, c->observation[i])->error_code = code;
	settle_open(p, now_us, c, OBSERVATION_ERROR);
	c->phase = CALL_OVER;
}

static void take_promise(
	struct tcp_probe *p, uint64_t now_us, struct tcp_calls *c, const struct call_message *m)
{
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++) {
		struct observation *o = tcp_probe_observation(p, c->observation[i]);

		if (!o)
			continue;
		if (!(m->from >> i & 1) || !is_from(&o->expect, &m->endpoint[i]))
			tcp_probe_settle(p, now_us, c->observation[i], OBSERVATION_ERROR);
		else
			o->expect = m->endpoint[i];
	}
	c->phase = CALL_PROMISED;
	c->promised_us = now_us;
	c->over_us = now_us + (c->wait_ms + c->patience_ms) * MS + SPARE_US;
	p->calls = true;
}

/* SYNs that a silent call has sent: after 0, 1, 3 and 7 seconds (RFC 6298 2). */
static unsigned syns_of(const struct call_message *m)
{
	unsigned count = 1;

	for (uint32_t at_us = 1000 * MS; m->elapsed_us > at_us; at_us = 2 * at_us + 1000 * MS)
		count++;
	return count;
}

static void note_result(struct observation *o, const struct call_message *m)
{
	o->call.outcome = (enum connection_outcome)m->outcome;
	o->call.error = m->error;
	o->call.took_us = m->elapsed_us;
	o->call.ttl = m->ttl;
	if (m->outcome == CALL_SILENT)
		o->awaited = syns_of(m);
	if (m->has_icmp && !o->reported_count)
		o->reported[o->reported_count++] = m->icmp;
}

/* Over the control connection: how a call ended, as its caller saw it. */
static void take_result(struct tcp_probe *p, uint64_t now_us, struct tcp_calls *c, unsigned bit,
	const struct call_message *m)
{
	size_t place = c->observation[bit];
	struct observation *o = tcp_probe_observation(p, place);

	if (!o || o->call.outcome != CONNECTION_NONE)
		return;
	note_result(o, m);
	if (m->outcome == CALL_CONNECTED)
		c->connected_us[bit] = now_us;
	/* of a simultaneous open, this host's own attempt still goes on */
	else if (o->question != QUESTION_SIMULTANEOUS)
		tcp_probe_settle(p, now_us, place,
			m->outcome == CALL_SILENT ? OBSERVATION_SILENT : OBSERVATION_REFUSED);
}

/* Over a connection that came about: the call is here. */
static void take_call(struct tcp_probe *p, uint64_t now_us, struct tcp_calls *c, unsigned bit,
	unsigned socket, const struct call_message *m)
{
	size_t place = c->observation[bit];
	struct observation *o = tcp_probe_observation(p, place);
	const struct endpoint *from = &p->sockets[socket].to;

	if (!o)
		return;
	if (!endpoint_equal(from, &o->expect)) {
		o->wrong_source++;
		o->wrong_from = *from;
		return;
	}
	if (!o->answers++) {
		o->answer.t_us = now_us;
		o->answer.from = *from;
	}
	if (o->call.outcome == CONNECTION_NONE)
		note_result(o, m);
	tcp_probe_settle(p, now_us, place, OBSERVATION_ANSWERED);
}

static void take_message(struct tcp_probe *p, uint64_t now_us, struct tcp_calls *c, unsigned socket,
	const struct call_message *m)
{
	bool control = socket == c->control;

	if (m->class == STUN_INDICATION && m->has_result && control)
		take_result(p, now_us, c, number_of(m->which), m);
	else if (m->class == STUN_INDICATION && m->has_result && m->outcome == CALL_CONNECTED)
		take_call(p, now_us, c, number_of(m->which), socket, m);
	else if (control && c->phase == CALL_ASKED && m->class == STUN_SUCCESS)
		take_promise(p, now_us, c, m);
	else if (control && c->phase == CALL_ASKED && m->class == STUN_ERROR)
		take_refusal(p, now_us, c, m->error_code);
}

void tcp_probe_calls_input(
	struct tcp_probe *p, uint64_t now_us, unsigned socket, const uint8_t *data, size_t length)
{
	struct tcp_calls *all[] = {&p->filtering, &p->simultaneous};
	struct call_message m;

	if (call_decode(data, length, &m))
		return;
	for (int i = 0; i < 2; i++)
		if (all[i]->phase >= CALL_ASKED && stun_id_equal(&all[i]->id, &m.id))
			take_message(p, now_us, all[i], socket, &m);
	if (p->sockets[socket].accepted)
		tcp_probe_end(&p->sockets[socket]);
}

/* With the control connection the calls end, too. */
void tcp_probe_calls_closed(struct tcp_probe *p, uint64_t now_us, unsigned socket)
{
	struct tcp_calls *all[] = {&p->filtering, &p->simultaneous};

	for (int i = 0; i < 2; i++) {
		struct tcp_calls *c = all[i];

		if (tcp_probe_calls_over(c) || (socket != c->control && socket != c->listener))
			continue;
		settle_open(p, now_us, c,
			c->phase == CALL_ASKED ? OBSERVATION_ERROR : OBSERVATION_ABANDONED);
		c->phase = CALL_OVER;
	}
}

/* --- the course of it --- */

/* Whether calls that have connected are not here: somebody else has taken them. */
static void miss_calls(struct tcp_probe *p, uint64_t now_us, struct tcp_calls *c)
{
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
		if (c->connected_us[i] && now_us >= c->connected_us[i] + HERE_US)
			tcp_probe_settle(p, now_us, c->observation[i], OBSERVATION_REFUSED);
}

void tcp_probe_calls_watch(struct tcp_probe *p, uint64_t now_us, struct tcp_calls *c)
{
	bool open = false;

	if (c->phase == CALL_ASKED && now_us >= c->over_us) {
		take_refusal(p, now_us, c, 0);
		return;
	}
	if (c->phase == CALL_CONNECTING && !tcp_probe_is_open(p, c->base) &&
		!tcp_probe_is_answered(p, c->base))
		c->phase = CALL_OVER;
	if (c->phase != CALL_PROMISED)
		return;
	miss_calls(p, now_us, c);
	if (now_us >= c->over_us)
		settle_open(p, now_us, c, OBSERVATION_ABANDONED);
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
		open |= tcp_probe_is_open(p, c->observation[i]);
	if (!open)
		c->phase = CALL_OVER;
}

static uint16_t patience_ms(const struct tcp_probe *p, const struct tcp_server *s)
{
	uint64_t ms = QUICK_RTTS * s->rtt_us / MS;

	if (!p->config.quick)
		return 0;
	return (uint16_t)(ms < QUICK_MIN_MS ? QUICK_MIN_MS : ms < QUICK_MAX_MS ? ms : QUICK_MAX_MS);
}

/* The next server that may make calls. */
static void begin_filtering(struct tcp_probe *p, uint64_t now_us)
{
	struct tcp_server *s;

	for (; p->caller < p->server_count; p->caller++) {
		s = &p->servers[p->caller];
		if (tcp_probe_is_open(p, s->binding))
			return;
		if (!s->answered || !s->capable)
			continue;
		tcp_probe_calls_begin(p, now_us, s, &p->filtering, true);
		p->caller++;
		return;
	}
}

/*
 * The flow to the endpoint that was early: where its SYN has been kept back, does this flow get another port? (Linux
 * routers that accept packets to themselves do that over UDP.)
 */
static void check_early(struct tcp_probe *p, uint64_t now_us)
{
	struct tcp_calls *c = &p->filtering;
	size_t place = c->observation[number_of(CALL_FROM_BOTH)];
	struct observation *o = tcp_probe_observation(p, place);

	if (!p->calls || !o || p->early_check != JOURNAL_NONE || tcp_probe_is_answered(p, place) ||
		o->call.outcome == CONNECTION_NONE)
		return;
	p->early_check =
		tcp_probe_ask(p, now_us, c->server, QUESTION_EARLY_CHECK, c->slot, &o->expect);
}

void tcp_probe_calls_advance(struct tcp_probe *p, uint64_t now_us)
{
	struct tcp_calls *c = &p->filtering;

	tcp_probe_calls_watch(p, now_us, c);
	switch (c->phase) {
	case CALL_IDLE:
		begin_filtering(p, now_us);
		break;
	case CALL_CONNECTING:
		if (tcp_probe_is_answered(p, c->base) && p->sockets[c->listener].state == TCP_READY)
			tcp_probe_calls_ask(p, now_us, c,
				CALL_FROM_PORT | CALL_FROM_ADDRESS | CALL_FROM_BOTH, 0,
				patience_ms(p, c->server));
		break;
	case CALL_PROMISED:
		tcp_probe_ports_advance(p, now_us, c->server);
		break;
	case CALL_OVER:
		if (!p->calls)
			begin_filtering(p, now_us);
		check_early(p, now_us);
		break;
	default:
		break;
	}
}
