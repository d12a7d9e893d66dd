// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "judge/findings_private.h"

/* Hairpinning, pooling, how ports are chosen, rewriting, and what the servers cannot show. */

static const struct basis *hairpin_of(const struct behaviour *b)
{
	return &b->hairpin_basis;
}

static const struct basis *mapping_of(const struct behaviour *b)
{
	return &b->mapping_basis;
}

static const struct basis *pooling_of(const struct behaviour *b)
{
	return &b->pooling_basis;
}

static const struct basis *allocation_of(const struct behaviour *b)
{
	return &b->allocation_basis;
}

static bool check_hairpin(const struct finding_view *view, struct finding *f)
{
	unsigned sent = 0;

	if (view->b->nat == TRI_NO || view->b->hairpin != TRI_NO)
		return false;
	for (size_t i = 0; i < view->b->hairpin_basis.evidence_count; i++) {
		const struct observation *o =
			finding_observation(view, view->b->hairpin_basis.evidence[i]);

		if (o && o->question == QUESTION_HAIRPIN)
			sent += o->sent;
	}
	finding_detail(f,
		"%u packets from one own socket to the external endpoint of another: none came "
		"back. A NAT that hairpins but keeps the inside source, against RFC 4787 REQ-9a, "
		"looks the same from one host, since the kernel drops packets with its own "
		"source: other hosts may get through.",
		sent);
	return true;
}

static bool check_pooling(const struct finding_view *view, struct finding *f)
{
	if (view->b->pooling != POOLING_ARBITRARY)
		return false;
	finding_mapped(view, &view->b->pooling_basis, f);
	return true;
}

static bool check_address_varies(const struct finding_view *view, struct finding *f)
{
	if (!finding_address_varies(view->b))
		return false;
	finding_detail(f, "One socket: ");
	finding_mapped(view, &view->b->mapping_basis, f);
	return true;
}

/* Nobody is outvoted, so the mapping stayed unknown. */
static bool check_disagree(const struct finding_view *view, struct finding *f)
{
	if (view->b->status != PATH_OK || view->b->mapping != DEPENDENCE_UNKNOWN ||
		!finding_addresses_differ(view->b))
		return false;
	finding_detail(f, "One socket: ");
	finding_mapped(view, &view->b->mapping_basis, f);
	return true;
}

static bool check_parity(const struct finding_view *view, struct finding *f)
{
	if (view->b->nat != TRI_YES || view->b->allocation.parity != TRI_NO)
		return false;
	finding_detail(f,
		"Even local ports got odd external ones, or the other way round, among %u "
		"samples.",
		view->b->allocation.samples);
	return true;
}

/* Where mapping is endpoint-independent nobody has to guess a port. */
static const char *prediction_matters(const struct behaviour *b)
{
	return b->mapping == DEPENDENCE_ENDPOINT_INDEPENDENT
		? " Hole punching does not need to guess here, since the mapping is "
		  "endpoint-independent."
		: "";
}

static bool allocation_is(const struct finding_view *view, enum allocation_pattern pattern)
{
	return view->b->nat == TRI_YES && view->b->allocation.pattern == pattern;
}

static bool check_preserving(const struct finding_view *view, struct finding *f)
{
	if (!allocation_is(view, ALLOCATION_PRESERVING))
		return false;
	finding_detail(f,
		"External ports equal the local ones in %u samples: a peer that knows the local "
		"port knows the first guess.%s",
		view->b->allocation.samples, prediction_matters(view->b));
	return true;
}

static bool check_sequential(const struct finding_view *view, struct finding *f)
{
	const struct port_allocation *a = &view->b->allocation;

	if (!allocation_is(view, ALLOCATION_SEQUENTIAL))
		return false;
	finding_detail(f,
		"Each new socket gets the port %d further on (%u samples): the next one can be "
		"guessed unless other hosts take ports meanwhile.%s",
		a->step, a->samples, prediction_matters(view->b));
	return true;
}

static bool check_band(const struct finding_view *view, struct finding *f)
{
	const struct port_allocation *a = &view->b->allocation;

	if (!allocation_is(view, ALLOCATION_BAND))
		return false;
	finding_detail(f,
		"New sockets got external ports between about %u and %u, %d ports (%u samples, "
		"confidence %.2f), as one server saw them.%s",
		a->low, a->high, a->high - a->low + 1, a->samples,
		a->confidence > 0 && a->confidence <= 1 ? a->confidence : 0,
		prediction_matters(view->b));
	return true;
}

