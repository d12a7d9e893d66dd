// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>

#include "judge/findings_private.h"

/* Is there a way out, is there a NAT, what does it map and what does it let in. */

#define EASY_PEER                                                                                 \
	"Use a peer that is easy to reach, IPv6, a port mapping on the router (PCP, UPnP), or a " \
	"relay (TURN); on the router turn off random or per-destination port assignment."

static const struct basis *status_of(const struct behaviour *b)
{
	return &b->status_basis;
}

static const struct basis *nat_of(const struct behaviour *b)
{
	return &b->nat_basis;
}

static const struct basis *mapping_of(const struct behaviour *b)
{
	return &b->mapping_basis;
}

static const struct basis *filtering_of(const struct behaviour *b)
{
	return &b->filtering_basis;
}

static const struct basis *early_of(const struct behaviour *b)
{
	return &b->early_basis;
}

/* The first observation of the basis with this question and an answer; NULL: none. */
static const struct observation *answered(
	const struct finding_view *view, const struct basis *basis, enum question question)
{
	for (size_t i = 0; i < basis->evidence_count; i++) {
		const struct observation *o = finding_observation(view, basis->evidence[i]);

		if (o && o->question == question && o->answers)
			return o;
	}
	return NULL;
}

/* How many answers of one kind of filtering question came, of how many that were sent. */
static void count_answers(const struct finding_view *view, enum question question,
	const char *words, struct finding *f)
{
	const struct basis *basis = &view->b->filtering_basis;
	unsigned received = 0, awaited = 0;

	for (size_t i = 0; i < basis->evidence_count; i++) {
		const struct observation *o = finding_observation(view, basis->evidence[i]);

		if (!o || o->question != question)
			continue;
		received += o->answers;
		awaited += o->awaited > o->answers ? o->awaited : o->answers;
	}
	if (awaited)
		finding_detail(f, "%s%s: %u of %u arrived", *f->detail ? "; " : "Answers ", words,
			received, awaited);
}

static void count_filtering(const struct finding_view *view, struct finding *f)
{
	count_answers(view, QUESTION_FILTERING_PORT, "from another port", f);
	count_answers(view, QUESTION_FILTERING_ADDRESS, "from another address", f);
	count_answers(view, QUESTION_FILTERING_BOTH, "from another address and port", f);
}

/* --- status --- */

static bool check_blocked(const struct finding_view *view, struct finding *f)
{
	char address[ENDPOINT_TEXT];

	if (view->b->status != PATH_BLOCKED)
		return false;
	if (view->b->refused_here) {
		finding_detail(f, "%s.", view->b->status_basis.text);
		return true;
	}
	if (view->b->icmp_offender.family != FAMILY_NONE) {
		finding_detail(f, "%s refuses UDP with ICMP type %u code %u.",
			endpoint_format_address(&view->b->icmp_offender, address),
			view->b->icmp_type, view->b->icmp_code);
		finding_reach(view, f);
		return true;
	}
	/* silence never names who is silent */
	snprintf(f->title, sizeof(f->title),
		"TCP reaches the servers' hosts and UDP does not: UDP is dropped on the way, or by "
		"all of them");
	finding_detail(f, "The servers' hosts answer over TCP and stay silent over UDP.");
	finding_reach(view, f);
	return true;
}

static bool check_silent(const struct finding_view *view, struct finding *f)
{
	if (view->b->status != PATH_UNREACHABLE)
		return false;
	if (*view->b->why) { /* among the causes, with advice of their own */
		snprintf(f->title, sizeof(f->title), "No server answered");
		f->advice = FINDING_SEE_CAUSES;
	}
	finding_detail(f, "%s",
		*view->b->status_basis.text
			? view->b->status_basis.text
			: "The servers may be down, or something on the path drops UDP: nothing "
			  "proves which.");
	finding_reach(view, f);
	return true;
}

/* --- is there a NAT --- */

static bool check_this_host(const struct finding_view *view, struct finding *f)
{
	char text[ENDPOINT_TEXT];

	if (view->b->status != PATH_OK || !finding_on_this_host(view->b))
		return false;
	finding_detail(f,
		"The packets went from %s to a server on the same host and never left it: nothing "
		"is learnt about the network.",
		endpoint_format_address(&view->b->local, text));
	return true;
}

