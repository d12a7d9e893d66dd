// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "wire/syn.h"

/*
 * STUN messages (RFC 8489; RFC 5780 for behaviour discovery; RFC 3489 tolerated): bytes to struct and
 * struct to bytes. Decoding copies nothing: spans point into the message that was handed in.
 */

#define STUN_COOKIE	       0x2112a442u
#define STUN_HEADER_BYTES      20
#define STUN_FINGERPRINT_BYTES 8
/* Our own messages stay below the IPv6 minimum MTU less headers, so that they are never fragments. */
#define STUN_MESSAGE_BYTES 1232
#define STUN_UNKNOWN_MAX   8

enum stun_class {
	STUN_REQUEST = 0,
	STUN_INDICATION = 1,
	STUN_SUCCESS = 2,
	STUN_ERROR = 3,
};

enum stun_method {
	STUN_BINDING = 0x001,
};

enum stun_attribute {
	STUN_MAPPED_ADDRESS = 0x0001,
	STUN_CHANGE_REQUEST = 0x0003, /* RFC 5780 7.2 */
	STUN_SOURCE_ADDRESS = 0x0004, /* RFC 3489 11.2.5 */
	STUN_CHANGED_ADDRESS = 0x0005, /* RFC 3489 11.2.3 */
	STUN_USERNAME = 0x0006,
	STUN_MESSAGE_INTEGRITY = 0x0008,
	STUN_ERROR_CODE = 0x0009,
	STUN_UNKNOWN_ATTRIBUTES = 0x000a,
	STUN_REALM = 0x0014,
	STUN_NONCE = 0x0015,
	STUN_MESSAGE_INTEGRITY_SHA256 = 0x001c,
	STUN_XOR_MAPPED_ADDRESS = 0x0020,
	STUN_PRIORITY = 0x0024, /* RFC 8445 */
	STUN_PADDING = 0x0026, /* RFC 5780 7.6 */
	STUN_RESPONSE_PORT = 0x0027, /* RFC 5780 7.5 */
	STUN_OLD_XOR_MAPPED_ADDRESS = 0x8020, /* of servers older than RFC 5389 */
	STUN_SOFTWARE = 0x8022,
	STUN_ALTERNATE_SERVER = 0x8023,
	STUN_FINGERPRINT = 0x8028,
	STUN_ICE_CONTROLLED = 0x8029, /* RFC 8445 */
	STUN_RESPONSE_ORIGIN = 0x802b, /* RFC 5780 7.3 */
	STUN_OTHER_ADDRESS = 0x802c, /* RFC 5780 7.4 */
	/* ours; comprehension-optional, so that foreign software ignores them: see probing.h */
	STUN_PROBE = 0xda70,
	STUN_RECEIPT = 0xda71,
	STUN_OBSERVED = 0xda72,
	STUN_ICMP_ERROR = 0xda73,
	STUN_FILL = 0xda74,
	STUN_SYN = 0xda75,
};

enum stun_change {
	STUN_CHANGE_PORT = 0x02,
	STUN_CHANGE_ADDRESS = 0x04,
};

/* The 128 bits behind the length: cookie and transaction ID, or the longer ID of RFC 3489. */
struct stun_id {
	uint8_t bytes[16];
};

/* PROBE, in requests: what our client wants to be told beyond RFC 5780. */
struct stun_probe {
	uint8_t version;
	uint8_t wants; /* enum stun_want */
	uint8_t copies; /* how often the answer with a changed source shall be sent */
};

enum stun_want {
	STUN_WANT_RECEIPT =
		1, /* say from the asked endpoint which copies were sent from elsewhere */
	STUN_WANT_OBSERVED = 2, /* how the request arrived */
	STUN_WANT_ICMP = 4, /* the ICMP errors that came back for packets sent to this client */
	STUN_WANT_SYN = 8, /* over TCP: how the SYN of this connection arrived */
};

/* RECEIPT: from the asked endpoint, which answers left from elsewhere. */
struct stun_receipt {
	uint8_t copies;
	struct endpoint from;
};

/* OBSERVED: how the request arrived at the server, and what the server can do. */
struct stun_observed {
	uint8_t version;
	uint8_t can; /* enum stun_want that the server knows */
	uint8_t ttl;
	uint8_t tos;
	uint16_t bytes; /* of the UDP payload */
	uint16_t fragment_bytes; /* of the largest IP fragment; 0: it came in one piece */
};

enum stun_syn_part {
	STUN_SYN_ARRIVED = 1,
	STUN_SYN_ANSWERED = 2,
};

/*
 * SYN: how the SYN of this connection arrived at the server, and which options the server's own SYN had, as far as
 * its system tells. 20 bytes: version, enum stun_syn_part, TTL, TOS; 16 bits MSS and 16 window; 32 sequence
 * number; enum syn_option, window scale, bytes of all options; and of the answer enum syn_option, 16 bits MSS, window
 * scale; zero. What comes behind them is of later versions.
 */
struct stun_syn {
	uint8_t version;
	uint8_t parts; /* what is known */
	struct syn arrived;
	struct syn_options answered;
};

/* ICMP-ERROR: an error that the server received for a packet it had sent to this client. */
struct stun_icmp {
	uint8_t type, code;
	uint8_t count; /* how many alike, at most 255 */
	struct endpoint offender; /* who sent the error; port 0 */
	struct endpoint
		quoted_from; /* the server's endpoint which the quoted packet had left from */
};

#define STUN_ICMP_MAX 4

struct stun_message {
	enum stun_class class;
	uint16_t method;
	bool classic; /* RFC 3489: no magic cookie */
	struct stun_id id;

