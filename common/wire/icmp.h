// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "wire/stun.h"

/*
 * What natprobed does for those who want to know what a NAT does with ICMP (RFC 5508, RFC 5382 REQ-9 and REQ-10, RFC
 * 4787 REQ-12): it sends ICMP and ICMPv6 errors about their own flows, says which ICMP has reached it, and answers an
 * echo request late. One STUN method of our own (RFC 8489 5), over UDP and over TCP (RFC 8489 6.2.2). A request says in
 * ASK what it is:
 *
 *	ERRORS   Errors about the flow or connection over which this very request comes. Over UDP they quote the request
 *	         as it arrived, so that its transaction ID is in the quote; over TCP a segment of the connection whose
 *	         sequence number is the one that the server expects next.
 *	ATTEMPT  Over TCP only: errors about a connection attempt. TARGET of the answer is an endpoint that stays silent:
 *	         the first SYN to it from the address of the control connection, and from its very port if there is one,
 *	         gets these errors and nothing else. With no errors it is only told of. One at a time for a connection.
 *	SEEN     What has arrived with this TOKEN in it: echo requests that carry a mark (icmp_write_mark) at the beginning
 *	         of their data, and errors which quote a UDP datagram or an echo that does. A token must be asked for before
 *	         it is used, for what nobody has asked for is not recorded; then it is known for ICMP_SEEN_US, and
 *	         anew each time that it is asked for.
 *	LATER    An echo reply after LATER milliseconds to the newest echo request that was seen with this TOKEN and has got
 *	         none yet, with its identifier, sequence number and data (of which ICMP_KEPT_BYTES are kept), which the
 *	         answer repeats. Only if it came from the address from which this request comes. The server's system has
 *	         answered it at once, most likely; this is one more reply.
 *
 * A success answer is sent before anything else is done; to ERRORS and ATTEMPT it repeats the list, where what will not
 * be sent is from ICMP_FROM_NONE, and says from which addresses the others will come. When all is done, an indication
 * with the transaction ID of the request says in SENT which errors have left the server, and for ATTEMPT which SYN it was
 * that came; none: in ICMP_SYN_US there was none. It comes ICMP_DONE_US after the last error, over the same flow or
 * connection, so it also shows whether that has survived.
 *
 * Over UDP nothing is done for a source that has not proved itself: a request without a good COOKIE gets error 438 with
 * one, which is good for this endpoint for 30 s at least. An answer is never longer than a request that proves nothing,
 * which therefore must have ICMP_REQUEST_MIN bytes to be sure of one. A request that is repeated, with the same
 * transaction ID, is done once and answered each time; when it is over the indication comes again, too, since over UDP
 * the first one may have been lost.
 */

#define ICMP_METHOD	   0x5d6
#define ICMP_REQUEST_MIN   64 /* fill up to this: so long may error 438 be with its cookie */
#define ICMP_COOKIE_MAX	   32
#define ICMP_ERRORS_MAX	   8
#define ICMP_RECORDS_MAX   8 /* of a token; when there are more, the first ones */
#define ICMP_TOKEN_BYTES   8
#define ICMP_MARK_BYTES	   16 /* 8 bytes that never change, and the token */
#define ICMP_KEPT_BYTES	   64
#define ICMP_DELAY_MAX_MS  10000
#define ICMP_LATER_MAX_MS  300000
#define ICMP_SYN_US	   10000000u
#define ICMP_SEEN_US	   60000000u
#define ICMP_DONE_US	   20000u
#define ICMP_MTU_MIN_IPV4  576
#define ICMP_MTU_MIN_IPV6  1280
#define ICMP_QUOTING_BYTES 576 /* of an error as an IP packet, at most */

enum icmp_ask {
	ICMP_ASK_ERRORS = 1,
	ICMP_ASK_ATTEMPT = 2,
	ICMP_ASK_SEEN = 3,
	ICMP_ASK_LATER = 4,
};

/* An address of the server, as seen from the endpoint that was asked. */
enum icmp_from {
	ICMP_FROM_NONE = 0, /* in answers: it will not be sent */
	ICMP_FROM_OWN = 1, /* that endpoint's */
	ICMP_FROM_OTHER = 2, /* the other one of the same family */
};

enum icmp_refusal {
	ICMP_BAD = 400,
	ICMP_OFF = 403, /* there is no ICMP here, or nothing of what was asked for */
	ICMP_UNSEEN = 404, /* LATER: no echo request with this token waits for a reply */
	ICMP_ELSEWHERE = 409, /* LATER: it came from another address than this request */
	ICMP_STALE = 438, /* the cookie is missing or old: here is a new one */
	ICMP_QUOTA = 486, /* too many of this source */
	ICMP_BUSY = 508, /* too many at all */
};

