// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>

/*
 * What somebody pastes into standard input, until it is a line of the other side. Not a byte behind that is read:
 * what follows may be data for the path.
 */

struct paste;

struct paste_config {
	struct event_base *base;
	/* Everything since the last text that was refused: 0 takes it, -EILSEQ: it is not whole yet, others refuse it. */
	int (*take)(void *context, const char *text);
	/* No more comes: 0: a text was taken; else a negative errno, -ENODATA at the end of the input. */
	void (*ended)(void *context, int error);
	void *context;
};

int paste_create(const struct paste_config *config, struct paste **out); /* -ENOMEM */
void paste_destroy(struct paste *p);
