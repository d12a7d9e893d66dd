// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "judge/causes_private.h"

/*
 * Why a server's first question had no answer, as a table: what must have been seen, what must not, and what follows. All
 * rules that apply are told; causes.c sorts out which is the main one. Silence is given a reason only where a capture has
 * shown that packets have left and no answers have come, or a ladder that they end on the way: else it may be this host.
 */

struct cause_rule {
	enum cause_id cause;
	enum certainty certainty;
	enum place where;
	uint32_t must, must_not;
	uint32_t tell; /* signs that are told when they are there, besides those of `must` */
	const char *title; /* %s: UDP or TCP */
	const char *advice;
	const char *decide;
};

#define REFUSALS (SIGN_CLOSED | SIGN_PROHIBITED | SIGN_UNREACHABLE | SIGN_EXCEEDED | SIGN_RESET)
#define LOCALS	 (SIGN_REFUSED_LOCALLY | SIGN_NO_ROUTE | SIGN_NO_NEIGHBOUR | SIGN_STAYED)
/* there is a better explanation than that packets get lost on the way */
#define EXPLAINED \
	(LOCALS | REFUSALS | SIGN_CAME | SIGN_CONNECTED | SIGN_WRONG_SOURCE | SIGN_GIBBERISH)

#define LOOK_AT_RULES "Look at the rules of this host: nft list ruleset, or iptables-save."

