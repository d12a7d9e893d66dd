// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "report/page.h"
#include "report/text.h"

/*
 * The packets of a report as a ladder: who sent what to whom, from top to bottom in the order of their capture.
 * This host sees its own edge only. What happened beyond it is known as far as something that came back
 * tells, and is drawn as such. Made from the JSON document alone, which may come from a stranger.
 */

/* From this host outwards. Packets to a peer do not pass the server. */
enum ladder_place {
	LADDER_HOST,
	LADDER_OWN_NAT,
	LADDER_PATH,
	LADDER_SERVER,
	LADDER_PEER_NAT,
	LADDER_PEER,
	LADDER_PLACES
};

enum ladder_end {
	LADDER_ARRIVED, /* out: what came back proves it */
	LADDER_UNKNOWN, /* out: nothing tells how far it got */
	LADDER_FAILED, /* out: rejected on its way or at its end; in: captured, and no socket got it */
};

#define LADDER_ROWS	 60 /* at most, unless more packets are cited */
#define LADDER_PACKETS	 20000 /* of the document; more are a stranger's */
#define LADDER_ADDRESSES 8 /* of one place */

struct ladder_actor {
	bool present;
	bool more; /* than these addresses */
	bool ports_vary; /* of its one address */
	size_t addresses;
	const json_t *address[LADDER_ADDRESSES]; /* strings of the document */
	json_int_t port; /* of the first; 0: none */
};

struct ladder_row {
	const json_t *packet; /* NULL: packets that are not drawn */
	const json_t *asked; /* in: the packet that it is about; NULL: none, or not known */
	enum ladder_place from, to;
	enum ladder_end end;
	enum ladder_place
		stop; /* where it ends: `to`, unless something before that has rejected it */
	bool out;
	bool cited; /* by a cause */
	unsigned passed; /* a bit for each place that it passes on its way */
	unsigned long long n; /* 0: it has no number */
	double t_ms; /* negative: not known */
	size_t more; /* alike and folded into this row; packet NULL: so many are not drawn */
	unsigned long long last_n;
	double last_ms;
};

struct ladder {
	const json_t *document;
	bool punch; /* there is a peer */
	struct ladder_actor actor[LADDER_PLACES];
	size_t packets; /* that the document holds */
	size_t quiet; /* bare acknowledgments of TCP, which no row stands for */
	size_t row_count;
	struct ladder_row *rows;
};

/* The document has to outlive the ladder. 0 or -ENOMEM, then *out is NULL. */
int ladder_create(const json_t *document, struct ladder **out);
void ladder_destroy(struct ladder *ladder);

/* --- words: what both drawings write --- */

const char *ladder_place_name(const struct ladder *ladder, enum ladder_place place);
/* Adds addresses and what is known of its NAT; whether there was any. */
bool ladder_add_actor(const struct ladder *ladder, enum ladder_place place, struct line *l);
/* Adds what the packet means, and its far endpoint where that is not said by the column. */
void ladder_add_label(const struct ladder *ladder, const struct ladder_row *row, struct line *l);
/* Adds "37 more like it, to #81"; nothing when there are none. */
void ladder_add_more(const struct ladder_row *row, struct line *l);
/* Adds why there is nothing to draw, and what would change that. */
void ladder_add_nothing(const struct ladder *ladder, struct line *l);

/* --- drawings --- */

/* As text, as wide as the page. */
void ladder_text(const struct ladder *ladder, struct page *p);
/* As one svg element in HTML, whose numbers are links to "#p1". 0 or -ENOMEM. */
int ladder_svg(const struct ladder *ladder, FILE *out);

/* The ladder beside the report, as --explain has it. 0, -ENOMEM, or -EIO when out took not everything. */
int ladder_render(const json_t *document, const struct text_options *options, FILE *out);
