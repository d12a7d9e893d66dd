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

#include "test_knock_kit.h"
#include "test_punch_kit.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define NOW_MS	  (KNOCK_SLOT * KNOCK_SLOT_S * 1000)

static struct random numbers;

static int setup(void **state)
{
	(void)state;
	random_init_number(&numbers, 1);
	return 0;
}

/* --- the key --- */

/* Computed with the reference implementation of Argon2id. */
static void test_key(void **state)
{
	static const struct {
		const char *code, *key;
	} rows[] = {
		{"7-acorn-albatross",
			"00cb62c4550efa006eb8e3843629cb024e70bf6853e4673fd98b3fc8dce552f4"},
		{"", "d565aeb51bad3404401952d5777a0d8fc5d992fe936b5bbdfd4ff6843f656e38"},
	};
	static const struct knock_key zero;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		uint8_t expected[KNOCK_KEY_BYTES];
		struct knock_key k;

		assert_int_equal(from_hex(rows[i].key, expected), sizeof(expected));
		assert_int_equal(knock_key_make(span_of(rows[i].code), &k), 0);
		assert_memory_equal(k.bytes, expected, sizeof(expected));
		knock_key_wipe(&k);
		assert_memory_equal(&k, &zero, sizeof(k));
	}
}

/* --- places --- */

/* Computed with another BLAKE2b, from the first key above. */
static void test_place_vectors(void **state)
{
	static const struct {
		uint64_t slot;
		uint16_t port;
		const char *four, *six;
	} rows[] = {
		{0, 31204, "198.19.188.109:33698", "[2001:2:0:934e:451d:5fe5:8b1e:4411]:33698"},
		{1, 28289, "198.19.170.209:33496", "[2001:2:0:33a5:6ff3:380e:9ec9:62f0]:33496"},
		{KNOCK_SLOT, 19641, "198.19.160.101:33822",
			"[2001:2:0:f369:acd4:92b2:34ba:3130]:33822"},
		{KNOCK_SLOT + 1, 26737, "198.18.184.215:33471",
			"[2001:2:0:ed6b:16a0:51b7:7f20:192e]:33471"},
		{UINT64_MAX, 26119, "198.18.130.3:33888",
			"[2001:2:0:1ec7:602b:fd4c:5dea:2006]:33888"},
	};
	struct knock_key k;

	(void)state;
	from_hex("00cb62c4550efa006eb8e3843629cb024e70bf6853e4673fd98b3fc8dce552f4", k.bytes);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct knock_place place;
		char text[ENDPOINT_TEXT];

		knock_place_at(&k, rows[i].slot, &place);
		assert_true(place.slot == rows[i].slot);
		assert_int_equal(place.port, rows[i].port);
		assert_string_equal(endpoint_format(&place.dark[0], text), rows[i].four);
		assert_string_equal(endpoint_format(&place.dark[1], text), rows[i].six);
	}
}

static void assert_well_formed(const struct knock_place *p)
{
	const struct endpoint *four = &p->dark[0], *six = &p->dark[1];
	static const uint8_t rest[12], prefix[6] = {0x20, 0x01, 0x00, 0x02, 0, 0};

	assert_in_range(p->port, 16384, 32767);
	assert_int_equal(four->family, FAMILY_IPV4);
	assert_int_equal(four->address[0], 198);
	assert_in_range(four->address[1], 18, 19);
	assert_in_range(four->address[3], 1, 254);
	assert_memory_equal(four->address + 4, rest, sizeof(rest));
	assert_int_equal(six->family, FAMILY_IPV6);
	assert_memory_equal(six->address, prefix, sizeof(prefix));
	assert_in_range(four->port, 33434, 33945);
	assert_int_equal(six->port, four->port);
	assert_true(endpoint_is_unicast(four) && endpoint_is_unicast(six));
	assert_int_equal(four->scope | six->scope, 0);
}

