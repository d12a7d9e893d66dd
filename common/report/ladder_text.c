// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "report/ladder_private.h"
#include "report/terminal.h"

/* The ladder on a terminal: moment, number and arrow of each packet, and beside them what it is. */

#define INDENT	   2
#define TIME	   8 /* columns of a moment */
#define GAP_MIN	   3 /* between two lifelines */
#define GAP_MAX	   16
#define GAP_USUAL  6
#define BESIDE_MIN 20 /* columns of a label; with fewer it stands below */
#define BESIDE	   28 /* as many are wished for */
#define LINES_MAX  5 /* of one label */
#define DIAGRAM	   (GAP_MAX * LADDER_PLACES + 1)

enum cell {
	CELL_BLANK,
	CELL_LIFE,
	CELL_BREAK, /* of a lifeline */
	CELL_LINE,
	CELL_PASS, /* a lifeline whose device is passed */
	CELL_FROM_LEFT,
	CELL_FROM_RIGHT,
	CELL_TO_RIGHT,
	CELL_TO_LEFT,
	CELL_FAIL,
	CELL_UNSURE,
};

struct sheet {
	struct page *page;
	const struct ladder *ladder;
	size_t count; /* of those present */
	enum ladder_place place[LADDER_PLACES];
	size_t column[LADDER_PLACES]; /* of a place's lifeline */
	bool split; /* names of two words stand on two lines */
	size_t number; /* columns of "#12" */
	size_t prefix; /* columns in front of the diagram */
	size_t diagram;
	size_t beside; /* columns for the label; 0: it stands below */
};

/* --- measures --- */

static size_t number_columns(const struct ladder *ladder)
{
	unsigned long long largest = 1;
	size_t columns = 1;

	for (size_t i = 0; i < ladder->row_count; i++)
		if (ladder->rows[i].packet && ladder->rows[i].n > largest)
			largest = ladder->rows[i].n;
	for (; largest; largest /= 10)
		columns++;
	return columns;
}

/* The lower part of a name, "NAT" of "own NAT"; *length is that of the upper one, which may be 0. */
static const char *split_name(const struct sheet *s, size_t i, size_t *length)
{
	const char *name = ladder_place_name(s->ladder, s->place[i]), *space = strchr(name, ' ');

	*length = space && s->split ? (size_t)(space - name) : 0;
	return *length ? space + 1 : name;
}

static size_t name_columns(const struct sheet *s, size_t i)
{
	size_t upper, lower = strlen(split_name(s, i, &upper));

	return lower > upper ? lower : upper;
}

/* So that the names at both lifelines have two spaces between them. */
static size_t gap_for_names(const struct sheet *s, size_t i)
{
	size_t left = name_columns(s, i), right = name_columns(s, i + 1);

	return left - left / 2 + right / 2 + 2;
}

static void set_columns(struct sheet *s, size_t gap, bool for_names)
{
	size_t column = 0;

	for (size_t i = 0; i < s->count; i++) {
		size_t wanted;

		s->column[s->place[i]] = column;
		s->diagram = column + 1;
		if (i + 1 == s->count)
			break;
		wanted = for_names ? gap_for_names(s, i) : 0;
		column += wanted > gap ? wanted : gap;
	}
}

/* Whether whole names fit, each on one line. */
static bool names_fit(struct sheet *s)
{
	s->split = false;
	for (size_t i = 0; i + 1 < s->count; i++)
		if (s->column[s->place[i + 1]] - s->column[s->place[i]] < gap_for_names(s, i))
			return false;
	return true;
}

static size_t bounded(size_t value, size_t low, size_t high)
{
	return value < low ? low : value > high ? high : value;
}

