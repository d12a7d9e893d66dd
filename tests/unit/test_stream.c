// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Real connections over loopback, but time as the test has it. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/tcp.h> /* more of struct tcp_info than the C library's */
#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sockaddr.h"
#include "server/stream.h"

#define SECOND	    ((uint64_t)1000000)
#define START	    (1000 * SECOND)
#define CONNECTIONS 4
#define PER_SOURCE  3
#define WAIT_MS	    5000

struct fixture {
	struct stream *stream;
	struct endpoint server;
	uint64_t now_us;
	unsigned messages, closed, hung_up;
	uint64_t last; /* connection of the last message */
	bool bind; /* the next message brings a party */
	bool call; /* the next message asks for a call */
	bool heed; /* the next message wants to hear of the end */
};

static void on_message(void *context, const struct stream_message *m)
{
	struct fixture *f = context;

	f->messages++;
	f->last = m->connection;
	m->bond->bound |= f->bind;
	m->tally->made += f->call;
	*m->heed |= f->heed;
	assert_int_equal(m->local, 3);
	assert_int_equal(stream_send(f->stream, m->connection, m->data, m->length), 0);
}

static void on_closed(void *context, uint64_t connection, const struct endpoint *from,
	const struct rendezvous_bond *bond)
{
	struct fixture *f = context;

	assert_true(bond->bound);
	assert_int_equal(from->family, FAMILY_IPV4);
	assert_null(stream_peer(f->stream, connection));
	f->closed++;
}

static void on_hung_up(void *context, uint64_t connection)
{
	struct fixture *f = context;

	assert_null(stream_peer(f->stream, connection));
	f->hung_up++;
}

/* An address of this process's own in 127/8, so that no other test is in the way. */
static int setup(void **state)
{
	static struct fixture f;
	struct stream_limits limits = {CONNECTIONS, PER_SOURCE};
	struct stream_handler handler = {on_message, on_closed, on_hung_up, &f};
	uint32_t number = (uint32_t)getpid();

	memset(&f, 0, sizeof(f));
	f.now_us = START;
	f.server = (struct endpoint){.family = FAMILY_IPV4,
		.port = 3478,
		.address = {127, (uint8_t)(100 + (number >> 16) % 100), (uint8_t)(number >> 8),
			(uint8_t)number}};
	assert_int_equal(stream_create(&f.stream, &limits, &handler), 0);
	*state = &f;
	return stream_listen(f.stream, &f.server, 3);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	stream_destroy(f->stream);
	return 0;
}

/* --- the other end --- */

static void turn(struct fixture *f)
{
	struct pollfd p = {.fd = stream_fd(f->stream), .events = POLLIN};

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	stream_run(f->stream, f->now_us);
}

/* Connected from 127.77.0.source, and accepted or refused. */
static int client(struct fixture *f, uint8_t source)
{
	struct endpoint from = {.family = FAMILY_IPV4, .address = {127, 77, 0, source}};
	const struct stream_counts *c = stream_counts(f->stream);
	uint64_t before = c->accepted + c->refused;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from_endpoint(&from, &address);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	length = sockaddr_from_endpoint(&f->server, &address);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, length), 0);
	while (c->accepted + c->refused == before)
		turn(f);
	return fd;
}

static void write_bytes(struct fixture *f, int fd, const void *data, size_t length)
{
	assert_int_equal(send(fd, data, length, MSG_NOSIGNAL), length);
	turn(f);
}

/* One message, and its echo. */
static void talk(struct fixture *f, int fd)
{
	static const struct stun_id id = {{0x21, 0x12, 0xa4, 0x42}};
	uint8_t bytes[STUN_HEADER_BYTES], echo[STUN_HEADER_BYTES];
	struct stun_writer s = stun_begin(bytes, sizeof(bytes), STUN_REQUEST, STUN_BINDING, &id);
	unsigned before = f->messages;

	assert_int_equal(stun_end(&s), sizeof(bytes));
	write_bytes(f, fd, bytes, sizeof(bytes));
	assert_int_equal(f->messages, before + 1);
	assert_int_equal(recv(fd, echo, sizeof(echo), MSG_WAITALL), sizeof(echo));
	assert_memory_equal(echo, bytes, sizeof(bytes));
}

