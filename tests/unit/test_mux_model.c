// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/random.h"
#include "punch/mux.h"

/*
 * Two sides over one connection, in virtual time, with those who send and take the bytes. Each byte comes once, and in
 * order; no window is exceeded, which is counted here from the frames themselves.
 */

#define BEGIN_US    1000000000u
#define MS	    1000u
#define SECOND	    1000000u
#define STREAMS_MAX 4096 /* in a run, and then from the first again */
#define NUMBERS	    (2 * MUX_STREAMS)
#define PERIOD	    65521 /* of the bytes that are sent */

/* One direction of a stream. */
struct way {
	uint64_t size; /* how much is to be sent; UINT64_MAX: without end */
	uint64_t sent, received, consumed;
	uint64_t credit; /* that the receiver gave, with what both know */
	uint64_t known; /* … and the sender knows of */
	bool ended, end_received;
	bool stuck; /* nobody takes anything */
};

struct stream {
	bool opened, lost; /* reset by one of them */
	struct way way[2]; /* from this side */
};

struct frame {
	struct frame *next;
	uint64_t at_us;
	size_t length;
	uint8_t bytes[];
};

struct side {
	struct mux *mux;
	int streams[NUMBERS]; /* by number; -1: none */
	bool live[NUMBERS];
	struct frame *first, **last; /* on their way to it */
	size_t flight;
	uint64_t last_us; /* when the last of them comes */
	unsigned frames[8]; /* that came, by type */
	unsigned turn;
};

struct model {
	struct side side[2];
	struct stream streams[STREAMS_MAX];
	unsigned count;
	struct random random;
	uint64_t now_us, delay_us, jitter_us; /* one way */
	size_t capacity; /* of the connection: so much data may be on its way */
	size_t bite; /* of who takes it, at most, each time; 0: all */
	unsigned resets; /* one in so many moments, of each stream; 0: none */
	bool cut; /* nothing comes through */
};

static uint8_t pattern[PERIOD + SEALED_BYTES_MAX];

static int setup_pattern(void **state)
{
	struct random r;

	(void)state;
	random_init_number(&r, 7);
	random_bytes(&r, pattern, PERIOD);
	memcpy(pattern + PERIOD, pattern, SEALED_BYTES_MAX);
	return 0;
}

static const uint8_t *bytes_at(unsigned stream, int from, uint64_t position)
{
	return pattern + (position + stream * 7919 + (unsigned)from * 104729) % PERIOD;
}

static void begin(struct model *x, uint64_t seed, uint64_t keepalive_us)
{
	memset(x, 0, sizeof(*x));
	random_init_number(&x->random, seed);
	x->now_us = BEGIN_US;
	x->capacity = SIZE_MAX;
	for (int i = 0; i < 2; i++) {
		const struct mux_config c = {i == 0, keepalive_us, 10 * SECOND};

		assert_int_equal(mux_create(&c, x->now_us, &x->side[i].mux), 0);
		x->side[i].last = &x->side[i].first;
		memset(x->side[i].streams, 0xff, sizeof(x->side[i].streams));
	}
}

static void end(struct model *x)
{
	for (int i = 0; i < 2; i++) {
		while (x->side[i].first) {
			struct frame *f = x->side[i].first;

			x->side[i].first = f->next;
			free(f);
		}
		mux_destroy(x->side[i].mux);
	}
}

static struct way *way_of(struct model *x, int from, uint16_t id)
{
	int stream = x->side[from].streams[id];

	assert_true(stream >= 0);
	return &x->streams[stream].way[from];
}

/* --- the connection --- */

static void note_sent(struct model *x, int from, const uint8_t *bytes, size_t length)
{
	struct reader r = reader_over(bytes, length);
	uint8_t type = reader_u8(&r);
	uint16_t id = reader_u16(&r);

	if (type == 2) {
		struct way *w = way_of(x, from, id);

		w->sent += reader_left(&r);
		assert_true(w->sent <= w->known);
	} else if (type == 3) {
		struct way *w = way_of(x, !from, id);

		w->credit += reader_u32(&r);
		assert_true(w->credit - w->consumed <= MUX_WINDOW_MAX);
	}
}

static void note_come(struct model *x, int to, const uint8_t *bytes, size_t length)
{
	struct reader r = reader_over(bytes, length);
	uint8_t type = reader_u8(&r);
	uint16_t id = reader_u16(&r);

	x->side[to].frames[type]++;
	if (type == 3 && x->side[to].live[id])
		way_of(x, to, id)->known += reader_u32(&r);
}

