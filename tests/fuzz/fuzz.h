// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a target promises; the engine takes the abort for a find. */
#define require(holds) fuzz_require(holds, #holds, __func__)

static inline void fuzz_require(bool holds, const char *what, const char *where)
{
	if (holds)
		return;
	fprintf(stderr, "%s: not so: %s\n", where, what);
	abort();
}
