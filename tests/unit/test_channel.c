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

#include "punch/channel.h"
#include "test_punch_kit.h"
#include "wire/stun.h"

_Static_assert(CHANNEL_PACKET_MAX == STUN_MESSAGE_BYTES, "no fragments");

struct kit {
	struct keys keys[2];
	struct channel a, b;
	uint8_t packet[CHANNEL_PACKET_MAX + 1], out[CHANNEL_PACKET_MAX];
};

static void kit(struct kit *k)
{
	memset(k, 0, sizeof(*k));
	keys_of_both(&k->keys[0], &k->keys[1]);
	channel_init(&k->a, &k->keys[0]);
	channel_init(&k->b, &k->keys[1]);
}

static int open_exact(struct kit *k, struct channel *c, size_t length, enum channel_type *type)
{
	uint8_t *exact = malloc(length ? length : 1); /* a sanitizer sees what is read beyond it */
	int n;

	assert_non_null(exact);
	memcpy(exact, k->packet, length);
	n = channel_open(c, exact, length, type, k->out, sizeof(k->out));
	free(exact);
	return n;
}

/* The packet with this counter from A, at B. */
static int deliver(struct kit *k, uint64_t counter)
{
	enum channel_type type;
	int n;

	k->a.sent = counter - 1;
	n = channel_seal(&k->a, CHANNEL_DATA, "x", 1, k->packet, sizeof(k->packet));
	return n < 0 ? n : open_exact(k, &k->b, (size_t)n, &type);
}

/* Another implementation of ChaCha20-Poly1305 has sealed this. */
static void test_vector(void **state)
{
	uint8_t expected[64];
	size_t n = from_hex(
		"800000000102030405060708dcfa379b231535ddd53a69b360b35a0444837b3093", expected);
	enum channel_type type;
	struct kit k;

	(void)state;
	kit(&k);
	k.a.sent = 0x0102030405060707;
	assert_int_equal(
		channel_seal(&k.a, CHANNEL_DATA, "hello", 5, k.packet, sizeof(k.packet)), n);
	assert_memory_equal(k.packet, expected, n);
	assert_int_equal(channel_open(&k.b, expected, n, &type, k.out, sizeof(k.out)), 5);
	assert_memory_equal(k.out, "hello", 5);
	assert_int_equal(type, CHANNEL_DATA);
}

static void test_types(void **state)
{
	static const struct {
		unsigned type;
		int result;
	} rows[] = {{CHANNEL_DATA, 28}, {CHANNEL_KEEPALIVE, 28}, {CHANNEL_KEEPALIVE_REPLY, 28},
		{CHANNEL_CLOSE, 28}, {CHANNEL_FORWARDED, 28}, {0, -EINVAL}, {0x7f, -EINVAL},
		{0x85, -EINVAL}, {0x8f, -EINVAL}, {0x180, -EINVAL}};
	struct kit k;

	(void)state;
	kit(&k);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct stun_message m;
		enum channel_type type;
		int n = channel_seal(
			&k.a, (enum channel_type)rows[i].type, NULL, 0, k.packet, sizeof(k.packet));

		assert_int_equal(n, rows[i].result);
		if (n < 0)
			continue;
		assert_int_equal(k.packet[0] & 0xc0, 0x80);
		assert_true(stun_decode(k.packet, (size_t)n, &m) < 0);
		assert_int_equal(channel_open(&k.b, k.packet, (size_t)n, &type, NULL, 0), 0);
		assert_int_equal(type, rows[i].type);
	}
	assert_int_equal(k.a.sent, 5); /* refused ones use up no counter */
}

static void test_lengths(void **state)
{
	static const struct {
		size_t length, seal_size, open_size;
		int sealed, opened;
	} rows[] = {
		{0, 28, 0, 28, 0},
		{0, 27, 0, -EMSGSIZE, 0},
		{0, 0, 0, -EMSGSIZE, 0},
		{1, 29, 1, 29, 1},
		{1, 28, 1, -EMSGSIZE, 0},
		{1, 29, 0, 29, -EMSGSIZE},
		{1204, 1232, 1204, 1232, 1204},
		{1204, 1233, 1203, 1232, -EMSGSIZE},
		{1204, 1231, 1204, -EMSGSIZE, 0},
		{1205, 1233, 1205, -EMSGSIZE, 0},
		{SIZE_MAX, 1233, 0, -EMSGSIZE, 0},
	};
	static uint8_t data[1300];
	struct kit k;

	(void)state;
	kit(&k);
	memset(data, 'd', sizeof(data));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		enum channel_type type;
		int n = channel_seal(
			&k.a, CHANNEL_DATA, data, rows[i].length, k.packet, rows[i].seal_size);

		assert_int_equal(n, rows[i].sealed);
		if (n < 0)
			continue;
		memset(k.out, 0xee, sizeof(k.out));
		assert_int_equal(
			channel_open(&k.b, k.packet, (size_t)n, &type, k.out, rows[i].open_size),
			rows[i].opened);
		if (rows[i].opened > 0)
			assert_memory_equal(k.out, data, rows[i].length);
		assert_int_equal(k.out[rows[i].open_size], 0xee);
		if (rows[i].opened == -EMSGSIZE) /* with more room it opens */
			assert_int_equal(open_exact(&k, &k.b, (size_t)n, &type), rows[i].length);
	}
	assert_int_equal(k.b.forged, 0);
}

