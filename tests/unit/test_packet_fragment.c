// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Fragments of IPv4 packets, as RFC 791 3.2 has routers make them. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/checksum.h"
#include "wire/packet.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define MF	 0x2000u
#define DF	 0x4000u
#define PARTS	 2000

/* --- packets --- */

static void put_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned u16_at(const uint8_t *at)
{
	return (unsigned)(at[0] << 8 | at[1]);
}

static void complete_header(uint8_t *bytes)
{
	size_t header = (bytes[0] & 15u) * 4u;

	put_u16(bytes + 10, 0);
	put_u16(bytes + 10, (uint16_t)~checksum_sum(bytes, header));
}

/* An IPv4 packet of a protocol that nobody knows, whose data are all different. */
static size_t make_packet(
	uint8_t *bytes, const uint8_t *options, size_t option_bytes, unsigned fragment, size_t data)
{
	size_t header = 20 + option_bytes;

	memset(bytes, 0, header);
	bytes[0] = (uint8_t)(0x40 | header / 4);
	bytes[1] = 0xb8;
	put_u16(bytes + 2, (unsigned)(header + data));
	put_u16(bytes + 4, 0xabcd);
	put_u16(bytes + 6, fragment);
	bytes[8] = 17;
	bytes[9] = 253;
	memcpy(bytes + 12, "\xc0\x00\x02\x01\xc6\x33\x64\x07", 8);
	if (option_bytes)
		memcpy(bytes + 20, options, option_bytes);
	for (size_t i = 0; i < data; i++)
		bytes[header + i] = (uint8_t)(i * 7 + (i >> 8) * 31);
	complete_header(bytes);
	return header + data;
}

static struct packet decoded(uint8_t *bytes, size_t length)
{
	struct packet p;

	assert_int_equal(packet_decode(bytes, length, &p), 0);
	assert_true(packet_checksums_right(&p));
	return p;
}

/* --- what comes out --- */

struct parts {
	size_t count;
	uint8_t *bytes[PARTS];
	size_t length[PARTS];
};

static void forget(struct parts *all)
{
	for (size_t i = 0; i < all->count; i++)
		free(all->bytes[i]);
	all->count = 0;
}

/* All of them, each in a copy of the exact size. */
static void cut(struct parts *all, const struct packet *p, unsigned mtu)
{
	static uint8_t buffer[PACKET_BYTES_MAX];
	size_t cursor = 0;
	int n;

	all->count = 0;
	while ((n = packet_fragment(p, mtu, &cursor, buffer, sizeof(buffer))) > 0) {
		assert_true(all->count < PARTS && (unsigned)n <= mtu);
		all->bytes[all->count] = malloc((size_t)n);
		assert_non_null(all->bytes[all->count]);
		memcpy(all->bytes[all->count], buffer, (size_t)n);
		all->length[all->count++] = (size_t)n;
	}
	assert_int_equal(n, 0);
}

/* Each part's header says what it is; the data are all there, once, in order. */
static void check_parts(const struct parts *all, const struct packet *whole)
{
	size_t header = (whole->bytes[0] & 15u) * 4u, at = 0;

	for (size_t i = 0; i < all->count; i++) {
		const uint8_t *b = all->bytes[i];
		unsigned field = u16_at(b + 6);
		bool last = i + 1 == all->count;
		size_t data = all->length[i] - header;

		assert_int_equal(u16_at(b + 2), all->length[i]);
		assert_int_equal(checksum_sum(b, header), 0xffff);
		assert_int_equal((field & 0x1fff) * 8, whole->fragment_offset + at);
		assert_int_equal(!!(field & MF), !last || whole->more_fragments);
		assert_false(field & DF);
		assert_true(last || data % 8 == 0);
		/* the rest of the header is that of the whole (options have a test of their own) */
		assert_memory_equal(b, whole->bytes, 2);
		assert_memory_equal(b + 4, whole->bytes + 4, 2);
		assert_memory_equal(b + 8, whole->bytes + 8, 2);
		assert_memory_equal(b + 12, whole->bytes + 12, 8);
		assert_memory_equal(b + header, whole->bytes + header + at, data);
		at += data;
	}
	assert_int_equal(at, whole->length - header);
}

/* --- offsets and sizes --- */

