// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "judge/pair_private.h"

/*
 * The ports of neither side are known, and both let in only what comes from where they have sent: each packet has
 * a port of its own and goes to one, and two have to cross that fit at both ends.
 */

#define WIDER  64
#define AHEAD  16 /* so many ports may others have taken, on both sides together */
#define WINDOW 64 /* ports of a sequence that are tried against a band */

/* Estimates: who else uses the NATs decides. */
#define CHANCE_NAMED	600000
#define CHANCE_SEQUENCE 600000
#define CHANCE_WIDER	300000
#define CHANCE_SUPPOSED 100000
#define TRUST_SEQUENCE	850000

/* exp(-2.9957) is 5 %, exp(-0.6931) is half */
#define WANTED_10000 29957u
#define WORTH_10000  6931u
#define SOCKETS_MANY 64

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static bool predictable(const struct pair_face *f)
{
	return f->allocation == ALLOCATION_SEQUENTIAL || f->allocation == ALLOCATION_PRESERVING;
}

/* Packets that can be sent by each side in one attempt. */
static unsigned affordable(const struct pair_case *c)
{
	return least(pair_in_time(c), least(c->face[0].packets, c->face[1].packets));
}

static void aim_at_band(struct pair_role *r, const struct pair_face *peer)
{
	r->targets = PAIR_BAND;
	r->low = peer->low;
	r->high = peer->high;
}

static void aim_at_next(struct pair_role *r, const struct pair_face *peer, unsigned span)
{
	r->span = span;
	if (peer->allocation == ALLOCATION_PRESERVING) {
		r->targets = PAIR_PRESERVED;
		return;
	}
	r->targets = PAIR_SEQUENCE;
	r->step = peer->step;
	r->low = peer->low;
	r->high = peer->high;
}

static void spend(struct pair_role *r, unsigned sockets, unsigned packets)
{
	pair_role_known(r, sockets, packets);
	r->guesses = r->entries = packets;
}

static void add_time(struct pair_case *c, struct pair_plan *p, unsigned packets)
{
	p->rate_pps = pair_rate(c);
	p->give_up_us = pair_later(
		pair_time_us(packets, p->rate_pps), pair_later(PAIR_TRY_US, pair_phase_us(c)));
}

/* --- sequence against sequence --- */

/* One socket for each packet, so that each has a new port even if the mapping looks at addresses only. */
static void add_sequences(
	struct pair_case *c, unsigned guesses, unsigned ahead, uint32_t chance, const char *why)
{
	unsigned count = least(guesses, affordable(c));
	struct pair_plan *p = pair_add(c, PAIR_PREDICTION, chance, why);

	if (!p)
		return;
	count = least(count, least(c->face[0].sockets, c->face[1].sockets));
	for (int i = 0; i < 2; i++) {
		spend(&p->role[i], count, count);
		aim_at_next(&p->role[i], &c->face[!i], count);
	}
	/* the other's pairs are shifted by more and more, so that some fit whatever others have taken */
	if (p->role[1].targets == PAIR_SEQUENCE)
		p->role[1].ahead = ahead;
	else if (p->role[0].targets == PAIR_SEQUENCE)
		p->role[0].ahead = ahead;
	add_time(c, p, count);
	if (count <= PAIR_PREDICTED)
		p->rate_pps = 0;
}

static void sequences(struct pair_case *c)
{
	const struct pair_face *a = &c->face[0], *b = &c->face[1];

	if (a->allocation == ALLOCATION_UNKNOWN || b->allocation == ALLOCATION_UNKNOWN) {
		add_sequences(c, PAIR_PREDICTED, 0, CHANCE_SUPPOSED,
			"both NATs show each peer another port, and how they choose is not "
			"known; if ports follow each other, a few packets are enough");
		return;
	}
	if (a->allocation == ALLOCATION_PRESERVING && b->allocation == ALLOCATION_PRESERVING) {
		add_sequences(c, PAIR_PREDICTED, 0, CHANCE_NAMED,
			"both NATs show each peer another port, but new sockets mostly keep "
			"their own, so both sides name the ports of new ones");
		return;
	}
	add_sequences(c, PAIR_PREDICTED, 0, CHANCE_SEQUENCE,
		"both NATs show each peer another port, but one can tell which comes next, so "
		"both send to the other's next ports in the same order");
	add_sequences(c, WIDER, AHEAD, CHANCE_WIDER,
		"others may use the NATs and take ports in between, so one side looks further "
		"and further ahead while both go on");
}

/* --- sequence against band --- */

static unsigned divided_up(uint64_t a, unsigned b)
{
	return (unsigned)((a + b - 1) / b);
}

static void say_too_many(struct pair_case *c, uint64_t packets, const char *who)
{
	unsigned rate = pair_rate(c);

	pair_why_not(c,
		"both ports of a pair have to be met: %s would have to send %llu packets for 95 "
		"%%, %llu s at %u a second; the budgets allow %u; a relay is left",
		who, (unsigned long long)packets, (unsigned long long)((packets + rate - 1) / rate),
		rate, affordable(c));
}

