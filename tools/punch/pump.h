// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "tools/punch/tunnel.h"

/*
 * Carries a stream of a tunnel to and from descriptors of this host, each direction as fast as both of its ends take it,
 * until both have come to their end.
 */

struct pump;

struct pump_config {
	struct event_base *base;
	struct tunnel *tunnel;
	uint16_t id;
	int in, out; /* the same for a socket, which is the pump's from now on; it may still be connecting */
	/*
	 * The last call, and the pump may be destroyed in it: 0, both directions have ended; or a negative errno of a
	 * descriptor, for which the stream was reset. Not after pump_destroy or pump_reset.
	 */
	void (*ended)(void *context, uint16_t id, int error);
	void *context;
};

int pump_create(
	const struct pump_config *config, struct pump **out); /* -ENOMEM; then nothing was taken */
/* Closes the socket, if it is one; what has not been written is lost. */
void pump_destroy(struct pump *p);

/* What the tunnel has for the stream: MUX_DATA and MUX_ENDED. */
void pump_data(struct pump *p, const uint8_t *data, size_t length);
void pump_end(struct pump *p);
/* There may be room in the tunnel. */
void pump_turn(struct pump *p);
