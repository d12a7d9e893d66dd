// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <sodium.h>
#include <string.h>

#include "lab/nat_private.h"

struct nat_point nat_point_of(const struct endpoint *e, enum nat_transport transport)
{
	struct nat_point p = {.port = e->port};

	p.family = (uint8_t)e->family;
	p.transport = (uint8_t)transport;
	memcpy(p.address, e->address, endpoint_address_length(e->family));
	return p;
}

struct nat_point nat_remote_of(const struct endpoint *e, enum nat_transport transport)
{
	struct nat_point p = nat_point_of(e, transport);

	if (transport == NAT_ICMP)
		p.port = 0;
	return p;
}

struct endpoint nat_endpoint_of(const struct nat_point *p)
{
	struct endpoint e = {.family = (enum family)p->family, .port = p->port};

	memcpy(e.address, p->address, sizeof(e.address));
	return e;
}

struct nat_point nat_point_masked(const struct nat_point *p, enum nat_dependence dependence)
{
	struct nat_point masked = *p;

	if (dependence == NAT_ENDPOINT_INDEPENDENT || dependence == NAT_PORT_DEPENDENT)
		memset(masked.address, 0, sizeof(masked.address));
	if (dependence == NAT_ENDPOINT_INDEPENDENT || dependence == NAT_ADDRESS_DEPENDENT)
		masked.port = 0;
	return masked;
}

/* Keyed, so that nobody can choose endpoints that all fall into one chain. */
uint32_t nat_point_hash(const struct nat *nat, const struct nat_point *a, const struct nat_point *b)
{
	struct nat_point pair[2] = {*a};
	uint32_t hash;
	uint8_t digest[crypto_shorthash_BYTES];

	if (b)
		pair[1] = *b;
	crypto_shorthash(digest, (const uint8_t *)pair, sizeof(pair), nat->hash_key);
	memcpy(&hash, digest, sizeof(hash));
	return hash;
}

/* RFC 1812 5.3.7, RFC 4291 2.5.6: groups, loopback and links are no business of a router. */
bool nat_may_be_forwarded(const struct endpoint *e)
{
	struct endpoint address = *e;
	const uint8_t *a = e->address;

	address.port = 1;
	if (!endpoint_is_unicast(&address) || endpoint_is_loopback(e))
		return false;
	if (e->family == FAMILY_IPV6)
		return a[0] != 0xfe || (a[1] & 0xc0) != 0x80;
	return a[0] != 169 || a[1] != 254;
}

int nat_external_number(const struct nat *nat, const struct endpoint *e)
{
	for (size_t i = 0; i < nat->config.external_count; i++) {
		const struct endpoint *x = &nat->config.external[i];

		/* in full, as IPv4 is followed by zeros: asked several times for each packet */
		if (!memcmp(x->address, e->address, sizeof(x->address)) && x->family == e->family)
			return (int)i;
	}
	return -1;
}

bool nat_is_box_inside(const struct nat *nat, const struct endpoint *e)
{
	return endpoint_same_address(&nat->config.inside, e) ||
		endpoint_same_address(&nat->config.inside6, e);
}

bool nat_is_own(const struct nat *nat, const struct endpoint *e)
{
	return nat_external_number(nat, e) >= 0 || nat_is_box_inside(nat, e);
}
