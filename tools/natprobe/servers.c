// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/natprobe/servers.h"

#define LIST_BYTES_MAX 65536

/*
 * Public servers, when nothing else is configured: two that answer on different ports, and two that offer a
 * second address. natprobe(1) names them, since they see the user's address.
 */
static const char built_in[] = "stun.l.google.com:19302\n"
			       "stun.cloudflare.com:3478\n"
			       "stunserver2025.stunprotocol.org:3478\n"
			       "stun.sipgate.net:3478\n";

static int take_list(struct natprobe_params *p, const char *text, size_t length, const char *source,
	char *error, size_t size)
{
	unsigned line;
	int n = serverlist_parse(text, length, p->port, p->servers, &line);

	if (n == -ENOSPC)
		snprintf(error, size, "%s: more than %d servers", source, SERVERLIST_MAX);
	else if (n < 0)
		snprintf(error, size, "%s: line %u is not a server", source, line);
	else
		p->server_count = (size_t)n;
	return n < 0 ? -EINVAL : 0;
}

static int take_environment(struct natprobe_params *p, char *error, size_t size)
{
	const char *value = getenv("NATUTILS_SERVERS");
	char *copy;
	int err;

	if (!value || !*value)
		return 0;
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	for (char *c = copy; *c; c++)
		if (*c == ' ' || *c == ',')
			*c = '\n';
	err = take_list(p, copy, strlen(copy), "NATUTILS_SERVERS", error, size);
	free(copy);
	return err;
}

/* A file that does not exist is no error: the next place is looked at. */
static int take_file(struct natprobe_params *p, const char *path, char *error, size_t size)
{
	static const size_t limit = LIST_BYTES_MAX;
	char *text;
	size_t length = 0;
	ssize_t n = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	text = malloc(limit);
	if (fd < 0 || !text)
		err = fd < 0 ? -errno : -ENOMEM;
	while (!err && n > 0 && length < limit) {
		n = read(fd, text + length, limit - length);
		if (n < 0)
			err = -errno;
		else
			length += (size_t)n;
	}
	if (!err && length == limit)
		err = -EFBIG;
	if (err)
		snprintf(error, size, "%s: %s", path, strerror(-err));
	else
		err = take_list(p, text, length, path, error, size);
	free(text);
	if (fd >= 0)
		close(fd);
	return err;
}

static int take_user_file(struct natprobe_params *p, char *error, size_t size)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char path[PATH_MAX];

	if (config && *config == '/')
		snprintf(path, sizeof(path), "%s/natutils/servers.list", config);
	else if (home && *home == '/')
		snprintf(path, sizeof(path), "%s/.config/natutils/servers.list", home);
	else
		return 0;
	return take_file(p, path, error, size);
}

int natprobe_find_servers(struct natprobe_params *p, char *error, size_t size)
{
	int err = 0;

	if (!p->server_count)
		err = take_environment(p, error, size);
	if (!err && !p->server_count)
		err = take_user_file(p, error, size);
	if (!err && !p->server_count)
		err = take_file(p, SYSCONFDIR "/natutils/servers.list", error, size);
	if (!err && !p->server_count)
		err = take_list(p, built_in, strlen(built_in), "built-in list", error, size);
	return err;
}
