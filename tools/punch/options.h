// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/options.h"
#include "report/expect.h"
#include "report/terminal.h"
#include "tools/servers.h"

/* The command lines of udppunch, tcppunch and icmppunch. */

enum punch_kind { PUNCH_UDP, PUNCH_TCP, PUNCH_ICMP };

struct punch_params {
	enum punch_kind kind;
	bool tcp; /* … of the way: else UDP */
	bool ipv4, ipv6, numeric;
	bool manual, json, json_lines, print, stdio, hold, quiet, verbose, explain, help, version;
	struct server_spec server;
	bool has_server;
	struct server_list stun; /* of --manual, and for icmppunch */
	bool wait; /* for a knock */
	bool classic; /* … as classic.h says; IPv4 only then */
	struct server_spec address; /* to knock at */
	bool has_address;
	struct endpoint dark[2]; /* FAMILY_NONE: not given */
	const char *code, *code_file; /* NULL: not given */
	const char *interface, *output, *pcap, *html, *exec;
	struct endpoint listen, target; /* FAMILY_NONE: not given */
	struct endpoint source[2]; /* IPv4, IPv6; FAMILY_NONE: any */
	uint64_t limit_us, interval_us, count;
	uint64_t packets, sockets, rate; /* budget; of TCP connections */
	struct expectations expectations;
	enum color_when color;
};

extern const struct option_table punch_options[]; /* by kind */

/* 0, or -EINVAL with one line in error. JSON flags are set also then, if they stand in argv. */
int punch_parse(enum punch_kind kind, int argc, char **argv, struct punch_params *out, char *error,
	size_t size);
