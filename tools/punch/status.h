// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "punch/session.h"
#include "tools/punch/path.h"

/* Exit status of the punchers: udppunch(1), EXIT STATUS. */

enum status {
	STATUS_DONE = 0, /* a way stood */
	STATUS_NEGATIVE = 1, /* there is none, or an expectation was not met */
	STATUS_USAGE = 2,
	STATUS_ENVIRONMENT = 3,
	STATUS_PROTOCOL =
		4, /* the server or the peer did not do its part, or the code was not proved */
};

/*
 * The status of a finished run against this server; message gets a line for stderr, or is left empty.
 */
int status_of(const struct session_view *v, const struct path_result *r,
	const struct endpoint *server, const struct trail *trail, char *message, size_t size);
