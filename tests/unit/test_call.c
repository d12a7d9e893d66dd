// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "server/call.h"
#include "server/quota.h"

#define MS	    ((uint64_t)1000)
#define SECOND	    ((uint64_t)1000000)
#define START	    (1000 * SECOND)
#define ALL	    0x1f
#define THIRD_FIRST 40000
#define PEERS	    400
#define LOG	    40000

/* One socket as the engine has asked for it. */
enum use { USE_NONE, USE_BOUND, USE_CONNECTING, USE_CONNECTED };

struct line {
	enum use use;
	unsigned local;
	struct endpoint to;
};

struct peer {
	struct endpoint at;
	uint64_t connection;
	struct calls_tally tally;
	unsigned local;
};

struct world {
	struct calls *calls;
	uint64_t now_us;
	struct line lines[CALLS_MAX];
	unsigned open;
	uint16_t next_third;
	int bind_error;
	struct calls_output out; /* the last one */
	struct call_message got; /* its message */
	uint8_t id;
};

static struct endpoint endpoint(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 0, &e), 0);
	return e;
}

/* --- its sockets --- */

static int bind_line(void *context, unsigned number, unsigned local, uint16_t *port)
{
	struct world *w = context;

	assert_in_range(number, 0, CALLS_MAX - 1);
	assert_int_equal(w->lines[number].use, USE_NONE);
	if (w->bind_error)
		return w->bind_error;
	w->lines[number] = (struct line){.use = USE_BOUND, .local = local};
	w->open++;
	if (!*port)
		*port = w->next_third++;
	return 0;
}

static void close_line(struct world *w, unsigned number)
{
	/* what could not be bound is closed, too, when its connection ends */
	if (w->lines[number].use == USE_NONE)
		return;
	w->lines[number].use = USE_NONE;
	w->open--;
}

/* Does what the engine wants and decodes what it says. */
static void follow(struct world *w)
{
	struct line *line = &w->lines[w->out.number];

	memset(&w->got, 0, sizeof(w->got));
	if (w->out.length)
		assert_int_equal(call_decode(w->out.bytes, w->out.length, &w->got), 0);
	switch (w->out.step) {
	case CALLS_NOTHING:
		break;
	case CALLS_CONNECT:
		assert_int_equal(line->use, USE_BOUND);
		line->use = USE_CONNECTING;
		line->to = w->out.to;
		break;
	case CALLS_GREET:
		assert_int_equal(line->use, USE_CONNECTING);
		assert_int_equal(w->got.outcome, CALL_CONNECTED);
		line->use = USE_CONNECTED;
		break;
	case CALLS_CLOSE:
		close_line(w, w->out.number);
		break;
	}
}

static bool poll(struct world *w)
{
	if (!calls_poll(w->calls, w->now_us, &w->out))
		return false;
	follow(w);
	return true;
}

static void poll_all(struct world *w)
{
	unsigned count = 0;

	while (poll(w))
		assert_in_range(count++, 0, 4 * CALLS_MAX);
	assert_true(calls_next_us(w->calls) > w->now_us);
}

static void event(struct world *w, unsigned number, int error)
{
	struct calls_event e = {.number = number, .error = error};

	calls_event(w->calls, w->now_us, &e, &w->out);
	follow(w);
}

/* --- talking to it --- */

static struct peer peer(const char *at, uint64_t connection)
{
	return (struct peer){.at = endpoint(at), .connection = connection};
}

static void send_bytes(struct world *w, struct peer *p, const uint8_t *data, size_t length)
{
	struct calls_input in = {.data = data,
		.length = length,
		.from = p->at,
		.local = p->local,
		.connection = p->connection,
		.tally = p->connection ? &p->tally : NULL};

	calls_input(w->calls, w->now_us, &in, &w->out);
	assert_int_equal(w->out.step, CALLS_NOTHING);
	assert_true(endpoint_equal(&w->out.to, &p->at));
	assert_int_equal(w->out.connection, p->connection);
	assert_int_equal(w->out.local, p->local);
	follow(w);
}

/* The error of the answer; 0: success; -1: no answer. */
static int ask_with_patience(
	struct world *w, struct peer *p, unsigned from, unsigned wait_ms, unsigned patience_ms)
{
	struct call_message m = {.class = STUN_REQUEST, .id = {{0x21, 0x12, 0xa4, 0x42}}};
	uint8_t bytes[CALL_BYTES_MAX];
	int length;

