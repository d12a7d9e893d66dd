// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "report/text_private.h"

/* The routers that a TTL ladder has shown. */

#define HOPS_MAX 32 /* as many as our own reports hold */

/* "10.0.1.1, no answer, 192.0.2.1": up to the last one. */
static void add_routers(struct line *l, const json_t *trace, unsigned long long last)
{
	const json_t *hops = json_object_get(trace, "hops");

	for (size_t i = 0; i < json_array_size(hops) && i < HOPS_MAX && i < last; i++) {
		line_add(l, "%s", i ? ", " : "");
		if (!line_add_string(l, json_object_get(json_array_get(hops, i), "address")))
			line_add(l, "no answer");
	}
}

bool text_trace(struct line *l, const json_t *trace, bool all)
{
	const json_t *reached = json_object_get(trace, "reached");
	const json_t *last_hop = json_object_get(trace, "last_hop");
	unsigned long long last = member_count(last_hop, "ttl");

	if (!json_is_object(trace))
		return false;
	if (!last)
		line_add(l, "none answers");
	else if (all)
		add_routers(l, trace, last);
	else if (!line_add_string(l, json_object_get(last_hop, "address")))
		line_add(l, "one");
	if (last)
		line_add(l, " (hop %llu)", last);
	if (json_is_true(reached))
		line_add(l, ", and then the server's host (hop %zu)",
			json_array_size(json_object_get(trace, "hops")));
	else if (json_is_false(reached))
		line_add(l, ", which lets nothing further");
	else if (last)
		line_add(l, ", and nothing behind it");
	return true;
}

const json_t *text_trace_of(const json_t *document, const json_t *numbers)
{
	for (size_t i = 0; i < json_array_size(numbers) && i < TEXT_EVIDENCE; i++) {
		const json_t *trace = json_object_get(
			text_evidence_at(document, json_array_get(numbers, i)), "trace");

		if (json_is_object(trace))
			return trace;
	}
	return NULL;
}
