// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "wire/stun.h"

/*
 * Rendezvous: two parties find each other at natprobed. STUN messages with methods of their own (RFC 8489 5), over
 * UDP and over TCP (RFC 8489 6.2.2). Each party has a slot, some bytes that mean nothing to the server, which
 * hands them to the other party; a phase that it is ready for; and an external endpoint, as the server sees it.
 *
 *	JOIN, request     everything that a party says, every time: it can be repeated at will, and
 *	                  keeps the place. Without a COOKIE that proves its source it gets error 438 with one.
 *	JOIN, success     all that there is to know: mapped address, the other party and its slot, go; a new
 *	                  COOKIE where the one of the request will not be good for long.
 *	NEWS, indication  the same, unasked, as soon as something has changed, with the session and PARTY, which
 *	                  nobody else can know (a source address is easily made up); repeated
 *	                  until the next JOIN says in SEEN that it has arrived. What SEEN has no word for (the
 *	                  other party has left, came back, has another endpoint) counts as arrived with any
 *	                  JOIN, for its answer says it again.
 *	LEAVE, request    the other party is told at once. Needs no COOKIE: PARTY proves who it is.
 *
 * An answer to a source that is not proved is never longer than its request: a JOIN shorter than
 * RENDEZVOUS_JOIN_MIN may get none. Over TCP no cookie is needed, and a connection is good for one party.
 *
 * A session has two parties; a third one gets error 409 (RENDEZVOUS_TAKEN). Once two have been in it
 * nobody new gets in until both are gone, so that a short code gives a stranger one guess; only who had a place
 * has it back. A client that has seen a peer and is told NOBODY later (the session ended or the server has begun
 * anew) begins SEEN anew and must take nobody for the same peer who does not show the same slot.
 */

#define RENDEZVOUS_JOIN		 0x5d1
#define RENDEZVOUS_NEWS		 0x5d2
#define RENDEZVOUS_LEAVE	 0x5d3

#define RENDEZVOUS_SESSION_BYTES 16
#define RENDEZVOUS_PARTY_BYTES	 16
#define RENDEZVOUS_COOKIE_MAX	 32
#define RENDEZVOUS_SLOT_MAX	 960
#define RENDEZVOUS_JOIN_MIN	 64 /* fill up to this: so long may error 438 be with its cookie */
#define RENDEZVOUS_LIFETIME_US	 60000000u /* without a JOIN the place is given up */

enum rendezvous_error {
	RENDEZVOUS_BAD = 400,
	RENDEZVOUS_TAKEN = 409, /* two others are in this session */
	RENDEZVOUS_STALE = 438, /* the cookie is missing or old: here is a new one */
	RENDEZVOUS_QUOTA = 486, /* too many sessions of this source */
	RENDEZVOUS_FULL = 508, /* too many sessions at all */
};

/* Comprehension-optional (0xC000 to 0xFFFF), like all of our attributes. */
enum rendezvous_attribute {
	RENDEZVOUS_SESSION = 0xda80, /* 16 bytes: who has the same meets */
	RENDEZVOUS_PARTY = 0xda81, /* 16 bytes that only this party and the server know */
	RENDEZVOUS_COOKIE = 0xda82, /* of the server, bound to source and time */
	RENDEZVOUS_ALLOCATE = 0xda83, /* empty: a number instead of a session is wanted */
	RENDEZVOUS_NUMBER = 0xda84, /* 32 bits: the number that was allocated */
	RENDEZVOUS_SLOT = 0xda85, /* 32 bits version, then the bytes */
	RENDEZVOUS_SEEN =
		0xda86, /* 32 bits version of the other's slot, 16 of its phase, 16 of go */
	RENDEZVOUS_READY = 0xda87, /* 16 bits phase, 16 zero, 32 bits own round trip in us */
	RENDEZVOUS_PEER =
		0xda88, /* 8 bits enum rendezvous_peer, 8 place, 16 phase, 32 round trip in us */
	RENDEZVOUS_PEER_ADDRESS = 0xda89, /* as XOR-MAPPED-ADDRESS */
	RENDEZVOUS_GO = 0xda8a, /* 16 bits phase, 16 zero, 32 bits to wait in us, signed */
};

enum rendezvous_peer { RENDEZVOUS_NOBODY = 0, RENDEZVOUS_HERE = 1, RENDEZVOUS_LEFT = 2 };

/*
 * Whatever was not there is 0, and so is what has no meaning in a message of this class. Spans point into
 * the message that was decoded.
 */
struct rendezvous_message {
	enum stun_class class;
	uint16_t method;
	struct stun_id id;
	uint16_t error_code;
	bool has_session, has_party, allocate;
	uint8_t session[RENDEZVOUS_SESSION_BYTES], party[RENDEZVOUS_PARTY_BYTES];
	struct span cookie;
	uint32_t number;
	/* in requests the sender's, in answers and news the other party's */
	bool has_slot;
	uint32_t slot_version; /* grows with each change, from 1 */
	struct span slot;
	bool has_ready;
	uint16_t ready; /* phase; 0: none */
	uint32_t rtt_us;
	/* in requests: what the sender has of the other party, and of go */
	bool has_seen;
	uint32_t seen_version;
	uint16_t seen_ready, seen_go;
	/* in answers and news */
	bool has_peer;
	enum rendezvous_peer peer;
	uint8_t place; /* the receiver's own: 0 for who came first, 1 */
	struct endpoint mapped, peer_address; /* FAMILY_NONE: none */
	bool has_go;
	uint16_t go; /* both are ready for this phase … */
	int32_t go_wait_us; /* … which begins so long after this message has been received */
};

/* Whether the header says one of these methods: for a first look, before anything is decoded. */
bool rendezvous_looks_like(const void *data, size_t length);

/*
 * Decodes one message. 0; -EBADMSG: malformed, or a value of wrong size or out of its range; -EPROTO: STUN,
 * but none of these methods, or without a session or party where they must be, or with an attribute that must be
 * understood and is not.
 */
int rendezvous_decode(const void *data, size_t length, struct rendezvous_message *out);

/*
 * Writes what is set and has a meaning in a message of this class (with FINGERPRINT), filled up to fill
 * bytes, a multiple of 4, where it is shorter (0: not). The length, or -EMSGSIZE. For an error response
 * error_code, and cookie with RENDEZVOUS_STALE.
 */
int rendezvous_encode(const struct rendezvous_message *m, void *buffer, size_t size, size_t fill);

/* The session of those who share a nameplate: its letters in lower case, or a NUMBER in decimal. */
void rendezvous_session_of(
	const char *nameplate, size_t length, uint8_t out[static RENDEZVOUS_SESSION_BYTES]);
