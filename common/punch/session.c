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
#define TURN_US		600000 /* two requests to the server */

static const enum family families[2] = {FAMILY_IPV4, FAMILY_IPV6};

int session_create(const struct session_config *config, uint64_t now_us, struct session **out)
{
	struct session *s;
	int err;

	if (config->secret.length > SECRET_MAX ||
		(config->servers[0].family == FAMILY_NONE &&
			config->servers[1].family == FAMILY_NONE))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->config = *config;
	memcpy(s->secret, config->secret.data, config->secret.length);
	s->secret_length = config->secret.length;
	s->view.started_us = now_us;
	s->view.own.transport = HELLO_UDP;
	s->spent = s->latest_socket = SESSION_SOCKETS;
	for (int f = 0; f < 2; f++)
		if (config->servers[f].family != FAMILY_NONE)
			s->main[f] = (struct session_main){s->next_main++, OPENING_WANTED, {0}};
	if (config->manual)
		session_manual_begin(s);
	err = session_measure_begin(s, now_us);
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
	meeting_destroy(s->meeting);
	checks_destroy(s->checks);
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
	if (s->checks)
		checks_pause(s->checks);
}

void session_leave(struct session *s, uint64_t now_us)
{
	if (!s->meeting || s->leaving)
		return;
	s->leaving = true;
	meeting_leave(s->meeting, now_us);
}

/* --- sockets --- */

void session_renew_sockets(struct session *s)
{
	if (s->config.manual)
		return; /* nobody could tell the other side */
	for (int f = 0; f < 2; f++) {
		if (s->main[f].state != OPENING_DONE)
			continue;
		s->old[f] = s->main[f];
		s->main[f] = (struct session_main){s->next_main++, OPENING_WANTED, {0}};
		if (s->next_main == SESSION_FURTHER)
			s->next_main = 0;
	}
}

bool session_main_is_pending(const struct session *s, int f)
{
	return s->main[f].state == OPENING_WANTED || s->main[f].state == OPENING_ASKED;
}

bool session_sockets_are_current(const struct session *s)
{
	if (s->config.manual)
		return true; /* there are no new ones */
	for (int f = 0; f < 2; f++)
		if (session_main_is_pending(s, f))
			return false;
	for (int f = 0; f < 2; f++)
		if (s->reflexive[f].begun && !s->reflexive[f].done &&
			s->view.own.side[f].status == PATH_OK)
			return false;
	return meeting_is_current(s->meeting) || s->view.meeting->state == MEETING_UNREACHABLE;
}

static void add_candidate(struct session *s, enum check_kind kind, const struct endpoint *e)
{
	struct hello *h = &s->view.own;

	if (h->candidate_count == HELLO_CANDIDATES || e->family == FAMILY_NONE || !e->port)
		return;
	for (size_t i = 0; i < h->candidate_count; i++)
		if (endpoint_equal(&h->candidates[i].endpoint, e))
			return;
	h->candidates[h->candidate_count].kind = kind;
	h->candidates[h->candidate_count++].endpoint = *e;
}

/* Where the main sockets can be reached, as far as is known. */
static void collect_candidates(struct session *s)
{
	s->view.own.candidate_count = 0;
	if (s->view.meeting)
		add_candidate(s, CHECK_SERVER_REFLEXIVE, &s->view.meeting->mapped);
	for (int f = 0; f < 2; f++)
		add_candidate(s, CHECK_SERVER_REFLEXIVE, &s->reflexive[f].mapped);
	for (size_t i = 0; i < s->config.host_count; i++) {
		struct endpoint e = s->config.hosts[i];
		int f = e.family == FAMILY_IPV6;

		e.port = s->main[f].local.port;
		if (s->main[f].state == OPENING_DONE && e.port)
			add_candidate(s, CHECK_HOST, &e);
	}
}

