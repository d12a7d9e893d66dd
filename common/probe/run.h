// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "base/serverlist.h"
#include "journal/journal.h"
#include "net/watch.h"

/* A whole run over real sockets: names are resolved, each address family has its prober. */

struct run_config {
	const struct server_spec *servers;
	size_t server_count;
	bool ipv4, ipv6;
	bool numeric; /* do not ask the resolver: names fail */
	unsigned tests; /* of enum probe_test */
	uint64_t limit_us;
	const char *interface; /* or NULL */
	struct endpoint
		source[2]; /* local address, and port of the first socket, for IPv4 and IPv6;
				      FAMILY_NONE: the kernel chooses */
	int raw[2]; /* raw sockets of ICMP and ICMPv6 (net/icmp.h), the caller's; -1: none */
	int raw_error[2]; /* positive errno, why not */
	void (*progress)(
		void *context, const struct journal *journal, uint64_t now_us); /* or NULL */
	void *progress_context;
	struct watch watch;
};

struct run_result {
	int signal; /* that ended the run early; 0: none */
	int error; /* negative errno: of the first socket that could not be opened; 0: none */
};

/*
 * Runs until all is settled, the limit is reached, or SIGINT or SIGTERM comes. 0, or a negative errno
 * when the run could not begin.
 */
int run_probe(const struct run_config *config, struct journal *journal, struct random *random,
	struct run_result *result);
