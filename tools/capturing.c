// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/capture.h"
#include "net/counters.h"
#include "net/host_facts.h"
#include "net/interfaces.h"
#include "net/route.h"
#include "tools/capturing.h"

struct capturing {
	struct capture *capture; /* NULL: none */
	int error; /* negative errno, why not */
	struct captured_list *list;
	struct event *event;
	struct host_record host;
	struct counters before;
	bool counted; /* before */
	struct capture_statistics statistics; /* when it has ended */
	bool ended;
};

/* --- from begin to end --- */

struct capturing *capturing_open(void)
{
	struct capturing *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->error = captured_create(true, &c->list);
	if (c->error) {
		free(c);
		return NULL;
	}
	c->error = capture_open(&c->capture);
	return c;
}

void capturing_close(struct capturing *c)
{
	if (!c)
		return;
	if (c->event)
		event_free(c->event);
	capture_close(c->capture);
	captured_destroy(c->list);
	free(c);
}

enum capture_state capturing_state(const struct capturing *c)
{
	if (!c)
		return CAPTURE_OFF;
	if (c->capture || (c->ended && !c->error))
		return CAPTURE_ON;
	return c->error == -EPERM || c->error == -EACCES ? CAPTURE_NOT_PERMITTED
							 : CAPTURE_UNAVAILABLE;
}

/* --- packets --- */

static size_t place_of(struct capturing *c, unsigned index)
{
	char name[IF_NAMESIZE] = "";

	for (size_t i = 0; i < c->list->interface_count; i++)
		if (c->list->interfaces[i].index == index)
			return i;
	if (!if_indextoname(index, name)) /* it is gone */
		snprintf(name, sizeof(name), "#%u", index);
	return captured_interface(c->list, index, name);
}

static void on_packet(void *context, const struct capture_packet *p)
{
	struct capturing *c = context;
	struct captured_packet packet = {.number = (uint32_t)c->list->count + 1,
		.t_us = p->time_us,
		.interface = place_of(c, p->interface),
		.way = p->direction == CAPTURE_OUT ? WAY_OUT : WAY_IN,
		.ip = p->packet,
		.keep = true};

	c->list->utc_us = p->utc_us - p->time_us;
	captured_take(c->list, &packet);
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
	struct capturing *c = argument;

	(void)fd;
	(void)what;
	if (capture_read(c->capture, on_packet, c) && c->event)
		event_del(
			c->event); /* an interface that is down is no reason; this is another one */
}

/* --- the host --- */

static uint64_t sum(const struct counters *c, const enum counter *which, size_t count)
{
	uint64_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (c->known[which[i]])
			n += c->values[which[i]];
	return n;
}

#define SUM(c, ...)                                 \
	sum(c, (const enum counter[]){__VA_ARGS__}, \
		sizeof((const enum counter[]){__VA_ARGS__}) / sizeof(enum counter))

static void record_counters(struct capturing *c)
{
	struct counters now, since;

	if (!c->counted || counters_read(&now))
		return;
	since = counters_difference(&c->before, &now);
	c->host.counters = (struct host_counters){.known = since.known[COUNTER_IP_REVERSE_PATH] &&
			since.known[COUNTER_UDP_IN_BUFFER_ERRORS],
		.reverse_path = SUM(&since, COUNTER_IP_REVERSE_PATH),
		.checksums = SUM(&since, COUNTER_UDP_IN_CHECKSUM_ERRORS,
			COUNTER_UDP6_IN_CHECKSUM_ERRORS, COUNTER_TCP_IN_CHECKSUM_ERRORS,
			COUNTER_IP_IN_CHECKSUM_ERRORS, COUNTER_IP_IN_HEADER_ERRORS),
		.buffers = SUM(&since, COUNTER_UDP_IN_BUFFER_ERRORS, COUNTER_UDP6_IN_BUFFER_ERRORS,
			COUNTER_UDP_MEMORY_ERRORS, COUNTER_UDP6_MEMORY_ERRORS),
		.routes = SUM(&since, COUNTER_IP_OUT_NO_ROUTES, COUNTER_IP6_OUT_NO_ROUTES),
		.out_discards = SUM(&since, COUNTER_IP_OUT_DISCARDS, COUNTER_IP6_OUT_DISCARDS)};
}

static void record_interfaces(struct capturing *c)
{
	struct host_record *h = &c->host;

	for (size_t i = 0; i < c->list->interface_count && h->interface_count < HOST_INTERFACES;
		i++) {
		struct host_interface *out = &h->interfaces[h->interface_count];
		struct host_facts_interface facts;

		if (host_facts_interface(c->list->interfaces[i].index, &facts))
			continue;
		*out = (struct host_interface){.index = facts.index,
			.loopback = facts.kind == HOST_FACTS_LOOPBACK,
			.tunnel = facts.kind == HOST_FACTS_TUNNEL,
			.strict = facts.rp_filter == 1};
		snprintf(out->name, sizeof(out->name), "%s", facts.name);
		h->interface_count++;
	}
}

static void record_way(
	struct host_record *h, const struct endpoint *from, const struct endpoint *to)
{
	struct host_way *out = &h->ways[h->way_count++];
	struct route way;

	*out = (struct host_way){.to = *to};
	if (!route_back(from, to, &way) && way.interface_count == 1)
		out->back = way.interfaces[0];
	if (route_main(to, &way) || way.interface_count != 1)
		return;
	out->interface = way.interfaces[0];
	out->specific = way.prefix_bits > 0;
	out->neighbour = out->specific && way.gateway.family == FAMILY_NONE;
}