/* Without a NAT, on a path that begins and ends at different hosts. */
static bool no_nat(const struct finding_view *view)
{
	return view->b->nat == TRI_NO && !finding_on_this_host(view->b);
}

static bool check_no_nat(const struct finding_view *view, struct finding *f)
{
	char text[ENDPOINT_TEXT];

	if (!no_nat(view) || view->b->filtering != DEPENDENCE_ENDPOINT_INDEPENDENT ||
		view->family == FAMILY_IPV6)
		return false;
	finding_detail(f,
		"The servers see the local endpoint %s itself, and packets from anyone arrive.",
		endpoint_format(&view->b->local, text));
	return true;
}

static bool check_no_nat_only(const struct finding_view *view, struct finding *f)
{
	char text[ENDPOINT_TEXT];

	if (!no_nat(view) || view->b->filtering != DEPENDENCE_UNKNOWN)
		return false;
	finding_detail(f,
		"The servers see the local endpoint %s itself. Whether a firewall filters is "
		"unknown.",
		endpoint_format(&view->b->local, text));
	return true;
}

static bool check_ipv6_open(const struct finding_view *view, struct finding *f)
{
	char text[ENDPOINT_TEXT];

	if (!no_nat(view) || view->b->filtering != DEPENDENCE_ENDPOINT_INDEPENDENT ||
		view->family != FAMILY_IPV6)
		return false;
	finding_detail(f,
		"The servers see the local endpoint %s itself, and UDP packets from anyone "
		"arrive.",
		endpoint_format(&view->b->local, text));
	return true;
}

static bool check_firewall(const struct finding_view *view, struct finding *f)
{
	if (!no_nat(view) || view->b->filtering == DEPENDENCE_UNKNOWN ||
		view->b->filtering == DEPENDENCE_ENDPOINT_INDEPENDENT)
		return false;
	count_filtering(view, f);
	return true;
}

static bool check_nat66(const struct finding_view *view, struct finding *f)
{
	if (view->b->nat != TRI_YES || view->family != FAMILY_IPV6)
		return false;
	finding_mapped(view, &view->b->nat_basis, f);
	return true;
}

/* --- external addresses --- */

static const struct endpoint *external_of(const struct finding_view *view)
{
	return view->b->external_count ? &view->b->external[0] : NULL;
}

static bool check_external_shared(const struct finding_view *view, struct finding *f)
{
	const struct endpoint *e = external_of(view);
	char text[ENDPOINT_TEXT];

	if (!e || !endpoint_is_shared(e))
		return false;
	finding_detail(f,
		"The servers see %s, of 100.64.0.0/10: that range is used between subscribers "
		"and a carrier-grade NAT, so this is no verdict on the path to the Internet.",
		endpoint_format(e, text));
	return true;
}

static bool check_external_private(const struct finding_view *view, struct finding *f)
{
	const struct endpoint *e = external_of(view);
	char text[ENDPOINT_TEXT];

	if (!e || !endpoint_is_private(e) || endpoint_is_shared(e))
		return false;
	finding_detail(f,
		"The servers see %s, which is no address of the Internet: they stand inside the "
		"same private network or laboratory.",
		endpoint_format(e, text));
	return true;
}

static bool check_local_shared(const struct finding_view *view, struct finding *f)
{
	const struct endpoint *e = external_of(view);
	char text[ENDPOINT_TEXT];

	if (view->b->nat != TRI_YES || !endpoint_is_shared(&view->b->local) || !e ||
		endpoint_is_private(e))
		return false;
	finding_detail(f,
		"The local address is %s, of 100.64.0.0/10, and the servers see a public one.",
		endpoint_format_address(&view->b->local, text));
	return true;
}

/* --- mapping --- */

static bool check_mapping(const struct finding_view *view, struct finding *f)
{
	if (view->b->nat == TRI_NO ||
		(view->b->mapping != DEPENDENCE_ADDRESS &&
			view->b->mapping != DEPENDENCE_ADDRESS_AND_PORT))
		return false;
	finding_detail(f, "One socket, %s mapping: ", dependence_name(view->b->mapping));
	finding_mapped(view, &view->b->mapping_basis, f);
	return true;
}

