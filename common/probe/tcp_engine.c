// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/answer.h"
#include "probe/tcp_private.h"

#define MS	      1000u
#define PATIENCE_US   (4000 * MS) /* for a connection, or an answer: three SYNs leave in it */
#define REQUEST_BYTES 160
#define POLL_US	      (100 * MS) /* rules that look at the clock */
#define TTL_USUAL     64
#define TTL_OTHER     128

int tcp_probe_create(const struct tcp_probe_config *config, struct journal *journal,
	struct random *random, uint64_t now_us, struct tcp_probe **out)
{
	struct tcp_probe *p = calloc(1, sizeof(*p));

	*out = p;
	if (!p)
		return -ENOMEM;
	p->config = *config;
	p->journal = journal;
	p->random = random;
	p->start_us = now_us;
	p->early_check = JOURNAL_NONE;
	for (int i = 0; i < 2; i++)
		p->hairpin_base[i] = p->hairpin[i] = JOURNAL_NONE;
	for (int i = 0; i < TCP_SEQUENCE; i++)
		p->sequence.observation[i] = JOURNAL_NONE;
	return tcp_probe_slot(p, config->port) < 0 ? -ENOMEM
						   : 0; /* number 0: the mapping question's */
}

void tcp_probe_destroy(struct tcp_probe *p)
{
	free(p);
}

struct observation *tcp_probe_observation(const struct tcp_probe *p, size_t place)
{
	return place < p->journal->observation_count ? &p->journal->observations[place] : NULL;
}

bool tcp_probe_is_answered(const struct tcp_probe *p, size_t place)
{
	const struct observation *o = tcp_probe_observation(p, place);

	return o && o->state == OBSERVATION_ANSWERED;
}

bool tcp_probe_is_open(const struct tcp_probe *p, size_t place)
{
	const struct observation *o = tcp_probe_observation(p, place);

	return o && o->state == OBSERVATION_OPEN;
}

void tcp_probe_settle(
	struct tcp_probe *p, uint64_t now_us, size_t place, enum observation_state state)
{
	if (tcp_probe_is_open(p, place))
		journal_settle(p->journal, now_us, tcp_probe_observation(p, place), state);
}

static enum connection_outcome outcome_of(int error)
{
	switch (error) {
	case 0:
		return CONNECTION_MADE;
	case -ECONNREFUSED:
	case -ECONNRESET:
		return CONNECTION_REFUSED;
	case -EHOSTUNREACH:
	case -ENETUNREACH:
	case -EHOSTDOWN:
	case -ENONET:
	case -EPROTO:
		return CONNECTION_UNREACHABLE;
	case -ETIMEDOUT:
		return CONNECTION_SILENT;
	default:
		return CONNECTION_LOCAL;
	}
}

void tcp_probe_note_own(struct observation *o, uint64_t now_us, int error)
{
	o->own.outcome = outcome_of(error);
	o->own.error = -error;
	o->own.took_us = now_us - o->first_sent_us;
}

struct endpoint tcp_probe_target(const struct tcp_server *s, int target)
{
	struct endpoint e = target == TCP_TARGET_PORT ? s->endpoint : s->other;

	e.port = target == TCP_TARGET_ADDRESS ? s->endpoint.port : s->other.port;
	return e;
}

/* --- questions --- */

struct observation *tcp_probe_new_observation(struct tcp_probe *p, const struct tcp_server *server,
	enum question question, unsigned socket, const struct endpoint *to)
{
	struct observation *o = journal_add_observation(p->journal);

	if (!o)
		return NULL;
	o->question = question;
	o->family = p->config.family;
	o->transport = TRANSPORT_TCP;
	o->server = server->place;
	o->socket = socket;
	o->to = o->expect = *to;
	return o;
}

/*
 * Two different ones towards the same address: who counts hops takes one off each SYN, who sets the TTL makes
 * them alike.
 */
static uint8_t ttl_of(
	const struct tcp_probe *p, const struct tcp_socket *s, const struct observation *o)
{
	if (!p->config.syns)
		return 0;
	switch (o->question) {
	case QUESTION_BINDING:
	case QUESTION_SEQUENCE:
		return TTL_USUAL;
	case QUESTION_MAPPING:
		return endpoint_same_address(&o->to, &p->journal->servers[o->server].endpoint)
			? TTL_OTHER
			: TTL_USUAL;
	case QUESTION_PORTS:
		return tcp_probe_number(p, s) & 1 ? TTL_OTHER : TTL_USUAL;
	default:
		return 0;
	}
}

