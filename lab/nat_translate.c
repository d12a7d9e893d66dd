// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "lab/nat_private.h"

/* UDP, TCP and ICMP echo through their sessions. */

static bool is_echo_request(const struct packet *p)
{
	return p->protocol == PACKET_ECHO && !p->echo_reply;
}

/* What a packet does to a session that is there already; false: it ends it, and belongs to none. */
static bool take(
	struct nat_work *w, uint32_t session, bool outward, bool *ends, enum nat_reason *reason)
{
	enum nat_verdict verdict = NAT_TAKE;

	if (!outward)
		nat_renumber_inward(w->nat, session, &w->packet, false);
	if (w->transport == NAT_TCP)
		verdict = nat_tcp_take(w->nat, session, &w->packet, outward);
	if (!outward && verdict == NAT_INVALID) /* who is answered knows the other numbers */
		nat_renumber_inward(w->nat, session, &w->packet, true);
	*reason = verdict == NAT_INVALID ? NAT_DROP_SEQUENCE : NAT_FORWARDED;
	*ends = verdict == NAT_TAKE_AND_END;
	if (verdict == NAT_TAKE)
		nat_session_touch(w->nat, session, outward);
	else if (verdict == NAT_TAKE_ANEW)
		nat_session_close(w->nat, session);
	return verdict != NAT_TAKE_ANEW;
}

/* It counts for the session even if it does not get any further. */
static enum nat_reason go_on(struct nat_work *w, uint32_t session, bool ends)
{
	if (!nat_is_last_hop(w))
		return NAT_FORWARDED;
	if (ends)
		nat_session_close(w->nat, session);
	return NAT_DROP_TTL;
}

static enum nat_reason go_on_outward(struct nat_work *w, uint32_t session, bool ends)
{
	enum nat_reason reason = go_on(w, session, ends);

	if (reason == NAT_FORWARDED)
		nat_renumber_outward(w->nat, session, &w->packet);
	return reason;
}

/* An echo reply needs a request from outside, which there can be without a session of its own. */
static bool may_reply(const struct nat_work *w, uint32_t session)
{
	return !w->packet.echo_reply || session_at(w->nat, session)->from_outside ||
		w->nat->config.echo_inward || behaviour_of(w->nat, NAT_ICMP)->unfiltered;
}

static enum nat_reason start(struct nat_work *w, uint32_t session)
{
	if (w->transport != NAT_TCP || !nat_tcp_start(w->nat, session, &w->packet))
		return NAT_FORWARDED;
	nat_session_close(w->nat, session);
	return NAT_DROP_TABLE_FULL;
}

enum nat_reason nat_session_outward(struct nat_work *w, const struct nat_point *inside,
	const struct nat_point *remote, uint32_t *session, bool *ends)
{
	struct nat *nat = w->nat;
	enum nat_reason reason;

	*ends = false;
	*session = nat_find_inside(nat, inside, remote);
	if (!*session)
		*session = nat_find_hidden(nat, inside, remote);
	if (*session && !may_reply(w, *session))
		return NAT_DROP_NO_MAPPING;
	if (*session && take(w, *session, true, ends, &reason))
		return reason == NAT_FORWARDED ? go_on_outward(w, *session, *ends) : reason;
	if (nat_is_last_hop(w)) /* it opens nothing */
		return NAT_DROP_TTL;
	if (w->transport == NAT_TCP && !nat_tcp_opens(nat, &w->packet, true))
		return NAT_DROP_SEQUENCE;
	if (w->packet.echo_reply)
		return NAT_DROP_NO_MAPPING;
	reason = nat_open_outward(nat, inside, remote, session);
	if (reason != NAT_FORWARDED)
		return reason;
	nat_late_forget(nat, &session_at(nat, *session)->external, remote);
	reason = start(w, *session);
	if (reason == NAT_FORWARDED)
		nat_renumber_outward(nat, *session, &w->packet);
	return reason;
}

enum nat_reason nat_session_inward(struct nat_work *w, const struct nat_point *external,
	const struct nat_point *remote, uint32_t *session, bool *ends)
{
	struct nat *nat = w->nat;
	bool unfiltered = behaviour_of(nat, w->transport)->unfiltered, exists = false;
	enum nat_reason reason;
	uint32_t mapping = 0;

	*ends = false;
	*session = nat_find_external(nat, external, remote);
	if (*session && session_at(nat, *session)->kind != NAT_SESSION_PEER)
		return NAT_DROP_NO_MAPPING;
	if (is_echo_request(&w->packet) && !nat->config.echo_inward && !unfiltered)
		return NAT_DROP_NO_MAPPING;
	if (!*session)
		mapping = nat_find_permitted(nat, external, remote, &exists);
	if (!*session && !mapping && !unfiltered)
		return exists ? NAT_DROP_FILTERED : NAT_DROP_NO_MAPPING;
	if (*session && take(w, *session, false, ends, &reason))
		return reason == NAT_FORWARDED ? go_on(w, *session, *ends) : reason;
	if (nat_is_last_hop(w))
		return NAT_DROP_TTL;
	if (*session) /* which is over: once more, for a filter that lets it in or not */
		return nat_session_inward(w, external, remote, session, ends);
	if (w->transport == NAT_TCP && !nat_tcp_opens(nat, &w->packet, false))
		return NAT_DROP_SEQUENCE;
	reason = mapping ? nat_open_inward(nat, mapping, remote, session)
			 : nat_open_unfiltered(nat, external, remote, session);
	return reason == NAT_FORWARDED ? start(w, *session) : reason;
}

