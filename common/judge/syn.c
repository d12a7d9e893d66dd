// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "judge/private.h"

/*
 * What becomes of SYNs on the way. Of this host's SYNs its own system knows what they had, and the server what
 * arrived; of the server's it is the other way round. That is a statement of fact about each connection; what the
 * connections say differently is not known.
 */

#define TIMESTAMPS_BYTES 12 /* of a segment, when they were agreed on */
#define FRAGMENT_BYTES	 8
#define IPV4_HEADERS	 40 /* with TCP */
#define IPV6_HEADERS	 60

#define NO_SYNS		 "no server that tells how SYNs arrive (natprobed) could be used"

/* A connection of this host whose server knows something of its SYN. */
static bool is_told(const struct view *v, const struct observation *o)
{
	return was_answered(o) && o->answer.has_syn && o->handshake.told &&
		o->question != QUESTION_HAIRPIN && server_in_view(v, o->server);
}

static const char *why_not(const struct behaviour *b, const char *why)
{
	return b->external_count ? why : no_answer(b);
}

/* --- the MSS --- */

/* Where a SYN has none the other side assumes the least (RFC 9293 3.7.1). */
static uint16_t mss_of(const struct syn_options *o, enum family family)
{
	return o->has & SYN_MSS ? o->mss : family == FAMILY_IPV4 ? 536 : 1220;
}

static struct mss_way outward(const struct observation *o)
{
	const struct handshake *h = &o->handshake;
	const struct stun_syn *syn = &o->answer.syn;
	struct mss_way way = {.sent = 0};

	if (h->known & SYN_MSS && h->sent.has & SYN_MSS)
		way.sent = h->sent.mss;
	if (syn->parts & STUN_SYN_ARRIVED)
		way.arrived = mss_of(&syn->arrived.options, o->family);
	if (way.sent && way.arrived)
		way.clamped = way.arrived < way.sent ? TRI_YES : TRI_NO;
	return way;
}

/*
 * The MSS that came with the server's SYN shows in the size of the segments that Linux sends (tcp_sync_mss). They are
 * smaller than it where the path MTU is; and where half the other side's window is (tcp_bound_to_half_wnd), or when it
 * looks for the path MTU by itself, of which neither says anything about the MSS.
 */
static struct mss_way inward(const struct observation *o)
{
	const struct handshake *h = &o->handshake;
	const struct stun_syn *syn = &o->answer.syn;
	unsigned headers = o->family == FAMILY_IPV4 ? IPV4_HEADERS : IPV6_HEADERS;
	unsigned room = h->path_mtu > headers ? h->path_mtu - headers : 0;
	unsigned segment = h->segment_bytes + (h->agreed & SYN_TIMESTAMPS ? TIMESTAMPS_BYTES : 0u);
	bool bounded = h->probes_mtu || h->segment_bytes >= h->window / 2;
	struct mss_way way = {.sent = 0};

	if (syn->parts & STUN_SYN_ANSWERED && syn->answered.has & SYN_MSS)
		way.sent = syn->answered.mss;
	if (!h->segment_bytes || segment > room)
		return way;
	if (!bounded)
		way.arrived = (uint16_t)segment;
	/* older systems leave room for a fragment header where somebody has asked for it (RFC 2460 5) */
	bounded |=
		segment == room || (o->family == FAMILY_IPV6 && segment + FRAGMENT_BYTES == room);
	if (way.sent && segment >= way.sent)
		way.clamped = TRI_NO;
	else if (way.sent && !bounded)
		way.clamped = TRI_YES;
	return way;
}

/* What all connections say of one direction; false: they contradict each other. */
static bool sum_mss(const struct view *v, struct mss_way (*measure)(const struct observation *o),
	struct mss_way *out, struct basis *basis)
{
	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];
		struct mss_way way;

		if (!is_told(v, o))
			continue;
		basis_add(basis, v->journal, o);
		way = measure(o);
		if (way.clamped && out->clamped && way.clamped != out->clamped) {
			out->clamped = TRI_UNKNOWN;
			return false;
		}
		if (!out->clamped && (way.clamped || (!out->sent && !out->arrived)))
			*out = way;
	}
	return true;
}

