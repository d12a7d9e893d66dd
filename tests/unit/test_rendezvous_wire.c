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
#include <string.h>

#include "wire/rendezvous.h"

static const struct stun_id id = {{0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};

static struct span text(const char *s)
{
	return (struct span){(const uint8_t *)s, strlen(s)};
}

static struct endpoint endpoint(const char *s)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(s, 0, &e), 0);
	return e;
}

static struct rendezvous_message request(uint16_t method)
{
	struct rendezvous_message m = {.class = STUN_REQUEST, .method = method, .id = id};

	m.has_session = m.has_party = true;
	memset(m.session, 0x51, sizeof(m.session));
	memset(m.party, 0x52, sizeof(m.party));
	return m;
}

static struct rendezvous_message again(const struct rendezvous_message *m, size_t *length)
{
	static uint8_t buffer[STUN_MESSAGE_BYTES];
	struct rendezvous_message out;
	int n = rendezvous_encode(m, buffer, sizeof(buffer), 0);

	assert_true(n > 0);
	*length = (size_t)n;
	assert_true(rendezvous_looks_like(buffer, *length));
	assert_int_equal(rendezvous_decode(buffer, *length, &out), 0);
	assert_int_equal(out.class, m->class);
	assert_int_equal(out.method, m->method);
	assert_true(stun_id_equal(&out.id, &m->id));
	return out;
}

static void assert_span(struct span s, const char *expected)
{
	assert_int_equal(s.length, strlen(expected));
	assert_memory_equal(s.data, expected, s.length);
}

static void test_join(void **state)
{
	struct rendezvous_message m = request(RENDEZVOUS_JOIN), out;
	size_t length;

	(void)state;
	m.cookie = text("0123456789abcdef");
	m.has_slot = m.has_ready = m.has_seen = true;
	m.slot_version = 0x01020304;
	m.slot = text("slot!");
	m.ready = 0x0506;
	m.rtt_us = 0x0708090a;
	m.seen_version = 0x0b0c0d0e;
	m.seen_ready = 0x0f10;
	m.seen_go = 0x1112;
	m.place = 1; /* means nothing in a request */
	out = again(&m, &length);
	assert_int_equal(length, 20 + 20 + 20 + 20 + 12 + 12 + 16 + 8);
	assert_true(out.has_session && out.has_party && !out.allocate);
	assert_memory_equal(out.session, m.session, sizeof(m.session));
	assert_memory_equal(out.party, m.party, sizeof(m.party));
	assert_span(out.cookie, "0123456789abcdef");
	assert_true(out.has_slot && out.has_ready && out.has_seen && !out.has_peer && !out.has_go);
	assert_int_equal(out.slot_version, m.slot_version);
	assert_span(out.slot, "slot!");
	assert_int_equal(out.ready, m.ready);
	assert_int_equal(out.rtt_us, m.rtt_us);
	assert_int_equal(out.seen_version, m.seen_version);
	assert_int_equal(out.seen_ready, m.seen_ready);
	assert_int_equal(out.seen_go, m.seen_go);
	assert_int_equal(out.place, 0);
}

static void test_allocate(void **state)
{
	struct rendezvous_message m = request(RENDEZVOUS_JOIN), out;
	size_t length;

	(void)state;
	m.has_session = false;
	m.allocate = true;
	out = again(&m, &length);
	assert_true(out.allocate && out.has_party && !out.has_session);
	m = (struct rendezvous_message){.class = STUN_SUCCESS, .method = RENDEZVOUS_JOIN, .id = id};
	m.number = 42;
	out = again(&m, &length);
	assert_int_equal(out.number, 42);
}

