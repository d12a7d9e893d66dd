// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Any text as a code: refused with one line that does not show it, or normalised, once and for all. */

#include <config.h>

#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "punch/code.h"

static bool is_normal(const struct code *c)
{
	size_t nameplate = strlen(c->nameplate), secret = strlen(c->secret);

	if (!nameplate || strspn(c->nameplate, "abcdefghijklmnopqrstuvwxyz0123456789") != nameplate)
		return false;
	if (secret < CODE_SECRET_MIN || secret > CODE_SECRET_MAX)
		return false;
	return *c->secret != '-' && c->secret[secret - 1] != '-' && !strstr(c->secret, "--") &&
		!strpbrk(c->secret,
			" _\t\n\v\f\r\x7f\x1b"
			"ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static void write_code(const struct code *c, char out[static CODE_TEXT])
{
	int n = snprintf(out, CODE_TEXT, "%s-%s", c->nameplate, c->secret);

	require(n > 0 && n < CODE_TEXT);
}

/* As somebody else might write the same. */
static void write_differently(const char *text, char out[static 3 * CODE_TEXT])
{
	for (*out++ = ' '; *text; text++) {
		if (*text >= 'a' && *text <= 'z') {
			*out++ = (char)(*text - 'a' + 'A');
		} else if (*text == '-') {
			*out++ = '-';
			*out++ = ' ';
			*out++ = '_';
		} else {
			*out++ = *text;
		}
	}
	*out++ = '\n';
	*out = '\0';
}

static void check_same(const char *text, const struct code *c)
{
	uint8_t id[CODE_SESSION_BYTES], other_id[CODE_SESSION_BYTES];
	struct code other;
	char error[200];

	require(!code_parse(text, &other, error, sizeof(error)));
	require(!strcmp(other.nameplate, c->nameplate) && !strcmp(other.secret, c->secret));
	code_session_id(c, id);
	code_session_id(&other, other_id);
	require(!memcmp(id, other_id, sizeof(id)));
}

/* What is meant is a code of code_make, which means nothing else. */
static void check_meant(const char *meant)
{
	char error[200], again[CODE_TEXT];
	struct code c;

	require(!code_parse(meant, &c, error, sizeof(error)));
	write_code(&c, again);
	require(!strcmp(meant, again));
	require(!code_complete(&c, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[200] = "", normal[CODE_TEXT], different[3 * CODE_TEXT], meant[CODE_TEXT];
	char *text = malloc(size + 1);
	struct code c;
	int err;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	err = code_parse(text, &c, error, sizeof(error));
	free(text);
	require((err == -EINVAL && *error && !strchr(error, '\n')) || (!err && !*error));
	if (err)
		return 0;
	require(is_normal(&c));
	write_code(&c, normal);
	check_same(normal, &c);
	write_differently(normal, different);
	check_same(different, &c);
	if (code_complete(&c, meant))
		check_meant(meant);
	return 0;
}
