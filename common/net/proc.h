// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdint.h>

/* Small files of /proc, which everybody may read. */

/* The whole file, and a final NUL. Its length, -EFBIG when it does not fit, or another negative errno. */
int proc_read(const char *path, char *buffer, size_t size);

/* A file that holds one number and nothing else. 0, -EINVAL, or another negative errno. */
int proc_number(const char *path, uint64_t *out);
