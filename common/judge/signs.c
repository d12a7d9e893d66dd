// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "judge/private.h"
#include "judge/signs.h"

#define NEIGHBOUR_US \
	500000 /* a route that forbids says so at once, a neighbour is asked three times */
#define HOSTS_MANY 2 /* that answer TCP: one alone may be no server */

#define HOPS_SPARE 1 /* two ways to one host may differ by a router */

int sign_hops(uint8_t ttl)
{
	return (ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255) - ttl;
}

/* --- ICMP --- */

static bool is_port_unreachable(const struct observation *o)
{
	if (o->family == FAMILY_IPV4)
		return o->icmp.type == ICMP_DEST_UNREACH && o->icmp.code == ICMP_PORT_UNREACH;
	return o->icmp.type == ICMP6_DST_UNREACH && o->icmp.code == ICMP6_DST_UNREACH_NOPORT;
}

static bool is_prohibited(const struct observation *o)
{
	uint8_t code = o->icmp.code;

	if (is_port_unreachable(o))
		return true; /* of a router: it is a firewall that says so */
	if (o->family == FAMILY_IPV4)
		return o->icmp.type == ICMP_DEST_UNREACH &&
			(code == ICMP_NET_ANO || code == ICMP_HOST_ANO ||
				code == ICMP_PKT_FILTERED);
	return o->icmp.type == ICMP6_DST_UNREACH &&
		(code == ICMP6_DST_UNREACH_ADMIN || code == 5 || code == 6);
}

static bool is_exceeded(const struct observation *o)
{
	return o->icmp.type ==
		(o->family == FAMILY_IPV4 ? ICMP_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED);
}

/* A neighbour does not say where it is: the system tells it in its own name. */
static bool is_host_unreachable(const struct observation *o)
{
	if (o->family == FAMILY_IPV4)
		return o->icmp.type == ICMP_DEST_UNREACH && o->icmp.code == ICMP_HOST_UNREACH;
	return o->icmp.type == ICMP6_DST_UNREACH && o->icmp.code == ICMP6_DST_UNREACH_ADDR;
}

/* A route that prohibits gives the same errno as a firewall. */
static uint32_t local_signs(const struct cause_facts *f, const struct observation *o, int error)
{
	if (host_routes_refuse(f->host, &o->to, error))
		return SIGN_NO_ROUTE;
	switch (error) {
	case EPERM:
	case EACCES:
		return SIGN_REFUSED_LOCALLY;
	case ENETUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
	case EHOSTUNREACH: /* a route says so; of neighbours the system tells by ICMP */
		return SIGN_NO_ROUTE;
	default:
		return 0;
	}
}

static uint32_t icmp_signs(const struct cause_facts *f, const struct observation *o)
{
	const struct icmp_seen *i = &o->icmp;

	if (!i->count)
		return 0;
	if (i->local)
		return local_signs(f, o, i->error);
	/* first, since the server may be this host itself */
	if (endpoint_same_address(&i->offender, &o->to) && is_port_unreachable(o))
		return SIGN_CLOSED;
	if (endpoint_same_address(&i->offender, &o->local) ||
		host_has_address(f->host, &i->offender))
		return is_host_unreachable(o) ? SIGN_NO_NEIGHBOUR : SIGN_REFUSED_LOCALLY;
	if (is_exceeded(o))
		return SIGN_EXCEEDED;
	return is_prohibited(o) ? SIGN_PROHIBITED : SIGN_UNREACHABLE;
}

/* --- sockets --- */

static uint32_t connection_signs(const struct cause_facts *f, const struct observation *o)
{
	const struct connection_seen *c = &o->own;

	if (c->outcome == CONNECTION_MADE)
		return SIGN_CONNECTED;
	if (c->outcome == CONNECTION_REFUSED && !o->icmp.count)
		return SIGN_RESET;
	if (c->outcome == CONNECTION_LOCAL)
		return local_signs(f, o, c->error);
	return 0;
}

static uint32_t socket_signs(const struct cause_facts *f, const struct observation *o)
{
	uint32_t signs = icmp_signs(f, o);

	if (o->transport == TRANSPORT_TCP)
		signs |= connection_signs(f, o);
	if (o->malformed)
		signs |= SIGN_GIBBERISH;
	if (o->wrong_source)
		signs |= SIGN_WRONG_SOURCE;
	if (o->sent)
		signs |= SIGN_SENT;
	if (o->sent && !o->answers && !(signs & ~(uint32_t)SIGN_SENT))
		signs |= SIGN_SILENCE;
	return signs;
}

/* --- the capture --- */

static const struct host_interface *interface_of(const struct cause_facts *f, uint8_t place)
{
	if (!f->host || !f->captured || place >= f->captured->interface_count)
		return NULL;
	return host_interface(f->host, f->captured->interfaces[place].index);
}

