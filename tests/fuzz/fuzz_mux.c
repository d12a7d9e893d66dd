// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Two sides with their streams, and a script of what their callers do, what comes through, and what one peer says instead:
 * any frame. Each of them is held against a second count of windows, ends and numbers. Promised: input gives what that
 * says, and what is refused has changed nothing; nobody sends beyond a window, or after a last word; honest sides never
 * refuse each other, and each byte comes once and in order; and at any moment it comes to rest.
 */

#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "punch/mux.h"

#define BEGIN_US    1000000000u
#define SECOND	    1000000u
#define PATIENCE_US (10u * SECOND)
#define STEPS_MAX   400
#define NUMBERS	    (2 * MUX_STREAMS)
#define PINGS	    16
#define PERIOD	    65521 /* of the bytes that are sent */
#define REST	    2000 /* frames at one moment */
#define QUEUE_MAX   600 /* frames on their way */
#define FULL	    0xc000 /* instead of a length: all that there is room for … */
#define FULL_FRAMES 40
#define WINDOWS_MAX (2 * (size_t)MUX_WINDOWS_MAX)

enum step { TIME, OPEN, SEND, END, RESET, CONSUME, PING, POLL, DELIVER, PAUSE, STEPS };

enum type { TYPE_OPEN = 1, TYPE_DATA, TYPE_WINDOW, TYPE_END, TYPE_RESET, TYPE_PING, TYPE_PONG };

/* A number, as this side and the frames have it. */
struct number {
	bool live; /* a stream of the caller's */
	bool open; /* the peer knows of it, or has it from there */
	bool ended; /* by the caller */
	bool end_out, end_in, reset_out, reset_in;
	uint64_t sent, may_send;
	uint64_t received, may_receive, consumed;
};

struct frame {
	struct frame *next;
	size_t length;
	uint8_t bytes[];
};

struct side {
	struct mux *mux;
	bool controlling;
	struct number numbers[NUMBERS];
	unsigned live;
	struct frame *first, **last; /* on their way to it */
	unsigned queued;
	uint8_t pings[PINGS][8]; /* that it has to answer: a ring */
	unsigned pings_in, pongs_out;
	uint64_t pings_out, answered; /* nonces */
	bool asked; /* by a ping, and nothing has come since */
	uint64_t asked_us;
};

struct run {
	struct reader r;
	struct side side[2];
	bool honest; /* both; else the first has a peer that says anything, and the second is none */
	uint64_t now_us;
};

/* What is sent from a position of a stream on: others at each place. */
static const uint8_t *bytes_at(uint16_t id, uint64_t position)
{
	static uint8_t bytes[PERIOD + SEALED_BYTES_MAX];

	for (uint32_t i = sizeof(bytes); !bytes[0] && i--;)
		bytes[i] = (uint8_t)((i % PERIOD + 1) * 2654435761u >> 24);
	return bytes + (position + id * 977u) % PERIOD;
}

static bool is_own(const struct side *s, uint16_t id)
{
	return !(id % 2) == s->controlling;
}

/* --- what the frames say --- */

static void begin_number(struct side *s, uint16_t id, bool live)
{
	struct number *n = &s->numbers[id];

	*n = (struct number){.live = live};
	n->may_send = n->may_receive = MUX_WINDOW_MIN;
	s->live += live;
}

static void forget(struct side *s, uint16_t id)
{
	require(s->numbers[id].live);
	s->numbers[id].live = false;
	s->live--;
}

static void forget_if_over(struct side *s, uint16_t id)
{
	const struct number *n = &s->numbers[id];

	if (n->live && n->ended && n->end_in && n->consumed == n->received)
		forget(s, id);
}

static void close_if_done(struct number *n)
{
	if (n->reset_in && n->reset_out)
		n->open = false;
}

static void note_number(struct side *s, enum type type, uint16_t id, struct reader *r)
{
	struct number *n = &s->numbers[id];
	uint32_t credit;

	require(id < NUMBERS && (type == TYPE_OPEN) == !n->open && !n->reset_out);
	if (type == TYPE_OPEN) {
		require(is_own(s, id) && n->live);
		n->open = true;
	} else if (type == TYPE_DATA) {
		n->sent += reader_left(r);
		require(n->live && !n->ended && n->sent <= n->may_send);
	} else if (type == TYPE_WINDOW) {
		credit = reader_u32(r);
		n->may_receive += credit;
		require(n->live && !n->end_in && credit >= MUX_WINDOW_MIN / 4);
		require(n->may_receive - n->consumed <= MUX_WINDOW_MAX);
	} else if (type == TYPE_END) {
		require(n->ended && !n->end_out);
		n->end_out = true;
	} else {
		require(type == TYPE_RESET && !n->live);
		require(reader_u8(r) || n->reset_in || (n->end_out && n->end_in));
		n->reset_out = true;
		close_if_done(n);
	}
}