/* A way that packets have taken may be known already: a rule may refuse those of one protocol alone. */
static struct host_way *way_to(struct host_record *h, const struct endpoint *to)
{
	for (size_t i = 0; i < h->way_count; i++)
		if (endpoint_same_address(&h->ways[i].to, to))
			return &h->ways[i];
	if (h->way_count == HOST_WAYS)
		return NULL;
	h->ways[h->way_count] = (struct host_way){.to = *to};
	return &h->ways[h->way_count++];
}

void capturing_refused(struct capturing *c, int protocol, const struct endpoint *to, int error)
{
	const struct route_question q = {
		.to = *to, .from = {.family = FAMILY_NONE}, .protocol = (uint8_t)protocol};
	struct host_way *way;
	struct route r;

	if (!c || (error != EACCES && error != EINVAL))
		return;
	way = way_to(&c->host, to);
	if (way && route_find(&q, &r) == -error)
		way->refused = error;
}

void capturing_refusals(struct capturing *c, const struct journal *journal)
{
	for (size_t i = 0; i < journal->observation_count; i++) {
		const struct observation *o = &journal->observations[i];
		int protocol = o->transport == TRANSPORT_TCP ? IPPROTO_TCP : IPPROTO_UDP;

		if (o->transport == TRANSPORT_ICMP)
			protocol = 0;
		if (o->icmp.local)
			capturing_refused(c, protocol, &o->to, o->icmp.error);
		else if (o->transport == TRANSPORT_TCP)
			capturing_refused(c, protocol, &o->to, o->own.error);
	}
}

/* To each of those that packets went to. */
static void record_ways(struct capturing *c)
{
	for (size_t i = 0; i < c->list->count; i++) {
		const struct captured *p = &c->list->packets[i];

		if (p->way == WAY_OUT && p->to.family != FAMILY_NONE &&
			c->host.way_count < HOST_WAYS && !host_way(&c->host, &p->to))
			record_way(&c->host, &p->from, &p->to);
	}
}

static void record_links(struct capturing *c)
{
	struct if_nameindex *all = if_nameindex();
	struct host_facts_interface facts;

	for (size_t i = 0; all && all[i].if_index; i++)
		c->host.links += !host_facts_interface(all[i].if_index, &facts) && facts.up &&
			facts.kind != HOST_FACTS_LOOPBACK;
	if (all)
		if_freenameindex(all);
}

static void record_addresses(struct host_record *h)
{
	int count = interfaces_list(NULL, h->addresses, HOST_ADDRESSES);

	h->address_count = count > 0 ? (size_t)count : 0;
}

static void record_host(struct capturing *c)
{
	record_addresses(&c->host);
	record_counters(c);
	record_interfaces(c);
	record_links(c);
	if (c->capture)
		record_ways(c);
}

/* --- the watch --- */

static void on_begin(void *context, struct event_base *base)
{
	struct capturing *c = context;

	c->counted = !counters_read(&c->before);
	if (!c->capture)
		return;
	c->event = event_new(base, capture_fd(c->capture), EV_READ | EV_PERSIST, on_readable, c);
	if (c->event)
		event_add(c->event, NULL);
}

static void on_opened(void *context, int protocol, const struct endpoint *local)
{
	struct capturing *c = context;
	bool udp = protocol == IPPROTO_UDP, tcp = protocol == IPPROTO_TCP;

	if (!c->capture)
		return;
	captured_own(c->list, udp ? PACKET_UDP : tcp ? PACKET_TCP : PACKET_ECHO, local->port);
	capture_watch(c->capture,
		udp	      ? CAPTURE_UDP
			: tcp ? CAPTURE_TCP
			      : CAPTURE_ECHO,
		local->port);
}

static void on_raised(void *context, const struct endpoint *to)
{
	struct capturing *c = context;

	if (!c->capture)
		return;
	captured_host(c->list, to);
	capture_watch_host(c->capture, to);
}

static void on_end(void *context)
{
	struct capturing *c = context;

	if (c->event)
		event_free(c->event);
	c->event = NULL;
	if (c->ended)
		return;
	c->ended = true;
	if (c->capture)
		capture_read(c->capture, on_packet, c);
	record_host(c);
	if (!c->capture)
		return;
	capture_statistics(c->capture, &c->statistics);
	capture_close(c->capture);
	c->capture = NULL;
}

struct watch capturing_watch(struct capturing *c)
{
	if (!c)
		return (struct watch){.context = NULL};
	return (struct watch){.begin = on_begin,
		.opened = on_opened,
		.raised = on_raised,
		.end = on_end,
		.context = c};
}

void capturing_catch_up(struct capturing *c)
{
	if (c && c->capture)
		capture_read(c->capture, on_packet, c);
}

/* --- what it has --- */

void capturing_chosen(struct capturing *c, bool chosen)
{
	if (c)
		c->host.chosen = chosen;
}

struct captured_list *capturing_list(const struct capturing *c)
{
	return c->list;
}

const struct host_record *capturing_host_record(const struct capturing *c)
{
	return &c->host;
}

uint64_t capturing_missed(const struct capturing *c)
{
	return c ? c->statistics.missed + c->list->lost : 0;
}

const char *capturing_hint(
	const struct capturing *c, const char *tool, char text[static CAPTURING_HINT])
{
	if (capturing_state(c) != CAPTURE_NOT_PERMITTED)
		return NULL;
	snprintf(text, CAPTURING_HINT,
		"only a capture shows whether packets left, and whether answers arrived that no "
		"socket got; to permit it: setcap cap_net_raw+p \"$(command -v %s)\"",
		tool);
	return text;
}

const char *capturing_refusal(
	const struct capturing *c, const char *tool, char text[static CAPTURING_HINT])
{
	if (!capturing_hint(c, tool, text))
		snprintf(text, CAPTURING_HINT, "%s", strerror(c ? -c->error : ENOMEM));
	return text;
}
