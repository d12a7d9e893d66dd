// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/punch/secret.h"

/* A file with this in it; its name. */
static char *write_file(const char *text)
{
	static char name[64];
	int fd;

	snprintf(name, sizeof(name), "/tmp/test_punch_secret.XXXXXX");
	fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return name;
}

static int find(const char *text, const char *file, const char *environment, struct code *out,
	char error[static 128])
{
	memset(out, 0, sizeof(*out));
	*error = '\0';
	if (environment)
		assert_int_equal(setenv("NATUTILS_CODE", environment, 1), 0);
	else
		assert_int_equal(unsetenv("NATUTILS_CODE"), 0);
	return secret_find(text, file, out, error, 128);
}

static void test_where(void **state)
{
	static const struct {
		const char *text, *file, *environment; /* file: what is in it */
		const char *secret;
	} rows[] = {
		{"7-from-text", NULL, NULL, "from-text"},
		{"7-from-text", NULL, "8-not-this", "from-text"},
		{NULL, "7-from-file\n", "8-not-this", "from-file"},
		{NULL, "7-from-file", NULL, "from-file"},
		{NULL, "7-from-file\r\nand more\n", NULL, "from-file"},
		{NULL, NULL, "7-from-environment", "from-environment"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *file = rows[i].file ? write_file(rows[i].file) : NULL, error[128];
		struct code code;

		assert_int_equal(find(rows[i].text, file, rows[i].environment, &code, error), 0);
		assert_string_equal(code.nameplate, "7");
		assert_string_equal(code.secret, rows[i].secret);
		if (file)
			unlink(file);
	}
}

static void test_none(void **state)
{
	struct code code;
	char error[128], *file, text[1000];

	(void)state;
	assert_int_equal(find(NULL, NULL, NULL, &code, error), -ENODATA);
	assert_int_equal(find("7", NULL, NULL, &code, error), -EINVAL);
	assert_true(*error);
	assert_int_equal(find(NULL, "/no/such", NULL, &code, error), -ENOENT);
	assert_string_equal(error, "/no/such: No such file or directory");
	assert_int_equal(find(NULL, "/", NULL, &code, error), -EISDIR);
	assert_string_equal(error, "/: Is a directory");
	file = write_file("");
	assert_int_equal(find(NULL, file, NULL, &code, error), -EINVAL);
	assert_non_null(strstr(error, ": no code in it"));
	unlink(file);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	file = write_file(text);
	assert_int_equal(find(NULL, file, NULL, &code, error), -EINVAL);
	assert_non_null(strstr(error, ": the code is longer than"));
	assert_null(strstr(error, "xx"));
	unlink(file);
}

/* What comes behind the code is for the command that gets the socket. */
static void test_standard_input(void **state)
{
	static const char all[] = "7-from-pipe\nthe rest";
	int ends[2];
	struct code code;
	char error[128], rest[32];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], all, sizeof(all) - 1), sizeof(all) - 1);
	close(ends[1]);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	assert_int_equal(find(NULL, "-", NULL, &code, error), 0);
	assert_string_equal(code.secret, "from-pipe");
	assert_int_equal(read(STDIN_FILENO, rest, sizeof(rest)), 8);
	assert_memory_equal(rest, "the rest", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_standard_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
