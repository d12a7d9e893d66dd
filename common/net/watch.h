// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>
#include <stdint.h>

#include "base/endpoint.h"

/*
 * Somebody who watches the packets of a run beside its sockets, such as a capture. NULL functions are not called; a
 * struct of zeros is nobody.
 */
struct watch {
	/* The event loop is there, and nothing was sent yet. */
	void (*begin)(void *context, struct event_base *base);
	/* A socket has its port, or its identifier of ICMP echo; nothing has left by it. protocol: IPPROTO_UDP, … */
	void (*opened)(void *context, int protocol, const struct endpoint *local);
	/* An ICMP error is about to be sent to this host, about what is none of the own sockets'. */
	void (*raised)(void *context, const struct endpoint *to);
	/* The last packets may be taken: the event loop goes. */
	void (*end)(void *context);
	void *context;
};

void watch_begin(const struct watch *w, struct event_base *base);
void watch_end(const struct watch *w);

/* Tells of the socket, whose port is asked of the system; nothing when it has none. */
void watch_socket(const struct watch *w, int protocol, int fd);
/* The same of one whose port is known. */
void watch_opened(const struct watch *w, int protocol, const struct endpoint *local);
/* Tells of an error that goes to this host. */
void watch_raised(const struct watch *w, const struct endpoint *to);
