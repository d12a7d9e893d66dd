// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "judge/private.h"

/* Is there a path at all, is there a NAT on it, and where do the servers see us. */

static bool is_of(const struct view *v, const struct observation *o)
{
	return o->family == v->family && o->transport == v->transport;
}

static void add_external(struct behaviour *b, const struct endpoint *e)
{
	for (size_t i = 0; i < b->external_count; i++)
		if (endpoint_equal(&b->external[i], e))
			return;
	if (b->external_count < BEHAVIOUR_EXTERNAL)
		b->external[b->external_count++] = *e;
}

static void take_binding(const struct view *v, const struct observation *o, struct behaviour *b)
{
	b->status = PATH_OK;
	b->local = o->local;
	basis_add(&b->status_basis, v->journal, o);
	basis_add(&b->nat_basis, v->journal, o);
	add_external(b, &o->answer.mapped);
	/* those that count see the same: see quorum.c */
	b->nat = endpoint_equal(&o->local, &o->answer.mapped) ? TRI_NO : TRI_YES;
}

static void take_server(const struct view *v, size_t server, struct behaviour *b)
{
	struct battery battery;

	battery_find(v->journal, server, &battery);
	take_binding(v, battery.binding, b);
	for (int i = 0; i < 3; i++)
		if (was_answered(battery.mapping[i]))
			add_external(b, &battery.mapping[i]->answer.mapped);
	if (v->servers[server].defects[DEFECT_MAPPED_DIFFERS])
		b->alg = TRI_YES; /* it counts, so all servers had the difference: see servers.c */
	else if (b->alg == TRI_UNKNOWN && battery.binding->answer.has_xor &&
		battery.binding->answer.mapped_plain.family != FAMILY_NONE)
		b->alg = TRI_NO;
}

static bool is_port_unreachable(const struct observation *o)
{
	if (o->family == FAMILY_IPV4)
		return o->icmp.type == ICMP_DEST_UNREACH && o->icmp.code == ICMP_PORT_UNREACH;
	return o->icmp.type == ICMP6_DST_UNREACH && o->icmp.code == ICMP6_DST_UNREACH_NOPORT;
}

/* A firewall on the way says no. */
static bool is_prohibition(const struct observation *o)
{
	const struct icmp_seen *i = &o->icmp;

	if (!i->count || (!i->local && endpoint_same_address(&i->offender, &o->to)))
		return false; /* the server's own host speaks for itself, not for the path */
	if (i->local)
		return i->error == EPERM || i->error == EACCES;
	if (is_port_unreachable(o))
		return true;
	if (o->family == FAMILY_IPV4 && i->type == ICMP_DEST_UNREACH)
		return i->code == ICMP_NET_ANO || i->code == ICMP_HOST_ANO ||
			i->code == ICMP_PKT_FILTERED;
	if (o->family == FAMILY_IPV6 && i->type == ICMP6_DST_UNREACH)
		return i->code == ICMP6_DST_UNREACH_ADMIN || i->code == 5 || i->code == 6;
	return false;
}

/* Adds how far packets get. */
static void tell_reach(struct behaviour *b, bool towards, const struct endpoint *named)
{
	size_t used = strlen(b->status_basis.text);

	reach_text(&b->reach, towards, named, b->status_basis.text + used,
		sizeof(b->status_basis.text) - used);
}

static void judge_prohibition(
	const struct view *v, const struct observation *o, struct behaviour *b)
{
	char text[ENDPOINT_TEXT];

	b->status = PATH_BLOCKED;
	basis_add(&b->status_basis, v->journal, o);
	if (o->icmp.local) {
		b->refused_here = o->icmp.error;
		basis_text(&b->status_basis, "this host itself refuses to send: %s",
			strerror(o->icmp.error));
		return;
	}
	b->icmp_offender = o->icmp.offender;
	b->icmp_type = o->icmp.type;
	b->icmp_code = o->icmp.code;
	basis_text(&b->status_basis, "%s refuses %s: ICMP type %u code %u",
		endpoint_format_address(&o->icmp.offender, text),
		v->transport == TRANSPORT_TCP ? "TCP" : "UDP", o->icmp.type, o->icmp.code);
	if (!b->reach.measured)
		return;
	basis_add(&b->status_basis, v->journal, &v->journal->observations[b->reach.observation]);
	tell_reach(b, true, &o->icmp.offender);
}

/* Whoever says something else instead of the only server that was asked: the question; NULL: there is nobody. */
static const struct observation *tell_error(const struct view *v, struct behaviour *b)
{
	const struct observation *o = NULL;
	char text[ENDPOINT_TEXT];

	for (size_t i = 0; i < v->journal->observation_count; i++)
		if (is_of(v, &v->journal->observations[i]) &&
			v->journal->observations[i].question == QUESTION_BINDING)
			o = &v->journal->observations[i];
	if (!o || !o->icmp.count)
		return NULL;
	endpoint_format_address(&o->icmp.offender, text);
	if (o->icmp.local)
		basis_text(&b->status_basis, "this host itself cannot send: %s",
			strerror(o->icmp.error));
	else if (endpoint_same_address(&o->icmp.offender, &o->to) && is_port_unreachable(o))
		basis_text(&b->status_basis,
			"%s itself says that nothing listens on its port %u: ICMP type %u code %u",
			text, o->to.port, o->icmp.type, o->icmp.code);
	else
		basis_text(&b->status_basis, "%s answers with ICMP type %u code %u", text,
			o->icmp.type, o->icmp.code);
	return o;
}

