// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/behaviour.h"
#include "judge/causes.h"

/*
 * What was seen of one question that a server was asked first, as a set of signs: each is there or not, and the rules of
 * causes.c want some and exclude others.
 */

enum sign {
	/* what this host's sockets have told */
	SIGN_REFUSED_LOCALLY =
		1u << 0, /* the system would not send: EPERM, or it rejects by itself */
	SIGN_NO_ROUTE = 1u << 1, /* … since it knows no way */
	SIGN_NO_NEIGHBOUR = 1u << 2, /* … since the next hop does not say where it is */
	SIGN_SENT = 1u << 3, /* the system took packets */
	SIGN_SILENCE = 1u << 4, /* and that was all: nothing was heard */
	SIGN_CLOSED = 1u << 5, /* the server's host says by ICMP that its port is closed */
	SIGN_PROHIBITED = 1u << 6, /* a router refuses */
	SIGN_UNREACHABLE = 1u << 7, /* … or cannot deliver */
	SIGN_EXCEEDED = 1u << 8, /* a packet with a usual TTL went round too long */
	SIGN_RESET = 1u << 9, /* TCP was refused by a RST */
	SIGN_CONNECTED = 1u << 10, /* a TCP connection came about */
	SIGN_GIBBERISH = 1u << 11, /* what came is no STUN */
	SIGN_WRONG_SOURCE = 1u << 12, /* answers came, from an endpoint that was not asked */

	/* what the capture shows */
	SIGN_CAPTURED = 1u << 13, /* there was one, without gaps */
	SIGN_LEFT = 1u << 14, /* packets left */
	SIGN_STAYED = 1u << 15, /* not one did */
	SIGN_CAME = 1u << 16, /* answers came in that no socket got */
	SIGN_BROKEN = 1u << 17, /* all of them with a wrong checksum */
	SIGN_OTHER_INTERFACE = 1u << 18, /* … by another interface than the questions left */
	SIGN_OTHER_WAY = 1u
		<< 19, /* the questions left by a tunnel, or otherwise than the main table of routes says */
	SIGN_RESET_FIRST_HOP = 1u << 20, /* the RST is of the first router */
	SIGN_RESET_NEAR = 1u << 21, /* … of something nearer than the server */
	SIGN_RESET_FAR = 1u << 22, /* … of as far away as the server is */
	SIGN_NEARER = 1u << 23, /* who took the connection is nearer than the server */

	/* what the system counts */
	SIGN_REVERSE_PATH = 1u << 24, /* packets dropped by reverse-path filtering */
	SIGN_STRICT = 1u << 25, /* it is strict where the answers came in */
	SIGN_QUIET = 1u << 26, /* none of the reasons that are counted */

	/* what others say */
	SIGN_OTHERS_ANSWER = 1u << 27, /* other servers, over the same transport and family */
	SIGN_HOSTS_ALIVE = 1u << 28, /* several servers' hosts answer TCP, none UDP */
	SIGN_HOST_REACHED = 1u << 29, /* the same transport gets as far as this server's host */
	SIGN_LADDER = 1u << 30, /* routers up to one have answered, none behind it */
	SIGN_LADDER_SHORT = 1u << 31, /* … and more routers lie behind it, or ought to */
};

struct sign_view {
	const struct cause_facts *facts;
	const struct observation *o; /* the server's first question */
	size_t place; /* of it */
	const struct joined *joined; /* NULL: no capture */
	const struct reach *reach; /* NULL: no ladder went to that server */
	int distance; /* hops to the server, as others of its packets show; CAUSE_HOPS_UNKNOWN */
	uint32_t signs;
};

void signs_read(const struct cause_facts *facts, size_t place, struct sign_view *out);

/* One sentence about the sign, behind what is there already. */
void sign_tell(const struct sign_view *v, enum sign sign, char *text, size_t size);

/* Hops that a packet has made; systems begin with 64, 128 or 255. */
int sign_hops(uint8_t ttl);
