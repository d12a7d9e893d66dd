// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "punch/session_private.h"

/* The questions of natprobe, in short, from sockets of their own, while the other side is waited for. */

#define LIMIT_US    1500000
#define SYNC_MIN_US 5000 /* the clockwork of two systems that are busy */

static const enum family families[2] = {FAMILY_IPV4, FAMILY_IPV6};
static const unsigned bases[2] = {SESSION_PROBE4, SESSION_PROBE6};

int session_measure_begin(struct session *s, uint64_t now_us)
{
	for (int f = 0; f < 2; f++) {
		const struct probe_config config = {.family = families[f],
			.tests = PROBE_MAPPING | PROBE_FILTERING | PROBE_EARLY |
				PROBE_PORTS_IF_QUICK,
			.limit_us = LIMIT_US};
		struct journal_server server = {.endpoint = s->config.servers[f]};
		size_t place;
		int err;

		if (s->config.servers[f].family == FAMILY_NONE)
			continue;
		err = journal_add_server(s->config.journal, &server, &place);
		if (!err)
			err = probe_create(&config, s->config.journal, &s->config.random, now_us,
				&s->probes[f]);
		if (err)
			return err;
		probe_add_server(s->probes[f], now_us, place);
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

bool session_measure_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	struct probe_output probe;

	for (int f = 0; f < 2; f++) {
		if (!s->probes[f])
			continue;
		while (probe_poll(s->probes[f], now_us, &probe) != PROBE_WAIT) {
			if (probe.action == PROBE_DONE) {
				probe_destroy(s->probes[f]);
				s->probes[f] = NULL;
				break;
			}
			if (carry(s, f, now_us, &probe, out))
				return true;
		}
		if (s->probes[f] && probe.deadline_us < *deadline_us)
			*deadline_us = probe.deadline_us;
	}
	return false;
}

static void set_side(struct session *s, int f, const struct behaviour *b)
{
	struct pair_side *side = &s->view.own.side[f];
	uint64_t jitter_us = s->meeting ? meeting_view(s->meeting)->jitter_us : 0;

	memset(side, 0, sizeof(*side));
	side->sync_error_us = (uint32_t)(SYNC_MIN_US + jitter_us);
	side->packets_max = s->config.packets_max;
	side->sockets_max = s->config.sockets_max;
	side->rate_pps = s->config.rate_pps;
	pair_side_from(b, side);
	s->view.own.has_side[f] = true;
	s->view.own_behaviour[f] = *b;
}

void session_measure_advance(struct session *s, uint64_t now_us)
{
	static struct verdict verdict; /* large */

	if (s->measured || s->probes[0] || s->probes[1])
		return;
	s->measured = true;
	judge(s->config.journal, &verdict);
	for (int f = 0; f < 2; f++) {
		const struct behaviour *b = f ? &verdict.udp6 : &verdict.udp4;

		if (s->config.servers[f].family == FAMILY_NONE)
			continue;
		set_side(s, f, b);
		trail_step(s->config.trail, now_us,
			"measure: IPv%d, %s mapping, %s filtering, early packets %s",
			(int)families[f], dependence_name(b->mapping),
			dependence_name(b->filtering), early_name(b->early));
	}
}
