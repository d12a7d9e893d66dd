// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "journal/silence.h"
#include "judge/private.h"

/* RFC 5780 4.4, with all three changes asked: only so is a filter by port alone told apart. */

/* The external address towards the server's other address is another one: no control is possible. */
static bool address_differs(const struct battery *b)
{
	const struct observation *both = b->mapping[BATTERY_BOTH];

	return was_answered(both) &&
		!endpoint_same_address(&b->binding->answer.mapped, &both->answer.mapped);
}

/*
 * The question was asked, and an answer could have come back. With natprobed: receipts for this very
 * socket, the endpoint that should have sent is alive, and a changed answer came where it could come.
 * With others: this very socket has reached that endpoint, and got the changed answer then.
 */
static bool is_controlled(const struct battery *b, int target)
{
	if (b->filtering[target]->receipts)
		return was_answered(b->mapping[target]) &&
			(battery_controlled(b) || address_differs(b));
	return was_answered(b->early_check[target]) && was_answered(b->control[target]) &&
		b->control[target]->socket == b->filtering[target]->socket;
}

static enum tri passes(
	const struct view *v, size_t server, const struct battery *b, int target, const char **why)
{
	const struct observation *o = b->filtering[target];

	if (!o) {
		*why = "was not asked";
		return TRI_UNKNOWN;
	}
	if (was_answered(o))
		return TRI_YES;
	if (o->state != OBSERVATION_SILENT)
		*why = "the run ended before enough answers were missing";
	else if (!is_controlled(b, target))
		*why = "no changed answer came even where the path was open: the silence has no "
		       "control";
	else if (!silence_proved(v->journal, server, o->awaited))
		*why = "too few answers are missing to exclude loss";
	else
		return TRI_NO;
	return TRI_UNKNOWN;
}

enum dependence filtering_combine(enum tri both, enum tri address, enum tri port, const char **why)
{
	if (both == TRI_YES && address != TRI_NO && port != TRI_NO)
		return DEPENDENCE_ENDPOINT_INDEPENDENT;
	if (both == TRI_YES || (both == TRI_NO && address == TRI_YES && port == TRI_YES)) {
		*why = "the answers contradict each other: measure again";
		return DEPENDENCE_UNKNOWN;
	}
	if (address == TRI_UNKNOWN || port == TRI_UNKNOWN ||
		(address == TRI_YES && port == TRI_YES))
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
	if (!b.filtering[BATTERY_ADDRESS] || !b.filtering[BATTERY_PORT])
		return DEPENDENCE_UNKNOWN;
	for (int i = 0; i < BATTERY_TARGETS; i++) {
		/* of why, the last word is that of the two which decide */
		answer[i] = passes(v, server, &b, i, why);
		if (b.filtering[i])
			basis_add(basis, v->journal, b.filtering[i]);
		if (was_answered(b.control[i]))
			basis_add(basis, v->journal, b.control[i]);
	}
	return filtering_combine(
		answer[BATTERY_BOTH], answer[BATTERY_ADDRESS], answer[BATTERY_PORT], why);
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
