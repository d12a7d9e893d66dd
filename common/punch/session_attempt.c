// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "punch/session_private.h"

/*
 * One plan after the other, both sides in step: phase 2n-1 begins attempt n, phase 2n lets the side go that has to
 * be second. A plan that needs no order begins at once.
 */

#define READY_MAX_US  15000000 /* then the other side counts as silent */
#define ALONE_US      2000000 /* with a server that is gone, one begins without it */
#define LAST_WORDS_US 1500000 /* for the other side's account of a failure */
#define ROUND_MIN_US  5000000 /* a peer cannot have us begin anew all the time */
#define ROUNDS_MAX    1000
#define STANDS_US     2000000 /* after that nothing of before is under way any more */

static const struct plan *plan_of(const struct session *s)
{
	return &s->view.plans.plan[s->view.attempt - 1];
}

static const struct pair_role *own_role(const struct session *s)
{
	return &plan_of(s)->role[s->view.side];
}

static const struct pair_role *peer_role(const struct session *s)
{
	return &plan_of(s)->role[!s->view.side];
}

static unsigned number_of(const struct session *s)
{
	if (s->config.manual)
		return s->manual.slot + 1;
	return s->view.round * ATTEMPTS_A_ROUND + s->view.attempt;
}

/* When it begins, and when the side that has to be second may go. */
static uint16_t first_phase(const struct session *s)
{
	return (uint16_t)(2 * number_of(s) - 1);
}

static uint16_t second_phase(const struct session *s)
{
	return (uint16_t)(2 * number_of(s));
}

static bool is_first(const struct session *s)
{
	return number_of(s) == 1;
}

static bool needs_step(const struct session *s)
{
	const struct plan *p = plan_of(s);

	if (s->config.knock.on)
		return false; /* who has knocked, or was found, is there */
	return s->config.manual || !is_first(s) || !p->direct || p->role[0].second ||
		p->role[1].second;
}

/* Our own mapping is another one for each endpoint of the peer, so what it knows of is of no use. */
static bool is_dependent(const struct session *s)
{
	int f = s->view.family == FAMILY_IPV6;
	const struct hello *own = &s->view.own;
	enum tri nat = s->config.tcp ? own->tcp[f].nat : own->side[f].nat;
	enum dependence mapping = s->config.tcp ? own->tcp[f].mapping : own->side[f].mapping;

	return plan_of(s)->guesses && nat != TRI_NO && mapping != DEPENDENCE_ENDPOINT_INDEPENDENT;
}

/* --- stages --- */

static void enter(struct session *s, uint64_t now_us, enum stage stage)
{
	s->stage = stage;
	s->stage_us = now_us;
}

static void run(struct session *s, uint64_t now_us)
{
	const struct hello *peer = &s->view.peer;
	struct checks_target target = {.peer = session_peer_endpoint(s),
		.latest = peer->latest.port,
		.port_count = peer->port_count};

	target.claimed = session_is_claimed(s, &target.peer);
	memcpy(target.ports, peer->ports, sizeof(target.ports));
	if (own_role(s)->targets == PAIR_KNOWN && !session_ways_further(s)
			? session_is_own(s, &target.peer)
			: session_is_own_address(s, &target.peer))
		target.peer.family = FAMILY_NONE;
	enter(s, now_us, STAGE_RUNNING);
	s->begin_us = now_us;
	session_set_mains(s);
	session_add_candidates(s, now_us);
	session_ways_go(s, now_us, &target);
	if (own_role(s)->second && needs_step(s) && s->meeting)
		meeting_set_ready(s->meeting, now_us, second_phase(s));
}

static void open_sockets(struct session *s, uint64_t now_us)
{
	s->view.own.port_count = 0;
	session_ways_begin(s, now_us, number_of(s), is_dependent(s));
	if (!is_first(s))
		session_renew_sockets(s);
}

static void begin_attempt(struct session *s, uint64_t now_us)
{
	const struct plan *p = plan_of(s);

	trail_attempt(s->config.trail, now_us, p->strategy);
	trail_step(s->config.trail, now_us, "plan: %s", *p->cost ? p->cost : p->why);
	open_sockets(s, now_us);
	if (!needs_step(s)) {
		run(s, now_us);
		return;
	}
	enter(s, now_us, STAGE_PREPARING);
	s->latest = (struct query){.begun = false};
	s->latest_state = peer_role(s)->targets == PAIR_SEQUENCE ? OPENING_WANTED : OPENING_NONE;
}