static void measure(struct sheet *s)
{
	size_t width = s->page->width, gaps, room, label;

	for (enum ladder_place p = LADDER_HOST; p < LADDER_PLACES; p++)
		if (s->ladder->actor[p].present)
			s->place[s->count++] = p;
	gaps = s->count - 1; /* this host and the path are always there */
	s->number = number_columns(s->ladder);
	s->prefix = TIME + 1 + s->number + 2;
	room = width > s->prefix + 3 ? width - s->prefix - 3 : 0;
	label = bounded(room / 2, BESIDE, 60);
	s->split = true;
	set_columns(s,
		room > label ? bounded((room - label) / gaps, GAP_USUAL, GAP_MAX) : GAP_USUAL,
		true);
	if (s->diagram + BESIDE_MIN <= room + 1) {
		s->beside = room + 1 - s->diagram;
		s->split = !names_fit(s);
		return;
	}
	set_columns(s, bounded((room + 2) / gaps, GAP_MIN, GAP_MAX), false);
}

/* --- cells --- */

static void lifelines(const struct sheet *s, enum cell *cells, enum cell line)
{
	for (size_t i = 0; i < s->diagram; i++)
		cells[i] = CELL_BLANK;
	for (size_t i = 0; i < s->count; i++)
		cells[s->column[s->place[i]]] = line;
}

/* Where this host's own edge ends: what is drawn beyond has not been seen. */
static size_t edge(const struct sheet *s)
{
	return s->column[s->place[1]];
}

/* From this host to just before column `end`: solid at its own edge, then dashed. */
static void put_line(const struct sheet *s, enum cell *cells, size_t end)
{
	for (size_t c = 1; c < end; c++)
		if (c < edge(s) || (c - edge(s)) % 2 == 0)
			cells[c] = CELL_LINE;
		else
			cells[c] = CELL_BLANK;
}

static void put_passed(const struct sheet *s, enum cell *cells, const struct ladder_row *row)
{
	for (size_t i = 0; i < s->count; i++)
		if (row->passed & 1u << s->place[i])
			cells[s->column[s->place[i]]] = CELL_PASS;
}

static void arrow(const struct sheet *s, const struct ladder_row *row, enum cell *cells)
{
	size_t far = s->column[row->out ? row->stop : row->from];

	lifelines(s, cells, CELL_LIFE);
	if (row->end == LADDER_UNKNOWN)
		far = edge(s);
	if (far == 0) /* this host itself rejects */
		far = GAP_MIN;
	put_line(s, cells, far);
	put_passed(s, cells, row);
	if (row->out) {
		cells[0] = CELL_FROM_LEFT;
		cells[far - 1] = row->end == LADDER_FAILED ? CELL_FAIL : CELL_TO_RIGHT;
		if (row->end == LADDER_UNKNOWN) {
			cells[far - 2] = CELL_TO_RIGHT;
			cells[far - 1] = CELL_UNSURE;
		}
	} else {
		if (row->from != LADDER_HOST)
			cells[far] = CELL_FROM_RIGHT;
		cells[1] = row->end == LADDER_FAILED ? CELL_FAIL : CELL_TO_LEFT;
	}
}

static const char *glyph(const struct page *p, enum cell cell)
{
	static const char *const ascii[] = {" ", "|", ":", "-", "+", "|", "|", ">", "<", "X", "?"};
	static const char *const utf8[] = {
		" ",
		"\xe2\x94\x82", /* box drawings */
		"\xe2\x94\x8a",
		"\xe2\x94\x80",
		"\xe2\x94\xbc",
		"\xe2\x94\x9c",
		"\xe2\x94\xa4",
		"\xe2\x96\xba", /* pointers; triangles might become emoji */
		"\xe2\x97\x84",
		"\xe2\x9c\x97", /* ballot X */
		"?",
	};

	return p->options->utf8 ? utf8[cell] : ascii[cell];
}

static void put_cells(const struct sheet *s, const enum cell *cells)
{
	for (size_t i = 0; i < s->diagram; i++) {
		const char *text = glyph(s->page, cells[i]);

		page_print(s->page, text, strlen(text),
			cells[i] == CELL_FAIL ? STYLE_RED : STYLE_PLAIN);
	}
}

/* --- labels --- */