/* All of the ranges is used, each slot has its own, and so has each key. */
static void test_places_spread(void **state)
{
	struct knock_key k = knock_key_of(1), other = knock_key_of(2);
	unsigned nineteen = 0, low = 0, same = 0;

	(void)state;
	for (uint64_t slot = 0; slot < 2000; slot++) {
		struct knock_place a, b;

		memset(&a, 0xff, sizeof(a)); /* nothing of what was there remains */
		knock_place_at(&k, KNOCK_SLOT + slot, &a);
		knock_place_at(&other, KNOCK_SLOT + slot, &b);
		assert_well_formed(&a);
		assert_false(endpoint_equal(&a.dark[0], &b.dark[0]));
		nineteen += a.dark[0].address[1] == 19;
		low += a.port < 16384 + 8192;
		knock_place_at(&k, KNOCK_SLOT + slot + 1, &b);
		same += a.port == b.port || endpoint_same_address(&a.dark[1], &b.dark[1]);
	}
	assert_in_range(nineteen, 900, 1100);
	assert_in_range(low, 900, 1100);
	assert_true(same < 3);
}

/* Which slots somebody keeps open who has this clock. */
static size_t slots_at(uint64_t utc_us, uint64_t out[2])
{
	struct knock_key k = knock_key_of(1);
	struct knock_place places[2];
	size_t count = knock_places(&k, utc_us, places);

	assert_in_range(count, 1, 2);
	for (size_t i = 0; i < count; i++) {
		struct knock_place same;

		knock_place_at(&k, places[i].slot, &same);
		assert_int_equal(places[i].port, same.port);
		out[i] = places[i].slot;
	}
	return count;
}

static void test_slot_borders(void **state)
{
	static const struct {
		uint64_t after_us; /* the beginning of KNOCK_SLOT */
		size_t count;
		int first; /* less KNOCK_SLOT */
	} rows[] = {
		{0, 2, -1},
		{60 * SECOND - 1, 2, -1},
		{60 * SECOND, 1, 0},
		{240 * SECOND - 1, 1, 0},
		{240 * SECOND, 2, 0},
		{300 * SECOND - 1, 2, 0},
	};
	uint64_t slots[2];

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		uint64_t first = KNOCK_SLOT + (uint64_t)rows[i].first;

		assert_int_equal(
			slots_at(KNOCK_SLOT * SLOT_US + rows[i].after_us, slots), rows[i].count);
		assert_true(slots[0] == first);
		assert_true(rows[i].count == 1 || slots[1] == first + 1);
	}
	assert_int_equal(slots_at(0, slots), 1); /* in 1970, before which there is nothing */
	assert_true(slots[0] == 0);
}

static bool is_among(uint64_t slot, uint64_t utc_us)
{
	uint64_t slots[2];
	size_t count = slots_at(utc_us, slots);

	return slot == slots[0] || (count > 1 && slot == slots[1]);
}

/* Who knocks goes by one clock, who waits by another: at any moment, to the microsecond around borders. */
static void test_clocks_apart(void **state)
{
	const uint64_t most_us = KNOCK_CLOCK_S * SECOND;
	uint64_t begin = KNOCK_SLOT * SLOT_US;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t a = begin + random_below(&numbers, 2 * SLOT_US);
		uint64_t b = a - most_us + random_below(&numbers, 2 * most_us + 1);

		assert_true(is_among(a / SLOT_US, b));
		assert_true(is_among(a / SLOT_US, a + most_us));
		assert_true(is_among(a / SLOT_US, a - most_us));
	}
	for (uint64_t a = begin - 3; a < begin + 3; a++) {
		assert_true(is_among(a / SLOT_US, a + most_us));
		assert_true(is_among(a / SLOT_US, a - most_us));
	}
}

/* --- messages --- */

static struct knock full(enum knock_kind kind)
{
	struct knock k = knock_of(kind, 7);

