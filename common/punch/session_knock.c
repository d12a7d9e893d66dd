// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "punch/session_knock_private.h"

/*
 * Without any server: knock.h. A knock and its answer take the place of the meeting, each with a share of CPace; the
 * socket that was found is the main one then, and there is one plan.
 */

#define ATTEMPT_US 10000000u

static uint64_t end_of_wait_us(const struct session *s)
{
	return s->config.wait_us && !s->view.round ? s->view.started_us + s->config.wait_us
						   : UINT64_MAX;
}

int session_knock_begin(struct session *s, uint64_t now_us)
{
	const struct session_knock *c = &s->config.knock;

	s->view.meeting = &s->knock.view;
	s->view.knock = (struct session_knock_view){.on = true,
		.waits = c->waits,
		.classic = c->classic,
		.target = c->target,
		.source = c->from[0]};
	s->measured = true;
	for (int f = 0; f < 2; f++) /* only to ask a STUN server from it */
		if (c->waits && s->config.servers[f].family != FAMILY_NONE)
			s->main[f] = session_new_main(s);
	if (c->waits)
		return knock_wait_begin(s, now_us);
	knock_ask_begin(s, now_us);
	return 0;
}

void session_knock_end(struct session *s)
{
	waiter_destroy(s->knock.waiter);
	knocker_destroy(s->knock.knocker);
	knock_key_wipe(&s->config.knock.key);
}

static int begin_cpace(struct session *s)
{
	static const char purpose[] = "natutils knock 1";
	static const uint8_t no_session[RENDEZVOUS_SESSION_BYTES];
	const struct cpace_input input = {
		.prs = {s->secret, s->secret_length},
		.ci = {(const uint8_t *)purpose, sizeof(purpose) - 1},
		.sid = {no_session, sizeof(no_session)},
	};
	int err = cpace_begin(&s->cpace, &input, &s->config.random);

	s->began_cpace = !err;
	memcpy(s->own_share, s->cpace.own, sizeof(s->own_share));
	return err;
}

/* An ICMP error has room for some candidates only: what comes last is left out, and the peer sees where it comes from. */
static int shorten(struct knock *k)
{
	int err = knock_digest(k);

	while (err == -EMSGSIZE && k->hello.candidate_count) {
		k->hello.candidate_count--;
		err = knock_digest(k);
	}
	return err;
}

/* What this side says, and what the keys will agree on. */
int knock_make_words(struct session *s, enum knock_kind kind, struct knock *out)
{
	int err = begin_cpace(s);

	session_collect_candidates(s);
	*out = (struct knock){.kind = kind, .hello = s->view.own};
	memcpy(out->share, s->own_share, sizeof(out->share));
	if (!err)
		err = shorten(out);
	return err ? err
		   : cpace_associate(&s->cpace, (struct span){out->digest, sizeof(out->digest)});
}

/* Both know each other now. */
void knock_meet(
	struct session *s, uint64_t now_us, const struct knock *said, const struct endpoint *peer)
{
	session_make_keys(
		s, now_us, said->share, (struct span){said->digest, sizeof(said->digest)});
	if (s->view.state == SESSION_FAILED)
		return;
	s->view.knock.met = true;
	s->view.peer = said->hello;
	s->view.has_peer = s->published = true;
	s->view.family = peer->family;
	s->knock.view.peer = *peer;
	s->knock.view.state = MEETING_PAIRED;
	s->knock.view.paired_us = now_us;
	s->view.state = SESSION_EXCHANGING;
}

void session_knock_advance(struct session *s, uint64_t now_us)
{
	for (int f = 0; f < 2; f++)
		if (s->reflexive[f].done && s->reflexive[f].mapped.family != FAMILY_NONE)
			s->view.mapped[f] = s->reflexive[f].mapped;
	if (s->config.knock.waits)
		knock_wait_advance(s, now_us);
	else
		knock_ask_advance(s, now_us);
	if (now_us >= end_of_wait_us(s))
		session_fail(s, now_us, s->view.knock.met ? SESSION_NO_PATH : SESSION_NO_PEER);
}

uint64_t session_knock_deadline(const struct session *s)
{
	return s->view.state == SESSION_CONNECTED ? UINT64_MAX : end_of_wait_us(s);
}

void session_knock_plan(struct session *s)
{
	struct plan *p = &s->view.plans.plan[0];

	s->view.plans = (struct plans){.count = 1};
	*p = (struct plan){
		.strategy = "knock", .direct = true, .give_up_us = ATTEMPT_US, .chance = 1};
	for (int side = 0; side < 2; side++)
		p->role[side] =
			(struct pair_role){.sockets = 1, .targets = PAIR_KNOWN, .guesses = 1};
	snprintf(p->why, sizeof(p->why), "the knock has shown each side where the other one is");
}

void session_knock_again(struct session *s, uint64_t now_us)
{
	if (s->knock.waiter)
		waiter_resume(s->knock.waiter, now_us, false);
	else
		knock_ask_again(s, now_us);
}

/* Whoever it was is not there any more, or cannot be reached: others can come, or it with a knock of its own. */
void session_knock_give_up(struct session *s, uint64_t now_us)
{
	session_ways_destroy(s);
	s->has_keys = s->view.has_peer = false;
	s->knock.view.state = MEETING_WAITING;
	if (s->knock.waiter)
		knock_wait_give_up(s, now_us);
	else
		knock_ask_give_up(s);
}

bool knock_carry(const struct knock_output *in, unsigned socket, struct session_output *out)
{
	static const enum session_action actions[] = {[KNOCK_OPEN] = SESSION_OPEN,
		[KNOCK_ECHO] = SESSION_ECHO,
		[KNOCK_SEND] = SESSION_SEND,
		[KNOCK_ERROR] = SESSION_ERROR,
		[KNOCK_CLOSE] = SESSION_CLOSE};

	out->action = actions[in->action];
	out->socket = socket;
	out->family = in->local.family;
	if (in->local.port) /* else any, of the address that the user wants */
		out->local = in->local;
	out->to = in->to;
	out->ttl = in->ttl;
	out->type = in->type;
	out->code = in->code;
	out->quotes_echo = in->quotes_echo;
	out->quoted_from = in->quoted_from;
	out->quoted_to = in->quoted_to;
	out->length = in->length;
	memcpy(out->data, in->data, in->length);
	return true;
}

bool session_knock_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	if (!s->config.knock.on || s->view.state == SESSION_FAILED)
		return false;
	return s->knock.waiter ? knock_wait_poll(s, now_us, out, deadline_us)
			       : knock_ask_poll(s, now_us, out, deadline_us);
}

bool session_knock_opened(struct session *s, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local)
{
	if (!s->config.knock.on)
		return false;
	return s->knock.waiter ? knock_wait_opened(s, now_us, socket, error, local)
			       : knock_ask_opened(s, socket, error, local);
}

bool session_knock_input(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length)
{
	if (!s->config.knock.on || s->view.state >= SESSION_CONNECTED)
		return false;
	return s->knock.waiter ? knock_wait_input(s, now_us, socket, from, data, length)
			       : knock_ask_input(s, now_us, socket, from, data, length);
}

bool session_knock_error(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *to, const struct icmp_seen *error, struct span quoted)
{
	if (!s->config.knock.on)
		return false;
	return s->knock.waiter ? knock_wait_error(s, now_us, socket, to, error, quoted)
			       : knock_ask_error(s, socket, to, error);
}
