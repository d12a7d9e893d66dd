// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/sockaddr.h"
#include "net/udp.h"

/* newer than some libc headers */
#ifndef IP_RECVFRAGSIZE
#define IP_RECVFRAGSIZE 25
#endif
#ifndef IPV6_RECVFRAGSIZE
#define IPV6_RECVFRAGSIZE 77
#endif

#define CONTROL_BYTES 256

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

static int set_options(int fd, enum family family, unsigned options)
{
	bool v4 = family == FAMILY_IPV4;
	int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	int err = set_int(fd, level, v4 ? IP_RECVERR : IPV6_RECVERR, 1);

	if (!err && !v4)
		err = set_int(fd, level, IPV6_V6ONLY, 1);
	if (!err && options & UDP_REUSE_PORT)
		err = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err && options & UDP_META) {
		err = set_int(fd, level, v4 ? IP_RECVTTL : IPV6_RECVHOPLIMIT, 1);
		if (!err)
			err = set_int(fd, level, v4 ? IP_RECVTOS : IPV6_RECVTCLASS, 1);
		/* an old kernel without this one only loses a detail */
		set_int(fd, level, v4 ? IP_RECVFRAGSIZE : IPV6_RECVFRAGSIZE, 1);
	}
	return err;
}

static int bind_interface(int fd, const char *interface)
{
	if (!interface)
		return 0;
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface))
		? -errno
		: 0;
}

int udp_open(const struct endpoint *local, const char *interface, unsigned options, int *fd)
{
	return udp_open_protocol(local, interface, options, 0, fd);
}

int udp_open_protocol(const struct endpoint *local, const char *interface, unsigned options,
	int protocol, int *fd)
{
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from_endpoint(local, &address);
	int err;

	*fd = socket(sockaddr_family(local->family), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		protocol);
	if (*fd < 0)
		return -errno;
	err = set_options(*fd, local->family, options);
	if (!err)
		err = bind_interface(*fd, interface);
	if (!err && bind(*fd, (struct sockaddr *)&address, length))
		err = -errno;
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}

int udp_local(int fd, struct endpoint *out)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length))
		return -errno;
	*out = sockaddr_to_endpoint(&address);
	return 0;
}

int udp_source_towards(const struct endpoint *to, const char *interface, struct endpoint *out)
{
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from_endpoint(to, &address);
	int fd = socket(sockaddr_family(to->family), SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = bind_interface(fd, interface);
	if (!err && connect(fd, (struct sockaddr *)&address, length))
		err = -errno;
	if (!err)
		err = udp_local(fd, out);
	out->port = 0;
	close(fd);
	return err;
}

int udp_path_mtu(const struct endpoint *to, const char *interface, uint16_t *out)
{
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from_endpoint(to, &address);
	int fd = socket(sockaddr_family(to->family), SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool v4 = to->family == FAMILY_IPV4;
	int value = 0, err;
	socklen_t size = sizeof(value);

	*out = 0;
	if (fd < 0)
		return -errno;
	err = bind_interface(fd, interface);
	if (!err && connect(fd, (struct sockaddr *)&address, length))
		err = -errno;
	if (!err &&
		getsockopt(
			fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &value, &size))
		err = -errno;
	if (!err)
		*out = (uint16_t)(value < UINT16_MAX ? value : UINT16_MAX);
	close(fd);
	return err;
}

/*
 * Whether a refused send was the fault of an earlier datagram: the ICMP error for it waits on the
 * socket and is told once, to whatever is sent next.
 */
static bool is_earlier_error(int err)
{
	return err == ECONNREFUSED || err == EHOSTUNREACH || err == ENETUNREACH || err == EPROTO ||
		err == EACCES || err == ENOPROTOOPT;
}

static void add_ttl(struct msghdr *message, enum family family, uint8_t ttl)
{
	bool v4 = family == FAMILY_IPV4;
	int value = ttl;
	struct cmsghdr *c = CMSG_FIRSTHDR(message);

	c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = v4 ? IP_TTL : IPV6_HOPLIMIT;
	c->cmsg_len = CMSG_LEN(sizeof(value));
	memcpy(CMSG_DATA(c), &value, sizeof(value));
}

int udp_send_ttl(int fd, const struct endpoint *to, uint8_t ttl, const void *data, size_t length)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct sockaddr_storage address;
	struct iovec part = {(void *)data, length};
	struct msghdr message = {.msg_name = &address,
		.msg_namelen = sockaddr_from_endpoint(to, &address),
		.msg_iov = &part,
		.msg_iovlen = 1};
	int err = 0;

	if (ttl) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		add_ttl(&message, to->family, ttl);
	}
	for (int try = 0; try < 2; try++) {
		if (sendmsg(fd, &message, MSG_NOSIGNAL) >= 0)
			return 0;
		err = -errno;
		if (!is_earlier_error(-err))
			break;
	}
	return err;
}

