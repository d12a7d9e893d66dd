// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>

#include "net/watch.h"
#include "punch/session.h"

/*
 * Carries the packets of a session over real sockets, and wakes it. A connection over TCP that was proved is left alone
 * then, for the caller to take.
 */

struct carrier;

struct carrier_config {
	struct event_base *base;
	struct session *session;
	bool tcp; /* as the session */
	const int *
		raw; /* sockets of icmp.h for SESSION_ERROR, IPv4 and IPv6, -1: none; NULL: neither */
	const char *interface; /* or NULL */
	struct endpoint local
		[2]; /* where main sockets are bound; FAMILY_NONE: anywhere. The port is that of
				     one at a time of each family */
	/* Something may have changed in the session. */
	void (*changed)(void *context);
	/* A datagram that was not the session's, on any of its sockets. */
	void (*datagram)(void *context, unsigned socket, const struct endpoint *from,
		const uint8_t *data, size_t length);
	void *context;
	const struct watch *watch; /* of its sockets */
};

int carrier_create(const struct carrier_config *config, struct carrier **out);
/* Closes all sockets but those that were taken. */
void carrier_destroy(struct carrier *c);

/* Lets the session act at once, and from then on by itself. */
void carrier_turn(struct carrier *c);

/* 0 or a negative errno. */
int carrier_send(struct carrier *c, unsigned socket, const struct endpoint *to, const void *data,
	size_t length);

/* The descriptor of a socket; -EBADF. */
int carrier_fd(const struct carrier *c, unsigned socket);
/* The same, which is the caller's from now on; -EBADF. */
int carrier_take(struct carrier *c, unsigned socket);