	m.id.bytes[15] = ++w->id;
	m.has_from = true;
	m.from = (uint8_t)from;
	m.wait_ms = (uint16_t)wait_ms;
	m.patience_ms = (uint16_t)patience_ms;
	length = call_encode(&m, bytes, sizeof(bytes));
	assert_true(length > 0);
	send_bytes(w, p, bytes, (size_t)length);
	if (!w->out.length)
		return -1;
	assert_true(stun_id_equal(&w->got.id, &m.id));
	assert_int_equal(w->out.error, w->got.error_code);
	assert_true(w->got.class == STUN_SUCCESS || w->got.class == STUN_ERROR);
	return w->got.error_code;
}

static int ask(struct world *w, struct peer *p, unsigned from, unsigned wait_ms)
{
	return ask_with_patience(w, p, from, wait_ms, 0);
}

static struct calls_config config(struct world *w, bool single)
{
	static const char *const advertised[RESPONDER_ENDPOINTS] = {"198.51.100.1:3478",
		"198.51.100.1:3479", "203.0.113.1:3478", "203.0.113.1:3479", "[2001:db8:a::1]:3478",
		"[2001:db8:a::1]:3479", "[2001:db8:b::1]:3478", "[2001:db8:b::1]:3479"};
	struct calls_config c = {.bind = bind_line, .context = w};

	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		if (!single || !(i & RESPONDER_ADDRESS))
			c.advertised[i] = endpoint(advertised[i]);
	return c;
}

