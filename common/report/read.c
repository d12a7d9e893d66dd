// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/document.h"
#include "report/document_reading.h"
#include "report/read.h"
#include "report/terminal.h"
#include "report/text_punch.h"

/*
 * Depth and number of values, counted before a parser allocates anything: a small file of brackets
 * and commas would otherwise become gigabytes. Errors of syntax are left to the parser.
 */
static int check_shape(const char *data, size_t length, char *error, size_t error_size)
{
	size_t depth = 0, values = 0, line = 1;
	bool in_string = false;

	for (size_t i = 0; i < length; i++) {
		char c = data[i];

		line += c == '\n';
		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		if (in_string || c == '"')
			continue;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth)
			depth--;
		values += c == '{' || c == '[' || c == ',';
		if (depth > REPORT_DEPTH_MAX) {
			snprintf(error, error_size, "line %zu: nested deeper than %d", line,
				REPORT_DEPTH_MAX);
			return -EFBIG;
		}
	}
	if (values <= REPORT_VALUES_MAX)
		return 0;
	snprintf(error, error_size, "more than %d values", REPORT_VALUES_MAX);
	return -EFBIG;
}

/* The parser quotes the text near the error: from a stranger, so it is escaped. */
static int syntax_error(const json_error_t *e, char *error, size_t error_size)
{
	char *safe;

	if (json_error_code(e) == json_error_out_of_memory) {
		snprintf(error, error_size, "no memory");
		return -ENOMEM;
	}
	safe = terminal_escape(e->text, false);
	if (e->line > 0)
		snprintf(error, error_size, "line %d, column %d: %s", e->line, e->column,
			safe ? safe : "not JSON");
	else
		snprintf(error, error_size, "%s", safe ? safe : "not JSON");
	free(safe);
	return -EBADMSG;
}

/* Its version; 0: it is none of ours. */
static int version_of(const json_t *format)
{
	static const struct {
		const char *name;
		int version;
	} formats[] = {{REPORT_FORMAT, REPORT_FORMAT_VERSION}, {PUNCH_FORMAT, PUNCH_FORMAT_VERSION},
		{READING_FORMAT, READING_FORMAT_VERSION}};

	for (size_t i = 0; json_is_string(format) && i < sizeof(formats) / sizeof(*formats); i++)
		if (!strcmp(json_string_value(format), formats[i].name))
			return formats[i].version;
	return 0;
}

static int check_format(const json_t *document, char *error, size_t error_size)
{
	const json_t *version = json_object_get(document, "format_version");
	int known = version_of(json_object_get(document, "format"));

	if (!known) {
		snprintf(error, error_size,
			"not a report: its \"format\" is none of " REPORT_FORMAT ", " PUNCH_FORMAT
			" and " READING_FORMAT);
		return -EPROTO;
	}
	if (!json_is_integer(version)) {
		snprintf(error, error_size, "format_version is missing or no whole number");
		return -EPROTO;
	}
	if (json_integer_value(version) != known) {
		snprintf(error, error_size,
			"format_version %" JSON_INTEGER_FORMAT ", but this program knows %d",
			json_integer_value(version), known);
		return -EPROTO;
	}
	return 0;
}

static int too_big(char *error, size_t error_size)
{
	snprintf(error, error_size, "larger than %u bytes", REPORT_BYTES_MAX);
	return -EFBIG;
}

int report_read(const void *data, size_t length, json_t **out, char *error, size_t error_size)
{
	json_error_t problem;
	json_t *document;
	int err;

	*out = NULL;
	snprintf(error, error_size, "%s", "");
	if (length > REPORT_BYTES_MAX)
		return too_big(error, error_size);
	err = check_shape(data, length, error, error_size);
	if (err)
		return err;
	document = json_loadb(data, length, JSON_REJECT_DUPLICATES, &problem);
	if (!document)
		return syntax_error(&problem, error, error_size);
	err = check_format(document, error, error_size);
	if (err)
		json_decref(document);
	else
		*out = document;
	return err;
}

/* Doubles the buffer as needed; one byte more than allowed tells a file that is too big. */
static int read_all(FILE *in, char **data, size_t *length)
{
	size_t size = 64 * 1024;

	*length = 0;
	*data = malloc(size);
	while (*data) {
		char *larger;

		*length += fread(*data + *length, 1, size - *length, in);
		if (*length < size)
			return ferror(in) ? -(errno ? errno : EIO) : 0;
		if (size > REPORT_BYTES_MAX)
			return 0;
		size *= 2;
		larger = realloc(*data, size);
		if (!larger)
			break;
		*data = larger;
	}
	return -ENOMEM;
}

int report_read_stream(FILE *in, json_t **out, char *error, size_t error_size)
{
	char *data;
	size_t length;
	int err;

	*out = NULL;
	errno = 0;
	err = read_all(in, &data, &length);
	if (err)
		snprintf(error, error_size, "cannot read: %s", strerror(-err));
	else
		err = report_read(data, length, out, error, error_size);
	free(data);
	return err;
}
