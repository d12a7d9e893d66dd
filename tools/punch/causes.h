// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/causes.h"
#include "punch/session.h"
#include "tools/capturing.h"

/*
 * For session_config: how many packets to the other side and from it the capture has so far; false: there is none.
 */
bool punch_captured(
	struct capturing *capturing, const struct trail *trail, unsigned *left, unsigned *arrived);

/*
 * Why a punch has failed for `reason` (tools/punch/reason.h), from the records of this side, what the other one has said
 * and, where there was one, the capture, whose packets are joined with the records by this. server: that of the rendezvous,
 * NULL is none; capturing: the same.
 */
void punch_causes(const struct session_view *v, unsigned reason, const struct endpoint *server,
	const struct trail *trail, const struct journal *journal, const struct verdict *verdict,
	struct capturing *capturing, struct causes *out);