static void start(struct world *w, bool single)
{
	static const uint8_t key[SOURCES_KEY_BYTES] = {1};
	struct calls_config c = config(w, single);

	assert_int_equal(calls_create(&w->calls, &c, key), 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->now_us = START;
	w->next_third = THIRD_FIRST;
	start(w, false);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	calls_destroy(w->calls);
	free(w);
	return 0;
}

/* The next step has to be a connect; the number of its socket. */
static unsigned next_connect(struct world *w)
{
	assert_true(poll(w));
	assert_int_equal(w->out.step, CALLS_CONNECT);
	assert_int_equal(w->out.length, 0);
	return w->out.number;
}

/* --- what is called --- */

/* From each of our endpoints, each bit: from where, and to nowhere else than the asking one. */
static void test_places(void **state)
{
	static const unsigned changes[CALL_FROM_KINDS] = {RESPONDER_PORT, RESPONDER_ADDRESS,
		RESPONDER_PORT | RESPONDER_ADDRESS, 0, RESPONDER_ADDRESS};
	struct world *w = *state;
	struct calls_config c = config(w, false);

	for (unsigned local = 0; local < RESPONDER_ENDPOINTS; local++) {
		bool v4 = local < RESPONDER_IPV6;
		struct peer p = peer(v4 ? "192.0.2.7:1234" : "[2001:db8:7::7]:1234", local + 1);

		p.local = local;
		assert_int_equal(ask(w, &p, ALL, 0), 0);
		assert_int_equal(w->got.from, ALL);
		assert_true(endpoint_equal(&w->got.mapped, &p.at));
		for (unsigned i = 0; i < CALL_FROM_KINDS; i++) {
			struct endpoint from = c.advertised[local ^ changes[i]];

			if (i >= 3)
				from.port = (uint16_t)(THIRD_FIRST + 2 * local + i - 3);
			assert_true(endpoint_equal(&w->got.endpoint[i], &from));
		}
		for (unsigned i = 0; i < CALL_FROM_KINDS; i++) {
			unsigned number = next_connect(w);

			assert_true(endpoint_equal(&w->out.to, &p.at));
			assert_int_equal(w->lines[number].local, local ^ changes[i]);
			event(w, number, -ECONNREFUSED);
			assert_int_equal(w->got.which, 1 << i);
		}
		assert_false(poll(w));
		assert_int_equal(w->open, 0);
	}
}

static void test_masks(void **state)
{
	struct world *w = *state;

	for (unsigned mask = 1; mask < 256; mask++) {
		struct peer p = peer("192.0.2.7:1234", mask);
		unsigned made = 0;

		p.at.address[3] = (uint8_t)(mask / 8 + 1); /* not too many for one source */
		assert_int_equal(ask(w, &p, mask, 0), 0);
		assert_int_equal(w->got.from, mask & ALL);
		for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
			assert_int_equal(w->got.endpoint[i].family != FAMILY_NONE, mask >> i & 1);
		while (poll(w))
			made += 1u << (w->lines[w->out.number].use == USE_CONNECTING);
		assert_int_equal(made, 2 * __builtin_popcount(mask & ALL));
		assert_int_equal(w->open, made / 2);
		calls_closed(w->calls, mask);
		poll_all(w);
		assert_int_equal(w->open, 0);
	}
}

static void test_single(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.7:1234", 1);

	calls_destroy(w->calls);
	start(w, true);
	assert_int_equal(ask(w, &p, ALL, 0), 0);
	assert_int_equal(w->got.from, CALL_FROM_PORT | CALL_FROM_THIRD);
	assert_int_equal(w->open, 2);
	assert_int_equal(ask(w, &p, CALL_FROM_ADDRESS | CALL_FROM_BOTH, 0), 0);
	assert_int_equal(w->got.from, 0);
	assert_int_equal(p.tally.made, 2);
}

static void test_wait(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.7:1234", 1);

	assert_true(calls_next_us(w->calls) == UINT64_MAX);
	assert_int_equal(ask(w, &p, CALL_FROM_PORT, CALL_WAIT_MAX_MS), 0);
	assert_int_equal(ask(w, &p, CALL_FROM_BOTH, 250), 0);
	assert_true(calls_next_us(w->calls) == START + 250 * MS);
	w->now_us = START + 250 * MS - 1;
	assert_false(poll(w));
	w->now_us++;
	assert_int_equal(w->lines[next_connect(w)].local, 3);
	assert_false(poll(w));
	w->now_us = START + 10 * SECOND - 1;
	assert_true(poll(w)); /* the other one was silent */
	assert_int_equal(w->got.outcome, CALL_SILENT);
	assert_false(poll(w));
	w->now_us++;
	assert_int_equal(w->lines[next_connect(w)].local, 1);
}

/* --- what is said of it --- */

static void test_outcomes(void **state)
{
	static const struct {
		int error;
		bool local, icmp;
		enum call_outcome outcome;
	} rows[] = {
		{0, false, false, CALL_CONNECTED},
		{-ECONNREFUSED, false, false, CALL_REFUSED},
		{-ECONNREFUSED, false, true, CALL_REFUSED},
		{-ECONNRESET, false, false, CALL_REFUSED},
		{-EHOSTUNREACH, false, true, CALL_UNREACHABLE},
		{-ENETUNREACH, false, false, CALL_UNREACHABLE},
		{-EACCES, false, true, CALL_UNREACHABLE},
		{-ENOPROTOOPT, false, true, CALL_UNREACHABLE},
		{-ETIMEDOUT, false, false, CALL_SILENT},
		{-EADDRNOTAVAIL, true, false, CALL_LOCAL},
		{-ENETUNREACH, true, false, CALL_LOCAL},
		{-ECONNREFUSED, true, false, CALL_LOCAL},
	};
	struct world *w = *state;
	struct peer p = peer("192.0.2.7:1234", 77);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct calls_event e = {.error = rows[i].error,
			.local = rows[i].local,
			.has_icmp = rows[i].icmp,
			.icmp = {3, 9, 1, endpoint("192.0.2.99:9"), {0}}};
		struct stun_id id;
		bool connected = rows[i].outcome == CALL_CONNECTED;

		assert_int_equal(ask(w, &p, CALL_FROM_ADDRESS, 0), 0);
		id = w->got.id;
		e.number = next_connect(w);
		w->now_us += 1000 + i;
		calls_event(w->calls, w->now_us, &e, &w->out);
		follow(w);
		assert_int_equal(w->got.class, STUN_INDICATION);
		assert_true(stun_id_equal(&w->got.id, &id));
		assert_int_equal(w->out.connection, 77);
		assert_int_equal(w->got.which, CALL_FROM_ADDRESS);
		assert_int_equal(w->got.outcome, rows[i].outcome);
		assert_int_equal(w->out.outcome, rows[i].outcome);
		assert_int_equal(w->got.error, -rows[i].error);
		assert_int_equal(w->got.elapsed_us, 1000 + i);
		assert_int_equal(w->got.has_icmp, rows[i].icmp);
		if (rows[i].icmp) {
			struct endpoint from = endpoint("203.0.113.1:3478");

			assert_int_equal(w->got.icmp.code, 9);
			assert_true(endpoint_equal(&w->got.icmp.offender, &e.icmp.offender));
			assert_true(endpoint_equal(&w->got.icmp.quoted_from, &from));
		}
		assert_int_equal(w->out.step, connected ? CALLS_GREET : CALLS_CLOSE);
		if (connected)
			event(w, e.number, 0); /* it was closed by the other end */
		assert_int_equal(w->open, 0);
	}
}

