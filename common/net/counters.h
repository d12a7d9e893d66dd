// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Why packets were not delivered or not sent, as this host's kernel counts it: of the whole network namespace, of which
 * others may be the packets, too. Names are those of RFC 4293, RFC 4113 and RFC 4022, or the kernel's.
 */

enum counter {
	COUNTER_IP_IN_HEADER_ERRORS,
	COUNTER_IP_IN_ADDRESS_ERRORS,
	COUNTER_IP_IN_UNKNOWN_PROTOCOLS,
	COUNTER_IP_IN_DISCARDS,
	COUNTER_IP_OUT_DISCARDS, /* also what a firewall drops that leaves this host */
	COUNTER_IP_OUT_NO_ROUTES,
	COUNTER_IP_REASSEMBLY_FAILS,
	COUNTER_IP_FRAGMENTATION_FAILS,
	COUNTER_IP_IN_CHECKSUM_ERRORS,
	COUNTER_IP_IN_NO_ROUTES,
	COUNTER_IP_IN_TRUNCATED,
	COUNTER_IP_REVERSE_PATH, /* RFC 3704: the way back is another one, or there is none */
	COUNTER_ICMP_IN_ERRORS,
	COUNTER_ICMP_IN_CHECKSUM_ERRORS,
	COUNTER_ICMP_OUT_ERRORS,
	COUNTER_ICMP_OUT_LIMIT_ALL, /* not sent: more than this host sends in a second */
	COUNTER_ICMP_OUT_LIMIT_HOST, /* to one host */
	COUNTER_TCP_IN_ERRORS,
	COUNTER_TCP_IN_CHECKSUM_ERRORS,
	COUNTER_UDP_NO_PORTS,
	COUNTER_UDP_IN_ERRORS, /* all of the next four together, but for sending */
	COUNTER_UDP_IN_BUFFER_ERRORS,
	COUNTER_UDP_OUT_BUFFER_ERRORS,
	COUNTER_UDP_IN_CHECKSUM_ERRORS,
	COUNTER_UDP_MEMORY_ERRORS,
	COUNTER_IP6_IN_HEADER_ERRORS,
	COUNTER_IP6_IN_TOO_BIG_ERRORS,
	COUNTER_IP6_IN_NO_ROUTES,
	COUNTER_IP6_IN_ADDRESS_ERRORS,
	COUNTER_IP6_IN_UNKNOWN_PROTOCOLS,
	COUNTER_IP6_IN_TRUNCATED,
	COUNTER_IP6_IN_DISCARDS,
	COUNTER_IP6_OUT_DISCARDS,
	COUNTER_IP6_OUT_NO_ROUTES,
	COUNTER_IP6_REASSEMBLY_FAILS,
	COUNTER_IP6_FRAGMENTATION_FAILS,
	COUNTER_ICMP6_IN_ERRORS,
	COUNTER_ICMP6_IN_CHECKSUM_ERRORS,
	COUNTER_ICMP6_OUT_ERRORS,
	COUNTER_ICMP6_OUT_LIMIT_HOST,
	COUNTER_UDP6_NO_PORTS,
	COUNTER_UDP6_IN_ERRORS,
	COUNTER_UDP6_IN_BUFFER_ERRORS,
	COUNTER_UDP6_OUT_BUFFER_ERRORS,
	COUNTER_UDP6_IN_CHECKSUM_ERRORS,
	COUNTER_UDP6_MEMORY_ERRORS,
	COUNTERS,
};

struct counters {
	uint64_t values[COUNTERS];
	bool known[COUNTERS]; /* kernels differ in what they count */
};

/* "UdpInErrors", as nstat(8) calls it. */
const char *counter_name(enum counter counter);

/*
 * Adds what the text has of /proc/net/snmp, netstat or snmp6; whatever else is in it is passed over. The text need not
 * end with a NUL.
 */
void counters_parse(struct counters *c, const char *text, size_t length);

/* What was counted between two readings; not known, where it was not known in both, or has gone back. */
struct counters counters_difference(const struct counters *before, const struct counters *after);

/* Reads all three files. 0, or why not even the first could be read. */
int counters_read(struct counters *out);
