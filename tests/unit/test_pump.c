// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "test_tunnel_kit.h"
#include "tools/punch/pump.h"

#define TOTAL	    (300u << 10) /* bytes in one direction: more than a window */
#define MUCH	    (8u << 20) /* … more than all buffers hold */
#define LINES	    2 /* streams at once */
#define CHUNK_MAX   40000
#define SLACK_BYTES (256u << 10) /* of memory, for what is not waiting bytes */

enum kind { UNIX_SOCKET, TCP_SOCKET, PIPES, PIPES_THAT_WAIT, KINDS };

/* A program at one end of a stream. */
struct program {
	int to, from; /* it writes and reads there; -1: it does not any more */
	uint64_t sent, total, received;
	bool ends; /* when all is sent */
	bool stops; /* it does not read */
	bool saw_end;
	int error; /* of reading or writing */
};

struct end {
	struct pump *pump;
	int in, out; /* what it will have */
	struct program program;
	bool ended, reset;
	int error;
	uint8_t reason;
};

struct line {
	uint16_t id;
	bool opened;
	struct end ends[ENDS];
};

struct kit {
	struct world w;
	struct line lines[LINES];
	int line_count;
	uint32_t seed;
};

static struct kit kit;

static struct line *line_of(uint16_t id)
{
	for (int i = 0; i < kit.line_count; i++)
		if (kit.lines[i].id == id)
			return &kit.lines[i];
	fail_msg("no stream %u", id);
	return NULL;
}

/* --- programs --- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Both ends of the way out, if it is one socket. */
static void end_writing(struct program *p)
{
	if (p->to == p->from)
		shutdown(p->to, SHUT_WR);
	else
		close_fd(&p->to);
	p->ends = false;
}

static unsigned stream_of(const struct line *l, int end)
{
	return (unsigned)(l - kit.lines) * ENDS + (unsigned)end;
}

static void write_program(const struct line *l, int end, struct program *p)
{
	uint8_t data[CHUNK_MAX];

	while (p->to >= 0 && p->sent < p->total && !p->error) {
		size_t length = 1 + kit_random(&kit.seed) % CHUNK_MAX;
		ssize_t n;

		if (length > p->total - p->sent)
			length = (size_t)(p->total - p->sent);
		kit_fill(stream_of(l, end), p->sent, data, length);
		n = write(p->to, data, length);
		if (n < 0) {
			p->error = errno == EAGAIN ? 0 : -errno;
			return;
		}
		p->sent += (size_t)n;
	}
	if (p->ends && p->sent == p->total)
		end_writing(p);
}

static void read_program(const struct line *l, int end, struct program *p)
{
	uint8_t data[CHUNK_MAX];

	while (p->from >= 0 && !p->stops && !p->saw_end && !p->error) {
		ssize_t n = read(p->from, data, 1 + kit_random(&kit.seed) % CHUNK_MAX);

		if (n < 0) {
			p->error = errno == EAGAIN ? 0 : -errno;
			return;
		}
		kit_check(stream_of(l, !end), p->received, data, (size_t)n);
		p->received += (size_t)n;
		p->saw_end = !n;
	}
}

static void on_turn(void *context)
{
	(void)context;
	for (int i = 0; i < kit.line_count; i++)
		for (int e = 0; e < ENDS; e++) {
			struct end *end = &kit.lines[i].ends[e];

			write_program(&kit.lines[i], e, &end->program);
			read_program(&kit.lines[i], e, &end->program);
			if (end->pump)
				pump_turn(end->pump);
		}
}

/* --- pumps --- */

static void on_ended(void *context, uint16_t id, int error)
{
	struct end *e = context;

	(void)id;
	assert_false(e->ended);
	e->ended = true;
	e->error = error;
	pump_destroy(e->pump);
	e->pump = NULL;
}

static void begin_pump(struct line *l, int end)
{
	struct end *e = &l->ends[end];
	const struct pump_config config = {.base = kit.w.base,
		.tunnel = kit.w.tunnels[end],
		.id = l->id,
		.in = e->in,
		.out = e->out,
		.ended = on_ended,
		.context = e};

	assert_int_equal(pump_create(&config, &e->pump), 0);
}

