// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/segment.h"
#include "net/sockaddr.h"

#define IPV6_BYTES    40
#define CONTROL_BYTES 256

/* --- opening --- */

/*
 * Of IPv4 the packet begins with its IP header, of IPv6 with that of TCP. What is not wanted would only wake us up: a busy
 * host has many segments that are nothing to us.
 */
static int attach_filter(int fd, enum family family, uint16_t port)
{
	struct sock_filter header4 = BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0);
	struct sock_filter header6 = BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0);
	struct sock_filter code[] = {
		family == FAMILY_IPV4 ? header4 : header6,
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, PACKET_SYN | PACKET_RST | PACKET_ACK),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PACKET_RST, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_SYN | PACKET_ACK, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_SYN, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SEGMENT_BYTES_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

static int set_on(int fd, int level, int option)
{
	const int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on)) ? -errno : 0;
}

static int bind_address(int fd, const struct endpoint *address)
{
	struct sockaddr_storage storage;
	struct endpoint host = *address;
	socklen_t length;

	host.port = 0; /* of IPv6 it would be a protocol */
	length = sockaddr_from_endpoint(&host, &storage);
	return bind(fd, (struct sockaddr *)&storage, length) ? -errno : 0;
}

int segment_open(const struct endpoint *address, uint16_t port, int *fd)
{
	int err;

	*fd = socket(sockaddr_family(address->family), SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		IPPROTO_TCP);
	if (*fd < 0)
		return -errno;
	err = attach_filter(*fd, address->family, port);
	if (!err && address->family == FAMILY_IPV6)
		err = set_on(*fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
	if (!err && address->family == FAMILY_IPV6)
		err = set_on(*fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
	if (!err)
		err = bind_address(*fd, address);
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}

/* --- receiving --- */

/* What the kernel has taken off, and tells beside the segment. */
static void write_ipv6(uint8_t header[static IPV6_BYTES], size_t length,
	const struct sockaddr_storage *from, struct msghdr *message)
{
	struct endpoint source = sockaddr_to_endpoint(from);
	struct in6_pktinfo info = {.ipi6_ifindex = 0};
	int hops = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == IPV6_PKTINFO && bytes >= sizeof(info))
			memcpy(&info, CMSG_DATA(c), sizeof(info));
		if (c->cmsg_type == IPV6_HOPLIMIT && bytes >= sizeof(hops))
			memcpy(&hops, CMSG_DATA(c), sizeof(hops));
	}
	memset(header, 0, IPV6_BYTES);
	header[0] = 6 << 4;
	header[4] = (uint8_t)(length >> 8);
	header[5] = (uint8_t)length;
	header[6] = IPPROTO_TCP;
	header[7] = (uint8_t)hops;
	memcpy(header + 8, source.address, 16);
	memcpy(header + 24, &info.ipi6_addr, 16);
}

int segment_receive(int fd, enum family family, void *buffer, size_t size, struct packet *out)
{
	size_t before = family == FAMILY_IPV6 ? IPV6_BYTES : 0;
	union {
		char bytes[CONTROL_BYTES];
		struct cmsghdr align;
	} control;
	struct sockaddr_storage address = {0};
	struct iovec part = {(uint8_t *)buffer + before, size - before};
	struct msghdr message = {.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_control = &control,
		.msg_controllen = sizeof(control),
		.msg_iov = &part,
		.msg_iovlen = 1};
	ssize_t n = recvmsg(fd, &message, 0);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (before)
		write_ipv6(buffer, (size_t)n, &address, &message);
	if (message.msg_flags & MSG_TRUNC || packet_decode(buffer, before + (size_t)n, out))
		return -EBADMSG;
	return out->protocol == PACKET_TCP ? 0 : -EBADMSG;
}
