// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "probe/answer.h"

static void copy_text(char *out, size_t size, struct span text)
{
	size_t n = text.length < size - 1 ? text.length : size - 1;

	if (n)
		memcpy(out, text.data, n);
	out[n] = '\0';
}

void probe_fill_answer(struct answer *a, uint64_t now_us, const struct endpoint *from, uint8_t ttl,
	const struct stun_message *m)
{
	memset(a, 0, sizeof(*a));
	a->t_us = now_us;
	a->from = *from;
	a->ttl = ttl;
	a->has_xor = m->xor_mapped.family != FAMILY_NONE;
	a->mapped = a->has_xor ? m->xor_mapped : m->mapped;
	a->mapped_plain = m->mapped;
	a->origin = m->response_origin.family ? m->response_origin : m->source_address;
	a->other = m->other_address.family ? m->other_address : m->changed_address;
	a->has_observed = m->has_observed;
	a->observed = m->observed;
	a->has_syn = m->has_syn;
	a->syn = m->syn;
	copy_text(a->software, sizeof(a->software), m->software);
}
