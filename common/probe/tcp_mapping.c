// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/tcp_private.h"

/* Mapping and port allocation: which external ports do connections of this host get. */

#define PAIRS	  8
#define PORT_LOW  32768u /* RFC 5780 4.1 */
#define PORT_HIGH 65534u

/* RFC 5382 REQ-1: the local port that is connected to A1P1 connects to A1P2, A2P1 and A2P2, at once. */
void tcp_probe_mapping_advance(struct tcp_probe *p, uint64_t now_us, struct tcp_server *s)
{
	for (int i = 0; i < TCP_TARGETS && s->capable; i++) {
		struct endpoint to = tcp_probe_target(s, i);

		if (s->mapping[i] == JOURNAL_NONE)
			s->mapping[i] = tcp_probe_ask(p, now_us, s, QUESTION_MAPPING, 0, &to);
	}
}

int tcp_probe_mapping_independent(const struct tcp_probe *p, const struct tcp_server *s)
{
	const struct observation *first = tcp_probe_observation(p, s->binding);
	int independent = 1;

	for (int i = 0; i < TCP_TARGETS; i++) {
		const struct observation *o = tcp_probe_observation(p, s->mapping[i]);

		if (!tcp_probe_is_answered(p, s->mapping[i]))
			independent = -1;
		else if (o->answer.mapped.port != first->answer.mapped.port)
			return 0;
	}
	return independent;
}

/*
 * As ports.c does it over UDP: pairs of neighbouring ports, all even ones first; fewer of them, since a server has
 * only so many connections for one address.
 */
void tcp_probe_ports_advance(struct tcp_probe *p, uint64_t now_us, struct tcp_server *s)
{
	uint16_t even[PAIRS];

	if (p->ports_put)
		return;
	p->ports_put = true;
	for (int i = 0; i < PAIRS; i++)
		even[i] = (uint16_t)(PORT_LOW +
			2 * random_below(p->random, (PORT_HIGH - PORT_LOW) / 2 + 1));
	for (int i = 0; i < 2 * PAIRS; i++) {
		int slot = tcp_probe_slot(p, (uint16_t)(even[i % PAIRS] + i / PAIRS));

		if (slot < 0 ||
			tcp_probe_ask(p, now_us, s, QUESTION_PORTS, (unsigned)slot, &s->endpoint) ==
				JOURNAL_NONE)
			return;
	}
}
