// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>
#include <stddef.h>
#include <sys/types.h>

#include "lab/hosts.h"

/*
 * How a command gets into a host of a laboratory that runs: it asks the laboratory, by a Unix socket in the abstract
 * name space, for the host's namespaces, and enters them. Only the user who has started the
 * laboratory, and root, are answered.
 */

/* A socket that this process will be found by; a negative errno. */
int control_listen(void);

struct control;

/* Answers on a socket of control_listen, which it does not close. */
int control_begin(struct event_base *base, int socket, const struct topology *t,
	const struct hosts *hosts, struct control **out);
void control_destroy(struct control *c);

/* The laboratories of this user, by the process that was started: as many as fit; a negative errno. */
int control_find(pid_t *list, size_t size);

/* Enters the namespaces of a host; children are there wholly. Negative, with one line in error. */
int control_enter(pid_t laboratory, const char *host, char *error, size_t size);
