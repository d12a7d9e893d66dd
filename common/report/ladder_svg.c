// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/ladder_private.h"
#include "report/markup.h"
#include "report/terminal.h"

/* The ladder as SVG. How it looks is said by classes; lengths are in pixels. */

#define WIDTH	    1000
#define TIME_X	    68 /* where moments end */
#define NUMBER_X    116 /* where numbers end */
#define FIRST_X	    158 /* lifeline of this host */
#define SPAN	    484 /* from the first lifeline to the last one */
#define GAP_MAX	    150
#define HEAD	    46 /* height of the names */
#define LINE	    17 /* height of one line of a label */
#define PAD	    9 /* of a row, above and below together */
#define COLUMN	    6.9 /* width of a character of a label, on the safe side */
#define LINES_MAX   4
#define NAME_WIDTH  84
#define NAME_HEIGHT 24

struct drawing {
	FILE *out;
	struct page page;
	const struct ladder *ladder;
	size_t count;
	enum ladder_place place[LADDER_PLACES];
	int x[LADDER_PLACES]; /* of a place's lifeline */
	int label_x;
	size_t label_columns;
	int height;
};

/* A label in lines. */
struct label {
	char *text, *more;
	size_t lines;
};

static void measure(struct drawing *d)
{
	int gap;

	for (enum ladder_place p = LADDER_HOST; p < LADDER_PLACES; p++)
		if (d->ladder->actor[p].present)
			d->place[d->count++] = p;
	gap = SPAN / (int)(d->count - 1); /* this host and the path are always there */
	if (gap > GAP_MAX)
		gap = GAP_MAX;
	for (size_t i = 0; i < d->count; i++)
		d->x[d->place[i]] = FIRST_X + (int)i * gap;
	d->label_x = FIRST_X + (int)(d->count - 1) * gap + 26;
	d->label_columns = (size_t)((WIDTH - d->label_x) / COLUMN);
}

/* --- labels --- */

static size_t count_lines(const struct drawing *d, const char *text)
{
	size_t lines = 0;

	for (; text && *text && lines < LINES_MAX; lines++)
		terminal_fit(text, d->label_columns, &text);
	return lines;
}

static void label_create(struct drawing *d, const struct ladder_row *row, struct label *label)
{
	struct line l;

	*label = (struct label){.text = NULL};
	if (row->packet) {
		line_begin(&d->page, &l);
		ladder_add_label(d->ladder, row, &l);
		label->text = line_take(&l);
	}
	if (row->more) {
		line_begin(&d->page, &l);
		line_add(&l, "\xe2\x80\xa6 ");
		ladder_add_more(row, &l);
		label->more = line_take(&l);
	}
	label->lines = count_lines(d, label->text) + count_lines(d, label->more);
	if (!label->lines)
		label->lines = 1;
}

static void label_destroy(struct label *label)
{
	free(label->text);
	free(label->more);
}

static int row_height(const struct label *label)
{
	return (int)label->lines * LINE + PAD;
}

static int put_lines(const struct drawing *d, const char *text, const char *class, int y)
{
	for (size_t i = 0; text && *text && i < LINES_MAX; i++, y += LINE) {
		const char *next;
		size_t bytes = terminal_fit(text, d->label_columns, &next);

		fprintf(d->out, "<text class=\"%s\" x=\"%d\" y=\"%d\">", class, d->label_x, y);
		markup_bytes(d->out, text, bytes);
		fprintf(d->out, "%s</text>\n", i + 1 == LINES_MAX && *next ? "\xe2\x80\xa6" : "");
		text = next;
	}
	return y;
}

/* --- arrows --- */

static void put_segment(const struct drawing *d, const char *class, int from, int to, int y)
{
	if (from != to)
		fprintf(d->out, "<path class=\"%s\" d=\"M%d %dH%d\"/>", class, from, y, to);
}

/* Points at x, in the direction of sign. */
static void put_head(const struct drawing *d, int x, int y, int sign)
{
	fprintf(d->out, "<path class=\"tip\" d=\"M%d %dl%d -5v10z\"/>", x, y, -sign * 9);
}

static void put_cross(const struct drawing *d, int x, int y)
{
	fprintf(d->out, "<path class=\"cross\" d=\"M%d %dl10 10m0 -10l-10 10\"/>", x - 5, y - 5);
}

static void put_dots(const struct drawing *d, const struct ladder_row *row, int y)
{
	for (size_t i = 0; i < d->count; i++)
		if (row->passed & 1u << d->place[i])
			fprintf(d->out, "<circle class=\"dot\" cx=\"%d\" cy=\"%d\" r=\"3\"/>",
				d->x[d->place[i]], y);
}

/* Where this host's own edge ends: what is drawn beyond has not been seen. */
static int edge(const struct drawing *d)
{
	return d->x[d->place[1]];
}

static void put_out(const struct drawing *d, const struct ladder_row *row, int y)
{
	int from = d->x[LADDER_HOST], to = d->x[row->stop], middle = (from + edge(d)) / 2;

	if (row->end == LADDER_UNKNOWN) {
		put_segment(d, "seen", from, middle + 10, y);
		put_head(d, middle + 14, y, 1);
		fprintf(d->out, "<text class=\"unsure\" x=\"%d\" y=\"%d\">?</text>", middle + 22,
			y + 5);
		return;
	}
	if (row->stop == LADDER_HOST) /* this host itself rejects */
		to = middle;
	put_segment(d, "seen", from, to < edge(d) ? to : edge(d), y);
	put_segment(d, "told", to < edge(d) ? to : edge(d), to - 8, y);
	put_dots(d, row, y);
	if (row->end == LADDER_FAILED)
		put_cross(d, to - 8, y);
	else
		put_head(d, to - 1, y, 1);
}

