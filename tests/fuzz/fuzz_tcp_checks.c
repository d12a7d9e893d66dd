// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * A script of what happens to the checks over TCP: plans of any kind, sockets that open, are refused, break or are accepted
 * in any order, messages of the peer, of others, and of both at the wrong time. What they want done has to be possible,
 * they come to rest, strangers get no more than they may, and a way is only there when the peer has proved itself over it.
 */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "punch/tcp_checks.h"

#define FIRST	 1000u
#define ACTIONS	 4000 /* between two inputs, at most */
#define CONNECTS 20000u

enum state { CLOSED, BOUND, CONNECTING, CONNECTED, LISTENING };

struct run {
	struct reader bytes;
	struct tcp_checks *checks;
	struct trail *trail;
	uint64_t now_us, counter;
	enum state state[TCP_CHECKS_SOCKETS];
	bool asked[TCP_CHECKS_SOCKETS]; /* to be opened */
	struct endpoint to[TCP_CHECKS_SOCKETS];
	struct stun_id id[TCP_CHECKS_SOCKETS]; /* of its latest request */
	bool has_id[TCP_CHECKS_SOCKETS], proved[TCP_CHECKS_SOCKETS];
	bool controlling;
	struct endpoint vouched[2];
	unsigned connects, strange, number;
	uint8_t key_out[PUNCH_KEY_BYTES], key_in[PUNCH_KEY_BYTES];
};

static struct endpoint endpoint(struct run *x)
{
	uint8_t kind = reader_u8(&x->bytes);
	struct endpoint e = {FAMILY_IPV4, reader_u16(&x->bytes), 0, {198, 51, 100, kind & 3}};

	if (kind & 0x40)
		return (struct endpoint){
			FAMILY_IPV6, e.port, 0, {0x20, 1, 0xd, 0xb8, [15] = kind & 3}};
	if (kind & 0x80)
		e.address[0] = reader_u8(&x->bytes);
	return e;
}

static bool is_vouched(const struct run *x, const struct endpoint *e)
{
	return endpoint_same_address(e, &x->vouched[0]) || endpoint_same_address(e, &x->vouched[1]);
}

/* --- what the checks want --- */

static void opened(struct run *x, unsigned at)
{
	static const int errors[] = {0, 0, 0, 0, 0, -EADDRINUSE, -EMFILE, -EACCES};
	int err = errors[reader_u8(&x->bytes) & 7];
	struct endpoint local = {FAMILY_IPV4, (uint16_t)(40000 + at), 0, {10, 0, 0, 1}};

	x->asked[at] = false;
	x->state[at] = err ? CLOSED : BOUND;
	tcp_checks_opened(x->checks, x->now_us, FIRST + at, err, err ? NULL : &local);
}

static void connect_socket(struct run *x, unsigned at, const struct tcp_checks_output *out)
{
	require(x->state[at] == BOUND);
	require(endpoint_is_unicast(&out->to) && !endpoint_is_loopback(&out->to) && out->to.port);
	require(++x->connects < CONNECTS);
	if (!is_vouched(x, &out->to)) {
		require(out->syns == 2);
		x->strange++;
		require(x->strange <= 8);
	}
	x->state[at] = CONNECTING;
	x->to[at] = out->to;
	x->has_id[at] = x->proved[at] = false;
}

static void take_message(struct run *x, unsigned at, const struct tcp_checks_output *out)
{
	struct punch_message m;

	require(x->state[at] == CONNECTED);
	require(!punch_decode(out->data, out->length, x->key_out, &m));
	if (m.class != STUN_REQUEST)
		return;
	require(!(m.flags & PUNCH_NOMINATE) || (x->controlling && x->proved[at]));
	x->id[at] = m.id;
	x->has_id[at] = true;
}

/* The moment at which they want to be called again. */
static uint64_t poll(struct run *x)
{
	struct tcp_checks_output out;

	for (unsigned i = 0;; i++) {
		unsigned at;

		require(i < ACTIONS);
		if (tcp_checks_poll(x->checks, x->now_us, &out) == TCP_CHECKS_WAIT) {
			require(out.deadline_us > x->now_us);
			return out.deadline_us;
		}
		at = out.socket - FIRST;
		require(at < TCP_CHECKS_SOCKETS);
		switch (out.action) {
		case TCP_CHECKS_OPEN:
			require(x->state[at] == CLOSED && !x->asked[at]);
			require(out.to.family != FAMILY_NONE);
			x->asked[at] = true;
			if (reader_u8(&x->bytes) & 0xf) /* else it takes its time */
				opened(x, at);
			break;
		case TCP_CHECKS_LISTEN:
			require(x->state[at] == BOUND);
			x->state[at] = LISTENING;
			break;
		case TCP_CHECKS_CONNECT:
			connect_socket(x, at, &out);
			break;
		case TCP_CHECKS_SEND:
			take_message(x, at, &out);
			break;
		default:
			require(x->state[at] != CLOSED && !x->asked[at]);
			x->state[at] = CLOSED;
			break;
		}
	}
}

