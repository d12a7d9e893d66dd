// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "judge/findings_private.h"

/* What the verdicts about TCP mean, and where they are others than those about UDP. */

#define SYN_SILENCE_US 6000000u /* RFC 5382 REQ-4 */

static const struct basis *status_of(const struct behaviour *b)
{
	return &b->status_basis;
}

static const struct basis *mapping_of(const struct behaviour *b)
{
	return &b->mapping_basis;
}

static const struct basis *early_of(const struct behaviour *b)
{
	return &b->early_basis;
}

static const struct basis *simultaneous_of(const struct behaviour *b)
{
	return &b->simultaneous_basis;
}

static const struct basis *hairpin_of(const struct behaviour *b)
{
	return &b->hairpin_basis;
}

static const struct basis *mss_of(const struct behaviour *b)
{
	return &b->mss_basis;
}

static const struct basis *options_of(const struct behaviour *b)
{
	return &b->options_basis;
}

static const struct basis *sequence_of(const struct behaviour *b)
{
	return &b->sequence_basis;
}

static bool check_blocked(const struct finding_view *view, struct finding *f)
{
	if (view->b->status != PATH_BLOCKED)
		return false;
	finding_detail(f, "%s.", view->b->status_basis.text);
	finding_reach(view, f);
	return true;
}

static bool check_unreachable(const struct finding_view *view, struct finding *f)
{
	if (view->b->status != PATH_UNREACHABLE)
		return false;
	if (*view->b->why)
		f->advice = FINDING_SEE_CAUSES;
	finding_detail(f, "%s", view->b->status_basis.text);
	finding_reach(view, f);
	return true;
}

static bool check_dependent(const struct finding_view *view, struct finding *f)
{
	if (view->b->nat != TRI_YES || view->b->mapping <= DEPENDENCE_ENDPOINT_INDEPENDENT)
		return false;
	finding_mapped(view, &view->b->mapping_basis, f);
	return true;
}

static void tell_rejecter(struct finding *f, const struct behaviour *b)
{
	switch (b->rejecter) {
	case REJECTER_HOST:
		finding_detail(f,
			" It came from as far away as this host, where a socket listened: from a "
			"firewall here, or right in front.");
		break;
	case REJECTER_NAT:
		finding_detail(f,
			" It came from the first router before this host: the NAT, or a firewall "
			"behind it.");
		break;
	case REJECTER_PATH:
		finding_detail(f, " It did not come from this host");
		if (b->rejecter_hops > 0)
			finding_detail(f, ", but from %d hop%s before it", b->rejecter_hops,
				b->rejecter_hops > 1 ? "s" : "");
		finding_detail(f, ".");
		break;
	case REJECTER_UNKNOWN:
		break;
	}
}

static bool check_rejects(const struct finding_view *view, struct finding *f)
{
	const struct behaviour *b = view->b;
	char text[ENDPOINT_TEXT];

	if (b->early != EARLY_REJECT || b->early_after_us >= SYN_SILENCE_US)
		return false;
	finding_detail(f,
		"A SYN of the server that nobody here had asked for was answered after %.1f ms",
		(double)b->early_after_us / 1000);
	for (size_t i = 0; i < b->early_basis.evidence_count; i++) {
		const struct observation *o = finding_observation(view, b->early_basis.evidence[i]);

		if (!o || o->call.took_us != b->early_after_us)
			continue;
		if (o->reported_count)
			finding_detail(f, " with ICMP type %u code %u from %s", o->reported[0].type,
				o->reported[0].code,
				endpoint_format_address(&o->reported[0].offender, text));
		else if (o->call.outcome == CONNECTION_REFUSED)
			finding_detail(f, " with a RST");
	}
	finding_detail(f, ".");
	tell_rejecter(f, b);
	return true;
}

static bool check_moves(const struct finding_view *view, struct finding *f)
{
	(void)f;
	return view->b->early == EARLY_REMAP;
}

static bool check_no_simultaneous(const struct finding_view *view, struct finding *f)
{
	if (view->b->simultaneous != TRI_NO)
		return false;
	finding_detail(f,
		"Connections came about only when the server answered the SYN of this host, never "
		"by "
		"its own SYN. Two such devices, one at each end, stop a simultaneous open.");
	return true;
}

