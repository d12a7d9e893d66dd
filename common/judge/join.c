// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "judge/join.h"

/* A packet is captured a little before or after the event beside it is written down. */
#define EARLY_US 3000u
#define LATE_US	 200000u

/* --- requests of STUN by their transaction --- */

struct transactions {
	uint32_t *slots; /* place of the latest request + 1 */
	size_t mask;
};

static uint32_t hash_id(const struct stun_id *id)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < sizeof(id->bytes); i++)
		h = (h ^ id->bytes[i]) * 16777619u;
	return h;
}

#define ID_PROBES 64

static uint32_t *find_id(
	const struct transactions *t, const struct captured_list *l, const struct stun_id *id)
{
	uint32_t h = hash_id(id);

	for (uint32_t i = 0; t->slots && i < ID_PROBES; i++) {
		uint32_t *slot = &t->slots[(h + i) & t->mask];

		if (!*slot || stun_id_equal(&l->packets[*slot - 1].id, id))
			return slot;
	}
	return NULL;
}

/* Without memory nothing is joined by transactions. */
static void transactions_begin(struct transactions *t, const struct captured_list *l)
{
	size_t size = 64;

	while (size < 2 * l->count)
		size *= 2;
	t->slots = calloc(size, sizeof(*t->slots));
	t->mask = size - 1;
}

/* --- which packet belongs to which other one --- */

struct joiner {
	struct captured_list *l;
	const struct journal *j; /* or NULL */
	struct transactions ids;
	uint32_t *latest; /* by talk: number of the latest packet from its local end */
	size_t *first_observation; /* by talk, place + 1; … */
	size_t next_observation[JOURNAL_OBSERVATIONS]; /* … and the others of the same, place + 1 */
};

static uint8_t protocol_of(const struct observation *o)
{
	if (o->transport == TRANSPORT_TCP || o->question == QUESTION_TCP_CONTROL)
		return PACKET_TCP;
	if (o->transport == TRANSPORT_UDP)
		return PACKET_UDP;
	switch (o->detail.flow) {
	case ICMP_FLOW_TCP:
	case ICMP_FLOW_ATTEMPT:
		return PACKET_TCP;
	case ICMP_FLOW_ECHO:
		return PACKET_ECHO;
	default:
		return PACKET_UDP;
	}
}

/* A socket that is bound to no address has sent from the one that the route names. */
static bool is_any(const struct endpoint *e)
{
	const struct endpoint any = {.family = e->family};

	return endpoint_same_address(e, &any);
}

static bool is_local(const struct observation *o, const struct endpoint *e)
{
	return is_any(&o->local) ? o->local.family == e->family && o->local.port == e->port
				 : endpoint_equal(&o->local, e);
}

static bool is_talk_of(const struct talk *t, const struct observation *o)
{
	return t->protocol == protocol_of(o) &&
		((is_local(o, &t->ends[0]) && endpoint_equal(&t->ends[1], &o->to)) ||
			(is_local(o, &t->ends[1]) && endpoint_equal(&t->ends[0], &o->to)));
}

static size_t talk_of(const struct captured_list *l, const struct observation *o)
{
	if (!is_any(&o->local))
		return captured_talk(l, protocol_of(o), &o->local, &o->to);
	for (size_t i = 0; i < l->talk_count; i++)
		if (is_talk_of(&l->talks[i], o))
			return i;
	return CAPTURED_NONE;
}

/* Over loopback a packet may be seen coming in alone. */
static bool is_ours(const struct joiner *x, const struct captured *c)
{
	size_t n = c->talk != CAPTURED_NONE ? x->first_observation[c->talk] : 0;

	return c->way == WAY_OUT ||
		(n && c->content != CONTENT_ERROR &&
			is_local(&x->j->observations[n - 1], &c->from));
}

/* The one whose time it was; of several the latest that had begun. */
static size_t observation_at(const struct joiner *x, size_t talk, uint64_t t_us)
{
	size_t best = CAPTURED_NONE, first = CAPTURED_NONE;

	if (talk == CAPTURED_NONE)
		return CAPTURED_NONE;
	for (size_t n = x->first_observation[talk]; n; n = x->next_observation[n - 1]) {
		const struct observation *o = &x->j->observations[n - 1];

		first = n - 1;
		if (o->first_sent_us <= t_us + EARLY_US &&
			(best == CAPTURED_NONE ||
				o->first_sent_us > x->j->observations[best].first_sent_us))
			best = n - 1;
	}
	return best != CAPTURED_NONE ? best : first;
}

/* A call of the server, or an answer from where the question allows: its local end is one of ours. */
static size_t observation_expecting(const struct joiner *x, const struct captured *c)
{
	for (size_t i = 0; x->j && i < x->j->observation_count; i++) {
		const struct observation *o = &x->j->observations[i];

		if (is_local(o, &c->to) && endpoint_same_address(&o->expect, &c->from))
			return i;
	}
	return CAPTURED_NONE;
}