static void hear(struct world *w, const char *from, unsigned local, uint16_t port, uint8_t flags,
	uint8_t ttl)
{
	struct calls_segment s = {endpoint(from), local, port, flags, ttl};

	calls_heard(w->calls, &s);
}

/* That of what has ended the call: of its own two endpoints, and the newest. */
static void test_ttl(void **state)
{
	static const struct {
		int error;
		bool icmp;
		uint8_t ttl;
	} rows[] = {{0, false, 51}, {-ECONNREFUSED, false, 61}, {-ECONNRESET, false, 61},
		{-ECONNREFUSED, true, 0}, {-EHOSTUNREACH, false, 0}, {-ETIMEDOUT, false, 0}};
	struct world *w = *state;
	struct peer p = peer("192.0.2.7:1234", 77);

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
		struct calls_event e = {.error = rows[i / 2].error,
			.has_icmp = rows[i / 2].icmp,
			.icmp = {3, 3, 1, endpoint("192.0.2.99:9"), {0}}};
		bool third = i & 1; /* from a port that the kernel has chosen */
		uint16_t port;

		assert_int_equal(
			ask(w, &p, third ? CALL_FROM_THIRD_ADDRESS : CALL_FROM_BOTH, 0), 0);
		port = third ? w->got.endpoint[4].port : 3479;
		hear(w, "192.0.2.7:1234", 2, port, PACKET_RST, 99); /* too early */
		e.number = next_connect(w);
		hear(w, "192.0.2.7:1234", 2, port, PACKET_RST, 60);
		hear(w, "192.0.2.7:1234", 2, port, PACKET_RST | PACKET_ACK, 61);
		hear(w, "192.0.2.7:1234", 2, port, PACKET_SYN | PACKET_ACK, 51);
		hear(w, "192.0.2.7:1235", 2, port, PACKET_SYN | PACKET_ACK, 99);
		hear(w, "192.0.2.8:1234", 2, port, PACKET_SYN | PACKET_ACK, 99);
		hear(w, "192.0.2.7:1234", 0, port, PACKET_RST, 99);
		hear(w, "192.0.2.7:1234", 2, (uint16_t)(port + 1), PACKET_RST, 99);
		calls_event(w->calls, w->now_us, &e, &w->out);
		follow(w);
		assert_int_equal(w->got.ttl, rows[i / 2].ttl);
		if (!e.error)
			event(w, e.number, 0);
		/* nothing of it is left for the next one */
		assert_int_equal(ask(w, &p, CALL_FROM_PORT, 0), 0);
		hear(w, "192.0.2.7:1234", 0, 3479, PACKET_RST, 99);
		event(w, next_connect(w), -ECONNREFUSED);
		assert_int_equal(w->got.ttl, 0);
	}
}

static void test_silent(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.7:1234", 1);

	assert_int_equal(ask(w, &p, CALL_FROM_PORT, 100), 0);
	w->now_us += 130 * MS; /* somewhat late */
	next_connect(w);
	assert_false(poll(w));
	assert_true(calls_next_us(w->calls) == w->now_us + CALL_SILENT_US);
	w->now_us += CALL_SILENT_US - 1;
	assert_false(poll(w));
	w->now_us++;
	assert_true(poll(w));
	assert_int_equal(w->out.step, CALLS_CLOSE);
	assert_int_equal(w->got.outcome, CALL_SILENT);
	assert_int_equal(w->got.error, 0);
	assert_int_equal(w->got.elapsed_us, CALL_SILENT_US);
	assert_false(poll(w));
	assert_true(calls_next_us(w->calls) == UINT64_MAX);
}

/* Whoever asks may be content with less, and cannot ask for more. */
static void test_patience(void **state)
{
	static const struct {
		unsigned asked_ms;
		uint32_t us;
	} cases[] = {{50, 50 * MS}, {400, 400 * MS}, {7450, 7450 * MS}, {7550, CALL_SILENT_US},
		{12750, CALL_SILENT_US}, {20, CALL_SILENT_US}};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct peer p = peer("192.0.2.7:1234", i + 1);

		assert_int_equal(ask_with_patience(w, &p, CALL_FROM_PORT, 0, cases[i].asked_ms), 0);
		next_connect(w);
		assert_false(poll(w));
		assert_true(calls_next_us(w->calls) == w->now_us + cases[i].us);
		w->now_us += cases[i].us;
		assert_true(poll(w));
		assert_int_equal(w->got.outcome, CALL_SILENT);
		assert_int_equal(w->got.elapsed_us, cases[i].us);
	}
}