static void note_pong(struct side *s, struct reader *r)
{
	struct span nonce = reader_span(r, 8);

	require(nonce.length && s->pongs_out < s->pings_in);
	require(!memcmp(nonce.data, s->pings[s->pongs_out++ % PINGS], 8));
}

static void note_ping(struct side *s, uint64_t now_us)
{
	require(s->pings_out++ - s->answered < PINGS);
	if (!s->asked)
		s->asked_us = now_us;
	s->asked = true;
}

/* A frame of this side. */
static void note_sent(struct side *s, uint64_t now_us, const uint8_t *bytes, size_t length)
{
	struct reader r = reader_over(bytes, length);
	enum type type = (enum type)reader_u8(&r);

	if (type == TYPE_PONG)
		note_pong(s, &r);
	else if (type == TYPE_PING)
		note_ping(s, now_us);
	else
		note_number(s, type, reader_u16(&r), &r);
	require(!r.failed);
}

static uint64_t read_nonce(struct reader *r)
{
	uint64_t high = reader_u32(r);

	return high << 32 | reader_u32(r);
}

static int expect_of_number(struct side *s, enum type type, struct reader *r)
{
	uint16_t id = reader_u16(r);
	struct number *n = &s->numbers[id % NUMBERS];
	uint32_t value = type == TYPE_WINDOW ? reader_u32(r)
		: type == TYPE_RESET	     ? reader_u8(r)
					     : 0;

	if (r->failed || id >= NUMBERS)
		return -EPROTO;
	if (type == TYPE_OPEN) {
		if (is_own(s, id) || n->open)
			return -EPROTO;
		return s->live < MUX_STREAMS ? MUX_OPENED : MUX_NOTHING;
	}
	if (!n->open || n->reset_in)
		return -EPROTO;
	switch (type) {
	case TYPE_DATA:
		if (n->end_in || reader_left(r) > n->may_receive - n->received)
			return -EPROTO;
		return n->live && reader_left(r) ? MUX_DATA : MUX_NOTHING;
	case TYPE_WINDOW:
		if (value > UINT32_MAX - (n->may_send - n->sent))
			return -EPROTO;
		return n->live && value && !n->ended ? MUX_ROOM : MUX_NOTHING;
	case TYPE_END:
		return n->end_in ? -EPROTO : n->live ? MUX_ENDED : MUX_NOTHING;
	default:
		if (n->live && !value)
			return n->end_out && n->end_in ? MUX_NOTHING : -EPROTO;
		return n->live ? MUX_RESET : MUX_NOTHING;
	}
}

/* What input has to give. */
static int expect(struct side *s, const uint8_t *bytes, size_t length)
{
	struct reader r = reader_over(bytes, length);
	enum type type = (enum type)reader_u8(&r);
	uint64_t nonce;

	if (r.failed)
		return -EPROTO;
	if (type < TYPE_OPEN || type > TYPE_PONG)
		return MUX_NOTHING;
	if (type <= TYPE_RESET)
		return expect_of_number(s, type, &r);
	nonce = read_nonce(&r);
	if (r.failed)
		return -EPROTO;
	if (type == TYPE_PING)
		return s->pings_in - s->pongs_out < PINGS ? MUX_NOTHING : -EPROTO;
	return nonce >= s->answered && nonce < s->pings_out ? MUX_NOTHING : -EPROTO;
}

static void note_come_number(struct side *s, enum type type, struct reader *r, int event)
{
	uint16_t id = reader_u16(r);
	struct number *n = &s->numbers[id];

	if (type == TYPE_OPEN) {
		begin_number(s, id, event == MUX_OPENED);
		n->open = true;
	} else if (type == TYPE_DATA) {
		n->received += reader_left(r);
	} else if (type == TYPE_WINDOW) {
		n->may_send += reader_u32(r);
	} else if (type == TYPE_END) {
		n->end_in = true;
		forget_if_over(s, id);
	} else {
		n->reset_in = true;
		if (event == MUX_RESET)
			forget(s, id);
		close_if_done(n);
	}
}

