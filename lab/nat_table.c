// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "lab/nat_private.h"

/* Mappings and sessions, and how they are found. */

int nat_table_init(struct nat *nat)
{
	int err = 0;

	nat_pool_init(&nat->mappings, sizeof(struct nat_mapping));
	nat_pool_init(&nat->sessions, sizeof(struct nat_session));
	nat_pool_init(&nat->tracks, sizeof(struct nat_track));
	nat_pool_init(&nat->permits, sizeof(struct nat_permit));
	nat_pool_init(&nat->hosts, sizeof(struct nat_host));
	err |= nat_hash_init(
		&nat->mappings_inside, &nat->mappings, offsetof(struct nat_mapping, by_inside));
	err |= nat_hash_init(
		&nat->mappings_external, &nat->mappings, offsetof(struct nat_mapping, by_external));
	err |= nat_hash_init(
		&nat->sessions_inside, &nat->sessions, offsetof(struct nat_session, by_inside));
	err |= nat_hash_init(
		&nat->sessions_external, &nat->sessions, offsetof(struct nat_session, by_external));
	err |= nat_hash_init(&nat->permits_found, &nat->permits, offsetof(struct nat_permit, link));
	err |= nat_hash_init(&nat->hosts_found, &nat->hosts, offsetof(struct nat_host, link));
	nat_heap_init(&nat->timers, &nat->sessions, offsetof(struct nat_session, timer));
	return err ? -ENOMEM : 0;
}

void nat_table_free(struct nat *nat)
{
	nat_hash_free(&nat->mappings_inside);
	nat_hash_free(&nat->mappings_external);
	nat_hash_free(&nat->sessions_inside);
	nat_hash_free(&nat->sessions_external);
	nat_hash_free(&nat->permits_found);
	nat_hash_free(&nat->hosts_found);
	nat_heap_free(&nat->timers);
	nat_pool_free(&nat->mappings);
	nat_pool_free(&nat->sessions);
	nat_pool_free(&nat->tracks);
	nat_pool_free(&nat->permits);
	nat_pool_free(&nat->hosts);
}

static void tell(const struct nat *nat, bool created, const struct nat_point *inside,
	const struct nat_point *external, const struct nat_point *remote)
{
	struct nat_event event = {.t_us = nat->now_us, .created = created};

	if (!nat->listener)
		return;
	event.transport = (enum nat_transport)external->transport;
	event.external = nat_endpoint_of(external);
	if (inside)
		event.inside = nat_endpoint_of(inside);
	if (remote)
		event.remote = nat_endpoint_of(remote);
	nat->listener(nat->listener_context, &event);
}

/* --- finding --- */

uint32_t nat_find_inside(
	const struct nat *nat, const struct nat_point *inside, const struct nat_point *remote)
{
	uint32_t hash = nat_point_hash(nat, inside, remote);
	uint32_t i = nat_hash_first(&nat->sessions_inside, hash);

	for (; i; i = nat_hash_next(&nat->sessions_inside, i)) {
		const struct nat_session *s = session_at(nat, i);

		if (nat_point_equal(&s->remote, remote) &&
			nat_point_equal(&mapping_at(nat, s->mapping)->inside, inside))
			break;
	}
	return i;
}

uint32_t nat_find_external(
	const struct nat *nat, const struct nat_point *external, const struct nat_point *remote)
{
	uint32_t hash = nat_point_hash(nat, external, remote);
	uint32_t i = nat_hash_first(&nat->sessions_external, hash);

	for (; i; i = nat_hash_next(&nat->sessions_external, i)) {
		const struct nat_session *s = session_at(nat, i);

		if (nat_point_equal(&s->external, external) && nat_point_equal(&s->remote, remote))
			break;
	}
	return i;
}

uint32_t nat_find_mapping(
	const struct nat *nat, const struct nat_point *inside, const struct nat_point *key)
{
	uint32_t i = nat_hash_first(&nat->mappings_inside, nat_point_hash(nat, inside, key));

	for (; i; i = nat_hash_next(&nat->mappings_inside, i)) {
		const struct nat_mapping *m = mapping_at(nat, i);

		if (nat_point_equal(&m->inside, inside) && nat_point_equal(&m->key, key))
			break;
	}
	return i;
}

static uint32_t owner_from(const struct nat *nat, uint32_t i, const struct nat_point *external)
{
	while (i && !nat_point_equal(&mapping_at(nat, i)->external, external))
		i = nat_hash_next(&nat->mappings_external, i);
	return i;
}

uint32_t nat_find_owner(const struct nat *nat, const struct nat_point *external)
{
	uint32_t hash = nat_point_hash(nat, external, NULL);

	return owner_from(nat, nat_hash_first(&nat->mappings_external, hash), external);
}

uint32_t nat_next_owner(const struct nat *nat, uint32_t mapping)
{
	return owner_from(nat, nat_hash_next(&nat->mappings_external, mapping),
		&mapping_at(nat, mapping)->external);
}

/* --- what filters by address or by port remember --- */