static void test_answers(void **state)
{
	static const struct {
		enum stun_class class;
		uint16_t method;
		const char *mapped, *peer;
		int32_t wait;
	} rows[] = {{STUN_SUCCESS, RENDEZVOUS_JOIN, "192.0.2.1:4000", "203.0.113.9:5", 1000000},
		{STUN_INDICATION, RENDEZVOUS_NEWS, "[2001:db8::7]:9", "192.0.2.1:65535", -1},
		{STUN_INDICATION, RENDEZVOUS_NEWS, "192.0.2.1:1", "[2001:db8::8]:1", INT32_MIN}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct rendezvous_message m = {
			.class = rows[i].class, .method = rows[i].method, .id = id};
		struct rendezvous_message out;
		size_t length;

		m.has_session = m.has_peer = m.has_slot = m.has_go = true;
		m.has_party = m.class == STUN_INDICATION;
		memset(m.party, 0x52, sizeof(m.party));
		m.peer = RENDEZVOUS_LEFT;
		m.place = 1;
		m.ready = 3;
		m.rtt_us = 25000;
		m.slot_version = 1;
		m.mapped = endpoint(rows[i].mapped);
		m.peer_address = endpoint(rows[i].peer);
		m.go = 2;
		m.go_wait_us = rows[i].wait;
		out = again(&m, &length);
		assert_true(endpoint_equal(&out.mapped, &m.mapped));
		assert_true(endpoint_equal(&out.peer_address, &m.peer_address));
		assert_true(out.has_peer && out.has_slot && out.has_go && !out.has_ready);
		assert_int_equal(out.has_party, m.has_party);
		if (m.has_party)
			assert_memory_equal(out.party, m.party, sizeof(m.party));
		assert_int_equal(out.peer, RENDEZVOUS_LEFT);
		assert_int_equal(out.place, 1);
		assert_int_equal(out.ready, 3);
		assert_int_equal(out.rtt_us, 25000);
		assert_int_equal(out.slot.length, 0);
		assert_int_equal(out.go, 2);
		assert_int_equal(out.go_wait_us, rows[i].wait);
	}
}

static void test_error(void **state)
{
	struct rendezvous_message m = {.class = STUN_ERROR,
		.method = RENDEZVOUS_JOIN,
		.id = id,
		.error_code = RENDEZVOUS_STALE};
	struct rendezvous_message out;
	size_t length;

	(void)state;
	m.cookie = text("0123456789abcdef");
	m.has_session = true; /* it knows its own */
	out = again(&m, &length);
	assert_true(length <= RENDEZVOUS_JOIN_MIN);
	assert_int_equal(out.error_code, RENDEZVOUS_STALE);
	assert_span(out.cookie, "0123456789abcdef");
	assert_false(out.has_session);
}

/* The largest of all fits, and so does everything with FILL up to what was asked for. */
static void test_sizes(void **state)
{
	static uint8_t slot[RENDEZVOUS_SLOT_MAX + 1], buffer[STUN_MESSAGE_BYTES];
	struct rendezvous_message m = request(RENDEZVOUS_JOIN), out;
	int plain = rendezvous_encode(&m, buffer, sizeof(buffer), 0);

	(void)state;
	assert_int_equal(rendezvous_encode(&m, buffer, sizeof(buffer), (size_t)plain), plain);
	for (size_t fill = (size_t)plain + 4; fill <= sizeof(buffer); fill += 4) {
		assert_int_equal(rendezvous_encode(&m, buffer, sizeof(buffer), fill), fill);
		assert_int_equal(rendezvous_decode(buffer, fill, &out), 0);
	}
	assert_int_equal(rendezvous_encode(&m, buffer, (size_t)plain - 1, 0), -EMSGSIZE);
	m.has_slot = true;
	m.slot_version = 1;
	m.slot = (struct span){slot, RENDEZVOUS_SLOT_MAX};
	assert_true(rendezvous_encode(&m, buffer, sizeof(buffer), 0) > 0);
	m.slot.length++;
	assert_int_equal(rendezvous_encode(&m, buffer, sizeof(buffer), 0), -EMSGSIZE);
}

/* --- bytes by hand --- */

struct raw {
	const char *name;
	enum stun_class class;
	uint16_t method;
	uint16_t drop; /* this of SESSION and PARTY is left out */
	uint16_t type, length; /* another attribute behind these; 0: none */
	uint8_t fill; /* its bytes */
	int result;
};

