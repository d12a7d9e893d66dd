// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "punch/classic.h"
#include "punch/session_knock_private.h"

/* A session that waits for a knock: the sockets of its waiter, and who has come. */

int knock_wait_begin(struct session *s, uint64_t now_us)
{
	const struct session_knock *c = &s->config.knock;
	struct waiter_config config = {.key = c->key,
		.utc_us = s->config.utc_us,
		.from_count = c->from_count,
		.dark = {c->dark[0], c->dark[1]},
		.further = c->classic ? 0 : s->config.sockets_max,
		.classic = c->classic,
		.trail = s->config.trail};
	int err;

	memcpy(config.from, c->from, sizeof(config.from));
	random_bytes(&s->config.random, config.random.seed, sizeof(config.random.seed));
	err = waiter_create(&config, now_us, &s->knock.waiter);
	sodium_memzero(&config, sizeof(config));
	if (!err)
		s->view.waited = waiter_counts(s->knock.waiter);
	return err;
}

/* Where the visitor is: as it came, or as it says. */
static struct endpoint visitor_at(const struct waiter_visit *v)
{
	const struct hello *h = &v->ask.hello;
	struct endpoint best = v->from;

	for (size_t i = h->candidate_count; i-- > 0 && !v->datagram;)
		if (h->candidates[i].endpoint.family == v->local.family &&
			(!best.port || h->candidates[i].kind == CHECK_SERVER_REFLEXIVE ||
				!endpoint_is_private(&h->candidates[i].endpoint)))
			best = h->candidates[i].endpoint;
	return best;
}

/* The visitor before, if there was one, had its turn. */
static void receive_visitor(struct session *s, uint64_t now_us)
{
	const struct waiter_visit *v = waiter_visit(s->knock.waiter);
	int f = knock_family(&v->local);
	struct endpoint at = visitor_at(v);

	s->view.knock.visitor = v->from;

	session_ways_destroy(s);
	s->has_keys = false;
	if (s->main[f].state == OPENING_DONE && s->main[f].socket < SESSION_FURTHER)
		s->spent = s->main[f].socket;
	s->reflexive[f] = (struct query){.begun = false};
	s->main[f] = (struct session_main){
		.socket = SESSION_FURTHER + v->socket, .state = OPENING_DONE, .local = v->local};
	s->view.local[f] = v->local;
	s->knock.view.mapped = (struct endpoint){.family = FAMILY_NONE};
	if (knock_make_words(s, KNOCK_ANSWER, &s->knock.words)) {
		session_fail(s, now_us, SESSION_BAD_PEER);
		return;
	}
	waiter_answer(s->knock.waiter, now_us, &s->knock.words);
	knock_meet(s, now_us, &v->ask, &at);
}

static void heed(struct session *s, uint64_t now_us, enum waiter_heard heard)
{
	if (heard == WAITER_NEW)
		receive_visitor(s, now_us);
	else if (heard == WAITER_AGAIN && s->view.round && s->view.state == SESSION_PUNCHING)
		waiter_answer(s->knock.waiter, now_us, &s->knock.words);
}

void knock_wait_advance(struct session *s, uint64_t now_us)
{
	const struct waiter_counts *c = waiter_counts(s->knock.waiter);

	for (int f = 0; f < 2; f++)
		if (session_main_is_pending(s, f) || !knock_reflexive_is_known(s, f))
			return;
	if (s->view.state == SESSION_REGISTERING && c->flows) {
		s->view.state = SESSION_WAITING;
		s->view.registered_us = now_us;
	}
	if (s->view.state == SESSION_REGISTERING && !waiter_hopes(s->knock.waiter))
		session_fail(s, now_us, SESSION_NO_SOCKET);
}

static void rest(struct session *s)
{
	unsigned socket = s->view.way.socket;

	if (s->view.state == SESSION_CONNECTED && s->knock.waiter && !s->knock.rested)
		waiter_rest(s->knock.waiter, socket - SESSION_FURTHER);
	s->knock.rested = s->view.state == SESSION_CONNECTED;
}

bool knock_wait_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	struct knock_output k;

	rest(s);
	return waiter_poll(s->knock.waiter, now_us, &k, deadline_us) &&
		knock_carry(&k, SESSION_FURTHER + k.socket, out);
}

static bool is_waiters(unsigned socket)
{
	return socket >= SESSION_FURTHER && socket < SESSION_FURTHER + WAITER_SOCKETS;
}

bool knock_wait_opened(struct session *s, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local)
{
	if (is_waiters(socket))
		waiter_opened(s->knock.waiter, now_us, socket - SESSION_FURTHER, error, local);
	return is_waiters(socket);
}

bool knock_wait_input(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length)
{
	enum waiter_heard heard;

	if (!is_waiters(socket))
		return false;
	heard = waiter_input(s->knock.waiter, now_us, socket - SESSION_FURTHER, from, data, length);
	heed(s, now_us, heard);
	return heard != WAITER_NOTHING;
}

bool knock_wait_error(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *to, const struct icmp_seen *error, struct span quoted)
{
	bool dark =
		is_waiters(socket) && waiter_is_dark(s->knock.waiter, socket - SESSION_FURTHER, to);

	if (socket == SESSION_RAW || (dark && error->local))
		waiter_unsent(s->knock.waiter, -error->error);
	else if (dark)
		heed(s, now_us,
			waiter_error(s->knock.waiter, now_us, socket - SESSION_FURTHER,
				&error->offender, quoted.data, quoted.length));
	return dark || socket == SESSION_RAW;
}

void knock_wait_give_up(struct session *s, uint64_t now_us)
{
	waiter_resume(s->knock.waiter, now_us, true);
	for (int f = 0; f < 2; f++) /* it is the waiter's */
		s->main[f].state = OPENING_NONE;
	s->view.state = SESSION_WAITING;
}

void session_icmp(struct session *s, uint64_t now_us, const struct icmp_seen *error,
	const void *quoted, size_t length)
{
	if (s->knock.waiter && error->type == CLASSIC_EXCEEDED && !error->code)
		waiter_exceeded(
			s->knock.waiter, now_us, &error->offender, (struct span){quoted, length});
}
