// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/bytes.h"
#include "punch/mux.h"

/* What the files of the streams share; nobody else includes this. */

#define MUX_NUMBERS    (2 * MUX_STREAMS)
#define MUX_PINGS      16 /* that are not answered yet, in either direction */
#define MUX_PING_BYTES 8

enum mux_frame {
	MUX_FRAME_OPEN = 1,
	MUX_FRAME_DATA,
	MUX_FRAME_WINDOW,
	MUX_FRAME_END,
	MUX_FRAME_RESET,
	MUX_FRAME_PING,
	MUX_FRAME_PONG,
};

struct mux_stream {
	bool used; /* neither side could open its number */
	bool live; /* the caller knows of it */
	bool queued;
	bool open_due, end_due, reset_due;
	bool end_sent, reset_sent;
	bool end_received, reset_received;
	uint8_t reason; /* of reset_due */
	uint32_t room; /* bytes that may be sent */
	uint32_t window; /* bytes that may be on their way, or held by the caller */
	uint32_t allowed; /* … and those of them that the peer knows it may yet send */
	uint32_t held; /* … and that came, and are not consumed */
	uint64_t since_us; /* bytes consumed since then: if it is the whole window soon, it grows */
	uint32_t taken;
};

struct mux {
	struct mux_config config;
	struct mux_statistics statistics;
	struct mux_stream streams[MUX_NUMBERS]; /* by number */
	unsigned live;
	uint16_t next; /* where to look for a free number */
	uint8_t queue[MUX_NUMBERS]; /* numbers that have frames due, each once: a ring */
	unsigned queue_first, queue_count;
	uint8_t pongs[MUX_PINGS][MUX_PING_BYTES]; /* due: a ring */
	unsigned pongs_first, pongs_count;
	uint64_t sent_us[MUX_PINGS]; /* of the pings, whose nonces count: a ring */
	uint64_t pinged, ponged; /* the next nonce, and the next that can be answered */
	unsigned ping_count; /* of mux_ping, that are left */
	uint64_t ping_us, ping_interval_us;
	bool measures; /* a ping is due since windows need the round trip */
	bool asked; /* a ping went out, and nothing has come since */
	uint64_t asked_us;
};

/* A stream begins, for the caller or to be refused. */
void mux_stream_begin(struct mux *m, uint16_t id, bool live);
/* It is done with on both sides: its number is free. */
void mux_stream_free(struct mux *m, uint16_t id);
/* The stream is the caller's no more; RESET ends it, at once or after END. */
void mux_stream_leave(struct mux *m, uint16_t id, uint8_t reason);
/* Leaves it if nothing can happen to it any more that the caller has to know. */
void mux_stream_finish(struct mux *m, uint16_t id);
/* Has frames of it sent, if any are due. */
void mux_stream_queue(struct mux *m, uint16_t id);
/* How much the window has to give back to the peer, if that is worth a frame. */
uint32_t mux_stream_credit(const struct mux_stream *s);