/* As far as the servers show. */
static bool works(const struct session *s, int f)
{
	return hello_status(&s->view.own, f) == PATH_OK &&
		hello_status(&s->view.peer, f) == PATH_OK;
}

static void advise_udp(struct session *s, int f)
{
	struct pair_side sides[2];
	struct pair_advice advice;

	sides[s->view.side] = s->view.own.side[f];
	sides[!s->view.side] = s->view.peer.side[f];
	pair_advise(sides, &advice);
	plans_from_udp(&advice, &s->view.plans);
}

static void advise_tcp(struct session *s, int f)
{
	struct pair_tcp_side sides[2];

	sides[s->view.side] = s->view.own.tcp[f];
	sides[!s->view.side] = s->view.peer.tcp[f];
	pair_tcp_advise(sides, s->view.family, &s->tcp_advice);
	plans_from_tcp(&s->tcp_advice, &s->view.plans);
}

/* Whether there is a family for plans. */
static bool advise(struct session *s)
{
	bool v4 = s->view.own.has_side[0] && s->view.peer.has_side[0];
	bool v6 = s->view.own.has_side[1] && s->view.peer.has_side[1];
	int f;

	/* IPv6 without blocks is tried in any case, with the other candidates */
	f = v6 && (!v4 || (!works(s, 0) && works(s, 1)));
	if (s->config.knock.on) {
		session_knock_plan(s);
		return true;
	}
	if (!v4 && !v6)
		return false;
	s->view.family = f ? FAMILY_IPV6 : FAMILY_IPV4;
	if (s->config.tcp)
		advise_tcp(s, f);
	else
		advise_udp(s, f);
	return true;
}

void session_attempts_begin(struct session *s, uint64_t now_us)
{
	if (!advise(s)) {
		session_fail(s, now_us, SESSION_NO_FAMILY);
		return;
	}
	s->view.state = SESSION_PUNCHING;
	s->view.attempt = 1;
	s->round_us = now_us;
	session_set_mains(s);
	session_add_candidates(s, now_us);
	if (s->view.plans.count && s->config.manual)
		session_manual_first_slot(s, now_us);
	if (s->view.state == SESSION_FAILED)
		return;
	if (s->view.plans.count)
		begin_attempt(s, now_us);
	else
		trail_step(s->config.trail, now_us, "plan: none: %s", s->view.plans.why_not);
}

/* What both sides can tell of it afterwards. */
static void note_attempt(struct session *s)
{
	const struct trail *t = s->config.trail;
	const struct trail_attempt *a = &t->attempts[t->attempt];
	const struct trail_error *worst = NULL;
	struct hello_attempt *out = &s->view.own.attempt;

	for (size_t i = 0; i < t->error_count; i++)
		if (!worst || t->errors[i].count > worst->count)
			worst = &t->errors[i];
	*out = (struct hello_attempt){.number = (uint16_t)s->view.attempt,
		.sent = a->sent,
		.received = a->received,
		.opened = a->opened - a->accepted,
		.resets = a->resets,
		.refused = a->refused,
		.errors = a->errors};
	if (s->config.captured)
		out->captured =
			s->config.captured(s->config.captured_context, &out->left, &out->arrived);
	if (worst) {
		out->offender = worst->offender;
		out->type = worst->type;
		out->code = worst->code;
	}
}

static void begin_round(struct session *s, uint64_t now_us, unsigned round)
{
	if (round > ROUNDS_MAX) {
		session_fail(s, now_us, SESSION_NO_PATH);
		return;
	}
	trail_step(s->config.trail, now_us, "plan: round %u", round);
	s->view.round = round;
	s->view.state = SESSION_PUNCHING;
	s->view.attempt = 1;
	s->view.own.failed = false;
	s->wait_until_us = 0;
	s->round_us = now_us;
	session_ways_again(s);
	/* the sockets are the same, and so may be where the peer was last */
	if (session_is_alone(s))
		session_ways_add(s, now_us, s->view.way.kind, &s->view.way.remote, true);
	if (s->config.manual)
		session_manual_first_slot(s, now_us);
	if (s->config.knock.on)
		session_knock_again(s, now_us);
	if (s->view.state != SESSION_FAILED)
		begin_attempt(s, now_us);
}

