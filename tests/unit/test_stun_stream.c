// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* A connection over loopback to a server that the test plays. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sockaddr.h"
#include "net/stun_stream.h"

#define TURNS 100 /* each waits for an event: more than any test needs */

static const uint8_t message[24] = {0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42, [20] = 1, 2, 3, 4};

struct fixture {
	struct event_base *base;
	int listener, accepted;
	struct endpoint server;
	struct stun_stream *stream;
	unsigned changes;
};

static void on_changed(void *context)
{
	struct fixture *f = context;

	f->changes++;
	event_base_loopbreak(f->base);
}

static void accept_one(struct fixture *f)
{
	f->accepted = accept(f->listener, NULL, NULL);
	assert_true(f->accepted >= 0);
}

static void wait_for(struct fixture *f, enum stun_stream_state state)
{
	int error;

	for (int i = 0; i < TURNS && stun_stream_state(f->stream, &error) != state; i++)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(stun_stream_state(f->stream, &error), state);
}

static void begin(struct fixture *f)
{
	const struct stun_stream_config config = {.base = f->base,
		.to = f->server,
		.local = {FAMILY_IPV4, 77, 0, {127, 0, 0, 2}},
		.changed = on_changed,
		.context = f};

	assert_int_equal(stun_stream_create(&config, &f->stream), 0);
}

static int setup(void **state)
{
	static struct fixture f;
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(any);

	memset(&f, 0, sizeof(f));
	f.accepted = -1;
	f.base = event_base_new();
	f.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!f.base || bind(f.listener, (struct sockaddr *)&any, length) || listen(f.listener, 4) ||
		getsockname(f.listener, (struct sockaddr *)&any, &length))
		return -1;
	f.server = (struct endpoint){FAMILY_IPV4, ntohs(any.sin_port), 0, {127, 0, 0, 1}};
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	stun_stream_destroy(f->stream);
	if (f->accepted >= 0)
		close(f->accepted);
	close(f->listener);
	event_base_free(f->base);
	return 0;
}

/* Messages come whole, however they are cut, and those that came together one after the other. */
static void test_messages(void **state)
{
	struct fixture *f = *state;
	uint8_t buffer[STUN_STREAM_BYTES], twice[2 * sizeof(message)];
	struct endpoint local;

	begin(f);
	assert_int_equal(stun_stream_send(f->stream, message, sizeof(message)), -ENOTCONN);
	accept_one(f);
	wait_for(f, STUN_STREAM_OPEN);
	assert_int_equal(stun_stream_local(f->stream, &local), 0);
	assert_int_equal(local.address[3], 2);
	assert_int_not_equal(local.port, 77); /* another one may have it */
	assert_int_equal(stun_stream_send(f->stream, message, sizeof(message)), 0);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	assert_int_equal(recv(f->accepted, buffer, sizeof(buffer), 0), sizeof(message));
	assert_int_equal(stun_stream_take(f->stream, buffer), -EAGAIN);
	for (size_t i = 0; i < sizeof(message); i++) {
		assert_int_equal(stun_stream_take(f->stream, buffer), -EAGAIN);
		assert_int_equal(send(f->accepted, message + i, 1, 0), 1);
		event_base_loop(f->base, EVLOOP_ONCE);
	}
	assert_int_equal(stun_stream_take(f->stream, buffer), sizeof(message));
	assert_memory_equal(buffer, message, sizeof(message));
	memcpy(twice, message, sizeof(message));
	memcpy(twice + sizeof(message), message, sizeof(message));
	assert_int_equal(send(f->accepted, twice, sizeof(twice), 0), sizeof(twice));
	event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(stun_stream_take(f->stream, buffer), sizeof(message));
	assert_int_equal(stun_stream_take(f->stream, buffer), sizeof(message));
	assert_int_equal(stun_stream_take(f->stream, buffer), -EAGAIN);
}

static void test_ends(void **state)
{
	struct fixture *f = *state;
	uint8_t buffer[STUN_STREAM_BYTES];
	int error;

	begin(f);
	accept_one(f);
	wait_for(f, STUN_STREAM_OPEN);
	close(f->accepted);
	f->accepted = -1;
	wait_for(f, STUN_STREAM_ENDED);
	stun_stream_state(f->stream, &error);
	assert_int_equal(error, -ECONNRESET);
	assert_int_equal(stun_stream_take(f->stream, buffer), -EAGAIN);
	stun_stream_destroy(f->stream);
	/* nobody listens any more */
	close(f->listener);
	begin(f);
	wait_for(f, STUN_STREAM_ENDED);
	stun_stream_state(f->stream, &error);
	assert_int_equal(error, -ECONNREFUSED);
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void test_no_stun(void **state)
{
	struct fixture *f = *state;
	uint8_t buffer[STUN_STREAM_BYTES];
	int error;

	begin(f);
	accept_one(f);
	wait_for(f, STUN_STREAM_OPEN);
	assert_int_equal(send(f->accepted, "HTTP/1.1 400", 12, 0), 12);
	event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(stun_stream_take(f->stream, buffer), -EAGAIN);
	assert_int_equal(stun_stream_state(f->stream, &error), STUN_STREAM_ENDED);
	assert_int_equal(error, -EBADMSG);
}

/* Who does not read is not written to without end. */
static void test_full(void **state)
{
	struct fixture *f = *state;
	uint8_t block[1024] = {0};
	int err = 0;

	begin(f);
	accept_one(f);
	wait_for(f, STUN_STREAM_OPEN);
	for (int i = 0; i < 100 && !err; i++) /* the loop does not run: nothing leaves */
		err = stun_stream_send(f->stream, block, sizeof(block));
	assert_int_equal(err, -ENOBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_stun, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
