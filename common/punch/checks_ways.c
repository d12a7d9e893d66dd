// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "punch/checks_private.h"

/* Ways to the peer: from a socket of ours to an endpoint that may be its. */

#define CALM_MS 100

const char *check_kind_name(enum check_kind kind)
{
	static const char *const names[CHECK_KINDS] = {
		[CHECK_HOST] = "host",
		[CHECK_SERVER_REFLEXIVE] = "server-reflexive",
		[CHECK_PEER_REFLEXIVE] = "peer-reflexive",
		[CHECK_PREDICTED] = "predicted",
	};

	return (unsigned)kind < CHECK_KINDS ? names[kind] : "unknown";
}

struct way *checks_way_find(struct checks *c, unsigned socket, const struct endpoint *remote)
{
	for (size_t i = 0; i < c->way_count; i++)
		if (c->ways[i].socket == socket && endpoint_equal(&c->ways[i].remote, remote))
			return &c->ways[i];
	return NULL;
}

struct way *checks_way_get(
	struct checks *c, unsigned socket, const struct endpoint *remote, enum check_kind kind)
{
	struct way *way = checks_way_find(c, socket, remote);

	if (way)
		return way;
	for (size_t i = 0; i < c->way_count && !way; i++)
		if (c->ways[i].socket == NO_SOCKET)
			way = &c->ways[i];
	if (!way && c->way_count < CHECKS_WAYS)
		way = &c->ways[c->way_count++];
	if (!way)
		return NULL;
	*way = (struct way){.socket = socket,
		.remote = *remote,
		.kind = kind,
		.limit = LIMIT_WAY,
		.next_us = UINT64_MAX};
	return way;
}

void checks_ways_end(struct checks *c, unsigned socket)
{
	for (size_t i = 0; i < c->way_count; i++)
		if (c->ways[i].socket == socket && &c->ways[i] != c->chosen)
			c->ways[i] = (struct way){.socket = NO_SOCKET, .next_us = UINT64_MAX};
	for (size_t i = 0; i < ANSWERS_MAX; i++)
		if (c->replies[i].socket == socket)
			c->replies[i].socket = NO_SOCKET;
}

int checks_add_candidate(struct checks *c, uint64_t now_us, enum check_kind kind,
	const struct endpoint *e, bool vouched)
{
	unsigned socket = c->main[e->family == FAMILY_IPV6];
	struct way *way;

	if (!endpoint_is_unicast(e) || endpoint_is_loopback(e))
		return -EINVAL;
	if (socket == NO_SOCKET)
		return 0; /* we have none of this family */
	if (vouched)
		checks_vouch(c, e);
	if (checks_way_find(c, socket, e)) /* known already */
		return 0;
	way = checks_way_get(c, socket, e, kind);
	if (!way)
		return -ENOSPC;
	way->next_us = now_us;
	return 0;
}

bool checks_candidates_are_tried(const struct checks *c)
{
	for (size_t i = 0; i < c->way_count; i++) {
		const struct way *way = &c->ways[i];

		if (!way->of_plan && !way->sent && way->next_us != UINT64_MAX &&
			checks_way_may_ask(c, way))
			return false;
	}
	return true;
}

/*
 * Quick at first, and then more and more slowly; never in step with the other side. Calm where a stranger has few
 * requests left, which must not get lost all at once, and where only the other side's proof may be missing.
 */
uint64_t checks_way_interval(struct checks *c, const struct way *way)
{
	static const struct {
		unsigned until;
		uint32_t ms;
	} steps[] = {{7, 20}, {13, 50}, {25, 100}, {45, 200}, {UINT32_MAX, 500}};
	bool calm = way->proved || !checks_is_vouched(c, &way->remote);
	uint32_t us = calm && way != c->chosen ? CALM_MS * 1000 : 0;

	for (size_t i = 0; !us; i++)
		if (way->sent <= steps[i].until)
			us = steps[i].ms * 1000;
	return us * 3 / 4 + random_below(&c->config.random, us / 2);
}

bool checks_way_is_held(const struct checks *c, const struct way *way)
{
	return c->held && way->of_plan && !way->heard;
}

bool checks_way_may_ask(const struct checks *c, const struct way *way)
{
	return way->sent < way->limit &&
		(way->proved || checks_may_send(c, &way->remote, way->heard));
}
