// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/bytes.h"
#include "base/endpoint.h"

/*
 * The knock as the first tools of this kind have it, for comparison. The side that waits sends ICMP echo requests to the
 * dark address, all the same: identifier 0, sequence number 0, no data. The side that knocks sends errors "time exceeded"
 * (11/0) that quote just that. Neither says anything but where the error comes from, so the waiting side opens its NAT
 * for the known port there, whoever it may be. What comes then is sealed, as ever.
 */

#define CLASSIC_PERIOD_US  5000000u /* of echo requests, and of errors */
#define CLASSIC_OPENINGS   16 /* in CLASSIC_PERIOD_US, for different hosts */
#define CLASSIC_ECHO	   8 /* type */
#define CLASSIC_EXCEEDED   11 /* … with code 0 */
#define CLASSIC_ECHO_BYTES 28

/* Whether such an echo request, from that address to that one, is quoted whole. */
bool classic_is_echo(struct span quoted, const struct endpoint *from, const struct endpoint *to);

/* An endpoint that a socket's NAT is to be opened for. */
struct classic_opening {
	unsigned socket;
	struct endpoint to;
	uint64_t at_us, until_us; /* until_us 0: none */
	bool due;
};

/* All zero: there are none. */
struct classic_openings {
	struct classic_opening opening[CLASSIC_OPENINGS];
};

/*
 * An error has come from there. False: one packet a second is enough, or there are too many others, for anybody can send
 * errors in the name of anybody.
 */
bool classic_add(
	struct classic_openings *o, uint64_t now_us, unsigned socket, const struct endpoint *to);
/* The next one that a packet is due for; NULL: none. It is so no more. */
const struct classic_opening *classic_take(struct classic_openings *o);
