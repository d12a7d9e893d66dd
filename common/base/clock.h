// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdint.h>

/* Microseconds since an arbitrary moment, never going back; counts on while the machine sleeps. */
uint64_t clock_now_us(void);

/* Microseconds of UTC since 1970, as this host's clock shows them. */
uint64_t clock_utc_us(void);

/* The same in nanoseconds: what the kernel takes sequence numbers from. */
uint64_t clock_utc_ns(void);

/* "2026-11-20T10:00:00.123Z" and the final NUL. */
#define CLOCK_TEXT 48

/* The current time of day as RFC 3339, UTC, with milliseconds; returns buf. */
char *clock_rfc3339(char buf[static CLOCK_TEXT]);