/* Cut, too long, or with any bit wrong it is refused, and the right one opens afterwards. */
static void test_refused(void **state)
{
	enum channel_type type;
	size_t length, tries = 0;
	struct kit k;

	(void)state;
	kit(&k);
	length = (size_t)channel_seal(&k.a, CHANNEL_DATA, "message", 7, k.packet, sizeof(k.packet));
	for (size_t n = 0; n <= sizeof(k.packet); n++, tries++)
		if (n != length)
			assert_int_equal(open_exact(&k, &k.b, n, &type), -EBADMSG);
	for (size_t bit = 0; bit < 8 * length; bit++, tries++) {
		k.packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(open_exact(&k, &k.b, length, &type), -EBADMSG);
		k.packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(channel_statistics(&k.b).forged, tries - 1);
	assert_int_equal(channel_statistics(&k.b).lost, 0);
	assert_int_equal(k.b.newest, 0);
	assert_int_equal(
		open_exact(&k, &k.a, length, &type), -EBADMSG); /* sent back to its sender */
	assert_int_equal(open_exact(&k, &k.b, length, &type), 7);
	memset(k.out, 0xee, sizeof(k.out));
	assert_int_equal(open_exact(&k, &k.b, length, &type), -EALREADY);
	assert_int_equal(k.out[0], 0xee); /* nobody gets to see it twice */
	/* a forged duplicate is no duplicate */
	k.packet[length - 1] ^= 1;
	assert_int_equal(open_exact(&k, &k.b, length, &type), -EBADMSG);
	assert_int_equal(channel_statistics(&k.b).duplicates, 1);
}

/* Authentic, but not as channel_seal makes them: somebody has the key, or has an error. */
static void test_malformed(void **state)
{
	static const struct {
		const char *header;
		size_t payload;
		int result;
	} rows[] = {
		{"80 000000 0000000000000001", 0, 0},
		{"84 000000 0000000000000002", 0, 0},
		{"85 000000 0000000000000003", 0, -EBADMSG},
		{"00 000000 0000000000000003", 0, -EBADMSG},
		{"7f 000000 0000000000000003", 0, -EBADMSG},
		{"c0 000000 0000000000000003", 0, -EBADMSG},
		{"80 010000 0000000000000003", 0, -EBADMSG},
		{"80 000100 0000000000000003", 0, -EBADMSG},
		{"80 000001 0000000000000003", 0, -EBADMSG},
		{"80 000000 0000000000000000", 0, -EBADMSG},
		{"80 000000 0000000000000003", CHANNEL_PAYLOAD_MAX + 1, -EBADMSG},
		{"80 000000 0000000000000003", CHANNEL_PAYLOAD_MAX, CHANNEL_PAYLOAD_MAX},
		{"80 000000 ffffffffffffffff", 0, 0},
	};
	static const uint8_t payload[CHANNEL_PAYLOAD_MAX + 1];
	struct kit k;

	(void)state;
	kit(&k);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t nonce[12] = {0};
		enum channel_type type;

		assert_int_equal(from_hex(rows[i].header, k.packet), 12);
		memcpy(nonce + 4, k.packet + 4, 8);
		crypto_aead_chacha20poly1305_ietf_encrypt(k.packet + 12, NULL, payload,
			rows[i].payload, k.packet, 12, NULL, nonce, k.keys[0].send.channel);
		assert_int_equal(open_exact(&k, &k.b, rows[i].payload + CHANNEL_OVERHEAD, &type),
			rows[i].result);
	}
}

/* Counters one after the other, and what becomes of each. */
static void test_window(void **state)
{
	static const struct {
		uint64_t counter;
		int result; /* 1: opened */
	} rows[] = {
		{1, 1},
		{1, -EALREADY},
		{3, 1},
		{2, 1},
		{2, -EALREADY},
		{3, -EALREADY},
		{64, 1},
		{63, 1},
		{65, 1},
		{64, -EALREADY},
		{1027, 1},
		{3, -EALREADY},
		{4, 1},
		{4, -EALREADY},
		{62, 1},
		{1028, 1},
		{5, 1},
		{4, -EALREADY},
		{1029, 1},
		{5, -EALREADY},
		{6, 1},
		{7, 1},
		/* exactly a window further, and back to its end */
		{2053, 1},
		{1029, -EALREADY},
		{1030, 1},
		{1028, -EALREADY},
		{2052, 1},
		/* a whole ring further, and more: nothing of the old words is left */
		{2053 + 1088, 1},
		{2053 + 64, -EALREADY},
		{2053 + 65, 1},
		{2054 + 1087, -EALREADY},
		{2052 + 1088, 1},
		{2052 + 1088, -EALREADY},
		{1000000, 1},
		{999999, 1},
		{1000000 - 1023, 1},
		{1000000 - 1024, -EALREADY},
		{1000000 - 1023, -EALREADY},
		{3141, -EALREADY},
		{UINT64_C(1) << 40, 1},
		{(UINT64_C(1) << 40) - 1088, -EALREADY},
		{(UINT64_C(1) << 40) - 1023, 1},
		{(UINT64_C(1) << 40) - 1, 1},
		{UINT64_MAX - 1, 1},
		{UINT64_MAX, 1},
		{UINT64_MAX, -EALREADY},
		{UINT64_MAX - 1023, 1},
		{UINT64_MAX - 1024, -EALREADY},
		{1, -EALREADY},
	};
	struct kit k;

	(void)state;
	kit(&k);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (deliver(&k, rows[i].counter) != rows[i].result)
			fail_msg("row %zu: not %d", i, rows[i].result);
}

