// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>

#include "base/bytes.h"
#include "punch/keys.h"
#include "punch/mux.h"

/*
 * Streams (punch/mux.h) in sealed records (punch/sealed.h) over the socket of a connection that was punched. The first
 * record of each side says what it uses the tunnel for.
 */

struct tunnel;

struct tunnel_config {
	struct event_base *base;
	int fd; /* the tunnel's from now on, also if it cannot be created */
	const struct keys *keys;
	struct span salt; /* of this connection only, and the same on both sides */
	bool controlling; /* one of the two is */
	bool exact; /* nothing is read that is behind the peer's last record: another program gets the socket */
	uint64_t keepalive_us, patience_us; /* see struct mux_config */
	uint8_t use; /* not 0; what the values mean is the caller's */
	/* What has come on a stream; the payload is valid until it returns, and so is the tunnel: it may not end here. */
	void (*event)(void *context, enum mux_event event, const struct mux_payload *payload);
	/*
	 * Something has changed: there is room, or something has come, or the tunnel has ended. From the loop only; and
	 * the tunnel may be destroyed in it.
	 */
	void (*changed)(void *context);
	void *context;
};

int tunnel_create(const struct tunnel_config *config, uint64_t now_us, struct tunnel **out);
/* Closes the socket, unless it was taken. */
void tunnel_destroy(struct tunnel *t);
/* The socket, which is the caller's from now on, and as if nothing had been set of it. */
int tunnel_take(struct tunnel *t);

/* What is due, to be called also at the moment that it returns. */
uint64_t tunnel_turn(struct tunnel *t, uint64_t now_us);

/* The functions of the same names of the mux; of one that has ended they do nothing. */
int tunnel_open(struct tunnel *t, uint16_t *id);
void tunnel_end(struct tunnel *t, uint16_t id);
void tunnel_reset(struct tunnel *t, uint16_t id, uint8_t reason);
void tunnel_consumed(struct tunnel *t, uint64_t now_us, uint16_t id, size_t bytes);
void tunnel_ping(struct tunnel *t, uint64_t now_us, unsigned count, uint64_t interval_us);

/* How many bytes can be written to a stream now: by its window, and by what the kernel has not yet taken. */
size_t tunnel_room(const struct tunnel *t, uint16_t id);
/* At most as many, which go out when the loop runs. 0; -EAGAIN: more. */
int tunnel_write(struct tunnel *t, uint16_t id, const void *data, size_t length);

/* The last record: nothing follows from this side. */
void tunnel_close(struct tunnel *t);
/* Whether it is out, with all before it, as far as the kernel. */
bool tunnel_is_flushed(const struct tunnel *t);
/* Whether the peer has said the same. */
bool tunnel_is_closed(const struct tunnel *t);

/*
 * How the connection has broken: a negative errno, -EBADMSG for what the peer has not sealed, or would not if it kept the
 * rules; 0: it has not. When it is found out by writing, what the peer has said before comes first.
 */
int tunnel_error(const struct tunnel *t);
/* The peer's use; 0: not known yet. */
uint8_t tunnel_peer_use(const struct tunnel *t);
/* Whether a record of the peer has come; when it counts as gone. */
bool tunnel_is_heard(const struct tunnel *t);
uint64_t tunnel_silent_at(const struct tunnel *t);
struct mux_statistics tunnel_statistics(const struct tunnel *t);
