// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "punch/session_knock_private.h"

/* A session that knocks: from two sockets, and another one again and again; and whether knocks leave the own NAT. */

static uint64_t utc_us(const struct session *s, uint64_t now_us)
{
	return s->config.utc_us + (now_us - s->view.started_us);
}

/* The fixed one of now, with --classic; 0: any. */
static uint16_t knocking_port(const struct session *s, uint64_t now_us)
{
	struct knock_place place;

	if (!s->config.knock.classic)
		return 0;
	knock_place_at(&s->config.knock.key, utc_us(s, now_us) / 1000000 / KNOCK_SLOT_S, &place);
	return place.port;
}

void knock_ask_begin(struct session *s, uint64_t now_us)
{
	s->knock.port = knocking_port(s, now_us);
	s->main[knock_family(&s->config.knock.target)] = session_new_main(s);
}

static void begin_knocking(struct session *s, uint64_t now_us)
{
	const struct session_knock *c = &s->config.knock;
	int f = knock_family(&c->target);
	struct knocker_config config = {.key = c->key,
		.utc_us = utc_us(s, now_us),
		.target = c->target,
		.dark = c->dark[f],
		.classic = c->classic,
		.packets_max = s->config.packets_max,
		.rate_pps = s->config.rate_pps,
		.before = s->knock.counts,
		.trail = s->config.trail};
	int err = knock_make_words(s, KNOCK_ASK, &config.ask);

	random_bytes(&s->config.random, config.random.seed, sizeof(config.random.seed));
	if (!err)
		err = knocker_create(&config, now_us, &s->knock.knocker);
	sodium_memzero(&config, sizeof(config));
	if (err) {
		session_fail(s, now_us, SESSION_BAD_PEER);
		return;
	}
	s->view.knocked = knocker_counts(s->knock.knocker);
	s->view.state = SESSION_WAITING;
	if (!s->view.registered_us)
		s->view.registered_us = now_us;
}

static bool is_pending(const struct session_main *m)
{
	return m->state == OPENING_WANTED || m->state == OPENING_ASKED;
}

static void want_far(struct session *s)
{
	unsigned used = s->main[knock_family(&s->config.knock.target)].socket;

	if (s->knock.far.state == OPENING_NONE && !s->config.knock.classic)
		s->knock.far =
			(struct session_main){.socket = SESSION_FURTHER + (used == SESSION_FURTHER),
				.state = OPENING_WANTED};
}

void knock_ask_give_up(struct session *s)
{
	s->knock.counts = *knocker_counts(s->knock.knocker);
	s->view.knocked = &s->knock.counts;
	knocker_destroy(s->knock.knocker);
	s->knock.knocker = NULL;
	s->view.state = SESSION_REGISTERING;
}

/* --- whether knocks leave the own NAT --- */

static void begin_egress(struct session *s, uint64_t now_us)
{
	int f = knock_family(&s->config.knock.target);
	const struct endpoint *server = &s->config.servers[f];
	struct knock_place place;
	struct random random;

	if (s->knock.egress_begun || s->config.knock.classic || server->family == FAMILY_NONE ||
		s->main[f].state != OPENING_DONE)
		return;
	s->knock.egress_begun = true;
	knock_place_at(&s->config.knock.key, 0, &place);
	random_bytes(&s->config.random, random.seed, sizeof(random.seed));
	egress_begin(&s->knock.egress, now_us, server, &place.dark[f], &random);
}

static bool poll_egress(
	struct session *s, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us)
{
	const struct knock_egress_result *r = &s->knock.egress.result;
	bool due = s->knock.egress_begun && s->view.state < SESSION_EXCHANGING &&
		egress_poll(&s->knock.egress, now_us, out, deadline_us);

	/* a datagram may still be let in, and it may be natprobed's own network that drops them: so it goes on */
	if (r->state == KNOCK_EGRESS_DROPPED && r->state != s->view.knock.egress.state)
		trail_step(s->config.trail, now_us,
			"egress: none of %u ICMP errors has arrived at natprobed", r->sent);
	s->view.knock.egress = *r;
	return due;
}

static bool take_egress(struct session *s, uint64_t now_us, const struct endpoint *from,
	const void *data, size_t length)
{
	int f = knock_family(&s->config.knock.target);

	return s->knock.egress_begun && endpoint_equal(from, &s->config.servers[f]) &&
		egress_input(&s->knock.egress, now_us, data, length);
}

/* --- knocking --- */

static void renew_main(struct session *s, uint64_t now_us, int f)
{
	if (s->main[f].state == OPENING_DONE)
		s->spent = s->main[f].socket;
	s->knock.port = knocking_port(s, now_us);
	s->main[f] = session_new_main(s);
	s->reflexive[f] = (struct query){.begun = false};
}