static void take_event(int end, enum mux_event event, const struct mux_payload *payload)
{
	struct line *l = line_of(payload->id);
	struct end *e = &l->ends[end];

	if (event == MUX_OPENED) {
		l->opened = true;
		begin_pump(l, end);
	} else if (event == MUX_RESET) {
		e->reset = true;
		e->reason = payload->reason;
		pump_destroy(e->pump);
		e->pump = NULL;
	} else if (!e->pump) {
		return;
	} else if (event == MUX_DATA) {
		pump_data(e->pump, payload->data, payload->length);
	} else if (event == MUX_ENDED) {
		pump_end(e->pump);
	} else if (event == MUX_ROOM) {
		pump_turn(e->pump);
	}
}

static void on_event_0(void *context, enum mux_event event, const struct mux_payload *payload)
{
	(void)context;
	take_event(0, event, payload);
}

static void on_event_1(void *context, enum mux_event event, const struct mux_payload *payload)
{
	(void)context;
	take_event(1, event, payload);
}

static void on_changed(void *context)
{
	(void)context;
}

static int setup(void **state)
{
	int fds[2];

	(void)state;
	memset(&kit, 0, sizeof(kit));
	world_begin(&kit.w);
	kit.w.turn = on_turn;
	kit.w.awake = true;
	kit_connect(fds, false);
	for (int i = 0; i < ENDS; i++) {
		const struct tunnel_config config = {.base = kit.w.base,
			.fd = fds[i],
			.keys = &kit.w.keys[i],
			.salt = {(const uint8_t *)"salt", 4},
			.controlling = !i,
			.use = 1,
			.event = i ? on_event_1 : on_event_0,
			.changed = on_changed};

		assert_int_equal(tunnel_create(&config, clock_now_us(), &kit.w.tunnels[i]), 0);
	}
	return 0;
}

static void close_program(struct program *p)
{
	if (p->from != p->to)
		close_fd(&p->from);
	close_fd(&p->to);
	p->from = -1;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < kit.line_count; i++)
		for (int e = 0; e < ENDS; e++) {
			pump_destroy(kit.lines[i].ends[e].pump);
			close_program(&kit.lines[i].ends[e].program);
		}
	world_end(&kit.w);
	return 0;
}

/* --- a stream --- */

static void make_pipe(int *from, int *to)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	*from = fds[0];
	*to = fds[1];
}

/* The test's own descriptors never wait. */
static void prepare_end(struct end *e, enum kind kind)
{
	int fds[2];

	if (kind == TCP_SOCKET) {
		kit_connect(fds, true);
	} else if (kind == UNIX_SOCKET) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	} else {
		make_pipe(&e->in, &e->program.to);
		make_pipe(&e->program.from, &e->out);
		kit_wait(e->program.to, false);
		kit_wait(e->program.from, false);
		kit_wait(e->out, kind == PIPES_THAT_WAIT);
		kit_wait(e->in, kind == PIPES_THAT_WAIT);
		return;
	}
	e->in = e->out = fds[0];
	e->program.to = e->program.from = fds[1];
}

static struct line *prepare_line(enum kind first, enum kind second)
{
	struct line *l = &kit.lines[kit.line_count++];

	assert_true(kit.line_count <= LINES);
	memset(l, 0, sizeof(*l));
	prepare_end(&l->ends[0], first);
	prepare_end(&l->ends[1], second);
	return l;
}

static void begin_line(struct line *l)
{
	assert_int_equal(tunnel_open(kit.w.tunnels[0], &l->id), 0);
	begin_pump(l, 0);
	wait_until(&kit.w, l->opened);
}

static struct line *begin_kinds(enum kind first, enum kind second)
{
	struct line *l = prepare_line(first, second);

	begin_line(l);
	return l;
}

static void send_all(struct line *l, int end, uint64_t total)
{
	l->ends[end].program.total = total;
	l->ends[end].program.ends = true;
}

static bool is_carried(const struct line *l, int end)
{
	return l->ends[!end].program.saw_end &&
		l->ends[!end].program.received == l->ends[end].program.total;
}

static bool is_over(const struct line *l)
{
	return l->ends[0].ended && l->ends[1].ended;
}

static void assert_clean(struct line *l)
{
	wait_until(&kit.w, is_over(l));
	for (int e = 0; e < ENDS; e++) {
		assert_int_equal(l->ends[e].error, 0);
		assert_int_equal(l->ends[e].program.error, 0);
		close_program(&l->ends[e].program);
		wait_until(&kit.w, !tunnel_statistics(kit.w.tunnels[e]).streams);
	}
}