	k.utc_ms = NOW_MS + 123;
	k.quoted_port = 65535;
	add_candidate(&k.hello, CHECK_HOST, host4(1, 1));
	add_candidate(&k.hello, CHECK_SERVER_REFLEXIVE, host6(2, 65535));
	k.hello.has_side[0] = true;
	k.hello.side[0].packets_max = 4711;
	k.hello.latest = host4(3, 33);
	k.hello.attempt.number = 9;
	k.hello.failed = true;
	return k;
}

static int open_exact(
	const struct knock_key *key, const uint8_t *data, size_t length, struct knock *out)
{
	uint8_t *exact = malloc(length ? length : 1); /* a sanitizer sees what is read beyond it */
	int err;

	assert_non_null(exact);
	memcpy(exact, data, length);
	err = knock_open(key, (struct span){exact, length}, out);
	free(exact);
	return err;
}

static void assert_same_hello(const struct hello *a, const struct hello *b)
{
	uint8_t bytes[2][HELLO_BYTES_MAX];
	int n = hello_encode(a, bytes[0], sizeof(bytes[0]));

	assert_true(n > 0);
	assert_int_equal(hello_encode(b, bytes[1], sizeof(bytes[1])), n);
	assert_memory_equal(bytes[0], bytes[1], (size_t)n);
}

static void check_round_trip(enum knock_kind kind, uint64_t utc_ms, uint16_t port)
{
	struct knock_key key = knock_key_of(1);
	struct knock k = full(kind), out;
	uint8_t data[KNOCK_BYTES_MAX];
	int n;

	k.utc_ms = utc_ms;
	k.quoted_port = k.answered = port;
	n = knock_seal(&key, &k, &numbers, data, sizeof(data));
	assert_true(n > KNOCK_OVERHEAD);
	memset(&out, 0xff, sizeof(out));
	assert_int_equal(open_exact(&key, data, (size_t)n, &out), 0);
	assert_int_equal(out.kind, kind);
	assert_true(out.utc_ms == utc_ms);
	assert_int_equal(out.quoted_port, kind == KNOCK_ASK ? port : 0);
	assert_int_equal(out.answered, kind == KNOCK_ANSWER ? port : 0);
	assert_memory_equal(out.share, k.share, sizeof(k.share));
	assert_same_hello(&out.hello, &k.hello);
	assert_memory_equal(out.digest, k.digest, sizeof(k.digest));
}

static void test_round_trip(void **state)
{
	(void)state;
	check_round_trip(KNOCK_ASK, NOW_MS, 0);
	check_round_trip(KNOCK_ANSWER, NOW_MS, 33434);
	check_round_trip(KNOCK_ASK, 0, 65535);
	check_round_trip(KNOCK_ASK, (UINT64_C(1) << 48) - 1, 1);
}

/* Nothing of a knock can be seen, and no two copies are alike. */
static void test_looks_random(void **state)
{
	struct knock_key key = knock_key_of(1);
	struct knock k = full(KNOCK_ASK);
	uint8_t a[KNOCK_BYTES_MAX], b[KNOCK_BYTES_MAX];
	int n = knock_seal(&key, &k, &numbers, a, sizeof(a));
	unsigned same = 0;

	(void)state;
	assert_int_equal(knock_seal(&key, &k, &numbers, b, sizeof(b)), n);
	assert_memory_not_equal(a, b, KNOCK_NONCE);
	for (int i = 0; i < n; i++)
		same += a[i] == b[i];
	assert_true(same < 10);
}

