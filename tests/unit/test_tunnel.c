// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "test_tunnel_kit.h"

#define NUMBERS	    (2 * MUX_STREAMS)
#define TOTAL	    (1u << 20) /* bytes of a stream */
#define SLACK_BYTES (64u << 10) /* of memory, for what is not waiting bytes */
#define USE_FRAME   0x40
#define PINGS	    8
#define WIRE_BYTES  1000

/* What one end sees of a stream, and what it sends on it. */
struct flow {
	bool opened, ended, reset;
	bool lazy; /* what comes is not consumed at once */
	uint8_t reason;
	uint64_t received, held;
	uint64_t sent, total;
	bool said_end;
};

struct side {
	struct world *w;
	int index;
	struct flow flows[NUMBERS];
	unsigned changes, opened;
	bool destroys; /* in changed() */
	int error; /* … of what was destroyed */
};

/* A peer that the test plays, with the right keys. */
struct player {
	int fd;
	struct sealed sealed;
	uint8_t out[SEALED_RECORD_MAX + SEALED_HEADER];
};

struct kit {
	struct world w;
	struct side sides[ENDS];
	uint32_t seed;
};

static struct kit kit;

static const struct span salt = {(const uint8_t *)"connection 1", 12},
			 other_salt = {(const uint8_t *)"connection 2", 12};

static unsigned number_of(int side, uint16_t id)
{
	return (unsigned)side * NUMBERS + id;
}

/* --- ends --- */

static void take_data(struct side *s, struct flow *f, const struct mux_payload *payload)
{
	kit_check(number_of(!s->index, payload->id), f->received, payload->data, payload->length);
	f->received += payload->length;
	if (f->lazy)
		f->held += payload->length;
	else
		tunnel_consumed(
			s->w->tunnels[s->index], clock_now_us(), payload->id, payload->length);
}

static void on_event(void *context, enum mux_event event, const struct mux_payload *payload)
{
	struct side *s = context;
	struct flow *f = &s->flows[payload->id];

	switch (event) {
	case MUX_OPENED:
		*f = (struct flow){.opened = true};
		s->opened++;
		break;
	case MUX_DATA:
		take_data(s, f, payload);
		break;
	case MUX_ENDED:
		f->ended = true;
		break;
	case MUX_RESET:
		f->reset = true;
		f->reason = payload->reason;
		break;
	default:
		break;
	}
}

static void on_changed(void *context)
{
	struct side *s = context;
	struct tunnel **t = &s->w->tunnels[s->index];

	s->changes++;
	if (!s->destroys || !tunnel_error(*t))
		return;
	s->error = tunnel_error(*t);
	tunnel_destroy(*t);
	*t = NULL;
}

static struct tunnel_config config_of(int index, int fd)
{
	kit.sides[index].w = &kit.w;
	kit.sides[index].index = index;
	return (struct tunnel_config){.base = kit.w.base,
		.fd = fd,
		.keys = &kit.w.keys[index],
		.salt = salt,
		.controlling = !index,
		.use = (uint8_t)(index + 1),
		.event = on_event,
		.changed = on_changed,
		.context = &kit.sides[index]};
}

static void begin_end(const struct tunnel_config *config)
{
	struct side *s = config->context;

	assert_int_equal(tunnel_create(config, clock_now_us(), &kit.w.tunnels[s->index]), 0);
}

/* Both ends are tunnels. */
static void begin_both_over(bool narrow)
{
	struct tunnel_config config;
	int fds[2];

	kit_connect(fds, narrow);
	for (int i = 0; i < ENDS; i++) {
		config = config_of(i, fds[i]);
		begin_end(&config);
	}
}

static void begin_both(void)
{
	begin_both_over(false);
}

static struct tunnel *end_of(int side)
{
	return kit.w.tunnels[side];
}

static void on_turn(void *context);

static int setup(void **state)
{
	(void)state;
	memset(&kit, 0, sizeof(kit));
	kit.seed = 4711;
	world_begin(&kit.w);
	kit.w.turn = on_turn;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_end(&kit.w);
	return 0;
}

/* --- what the ends send --- */

