// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/pair_private.h"
#include "judge/pair_tcp.h"

/* How plans for TCP come about: as those for UDP with integers only, so that both sides come to the same. */

#define PAIR_TCP_TRY_US 10000000u /* the kernel repeats a SYN that is lost after 1, 3 and 7 s */

/* Whose SYN has to be out before the other's arrives. */
enum pair_tcp_order {
	PAIR_TCP_FIRST_0,
	PAIR_TCP_FIRST_1,
	PAIR_TCP_ANY_ORDER,
	PAIR_TCP_UNSURE, /* neither's, or both: nothing is known */
	PAIR_TCP_CROSS, /* both: each has to be on its way when the other leaves */
	PAIR_TCP_NO_ORDER, /* none is of use */
};

/* What the facts of one side come to that only TCP has. */
struct pair_tcp_face {
	enum tri first; /* an early SYN does harm */
	bool remaps; /* … for good, to the port */
	bool by_icmp; /* … but only an ICMP error comes back, which leaves the sender's hole open */
	bool strict; /* it lets in no SYN even when its own is out, only what answers that */
	bool listens; /* what comes from elsewhere may get in */
};

struct pair_tcp_case {
	struct pair_side side[2]; /* as over UDP, early packets aside */
	struct pair_case udp; /* the faces of these; it has no plans */
	struct pair_tcp_face face[2];
	enum pair_tcp_order order;
	bool hides; /* a SYN can be kept from the peer's NAT, or the NAT's error from the own socket */
	uint32_t trust; /* millionths: that SYNs which meet in this order open a connection */
	struct pair_tcp_advice *out;
};

/* Rates and sync errors that are larger than can be become the largest. */
void pair_tcp_side_clamp(const struct pair_tcp_side *s, struct pair_tcp_side *out);
/* As pair_side_compare(). */
int pair_tcp_side_compare(const struct pair_tcp_side *a, const struct pair_tcp_side *b);

/* A plan more, in which both connect from one port to the known endpoint; NULL: there are enough of them. */
struct pair_tcp_plan *pair_tcp_add(
	struct pair_tcp_case *c, enum pair_tcp_strategy strategy, uint32_t chance, const char *why);
/* Of two chances in millionths, that of both. */
uint32_t pair_tcp_times(uint32_t a, uint32_t b);
/* Without a second try: that the SYNs cross on their way. */
uint32_t pair_tcp_crossing(const struct pair_tcp_case *c);

/* No port has to be guessed; chance: that the known endpoints are right. */
void pair_tcp_meet(struct pair_tcp_case *c, uint32_t chance);
/* The ports are guessed as in a plan for UDP. */
void pair_tcp_guess(struct pair_tcp_case *c, const struct pair_plan *udp);
/* Why there is no plan: of what is guessed, with what it would take. */
void pair_tcp_say_why_not(struct pair_tcp_case *c);
