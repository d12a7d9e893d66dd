// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "punch/session_private.h"

/* The questions of natprobe over TCP, in short, from sockets of their own, while the other side is waited for. */

#define LIMIT_US 2500000

static const enum family families[2] = {FAMILY_IPV4, FAMILY_IPV6};
static const unsigned bases[2] = {SESSION_PROBE4, SESSION_PROBE6};

_Static_assert(TCP_SOCKETS <= SESSION_PROBE6 - SESSION_PROBE4, "room for the prober's sockets");

int session_measure_tcp_begin(struct session *s, uint64_t now_us)
{
	for (int f = 0; f < 2; f++) {
		const struct tcp_probe_config config = {.family = families[f],
			.tests = TCP_BEHAVIOUR,
			.quick = true,
			.limit_us = LIMIT_US};
		struct journal_server server = {
			.endpoint = s->config.servers[f], .transport = TRANSPORT_TCP};
		size_t place;
		int err;

		if (s->config.servers[f].family == FAMILY_NONE)
			continue;
		err = tcp_probe_create(
			&config, s->config.journal, &s->config.random, now_us, &s->tcp_probes[f]);
		if (!err)
			err = journal_add_server(s->config.journal, &server, &place);
		if (err)
			return err;
		tcp_probe_add_server(s->tcp_probes[f], now_us, place);
	}
	return 0;
}

static void carry(struct session *s, int f, const struct tcp_output *in, struct session_output *out)
{
	static const enum session_action actions[] = {[TCP_OPEN] = SESSION_CONNECT,
		[TCP_LISTEN] = SESSION_LISTEN,
		[TCP_SEND] = SESSION_SEND,
		[TCP_CLOSE] = SESSION_CLOSE};

	out->action = actions[in->action];
	out->socket = bases[f] + in->socket;
	out->family = families[f];
	out->port = in->port;
	out->to = in->to;
	out->length = in->length;
	memcpy(out->data, in->data, in->length);
	if (in->action == TCP_CLOSE)
		s->probe_open[f][in->socket] = false;
	if (in->socket >= s->probe_sockets[f])
		s->probe_sockets[f] = in->socket + 1;
}

static bool poll_probe(struct session *s, int f, uint64_t now_us, struct session_output *out,
	uint64_t *deadline_us)
{
	struct tcp_output probe;

	if (s->tcp_probes[f]) {
		switch (tcp_probe_poll(s->tcp_probes[f], now_us, &probe)) {
		case TCP_WAIT:
			if (probe.deadline_us < *deadline_us)
				*deadline_us = probe.deadline_us;
			return false;
		case TCP_DONE:
			tcp_probe_destroy(s->tcp_probes[f]);
			s->tcp_probes[f] = NULL;
			break;
		default:
			carry(s, f, &probe, out);
			return true;
		}
	}
	return session_measure_poll_closing(s, f, out);
}

bool session_measure_tcp_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	return poll_probe(s, 0, now_us, out, deadline_us) ||
		poll_probe(s, 1, now_us, out, deadline_us);
}

static void set_side(struct session *s, int f, const struct behaviour *b)
{
	struct pair_tcp_side *side = &s->view.own.tcp[f];

	pair_tcp_side_from(b, side);
	side->sync_error_us = session_sync_error_us(s);
	side->connections_max = s->config.sockets_max;
	side->rate_cps = s->config.rate_pps;
	s->view.own.has_side[f] = true;
	s->view.own_behaviour[f] = *b;
}

static void note_side(struct session *s, uint64_t now_us, int f, const struct behaviour *b)
{
	if (b->status != PATH_OK)
		trail_step(s->config.trail, now_us, "measure: IPv%d, TCP %s", (int)families[f],
			path_status_name(b->status));
	else
		trail_step(s->config.trail, now_us,
			"measure: IPv%d, %s mapping, %s filtering, early SYNs %s", (int)families[f],
			dependence_name(b->mapping), dependence_name(b->filtering),
			early_syn_name(s->view.own.tcp[f].early));
}

void session_measure_tcp_end(struct session *s, uint64_t now_us, const struct verdict *verdict)
{
	s->measured = true;
	for (int f = 0; f < 2; f++) {
		const struct behaviour *b = f ? &verdict->tcp6 : &verdict->tcp4;

		if (s->config.servers[f].family == FAMILY_NONE)
			continue;
		set_side(s, f, b);
		note_side(s, now_us, f, b);
	}
}
