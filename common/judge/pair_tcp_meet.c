// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "judge/pair_tcp_private.h"

/*
 * Both sides connect to the endpoint from which the server hears the other. A SYN that is dropped costs nothing:
 * the sender stays in SYN_SENT, and whichever SYN is later gets through. After a RST the hole is closed, so the next
 * try has to come at a time that is not the other's: with a fixed interval two sides have missed each other 66
 * times. After an ICMP error it is open: with pauses of 5 to 100 ms the peer's SYN came into one in half of the runs,
 * and Linux's connection tracking lets nothing more through then; without pauses it did so in 6 of 50 when the sides
 * began far from each other. So where nothing has to come back of a first SYN, nothing does: add_hidden().
 */

#define RETRY_LOW_US  5000u
#define RETRY_HIGH_US 100000u
#define HIDDEN_US \
	4000000u /* when both have begun it is done at once, or when a SYN has been repeated */
#define TTL_HIDDEN 2 /* opens a NAT in the first router, and ends in the second */
#define TTL_DEEPER 5 /* opens one behind that, too, and still ends before most peers */

/*
 * Estimates, in millionths. With kernel NATs in the laboratory all of these succeed, when the facts are right; in the
 * field TCP does as well as UDP (Trautwein et al. 2025), for which the chance that is handed in is made.
 */
#define CHANCE_ORDERED	980000
#define CHANCE_JITTERED 930000
#define CHANCE_UNSURE	950000
#define CHANCE_HIDDEN	930000 /* mostly there is no second NAT behind the first router */
#define CHANCE_DEEPER	500000
#define CHANCE_UNHEEDED 960000
#define CHANCE_AGAIN	250000 /* something else although the facts do not ask for it */

static void give_up_after(const struct pair_tcp_case *c, struct pair_tcp_plan *p)
{
	p->give_up_us = PAIR_TCP_TRY_US + pair_phase_us(&c->udp);
}

/* On average no more often than the rate allows. */
static void try_again(const struct pair_tcp_case *c, struct pair_tcp_plan *p, int side)
{
	struct pair_tcp_role *r = &p->role[side];
	uint32_t slow_us = 2 * pair_time_us(1, pair_rate(&c->udp));

	r->retry_low_us = RETRY_LOW_US;
	r->retry_high_us = slow_us > RETRY_HIGH_US ? slow_us : RETRY_HIGH_US;
	r->aim.packets = 1 + p->give_up_us / ((r->retry_low_us + r->retry_high_us) / 2);
}

/* Whoever may be refused tries again: who is first, too, if the other answers all SYNs. */
static void begin_second_for(
	const struct pair_tcp_case *c, struct pair_tcp_plan *p, int second, uint32_t us)
{
	p->role[second].aim.second = true;
	p->give_up_us = us + PAIR_TOLD_US;
	for (int i = 0; i < 2; i++)
		if (c->face[!i].first != TRI_NO)
			try_again(c, p, i);
}

static void begin_second(const struct pair_tcp_case *c, struct pair_tcp_plan *p, int second)
{
	begin_second_for(c, p, second, PAIR_TCP_TRY_US);
}

/* --- one side lets in more than its own peer's port --- */

/* The one whose endpoint is surest; -1: neither. */
static int side_that_lets_in(const struct pair_tcp_case *c, enum pair_lets_in in, enum tri at_most)
{
	static const enum tri surest[] = {TRI_NO, TRI_UNKNOWN, TRI_YES};

	for (int k = 0; k < 3; k++) {
		for (int i = 0; i < 2; i++)
			if (c->udp.face[i].in == in && c->udp.face[i].dependent == surest[k])
				return i;
		if (surest[k] == at_most)
			break;
	}
	return -1;
}

static void add_direct(struct pair_tcp_case *c, int open, uint32_t chance)
{
	struct pair_tcp_plan *p = pair_tcp_add(c, PAIR_TCP_DIRECT, chance,
		"one side lets in anybody at its external endpoint, so it listens there and the "
		"other connects");
	struct pair_tcp_role *r;

	if (!p)
		return;
	r = &p->role[open];
	r->connects = false;
	r->listens = true;
	r->aim.guesses = r->aim.packets = 0;
	give_up_after(c, p);
	try_again(c, p, !open); /* it is refused until the other listens */
}

