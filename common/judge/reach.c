// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>

#include "judge/private.h"

#define BEYOND_MIN 6 /* packets that have brought nothing */

/*
 * How far do packets get that nobody answers? A router that is silent need not be one that drops, so a ladder never says
 * more than who has answered; only who answers that it goes no further is taken at its word.
 */

/* Whether the routers up to this one have all answered. */
static bool is_gapless(const struct trace *t, unsigned ttl)
{
	for (unsigned i = 0; i < ttl; i++)
		if (!t->hops[i].answers)
			return false;
	return true;
}

static unsigned count_beyond(const struct trace *t, unsigned ttl)
{
	unsigned sent = 0;

	for (unsigned i = ttl; i < trace_length(t); i++)
		sent += t->hops[i].answers ? 0 : t->hops[i].sent;
	return sent;
}

static void fill(const struct trace *t, const struct observation *o, struct reach *r)
{
	unsigned end = trace_end(t);

	r->measured = true;
	r->observation = t->observation;
	r->to = t->to;
	r->last = trace_last_router(t);
	if (r->last)
		r->router = t->hops[r->last - 1].from;
	r->beyond = count_beyond(t, r->last);
	r->gapless = is_gapless(t, r->last);
	r->whole = o->state == OBSERVATION_ANSWERED || o->state == OBSERVATION_SILENT;
	if (!end)
		return;
	r->target = hop_is_target(t, &t->hops[end - 1]) ? end : 0;
	r->reached = r->target ? TRI_YES : TRI_NO;
	r->type = t->hops[end - 1].type;
	r->code = t->hops[end - 1].code;
}

/* A server's host has answered by ICMP, if only that a port of its is closed. */
static bool is_passing(const struct view *v)
{
	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (o->family == v->family && o->transport == v->transport && o->icmp.count &&
			!o->icmp.local && endpoint_same_address(&o->icmp.offender, &o->to))
			return true;
	}
	return false;
}

void judge_reach(const struct view *v, struct behaviour *b)
{
	struct reach *r = &b->reach;

	for (size_t i = 0; i < v->journal->trace_count; i++) {
		const struct trace *t = &v->journal->traces[i];
		const struct observation *o = &v->journal->observations[t->observation];

		if (o->family == v->family && o->transport == v->transport)
			fill(t, o, r);
	}
	/* not of one's own router alone: behind a NAT, errors from further away need not get in */
	r->lost = r->reached == TRI_UNKNOWN && r->whole && r->gapless && r->last > 1 &&
		r->beyond >= BEYOND_MIN && !is_passing(v);
}

void reach_text(
	const struct reach *r, bool towards, const struct endpoint *named, char *out, size_t size)
{
	const struct endpoint *end = r->reached == TRI_YES ? &r->to : &r->router;
	char text[ENDPOINT_TEXT], to[ENDPOINT_TEXT];

	*out = '\0';
	if (!r->measured)
		return;
	endpoint_format_address(end, text);
	endpoint_format_address(&r->to, to);
	if (r->reached != TRI_UNKNOWN && named && endpoint_same_address(named, end))
		snprintf(out, size, "; that is hop %u", r->target ? r->target : r->last);
	else if (r->reached == TRI_YES)
		snprintf(out, size, "; packets reach the host %s (hop %u)", text, r->target);
	else if (r->reached == TRI_NO)
		snprintf(out, size,
			"; %s (hop %u) says that it goes no further: ICMP type %u code %u", text,
			r->last, r->type, r->code);
	else if (r->last)
		snprintf(out, size, "; %s%s (hop %u), the last router that answers%s%s",
			r->lost ? "likely lost or dropped at or behind " : "packets get as far as ",
			text, r->last, towards ? " towards " : "", towards ? to : "");
}