size_t tcp_probe_ask(struct tcp_probe *p, uint64_t now_us, struct tcp_server *server,
	enum question question, unsigned slot, const struct endpoint *to)
{
	struct tcp_socket *s = tcp_probe_socket(p, slot, to);
	struct observation *o;

	if (!s)
		return JOURNAL_NONE;
	o = tcp_probe_new_observation(p, server, question, tcp_probe_number(p, s), to);
	if (!o) {
		tcp_probe_end(s);
		return JOURNAL_NONE;
	}
	s->observation = journal_place(p->journal, o);
	s->asks = true;
	s->ttl = ttl_of(p, s, o);
	s->give_up_us = now_us + PATIENCE_US;
	tcp_probe_new_id(p, &s->id);
	return s->observation;
}

void tcp_probe_add_server(struct tcp_probe *p, uint64_t now_us, size_t place)
{
	struct tcp_server *s;

	if (p->server_count >= TCP_SERVERS || place >= p->journal->server_count)
		return;
	s = &p->servers[p->server_count++];
	s->place = place;
	s->endpoint = p->journal->servers[place].endpoint;
	for (int i = 0; i < TCP_TARGETS; i++)
		s->mapping[i] = JOURNAL_NONE;
	s->binding = tcp_probe_ask(p, now_us, s, QUESTION_BINDING, 0, &s->endpoint);
}

static struct tcp_server *server_at(struct tcp_probe *p, size_t place)
{
	for (size_t i = 0; i < p->server_count; i++)
		if (p->servers[i].place == place)
			return &p->servers[i];
	return NULL;
}

/* --- what happens to connections --- */

static void send_request(const struct tcp_probe *p, struct tcp_socket *s)
{
	static const struct stun_probe probe = {.version = 1, .wants = STUN_WANT_SYN};
	uint8_t buffer[REQUEST_BYTES];
	struct stun_writer w =
		stun_begin(buffer, sizeof(buffer), STUN_REQUEST, STUN_BINDING, &s->id);
	int length;

	if (p->config.syns) {
		stun_add_probe(&w, &probe);
		/* as long as natprobed's answer, which is never longer */
		stun_add_fill(&w, p->config.family == FAMILY_IPV4 ? 112 : 160);
	}
	length = stun_end(&w);
	if (length > 0)
		tcp_probe_queue(s, buffer, (size_t)length);
}

static bool crosses_nat_twice(const struct observation *o)
{
	return o->question == QUESTION_HAIRPIN;
}

static void note_rtt(struct tcp_server *s, const struct observation *o)
{
	if (s && !crosses_nat_twice(o) && o->question != QUESTION_SIMULTANEOUS &&
		(!s->rtt_us || o->own.took_us < s->rtt_us))
		s->rtt_us = o->own.took_us;
}

static struct observation *connecting(const struct tcp_probe *p, unsigned socket)
{
	if (socket >= p->socket_count || p->sockets[socket].state != TCP_CONNECTING)
		return NULL;
	return tcp_probe_observation(p, p->sockets[socket].observation);
}

void tcp_probe_handshake(struct tcp_probe *p, unsigned socket, const struct handshake *handshake)
{
	struct observation *o = connecting(p, socket);

	if (o)
		o->handshake = *handshake;
}

void tcp_probe_icmp(struct tcp_probe *p, unsigned socket, const struct icmp_seen *icmp)
{
	struct observation *o = connecting(p, socket);

	if (o)
		o->icmp = *icmp;
	else if (socket < p->socket_count && p->sockets[socket].state == TCP_CONNECTING &&
		p->sockets[socket].rung)
		tcp_probe_trace_icmp(p, &p->sockets[socket], icmp);
}

void tcp_probe_connected(
	struct tcp_probe *p, uint64_t now_us, unsigned socket, int error, unsigned segments)
{
	struct tcp_socket *s;
	struct observation *o;

	if (socket >= p->socket_count || p->sockets[socket].state != TCP_CONNECTING)
		return;
	s = &p->sockets[socket];
	if (s->rung) {
		tcp_probe_trace_ended(p, now_us, s, error);
		return;
	}
	o = tcp_probe_observation(p, s->observation);
	if (o) {
		tcp_probe_note_own(o, now_us, error);
		o->own.segments = segments;
	}
	if (error) {
		tcp_probe_end(s);
		if (o)
			tcp_probe_settle(p, now_us, s->observation,
				error == -ETIMEDOUT ? OBSERVATION_SILENT : OBSERVATION_REFUSED);
		tcp_probe_calls_closed(p, now_us, socket);
		return;
	}
	s->state = TCP_READY;
	s->give_up_us = now_us + PATIENCE_US;
	if (o)
		note_rtt(server_at(p, o->server), o);
	if (s->asks)
		send_request(p, s);
}

