// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * stunload [options] ADDR[:PORT]: asks a STUN server on this machine as fast as it answers. A
 * closed loop: each socket keeps a number of requests in flight and sends a new one for each
 * answer, so the figure is the server's and not the length of a queue. Requests that stay without
 * an answer for GIVE_UP_US are lost and replaced.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/number.h"
#include "net/sockaddr.h"
#include "wire/stun.h"

#define BATCH_MAX    64
#define BUFFER_BYTES 2048
#define SOCKETS_MAX  4096
#define GIVE_UP_US   200000

struct flow {
	int fd;
	unsigned in_flight;
	uint64_t heard_us; /* when the last answer came */
};

struct load {
	struct endpoint server;
	uint64_t sockets, window, bytes, duration_us;
	bool many_addresses;
	struct flow flows[SOCKETS_MAX];
	struct pollfd polls[SOCKETS_MAX];
	struct mmsghdr out[BATCH_MAX], in[BATCH_MAX];
	struct iovec out_iov[BATCH_MAX], in_iov[BATCH_MAX];
	uint8_t requests[BATCH_MAX][BUFFER_BYTES], answers[BATCH_MAX][BUFFER_BYTES];
	uint64_t sent, answered, lost, answer_bytes;
};

static int open_flow(struct load *l, unsigned i)
{
	struct endpoint local = {.family = l->server.family};
	struct sockaddr_storage address;
	socklen_t length;
	int size = 4 << 20;
	int fd = socket(
		sockaddr_family(l->server.family), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (l->many_addresses) { /* 127.64.0.1 and on: all of 127/8 is ours on loopback */
		uint8_t a[4] = {
			127, (uint8_t)(64 + (i >> 16)), (uint8_t)(i >> 8), (uint8_t)(i + 1)};

		memcpy(local.address, a, sizeof(a));
		length = sockaddr_from_endpoint(&local, &address);
		if (bind(fd, (struct sockaddr *)&address, length))
			return -1;
	}
	length = sockaddr_from_endpoint(&l->server, &address);
	return connect(fd, (struct sockaddr *)&address, length) ? -1 : fd;
}

static void prepare(struct load *l)
{
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		struct stun_id id = {{0x21, 0x12, 0xa4, 0x42, [15] = (uint8_t)i}};
		struct stun_writer s =
			stun_begin(l->requests[i], BUFFER_BYTES, STUN_REQUEST, STUN_BINDING, &id);

		stun_add_fill(&s, l->bytes);
		l->out_iov[i] = (struct iovec){l->requests[i], (size_t)stun_end(&s)};
		l->in_iov[i] = (struct iovec){l->answers[i], BUFFER_BYTES};
		l->out[i].msg_hdr = (struct msghdr){.msg_iov = &l->out_iov[i], .msg_iovlen = 1};
		l->in[i].msg_hdr = (struct msghdr){.msg_iov = &l->in_iov[i], .msg_iovlen = 1};
	}
}

static void fill_window(struct load *l, struct flow *f)
{
	while (f->in_flight < l->window) {
		unsigned want = (unsigned)l->window - f->in_flight;
		int n = sendmmsg(f->fd, l->out, want < BATCH_MAX ? want : BATCH_MAX, 0);

		if (n <= 0)
			return;
		f->in_flight += (unsigned)n;
		l->sent += (unsigned)n;
	}
}

static void take_answers(struct load *l, struct flow *f, uint64_t now_us)
{
	int n = recvmmsg(f->fd, l->in, BATCH_MAX, MSG_DONTWAIT, NULL);

	for (int i = 0; i < n; i++)
		l->answer_bytes += l->in[i].msg_len;
	if (n > 0) {
		l->answered += (unsigned)n;
		f->in_flight = f->in_flight > (unsigned)n ? f->in_flight - (unsigned)n : 0;
		f->heard_us = now_us;
	}
}

static void run(struct load *l)
{
	uint64_t start = clock_now_us(), now = start;

	for (uint64_t i = 0; i < l->sockets; i++) {
		l->flows[i].heard_us = start;
		fill_window(l, &l->flows[i]);
	}
	while (now - start < l->duration_us) {
		/* never asleep: on loopback it is the server that would pay for waking us */
		poll(l->polls, l->sockets, 0);
		now = clock_now_us();
		for (uint64_t i = 0; i < l->sockets; i++) {
			struct flow *f = &l->flows[i];

			if (l->polls[i].revents)
				take_answers(l, f, now);
			else if (now - f->heard_us > GIVE_UP_US) {
				l->lost += f->in_flight;
				f->in_flight = 0;
				f->heard_us = now;
			}
			/* not one by one: whole batches keep the generator ahead of the server */
			if (f->in_flight <= l->window / 2 || l->window < 8)
				fill_window(l, f);
		}
	}
	printf("replies_per_second=%.0f lost=%" PRIu64 " lost_percent=%.3f reply_bytes=%.0f\n",
		(double)l->answered * 1e6 / (double)(now - start), l->lost,
		l->sent ? 100.0 * (double)l->lost / (double)l->sent : 0.0,
		l->answered ? (double)l->answer_bytes / (double)l->answered : 0.0);
}

/* Of this machine or of nobody (RFC 5737): what is in a laboratory. */
static bool may_be_asked(const struct endpoint *e)
{
	static const uint8_t documentation[][3] = {{192, 0, 2}, {198, 51, 100}, {203, 0, 113}};

	for (size_t i = 0; i < sizeof(documentation) / sizeof(*documentation); i++)
		if (e->family == FAMILY_IPV4 && !memcmp(e->address, documentation[i], 3))
			return true;
	return endpoint_is_loopback(e);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: stunload [options] ADDR[:PORT]\n"
		"  -n SOCKETS  sockets, 1 to %d (4)\n"
		"  -W COUNT    requests in flight per socket (64)\n"
		"  -s BYTES    size of a request: filled up from 20 (20)\n"
		"  -t TIME     how long (3)\n"
		"  -a          each socket from an address of its own in 127/8\n",
		SOCKETS_MAX);
	return 2;
}

static int parse(struct load *l, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:W:s:t:a")) != -1) {
		if (c == 'n' && !number_from_text(optarg, 1, SOCKETS_MAX, &l->sockets))
			continue;
		if (c == 'W' && !number_from_text(optarg, 1, 65536, &l->window))
			continue;
		if (c == 's' && !number_from_text(optarg, 20, BUFFER_BYTES, &l->bytes))
			continue;
		if (c == 't' && !duration_from_text(optarg, 1, 3600000000u, &l->duration_us))
			continue;
		if (c == 'a') {
			l->many_addresses = true;
			continue;
		}
		return -EINVAL;
	}
	if (argc != optind + 1 || endpoint_parse(argv[optind], 3478, &l->server))
		return -EINVAL;
	return may_be_asked(&l->server) ? 0 : -EPERM;
}

int main(int argc, char **argv)
{
	static struct load l = {.sockets = 4, .window = 64, .bytes = 20, .duration_us = 3000000};
	int err = parse(&l, argc, argv);

	if (err == -EPERM)
		fprintf(stderr,
			"stunload: only a server on loopback or with a documentation address is "
			"asked\n");
	if (err)
		return usage();
	prepare(&l);
	for (unsigned i = 0; i < l.sockets; i++) {
		l.flows[i].fd = open_flow(&l, i);
		l.polls[i] = (struct pollfd){.fd = l.flows[i].fd, .events = POLLIN};
		if (l.flows[i].fd < 0) {
			perror("stunload: socket");
			return 3;
		}
	}
	run(&l);
	return 0;
}
