// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "punch/checks_private.h"

/* What strategies need beside the known ways: further sockets, and guesses at ports. */

#define RATE_PPS	200
#define OPEN_EVERY_US	2000 /* one further socket after the other */
#define REFRESH_FEW_US	200000
#define REFRESH_MANY_US 5000000 /* Linux keeps an unanswered mapping for 30 s */
#define MANY		16
#define PASS_MIN_US	250000 /* the first one; the next ones are slower, since packets are few */

static const struct pair_role *role_of(const struct checks *c)
{
	return &c->attempt.role;
}

/* One that only the peer claims is sent a few packets at most. */
static bool has_target(const struct checks *c)
{
	return c->target.peer.family != FAMILY_NONE && checks_may_send(c, &c->target.peer, false);
}

static bool is_shy(const struct checks *c, uint64_t now_us)
{
	return role_of(c)->low_ttl && now_us < c->shy_until_us;
}

void checks_plan_begin(struct checks *c)
{
	const struct pair_role *role = role_of(c);

	c->extra_count = c->attempt.further || role->sockets > 1 ? role->sockets : 0;
	if (c->extra_count > CHECKS_SOCKETS)
		c->extra_count = CHECKS_SOCKETS;
	memset(c->extras, 0, sizeof(c->extras));
	c->guesses = (struct guesses){.count = 0};
}

void checks_plan_go(struct checks *c, uint64_t now_us)
{
	const struct pair_role *role = role_of(c);
	uint32_t rate = c->attempt.rate_pps ? c->attempt.rate_pps : RATE_PPS;

	for (unsigned i = 0; i < c->extra_count; i++)
		c->extras[i].next_us = now_us + i * OPEN_EVERY_US;
	c->guesses.next_us = now_us;
	c->guesses.interval_us = 1000000 / rate;
	if (role->targets == PAIR_KNOWN || !has_target(c) ||
		(role->targets == PAIR_PRESERVED && !c->target.port_count))
		return;
	c->guesses.count = role->guesses;
	guess_init(&c->guesses.order, role, &c->config.random);
}

unsigned checks_further(const struct checks *c)
{
	return c->extra_count;
}

bool checks_are_open(const struct checks *c)
{
	for (unsigned i = 0; i < c->extra_count; i++)
		if (c->extras[i].state == EXTRA_WANTED || c->extras[i].state == EXTRA_ASKED)
			return false;
	return true;
}

/* All further sockets but the one that was chosen are given back, before others get their numbers. */
void checks_plan_end(struct checks *c)
{
	for (unsigned i = 0; i < c->extra_count; i++) {
		unsigned socket = c->attempt.first_socket + i;

		if (c->extras[i].state == EXTRA_ASKED)
			c->late[c->late_count++] = socket;
		if (c->extras[i].state != EXTRA_OPEN ||
			(c->chosen && c->chosen->socket == socket) ||
			c->closing_count == CHECKS_SOCKETS)
			continue;
		c->closing[c->closing_count++] = socket;
		checks_ways_end(c, socket);
	}
	c->extra_count = 0;
	c->guesses.count = 0;
}

/* Whether it was of a plan that has ended meanwhile. */
static bool is_late(struct checks *c, unsigned socket)
{
	for (unsigned i = 0; i < c->late_count; i++) {
		if (c->late[i] != socket)
			continue;
		c->late[i] = c->late[--c->late_count];
		return true;
	}
	return false;
}

void checks_opened(struct checks *c, uint64_t now_us, unsigned socket, int error)
{
	unsigned place = socket - c->attempt.first_socket;

	if (is_late(c, socket)) {
		if (!error)
			c->closing[c->closing_count++] = socket;
		return;
	}
	if (place >= c->extra_count || c->extras[place].state != EXTRA_ASKED)
		return;
	c->extras[place].state = error ? EXTRA_GONE : EXTRA_OPEN;
	if (error)
		trail_step(c->config.trail, now_us, "socket: one more cannot be opened: %s",
			strerror(-error));
}

/* The one that the plan says; if it could not be opened, the next one. */
static unsigned socket_for(const struct checks *c, unsigned number)
{
	if (!c->extra_count)
		return c->main[c->attempt.family == FAMILY_IPV6];
	for (unsigned i = 0; i < c->extra_count; i++) {
		unsigned place = (pair_socket(role_of(c), number) + i) % c->extra_count;

		if (c->extras[place].state == EXTRA_OPEN)
			return c->attempt.first_socket + place;
	}
	return NO_SOCKET;
}

