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

#include "punch/keys.h"
#include "test_punch_kit.h"
#include "wire/rendezvous.h"

_Static_assert(KEYS_SLOT_MAX == RENDEZVOUS_SLOT_MAX, "a slot");
_Static_assert(KEYS_SESSION_BYTES == RENDEZVOUS_SESSION_BYTES, "a session");

#define SEALED_MAX (KEYS_SLOT_MAX + 1)

/* Of another implementation of BLAKE2b, for the ISK 00 01 … 3f. */
static void test_vector(void **state)
{
	static const struct {
		const char *slot, *mac, *channel;
	} directions[2] = {
		{"ca8d2666d00240d4cd855f4273f33c5006aee3b61e254e9127fa1f11aec1c658",
			"1b89cf4b206265141dc96b4d9145059a8f337f030304499ee5e8a5b80ef82148",
			"855421cbb2242a17591284ed8393b7d8e984cda808ee983afe596362c466fd33"},
		{"f8102cba743bd11e31d4e1ee8b16becf761f9cef29c29400c102ecb0b7dedfa2",
			"5176130269b4cb72ca99cca1e273d37b3197f8b2b1c7dfdcc386f3c06a75609c",
			"f50a53afe1464934ced9fd4d2e963d75951a1059ccee192966ad6fe20ee8d37d"},
	};
	struct keys a, b;

	(void)state;
	keys_of_both(&a, &b);
	for (int i = 0; i < 2; i++) {
		const struct keys_direction *d = i ? &a.receive : &a.send;
		uint8_t expected[32];

		from_hex(directions[i].slot, expected);
		assert_memory_equal(d->slot, expected, 32);
		from_hex(directions[i].mac, expected);
		assert_memory_equal(d->mac, expected, 32);
		from_hex(directions[i].channel, expected);
		assert_memory_equal(d->channel, expected, 32);
	}
	assert_memory_equal(&a.send, &b.receive, sizeof(a.send));
	assert_memory_equal(&a.receive, &b.send, sizeof(a.send));
}

/* Who is A is a matter of the first byte that differs. */
static void test_order(void **state)
{
	static const uint8_t isk[CPACE_ISK_BYTES] = {1}, zero[32];
	struct keys low, high;

	(void)state;
	for (size_t i = 0; i < 32; i++) {
		uint8_t one[32] = {0}, two[32] = {0};

		one[i] = 0x7f;
		two[i] = 0x80; /* bytes are unsigned */
		memset(one + i + 1, 0xff, sizeof(one) - i - 1);
		assert_int_equal(keys_derive(isk, one, two, &low), 0);
		assert_int_equal(keys_derive(isk, two, one, &high), 0);
		assert_memory_equal(&low.send, &high.receive, sizeof(low.send));
		assert_memory_equal(&low.receive, &high.send, sizeof(low.send));
		assert_memory_not_equal(&low.send, &low.receive, sizeof(low.send));
		assert_int_equal(keys_derive(isk, zero, one, &high), 0);
		assert_memory_equal(&low, &high, sizeof(low)); /* only the order counts */
		assert_int_equal(keys_derive(isk, one, one, &high), -EINVAL);
		assert_true(sodium_is_zero((const uint8_t *)&high, sizeof(high)));
	}
}

/* Each key differs from each other one, and with the ISK. */
static void test_distinct(void **state)
{
	uint8_t isk[CPACE_ISK_BYTES] = {0}, shares[2][32] = {{1}, {2}}, keys[64 * 8 + 1][6][32];
	size_t n = sizeof(keys) / sizeof(**keys);

	(void)state;
	_Static_assert(sizeof(struct keys) == sizeof(*keys), "six keys and nothing else");
	for (size_t bit = 0; bit <= 64 * 8; bit++) {
		memset(isk, 0, sizeof(isk));
		if (bit < 64 * 8)
			isk[bit / 8] = (uint8_t)(1 << bit % 8);
		assert_int_equal(
			keys_derive(isk, shares[0], shares[1], (struct keys *)(void *)keys[bit]),
			0);
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			assert_true(memcmp(keys[i / 6][i % 6], keys[j / 6][j % 6], 32));
}

struct slot_kit {
	struct keys a, b;
	struct random random;
	uint8_t session[KEYS_SESSION_BYTES];
	uint8_t sealed[SEALED_MAX], opened[SEALED_MAX];
};

static void slot_kit(struct slot_kit *k)
{
	memset(k, 0, sizeof(*k));
	keys_of_both(&k->a, &k->b);
	random_init_number(&k->random, 5);
	for (size_t i = 0; i < sizeof(k->session); i++)
		k->session[i] = (uint8_t)(0xa0 + i);
}

/* Another implementation of XChaCha20-Poly1305 has sealed this as B. */
static void test_slot_vector(void **state)
{
	struct slot_kit k;
	size_t n;

	(void)state;
	slot_kit(&k);
	n = from_hex(
		"404142434445464748494a4b4c4d4e4f505152535455565772c2af59afdf429940ec83e452cee3"
		"34a089da003dd971070166",
		k.sealed);
	assert_int_equal(n, 10 + KEYS_SLOT_OVERHEAD);
	assert_int_equal(keys_slot_open(&k.a, k.session, 0x01020304, (struct span){k.sealed, n},
				 k.opened, sizeof(k.opened)),
		10);
	assert_memory_equal(k.opened, "candidates", 10);
}

static void test_slot_lengths(void **state)
{
	static const struct {
		size_t length, seal_size, open_size;
		int sealed, opened;
	} rows[] = {
		{0, SEALED_MAX, 0, 40, 0},
		{0, 40, 0, 40, 0},
		{0, 39, 0, -EMSGSIZE, 0},
		{0, 0, 0, -EMSGSIZE, 0},
		{1, 41, 1, 41, 1},
		{1, 41, 0, 41, -EMSGSIZE},
		{1, 40, 0, -EMSGSIZE, 0},
		{920, SEALED_MAX, 920, 960, 920},
		{920, SEALED_MAX, 919, 960, -EMSGSIZE},
		{920, 959, 0, -EMSGSIZE, 0},
		{921, SEALED_MAX, 0, -EMSGSIZE, 0},
	};
	static uint8_t plain[1000];
	struct slot_kit k;

	(void)state;
	slot_kit(&k);
	memset(plain, 'p', sizeof(plain));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int n = keys_slot_seal(&k.a, k.session, 7, (struct span){plain, rows[i].length},
			&k.random, k.sealed, rows[i].seal_size);

		assert_int_equal(n, rows[i].sealed);
		if (n < 0)
			continue;
		memset(k.opened, 0xee, sizeof(k.opened));
		assert_int_equal(
			keys_slot_open(&k.b, k.session, 7, (struct span){k.sealed, (size_t)n},
				k.opened, rows[i].open_size),
			rows[i].opened);
		if (rows[i].opened > 0)
			assert_memory_equal(k.opened, plain, rows[i].length);
		assert_int_equal(k.opened[rows[i].open_size], 0xee);
	}
}

