// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/ladder_private.h"

/* Packets are folded into one of so many rows before them. */
#define RECENT 12

#define QUIET  SIZE_MAX /* the row of a packet that none stands for */

/* --- alike --- */

/* FNV-1a: two packets that a stranger has made collide are drawn as alike, and no worse. */
static uint64_t mix(uint64_t hash, const void *data, size_t length)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
	return mix(hash, text ? text : "", text ? strlen(text) + 1 : 1);
}

/* "copy 2 of 3" is like "copy 3 of 3". */
static uint64_t mix_meaning(uint64_t hash, const char *text)
{
	for (; text && *text; text++) {
		bool digit = *text >= '0' && *text <= '9';

		if (!digit || text[1] < '0' || text[1] > '9')
			hash = mix(hash, digit ? "0" : text, 1);
	}
	return mix(hash, "", 1);
}

static uint64_t kind_of(const struct ladder_seen *s, const struct ladder_row *drawn)
{
	const json_t *flags = json_object_get(s->packet, "flags");
	int shape[] = {drawn->from, drawn->stop, drawn->end, s->out};
	unsigned long long numbers[] = {
		member_count(s->packet, "type"), member_count(s->packet, "code")};
	uint64_t hash = mix(0xcbf29ce484222325u, shape, sizeof(shape));

	hash = mix(hash, numbers, sizeof(numbers));
	hash = mix_text(hash, member_text(s->packet, "protocol"));
	hash = mix_text(hash, member_text(s->packet, "class"));
	hash = mix_text(hash, member_text(ladder_far(s->packet, s->out), "address"));
	for (size_t i = 0; i < json_array_size(flags) && i < 8; i++)
		hash = mix_text(hash, json_string_value(json_array_get(flags, i)));
	return mix_meaning(hash, member_text(s->packet, "meaning"));
}

/* --- one row --- */

/* What stands between the ends and is passed, not just drawn over. */
static unsigned passed(const struct ladder *ladder, const struct ladder_row *row)
{
	enum ladder_place far = row->out ? row->stop : row->from;
	unsigned set = 0;

	if (row->end == LADDER_UNKNOWN)
		return 0;
	for (enum ladder_place p = LADDER_OWN_NAT; p < far; p++)
		if (ladder->actor[p].present && p != LADDER_SERVER)
			set |= 1u << p;
	if (ladder_has_no_nat(ladder, row->packet))
		set &= ~(1u << LADDER_OWN_NAT);
	return set;
}

static void draw(const struct ladder *ladder, const struct ladder_seen *s, struct ladder_row *row)
{
	*row = (struct ladder_row){.packet = s->packet,
		.asked = s->asked,
		.from = s->from,
		.to = s->to,
		.stop = s->to,
		.end = LADDER_ARRIVED,
		.out = s->out,
		.cited = s->cited,
		.n = s->n,
		.t_ms = s->t_ms};
	if (!s->out) {
		if (json_is_false(json_object_get(s->packet, "delivered")))
			row->end = LADDER_FAILED;
	} else if (!s->answered) {
		row->end = s->rejected ? LADDER_FAILED : LADDER_UNKNOWN;
		if (s->rejected)
			row->stop = s->stop;
	}
	row->passed = passed(ladder, row);
}

static void fold(struct ladder_row *row, const struct ladder_seen *s)
{
	row->more++;
	row->last_n = s->n;
	row->last_ms = s->t_ms;
}

/* --- folding --- */

/* A bare acknowledgment tells nothing that its segment does not. */
static bool is_quiet(const struct ladder_seen *s)
{
	return !s->cited && json_array_size(json_object_get(s->packet, "flags")) == 1 &&
		ladder_has_flag(s->packet, "ACK") && !ladder_is_error(s->packet) &&
		!json_is_false(json_object_get(s->packet, "delivered"));
}

/*
 * Gives each packet the first packet of its row: its own, or that of one of the latest rows whose
 * packets are like it. Cited packets have rows of their own.
 */
