// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "judge/join.h"
#include "judge/reading_private.h"

/* --- whose the packets are --- */

static bool is_host(const struct reading *r, const struct endpoint *e)
{
	for (size_t i = 0; i < r->host_count; i++)
		if (endpoint_same_address(&r->hosts[i], e))
			return true;
	return false;
}

static void add_host(struct reading *r, const struct endpoint *e)
{
	if (e->family == FAMILY_NONE || is_host(r, e) || r->host_count == READING_HOSTS)
		return;
	r->hosts[r->host_count] = *e;
	r->hosts[r->host_count++].port = 0;
}

/* Where the capture says what left, that was this host. */
static void take_directions(const struct captured_list *l, struct reading *r)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->packets[i].way == WAY_OUT)
			add_host(r, &l->packets[i].from);
}

/* How many talks an address has a part in, and how many it has begun. */
struct candidate {
	struct endpoint address;
	size_t talks, begun;
};

#define CANDIDATES 256

static void count_candidate(
	struct candidate *all, size_t *count, const struct endpoint *e, bool begun)
{
	for (size_t i = 0; i < *count; i++)
		if (endpoint_same_address(&all[i].address, e)) {
			all[i].talks++;
			all[i].begun += begun;
			return;
		}
	if (*count < CANDIDATES)
		all[(*count)++] = (struct candidate){*e, 1, begun};
}

static bool is_better(const struct candidate *a, const struct candidate *b)
{
	if (a->talks != b->talks)
		return a->talks > b->talks;
	if (a->begun != b->begun)
		return a->begun > b->begun;
	return endpoint_is_private(&a->address) && !endpoint_is_private(&b->address);
}

/* The host that captures has a part in nearly all; with one talk only, it is the one that asked. */
static void guess_host(const struct captured_list *l, enum family family, struct reading *r)
{
	struct candidate all[CANDIDATES], *best = NULL;
	size_t count = 0;

	for (size_t i = 0; i < l->talk_count; i++) {
		const struct talk *t = &l->talks[i];

		if (t->ends[0].family != family)
			continue;
		count_candidate(all, &count, &t->ends[0], t->from[0].packets > 0);
		count_candidate(all, &count, &t->ends[1], false);
	}
	for (size_t i = 0; i < count; i++)
		if (!best || is_better(&all[i], best))
			best = &all[i];
	if (best)
		add_host(r, &best->address);
}

static bool has_family(const struct reading *r, enum family family)
{
	for (size_t i = 0; i < r->host_count; i++)
		if (r->hosts[i].family == family)
			return true;
	return false;
}

static void find_hosts(const struct captured_list *l, struct reading *r)
{
	static const enum family families[] = {FAMILY_IPV4, FAMILY_IPV6};

	take_directions(l, r);
	for (size_t i = 0; i < 2; i++) {
		size_t before = r->host_count;

		if (has_family(r, families[i]))
			continue;
		guess_host(l, families[i], r);
		r->guessed |= r->host_count > before;
	}
}

static void set_ways(struct captured_list *l, const struct reading *r)
{
	for (size_t i = 0; i < l->count; i++) {
		struct captured *c = &l->packets[i];

		if (c->way != WAY_UNKNOWN)
			continue;
		if (is_host(r, &c->from))
			c->way = WAY_OUT;
		else if (is_host(r, &c->to))
			c->way = WAY_IN;
	}
}

/* --- flows --- */

static enum flow_state state_of(const struct talk_way *out, const struct talk_way *in)
{
	unsigned heard = in->packets - in->resets;

	if (out->packets && heard)
		return FLOW_WORKS;
	if (heard)
		return FLOW_UNASKED;
	if (in->resets)
		return FLOW_RESET;
	if (out->error_count)
		return out->packets ? FLOW_REFUSED : FLOW_UNHEARD;
	return out->packets ? FLOW_SILENT : FLOW_UNHEARD;
}

/* A flow of TCP works when its handshake was answered, whatever came before that was captured. */
static void read_flow(const struct captured_list *l, size_t talk, const struct reading *r,
	struct reading_flow *out)
{
	const struct talk *t = &l->talks[talk];
	int local = !is_host(r, &t->ends[0]) && is_host(r, &t->ends[1]);
	const struct talk_way *sent = &t->from[local], *heard = &t->from[!local];

