// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/bytes.h"
#include "base/random.h"
#include "punch/cpace.h"

/*
 * What both sides use after CPace. Each direction has keys of its own, so that nothing opens that is sent back to
 * its sender.
 */

#define KEYS_BYTES	   32
#define KEYS_SESSION_BYTES 16

/* A sealed slot: nonce, ciphertext, tag; together at most what a slot of the rendezvous holds. */
#define KEYS_SLOT_OVERHEAD 40
#define KEYS_SLOT_MAX	   960

/* Of one direction. */
struct keys_direction {
	uint8_t slot[KEYS_BYTES]; /* messages through the rendezvous server */
	uint8_t mac[KEYS_BYTES]; /* MESSAGE-INTEGRITY-SHA256 of the STUN messages between the two */
	uint8_t channel[KEYS_BYTES]; /* see channel.h */
};

struct keys {
	struct keys_direction send, receive;
};

/* From CPace's key and both shares, which tell the directions apart: 0, or -EINVAL when the shares are equal. */
int keys_derive(const uint8_t isk[static CPACE_ISK_BYTES],
	const uint8_t own[static CPACE_POINT_BYTES], const uint8_t peer[static CPACE_POINT_BYTES],
	struct keys *out);

void keys_wipe(struct keys *k);

/*
 * Seals a message for the peer, bound to the session and to the version of the slot. Bytes written to out, which
 * must not overlap plain; or -EMSGSIZE when it is longer than KEYS_SLOT_MAX allows or than size.
 */
int keys_slot_seal(const struct keys *k, const uint8_t session[static KEYS_SESSION_BYTES],
	uint32_t version, struct span plain, struct random *random, void *out, size_t size);

/*
 * Opens a message of the peer. Bytes written to out, which must not overlap sealed; or -EBADMSG when it was not
 * sealed by the peer for this session and version; or -EMSGSIZE when size is too small.
 */
int keys_slot_open(const struct keys *k, const uint8_t session[static KEYS_SESSION_BYTES],
	uint32_t version, struct span sealed, void *out, size_t size);