static void transmit(struct model *x, int from, const uint8_t *bytes, size_t length)
{
	struct side *to = &x->side[!from];
	uint64_t at_us = x->now_us + x->delay_us +
		(x->jitter_us ? random_below(&x->random, (uint32_t)x->jitter_us) : 0);
	struct frame *f = malloc(sizeof(*f) + length);

	assert_non_null(f);
	note_sent(x, from, bytes, length);
	memcpy(f->bytes, bytes, length);
	f->next = NULL;
	f->length = length;
	f->at_us = to->last_us = at_us > to->last_us ? at_us : to->last_us;
	to->flight += length;
	*to->last = f;
	to->last = &f->next;
}

/* --- what comes --- */

static void drop(struct model *x, int i, uint16_t id)
{
	x->side[i].live[id] = false;
	x->streams[x->side[i].streams[id]].lost = true;
}

/* Ended both ways, and all taken: the number may soon be another stream's. */
static void forget_if_over(struct model *x, int i, uint16_t id)
{
	const struct stream *s = &x->streams[x->side[i].streams[id]];
	const struct way *in = &s->way[!i];

	if (s->way[i].ended && in->end_received && in->consumed == in->received)
		x->side[i].live[id] = false;
}

static void take_data(struct model *x, int to, const struct mux_payload *p)
{
	unsigned stream = (unsigned)x->side[to].streams[p->id];
	struct way *w = &x->streams[stream].way[!to];

	assert_false(w->end_received);
	assert_true(w->received + p->length <= w->sent);
	assert_memory_equal(p->data, bytes_at(stream, !to, w->received), p->length);
	w->received += p->length;
}

static void take(struct model *x, int to, const struct frame *f)
{
	struct side *s = &x->side[to];
	struct mux_payload p;
	int event;

	note_come(x, to, f->bytes, f->length);
	event = mux_input(s->mux, x->now_us, f->bytes, f->length, &p);
	assert_true(event >= 0);
	assert_true(event == MUX_OPENED || event == MUX_NOTHING || s->live[p.id]);
	if (event == MUX_OPENED) {
		assert_false(s->live[p.id]);
		s->streams[p.id] = x->side[!to].streams[p.id];
		s->live[p.id] = true;
	} else if (event == MUX_DATA) {
		take_data(x, to, &p);
	} else if (event == MUX_ENDED) {
		way_of(x, !to, p.id)->end_received = true;
		assert_true(x->streams[s->streams[p.id]].way[!to].received ==
			x->streams[s->streams[p.id]].way[!to].size);
		forget_if_over(x, to, p.id);
	} else if (event == MUX_RESET) {
		assert_int_equal(p.reason, MUX_ABORTED);
		drop(x, to, p.id);
	}
}

static void deliver(struct model *x, int to)
{
	struct side *s = &x->side[to];
	struct frame *f;

	while ((f = s->first) && f->at_us <= x->now_us && !x->cut) {
		s->first = f->next;
		if (!s->first)
			s->last = &s->first;
		s->flight -= f->length;
		take(x, to, f);
		free(f);
	}
}

/* --- what the sides do --- */

static unsigned open_stream(struct model *x, int i, uint64_t there, uint64_t back)
{
	unsigned stream = x->count++;
	struct stream *s = &x->streams[stream];
	uint16_t id;

	assert_true(stream < STREAMS_MAX);
	assert_int_equal(mux_open(x->side[i].mux, &id), 0);
	assert_false(x->side[i].live[id]);
	*s = (struct stream){.opened = true};
	s->way[i].size = there;
	s->way[!i].size = back;
	for (int k = 0; k < 2; k++)
		s->way[k].known = s->way[k].credit = MUX_WINDOW_MIN;
	x->side[i].streams[id] = (int)stream;
	x->side[i].live[id] = true;
	return stream;
}

static void consume(struct model *x, int i, uint16_t id)
{
	struct way *w = &x->streams[x->side[i].streams[id]].way[!i];
	uint64_t held = w->received - w->consumed;

	if (w->stuck || !held)
		return;
	if (x->bite)
		held = random_below(&x->random, (uint32_t)(held < x->bite ? held : x->bite) + 1);
	w->consumed += held;
	mux_consumed(x->side[i].mux, x->now_us, id, held);
	forget_if_over(x, i, id);
}

