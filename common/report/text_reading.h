// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "report/text.h"

/* A capture-report for people, made from the document alone as in text.h. 0, -ENOMEM, or -EIO. */
int text_reading(const json_t *document, const struct text_options *options, FILE *out);