static void test_connected(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.7:1234", 1);
	unsigned first, second;

	assert_int_equal(ask(w, &p, CALL_FROM_PORT | CALL_FROM_BOTH, 0), 0);
	first = next_connect(w);
	second = next_connect(w);
	event(w, first, 0);
	assert_int_equal(w->out.step, CALLS_GREET);
	w->now_us += SECOND;
	event(w, second, 0);
	event(w, second, 0); /* closed by the other end; nothing is said of that */
	assert_int_equal(w->out.step, CALLS_CLOSE);
	assert_int_equal(w->out.length, 0);
	w->now_us += CALL_LINGER_US - SECOND - 1;
	assert_false(poll(w));
	w->now_us++;
	assert_true(poll(w));
	assert_int_equal(w->out.step, CALLS_CLOSE);
	assert_int_equal(w->out.number, first);
	assert_int_equal(w->out.length, 0);
	assert_int_equal(w->open, 0);
}

/* It counts and is told of when its time has come, like the others. */
static void test_not_bound(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.7:1234", 1);

	w->bind_error = -EMFILE;
	assert_int_equal(ask(w, &p, CALL_FROM_PORT | CALL_FROM_THIRD, 100), 0);
	assert_int_equal(w->got.from, CALL_FROM_PORT | CALL_FROM_THIRD);
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
		assert_int_equal(w->got.endpoint[i].family, FAMILY_NONE);
	assert_false(poll(w));
	w->now_us += 100 * MS;
	for (unsigned which = CALL_FROM_PORT; which <= CALL_FROM_THIRD; which *= 8) {
		assert_true(poll(w));
		assert_int_equal(w->out.step, CALLS_NOTHING);
		assert_int_equal(w->got.which, which);
		assert_int_equal(w->got.outcome, CALL_LOCAL);
		assert_int_equal(w->got.error, EMFILE);
		assert_int_equal(w->got.elapsed_us, 0);
	}
	assert_false(poll(w));
	assert_int_equal(p.tally.made, 2);
	assert_int_equal(calls_counts(w->calls)->local, 2);
}

/* --- what is not accepted --- */

static void test_bad(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.7:1234", 1);

	assert_int_equal(ask(w, &p, 0, 0), CALL_BAD);
	assert_int_equal(ask(w, &p, CALL_FROM_PORT, CALL_WAIT_MAX_MS + 1), CALL_BAD);
	assert_int_equal(ask(w, &p, CALL_FROM_PORT, UINT16_MAX), CALL_BAD);
	p.at.port = 0;
	assert_int_equal(ask(w, &p, CALL_FROM_PORT, 0), -1);
	assert_int_equal(p.tally.made, 0);
	assert_int_equal(w->open, 0);
	assert_int_equal(calls_counts(w->calls)->denied, 3);
}

/* What the answer to a message of this class, and with this attribute, is: an error, or 0: none. */
static unsigned answer_to_raw(
	struct world *w, enum stun_class class, uint16_t method, uint16_t type)
{
	struct stun_id id = {{0x21, 0x12, 0xa4, 0x42, 9}};
	struct peer p = peer("192.0.2.7:1234", 1);
	uint8_t bytes[128];
	struct stun_writer s = stun_begin(bytes, sizeof(bytes), class, method, &id);
	struct calls_input in = {
		.data = bytes, .from = p.at, .connection = p.connection, .tally = &p.tally};
	struct stun_message answer;

	stun_add(&s, type, "", 0);
	in.length = (size_t)stun_end(&s);
	calls_input(w->calls, w->now_us, &in, &w->out);
	if (!w->out.length)
		return 0;
	assert_int_equal(stun_decode(w->out.bytes, w->out.length, &answer), 0);
	assert_int_equal(answer.class, STUN_ERROR);
	assert_int_equal(answer.method, CALL_METHOD);
	assert_true(stun_id_equal(&answer.id, &id));
	return answer.error_code;
}

static void test_malformed(void **state)
{
	struct world *w = *state;

	assert_int_equal(answer_to_raw(w, STUN_REQUEST, CALL_METHOD, 0xffff), 400);
	assert_int_equal(answer_to_raw(w, STUN_REQUEST, CALL_METHOD, CALL_ATTRIBUTE_FROM), 400);
	assert_int_equal(answer_to_raw(w, STUN_REQUEST, CALL_METHOD, 0x7fff), 420);
	assert_int_equal(answer_to_raw(w, STUN_REQUEST, STUN_BINDING, 0xffff), 0);
	assert_int_equal(answer_to_raw(w, STUN_INDICATION, CALL_METHOD, 0xffff), 0);
	assert_int_equal(answer_to_raw(w, STUN_SUCCESS, CALL_METHOD, 0xffff), 0);
}

