// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "punch/session_private.h"

/* Over TCP a main socket is a connection to the server: it may be refused, take its time, and end. */

#define AGAIN_US     500000 /* then twice as long each time */
#define AGAIN_MAX_US 8000000
#define REFUSALS     2 /* the server may just be starting */
#define UNHEARD_US   8000000 /* three SYNs, and some time */
#define MUTE_US	     10000000
#define GONE_US	     5000000 /* the server, while it is needed */
#define LATE_US	     1000000 /* two SYNs, where there is another family */
#define CONNECT_US   7000000 /* three SYNs */
#define REFRESH_US \
	20000000 /* of the family that is not met over: natprobed ends what is idle for 30 s */

static const enum family families[2] = {FAMILY_IPV4, FAMILY_IPV6};

static bool is_open(const struct session *s, int f)
{
	return s->main[f].state == OPENING_DONE;
}

/* What is left of another connection between the same two endpoints ends sooner or later. */
static bool is_taken(const struct session_main *m, int error)
{
	return error == -EADDRNOTAVAIL && m->local.port;
}

/* Errors that come from this host, before anything was sent. */
static bool is_local(const struct session_main *m, int error)
{
	bool privileged = error == -EACCES && m->local.port && m->local.port < IPPORT_RESERVED;

	return privileged || error == -EMFILE || error == -ENFILE ||
		(error == -EADDRNOTAVAIL && !is_taken(m, error)) || error == -EADDRINUSE ||
		error == -EAFNOSUPPORT;
}

static void note_failure(struct session *s, uint64_t now_us, int f, int error)
{
	const struct session_main *m = &s->main[f];
	const char *text = error ? strerror(-error) : "the server has ended the connection";

	if (is_local(m, error))
		trail_step(s->config.trail, now_us, "socket: none for IPv%d: %s", (int)families[f],
			text);
	else if (is_taken(m, error) && !m->tries)
		trail_step(s->config.trail, now_us,
			"socket: from port %u there is a connection to the server already",
			m->local.port);
	else
		trail_step(s->config.trail, now_us, "register: over TCP, IPv%d: %s",
			(int)families[f], text);
}

static void meet_over(struct session *s, uint64_t now_us, int f)
{
	trail_step(s->config.trail, now_us, "register: over TCP, IPv%d", (int)families[f]);
	s->meeting_family = families[f];
	s->lost_us = 0;
	meeting_rebind(s->meeting, now_us, true);
}

void session_main_connected(struct session *s, uint64_t now_us, int f)
{
	bool other =
		s->meeting_family != families[f] && is_open(s, s->meeting_family == FAMILY_IPV6);

	s->main[f].state = OPENING_DONE;
	s->main[f].open_us = now_us;
	s->view.local[f] = s->main[f].local;
	s->has_main = s->view.server_taken = true;
	if (!s->meeting && session_begin_meeting(s, now_us, f)) {
		session_fail(s, now_us, SESSION_NO_SOCKET);
		return;
	}
	if (other)
		session_ask_reflexive(s, now_us, f);
	else
		meet_over(s, now_us, f);
	/* the old one is about to be closed; what is tried now is tried from the port that there was */
	if (session_has_ways(s) && !session_attempt_is_running(s))
		session_set_mains(s);
}

/* The endpoint that the other side may know of is gone with it. */
static void main_lost(struct session *s, uint64_t now_us, int f)
{
	s->reflexive[f] = (struct query){.begun = false};
	s->published = false;
	if (s->meeting && s->meeting_family == families[f]) {
		s->lost_us = now_us;
		meeting_unbind(s->meeting);
	}
	session_attempt_unsettle(s, now_us);
}

/* At once where the server took connections until now: for it the party is gone meanwhile. */
static uint64_t again_us(unsigned tries, bool was_open)
{
	uint64_t us = (uint64_t)AGAIN_US << (tries < 4 ? tries : 4);

	if (was_open && !tries)
		return 0;
	return us < AGAIN_MAX_US ? us : AGAIN_MAX_US;
}

/* Its socket, which did not come about or has ended, is closed; another one is opened later. */
void session_main_failed(struct session *s, uint64_t now_us, int f, int error)
{
	struct session_main *m = &s->main[f];
	bool was_open = m->state == OPENING_DONE;
	bool stood = was_open && now_us - m->open_us >= AGAIN_MAX_US;
	unsigned tries = stood ? 0 : m->tries, refusals = m->refusals + (error == -ECONNREFUSED);

	note_failure(s, now_us, f, error);
	s->view.server_error = error ? error : -ECONNRESET;
	s->spent_main[f] = m->socket;
	if (s->old[f].state == OPENING_DONE) { /* better than none */
		*m = s->old[f];
		s->old[f].state = OPENING_NONE;
		return;
	}
	if (is_local(m, error)) {
		m->state = OPENING_FAILED;
		return;
	}
	*m = session_new_main(s); /* another number, for this one is yet to be closed */
	m->tries = tries + 1;
	m->refusals = refusals;
	m->due_us = now_us + again_us(tries, was_open);
	if (was_open)
		main_lost(s, now_us, f);
}

