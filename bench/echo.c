// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * echo -l ADDR:PORT -b BATCH [-s BYTES]: a bare UDP echo server, the yardstick for natprobed. BATCH
 * 1 is recvfrom and sendto, more is recvmmsg and sendmmsg. With -s every answer has that size.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "base/number.h"
#include "net/sockaddr.h"

#define BATCH_MAX    64
#define BUFFER_BYTES 2048

struct echo {
	int fd;
	size_t answer_bytes; /* 0: as long as the question */
	unsigned batch;
	struct mmsghdr headers[BATCH_MAX];
	struct iovec iov[BATCH_MAX];
	struct sockaddr_storage from[BATCH_MAX];
	char data[BATCH_MAX][BUFFER_BYTES];
};

static size_t answer_length(const struct echo *e, size_t length)
{
	return e->answer_bytes ? e->answer_bytes : length;
}

static void serve_single(struct echo *e)
{
	for (;;) {
		socklen_t from_length = sizeof(e->from[0]);
		struct sockaddr *from = (struct sockaddr *)&e->from[0];
		ssize_t n = recvfrom(e->fd, e->data[0], BUFFER_BYTES, 0, from, &from_length);

		if (n >= 0)
			sendto(e->fd, e->data[0], answer_length(e, (size_t)n), 0, from,
				from_length);
	}
}

static void serve_batches(struct echo *e)
{
	for (;;) {
		int n;

		for (unsigned i = 0; i < e->batch; i++) {
			e->iov[i] = (struct iovec){e->data[i], BUFFER_BYTES};
			e->headers[i].msg_hdr = (struct msghdr){.msg_name = &e->from[i],
				.msg_namelen = sizeof(e->from[i]),
				.msg_iov = &e->iov[i],
				.msg_iovlen = 1};
		}
		n = recvmmsg(e->fd, e->headers, e->batch, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++)
			e->iov[i].iov_len = answer_length(e, e->headers[i].msg_len);
		for (int done = 0; done < n;) {
			int sent = sendmmsg(e->fd, e->headers + done, (unsigned)(n - done), 0);

			done += sent > 0 ? sent : 1;
		}
	}
}

static int open_socket(const struct endpoint *local)
{
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from_endpoint(local, &address);
	int fd = socket(sockaddr_family(local->family), SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int size = 4 << 20;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return bind(fd, (struct sockaddr *)&address, length) ? -1 : fd;
}

static int usage(void)
{
	fprintf(stderr, "usage: echo -l ADDR:PORT [-b BATCH (1 to %d)] [-s BYTES]\n", BATCH_MAX);
	return 2;
}

int main(int argc, char **argv)
{
	static struct echo e;
	struct endpoint local = {0};
	uint64_t batch = BATCH_MAX, bytes = 0;
	int c;

	while ((c = getopt(argc, argv, "l:b:s:")) != -1) {
		if (c == 'l' && !endpoint_parse(optarg, 3478, &local))
			continue;
		if (c == 'b' && !number_from_text(optarg, 1, BATCH_MAX, &batch))
			continue;
		if (c == 's' && !number_from_text(optarg, 1, BUFFER_BYTES, &bytes))
			continue;
		return usage();
	}
	if (local.family == FAMILY_NONE)
		return usage();
	e.fd = open_socket(&local);
	if (e.fd < 0) {
		perror("echo: bind");
		return 3;
	}
	e.batch = (unsigned)batch;
	e.answer_bytes = bytes;
	if (batch == 1)
		serve_single(&e);
	else
		serve_batches(&e);
	return 0;
}
