// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "journal/silence.h"
#include "judge/private.h"

/* RFC 5780 4.4, with all three changes asked: only so is a filter by port alone told apart. */

/*
 * Silence is a no only if the question was asked (a receipt, or a changed answer that came through an
 * open path), an answer could have come back (the endpoint it would come from has answered), and
 * loss cannot explain it.
 */
static enum tri passes(const struct view *v, size_t server, const struct battery *b, int target,
	const char **why)
{
	const struct observation *o = b->filtering[target];

	if (!o) {
		*why = "was not asked";
		return TRI_UNKNOWN;
	}
	if (was_answered(o))
		return TRI_YES;
	if (!was_answered(b->mapping[target]))
		*why = "the endpoint that should have sent gives no answer at all";
	else if (o->state != OBSERVATION_SILENT)
		*why = "the run ended before enough answers were missing";
	else if (!o->receipts && !v->servers[server].changes)
		*why = "the server never proved that it can answer from another address";
	else if (!silence_proved(v->journal, server, o->awaited))
		*why = "too few answers are missing to exclude loss";
	else
		return TRI_NO;
	return TRI_UNKNOWN;
}

static enum dependence combine(enum tri both, enum tri address, enum tri port, const char **why)
{
	if (both == TRI_YES && address != TRI_NO && port != TRI_NO)
		return DEPENDENCE_ENDPOINT_INDEPENDENT;
	if (both == TRI_YES || (both == TRI_NO && address == TRI_YES && port == TRI_YES)) {
		*why = "the answers contradict each other: measure again";
		return DEPENDENCE_UNKNOWN;
	}
	if (both != TRI_NO || address == TRI_UNKNOWN || port == TRI_UNKNOWN)
		return DEPENDENCE_UNKNOWN;
	if (port == TRI_YES)
		return DEPENDENCE_ADDRESS;
	return address == TRI_YES ? DEPENDENCE_PORT : DEPENDENCE_ADDRESS_AND_PORT;
}

static enum dependence judge_battery(
	const struct view *v, size_t server, struct basis *basis, const char **why)
{
	enum tri answer[3];
	struct battery b;

	battery_find(v->journal, server, &b);
	if (!b.filtering[0] && !b.filtering[1] && !b.filtering[2])
		return DEPENDENCE_UNKNOWN;
	for (int i = 0; i < 3; i++) {
		answer[i] = passes(v, server, &b, i, why);
		if (b.filtering[i])
			basis_add(basis, v->journal, b.filtering[i]);
	}
	if (was_answered(b.control))
		basis_add(basis, v->journal, b.control);
	return combine(answer[BATTERY_BOTH], answer[BATTERY_ADDRESS], answer[BATTERY_PORT], why);
}

void judge_filtering(const struct view *v, struct behaviour *out)
{
	int class[JOURNAL_SERVERS] = {0}, winner;
	const char *why = "no server that offers a second address (RFC 5780) could be used";

	if (!out->external_count)
		why = no_answer(out);
	for (size_t i = 0; i < v->journal->server_count; i++)
		if (server_in_view(v, i) && v->servers[i].filters)
			class[i] = (int)judge_battery(v, i, &out->filtering_basis, &why);
	if (!majority(class, JOURNAL_SERVERS, &winner))
		why = "the servers contradict each other";
	out->filtering = (enum dependence)winner;
	if (!winner)
		basis_text(&out->filtering_basis, "%s", why);
}
