// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/random.h"

/*
 * The TCP of a host in virtual time: packets and the time in, packets out, deterministic from its random
 * source. It does what Linux does wherever a hole can be punched or missed, as seen of 6.18 through a tun
 * device: SYNs that cross, RSTs and ICMP errors that end an attempt or do not, who gets a SYN. Below that it
 * is as plain as a TCP can be: no options, no congestion control, and what comes out of order is dropped.
 *
 * Sockets have numbers of the caller, and SO_REUSEADDR and SO_REUSEPORT. A number is free again once it is
 * closed; what is left of its connection then ends without it. One that could not connect may try again,
 * from the same port.
 */

#define TCPSTACK_SOCKETS       1600
#define TCPSTACK_SEGMENT_BYTES 1400 /* data in one at most */
#define TCPSTACK_BUFFER_BYTES  65535 /* sent and not acknowledged at most, and the window */

struct tcpstack_config {
	struct random random;
	/*
	 * net.ipv4.tcp_syn_linear_timeouts, how many pauses of a second there are before they double. Linux has 4
	 * from 6.5 on (SYNs after 1, 2, 3, 4, 5, 7, 11, 19, 35 and 67 s, failed at 131); 0 is as before (1, 3, 7,
	 * 15, 31 and 63 s, failed at 127).
	 */
	unsigned linear_syns;
	/* It must not call back into the stack. */
	void (*send)(void *context, const uint8_t *bytes, size_t length);
	void *context;
};

enum tcpstack_what {
	TCPSTACK_CONNECTED,
	TCPSTACK_FAILED, /* to connect */
	TCPSTACK_ACCEPTED, /* a new socket, of the highest number that is free */
	TCPSTACK_DATA,
	TCPSTACK_ENDED, /* the other side sends no more */
	TCPSTACK_BROKEN, /* a connection that stood */
};

struct tcpstack_event {
	enum tcpstack_what what;
	unsigned socket;
	unsigned listener; /* ACCEPTED: by whom */
	struct endpoint from; /* ACCEPTED */
	int error; /* FAILED, BROKEN: negative */
	struct endpoint offender; /* FAILED by an ICMP error: who sent it; else FAMILY_NONE */
	uint8_t type, code; /* … and what it was */
	const uint8_t *bytes; /* DATA: valid until the next tcpstack_event() */
	size_t length;
};

struct tcpstack;

/* -ENOMEM. */
int tcpstack_create(const struct tcpstack_config *config, struct tcpstack **out);
void tcpstack_destroy(struct tcpstack *t);

/*
 * Takes a socket number into use; port 0: a random one of 32768 to 60999 that nobody has. What it became is
 * in *bound, unless that is NULL. -EINVAL: no such number, or it is in use; -EADDRNOTAVAIL: no address of a
 * host; -EADDRINUSE: no port is free.
 */
int tcpstack_bind(
	struct tcpstack *t, unsigned socket, const struct endpoint *local, struct endpoint *bound);

/*
 * Sends a SYN; CONNECTED or FAILED follows. -EINVAL: it is not bound; -EAFNOSUPPORT: the other family;
 * -ENETUNREACH: no address of a host; -EALREADY: it is at it; -EISCONN: it listens, or was connected;
 * -EADDRNOTAVAIL: there is a connection, or what is left of one, from here to there.
 */
int tcpstack_connect(
	struct tcpstack *t, uint64_t now_us, unsigned socket, const struct endpoint *to);

/*
 * As IP_TTL and IP_MINTTL, for the next tcpstack_connect(): its first SYN has this TTL, and nothing is heeded that comes
 * with it or less, in ICMP errors too, of what they quote: of IPv4 alone. 0: as usual. -EINVAL: not bound, or busy.
 */
int tcpstack_unheed(struct tcpstack *t, unsigned socket, uint8_t ttl);

/* ACCEPTED follows for whatever comes to its endpoint and is of no other socket. -EINVAL: not bound, or busy. */
int tcpstack_listen(struct tcpstack *t, unsigned socket);

/* How many bytes were taken. -EAGAIN: no room; -ENOTCONN; -EPIPE: after shutdown or the end; -ENOMEM. */
int tcpstack_send(
	struct tcpstack *t, uint64_t now_us, unsigned socket, const void *data, size_t length);

/* How many bytes tcpstack_send() would take now. */
size_t tcpstack_room(const struct tcpstack *t, unsigned socket);

/* A FIN behind all that was sent; the other direction goes on. -ENOTCONN. */
int tcpstack_shutdown(struct tcpstack *t, uint64_t now_us, unsigned socket);

/*
 * Frees the number and forgets its events. What was sent still arrives, with a FIN, unless DATA was among
 * those events: then the other side gets a RST, as from Linux. -EBADF: not in use.
 */
int tcpstack_close(struct tcpstack *t, uint64_t now_us, unsigned socket);

/* The same with a RST, as with SO_LINGER 0. -EBADF. */
int tcpstack_abort(struct tcpstack *t, unsigned socket);

/* An IP packet that has come to the host; what is not TCP or an ICMP error about it is passed over. */
void tcpstack_input(struct tcpstack *t, uint64_t now_us, const uint8_t *bytes, size_t length);

/* When to call tcpstack_run_timers() next; UINT64_MAX: only after something else. */
uint64_t tcpstack_next_us(const struct tcpstack *t);
void tcpstack_run_timers(struct tcpstack *t, uint64_t now_us);

/* The next event, in the order in which they came about; false: there is none. */
bool tcpstack_event(struct tcpstack *t, struct tcpstack_event *out);
