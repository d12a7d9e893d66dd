// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sockaddr.h"
#include "net/udp.h"
#include "tools/punch/forward.h"

#define LENGTH(a)     (sizeof(a) / sizeof(*(a)))
#define DATAGRAM_MAX  1000
#define BUFFER_BYTES  2000
#define PATIENCE_S    10 /* until a test fails that waits for something */
#define PROGRAMS      (FORWARD_CLIENTS + 1)
#define IMMEDIATELY   1 /* microsecond of idleness that lets another have the place */
#define NOBODY_NUMBER 4711

/* A program that uses the port. */
struct program {
	int fd;
	struct event *event;
	unsigned count; /* datagrams received */
	uint8_t data[BUFFER_BYTES]; /* the last one */
	int length;
};

/* A program, the side that listens, the side with the target, the target, all in one process. */
struct world {
	struct event_base *base;
	struct event *patience;
	bool late;
	struct forward *listening, *reaching;
	struct endpoint entrance;
	struct program programs[PROGRAMS];
	/* the target, which sends everything back */
	struct endpoint target;
	struct event *echo;
	int target_fd;
	bool grows; /* what it sends back is longer than may be carried */
	struct endpoint sources[PROGRAMS]; /* where it has heard from, each one once */
	size_t source_count;
	bool alone; /* nothing reaches the other side */
	unsigned carried; /* from programs */
	uint16_t number; /* of the client that was carried last */
};

static const struct endpoint loopback = {FAMILY_IPV4, 0, 0, {127, 0, 0, 1}};
static const struct endpoint loopback6 = {FAMILY_IPV6, 0, 0, {[15] = 1}};

static void on_late(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	((struct world *)context)->late = true;
}

static void to_reaching(void *context, uint16_t client, const uint8_t *data, size_t length)
{
	struct world *w = context;

	w->number = client;
	w->carried++;
	if (!w->alone)
		forward_input(w->reaching, client, data, length);
}

static void to_listening(void *context, uint16_t client, const uint8_t *data, size_t length)
{
	forward_input(((struct world *)context)->listening, client, data, length);
}

static void note_source(struct world *w, const struct endpoint *from)
{
	for (size_t i = 0; i < w->source_count; i++)
		if (endpoint_equal(&w->sources[i], from))
			return;
	assert_true(w->source_count < PROGRAMS);
	w->sources[w->source_count++] = *from;
}

static void on_echo(evutil_socket_t fd, short what, void *context)
{
	struct world *w = context;
	uint8_t data[BUFFER_BYTES] = {0};
	struct udp_meta meta;
	struct endpoint from;
	int n = udp_receive(fd, data, sizeof(data), &from, &meta);

	(void)what;
	if (n < 0)
		return;
	note_source(w, &from);
	udp_send(fd, &from, data, w->grows ? DATAGRAM_MAX + 1 : (size_t)n);
}

static void on_answer(evutil_socket_t fd, short what, void *context)
{
	struct program *p = context;
	struct udp_meta meta;
	struct endpoint from;
	int n = udp_receive(fd, p->data, sizeof(p->data), &from, &meta);

	(void)what;
	if (n < 0)
		return;
	p->length = n;
	p->count++;
}

static void listen_at(struct world *w, const struct endpoint *local, int *fd, struct event **event)
{
	assert_int_equal(udp_open(local, NULL, UDP_REUSE_PORT, fd), 0);
	*event = event_new(w->base, *fd, EV_READ | EV_PERSIST, on_echo, w);
	assert_int_equal(event_add(*event, NULL), 0);
}

static void begin_listening(
	struct world *w, const struct endpoint *local, uint64_t replace_us, uint64_t idle_us)
{
	const struct forward_config config = {.base = w->base,
		.listen = *local,
		.datagram_max = DATAGRAM_MAX,
		.replace_us = replace_us,
		.idle_us = idle_us,
		.send = to_reaching,
		.context = w};

	assert_int_equal(forward_create(&config, &w->listening), 0);
	assert_int_equal(forward_local(w->listening, &w->entrance), 0);
}