static void write_some(struct side *s, uint16_t id)
{
	struct flow *f = &s->flows[id];
	struct tunnel *t = s->w->tunnels[s->index];
	uint8_t data[MUX_DATA_MAX];
	size_t room, length;

	while (t && f->sent < f->total && (room = tunnel_room(t, id))) {
		length = 1 + kit_random(&kit.seed) % (kit_random(&kit.seed) % 4 ? MUX_DATA_MAX : 9);
		length = length < room ? length : room;
		length = length < f->total - f->sent ? length : (size_t)(f->total - f->sent);
		kit_fill(number_of(s->index, id), f->sent, data, length);
		assert_int_equal(tunnel_write(t, id, data, length), 0);
		f->sent += length;
	}
	if (t && f->total && f->sent == f->total && !f->said_end) {
		f->said_end = true;
		tunnel_end(t, id);
	}
}

static void on_turn(void *context)
{
	(void)context;
	for (int i = 0; i < ENDS; i++)
		for (unsigned n = 0; n < NUMBERS; n++)
			if (kit.sides[i].flows[n].total)
				write_some(&kit.sides[i], (uint16_t)n);
}

static uint16_t open_at(int side)
{
	uint16_t id;

	assert_int_equal(tunnel_open(end_of(side), &id), 0);
	kit.sides[side].flows[id] = (struct flow){.opened = true};
	return id;
}

static struct flow *flow(int side, uint16_t id)
{
	return &kit.sides[side].flows[id];
}

/* Something goes there and comes back: all before it has arrived. */
static void fence(void)
{
	unsigned pongs = tunnel_statistics(end_of(0)).pongs;

	tunnel_ping(end_of(0), clock_now_us(), 1, 0);
	wait_until(&kit.w, tunnel_statistics(end_of(0)).pongs > pongs);
	pongs = tunnel_statistics(end_of(1)).pongs;
	tunnel_ping(end_of(1), clock_now_us(), 1, 0);
	wait_until(&kit.w, tunnel_statistics(end_of(1)).pongs > pongs);
}

/* --- a peer that the test plays --- */

static void begin_player(struct player *p, int side, int fd, struct span with)
{
	memset(p, 0, sizeof(*p));
	p->fd = fd;
	sealed_init(&p->sealed, &kit.w.keys[side], with);
}

/* The first end is a tunnel, the other is played. */
static void begin_over(struct player *p, bool narrow, bool exact)
{
	struct tunnel_config config;
	int fds[2];

	kit_connect(fds, narrow);
	config = config_of(0, fds[0]);
	config.exact = exact;
	begin_end(&config);
	begin_player(p, 1, fds[1], salt);
}

static void begin_played(struct player *p)
{
	begin_over(p, false, false);
}

static void end_played(struct player *p)
{
	tunnel_destroy(end_of(0));
	kit.w.tunnels[0] = NULL;
	close(p->fd);
}

/* Seals a frame into p->out: its bytes. */
static size_t seal(struct player *p, const void *frame, size_t length, bool last)
{
	int n = sealed_push(&p->sealed, frame, length, last, p->out, sizeof(p->out));

	assert_true(n > 0);
	return (size_t)n;
}

static void say_bytes(const struct player *p, const void *data, size_t length)
{
	assert_int_equal(send(p->fd, data, length, MSG_NOSIGNAL), length);
}

static void say(struct player *p, const void *frame, size_t length)
{
	say_bytes(p, p->out, seal(p, frame, length, false));
}

static void say_last(struct player *p)
{
	say_bytes(p, p->out, seal(p, NULL, 0, true));
}

static void say_ping(struct player *p)
{
	static const uint8_t ping[9] = {6};

	say(p, ping, sizeof(ping));
}

/* The first end has found out, and said so. */
static void assert_breaks_somehow(void)
{
	unsigned changes = kit.sides[0].changes;

	wait_until(&kit.w, tunnel_error(end_of(0)));
	wait_until(&kit.w, kit.sides[0].changes > changes);
	assert_int_equal(tunnel_silent_at(end_of(0)), 0);
	assert_int_equal(tunnel_turn(end_of(0), clock_now_us()), UINT64_MAX);
	assert_idle(&kit.w);
}

static void assert_breaks(int error)
{
	assert_breaks_somehow();
	assert_int_equal(tunnel_error(end_of(0)), error);
}

/* --- streams --- */

static bool is_carried(uint16_t id)
{
	return flow(0, id)->ended && flow(1, id)->ended && flow(0, id)->received == TOTAL &&
		flow(1, id)->received == TOTAL;
}

