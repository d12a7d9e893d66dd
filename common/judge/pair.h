// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/behaviour.h"

/*
 * What two sides, each behind what is known of its NATs, have to do to reach each other over UDP: which
 * strategies, in which order, with how many sockets and packets, and with what chance. Pure, and the same for both:
 * each side computes it from the same facts, side 0 being the same one for both.
 */

/* What one side knows of its own way out, of one address family; what it does not know is "unknown". */
struct pair_side {
	enum path_status status;
	enum tri nat;
	enum dependence mapping, filtering;
	enum early_packet early;
	enum allocation_pattern allocation;
	int step; /* of ALLOCATION_SEQUENTIAL */
	uint16_t low, high; /* of ALLOCATION_BAND, else 0: 1024 to 65535 */
	bool parity; /* even ports to even ports */
	uint8_t depth; /* the smallest TTL with which a packet passes all own NATs; 0: unknown */
	uint32_t sync_error_us; /* how far off the agreed moment it may begin */
	/* what it is willing to spend */
	uint32_t packets_max; /* in one attempt */
	uint16_t sockets_max;
	uint32_t rate_pps; /* at most so many packets a second */
};

/* Of a judged behaviour; depth, sync error and budget are not in it and stay as they are in *out. */
void pair_side_from(const struct behaviour *b, struct pair_side *out);

enum pair_strategy {
	PAIR_DIRECT, /* both send to the endpoint that they know of */
	PAIR_ORDERED, /* one sends first, the other when it has been told that this is done */
	PAIR_LOW_TTL, /* both begin with packets that end before the other's NAT */
	PAIR_PREDICTION, /* the next ports of a sequential allocation */
	PAIR_BIRTHDAY, /* many sockets here, many guesses there */
	PAIR_BOTH_HARD, /* both ports of a pair have to be met, inside of known bands */
	PAIR_STRATEGIES,
};
const char *pair_strategy_name(enum pair_strategy s); /* "direct", "ordered" … */

enum pair_targets {
	PAIR_KNOWN, /* the endpoint from which the server hears the peer */
	PAIR_SEQUENCE, /* the ports behind the peer's latest one, step by step */
	PAIR_BAND, /* ports between low and high at random, none twice */
};

/* What one side does. */
struct pair_role {
	unsigned sockets; /* it sends from so many, each with a mapping of its own */
	enum pair_targets targets;
	unsigned
		guesses; /* ports of the peer that it sends to: of PAIR_KNOWN 1; else all sockets together */
	int step; /* of PAIR_SEQUENCE */
	uint16_t low, high; /* of PAIR_BAND */
	bool second; /* begins only when the other has sent all of its first packets */
	uint8_t low_ttl; /* of its first packets; 0: no such phase */
	uint32_t low_ttl_us; /* how long that phase is */
	unsigned packets; /* at most, about */
	unsigned entries; /* that come into being in the tables of this side's own NATs, about */
};

#define PAIR_TEXT  200
#define PAIR_PLANS 6

struct pair_plan {
	enum pair_strategy strategy;
	struct pair_role role[2];
	uint32_t rate_pps; /* of the guesses; 0: they are few */
	uint32_t give_up_us; /* without success after this time the next plan is due */
	double chance; /* that this plan succeeds, 0 to 1 */
	char why[PAIR_TEXT]; /* one sentence for people */
	/* "birthday, 256 sockets x 1024 probes, 98 %, about 10 s, about 1300 entries in the routers"; "" where it
	   needs neither so much state nor many packets that somebody should be told before */
	char cost[PAIR_TEXT];
};

struct pair_advice {
	struct pair_plan plans[PAIR_PLANS];
	size_t count; /* 0: nothing is worth trying */
	char why_not[PAIR_TEXT]; /* when count is 0, with the numbers */
};

void pair_advise(const struct pair_side sides[2], struct pair_advice *out);

/* Chance of at least one hit: `guesses` distinct ports out of `ports`, of which `open` are open. */
double pair_chance_hit(unsigned ports, unsigned open, unsigned guesses);
/* Chance that two sides with so many packets each, every one to and from a random port, meet at both. */
double pair_chance_both(unsigned ports_a, unsigned packets_a, unsigned ports_b, unsigned packets_b);
