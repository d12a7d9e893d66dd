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

#include "punch/tcp_checks.h"

#define FIRST	 2000u
#define MAIN	 4444
#define MS	 1000u
#define SECOND	 1000000u
#define BEGIN_US 1000000000u
#define MOST	 700 /* sockets of a test */

static const struct endpoint peer = {FAMILY_IPV4, 5000, 0, {198, 51, 100, 9}},
			     other = {FAMILY_IPV4, 6000, 0, {203, 0, 113, 7}};

enum state { CLOSED, BOUND, CONNECTING, CONNECTED, LISTENING };

/* One side, whose sockets are opened as soon as it wants it; and what its peer would say. */
struct kit {
	struct tcp_checks *checks;
	struct trail *trail;
	uint64_t now_us, deadline_us, counter;
	struct tcp_checks_output out; /* the last one that was no matter of course */
	struct punch_message said; /* of TCP_CHECKS_SEND */
	enum state state[TCP_CHECKS_SOCKETS];
	uint16_t port[TCP_CHECKS_SOCKETS];
	uint16_t next_port;
	uint8_t key_out[PUNCH_KEY_BYTES], key_in[PUNCH_KEY_BYTES];
};

static struct kit *kit(bool controlling)
{
	struct tcp_checks_config c = {.first_socket = FIRST};
	struct kit *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	assert_int_equal(trail_create(1, &k->trail), 0);
	memset(k->key_out, 1, sizeof(k->key_out));
	memset(k->key_in, 2, sizeof(k->key_in));
	memcpy(c.checks.key_out, k->key_out, sizeof(k->key_out));
	memcpy(c.checks.key_in, k->key_in, sizeof(k->key_in));
	c.checks.controlling = controlling;
	c.checks.trail = k->trail;
	random_init_number(&c.checks.random, 1);
	k->now_us = BEGIN_US;
	k->next_port = 30000;
	assert_int_equal(tcp_checks_create(&c, &k->checks), 0);
	return k;
}

static void done(struct kit *k)
{
	tcp_checks_destroy(k->checks);
	trail_destroy(k->trail);
	free(k);
}

/* What is a matter of course is done; true: something else is wanted, in k->out. */
static bool next(struct kit *k)
{
	for (unsigned i = 0; i < 4 * MOST; i++) {
		unsigned at;

		if (tcp_checks_poll(k->checks, k->now_us, &k->out) == TCP_CHECKS_WAIT) {
			k->deadline_us = k->out.deadline_us;
			return false;
		}
		at = k->out.socket - FIRST;
		assert_true(at < TCP_CHECKS_SOCKETS);
		switch (k->out.action) {
		case TCP_CHECKS_OPEN: {
			struct endpoint local = {FAMILY_IPV4, k->out.port, 0, {10, 0, 0, 1}};

			assert_int_equal(k->state[at], CLOSED);
			if (!local.port)
				local.port = k->next_port++;
			k->state[at] = BOUND;
			k->port[at] = local.port;
			tcp_checks_opened(k->checks, k->now_us, k->out.socket, 0, &local);
			break;
		}
		case TCP_CHECKS_LISTEN:
			assert_int_equal(k->state[at], BOUND);
			k->state[at] = LISTENING;
			break;
		case TCP_CHECKS_CONNECT:
			assert_int_equal(k->state[at], BOUND);
			k->state[at] = CONNECTING;
			return true;
		case TCP_CHECKS_SEND:
			assert_int_equal(k->state[at], CONNECTED);
			assert_int_equal(
				punch_decode(k->out.data, k->out.length, k->key_out, &k->said), 0);
			return true;
		default:
			assert_int_not_equal(k->state[at], CLOSED);
			k->state[at] = CLOSED;
			return true;
		}
	}
	fail_msg("it does not come to rest");
	return false;
}

static void expect(struct kit *k, enum tcp_checks_action action)
{
	assert_true(next(k));
	assert_int_equal(k->out.action, action);
}

/* The next try, from another socket. */
static void expect_again(struct kit *k)
{
	expect(k, TCP_CHECKS_CLOSE);
	expect(k, TCP_CHECKS_CONNECT);
}

