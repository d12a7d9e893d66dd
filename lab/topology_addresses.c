// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "lab/topology_private.h"

/*
 * Addresses for those that have none. On the internet they are from documentation prefixes, and what has to be
 * routed there besides (behind routers and firewalls, on links) is from RFC 2544's:
 *
 *	servers       198.51.100.N and 203.0.113.N, 2001:db8:100::N and 2001:db8:113::N
 *	NATs          192.0.2.N, 2001:db8:2::N
 *	behind NAT N  10.0.N.0/24 (a carrier's: 100.64.N.0/24; untranslated: 198.18.N.0/24)
 *	              fd00:0:0:N::/64 (untranslated: 2001:db8:a:N::/64)
 *	routers       198.19.N.0/24, 2001:db8:c:N::/64 on link N
 */

#define NATS_MAX 254

static struct endpoint make4(unsigned a, unsigned b, unsigned c, unsigned d)
{
	struct endpoint e = {
		.family = FAMILY_IPV4, .address = {(uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d}};

	return e;
}

/* The first four words, and the last one. */
static struct endpoint make6(unsigned a, unsigned b, unsigned c, unsigned d, unsigned last)
{
	const unsigned words[8] = {a, b, c, d, 0, 0, 0, last};
	struct endpoint e = {.family = FAMILY_IPV6};

	for (int i = 0; i < 8; i++) {
		e.address[2 * i] = (uint8_t)(words[i] >> 8);
		e.address[2 * i + 1] = (uint8_t)words[i];
	}
	return e;
}

/* Another address, which differs in the last bits alone: mask says which, of 16. */
static struct endpoint with_host(struct endpoint e, unsigned host, unsigned mask)
{
	uint8_t *last = &e.address[endpoint_address_length(e.family) - 2];
	unsigned word = ((unsigned)(last[0] << 8 | last[1]) & ~mask) | host;

	last[0] = (uint8_t)(word >> 8);
	last[1] = (uint8_t)word;
	return e;
}

static bool is_translated(const struct topology_node *n, enum family family)
{
	if (family == FAMILY_IPV6 && n->node.nat.ipv6_untranslated)
		return false;
	if (n->node.nat.translation == NAT_PREFIX)
		return family == FAMILY_IPV6;
	return n->node.nat.translation != NAT_NONE;
}

/* A node's own list: of a NAT the external ones. */
static struct endpoint *list_of(struct topology_node *n, size_t **count)
{
	bool nat = n->node.kind == WORLD_NAT;

	*count = nat ? &n->node.nat.external_count : &n->node.address_count;
	return nat ? n->node.nat.external : n->node.addresses;
}

static size_t count_family(struct topology_node *n, enum family family)
{
	size_t *all, count = 0;
	struct endpoint *list = list_of(n, &all);

	for (size_t i = 0; i < *all; i++)
		count += list[i].family == family;
	return count;
}

static bool is_used(struct topology *t, const struct endpoint *e)
{
	for (int i = 0; i < t->count; i++) {
		struct topology_node *n = &t->nodes[i];
		size_t *count;
		struct endpoint *list = list_of(n, &count);

		for (size_t k = 0; k < *count; k++)
			if (endpoint_same_address(&list[k], e))
				return true;
		for (int k = 0; k < 2; k++)
			if (endpoint_same_address(&n->node.inside[k].address, e))
				return true;
	}
	return false;
}

/* The first address of a network that is free, appended to the node's own. Of a large one a part is enough. */
static bool add_free(
	struct topology *t, struct topology_node *n, struct endpoint network, unsigned bits)
{
	bool v4 = network.family == FAMILY_IPV4;
	unsigned host_bits = v4 ? 32 - bits : 128 - bits, most = v4 ? 8 : 12;
	unsigned mask = (1u << (host_bits < most ? host_bits : most)) - 1;
	size_t *count;
	struct endpoint *list = list_of(n, &count);

