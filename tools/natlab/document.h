// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <jansson.h>

#include "lab/run.h"
#include "tools/natlab/options.h"

/* The document of natlab -j: what the network was, what came of the commands, and what NATs and links did. */

struct document_facts {
	const struct natlab_params *params;
	const char *time; /* RFC 3339 */
	uint64_t duration_us;
	bool complete; /* no signal, time limit or error ended it early */
	const struct topology *topology; /* NULL: there is none */
	const struct run_result *result; /* NULL: nothing was run */
	json_t *traffic; /* of document_traffic; NULL: nothing was run */
	const char *error_code, *error; /* NULL: none */
};

/* What NATs and links have done so far: {"nats": …, "lost": …}; NULL: no memory. */
json_t *document_traffic(const struct topology *t, struct world *w);

/* NULL: no memory. */
json_t *document_make(const struct document_facts *facts);
