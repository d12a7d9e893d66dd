// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/explain.h"
#include "punch/session.h"
#include "tools/punch/status.h"

/* Why a knock led to no way: the part of reason.h for sessions without any server (view->knock.on). */

/* One line; NULL: as of any other session. */
const char *reason_knock_message(unsigned reason, const struct session_view *v);

/* Adds to *out. False: nothing is special about this reason. */
bool reason_knock_explain(unsigned reason, const struct session_view *v, const struct trail *trail,
	struct explanation *out);