static void begin_meeting(struct session *s, uint64_t now_us, int f)
{
	struct meeting_config config = {.allocate = s->config.allocate,
		.random = s->config.random,
		.trail = s->config.trail};

	memcpy(config.session, s->config.id, sizeof(config.session));
	random_bytes(&s->config.random, config.random.seed, sizeof(config.random.seed));
	if (meeting_create(&config, &s->meeting))
		return;
	s->meeting_family = families[f];
	s->view.meeting = meeting_view(s->meeting);
	trail_step(s->config.trail, now_us, "register: over IPv%d", (int)families[f]);
	s->turn_us = now_us + TURN_US;
	session_stream_begin(s, now_us);
}

void session_ask_reflexive(struct session *s, uint64_t now_us, int f)
{
	query_begin(&s->reflexive[f], now_us, s->main[f].socket, &s->config.servers[f],
		&s->config.random);
}

static bool meets_over_udp(const struct session *s, int f)
{
	return s->meeting && s->meeting_family == families[f] && !s->stream.used;
}

/* Any family may be broken: until the server has answered they take turns. */
static void take_turns(struct session *s, uint64_t now_us)
{
	int f = s->meeting_family == FAMILY_IPV6;

	if (s->view.registered_us || s->stream.used || now_us < s->turn_us ||
		s->main[!f].state != OPENING_DONE)
		return;
	s->turn_us = now_us + TURN_US;
	s->meeting_family = families[!f];
	s->reflexive[!f] = (struct query){.begun = false};
	meeting_rebind(s->meeting, now_us, false);
	session_ask_reflexive(s, now_us, f);
}

/* The first socket that can be had decides by which family one meets. */
static void main_opened(struct session *s, uint64_t now_us, int f, int error)
{
	bool other_pending = session_main_is_pending(s, !f);

	if (error)
		trail_step(s->config.trail, now_us, "socket: none for IPv%d: %s", (int)families[f],
			strerror(-error));
	if (!error && !s->view.meeting)
		begin_meeting(s, now_us, f);
	else if (!error && meets_over_udp(s, f))
		meeting_rebind(s->meeting, now_us, false);
	if (!error && s->view.meeting && !meets_over_udp(s, f))
		session_ask_reflexive(s, now_us, f);
	if (error && !s->has_main && !other_pending)
		session_fail(s, now_us, SESSION_NO_SOCKET);
}

void session_opened(struct session *s, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local)
{
	for (int f = 0; f < 2; f++) {
		struct session_main *m = &s->main[f];

		if (m->state != OPENING_ASKED || m->socket != socket)
			continue;
		if (error && s->old[f].state == OPENING_DONE) { /* better than none */
			trail_step(s->config.trail, now_us, "socket: no new one for IPv%d: %s",
				(int)families[f], strerror(-error));
			*m = s->old[f];
			s->old[f].state = OPENING_NONE;
			return;
		}
		m->state = error ? OPENING_FAILED : OPENING_DONE;
		s->has_main |= !error;
		if (!error)
			m->local = s->view.local[f] = *local;
		main_opened(s, now_us, f, error);
		if (s->checks) /* the old one is about to be closed */
			session_set_mains(s);
		return;
	}
	if (socket == SESSION_STREAM) {
		session_stream_opened(s, now_us, error);
	} else if (socket >= SESSION_PROBE6) {
		if (s->probes[1])
			probe_opened(s->probes[1], now_us, socket - SESSION_PROBE6, error, local);
	} else if (socket >= SESSION_PROBE4) {
		if (s->probes[0])
			probe_opened(s->probes[0], now_us, socket - SESSION_PROBE4, error, local);
	} else if (socket >= SESSION_DEPTH) {
		depth_opened(&s->depths[socket >= SESSION_DEPTH + DEPTH_TTLS], socket, error);
	} else if (socket >= SESSION_LATEST) {
		s->latest_state = error ? OPENING_FAILED : OPENING_DONE;
		s->latest_socket = error ? SESSION_SOCKETS : socket;
		if (!error)
			query_begin(&s->latest, now_us, socket,
				&s->config.servers[s->view.family == FAMILY_IPV6],
				&s->config.random);
	} else if (s->checks) {
		struct hello *own = &s->view.own;

		checks_opened(s->checks, now_us, socket, error);
		if (!error && own->port_count < CHECKS_PORTS)
			own->ports[own->port_count++] = local->port;
	}
}

