// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "punch/session_private.h"

/*
 * ICMP errors as one more way to the other side, once the server has shown its endpoint: they quote a flow that it keeps,
 * so that its NAT lets them in from anybody, whatever its mapping and its filtering. Two each time: one about its flow to
 * the server, for which the own NAT has to let out an error that belongs to nothing; and one about its flow to this side,
 * which the own NAT knows (RFC 5508 REQ-4 and REQ-5) if both have sent. What they carry says that this side is there and
 * has sent, so that the other one tries all that it knows at once.
 */

/* Where the first packets get through nothing of this is sent. */
static const uint32_t steps_us[] = {100000, 300000, 600000, 1000000, 2000000, 4000000};
#define STEPS	      (sizeof(steps_us) / sizeof(*steps_us))
#define CLAIMED_STEPS 2 /* where nobody but one says that the other side is there */
#define STEP_ERRORS   2

static unsigned steps_of(const struct session *s)
{
	return session_is_claimed(s, &s->view.meeting->peer) ? CLAIMED_STEPS : STEPS;
}

/* Who waits for our first packets would take it for a sign that all have been sent. */
static bool is_too_early(const struct session *s)
{
	return s->view.plans.plan[s->view.attempt - 1].role[!s->view.side].second &&
		!session_ways_have_sent_all(s);
}

/* Whether there is a flow that can be quoted. */
static bool is_possible(const struct session *s)
{
	const struct endpoint *peer = s->view.meeting ? &s->view.meeting->peer : NULL;

	return s->config.signals && s->checks && peer && peer->family != FAMILY_NONE &&
		peer->port && s->view.state == SESSION_PUNCHING && s->stage == STAGE_RUNNING &&
		!session_is_own_address(s, peer) && !is_too_early(s);
}

static bool begin_step(struct session *s, uint64_t now_us, uint64_t *deadline_us)
{
	struct session_signal *g = &s->signal;
	uint64_t at_us;

	if (g->begin_us != s->begin_us) /* another attempt */
		*g = (struct session_signal){.begin_us = s->begin_us};
	if (g->step == steps_of(s))
		return false;
	at_us = g->begin_us + steps_us[g->step];
	if (at_us <= now_us)
		return true;
	if (at_us < *deadline_us)
		*deadline_us = at_us;
	return false;
}

bool session_signal_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	struct session_signal *g = &s->signal;
	const struct meeting_view *v = s->view.meeting;
	int length;

	while (is_possible(s) && begin_step(s, now_us, deadline_us)) {
		bool own = g->error == 1;
		const struct endpoint *to =
			own ? &v->mapped : &s->config.servers[v->peer.family == FAMILY_IPV6];

		knock_kind(v->peer.family, g->step, &out->type, &out->code);
		g->error = (g->error + 1) % STEP_ERRORS;
		g->step += !g->error;
		length = checks_signal(s->checks, now_us, out->data, sizeof(out->data));
		if (to->family != v->peer.family || !to->port || length < 0)
			continue;
		out->action = SESSION_ERROR;
		out->socket = SESSION_RAW;
		out->to = out->quoted_from = v->peer;
		out->quoted_to = *to;
		out->length = (size_t)length;
		s->view.signals_sent++;
		return true;
	}
	return false;
}

bool session_signal_error(struct session *s, uint64_t now_us, unsigned socket,
	const struct icmp_seen *error, struct span quoted)
{
	char text[ENDPOINT_TEXT];

	if (socket == SESSION_RAW) {
		s->view.signals_unsent++;
		s->view.signal_error = -error->error;
		return true;
	}
	if (error->local || !s->checks ||
		!checks_signalled(s->checks, now_us, quoted.data, quoted.length))
		return false;
	if (!s->view.signals_heard++)
		trail_step(s->config.trail, now_us,
			"signal: the peer is there and has sent, says an ICMP error from %s",
			endpoint_format_address(&error->offender, text));
	return true;
}
