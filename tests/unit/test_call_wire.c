// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "wire/call.h"

static const struct stun_id id = {{0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};

static struct endpoint endpoint(const char *s)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(s, 0, &e), 0);
	return e;
}

static struct call_message again(const struct call_message *m, size_t *length)
{
	static uint8_t buffer[CALL_BYTES_MAX];
	struct call_message out;
	int n = call_encode(m, buffer, sizeof(buffer));

	assert_true(n > 0);
	*length = (size_t)n;
	assert_true(call_looks_like(buffer, *length));
	assert_int_equal(call_decode(buffer, *length, &out), 0);
	assert_int_equal(out.class, m->class);
	assert_true(stun_id_equal(&out.id, &m->id));
	return out;
}

static void test_request(void **state)
{
	struct call_message m = {.class = STUN_REQUEST, .id = id}, out;
	size_t length;

	(void)state;
	m.has_from = true;
	m.from = CALL_FROM_PORT | CALL_FROM_THIRD_ADDRESS | 0x80;
	m.wait_ms = 0x0203;
	m.patience_ms = 1499; /* in whole steps */
	m.mapped = endpoint("192.0.2.1:1"); /* means nothing in a request */
	m.has_result = true;
	out = again(&m, &length);
	assert_int_equal(length, 20 + 8 + 8);
	assert_int_equal(out.from, m.from);
	assert_int_equal(out.wait_ms, m.wait_ms);
	assert_int_equal(out.patience_ms, 1450);
	assert_int_equal(out.mapped.family, FAMILY_NONE);
	assert_false(out.has_result);
}

/* The bytes themselves, so that both ends cannot be wrong together. */
static void test_bytes(void **state)
{
	static const uint8_t request[] = {0x16, 0xa5, 0x00, 0x10, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3,
		4, 5, 6, 7, 8, 9, 10, 11, 12, 0xda, 0x95, 0x00, 0x04, 0x12, 0x08, 0x27, 0x10};
	static const uint8_t result[] = {0x16, 0xb5, 0x00, 0x14, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4,
		5, 6, 7, 8, 9, 10, 11, 12, 0xda, 0x97, 0x00, 0x08, 0x10, 0x03, 0x00, 0x71, 0x00,
		0x01, 0x02, 0x03};
	struct call_message m = {.class = STUN_REQUEST, .id = id};
	uint8_t buffer[CALL_BYTES_MAX];

	(void)state;
	m.has_from = true;
	m.from = CALL_FROM_ADDRESS | CALL_FROM_THIRD_ADDRESS;
	m.wait_ms = CALL_WAIT_MAX_MS;
	m.patience_ms = 400;
	assert_int_equal(call_encode(&m, buffer, sizeof(buffer)), sizeof(request) + 8);
	assert_memory_equal(buffer, request, sizeof(request));

	m = (struct call_message){.class = STUN_INDICATION, .id = id, .has_result = true};
	m.which = CALL_FROM_THIRD_ADDRESS;
	m.outcome = CALL_UNREACHABLE;
	m.error = EHOSTUNREACH;
	m.elapsed_us = 0x010203;
	assert_int_equal(call_encode(&m, buffer, sizeof(buffer)), sizeof(result) + 8);
	assert_memory_equal(buffer, result, sizeof(result));
}

static void test_success(void **state)
{
	static const char *const from[CALL_FROM_KINDS] = {"192.0.2.1:3479", "203.0.113.1:3478",
		"[2001:db8::1]:3479", "192.0.2.1:40000", "[2001:db8::2]:65535"};
	struct call_message m = {.class = STUN_SUCCESS, .id = id}, out;
	size_t length;

	(void)state;
	m.has_from = true;
	m.from = 0x1f;
	m.wait_ms = 7; /* of requests only */
	m.patience_ms = 1000;
	m.mapped = endpoint("[2001:db8::3]:5");
	out = again(&m, &length);
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++) {
		assert_int_equal(out.endpoint[i].family, FAMILY_NONE);
		m.endpoint[i] = endpoint(from[i]);
	}
	out = again(&m, &length);
	assert_int_equal(out.from, 0x1f);
	assert_int_equal(out.wait_ms, 0);
	assert_int_equal(out.patience_ms, 0);
	assert_true(endpoint_equal(&out.mapped, &m.mapped));
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
		assert_true(endpoint_equal(&out.endpoint[i], &m.endpoint[i]));
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
		m.endpoint[i] = m.mapped;
	again(&m, &length); /* the longest fits */
}