/* The other's port need not be known, and where SYNs must not meet, that side sends none to it. */
static void add_address(struct pair_tcp_case *c, int first, uint32_t chance)
{
	bool refused = c->face[!first].first != TRI_NO; /* which may close the filter again */
	struct pair_tcp_plan *p = pair_tcp_add(c, PAIR_TCP_ORDERED,
		pair_tcp_times(chance, refused ? CHANCE_JITTERED : CHANCE_ORDERED),
		"one side lets in all ports of an address that it has connected to, so it does "
		"that first, and listens, and then the other connects");

	if (!p)
		return;
	p->role[first].aside = c->udp.face[!first].dependent == TRI_NO;
	begin_second(c, p, !first);
}

/* --- SYN against SYN --- */

static const char *why_ordered(const struct pair_tcp_case *c, int first)
{
	if (c->face[!first].strict)
		return "one side's NAT lets in no SYN, but the answer to its own, so the other "
		       "side connects first: its NAT is open when that SYN comes";
	if (c->face[first].remaps)
		return "a SYN that comes too early would move one side's external port, so that "
		       "side connects first and the other waits until it has";
	if (c->face[first].first == TRI_UNKNOWN)
		return "one side's NAT may refuse a SYN that comes too early, which ends the "
		       "other's attempt, so that side connects first and the other waits";
	return "one side's NAT refuses a SYN that comes too early, which ends the other's attempt, "
	       "so that side connects first and the other waits until it has";
}

static void add_ordered(struct pair_tcp_case *c, int first, uint32_t chance)
{
	struct pair_tcp_plan *p = pair_tcp_add(
		c, PAIR_TCP_ORDERED, pair_tcp_times(chance, CHANCE_ORDERED), why_ordered(c, first));

	if (p)
		begin_second(c, p, !first);
}

static void add_simultaneous(struct pair_tcp_case *c, uint32_t chance, const char *why)
{
	struct pair_tcp_plan *p = pair_tcp_add(c, PAIR_TCP_SIMULTANEOUS, chance, why);

	if (p)
		give_up_after(c, p);
}

static void add_jittered(struct pair_tcp_case *c, uint32_t chance, const char *why)
{
	struct pair_tcp_plan *p = pair_tcp_add(c, PAIR_TCP_JITTERED, chance, why);

	if (!p)
		return;
	give_up_after(c, p);
	for (int i = 0; i < 2; i++)
		try_again(c, p, i);
}

static const char *why_hidden(const struct pair_tcp_case *c, int first)
{
	const struct pair_tcp_face *second = &c->face[!first];

	if (second->strict && second->by_icmp)
		return "one side's NAT refuses all SYNs, by ICMP, which closes no hole: the "
		       "other side connects first, and waits all the same for that side's SYN";
	if (second->strict)
		return "one side's NAT refuses all SYNs, so the other's first ends on the "
		       "way, where nobody refuses it, and then that side connects";
	if (second->by_icmp)
		return "both NATs refuse a SYN that comes too early, one by ICMP, which closes no "
		       "hole: the other side connects first, and waits all the same";
	if (second->remaps)
		return "a SYN that comes too early does harm on both sides, so one side's first "
		       "ends on the way, where it does none, and then the other side connects";
	return "both NATs refuse a SYN that comes too early, so one side's first ends on the way, "
	       "where nobody refuses it, and then the other side connects";
}

/* ttl: of its first SYN; 0: ICMP errors are not heeded. */
static void add_first(
	struct pair_tcp_case *c, int first, uint8_t ttl, uint32_t chance, const char *why)
{
	struct pair_tcp_plan *p = pair_tcp_add(c, PAIR_TCP_ORDERED, chance, why);

	if (!p)
		return;
	p->role[first].unheeding = !ttl;
	p->role[first].aim.low_ttl = ttl;
	begin_second_for(c, p, !first, HIDDEN_US);
}

/*
 * One side's SYN is out when the other's comes, and nothing has come back: it has ended on the way; or an ICMP error
 * that leaves the hole open was not heeded, for which no distance has to be known. A strict side's SYN has to be the
 * one that gets through. In the laboratory, with NATs of the kernel too, all of 250 connected.
 */
