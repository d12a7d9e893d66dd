// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/options.h"
#include "report/expect.h"
#include "report/terminal.h"
#include "tools/servers.h"

/* natprobe's options: their table, and what they come to. */

extern const struct option_table natprobe_options;

struct natprobe_params {
	bool ipv4, ipv6, numeric, json, json_lines, reason, explain, brief, short_form, verbose,
		help, version;
	unsigned tests; /* of enum probe_test */
	unsigned tests_named; /* those that -t names one by one: they have to be answered */
	uint64_t limit_us;
	const char *interface, *output, *pcap, *html, *read;
	struct endpoint source[2]; /* for IPv4 and IPv6 */
	enum color_when color;
	struct expectations expectations;
	struct server_list list;
};

/* 0, or -EINVAL with one line in error. JSON flags are set also then, if they stand in argv. */
int natprobe_parse(int argc, char **argv, struct natprobe_params *out, char *error, size_t size);

#define NATPROBE_TESTS 11 /* names, with the NULL at their end */

/* Names of the tests in `tests`, NULL at the end. Returns their number. */
size_t natprobe_test_names(unsigned tests, const char *names[static NATPROBE_TESTS]);
