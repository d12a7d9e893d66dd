// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "test_tunnel_kit.h"
#include "tools/punch/streams.h"

#define MUCH \
	(400u << 10) /* bytes: more than the kernel of who reads takes, and less than ours does */
#define CROWD	 10 /* connections that are one too many */
#define THOUSAND 1000
#define PLAYED	 (MUX_WINDOW_MIN) /* bytes that a played end keeps */

/* One end of the tunnel: what uses it, or what the test has seen where it plays that end. */
struct side {
	struct streams *streams; /* NULL: the test plays it */
	bool is_controlling;
	bool ended; /* standard input and output */
	int error;
	/* of a stream */
	unsigned opened, resets, ends;
	uint16_t id;
	uint8_t reason;
	size_t received;
	uint8_t data[PLAYED];
};

/* A local connection through the tunnel. */
struct connection {
	int client, server;
};

struct kit {
	struct world w;
	struct side sides[ENDS];
	struct endpoint entrance, target;
	int listener; /* of the target */
	int saved[2]; /* standard input and output */
};

static struct kit kit;

/* --- ends --- */

static void take_event(struct side *s, enum mux_event event, const struct mux_payload *payload)
{
	if (event == MUX_OPENED)
		s->id = payload->id;
	s->opened += event == MUX_OPENED;
	s->ends += event == MUX_ENDED;
	s->resets += event == MUX_RESET;
	if (event == MUX_RESET)
		s->reason = payload->reason;
	if (s->streams) {
		streams_event(s->streams, event, payload);
	} else if (event == MUX_DATA) {
		assert_true(payload->length <= sizeof(s->data) - s->received);
		memcpy(s->data + s->received, payload->data, payload->length);
		s->received += payload->length;
		tunnel_consumed(
			kit.w.tunnels[s - kit.sides], clock_now_us(), payload->id, payload->length);
	}
}

static void on_event(void *context, enum mux_event event, const struct mux_payload *payload)
{
	take_event(context, event, payload);
}

static void on_changed(void *context)
{
	(void)context;
}

static void on_ended(void *context, int error)
{
	struct side *s = context;

	assert_false(s->ended);
	s->ended = true;
	s->error = error;
}

static void on_turn(void *context)
{
	(void)context;
	for (int i = 0; i < ENDS; i++)
		if (kit.sides[i].streams)
			streams_turn(kit.sides[i].streams);
}

static void begin_tunnel(void)
{
	int fds[2];

	kit_connect(fds, false);
	for (int i = 0; i < ENDS; i++) {
		const struct tunnel_config config = {.base = kit.w.base,
			.fd = fds[i],
			.keys = &kit.w.keys[i],
			.salt = {(const uint8_t *)"salt", 4},
			.controlling = !i,
			.use = 1,
			.event = on_event,
			.changed = on_changed,
			.context = &kit.sides[i]};

		assert_int_equal(tunnel_create(&config, clock_now_us(), &kit.w.tunnels[i]), 0);
		if (kit.sides[i].streams)
			streams_set_tunnel(kit.sides[i].streams, kit.w.tunnels[i]);
	}
}

static void begin_streams(void)
{
	for (int i = 0; i < ENDS; i++)
		if (kit.sides[i].streams)
			streams_begin(kit.sides[i].streams, !i);
}

static void end_tunnel(void)
{
	for (int i = 0; i < ENDS; i++) {
		tunnel_destroy(kit.w.tunnels[i]);
		kit.w.tunnels[i] = NULL;
		if (kit.sides[i].streams)
			streams_set_tunnel(kit.sides[i].streams, NULL);
	}
}

/* STREAMS_NONE here: the test plays that end. */
static void create(int side, enum streams_use use)
{
	struct side *s = &kit.sides[side];
	struct streams_config config = {.base = kit.w.base,
		.use = use,
		.target = kit.target,
		.ended = on_ended,
		.context = s};
	int err;

	if (use == STREAMS_NONE)
		return;
	do { /* another program may have the port by now */
		if (use == STREAMS_LISTEN)
			close(kit_listen(&kit.entrance));
		config.listen = kit.entrance;
		err = streams_create(&config, &s->streams);
	} while (err == -EADDRINUSE);
	assert_int_equal(err, 0);
}

