// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/journal.h"

/*
 * UDP sockets: non-blocking, close-on-exec, unconnected, each with its error queue (IP_RECVERR), so
 * that ICMP errors arrive as data with their sender, without privileges. Functions that return int
 * give 0 (or a count) or a negative errno.
 */

enum udp_option {
	UDP_META = 1, /* deliver TTL, TOS and fragment size with each datagram */
	UDP_REUSE_PORT = 2,
};

/*
 * Opens and binds; port 0 lets the kernel choose. interface (or NULL) is the name for
 * SO_BINDTODEVICE. The descriptor in *fd.
 */
int udp_open(const struct endpoint *local, const char *interface, unsigned options, int *fd);

/* The same for another protocol of IP that has such sockets: ping.c. */
int udp_open_protocol(const struct endpoint *local, const char *interface, unsigned options,
	int protocol, int *fd);

/* The endpoint that the socket is bound to. */
int udp_local(int fd, struct endpoint *out);

/*
 * The source address which the kernel would use towards `to`; its port is 0. interface as in
 * udp_open. -ENETUNREACH and the like when there is no route.
 */
int udp_source_towards(const struct endpoint *to, const char *interface, struct endpoint *out);

/* What this host takes for the MTU of the path there (RFC 1191); 0 with a negative errno. */
int udp_path_mtu(const struct endpoint *to, const char *interface, uint16_t *out);

/* What a datagram brought along; 0 where UDP_META was not asked for. */
struct udp_meta {
	uint8_t ttl, tos;
	uint16_t fragment_bytes; /* largest IP fragment; 0: not fragmented */
};

/*
 * Sends one datagram. An ICMP error that waits on the socket makes the kernel refuse the next send
 * once; that is hidden by a second try.
 */
int udp_send(int fd, const struct endpoint *to, const void *data, size_t length);

/* The same with this TTL (hop limit), for this datagram only; 0: as usual. */
int udp_send_ttl(int fd, const struct endpoint *to, uint8_t ttl, const void *data, size_t length);

/* Receives one datagram of at most size bytes; returns its length, -EAGAIN when none waits. */
int udp_receive(int fd, void *buffer, size_t size, struct endpoint *from, struct udp_meta *meta);

/* An ICMP (or local) error for a datagram that this socket had sent. */
struct udp_error {
	int error; /* positive errno, as the kernel translates it */
	bool local; /* raised by this host's own stack: type and code are 0 */
	uint8_t type, code; /* ICMP or ICMPv6 by the family of `to` */
	struct endpoint offender; /* who sent it; port 0, FAMILY_NONE when unknown */
	uint32_t mtu; /* of "fragmentation needed" and "packet too big"; else 0 */
	struct endpoint to; /* where our datagram was going */
	size_t quoted; /* bytes of our payload that came back in the buffer */
};

/* Takes one error off the queue; the quoted payload into buffer. 0, or -EAGAIN when none waits. */
int udp_receive_error(int fd, void *buffer, size_t size, struct udp_error *out);
/* As a journal has it, seen once, at now. */
struct icmp_seen udp_error_seen(const struct udp_error *e, uint64_t now_us);

/* --- many datagrams per system call, for the server --- */

#define UDP_BATCH	64
#define UDP_BATCH_BYTES 2048

struct udp_batch; /* opaque: UDP_BATCH buffers of UDP_BATCH_BYTES each, with their headers */

int udp_batch_create(struct udp_batch **out);
void udp_batch_destroy(struct udp_batch *batch);

/* Receives up to UDP_BATCH datagrams; their number, or -EAGAIN. Overlong ones have length 0. */
int udp_batch_receive(struct udp_batch *batch, int fd);

/* Datagram i of what was received: its bytes stay valid until the next receive. */
const uint8_t *udp_batch_data(const struct udp_batch *batch, unsigned i, size_t *length,
	struct endpoint *from, struct udp_meta *meta);

/* Where datagram number udp_batch_count may be written: UDP_BATCH_BYTES; NULL when the batch is full. */
uint8_t *udp_batch_slot(struct udp_batch *batch);
/* Queues what was written into the slot. */
void udp_batch_add(struct udp_batch *batch, size_t length, const struct endpoint *to);
unsigned udp_batch_count(const struct udp_batch *batch);
/* Sends and empties the batch; what the kernel will not take is dropped. Returns how many were sent. */
int udp_batch_send(struct udp_batch *batch, int fd);
