// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "report/expect.h"
#include "report/terminal.h"

/*
 * Arguments that options of several tools have in common. option is the long name, for the message. 0, or -EINVAL with
 * one line in error.
 */

struct argument_error {
	char *text;
	size_t size;
};

/* An address goes to the one of its family in source; else it is the name of an interface. */
int argument_interface(const char *text, struct endpoint source[static 2], const char **interface,
	struct argument_error error);
/* ADDR[:PORT] */
int argument_bind(const char *text, struct endpoint source[static 2], struct argument_error error);
/* range is min and max in words: "100ms and 1h". */
int argument_time(const char *option, const char *text, uint64_t min_us, uint64_t max_us,
	const char *range, uint64_t *out_us, struct argument_error error);
int argument_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out,
	struct argument_error error);
int argument_color(const char *text, enum color_when *out, struct argument_error error);
/* A file beside the results: not standard output, where those go. */
int argument_file(
	const char *option, const char *text, const char **out, struct argument_error error);
int argument_expectation(const char *text, struct expectations *list, struct argument_error error);

/*
 * After a command line that could not be read: was JSON asked for in it? "-4j" asks, too. Sets to true what was found,
 * so that also a wrong command line gets its answer in JSON.
 */
void argument_find_json(int argc, char **argv, bool *json, bool *json_lines);