static void test_udp(void **state)
{
	static const struct stun_id id = {{0x21, 0x12, 0xa4, 0x42}};
	struct world *w = *state;
	struct peer p = peer("192.0.2.7:1234", 0);
	uint8_t bytes[64];
	struct stun_writer s = stun_begin(bytes, sizeof(bytes), STUN_REQUEST, CALL_METHOD, &id);

	assert_int_equal(ask(w, &p, ALL, 0), CALL_OFF);
	stun_add_u32(&s, CALL_ATTRIBUTE_FROM, 0x1f000000);
	send_bytes(w, &p, bytes, (size_t)stun_end(&s));
	assert_int_equal(w->out.length, 0); /* it would be longer than what came */
	s = stun_begin(bytes, sizeof(bytes), STUN_REQUEST, CALL_METHOD, &id);
	stun_add(&s, 0x7fff, "", 0);
	send_bytes(w, &p, bytes, (size_t)stun_end(&s));
	assert_int_equal(w->out.length, 0);
	assert_int_equal(w->open, 0);
}

static void test_off(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.7:1234", 1), q = peer("192.0.2.7:1234", 0);

	calls_destroy(w->calls);
	w->calls = NULL;
	assert_int_equal(ask(w, &p, ALL, 0), CALL_OFF);
	assert_int_equal(ask(w, &q, ALL, 0), CALL_OFF);
	assert_int_equal(answer_to_raw(w, STUN_REQUEST, CALL_METHOD, 0xffff), 400);
}

/* --- limits --- */

/* All that is under way ends at once. */
static void refuse_all(struct world *w)
{
	poll_all(w);
	for (unsigned i = 0; i < CALLS_MAX; i++)
		if (w->lines[i].use == USE_CONNECTING)
			event(w, i, -ECONNREFUSED);
	assert_int_equal(w->open, 0);
}

static void test_connection_limits(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.7:1234", 1), q = peer("192.0.2.7:1234", 2);

	assert_int_equal(ask(w, &p, ALL, 0), 0);
	assert_int_equal(ask(w, &p, 0x0f, 0), CALL_QUOTA); /* all or none */
	assert_int_equal(w->open, 5);
	assert_int_equal(ask(w, &p, 0x07, 0), 0);
	assert_int_equal(ask(w, &p, CALL_FROM_PORT, 0), CALL_QUOTA);
	assert_int_equal(ask(w, &q, CALL_FROM_PORT, 0), 0);
	poll_all(w);
	event(w, 0, 0); /* one that is connected counts until it is closed */
	assert_int_equal(ask(w, &p, CALL_FROM_PORT, 0), CALL_QUOTA);
	event(w, 0, 0);
	assert_int_equal(ask(w, &p, CALL_FROM_PORT, 0), 0);
	refuse_all(w);
	for (unsigned i = 9; i < CALLS_OF_CONNECTION; i++) {
		assert_int_equal(ask(w, &p, CALL_FROM_PORT, 0), 0);
		refuse_all(w);
	}
	assert_int_equal(ask(w, &p, CALL_FROM_PORT, 0), CALL_QUOTA);
	assert_int_equal(p.tally.made, CALLS_OF_CONNECTION);
	assert_int_equal(ask(w, &q, CALL_FROM_PORT, 0), 0);
}

static int one_more(struct world *w, const char *at)
{
	static uint64_t connections = 1000;
	struct peer p = peer(at, ++connections);
	int error = ask(w, &p, CALL_FROM_PORT, 0);

	refuse_all(w);
	return error;
}

