// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judge/private.h"

/* Which external ports the NAT chooses (RFC 4787 4.2), and how many addresses it has (4.1). */

#define SAMPLES_MAX   128
#define RANGE_MAX     (2 * SAMPLES_MAX)
#define SAMPLES_MIN   8 /* fewer sockets say nothing about "always" or "never" */
#define SEQUENCE_STEP 64 /* larger steps are not called a sequence */
#define PORTS_ALL     64512.0 /* 1024 to 65535: what NATs choose from */
#define CONFIDENCE    0.95
#define ORDER_SIGMAS  3.5 /* eight ports that all rise are just beyond */

struct sample {
	uint64_t t_us;
	uint16_t internal, external;
	bool once; /* one request sufficed: the order of arrival is that of sending */
};

struct samples {
	struct sample all[SAMPLES_MAX];
	size_t count;
	size_t from_ports; /* the first so many are of QUESTION_PORTS, all towards one endpoint */
};

static bool tells_port(const struct observation *o)
{
	return was_answered(o) &&
		(o->question == QUESTION_PORTS || o->question == QUESTION_BINDING ||
			o->question == QUESTION_EARLY_BASE ||
			o->question == QUESTION_HAIRPIN_BASE || o->question == QUESTION_CALL_BASE);
}

static void add_sample(struct samples *s, const struct observation *o)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->all[i].internal == o->local.port)
			return; /* one socket counts once */
	if (s->count < SAMPLES_MAX)
		s->all[s->count++] = (struct sample){
			o->first_sent_us, o->local.port, o->answer.mapped.port, o->sent == 1};
}

static void collect(const struct view *v, struct behaviour *b, struct samples *s)
{
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < v->journal->observation_count; i++) {
			const struct observation *o = &v->journal->observations[i];

			if (o->family != v->family || !server_in_view(v, o->server) ||
				!tells_port(o) || (o->question == QUESTION_PORTS) == round)
				continue;
			add_sample(s, o);
			basis_add(&b->preservation_basis, v->journal, o);
		}
		if (!round)
			s->from_ports = s->count;
	}
	b->allocation_basis = b->preservation_basis;
}

static void judge_preservation(const struct samples *s, struct behaviour *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		kept += s->all[i].internal == s->all[i].external;
	/* one of many is chance: behind a NAT that draws ports it happens in one of 2500 runs */
	if (kept == 1 && s->count >= SAMPLES_MIN)
		kept = 0;
	if (kept && kept < s->count)
		b->port_preservation = SHARE_SOMETIMES;
	else if (s->count >= SAMPLES_MIN)
		b->port_preservation = kept ? SHARE_ALWAYS : SHARE_NEVER;
	else
		basis_text(&b->preservation_basis,
			"only %zu sockets were measured, and %s kept its port", s->count,
			kept ? "each" : "none");
	/* a few collisions with other hosts do not make a preserving NAT another one */
	if (s->count >= SAMPLES_MIN && 4 * kept >= 3 * s->count)
		b->allocation.pattern = ALLOCATION_PRESERVING;
}

/* --- sequences --- */

static int by_time(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->t_us > y->t_us) - (x->t_us < y->t_us);
}

static int step_between(const struct sample *a, const struct sample *b)
{
	return (int16_t)(uint16_t)(b->external - a->external);
}

/* The commonest step from one socket to the next, and how many of the steps are that one. */
static size_t commonest_step(const struct sample *s, size_t count, int *step)
{
	size_t best = 0;

	*step = 0;
	for (size_t i = 1; i < count; i++) {
		int candidate = step_between(&s[i - 1], &s[i]);
		size_t alike = 0;

		for (size_t k = 1; k < count; k++)
			alike += step_between(&s[k - 1], &s[k]) == candidate;
		if (alike > best) {
			best = alike;
			*step = candidate;
		}
	}
	return best;
}

/* In the order of sending; of all sockets, or only of those whose order of arrival is sure. */
static size_t in_order(const struct samples *s, bool only_sure, struct sample *ordered)
{
	size_t count = 0;

	for (size_t i = 0; i < s->from_ports; i++)
		if (s->all[i].once || !only_sure)
			ordered[count++] = s->all[i];
	qsort(ordered, count, sizeof(*ordered), by_time);
	return count;
}

