// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "net/icmp.h"
#include "server/cookie.h"
#include "server/responder.h"
#include "server/sightings.h"
#include "wire/icmp.h"
#include "wire/packet.h"

/*
 * The server's half of wire/icmp.h: requests, what raw sockets have seen, and time in; messages, and ICMP to be sent,
 * out. No clock and no sockets. Errors are sent only to where a request has come from: to the other end of a
 * connection, or to a UDP endpoint that has proved itself with a cookie; echo replies only to an address which a request comes from, too.
 */

struct inquiries;

#define INQUIRIES_MAX		  1024 /* about errors, under way or over: those that are over give way */
#define INQUIRIES_OF_SOURCE	  32 /* under way; a source is an IPv4 address or an IPv6 /64 */
#define INQUIRIES_SENT_PER_MINUTE 16384u /* errors and replies */
#define INQUIRIES_SENT_OF_SOURCE  256u
#define INQUIRIES_BODY_BYTES	  (ICMP_QUOTING_BYTES - 20 - 8) /* behind the ICMP header, over IPv4 */

/* The sequence number that is expected next over a TCP connection; false: it is not known, or there is none. */
typedef bool inquiries_expected(void *context, uint64_t connection, uint32_t *sequence);

struct inquiries_config {
	struct endpoint local[RESPONDER_ENDPOINTS]; /* as they are bound */
	struct endpoint advertised[RESPONDER_ENDPOINTS]; /* FAMILY_NONE: not served */
	/* of each address, with RESPONDER_PORT or without: a TCP port that stays silent; 0: there is none */
	uint16_t silent[RESPONDER_ENDPOINTS];
	inquiries_expected *expected;
	void *context;
};

/* Of secrets only. */
struct inquiries_keys {
	uint8_t cookie[COOKIE_KEY_BYTES];
	uint8_t sources[SOURCES_KEY_BYTES];
};

struct inquiries_input {
	const uint8_t *data;
	size_t length;
	struct endpoint from;
	unsigned local; /* index of our endpoint where it came in */
	uint8_t ttl; /* of a datagram, as it arrived; 0: not known */
	uint64_t connection; /* over TCP: a number of the caller's for it, never 0; 0: UDP */
	bool *heed; /* of the connection: becomes true when inquiries_closed must be told of its end; not for UDP */
};

/* What is to be sent over a raw socket. */
enum inquiries_step {
	INQUIRIES_NOTHING,
	INQUIRIES_ERROR, /* inquiries_sent has to be told */
	INQUIRIES_REPLY,
};

/* At most one message and one thing over a raw socket. */
struct inquiries_output {
	size_t length; /* 0: no message */
	uint64_t connection; /* to this TCP connection; 0: to `to`, from our endpoint `local` */
	struct endpoint to;
	unsigned local;

	enum inquiries_step step;
	unsigned number, place; /* of an error, for inquiries_sent */
	unsigned source; /* index of the address from which */
	struct endpoint target;
	uint8_t type, code;
	uint8_t rest[4];
	size_t body_length;

	uint16_t refusal; /* enum icmp_refusal of a request that was refused; 0: none */
	uint8_t bytes[STUN_MESSAGE_BYTES];
	uint8_t body[INQUIRIES_BODY_BYTES];
};

struct inquiries_counts {
	uint64_t asked; /* requests that were served, without those that came again */
	uint64_t denied, unproved; /* that got an error; of these 438 */
	uint64_t errors, unsent; /* errors that have left, and those that could not */
	uint64_t replies, echoes,
		quoting; /* echo replies; echo requests and errors with a mark that somebody waits for */
	uint64_t syns; /* that somebody waited for */
};

/* 0 or -ENOMEM. */
int inquiries_create(struct inquiries **out, const struct inquiries_config *config,
	const struct inquiries_keys *keys);
void inquiries_destroy(struct inquiries *q);

/* Takes one message; the answer, if any, goes to where it came from. q NULL: there is no ICMP here. */
void inquiries_input(struct inquiries *q, uint64_t now_us, const struct inquiries_input *in,
	struct inquiries_output *out);

/* Takes an echo request or error that has come from somewhere to our address `local`. */
void inquiries_seen(struct inquiries *q, uint64_t now_us, unsigned local,
	const struct icmp_message *m, const struct icmp_meta *meta);

/* Takes a SYN that has come to the silent port of our address `local`. */
void inquiries_syn(struct inquiries *q, uint64_t now_us, unsigned local, const struct packet *syn);

/* What has become of an INQUIRIES_ERROR: 0, or a negative errno. */
void inquiries_sent(struct inquiries *q, unsigned number, unsigned place, int error);

/* The connection is gone, and so is what was asked over it. */
void inquiries_closed(struct inquiries *q, uint64_t connection);

/*
 * What is due; false: nothing more for now. To be called after each of the others, as often as it says true, and
 * then at inquiries_next_us.
 */
bool inquiries_poll(struct inquiries *q, uint64_t now_us, struct inquiries_output *out);

/* UINT64_MAX: never. */
uint64_t inquiries_next_us(const struct inquiries *q);

const struct inquiries_counts *inquiries_counts(const struct inquiries *q);