static bool check_mapping_port(const struct finding_view *view, struct finding *f)
{
	if (view->b->nat == TRI_NO || view->b->mapping != DEPENDENCE_PORT)
		return false;
	finding_detail(f, "One socket: ");
	finding_mapped(view, &view->b->mapping_basis, f);
	return true;
}

/* The classification is unknown, but one dependence is enough to know that it is not independent. */
static bool check_mapping_varies(const struct finding_view *view, struct finding *f)
{
	const struct behaviour *b = view->b;

	if (b->nat == TRI_NO || b->mapping != DEPENDENCE_UNKNOWN ||
		(b->mapping_by_address != TRI_YES && b->mapping_by_port != TRI_YES))
		return false;
	finding_detail(f, "It varies with the peer's %s; whether with its %s too is unknown. ",
		b->mapping_by_address == TRI_YES ? "address" : "port",
		b->mapping_by_address == TRI_YES ? "port" : "address");
	finding_mapped(view, &b->mapping_basis, f);
	return true;
}

/* --- filtering of a NAT; without a NAT the rules above speak --- */

static bool filtering_is(const struct finding_view *view, enum dependence d, struct finding *f)
{
	if (view->b->nat == TRI_NO || view->b->filtering != d)
		return false;
	count_filtering(view, f);
	return true;
}

static bool check_filtering_none(const struct finding_view *view, struct finding *f)
{
	return filtering_is(view, DEPENDENCE_ENDPOINT_INDEPENDENT, f);
}

static bool check_filtering_address(const struct finding_view *view, struct finding *f)
{
	return filtering_is(view, DEPENDENCE_ADDRESS, f);
}

static bool check_filtering_both(const struct finding_view *view, struct finding *f)
{
	return filtering_is(view, DEPENDENCE_ADDRESS_AND_PORT, f);
}

static bool check_filtering_port(const struct finding_view *view, struct finding *f)
{
	return filtering_is(view, DEPENDENCE_PORT, f);
}

/* --- early packets --- */

static bool check_early_remap(const struct finding_view *view, struct finding *f)
{
	const struct basis *basis = &view->b->early_basis;
	const struct observation *base = answered(view, basis, QUESTION_EARLY_BASE);
	const struct observation *later = answered(view, basis, QUESTION_EARLY_CHECK);
	char before[ENDPOINT_TEXT], after[ENDPOINT_TEXT], to[ENDPOINT_TEXT];

	if (view->b->early != EARLY_REMAP)
		return false;
	finding_detail(f,
		"A peer's packet that arrives before this side has sent to that peer makes the "
		"router give this side's flow to it another external port. ");
	if (base && later && !endpoint_equal(&base->answer.mapped, &later->answer.mapped))
		finding_detail(f, "Here %s became %s towards %s, which had sent first.",
			endpoint_format(&base->answer.mapped, before),
			endpoint_format(&later->answer.mapped, after),
			endpoint_format(&later->to, to));
	return true;
}

static bool check_early_reject(const struct finding_view *view, struct finding *f)
{
	if (view->b->early != EARLY_REJECT)
		return false;
	finding_detail(f,
		"A packet that nobody asked for is answered with an ICMP error; the mapping "
		"stays as it is, so hole punching works.");
	return true;
}