/* In no minute more than 64, however many connections and ports there are. */
static void test_source_limit(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < CALLS_OF_SOURCE; i++) {
		assert_int_equal(one_more(w, i & 1 ? "192.0.2.7:1" : "192.0.2.7:2"), 0);
		w->now_us += 100 * MS;
	}
	assert_int_equal(one_more(w, "192.0.2.7:3"), CALL_QUOTA);
	assert_int_equal(one_more(w, "192.0.2.8:3"), 0);
	w->now_us = START + QUOTA_MINUTE_US - 1;
	assert_int_equal(one_more(w, "192.0.2.7:3"), CALL_QUOTA);
	w->now_us++;
	assert_int_equal(one_more(w, "192.0.2.7:3"), 0); /* in the place of the first one */
	assert_int_equal(one_more(w, "192.0.2.7:3"), CALL_QUOTA);
	for (unsigned i = 0; i < CALLS_OF_SOURCE; i++)
		assert_int_equal(one_more(w, i & 1 ? "[2001:db8::1]:1" : "[2001:db8::2]:1"), 0);
	assert_int_equal(one_more(w, "[2001:db8::3]:1"), CALL_QUOTA);
	assert_int_equal(one_more(w, "[2001:db8:0:1::3]:1"), 0);
}

/* What is refused for one limit must not be counted for another. */
static void test_refused_is_free(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.7:1", 5);

	for (unsigned i = 0; i < CALLS_OF_SOURCE - 2; i++)
		assert_int_equal(one_more(w, "192.0.2.7:1"), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(ask(w, &p, 0x07, 0), CALL_QUOTA);
	assert_int_equal(p.tally.made, 0);
	assert_int_equal(ask(w, &p, 0x03, 0), 0);
	assert_int_equal(ask(w, &p, 0x01, 0), CALL_QUOTA);
}

static struct peer numbered_peer(unsigned i)
{
	struct peer p = {
		.at = {.family = FAMILY_IPV4,
			.port = 1000,
			.address = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}},
		.connection = i + 1};

	return p;
}

static void test_all_at_once(void **state)
{
	struct world *w = *state;
	struct peer p;

	for (unsigned i = 0; i < CALLS_MAX / 4; i++) {
		p = numbered_peer(i);
		assert_int_equal(ask(w, &p, 0x0f, 0), 0);
	}
	assert_int_equal(w->open, CALLS_MAX);
	p = numbered_peer(CALLS_MAX);
	assert_int_equal(ask(w, &p, CALL_FROM_PORT, 0), CALL_BUSY);
	poll_all(w);
	event(w, 17, -ECONNREFUSED);
	assert_int_equal(ask(w, &p, 0x03, 0), CALL_BUSY);
	assert_int_equal(ask(w, &p, CALL_FROM_PORT, 0), 0);
	w->now_us += CALL_SILENT_US;
	poll_all(w);
	assert_int_equal(w->open, 1); /* that one has begun later */
}

static void test_all_in_a_minute(void **state)
{
	struct world *w = *state;
	struct peer p;
	unsigned i;

	for (i = 0; i < CALLS_PER_MINUTE; i++) {
		p = numbered_peer(i);
		assert_int_equal(ask(w, &p, CALL_FROM_PORT, 0), 0);
		if (i % 128 == 127)
			refuse_all(w);
	}
	p = numbered_peer(i);
	assert_int_equal(ask(w, &p, CALL_FROM_PORT, 0), CALL_BUSY);
	w->now_us += QUOTA_MINUTE_US - 1;
	assert_int_equal(ask(w, &p, CALL_FROM_PORT, 0), CALL_BUSY);
	w->now_us++;
	assert_int_equal(ask(w, &p, CALL_FROM_PORT, 0), 0);
}

/* --- ends --- */

static void test_closed(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.7:1234", 1), q = peer("192.0.2.7:1235", 2);
	unsigned number;

	assert_int_equal(ask(w, &p, CALL_FROM_PORT | CALL_FROM_ADDRESS, 0), 0);
	number = next_connect(w);
	event(w, number, 0);
	next_connect(w);
	assert_int_equal(ask(w, &p, CALL_FROM_BOTH, 5000), 0);
	assert_int_equal(ask(w, &q, CALL_FROM_PORT, 0), 0);
	w->bind_error = -EMFILE;
	assert_int_equal(ask(w, &p, CALL_FROM_THIRD, 0), 0);
	assert_int_equal(w->open, 4);
	calls_closed(w->calls, 1);
	calls_closed(w->calls, 99);
	event(w, number, 0); /* what was under way meanwhile */
	assert_int_equal(w->out.step, CALLS_CLOSE);
	assert_int_equal(w->out.length, 0);
	while (poll(w)) {
		assert_true(w->out.step == CALLS_CLOSE || w->out.step == CALLS_CONNECT);
		assert_int_equal(w->out.length, 0);
	}
	assert_int_equal(w->open, 1);
	w->now_us += CALL_SILENT_US;
	assert_true(poll(w));
	assert_int_equal(w->out.connection, 2);
	assert_int_equal(w->got.outcome, CALL_SILENT);
	assert_false(poll(w));
	assert_int_equal(calls_counts(w->calls)->cancelled, 3);
}