int tcp_probe_accepted(
	struct tcp_probe *p, uint64_t now_us, unsigned listener, const struct endpoint *from)
{
	struct tcp_socket *s;

	if (listener >= p->socket_count || !p->sockets[listener].listener)
		return -EINVAL;
	s = tcp_probe_socket(p, p->sockets[listener].slot, from);
	if (!s)
		return -ENOSPC;
	s->state = TCP_READY;
	s->accepted = true;
	s->local = p->sockets[listener].local;
	s->give_up_us = now_us + PATIENCE_US;
	return (int)tcp_probe_number(p, s);
}

void tcp_probe_closed(struct tcp_probe *p, uint64_t now_us, unsigned socket, int error)
{
	struct tcp_socket *s;
	struct observation *o;

	if (socket >= p->socket_count || p->sockets[socket].state != TCP_READY)
		return;
	s = &p->sockets[socket];
	o = tcp_probe_observation(p, s->observation);
	if (o && error)
		o->own.error = -error;
	tcp_probe_end(s);
	tcp_probe_settle(p, now_us, s->observation, OBSERVATION_REFUSED);
	tcp_probe_calls_closed(p, now_us, socket);
}

/* --- answers --- */

static void learn_server(struct tcp_probe *p, uint64_t now_us, const struct observation *o)
{
	struct tcp_server *s = server_at(p, o->server);

	if (!s || s->answered)
		return;
	s->answered = true;
	s->capable = observation_other_usable(o);
	s->tells_syns = o->answer.has_syn && o->answer.syn.parts & STUN_SYN_ARRIVED;
	if (s->capable)
		s->other = o->answer.other;
	journal_note(p->journal, now_us, o, "%s",
		s->capable ? "offers a second address" : "plain STUN over TCP");
}

/* What a server says of our endpoint can be one at all. */
static bool mapped_usable(const struct observation *o, const struct endpoint *mapped)
{
	return mapped->family == o->family && endpoint_is_unicast(mapped) &&
		endpoint_is_loopback(mapped) == endpoint_is_loopback(&o->local);
}

static void take_answer(
	struct tcp_probe *p, uint64_t now_us, struct tcp_socket *s, const struct stun_message *m)
{
	struct observation *o = tcp_probe_observation(p, s->observation);
	struct answer answer;

	if (!o || !s->asks || !stun_id_equal(&s->id, &m->id) || o->state != OBSERVATION_OPEN)
		return;
	if (m->class == STUN_ERROR) {
		o->error_code = m->error_code;
		tcp_probe_settle(p, now_us, s->observation, OBSERVATION_ERROR);
		return;
	}
	probe_fill_answer(&answer, now_us, &s->to, 0, m);
	if (!mapped_usable(o, &answer.mapped)) {
		o->malformed++;
		return;
	}
	o->answer = answer;
	o->answers++;
	s->give_up_us = UINT64_MAX; /* from here on it is kept as long as it is needed */
	tcp_probe_settle(p, now_us, s->observation, OBSERVATION_ANSWERED);
	if (o->question == QUESTION_BINDING)
		learn_server(p, now_us, o);
	/* all of it is known */
	if (o->question == QUESTION_PORTS || o->question == QUESTION_SEQUENCE)
		tcp_probe_end(s);
}

static void take_message(struct tcp_probe *p, uint64_t now_us, struct tcp_socket *s,
	const uint8_t *data, size_t length)
{
	struct observation *o = tcp_probe_observation(p, s->observation);
	struct stun_message m;

	journal_event(p->journal, now_us, EVENT_RECEIVED, o, &s->to, &s->local, length);
	if (call_looks_like(data, length))
		tcp_probe_calls_input(p, now_us, tcp_probe_number(p, s), data, length);
	else if (stun_decode(data, length, &m) || m.method != STUN_BINDING) {
		if (o)
			o->malformed++;
	} else if (m.class == STUN_REQUEST)
		tcp_probe_hairpin_input(p, now_us, tcp_probe_number(p, s), &m);
	else if (m.class == STUN_SUCCESS || m.class == STUN_ERROR)
		take_answer(p, now_us, s, &m);
}

