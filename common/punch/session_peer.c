// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "punch/session_private.h"

/* Where the other side may be. */

/* As the server sees it, or as it says itself where it meets over TCP or the other family. */
struct endpoint session_peer_endpoint(const struct session *s)
{
	const struct meeting_view *v = s->view.meeting;
	const struct hello *peer = &s->view.peer;
	struct endpoint none = {.family = FAMILY_NONE};

	if (v->peer.family == s->view.family && v->peer.port)
		return v->peer;
	for (size_t i = 0; i < peer->candidate_count; i++)
		if (peer->candidates[i].kind == CHECK_SERVER_REFLEXIVE &&
			peer->candidates[i].endpoint.family == s->view.family)
			return peer->candidates[i].endpoint;
	return none;
}

/*
 * Whether nobody but one says so: the peer, or the server. Both may lie, but not so easily together; by hand a user
 * has taken it over.
 */
bool session_is_claimed(const struct session *s, const struct endpoint *e)
{
	const struct hello *peer = &s->view.peer;

	if (s->config.manual || (s->config.knock.on && !s->config.knock.waits))
		return false;
	if (!endpoint_same_address(e, &s->view.meeting->peer))
		return true;
	for (size_t i = 0; i < peer->candidate_count; i++)
		if (peer->candidates[i].kind == CHECK_SERVER_REFLEXIVE &&
			endpoint_same_address(e, &peer->candidates[i].endpoint))
			return false;
	return true;
}

/*
 * A private address is only worth a packet where both sides are behind the same NAT, or seem to be in the same
 * network, as in a VPN.
 */
static bool is_near(const struct session *s, const struct endpoint *e)
{
	const struct meeting_view *v = s->view.meeting;
	size_t bytes = e->family == FAMILY_IPV4 ? 3 : 6;

	if (!endpoint_is_private(e) || endpoint_same_address(&v->mapped, &v->peer))
		return true;
	for (size_t i = 0; i < s->config.host_count; i++)
		if (s->config.hosts[i].family == e->family &&
			!memcmp(s->config.hosts[i].address, e->address, bytes))
			return true;
	return false;
}

bool session_is_own_address(const struct session *s, const struct endpoint *e)
{
	for (size_t i = 0; i < s->config.host_count; i++)
		if (endpoint_same_address(&s->config.hosts[i], e))
			return true;
	return false;
}

/*
 * A packet to where it comes from would be a LAND attack on ourselves. Another process of this host may be the
 * peer, so that only our own ports are left out.
 */
bool session_is_own(const struct session *s, const struct endpoint *e)
{
	return session_is_own_address(s, e) &&
		e->port == s->main[e->family == FAMILY_IPV6].local.port;
}

void session_add_candidates(struct session *s, uint64_t now_us)
{
	const struct hello *peer = &s->view.peer;

	for (size_t i = 0; i < peer->candidate_count; i++) {
		const struct endpoint *e = &peer->candidates[i].endpoint;

		/* the one that the plan is about comes with the plan */
		if (peer->candidates[i].kind == CHECK_SERVER_REFLEXIVE &&
			e->family == s->view.family)
			continue;
		if (!is_near(s, e) || session_is_own(s, e))
			continue;
		session_ways_add(s, now_us, peer->candidates[i].kind, e, !session_is_claimed(s, e));
	}
}
