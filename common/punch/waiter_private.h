// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "punch/classic.h"
#include "punch/waiter.h"

/* What the files of the waiting side share; nobody else includes this. */

#define WAITER_DARK_BYTES 8
#define WAITER_PLACES	  12 /* places where the visitor may be */
#define WAITER_ANSWERS	  1024 /* to one visitor, whatever it says of where it is */
#define WAITER_NONCES	  1024
#define WAITER_VISITORS	  16
#define WAITER_NONCE_PART 8

enum spot_state { SPOT_FREE, SPOT_WANTED, SPOT_ASKED, SPOT_OPEN, SPOT_FAILED };

/* A socket and its flows. */
struct spot {
	enum spot_state state;
	struct endpoint local;
	bool further, closing, kept;
	uint64_t due_us;
	unsigned turn; /* of the places */
	uint8_t said[WAITER_DARK_BYTES]; /* to the dark */
};

struct target {
	unsigned socket;
	struct endpoint to;
	unsigned left;
	uint64_t due_us;
};

struct nonce {
	uint8_t part[WAITER_NONCE_PART];
	uint64_t until_us; /* 0: none */
};

struct visitor {
	uint8_t share[CPACE_POINT_BYTES];
	uint64_t until_us;
};

struct waiter {
	struct waiter_config config;
	uint64_t start_us;
	struct knock_place places[2];
	size_t place_count;
	struct spot spots[WAITER_SOCKETS];
	bool resting, has_visit;
	bool lacking; /* sockets, for which there was no room */
	bool renews; /* the visit, with the next knock: its sockets may be gone */
	struct waiter_visit visit;
	struct knock answer;
	bool answers;
	unsigned answers_left;
	uint64_t answer_us; /* none before that */
	struct target targets[WAITER_PLACES];
	size_t target_count;
	uint64_t broad_us; /* the next answer from all sockets */
	unsigned broad_at, broad_left; /* the next socket, and how often all */
	struct nonce nonces[WAITER_NONCES];
	struct visitor visitors[WAITER_VISITORS];
	uint64_t stale_us; /* the next step about one */
	struct classic_openings openings;
	struct endpoint opened; /* the latest of them that was noted */
	struct waiter_counts counts;
};

static inline uint64_t waiter_utc_us(const struct waiter *w, uint64_t now_us)
{
	return w->config.utc_us + (now_us - w->start_us);
}

/* --- waiter_sockets.c --- */
/* Ports come and go with the time; with a visitor all stays as it is. */
void waiter_heed_time(struct waiter *w, uint64_t now_us);
/* When it has to be called again. */
uint64_t waiter_change_us(const struct waiter *w, uint64_t now_us);
/* Whether its port is that of a present place. */
bool waiter_has_port_of_place(const struct waiter *w, const struct spot *s);
/* The socket is not needed any more. */
void waiter_drop(struct spot *s);
bool waiter_poll_sockets(struct waiter *w, uint64_t now_us, struct knock_output *out);

/* --- waiter_flows.c: what goes to the dark --- */
bool waiter_poll_flows(
	struct waiter *w, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us);
/* Classic knocks: what lets in who has sent an error. */
bool waiter_poll_openings(struct waiter *w, struct knock_output *out);

/* --- waiter_answers.c --- */
/* The present visit, or a copy of it, shows where the visitor is. */
void waiter_aim(struct waiter *w, uint64_t now_us);
bool waiter_poll_answers(
	struct waiter *w, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us);