/* Text in lines beside the diagram, whose first line has its cells and has been begun. */
struct label {
	const struct sheet *sheet;
	size_t lines; /* already there */
};

static void begin_line(struct label *label)
{
	enum cell cells[DIAGRAM];

	if (label->lines++ == 0)
		return;
	fprintf(label->sheet->page->out, "%*s", (int)label->sheet->prefix, "");
	lifelines(label->sheet, cells, CELL_LIFE);
	put_cells(label->sheet, cells);
}

static void put_beside(struct label *label, const char *text, enum style style)
{
	struct page *p = label->sheet->page;
	const char *cut = p->options->utf8 ? "\xe2\x80\xa6" : "...";

	for (size_t i = 0; *text && i < LINES_MAX; i++) {
		bool last = i + 1 == LINES_MAX;
		size_t room = label->sheet->beside - (last ? strlen("...") : 0);
		const char *next;
		size_t bytes = terminal_fit(text, room, &next);

		begin_line(label);
		fputs("  ", p->out);
		page_print(p, text, bytes, style);
		fprintf(p->out, "%s\n", last && *next ? cut : "");
		text = next;
	}
}

static void put_text(struct label *label, const char *text, enum style style)
{
	if (!text || !*text)
		return;
	if (label->sheet->beside) {
		put_beside(label, text, style);
		return;
	}
	if (label->lines++ == 0)
		fputc('\n', label->sheet->page->out);
	page_put(label->sheet->page, TIME + 1, "", STYLE_PLAIN, text, style);
}

static char *more_text(struct page *p, const struct ladder_row *row)
{
	struct line l;

	if (!row->more)
		return NULL;
	line_begin(p, &l);
	line_add(&l, "%s ", p->options->utf8 ? "\xe2\x80\xa6" : "...");
	ladder_add_more(row, &l);
	return line_take(&l);
}

static char *label_text(const struct sheet *s, const struct ladder_row *row)
{
	struct line l;

	line_begin(s->page, &l);
	ladder_add_label(s->ladder, row, &l);
	return line_take(&l);
}

/* --- rows --- */

static void put_prefix(const struct sheet *s, const struct ladder_row *row)
{
	FILE *out = s->page->out;
	char number[32] = "-";

	if (row->t_ms >= 0 && row->t_ms < 99999.99)
		fprintf(out, "%*.2f ", TIME, row->t_ms);
	else if (row->t_ms >= 0 && row->t_ms < 99999999)
		fprintf(out, "%*.0f ", TIME, row->t_ms);
	else
		fprintf(out, "%*s ", TIME, "?");
	if (row->n)
		snprintf(number, sizeof(number), "#%llu", row->n);
	fprintf(out, "%*s", (int)(s->number - strlen(number)), "");
	page_print(s->page, number, strlen(number), row->cited ? STYLE_BOLD : STYLE_PLAIN);
	fputs(row->cited ? "* " : "  ", out);
}

static void put_gap(const struct sheet *s, const struct ladder_row *row)
{
	struct label label = {.sheet = s};
	char *text = more_text(s->page, row);
	enum cell cells[DIAGRAM];

	fprintf(s->page->out, "%*s", (int)s->prefix, "");
	lifelines(s, cells, CELL_BREAK);
	put_cells(s, cells);
	put_text(&label, text, STYLE_DIM);
	free(text);
}

static void put_row(const struct sheet *s, const struct ladder_row *row)
{
	struct label label = {.sheet = s};
	char *text = label_text(s, row), *more = more_text(s->page, row);
	enum cell cells[DIAGRAM];

	put_prefix(s, row);
	arrow(s, row, cells);
	put_cells(s, cells);
	put_text(&label, text, row->cited ? STYLE_BOLD : STYLE_PLAIN);
	put_text(&label, more, STYLE_DIM);
	if (!label.lines)
		fputc('\n', s->page->out);
	free(text);
	free(more);
}

/* --- the head --- */