static void judge_mss(const struct view *v, struct behaviour *b)
{
	struct mss_way *out = &b->mss_outward, *in = &b->mss_inward;
	struct basis *basis = &b->mss_basis;
	bool agree = sum_mss(v, outward, out, basis);

	agree &= sum_mss(v, inward, in, basis);
	if (out->clamped == TRI_YES || in->clamped == TRI_YES)
		b->mss_clamping = TRI_YES;
	else if (out->clamped == TRI_NO && in->clamped == TRI_NO)
		b->mss_clamping = TRI_NO;
	else if (!basis->evidence_count)
		basis_text(basis, "%s", why_not(b, NO_SYNS));
	else if (!agree)
		basis_text(basis, "some SYNs arrive with a smaller MSS than others");
	else if (!out->clamped)
		basis_text(basis, "%s",
			out->arrived ? "what this host has sent is not known"
				     : "the server's system has not kept this host's SYNs");
	else
		basis_text(basis, "this host's SYNs arrive as they left; %s",
			in->sent ? "how the server's arrive does not show, since segments are "
				   "smaller here anyway"
				 : "what the server has sent is not known");
}

/* --- options --- */

static enum tri removed_outward(const struct observation *o, uint8_t option)
{
	const struct handshake *h = &o->handshake;
	const struct stun_syn *syn = &o->answer.syn;

	if (!(syn->parts & STUN_SYN_ARRIVED))
		return TRI_UNKNOWN;
	if (syn->arrived.options.has & option)
		return TRI_NO;
	if (!(h->known & option))
		return TRI_UNKNOWN;
	return h->sent.has & option ? TRI_YES : TRI_NO;
}

/* What this system would take, it offers itself. That of the MSS does not show. */
static enum tri removed_inward(const struct observation *o, uint8_t option)
{
	const struct handshake *h = &o->handshake;
	const struct stun_syn *syn = &o->answer.syn;
	uint8_t offered = h->known & h->sent.has;

	if (option == SYN_MSS || h->agreed & option)
		return TRI_NO;
	if (!(syn->parts & STUN_SYN_ANSWERED))
		return TRI_UNKNOWN;
	if (!(syn->answered.has & option))
		return TRI_NO;
	if (syn->parts & STUN_SYN_ARRIVED)
		offered |= syn->arrived.options.has;
	if (offered & option)
		return TRI_YES;
	return h->known & option ? TRI_NO : TRI_UNKNOWN;
}

/* What all connections say of one option in one direction; false: they contradict each other. */
static bool sum_option(const struct view *v,
	enum tri (*measure)(const struct observation *o, uint8_t option), uint8_t option,
	enum tri *out)
{
	*out = TRI_UNKNOWN;
	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];
		enum tri removed = is_told(v, o) ? measure(o, option) : TRI_UNKNOWN;

		if (removed && *out && removed != *out) {
			*out = TRI_UNKNOWN;
			return false;
		}
		if (removed)
			*out = removed;
	}
	return true;
}

static void judge_options(const struct view *v, struct behaviour *b)
{
	static const uint8_t options[] = {SYN_TIMESTAMPS, SYN_SACK, SYN_SCALE, SYN_MSS};
	struct basis *basis = &b->options_basis;
	bool agree = true;

	*basis = b->mss_basis;
	*basis->text = '\0';
	b->options_known = basis->evidence_count > 0;
	for (size_t i = 0; i < sizeof(options); i++) {
		enum tri out, in;

		agree &= sum_option(v, removed_outward, options[i], &out);
		agree &= sum_option(v, removed_inward, options[i], &in);
		b->removed_outward |= out == TRI_YES ? options[i] : 0;
		b->removed_inward |= in == TRI_YES ? options[i] : 0;
		if (out != TRI_YES && in != TRI_YES && (!out || !in))
			b->options_known = false;
	}
	if (b->options_known)
		return;
	b->removed_outward = b->removed_inward = 0;
	if (!basis->evidence_count)
		basis_text(basis, "%s", why_not(b, NO_SYNS));
	else
		basis_text(basis, "%s",
			agree ? "not all is known of what was sent and of what arrived"
			      : "some SYNs arrive with options that others lack");
}

