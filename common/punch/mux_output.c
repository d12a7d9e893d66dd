// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "punch/mux_private.h"

/* --- pings --- */

void mux_ping(struct mux *m, uint64_t now_us, unsigned count, uint64_t interval_us)
{
	m->ping_count = count;
	m->ping_us = now_us;
	m->ping_interval_us = interval_us;
}

static bool is_full(const struct mux *m)
{
	return m->pinged - m->ponged == MUX_PINGS;
}

/* TCP sees to it that a ping arrives, so one is enough until something comes. */
static uint64_t ping_at(const struct mux *m)
{
	uint64_t at_us = UINT64_MAX;

	if (m->config.keepalive_us && !m->asked)
		at_us = m->statistics.heard_us + m->config.keepalive_us;
	if (is_full(m))
		return at_us;
	if (m->measures)
		return 0;
	return m->ping_count && m->ping_us < at_us ? m->ping_us : at_us;
}

static bool poll_ping(struct mux *m, uint64_t now_us, struct writer *w, uint64_t *deadline_us)
{
	uint64_t at_us = ping_at(m);

	if (at_us > now_us) {
		*deadline_us = at_us;
		return false;
	}
	if (!m->asked)
		m->asked_us = now_us;
	m->asked = true;
	if (is_full(m)) /* by those that are out */
		return false;
	if (m->ping_count && m->ping_us <= now_us) {
		m->ping_count--;
		m->ping_us = now_us + m->ping_interval_us;
	}
	m->measures = false;
	m->sent_us[m->pinged % MUX_PINGS] = now_us;
	m->statistics.pings++;
	writer_u8(w, MUX_FRAME_PING);
	writer_u32(w, (uint32_t)(m->pinged >> 32));
	writer_u32(w, (uint32_t)m->pinged++);
	return true;
}

uint64_t mux_silent_at(const struct mux *m)
{
	return m->asked && m->config.patience_us ? m->asked_us + m->config.patience_us : UINT64_MAX;
}

static bool poll_pong(struct mux *m, struct writer *w)
{
	if (!m->pongs_count)
		return false;
	writer_u8(w, MUX_FRAME_PONG);
	writer_bytes(w, m->pongs[m->pongs_first], MUX_PING_BYTES);
	m->pongs_first = (m->pongs_first + 1) % MUX_PINGS;
	m->pongs_count--;
	return true;
}

/* --- streams --- */

static void write_head(struct writer *w, enum mux_frame type, uint16_t id)
{
	writer_u8(w, (uint8_t)type);
	writer_u16(w, id);
}

static void write_reset(struct mux *m, uint16_t id, struct writer *w)
{
	struct mux_stream *s = &m->streams[id];

	write_head(w, MUX_FRAME_RESET, id);
	writer_u8(w, s->reason);
	s->reset_due = false;
	s->reset_sent = true;
	if (s->reset_received)
		mux_stream_free(m, id);
}

/* The next one that is due, if any still is: in the order that the peer needs. */
static bool write_next(struct mux *m, uint16_t id, struct writer *w)
{
	struct mux_stream *s = &m->streams[id];
	uint32_t credit = mux_stream_credit(s);

	if (s->open_due) {
		write_head(w, MUX_FRAME_OPEN, id);
		s->open_due = false;
	} else if (credit) {
		write_head(w, MUX_FRAME_WINDOW, id);
		writer_u32(w, credit);
		s->allowed += credit;
	} else if (s->end_due) {
		write_head(w, MUX_FRAME_END, id);
		s->end_due = false;
		s->end_sent = true;
	} else if (s->reset_due) {
		write_reset(m, id, w);
	} else {
		return false;
	}
	return true;
}

/* One frame of each stream in turn. */
static bool poll_stream(struct mux *m, struct writer *w)
{
	bool is_written = false;

	while (!is_written && m->queue_count) {
		uint16_t id = m->queue[m->queue_first];

		m->queue_first = (m->queue_first + 1) % MUX_NUMBERS;
		m->queue_count--;
		m->streams[id].queued = false;
		is_written = write_next(m, id, w);
		mux_stream_queue(m, id);
	}
	return is_written;
}

int mux_poll(struct mux *m, uint64_t now_us, void *out, size_t size, size_t *length,
	uint64_t *deadline_us)
{
	struct writer w = writer_over(out, size);

	*length = 0;
	*deadline_us = UINT64_MAX;
	if (size < MUX_CONTROL_MAX)
		return -EMSGSIZE;
	if (!poll_pong(m, &w) && !poll_ping(m, now_us, &w, deadline_us) && !poll_stream(m, &w))
		return 0;
	*length = w.position;
	return 1;
}
