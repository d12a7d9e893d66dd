// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "judge/pair_private.h"

/* Which strategies two sides have, and in which order. */

/* While a mapping is not known, the known endpoint is tried before others. */
#define TRUST_MAPPING 700000
#define TRUST_OTHER   500000 /* and then it probably is dependent */
#define TRUST_UNHEARD 200000
#define PLANS_FIRST   2 /* of those that need a mapping that is not known */

/* --- parts of plans --- */

uint32_t pair_later(uint32_t a_us, uint32_t b_us)
{
	return a_us > UINT32_MAX - b_us ? UINT32_MAX : a_us + b_us;
}

uint32_t pair_time_us(unsigned packets, unsigned rate)
{
	uint64_t us = (uint64_t)packets * 1000000 / rate;

	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

unsigned pair_rate(const struct pair_case *c)
{
	return c->face[0].rate < c->face[1].rate ? c->face[0].rate : c->face[1].rate;
}

unsigned pair_in_time(const struct pair_case *c)
{
	uint64_t packets = (uint64_t)pair_rate(c) * PAIR_SENDING_US / 1000000;

	return packets > PAIR_MANY ? PAIR_MANY : (unsigned)packets;
}

struct pair_plan *pair_add(
	struct pair_case *c, enum pair_strategy strategy, uint32_t chance, const char *why)
{
	struct pair_plan *p = &c->out->plans[c->out->count];
	uint64_t ppm = (uint64_t)chance * c->trust / PAIR_MILLION;

	if (c->out->count == PAIR_PLANS)
		return NULL;
	c->out->count++;
	memset(p, 0, sizeof(*p)); /* plans may have been taken back */
	p->strategy = strategy;
	p->chance = (double)ppm / PAIR_MILLION;
	snprintf(p->why, sizeof(p->why), "%s", why);
	return p;
}

void pair_role_known(struct pair_role *r, unsigned sockets, unsigned packets)
{
	r->sockets = r->entries = sockets;
	r->targets = PAIR_KNOWN;
	r->guesses = 1;
	r->packets = packets;
}

void pair_why_not(struct pair_case *c, const char *format, ...)
{
	va_list arguments;

	if (c->out->why_not[0])
		return;
	va_start(arguments, format);
	vsnprintf(c->out->why_not, sizeof(c->out->why_not), format, arguments);
	va_end(arguments);
}

unsigned pair_socket(const struct pair_role *r, unsigned guess)
{
	/* over the whole span each socket is one further, so that all come to every place */
	if (r->span)
		guess = guess % r->span + guess / r->span;
	return r->sockets ? guess % r->sockets : 0;
}

unsigned pair_place(const struct pair_role *r, unsigned guess)
{
	unsigned place = r->span ? guess % r->span : guess;

	return r->ahead ? place + place % r->ahead : place;
}

uint16_t pair_sequence_port(const struct pair_role *r, uint16_t latest, unsigned guess)
{
	int64_t low = r->low && r->low <= r->high ? r->low : 1024;
	int64_t high = r->low && r->low <= r->high ? r->high : UINT16_MAX, count = high - low + 1;
	int64_t offset = latest - low + (int64_t)r->step * ((int64_t)pair_place(r, guess) + 1);

	return (uint16_t)(low + (offset % count + count) % count);
}

/* --- the plans --- */

static bool lets_in(const struct pair_face *f, enum pair_lets_in in)
{
	return f->in <= in && f->dependent == TRI_NO;
}

/* A known endpoint, and a filter that does not ask for the other's port: the rest does not matter. */
static bool is_reached(const struct pair_case *c)
{
	return lets_in(&c->face[0], PAIR_IN_ADDRESS) || lets_in(&c->face[1], PAIR_IN_ADDRESS);
}

/* The endpoints that the server sees may be enough. */
static bool may_meet(const struct pair_case *c)
{
	bool some = false, both = true;

	for (int i = 0; i < 2; i++) {
		const struct pair_face *f = &c->face[i];

		both &= f->dependent != TRI_YES;
		some |= f->in == PAIR_IN_ANY ||
			(f->in == PAIR_IN_ADDRESS && f->dependent == TRI_UNKNOWN);
	}
	return some || both;
}

/* Each of them known, or of one that a filter makes irrelevant: nothing is left to guess. */
static bool mapping_matters(const struct pair_case *c)
{
	for (int i = 0; i < 2; i++)
		if (c->face[i].in == PAIR_IN_ANY)
			return false;
	return c->face[0].dependent != TRI_NO || c->face[1].dependent != TRI_NO;
}

/* How hard its ports are to guess. */
static unsigned hardness(const struct pair_face *f)
{
	static const unsigned rank[] = {[ALLOCATION_PRESERVING] = 0,
		[ALLOCATION_SEQUENTIAL] = 1,
		[ALLOCATION_BAND] = 2,
		[ALLOCATION_RANDOM] = 3,
		[ALLOCATION_UNKNOWN] = 4};

	return rank[f->allocation] * 65536 + f->ports - 1;
}

/* The one whose ports are guessed; -1: neither, both ports have to fit. */
static int side_to_guess(const struct pair_case *c)
{
	const struct pair_face *a = &c->face[0], *b = &c->face[1];
	bool filter_a = a->in == PAIR_IN_ENDPOINT, filter_b = b->in == PAIR_IN_ENDPOINT;

	if (a->dependent == TRI_NO || b->dependent == TRI_NO)
		return a->dependent == TRI_NO;
	if (a->dependent != b->dependent) /* the one that is known to be dependent */
		return b->dependent == TRI_YES;
	if (a->dependent == TRI_YES && filter_a && filter_b)
		return -1;
	if (a->dependent == TRI_YES && filter_a != filter_b) /* the one that lets in any port */
		return filter_a;
	return hardness(b) < hardness(a);
}

static void guess_one(struct pair_case *c, int hard)
{
	pair_predict(c, hard);
	pair_birthday(c, hard, false);
}

/* Either may be the one whose ports are guessed: what costs little first. */
static void guess_either(struct pair_case *c, int first)
{
	pair_predict(c, first);
	pair_predict(c, !first);
	pair_birthday(c, first, true);
	pair_birthday(c, !first, true);
}

static void guess(struct pair_case *c)
{
	const struct pair_face *a = &c->face[0], *b = &c->face[1];
	int hard = side_to_guess(c);

	if (hard >= 0 && a->dependent == TRI_UNKNOWN && b->dependent == TRI_UNKNOWN)
		guess_either(c, hard);
	else if (hard >= 0)
		guess_one(c, hard);
	/* the easier one may be no easier */
	if (hard < 0 || a->dependent + b->dependent == TRI_YES + TRI_UNKNOWN)
		pair_both(c);
}

static void plan(struct pair_case *c)
{
	bool known = c->face[0].dependent != TRI_UNKNOWN && c->face[1].dependent != TRI_UNKNOWN;
	bool unheard = c->face[0].unheard || c->face[1].unheard;
	bool reached = is_reached(c), matters = mapping_matters(c);

	if (reached || unheard || may_meet(c)) {
		c->trust = known || reached || !matters ? PAIR_MILLION : TRUST_MAPPING;
		if (unheard)
			c->trust = TRUST_UNHEARD;
		pair_meet(c, unheard ? 1 : !reached && matters ? PLANS_FIRST : PAIR_PLANS);
	}
	if (reached || unheard)
		return;
	c->trust = known ? PAIR_MILLION : TRUST_OTHER;
	if (c->face[0].dependent != TRI_NO || c->face[1].dependent != TRI_NO)
		guess(c);
}

static bool is_nothing_left(struct pair_case *c)
{
	int blocked = 0, unheard = 0;

	for (int i = 0; i < 2; i++) {
		blocked += c->face[i].side->status == PATH_BLOCKED;
		unheard += c->face[i].unheard;
	}
	if (blocked)
		pair_why_not(c, "UDP is blocked on %s: a relay, or TCP, is left",
			blocked == 2 ? "both sides" : "one side");
	else if (unheard == 2)
		pair_why_not(c,
			"no server has answered either side over UDP, so there is no endpoint "
			"to send to: a relay, or TCP, is left");
	return c->out->why_not[0];
}

/* What is the same for all plans, and the limits. */
static void finish(struct pair_case *c)
{
	for (size_t i = 0; i < c->out->count; i++) {
		struct pair_plan *p = &c->out->plans[i];

		for (int k = 0; k < 2; k++) {
			if (p->role[k].packets > c->face[k].packets)
				p->role[k].packets = c->face[k].packets;
			p->role[k].fresh = i && c->face[k].moves != TRI_NO;
		}
		pair_cost(p);
	}
	if (c->out->count)
		c->out->why_not[0] = '\0';
}

static void exchange_roles(struct pair_advice *a)
{
	for (size_t i = 0; i < a->count; i++) {
		struct pair_role first = a->plans[i].role[0];

		a->plans[i].role[0] = a->plans[i].role[1];
		a->plans[i].role[1] = first;
	}
}

void pair_advise(const struct pair_side sides[2], struct pair_advice *out)
{
	bool exchanged = pair_side_compare(&sides[0], &sides[1]) > 0;
	struct pair_case c = {.trust = PAIR_MILLION, .out = out};

	memset(out, 0, sizeof(*out));
	pair_face_of(&sides[exchanged], &c.face[0]);
	pair_face_of(&sides[!exchanged], &c.face[1]);
	if (!is_nothing_left(&c))
		plan(&c);
	finish(&c);
	if (exchanged)
		exchange_roles(out);
}
