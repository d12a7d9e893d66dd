// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/explain.h"

/* What explanations of UDP and TCP share. */

/* Whether this side, the other or both are meant: "this", "the other", "each"; NULL for none. */
const char *explain_whose(bool own, bool peer);
unsigned explain_of_hundred(double chance);

/* Certain: ICMP errors that came for packets to the peer, the most frequent ones first. */
void explain_errors(struct explanation *e, const struct trail *t);
/* … and what the peer says of those that came to it. */
void explain_said_error(struct explanation *e, const struct explain_peer *p);
/* Likely: who answers with errors says how far our packets got. */
void explain_refusal(struct explanation *e, const struct trail *t);
/* Likely: how often guesses do not meet. */
void explain_luck(struct explanation *e, const struct plans *plans, bool both_hard);
/* To try next. */
void explain_other_family(struct explanation *e, enum family family, bool possible);
void explain_once_more(struct explanation *e, const struct plans *plans);
