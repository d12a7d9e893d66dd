// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/causes_private.h"
#include "judge/private.h"

/* What shows only in several questions, or in answers that did come. */

#define LATE_MIN 3 /* flows that had to fail in a row */

/* --- servers that are not to be believed --- */

static void add_liar(const struct cause_facts *f, size_t server, struct causes *out)
{
	const struct server_verdict *s = &f->verdict->servers[server];
	const struct journal_server *named = &f->journal->servers[server];
	struct cause *c;

	if ((s->status != SERVER_MISBEHAVING && !s->defects[DEFECT_DISAGREES]) ||
		s->answer_at >= f->journal->observation_count)
		return; /* without an answer it is told with its question */
	c = causes_add(out, CAUSE_LYING_SERVER, CERTAINTY_CERTAIN, PLACE_SERVER, &named->endpoint);
	if (!c)
		return;
	cause_text(c->title, sizeof(c->title), "A server contradicts itself or the others");
	cause_text(c->detail, sizeof(c->detail), "%s: %s.", named->name, s->problem);
	cause_text(c->advice, sizeof(c->advice),
		"Do not believe it: its answers are left out here. Name another server.");
	cause_evidence(c, s->answer_at);
	if (f->joined)
		cause_packet(c, f->joined[s->answer_at].first_came);
}

/* --- addresses inside of packets --- */

static void add_rewriting(
	const struct cause_facts *f, const struct behaviour *b, struct causes *out)
{
	struct cause *c;

	if (b->alg != TRI_YES)
		return;
	c = causes_add(out, CAUSE_PAYLOAD_REWRITTEN, CERTAINTY_CERTAIN, PLACE_PATH, NULL);
	if (!c)
		return;
	cause_text(c->title, sizeof(c->title),
		"Something on the way rewrites addresses inside of packets");
	cause_text(c->detail, sizeof(c->detail),
		"MAPPED-ADDRESS and XOR-MAPPED-ADDRESS of all servers' answers differ: the plain "
		"one "
		"was changed on the way.");
	cause_text(c->advice, sizeof(c->advice),
		"Switch off the application-layer gateway (ALG) of the router.");
	for (size_t i = 0; i < b->status_basis.evidence_count; i++) {
		size_t place = b->status_basis.evidence[i];

		cause_evidence(c, place);
		if (f->joined && place < f->journal->observation_count)
			cause_packet(c, f->joined[place].first_came);
	}
}

/* --- flows that begin when a table is full --- */

/* Whether the question opens a flow of its own, and an answer had to come whatever the NAT does. */
static bool opens_flow(const struct observation *o)
{
	switch (o->question) {
	case QUESTION_BINDING:
	case QUESTION_PORTS:
	case QUESTION_EARLY_BASE:
	case QUESTION_HAIRPIN_BASE:
		return true;
	case QUESTION_FILTERING_BOTH:
	case QUESTION_FILTERING_ADDRESS:
	case QUESTION_FILTERING_PORT:
		return o->receipts > 0 || o->state == OBSERVATION_SILENT;
	default:
		return false;
	}
}

static bool was_heard(const struct observation *o)
{
	return o->answers || o->receipts;
}

/* Of one server: flows that came through, all before those that did not. */
struct flows {
	unsigned heard, unheard;
	uint64_t last_heard_us, first_unheard_us;
	size_t first_unheard[LATE_MIN];
};

static void count_flows(const struct journal *j, size_t server, struct flows *out)
{
	*out = (struct flows){.first_unheard_us = UINT64_MAX};
	for (size_t i = 0; i < j->observation_count; i++) {
		const struct observation *o = &j->observations[i];

		if (o->server != server || o->transport != TRANSPORT_UDP || !o->sent ||
			!opens_flow(o) || o->state == OBSERVATION_OPEN ||
			o->state == OBSERVATION_ABANDONED)
			continue;
		if (was_heard(o)) {
			out->heard++;
			if (o->first_sent_us > out->last_heard_us)
				out->last_heard_us = o->first_sent_us;
			continue;
		}
		if (out->unheard < LATE_MIN)
			out->first_unheard[out->unheard] = i;
		out->unheard++;
		if (o->first_sent_us < out->first_unheard_us)
			out->first_unheard_us = o->first_sent_us;
	}
}

