// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "lab/nat_private.h"

/* New sessions, and the mappings that they need, within the limits. */

#define ONE_SESSION 1000000ull /* of credit: as many microseconds as a second has */
/* How many mappings of one inside endpoint are looked through for one that fits */
#define SIBLINGS_MAX 64

/* As many as a second allows at once, and then at its pace; add_session takes it. */
static bool has_credit(struct nat *nat)
{
	uint64_t rate = nat->config.limits.new_per_second, full = rate * ONE_SESSION;
	uint64_t elapsed = nat->now_us - nat->credit_us;

	if (!rate)
		return true;
	nat->credit_us = nat->now_us;
	nat->credit = elapsed >= ONE_SESSION ? full : nat->credit + elapsed * rate;
	if (nat->credit > full)
		nat->credit = full;
	return nat->credit >= ONE_SESSION;
}

/* What is in use for this packet is not thrown out for it. */
static bool is_pinned(const struct nat *nat, uint32_t session)
{
	return session == nat->pinned[0] || session == nat->pinned[1];
}

static bool make_room_for_session(struct nat *nat)
{
	uint32_t oldest = nat->session_age.first;

	if (nat->sessions.used < nat->config.limits.sessions)
		return true;
	while (oldest && is_pinned(nat, oldest))
		oldest = session_at(nat, oldest)->age.next;
	if (!nat->config.limits.evict_oldest || !oldest)
		return false;
	nat_session_close(nat, oldest);
	return true;
}

static bool has_pinned(const struct nat *nat, uint32_t mapping)
{
	for (int i = 0; i < 2; i++)
		if (nat->pinned[i] && session_at(nat, nat->pinned[i])->mapping == mapping)
			return true;
	return false;
}

static bool make_room_for_mapping(struct nat *nat)
{
	uint32_t oldest = nat->mapping_age.first;

	if (nat->mappings.used < nat->config.limits.mappings)
		return true;
	while (oldest && has_pinned(nat, oldest))
		oldest = mapping_at(nat, oldest)->age.next;
	if (!nat->config.limits.evict_oldest || !oldest)
		return false;
	nat_mapping_close(nat, oldest);
	return true;
}

/* Nothing is thrown out for a session that is too many in this second. */
static enum nat_reason make_room(struct nat *nat)
{
	if (!has_credit(nat))
		return NAT_DROP_RATE;
	return make_room_for_session(nat) ? NAT_FORWARDED : NAT_DROP_TABLE_FULL;
}

/* --- mappings --- */

static struct nat_point key_of(
	const struct nat *nat, const struct nat_point *inside, const struct nat_point *remote)
{
	enum nat_dependence d = behaviour_of(nat, inside->transport)->mapping;

	/* without ports to choose there is nothing to depend on the remote endpoint */
	if (nat_translation_of(nat, (enum family)inside->family) != NAT_PORTS)
		d = NAT_ENDPOINT_INDEPENDENT;
	return nat_point_masked(remote, d);
}

static enum nat_reason map_to_port(struct nat *nat, const struct nat_point *inside,
	const struct nat_point *key, const struct nat_point *remote, uint32_t *mapping)
{
	uint32_t host = nat_host_get(nat, inside);
	struct nat_point external;

	if (!host)
		return NAT_DROP_NO_PORT;
	if (!nat_port_choose(nat, inside, key, remote, host, &external))
		*mapping = nat_mapping_open(nat, inside, key, &external, host);
	if (*mapping)
		return NAT_FORWARDED;
	if (!((struct nat_host *)nat_pool_at(&nat->hosts, host))->mappings)
		nat_host_drop(nat, host);
	return NAT_DROP_NO_PORT;
}

/* The external endpoint where ports are kept; false: all addresses are taken. */
static bool keep_port(struct nat *nat, const struct nat_point *inside, struct nat_point *external)
{
	int n;

	*external = *inside;
	if (nat_translation_of(nat, (enum family)inside->family) != NAT_ADDRESSES)
		return true;
	n = nat_bind_address(nat, inside);
	if (n < 0)
		return false;
	*external = nat_point_of(&nat->config.external[n], (enum nat_transport)inside->transport);
	external->port = inside->port;
	return true;
}

static enum nat_reason map_to_address(struct nat *nat, const struct nat_point *inside,
	const struct nat_point *key, uint32_t *mapping)
{
	struct nat_point external;

	if (!keep_port(nat, inside, &external))
		return NAT_DROP_NO_PORT;
	*mapping = nat_mapping_open(nat, inside, key, &external, 0);
	return *mapping ? NAT_FORWARDED : NAT_DROP_TABLE_FULL;
}

static enum nat_reason add_mapping(struct nat *nat, const struct nat_point *inside,
	const struct nat_point *key, const struct nat_point *remote, uint32_t *mapping)
{
	if (!make_room_for_mapping(nat))
		return NAT_DROP_TABLE_FULL;
	if (nat_translation_of(nat, (enum family)inside->family) == NAT_PORTS)
		return map_to_port(nat, inside, key, remote, mapping);
	return map_to_address(nat, inside, key, mapping);
}

/*
 * The mapping for a new session: the one of the newest session, unless its external endpoint is taken
 * towards this remote one, by the box itself or by another inside endpoint; then one that has
 * preserved the port, as Linux tries it (get_unique_tuple); 0: a new one.
 */