static int open_slot(struct slot_kit *k, const struct keys *keys, uint32_t version, size_t length)
{
	uint8_t *exact = malloc(length ? length : 1); /* a sanitizer sees what is read beyond it */
	int n;

	assert_non_null(exact);
	memcpy(exact, k->sealed, length);
	n = keys_slot_open(keys, k->session, version, (struct span){exact, length}, k->opened,
		sizeof(k->opened));
	free(exact);
	return n;
}

/* Of another session, version or direction, cut, too long, or with any bit wrong: it does not open. */
static void test_slot_refused(void **state)
{
	static const uint32_t versions[] = {0, 6, 8, 0x07000000, 0x80000007, UINT32_MAX};
	struct slot_kit k;
	size_t length;

	(void)state;
	slot_kit(&k);
	length = (size_t)keys_slot_seal(
		&k.a, k.session, 7, span_of("message"), &k.random, k.sealed, SEALED_MAX);
	assert_int_equal(open_slot(&k, &k.b, 7, length), 7);
	assert_int_equal(
		open_slot(&k, &k.b, 7, length), 7); /* and again: the server repeats itself */
	assert_int_equal(open_slot(&k, &k.a, 7, length), -EBADMSG); /* sent back to its sender */
	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++)
		assert_int_equal(open_slot(&k, &k.b, versions[i], length), -EBADMSG);
	for (size_t n = 0; n <= SEALED_MAX; n++)
		assert_int_equal(open_slot(&k, &k.b, 7, n), n == length ? 7 : -EBADMSG);
	for (size_t bit = 0; bit < 8 * length; bit++) {
		k.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(open_slot(&k, &k.b, 7, length), -EBADMSG);
		k.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * sizeof(k.session); bit++) {
		k.session[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(open_slot(&k, &k.b, 7, length), -EBADMSG);
		k.session[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	keys_wipe(&k.b);
	assert_int_equal(open_slot(&k, &k.b, 7, length), -EBADMSG);
}

/* Authentic, but longer than any slot. */
static void test_slot_long(void **state)
{
	static const uint8_t plain[KEYS_SLOT_MAX - KEYS_SLOT_OVERHEAD + 1];
	uint8_t bound[20] = {0};
	struct slot_kit k;

	(void)state;
	slot_kit(&k);
	memcpy(bound, k.session, sizeof(k.session));
	bound[19] = 7;
	for (size_t n = sizeof(plain) - 1; n <= sizeof(plain); n++) {
		crypto_aead_xchacha20poly1305_ietf_encrypt(k.sealed + 24, NULL, plain, n, bound,
			sizeof(bound), NULL, k.sealed, k.a.send.slot);
		assert_int_equal(open_slot(&k, &k.b, 7, n + KEYS_SLOT_OVERHEAD),
			n < sizeof(plain) ? (int)n : -EBADMSG);
	}
}

/* The same message twice looks different. */
static void test_slot_nonce(void **state)
{
	uint8_t again[SEALED_MAX];
	struct slot_kit k;
	int n, m;

	(void)state;
	slot_kit(&k);
	n = keys_slot_seal(&k.a, k.session, 1, span_of("same"), &k.random, k.sealed, SEALED_MAX);
	m = keys_slot_seal(&k.a, k.session, 1, span_of("same"), &k.random, again, SEALED_MAX);
	assert_int_equal(n, m);
	assert_memory_not_equal(k.sealed, again, 24);
	assert_memory_not_equal(k.sealed + 24, again + 24, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_distinct),
		cmocka_unit_test(test_slot_vector),
		cmocka_unit_test(test_slot_lengths),
		cmocka_unit_test(test_slot_refused),
		cmocka_unit_test(test_slot_long),
		cmocka_unit_test(test_slot_nonce),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
