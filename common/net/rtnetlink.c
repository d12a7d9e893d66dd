// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "net/rtnetlink.h"

#define ANSWER_BYTES 16384 /* what the kernel fills at most */

int rtnetlink_open(struct rtnetlink *n)
{
	int err;

	n->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!n->socket)
		return -errno;
	if (!mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID))
		return 0;
	err = -errno;
	rtnetlink_close(n);
	return err;
}

void rtnetlink_close(struct rtnetlink *n)
{
	mnl_socket_close(n->socket);
}

struct nlmsghdr *rtnetlink_begin(struct rtnetlink *n, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(n->buffer);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = 1;
	return h;
}

int rtnetlink_ask(
	struct rtnetlink *n, const struct nlmsghdr *question, mnl_cb_t callback, void *context)
{
	char answer[ANSWER_BYTES];
	int more;

	if (mnl_socket_sendto(n->socket, question, question->nlmsg_len) < 0)
		return -errno;
	do {
		ssize_t length = mnl_socket_recvfrom(n->socket, answer, sizeof(answer));

		if (length < 0)
			return -errno;
		more = mnl_cb_run(answer, (size_t)length, question->nlmsg_seq,
			mnl_socket_get_portid(n->socket), callback, context);
	} while (more > MNL_CB_STOP);
	return more < 0 ? -errno : 0;
}