	if (*count == WORLD_ADDRESSES_MAX)
		return false;
	for (unsigned host = 1; host < mask; host++) {
		struct endpoint e = with_host(network, host, mask);

		if (is_used(t, &e))
			continue;
		list[(*count)++] = e;
		return true;
	}
	return false;
}

/* A server gets two of each family, on two networks, as probe servers need them. */
static bool add_on_internet(struct topology *t, struct topology_node *n, enum family family)
{
	bool v4 = family == FAMILY_IPV4;

	if (n->node.kind == WORLD_NAT)
		return add_free(t, n, v4 ? make4(192, 0, 2, 0) : make6(0x2001, 0xdb8, 2, 0, 0),
			v4 ? 24 : 64);
	return add_free(t, n, v4 ? make4(198, 51, 100, 0) : make6(0x2001, 0xdb8, 0x100, 0, 0),
		       v4 ? 24 : 64) &&
		add_free(t, n, v4 ? make4(203, 0, 113, 0) : make6(0x2001, 0xdb8, 0x113, 0, 0),
			v4 ? 24 : 64);
}

static bool add_behind(struct topology *t, struct topology_node *n, enum family family)
{
	const struct world_prefix *p = &t->nodes[n->node.up - 1].node.inside[family == FAMILY_IPV6];

	return p->address.family == FAMILY_NONE || add_free(t, n, p->address, p->bits);
}

/* 1:1 NATs need an external address for each one behind them. */
static size_t addresses_wanted(struct topology *t, int number, enum family family)
{
	struct topology_node *n = &t->nodes[number];
	size_t count = 0, given;

	if (n->node.kind == WORLD_HOST || n->node.nat.translation != NAT_ADDRESSES)
		return 1;
	if (!is_translated(n, family))
		return 1; /* of what is only routed, the box has one of its own */
	for (int i = 0; i < t->count; i++) {
		given = count_family(&t->nodes[i], family);
		if (t->nodes[i].node.up == number + 1)
			count += given ? given : 1;
	}
	return count ? count : 1;
}

static bool add_addresses(struct topology *t, int number, enum family family)
{
	struct topology_node *n = &t->nodes[number];
	size_t wanted = addresses_wanted(t, number, family);
	bool ok = true;

	if (count_family(n, family) || !t->families[family == FAMILY_IPV6])
		return true;
	for (size_t i = 0; i < wanted && ok; i++)
		ok = n->node.up ? add_behind(t, n, family) : add_on_internet(t, n, family);
	return ok;
}

static void add_inside(struct topology_node *n, unsigned nat_number, enum family family)
{
	bool v4 = family == FAMILY_IPV4, translated = is_translated(n, family);
	struct world_prefix *p = &n->node.inside[!v4];

	if (p->address.family != FAMILY_NONE)
		return;
	if (v4)
		p->address = !translated ? make4(198, 18, nat_number, 1)
			: n->carrier	 ? make4(100, 64, nat_number, 1)
					 : make4(10, 0, nat_number, 1);
	else
		p->address = translated ? make6(0xfd00, 0, 0, nat_number, 1)
					: make6(0x2001, 0xdb8, 0xa, nat_number, 1);
	p->bits = v4 ? 24 : 64;
	*(v4 ? &n->node.nat.inside : &n->node.nat.inside6) = p->address;
}

static void add_prefix(struct topology_node *n, unsigned nat_number)
{
	struct nat_config *c = &n->node.nat;

	if (c->translation != NAT_PREFIX || c->prefix_bits)
		return;
	c->prefix_inside = n->node.inside[1].address;
	c->prefix_outside = make6(0x2001, 0xdb8, 0xb, nat_number, 0);
	c->prefix_bits = 64;
}

static void add_routers(struct topology_node *n, unsigned number)
{
	n->node.link.routers[0] = make4(198, 19, number % 256, number / 256 * 64);
	n->node.link.routers[1] = make6(0x2001, 0xdb8, 0xc, number, 0);
}

/* The hosts of a 1:1 NAT, in turn to its addresses. */
static void bind_hosts(struct topology *t, int number)
{
	struct nat_config *c = &t->nodes[number].node.nat;

	for (size_t i = 0; i < c->external_count; i++)
		c->hosts[i] = (struct endpoint){.family = FAMILY_NONE};
	for (int i = 0; i < t->count; i++) {
		struct topology_node *child = &t->nodes[i];
		size_t *count;
		struct endpoint *list = list_of(child, &count);

		if (child->node.up != number + 1)
			continue;
		for (size_t k = 0; k < *count; k++)
			for (size_t e = 0; e < c->external_count; e++) {
				if (c->hosts[e].family != FAMILY_NONE ||
					c->external[e].family != list[k].family)
					continue;
				c->hosts[e] = list[k];
				break;
			}
	}
}

static int complete_node(struct topology *t, int number, unsigned *nats, char *error, size_t size)
{
	struct topology_node *n = &t->nodes[number];
	bool nat = n->node.kind == WORLD_NAT;

	if (!add_addresses(t, number, FAMILY_IPV4) || !add_addresses(t, number, FAMILY_IPV6))
		return topology_complain(error, size, "%s: no address is left", n->node.name);
	add_routers(n, (unsigned)number + 1);
	if (!nat)
		return n->node.address_count
			? 0
			: topology_complain(error, size, "%s: has no address", n->node.name);
	if (++*nats > NATS_MAX)
		return topology_complain(error, size, "more than %d NATs", NATS_MAX);
	if (n->node.nat.translation == NAT_PREFIX && !count_family(n, FAMILY_IPV6))
		return topology_complain(error, size,
			"%s: translates IPv6 prefixes, and there is no IPv6", n->node.name);
	for (int f = 0; f < 2; f++)
		if (count_family(n, f ? FAMILY_IPV6 : FAMILY_IPV4))
			add_inside(n, *nats, f ? FAMILY_IPV6 : FAMILY_IPV4);
	add_prefix(n, *nats);
	return 0;
}

int topology_complete(struct topology *t, char *error, size_t size)
{
	unsigned nats = 0;
	int err = 0;

	for (int i = 0; i < t->count && !err; i++)
		err = complete_node(t, i, &nats, error, size);
	for (int i = 0; i < t->count && !err; i++)
		if (t->nodes[i].node.nat.translation == NAT_ADDRESSES)
			bind_hosts(t, i);
	return err;
}

int topology_build(
	const struct topology *t, uint64_t seed, struct world **out, char *error, size_t size)
{
	const struct endpoint internet[2] = {make4(198, 19, 0, 1), make6(0x2001, 0xdb8, 0xc, 0, 1)};
	int err = world_create(seed, internet, out);

	if (err)
		return topology_complain(error, size, "no memory");
	for (int i = 0; i < t->count && err >= 0; i++)
		err = world_add(*out, &t->nodes[i].node, error, size);
	if (err >= 0)
		return 0;
	world_destroy(*out);
	*out = NULL;
	return err;
}