static const struct raw raws[] = {
	{"plain", STUN_REQUEST, RENDEZVOUS_JOIN, 0, 0, 0, 0, 0},
	{"leave", STUN_REQUEST, RENDEZVOUS_LEAVE, 0, 0, 0, 0, 0},
	{"binding", STUN_REQUEST, STUN_BINDING, 0, 0, 0, 0, -EPROTO},
	{"news as request", STUN_REQUEST, RENDEZVOUS_NEWS, 0, 0, 0, 0, -EPROTO},
	{"join as indication", STUN_INDICATION, RENDEZVOUS_JOIN, 0, 0, 0, 0, -EPROTO},
	{"news", STUN_INDICATION, RENDEZVOUS_NEWS, 0, 0, 0, 0, 0},
	{"news of no session", STUN_INDICATION, RENDEZVOUS_NEWS, RENDEZVOUS_SESSION, 0, 0, 0,
		-EPROTO},
	{"news of no party", STUN_INDICATION, RENDEZVOUS_NEWS, RENDEZVOUS_PARTY, 0, 0, 0, -EPROTO},
	{"no session", STUN_REQUEST, RENDEZVOUS_JOIN, RENDEZVOUS_SESSION, 0, 0, 0, -EPROTO},
	{"no party", STUN_REQUEST, RENDEZVOUS_JOIN, RENDEZVOUS_PARTY, 0, 0, 0, -EPROTO},
	{"allocate", STUN_REQUEST, RENDEZVOUS_JOIN, RENDEZVOUS_SESSION, RENDEZVOUS_ALLOCATE, 0, 0,
		0},
	{"allocate to leave", STUN_REQUEST, RENDEZVOUS_LEAVE, RENDEZVOUS_SESSION,
		RENDEZVOUS_ALLOCATE, 0, 0, -EPROTO},
	{"error of no code", STUN_ERROR, RENDEZVOUS_JOIN, 0, 0, 0, 0, -EPROTO},
	{"must be understood", STUN_REQUEST, RENDEZVOUS_JOIN, 0, 0x7fff, 0, 0, -EPROTO},
	{"need not be", STUN_REQUEST, RENDEZVOUS_JOIN, 0, 0xffff, 0, 0, 0},
	{"allocate of 4", STUN_REQUEST, RENDEZVOUS_JOIN, 0, RENDEZVOUS_ALLOCATE, 4, 0, -EBADMSG},
	{"a second session", STUN_REQUEST, RENDEZVOUS_JOIN, 0, RENDEZVOUS_SESSION, 15, 1, 0},
	{"session of 15", STUN_REQUEST, RENDEZVOUS_JOIN, RENDEZVOUS_SESSION, RENDEZVOUS_SESSION, 15,
		1, -EBADMSG},
	{"party of 17", STUN_REQUEST, RENDEZVOUS_JOIN, RENDEZVOUS_PARTY, RENDEZVOUS_PARTY, 17, 1,
		-EBADMSG},
	{"cookie of 32", STUN_REQUEST, RENDEZVOUS_JOIN, 0, RENDEZVOUS_COOKIE, 32, 1, 0},
	{"cookie of 33", STUN_REQUEST, RENDEZVOUS_JOIN, 0, RENDEZVOUS_COOKIE, 33, 1, -EBADMSG},
	{"slot of 3", STUN_REQUEST, RENDEZVOUS_JOIN, 0, RENDEZVOUS_SLOT, 3, 1, -EBADMSG},
	{"empty slot", STUN_REQUEST, RENDEZVOUS_JOIN, 0, RENDEZVOUS_SLOT, 4, 1, 0},
	{"version 0", STUN_REQUEST, RENDEZVOUS_JOIN, 0, RENDEZVOUS_SLOT, 8, 0, -EBADMSG},
	{"largest slot", STUN_REQUEST, RENDEZVOUS_JOIN, 0, RENDEZVOUS_SLOT, 964, 1, 0},
	{"slot too large", STUN_REQUEST, RENDEZVOUS_JOIN, 0, RENDEZVOUS_SLOT, 965, 1, -EBADMSG},
	{"seen of 4", STUN_REQUEST, RENDEZVOUS_JOIN, 0, RENDEZVOUS_SEEN, 4, 0, -EBADMSG},
	{"ready of 12", STUN_REQUEST, RENDEZVOUS_JOIN, 0, RENDEZVOUS_READY, 12, 0, -EBADMSG},
	{"number of 2", STUN_SUCCESS, RENDEZVOUS_JOIN, 0, RENDEZVOUS_NUMBER, 2, 0, -EBADMSG},
	{"peer of 4", STUN_SUCCESS, RENDEZVOUS_JOIN, 0, RENDEZVOUS_PEER, 4, 0, -EBADMSG},
	{"place 255", STUN_SUCCESS, RENDEZVOUS_JOIN, 0, RENDEZVOUS_PEER, 8, 255, -EBADMSG},
	{"address of 4", STUN_SUCCESS, RENDEZVOUS_JOIN, 0, RENDEZVOUS_PEER_ADDRESS, 4, 1, -EBADMSG},
	{"go of 4", STUN_SUCCESS, RENDEZVOUS_JOIN, 0, RENDEZVOUS_GO, 4, 0, -EBADMSG},
	{"go of 8", STUN_SUCCESS, RENDEZVOUS_JOIN, 0, RENDEZVOUS_GO, 8, 0, 0},
	{"go in a request", STUN_REQUEST, RENDEZVOUS_JOIN, 0, RENDEZVOUS_GO, 4, 0, 0},
};

