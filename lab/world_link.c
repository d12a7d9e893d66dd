// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <netinet/in.h>
#include <string.h>

#include "lab/world_private.h"

/* What a packet meets on a link: its largest size, filters, routers that count hops, delay and loss. */

#define IPV6_MTU_MIN  1280
#define ERROR_HEADERS 28 /* of ICMP over IPv4 */

struct crossing {
	struct world *w;
	int node; /* whose link it is */
	bool up;
	struct packet packet;
};

static const struct world_link *config_of(const struct crossing *c)
{
	return &c->w->members[c->node]->config.link;
}

const char *world_lost_name(enum world_lost reason)
{
	static const char *const names[WORLD_LOST_REASONS] = {
		"loss", "queue", "mtu", "ttl", "filter", "source", "no-route"};

	return names[reason];
}

void world_lose(
	struct world *w, int node, enum world_lost reason, const uint8_t *bytes, size_t length)
{
	w->lost[reason]++;
	world_tell(w, WORLD_LOST, node, NAT_OUTSIDE, world_lost_name(reason), bytes, length);
}

static void lose(const struct crossing *c, enum world_lost reason)
{
	world_lose(c->w, c->node, reason, c->packet.bytes, c->packet.length);
}

struct endpoint world_upper_address(const struct world *w, int node, enum family family)
{
	int up = w->members[node]->config.up;

	if (up == WORLD_INTERNET)
		return w->internet[family == FAMILY_IPV6];
	return family == FAMILY_IPV6 ? w->members[up]->config.nat.inside6
				     : w->members[up]->config.nat.inside;
}

/* A router on the link, by its place on the way of the packet, from 1; 0: whoever is at the upper end. */
static struct endpoint router_address(const struct crossing *c, unsigned place)
{
	const struct world_link *l = config_of(c);
	bool v6 = c->packet.family == FAMILY_IPV6;
	struct endpoint e = l->routers[v6];
	unsigned number = c->up ? place : l->hops + 1 - place;

	if (!place || e.family == FAMILY_NONE)
		return world_upper_address(c->w, c->node, c->packet.family);
	e.address[v6 ? 15 : 3] = (uint8_t)(e.address[v6 ? 15 : 3] + number);
	return e;
}

/* NULL: there is no room for it, and it is lost. */
static struct flight *begin(
	struct world *w, int node, bool up, const uint8_t *bytes, size_t length, uint64_t at_us)
{
	struct flight *f = world_flight_new(&w->flights, length);

	if (!f) {
		world_lose(w, node, WORLD_LOST_QUEUE, bytes, length);
		return NULL;
	}
	f->node = node;
	f->up = up;
	memcpy(f->bytes, bytes, length);
	world_flight_begin(&w->flights, f, at_us);
	return f;
}

void world_send_later(
	struct world *w, uint64_t at_us, int host, const uint8_t *bytes, size_t length)
{
	struct flight *f = begin(w, host, true, bytes, length, at_us);

	if (f)
		f->begins = true;
}

/* Bytes of the largest packet; 0: any. IPv6 has 1280 on every link, in parts if need be (RFC 8200 5). */
static unsigned mtu_of(const struct crossing *c)
{
	unsigned mtu = config_of(c)->mtu;

	return mtu && mtu < IPV6_MTU_MIN && c->packet.family == FAMILY_IPV6 ? IPV6_MTU_MIN : mtu;
}

/* The share of a time that a part of the way takes. */
static uint64_t share(uint64_t time_us, unsigned place, unsigned hops)
{
	return time_us / (hops + 1) * place;
}

/* The place on the way of the router that filters; 0: there are no routers. */
static unsigned filter_place(const struct crossing *c)
{
	const struct world_link *l = config_of(c);
	unsigned number = l->filter_hop && l->filter_hop <= l->hops ? l->filter_hop : l->hops;

	return c->up || !l->hops ? number : l->hops + 1 - number;
}

/* Whether an answer from this place meets a filter on its way back. */
static bool is_answer_filtered(const struct crossing *c, unsigned place)
{
	if (!(config_of(c)->filter & WORLD_FILTER_ICMP))
		return false;
	if (!config_of(c)->hops) /* downward it is the upper end's own, which is above the link */
		return c->up;
	return place > filter_place(c);
}

/* An answer in w->error: its length; 0: there is none. */
static int make_answer(struct crossing *c, unsigned place, uint8_t type, uint8_t code, unsigned mtu)
{
	struct world *w = c->w;
	struct endpoint from = router_address(c, place);
	struct packet cause = c->packet, p;
	unsigned most = mtu_of(c);
	int length;

	/* it has to fit itself, so that less is quoted */
	if (most && cause.length > most - ERROR_HEADERS)
		cause.length = most - ERROR_HEADERS;
	length = packet_build_error(
		w->error, sizeof(w->error), &from, &cause, type, code, (uint16_t)mtu);
	if (length <= 0 || packet_decode(w->error, (size_t)length, &p))
		return 0;
	for (unsigned i = 1; i < place; i++)
		packet_take_hop(&p);
	return length;
}

