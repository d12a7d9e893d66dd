// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "probe/private.h"

#define PATIENCE_US 900000u
#define HOSTS	    3

/*
 * When no server answers over UDP, that alone does not show that UDP is blocked: they may be gone. The
 * control is TCP to the same hosts; a RST will do.
 */
void blocked_advance(struct probe *p, uint64_t now_us)
{
	if (p->tcp_put)
		return;
	for (size_t i = 0; i < p->server_count; i++)
		if (p->servers[i].answered)
			return;
	for (size_t i = 0; i < p->server_count; i++) {
		const struct observation *o = probe_observation(p, p->servers[i].binding);

		if (!o || (o->state == OBSERVATION_OPEN && now_us < p->start_us + PATIENCE_US))
			return;
	}
	p->tcp_put = p->server_count > 0;
	for (size_t i = 0; i < p->server_count && i < HOSTS; i++) {
		struct observation *o = journal_add_observation(p->journal);

		if (!o)
			return;
		o->question = QUESTION_TCP_CONTROL;
		o->family = p->config.family;
		o->server = p->servers[i].place;
		o->to = o->expect = p->servers[i].endpoint;
		o->first_sent_us = now_us;
	}
}
