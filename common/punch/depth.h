// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/endpoint.h"
#include "base/random.h"
#include "wire/stun.h"

/*
 * How deep the own NATs are, without I/O: the smallest TTL (hop limit) with which a packet opens all of them. Each of
 * some sockets sends to the server's other endpoint with a TTL of its own, and has the server answer from there: the
 * answer comes in only where the packet got through. Filters that let everybody in make it 1.
 */

#define DEPTH_TTLS 8 /* TTL 1 to 8 */

struct depth_socket {
	enum { DEPTH_WANTED, DEPTH_ASKED, DEPTH_OPEN, DEPTH_CLOSED } state;
	unsigned sent; /* datagrams, of which the even ones open and the odd ones ask */
	bool answered;
	struct stun_id id;
};

struct depth {
	bool begun, done;
	enum family family;
	unsigned first_socket;
	struct endpoint asked, other; /* of the server */
	uint64_t round_us, next_us; /* how long a round takes; when the next begins */
	unsigned round;
	struct depth_socket sockets[DEPTH_TTLS];
};

enum depth_action { DEPTH_WAIT, DEPTH_OPEN_SOCKET, DEPTH_SEND, DEPTH_CLOSE_SOCKET };

struct depth_output {
	unsigned socket;
	struct endpoint to;
	uint8_t ttl; /* 0: as usual */
	uint8_t data[STUN_MESSAGE_BYTES];
	size_t length;
};

/* Sockets are first_socket and those behind it; rtt_us is the way to the server and back. */
void depth_begin(struct depth *d, uint64_t now_us, unsigned first_socket,
	const struct endpoint *asked, const struct endpoint *other, uint64_t rtt_us,
	struct random *random);

/* What is to be done; of DEPTH_WAIT *deadline_us may become earlier. */
enum depth_action depth_poll(
	struct depth *d, uint64_t now_us, struct depth_output *out, uint64_t *deadline_us);
void depth_opened(struct depth *d, unsigned socket, int error);
void depth_input(struct depth *d, uint64_t now_us, unsigned socket, const struct endpoint *from,
	const void *data, size_t length);

/* When done; 0: not found out. */
uint8_t depth_result(const struct depth *d);