static void begin(enum streams_use first, enum streams_use second)
{
	create(0, first);
	create(1, second);
	begin_tunnel();
	begin_streams();
}

static int setup(void **state)
{
	(void)state;
	memset(&kit, 0, sizeof(kit));
	world_begin(&kit.w);
	kit.w.turn = on_turn;
	kit.w.awake = true;
	kit.listener = kit_listen(&kit.target);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < ENDS; i++)
		streams_destroy(kit.sides[i].streams);
	close(kit.listener);
	world_end(&kit.w);
	return 0;
}

/* --- local programs --- */

static int begin_client(void)
{
	int fd;

	assert_int_equal(tcp_connect_start(&kit.entrance, NULL, NULL, &fd), 0);
	return fd;
}

static struct connection begin_connection(void)
{
	struct connection c = {.client = begin_client()};
	struct endpoint from;

	wait_until(&kit.w, !tcp_accept(kit.listener, &from, &c.server));
	return c;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What comes next: how much, 0 at the end, or a negative errno; -EAGAIN when nothing has come. */
static int hear(int fd, void *data, size_t size)
{
	ssize_t n = recv(fd, data, size, MSG_DONTWAIT);

	return n < 0 ? -errno : (int)n;
}

static void assert_hears(int fd, int result)
{
	uint8_t data[100];
	int n;

	wait_until(&kit.w, (n = hear(fd, data, sizeof(data))) != -EAGAIN);
	assert_int_equal(n, result);
}

static void assert_hears_text(int fd, const char *text)
{
	char data[100] = "";
	size_t have = 0;
	int n = 0;

	while (have < strlen(text)) {
		wait_until(&kit.w, (n = hear(fd, data + have, sizeof(data) - 1 - have)) != -EAGAIN);
		assert_true(n > 0);
		have += (size_t)n;
	}
	assert_string_equal(data, text);
}

static void assert_works(const struct connection *c)
{
	say(c->client, "question");
	assert_hears_text(c->server, "question");
	say(c->server, "answer");
	assert_hears_text(c->client, "answer");
}

static bool is_empty(void)
{
	for (int i = 0; i < ENDS; i++)
		if ((kit.sides[i].streams && streams_count(kit.sides[i].streams)) ||
			tunnel_statistics(kit.w.tunnels[i]).streams)
			return false;
	return true;
}

/* --- forwarding --- */

static void test_round_trip(void **state)
{
	(void)state;
	for (int listens = 0; listens < ENDS; listens++) {
		struct connection c;

		begin(listens ? STREAMS_TARGET : STREAMS_LISTEN,
			listens ? STREAMS_LISTEN : STREAMS_TARGET);
		c = begin_connection();
		assert_works(&c);
		assert_int_equal(streams_count(kit.sides[0].streams), 1);
		assert_int_equal(streams_count(kit.sides[1].streams), 1);
		shutdown(c.client, SHUT_WR);
		assert_hears(c.server, 0);
		say(c.server, "and more");
		assert_hears_text(c.client, "and more");
		close(c.server);
		assert_hears(c.client, 0);
		close(c.client);
		wait_until(&kit.w, is_empty());
		assert_idle(&kit.w);
		end_tunnel();
		for (int i = 0; i < ENDS; i++) {
			streams_destroy(kit.sides[i].streams);
			kit.sides[i].streams = NULL;
		}
	}
}

/* What the kernel has taken when both have ended still comes to who is slow. */
static void test_slow_reader(void **state)
{
	static uint8_t data[MUCH], back[MUCH];
	struct connection c;
	struct endpoint from;
	size_t have = 0;

	(void)state;
	begin(STREAMS_LISTEN, STREAMS_TARGET);
	assert_int_equal(tcp_bind(&kit_loopback, NULL, &c.client), 0);
	kit_limit(c.client, SO_RCVBUF, NARROW_BYTES);
	assert_int_equal(tcp_begin_connect(c.client, &kit.entrance), 0);
	wait_until(&kit.w, !tcp_accept(kit.listener, &from, &c.server));
	shutdown(c.client, SHUT_WR);
	assert_hears(c.server, 0);
	kit_fill(0, 0, data, sizeof(data));
	for (ssize_t n; have<sizeof(data); have += n> 0 ? (size_t)n : 0) {
		n = send(c.server, data + have, sizeof(data) - have, MSG_NOSIGNAL);
		assert_true(n > 0 || errno == EAGAIN);
		world_turn(&kit.w, EVLOOP_NONBLOCK);
	}
	close(c.server);
	wait_until(&kit.w, is_empty());
	kit_wait(c.client, true);
	assert_int_equal(recv(c.client, back, sizeof(back), MSG_WAITALL), sizeof(data));
	assert_memory_equal(back, data, sizeof(data));
	assert_int_equal(recv(c.client, back, 1, 0), 0);
	close(c.client);
}

enum way { CLOSE, HALF_CLOSE, RESET, WAYS };

static void go(int fd, enum way way)
{
	if (way == HALF_CLOSE)
		shutdown(fd, SHUT_WR);
	else if (way == CLOSE)
		close(fd);
	else
		tcp_reset(fd);
}

/* Both programs go, in every order and way; what the first has sent arrives, with its end. */
static void test_orders(void **state)
{
	(void)state;
	begin(STREAMS_LISTEN, STREAMS_TARGET);
	for (int i = 0; i < 2 * WAYS * WAYS; i++) {
		enum way first_way = (enum way)(i / 2 % WAYS),
			 second_way = (enum way)(i / 2 / WAYS);
		struct connection c = begin_connection();
		int first = i % 2 ? c.client : c.server, second = i % 2 ? c.server : c.client;

		assert_works(&c);
		if (first_way != RESET)
			say(first, "last words");
		go(first, first_way);
		if (first_way != RESET)
			assert_hears_text(second, "last words");
		assert_hears(second, first_way == RESET ? -ECONNRESET : 0);
		go(second, second_way);
		if (first_way == HALF_CLOSE) {
			assert_hears(first, second_way == RESET ? -ECONNRESET : 0);
			close(first);
		}
		if (second_way == HALF_CLOSE)
			close(second);
		wait_until(&kit.w, is_empty());
	}
}

/* At the same time. */
static void test_orders_crossing(void **state)
{
	(void)state;
	begin(STREAMS_LISTEN, STREAMS_TARGET);
	for (int i = 0; i < WAYS * WAYS; i++) {
		struct connection c = begin_connection();

		assert_works(&c);
		go(c.client, (enum way)(i % WAYS));
		go(c.server, (enum way)(i / WAYS));
		if (i % WAYS == HALF_CLOSE)
			close(c.client);
		if (i / WAYS == HALF_CLOSE)
			close(c.server);
		wait_until(&kit.w, is_empty());
	}
}

/* Who goes before the target is there. */
static void test_gone_early(void **state)
{
	struct endpoint from;

	(void)state;
	begin(STREAMS_LISTEN, STREAMS_TARGET);
	for (int way = 0; way < WAYS; way++) {
		int client = begin_client(), server;

		if (way != RESET)
			say(client, "early");
		go(client, (enum way)way);
		wait_until(&kit.w, !tcp_accept(kit.listener, &from, &server) || way == RESET);
		if (way != RESET) {
			assert_hears_text(server, "early");
			assert_hears(server, 0);
		}
		if (server >= 0)
			close(server);
		if (way == HALF_CLOSE) {
			assert_hears(client, 0);
			close(client);
		}
		wait_until(&kit.w, is_empty());
		while (!tcp_accept(kit.listener, &from, &server))
			close(server);
	}
}

/* Nothing stays behind. */
static void test_thousand(void **state)
{
	int descriptors = 0;
	size_t memory = 0;

	(void)state;
	begin(STREAMS_LISTEN, STREAMS_TARGET);
	for (int i = 0; i < THOUSAND; i++) {
		struct connection c = begin_connection();

		assert_works(&c);
		close(i % 2 ? c.client : c.server);
		assert_hears(i % 2 ? c.server : c.client, 0);
		close(i % 2 ? c.server : c.client);
		wait_until(&kit.w, is_empty());
		if (!i) {
			descriptors = kit_descriptors();
			memory = kit_memory_now;
		}
	}
	assert_int_equal(kit_descriptors(), descriptors);
	assert_int_equal(kit_memory_now, memory);
	assert_int_equal(kit.sides[1].opened, THOUSAND);
}

static void allow_descriptors(rlim_t count)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void test_crowd(void **state)
{
	struct connection all[MUX_STREAMS];
	int more[CROWD];

	(void)state;
	allow_descriptors(4096);
	begin(STREAMS_LISTEN, STREAMS_TARGET);
	for (int i = 0; i < MUX_STREAMS; i++)
		all[i] = begin_connection();
	for (int i = 0; i < CROWD; i++)
		more[i] = begin_client();
	for (int i = 0; i < CROWD; i++) {
		assert_hears(more[i], -ECONNRESET);
		close(more[i]);
	}
	for (int i = 0; i < MUX_STREAMS; i++)
		assert_works(&all[i]);
	close(all[7].client);
	assert_hears(all[7].server, 0);
	close(all[7].server);
	wait_until(&kit.w, tunnel_statistics(kit.w.tunnels[0]).streams < MUX_STREAMS);
	all[7] = begin_connection();
	for (int i = 0; i < MUX_STREAMS; i++) {
		assert_works(&all[i]);
		close(all[i].client);
		close(all[i].server);
	}
	wait_until(&kit.w, is_empty());
}

/* Many come at once, more than are accepted at once, and no SYN is dropped. */
static void test_burst(void **state)
{
	enum { BURST = 100 };
	int clients[BURST], server;
	struct endpoint from;

	(void)state;
	allow_descriptors(4096);
	begin(STREAMS_LISTEN, STREAMS_TARGET);
	for (int i = 0; i < BURST; i++)
		clients[i] = begin_client();
	for (int i = 0; i < BURST; i++)
		assert_false(tcp_is_connecting(clients[i]));
	for (int i = 0; i < BURST; i++) {
		wait_until(&kit.w, !tcp_accept(kit.listener, &from, &server));
		close(server);
	}
	for (int i = 0; i < BURST; i++) {
		assert_hears(clients[i], 0);
		close(clients[i]);
	}
	wait_until(&kit.w, is_empty());
}

/* What is written goes out at once, as it does from who has written it. */
static void test_no_delay(void **state)
{
	struct connection c;
	int on = 0, count = 0, off = 0;
	socklen_t length = sizeof(on);

	(void)state;
	begin(STREAMS_LISTEN, STREAMS_TARGET);
	c = begin_connection();
	assert_works(&c);
	for (int fd = 3; fd < 64; fd++) {
		if (getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length))
			continue;
		count += on;
		off += !on;
	}
	assert_int_equal(count, 4); /* the ends of the tunnel, and of its stream */
	assert_int_equal(off, 4); /* ours, and what listens */
	close(c.client);
	close(c.server);
	wait_until(&kit.w, is_empty());
}

