// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>

/*
 * A process in process, mount and (for who is not root) user namespaces of its own. It is the first one there, so
 * that with it everything it has started ends, whatever it ends by; and it ends with its parent.
 */

/* Signals that mean what the parent was told: the terminal's own SIGINT does not reach `inside`. */
#define ISOLATE_INTERRUPT SIGUSR1
#define ISOLATE_TERMINATE SIGTERM

/* Both wait until it is ready for them and says so: without a handler, the first process of a namespace has none. */
void isolate_take_signals(void);

/*
 * Runs inside(context) there, and waits for it: its result, 128 and the signal that ended it, or a negative errno
 * with one line in error when it could not begin. An interrupt or hang-up is passed on to it, and it is up to it
 * to end.
 */
int isolate_run(int (*inside)(void *context), void *context, char *error, size_t size);

/* Inside: puts a text in place of a file, for all who look from now on. */
int isolate_replace_file(const char *path, const char *text);