static void add_table(const struct cause_facts *f, size_t server, struct causes *out)
{
	struct flows flows;
	struct cause *c;

	count_flows(f->journal, server, &flows);
	if (!flows.heard || flows.unheard < LATE_MIN ||
		flows.first_unheard_us < flows.last_heard_us)
		return;
	c = causes_add(out, CAUSE_TABLE_FULL, CERTAINTY_LIKELY, PLACE_UNKNOWN, NULL);
	if (!c)
		return;
	cause_text(c->title, sizeof(c->title),
		"Flows that began first work, and later ones to the same server get nothing");
	cause_text(c->detail, sizeof(c->detail),
		"%u flows to %s were answered, then %u in a row that began later were not: a table "
		"of flows is full, or their rate is limited.",
		flows.heard, f->journal->servers[server].name, flows.unheard);
	cause_text(c->advice, sizeof(c->advice),
		"Look at the NAT's table (conntrack -C beside nf_conntrack_max) and at its "
		"limits.");
	for (unsigned i = 0; i < LATE_MIN; i++) {
		cause_evidence(c, flows.first_unheard[i]);
		if (f->joined)
			cause_packet(c, f->joined[flows.first_unheard[i]].first_left);
	}
}

/* --- packets that are too large for the path --- */

#define LARGER_MIN 64 /* bytes between those that pass and those that do not */

/* The longest request of each observation, as it was handed to the system. */
static void read_sizes(const struct journal *j, size_t *sizes)
{
	memset(sizes, 0, j->observation_count * sizeof(*sizes));
	for (size_t i = 0; i < j->event_count; i++) {
		const struct event *e = &j->events[i];

		if (e->kind == EVENT_SENT && e->observation < j->observation_count &&
			e->bytes > sizes[e->observation])
			sizes[e->observation] = e->bytes;
	}
}

struct sizes {
	size_t longest_heard, shortest_unheard;
	uint64_t last_heard_us, first_unheard_us;
	unsigned unheard;
	size_t examples[LATE_MIN];
};

static void count_sizes(
	const struct journal *j, size_t server, const size_t *sizes, struct sizes *out)
{
	*out = (struct sizes){.shortest_unheard = SIZE_MAX, .first_unheard_us = UINT64_MAX};
	for (size_t i = 0; i < j->observation_count; i++) {
		const struct observation *o = &j->observations[i];

		if (o->server != server || o->transport != TRANSPORT_UDP || !sizes[i] ||
			!opens_flow(o))
			continue;
		if (was_heard(o)) {
			if (sizes[i] > out->longest_heard)
				out->longest_heard = sizes[i];
			if (o->first_sent_us > out->last_heard_us)
				out->last_heard_us = o->first_sent_us;
			continue;
		}
		if (o->state != OBSERVATION_SILENT)
			continue;
		if (sizes[i] < out->shortest_unheard)
			out->shortest_unheard = sizes[i];
		if (o->first_sent_us < out->first_unheard_us)
			out->first_unheard_us = o->first_sent_us;
		if (out->unheard < LATE_MIN)
			out->examples[out->unheard] = i;
		out->unheard++;
	}
}

/* Long requests get nothing, and short ones that were sent later are answered: no table was full. */
static void add_black_hole(const struct cause_facts *f, size_t server, struct causes *out)
{
	size_t *sizes = calloc(JOURNAL_OBSERVATIONS, sizeof(*sizes));
	struct cause *c = NULL;
	struct sizes s;

	if (!sizes)
		return;
	read_sizes(f->journal, sizes);
	count_sizes(f->journal, server, sizes, &s);
	free(sizes);
	if (s.unheard >= LATE_MIN && s.longest_heard &&
		s.longest_heard + LARGER_MIN <= s.shortest_unheard &&
		s.last_heard_us > s.first_unheard_us)
		c = causes_add(out, CAUSE_MTU_BLACK_HOLE, CERTAINTY_LIKELY, PLACE_PATH, NULL);
	if (!c)
		return;
	cause_text(c->title, sizeof(c->title),
		"Large packets vanish on the way, small ones are answered");
	cause_text(c->detail, sizeof(c->detail),
		"Requests of up to %zu bytes to %s were answered, before and after %u of %zu bytes "
		"and more that were not; and no router has said that they are too big.",
		s.longest_heard, f->journal->servers[server].name, s.unheard, s.shortest_unheard);
	cause_text(c->advice, sizeof(c->advice),
		"Lower the MTU of this host, or let the router with the small one answer (RFC "
		"1191, "
		"RFC 8201).");
	for (unsigned i = 0; i < LATE_MIN; i++) {
		cause_evidence(c, s.examples[i]);
		if (f->joined)
			cause_packet(c, f->joined[s.examples[i]].first_left);
	}
}