/* --- what is in the way --- */

static void test_refused(void **state)
{
	(void)state;
	close(kit.listener);
	begin(STREAMS_LISTEN, STREAMS_TARGET);
	for (int i = 0; i < 3; i++) {
		int client = begin_client();

		say(client, "is anybody there?");
		assert_hears(client, -ECONNRESET);
		close(client);
		wait_until(&kit.w, is_empty());
	}
	assert_int_equal(kit.sides[0].reason, MUX_REFUSED);
	kit.listener = -1;
}

/* The other end does something else. */
static void test_other_use(void **state)
{
	int client;

	(void)state;
	create(1, STREAMS_LISTEN);
	begin(STREAMS_LISTEN, STREAMS_NONE); /* of which the second one is there */
	client = begin_client();
	assert_hears(client, -ECONNRESET);
	close(client);
	wait_until(&kit.w, is_empty());
}

static void test_port_in_use(void **state)
{
	const struct streams_config config = {
		.base = kit.w.base, .use = STREAMS_LISTEN, .listen = kit.target, .ended = on_ended};
	struct streams *s;

	(void)state;
	assert_int_equal(streams_create(&config, &s), -EADDRINUSE);
}

/* Those who come while there is no tunnel wait for the next one; those who were in it know that it broke. */
static void test_next_tunnel(void **state)
{
	struct connection c;
	struct endpoint from;

	(void)state;
	create(0, STREAMS_LISTEN);
	create(1, STREAMS_TARGET);
	c.client = begin_client();
	assert_idle(&kit.w);
	begin_tunnel();
	assert_idle(&kit.w);
	assert_int_equal(kit.sides[1].opened, 0);
	for (int i = 0; i < 3; i++) {
		begin_streams();
		wait_until(&kit.w, !tcp_accept(kit.listener, &from, &c.server));
		assert_works(&c);
		end_tunnel();
		assert_hears(c.client, -ECONNRESET);
		assert_hears(c.server, -ECONNRESET);
		close(c.client);
		close(c.server);
		c.client = begin_client();
		assert_idle(&kit.w);
		begin_tunnel();
	}
	close(c.client);
}

