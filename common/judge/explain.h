// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "journal/trail.h"
#include "judge/behaviour.h"
#include "judge/plan.h"

/* Why there is no way to the peer, from what both sides have seen, or none to the server. Pure. */

#define EXPLAIN_TEXT 320
#define EXPLAIN_MAX  16

/* What the other side says of its last attempt. */
struct explain_peer {
	bool said;
	unsigned sent, received, errors;
	unsigned opened, resets; /* of TCP */
	struct endpoint
		offender; /* of the ICMP error that came to it most often; FAMILY_NONE: none */
	uint8_t type, code;
	bool captured; /* there was a capture on its host, and: */
	unsigned left,
		arrived; /* packets of its own that left that host, and of ours that came to it */
};

struct explain_facts {
	const struct pair_side *own, *peer; /* of the family that was tried */
	enum family family;
	const struct plans *plans;
	const struct trail *trail;
	struct explain_peer said;
	bool other_family_possible; /* both sides have addresses of the other family; no plan was for it */
};

struct explain_list {
	char text[EXPLAIN_MAX][EXPLAIN_TEXT];
	size_t count;
};

struct explanation {
	struct explain_list certain; /* what was measured or counted */
	struct explain_list likely; /* what follows if nothing else is in play */
	struct explain_list try_next;
};

/* The same of TCP. */
struct explain_tcp_facts {
	const struct pair_tcp_side *own, *peer;
	enum family family;
	const struct plans *plans;
	const struct trail *trail;
	struct explain_peer said;
	bool other_family_possible;
};

/* Of two sides that know each other. */
void explain_tcp_failure(const struct explain_tcp_facts *facts, struct explanation *out);
void explain_failure(const struct explain_facts *facts, struct explanation *out);

/* Of a server that has not answered; measured: what a measurement against it came to, or NULL. Adds to *out. */
void explain_server(const struct endpoint *server, const struct behaviour *measured,
	const struct trail *trail, struct explanation *out);

/* "NAT with address-and-port-dependent mapping, …": what is known of one side. */
void explain_side(const struct pair_side *s, char *out, size_t size);

/*
 * Of a server that could not be connected to, or was (taken) and then did not answer: error is the negative errno of
 * the latest attempt or connection; 0: none has ended.
 */
void explain_tcp_server(
	const struct endpoint *server, bool taken, int error, struct explanation *out);

void explain_tcp_side(const struct pair_tcp_side *s, char *out, size_t size);

/* One more sentence; nothing when the list is full. */
void explain_add(struct explain_list *l, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
