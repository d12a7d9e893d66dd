// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/bytes.h"
#include "base/random.h"

/*
 * CPace: two parties who share a short secret prove it to each other and get a strong key, and whoever carries
 * their messages gets one guess for each time that they try. CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21,
 * symmetric: none of them is the initiator, and both messages may be under way at the same time.
 */

#define CPACE_POINT_BYTES  32
#define CPACE_SCALAR_BYTES 32
#define CPACE_ISK_BYTES	   64
#define CPACE_SID_MAX	   64
#define CPACE_AD_MAX	   128

/* What goes in; the first three are the same on both sides, and any of them may be empty. */
struct cpace_input {
	struct span prs; /* the shared secret */
	struct span ci; /* what it is for */
	struct span sid; /* the session, at most CPACE_SID_MAX bytes */
	struct span ad; /* sent along in the open and vouched for, at most CPACE_AD_MAX bytes */
};

struct cpace {
	uint8_t own[CPACE_POINT_BYTES]; /* the public share Y, to be sent with ad */
	uint8_t scalar[CPACE_SCALAR_BYTES]; /* secret */
	uint8_t sid[CPACE_SID_MAX], ad[CPACE_AD_MAX]; /* copies */
	size_t sid_length, ad_length;
};

/* Draws a scalar and computes own: 0, or -EINVAL when sid or ad is too long. */
int cpace_begin(struct cpace *c, const struct cpace_input *in, struct random *random);

/* Other associated data than cpace_begin was given: 0, or -EINVAL when it is too long. */
int cpace_associate(struct cpace *c, struct span ad);

/*
 * The key of both from the peer's share and associated data: 0, or -EBADMSG when the share is no valid one or
 * is the own one come back. Either way *c is forgotten, since each guess needs a new scalar: call it once. That
 * the peer knows the secret is shown only by the first message that opens with a key made of isk.
 */
int cpace_finish(
	struct cpace *c, struct span share, struct span ad, uint8_t isk[static CPACE_ISK_BYTES]);

/* Wipes what cpace_begin has made. */
void cpace_forget(struct cpace *c);