/* --- what is carried --- */

static void test_both_ways(void **state)
{
	(void)state;
	for (int first = 0; first < KINDS; first++)
		for (int second = 0; second < KINDS; second++) {
			struct line *l;

			kit.line_count = 0;
			l = begin_kinds((enum kind)first, (enum kind)second);
			send_all(l, 0, TOTAL);
			send_all(l, 1, TOTAL);
			wait_until(&kit.w, is_carried(l, 0) && is_carried(l, 1));
			assert_clean(l);
		}
}

static void test_half_closed(void **state)
{
	(void)state;
	for (int kind = 0; kind < KINDS; kind++)
		for (int first = 0; first < ENDS; first++) {
			struct line *l;

			kit.line_count = 0;
			l = begin_kinds((enum kind)kind, (enum kind)kind);
			send_all(l, first, 100);
			wait_until(&kit.w, is_carried(l, first));
			assert_false(l->ends[0].ended || l->ends[1].ended);
			send_all(l, !first, TOTAL);
			wait_until(&kit.w, is_carried(l, !first));
			assert_clean(l);
		}
}

static void test_nothing(void **state)
{
	(void)state;
	for (int kind = 0; kind < KINDS; kind++) {
		struct line *l;

		kit.line_count = 0;
		l = begin_kinds((enum kind)kind, UNIX_SOCKET);
		send_all(l, 0, 0);
		send_all(l, 1, 0);
		wait_until(&kit.w, is_carried(l, 0) && is_carried(l, 1));
		assert_clean(l);
	}
}

/* --- who does not read --- */

static uint64_t carried(const struct line *l)
{
	return l->ends[0].program.sent;
}

/* Until it goes no further: in some turns nothing more is sent, while another stream carries all it has. */
static void wait_until_stuck(struct line *l, struct line *other)
{
	uint64_t before;

	do {
		uint64_t received = other->ends[1].program.received;

		before = carried(l);
		other->ends[0].program.total += TOTAL;
		wait_until(&kit.w, other->ends[1].program.received == received + TOTAL);
	} while (carried(l) != before);
}

static void test_nobody_reads(void **state)
{
	(void)state;
	for (int kind = 0; kind < KINDS; kind++) {
		size_t memory = kit_memory_now;
		struct line *l, *other;

		kit.line_count = 0;
		l = begin_kinds(UNIX_SOCKET, (enum kind)kind);
		other = begin_kinds(UNIX_SOCKET, UNIX_SOCKET);
		l->ends[1].program.stops = true;
		l->ends[0].program.total = UINT64_MAX;
		wait_until_stuck(l, other);
		assert_in_range(kit_memory_now, 0,
			memory + tunnel_statistics(kit.w.tunnels[1]).windows_bytes + SLACK_BYTES);
		assert_idle(&kit.w);
		send_all(l, 0, l->ends[0].program.sent);
		l->ends[1].program.stops = false;
		wait_until(&kit.w, is_carried(l, 0));
		send_all(l, 1, TOTAL);
		send_all(other, 0, other->ends[0].program.total);
		send_all(other, 1, 0);
		wait_until(&kit.w, is_carried(l, 1));
		assert_clean(l);
		assert_clean(other);
	}
}

/* Those of a crowd that have less to say are not kept from it by the one that has much. */
static void test_busy_stream(void **state)
{
	struct line *busy, *other;

	(void)state;
	busy = begin_kinds(UNIX_SOCKET, UNIX_SOCKET);
	other = begin_kinds(UNIX_SOCKET, UNIX_SOCKET);
	busy->ends[0].program.total = UINT64_MAX;
	wait_until(&kit.w, busy->ends[1].program.received > MUCH);
	for (int i = 1; i <= 10; i++) {
		uint64_t before = busy->ends[1].program.received;

		other->ends[0].program.total = other->ends[1].program.total = (uint64_t)i;
		wait_until(&kit.w,
			other->ends[0].program.received == (uint64_t)i &&
				other->ends[1].program.received == (uint64_t)i);
		assert_in_range(busy->ends[1].program.received - before, 0, 2 * MUCH);
	}
	busy->ends[0].program.total = busy->ends[0].program.sent;
}

/* --- who goes --- */

