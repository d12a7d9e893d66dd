// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/explain.h"
#include "punch/session.h"
#include "tools/punch/status.h"

/* Why a punch ended without a way: an enum session_failure, or one of these. */
enum {
	REASON_DEADLINE = SESSION_NO_PATH + 1, /* the two knew of each other, and time was up */
	REASON_SILENT, /* the way was proved, and then nothing came over it */
	REASON_LOST, /* it stood, and then worked no more, and there was no other */
	REASON_OTHER_USE, /* it stood, and the other side uses it for something else */
	REASONS,
};

/* How a run has ended. */
struct punch_end {
	bool stood; /* something came over a way */
	bool late; /* by the deadline */
	bool lost; /* by a way that worked no more */
	bool differs; /* by another use of it on the other side */
	bool interrupted; /* by a signal */
};

/* SESSION_NO_FAILURE: the way stood, or it ended before this was decided. */
unsigned reason_of(const struct session_view *v, const struct punch_end *end);

const char *reason_name(unsigned reason); /* "no-path", "wrong-code" …: a word for programs */
enum status reason_status(unsigned reason, const struct session_view *v);
/* What is certain, what is likely and what to try next; server: the one that was asked. */
void reason_explain(unsigned reason, const struct session_view *v, const struct endpoint *server,
	const struct trail *trail, struct explanation *out);
/* What the other side says of its last attempt. */
struct explain_peer reason_said(const struct session_view *v);
/* Why a socket could not be had, which is only in the steps. */
void reason_add_sockets(const struct trail *trail, struct explanation *out);
/* One line for people. */
void reason_message(unsigned reason, const struct session_view *v, const struct explanation *e,
	char *message, size_t size);
