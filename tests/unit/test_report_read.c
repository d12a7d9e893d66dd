// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/read.h"
#include "test_report_sample.h"

#define HEAD "\"format\":\"natprobe-report\",\"format_version\":1"

static void test_bytes(void **state)
{
	static const struct {
		const char *text;
		int err;
		const char *error; /* its beginning */
	} rows[] = {
		{"{" HEAD "}", 0, ""},
		{"  {" HEAD ",\"new\":{\"key\":[1]}}\n", 0, ""}, /* keys only get added */
		{"", -EBADMSG, "line 1, column 0: "},
		{"{", -EBADMSG, "line 1, column 1: "},
		{"{\n" HEAD ",\n}", -EBADMSG, "line 3, column 1: "},
		{"{" HEAD "} x", -EBADMSG, "line 1, column "},
		{"{" HEAD ",\"a\":1,\"a\":2}", -EBADMSG, "line 1, column "},
		{"{" HEAD ",\"a\":NaN}", -EBADMSG, "line 1, column "},
		{"{" HEAD ",\"a\":\"\xff\"}", -EBADMSG, "line 1, column "},
		{"{" HEAD ",\"a\":\"\\u0000\"}", -EBADMSG, "line 1, column "},
		{"{" HEAD ",\"a\":1e999}", -EBADMSG, "line 1, column "},
		{"{\"\033[2J\":\033}", -EBADMSG, "line 1, column "},
		{"{}", -EPROTO, "not a report: "},
		{"[]", -EPROTO, "not a report: "},
		{"[" HEAD "]", -EBADMSG, "line 1, column "},
		{"{\"format\":1,\"format_version\":1}", -EPROTO, "not a report: "},
		{"{\"format\":\"natlab-report\",\"format_version\":1}", -EPROTO, "not a report: "},
		{"{" HEAD "}", 0, ""},
		{"{\"format\":\"punch-report\",\"format_version\":1}", 0, ""},
		{"{\"format\":\"capture-report\",\"format_version\":1}", 0, ""},
		{"{\"format\":\"punch-report\",\"format_version\":2}", -EPROTO,
			"format_version 2, but this program knows 1"},
		{"{\"format\":\"natprobe-report\"}", -EPROTO, "format_version is missing"},
		{"{\"format\":\"natprobe-report\",\"format_version\":\"1\"}", -EPROTO,
			"format_version is missing"},
		{"{\"format\":\"natprobe-report\",\"format_version\":2}", -EPROTO,
			"format_version 2, but this program knows 1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char error[256] = "x";
		json_t *d = (json_t *)error;

		assert_int_equal(
			report_read(rows[i].text, strlen(rows[i].text), &d, error, sizeof(error)),
			rows[i].err);
		assert_true(rows[i].err ? !d : d != NULL);
		assert_memory_equal(error, rows[i].error, strlen(rows[i].error));
		assert_true(!*error == !rows[i].err);
		for (const char *p = error; *p; p++)
			assert_true(*p >= ' ' && *p < 0x7f);
		json_decref(d);
	}
}

static void test_limits(void **state)
{
	size_t size = REPORT_BYTES_MAX + 1;
	char *data = malloc(size), error[128];
	json_t *d;

	(void)state;
	memset(data, ' ', size);
	assert_int_equal(report_read(data, size, &d, error, sizeof(error)), -EFBIG);
	memset(data, '[', size);
	assert_int_equal(report_read(data, size - 1, &d, error, sizeof(error)), -EFBIG);
	assert_string_equal(error, "line 1: nested deeper than 32");
	memset(data, ',', size);
	assert_int_equal(report_read(data, size - 1, &d, error, sizeof(error)), -EFBIG);
	assert_string_equal(error, "more than 500000 values");
	/* brackets and commas inside a string do not count, nor does an escaped quote end it */
	memset(data, '[', size);
	memcpy(data, "{" HEAD ",\"a\":\"\\\"", strlen("{" HEAD ",\"a\":\"\\\""));
	memcpy(data + size - 3, "\"}", 2);
	assert_int_equal(report_read(data, size - 1, &d, error, sizeof(error)), 0);
	json_decref(d);
	free(data);
}

static void test_stream(void **state)
{
	struct sample s;
	json_t *written, *read;
	char error[128];
	FILE *file = tmpfile();

	(void)state;
	sample_symmetric(&s);
	written = sample_document(&s);
	assert_int_equal(report_write(written, file), 0);
	rewind(file);
	assert_int_equal(report_read_stream(file, &read, error, sizeof(error)), 0);
	assert_true(json_equal(written, read));
	json_decref(read);
	json_decref(written);
	/* larger than any report */
	rewind(file);
	for (size_t i = 0; i <= REPORT_BYTES_MAX / 4096; i++)
		assert_int_equal(fprintf(file, "%4096s", ""), 4096);
	rewind(file);
	assert_int_equal(report_read_stream(file, &read, error, sizeof(error)), -EFBIG);
	assert_null(read);
	fclose(file);
	file = fopen("/", "r"); /* can be opened, but not read */
	if (file) {
		assert_int_equal(report_read_stream(file, &read, error, sizeof(error)), -EISDIR);
		assert_memory_equal(error, "cannot read: ", 13);
		fclose(file);
	}
	sample_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