/* --- output --- */

static bool want_open(struct session_output *out, unsigned socket, enum family family)
{
	out->action = SESSION_OPEN;
	out->socket = socket;
	out->family = family;
	return true;
}

/* A socket that is there no more, if it was. */
static bool want_close(unsigned *socket, struct session_output *out)
{
	if (*socket == SESSION_SOCKETS)
		return false;
	out->action = SESSION_CLOSE;
	out->socket = *socket;
	*socket = SESSION_SOCKETS;
	return true;
}

static bool poll_sockets(struct session *s, struct session_output *out)
{
	for (int f = 0; f < 2; f++) {
		if (s->main[f].state == OPENING_WANTED) {
			s->main[f].state = OPENING_ASKED;
			return want_open(out, s->main[f].socket, families[f]);
		}
		if (s->old[f].state == OPENING_DONE && s->main[f].state == OPENING_DONE) {
			s->old[f].state = OPENING_NONE;
			out->action = SESSION_CLOSE;
			out->socket = s->old[f].socket;
			return true;
		}
	}
	if (want_close(&s->spent, out))
		return true;
	if ((!s->latest.begun || s->latest.done) && want_close(&s->latest_socket, out))
		return true;
	if (s->latest_state == OPENING_WANTED) {
		s->latest_state = OPENING_ASKED;
		return want_open(out, SESSION_LATEST + s->view.attempt, s->view.family);
	}
	return false;
}

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

static bool poll_checks(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	struct checks_output c;

	if (!s->checks)
		return false;
	out->socket = c.socket = 0;
	switch (checks_poll(s->checks, now_us, &c)) {
	case CHECKS_OPEN:
		return want_open(out, c.socket, c.to.family);
	case CHECKS_CLOSE:
		out->action = SESSION_CLOSE;
		out->socket = c.socket;
		return true;
	case CHECKS_SEND:
		out->action = SESSION_SEND;
		out->socket = c.socket;
		out->to = c.to;
		out->ttl = c.ttl;
		out->length = c.length;
		memcpy(out->data, c.data, c.length);
		return true;
	default:
		break;
	}
	if (c.deadline_us < *deadline_us)
		*deadline_us = c.deadline_us;
	return false;
}

/* --- from state to state --- */

static void begin_checks(struct session *s)
{
	struct checks_config config = {.controlling = !s->view.side, .trail = s->config.trail};

	memcpy(config.key_out, s->keys.send.mac, sizeof(config.key_out));
	memcpy(config.key_in, s->keys.receive.mac, sizeof(config.key_in));
	random_bytes(&s->config.random, config.random.seed, sizeof(config.random.seed));
	if (!s->checks && !checks_create(&config, &s->checks))
		s->view.checks = checks_result(s->checks);
	sodium_memzero(&config, sizeof(config));
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
			(!v->registered_us && session_server_is_closed(s))))
		session_fail(s, now_us, SESSION_UNREACHABLE);
	else if (v->state == MEETING_LEFT)
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
	if (!r->connected || is_over(s))
		return;
	if (!s->view.exchanged_us) { /* the peer was quicker: it is known since its first packet */
		s->view.exchanged_us = r->first_heard_us;
		trail_attempt(s->config.trail, r->first_heard_us, pair_strategy_name(PAIR_DIRECT));
	}
	s->view.state = SESSION_CONNECTED;
	if (!s->view.round)
		s->view.ended_us = now_us;
	trail_end(s->config.trail, now_us, true);
}

static void advance_meeting(struct session *s, uint64_t now_us)
{
	heed_meeting(s, now_us);
	take_turns(s, now_us);
	if (!s->began_cpace && s->view.meeting->registered_us && session_exchange_begin(s, now_us))
		session_fail(s, now_us, SESSION_BAD_PEER);
	session_exchange_advance(s, now_us);
}

