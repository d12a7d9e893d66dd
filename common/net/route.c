// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "net/route.h"
#include "net/rtnetlink.h"
#include "net/sockaddr.h"

#define TABLE_ROUTES_MAX 20000 /* some 10 ms */

bool route_uses(const struct route *r, unsigned interface)
{
	for (size_t i = 0; i < r->interface_count; i++)
		if (r->interfaces[i] == interface)
			return true;
	return false;
}

/* --- answers --- */

static void add_interface(struct route *r, unsigned interface)
{
	if (r->interface_count < ROUTE_INTERFACES_MAX && !route_uses(r, interface))
		r->interfaces[r->interface_count++] = interface;
}

static enum family family_of(uint16_t number)
{
	return number == AF_INET ? FAMILY_IPV4 : number == AF_INET6 ? FAMILY_IPV6 : FAMILY_NONE;
}

static void read_address(const void *bytes, size_t length, enum family family, struct endpoint *out)
{
	if (family == FAMILY_NONE || length != endpoint_address_length(family))
		return;
	*out = (struct endpoint){.family = family};
	memcpy(out->address, bytes, length);
}

static void read_attribute_address(const struct nlattr *a, enum family family, struct endpoint *out)
{
	read_address(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a), family, out);
}

/* A gateway of another family than the route's (RFC 5549). */
static void read_via(const struct nlattr *a, struct endpoint *out)
{
	const struct rtvia *via = mnl_attr_get_payload(a);
	size_t length = mnl_attr_get_payload_len(a);

	if (length > sizeof(*via))
		read_address(
			via->rtvia_addr, length - sizeof(*via), family_of(via->rtvia_family), out);
}

/* Ways with equal rights, each with attributes of its own. */
static void read_ways(const struct nlattr *list, struct route *r, enum family family)
{
	const struct rtnexthop *way = mnl_attr_get_payload(list);
	size_t left = mnl_attr_get_payload_len(list);

	while (left >= sizeof(*way) && way->rtnh_len >= sizeof(*way) && way->rtnh_len <= left) {
		const struct nlattr *a = (const void *)RTNH_DATA(way);
		int bytes = way->rtnh_len - (int)sizeof(*way);
		size_t step = RTNH_ALIGN(way->rtnh_len);

		add_interface(r, (unsigned)way->rtnh_ifindex);
		for (; r->interface_count == 1 && mnl_attr_ok(a, bytes);
			bytes -= MNL_ALIGN(a->nla_len), a = mnl_attr_next(a)) {
			if (mnl_attr_get_type(a) == RTA_GATEWAY)
				read_attribute_address(a, family, &r->gateway);
			if (mnl_attr_get_type(a) == RTA_VIA)
				read_via(a, &r->gateway);
		}
		left -= step < left ? step : left;
		way = (const void *)((const char *)way + step);
	}
}

static void read_number(const struct nlattr *a, uint32_t *out)
{
	if (mnl_attr_get_payload_len(a) == sizeof(*out))
		*out = mnl_attr_get_u32(a);
}

static void read_route(const struct nlmsghdr *h, struct route *r)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	enum family family = family_of(m->rtm_family);
	struct nlattr *a;
	uint32_t interface = 0;

	*r = (struct route){.table = m->rtm_table,
		.local = m->rtm_type == RTN_LOCAL,
		.prefix_bits = m->rtm_dst_len};
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(a)) {
		case RTA_OIF:
			read_number(a, &interface);
			break;
		case RTA_TABLE:
			read_number(a, &r->table);
			break;
		case RTA_PREFSRC:
			read_attribute_address(a, family, &r->source);
			break;
		case RTA_GATEWAY:
			read_attribute_address(a, family, &r->gateway);
			break;
		case RTA_VIA:
			read_via(a, &r->gateway);
			break;
		case RTA_MULTIPATH:
			read_ways(a, r, family);
			break;
		}
	}
	if (interface)
		add_interface(r, interface);
}

static bool is_route(const struct nlmsghdr *h)
{
	return h->nlmsg_type == RTM_NEWROUTE &&
		mnl_nlmsg_get_payload_len(h) >= sizeof(struct rtmsg);
}

static int on_route(const struct nlmsghdr *h, void *context)
{
	if (is_route(h))
		read_route(h, context);
	return MNL_CB_OK;
}

/* --- questions --- */

static struct rtmsg *begin(
	struct rtnetlink *n, uint16_t flags, enum family family, struct nlmsghdr **h)
{
	struct rtmsg *m;

	*h = rtnetlink_begin(n, RTM_GETROUTE, flags);
	m = mnl_nlmsg_put_extra_header(*h, sizeof(*m));
	m->rtm_family = (uint8_t)sockaddr_family(family);
	return m;
}

static void put_address(struct nlmsghdr *h, uint16_t type, const struct endpoint *e, uint8_t *bits)
{
	size_t bytes = endpoint_address_length(e->family);

	if (!bytes)
		return;
	*bits = (uint8_t)(8 * bytes);
	mnl_attr_put(h, type, bytes, e->address);
}

