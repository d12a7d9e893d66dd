// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "lab/nat_private.h"

/*
 * From one inside host to an external endpoint of another one (RFC 4787 6): out by the mapping of the one,
 * which opens its filter, and in by the mapping of the other, whose filter sees the external endpoint
 * of the first.
 */

struct hairpin {
	struct nat_point inside, external; /* of the sender */
	struct nat_point peer_inside, peer_external;
};

static enum nat_reason find_peer(struct nat_work *w, struct hairpin *h)
{
	struct nat *nat = w->nat;
	struct nat_point remote = h->external;
	enum nat_reason reason;
	uint32_t session;
	bool ends;

	if (w->transport == NAT_ICMP) { /* an echo has one identifier, and it is mapped by now */
		h->peer_external.port = h->external.port;
		remote.port = 0;
	}
	reason = nat_session_inward(w, &h->peer_external, &remote, &session, &ends);
	if (reason != NAT_FORWARDED)
		return reason;
	h->peer_inside = mapping_at(nat, session_at(nat, session)->mapping)->inside;
	if (ends)
		nat_session_close(nat, session);
	return NAT_FORWARDED;
}

static enum nat_reason find_both(struct nat_work *w, struct hairpin *h)
{
	struct nat *nat = w->nat;
	struct nat_point remote = nat_remote_of(&w->packet.destination, w->transport);
	enum nat_reason reason;
	uint32_t session;
	bool ends;

	h->inside = nat_point_of(&w->packet.source, w->transport);
	h->peer_external = nat_point_of(&w->packet.destination, w->transport);
	reason = nat_session_outward(w, &h->inside, &remote, &session, &ends);
	if (reason != NAT_FORWARDED)
		return reason;
	h->external = session_at(nat, session)->external;
	nat->pinned[0] = session;
	reason = find_peer(w, h);
	nat->pinned[0] = 0;
	/* a session with itself may have ended in there */
	if (ends && nat_find_inside(nat, &h->inside, &remote) == session)
		nat_session_close(nat, session);
	return reason;
}

static void translate(struct nat_work *w, const struct hairpin *h)
{
	struct endpoint from = nat_endpoint_of(&h->external);
	struct endpoint to = nat_endpoint_of(&h->peer_inside);

	if (behaviour_of(w->nat, w->transport)->hairpin == NAT_HAIRPIN_EXTERNAL) {
		packet_set_source(&w->packet, &from);
		nat_alg_replace(w, &h->inside, &h->external);
	}
	packet_set_destination(&w->packet, &to);
	nat_alg_replace(w, &h->peer_external, &h->peer_inside);
}

/* Who pings an external address of the box from inside gets the answer from the box itself. */
static bool is_for_the_box(const struct nat_work *w)
{
	if (w->packet.protocol != PACKET_ECHO || w->packet.echo_reply)
		return false;
	return nat_translation_of(w->nat, w->packet.family) == NAT_PORTS;
}

bool nat_may_hairpin(const struct nat *nat, enum nat_transport transport)
{
	enum nat_hairpin kind = behaviour_of(nat, transport)->hairpin;

	return kind == NAT_HAIRPIN_EXTERNAL || kind == NAT_HAIRPIN_INTERNAL;
}

enum nat_reason nat_hairpin(struct nat_work *w)
{
	struct hairpin h = {.inside = {.port = 0}};
	bool allowed = nat_may_hairpin(w->nat, w->transport);
	enum nat_reason reason = NAT_DROP_HAIRPIN;

	if (behaviour_of(w->nat, w->transport)->hairpin == NAT_HAIRPIN_BOX) {
		nat_answer_as_host(w);
		return NAT_DROP_ACCEPTED;
	}
	if (allowed && nat_is_last_hop(w))
		return NAT_DROP_TTL;
	if (allowed && (!is_for_the_box(w) || w->nat->config.echo_inward))
		reason = find_both(w, &h);
	if (is_for_the_box(w) &&
		(reason != NAT_FORWARDED || nat_point_equal(&h.inside, &h.peer_inside))) {
		nat_answer_as_host(w);
		return NAT_DROP_ACCEPTED;
	}
	if (reason != NAT_FORWARDED) {
		nat_answer_limit(w, reason);
		return reason;
	}
	translate(w, &h);
	return nat_send(w, NAT_INSIDE, NAT_HAIRPINNED);
}
