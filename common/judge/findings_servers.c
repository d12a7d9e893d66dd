// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "judge/findings_private.h"

/*
 * Servers that cannot be trusted are named, with what they did. Where the path or the NAT may be the
 * cause as well, a remark says so.
 */

static const struct {
	const char *name, *words, *reference, *remark;
} defects[DEFECT_COUNT] = {
	[DEFECT_CHANGE_IGNORED] = {"change-ignored",
		"answers from the endpoint that was asked although another was requested",
		"RFC 5780 6.1", ""},
	[DEFECT_SELF_AS_OTHER] = {"self-as-other", "names itself as its other address",
		"RFC 5780 7.4", ""},
	[DEFECT_OTHER_UNUSABLE] = {"other-unusable", "names another address that cannot be used",
		"RFC 5780 7.4", ""},
	[DEFECT_OTHER_SILENT] = {"second-address-silent",
		"never answers on the second address that it names", "RFC 5780 7.4",
		"The silence may be due to the server, or to a filter or a limit of sessions on "
		"this side. "},
	[DEFECT_WRONG_SOURCE] = {"wrong-source", "answers from an endpoint where it was not asked",
		"RFC 8489 6.3.1", ""},
	[DEFECT_ORIGIN] = {"origin-differs",
		"says that its answer came from somewhere else than it did", "RFC 5780 7.3", ""},
	[DEFECT_MAPPED_DIFFERS] = {"mapped-differs",
		"gives two different mapped addresses in one answer", "RFC 8489 14.2",
		"The server, or something on the path (an ALG), rewrites addresses. "},
	[DEFECT_MALFORMED] = {"malformed", "sends bytes that are no STUN message", "RFC 8489 5",
		""},
	[DEFECT_NO_MAPPED] = {"no-mapped-address", "answers without a mapped address",
		"RFC 8489 14.2", ""},
	[DEFECT_CHANGE_REFUSED] = {"change-refused", "refuses to answer from another endpoint",
		"RFC 5780 6.1", ""},
	[DEFECT_CHANGE_UNPROVED] = {"change-unproved",
		"has not proved that it answers from another endpoint", "RFC 5780 6.1", ""},
	[DEFECT_DISAGREES] = {"disagrees", "sees another endpoint than the other servers",
		"RFC 5780 4.3", "It is wrong, or the NAT treats it differently. "},
};

const char *server_defect_name(enum server_defect d)
{
	return d < DEFECT_COUNT ? defects[d].name : "unknown";
}

/* Whose answer shows the defect: every observation with the server. */
static void server_evidence(const struct journal *j, size_t server, struct finding *f)
{
	for (size_t i = 0; i < j->observation_count; i++)
		if (j->observations[i].server == server)
			finding_evidence(f, i);
}

static const char *left_out(const struct server_verdict *s)
{
	if (!s->counts && !s->filters)
		return "Its answers were left out.";
	if (!s->filters)
		return "Its answers about filtering were left out; those about mapping count.";
	if (!s->counts)
		return "Its answers about mapping were left out.";
	return "Its other answers count.";
}

/*
 * The defect that says most; defects that only mean "cannot be used for filtering" come last. What an
 * ALG does to all servers is no defect of theirs.
 */
static enum server_defect worst_defect(const struct server_verdict *s, bool alg)
{
	static const enum server_defect order[] = {DEFECT_DISAGREES, DEFECT_CHANGE_IGNORED,
		DEFECT_SELF_AS_OTHER, DEFECT_WRONG_SOURCE, DEFECT_MALFORMED, DEFECT_NO_MAPPED,
		DEFECT_MAPPED_DIFFERS, DEFECT_ORIGIN, DEFECT_OTHER_UNUSABLE, DEFECT_OTHER_SILENT,
		DEFECT_CHANGE_REFUSED, DEFECT_CHANGE_UNPROVED};

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (s->defects[order[i]] && !(alg && order[i] == DEFECT_MAPPED_DIFFERS))
			return order[i];
	return DEFECT_COUNT;
}

/* The id says in what way the server is at fault; programs look for "lying-server". */
static void server_title(const struct server_verdict *s, enum server_defect worst, const char *name,
	struct finding *f)
{
	if (worst == DEFECT_DISAGREES) {
		f->id = "servers-disagree";
		f->advice = "Ask more servers to see whether it is the only one.";
		snprintf(f->title, sizeof(f->title),
			"The server %.80s sees another endpoint than the others", name);
	} else if (worst == DEFECT_MAPPED_DIFFERS) {
		f->id = "server-mapped-differs";
		f->advice =
			"Ask other servers: if they show the same, it is something on the path.";
		snprintf(f->title, sizeof(f->title),
			"The answer of %.80s holds two different mapped addresses", name);
	} else if (s->status == SERVER_MISBEHAVING) {
		f->id = "lying-server";
		f->advice = "Use another server, and tell the operator of this one.";
		snprintf(f->title, sizeof(f->title), "The server %.80s misbehaves", name);
	} else if (worst == DEFECT_OTHER_SILENT) {
		f->id = "server-second-address-silent";
		f->advice = "Run the same on another network. If it is silent there too, its "
			    "operator should open the second address in the server's firewall.";
		snprintf(f->title, sizeof(f->title), "The second address of %.80s is silent", name);
	} else {
		f->id = "server-defect";
		f->advice = "Use another server for a complete verdict.";
		snprintf(f->title, sizeof(f->title), "The server %.80s has a defect", name);
	}
}

static bool path_has_alg(const struct journal *j, const struct verdict *v, size_t server)
{
	const struct behaviour *b =
		j->servers[server].endpoint.family == FAMILY_IPV6 ? &v->udp6 : &v->udp4;

	return b->alg == TRI_YES;
}

bool finding_of_server(
	const struct journal *j, const struct verdict *v, size_t server, struct finding *f)
{
	const struct server_verdict *s = &v->servers[server];
	bool alg = path_has_alg(j, v, server);
	enum server_defect worst = worst_defect(s, alg);
	char endpoint[ENDPOINT_TEXT];

	memset(f, 0, sizeof(*f));
	if (worst == DEFECT_COUNT &&
		(s->status != SERVER_MISBEHAVING || (alg && s->defects[DEFECT_MAPPED_DIFFERS])))
		return false;
	/* the last two need not be anybody's fault */
	f->severity = worst == DEFECT_CHANGE_REFUSED || worst == DEFECT_CHANGE_UNPROVED
		? SEVERITY_INFO
		: SEVERITY_WARNING;
	f->reference = worst == DEFECT_COUNT ? "RFC 5780 6" : defects[worst].reference;
	snprintf(f->about, sizeof(f->about), "servers.%zu", server);
	server_title(s, worst, j->servers[server].name, f);
	endpoint_format(&j->servers[server].endpoint, endpoint);
	/* the problem is the first defect in words, and that may be the ALG's */
	if (*s->problem && !(alg && s->defects[DEFECT_MAPPED_DIFFERS]))
		finding_detail(f, "%s: %s. ", endpoint, s->problem);
	else
		finding_detail(f, "%s %s. ", endpoint,
			worst == DEFECT_COUNT ? "misbehaves" : defects[worst].words);
	if (worst != DEFECT_COUNT && defects[worst].remark)
		finding_detail(f, "%s", defects[worst].remark);
	finding_detail(f, "%s", left_out(s));
	server_evidence(j, server, f);
	return true;
}
