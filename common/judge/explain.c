// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "judge/explain.h"

static void add(struct explain_list *l, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct explain_list *l, const char *format, ...)
{
	va_list args;

	if (l->count == EXPLAIN_MAX)
		return;
	va_start(args, format);
	vsnprintf(l->text[l->count++], EXPLAIN_TEXT, format, args);
	va_end(args);
}

/* --- the sides --- */

static const char *reaction_text(enum early_packet e)
{
	switch (e) {
	case EARLY_REMAP:
		return ", a packet of the peer that comes too early costs the port";
	case EARLY_REJECT:
		return ", a packet of the peer that comes too early is answered with an error";
	default:
		return "";
	}
}

void explain_side(const struct pair_side *s, char *out, size_t size)
{
	int n;

	if (s->status != PATH_OK) {
		snprintf(out, size, "UDP %s", path_status_name(s->status));
		return;
	}
	if (s->nat == TRI_NO)
		n = snprintf(out, size, "no NAT, %s filtering", dependence_name(s->filtering));
	else
		n = snprintf(out, size, "NAT with %s mapping, %s filtering, %s ports",
			dependence_name(s->mapping), dependence_name(s->filtering),
			allocation_name(s->allocation));
	if (n > 0 && (size_t)n < size)
		snprintf(out + n, size - (size_t)n, "%s", reaction_text(s->early));
}

static void add_side(struct explanation *e, const char *whose, const struct pair_side *s)
{
	char text[EXPLAIN_TEXT - 32];

	explain_side(s, text, sizeof(text));
	add(&e->certain, "%s side: %s", whose, text);
}

/* --- what was tried --- */

struct tally {
	unsigned attempts, sent, received;
};

static struct tally add_attempts(struct explanation *e, const struct trail *t)
{
	struct tally sum = {0};

	for (unsigned i = 0; t && i <= t->attempt && *t->attempts[i].strategy; i++) {
		const struct trail_attempt *a = &t->attempts[i];

		add(&e->certain, "attempt %u, %s: %u packets to the peer, %u of its arrived%s",
			i + 1, a->strategy, a->sent, a->received,
			a->received ? ", but nothing that proves both directions" : "");
		sum.attempts++;
		sum.sent += a->sent;
		sum.received += a->received;
	}
	return sum;
}

static const char *icmp_text(enum family family, uint8_t type, uint8_t code)
{
	if (family == FAMILY_IPV6)
		return type == 1 && code == 4	 ? "port unreachable"
			: type == 1 && code == 1 ? "prohibited by a firewall"
			: type == 3		 ? "time exceeded"
			: type == 2		 ? "packet too big"
						 : "unreachable";
	if (type == 11)
		return "time exceeded";
	return code == 3				? "port unreachable"
		: code == 9 || code == 10 || code == 13 ? "prohibited by a firewall"
		: code == 4				? "packet too big"
							: "unreachable";
}

/* Packets of ours that are meant to end on the way are no news. */
static bool is_time_exceeded(const struct trail_error *e)
{
	return e->offender.family == FAMILY_IPV6 ? e->type == 3 : e->type == 11;
}

static void add_errors(struct explanation *e, const struct trail *t)
{
	for (size_t i = 0; t && i < t->error_count; i++) {
		const struct trail_error *x = &t->errors[i];
		char from[ENDPOINT_TEXT], to[ENDPOINT_TEXT];

		if (is_time_exceeded(x))
			continue;
		add(&e->certain, "%s sent ICMP type %u code %u (%s), %u times, for packets to %s",
			endpoint_format_address(&x->offender, from), x->type, x->code,
			icmp_text(x->offender.family, x->type, x->code), x->count,
			endpoint_format(&x->to, to));
	}
}

static void add_said(struct explanation *e, const struct explain_peer *p)
{
	char from[ENDPOINT_TEXT];

	if (!p->said)
		return;
	add(&e->certain, "the peer says of its last attempt: %u packets sent, %u of ours arrived",
		p->sent, p->received);
	if (p->offender.family != FAMILY_NONE)
		add(&e->certain,
			"the peer got ICMP type %u code %u (%s) from %s, with others %u errors",
			p->type, p->code, icmp_text(p->offender.family, p->type, p->code),
			endpoint_format_address(&p->offender, from), p->errors);
}

