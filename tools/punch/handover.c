// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sockaddr.h"
#include "tools/punch/handover.h"
#include "tools/punch/status.h"

/*
 * Our sockets keep ICMP errors in a queue. To a program that does not read it poll(2) would call the socket ready for
 * ever, and what it then reads would block. Turning it off empties it, and the error that waits is one of ours.
 */
static int drop_errors(int fd, enum family family)
{
	bool v4 = family == FAMILY_IPV4;
	int value = 0;
	socklen_t length = sizeof(value);

	if (setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &value,
		    sizeof(value)) ||
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length))
		return -errno;
	return 0;
}

/* Programs expect a socket that blocks, and one that says what it is connected to. */
static int prepare(int fd, const struct endpoint *peer)
{
	struct sockaddr_storage to;
	socklen_t length = sockaddr_from_endpoint(peer, &to);
	int flags = fcntl(fd, F_GETFL), err = drop_errors(fd, peer->family);

	if (err)
		return err;
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK))
		return -errno;
	/* over TCP it is */
	if (connect(fd, (struct sockaddr *)&to, length) && errno != EISCONN)
		return -errno;
	if (fd != HANDOVER_FD)
		return dup2(fd, HANDOVER_FD) < 0 ? -errno : 0;
	return fcntl(fd, F_SETFD, 0) ? -errno : 0;
}

static int set_environment(const struct endpoint *local, const struct endpoint *peer)
{
	char text[ENDPOINT_TEXT];

	if (setenv("NATUTILS_LOCAL", endpoint_format(local, text), 1) ||
		setenv("NATUTILS_PEER", endpoint_format(peer, text), 1) ||
		setenv("NATUTILS_FD", "3", 1))
		return -errno;
	return unsetenv("NATUTILS_CODE") ? -errno : 0;
}

int handover_exec(const char *tool, const char *command, int fd, const struct endpoint *local,
	const struct endpoint *peer)
{
	int err = prepare(fd, peer);

	if (!err)
		err = set_environment(local, peer);
	if (!err) {
		fflush(NULL);
		signal(SIGPIPE, SIG_DFL);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		err = -errno;
	}
	fprintf(stderr, "%s: --exec: %s\n", tool, strerror(-err));
	return STATUS_ENVIRONMENT;
}