bool session_main_is_due(const struct session *s, uint64_t now_us, int f)
{
	return now_us >= s->main[f].due_us;
}

/* Nobody will let this host connect. */
static bool is_refused(const struct session *s)
{
	for (int f = 0; f < 2; f++)
		if (s->config.servers[f].family != FAMILY_NONE &&
			s->main[f].state != OPENING_FAILED && s->main[f].refusals < REFUSALS)
			return false;
	return true;
}

static bool has_failed(const struct session *s)
{
	for (int f = 0; f < 2; f++)
		if (s->config.servers[f].family != FAMILY_NONE &&
			s->main[f].state != OPENING_FAILED)
			return false;
	return true;
}

static void refresh(struct session *s, uint64_t now_us)
{
	for (int f = 0; f < 2; f++) {
		if (!is_open(s, f) || families[f] == s->meeting_family || !s->reflexive[f].done ||
			now_us < s->refresh_us)
			continue;
		s->refresh_us = now_us + REFRESH_US;
		session_ask_reflexive(s, now_us, f);
	}
}

/* The server does not answer any more, perhaps only over this connection, of which a router knows nothing any more. */
static bool is_mute(const struct session *s, uint64_t now_us)
{
	return s->view.meeting->state == MEETING_UNREACHABLE &&
		now_us - s->main[s->meeting_family == FAMILY_IPV6].open_us >= MUTE_US;
}

bool session_main_is_late(const struct session *s, int f)
{
	return s->main[f].late && is_open(s, !f);
}

static void heed_connecting(struct session *s, uint64_t now_us)
{
	for (int f = 0; f < 2; f++) {
		struct session_main *m = &s->main[f];

		if (!s->config.tcp || m->state != OPENING_ASKED)
			continue;
		m->late = now_us - m->asked_us >= LATE_US;
		if (now_us - m->asked_us >= CONNECT_US)
			session_main_failed(s, now_us, f, -ETIMEDOUT);
	}
}

/* To keep in step with the other side; who waits for it, or has met it, has time. */
static bool is_needed(const struct session *s)
{
	return s->view.state == SESSION_EXCHANGING || s->view.state == SESSION_PUNCHING;
}

void session_connect_advance(struct session *s, uint64_t now_us)
{
	int f = s->meeting_family == FAMILY_IPV6;

	heed_connecting(s, now_us);
	if (!s->view.registered_us && has_failed(s))
		session_fail(s, now_us, SESSION_NO_SOCKET);
	else if (!s->view.registered_us &&
		(is_refused(s) || now_us - s->view.started_us >= UNHEARD_US))
		session_fail(s, now_us,
			s->view.server_error == -EADDRNOTAVAIL ? SESSION_NO_SOCKET
							       : SESSION_UNREACHABLE);
	else if (s->meeting && !is_open(s, f) && is_open(s, !f))
		meet_over(s, now_us, !f);
	else if (s->meeting && is_open(s, f) && is_mute(s, now_us))
		session_main_failed(s, now_us, f, -ETIMEDOUT);
	else if (s->meeting && is_needed(s) && s->lost_us && now_us - s->lost_us >= GONE_US)
		meeting_give_up(s->meeting, now_us);
	else if (s->meeting)
		refresh(s, now_us);
}

uint64_t session_connect_deadline(const struct session *s)
{
	int f = s->meeting_family == FAMILY_IPV6;
	uint64_t at_us = UINT64_MAX, then_us;

	for (int i = 0; i < 2; i++) {
		const struct session_main *m = &s->main[i];

		if (m->state != OPENING_ASKED)
			continue;
		then_us = m->asked_us + (m->late ? CONNECT_US : LATE_US);
		at_us = then_us < at_us ? then_us : at_us;
	}
	if (s->lost_us && is_needed(s) && s->view.meeting->state != MEETING_UNREACHABLE &&
		s->lost_us + GONE_US < at_us)
		at_us = s->lost_us + GONE_US;
	if (!s->view.registered_us)
		then_us = s->view.started_us + UNHEARD_US;
	else
		then_us = s->meeting && is_open(s, !f) && s->reflexive[!f].done ? s->refresh_us
										: UINT64_MAX;
	return then_us < at_us ? then_us : at_us;
}
