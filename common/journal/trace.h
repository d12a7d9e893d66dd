// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"

/*
 * What a TTL ladder has shown: packets to one endpoint, of which the first may pass no router, the next one, and so on.
 * Where its TTL runs out, a router says so by ICMP (RFC 792, RFC 4443 3.3), if it likes.
 */

#define TRACE_HOPS 32 /* rungs of one ladder */

/* One rung. The first answer counts; what a later one says is not kept. */
struct hop {
	unsigned sent, answers;
	struct endpoint from; /* port 0; FAMILY_NONE: nobody has answered */
	bool icmp; /* by an ICMP error; else the server itself has answered, as it would any packet */
	uint8_t type, code;
	uint64_t rtt_us; /* 0: unknown, as when nobody knows which packet was answered */
};

struct trace {
	size_t observation; /* its place in the journal */
	struct endpoint to;
	unsigned hop_count; /* that were asked; hops[0] has TTL 1 */
	struct hop hops[TRACE_HOPS];
};

/* Whether an ICMP error says that a TTL has run out on the way. */
bool trace_is_expiry(enum family family, uint8_t type, uint8_t code);

/* Whether it says that the destination cannot be reached, for whatever reason but the size of the packet. */
bool trace_is_refusal(enum family family, uint8_t type, uint8_t code);

/* Whether the answer of this rung comes from the host that all of it goes to. */
bool hop_is_target(const struct trace *t, const struct hop *h);

/* Whether no packet gets further than this rung's: its answer is not that a TTL has run out, or is the target's own. */
bool hop_is_end(const struct trace *t, const struct hop *h);

/* The TTL of the first rung that is the end; 0: there is none. */
unsigned trace_end(const struct trace *t);

/* Rungs that say something: up to the end, or all. */
unsigned trace_length(const struct trace *t);

/*
 * The TTL of the last router that has answered: the one that runs out there, also when it only refuses to pass the next
 * one on. 0: none has.
 */
unsigned trace_last_router(const struct trace *t);
