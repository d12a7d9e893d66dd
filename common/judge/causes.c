// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/causes_private.h"
#include "judge/private.h"

/* --- the list --- */

static bool is_same(const struct cause *c, enum cause_id id, const struct endpoint *device)
{
	bool nobody = c->device.family == FAMILY_NONE && device->family == FAMILY_NONE;

	return c->id == id && (nobody || endpoint_same_address(&c->device, device));
}

struct cause *causes_add(struct causes *out, enum cause_id id, enum certainty certainty,
	enum place where, const struct endpoint *device)
{
	static const struct endpoint nobody;
	struct cause *c;

	device = device ? device : &nobody;
	for (size_t i = 0; i < out->count; i++) {
		c = &out->list[i];
		if (is_same(c, id, device))
			return c->certainty == certainty ? c : NULL;
	}
	if (out->count == CAUSES_MAX)
		return NULL;
	c = &out->list[out->count++];
	*c = (struct cause){.id = id,
		.certainty = certainty,
		.where = where,
		.device = *device,
		.hops = CAUSE_HOPS_UNKNOWN};
	c->device.port = 0;
	return c;
}

void cause_packet(struct cause *c, uint32_t number)
{
	size_t at = c->packet_count;

	while (at > 0 && c->packets[at - 1] > number)
		at--;
	if (!number || c->packet_count == CAUSE_PACKETS || (at > 0 && c->packets[at - 1] == number))
		return;
	memmove(&c->packets[at + 1], &c->packets[at], (c->packet_count - at) * sizeof(*c->packets));
	c->packets[at] = number;
	c->packet_count++;
}

void cause_evidence(struct cause *c, size_t place)
{
	for (size_t i = 0; i < c->evidence_count; i++)
		if (c->evidence[i] == place)
			return;
	if (c->evidence_count < CAUSE_PACKETS)
		c->evidence[c->evidence_count++] = place;
}

void cause_text(char *text, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, size, format, arguments);
	va_end(arguments);
}