static void test_sizes(void **state)
{
	static const struct {
		size_t data;
		unsigned mtu;
		size_t parts, first;
	} rows[] = {
		{1480, 1500, 1, 1480},
		{1481, 1500, 2, 1480},
		{1480, 1499, 2, 1472}, /* 1479 are there, and 8 divides 1472 */
		{1480, 1496, 2, 1472},
		{65515, 1500, 45, 1480},
		{65515, 68, 1365, 48},
		{8, 28, 1, 8},
		{9, 28, 2, 8},
		{16, 35, 2, 8}, /* 15 bytes of room are one unit of 8 … */
		{15, 35, 1, 15}, /* … but for the last */
		{17, 36, 2, 16},
		{1, 28, 1, 1},
	};
	static uint8_t bytes[PACKET_BYTES_MAX];

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		struct parts all;
		size_t length = make_packet(bytes, NULL, 0, 0, rows[r].data);
		struct packet p = decoded(bytes, length);

		cut(&all, &p, rows[r].mtu);
		assert_int_equal(all.count, rows[r].parts);
		assert_int_equal(all.length[0] - 20, rows[r].first);
		check_parts(&all, &p);
		forget(&all);
	}
}

/* Any size over any MTU, odd ones too. */
static void test_grid(void **state)
{
	static const size_t data[] = {1, 7, 8, 9, 100, 553, 1400, 4001};
	static uint8_t bytes[PACKET_BYTES_MAX];

	(void)state;
	for (size_t d = 0; d < COUNT(data); d++) {
		size_t length = make_packet(bytes, NULL, 0, 0, data[d]);
		struct packet p = decoded(bytes, length);

		for (unsigned mtu = 68; mtu < 1600; mtu += 13) {
			struct parts all;

			cut(&all, &p, mtu);
			check_parts(&all, &p);
			forget(&all);
		}
	}
}

/* A fragment again: offsets go on from its own, and only the last one of the last has no more behind it. */
static void test_fragment_of_a_fragment(void **state)
{
	static const struct {
		unsigned field;
		size_t data;
	} rows[] = {{MF, 1480}, {MF | 185, 1480}, {370, 1001}, {MF | 8000, 800}, {8000, 13}};
	static uint8_t bytes[PACKET_BYTES_MAX];

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++)
		for (unsigned mtu = 68; mtu < 1500; mtu += 17) {
			struct parts all;
			struct packet p = decoded(
				bytes, make_packet(bytes, NULL, 0, rows[r].field, rows[r].data));

			cut(&all, &p, mtu);
			check_parts(&all, &p);
			forget(&all);
		}
}

/* Put together again, parts of parts are the whole. */
static void test_parts_of_parts(void **state)
{
	static uint8_t bytes[PACKET_BYTES_MAX], again[PACKET_BYTES_MAX];
	size_t length = make_packet(bytes, NULL, 0, 0, 9001), end = 0;
	struct packet p = decoded(bytes, length);
	struct parts all, inner;
	bool ended = false;

	(void)state;
	cut(&all, &p, 1500);
	for (size_t i = all.count; i-- > 0;) { /* in another order */
		struct packet part = decoded(all.bytes[i], all.length[i]);

		cut(&inner, &part, 577);
		for (size_t k = 0; k < inner.count; k++) {
			unsigned field = u16_at(inner.bytes[k] + 6);
			size_t at = (field & 0x1fff) * 8, data = inner.length[k] - 20;

			memcpy(again + at, inner.bytes[k] + 20, data);
			end += data;
			if (!(field & MF)) {
				assert_false(ended);
				ended = true;
				assert_int_equal(at + data, 9001);
			}
		}
		forget(&inner);
	}
	forget(&all);
	assert_true(ended);
	assert_int_equal(end, 9001);
	assert_memory_equal(again, bytes + 20, 9001);
}

/* --- options --- */