static void carry_both_ways(bool narrow)
{
	uint16_t ids[4];

	begin_both_over(narrow);
	for (size_t i = 0; i < LENGTH(ids); i++) {
		int side = i % 2;

		ids[i] = open_at(side);
		assert_int_equal(ids[i] % 2, side);
		wait_until(&kit.w, flow(!side, ids[i])->opened);
		flow(0, ids[i])->total = flow(1, ids[i])->total = TOTAL;
	}
	for (size_t i = 0; i < LENGTH(ids); i++)
		wait_until(&kit.w, is_carried(ids[i]));
	for (int i = 0; i < ENDS; i++) {
		wait_until(&kit.w, !tunnel_statistics(end_of(i)).streams);
		assert_int_equal(tunnel_statistics(end_of(i)).sent_bytes, LENGTH(ids) * TOTAL);
		assert_int_equal(tunnel_statistics(end_of(i)).received_bytes, LENGTH(ids) * TOTAL);
		assert_int_equal(tunnel_peer_use(end_of(i)), !i + 1);
		assert_true(tunnel_is_heard(end_of(i)));
		assert_int_equal(tunnel_error(end_of(i)), 0);
	}
	assert_idle(&kit.w);
}

static void test_both_ways(void **state)
{
	(void)state;
	carry_both_ways(false);
}

/* Much waits in the tunnel all the time. */
static void test_narrow(void **state)
{
	(void)state;
	carry_both_ways(true);
}

/* Who ends first still gets what the other sends. */
static void test_half_closed(void **state)
{
	(void)state;
	begin_both();
	for (int first = 0; first < ENDS; first++) {
		uint16_t id = open_at(0);

		wait_until(&kit.w, flow(1, id)->opened);
		flow(first, id)->total = 1;
		wait_until(&kit.w, flow(!first, id)->ended);
		assert_int_equal(flow(!first, id)->received, 1);
		assert_int_equal(tunnel_room(end_of(first), id), 0);
		flow(!first, id)->total = TOTAL;
		wait_until(&kit.w, flow(first, id)->ended);
		assert_int_equal(flow(first, id)->received, TOTAL);
		flow(first, id)->total = flow(!first, id)->total = 0;
		wait_until(&kit.w, !tunnel_statistics(end_of(0)).streams);
		wait_until(&kit.w, !tunnel_statistics(end_of(1)).streams);
	}
}

/* A stream that nobody reads stops who sends on it, and nobody else. */
static void test_window(void **state)
{
	uint16_t stuck, other;
	size_t before;

	(void)state;
	begin_both();
	stuck = open_at(0);
	other = open_at(0);
	wait_until(&kit.w, flow(1, other)->opened);
	flow(1, stuck)->lazy = true;
	flow(0, stuck)->total = TOTAL;
	wait_until(&kit.w, flow(1, stuck)->held == MUX_WINDOW_MIN);
	assert_int_equal(tunnel_room(end_of(0), stuck), 0);
	assert_int_equal(tunnel_write(end_of(0), stuck, "x", 1), -EAGAIN);
	fence();
	before = kit_memory_now;
	flow(0, other)->total = flow(1, other)->total = TOTAL;
	wait_until(&kit.w, is_carried(other));
	assert_int_equal(flow(1, stuck)->received, MUX_WINDOW_MIN);
	assert_in_range(kit_memory_now, 0, before + SLACK_BYTES);
	flow(0, other)->total = flow(1, other)->total = 0;
	flow(1, stuck)->lazy = false;
	tunnel_consumed(end_of(1), clock_now_us(), stuck, (size_t)flow(1, stuck)->held);
	wait_until(&kit.w, flow(1, stuck)->ended);
	assert_int_equal(flow(1, stuck)->received, TOTAL);
}

static void test_reset(void **state)
{
	uint16_t id;

	(void)state;
	begin_both();
	id = open_at(0);
	wait_until(&kit.w, flow(1, id)->opened);
	tunnel_reset(end_of(1), id, MUX_ABORTED);
	wait_until(&kit.w, flow(0, id)->reset);
	assert_int_equal(flow(0, id)->reason, MUX_ABORTED);
	assert_int_equal(tunnel_room(end_of(0), id), 0);
	assert_int_equal(tunnel_write(end_of(0), id, "x", 1), -EAGAIN);
	wait_until(&kit.w, !tunnel_statistics(end_of(1)).streams);
	assert_int_equal(tunnel_statistics(end_of(0)).streams, 0);
}

