// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "server/call.h"

/*
 * The sockets of call-backs, by the numbers that server/call.h has for them. They are in an epoll set of their
 * own, whose descriptor is all that the owner has to watch. Functions that return int give 0 or a negative errno.
 */

struct callers;

/* An attempt is over, or the other end has closed; the socket may be closed in it. */
typedef void callers_handler(void *context, const struct calls_event *event);

int callers_create(struct callers **out, callers_handler *handler, void *context);
/* Closes all that is open. */
void callers_destroy(struct callers *c);

/*
 * A socket bound to this endpoint, where a listener and other callers with SO_REUSEADDR and SO_REUSEPORT may be, of the
 * same user; or to its address and a port that nobody uses when the port is 0, which then becomes that one.
 */
int callers_bind(struct callers *c, unsigned number, const struct endpoint *local, uint16_t *port);

/* Begins to connect; the handler hears of the end of it, unless it is over at once. */
int callers_connect(struct callers *c, unsigned number, const struct endpoint *to);

/* Sends these bytes over a connection and nothing more; the handler hears when the other end closes, or has. */
void callers_greet(struct callers *c, unsigned number, const void *data, size_t length);

/* Whatever its state is; a connection that the other end has not closed is reset. */
void callers_close(struct callers *c, unsigned number);

/* Readable when callers_run has something to do. */
int callers_fd(const struct callers *c);
void callers_run(struct callers *c);
