// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>

#include "base/endpoint.h"
#include "net/watch.h"

/* A TCP connection to a STUN server, which carries whole messages (RFC 8489 6.2.2). */

#define STUN_STREAM_BYTES 2048 /* the longest message that is taken */

struct stun_stream;

enum stun_stream_state { STUN_STREAM_CONNECTING, STUN_STREAM_OPEN, STUN_STREAM_ENDED };

struct stun_stream_config {
	struct event_base *base;
	struct endpoint to;
	struct endpoint
		local; /* address to come from; FAMILY_NONE: any. The port is not looked at */
	const char *interface; /* or NULL */
	/* State or messages have changed; the last thing that is done, so the stream may be destroyed in it. */
	void (*changed)(void *context);
	void *context;
	const struct watch *watch; /* of its socket; NULL: nobody's */
};

/* Begins to connect; a negative errno when that is over at once. */
int stun_stream_create(const struct stun_stream_config *config, struct stun_stream **out);
void stun_stream_destroy(struct stun_stream *s);

/* Of STUN_STREAM_ENDED *error is a negative errno; -EBADMSG: the other end does not speak STUN. */
enum stun_stream_state stun_stream_state(const struct stun_stream *s, int *error);
/* Its own end. */
int stun_stream_local(const struct stun_stream *s, struct endpoint *out);

/* Sends or keeps; -ENOTCONN: it is not open; -ENOBUFS: too much waits already. */
int stun_stream_send(struct stun_stream *s, const void *data, size_t length);

/* The next message, of at most STUN_STREAM_BYTES bytes: its length, or -EAGAIN: none is whole yet. */
int stun_stream_take(struct stun_stream *s, uint8_t buffer[static STUN_STREAM_BYTES]);