/* One of the two lines of names, each above its lifeline. */
static void put_names(const struct sheet *s, bool upper)
{
	FILE *out = s->page->out;
	size_t at = 0;

	for (size_t i = 0; i < s->count; i++) {
		size_t length, middle = s->prefix + s->column[s->place[i]], start;
		const char *name = split_name(s, i, &length);

		if (upper)
			name = ladder_place_name(s->ladder, s->place[i]);
		else
			length = strlen(name);
		start = middle - length / 2;
		if (at && start <= at)
			start = at + 1;
		if (start + length > s->page->width) /* never, on any usual terminal */
			break;
		if (!length)
			continue;
		fprintf(out, "%*s", (int)(start - at), "");
		page_print(s->page, name, length, STYLE_BOLD);
		at = start + length;
	}
	fputc('\n', out);
}

static void put_head(const struct sheet *s)
{
	enum cell cells[DIAGRAM];

	if (s->split)
		put_names(s, true);
	put_names(s, false);
	fprintf(s->page->out, "%*s%*s", TIME, "ms", (int)(s->prefix - TIME), "");
	lifelines(s, cells, CELL_LIFE);
	put_cells(s, cells);
	fputc('\n', s->page->out);
}

static void put_actors(const struct sheet *s)
{
	for (size_t i = 0; i < s->count; i++) {
		char prefix[16];
		struct line l;

		snprintf(
			prefix, sizeof(prefix), "%-12s", ladder_place_name(s->ladder, s->place[i]));
		line_begin(s->page, &l);
		if (ladder_add_actor(s->ladder, s->place[i], &l))
			line_put(&l, INDENT, prefix, STYLE_BOLD, STYLE_PLAIN);
		else
			line_drop(&l);
	}
}

static void put_legend(struct page *p)
{
	const char *text = p->options->utf8
		? "\xe2\x94\x80\xe2\x94\x80 seen here, \xe2\x94\x80 \xe2\x94\x80 concluded, "
		  "\xe2\x9c\x97 ended there, ? unknown how far, * cited below"
		: "-- seen here, - - concluded, X ended there, ? unknown how far, * cited below";

	page_put(p, INDENT, "", STYLE_PLAIN, text, STYLE_DIM);
}

static void put_quiet(const struct ladder *ladder, struct page *p)
{
	struct line l;

	if (!ladder->quiet)
		return;
	line_begin(p, &l);
	line_add(&l, "%zu bare TCP %s not drawn", ladder->quiet,
		ladder->quiet == 1 ? "acknowledgment is" : "acknowledgments are");
	line_put(&l, INDENT, "", STYLE_PLAIN, STYLE_DIM);
}

static void put_missed(struct page *p, const json_t *document)
{
	unsigned long long missed = member_count(json_object_get(document, "capture"), "missed");
	struct line l;

	if (!missed)
		return;
	line_begin(p, &l);
	line_add(&l, "the capture has missed %llu %s: what is not drawn may have been there",
		missed, missed == 1 ? "packet" : "packets");
	line_put(&l, INDENT, "", STYLE_PLAIN, STYLE_YELLOW);
}

static void put_nothing(const struct ladder *ladder, struct page *p)
{
	struct line l;

	line_begin(p, &l);
	ladder_add_nothing(ladder, &l);
	line_put(&l, INDENT, "", STYLE_PLAIN, STYLE_PLAIN);
}

void ladder_text(const struct ladder *ladder, struct page *p)
{
	struct sheet s = {.page = p, .ladder = ladder};

	page_put(p, 0, "", STYLE_PLAIN, "packets", STYLE_BOLD);
	if (!ladder->row_count) {
		put_nothing(ladder, p);
		return;
	}
	measure(&s);
	put_actors(&s);
	put_legend(p);
	put_quiet(ladder, p);
	put_missed(p, ladder->document);
	page_gap(p);
	put_head(&s);
	for (size_t i = 0; i < ladder->row_count; i++) {
		if (ladder->rows[i].packet)
			put_row(&s, &ladder->rows[i]);
		else
			put_gap(&s, &ladder->rows[i]);
	}
}
