// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/endpoint.h"
#include "base/random.h"
#include "wire/stun.h"

/*
 * How long the own NATs keep a UDP binding (RFC 4787 4.3, RFC 5780 4.6), without I/O. A trial is a socket that
 * exchanges two requests with the server, and then neither sends nor hears anything for its time. After that another
 * socket, the asking one, has the server answer to the trial's external port (RESPONSE-PORT, RFC 5780 7.5): whether
 * that answer comes in says whether the binding still stands. It comes from the endpoint that the trial's socket has
 * sent to, so that no filter keeps it out.
 *
 * What is measured is the lifetime of a flow that has gone both ways for more than two seconds, as that of a path in
 * use. Linux gives it 120 s, and a flow that was not answered or not continued 30 s.
 *
 * Silence counts only where receipts (STUN_RECEIPT) say that the answers were sent, from the address that the
 * trial has, and where two trials are silent: so it needs a server that gives receipts. A first trial of one second
 * shows that an answer would come in; if it does not, nothing is concluded and no other trial begins. A NAT that
 * loses its state in the middle, as it starts anew, cannot be told from one that has ended the bindings.
 *
 * Without loss it takes up to 44 packets, and with any loss no more than 64, in 5 minutes and some seconds.
 */

#define LIFETIME_TRIALS	 12
#define LIFETIME_SOCKETS (LIFETIME_TRIALS + 1) /* the last one asks */

struct lifetime_trial {
	enum {
		LIFETIME_LATER,
		LIFETIME_STARTING, /* at next_us */
		LIFETIME_OPENING,
		LIFETIME_BINDING, /* the first request */
		LIFETIME_SETTLING, /* the flow has to be older for the second one */
		LIFETIME_KEEPING, /* that one */
		LIFETIME_QUIET,
		LIFETIME_ASKING,
		LIFETIME_ALIVE,
		LIFETIME_DEAD,
		LIFETIME_UNHEARD, /* it has come to nothing */
	} phase;
	struct stun_id id; /* but the last byte, which is the number of the datagram */
	struct endpoint mapped;
	unsigned sent, sent_before; /* datagrams, and how many of them before this phase */
	unsigned receipts; /* a bit for each datagram that has one */
	uint64_t next_us; /* UINT64_MAX: time changes nothing */
	uint64_t kept_us; /* when the first packet of the second exchange left */
	unsigned below_s; /* of a dead one: the binding lived no longer */
};

enum lifetime_state { LIFETIME_MEASURING, LIFETIME_DONE, LIFETIME_UNKNOWN };

struct lifetime {
	bool begun;
	enum lifetime_state state;
	const char *reason; /* why it is unknown, or would be if the first trial ended now */
	unsigned first_socket;
	struct endpoint server;
	uint64_t round_us; /* how long an answer is waited for */
	uint64_t spread_us; /* between the beginnings of two trials */
	unsigned packets; /* sent */
	enum lifetime_socket {
		LIFETIME_UNUSED,
		LIFETIME_WANTED,
		LIFETIME_ASKED,
		LIFETIME_OPEN,
		LIFETIME_OVER, /* to be closed */
		LIFETIME_CLOSED,
	} sockets[LIFETIME_SOCKETS];
	struct lifetime_trial trials[LIFETIME_TRIALS];
};

enum lifetime_action { LIFETIME_WAIT, LIFETIME_OPEN_SOCKET, LIFETIME_SEND, LIFETIME_CLOSE_SOCKET };

struct lifetime_output {
	unsigned socket;
	struct endpoint to;
	uint8_t data[STUN_MESSAGE_BYTES];
	size_t length;
};

/* Sockets are first_socket and those behind it; rtt_us is the way to the server and back. */
void lifetime_begin(struct lifetime *l, unsigned first_socket, const struct endpoint *server,
	uint64_t rtt_us, struct random *random);

/* What is to be done; of LIFETIME_WAIT *deadline_us may become earlier. */
enum lifetime_action lifetime_poll(
	struct lifetime *l, uint64_t now_us, struct lifetime_output *out, uint64_t *deadline_us);
void lifetime_opened(struct lifetime *l, uint64_t now_us, unsigned socket, int error);
/* Whatever a socket hears, also from strangers: it may keep the binding alive. */
void lifetime_input(struct lifetime *l, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length);

/* At any time: bindings live at_least_s, and no longer than below_s, as far as is proved by now; 0: nothing is. */
enum lifetime_state lifetime_result(
	const struct lifetime *l, unsigned *at_least_s, unsigned *below_s);

/* Of LIFETIME_UNKNOWN, a clause for people: "the server does not answer"; else NULL. */
const char *lifetime_reason(const struct lifetime *l);

/* After how much silence a keepalive has to go out so that a path stays open, by what is proved. */
uint64_t lifetime_keepalive_us(unsigned at_least_s, unsigned below_s);
