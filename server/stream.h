// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "server/call.h"
#include "server/rendezvous.h"
#include "wire/stun.h"

/*
 * STUN over TCP (RFC 8489 6.2.2): listeners, connections, and the messages in them. All of it is bounded: how
 * many connections there are, and from one source; how long one may be without a whole message; and what waits in
 * it, in either direction. When there is no room the one that has been silent longest gives way, unless a party came
 * over it. An error in the framing ends a connection.
 *
 * Many idle connections cost next to nothing: they are in an epoll set of their own, whose descriptor is all
 * that the caller has to watch.
 */

struct stream;

#define STREAM_MESSAGE_BYTES   2048 /* the longest that is taken */
#define STREAM_OUTPUT_BYTES    4096 /* what may wait to be sent in one connection */
#define STREAM_CONNECTIONS_MAX 16384
#define STREAM_PER_SOURCE      64
#define STREAM_IDLE_US	       30000000u
#define STREAM_BOUND_IDLE_US   75000000u /* of a party: longer than its place lasts without a JOIN */

struct stream_message {
	const uint8_t *data;
	size_t length;
	struct endpoint from;
	unsigned local; /* index of the listener's endpoint */
	uint64_t connection; /* never 0, and of no other connection ever */
	struct rendezvous_bond *bond; /* of this connection: kept, and looked at */
	struct calls_tally *tally; /* the same */
	bool *heed; /* the same: whether hung_up must be told of its end */
};

/* What the owner does; it may send from inside of all of them. */
struct stream_handler {
	void (*message)(void *context, const struct stream_message *message);
	/* A connection with a bond has ended. */
	void (*closed)(void *context, uint64_t connection, const struct endpoint *from,
		const struct rendezvous_bond *bond);
	/* A connection with a tally, or that is to be heeded, has. */
	void (*hung_up)(void *context, uint64_t connection);
	void *context;
};

struct stream_limits {
	uint32_t connections, per_source;
};

struct stream_counts {
	uint64_t accepted, refused; /* refused: too many of its source, or no room */
	uint64_t malformed; /* closed for an error in the framing */
};

/* 0, -ENOMEM or another negative errno. */
int stream_create(struct stream **out, const struct stream_limits *limits,
	const struct stream_handler *handler);
void stream_destroy(struct stream *s);

/* Binds and listens; callers of the same user may share the endpoint (server/caller.h). 0 or a negative errno. */
int stream_listen(struct stream *s, const struct endpoint *local, unsigned index);

/* Readable when stream_run has something to do. */
int stream_fd(const struct stream *s);

/* Takes what has come, a bounded part of it. */
void stream_run(struct stream *s, uint64_t now_us);

/* Ends connections that are over or were silent for too long; due at stream_next_us (UINT64_MAX: never). */
void stream_tick(struct stream *s, uint64_t now_us);
uint64_t stream_next_us(const struct stream *s);

/* Sends or keeps. 0; -ENOTCONN: there is no such connection; another error: it will be closed. */
int stream_send(struct stream *s, uint64_t connection, const void *data, size_t length);

/* The other end, or NULL: no such connection. */
const struct endpoint *stream_peer(const struct stream *s, uint64_t connection);

/* What the kernel has kept of the SYN of a connection, and what it has answered; false: nothing, or no connection. */
bool stream_syn(struct stream *s, uint64_t connection, struct stun_syn *out);

/*
 * The sequence number that is expected next, as the SYN and the bytes since then say. false: it is not known, or there is
 * no connection.
 */
bool stream_expected(struct stream *s, uint64_t connection, uint32_t *sequence);

const struct stream_counts *stream_counts(const struct stream *s);
