// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "journal/silence.h"
#include "judge/private.h"

/*
 * What becomes of ICMP. Whether requests arrive the server says, whether replies and errors do is seen here; that
 * something does not arrive is said only where it is known that ICMP can come from there at all.
 */

#define CONTROL_MS 1000 /* the first late reply: does a second one come in at all */
#define NO_SERVICE "no server that answers serves ICMP (natprobed does)"

/* --- for all of it --- */

const char *icmp_why_not(const struct observation *o)
{
	if (o->state == OBSERVATION_REFUSED && o->icmp.local && o->icmp.error == EPERM && !o->sent)
		return "a raw socket is needed: setcap cap_net_raw+p on natprobe";
	if (o->state == OBSERVATION_REFUSED && o->icmp.local && o->icmp.error == EACCES && !o->sent)
		return "this user may send no echo requests: net.ipv4.ping_group_range, or setcap "
		       "cap_net_raw+p on natprobe";
	if (o->state == OBSERVATION_REFUSED)
		return o->icmp.local ? "this host could not send it"
				     : "the server was not reached over TCP";
	if (o->state == OBSERVATION_ABANDONED || o->state == OBSERVATION_OPEN)
		return "the run ended before";
	if (o->state != OBSERVATION_ERROR)
		return NULL;
	switch (o->error_code) {
	case 0:
		return "the server did not say what has arrived";
	case 403:
		return "the server does not do that";
	case 486:
		return "this network has asked the server too often: try again in a minute";
	case 508:
		return "the server is busy";
	default:
		return "the server refused it";
	}
}

bool icmp_is_silent(const struct view *v, const struct observation *o)
{
	return o->state == OBSERVATION_SILENT && silence_proved(v->journal, o->server, o->awaited);
}

static bool is_of(const struct observation *o, size_t server, enum question question)
{
	return o->server == server && o->question == question;
}

/* --- the server --- */

/* The one that was asked: its place, or JOURNAL_NONE. */
static size_t find_server(const struct view *v)
{
	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (o->question >= QUESTION_ECHO && server_in_view(v, o->server))
			return o->server;
	}
	return JOURNAL_NONE;
}

/* For good: one that is busy, or has been asked too often, does serve it. */
static bool is_refused(const struct observation *o)
{
	return o->state == OBSERVATION_ERROR && o->error_code != 486 && o->error_code != 508;
}

static void judge_service(const struct view *v, struct icmp_verdict *out)
{
	struct basis *basis = &out->service_basis;
	const struct observation *open = NULL;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (o->question != QUESTION_ICMP_SERVICE || !server_in_view(v, o->server))
			continue;
		basis_add(basis, v->journal, o);
		if (was_answered(o))
			out->service = TRI_YES;
		else if (!is_refused(o) && !icmp_is_silent(v, o))
			open = o;
	}
	if (out->service == TRI_YES)
		return;
	if (!out->common.external_count)
		basis_text(basis, "%s", no_answer(&out->common));
	else if (open && icmp_why_not(open))
		basis_text(basis, "%s", icmp_why_not(open));
	else if (open)
		basis_text(basis, "too few requests were left unanswered to tell");
	else
		out->service = TRI_NO;
}

const char *icmp_no_service(const struct icmp_verdict *v)
{
	return v->service == TRI_NO ? NO_SERVICE : v->service_basis.text;
}

/* --- echo --- */

/* How the echo requests to one address of the server went. */
struct echos {
	unsigned asked, answered, recorded;
	const struct observation *refused; /* … or not asked to the end */
	bool silent; /* all of them, and proved */
};

static struct echos count_echos(const struct view *v, size_t server, struct basis *basis)
{
	struct echos e = {.silent = true};

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (!is_of(o, server, QUESTION_ECHO))
			continue;
		basis_add(basis, v->journal, o);
		e.asked++;
		e.answered += was_answered(o);
		e.recorded += o->detail.recorded != 0;
		e.silent &= icmp_is_silent(v, o);
		if (icmp_why_not(o))
			e.refused = o;
	}
	return e;
}

