// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/private.h"

#define PAIRS	  12
#define PORT_LOW  32768u /* RFC 5780 4.1 */
#define PORT_HIGH 65534u

/*
 * Port allocation: more sockets, on pairs of neighbouring ports, even then odd (RFC 4787 4.2.2, 4.2.3).
 * All even ones ask first: then neighbours are not neighbours in time, and a NAT that simply counts
 * up does not look as if it kept them together.
 */
void ports_advance(struct probe *p, uint64_t now_us, struct probe_server *s)
{
	uint16_t even[PAIRS];

	if (p->ports_put || s->questions_put)
		return;
	if (!(p->config.tests & PROBE_PORTS) &&
		!(p->config.tests & PROBE_PORTS_IF_QUICK && s->ours))
		return;
	p->ports_put = true;
	for (int i = 0; i < PAIRS; i++)
		even[i] = (uint16_t)(PORT_LOW +
			2 * random_below(p->random, (PORT_HIGH - PORT_LOW) / 2 + 1));
	for (int i = 0; i < 2 * PAIRS; i++) {
		uint16_t port = (uint16_t)(even[i % PAIRS] + i / PAIRS);
		int socket = probe_socket(p, port);

		if (socket < 0 ||
			!probe_ask(p, now_us, s, QUESTION_PORTS, (unsigned)socket, &s->endpoint,
				&s->endpoint))
			return;
	}
}
