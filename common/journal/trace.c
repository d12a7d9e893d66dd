// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include "journal/trace.h"

bool trace_is_expiry(enum family family, uint8_t type, uint8_t code)
{
	if (family == FAMILY_IPV4)
		return type == ICMP_TIME_EXCEEDED && code == ICMP_EXC_TTL;
	return type == ICMP6_TIME_EXCEEDED && code == ICMP6_TIME_EXCEED_TRANSIT;
}

bool trace_is_refusal(enum family family, uint8_t type, uint8_t code)
{
	if (family == FAMILY_IPV4)
		return type == ICMP_DEST_UNREACH && code != ICMP_FRAG_NEEDED;
	return type == ICMP6_DST_UNREACH;
}

bool hop_is_target(const struct trace *t, const struct hop *h)
{
	return h->answers && endpoint_same_address(&h->from, &t->to);
}

bool hop_is_end(const struct trace *t, const struct hop *h)
{
	return hop_is_target(t, h) ||
		(h->answers && h->icmp && trace_is_refusal(t->to.family, h->type, h->code));
}

unsigned trace_end(const struct trace *t)
{
	for (unsigned i = 0; i < t->hop_count; i++)
		if (hop_is_end(t, &t->hops[i]))
			return i + 1;
	return 0;
}

unsigned trace_length(const struct trace *t)
{
	unsigned end = trace_end(t);

	return end ? end : t->hop_count;
}

unsigned trace_last_router(const struct trace *t)
{
	unsigned ttl = trace_length(t);

	while (ttl > 0 && (!t->hops[ttl - 1].answers || hop_is_target(t, &t->hops[ttl - 1])))
		ttl--;
	/* who refuses to pass a packet on has let the one before run out */
	while (ttl > 1 && hop_is_end(t, &t->hops[ttl - 1]) && t->hops[ttl - 2].answers &&
		endpoint_same_address(&t->hops[ttl - 1].from, &t->hops[ttl - 2].from))
		ttl--;
	return ttl;
}
