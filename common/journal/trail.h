// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"

/* The record of one punch, as one side saw it: packets, errors and steps in order, and counts of each attempt. */

#define TRAIL_EVENTS   8192 /* later ones are only counted, and heard by the listener */
#define TRAIL_ATTEMPTS 8
#define TRAIL_TEXT     240
#define TRAIL_ERRORS   16
#define TRAIL_SERVER   4 /* errors for packets to the server */

enum trail_kind {
	TRAIL_SENT, /* over TCP: an attempt to connect */
	TRAIL_RECEIVED, /* from the peer, authentic */
	TRAIL_REFUSED, /* for this session by its looks, but not authentic, or seen before */
	TRAIL_STRANGER, /* something else */
	TRAIL_ICMP,
	TRAIL_OPENED, /* TCP: a connection has come about, with whoever it is */
	TRAIL_RESET, /* TCP: an attempt to connect was refused by a RST */
	TRAIL_STEP, /* a decision or a change of state, in words */
	TRAIL_KINDS,
};

struct trail_event {
	uint64_t t_us;
	enum trail_kind kind;
	unsigned
		attempt; /* of TRAIL_ICMP that of our packet; what comes before the first counts as its */
	bool server; /* of TRAIL_ICMP: our packet was for the server, and belongs to no attempt */
	bool accepted; /* of TRAIL_OPENED: the other end has begun it */
	unsigned socket;
	struct endpoint from, to; /* from: FAMILY_NONE for what this host sends */
	size_t bytes;
	uint8_t ttl; /* of what was sent with another one than usual; 0: as usual */
	uint8_t type,
		code; /* of TRAIL_ICMP; its sender is `from`, and `to` where our packet was going */
	char text[TRAIL_TEXT]; /* of TRAIL_STEP: the step's name, a colon, and details */
};

struct trail_attempt {
	char strategy[16];
	unsigned sent, received, refused, errors;
	unsigned opened, accepted, resets; /* of TCP; accepted: of those opened */
	uint64_t begin_us, end_us;
	bool succeeded;
};

/* ICMP errors that are alike. */
struct trail_error {
	struct endpoint offender; /* FAMILY_NONE: this host itself */
	struct endpoint to; /* port 0: several ports of that address */
	uint8_t type, code;
	unsigned count, attempt;
};

struct trail;
typedef void trail_listener(void *context, const struct trail_event *event);

struct trail {
	uint64_t start_us;
	struct trail_event *events; /* TRAIL_EVENTS of them */
	size_t event_count;
	struct trail_attempt attempts[TRAIL_ATTEMPTS];
	unsigned attempt; /* the present one */
	unsigned strangers;
	struct trail_error errors[TRAIL_ERRORS]; /* for packets to the peer */
	size_t error_count;
	struct trail_error server_errors[TRAIL_SERVER];
	size_t server_error_count;
	trail_listener *listener; /* or NULL */
	void *listener_context;
};

int trail_create(uint64_t start_us, struct trail **out); /* -ENOMEM */
void trail_destroy(struct trail *t);

/* A new attempt; those beyond TRAIL_ATTEMPTS are counted with the last one. */
void trail_attempt(struct trail *t, uint64_t t_us, const char *strategy);

/* Whether there has been one. */
bool trail_has_attempt(const struct trail *t);

/* The present attempt is over. */
void trail_end(struct trail *t, uint64_t t_us, bool succeeded);

/*
 * Adds the event, whose attempt and server are filled in, and counts it. Packets to the server are no events of the
 * trail: an ICMP error for an endpoint to which nothing was sent before is the server's.
 */
void trail_add(struct trail *t, const struct trail_event *event);

/* A step: "register: waiting for the peer". */
void trail_step(struct trail *t, uint64_t t_us, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
