// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "server/responder.h"
#include "server/sources.h"
#include "wire/call.h"
#include "wire/packet.h"

/*
 * The server's half of wire/call.h: requests, what becomes of sockets, and time in; messages, and what to do
 * with sockets, out. No clock, and no sockets but those that the owner binds when it is asked to. Nothing is ever
 * called but the other end of the connection over which the request came, and nothing once that is closed.
 */

struct calls;

#define CALLS_MAX	     256 /* at once */
#define CALLS_PER_MINUTE     16384u
#define CALLS_PER_CONNECTION 8 /* at once */
#define CALLS_OF_CONNECTION  32 /* in all */
#define CALLS_OF_SOURCE	     64 /* a minute; a source is an IPv4 address or an IPv6 /64 */

/* What a connection has made so far; all zero at first. */
struct calls_tally {
	uint8_t made;
};

/*
 * Binds socket `number`, below CALLS_MAX, to our endpoint `local`, or to its address and a port that is free now
 * (port is 0 then, and becomes that one). 0 or a negative errno.
 */
typedef int calls_bind(void *context, unsigned number, unsigned local, uint16_t *port);

struct calls_config {
	struct endpoint advertised[RESPONDER_ENDPOINTS]; /* FAMILY_NONE: not served */
	calls_bind *bind;
	void *context;
};

struct calls_input {
	const uint8_t *data;
	size_t length;
	struct endpoint from;
	unsigned local; /* index of our endpoint where it came in */
	uint64_t connection; /* over TCP: a number of the caller's for it, never 0; 0: UDP */
	struct calls_tally *tally; /* of the connection; not for UDP */
};

/* What has happened to a socket. */
struct calls_event {
	unsigned number;
	int error; /* 0: connected, or, when it was already: closed by the other end. Negative: errno */
	bool local; /* the error is this host's own */
	bool has_icmp;
	struct stun_icmp icmp; /* ended the attempt; quoted_from is not looked at */
};

/* What has arrived for a socket: a SYN-ACK or a RST. */
struct calls_segment {
	struct endpoint from;
	unsigned local; /* index of our address, whatever its port */
	uint16_t port; /* of ours */
	uint8_t flags; /* enum packet_flag */
	uint8_t ttl;
};

/* What is to be done with a socket. */
enum calls_step {
	CALLS_NOTHING,
	CALLS_CONNECT, /* to `to` */
	CALLS_GREET, /* with the message; and wait for its end */
	CALLS_CLOSE,
};

/* At most one message to be sent and one thing to be done, and for the log what has become of a call. */
struct calls_output {
	size_t length; /* 0: no message */
	uint64_t connection; /* to this TCP connection; 0: to `to`, from our endpoint `local` */
	struct endpoint to;
	unsigned local;

	enum calls_step step;
	unsigned number;

	uint16_t error; /* enum call_error of a request that was refused; 0: none */
	enum call_outcome outcome; /* of a call that is decided; 0: none is */
	uint32_t elapsed_us;
	struct endpoint called, from;
	uint8_t bytes[CALL_BYTES_MAX];
};

struct calls_counts {
	uint64_t made; /* begun, or found impossible */
	uint64_t connected, refused, unreachable, silent, local; /* how they ended … */
	uint64_t cancelled; /* … or their connection has */
	uint64_t denied; /* requests that got an error */
};

/* 0 or -ENOMEM. The key is for the table of sources. */
int calls_create(struct calls **out, const struct calls_config *config,
	const uint8_t key[static SOURCES_KEY_BYTES]);
void calls_destroy(struct calls *c);

/* Takes one message; the answer, if any, goes to where it came from. c NULL: there are no call-backs here. */
void calls_input(
	struct calls *c, uint64_t now_us, const struct calls_input *in, struct calls_output *out);

/* Takes what has happened to a socket. */
void calls_event(struct calls *c, uint64_t now_us, const struct calls_event *event,
	struct calls_output *out);

/* Takes a segment, before calls_event takes what has become of the socket by it; nothing is due then. */
void calls_heard(struct calls *c, const struct calls_segment *segment);

/* The connection is gone: its calls are over, and calls_poll says what to close. */
void calls_closed(struct calls *c, uint64_t connection);

/*
 * What is due; false: nothing more for now. To be called after each of the others, as often as it says true, and
 * then at calls_next_us.
 */
bool calls_poll(struct calls *c, uint64_t now_us, struct calls_output *out);

/* UINT64_MAX: never. */
uint64_t calls_next_us(const struct calls *c);

const struct calls_counts *calls_counts(const struct calls *c);