/* A frame for this side, which was not refused. */
static void note_come(struct side *s, const uint8_t *bytes, size_t length, int event)
{
	struct reader r = reader_over(bytes, length);
	enum type type = (enum type)reader_u8(&r);

	if (type >= TYPE_OPEN && type <= TYPE_RESET)
		note_come_number(s, type, &r, event);
	else if (type == TYPE_PING)
		reader_copy(&r, s->pings[s->pings_in++ % PINGS], 8);
	else if (type == TYPE_PONG)
		s->answered = read_nonce(&r) + 1;
}

static void check(const struct side *s)
{
	struct mux_statistics k = mux_statistics(s->mux);

	require(s->live <= MUX_STREAMS && s->live <= k.streams && k.streams <= NUMBERS);
	require(k.windows_bytes >= s->live * (size_t)MUX_WINDOW_MIN);
	require(s->live ? k.windows_bytes <= WINDOWS_MAX : !k.windows_bytes);
	require(k.pongs <= k.pings && k.pings == s->pings_out);
	if (s->asked)
		require(mux_silent_at(s->mux) == s->asked_us + PATIENCE_US);
	else if (s->pings_out - s->answered < PINGS)
		require(mux_silent_at(s->mux) == UINT64_MAX);
}

/* --- frames come and go --- */

/* But for what anything that comes changes. */
static void require_same(struct mux_statistics a, struct mux_statistics b)
{
	require(a.received_bytes == b.received_bytes && a.streams == b.streams);
	require(a.windows_bytes == b.windows_bytes && a.pongs == b.pongs && a.rtt_us == b.rtt_us);
}

/* Of exactly this length for the sanitizer. */
static void input(struct run *x, struct side *s, const uint8_t *bytes, size_t length)
{
	struct mux_statistics before = mux_statistics(s->mux);
	uint8_t *exact = malloc(length ? length : 1);
	int event, expected = expect(s, bytes, length);
	struct mux_payload p;

	require(exact != NULL);
	if (length)
		memcpy(exact, bytes, length);
	event = mux_input(s->mux, x->now_us, exact, length, &p);
	require(event == expected && (event >= 0 || !x->honest));
	if (event == MUX_DATA) {
		require(p.length == length - 3);
		require(!x->honest ||
			!memcmp(p.data, bytes_at(p.id, s->numbers[p.id].received), p.length));
	}
	free(exact);
	s->asked = false;
	if (event < 0)
		require_same(before, mux_statistics(s->mux));
	else
		note_come(s, bytes, length, event);
	check(s);
}

static void transmit(struct run *x, struct side *from, const uint8_t *bytes, size_t length)
{
	struct side *to = &x->side[from == x->side];
	struct frame *f;

	note_sent(from, x->now_us, bytes, length);
	if (!x->honest)
		return;
	f = malloc(sizeof(*f) + length);
	require(f != NULL);
	f->next = NULL;
	f->length = length;
	memcpy(f->bytes, bytes, length);
	*to->last = f;
	to->last = &f->next;
	to->queued++;
}

static bool deliver(struct run *x, struct side *s)
{
	struct frame *f = s->first;

	if (!f)
		return false;
	s->first = f->next;
	if (!s->first)
		s->last = &s->first;
	s->queued--;
	input(x, s, f->bytes, f->length);
	free(f);
	return true;
}

/* At most so many; whether that was all. */
static bool poll(struct run *x, struct side *s, unsigned count)
{
	uint8_t *exact = malloc(MUX_CONTROL_MAX);
	uint64_t deadline_us = UINT64_MAX;
	size_t length;
	int n = 1;

	require(exact != NULL);
	while (count-- &&
		(n = mux_poll(s->mux, x->now_us, exact, MUX_CONTROL_MAX, &length, &deadline_us)) ==
			1)
		transmit(x, s, exact, length);
	free(exact);
	require(n >= 0 && (n || deadline_us > x->now_us));
	check(s);
	return !n;
}

/* --- the script --- */

static uint16_t some_id(struct run *x)
{
	uint8_t b = reader_u8(&x->r);

	return b < 224 ? b % 8 : reader_u16(&x->r) % (NUMBERS + 8);
}