/* Others use the NAT too and take ports in between: three steps of five have to be alike. */
static bool is_sequence(const struct sample *ordered, size_t count, struct behaviour *b)
{
	size_t alike;
	int step;

	if (count < SAMPLES_MIN)
		return false;
	alike = commonest_step(ordered, count, &step);
	if (!step || abs(step) > SEQUENCE_STEP || 5 * alike < 3 * (count - 1))
		return false;
	b->allocation.pattern = ALLOCATION_SEQUENTIAL;
	b->allocation.step = step;
	b->allocation.confidence = (double)alike / (double)(count - 1);
	return true;
}

/*
 * What was sent twice tells the order only if the answer was lost, not the request. Left out, it leaves a gap in
 * the first case; taken, it is out of order in the second.
 */
static bool judge_sequence(const struct samples *s, struct behaviour *b)
{
	struct sample ordered[SAMPLES_MAX];

	return is_sequence(ordered, in_order(s, true, ordered), b) ||
		is_sequence(ordered, in_order(s, false, ordered), b);
}

/*
 * Ports that rise, or fall, more often than chosen ones would: of n in any order, (n-1)/2 of the steps rise on the
 * average, with a variance of (n+1)/12.
 */
static bool have_order(const struct samples *s)
{
	struct sample ordered[SAMPLES_MAX];
	size_t count = in_order(s, true, ordered);
	double rising = 0;

	if (count < SAMPLES_MIN)
		count = in_order(s, false, ordered);
	if (count < SAMPLES_MIN)
		return false;
	for (size_t i = 1; i < count; i++)
		rising += ordered[i].external > ordered[i - 1].external;
	return fabs(rising - (double)(count - 1) / 2) >
		ORDER_SIGMAS * sqrt((double)(count + 1) / 12);
}

/* --- bands --- */

/*
 * n ports drawn evenly from a band are spread over R. By how many R the band goes beyond them on one side
 * is larger than c with the chance (1+c)^-(n-1), on both sides with (1+2c)^-(n-1). The c that both
 * sides stay below with the wanted confidence.
 */
static double margin(size_t n)
{
	double low = 0, high = 64, power = -(double)(n - 1);

	for (int i = 0; i < 60; i++) {
		double c = (low + high) / 2;
		double beyond = 2 * pow(1 + c, power) - pow(1 + 2 * c, power);

		if (beyond > 1 - CONFIDENCE)
			low = c;
		else
			high = c;
	}
	return high;
}

/* Ports that were seen, each once. */
struct range {
	uint16_t ports[RANGE_MAX];
	size_t count;
	int low, high;
};

static void range_add(struct range *r, uint16_t port)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->ports[i] == port)
			return;
	if (r->count == RANGE_MAX)
		return;
	r->low = !r->count || port < r->low ? port : r->low;
	r->high = !r->count || port > r->high ? port : r->high;
	r->ports[r->count++] = port;
}

/* Of one endpoint. A port that was kept was not chosen from the band. */
static void range_of_ports(const struct samples *s, struct range *out)
{
	*out = (struct range){.count = 0};
	for (size_t i = 0; i < s->from_ports; i++)
		if (s->all[i].external != s->all[i].internal)
			range_add(out, s->all[i].external);
}

/* With those that other endpoints have seen, of any socket. */
static void range_of_all(const struct view *v, struct range *r)
{
	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (o->family == v->family && server_in_view(v, o->server) && was_answered(o) &&
			o->answer.mapped.port != o->local.port)
			range_add(r, o->answer.mapped.port);
	}
}

/* How far the band goes beyond what was seen, on each side. */
static int extra_of(const struct range *r)
{
	return (int)(margin(r->count) * (r->high - r->low));
}

static void set_band(const struct range *r, struct behaviour *b)
{
	int low = r->low - extra_of(r), high = r->high + extra_of(r);

	b->allocation.pattern = ALLOCATION_BAND;
	b->allocation.confidence = CONFIDENCE;
	b->allocation.low = (uint16_t)(low < 1 ? 1 : low);
	b->allocation.high = (uint16_t)(high > UINT16_MAX ? UINT16_MAX : high);
}

