// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "lab/nat_private.h"

/*
 * ICMP errors about packets of sessions (RFC 5508 4): outer header and quoted packet are changed so that the
 * receiver sees the packet that it has sent. They say nothing about the session (REQ-6).
 */

#define REDIRECT	5
#define NEEDS_FRAGMENTS 4

/* Whether it quotes something that a session can be for. */
static bool read_quoted(struct nat_work *w, struct packet *quoted)
{
	if (packet_decode_quoted(&w->packet, quoted))
		return false;
	switch (quoted->protocol) {
	case PACKET_UDP:
		w->transport = NAT_UDP;
		return true;
	case PACKET_TCP:
		w->transport = NAT_TCP;
		return true;
	case PACKET_ECHO:
		w->transport = NAT_ICMP;
		return true;
	default:
		return false;
	}
}

static bool is_tracked(const struct packet *quoted)
{
	return quoted->protocol == PACKET_UDP || quoted->protocol == PACKET_TCP ||
		quoted->protocol == PACKET_ECHO;
}

/* The session in which the quoted packet went out, with a mapping; 0: there is none. */
static uint32_t find_sent(
	const struct nat *nat, const struct nat_point *external, const struct nat_point *remote)
{
	uint32_t session = nat_find_external(nat, external, remote);

	return session && session_at(nat, session)->mapping ? session : 0;
}

/* It is about routes of one side, which mean nothing on the other. */
static bool is_redirect(const struct nat_work *w)
{
	return w->packet.family == FAMILY_IPV4 && w->packet.type == REDIRECT;
}

static enum nat_error_kind kind_of(const struct packet *error)
{
	bool v4 = error->family == FAMILY_IPV4;

	switch (error->type) {
	case 1:
		return NAT_ERROR_UNREACHABLE;
	case 2:
		return NAT_ERROR_TOO_BIG;
	case 3:
		if (!v4)
			return NAT_ERROR_TIME_EXCEEDED;
		return error->code == NEEDS_FRAGMENTS ? NAT_ERROR_TOO_BIG : NAT_ERROR_UNREACHABLE;
	case 11:
		return NAT_ERROR_TIME_EXCEEDED;
	default: /* 4 of ICMPv6, 12 of ICMP */
		return NAT_ERROR_PARAMETER;
	}
}

/* As it should be, or wrong where a bad NAT is wanted. */
static void translate_quoted(
	struct nat_work *w, const struct packet *quoted, const struct endpoint *inside)
{
	enum nat_quotes quotes = w->nat->config.errors.quotes;
	uint16_t checksum = packet_checksum(quoted);

	if (quotes != NAT_QUOTES_UNTRANSLATED)
		packet_set_quoted_source(&w->packet, inside);
	if (quotes == NAT_QUOTES_CHECKSUM)
		packet_set_quoted_checksum(&w->packet, checksum);
	packet_set_destination(&w->packet, inside);
}

static enum nat_reason come_inward(struct nat_work *w, const struct packet *quoted)
{
	struct nat *nat = w->nat;
	struct nat_point external = nat_point_of(&quoted->source, w->transport);
	struct nat_point remote = nat_remote_of(&quoted->destination, w->transport);
	struct endpoint inside;
	uint32_t session, mapping;

	/* who sends it does not matter, but it has to come to who sent the packet (as in Linux) */
	if (!endpoint_same_address(&quoted->source, &w->packet.destination))
		return NAT_DROP_UNTRACKED_ERROR;
	session = find_sent(nat, &external, &remote);
	if (!session)
		return NAT_DROP_UNTRACKED_ERROR;
	mapping = session_at(nat, session)->mapping;
	if (is_redirect(w) && !nat_point_equal(&external, &mapping_at(nat, mapping)->inside))
		return NAT_DROP_ERROR;
	if (nat_is_last_hop(w))
		return NAT_DROP_TTL;
	inside = nat_endpoint_of(&mapping_at(nat, mapping)->inside);
	nat_renumber_quoted(nat, session, quoted, &w->packet);
	translate_quoted(w, quoted, &inside);
	if (nat->config.errors.end_mapping)
		nat_mapping_close(nat, mapping);
	return nat_send(w, NAT_INSIDE, NAT_FORWARDED);
}

static enum nat_reason from_outside(struct nat_work *w)
{
	bool translated = nat_translation_of(w->nat, w->packet.family) != NAT_NONE;
	struct packet quoted;

	if (!translated && nat_is_own(w->nat, &w->packet.destination))
		return NAT_DROP_ACCEPTED;
	if (translated && nat_external_number(w->nat, &w->packet.destination) < 0)
		return NAT_DROP_ADDRESS;
	if (!w->nat->config.errors.inward || w->nat->config.errors.blocked & kind_of(&w->packet))
		return NAT_DROP_ERROR;
	if (!read_quoted(w, &quoted))
		w->transport = NAT_ICMP;
	if (nat_is_router(w->nat, w->packet.family, w->transport))
		return nat_route(w);
	if (!is_tracked(&quoted))
		return NAT_DROP_UNTRACKED_ERROR;
	return come_inward(w, &quoted);
}

