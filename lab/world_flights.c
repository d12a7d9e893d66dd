// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdlib.h>

#include "lab/world_private.h"

/* Packets on their way, the one that arrives first on top of a heap. */

#define BYTES_MAX   (512u << 20)
#define USUAL_BYTES 2048 /* smaller ones are used again */

static struct flight *allocate(struct flights *f, size_t size)
{
	struct flight *flight;

	if (f->bytes + size > BYTES_MAX)
		return NULL;
	flight = malloc(sizeof(*flight) + size);
	if (flight)
		f->bytes += size;
	return flight;
}

struct flight *world_flight_new(struct flights *f, size_t length)
{
	size_t size = length <= USUAL_BYTES ? USUAL_BYTES : length;
	struct flight *flight = NULL;

	if (f->count == f->size) {
		size_t more = f->size ? 2 * f->size : 64;
		struct flight **heap;

		heap = realloc(f->heap, more * sizeof(*heap));
		if (!heap)
			return NULL;
		f->heap = heap;
		f->size = more;
	}
	if (size == USUAL_BYTES && f->free) {
		flight = f->free;
		f->free = flight->next;
	} else {
		flight = allocate(f, size);
	}
	if (flight)
		*flight = (struct flight){.size = size, .length = length};
	return flight;
}

static bool is_before(const struct flight *a, const struct flight *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

/* The heap's room was made by world_flight_new, for one at a time. */
void world_flight_begin(struct flights *f, struct flight *flight, uint64_t at_us)
{
	size_t i = f->count++;

	flight->at_us = at_us;
	flight->order = f->order++;
	for (; i && is_before(flight, f->heap[(i - 1) / 2]); i = (i - 1) / 2)
		f->heap[i] = f->heap[(i - 1) / 2];
	f->heap[i] = flight;
}

static void sift_down(struct flights *f, struct flight *flight)
{
	size_t i = 0, child;

	for (; (child = 2 * i + 1) < f->count; i = child) {
		if (child + 1 < f->count && is_before(f->heap[child + 1], f->heap[child]))
			child++;
		if (!is_before(f->heap[child], flight))
			break;
		f->heap[i] = f->heap[child];
	}
	f->heap[i] = flight;
}

struct flight *world_flight_end(struct flights *f, uint64_t now_us, uint64_t *next_us)
{
	struct flight *top = f->count ? f->heap[0] : NULL;

	*next_us = top ? top->at_us : UINT64_MAX;
	if (!top || top->at_us > now_us)
		return NULL;
	f->count--;
	if (f->count)
		sift_down(f, f->heap[f->count]);
	return top;
}

void world_flight_free(struct flights *f, struct flight *flight)
{
	if (!flight)
		return;
	if (flight->size != USUAL_BYTES) {
		f->bytes -= flight->size;
		free(flight);
		return;
	}
	flight->next = f->free;
	f->free = flight;
}

void world_flights_destroy(struct flights *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->heap[i]);
	while (f->free) {
		struct flight *flight = f->free;

		f->free = flight->next;
		free(flight);
	}
	free(f->heap);
}
