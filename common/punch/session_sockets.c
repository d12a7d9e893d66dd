// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "punch/session_private.h"

/* Sockets: the main ones, from which known endpoints are tried, and whose the others are. */

#define TURN_US 600000 /* two requests to the server */

static const enum family families[2] = {FAMILY_IPV4, FAMILY_IPV6};

static bool is_main_used(const struct session *s, unsigned socket)
{
	for (int f = 0; f < 2; f++)
		if ((s->main[f].state != OPENING_NONE && s->main[f].socket == socket) ||
			(s->old[f].state != OPENING_NONE && s->old[f].socket == socket))
			return true;
	return false;
}

struct session_main session_new_main(struct session *s)
{
	while (is_main_used(s, s->next_main))
		s->next_main = (s->next_main + 1) % SESSION_FURTHER;
	return (struct session_main){s->next_main, OPENING_WANTED, {0}};
}

void session_renew_sockets(struct session *s)
{
	if (s->config.manual)
		return; /* nobody could tell the other side */
	for (int f = 0; f < 2; f++) {
		if (s->main[f].state != OPENING_DONE)
			continue;
		s->old[f] = s->main[f];
		s->main[f] = session_new_main(s);
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
void session_collect_candidates(struct session *s)
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
void session_take_turns(struct session *s, uint64_t now_us)
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
		session_measure_opened(s, now_us, 1, socket - SESSION_PROBE6, error, local);
	} else if (socket >= SESSION_PROBE4) {
		session_measure_opened(s, now_us, 0, socket - SESSION_PROBE4, error, local);
	} else if (socket >= SESSION_DEPTH) {
		depth_opened(&s->depths[socket >= SESSION_DEPTH + DEPTH_TTLS], socket, error);
	} else if (socket >= SESSION_LIFETIME) {
		lifetime_opened(&s->lifetime, now_us, socket, error);
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

bool session_want_open(struct session_output *out, unsigned socket, enum family family)
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

bool session_poll_sockets(struct session *s, struct session_output *out)
{
	for (int f = 0; f < 2; f++) {
		if (s->main[f].state == OPENING_WANTED) {
			s->main[f].state = OPENING_ASKED;
			return session_want_open(out, s->main[f].socket, families[f]);
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
		return session_want_open(out, SESSION_LATEST + s->view.attempt, s->view.family);
	}
	return false;
}