int udp_send(int fd, const struct endpoint *to, const void *data, size_t length)
{
	return udp_send_ttl(fd, to, 0, data, length);
}

static void read_meta(struct msghdr *message, struct udp_meta *meta)
{
	int value;

	memset(meta, 0, sizeof(*meta));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);
		bool v4 = c->cmsg_level == IPPROTO_IP;

		/* IPv4's TOS comes as one byte, all the others as an int */
		if (bytes >= sizeof(value))
			memcpy(&value, CMSG_DATA(c), sizeof(value));
		else
			value = bytes ? *CMSG_DATA(c) : 0;
		if (c->cmsg_type == (v4 ? IP_TTL : IPV6_HOPLIMIT))
			meta->ttl = (uint8_t)value;
		else if (c->cmsg_type == (v4 ? IP_TOS : IPV6_TCLASS))
			meta->tos = (uint8_t)value;
		else if (c->cmsg_type == (v4 ? IP_RECVFRAGSIZE : IPV6_RECVFRAGSIZE))
			meta->fragment_bytes = (uint16_t)value;
	}
}

int udp_receive(int fd, void *buffer, size_t size, struct endpoint *from, struct udp_meta *meta)
{
	struct sockaddr_storage address;
	_Alignas(struct cmsghdr) char control[CONTROL_BYTES];
	struct iovec iov = {buffer, size};
	struct msghdr message = {.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n;

	/* an ICMP error pending on the socket is reported here once, and again in the error queue */
	for (int try = 0; try < 2; try++) {
		n = recvmsg(fd, &message, 0);
		if (n >= 0 || errno == EAGAIN)
			break;
	}
	if (n < 0)
		return -errno;
	*from = sockaddr_to_endpoint(&address);
	read_meta(&message, meta);
	return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : (int)n;
}

static void read_extended_error(struct msghdr *message, struct udp_error *out)
{
	struct sock_extended_err e;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
		bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
		struct sockaddr_storage offender = {0};
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if ((!v4 && !v6) || bytes < sizeof(e))
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		bytes -= sizeof(e);
		memcpy(&offender, CMSG_DATA(c) + sizeof(e),
			bytes < sizeof(offender) ? bytes : sizeof(offender));
		out->error = (int)e.ee_errno;
		out->local = e.ee_origin == SO_EE_ORIGIN_LOCAL;
		out->type = out->local ? 0 : e.ee_type;
		out->code = out->local ? 0 : e.ee_code;
		out->mtu = out->local || e.ee_errno != EMSGSIZE ? 0 : e.ee_info;
		out->offender = sockaddr_to_endpoint(&offender);
		out->offender.port = 0;
	}
}

int udp_receive_error(int fd, void *buffer, size_t size, struct udp_error *out)
{
	struct sockaddr_storage address = {0};
	_Alignas(struct cmsghdr) char control[CONTROL_BYTES];
	struct iovec iov = {buffer, size};
	struct msghdr message = {.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &message, MSG_ERRQUEUE);

	if (n < 0)
		return -errno;
	memset(out, 0, sizeof(*out));
	out->to = sockaddr_to_endpoint(&address);
	out->quoted = (size_t)n < size ? (size_t)n : size;
	read_extended_error(&message, out);
	return 0;
}

