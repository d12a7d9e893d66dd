// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "simnet_private.h"

static bool port_free(const struct nat *n, uint16_t port)
{
	for (size_t i = 0; i < n->binding_count; i++)
		if (n->bindings[i].external.port == port)
			return false;
	return true;
}

static uint16_t choose_port(struct nat *n, uint16_t inside)
{
	uint16_t port = inside;

	if (n->config->ports == SIMNET_PORTS_SEQUENTIAL)
		return n->next_port++;
	if (n->config->ports == SIMNET_PORTS_KEPT && port_free(n, inside))
		return inside;
	while (port == inside || !port_free(n, port))
		port = (uint16_t)(1024 + random_below(n->random, 64512));
	return port;
}

/* Whether two destinations are the same to a rule of this kind. */
static bool alike(enum dependence kind, const struct endpoint *a, const struct endpoint *b)
{
	switch (kind) {
	case DEPENDENCE_ADDRESS:
		return endpoint_same_address(a, b);
	case DEPENDENCE_PORT:
		return a->port == b->port;
	case DEPENDENCE_ADDRESS_AND_PORT:
		return endpoint_equal(a, b);
	default:
		return true;
	}
}

static struct nat_binding *add_binding(
	struct nat *n, const struct endpoint *inside, const struct endpoint *to)
{
	struct nat_binding *b = &n->bindings[n->binding_count];

	memset(b, 0, sizeof(*b));
	b->inside = *inside;
	b->key = *to;
	if (n->config->mapping == DEPENDENCE_UNKNOWN) {
		b->external = *inside; /* no NAT */
	} else {
		b->external = n->address;
		b->external.port = choose_port(n, inside->port);
	}
	if (n->binding_count + 1 < NAT_BINDINGS)
		n->binding_count++;
	return b;
}

static struct nat_binding *find_binding(
	struct nat *n, const struct endpoint *inside, const struct endpoint *to)
{
	struct nat_binding *found = NULL;

	for (size_t i = 0; i < n->binding_count; i++) {
		struct nat_binding *b = &n->bindings[i];

		if (!endpoint_equal(&b->inside, inside))
			continue;
		if (b->flow ? endpoint_equal(&b->key, to) : alike(n->config->mapping, &b->key, to))
			found = b; /* the later one: a flow of its own comes before the mapping */
	}
	return found;
}

static bool was_early(
	const struct nat *n, const struct endpoint *external, const struct endpoint *from)
{
	for (size_t i = 0; i < n->early_count; i++)
		if (endpoint_equal(&n->early[i].external, external) &&
			endpoint_equal(&n->early[i].from, from))
			return true;
	return false;
}

struct endpoint nat_out(struct nat *n, const struct endpoint *inside, const struct endpoint *to)
{
	struct nat_binding *b = find_binding(n, inside, to);

	if (!b)
		b = add_binding(n, inside, to);
	if (n->config->early == EARLY_REMAP && !b->flow && was_early(n, &b->external, to)) {
		/* the entry of the early packet has taken the port towards that endpoint */
		b = add_binding(n, inside, to);
		b->flow = true;
	}
	for (size_t i = 0; i < b->peer_count; i++)
		if (endpoint_equal(&b->peers[i], to))
			return b->external;
	if (b->peer_count < NAT_PEERS)
		b->peers[b->peer_count++] = *to;
	return b->external;
}

bool nat_in(struct nat *n, const struct endpoint *from, const struct endpoint *external,
	struct endpoint *inside)
{
	for (size_t i = 0; i < n->binding_count; i++) {
		const struct nat_binding *b = &n->bindings[i];

		if (!endpoint_equal(&b->external, external))
			continue;
		for (size_t k = 0; k < b->peer_count; k++) {
			if (!alike(n->config->filtering, &b->peers[k], from))
				continue;
			*inside = b->inside;
			return true;
		}
	}
	if (n->early_count < NAT_BINDINGS) {
		n->early[n->early_count].external = *external;
		n->early[n->early_count++].from = *from;
	}
	return false;
}
