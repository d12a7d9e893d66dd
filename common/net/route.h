// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"

/* Which way the kernel would take, by its rules and tables. Nothing is sent. */

#define ROUTE_INTERFACES_MAX 8

struct route {
	/* index of where packets leave; of several ways with equal rights, all of them (at most so many) */
	unsigned interfaces[ROUTE_INTERFACES_MAX];
	size_t interface_count;
	struct endpoint source; /* what the kernel would send from; FAMILY_NONE: not known */
	struct endpoint gateway; /* of the first way; FAMILY_NONE: the destination is a neighbour */
	uint32_t table; /* 254: main; another one is a policy's */
	bool local; /* it is this host itself */
	uint8_t prefix_bits; /* of what route_main has found */
};

/* What a packet is like, which rules may ask for. What is not known or not fixed is 0, FAMILY_NONE or port 0. */
struct route_question {
	struct endpoint from, to;
	uint8_t protocol; /* of IP; ports are looked at only with one */
	unsigned interface; /* that it is bound to */
};

/*
 * The way that it would take. -ENETUNREACH (no route), -EHOSTUNREACH (an "unreachable" one), -EACCES (a prohibited one),
 * -EINVAL (a black hole). Where `from` is no address of this host, one of these, as the kernel's version has it.
 */
int route_find(const struct route_question *q, struct route *out);

/*
 * The way by which reverse-path filtering (RFC 3704 2.2, 2.3) would expect what comes from `remote` to `local`: see
 * route_uses. Errors as of route_find.
 */
int route_back(const struct endpoint *local, const struct endpoint *remote, struct route *out);

/*
 * The way by the main table alone, as if there were no rules of policy. -ENETUNREACH: none; -E2BIG: it is too large to
 * be searched.
 */
int route_main(const struct endpoint *to, struct route *out);

/* Whether it leads through this interface. */
bool route_uses(const struct route *r, unsigned interface);