static bool check_no_hairpin(const struct finding_view *view, struct finding *f)
{
	(void)f;
	return view->b->nat == TRI_YES && view->b->hairpin == TRI_NO;
}

static bool check_simultaneous_unknown(const struct finding_view *view, struct finding *f)
{
	const struct behaviour *b = view->b;

	if (b->status != PATH_OK || b->simultaneous != TRI_UNKNOWN || !*b->simultaneous_basis.text)
		return false;
	finding_detail(f, "%s", b->simultaneous_basis.text);
	return true;
}

static void tell_mss(struct finding *f, const char *whose, const struct mss_way *way)
{
	if (way->clamped == TRI_YES)
		finding_detail(f, "%s%s leave with an MSS of %u and arrive with %u",
			*f->detail ? "; " : "", whose, way->sent, way->arrived);
}

static bool check_mss(const struct finding_view *view, struct finding *f)
{
	const struct behaviour *b = view->b;

	if (b->mss_clamping != TRI_YES)
		return false;
	tell_mss(f, "SYNs of this host", &b->mss_outward);
	tell_mss(f, "SYNs of the server", &b->mss_inward);
	finding_detail(f,
		". Routers do this in front of a tunnel or PPPoE; so does what takes connections "
		"and makes others in their place.");
	return true;
}

static void tell_options(struct finding *f, uint8_t options, const char *whose)
{
	static const enum syn_option all[] = {SYN_TIMESTAMPS, SYN_SACK, SYN_SCALE, SYN_MSS};
	bool first = true;

	if (!options)
		return;
	finding_detail(f, "%sSYNs of %s arrive without", *f->detail ? "; " : "", whose);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (!(options & all[i]))
			continue;
		finding_detail(f, "%s %s", first ? "" : ",", syn_option_name(all[i]));
		first = false;
	}
}

static bool check_options(const struct finding_view *view, struct finding *f)
{
	const struct behaviour *b = view->b;

	if (!b->options_known || !(b->removed_outward | b->removed_inward))
		return false;
	tell_options(f, b->removed_outward, "this host");
	tell_options(f, b->removed_inward, "the server");
	finding_detail(f, ".");
	if ((b->removed_outward | b->removed_inward) & SYN_SCALE)
		finding_detail(f,
			" Without window scaling a connection has no more than 64 KiB under way.");
	return true;
}

static bool check_sequence(const struct finding_view *view, struct finding *f)
{
	if (view->b->sequence_rewriting != TRI_YES)
		return false;
	finding_detail(f,
		"By what a router quotes of two SYNs, and by the clock, it is known which number "
		"the "
		"third one left with; it arrived with another one. Firewalls do that, and "
		"proxies.");
	return true;
}

static void add_difference(struct finding *f, const char *what, const char *udp, const char *tcp)
{
	finding_detail(
		f, "%s%s %s over UDP and %s over TCP", *f->detail ? "; " : "", what, udp, tcp);
}

static const char *tri_word(enum tri t)
{
	return t == TRI_YES ? "works" : "does not work";
}

/* Only what is known over both can differ. */
static bool check_differs(const struct finding_view *view, struct finding *f)
{
	const struct behaviour *tcp = view->b,
			       *udp = view->family == FAMILY_IPV6 ? &view->v->udp6 : &view->v->udp4;

	if (tcp->status != PATH_OK || udp->status != PATH_OK)
		return false;
	if (tcp->mapping && udp->mapping && tcp->mapping != udp->mapping)
		add_difference(f, "mapping is", dependence_name(udp->mapping),
			dependence_name(tcp->mapping));
	if (tcp->filtering && udp->filtering && tcp->filtering != udp->filtering)
		add_difference(f, "filtering is", dependence_name(udp->filtering),
			dependence_name(tcp->filtering));
	if (tcp->early && udp->early && tcp->early != udp->early)
		add_difference(f, "the answer to an early packet is", early_name(udp->early),
			early_name(tcp->early));
	if (tcp->hairpin && udp->hairpin && tcp->hairpin != udp->hairpin)
		add_difference(f, "hairpinning", tri_word(udp->hairpin), tri_word(tcp->hairpin));
	if (!*f->detail)
		return false;
	for (size_t i = 0; i < udp->mapping_basis.evidence_count; i++)
		finding_evidence(f, udp->mapping_basis.evidence[i]);
	for (size_t i = 0; i < udp->filtering_basis.evidence_count; i++)
		finding_evidence(f, udp->filtering_basis.evidence[i]);
	return true;
}