bool session_again(struct session *s, uint64_t now_us)
{
	const struct checks_result *r = s->view.checks;

	if (s->view.state != SESSION_CONNECTED ||
		(session_is_alone(s) && s->view.round == ROUNDS_MAX))
		return false;
	/* a peer that was quicker has proved the way before its facts were there */
	if (!s->view.has_peer)
		session_exchange_advance(s, now_us);
	if (!s->view.plans.count && s->view.has_peer)
		advise(s);
	if (!s->view.plans.count)
		return false;
	/* main ones are closed when there are new ones */
	if (r->socket >= SESSION_FURTHER && !s->config.tcp && !s->config.knock.on)
		s->spent = r->socket;
	begin_round(s, now_us, s->view.round + 1);
	return true;
}

static unsigned peer_round(const struct session *s)
{
	unsigned phase = s->view.meeting->peer_ready;

	return phase ? (phase - 1) / 2 / ATTEMPTS_A_ROUND : 0;
}

static bool is_behind(const struct session *s)
{
	return peer_round(s) > s->view.round && peer_round(s) <= ROUNDS_MAX &&
		(s->view.state == SESSION_CONNECTED || s->view.state == SESSION_PUNCHING);
}

/* Requests of a later attempt than the one that has succeeded; those that were under way then do not count. */
static bool peer_begins_anew(const struct session *s)
{
	const struct checks_result *r = s->view.checks;

	return s->view.state == SESSION_CONNECTED && r->peer_attempt > number_of(s) &&
		r->asked_us >= s->stood_us + STANDS_US;
}

void session_heed_round(struct session *s, uint64_t now_us)
{
	unsigned round = peer_round(s);

	/* without a server it is only by them that the other side can tell */
	if (session_is_alone(s) && peer_begins_anew(s))
		session_again(s, now_us);
	if (!is_behind(s) || now_us - s->round_us < ROUND_MIN_US)
		return;
	if (s->view.state == SESSION_CONNECTED)
		session_again(s, now_us);
	if (s->view.state == SESSION_PUNCHING && s->view.round < round)
		begin_round(s, now_us, round);
}

static void next_slot(struct session *s, uint64_t now_us)
{
	if (session_manual_is_wrong(s)) {
		session_fail(s, now_us, SESSION_WRONG_CODE);
		return;
	}
	session_manual_next_slot(s, now_us);
	if (s->view.state == SESSION_PUNCHING)
		begin_attempt(s, now_us);
}

static void end_attempt(struct session *s, uint64_t now_us)
{
	note_attempt(s);
	trail_end(s->config.trail, now_us, false);
	trail_step(s->config.trail, now_us, "attempt %u: no success", s->view.attempt);
	if (s->config.manual) {
		next_slot(s, now_us);
		return;
	}
	if (s->config.knock.on && !s->view.round) {
		session_knock_give_up(s, now_us);
		return;
	}
	if (s->view.attempt < s->view.plans.count) {
		s->view.attempt++;
		begin_attempt(s, now_us);
		return;
	}
	if (s->view.round) { /* what worked once may work again */
		begin_round(s, now_us, s->view.round + 1);
		return;
	}
	s->view.own.failed = true;
	s->wait_until_us = now_us + LAST_WORDS_US;
	session_publish(s, now_us);
}

/* Which port our NAT gives out now; asked when nothing else will take one any more. */
static bool is_latest_known(struct session *s)
{
	if (peer_role(s)->targets != PAIR_SEQUENCE)
		return true;
	if (s->latest_state == OPENING_NONE && session_ways_candidates_are_tried(s))
		s->latest_state = OPENING_WANTED;
	return s->latest_state == OPENING_FAILED || s->latest.done;
}

static void prepare(struct session *s, uint64_t now_us)
{
	if (!session_sockets_are_current(s) || !session_ways_are_open(s) || !is_latest_known(s))
		return;
	s->view.own.latest = s->latest.mapped;
	note_attempt(s);
	if (s->meeting) {
		session_publish(s, now_us);
		meeting_set_ready(s->meeting, now_us, first_phase(s));
	}
	enter(s, now_us, STAGE_READY);
}

