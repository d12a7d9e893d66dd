// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <jansson.h>

#include "report/text.h"

#define PUNCH_FORMAT	     "punch-report"
#define PUNCH_FORMAT_VERSION 1

/* A punch-report for people, made from the document alone as in text.h. 0, -ENOMEM, or -EIO. */
int text_punch(const json_t *document, const struct text_options *options, FILE *out);

/* One line for scripts: "udp LOCAL PEER"; nothing when there is no way. 0 or -EIO. */
int text_punch_line(const json_t *document, FILE *out);
