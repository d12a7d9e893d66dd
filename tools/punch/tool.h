// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>

#include "base/options.h"

/* udppunch and tcppunch: options, run, report, exit status. */

struct punch_tool {
	const char *name;
	bool tcp;
	const struct option_table *options;
};

/* All of main(). */
int punch_main(const struct punch_tool *tool, int argc, char **argv);