static void judge_echo(const struct view *v, size_t server, struct icmp_verdict *out)
{
	struct basis *basis = &out->echo_basis;
	struct echos e = count_echos(v, server, basis);

	if (e.answered)
		out->echo = TRI_YES;
	else if (!e.asked)
		basis_text(basis, "was not asked");
	else if (e.refused)
		basis_text(basis, "%s", icmp_why_not(e.refused));
	else if (e.recorded)
		basis_text(basis,
			"requests arrive at the server, and no reply comes back: they are dropped "
			"on the way, or its system gives none");
	else if (!e.silent)
		basis_text(basis, "too few requests were left unanswered to tell");
	else if (out->service == TRI_YES)
		basis_text(basis,
			"no request arrives at the server: they are dropped on the way, or in "
			"front "
			"of it");
	else
		basis_text(
			basis, "no reply: dropped on the way, or the server's system gives none");
}

/* Whether two of this identifier went to different addresses of the server; then how they arrived. */
static enum tri varies(const struct view *v, size_t server, const struct observation *a)
{
	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *b = &v->journal->observations[i];

		if (!is_of(b, server, QUESTION_ECHO) || b == a || b->socket != a->socket ||
			!b->detail.recorded || endpoint_same_address(&a->to, &b->to))
			continue;
		return a->detail.recorded_from.port == b->detail.recorded_from.port ? TRI_NO
										    : TRI_YES;
	}
	return TRI_UNKNOWN;
}

static void add_external(struct behaviour *b, const struct endpoint *e)
{
	for (size_t i = 0; i < b->external_count; i++)
		if (endpoint_equal(&b->external[i], e))
			return;
	if (b->external_count < BEHAVIOUR_EXTERNAL)
		b->external[b->external_count++] = *e;
}

struct identifiers {
	unsigned seen, kept, same, other, addresses;
};

static struct identifiers look_at_identifiers(
	const struct view *v, size_t server, struct icmp_verdict *out)
{
	struct behaviour *b = &out->common;
	struct identifiers n = {0};

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];
		enum tri different;

		if (!is_of(o, server, QUESTION_ECHO))
			continue;
		out->identifiers += was_answered(o) &&
			endpoint_same_address(&o->to, &v->journal->servers[server].endpoint);
		if (!o->detail.recorded)
			continue;
		if (!n.seen++) {
			b->external_count = 0; /* until here those of UDP */
			b->local = o->local;
		}
		basis_add(&b->mapping_basis, v->journal, o);
		basis_add(&b->preservation_basis, v->journal, o);
		basis_add(&b->pooling_basis, v->journal, o);
		add_external(b, &o->detail.recorded_from);
		n.kept += o->detail.recorded_from.port == o->local.port;
		n.addresses += !endpoint_same_address(&o->detail.recorded_from, &b->external[0]);
		different = varies(v, server, o);
		n.same += different == TRI_NO;
		n.other += different == TRI_YES;
		if (!endpoint_same_address(&o->detail.recorded_from, &o->local))
			b->nat = TRI_YES;
	}
	return n;
}

static void judge_identifiers(const struct view *v, size_t server, struct icmp_verdict *out)
{
	const char *why = out->service == TRI_YES ? "no echo request has been seen at the server"
						  : icmp_no_service(out);
	struct behaviour *b = &out->common;
	struct identifiers n = look_at_identifiers(v, server, out);

	/* those of UDP have no place here */
	if (!n.seen) {
		b->local = (struct endpoint){.family = FAMILY_NONE};
		b->external_count = 0;
	}
	if (n.other)
		b->mapping = DEPENDENCE_ADDRESS;
	else if (n.same)
		b->mapping = DEPENDENCE_ENDPOINT_INDEPENDENT;
	else
		basis_text(&b->mapping_basis, "%s",
			n.seen ? "the server has only one address that echo requests reach" : why);
	if (b->mapping)
		b->mapping_by_address = n.other ? TRI_YES : TRI_NO;
	if (n.seen)
		b->port_preservation = n.kept == n.seen ? SHARE_ALWAYS
			: n.kept			? SHARE_SOMETIMES
							: SHARE_NEVER;
	else
		basis_text(&b->preservation_basis, "%s", why);
	if (n.seen > 1)
		b->pooling = n.addresses ? POOLING_ARBITRARY : POOLING_PAIRED;
	else
		basis_text(&b->pooling_basis, "%s", why);
}

