// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "net/proc.h"

#define NUMBER_BYTES 32

/* Such a file may come in parts. */
static int read_all(int fd, char *buffer, size_t size)
{
	size_t length = 0;
	ssize_t n;

	while (length < size) {
		n = read(fd, buffer + length, size - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) {
			buffer[length] = '\0';
			return (int)length;
		}
		length += (size_t)n;
	}
	return -EFBIG;
}

int proc_read(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), length;

	if (fd < 0)
		return -errno;
	length = read_all(fd, buffer, size);
	close(fd);
	return length;
}

int proc_number(const char *path, uint64_t *out)
{
	char text[NUMBER_BYTES];
	int length = proc_read(path, text, sizeof(text));

	if (length < 0)
		return length;
	text[strcspn(text, "\n")] = '\0';
	return number_from_text(text, 0, UINT64_MAX, out);
}
