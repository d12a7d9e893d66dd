// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "tools/punch/options.h"

/* udppunch, tcppunch and icmppunch: options, run, report, exit status. */

struct punch_tool {
	const char *name;
	enum punch_kind kind;
};

/* All of main(). */
int punch_main(const struct punch_tool *tool, int argc, char **argv);