static bool check_random(const struct finding_view *view, struct finding *f)
{
	if (!allocation_is(view, ALLOCATION_RANDOM))
		return false;
	finding_detail(f,
		"External ports of %u sockets follow no pattern: they cannot be predicted.%s",
		view->b->allocation.samples, prediction_matters(view->b));
	return true;
}

/* The address in clear and the address that is masked differ: something rewrote the one it could read. */
static bool check_alg(const struct finding_view *view, struct finding *f)
{
	char plain[ENDPOINT_TEXT], masked[ENDPOINT_TEXT];

	if (view->b->alg != TRI_YES)
		return false;
	for (size_t i = 0; i < view->j->observation_count; i++) {
		const struct observation *o = &view->j->observations[i];

		if (o->family != view->family || o->transport != view->b->transport ||
			!o->answers || !o->answer.has_xor ||
			o->answer.mapped_plain.family == FAMILY_NONE ||
			endpoint_equal(&o->answer.mapped, &o->answer.mapped_plain))
			continue;
		if (!f->evidence_count)
			finding_detail(f,
				"The servers' answers hold %s where they could be read, and %s "
				"where the address is masked.",
				endpoint_format(&o->answer.mapped_plain, plain),
				endpoint_format(&o->answer.mapped, masked));
		finding_evidence(f, i);
	}
	return true;
}

/* No server of this family has a second address that could be used. */
static bool check_plain(const struct finding_view *view, struct finding *f)
{
	unsigned servers = 0;

	if (view->b->status != PATH_OK)
		return false;
	for (size_t i = 0; i < view->j->server_count; i++) {
		const struct server_verdict *s = &view->v->servers[i];

		if (view->j->servers[i].endpoint.family != view->family ||
			view->j->servers[i].transport != view->b->transport ||
			s->answer_at == JOURNAL_NONE)
			continue;
		if (s->has_other)
			return false;
		servers++;
	}
	finding_detail(f, "%u server%s answered, and none offers a second address (RFC 5780).",
		servers, servers == 1 ? "" : "s");
	return servers > 0;
}

const struct rule port_rules[] = {
	{"hairpin-missing", SEVERITY_WARNING, hairpin_of, check_hairpin,
		"Packets to the external endpoint of another own socket do not come back",
		"Programs should offer their local endpoints to peers too, as ICE does.",
		"RFC 4787 6 REQ-9"},
	{"external-address-varies", SEVERITY_PROBLEM, mapping_of, check_address_varies,
		"One socket gets several external addresses",
		"Peers have to try every address of the NAT; on the router ask for \"paired\" "
		"address pooling.",
		"RFC 4787 4.1 REQ-2"},
	{"pooling-arbitrary", SEVERITY_WARNING, pooling_of, check_pooling,
		"Sockets of this host get different external addresses",
		"Peers must not expect several flows to come from one address; ask for "
		"\"paired\" address pooling.",
		"RFC 4787 4.1 REQ-2"},
	{"port-parity", SEVERITY_INFO, allocation_of, check_parity, "Even ports do not stay even",
		"RTP programs must signal the RTCP port, or use one port for both (RFC 5761).",
		"RFC 4787 4.2.2 REQ-4"},
	{"port-preserving", SEVERITY_INFO, allocation_of, check_preserving,
		"The NAT keeps port numbers", "", "RFC 4787 4.2.1"},
	{"port-sequential", SEVERITY_INFO, allocation_of, check_sequential,
		"The NAT hands out ports in sequence", "", "RFC 7857 9"},
	{"port-band", SEVERITY_INFO, allocation_of, check_band,
		"The NAT hands out ports of one range", "", "RFC 7857 9"},
	{"port-random", SEVERITY_INFO, allocation_of, check_random,
		"The NAT hands out ports at random", "", "RFC 7857 9"},
	{"alg-rewrites", SEVERITY_PROBLEM, NULL, check_alg,
		"Something on the path rewrites addresses inside packets",
		"Turn off application-level gateways (ALG) on the router; let programs encrypt "
		"or mask addresses.",
		"RFC 4787 7 REQ-10"},
	{"servers-disagree", SEVERITY_WARNING, mapping_of, check_disagree,
		"The servers see different external addresses of one socket",
		"One of them may be wrong: ask another server on another network.", "RFC 5780 4.3"},
	{"only-plain-stun", SEVERITY_WARNING, NULL, check_plain,
		"The servers can show mapping only; filtering cannot be measured with them",
		SECOND_ADDRESS, "RFC 5780 4.4"},
};

const size_t port_rule_count = sizeof(port_rules) / sizeof(*port_rules);
