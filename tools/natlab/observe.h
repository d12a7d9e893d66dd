// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "lab/capture.h"
#include "lab/run.h"
#include "tools/natlab/document.h"
#include "tools/natlab/events.h"
#include "tools/natlab/options.h"
#include "tools/natlab/screen.h"

/* What a laboratory shows while it runs: the output of its commands, events, a live view, a capture. */

struct observe {
	const struct natlab_params *params;
	const struct topology *topology;
	struct world *world;
	struct capture *capture;
	struct events events;
	struct screen screen;
	bool colored;
	int name_width; /* of the longest host name with a command */
	bool failed; /* output could not be written */
	json_t *traffic; /* what NATs and links have done, when it is over */
};

/* Fills in the observer. Negative with one line in error. */
int observe_begin(struct observe *o, const struct natlab_params *p, const struct topology *t,
	uint64_t start_us, struct run_observer *out, char *error, size_t size);

/* Negative with one line in error: something could not be written. */
int observe_end(struct observe *o, char *error, size_t size);

/* The document to stdout, if it was asked for, whatever happened: 0, -ENOMEM or -EIO. */
int observe_document(
	struct observe *o, const struct natlab_params *p, const struct document_facts *facts);
