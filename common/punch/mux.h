// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "punch/sealed.h"

/*
 * Streams of bytes, over the one connection that was punched, without I/O: each frame goes into a sealed record of its
 * own, and so arrives once, whole and in order. Bytes are never kept here.
 *
 *	OPEN (1)      number (2)
 *	DATA (2)      number (2), bytes
 *	WINDOW (3)    number (2), bytes (4) that may be sent beyond those that might be already
 *	END (4)       number (2): no DATA follows from this side
 *	RESET (5)     number (2), reason (1): nothing follows from this side
 *	PING (6)      nonce (8)
 *	PONG (7)      nonce (8) of the PING; 16 of them may be without one
 *
 * Other types are ignored, and so is what is behind these fields: later versions. Numbers are below 2 * MUX_STREAMS, and
 * those of the controlling side are even. As in RFC 4254 5.2 each direction of a stream has its own window,
 * MUX_WINDOW_MIN in the beginning, so that a stream that nobody reads stops only who sends on it. As its 5.3 has it for
 * CLOSE, RESET is answered with RESET, and a number can be opened again by who has sent and received one. Its reason is 0
 * in the answer, and where nothing went wrong: both sides have sent END, and everything was taken.
 */

#define MUX_STREAMS	128 /* at once, of both sides together */
#define MUX_DATA_MAX	(SEALED_BYTES_MAX - 3) /* bytes of a stream in a frame */
#define MUX_CONTROL_MAX 9 /* bytes of any other frame */
#define MUX_WINDOW_MIN	(256u << 10)
#define MUX_WINDOW_MAX	(8u << 20)
#define MUX_WINDOWS_MAX (32u << 20) /* of all streams: beyond it no window grows */

struct mux_config {
	bool controlling; /* one of the two is */
	uint64_t keepalive_us; /* a PING when nothing has come for so long; 0: never */
	uint64_t patience_us; /* for anything to come after a PING; 0: without end */
};

enum mux_reason {
	MUX_TOO_MANY = 1, /* streams: the peer's mux has refused it */
	MUX_REFUSED, /* the peer could not or would not connect it to anything */
	MUX_ABORTED, /* … and lost what it was connected to */
};

enum mux_event {
	MUX_NOTHING, /* dealt with */
	MUX_OPENED, /* by the peer: the stream `id` is the caller's from now on */
	MUX_DATA, /* the bytes came on it, and are held until mux_consumed */
	MUX_ROOM, /* the peer takes more bytes on it: see mux_room */
	MUX_ENDED, /* no more bytes come */
	MUX_RESET, /* by the peer, with this reason: it is not the caller's any more */
};

struct mux_payload {
	uint16_t id;
	uint8_t reason;
	const uint8_t *data; /* in the frame */
	size_t length;
};

struct mux_statistics {
	uint64_t sent_bytes, received_bytes; /* of streams */
	unsigned streams; /* the caller's, or not yet done with on both sides */
	size_t windows_bytes; /* of all of them: what the caller may have to hold */
	unsigned pings, pongs; /* sent, and answered */
	uint64_t rtt_us, rtt_min_us; /* smoothed, and the shortest; 0: none yet */
	uint64_t heard_us; /* when something came last; before that, of mux_create */
};

struct mux;

int mux_create(const struct mux_config *config, uint64_t now_us, struct mux **out); /* -ENOMEM */
void mux_destroy(struct mux *m);

/*
 * A stream is the caller's, by its number, from MUX_OPENED or mux_open on until MUX_RESET, mux_reset, or until it has
 * ended in both directions and all that came is consumed; then the number may become another stream's. Of a number that
 * is not the caller's the functions below say -EBADF, or do nothing.
 */

/* Opens a stream, which can carry data as soon as its frame is out of mux_poll; -EMFILE: there are too many now. */
int mux_open(struct mux *m, uint16_t *id);
/* How many bytes mux_data takes now, in one frame; 0, too, before OPEN is out, and after mux_end. */
size_t mux_room(const struct mux *m, uint16_t id);
/*
 * Writes a frame, which has to be sealed at once, with these bytes, 1 to mux_room. Its length; -EMSGSIZE: too many or
 * none, or out is too small for 3 more; -EPIPE: after mux_end; -EBADF.
 */
int mux_data(struct mux *m, uint16_t id, const void *data, size_t length, void *out, size_t size);
/* No more data from this side; what the peer sends goes on to come. 0; -EPIPE: said before; -EBADF. */
int mux_end(struct mux *m, uint16_t id);
/*
 * Ends both directions for a reason, of enum mux_reason or above, and what is on its way in either is lost. 0;
 * -EINVAL: the reason is 0; -EBADF.
 */
int mux_reset(struct mux *m, uint16_t id, uint8_t reason);
/*
 * So many bytes of MUX_DATA have been taken by whom they are for: the peer may send others. The window grows when that
 * was a whole one within two round trips: of pings, of which one goes out here if there was none before; 100 ms until it
 * is answered.
 */
void mux_consumed(struct mux *m, uint64_t now_us, uint16_t id, size_t bytes);
/* So many pings, one every interval_us, in place of those that are left of the last call. */
void mux_ping(struct mux *m, uint64_t now_us, unsigned count, uint64_t interval_us);

/*
 * The next frame but DATA that is due, to be sealed at once, and before any data: 1; 0: there is none until *deadline_us,
 * or, if that is UINT64_MAX, until something happens; -EMSGSIZE: size is below MUX_CONTROL_MAX. To be called also
 * while the connection takes nothing more: a peer that is gone is known by a PING that went out, and there are few of
 * these frames, as what the peer does makes most of them due.
 */
int mux_poll(struct mux *m, uint64_t now_us, void *out, size_t size, size_t *length,
	uint64_t *deadline_us);

/*
 * A frame: what was in a record. An enum mux_event, with *out valid as long as the frame is; or -EPROTO: no peer that
 * keeps the rules sends this, and the connection has to be ended.
 */
int mux_input(
	struct mux *m, uint64_t now_us, const void *frame, size_t length, struct mux_payload *out);

/* When the peer is gone, if nothing comes until then; UINT64_MAX: no PING waits for anything. */
uint64_t mux_silent_at(const struct mux *m);
struct mux_statistics mux_statistics(const struct mux *m);