	/* family FAMILY_NONE: the attribute was not there */
	struct endpoint mapped, xor_mapped, response_origin, other_address, source_address,
		changed_address, alternate_server;
	bool has_change_request, has_response_port, has_padding, has_error, has_probe, has_receipt,
		has_observed, has_syn;
	uint32_t change_request; /* the flags as sent, enum stun_change */
	uint16_t response_port;
	uint16_t error_code; /* 300 to 699 */
	struct span software, username, realm, nonce, reason;
	struct stun_probe probe;
	struct stun_receipt receipt;
	struct stun_observed observed;
	struct stun_syn syn;
	struct stun_icmp icmp[STUN_ICMP_MAX];
	size_t icmp_count;

	/* comprehension-required attributes (below 0x8000) that this decoder does not know */
	uint16_t unknown[STUN_UNKNOWN_MAX];
	size_t unknown_count;

	/* where integrity stands, for stun_check_integrity; 0: not there. Offsets of the attribute. */
	size_t integrity_at, integrity_sha256_at;
	bool has_fingerprint; /* present, last and right; a wrong one makes the message malformed */
	struct span bytes; /* the whole message */
};

/*
 * Decodes one message that fills all of data. 0, or -EBADMSG: not STUN, a length that does not fit,
 * an attribute beyond the end, an address of wrong size or family, a wrong FINGERPRINT, or
 * attributes behind it (RFC 8489 6.3, 14).
 */
int stun_decode(const void *data, size_t length, struct stun_message *out);

/* Whether the first bytes can be STUN at all: two zero bits, length a multiple of 4 that fits. */
bool stun_looks_like(const void *data, size_t length);

/*
 * Where messages follow each other in a stream (RFC 8489 6.2.2): bytes of the one that begins here; 0: its header is
 * not whole yet; -EBADMSG: it cannot be STUN, or would be longer than max.
 */
int stun_frame_bytes(const void *data, size_t length, size_t max);

/*
 * The attributes of a decoded message one by one, for methods with attributes of their own: *cursor begins
 * with 0. False behind the last one that counts, which is the one before integrity or FINGERPRINT.
 */
bool stun_next(const struct stun_message *m, size_t *cursor, uint16_t *type, struct span *value);

/* The endpoint in the value of an attribute that is written as XOR-MAPPED-ADDRESS is. 0 or -EBADMSG. */
int stun_xor_address(const struct stun_message *m, struct span value, struct endpoint *out);

/* The same where other things stand before or behind it; false: it is none, or cut off. */
bool stun_read_xor_address(struct reader *r, const struct stun_id *id, struct endpoint *out);

/*
 * Whether MESSAGE-INTEGRITY (HMAC-SHA1, RFC 8489 14.5) or -SHA256 (14.6) is there and right under the
 * key. 0; -ENOENT: none there; -EBADMSG: wrong.
 */
int stun_check_integrity(const struct stun_message *m, const void *key, size_t key_length);
int stun_check_integrity_sha256(const struct stun_message *m, const void *key, size_t key_length);

/* A message being written into a buffer of the caller's; errors stick until stun_end. */
struct stun_writer {
	struct writer w;
	struct stun_id id;
	uint8_t padding; /* fills attributes up to 4 bytes: 0 (RFC 8489 14) unless a test says otherwise */
};

struct stun_writer stun_begin(void *buffer, size_t size, enum stun_class class, uint16_t method,
	const struct stun_id *id);
void stun_add(struct stun_writer *s, uint16_t type, const void *value, size_t length);
void stun_add_u32(struct stun_writer *s, uint16_t type, uint32_t value);
void stun_add_text(struct stun_writer *s, uint16_t type, const char *text);
/* MAPPED-ADDRESS and its like; the XOR form where the type is XOR-MAPPED-ADDRESS. */
void stun_add_address(struct stun_writer *s, uint16_t type, const struct endpoint *e);
/* An attribute of any type that is written as XOR-MAPPED-ADDRESS is. */
void stun_add_xor_address(struct stun_writer *s, uint16_t type, const struct endpoint *e);
/* The same without the type and length of an attribute, for one that holds other things, too. */
void stun_write_xor_address(struct writer *w, const struct stun_id *id, const struct endpoint *e);
/* RESPONSE-PORT with length 4, or the length 2 that some servers insist on (RFC 5780 7.5). */
void stun_add_response_port(struct stun_writer *s, uint16_t port, bool short_form);
void stun_add_error(struct stun_writer *s, unsigned code, const char *reason);
void stun_add_unknown(struct stun_writer *s, const uint16_t *types, size_t count);
void stun_add_probe(struct stun_writer *s, const struct stun_probe *probe);
void stun_add_receipt(struct stun_writer *s, const struct stun_receipt *receipt);
void stun_add_observed(struct stun_writer *s, const struct stun_observed *observed);
void stun_add_syn(struct stun_writer *s, const struct stun_syn *syn);
void stun_add_icmp(struct stun_writer *s, const struct stun_icmp *icmp);
/* Fills the message up to length bytes with FILL, where it is shorter by at least 4. */
void stun_add_fill(struct stun_writer *s, size_t length);
void stun_add_integrity(struct stun_writer *s, const void *key, size_t key_length);
void stun_add_integrity_sha256(struct stun_writer *s, const void *key, size_t key_length);
void stun_add_fingerprint(struct stun_writer *s);
/* Bytes of the finished message, or -EMSGSIZE when the buffer was too small. */
int stun_end(struct stun_writer *s);

/* Whether both are the same 128 bits. */
bool stun_id_equal(const struct stun_id *a, const struct stun_id *b);