static void end_if_done(struct model *x, int i, uint16_t id)
{
	struct way *w = way_of(x, i, id);

	if (w->ended || w->sent < w->size)
		return;
	assert_int_equal(mux_end(x->side[i].mux, id), 0);
	w->ended = true;
	forget_if_over(x, i, id);
}

static bool send_data(struct model *x, int i, uint16_t id)
{
	uint8_t out[SEALED_BYTES_MAX];
	unsigned stream = (unsigned)x->side[i].streams[id];
	struct way *w = &x->streams[stream].way[i];
	size_t n = mux_room(x->side[i].mux, id);
	int length;

	if (n > w->size - w->sent)
		n = (size_t)(w->size - w->sent);
	if (n && x->bite)
		n = 1 + random_below(&x->random, (uint32_t)n);
	if (!n || w->ended)
		return false;
	length = mux_data(x->side[i].mux, id, bytes_at(stream, i, w->sent), n, out, sizeof(out));
	assert_int_equal(length, n + 3);
	transmit(x, i, out, (size_t)length);
	return true;
}

static void flush_control(struct model *x, int i)
{
	uint8_t out[MUX_CONTROL_MAX];
	uint64_t deadline_us;
	size_t length;
	int n;

	while ((n = mux_poll(x->side[i].mux, x->now_us, out, sizeof(out), &length, &deadline_us)))
		transmit(x, i, out, length);
	assert_true(deadline_us > x->now_us);
}

/* Streams take turns, as long as the connection takes anything. */
static void flush(struct model *x, int i)
{
	struct side *s = &x->side[i];
	unsigned idle = 0;

	flush_control(x, i);
	while (idle < NUMBERS && x->side[!i].flight < x->capacity) {
		uint16_t id = (uint16_t)(s->turn++ % NUMBERS);

		idle = s->live[id] && send_data(x, i, id) ? 0 : idle + 1;
	}
}

static void act(struct model *x, int i)
{
	struct side *s = &x->side[i];

	for (uint16_t id = 0; id < NUMBERS; id++) {
		if (s->live[id])
			consume(x, i, id);
		if (s->live[id])
			end_if_done(x, i, id);
		if (s->live[id] && x->resets && !random_below(&x->random, x->resets)) {
			assert_int_equal(mux_reset(s->mux, id, MUX_ABORTED), 0);
			drop(x, i, id);
		}
	}
}

static void moment(struct model *x, uint64_t step_us)
{
	for (int i = 0; i < 2; i++) {
		deliver(x, i);
		act(x, i);
		flush(x, i);
	}
	x->now_us += step_us;
}

static bool is_at_rest(const struct model *x)
{
	for (int i = 0; i < 2; i++)
		if (x->side[i].first || mux_statistics(x->side[i].mux).streams)
			return false;
	return true;
}

static void run_to_rest(struct model *x, uint64_t step_us)
{
	uint64_t end_us = x->now_us + 1000 * SECOND;

	while (!is_at_rest(x)) {
		assert_true(x->now_us < end_us);
		moment(x, step_us);
	}
}

static void run_for(struct model *x, uint64_t us, uint64_t step_us)
{
	for (uint64_t end_us = x->now_us + us; x->now_us < end_us;)
		moment(x, step_us);
}

static void assert_all_came(const struct model *x, unsigned stream)
{
	for (int i = 0; i < 2; i++) {
		const struct way *w = &x->streams[stream].way[i];

		assert_true(w->ended && w->end_received);
		assert_true(w->sent == w->size && w->received == w->size && w->consumed == w->size);
	}
}

/* --- tests --- */

static uint64_t some_size(struct model *x)
{
	return random_below(&x->random, 1u << random_below(&x->random, 22));
}

/* Any number of streams, of any size, opened at any time by either side, over any connection. */
static void random_run(uint64_t seed, unsigned resets)
{
	static struct model x;
	unsigned count;

	begin(&x, seed, seed % 3 * SECOND);
	x.delay_us = random_below(&x.random, 200 * MS);
	x.jitter_us = random_below(&x.random, 50 * MS);
	x.capacity = 1 + random_below(&x.random, 1u << (10 + random_below(&x.random, 13)));
	x.bite = 1 + random_below(&x.random, 1u << (10 + random_below(&x.random, 13)));
	x.resets = resets;
	count = 1 + random_below(&x.random, 20);
	for (unsigned i = 0; i < count; i++) {
		open_stream(&x, (int)random_below(&x.random, 2), some_size(&x), some_size(&x));
		run_for(&x, random_below(&x.random, 100 * MS), 1 * MS);
	}
	run_to_rest(&x, 10 * MS);
	for (unsigned i = 0; i < count; i++)
		if (!x.streams[i].lost)
			assert_all_came(&x, i);
		else
			assert_true(resets);
	for (int i = 0; i < 2; i++)
		assert_int_equal(mux_statistics(x.side[i].mux).windows_bytes, 0);
	end(&x);
}

