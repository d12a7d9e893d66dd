// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What this host says about itself to everybody: its interfaces, and its table of connections. Of the network
 * namespace that asks. For counters see net/counters.h, for routes net/route.h.
 */

#define HOST_FACTS_NAME 16

enum host_facts_kind {
	HOST_FACTS_LINK, /* Ethernet, wireless … */
	HOST_FACTS_LOOPBACK,
	HOST_FACTS_TUNNEL, /* what leaves there is wrapped into other packets, or handed to a program */
	HOST_FACTS_POINT_TO_POINT, /* PPP, a mobile network: may be a tunnel or not */
};

struct host_facts_interface {
	unsigned index;
	char name[HOST_FACTS_NAME];
	enum host_facts_kind kind;
	bool up;
	uint32_t mtu;
	/* reverse-path filtering of IPv4 (RFC 3704): 0 none, 1 strict, 2 loose (feasible paths); -1: not known */
	int rp_filter;
};

/* 0, -ENODEV: there is no such interface, or another negative errno. */
int host_facts_interface(unsigned index, struct host_facts_interface *out);

/* By the flags and the type of a link (netdevice(7)) and the name of its kind, "" where it has none. */
enum host_facts_kind host_facts_kind(unsigned flags, unsigned type, const char *kind);

/*
 * How many connections the firewall of this host keeps track of, and for how many there is room. -ENOENT: it does not,
 * or does not say.
 */
int host_facts_connections(uint64_t *count, uint64_t *limit);
