// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "judge/findings_private.h"

/* What the verdicts about ICMP mean: for punching by ICMP errors, for UDP and TCP, and by RFC 5508, 4787 and 5382. */

#define QUERY_LIFETIME_MS 60000 /* RFC 5508 REQ-2 */

static void add_basis(struct finding *f, const struct basis *basis)
{
	for (size_t i = 0; i < basis->evidence_count; i++)
		finding_evidence(f, basis->evidence[i]);
}

static bool is_ok(const struct finding_view *view)
{
	return view->b->status == PATH_OK;
}

static bool check_no_service(const struct finding_view *view, struct finding *f)
{
	if (!is_ok(view) || view->icmp->service != TRI_NO)
		return false;
	finding_detail(f,
		"Whether echo requests are replied to is all that can be seen without such a "
		"server.");
	add_basis(f, &view->icmp->service_basis);
	return true;
}

/* Whether something of what was asked needs a privilege that was not there. */
static bool check_unprivileged(const struct finding_view *view, struct finding *f)
{
	for (size_t i = 0; i < view->j->observation_count; i++) {
		const struct observation *o = &view->j->observations[i];

		if (o->transport != TRANSPORT_ICMP || o->family != view->family ||
			o->question == QUESTION_BINDING || o->state != OBSERVATION_REFUSED ||
			!o->icmp.local || o->sent ||
			(o->icmp.error != EPERM && o->icmp.error != EACCES))
			continue;
		if (!f->evidence_count)
			finding_detail(f,
				"Without a raw socket it is unknown what becomes of errors that "
				"this "
				"host sends, and whether checksums in quoted packets are right.");
		finding_evidence(f, i);
	}
	return f->evidence_count != 0;
}

static bool check_nothing(const struct finding_view *view, struct finding *f)
{
	const struct icmp_verdict *v = view->icmp;
	bool silent = false;

	if (!is_ok(view) || v->echo || v->quotes)
		return false;
	for (size_t i = 0; i < v->passing_basis[ICMP_ABOUT_UDP].evidence_count; i++) {
		const struct observation *o =
			finding_observation(view, v->passing_basis[ICMP_ABOUT_UDP].evidence[i]);

		silent |= o && o->state == OBSERVATION_SILENT && o->awaited;
	}
	if (!silent)
		return false;
	finding_detail(f,
		"The server has sent errors about flows of this host, and replies or errors of "
		"any kind have not arrived. Either a device near here drops all ICMP, or one near "
		"the server does.");
	add_basis(f, &v->passing_basis[ICMP_ABOUT_UDP]);
	return true;
}

static bool check_identifiers(const struct finding_view *view, struct finding *f)
{
	if (view->b->mapping <= DEPENDENCE_ENDPOINT_INDEPENDENT)
		return false;
	finding_detail(f,
		"The same identifier arrives at two addresses of the server as "
		"different ones.");
	add_basis(f, &view->b->mapping_basis);
	return true;
}

/* "3/1, 11/0 (from the other end)": of one kind of flow, those that do not arrive. */
static void list_missing(const struct icmp_verdict *v, enum icmp_about about, struct finding *f)
{
	const char *between = "";

	for (size_t i = 0; i < v->error_count; i++) {
		const struct icmp_error_verdict *e = &v->errors[i];
		bool own = e->arrives[about][ICMP_ORIGIN_OWN] == TRI_NO,
		     other = e->arrives[about][ICMP_ORIGIN_OTHER] == TRI_NO;

		if (!own && !other)
			continue;
		finding_detail(f, "%s%u/%u%s", between, e->type, e->code,
			own && other  ? ""
				: own ? " from the other end"
				      : " from routers");
		between = ", ";
	}
}

static bool check_errors(
	const struct finding_view *view, struct finding *f, enum icmp_about about, enum share share)
{
	if (view->icmp->passing[about] != share)
		return false;
	finding_detail(f, "Of type and code: ");
	list_missing(view->icmp, about, f);
	finding_detail(f, ".");
	add_basis(f, &view->icmp->passing_basis[about]);
	return true;
}