/* A message of the peer; flags of enum punch_flag. */
static void say(struct kit *k, unsigned socket, enum stun_class class, const struct stun_id *id,
	uint8_t flags)
{
	struct punch_message m = {.class = class,
		.flags = flags,
		.attempt = 1,
		.counter = ++k->counter,
		.id = {{0x21, 0x12, 0xa4, 0x42, 9}},
		.mapped = {FAMILY_IPV4, 777, 0, {192, 0, 2, 5}}};
	uint8_t data[PUNCH_BYTES_MAX];
	int length;

	if (id)
		m.id = *id;
	length = punch_encode(&m, k->key_in, data, sizeof(data));
	assert_true(length > 0);
	tcp_checks_input(k->checks, k->now_us, socket, data, (size_t)length);
}

static struct tcp_checks_attempt attempt(void)
{
	struct tcp_checks_attempt a = {.number = 1, .family = FAMILY_IPV4};

	a.role.connects = true;
	a.role.aim.sockets = a.role.aim.guesses = a.role.aim.packets = 1;
	return a;
}

static void go_with(struct kit *k, const struct tcp_checks_attempt *a)
{
	const struct checks_target t = {.peer = peer, .latest = 7000};

	tcp_checks_set_main(k->checks, FAMILY_IPV4, MAIN);
	tcp_checks_begin(k->checks, k->now_us, a);
	while (!tcp_checks_are_open(k->checks))
		assert_false(next(k));
	tcp_checks_go(k->checks, k->now_us, &t);
}

static void go(struct kit *k)
{
	const struct tcp_checks_attempt a = attempt();

	go_with(k, &a);
}

static unsigned connected(struct kit *k)
{
	unsigned socket = k->out.socket;

	assert_int_equal(k->out.action, TCP_CHECKS_CONNECT);
	k->state[socket - FIRST] = CONNECTED;
	tcp_checks_connected(k->checks, k->now_us, socket, 0);
	return socket;
}

static void refused(struct kit *k, bool icmp)
{
	unsigned socket = k->out.socket;

	assert_int_equal(k->out.action, TCP_CHECKS_CONNECT);
	k->state[socket - FIRST] = BOUND;
	if (icmp)
		tcp_checks_icmp(k->checks, socket);
	tcp_checks_connected(k->checks, k->now_us, socket, -ECONNREFUSED);
}

static unsigned count(const struct kit *k, enum state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TCP_CHECKS_SOCKETS; i++)
		n += k->state[i] == state;
	return n;
}

static unsigned find(const struct kit *k, enum state state)
{
	unsigned i = 0;

	while (i < TCP_CHECKS_SOCKETS && k->state[i] != state)
		i++;
	assert_true(i < TCP_CHECKS_SOCKETS);
	return FIRST + i;
}

static int accept_from(struct kit *k, uint16_t port)
{
	const struct endpoint from = {FAMILY_IPV4, port, 0, {203, 0, 113, 50}};
	int socket = tcp_checks_accepted(k->checks, k->now_us, find(k, LISTENING), &from);

	if (socket >= 0)
		k->state[(unsigned)socket - FIRST] = CONNECTED;
	return socket;
}

/* --- the proof --- */

static void test_controlling(void **state)
{
	struct kit *k = kit(true);
	const struct checks_result *r = tcp_checks_result(k->checks);
	unsigned socket;
	struct stun_id id;

	(void)state;
	go(k);
	expect(k, TCP_CHECKS_CONNECT);
	assert_true(endpoint_equal(&k->out.to, &peer));
	assert_int_equal(k->port[k->out.socket - FIRST], MAIN);
	assert_int_equal(k->out.syns, 0);
	k->now_us += 40 * MS;
	socket = connected(k);
	expect(k, TCP_CHECKS_SEND); /* it asks at once */
	assert_int_equal(k->said.class, STUN_REQUEST);
	assert_int_equal(k->said.flags, 0);
	id = k->said.id;
	k->now_us += 40 * MS;
	say(k, socket, STUN_SUCCESS, &id, 0);
	assert_true(r->proved_us == k->now_us && r->first_heard_us == k->now_us - 40 * MS);
	assert_false(next(
		k)); /* the peer has not asked yet, and would have to be answered behind the last message */
	say(k, socket, STUN_REQUEST, NULL, 0);
	expect(k, TCP_CHECKS_SEND);
	assert_int_equal(k->said.class, STUN_SUCCESS);
	expect(k, TCP_CHECKS_SEND);
	assert_int_equal(k->said.class, STUN_REQUEST);
	assert_int_equal(k->said.flags, PUNCH_NOMINATE);
	id = k->said.id;
	say(k, socket, STUN_SUCCESS, &id, 0); /* not the answer that it needs */
	assert_false(r->connected);
	say(k, socket, STUN_SUCCESS, &id, PUNCH_NOMINATE);
	assert_true(r->connected);
	assert_int_equal(r->socket, socket);
	assert_int_equal(r->rtt_us, 40 * MS);
	assert_int_equal(r->mapped.port, 777);
	assert_true(stun_id_equal(&r->nomination, &id));
	expect(k, TCP_CHECKS_CLOSE); /* the listener */
	assert_false(next(k));
	done(k);
}