static void test_indication(void **state)
{
	struct call_message m = {.class = STUN_INDICATION, .id = id}, out;
	size_t length;

	(void)state;
	m.has_result = true;
	m.elapsed_us = UINT32_MAX;
	m.error = UINT16_MAX;
	for (unsigned kind = 0; kind < CALL_FROM_KINDS; kind++)
		for (int outcome = CALL_CONNECTED; outcome <= CALL_LOCAL; outcome++) {
			m.which = (enum call_from)(1u << kind);
			m.outcome = (enum call_outcome)outcome;
			out = again(&m, &length);
			assert_int_equal(out.which, m.which);
			assert_int_equal(out.outcome, m.outcome);
			assert_int_equal(out.error, m.error);
			assert_int_equal(out.elapsed_us, m.elapsed_us);
			assert_false(out.has_icmp);
		}
	assert_int_equal(out.ttl, 0);
	m.ttl = 255;
	assert_int_equal(again(&m, &length).ttl, 255);
	m.ttl = 0;
	m.has_icmp = true;
	m.icmp = (struct stun_icmp){
		3, 13, 1, endpoint("[2001:db8::1]:1"), endpoint("[2001:db8::2]:2")};
	out = again(&m, &length);
	assert_true(out.has_icmp);
	assert_int_equal(out.icmp.type, 3);
	assert_int_equal(out.icmp.code, 13);
	assert_true(endpoint_equal(&out.icmp.offender, &m.icmp.offender));
	assert_true(endpoint_equal(&out.icmp.quoted_from, &m.icmp.quoted_from));
}

/* As long as the shortest request that has a FINGERPRINT, so that it may be sent over UDP. */
static void test_error(void **state)
{
	struct call_message m = {.class = STUN_ERROR, .id = id, .error_code = CALL_OFF}, out;
	size_t length;

	(void)state;
	m.has_from = true; /* it knows its own */
	out = again(&m, &length);
	assert_int_equal(length, 36);
	assert_int_equal(out.error_code, CALL_OFF);
	assert_false(out.has_from);
}

static void test_too_small(void **state)
{
	struct call_message m = {.class = STUN_REQUEST, .id = id, .has_from = true};
	uint8_t buffer[36];

	(void)state;
	assert_int_equal(call_encode(&m, buffer, sizeof(buffer)), sizeof(buffer));
	assert_int_equal(call_encode(&m, buffer, sizeof(buffer) - 1), -EMSGSIZE);
}

/* --- bytes by hand --- */

struct raw {
	const char *name;
	enum stun_class class;
	uint16_t method;
	uint16_t type; /* of the attribute; 0: none */
	const char *value;
	size_t length;
	int result;
};

