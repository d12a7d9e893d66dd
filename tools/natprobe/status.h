// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/behaviour.h"
#include "probe/run.h"
#include "tools/natprobe/options.h"

/* Exit status: natprobe(1), EXIT STATUS. It never depends on the output format nor on the kind of NAT. */

enum status {
	STATUS_DONE = 0,
	STATUS_NEGATIVE = 1, /* no server answered, or an expectation was not met */
	STATUS_USAGE = 2,
	STATUS_ENVIRONMENT = 3,
	STATUS_PROTOCOL = 4, /* servers answered, and none can be believed */
	STATUS_PARTIAL = 5, /* something that was asked for stayed unknown */
};

/* The status of a finished run; message gets a line for stderr, or is left empty. */
int status_of(const struct natprobe_params *p, const struct journal *j, const struct verdict *v,
	const struct run_result *result, char *message, size_t size);

/* The word for a status in errors[].code. */
const char *status_code(int status);
