// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lab/hosts.h"

/*
 * Commands on hosts. Daemons are started first; the others when each daemon has opened all its sockets, each at its
 * own time. When these are done, the daemons are ended.
 */

#define COMMANDS_MAX	   1024
#define COMMAND_LINE_MAX   65536 /* a longer line is given out in parts */
#define COMMANDS_UNSTARTED -1

struct command {
	int node;
	const char *host; /* its name, for messages */
	const char *shell; /* what /bin/sh runs; NULL: argv, by PATH */
	char *const *argv;
	bool daemon;
	bool passthrough; /* it has our own standard streams: nothing is read from it */
	uint64_t delay_min_us, delay_max_us; /* one evenly chosen is waited for before the start */
};

struct commands_config {
	const struct command *list;
	size_t count;
	uint64_t seed;
	/* Lines without their end. stream: 1 or 2. */
	void (*line)(void *context, size_t command, int stream, const char *text, size_t length);
	void (*started)(void *context, size_t command);
	/* status: of exit, or 128 and the signal. */
	void (*ended)(void *context, size_t command, int status);
	/* All are done. error: NULL, or why it could not go on; what runs is being ended. */
	void (*done)(void *context, const char *error);
	void *context;
};

struct commands;

/* Begins. Reaps all children of the process, which are only its own. 0 or a negative errno. */
int commands_begin(struct event_base *base, const struct hosts *hosts,
	const struct commands_config *config, struct commands **out);

/* Sends the signal to all that run, starts no others, and kills what is left after two seconds. */
void commands_stop(struct commands *c, int signal);

/* The status of a command: of exit, 128 and the signal, or COMMANDS_UNSTARTED. */
int commands_status(const struct commands *c, size_t command);

/* Kills what is left. */
void commands_destroy(struct commands *c);
