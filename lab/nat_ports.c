// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>

#include "lab/nat_private.h"

/* The choice of an external endpoint for a new mapping (RFC 4787 4.2). */

#define RANDOM_TRIES 8
/* With overloading every try is a look-up: Linux gives up after 128 (NF_NAT_MAX_ATTEMPTS) and so on. */
#define OVERLOAD_TRIES 1024
/* How many inside endpoints behind one external endpoint are looked at */
#define OWNERS_MAX 64

/* One search for a port. */
struct search {
	struct nat *nat;
	const struct nat_ports *ports;
	const struct nat_point *inside, *key, *remote;
	struct nat_point external; /* the candidate */
	struct nat_port_use *use;
	uint32_t low, high;
};

static struct nat_port_use *use_of(struct nat *nat, unsigned transport, unsigned external)
{
	struct nat_port_use **use = &nat->use[transport][external];

	if (!*use)
		*use = calloc(1, sizeof(**use));
	return *use;
}

static struct nat_port_use *use_at(struct nat *nat, const struct nat_point *external)
{
	struct endpoint e = nat_endpoint_of(external);
	int n = nat_external_number(nat, &e);

	return n < 0 ? NULL : use_of(nat, external->transport, (unsigned)n);
}

void nat_port_taken(struct nat *nat, const struct nat_point *external)
{
	struct nat_port_use *use = use_at(nat, external);

	if (use)
		use->ports[external->port / 64] |= 1ull << external->port % 64;
}

void nat_port_given_back(struct nat *nat, const struct nat_point *external)
{
	struct nat_port_use *use = use_at(nat, external);

	if (use)
		use->ports[external->port / 64] &= ~(1ull << external->port % 64);
}

/* Two mappings of one inside endpoint never look alike from outside, also with overloading. */
static bool is_shared_with_others(
	const struct nat *nat, const struct nat_point *external, const struct nat_point *inside)
{
	uint32_t owner = nat_find_owner(nat, external);

	for (int i = 0; owner; i++) {
		if (i == OWNERS_MAX || nat_point_equal(&mapping_at(nat, owner)->inside, inside))
			return false;
		owner = nat_next_owner(nat, owner);
	}
	return true;
}

bool nat_port_serves(const struct nat *nat, const struct nat_point *external,
	const struct nat_point *inside, const struct nat_point *remote)
{
	const struct nat_ports *ports = &behaviour_of(nat, external->transport)->ports;

	if (nat_find_external(nat, external, remote)) /* maybe the box itself */
		return false;
	if (ports->collision != NAT_COLLISION_OVERLOAD)
		return !nat_find_owner(nat, external);
	return is_shared_with_others(nat, external, inside);
}

static bool try_port(struct search *s, uint32_t port)
{
	bool used = s->use->ports[port / 64] >> port % 64 & 1;

	if (used && s->ports->collision != NAT_COLLISION_OVERLOAD)
		return false;
	s->external.port = (uint16_t)port;
	return nat_port_serves(s->nat, &s->external, s->inside, s->remote);
}

static bool has_parity(const struct search *s, uint32_t port)
{
	return !s->ports->parity || !((port ^ s->inside->port) & 1);
}

/* From start on in steps through the whole range, each port once if the step allows. */
static bool scan_by(struct search *s, uint32_t start, int step)
{
	uint32_t size = s->high - s->low + 1;
	uint32_t tries = s->ports->collision == NAT_COLLISION_OVERLOAD ? OVERLOAD_TRIES : size;
	uint32_t forward = (uint32_t)(((int64_t)step % size + size) % size);
	uint32_t offset = start < s->low || start > s->high ? 0 : start - s->low;

	for (uint32_t i = 0; i < size && tries; i++) {
		if (has_parity(s, s->low + offset)) {
			tries--;
			if (try_port(s, s->low + offset))
				return true;
		}
		offset = (offset + forward) % size;
	}
	return false;
}

static bool scan(struct search *s, uint32_t start, int step)
{
	if (!has_parity(s, start)) /* so that an even step stays on the right ones */
		start += step > 0 ? 1 : UINT32_MAX;
	return scan_by(s, start, step) || ((step != 1) && scan_by(s, start, 1));
}

static bool any_port(struct search *s)
{
	uint32_t size = s->high - s->low + 1;

	for (int i = 0; i < RANDOM_TRIES; i++) {
		uint32_t port = s->low + random_below(&s->nat->random, size);

		if (!has_parity(s, port))
			port ^= 1;
		if (port >= s->low && port <= s->high && try_port(s, port))
			return true;
	}
	return scan(s, s->low + random_below(&s->nat->random, size), 1);
}