/* Upward, the source has to be one that is reached downward by this link. */
static bool is_source_right(const struct crossing *c)
{
	const struct world_member *upper = c->w->members[c->w->members[c->node]->config.up];

	return !c->up || world_routes_find(&upper->routes, &c->packet.source) == c->node;
}

/*
 * The router at this place of the way answers. The packet has come so far if the link has not lost it, and
 * the answer goes back by the other direction, if that is where the sender is.
 */
static void answer(struct crossing *c, unsigned place, uint8_t type, uint8_t code, unsigned mtu)
{
	struct world *w = c->w;
	struct world_member *m = w->members[c->node];
	unsigned hops = m->config.link.hops;
	struct link_arrival there, back;
	int length = is_source_right(c) ? make_answer(c, place, type, code, mtu) : 0;
	uint64_t at_us;

	if (!length)
		return;
	if (is_answer_filtered(c, place)) {
		world_lose(w, c->node, WORLD_LOST_FILTER, w->error, (size_t)length);
		return;
	}
	there = link_send(c->up ? &m->up : &m->down, w->now_us, c->packet.length);
	back = link_send(c->up ? &m->down : &m->up, w->now_us, (size_t)length);
	if (there.fate != LINK_ARRIVES || back.fate != LINK_ARRIVES)
		return;
	at_us = w->now_us + share(there.at_us[0] - w->now_us, place, hops) +
		share(back.at_us[0] - w->now_us, place, hops);
	begin(w, c->node, !c->up, w->error, (size_t)length, at_us);
}

static bool is_filtered(const struct crossing *c)
{
	unsigned filter = config_of(c)->filter;

	if (filter & WORLD_FILTER_FRAGMENTS && c->packet.fragment_offset)
		return true;
	switch (c->packet.ip_protocol) {
	case IPPROTO_UDP:
		return filter & WORLD_FILTER_UDP;
	case IPPROTO_TCP:
		return filter & WORLD_FILTER_TCP;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return filter & WORLD_FILTER_ICMP;
	default:
		return false;
	}
}

/* Past all routers, or not. */
static bool pass_routers(struct crossing *c)
{
	unsigned hops = config_of(c)->hops, place;
	bool filter = is_filtered(c);

	for (place = 1; place <= hops; place++) {
		if (filter && place == filter_place(c))
			break;
		if (packet_take_hop(&c->packet))
			continue;
		lose(c, WORLD_LOST_TTL);
		answer(c, place, c->packet.family == FAMILY_IPV4 ? 11 : 3, 0, 0);
		return false;
	}
	if (filter)
		lose(c, WORLD_LOST_FILTER);
	return !filter;
}

static void fly(struct crossing *c)
{
	struct world_member *m = c->w->members[c->node];
	struct link_arrival a =
		link_send(c->up ? &m->up : &m->down, c->w->now_us, c->packet.length);

	if (a.fate != LINK_ARRIVES) {
		lose(c, a.fate == LINK_LOST ? WORLD_LOST_LOSS : WORLD_LOST_QUEUE);
		return;
	}
	for (unsigned i = 0; i < a.copies; i++)
		begin(c->w, c->node, c->up, c->packet.bytes, c->packet.length, a.at_us[i]);
}

static void cross(struct crossing *c)
{
	if (config_of(c)->source_check && !is_source_right(c))
		lose(c, WORLD_LOST_SOURCE);
	else if (pass_routers(c))
		fly(c);
}

static void tell_too_big(struct crossing *c)
{
	const struct world_link *l = config_of(c);
	bool v4 = c->packet.family == FAMILY_IPV4;

	lose(c, WORLD_LOST_MTU);
	if (!l->mtu_silent)
		answer(c, l->hops ? 1 : 0, v4 ? 3 : 2, v4 ? 4 : 0, mtu_of(c));
}

static void cross_in_parts(struct crossing *whole)
{
	uint8_t buffer[PACKET_BYTES_MAX];
	struct crossing part = *whole;
	size_t cursor = 0;
	int length;

	while ((length = packet_fragment(
			&whole->packet, mtu_of(whole), &cursor, buffer, sizeof(buffer))) > 0) {
		if (packet_decode(buffer, (size_t)length, &part.packet)) {
			lose(whole, WORLD_LOST_MTU); /* a transport header that is cut in two */
			return;
		}
		cross(&part);
	}
	if (length < 0)
		tell_too_big(whole);
}

static void enter(struct world *w, int node, bool up, uint8_t *bytes, size_t length)
{
	struct crossing c = {.w = w, .node = node, .up = up};

	if (packet_decode(bytes, length, &c.packet))
		return; /* nothing that is no packet gets here */
	if (!mtu_of(&c) || c.packet.length <= mtu_of(&c))
		cross(&c);
	else
		cross_in_parts(&c);
}

void world_send_up(struct world *w, int node, uint8_t *bytes, size_t length)
{
	enter(w, node, true, bytes, length);
}

void world_send_down(struct world *w, int node, uint8_t *bytes, size_t length)
{
	enter(w, node, false, bytes, length);
}