/*
 * About a packet that was hairpinned (RFC 5508 REQ-7): the quoted one went from the external endpoint of
 * one host to that of the other.
 */
static enum nat_reason turn_around(
	struct nat_work *w, const struct packet *quoted, const struct nat_point *external)
{
	struct nat *nat = w->nat;
	struct nat_point sender = nat_point_of(&quoted->source, w->transport), remote = *external;
	struct endpoint from = nat_endpoint_of(external), to;
	uint32_t session;

	if (!nat_may_hairpin(nat, w->transport))
		return NAT_DROP_HAIRPIN;
	if (w->transport == NAT_ICMP) {
		sender.port = external->port;
		remote.port = 0;
	}
	session = find_sent(nat, &sender, &remote);
	if (!session)
		return NAT_DROP_UNTRACKED_ERROR;
	to = nat_endpoint_of(&mapping_at(nat, session_at(nat, session)->mapping)->inside);
	nat_renumber_quoted(nat, session, quoted, &w->packet);
	packet_set_quoted_destination(&w->packet, &from);
	packet_set_quoted_source(&w->packet, &to);
	packet_set_source(&w->packet, &from);
	packet_set_destination(&w->packet, &to);
	return nat_send(w, NAT_INSIDE, NAT_HAIRPINNED);
}

/*
 * RFC 5508 REQ-5 c: who has an address of its own keeps that, also a router between the host and the NAT; else
 * the NAT speaks for it, as inside addresses mean nothing outside.
 */
static void set_sender(struct nat_work *w, const struct endpoint *external)
{
	const struct nat *nat = w->nat;
	struct nat_point sender = nat_point_of(&w->packet.source, NAT_ICMP);
	int n = -1;

	if (nat_translation_of(nat, w->packet.family) == NAT_ADDRESSES)
		n = nat_bound_number(nat, &sender);
	packet_set_source(&w->packet, n < 0 ? external : &nat->config.external[n]);
}

/* What is for the box stays here: it has sent nothing that this could be about. */
static enum nat_reason give_up(struct nat_work *w)
{
	if (nat_external_number(w->nat, &w->packet.destination) >= 0)
		return NAT_DROP_UNTRACKED_ERROR;
	return nat_forward_untracked(w, NAT_DROP_UNTRACKED_ERROR);
}

static enum nat_reason go_outward(struct nat_work *w, const struct packet *quoted)
{
	struct nat *nat = w->nat;
	struct nat_point inside = nat_point_of(&quoted->destination, w->transport);
	struct nat_point remote = nat_remote_of(&quoted->source, w->transport);
	uint32_t session = nat_find_inside(nat, &inside, &remote);
	struct nat_point external;
	struct endpoint from;

	/* as inward: to who sent the packet, or it is none of ours (as in Linux) */
	if (!session || !endpoint_same_address(&quoted->source, &w->packet.destination))
		return give_up(w);
	external = session_at(nat, session)->external;
	if (is_redirect(w) && !nat_point_equal(&external, &inside))
		return NAT_DROP_ERROR;
	if (nat_is_last_hop(w))
		return NAT_DROP_TTL;
	if (nat_point_equal(&external, &inside))
		return nat_send(w, NAT_OUTSIDE, NAT_FORWARDED);
	if (nat_external_number(nat, &w->packet.destination) >= 0)
		return turn_around(w, quoted, &external);
	from = nat_endpoint_of(&external);
	packet_set_quoted_destination(&w->packet, &from);
	set_sender(w, &from);
	return nat_send(w, NAT_OUTSIDE, NAT_FORWARDED);
}

static enum nat_reason from_inside(struct nat_work *w)
{
	const struct endpoint *to = &w->packet.destination;
	bool translated = nat_translation_of(w->nat, w->packet.family) != NAT_NONE;
	bool external = nat_external_number(w->nat, to) >= 0;
	struct packet quoted;

	if (nat_is_own(w->nat, to) && !(external && translated))
		return NAT_DROP_ACCEPTED;
	if (!read_quoted(w, &quoted))
		w->transport = NAT_ICMP;
	if (nat_is_router(w->nat, w->packet.family, w->transport))
		return nat_route(w);
	if (is_tracked(&quoted))
		return go_outward(w, &quoted);
	return give_up(w);
}

enum nat_reason nat_error(struct nat_work *w)
{
	return w->side == NAT_INSIDE ? from_inside(w) : from_outside(w);
}
