// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lab/commands.h"
#include "lab/topology.h"
#include "lab/world.h"

/* A laboratory from beginning to end: network, hosts, commands. */

/* Who watches it; any may be NULL. */
struct run_observer {
	void (*ready)(void *context, struct world *world); /* before the first packet */
	void (*over)(void *context, struct world *world); /* when it has come to its end */
	void (*packet)(void *context, const struct world_event *event);
	void (*table)(void *context, int node, const struct nat_event *event);
	void (*started)(void *context, size_t command);
	void (*line)(void *context, size_t command, int stream, const char *text, size_t length);
	void (*ended)(void *context, size_t command, int status);
	void (*tick)(void *context); /* every tick_us */
	uint64_t tick_us;
	void *context;
};

struct run_config {
	const struct topology *topology;
	uint64_t seed;
	const struct command *commands; /* none: it runs until it is interrupted */
	size_t command_count;
	bool terminal; /* an interrupt reaches the commands without us */
	uint64_t limit_us; /* for everything; 0: none */
	int control; /* a socket of control_listen, or -1 */
	struct run_observer observer;
};

struct run_result {
	int signal; /* SIGINT or SIGTERM: what ended it early */
	bool late; /* it took longer than limit_us */
	int statuses[COMMANDS_MAX]; /* as of commands_status */
};

/*
 * Inside of isolate_run, as root of the user namespace. Negative errno with one line in error: it could not begin,
 * or not go on.
 */
int laboratory_run(
	const struct run_config *config, struct run_result *out, char *error, size_t size);