static void test_controlled(void **state)
{
	static const struct stun_id nomination = {{0x21, 0x12, 0xa4, 0x42, 7}};
	struct kit *k = kit(false);
	const struct checks_result *r = tcp_checks_result(k->checks);
	unsigned socket;
	struct stun_id id;

	(void)state;
	go(k);
	expect(k, TCP_CHECKS_CONNECT);
	socket = connected(k);
	expect(k, TCP_CHECKS_SEND);
	id = k->said.id;
	/* chosen before it has proved itself: it is not taken */
	say(k, socket, STUN_REQUEST, &nomination, PUNCH_NOMINATE);
	expect(k, TCP_CHECKS_SEND);
	assert_int_equal(k->said.flags, 0);
	assert_false(r->connected);
	say(k, socket, STUN_SUCCESS, &id, 0);
	say(k, socket, STUN_REQUEST, &nomination, PUNCH_NOMINATE);
	expect(k, TCP_CHECKS_SEND);
	assert_int_equal(k->said.class, STUN_SUCCESS);
	assert_int_equal(k->said.flags, PUNCH_NOMINATE);
	assert_true(stun_id_equal(&k->said.id, &nomination));
	assert_true(r->connected);
	assert_true(stun_id_equal(&r->nomination, &nomination));
	done(k);
}

/* Who comes in hears nothing before it has proved that it knows the key. */
static void test_accepted(void **state)
{
	struct kit *k = kit(false);
	int socket;

	(void)state;
	go(k);
	expect(k, TCP_CHECKS_CONNECT);
	socket = accept_from(k, 1);
	assert_true(socket >= 0);
	assert_false(next(k));
	say(k, (unsigned)socket, STUN_REQUEST, NULL, 0);
	expect(k, TCP_CHECKS_SEND);
	assert_int_equal(k->said.class, STUN_SUCCESS);
	expect(k, TCP_CHECKS_SEND);
	assert_int_equal(k->said.class, STUN_REQUEST);
	assert_false(next(k));
	done(k);
}

/* They are heard of after some time only; who has said nothing for the longest time gives way to the next one. */
static void test_strangers_come_in(void **state)
{
	struct kit *k = kit(true);
	uint16_t port = 1;
	int socket, sockets[20];

	(void)state;
	go(k);
	expect(k, TCP_CHECKS_CONNECT);
	for (; port <= 20; port++, k->now_us += MS) {
		sockets[port - 1] = accept_from(k, port);
		assert_true(sockets[port - 1] >= 0);
		if (port <= 16)
			continue;
		expect(k, TCP_CHECKS_CLOSE);
		assert_int_equal(k->out.socket, sockets[port - 17]);
	}
	assert_false(next(k));
	k->now_us += 5 * SECOND;
	for (int i = 0; i < 16; i++)
		expect(k, TCP_CHECKS_CLOSE);
	assert_false(next(k));
	/* one that says something wrong goes at once, and leaves its place */
	for (int i = 0; i < 40; i++) {
		socket = accept_from(k, (uint16_t)(100 + i));
		assert_true(socket >= 0);
		tcp_checks_input(
			k->checks, k->now_us, (unsigned)socket, "GET / HTTP/1.0\r\n\r\n", 18);
		expect(k, TCP_CHECKS_CLOSE);
		assert_int_equal(k->out.socket, socket);
	}
	assert_int_equal(k->trail->attempts[0].refused, 40);
	done(k);
}