/* Those that are not to be copied are in the first fragment alone; what has no length that can be is one to the end. */
static void test_options(void **state)
{
	static const struct {
		const char *options, *others;
		size_t length;
	} rows[] = {
		/* record route; loose source route; router alert; timestamp */
		{"\x07\x07\x04\x0a\x00\x00\x01\x00", "\1\1\1\1\1\1\1\x00", 8},
		{"\x83\x07\x08\x0a\x00\x00\x01\x00", "\x83\x07\x08\x0a\x00\x00\x01\x00", 8},
		{"\x94\x04\x00\x00", "\x94\x04\x00\x00", 4},
		{"\x44\x04\x05\x00\x94\x04\x00\x00", "\1\1\1\1\x94\x04\x00\x00", 8},
		{"\x01\x01\x94\x04\x00\x00\x07\x02", "\x01\x01\x94\x04\x00\x00\1\1", 8},
		/* nothing counts behind the end */
		{"\x00\x07\x07\x07", "\x00\x07\x07\x07", 4},
		/* lengths of 0, of 1, beyond the end, and none */
		{"\x07\x00\x94\x04", "\1\1\1\1", 4},
		{"\x94\x01\x07\x07", "\x94\x01\x07\x07", 4},
		{"\x07\x09\x94\x04", "\1\1\1\1", 4},
		{"\x94\x09\x07\x04", "\x94\x09\x07\x04", 4},
		{"\x01\x01\x01\x07", "\1\1\1\1", 4},
	};
	static uint8_t bytes[PACKET_BYTES_MAX];

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		struct parts all;
		struct packet p = decoded(bytes,
			make_packet(
				bytes, (const uint8_t *)rows[r].options, rows[r].length, 0, 100));

		cut(&all, &p, 68);
		assert_true(all.count > 2);
		check_parts(&all, &p);
		for (size_t i = 0; i < all.count; i++)
			assert_memory_equal(all.bytes[i] + 20, i ? rows[r].others : rows[r].options,
				rows[r].length);
		forget(&all);
	}
}

/* As many as fit, with 8 bytes of data in each part. */
static void test_most_options(void **state)
{
	static uint8_t bytes[PACKET_BYTES_MAX], options[40];
	struct parts all;
	struct packet p;

	(void)state;
	memset(options, 1, sizeof(options));
	p = decoded(bytes, make_packet(bytes, options, sizeof(options), 0, 100));
	cut(&all, &p, 68);
	assert_int_equal(all.count, 13);
	check_parts(&all, &p);
	forget(&all);
}

/* --- what is refused --- */

static void test_refused(void **state)
{
	uint8_t bytes[2048], small[1499], six[64];
	struct endpoint e = {.family = FAMILY_IPV6, .port = 9, .address = {0x20, 1, 0xd, 0xb8}};
	struct packet p = decoded(bytes, make_packet(bytes, NULL, 0, 0, 1500));
	size_t cursor = 0;

	(void)state;
	/* 8 bytes have to fit, both in the packet and in the buffer */
	assert_int_equal(packet_fragment(&p, 27, &cursor, bytes, sizeof(bytes)), -EMSGSIZE);
	assert_int_equal(packet_fragment(&p, 0, &cursor, bytes, sizeof(bytes)), -EMSGSIZE);
	assert_int_equal(packet_fragment(&p, 1500, &cursor, small, sizeof(small)), -EMSGSIZE);
	assert_int_equal(cursor, 0);
	p = decoded(bytes, make_packet(bytes, NULL, 0, DF, 1500));
	assert_int_equal(packet_fragment(&p, 1400, &cursor, small, sizeof(small)), -EINVAL);
	assert_true(packet_build_udp(six, sizeof(six), &e, &e, 9, "hi", 2) > 0);
	p = decoded(six, 50);
	assert_int_equal(packet_fragment(&p, 48, &cursor, small, sizeof(small)), -EINVAL);
}

/* As everywhere (wire/packet.h): what came with a wrong checksum does not become right by being cut. */
static void test_wrong_checksum(void **state)
{
	static uint8_t bytes[2048], buffer[2048];
	struct packet p, part;
	size_t cursor, length = make_packet(bytes, NULL, 0, 0, 1500);
	unsigned right = u16_at(bytes + 10);

	(void)state;
	for (unsigned flip = 0; flip < 0x10000; flip += 257) {
		size_t count = 0;
		int n;

		put_u16(bytes + 10, right ^ flip);
		assert_int_equal(packet_decode(bytes, length, &p), 0);
		for (cursor = 0;
			(n = packet_fragment(&p, 700, &cursor, buffer, sizeof(buffer))) > 0;
			count++) {
			assert_int_equal(packet_decode(buffer, (size_t)n, &part), 0);
			assert_int_equal(packet_checksums_right(&part), packet_checksums_right(&p));
		}
		assert_int_equal(count, 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_fragment_of_a_fragment),
		cmocka_unit_test(test_parts_of_parts),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_most_options),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_wrong_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
