// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "wire/stun.h"

/*
 * Call-backs of natprobed, over STUN/TCP (RFC 8489 6.2.2) only: a client asks over a connection, the control
 * connection, for TCP connections from other endpoints of the server to the external endpoint of that very
 * connection, and is told what became of each. One method of our own (RFC 8489 5).
 *
 *	request     from where to call, and when.
 *	success     which calls will be made, from which endpoints, and to which: the mapped address. It is
 *	            sent before the calls begin.
 *	indication  one for each call as soon as it is decided, with the transaction ID of the request. The same
 *	            bytes are the first ones on a connection that has come about, so that its receiver knows
 *	            whose call it is and which. The server then sends nothing more on it, and resets it when it
 *	            is not closed after two seconds.
 *
 * What stands between two endpoints already cannot be called again: such a call ends with CALL_LOCAL and
 * EADDRNOTAVAIL. So may, where TCP timestamps are not in use (RFC 7323), one that follows within a minute on a call which
 * had connected.
 */

#define CALL_METHOD	 0x5d5
#define CALL_FROM_KINDS	 5
#define CALL_BYTES_MAX	 256 /* of a message */
#define CALL_WAIT_MAX_MS 10000
#define CALL_SILENT_US \
	7500000u /* no answer for so long: RFC 5382 REQ-4 has NATs wait for six seconds */
#define CALL_LINGER_US	      2000000u
#define CALL_PATIENCE_STEP_MS 50

/* As seen from the endpoint that was asked; bits of a mask. */
enum call_from {
	CALL_FROM_PORT = 1, /* the other port */
	CALL_FROM_ADDRESS = 2, /* the other address */
	CALL_FROM_BOTH = 4,
	CALL_FROM_THIRD = 8, /* the same address, and a port where nobody listens */
	CALL_FROM_THIRD_ADDRESS = 16, /* such a port of the other address */
};

enum call_outcome {
	CALL_CONNECTED = 1,
	CALL_REFUSED = 2, /* by a RST, or, if there is ICMP-ERROR, by port unreachable */
	CALL_UNREACHABLE = 3, /* by any other ICMP error */
	CALL_SILENT = 4, /* no answer in time */
	CALL_LOCAL = 5, /* the server could not call */
};

enum call_error {
	CALL_BAD = 400,
	CALL_OFF = 403, /* there are no call-backs here, or none over UDP */
	CALL_QUOTA = 486, /* too many of this connection or source */
	CALL_BUSY = 508, /* too many at all */
};

/* Comprehension-optional (0xC000 to 0xFFFF), like all of our attributes. */
enum call_attribute {
	CALL_ATTRIBUTE_FROM =
		0xda95, /* 8 bits mask of enum call_from, 8 patience in steps of 50 ms, 16 wait in ms */
	CALL_ATTRIBUTE_RESULT =
		0xda97, /* 8 bits enum call_from, 8 outcome, 16 errno of Linux, 32 us since the first SYN */
	CALL_ATTRIBUTE_ENDPOINT =
		0xda98, /* and the next four, one for each bit: as XOR-MAPPED-ADDRESS */
	CALL_ATTRIBUTE_TTL = 0xda9d, /* 8 bits TTL, 24 zero */
};

/* Whatever was not there is 0, and so is what has no meaning in a message of this class. */
struct call_message {
	enum stun_class class;
	struct stun_id id;
	uint16_t error_code;
	/* in requests and answers */
	bool has_from;
	uint8_t from; /* mask of enum call_from; in requests unknown bits may be set */
	/* in requests only */
	uint16_t wait_ms; /* from the request's arrival to the first SYN */
	uint16_t
		patience_ms; /* for an answer, in whole steps; 0, or more than CALL_SILENT_US: CALL_SILENT_US */
	/* in answers; FAMILY_NONE: none */
	struct endpoint mapped; /* which is called … */
	struct endpoint endpoint[CALL_FROM_KINDS]; /* … from here, by number of the bit */
	/* in indications */
	bool has_result;
	enum call_from which;
	enum call_outcome outcome;
	uint16_t error; /* errno, as of Linux; 0: none */
	uint32_t elapsed_us;
	bool has_icmp; /* this error ended the call; a Linux older than 5.9 does not tell */
	struct stun_icmp icmp;
	uint8_t ttl; /* with which the SYN-ACK or RST came that ended it; 0: not known, or neither */
};

/* Whether the header says this method: for a first look, before anything is decoded. */
bool call_looks_like(const void *data, size_t length);

/*
 * Decodes one message. 0; -EBADMSG: malformed, or a value of wrong size or out of its range; -EPROTO: STUN, but
 * none of these messages, or without what it must have, or with an attribute that must be understood and is
 * not.
 */
int call_decode(const void *data, size_t length, struct call_message *out);

/* Writes what is set and has a meaning in a message of this class (with FINGERPRINT). The length, or -EMSGSIZE. */
int call_encode(const struct call_message *m, void *buffer, size_t size);
