// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "punch/session_private.h"

/* Sockets, the meeting, and from state to state. */

#define EXCHANGE_MAX_US 20000000 /* for the hello of a side that has come */
/*
 * While another way is looked for, the other side may only have lost its connection to the server as well, and may find
 * that out later. Over UDP natprobed keeps its place for so long.
 */
#define LEFT_MAX_US   60000000
#define LEFT_FIRST_US 4000000 /* … where none has stood yet; it is back at once, if it comes back */

int session_create(const struct session_config *config, uint64_t now_us, struct session **out)
{
	struct session *s;
	int err;

	if (config->secret.length > SECRET_MAX ||
		(!config->knock.on && config->servers[0].family == FAMILY_NONE &&
			config->servers[1].family == FAMILY_NONE))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->config = *config;
	memcpy(s->secret, config->secret.data, config->secret.length);
	s->secret_length = config->secret.length;
	s->view.started_us = now_us;
	s->view.tcp = config->tcp;
	s->view.signals = config->signals;
	s->view.own.transport = config->tcp ? HELLO_TCP : HELLO_UDP;
	s->spent = s->latest_socket = SESSION_SOCKETS;
	s->spent_main[0] = s->spent_main[1] = SESSION_SOCKETS;
	for (int f = 0; f < 2; f++)
		if (config->servers[f].family != FAMILY_NONE && !config->knock.on)
			s->main[f] = session_new_main(s);
	if (config->manual)
		session_manual_begin(s);
	err = config->knock.on ? session_knock_begin(s, now_us) : session_measure_begin(s, now_us);
	if (err) {
		session_destroy(s);
		return err;
	}
	*out = s;
	return 0;
}

void session_destroy(struct session *s)
{
	if (!s)
		return;
	probe_destroy(s->probes[0]);
	probe_destroy(s->probes[1]);
	tcp_probe_destroy(s->tcp_probes[0]);
	tcp_probe_destroy(s->tcp_probes[1]);
	meeting_destroy(s->meeting);
	session_ways_destroy(s);
	session_knock_end(s);
	cpace_forget(&s->cpace);
	keys_wipe(&s->keys);
	sodium_memzero(s->secret, sizeof(s->secret));
	free(s);
}

const struct session_view *session_view(const struct session *s)
{
	return &s->view;
}

const struct keys *session_keys(const struct session *s)
{
	return &s->keys;
}

static bool is_over(const struct session *s)
{
	return s->view.state == SESSION_CONNECTED || s->view.state == SESSION_FAILED;
}

void session_fail(struct session *s, uint64_t now_us, enum session_failure failure)
{
	if (is_over(s))
		return;
	s->view.state = SESSION_FAILED;
	s->view.failure = failure;
	s->view.ended_us = now_us;
	session_ways_pause(s);
}

void session_leave(struct session *s, uint64_t now_us)
{
	if (!s->meeting || s->leaving)
		return;
	s->leaving = true;
	meeting_leave(s->meeting, now_us);
}

/* --- output --- */

static bool poll_meeting(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	int f = s->meeting_family == FAMILY_IPV6;
	uint64_t at_us;

	if (!s->meeting || (!s->stream.used && s->main[f].state != OPENING_DONE))
		return false;
	if (meeting_poll(s->meeting, now_us, out->data, &out->length, &at_us)) {
		out->action = SESSION_SEND;
		out->socket = s->stream.used ? SESSION_STREAM : s->main[f].socket;
		out->to = s->config.servers[f];
		return true;
	}
	if (at_us < *deadline_us)
		*deadline_us = at_us;
	return false;
}

static bool poll_query(
	struct query *q, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	if (!query_poll(q, now_us, out->data, sizeof(out->data), &out->length, deadline_us))
		return false;
	out->action = SESSION_SEND;
	out->socket = q->socket;
	out->to = q->to;
	return true;
}

/* --- from state to state --- */

static uint64_t left_until_us(const struct session *s)
{
	return s->view.meeting->left_us + (s->view.round ? LEFT_MAX_US : LEFT_FIRST_US);
}

/* Over TCP the end of its connection looks the same to the server, unless the other side has said that it gives up. */
static bool has_left_for_good(const struct session *s, uint64_t now_us)
{
	return !s->config.tcp || (s->view.has_peer && s->view.peer.failed) ||
		now_us >= left_until_us(s);
}

