// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "lab/run.h"
#include "tools/natlab/options.h"

/*
 * What happens in a laboratory, as JSON lines or as lines for people: mappings and sessions that come and go,
 * packets that are dropped or lost, commands that begin and end. Output of commands is an event, too.
 */

struct events {
	FILE *out;
	bool json;
	const struct topology *topology;
	const struct natlab_params *params;
	uint64_t start_us, sequence;
	bool failed; /* a line could not be made or written */
};

void events_packet(struct events *e, const struct world_event *event);
void events_table(struct events *e, int node, const struct nat_event *event);
void events_started(struct events *e, size_t command);
void events_line(struct events *e, size_t command, int stream, const char *text);
void events_ended(struct events *e, size_t command, int status);

/* {"event":"end","report":{…}}; JSON only. */
void events_end(struct events *e, json_t *document);
