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

#include "wire/punch.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static const uint8_t key[PUNCH_KEY_BYTES] = {1, 2, 3}, other_key[PUNCH_KEY_BYTES] = {1, 2, 4};
#define ID                                                                            \
	{                                                                             \
		{                                                                     \
			0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 \
		}                                                                     \
	}
#define MAPPED4                         \
	{                               \
		FAMILY_IPV4, 40000, 0,  \
		{                       \
			198, 51, 100, 9 \
		}                       \
	}
#define MAPPED6                                      \
	{                                            \
		FAMILY_IPV6, 65535, 0,               \
		{                                    \
			0x20, 1, 0xd, 0xb8, [15] = 1 \
		}                                    \
	}
#define NO_ENDPOINT                \
	{                          \
		FAMILY_NONE, 0, 0, \
		{                  \
			0          \
		}                  \
	}

static const struct stun_id id = ID;
static const struct endpoint mapped4 = MAPPED4;

static int decode_exact(const uint8_t *data, size_t length, struct punch_message *out)
{
	uint8_t *exact = malloc(length ? length : 1); /* a sanitizer sees what is read beyond it */
	int err;

	assert_non_null(exact);
	memcpy(exact, data, length);
	err = punch_decode(exact, length, key, out);
	free(exact);
	return err;
}

#define ECHO                                                                                   \
	{                                                                                      \
		{                                                                              \
			0x21, 0x12, 0xa4, 0x42, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32 \
		}                                                                              \
	}

static const struct punch_message messages[] = {
	{STUN_REQUEST, ID, 0, 0, 1, NO_ENDPOINT, false, {{0}}},
	{STUN_REQUEST, ID, UINT8_MAX, 65535, UINT64_MAX, NO_ENDPOINT, false, {{0}}},
	{STUN_REQUEST, ID, 1, 2, 3, MAPPED4, true, ECHO},
	{STUN_REQUEST, ID, 1, 2, 3, MAPPED6, true, ECHO},
	{STUN_SUCCESS, ID, 0, 1, 0x0102030405060708, MAPPED4, false, {{0}}},
	{STUN_SUCCESS, ID, 255, 1, UINT64_C(1) << 32, MAPPED6, false, {{0}}},
};

static void test_round_trip(void **state)
{
	uint8_t data[PUNCH_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < LENGTH(messages); i++) {
		const struct punch_message *m = &messages[i];
		struct punch_message out;
		int n = punch_encode(m, key, data, sizeof(data));

		assert_true(n > 0 && n <= PUNCH_BYTES_MAX);
		assert_int_equal(decode_exact(data, (size_t)n, &out), 0);
		assert_int_equal(out.class, m->class);
		assert_true(stun_id_equal(&out.id, &m->id));
		assert_int_equal(out.flags, m->flags);
		assert_int_equal(out.attempt, m->attempt);
		assert_true(out.counter == m->counter);
		assert_int_equal(out.mapped.family, m->mapped.family);
		if (m->mapped.family != FAMILY_NONE)
			assert_true(endpoint_equal(&out.mapped, &m->mapped));
		assert_int_equal(out.has_echo, m->has_echo);
		assert_true(stun_id_equal(&out.echo, &m->echo));
		for (int size = 0; size < n; size++)
			assert_int_equal(punch_encode(m, key, data, (size_t)size), -EMSGSIZE);
	}
}

