// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "wire/stun.h"

/*
 * The packets that peers send each other through their NATs until one way is proved both ways: STUN with a method of
 * its own, each with a counter against replays and a MAC under a key of its direction (RFC 8489 14.6). A request
 * asks whether a way is open (RFC 8445 7); an answer says from where it came.
 */

#define PUNCH_METHOD	0x5d8
#define PUNCH_KEY_BYTES 32
#define PUNCH_BYTES_MAX 128 /* of a message */

enum punch_attribute {
	PUNCH_STATE = 0xda90,
	PUNCH_ECHO = 0xda91, /* 12 bytes: a transaction of the receiver */
};

enum punch_flag {
	PUNCH_NOMINATE =
		1, /* the controlling side has chosen this way (RFC 8445 8); in answers: so it is */
	PUNCH_SIGNAL = 2, /* carried by an ICMP error: it came over no way, and wants no answer */
};

struct punch_message {
	enum stun_class class; /* STUN_REQUEST or STUN_SUCCESS */
	struct stun_id id; /* of a response that of its request */
	uint8_t flags;
	uint16_t attempt;
	uint64_t counter; /* of the sender, larger in each packet */
	struct endpoint mapped; /* of an answer: where the request came from */
	/* a request, too, may be an answer: to the receiver's latest one on this way; responses get lost */
	bool has_echo;
	struct stun_id echo;
};

/* The length, or -EMSGSIZE. */
int punch_encode(const struct punch_message *m, const uint8_t key[static PUNCH_KEY_BYTES],
	void *buffer, size_t size);

/*
 * 0; -EPROTO: not one of these messages; -EBADMSG: one that is malformed; -EACCES: its MAC is not of this key.
 */
int punch_decode(const void *data, size_t length, const uint8_t key[static PUNCH_KEY_BYTES],
	struct punch_message *out);