/* --- what happens --- */

/* One of that state, the n-th from some place on. */
static unsigned pick(struct run *x, enum state state)
{
	unsigned start = reader_u8(&x->bytes);

	for (unsigned i = 0; i < TCP_CHECKS_SOCKETS; i++)
		if (x->state[(start + i) % TCP_CHECKS_SOCKETS] == state)
			return (start + i) % TCP_CHECKS_SOCKETS;
	return TCP_CHECKS_SOCKETS;
}

static void give_connected(struct run *x)
{
	static const int errors[] = {
		0, 0, 0, -ECONNREFUSED, -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH, -EADDRNOTAVAIL};
	unsigned at = pick(x, CONNECTING);
	uint8_t kind = reader_u8(&x->bytes);
	int err = errors[kind & 7];

	if (at == TCP_CHECKS_SOCKETS)
		return;
	if (kind & 0x80)
		tcp_checks_icmp(x->checks, FIRST + at);
	x->state[at] = err ? BOUND : CONNECTED;
	tcp_checks_connected(x->checks, x->now_us, FIRST + at, err);
}

static void give_accepted(struct run *x)
{
	unsigned listener = pick(x, LISTENING);
	struct endpoint from = endpoint(x);
	int number;

	if (listener == TCP_CHECKS_SOCKETS)
		return;
	number = tcp_checks_accepted(x->checks, x->now_us, FIRST + listener, &from);
	if (number < 0)
		return;
	require((unsigned)number - FIRST < TCP_CHECKS_SOCKETS);
	require(x->state[(unsigned)number - FIRST] == CLOSED);
	x->state[(unsigned)number - FIRST] = CONNECTED;
	x->has_id[(unsigned)number - FIRST] = x->proved[(unsigned)number - FIRST] = false;
}

/* Of the peer, with what it may make up; or of somebody without the key; or what is none. */
static void give_message(struct run *x)
{
	unsigned at = pick(x, CONNECTED);
	uint8_t kind = reader_u8(&x->bytes), data[PUNCH_BYTES_MAX];
	struct punch_message m = {.class = kind & 1 ? STUN_SUCCESS : STUN_REQUEST,
		.flags = kind & 2 ? PUNCH_NOMINATE : 0,
		.attempt = reader_u8(&x->bytes) & 3,
		.mapped = {FAMILY_IPV4, 7, 0, {192, 0, 2, 1}}};
	const struct checks_result *r = tcp_checks_result(x->checks);
	int length;

	if (at == TCP_CHECKS_SOCKETS || (r->connected && r->socket == FIRST + at))
		return;
	m.counter = kind & 4 ? ++x->counter : reader_u8(&x->bytes);
	if (kind & 1 && kind & 8 && x->has_id[at])
		m.id = x->id[at];
	else
		m.id = (struct stun_id){{0x21, 0x12, 0xa4, 0x42, kind}};
	if (m.class == STUN_SUCCESS && kind & 8 && x->has_id[at] && !(kind & 0x30))
		x->proved[at] = true;
	length = punch_encode(&m, kind & 0x10 ? x->key_out : x->key_in, data, sizeof(data));
	require(length > 0);
	if (kind & 0x20)
		data[reader_u8(&x->bytes) % (unsigned)length] ^= 1;
	tcp_checks_input(x->checks, x->now_us, FIRST + at, data, (size_t)length);
}

static void give_closed(struct run *x)
{
	static const int errors[] = {0, -ECONNRESET, -EBADMSG, -ETIMEDOUT};
	unsigned at = pick(x, CONNECTED);
	const struct checks_result *r = tcp_checks_result(x->checks);

	if (at != TCP_CHECKS_SOCKETS && !(r->connected && r->socket == FIRST + at))
		tcp_checks_closed(
			x->checks, x->now_us, FIRST + at, errors[reader_u8(&x->bytes) & 3]);
}

static struct pair_tcp_role role(struct run *x)
{
	uint8_t flags = reader_u8(&x->bytes);
	struct pair_tcp_role r = {.connects = flags & 1, .listens = flags & 2, .aside = flags & 4};