/* --- anything at any time --- */

struct storm {
	struct world *w;
	struct random random;
	struct peer peers[PEERS];
	uint64_t connections;
	struct {
		uint64_t at_us;
		uint32_t address;
	} made[LOG];
	size_t count;
	unsigned success, quota, busy;
};

static uint32_t chance(struct storm *s, uint32_t bound)
{
	return random_below(&s->random, bound);
}

static void check_source(const struct storm *s, uint32_t address)
{
	unsigned recent = 0;

	for (size_t i = s->count; i-- && s->made[i].at_us + QUOTA_MINUTE_US > s->w->now_us;)
		recent += s->made[i].address == address;
	assert_in_range(recent, 0, CALLS_OF_SOURCE);
}

static void storm_ask(struct storm *s)
{
	struct world *w = s->w;
	struct peer *p = &s->peers[chance(s, PEERS)];
	unsigned before = p->tally.made;
	uint32_t address;
	int error;

	error = ask(w, p, 1 + chance(s, 31), chance(s, 4) ? 0 : chance(s, 10001));
	memcpy(&address, p->at.address, sizeof(address));
	s->success += !error;
	s->quota += error == CALL_QUOTA;
	s->busy += error == CALL_BUSY;
	assert_true(!error || error == CALL_QUOTA || error == CALL_BUSY);
	assert_int_equal(error != 0, p->tally.made == before);
	assert_in_range(p->tally.made, 0, CALLS_OF_CONNECTION);
	for (unsigned i = before; i < p->tally.made; i++) {
		assert_in_range(s->count, 0, LOG - 1);
		s->made[s->count].at_us = w->now_us;
		s->made[s->count++].address = address;
	}
	check_source(s, address);
}

static void storm_event(struct storm *s)
{
	static const int errors[] = {0, 0, -ECONNREFUSED, -EHOSTUNREACH, -ETIMEDOUT};
	struct world *w = s->w;
	unsigned number = chance(s, CALLS_MAX);

	if (w->lines[number].use == USE_CONNECTING)
		event(w, number, errors[chance(s, 5)]);
	else if (w->lines[number].use == USE_CONNECTED)
		event(w, number, chance(s, 2) ? 0 : -ECONNRESET);
}

/* Its number is never given again. */
static void storm_close(struct storm *s)
{
	struct peer *p = &s->peers[chance(s, PEERS)];

	if (p->tally.made)
		calls_closed(s->w->calls, p->connection);
	p->connection = ++s->connections;
	p->tally = (struct calls_tally){0};
}

static void storm_step(struct storm *s)
{
	switch (chance(s, 8)) {
	case 0:
	case 1:
	case 2:
	case 3:
		storm_ask(s);
		break;
	case 4:
		storm_event(s);
		break;
	case 5:
		storm_close(s);
		break;
	default:
		s->w->now_us += chance(s, 20000);
		break;
	}
	poll_all(s->w);
	assert_in_range(s->w->open, 0, CALLS_MAX);
}

/* Who is called is always one of those who ask now. */
static void test_storm(void **state)
{
	struct world *w = *state;
	struct storm *s = calloc(1, sizeof(*s));
	const struct calls_counts *c = calls_counts(w->calls);

	assert_non_null(s);
	s->w = w;
	random_init_number(&s->random, 1);
	for (unsigned i = 0; i < PEERS; i++) {
		s->peers[i] = numbered_peer(i % 40); /* many connections of few sources */
		s->peers[i].at.port = (uint16_t)(1000 + i);
		s->peers[i].connection = ++s->connections;
		s->peers[i].local = i & 3;
	}
	for (unsigned i = 0; i < 60000; i++)
		storm_step(s);
	assert_true(s->success > 1000 && s->quota > 10 && s->busy > 1000);
	for (unsigned i = 0; i < PEERS; i++)
		calls_closed(w->calls, s->peers[i].connection);
	poll_all(w);
	assert_int_equal(w->open, 0);
	assert_true(calls_next_us(w->calls) == UINT64_MAX);
	assert_int_equal(c->made,
		c->connected + c->refused + c->unreachable + c->silent + c->local + c->cancelled);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_masks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_single, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_outcomes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ttl, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_patience, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connected, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_udp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connection_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_is_free, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_in_a_minute, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_storm, setup, teardown),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
