// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "punch/mux_private.h"

/*
 * Frames of the peer. What breaks the rules is found before anything is changed, and of streams that the caller has left
 * the rules hold on until the peer's RESET.
 */

static int take_open(struct mux *m, uint16_t id)
{
	bool is_own = !(id % 2) == m->config.controlling;

	if (is_own || m->streams[id].used)
		return -EPROTO;
	if (m->live < MUX_STREAMS) {
		mux_stream_begin(m, id, true);
		return MUX_OPENED;
	}
	mux_stream_begin(m, id, false);
	mux_stream_leave(m, id, MUX_TOO_MANY);
	return MUX_NOTHING;
}

static int take_data(struct mux *m, struct mux_stream *s, struct reader *r, struct mux_payload *out)
{
	struct span bytes = reader_span(r, reader_left(r));

	if (s->end_received || bytes.length > s->allowed)
		return -EPROTO;
	s->allowed -= (uint32_t)bytes.length;
	if (!s->live || !bytes.length)
		return MUX_NOTHING;
	s->held += (uint32_t)bytes.length;
	m->statistics.received_bytes += bytes.length;
	out->data = bytes.data;
	out->length = bytes.length;
	return MUX_DATA;
}

/* Also on its way after our END, and behind the peer's. */
static int take_window(struct mux_stream *s, struct reader *r)
{
	uint32_t bytes = reader_u32(r);

	if (r->failed || bytes > UINT32_MAX - s->room)
		return -EPROTO;
	s->room += bytes;
	return s->live && bytes && !s->end_due && !s->end_sent ? MUX_ROOM : MUX_NOTHING;
}

static int take_end(struct mux *m, struct mux_stream *s, uint16_t id)
{
	bool was_live = s->live;

	if (s->end_received)
		return -EPROTO;
	s->end_received = true;
	mux_stream_finish(m, id);
	return was_live ? MUX_ENDED : MUX_NOTHING;
}

static int take_reset(
	struct mux *m, struct mux_stream *s, uint16_t id, struct reader *r, struct mux_payload *out)
{
	uint8_t reason = reader_u8(r);
	bool is_lost = s->live && reason;

	if (r->failed || (s->live && !reason && !(s->end_sent && s->end_received)))
		return -EPROTO;
	s->reset_received = true;
	if (s->reset_sent)
		mux_stream_free(m, id);
	if (!is_lost)
		return MUX_NOTHING;
	s->end_due = false;
	mux_stream_leave(m, id, 0);
	out->reason = reason;
	return MUX_RESET;
}

static int take_of_stream(
	struct mux *m, enum mux_frame type, struct reader *r, struct mux_payload *out)
{
	uint16_t id = reader_u16(r);
	struct mux_stream *s;

	if (r->failed || id >= MUX_NUMBERS)
		return -EPROTO;
	out->id = id;
	s = &m->streams[id];
	if (type == MUX_FRAME_OPEN)
		return take_open(m, id);
	if (!s->used || s->open_due || s->reset_received)
		return -EPROTO;
	if (type == MUX_FRAME_DATA)
		return take_data(m, s, r, out);
	if (type == MUX_FRAME_WINDOW)
		return take_window(s, r);
	if (type == MUX_FRAME_END)
		return take_end(m, s, id);
	return take_reset(m, s, id, r, out);
}

/* No more than may be without an answer come before our answers are out. */
static int take_ping(struct mux *m, struct reader *r)
{
	struct span nonce = reader_span(r, MUX_PING_BYTES);
	unsigned place = (m->pongs_first + m->pongs_count) % MUX_PINGS;

	if (r->failed || m->pongs_count == MUX_PINGS)
		return -EPROTO;
	memcpy(m->pongs[place], nonce.data, nonce.length);
	m->pongs_count++;
	return MUX_NOTHING;
}

/* In order: pings before it that have no answer will have none. */
static int take_pong(struct mux *m, uint64_t now_us, struct reader *r)
{
	struct mux_statistics *s = &m->statistics;
	uint64_t nonce = (uint64_t)reader_u32(r) << 32, rtt_us;

	nonce |= reader_u32(r);
	if (r->failed || nonce < m->ponged || nonce >= m->pinged)
		return -EPROTO;
	m->ponged = nonce + 1;
	s->pongs++;
	rtt_us = now_us - m->sent_us[nonce % MUX_PINGS];
	rtt_us += !rtt_us; /* 0 is none */
	if (!s->rtt_us)
		s->rtt_us = rtt_us;
	s->rtt_us = s->rtt_us - s->rtt_us / 8 + rtt_us / 8; /* RFC 6298 2.3 */
	if (!s->rtt_min_us || rtt_us < s->rtt_min_us)
		s->rtt_min_us = rtt_us;
	return MUX_NOTHING;
}

int mux_input(
	struct mux *m, uint64_t now_us, const void *frame, size_t length, struct mux_payload *out)
{
	struct reader r = reader_over(frame, length);
	uint8_t type = reader_u8(&r);

	*out = (struct mux_payload){.id = 0};
	m->statistics.heard_us = now_us;
	m->asked = false;
	if (r.failed)
		return -EPROTO;
	if (type == MUX_FRAME_PING)
		return take_ping(m, &r);
	if (type == MUX_FRAME_PONG)
		return take_pong(m, now_us, &r);
	if (type >= MUX_FRAME_OPEN && type <= MUX_FRAME_RESET)
		return take_of_stream(m, (enum mux_frame)type, &r, out);
	return MUX_NOTHING;
}