const struct rule path_rules[] = {
	{"udp-blocked", SEVERITY_PROBLEM, status_of, check_blocked, "UDP is blocked",
		"Allow UDP to leave on the device that blocks it, or use a relay over TCP or TLS.",
		"RFC 8656 3.1"},
	{"udp-silent", SEVERITY_WARNING, status_of, check_silent,
		"No server answered, and nothing proves why",
		"Try other servers and another port; run the same on another network.",
		"RFC 8489 6.2.1"},
	{"server-on-this-host", SEVERITY_INFO, nat_of, check_this_host,
		"The server is on this host: nothing is learnt about the network",
		"Name a server on another host; one on the Internet for a verdict on the whole "
		"path.",
		"RFC 5780 4.3"},
	{"no-nat", SEVERITY_INFO, nat_of, check_no_nat, "There is no NAT and no firewall",
		"Peers can be given the local endpoint. Every open UDP port of this host can be "
		"reached: keep an eye on what listens.",
		"RFC 5780 4.3"},
	{"no-nat-filtering-unknown", SEVERITY_INFO, nat_of, check_no_nat_only, "There is no NAT",
		SECOND_ADDRESS, "RFC 5780 4.3"},
	{"firewall-without-nat", SEVERITY_INFO, filtering_of, check_firewall,
		"There is no NAT, but a firewall that lets in answers only",
		"Both sides have to send, as in hole punching; or open the port in the firewall.",
		"RFC 6092 3.2.1"},
	{"ipv6-open", SEVERITY_INFO, filtering_of, check_ipv6_open,
		"IPv6 is open: no NAT and no firewall",
		"Peers can be given the local endpoint. Every open UDP port of this host can be "
		"reached: keep an eye on what listens.",
		"RFC 6092 3.1"},
	{"ipv6-nat", SEVERITY_WARNING, nat_of, check_nat66, "IPv6 addresses are translated",
		"IPv6 needs no NAT; give hosts addresses of the provider's prefix.", "RFC 6296 5"},
	{"external-address-shared", SEVERITY_WARNING, nat_of, check_external_shared,
		"The servers see an address of the range for carrier-grade NAT",
		"Name servers on the Internet for a verdict on the whole path.", "RFC 6598"},
	{"external-address-private", SEVERITY_INFO, nat_of, check_external_private,
		"The servers see a private address",
		"Name servers on the Internet for a verdict on the whole path.", "RFC 1918"},
	{"carrier-grade-nat", SEVERITY_INFO, nat_of, check_local_shared,
		"The local address is of the range for carrier-grade NAT",
		"Port mappings on an own router do not help; ask the provider for a public "
		"address, or use IPv6.",
		"RFC 6598"},
	{"mapping-not-endpoint-independent", SEVERITY_PROBLEM, mapping_of, check_mapping,
		"The NAT shows each peer another external endpoint", EASY_PEER,
		"RFC 4787 4.1 REQ-1"},
	{"mapping-port-dependent", SEVERITY_PROBLEM, mapping_of, check_mapping_port,
		"The external endpoint varies with the peer's port", EASY_PEER,
		"RFC 4787 4.1 REQ-1"},
	{"mapping-varies", SEVERITY_PROBLEM, mapping_of, check_mapping_varies,
		"The NAT does not show all peers the same external endpoint", EASY_PEER,
		"RFC 4787 4.1 REQ-1"},
	{"filtering-endpoint-independent", SEVERITY_INFO, filtering_of, check_filtering_none,
		"An open mapping lets in packets from anyone",
		"Peers can send to the external endpoint at once; programs must check who sends.",
		"RFC 4787 5 REQ-8"},
	{"filtering-address-dependent", SEVERITY_INFO, filtering_of, check_filtering_address,
		"A mapping lets in only addresses that this side has sent to",
		"Both sides have to send, as in hole punching.", "RFC 4787 5 REQ-8"},
	{"filtering-address-and-port-dependent", SEVERITY_INFO, filtering_of, check_filtering_both,
		"A mapping lets in only endpoints that this side has sent to",
		"Both sides have to send, as in hole punching, to the port that really sends: "
		"with a peer whose ports vary this does not work without guessing.",
		"RFC 4787 5 REQ-8"},
	{"filtering-port-dependent", SEVERITY_INFO, filtering_of, check_filtering_port,
		"A mapping lets in only ports that this side has sent to, from any address",
		"Both sides have to send, as in hole punching.", "RFC 4787 5 REQ-8"},
	{"early-packet-remap", SEVERITY_PROBLEM, early_of, check_early_remap,
		"A peer's packet that arrives first moves the external port",
		"Hole punching that starts at the same time fails. Let this side send first, or "
		"begin with packets whose TTL ends before the peer; on the router drop "
		"unsolicited packets to itself instead of accepting them.",
		"RFC 4787 8 REQ-11"},
	{"early-packet-reject", SEVERITY_INFO, early_of, check_early_reject,
		"Unsolicited packets are answered with ICMP errors",
		"The peer's program must go on after \"connection refused\".", "RFC 4787 9 REQ-12"},
};

const size_t path_rule_count = sizeof(path_rules) / sizeof(*path_rules);
