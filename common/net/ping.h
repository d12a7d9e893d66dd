// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/bytes.h"
#include "base/endpoint.h"

/*
 * Sockets for echo requests that need no privilege: Linux lets the groups of net.ipv4.ping_group_range have them. Their
 * port is the identifier, and their error queue is that of udp.h. Functions give 0 (or a length) or a negative errno.
 */

/* The port of local is the identifier; 0: the kernel chooses. -EACCES: this user may not. */
int ping_open(const struct endpoint *local, const char *interface, int *fd);

/* An echo request. */
int ping_send(
	int fd, const struct endpoint *to, uint16_t sequence, const void *data, size_t length);

struct ping_reply {
	struct endpoint from; /* port 0 */
	uint16_t sequence;
	uint8_t ttl; /* 0: not known */
	struct span data; /* in the buffer */
};

/* The next echo reply. -EAGAIN: there is none; -EBADMSG: it was something else. */
int ping_receive(int fd, enum family family, void *buffer, size_t size, struct ping_reply *out);