/* --- batches --- */

struct udp_batch {
	unsigned count;
	struct mmsghdr headers[UDP_BATCH];
	struct iovec iov[UDP_BATCH];
	struct sockaddr_storage addresses[UDP_BATCH];
	_Alignas(struct cmsghdr) char control[UDP_BATCH][CONTROL_BYTES];
	/* the odd cache line keeps the buffers out of each other's sets of the cache */
	uint8_t data[UDP_BATCH][UDP_BATCH_BYTES + 64];
};

int udp_batch_create(struct udp_batch **out)
{
	struct udp_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	for (unsigned i = 0; i < UDP_BATCH; i++) {
		b->iov[i].iov_base = b->data[i];
		b->headers[i].msg_hdr.msg_iov = &b->iov[i];
		b->headers[i].msg_hdr.msg_iovlen = 1;
		b->headers[i].msg_hdr.msg_name = &b->addresses[i];
	}
	*out = b;
	return 0;
}

void udp_batch_destroy(struct udp_batch *batch)
{
	free(batch);
}

int udp_batch_receive(struct udp_batch *b, int fd)
{
	int n;

	for (unsigned i = 0; i < UDP_BATCH; i++) {
		struct msghdr *m = &b->headers[i].msg_hdr;

		b->iov[i].iov_len = UDP_BATCH_BYTES;
		m->msg_namelen = sizeof(b->addresses[i]);
		m->msg_control = b->control[i];
		m->msg_controllen = CONTROL_BYTES;
	}
	n = recvmmsg(fd, b->headers, UDP_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return -errno;
	b->count = (unsigned)n;
	return n;
}

const uint8_t *udp_batch_data(const struct udp_batch *b, unsigned i, size_t *length,
	struct endpoint *from, struct udp_meta *meta)
{
	struct msghdr m = b->headers[i].msg_hdr;

	*length = m.msg_flags & MSG_TRUNC ? 0 : b->headers[i].msg_len;
	*from = sockaddr_to_endpoint(&b->addresses[i]);
	read_meta(&m, meta);
	return b->data[i];
}

uint8_t *udp_batch_slot(struct udp_batch *b)
{
	return b->count < UDP_BATCH ? b->data[b->count] : NULL;
}

void udp_batch_add(struct udp_batch *b, size_t length, const struct endpoint *to)
{
	struct msghdr *m = &b->headers[b->count].msg_hdr;

	b->iov[b->count].iov_len = length;
	m->msg_namelen = sockaddr_from_endpoint(to, &b->addresses[b->count]);
	m->msg_control = NULL;
	m->msg_controllen = 0;
	b->count++;
}

unsigned udp_batch_count(const struct udp_batch *b)
{
	return b->count;
}

int udp_batch_send(struct udp_batch *b, int fd)
{
	unsigned done = 0, sent = 0;
	bool again = true;

	while (done < b->count) {
		int n = sendmmsg(fd, b->headers + done, b->count - done, MSG_NOSIGNAL);

		if (n < 0 && again && is_earlier_error(errno)) {
			again = false;
			continue;
		}
		if (n > 0)
			sent += (unsigned)n;
		done += n > 0 ? (unsigned)n : 1; /* the refused one is dropped, the rest goes on */
		again = true;
	}
	b->count = 0;
	return (int)sent;
}

struct icmp_seen udp_error_seen(const struct udp_error *e, uint64_t now_us)
{
	return (struct icmp_seen){.count = 1,
		.t_us = now_us,
		.local = e->local,
		.error = e->error,
		.type = e->type,
		.code = e->code,
		.offender = e->offender,
		.mtu = (uint16_t)(e->mtu < UINT16_MAX ? e->mtu : UINT16_MAX)};
}