void session_attempt_unsettle(struct session *s, uint64_t now_us)
{
	/* where the other side has been told to go it goes to where this one was */
	if (s->view.state == SESSION_PUNCHING && s->stage == STAGE_READY && s->meeting &&
		s->view.meeting->go < first_phase(s))
		enter(s, now_us, STAGE_PREPARING);
}

bool session_attempt_is_running(const struct session *s)
{
	return s->view.state == SESSION_PUNCHING && s->stage == STAGE_RUNNING;
}

/* Whether the server has given the phase free, or is gone. */
static bool may_go(const struct session *s, uint64_t now_us, unsigned phase)
{
	const struct meeting_view *v = s->view.meeting;

	if (s->config.manual)
		return session_manual_may_go(s, now_us, phase == second_phase(s));
	if (v->state == MEETING_UNREACHABLE)
		return now_us - s->stage_us >= ALONE_US;
	return v->go >= phase && now_us >= v->go_at_us;
}

static void wait_for_go(struct session *s, uint64_t now_us)
{
	if (may_go(s, now_us, first_phase(s)))
		run(s, now_us);
	else if (!s->view.round && !s->config.manual && now_us - s->stage_us >= READY_MAX_US)
		session_fail(s, now_us, SESSION_PEER_SILENT);
}

static void go_on(struct session *s, uint64_t now_us)
{
	uint16_t phase = second_phase(s);

	if (s->meeting && needs_step(s) && !own_role(s)->second && peer_role(s)->second &&
		session_ways_have_sent_all(s))
		meeting_set_ready(s->meeting, now_us, phase);
	if (own_role(s)->second && may_go(s, now_us, phase))
		session_ways_release(s, now_us);
	if (s->config.manual ? now_us >= s->manual.end_us
			     : now_us - s->begin_us >= plan_of(s)->give_up_us)
		end_attempt(s, now_us);
}

/* Nothing is left to try: the other side's last words, for the explanation. */
static void wind_up(struct session *s, uint64_t now_us)
{
	if (!s->wait_until_us) {
		s->view.own.failed = true;
		s->wait_until_us = now_us + LAST_WORDS_US;
		session_publish(s, now_us);
	}
	if (now_us >= s->wait_until_us)
		session_fail(s, now_us, SESSION_NO_PATH);
}

void session_attempt_advance(struct session *s, uint64_t now_us)
{
	if (s->view.state != SESSION_PUNCHING)
		return;
	if (s->view.own.failed || !s->view.plans.count) {
		wind_up(s, now_us);
		return;
	}
	if (s->stage == STAGE_PREPARING)
		prepare(s, now_us);
	if (s->stage == STAGE_READY)
		wait_for_go(s, now_us);
	if (s->view.state == SESSION_PUNCHING && s->stage == STAGE_RUNNING)
		go_on(s, now_us);
}

static void sooner(uint64_t *at_us, uint64_t then_us)
{
	if (then_us < *at_us)
		*at_us = then_us;
}

static uint64_t manual_deadline(const struct session *s, uint64_t now_us)
{
	if (s->stage == STAGE_READY)
		return s->manual.begin_us;
	if (!session_manual_may_go(s, now_us, true))
		return s->manual.begin_us + SESSION_MANUAL_SECOND_US;
	return s->stage == STAGE_RUNNING ? s->manual.end_us : UINT64_MAX;
}

uint64_t session_attempt_deadline(const struct session *s, uint64_t now_us)
{
	const struct meeting_view *v = s->view.meeting;
	uint64_t at_us = UINT64_MAX;

	if (is_behind(s) && s->round_us + ROUND_MIN_US > now_us)
		at_us = s->round_us + ROUND_MIN_US;
	if (s->view.state != SESSION_PUNCHING)
		return at_us;
	if (s->wait_until_us)
		return s->wait_until_us;
	if (s->stage == STAGE_READY && v->state == MEETING_UNREACHABLE)
		sooner(&at_us, s->stage_us + ALONE_US);
	else if (s->stage == STAGE_READY && !s->view.round && !s->config.manual)
		sooner(&at_us, s->stage_us + READY_MAX_US);
	if (s->config.manual)
		sooner(&at_us, manual_deadline(s, now_us));
	else if (s->stage == STAGE_RUNNING)
		sooner(&at_us, s->begin_us + plan_of(s)->give_up_us);
	/* what is over has been heeded */
	if (v->go_at_us > now_us)
		sooner(&at_us, v->go_at_us);
	return at_us;
}
