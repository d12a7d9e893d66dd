// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "journal/silence.h"

#define AWAITED_MIN 4 /* fewer missing answers never prove silence */
#define RISK_MAX    1e-3
#define RISK_SPARE  2e-4
#define RISK_EARLY  1.1e-3

/* Requests that are repeated for copies, or get no answer by design, tell nothing about loss. */
static bool tells_loss(const struct observation *o)
{
	switch (o->question) {
	case QUESTION_BINDING:
	case QUESTION_MAPPING:
	case QUESTION_PORTS:
	case QUESTION_EARLY_BASE:
	case QUESTION_EARLY_CHECK:
	case QUESTION_HAIRPIN_BASE:
	case QUESTION_CONTROL:
	case QUESTION_ICMP_SERVICE:
	case QUESTION_ECHO:
		return o->state == OBSERVATION_ANSWERED;
	default:
		return false;
	}
}

void silence_loss(const struct journal *j, size_t server, unsigned *requests, unsigned *lost)
{
	*requests = *lost = 0;
	for (size_t i = 0; i < j->observation_count; i++) {
		const struct observation *o = &j->observations[i];

		if (o->server != server || !tells_loss(o))
			continue;
		*requests += o->sent;
		*lost += o->sent - (o->answers < o->sent ? o->answers : o->sent);
	}
}

/*
 * The rate of loss is itself only estimated: beginning as if one of nine had been lost, each further
 * loss makes the next one likelier (a Beta prior; the chance of `awaited` losses in a row).
 */
double silence_risk(unsigned requests, unsigned lost, unsigned awaited)
{
	double risk = 1;

	for (unsigned i = 0; i < awaited; i++)
		risk *= (lost + 1.0 + i) / (requests + 9.0 + i);
	return risk;
}

static bool is_proved(const struct journal *j, size_t server, unsigned awaited, double risk_max)
{
	unsigned requests, lost;

	silence_loss(j, server, &requests, &lost);
	return awaited >= AWAITED_MIN && silence_risk(requests, lost, awaited) <= risk_max;
}

bool silence_proved(const struct journal *j, size_t server, unsigned awaited)
{
	return is_proved(j, server, awaited, RISK_MAX);
}

bool silence_sufficient(const struct journal *j, size_t server, unsigned awaited, bool receipts)
{
	return is_proved(j, server, awaited, receipts ? RISK_SPARE : RISK_EARLY);
}