static void test_random(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++)
		random_run(seed, 0);
}

static void test_random_resets(void **state)
{
	(void)state;
	for (uint64_t seed = 1000; seed < 1060; seed++)
		random_run(seed, 20 + (unsigned)seed % 7 * 100);
}

/* One that nobody reads stops after its window: the others, the way back and pings do not. */
static void test_stuck(void **state)
{
	static struct model x;
	struct way *stuck;
	unsigned all;

	(void)state;
	for (unsigned count = 1; count <= 19; count += 6) {
		begin(&x, count, 1 * SECOND);
		x.delay_us = 20 * MS;
		x.capacity = 256 << 10;
		stuck = &x.streams[open_stream(&x, 0, 4 << 20, 1 << 20)].way[0];
		stuck->stuck = true;
		for (all = 1; all <= count; all++)
			open_stream(&x, (int)(all % 2), 1 << 20, 1 << 20);
		run_for(&x, 20 * SECOND, 1 * MS);
		for (unsigned i = 1; i <= count; i++)
			assert_all_came(&x, i);
		assert_true(x.streams[0].way[1].consumed == 1 << 20);
		assert_true(stuck->received == MUX_WINDOW_MIN && !stuck->consumed);
		for (int i = 0; i < 2; i++) {
			struct mux_statistics s = mux_statistics(x.side[i].mux);

			assert_int_equal(s.streams, 1);
			assert_true(s.pings >= 5 && s.pongs + 1 >= s.pings);
			assert_true(s.rtt_us < 50 * MS);
		}
		stuck->stuck = false;
		run_to_rest(&x, 1 * MS);
		assert_all_came(&x, 0);
		end(&x);
	}
}

/* All 128 streams are stuck, in both directions. */
static void test_all_stuck(void **state)
{
	static struct model x;

	(void)state;
	begin(&x, 1, 0);
	x.delay_us = 20 * MS;
	for (unsigned i = 0; i < MUX_STREAMS; i++) {
		struct stream *s = &x.streams[open_stream(&x, (int)(i % 2), 1 << 20, 1 << 20)];

		s->way[0].stuck = s->way[1].stuck = true;
		moment(&x, 41 * MS);
	}
	run_for(&x, 1 * SECOND, 10 * MS);
	mux_ping(x.side[0].mux, x.now_us, 3, 100 * MS);
	run_for(&x, 1 * SECOND, 1 * MS);
	assert_int_equal(mux_statistics(x.side[0].mux).pongs, 3);
	for (unsigned i = 0; i < MUX_STREAMS; i++)
		for (int k = 0; k < 2; k++) {
			assert_true(x.streams[i].way[k].received == MUX_WINDOW_MIN);
			x.streams[i].way[k].stuck = false;
		}
	run_to_rest(&x, 10 * MS);
	for (unsigned i = 0; i < MUX_STREAMS; i++)
		assert_all_came(&x, i);
	end(&x);
}

/* A consumer that takes all at once gets what the largest window allows, and soon. */
static void test_throughput(void **state)
{
	static struct model x;
	uint64_t before;
	struct way *w;

	(void)state;
	begin(&x, 1, 0);
	x.delay_us = 50 * MS;
	w = &x.streams[open_stream(&x, 0, UINT64_MAX, 0)].way[0];
	run_for(&x, 1 * SECOND, 1 * MS);
	assert_true(mux_statistics(x.side[1].mux).rtt_us / MS / 5 == 20);
	assert_int_equal(mux_statistics(x.side[1].mux).windows_bytes, MUX_WINDOW_MAX);
	before = w->consumed;
	memset(x.side[0].frames, 0, sizeof(x.side[0].frames));
	run_for(&x, 1 * SECOND, 1 * MS);
	/* 80 MiB in a second, but for the moments of 1 ms */
	assert_in_range(w->consumed - before, 9u * MUX_WINDOW_MAX, 10u * MUX_WINDOW_MAX);
	assert_in_range(x.side[0].frames[3], 1, 40);
	end(&x);
}