enum nat_reason nat_route(struct nat_work *w)
{
	if (nat_is_last_hop(w))
		return NAT_DROP_TTL;
	return nat_send(w, w->side == NAT_INSIDE ? NAT_OUTSIDE : NAT_INSIDE, NAT_FORWARDED);
}

enum nat_reason nat_forward_untracked(struct nat_work *w, enum nat_reason otherwise)
{
	if (!w->nat->config.errors.untracked_outward)
		return otherwise;
	return nat_route(w);
}

/* What a packet that got no session comes to. */
static enum nat_reason give_up_outward(struct nat_work *w, enum nat_reason reason)
{
	switch (reason) {
	case NAT_DROP_SEQUENCE:
	case NAT_DROP_NO_MAPPING:
		return nat_forward_untracked(w, reason);
	default:
		nat_answer_limit(w, reason);
		return reason;
	}
}

static enum nat_reason go_outward(struct nat_work *w)
{
	struct nat *nat = w->nat;
	struct nat_point inside = nat_point_of(&w->packet.source, w->transport);
	struct nat_point remote = nat_remote_of(&w->packet.destination, w->transport);
	struct nat_point external;
	struct endpoint from;
	enum nat_reason reason;
	uint32_t session;
	bool ends;

	reason = nat_session_outward(w, &inside, &remote, &session, &ends);
	if (reason != NAT_FORWARDED)
		return give_up_outward(w, reason);
	external = session_at(nat, session)->external;
	if (ends)
		nat_session_close(nat, session);
	if (!nat_point_equal(&external, &inside)) {
		from = nat_endpoint_of(&external);
		packet_set_source(&w->packet, &from);
		nat_alg_replace(w, &inside, &external);
	}
	return nat_send(w, NAT_OUTSIDE, NAT_FORWARDED);
}

static bool has_external(const struct nat *nat, enum family family)
{
	for (size_t i = 0; i < nat->config.external_count; i++)
		if (nat->config.external[i].family == family)
			return true;
	return false;
}

static enum nat_reason from_inside(struct nat_work *w)
{
	const struct nat_behaviour *b = behaviour_of(w->nat, w->transport);
	const struct endpoint *to = &w->packet.destination;
	bool translated = nat_translation_of(w->nat, w->packet.family) != NAT_NONE;
	bool external = nat_external_number(w->nat, to) >= 0;

	if (nat_is_own(w->nat, to) && !(external && translated)) {
		nat_answer_as_host(w);
		return NAT_DROP_ACCEPTED;
	}
	if (b->blocked) {
		if (b->blocked_icmp_code)
			nat_answer_unreachable(w, b->blocked_icmp_code);
		return NAT_DROP_BLOCKED;
	}
	if (nat_is_router(w->nat, w->packet.family, w->transport))
		return nat_route(w);
	if (translated && !has_external(w->nat, w->packet.family))
		return NAT_DROP_ADDRESS;
	return external ? nat_hairpin(w) : go_outward(w);
}

static bool is_blacklisted(const struct nat_work *w, const struct nat_point *remote)
{
	struct nat_point none = {.family = remote->family, .transport = remote->transport};

	return behaviour_of(w->nat, w->transport)->unsolicited == NAT_BLACKLIST &&
		nat_find_external(w->nat, &none, remote);
}

static enum nat_reason come_inward(
	struct nat_work *w, const struct nat_point *external, const struct nat_point *remote)
{
	struct nat *nat = w->nat;
	struct nat_point inside;
	struct endpoint to;
	enum nat_reason reason;
	uint32_t session;
	bool ends;

	reason = nat_session_inward(w, external, remote, &session, &ends);
	if (reason == NAT_DROP_NO_MAPPING || reason == NAT_DROP_FILTERED ||
		reason == NAT_DROP_SEQUENCE)
		return nat_unsolicited(w, reason);
	if (reason != NAT_FORWARDED)
		return reason;
	inside = mapping_at(nat, session_at(nat, session)->mapping)->inside;
	if (ends)
		nat_session_close(nat, session);
	if (!nat_point_equal(external, &inside)) {
		to = nat_endpoint_of(&inside);
		packet_set_destination(&w->packet, &to);
		nat_alg_replace(w, external, &inside);
	}
	return nat_send(w, NAT_INSIDE, NAT_FORWARDED);
}

static enum nat_reason from_outside(struct nat_work *w)
{
	struct nat_point external = nat_point_of(&w->packet.destination, w->transport);
	struct nat_point remote = nat_remote_of(&w->packet.source, w->transport);
	bool translated = nat_translation_of(w->nat, w->packet.family) != NAT_NONE;

	if (translated && nat_external_number(w->nat, &w->packet.destination) < 0)
		return NAT_DROP_ADDRESS;
	if (nat_is_router(w->nat, w->packet.family, w->transport) &&
		!nat_is_own(w->nat, &w->packet.destination))
		return nat_route(w);
	if (is_blacklisted(w, &remote))
		return NAT_DROP_BLACKLISTED;
	return come_inward(w, &external, &remote);
}

enum nat_reason nat_translate(struct nat_work *w)
{
	/* port 0 cannot be mapped; to a router it is nothing special (RFC 768: no port) */
	if (w->transport != NAT_ICMP && (!w->packet.source.port || !w->packet.destination.port) &&
		!nat_is_router(w->nat, w->packet.family, w->transport))
		return NAT_DROP_MALFORMED;
	return w->side == NAT_INSIDE ? from_inside(w) : from_outside(w);
}
