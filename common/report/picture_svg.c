// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/markup.h"
#include "report/picture.h"
#include "report/terminal.h"

/* The picture as SVG. How it looks is said by classes; lengths are in pixels. */

#define WIDTH	     960
#define TOP	     36 /* of the boxes, below their names */
#define ROW	     30
#define PEER_SPACE   44 /* between servers and the peer, for its name */
#define BODY_MIN     76
#define NOTE	     17 /* height of a line of notes */
#define NOTE_COLUMNS 32
#define CHARACTER    7.3 /* width, in an endpoint */

struct box {
	int left, right;
};

static const struct box host = {8, 196}, nat = {264, 464}, server = {716, 952},
			peer_nat = {560, 756}, peer = {812, 952};

struct drawing {
	FILE *out;
	struct page page;
	const struct picture *p;
	const char *name; /* of the picture */
	bool peer_nat;
	size_t servers; /* nodes that are no peer */
	int body; /* height of the boxes at the left */
};

static void measure(struct drawing *d)
{
	size_t count = d->p->count[PICTURE_FAR];

	for (size_t i = 0; i < count; i++)
		d->servers += !d->p->node[PICTURE_FAR][i].peer;
	d->body = (int)count * ROW + 16 + (d->servers < count ? PEER_SPACE : 0);
	if (d->body < BODY_MIN)
		d->body = BODY_MIN;
	d->peer_nat =
		json_is_true(json_object_get(json_object_get(d->p->document, "peer_nat"), "nat"));
}

/* Where the middle of a node is; as many nodes as at the far side stand opposite of them. */
static int node_y(const struct drawing *d, enum picture_column column, size_t i)
{
	size_t count = d->p->count[column], far = d->p->count[PICTURE_FAR];
	int space = d->servers < far ? PEER_SPACE : 0;

	if (count == far && far > 1)
		return TOP + 8 + (int)i * ROW + ROW / 2 + (i >= d->servers ? space : 0);
	return TOP + (int)(2 * i + 1) * d->body / (int)(2 * count);
}

/* --- boxes --- */

static void put_box(const struct drawing *d, const struct box *box, int top, int height,
	const char *class, const char *name)
{
	fprintf(d->out,
		"<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\"/>"
		"<text class=\"name\" x=\"%d\" y=\"%d\">%s</text>\n",
		class, box->left, top, box->right - box->left, height, (box->left + box->right) / 2,
		top - 9, name);
}

/* As much of the line as has room, which takes it. */
static void put_cut(struct drawing *d, struct line *l, size_t columns)
{
	char *text = line_take(l);
	const char *next;
	size_t bytes;

	if (!text)
		return;
	bytes = terminal_fit(text, terminal_columns(text) > columns ? columns - 1 : columns, &next);
	markup_bytes(d->out, text, bytes);
	fputs(*next ? "\xe2\x80\xa6" : "", d->out);
	free(text);
}

static void put_node(
	struct drawing *d, const struct box *box, int y, const struct picture_node *node)
{
	struct line l;

	line_begin(&d->page, &l);
	if (!node->endpoint) {
		line_add(&l, "not known");
	} else if (node->guessed) {
		line_add_string(&l, json_object_get(node->endpoint, "address"));
		line_add(&l, ", port ?");
	} else {
		line_add_endpoint(&l, node->endpoint);
	}
	fprintf(d->out, "<text class=\"%s\" x=\"%d\" y=\"%d\">",
		node->endpoint ? "endpoint" : "endpoint none", (box->left + box->right) / 2, y + 4);
	put_cut(d, &l, (size_t)((box->right - box->left - 14) / CHARACTER));
	fputs("</text>\n", d->out);
}

static void put_nodes(struct drawing *d, enum picture_column column, const struct box *box)
{
	for (size_t i = 0; i < d->p->count[column]; i++)
		put_node(d, box, node_y(d, column, i), &d->p->node[column][i]);
}

