// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/reading.h"

/* Why flows failed: after all else is read. */
void reading_causes(const struct captured_list *l, struct reading *r);
