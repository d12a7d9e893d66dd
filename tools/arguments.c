// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "tools/arguments.h"

static int parse_source(const char *text, struct endpoint source[static 2])
{
	struct endpoint e;

	if (endpoint_parse(text, 0, &e))
		return -EINVAL;
	source[e.family == FAMILY_IPV6] = e;
	return 0;
}

int argument_interface(const char *text, struct endpoint source[static 2], const char **interface,
	struct argument_error error)
{
	if (!parse_source(text, source))
		return 0;
	if (*text && strlen(text) < IFNAMSIZ) {
		*interface = text;
		return 0;
	}
	snprintf(error.text, error.size,
		"--interface: \"%s\" is neither an interface nor an address", text);
	return -EINVAL;
}

int argument_bind(const char *text, struct endpoint source[static 2], struct argument_error error)
{
	if (!parse_source(text, source))
		return 0;
	snprintf(error.text, error.size, "--bind: \"%s\" is not an address", text);
	return -EINVAL;
}

int argument_time(const char *option, const char *text, uint64_t min_us, uint64_t max_us,
	const char *range, uint64_t *out_us, struct argument_error error)
{
	int err = duration_from_text(text, min_us, max_us, out_us);

	if (err == -ERANGE)
		snprintf(error.text, error.size, "--%s: \"%s\" is not between %s", option, text,
			range);
	else if (err)
		snprintf(error.text, error.size,
			"--%s: \"%s\" is not a time (a number and us, ms, s, m or h)", option,
			text);
	return err ? -EINVAL : 0;
}

int argument_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out,
	struct argument_error error)
{
	if (!number_from_text(text, min, max, out))
		return 0;
	snprintf(error.text, error.size,
		"--%s: \"%s\" is not a number from %" PRIu64 " to %" PRIu64, option, text, min,
		max);
	return -EINVAL;
}

int argument_color(const char *text, enum color_when *out, struct argument_error error)
{
	if (!terminal_color_from_text(text, out))
		return 0;
	snprintf(error.text, error.size, "--color: \"%s\" is none of: auto always never", text);
	return -EINVAL;
}

int argument_file(
	const char *option, const char *text, const char **out, struct argument_error error)
{
	*out = text;
	if (strcmp(text, "-") != 0)
		return 0;
	snprintf(error.text, error.size, "--%s: \"-\" would mix with the report: name a file",
		option);
	return -EINVAL;
}

int argument_expectation(const char *text, struct expectations *list, struct argument_error error)
{
	if (expect_check_syntax(text)) {
		snprintf(error.text, error.size, "--expect: \"%s\" is not PATH=VALUE", text);
		return -EINVAL;
	}
	if (list->count >= EXPECTATIONS_MAX) {
		snprintf(
			error.text, error.size, "--expect: more than %d of them", EXPECTATIONS_MAX);
		return -EINVAL;
	}
	list->all[list->count++] = text;
	return 0;
}

void argument_find_json(int argc, char **argv, bool *json, bool *json_lines)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *word = argv[i];
		bool letters = *word == '-' && !word[1 + strspn(word + 1, "46njJqvhV")];

		*json |= !strcmp(word, "--json") || (letters && strchr(word, 'j'));
		*json_lines |= !strcmp(word, "--json-lines") || (letters && strchr(word, 'J'));
	}
}