/* What can be said about servers that are silent over UDP. */
struct silence {
	size_t asked; /* servers */
	size_t hosts; /* of them that answer over TCP */
	bool passes; /* UDP has got to one, at another port */
	bool reached; /* … or at its own */
};

static void tell_silence(const struct silence *s, struct behaviour *b)
{
	if (s->passes)
		basis_text(&b->status_basis,
			"UDP reaches a server's host, which says that another "
			"port is closed; from the server's own port nothing was received");
	else if (s->reached)
		basis_text(&b->status_basis, "UDP reaches a server's host, and no server answers");
	else if (s->hosts >= 2)
		basis_text(&b->status_basis,
			"%zu servers' hosts answer TCP, and not one UDP packet: it is dropped on "
			"the "
			"way, or by all of them (%zu asked)",
			s->hosts, s->asked);
	else if (s->hosts)
		basis_text(&b->status_basis,
			"the host answers TCP, but not UDP on this port: UDP is "
			"blocked, or no server runs there");
	else if (s->asked > 1)
		basis_text(&b->status_basis, "no answer from any of %zu servers", s->asked);
	else
		basis_text(&b->status_basis, "no answer from the server");
}

/*
 * Nobody answered. Several hosts that answer TCP and are silent over UDP show that UDP is dropped; one
 * alone may simply not be a server.
 */
static void judge_silence(const struct view *v, struct behaviour *b)
{
	const struct observation *alive = NULL;
	struct silence s = {.reached = b->reach.reached == TRI_YES};
	const struct observation *error = NULL;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (!is_of(v, o))
			continue;
		basis_add(&b->status_basis, v->journal, o);
		s.asked += o->question == QUESTION_BINDING;
		s.passes |= o->question == QUESTION_UDP_CONTROL && was_answered(o);
		if (o->question != QUESTION_TCP_CONTROL || !was_answered(o))
			continue;
		s.hosts += !alive || !endpoint_same_address(&alive->to, &o->to);
		alive = o;
	}
	b->status = s.hosts >= 2 && !s.passes && !s.reached ? PATH_BLOCKED : PATH_UNREACHABLE;
	if (s.asked == 1)
		error = tell_error(v, b);
	if (!error)
		tell_silence(&s, b);
	tell_reach(b, s.asked > 1, error ? &error->icmp.offender : NULL);
}

/* No connection, or none that brought an answer: who said what. */
static void judge_no_connection(const struct view *v, struct behaviour *b)
{
	size_t asked = 0, refused = 0, made = 0;

	b->status = PATH_UNREACHABLE;
	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (!is_of(v, o) ||
			(o->question != QUESTION_BINDING && o->question != QUESTION_TRACE))
			continue;
		basis_add(&b->status_basis, v->journal, o);
		if (o->question == QUESTION_TRACE)
			continue;
		asked++;
		refused += o->own.outcome == CONNECTION_REFUSED;
		made += o->own.outcome == CONNECTION_MADE;
	}
	basis_text(&b->status_basis,
		"no answer over TCP from %zu server%s: %zu refused the connection, %zu took it and "
		"said "
		"nothing",
		asked, asked == 1 ? "" : "s", refused, made);
	tell_reach(b, asked > 1, NULL);
}

static void judge_no_answer(const struct view *v, struct behaviour *b)
{
	bool asked = false;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (!is_of(v, o) || o->question != QUESTION_BINDING)
			continue;
		asked = true;
		b->local = o->local;
		if (was_answered(o)) { /* UDP passes; what the answer says is another matter */
			b->status = PATH_OK;
			basis_add(&b->status_basis, v->journal, o);
			basis_text(&b->status_basis, "no server that answers can be believed");
			return;
		}
		if (is_prohibition(o)) {
			judge_prohibition(v, o, b);
			return;
		}
	}
	if (asked && v->transport == TRANSPORT_TCP)
		judge_no_connection(v, b);
	else if (asked)
		judge_silence(v, b);
	else
		basis_text(&b->status_basis, "no server of this address family");
}

const char *no_answer(const struct behaviour *b)
{
	return b->status == PATH_OK ? "no server that answers can be believed"
				    : "no server answered";
}

void judge_path(const struct view *v, struct behaviour *b)
{
	for (size_t i = 0; i < v->journal->server_count; i++)
		if (server_in_view(v, i))
			take_server(v, i, b);
	if (b->status != PATH_OK) {
		judge_reach(v, b);
		judge_no_answer(v, b);
	}
	if (b->status == PATH_OK) /* it is not believed, but it is heard */
		b->reach = (struct reach){.measured = false};
	if (b->nat == TRI_UNKNOWN)
		basis_text(&b->nat_basis, "%s", no_answer(b));
}
