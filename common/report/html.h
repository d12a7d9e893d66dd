// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdio.h>

#include <jansson.h>

/*
 * A natprobe-report or a punch-report as one page of HTML that needs nothing else: no script, nothing that is
 * loaded from anywhere. It is made from the JSON document alone, which may come from a stranger: keys may
 * be missing or of another type, and everything in it is escaped. Each table has an end, too.
 */

/* 0, -ENOMEM, or -EIO when out took not everything. */
int html_render(const json_t *document, FILE *out);
