// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "judge/private.h"

/*
 * What is different over TCP: filtering is asked by calls of the server, of which it says how they ended; an early SYN may
 * be answered, at once or after some time (RFC 5382 REQ-4); two SYNs may cross (REQ-2); and hairpinned ones, too (REQ-8).
 */

#define NO_CALLS "no server that calls back (natprobed) could be used"
#define SLOW_MIN \
	3 /* simultaneous opens that all took too long show that the SYN does not come in */
#define HAIRPIN_SILENT_US 3200000u /* three SYNs each way */

/* A call from this address has come about, here or where a SYN of ours met it. */
static bool address_calls(const struct view *v, size_t server, const struct endpoint *address)
{
	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (o->server == server && was_answered(o) && o->call.outcome == CONNECTION_MADE &&
			endpoint_same_address(&o->expect, address))
			return true;
	}
	return false;
}

/* Who refused it stands so far away from the server that the SYN has been under way. */
bool call_refused_afar(const struct observation *o, uint64_t rtt_us)
{
	return (o->call.outcome == CONNECTION_REFUSED ||
		       o->call.outcome == CONNECTION_UNREACHABLE) &&
		rtt_us && 2 * o->call.took_us >= rtt_us;
}

/*
 * The call was made, and could have come here: a call of that address did, or something on the way answered
 * it. Where each destination has another port no call can meet a SYN of ours: then it has to do that the very
 * endpoint is known to reach this host.
 */
static bool is_controlled(const struct view *v, size_t server, const struct battery *b, int target,
	enum dependence mapping)
{
	const struct observation *o = b->filtering[target];

	if (address_calls(v, server, &o->expect) || call_refused_afar(o, v->servers[server].rtt_us))
		return true;
	return mapping > DEPENDENCE_ENDPOINT_INDEPENDENT && was_answered(b->mapping[target]);
}

static enum tri passes(const struct view *v, size_t server, const struct battery *b, int target,
	enum dependence mapping, const char **why)
{
	const struct observation *o = b->filtering[target];

	if (was_answered(o))
		return TRI_YES;
	if (o->state == OBSERVATION_ERROR) {
		*why = NO_CALLS;
		return TRI_UNKNOWN;
	}
	switch (o->call.outcome) {
	case CONNECTION_MADE:
		*why = "something on the way took the server's calls, and not this host";
		return TRI_UNKNOWN;
	case CONNECTION_LOCAL:
		*why = "the server could not call";
		return TRI_UNKNOWN;
	case CONNECTION_NONE:
		*why = "the run ended before the server's calls";
		return TRI_UNKNOWN;
	default:
		break;
	}
	if (is_controlled(v, server, b, target, mapping))
		return TRI_NO;
	*why = "no call of the server came, not even where the path was open: the silence has no "
	       "control";
	return TRI_UNKNOWN;
}

static enum dependence judge_calls(
	const struct view *v, size_t server, struct behaviour *out, const char **why)
{
	enum tri answer[BATTERY_TARGETS];
	struct battery b;

	battery_find(v->journal, server, &b);
	for (int i = 0; i < BATTERY_TARGETS; i++) {
		if (!b.filtering[i])
			return DEPENDENCE_UNKNOWN;
		answer[i] = passes(v, server, &b, i, out->mapping, why);
		basis_add(&out->filtering_basis, v->journal, b.filtering[i]);
	}
	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (o->server == server && o->question == QUESTION_SIMULTANEOUS && was_answered(o))
			basis_add(&out->filtering_basis, v->journal, o);
	}
	return filtering_combine(
		answer[BATTERY_BOTH], answer[BATTERY_ADDRESS], answer[BATTERY_PORT], why);
}

static void judge_filtering_tcp(const struct view *v, struct behaviour *out)
{
	int class[JOURNAL_SERVERS] = {0}, winner;
	const char *why = NO_CALLS;

	if (!out->external_count)
		why = no_answer(out);
	for (size_t i = 0; i < v->journal->server_count; i++)
		if (server_in_view(v, i))
			class[i] = (int)judge_calls(v, i, out, &why);
	if (!majority(class, JOURNAL_SERVERS, &winner))
		why = "the servers contradict each other";
	out->filtering = (enum dependence)winner;
	if (!winner)
		basis_text(&out->filtering_basis, "%s", why);
}

/* --- the early SYN --- */

/* The connection to the endpoint that was early left from another port than the one before. */
static bool was_moved(const struct view *v, size_t server, struct basis *basis)
{
	const struct observation *base = NULL, *check = NULL;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (o->server != server || !was_answered(o))
			continue;
		if (o->question == QUESTION_EARLY_CHECK)
			check = o;
	}
	for (size_t i = 0; check && i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (o->server == server && was_answered(o) && o->question == QUESTION_CALL_BASE &&
			o->local.port == check->local.port)
			base = o;
	}
	basis_add(basis, v->journal, check);
	return base && endpoint_same_address(&base->answer.mapped, &check->answer.mapped) &&
		base->answer.mapped.port != check->answer.mapped.port;
}