/* Who knows the key keeps its place; nor is there an end to those who may come one after the other. */
static void test_peer_among_strangers(void **state)
{
	struct kit *k = kit(false);
	int socket;

	(void)state;
	go(k);
	expect(k, TCP_CHECKS_CONNECT);
	socket = accept_from(k, 1);
	say(k, (unsigned)socket, STUN_REQUEST, NULL, 0);
	expect(k, TCP_CHECKS_SEND);
	expect(k, TCP_CHECKS_SEND);
	for (unsigned i = 0; i < 3 * TCP_CHECKS_LINKS; i++, k->now_us += MS) {
		assert_true(accept_from(k, (uint16_t)(2 + i)) >= 0);
		if (next(k))
			assert_int_equal(k->out.action, TCP_CHECKS_CLOSE);
	}
	assert_int_equal(k->state[(unsigned)socket - FIRST], CONNECTED);
	assert_int_equal(count(k, CONNECTED), 16);
	say(k, (unsigned)socket, STUN_REQUEST, NULL, 0);
	expect(k, TCP_CHECKS_SEND);
	assert_int_equal(k->out.socket, socket);
	/* where all of them know the key nobody gives way */
	for (unsigned i = 0; i < 15; i++) {
		int one = accept_from(k, (uint16_t)(10000 + i));

		assert_true(one >= 0);
		say(k, (unsigned)one, STUN_REQUEST, NULL, 0);
		while (next(k))
			;
	}
	assert_int_equal(accept_from(k, 20000), -ENOSPC);
	done(k);
}

/* What was said on one connection proves nothing on another. */
static void test_replay(void **state)
{
	struct punch_message m = {.class = STUN_REQUEST, .counter = 1};
	struct kit *k = kit(false);
	uint8_t data[PUNCH_BYTES_MAX];
	int length, first, second;

	(void)state;
	go(k);
	expect(k, TCP_CHECKS_CONNECT);
	length = punch_encode(&m, k->key_in, data, sizeof(data));
	first = accept_from(k, 1);
	second = accept_from(k, 2);
	tcp_checks_input(k->checks, k->now_us, (unsigned)first, data, (size_t)length);
	expect(k, TCP_CHECKS_SEND);
	expect(k, TCP_CHECKS_SEND);
	tcp_checks_input(k->checks, k->now_us, (unsigned)second, data, (size_t)length);
	expect(k, TCP_CHECKS_CLOSE);
	assert_int_equal(k->out.socket, second);
	/* nor does what this side has said itself */
	length = punch_encode(&m, k->key_out, data, sizeof(data));
	second = accept_from(k, 3);
	tcp_checks_input(k->checks, k->now_us, (unsigned)second, data, (size_t)length);
	expect(k, TCP_CHECKS_CLOSE);
	done(k);
}

/* Two that come in and ask; ids: of our own requests to them. */
static void accept_two(struct kit *k, int sockets[static 2], struct stun_id ids[static 2])
{
	go(k);
	expect(k, TCP_CHECKS_CONNECT);
	for (int i = 0; i < 2; i++) {
		sockets[i] = accept_from(k, (uint16_t)(1 + i));
		say(k, (unsigned)sockets[i], STUN_REQUEST, NULL, 0);
		expect(k, TCP_CHECKS_SEND);
		expect(k, TCP_CHECKS_SEND);
		ids[i] = k->said.id;
	}
}

/* A connection that was chosen and breaks before that is confirmed leaves the others their chance. */
static void test_chosen_breaks(void **state)
{
	struct kit *k = kit(true);
	const struct checks_result *r = tcp_checks_result(k->checks);
	struct stun_id ids[2];
	int sockets[2];

	(void)state;
	accept_two(k, sockets, ids);
	say(k, (unsigned)sockets[0], STUN_SUCCESS, &ids[0], 0);
	expect(k, TCP_CHECKS_SEND);
	assert_int_equal(k->said.flags, PUNCH_NOMINATE);
	tcp_checks_closed(k->checks, k->now_us, (unsigned)sockets[0], -ECONNRESET);
	expect(k, TCP_CHECKS_CLOSE);
	say(k, (unsigned)sockets[1], STUN_SUCCESS, &ids[1], 0);
	expect(k, TCP_CHECKS_SEND);
	assert_int_equal(k->said.flags, PUNCH_NOMINATE);
	ids[1] = k->said.id;
	say(k, (unsigned)sockets[1], STUN_SUCCESS, &ids[1], PUNCH_NOMINATE);
	assert_true(r->connected);
	assert_int_equal(r->socket, sockets[1]);
	/* the attempt to connect and the listener end */
	expect(k, TCP_CHECKS_CLOSE);
	expect(k, TCP_CHECKS_CLOSE);
	assert_false(next(k));
	assert_int_equal(count(k, CONNECTED), 1);
	done(k);
}