/* Behind its NAT the peer's own endpoint is not seen. */
static void put_peer(struct drawing *d, int y, const struct picture_node *node)
{
	int height = ROW + 12, top = y - height / 2;

	if (!d->peer_nat) {
		put_box(d, &server, top, height, "box", "peer");
		put_node(d, &server, y, node);
		return;
	}
	put_box(d, &peer_nat, top, height, "box nat", "peer's NAT");
	put_node(d, &peer_nat, y, node);
	put_box(d, &peer, top, height, "box", "peer");
	fprintf(d->out, "<text class=\"endpoint none\" x=\"%d\" y=\"%d\">behind it</text>\n",
		(peer.left + peer.right) / 2, y + 4);
}

static void put_far(struct drawing *d)
{
	size_t count = d->p->count[PICTURE_FAR];

	if (d->servers)
		put_box(d, &server, TOP, d->servers == count ? d->body : (int)d->servers * ROW + 16,
			"box", d->servers > 1 ? "servers" : "server");
	for (size_t i = 0; i < count; i++) {
		const struct picture_node *node = &d->p->node[PICTURE_FAR][i];

		if (node->peer)
			put_peer(d, node_y(d, PICTURE_FAR, i), node);
		else
			put_node(d, &server, node_y(d, PICTURE_FAR, i), node);
	}
}

/* --- lines --- */

static void put_curve(const struct drawing *d, bool seen, int from, int from_y, int to, int to_y)
{
	int bend = (to - from) / 2;

	fprintf(d->out, "<path class=\"%s\" d=\"M%d %dC%d %d %d %d %d %d\"/>",
		seen ? "flow" : "flow unseen", from, from_y, from + bend, from_y, to - bend, to_y,
		to, to_y);
}

static void put_tip(const struct drawing *d, int x, int y)
{
	fprintf(d->out, "<path class=\"tip\" d=\"M%d %dl-9 -5v10z\"/>", x, y);
}

static void put_cross(const struct drawing *d, int x, int y)
{
	fprintf(d->out,
		"<circle class=\"stop\" cx=\"%d\" cy=\"%d\" r=\"9\"/>"
		"<path class=\"cross\" d=\"M%d %dl8 8m0 -8l-8 8\"/>",
		x, y, x - 4, y - 4);
}

/* Where a flow stops, as the main cause says; at the left end of a line or at its right one. */
static void put_stop(const struct drawing *d, int from_y, int to, int to_y)
{
	const json_t *cause = d->p->cause;

	if (member_is(cause, "where", "host"))
		put_cross(d, host.right + 16, from_y);
	else if (member_is(cause, "where", "own-nat"))
		put_cross(d, nat.left - 16, from_y);
	else if (member_is(cause, "where", "path"))
		put_cross(d, to - 40, to_y);
	else if (member_is(cause, "where", "server") || member_is(cause, "where", "peer-nat") ||
		member_is(cause, "where", "peer"))
		put_cross(d, to - 16, to_y);
	else
		fprintf(d->out, "<text class=\"unsure\" x=\"%d\" y=\"%d\">?</text>", to - 28,
			to_y + 5);
}

static void put_edge(const struct drawing *d, const struct picture_edge *e)
{
	bool is_peer = d->p->node[PICTURE_FAR][e->far].peer;
	int inside_y = node_y(d, PICTURE_INSIDE, e->inside),
	    outside_y = node_y(d, PICTURE_OUTSIDE, e->outside),
	    far_y = node_y(d, PICTURE_FAR, e->far);
	int to = is_peer && d->peer_nat ? peer_nat.left : server.left;

	put_curve(d, e->seen, host.right, inside_y, nat.left, outside_y);
	put_curve(d, e->seen, nat.right, outside_y, to, far_y);
	if (is_peer && d->peer_nat)
		put_curve(d, e->seen, peer_nat.right, far_y, peer.left, far_y);
	if (e->seen) {
		put_tip(d, nat.left, outside_y);
		put_tip(d, to, far_y);
	} else if (is_peer == d->p->punch || d->p->cause) {
		put_stop(d, outside_y, to, far_y);
	}
	fputc('\n', d->out);
}

