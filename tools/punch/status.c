// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "tools/punch/status.h"
#include "wire/rendezvous.h"

static const char *refusal_text(unsigned code)
{
	switch (code) {
	case RENDEZVOUS_BAD:
	case 420:
		return "it does not understand this version";
	case RENDEZVOUS_TAKEN:
		return "two others have met with this code: take a new one";
	case RENDEZVOUS_QUOTA:
		return "too many sessions are open from here";
	case RENDEZVOUS_FULL:
		return "it has too many sessions";
	default:
		return "see its log";
	}
}

static int failure_of(const struct session_view *v, char *message, size_t size)
{
	switch (v->failure) {
	case SESSION_NO_SOCKET:
		snprintf(message, size, "no socket could be opened for any address of the server");
		return STATUS_ENVIRONMENT;
	case SESSION_UNREACHABLE:
		snprintf(message, size, "the rendezvous server does not answer");
		return STATUS_PROTOCOL;
	case SESSION_REFUSED:
		snprintf(message, size, "the rendezvous server refuses: error %u, %s",
			v->error_code, refusal_text(v->error_code));
		return STATUS_PROTOCOL;
	case SESSION_NO_PEER:
		snprintf(message, size, "the other side did not come in time");
		return STATUS_PROTOCOL;
	case SESSION_PEER_LEFT:
		snprintf(message, size, "the other side has gone");
		return STATUS_PROTOCOL;
	case SESSION_PEER_SILENT:
		snprintf(message, size,
			"the other side came to the rendezvous, and then said nothing more");
		return STATUS_PROTOCOL;
	case SESSION_WRONG_CODE:
		snprintf(message, size,
			"the code is wrong: the other side has another one; both begin anew");
		return STATUS_PROTOCOL;
	case SESSION_BAD_PEER:
		snprintf(message, size, "the other side says what cannot be understood");
		return STATUS_PROTOCOL;
	case SESSION_NO_FAMILY:
		snprintf(message, size, "the two sides have no address family in common");
		return STATUS_NEGATIVE;
	default:
		snprintf(message, size, "no way was found");
		return STATUS_NEGATIVE;
	}
}

int status_of(const struct session_view *v, const struct path_result *r, char *message, size_t size)
{
	*message = '\0';
	if (r->signal) {
		snprintf(message, size, "interrupted: what is known so far");
		return 128 + r->signal;
	}
	if (r->late) {
		snprintf(message, size, "%s",
			v->has_peer ? "not done before the deadline"
				    : "the other side did not come in time");
		return v->has_peer ? STATUS_NEGATIVE : STATUS_PROTOCOL;
	}
	if (v->state != SESSION_CONNECTED)
		return failure_of(v, message, size);
	if (r->error) {
		snprintf(message, size, "standard input or output: %s", strerror(-r->error));
		return STATUS_ENVIRONMENT;
	}
	if (!r->stood) {
		snprintf(message, size, "the way was proved, and then nothing came over it");
		return STATUS_NEGATIVE;
	}
	if (r->silent) {
		snprintf(message, size, "the peer is silent: the way does not work any more");
		return STATUS_NEGATIVE;
	}
	return STATUS_DONE;
}
