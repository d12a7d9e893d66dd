// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lab/hosts.h"
#include "lab/netlink.h"

#define LOOPBACK      1 /* its number in every namespace */
#define QUEUE_PACKETS 4096 /* what waits for us, in bursts */

struct hosts {
	struct host {
		int tun, namespace;
	} nodes[WORLD_NODES_MAX];
};

static int complain(char *error, size_t size, const char *host, const char *what, int err)
{
	snprintf(error, size, "host %s: %s: %s", host, what, strerror(-err));
	return err;
}

/* Best effort: an older kernel may not have the switch, or a container not let it be changed. */
static int set_switch(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);

	if (fd >= 0)
		close(fd);
	return ok ? 0 : -EIO;
}

/* No packets of the system's own, no filter by route, and ping for everybody. */
static void set_switches(void)
{
	set_switch("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
	set_switch("/proc/sys/net/ipv4/conf/default/rp_filter", "0");
	set_switch("/proc/sys/net/ipv6/conf/default/accept_ra", "0");
	set_switch("/proc/sys/net/ipv6/conf/default/router_solicitations", "0");
	set_switch("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1");
	set_switch("/proc/sys/net/ipv6/conf/default/disable_ipv6", "0");
	if (set_switch("/proc/sys/net/ipv4/ping_group_range", "0 2147483647"))
		set_switch("/proc/sys/net/ipv4/ping_group_range", "0 0");
}

/* In the present network namespace; its number in *interface. */
static int open_tun(unsigned *interface)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), probe, err = 0;

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", HOSTS_INTERFACE);
	probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (probe < 0 || ioctl(fd, TUNSETIFF, &request) || ioctl(probe, SIOCGIFINDEX, &request))
		err = -errno;
	/* It ends with its namespace, all of them at once; to close them one by one takes seconds. */
	if (!err && ioctl(fd, TUNSETPERSIST, 1))
		err = -errno;
	if (probe >= 0)
		close(probe);
	if (err) {
		close(fd);
		return err;
	}
	*interface = (unsigned)request.ifr_ifindex;
	return fd;
}

/* What is on the same side of the NAT, and by whom the rest is reached; NULL: it is all alike. */
static const struct world_prefix *network_of(
	const struct topology *t, const struct topology_node *n, enum family family)
{
	const struct world_prefix *p;

	if (!n->node.up)
		return NULL;
	p = &topology_at(t, n->node.up)->node.inside[family == FAMILY_IPV6];
	return p->address.family == FAMILY_NONE ? NULL : p;
}

static bool has_family(const struct topology_node *n, enum family family)
{
	for (size_t i = 0; i < n->node.address_count; i++)
		if (n->node.addresses[i].family == family)
			return true;
	return false;
}

static int add_routes(struct netlink *link, unsigned interface, const struct topology *t,
	const struct topology_node *n)
{
	static const enum family families[] = {FAMILY_IPV4, FAMILY_IPV6};
	int err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		const struct world_prefix *p = network_of(t, n, families[i]);

		if (has_family(n, families[i]))
			err = netlink_add_default(
				link, interface, families[i], p ? &p->address : NULL);
	}
	return err;
}

static int configure(struct netlink *link, unsigned interface, const struct topology *t,
	const struct topology_node *n)
{
	int err = netlink_up(link, LOOPBACK, QUEUE_PACKETS);

	if (!err)
		err = netlink_up(link, interface, QUEUE_PACKETS);
	for (size_t i = 0; i < n->node.address_count && !err; i++) {
		const struct endpoint *e = &n->node.addresses[i];
		const struct world_prefix *p = network_of(t, n, e->family);
		uint8_t all = (uint8_t)(8 * endpoint_address_length(e->family));

		err = netlink_add_address(link, interface, e, p ? p->bits : all);
	}
	return err ? err : add_routes(link, interface, t, n);
}

static int create_host(struct host *host, const struct topology *t, const struct topology_node *n,
	char *error, size_t size)
{
	const char *name = n->node.name;
	struct netlink *link;
	unsigned interface = 0;
	int err;

	if (unshare(CLONE_NEWNET))
		return complain(error, size, name, "no network namespace", -errno);
	host->namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (host->namespace < 0)
		return complain(error, size, name, "/proc/self/ns/net", -errno);
	set_switches();
	host->tun = open_tun(&interface);
	if (host->tun < 0)
		return complain(error, size, name, "no TUN interface (/dev/net/tun)", host->tun);
	err = netlink_open(&link);
	if (err)
		return complain(error, size, name, "netlink", err);
	err = configure(link, interface, t, n);
	netlink_close(link);
	return err ? complain(error, size, name, "cannot configure its interface", err) : 0;
}

int hosts_create(const struct topology *t, struct hosts **out, char *error, size_t size)
{
	struct hosts *h = calloc(1, sizeof(*h));
	int err = 0;

	if (!h)
		return complain(error, size, "-", "no memory", -ENOMEM);
	for (int i = 0; i < WORLD_NODES_MAX; i++)
		h->nodes[i].tun = h->nodes[i].namespace = -1;
	for (int i = 1; i <= topology_count(t) && !err; i++)
		if (topology_at(t, i)->node.kind == WORLD_HOST)
			err = create_host(&h->nodes[i], t, topology_at(t, i), error, size);
	if (!err && unshare(CLONE_NEWNET))
		err = complain(error, size, "-", "no network namespace", -errno);
	if (err) {
		hosts_destroy(h);
		return err;
	}
	*out = h;
	return 0;
}

void hosts_destroy(struct hosts *h)
{
	if (!h)
		return;
	for (int i = 0; i < WORLD_NODES_MAX; i++) {
		if (h->nodes[i].tun >= 0)
			close(h->nodes[i].tun);
		if (h->nodes[i].namespace >= 0)
			close(h->nodes[i].namespace);
	}
	free(h);
}

int hosts_tun(const struct hosts *h, int node)
{
	return h->nodes[node].tun;
}

int hosts_namespace(const struct hosts *h, int node)
{
	return h->nodes[node].namespace;
}
