// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdio.h>

#include "journal/captured.h"
#include "journal/journal.h"

/*
 * Writes the packets that were kept whole as a pcapng file, each with what it means in the run as a comment; their numbers
 * in the file are those of their descriptions. application: who writes; journal: NULL where there is none. 0, -ENOMEM or
 * -EIO.
 */
int report_pcap(const struct captured_list *l, const struct journal *journal,
	const char *application, FILE *out);
