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

bool server_is_of(
	const struct journal *j, size_t server, enum family family, enum transport transport)
{
	return server < j->server_count && j->servers[server].endpoint.family == family &&
		j->servers[server].transport == transport;
}

bool server_in_view(const struct view *v, size_t server)
{
	return server_is_of(v->journal, server, v->family, v->transport) &&
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

/* Which of the server's endpoints is meant, by what it differs in from the one first asked. */
static int target_of(const struct endpoint *asked, const struct endpoint *e)
{
	if (endpoint_same_address(asked, e))
		return BATTERY_PORT;
	return asked->port == e->port ? BATTERY_ADDRESS : BATTERY_BOTH;
}

/* Put later from the socket of a filtering question. */
static bool is_sequel(const struct observation *filtering, const struct observation *o)
{
	return filtering && filtering->socket == o->socket;
}

static void place_observation(
	const struct endpoint *asked, const struct observation *o, struct battery *out)
{
	switch (o->question) {
	case QUESTION_BINDING:
		out->binding = o;
		break;
	case QUESTION_MAPPING:
		out->mapping[target_of(asked, &o->to)] = o;
		break;
	case QUESTION_FILTERING_BOTH:
	case QUESTION_FILTERING_ADDRESS:
	case QUESTION_FILTERING_PORT:
		out->filtering[target_of(asked, &o->expect)] = o;
		break;
	case QUESTION_CONTROL:
		out->control[target_of(asked, &o->expect)] = o;
		break;
	case QUESTION_EARLY_CHECK:
		if (is_sequel(out->filtering[target_of(asked, &o->to)], o))
			out->early_check[target_of(asked, &o->to)] = o;
		break;
	case QUESTION_EARLY_BASE:
		for (int i = 0; i < BATTERY_TARGETS; i++)
			if (is_sequel(out->filtering[i], o))
				out->early_base[i] = o;
		break;
	default:
		break;
	}
}

void battery_find(const struct journal *j, size_t server, struct battery *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < j->observation_count; i++)
		if (j->observations[i].server == server)
			place_observation(&j->servers[server].endpoint, &j->observations[i], out);
}

bool battery_controlled(const struct battery *b)
{
	bool controlled = false;

	for (int i = 0; i < BATTERY_TARGETS; i++)
		controlled |= was_answered(b->control[i]);
	return controlled;
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

static void judge_family(const struct journal *j, enum family family, enum transport transport,
	struct server_verdict *servers, struct behaviour *out)
{
	struct view v = {j, servers, family, transport};

	out->transport = transport;
	judge_quorum(j, family, transport, servers);
	judge_path(&v, out);
	judge_mapping(&v, out);
	judge_ports(&v, out);
	if (transport == TRANSPORT_TCP) {
		judge_tcp(&v, out);
		judge_syn(&v, out);
		judge_sequence_numbers(&v, out);
		judge_rejecter(&v, out);
	} else {
		judge_filtering(&v, out);
		judge_early(&v, out);
		judge_hairpin(&v, out);
	}
	out->classic = classify(out);
}

static void judge_family_icmp(const struct journal *j, enum family family,
	struct server_verdict *servers, struct icmp_verdict *out)
{
	struct view v = {j, servers, family, TRANSPORT_ICMP};

	out->common.transport = TRANSPORT_ICMP;
	judge_quorum(j, family, TRANSPORT_ICMP, servers);
	judge_path(&v, &out->common);
	judge_icmp(&v, out);
}

void judge(const struct journal *j, struct verdict *out)
{
	memset(out, 0, sizeof(*out));
	judge_servers(j, out->servers);
	judge_family(j, FAMILY_IPV4, TRANSPORT_UDP, out->servers, &out->udp4);
	judge_family(j, FAMILY_IPV6, TRANSPORT_UDP, out->servers, &out->udp6);
	judge_family(j, FAMILY_IPV4, TRANSPORT_TCP, out->servers, &out->tcp4);
	judge_family(j, FAMILY_IPV6, TRANSPORT_TCP, out->servers, &out->tcp6);
	judge_family_icmp(j, FAMILY_IPV4, out->servers, &out->icmp4);
	judge_family_icmp(j, FAMILY_IPV6, out->servers, &out->icmp6);
}