static const struct cause_rule rules[] = {
	{CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_CERTAIN, PLACE_HOST, SIGN_REFUSED_LOCALLY, 0,
		SIGN_STAYED | SIGN_QUIET,
		"This host's own firewall does not let %s out to the server", LOOK_AT_RULES, ""},
	{CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_LIKELY, PLACE_HOST,
		SIGN_SENT | SIGN_STAYED | SIGN_CAPTURED,
		SIGN_REFUSED_LOCALLY | SIGN_NO_ROUTE | SIGN_NO_NEIGHBOUR, 0,
		"This host drops %s to the server before it leaves", LOOK_AT_RULES,
		"A counter in the rules of its output hook that grows with each run."},
	{CAUSE_NO_ROUTE, CERTAINTY_POSSIBLE, PLACE_HOST,
		SIGN_SENT | SIGN_STAYED | SIGN_CAPTURED | SIGN_SILENCE,
		SIGN_REFUSED_LOCALLY | SIGN_NO_ROUTE | SIGN_NO_NEIGHBOUR, 0,
		"The next hop to the server may not answer on this host's link",
		"Look at ip route and ip neighbour: is the gateway there?",
		"ip neighbour, just after a run: FAILED or INCOMPLETE."},
	{CAUSE_NO_ROUTE, CERTAINTY_CERTAIN, PLACE_HOST, SIGN_NO_ROUTE, 0, 0,
		"This host has no route to the server",
		"Look at ip route, at ip rule, and at the link.", ""},
	{CAUSE_NO_ROUTE, CERTAINTY_CERTAIN, PLACE_HOST, SIGN_NO_NEIGHBOUR, 0, 0,
		"The next hop to the server does not answer on this host's link",
		"Look at ip route and ip neighbour: is the gateway there?", ""},
	{CAUSE_BAD_CHECKSUM, CERTAINTY_CERTAIN, PLACE_PATH, SIGN_CAME | SIGN_BROKEN, 0, 0,
		"Answers arrive with a wrong checksum, and this host drops them",
		"Something on the way, or the server, damages packets or rewrites them badly.", ""},
	{CAUSE_REVERSE_PATH_FILTER, CERTAINTY_CERTAIN, PLACE_HOST, SIGN_CAME | SIGN_REVERSE_PATH,
		SIGN_BROKEN, SIGN_OTHER_INTERFACE | SIGN_STRICT,
		"Answers arrive, and this host's reverse-path filter drops them",
		"Let the way back be the way out, or set rp_filter to 2 (loose) or 0.", ""},
	{CAUSE_REVERSE_PATH_FILTER, CERTAINTY_LIKELY, PLACE_HOST,
		SIGN_CAME | SIGN_STRICT | SIGN_OTHER_INTERFACE,
		SIGN_BROKEN | SIGN_REVERSE_PATH | SIGN_QUIET, 0,
		"Answers arrive by another interface, where the reverse-path filter is strict",
		"Let the way back be the way out, or set rp_filter to 2 (loose) or 0.",
		"The counter IPReversePathFilter (nstat -az) that grows with each run."},
	{CAUSE_LOCAL_FIREWALL_INPUT, CERTAINTY_CERTAIN, PLACE_HOST, SIGN_CAME | SIGN_QUIET,
		SIGN_BROKEN | SIGN_REVERSE_PATH, 0,
		"Answers arrive, and this host's own firewall drops them", LOOK_AT_RULES, ""},
	{CAUSE_LOCAL_FIREWALL_INPUT, CERTAINTY_LIKELY, PLACE_HOST, SIGN_CAME,
		SIGN_BROKEN | SIGN_REVERSE_PATH | SIGN_QUIET, SIGN_OTHER_INTERFACE,
		"Answers arrive, and do not get through this host's own system", LOOK_AT_RULES,
		"A counter in the rules of its input hook that grows with each run."},
	{CAUSE_OTHER_WAY, CERTAINTY_LIKELY, PLACE_HOST, SIGN_LEFT | SIGN_OTHER_WAY | SIGN_SILENCE,
		EXPLAINED | SIGN_OTHERS_ANSWER | SIGN_HOST_REACHED | SIGN_HOSTS_ALIVE, 0,
		"%s leaves by another way than expected, and nothing comes back from there",
		"Look at ip rule and ip route get ADDRESS: is a VPN meant to carry this?",
		"The same run with -I and the usual interface."},
	{CAUSE_REFUSED_BY_SERVER, CERTAINTY_CERTAIN, PLACE_SERVER, SIGN_CLOSED, 0, SIGN_LEFT,
		"The server's host says that nothing listens on its %s port",
		"Is the server running, and on that port?", ""},
	{CAUSE_REFUSED_BY_SERVER, CERTAINTY_LIKELY, PLACE_SERVER, SIGN_RESET | SIGN_RESET_FAR, 0, 0,
		"The server's host refuses the connection: nothing listens on its %s port",
		"Is the server running, and on that port?", ""},
	{CAUSE_RESET_BY_NAT, CERTAINTY_LIKELY, PLACE_OWN_NAT, SIGN_RESET | SIGN_RESET_FIRST_HOP, 0,
		0, "The first router refuses the connection with a RST in the server's name",
		"Its firewall has a rule that rejects this: look there.", ""},
	{CAUSE_RESET_ON_PATH, CERTAINTY_LIKELY, PLACE_PATH, SIGN_RESET | SIGN_RESET_NEAR, 0, 0,
		"A box on the way refuses the connection with a RST in the server's name",
		"Try another port, such as 443, or another network.", ""},
	{CAUSE_REFUSED_BY_SERVER, CERTAINTY_POSSIBLE, PLACE_SERVER, SIGN_RESET | SIGN_CAPTURED,
		SIGN_RESET_FIRST_HOP | SIGN_RESET_NEAR | SIGN_RESET_FAR | SIGN_REFUSED_LOCALLY, 0,
		"The server's host refuses the connection, as far as the RST shows",
		"Is the server running, and on that port?",
		"Whether a box on the way speaks in its name: the distance of the server, which "
		"other answers of it show (-t udp,tcp)."},
	{CAUSE_REFUSED_ON_PATH, CERTAINTY_CERTAIN, PLACE_PATH, SIGN_PROHIBITED, 0, SIGN_LEFT,
		"A router on the way refuses %s to the server",
		"Its firewall has a rule that rejects this: look there.", ""},
	{CAUSE_UNREACHABLE, CERTAINTY_CERTAIN, PLACE_PATH, SIGN_UNREACHABLE, 0, SIGN_LEFT,
		"A router on the way cannot deliver packets to the server",
		"Is the address right, and the server's host up?", ""},
	{CAUSE_ROUTING_LOOP, CERTAINTY_LIKELY, PLACE_PATH, SIGN_EXCEEDED, 0, SIGN_LEFT,
		"Packets to the server go round until their TTL ends", "Tell who runs that router.",
		""},
	{CAUSE_CAPTIVE_PORTAL, CERTAINTY_LIKELY, PLACE_PATH, SIGN_CONNECTED | SIGN_NEARER, 0,
		SIGN_GIBBERISH, "Something nearer than the server takes its connections",
		"Open a web page in a browser: a network that wants a login shows itself then.",
		""},
	{CAUSE_CAPTIVE_PORTAL, CERTAINTY_LIKELY, PLACE_PATH, SIGN_CONNECTED | SIGN_GIBBERISH,
		SIGN_NEARER, 0, "Something that is no STUN server answers in its place",
		"Open a web page in a browser: a network that wants a login shows itself then.",
		"Whether another host gets the same words from that port."},
	{CAUSE_SERVER_SILENT, CERTAINTY_LIKELY, PLACE_SERVER, SIGN_CONNECTED,
		SIGN_GIBBERISH | SIGN_NEARER, 0,
		"The connection stands, and the server says nothing on it",
		"Is it a STUN server that listens there?", ""},
	{CAUSE_OTHER_ENDPOINT, CERTAINTY_CERTAIN, PLACE_SERVER, SIGN_WRONG_SOURCE, 0, 0,
		"Answers come from another endpoint than was asked",
		"Do not believe this server; or a NAT in front of it changes the source.", ""},
	{CAUSE_LYING_SERVER, CERTAINTY_CERTAIN, PLACE_SERVER, SIGN_GIBBERISH, SIGN_CONNECTED, 0,
		"What the server sends is no answer", "Is it a STUN server that listens there?",
		""},
	{CAUSE_BLOCKED_ON_PATH, CERTAINTY_LIKELY, PLACE_PATH, SIGN_SILENCE | SIGN_LADDER_SHORT,
		EXPLAINED, SIGN_LEFT | SIGN_LADDER | SIGN_HOSTS_ALIVE,
		"%s is dropped on the way to the server",
		"Ask who runs the network behind the last router that answers.", ""},
	{CAUSE_BLOCKED_ON_PATH, CERTAINTY_LIKELY, PLACE_PATH,
		SIGN_SILENCE | SIGN_LEFT | SIGN_HOSTS_ALIVE,
		EXPLAINED | SIGN_OTHERS_ANSWER | SIGN_HOST_REACHED | SIGN_LADDER_SHORT,
		SIGN_LEFT | SIGN_LADDER, "%s is dropped on the way to all servers",
		"Where only TCP gets out, a relay over TCP (TURN) is what remains.", ""},
	{CAUSE_SERVER_SILENT, CERTAINTY_LIKELY, PLACE_SERVER,
		SIGN_SILENCE | SIGN_LEFT | SIGN_HOST_REACHED, EXPLAINED | SIGN_LADDER_SHORT,
		SIGN_LEFT, "The server's host is reached, and nothing answers there",
		"Is the server running, on that port, and does its firewall let it answer?", ""},
	{CAUSE_SERVER_SILENT, CERTAINTY_LIKELY, PLACE_SERVER,
		SIGN_SILENCE | SIGN_LEFT | SIGN_OTHERS_ANSWER,
		EXPLAINED | SIGN_HOST_REACHED | SIGN_LADDER_SHORT, SIGN_LEFT,
		"This server does not answer, others do",
		"Is it running, and reachable for others?", "Another host that asks it."},
	{CAUSE_BLOCKED_ON_PATH, CERTAINTY_POSSIBLE, PLACE_PATH, SIGN_SILENCE | SIGN_LEFT,
		EXPLAINED | SIGN_OTHERS_ANSWER | SIGN_HOST_REACHED | SIGN_HOSTS_ALIVE |
			SIGN_LADDER_SHORT,
		SIGN_LEFT | SIGN_LADDER, "%s may be dropped on the way to the server",
		"Ask a second server.",
		"A second server, at another place: natprobe SERVER SERVER."},
	{CAUSE_SERVER_SILENT, CERTAINTY_POSSIBLE, PLACE_SERVER, SIGN_SILENCE | SIGN_LEFT,
		EXPLAINED | SIGN_OTHERS_ANSWER | SIGN_HOST_REACHED | SIGN_HOSTS_ALIVE |
			SIGN_LADDER_SHORT,
		SIGN_LEFT | SIGN_LADDER, "The server may be down",
		"Is it running, and on that port?",
		"A second server, at another place: natprobe SERVER SERVER."},
};

