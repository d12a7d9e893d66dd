// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/output.h"

int output_open(const char *path, bool json_lines, struct output *o)
{
	memset(o, 0, sizeof(*o));
	o->fd = -1;
	o->file = stdout;
	if (path && strcmp(path, "-") != 0) {
		o->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
		if (o->fd < 0)
			return -errno;
		/* JSON lines are meant to be read while they come */
		if (json_lines && ftruncate(o->fd, 0) && errno != EINVAL)
			return -errno;
		o->file = json_lines ? fdopen(o->fd, "w") : open_memstream(&o->buffer, &o->size);
		if (!o->file)
			return -errno;
	}
	if (json_lines)
		lines_begin(&o->lines, o->file);
	return 0;
}

static int write_all(int fd, const char *data, size_t length)
{
	/* pipes and devices have no length to cut */
	if (ftruncate(fd, 0) && errno != EINVAL)
		return -errno;
	while (length) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int err = -errno;

			/* half a document is worse than none; a pipe has it already */
			return ftruncate(fd, 0) && errno != EINVAL ? -errno : err;
		}
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

int output_close(struct output *o)
{
	int err = 0;

	if (o->file == stdout)
		return fflush(stdout) || ferror(stdout) ? -EIO : 0;
	if (o->file && fclose(o->file))
		err = -errno;
	if (o->buffer && !err)
		err = write_all(o->fd, o->buffer, o->size);
	if (o->buffer && close(o->fd) && !err)
		err = -errno;
	free(o->buffer);
	return err;
}