static void advance(struct session *s, uint64_t now_us)
{
	if (s->meeting && !s->leaving && s->view.checks)
		session_heed_round(s, now_us);
	if (is_over(s) || !s->view.meeting)
		return;
	session_measure_advance(s, now_us);
	collect_candidates(s);
	if (s->config.manual)
		session_manual_advance(s, now_us);
	else
		advance_meeting(s, now_us);
	if (s->has_keys && !s->checks && s->view.state != SESSION_FAILED)
		begin_checks(s);
	if (s->view.state == SESSION_EXCHANGING && s->view.has_peer && s->published && s->checks) {
		s->view.exchanged_us = now_us;
		session_attempts_begin(s, now_us);
	}
	heed_checks(s, now_us);
	session_attempt_advance(s, now_us);
}

static uint64_t manual_deadline(const struct session *s, uint64_t now_us)
{
	uint64_t at_us = session_manual_deadline(s),
		 attempt_us = session_attempt_deadline(s, now_us);

	return at_us < attempt_us ? at_us : attempt_us;
}

static uint64_t own_deadline(const struct session *s, uint64_t now_us)
{
	if (!s->view.meeting || s->leaving || s->view.state == SESSION_FAILED)
		return UINT64_MAX;
	if (s->config.manual)
		return manual_deadline(s, now_us);
	if (s->view.state == SESSION_REGISTERING && s->turn_us > now_us &&
		(!s->config.wait_us || s->turn_us < s->view.started_us + s->config.wait_us))
		return s->turn_us;
	if (s->view.state < SESSION_EXCHANGING && s->config.wait_us)
		return s->view.started_us + s->config.wait_us;
	if (s->view.state == SESSION_EXCHANGING)
		return s->view.meeting->paired_us + EXCHANGE_MAX_US;
	return session_attempt_deadline(s, now_us);
}

enum session_action session_poll(struct session *s, uint64_t now_us, struct session_output *out)
{
	uint64_t deadline_us;

	memset(out, 0, sizeof(*out));
	advance(s, now_us);
	deadline_us = own_deadline(s, now_us);
	if (poll_sockets(s, out) || poll_meeting(s, now_us, out, &deadline_us) ||
		session_measure_poll(s, now_us, out, &deadline_us) ||
		session_stream_poll(s, now_us, out, &deadline_us) ||
		poll_query(&s->reflexive[0], now_us, out, &deadline_us) ||
		poll_query(&s->reflexive[1], now_us, out, &deadline_us) ||
		poll_query(&s->latest, now_us, out, &deadline_us) ||
		poll_checks(s, now_us, out, &deadline_us))
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

	if (socket == SESSION_STREAM)
		return s->stream.used && meeting_input(s->meeting, now_us, data, length);
	if (socket >= SESSION_PROBE4) {
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
	if (query_input(&s->reflexive[0], socket, from, data, length) ||
		query_input(&s->reflexive[1], socket, from, data, length) ||
		query_input(&s->latest, socket, from, data, length))
		return true;
	if (s->meeting &&
		endpoint_equal(from, &s->config.servers[s->meeting_family == FAMILY_IPV6]) &&
		meeting_input(s->meeting, now_us, data, length))
		return true;
	return s->checks && checks_input(s->checks, now_us, socket, from, data, length);
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

	for (int i = 0; i < 2; i++)
		if (!error->local && socket == s->main[i].socket &&
			endpoint_equal(to, &s->config.servers[i]) &&
			endpoint_same_address(to, &error->offender))
			session_stream_refused(s, now_us, i);
	if (socket < SESSION_DEPTH)
		trail_add(s->config.trail, &e);
	else if (socket >= SESSION_PROBE4 && s->probes[f])
		probe_error(s->probes[f], now_us, socket - (f ? SESSION_PROBE6 : SESSION_PROBE4),
			to, error, quoted, length);
}