/* The connection under the tunnel breaks while there is much in it. */
static void test_cut(void **state)
{
	static uint8_t much[8 << 20];

	(void)state;
	begin(STREAMS_LISTEN, STREAMS_TARGET);
	for (int i = 0; i < 4; i++) {
		struct connection c = begin_connection();
		int fd;

		assert_works(&c);
		assert_true(send(c.client, much, sizeof(much), MSG_NOSIGNAL) > 0);
		assert_true(send(c.server, much, sizeof(much), MSG_NOSIGNAL) > 0);
		for (int turn = 0; turn < 3 * i; turn++)
			world_turn(&kit.w, EVLOOP_NONBLOCK);
		fd = tunnel_take(kit.w.tunnels[i % 2]);
		if (i / 2)
			tcp_reset(fd);
		else
			close(fd);
		wait_until(&kit.w, tunnel_error(kit.w.tunnels[!(i % 2)]));
		end_tunnel();
		wait_until(&kit.w, hear(c.client, much, sizeof(much)) == -ECONNRESET);
		wait_until(&kit.w, hear(c.server, much, sizeof(much)) == -ECONNRESET);
		close(c.client);
		close(c.server);
		begin_tunnel();
		begin_streams();
	}
}

/* --- no descriptors --- */

/* So many more can be had. */
static void leave_descriptors(unsigned count)
{
	int free = dup(kit.listener);

	assert_true(free >= 0);
	close(free);
	allow_descriptors((rlim_t)free + count);
}

