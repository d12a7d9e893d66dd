// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/pair.h"

/*
 * What two sides, each behind what is known of its NATs for TCP, have to do to open a connection directly. Which
 * ports have to be guessed is the question of pair.h. What TCP adds: a SYN that is dropped in silence does no
 * harm, and connect() repeats it; one that is refused has to be sent again; and whenever the peer's SYN comes in,
 * a socket has to be in SYN_SENT. Pure, and the same for both sides, as pair_advise() is.
 */

/* What becomes of a SYN from an endpoint to which the inside host connects only later. */
enum early_syn {
	EARLY_SYN_UNKNOWN = 0,
	EARLY_SYN_SILENT, /* dropped without a word */
	EARLY_SYN_RST, /* refused: connect() fails, and the sender's NAT closes its hole */
	EARLY_SYN_ICMP, /* refused: connect() fails, but the hole stays open */
	EARLY_SYN_LATE, /* refused by ICMP, but only after 6 s (RFC 5382 REQ-4) */
	EARLY_SYN_REMAP, /* the later connection gets another external port */
};

const char *early_syn_name(enum early_syn e); /* "silent", "rst" … */

/* What one side knows of its own way out, of one address family; what it does not know is "unknown". */
struct pair_tcp_side {
	enum path_status status;
	enum tri nat;
	enum dependence mapping, filtering;
	enum allocation_pattern allocation;
	int step; /* of ALLOCATION_SEQUENTIAL; 0: unknown, as 1 */
	uint16_t low, high; /* where its ports are, of whatever allocation; 0: 1024 to 65535 */
	enum share preservation; /* whether a local port is the external one, too */
	enum early_syn early;
	enum tri simultaneous; /* the peer's SYN comes in when one's own is out (RFC 5382 REQ-2a) */
	uint32_t sync_error_us; /* how far off the agreed moment it may begin; 0: unknown */
	/* what it is willing to spend; 0: it does not say */
	uint16_t connections_max; /* being opened at once; unsaid: 512 */
	uint32_t rate_cps; /* at most so many connections begun a second; unsaid: 100 */
};

/* Of a judged behaviour; sync error and budget are not in it and stay as they are in *out. */
void pair_tcp_side_from(const struct behaviour *b, struct pair_tcp_side *out);

#define PAIR_TCP_SIDE_BYTES 64 /* at most, encoded; what later versions add included */

/*
 * The length; -EINVAL: a value that pair_tcp_side_decode would refuse; -EMSGSIZE. A rate or sync error larger
 * than can be is written as the largest; pair_tcp_advise() takes it for that, too.
 */
int pair_tcp_side_encode(const struct pair_tcp_side *s, void *buffer, size_t size);
/* 0; -EBADMSG: too short, too long or a value out of its range. What a later version adds is not looked at. */
int pair_tcp_side_decode(const void *data, size_t length, struct pair_tcp_side *out);

enum pair_tcp_strategy {
	PAIR_TCP_DIRECT, /* one listens where all may come in, the other connects */
	PAIR_TCP_SIMULTANEOUS, /* both call connect() once and keep it: the later SYN meets the earlier */
	PAIR_TCP_ORDERED, /* as that, but one begins when it has been told that the other has */
	PAIR_TCP_JITTERED, /* both try again when they are refused: after a RST at random times */
	PAIR_TCP_PREDICTION, /* the next ports of a sequential allocation */
	PAIR_TCP_BAND, /* several ports here, several guesses there, inside of a known band */
	PAIR_TCP_BIRTHDAY, /* the same over all ports: many of both */
	PAIR_TCP_BOTH_HARD, /* both ports of a pair have to be met, inside of known bands */
	PAIR_TCP_STRATEGIES,
};
const char *pair_tcp_strategy_name(enum pair_tcp_strategy s); /* "simultaneous", "ordered" … */

/* What one side does. */
struct pair_tcp_role {
	bool connects; /* if not, it only listens */
	bool listens; /* on its ports: its filter lets in, or may, what comes from elsewhere */
	/* connects to another port of the peer's address than the known one, only to open its own filter */
	bool aside;
	/*
	 * Sockets are local ports, guesses and packets connections that it begins: from pair_socket() to
	 * PAIR_KNOWN, to pair_sequence_port() …, all of them kept until the plan ends. low_ttl is of the first SYN
	 * alone, which ends on the way, where nobody refuses it: connect() repeats it with the usual TTL a second
	 * later.
	 */
	struct pair_role aim;
	/* ICMP errors for its SYNs do not end the connect(), as those of low_ttl never do. Over IPv4 alone. */
	bool unheeding;
	/*
	 * After a RST the time until the next try is random between these; 0: it does not try again. After an ICMP
	 * error, which IP_RECVERR tells apart, it tries again at once: its own NAT still lets the peer in, and a
	 * SYN that finds no socket is refused by this host itself, which spoils the port. A new socket is bound
	 * before the old one is closed. No more tries than the rate allows.
	 */
	uint32_t retry_low_us, retry_high_us;
};

#define PAIR_TCP_PLANS 6

struct pair_tcp_plan {
	enum pair_tcp_strategy strategy;
	struct pair_tcp_role role[2];
	uint32_t rate_cps; /* of the guesses; 0: they are few */
	uint32_t give_up_us; /* as in struct pair_plan: at most PAIR_MAX_US */
	/* that this plan succeeds when those before it did not: above 0 and below 1, in millionths */
	double chance;
	char why[PAIR_TEXT]; /* one sentence for people */
	/* "birthday, 256 ports x 1024 candidates, 95 %, about 10 s, about 1300 entries in the routers"; "" where
	   nobody should be told before */
	char cost[PAIR_TEXT];
};

struct pair_tcp_advice {
	struct pair_tcp_plan plans[PAIR_TCP_PLANS];
	size_t count; /* 0: nothing is worth trying */
	char why_not[PAIR_TEXT]; /* when count is 0, with the numbers, and what is left */
};

/*
 * As pair_advise(): in the order in which to try them, none twice; exchanged sides give exchanged roles. Of the
 * family depends what can be done about ICMP errors.
 */
void pair_tcp_advise(
	const struct pair_tcp_side sides[2], enum family family, struct pair_tcp_advice *out);
