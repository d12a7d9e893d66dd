// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>

#include "judge/pair_tcp_private.h"

/*
 * The ports of one side, or both, have to be guessed: which, and how many, is the same as over UDP. But a guess is
 * a connection that waits until somebody refuses it, and an entry in routers for minutes: luck has to be nearly
 * sure before it is worth that.
 */

#define WORTH_PPM   900000
#define WORTH_10000 23026u /* exp(-2.3026) is 10 % */
#define WORTH_BANDS \
	16094u /* exp(-1.6094) is 20 %: nothing else is left, and the bands look wider than they are */

/* Estimates, in millionths, for what is not luck. */
#define CHANCE_MET     970000 /* that the two SYNs of ports that fit open the connection */
#define CHANCE_ORDERED 980000
#define CHANCE_UNSURE  900000

/* --- what is guessed --- */

static unsigned connections_of(const struct pair_role *r)
{
	return r->targets == PAIR_KNOWN ? r->sockets : r->guesses;
}

static unsigned ports_of(const struct pair_role *r)
{
	return (unsigned)(r->high - r->low) + 1;
}

/* Where both ports have to fit: how many of the tries fit on average, times 10000. */
static unsigned fits_10000(const struct pair_plan *p)
{
	uint64_t pairs = 1, tries = 10000;

	for (int i = 0; i < 2; i++) {
		const struct pair_role *r = &p->role[i], *peer = &p->role[!i];

		if (r->targets != PAIR_BAND) /* the next ports of a sequence, one after the other */
			continue;
		pairs *= ports_of(r);
		tries *= peer->guesses;
	}
	return tries / pairs > UINT32_MAX ? UINT32_MAX : (unsigned)(tries / pairs);
}

/* The side whose ports alone are guessed; -1: both sides'. */
static int hard_side(const struct pair_plan *p)
{
	if (p->role[0].targets == PAIR_KNOWN)
		return 0;
	return p->role[1].targets == PAIR_KNOWN ? 1 : -1;
}

/* The chance that luck is enough, in millionths: other estimates aside. */
static uint32_t luck_of(const struct pair_plan *p)
{
	int hard = hard_side(p);

	if (hard >= 0)
		return pair_hit_ppm(
			ports_of(&p->role[!hard]), p->role[hard].sockets, p->role[!hard].guesses);
	return pair_both_ppm(1, 1, 10000, fits_10000(p));
}

/* In integers, as all decisions. */
static bool is_worth(const struct pair_plan *p)
{
	bool bands = p->role[0].targets == PAIR_BAND && p->role[1].targets == PAIR_BAND;

	if (p->strategy == PAIR_PREDICTION)
		return true;
	if (hard_side(p) >= 0)
		return luck_of(p) >= WORTH_PPM;
	return fits_10000(p) >= (bands ? WORTH_BANDS : WORTH_10000);
}

static enum pair_tcp_strategy strategy_of(const struct pair_tcp_case *c, const struct pair_plan *p)
{
	if (p->strategy == PAIR_PREDICTION)
		return PAIR_TCP_PREDICTION;
	if (p->strategy == PAIR_BOTH_HARD)
		return PAIR_TCP_BOTH_HARD;
	return c->udp.face[hard_side(p)].allocation == ALLOCATION_BAND ? PAIR_TCP_BAND
								       : PAIR_TCP_BIRTHDAY;
}

/* --- when --- */

/*
 * When both refuse, no connection waits for the other side's guess. Two sequences that begin in the same moment may
 * meet once; in the laboratory further tries never did.
 */
static bool is_refused(const struct pair_tcp_case *c, const struct pair_plan *p)
{
	bool strict = c->face[0].strict || c->face[1].strict;

	return c->order == PAIR_TCP_CROSS && (strict || p->strategy != PAIR_PREDICTION);
}

/* That the order is right, in millionths. */
static uint32_t chance_of_order(const struct pair_tcp_case *c)
{
	switch (c->order) {
	case PAIR_TCP_FIRST_0:
	case PAIR_TCP_FIRST_1:
		return CHANCE_ORDERED;
	case PAIR_TCP_UNSURE:
		return CHANCE_UNSURE;
	case PAIR_TCP_CROSS:
		return pair_tcp_crossing(c);
	case PAIR_TCP_ANY_ORDER:
	case PAIR_TCP_NO_ORDER:
		break;
	}
	return PAIR_MILLION;
}

static bool has_order(const struct pair_tcp_case *c)
{
	return c->order == PAIR_TCP_FIRST_0 || c->order == PAIR_TCP_FIRST_1;
}

/* Connections in the time that the plan takes: the sides begin theirs at once, or the second after the first. */
static unsigned one_after_another(const struct pair_tcp_case *c, const struct pair_plan *p)
{
	unsigned a = connections_of(&p->role[0]), b = connections_of(&p->role[1]);

	if (has_order(c))
		return a + b;
	return a > b ? a : b;
}

static uint32_t time_of(const struct pair_tcp_case *c, const struct pair_plan *p)
{
	uint32_t us = pair_time_us(one_after_another(c, p), pair_rate(&c->udp));

	return pair_later(
		us, PAIR_TCP_TRY_US + (has_order(c) ? PAIR_TOLD_US : pair_phase_us(&c->udp)));
}

/* --- words --- */

