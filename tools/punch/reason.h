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
	REASONS,
};

/*
 * Of a session that is over, or was ended by its deadline (late) or by a signal (interrupted); stood: something came
 * over its way. SESSION_NO_FAILURE: the way stood, or it ended before this was decided.
 */
unsigned reason_of(const struct session_view *v, bool late, bool stood, bool interrupted);

const char *reason_name(unsigned reason); /* "no-path", "wrong-code" …: a word for programs */
enum status reason_status(unsigned reason, const struct session_view *v);
/* What is certain, what is likely and what to try next; server: the one that was asked. */
void reason_explain(unsigned reason, const struct session_view *v, const struct endpoint *server,
	const struct trail *trail, struct explanation *out);
/* One line for people, which is more to the point with the explanation; NULL: without. */
void reason_message(unsigned reason, const struct session_view *v, const struct explanation *e,
	char *message, size_t size);
