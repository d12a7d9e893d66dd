// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/pair.h"

/*
 * How plans come about. Decisions are made with integers only, chances in millionths: both sides have to come
 * to the same plans, whatever their machines and C libraries do with fractions.
 */

#define PAIR_MILLION	1000000u
#define PAIR_BAND_MAX	4096 /* a wider band is as good as random over everything */
#define PAIR_TOLD_US	1000000u /* until a side has been told through the server, at worst */
#define PAIR_TRY_US	3000000u /* nearly all that succeed do so at once; this is for lost packets */
#define PAIR_SENDING_US 60000000u /* all packets of a plan, at most */
#define PAIR_SYNC_US	60000000u /* so far off the agreed moment a side may say to be */

#define PAIR_PREDICTED \
	24 /* next ports for a first try: at least 8, and what others take meanwhile */

/* What a mapping lets in: anybody; addresses, or endpoints, that it has been used to send to. */
enum pair_lets_in { PAIR_IN_ANY, PAIR_IN_ADDRESS, PAIR_IN_ENDPOINT };

/* What the facts of one side come to. */
struct pair_face {
	const struct pair_side *side;
	enum tri dependent; /* another port for each peer */
	enum pair_lets_in in;
	enum tri moves; /* a peer's packet that arrives too early costs the port */
	enum allocation_pattern allocation; /* a wide band is ALLOCATION_RANDOM */
	int step;
	uint16_t low, high;
	unsigned ports; /* between them */
	unsigned depth; /* 0: unknown */
	bool unheard; /* no server has answered it */
	unsigned packets, sockets, rate; /* the budgets */
};

struct pair_case {
	struct pair_face face[2];
	uint32_t trust; /* millionths: how sure it is what the next plans rest on */
	struct pair_advice *out;
};

void pair_face_of(const struct pair_side *side, struct pair_face *out);
/* Below, above or 0: an order of sides that does not depend on which is side 0. */
int pair_side_compare(const struct pair_side *a, const struct pair_side *b);
/* The same of all values of two sides: what differs first decides. */
int pair_values_compare(const int64_t *a, const int64_t *b, size_t count);

/* A plan more, with two idle roles; NULL: there are enough of them. */
struct pair_plan *pair_add(
	struct pair_case *c, enum pair_strategy strategy, uint32_t chance, const char *why);
/* Sends to the endpoint that it knows of, from so many sockets. */
void pair_role_known(struct pair_role *r, unsigned sockets, unsigned packets);
/* Says why there is no plan; the first reason stays. */
void pair_why_not(struct pair_case *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* What a plan costs, whatever it is made of: "256 sockets x 1024 probes". */
struct pair_costs {
	const char *name, *sockets, *guesses;
	const struct pair_role *role[2];
	double chance;
	uint32_t rate_pps;
};
/* The cost sentence, "" where none is due. */
void pair_costs_text(const struct pair_costs *c, char out[PAIR_TEXT]);
void pair_cost(struct pair_plan *p);

/* Both ports are known, or one side's suffices: at most so many plans. */
void pair_meet(struct pair_case *c, size_t limit);
/* The ports of one side have to be guessed: the next ones, if there is an order in them … */
void pair_predict(struct pair_case *c, int hard);
/* … or any: there the chance does not depend on how they are chosen. once: one plan, not a variant too. */
void pair_birthday(struct pair_case *c, int hard, bool once);
/* Those of both. */
void pair_both(struct pair_case *c);

/* How long a low-TTL phase has to be so that the other side has begun by its end. */
uint32_t pair_phase_us(const struct pair_case *c);
/* The low TTL of the number-th try. */
uint8_t pair_low_ttl(const struct pair_face *f, int number);

unsigned pair_rate(const struct pair_case *c);
/* How many packets can go out in the time that a plan has, at this rate. */
unsigned pair_in_time(const struct pair_case *c);
/* How long so many packets take. */
uint32_t pair_time_us(unsigned packets, unsigned rate);
/* A sum of times that stays at the largest one. */
uint32_t pair_later(uint32_t a_us, uint32_t b_us);

uint32_t pair_hit_ppm(unsigned ports, unsigned open, unsigned guesses);
/* The fewest guesses with at least this chance, but at most so many. */
unsigned pair_guesses_for(unsigned ports, unsigned open, uint32_t ppm, unsigned most);
uint32_t pair_both_ppm(unsigned ports_a, unsigned packets_a, unsigned ports_b, unsigned packets_b);
