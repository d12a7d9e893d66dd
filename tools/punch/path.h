// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <signal.h>
#include <stdbool.h>

#include "net/watch.h"
#include "punch/flow.h"
#include "punch/session.h"
#include "tools/punch/forward.h"

/*
 * A session over real sockets, from its begin to its end, and what the way is used for then. One that is kept is
 * punched anew when it works no more.
 */

enum path_use {
	PATH_MEASURE, /* round trips, and that is all */
	PATH_STDIO, /* it carries standard input and output */
	PATH_FORWARD, /* … or a local UDP port */
	PATH_HOLD, /* it is kept open */
};

struct path_result {
	int signal; /* that ended it; 0: none */
	bool late; /* limit_us was over */
	bool stood; /* the peer's channel was heard */
	bool closed; /* the peer has said its last word */
	bool silent; /* the way stopped to work while it was used, and there was no other; or not all was carried */
	bool differs; /* the other side uses it for something else */
	int error; /* negative errno of what it was used for */
	unsigned rounds; /* how often it was punched anew */
	struct endpoint local; /* of the socket of the way */
	struct endpoint peer; /* where it is now; FAMILY_NONE: no way stood */
	struct flow_statistics flow;
	int fd; /* of that socket, the caller's from now on; -1: there is none */
};

struct path_config {
	struct session *session;
	bool tcp; /* as the session */
	struct trail *trail; /* of the session */
	const int *raw; /* as carrier.h says */
	bool knocks; /* as the session: then it minds limit_us itself */
	const char *interface; /* or NULL */
	struct endpoint local[2]; /* where to bind; FAMILY_NONE: anywhere */
	uint64_t limit_us; /* until a way stands, or stands again */
	const volatile sig_atomic_t *
		interrupted; /* by this signal, before the path has handlers of its own; 0 or NULL: not */
	unsigned count; /* round trips */
	uint64_t interval_us;
	enum path_use use;
	struct endpoint listen, target; /* of PATH_FORWARD: see forward.h */
	/* Something may have changed in the session. */
	void (*changed)(void *context);
	/* The session is manual, and the other side's line is read from standard input; err: of session_take_line. */
	bool manual;
	void (*refused)(void *context, int err);
	/* The way is measured, and use begins; what is known so far. Not of PATH_MEASURE. */
	void (*stands)(void *context, const struct path_result *so_far);
	void *context;
	struct watch watch;
};

/* 0, or a negative errno: it could not begin. */
int path_run(const struct path_config *config, struct path_result *out);