static bool applies(const struct cause_rule *r, uint32_t signs)
{
	return (signs & r->must) == r->must && !(signs & r->must_not);
}

/* Whoever has sent an error has a name. */
static const struct endpoint *device_of(const struct sign_view *v, const struct cause_rule *r)
{
	if (r->cause == CAUSE_OTHER_ENDPOINT)
		return &v->o->wrong_from;
	if (r->cause == CAUSE_BLOCKED_ON_PATH)
		return v->signs & SIGN_LADDER ? &v->reach->router : NULL;
	if (r->must & (SIGN_CLOSED | SIGN_PROHIBITED | SIGN_UNREACHABLE | SIGN_EXCEEDED))
		return &v->o->icmp.offender;
	return r->where == PLACE_SERVER ? &v->o->to : NULL;
}

/* The TTL of what it has sent. */
static int hops_of(const struct sign_view *v, const struct cause_rule *r)
{
	const struct captured *c = NULL;

	if (r->must & SIGN_RESET_FIRST_HOP)
		return 1;
	if (r->cause == CAUSE_BLOCKED_ON_PATH && v->signs & SIGN_LADDER)
		return (int)v->reach->last;
	if (v->joined &&
		r->must & (SIGN_PROHIBITED | SIGN_UNREACHABLE | SIGN_EXCEEDED | SIGN_CLOSED))
		c = captured_find(v->facts->captured, v->joined->first_error);
	if (v->joined && r->must & SIGN_RESET)
		c = captured_find(v->facts->captured, v->joined->first_reset);
	return c ? sign_hops(c->ttl) + 1 : CAUSE_HOPS_UNKNOWN;
}