/* RFC 4787 4.2.3: behind the port of the one below, when that has one at the same address. */
static bool contiguous_port(struct search *s)
{
	struct nat_point below = *s->inside;
	const struct nat_mapping *m;
	uint32_t mapping;

	if (!s->ports->contiguous || !below.port)
		return false;
	below.port--;
	mapping = nat_find_mapping(s->nat, &below, s->key);
	if (!mapping)
		return false;
	m = mapping_at(s->nat, mapping);
	if (!nat_same_address(&m->external, &s->external) || m->external.port >= s->high)
		return false;
	return try_port(s, m->external.port + 1u);
}

static void narrow_to_class(struct search *s)
{
	uint16_t port = s->inside->port;

	if (!s->ports->classes || s->inside->transport == NAT_ICMP)
		return;
	if (port < 1024) {
		s->low = port < 512 ? 1 : 600;
		s->high = port < 512 ? 511 : 1023;
	} else if (s->low < 1024 && s->high >= 1024) {
		s->low = 1024;
	}
}

static bool preserved_port(struct search *s)
{
	uint16_t port = s->inside->port;
	bool in_range = port >= s->low && port <= s->high;

	if (in_range && try_port(s, port))
		return true;
	narrow_to_class(s);
	if (s->ports->collision == NAT_COLLISION_DROP && in_range)
		return false;
	if (s->ports->collision == NAT_COLLISION_NEXT || s->ports->collision == NAT_COLLISION_DROP)
		return scan(s, port + (s->ports->parity ? 2u : 1u), 1);
	return any_port(s);
}

/* As if the one before it had the last port: the first one is where a scan begins. */
static bool next_port(struct search *s, uint32_t *cursor)
{
	int step = s->ports->step;
	uint32_t start = step > 0 ? s->low : s->high;

	if (*cursor) {
		int64_t next = (int64_t)*cursor - 1 + step, size = s->high - s->low + 1;

		start = (uint32_t)(s->low + ((next - s->low) % size + size) % size);
	}
	if (!scan(s, start, step))
		return false;
	*cursor = s->external.port + 1u;
	return true;
}

/* --- blocks --- */

static bool take_block(struct search *s, uint32_t *block)
{
	uint32_t count = (s->high - s->low + 1) / s->ports->block;
	bool by_chance = s->ports->allocation == NAT_RANDOM;
	uint32_t start = by_chance ? random_below(&s->nat->random, count) : 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t n = (start + i) % count;

		if (s->use->blocks[n / 64] >> n % 64 & 1)
			continue;
		s->use->blocks[n / 64] |= 1ull << n % 64;
		*block = n + 1;
		return true;
	}
	return false;
}

static bool narrow_to_block(struct search *s, struct nat_host *host)
{
	uint32_t *block = &host->block[s->inside->transport];

	if (!s->ports->block)
		return true;
	if (!*block && !take_block(s, block))
		return false;
	s->low += (*block - 1) * s->ports->block;
	s->high = s->low + s->ports->block - 1u;
	return true;
}

/* A block belongs to an address, so hosts with blocks keep theirs, whatever pooling says. */
static unsigned choose_external(struct search *s, const struct nat_host *host)
{
	const struct nat_config *c = &s->nat->config;
	uint32_t n;

	if (!c->pooling_arbitrary || s->ports->block)
		return host->external;
	n = random_below(&s->nat->random, (uint32_t)c->external_count);
	while ((uint8_t)c->external[n].family != s->inside->family)
		n = (n + 1) % (uint32_t)c->external_count; /* the host's own is one */
	return n;
}

int nat_port_choose(struct nat *nat, const struct nat_point *inside, const struct nat_point *key,
	const struct nat_point *remote, uint32_t host, struct nat_point *external)
{
	struct nat_host *h = nat_pool_at(&nat->hosts, host);
	struct search s = {.nat = nat, .inside = inside, .key = key, .remote = remote};
	uint32_t *cursor;
	unsigned n;
	bool found;

	s.ports = &behaviour_of(nat, inside->transport)->ports;
	n = choose_external(&s, h);
	s.low = s.ports->low;
	s.high = s.ports->high;
	s.external = nat_point_of(&nat->config.external[n], (enum nat_transport)inside->transport);
	s.use = use_of(nat, inside->transport, n);
	if (!s.use)
		return -ENOMEM;
	if (!narrow_to_block(&s, h))
		return -ENOSPC;
	cursor = s.ports->block ? &h->cursor[inside->transport] : &s.use->cursor;
	found = contiguous_port(&s);
	if (!found && s.ports->allocation == NAT_PRESERVING)
		found = preserved_port(&s);
	else if (!found && s.ports->allocation == NAT_SEQUENTIAL)
		found = next_port(&s, cursor);
	else if (!found) {
		narrow_to_class(&s);
		found = any_port(&s);
	}
	*external = s.external;
	return found ? 0 : -ENOSPC;
}
