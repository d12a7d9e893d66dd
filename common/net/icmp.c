// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/icmp.h> /* behind <netinet/in.h>, whose place it would take */

#include "net/icmp.h"
#include "net/sockaddr.h"
#include "wire/checksum.h"

#define HEADER_BYTES   8
#define IPV4_BYTES_MIN 20
#define CONTROL_BYTES  256

/* --- opening --- */

int icmp_want(int fd, enum family family, const uint8_t *types, size_t count)
{
	struct icmp6_filter six;
	struct icmp_filter four = {.data = ~0u};
	bool v4 = family == FAMILY_IPV4;

	ICMP6_FILTER_SETBLOCKALL(&six);
	for (size_t i = 0; i < count; i++) {
		if (types[i] < 32)
			four.data &= ~(1u << types[i]);
		ICMP6_FILTER_SETPASS(types[i], &six);
	}
	return setsockopt(fd, v4 ? SOL_RAW : IPPROTO_ICMPV6, v4 ? ICMP_FILTER : ICMP6_FILTER,
		       v4 ? (const void *)&four : &six, v4 ? sizeof(four) : sizeof(six))
		? -errno
		: 0;
}

static int set_on(int fd, int level, int option)
{
	const int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on)) ? -errno : 0;
}

int icmp_use_interface(int fd, const char *interface)
{
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface))
		? -errno
		: 0;
}

/* Of IPv4 the header comes along, and says where it was going. */
static int set_options(int fd, enum family family, const char *interface)
{
	int err = icmp_want(fd, family, NULL, 0);

	if (!err && interface)
		err = icmp_use_interface(fd, interface);
	if (err || family == FAMILY_IPV4)
		return err;
	err = set_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
	return err ? err : set_on(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
}

int icmp_open(enum family family, const char *interface, int *fd)
{
	int err;

	*fd = socket(sockaddr_family(family), SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		family == FAMILY_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (*fd < 0)
		return -errno;
	err = set_options(*fd, family, interface);
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}

/* --- sending --- */

union control {
	char bytes[CONTROL_BYTES];
	struct cmsghdr align;
};

static void add_control(
	struct msghdr *message, size_t *used, int level, int type, const void *data, size_t length)
{
	struct cmsghdr *c = (void *)((char *)message->msg_control + *used);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(length);
	memcpy(CMSG_DATA(c), data, length);
	*used += CMSG_SPACE(length);
}

static void add_source(struct msghdr *message, size_t *used, const struct endpoint *from)
{
	struct in6_pktinfo six = {.ipi6_ifindex = from->scope};
	struct in_pktinfo four = {.ipi_ifindex = 0};

	memcpy(&six.ipi6_addr, from->address, sizeof(six.ipi6_addr));
	memcpy(&four.ipi_spec_dst, from->address, sizeof(four.ipi_spec_dst));
	if (from->family == FAMILY_IPV4)
		add_control(message, used, IPPROTO_IP, IP_PKTINFO, &four, sizeof(four));
	else
		add_control(message, used, IPPROTO_IPV6, IPV6_PKTINFO, &six, sizeof(six));
}

static void add_ttl(struct msghdr *message, size_t *used, enum family family, uint8_t ttl)
{
	int value = ttl;

	if (family == FAMILY_IPV4)
		add_control(message, used, IPPROTO_IP, IP_TTL, &value, sizeof(value));
	else
		add_control(message, used, IPPROTO_IPV6, IPV6_HOPLIMIT, &value, sizeof(value));
}

/* Of ICMPv6 the kernel computes the checksum, over addresses that it knows. */
static void build_header(
	uint8_t header[static HEADER_BYTES], enum family family, const struct icmp_message *m)
{
	uint16_t field = 0;

	header[0] = m->type;
	header[1] = m->code;
	header[2] = header[3] = 0;
	memcpy(header + 4, m->rest, sizeof(m->rest));
	if (family == FAMILY_IPV4)
		field = (uint16_t)~checksum_fold((uint32_t)checksum_sum(header, HEADER_BYTES) +
			checksum_sum(m->body.data, m->body.length));
	header[2] = (uint8_t)(field >> 8);
	header[3] = (uint8_t)field;
}

int icmp_send(int fd, const struct endpoint *from, const struct endpoint *to, uint8_t ttl,
	const struct icmp_message *m)
{
	uint8_t header[HEADER_BYTES];
	struct sockaddr_storage address;
	struct endpoint host = *to;
	union control control = {.bytes = {0}};
	struct iovec parts[2] = {
		{header, sizeof(header)}, {(void *)(uintptr_t)m->body.data, m->body.length}};
	struct msghdr message = {
		.msg_name = &address, .msg_control = &control, .msg_iov = parts, .msg_iovlen = 2};
	size_t used = 0;

	if (m->body.length > ICMP_BYTES_MAX - HEADER_BYTES)
		return -EMSGSIZE;
	host.port = 0; /* of IPv6 it would be a protocol */
	message.msg_namelen = sockaddr_from_endpoint(&host, &address);
	build_header(header, to->family, m);
	if (from && from->family == to->family)
		add_source(&message, &used, from);
	if (ttl)
		add_ttl(&message, &used, to->family, ttl);
	message.msg_controllen = used;
	return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* --- receiving --- */

static void read_control(struct msghdr *message, struct icmp_meta *meta)
{
	struct in6_pktinfo info;
	int hops;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == IPV6_PKTINFO && bytes >= sizeof(info)) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			meta->to.family = FAMILY_IPV6;
			memcpy(meta->to.address, &info.ipi6_addr, sizeof(info.ipi6_addr));
		}
		if (c->cmsg_type == IPV6_HOPLIMIT && bytes >= sizeof(hops)) {
			memcpy(&hops, CMSG_DATA(c), sizeof(hops));
			meta->ttl = (uint8_t)hops;
		}
	}
}