static bool is_open(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&p, 1, 0) == 0 || recv(fd, &byte, 1, MSG_DONTWAIT) > 0;
}

static void pass(struct fixture *f, uint64_t us)
{
	f->now_us += us;
	stream_tick(f->stream, f->now_us);
}

/* --- tests --- */

static void test_idle(void **state)
{
	struct fixture *f = *state;
	int silent = client(f, 1), talks = client(f, 1), dribbles;

	pass(f, 10 * SECOND);
	talk(f, talks);
	dribbles = client(f, 1);
	write_bytes(f, dribbles, "\0", 1);
	assert_int_equal(stream_next_us(f->stream), START + STREAM_IDLE_US);
	pass(f, STREAM_IDLE_US - 10 * SECOND - 1);
	assert_true(is_open(silent));
	write_bytes(f, dribbles, "\1", 1); /* no whole message: no sign of life */
	pass(f, 1);
	assert_false(is_open(silent));
	assert_true(is_open(talks) && is_open(dribbles));
	pass(f, 10 * SECOND);
	assert_false(is_open(talks) || is_open(dribbles));
	assert_true(stream_next_us(f->stream) == UINT64_MAX);
	assert_int_equal(f->closed, 0); /* no party was in any */
	close(silent);
	close(talks);
	close(dribbles);
}

static void test_bound(void **state)
{
	struct fixture *f = *state;
	int party = client(f, 1);

	f->bind = true;
	talk(f, party);
	pass(f, STREAM_BOUND_IDLE_US - 1);
	assert_true(is_open(party));
	talk(f, party);
	pass(f, STREAM_BOUND_IDLE_US);
	assert_false(is_open(party));
	assert_int_equal(f->closed, 1);
	assert_int_equal(stream_send(f->stream, f->last, "", 1), -ENOTCONN);
	close(party);

	party = client(f, 1); /* in the same place of the table, but another one */
	assert_int_equal(stream_send(f->stream, f->last, "", 1), -ENOTCONN);
	talk(f, party);
	close(party);
	while (f->closed < 2)
		turn(f);
}

/* Who calls, or wants to know, is told of the end of a connection, which lives no longer for it. */
static void test_called(void **state)
{
	struct fixture *f = *state;
	int calls, heeds, silent = client(f, 1);

	f->call = true;
	calls = client(f, 1);
	talk(f, calls);
	f->call = false;
	f->heed = true;
	heeds = client(f, 1);
	talk(f, heeds);
	f->heed = false;
	pass(f, STREAM_IDLE_US);
	assert_false(is_open(calls) || is_open(silent) || is_open(heeds));
	assert_int_equal(f->hung_up, 2);
	assert_int_equal(f->closed, 0);
	close(calls);
	close(heeds);
	close(silent);
}

/* The one that has been silent longest gives way, but none with a party. */
static void test_full(void **state)
{
	struct fixture *f = *state;
	int fds[CONNECTIONS + 3];

	f->bind = true;
	for (int i = 0; i < CONNECTIONS; i++) {
		fds[i] = client(f, (uint8_t)(i + 1));
		if (i == 0)
			talk(f, fds[i]);
		f->bind = false;
		f->now_us++;
	}
	talk(f, fds[1]);
	fds[CONNECTIONS] = client(f, 9);
	assert_true(is_open(fds[0]) && is_open(fds[1]) && is_open(fds[3]));
	assert_false(is_open(fds[2]));
	assert_true(is_open(fds[CONNECTIONS]));
	f->bind = true;
	talk(f, fds[1]);
	talk(f, fds[3]);
	talk(f, fds[CONNECTIONS]);
	fds[CONNECTIONS + 1] = client(f, 9); /* nobody can give way */
	assert_false(is_open(fds[CONNECTIONS + 1]));
	assert_int_equal(stream_counts(f->stream)->refused, 1);
	close(fds[0]);
	while (!f->closed)
		turn(f);
	fds[CONNECTIONS + 2] = client(f, 9);
	assert_true(is_open(fds[CONNECTIONS + 2]));
	for (int i = 1; i < CONNECTIONS + 3; i++)
		close(fds[i]);
}

