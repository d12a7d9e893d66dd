// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>

#include "journal/journal.h"
#include "tools/natprobe/options.h"

/* What happens meanwhile, on stderr: one changing line on a terminal, or with -v every packet. */

struct progress {
	bool line_shown;
};

/* Whether there is a line to show. */
bool progress_begin(struct progress *p, const struct natprobe_params *params);
void progress_show(void *context, const struct journal *j, uint64_t now_us);
/* A journal_listener. */
void progress_packet(void *context, const struct journal *j, const struct event *e);
void progress_end(struct progress *p);