static void open_streams(struct run *x, struct side *s)
{
	uint8_t count = reader_u8(&x->r);
	uint16_t id;
	int err;

	for (count = count < 240 ? 1 : 80; count; count--) {
		err = mux_open(s->mux, &id);
		require(!err || err == -EMFILE);
		require(!err || s->live == MUX_STREAMS ||
			mux_statistics(s->mux).streams >= MUX_STREAMS);
		if (err)
			break;
		require(id < NUMBERS && is_own(s, id) && !s->numbers[id].live &&
			!s->numbers[id].open);
		begin_number(s, id, true);
	}
}

static int send_some(struct run *x, struct side *s, uint16_t id, size_t length)
{
	static uint8_t out[SEALED_BYTES_MAX];
	const uint8_t *data = bytes_at(id, s->numbers[id % NUMBERS].sent);
	int result = mux_data(s->mux, id, data, length, out, sizeof(out));

	if (result > 0)
		transmit(x, s, out, (size_t)result);
	return result;
}

/* Some bytes, or as many as there is room for, in several frames. */
static void send(struct run *x, struct side *s)
{
	uint16_t id = some_id(x);
	uint16_t length = reader_u16(&x->r);
	const struct number *n = &s->numbers[id % NUMBERS];
	bool is_live = id < NUMBERS && n->live, can = is_live && n->open && !n->ended;
	size_t room = mux_room(s->mux, id);
	int result;

	require(room ==
		(!can						       ? 0
				: n->may_send - n->sent < MUX_DATA_MAX ? n->may_send - n->sent
								       : MUX_DATA_MAX));
	for (unsigned i = 0; length > FULL && i < FULL_FRAMES && room; i++) {
		require(send_some(x, s, id, room) > 0);
		room = mux_room(s->mux, id);
	}
	length %= MUX_DATA_MAX + 2;
	result = send_some(x, s, id, length);
	if (!is_live)
		require(result == -EBADF);
	else if (n->ended)
		require(result == -EPIPE);
	else
		require(result == (length && length <= room ? (int)length + 3 : -EMSGSIZE));
}

static void end(struct run *x, struct side *s)
{
	uint16_t id = some_id(x);
	struct number *n = &s->numbers[id % NUMBERS];
	bool is_live = id < NUMBERS && n->live;
	int result = mux_end(s->mux, id);

	require(result == (!is_live ? -EBADF : n->ended ? -EPIPE : 0));
	if (result)
		return;
	n->ended = true;
	forget_if_over(s, id);
}

static void reset(struct run *x, struct side *s)
{
	uint16_t id = some_id(x);
	uint8_t reason = reader_u8(&x->r) % 4;
	bool is_live = id < NUMBERS && s->numbers[id].live;
	int result = mux_reset(s->mux, id, reason);

	require(result == (!is_live ? -EBADF : !reason ? -EINVAL : 0));
	if (!result)
		forget(s, id);
}

static void consume(struct run *x, struct side *s)
{
	uint16_t id = some_id(x);
	uint8_t part = reader_u8(&x->r);
	struct number *n = &s->numbers[id % NUMBERS];
	size_t held, bytes;

	if (id >= NUMBERS || !n->live) {
		mux_consumed(s->mux, x->now_us, id, part);
		return;
	}
	held = (size_t)(n->received - n->consumed);
	bytes = part < 128 ? held : held / 128 * (part - 128u);
	mux_consumed(s->mux, x->now_us, id, part < 16 ? SIZE_MAX : bytes);
	n->consumed += bytes;
	forget_if_over(s, id);
}

/* A frame as it should be, of any type and with any value. */
static void say_frame(struct run *x, struct side *s, enum type type)
{
	uint8_t frame[16];
	struct writer w = writer_over(frame, sizeof(frame));

	writer_u8(&w, (uint8_t)type);
	if (type < TYPE_PING)
		writer_u16(&w, some_id(x));
	else
		writer_u32(&w, 0);
	if (type >= TYPE_PING)
		writer_u32(&w, reader_u8(&x->r));
	else if (type == TYPE_RESET)
		writer_u8(&w, reader_u8(&x->r) % 4);
	else if (type == TYPE_WINDOW)
		writer_u32(&w, (uint32_t)reader_u8(&x->r) << reader_u8(&x->r) % 32);
	input(x, s, frame, w.position);
}