/* By valgrind, where accept(2) takes a connection before it finds that there is no descriptor for it. */
static bool is_watched(void)
{
	const char *libraries = getenv("LD_PRELOAD");

	return libraries && strstr(libraries, "vgpreload");
}

/* Nobody runs in circles, and when there are some again it goes on. */
static void test_accept_without_descriptors(void **state)
{
	struct connection c;
	struct endpoint from;

	(void)state;
	if (is_watched())
		skip();
	begin(STREAMS_LISTEN, STREAMS_TARGET);
	c.client = begin_client();
	leave_descriptors(0);
	assert_idle(&kit.w);
	assert_idle(&kit.w);
	allow_descriptors(4096);
	wait_until(&kit.w, !tcp_accept(kit.listener, &from, &c.server));
	assert_works(&c);
	close(c.client);
	close(c.server);
	wait_until(&kit.w, is_empty());
}

/* A pause does not outlive the tunnel. */
static void test_pause_ends(void **state)
{
	int client;

	(void)state;
	begin(STREAMS_LISTEN, STREAMS_TARGET);
	client = begin_client();
	leave_descriptors(0);
	assert_idle(&kit.w);
	allow_descriptors(4096);
	end_tunnel();
	begin_tunnel();
	for (int i = 0; i < 4; i++)
		assert_idle(&kit.w);
	assert_int_equal(kit.sides[1].opened, 0);
	close(client);
}

static void test_connect_without_descriptors(void **state)
{
	int client;

	(void)state;
	begin(STREAMS_LISTEN, STREAMS_TARGET);
	client = begin_client();
	leave_descriptors(1);
	assert_hears(client, -ECONNRESET);
	allow_descriptors(4096);
	assert_int_equal(kit.sides[0].reason, MUX_REFUSED);
	close(client);
	wait_until(&kit.w, is_empty());
}

/* --- standard input and output --- */

/* They are somebody else's until the test is over, so that what it says is not seen before. */
static int setup_stdio(void **state)
{
	setup(state);
	for (int fd = 0; fd < 2; fd++)
		kit.saved[fd] = dup(fd);
	return 0;
}

static int teardown_stdio(void **state)
{
	for (int fd = 0; fd < 2; fd++) {
		dup2(kit.saved[fd], fd);
		close(kit.saved[fd]);
	}
	return teardown(state);
}

