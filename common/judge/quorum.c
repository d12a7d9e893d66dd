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

static void collect(const struct journal *j, enum family family,
	const struct server_verdict *servers, struct ballot *out)
{
	for (size_t i = 0; i < j->server_count; i++) {
		struct battery b;

		if (j->servers[i].endpoint.family != family || !servers[i].counts)
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

void judge_quorum(const struct journal *j, enum family family, struct server_verdict *servers)
{
	struct ballot b = {0};
	int winner;

	collect(j, family, servers, &b);
	if (b.votes < 3 || !majority(b.port, JOURNAL_SERVERS, &winner))
		return;
	for (size_t i = 0; i < j->server_count; i++) {
		struct server_verdict *s = &servers[i];

		if (!b.port[i] || b.port[i] == winner || !is_outvoted(&b, i, winner))
			continue;
		s->counts = s->filters = false;
		s->status = SERVER_MISBEHAVING;
		s->defects[DEFECT_DISAGREES] = true;
		snprintf(s->problem, sizeof(s->problem),
			"sees one socket on port %d, the others see it on port %d", b.port[i],
			winner);
	}
}