static void put_port(struct nlmsghdr *h, uint16_t type, uint16_t port)
{
	const uint8_t bytes[2] = {(uint8_t)(port >> 8), (uint8_t)port};

	if (port)
		mnl_attr_put(h, type, sizeof(bytes), bytes);
}

static int ask(
	struct rtnetlink *n, const struct route_question *q, uint32_t flags, struct route *out)
{
	struct nlmsghdr *h;
	struct rtmsg *m = begin(n, NLM_F_ACK, q->to.family, &h);
	unsigned interface = q->interface ? q->interface : q->to.scope;

	m->rtm_flags = RTM_F_LOOKUP_TABLE | flags;
	put_address(h, RTA_DST, &q->to, &m->rtm_dst_len);
	put_address(h, RTA_SRC, &q->from, &m->rtm_src_len);
	if (interface)
		mnl_attr_put_u32(h, RTA_OIF, interface);
	if (q->protocol) {
		mnl_attr_put_u8(h, RTA_IP_PROTO, q->protocol);
		put_port(h, RTA_SPORT, q->from.port);
		put_port(h, RTA_DPORT, q->to.port);
	}
	return rtnetlink_ask(n, h, on_route, out);
}

static int find(const struct route_question *q, uint32_t flags, struct route *out)
{
	struct rtnetlink n;
	int err;

	*out = (struct route){0};
	if (q->to.family == FAMILY_NONE ||
		(q->from.family != FAMILY_NONE && q->from.family != q->to.family))
		return -EINVAL;
	err = rtnetlink_open(&n);
	if (err)
		return err;
	err = ask(&n, q, flags, out);
	rtnetlink_close(&n);
	return !err && !out->interface_count ? -ENETUNREACH : err;
}

int route_find(const struct route_question *q, struct route *out)
{
	int err = find(q, 0, out);

	if (!err && out->source.family == FAMILY_NONE && q->from.family != FAMILY_NONE) {
		out->source = q->from;
		out->source.port = 0;
	}
	return err;
}

/* The kernel looks for the same: fib_validate_source(). */
int route_back(const struct endpoint *local, const struct endpoint *remote, struct route *out)
{
	const struct route_question q = {.from = *local, .to = *remote};

	return find(&q, RTM_F_FIB_MATCH, out);
}

/* --- the main table --- */

struct search {
	const struct endpoint *to;
	struct route *best;
	bool found;
	uint32_t best_metric;
	unsigned routes;
};

static bool has_prefix(const struct endpoint *e, const uint8_t *prefix, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	return memcmp(e->address, prefix, bytes) == 0 &&
		(!rest || (e->address[bytes] ^ prefix[bytes]) >> (8 - rest) == 0);
}

static bool leads_to(const struct nlmsghdr *h, const struct endpoint *to, uint32_t *metric)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct endpoint prefix = {0};
	struct nlattr *a;

	*metric = 0;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		if (mnl_attr_get_type(a) == RTA_DST)
			read_attribute_address(a, to->family, &prefix);
		if (mnl_attr_get_type(a) == RTA_PRIORITY)
			read_number(a, metric);
	}
	return family_of(m->rtm_family) == to->family && !(m->rtm_flags & RTM_F_CLONED) &&
		m->rtm_dst_len <= 8 * endpoint_address_length(to->family) &&
		has_prefix(to, prefix.address, m->rtm_dst_len);
}

/* The longest prefix, and of these the lowest metric. */
static int on_table(const struct nlmsghdr *h, void *context)
{
	struct search *s = context;
	struct route r;
	uint32_t metric;

	if (++s->routes > TABLE_ROUTES_MAX) {
		errno = E2BIG;
		return MNL_CB_ERROR;
	}
	if (!is_route(h) || !leads_to(h, s->to, &metric))
		return MNL_CB_OK;
	read_route(h, &r);
	if (r.table != RT_TABLE_MAIN ||
		(s->found &&
			(r.prefix_bits < s->best->prefix_bits ||
				(r.prefix_bits == s->best->prefix_bits &&
					metric >= s->best_metric))))
		return MNL_CB_OK;
	*s->best = r;
	s->best_metric = metric;
	s->found = true;
	return MNL_CB_OK;
}

int route_main(const struct endpoint *to, struct route *out)
{
	struct search s = {.to = to, .best = out};
	struct rtnetlink n;
	struct nlmsghdr *h;
	int err, strict = 1;

	*out = (struct route){0};
	if (to->family == FAMILY_NONE)
		return -EINVAL;
	err = rtnetlink_open(&n);
	if (err)
		return err;
	/* with this the kernel leaves other tables out */
	mnl_socket_setsockopt(n.socket, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict));
	begin(&n, NLM_F_DUMP, to->family, &h)->rtm_table = RT_TABLE_MAIN;
	err = rtnetlink_ask(&n, h, on_table, &s);
	rtnetlink_close(&n);
	return !err && !out->interface_count ? -ENETUNREACH : err;
}
