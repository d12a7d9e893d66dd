// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "punch/keys.h"

/*
 * Datagrams between the two over the path that was found: sealed, each opened at most once, in any order. They may
 * get lost; nothing is sent again. A packet:
 *
 *	type (1), zero (3), counter (8)    in the open, but authentic
 *	payload                            ChaCha20-Poly1305, the counter being the nonce
 *	tag (16)
 *
 * The first two bits of a type are 10: no such packet is taken for STUN, whose are 00 (RFC 8489 5), on the same
 * socket.
 */

#define CHANNEL_PACKET_MAX  1232 /* the IPv6 minimum MTU less headers: never a fragment */
#define CHANNEL_OVERHEAD    28
#define CHANNEL_PAYLOAD_MAX (CHANNEL_PACKET_MAX - CHANNEL_OVERHEAD)

/* A packet that is so far behind the newest one is too old. */
#define CHANNEL_WINDOW 1024
#define CHANNEL_WORDS  (CHANNEL_WINDOW / 64 + 1)

enum channel_type {
	CHANNEL_DATA = 0x80,
	CHANNEL_KEEPALIVE = 0x81, /* wants a reply with the same payload */
	CHANNEL_KEEPALIVE_REPLY = 0x82,
	CHANNEL_CLOSE = 0x83, /* the last one */
	CHANNEL_FORWARDED = 0x84, /* number of a client (2), and a datagram from or to it */
};

struct channel_statistics {
	uint64_t sent, received;
	uint64_t lost; /* of those up to the newest one that came, not received, perhaps not yet */
	uint64_t duplicates; /* received before */
	uint64_t old; /* behind the window: perhaps received before, perhaps not */
	uint64_t forged; /* not sealed by the peer, or broken */
};

/* Keys and counters; nothing in it is for others but to be tested. */
struct channel {
	uint8_t send_key[KEYS_BYTES], receive_key[KEYS_BYTES];
	uint64_t sent,
		newest; /* counters of the last packet sent and of the newest received; 0: none */
	uint64_t seen[CHANNEL_WORDS]; /* a bit for each counter of the window: a ring (RFC 6479) */
	uint64_t received, duplicates, old, forged;
};

void channel_init(struct channel *c, const struct keys *k);
void channel_wipe(struct channel *c);

/*
 * Seals a packet for the peer. Bytes written to out, which must not overlap data; -EMSGSIZE when there are more
 * than CHANNEL_PAYLOAD_MAX bytes of data, or the packet is longer than size; -EINVAL for another type;
 * -EOVERFLOW when all counters are used up.
 */
int channel_seal(struct channel *c, enum channel_type type, const void *data, size_t length,
	void *out, size_t size);

/*
 * Opens a packet of the peer. Bytes written to out, which must not overlap packet; -EBADMSG when the peer did not
 * seal it like this; -EALREADY when it did, but it was opened before or is too old; -EMSGSIZE when the payload
 * may be longer than size: the packet can be opened again.
 */
int channel_open(struct channel *c, const void *packet, size_t length, enum channel_type *type,
	void *out, size_t size);

struct channel_statistics channel_statistics(const struct channel *c);