/* --- ICMP --- */

/* Whether errors were sent, as the server says, and nothing of ICMP has ever come. */
static bool has_no_icmp(const struct journal *j, const struct icmp_verdict *v)
{
	const struct basis *basis = &v->passing_basis[ICMP_ABOUT_UDP];

	if (v->echo || v->quotes)
		return false;
	for (size_t i = 0; i < basis->evidence_count; i++) {
		const struct observation *o = &j->observations[basis->evidence[i]];

		if (o->state == OBSERVATION_SILENT && o->awaited)
			return true;
	}
	return false;
}

static void add_icmp(const struct cause_facts *f, const struct icmp_verdict *v, struct causes *out)
{
	const struct basis *basis = &v->passing_basis[ICMP_ABOUT_UDP];
	struct cause *c;

	if (v->passing[ICMP_ABOUT_UDP] != SHARE_NEVER && !has_no_icmp(f->journal, v))
		return;
	c = causes_add(out, CAUSE_ICMP_BLOCKED, CERTAINTY_LIKELY, PLACE_PATH, NULL);
	if (!c)
		return;
	cause_text(c->title, sizeof(c->title), "No ICMP error about a flow of this host gets in");
	cause_text(c->detail, sizeof(c->detail),
		"The server says that it has sent errors about UDP flows of this host, and not one "
		"has arrived.");
	cause_text(c->advice, sizeof(c->advice),
		"Let ICMP errors that belong to a flow pass (RFC 5508 REQ-4): path MTU discovery "
		"and "
		"traceroute need them.");
	for (size_t i = 0; i < basis->evidence_count; i++) {
		cause_evidence(c, basis->evidence[i]);
		if (f->joined)
			cause_packet(c, f->joined[basis->evidence[i]].first_left);
	}
}

/* --- copies --- */

#define MULTIPLIED_MIN 3 /* questions, and most of all */

/* One answer is due for each request. */
static bool is_single(const struct observation *o)
{
	switch (o->question) {
	case QUESTION_BINDING:
	case QUESTION_MAPPING:
	case QUESTION_PORTS:
		return o->transport == TRANSPORT_UDP && o->answers;
	default:
		return false;
	}
}

static bool is_multiplied(const struct observation *o)
{
	return is_single(o) && o->answers > o->sent;
}

static void add_duplicates(const struct cause_facts *f, struct causes *out)
{
	unsigned questions = 0, more = 0, all = 0;
	struct cause *c = NULL;

	for (size_t i = 0; i < f->journal->observation_count; i++) {
		const struct observation *o = &f->journal->observations[i];

		all += is_single(o);
		if (!is_multiplied(o))
			continue;
		questions++;
		more += o->answers - o->sent;
	}
	if (questions >= MULTIPLIED_MIN && 2 * questions > all)
		c = causes_add(out, CAUSE_DUPLICATES, CERTAINTY_CERTAIN, PLACE_UNKNOWN, NULL);
	if (!c)
		return;
	cause_text(c->title, sizeof(c->title), "Answers arrive several times");
	cause_text(c->detail, sizeof(c->detail),
		"%u answers more than requests, to %u questions: the network or the server repeats "
		"packets.",
		more, questions);
	for (size_t i = 0; i < f->journal->observation_count; i++)
		if (is_multiplied(&f->journal->observations[i])) {
			cause_evidence(c, i);
			if (f->joined)
				cause_packet(c, f->joined[i].first_came);
		}
}

void causes_of_run(const struct cause_facts *facts, struct causes *out)
{
	const struct verdict *v = facts->verdict;

	for (size_t i = 0; i < facts->journal->server_count; i++) {
		add_liar(facts, i, out);
		add_table(facts, i, out);
		add_black_hole(facts, i, out);
	}
	add_rewriting(facts, &v->udp4, out);
	add_rewriting(facts, &v->udp6, out);
	add_rewriting(facts, &v->tcp4, out);
	add_rewriting(facts, &v->tcp6, out);
	add_icmp(facts, &v->icmp4, out);
	add_icmp(facts, &v->icmp6, out);
	add_duplicates(facts, out);
}
