// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/random.h"
#include "server/store.h"
#include "wire/rendezvous.h"

/*
 * The server's half of wire/rendezvous.h: messages and time in, messages out. No sockets and no clock; what is
 * remembered is in the store. Time is in microseconds and never goes back.
 *
 * Over UDP nothing is remembered of a source that has not proved by a cookie that it gets what is sent to it,
 * and it is never sent more bytes than it has sent. Over TCP the source is proved.
 */

struct rendezvous;

#define RENDEZVOUS_MARGIN_US  2000u /* between the longest way to a party and the moment of go */
#define RENDEZVOUS_RTT_MAX_US 3000000u /* what a longer round trip is taken for */
#define RENDEZVOUS_NEWS_TRIES 5

/* The party that came over a TCP connection, which is good for no other; all zero at first. */
struct rendezvous_bond {
	bool bound;
	uint8_t session[RENDEZVOUS_SESSION_BYTES], party[RENDEZVOUS_PARTY_BYTES];
};

struct rendezvous_input {
	const uint8_t *data;
	size_t length;
	struct endpoint from;
	unsigned local; /* index of our endpoint where it came in */
	uint64_t connection; /* over TCP: a number of the caller's for it, never 0; 0: UDP */
	struct rendezvous_bond *bond; /* of the connection; not for UDP */
};

/* For the log. */
enum rendezvous_event {
	RENDEZVOUS_NOTHING,
	RENDEZVOUS_WAITS, /* a session has its first party */
	RENDEZVOUS_PAIRED, /* … its second one */
	RENDEZVOUS_GONE, /* a party has left, or was silent for too long */
	RENDEZVOUS_REFUSED, /* with the error */
};

/* At most one message to be sent, and what has happened. */
struct rendezvous_output {
	size_t length; /* 0: no message */
	uint64_t connection; /* to this TCP connection; 0: to `to`, from our endpoint `local` */
	struct endpoint to;
	unsigned local;
	/* on whose account NEWS is: the other party, whose doing it mostly is */
	uint64_t payer_connection;
	struct endpoint payer; /* over UDP; FAMILY_NONE: nobody */

	enum rendezvous_event event;
	uint16_t error; /* enum rendezvous_error; 0: none */
	uint32_t tag; /* says which session, to the log of this process only */
	uint8_t bytes[STUN_MESSAGE_BYTES];
};

struct rendezvous_counts {
	uint64_t joins; /* that were answered with success */
	uint64_t sessions, pairs, gone, news, go;
	uint64_t unproved; /* requests without a good cookie */
	uint64_t refused; /* with any other error */
};

/* The store must outlive the engine; the numbers it needs come from `random`. 0 or -ENOMEM. */
int rendezvous_create(struct rendezvous **out, struct store *store, const struct random *random);
void rendezvous_destroy(struct rendezvous *r);

/* Takes one message; the reply, if any, goes to where it came from. */
void rendezvous_input(struct rendezvous *r, uint64_t now_us, const struct rendezvous_input *in,
	struct rendezvous_output *out);

/* The TCP connection is gone: so is its party, unless that has come from elsewhere since. */
void rendezvous_closed(struct rendezvous *r, uint64_t now_us, uint64_t connection,
	const struct rendezvous_bond *bond, struct rendezvous_output *out);

/*
 * What is due: NEWS to be sent, or only an event. False: nothing more for now. To be called after each of the
 * two above, as often as it says true, and then at rendezvous_next_us.
 */
bool rendezvous_poll(struct rendezvous *r, uint64_t now_us, struct rendezvous_output *out);

/* UINT64_MAX: never. */
uint64_t rendezvous_next_us(const struct rendezvous *r);

const struct rendezvous_counts *rendezvous_counts(const struct rendezvous *r);
