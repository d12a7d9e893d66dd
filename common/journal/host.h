// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"

/*
 * What this host's system says about itself beside its sockets: why packets that came in were not delivered, and which
 * way others should have taken. All of the whole network namespace, in which other programs may be at work, too.
 */

#define HOST_INTERFACES 64
#define HOST_ADDRESSES	64
#define HOST_WAYS	32

struct host_interface {
	unsigned index;
	char name[32];
	bool loopback;
	bool tunnel; /* a VPN or the like: what leaves there is wrapped into other packets */
	bool strict; /* reverse-path filtering (RFC 3704) of IPv4: by the way back through this interface */
};

/* The way to an address by the main table of routes, as if there were no rules of policy. */
struct host_way {
	struct endpoint to;
	unsigned interface; /* index; 0: there is none, or more than one */
	unsigned
		back; /* index of where reverse-path filtering expects what it sends; 0: not known */
	bool specific; /* by a route that is not the default one */
	bool neighbour; /* … without a router */
	int refused; /* errno: by all rules a route lets nothing out to it; 0: not so, or nobody has asked */
};

/* Since the run began. */
struct host_counters {
	bool known;
	uint64_t reverse_path; /* packets dropped since the way back is another one */
	uint64_t checksums; /* since a checksum was wrong */
	uint64_t buffers; /* since a socket had no room */
	uint64_t routes; /* that could not leave: no route */
	uint64_t out_discards; /* … by a firewall, or for want of room */
};

struct host_record {
	struct host_interface interfaces[HOST_INTERFACES];
	size_t interface_count;
	struct endpoint addresses[HOST_ADDRESSES]; /* by which others may reach it; port 0 */
	size_t address_count;
	struct host_counters counters;
	unsigned links; /* interfaces that are up, besides loopback */
	bool chosen; /* the user has named the interface or the source */
	struct host_way ways[HOST_WAYS]; /* to those that packets went to */
	size_t way_count;
};

/* NULL: it is not known. */
const struct host_interface *host_interface(const struct host_record *h, unsigned index);

/* NULL: it is not known. h: NULL knows none. */
const struct host_way *host_way(const struct host_record *h, const struct endpoint *to);

/* Whether this errno of a refusal to send comes from its routes, and not from a firewall. h: NULL knows nothing. */
bool host_routes_refuse(const struct host_record *h, const struct endpoint *to, int error);

/* Whether the address is one of its own. h: NULL knows none. */
bool host_has_address(const struct host_record *h, const struct endpoint *e);
