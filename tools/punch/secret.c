// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/punch/secret.h"

#define LINE_MAX_BYTES 512

/* The first line. */
static int read_file(const char *path, char line[static LINE_MAX_BYTES], char *error, size_t size)
{
	FILE *f = !strcmp(path, "-") ? stdin : fopen(path, "re");
	/* no buffer: no copy of the secret stays there, and what follows it in standard input is for --exec */
	char *got = f && !setvbuf(f, NULL, _IONBF, 0) ? fgets(line, LINE_MAX_BYTES, f) : NULL;
	int err = !f || ferror(f) ? -errno : got ? 0 : -EINVAL;

	if (err)
		snprintf(error, size, "%s: %s", path,
			err == -EINVAL ? "no code in it" : strerror(-err));
	if (!err && !strchr(line, '\n') && !feof(f)) {
		snprintf(error, size, "%s: the code is longer than %d bytes", path,
			LINE_MAX_BYTES - 2);
		err = -EINVAL;
	}
	if (f && f != stdin)
		fclose(f);
	line[strcspn(line, "\r\n")] = '\0';
	return err;
}

int secret_find(const char *text, const char *file, struct code *out, char *error, size_t size)
{
	char line[LINE_MAX_BYTES] = "";
	int err = 0;

	if (file)
		err = read_file(file, line, error, size);
	else if (!text)
		text = getenv("NATUTILS_CODE");
	if (!err && !file && !text)
		return -ENODATA;
	if (!err)
		err = code_parse(file ? line : text, out, error, size);
	sodium_memzero(line, sizeof(line));
	return err;
}
