// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/probe.h"
#include "tools/natprobe/status.h"

const char *status_code(int status)
{
	static const char *const codes[] = {
		"done", "no-answer", "usage", "environment", "protocol", "partial"};

	return status >= 0 && status <= STATUS_PARTIAL ? codes[status] : "unknown";
}

struct tally {
	size_t total, answered, believed, unresolved, unroutable;
	int error; /* why there is no route */
};

static struct tally count(const struct journal *j, const struct verdict *v)
{
	struct tally t = {.total = j->server_count};

	for (size_t i = 0; i < j->server_count; i++) {
		/* what sends something else than answers is there, too */
		t.answered += v->servers[i].answer_at != JOURNAL_NONE ||
			v->servers[i].status == SERVER_MISBEHAVING;
		t.believed += v->servers[i].counts;
		t.unresolved += v->servers[i].status == SERVER_NOT_RESOLVED;
	}
	for (size_t i = 0; i < j->observation_count; i++) {
		const struct observation *o = &j->observations[i];
		int error = o->icmp.local ? o->icmp.error : 0;

		/* EPERM is a firewall of this host: that is a property of the path */
		if (o->question != QUESTION_BINDING || !error || error == EPERM || error == EACCES)
			continue;
		t.unroutable++;
		t.error = error;
	}
	return t;
}

/* "a (no answer to 5 requests), b (ICMP …)" */
static void list_servers(
	const struct journal *j, const struct verdict *v, char *message, size_t size)
{
	for (size_t i = 0; i < j->server_count; i++) {
		char text[ENDPOINT_TEXT];
		size_t n = strlen(message);
		const char *name = j->servers[i].name;

		if (j->servers[i].endpoint.family != FAMILY_NONE)
			name = endpoint_format(&j->servers[i].endpoint, text);
		snprintf(message + n, size - n, "%s%s (%s)", i ? ", " : "", name,
			v->servers[i].problem);
	}
}

static bool family_partial(const struct natprobe_params *p, const struct behaviour *b, bool only)
{
	if (b->status != PATH_OK)
		return only && b->status != PATH_BLOCKED;
	if (p->tests & PROBE_MAPPING && b->mapping == DEPENDENCE_UNKNOWN)
		return true;
	if (p->tests & PROBE_FILTERING && b->filtering == DEPENDENCE_UNKNOWN)
		return true;
	if (p->tests_named & PROBE_PORTS && b->allocation.pattern == ALLOCATION_UNKNOWN)
		return true;
	/* where the mapping depends on the destination there is nothing to ask */
	if (p->tests_named & PROBE_EARLY && b->early == EARLY_UNKNOWN &&
		b->mapping <= DEPENDENCE_ENDPOINT_INDEPENDENT)
		return true;
	return p->tests_named & PROBE_HAIRPIN && b->hairpin == TRI_UNKNOWN && b->nat != TRI_NO &&
		b->mapping <= DEPENDENCE_ENDPOINT_INDEPENDENT;
}

static bool tcp_partial(const struct natprobe_params *p, const struct behaviour *b, bool only)
{
	if (b->status != PATH_OK)
		return only;
	if (p->tests & PROBE_TCP && (!b->mapping || !b->filtering))
		return true;
	return p->tests_named & PROBE_TCP_HAIRPIN && b->hairpin == TRI_UNKNOWN &&
		b->nat != TRI_NO && b->mapping <= DEPENDENCE_ENDPOINT_INDEPENDENT;
}

/* Whether something that was asked for over TCP stayed unknown. */
static bool is_tcp_partial(const struct natprobe_params *p, const struct verdict *v)
{
	return p->tests & PROBE_ANY_TCP &&
		(tcp_partial(p, &v->tcp4, !p->ipv6) || tcp_partial(p, &v->tcp6, !p->ipv4) ||
			(v->tcp4.status != PATH_OK && v->tcp6.status != PATH_OK));
}

/* Without privileges, or without a server that serves it, not all can be known: only what was asked by name counts. */
static bool icmp_partial(const struct natprobe_params *p, const struct icmp_verdict *v, bool only)
{
	if (v->common.status != PATH_OK)
		return only;
	if (p->tests_named & PROBE_ICMP &&
		(v->echo == TRI_UNKNOWN || !v->common.mapping || !v->passing[ICMP_ABOUT_UDP]))
		return true;
	return p->tests_named & PROBE_ICMP_TIMER && !v->lasts_ms;
}

static bool is_icmp_partial(const struct natprobe_params *p, const struct verdict *v)
{
	return p->tests_named & PROBE_ANY_ICMP &&
		(icmp_partial(p, &v->icmp4, !p->ipv6) || icmp_partial(p, &v->icmp6, !p->ipv4) ||
			(v->icmp4.common.status != PATH_OK && v->icmp6.common.status != PATH_OK));
}

int status_of(const struct natprobe_params *p, const struct journal *j, const struct verdict *v,
	const struct run_result *result, char *message, size_t size)
{
	struct tally t = count(j, v);

	*message = '\0';
	if (result->signal) {
		snprintf(message, size, "interrupted: what is known so far");
		return 128 + result->signal;
	}
	if (result->error && !t.answered) {
		snprintf(message, size, "cannot open a socket: %s", strerror(-result->error));
		return STATUS_ENVIRONMENT;
	}
	if (!t.answered && t.unresolved + t.unroutable == t.total) {
		snprintf(message, size, "%s: ",
			t.unroutable ? strerror(t.error) : "no server name could be resolved");
		list_servers(j, v, message, size);
		return STATUS_ENVIRONMENT;
	}
	if (!t.answered) {
		snprintf(message, size, "no probe server answered: ");
		list_servers(j, v, message, size);
		return STATUS_NEGATIVE;
	}
	if (!t.believed) {
		snprintf(message, size, "no probe server can be believed: ");
		list_servers(j, v, message, size);
		return STATUS_PROTOCOL;
	}
	if (p->tests & PROBE_ANY_UDP &&
		(family_partial(p, &v->udp4, !p->ipv6) || family_partial(p, &v->udp6, !p->ipv4)))
		return STATUS_PARTIAL;
	if (is_tcp_partial(p, v) || is_icmp_partial(p, v))
		return STATUS_PARTIAL;
	return STATUS_DONE;
}
