// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/random.h"
#include "punch/cpace.h"
#include "punch/hello.h"

/*
 * Knocking at a host behind NATs without any server. The side that waits keeps a UDP flow from its port to a dark
 * endpoint, where nobody is. An ICMP error about this flow may come from anybody, and every NAT on the way has to let it
 * in (RFC 5508 REQ-4): so the side that knocks sends one which quotes the flow and has, where the datagram's payload
 * would be, this message. Port and dark endpoint follow from the code and the time.
 *
 * Whoever sees a flow or a message can try codes on it at leisure, other than with CPace: so the key is made of the code
 * by Argon2id, a code that we draw for this has KNOCK_WORDS words, and nothing but the knock depends on the key: the
 * channel's keys are of CPace.
 *
 *	nonce (24)
 *	sealed with XChaCha20-Poly1305:
 *		version (1), kind (1)
 *		UTC in ms (6)
 *		quoted port (2)		of the waiting side; 0: it came as a datagram. Of an answer: knock_tag of the ask
 *		CPace share (32)
 *		hello			see hello.h
 */

#define KNOCK_WORDS	5
#define KNOCK_KEY_BYTES 32
#define KNOCK_SLOT_S	300 /* port and dark endpoint hold for so long */
#define KNOCK_CLOCK_S	60 /* by so much the clocks of the two hosts may differ */
#define KNOCK_NONCE	24
#define KNOCK_OVERHEAD	(KNOCK_NONCE + 16 + 42)
#define KNOCK_HELLO_MAX 320
#define KNOCK_BYTES_MAX (KNOCK_OVERHEAD + KNOCK_HELLO_MAX)
#define KNOCK_DIGEST	32

struct knock_key {
	uint8_t bytes[KNOCK_KEY_BYTES];
};

/* From the code, in about 0.1 s and 64 MiB. -ENOMEM. */
int knock_key_make(struct span code, struct knock_key *out);
void knock_key_wipe(struct knock_key *k);

/* Where to knock in a slot of time: UTC in seconds / KNOCK_SLOT_S. */
struct knock_place {
	uint64_t slot;
	uint16_t port; /* of the waiting host, and outside, where its NAT keeps ports */
	struct endpoint dark
		[2]; /* IPv4: of 198.18.0.0/15, IPv6: of 2001:2::/48: benchmarks (RFC 6890), never routed */
};
void knock_place_at(const struct knock_key *k, uint64_t slot, struct knock_place *out);

enum knock_kind {
	KNOCK_ASK = 1, /* of the side that knocks */
	KNOCK_ANSWER = 2, /* as a datagram */
};

struct knock {
	enum knock_kind kind;
	uint64_t utc_ms;
	uint16_t quoted_port; /* of an ask */
	uint16_t answered; /* of an answer: knock_tag of what it answers */
	uint8_t share[CPACE_POINT_BYTES];
	struct hello hello;
	uint8_t digest
		[KNOCK_DIGEST]; /* of kind, share and hello, for CPace: the same in all copies */
};

/* Whether it can be knocked at: the address of one host; its port may be 0, which is not known. */
bool knock_is_host(const struct endpoint *e);

/*
 * Fills k->digest, of what this host says: 0, or -EMSGSIZE: the hello is longer than KNOCK_HELLO_MAX. Of what the other
 * one has said it is knock_open's, since a hello may have parts that this version skips.
 */
int knock_digest(struct knock *k);

/* By which an answer shows whose ask it is for: earlier ones may still be under way, or be played back. */
uint16_t knock_tag(const struct knock *ask);

/* The length, and k->digest; -EMSGSIZE: as above, or size is too small. */
int knock_seal(const struct knock_key *key, struct knock *k, struct random *random, void *out,
	size_t size);

/* 0; -EBADMSG: not sealed with this key, or malformed; -EPROTO: of a version that is not understood. */
int knock_open(const struct knock_key *key, struct span sealed, struct knock *out);

/* Whether it was sent now, as far as the clocks agree; else it may be one that somebody has kept. */
bool knock_is_fresh(const struct knock *k, uint64_t utc_ms);

/* The type and code of error number `turn`: of several in turn, since a firewall may let in some only. */
void knock_kind(enum family family, unsigned turn, uint8_t *type, uint8_t *code);

/* The place of a moment, and of those that a clock shows which is off by KNOCK_CLOCK_S: 1 or 2 of them. */
size_t knock_places(const struct knock_key *k, uint64_t utc_us, struct knock_place out[static 2]);

/*
 * --- what the engines of both sides want done ---
 */

enum knock_action {
	KNOCK_WAIT, /* nothing before deadline_us */
	KNOCK_OPEN, /* a UDP socket, bound to `local`: port 0 is any */
	KNOCK_SEND, /* a datagram from `socket` to `to`, with `ttl` if it is not 0 */
	KNOCK_ERROR, /* an ICMP error to `to`, which quotes a datagram with this data, from quoted_from to quoted_to */
	KNOCK_ECHO, /* classic: an ICMP echo request, `type`, of nothing but zeros, from `local` to `to` */
	KNOCK_CLOSE,
};

struct knock_output {
	enum knock_action action;
	unsigned socket;
	struct endpoint local, to, quoted_from, quoted_to;
	uint8_t ttl, type, code;
	bool quotes_echo; /* of KNOCK_ERROR, classic: such an echo request instead, and no data */
	uint8_t data[KNOCK_BYTES_MAX];
	size_t length;
};
