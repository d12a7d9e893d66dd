// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "judge/causes_punch_private.h"
#include "judge/meaning.h"
#include "judge/signs.h"

/* Why two sides have not even met: of the server that they were to meet at. */

/* --- the server over UDP --- */

/* A neighbour does not say where it is: the system tells it in its own name. */
static bool is_no_neighbour(const struct trail_error *x)
{
	return x->offender.family == FAMILY_IPV6 ? x->type == 1 && x->code == 3
						 : x->type == 3 && x->code == 1;
}

/* Why the system has not sent the trail does not say; what was asked of the server to measure may. */
static struct cause *add_unsent(struct causes *out)
{
	for (size_t i = 0; i < out->count; i++)
		if (out->list[i].where == PLACE_HOST && out->list[i].certainty == CERTAINTY_CERTAIN)
			return NULL;
	return causes_add(out, CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_POSSIBLE, PLACE_HOST, NULL);
}

static struct cause *add_server_error(
	const struct trail_error *x, const struct host_record *host, struct causes *out)
{
	bool own = endpoint_same_address(&x->offender, &x->to);

	if (x->offender.family == FAMILY_NONE)
		return add_unsent(out);
	if (own && punch_error_is_closed(x))
		return causes_add(
			out, CAUSE_REFUSED_BY_SERVER, CERTAINTY_CERTAIN, PLACE_SERVER, &x->to);
	if (!own && host_has_address(host, &x->offender))
		return causes_add(out,
			is_no_neighbour(x) ? CAUSE_NO_ROUTE : CAUSE_LOCAL_FIREWALL_OUTPUT,
			CERTAINTY_CERTAIN, PLACE_HOST, NULL);
	return causes_add(out,
		punch_error_is_prohibition(x) ? CAUSE_REFUSED_ON_PATH : CAUSE_UNREACHABLE,
		CERTAINTY_CERTAIN, own ? PLACE_SERVER : PLACE_PATH, &x->offender);
}

static const char *server_title(const struct cause *c, const struct trail_error *x)
{
	switch (c->id) {
	case CAUSE_NO_ROUTE:
		return "The next hop to the server does not answer on this host's link";
	case CAUSE_LOCAL_FIREWALL_OUTPUT:
		return x->offender.family == FAMILY_NONE
			? "This host does not send to the server: a firewall of its own, or no "
			  "route"
			: "This host does not let UDP to the server out";
	case CAUSE_REFUSED_BY_SERVER:
		return "The server's host says that nothing listens on its UDP port";
	case CAUSE_REFUSED_ON_PATH:
		return c->where == PLACE_SERVER ? "The server's host refuses UDP"
						: "A router on the way refuses UDP to the server";
	default:
		return c->where == PLACE_SERVER
			? "The server's host says that it cannot be reached"
			: "A router on the way cannot deliver packets to the server";
	}
}

void judge_server_causes(const struct trail *t, const struct captured_list *captured,
	const struct host_record *host, struct causes *out)
{
	for (size_t i = 0; i < t->server_error_count; i++) {
		const struct trail_error *x = &t->server_errors[i];
		const struct captured *packet = punch_error_packet(captured, x);
		char from[ENDPOINT_TEXT], to[ENDPOINT_TEXT];
		struct cause *c = add_server_error(x, host, out);

		if (!c || *c->title)
			continue;
		cause_fill(c, server_title(c, x),
			c->id == CAUSE_NO_ROUTE
				? "Look at ip route and ip neighbour: is the gateway there?"
				: c->where == PLACE_HOST ? LOOK_AT_RULES
							 : "Is natprobed running there?",
			"");
		endpoint_format(&x->to, to);
		endpoint_format_address(&x->offender, from);
		if (x->offender.family == FAMILY_NONE)
			cause_text(c->detail, sizeof(c->detail),
				"The system refused to send to %s, %u times.", to, x->count);
		else
			cause_text(c->detail, sizeof(c->detail),
				"%s answered packets to %s with ICMP type %u code %u, %u times.",
				from, to, x->type, x->code, x->count);
		c->hops = packet ? meaning_hops(packet) : CAUSE_HOPS_UNKNOWN;
		cause_packet(c, packet ? packet->about : 0);
		cause_packet(c, packet ? packet->number : 0);
	}
	causes_settle(out);
}

/* --- the server over TCP --- */

struct stream_seen {
	unsigned left, came, resets;
	bool whole;
	uint32_t first_left, first_came, first_reset, first_error;
	int reset_hops;
	const struct talk_error *error;
	uint8_t in_interface;
};

/* Others are for path MTU discovery and for low TTLs. */
static bool is_refusal(const struct talk_error *e)
{
	return e->offender.family == FAMILY_IPV6 ? e->type == 1 : e->type == 3 && e->code != 4;
}

static void add_talk(const struct talk_way *out, const struct talk_way *in, struct stream_seen *s)
{
	s->left += out->packets; /* over loopback they may be seen coming in alone */
	s->came += in->syn_acks;
	s->resets += in->resets;
	s->whole |= in->packets > in->wrong_checksums;
	s->in_interface = in->interface;
	if (!s->first_left)
		s->first_left = out->first;
	if (!s->first_came)
		s->first_came = in->first_syn_ack;
	if (!s->first_reset && in->first_reset) {
		s->first_reset = in->first_reset;
		s->reset_hops = sign_hops(in->reset_ttl) + 1;
	}
	for (size_t i = 0; i < out->error_count && !s->error; i++)
		if (is_refusal(&out->errors[i]))
			s->error = &out->errors[i];
}

