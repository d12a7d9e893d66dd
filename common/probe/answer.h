// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "journal/journal.h"

/* What a Binding response says, into the journal's form; ttl 0: unknown. */
void probe_fill_answer(struct answer *a, uint64_t now_us, const struct endpoint *from, uint8_t ttl,
	const struct stun_message *m);