/* --- what is known of a NAT --- */

/* In this order, below the box. */
static const char *const notes[][2] = {
	{"mapping", "mapping"}, {"filtering", "filtering"}, {"early_packet", "early packets"}};

static bool is_known(const json_t *value)
{
	return json_is_string(value) && strcmp(json_string_value(value), "unknown");
}

/* Without an out it measures only. Returns the height. */
static int put_notes(struct drawing *d, FILE *out, const json_t *block, int x)
{
	int top = TOP + d->body + 22, y = top;

	for (size_t i = 0; i < sizeof(notes) / sizeof(*notes); i++) {
		const json_t *value = json_object_get(block, notes[i][0]);
		struct line l;

		if (!is_known(value))
			continue;
		y += 2 * NOTE;
		if (!out)
			continue;
		line_begin(&d->page, &l);
		line_add_string(&l, value);
		fprintf(out,
			"<text class=\"note\" x=\"%d\" y=\"%d\">%s</text>"
			"<text class=\"value\" x=\"%d\" y=\"%d\">",
			x, y - 2 * NOTE, notes[i][1], x, y - NOTE);
		put_cut(d, &l, NOTE_COLUMNS);
		fputs("</text>\n", out);
	}
	return y - top;
}

/* --- all --- */

static const char *nat_name(const struct picture *p)
{
	if (p->no_nat)
		return "no NAT";
	return p->has_nat ? "own NAT" : "NAT: not known";
}

static void put_head(const struct drawing *d, int height)
{
	fprintf(d->out,
		"<svg class=\"picture\" viewBox=\"0 0 %d %d\" role=\"img\" "
		"aria-labelledby=\"%s-title %s-desc\">\n<title id=\"%s-title\">Endpoints on the "
		"way</title>\n<desc id=\"%s-desc\">From this host through its NAT to those who saw "
		"it: %zu inside, %zu outside, %zu at the far side. The tables say the same in "
		"words.</desc>\n",
		WIDTH, height, d->name, d->name, d->name, d->name, d->p->count[PICTURE_INSIDE],
		d->p->count[PICTURE_OUTSIDE], d->p->count[PICTURE_FAR]);
}

static int height(struct drawing *d)
{
	int own = put_notes(d, NULL, d->p->block, 0);
	int other = d->peer_nat ? put_notes(d, NULL, json_object_get(d->p->document, "peer_nat"), 0)
				: 0;

	return TOP + d->body + 12 + (own > other ? own : other);
}

static void put_path(const struct drawing *d)
{
	int left = nat.right + 28, width = d->peer_nat ? 40 : server.left - left - 28;

	fprintf(d->out,
		"<rect class=\"path\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"14\"/>"
		"<text class=\"name\" x=\"%d\" y=\"%d\">path</text>\n",
		left, TOP, width, d->body, left + width / 2, TOP - 9);
}

int picture_svg(const struct picture *p, const char *name, FILE *out)
{
	struct drawing d = {.out = out, .p = p, .name = name};

	markup_begin(&d.page, out);
	measure(&d);
	put_head(&d, height(&d));
	put_path(&d);
	for (size_t i = 0; i < p->edges; i++)
		put_edge(&d, &p->edge[i]);
	put_box(&d, &host, TOP, d.body, "box", "this host");
	put_nodes(&d, PICTURE_INSIDE, &host);
	put_box(&d, &nat, TOP, d.body, p->no_nat ? "box none" : "box nat", nat_name(p));
	put_nodes(&d, PICTURE_OUTSIDE, &nat);
	put_far(&d);
	put_notes(&d, out, p->block, nat.left + 8);
	if (d.peer_nat)
		put_notes(&d, out, json_object_get(p->document, "peer_nat"), peer_nat.left + 8);
	fputs("</svg>\n", out);
	return d.page.failed ? -ENOMEM : 0;
}