/* All that leaves by a tunnel since there is nothing else goes no other way than expected. */
static bool left_otherwise(const struct sign_view *v)
{
	const struct host_interface *i = interface_of(v->facts, v->joined->out_interface);
	const struct host_record *h = v->facts->host;
	const struct host_way *way = host_way(h, &v->o->to);

	if (!i || !way || !way->interface || h->chosen)
		return false;
	if (way->interface != i->index)
		return true;
	return i->tunnel && h->links > 1 && way->specific && !endpoint_is_private(&v->o->to);
}

static uint32_t arrival_signs(const struct sign_view *v)
{
	const struct joined *t = v->joined;
	const struct host_interface *in = interface_of(v->facts, t->in_interface);
	uint32_t signs = SIGN_CAME;

	if (!t->whole)
		signs |= SIGN_BROKEN;
	if (t->in_interface != t->out_interface)
		signs |= SIGN_OTHER_INTERFACE;
	if (in && in->strict && v->o->family == FAMILY_IPV4)
		signs |= SIGN_STRICT;
	return signs;
}

/* The server is this host. */
static bool is_own_server(const struct sign_view *v)
{
	return endpoint_is_loopback(&v->o->to) || endpoint_same_address(&v->o->to, &v->o->local) ||
		host_has_address(v->facts->host, &v->o->to);
}

/* From a host that is not this one. */
static bool came_by_loopback(const struct sign_view *v, uint8_t interface)
{
	const struct host_interface *i = interface_of(v->facts, interface);

	return i && i->loopback && !is_own_server(v);
}

/* No router is between this host and the server, as far as is known. */
static bool is_neighbour(const struct sign_view *v)
{
	const struct host_way *way = host_way(v->facts->host, &v->o->to);

	return is_own_server(v) || (way && way->neighbour);
}

static uint32_t reset_signs(const struct sign_view *v)
{
	uint8_t ttl = v->o->own.ttl ? v->o->own.ttl : v->joined ? v->joined->reset_ttl : 0;
	int hops = sign_hops(ttl);

	if (!ttl)
		return 0;
	if (v->joined && came_by_loopback(v, v->joined->reset_interface))
		return SIGN_REFUSED_LOCALLY;
	if ((v->distance != CAUSE_HOPS_UNKNOWN && hops >= v->distance) || is_neighbour(v))
		return SIGN_RESET_FAR;
	if (!hops)
		return SIGN_RESET_FIRST_HOP;
	return v->distance != CAUSE_HOPS_UNKNOWN && hops + HOPS_SPARE < v->distance
		? SIGN_RESET_NEAR
		: 0;
}

/* connect() says why nothing leaves, where it is not a firewall that swallows SYNs. */
static uint32_t stayed_signs(const struct cause_facts *f, const struct observation *o)
{
	if (o->own.outcome != CONNECTION_UNREACHABLE)
		return 0;
	if (o->own.error == EHOSTUNREACH && o->own.took_us >= NEIGHBOUR_US)
		return SIGN_NO_NEIGHBOUR;
	return local_signs(f, o, o->own.error);
}

static uint32_t capture_signs(const struct sign_view *v)
{
	const struct joined *t = v->joined;
	uint32_t signs = 0;

	if (!t)
		return 0;
	if (!v->facts->gaps)
		signs |= SIGN_CAPTURED;
	if (t->left)
		signs |= SIGN_LEFT;
	else if (v->o->sent && !v->facts->gaps)
		signs |= SIGN_STAYED;
	if (signs & SIGN_STAYED)
		signs |= stayed_signs(v->facts, v->o);
	if (t->left && left_otherwise(v))
		signs |= SIGN_OTHER_WAY;
	if (t->came && v->o->transport == TRANSPORT_TCP && v->o->own.outcome == CONNECTION_MADE &&
		v->distance != CAUSE_HOPS_UNKNOWN && t->came_ttl &&
		sign_hops(t->came_ttl) + HOPS_SPARE < v->distance)
		signs |= SIGN_NEARER;
	if (t->came && !v->o->answers && !v->o->wrong_source && !v->o->malformed && !t->delivered &&
		v->o->own.outcome != CONNECTION_MADE)
		signs |= arrival_signs(v);
	return signs;
}

/* All other programs' packets are counted, too: the filter has to be there, and to have dropped as many as came. */
static bool is_reverse_path(const struct sign_view *v)
{
	const struct host_interface *in =
		v->joined ? interface_of(v->facts, v->joined->in_interface) : NULL;

	const struct host_way *way = host_way(v->facts->host, &v->o->to);

	if (in && way && way->back == in->index)
		return false;
	return v->o->family == FAMILY_IPV4 && (!in || in->strict) &&
		(!v->joined || v->facts->host->counters.reverse_path >= v->joined->came);
}

static uint32_t counter_signs(const struct sign_view *v)
{
	const struct host_counters *c = v->facts->host ? &v->facts->host->counters : NULL;

	if (!c || !c->known)
		return 0;
	if (c->reverse_path)
		return is_reverse_path(v) ? (uint32_t)SIGN_REVERSE_PATH : 0;
	return c->checksums || c->buffers ? 0 : SIGN_QUIET;
}

/* --- others --- */

static bool is_alike(const struct observation *a, const struct observation *b)
{
	return a->family == b->family && a->transport == b->transport;
}

