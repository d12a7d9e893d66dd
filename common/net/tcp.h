// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/endpoint.h"

/* TCP connections, non-blocking and close-on-exec. */

/*
 * Begins to connect, from the address `local` if it is not NULL and of the same family; interface as in udp_open. 0 with the descriptor in *fd, which becomes writable when
 * the attempt is over; or a negative errno when it is over at once.
 */
int tcp_connect_start(
	const struct endpoint *to, const struct endpoint *local, const char *interface, int *fd);

/* How the attempt ended: 0 connected, or a negative errno. */
int tcp_connect_result(int fd);