static void group(struct ladder_draft *d)
{
	size_t recent[RECENT], count = 0;

	for (size_t i = 0; i < d->count; i++) {
		struct ladder_seen *s = &d->seen[i];
		struct ladder_row row;

		if (is_quiet(s)) {
			s->row = QUIET;
			continue;
		}
		draw(d->ladder, s, &row);
		s->kind = kind_of(s, &row);
		s->row = i;
		for (size_t k = 0; k < count && k < RECENT && !s->cited; k++)
			if (d->seen[recent[k]].kind == s->kind)
				s->row = recent[k];
		if (s->row == i)
			recent[count++ % RECENT] = i;
	}
}

/* A pair is not worth folding: it is drawn as two. */
static void split_pairs(struct ladder_draft *d, size_t *sizes)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->seen[i].row != QUIET)
			sizes[d->seen[i].row]++;
	for (size_t i = 0; i < d->count; i++)
		if (d->seen[i].row != QUIET && sizes[d->seen[i].row] == 2)
			d->seen[i].row = i;
}

static void make_rows(struct ladder_draft *d, struct ladder_row *rows, size_t *places)
{
	size_t count = 0;

	for (size_t i = 0; i < d->count; i++) {
		const struct ladder_seen *s = &d->seen[i];

		if (s->row == QUIET) {
			d->ladder->quiet++;
		} else if (s->row == i) {
			places[i] = count;
			draw(d->ladder, s, &rows[count++]);
		} else {
			fold(&rows[places[s->row]], s);
		}
	}
	d->ladder->rows = rows;
	d->ladder->row_count = count;
}

/* --- leaving out --- */

enum worth { WORTH_CITED, WORTH_FAILURE, WORTH_ANY, WORTHS };

static enum worth worth(const struct ladder_row *row)
{
	if (row->cited)
		return WORTH_CITED;
	return row->end == LADDER_FAILED || ladder_is_error(row->packet) ? WORTH_FAILURE
									 : WORTH_ANY;
}

/* The first rows of the most worth, in places that only the caller sees. */
static void choose(const struct ladder *ladder, bool *kept)
{
	size_t room = LADDER_ROWS;

	for (int w = WORTH_CITED; w < WORTHS; w++) {
		for (size_t i = 0; i < ladder->row_count; i++) {
			if (worth(&ladder->rows[i]) != (enum worth)w)
				continue;
			if (w != WORTH_CITED && !room)
				continue;
			kept[i] = true;
			room -= room > 0;
		}
	}
}

/* A row that stands for one more that is left out. */
static void leave_out(struct ladder_row *gap, const struct ladder_row *row)
{
	if (!gap->more)
		*gap = (struct ladder_row){.n = row->n, .t_ms = row->t_ms};
	gap->more += 1 + row->more;
	gap->last_n = row->more ? row->last_n : row->n;
}

static void remove_rows(struct ladder *ladder, const bool *kept)
{
	size_t count = 0;
	bool in_gap = false;

	for (size_t i = 0; i < ladder->row_count; i++) {
		struct ladder_row row = ladder->rows[i];

		if (!kept[i] && !in_gap)
			ladder->rows[count++] = (struct ladder_row){.packet = NULL};
		in_gap = !kept[i];
		if (in_gap)
			leave_out(&ladder->rows[count - 1], &row);
		else
			ladder->rows[count++] = row;
	}
	ladder->row_count = count;
}

/* The packets that were not even read. */
static void add_rest(struct ladder_draft *d)
{
	struct ladder *ladder = d->ladder;

	if (ladder->packets <= LADDER_PACKETS)
		return;
	ladder->rows[ladder->row_count++] =
		(struct ladder_row){.more = ladder->packets - LADDER_PACKETS};
}

int ladder_fill_rows(struct ladder_draft *d)
{
	struct ladder_row *rows = calloc(d->count + 1, sizeof(*rows));
	size_t *numbers = calloc(d->count + 1, sizeof(*numbers));
	bool *kept = calloc(d->count + 1, sizeof(*kept));
	int err = rows && numbers && kept ? 0 : -ENOMEM;

	if (!err) {
		group(d);
		split_pairs(d, numbers);
		make_rows(d, rows, numbers);
		choose(d->ladder, kept);
		remove_rows(d->ladder, kept);
		add_rest(d);
	} else {
		free(rows);
	}
	free(numbers);
	free(kept);
	return err;
}