static void redirect(int fd, int to)
{
	assert_true(to >= 0);
	assert_int_equal(dup2(to, fd), fd);
	close(to);
}

/* What the test writes to, or reads from. */
static int pipe_at(int fd)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	redirect(fd, ends[fd]);
	fcntl(ends[!fd], F_SETFL, O_NONBLOCK);
	return ends[!fd];
}

static struct side *played(void)
{
	return &kit.sides[1];
}

/* The first end has them, and opens the stream. */
static void begin_stdio(void)
{
	begin(STREAMS_STDIO, STREAMS_NONE);
	wait_until(&kit.w, played()->opened == 1);
}

static void answer(const char *text)
{
	assert_int_equal(tunnel_write(kit.w.tunnels[1], played()->id, text, strlen(text)), 0);
}

static void answer_end(void)
{
	tunnel_end(kit.w.tunnels[1], played()->id);
}

static void assert_sent(const char *text)
{
	wait_until(&kit.w, played()->received >= strlen(text));
	assert_int_equal(played()->received, strlen(text));
	assert_memory_equal(played()->data, text, strlen(text));
}

/* Of a pipe, or a socket. */
static void assert_reads(int fd, const char *text)
{
	char data[100] = "";
	ssize_t n;

	wait_until(&kit.w, (n = read(fd, data, sizeof(data) - 1)) >= 0);
	assert_string_equal(data, text);
}

static void assert_ends(int error)
{
	wait_until(&kit.w, kit.sides[0].ended);
	assert_int_equal(kit.sides[0].error, error);
	assert_int_equal(streams_count(kit.sides[0].streams), 0);
	if (error) {
		wait_until(&kit.w, played()->resets == 1);
		assert_int_equal(played()->ends, 0);
	}
	wait_until(&kit.w, is_empty());
	assert_idle(&kit.w);
}

static void test_stdio(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		int to = pipe_at(STDIN_FILENO), from = pipe_at(STDOUT_FILENO);

		begin_stdio();
		assert_int_equal(write(to, "line\n", 5), 5);
		assert_sent("line\n");
		answer("and back\n");
		assert_reads(from, "and back\n");
		if (first)
			answer_end();
		else
			close(to);
		if (first)
			assert_reads(from, "");
		else
			wait_until(&kit.w, played()->ends == 1);
		assert_false(kit.sides[0].ended);
		if (first)
			close(to);
		else
			answer_end();
		if (!first)
			assert_reads(from, "");
		assert_ends(0);
		close(from);
		end_tunnel();
		streams_destroy(kit.sides[0].streams);
		memset(kit.sides, 0, sizeof(kit.sides));
	}
}

/* The other end opens it. */
static void test_stdio_opened(void **state)
{
	int to = pipe_at(STDIN_FILENO), from = pipe_at(STDOUT_FILENO);
	uint16_t id, more;

	(void)state;
	create(1, STREAMS_STDIO);
	begin_tunnel();
	begin_streams();
	assert_int_equal(tunnel_open(kit.w.tunnels[0], &id), 0);
	assert_int_equal(tunnel_open(kit.w.tunnels[0], &more), 0);
	wait_until(&kit.w, kit.sides[1].opened == 2);
	wait_until(&kit.w, kit.sides[0].resets == 1); /* there is only one */
	assert_int_equal(write(to, "line\n", 5), 5);
	wait_until(&kit.w, kit.sides[0].received == 5);
	close(to);
	tunnel_end(kit.w.tunnels[0], id);
	wait_until(&kit.w, kit.sides[1].ended);
	assert_int_equal(kit.sides[1].error, 0);
	assert_reads(from, "");
	/* nor is there another one afterwards */
	assert_int_equal(tunnel_open(kit.w.tunnels[0], &id), 0);
	wait_until(&kit.w, kit.sides[0].resets == 2);
	wait_until(&kit.w, is_empty());
	close(from);
}

