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
static bool was_provoked(const struct view *v, size_t server, const struct battery *b)
{
	const struct observation *both = b->filtering[BATTERY_BOTH];

	return both && both->state == OBSERVATION_SILENT &&
		(both->receipts || was_answered(b->control)) &&
		silence_proved(v->journal, server, both->awaited);
}

static enum early_packet judge_one(
	const struct view *v, size_t server, struct basis *basis, const char **why)
{
	const struct observation *base, *check;
	struct battery b;

	battery_find(v->journal, server, &b);
	base = b.early_base;
	check = b.early_check;
	if (!base || !check) {
		*why = "was not asked";
		return EARLY_UNKNOWN;
	}
	basis_add(basis, v->journal, b.filtering[BATTERY_BOTH]);
	basis_add(basis, v->journal, base);
	basis_add(basis, v->journal, check);
	if (!was_answered(base) || !was_answered(check) || !was_provoked(v, server, &b)) {
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
			out->mapping ? "each destination has another port, so an early packet meets "
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