static bool check_udp_never(const struct finding_view *view, struct finding *f)
{
	return check_errors(view, f, ICMP_ABOUT_UDP, SHARE_NEVER);
}

static bool check_udp_some(const struct finding_view *view, struct finding *f)
{
	return check_errors(view, f, ICMP_ABOUT_UDP, SHARE_SOMETIMES);
}

static bool check_tcp_never(const struct finding_view *view, struct finding *f)
{
	return check_errors(view, f, ICMP_ABOUT_TCP, SHARE_NEVER);
}

static bool check_tcp_some(const struct finding_view *view, struct finding *f)
{
	return check_errors(view, f, ICMP_ABOUT_TCP, SHARE_SOMETIMES);
}

static bool check_attempts(const struct finding_view *view, struct finding *f)
{
	enum share share = view->icmp->passing[ICMP_ABOUT_ATTEMPT];

	return share >= SHARE_SOMETIMES && check_errors(view, f, ICMP_ABOUT_ATTEMPT, share);
}

static bool check_quotes(const struct finding_view *view, struct finding *f)
{
	static const struct {
		enum quote_defect defect;
		const char *words;
	} defects[] = {{QUOTE_SOURCE, "the source is not the inside endpoint"},
		{QUOTE_DESTINATION, "the destination is another one"},
		{QUOTE_HEADER, "the checksum of the IP header is wrong"},
		{QUOTE_CHECKSUM, "the checksum of UDP is not that which it left with"}};
	const char *between = "";

	if (view->icmp->quotes != TRI_NO)
		return false;
	for (size_t i = 0; i < sizeof(defects) / sizeof(*defects); i++) {
		if (!(view->icmp->quote_defects & defects[i].defect))
			continue;
		finding_detail(f, "%s%s", between, defects[i].words);
		between = "; ";
	}
	finding_detail(f, ".");
	add_basis(f, &view->icmp->quotes_basis);
	return true;
}

static bool check_end_mapping(const struct finding_view *view, struct finding *f)
{
	if (view->icmp->end_mapping != TRI_YES)
		return false;
	finding_detail(f,
		"When an error about a UDP flow has come, the server's next packet over it does "
		"not "
		"come in any more. Anybody who can guess the ports can end flows so.");
	add_basis(f, &view->icmp->end_mapping_basis);
	return true;
}

static bool check_end_connection(const struct finding_view *view, struct finding *f)
{
	if (view->icmp->end_connection != TRI_YES)
		return false;
	finding_detail(f, "When an error about it has come, nothing more comes over a connection.");
	add_basis(f, &view->icmp->end_connection_basis);
	return true;
}

static bool check_path_mtu(const struct finding_view *view, struct finding *f)
{
	if (view->icmp->path_mtu != TRI_NO)
		return false;
	finding_detail(f,
		"Routers say so when a packet is too large for the next link; this does not get "
		"through, or has no effect.");
	add_basis(f, &view->icmp->path_mtu_basis);
	return true;
}

static bool check_egress_inside(const struct finding_view *view, struct finding *f)
{
	char text[ENDPOINT_TEXT];

	if (view->icmp->egress != EGRESS_INSIDE || view->b->nat != TRI_YES)
		return false;
	finding_detail(f,
		"Errors of this host about flows that are not its own arrive at the server from "
		"%s, the inside address. A provider that checks sources drops them.",
		endpoint_format_address(&view->icmp->egress_from, text));
	add_basis(f, &view->icmp->egress_basis);
	return true;
}

static bool check_outward(const struct finding_view *view, struct finding *f)
{
	if (view->icmp->outward != TRI_NO)
		return false;
	finding_detail(f,
		"An error of this host about a packet that has come through its mapping does not "
		"arrive with the external endpoint in it.");
	add_basis(f, &view->icmp->outward_basis);
	return true;
}