static void put_in(const struct drawing *d, const struct ladder_row *row, int y)
{
	int to = d->x[LADDER_HOST], from = d->x[row->from];

	if (row->from == LADDER_HOST)
		from = (to + edge(d)) / 2;
	put_segment(d, "told", from, from < edge(d) ? from : edge(d), y);
	put_segment(d, "seen", from < edge(d) ? from : edge(d),
		to + (row->end == LADDER_FAILED ? 12 : 8), y);
	put_dots(d, row, y);
	if (row->end == LADDER_FAILED)
		put_cross(d, to + 12, y);
	else
		put_head(d, to + 1, y, -1);
}

/* --- rows --- */

static const char *kind_class(const struct ladder_row *row)
{
	static const char *const classes[] = {"ours", "answer", "error", "peer", "stranger"};

	if (ladder_is_error(row->packet))
		return "error";
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (member_is(row->packet, "class", classes[i]))
			return classes[i];
	return "stranger";
}

static void put_moment(const struct drawing *d, const struct ladder_row *row, int y)
{
	if (row->t_ms >= 0 && row->t_ms < 1e8)
		fprintf(d->out, "<text class=\"moment\" x=\"%d\" y=\"%d\">%.*f</text>", TIME_X,
			y + 5, row->t_ms < 99999.99 ? 2 : 0, row->t_ms);
	if (row->n)
		fprintf(d->out,
			"<a href=\"#p%llu\"><text class=\"number\" x=\"%d\" "
			"y=\"%d\">#%llu</text></a>",
			row->n, NUMBER_X, y + 5, row->n);
	fputc('\n', d->out);
}

static void put_arrow(const struct drawing *d, const struct ladder_row *row, int y)
{
	put_moment(d, row, y);
	if (row->out)
		put_out(d, row, y);
	else
		put_in(d, row, y);
	fputc('\n', d->out);
}

static void put_mark(const struct drawing *d, int top, int height)
{
	fprintf(d->out, "<rect class=\"mark\" x=\"0\" y=\"%d\" width=\"%d\" height=\"%d\"/>", top,
		WIDTH, height);
}

/* Returns where the next row begins. */
static int put_row(struct drawing *d, const struct ladder_row *row, int top)
{
	int y = top + PAD / 2 + LINE / 2, text_y = top + PAD / 2 + 13, height;
	struct label label;

	label_create(d, row, &label);
	height = row_height(&label);
	if (row->packet) {
		fprintf(d->out, "<g class=\"row %s%s\">", kind_class(row),
			row->cited ? " cited" : "");
		if (row->cited)
			put_mark(d, top, height);
		put_arrow(d, row, y);
		text_y = put_lines(d, label.text, "label", text_y);
	} else {
		fputs("<g class=\"gap\">", d->out);
	}
	put_lines(d, label.more, "more", text_y);
	fputs("</g>\n", d->out);
	label_destroy(&label);
	return top + height;
}

static int rows_height(struct drawing *d)
{
	int height = 0;

	for (size_t i = 0; i < d->ladder->row_count; i++) {
		struct label label;

		label_create(d, &d->ladder->rows[i], &label);
		height += row_height(&label);
		label_destroy(&label);
	}
	return height;
}

static void put_lifelines(const struct drawing *d)
{
	for (size_t i = 0; i < d->count; i++) {
		int x = d->x[d->place[i]];

		fprintf(d->out,
			"<path class=\"life\" d=\"M%d %dV%d\"/><rect class=\"box\" x=\"%d\" "
			"y=\"6\" "
			"width=\"%d\" height=\"%d\" rx=\"5\"/><text class=\"name\" x=\"%d\" "
			"y=\"22\">",
			x, 6 + NAME_HEIGHT, d->height - 4, x - NAME_WIDTH / 2, NAME_WIDTH,
			NAME_HEIGHT, x);
		markup_text(d->out, ladder_place_name(d->ladder, d->place[i]));
		fputs("</text>\n", d->out);
	}
}

int ladder_svg(const struct ladder *ladder, FILE *out)
{
	struct drawing d = {.out = out, .ladder = ladder};
	int top = HEAD;

	markup_begin(&d.page, out);
	measure(&d);
	d.height = HEAD + rows_height(&d) + 8;
	fprintf(out,
		"<svg class=\"ladder\" viewBox=\"0 0 %d %d\" role=\"group\" "
		"aria-labelledby=\"ladder-name ladder-text\">\n"
		"<title id=\"ladder-name\">Ladder of packets</title>\n"
		"<desc id=\"ladder-text\">Time runs downwards. Each row is a packet between this "
		"host, "
		"at the left, and others; the table of packets says the same in words.</desc>\n",
		WIDTH, d.height);
	put_lifelines(&d);
	for (size_t i = 0; i < ladder->row_count; i++)
		top = put_row(&d, &ladder->rows[i], top);
	fputs("</svg>\n", out);
	return d.page.failed ? -ENOMEM : 0;
}
