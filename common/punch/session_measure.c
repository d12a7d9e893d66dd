// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "punch/session_private.h"

/* The questions of natprobe, in short, from sockets of their own, while the other side is waited for. */

#define LIMIT_US	1500000
#define LIMIT_MANUAL_US 3000000 /* foreign servers are asked more slowly, and nobody waits yet */
#define SYNC_MANUAL_US	500000 /* clocks that something keeps at UTC */
#define SYNC_MIN_US	5000 /* the clockwork of two systems that are busy */

static const enum family families[2] = {FAMILY_IPV4, FAMILY_IPV6};
static const unsigned bases[2] = {SESSION_PROBE4, SESSION_PROBE6};

/* The one that is used for more than measuring comes first. */
static int add_server(struct session *s, uint64_t now_us, int f, const struct endpoint *e)
{
	struct journal_server server = {.endpoint = *e};
	size_t place;
	int err;

	if (e->family != families[f])
		return 0;
	err = journal_add_server(s->config.journal, &server, &place);
	if (!err)
		probe_add_server(s->probes[f], now_us, place);
	return err;
}

int session_measure_begin(struct session *s, uint64_t now_us)
{
	if (s->config.tcp)
		return session_measure_tcp_begin(s, now_us);
	for (int f = 0; f < 2; f++) {
		const struct probe_config config = {.family = families[f],
			.tests = PROBE_MAPPING | PROBE_FILTERING | PROBE_EARLY |
				PROBE_PORTS_IF_QUICK,
			.limit_us = s->config.manual ? LIMIT_MANUAL_US : LIMIT_US};
		int err;

		if (s->config.servers[f].family == FAMILY_NONE)
			continue;
		err = probe_create(
			&config, s->config.journal, &s->config.random, now_us, &s->probes[f]);
		if (!err)
			err = add_server(s, now_us, f, &s->config.servers[f]);
		for (size_t i = 0; i < s->config.more_count && !err; i++)
			err = add_server(s, now_us, f, &s->config.more[i]);
		if (err)
			return err;
		probe_servers_complete(s->probes[f]);
	}
	return 0;
}

/* Whether the action is one to be carried. */
static bool carry(struct session *s, int f, uint64_t now_us, const struct probe_output *in,
	struct session_output *out)
{
	out->socket = bases[f] + in->socket;
	switch (in->action) {
	case PROBE_OPEN:
		out->action = SESSION_OPEN;
		out->family = families[f];
		if (in->socket >= s->probe_sockets[f])
			s->probe_sockets[f] = in->socket + 1;
		return true;
	case PROBE_SEND:
		out->action = SESSION_SEND;
		out->to = in->to;
		out->length = in->length;
		memcpy(out->data, in->data, in->length);
		return true;
	case PROBE_CONNECT: /* whether TCP is open does not matter here */
		probe_connected(s->probes[f], now_us, in->observation, -EOPNOTSUPP);
		return false;
	default:
		return false;
	}
}

static bool poll_depth(struct session *s, int f, uint64_t now_us, struct session_output *out,
	uint64_t *deadline_us)
{
	struct depth_output d;

	switch (depth_poll(&s->depths[f], now_us, &d, deadline_us)) {
	case DEPTH_OPEN_SOCKET:
		out->action = SESSION_OPEN;
		out->family = families[f];
		break;
	case DEPTH_CLOSE_SOCKET:
		out->action = SESSION_CLOSE;
		break;
	case DEPTH_SEND:
		out->action = SESSION_SEND;
		out->to = d.to;
		out->ttl = d.ttl;
		out->length = d.length;
		memcpy(out->data, d.data, d.length);
		break;
	default:
		return false;
	}
	out->socket = d.socket;
	return true;
}

/* The sockets of a measurement that is over. */
bool session_measure_poll_closing(struct session *s, int f, struct session_output *out)
{
	while (!s->probes[f] && !s->tcp_probes[f] && s->probe_sockets[f]) {
		unsigned socket = --s->probe_sockets[f];

		if (!s->probe_open[f][socket])
			continue;
		s->probe_open[f][socket] = false;
		out->action = SESSION_CLOSE;
		out->socket = bases[f] + socket;
		return true;
	}
	return false;
}