static bool filters_by_part(const struct nat *nat, const struct nat_point *external)
{
	enum nat_dependence d = behaviour_of(nat, external->transport)->filtering;

	return d == NAT_ADDRESS_DEPENDENT || d == NAT_PORT_DEPENDENT;
}

/* The permit of a mapping, or of any with mapping 0; remote is masked already. */
static uint32_t find_permit(const struct nat *nat, const struct nat_point *external,
	const struct nat_point *remote, uint32_t mapping)
{
	uint32_t hash = nat_point_hash(nat, external, remote);
	uint32_t i = nat_hash_first(&nat->permits_found, hash);

	for (; i; i = nat_hash_next(&nat->permits_found, i)) {
		const struct nat_permit *p = nat_pool_at(&nat->permits, i);

		if (nat_point_equal(&p->external, external) &&
			nat_point_equal(&p->remote, remote) && (!mapping || p->mapping == mapping))
			break;
	}
	return i;
}

static bool add_permit(struct nat *nat, uint32_t mapping, const struct nat_point *remote)
{
	const struct nat_point *external = &mapping_at(nat, mapping)->external;
	struct nat_point masked =
		nat_point_masked(remote, behaviour_of(nat, external->transport)->filtering);
	uint32_t i = find_permit(nat, external, &masked, mapping);
	struct nat_permit *p;

	if (!i) {
		i = nat_pool_take(&nat->permits);
		if (!i)
			return false;
		p = nat_pool_at(&nat->permits, i);
		p->external = *external;
		p->remote = masked;
		p->mapping = mapping;
		nat_hash_add(&nat->permits_found, i, nat_point_hash(nat, external, &masked));
	}
	p = nat_pool_at(&nat->permits, i);
	p->sessions++;
	return true;
}

static void drop_permit(struct nat *nat, const struct nat_session *s)
{
	struct nat_point masked =
		nat_point_masked(&s->remote, behaviour_of(nat, s->external.transport)->filtering);
	uint32_t i = find_permit(nat, &s->external, &masked, s->mapping);
	struct nat_permit *p = i ? nat_pool_at(&nat->permits, i) : NULL;

	if (!p || --p->sessions)
		return;
	nat_hash_remove(&nat->permits_found, i);
	nat_pool_give(&nat->permits, i);
}

uint32_t nat_find_permitted(const struct nat *nat, const struct nat_point *external,
	const struct nat_point *remote, bool *exists)
{
	enum nat_dependence filtering = behaviour_of(nat, external->transport)->filtering;
	uint32_t owner = nat_find_owner(nat, external), permit;
	struct nat_point masked = nat_point_masked(remote, filtering);

	*exists = owner;
	if (!owner || filtering == NAT_ENDPOINT_INDEPENDENT)
		return owner;
	if (!filters_by_part(nat, external)) /* only a session would have let it in */
		return 0;
	permit = find_permit(nat, external, &masked, 0);
	return permit ? ((struct nat_permit *)nat_pool_at(&nat->permits, permit))->mapping : 0;
}

/* --- mappings --- */

uint32_t nat_mapping_open(struct nat *nat, const struct nat_point *inside,
	const struct nat_point *key, const struct nat_point *external, uint32_t host)
{
	uint32_t record = nat_pool_take(&nat->mappings);
	struct nat_mapping *m;

	if (!record)
		return 0;
	m = mapping_at(nat, record);
	m->inside = *inside;
	m->key = *key;
	m->external = *external;
	m->host = host;
	if (host) {
		((struct nat_host *)nat_pool_at(&nat->hosts, host))->mappings++;
		nat_port_taken(nat, external);
	}
	nat_hash_add(&nat->mappings_inside, record, nat_point_hash(nat, inside, key));
	nat_hash_add(&nat->mappings_external, record, nat_point_hash(nat, external, NULL));
	nat_list_add_last(
		&nat->mappings, offsetof(struct nat_mapping, age), &nat->mapping_age, record);
	tell(nat, true, inside, external, NULL);
	return record;
}

/* One without sessions. */
static void end_mapping(struct nat *nat, uint32_t record)
{
	struct nat_mapping *m = mapping_at(nat, record);

	tell(nat, false, &m->inside, &m->external, NULL);
	nat_hash_remove(&nat->mappings_inside, record);
	nat_hash_remove(&nat->mappings_external, record);
	nat_list_remove(
		&nat->mappings, offsetof(struct nat_mapping, age), &nat->mapping_age, record);
	if (m->host) {
		if (!nat_find_owner(nat, &m->external))
			nat_port_given_back(nat, &m->external);
		nat_host_drop(nat, m->host);
	}
	nat_pool_give(&nat->mappings, record);
}

void nat_mapping_close(struct nat *nat, uint32_t mapping)
{
	struct nat_mapping *m = mapping_at(nat, mapping);

	while (m->sessions.first != m->sessions.last)
		nat_session_close(nat, m->sessions.last);
	if (m->sessions.first)
		nat_session_close(nat, m->sessions.first); /* and the mapping with it */
	else
		end_mapping(nat, mapping);
}

/*
 * A new session of an inside endpoint goes by the mapping of the newest one that lives (as in Linux,
 * find_appropriate_src); so mappings with one key are kept in the order of their newest sessions.
 */