/* From where it stands, and to the end of what is there. */
static void test_stdio_files(void **state)
{
	FILE *in = tmpfile(), *out = tmpfile();
	char data[100] = "";

	(void)state;
	assert_int_equal(write(fileno(in), "title\ntext\n", 11), 11);
	assert_int_equal(lseek(fileno(in), 6, SEEK_SET), 6);
	assert_int_equal(write(fileno(out), "title\n", 6), 6);
	redirect(STDIN_FILENO, dup(fileno(in)));
	redirect(STDOUT_FILENO, dup(fileno(out)));
	begin_stdio();
	assert_sent("text\n");
	wait_until(&kit.w, played()->ends == 1);
	answer("text\n");
	answer_end();
	assert_ends(0);
	assert_int_equal(pread(fileno(out), data, sizeof(data), 0), 11);
	assert_string_equal(data, "title\ntext\n");
	fclose(in);
	fclose(out);
}

static void test_stdio_null(void **state)
{
	(void)state;
	redirect(STDIN_FILENO, open("/dev/null", O_RDONLY));
	redirect(STDOUT_FILENO, open("/dev/null", O_WRONLY));
	begin_stdio();
	wait_until(&kit.w, played()->ends == 1);
	answer("into nothing");
	answer_end();
	assert_ends(0);
}

static void test_stdio_closed(void **state)
{
	(void)state;
	for (int fd = 0; fd < 2; fd++) {
		redirect(!fd, open("/dev/null", O_RDWR));
		close(fd);
		create(0, STREAMS_STDIO);
		begin_tunnel();
		begin_streams();
		wait_until(&kit.w, kit.sides[0].ended);
		assert_int_equal(kit.sides[0].error, -EBADF);
		assert_int_equal(streams_count(kit.sides[0].streams), 0);
		wait_until(&kit.w, is_empty());
		dup2(kit.saved[fd], fd);
		end_tunnel();
		streams_destroy(kit.sides[0].streams);
		memset(kit.sides, 0, sizeof(kit.sides));
	}
}

/* It can be read only, as /dev/null in the place of a closed one. */
static void test_stdio_read_only(void **state)
{
	int to = pipe_at(STDIN_FILENO);

	(void)state;
	redirect(STDOUT_FILENO, open("/dev/null", O_RDONLY));
	begin_stdio();
	answer("for nobody");
	assert_ends(-EBADF);
	close(to);
}

/* … or a pipe that would take it for input. */
static void test_stdio_wrong_end(void **state)
{
	int to = pipe_at(STDIN_FILENO);

	(void)state;
	assert_int_equal(dup2(STDIN_FILENO, STDOUT_FILENO), STDOUT_FILENO);
	begin_stdio();
	answer("for nobody");
	assert_ends(-EBADF);
	close(to);
}

static void test_stdio_nobody_reads(void **state)
{
	int to = pipe_at(STDIN_FILENO), from = pipe_at(STDOUT_FILENO);

	(void)state;
	begin_stdio();
	answer("first");
	assert_reads(from, "first");
	close(from);
	answer("second");
	assert_ends(-EPIPE);
	assert_int_equal(played()->reason, MUX_ABORTED);
	close(to);
}

/* Also one that has gone before it begins. */
static void test_stdio_nobody_there(void **state)
{
	int to = pipe_at(STDIN_FILENO);

	(void)state;
	close(pipe_at(STDOUT_FILENO));
	begin_stdio();
	answer("first");
	assert_ends(-EPIPE);
	close(to);
}

/* A FIFO whose writer has gone before it begins has an end. */
static void test_stdio_fifo(void **state)
{
	char folder[] = "/tmp/natutils-XXXXXX", path[sizeof(folder) + 5];
	int to, from;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	redirect(STDIN_FILENO, open(path, O_RDONLY | O_NONBLOCK));
	kit_wait(STDIN_FILENO, true);
	to = open(path, O_WRONLY);
	unlink(path);
	rmdir(folder);
	assert_int_equal(write(to, "line\n", 5), 5);
	close(to);
	from = pipe_at(STDOUT_FILENO);
	begin_stdio();
	assert_sent("line\n");
	wait_until(&kit.w, played()->ends == 1);
	answer_end();
	assert_ends(0);
	close(from);
}

/* One socket for both, as from inetd: what has it sees the end of one direction. */
static void test_stdio_socket(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	redirect(STDIN_FILENO, dup(fds[1]));
	redirect(STDOUT_FILENO, fds[1]);
	kit_wait(fds[0], false);
	begin_stdio();
	answer("hello");
	assert_reads(fds[0], "hello");
	answer_end();
	assert_reads(fds[0], "");
	assert_int_equal(write(fds[0], "line\n", 5), 5);
	assert_sent("line\n");
	close(fds[0]);
	assert_ends(0);
}

