// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

/* Standard input and output, a datagram for each block. */

struct stdio;

struct stdio_config {
	struct event_base *base;
	size_t block_bytes; /* of input, at most, at once */
	void (*input)(void *context, const uint8_t *data, size_t length);
	/* It has ended: 0, or a negative errno. */
	void (*ended)(void *context, int error);
	void *context;
};

int stdio_create(const struct stdio_config *config, struct stdio **out); /* -ENOMEM */
void stdio_destroy(struct stdio *s);

/*
 * Of at most 4096 bytes. 0, also if nobody reads now and it is lost, as a datagram may be: for who waits here the way
 * ends. Or a negative errno. *stuck is false at first, and kept for the next call.
 */
int stdio_write(const uint8_t *data, size_t length, bool *stuck);
