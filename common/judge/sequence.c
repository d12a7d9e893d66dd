// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "judge/private.h"

/*
 * Whether SYNs arrive with the sequence number that they left with. Of two SYNs that the first router has quoted the
 * numbers are known, and when they were chosen. Where their difference is that of a clock which counts every 64 ns
 * (Linux: secure_tcp_seq, the rest of it being the same between the same endpoints), the number of a third one is known
 * as exactly as the moment is when it was chosen.
 */

#define TICK_NS	  64
#define SLACK	  16 /* ticks: clocks are read with rounding */
#define SPAN_NS	  60000000000u /* a clock of 32 bits comes round after 274 s */
#define SYNS	  3
#define NOT_ASKED "no server that tells how SYNs arrive (natprobed) could be asked for it"

/* Whether b's number is a's and the time between. */
static bool follows(const struct handshake *a, uint32_t first, const struct handshake *b,
	uint32_t second, bool *known)
{
	uint64_t low, high;

	*known = b->since_ns >= a->until_ns && b->until_ns - a->since_ns < SPAN_NS;
	if (!*known)
		return false;
	low = (b->since_ns - a->until_ns) / TICK_NS;
	high = (b->until_ns - a->since_ns) / TICK_NS + SLACK;
	low = low > SLACK ? low - SLACK : 0;
	return second - first >= low && second - first <= high;
}

static size_t find(const struct view *v, size_t server, const struct observation *found[SYNS])
{
	size_t count = 0;

	for (size_t i = 0; i < v->journal->observation_count && count < SYNS; i++)
		if (v->journal->observations[i].server == server &&
			v->journal->observations[i].question == QUESTION_SEQUENCE)
			found[count++] = &v->journal->observations[i];
	return count;
}

static const char *why_not_quoted(const struct observation *o)
{
	if (was_answered(o))
		return "no router is on the way that would quote a SYN of this host";
	if (o->state == OBSERVATION_ABANDONED || o->state == OBSERVATION_OPEN)
		return "the run ended before";
	return o->icmp.count ? "this system does not show what routers quote of its SYNs"
			     : "no router says that the TTL of a SYN has run out";
}

/* Of one server: yes, no, or why it is not known. */
static enum tri judge_server(
	const struct view *v, size_t server, struct basis *basis, const char **why)
{
	const struct observation *o[SYNS];
	size_t count = find(v, server, o);
	bool known;

	for (size_t i = 0; i < count; i++)
		basis_add(basis, v->journal, o[i]);
	for (size_t i = 0; i < count && i < SYNS - 1; i++)
		if (!o[i]->handshake.quoted) {
			*why = why_not_quoted(o[i]);
			return TRI_UNKNOWN;
		}
	if (count < SYNS || !was_answered(o[2]) || !o[2]->answer.has_syn ||
		!(o[2]->answer.syn.parts & STUN_SYN_ARRIVED)) {
		if (count)
			*why = "the SYN that should arrive did not, or nothing was told of it";
		return TRI_UNKNOWN;
	}
	*why = "the sequence numbers of this system cannot be told by its clock";
	for (size_t i = 1; i < SYNS; i++)
		if (!endpoint_equal(&o[0]->local, &o[i]->local) ||
			!endpoint_equal(&o[0]->to, &o[i]->to))
			return TRI_UNKNOWN;
	if (!follows(&o[0]->handshake, o[0]->handshake.sequence, &o[1]->handshake,
		    o[1]->handshake.sequence, &known))
		return TRI_UNKNOWN;
	if (follows(&o[1]->handshake, o[1]->handshake.sequence, &o[2]->handshake,
		    o[2]->answer.syn.arrived.sequence, &known))
		return TRI_NO;
	return known ? TRI_YES : TRI_UNKNOWN;
}

void judge_sequence_numbers(const struct view *v, struct behaviour *b)
{
	struct basis *basis = &b->sequence_basis;
	const char *why = b->external_count ? NOT_ASKED : no_answer(b);

	for (size_t i = 0; i < v->journal->server_count && !b->sequence_rewriting; i++)
		if (server_in_view(v, i))
			b->sequence_rewriting = judge_server(v, i, basis, &why);
	if (!b->sequence_rewriting)
		basis_text(basis, "%s", why);
}
