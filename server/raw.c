// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/segment.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "server/raw.h"

#define FAMILIES	 2
#define PACKETS_PER_TURN 64 /* of each socket */
#define ADDRESSES	 (RESPONDER_ENDPOINTS / 2)
#define EVENTS		 (FAMILIES + ADDRESSES)

struct address {
	struct endpoint local; /* FAMILY_NONE: none */
	int silent, segments; /* -1: none */
	uint16_t port; /* the silent one; 0: none */
};

struct raws {
	struct raws_handler handler;
	int epoll;
	int icmp[FAMILIES]; /* -1: none */
	struct endpoint local[RESPONDER_ENDPOINTS];
	struct address addresses[ADDRESSES];
	uint8_t buffer[SEGMENT_BYTES_MAX];
};

_Static_assert(SEGMENT_BYTES_MAX >= ICMP_BYTES_MAX, "one buffer for both");

static size_t family_index(enum family family)
{
	return family == FAMILY_IPV6;
}

/* --- sending and receiving --- */

int raws_send(struct raws *r, unsigned local, const struct endpoint *to,
	const struct icmp_message *message)
{
	int fd = r->icmp[family_index(to->family)];

	return fd < 0 ? -EAFNOSUPPORT : icmp_send(fd, &r->local[local], to, 0, message);
}

static void take_icmp(struct raws *r, size_t index)
{
	enum family family = index ? FAMILY_IPV6 : FAMILY_IPV4;
	struct icmp_message message;
	struct icmp_meta meta;

	for (unsigned n = 0; n < PACKETS_PER_TURN; n++) {
		int err = icmp_receive(
			r->icmp[index], family, r->buffer, sizeof(r->buffer), &message, &meta);

		if (err == -EBADMSG)
			continue;
		if (err)
			return;
		for (unsigned i = 0; i < ADDRESSES; i++)
			if (endpoint_same_address(&r->addresses[i].local, &meta.to))
				r->handler.icmp(r->handler.context, 2 * i, &message, &meta);
	}
}

static void take_segments(struct raws *r, unsigned index)
{
	struct address *a = &r->addresses[index];
	struct packet segment;

	for (unsigned n = 0; n < PACKETS_PER_TURN; n++) {
		int err = segment_receive(
			a->segments, a->local.family, r->buffer, sizeof(r->buffer), &segment);

		if (err == -EBADMSG)
			continue;
		if (err)
			return;
		r->handler.segment(r->handler.context, 2 * index, &segment);
	}
}

void raws_run(struct raws *r)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(r->epoll, events, EVENTS, 0);

	for (int i = 0; i < n; i++)
		if (events[i].data.u32 < FAMILIES)
			take_icmp(r, events[i].data.u32);
		else
			take_segments(r, events[i].data.u32 - FAMILIES);
}

int raws_fd(const struct raws *r)
{
	return r->epoll;
}

uint16_t raws_silent_port(const struct raws *r, unsigned local)
{
	return r->addresses[local / 2].port;
}

/* --- opening and closing --- */

static int watch(const struct raws *r, int fd, unsigned number)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};

	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_icmp(struct raws *r, enum family family)
{
	static const uint8_t wanted[FAMILIES][5] = {{8, 3, 4, 11, 12}, {128, 1, 2, 3, 4}};
	size_t index = family_index(family);
	int err;

	if (r->icmp[index] >= 0)
		return 0;
	err = icmp_open(family, NULL, &r->icmp[index]);
	if (!err)
		err = icmp_want(r->icmp[index], family, wanted[index], sizeof(wanted[index]));
	return err ? err : watch(r, r->icmp[index], (unsigned)index);
}

/* A port that operators of firewalls can know; when somebody has it any other one. */
static int open_silent(struct address *a, uint16_t port)
{
	struct endpoint e = a->local;
	int err;

	e.port = port;
	err = tcp_listen_silent(&e, &a->silent);
	if (err && port) {
		e.port = 0;
		err = tcp_listen_silent(&e, &a->silent);
	}
	if (!err)
		err = udp_local(a->silent, &e);
	a->port = err ? 0 : e.port;
	return err;
}

/* Without a silent port there is all the rest. */
static int open_tcp(struct raws *r, unsigned index)
{
	struct address *a = &r->addresses[index];
	uint16_t one = r->local[2 * index].port, two = r->local[2 * index + 1].port;
	int err;

	(void)open_silent(a, (uint16_t)((one > two ? one : two) + 1));
	err = segment_open(&a->local, a->port, &a->segments);
	return err ? err : watch(r, a->segments, FAMILIES + index);
}

static int open_address(struct raws *r, unsigned index, bool tcp)
{
	struct address *a = &r->addresses[index];
	int err;

	a->local = r->local[2 * index];
	if (a->local.family == FAMILY_NONE)
		return 0;
	err = open_icmp(r, a->local.family);
	return err || !tcp ? err : open_tcp(r, index);
}

int raws_open(struct raws **out, const struct endpoint local[static RESPONDER_ENDPOINTS], bool tcp,
	const struct raws_handler *handler)
{
	struct raws *r = calloc(1, sizeof(*r));
	int err = 0;

	if (!r)
		return -ENOMEM;
	r->handler = *handler;
	memcpy(r->local, local, sizeof(r->local));
	r->icmp[0] = r->icmp[1] = -1;
	for (unsigned i = 0; i < ADDRESSES; i++)
		r->addresses[i].silent = r->addresses[i].segments = -1;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll < 0)
		err = -errno;
	for (unsigned i = 0; i < ADDRESSES && !err; i++)
		err = open_address(r, i, tcp);
	if (err)
		raws_close(r);
	else
		*out = r;
	return err;
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

void raws_close(struct raws *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < ADDRESSES; i++) {
		close_one(r->addresses[i].silent);
		close_one(r->addresses[i].segments);
	}
	close_one(r->icmp[0]);
	close_one(r->icmp[1]);
	close_one(r->epoll);
	free(r);
}
