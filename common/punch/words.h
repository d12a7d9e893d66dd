// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

/* The words of codes: lower case, each told from the others by ear. */

#define WORDS_LISTS	 2
#define WORDS_COUNT	 256 /* in each list: eight bits */
#define WORDS_LENGTH_MAX 9

/* The word in list 0 (two syllables) or 1 (three); NULL outside. */
const char *words_at(unsigned list, unsigned index);