void knock_ask_advance(struct session *s, uint64_t now_us)
{
	int f = knock_family(&s->config.knock.target);

	if (s->knock.knocker && s->view.state == SESSION_WAITING &&
		knocker_is_over(s->knock.knocker)) {
		knock_ask_give_up(s);
		renew_main(s, now_us, f);
	} else if (!s->knock.knocker && !is_pending(&s->main[f]) &&
		s->knock.port != knocking_port(s, now_us)) {
		renew_main(s, now_us, f);
	}
	if (s->knock.knocker || s->view.state != SESSION_REGISTERING)
		return;
	if (s->main[f].state == OPENING_FAILED)
		session_fail(s, now_us, SESSION_NO_SOCKET);
	want_far(s);
	begin_egress(s, now_us);
	if (s->main[f].state == OPENING_DONE && knock_reflexive_is_known(s, f) &&
		!is_pending(&s->knock.far))
		begin_knocking(s, now_us);
}

/* The socket to which it has come is the one for the way. */
static void take_answer(struct session *s, uint64_t now_us, unsigned socket)
{
	const struct knock *answer = knocker_answer(s->knock.knocker);
	const struct endpoint *from = knocker_answer_from(s->knock.knocker);
	struct session_main *main = &s->main[knock_family(from)], before = *main;

	if (s->knock.far.state == OPENING_DONE && socket == s->knock.far.socket) {
		*main = s->knock.far;
		s->knock.far = before;
		if (session_has_ways(s))
			session_set_mains(s);
	}
	if (s->view.state == SESSION_PUNCHING && s->view.round)
		session_ways_add(s, now_us, CHECK_PEER_REFLEXIVE, from, true);
	else if (s->view.state == SESSION_WAITING)
		knock_meet(s, now_us, answer, from);
	s->view.knock.visitor = *from;
}

/* Who knocks has two sockets, and needs one in the end. */
static bool poll_far(struct session *s, struct session_output *out)
{
	struct session_main *far = &s->knock.far;

	if (far->state == OPENING_WANTED) {
		far->state = OPENING_ASKED;
		return session_want_open(out, far->socket, s->config.knock.target.family);
	}
	if (far->state != OPENING_DONE || s->view.state != SESSION_CONNECTED ||
		s->view.way.socket == far->socket)
		return false;
	far->state = OPENING_NONE;
	out->action = SESSION_CLOSE;
	out->socket = far->socket;
	return true;
}

/* Of those at the known port; of a search its size is enough. */
static void note_datagram(struct session *s, uint64_t now_us, const struct session_output *out)
{
	const struct trail_event e = {.t_us = now_us,
		.kind = TRAIL_SENT,
		.socket = out->socket,
		.to = out->to,
		.bytes = out->length,
		.ttl = out->ttl};

	if (out->action == SESSION_SEND && !knocker_is_searching(s->knock.knocker))
		trail_add(s->config.trail, &e);
}

static unsigned number_of(const struct session *s, unsigned socket)
{
	return socket == KNOCKER_FAR && s->knock.far.state == OPENING_DONE
		? s->knock.far.socket
		: s->main[knock_family(&s->config.knock.target)].socket;
}

bool knock_ask_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	struct knock_output k;

	if (poll_far(s, out))
		return true;
	if (poll_egress(s, now_us, &k, deadline_us)) {
		s->knock.egress_sent = true;
		return knock_carry(&k, number_of(s, KNOCKER_NEAR), out);
	}
	if (!s->knock.knocker || s->view.state >= SESSION_CONNECTED ||
		!knocker_poll(s->knock.knocker, now_us, &k, deadline_us))
		return false;
	s->knock.egress_sent = false;
	knock_carry(&k, number_of(s, k.socket), out);
	note_datagram(s, now_us, out);
	return true;
}

bool knock_ask_opened(struct session *s, unsigned socket, int error, const struct endpoint *local)
{
	struct session_main *far = &s->knock.far;

	if (far->state != OPENING_ASKED || far->socket != socket)
		return false;
	far->state = error ? OPENING_FAILED : OPENING_DONE;
	if (!error)
		far->local = *local;
	return true;
}

bool knock_ask_input(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length)
{
	if (take_egress(s, now_us, from, data, length))
		return true;
	if (s->config.knock.classic && !length)
		return true; /* it has opened the other NAT, and says nothing */
	if (!s->knock.knocker || !knocker_input(s->knock.knocker, now_us, from, data, length))
		return false;
	take_answer(s, now_us, socket);
	return true;
}

bool knock_ask_error(struct session *s, unsigned socket, const struct endpoint *to,
	const struct icmp_seen *error)
{
	if (socket == SESSION_RAW && s->knock.egress_sent)
		egress_unsent(&s->knock.egress);
	else if (socket == SESSION_RAW && s->knock.knocker)
		knocker_unsent(s->knock.knocker, -error->error);
	else if (error->local && s->knock.knocker &&
		endpoint_same_address(to, &s->config.knock.target))
		knocker_unsent_datagram(s->knock.knocker);
	/* of what opens the own NAT the end is meant to come early */
	return socket == SESSION_RAW ||
		(s->knock.knocker && s->view.state < SESSION_EXCHANGING && !error->local &&
			error->type == (to->family == FAMILY_IPV4 ? 11 : 3));
}

void knock_ask_again(struct session *s, uint64_t now_us)
{
	if (!s->knock.knocker)
		return;
	want_far(s);
	knocker_resume(s->knock.knocker, now_us);
}
