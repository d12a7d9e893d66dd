// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/random.h"
#include "wire/stun.h"

/* One Binding request (RFC 8489) with its repetitions: which external endpoint has this socket towards a server? */

struct query {
	bool begun, done; /* done: answered, or given up */
	unsigned socket;
	struct endpoint to, mapped; /* mapped: FAMILY_NONE: no answer */
	struct stun_id id;
	unsigned sent;
	uint64_t next_us;
};

void query_begin(struct query *q, uint64_t now_us, unsigned socket, const struct endpoint *to,
	struct random *random);

/* A request to send (true), or when to ask again. */
bool query_poll(struct query *q, uint64_t now_us, uint8_t *data, size_t size, size_t *length,
	uint64_t *deadline_us);

/* Whether it was the answer. */
bool query_input(struct query *q, unsigned socket, const struct endpoint *from, const void *data,
	size_t length);