static bool check_lifetime(const struct finding_view *view, struct finding *f)
{
	const struct icmp_verdict *v = view->icmp;

	if (!v->ends_ms || v->ends_ms > QUERY_LIFETIME_MS + 1000)
		return false;
	finding_detail(f, "A reply that comes %u s late comes in, one that is %u s late does not.",
		v->lasts_ms / 1000, v->ends_ms / 1000);
	add_basis(f, &v->lifetime_basis);
	return true;
}

static const char *sending(const struct icmp_verdict *v)
{
	switch (v->egress) {
	case EGRESS_EXTERNAL:
		return "can send them";
	case EGRESS_INSIDE:
		return "can send them only as far as nobody minds its inside address";
	case EGRESS_OTHER:
		return "can send them, but from another address than its UDP comes from";
	case EGRESS_DROPPED:
		return "cannot send them: what is about no flow of its own is dropped, as RFC 5508 "
		       "REQ-5 allows";
	case EGRESS_UNKNOWN:
		break;
	}
	return "may or may not be able to send them";
}

static bool check_punching(const struct finding_view *view, struct finding *f)
{
	const struct icmp_verdict *v = view->icmp;
	enum share share = v->passing[ICMP_ABOUT_UDP];

	if (!is_ok(view) || (!share && !v->egress))
		return false;
	finding_detail(f, "This host %s, and %s.",
		!share				? "may or may not get errors about its UDP flows"
			: share == SHARE_NEVER	? "gets no errors about its UDP flows"
			: share == SHARE_ALWAYS ? "gets errors about its UDP flows"
						: "gets some of the errors about its UDP flows",
		sending(v));
	add_basis(f, &v->passing_basis[ICMP_ABOUT_UDP]);
	add_basis(f, &v->egress_basis);
	return true;
}

const struct rule icmp_rules[] = {
	{"icmp-ends-mapping", SEVERITY_PROBLEM, NULL, check_end_mapping,
		"An ICMP error ends the mapping of a UDP flow",
		"Send often, so that a mapping which has ended is made again; udppunch keeps "
		"its path up so.",
		"RFC 4787 REQ-12, RFC 5508 REQ-6"},
	{"icmp-ends-connection", SEVERITY_PROBLEM, NULL, check_end_connection,
		"An ICMP error ends a TCP connection",
		"Expect connections to break; connect again when they do.", "RFC 5382 REQ-10"},
	{"icmp-quotes-wrong", SEVERITY_WARNING, NULL, check_quotes,
		"What ICMP errors quote is not translated back as it should be",
		"Programs on this host do not learn why their packets do not arrive.",
		"RFC 5508 REQ-4"},
	{"icmp-errors-dropped", SEVERITY_WARNING, NULL, check_udp_never,
		"No ICMP errors about UDP flows arrive",
		"This host cannot be reached by icmppunch; and closed ports and narrow paths look "
		"like loss.",
		"RFC 5508 REQ-4, RFC 4787 REQ-12"},
	{"icmp-errors-dropped-tcp", SEVERITY_WARNING, NULL, check_tcp_never,
		"No ICMP errors about TCP connections arrive",
		"Keep the MSS low enough for the path: it cannot be found out.", "RFC 5382 REQ-9"},
	{"icmp-attempts-untold", SEVERITY_INFO, NULL, check_attempts,
		"Errors about attempts to connect do not all arrive",
		"Attempts to connect to what cannot be reached end late.", "RFC 5382 REQ-9"},
	{"path-mtu-errors-missing", SEVERITY_WARNING, NULL, check_path_mtu,
		"This host does not learn when a path is too narrow",
		"Keep datagrams below 1280 bytes, or probe the path (RFC 8899).",
		"RFC 1191, RFC 8201, RFC 5508"},
	{"icmp-nothing-arrives", SEVERITY_WARNING, NULL, check_nothing, "No ICMP arrives at all",
		"Ask a server in another network, too.", "RFC 5508 REQ-4"},
	{"icmp-identifier-dependent", SEVERITY_WARNING, NULL, check_identifiers,
		"Each destination sees another identifier of echo requests",
		"Nothing, for ping; what relies on identifiers does not work.", "RFC 5508 REQ-1a"},
	{"icmp-lifetime-short", SEVERITY_WARNING, NULL, check_lifetime,
		"The mapping of an echo request ends too soon",
		"Send echo requests more often than that.", "RFC 5508 REQ-2"},
	{"icmp-outward-untranslated", SEVERITY_WARNING, NULL, check_outward,
		"ICMP errors of this host do not leave as they should",
		"Peers do not learn that a port of this host is closed.", "RFC 5508 REQ-5"},
	{"icmp-egress-inside", SEVERITY_WARNING, NULL, check_egress_inside,
		"ICMP errors leave with the inside address",
		"For icmppunch let the side without NAT, or with another one, send.",
		"RFC 5508 REQ-5"},
	{"icmp-errors-some", SEVERITY_INFO, NULL, check_udp_some,
		"Some ICMP errors about UDP flows do not arrive", "", "RFC 5508 REQ-10"},
	{"icmp-errors-some-tcp", SEVERITY_INFO, NULL, check_tcp_some,
		"Some ICMP errors about TCP connections do not arrive", "", "RFC 5382 REQ-9"},
	{"icmp-punching", SEVERITY_INFO, NULL, check_punching,
		"What this means for punching by ICMP errors", "", "RFC 5508 4"},
	{"icmp-unprivileged", SEVERITY_INFO, NULL, check_unprivileged,
		"Not all could be asked without privileges",
		"setcap cap_net_raw+p natprobe, or run it as root: the privilege is given up "
		"before "
		"anything comes from the network.",
		""},
	{"icmp-service-missing", SEVERITY_INFO, NULL, check_no_service, "No server serves ICMP",
		"Name a natprobed that may use raw sockets.", ""},
};

