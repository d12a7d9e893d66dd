// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdlib.h>

#include "tools/natlab/network.h"

#define INDENT 2

static void print_addresses(const struct endpoint *list, size_t count, FILE *out)
{
	char text[ENDPOINT_TEXT];

	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s", i ? ", " : "", endpoint_format_address(&list[i], text));
}

static void print_inside(const struct topology_node *n, FILE *out)
{
	char text[ENDPOINT_TEXT];
	const char *separator = "; inside ";

	for (int i = 0; i < 2; i++) {
		const struct world_prefix *p = &n->node.inside[i];

		if (p->address.family == FAMILY_NONE)
			continue;
		fprintf(out, "%s%s/%u", separator, endpoint_format_address(&p->address, text),
			p->bits);
		separator = ", ";
	}
}

static void print_direction(const char *name, const struct link_config *l, FILE *out)
{
	fprintf(out, "%s%g ms", name, (double)l->delay_us / 1000);
	if (l->jitter_us)
		fprintf(out, " +%g ms", (double)l->jitter_us / 1000);
	if (l->loss > 0)
		fprintf(out, ", %g %% lost", l->loss * 100);
	if (l->rate_bps)
		fprintf(out, ", %g Mbit/s", (double)l->rate_bps / 1e6);
}

static void print_link(const struct world_link *l, FILE *out)
{
	fprintf(out, "; ");
	print_direction("up ", &l->up, out);
	print_direction(", down ", &l->down, out);
	if (l->hops)
		fprintf(out, ", %u hop%s", l->hops, l->hops > 1 ? "s" : "");
	if (l->mtu)
		fprintf(out, ", MTU %u", l->mtu);
}

static void print_node(const struct topology_node *n, int depth, FILE *out)
{
	fprintf(out, "%*s%s %s", depth * INDENT, "", n->node.kind == WORLD_HOST ? "host" : "nat",
		n->node.name);
	if (*n->kind)
		fprintf(out, " (%s)", n->kind);
	fputs(": ", out);
	if (n->node.kind == WORLD_HOST)
		print_addresses(n->node.addresses, n->node.address_count, out);
	else
		print_addresses(n->node.nat.external, n->node.nat.external_count, out);
	if (n->node.kind == WORLD_NAT)
		print_inside(n, out);
	print_link(&n->node.link, out);
	fputc('\n', out);
}

/* Nodes are behind earlier ones, so the depth is bounded by their number. */
static void print_below(const struct topology *t, int up, int depth, FILE *out)
{
	for (int i = up + 1; i <= topology_count(t); i++) {
		if (topology_at(t, i)->node.up != up)
			continue;
		print_node(topology_at(t, i), depth, out);
		print_below(t, i, depth + 1, out);
	}
}

void network_print(const struct topology *t, FILE *out)
{
	fputs("internet\n", out);
	print_below(t, 0, 1, out);
}

char *network_hosts_file(const struct topology *t)
{
	char *text = NULL, address[ENDPOINT_TEXT];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("127.0.0.1 localhost\n::1 localhost\n", out);
	for (int i = 1; i <= topology_count(t); i++) {
		const struct world_node *n = &topology_at(t, i)->node;

		for (size_t k = 0; n->kind == WORLD_HOST && k < n->address_count; k++)
			fprintf(out, "%s %s\n", endpoint_format_address(&n->addresses[k], address),
				n->name);
	}
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}
