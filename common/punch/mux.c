// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>

#include "punch/mux_private.h"

#define RTT_ASSUMED_US 100000 /* until one is measured */
#define ROUND_TRIPS    2 /* in which a whole window is consumed, if it limits the sender */
#define STEPS	       4 /* in which a window is given back, at most: few frames */

_Static_assert(MUX_WINDOWS_MAX / MUX_WINDOW_MIN >= MUX_STREAMS, "all streams as they begin");

int mux_create(const struct mux_config *config, uint64_t now_us, struct mux **out)
{
	struct mux *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->config = *config;
	m->statistics.heard_us = now_us;
	*out = m;
	return 0;
}

void mux_destroy(struct mux *m)
{
	free(m);
}

/* --- the life of a stream --- */

void mux_stream_begin(struct mux *m, uint16_t id, bool live)
{
	struct mux_stream *s = &m->streams[id];

	*s = (struct mux_stream){.used = true, .live = live, .queued = s->queued};
	s->room = s->window = s->allowed = MUX_WINDOW_MIN;
	m->statistics.streams++;
	if (!live)
		return;
	m->live++;
	m->statistics.windows_bytes += s->window;
}

void mux_stream_free(struct mux *m, uint16_t id)
{
	struct mux_stream *s = &m->streams[id];

	*s = (struct mux_stream){.queued = s->queued};
	m->statistics.streams--;
}

void mux_stream_leave(struct mux *m, uint16_t id, uint8_t reason)
{
	struct mux_stream *s = &m->streams[id];

	if (s->live) {
		m->live--;
		m->statistics.windows_bytes -= s->window;
	}
	s->live = false;
	s->reset_due = true;
	s->reason = reason;
	mux_stream_queue(m, id);
}

void mux_stream_finish(struct mux *m, uint16_t id)
{
	const struct mux_stream *s = &m->streams[id];

	if (s->live && (s->end_due || s->end_sent) && s->end_received && !s->held)
		mux_stream_leave(m, id, 0);
}

uint32_t mux_stream_credit(const struct mux_stream *s)
{
	uint32_t bytes = s->window - s->allowed - s->held;

	return s->live && !s->end_received && bytes >= s->window / STEPS ? bytes : 0;
}

void mux_stream_queue(struct mux *m, uint16_t id)
{
	struct mux_stream *s = &m->streams[id];

	if (s->queued || !(s->open_due || s->end_due || s->reset_due || mux_stream_credit(s)))
		return;
	s->queued = true;
	m->queue[(m->queue_first + m->queue_count++) % MUX_NUMBERS] = (uint8_t)id;
}

/* --- what the caller does to a stream --- */

static struct mux_stream *find(struct mux *m, uint16_t id)
{
	return id < MUX_NUMBERS && m->streams[id].live ? &m->streams[id] : NULL;
}

int mux_open(struct mux *m, uint16_t *id)
{
	if (m->live >= MUX_STREAMS)
		return -EMFILE;
	for (unsigned i = 0; i < MUX_STREAMS; i++) {
		uint16_t number =
			(uint16_t)((m->next + i) % MUX_STREAMS * 2 + !m->config.controlling);

		if (m->streams[number].used)
			continue;
		m->next = (uint16_t)(number / 2 + 1);
		mux_stream_begin(m, number, true);
		m->streams[number].open_due = true;
		mux_stream_queue(m, number);
		*id = number;
		return 0;
	}
	return -EMFILE;
}

size_t mux_room(const struct mux *m, uint16_t id)
{
	const struct mux_stream *s = id < MUX_NUMBERS ? &m->streams[id] : NULL;

	if (!s || !s->live || s->open_due || s->end_due || s->end_sent)
		return 0;
	return s->room < MUX_DATA_MAX ? s->room : MUX_DATA_MAX;
}

int mux_data(struct mux *m, uint16_t id, const void *data, size_t length, void *out, size_t size)
{
	struct writer w = writer_over(out, size);
	struct mux_stream *s = find(m, id);

	if (!s)
		return -EBADF;
	if (s->end_due || s->end_sent)
		return -EPIPE;
	if (!length || length > mux_room(m, id))
		return -EMSGSIZE;
	writer_u8(&w, MUX_FRAME_DATA);
	writer_u16(&w, id);
	writer_bytes(&w, data, length);
	if (w.failed)
		return -EMSGSIZE;
	s->room -= (uint32_t)length;
	m->statistics.sent_bytes += length;
	return (int)w.position;
}

int mux_end(struct mux *m, uint16_t id)
{
	struct mux_stream *s = find(m, id);

	if (!s)
		return -EBADF;
	if (s->end_due || s->end_sent)
		return -EPIPE;
	s->end_due = true;
	mux_stream_queue(m, id);
	mux_stream_finish(m, id);
	return 0;
}

int mux_reset(struct mux *m, uint16_t id, uint8_t reason)
{
	struct mux_stream *s = find(m, id);

	if (!s)
		return -EBADF;
	if (!reason)
		return -EINVAL;
	s->end_due = false;
	mux_stream_leave(m, id, reason);
	if (s->open_due) /* the peer has never heard of it */
		mux_stream_free(m, id);
	return 0;
}

/* --- windows --- */

/*
 * A sender that the window limits has it consumed once in each round trip, and one that it does not limit needs no
 * larger one. The bytes that end a pause are not counted: they have come before it, or who takes them is slow.
 */
static void tune(struct mux *m, struct mux_stream *s, uint64_t now_us, uint32_t bytes)
{
	uint64_t rtt_us = m->statistics.rtt_us ? m->statistics.rtt_us : RTT_ASSUMED_US;
	bool soon = now_us - s->since_us <= ROUND_TRIPS * rtt_us;

	s->taken += bytes;
	if (soon && s->taken < s->window)
		return;
	s->since_us = now_us;
	s->taken = 0;
	if (!soon || s->window > MUX_WINDOW_MAX / 2 ||
		m->statistics.windows_bytes + s->window > MUX_WINDOWS_MAX)
		return;
	m->statistics.windows_bytes += s->window;
	s->window *= 2;
}

void mux_consumed(struct mux *m, uint64_t now_us, uint16_t id, size_t bytes)
{
	struct mux_stream *s = find(m, id);

	if (!s)
		return;
	if (bytes > s->held)
		bytes = s->held;
	s->held -= (uint32_t)bytes;
	if (!s->end_received)
		tune(m, s, now_us, (uint32_t)bytes);
	m->measures = m->measures || !m->pinged;
	mux_stream_queue(m, id);
	mux_stream_finish(m, id);
}

struct mux_statistics mux_statistics(const struct mux *m)
{
	return m->statistics;
}