static void heed_meeting(struct session *s, uint64_t now_us)
{
	const struct meeting_view *v = s->view.meeting;

	s->view.number = v->number;
	if (!s->view.registered_us)
		s->view.registered_us = v->registered_us;
	if (v->registered_us && s->view.state == SESSION_REGISTERING)
		s->view.state = SESSION_WAITING;
	if (v->state == MEETING_PAIRED && s->view.state == SESSION_WAITING)
		s->view.state = SESSION_EXCHANGING;
	meeting_expect(s->meeting, now_us, s->view.state == SESSION_EXCHANGING);
	s->view.error_code = v->error_code;
	if (v->state == MEETING_REFUSED)
		session_fail(s, now_us, SESSION_REFUSED);
	else if (s->view.state < SESSION_PUNCHING &&
		(v->state == MEETING_UNREACHABLE ||
			(!v->registered_us && !s->config.tcp && session_server_is_closed(s))))
		session_fail(s, now_us, SESSION_UNREACHABLE);
	else if (v->state == MEETING_LEFT && has_left_for_good(s, now_us))
		session_fail(s, now_us,
			s->view.has_peer && s->view.peer.failed ? SESSION_NO_PATH
								: SESSION_PEER_LEFT);
	else if (s->view.state < SESSION_EXCHANGING && s->config.wait_us &&
		now_us - s->view.started_us >= s->config.wait_us)
		session_fail(s, now_us, SESSION_NO_PEER);
	else if (s->view.state == SESSION_EXCHANGING && now_us - v->paired_us >= EXCHANGE_MAX_US)
		session_fail(s, now_us, SESSION_PEER_SILENT);
}

static void heed_checks(struct session *s, uint64_t now_us)
{
	const struct checks_result *r = s->view.checks;

	if (!r)
		return;
	if (!s->view.round) {
		s->view.first_sent_us = r->first_sent_us;
		s->view.first_heard_us = r->first_heard_us;
		s->view.proved_us = r->proved_us;
	}
	if (!r->connected)
		return;
	s->view.way = *r;
	if (is_over(s))
		return;
	if (!s->view.exchanged_us) /* the peer was quicker: it is known since its first packet */
		s->view.exchanged_us = r->first_heard_us;
	/* quicker than all plans, or there is none, and an endpoint beside them has done */
	if (!trail_has_attempt(s->config.trail))
		trail_attempt(s->config.trail, r->first_heard_us, "direct");
	s->view.state = SESSION_CONNECTED;
	s->stood_us = now_us;
	if (!s->view.round)
		s->view.ended_us = now_us;
	trail_end(s->config.trail, now_us, true);
}

static void advance_meeting(struct session *s, uint64_t now_us)
{
	heed_meeting(s, now_us);
	session_take_turns(s, now_us);
	if (!s->began_cpace && s->view.meeting->registered_us && session_exchange_begin(s, now_us))
		session_fail(s, now_us, SESSION_BAD_PEER);
	session_exchange_advance(s, now_us);
}

static void advance(struct session *s, uint64_t now_us)
{
	if (!s->leaving && s->view.checks)
		session_heed_round(s, now_us);
	if (s->config.tcp && s->view.state != SESSION_FAILED && !s->leaving)
		session_connect_advance(s, now_us);
	if (is_over(s) || !s->view.meeting)
		return;
	session_measure_advance(s, now_us);
	session_collect_candidates(s);
	if (s->config.knock.on)
		session_knock_advance(s, now_us);
	else if (s->config.manual)
		session_manual_advance(s, now_us);
	else
		advance_meeting(s, now_us);
	if (s->has_keys && !session_has_ways(s) && s->view.state != SESSION_FAILED)
		session_ways_create(s);
	if (s->view.state == SESSION_EXCHANGING && s->view.has_peer && s->published &&
		session_has_ways(s) && (!s->config.tcp || session_sockets_are_current(s))) {
		s->view.exchanged_us = now_us;
		session_attempts_begin(s, now_us);
	}
	heed_checks(s, now_us);
	session_attempt_advance(s, now_us);
}

static uint64_t deadline_alone(const struct session *s, uint64_t now_us)
{
	uint64_t at_us = s->config.manual ? session_manual_deadline(s) : session_knock_deadline(s),
		 attempt_us = session_attempt_deadline(s, now_us);

	return at_us < attempt_us ? at_us : attempt_us;
}

static uint64_t deadline_with_server(const struct session *s, uint64_t now_us)
{
	if (!s->view.meeting || s->leaving || s->view.state == SESSION_FAILED)
		return UINT64_MAX;
	if (session_is_alone(s))
		return deadline_alone(s, now_us);
	if (s->view.state == SESSION_REGISTERING && s->turn_us > now_us &&
		(!s->config.wait_us || s->turn_us < s->view.started_us + s->config.wait_us))
		return s->turn_us;
	if (s->view.state < SESSION_EXCHANGING && s->config.wait_us)
		return s->view.started_us + s->config.wait_us;
	if (s->view.state == SESSION_EXCHANGING)
		return s->view.meeting->paired_us + EXCHANGE_MAX_US;
	return session_attempt_deadline(s, now_us);
}

