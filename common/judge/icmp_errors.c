// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <netinet/in.h>

#include "journal/silence.h"
#include "judge/private.h"

/* ICMP errors: those about flows of this host, and those that it sends. */

#define NO_ICMP                                                                                   \
	"no ICMP of the server has arrived at all: it is dropped on the way, or by the server's " \
	"own network"

static bool is_of(const struct observation *o, size_t server, enum question question)
{
	return o->server == server && o->question == question;
}

static enum icmp_about about_of(enum icmp_flow flow)
{
	switch (flow) {
	case ICMP_FLOW_UDP:
		return ICMP_ABOUT_UDP;
	case ICMP_FLOW_TCP:
		return ICMP_ABOUT_TCP;
	case ICMP_FLOW_ATTEMPT:
		return ICMP_ABOUT_ATTEMPT;
	default:
		return ICMP_ABOUTS;
	}
}

/* Some ICMP of the server gets here: what does not is kept out by something that lets other things in. */
static bool is_controlled(const struct view *v, size_t server)
{
	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (is_of(o, server, QUESTION_ECHO) && was_answered(o))
			return true;
		if (is_of(o, server, QUESTION_ICMP_ERROR) && (was_answered(o) || o->detail.quotes))
			return true;
	}
	return false;
}

static struct icmp_error_verdict *find_error(struct icmp_verdict *out, const struct observation *o)
{
	for (size_t i = 0; i < out->error_count; i++)
		if (out->errors[i].type == o->detail.type && out->errors[i].code == o->detail.code)
			return &out->errors[i];
	if (out->error_count == ICMP_ERRORS)
		return NULL;
	out->errors[out->error_count] =
		(struct icmp_error_verdict){.type = o->detail.type, .code = o->detail.code};
	return &out->errors[out->error_count++];
}

/* Whether errors of this kind get to the socket that they are about. */
static enum tri arrives(
	const struct view *v, const struct observation *o, bool controlled, const char **why)
{
	if (was_answered(o))
		return TRI_YES;
	if (icmp_why_not(o))
		*why = icmp_why_not(o);
	else if (o->wrong_source)
		*why = "errors came from an address that was not to send them";
	else if (!icmp_is_silent(v, o))
		*why = "too few of them have left the server to tell";
	else if (!controlled)
		*why = NO_ICMP;
	else
		return TRI_NO;
	return TRI_UNKNOWN;
}

static void judge_passing(const struct view *v, size_t server, enum icmp_about about,
	bool controlled, struct icmp_verdict *out)
{
	const char *why = out->service == TRI_YES ? "was not asked" : icmp_no_service(out);
	struct basis *basis = &out->passing_basis[about];
	unsigned yes = 0, no = 0;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];
		struct icmp_error_verdict *error;
		enum tri answer;

		if (!is_of(o, server, QUESTION_ICMP_ERROR) || about_of(o->detail.flow) != about)
			continue;
		basis_add(basis, v->journal, o);
		answer = arrives(v, o, controlled, &why);
		yes += answer == TRI_YES;
		no += answer == TRI_NO;
		error = find_error(out, o);
		if (error)
			error->arrives[about][o->detail.other ? ICMP_ORIGIN_OTHER
							      : ICMP_ORIGIN_OWN] = answer;
	}
	if (yes + no)
		out->passing[about] = !no ? SHARE_ALWAYS : yes ? SHARE_SOMETIMES : SHARE_NEVER;
	else
		basis_text(basis, "%s", why);
}

/*
 * An error reaches a UDP socket only when the quoted addresses and ports are those that it has left with, and what is
 * quoted behind them was compared; of the checksums only a raw socket can tell.
 */
static void judge_quotes(const struct view *v, size_t server, struct icmp_verdict *out)
{
	struct basis *basis = &out->quotes_basis;
	unsigned whole = 0, wrong = 0, sockets = 0, strange = 0;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (!is_of(o, server, QUESTION_ICMP_ERROR))
			continue;
		if (o->detail.quotes || was_answered(o))
			basis_add(basis, v->journal, o);
		whole += o->detail.quotes;
		wrong += o->detail.wrong_quotes;
		sockets += was_answered(o);
		strange += o->malformed;
		out->quote_defects |= o->detail.quote_defects;
	}
	out->quotes_whole = whole != 0;
	if (wrong)
		out->quotes = TRI_NO;
	else if (whole || (sockets && !strange))
		out->quotes = TRI_YES;
	else
		basis_text(basis, "%s",
			strange ? "errors quote something else than what was sent"
				: "no error has arrived");
}