/* --- what follows --- */

static bool is_hard(const struct pair_side *s)
{
	return s->nat != TRI_NO && s->mapping > DEPENDENCE_ENDPOINT_INDEPENDENT;
}

static void judge_direction(
	struct explanation *e, const struct explain_facts *f, const struct tally *sum)
{
	bool ours_arrive = f->said.said && f->said.received, theirs_arrive = sum->received;

	if (!sum->attempts)
		return;
	if (ours_arrive && !theirs_arrive)
		add(&e->likely,
			"our packets reach the peer and its do not reach us: a NAT or firewall on "
			"this side keeps them back");
	else if (theirs_arrive && !ours_arrive && f->said.said)
		add(&e->likely,
			"the peer's packets reach us and ours do not reach it: a NAT or firewall "
			"on "
			"the other side keeps them back");
	else if (!theirs_arrive && is_hard(f->own) && is_hard(f->peer))
		add(&e->likely,
			"neither side can know the other's port: both NATs choose a new one for "
			"each "
			"peer");
	else if (!theirs_arrive && f->own->mapping == DEPENDENCE_UNKNOWN)
		add(&e->likely,
			"the own NAT could not be measured well enough to choose the right way");
	else if (!theirs_arrive && f->peer->mapping == DEPENDENCE_UNKNOWN)
		add(&e->likely,
			"the peer's NAT could not be measured well enough to choose the right way");
	else if (!theirs_arrive)
		add(&e->likely,
			"a firewall that the measurement does not show keeps back what is not sent "
			"to "
			"the server, or a NAT behaved differently than it did when it was "
			"measured");
}

static void advise_budget(struct explanation *e, const struct explain_facts *f)
{
	double missed = 1;

	for (size_t i = 0; i < f->advice->count; i++)
		missed *= 1 - f->advice->plans[i].chance;
	if (f->advice->count && missed < 0.7 && missed > 0.005)
		add(&e->try_next,
			"once more: the plans succeed in %u of 100 runs, and this was one of the "
			"others",
			(unsigned)((1 - missed) * 100 + 0.5));
	if (is_hard(f->own) || is_hard(f->peer))
		add(&e->try_next,
			"more packets and sockets on both sides, if the routers can bear it: "
			"--packets, "
			"--sockets");
}

static void advise(struct explanation *e, const struct explain_facts *f)
{
	bool blocked = f->own->status != PATH_OK || f->peer->status != PATH_OK;

	if (f->other_family_possible)
		add(&e->try_next, "IPv%c: both sides have addresses",
			f->family == FAMILY_IPV4 ? '6' : '4');
	else if (f->family == FAMILY_IPV4)
		add(&e->try_next,
			"IPv6 on both sides: where there is no NAT only firewalls have to be "
			"passed");
	if (!blocked)
		advise_budget(e, f);
	if (!blocked && (is_hard(f->own) || is_hard(f->peer)))
		add(&e->try_next,
			"another network on the side whose NAT depends on the destination (a phone "
			"as "
			"router, another carrier)");
	if (f->own->nat != TRI_NO || f->peer->nat != TRI_NO)
		add(&e->try_next,
			"a UDP port forwarded in the router of one side, which gives it with "
			"--bind");
	add(&e->try_next,
		"a relay (TURN), which costs a detour and always works while UDP or TCP passes at "
		"all");
}

void explain_failure(const struct explain_facts *f, struct explanation *e)
{
	struct tally sum;

	memset(e, 0, sizeof(*e));
	add_side(e, "own", f->own);
	add_side(e, "peer's", f->peer);
	sum = add_attempts(e, f->trail);
	add_errors(e, f->trail);
	add_said(e, &f->said);
	if (!f->advice->count && *f->advice->why_not)
		add(&e->likely, "%s", f->advice->why_not);
	judge_direction(e, f, &sum);
	advise(e, f);
}