static void test_raw(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(raws) / sizeof(*raws); i++) {
		const struct raw *row = &raws[i];
		uint8_t buffer[2048], value[1024], sixteen[16] = {1};
		struct stun_writer s =
			stun_begin(buffer, sizeof(buffer), row->class, row->method, &id);
		struct rendezvous_message m;
		int length, result;

		memset(value, row->fill, sizeof(value));
		if (row->drop != RENDEZVOUS_SESSION)
			stun_add(&s, RENDEZVOUS_SESSION, sixteen, sizeof(sixteen));
		if (row->drop != RENDEZVOUS_PARTY)
			stun_add(&s, RENDEZVOUS_PARTY, sixteen, sizeof(sixteen));
		if (row->type)
			stun_add(&s, row->type, value, row->length);
		length = stun_end(&s);
		assert_true(length > 0);
		result = rendezvous_decode(buffer, (size_t)length, &m);
		if (result != row->result)
			fail_msg("%s: %d, not %d", row->name, result, row->result);
		assert_int_equal(
			rendezvous_looks_like(buffer, (size_t)length), row->method != STUN_BINDING);
		buffer[4] ^= 1; /* no magic cookie: RFC 3489 has none of this */
		result = rendezvous_decode(buffer, (size_t)length, &m);
		assert_true(result == -EPROTO || result == -EBADMSG);
	}
}

/* As another implementation of BLAKE2b has it. */
static void test_session_of(void **state)
{
	static const struct {
		const char *nameplate;
		uint8_t session[RENDEZVOUS_SESSION_BYTES];
	} rows[] = {
		{"7",
			{0x7b, 0x02, 0x68, 0x0e, 0xc3, 0x28, 0xc3, 0xf3, 0x6a, 0xca, 0xab, 0x49,
				0x5d, 0x93, 0xcb, 0x70}},
		{"42-tango",
			{0x7e, 0xfb, 0x67, 0x6e, 0xf4, 0x2f, 0x0a, 0x93, 0xdf, 0x16, 0xe2, 0xc1,
				0x1c, 0xbf, 0x96, 0xe1}},
		{"",
			{0x6e, 0x45, 0x76, 0xd9, 0x23, 0x7f, 0x22, 0x11, 0x19, 0x44, 0x49, 0x54,
				0x87, 0x74, 0x4a, 0x08}},
	};
	uint8_t session[RENDEZVOUS_SESSION_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		rendezvous_session_of(rows[i].nameplate, strlen(rows[i].nameplate), session);
		assert_memory_equal(session, rows[i].session, sizeof(session));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_allocate),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_session_of),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
