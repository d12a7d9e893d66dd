// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "lab/kinds.h"

#define SECOND	   1000000ull
#define PROHIBITED 13 /* ICMP: communication administratively prohibited */

/*
 * What all kinds start from: a NAT with state as most have it, the timers of the RFCs, nothing refused and
 * nothing leaked.
 */
static void usual(struct nat_config *c)
{
	memset(c, 0, sizeof(*c));
	c->translation = NAT_PORTS;
	for (int t = 0; t < NAT_TRANSPORTS; t++) {
		struct nat_behaviour *b = &c->behaviour[t];

		b->mapping = NAT_ENDPOINT_INDEPENDENT;
		b->filtering = NAT_ADDRESS_AND_PORT_DEPENDENT;
		b->ports.allocation = NAT_PRESERVING;
		b->ports.collision = NAT_COLLISION_NEXT;
		b->lifetimes.refresh_outbound = true;
		b->lifetimes.refresh_inbound = true;
	}
	c->tcp.simultaneous_open = true;
	c->errors.inward = true;
}

static void set_mapping(struct nat_config *c, enum nat_dependence mapping)
{
	for (int t = 0; t < NAT_TRANSPORTS; t++)
		c->behaviour[t].mapping = mapping;
}

static void set_filtering(struct nat_config *c, enum nat_dependence filtering)
{
	for (int t = 0; t < NAT_TRANSPORTS; t++)
		c->behaviour[t].filtering = filtering;
}

static void set_ports(struct nat_config *c, const struct nat_ports *ports)
{
	for (int t = 0; t < NAT_TRANSPORTS; t++)
		c->behaviour[t].ports = *ports;
}

static void set_hairpin(struct nat_config *c, enum nat_hairpin hairpin)
{
	for (int t = 0; t < NAT_TRANSPORTS; t++)
		c->behaviour[t].hairpin = hairpin;
}

static void set_unsolicited(struct nat_config *c, enum nat_unsolicited unsolicited)
{
	for (int t = 0; t < NAT_TRANSPORTS; t++)
		c->behaviour[t].unsolicited = unsolicited;
}

static void set_unfiltered(struct nat_config *c)
{
	for (int t = 0; t < NAT_TRANSPORTS; t++) {
		c->behaviour[t].unfiltered = true;
		c->behaviour[t].filtering = NAT_ENDPOINT_INDEPENDENT;
	}
	c->echo_inward = true;
}

/* --- without port translation --- */

static void none(struct nat_config *c)
{
	c->translation = NAT_NONE;
	set_unfiltered(c);
}

static void firewall(struct nat_config *c)
{
	c->translation = NAT_NONE;
}

static void one_to_one(struct nat_config *c)
{
	c->translation = NAT_ADDRESSES;
	c->tcp.pick_up = true;
	set_unfiltered(c);
}

static void prefix(struct nat_config *c)
{
	c->translation = NAT_PREFIX;
}

/* --- the cones of RFC 3489 --- */

static void full_cone(struct nat_config *c)
{
	set_filtering(c, NAT_ENDPOINT_INDEPENDENT);
	c->echo_inward = true;
}

static void restricted(struct nat_config *c)
{
	set_filtering(c, NAT_ADDRESS_DEPENDENT);
}

static void port_restricted(struct nat_config *c)
{
	set_filtering(c, NAT_ADDRESS_AND_PORT_DEPENDENT);
}

static void symmetric(struct nat_config *c)
{
	set_mapping(c, NAT_ADDRESS_AND_PORT_DEPENDENT);
	set_ports(c, &(struct nat_ports){.allocation = NAT_RANDOM});
}

static void symmetric_sequential(struct nat_config *c)
{
	set_mapping(c, NAT_ADDRESS_AND_PORT_DEPENDENT);
	set_ports(c, &(struct nat_ports){.allocation = NAT_SEQUENTIAL, .step = 1});
}

/* Small enough to be guessed: 256 ports for each inside address. */
static void symmetric_block(struct nat_config *c)
{
	set_mapping(c, NAT_ADDRESS_AND_PORT_DEPENDENT);
	set_ports(c,
		&(struct nat_ports){
			.allocation = NAT_RANDOM, .low = 1024, .high = 65535, .block = 256});
}

/* --- Linux, with its sysctls as they come --- */