/* A request that left from here and comes in again: over loopback, or by way of a NAT that hairpins. */
static void join_return(struct captured *c, const struct captured *sent)
{
	c->copy = sent->copy;
	c->about = sent->number;
	c->observation = sent->observation;
}

static void join_request(struct joiner *x, size_t place, struct captured *c)
{
	uint32_t *slot = find_id(&x->ids, x->l, &c->id);
	const struct captured *before = slot && *slot ? &x->l->packets[*slot - 1] : NULL;

	c->copy = 1;
	if (!slot)
		return;
	if (before && before->way == WAY_OUT && c->way == WAY_IN) {
		join_return(c, before);
		return;
	}
	if (before) {
		c->copy = (uint16_t)(before->copy + 1);
		if (c->observation == CAPTURED_NONE)
			c->observation = before->observation;
	}
	*slot = (uint32_t)place + 1;
}

static void join_answer(struct joiner *x, struct captured *c)
{
	const uint32_t *slot = find_id(&x->ids, x->l, &c->id);
	struct captured *request = slot && *slot ? &x->l->packets[*slot - 1] : NULL;

	if (!request || !endpoint_equal(&request->from, &c->to))
		return;
	if (!request->answered)
		request->answered = c->number;
	c->about = request->number;
	c->observation = request->observation;
	if (!is_ours(x, c))
		c->class = CLASS_ANSWER;
}

static void mark_answered(const struct captured_list *l, const struct captured *answer)
{
	struct captured *asked = captured_find(l, answer->about);

	if (asked && !asked->answered)
		asked->answered = answer->number;
}

/* To one of our ports, but no answer of STUN: a SYN-ACK, an echo reply, a call, or a stranger. */
static void join_inbound(struct joiner *x, struct captured *c)
{
	if (c->talk != CAPTURED_NONE && x->latest[c->talk]) {
		c->class = CLASS_ANSWER;
		c->about = x->latest[c->talk];
		c->observation = observation_at(x, c->talk, c->t_us);
		mark_answered(x->l, c);
		return;
	}
	c->observation = observation_expecting(x, c);
	if (c->observation != CAPTURED_NONE)
		c->class = CLASS_ANSWER;
}

static void join_error(struct joiner *x, struct captured *c)
{
	if (c->talk == CAPTURED_NONE)
		return;
	c->observation = observation_at(x, c->talk, c->t_us);
	if (is_ours(x, c))
		return;
	c->about = x->latest[c->talk];
	if (c->about)
		c->class = CLASS_ERROR;
}

static void join_one(struct joiner *x, size_t place)
{
	struct captured *c = &x->l->packets[place];

	c->class = is_ours(x, c) ? CLASS_OURS : CLASS_STRANGER;
	if (is_ours(x, c) && c->content != CONTENT_ERROR) {
		c->observation = observation_at(x, c->talk, c->t_us);
		if (c->talk != CAPTURED_NONE)
			x->latest[c->talk] = c->number;
	}
	switch (c->content) {
	case CONTENT_REQUEST:
		join_request(x, place, c);
		break;
	case CONTENT_SUCCESS:
	case CONTENT_REFUSAL:
		join_answer(x, c);
		break;
	case CONTENT_ERROR:
		join_error(x, c);
		break;
	default:
		if (!is_ours(x, c))
			join_inbound(x, c);
		break;
	}
}

/* Each copy knows how many there were, and the latest one whether any was answered. */
static void number_copies(struct joiner *x)
{
	for (size_t i = 0; i < x->l->count; i++) {
		struct captured *c = &x->l->packets[i];
		const uint32_t *slot;
		const struct captured *latest;

		if (c->content != CONTENT_REQUEST)
			continue;
		slot = find_id(&x->ids, x->l, &c->id);
		latest = slot && *slot ? &x->l->packets[*slot - 1] : c;
		c->copies = latest->copy;
		if (!c->answered)
			c->answered = latest->answered;
	}
}

static int begin(struct joiner *x, struct captured_list *l, const struct journal *j)
{
	x->l = l;
	x->j = j;
	transactions_begin(&x->ids, l);
	x->latest = calloc(l->talk_count + 1, sizeof(*x->latest));
	x->first_observation = calloc(l->talk_count + 1, sizeof(*x->first_observation));
	return x->ids.slots && x->latest && x->first_observation ? 0 : -1;
}

static void end(struct joiner *x)
{
	free(x->ids.slots);
	free(x->latest);
	free(x->first_observation);
	free(x);
}

static void link_observations(struct joiner *x)
{
	for (size_t i = 0; i < x->j->observation_count; i++) {
		size_t talk = talk_of(x->l, &x->j->observations[i]);

		if (talk == CAPTURED_NONE)
			continue;
		x->next_observation[i] = x->first_observation[talk];
		x->first_observation[talk] = i + 1;
	}
}