static void test_too_many(void **state)
{
	uint16_t id;

	(void)state;
	begin_both();
	for (int i = 0; i < MUX_STREAMS; i++)
		open_at(0);
	assert_int_equal(tunnel_open(end_of(0), &id), -EMFILE);
	wait_until(&kit.w, kit.sides[1].opened == MUX_STREAMS);
	assert_int_equal(tunnel_open(end_of(1), &id), -EMFILE);
}

/* --- the end --- */

static void test_close(void **state)
{
	uint16_t id;

	(void)state;
	begin_both();
	id = open_at(0);
	wait_until(&kit.w, flow(1, id)->opened);
	tunnel_close(end_of(0));
	assert_int_equal(tunnel_room(end_of(0), id), 0);
	assert_int_equal(tunnel_write(end_of(0), id, "x", 1), -EAGAIN);
	assert_int_equal(tunnel_open(end_of(0), &id), -EPIPE);
	assert_false(tunnel_is_closed(end_of(0)));
	wait_until(&kit.w, tunnel_is_closed(end_of(1)));
	assert_true(tunnel_is_flushed(end_of(0)));
	assert_false(tunnel_is_flushed(end_of(1)));
	assert_int_equal(tunnel_silent_at(end_of(1)), UINT64_MAX);
	/* the other direction goes on */
	flow(1, id)->total = TOTAL / 8;
	wait_until(&kit.w, flow(0, id)->ended);
	assert_int_equal(flow(0, id)->received, TOTAL / 8);
	tunnel_close(end_of(1));
	wait_until(&kit.w, tunnel_is_closed(end_of(0)));
	wait_until(&kit.w, tunnel_is_flushed(end_of(1)));
	tunnel_close(end_of(1)); /* again */
	assert_int_equal(tunnel_error(end_of(0)), 0);
	assert_int_equal(tunnel_error(end_of(1)), 0);
	assert_idle(&kit.w);
}

/* Who has waited for room is told when there is some; and flushed is what the peer's kernel has taken. */
static void test_room(void **state)
{
	struct player p;
	uint8_t data[4096];
	unsigned changes;
	uint16_t id;

	(void)state;
	begin_over(&p, true, false);
	id = open_at(0);
	open_at(0);
	flow(0, id)->total = MUX_WINDOW_MIN;
	wait_until(&kit.w, flow(0, id)->sent == MUX_WINDOW_MIN);
	tunnel_close(end_of(0));
	assert_idle(&kit.w);
	assert_false(tunnel_is_flushed(end_of(0)));
	changes = kit.sides[0].changes;
	do
		world_turn(&kit.w, EVLOOP_NONBLOCK);
	while (recv(p.fd, data, sizeof(data), 0) > 0 || !tunnel_is_flushed(end_of(0)));
	assert_true(kit.sides[0].changes > changes);
	assert_int_equal(tunnel_error(end_of(0)), 0);
	close(p.fd);
}

/* What follows the last record is not ours. */
static void test_behind_last(void **state)
{
	uint8_t out[2 * SEALED_RECORD_MAX];
	struct player p;
	size_t length;

	(void)state;
	begin_played(&p);
	length = seal(&p, NULL, 0, true);
	memcpy(out, p.out, length);
	memset(out + length, 'x', sizeof(out) - length);
	say_bytes(&p, out, sizeof(out));
	wait_until(&kit.w, tunnel_is_closed(end_of(0)));
	assert_idle(&kit.w);
	assert_int_equal(tunnel_error(end_of(0)), 0);
	close(p.fd);
}

/* --- a connection that is cut --- */

static void cut(int fd, bool reset)
{
	if (reset)
		tcp_reset(fd);
	else
		close(fd);
}

static void test_cut(void **state)
{
	(void)state;
	for (int reset = 0; reset < 2; reset++) {
		struct player p;

		begin_played(&p);
		cut(p.fd, reset);
		assert_breaks(-ECONNRESET);
		tunnel_destroy(end_of(0));
		kit.w.tunnels[0] = NULL;
	}
}

