// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "lab/nat_private.h"

/* How long sessions live (RFC 4787 4.3, RFC 5382 5, RFC 5508 3.2). */

uint64_t nat_add_time(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t lifetime_of(const struct nat *nat, const struct nat_session *s, bool settled)
{
	const struct nat_lifetimes *l = &behaviour_of(nat, s->external.transport)->lifetimes;

	if (s->external.transport == NAT_TCP)
		return nat->config.tcp.state_us[s->state];
	return settled ? l->both_ways_us : l->one_way_us;
}

/* Linux gives the long lifetime only to what still goes on after two seconds (udp_packet). */
static bool is_settled(const struct nat *nat, const struct nat_session *s, bool was_both_ways)
{
	const struct nat_lifetimes *l = &behaviour_of(nat, s->external.transport)->lifetimes;

	if (!l->settle_us)
		return s->both_ways;
	return was_both_ways && nat->now_us > nat_add_time(s->first_us, l->settle_us);
}

/*
 * A session that an outside host begins would make the mapping live longer without anything from inside:
 * not where inbound packets do not refresh (RFC 4787 REQ-6).
 */
void nat_session_start(struct nat *nat, uint32_t session)
{
	struct nat_session *s = session_at(nat, session);
	const struct nat_mapping *m = mapping_at(nat, s->mapping);
	uint64_t lifetime = lifetime_of(nat, s, false);
	uint64_t end_us = nat_add_time(nat->now_us, lifetime);

	if (s->from_outside && m->until_us && end_us > m->until_us &&
		!behaviour_of(nat, s->external.transport)->lifetimes.refresh_inbound) {
		end_us = m->until_us;
		s->base_us = end_us > lifetime ? end_us - lifetime : 0;
	}
	nat_session_set_end(nat, session, end_us);
}

void nat_session_touch(struct nat *nat, uint32_t session, bool outward)
{
	struct nat_session *s = session_at(nat, session);
	const struct nat_lifetimes *l = &behaviour_of(nat, s->external.transport)->lifetimes;
	bool was_both_ways = s->both_ways;

	if (outward == s->from_outside)
		s->both_ways = true;
	if (outward ? l->refresh_outbound : l->refresh_inbound)
		s->base_us = nat->now_us;
	else if (was_both_ways == s->both_ways)
		return;
	nat_session_set_end(nat, session,
		nat_add_time(s->base_us, lifetime_of(nat, s, is_settled(nat, s, was_both_ways))));
}

void nat_session_restart(struct nat *nat, uint32_t session)
{
	struct nat_session *s = session_at(nat, session);

	s->base_us = nat->now_us;
	nat_session_set_end(nat, session,
		nat_add_time(s->base_us, lifetime_of(nat, s, is_settled(nat, s, s->both_ways))));
}