static void linux_timers(struct nat_config *c)
{
	static const uint64_t tcp[NAT_TCP_STATES] = {
		[NAT_TCP_SYN_SENT] = 120,
		[NAT_TCP_SYN_SENT2] = 120,
		[NAT_TCP_SYN_RECEIVED] = 60,
		[NAT_TCP_ESTABLISHED] = 5 * 86400,
		[NAT_TCP_FIN_WAIT] = 120,
		[NAT_TCP_CLOSE_WAIT] = 60,
		[NAT_TCP_LAST_ACK] = 30,
		[NAT_TCP_TIME_WAIT] = 120,
		[NAT_TCP_CLOSED] = 10,
	};
	struct nat_lifetimes *udp = &c->behaviour[NAT_UDP].lifetimes;
	struct nat_lifetimes *icmp = &c->behaviour[NAT_ICMP].lifetimes;

	udp->one_way_us = 30 * SECOND;
	udp->both_ways_us = 120 * SECOND;
	udp->settle_us = 2 * SECOND;
	icmp->one_way_us = icmp->both_ways_us = 30 * SECOND;
	for (int i = 0; i < NAT_TCP_STATES; i++)
		c->tcp.state_us[i] = tcp[i] * SECOND;
}

/* masquerade, INPUT drops; IPv6 goes through a stateful firewall */
static void linux_drop(struct nat_config *c)
{
	set_ports(c,
		&(struct nat_ports){
			.allocation = NAT_PRESERVING,
			.collision = NAT_COLLISION_OVERLOAD,
			.low = 1,
			.high = 65535,
			.classes = true,
		});
	c->behaviour[NAT_ICMP].ports.low = 0;
	linux_timers(c);
	c->tcp.strict_sequence = true;
	c->tcp.reset_ends_at_once = true;
	c->tcp.pick_up = true;
	c->verify_checksums = true;
	set_hairpin(c, NAT_HAIRPIN_BOX);
	c->errors.untracked_outward = true; /* INVALID is not translated, and no rule drops it */
	c->ipv6_untranslated = true;
}

static void linux_accept(struct nat_config *c)
{
	linux_drop(c);
	set_unsolicited(c, NAT_ACCEPT);
}

/* nft: reject with tcp reset, reject with icmp type admin-prohibited */
static void linux_reject(struct nat_config *c)
{
	linux_drop(c);
	set_unsolicited(c, NAT_REJECT_ICMP);
	for (int t = 0; t < NAT_TRANSPORTS; t++)
		c->behaviour[t].icmp_code = PROHIBITED;
	c->behaviour[NAT_TCP].unsolicited = NAT_REJECT_RST;
}

/* masquerade random: a port of its own for every flow */
static void linux_random(struct nat_config *c)
{
	linux_drop(c);
	set_mapping(c, NAT_ADDRESS_AND_PORT_DEPENDENT);
	for (int t = 0; t < NAT_TRANSPORTS; t++)
		c->behaviour[t].ports.allocation = NAT_RANDOM;
}

/* Its zone wan rejects all but pings, drops INVALID from masqueraded zones, and has its own sysctls. */
static void openwrt(struct nat_config *c)
{
	linux_drop(c);
	set_unsolicited(c, NAT_REJECT_RST);
	c->behaviour[NAT_ICMP].unsolicited = NAT_ACCEPT; /* rule Allow-Ping */
	c->errors.untracked_outward = false;
	c->behaviour[NAT_UDP].lifetimes.one_way_us = 60 * SECOND;
	c->behaviour[NAT_UDP].lifetimes.both_ways_us = 180 * SECOND;
	c->tcp.state_us[NAT_TCP_ESTABLISHED] = 7440 * SECOND;
}

/* --- carriers --- */

static void cgnat(struct nat_config *c)
{
	set_filtering(c, NAT_ADDRESS_DEPENDENT);
	set_hairpin(c, NAT_HAIRPIN_EXTERNAL);
	set_ports(c, &(struct nat_ports){.allocation = NAT_RANDOM});
	c->behaviour[NAT_UDP].lifetimes.one_way_us = 60 * SECOND;
	c->behaviour[NAT_UDP].lifetimes.both_ways_us = 60 * SECOND;
	c->limits.tell = true;
}

