// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "judge/private.h"

/*
 * Who answers a SYN that nobody has asked for (RFC 5382 REQ-4). A RST bears the endpoint that was called, whoever sends
 * it; but it comes from as many hops away as its TTL has lost, and this host's own SYNs tell how many hops away this
 * host is. While the server called, a socket of this host listened: of itself its system would not have refused.
 */

struct origin {
	enum rejecter who;
	bool measured; /* else `why` is only that nothing is known */
	int hops_before; /* this host; REJECTER_HOPS_UNKNOWN */
	const char *why; /* it is unknown who it was */
};

/* Routers that a packet has passed; systems begin with one of these. */
static int hops_of(uint8_t ttl)
{
	return (ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255) - ttl;
}

static struct origin origin_unknown(bool measured, const char *why)
{
	return (struct origin){REJECTER_UNKNOWN, measured, REJECTER_HOPS_UNKNOWN, why};
}

/* An error bears its sender's address, of which a NAT may have several; that of this host may be forged. */
static struct origin origin_of_icmp(const struct behaviour *b, const struct endpoint *sender)
{
	for (size_t i = 0; i < b->external_count; i++)
		if (endpoint_same_address(sender, &b->external[i]))
			return origin_unknown(
				false, "an ICMP error came from the address that was called");
	if (b->nat == TRI_NO)
		return (struct origin){REJECTER_PATH, true, REJECTER_HOPS_UNKNOWN, NULL};
	return origin_unknown(
		false, "an ICMP error came from an address that may be the NAT's or a router's");
}

static struct origin origin_of_reset(const struct view *v, const struct behaviour *b,
	const struct observation *o, struct basis *basis)
{
	unsigned distance;
	int before;

	if (!o->call.ttl)
		return origin_unknown(
			false, "the server does not know with which TTL the answer came");
	if (!syn_hops(v, o->server, &o->expect, &distance, basis))
		return origin_unknown(
			false, "how many hops this host is away from the server is not known");
	before = (int)distance - hops_of(o->call.ttl);
	if (before < 0)
		return origin_unknown(
			true, "by its TTL the answer came from farther away than this host");
	if (!before)
		return (struct origin){REJECTER_HOST, true, 0, NULL};
	/* the first router: what stands nearer to the server than the NAT is farther away than that */
	return (struct origin){b->nat == TRI_YES && before == 1 ? REJECTER_NAT : REJECTER_PATH,
		true, before, NULL};
}

static void merge(struct origin *all, const struct origin *one)
{
	if (!all->measured) {
		if (one->measured || !all->why)
			*all = *one;
	} else if (one->measured &&
		(one->who != all->who || one->hops_before != all->hops_before)) {
		*all = origin_unknown(true, "calls were answered from different distances");
	}
}

static void judge_server_calls(
	const struct view *v, struct behaviour *b, size_t server, struct origin *all)
{
	struct battery battery;

	battery_find(v->journal, server, &battery);
	for (int i = 0; i < BATTERY_TARGETS; i++) {
		const struct observation *o = battery.filtering[i];
		struct origin one;

		if (!o || !call_refused_afar(o, v->servers[server].rtt_us))
			continue;
		basis_add(&b->rejecter_basis, v->journal, o);
		one = o->reported_count ? origin_of_icmp(b, &o->reported[0].offender)
					: origin_of_reset(v, b, o, &b->rejecter_basis);
		merge(all, &one);
	}
}

void judge_rejecter(const struct view *v, struct behaviour *b)
{
	struct origin all = {.hops_before = REJECTER_HOPS_UNKNOWN};

	b->rejecter_hops = REJECTER_HOPS_UNKNOWN;
	if (b->early != EARLY_REJECT)
		return;
	for (size_t i = 0; i < v->journal->server_count; i++)
		if (server_in_view(v, i))
			judge_server_calls(v, b, i, &all);
	b->rejecter = all.who;
	b->rejecter_hops = all.hops_before;
	if (!all.who && all.why)
		basis_text(&b->rejecter_basis, "%s", all.why);
}
