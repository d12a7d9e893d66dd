// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "net/udp.h"
#include "punch/lifetime.h"
#include "tools/punch/path_private.h"

/* The way that stands: a flow of datagrams (punch/flow.h), or a tunnel over a connection (tunnel.h). */

#define TUNNEL_KEEPALIVE_US 10000000
#define TUNNEL_PATIENCE_US  25000000

/* Of a socket that is bound to no address it is the one that the route to the peer chooses. */
static void find_local(struct path *p, int fd)
{
	const struct session_view *v = session_view(p->config->session);
	struct endpoint *local = &p->result->local, source;

	p->result->peer = v->way.remote;
	if (udp_local(fd, local) || p->config->tcp ||
		udp_source_towards(&v->way.remote, p->config->interface, &source))
		return;
	source.port = local->port;
	*local = source;
}

static int begin_flow(struct path *p, uint64_t now_us)
{
	const struct session_view *v = session_view(p->config->session);
	struct flow_config config = {.keys = session_keys(p->config->session),
		.socket = v->way.socket,
		.remote = v->way.remote,
		.keepalive_us = lifetime_keepalive_us(0, 0)};
	int err;

	random_init(&config.random);
	err = flow_create(&config, now_us, &p->flow);
	if (!err)
		find_local(p, carrier_fd(p->carrier, v->way.socket));
	return err;
}

static int begin_tunnel(struct path *p, uint64_t now_us)
{
	const struct session_view *v = session_view(p->config->session);
	struct tunnel_config config = {.base = p->base,
		.fd = carrier_take(p->carrier, v->way.socket),
		.keys = session_keys(p->config->session),
		.salt = {v->way.nomination.bytes, sizeof(v->way.nomination.bytes)},
		.controlling = !v->side,
		.exact = p->config->use == PATH_MEASURE,
		.keepalive_us = TUNNEL_KEEPALIVE_US,
		.patience_us = TUNNEL_PATIENCE_US,
		.use = path_use_number(p),
		.event = path_use_event,
		.changed = path_changed,
		.context = p};

	if (config.fd < 0)
		return config.fd;
	find_local(p, config.fd);
	return tunnel_create(&config, now_us, &p->tunnel);
}

int path_way_begin(struct path *p, uint64_t now_us)
{
	int err = p->config->tcp ? begin_tunnel(p, now_us) : begin_flow(p, now_us);

	if (!err)
		path_use_changed(p);
	return err;
}

bool path_way_exists(const struct path *p)
{
	return p->flow || p->tunnel;
}

void path_way_end(struct path *p)
{
	flow_destroy(p->flow);
	tunnel_destroy(p->tunnel);
	p->flow = NULL;
	p->tunnel = NULL;
}

int path_way_again(struct path *p, uint64_t now_us)
{
	const struct checks_result *way = &session_view(p->config->session)->way;

	if (p->config->tcp) {
		path_way_end(p);
		return begin_tunnel(p, now_us);
	}
	flow_rebind(p->flow, now_us, way->socket, &way->remote);
	find_local(p, carrier_fd(p->carrier, way->socket));
	return 0;
}

void path_way_ping(struct path *p, uint64_t now_us, unsigned count)
{
	if (p->tunnel)
		tunnel_ping(p->tunnel, now_us, count, p->config->interval_us);
	else
		flow_ping(p->flow, now_us, count, p->config->interval_us);
}

struct flow_statistics path_way_statistics(const struct path *p)
{
	struct mux_statistics m;

	if (p->flow)
		return flow_statistics(p->flow);
	if (!p->tunnel)
		return p->result->flow;
	m = tunnel_statistics(p->tunnel);
	return (struct flow_statistics){.pings = m.pings,
		.pongs = m.pongs,
		.rtt_us = m.rtt_us,
		.rtt_min_us = m.rtt_min_us,
		.heard_us = tunnel_is_heard(p->tunnel) ? m.heard_us : 0};
}

uint64_t path_way_silent_at(const struct path *p)
{
	return p->tunnel ? tunnel_silent_at(p->tunnel) : flow_silent_at(p->flow);
}

bool path_way_is_broken(const struct path *p)
{
	return p->tunnel && tunnel_error(p->tunnel) && !tunnel_is_closed(p->tunnel);
}

bool path_way_is_done(const struct path *p)
{
	return p->tunnel && tunnel_is_closed(p->tunnel) && tunnel_is_flushed(p->tunnel);
}

bool path_way_is_closed(const struct path *p)
{
	return p->tunnel && tunnel_is_closed(p->tunnel);
}

/* Where a program gets the socket afterwards none may come late; else a peer that misses it has long to wait. */
void path_way_close(struct path *p, uint64_t now_us)
{
	if (p->flow)
		flow_close(p->flow, now_us, p->config->use == PATH_MEASURE ? 3 : 5);
	else if (p->tunnel)
		tunnel_close(p->tunnel);
}

uint64_t path_way_turn(struct path *p, uint64_t now_us)
{
	struct flow_output out = {.deadline_us = UINT64_MAX};

	if (p->tunnel) {
		out.deadline_us = tunnel_turn(p->tunnel, now_us);
		streams_turn(p->streams);
		p->result->closed = tunnel_is_closed(p->tunnel);
	}
	while (p->flow && flow_poll(p->flow, now_us, &out) == FLOW_SEND)
		path_transmit(p, &out);
	return out.deadline_us;
}

/* Of a tunnel only what has come to its end on both sides. */
int path_way_take(struct path *p)
{
	if (p->flow)
		return carrier_take(p->carrier, flow_socket(p->flow));
	return path_way_is_done(p) ? tunnel_take(p->tunnel) : -EBADF;
}