/* Comprehension-optional (0xC000 to 0xFFFF), like all of our attributes. */
enum icmp_attribute {
	ICMP_ATTRIBUTE_ASK = 0xdaa0, /* 8 bits enum icmp_ask, 24 zero */
	ICMP_ATTRIBUTE_COOKIE = 0xdaa1, /* of the server, bound to source and time */
	ICMP_ATTRIBUTE_ERRORS =
		0xdaa2, /* each: 8 bits type, 8 code, 8 enum icmp_from, 8 zero, 16 delay in ms, 16 MTU */
	ICMP_ATTRIBUTE_OWN = 0xdaa3, /* as XOR-MAPPED-ADDRESS, and the next two */
	ICMP_ATTRIBUTE_OTHER = 0xdaa4,
	ICMP_ATTRIBUTE_TARGET = 0xdaa5,
	ICMP_ATTRIBUTE_TOKEN = 0xdaa6, /* 8 bytes */
	ICMP_ATTRIBUTE_LATER = 0xdaa7, /* 32 bits ms */
	/*
	 * One for each record: 8 bits enum icmp_kind, 8 type, 8 code, 8 TTL, 16 identifier, 16 sequence number, 32 age in
	 * ms, 8 protocol that is quoted, 24 zero; then as in XOR-MAPPED-ADDRESS where it came from, to which
	 * address of the server, and of errors the quoted source and destination.
	 */
	ICMP_ATTRIBUTE_SEEN = 0xdaa8,
	ICMP_ATTRIBUTE_SENT =
		0xdaa9, /* 8 bits mask of the errors that have left, 8 zero, 16 errno of one that has not */
	ICMP_ATTRIBUTE_SYN =
		0xdaaa, /* 32 bits sequence number, 8 TTL, 24 zero, then as in XOR-MAPPED-ADDRESS its source */
};

/* An error that is wanted. */
struct icmp_wanted {
	uint8_t type, code; /* ICMP or ICMPv6, as the family of the flow is: see icmp_is_offered */
	enum icmp_from from;
	uint16_t
		delay_ms; /* from the arrival of the request, or of the SYN; ICMP_DELAY_MAX_MS at most */
	uint16_t mtu; /* of 3/4 and ICMPv6 2/0; less than ICMP_MTU_MIN_… is raised to it; else 0 */
};

enum icmp_kind {
	ICMP_KIND_ECHO = 1, /* an echo request */
	ICMP_KIND_ERROR = 2,
};

/* What has arrived at the server. */
struct icmp_record {
	enum icmp_kind kind;
	uint8_t type, code;
	uint8_t ttl; /* 0: not known */
	uint16_t identifier, sequence; /* of an echo request; 0 of an error */
	uint32_t age_ms;
	struct endpoint from, to; /* to: the server's address, as clients know it; ports 0 */
	/* of errors: the packet that is quoted; of a quoted echo the ports are its identifier */
	uint8_t quoted_protocol; /* of IP: 17 UDP, 1 ICMP, 58 ICMPv6 */
	struct endpoint quoted_from, quoted_to;
};

/*
 * One message. Whatever was not there is 0, and so is what has no meaning in a message of this class that asks for this.
 * The cookie points into the message that was decoded.
 */
struct icmp_inquiry {
	enum stun_class class;
	struct stun_id id;
	uint16_t
		error_code; /* in error answers, which have nothing else but a cookie with ICMP_STALE */
	enum icmp_ask ask; /* in all others */
	struct span
		cookie; /* in requests over UDP; in success answers a new one, when the old one ends soon */
	struct endpoint mapped; /* in success answers: where the request came from */

	/* ERRORS and ATTEMPT, in requests and success answers, there in the same order */
	size_t error_count;
	struct icmp_wanted errors[ICMP_ERRORS_MAX];
	/* in success answers; FAMILY_NONE: nothing comes from there; ports 0 */
	struct endpoint own, other;
	struct endpoint
		target; /* ATTEMPT: connect to this, from the local endpoint of the control connection */
	/* in indications */
	uint8_t sent; /* mask: 1 << its place in the list */
	uint16_t sent_error; /* errno of Linux, why one of them was not sent; 0: none */
	bool has_syn; /* ATTEMPT: one came … */
	uint32_t syn_sequence;
	uint8_t syn_ttl; /* 0: not known */
	struct endpoint syn_from; /* … from here */

	/* SEEN and LATER, in requests and success answers */
	uint8_t token[ICMP_TOKEN_BYTES];
	uint32_t later_ms; /* LATER: ICMP_LATER_MAX_MS at most */
	/* in success answers, the oldest one first; of LATER the one that will be replied to */
	size_t record_count;
	struct icmp_record records[ICMP_RECORDS_MAX];
};

/* Whether the header says this method: for a first look, before anything is decoded. */
bool icmp_looks_like(const void *data, size_t length);

/*
 * Decodes one message. 0; -EBADMSG: malformed, or a value of wrong size or out of its range; -EPROTO: STUN, but
 * none of these messages, or without what it must have, or with an attribute that must be understood and is
 * not. Types of errors are not looked at: see icmp_is_offered.
 */
int icmp_decode(const void *data, size_t length, struct icmp_inquiry *out);

/*
 * Writes what is set and has a meaning in this message (with FINGERPRINT), filled up to `fill` bytes, a multiple of 4,
 * where it is shorter; a request to ICMP_REQUEST_MIN, at least. The length, or -EMSGSIZE; STUN_MESSAGE_BYTES are always
 * enough, but for a longer fill.
 */
int icmp_encode(const struct icmp_inquiry *m, void *buffer, size_t size, size_t fill);

/*
 * Whether the server sends such an error: ICMP 3/0 to 3/4, 3/13, 11/0, 11/1, 12/0; ICMPv6 1/0, 1/1, 1/3, 1/4, 2/0,
 * 3/0, 3/1, 4/0.
 */
bool icmp_is_offered(enum family family, uint8_t type, uint8_t code);

/* What echo requests, and datagrams that errors quote, have to begin with to be seen. */
void icmp_write_mark(
	const uint8_t token[static ICMP_TOKEN_BYTES], uint8_t out[static ICMP_MARK_BYTES]);

/* Whether it begins with a mark; its token then. */
bool icmp_read_mark(struct span payload, uint8_t token[static ICMP_TOKEN_BYTES]);