static void add_hidden(struct pair_tcp_case *c, uint32_t chance)
{
	static const char deeper[] =
		"the first SYN may have ended before a second NAT that it had to open: it goes "
		"further now, and then the other side connects";
	int first = c->face[0].strict ||
		(!c->face[1].strict && c->face[0].by_icmp && !c->face[1].by_icmp);

	if (c->face[!first].by_icmp) {
		add_first(
			c, first, 0, pair_tcp_times(chance, CHANCE_UNHEEDED), why_hidden(c, first));
		return;
	}
	add_first(
		c, first, TTL_HIDDEN, pair_tcp_times(chance, CHANCE_HIDDEN), why_hidden(c, first));
	add_first(c, first, TTL_DEEPER, pair_tcp_times(chance, CHANCE_DEEPER), deeper);
}

static void add_crossing(struct pair_tcp_case *c, uint32_t chance)
{
	if (c->face[0].remaps || c->face[1].remaps)
		add_simultaneous(c, pair_tcp_times(chance, pair_tcp_crossing(c)),
			"a SYN that comes too early does harm, and moves a port for good, so that "
			"both sides have to connect in the same moment");
	else if (c->face[0].strict || c->face[1].strict)
		add_jittered(c, pair_tcp_times(chance, CHANCE_JITTERED),
			"one side's NAT refuses all SYNs, so its own has to come through while the "
			"other's hole is open, one round trip: both try again at random times");
	else
		add_jittered(c, pair_tcp_times(chance, CHANCE_JITTERED),
			"both NATs refuse a SYN that comes too early: both try again until one "
			"gets through, after a RST, which closes a hole, at random times");
}

/* chance: of the best plan. */
static void add_in_order(struct pair_tcp_case *c, uint32_t chance)
{
	switch (c->order) {
	case PAIR_TCP_ANY_ORDER:
		add_simultaneous(c, chance,
			"both NATs drop a SYN that comes too early in silence, so each side "
			"connects once and waits: the later SYN opens the connection");
		break;
	case PAIR_TCP_FIRST_0:
	case PAIR_TCP_FIRST_1:
		add_ordered(c, c->order == PAIR_TCP_FIRST_1, chance);
		break;
	case PAIR_TCP_UNSURE:
		add_jittered(c, pair_tcp_times(chance, CHANCE_UNSURE),
			"it is not known what the NATs do with a SYN that comes too early: each "
			"side keeps its own, and tries again at random times if it is refused");
		break;
	case PAIR_TCP_CROSS:
		if (c->hides)
			add_hidden(c, chance);
		add_crossing(c, c->hides ? pair_tcp_times(chance, CHANCE_AGAIN) : chance);
		break;
	case PAIR_TCP_NO_ORDER:
		break;
	}
}

static bool may_differ(const struct pair_tcp_case *c)
{
	return c->order == PAIR_TCP_ANY_ORDER || c->order == PAIR_TCP_FIRST_0 ||
		c->order == PAIR_TCP_FIRST_1;
}

static void meet_at_known(struct pair_tcp_case *c, uint32_t chance)
{
	add_in_order(c, pair_tcp_times(chance, c->trust));
	if (may_differ(c))
		add_jittered(c, pair_tcp_times(chance, CHANCE_AGAIN),
			"what is known of the NATs' answers to an early SYN may be wrong: both try "
			"again at random times when they are refused");
}

void pair_tcp_meet(struct pair_tcp_case *c, uint32_t chance)
{
	bool dependent = c->udp.face[0].dependent == TRI_YES || c->udp.face[1].dependent == TRI_YES;
	bool strict = c->face[0].strict || c->face[1].strict;
	int open = side_that_lets_in(c, PAIR_IN_ANY, TRI_YES);
	int address = side_that_lets_in(c, PAIR_IN_ADDRESS, TRI_UNKNOWN);

	if (open >= 0) {
		add_direct(c, open, chance);
		if (!dependent)
			add_in_order(c, pair_tcp_times(chance, CHANCE_AGAIN));
	} else if (address >= 0 && (strict || c->udp.face[!address].dependent != TRI_NO)) {
		add_address(c, address, chance);
	} else if (!dependent) {
		meet_at_known(c, chance);
	}
}
