// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdint.h>
#include <string.h>

#include "report/page.h"
#include "report/picture.h"

#define EVIDENCE_MAX 4096
#define PACKETS_MAX  4096
#define NONE	     SIZE_MAX

static bool same_endpoint(const json_t *a, const json_t *b)
{
	return json_equal(json_object_get(a, "address"), json_object_get(b, "address")) &&
		json_equal(json_object_get(a, "port"), json_object_get(b, "port"));
}

/* The place of the node, which may be new; NONE: no room. */
static size_t add_node(
	struct picture *p, enum picture_column column, const json_t *endpoint, bool peer)
{
	size_t count = p->count[column];

	for (size_t i = 0; i < count; i++) {
		const struct picture_node *node = &p->node[column][i];

		if (node->peer == peer && !node->endpoint == !endpoint &&
			(!endpoint || same_endpoint(node->endpoint, endpoint)))
			return i;
	}
	if (count == PICTURE_NODES) {
		p->more = true;
		return NONE;
	}
	p->node[column][count] = (struct picture_node){.endpoint = endpoint, .peer = peer};
	return p->count[column]++;
}

static void add_edge(struct picture *p, const struct picture_edge *edge)
{
	bool fits = edge->inside != NONE && edge->outside != NONE && edge->far != NONE;

	for (size_t i = 0; i < p->edges; i++) {
		const struct picture_edge *e = &p->edge[i];

		if (e->inside == edge->inside && e->outside == edge->outside && e->far == edge->far)
			return;
	}
	if (fits && p->edges < PICTURE_EDGES)
		p->edge[p->edges++] = *edge;
	else
		p->more = true;
}

static void add_flow(struct picture *p, const json_t *inside, const json_t *outside,
	const json_t *far, bool peer, bool seen)
{
	struct picture_edge edge = {.inside = add_node(p, PICTURE_INSIDE, inside, false),
		.outside = add_node(p, PICTURE_OUTSIDE, outside, false),
		.far = add_node(p, PICTURE_FAR, far, peer),
		.seen = seen};

	add_edge(p, &edge);
}

/* --- what the questions have shown --- */

static bool is_of_family(const json_t *endpoint, const char *family)
{
	const char *address = member_text(endpoint, "address");

	return address && !strchr(address, ':') == !strcmp(family, "ipv4");
}

/* Questions that tell what one inside endpoint becomes. */
static bool shows_mapping(const json_t *e, const char *transport, const char *family)
{
	static const char *const questions[] = {"binding", "mapping", "echo"};

	if (!member_is(e, "transport", transport) ||
		!is_of_family(json_object_get(e, "to"), family))
		return false;
	for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++)
		if (member_is(e, "question", questions[i]))
			return true;
	return false;
}

static const json_t *object_or_null(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_object(value) ? value : NULL;
}

static void read_evidence(struct picture *p, const char *transport, const char *family)
{
	const json_t *evidence = json_object_get(p->document, "evidence");

	for (size_t i = 0; i < json_array_size(evidence) && i < EVIDENCE_MAX; i++) {
		const json_t *e = json_array_get(evidence, i);
		const json_t *mapped = object_or_null(e, "mapped");

		if (shows_mapping(e, transport, family))
			add_flow(p, object_or_null(e, "local"), mapped, object_or_null(e, "to"),
				false, mapped);
	}
}

/* --- the peer --- */

/* Where packets of this host went to the peer; NULL: nowhere. */
static const json_t *tried_endpoint(const json_t *document)
{
	const json_t *packets = json_object_get(document, "packets");
	const json_t *server = json_object_get(document, "server");

	for (size_t i = 0; i < json_array_size(packets) && i < PACKETS_MAX; i++) {
		const json_t *packet = json_array_get(packets, i);
		const char *device = member_text(packet, "device");

		if (!member_is(packet, "direction", "in") || !device || strncmp(device, "peer", 4))
			continue;
		if (!json_equal(json_object_get(json_object_get(packet, "from"), "address"),
			    json_object_get(server, "address")))
			return object_or_null(packet, "from");
	}
	return NULL;
}

static void read_peer(struct picture *p)
{
	const json_t *d = p->document, *peer = object_or_null(d, "peer");
	bool connected = member_is(d, "outcome", "connected");
	const json_t *inside = object_or_null(d, "local");

	if (!inside && p->count[PICTURE_INSIDE])
		inside = p->node[PICTURE_INSIDE][0].endpoint;
	add_flow(p, inside, p->no_nat ? inside : object_or_null(d, "mapped"),
		peer ? peer : tried_endpoint(d), true, connected);
	for (size_t i = 0; i < p->count[PICTURE_FAR]; i++)
		p->node[PICTURE_FAR][i].guessed = p->node[PICTURE_FAR][i].peer && !peer;
}

void picture_read(const json_t *document, const json_t *block, const char *transport,
	const char *family, struct picture *p)
{
	const json_t *nat = json_object_get(block, "nat");
	const json_t *cause = json_array_get(json_object_get(document, "causes"), 0);

	*p = (struct picture){.document = document,
		.block = block,
		.punch = member_is(document, "format", "punch-report"),
		.has_nat = json_is_true(nat),
		.no_nat = json_is_false(nat)};
	if (p->punch ? !member_is(document, "outcome", "connected")
		     : !member_is(block, "status", "ok"))
		p->cause = cause;
	read_evidence(p, transport, family);
	if (p->punch)
		read_peer(p);
	if (!p->edges)
		add_flow(p, object_or_null(block, "local"),
			json_array_get(json_object_get(block, "external"), 0), NULL, false, false);
}
