/* SPDX-License-Identifier: BSD-2-Clause
 * Copyright (c) 2026 The natutils authors */

/*
 * delay DEV MS: creates the TUN device DEV and writes every packet that the
 * kernel routes into it back MS milliseconds later.
 *
 * The laboratory uses it in place of tc-netem, which many kernels are built
 * without. One queue is enough, and is always in order of time, because all
 * packets wait equally long. The queue is bounded: what does not fit is lost, as
 * on a real link, and counted.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* ppoll() */
#endif

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/if_tun.h>

enum {
	PACKET_MAX = 2048, /* the device has an MTU of 1500 */
	QUEUE_MAX = 16384, /* 160 ms at 100 000 packets a second */
	BATCH_MAX = 64, /* packets read before the due ones are looked at */
	DELAY_MAX_MS = 10000,
};

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

struct packet {
	uint64_t due_ns;
	size_t length;
	uint8_t bytes[PACKET_MAX];
};

struct queue {
	struct packet packets[QUEUE_MAX];
	size_t first;
	size_t count;
	uint64_t forwarded;
	uint64_t lost;
};

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/*
 * The detour through the device makes the namespace forward each packet
 * twice, so one hop would count as two. Give the first decrement back; the IPv4
 * checksum is updated as in RFC 1624.
 */
static void restore_hop(struct packet *p)
{
	uint8_t *b = p->bytes;
	uint32_t sum;

	if (p->length >= 40 && b[0] >> 4 == 6) {
		if (b[7] < 255)
			b[7]++;
	} else if (p->length >= 20 && b[0] >> 4 == 4 && b[8] < 255) {
		b[8]++;
		/* HC' = ~(~HC + ~m + m'), m being the word of TTL and protocol */
		sum = (uint16_t) ~(b[10] << 8 | b[11]);
		sum += (uint16_t) ~((b[8] - 1) << 8 | b[9]);
		sum += (uint32_t)(b[8] << 8 | b[9]);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = ~sum;
		b[10] = (uint8_t)(sum >> 8);
		b[11] = (uint8_t)sum;
	}
}

/* Takes what the kernel has for us; a full queue still reads, and loses. */
static int read_packets(int fd, struct queue *q, uint64_t delay_ns)
{
	static struct packet spare;
	struct packet *p;
	ssize_t n;
	int i;

	for (i = 0; i < BATCH_MAX; i++) {
		p = &spare;
		if (q->count < QUEUE_MAX)
			p = &q->packets[(q->first + q->count) % QUEUE_MAX];
		n = read(fd, p->bytes, sizeof(p->bytes));
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (p == &spare) {
			q->lost++;
			continue;
		}
		p->length = (size_t)n;
		p->due_ns = now_ns() + delay_ns;
		restore_hop(p);
		q->count++;
	}
	return 0;
}

static void write_due(int fd, struct queue *q)
{
	uint64_t now = now_ns();
	struct packet *p;

	while (q->count > 0 && q->packets[q->first].due_ns <= now) {
		p = &q->packets[q->first];
		if (write(fd, p->bytes, p->length) == (ssize_t)p->length)
			q->forwarded++;
		else
			q->lost++;
		q->first = (q->first + 1) % QUEUE_MAX;
		q->count--;
	}
}

/* The signal mask is open only while waiting, so a signal is never missed. */
static int wait_for_work(int fd, const struct queue *q, const sigset_t *mask)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	struct timespec left = {0};
	uint64_t now, due;

	if (q->count > 0) {
		now = now_ns();
		due = q->packets[q->first].due_ns;
		if (due > now) {
			left.tv_sec = (time_t)((due - now) / NS_PER_S);
			left.tv_nsec = (long)((due - now) % NS_PER_S);
		}
	}
	if (ppoll(&pfd, 1, q->count > 0 ? &left : NULL, mask) < 0)
		return errno == EINTR ? 0 : -errno;
	return 0;
}

static int forward(int fd, struct queue *q, uint64_t delay_ns, const sigset_t *mask)
{
	int rc = 0;

	while (!stopped && rc == 0) {
		rc = wait_for_work(fd, q, mask);
		if (rc == 0)
			rc = read_packets(fd, q, delay_ns);
		write_due(fd, q);
	}
	return rc;
}

static int open_tun(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd, rc;

	if (strlen(name) >= sizeof(ifr.ifr_name))
		return -ENAMETOOLONG;
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static int parse_delay(const char *text, uint64_t *delay_ns)
{
	char *end;
	double ms;

	errno = 0;
	ms = strtod(text, &end);
	if (errno || end == text || *end != '\0' || !(ms >= 0 && ms <= DELAY_MAX_MS))
		return -EINVAL;
	*delay_ns = (uint64_t)(ms * (double)NS_PER_MS);
	return 0;
}

/* SIGTERM and SIGINT stay blocked outside ppoll(), whose mask is returned. */
static int catch_signals(sigset_t *open_mask)
{
	struct sigaction action = {.sa_handler = stop};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	if (sigprocmask(SIG_BLOCK, &blocked, open_mask) < 0 ||
		sigaction(SIGTERM, &action, NULL) < 0 || sigaction(SIGINT, &action, NULL) < 0)
		return -errno;
	sigdelset(open_mask, SIGTERM);
	sigdelset(open_mask, SIGINT);
	return 0;
}

int main(int argc, char **argv)
{
	static struct queue q;
	sigset_t open_mask;
	uint64_t delay_ns;
	int fd, rc;

	if (argc != 3 || parse_delay(argv[2], &delay_ns) < 0) {
		fprintf(stderr, "usage: delay DEV MS (0 to %d)\n", DELAY_MAX_MS);
		return 2;
	}
	rc = catch_signals(&open_mask);
	if (rc < 0) {
		fprintf(stderr, "delay: signals: %s\n", strerror(-rc));
		return 3;
	}
	/* The default timer slack of 50 us would be added to every delay. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	fd = open_tun(argv[1]);
	if (fd < 0) {
		fprintf(stderr, "delay: %s: %s\n", argv[1], strerror(-fd));
		return 3;
	}
	rc = forward(fd, &q, delay_ns, &open_mask);
	close(fd);
	fprintf(stderr, "delay: %" PRIu64 " forwarded, %" PRIu64 " lost\n", q.forwarded, q.lost);
	if (rc < 0) {
		fprintf(stderr, "delay: %s: %s\n", argv[1], strerror(-rc));
		return 1;
	}
	return 0;
}