/* --- lifetime --- */

/* Replies that came later than any that came, and not later than this one would have, and did not come. */
static unsigned count_missing(
	const struct view *v, size_t server, uint32_t lasts_ms, uint32_t late_ms)
{
	unsigned missing = 0;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (is_of(o, server, QUESTION_ECHO_TIMER) && o->state == OBSERVATION_SILENT &&
			o->detail.late_ms > lasts_ms && o->detail.late_ms <= late_ms)
			missing += o->awaited;
	}
	return missing;
}

/* The earliest moment at which so many were missing that the mapping must have been over. */
static void find_end(const struct view *v, size_t server, struct icmp_verdict *out)
{
	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (!is_of(o, server, QUESTION_ECHO_TIMER) || o->state != OBSERVATION_SILENT ||
			o->detail.late_ms <= out->lasts_ms ||
			(out->ends_ms && o->detail.late_ms >= out->ends_ms))
			continue;
		if (silence_proved(v->journal, server,
			    count_missing(v, server, out->lasts_ms, o->detail.late_ms)))
			out->ends_ms = o->detail.late_ms;
	}
}

static void judge_lifetime(const struct view *v, size_t server, struct icmp_verdict *out)
{
	struct basis *basis = &out->lifetime_basis;
	const char *why = "was not asked: it takes two minutes (-t icmp-timer)";
	bool control = false;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (!is_of(o, server, QUESTION_ECHO_TIMER))
			continue;
		basis_add(basis, v->journal, o);
		why = icmp_why_not(o) ? icmp_why_not(o) : why;
		if (!was_answered(o))
			continue;
		control |= o->detail.late_ms <= CONTROL_MS;
		if (o->detail.late_ms > out->lasts_ms)
			out->lasts_ms = o->detail.late_ms;
	}
	if (control)
		find_end(v, server, out);
	if (out->lasts_ms)
		return;
	if (count_missing(v, server, 0, UINT32_MAX))
		why = "no second reply comes in at all, however soon it is sent";
	basis_text(basis, "%s", out->service == TRI_YES ? why : icmp_no_service(out));
}

/* --- all --- */

static void tell_untested(struct icmp_verdict *out, const char *why)
{
	struct basis *bases[] = {&out->echo_basis, &out->common.mapping_basis,
		&out->common.preservation_basis, &out->common.pooling_basis,
		&out->passing_basis[ICMP_ABOUT_UDP], &out->passing_basis[ICMP_ABOUT_TCP],
		&out->passing_basis[ICMP_ABOUT_ATTEMPT], &out->quotes_basis,
		&out->end_mapping_basis, &out->end_connection_basis, &out->end_attempt_basis,
		&out->path_mtu_basis, &out->egress_basis, &out->outward_basis,
		&out->lifetime_basis};

	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++)
		basis_text(bases[i], "%s", why);
}

void judge_icmp(const struct view *v, struct icmp_verdict *out)
{
	size_t server = find_server(v);

	judge_service(v, out);
	basis_text(&out->common.filtering_basis, "is not asked over ICMP");
	if (server == JOURNAL_NONE) {
		tell_untested(out, no_answer(&out->common));
		return;
	}
	judge_echo(v, server, out);
	judge_identifiers(v, server, out);
	judge_icmp_errors(v, server, out);
	judge_icmp_egress(v, server, out);
	judge_lifetime(v, server, out);
}