/* The band of one endpoint; if others have seen nothing far beyond, it is theirs, too, and known better. */
static void judge_band(const struct view *v, const struct samples *s, struct behaviour *b)
{
	struct range one, all;

	range_of_ports(s, &one);
	if (one.count < SAMPLES_MIN)
		return;
	if (one.high - one.low + 2 * extra_of(&one) >= PORTS_ALL * 3 / 4) {
		b->allocation.pattern = ALLOCATION_RANDOM;
		b->allocation.confidence = CONFIDENCE;
		return;
	}
	set_band(&one, b);
	all = one;
	range_of_all(v, &all);
	if (all.high - all.low <= (b->allocation.high - b->allocation.low) * 3 / 2)
		set_band(&all, b);
}

/* --- parity and contiguity --- */

static void judge_parity(const struct samples *s, struct behaviour *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		kept += (s->all[i].internal & 1) == (s->all[i].external & 1);
	if (kept < s->count)
		b->allocation.parity = TRI_NO;
	else if (s->count >= 2 * SAMPLES_MIN)
		b->allocation.parity = TRI_YES; /* by chance: one in 65536 */
}

static void judge_contiguity(const struct samples *s, struct behaviour *b)
{
	size_t pairs = 0, kept = 0;

	for (size_t i = 0; i < s->from_ports; i++) {
		for (size_t k = 0; k < s->from_ports; k++) {
			const struct sample *even = &s->all[i], *odd = &s->all[k];

			if (even->internal & 1 || odd->internal != even->internal + 1)
				continue;
			pairs++;
			kept += odd->external == even->external + 1;
		}
	}
	if (kept < pairs)
		b->allocation.contiguity = TRI_NO;
	else if (pairs >= 4)
		b->allocation.contiguity = TRI_YES;
}

/* --- pooling --- */

/* The address that answers of this server show; false when they show several. */
static bool one_address(const struct view *v, size_t server, struct endpoint *address,
	struct basis *basis, size_t *sockets)
{
	bool alike = true;

	for (size_t i = 0; i < v->journal->observation_count; i++) {
		const struct observation *o = &v->journal->observations[i];

		if (o->server != server ||
			(!tells_port(o) &&
				(!was_answered(o) ||
					(o->question != QUESTION_MAPPING &&
						o->question != QUESTION_EARLY_CHECK))))
			continue;
		basis_add(basis, v->journal, o);
		*sockets += tells_port(o);
		if (address->family == FAMILY_NONE)
			*address = o->answer.mapped;
		else
			alike &= endpoint_same_address(address, &o->answer.mapped);
	}
	return alike;
}

static void judge_pooling(const struct view *v, struct behaviour *b)
{
	struct endpoint common = {0};
	bool servers_differ = false;
	size_t sockets = 0;

	for (size_t i = 0; i < v->journal->server_count; i++) {
		struct endpoint address = {0};

		if (!server_in_view(v, i))
			continue;
		if (!one_address(v, i, &address, &b->pooling_basis, &sockets)) {
			b->pooling = POOLING_ARBITRARY;
			return;
		}
		if (common.family == FAMILY_NONE)
			common = address;
		else
			servers_differ |= !endpoint_same_address(&common, &address);
	}
	if (servers_differ) /* several addresses, or one of the servers is wrong */
		basis_text(&b->pooling_basis, "servers see different external addresses");
	else if (sockets >= SAMPLES_MIN)
		b->pooling = POOLING_PAIRED;
	else
		basis_text(&b->pooling_basis, "only %zu sockets were measured", sockets);
}

void judge_ports(const struct view *v, struct behaviour *b)
{
	struct samples s;
	bool ordered = false;

	memset(&s, 0, sizeof(s));
	if (!b->external_count) {
		basis_text(&b->preservation_basis, "%s", no_answer(b));
		basis_text(&b->allocation_basis, "%s", no_answer(b));
		basis_text(&b->pooling_basis, "%s", no_answer(b));
		return;
	}
	collect(v, b, &s);
	judge_preservation(&s, b);
	if (b->allocation.pattern == ALLOCATION_UNKNOWN && !judge_sequence(&s, b)) {
		ordered = have_order(&s);
		if (!ordered)
			judge_band(v, &s, b);
	}
	judge_parity(&s, b);
	judge_contiguity(&s, b);
	b->allocation.samples = (unsigned)s.count;
	if (ordered)
		basis_text(&b->allocation_basis,
			"the ports follow each other, but too unevenly or too far apart");
	else if (b->allocation.pattern == ALLOCATION_UNKNOWN)
		basis_text(&b->allocation_basis, "only %zu sockets were measured", s.count);
	judge_pooling(v, b);
}
