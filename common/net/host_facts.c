// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net/host_facts.h"
#include "net/proc.h"
#include "net/rtnetlink.h"

#define PATH_BYTES 80

enum host_facts_kind host_facts_kind(unsigned flags, unsigned type, const char *kind)
{
	static const char *const tunnels[] = {"amt", "bareudp", "erspan", "fou", "geneve", "gre",
		"gretap", "gtp", "ip6erspan", "ip6gre", "ip6gretap", "ip6tnl", "ipip", "l2tp",
		"ovpn", "sit", "tun", "vti", "vti6", "vxlan", "wireguard", "xfrm"};

	if (flags & IFF_LOOPBACK)
		return HOST_FACTS_LOOPBACK;
	for (size_t i = 0; i < sizeof(tunnels) / sizeof(*tunnels); i++)
		if (strcmp(kind, tunnels[i]) == 0)
			return HOST_FACTS_TUNNEL;
	switch (type) {
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		return HOST_FACTS_TUNNEL;
	case ARPHRD_NONE:
	case ARPHRD_PPP:
	case ARPHRD_RAWIP:
		return HOST_FACTS_POINT_TO_POINT;
	}
	return flags & IFF_POINTOPOINT ? HOST_FACTS_POINT_TO_POINT : HOST_FACTS_LINK;
}

/* --- a link --- */

struct link {
	struct host_facts_interface *out;
	char kind[HOST_FACTS_NAME];
	unsigned flags, type;
	bool found;
};

static void copy_name(const struct nlattr *a, char out[static HOST_FACTS_NAME])
{
	size_t length = strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));

	if (length < HOST_FACTS_NAME) {
		memcpy(out, mnl_attr_get_payload(a), length);
		out[length] = '\0';
	}
}

static void read_info(const struct nlattr *nest, struct link *l)
{
	struct nlattr *a;

	mnl_attr_for_each_nested(a, nest) if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
		copy_name(a, l->kind);
}

static int on_link(const struct nlmsghdr *h, void *context)
{
	struct link *l = context;
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	l->found = true;
	l->flags = m->ifi_flags;
	l->type = m->ifi_type;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(a)) {
		case IFLA_IFNAME:
			copy_name(a, l->out->name);
			break;
		case IFLA_MTU:
			if (mnl_attr_get_payload_len(a) == sizeof(l->out->mtu))
				l->out->mtu = mnl_attr_get_u32(a);
			break;
		case IFLA_LINKINFO:
			read_info(a, l);
			break;
		}
	}
	return MNL_CB_OK;
}

static int read_link(unsigned index, struct link *l)
{
	struct rtnetlink n;
	struct nlmsghdr *h;
	struct ifinfomsg *m;
	int err = rtnetlink_open(&n);

	if (err)
		return err;
	h = rtnetlink_begin(&n, RTM_GETLINK, NLM_F_ACK);
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifi_index = (int)index;
	err = rtnetlink_ask(&n, h, on_link, l);
	rtnetlink_close(&n);
	return !err && !l->found ? -ENODEV : err;
}

/* --- reverse-path filtering --- */

static int read_rp_filter(const char *name)
{
	char path[PATH_BYTES];
	uint64_t value;

	/* a name has no slash, but may be of dots */
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", name) >=
			(int)sizeof(path))
		return -1;
	return proc_number(path, &value) || value > 2 ? -1 : (int)value;
}

int host_facts_interface(unsigned index, struct host_facts_interface *out)
{
	struct link l = {.out = out};
	int all, err;

	*out = (struct host_facts_interface){.index = index, .rp_filter = -1};
	err = index ? read_link(index, &l) : -ENODEV;
	if (err)
		return err;
	out->up = l.flags & IFF_UP;
	out->kind = host_facts_kind(l.flags, l.type, l.kind);
	/* the higher one counts */
	all = read_rp_filter("all");
	out->rp_filter = read_rp_filter(out->name);
	if (all > out->rp_filter && out->rp_filter >= 0)
		out->rp_filter = all;
	return 0;
}

int host_facts_connections(uint64_t *count, uint64_t *limit)
{
	if (proc_number("/proc/sys/net/netfilter/nf_conntrack_count", count) ||
		proc_number("/proc/sys/net/netfilter/nf_conntrack_max", limit))
		return -ENOENT;
	return 0;
}