static void test_altered(void **state)
{
	struct knock_key key = knock_key_of(1), other = knock_key_of(2);
	struct knock k = full(KNOCK_ASK), out, untouched;
	uint8_t data[KNOCK_BYTES_MAX + 1] = {0};
	int n = knock_seal(&key, &k, &numbers, data, KNOCK_BYTES_MAX);

	(void)state;
	assert_true(n > 0);
	memset(&out, 0x55, sizeof(out));
	untouched = out;
	for (int length = 0; length < n; length++)
		assert_int_equal(open_exact(&key, data, (size_t)length, &out), -EBADMSG);
	for (size_t length = (size_t)n + 1; length <= sizeof(data); length++)
		assert_int_equal(open_exact(&key, data, length, &out), -EBADMSG);
	for (int bit = 0; bit < 8 * n; bit++) {
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(open_exact(&key, data, (size_t)n, &out), -EBADMSG);
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(open_exact(&other, data, (size_t)n, &out), -EBADMSG);
	assert_memory_equal(&out, &untouched, sizeof(out));
	assert_int_equal(open_exact(&key, data, (size_t)n, &out), 0);
}

/* Of what another version of ourselves would seal. */
static size_t seal_plain(
	const struct knock_key *key, const uint8_t *plain, size_t length, uint8_t *out)
{
	static const char purpose[] = "natutils knock 1";
	unsigned long long n;

	memset(out, 3, KNOCK_NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + KNOCK_NONCE, &n, plain, length,
		(const uint8_t *)purpose, strlen(purpose), NULL, out, key->bytes);
	return KNOCK_NONCE + (size_t)n;
}

static void test_inside(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int err;
	} rows[] = {
		{0, 1, 0}, {0, 0, -EPROTO}, {0, 2, -EPROTO}, {1, 2, 0}, /* kinds */
		{1, 0, -EBADMSG}, {1, 3, -EBADMSG}, {1, 255, -EBADMSG},
		{42, 2, -EPROTO}, /* version of the hello */
		{46, 9, -EBADMSG}, /* transport */
	};
	uint8_t plain[47] = {1, 1, [42] = 1, 1, 0, 1, 1}, data[KNOCK_BYTES_MAX];
	struct knock_key key = knock_key_of(1);
	struct knock out;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		uint8_t changed[sizeof(plain)];
		size_t n;

		memcpy(changed, plain, sizeof(plain));
		changed[rows[i].at] = rows[i].value;
		n = seal_plain(&key, changed, sizeof(changed), data);
		assert_int_equal(open_exact(&key, data, n, &out), rows[i].err);
	}
	for (size_t length = 0; length < sizeof(plain); length++)
		assert_int_equal(
			open_exact(&key, data, seal_plain(&key, plain, length, data), &out),
			-EBADMSG);
}

/* --- sizes --- */

/* As a router may send it at most (RFC 1812 4.3.2.3): two IPv4 headers, ICMP and UDP. */
static size_t error_bytes(int length)
{
	return 20 + 8 + 20 + 8 + (size_t)length;
}

static void test_sizes(void **state)
{
	struct knock_key key = knock_key_of(1);
	struct knock four = knock_of(KNOCK_ASK, 7), six = four, out;
	uint8_t data[KNOCK_BYTES_MAX];
	int n;

	(void)state;
	assert_true(error_bytes(KNOCK_BYTES_MAX) <= 576);
	for (uint8_t i = 0; i < HELLO_CANDIDATES; i++) {
		add_candidate(&four.hello, CHECK_HOST, host4(i, 1000));
		add_candidate(&six.hello, CHECK_HOST, host6(i, 1000));
	}
	four.hello.has_side[0] = four.hello.has_side[1] = true;
	n = knock_seal(&key, &four, &numbers, data, sizeof(data));
	assert_true(n > 0 && error_bytes(n) <= 576);
	assert_int_equal(open_exact(&key, data, (size_t)n, &out), 0);
	assert_int_equal(out.hello.candidate_count, HELLO_CANDIDATES);
	for (int size = 0; size < n; size++)
		assert_int_equal(knock_seal(&key, &four, &numbers, data, (size_t)size), -EMSGSIZE);

	assert_int_equal(knock_seal(&key, &six, &numbers, data, sizeof(data)), -EMSGSIZE);
	assert_int_equal(knock_digest(&six), -EMSGSIZE);
	six.hello.candidate_count = 13;
	n = knock_seal(&key, &six, &numbers, data, sizeof(data));
	assert_true(n > 0 && error_bytes(n) <= 576);
}

/* --- digest --- */