/* Thousands of packets in disorder against a plain list of what came. */
static void test_window_random(void **state)
{
	enum { PACKETS = 20000, SPREAD = 1500 };
	static bool seen[PACKETS + 2 * SPREAD];
	uint64_t newest = 0, opened = 0, duplicates = 0, old = 0;
	struct channel_statistics s;
	struct random random;
	struct kit k;

	(void)state;
	kit(&k);
	random_init_number(&random, 6);
	for (uint64_t i = 0; i < PACKETS; i++) {
		uint64_t counter = 1 + i + random_below(&random, SPREAD);
		bool is_old = newest >= 1024 && counter <= newest - 1024;
		int expected = is_old || seen[counter] ? -EALREADY : 1;

		assert_int_equal(deliver(&k, counter), expected);
		old += is_old;
		duplicates += !is_old && seen[counter];
		opened += expected == 1;
		if (expected == 1)
			seen[counter] = true;
		newest = counter > newest ? counter : newest;
	}
	assert_true(old > 100 && duplicates > 100);
	s = channel_statistics(&k.b);
	assert_int_equal(s.received, opened);
	assert_int_equal(s.duplicates, duplicates);
	assert_int_equal(s.old, old);
	assert_int_equal(s.lost, newest - opened);
	assert_int_equal(s.forged, 0);
}

/* The last counter is used once; it does not begin anew, which would use a nonce twice. */
static void test_wrap(void **state)
{
	struct kit k;

	(void)state;
	kit(&k);
	k.a.sent = UINT64_MAX - 2;
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			channel_seal(&k.a, CHANNEL_DATA, "x", 1, k.packet, sizeof(k.packet)), 29);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			channel_seal(&k.a, CHANNEL_DATA, "x", 1, k.packet, sizeof(k.packet)),
			-EOVERFLOW);
	assert_int_equal(channel_statistics(&k.a).sent, UINT64_MAX);
}

/* What was lost comes late, and is lost no longer. */
static void test_statistics(void **state)
{
	static const struct {
		uint64_t counter, received, lost, duplicates, old;
	} rows[] = {{1, 1, 0, 0, 0}, {4, 2, 2, 0, 0}, {3, 3, 1, 0, 0}, {3, 3, 1, 1, 0},
		{2, 4, 0, 1, 0}, {2000, 5, 1995, 1, 0}, {900, 5, 1995, 1, 1},
		{1999, 6, 1994, 1, 1}};
	struct kit k;

	(void)state;
	kit(&k);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct channel_statistics s;

		deliver(&k, rows[i].counter);
		s = channel_statistics(&k.b);
		assert_int_equal(s.received, rows[i].received);
		assert_int_equal(s.lost, rows[i].lost);
		assert_int_equal(s.duplicates, rows[i].duplicates);
		assert_int_equal(s.old, rows[i].old);
	}
}

/* Both directions at the same time, and a channel of other keys. */
static void test_directions(void **state)
{
	uint8_t isk[CPACE_ISK_BYTES] = {1}, shares[2][32] = {{1}, {2}};
	struct channel other;
	struct keys keys;
	struct kit k;

	(void)state;
	kit(&k);
	keys_derive(isk, shares[0], shares[1], &keys);
	channel_init(&other, &keys);
	for (int i = 0; i < 100; i++) {
		struct channel *from = i % 2 ? &k.a : &k.b, *to = i % 2 ? &k.b : &k.a;
		enum channel_type type;
		int n = channel_seal(from, CHANNEL_DATA, &i, sizeof(i), k.packet, sizeof(k.packet));

		assert_int_equal(n, 32);
		assert_int_equal(open_exact(&k, from, 32, &type), -EBADMSG);
		assert_int_equal(open_exact(&k, &other, 32, &type), -EBADMSG);
		assert_int_equal(open_exact(&k, to, 32, &type), sizeof(i));
		assert_memory_equal(k.out, &i, sizeof(i));
	}
	channel_wipe(&k.a);
	assert_true(sodium_is_zero((const uint8_t *)&k.a, sizeof(k.a)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_window_random),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_statistics),
		cmocka_unit_test(test_directions),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