void session_measure_opened(struct session *s, uint64_t now_us, int f, unsigned socket, int error,
	const struct endpoint *local)
{
	s->probe_open[f][socket] = !error;
	if (s->tcp_probes[f])
		tcp_probe_opened(s->tcp_probes[f], now_us, socket, error, local);
	if (s->probes[f])
		probe_opened(s->probes[f], now_us, socket, error, local);
}

static bool poll_probe(struct session *s, int f, uint64_t now_us, struct session_output *out,
	uint64_t *deadline_us)
{
	struct probe_output probe;

	while (s->probes[f] && probe_poll(s->probes[f], now_us, &probe) != PROBE_WAIT) {
		if (probe.action == PROBE_DONE) {
			probe_destroy(s->probes[f]);
			s->probes[f] = NULL;
		} else if (carry(s, f, now_us, &probe, out)) {
			return true;
		}
	}
	if (s->probes[f] && probe.deadline_us < *deadline_us)
		*deadline_us = probe.deadline_us;
	return session_measure_poll_closing(s, f, out);
}

void session_measure_lifetime(struct session *s, uint64_t now_us)
{
	const struct meeting_view *v = s->view.meeting;
	int f = s->view.way.remote.family == FAMILY_IPV6;

	/* a foreign server cannot tell, nor one that is not heard */
	if (s->lifetime.begun || !s->meeting || s->stream.used || s->config.tcp ||
		s->view.own_behaviour[f].status != PATH_OK)
		return;
	lifetime_begin(&s->lifetime, SESSION_LIFETIME, &s->config.servers[f], v->rtt_us,
		&s->config.random);
	trail_step(s->config.trail, now_us, "measure: the lifetime of bindings");
}

static void note_lifetime(struct session *s, uint64_t now_us)
{
	struct session_view *v = &s->view;
	unsigned at_least_s, below_s;
	enum lifetime_state state = lifetime_result(&s->lifetime, &at_least_s, &below_s);

	v->lifetime_at_least_s = at_least_s;
	v->lifetime_below_s = below_s;
	if (state == LIFETIME_MEASURING || s->lifetime_noted)
		return;
	s->lifetime_noted = true;
	if (state == LIFETIME_UNKNOWN)
		trail_step(s->config.trail, now_us,
			"measure: the lifetime of bindings is unknown: %s",
			lifetime_reason(&s->lifetime));
	else if (below_s)
		trail_step(s->config.trail, now_us, "measure: bindings last %u to %u s", at_least_s,
			below_s);
	else
		trail_step(s->config.trail, now_us, "measure: bindings last %u s at least",
			at_least_s);
}

static bool poll_lifetime(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	struct lifetime_output l;

	if (!s->lifetime.begun)
		return false;
	switch (lifetime_poll(&s->lifetime, now_us, &l, deadline_us)) {
	case LIFETIME_OPEN_SOCKET:
		out->action = SESSION_OPEN;
		out->family = s->lifetime.server.family;
		break;
	case LIFETIME_CLOSE_SOCKET:
		out->action = SESSION_CLOSE;
		break;
	case LIFETIME_SEND:
		out->action = SESSION_SEND;
		out->to = l.to;
		out->length = l.length;
		memcpy(out->data, l.data, l.length);
		break;
	default:
		note_lifetime(s, now_us);
		return false;
	}
	out->socket = l.socket;
	return true;
}

bool session_measure_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	if (s->config.tcp)
		return session_measure_tcp_poll(s, now_us, out, deadline_us);
	return poll_probe(s, 0, now_us, out, deadline_us) ||
		poll_probe(s, 1, now_us, out, deadline_us) ||
		poll_depth(s, 0, now_us, out, deadline_us) ||
		poll_depth(s, 1, now_us, out, deadline_us) ||
		poll_lifetime(s, now_us, out, deadline_us);
}

/* --- the depth, where packets that arrive too early may do harm --- */

static bool wants_depth(const struct behaviour *b)
{
	return b->status == PATH_OK && b->nat != TRI_NO &&
		b->mapping == DEPENDENCE_ENDPOINT_INDEPENDENT &&
		(b->filtering == DEPENDENCE_ADDRESS_AND_PORT ||
			b->filtering == DEPENDENCE_ADDRESS) &&
		(b->early == EARLY_REMAP || b->early == EARLY_REJECT || b->early == EARLY_UNKNOWN);
}

