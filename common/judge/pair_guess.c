// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>

#include "judge/pair_private.h"

/*
 * The ports of one side, the hard one, are not known. It opens some, with a packet from each of its sockets to the
 * other's known endpoint, and the other guesses them. A guess at an open port gets in, and has opened the way
 * back before.
 */

#define PREDICTED_SOCKETS 4
#define WIDER		  96
#define WIDER_SOCKETS	  16
#define ROUNDS		  3 /* of few guesses: packets get lost */
#define FEW		  32

#define CHANCE_NAMED	  700000 /* "mostly" keeps its port */
#define CHANCE_SEQUENCE	  850000 /* estimates: others use the NAT, too */
#define CHANCE_WIDER	  400000
#define CHANCE_SUPPOSED	  200000 /* nothing known of the allocation: many are sequential */

#define BIRTHDAY_WANTED	  980000
#define BIRTHDAY_WORTH	  200000
#define OPENERS_AGAIN_US  10000000u /* NATs forget what was not answered after 20 to 30 s */

/*
 * Where early packets may cost the easy side its port, and the hard side's filter looks at ports, the easy side has
 * to send first. Otherwise it is second: then no guess is too early for the port that it guesses, whatever the
 * hard side's NAT does with those.
 */
static bool easy_first(const struct pair_case *c, int hard)
{
	return c->face[!hard].moves != TRI_NO && c->face[hard].in == PAIR_IN_ENDPOINT;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* --- prediction --- */

struct prediction {
	enum pair_targets targets;
	unsigned guesses, sockets;
	uint32_t chance;
	const char *why;
};

static void add_prediction(struct pair_case *c, int hard, const struct prediction *what)
{
	const struct pair_face *h = &c->face[hard], *e = &c->face[!hard];
	struct pair_plan *p = pair_add(c, PAIR_PREDICTION, what->chance, what->why);
	unsigned sockets = least(what->sockets, least(h->sockets, h->packets));
	unsigned most = pair_in_time(c) - sockets;
	struct pair_role *r;

	if (!p)
		return;
	pair_role_known(&p->role[hard], sockets, sockets * ROUNDS);
	r = &p->role[!hard];
	pair_role_known(r, 1, 0);
	r->targets = what->targets;
	r->guesses = what->targets == PAIR_PRESERVED ? sockets : what->guesses;
	r->guesses = least(r->guesses, least(e->packets, most));
	r->span = r->guesses;
	if (r->targets == PAIR_SEQUENCE) {
		r->step = h->step;
		r->low = h->low;
		r->high = h->high;
	}
	r->entries = r->guesses;
	r->packets = least(r->guesses * ROUNDS, most);
	p->role[easy_first(c, hard) ? hard : !hard].second = true;
	p->rate_pps = r->guesses > FEW ? pair_rate(c) : 0;
	p->give_up_us = pair_later(PAIR_TRY_US + PAIR_TOLD_US,
		pair_time_us(p->rate_pps ? r->packets + sockets : 0, pair_rate(c)));
}

static void predict_names(struct pair_case *c, int hard)
{
	static const struct prediction named = {PAIR_PRESERVED, 0, PREDICTED_SOCKETS, CHANCE_NAMED,
		"one side's NAT shows each peer another port, but a new socket mostly keeps "
		"its own, so that side names the ports of new ones"};

	add_prediction(c, hard, &named);
}

static void predict_sequence(struct pair_case *c, int hard)
{
	static const struct prediction next = {PAIR_SEQUENCE, PAIR_PREDICTED, PREDICTED_SOCKETS,
		CHANCE_SEQUENCE,
		"one side's NAT shows each peer another port, but new ports follow each other, "
		"so the other sends to the next ones"};
	static const struct prediction wider = {PAIR_SEQUENCE, WIDER, WIDER_SOCKETS, CHANCE_WIDER,
		"others may use the same NAT and take ports in between, so more sockets and "
		"more of the next ports"};

	add_prediction(c, hard, &next);
	if (c->face[!hard].packets > PAIR_PREDICTED) /* else it is the same again */
		add_prediction(c, hard, &wider);
}

static void predict_supposed(struct pair_case *c, int hard)
{
	static const struct prediction supposed = {PAIR_SEQUENCE, PAIR_PREDICTED, PREDICTED_SOCKETS,
		CHANCE_SUPPOSED,
		"how one side's NAT chooses ports is not known; if they follow each other, a "
		"few packets to the next ones are enough"};

	add_prediction(c, hard, &supposed);
}

void pair_predict(struct pair_case *c, int hard)
{
	switch (c->face[hard].allocation) {
	case ALLOCATION_PRESERVING:
		predict_names(c, hard);
		break;
	case ALLOCATION_SEQUENTIAL:
		predict_sequence(c, hard);
		break;
	case ALLOCATION_UNKNOWN:
		predict_supposed(c, hard);
		break;
	case ALLOCATION_BAND:
	case ALLOCATION_RANDOM:
		break;
	}
}

/* --- birthday --- */

struct birthday {
	unsigned sockets, guesses;
	uint32_t chance;
};

/* The fewer ports there are, the fewer of them may be taken: a block is what a subscriber has for all. */
static unsigned openers(unsigned ports)
{
	if (ports > PAIR_BAND_MAX)
		return 256;
	if (ports > PAIR_BAND_MAX / 2)
		return 128;
	return ports > 4 * 64 ? 64 : ports / 4 + 1;
}

static unsigned rounded(unsigned guesses)
{
	return guesses > 256 ? (guesses + 127) / 128 * 128 : guesses;
}

static void size_birthday(const struct pair_case *c, int hard, struct birthday *out)
{
	const struct pair_face *h = &c->face[hard], *e = &c->face[!hard];
	unsigned most = pair_in_time(c);

	/* once before the guesses and once after them, and still most of the time is for these */
	out->sockets = least(least(openers(h->ports), most / 4), least(h->sockets, h->packets));
	most = least(most - 2 * out->sockets, e->packets);
	out->guesses = rounded(pair_guesses_for(h->ports, out->sockets, BIRTHDAY_WANTED, most));
	out->guesses = least(out->guesses, least(h->ports, most));
	out->chance = pair_hit_ppm(h->ports, out->sockets, out->guesses);
}

/* why goes on after the number of ports */
static struct pair_plan *add_birthday(
	struct pair_case *c, int hard, const struct birthday *b, const char *why)
{
	const struct pair_face *h = &c->face[hard];
	struct pair_plan *p = pair_add(c, PAIR_BIRTHDAY, b->chance, "");
	uint32_t us = pair_time_us(b->sockets + b->guesses, pair_rate(c));
	struct pair_role *r;

	if (!p)
		return NULL;
	snprintf(p->why, sizeof(p->why), "one side's port is one of %u%s", h->ports, why);
	pair_role_known(&p->role[hard], b->sockets, b->sockets * (1 + us / OPENERS_AGAIN_US));
	r = &p->role[!hard];
	pair_role_known(r, 1, b->guesses > WIDER ? b->guesses : b->guesses * ROUNDS);
	r->targets = PAIR_BAND;
	r->guesses = r->entries = b->guesses;
	r->low = h->low;
	r->high = h->high;
	p->rate_pps = pair_rate(c);
	p->give_up_us = pair_later(us, PAIR_TRY_US + PAIR_TOLD_US);
	return p;
}

/* The openers must not arrive before the guesses are out, but should open the hard side's NAT. */
static void birthday_low_ttl(struct pair_case *c, int hard, const struct birthday *b)
{
	struct pair_plan *p = add_birthday(c, hard, b,
		", and early packets may move the other's: the one side opens many with "
		"packets that end on the way, and the other guesses");
	struct pair_role *r;

	if (!p)
		return;
	r = &p->role[hard];
	r->low_ttl = pair_low_ttl(&c->face[hard], 0);
	r->low_ttl_us = pair_later(pair_phase_us(c), p->give_up_us - PAIR_TRY_US);
	r->packets += r->sockets; /* once more, so that they arrive where guesses went */
	p->role[!hard].second = true;
	p->give_up_us = pair_later(
		r->low_ttl_us, pair_later(PAIR_TRY_US, pair_time_us(r->sockets, p->rate_pps)));
}

static void birthday_ordered(struct pair_case *c, int hard, const struct birthday *b)
{
	struct birthday again = {b->sockets, b->guesses, b->chance / 2};
	struct pair_plan *p = add_birthday(c, hard, &again,
		", and what should have ended on the way may have arrived: now all guesses go "
		"out first, and then the many sockets send");

	if (p)
		p->role[hard].second = true;
}

static void say_too_few(struct pair_case *c, int hard, const struct birthday *b)
{
	unsigned ports = c->face[hard].ports, sockets = openers(ports);
	unsigned guesses = rounded(pair_guesses_for(ports, sockets, BIRTHDAY_WANTED, ports));

	pair_why_not(c,
		"one side's port is one of %u: a chance of 98 %% takes %u sockets and %u "
		"guesses, %u s at %u a second; the budgets allow %u and %u, a chance of %u in "
		"1000; a relay is left",
		ports, sockets, guesses, (guesses + pair_rate(c) - 1) / pair_rate(c), pair_rate(c),
		b->sockets, b->guesses, b->chance / 1000);
}

void pair_birthday(struct pair_case *c, int hard, bool once)
{
	struct pair_plan *p;
	struct birthday b;

	size_birthday(c, hard, &b);
	if (b.chance < BIRTHDAY_WORTH) {
		say_too_few(c, hard, &b);
		return;
	}
	if (easy_first(c, hard)) {
		birthday_low_ttl(c, hard, &b);
		if (!once)
			birthday_ordered(c, hard, &b);
		return;
	}
	p = add_birthday(c, hard, &b,
		", which nobody can know before: it opens many of them, and the other guesses "
		"until one fits");
	if (p)
		p->role[!hard].second = true;
}