static void begin_reaching(struct world *w, uint64_t replace_us, uint64_t idle_us)
{
	struct forward_config config = {.base = w->base,
		.datagram_max = DATAGRAM_MAX,
		.replace_us = replace_us,
		.idle_us = idle_us,
		.send = to_listening,
		.context = w};
	struct endpoint nowhere;

	assert_int_equal(udp_local(w->target_fd, &w->target), 0);
	config.target = w->target;
	assert_int_equal(forward_create(&config, &w->reaching), 0);
	assert_int_equal(forward_local(w->reaching, &nowhere), -EBADF);
}

static void open_program(struct world *w, struct program *p, const struct endpoint *local)
{
	assert_int_equal(udp_open(local, NULL, 0, &p->fd), 0);
	p->event = event_new(w->base, p->fd, EV_READ | EV_PERSIST, on_answer, p);
	assert_int_equal(event_add(p->event, NULL), 0);
}

static void close_program(struct program *p)
{
	event_free(p->event);
	close(p->fd);
}

static struct world *begin(uint64_t replace_us, uint64_t idle_us)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct timeval patience = {PATIENCE_S, 0};

	assert_non_null(w);
	w->base = event_base_new();
	assert_non_null(w->base);
	w->patience = event_new(w->base, -1, 0, on_late, w);
	assert_int_equal(event_add(w->patience, &patience), 0);
	listen_at(w, &loopback, &w->target_fd, &w->echo);
	begin_listening(w, &loopback, replace_us, idle_us);
	begin_reaching(w, replace_us, idle_us);
	for (size_t i = 0; i < PROGRAMS; i++)
		open_program(w, &w->programs[i], &loopback);
	return w;
}

static void end(struct world *w)
{
	for (size_t i = 0; i < PROGRAMS; i++)
		close_program(&w->programs[i]);
	forward_destroy(w->listening);
	forward_destroy(w->reaching);
	event_free(w->echo);
	close(w->target_fd);
	event_free(w->patience);
	event_base_free(w->base);
	free(w);
}

/* Until the counter has got there. */
#define wait_for(w, counter, value)                              \
	do {                                                     \
		while ((counter) < (value) && !(w)->late)        \
			event_base_loop((w)->base, EVLOOP_ONCE); \
		assert_int_equal(counter, value);                \
	} while (0)

static void say(struct world *w, size_t program, const void *data, size_t length)
{
	assert_int_equal(udp_send(w->programs[program].fd, &w->entrance, data, length), 0);
}

static void say_and_hear(struct world *w, size_t program, const void *data, size_t length)
{
	struct program *p = &w->programs[program];
	unsigned count = p->count + 1;

	say(w, program, data, length);
	wait_for(w, p->count, count);
	assert_int_equal(p->length, length);
	assert_memory_equal(p->data, data, length);
}

static struct forward_statistics listening(const struct world *w)
{
	return forward_statistics(w->listening);
}

static struct forward_statistics reaching(const struct world *w)
{
	return forward_statistics(w->reaching);
}

/* --- what is carried --- */

