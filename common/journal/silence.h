// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "journal/journal.h"

/*
 * When silence means something: the chance that all missing answers were merely lost, by the loss that
 * the same server's path has shown in this run.
 */

/* Requests that left for questions which this server answered in the end, and how many were in vain. */
void silence_loss(const struct journal *j, size_t server, unsigned *requests, unsigned *lost);

/* The chance, 0 to 1, that `awaited` answers were all lost. */
double silence_risk(unsigned requests, unsigned lost, unsigned awaited);

/* Whether that chance is small enough to call silence an answer: at most one in a thousand. */
bool silence_proved(const struct journal *j, size_t server, unsigned awaited);

/*
 * Whether to stop asking while the run goes on. Where receipts count, with a reserve, so that losses
 * that show later do not undo it; without, the questions that follow will add to what is known.
 */
bool silence_sufficient(const struct journal *j, size_t server, unsigned awaited, bool receipts);