/* Others that have the descriptors find them as they were. */
static void test_stdio_shared(void **state)
{
	int to = pipe_at(STDIN_FILENO), from = pipe_at(STDOUT_FILENO), fds[2];

	(void)state;
	for (int fd = 0; fd < 2; fd++)
		fds[fd] = dup(fd);
	begin_stdio();
	answer("hello");
	assert_reads(from, "hello");
	for (int fd = 0; fd < 2; fd++) {
		assert_int_equal(fcntl(fds[fd], F_GETFL) & O_NONBLOCK, 0);
		close(fds[fd]);
	}
	close(to);
	close(from);
}

/* A terminal that takes nothing stops nobody else. */
static void test_stdio_terminal(void **state)
{
	static const char text[1000] = "";
	int terminal = posix_openpt(O_RDWR | O_NOCTTY), other;
	unsigned pongs;

	(void)state;
	if (terminal < 0 || grantpt(terminal) || unlockpt(terminal))
		skip();
	other = open(ptsname(terminal), O_RDWR | O_NOCTTY);
	redirect(STDIN_FILENO, dup(other));
	redirect(STDOUT_FILENO, other);
	begin_stdio();
	/* so that there is room for a part of what is written then */
	answer("first");
	wait_until(&kit.w, poll(&(struct pollfd){.fd = terminal, .events = POLLIN}, 1, 0) > 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(
			tunnel_write(kit.w.tunnels[1], played()->id, text, sizeof(text)), 0);
	pongs = tunnel_statistics(kit.w.tunnels[1]).pongs;
	tunnel_ping(kit.w.tunnels[1], clock_now_us(), 1, 0);
	wait_until(&kit.w, tunnel_statistics(kit.w.tunnels[1]).pongs > pongs);
	assert_int_equal(write(terminal, "line\n", 5), 5);
	assert_sent("line\n");
	close(terminal); /* for who reads that may be an end like any other */
	wait_until(&kit.w, kit.sides[0].ended);
	assert_int_equal(kit.sides[0].error, -EIO);
	wait_until(&kit.w, is_empty());
}

/* The other side has lost its own. */
static void test_stdio_reset(void **state)
{
	int to = pipe_at(STDIN_FILENO), from = pipe_at(STDOUT_FILENO);

	(void)state;
	begin_stdio();
	tunnel_reset(kit.w.tunnels[1], played()->id, MUX_ABORTED);
	wait_until(&kit.w, kit.sides[0].ended);
	assert_int_equal(kit.sides[0].error, -ECONNABORTED);
	wait_until(&kit.w, is_empty());
	assert_reads(from, "");
	assert_int_equal(write(to, "line\n", 5), -1);
	close(to);
	close(from);
}

/* All is over before they are. */
static void test_stdio_destroyed(void **state)
{
	int to = pipe_at(STDIN_FILENO), from = pipe_at(STDOUT_FILENO);

	(void)state;
	begin_stdio();
	answer("hello");
	assert_reads(from, "hello");
	streams_destroy(kit.sides[0].streams);
	kit.sides[0].streams = NULL;
	assert_reads(from, "");
	assert_false(kit.sides[0].ended);
	close(to);
	close(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_orders, setup, teardown),
		cmocka_unit_test_setup_teardown(test_orders_crossing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_early, setup, teardown),
		cmocka_unit_test_setup_teardown(test_thousand, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crowd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_burst, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_delay, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_next_tunnel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_accept_without_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pause_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connect_without_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stdio, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(test_stdio_opened, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(test_stdio_files, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(test_stdio_null, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(test_stdio_closed, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(test_stdio_read_only, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(test_stdio_wrong_end, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(
			test_stdio_nobody_reads, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(
			test_stdio_nobody_there, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(test_stdio_fifo, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(test_stdio_socket, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(test_stdio_shared, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(test_stdio_terminal, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(test_stdio_reset, setup_stdio, teardown_stdio),
		cmocka_unit_test_setup_teardown(test_stdio_destroyed, setup_stdio, teardown_stdio),
	};

	kit_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