static uint8_t ttl_of(const struct cause_facts *f, uint32_t number)
{
	const struct captured *c = captured_find(f->captured, number);

	return c ? c->ttl : 0;
}

/* The TTL with which something of the server's host has come; 0: not known. */
static uint8_t arrived_ttl(const struct cause_facts *f, size_t place)
{
	const struct observation *o = &f->journal->observations[place];
	const struct joined *t = f->joined ? &f->joined[place] : NULL;

	if (o->answers && o->transport == TRANSPORT_UDP &&
		endpoint_same_address(&o->answer.from, &o->to))
		return o->answer.ttl;
	if (!t || !was_answered(o))
		return 0;
	if (o->question == QUESTION_TCP_CONTROL)
		return t->came_ttl ? t->came_ttl : t->reset_ttl;
	return o->question == QUESTION_UDP_CONTROL ? ttl_of(f, t->first_error) : 0;
}

/* Routers on the way to the server's host, by what it has sent. */
static int distance_of(const struct cause_facts *f, const struct observation *asked)
{
	for (size_t i = 0; i < f->journal->observation_count; i++) {
		uint8_t ttl;

		if (!endpoint_same_address(&f->journal->observations[i].to, &asked->to))
			continue;
		ttl = arrived_ttl(f, i);
		if (ttl)
			return sign_hops(ttl);
	}
	return CAUSE_HOPS_UNKNOWN;
}

/* --- the ladder --- */

static const struct reach *reach_of(const struct cause_facts *f, const struct observation *o)
{
	bool six = o->family == FAMILY_IPV6;
	const struct behaviour *b = o->transport == TRANSPORT_TCP
		? six ? &f->verdict->tcp6 : &f->verdict->tcp4
		: six ? &f->verdict->udp6
		      : &f->verdict->udp4;

	return b->reach.measured && endpoint_same_address(&b->reach.to, &o->to) ? &b->reach : NULL;
}

/* Silent routers drop nothing for sure: that more of them lie behind the last one has to be known otherwise. */
static uint32_t ladder_signs(const struct sign_view *v)
{
	const struct reach *r = v->reach;
	uint32_t signs = 0;

	if (!r)
		return 0;
	if (r->reached == TRI_YES)
		return SIGN_HOST_REACHED;
	if (r->reached != TRI_UNKNOWN || !r->last)
		return 0;
	signs |= SIGN_LADDER;
	if (r->lost ||
		(r->gapless && r->whole && v->distance != CAUSE_HOPS_UNKNOWN &&
			(int)r->last < v->distance))
		signs |= SIGN_LADDER_SHORT;
	return signs;
}

/* What answers inside of a private network says nothing of the way out of it. */
static bool tells_of(const struct observation *o, const struct observation *asked)
{
	bool near = endpoint_is_private(&o->to) || endpoint_is_loopback(&o->to);

	return is_alike(o, asked) &&
		(!near || endpoint_is_private(&asked->to) || endpoint_is_loopback(&asked->to));
}

/* The host of a server has said that a port is closed: the transport is not dropped on the way to all of them. */
static bool gets_there(const struct observation *o)
{
	return o->icmp.count && !o->icmp.local &&
		endpoint_same_address(&o->icmp.offender, &o->to) && is_port_unreachable(o);
}

static uint32_t other_signs(const struct cause_facts *f, const struct observation *asked)
{
	const struct observation *alive = NULL;
	uint32_t signs = 0;
	bool passes = false;
	size_t hosts = 0;

	for (size_t i = 0; i < f->journal->observation_count; i++) {
		const struct observation *o = &f->journal->observations[i];

		if (o->family != asked->family || o == asked)
			continue;
		passes |= is_alike(o, asked) && gets_there(o);
		if (o->question == QUESTION_BINDING && tells_of(o, asked) && o->answers)
			signs |= SIGN_OTHERS_ANSWER;
		if (o->question == QUESTION_UDP_CONTROL && was_answered(o) &&
			endpoint_same_address(&o->to, &asked->to))
			signs |= SIGN_HOST_REACHED;
		if (o->question != QUESTION_TCP_CONTROL || !was_answered(o))
			continue;
		hosts += !alive || !endpoint_same_address(&alive->to, &o->to);
		alive = o;
	}
	return signs | (hosts >= HOSTS_MANY && !passes ? (uint32_t)SIGN_HOSTS_ALIVE : 0);
}

void signs_read(const struct cause_facts *f, size_t place, struct sign_view *out)
{
	const struct observation *o = &f->journal->observations[place];

	*out = (struct sign_view){.facts = f,
		.o = o,
		.place = place,
		.joined = f->captured && f->joined ? &f->joined[place] : NULL,
		.reach = reach_of(f, o),
		.distance = distance_of(f, o)};
	out->signs = socket_signs(f, o) | capture_signs(out) | counter_signs(out) |
		other_signs(f, o) | ladder_signs(out);
	if (out->signs & SIGN_RESET)
		out->signs |= reset_signs(out);
}