/* In the middle of much, in both directions; and the end that finds out is destroyed in the callback. */
static void test_cut_busy(void **state)
{
	(void)state;
	for (int reset = 0; reset < 2; reset++) {
		uint16_t id;
		int fd;

		begin_both();
		id = open_at(0);
		wait_until(&kit.w, flow(1, id)->opened);
		flow(0, id)->total = flow(1, id)->total = 16 * TOTAL;
		wait_until(&kit.w, flow(0, id)->received > TOTAL);
		kit.sides[0].destroys = true;
		kit.sides[0].error = 0;
		fd = tunnel_take(end_of(1));
		tunnel_destroy(end_of(1));
		kit.w.tunnels[1] = NULL;
		cut(fd, reset);
		wait_until(&kit.w, !end_of(0));
		assert_true(kit.sides[0].error == -ECONNRESET || kit.sides[0].error == -EPIPE);
		memset(kit.sides, 0, sizeof(kit.sides));
	}
}

/* Also when it is found out by writing somebody is told. */
static void test_cut_found_by_writing(void **state)
{
	struct player p;

	(void)state;
	begin_played(&p);
	tunnel_turn(end_of(0), clock_now_us());
	tcp_reset(p.fd);
	for (int i = 0; i < 2; i++)
		tunnel_ping(end_of(0), clock_now_us(), 1, 0);
	assert_breaks_somehow();
}

/* What has come before it is not lost. */
static void test_cut_after_last(void **state)
{
	static const uint8_t open[] = {1, 0, 1};
	struct player p;

	(void)state;
	begin_played(&p);
	tunnel_turn(end_of(0), clock_now_us());
	say(&p, open, sizeof(open));
	say_last(&p);
	tcp_reset(p.fd);
	for (int i = 0; i < 2; i++)
		tunnel_ping(end_of(0), clock_now_us(), 1, 0);
	assert_breaks_somehow();
	assert_true(tunnel_is_closed(end_of(0)));
	assert_int_equal(kit.sides[0].opened, 1);
}

/* When nothing more is read it is found out only by writing. */
static void test_cut_when_closed(void **state)
{
	struct player p;

	(void)state;
	begin_played(&p);
	tunnel_turn(end_of(0), clock_now_us());
	say_last(&p);
	wait_until(&kit.w, tunnel_is_closed(end_of(0)));
	tcp_reset(p.fd);
	tunnel_ping(end_of(0), clock_now_us(), 1, 0);
	assert_breaks_somehow();
}

static void test_no_socket(void **state)
{
	struct tunnel *t;
	int fds[2];
	struct tunnel_config config;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	config = config_of(0, fds[0]);
	assert_int_equal(tunnel_create(&config, clock_now_us(), &t), -ENOTSOCK);
	close(fds[1]); /* the other was the tunnel's */
}

/* --- what no peer has sealed --- */

static void test_altered(void **state)
{
	static const uint8_t open[] = {1, 0, 1};
	/* of the header, of the first length, of the ciphertext, of its tag */
	static const size_t places[] = {0, SEALED_HEADER - 1, SEALED_HEADER, SEALED_HEADER + 1,
		SEALED_HEADER + 2, SEALED_HEADER + SEALED_OVERHEAD + sizeof(open) - 1};

	(void)state;
	for (size_t i = 0; i < LENGTH(places); i++) {
		struct player p;
		size_t length;

		begin_played(&p);
		length = seal(&p, open, sizeof(open), false);
		p.out[places[i]] ^= 1;
		say_bytes(&p, p.out, length);
		/* more than any length says */
		for (int n = 0; n < 8; n++)
			say_bytes(&p, p.out, sizeof(p.out) / 8);
		assert_breaks(-EBADMSG);
		assert_int_equal(kit.sides[0].opened, 0);
		end_played(&p);
	}
}

static void test_missing(void **state)
{
	struct player p;

	(void)state;
	begin_played(&p);
	say_ping(&p);
	seal(&p, "", 0, false); /* and is lost */
	say_ping(&p);
	assert_breaks(-EBADMSG);
	close(p.fd);
}

static void test_repeated(void **state)
{
	struct player p;
	size_t length;

	(void)state;
	begin_played(&p);
	say_ping(&p);
	length = seal(&p, (const uint8_t[]){1, 0, 1}, 3, false);
	say_bytes(&p, p.out, length);
	say_bytes(&p, p.out, length);
	assert_breaks(-EBADMSG);
	assert_int_equal(kit.sides[0].opened, 1);
	close(p.fd);
}

static void test_other_connection(void **state)
{
	struct player p;
	int fd;

	(void)state;
	begin_played(&p);
	fd = p.fd;
	begin_player(&p, 1, fd, other_salt);
	say_ping(&p);
	assert_breaks(-EBADMSG);
	close(fd);
}