static void move_to_front(struct nat *nat, uint32_t mapping)
{
	struct nat_mapping *m = mapping_at(nat, mapping);
	uint32_t hash = m->by_inside.hash;

	if (nat_find_mapping(nat, &m->inside, &m->key) == mapping)
		return;
	nat_hash_remove(&nat->mappings_inside, mapping);
	nat_hash_add(&nat->mappings_inside, mapping, hash);
}

static uint64_t newest_session_us(const struct nat *nat, const struct nat_mapping *m)
{
	return m->sessions.first ? session_at(nat, m->sessions.first)->first_us : 0;
}

static void move_back(struct nat *nat, uint32_t mapping)
{
	const struct nat_mapping *m = mapping_at(nat, mapping);
	uint64_t newest_us = newest_session_us(nat, m);
	uint32_t behind = 0, i = mapping;

	while ((i = nat_hash_next(&nat->mappings_inside, i))) {
		const struct nat_mapping *other = mapping_at(nat, i);

		if (nat_point_equal(&other->inside, &m->inside) &&
			nat_point_equal(&other->key, &m->key) &&
			newest_session_us(nat, other) > newest_us)
			behind = i;
	}
	if (!behind)
		return;
	nat_hash_remove(&nat->mappings_inside, mapping);
	nat_hash_add_behind(&nat->mappings_inside, mapping, behind);
}

/* --- sessions --- */

void nat_session_show_inside(struct nat *nat, uint32_t session)
{
	struct nat_session *s = session_at(nat, session);
	const struct nat_mapping *m = mapping_at(nat, s->mapping);

	if (s->found_inside || nat_find_inside(nat, &m->inside, &s->remote))
		return;
	nat_hash_add(&nat->sessions_inside, session, nat_point_hash(nat, &m->inside, &s->remote));
	s->found_inside = true;
}

static void join_mapping(struct nat *nat, uint32_t session)
{
	struct nat_session *s = session_at(nat, session);
	struct nat_mapping *m = mapping_at(nat, s->mapping);

	nat_list_add_first(
		&nat->sessions, offsetof(struct nat_session, siblings), &m->sessions, session);
	move_to_front(nat, s->mapping);
	nat_session_show_inside(nat, session);
}

uint32_t nat_session_open(struct nat *nat, enum nat_session_kind kind, uint32_t mapping,
	const struct nat_point *external, const struct nat_point *remote, bool from_outside)
{
	uint32_t record;
	struct nat_session *s;

	if (nat_heap_reserve(&nat->timers))
		return 0;
	record = nat_pool_take(&nat->sessions);
	if (!record)
		return 0;
	if (mapping && filters_by_part(nat, external) && !add_permit(nat, mapping, remote)) {
		nat_pool_give(&nat->sessions, record);
		return 0;
	}
	s = session_at(nat, record);
	s->kind = (uint8_t)kind;
	s->mapping = mapping;
	s->external = *external;
	s->remote = *remote;
	s->from_outside = from_outside;
	s->first_us = s->base_us = nat->now_us;
	nat_hash_add(&nat->sessions_external, record, nat_point_hash(nat, external, remote));
	nat_list_add_last(
		&nat->sessions, offsetof(struct nat_session, age), &nat->session_age, record);
	nat_heap_set(&nat->timers, record, nat->now_us);
	if (mapping)
		join_mapping(nat, record);
	tell(nat, true, mapping ? &mapping_at(nat, mapping)->inside : NULL, external, remote);
	return record;
}

void nat_session_set_end(struct nat *nat, uint32_t session, uint64_t end_us)
{
	struct nat_session *s = session_at(nat, session);

	nat_heap_set(&nat->timers, session, end_us);
	if (s->mapping && mapping_at(nat, s->mapping)->until_us < end_us)
		mapping_at(nat, s->mapping)->until_us = end_us;
}

static void leave_mapping(struct nat *nat, uint32_t session)
{
	struct nat_session *s = session_at(nat, session);
	struct nat_mapping *m = mapping_at(nat, s->mapping);
	bool newest = m->sessions.first == session;

	if (filters_by_part(nat, &s->external))
		drop_permit(nat, s);
	if (s->found_inside)
		nat_hash_remove(&nat->sessions_inside, session);
	nat_list_remove(
		&nat->sessions, offsetof(struct nat_session, siblings), &m->sessions, session);
	if (!m->sessions.first)
		end_mapping(nat, s->mapping);
	else if (newest)
		move_back(nat, s->mapping);
}

void nat_session_close(struct nat *nat, uint32_t session)
{
	struct nat_session *s = session_at(nat, session);

	tell(nat, false, s->mapping ? &mapping_at(nat, s->mapping)->inside : NULL, &s->external,
		&s->remote);
	nat_hash_remove(&nat->sessions_external, session);
	nat_list_remove(
		&nat->sessions, offsetof(struct nat_session, age), &nat->session_age, session);
	nat_heap_remove(&nat->timers, session);
	if (s->mapping)
		leave_mapping(nat, session);
	if (s->track)
		nat_pool_give(&nat->tracks, s->track);
	nat_pool_give(&nat->sessions, session);
}