/* Whether flows end by errors: the server's next packet over each of them comes, or does not. */
static enum tri judge_after(
	const struct view *v, size_t server, enum icmp_flow flow, struct basis *basis)
{
	unsigned alive = 0, missing = 0, broken = 0;
	bool told = false;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		/* the server does say when it is done */
		told |= (is_of(o, server, QUESTION_ICMP_ERROR) && o->awaited) ||
			(is_of(o, server, QUESTION_AFTER_ERRORS) && o->receipts);
		if (!is_of(o, server, QUESTION_AFTER_ERRORS) || o->detail.flow != flow)
			continue;
		basis_add(basis, v->journal, o);
		alive += was_answered(o);
		missing += o->state == OBSERVATION_SILENT ? o->awaited : 0;
		broken += o->state == OBSERVATION_REFUSED;
	}
	if (alive)
		return TRI_NO;
	if (broken > 1 || (told && silence_proved(v->journal, server, missing)))
		return TRI_YES;
	basis_text(basis, "%s",
		missing || broken ? "too few packets were missing after errors to tell"
				  : "no error has arrived that could do it");
	return TRI_UNKNOWN;
}

/* RFC 5382 REQ-9: an attempt is told why it cannot succeed. */
static void judge_attempts(const struct view *v, size_t server, struct icmp_verdict *out)
{
	struct basis *basis = &out->end_attempt_basis;
	bool arrived = false;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (!is_of(o, server, QUESTION_ICMP_ERROR) || o->detail.flow != ICMP_FLOW_ATTEMPT ||
			!was_answered(o))
			continue;
		basis_add(basis, v->journal, o);
		arrived = true;
		if (o->own.outcome == CONNECTION_REFUSED ||
			o->own.outcome == CONNECTION_UNREACHABLE)
			out->end_attempt = TRI_YES;
	}
	if (out->end_attempt)
		return;
	if (arrived)
		out->end_attempt = TRI_NO;
	else
		basis_text(basis, "no error about an attempt to connect has arrived");
}

static bool tells_mtu(const struct observation *o)
{
	return o->family == FAMILY_IPV6 ? o->detail.type == 2
					: o->detail.type == 3 && o->detail.code == 4;
}

static void judge_path_mtu(const struct view *v, size_t server, struct icmp_verdict *out)
{
	struct basis *basis = &out->path_mtu_basis;
	const char *why = out->service == TRI_YES ? "was not asked" : icmp_no_service(out);
	bool without = false, dropped = false;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];
		const struct icmp_detail *d = &o->detail;

		if (!is_of(o, server, QUESTION_ICMP_ERROR) || !tells_mtu(o))
			continue;
		basis_add(basis, v->journal, o);
		if (d->mtu_after && d->mtu < d->mtu_before && d->mtu_after <= d->mtu)
			out->path_mtu = TRI_YES;
		without |= d->mtu_after && d->mtu < d->mtu_before && d->mtu_after > d->mtu;
		dropped |=
			find_error(out, o)->arrives[about_of(
				d->flow)][d->other ? ICMP_ORIGIN_OTHER : ICMP_ORIGIN_OWN] == TRI_NO;
		if (icmp_why_not(o))
			why = icmp_why_not(o);
		else if (was_answered(o) && d->mtu >= d->mtu_before)
			why = "the error arrives; this host has taken the path for so narrow "
			      "already "
			      "that it cannot be tried";
		else if (!was_answered(o))
			why = NO_ICMP;
	}
	if (out->path_mtu)
		return;
	if (without || dropped)
		out->path_mtu = TRI_NO;
	else
		basis_text(basis, "%s", why);
}