static void test_round_trip(void **state)
{
	struct world *w = begin(0, 0);
	uint8_t data[DATAGRAM_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	say_and_hear(w, 0, "hello", 5);
	say_and_hear(w, 0, data, sizeof(data));
	say_and_hear(w, 0, "", 0);
	assert_int_equal(listening(w).clients, 1);
	assert_int_equal(reaching(w).clients, 1);
	assert_int_equal(listening(w).sent, 3);
	assert_int_equal(listening(w).received, 3);
	assert_int_equal(reaching(w).sent, 3);
	assert_int_equal(reaching(w).received, 3);
	assert_int_equal(w->source_count, 1);
	end(w);
}

/* Each gets what is for it, and the target knows them apart. */
static void test_clients(void **state)
{
	enum { CLIENTS = 10 };
	struct world *w = begin(0, 0);

	(void)state;
	for (uint8_t round = 1; round <= 3; round++) {
		for (uint8_t i = 0; i < CLIENTS; i++)
			say(w, i, (uint8_t[]){round, i}, 2);
		for (uint8_t i = 0; i < CLIENTS; i++) {
			wait_for(w, w->programs[i].count, round);
			assert_int_equal(w->programs[i].data[0], round);
			assert_int_equal(w->programs[i].data[1], i);
		}
	}
	assert_int_equal(w->source_count, CLIENTS);
	assert_int_equal(listening(w).clients, CLIENTS);
	assert_int_equal(reaching(w).clients, CLIENTS);
	end(w);
}

static void test_ipv6(void **state)
{
	struct world *w = begin(0, 0);
	int fd;

	(void)state;
	if (udp_open(&loopback6, NULL, 0, &fd)) {
		end(w);
		skip();
	}
	close(fd);
	forward_destroy(w->listening);
	forward_destroy(w->reaching);
	event_free(w->echo);
	close(w->target_fd);
	close_program(&w->programs[0]);
	listen_at(w, &loopback6, &w->target_fd, &w->echo);
	begin_listening(w, &loopback6, 0, 0);
	begin_reaching(w, 0, 0);
	open_program(w, &w->programs[0], &loopback6);
	say_and_hear(w, 0, "hello", 5);
	assert_true(endpoint_is_loopback(&w->sources[0]));
	end(w);
}

static void test_too_long(void **state)
{
	struct world *w = begin(0, 0);
	uint8_t data[DATAGRAM_MAX + 1] = {0};

	(void)state;
	say(w, 0, data, sizeof(data));
	say_and_hear(w, 1, "short", 5); /* they come in this order */
	assert_int_equal(listening(w).too_long, 1);
	assert_int_equal(listening(w).sent, 1);
	assert_int_equal(listening(w).clients, 1);
	w->grows = true;
	say(w, 1, "short", 5);
	while (!reaching(w).too_long && !w->late)
		event_base_loop(w->base, EVLOOP_ONCE);
	assert_int_equal(reaching(w).too_long, 1);
	assert_int_equal(reaching(w).sent, 1);
	end(w);
}

/* A crowd on one socket leaves time for others. */
static void test_turn(void **state)
{
	struct world *w = begin(0, 0);

	(void)state;
	for (unsigned i = 0; i < 3 * FORWARD_TURN; i++)
		say(w, 0, "x", 1);
	event_base_loop(w->base, EVLOOP_ONCE);
	assert_in_range(listening(w).sent, 1, FORWARD_TURN);
	wait_for(w, listening(w).sent, 3 * FORWARD_TURN);
	end(w);
}

/* --- what is in the way --- */

/* The port is in use for somebody else: for all others nobody is there. */
static void make_deaf(struct world *w)
{
	struct sockaddr_storage elsewhere;
	const struct endpoint to = {FAMILY_IPV4, 9, 0, {127, 0, 0, 1}};
	socklen_t length = sockaddr_from_endpoint(&to, &elsewhere);

	assert_int_equal(connect(w->target_fd, (struct sockaddr *)&elsewhere, length), 0);
}

static void test_refused(void **state)
{
	struct world *w = begin(0, 0);
	struct event *echo;
	int fd;

	(void)state;
	make_deaf(w);
	for (unsigned i = 1; i <= 3; i++) {
		say(w, 0, "nobody", 6);
		wait_for(w, reaching(w).errors, i);
	}
	assert_int_equal(reaching(w).clients, 1);
	assert_int_equal(reaching(w).received, 3);
	listen_at(w, &w->target, &fd, &echo);
	say_and_hear(w, 0, "now there is", 12);
	assert_int_equal(reaching(w).clients, 1);
	assert_int_equal(reaching(w).errors, 3);
	assert_int_equal(reaching(w).failed, 0);
	event_free(echo);
	close(fd);
	end(w);
}

/* The program has gone when the answer comes. */
static void test_gone(void **state)
{
	struct world *w = begin(0, 0);
	uint16_t number;

	(void)state;
	say_and_hear(w, 0, "hello", 5);
	number = w->number;
	close_program(&w->programs[0]);
	forward_input(w->listening, number, (const uint8_t *)"late", 4);
	wait_for(w, listening(w).errors, 1);
	say_and_hear(w, 1, "hello", 5);
	open_program(w, &w->programs[0], &loopback); /* for the end */
	end(w);
}

/* What others send to a client's socket, and numbers for which there is no client. */
static void test_strange(void **state)
{
	struct world *w = begin(0, 0);

	(void)state;
	say_and_hear(w, 0, "hello", 5);
	forward_input(w->listening, NOBODY_NUMBER, (const uint8_t *)"who", 3);
	assert_int_equal(listening(w).strange, 1);
	assert_int_equal(listening(w).clients, 1);
	assert_int_equal(listening(w).received, 1);
	assert_int_equal(udp_send(w->programs[1].fd, &w->sources[0], "not the target", 14), 0);
	say_and_hear(w, 0, "hello again", 11);
	assert_int_equal(reaching(w).sent, 2);
	end(w);
}

/* --- places --- */

static void fill(struct world *w)
{
	for (size_t i = 0; i < FORWARD_CLIENTS; i++)
		say_and_hear(w, i, "hello", 5);
	assert_int_equal(listening(w).clients, FORWARD_CLIENTS);
	assert_int_equal(reaching(w).clients, FORWARD_CLIENTS);
}

static void test_full(void **state)
{
	struct world *w = begin(0, 0);

	(void)state;
	fill(w);
	say(w, FORWARD_CLIENTS, "one too many", 12);
	say_and_hear(w, 0, "still there", 11);
	assert_int_equal(listening(w).crowded, 1);
	assert_int_equal(listening(w).clients, FORWARD_CLIENTS);
	assert_int_equal(listening(w).replaced, 0);
	/* a peer that has more clients than it may */
	forward_input(w->reaching, NOBODY_NUMBER, (const uint8_t *)"x", 1);
	assert_int_equal(reaching(w).crowded, 1);
	assert_int_equal(reaching(w).clients, FORWARD_CLIENTS);
	end(w);
}

static void test_replaced(void **state)
{
	struct world *w = begin(IMMEDIATELY, 0);
	uint16_t second;

	(void)state;
	fill(w);
	say_and_hear(w, 0, "hello", 5); /* now the second one is idle longest */
	second = (uint16_t)(w->number + 1);
	w->source_count = 0;
	say_and_hear(w, FORWARD_CLIENTS, "one more", 8);
	assert_int_equal(w->number, FORWARD_CLIENTS); /* not that of the one before */
	assert_int_equal(listening(w).replaced, 1);
	assert_int_equal(reaching(w).replaced, 1);
	assert_int_equal(listening(w).clients, FORWARD_CLIENTS);
	assert_int_equal(reaching(w).clients, FORWARD_CLIENTS);
	forward_input(w->listening, second, (const uint8_t *)"late", 4);
	assert_int_equal(listening(w).strange, 1);
	for (size_t i = 2; i < FORWARD_CLIENTS; i++)
		say_and_hear(w, i, "me, too", 7);
	assert_int_equal(listening(w).replaced, 1);
	say_and_hear(w, 1, "back", 4);
	assert_int_equal(w->number, FORWARD_CLIENTS + 1);
	assert_int_equal(listening(w).replaced, 2);
	end(w);
}

/* Also who is only sent something is not idle. */
static void test_heard(void **state)
{
	struct world *w = begin(IMMEDIATELY, 0);

	(void)state;
	w->alone = true;
	for (unsigned i = 0; i < FORWARD_CLIENTS; i++) {
		say(w, i, "hello", 5);
		wait_for(w, w->carried, i + 1);
	}
	forward_input(w->listening, 0, (const uint8_t *)"news", 4);
	say(w, FORWARD_CLIENTS, "one more", 8);
	wait_for(w, w->carried, FORWARD_CLIENTS + 1);
	forward_input(w->listening, 0, (const uint8_t *)"news", 4);
	assert_int_equal(listening(w).strange, 0);
	forward_input(w->listening, 1, (const uint8_t *)"news", 4);
	assert_int_equal(listening(w).strange, 1);
	end(w);
}

static void test_idle(void **state)
{
	enum { IDLE_US = 200000 };
	struct world *w = begin(0, IDLE_US);

	(void)state;
	say_and_hear(w, 0, "hello", 5);
	while (!listening(w).ended && !w->late)
		say_and_hear(w, 1, "hello", 5);
	assert_int_equal(listening(w).clients, 1);
	wait_for(w, listening(w).ended, 2);
	wait_for(w, reaching(w).ended, 2);
	assert_int_equal(listening(w).clients, 0);
	assert_int_equal(reaching(w).clients, 0);
	say_and_hear(w, 1, "again", 5);
	assert_int_equal(w->number, 2);
	wait_for(w, listening(w).ended, 3);
	end(w);
}

/* 65536 clients later: one that has kept its number shares it with nobody. */
static void test_numbers(void **state)
{
	struct world *w = begin(IMMEDIATELY, 0);

	(void)state;
	w->alone = true;
	for (unsigned i = 0, expected = 0; i <= UINT16_MAX + 1; i++) {
		if (i % 16 == 0) {
			say(w, 0, "x", 1);
			wait_for(w, w->carried, i + i / 16 + 1);
			assert_int_equal(w->number, 0);
		}
		expected = expected == UINT16_MAX ? 1 : expected + 1;
		say(w, 1 + i % FORWARD_CLIENTS, "x", 1);
		wait_for(w, w->carried, i + i / 16 + 2);
		assert_int_equal(w->number, expected);
	}
	end(w);
}

/* --- begin --- */

static int create(const struct endpoint *listen, const struct endpoint *target)
{
	struct event_base *base = event_base_new();
	struct forward_config config = {.base = base, .datagram_max = DATAGRAM_MAX};
	struct forward *f = NULL;
	int err;

	if (listen)
		config.listen = *listen;
	if (target)
		config.target = *target;
	err = forward_create(&config, &f);
	assert_true(!err == (f != NULL));
	forward_destroy(f);
	event_base_free(base);
	return err;
}

static void test_create(void **state)
{
	static const struct endpoint foreign = {FAMILY_IPV4, 0, 0, {192, 0, 2, 1}},
				     target = {FAMILY_IPV4, 9, 0, {127, 0, 0, 1}},
				     group = {FAMILY_IPV4, 9, 0, {224, 0, 0, 1}};
	struct endpoint used;
	int fd;

	(void)state;
	assert_int_equal(create(&loopback, NULL), 0);
	assert_int_equal(create(NULL, &target), 0);
	assert_int_equal(create(NULL, NULL), -EINVAL);
	assert_int_equal(create(&loopback, &target), -EINVAL);
	assert_int_equal(create(NULL, &loopback), -EINVAL); /* port 0 */
	assert_int_equal(create(NULL, &group), -EINVAL);
	assert_int_equal(create(&foreign, NULL), -EADDRNOTAVAIL);
	assert_int_equal(udp_open(&loopback, NULL, 0, &fd), 0);
	assert_int_equal(udp_local(fd, &used), 0);
	assert_int_equal(create(&used, NULL), -EADDRINUSE);
	close(fd);
}

static void test_parse(void **state)
{
	static const struct {
		const char *text, *endpoint; /* NULL: refused */
	} rows[] = {
		{"5000", "127.0.0.1:5000"},
		{"65535", "127.0.0.1:65535"},
		{"0.0.0.0:5000", "0.0.0.0:5000"},
		{"192.0.2.1:1", "192.0.2.1:1"},
		{"[::1]:5000", "[::1]:5000"},
		{"[::]:5000", "[::]:5000"},
		{"", NULL},
		{"0", NULL},
		{"65536", NULL},
		{"-1", NULL},
		{":5000", NULL},
		{"5000x", NULL},
		{"127.0.0.1", NULL},
		{"127.0.0.1:", NULL},
		{"127.0.0.1:0", NULL},
		{"[::1]", NULL},
		{"::1", NULL},
		{"localhost:5000", NULL},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		char text[ENDPOINT_TEXT];
		struct endpoint e;
		int err = forward_listen_parse(rows[i].text, &e);

		assert_int_equal(err, rows[i].endpoint ? 0 : -EINVAL);
		if (!err)
			assert_string_equal(endpoint_format(&e, text), rows[i].endpoint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_clients),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_turn),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_strange),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_heard),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
