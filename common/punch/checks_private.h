// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "punch/checks.h"
#include "punch/guess.h"
#include "punch/window.h"

/* What the files of the checks share; nobody else includes this. */

#define ANSWERS_MAX	64
#define NO_SOCKET	UINT32_MAX
#define VOUCHED_MAX	8 /* addresses; later ones take the places of the first */

#define LIMIT_WAY	120 /* requests on one way: no NAT needs more */
#define LIMIT_UNVOUCHED 64 /* packets to all strangers together */

struct way {
	unsigned socket; /* NO_SOCKET: it has been closed, and the place is free */
	struct endpoint remote;
	enum check_kind kind;
	bool of_plan; /* the plan's order and TTL are for it */
	bool heard; /* something authentic says that it came from there */
	bool proved; /* what we send arrives: it has answered to a request */
	bool has_echo;
	struct stun_id echo; /* the peer's latest request on it */
	bool nominated; /* the controlling side has chosen it; counts when it is proved, too */
	unsigned sent, limit; /* of requests */
	uint64_t next_us, last_us;
	uint64_t rtt_us;
	struct endpoint mapped;
};

/* An address of which nobody but the peer says that it is there. */
struct stranger {
	struct endpoint address; /* the port does not matter */
	unsigned sent;
};

/* An answer that has to be sent. */
struct reply {
	unsigned socket;
	struct endpoint to;
	struct stun_id id;
};

enum extra_state { EXTRA_WANTED, EXTRA_ASKED, EXTRA_OPEN, EXTRA_GONE };

/* A socket that the strategy wants. */
struct extra {
	enum extra_state state;
	unsigned sent;
	uint64_t next_us;
};

/* Ports of the peer that are tried one after the other, again and again. */
struct guesses {
	unsigned count, next, pass, sent;
	uint64_t next_us, interval_us;
	struct guess order;
};

struct checks {
	struct checks_config config;
	uint8_t id_key[16];
	uint64_t counter;
	struct window window;
	unsigned main[2]; /* IPv4, IPv6 */
	struct way ways[CHECKS_WAYS];
	size_t way_count;
	struct endpoint vouched[VOUCHED_MAX];
	size_t vouched_count; /* with those that are forgotten */
	struct stranger strangers[LIMIT_UNVOUCHED];
	size_t stranger_count;
	unsigned strange; /* packets to all of them */
	struct reply replies[ANSWERS_MAX];
	size_t reply_first, reply_count;
	struct checks_attempt attempt;
	struct checks_target target;
	bool active; /* between checks_begin and checks_pause */
	bool paused; /* only answers are sent */
	bool held; /* not yet gone, or second and not yet released */
	uint64_t shy_until_us; /* the phase of low TTL */
	struct extra extras[CHECKS_SOCKETS];
	unsigned extra_count;
	unsigned closing[CHECKS_SOCKETS], closing_count; /* sockets that are not needed any more */
	unsigned late[CHECKS_SOCKETS], late_count; /* … nor are these, but they are being opened */
	struct guesses guesses;
	struct way *chosen;
	bool acknowledged; /* controlling: the peer has answered to the nomination */
	unsigned nomination; /* controlled: the attempt of the latest one that was taken */
	unsigned oldest; /* nominations of earlier attempts are of a way that was given up */
	struct checks_result result;
};

/* --- checks_ways.c --- */
struct way *checks_way_find(struct checks *c, unsigned socket, const struct endpoint *remote);
/* The way, new if need be; NULL: there are too many. */
struct way *checks_way_get(
	struct checks *c, unsigned socket, const struct endpoint *remote, enum check_kind kind);
/* Nothing more is sent from a socket that is closed, unless its way is the chosen one. */
void checks_ways_end(struct checks *c, unsigned socket);
/* When the next request on a way is due, after one at now. */
uint64_t checks_way_interval(struct checks *c, const struct way *way);
bool checks_way_is_held(const struct checks *c, const struct way *way);
/* Whether there may be one more request on it. */
bool checks_way_may_ask(const struct checks *c, const struct way *way);

/* --- checks_strangers.c: how much goes to addresses that may be anybody's --- */
/* The server has seen the peer at this address. */
void checks_vouch(struct checks *c, const struct endpoint *e);
bool checks_is_vouched(const struct checks *c, const struct endpoint *e);
/* Whether a request may go there, on a way that is not proved; heard: something authentic says it is from there. */
bool checks_may_send(const struct checks *c, const struct endpoint *to, bool heard);
/* One has gone there. */
void checks_note_sent(struct checks *c, const struct endpoint *to);

/* --- checks_plan.c: further sockets and guesses --- */
void checks_plan_begin(struct checks *c);
void checks_plan_go(struct checks *c, uint64_t now_us);
void checks_plan_end(struct checks *c);
/* What the plan wants next: whether there is something; else *deadline_us may become earlier. */
bool checks_plan_poll(
	struct checks *c, uint64_t now_us, struct checks_output *out, uint64_t *deadline_us);
bool checks_plan_is_done(const struct checks *c);

/* --- checks.c --- */
/* Fills in a request, also to where there is no way (NULL) yet. */
void checks_request(struct checks *c, uint64_t now_us, unsigned socket, const struct endpoint *to,
	const struct way *way, bool shy, struct checks_output *out);
