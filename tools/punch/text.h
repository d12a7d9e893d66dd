// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <jansson.h>

#include "report/text.h"

/* The report of a punch for people, made from its document alone. 0, -ENOMEM, or -EIO when out took not everything. */
int punch_text(const json_t *document, const struct text_options *options, FILE *out);

/* One line for scripts: "udp LOCAL PEER"; nothing when there is no way. 0 or -EIO. */
int punch_print(const json_t *document, FILE *out);