static void read_stream(const struct stream_causes_facts *f, struct stream_seen *s)
{
	*s = (struct stream_seen){.whole = false};
	for (size_t i = 0; f->captured && i < f->captured->talk_count; i++) {
		const struct talk *t = &f->captured->talks[i];

		if (t->protocol != PACKET_TCP)
			continue;
		for (int k = 0; k < 2; k++)
			if (endpoint_equal(&t->ends[k], f->server))
				add_talk(&t->from[!k], &t->from[k], s);
	}
}

/* Nothing left: connect() says why, where it is not a firewall that swallows SYNs. */
static struct cause *add_stayed(
	const struct stream_causes_facts *f, struct causes *out, const char **title)
{
	enum certainty certainty =
		f->error == -EPERM || f->error == -EACCES ? CERTAINTY_CERTAIN : CERTAINTY_LIKELY;

	if (host_routes_refuse(f->host, f->server, -f->error)) {
		*title = "A route of this host lets nothing out to the server";
		return causes_add(out, CAUSE_NO_ROUTE, CERTAINTY_CERTAIN, PLACE_HOST, NULL);
	}
	if (f->error == -ENETUNREACH || f->error == -ENETDOWN || f->error == -EHOSTUNREACH) {
		*title = f->error == -EHOSTUNREACH
			? "This host has no way to the server, or its next hop does not answer"
			: "This host has no route to the server";
		return causes_add(out, CAUSE_NO_ROUTE, CERTAINTY_CERTAIN, PLACE_HOST, NULL);
	}
	*title = "This host drops TCP to the server before it leaves";
	return causes_add(out, CAUSE_LOCAL_FIREWALL_OUTPUT, certainty, PLACE_HOST, NULL);
}

/* No router is between this host and the server, as far as is known. */
static bool is_neighbour(const struct stream_causes_facts *f)
{
	const struct host_way *way = host_way(f->host, f->server);

	return endpoint_is_loopback(f->server) || host_has_address(f->host, f->server) ||
		(way && way->neighbour);
}

static struct cause *add_stream_error(const struct stream_causes_facts *f,
	const struct talk_error *e, struct causes *out, const char **title)
{
	const struct trail_error x = {.offender = e->offender, .type = e->type, .code = e->code};
	bool prohibited = punch_error_is_prohibition(&x);

	if (endpoint_same_address(&e->offender, f->server)) {
		*title = punch_error_is_closed(&x)
			? "The server's host says that nothing listens on its TCP port"
			: "The server's host refuses TCP";
		return causes_add(
			out, CAUSE_REFUSED_BY_SERVER, CERTAINTY_CERTAIN, PLACE_SERVER, f->server);
	}
	*title = prohibited ? "A router on the way refuses TCP to the server"
			    : "A router on the way cannot deliver packets to the server";
	return causes_add(out, prohibited ? CAUSE_REFUSED_ON_PATH : CAUSE_UNREACHABLE,
		CERTAINTY_CERTAIN, PLACE_PATH, &e->offender);
}

static struct cause *add_stream_cause(const struct stream_causes_facts *f,
	const struct stream_seen *s, struct causes *out, const char **title)
{
	bool first = s->resets && s->reset_hops == 1 && !is_neighbour(f);
	enum certainty certainty;
	enum cause_id id;

	if (f->captured && !f->gaps && !s->left)
		return add_stayed(f, out, title);
	if (s->came) {
		id = cause_undelivered(f->host,
			f->server->family == FAMILY_IPV4 &&
				cause_is_strict(f->host, f->captured, s->in_interface),
			s->whole, &certainty, title);
		return causes_add(out, id, certainty, PLACE_HOST, NULL);
	}
	if (s->error)
		return add_stream_error(f, s->error, out, title);
	if (!s->resets)
		return NULL;
	*title = first ? "The first router refuses the connection with a RST in the server's name"
		       : "The server's host refuses the connection, as far as the RST shows";
	return causes_add(out, first ? CAUSE_RESET_BY_NAT : CAUSE_REFUSED_BY_SERVER,
		first ? CERTAINTY_LIKELY : CERTAINTY_POSSIBLE, first ? PLACE_OWN_NAT : PLACE_SERVER,
		first ? NULL : f->server);
}

void judge_stream_causes(const struct stream_causes_facts *f, struct causes *out)
{
	char server[ENDPOINT_TEXT];
	struct stream_seen seen;
	const char *title = "";
	struct cause *c;

	if (f->taken)
		return;
	read_stream(f, &seen);
	c = add_stream_cause(f, &seen, out, &title);
	if (c && !*c->title) {
		cause_fill(c, title,
			c->id == CAUSE_NO_ROUTE
				? "Look at ip route and ip neighbour: is the gateway there?"
				: c->where == PLACE_HOST ? LOOK_AT_RULES
							 : "Is natprobed running there?",
			"");
		cause_text(c->detail, sizeof(c->detail),
			"The capture has %u segments that left for %s, %u SYN-ACKs and %u RSTs "
			"that "
			"came.",
			seen.left, endpoint_format(f->server, server), seen.came, seen.resets);
		c->hops = seen.resets ? seen.reset_hops : CAUSE_HOPS_UNKNOWN;
	}
	if (c) {
		cause_packet(c, seen.first_left);
		cause_packet(c, seen.first_came);
		cause_packet(c, seen.first_reset);
		cause_packet(c, seen.error ? seen.error->first : 0);
	}
	causes_settle(out);
}