static uint64_t own_deadline(const struct session *s, uint64_t now_us)
{
	uint64_t at_us = deadline_with_server(s, now_us), connect_us;

	if (!s->config.tcp || s->leaving || s->view.state == SESSION_FAILED)
		return at_us;
	connect_us = session_connect_deadline(s);
	if (s->view.state != SESSION_CONNECTED && s->view.meeting &&
		s->view.meeting->state == MEETING_LEFT && left_until_us(s) < connect_us)
		connect_us = left_until_us(s);
	return connect_us < at_us ? connect_us : at_us;
}

enum session_action session_poll(struct session *s, uint64_t now_us, struct session_output *out)
{
	uint64_t deadline_us;

	memset(out, 0, sizeof(*out));
	advance(s, now_us);
	deadline_us = own_deadline(s, now_us);
	if (session_poll_sockets(s, now_us, out, &deadline_us) ||
		poll_meeting(s, now_us, out, &deadline_us) ||
		session_measure_poll(s, now_us, out, &deadline_us) ||
		session_stream_poll(s, now_us, out, &deadline_us) ||
		poll_query(&s->reflexive[0], now_us, out, &deadline_us) ||
		poll_query(&s->reflexive[1], now_us, out, &deadline_us) ||
		poll_query(&s->latest, now_us, out, &deadline_us) ||
		/* who knocks understands no check before the answer */
		session_knock_poll(s, now_us, out, &deadline_us) ||
		session_ways_poll(s, now_us, out, &deadline_us) ||
		session_signal_poll(s, now_us, out, &deadline_us))
		return out->action;
	if (session_measure_is_due(s) && s->view.meeting && !is_over(s))
		deadline_us = now_us; /* a part of the measurement has just ended */
	out->action = SESSION_WAIT;
	out->deadline_us = deadline_us;
	return SESSION_WAIT;
}

/* --- input --- */

bool session_input(struct session *s, uint64_t now_us, unsigned socket, const struct endpoint *from,
	uint8_t ttl, const void *data, size_t length)
{
	int f = socket >= SESSION_PROBE6;

	if (socket >= SESSION_LINKS)
		return session_ways_input(s, now_us, socket, from, data, length);
	if (socket == SESSION_STREAM)
		return s->stream.used && meeting_input(s->meeting, now_us, data, length);
	if (socket >= SESSION_PROBE4) {
		if (s->tcp_probes[f])
			tcp_probe_input(s->tcp_probes[f], now_us,
				socket - (f ? SESSION_PROBE6 : SESSION_PROBE4), data, length);
		if (s->probes[f])
			probe_input(s->probes[f], now_us,
				socket - (f ? SESSION_PROBE6 : SESSION_PROBE4), from, ttl, data,
				length);
		return true;
	}
	if (socket >= SESSION_DEPTH) {
		depth_input(&s->depths[socket >= SESSION_DEPTH + DEPTH_TTLS], now_us, socket, from,
			data, length);
		return true;
	}
	if (socket >= SESSION_LIFETIME) {
		lifetime_input(&s->lifetime, now_us, socket, from, data, length);
		return true;
	}
	if (query_input(&s->reflexive[0], socket, from, data, length) ||
		query_input(&s->reflexive[1], socket, from, data, length) ||
		query_input(&s->latest, socket, from, data, length))
		return true;
	if (s->meeting &&
		endpoint_equal(from, &s->config.servers[s->meeting_family == FAMILY_IPV6]) &&
		meeting_input(s->meeting, now_us, data, length))
		return true;
	return session_ways_input(s, now_us, socket, from, data, length) ||
		session_knock_input(s, now_us, socket, from, data, length);
}

void session_error(struct session *s, uint64_t now_us, unsigned socket, const struct endpoint *to,
	const struct icmp_seen *error, const void *quoted, size_t length)
{
	int f = socket >= SESSION_PROBE6;
	const struct trail_event e = {.t_us = now_us,
		.kind = TRAIL_ICMP,
		.socket = socket,
		.from = error->offender,
		.to = *to,
		.type = error->type,
		.code = error->code};

	if (session_knock_error(s, now_us, socket, to, error, (struct span){quoted, length}) ||
		session_signal_error(s, now_us, socket, error, (struct span){quoted, length}))
		return;
	for (int i = 0; i < 2; i++)
		if (!s->config.tcp && !error->local && socket == s->main[i].socket &&
			endpoint_equal(to, &s->config.servers[i]) &&
			endpoint_same_address(to, &error->offender))
			session_stream_refused(s, now_us, i);
	if (socket < SESSION_LIFETIME || socket >= SESSION_LINKS)
		trail_add(s->config.trail, &e);
	if (socket >= SESSION_LINKS && s->tcp_checks)
		tcp_checks_icmp(s->tcp_checks, socket);
	else if (socket >= SESSION_PROBE4 && socket < SESSION_STREAM && s->probes[f])
		probe_error(s->probes[f], now_us, socket - (f ? SESSION_PROBE6 : SESSION_PROBE4),
			to, error, quoted, length);
}