/* … also when the other one was proved before that. */
static void test_proved_takes_over(void **state)
{
	struct kit *k = kit(true);
	const struct checks_result *r = tcp_checks_result(k->checks);
	struct stun_id ids[2];
	int sockets[2];

	(void)state;
	accept_two(k, sockets, ids);
	for (int i = 0; i < 2; i++)
		say(k, (unsigned)sockets[i], STUN_SUCCESS, &ids[i], 0);
	expect(k, TCP_CHECKS_SEND);
	assert_int_equal(k->out.socket, sockets[0]);
	assert_int_equal(k->said.flags, PUNCH_NOMINATE);
	assert_false(next(k)); /* one is enough */
	tcp_checks_closed(k->checks, k->now_us, (unsigned)sockets[0], -ECONNRESET);
	expect(k, TCP_CHECKS_SEND);
	assert_int_equal(k->out.socket, sockets[1]);
	assert_int_equal(k->said.flags, PUNCH_NOMINATE);
	say(k, (unsigned)sockets[1], STUN_SUCCESS, &k->said.id, PUNCH_NOMINATE);
	assert_true(r->connected);
	assert_int_equal(r->socket, sockets[1]);
	done(k);
}

/* A proof that comes on is not given up in the middle, and one that stops is. */
static void test_slow_proof(void **state)
{
	struct kit *k = kit(true);
	unsigned socket;
	struct stun_id id;

	(void)state;
	go(k);
	expect(k, TCP_CHECKS_CONNECT);
	socket = connected(k);
	expect(k, TCP_CHECKS_SEND);
	id = k->said.id;
	assert_false(next(k));
	assert_int_equal(k->deadline_us - k->now_us, 5 * SECOND);
	k->now_us += 4900 * MS;
	say(k, socket, STUN_SUCCESS, &id, 0);
	assert_false(next(k));
	assert_int_equal(k->deadline_us - k->now_us, 5 * SECOND);
	k->now_us += 4900 * MS;
	say(k, socket, STUN_REQUEST, NULL, 0);
	expect(k, TCP_CHECKS_SEND);
	expect(k, TCP_CHECKS_SEND);
	assert_int_equal(k->said.flags, PUNCH_NOMINATE);
	assert_false(next(k));
	assert_int_equal(k->deadline_us - k->now_us, 5 * SECOND);
	k->now_us += 5 * SECOND;
	expect(k, TCP_CHECKS_CLOSE);
	assert_int_equal(k->out.socket, socket);
	assert_false(next(k));
	assert_int_equal(k->deadline_us, UINT64_MAX);
	done(k);
}

/* --- whom to connect to, and when again --- */

static void test_again_after_rst(void **state)
{
	struct kit *k = kit(true);
	struct tcp_checks_attempt a = attempt();
	uint64_t before_us, least = UINT64_MAX, most = 0;

	(void)state;
	a.role.retry_low_us = 5 * MS;
	a.role.retry_high_us = 100 * MS;
	a.role.aim.packets = 200;
	go_with(k, &a);
	for (unsigned i = 0; i < 200; i++) {
		unsigned old;

		if (!i)
			expect(k, TCP_CHECKS_CONNECT);
		old = k->out.socket;
		refused(k, false);
		before_us = k->now_us;
		if (next(k)) /* the 200th was the last one */
			break;
		assert_int_equal(k->state[old - FIRST], BOUND); /* it keeps the port meanwhile */
		k->now_us = k->deadline_us;
		least = k->now_us - before_us < least ? k->now_us - before_us : least;
		most = k->now_us - before_us > most ? k->now_us - before_us : most;
		expect(k, TCP_CHECKS_CLOSE); /* when the new one has been bound */
		assert_int_equal(k->out.socket, old);
		assert_int_equal(count(k, BOUND), 1);
		expect(k, TCP_CHECKS_CONNECT);
		assert_int_equal(k->port[k->out.socket - FIRST], MAIN);
	}
	assert_int_equal(k->out.action, TCP_CHECKS_CLOSE);
	assert_int_equal(k->trail->attempts[0].sent, 200);
	assert_int_equal(k->trail->attempts[0].resets, 200);
	assert_in_range(least, 5 * MS, 10 * MS);
	assert_in_range(most, 90 * MS, 100 * MS);
	done(k);
}