static void test_one_source(void **state)
{
	struct fixture *f = *state;
	int fds[PER_SOURCE + 2];

	for (int i = 0; i <= PER_SOURCE; i++) {
		fds[i] = client(f, 1);
		assert_int_equal(is_open(fds[i]), i < PER_SOURCE);
	}
	fds[PER_SOURCE + 1] = client(f, 2);
	assert_true(is_open(fds[PER_SOURCE + 1]));
	for (int i = 0; i < PER_SOURCE + 2; i++)
		close(fds[i]);
}

/* What waits for a client that reads nothing is bounded; its end is told at the next tick. */
static void test_output(void **state)
{
	static const uint8_t bytes[STUN_MESSAGE_BYTES];
	struct fixture *f = *state;
	int party = client(f, 1), err = 0;

	f->bind = true;
	talk(f, party);
	for (unsigned i = 0; i < 100000 && !err; i++)
		err = stream_send(f->stream, f->last, bytes, sizeof(bytes));
	assert_int_equal(err, -EMSGSIZE);
	assert_int_equal(f->closed, 0);
	assert_int_equal(stream_send(f->stream, f->last, bytes, sizeof(bytes)), -ENOTCONN);
	assert_int_equal(stream_next_us(f->stream), 0);
	stream_tick(f->stream, f->now_us);
	assert_int_equal(f->closed, 1);
	close(party);
}

static bool sysctl_is_on(const char *path)
{
	char byte = '0';
	FILE *f = fopen(path, "re");

	if (f) {
		byte = (char)fgetc(f);
		fclose(f);
	}
	return byte != '0';
}

/* Over loopback it arrives as it was sent, and the client's kernel knows what that was. */
static void test_syn(void **state)
{
	static const struct {
		uint8_t option;
		const char *sysctl;
	} options[] = {
		{SYN_TIMESTAMPS, "/proc/sys/net/ipv4/tcp_timestamps"},
		{SYN_SACK, "/proc/sys/net/ipv4/tcp_sack"},
		{SYN_SCALE, "/proc/sys/net/ipv4/tcp_window_scaling"},
	};
	struct fixture *f = *state;
	int fd = client(f, 1);
	struct stun_syn syn, again;
	struct tcp_info info = {.tcpi_state = 0};
	socklen_t length = sizeof(info);
	uint8_t has = SYN_MSS;

	talk(f, fd);
	assert_true(stream_syn(f->stream, f->last, &syn));
	assert_true(stream_syn(f->stream, f->last, &again));
	assert_memory_equal(&syn, &again, sizeof(syn));
	assert_int_equal(syn.parts, STUN_SYN_ARRIVED | STUN_SYN_ANSWERED);
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		has |= sysctl_is_on(options[i].sysctl) ? options[i].option : 0;
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	assert_int_equal(syn.arrived.options.has, has);
	assert_int_equal(
		syn.arrived.options.mss, info.tcpi_advmss + (has & SYN_TIMESTAMPS ? 12 : 0));
	assert_int_equal(syn.arrived.options.scale, info.tcpi_rcv_wscale);
	assert_int_equal(syn.answered.has, has);
	assert_int_equal(syn.answered.scale, info.tcpi_snd_wscale);
	assert_int_equal(syn.answered.mss, syn.arrived.options.mss); /* one MTU */
	assert_int_equal(syn.arrived.options_bytes % 4, 0);
	assert_true(syn.arrived.ttl > 0);
	close(fd);
	while (stream_peer(f->stream, f->last))
		turn(f);
	assert_false(stream_syn(f->stream, f->last, &syn));
}

/* What is expected next: what has come has been counted, and the SYN. */
static void test_expected(void **state)
{
	struct fixture *f = *state;
	int fd = client(f, 1);
	uint32_t sequence;
	struct stun_syn syn;

	for (uint32_t messages = 1; messages < 4; messages++) {
		talk(f, fd);
		assert_true(stream_expected(f->stream, f->last, &sequence));
		assert_true(stream_syn(f->stream, f->last, &syn));
		assert_int_equal(sequence, syn.arrived.sequence + 1 + messages * STUN_HEADER_BYTES);
	}
	close(fd);
	while (stream_peer(f->stream, f->last))
		turn(f);
	assert_false(stream_expected(f->stream, f->last, &sequence));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_called, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_source, setup, teardown),
		cmocka_unit_test_setup_teardown(test_output, setup, teardown),
		cmocka_unit_test_setup_teardown(test_syn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expected, setup, teardown),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