	*out = (struct reading_flow){.talk = talk,
		.local = local,
		.state = state_of(sent, heard),
		.stun = sent->requests || heard->requests || sent->answers || heard->answers,
		.heard_first = sent->packets && heard->packets && heard->first_us < sent->first_us};
}

static void read_flows(const struct captured_list *l, struct reading *r)
{
	for (size_t i = 0; i < l->talk_count; i++) {
		struct reading_flow flow;

		read_flow(l, i, r, &flow);
		r->states[flow.state]++;
		if (r->flow_count < READING_FLOWS)
			r->flows[r->flow_count++] = flow;
	}
}

/* --- mappings --- */

static struct reading_mapping *mapping_of(struct reading *r, const struct endpoint *local)
{
	for (size_t i = 0; i < r->mapping_count; i++)
		if (endpoint_equal(&r->mappings[i].local, local))
			return &r->mappings[i];
	if (r->mapping_count == READING_MAPPINGS)
		return NULL;
	r->mappings[r->mapping_count].local = *local;
	return &r->mappings[r->mapping_count++];
}

static void take_seen(struct reading_mapping *m, const struct captured *c)
{
	for (size_t i = 0; i < m->count; i++)
		if (endpoint_equal(&m->seen[i].server, &c->from) &&
			endpoint_equal(&m->seen[i].mapped, &c->mapped))
			return;
	if (m->count == READING_SEEN)
		return;
	m->seen[m->count].server = c->from;
	m->seen[m->count].mapped = c->mapped;
	m->seen[m->count++].packet = c->number;
}

/* Only an answer to what this host has asked names its endpoint. */
static void take_answer(const struct captured_list *l, const struct captured *c, struct reading *r)
{
	const struct captured *request = captured_find(l, c->about);
	struct reading_mapping *m;

	if (c->content != CONTENT_SUCCESS || c->way != WAY_IN || !request ||
		c->mapped.family == FAMILY_NONE)
		return;
	m = mapping_of(r, &c->to);
	if (!m)
		return;
	m->nat |= !endpoint_equal(&c->mapped, &c->to);
	if (endpoint_equal(&request->to, &c->from))
		take_seen(m, c);
	else
		m->changed = true;
}

/* By pairs of servers: another address, or only another port (RFC 4787 4.1). */
static void judge_mapping(struct reading_mapping *m)
{
	bool same_seen = false, by_address = false, by_port = false;

	for (size_t i = 0; i < m->count; i++)
		for (size_t k = 0; k < i; k++) {
			bool same = endpoint_equal(&m->seen[i].mapped, &m->seen[k].mapped);
			bool address =
				!endpoint_same_address(&m->seen[i].server, &m->seen[k].server);

			if (endpoint_equal(&m->seen[i].server, &m->seen[k].server))
				continue; /* the same server names two: the mapping was lost in between */
			same_seen |= same && address;
			by_address |= !same && address;
			by_port |= !same && !address;
		}
	if (by_port)
		m->mapping = by_address ? DEPENDENCE_ADDRESS_AND_PORT : DEPENDENCE_PORT;
	else if (by_address)
		m->mapping = DEPENDENCE_ADDRESS;
	else if (same_seen)
		m->mapping = DEPENDENCE_ENDPOINT_INDEPENDENT;
}

static void read_mappings(const struct captured_list *l, struct reading *r)
{
	for (size_t i = 0; i < l->count; i++)
		take_answer(l, &l->packets[i], r);
	for (size_t i = 0; i < r->mapping_count; i++)
		judge_mapping(&r->mappings[i]);
}

void reading_judge(struct captured_list *l, struct reading_flow *flows, struct reading *out)
{
	memset(out, 0, sizeof(*out));
	out->flows = flows;
	find_hosts(l, out);
	set_ways(l, out);
	join_alone(l);
	read_flows(l, out);
	read_mappings(l, out);
	reading_causes(l, out);
}

const char *flow_state_name(enum flow_state s)
{
	static const char *const names[FLOW_STATES] = {[FLOW_WORKS] = "works",
		[FLOW_SILENT] = "silent",
		[FLOW_REFUSED] = "refused",
		[FLOW_RESET] = "reset",
		[FLOW_UNASKED] = "unasked",
		[FLOW_UNHEARD] = "unheard"};

	return names[s];
}