/* Every bit is under the MAC, or makes another message of it. */
static void test_changed(void **state)
{
	uint8_t data[PUNCH_BYTES_MAX];
	struct punch_message out;

	(void)state;
	for (size_t i = 0; i < LENGTH(messages); i++) {
		int n = punch_encode(&messages[i], key, data, sizeof(data));

		for (int bit = 0; bit < 8 * n; bit++) {
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_true(decode_exact(data, (size_t)n, &out) < 0);
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (int length = 0; length < n; length++)
			assert_int_equal(decode_exact(data, (size_t)length, &out), -EPROTO);
		assert_int_equal(punch_decode(data, (size_t)n, other_key, &out), -EACCES);
		assert_int_equal(out.counter, 0); /* nothing of it gets out */
	}
}

/* What a test puts together itself. */
struct parts {
	enum stun_class class;
	uint16_t method;
	size_t state_bytes; /* 0: none */
	uint8_t version;
	const struct endpoint *mapped;
	bool mac, twice;
	size_t echo_bytes; /* 0: none */
};

static size_t put_together(const struct parts *p, uint8_t *out, size_t size)
{
	struct stun_writer s = stun_begin(out, size, p->class, p->method, &id);
	uint8_t value[32] = {p->version, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9};
	int n;

	if (p->state_bytes)
		stun_add(&s, PUNCH_STATE, value, p->state_bytes);
	if (p->twice) {
		value[11] = 10;
		stun_add(&s, PUNCH_STATE, value, p->state_bytes);
	}
	if (p->mapped)
		stun_add_address(&s, STUN_XOR_MAPPED_ADDRESS, p->mapped);
	if (p->echo_bytes)
		stun_add(&s, PUNCH_ECHO, value, p->echo_bytes);
	if (p->mac)
		stun_add_integrity_sha256(&s, key, sizeof(key));
	n = stun_end(&s);
	assert_true(n > 0);
	return (size_t)n;
}

static void test_parts(void **state)
{
	static const struct {
		struct parts parts;
		int result;
	} rows[] = {
		{{STUN_REQUEST, PUNCH_METHOD, 12, 1, NULL, true, false, 0}, 0},
		{{STUN_SUCCESS, PUNCH_METHOD, 12, 1, &mapped4, true, false, 0}, 0},
		/* what a later version adds to the state, and to a request */
		{{STUN_REQUEST, PUNCH_METHOD, 16, 1, NULL, true, false, 0}, 0},
		{{STUN_REQUEST, PUNCH_METHOD, 12, 1, &mapped4, true, false, 0}, 0},
		/* the first state counts */
		{{STUN_REQUEST, PUNCH_METHOD, 12, 1, NULL, true, true, 0}, 0},
		{{STUN_REQUEST, PUNCH_METHOD, 12, 0, NULL, true, false, 0}, -EBADMSG},
		{{STUN_REQUEST, PUNCH_METHOD, 12, 2, NULL, true, false, 0}, -EBADMSG},
		{{STUN_REQUEST, PUNCH_METHOD, 11, 1, NULL, true, false, 0}, -EBADMSG},
		{{STUN_REQUEST, PUNCH_METHOD, 1, 1, NULL, true, false, 0}, -EBADMSG},
		{{STUN_REQUEST, PUNCH_METHOD, 0, 1, NULL, true, false, 0}, -EBADMSG},
		{{STUN_SUCCESS, PUNCH_METHOD, 12, 1, NULL, true, false, 0}, -EBADMSG},
		{{STUN_REQUEST, PUNCH_METHOD, 12, 1, NULL, false, false, 0}, -EACCES},
		{{STUN_SUCCESS, PUNCH_METHOD, 12, 1, &mapped4, false, false, 0}, -EACCES},
		/* an echo is of a request, complete, and says where from */
		{{STUN_REQUEST, PUNCH_METHOD, 12, 1, &mapped4, true, false, 12}, 0},
		{{STUN_REQUEST, PUNCH_METHOD, 12, 1, &mapped4, true, false, 11}, -EBADMSG},
		{{STUN_REQUEST, PUNCH_METHOD, 12, 1, &mapped4, true, false, 16}, -EBADMSG},
		{{STUN_REQUEST, PUNCH_METHOD, 12, 1, NULL, true, false, 12}, -EBADMSG},
		{{STUN_SUCCESS, PUNCH_METHOD, 12, 1, &mapped4, true, false, 12}, 0},
		{{STUN_INDICATION, PUNCH_METHOD, 12, 1, NULL, true, false, 0}, -EBADMSG},
		{{STUN_ERROR, PUNCH_METHOD, 12, 1, NULL, true, false, 0}, -EBADMSG},
		{{STUN_REQUEST, STUN_BINDING, 12, 1, NULL, true, false, 0}, -EPROTO},
		{{STUN_REQUEST, PUNCH_METHOD + 1, 12, 1, NULL, true, false, 0}, -EPROTO},
	};
	uint8_t data[2 * PUNCH_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct punch_message out;
		size_t n = put_together(&rows[i].parts, data, sizeof(data));

		assert_int_equal(decode_exact(data, n, &out), rows[i].result);
		if (rows[i].result)
			continue;
		assert_int_equal(out.counter, 9);
		assert_int_equal(out.has_echo,
			rows[i].parts.echo_bytes && rows[i].parts.class == STUN_REQUEST);
	}
}

/* Fills the message up with one attribute, and has the length in the header say so. */
static size_t append(uint8_t *data, size_t length, uint16_t type, size_t value_bytes)
{
	struct writer w = writer_over(data + length, 4 + value_bytes);

	writer_u16(&w, type);
	writer_u16(&w, (uint16_t)value_bytes);
	writer_fill(&w, 1, value_bytes);
	length += w.position;
	data[2] = (uint8_t)((length - STUN_HEADER_BYTES) >> 8);
	data[3] = (uint8_t)(length - STUN_HEADER_BYTES);
	return length;
}

/* RFC 8489 14.6: anybody can hang something on behind the MAC; it must not count. */
static void test_behind_mac(void **state)
{
	static const struct parts without_state = {
		STUN_REQUEST, PUNCH_METHOD, 0, 1, NULL, true, false, 0};
	static const struct parts without_address = {
		STUN_SUCCESS, PUNCH_METHOD, 12, 1, NULL, true, false, 0};
	static const struct parts without_echo = {
		STUN_REQUEST, PUNCH_METHOD, 12, 1, &mapped4, true, false, 0};
	uint8_t data[2 * PUNCH_BYTES_MAX];
	struct punch_message out;
	size_t n;

	(void)state;
	n = append(data, put_together(&without_state, data, sizeof(data)), PUNCH_STATE, 12);
	assert_true(decode_exact(data, n, &out) < 0);
	n = put_together(&without_address, data, sizeof(data));
	n = append(data, n, STUN_XOR_MAPPED_ADDRESS, 8);
	data[n - 8] = 0;
	data[n - 7] = 1; /* of IPv4 */
	assert_true(decode_exact(data, n, &out) < 0);
	n = append(data, put_together(&without_echo, data, sizeof(data)), PUNCH_ECHO, 12);
	assert_int_equal(decode_exact(data, n, &out), 0);
	assert_false(out.has_echo);
}

static void test_too_long(void **state)
{
	static const struct parts p = {STUN_REQUEST, PUNCH_METHOD, 12, 1, NULL, false, false, 0};
	uint8_t data[4 * PUNCH_BYTES_MAX];
	struct punch_message out;

	(void)state;
	for (size_t fill = 0; fill < 200; fill += 4) {
		struct stun_writer s;
		uint8_t value[200] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
		int n;

		s = stun_begin(data, sizeof(data), p.class, p.method, &id);
		stun_add(&s, PUNCH_STATE, value, 12);
		stun_add(&s, STUN_FILL, value, fill);
		stun_add_integrity_sha256(&s, key, sizeof(key));
		n = stun_end(&s);
		assert_int_equal(
			decode_exact(data, (size_t)n, &out), n <= PUNCH_BYTES_MAX ? 0 : -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_behind_mac),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
