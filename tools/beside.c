// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/beside.h"

int beside_open(const char *option, const char *path, struct output *out, char *error, size_t size)
{
	int err = path ? output_open(path, false, out) : 0;

	if (!err)
		return 0;
	out->file = NULL;
	snprintf(error, size, "%s: %s: %s", option, path, strerror(-err));
	return err;
}

static bool is_same(const struct output *a, const struct output *b)
{
	struct stat x, y;

	if (!a->file || !b->file)
		return false;
	if (a->fd < 0 || b->fd < 0)
		return a->fd == b->fd; /* standard output */
	return !fstat(a->fd, &x) && !fstat(b->fd, &y) && S_ISREG(x.st_mode) &&
		x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool beside_is_same(const char *a, const char *b)
{
	struct stat x, y;

	return a && b && !stat(a, &x) && !stat(b, &y) && S_ISREG(x.st_mode) &&
		x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int beside_differ(const struct output *const *all, size_t count, char *error, size_t size)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			if (is_same(all[i], all[k])) {
				snprintf(error, size,
					"--output, --pcap and --html: two of them name the same "
					"file");
				return -EINVAL;
			}
	return 0;
}

int beside_close(
	const char *tool, const char *option, const char *path, struct output *out, int err)
{
	int close_err = output_close(out);

	out->file = NULL;
	err = err ? err : close_err;
	if (err)
		fprintf(stderr, "%s: %s: %s: %s\n", tool, option, path, strerror(-err));
	return err;
}
