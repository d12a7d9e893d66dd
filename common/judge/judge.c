// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "judge/private.h"

void basis_add(struct basis *b, const struct journal *j, const struct observation *o)
{
	size_t place = journal_place(j, o);

	for (size_t i = 0; i < b->evidence_count; i++)
		if (b->evidence[i] == place)
			return;
	if (o && b->evidence_count < BASIS_EVIDENCE)
		b->evidence[b->evidence_count++] = place;
}

void basis_text(struct basis *b, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(b->text, sizeof(b->text), format, arguments);
	va_end(arguments);
}

bool was_answered(const struct observation *o)
{
	return o && o->state == OBSERVATION_ANSWERED;
}

bool server_in_view(const struct view *v, size_t server)
{
	return server < v->journal->server_count &&
		v->journal->servers[server].endpoint.family == v->family &&
		v->servers[server].counts;
}

bool majority(const int *values, size_t count, int *winner)
{
	size_t best = 0, stated = 0;

	*winner = 0;
	for (size_t i = 0; i < count; i++) {
		size_t alike = 0;

		if (!values[i])
			continue;
		stated++;
		for (size_t k = 0; k < count; k++)
			alike += values[k] == values[i];
		if (alike > best) {
			best = alike;
			*winner = values[i];
		}
	}
	if (2 * best > stated || !stated)
		return true;
	*winner = 0;
	return false;
}

void battery_find(const struct journal *j, size_t server, struct battery *out)
{
	const struct observation **places[QUESTION_COUNT] = {
		[QUESTION_BINDING] = &out->binding,
		[QUESTION_FILTERING_BOTH] = &out->filtering[BATTERY_BOTH],
		[QUESTION_FILTERING_ADDRESS] = &out->filtering[BATTERY_ADDRESS],
		[QUESTION_FILTERING_PORT] = &out->filtering[BATTERY_PORT],
		[QUESTION_CONTROL] = &out->control,
		[QUESTION_EARLY_BASE] = &out->early_base,
		[QUESTION_EARLY_CHECK] = &out->early_check,
	};

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < j->observation_count; i++) {
		const struct observation *o = &j->observations[i];
		const struct endpoint *asked = &j->servers[server].endpoint;

		if (o->server != server)
			continue;
		if (o->question == QUESTION_MAPPING)
			out->mapping[!endpoint_same_address(&o->to, asked)
					? (o->to.port == asked->port ? BATTERY_ADDRESS : BATTERY_BOTH)
					: BATTERY_PORT] = o;
		else if (places[o->question] && !*places[o->question])
			*places[o->question] = o;
	}
}

static enum classic_class classify(const struct behaviour *b)
{
	if (b->status == PATH_BLOCKED)
		return CLASSIC_BLOCKED;
	if (b->nat == TRI_UNKNOWN || b->filtering == DEPENDENCE_UNKNOWN)
		return b->nat == TRI_YES && b->mapping > DEPENDENCE_ENDPOINT_INDEPENDENT
			? CLASSIC_SYMMETRIC
			: CLASSIC_UNKNOWN;
	if (b->nat == TRI_NO)
		return b->filtering == DEPENDENCE_ENDPOINT_INDEPENDENT ? CLASSIC_OPEN
								       : CLASSIC_SYMMETRIC_FIREWALL;
	if (b->mapping != DEPENDENCE_ENDPOINT_INDEPENDENT)
		return b->mapping == DEPENDENCE_UNKNOWN ? CLASSIC_UNKNOWN : CLASSIC_SYMMETRIC;
	switch (b->filtering) {
	case DEPENDENCE_ENDPOINT_INDEPENDENT:
		return CLASSIC_FULL_CONE;
	case DEPENDENCE_ADDRESS:
		return CLASSIC_RESTRICTED_CONE;
	case DEPENDENCE_ADDRESS_AND_PORT:
		return CLASSIC_PORT_RESTRICTED_CONE;
	default: /* RFC 3489 has no name for what depends on the port alone */
		return CLASSIC_UNKNOWN;
	}
}

static void judge_family(const struct journal *j, enum family family,
	struct server_verdict *servers, struct behaviour *out)
{
	struct view v = {j, servers, family};

	judge_quorum(j, family, servers);
	judge_path(&v, out);
	judge_mapping(&v, out);
	judge_filtering(&v, out);
	judge_ports(&v, out);
	judge_early(&v, out);
	judge_hairpin(&v, out);
	out->classic = classify(out);
}

void judge(const struct journal *j, struct verdict *out)
{
	memset(out, 0, sizeof(*out));
	judge_servers(j, out->servers);
	judge_family(j, FAMILY_IPV4, out->servers, &out->udp4);
	judge_family(j, FAMILY_IPV6, out->servers, &out->udp6);
}
