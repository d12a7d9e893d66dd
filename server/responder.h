// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "net/udp.h"
#include "wire/stun.h"

/*
 * One STUN request in, the replies to it out (RFC 8489, RFC 5780, RFC 3489 clients tolerated, and
 * our own extensions). Pure: no sockets, no clock, no allocation, nothing remembered.
 *
 * The replies to a request never add up to more bytes than the request had. RFC 5780 forces one
 * exception: the plain success response with its three or four addresses is always given; an error
 * response, which may be up to 12 bytes longer than its request, is still shorter than that.
 */

/* Family, address and port, one bit each, make the index of a server endpoint. */
enum responder_bit {
	RESPONDER_PORT = 1,
	RESPONDER_ADDRESS = 2,
	RESPONDER_IPV6 = 4,
};

#define RESPONDER_ENDPOINTS   8
#define RESPONDER_COPIES_MAX  4
#define RESPONDER_REPLIES_MAX 2
#define RESPONDER_REPLY_BYTES UDP_BATCH_BYTES

/* What is known of the SYN of the connection over which a request came; false: nothing. */
typedef bool responder_syn_lookup(void *context, struct stun_syn *out);

/* Fills out with the ICMP errors recorded for packets sent to the endpoint; returns how many. */
typedef size_t responder_icmp_lookup(
	void *context, const struct endpoint *to, struct stun_icmp out[static STUN_ICMP_MAX]);

struct responder {
	/* as clients see them; FAMILY_NONE: not served */
	struct endpoint advertised[RESPONDER_ENDPOINTS];
	const char *software;
	responder_icmp_lookup *icmp;
	void *icmp_context;
};

struct responder_request {
	const uint8_t *data;
	size_t length;
	struct endpoint from;
	unsigned local; /* index of the endpoint where it came in */
	bool stream; /* over TCP: the one reply goes back over the same connection */
	struct udp_meta meta;
	responder_syn_lookup *syn; /* of a stream, or NULL; called only for who has asked for it */
	void *syn_context;
};

struct responder_reply {
	unsigned local; /* index of the endpoint to leave from */
	unsigned copies; /* how often to send it */
	bool receipt; /* tells of the other reply: not to be sent when that could not be */
	struct endpoint to;
	size_t length;
	uint8_t bytes[RESPONDER_REPLY_BYTES];
};

struct responder_replies {
	size_t count;
	struct responder_reply reply[RESPONDER_REPLIES_MAX];
};

/* Whatever is not an answerable request gets no reply. */
void responder_answer(const struct responder *r, const struct responder_request *request,
	struct responder_replies *out);

/* The UDP payload bytes of all replies with all their copies; and how many datagrams. */
size_t responder_bytes(const struct responder_replies *replies, unsigned *datagrams);