/* So much data, or streams, again and again. */
static void say_much(struct run *x, struct side *s, unsigned count, enum type type)
{
	static uint8_t frame[3 + MUX_DATA_MAX];
	uint16_t id = some_id(x);
	size_t length = type == TYPE_DATA ? reader_u8(&x->r) * (size_t)(MUX_DATA_MAX / 255) : 0;

	frame[0] = (uint8_t)type;
	for (; count; count--) {
		frame[1] = (uint8_t)(id >> 8);
		frame[2] = (uint8_t)id;
		input(x, s, frame, 3 + length);
		if (type == TYPE_OPEN)
			id = (uint16_t)(id + 2);
	}
}

/* A peer that says anything. */
static void say(struct run *x, struct side *s)
{
	uint8_t head = reader_u8(&x->r);
	struct span bytes;

	if (head < 64) {
		bytes = reader_span(&x->r, head % 16);
		input(x, s, bytes.data, bytes.length);
	} else if (head < 192) {
		say_frame(x, s, (enum type)(TYPE_OPEN + head % TYPE_PONG));
	} else {
		say_much(x, s, 1 + head % 32u, head < 224 ? TYPE_DATA : TYPE_OPEN);
	}
}

static void come(struct run *x, struct side *s)
{
	uint8_t count;

	if (!x->honest) {
		say(x, s);
		return;
	}
	for (count = reader_u8(&x->r) % 64; count && deliver(x, s); count--)
		;
}

static void step(struct run *x)
{
	uint8_t head = reader_u8(&x->r);
	struct side *s = &x->side[x->honest ? head >> 7 : 0], *to = &x->side[s == x->side];
	uint64_t us;

	switch ((enum step)(head % 128 % STEPS)) {
	case TIME:
		us = reader_u8(&x->r);
		x->now_us += us << reader_u8(&x->r) % 20;
		break;
	case OPEN:
		open_streams(x, s);
		break;
	case SEND:
		if (to->queued < QUEUE_MAX)
			send(x, s);
		break;
	case END:
		end(x, s);
		break;
	case RESET:
		reset(x, s);
		break;
	case CONSUME:
		consume(x, s);
		break;
	case PING:
		us = reader_u8(&x->r);
		mux_ping(s->mux, x->now_us, reader_u8(&x->r), us * 1000);
		break;
	case POLL:
		if (to->queued < QUEUE_MAX)
			poll(x, s, reader_u8(&x->r));
		break;
	case DELIVER:
		come(x, s);
		break;
	default:
		x->now_us += 100000;
		break;
	}
	check(s);
}

/* Nothing that had to be said is left. */
static void check_rest(const struct side *s)
{
	for (unsigned id = 0; id < NUMBERS; id++) {
		const struct number *n = &s->numbers[id];

		require(!n->live || (n->open && n->end_out == n->ended));
		require(n->live || !n->open || n->reset_out);
	}
}

/* Everything comes, and is answered; in the end the honest agree on each stream. */
static void come_to_rest(struct run *x)
{
	for (unsigned i = 0; i < 2; i++) {
		mux_ping(x->side[i].mux, x->now_us, 0, 0);
		require(poll(x, &x->side[i], REST));
	}
	for (bool more = x->honest; more;) {
		more = false;
		for (unsigned i = 0; i < 2; i++) {
			while (deliver(x, &x->side[i]))
				more = true;
			require(poll(x, &x->side[i], REST));
		}
	}
	check_rest(&x->side[0]);
	check_rest(&x->side[1]);
	for (unsigned id = 0; id < NUMBERS && x->honest; id++) {
		const struct number *a = &x->side[0].numbers[id], *b = &x->side[1].numbers[id];

		require(a->open == b->open);
		require(!a->open || (a->sent == b->received && a->may_send == b->may_receive));
		require(!a->open || (b->sent == a->received && b->may_send == a->may_receive));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run x;
	uint8_t head;

	memset(&x, 0, sizeof(x));
	x.r = reader_over(data, size);
	x.now_us = BEGIN_US;
	head = reader_u8(&x.r);
	x.honest = head & 1;
	for (unsigned i = 0; i < 2; i++) {
		struct mux_config config = {.patience_us = PATIENCE_US};

		config.keepalive_us = (head >> 2) * (uint64_t)SECOND;
		config.controlling = x.side[i].controlling = i == (head >> 1 & 1);
		x.side[i].last = &x.side[i].first;
		require(!mux_create(&config, x.now_us, &x.side[i].mux));
	}
	for (unsigned i = 0; i < STEPS_MAX && reader_left(&x.r); i++)
		step(&x);
	come_to_rest(&x);
	for (unsigned i = 0; i < 2; i++)
		mux_destroy(x.side[i].mux);
	return 0;
}
