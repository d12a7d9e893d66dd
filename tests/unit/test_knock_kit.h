// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

/* What the tests of the knock and of both its sides share. */

#include <string.h>

#include "punch/knock.h"

#define SECOND	   UINT64_C(1000000)
#define SLOT_US	   (KNOCK_SLOT_S * SECOND)
#define KNOCK_SLOT UINT64_C(5915148) /* in March 2026 */

/* Makes no key of a code, which takes a while: any key will do. */
static inline struct knock_key knock_key_of(uint8_t seed)
{
	struct knock_key k;

	memset(k.bytes, seed, sizeof(k.bytes));
	return k;
}

static inline struct endpoint host4(uint8_t last, uint16_t port)
{
	return (struct endpoint){FAMILY_IPV4, port, 0, {203, 0, 113, last}};
}

static inline struct endpoint host6(uint8_t last, uint16_t port)
{
	return (struct endpoint){FAMILY_IPV6, port, 0, {0x20, 1, 0xd, 0xb8, [15] = last}};
}

static inline void add_candidate(struct hello *h, enum check_kind kind, struct endpoint e)
{
	h->candidates[h->candidate_count].kind = kind;
	h->candidates[h->candidate_count++].endpoint = e;
}

/* With a share of that byte, and nothing in the hello but the transport. */
static inline struct knock knock_of(enum knock_kind kind, uint8_t share)
{
	struct knock k = {.kind = kind, .hello.transport = HELLO_UDP};

	memset(k.share, share, sizeof(k.share));
	return k;
}
