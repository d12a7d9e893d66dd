// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
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
	return (struct session_main){.socket = s->next_main, .state = OPENING_WANTED};
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
	/* over TCP nobody waits for what has failed before, nor long for one family when the other is there */
	return !s->main[f].tries && !session_main_is_late(s, f) &&
		(s->main[f].state == OPENING_WANTED || s->main[f].state == OPENING_ASKED);
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
			hello_status(&s->view.own, f) == PATH_OK)
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

int session_begin_meeting(struct session *s, uint64_t now_us, int f)
{
	struct meeting_config config = {.allocate = s->config.allocate,
		.tcp = s->config.tcp,
		.random = s->config.random,
		.trail = s->config.trail};

	memcpy(config.session, s->config.id, sizeof(config.session));
	random_bytes(&s->config.random, config.random.seed, sizeof(config.random.seed));
	if (meeting_create(&config, &s->meeting))
		return -ENOMEM;
	s->meeting_family = families[f];
	s->view.meeting = meeting_view(s->meeting);
	if (s->config.tcp)
		return 0;
	trail_step(s->config.trail, now_us, "register: over IPv%d", (int)families[f]);
	s->turn_us = now_us + TURN_US;
	session_stream_begin(s, now_us);
	return 0;
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

	if (s->view.registered_us || s->stream.used || s->config.tcp || now_us < s->turn_us ||
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
		session_begin_meeting(s, now_us, f);
	else if (!error && meets_over_udp(s, f))
		meeting_rebind(s->meeting, now_us, false);
	if (!error && s->view.meeting && !meets_over_udp(s, f))
		session_ask_reflexive(s, now_us, f);
	if (error && !s->has_main && !other_pending)
		session_fail(s, now_us, SESSION_NO_SOCKET);
}

static void ask_latest(struct session *s, uint64_t now_us)
{
	s->latest_state = OPENING_DONE;
	query_begin(&s->latest, now_us, s->latest_socket,
		&s->config.servers[s->view.family == FAMILY_IPV6], &s->config.random);
}

static void latest_opened(struct session *s, uint64_t now_us, unsigned socket, int error)
{
	s->latest_socket = error ? SESSION_SOCKETS : socket;
	if (error)
		s->latest_state = OPENING_FAILED;
	else if (!s->config.tcp)
		ask_latest(s, now_us);
}

/* Over TCP it is there only when it is connected. */
static void bind_main(
	struct session *s, uint64_t now_us, int f, int error, const struct endpoint *local)
{
	if (error)
		session_main_failed(s, now_us, f, error);
	else
		s->main[f].local = *local;
}

void session_opened(struct session *s, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local)
{
	for (int f = 0; f < 2; f++) {
		struct session_main *m = &s->main[f];

		if (m->state != OPENING_ASKED || m->socket != socket)
			continue;
		if (s->config.tcp) {
			bind_main(s, now_us, f, error, local);
			return;
		}
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
		if (session_has_ways(s)) /* the old one is about to be closed */
			session_set_mains(s);
		return;
	}
	if (socket >= SESSION_LINKS) {
		session_ways_opened(s, now_us, socket, error, local);
	} else if (socket == SESSION_STREAM) {
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
		latest_opened(s, now_us, socket, error);
	} else {
		session_ways_opened(s, now_us, socket, error, local);
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

/* Over TCP it is a connection to the server. */
static bool want_main(struct session *s, unsigned socket, int f, struct session_output *out)
{
	if (!s->config.tcp)
		return session_want_open(out, socket, families[f]);
	out->action = SESSION_CONNECT;
	out->socket = socket;
	out->family = families[f];
	out->to = s->config.servers[f];
	return true;
}

/* natprobed takes the end of a connection for the end of its party, unless that has come over another one before. */
static bool is_replaced(const struct session *s)
{
	return !s->config.tcp || meeting_is_current(s->meeting) ||
		s->view.meeting->state == MEETING_UNREACHABLE;
}

static bool poll_main(struct session *s, uint64_t now_us, int f, struct session_output *out,
	uint64_t *deadline_us)
{
	struct session_main *m = &s->main[f], *old = &s->old[f];

	if (want_close(&s->spent_main[f], out))
		return true;
	if (m->state == OPENING_WANTED && session_main_is_due(s, now_us, f)) {
		m->state = OPENING_ASKED;
		m->asked_us = now_us;
		return want_main(s, m->socket, f, out);
	}
	if (m->state == OPENING_WANTED && m->due_us > now_us && m->due_us < *deadline_us)
		*deadline_us = m->due_us;
	if (old->state != OPENING_DONE || m->state != OPENING_DONE || !is_replaced(s))
		return false;
	old->state = OPENING_NONE;
	out->action = SESSION_CLOSE;
	out->socket = old->socket;
	return true;
}

bool session_poll_sockets(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	if (poll_main(s, now_us, 0, out, deadline_us) || poll_main(s, now_us, 1, out, deadline_us))
		return true;
	if (want_close(&s->spent, out))
		return true;
	if ((!s->latest.begun || s->latest.done) && s->latest_state != OPENING_ASKED &&
		want_close(&s->latest_socket, out))
		return true;
	if (s->latest_state == OPENING_WANTED) {
		s->latest_state = OPENING_ASKED;
		return want_main(
			s, SESSION_LATEST + s->view.attempt, s->view.family == FAMILY_IPV6, out);
	}
	return false;
}

/* --- TCP --- */

static void latest_ended(struct session *s)
{
	if (s->latest_state == OPENING_ASKED)
		s->latest_state = OPENING_FAILED;
	s->latest.done |= s->latest.begun;
}

void session_connected(
	struct session *s, uint64_t now_us, unsigned socket, int error, unsigned segments)
{
	int probe = socket >= SESSION_PROBE6;

	for (int f = 0; f < 2; f++)
		if (s->main[f].state == OPENING_ASKED && s->main[f].socket == socket) {
			if (error)
				session_main_failed(s, now_us, f, error);
			else
				session_main_connected(s, now_us, f);
			return;
		}
	if (socket >= SESSION_LINKS && s->tcp_checks)
		tcp_checks_connected(s->tcp_checks, now_us, socket, error);
	else if (socket >= SESSION_PROBE4 && socket < SESSION_STREAM && s->tcp_probes[probe])
		tcp_probe_connected(s->tcp_probes[probe], now_us,
			socket - (probe ? SESSION_PROBE6 : SESSION_PROBE4), error, segments);
	else if (socket == s->latest_socket && !error)
		ask_latest(s, now_us);
	else if (socket == s->latest_socket)
		latest_ended(s);
}

int session_accepted(
	struct session *s, uint64_t now_us, unsigned listener, const struct endpoint *from)
{
	int probe = listener >= SESSION_PROBE6, number;
	unsigned base = probe ? SESSION_PROBE6 : SESSION_PROBE4;

	if (listener >= SESSION_LINKS && s->tcp_checks)
		return tcp_checks_accepted(s->tcp_checks, now_us, listener, from);
	if (listener < base || listener >= SESSION_STREAM || !s->tcp_probes[probe])
		return -ENOSPC;
	number = tcp_probe_accepted(s->tcp_probes[probe], now_us, listener - base, from);
	if (number < 0)
		return number;
	s->probe_open[probe][number] = true;
	if ((unsigned)number >= s->probe_sockets[probe])
		s->probe_sockets[probe] = (unsigned)number + 1;
	return (int)base + number;
}

void session_closed(struct session *s, uint64_t now_us, unsigned socket, int error)
{
	int probe = socket >= SESSION_PROBE6;

	for (int f = 0; f < 2; f++) {
		if (s->main[f].state == OPENING_DONE && s->main[f].socket == socket) {
			session_main_failed(s, now_us, f, error);
			return;
		}
		if (s->old[f].state == OPENING_DONE && s->old[f].socket == socket) {
			s->old[f].state = OPENING_NONE;
			s->spent_main[f] = socket;
			return;
		}
	}
	if (socket >= SESSION_LINKS && s->tcp_checks)
		tcp_checks_closed(s->tcp_checks, now_us, socket, error);
	else if (socket >= SESSION_PROBE4 && socket < SESSION_STREAM && s->tcp_probes[probe])
		tcp_probe_closed(s->tcp_probes[probe], now_us,
			socket - (probe ? SESSION_PROBE6 : SESSION_PROBE4), error);
	else if (socket == s->latest_socket)
		latest_ended(s);
}

bool session_is_framed(unsigned socket)
{
	return socket < SESSION_PROBE4 || socket >= SESSION_LINKS;
}
