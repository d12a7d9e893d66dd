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

/* Segments without data that have come in, of which two SYNs that crossed make two; 0: the kernel does not tell. */
unsigned tcp_segments_in(int fd);

/* --- several sockets on one local port --- */

/*
 * A socket that is bound to local, with SO_REUSEADDR and SO_REUSEPORT, so that others of this kind can have the same
 * port, to connect or to listen; port 0 lets the kernel choose. interface as in udp_open.
 */
int tcp_bind(const struct endpoint *local, const char *interface, int *fd);

/* Begins to connect; as tcp_connect_start. */
int tcp_begin_connect(int fd, const struct endpoint *to);

int tcp_begin_listen(int fd);

/* The next connection of a listening socket: its descriptor in *out; -EAGAIN when none waits. */
int tcp_accept(int fd, struct endpoint *from, int *out);
