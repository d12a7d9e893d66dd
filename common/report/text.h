// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

/*
 * A report for people. It is made from the JSON document alone, so a saved report prints as it did
 * when it was made. The document may come from a stranger: keys may be missing or of another type,
 * and everything in it is escaped before it is printed.
 */

struct text_options {
	unsigned width; /* columns; 0: 80 */
	bool utf8; /* else ASCII only */
	bool color;
	bool brief; /* -q: the answers only */
	bool reason; /* --reason: the evidence behind each verdict */
	bool verbose; /* -v: also the servers without problems */
};

/* The whole natprobe-report. 0, -ENOMEM, or -EIO when out took not everything. */
int text_render(const json_t *document, const struct text_options *options, FILE *out);

/* The same of any report, by its format: also a punch-report or a capture-report. */
int text_report(const json_t *document, const struct text_options *options, FILE *out);

/*
 * --short: one word per address family that was tested, IPv4 first, each on a line of its own:
 *   MAPPING/FILTERING   "endpoint-independent/address-and-port-dependent", "unknown/unknown"
 *   no-nat/FILTERING    there is no NAT; the filtering is that of firewalls
 *   blocked, unreachable
 * and the one word "untested" when no family was. Of a punch-report "connected", or the failure; of a
 * capture-report the id of the main cause, or "none". 0 or -EIO.
 */
int text_short(const json_t *document, FILE *out);