void judge_icmp_errors(const struct view *v, size_t server, struct icmp_verdict *out)
{
	bool controlled = is_controlled(v, server);

	for (int about = 0; about < ICMP_ABOUTS; about++)
		judge_passing(v, server, (enum icmp_about)about, controlled, out);
	judge_quotes(v, server, out);
	out->end_mapping = judge_after(v, server, ICMP_FLOW_UDP, &out->end_mapping_basis);
	out->end_connection = judge_after(v, server, ICMP_FLOW_TCP, &out->end_connection_basis);
	judge_attempts(v, server, out);
	judge_path_mtu(v, server, out);
}

/* --- outward --- */

/* Some ICMP of this host gets to the server: what does not is kept in by something that lets other things out. */
static bool is_seen(const struct view *v, size_t server)
{
	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (o->server == server && o->transport == TRANSPORT_ICMP && o->detail.recorded)
			return true;
	}
	return false;
}

static enum tri leaves(const struct view *v, const struct observation *o, const char **why)
{
	if (was_answered(o))
		return TRI_YES;
	if (icmp_why_not(o))
		*why = icmp_why_not(o);
	else if (!icmp_is_silent(v, o))
		*why = "too few of them were missing at the server to tell";
	else if (!is_seen(v, o->server))
		*why = "no ICMP of this host has arrived at the server at all: it is dropped on "
		       "the "
		       "way, or in front of the server";
	else
		return TRI_NO;
	return TRI_UNKNOWN;
}

/* The address that the server sees this host's UDP come from. */
static const struct endpoint *external_of(const struct view *v, size_t server)
{
	struct battery b;

	battery_find(v->journal, server, &b);
	return was_answered(b.binding) ? &b.binding->answer.mapped : NULL;
}

static enum egress source_of(const struct view *v, size_t server, const struct observation *o)
{
	const struct endpoint *external = external_of(v, server);

	if (external && endpoint_same_address(external, &o->detail.recorded_from))
		return EGRESS_EXTERNAL;
	return endpoint_same_address(&o->local, &o->detail.recorded_from) ? EGRESS_INSIDE
									  : EGRESS_OTHER;
}

static void judge_foreign(const struct view *v, size_t server, struct icmp_verdict *out)
{
	const char *why = out->service == TRI_YES ? "was not asked" : icmp_no_service(out);
	bool all_dropped = true;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];
		enum tri answer;

		if (!is_of(o, server, QUESTION_EGRESS) || o->detail.flow != ICMP_FLOW_FOREIGN ||
			out->egress_count == EGRESS_KINDS)
			continue;
		basis_add(&out->egress_basis, v->journal, o);
		answer = leaves(v, o, &why);
		out->egress_kinds[out->egress_count++] = (struct egress_verdict){
			o->detail.type, o->detail.code, o->detail.quoted_protocol, answer};
		all_dropped &= answer == TRI_NO;
		if (answer == TRI_YES && !out->egress) {
			out->egress = source_of(v, server, o);
			out->egress_from = o->detail.recorded_from;
		}
	}
	if (!out->egress && out->egress_count && all_dropped)
		out->egress = EGRESS_DROPPED;
	if (!out->egress)
		basis_text(&out->egress_basis, "%s", why);
}

/* About the mapping of the Binding request: as the server could have sent it. */
static void judge_outward(const struct view *v, size_t server, struct icmp_verdict *out)
{
	const char *why = out->service == TRI_YES ? "was not asked" : icmp_no_service(out);
	const struct endpoint *external = external_of(v, server);

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (!is_of(o, server, QUESTION_EGRESS) || o->detail.flow != ICMP_FLOW_UDP)
			continue;
		basis_add(&out->outward_basis, v->journal, o);
		out->outward = leaves(v, o, &why);
		/* a NAT that lets it out as it was has not done its work */
		if (out->outward == TRI_YES &&
			(!external || !endpoint_equal(external, &o->detail.recorded_quoted) ||
				!endpoint_same_address(external, &o->detail.recorded_from)))
			out->outward = TRI_NO;
	}
	if (!out->outward)
		basis_text(&out->outward_basis, "%s", why);
}

void judge_icmp_egress(const struct view *v, size_t server, struct icmp_verdict *out)
{
	judge_foreign(v, server, out);
	judge_outward(v, server, out);
}
