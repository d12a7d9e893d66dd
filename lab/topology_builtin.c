// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "lab/topology.h"

/* 50 ms from a host to the server and back, 80 ms from one home to another. */
#define HOME   "link delay=20ms hops=2\n"
#define LAN    "link delay=0 hops=0\n"
#define SERVER "link delay=5ms hops=1\nhost server\n"

static const struct topology_builtin builtins[] = {
	{"home", "host a behind nat a, and a server",
		HOME "nat a\n" LAN "host a behind=a\n" SERVER},
	{"pair", "hosts a and b, each behind a NAT of its own, and a server",
		HOME "nat a\nnat b\n" LAN "host a behind=a\nhost b behind=b\n" SERVER},
	{"lan", "hosts a and b behind one nat a, and a server",
		HOME "nat a\n" LAN "host a behind=a\nhost b behind=a\n" SERVER},
	{"double", "host a behind nat a, which is behind the carrier's nat isp, and a server",
		HOME "nat isp kind=cgnat\nlink hops=0 delay=2ms\nnat a behind=isp\n" LAN
		     "host a behind=a\n" SERVER},
	{"carrier",
		"hosts a and b behind nats of their own, both behind the carrier's nat isp, and a "
		"server",
		HOME "nat isp kind=cgnat\nlink hops=0 delay=2ms\nnat a behind=isp\nnat b "
		     "behind=isp\n" LAN "host a behind=a\nhost b behind=b\n" SERVER},
	{NULL, NULL, NULL},
};

const struct topology_builtin *topology_builtins(void)
{
	return builtins;
}