/* How many of the next ports: enough for all that the other side's sockets have to send. */
static unsigned window_for(const struct pair_case *c, int sequence, uint64_t wanted)
{
	const struct pair_face *s = &c->face[sequence], *b = &c->face[!sequence];
	unsigned window = divided_up(wanted, b->sockets);
	/* without a new port for each packet, or where it is the socket's own, as many as sockets */
	bool by_socket = s->side->mapping != DEPENDENCE_ADDRESS_AND_PORT ||
		s->allocation == ALLOCATION_PRESERVING;
	uint64_t most = (uint64_t)s->sockets * (by_socket ? 1 : b->ports);

	window = window < WINDOW ? WINDOW : window;
	window = most < window ? (unsigned)most : window;
	return least(least(window, s->ports), affordable(c));
}

/*
 * The one side sends from the next ports of its sequence, each time to a port of the band. The other sends to all
 * of these from each of its sockets, with another port of its band each time: each of its packets meets with a
 * chance of one in the ports of its band.
 */
static void sequence_and_band(struct pair_case *c, int sequence)
{
	const struct pair_face *s = &c->face[sequence], *b = &c->face[!sequence];
	uint64_t wanted = (uint64_t)b->ports * WANTED_10000 / 10000;
	unsigned window = window_for(c, sequence, wanted);
	unsigned sockets = least(divided_up(wanted, window), b->sockets);
	uint32_t trust = c->trust;
	struct pair_plan *p;

	sockets = least(sockets, affordable(c) / window);
	if ((uint64_t)sockets * window * 10000 < (uint64_t)b->ports * WORTH_10000) {
		say_too_many(c, wanted, "the side with random ports");
		return;
	}
	c->trust = (uint32_t)((uint64_t)trust * TRUST_SEQUENCE / PAIR_MILLION);
	p = pair_add(c, PAIR_BOTH_HARD, pair_both_ppm(1, 1, b->ports, sockets * window),
		"both NATs show each peer another port, the one the next, the other any of a "
		"band: there are few enough pairs of ports to meet in one");
	c->trust = trust;
	if (!p)
		return;
	spend(&p->role[sequence], least(window, s->sockets), window);
	aim_at_band(&p->role[sequence], b);
	spend(&p->role[!sequence], sockets, sockets * window);
	aim_at_next(&p->role[!sequence], s, window);
	add_time(c, p, sockets * window);
}

/* --- band against band --- */

static uint64_t root(uint64_t square)
{
	uint64_t r = 0;

	for (uint64_t bit = 1u << 31; bit; bit >>= 1)
		if ((r + bit) * (r + bit) <= square)
			r += bit;
	return r;
}

/* Enough that none of them has to send twice to a port; more where the port depends on the address alone. */
static unsigned sockets_for(
	const struct pair_face *me, const struct pair_face *peer, unsigned packets)
{
	unsigned sockets = divided_up(packets, peer->ports);

	if (me->side->mapping != DEPENDENCE_ADDRESS_AND_PORT && sockets < SOCKETS_MANY)
		sockets = SOCKETS_MANY;
	if (sockets < 2)
		sockets = 2;
	return least(sockets, least(packets, me->sockets));
}

/*
 * A NAT that gives a port to no second peer has no more mappings than ports: there the chance stays below two
 * thirds. Whether it does is not known; those of Linux do not.
 */
static void bands(struct pair_case *c)
{
	const struct pair_face *a = &c->face[0], *b = &c->face[1];
	uint64_t pairs = (uint64_t)a->ports * b->ports;
	uint64_t wanted = root(pairs * WANTED_10000 / 10000);
	unsigned packets = affordable(c);
	struct pair_plan *p;

	if (!wanted)
		wanted = 1;
	if (wanted < packets)
		packets = (unsigned)wanted;
	for (int i = 0; i < 2; i++) {
		uint64_t most = (uint64_t)c->face[i].sockets * c->face[!i].ports;

		packets = most < packets ? (unsigned)most : packets;
	}
	if ((uint64_t)packets * packets * 10000 < pairs * WORTH_10000) {
		say_too_many(c, wanted, "each side");
		return;
	}
	p = pair_add(c, PAIR_BOTH_HARD, pair_both_ppm(a->ports, packets, b->ports, packets),
		"both NATs show each peer another port at random, but there are few enough "
		"pairs of ports to meet in one by chance");
	for (int i = 0; p && i < 2; i++) {
		spend(&p->role[i], sockets_for(&c->face[i], &c->face[!i], packets), packets);
		aim_at_band(&p->role[i], &c->face[!i]);
	}
	if (p)
		add_time(c, p, packets);
}

void pair_both(struct pair_case *c)
{
	const struct pair_face *a = &c->face[0], *b = &c->face[1];
	bool unknown_a = a->allocation == ALLOCATION_UNKNOWN;
	bool unknown_b = b->allocation == ALLOCATION_UNKNOWN;

	if ((predictable(a) || unknown_a) && (predictable(b) || unknown_b))
		sequences(c);
	else if (predictable(a) || predictable(b))
		sequence_and_band(c, predictable(b));
	else
		bands(c);
}
