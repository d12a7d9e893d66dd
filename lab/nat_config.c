// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "lab/nat_private.h"

#define SECOND		 1000000ull
#define MAPPINGS_DEFAULT (1u << 20)
/* numbers of records have 32 bits, and a heap has to be able to double */
#define MAPPINGS_MAX (1u << 28)
#define SESSIONS_MAX (1u << 30)

enum nat_translation nat_translation_of(const struct nat *nat, enum family family)
{
	if (family == FAMILY_IPV6 && nat->config.ipv6_untranslated)
		return NAT_NONE;
	return nat->config.translation;
}

bool nat_is_router(const struct nat *nat, enum family family, enum nat_transport transport)
{
	return behaviour_of(nat, transport)->unfiltered &&
		nat_translation_of(nat, family) == NAT_NONE;
}

static void complete_lifetimes(struct nat_lifetimes *l, enum nat_transport transport)
{
	static const struct {
		uint64_t one_way, both_ways;
	} usual[NAT_TRANSPORTS] = {
		[NAT_UDP] = {300, 300}, /* RFC 4787 REQ-5 c */
		[NAT_TCP] = {4 * 60, 2 * 3600 + 4 * 60}, /* RFC 5382 REQ-5 */
		[NAT_ICMP] = {60, 60}, /* RFC 5508 REQ-2 */
	};

	if (!l->one_way_us)
		l->one_way_us = usual[transport].one_way * SECOND;
	if (!l->both_ways_us)
		l->both_ways_us = usual[transport].both_ways * SECOND;
	if (!l->closing_us)
		l->closing_us = 4 * 60 * SECOND; /* RFC 7857 2.1 */
}

static void complete_tcp(struct nat_tcp *tcp, const struct nat_lifetimes *l)
{
	for (int i = 0; i < NAT_TCP_STATES; i++) {
		if (tcp->state_us[i])
			continue;
		if (i < NAT_TCP_ESTABLISHED)
			tcp->state_us[i] = l->one_way_us;
		else
			tcp->state_us[i] =
				i == NAT_TCP_ESTABLISHED ? l->both_ways_us : l->closing_us;
	}
}

static int complete_ports(struct nat_ports *p, enum nat_transport transport)
{
	if (!p->low && !p->high)
		p->low = transport == NAT_ICMP ? 0 : 1024;
	if (!p->high)
		p->high = UINT16_MAX;
	if (transport != NAT_ICMP && !p->low)
		p->low = 1;
	if (!p->step)
		p->step = 1;
	if (p->low > p->high || p->step > UINT16_MAX || p->step < -UINT16_MAX)
		return -EINVAL;
	return p->block > p->high - p->low + 1 ? -EINVAL : 0;
}

static int complete_behaviour(struct nat_behaviour *b, enum nat_transport transport)
{
	if ((unsigned)b->mapping > NAT_ADDRESS_AND_PORT_DEPENDENT ||
		(unsigned)b->filtering > NAT_ADDRESS_AND_PORT_DEPENDENT)
		return -EINVAL;
	if ((unsigned)b->ports.allocation > NAT_RANDOM ||
		(unsigned)b->ports.collision > NAT_COLLISION_DROP)
		return -EINVAL;
	if ((unsigned)b->hairpin > NAT_HAIRPIN_BOX || (unsigned)b->unsolicited > NAT_BLACKLIST)
		return -EINVAL;
	if (b->unsolicited == NAT_BLACKLIST && !b->blacklist_us)
		return -EINVAL;
	complete_lifetimes(&b->lifetimes, transport);
	return complete_ports(&b->ports, transport);
}

static int check_external(const struct nat_config *c)
{
	if (c->external_count > NAT_EXTERNAL_MAX)
		return -EINVAL;
	for (size_t i = 0; i < c->external_count; i++) {
		if (!nat_may_be_forwarded(&c->external[i]))
			return -EINVAL;
		for (size_t k = 0; k < i; k++)
			if (endpoint_same_address(&c->external[i], &c->external[k]))
				return -EINVAL;
		if (c->hosts[i].family != FAMILY_NONE &&
			c->hosts[i].family != c->external[i].family)
			return -EINVAL;
		for (size_t k = 0; k < i; k++) /* a host has one address */
			if (endpoint_same_address(&c->hosts[i], &c->hosts[k]))
				return -EINVAL;
	}
	if (c->translation == NAT_PORTS || c->translation == NAT_ADDRESSES)
		return c->external_count ? 0 : -EINVAL;
	return 0;
}

static int check_prefix(const struct nat_config *c)
{
	if (c->translation != NAT_PREFIX)
		return 0;
	if (c->prefix_inside.family != FAMILY_IPV6 || c->prefix_outside.family != FAMILY_IPV6)
		return -EINVAL;
	return c->prefix_bits >= 1 && c->prefix_bits <= 64 ? 0 : -EINVAL;
}

static void complete_limits(struct nat_limits *l)
{
	if (!l->mappings)
		l->mappings = MAPPINGS_DEFAULT;
	if (l->mappings > MAPPINGS_MAX)
		l->mappings = MAPPINGS_MAX;
	if (!l->sessions)
		l->sessions = 4 * l->mappings;
	if (l->sessions > SESSIONS_MAX)
		l->sessions = SESSIONS_MAX;
}

int nat_config_complete(struct nat_config *c)
{
	int err = 0;

	if ((unsigned)c->translation > NAT_PREFIX || (unsigned)c->fragments > NAT_FRAGMENTS_REFUSED)
		return -EINVAL;
	for (int t = 0; t < NAT_TRANSPORTS && !err; t++)
		err = complete_behaviour(&c->behaviour[t], (enum nat_transport)t);
	if (!err)
		err = check_external(c);
	if (!err)
		err = check_prefix(c);
	if (err)
		return err;
	complete_tcp(&c->tcp, &c->behaviour[NAT_TCP].lifetimes);
	complete_limits(&c->limits);
	return 0;
}
