// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "net/stun_stream.h"
#include "punch/carrier.h"

/* What the files of the carrier share; nobody else includes this. */

#define CARRIER_DATAGRAM_MAX 65536

/* Of a socket over TCP. */
enum carried_state {
	CARRIED_BOUND,
	CARRIED_CONNECTING,
	CARRIED_CONNECTED,
	CARRIED_LISTENING,
	CARRIED_ENDED, /* the session knows, and closes it when it likes */
};

struct carried {
	struct carrier *carrier;
	struct event *event;
	int fd; /* -1: none */
	unsigned number;
	enum family family;
	enum carried_state state;
};

struct carrier {
	struct carrier_config config;
	struct event *timer;
	struct event *raw; /* what the raw socket of IPv4 hears; NULL: there is none */
	struct stun_stream *stream; /* to the server; NULL: none */
	bool stream_opened; /* and the session knows it */
	bool turning;
	struct carried sockets[SESSION_SOCKETS];
	uint8_t datagram[CARRIER_DATAGRAM_MAX];
};

/* --- carrier.c --- */
/* The endpoint that a socket is to be bound to. */
struct endpoint carrier_local_for(const struct carrier *c, unsigned number, enum family family);
/* The event of a socket, which replaces the one before: 0 or -ENOMEM. */
int carrier_watch(struct carried *s, short what, event_callback_fn function);
void carrier_close_socket(struct carried *s);
/* ICMP and local errors that wait, to the session. */
void carrier_take_errors(struct carried *s);

/* --- carrier_tcp.c: the sockets of a session over TCP --- */
void carrier_tcp_carry(struct carrier *c, const struct session_output *out);
void carrier_tcp_close(struct carried *s);
