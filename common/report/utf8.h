// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Reads one character of a NUL-terminated string (RFC 3629): its bytes, 1 to 4, and *code; 0 when
 * the byte at text is part of no valid character, or the string ends there.
 */
size_t utf8_next(const char *text, uint32_t *code);
