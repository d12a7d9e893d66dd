// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

/*
 * What a NAT makes of one inside endpoint: from this host through its NAT to those who have seen it, and
 * to the peer behind its own NAT. Made from the document, which may come from a stranger.
 */

#define PICTURE_NODES 6 /* of one column */
#define PICTURE_EDGES 12

enum picture_column { PICTURE_INSIDE, PICTURE_OUTSIDE, PICTURE_FAR, PICTURE_COLUMNS };

/* NULL: an endpoint that nobody knows. */
struct picture_node {
	const json_t *endpoint;
	bool peer;
	bool guessed; /* its port is one of those that were tried */
};

struct picture_edge {
	size_t inside, outside, far; /* places of nodes */
	bool seen; /* an answer came back */
};

struct picture {
	const json_t *document, *block;
	const json_t *cause; /* the main one, where it is about this block; or NULL */
	bool punch, has_nat, no_nat; /* neither: it is not known */
	size_t count[PICTURE_COLUMNS];
	struct picture_node node[PICTURE_COLUMNS][PICTURE_NODES];
	size_t edges;
	struct picture_edge edge[PICTURE_EDGES];
	bool more; /* than there is room for */
};

/* Of one block of the document: transport "udp", family "ipv4". */
void picture_read(const json_t *document, const json_t *block, const char *transport,
	const char *family, struct picture *p);

/* As one svg element in HTML; name tells it from others of the same page. 0 or -ENOMEM. */
int picture_svg(const struct picture *p, const char *name, FILE *out);