/* The server's answer to the very first question names its other endpoint. */
static const struct observation *find_binding(const struct session *s, int f)
{
	const struct journal *j = s->config.journal;

	for (size_t i = 0; i < j->observation_count; i++) {
		const struct observation *o = &j->observations[i];

		if (o->question == QUESTION_BINDING && o->family == families[f] && o->answers &&
			observation_other_usable(o))
			return o;
	}
	return NULL;
}

/* Whether there is a question to wait for. */
static bool begin_depth(struct session *s, uint64_t now_us, int f, const struct behaviour *b)
{
	const struct observation *o = find_binding(s, f);

	if (s->depths[f].begun || !o || !wants_depth(b))
		return s->depths[f].begun && !s->depths[f].done;
	depth_begin(&s->depths[f], now_us, SESSION_DEPTH + (unsigned)f * DEPTH_TTLS,
		&s->config.servers[f], &o->answer.other, o->answer.t_us - o->first_sent_us,
		&s->config.random);
	return true;
}

static bool is_unheard(const struct session *s)
{
	const struct journal *j = s->config.journal;

	for (size_t i = 0; i < j->observation_count; i++)
		if (j->observations[i].answers)
			return false;
	return true;
}

bool session_measure_is_due(const struct session *s)
{
	return !s->measured && !s->probes[0] && !s->probes[1] && !s->tcp_probes[0] &&
		!s->tcp_probes[1] && s->depths[0].begun == s->depths[0].done &&
		s->depths[1].begun == s->depths[1].done && !s->probe_sockets[0] &&
		!s->probe_sockets[1] && (s->view.registered_us || !is_unheard(s));
}

/* A server that did not answer, and then does, was not there yet. */
static bool asks_anew(struct session *s, uint64_t now_us)
{
	if (s->asked_anew || s->stream.used || !is_unheard(s))
		return false;
	s->asked_anew = true;
	journal_forget(s->config.journal);
	if (session_measure_begin(s, now_us))
		session_fail(s, now_us, SESSION_NO_SOCKET);
	return true;
}

uint32_t session_sync_error_us(const struct session *s)
{
	uint64_t jitter_us = s->view.meeting ? s->view.meeting->jitter_us : 0;

	return s->config.manual ? SYNC_MANUAL_US : (uint32_t)(SYNC_MIN_US + jitter_us);
}

static void set_side(struct session *s, int f, const struct behaviour *b)
{
	struct pair_side *side = &s->view.own.side[f];

	memset(side, 0, sizeof(*side));
	side->sync_error_us = session_sync_error_us(s);
	side->depth = depth_result(&s->depths[f]);
	side->packets_max = s->config.packets_max;
	side->sockets_max = s->config.sockets_max;
	side->rate_pps = s->config.rate_pps;
	pair_side_from(b, side);
	s->view.own.has_side[f] = true;
	s->view.own_behaviour[f] = *b;
}

static void note_side(const struct session *s, uint64_t now_us, int f, const struct behaviour *b)
{
	unsigned depth = s->view.own.side[f].depth;
	char text[24] = "";

	if (b->status != PATH_OK) {
		trail_step(s->config.trail, now_us, "measure: IPv%d, UDP %s", (int)families[f],
			path_status_name(b->status));
		return;
	}
	if (depth)
		snprintf(text, sizeof(text), ", depth %u", depth);
	trail_step(s->config.trail, now_us,
		"measure: IPv%d, %s mapping, %s filtering, early packets %s%s", (int)families[f],
		dependence_name(b->mapping), dependence_name(b->filtering), early_name(b->early),
		text);
}

void session_measure_advance(struct session *s, uint64_t now_us)
{
	static struct verdict verdict; /* large */
	bool waits;

	if (!session_measure_is_due(s) || asks_anew(s, now_us))
		return;
	judge(s->config.journal, &verdict);
	if (s->config.tcp) {
		session_measure_tcp_end(s, now_us, &verdict);
		return;
	}
	waits = begin_depth(s, now_us, 0, &verdict.udp4);
	waits |= begin_depth(s, now_us, 1, &verdict.udp6);
	if (waits)
		return;
	s->measured = true;
	for (int f = 0; f < 2; f++) {
		const struct behaviour *b = f ? &verdict.udp6 : &verdict.udp4;

		if (s->config.servers[f].family == FAMILY_NONE)
			continue;
		set_side(s, f, b);
		note_side(s, now_us, f, b);
	}
}
