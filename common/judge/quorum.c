// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>

#include "judge/private.h"

/*
 * All servers see one and the same socket. Where they agree on its external port although their own
 * addresses differ, the mapping does not depend on the server, and one that saw another port is wrong.
 */

struct ballot {
	const struct endpoint *server[JOURNAL_SERVERS];
	int port[JOURNAL_SERVERS]; /* external; 0: no vote */
	size_t votes;
};

static void collect(const struct journal *j, enum family family, enum transport transport,
	const struct server_verdict *servers, struct ballot *out)
{
	for (size_t i = 0; i < j->server_count; i++) {
		struct battery b;

		if (!server_is_of(j, i, family, transport) || !servers[i].counts)
			continue;
		battery_find(j, i, &b);
		out->server[i] = &j->servers[i].endpoint;
		out->port[i] = b.binding->answer.mapped.port;
		out->votes++;
	}
}

/*
 * A NAT whose mapping depends on the address or on the port can give some servers the same port and
 * others not. It is excluded when those who agree stand at different addresses, and one of them on
 * the port of the one that differs.
 */
static bool is_outvoted(const struct ballot *b, size_t suspect, int winner)
{
	const struct endpoint *first = NULL;
	bool addresses = false, same_port = false;

	for (size_t i = 0; i < JOURNAL_SERVERS; i++) {
		if (b->port[i] != winner)
			continue;
		if (first && !endpoint_same_address(first, b->server[i]))
			addresses = true;
		first = first ? first : b->server[i];
		same_port |= b->server[i]->port == b->server[suspect]->port;
	}
	return addresses && same_port;
}

static void leave_out(struct server_verdict *s)
{
	s->counts = s->filters = false;
	s->defects[DEFECT_DISAGREES] = true;
}

static void judge_ports_seen(const struct journal *j, enum family family, enum transport transport,
	struct server_verdict *servers)
{
	struct ballot b = {0};
	int winner;

	collect(j, family, transport, servers, &b);
	if (b.votes < 3 || !majority(b.port, JOURNAL_SERVERS, &winner))
		return;
	for (size_t i = 0; i < j->server_count; i++) {
		if (!b.port[i] || b.port[i] == winner || !is_outvoted(&b, i, winner))
			continue;
		leave_out(&servers[i]);
		snprintf(servers[i].problem, sizeof(servers[i].problem),
			"sees one socket on port %d, the others see it on port %d", b.port[i],
			winner);
	}
}

/* --- is there a NAT: all must see the same --- */

enum { SEES_INSIDE = 1, SEES_OUTSIDE = 2 };

static void look(const struct journal *j, enum family family, enum transport transport,
	const struct server_verdict *servers, int seen[static JOURNAL_SERVERS])
{
	for (size_t i = 0; i < JOURNAL_SERVERS; i++) {
		struct battery b;

		seen[i] = 0;
		if (!server_is_of(j, i, family, transport) || !servers[i].counts)
			continue;
		battery_find(j, i, &b);
		seen[i] = endpoint_equal(&b.binding->local, &b.binding->answer.mapped)
			? SEES_INSIDE
			: SEES_OUTSIDE;
	}
}

/* A server on this side of the NAT sees the inside endpoint, and tells nothing about the NAT. */
static void leave_out_near(
	const struct journal *j, struct server_verdict *servers, int seen[static JOURNAL_SERVERS])
{
	bool far = false;

	for (size_t i = 0; i < j->server_count; i++)
		far |= seen[i] == SEES_OUTSIDE && !endpoint_is_private(&j->servers[i].endpoint);
	for (size_t i = 0; far && i < j->server_count; i++) {
		if (seen[i] != SEES_INSIDE || !endpoint_is_private(&j->servers[i].endpoint))
			continue;
		leave_out(&servers[i]);
		seen[i] = 0;
		snprintf(servers[i].problem, sizeof(servers[i].problem),
			"stands on this side of the NAT: it sees the inside endpoint");
	}
}

static void judge_sides(const struct journal *j, enum family family, enum transport transport,
	struct server_verdict *servers)
{
	int seen[JOURNAL_SERVERS], winner;

	look(j, family, transport, servers, seen);
	leave_out_near(j, servers, seen);
	majority(seen, JOURNAL_SERVERS, &winner); /* 0 when they are evenly divided: none counts */
	for (size_t i = 0; i < j->server_count; i++) {
		if (!seen[i] || seen[i] == winner)
			continue;
		leave_out(&servers[i]);
		snprintf(servers[i].problem, sizeof(servers[i].problem), "sees %s, others do not",
			seen[i] == SEES_INSIDE ? "the inside endpoint" : "a NAT");
	}
}

void judge_quorum(const struct journal *j, enum family family, enum transport transport,
	struct server_verdict *servers)
{
	judge_sides(j, family, transport, servers);
	judge_ports_seen(j, family, transport, servers);
}
