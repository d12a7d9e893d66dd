// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "probe/icmp_private.h"

/*
 * How long the mapping of an echo request lasts (RFC 5508 3.2): many of them at once, each with an identifier of its own,
 * to which the server's system replies at once, and the server once more later. In between nothing is sent.
 */

#define MS	  1000u
#define GAP_US	  (5 * MS)
#define ECHOS_MAX 8
#define SPARE_US  (500 * MS) /* a late reply may be later still */

/* Seconds: below and above what is usual (Linux 30) and asked for (60). The first one is the control. */
static const uint16_t steps_s[ICMP_STEPS] = {1, 10, 20, 29, 40, 50, 61, 91, 121};

static unsigned step_of(unsigned timer)
{
	return timer / ICMP_TIMER_COPIES;
}

static void put_timer(struct icmp_probe *p, uint64_t now_us, unsigned i)
{
	struct icmp_timer *t = &p->timers[i];
	struct endpoint to = p->chosen->endpoint;
	struct observation *o;

	to.port = 0;
	t->socket = icmp_probe_socket(p, ICMP_SOCKET_ECHO, ICMP_OF_TIMER, i, 0, &to);
	t->echo.observation = icmp_probe_ask(p, QUESTION_ECHO_TIMER, t->socket, &to);
	t->echo.at_us = now_us + i * GAP_US;
	t->echo.sequence = (uint16_t)(1 + i);
	o = icmp_probe_observation(p, t->echo.observation);
	if (!o)
		return;
	o->detail.flow = ICMP_FLOW_ECHO;
	o->detail.late_ms = steps_s[step_of(i)] * 1000u;
	if (p->chosen->offers != ICMP_SERVICE_YES)
		icmp_probe_settle(p, now_us, t->echo.observation, OBSERVATION_ERROR);
}

static void ask_token(struct icmp_probe *p, uint64_t now_us, unsigned i)
{
	struct icmp_token *token = &p->timer_tokens[step_of(i)];
	struct icmp_request *r = icmp_probe_request(
		p, now_us, ICMP_FOR_TIMER, step_of(i), p->chosen->socket, ICMP_ASK_SEEN);

	if (!r)
		return;
	random_bytes(p->random, token->bytes, ICMP_TOKEN_BYTES);
	token->asked = true;
	r->at_us = p->timers[i].echo.at_us;
	memcpy(r->message.token, token->bytes, ICMP_TOKEN_BYTES);
}

static void ask_later(struct icmp_probe *p, uint64_t now_us, unsigned step)
{
	struct icmp_request *r = icmp_probe_request(
		p, now_us, ICMP_FOR_LATER, step, p->chosen->socket, ICMP_ASK_LATER);

	if (!r)
		return;
	r->message.later_ms = steps_s[step] * 1000u;
	memcpy(r->message.token, p->timer_tokens[step].bytes, ICMP_TOKEN_BYTES);
}

static uint64_t over_us(const struct icmp_probe *p, const struct icmp_timer *t)
{
	const struct observation *o = icmp_probe_observation(p, t->echo.observation);

	return t->accepted_us + (uint64_t)o->detail.late_ms * MS + SPARE_US + p->chosen->rtt_us;
}

static void advance_one(struct icmp_probe *p, uint64_t now_us, unsigned i, uint64_t *deadline_us)
{
	struct icmp_timer *t = &p->timers[i];
	const struct icmp_socket *s = &p->sockets[t->socket];

	if (s->error) {
		icmp_probe_refuse(p, now_us, t->echo.observation, -s->error);
	} else if (t->accepted_us) {
		if (now_us >= over_us(p, t))
			icmp_probe_settle(p, now_us, t->echo.observation, OBSERVATION_SILENT);
		else
			icmp_probe_wake(deadline_us, now_us, over_us(p, t));
	} else if (!p->timer_tokens[step_of(i)].known && !p->timer_tokens[step_of(i)].asked) {
		ask_token(p, now_us, i);
	} else if (t->replied && !t->later_asked) {
		t->later_asked = true;
		ask_later(p, now_us, step_of(i));
	} else if (t->echo.sent >= ECHOS_MAX && now_us >= t->echo.at_us && !t->replied) {
		icmp_probe_settle(p, now_us, t->echo.observation, OBSERVATION_SILENT);
	}
}

/*
 * Whether what is still missing can add nothing: a late reply has come in, and so many of those that were later still have
 * not that the mapping is over.
 */
static bool is_known(const struct icmp_probe *p)
{
	unsigned missing = 0;
	uint32_t latest_ms = 0;

	for (unsigned i = 0; i < p->timer_count; i++) {
		const struct observation *o =
			icmp_probe_observation(p, p->timers[i].echo.observation);

		if (o && o->state == OBSERVATION_ANSWERED && o->detail.late_ms > latest_ms)
			latest_ms = o->detail.late_ms;
	}
	for (unsigned i = 0; latest_ms && i < p->timer_count; i++) {
		const struct observation *o =
			icmp_probe_observation(p, p->timers[i].echo.observation);

		if (o && o->state == OBSERVATION_SILENT && o->detail.late_ms > latest_ms)
			missing += o->awaited;
	}
	return icmp_probe_is_silent(p, missing);
}