static void test_reader_gone(void **state)
{
	(void)state;
	for (int kind = 0; kind < KINDS; kind++) {
		struct line *l;
		struct end *e;

		kit.line_count = 0;
		l = begin_kinds(TCP_SOCKET, (enum kind)kind);
		e = &l->ends[1];
		close_program(&e->program);
		send_all(l, 0, MUCH);
		if (e->in == e->out)
			l->ends[0].program.ends = false; /* or both have ended */
		wait_until(&kit.w, e->ended);
		assert_true(e->error == -EPIPE || e->error == -ECONNRESET);
		wait_until(&kit.w, l->ends[0].reset);
		assert_int_equal(l->ends[0].reason, MUX_ABORTED);
		wait_until(&kit.w, l->ends[0].program.error || l->ends[0].program.saw_end);
		close_program(&l->ends[0].program);
	}
}

/* A reset comes out as a reset, so that a part is not taken for all. */
static void test_reset_by_program(void **state)
{
	(void)state;
	for (int end = 0; end < ENDS; end++) {
		struct line *l;

		kit.line_count = 0;
		l = begin_kinds(TCP_SOCKET, TCP_SOCKET);
		l->ends[end].program.total = TOTAL;
		wait_until(&kit.w, l->ends[!end].program.received == TOTAL);
		tcp_reset(l->ends[end].program.to);
		l->ends[end].program.to = l->ends[end].program.from = -1;
		wait_until(&kit.w, l->ends[end].ended);
		assert_int_equal(l->ends[end].error, -ECONNRESET);
		wait_until(&kit.w, l->ends[!end].reset);
		wait_until(&kit.w, l->ends[!end].program.error);
		assert_int_equal(l->ends[!end].program.error, -ECONNRESET);
		assert_false(l->ends[!end].program.saw_end);
		close_program(&l->ends[!end].program);
	}
}

/* … and so does the end of the tunnel. */
static void test_tunnel_gone(void **state)
{
	struct line *l = begin_kinds(TCP_SOCKET, TCP_SOCKET);

	(void)state;
	l->ends[1].program.total = TOTAL;
	wait_until(&kit.w, l->ends[0].program.received == TOTAL);
	for (int e = 0; e < ENDS; e++) {
		pump_destroy(l->ends[e].pump);
		l->ends[e].pump = NULL;
		wait_until(&kit.w, l->ends[e].program.error || l->ends[e].program.saw_end);
		assert_int_equal(l->ends[e].program.error, -ECONNRESET);
	}
}

/* Nothing waits for a descriptor that is closed and may be another one now. */
static void test_closed_output(void **state)
{
	struct line *l = prepare_line(UNIX_SOCKET, PIPES);
	struct end *e = &l->ends[1];
	int events, size;

	(void)state;
	fcntl(e->out, F_SETPIPE_SZ, 4096);
	size = fcntl(e->out, F_GETPIPE_SZ);
	assert_in_range(size, 1, MUX_WINDOW_MIN / 2);
	begin_line(l);
	e->program.stops = true;
	l->ends[0].program.total = 2 * (uint64_t)size;
	wait_until(
		&kit.w, tunnel_statistics(kit.w.tunnels[1]).received_bytes == 2 * (uint64_t)size);
	events = event_base_get_num_events(kit.w.base, EVENT_BASE_COUNT_ADDED);
	e->program.stops = false;
	while (e->program.received < (uint64_t)size)
		read_program(l, 1, &e->program);
	pump_end(e->pump); /* before the loop has seen that there is room */
	assert_int_equal(event_base_get_num_events(kit.w.base, EVENT_BASE_COUNT_ADDED), events - 1);
	wait_until(&kit.w, e->program.saw_end);
	assert_int_equal(e->program.received, 2 * size);
}

/* --- a connection that does not stand yet --- */

static int nobody(void)
{
	struct endpoint local;
	int listener = kit_listen(&local), fd;

	close(listener);
	assert_int_equal(tcp_connect_start(&local, NULL, NULL, &fd), 0);
	return fd;
}

static void test_refused(void **state)
{
	struct line *l = prepare_line(TCP_SOCKET, UNIX_SOCKET);

	(void)state;
	close(l->ends[1].in);
	l->ends[1].in = l->ends[1].out = nobody();
	begin_line(l);
	wait_until(&kit.w, l->ends[1].ended);
	assert_int_equal(l->ends[1].error, -ECONNREFUSED);
	wait_until(&kit.w, l->ends[0].reset);
	assert_int_equal(l->ends[0].reason, MUX_REFUSED);
	wait_until(&kit.w, l->ends[0].program.error == -ECONNRESET);
}

