// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/endpoint.h"

#define HANDOVER_FD 3

/*
 * Becomes COMMAND (in sh) with the punched socket, connected to the peer, as descriptor 3, and NATUTILS_LOCAL,
 * NATUTILS_PEER and NATUTILS_FD in its environment. Does not come back unless it fails: the exit status, and a line on stderr that begins
 * with the tool's name.
 */
int handover_exec(const char *tool, const char *command, int fd, const struct endpoint *local,
	const struct endpoint *peer);
