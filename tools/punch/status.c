// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "tools/punch/reason.h"
#include "tools/punch/status.h"

int status_of(const struct session_view *v, const struct path_result *r, char *message, size_t size)
{
	unsigned reason = reason_of(v, r->late, r->stood, false);

	*message = '\0';
	if (r->signal) {
		snprintf(message, size, "interrupted: what is known so far");
		return 128 + r->signal;
	}
	if (v->state == SESSION_CONNECTED && r->error) {
		snprintf(message, size, "standard input or output: %s", strerror(-r->error));
		return STATUS_ENVIRONMENT;
	}
	if (reason != SESSION_NO_FAILURE) {
		reason_message(reason, v, NULL, message, size);
		return reason_status(reason, v);
	}
	if (v->state != SESSION_CONNECTED) {
		snprintf(message, size, "ended before anything was decided");
		return STATUS_ENVIRONMENT;
	}
	if (r->silent) {
		snprintf(message, size, "the peer is silent: the way does not work any more");
		return STATUS_NEGATIVE;
	}
	return STATUS_DONE;
}