static void sooner(uint64_t *deadline_us, uint64_t at_us)
{
	if (at_us < *deadline_us)
		*deadline_us = at_us;
}

static bool poll_closing(struct checks *c, struct checks_output *out)
{
	if (!c->closing_count)
		return false;
	out->action = CHECKS_CLOSE;
	out->socket = c->closing[--c->closing_count];
	return true;
}

static bool poll_opening(struct checks *c, struct checks_output *out)
{
	if (c->late_count) /* they may have the same numbers */
		return false;
	for (unsigned i = 0; i < c->extra_count; i++) {
		if (c->extras[i].state != EXTRA_WANTED)
			continue;
		c->extras[i].state = EXTRA_ASKED;
		out->action = CHECKS_OPEN;
		out->socket = c->attempt.first_socket + i;
		out->to.family = c->attempt.family;
		return true;
	}
	return false;
}

/* How often each further socket may send: the other side's budget may make a plan long, and ours has to last. */
static unsigned openings(const struct checks *c)
{
	unsigned each = role_of(c)->packets / c->extra_count;

	return each ? each : 1;
}

static uint64_t refresh_us(const struct checks *c, const struct extra *e)
{
	return c->extra_count > MANY || e->sent > openings(c) / 2 ? REFRESH_MANY_US
								  : REFRESH_FEW_US;
}

/* Each further socket sends to the endpoint that is known, and keeps its mapping alive. */
static bool poll_openers(
	struct checks *c, uint64_t now_us, struct checks_output *out, uint64_t *deadline_us)
{
	uint64_t us;

	if (role_of(c)->targets != PAIR_KNOWN || !has_target(c))
		return false;
	for (unsigned i = 0; i < c->extra_count; i++) {
		struct extra *e = &c->extras[i];

		if (e->state != EXTRA_OPEN || e->sent >= openings(c))
			continue;
		if (e->next_us > now_us) {
			sooner(deadline_us, e->next_us);
			continue;
		}
		e->sent++;
		us = refresh_us(c, e);
		e->next_us =
			now_us + us - us / 4 + random_below(&c->config.random, (uint32_t)us / 2);
		checks_request(c, now_us, c->attempt.first_socket + i, &c->target.peer, NULL,
			is_shy(c, now_us), out);
		return true;
	}
	return false;
}

static void end_of_pass(struct guesses *g, uint64_t now_us, uint64_t begin_us)
{
	uint64_t pass_us = PASS_MIN_US << (g->pass < 4 ? g->pass : 4);

	g->next = 0;
	g->pass++;
	if (now_us - begin_us < pass_us)
		g->next_us = begin_us + pass_us;
}

static bool poll_guesses(
	struct checks *c, uint64_t now_us, struct checks_output *out, uint64_t *deadline_us)
{
	struct guesses *g = &c->guesses;
	struct endpoint to;
	unsigned socket;

	if (!g->count || !has_target(c) || (role_of(c)->packets && g->sent >= role_of(c)->packets))
		return false;
	if (g->next_us > now_us) {
		sooner(deadline_us, g->next_us);
		return false;
	}
	to = guess_endpoint(&g->order, &c->target, g->next);
	socket = socket_for(c, g->next);
	if (socket == NO_SOCKET)
		return false;
	g->next_us = now_us + g->interval_us * 3 / 4 +
		random_below(&c->config.random, (uint32_t)g->interval_us / 2 + 1);
	g->sent++;
	if (++g->next == g->count)
		end_of_pass(g, now_us, now_us - g->count * g->interval_us);
	if (!endpoint_is_unicast(&to)) { /* a port 0 that the peer has named */
		sooner(deadline_us, g->next_us);
		return false;
	}
	checks_request(c, now_us, socket, &to, NULL, is_shy(c, now_us), out);
	return true;
}

bool checks_plan_poll(
	struct checks *c, uint64_t now_us, struct checks_output *out, uint64_t *deadline_us)
{
	if (poll_closing(c, out))
		return true;
	if (!c->active || c->chosen)
		return false;
	if (poll_opening(c, out))
		return true;
	if (c->held)
		return false;
	return poll_openers(c, now_us, out, deadline_us) ||
		poll_guesses(c, now_us, out, deadline_us);
}

bool checks_plan_is_done(const struct checks *c)
{
	for (unsigned i = 0;
		i < c->extra_count && role_of(c)->targets == PAIR_KNOWN && has_target(c); i++)
		if (c->extras[i].state == EXTRA_OPEN && !c->extras[i].sent)
			return false;
	return !c->guesses.count || c->guesses.pass > 0 || !has_target(c);
}