/* A firewall of the server's host speaks: no router. */
static bool is_refused_there(const struct sign_view *v, enum cause_id id)
{
	return (id == CAUSE_REFUSED_ON_PATH || id == CAUSE_UNREACHABLE) && v->o->icmp.count &&
		endpoint_same_address(&v->o->icmp.offender, &v->o->to);
}

/* The first router of a host that is behind a NAT is that NAT, as far as anybody can tell. */
static enum place place_of(const struct sign_view *v, const struct cause_rule *r, int hops)
{
	const struct endpoint *device = device_of(v, r);

	if (is_refused_there(v, r->cause))
		return PLACE_SERVER;
	if (r->where == PLACE_PATH && hops == 1 && endpoint_is_private(&v->o->local) && device &&
		endpoint_is_private(device))
		return PLACE_OWN_NAT;
	return r->where;
}

static void cite(const struct sign_view *v, const struct cause_rule *r, struct cause *c)
{
	const struct joined *t = v->joined;

	cause_evidence(c, v->place);
	if (!t)
		return;
	cause_packet(c, t->first_left);
	if (t->last_left != t->first_left)
		cause_packet(c, t->last_left);
	if (r->must &
		(SIGN_CAME | SIGN_NEARER | SIGN_GIBBERISH | SIGN_CONNECTED | SIGN_WRONG_SOURCE))
		cause_packet(c, t->first_came);
	if (r->must & SIGN_RESET)
		cause_packet(c, t->first_reset);
	if (r->must & (SIGN_CLOSED | SIGN_PROHIBITED | SIGN_UNREACHABLE | SIGN_EXCEEDED))
		cause_packet(c, t->first_error);
}

static void tell(const struct sign_view *v, uint32_t signs, struct cause *c)
{
	for (unsigned bit = 0; bit < 32; bit++)
		if (signs & 1u << bit)
			sign_tell(v, (enum sign)(1u << bit), c->detail, sizeof(c->detail));
}

/* With the transport in place of its "%s". */
static void put_title(const struct sign_view *v, const char *title, struct cause *c)
{
	const char *gap;

	if (is_refused_there(v, c->id))
		title = "The server's host refuses %s";
	gap = strstr(title, "%s");

	if (gap)
		cause_text(c->title, sizeof(c->title), "%.*s%s%s", (int)(gap - title), title,
			v->o->transport == TRANSPORT_TCP ? "TCP" : "UDP", gap + 2);
	else
		cause_text(c->title, sizeof(c->title), "%s", title);
}

/* A firewall that drops UDP is told of by EPERM; what waits for its next hop's link-layer address is not told of at once. */
static enum certainty certainty_of(const struct sign_view *v, const struct cause_rule *r)
{
	bool untold = r->cause == CAUSE_LOCAL_FIREWALL_OUTPUT && r->must & SIGN_STAYED &&
		v->o->transport == TRANSPORT_UDP;

	return untold ? CERTAINTY_POSSIBLE : r->certainty;
}

static void apply(const struct sign_view *v, const struct cause_rule *r, struct causes *out)
{
	int hops = hops_of(v, r);
	struct cause *c = causes_add(
		out, r->cause, certainty_of(v, r), place_of(v, r, hops), device_of(v, r));

	if (!c)
		return;
	if (!c->evidence_count) {
		c->hops = hops;
		put_title(v, r->title, c);
		cause_text(c->advice, sizeof(c->advice), "%s", r->advice);
		cause_text(c->decide, sizeof(c->decide), "%s", r->decide);
		tell(v, v->signs & (r->must | r->tell), c);
	}
	cite(v, r, c);
}

void causes_of_question(const struct cause_facts *facts, size_t place, struct causes *out)
{
	struct sign_view v;

	signs_read(facts, place, &v);
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (applies(&rules[i], v.signs))
			apply(&v, &rules[i], out);
}