	r.aim.targets = (enum pair_targets)(flags >> 3 & 3);
	r.aim.second = flags & 0x20;
	r.aim.sockets = 1 + reader_u8(&x->bytes) % 9u * (flags >> 7 ? 57 : 1);
	r.aim.guesses = r.aim.targets == PAIR_KNOWN ? 1 : reader_u8(&x->bytes);
	r.aim.step = (int8_t)reader_u8(&x->bytes) % 65;
	r.aim.span = 1 + reader_u8(&x->bytes) % 8;
	r.aim.ahead = reader_u8(&x->bytes) % 8;
	r.aim.low = (uint16_t)(1 + reader_u8(&x->bytes) * 100);
	r.aim.high = (uint16_t)(r.aim.low + reader_u16(&x->bytes) % 2000);
	r.aim.packets = 600;
	if (flags & 0x40) {
		r.retry_low_us = 5000;
		r.retry_high_us = 100000;
	}
	return r;
}

static void begin(struct run *x)
{
	struct tcp_checks_attempt a = {.role = role(x), .rate_cps = 100, .family = FAMILY_IPV4};
	uint8_t flags = reader_u8(&x->bytes);

	a.number = ++x->number;
	a.further = flags & 1;
	if (flags & 2)
		a.family = FAMILY_IPV6;
	tcp_checks_begin(x->checks, x->now_us, &a);
}

static void go(struct run *x)
{
	struct checks_target t = {.peer = endpoint(x), .latest = reader_u16(&x->bytes)};

	t.port_count = reader_u8(&x->bytes) % 9;
	for (unsigned i = 0; i < t.port_count; i++)
		t.ports[i] = reader_u16(&x->bytes);
	t.claimed = !is_vouched(x, &t.peer);
	tcp_checks_go(x->checks, x->now_us, &t);
}

static void happen(struct run *x, uint64_t deadline_us)
{
	struct endpoint e;
	uint8_t what = reader_u8(&x->bytes);

	switch (what % 14) {
	case 0:
		begin(x);
		break;
	case 1:
		go(x);
		break;
	case 2:
		tcp_checks_release(x->checks, x->now_us);
		break;
	case 3:
		tcp_checks_pause(x->checks);
		break;
	case 4:
		e = endpoint(x);
		tcp_checks_add_candidate(x->checks, x->now_us, CHECK_HOST, &e, is_vouched(x, &e));
		break;
	case 5:
		tcp_checks_set_main(
			x->checks, what & 0x80 ? FAMILY_IPV6 : FAMILY_IPV4, reader_u16(&x->bytes));
		break;
	case 6:
		give_accepted(x);
		break;
	case 7:
	case 8:
		give_message(x);
		break;
	case 9:
		give_closed(x);
		break;
	case 10:
		for (unsigned i = 0; i < TCP_CHECKS_SOCKETS; i++)
			if (x->asked[i])
				opened(x, i);
		break;
	case 11:
		if (tcp_checks_result(x->checks)->connected)
			tcp_checks_again(x->checks);
		break;
	case 12:
		x->now_us = deadline_us < x->now_us + 10000000 ? deadline_us : x->now_us + 10000000;
		break;
	default:
		give_connected(x);
		break;
	}
}

static void check_result(const struct run *x)
{
	const struct checks_result *r = tcp_checks_result(x->checks);

	if (!r->connected)
		return;
	require(r->socket - FIRST < TCP_CHECKS_SOCKETS);
	require(x->state[r->socket - FIRST] == CONNECTED && x->proved[r->socket - FIRST]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tcp_checks_config config = {.first_socket = FIRST};
	struct run *x = calloc(1, sizeof(*x));
	uint64_t deadline_us;

	require(x && !trail_create(1, &x->trail));
	x->bytes = reader_over(data, size < 4096 ? size : 4096);
	x->now_us = 1000000;
	memset(x->key_out, 1, sizeof(x->key_out));
	memset(x->key_in, 2, sizeof(x->key_in));
	x->controlling = reader_u8(&x->bytes) & 1;
	x->vouched[0] = (struct endpoint){FAMILY_IPV4, 0, 0, {198, 51, 100, 1}};
	x->vouched[1] = (struct endpoint){FAMILY_IPV6, 0, 0, {0x20, 1, 0xd, 0xb8, [15] = 1}};
	config.checks.controlling = x->controlling;
	config.checks.trail = x->trail;
	memcpy(config.checks.key_out, x->key_out, PUNCH_KEY_BYTES);
	memcpy(config.checks.key_in, x->key_in, PUNCH_KEY_BYTES);
	random_init_number(&config.checks.random, 1);
	require(!tcp_checks_create(&config, &x->checks));
	deadline_us = poll(x);
	while (reader_left(&x->bytes)) {
		happen(x, deadline_us);
		deadline_us = poll(x);
		check_result(x);
	}
	tcp_checks_destroy(x->checks);
	trail_destroy(x->trail);
	free(x);
	return 0;
}
