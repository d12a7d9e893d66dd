// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdlib.h>

#include "report/make.h"
#include "report/terminal.h"

void make_set(struct maker *m, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		m->failed = true;
}

void make_append(struct maker *m, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		m->failed = true;
}

json_t *make_text(const char *text)
{
	char *valid;
	json_t *value;

	if (!text || !*text)
		return json_null();
	valid = terminal_valid_utf8(text);
	value = valid ? json_string(valid) : NULL;
	free(valid);
	return value;
}

json_t *make_address(const struct endpoint *e)
{
	char text[ENDPOINT_TEXT];

	if (e->family == FAMILY_NONE)
		return json_null();
	return json_string(endpoint_format_address(e, text));
}

json_t *make_endpoint(struct maker *m, const struct endpoint *e)
{
	json_t *value;

	if (e->family == FAMILY_NONE)
		return json_null();
	value = json_object();
	make_set(m, value, "address", make_address(e));
	make_set(m, value, "port", json_integer(e->port));
	return value;
}

json_t *make_ms(uint64_t us)
{
	return json_real((double)us / 1000);
}

json_t *make_number_or_null(json_int_t number)
{
	return number ? json_integer(number) : json_null();
}
