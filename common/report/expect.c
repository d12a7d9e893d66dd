// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "report/expect.h"
#include "report/terminal.h"

#define KEY_BYTES 128

/* A path with "[n]" written as ".n", so that one separator is left. */
static bool next_key(const char **path, const char *end, char key[static KEY_BYTES])
{
	const char *p = *path;
	size_t length = 0;
	bool bracket = p < end && *p == '[';

	if (bracket)
		p++;
	for (; p < end && *p != '.' && *p != '[' && *p != ']'; p++) {
		if (length + 1 >= KEY_BYTES)
			return false;
		key[length++] = *p;
	}
	key[length] = '\0';
	if (bracket != (p < end && *p == ']') || !length)
		return false;
	p += bracket;
	if (p < end && *p == '.') {
		if (++p == end || *p == '[')
			return false;
	} else if (p < end && *p != '[') {
		return false;
	}
	*path = p;
	return true;
}

int expect_check_syntax(const char *argument)
{
	const char *end = strchr(argument, '=');
	char key[KEY_BYTES];

	if (!end || end == argument)
		return -EINVAL;
	while (argument < end)
		if (!next_key(&argument, end, key))
			return -EINVAL;
	return 0;
}

static const json_t *step(const json_t *value, const char *key)
{
	uint64_t place;

	if (json_is_object(value))
		return json_object_get(value, key);
	if (json_is_array(value) && !number_from_text(key, 0, UINT32_MAX, &place))
		return json_array_get(value, (size_t)place);
	return NULL;
}

/* Strings as they are, all else as JSON. The caller frees it. */
static char *value_text(const json_t *value)
{
	if (json_is_string(value))
		return strdup(json_string_value(value));
	return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
}

int expect_compare(const json_t *document, const char *argument, enum expect_result *result,
	char *actual, size_t actual_size)
{
	const char *end = strchr(argument, '='), *path = argument;
	const json_t *value = document;
	char key[KEY_BYTES];
	char *text;

	snprintf(actual, actual_size, "%s", "");
	if (expect_check_syntax(argument))
		return -EINVAL;
	while (path < end && value) {
		if (!next_key(&path, end, key))
			return -EINVAL;
		value = step(value, key);
	}
	*result = EXPECT_NO_PATH;
	if (!value)
		return 0;
	text = value_text(value);
	if (!text)
		return -ENOMEM;
	snprintf(actual, actual_size, "%s", text);
	*result = strcmp(text, end + 1) ? EXPECT_MISMATCH : EXPECT_MATCH;
	free(text);
	return 0;
}

unsigned expect_all(const char *tool, const json_t *document, const struct expectations *e)
{
	unsigned failed = 0;

	for (size_t i = 0; i < e->count; i++) {
		enum expect_result result;
		char actual[256];
		char *text;

		if (!expect_compare(document, e->all[i], &result, actual, sizeof(actual)) &&
			result == EXPECT_MATCH)
			continue;
		failed++;
		text = terminal_escape(actual, terminal_utf8());
		fprintf(stderr, "%s: expected %s, %s%s\n", tool, e->all[i],
			result == EXPECT_NO_PATH ? "but there is no such place" : "but it is ",
			result == EXPECT_NO_PATH || !text ? "" : text);
		free(text);
	}
	return failed;
}
