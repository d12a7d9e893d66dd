// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "punch/query.h"

#define TIMES	 5
#define FIRST_US 200000 /* then twice as long each time (RFC 8489 6.2.1) */

void query_begin(struct query *q, uint64_t now_us, unsigned socket, const struct endpoint *to,
	struct random *random)
{
	struct writer w = writer_over(q->id.bytes, sizeof(q->id.bytes));

	*q = (struct query){.begun = true, .socket = socket, .to = *to, .next_us = now_us};
	writer_u32(&w, STUN_COOKIE);
	random_bytes(random, q->id.bytes + 4, sizeof(q->id.bytes) - 4);
}

bool query_poll(struct query *q, uint64_t now_us, uint8_t *data, size_t size, size_t *length,
	uint64_t *deadline_us)
{
	struct stun_writer s;
	int n;

	if (!q->begun || q->done)
		return false;
	if (q->next_us > now_us) {
		if (q->next_us < *deadline_us)
			*deadline_us = q->next_us;
		return false;
	}
	if (q->sent == TIMES) {
		q->done = true;
		*deadline_us = now_us; /* who waits for the end has to look now */
		return false;
	}
	q->next_us = now_us + ((uint64_t)FIRST_US << q->sent++);
	s = stun_begin(data, size, STUN_REQUEST, STUN_BINDING, &q->id);
	stun_add_fingerprint(&s);
	n = stun_end(&s);
	*length = n > 0 ? (size_t)n : 0;
	return n > 0;
}

bool query_input(struct query *q, unsigned socket, const struct endpoint *from, const void *data,
	size_t length)
{
	struct stun_message m;

	if (!q->begun || socket != q->socket || !endpoint_equal(from, &q->to) ||
		stun_decode(data, length, &m) || m.method != STUN_BINDING ||
		(m.class != STUN_SUCCESS && m.class != STUN_ERROR) || !stun_id_equal(&m.id, &q->id))
		return false;
	if (m.class == STUN_SUCCESS && !q->done)
		q->mapped = m.xor_mapped;
	q->done = true;
	return true;
}