/* Computed with another BLAKE2b, keyed with the purpose. */
static void test_digest_vector(void **state)
{
	struct knock k = knock_of(KNOCK_ASK, 0);
	uint8_t expected[KNOCK_DIGEST];

	(void)state;
	for (uint8_t i = 0; i < sizeof(k.share); i++)
		k.share[i] = i;
	from_hex("b629e460ea0b6c9f2bb95b6f5a74a1f2ebd7f8d5ddff916dcf84ce8791bec718", expected);
	assert_int_equal(knock_digest(&k), 0);
	assert_memory_equal(k.digest, expected, sizeof(expected));
}

static void assert_digest(const struct knock *other, const struct knock *k, bool same)
{
	struct knock changed = *other;

	assert_int_equal(knock_digest(&changed), 0);
	assert_int_equal(!memcmp(changed.digest, k->digest, sizeof(k->digest)), same);
}

static void test_digest(void **state)
{
	struct knock k = full(KNOCK_ASK), other;

	(void)state;
	assert_int_equal(knock_digest(&k), 0);
	assert_digest(&k, &k, true);
	assert_int_equal(knock_tag(&k), k.digest[0] << 8 | k.digest[1]);
	other = k;
	other.utc_ms++;
	other.quoted_port = other.answered = 1;
	assert_digest(&other, &k, true);
	other = k;
	other.kind = KNOCK_ANSWER;
	assert_digest(&other, &k, false);
	other = k;
	other.share[31] ^= 1;
	assert_digest(&other, &k, false);
	other = k;
	other.hello.candidates[0].endpoint.port ^= 1;
	assert_digest(&other, &k, false);
	other = k;
	other.hello.failed = false;
	assert_digest(&other, &k, false);
}

/* Of a hello with a part that this version skips, it is over what was sent. */
static void test_digest_of_newer(void **state)
{
	uint8_t plain[50] = {1, 1, [42] = 1, 1, 0, 1, 1, 200, 0, 0}, data[KNOCK_BYTES_MAX];
	struct knock_key key = knock_key_of(1);
	struct knock a, b;

	(void)state;
	assert_int_equal(
		open_exact(&key, data, seal_plain(&key, plain, sizeof(plain), data), &a), 0);
	assert_int_equal(open_exact(&key, data, seal_plain(&key, plain, 47, data), &b), 0);
	assert_memory_not_equal(a.digest, b.digest, sizeof(a.digest));
}

/* --- freshness --- */

static void test_fresh(void **state)
{
	struct knock k = full(KNOCK_ASK);
	const uint64_t most = 2 * KNOCK_CLOCK_S * 1000;

	(void)state;
	assert_true(knock_is_fresh(&k, k.utc_ms));
	assert_true(knock_is_fresh(&k, k.utc_ms + most));
	assert_true(knock_is_fresh(&k, k.utc_ms - most));
	assert_false(knock_is_fresh(&k, k.utc_ms + most + 1));
	assert_false(knock_is_fresh(&k, k.utc_ms - most - 1));
	assert_false(knock_is_fresh(&k, 0));
	assert_false(knock_is_fresh(&k, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_key, setup),
		cmocka_unit_test_setup(test_place_vectors, setup),
		cmocka_unit_test_setup(test_places_spread, setup),
		cmocka_unit_test_setup(test_slot_borders, setup),
		cmocka_unit_test_setup(test_clocks_apart, setup),
		cmocka_unit_test_setup(test_round_trip, setup),
		cmocka_unit_test_setup(test_looks_random, setup),
		cmocka_unit_test_setup(test_altered, setup),
		cmocka_unit_test_setup(test_inside, setup),
		cmocka_unit_test_setup(test_sizes, setup),
		cmocka_unit_test_setup(test_digest_vector, setup),
		cmocka_unit_test_setup(test_digest, setup),
		cmocka_unit_test_setup(test_digest_of_newer, setup),
		cmocka_unit_test_setup(test_fresh, setup),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
