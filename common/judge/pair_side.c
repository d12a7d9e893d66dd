// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "judge/findings_private.h"
#include "judge/pair_private.h"

/* What one side knows, from its verdict; and what the planner makes of it. */

#define PORT_LOW	1024
#define PORT_HIGH	65535
#define PACKETS_DEFAULT 2048
#define SOCKETS_DEFAULT 256 /* fits below the usual limit of 1024 open files */
#define RATE_DEFAULT	100 /* routers have broken down, and providers complained, at more */

/* One dependence that is known suffices; which of them it is does not matter then. */
static enum dependence mapping_of(const struct behaviour *b)
{
	if (finding_address_varies(b)) /* the peer need not see what a server saw */
		return DEPENDENCE_UNKNOWN;
	if (b->mapping == DEPENDENCE_UNKNOWN &&
		(b->mapping_by_address == TRI_YES || b->mapping_by_port == TRI_YES))
		return DEPENDENCE_ADDRESS_AND_PORT;
	return b->mapping;
}

/*
 * A band is measured towards one server. When another has seen a port somewhat beyond, it is wider than it looked; when
 * far beyond, peers do not get their ports from it.
 */
static bool widen_band(const struct behaviour *b, uint16_t *low, uint16_t *high)
{
	unsigned width = (unsigned)(*high - *low);

	for (size_t i = 0; i < b->external_count; i++) {
		uint16_t port = b->external[i].port;

		*low = port < *low ? port : *low;
		*high = port > *high ? port : *high;
	}
	return (unsigned)(*high - *low) <= width + width / 2;
}

static void allocation_from(const struct behaviour *b, struct pair_side *out)
{
	out->allocation = b->allocation.pattern;
	if (out->allocation == ALLOCATION_SEQUENTIAL)
		out->step = b->allocation.step;
	if (out->allocation != ALLOCATION_BAND)
		return;
	out->low = b->allocation.low;
	out->high = b->allocation.high;
	if (widen_band(b, &out->low, &out->high))
		return;
	out->allocation = ALLOCATION_RANDOM;
	out->low = out->high = 0;
}

void pair_side_from(const struct behaviour *b, struct pair_side *out)
{
	out->status = b->status;
	out->nat = TRI_UNKNOWN;
	out->mapping = out->filtering = DEPENDENCE_UNKNOWN;
	out->early = EARLY_UNKNOWN;
	out->allocation = ALLOCATION_UNKNOWN;
	out->step = 0;
	out->low = out->high = 0;
	out->parity = false;
	if (b->status != PATH_OK || finding_on_this_host(b))
		return;
	out->nat = b->nat;
	out->mapping = mapping_of(b);
	out->filtering = b->filtering;
	out->early = b->early;
	out->parity = b->allocation.parity == TRI_YES;
	allocation_from(b, out);
}

/* --- faces --- */

static enum tri dependent_of(const struct pair_side *s)
{
	if (s->nat == TRI_NO || s->mapping == DEPENDENCE_ENDPOINT_INDEPENDENT)
		return TRI_NO;
	return s->mapping == DEPENDENCE_UNKNOWN ? TRI_UNKNOWN : TRI_YES;
}

static enum pair_lets_in lets_in(const struct pair_side *s)
{
	switch (s->filtering) {
	case DEPENDENCE_ENDPOINT_INDEPENDENT:
		return PAIR_IN_ANY;
	case DEPENDENCE_ADDRESS:
		return PAIR_IN_ADDRESS;
	default: /* unknown: at worst; only on the port: the peer's port has to be right, too */
		return PAIR_IN_ENDPOINT;
	}
}

/* Only a NAT can give another port, and only if the box takes what it does not let in for itself. */
static enum tri moves(const struct pair_face *f)
{
	const struct pair_side *s = f->side;

	if (s->nat == TRI_NO || f->in == PAIR_IN_ANY || f->dependent == TRI_YES)
		return TRI_NO;
	if (s->early == EARLY_REMAP)
		return TRI_YES;
	return s->early == EARLY_UNKNOWN && f->in == PAIR_IN_ENDPOINT ? TRI_UNKNOWN : TRI_NO;
}

/* Parity that is kept halves a sequence: the step must not change it. */
static int step_of(const struct pair_side *s)
{
	bool known = s->allocation == ALLOCATION_SEQUENTIAL && s->step >= -PAIR_STEP_MAX &&
		s->step <= PAIR_STEP_MAX && s->step;
	int step = known ? s->step : 1;

	return s->parity && step % 2 ? 2 * step : step;
}

static void ports_of(struct pair_face *f)
{
	const struct pair_side *s = f->side;
	bool known = s->low && s->low <= s->high;

	f->low = known ? s->low : PORT_LOW;
	f->high = known ? s->high : PORT_HIGH;
	f->ports = (unsigned)(f->high - f->low) + 1;
	f->allocation = s->allocation;
	if (f->allocation == ALLOCATION_BAND && f->ports > PAIR_BAND_MAX)
		f->allocation = ALLOCATION_RANDOM;
}

static unsigned budget(uint32_t said, unsigned otherwise)
{
	if (!said)
		return otherwise;
	return said > PAIR_MANY ? PAIR_MANY : said;
}

void pair_face_of(const struct pair_side *side, struct pair_face *out)
{
	out->side = side;
	out->dependent = dependent_of(side);
	out->in = lets_in(side);
	out->moves = moves(out);
	out->step = step_of(side);
	ports_of(out);
	out->depth = side->depth > PAIR_DEPTH_MAX ? 0 : side->depth;
	out->unheard = side->status == PATH_UNREACHABLE;
	out->packets = budget(side->packets_max, PACKETS_DEFAULT);
	out->sockets = budget(side->sockets_max, SOCKETS_DEFAULT);
	out->rate = budget(side->rate_pps, RATE_DEFAULT);
}

#define VALUES 15

static void values_of(const struct pair_side *s, int64_t out[VALUES])
{
	const int64_t all[VALUES] = {s->status, s->nat, s->mapping, s->filtering, s->early,
		s->allocation, s->step, s->low, s->high, s->parity, s->depth, s->sync_error_us,
		s->packets_max, s->sockets_max, s->rate_pps};

	for (int i = 0; i < VALUES; i++)
		out[i] = all[i];
}

int pair_values_compare(const int64_t *a, const int64_t *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

int pair_side_compare(const struct pair_side *a, const struct pair_side *b)
{
	int64_t x[VALUES], y[VALUES];

	values_of(a, x);
	values_of(b, y);
	return pair_values_compare(x, y, VALUES);
}
