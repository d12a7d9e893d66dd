// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "journal/captured.h"
#include "journal/journal.h"
#include "judge/causes.h"

/* What a captured packet means in its run, in words and as what the report draws. After join.h. */

#define MEANING_TEXT 200

/* "filtering-port of stun.example.net: request, copy 2 of 3, no answer"; j: NULL where there is no journal. */
void meaning_text(const struct journal *j, const struct captured *c, char out[static MEANING_TEXT]);

/* Who has sent it, as far as it shows. */
enum place meaning_device(const struct captured *c);

/* Hops to its sender, itself included; CAUSE_HOPS_UNKNOWN: it is this host, or not known. */
int meaning_hops(const struct captured *c);

/* "port unreachable", "time exceeded" … */
const char *meaning_icmp(enum family family, uint8_t type, uint8_t code);
