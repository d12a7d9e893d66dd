// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/random.h"
#include "journal/journal.h"

/*
 * The prober of one address family for ICMP, without I/O, beside those of UDP (probe.h) and TCP (tcp_probe.h): the
 * caller opens its sockets, carries its packets and wakes it at its deadline. It asks a natprobed (wire/icmp.h) to send
 * ICMP errors about its flows, and which ICMP has arrived. Everything it learns goes into the journal; it concludes
 * nothing.
 */

#define ICMP_SOCKETS 160
#define ICMP_DATA_BYTES \
	640 /* of a message to the server, or behind the header of an ICMP message */

enum icmp_test {
	ICMP_BEHAVIOUR = 1, /* echo, identifiers, errors inward and outward, path MTU */
	ICMP_TIMER = 2, /* how long a reply may be late: takes two minutes */
};

struct icmp_probe_config {
	enum family family;
	unsigned tests; /* of enum icmp_test */
	bool raw; /* the caller has a raw socket: ICMP_SEND_ERROR can be done, and icmp_probe_raw is called */
	int raw_error; /* positive errno, why not */
	uint64_t limit_us; /* of the whole run, from creation */
};

enum icmp_socket_kind {
	ICMP_SOCKET_UDP,
	ICMP_SOCKET_TCP, /* with SO_REUSEADDR and SO_REUSEPORT */
	ICMP_SOCKET_ECHO, /* sends echo requests and gets their replies; its port is their identifier */
};

enum icmp_action {
	ICMP_WAIT, /* nothing to do before deadline_us */
	/* open socket number `socket` on `port` (0: any), with its error queue; TCP: begin to connect to `to`; call
	   icmp_probe_opened */
	ICMP_OPEN,
	ICMP_SEND, /* send data from it to `to`; of ICMP_SOCKET_ECHO: as data of an echo request with `sequence` */
	ICMP_SEND_ERROR, /* an ICMP error of `type` and `code` to `to`, with data behind its header */
	ICMP_LOOK, /* call icmp_probe_path_mtu with what this host thinks of the path to `to` */
	ICMP_CLOSE, /* close it; its number will not be used again */
	ICMP_DONE, /* all questions are settled */
};

struct icmp_output {
	enum icmp_action action;
	enum icmp_socket_kind kind;
	unsigned socket;
	uint16_t port, sequence;
	uint8_t type, code;
	struct endpoint to;
	uint8_t data[ICMP_DATA_BYTES];
	size_t length;
	uint64_t deadline_us; /* for ICMP_WAIT */
};

struct icmp_probe;

/* The journal and the random source must outlive the prober. -ENOMEM. */
int icmp_probe_create(const struct icmp_probe_config *config, struct journal *journal,
	struct random *random, uint64_t now_us, struct icmp_probe **out);
void icmp_probe_destroy(struct icmp_probe *p);

/* A server of the journal, of this family and of TRANSPORT_ICMP; all of them before the first poll. */
void icmp_probe_add_server(struct icmp_probe *p, uint64_t now_us, size_t place);

enum icmp_action icmp_probe_poll(struct icmp_probe *p, uint64_t now_us, struct icmp_output *out);

/* A socket is open as `local`, its port the identifier of echos; or could not be opened (negative errno in error). */
void icmp_probe_opened(struct icmp_probe *p, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local);

/* How an attempt to connect ended: 0 or a negative errno; what is in the error queue comes before. */
void icmp_probe_connected(struct icmp_probe *p, uint64_t now_us, unsigned socket, int error);

/* What was to be sent last could not be: negative errno. */
void icmp_probe_unsent(struct icmp_probe *p, uint64_t now_us, unsigned socket, int error);

/* The same of ICMP_SEND_ERROR. */
void icmp_probe_error_unsent(struct icmp_probe *p, uint64_t now_us, int error);

/* A datagram, or bytes of a connection in any pieces (`from` does not matter then). */
void icmp_probe_input(struct icmp_probe *p, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length);

/* An echo reply to a socket, with the data behind its header. */
void icmp_probe_reply(struct icmp_probe *p, uint64_t now_us, unsigned socket,
	const struct endpoint *from, uint16_t sequence, uint8_t ttl, const void *data,
	size_t length);

/* The other end has closed (0) or broken (negative errno) a connection. */
void icmp_probe_closed(struct icmp_probe *p, uint64_t now_us, unsigned socket, int error);

/*
 * A connection has shown an ICMP error about it, and goes on: all that Linux tells of it is its positive errno, and that
 * only once for all that have come since it was asked last.
 */
void icmp_probe_connection_error(struct icmp_probe *p, uint64_t now_us, unsigned socket, int error);

/*
 * From the error queue of a socket: an error about something that it sent to `to`; quoted is what came back of it: of UDP
 * and echos behind their header, of TCP its header.
 */
void icmp_probe_error(struct icmp_probe *p, uint64_t now_us, unsigned socket,
	const struct endpoint *to, const struct icmp_seen *error, const void *quoted,
	size_t length);

/* An ICMP error that this host got, for whomever, as it came: body begins with the quoted packet. */
void icmp_probe_raw(struct icmp_probe *p, uint64_t now_us, const struct endpoint *from,
	uint8_t type, uint8_t code, const uint8_t rest[static 4], struct span body);

/* 0: it cannot be known. */
void icmp_probe_path_mtu(struct icmp_probe *p, uint64_t now_us, uint16_t mtu);

/* Ends the run: what is open becomes abandoned. */
void icmp_probe_finish(struct icmp_probe *p, uint64_t now_us);