/* A connection that waits until another one is accepted: the second one's SYN is dropped until then. */
static int begin_late(int listener, const struct endpoint *local, int *first)
{
	int fd;

	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(tcp_connect_start(local, NULL, NULL, first), 0);
	assert_int_equal(tcp_connect_start(local, NULL, NULL, &fd), 0);
	return fd;
}

/* What is to be written, and the end of it, wait until it stands. */
static void test_late(void **state)
{
	(void)state;
	for (uint64_t total = 0; total <= TOTAL; total += TOTAL) {
		struct line *l;
		struct endpoint local, from;
		int listener = kit_listen(&local), first, accepted;

		kit.line_count = 0;
		l = prepare_line(TCP_SOCKET, UNIX_SOCKET);
		close(l->ends[1].in);
		close_program(&l->ends[1].program);
		l->ends[1].in = l->ends[1].out = begin_late(listener, &local, &first);
		assert_true(tcp_is_connecting(l->ends[1].in));
		begin_line(l);
		send_all(l, 0, total);
		wait_until(&kit.w, !l->ends[0].program.ends);
		assert_idle(&kit.w);
		assert_true(tcp_is_connecting(l->ends[1].in));
		assert_int_equal(tcp_accept(listener, &from, &accepted), 0);
		close(accepted);
		wait_until(&kit.w, !tcp_accept(listener, &from, &accepted));
		l->ends[1].program.to = l->ends[1].program.from = accepted;
		wait_until(&kit.w, is_carried(l, 0));
		send_all(l, 1, TOTAL);
		wait_until(&kit.w, is_carried(l, 1));
		assert_clean(l);
		close(first);
		close(listener);
	}
}

/* --- other descriptors --- */

static void test_files(void **state)
{
	static const struct {
		const char *path;
		int flags, error;
		uint64_t bytes;
	} rows[] = {
		{"/dev/null", O_RDONLY, 0, 0},
		{"/dev/null", O_WRONLY, -EBADF, 0},
		{"/", O_RDONLY, -EISDIR, 0},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct line *l;

		kit.line_count = 0;
		l = prepare_line(PIPES, UNIX_SOCKET);
		close(l->ends[0].in);
		close_fd(&l->ends[0].program.to);
		l->ends[0].in = open(rows[i].path, rows[i].flags);
		assert_true(l->ends[0].in >= 0);
		begin_line(l);
		send_all(l, 1, 0);
		wait_until(&kit.w, l->ends[0].ended);
		assert_int_equal(l->ends[0].error, rows[i].error);
		close_program(&l->ends[0].program);
		wait_until(&kit.w, l->ends[1].ended || l->ends[1].reset);
		assert_int_equal(l->ends[1].reset, rows[i].error != 0);
		close_program(&l->ends[1].program);
	}
}

/* From a file into a file: neither waits, and all of it arrives. */
static void test_file_to_file(void **state)
{
	static uint8_t data[TOTAL], back[TOTAL + 1];
	struct line *l = prepare_line(PIPES, PIPES);
	FILE *from = tmpfile(), *to = tmpfile();

	(void)state;
	assert_non_null(from);
	assert_non_null(to);
	kit_fill(0, 0, data, sizeof(data));
	assert_int_equal(write(fileno(from), data, sizeof(data)), sizeof(data));
	assert_int_equal(lseek(fileno(from), 0, SEEK_SET), 0);
	close(l->ends[0].in);
	close(l->ends[1].out);
	l->ends[0].in = dup(fileno(from));
	l->ends[1].out = dup(fileno(to));
	begin_line(l);
	send_all(l, 1, 0);
	wait_until(&kit.w, is_over(l));
	assert_int_equal(l->ends[0].error, 0);
	assert_int_equal(l->ends[1].error, 0);
	assert_int_equal(pread(fileno(to), back, sizeof(back), 0), sizeof(data));
	assert_memory_equal(back, data, sizeof(data));
	fclose(from);
	fclose(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset_by_program, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tunnel_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed_output, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_to_file, setup, teardown),
	};

	kit_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
