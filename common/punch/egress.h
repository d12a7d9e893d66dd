// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/random.h"
#include "punch/knock.h"
#include "wire/stun.h"

/*
 * Whether ICMP errors that belong to no flow leave the own NAT, without I/O: a few are sent to natprobed, which is asked
 * what has arrived (wire/icmp.h). RFC 5508 REQ-5 wants a NAT to drop them; a knock stands on those that do not.
 */

enum knock_egress_state {
	KNOCK_EGRESS_ASKING, /* whether it looks for them; nothing is known */
	KNOCK_EGRESS_SENDING,
	KNOCK_EGRESS_UNKNOWN, /* the server does not answer, or does not say */
	KNOCK_EGRESS_DROPPED, /* none has arrived */
	KNOCK_EGRESS_OUT,
};

struct knock_egress_result {
	enum knock_egress_state state;
	unsigned sent, seen;
	struct endpoint
		from; /* KNOCK_EGRESS_OUT: where they come from, as the server sees it; port 0 */
};

struct knock_egress {
	struct endpoint server, dark;
	struct random random;
	uint8_t token[8];
	uint8_t cookie[32];
	size_t cookie_length;
	struct stun_id id; /* of the present request */
	unsigned tries; /* of it */
	unsigned turn; /* of errors */
	uint64_t due_us;
	struct knock_egress_result result;
};

/* server: of natprobed; dark: what the errors quote as the other end. */
void egress_begin(struct knock_egress *e, uint64_t now_us, const struct endpoint *server,
	const struct endpoint *dark, const struct random *random);

/* Whether there is something to do: KNOCK_SEND to the server or KNOCK_ERROR; else *deadline_us may become earlier. */
bool egress_poll(
	struct knock_egress *e, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us);

/* A datagram of the server: whether it was for this. */
bool egress_input(struct knock_egress *e, uint64_t now_us, const void *data, size_t length);
/* An error has not left this host. */
void egress_unsent(struct knock_egress *e);

bool egress_is_done(const struct knock_egress *e);