static void why_one(const struct pair_tcp_case *c, const struct pair_plan *p, char out[PAIR_TEXT])
{
	int hard = hard_side(p);
	const struct pair_role *easy = &p->role[!hard];
	const char *why;

	if (easy->targets == PAIR_BAND) {
		snprintf(out, PAIR_TEXT,
			"one side's port is one of %u: it connects from several ports of its own, "
			"and the other to several of these, so that two fit",
			ports_of(easy));
		return;
	}
	if (easy->targets == PAIR_PRESERVED)
		why = "one side's NAT shows each peer another port, but a new socket mostly keeps "
		      "its own, so that side names the ports of new ones";
	else if (easy->guesses > PAIR_PREDICTED)
		why = "others may use the same NAT and take ports in between, so more sockets and "
		      "more of the next ports";
	else if (c->udp.face[hard].allocation == ALLOCATION_UNKNOWN)
		why = "how one side's NAT chooses ports is not known; if they follow each other, "
		      "connections to the next ones are enough";
	else
		why = "one side's NAT shows each peer another port, but new ports follow each "
		      "other, so the other connects to the next ones";
	snprintf(out, PAIR_TEXT, "%s", why);
}

static void why_both(const struct pair_tcp_case *c, const struct pair_plan *p, char out[PAIR_TEXT])
{
	const char *why;

	if (p->strategy == PAIR_BOTH_HARD)
		why = "both NATs show each peer another port, but there are few enough pairs of "
		      "ports to meet in one by chance";
	else if (p->role[0].ahead || p->role[1].ahead)
		why = "others may use the NATs and take ports in between, so one side looks "
		      "further and further ahead while both go on";
	else if (c->udp.face[0].allocation == ALLOCATION_UNKNOWN ||
		c->udp.face[1].allocation == ALLOCATION_UNKNOWN)
		why = "both NATs show each peer another port, and how they choose is not known; if "
		      "ports follow each other, a few connections are enough";
	else
		why = "both NATs show each peer another port, but it can be told which come next, "
		      "so both connect to the other's next ones in the same order";
	snprintf(out, PAIR_TEXT, "%s", why);
}

/* The plan that unlimited budgets would allow; NULL: none guesses more than a few ports. */
static const struct pair_plan *lucky_plan(const struct pair_tcp_case *c, struct pair_advice *needed)
{
	struct pair_side rich[2] = {c->side[0], c->side[1]};

	for (int i = 0; i < 2; i++) {
		rich[i].packets_max = rich[i].rate_pps = PAIR_MANY;
		rich[i].sockets_max = UINT16_MAX;
	}
	pair_advise(rich, needed);
	for (size_t i = 0; i < needed->count; i++)
		if (needed->plans[i].strategy > PAIR_PREDICTION)
			return &needed->plans[i];
	return NULL;
}

static void say_numbers(struct pair_tcp_case *c, const struct pair_plan *p)
{
	unsigned rate = pair_rate(&c->udp);

	snprintf(c->out->why_not, sizeof(c->out->why_not),
		"%s to be guessed: %u %% takes %u and %u half-open connections, %u s at %u a "
		"second; "
		"the budgets allow %u and %u in a minute: UDP, or a relay, is left",
		hard_side(p) < 0 ? "both ports have" : "one side's port has",
		(luck_of(p) + PAIR_MILLION / 200) / (PAIR_MILLION / 100),
		connections_of(&p->role[0]), connections_of(&p->role[1]),
		(one_after_another(c, p) + rate - 1) / rate, rate, c->udp.face[0].sockets,
		c->udp.face[1].sockets);
}

void pair_tcp_say_why_not(struct pair_tcp_case *c)
{
	struct pair_advice needed;
	const struct pair_plan *p = lucky_plan(c, &needed);
	const char *why = "there is no endpoint to connect to, and none can be guessed: UDP, or a "
			  "relay, is left";

	if (c->order == PAIR_TCP_NO_ORDER)
		why = "neither NAT lets in a SYN, whatever has gone out, so neither side can be "
		      "connected to: UDP, a port mapping, or a relay, is left";
	else if (p && is_refused(c, p))
		why = "a port has to be guessed, and a connection that is refused cannot wait for "
		      "the other side's guess: UDP, or a relay, is left";
	else if (p) {
		say_numbers(c, p);
		return;
	}
	snprintf(c->out->why_not, sizeof(c->out->why_not), "%s", why);
}

/* --- the plan --- */

static void set_role(const struct pair_role *udp, struct pair_role *out)
{
	*out = *udp;
	out->second = out->fresh = false;
	out->packets = connections_of(udp); /* connect() repeats by itself what gets lost */
}

void pair_tcp_guess(struct pair_tcp_case *c, const struct pair_plan *udp)
{
	uint32_t us = time_of(c, udp), chance;
	struct pair_tcp_plan *p;

	if (c->order == PAIR_TCP_NO_ORDER || is_refused(c, udp) || !is_worth(udp) ||
		us > PAIR_MAX_US)
		return;
	chance = pair_tcp_times((uint32_t)(udp->chance * PAIR_MILLION + 0.5), c->trust);
	chance = pair_tcp_times(chance, chance_of_order(c));
	if (udp->strategy != PAIR_PREDICTION)
		chance = pair_tcp_times(chance, CHANCE_MET);
	p = pair_tcp_add(c, strategy_of(c, udp), chance, "");
	if (!p)
		return;
	if (hard_side(udp) < 0)
		why_both(c, udp, p->why);
	else
		why_one(c, udp, p->why);
	for (int i = 0; i < 2; i++)
		set_role(&udp->role[i], &p->role[i].aim);
	p->role[0].aim.second = c->order == PAIR_TCP_FIRST_1;
	p->role[1].aim.second = c->order == PAIR_TCP_FIRST_0;
	p->rate_cps = udp->rate_pps;
	p->give_up_us = us;
}