/* What this side has sent comes back. */
static void test_reflected(void **state)
{
	struct player p;
	int fd;

	(void)state;
	begin_played(&p);
	fd = p.fd;
	begin_player(&p, 0, fd, salt);
	say_ping(&p);
	assert_breaks(-EBADMSG);
	close(fd);
}

static void test_garbage(void **state)
{
	uint8_t garbage[64 << 10];

	(void)state;
	for (size_t i = 0; i < sizeof(garbage); i++)
		garbage[i] = (uint8_t)kit_random(&kit.seed);
	for (int exact = 0; exact < 2; exact++) {
		struct player p;

		begin_over(&p, false, exact);
		for (size_t i = 0; i < 4; i++)
			assert_true(send(p.fd, garbage, sizeof(garbage), MSG_NOSIGNAL) > 0);
		assert_breaks(-EBADMSG);
		end_played(&p);
	}
}

/* --- a peer that has the keys, and breaks the rules --- */

static void test_rules(void **state)
{
	static const struct {
		uint8_t frame[16];
		size_t length;
	} rows[] = {
		{{0}, 0}, /* nothing */
		{{1, 0, 0}, 3}, /* a number of ours */
		{{2, 0, 1, 'x'}, 4}, /* of a stream that there is not */
		{{1, 1, 1}, 3}, /* a number that there is not */
		{{7, 1, 2, 3, 4, 5, 6, 7, 8}, 9}, /* an answer to nothing */
		{{6, 1}, 2}, /* cut short */
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct player p;

		begin_played(&p);
		say(&p, rows[i].frame, rows[i].length);
		assert_breaks(-EBADMSG);
		end_played(&p);
	}
}

static void test_later_version(void **state)
{
	struct player p;

	(void)state;
	begin_played(&p);
	say(&p, (const uint8_t[]){USE_FRAME, 7, 8, 9}, 4);
	say(&p, (const uint8_t[]){0x7f, 1, 2, 3}, 4);
	wait_until(&kit.w, tunnel_peer_use(end_of(0)) == 7);
	say(&p, (const uint8_t[]){1, 0, 1}, 3);
	wait_until(&kit.w, kit.sides[0].opened == 1);
	assert_int_equal(tunnel_error(end_of(0)), 0);
	close(p.fd);
}

/* The answers to what it asks, a few things at a time, are not kept without end. */
static void test_flood(void **state)
{
	const size_t memory_max = kit.w.memory + (1u << 20);
	struct player p;

	(void)state;
	begin_over(&p, true, false);
	while (!tunnel_error(end_of(0)) && kit_memory_now < memory_max) {
		uint64_t now_us = clock_now_us();

		for (int i = 0; i < 4; i++)
			say_ping(&p);
		wait_until(&kit.w, tunnel_statistics(end_of(0)).heard_us >= now_us);
	}
	assert_in_range(kit_memory_peak, 0, memory_max);
	assert_int_equal(tunnel_error(end_of(0)), -EBADMSG);
	close(p.fd);
}

/* One that reads nothing gets no more than fits. */
static void test_never_reads(void **state)
{
	struct player p;

	(void)state;
	begin_over(&p, true, false);
	for (int i = 0; i < MUX_STREAMS; i++)
		flow(0, open_at(0))->total = TOTAL;
	for (int i = 0; i < 100; i++)
		world_turn(&kit.w, EVLOOP_NONBLOCK);
	assert_in_range(kit_memory_now, 0, kit.w.memory + (512u << 10));
	for (int i = 0; i < MUX_STREAMS; i++)
		assert_int_equal(tunnel_room(end_of(0), (uint16_t)(2 * i)), 0);
	assert_idle(&kit.w);
	close(p.fd);
}

/* --- the socket goes on to another program --- */

/* What a peer says: pings, the last record, and what is not for us. */
static size_t wire_of(struct player *p, const char *behind, uint8_t *wire)
{
	size_t length = 0, n;

	for (int i = 0; i <= PINGS; i++) {
		n = i < PINGS ? seal(p, (const uint8_t[9]){6}, 9, false) : seal(p, NULL, 0, true);
		memcpy(wire + length, p->out, n);
		length += n;
	}
	memcpy(wire + length, behind, strlen(behind));
	return length + strlen(behind);
}

