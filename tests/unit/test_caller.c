// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Real sockets over loopback. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sockaddr.h"
#include "net/udp.h"
#include "server/caller.h"

#define WAIT_MS 5000

struct fixture {
	struct callers *callers;
	struct endpoint server, client;
	struct calls_event last;
	unsigned events;
	int listeners[2]; /* at the server, which never accepts, and at the client */
};

static void on_event(void *context, const struct calls_event *event)
{
	struct fixture *f = context;

	f->last = *event;
	f->events++;
}

static int listen_at(struct endpoint *e)
{
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from_endpoint(e, &address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(udp_local(fd, e), 0);
	return fd;
}

/* Addresses of this process's own in 127/8, so that no other test is in the way. */
static struct endpoint own_address(uint8_t which)
{
	uint32_t number = (uint32_t)getpid();

	return (struct endpoint){.family = FAMILY_IPV4,
		.address = {127, (uint8_t)(which + (number >> 16) % 100), (uint8_t)(number >> 8),
			(uint8_t)number}};
}

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.server = own_address(1);
	f.client = own_address(101);
	f.listeners[0] = listen_at(&f.server);
	f.listeners[1] = listen_at(&f.client);
	assert_int_equal(callers_create(&f.callers, on_event, &f), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	callers_destroy(f->callers);
	close(f->listeners[0]);
	close(f->listeners[1]);
	return 0;
}

static void turn(struct fixture *f)
{
	struct pollfd p = {.fd = callers_fd(f->callers), .events = POLLIN};

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	callers_run(f->callers);
}

static struct calls_event next_event(struct fixture *f)
{
	unsigned before = f->events;

	while (f->events == before)
		turn(f);
	assert_int_equal(f->events, before + 1);
	return f->last;
}

static void expect_silence(struct fixture *f)
{
	unsigned before = f->events;

	callers_run(f->callers);
	assert_int_equal(f->events, before);
}

static void call(struct fixture *f, unsigned number, uint16_t *port)
{
	assert_int_equal(callers_bind(f->callers, number, &f->server, port), 0);
	expect_silence(f); /* the kernel would say that it hangs up, which it cannot yet */
	assert_int_equal(callers_connect(f->callers, number, &f->client), 0);
}

static int accept_from(struct fixture *f, uint16_t port)
{
	struct sockaddr_storage address;
	struct timeval patience = {.tv_sec = WAIT_MS / 1000};
	socklen_t length = sizeof(address);
	int fd = accept(f->listeners[1], (struct sockaddr *)&address, &length);
	struct endpoint from = sockaddr_to_endpoint(&address);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_true(endpoint_same_address(&from, &f->server));
	assert_int_equal(from.port, port);
	return fd;
}

/* --- tests --- */

/* From the listener's own port, several at once and again and again; the other end closes first. */
static void test_connect(void **state)
{
	struct fixture *f = *state;
	char bytes[16];

	for (unsigned i = 0; i < 3; i++) {
		uint16_t port = f->server.port, third = 0;
		struct calls_event e;
		int fd;

		call(f, 7, &port);
		e = next_event(f);
		assert_int_equal(e.number, 7);
		assert_int_equal(e.error, 0);
		callers_greet(f->callers, 7, "hello", 5);
		fd = accept_from(f, f->server.port);

		call(f, CALLS_MAX - 1, &third);
		assert_true(third && third != f->server.port);
		assert_int_equal(next_event(f).number, CALLS_MAX - 1);
		close(accept_from(f, third));
		callers_close(f->callers, CALLS_MAX - 1);

		assert_int_equal(recv(fd, bytes, sizeof(bytes), MSG_WAITALL), 5);
		assert_memory_equal(bytes, "hello", 5);
		expect_silence(f);
		assert_int_equal(send(fd, "not wanted", 10, MSG_NOSIGNAL), 10);
		expect_silence(f);
		close(fd);
		assert_int_equal(next_event(f).number, 7);
		callers_close(f->callers, 7);
	}
}

/* The other end does not close: a reset leaves nothing, so that the same two can be connected at once again. */
static void test_reset(void **state)
{
	struct fixture *f = *state;
	char byte;

	for (unsigned i = 0; i < 2; i++) {
		uint16_t port = f->server.port;
		int fd;

		call(f, 0, &port);
		next_event(f);
		callers_greet(f->callers, 0, "x", 1);
		fd = accept_from(f, port);
		assert_int_equal(recv(fd, &byte, 1, 0), 1);
		assert_int_equal(recv(fd, &byte, 1, 0), 0);
		callers_close(f->callers, 0);
		assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
		close(fd);
	}
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	uint16_t port = f->server.port, second = port;
	struct calls_event e;

	close(f->listeners[1]);
	call(f, 1, &port);
	e = next_event(f);
	assert_int_equal(e.number, 1);
	assert_int_equal(e.error, -ECONNREFUSED);
	assert_false(e.local || e.has_icmp);
	callers_close(f->callers, 1);
	callers_close(f->callers, 1); /* which is none any more */
	expect_silence(f);

	assert_int_equal(callers_bind(f->callers, 1, &f->server, &second), 0);
	f->client.address[0] = 240; /* reserved: there is no way from loopback */
	assert_true(callers_connect(f->callers, 1, &f->client) < 0);
	f->listeners[1] = -1;
}

/* The same two endpoints twice. */
static void test_twice(void **state)
{
	struct fixture *f = *state;
	uint16_t port = f->server.port;

	call(f, 1, &port);
	assert_int_equal(callers_bind(f->callers, 2, &f->server, &port), 0);
	assert_int_equal(callers_connect(f->callers, 2, &f->client), -EADDRNOTAVAIL);
	assert_int_equal(next_event(f).number, 1);
}

static void test_not_ours(void **state)
{
	struct fixture *f = *state;
	struct endpoint alien = f->server;
	uint16_t port = 3478;

	alien.address[0] = 192;
	assert_int_equal(callers_bind(f->callers, 3, &alien, &port), -EADDRNOTAVAIL);
	assert_int_equal(port, 3478);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_connect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_ours, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
