// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "judge/findings_private.h"

const char *severity_name(enum severity s)
{
	switch (s) {
	case SEVERITY_PROBLEM:
		return "problem";
	case SEVERITY_WARNING:
		return "warning";
	case SEVERITY_INFO:
		break;
	}
	return "info";
}

void finding_detail(struct finding *f, const char *format, ...)
{
	size_t used = strlen(f->detail);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(f->detail + used, sizeof(f->detail) - used, format, arguments);
	va_end(arguments);
}

void finding_evidence(struct finding *f, size_t place)
{
	for (size_t i = 0; i < f->evidence_count; i++)
		if (f->evidence[i] == place)
			return;
	if (f->evidence_count < BASIS_EVIDENCE)
		f->evidence[f->evidence_count++] = place;
}

bool finding_addresses_differ(const struct behaviour *b)
{
	for (size_t i = 1; i < b->external_count; i++)
		if (!endpoint_same_address(&b->external[0], &b->external[i]))
			return true;
	return false;
}

bool finding_address_varies(const struct behaviour *b)
{
	return b->nat == TRI_YES && b->mapping == DEPENDENCE_ENDPOINT_INDEPENDENT &&
		b->pooling == POOLING_ARBITRARY && finding_addresses_differ(b);
}

bool finding_on_this_host(const struct behaviour *b)
{
	return endpoint_is_loopback(&b->local) ||
		(b->external_count && endpoint_is_loopback(&b->external[0]));
}

const struct observation *finding_observation(const struct finding_view *view, size_t place)
{
	return place < view->j->observation_count ? &view->j->observations[place] : NULL;
}

void finding_mapped(const struct finding_view *view, const struct basis *basis, struct finding *f)
{
	char to[ENDPOINT_TEXT], mapped[ENDPOINT_TEXT];
	const char *between = "";

	for (size_t i = 0; i < basis->evidence_count; i++) {
		const struct observation *o = finding_observation(view, basis->evidence[i]);

		if (!o || !o->answers || o->answer.mapped.family == FAMILY_NONE)
			continue;
		endpoint_format(&o->to, to);
		endpoint_format(&o->answer.mapped, mapped);
		if (strlen(f->detail) + strlen(to) + strlen(mapped) + 12 > sizeof(f->detail)) {
			finding_detail(f, " ...");
			return;
		}
		finding_detail(f, "%s%s saw %s", between, to, mapped);
		between = ", ";
	}
}

static bool apply(const struct rule *r, const struct finding_view *view, struct finding *f)
{
	const struct basis *basis = r->basis ? r->basis(view->b) : NULL;

	memset(f, 0, sizeof(*f));
	f->id = r->id;
	f->severity = r->severity;
	f->advice = r->advice;
	f->reference = r->reference;
	snprintf(f->title, sizeof(f->title), "%s", r->title);
	snprintf(f->about, sizeof(f->about), "%s.ipv%d", transport_name(view->b->transport),
		view->family == FAMILY_IPV6 ? 6 : 4);
	if (!r->check(view, f))
		return false;
	for (size_t i = 0; basis && i < basis->evidence_count; i++)
		finding_evidence(f, basis->evidence[i]);
	return true;
}

static size_t find_family(const struct finding_view *view, struct finding *out, size_t count)
{
	static const struct {
		const struct rule *rules;
		const size_t *count;
		enum transport transport;
	} tables[] = {{path_rules, &path_rule_count, TRANSPORT_UDP},
		{port_rules, &port_rule_count, TRANSPORT_UDP},
		{unknown_rules, &unknown_rule_count, TRANSPORT_UDP},
		{tcp_rules, &tcp_rule_count, TRANSPORT_TCP},
		{unknown_rules, &unknown_rule_count, TRANSPORT_TCP},
		{icmp_rules, &icmp_rule_count, TRANSPORT_ICMP}};

	for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++) {
		if (tables[t].transport != view->b->transport)
			continue;
		for (size_t i = 0; i < *tables[t].count && count < FINDINGS_MAX; i++)
			if (apply(&tables[t].rules[i], view, &out[count]))
				count++;
	}
	return count;
}

/* Problems first; equal ones stay in the order of the rules. */
static void sort_by_severity(struct finding *out, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct finding f = out[i];
		size_t k = i;

		for (; k > 0 && out[k - 1].severity < f.severity; k--)
			out[k] = out[k - 1];
		out[k] = f;
	}
}

size_t judge_findings(
	const struct journal *j, const struct verdict *v, struct finding out[static FINDINGS_MAX])
{
	const struct finding_view ipv4 = {j, v, &v->udp4, FAMILY_IPV4, NULL};
	const struct finding_view ipv6 = {j, v, &v->udp6, FAMILY_IPV6, NULL};
	const struct finding_view tcp4 = {j, v, &v->tcp4, FAMILY_IPV4, NULL};
	const struct finding_view tcp6 = {j, v, &v->tcp6, FAMILY_IPV6, NULL};
	const struct finding_view icmp4 = {j, v, &v->icmp4.common, FAMILY_IPV4, &v->icmp4};
	const struct finding_view icmp6 = {j, v, &v->icmp6.common, FAMILY_IPV6, &v->icmp6};
	size_t count = 0;

	/* servers first, so that a full list never loses a liar; there are at most JOURNAL_SERVERS */
	for (size_t i = 0; i < j->server_count && count < FINDINGS_MAX; i++)
		if (finding_of_server(j, v, i, &out[count]))
			count++;
	count = find_family(&ipv4, out, count);
	count = find_family(&ipv6, out, count);
	count = find_family(&tcp4, out, count);
	count = find_family(&tcp6, out, count);
	count = find_family(&icmp4, out, count);
	count = find_family(&icmp6, out, count);
	sort_by_severity(out, count);
	return count;
}
