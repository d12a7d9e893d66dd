// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/ladder_private.h"
#include "report/terminal.h"
#include "report/text_private.h"

/* Cited packets that are certain to be drawn one by one. */
#define CAUSES_MAX    16
#define CITED_PER_MAX 12

#define FLAGS_MAX     8 /* of TCP there are no more */
#define NUMBER_MAX    99999999u /* beyond, it is no place in a file that somebody has captured */

/* Packets by their number, for finding what another one is about. */
struct numbered {
	unsigned long long n;
	size_t place;
};

struct numbers {
	struct numbered *all;
	size_t count;
};

static int compare_numbers(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

static int numbers_create(const struct ladder_draft *d, struct numbers *numbers)
{
	*numbers = (struct numbers){.all = calloc(d->count + 1, sizeof(*numbers->all))};
	if (!numbers->all)
		return -ENOMEM;
	for (size_t i = 0; i < d->count; i++)
		if (d->seen[i].n)
			numbers->all[numbers->count++] = (struct numbered){d->seen[i].n, i};
	qsort(numbers->all, numbers->count, sizeof(*numbers->all), compare_numbers);
	return 0;
}

static struct ladder_seen *find(
	const struct ladder_draft *d, const struct numbers *numbers, const json_t *number)
{
	json_int_t n = json_integer_value(number);
	size_t low = 0, high = numbers->count;

	if (n < 1)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (numbers->all[middle].n < (unsigned long long)n)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == numbers->count || numbers->all[low].n != (unsigned long long)n)
		return NULL;
	return &d->seen[numbers->all[low].place];
}

bool ladder_has_flag(const json_t *packet, const char *flag)
{
	const json_t *flags = json_object_get(packet, "flags");

	for (size_t i = 0; i < json_array_size(flags) && i < FLAGS_MAX; i++) {
		const char *text = json_string_value(json_array_get(flags, i));

		if (text && !strcmp(text, flag))
			return true;
	}
	return false;
}

bool ladder_is_error(const json_t *packet)
{
	return member_is(packet, "class", "error") || ladder_has_flag(packet, "RST");
}

const json_t *ladder_far(const json_t *packet, bool out)
{
	return json_object_get(packet, out ? "to" : "from");
}

/* What comes back tells how far the packet got that it is about. */
static void match_replies(struct ladder_draft *d, const struct numbers *numbers)
{
	for (size_t i = 0; i < d->count; i++) {
		struct ladder_seen *reply = &d->seen[i];
		struct ladder_seen *about =
			find(d, numbers, json_object_get(reply->packet, "about"));

		if (!about || !about->out || reply->out)
			continue;
		reply->asked = about->packet;
		if (!ladder_is_error(reply->packet)) {
			about->answered = true;
		} else if (!about->rejected) {
			about->rejected = true;
			about->stop = reply->from;
		}
	}
}

static void mark_cited(struct ladder_draft *d, const struct numbers *numbers)
{
	const json_t *causes = json_object_get(d->ladder->document, "causes");

	for (size_t i = 0; i < json_array_size(causes) && i < CAUSES_MAX; i++) {
		const json_t *cited = json_object_get(json_array_get(causes, i), "packets");

		for (size_t k = 0; k < json_array_size(cited) && k < CITED_PER_MAX; k++) {
			struct ladder_seen *seen = find(d, numbers, json_array_get(cited, k));

			if (seen)
				seen->cited = true;
		}
	}
}

static int read_packets(struct ladder_draft *d)
{
	const json_t *packets = json_object_get(d->ladder->document, "packets");
	size_t size = json_array_size(packets);

	d->ladder->packets = size;
	if (size > LADDER_PACKETS)
		size = LADDER_PACKETS;
	d->seen = calloc(size + 1, sizeof(*d->seen));
	if (!d->seen)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++) {
		const json_t *packet = json_array_get(packets, i);
		const json_t *t_ms = json_object_get(packet, "t_ms");
		unsigned long long n = member_count(packet, "n");

		if (!json_is_object(packet))
			continue;
		d->seen[d->count++] = (struct ladder_seen){.packet = packet,
			.n = n <= NUMBER_MAX ? n : 0,
			.t_ms = json_is_number(t_ms) ? json_number_value(t_ms) : -1};
	}
	return 0;
}

int ladder_create(const json_t *document, struct ladder **out)
{
	struct ladder_draft d = {.ladder = calloc(1, sizeof(*d.ladder))};
	struct numbers numbers = {.all = NULL};
	int err = d.ladder ? 0 : -ENOMEM;

	*out = NULL;
	if (!err) {
		d.ladder->document = document;
		err = read_packets(&d);
	}
	if (!err)
		err = numbers_create(&d, &numbers);
	if (!err) {
		ladder_place_all(&d);
		match_replies(&d, &numbers);
		mark_cited(&d, &numbers);
		err = ladder_fill_rows(&d);
	}
	free(numbers.all);
	free(d.seen);
	if (err)
		ladder_destroy(d.ladder);
	else
		*out = d.ladder;
	return err;
}

void ladder_destroy(struct ladder *ladder)
{
	if (ladder)
		free(ladder->rows);
	free(ladder);
}

int ladder_render(const json_t *document, const struct text_options *options, FILE *out)
{
	struct page p = {.out = out, .options = options, .width = options->width};
	struct ladder *ladder;
	int err = ladder_create(document, &ladder);

	if (err)
		return err;
	if (!p.width)
		p.width = TERMINAL_WIDTH;
	ladder_text(ladder, &p);
	ladder_destroy(ladder);
	if (p.failed)
		return -ENOMEM;
	return fflush(out) || ferror(out) ? -EIO : 0;
}