static void test_again_after_icmp(void **state)
{
	struct kit *k = kit(true);
	struct tcp_checks_attempt a = attempt();

	(void)state;
	a.role.retry_low_us = 5 * MS;
	a.role.retry_high_us = 100 * MS;
	a.role.aim.packets = 10;
	go_with(k, &a);
	expect(k, TCP_CHECKS_CONNECT);
	refused(k, true);
	assert_false(next(k));
	assert_int_equal(k->deadline_us, k->now_us + MS);
	assert_int_equal(k->trail->attempts[0].resets, 0);
	k->now_us = k->deadline_us;
	expect_again(k);
	k->now_us += 20 * MS;
	refused(k, true); /* and as long as there is no socket, the peer's SYN may come */
	expect_again(k);
	done(k);
}

/* The first SYN of the plan alone ends on the way, and neither the next one nor one to a candidate. */
static void test_hidden(void **state)
{
	struct kit *k = kit(true);
	struct tcp_checks_attempt a = attempt();

	(void)state;
	a.role.aim.low_ttl = 2;
	a.role.retry_low_us = 5 * MS;
	a.role.retry_high_us = 100 * MS;
	a.role.aim.packets = 10;
	go_with(k, &a);
	expect(k, TCP_CHECKS_CONNECT);
	assert_int_equal(k->out.ttl, 2);
	assert_int_equal(k->trail->events[k->trail->event_count - 1].ttl, 2);
	k->now_us += 20 * MS;
	refused(k, true);
	expect_again(k);
	assert_int_equal(k->out.ttl, 0);
	assert_int_equal(
		tcp_checks_add_candidate(k->checks, k->now_us, CHECK_HOST, &other, true), 0);
	expect(k, TCP_CHECKS_CONNECT);
	assert_true(endpoint_equal(&k->out.to, &other));
	assert_int_equal(k->out.ttl, 0);
	done(k);
}

/* All SYNs of the plan do not heed errors: with a TTL with which they arrive. */
static void test_unheeding(void **state)
{
	struct kit *k = kit(true);
	struct tcp_checks_attempt a = attempt();

	(void)state;
	a.role.unheeding = true;
	a.role.retry_low_us = 5 * MS;
	a.role.retry_high_us = 100 * MS;
	a.role.aim.packets = 10;
	go_with(k, &a);
	expect(k, TCP_CHECKS_CONNECT);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(k->out.ttl, 32);
		k->now_us += 20 * MS;
		refused(k, true);
		expect_again(k);
	}
	done(k);
}

/* Without a role that says so there is one try; an endpoint beside the plan gets some more, for the peer may be late. */
static void test_not_again(void **state)
{
	struct kit *k = kit(true);
	unsigned tries = 1;

	(void)state;
	go(k);
	expect(k, TCP_CHECKS_CONNECT);
	refused(k, false);
	expect(k, TCP_CHECKS_CLOSE);
	assert_false(next(k));
	assert_int_equal(
		tcp_checks_add_candidate(k->checks, k->now_us, CHECK_HOST, &other, true), 0);
	expect(k, TCP_CHECKS_CONNECT);
	for (;; tries++) {
		refused(k, false);
		if (next(k))
			break;
		k->now_us = k->deadline_us;
		expect(k, TCP_CHECKS_CLOSE);
		expect(k, TCP_CHECKS_CONNECT);
	}
	assert_int_equal(tries, 20);
	done(k);
}

static unsigned count_attempts(struct kit *k)
{
	unsigned tries = 0;

	while (next(k)) {
		if (k->out.action != TCP_CHECKS_CONNECT)
			continue;
		assert_int_equal(k->out.syns, 2);
		tries++;
		refused(k, false);
	}
	assert_int_equal(k->deadline_us, UINT64_MAX);
	return tries;
}