static enum early_packet judge_reaction(
	const struct view *v, size_t server, struct behaviour *out, const char **why)
{
	bool silent = false, local = false;
	struct battery b;

	battery_find(v->journal, server, &b);
	for (int i = 0; i < BATTERY_TARGETS; i++) {
		const struct observation *o = b.filtering[i];

		if (!o || o->state == OBSERVATION_ERROR)
			continue;
		basis_add(&out->early_basis, v->journal, o);
		if (call_refused_afar(o, v->servers[server].rtt_us) &&
			(!out->early_after_us || o->call.took_us < out->early_after_us)) {
			out->early_after_us = o->call.took_us;
			out->early_by_icmp = o->reported_count != 0;
		}
		local |= o->call.outcome == CONNECTION_REFUSED ||
			o->call.outcome == CONNECTION_UNREACHABLE;
		silent |= o->call.outcome == CONNECTION_SILENT;
	}
	if (out->mapping == DEPENDENCE_ENDPOINT_INDEPENDENT &&
		was_moved(v, server, &out->early_basis))
		return EARLY_REMAP;
	if (out->early_after_us)
		return EARLY_REJECT;
	if (silent && !local && out->filtering != DEPENDENCE_UNKNOWN)
		return EARLY_SILENT;
	*why = local ? "the server's calls were refused too near to it"
		     : "it is not known that the server's calls came as far as the NAT";
	return EARLY_UNKNOWN;
}

static void judge_early_tcp(const struct view *v, struct behaviour *out)
{
	int reaction[JOURNAL_SERVERS] = {0}, winner;
	const char *why = NO_CALLS;

	if (!out->external_count) {
		basis_text(&out->early_basis, "%s", no_answer(out));
		return;
	}
	if (out->filtering == DEPENDENCE_ENDPOINT_INDEPENDENT) {
		out->early = EARLY_DELIVERED;
		out->early_basis = out->filtering_basis;
		return;
	}
	for (size_t i = 0; i < v->journal->server_count; i++)
		if (server_in_view(v, i))
			reaction[i] = (int)judge_reaction(v, i, out, &why);
	if (!majority(reaction, JOURNAL_SERVERS, &winner))
		why = "the servers contradict each other";
	out->early = (enum early_packet)winner;
	if (!winner)
		basis_text(&out->early_basis, "%s", why);
}

/* --- simultaneous open --- */

/*
 * A SYN that the filter lets in anyway may have passed the NAT before our own, which shows nothing. So those of the
 * address that was asked count only where the filter keeps them out; and where it lets in all, two have to cross, since
 * mostly our SYN is sent in time.
 */
static bool crosses(const struct view *v, const struct observation *o, uint64_t rtt_us,
	enum dependence filtering)
{
	bool by_port = filtering == DEPENDENCE_PORT || filtering == DEPENDENCE_ADDRESS_AND_PORT;
	const struct endpoint *asked = &v->journal->servers[o->server].endpoint;

	return (by_port || !endpoint_same_address(&o->expect, asked)) &&
		observation_crossed(o, rtt_us);
}

static void judge_simultaneous(const struct view *v, struct behaviour *out)
{
	struct basis *basis = &out->simultaneous_basis;
	unsigned asked = 0, slow = 0;
	unsigned crossed = 0, enough = out->filtering == DEPENDENCE_ENDPOINT_INDEPENDENT ? 2 : 1;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];
		uint64_t rtt_us;

		if (o->question != QUESTION_SIMULTANEOUS || !server_in_view(v, o->server))
			continue;
		basis_add(basis, v->journal, o);
		asked++;
		rtt_us = v->servers[o->server].rtt_us;
		crossed += crosses(v, o, rtt_us, out->filtering);
		slow += observation_took_long(o, rtt_us);
	}
	if (crossed >= enough)
		out->simultaneous = TRI_YES;
	else if (slow >= SLOW_MIN && !crossed)
		out->simultaneous = TRI_NO;
	else if (asked)
		basis_text(basis, "the SYNs did not cross often enough to tell");
	else if (!out->external_count)
		basis_text(basis, "%s", no_answer(out));
	else if (out->mapping > DEPENDENCE_ENDPOINT_INDEPENDENT)
		basis_text(basis,
			"each destination has another port, so a call cannot meet a SYN of this "
			"host");
	else
		basis_text(basis, NO_CALLS);
}

/* --- hairpinning --- */

static void judge_hairpin_tcp(const struct view *v, struct behaviour *out)
{
	bool asked = false, passed = false, answered_no = true;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (o->question != QUESTION_HAIRPIN || !server_in_view(v, o->server))
			continue;
		asked = true;
		basis_add(&out->hairpin_basis, v->journal, o);
		passed |= was_answered(o);
		answered_no &= o->own.outcome == CONNECTION_REFUSED ||
			o->own.outcome == CONNECTION_UNREACHABLE ||
			(o->own.outcome == CONNECTION_SILENT &&
				o->own.took_us >= HAIRPIN_SILENT_US);
	}
	if (out->nat == TRI_NO)
		basis_text(&out->hairpin_basis, "there is no NAT");
	else if (!asked)
		basis_text(
			&out->hairpin_basis, "was not asked: some firewalls take it for an attack");
	else if (passed)
		out->hairpin = TRI_YES;
	else if (out->mapping != DEPENDENCE_ENDPOINT_INDEPENDENT &&
		out->filtering != DEPENDENCE_ENDPOINT_INDEPENDENT)
		basis_text(&out->hairpin_basis,
			"the connections back had another port, which the filter keeps out anyway");
	/* a filter is opened by a SYN of the other side, which the next one then crosses */
	else if (out->filtering != DEPENDENCE_ENDPOINT_INDEPENDENT && out->simultaneous != TRI_YES)
		basis_text(&out->hairpin_basis,
			"the filter may let in no SYN that crosses another one");
	else if (!answered_no)
		basis_text(&out->hairpin_basis,
			"a connection came about, and not with this host; or the run ended before");
	else
		out->hairpin = TRI_NO;
}

void judge_tcp(const struct view *v, struct behaviour *b)
{
	judge_filtering_tcp(v, b);
	judge_early_tcp(v, b);
	judge_simultaneous(v, b);
	judge_hairpin_tcp(v, b);
}
