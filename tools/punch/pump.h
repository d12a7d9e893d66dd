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
	/*
	 * The pump's from now on. The same for a socket, which may still be connecting. Others may be without
	 * O_NONBLOCK: nothing waits for them. SIGPIPE has to be ignored.
	 */
	int in, out;
	/*
	 * The last call, and the pump may be destroyed in it: 0, both directions have ended; or a negative errno of a
	 * descriptor, for which the stream was reset. Not after pump_destroy.
	 */
	void (*ended)(void *context, uint16_t id, int error);
	void *context;
};

int pump_create(
	const struct pump_config *config, struct pump **out); /* -ENOMEM; then nothing was taken */
/* What has not been written is lost; the socket is reset, unless both directions have ended. */
void pump_destroy(struct pump *p);

/* What the tunnel has for the stream: MUX_DATA and MUX_ENDED. */
void pump_data(struct pump *p, const uint8_t *data, size_t length);
void pump_end(struct pump *p);
/* There may be room in the tunnel. */
void pump_turn(struct pump *p);
