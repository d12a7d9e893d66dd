// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "lab/nat_private.h"

/* Inside hosts: which external address each one has (RFC 4787 4.1, "paired"), and which port block. */

static struct nat_point address_of(const struct nat_point *inside)
{
	struct nat_point a = *inside;

	a.port = 0;
	a.transport = 0;
	return a;
}

static uint32_t find(const struct nat *nat, const struct nat_point *address)
{
	uint32_t i = nat_hash_first(&nat->hosts_found, nat_point_hash(nat, address, NULL));

	for (; i; i = nat_hash_next(&nat->hosts_found, i)) {
		const struct nat_host *h = nat_pool_at(&nat->hosts, i);

		if (nat_point_equal(&h->address, address))
			break;
	}
	return i;
}

/* In turn, so that hosts are spread evenly; -1: none of this family. */
static int next_external(struct nat *nat, uint8_t family)
{
	for (size_t i = 0; i < nat->config.external_count; i++) {
		uint32_t n = nat->next_external++ % (uint32_t)nat->config.external_count;

		if ((uint8_t)nat->config.external[n].family == family)
			return (int)n;
	}
	return -1;
}

uint32_t nat_host_get(struct nat *nat, const struct nat_point *inside)
{
	struct nat_point address = address_of(inside);
	uint32_t record = find(nat, &address);
	struct nat_host *h;
	int external;

	if (record)
		return record;
	external = next_external(nat, address.family);
	record = external < 0 ? 0 : nat_pool_take(&nat->hosts);
	if (!record)
		return 0;
	h = nat_pool_at(&nat->hosts, record);
	h->address = address;
	h->external = (uint32_t)external;
	nat_hash_add(&nat->hosts_found, record, nat_point_hash(nat, &address, NULL));
	return record;
}

static void free_blocks(struct nat *nat, const struct nat_host *h)
{
	for (int t = 0; t < NAT_TRANSPORTS; t++) {
		struct nat_port_use *use = nat->use[t][h->external];
		uint32_t block = h->block[t];

		if (use && block)
			use->blocks[(block - 1) / 64] &= ~(1ull << (block - 1) % 64);
	}
}

void nat_host_drop(struct nat *nat, uint32_t host)
{
	struct nat_host *h = nat_pool_at(&nat->hosts, host);

	if (h->mappings && --h->mappings)
		return;
	free_blocks(nat, h);
	nat_hash_remove(&nat->hosts_found, host);
	nat_pool_give(&nat->hosts, host);
}

int nat_bound_number(const struct nat *nat, const struct nat_point *inside)
{
	for (size_t i = 0; i < nat->config.external_count; i++)
		if (nat_same_address(&nat->bound[i], inside))
			return (int)i;
	return -1;
}

int nat_bind_address(struct nat *nat, const struct nat_point *inside)
{
	int bound = nat_bound_number(nat, inside);

	for (size_t i = 0; i < nat->config.external_count && bound < 0; i++) {
		if (nat->bound[i].family ||
			(uint8_t)nat->config.external[i].family != inside->family)
			continue;
		nat->bound[i] = address_of(inside);
		bound = (int)i;
	}
	return bound;
}