const size_t icmp_rule_count = sizeof(icmp_rules) / sizeof(*icmp_rules);

/* --- the sentence --- */

static const char *echo_words(const struct icmp_verdict *v)
{
	if (v->echo != TRI_YES)
		return "whether echo requests are replied to is unknown";
	switch (v->common.port_preservation) {
	case SHARE_ALWAYS:
		return "echo works and keeps its identifiers";
	case SHARE_SOMETIMES:
	case SHARE_NEVER:
		return v->common.mapping == DEPENDENCE_ADDRESS
			? "echo works, with another identifier for each destination"
			: "echo works, with other identifiers";
	case SHARE_UNKNOWN:
		break;
	}
	return "echo works";
}

static const char *errors_words(enum share share)
{
	switch (share) {
	case SHARE_ALWAYS:
		return "errors arrive";
	case SHARE_SOMETIMES:
		return "some errors arrive";
	case SHARE_NEVER:
		return "errors do not arrive";
	case SHARE_UNKNOWN:
		break;
	}
	return "whether errors arrive is unknown";
}

static const char *egress_words(enum egress egress)
{
	switch (egress) {
	case EGRESS_EXTERNAL:
		return "; this host can send them about any flow";
	case EGRESS_INSIDE:
		return "; those that this host sends leave with its inside address";
	case EGRESS_OTHER:
		return "; those that this host sends leave with another address";
	case EGRESS_DROPPED:
		return "; those that this host sends about foreign flows are dropped";
	case EGRESS_UNKNOWN:
		break;
	}
	return "; what becomes of those that this host sends is unknown";
}

void judge_sentence_icmp(const struct icmp_verdict *v, enum family family, char *out, size_t size)
{
	if (v->common.status != PATH_OK)
		judge_sentence(&v->common, family, out, size);
	else
		snprintf(out, size, "ICMP%s: %s; %s%s", family == FAMILY_IPV6 ? " over IPv6" : "",
			echo_words(v), errors_words(v->passing[ICMP_ABOUT_UDP]),
			egress_words(v->egress));
}