/* --- hops --- */

struct hop_count {
	unsigned count; /* SYNs that tell of it */
	int hops; /* of the first one */
	uint8_t sent, arrived; /* the TTL of the first one */
	bool same_hops, same_sent, same_arrived; /* all others are as that one */
};

/* Whether the SYN went to the address, and what was taken off its TTL is known. */
static bool count_hops(
	const struct observation *o, const struct endpoint *address, struct hop_count *c)
{
	uint8_t sent = o->handshake.ttl, arrived = o->answer.syn.arrived.ttl;

	if (!sent || !(o->answer.syn.parts & STUN_SYN_ARRIVED) ||
		!endpoint_same_address(&o->to, address))
		return false;
	if (!c->count++)
		*c = (struct hop_count){1, sent - arrived, sent, arrived, true, true, true};
	c->same_hops &= sent - arrived == c->hops;
	c->same_sent &= sent == c->sent;
	c->same_arrived &= arrived == c->arrived;
	return true;
}

/* basis: where the connections are added that tell it; or NULL. */
static struct hop_count count_all_hops(
	const struct view *v, size_t server, const struct endpoint *address, struct basis *basis)
{
	struct hop_count c = {.count = 0};

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (o->server == server && is_told(v, o) && count_hops(o, address, &c) && basis)
			basis_add(basis, v->journal, o);
	}
	return c;
}

/* Towards one server; NULL, or why it is not known. */
static const char *judge_server_hops(
	const struct view *v, size_t server, int *hops, struct basis *basis)
{
	struct hop_count c =
		count_all_hops(v, server, &v->journal->servers[server].endpoint, basis);

	*hops = c.hops;
	if (!c.count)
		return "the server's system has not kept this host's SYNs";
	if (c.same_sent)
		return "all SYNs had the same TTL, and something may have set another one";
	if (c.same_arrived)
		return "something on the way gives all SYNs the same TTL";
	if (!c.same_hops)
		return "SYNs have taken ways of different lengths";
	return c.hops < 0 ? "something on the way raises the TTL" : NULL;
}

static void judge_hops(const struct view *v, struct behaviour *b)
{
	const char *why = why_not(b, NO_SYNS);

	b->hops_basis = b->options_basis;
	*b->hops_basis.text = '\0';
	for (size_t i = 0; i < v->journal->server_count; i++) {
		const char *why_here;
		bool told = false;
		int hops;

		for (size_t k = 0; k < v->journal->observation_count; k++)
			told |= v->journal->observations[k].server == i &&
				is_told(v, &v->journal->observations[k]);
		if (!told)
			continue;
		why_here = judge_server_hops(v, i, &hops, NULL);
		if (why_here) {
			why = why_here;
		} else if (!b->hops_known || (unsigned)hops < b->hops) {
			b->hops_known = true;
			b->hops = (unsigned)hops;
		}
	}
	if (!b->hops_known)
		basis_text(&b->hops_basis, "%s", why);
}

/* That nothing sets the TTL has been seen of the server's first address; all SYNs to the other one have the same. */
bool syn_hops(const struct view *v, size_t server, const struct endpoint *address, unsigned *hops,
	struct basis *basis)
{
	int first_hops;
	struct hop_count c;

	if (judge_server_hops(v, server, &first_hops, basis))
		return false;
	c = count_all_hops(v, server, address, basis);
	*hops = (unsigned)c.hops;
	return c.count && c.same_hops && c.hops >= 0;
}

void judge_syn(const struct view *v, struct behaviour *b)
{
	judge_mss(v, b);
	judge_options(v, b);
	judge_hops(v, b);
}
