// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "judge/findings_private.h"

/* What the verdicts promise for direct connections: for programs as words, for people as a sentence. */

const char *p2p_name(enum p2p p)
{
	switch (p) {
	case P2P_EASY:
		return "easy";
	case P2P_POSSIBLE:
		return "possible";
	case P2P_HARD:
		return "hard";
	case P2P_RELAY_ONLY:
		return "relay-only";
	case P2P_NONE:
		return "none";
	case P2P_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *method_name(enum method m)
{
	switch (m) {
	case METHOD_DIRECT:
		return "direct";
	case METHOD_PUNCH:
		return "hole-punching";
	case METHOD_PUNCH_FIRST:
		return "hole-punching-send-first";
	case METHOD_PREDICT:
		return "port-prediction";
	case METHOD_BIRTHDAY:
		return "birthday";
	case METHOD_RELAY:
		return "relay";
	case METHOD_UNKNOWN:
		break;
	}
	return "unknown";
}

#define SYN_SILENCE_US 6000000u /* RFC 5382 REQ-4 */
#define ON_THIS_HOST   "the server is on this host: nothing is learnt about the network"

/* Without a NAT there is one mapping for everybody, whatever else is unknown. */
static bool mapping_is_independent(const struct behaviour *b)
{
	return b->nat == TRI_NO || b->mapping == DEPENDENCE_ENDPOINT_INDEPENDENT;
}

/* One dependence that is known suffices to rule out endpoint-independent mapping. */
static bool mapping_is_dependent(const struct behaviour *b)
{
	return !mapping_is_independent(b) &&
		(b->mapping != DEPENDENCE_UNKNOWN || b->mapping_by_address == TRI_YES ||
			b->mapping_by_port == TRI_YES);
}

/* A band is measured towards one server; it says something about peers if it holds for the others. */
static bool band_holds(const struct behaviour *b)
{
	for (size_t i = 0; i < b->external_count; i++)
		if (b->external[i].port < b->allocation.low ||
			b->external[i].port > b->allocation.high)
			return false;
	return b->external_count > 1;
}

static struct family_outlook outlook_of(enum p2p p2p, enum method method, const char *reason)
{
	struct family_outlook o = {.p2p = p2p, .method = method};

	snprintf(o.reason, sizeof(o.reason), "%s", reason);
	return o;
}

/* Over TCP a refusal ends the attempt of the peer (RFC 5382 REQ-4). */
static bool is_refusing(const struct behaviour *b)
{
	return b->transport == TRANSPORT_TCP && b->early == EARLY_REJECT &&
		b->early_after_us < SYN_SILENCE_US;
}

static struct family_outlook outlook_independent(const struct behaviour *b)
{
	if (finding_address_varies(b))
		return outlook_of(P2P_HARD, METHOD_PREDICT,
			"the external port stays, but the external address changes with the "
			"destination: a peer has to try every address of the NAT");
	if (b->filtering == DEPENDENCE_ENDPOINT_INDEPENDENT)
		return outlook_of(P2P_EASY, METHOD_DIRECT,
			b->nat == TRI_NO
				? "no NAT, and packets from anyone arrive"
				: "one external endpoint for all peers, open to anyone while it "
				  "lives");
	if (b->early == EARLY_REMAP)
		return outlook_of(P2P_POSSIBLE, METHOD_PUNCH_FIRST,
			"one external endpoint for all peers, except for a peer whose packet "
			"arrives before this side has sent to it: that peer gets to see another "
			"port");
	if (is_refusing(b))
		return outlook_of(P2P_POSSIBLE, METHOD_PUNCH,
			"one external endpoint for all peers; a SYN that comes too early is "
			"refused, so "
			"both sides have to connect at the same moment, or the other one later and "
			"again and again");
	if (b->filtering == DEPENDENCE_ADDRESS)
		return outlook_of(P2P_EASY, METHOD_PUNCH,
			"one external endpoint for all peers; after one packet to the peer's "
			"address it is open to all of the peer's ports, so even a peer whose "
			"port is not known gets in");
	if (b->filtering == DEPENDENCE_UNKNOWN)
		return outlook_of(P2P_POSSIBLE, METHOD_PUNCH,
			"one external endpoint for all peers; what it lets in is unknown, at "
			"worst only endpoints that this side has sent to");
	return outlook_of(P2P_POSSIBLE, METHOD_PUNCH,
		"one external endpoint for all peers; it lets in what this side has sent to, so "
		"the peer's external port must be known too");
}

static struct family_outlook outlook_dependent(const struct behaviour *b)
{
	const struct port_allocation *a = &b->allocation;
	struct family_outlook o = {.p2p = P2P_HARD, .method = METHOD_PREDICT};

	switch (a->pattern) {
	case ALLOCATION_SEQUENTIAL:
		snprintf(o.reason, sizeof(o.reason),
			"each peer gets to see another external port, but new ports follow each "
			"other in steps of %d, so a peer can guess",
			a->step);
		break;
	case ALLOCATION_BAND:
		o.method = band_holds(b) ? METHOD_PREDICT : METHOD_BIRTHDAY;
		if (band_holds(b))
			snprintf(o.reason, sizeof(o.reason),
				"each peer gets to see another external port, probably between "
				"%u and %u: a peer has %d to guess from",
				a->low, a->high, a->high - a->low + 1);
		else
			snprintf(o.reason, sizeof(o.reason),
				"each peer gets to see another external port; the band of ports "
				"seen by one server need not be the one for a peer");
		break;
	case ALLOCATION_PRESERVING:
		snprintf(o.reason, sizeof(o.reason),
			"peers may get to see different external ports, but a new socket mostly "
			"keeps its own port, so a peer can guess");
		break;
	case ALLOCATION_RANDOM:
		o.method = METHOD_BIRTHDAY;
		snprintf(o.reason, sizeof(o.reason),
			"each peer gets to see another external port, chosen at random: needs a "
			"peer that lets in any port, or many sockets and many guesses");
		break;
	case ALLOCATION_UNKNOWN:
		o.method = METHOD_UNKNOWN;
		snprintf(o.reason, sizeof(o.reason),
			"peers get to see different external ports, and how they are chosen is "
			"unknown: a peer that lets in any port can be reached");
		break;
	}
	return o;
}

static const char *why_blocked(const struct behaviour *b)
{
	if (b->transport == TRANSPORT_TCP)
		return "TCP does not get out";
	if (b->icmp_offender.family == FAMILY_NONE && !b->refused_here)
		return "UDP gets no answer where TCP does; a relay that is reached over TCP or TLS "
		       "may work";
	return "UDP does not get out; a relay that is reached over TCP or TLS may work";
}

static struct family_outlook outlook_family(const struct behaviour *b)
{
	switch (b->status) {
	case PATH_OK:
		break;
	case PATH_BLOCKED:
		return outlook_of(P2P_NONE, METHOD_RELAY, why_blocked(b));
	case PATH_UNREACHABLE:
		return outlook_of(P2P_UNKNOWN, METHOD_UNKNOWN, "no server answered");
	case PATH_UNTESTED:
		return outlook_of(P2P_UNKNOWN, METHOD_UNKNOWN, "not tested");
	}
	if (finding_on_this_host(b))
		return outlook_of(P2P_UNKNOWN, METHOD_UNKNOWN, ON_THIS_HOST);
	if (mapping_is_independent(b))
		return outlook_independent(b);
	if (mapping_is_dependent(b))
		return outlook_dependent(b);
	if (b->mapping_by_address == TRI_NO)
		return outlook_of(P2P_UNKNOWN, METHOD_UNKNOWN,
			"the external endpoint does not vary with the peer's address; hole "
			"punching works if it does not vary with the peer's port either");
	return outlook_of(P2P_UNKNOWN, METHOD_UNKNOWN, "the mapping is unknown");
}

static enum p2p better(enum p2p a, enum p2p b)
{
	if (a == P2P_UNKNOWN || b == P2P_UNKNOWN)
		return a == P2P_UNKNOWN ? b : a;
	return a < b ? a : b; /* the order of the enum: best first */
}

void judge_outlook(const struct verdict *v, struct outlook *out)
{
	out->udp4 = outlook_family(&v->udp4);
	out->udp6 = outlook_family(&v->udp6);
	out->tcp4 = outlook_family(&v->tcp4);
	out->tcp6 = outlook_family(&v->tcp6);
	out->p2p =
		better(better(out->udp4.p2p, out->udp6.p2p), better(out->tcp4.p2p, out->tcp6.p2p));
}

/* --- the answer in one line --- */

static const char *filtering_words(const struct behaviour *b, char *buffer, size_t size)
{
	if (b->filtering == DEPENDENCE_UNKNOWN)
		return "filtering unknown";
	snprintf(buffer, size, "%s filtering", dependence_name(b->filtering));
	return buffer;
}

static const char *mapping_words(const struct behaviour *b, char *buffer, size_t size)
{
	if (b->mapping != DEPENDENCE_UNKNOWN) {
		snprintf(buffer, size, "%s mapping", dependence_name(b->mapping));
		return buffer;
	}
	if (b->mapping_by_address == TRI_YES)
		return "mapping that varies with the peer's address (with its port: unknown)";
	if (b->mapping_by_port == TRI_YES)
		return "mapping that varies with the peer's port (with its address: unknown)";
	if (b->mapping_by_address == TRI_NO)
		return "mapping that does not vary with the peer's address (with its port: "
		       "unknown)";
	return "mapping unknown";
}

static const char *promise_independent(const struct behaviour *b)
{
	if (finding_address_varies(b))
		return "the external address changes with the destination: direct connections need "
		       "a peer that is easy to reach, or that tries every address";
	if (b->filtering == DEPENDENCE_ENDPOINT_INDEPENDENT)
		return "direct connections will work";
	if (b->early == EARLY_REMAP)
		return "direct connections will usually work by hole punching, but a packet of the "
		       "peer that arrives first moves the port: let this side send first";
	if (is_refusing(b))
		return "direct connections will work by hole punching when both sides connect at "
		       "the "
		       "same moment";
	if (b->filtering == DEPENDENCE_ADDRESS)
		return "direct connections will almost always work by hole punching";
	return "direct connections will usually work by hole punching";
}

static const char *promise_dependent(const struct behaviour *b)
{
	switch (b->allocation.pattern) {
	case ALLOCATION_SEQUENTIAL:
	case ALLOCATION_PRESERVING:
		return "direct connections need a peer that is easy to reach, or port prediction";
	case ALLOCATION_BAND:
		return band_holds(b)
			? "direct connections need a peer that is easy to reach, or guesses within "
			  "a band of ports"
			: "direct connections need a peer that is easy to reach, or many guesses";
	case ALLOCATION_RANDOM:
		return "direct connections need a peer that is easy to reach, or very many guesses";
	case ALLOCATION_UNKNOWN:
		break;
	}
	return "direct connections need a peer that is easy to reach";
}

static const char *promise(const struct behaviour *b)
{
	if (mapping_is_independent(b))
		return promise_independent(b);
	if (mapping_is_dependent(b))
		return promise_dependent(b);
	if (b->mapping_by_address == TRI_NO)
		return "hole punching will work unless the mapping varies with the port";
	return "whether direct connections will work is unknown";
}

static void sentence_no_nat(const struct behaviour *b, const char *protocol, char *out, size_t size)
{
	char filtering[64];

	if (b->filtering == DEPENDENCE_ENDPOINT_INDEPENDENT)
		snprintf(out, size,
			"%s: no NAT and no firewall: peers can reach this host directly", protocol);
	else if (b->filtering == DEPENDENCE_UNKNOWN)
		snprintf(out, size, "%s: no NAT, filtering unknown: %s", protocol, promise(b));
	else
		snprintf(out, size, "%s: no NAT, but a firewall with %s: %s", protocol,
			filtering_words(b, filtering, sizeof(filtering)), promise(b));
}

static void sentence_ok(const struct behaviour *b, const char *protocol, char *out, size_t size)
{
	char mapping[64], filtering[64];

	if (finding_on_this_host(b))
		snprintf(out, size, "%s: " ON_THIS_HOST, protocol);
	else if (b->nat == TRI_NO)
		sentence_no_nat(b, protocol, out, size);
	else
		snprintf(out, size, "%s: %s, %s: %s", protocol,
			mapping_words(b, mapping, sizeof(mapping)),
			filtering_words(b, filtering, sizeof(filtering)), promise(b));
}

/* A sentence goes on with a small letter, unless it begins with an abbreviation. */
static void sentence_why(
	const struct behaviour *b, const char *protocol, const char *what, char *out, size_t size)
{
	bool word = islower((unsigned char)b->why[0] ? (unsigned char)b->why[1] : 0);

	snprintf(out, size, "%s: %s: %c%s", protocol, what,
		word ? tolower((unsigned char)b->why[0]) : b->why[0], b->why + 1);
}

static void sentence_blocked(
	const struct behaviour *b, const char *protocol, char *out, size_t size)
{
	const char *transport = b->transport == TRANSPORT_TCP ? "TCP" : "UDP";
	char address[ENDPOINT_TEXT];

	if (b->refused_here && *b->why)
		sentence_why(b, protocol, "blocked", out, size);
	else if (b->refused_here)
		snprintf(out, size, "%s: blocked: this host itself refuses to send it (%s)",
			protocol, strerror(b->refused_here));
	else if (b->icmp_offender.family == FAMILY_NONE)
		snprintf(out, size,
			"%s: blocked: TCP reaches the servers' hosts and UDP does not: expect no "
			"direct UDP connections from here",
			protocol);
	else
		snprintf(out, size,
			"%s: blocked: %s refuses it (ICMP type %u code %u): no direct %s "
			"connections from here",
			protocol, endpoint_format_address(&b->icmp_offender, address), b->icmp_type,
			b->icmp_code, transport);
}

static void sentence_unreachable(
	const struct behaviour *b, const char *protocol, char *out, size_t size)
{
	if (*b->why)
		sentence_why(b, protocol, "no server answered", out, size);
	else
		snprintf(out, size, "%s: no server answered, and nothing proves why: unknown",
			protocol);
}

void judge_sentence(const struct behaviour *b, enum family family, char *out, size_t size)
{
	static const char *const names[TRANSPORT_COUNT][2] = {
		{"UDP", "UDP over IPv6"}, {"TCP", "TCP over IPv6"}, {"ICMP", "ICMP over IPv6"}};
	const char *protocol = names[b->transport][family == FAMILY_IPV6];

	switch (b->status) {
	case PATH_OK:
		sentence_ok(b, protocol, out, size);
		break;
	case PATH_BLOCKED:
		sentence_blocked(b, protocol, out, size);
		break;
	case PATH_UNREACHABLE:
		sentence_unreachable(b, protocol, out, size);
		break;
	case PATH_UNTESTED:
		snprintf(out, size, "%s: not tested", protocol);
		break;
	}
}
