// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>

#include "punch/flow.h"
#include "punch/session.h"

/*
 * A session over real sockets, from its begin to its end, and what the way is used for then: round trips that measure
 * it, and standard input and output if wanted.
 */

struct path_config {
	struct session *session;
	const char *interface; /* or NULL */
	struct endpoint local[2]; /* where to bind; FAMILY_NONE: anywhere */
	uint64_t limit_us; /* until a way stands */
	unsigned count; /* round trips */
	uint64_t interval_us;
	bool stdio;
	/* Something may have changed in the session. */
	void (*changed)(void *context);
	void *context;
};

struct path_result {
	int signal; /* that ended it; 0: none */
	bool late; /* limit_us was over */
	bool stood; /* the peer's channel was heard */
	bool closed; /* the peer has said its last word */
	bool silent; /* the way stopped to work while it was used */
	int error; /* negative errno of standard input or output */
	struct endpoint local; /* of the socket of the way */
	struct flow_statistics flow;
	int fd; /* of that socket, the caller's from now on; -1: there is none */
};

/* 0, or a negative errno: it could not begin. */
int path_run(const struct path_config *config, struct path_result *out);