static int compare(const void *a, const void *b)
{
	const struct cause *x = a, *y = b;

	if (x->certainty != y->certainty)
		return x->certainty > y->certainty ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

void causes_sort(struct causes *out)
{
	qsort(out->list, out->count, sizeof(*out->list), compare);
}

/* What is merely possible is of interest where nothing better is known. */
void causes_settle(struct causes *out)
{
	size_t count = 0;

	causes_sort(out);
	while (count < out->count &&
		(out->list[count].certainty > CERTAINTY_POSSIBLE ||
			out->list[0].certainty == CERTAINTY_POSSIBLE))
		count++;
	out->count = count;
}

/* --- a run --- */

/* A server of this name that has answered, under the other family. */
static bool answers_otherwise(const struct cause_facts *f, const struct observation *o)
{
	const struct journal *j = f->journal;

	for (size_t i = 0; i < j->server_count; i++)
		if (f->verdict->servers[i].status == SERVER_OK &&
			j->servers[i].transport == o->transport &&
			!strcmp(j->servers[i].name, j->servers[o->server].name))
			return true;
	return false;
}

static bool is_local_failure(const struct observation *o)
{
	return o->icmp.count && o->icmp.local;
}

/* What a host without IPv6 cannot ask over IPv6 is no failure, when the same server answers over IPv4. */
static bool has_failed(const struct cause_facts *f, const struct observation *o)
{
	if (o->question != QUESTION_BINDING || o->server >= f->journal->server_count)
		return false;
	if (o->answers || f->verdict->servers[o->server].status == SERVER_OK)
		return false;
	if (o->state == OBSERVATION_OPEN || o->state == OBSERVATION_ABANDONED)
		return false;
	return !is_local_failure(o) || !answers_otherwise(f, o);
}

void judge_causes(const struct cause_facts *facts, struct causes *out)
{
	out->count = 0;
	for (size_t i = 0; i < facts->journal->observation_count; i++)
		if (has_failed(facts, &facts->journal->observations[i]))
			causes_of_question(facts, i, out);
	causes_of_run(facts, out);
	causes_settle(out);
}

static struct behaviour *behaviour_of(struct verdict *v, const struct observation *o)
{
	bool six = o->family == FAMILY_IPV6;

	if (o->transport == TRANSPORT_UDP)
		return six ? &v->udp6 : &v->udp4;
	if (o->transport == TRANSPORT_TCP)
		return six ? &v->tcp6 : &v->tcp4;
	return six ? &v->icmp6.common : &v->icmp4.common;
}

void judge_why(const struct causes *causes, const struct journal *j, struct verdict *v)
{
	for (size_t i = 0; i < causes->count; i++) {
		const struct cause *c = &causes->list[i];

		for (size_t n = 0; n < c->evidence_count && c->certainty > CERTAINTY_POSSIBLE;
			n++) {
			struct behaviour *b = behaviour_of(v, &j->observations[c->evidence[n]]);

			if (b && (b->status == PATH_UNREACHABLE || b->refused_here) && !*b->why)
				snprintf(b->why, sizeof(b->why), "%s", c->title);
		}
	}
}

/* --- words --- */

const char *cause_no_way(int error)
{
	switch (error) {
	case EACCES:
		return "a route prohibits it";
	case EINVAL:
		return "a route is a black hole";
	default:
		return strerror(error);
	}
}

const char *cause_name(enum cause_id id)
{
	static const char *const names[CAUSE_IDS] = {
		[CAUSE_LOCAL_FIREWALL_OUTPUT] = "local-firewall-output",
		[CAUSE_NO_ROUTE] = "no-route",
		[CAUSE_BAD_CHECKSUM] = "bad-checksum",
		[CAUSE_REVERSE_PATH_FILTER] = "reverse-path-filter",
		[CAUSE_LOCAL_FIREWALL_INPUT] = "local-firewall-input",
		[CAUSE_OTHER_WAY] = "other-way",
		[CAUSE_CAPTIVE_PORTAL] = "captive-portal",
		[CAUSE_PAYLOAD_REWRITTEN] = "payload-rewritten",
		[CAUSE_RESET_BY_NAT] = "reset-by-nat",
		[CAUSE_RESET_ON_PATH] = "reset-on-path",
		[CAUSE_RESET_BY_PEER_NAT] = "reset-by-peer-nat",
		[CAUSE_RESET_BY_PEER] = "reset-by-peer",
		[CAUSE_REFUSED_ON_PATH] = "refused-on-path",
		[CAUSE_UNREACHABLE] = "unreachable",
		[CAUSE_ROUTING_LOOP] = "routing-loop",
		[CAUSE_REFUSED_BY_SERVER] = "refused-by-server",
		[CAUSE_TABLE_FULL] = "table-full",
		[CAUSE_MTU_BLACK_HOLE] = "mtu-black-hole",
		[CAUSE_REMAP] = "remap",
		[CAUSE_WRONG_ORDER] = "wrong-order",
		[CAUSE_DEPENDENT_MAPPING] = "dependent-mapping",
		[CAUSE_BLOCKED_ON_PATH] = "blocked-on-path",
		[CAUSE_SERVER_SILENT] = "server-silent",
		[CAUSE_OTHER_ENDPOINT] = "other-endpoint",
		[CAUSE_LYING_SERVER] = "lying-server",
		[CAUSE_ICMP_BLOCKED] = "icmp-blocked",
		[CAUSE_DUPLICATES] = "duplicates"};

	return names[id];
}

const char *certainty_name(enum certainty c)
{
	return c == CERTAINTY_CERTAIN ? "certain" : c == CERTAINTY_LIKELY ? "likely" : "possible";
}

const char *place_name(enum place p)
{
	static const char *const names[] = {[PLACE_UNKNOWN] = "unknown",
		[PLACE_HOST] = "host",
		[PLACE_OWN_NAT] = "own-nat",
		[PLACE_PATH] = "path",
		[PLACE_SERVER] = "server",
		[PLACE_PEER_NAT] = "peer-nat",
		[PLACE_PEER] = "peer"};

	return names[p];
}