/* One of both gets through. */
static bool check_one_only(const struct finding_view *view, struct finding *f)
{
	const struct behaviour *udp = view->family == FAMILY_IPV6 ? &view->v->udp6 : &view->v->udp4;
	bool tcp_ok = view->b->status == PATH_OK, udp_ok = udp->status == PATH_OK;

	if (view->b->status == PATH_UNTESTED || udp->status == PATH_UNTESTED || tcp_ok == udp_ok)
		return false;
	finding_detail(f, "A server answered over %s and none over %s.", tcp_ok ? "TCP" : "UDP",
		tcp_ok ? "UDP" : "TCP");
	return true;
}

const struct rule tcp_rules[] = {
	{"tcp-blocked", SEVERITY_PROBLEM, status_of, check_blocked, "TCP is blocked",
		"Allow TCP to leave on the device that blocks it.", "RFC 1812 5.3.9"},
	{"tcp-unreachable", SEVERITY_WARNING, status_of, check_unreachable,
		"No server answered over TCP",
		"Name a server that also serves STUN over TCP, such as natprobed.",
		"RFC 8489 6.2.2"},
	{"one-transport-only", SEVERITY_WARNING, status_of, check_one_only,
		"Only one of UDP and TCP gets an answer", "", ""},
	{"tcp-mapping-dependent", SEVERITY_WARNING, mapping_of, check_dependent,
		"Over TCP each peer sees another external port",
		"Use a peer that is easy to reach, IPv6, a port mapping on the router, or a relay.",
		"RFC 5382 4.1 REQ-1"},
	{"syn-rejected", SEVERITY_WARNING, early_of, check_rejects,
		"A SYN that comes too early is refused",
		"Let both sides connect at the same moment, and again after a random short time.",
		"RFC 5382 4.3 REQ-4"},
	{"syn-moves-port", SEVERITY_WARNING, early_of, check_moves,
		"A SYN that comes too early makes later connections to its sender use another port",
		"Let this side connect first.", "RFC 5382 4.1 REQ-1"},
	{"simultaneous-open-missing", SEVERITY_WARNING, simultaneous_of, check_no_simultaneous,
		"A SYN in answer to a SYN is not let in",
		"Let the peer with the better NAT answer, or use UDP.", "RFC 5382 4.2 REQ-2"},
	{"tcp-hairpin-missing", SEVERITY_INFO, hairpin_of, check_no_hairpin,
		"Hosts behind this NAT cannot connect to each other by their external endpoints",
		"Let peers try their local addresses, too.", "RFC 5382 6.2 REQ-8"},
	{"mss-clamped", SEVERITY_INFO, mss_of, check_mss, "The MSS of connections is lowered",
		"Keep UDP datagrams as small, too: larger ones may not get through.",
		"RFC 9293 3.7.1"},
	{"tcp-options-removed", SEVERITY_INFO, options_of, check_options,
		"Options are taken out of SYNs",
		"Look for a firewall that normalises TCP, or a proxy.", "RFC 7323, RFC 2018"},
	{"sequence-rewritten", SEVERITY_INFO, sequence_of, check_sequence,
		"Sequence numbers are changed on the way",
		"Nothing, unless connections stall on loss: then blocks of SACK are not "
		"translated.",
		"RFC 6528"},
	{"tcp-differs", SEVERITY_INFO, mapping_of, check_differs,
		"TCP is treated otherwise than UDP", "Do not conclude from one to the other.",
		"RFC 5382 4"},
	{"simultaneous-open-unknown", SEVERITY_INFO, simultaneous_of, check_simultaneous_unknown,
		"Whether two SYNs may cross is unknown", "", "RFC 5382 4.2 REQ-2"},
};

const size_t tcp_rule_count = sizeof(tcp_rules) / sizeof(*tcp_rules);