static void test_exact(void **state)
{
	static const char behind[] = "of the next program";
	static const size_t pieces[] = {1, 7, 30, 100, WIRE_BYTES};
	uint8_t wire[WIRE_BYTES], data[sizeof(behind)];
	struct player p;

	(void)state;
	for (size_t row = 0; row < LENGTH(pieces); row++) {
		size_t length, piece = pieces[row];
		int fd;

		begin_over(&p, false, true);
		length = wire_of(&p, behind, wire);
		for (size_t i = 0; i < length; i += piece) {
			say_bytes(&p, wire + i, piece < length - i ? piece : length - i);
			world_turn(&kit.w, EVLOOP_NONBLOCK);
		}
		wait_until(&kit.w, tunnel_is_closed(end_of(0)));
		tunnel_close(end_of(0));
		wait_until(&kit.w, tunnel_is_flushed(end_of(0)));
		assert_idle(&kit.w);
		fd = tunnel_take(end_of(0));
		end_played(&p); /* which says FIN */
		kit_wait(fd, true);
		assert_int_equal(recv(fd, data, sizeof(data), MSG_WAITALL), strlen(behind));
		assert_memory_equal(data, behind, strlen(behind));
		close(fd);
	}
}

/* … as the kernel makes one. */
static void test_taken_as_new(void **state)
{
	static const struct {
		int level, option;
	} options[] = {{SOL_SOCKET, SO_RCVLOWAT}, {IPPROTO_TCP, TCP_NODELAY},
		{IPPROTO_TCP, TCP_USER_TIMEOUT}};
	struct player p;
	int fresh[2], fd, events;

	(void)state;
	kit_connect(fresh, false);
	begin_played(&p);
	events = event_base_get_num_events(kit.w.base, EVENT_BASE_COUNT_ADDED);
	fd = tunnel_take(end_of(0));
	assert_int_equal(event_base_get_num_events(kit.w.base, EVENT_BASE_COUNT_ADDED), events - 1);
	for (size_t i = 0; i < LENGTH(options); i++) {
		int expected, value;
		socklen_t length = sizeof(value);

		assert_int_equal(getsockopt(fresh[0], options[i].level, options[i].option,
					 &expected, &length),
			0);
		assert_int_equal(
			getsockopt(fd, options[i].level, options[i].option, &value, &length), 0);
		assert_int_equal(value, expected);
	}
	close(fd);
	close(p.fd);
	close(fresh[0]);
	close(fresh[1]);
}

/* --- time --- */

static void test_silence(void **state)
{
	struct player p;
	struct tunnel_config config;
	int fds[2];
	uint64_t now_us = clock_now_us(), at_us;

	(void)state;
	kit_connect(fds, false);
	config = config_of(0, fds[0]);
	config.keepalive_us = 10000000;
	config.patience_us = 25000000;
	assert_int_equal(tunnel_create(&config, now_us, &kit.w.tunnels[0]), 0);
	begin_player(&p, 1, fds[1], salt);
	assert_false(tunnel_is_heard(end_of(0)));
	assert_int_equal(tunnel_turn(end_of(0), now_us), now_us + config.keepalive_us);
	assert_int_equal(tunnel_silent_at(end_of(0)), UINT64_MAX);
	now_us += config.keepalive_us;
	assert_int_equal(tunnel_turn(end_of(0), now_us), UINT64_MAX);
	at_us = tunnel_silent_at(end_of(0));
	assert_int_equal(at_us, now_us + config.patience_us);
	assert_int_equal(tunnel_statistics(end_of(0)).pings, 1);
	say(&p, (const uint8_t[]){7, [8] = 0}, 9);
	wait_until(&kit.w, tunnel_is_heard(end_of(0)));
	assert_int_equal(tunnel_silent_at(end_of(0)), UINT64_MAX);
	/* who has said its last word need not answer */
	say_last(&p);
	wait_until(&kit.w, tunnel_is_closed(end_of(0)));
	tunnel_turn(end_of(0), clock_now_us() + config.keepalive_us);
	assert_int_equal(tunnel_statistics(end_of(0)).pings, 2);
	assert_int_equal(tunnel_silent_at(end_of(0)), UINT64_MAX);
	close(p.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_narrow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_window, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_behind_last, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_busy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_found_by_writing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_after_last, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_when_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_altered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_repeated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reflected, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later_version, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
		cmocka_unit_test_setup_teardown(test_never_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken_as_new, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
	};

	kit_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
