// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdint.h>

/* Numbers and times from text, with a range; nothing may follow the number. */

/* A decimal number within [min, max]: 0, -EINVAL (not a number), -ERANGE (outside). */
int number_from_text(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/*
 * A time: a decimal number with an optional fraction and one of the units us, ms, s, m, h; bare
 * means seconds. Microseconds in *out_us, within [min_us, max_us]. 0, -EINVAL or -ERANGE.
 */
int duration_from_text(const char *text, uint64_t min_us, uint64_t max_us, uint64_t *out_us);
