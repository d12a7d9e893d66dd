// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "journal/trail.h"
#include "judge/pair.h"

/* Why two sides that know each other have found no way, from what both have seen. Pure. */

#define EXPLAIN_TEXT 320
#define EXPLAIN_MAX  12

/* What the other side says of its last attempt. */
struct explain_peer {
	bool said;
	unsigned sent, received, errors;
	struct endpoint
		offender; /* of the ICMP error that came to it most often; FAMILY_NONE: none */
	uint8_t type, code;
};

struct explain_facts {
	const struct pair_side *own, *peer; /* of the family that was tried */
	enum family family;
	const struct pair_advice *advice;
	const struct trail *trail;
	struct explain_peer said;
	bool other_family_possible; /* both sides have addresses of the other family, and it was not tried */
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

void explain_failure(const struct explain_facts *facts, struct explanation *out);

/* "address-and-port-dependent mapping, …": what is known of one side. */
void explain_side(const struct pair_side *s, char *out, size_t size);
