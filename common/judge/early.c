// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "journal/silence.h"
#include "judge/private.h"

/* The early-packet reaction: see probe/early.c for how it is asked. */

static const struct stun_icmp *reported_for(
	const struct observation *base, const struct endpoint *early_sender)
{
	for (size_t i = 0; i < base->reported_count; i++)
		if (endpoint_equal(&base->reported[i].quoted_from, early_sender))
			return &base->reported[i];
	return NULL;
}

/* Early packets were sent, and enough of them that one has reached the NAT. */
static bool was_provoked(const struct view *v, size_t server, const struct battery *b, int target)
{
	const struct observation *o = b->filtering[target];

	return o && o->state == OBSERVATION_SILENT && (o->receipts || battery_controlled(b)) &&
		silence_proved(v->journal, server, o->awaited);
}

static enum early_packet judge_target(const struct view *v, size_t server, const struct battery *b,
	int target, struct basis *basis, const char **why)
{
	const struct observation *base = b->early_base[target], *check = b->early_check[target];

	if (!base || !check)
		return EARLY_UNKNOWN;
	basis_add(basis, v->journal, b->filtering[target]);
	basis_add(basis, v->journal, base);
	basis_add(basis, v->journal, check);
	if (!was_answered(base) || !was_answered(check) || !was_provoked(v, server, b, target)) {
		*why = "the questions were not all answered";
		return EARLY_UNKNOWN;
	}
	if (!endpoint_same_address(&base->answer.mapped, &check->answer.mapped)) {
		*why = "the external address changed between the questions";
		return EARLY_UNKNOWN;
	}
	if (base->answer.mapped.port != check->answer.mapped.port)
		return EARLY_REMAP;
	if (reported_for(base, &check->to))
		return EARLY_REJECT;
	if (base->answer.has_observed && base->answer.observed.can & STUN_WANT_ICMP)
		return EARLY_SILENT;
	*why = "the port is kept; this server cannot tell whether an error came back";
	return EARLY_UNKNOWN;
}

/* Several changed endpoints may have been early: one that moved the port is enough. */
static enum early_packet judge_one(
	const struct view *v, size_t server, struct basis *basis, const char **why)
{
	enum early_packet found = EARLY_UNKNOWN;
	struct battery b;

	battery_find(v->journal, server, &b);
	for (int i = 0; i < BATTERY_TARGETS; i++) {
		enum early_packet e = judge_target(v, server, &b, i, basis, why);

		if (e == EARLY_REMAP || found == EARLY_UNKNOWN)
			found = e;
	}
	return found;
}

void judge_early(const struct view *v, struct behaviour *out)
{
	int reaction[JOURNAL_SERVERS] = {0}, winner;
	const char *why = "no server could send from an address that was not asked";

	if (!out->external_count) {
		basis_text(&out->early_basis, "%s", no_answer(out));
		return;
	}
	if (out->filtering == DEPENDENCE_ENDPOINT_INDEPENDENT) {
		out->early = EARLY_DELIVERED;
		out->early_basis = out->filtering_basis;
		return;
	}
	if (out->mapping != DEPENDENCE_ENDPOINT_INDEPENDENT) {
		basis_text(&out->early_basis,
			out->mapping
				? "each destination has another port, so an early packet meets "
				  "another mapping"
				: "the mapping is not known");
		return;
	}
	for (size_t i = 0; i < v->journal->server_count; i++)
		if (server_in_view(v, i) && v->servers[i].filters)
			reaction[i] = (int)judge_one(v, i, &out->early_basis, &why);
	if (!majority(reaction, JOURNAL_SERVERS, &winner))
		why = "the servers contradict each other";
	out->early = (enum early_packet)winner;
	if (!winner)
		basis_text(&out->early_basis, "%s", why);
}