/* What limits is the connection, and not the window: it stays, and what is held small. */
static void test_slow_connection(void **state)
{
	static struct model x;
	struct way *w;

	(void)state;
	begin(&x, 1, 0);
	x.delay_us = 50 * MS;
	x.capacity = 64 << 10;
	w = &x.streams[open_stream(&x, 0, UINT64_MAX, 0)].way[0];
	run_for(&x, 10 * SECOND, 1 * MS);
	assert_true(w->consumed > 10 << 20);
	assert_int_equal(mux_statistics(x.side[1].mux).windows_bytes, MUX_WINDOW_MIN);
	end(&x);
}

/* Four are enough to fill what all may have; each still gets on. */
static void test_many_fast(void **state)
{
	static struct model x;

	(void)state;
	begin(&x, 1, 0);
	x.delay_us = 20 * MS;
	for (unsigned i = 0; i < 12; i++)
		open_stream(&x, 0, 24 << 20, 0);
	while (!is_at_rest(&x)) {
		moment(&x, 1 * MS);
		assert_true(mux_statistics(x.side[1].mux).windows_bytes <= MUX_WINDOWS_MAX);
		assert_true(x.now_us < BEGIN_US + 10 * SECOND);
	}
	for (unsigned i = 0; i < 12; i++)
		assert_all_came(&x, i);
	end(&x);
}

/* The first bytes, and their end, come with the stream: no round trip before them. */
static void test_no_round_trip(void **state)
{
	static struct model x;

	(void)state;
	begin(&x, 1, 0);
	x.delay_us = 500 * MS;
	open_stream(&x, 1, MUX_WINDOW_MIN, 10);
	moment(&x, 0);
	moment(&x, 500 * MS);
	moment(&x, 0);
	assert_true(x.streams[0].way[1].consumed == MUX_WINDOW_MIN);
	assert_true(x.streams[0].way[1].end_received);
	run_for(&x, 1500 * MS, 500 * MS);
	assert_all_came(&x, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(mux_statistics(x.side[i].mux).streams, 0);
	end(&x);
}

/* Some more by one side, unless there are as many as it may have of all numbers. */
static bool open_some(struct model *x, int i, unsigned *all)
{
	for (unsigned n = random_below(&x->random, 30); n; n--) {
		const struct stream *s = &x->streams[*all % STREAMS_MAX];

		if (mux_statistics(x->side[i].mux).streams >= MUX_STREAMS / 2 - 8)
			return false;
		if (s->opened && !s->lost)
			assert_all_came(x, *all % STREAMS_MAX);
		x->count = (*all)++ % STREAMS_MAX;
		open_stream(x, i, random_below(&x->random, 20), random_below(&x->random, 20));
	}
	return true;
}

/* Far more streams than numbers, by both sides at once: numbers are used again, and nothing of one comes to another. */
static void test_reuse(void **state)
{
	static struct model x;
	unsigned all = 0, full = 0;

	(void)state;
	begin(&x, 1, 0);
	x.delay_us = 3 * MS;
	x.jitter_us = 2 * MS;
	x.resets = 40;
	while (all < 100000) {
		for (int i = 0; i < 2; i++)
			full += !open_some(&x, i, &all);
		moment(&x, 1 * MS);
	}
	x.resets = 0;
	run_to_rest(&x, 1 * MS);
	assert_true(full > 1000);
	end(&x);
}

/* The connection is cut without a word: that is found out after keepalive and patience, and never while it is not. */
static void test_silence(void **state)
{
	static struct model x;

	(void)state;
	begin(&x, 1, 3 * SECOND);
	x.delay_us = 50 * MS;
	open_stream(&x, 0, UINT64_MAX, 0);
	x.streams[0].way[0].stuck = true;
	for (unsigned i = 0; i < 60000; i++) {
		moment(&x, 1 * MS);
		for (int k = 0; k < 2; k++)
			assert_true(mux_silent_at(x.side[k].mux) > x.now_us + 9 * SECOND);
	}
	x.cut = true;
	run_for(&x, 4 * SECOND, 1 * MS);
	for (int k = 0; k < 2; k++) {
		struct mux_statistics s = mux_statistics(x.side[k].mux);

		assert_int_equal(mux_silent_at(x.side[k].mux), s.heard_us + (3 + 10) * SECOND);
	}
	end(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_random_resets),
		cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_all_stuck),
		cmocka_unit_test(test_throughput),
		cmocka_unit_test(test_slow_connection),
		cmocka_unit_test(test_many_fast),
		cmocka_unit_test(test_no_round_trip),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_silence),
	};

	return cmocka_run_group_tests(tests, setup_pattern, NULL);
}