/* Of addresses that nobody vouches for few are tried, each once, whatever the ports, and with few SYNs. */
static void test_unvouched(void **state)
{
	struct kit *k = kit(true);
	struct endpoint e = other;

	(void)state;
	tcp_checks_set_main(k->checks, FAMILY_IPV4, MAIN);
	for (unsigned i = 0; i < 30; i++) {
		e.address[3]++;
		e.port++;
		assert_int_equal(
			tcp_checks_add_candidate(k->checks, k->now_us, CHECK_HOST, &e, false),
			i < 8 ? 0 : -ENOSPC);
		e.port++;
		assert_int_equal(
			tcp_checks_add_candidate(k->checks, k->now_us, CHECK_HOST, &e, false),
			-ENOSPC);
	}
	assert_int_equal(count_attempts(k), 8);
	/* nor from another port of this side */
	tcp_checks_set_main(k->checks, FAMILY_IPV4, MAIN + 1);
	e = other;
	e.address[3]++;
	assert_int_equal(
		tcp_checks_add_candidate(k->checks, k->now_us, CHECK_HOST, &e, false), -ENOSPC);
	assert_int_equal(count_attempts(k), 0);
	/* a way that is looked for anew may be there */
	tcp_checks_again(k->checks);
	for (unsigned i = 0; i < 9; i++, e.address[3]++)
		assert_int_equal(
			tcp_checks_add_candidate(k->checks, k->now_us, CHECK_HOST, &e, false),
			i < 8 ? 0 : -ENOSPC);
	assert_int_equal(count_attempts(k), 8);
	done(k);
}

/* The limit of SYNs is not all: kernels send more than that. */
static void test_unvouched_is_silent(void **state)
{
	struct kit *k = kit(true);
	unsigned socket;

	(void)state;
	tcp_checks_set_main(k->checks, FAMILY_IPV4, MAIN);
	assert_int_equal(
		tcp_checks_add_candidate(k->checks, k->now_us, CHECK_HOST, &other, false), 0);
	expect(k, TCP_CHECKS_CONNECT);
	socket = k->out.socket;
	assert_false(next(k));
	assert_in_range(k->deadline_us - k->now_us, 1500 * MS, 1950 * MS);
	k->now_us = k->deadline_us;
	while (!next(k))
		assert_int_equal(k->deadline_us, k->now_us);
	assert_int_equal(k->out.action, TCP_CHECKS_CLOSE);
	assert_int_equal(k->out.socket, socket);
	assert_false(next(k));
	assert_int_equal(k->deadline_us, UINT64_MAX);
	done(k);
}

/* An endpoint for which nobody vouches is no better for being what a plan is about. */
static void test_claimed(void **state)
{
	struct kit *k = kit(true);
	struct tcp_checks_attempt a = attempt();
	struct checks_target t = {.peer = peer, .claimed = true};

	(void)state;
	a.role.retry_low_us = a.role.retry_high_us = 5 * MS;
	a.role.aim.packets = 200;
	tcp_checks_set_main(k->checks, FAMILY_IPV4, MAIN);
	for (unsigned candidate = 0; candidate < 2; candidate++) {
		tcp_checks_again(k->checks);
		if (candidate)
			assert_int_equal(tcp_checks_add_candidate(
						 k->checks, k->now_us, CHECK_HOST, &peer, false),
				0);
		tcp_checks_begin(k->checks, k->now_us, &a);
		tcp_checks_go(k->checks, k->now_us, &t);
		assert_int_equal(count_attempts(k), 1);
		assert_true(tcp_checks_has_sent_all(k->checks));
		/* once more: the same, and another port */
		for (t.peer.port = peer.port; t.peer.port < peer.port + 3; t.peer.port++) {
			tcp_checks_begin(k->checks, k->now_us, &a);
			tcp_checks_go(k->checks, k->now_us, &t);
			assert_int_equal(count_attempts(k), 0);
			assert_true(tcp_checks_has_sent_all(k->checks));
		}
		t.peer.port = peer.port;
	}
	done(k);
}

/* No packet to what is no host, nor to this one. */
static void test_bad_endpoints(void **state)
{
	static const struct endpoint bad[] = {{FAMILY_IPV4, 9, 0, {127, 0, 0, 1}},
		{FAMILY_IPV4, 9, 0, {224, 0, 0, 1}}, {FAMILY_IPV4, 9, 0, {0, 0, 0, 0}}};
	struct kit *k = kit(true);
	struct tcp_checks_attempt a = attempt();

	(void)state;
	tcp_checks_set_main(k->checks, FAMILY_IPV4, MAIN);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const struct checks_target t = {.peer = bad[i]};

		assert_int_equal(
			tcp_checks_add_candidate(k->checks, k->now_us, CHECK_HOST, &bad[i], true),
			-EINVAL);
		tcp_checks_begin(k->checks, k->now_us, &a);
		tcp_checks_go(k->checks, k->now_us, &t);
		assert_false(next(k));
	}
	assert_int_equal(count(k, CONNECTING), 0);
	done(k);
}

