// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "journal/captured.h"

/* The talks of a list: see captured.h, which alone includes this. */

#define TALK_SLOTS (4 * TALKS_MAX) /* of the hash: a power of two */

/*
 * Counts the packet in its talk, whose place it gets; an ICMP error in that of the packet which it quotes. Whether it
 * is worth to be described: questions, answers and errors always are, of what else there is the first ones.
 */
bool talks_count(struct captured_list *l, struct captured *c);
