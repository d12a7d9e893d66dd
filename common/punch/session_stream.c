// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "punch/session_private.h"

/*
 * Where the server does not answer over UDP it may over TCP: then the two sides still meet, and learn from each other
 * that, and where, UDP is blocked.
 */

#define AFTER_US     1000000 /* three requests over UDP */
#define CONNECT_US   1500000 /* two SYNs (RFC 6298 2), where there is another family */
#define AGAIN_US     1000000 /* then twice as long each time */
#define AGAIN_MAX_US 8000000
#define REFUSALS     2 /* ICMP errors of the server's host */

static bool is_wanted(const struct session *s)
{
	const struct meeting_view *v = s->meeting ? meeting_view(s->meeting) : NULL;

	return v && !s->config.tcp && v->state != MEETING_REFUSED &&
		(s->stream.used || !v->registered_us);
}

void session_stream_begin(struct session *s, uint64_t now_us)
{
	s->stream.family = s->meeting_family;
	s->stream.due_us = now_us + AFTER_US;
}

static bool has_other_family(const struct session *s)
{
	return s->config.servers[0].family != FAMILY_NONE &&
		s->config.servers[1].family != FAMILY_NONE;
}

/* The other family's turn, where there is one. */
static void take_turn(struct session *s, uint64_t due_us)
{
	struct session_stream *t = &s->stream;

	t->due_us = due_us;
	if (has_other_family(s))
		t->family = t->family == FAMILY_IPV4 ? FAMILY_IPV6 : FAMILY_IPV4;
}

bool session_stream_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	struct session_stream *t = &s->stream;
	bool is_open = t->state == OPENING_ASKED || t->state == OPENING_DONE;

	out->socket = SESSION_STREAM;
	if (is_open && !is_wanted(s)) {
		t->state = OPENING_NONE;
		out->action = SESSION_CLOSE;
		return true;
	}
	if (t->state == OPENING_DONE || !is_wanted(s) ||
		(t->state == OPENING_ASKED && !has_other_family(s)))
		return false;
	if (t->due_us > now_us) {
		if (t->due_us < *deadline_us)
			*deadline_us = t->due_us;
		return false;
	}
	if (t->state == OPENING_ASKED) { /* a SYN that is lost without a word */
		t->state = OPENING_NONE;
		take_turn(s, now_us);
		out->action = SESSION_CLOSE;
		return true;
	}
	t->state = OPENING_ASKED;
	t->due_us = now_us + CONNECT_US;
	out->action = SESSION_CONNECT;
	out->to = s->config.servers[t->family == FAMILY_IPV6];
	return true;
}

static void try_again(struct session *s, uint64_t now_us)
{
	struct session_stream *t = &s->stream;
	uint64_t us = (uint64_t)AGAIN_US << (t->tries < 3 ? t->tries : 3);

	t->tries++;
	take_turn(s, now_us + (us < AGAIN_MAX_US ? us : AGAIN_MAX_US));
}

static void use(struct session *s, uint64_t now_us)
{
	struct session_stream *t = &s->stream;
	int f = t->family == FAMILY_IPV6;

	t->tries = 0;
	if (!t->used)
		trail_step(s->config.trail, now_us, "register: over TCP, IPv%d", (int)t->family);
	t->used = s->view.over_tcp = true;
	s->meeting_family = t->family;
	meeting_rebind(s->meeting, now_us, true);
	/* what the server cannot see over TCP */
	if (s->main[f].state == OPENING_DONE)
		session_ask_reflexive(s, now_us, f);
}

void session_stream_opened(struct session *s, uint64_t now_us, int error)
{
	struct session_stream *t = &s->stream;

	if (t->state != OPENING_ASKED && t->state != OPENING_DONE)
		return;
	if (!error && is_wanted(s)) {
		t->state = OPENING_DONE;
		use(s, now_us);
		return;
	}
	if (error)
		trail_step(s->config.trail, now_us, "register: over TCP: %s", strerror(-error));
	t->refused[t->family == FAMILY_IPV6] = error == -ECONNREFUSED;
	t->state = error ? OPENING_NONE : OPENING_DONE;
	try_again(s, now_us);
}

void session_stream_refused(struct session *s, uint64_t now_us, int f)
{
	struct session_stream *t = &s->stream;

	if (!t->refusals[f]++ && !t->tries && t->state == OPENING_NONE && t->due_us > now_us)
		t->due_us = now_us;
}

bool session_server_is_closed(const struct session *s)
{
	for (int f = 0; f < 2; f++)
		if (s->config.servers[f].family != FAMILY_NONE &&
			(s->stream.refusals[f] < REFUSALS || !s->stream.refused[f]))
			return false;
	return true;
}