static const struct raw raws[] = {
	{"request", STUN_REQUEST, CALL_METHOD, CALL_ATTRIBUTE_FROM, "\1\0\0\0", 4, 0},
	{"another method", STUN_REQUEST, 0x5d4, CALL_ATTRIBUTE_FROM, "\1\0\0\0", 4, -EPROTO},
	{"from nowhere", STUN_REQUEST, CALL_METHOD, 0, "", 0, -EPROTO},
	{"mask 0", STUN_REQUEST, CALL_METHOD, CALL_ATTRIBUTE_FROM, "\0\0\0\0", 4, 0},
	{"later", STUN_REQUEST, CALL_METHOD, CALL_ATTRIBUTE_FROM, "\1\377\377\377", 4, 0},
	{"from of 3", STUN_REQUEST, CALL_METHOD, CALL_ATTRIBUTE_FROM, "\1\0\0", 3, -EBADMSG},
	{"from of 5", STUN_REQUEST, CALL_METHOD, CALL_ATTRIBUTE_FROM, "\1\0\0\0\0", 5, -EBADMSG},
	{"must be understood", STUN_REQUEST, CALL_METHOD, 0x7fff, "", 0, -EPROTO},
	{"success of nothing", STUN_SUCCESS, CALL_METHOD, 0, "", 0, -EPROTO},
	{"success", STUN_SUCCESS, CALL_METHOD, CALL_ATTRIBUTE_FROM, "\0\0\0\0", 4, 0},
	{"endpoint of 4", STUN_SUCCESS, CALL_METHOD, CALL_ATTRIBUTE_ENDPOINT, "\0\1\0\0", 4,
		-EBADMSG},
	{"the last endpoint", STUN_SUCCESS, CALL_METHOD, CALL_ATTRIBUTE_ENDPOINT + 4, "", 0,
		-EBADMSG},
	{"one behind it", STUN_SUCCESS, CALL_METHOD, CALL_ATTRIBUTE_ENDPOINT + 5, "", 0, -EPROTO},
	{"error of no code", STUN_ERROR, CALL_METHOD, 0, "", 0, -EPROTO},
	{"indication of nothing", STUN_INDICATION, CALL_METHOD, CALL_ATTRIBUTE_FROM, "\1\0\0\0", 4,
		-EPROTO},
	{"indication", STUN_INDICATION, CALL_METHOD, CALL_ATTRIBUTE_RESULT, "\20\5\0\1\0\0\0\0", 8,
		0},
	{"result of 7", STUN_INDICATION, CALL_METHOD, CALL_ATTRIBUTE_RESULT, "\1\1\0\0\0\0\0", 7,
		-EBADMSG},
	{"TTL of 3", STUN_INDICATION, CALL_METHOD, CALL_ATTRIBUTE_TTL, "\1\0\0", 3, -EBADMSG},
	{"TTL of 5", STUN_INDICATION, CALL_METHOD, CALL_ATTRIBUTE_TTL, "\1\0\0\0\0", 5, -EBADMSG},
	{"TTL and no result", STUN_INDICATION, CALL_METHOD, CALL_ATTRIBUTE_TTL, "\1\0\0\0", 4,
		-EPROTO},
	{"TTL in a request", STUN_REQUEST, CALL_METHOD, CALL_ATTRIBUTE_TTL, "", 0, -EPROTO},
	{"which 0", STUN_INDICATION, CALL_METHOD, CALL_ATTRIBUTE_RESULT, "\0\1\0\0\0\0\0\0", 8,
		-EBADMSG},
	{"which 3", STUN_INDICATION, CALL_METHOD, CALL_ATTRIBUTE_RESULT, "\3\1\0\0\0\0\0\0", 8,
		-EBADMSG},
	{"which 32", STUN_INDICATION, CALL_METHOD, CALL_ATTRIBUTE_RESULT, "\40\1\0\0\0\0\0\0", 8,
		-EBADMSG},
	{"outcome 0", STUN_INDICATION, CALL_METHOD, CALL_ATTRIBUTE_RESULT, "\1\0\0\0\0\0\0\0", 8,
		-EBADMSG},
	{"outcome 6", STUN_INDICATION, CALL_METHOD, CALL_ATTRIBUTE_RESULT, "\1\6\0\0\0\0\0\0", 8,
		-EBADMSG},
	{"result in a request", STUN_REQUEST, CALL_METHOD, CALL_ATTRIBUTE_RESULT, "", 0, -EPROTO},
};

static void test_raw(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(raws) / sizeof(*raws); i++) {
		const struct raw *row = &raws[i];
		uint8_t buffer[128];
		struct stun_writer s =
			stun_begin(buffer, sizeof(buffer), row->class, row->method, &id);
		struct call_message m;
		int length, result;

		if (row->type)
			stun_add(&s, row->type, row->value, row->length);
		length = stun_end(&s);
		assert_true(length > 0);
		result = call_decode(buffer, (size_t)length, &m);
		if (result != row->result)
			fail_msg("%s: %d, not %d", row->name, result, row->result);
		assert_int_equal(
			call_looks_like(buffer, (size_t)length), row->method == CALL_METHOD);
		buffer[4] ^= 1; /* no magic cookie: RFC 3489 has none of this */
		result = call_decode(buffer, (size_t)length, &m);
		assert_true(result == -EPROTO || result == -EBADMSG);
	}
}

/* Of two attributes of one type the first one counts, and what does not fit is looked at in none but it. */
static void test_first(void **state)
{
	uint8_t buffer[128];
	struct stun_writer s = stun_begin(buffer, sizeof(buffer), STUN_REQUEST, CALL_METHOD, &id);
	struct call_message m;
	int length;

	(void)state;
	stun_add_u32(&s, CALL_ATTRIBUTE_FROM, 0x02000005);
	stun_add_u32(&s, CALL_ATTRIBUTE_FROM, 0x04000006);
	stun_add(&s, CALL_ATTRIBUTE_FROM, NULL, 0);
	length = stun_end(&s);
	assert_int_equal(call_decode(buffer, (size_t)length, &m), 0);
	assert_int_equal(m.from, 2);
	assert_int_equal(m.wait_ms, 5);
	assert_int_equal(call_decode(buffer, (size_t)length - 1, &m), -EBADMSG);
	assert_false(call_looks_like(buffer, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_indication),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_too_small),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
