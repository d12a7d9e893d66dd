// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "tools/punch/tunnel.h"

/*
 * What the streams of a tunnel are for. One side listens on a local TCP port, and has a stream for each connection that
 * local programs make; the other has a connection for each stream, to the target that its own user chose. Or both carry
 * standard input and output, over one stream, which the controlling side opens; from then on /dev/null stands in their
 * place.
 */

enum streams_use {
	STREAMS_NONE = 1, /* the peer's are refused */
	STREAMS_STDIO,
	STREAMS_LISTEN,
	STREAMS_TARGET,
};

struct streams_config {
	struct event_base *base;
	enum streams_use use;
	struct endpoint listen, target; /* of those two */
	/*
	 * Standard input and output have come to their end (0), or are broken (negative errno); -ECONNABORTED: those of
	 * the other side are.
	 */
	void (*ended)(void *context, int error);
	void *context;
};

struct streams;

/* Binds the local port; 0, or a negative errno. */
int streams_create(const struct streams_config *config, struct streams **out);
void streams_destroy(struct streams *s);

/* The tunnel that is to be used from now on, for what the peer opens; NULL: none, and all connections end. */
void streams_set_tunnel(struct streams *s, struct tunnel *tunnel);
/* Opens streams, too, from now on; controlling: in the tunnel. */
void streams_begin(struct streams *s, bool controlling);
/* What the tunnel says; and that there may be room. */
void streams_event(struct streams *s, enum mux_event event, const struct mux_payload *payload);
void streams_turn(struct streams *s);

/* How many there are now. */
unsigned streams_count(const struct streams *s);
