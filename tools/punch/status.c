// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "tools/punch/reason.h"
#include "tools/punch/status.h"

int status_of(const struct session_view *v, const struct path_result *r,
	const struct endpoint *server, const struct trail *trail, char *message, size_t size)
{
	struct explanation e;
	const struct punch_end end = {
		.stood = r->stood, .late = r->late, .lost = r->silent, .differs = r->differs};
	unsigned reason = reason_of(v, &end);

	*message = '\0';
	if (r->signal) {
		snprintf(message, size, "interrupted: what is known so far");
		return 128 + r->signal;
	}
	if (r->error) {
		snprintf(message, size, "%s: %s",
			r->stood ? "standard input or output" : "cannot go on",
			strerror(-r->error));
		return STATUS_ENVIRONMENT;
	}
	if (reason != SESSION_NO_FAILURE) {
		reason_explain(reason, v, server, trail, &e);
		reason_message(reason, v, &e, message, size);
		return reason_status(reason, v);
	}
	if (r->stood)
		return STATUS_DONE;
	snprintf(message, size, "ended before anything was decided");
	return STATUS_ENVIRONMENT;
}
