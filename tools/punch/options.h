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

/* The command line of udppunch and tcppunch. */

struct punch_params {
	bool tcp;
	bool ipv4, ipv6, numeric;
	bool manual, json, json_lines, print, stdio, hold, quiet, verbose, help, version;
	struct server_spec server;
	bool has_server;
	struct server_list stun; /* of --manual */
	const char *code, *code_file; /* NULL: not given */
	const char *interface, *output, *exec;
	struct endpoint listen, target; /* FAMILY_NONE: not given */
	struct endpoint source[2]; /* IPv4, IPv6; FAMILY_NONE: any */
	uint64_t limit_us, interval_us, count;
	uint64_t packets, sockets, rate; /* budget; of TCP connections */
	struct expectations expectations;
	enum color_when color;
};

extern const struct option_table udppunch_options, tcppunch_options;

/* 0, or -EINVAL with one line in error. JSON flags are set also then, if they stand in argv. */
int punch_parse(
	bool tcp, int argc, char **argv, struct punch_params *out, char *error, size_t size);
