// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/behaviour.h"

/*
 * What two sides, each behind what is known of its NATs, have to do to reach each other over UDP: which
 * strategies, in which order, with how many sockets and packets, and with what chance. Pure, and the same for both:
 * each side computes it from the same facts, side 0 being the same one for both.
 */

#define PAIR_DEPTH_MAX 63 /* more would not leave the NATs with the usual TTL */
#define PAIR_STEP_MAX  64 /* larger steps are not called a sequence */
#define PAIR_MANY      1000000u /* the most that a budget can be */

/* What one side knows of its own way out, of one address family; what it does not know is "unknown". */
struct pair_side {
	enum path_status status;
	enum tri nat;
	enum dependence mapping, filtering;
	enum early_packet early;
	enum allocation_pattern allocation;
	int step; /* of ALLOCATION_SEQUENTIAL; 0: unknown, as 1 */
	uint16_t low, high; /* where its ports are, of whatever allocation; 0: 1024 to 65535 */
	bool parity; /* even ports to even ports */
	uint8_t depth; /* the smallest TTL with which a packet passes all own NATs; 0: unknown */
	uint32_t sync_error_us; /* how far off the agreed moment it may begin; 0: unknown */
	/* what it is willing to spend; 0: it does not say */
	uint32_t packets_max; /* in one attempt; unsaid: 2048 */
	uint16_t sockets_max; /* unsaid: 256 */
	uint32_t rate_pps; /* at most so many packets a second; unsaid: 100 */
};

/* Of a judged behaviour; depth, sync error and budget are not in it and stay as they are in *out. */
void pair_side_from(const struct behaviour *b, struct pair_side *out);

#define PAIR_SIDE_BYTES 64 /* at most, encoded; what later versions add included */

/* The length; -EINVAL: a value that pair_side_decode would refuse; -EMSGSIZE. */
int pair_side_encode(const struct pair_side *s, void *buffer, size_t size);
/* 0; -EBADMSG: too short, too long or a value out of its range. What a later version adds is not looked at. */
int pair_side_decode(const void *data, size_t length, struct pair_side *out);

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
	PAIR_BAND, /* ports between low and high at random, none twice from one socket */
	/* the local ports, as the peer names them, of its sockets, which have sent to nobody before: its NAT keeps a
	   socket's port for the first endpoint that it sends to */
	PAIR_PRESERVED,
	PAIR_TARGETS,
};

/* What one side does. Its guesses are numbered from 0, and go out in that order. */
struct pair_role {
	unsigned sockets; /* so many, each with a mapping of its own: see pair_socket */
	bool fresh; /* new ones, and the peer is told: the plan before may have spoilt the ports */
	enum pair_targets targets;
	/* packets to ports of the peer, each from another socket or to another port: of PAIR_KNOWN 1; else all
	   sockets together */
	unsigned guesses;
	int step; /* of PAIR_SEQUENCE; even where ports keep their parity: then all sockets have the same */
	unsigned span, ahead; /* of PAIR_SEQUENCE and PAIR_PRESERVED: see pair_place */
	uint16_t low, high; /* of PAIR_BAND; of PAIR_SEQUENCE: where the ports begin anew */
	bool second; /* begins only when the other has sent all of its first packets */
	uint8_t low_ttl; /* of its first packets; 0: no such phase */
	uint32_t low_ttl_us; /* how long that phase is */
	/* at most, about, with those that repeat: a guess may be made so many times as they suffice for */
	unsigned packets;
	unsigned entries; /* that come into being in the tables of this side's own NATs, about */
};

/* Which of the sockets, from 0, makes a guess. */
unsigned pair_socket(const struct pair_role *r, unsigned guess);
/* Which port of the peer's sequence it is for, from 0 on: of PAIR_PRESERVED, which of its sockets. */
unsigned pair_place(const struct pair_role *r, unsigned guess);
/* That port of PAIR_SEQUENCE, behind the latest one that is known. */
uint16_t pair_sequence_port(const struct pair_role *r, uint16_t latest, unsigned guess);

#define PAIR_TEXT   200
#define PAIR_PLANS  6
#define PAIR_MAX_US 75000000u /* give_up_us at most, however slow a side says to be */

struct pair_plan {
	enum pair_strategy strategy;
	struct pair_role role[2];
	uint32_t rate_pps; /* of the guesses; 0: they are few */
	uint32_t give_up_us; /* without success after this time the next plan is due */
	/* that this plan succeeds when those before it did not, 0 to 1 in millionths; where luck does not decide, an
	   estimate that depends on how sure the facts are */
	double chance;
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

/*
 * The plans in the order in which to try them, none twice. Exchanged sides give exchanged roles and the same
 * texts; only for two sides that know exactly the same it is the number that decides which role is whose.
 */
void pair_advise(const struct pair_side sides[2], struct pair_advice *out);

/* Chance of at least one hit: `guesses` distinct ports out of `ports`, at most 65536, of which `open` are open. */
double pair_chance_hit(unsigned ports, unsigned open, unsigned guesses);
/* Chance that two sides with so many packets each, every one to and from a random port, meet at both. */
double pair_chance_both(unsigned ports_a, unsigned packets_a, unsigned ports_b, unsigned packets_b);
