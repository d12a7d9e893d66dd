// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "report/text_private.h"

/* The rows that only the block of ICMP has. */

bool text_icmp_tri(const json_t *block, struct line *l, const char *key)
{
	const json_t *value = json_object_get(block, key);

	line_add(l, "%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "unknown");
	return json_is_boolean(value);
}

bool text_icmp_echo(const json_t *block, struct line *l)
{
	bool known = text_icmp_tri(block, l, "echo");

	if (json_is_true(json_object_get(block, "echo")))
		line_add(l, ", %llu identifiers at once", member_count(block, "identifiers"));
	return known;
}

/* Whether the error is one of those that do not arrive, from one of both origins at least. */
static bool is_missing(const json_t *error, const char *about)
{
	const json_t *origins = json_object_get(error, about);

	return json_is_false(json_object_get(origins, "own")) ||
		json_is_false(json_object_get(origins, "other"));
}

static void add_missing(const json_t *block, struct line *l, const char *about)
{
	const json_t *errors = json_object_get(block, "errors");
	const char *between = ", but not type/code ";

	for (size_t i = 0; i < json_array_size(errors) && i < TEXT_ICMP_ERRORS; i++) {
		const json_t *e = json_array_get(errors, i);

		if (!is_missing(e, about))
			continue;
		line_add(l, "%s%llu/%llu", between, member_count(e, "type"),
			member_count(e, "code"));
		between = ", ";
	}
}

bool text_icmp_errors(const json_t *block, struct line *l, const char *about)
{
	const json_t *all = json_object_get(block, "errors_arrive");

	if (member_is(all, about, "always"))
		line_add(l, "arrive");
	else if (member_is(all, about, "never"))
		line_add(l, "do not arrive");
	else if (member_is(all, about, "sometimes"))
		line_add(l, "arrive");
	else
		line_add(l, "unknown");
	if (member_is(all, about, "sometimes"))
		add_missing(block, l, about);
	return member_text(all, about) && !member_is(all, about, "unknown");
}

bool text_icmp_quotes(const json_t *block, struct line *l)
{
	const json_t *quotes = json_object_get(block, "quotes");
	const json_t *defects = json_object_get(quotes, "defects");

	if (json_is_true(json_object_get(quotes, "right")))
		line_add(l, "translated back right");
	else if (json_is_false(json_object_get(quotes, "right")))
		line_add(l, "wrong:");
	else
		line_add(l, "unknown");
	for (size_t i = 0; i < json_array_size(defects) && i < TEXT_ICMP_ERRORS; i++) {
		line_add(l, "%s", i ? ", " : " ");
		line_add_string(l, json_array_get(defects, i));
	}
	if (member_is(quotes, "seen_by", "error-queue"))
		line_add(l, ", as far as a socket sees it: addresses, ports, payload");
	return json_is_boolean(json_object_get(quotes, "right"));
}

bool text_icmp_egress(const json_t *block, struct line *l)
{
	const json_t *egress = json_object_get(block, "egress");

	if (member_is(egress, "untracked", "dropped"))
		line_add(l, "dropped, when they are about no flow of this host");
	else if (member_is(egress, "untracked", "external-source"))
		line_add(l, "leave, also when they are about no flow of this host");
	else if (member_is(egress, "untracked", "inside-source") ||
		member_is(egress, "untracked", "other-source"))
		line_add(l, "leave from ");
	else
		line_add(l, "unknown");
	if (member_is(egress, "untracked", "inside-source") ||
		member_is(egress, "untracked", "other-source"))
		line_add_string(l, json_object_get(egress, "source"));
	return member_text(egress, "untracked") && !member_is(egress, "untracked", "unknown");
}

bool text_icmp_translated(const json_t *block, struct line *l)
{
	return text_icmp_tri(json_object_get(block, "egress"), l, "translated");
}

bool text_icmp_lifetime(const json_t *block, struct line *l)
{
	const json_t *lifetime = json_object_get(block, "lifetime_s");

	if (!json_is_object(lifetime)) {
		line_add(l, "unknown");
		return false;
	}
	line_add(l, "at least %llu s", member_count(lifetime, "at_least"));
	if (member_count(lifetime, "less_than"))
		line_add(l, ", less than %llu s", member_count(lifetime, "less_than"));
	return true;
}