/* The length of the IPv4 header, and what it says; 0: it is none. */
static size_t read_ipv4(const uint8_t *data, size_t length, struct icmp_meta *meta)
{
	size_t header = length ? (size_t)(data[0] & 15) * 4 : 0;

	if (length < IPV4_BYTES_MIN || data[0] >> 4 != 4 || header < IPV4_BYTES_MIN ||
		header > length)
		return 0;
	meta->ttl = data[8];
	meta->to.family = FAMILY_IPV4;
	memcpy(meta->to.address, data + 16, 4);
	return header;
}

int icmp_receive(int fd, enum family family, void *buffer, size_t size, struct icmp_message *m,
	struct icmp_meta *meta)
{
	struct sockaddr_storage address = {0};
	union control control;
	struct iovec part = {buffer, size};
	struct msghdr message = {.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_control = &control,
		.msg_controllen = sizeof(control),
		.msg_iov = &part,
		.msg_iovlen = 1};
	ssize_t n = recvmsg(fd, &message, 0);
	const uint8_t *data = buffer;
	size_t skip = 0, length;

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	length = (size_t)n;
	memset(meta, 0, sizeof(*meta));
	meta->from = sockaddr_to_endpoint(&address);
	meta->from.port = 0;
	if (family == FAMILY_IPV4)
		skip = read_ipv4(data, length, meta);
	else
		read_control(&message, meta);
	if ((family == FAMILY_IPV4 && !skip) || length - skip < HEADER_BYTES)
		return -EBADMSG;
	/* the kernel checks that of ICMPv6, and of IPv4 only what it deals with itself */
	if (family == FAMILY_IPV4 && !(message.msg_flags & MSG_TRUNC) &&
		checksum_sum(data + skip, length - skip) != 0xffff)
		return -EBADMSG;
	m->type = data[skip];
	m->code = data[skip + 1];
	memcpy(m->rest, data + skip + 4, sizeof(m->rest));
	m->body = (struct span){data + skip + HEADER_BYTES, length - skip - HEADER_BYTES};
	return 0;
}
