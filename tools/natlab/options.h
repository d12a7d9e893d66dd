// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/options.h"
#include "lab/commands.h"
#include "report/terminal.h"

/* The command line of natlab. */

#define NATLAB_NATS_MAX 256

extern const struct option_table natlab_options, natlab_exec_options;

struct natlab_params {
	const char *topology; /* a name or a file; NULL: made from --nat */
	const char *nats[NATLAB_NATS_MAX];
	size_t nat_count;
	const char *links;
	struct natlab_command {
		const char *host;
		const char *shell; /* NULL: the arguments behind "--" */
		char **argv;
		bool daemon;
		uint64_t delay_min_us, delay_max_us;
	} commands[COMMANDS_MAX];
	size_t command_count;
	char *names; /* of the hosts, taken out of the arguments; freed by natlab_forget */
	bool ipv4, ipv6, json, json_lines, quiet, verbose, show, watch, help, version;
	const char *list, *pcap;
	bool has_seed;
	uint64_t seed, limit_us;
	enum color_when color;
};

/* -EINVAL with one line in error. The strings are those of argv. */
int natlab_parse(int argc, char **argv, struct natlab_params *out, char *error, size_t size);
void natlab_forget(struct natlab_params *p);

struct natlab_exec_params {
	int laboratory; /* 0: the only one */
	bool help, version;
	const char *host;
	char **argv; /* NULL-terminated; empty: a shell */
};

/* The same for "natlab exec", with argv beginning at "exec". */
int natlab_exec_parse(
	int argc, char **argv, struct natlab_exec_params *out, char *error, size_t size);