/* --- delivery: what a socket has told beside what was captured --- */

static bool is_delivered(const struct event *e, const struct captured *c)
{
	return e->kind == EVENT_RECEIVED && endpoint_equal(&e->from, &c->from) &&
		(is_any(&e->to) ? e->to.port == c->to.port : endpoint_equal(&e->to, &c->to)) &&
		e->t_us + EARLY_US >= c->t_us && e->t_us <= c->t_us + LATE_US;
}

/*
 * Datagrams that came in while somebody waited for them. Of what comes after the question was settled nobody knows: its
 * socket may be closed.
 */
static bool is_awaited(const struct journal *j, const struct captured *c)
{
	const struct observation *o;

	if (c->class != CLASS_ANSWER || c->protocol != PACKET_UDP ||
		c->observation == CAPTURED_NONE)
		return false;
	o = &j->observations[c->observation];
	return !o->settled_us || c->t_us + EARLY_US < o->settled_us || o->answers;
}

/* Events and packets are both in the order of time: each event is used once. */
static void join_delivery(struct captured_list *l, const struct journal *j)
{
	bool *used = calloc(j->event_count + 1, sizeof(*used));
	size_t from = 0;

	for (size_t i = 0; used && i < l->count; i++) {
		struct captured *c = &l->packets[i];

		if (c->way != WAY_IN || !is_awaited(j, c))
			continue;
		while (from < j->event_count && j->events[from].t_us + EARLY_US < c->t_us)
			from++;
		for (size_t n = from; n < j->event_count && j->events[n].t_us <= c->t_us + LATE_US;
			n++) {
			if (used[n] || !is_delivered(&j->events[n], c))
				continue;
			used[n] = c->delivered = true;
			break;
		}
		c->delivery_known = true;
	}
	free(used);
}

void join_journal(struct captured_list *l, const struct journal *j)
{
	struct joiner *x = calloc(1, sizeof(*x));

	if (!x)
		return;
	if (!begin(x, l, j)) {
		link_observations(x);
		for (size_t i = 0; i < l->count; i++)
			join_one(x, i);
		number_copies(x);
		join_delivery(l, j);
	}
	end(x);
}

void join_alone(struct captured_list *l)
{
	struct joiner *x = calloc(1, sizeof(*x));

	if (!x)
		return;
	if (!begin(x, l, NULL)) {
		for (size_t i = 0; i < l->count; i++)
			join_one(x, i);
		number_copies(x);
	}
	end(x);
}

/* --- figures --- */

static void tally_ours(struct joined *t, const struct captured *c)
{
	if (c->content != CONTENT_REQUEST && c->content != CONTENT_SYN &&
		c->content != CONTENT_ECHO)
		return;
	t->left++;
	t->last_left = c->number;
	if (t->first_left)
		return;
	t->first_left = c->number;
	t->first_left_us = c->t_us;
	t->out_interface = c->interface;
}

static void tally_reset(struct joined *t, const struct captured *c)
{
	t->resets++;
	if (t->first_reset)
		return;
	t->first_reset = c->number;
	t->first_reset_us = c->t_us;
	t->reset_ttl = c->ttl;
	t->reset_interface = c->interface;
}

/* What comes when the question is settled meets no socket, or none that waits. */
static bool is_late(const struct observation *o, const struct captured *c)
{
	return o->state == OBSERVATION_SILENT && o->settled_us &&
		c->t_us + EARLY_US >= o->settled_us;
}

static void tally_answer(struct joined *t, const struct observation *o, const struct captured *c)
{
	if (c->content == CONTENT_RST) {
		tally_reset(t, c);
		return;
	}
	if (is_late(o, c))
		return;
	t->came++;
	t->whole += !c->checksum_wrong;
	t->delivered += c->delivered;
	if (t->first_came)
		return;
	t->first_came = c->number;
	t->first_came_us = c->t_us;
	t->came_ttl = c->ttl;
	t->came_from = c->from;
	t->in_interface = c->interface;
}

void join_tally(const struct captured_list *l, const struct journal *j, struct joined *out)
{
	for (size_t i = 0; i < j->observation_count; i++)
		out[i] = (struct joined){.out_interface = CAPTURED_INTERFACES,
			.in_interface = CAPTURED_INTERFACES,
			.reset_interface = CAPTURED_INTERFACES};
	for (size_t i = 0; i < l->count; i++) {
		const struct captured *c = &l->packets[i];
		struct joined *t;

		if (c->observation == CAPTURED_NONE || c->observation >= j->observation_count)
			continue;
		t = &out[c->observation];
		if (c->class == CLASS_OURS) {
			tally_ours(t, c);
		} else if (c->class == CLASS_ANSWER) {
			tally_answer(t, &j->observations[c->observation], c);
		} else if (c->class == CLASS_ERROR) {
			t->errors++;
			if (!t->first_error)
				t->first_error = c->number;
		}
	}
}
