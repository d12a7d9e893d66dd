// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>

#include "punch/code.h"

/*
 * The code that the two have agreed on: from the command line (text), from a file ("-" is standard input), else from
 * NATUTILS_CODE. 0; -ENODATA: none was given; -EINVAL: it is none; or what reading the file says, with one line in error,
 * which does not repeat the secret.
 */
int secret_find(const char *text, const char *file, struct code *out, char *error, size_t size);