/* Takes whole messages out of what has come. */
static void take_frames(struct tcp_probe *p, uint64_t now_us, struct tcp_socket *s)
{
	size_t at = 0;
	int bytes;

	for (;;) {
		bytes = stun_frame_bytes(s->in + at, s->in_length - at, sizeof(s->in));
		if (bytes <= 0 || (size_t)bytes > s->in_length - at)
			break;
		take_message(p, now_us, s, s->in + at, (size_t)bytes);
		at += (size_t)bytes;
	}
	memmove(s->in, s->in + at, s->in_length - at);
	s->in_length -= at;
	if (bytes >= 0)
		return;
	if (tcp_probe_observation(p, s->observation))
		tcp_probe_observation(p, s->observation)->malformed++;
	tcp_probe_closed(p, now_us, tcp_probe_number(p, s), -EBADMSG);
}

void tcp_probe_input(
	struct tcp_probe *p, uint64_t now_us, unsigned socket, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	if (socket >= p->socket_count)
		return;
	while (length && p->sockets[socket].state == TCP_READY) {
		struct tcp_socket *s = &p->sockets[socket];
		size_t room = sizeof(s->in) - s->in_length, n = length < room ? length : room;

		memcpy(s->in + s->in_length, bytes, n);
		s->in_length += n;
		bytes += n;
		length -= n;
		take_frames(p, now_us, s);
	}
}

/* --- the run --- */

static void give_up(struct tcp_probe *p, uint64_t now_us)
{
	for (unsigned i = 0; i < p->socket_count; i++) {
		struct tcp_socket *s = &p->sockets[i];

		if (now_us < s->give_up_us || s->state == TCP_ENDED)
			continue;
		s->give_up_us = UINT64_MAX;
		if (s->state == TCP_CONNECTING) {
			tcp_probe_connected(p, now_us, i, -ETIMEDOUT, 0);
			continue;
		}
		tcp_probe_settle(p, now_us, s->observation, OBSERVATION_SILENT);
		tcp_probe_end(s);
		tcp_probe_calls_closed(p, now_us, i);
	}
}

static bool all_settled(const struct tcp_probe *p)
{
	for (size_t i = 0; i < p->server_count; i++)
		for (size_t k = 0; k < p->journal->observation_count; k++)
			if (p->journal->observations[k].server == p->servers[i].place &&
				tcp_probe_is_open(p, k))
				return false;
	return true;
}

void tcp_probe_finish(struct tcp_probe *p, uint64_t now_us)
{
	for (size_t i = 0; i < p->journal->observation_count; i++)
		if (p->journal->observations[i].family == p->config.family &&
			p->journal->observations[i].transport == TRANSPORT_TCP)
			tcp_probe_settle(p, now_us, i, OBSERVATION_ABANDONED);
	for (unsigned i = 0; i < p->socket_count; i++)
		tcp_probe_end(&p->sockets[i]);
	p->done = true;
}

static void advance(struct tcp_probe *p, uint64_t now_us)
{
	if (p->done)
		return;
	give_up(p, now_us);
	for (size_t i = 0; i < p->server_count; i++)
		if (p->servers[i].answered && p->config.tests & TCP_BEHAVIOUR)
			tcp_probe_mapping_advance(p, now_us, &p->servers[i]);
	if (p->config.tests & TCP_BEHAVIOUR) {
		tcp_probe_calls_advance(p, now_us);
		tcp_probe_simultaneous_advance(p, now_us);
		tcp_probe_sequence_advance(p, now_us);
		tcp_probe_trace_advance(p, now_us);
	}
	if (now_us >= p->start_us + p->config.limit_us)
		tcp_probe_finish(p, now_us);
	/* hairpinning last: it is the question that may disturb others */
	else if (all_settled(p) && tcp_probe_calls_over(&p->filtering) &&
		tcp_probe_calls_over(&p->simultaneous) && !tcp_probe_hairpin_advance(p, now_us))
		tcp_probe_finish(p, now_us);
}

enum tcp_action tcp_probe_poll(struct tcp_probe *p, uint64_t now_us, struct tcp_output *out)
{
	memset(out, 0, offsetof(struct tcp_output, data));
	out->length = 0;
	advance(p, now_us);
	out->deadline_us = now_us + POLL_US;
	if (p->trace.put && p->trace.deadline_us < out->deadline_us)
		out->deadline_us = p->trace.deadline_us;
	if (tcp_probe_poll_sockets(p, now_us, out))
		return out->action;
	if (p->done)
		return out->action = TCP_DONE;
	if (out->deadline_us <= now_us) /* time always goes on */
		out->deadline_us = now_us + 1;
	return out->action = TCP_WAIT;
}
