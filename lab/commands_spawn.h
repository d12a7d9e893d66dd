// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "lab/commands.h"

/* One process on a host, and what can be seen of it. */

struct spawned {
	pid_t pid;
	int streams[2]; /* where its output can be read, without blocking; -1: it is not ours */
};

/* In a process group of its own unless passthrough. 0 or a negative errno; exit status 127: no such command. */
int command_spawn(const struct command *command, int namespace, struct spawned *out);

/* Sockets of its network namespace that wait for packets or connections; negative errno: it is gone. */
int command_count_sockets(pid_t pid);
