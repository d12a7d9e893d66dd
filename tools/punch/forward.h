// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"

/*
 * A local UDP port that reaches through a channel. One side listens: every endpoint that local programs send from is a
 * client, with a number. The other side has a socket for each number, connected to the target that its own user
 * chose; from the peer come numbers and data, and nothing else.
 */

#define FORWARD_CLIENTS	   64 /* at once, on each side */
#define FORWARD_REPLACE_US 30000000u /* one that is idle for longer leaves its place to a new one */
#define FORWARD_IDLE_US	   300000000u /* … and for so long it ends anyway */
#define FORWARD_TURN	   32 /* datagrams of one socket, before others have their turn */

struct forward_config {
	struct event_base *base;
	/* one of them; the other is FAMILY_NONE */
	struct endpoint listen; /* where local programs send to; port 0: the system chooses */
	struct endpoint target; /* where the peer's clients reach */
	size_t datagram_max; /* longer ones are not carried */
	uint64_t replace_us, idle_us; /* 0: as above */
	/* To the peer's forward_input, or lost. It must not destroy the forward. */
	void (*send)(void *context, uint16_t client, const uint8_t *data, size_t length);
	void *context;
};

/* Datagrams, but for the clients. */
struct forward_statistics {
	unsigned clients; /* at present */
	uint64_t replaced, ended; /* clients: for a new one; idle for too long */
	uint64_t sent, received; /* to the peer; of the peer, and handed on */
	uint64_t too_long; /* dropped: longer than datagram_max */
	uint64_t crowded; /* dropped: of a new client, while no place was free */
	uint64_t strange; /* dropped: the peer's, for no client, or none any more */
	uint64_t failed; /* dropped: the peer's, that the system did not take */
	uint64_t errors; /* ICMP errors of local programs and of the target, which end nothing */
};

struct forward;

/*
 * 0; -EINVAL: not one of listen and target, or no unicast target; -EADDRINUSE: another program listens there;
 * -EADDRNOTAVAIL: not an address of this host; -EACCES: the port is for root; -ENETUNREACH: no route to the target;
 * -ENOMEM, and what else udp_open says.
 */
int forward_create(const struct forward_config *config, struct forward **out);
void forward_destroy(struct forward *f);

/* What the peer has sent; data may be of any length, also 0. */
void forward_input(struct forward *f, uint16_t client, const uint8_t *data, size_t length);

/* Where it listens: 0; -EBADF: it does not. */
int forward_local(const struct forward *f, struct endpoint *out);

struct forward_statistics forward_statistics(const struct forward *f);

/* "[ADDR:]PORT", without ADDR on 127.0.0.1: 0 or -EINVAL. */
int forward_listen_parse(const char *text, struct endpoint *out);
