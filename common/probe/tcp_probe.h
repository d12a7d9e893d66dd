// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/random.h"
#include "journal/journal.h"

/*
 * The prober of one address family over TCP, without I/O, beside that of UDP (probe.h): the caller opens its
 * sockets, carries its bytes and wakes it at its deadline. What has to be called from outside is called by a natprobed
 * (wire/call.h). Everything it learns goes into the journal; it concludes nothing.
 *
 * Several sockets share one local port: each has to have SO_REUSEADDR and SO_REUSEPORT from before it is bound.
 */

#define TCP_SOCKETS 128

enum tcp_test {
	TCP_BEHAVIOUR = 1, /* mapping, filtering, ports, early SYNs, simultaneous open */
	TCP_HAIRPIN = 2,
};

struct tcp_probe_config {
	enum family family;
	unsigned tests; /* of enum tcp_test */
	uint16_t port; /* of the mapping question; 0: any */
	/* somebody waits: silence is believed after a few round trips, so that a late refusal (RFC 5382 REQ-4) is missed */
	bool quick;
	bool syns; /* servers are asked how SYNs arrive, and those of some sockets leave with a TTL of their own */
	bool trace; /* a server that stays silent is gone after with a TTL ladder: SYNs with such TTLs */
	uint64_t limit_us; /* of the whole run, from creation */
};

enum tcp_action {
	TCP_WAIT, /* nothing to do before deadline_us */
	TCP_OPEN, /* bind socket number `socket` to `port`, begin to connect to `to`; call tcp_probe_opened */
	TCP_LISTEN, /* bind it to `port` and listen; call tcp_probe_opened */
	TCP_SEND, /* send data over it */
	TCP_CLOSE, /* close it; its number will not be used again */
	TCP_DONE, /* all questions are settled */
};

struct tcp_output {
	enum tcp_action action;
	unsigned socket;
	uint16_t port;
	uint8_t ttl; /* of TCP_OPEN; 0: as the system likes */
	bool quotes; /* of TCP_OPEN: what routers quote of its SYN is wanted, with tcp_probe_handshake */
	struct endpoint to;
	uint8_t data[STUN_MESSAGE_BYTES];
	size_t length;
	uint64_t deadline_us; /* for TCP_WAIT */
};

struct tcp_probe;

/* The journal and the random source must outlive the prober. -ENOMEM. */
int tcp_probe_create(const struct tcp_probe_config *config, struct journal *journal,
	struct random *random, uint64_t now_us, struct tcp_probe **out);
void tcp_probe_destroy(struct tcp_probe *p);

/* A server of the journal, of this family and of TRANSPORT_TCP; all of them before the first poll. */
void tcp_probe_add_server(struct tcp_probe *p, uint64_t now_us, size_t place);

enum tcp_action tcp_probe_poll(struct tcp_probe *p, uint64_t now_us, struct tcp_output *out);

/* A socket is bound to `local`, and listens or connects; or it could not be (negative errno in error). */
void tcp_probe_opened(struct tcp_probe *p, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local);

/* What the system tells of the SYNs of a connection, before tcp_probe_connected; need not be called. */
void tcp_probe_handshake(struct tcp_probe *p, unsigned socket, const struct handshake *handshake);

/* The ICMP error that its attempt to connect ends by, before tcp_probe_connected; need not be called. */
void tcp_probe_icmp(struct tcp_probe *p, unsigned socket, const struct icmp_seen *icmp);

/* How its attempt to connect ended: 0 or a negative errno. segments: see struct connection_seen. */
void tcp_probe_connected(
	struct tcp_probe *p, uint64_t now_us, unsigned socket, int error, unsigned segments);

/* A listening socket has a connection; the number of its socket, or -ENOSPC: to be closed. */
int tcp_probe_accepted(
	struct tcp_probe *p, uint64_t now_us, unsigned listener, const struct endpoint *from);

/* Bytes came, in any pieces. */
void tcp_probe_input(
	struct tcp_probe *p, uint64_t now_us, unsigned socket, const void *data, size_t length);

/* The other end has closed (0) or broken (negative errno) a connection. */
void tcp_probe_closed(struct tcp_probe *p, uint64_t now_us, unsigned socket, int error);

/* Ends the run: what is open becomes abandoned. */
void tcp_probe_finish(struct tcp_probe *p, uint64_t now_us);