static void carrier_block(struct nat_config *c)
{
	set_mapping(c, NAT_ADDRESS_AND_PORT_DEPENDENT);
	set_ports(c,
		&(struct nat_ports){
			.allocation = NAT_RANDOM, .low = 1024, .high = 65535, .block = 2016});
	c->behaviour[NAT_UDP].lifetimes.one_way_us = 60 * SECOND;
	c->behaviour[NAT_UDP].lifetimes.both_ways_us = 60 * SECOND;
	c->limits.tell = true;
}

/* --- others --- */

static void rfc4787(struct nat_config *c)
{
	set_filtering(c, NAT_ENDPOINT_INDEPENDENT);
	set_hairpin(c, NAT_HAIRPIN_EXTERNAL);
	set_ports(c,
		&(struct nat_ports){
			.allocation = NAT_PRESERVING,
			.collision = NAT_COLLISION_RANDOM,
			.low = 1,
			.high = 65535,
			.classes = true,
			.parity = true,
			.contiguous = true,
		});
	c->behaviour[NAT_ICMP].ports = (struct nat_ports){.allocation = NAT_PRESERVING};
	c->behaviour[NAT_TCP].unsolicited = NAT_REJECT_ICMP;
	c->behaviour[NAT_TCP].icmp_code = 3;
	c->tcp.syn_silence_us = 6 * SECOND;
	c->echo_inward = true;
	c->limits.tell = true;
}

static void udp_blocked(struct nat_config *c)
{
	linux_drop(c);
	c->behaviour[NAT_UDP].blocked = true;
}

static void udp_rejected(struct nat_config *c)
{
	udp_blocked(c);
	c->behaviour[NAT_UDP].blocked_icmp_code = PROHIBITED;
}

/* The names first, so that they can be given away as they are. */
#define KINDS(KIND)                                                                                \
	KIND("none", none, "a router: no filter, no translation")                                  \
	KIND("firewall", firewall, "a stateful firewall without translation")                      \
	KIND("one-to-one", one_to_one, "one external address for each inside host, and no filter") \
	KIND("full-cone", full_cone, "endpoint-independent mapping and filtering, ports kept")     \
	KIND("restricted", restricted, "endpoint-independent mapping, filters by address")         \
	KIND("port-restricted", port_restricted,                                                   \
		"endpoint-independent mapping, filters by address and port")                       \
	KIND("symmetric", symmetric, "another random port for every remote endpoint")              \
	KIND("symmetric-sequential", symmetric_sequential,                                         \
		"the next port for every remote endpoint")                                         \
	KIND("symmetric-block", symmetric_block,                                                   \
		"a random port out of a block of 256 for every remote endpoint")                   \
	KIND("linux", linux_drop, "nftables masquerade, INPUT drops")                              \
	KIND("linux-accept", linux_accept,                                                         \
		"nftables masquerade, INPUT accepts: early packets make later flows move")         \
	KIND("linux-reject", linux_reject, "nftables masquerade, INPUT rejects")                   \
	KIND("linux-random", linux_random, "nftables masquerade random, INPUT drops")              \
	KIND("openwrt", openwrt, "OpenWrt with its firewall as it comes")                          \
	KIND("cgnat", cgnat,                                                                       \
		"a carrier's NAT: filters by address, hairpins, random ports, 60 s for UDP")       \
	KIND("carrier-block", carrier_block,                                                       \
		"a carrier's symmetric NAT with blocks of 2016 ports for each subscriber")         \
	KIND("rfc4787", rfc4787, "all that RFC 4787, 5382 and 5508 ask for")                       \
	KIND("udp-blocked", udp_blocked, "linux, and UDP is dropped")                              \
	KIND("udp-rejected", udp_rejected, "linux, and UDP is answered: prohibited")               \
	KIND("prefix", prefix, "IPv6 prefix translation without state (RFC 6296)")

#define NAME_AND_HELP(name, make, help) {name, help},
#define MAKER(name, make, help)		make,

static const struct nat_kind kinds[] = {KINDS(NAME_AND_HELP){NULL, NULL}};
static void (*const makers[])(struct nat_config *c) = {KINDS(MAKER)};

const struct nat_kind *nat_kinds(void)
{
	return kinds;
}

bool nat_kind_is_carrier(const char *name)
{
	return !strcmp(name, "cgnat") || !strcmp(name, "carrier-block");
}

int nat_kind_config(const char *name, struct nat_config *out)
{
	for (size_t i = 0; kinds[i].name; i++) {
		if (strcmp(kinds[i].name, name))
			continue;
		usual(out);
		makers[i](out);
		return 0;
	}
	return -ENOENT;
}
