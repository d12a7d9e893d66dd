// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "judge/private.h"

/* Which servers may be believed, and about what. The first defect found is told in words. */

static void defect(struct server_verdict *v, enum server_defect d, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void defect(struct server_verdict *v, enum server_defect d, const char *format, ...)
{
	va_list arguments;

	v->defects[d] = true;
	if (*v->problem)
		return;
	va_start(arguments, format);
	vsnprintf(v->problem, sizeof(v->problem), format, arguments);
	va_end(arguments);
}

static void misbehaves(struct server_verdict *v)
{
	v->status = SERVER_MISBEHAVING;
	v->filters = false;
}

static void judge_unanswered(const struct observation *o, struct server_verdict *v)
{
	char text[ENDPOINT_TEXT];

	if (o->malformed) {
		misbehaves(v);
		defect(v, DEFECT_MALFORMED, "sent %u datagrams that are no usable answer",
			o->malformed);
	} else if (o->wrong_source) {
		misbehaves(v);
		defect(v, DEFECT_WRONG_SOURCE, "answered from %s, where nothing was asked",
			endpoint_format(&o->wrong_from, text));
	} else if (o->state == OBSERVATION_ERROR) {
		misbehaves(v);
		defect(v, DEFECT_NO_MAPPED, "answers a Binding request with error %u",
			o->error_code);
	} else if (o->icmp.count && o->icmp.local) {
		v->status = SERVER_UNREACHABLE;
		snprintf(v->problem, sizeof(v->problem), "this host: %s", strerror(o->icmp.error));
	} else if (o->icmp.count) {
		v->status = SERVER_UNREACHABLE;
		snprintf(v->problem, sizeof(v->problem), "ICMP type %u code %u from %s",
			o->icmp.type, o->icmp.code,
			endpoint_format_address(&o->icmp.offender, text));
	} else if (o->own.outcome == CONNECTION_REFUSED ||
		o->own.outcome == CONNECTION_UNREACHABLE || o->own.outcome == CONNECTION_LOCAL) {
		v->status = SERVER_UNREACHABLE;
		snprintf(v->problem, sizeof(v->problem), "%s", strerror(o->own.error));
	} else if (o->transport == TRANSPORT_TCP) {
		v->status = SERVER_TIMEOUT;
		snprintf(v->problem, sizeof(v->problem), "%s",
			o->own.outcome == CONNECTION_MADE ? "connected, but no answer"
							  : "no answer to a SYN");
	} else {
		v->status = SERVER_TIMEOUT;
		snprintf(v->problem, sizeof(v->problem), "no answer to %u requests", o->sent);
	}
}

static void judge_other(const struct observation *o, struct server_verdict *v)
{
	const struct endpoint *other = &o->answer.other;
	char text[ENDPOINT_TEXT];

	if (other->family == FAMILY_NONE)
		return;
	endpoint_format(other, text);
	if (endpoint_same_address(other, &o->to) || other->port == o->to.port) {
		misbehaves(v);
		defect(v, DEFECT_SELF_AS_OTHER, "names its own %s (%s) as its other address",
			endpoint_same_address(other, &o->to) ? "address" : "port", text);
	} else if (!observation_other_usable(o)) {
		misbehaves(v);
		defect(v, DEFECT_OTHER_UNUSABLE, "its other address (%s) cannot be asked", text);
	} else {
		v->has_other = true;
		v->filters = true;
		v->other = *other;
	}
}

/* RFC 5780 wants both MAPPED-ADDRESS and XOR-MAPPED-ADDRESS, so that an ALG shows. */
static bool mapped_differs(const struct observation *o)
{
	const struct answer *a = &o->answer;

	return was_answered(o) && o->question != QUESTION_HAIRPIN && a->has_xor &&
		a->mapped_plain.family != FAMILY_NONE &&
		!endpoint_equal(&a->mapped, &a->mapped_plain);
}

/* Over TCP a server is not asked to answer from elsewhere, but to call: one that does not is no worse. */
static bool is_changed_question(const struct observation *o)
{
	if (o->transport == TRANSPORT_TCP)
		return false;
	return (o->question >= QUESTION_FILTERING_BOTH && o->question <= QUESTION_FILTERING_PORT) ||
		o->question == QUESTION_CONTROL;
}

/* A connection that the server makes, or half of it. */
static bool is_call(const struct observation *o)
{
	return o->transport == TRANSPORT_TCP && o->question >= QUESTION_FILTERING_BOTH &&
		o->question <= QUESTION_FILTERING_PORT;
}

static void judge_one_answer(const struct observation *o, struct server_verdict *v)
{
	char from[ENDPOINT_TEXT], origin[ENDPOINT_TEXT], text[ENDPOINT_TEXT];
	const struct answer *a = &o->answer;

	if (o->question == QUESTION_HAIRPIN || o->question == QUESTION_TCP_CONTROL ||
		o->question >= QUESTION_ICMP_SERVICE)
		return;
	if (mapped_differs(o))
		defect(v, DEFECT_MAPPED_DIFFERS, "MAPPED-ADDRESS %s, but XOR-MAPPED-ADDRESS %s",
			endpoint_format(&a->mapped_plain, from), endpoint_format(&a->mapped, text));
	if (was_answered(o) && a->origin.family && !endpoint_equal(&a->origin, &a->from)) {
		v->filters = false;
		defect(v, DEFECT_ORIGIN, "answers from %s, but says it was %s",
			endpoint_format(&a->from, from), endpoint_format(&a->origin, origin));
	}
	if (is_changed_question(o) && o->state == OBSERVATION_CHANGE_IGNORED) {
		misbehaves(v);
		defect(v, DEFECT_CHANGE_IGNORED,
			"offers %s as other address, but ignores CHANGE-REQUEST",
			endpoint_format(&v->other, text));
	}
	/* an error to the control may mean its RESPONSE-PORT, which is optional (RFC 5780 7.5) */
	if (o->state == OBSERVATION_ERROR && is_changed_question(o) &&
		o->question != QUESTION_CONTROL) {
		v->filters = false;
		defect(v, DEFECT_CHANGE_REFUSED, "answers CHANGE-REQUEST with error %u",
			o->error_code);
	}
	if (o->wrong_source) {
		misbehaves(v);
		defect(v, DEFECT_WRONG_SOURCE, "answered from %s, where nothing was asked",
			endpoint_format(&o->wrong_from, text));
	}
	if (o->malformed)
		defect(v, DEFECT_MALFORMED, "sent %u datagrams that are no usable answer",
			o->malformed);
}

/* Its second address was asked and said nothing, while the first one talks. */
static void judge_other_silent(const struct battery *b, struct server_verdict *v)
{
	const struct observation *both = b->mapping[BATTERY_BOTH];
	const struct observation *address = b->mapping[BATTERY_ADDRESS];
	char text[ENDPOINT_TEXT];

	if (!both || was_answered(both) || was_answered(address) ||
		(both->sent < 2 && both->own.outcome != CONNECTION_SILENT))
		return;
	v->filters = false;
	defect(v, DEFECT_OTHER_SILENT, "its other address %s gave no answer to %u requests",
		endpoint_format_address(&v->other, text),
		both->sent + (address ? address->sent : 0));
}

static void judge_changes(const struct battery *b, struct server_verdict *v)
{
	unsigned asked = 0;

	v->changes = battery_controlled(b);
	for (int i = 0; i < BATTERY_TARGETS; i++) {
		v->changes |= was_answered(b->filtering[i]);
		asked += b->control[i] ? b->control[i]->sent : 0;
	}
	if (!v->changes && v->filters && asked >= 3)
		defect(v, DEFECT_CHANGE_UNPROVED,
			"did not prove that it can answer from its other address (%u requests)",
			asked);
}

/* Over TCP filtering is asked by calls of the server. */
static bool has_called(const struct battery *b)
{
	bool called = false;

	for (int i = 0; i < BATTERY_TARGETS; i++)
		called |= b->filtering[i] && b->filtering[i]->state != OBSERVATION_ERROR &&
			b->filtering[i]->call.outcome != CONNECTION_NONE;
	return called;
}

static void judge_answered(const struct journal *j, size_t place, struct server_verdict *v)
{
	struct battery b;

	battery_find(j, place, &b);
	v->counts = true;
	v->answer_at = journal_place(j, b.binding);
	v->ours = b.binding->answer.has_observed;
	memcpy(v->software, b.binding->answer.software, sizeof(v->software));
	if (b.binding->answer.mapped.family == FAMILY_NONE) {
		misbehaves(v);
		v->counts = false;
		defect(v, DEFECT_NO_MAPPED, "its answers hold no mapped address");
		return;
	}
	judge_other(b.binding, v);
	for (size_t i = 0; i < j->observation_count; i++) {
		const struct observation *o = &j->observations[i];
		uint64_t rtt_us;

		if (o->server != place)
			continue;
		judge_one_answer(o, v);
		if (!was_answered(o) || is_changed_question(o) || o->question >= QUESTION_HAIRPIN ||
			is_call(o))
			continue;
		rtt_us = o->transport == TRANSPORT_TCP ? o->own.took_us
						       : o->answer.t_us - o->first_sent_us;
		if (!v->rtt_us || rtt_us < v->rtt_us)
			v->rtt_us = rtt_us ? rtt_us : 1;
	}
	judge_other_silent(&b, v);
	judge_changes(&b, v);
	if (b.binding->transport == TRANSPORT_TCP)
		v->filters = v->changes = has_called(&b);
}

/*
 * A difference between MAPPED-ADDRESS and XOR-MAPPED-ADDRESS is the server's fault or that of an ALG on
 * the path. An ALG does it to all servers, and then the XOR form is the right one.
 */
static void judge_rewriting(const struct journal *j, enum family family, enum transport transport,
	struct server_verdict *out)
{
	size_t differing = 0, both = 0;

	for (size_t i = 0; i < j->server_count; i++) {
		struct battery b;

		battery_find(j, i, &b);
		if (!server_is_of(j, i, family, transport) || !was_answered(b.binding) ||
			!b.binding->answer.has_xor ||
			b.binding->answer.mapped_plain.family == FAMILY_NONE)
			continue;
		both++;
		differing += out[i].defects[DEFECT_MAPPED_DIFFERS];
	}
	if (differing == both && both >= 2)
		return;
	for (size_t i = 0; i < j->server_count; i++) {
		if (!server_is_of(j, i, family, transport) ||
			!out[i].defects[DEFECT_MAPPED_DIFFERS])
			continue;
		misbehaves(&out[i]);
		out[i].counts = false;
	}
}

void judge_servers(const struct journal *j, struct server_verdict *out)
{
	for (size_t i = 0; i < j->server_count; i++) {
		struct server_verdict *v = &out[i];
		struct battery b;

		v->answer_at = JOURNAL_NONE;
		if (j->servers[i].resolution == SERVER_UNRESOLVED) {
			v->status = SERVER_NOT_RESOLVED;
			memcpy(v->problem, j->servers[i].problem, sizeof(v->problem));
			continue;
		}
		battery_find(j, i, &b);
		if (was_answered(b.binding))
			judge_answered(j, i, v);
		else if (b.binding)
			judge_unanswered(b.binding, v);
		else
			v->status = SERVER_TIMEOUT;
	}
	judge_rewriting(j, FAMILY_IPV4, TRANSPORT_UDP, out);
	judge_rewriting(j, FAMILY_IPV6, TRANSPORT_UDP, out);
	judge_rewriting(j, FAMILY_IPV4, TRANSPORT_TCP, out);
	judge_rewriting(j, FAMILY_IPV6, TRANSPORT_TCP, out);
	judge_rewriting(j, FAMILY_IPV4, TRANSPORT_ICMP, out);
	judge_rewriting(j, FAMILY_IPV6, TRANSPORT_ICMP, out);
}
