// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"

/*
 * Which packets a capture lets in, as a program of classic BPF for packets that begin with their IP header. It lets in
 * too much rather than too little: ranges of ports that lie near each other become one when there are too many, every
 * later fragment of UDP and ICMP passes, and so does IPv6 with extension headers, for a program without loops cannot
 * follow them. Who reads the packets looks at the ports again.
 */

enum capture_kind {
	CAPTURE_UDP = 0, /* by port, source or destination */
	CAPTURE_TCP,
	CAPTURE_ECHO, /* by identifier, of ICMP and ICMPv6, requests and replies */
};

#define CAPTURE_RANGES_MAX  64
#define CAPTURE_HOSTS_MAX   4
#define CAPTURE_PROGRAM_MAX 512 /* instructions */

/* Of a kind: both have the kind above the lower 16 bits. */
struct capture_range {
	uint32_t first, last;
};

/* All zeros: it lets nothing in. */
struct capture_filter {
	struct capture_range ranges[CAPTURE_RANGES_MAX + 1]; /* sorted, and never side by side */
	size_t range_count;
	struct endpoint hosts[CAPTURE_HOSTS_MAX];
	size_t host_count;
};

/*
 * Lets in packets of this port in either direction, IPv4 and IPv6, and ICMP and ICMPv6 errors that quote one. Whether
 * that has changed the program.
 */
bool capture_filter_watch(struct capture_filter *f, enum capture_kind kind, uint16_t port);

/*
 * Lets in all ICMP or ICMPv6 from and to this address. 1: that has changed the program; 0: it has not; -ENOSPC: there
 * are CAPTURE_HOSTS_MAX already; -EINVAL: no address.
 */
int capture_filter_watch_host(struct capture_filter *f, const struct endpoint *host);

/* Writes the program, of CAPTURE_PROGRAM_MAX instructions at most. Its length. */
size_t capture_filter_program(
	const struct capture_filter *f, struct sock_filter program[static CAPTURE_PROGRAM_MAX]);
