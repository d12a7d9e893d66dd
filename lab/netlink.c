// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lab/netlink.h"

#define MESSAGE_BYTES 1024 /* far more than any of ours has */
#define ANSWER_BYTES  8192

struct netlink {
	struct mnl_socket *socket;
	unsigned sequence;
	char buffer[MESSAGE_BYTES];
};

int netlink_open(struct netlink **out)
{
	struct netlink *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	n->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (n->socket && !mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID)) {
		*out = n;
		return 0;
	}
	err = -errno;
	netlink_close(n);
	return err;
}

void netlink_close(struct netlink *n)
{
	if (!n)
		return;
	if (n->socket)
		mnl_socket_close(n->socket);
	free(n);
}

static struct nlmsghdr *begin(struct netlink *n, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(n->buffer);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	h->nlmsg_seq = ++n->sequence;
	return h;
}

/* Sends the message, and waits for what the kernel says of it. */
static int finish(struct netlink *n, struct nlmsghdr *h)
{
	char answer[ANSWER_BYTES];
	ssize_t length;

	if (mnl_socket_sendto(n->socket, h, h->nlmsg_len) < 0)
		return -errno;
	length = mnl_socket_recvfrom(n->socket, answer, sizeof(answer));
	if (length < 0)
		return -errno;
	if (mnl_cb_run(answer, (size_t)length, n->sequence, mnl_socket_get_portid(n->socket), NULL,
		    NULL) < 0)
		return -errno;
	return 0;
}

static uint8_t family_number(enum family family)
{
	return family == FAMILY_IPV4 ? AF_INET : AF_INET6;
}

int netlink_up(struct netlink *n, unsigned interface, unsigned queue_packets)
{
	struct nlmsghdr *h = begin(n, RTM_NEWLINK, 0);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifi_family = AF_UNSPEC;
	m->ifi_index = (int)interface;
	m->ifi_change = IFF_UP;
	m->ifi_flags = IFF_UP;
	mnl_attr_put_u32(h, IFLA_TXQLEN, queue_packets);
	return finish(n, h);
}

int netlink_add_address(
	struct netlink *n, unsigned interface, const struct endpoint *address, uint8_t bits)
{
	struct nlmsghdr *h = begin(n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	size_t bytes = endpoint_address_length(address->family);

	m->ifa_family = family_number(address->family);
	m->ifa_prefixlen = bits;
	m->ifa_flags = address->family == FAMILY_IPV6 ? IFA_F_NODAD : 0;
	m->ifa_scope = RT_SCOPE_UNIVERSE;
	m->ifa_index = interface;
	mnl_attr_put(h, IFA_LOCAL, bytes, address->address);
	mnl_attr_put(h, IFA_ADDRESS, bytes, address->address);
	return finish(n, h);
}

int netlink_add_default(
	struct netlink *n, unsigned interface, enum family family, const struct endpoint *gateway)
{
	struct nlmsghdr *h = begin(n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->rtm_family = family_number(family);
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(h, RTA_OIF, interface);
	/* an address that was given need not be in the network of its gateway */
	if (gateway) {
		m->rtm_flags = RTNH_F_ONLINK;
		mnl_attr_put(h, RTA_GATEWAY, endpoint_address_length(family), gateway->address);
	}
	return finish(n, h);
}