/* Several local ports against several guesses, at a rate. */
static void test_band(void **state)
{
	struct kit *k = kit(true);
	struct tcp_checks_attempt a = attempt();
	bool seen[7][251] = {{false}};
	unsigned n = 0;
	uint16_t ports[CHECKS_PORTS];

	(void)state;
	a.role.aim = (struct pair_role){.sockets = 7,
		.targets = PAIR_BAND,
		.guesses = 140,
		.low = 40000,
		.high = 40250,
		.packets = 140};
	a.rate_cps = 100;
	go_with(k, &a);
	assert_int_equal(tcp_checks_further(k->checks), 7);
	assert_int_equal(tcp_checks_ports(k->checks, ports), 7);
	assert_false(tcp_checks_has_sent_all(k->checks));
	while (n < 140) {
		unsigned place = 0;

		if (!next(k)) {
			k->now_us = k->deadline_us;
			continue;
		}
		assert_int_equal(k->out.action, TCP_CHECKS_CONNECT);
		while (place < 7 && ports[place] != k->port[k->out.socket - FIRST])
			place++;
		assert_true(place < 7);
		assert_in_range(k->out.to.port, 40000, 40250);
		assert_false(seen[place][k->out.to.port - 40000]);
		seen[place][k->out.to.port - 40000] = true;
		n++;
	}
	assert_true(tcp_checks_has_sent_all(k->checks));
	assert_in_range(k->now_us - BEGIN_US, 1380 * MS, 1400 * MS);
	assert_int_equal(count(k, CONNECTING), 140);
	/* the end of the plan gives all of them back */
	tcp_checks_pause(k->checks);
	while (next(k))
		assert_int_equal(k->out.action, TCP_CHECKS_CLOSE);
	assert_int_equal(count(k, CONNECTING) + count(k, BOUND), 0);
	assert_int_equal(count(k, LISTENING), 1); /* of the main port */
	done(k);
}

static void test_second(void **state)
{
	struct kit *k = kit(true);
	struct tcp_checks_attempt a = attempt();

	(void)state;
	a.role.aim.second = true;
	go_with(k, &a);
	assert_false(next(k));
	assert_int_equal(k->deadline_us, UINT64_MAX);
	k->now_us += 3 * SECOND;
	tcp_checks_release(k->checks, k->now_us);
	expect(k, TCP_CHECKS_CONNECT);
	assert_true(endpoint_equal(&k->out.to, &peer));
	done(k);
}

static void test_aside(void **state)
{
	struct kit *k = kit(true);
	struct tcp_checks_attempt a = attempt();

	(void)state;
	a.role.aside = a.role.listens = true;
	go_with(k, &a);
	expect(k, TCP_CHECKS_CONNECT);
	assert_true(endpoint_same_address(&k->out.to, &peer));
	assert_int_not_equal(k->out.to.port, peer.port);
	assert_int_equal(count(k, LISTENING), 1);
	done(k);
}

/* Another main port: what was tried from the old one ends, and the new one is listened on. */
static void test_new_main(void **state)
{
	struct kit *k = kit(true);

	(void)state;
	go(k);
	expect(k, TCP_CHECKS_CONNECT);
	tcp_checks_set_main(k->checks, FAMILY_IPV4, MAIN + 1);
	expect(k, TCP_CHECKS_CLOSE);
	expect(k, TCP_CHECKS_CLOSE);
	assert_false(next(k));
	assert_int_equal(count(k, CONNECTING), 0);
	assert_int_equal(k->port[find(k, LISTENING) - FIRST], MAIN + 1);
	done(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_controlling),
		cmocka_unit_test(test_controlled),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_strangers_come_in),
		cmocka_unit_test(test_peer_among_strangers),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_chosen_breaks),
		cmocka_unit_test(test_proved_takes_over),
		cmocka_unit_test(test_slow_proof),
		cmocka_unit_test(test_again_after_rst),
		cmocka_unit_test(test_again_after_icmp),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_unheeding),
		cmocka_unit_test(test_not_again),
		cmocka_unit_test(test_unvouched),
		cmocka_unit_test(test_unvouched_is_silent),
		cmocka_unit_test(test_claimed),
		cmocka_unit_test(test_bad_endpoints),
		cmocka_unit_test(test_band),
		cmocka_unit_test(test_second),
		cmocka_unit_test(test_aside),
		cmocka_unit_test(test_new_main),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