static uint32_t fitting_mapping(struct nat *nat, const struct nat_point *inside,
	const struct nat_point *key, const struct nat_point *remote)
{
	uint32_t mapping = nat_find_mapping(nat, inside, key), i = mapping;

	if (!mapping || !nat_find_external(nat, &mapping_at(nat, mapping)->external, remote))
		return mapping;
	if (behaviour_of(nat, inside->transport)->ports.allocation != NAT_PRESERVING)
		return 0;
	for (int n = 0; n < SIBLINGS_MAX && (i = nat_hash_next(&nat->mappings_inside, i)); n++) {
		const struct nat_mapping *m = mapping_at(nat, i);

		if (m->external.port == inside->port && nat_point_equal(&m->inside, inside) &&
			nat_point_equal(&m->key, key))
			return nat_find_external(nat, &m->external, remote) ? 0 : i;
	}
	return 0;
}

/* --- sessions --- */

static enum nat_reason add_session(struct nat *nat, uint32_t mapping,
	const struct nat_point *remote, bool from_outside, uint32_t *session)
{
	struct nat_point external = mapping_at(nat, mapping)->external;

	*session =
		nat_session_open(nat, NAT_SESSION_PEER, mapping, &external, remote, from_outside);
	if (*session) {
		if (nat->config.limits.new_per_second)
			nat->credit -= ONE_SESSION;
		nat_session_start(nat, *session);
		return NAT_FORWARDED;
	}
	if (!mapping_at(nat, mapping)->sessions.first)
		nat_mapping_close(nat, mapping);
	return NAT_DROP_TABLE_FULL;
}

uint32_t nat_find_hidden(
	struct nat *nat, const struct nat_point *inside, const struct nat_point *remote)
{
	struct nat_point key = key_of(nat, inside, remote);
	uint32_t mapping = nat_find_mapping(nat, inside, &key), session;

	if (!mapping)
		return 0;
	session = nat_find_external(nat, &mapping_at(nat, mapping)->external, remote);
	if (!session || session_at(nat, session)->mapping != mapping)
		return 0;
	nat_session_show_inside(nat, session);
	return session;
}

/* A host that has an address for itself cannot take another port: what the box has there gives way. */
static void take_from_box(
	struct nat *nat, const struct nat_point *inside, const struct nat_point *remote)
{
	struct nat_point external;
	uint32_t session;

	if (nat_translation_of(nat, (enum family)inside->family) != NAT_ADDRESSES ||
		!keep_port(nat, inside, &external))
		return;
	session = nat_find_external(nat, &external, remote);
	if (session && session_at(nat, session)->kind == NAT_SESSION_BOX)
		nat_session_close(nat, session);
}

enum nat_reason nat_open_outward(struct nat *nat, const struct nat_point *inside,
	const struct nat_point *remote, uint32_t *session)
{
	struct nat_point key = key_of(nat, inside, remote);
	enum nat_reason reason = make_room(nat);
	uint32_t mapping;

	if (reason != NAT_FORWARDED)
		return reason;
	take_from_box(nat, inside, remote);
	mapping = fitting_mapping(nat, inside, &key, remote);
	if (!mapping)
		reason = add_mapping(nat, inside, &key, remote, &mapping);
	if (reason != NAT_FORWARDED)
		return reason;
	return add_session(nat, mapping, remote, false, session);
}

enum nat_reason nat_open_inward(
	struct nat *nat, uint32_t mapping, const struct nat_point *remote, uint32_t *session)
{
	enum nat_reason reason;

	nat->pinned[1] = mapping_at(nat, mapping)->sessions.first;
	reason = make_room(nat);
	nat->pinned[1] = 0;
	if (reason != NAT_FORWARDED)
		return reason;
	return add_session(nat, mapping, remote, true, session);
}

/* The inside endpoint that an external one stands for, without any mapping. */
static bool inside_of(
	const struct nat *nat, const struct nat_point *external, struct nat_point *inside)
{
	struct endpoint e = nat_endpoint_of(external);
	int n = nat_external_number(nat, &e);

	*inside = *external;
	if (nat_translation_of(nat, e.family) != NAT_ADDRESSES)
		return !nat_is_own(nat, &e); /* the firewall itself is no host behind it */
	if (n < 0 || !nat->bound[n].family)
		return false;
	*inside = nat->bound[n];
	inside->port = external->port;
	inside->transport = external->transport;
	return true;
}

enum nat_reason nat_open_unfiltered(struct nat *nat, const struct nat_point *external,
	const struct nat_point *remote, uint32_t *session)
{
	struct nat_point inside, key;
	enum nat_reason reason;
	uint32_t mapping = 0;

	if (!inside_of(nat, external, &inside))
		return NAT_DROP_NO_MAPPING;
	reason = make_room(nat);
	if (reason != NAT_FORWARDED)
		return reason;
	key = key_of(nat, &inside, remote);
	mapping = nat_find_mapping(nat, &inside, &key);
	if (!mapping)
		reason = add_mapping(nat, &inside, &key, remote, &mapping);
	if (reason != NAT_FORWARDED)
		return reason;
	return add_session(nat, mapping, remote, true, session);
}

bool nat_open_own(struct nat *nat, enum nat_session_kind kind, const struct nat_point *external,
	const struct nat_point *remote, uint64_t end_us)
{
	uint32_t session;

	if (!make_room_for_session(nat))
		return false;
	session = nat_session_open(nat, kind, 0, external, remote, true);
	if (session)
		nat_session_set_end(nat, session, end_us);
	return session;
}