bool icmp_probe_timer_advance(struct icmp_probe *p, uint64_t now_us, uint64_t *deadline_us)
{
	bool over = true;

	for (unsigned i = 0; !p->timer_put && i < ICMP_TIMERS; i++) {
		put_timer(p, now_us, i);
		p->timer_count = i + 1;
	}
	p->timer_put = true;
	for (unsigned i = 0; i < p->timer_count && is_known(p); i++)
		icmp_probe_settle(p, now_us, p->timers[i].echo.observation, OBSERVATION_ABANDONED);
	for (unsigned i = 0; i < p->timer_count; i++) {
		if (icmp_probe_is_open(p, p->timers[i].echo.observation))
			advance_one(p, now_us, i, deadline_us);
		over &= !icmp_probe_is_open(p, p->timers[i].echo.observation);
	}
	return over;
}

bool icmp_probe_poll_timers(
	struct icmp_probe *p, uint64_t now_us, struct icmp_output *out, uint64_t *deadline_us)
{
	for (unsigned i = 0; i < p->timer_count; i++) {
		struct icmp_timer *t = &p->timers[i];
		struct observation *o = icmp_probe_observation(p, t->echo.observation);

		if (!icmp_probe_is_open(p, t->echo.observation) ||
			!p->timer_tokens[step_of(i)].known || t->replied ||
			!icmp_probe_is_ready(p, t->socket) || t->echo.sent >= ECHOS_MAX)
			continue;
		if (now_us < t->echo.at_us) {
			icmp_probe_wake(deadline_us, now_us, t->echo.at_us);
			continue;
		}
		o->local = p->sockets[t->socket].local;
		out->action = ICMP_SEND;
		out->kind = ICMP_SOCKET_ECHO;
		out->socket = t->socket;
		out->to = o->to;
		out->sequence = t->echo.sequence;
		out->length = icmp_probe_write_echo(p->timer_tokens[step_of(i)].bytes, out->data);
		icmp_probe_note_sent(p, now_us, t->echo.observation, out->length);
		t->echo.sent++;
		t->echo.at_us = now_us + icmp_probe_interval_us(p->chosen);
		return true;
	}
	return false;
}

/* A server that does not want to: nothing can be known from this step. */
static void refuse(
	struct icmp_probe *p, uint64_t now_us, unsigned step, const struct icmp_inquiry *answer)
{
	for (unsigned i = 0; i < p->timer_count; i++) {
		const struct icmp_timer *t = &p->timers[i];
		struct observation *o = icmp_probe_observation(p, t->echo.observation);

		if (step_of(i) != step || t->accepted_us || !o || o->state != OBSERVATION_OPEN)
			continue;
		o->error_code = answer ? answer->error_code : 0;
		icmp_probe_settle(p, now_us, t->echo.observation, OBSERVATION_ERROR);
	}
}

void icmp_probe_timer_token(
	struct icmp_probe *p, uint64_t now_us, unsigned index, const struct icmp_inquiry *answer)
{
	if (!answer || answer->class != STUN_SUCCESS)
		refuse(p, now_us, index, answer);
	else
		p->timer_tokens[index].known = true;
}

/* The reply is promised to one of the step's, as its sequence number says; to one that has got it already: again. */
void icmp_probe_timer_later(
	struct icmp_probe *p, uint64_t now_us, unsigned index, const struct icmp_inquiry *answer)
{
	const struct icmp_record *r;

	if (!answer || answer->class != STUN_SUCCESS || !answer->record_count) {
		refuse(p, now_us, index, answer);
		return;
	}
	r = &answer->records[0];
	for (unsigned i = 0; i < p->timer_count; i++) {
		struct icmp_timer *t = &p->timers[i];
		struct observation *o = icmp_probe_observation(p, t->echo.observation);

		if (step_of(i) != index || t->echo.sequence != r->sequence || !o)
			continue;
		if (t->accepted_us) {
			ask_later(p, now_us, index);
			return;
		}
		t->accepted_us = now_us;
		o->awaited = o->detail.recorded = 1;
		o->detail.recorded_from = r->from;
		o->detail.recorded_from.port = r->identifier;
		o->detail.recorded_to = r->to;
		return;
	}
	refuse(p, now_us, index, answer);
}

void icmp_probe_timer_reply(struct icmp_probe *p, uint64_t now_us, unsigned index,
	const struct endpoint *from, uint16_t sequence)
{
	struct icmp_timer *t = &p->timers[index];
	struct observation *o = icmp_probe_observation(p, t->echo.observation);

	if (!o || sequence != t->echo.sequence || !endpoint_same_address(from, &o->to) ||
		!t->echo.sent)
		return;
	t->replied = true;
	/* those of the server's system come at once; and this one not much too early */
	if (!t->accepted_us ||
		now_us < t->accepted_us + (uint64_t)o->detail.late_ms * 9 / 10 * MS -
				p->chosen->rtt_us)
		return;
	if (!o->answers++) {
		o->answer.t_us = now_us;
		o->answer.from = *from;
	}
	icmp_probe_settle(p, now_us, t->echo.observation, OBSERVATION_ANSWERED);
}
