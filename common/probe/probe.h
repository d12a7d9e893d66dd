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
 * The prober of one address family over UDP, without I/O: the caller carries its packets and wakes
 * it at its deadline. Everything it learns goes into the journal; it concludes nothing.
 *
 *	while (probe_poll(p, now, &out) != PROBE_WAIT) carry(out);
 *	... at out.deadline_us or on input, again
 */

#define PROBE_SOCKETS 96

enum probe_test {
	PROBE_MAPPING = 1,
	PROBE_FILTERING = 2,
	PROBE_PORTS = 4, /* also from servers that want to be asked slowly */
	PROBE_EARLY = 8,
	PROBE_HAIRPIN = 16,
	PROBE_PORTS_IF_QUICK = 32, /* only from servers that may be asked quickly */
	/* not of this prober: see tcp_probe.h */
	PROBE_TCP = 64,
	PROBE_TCP_HAIRPIN = 128,
	/* see icmp_probe.h */
	PROBE_ICMP = 256,
	PROBE_ICMP_TIMER = 512,
};

#define PROBE_ANY_TCP  (PROBE_TCP | PROBE_TCP_HAIRPIN)
#define PROBE_ANY_ICMP (PROBE_ICMP | PROBE_ICMP_TIMER)
#define PROBE_ANY_UDP                                                                  \
	(PROBE_EARLY | PROBE_FILTERING | PROBE_HAIRPIN | PROBE_MAPPING | PROBE_PORTS | \
		PROBE_PORTS_IF_QUICK)

struct probe_config {
	enum family family;
	unsigned tests; /* of enum probe_test */
	bool trace; /* a server that stays silent is gone after with a TTL ladder: packets get a TTL */
	uint64_t limit_us; /* of the whole run, from creation */
};

enum probe_action {
	PROBE_WAIT, /* nothing to do before deadline_us */
	PROBE_OPEN, /* open socket number `socket`, on `port` (0: any), and call probe_opened */
	PROBE_SEND, /* send data from `socket` to `to`, with this `ttl` if it is not 0 */
	PROBE_CONNECT, /* try a TCP connection to `to`, close it at once, call probe_connected */
	PROBE_DONE, /* all questions are settled */
};

struct probe_output {
	enum probe_action action;
	unsigned socket;
	uint16_t port;
	struct endpoint to;
	uint8_t ttl; /* of PROBE_SEND; 0: as usual */
	size_t observation; /* for PROBE_CONNECT */
	uint8_t data[STUN_MESSAGE_BYTES];
	size_t length;
	uint64_t deadline_us; /* for PROBE_WAIT */
};

struct probe;

/* The journal and the random source must outlive the prober. -ENOMEM. */
int probe_create(const struct probe_config *config, struct journal *journal, struct random *random,
	uint64_t now_us, struct probe **out);
void probe_destroy(struct probe *p);

/* A server of the journal, of this family; may come while the run goes on. */
void probe_add_server(struct probe *p, uint64_t now_us, size_t place);

/* No more servers will come: without this the run waits for them up to its limit. */
void probe_servers_complete(struct probe *p);

enum probe_action probe_poll(struct probe *p, uint64_t now_us, struct probe_output *out);

/* A socket was opened as `local`, or could not be (negative errno in error). */
void probe_opened(
	struct probe *p, uint64_t now_us, unsigned socket, int error, const struct endpoint *local);

/* A datagram arrived on a socket. */
void probe_input(struct probe *p, uint64_t now_us, unsigned socket, const struct endpoint *from,
	uint8_t ttl, const void *data, size_t length);

/* The latest request from this socket could not be sent: negative errno. */
void probe_unsent(struct probe *p, uint64_t now_us, unsigned socket, const struct endpoint *to,
	int error, const void *data, size_t length);

/* An ICMP (or local) error for a datagram of ours: quoted holds what came back of its payload. */
void probe_error(struct probe *p, uint64_t now_us, unsigned socket, const struct endpoint *to,
	const struct icmp_seen *error, const void *quoted, size_t length);

/* How a TCP connection went: 0 accepted, else negative errno (-ECONNREFUSED: a RST came). */
void probe_connected(struct probe *p, uint64_t now_us, size_t observation, int error);

/* Ends the run: what is open becomes abandoned. */
void probe_finish(struct probe *p, uint64_t now_us);
