// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "wire/checksum.h"
#include "wire/packet.h"

#define BYTES_MAX 2048
#define SEED	  0x7061636b6574 /* of all random tests: the same packets every time */

#define COUNT(a)  (sizeof(a) / sizeof(*(a)))

/*
 * The packets are written by hand from the RFCs; tcpdump -vv finds the checksums of all of them
 * right. Their bytes come in groups: IP header, addresses, transport header, payload.
 */
#define IPV4_TO	   "c0000201 c6336407 " /* 192.0.2.1 to 198.51.100.7 */
#define IPV4_BACK  "c6336407 c0000201 "
#define IPV4_ERROR "cb0071fe c0000201 " /* from a router, 203.0.113.254 */
#define IPV6_TO	   "20010db8000000000000000000000001 20010db8000100000000000000000007 "
#define IPV6_BACK  "20010db8000100000000000000000007 20010db8000000000000000000000001 "
#define IPV6_ERROR "20010db8ffff000000000000000000fe 20010db8000000000000000000000001 "
#define PORTS	   "9c400d96 " /* 40000 to 3478 */
#define HELLO	   "68656c6c6f "
#define X16	   "78787878787878787878787878787878 "

#define TEXT_BYTES 400

/* --- helpers --- */

/* Bytes as hexadecimal digits with blanks between; how many there were. */
static size_t from_hex(const char *text, uint8_t *out)
{
	size_t digits = 0;

	for (; *text; text++) {
		static const char all[] = "0123456789abcdef";
		const char *digit = strchr(all, *text);

		if (!digit)
			continue;
		if (digits % 2)
			out[digits / 2] = (uint8_t)(out[digits / 2] | (digit - all));
		else
			out[digits / 2] = (uint8_t)((digit - all) << 4);
		digits++;
	}
	return digits / 2;
}

/* A copy of the exact size, so that a sanitizer sees the first byte that is touched beyond it. */
static uint8_t *exact_copy(const void *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	return copy;
}

static struct endpoint endpoint(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 1, &e), 0);
	return e;
}

static struct packet decoded(void *bytes, size_t length)
{
	struct packet p;

	assert_int_equal(packet_decode(bytes, length, &p), 0);
	return p;
}

/* All that was understood, in one line; what is zero is left out. */
static const char *describe(const struct packet *p, char *out)
{
	static const char *const names[] = {"other", "udp", "tcp", "echo", "error", "fragment"};
	char from[ENDPOINT_TEXT], to[ENDPOINT_TEXT];
	int n = snprintf(out, TEXT_BYTES, "%s(%u) %s > %s ttl %u at %zu+%zu+%zu%s%s",
		names[p->protocol], p->ip_protocol, endpoint_format(&p->source, from),
		endpoint_format(&p->destination, to), p->ttl, p->transport,
		p->payload - p->transport, p->payload_length, p->dont_fragment ? " df" : "",
		p->more_fragments ? " mf" : "");

#define ADD(value, ...) (n += (value) ? snprintf(out + n, TEXT_BYTES - (size_t)n, __VA_ARGS__) : 0)
	ADD(p->fragment_id, " id %x", p->fragment_id);
	ADD(p->fragment_offset, " offset %zu", p->fragment_offset);
	ADD(p->type || p->code, " type %u/%u", p->type, p->code);
	ADD(p->echo_reply, " reply");
	ADD(p->sequence, " seq %x", p->sequence);
	ADD(p->acknowledgment, " ack %x", p->acknowledgment);
	ADD(p->flags, " flags %x", p->flags);
	ADD(p->window, " window %u", p->window);
	ADD(p->quoted, " quoted %zu", p->quoted);
	ADD(p->cut_off, " cut");
#undef ADD
	return out;
}

/* The same sum as checksum_sum, as slowly as RFC 1071 describes it. */
static uint16_t reference_sum(uint32_t sum, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		sum += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return (uint16_t)sum;
}

static uint16_t reference_transport(const struct packet *p)
{
	bool v4 = p->family == FAMILY_IPV4;
	size_t length = p->length - p->transport;
	uint16_t sum = 0;

	if (p->ip_protocol == 17)
		length = (size_t)p->bytes[p->transport + 4] << 8 | p->bytes[p->transport + 5];
	if (p->ip_protocol != 1) {
		uint8_t numbers[4] = {(uint8_t)(length >> 8), (uint8_t)length, 0, p->ip_protocol};

		sum = reference_sum(sum, p->bytes + (v4 ? 12 : 8), v4 ? 8 : 32);
		sum = reference_sum(sum, numbers, sizeof(numbers));
	}
	return reference_sum(sum, p->bytes + p->transport, length);
}

/* Whether a receiver would take the packet: the sums have to be all ones. */
static bool reference_right(const struct packet *p)
{
	const uint8_t *udp = p->bytes + p->transport + 6;

	if (p->family == FAMILY_IPV4 &&
		reference_sum(0, p->bytes, (p->bytes[0] & 15) * 4u) != 0xffff)
		return false;
	if (p->payload == p->transport || p->more_fragments)
		return true;
	if (p->protocol == PACKET_UDP && !udp[0] && !udp[1])
		return p->family == FAMILY_IPV4;
	return reference_transport(p) == 0xffff;
}

static void assert_right(const struct packet *p)
{
	assert_true(reference_right(p));
	assert_true(packet_checksums_right(p));
}

static void assert_wrong(const struct packet *p)
{
	assert_false(reference_right(p));
	assert_false(packet_checksums_right(p));
}

/* What the struct says after changes is what the bytes say. */
static void assert_same_decoded(const struct packet *p)
{
	char ours[TEXT_BYTES], again[TEXT_BYTES];
	struct packet q = decoded(p->bytes, p->length);

	assert_string_equal(describe(p, ours), describe(&q, again));
}

/* --- checksums alone --- */

static void test_checksum(void **state)
{
	static const struct {
		const char *bytes;
		uint16_t sum;
	} rows[] = {
		{"", 0},
		{"00", 0},
		{"0000 0000 0000", 0},
		{"0001 f203 f4f5 f6f7", 0xddf2}, /* RFC 1071 3 */
		{"01", 0x0100}, /* an odd end is filled with zeros */
		{"0001 f203 f4f5 f6f7 01", 0xdef2},
		{"ffff", 0xffff},
		{"ffff ffff ffff ffff", 0xffff},
		{"ffff 0001", 0x0001},
		{"ffffffff ffffffff 01000000", 0x0100}, /* a carry out of the carries */
		{"ffffffff ffffffff 00000001", 0x0001},
		{"8000 8000", 0x0001},
		{"4500 0021 0000 4000 4011 4e90 c000 0201 c633 6407", 0xffff},
	};
	uint8_t bytes[BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t length = from_hex(rows[i].bytes, bytes);

		assert_int_equal(checksum_sum(bytes, length), rows[i].sum);
		assert_int_equal(reference_sum(0, bytes, length), rows[i].sum);
	}
	assert_int_equal(checksum_sum(NULL, 0), 0);
	assert_int_equal(checksum_fold(0xffffffff), 0xffff);
	assert_int_equal(checksum_fold(0x1fffe), 0xffff);
}

static void test_checksum_adjust(void **state)
{
	static const struct {
		uint16_t field, from, to, expected;
	} rows[] = {
		{0xdd2f, 0x5555, 0x3285, 0x0000}, /* RFC 1624 4: RFC 1141 gave ffff here */
		{0x1234, 0x0000, 0x0000, 0x1234}, {0x1234, 0x5678, 0x5678, 0x1234},
		{0x0000, 0x0000, 0x0001, 0xfffe}, {0xfffe, 0x0001, 0x0000, 0x0000},
		{0x4e90, 0x4011, 0x3f11, 0x4f90}, /* the TTL of an IPv4 header */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
			checksum_adjust(rows[i].field, checksum_change(rows[i].from, rows[i].to)),
			rows[i].expected);
}

static void test_checksum_random(void **state)
{
	struct random r;

	(void)state;
	random_init_number(&r, SEED);
	for (int i = 0; i < 20000; i++) {
		uint8_t bytes[96];
		size_t length = random_below(&r, sizeof(bytes) - 3), at = random_below(&r, 4);

		random_bytes(&r, bytes, sizeof(bytes));
		assert_int_equal(
			checksum_sum(bytes + at, length), reference_sum(0, bytes + at, length));
	}
}

/* --- decoding --- */

struct known {
	const char *bytes, *expected;
};

static const struct known whole[] = {
	{"45000021 00004000 40114e90 " IPV4_TO PORTS "000d25ef " HELLO,
		"udp(17) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 64 at 20+8+5 df"},
	/* no checksum */
	{"45000021 00004000 40114e90 " IPV4_TO PORTS "000d0000 " HELLO,
		"udp(17) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 64 at 20+8+5 df"},
	/* IP holds more than UDP says */
	{"45000024 00004000 40114e8d " IPV4_TO PORTS "000d25ef " HELLO "deadbe",
		"udp(17) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 64 at 20+8+5 df"},
	/* a SYN with options */
	{"4500003c 00004000 40064e80 " IPV4_TO PORTS "01020304 00000000 a002faf0 b2f50000 "
	 "020405b4 0402080a 00000001 00000000 01030307",
		"tcp(6) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 64 at 20+40+0 df seq 1020304 "
		"flags 2 window 64240"},
	/* options of IP: router alert */
	{"46000031 00004000 4006b986 " IPV4_TO "94040000 " PORTS
	 "01020304 a1b2c3d4 50180200 e3c10000 474554202f",
		"tcp(6) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 64 at 24+20+5 df seq 1020304 "
		"ack a1b2c3d4 flags 18 window 512"},
	{"45000020 00004000 40014ea1 " IPV4_TO "08007ce7 9c400007 70696e67",
		"echo(1) 192.0.2.1:40000 > 198.51.100.7:40000 ttl 64 at 20+8+4 df type 8/0"},
	{"45000020 00004000 40014ea1 " IPV4_BACK "000084e7 9c400007 70696e67",
		"echo(1) 198.51.100.7:40000 > 192.0.2.1:40000 ttl 64 at 20+8+4 df reply"},
	/* fragments of one datagram */
	{"4500002c 12342000 40115c51 " IPV4_TO PORTS "0028788a 0001020304050607 08090a0b0c0d0e0f",
		"udp(17) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 64 at 20+8+16 mf id 1234"},
	{"45000024 12340003 40117c56 " IPV4_TO "1011121314151617 18191a1b1c1d1e1f",
		"fragment(17) 192.0.2.1:0 > 198.51.100.7:0 ttl 64 at 20+0+16 id 1234 offset 24"},
	/* a loose source route, with a hop to go and at its end */
	{"47000029 00004000 4011c643 " IPV4_TO "830704cb 0071fe00 " PORTS "000d132b " HELLO,
		"other(17) 192.0.2.1:0 > 198.51.100.7:0 ttl 64 at 28+0+13 df"},
	{"47000029 00004000 40118656 " IPV4_TO "830708c6 33640700 " PORTS "000d25ef " HELLO,
		"udp(17) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 64 at 28+8+5 df"},
	/* IGMP; an ICMP timestamp */
	{"4500001c 00004000 0102d6dc c0000201 e0000102 160008fd e0000102",
		"other(2) 192.0.2.1:0 > 224.0.1.2:0 ttl 1 at 20+0+8 df"},
	{"45000028 00004000 40014e99 " IPV4_TO "0d0056be 9c400001 00000000 00000000 00000000",
		"other(1) 192.0.2.1:0 > 198.51.100.7:0 ttl 64 at 20+8+12 df type 13/0"},

	{"60000000 000d1140 " IPV6_TO PORTS "000db6b0 " HELLO,
		"udp(17) [2001:db8::1]:40000 > [2001:db8:1::7]:3478 ttl 64 at 40+8+5 df"},
	{"60000000 00140640 " IPV6_TO PORTS "01020304 00000000 5002faf0 ab9a0000",
		"tcp(6) [2001:db8::1]:40000 > [2001:db8:1::7]:3478 ttl 64 at 40+20+0 df "
		"seq 1020304 flags 2 window 64240"},
	{"60000000 000c3a40 " IPV6_TO "8000a925 9c400007 70696e67",
		"echo(58) [2001:db8::1]:40000 > [2001:db8:1::7]:40000 ttl 64 at 40+8+4 df "
		"type 128/0"},
	{"60000000 000c3a40 " IPV6_BACK "8100a825 9c400007 70696e67",
		"echo(58) [2001:db8:1::7]:40000 > [2001:db8::1]:40000 ttl 64 at 40+8+4 df "
		"type 129/0 reply"},
	/* hop-by-hop, routing with nothing left, destination options */
	{"60000000 00350040 " IPV6_TO "2b00050200000100 3c020400000000002001 "
	 "0db8000100000000000000000007 1100010400000000 " PORTS "000db6b0 " HELLO,
		"udp(17) [2001:db8::1]:40000 > [2001:db8:1::7]:3478 ttl 64 at 80+8+5 df"},
	/* routing with a segment left: the checksum is over another destination */
	{"60000000 00252b40 " IPV6_TO "1102040100000000 20010db8ffff000000000000000000fe " PORTS
	 "000db5ba " HELLO,
		"other(43) [2001:db8::1]:0 > [2001:db8:1::7]:0 ttl 64 at 40+0+37 df"},
	{"60000000 00202c40 " IPV6_TO "1100000112345678 " PORTS
	 "0028094c 0001020304050607 08090a0b0c0d0e0f",
		"udp(17) [2001:db8::1]:40000 > [2001:db8:1::7]:3478 ttl 64 at 48+8+16 df mf "
		"id 12345678"},
	{"60000000 00182c40 " IPV6_TO "1100001812345678 1011121314151617 18191a1b1c1d1e1f",
		"fragment(17) [2001:db8::1]:0 > [2001:db8:1::7]:0 ttl 64 at 48+0+16 df "
		"id 12345678 offset 24"},
	/* an atomic fragment (RFC 6946) is whole */
	{"60000000 00152c40 " IPV6_TO "1100000012345678 " PORTS "000db6b0 " HELLO,
		"udp(17) [2001:db8::1]:40000 > [2001:db8:1::7]:3478 ttl 64 at 48+8+5 df "
		"id 12345678"},
	/* no next header; ESP; a neighbour solicitation */
	{"60000000 00003b40 " IPV6_TO,
		"other(59) [2001:db8::1]:0 > [2001:db8:1::7]:0 ttl 64 at 40+0+0 df"},
	{"60000000 00103240 " IPV6_TO "00000000000000000000000000000000",
		"other(50) [2001:db8::1]:0 > [2001:db8:1::7]:0 ttl 64 at 40+0+16 df"},
	{"60000000 00183aff " IPV6_TO "8700ef70 00000000 20010db8000100000000000000000007",
		"other(58) [2001:db8::1]:0 > [2001:db8:1::7]:0 ttl 255 at 40+8+16 df type 135/0"},
};

static void test_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(whole); i++) {
		uint8_t bytes[BYTES_MAX];
		char text[TEXT_BYTES];
		size_t length = from_hex(whole[i].bytes, bytes);
		struct packet p = decoded(bytes, length);

		assert_string_equal(describe(&p, text), whole[i].expected);
		assert_int_equal(p.length, length);
		assert_right(&p);
		/* what stands behind it is not the packet's */
		p = decoded(bytes, length + 7);
		assert_int_equal(p.length, length);
	}
}

static void test_every_truncation(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(whole); i++) {
		uint8_t bytes[BYTES_MAX];
		size_t length = from_hex(whole[i].bytes, bytes);

		for (size_t n = 0; n < length; n++) {
			uint8_t *cut = exact_copy(bytes, n);
			struct packet p;

			assert_int_equal(packet_decode(cut, n, &p), -EBADMSG);
			free(cut);
		}
	}
}

static void test_malformed(void **state)
{
	static const char *const rows[] = {
		"",
		"00",
		"45",
		"55000014 00004000 403b0000 " IPV4_TO, /* version 5 */
		"44000014 00004000 403b0000 " IPV4_TO, /* a header of 16 bytes */
		"46000014 00004000 403b0000 " IPV4_TO, /* of 24, where there are 20 */
		"45000013 00004000 403b0000 " IPV4_TO, /* less than its header in total */
		"45000015 00004000 403b0000 " IPV4_TO, /* more than there is */
		"4500001b 00004000 40110000 " IPV4_TO PORTS "000800", /* UDP of 7 bytes */
		"4500001c 00004000 40110000 " IPV4_TO PORTS "00070000", /* UDP that says 7 */
		"4500001c 00004000 40110000 " IPV4_TO PORTS "00090000", /* UDP that says 9 */
		"4500001c 00002000 40110000 " IPV4_TO PORTS "00070000", /* a first fragment */
		"45000027 00004000 40060000 " IPV4_TO PORTS
		"00000000 00000000 50020000 000000", /* TCP of 19 bytes */
		"45000028 00004000 40060000 " IPV4_TO PORTS
		"00000000 00000000 40020000 00000000", /* of which the header has 16 */
		"45000028 00004000 40060000 " IPV4_TO PORTS
		"00000000 00000000 60020000 00000000", /* or 24 */
		"45000018 00002000 40060000 " IPV4_TO PORTS, /* a tiny fragment (RFC 1858) */
		"4500001b 00004000 40010000 " IPV4_TO "08000000 000000", /* ICMP of 7 bytes */
		"4500001c 00001fff 40110000 " IPV4_TO "00000000 00000000", /* beyond 65535 */
		"60000000 00083b40 " IPV6_TO "00000000", /* more than there is */
		"60000000 00000040 " IPV6_TO, /* a hop-by-hop header that is not there */
		"60000000 00080040 " IPV6_TO "3b010000 00000000", /* or half */
		"60000000 00042c40 " IPV6_TO "3b000000", /* a fragment header cut off */
		"60000000 00102c40 " IPV6_TO "1100fff8 00000000 00000000 00000000", /* too far */
		"60000000 00042b40 " IPV6_TO "3b000001", /* a routing header cut off */
		"60000000 00071140 " IPV6_TO PORTS "000800",
		"60000000 00043a40 " IPV6_TO "80000000",
		/* nine extension headers */
		"60000000 00483c40 " IPV6_TO "3c00010400000000 3c00010400000000 3c00010400000000 "
		"3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000 "
		"3c00010400000000 3b00010400000000",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[BYTES_MAX];
		size_t length = from_hex(rows[i], bytes);
		uint8_t *exact = exact_copy(bytes, length);
		struct packet p;

		if (packet_decode(exact, length, &p) != -EBADMSG)
			fail_msg("was taken: %s", rows[i]);
		free(exact);
	}
}

/* Strange, and no reason to refuse it. */
static void test_odd(void **state)
{
	static const struct known rows[] = {
		/* a second hop-by-hop header, and one that is not the first */
		{"60000000 00100040 " IPV6_TO "0000010400000000 3b00010400000000",
			"other(0) [2001:db8::1]:0 > [2001:db8:1::7]:0 ttl 64 at 48+0+8 df"},
		{"60000000 00103c40 " IPV6_TO "0000010400000000 3b00010400000000",
			"other(0) [2001:db8::1]:0 > [2001:db8:1::7]:0 ttl 64 at 48+0+8 df"},
		/* as many extension headers as are followed */
		{"60000000 00403c40 " IPV6_TO
		 "3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000 "
		 "3c00010400000000 3c00010400000000 3c00010400000000 3b00010400000000",
			"other(59) [2001:db8::1]:0 > [2001:db8:1::7]:0 ttl 64 at 104+0+0 df"},
		/* a fragment of a fragment */
		{"60000000 00102c40 " IPV6_TO "2c00000000000001 1100000000000002",
			"other(44) [2001:db8::1]:0 > [2001:db8:1::7]:0 ttl 64 at 48+0+8 df id 1"},
		/* the ICMP of the other family */
		{"4500001c 00004000 403a0000 " IPV4_TO "80000000 00000000",
			"other(58) 192.0.2.1:0 > 198.51.100.7:0 ttl 64 at 20+0+8 df"},
		{"60000000 00080140 " IPV6_TO "08000000 00000000",
			"other(1) [2001:db8::1]:0 > [2001:db8:1::7]:0 ttl 64 at 40+0+8 df"},
		/* options of IP: of no length, beyond their end, behind the end of options */
		{"46000018 00004000 403b0000 " IPV4_TO "83008307",
			"other(59) 192.0.2.1:0 > 198.51.100.7:0 ttl 64 at 24+0+0 df"},
		{"46000020 00004000 40110000 " IPV4_TO "440a0000 " PORTS "00080000",
			"udp(17) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 64 at 24+8+0 df"},
		{"47000024 00004000 40110000 " IPV4_TO "44018307 04000000 " PORTS "00080000",
			"udp(17) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 64 at 28+8+0 df"},
		{"47000024 00004000 40110000 " IPV4_TO "44028303 03000000 " PORTS "00080000",
			"other(17) 192.0.2.1:0 > 198.51.100.7:0 ttl 64 at 28+0+8 df"},
		{"47000024 00004000 40110000 " IPV4_TO "00830704 00000000 " PORTS "00080000",
			"udp(17) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 64 at 28+8+0 df"},
		{"47000024 00004000 40110000 " IPV4_TO "01890704 00000000 " PORTS "00080000",
			"other(17) 192.0.2.1:0 > 198.51.100.7:0 ttl 64 at 28+0+8 df"},
		/* an error that quotes nothing */
		{"4500001c 00004000 40010000 " IPV4_TO "03030000 00000000",
			"error(1) 192.0.2.1:0 > 198.51.100.7:0 ttl 64 at 20+8+0 df type 3/3"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[BYTES_MAX];
		char text[TEXT_BYTES];
		size_t length = from_hex(rows[i].bytes, bytes);
		struct packet p = decoded(bytes, length), q;

		assert_string_equal(describe(&p, text), rows[i].expected);
		assert_int_equal(packet_decode_quoted(&p, &q), -EBADMSG);
	}
}

/* --- what errors quote --- */

static const struct {
	const char *bytes, *error, *quoted;
} errors[] = {
	/* port unreachable, with 8 bytes of UDP and with all */
	{"45c00038 00004000 40013b05 " IPV4_ERROR "03032d2a 00000000 "
	 "45000021 00004000 01118d90 " IPV4_TO PORTS "000d25ef",
		"error(1) 203.0.113.254:0 > 192.0.2.1:0 ttl 64 at 20+8+28 df type 3/3 quoted 28",
		"udp(17) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 1 at 20+8+0 df cut"},
	{"45c0003d 00004000 40013b00 " IPV4_ERROR "0304e3de 00000578 "
	 "45000021 00004000 01118d90 " IPV4_TO PORTS "000d25ef " HELLO,
		"error(1) 203.0.113.254:0 > 192.0.2.1:0 ttl 64 at 20+8+33 df type 3/4 quoted 28",
		"udp(17) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 1 at 20+8+5 df"},
	{"45c00038 00004000 40013b05 " IPV4_ERROR "0b004723 00000000 "
	 "4500003c 00004000 01068d80 " IPV4_TO PORTS "01020304",
		"error(1) 203.0.113.254:0 > 192.0.2.1:0 ttl 64 at 20+8+28 df type 11/0 quoted 28",
		"tcp(6) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 1 at 20+8+0 df seq 1020304 cut"},
	{"45c00058 00004000 40013ae5 " IPV4_ERROR "0b00e16a 00000000 "
	 "4500003c 00004000 01068d80 " IPV4_TO PORTS "01020304 00000000 a002faf0 b2f50000 "
	 "020405b4 0402080a 00000001 00000000 01030307",
		"error(1) 203.0.113.254:0 > 192.0.2.1:0 ttl 64 at 20+8+60 df type 11/0 quoted 28",
		"tcp(6) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 1 at 20+40+0 df seq 1020304 "
		"flags 2 window 64240"},
	{"45c00038 00004000 40013b05 " IPV4_ERROR "0b00d3d0 00000000 "
	 "45000020 00004000 01018da1 " IPV4_TO "08007ce7 9c400007",
		"error(1) 203.0.113.254:0 > 192.0.2.1:0 ttl 64 at 20+8+28 df type 11/0 quoted 28",
		"echo(1) 192.0.2.1:40000 > 198.51.100.7:40000 ttl 1 at 20+8+0 df type 8/0 cut"},
	/* extensions of RFC 4884 (here of RFC 4950) behind 128 bytes of quote */
	{"45c000ac 00004000 40013a91 " IPV4_ERROR "0b004b2b 00200000 "
	 "450000a8 00004000 01118d09 " IPV4_TO PORTS "009477c2 " X16 X16 X16 X16 X16 X16
	 "78787878 2000dbed 000c0101 00010101 00020201",
		"error(1) 203.0.113.254:0 > 192.0.2.1:0 ttl 64 at 20+8+144 df type 11/0 quoted 28",
		"udp(17) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 1 at 20+8+100 df cut"},

	{"60000000 003d3a40 " IPV6_ERROR "01043123 00000000 "
	 "60000000 000d1101 " IPV6_TO PORTS "000db6b0 " HELLO,
		"error(58) [2001:db8:ffff::fe]:0 > [2001:db8::1]:0 ttl 64 at 40+8+53 df "
		"type 1/4 quoted 48",
		"udp(17) [2001:db8::1]:40000 > [2001:db8:1::7]:3478 ttl 1 at 40+8+5 df"},
	{"60000000 00383a40 " IPV6_ERROR "010474fa 00000000 "
	 "60000000 000d1101 " IPV6_TO PORTS "000db6b0",
		"error(58) [2001:db8:ffff::fe]:0 > [2001:db8::1]:0 ttl 64 at 40+8+48 df "
		"type 1/4 quoted 48",
		"udp(17) [2001:db8::1]:40000 > [2001:db8:1::7]:3478 ttl 1 at 40+8+0 df cut"},
	{"60000000 00443a40 " IPV6_ERROR "02003615 00000500 "
	 "60000000 00140601 " IPV6_TO PORTS "01020304 00000000 5002faf0 ab9a0000",
		"error(58) [2001:db8:ffff::fe]:0 > [2001:db8::1]:0 ttl 64 at 40+8+60 df "
		"type 2/0 quoted 48",
		"tcp(6) [2001:db8::1]:40000 > [2001:db8:1::7]:3478 ttl 1 at 40+20+0 df "
		"seq 1020304 flags 2 window 64240"},
	{"60000000 00383a40 " IPV6_ERROR "0300e525 00000000 "
	 "60000000 000c3a01 " IPV6_TO "8000a925 9c400007",
		"error(58) [2001:db8:ffff::fe]:0 > [2001:db8::1]:0 ttl 64 at 40+8+48 df "
		"type 3/0 quoted 48",
		"echo(58) [2001:db8::1]:40000 > [2001:db8:1::7]:40000 ttl 1 at 40+8+0 df "
		"type 128/0 cut"},
};

static void test_quoted(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		uint8_t bytes[BYTES_MAX];
		char text[TEXT_BYTES];
		size_t length = from_hex(errors[i].bytes, bytes);
		struct packet p = decoded(bytes, length), q;

		assert_string_equal(describe(&p, text), errors[i].error);
		assert_right(&p);
		assert_int_equal(packet_decode_quoted(&p, &q), 0);
		assert_string_equal(describe(&q, text), errors[i].quoted);
		assert_true(packet_checksums_right(&q));
	}
}

/* A whole packet behind the header of an error, cut off behind n bytes; checksums are not set. */
static struct packet quoting(uint8_t *bytes, const uint8_t *packet, size_t n, bool v4)
{
	size_t header = from_hex(v4 ? "45000000 00004000 40010000 " IPV4_ERROR "0b000000 00000000"
				    : "60000000 00003a40 " IPV6_ERROR "03000000 00000000",
		bytes);
	size_t length = v4 ? header + n : 8 + n;

	memcpy(bytes + header, packet, n);
	bytes[v4 ? 2 : 4] = (uint8_t)(length >> 8);
	bytes[v4 ? 3 : 5] = (uint8_t)length;
	return decoded(bytes, header + n);
}

/* Every known packet quoted, cut off behind each byte. */
static void test_quoted_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(whole); i++) {
		uint8_t bytes[BYTES_MAX], packet[BYTES_MAX];
		size_t length = from_hex(whole[i].bytes, packet);
		struct packet p = decoded(packet, length);
		size_t header = p.family == FAMILY_IPV4 ? (packet[0] & 15) * 4u : 40;

		for (size_t n = 0; n <= length; n++) {
			struct packet error = quoting(bytes, packet, n, p.family == FAMILY_IPV4);
			uint8_t *exact = exact_copy(bytes, error.length);
			struct packet q;
			int err;

			error = decoded(exact, error.length);
			err = packet_decode_quoted(&error, &q);
			assert_int_equal(err, n < header ? -EBADMSG : 0);
			if (!err) {
				bool known = n >= p.transport + 8 || p.protocol == PACKET_FRAGMENT;

				assert_int_equal(q.length, n);
				assert_int_equal(q.cut_off, n < length);
				assert_true(endpoint_same_address(&q.source, &p.source));
				if (n >= p.transport) /* the chain is whole */
					assert_int_equal(
						q.protocol, known ? p.protocol : PACKET_OTHER);
				assert_int_equal(q.source.port, known ? p.source.port : 0);
				assert_true(q.payload + q.payload_length <= n);
			}
			free(exact);
		}
	}
}

/* What systems are known to do to the header that they quote. */
static void test_quoted_spoilt(void **state)
{
	static const struct known rows[] = {
		/* a total length of 0, and with its bytes swapped */
		{"45000000 00004000 01118d90 " IPV4_TO PORTS "000d25ef",
			"udp(17) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 1 at 20+8+0 df cut"},
		{"45002100 00004000 01118d90 " IPV4_TO PORTS "000d25ef",
			"udp(17) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 1 at 20+8+0 df cut"},
		/* no more than the header */
		{"45000014 00004000 01118d90 " IPV4_TO,
			"other(17) 192.0.2.1:0 > 198.51.100.7:0 ttl 1 at 20+0+0 df"},
		/* an error within an error: its own quote is not looked at */
		{"4500001c 00004000 01018d90 " IPV4_TO "03030000 00000000",
			"error(1) 192.0.2.1:0 > 198.51.100.7:0 ttl 1 at 20+8+0 df type 3/3"},
		/* a fragment behind the end of every packet; TCP with an impossible header */
		{"4500001c 00001fff 01118d90 " IPV4_TO "00000000 00000000",
			"fragment(17) 192.0.2.1:0 > 198.51.100.7:0 ttl 1 at 20+0+8 offset 65528"},
		{"45000028 00004000 01068d80 " IPV4_TO PORTS "01020304 00000000 1002faf0 b2f50000",
			"tcp(6) 192.0.2.1:40000 > 198.51.100.7:3478 ttl 1 at 20+20+0 df "
			"seq 1020304 flags 2 window 64240"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[BYTES_MAX], packet[BYTES_MAX];
		char text[TEXT_BYTES];
		size_t n = from_hex(rows[i].bytes, packet);
		struct packet error = quoting(bytes, packet, n, true), q;

		assert_int_equal(packet_decode_quoted(&error, &q), 0);
		assert_string_equal(describe(&q, text), rows[i].expected);
	}
}

/* How long the quote is where extensions may follow it (RFC 4884 4, 5.3). */
static void test_quoted_extensions(void **state)
{
	static const struct {
		uint8_t type, said;
		size_t ipv4, ipv6; /* bytes of the quote; 0: that is no error */
	} rows[] = {
		{1, 15, 0, 248}, /* below 128 bytes it means something else */
		{1, 16, 0, 128},
		{1, 30, 0, 240},
		{1, 31, 0, 248}, /* nothing is left for extensions */
		{1, 32, 0, 248}, /* more than there is */
		{2, 16, 0, 248}, /* the MTU */
		{3, 17, 228, 136},
		{3, 31, 228, 248},
		{3, 32, 128, 248},
		{4, 32, 228, 248},
		{5, 32, 228, 0},
		{11, 0, 228, 0},
		{11, 31, 228, 0},
		{11, 32, 128, 0},
		{11, 56, 224, 0},
		{11, 57, 228, 0},
		{11, 255, 228, 0},
		{12, 33, 132, 0},
	};
	struct endpoint ends[] = {endpoint("192.0.2.1"), endpoint("2001:db8::1")};

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * 2; i++) {
		uint8_t bytes[BYTES_MAX], packet[BYTES_MAX], payload[200] = {0};
		bool v4 = i & 1;
		size_t expected = v4 ? rows[i / 2].ipv4 : rows[i / 2].ipv6;
		int n = packet_build_udp(packet, sizeof(packet), &ends[!v4], &ends[!v4], 64,
			payload, sizeof(payload));
		struct packet error = quoting(bytes, packet, (size_t)n, v4), q;

		bytes[error.transport] = rows[i / 2].type;
		bytes[error.transport + (v4 ? 5 : 4)] = rows[i / 2].said;
		error = decoded(bytes, error.length);
		assert_int_equal(error.protocol == PACKET_ERROR, expected != 0);
		if (!expected)
			continue;
		assert_int_equal(packet_decode_quoted(&error, &q), 0);
		assert_int_equal(q.length, expected);
		assert_int_equal(q.cut_off, expected < (size_t)n);
	}
}

/* The last fragment of the longest packet there is, and one byte more. */
static void test_fragment_too_far(void **state)
{
	static const struct {
		const char *bytes;
		int result;
	} rows[] = {
		{"45000017 00001ffd 40110000 " IPV4_TO "000000", 0}, /* 20 + 65512 + 3 */
		{"45000018 00001ffd 40110000 " IPV4_TO "00000000", -EBADMSG},
		{"46000018 00001ffc 40110000 " IPV4_TO "00000000", 0}, /* 24 + 65504 */
		{"60000000 000f2c40 " IPV6_TO "1100fff800000000 00000000000000", 0},
		{"60000000 00102c40 " IPV6_TO "1100fff800000000 0000000000000000", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[BYTES_MAX];
		struct packet p;

		assert_int_equal(
			packet_decode(bytes, from_hex(rows[i].bytes, bytes), &p), rows[i].result);
	}
}

/* --- changing --- */

static const char *const others[] = {
	"10.0.0.2:50000",
	"255.255.255.255:65535",
	"0.0.0.0:1",
	"192.0.2.1:40000",
	"198.51.100.7:3478",
	"[fd00::2]:50000",
	"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	"[::]:1",
	"[2001:db8::1]:40000",
	"[2001:db8:1::7]:3478",
};

static void set(struct packet *p, bool source, const struct endpoint *e)
{
	if (source)
		packet_set_source(p, e);
	else
		packet_set_destination(p, e);
}

static void set_quoted(struct packet *p, bool source, const struct endpoint *e)
{
	if (source)
		packet_set_quoted_source(p, e);
	else
		packet_set_quoted_destination(p, e);
}

static bool has_ports(const struct packet *p)
{
	return p->protocol == PACKET_UDP || p->protocol == PACKET_TCP || p->protocol == PACKET_ECHO;
}

/* There and back: right all the time, and the same bytes in the end. */
static void change_and_back(struct packet *p, bool source, const struct endpoint *e)
{
	struct endpoint *own = source ? &p->source : &p->destination, old = *own;
	uint8_t before[BYTES_MAX];

	memcpy(before, p->bytes, p->length);
	set(p, source, e);
	assert_right(p);
	assert_same_decoded(p);
	if (e->family != p->family) {
		assert_memory_equal(p->bytes, before, p->length);
		return;
	}
	assert_true(endpoint_same_address(own, e));
	assert_int_equal(own->port, has_ports(p) ? e->port : 0);
	set(p, source, &old);
	assert_memory_equal(p->bytes, before, p->length);
}

static void test_set(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(whole); i++)
		for (size_t k = 0; k < COUNT(others) * 2; k++) {
			uint8_t bytes[BYTES_MAX];
			struct endpoint e = endpoint(others[k / 2]);
			struct packet p = decoded(bytes, from_hex(whole[i].bytes, bytes));

			change_and_back(&p, k & 1, &e);
		}
}

static size_t checksum_offset(const struct packet *p)
{
	return p->transport + (p->ip_protocol == 6 ? 16 : p->ip_protocol == 17 ? 6 : 2);
}

/* Both checksums spoilt by each bit: changes must not repair them. */
static void test_set_keeps_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(whole); i++)
		for (size_t k = 0; k < COUNT(others) * 2 * 32; k++) {
			uint8_t bytes[BYTES_MAX];
			struct endpoint e = endpoint(others[k / 64]);
			struct packet p = decoded(bytes, from_hex(whole[i].bytes, bytes));
			size_t at = k & 32 ? checksum_offset(&p) : 10;

			if (k & 32 ? p.payload == p.transport || p.more_fragments
				   : p.family == FAMILY_IPV6)
				continue;
			bytes[at + (k >> 3 & 1)] ^= (uint8_t)(1 << (k & 7));
			assert_wrong(&p);
			set(&p, k & 16, &e);
			assert_wrong(&p);
			if (packet_take_hop(&p))
				assert_wrong(&p);
			assert_same_decoded(&p);
		}
}

/*
 * A UDP checksum of 0: over IPv4 there is none, and none comes; over IPv6 that is wrong and stays
 * so.
 */
static void test_set_without_checksum(void **state)
{
	static const char *const rows[] = {
		"45000021 00004000 40114e90 " IPV4_TO PORTS "000d0000 " HELLO,
		"60000000 000d1140 " IPV6_TO PORTS "000d0000 " HELLO,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t k = 0; k < COUNT(others) * 2; k++) {
			uint8_t bytes[BYTES_MAX];
			struct endpoint e = endpoint(others[k / 2]);
			struct packet p = decoded(bytes, from_hex(rows[i], bytes));

			set(&p, k & 1, &e);
			assert_int_equal(bytes[p.transport + 6] | bytes[p.transport + 7], 0);
			assert_int_equal(packet_checksums_right(&p), p.family == FAMILY_IPV4);
		}
}

/* Every port, and with them every checksum: UDP never sends 0, and no other has the second zero. */
static void test_set_every_port(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(whole); i++) {
		uint8_t bytes[BYTES_MAX];
		struct packet p = decoded(bytes, from_hex(whole[i].bytes, bytes));
		struct endpoint e = p.source;
		size_t at = checksum_offset(&p);
		bool none = bytes[at] == 0 && bytes[at + 1] == 0;
		unsigned low = 0, high = 0;

		if (!has_ports(&p) || p.more_fragments || none)
			continue;
		for (unsigned port = 0; port <= UINT16_MAX; port++) {
			unsigned field;

			e.port = (uint16_t)port;
			packet_set_source(&p, &e);
			assert_right(&p);
			field = (unsigned)bytes[at] << 8 | bytes[at + 1];
			low += field == 0;
			high += field == UINT16_MAX;
		}
		/* of 65536 ports two are the same to the sum: 0 and 65535 */
		assert_true(low + high == 1 || low + high == 2);
		assert_int_equal(p.protocol == PACKET_UDP ? low : high, 0);
	}
}

/* Nothing but zeros in an echo reply: the sum that receivers look for is all ones even then. */
static void test_set_zeros(void **state)
{
	uint8_t bytes[BYTES_MAX];
	size_t n =
		from_hex("45000020 00004000 40014ea1 " IPV4_TO "0000fffa 00050000 00000000", bytes);
	struct packet p = decoded(bytes, n);
	struct endpoint zero = p.source, five = p.source;

	(void)state;
	zero.port = 0;
	for (int i = 0; i < 3; i++) {
		assert_right(&p);
		packet_set_source(&p, &zero);
		assert_int_equal(bytes[22] << 8 | bytes[23], 0xffff);
		assert_right(&p);
		packet_set_destination(&p, &five);
		assert_int_equal(bytes[22] << 8 | bytes[23], 0xfffa);
	}
}

static struct endpoint random_endpoint(struct random *r, enum family family)
{
	struct endpoint e = {.family = family};

	random_bytes(r, e.address, endpoint_address_length(family));
	e.port = (uint16_t)random_below(r, 65536);
	return e;
}

/* The first fragment carries the checksum of all: it has to be right when they are put together. */
static void test_set_fragments(void **state)
{
	static const size_t pairs[][2] = {{7, 8}, {19, 20}};
	struct random r;

	(void)state;
	random_init_number(&r, SEED);
	for (int i = 0; i < 2000; i++) {
		uint8_t first[BYTES_MAX], last[BYTES_MAX], together[BYTES_MAX];
		const size_t *pair = pairs[i & 1];
		struct packet p = decoded(first, from_hex(whole[pair[0]].bytes, first));
		struct packet q = decoded(last, from_hex(whole[pair[1]].bytes, last));
		struct endpoint e = random_endpoint(&r, p.family);

		assert_int_equal(q.protocol, PACKET_FRAGMENT);
		set(&p, i & 2, &e);
		set(&q, i & 2, &e);
		assert_right(&p);
		assert_right(&q);
		assert_true(endpoint_same_address(&p.source, &q.source));
		memcpy(together, first, p.length);
		memcpy(together + p.transport + q.fragment_offset, last + q.transport,
			q.payload_length);
		p.bytes = together;
		p.length = p.transport + q.fragment_offset + q.payload_length;
		assert_int_equal(reference_transport(&p), 0xffff);
	}
}

static void test_set_quoted(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++)
		for (size_t k = 0; k < COUNT(others) * 2; k++) {
			uint8_t bytes[BYTES_MAX], before[BYTES_MAX];
			size_t length = from_hex(errors[i].bytes, bytes);
			struct endpoint e = endpoint(others[k / 2]), old, *own;
			struct packet p = decoded(bytes, length), q;

			memcpy(before, bytes, length);
			assert_int_equal(packet_decode_quoted(&p, &q), 0);
			own = k & 1 ? &q.source : &q.destination;
			old = *own;
			set_quoted(&p, k & 1, &e);
			assert_right(&p);
			assert_same_decoded(&p);
			assert_int_equal(packet_decode_quoted(&p, &q), 0);
			assert_true(packet_checksums_right(&q));
			assert_true(endpoint_equal(own, e.family == p.family ? &e : &old));
			set_quoted(&p, k & 1, &old);
			assert_memory_equal(bytes, before, length);
		}
}

static void write_error_checksum(struct packet *error)
{
	size_t at = error->transport + 2;
	uint16_t sum;

	error->bytes[at] = error->bytes[at + 1] = 0;
	sum = (uint16_t)~reference_transport(error);
	error->bytes[at] = (uint8_t)(sum >> 8);
	error->bytes[at + 1] = (uint8_t)sum;
}

/* Every known packet quoted, cut off behind each byte: the checksum of the error stays right. */
static void test_set_quoted_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(whole); i++) {
		uint8_t bytes[BYTES_MAX], packet[BYTES_MAX];
		size_t length = from_hex(whole[i].bytes, packet);
		bool v4 = *packet >> 4 == 4;
		struct endpoint e = endpoint(v4 ? "10.0.0.2:50000" : "[fd00::2]:50000");

		for (size_t n = 1; n <= length; n++) {
			struct packet error = quoting(bytes, packet, n, v4), q;

			write_error_checksum(&error);
			for (int k = 0; k < 4; k++, e.port++) {
				set_quoted(&error, k & 1, &e);
				assert_int_equal(reference_transport(&error), 0xffff);
				assert_same_decoded(&error);
			}
			if (!packet_decode_quoted(&error, &q)) {
				assert_true(endpoint_same_address(&q.source, &e));
				assert_true(endpoint_same_address(&q.destination, &e));
			}
		}
	}
}

/* The checksum of the error, of what it quotes and of its IP header, spoilt by each bit. */
static void test_set_quoted_keeps_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++)
		for (size_t k = 0; k < COUNT(others) * 2 * 16; k++) {
			uint8_t bytes[BYTES_MAX];
			struct endpoint e = endpoint(others[k / 32]);
			struct packet p = decoded(bytes, from_hex(errors[i].bytes, bytes)), q;
			bool right;

			bytes[p.transport + 2 + (k >> 3 & 1)] ^= (uint8_t)(1 << (k & 7));
			assert_wrong(&p);
			bytes[p.quoted + 10] ^= 0x41; /* two bits: does not undo the other */
			assert_int_equal(packet_decode_quoted(&p, &q), 0);
			right = packet_checksums_right(&q);
			assert_true(p.family == FAMILY_IPV6 || !right);
			set_quoted(&p, k & 16, &e);
			assert_wrong(&p);
			assert_int_equal(packet_checksums_right(&q), right);
		}
}

static void test_take_hop(void **state)
{
	static const char *const rows[] = {
		"45000021 00004000 ff118f8f " IPV4_TO PORTS "000d25ef " HELLO,
		"60000000 000d11ff " IPV6_TO PORTS "000db6b0 " HELLO,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[BYTES_MAX], before[BYTES_MAX];
		struct packet p = decoded(bytes, from_hex(rows[i], bytes));

		for (unsigned ttl = 255; ttl > 1; ttl--) {
			assert_int_equal(p.ttl, ttl);
			assert_right(&p);
			assert_same_decoded(&p);
			assert_true(packet_take_hop(&p));
		}
		assert_int_equal(p.ttl, 1);
		assert_right(&p);
		memcpy(before, bytes, p.length);
		assert_false(packet_take_hop(&p));
		assert_memory_equal(bytes, before, p.length);
		bytes[p.family == FAMILY_IPV4 ? 8 : 7] = 0;
		p = decoded(bytes, p.length);
		assert_false(packet_take_hop(&p));
		assert_int_equal(p.ttl, 0);
	}
}

static void test_replace_payload(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(whole); i++) {
		static const uint8_t bytes_in[64] = {0xff, 0, 0xa5, 1, 2, 3};
		uint8_t bytes[BYTES_MAX], before[BYTES_MAX];
		struct packet p = decoded(bytes, from_hex(whole[i].bytes, bytes));

		for (size_t at = 0; at <= p.payload_length + 1; at++)
			for (size_t n = 0; n <= p.payload_length + 1; n++) {
				memcpy(before, bytes, p.length);
				packet_replace_payload(&p, at, bytes_in, n);
				assert_right(&p);
				if (at + n > p.payload_length)
					assert_memory_equal(bytes, before, p.length);
				else
					assert_memory_equal(bytes + p.payload + at, bytes_in, n);
			}
	}
}

/* Options of TCP, which others do not have; and nothing beyond them. */
static void test_replace_options(void **state)
{
	unsigned with = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(whole); i++) {
		static const uint8_t bytes_in[64] = {0xff, 0, 0xa5, 1, 2, 3};
		uint8_t bytes[BYTES_MAX], before[BYTES_MAX];
		struct packet p = decoded(bytes, from_hex(whole[i].bytes, bytes));
		struct span options = packet_tcp_options(&p);

		if (p.protocol != PACKET_TCP)
			assert_int_equal(options.length, 0);
		else
			assert_int_equal(options.length, p.payload - p.transport - 20);
		with += options.length > 0;
		for (size_t at = 0; at <= options.length + 1; at++)
			for (size_t n = 0; n <= options.length + 1; n++) {
				memcpy(before, bytes, p.length);
				packet_replace_options(&p, at, bytes_in, n);
				assert_right(&p);
				if (at + n > options.length || !n)
					assert_memory_equal(bytes, before, p.length);
				else
					assert_memory_equal(options.data + at, bytes_in, n);
			}
	}
	assert_true(with > 0);
}

static const uint32_t numbers[] = {0, 1, 0xffff, 0x10000, 0x7fffffff, 0xffffffff};

static void test_numbers(void **state)
{
	unsigned segments = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(whole); i++)
		for (size_t k = 0; k < COUNT(numbers); k++) {
			uint8_t bytes[BYTES_MAX], before[BYTES_MAX];
			struct packet p = decoded(bytes, from_hex(whole[i].bytes, bytes)), q;

			memcpy(before, bytes, p.length);
			packet_set_numbers(&p, numbers[k], ~numbers[k]);
			assert_right(&p);
			q = decoded(bytes, p.length);
			if (p.protocol != PACKET_TCP) {
				assert_memory_equal(bytes, before, p.length);
				continue;
			}
			segments++;
			assert_int_equal(q.sequence, numbers[k]);
			assert_int_equal(q.acknowledgment, ~numbers[k]);
		}
	assert_true(segments > 0);
}

/* Of the segment that an error quotes, whole or not. */
static void test_quoted_numbers(void **state)
{
	unsigned segments = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++)
		for (size_t k = 0; k < COUNT(numbers); k++) {
			uint8_t bytes[BYTES_MAX], before[BYTES_MAX];
			struct packet p = decoded(bytes, from_hex(errors[i].bytes, bytes)), q;
			bool whole_before, is_tcp;

			assert_int_equal(packet_decode_quoted(&p, &q), 0);
			is_tcp = q.protocol == PACKET_TCP;
			whole_before = packet_checksums_right(&q);
			memcpy(before, bytes, p.length);
			packet_set_quoted_sequence(&p, numbers[k]);
			assert_right(&p);
			assert_int_equal(packet_decode_quoted(&p, &q), 0);
			assert_int_equal(packet_checksums_right(&q), whole_before);
			if (!is_tcp) {
				assert_memory_equal(bytes, before, p.length);
				continue;
			}
			segments++;
			assert_int_equal(q.sequence, numbers[k]);
		}
	assert_true(segments > 0);
}

/* --- building --- */

enum kind { UDP, TCP, ECHO_REQUEST, ECHO_REPLY, KINDS };

static int build(enum kind kind, void *buffer, size_t size, const struct endpoint *from,
	const struct endpoint *to, const void *payload, size_t length)
{
	static const struct packet_tcp tcp = {0x01020304, 0xa1b2c3d4, PACKET_PSH | PACKET_ACK, 512};

	if (kind == UDP)
		return packet_build_udp(buffer, size, from, to, 64, payload, length);
	if (kind == TCP)
		return packet_build_tcp(buffer, size, from, to, 64, &tcp, payload, length);
	return packet_build_echo(
		buffer, size, from, to, 64, kind == ECHO_REPLY, 7, payload, length);
}

/* What the builders make is what was written by hand. */
static void test_build(void **state)
{
	static const struct {
		enum kind kind;
		const char *from, *to, *payload, *bytes;
	} rows[] = {
		{UDP, "192.0.2.1:40000", "198.51.100.7:3478", "hello",
			"45000021 00004000 40114e90 " IPV4_TO PORTS "000d25ef " HELLO},
		{TCP, "192.0.2.1:40000", "198.51.100.7:3478", "GET /",
			"4500002d 00004000 40064e8f " IPV4_TO PORTS
			"01020304 a1b2c3d4 50180200 e3c10000 474554202f"},
		{ECHO_REQUEST, "192.0.2.1:40000", "198.51.100.7:40000", "ping",
			"45000020 00004000 40014ea1 " IPV4_TO "08007ce7 9c400007 70696e67"},
		{ECHO_REPLY, "198.51.100.7:40000", "192.0.2.1:40000", "ping",
			"45000020 00004000 40014ea1 " IPV4_BACK "000084e7 9c400007 70696e67"},
		{UDP, "[2001:db8::1]:40000", "[2001:db8:1::7]:3478", "hello",
			"60000000 000d1140 " IPV6_TO PORTS "000db6b0 " HELLO},
		{ECHO_REQUEST, "[2001:db8::1]:40000", "[2001:db8:1::7]:40000", "ping",
			"60000000 000c3a40 " IPV6_TO "8000a925 9c400007 70696e67"},
		{ECHO_REPLY, "[2001:db8:1::7]:40000", "[2001:db8::1]:40000", "ping",
			"60000000 000c3a40 " IPV6_BACK "8100a825 9c400007 70696e67"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct endpoint from = endpoint(rows[i].from), to = endpoint(rows[i].to);
		const char *payload = rows[i].payload;
		size_t n = strlen(payload);
		uint8_t expected[BYTES_MAX], bytes[BYTES_MAX];
		size_t length = from_hex(rows[i].bytes, expected);

		for (size_t size = 0; size < length; size++) {
			uint8_t *exact = malloc(size ? size : 1);

			assert_int_equal(build(rows[i].kind, exact, size, &from, &to, payload, n),
				-EMSGSIZE);
			free(exact);
		}
		assert_int_equal(
			build(rows[i].kind, bytes, length, &from, &to, payload, n), length);
		assert_memory_equal(bytes, expected, length);
	}
}

static void test_build_limits(void **state)
{
	static const struct {
		enum kind kind;
		const char *from, *to;
		size_t payload;
		int result;
	} rows[] = {
		{UDP, "192.0.2.1", "198.51.100.7", 0, 28},
		{UDP, "192.0.2.1", "198.51.100.7", 65507, 65535},
		{UDP, "192.0.2.1", "198.51.100.7", 65508, -EMSGSIZE},
		{UDP, "192.0.2.1", "198.51.100.7", SIZE_MAX, -EMSGSIZE},
		{UDP, "[::1]", "[::1]", 65487, 65535},
		{UDP, "[::1]", "[::1]", 65488, -EMSGSIZE},
		{TCP, "192.0.2.1", "198.51.100.7", 65495, 65535},
		{TCP, "192.0.2.1", "198.51.100.7", 65496, -EMSGSIZE},
		{TCP, "192.0.2.1", "198.51.100.7", SIZE_MAX, -EMSGSIZE},
		{TCP, "[::1]", "[::1]", 65475, 65535},
		{TCP, "[::1]", "[::1]", 65476, -EMSGSIZE},
		{ECHO_REQUEST, "192.0.2.1", "198.51.100.7", 65507, 65535},
		{ECHO_REQUEST, "192.0.2.1", "198.51.100.7", 65508, -EMSGSIZE},
		{ECHO_REPLY, "192.0.2.1", "198.51.100.7", SIZE_MAX, -EMSGSIZE},
		{ECHO_REPLY, "[::1]", "[::1]", 65488, -EMSGSIZE},
		{UDP, "192.0.2.1", "[::1]", 0, -EINVAL},
		{TCP, "[::1]", "192.0.2.1", 0, -EINVAL},
		{ECHO_REQUEST, "192.0.2.1", "[::1]", 0, -EINVAL},
	};
	static uint8_t payload[70000], bytes[70000];
	struct endpoint none = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct endpoint from = endpoint(rows[i].from), to = endpoint(rows[i].to);

		assert_int_equal(build(rows[i].kind, bytes, sizeof(bytes), &from, &to, payload,
					 rows[i].payload),
			rows[i].result);
		if (rows[i].result > 0) {
			struct packet p = decoded(bytes, (size_t)rows[i].result);

			assert_right(&p);
			assert_int_equal(p.payload_length, rows[i].payload);
		}
	}
	assert_int_equal(build(UDP, bytes, sizeof(bytes), &none, &none, NULL, 0), -EINVAL);
}

/* UDP whose checksum comes out as 0 is sent with the other zero (RFC 768). */
static void test_build_udp_zero(void **state)
{
	static const char *const addresses[] = {"192.0.2.1", "[2001:db8::1]"};

	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct endpoint e = endpoint(addresses[i]);
		unsigned ones = 0;

		for (unsigned n = 0; n <= UINT16_MAX; n++) {
			uint8_t payload[2] = {(uint8_t)(n >> 8), (uint8_t)n}, bytes[BYTES_MAX];
			int length = packet_build_udp(
				bytes, sizeof(bytes), &e, &e, 1, payload, sizeof(payload));
			struct packet p = decoded(bytes, (size_t)length);
			unsigned field =
				(unsigned)bytes[p.transport + 6] << 8 | bytes[p.transport + 7];

			assert_right(&p);
			assert_int_not_equal(field, 0);
			ones += field == UINT16_MAX;
		}
		assert_in_range(ones, 1, 2);
	}
}

static struct packet build_cause(uint8_t *bytes, size_t size, enum kind kind, const char *from,
	const char *to, size_t payload)
{
	static const uint8_t data[70000];
	struct endpoint f = endpoint(from), t = endpoint(to);
	int length = build(kind, bytes, size, &f, &t, data, payload);

	assert_true(length > 0);
	return decoded(bytes, (size_t)length);
}

/* As much of the packet as RFC 1812 4.3.2.3 and RFC 4443 2.4 c allow, and no more. */
static void test_build_error(void **state)
{
	static const struct {
		enum kind kind;
		const char *from, *to, *router;
		size_t payload;
		uint8_t type, code;
		uint16_t mtu;
		size_t length; /* of all */
	} rows[] = {
		{UDP, "192.0.2.1", "198.51.100.7", "203.0.113.254", 5, 3, 3, 0, 28 + 33},
		{UDP, "192.0.2.1", "198.51.100.7", "203.0.113.254", 0, 3, 13, 0, 28 + 28},
		{UDP, "192.0.2.1", "198.51.100.7", "203.0.113.254", 520, 11, 0, 0, 576},
		{UDP, "192.0.2.1", "198.51.100.7", "203.0.113.254", 521, 11, 0, 0, 576},
		{UDP, "192.0.2.1", "198.51.100.7", "203.0.113.254", 65507, 3, 4, 1492, 576},
		{TCP, "192.0.2.1", "198.51.100.7", "203.0.113.254", 0, 3, 10, 0, 28 + 40},
		{ECHO_REQUEST, "192.0.2.1", "198.51.100.7", "203.0.113.254", 9, 11, 0, 0, 28 + 37},
		{ECHO_REPLY, "192.0.2.1", "240.0.0.1", "203.0.113.254", 9, 12, 0, 0, 0},
		{UDP, "2001:db8::1", "2001:db8:1::7", "2001:db8:ffff::fe", 5, 1, 4, 0, 48 + 53},
		{UDP, "2001:db8::1", "2001:db8:1::7", "2001:db8:ffff::fe", 1184, 1, 0, 0, 1280},
		{UDP, "2001:db8::1", "2001:db8:1::7", "2001:db8:ffff::fe", 65487, 2, 0, 1280, 1280},
		{UDP, "2001:db8::1", "ff02::1", "2001:db8:ffff::fe", 1400, 2, 0, 1280, 1280},
		{TCP, "2001:db8::1", "2001:db8:1::7", "2001:db8:ffff::fe", 0, 3, 0, 0, 48 + 60},
		{ECHO_REQUEST, "fe80::1", "2001:db8:1::7", "fe80::fe", 0, 4, 2, 0, 48 + 48},
	};
	static uint8_t cause_bytes[70000];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct packet cause = build_cause(cause_bytes, sizeof(cause_bytes), rows[i].kind,
			rows[i].from, rows[i].to, rows[i].payload);
		struct endpoint router = endpoint(rows[i].router);
		uint8_t bytes[BYTES_MAX];
		struct packet p, q;
		int length;

		if (cause.family == FAMILY_IPV4)
			cause_bytes[1] = 0x49;
		length = packet_build_error(bytes, sizeof(bytes), &router, &cause, rows[i].type,
			rows[i].code, rows[i].mtu);

		if (!rows[i].length) { /* class E is no broadcast, and no one's address either */
			assert_int_equal(length, -ENOENT);
			continue;
		}
		assert_int_equal(length, rows[i].length);
		p = decoded(bytes, (size_t)length);
		assert_right(&p);
		assert_int_equal(p.protocol, PACKET_ERROR);
		assert_int_equal(p.type, rows[i].type);
		assert_int_equal(p.code, rows[i].code);
		assert_true(endpoint_same_address(&p.source, &router));
		assert_true(endpoint_same_address(&p.destination, &cause.source));
		/* RFC 1812 4.3.2.5: internetwork control, and the service of the cause */
		assert_int_equal(bytes[0], p.family == FAMILY_IPV4 ? 0x45 : 0x60);
		assert_int_equal(bytes[1], p.family == FAMILY_IPV4 ? 0xc8 : 0);
		assert_int_equal(bytes[p.transport + 4] | bytes[p.transport + 5], 0);
		assert_int_equal(bytes[p.transport + 6] << 8 | bytes[p.transport + 7], rows[i].mtu);
		assert_int_equal(packet_decode_quoted(&p, &q), 0);
		assert_memory_equal(q.bytes, cause.bytes, q.length);
		assert_true(endpoint_equal(&q.source, &cause.source));
		assert_int_equal(packet_build_error(bytes, rows[i].length - 1, &router, &cause,
					 rows[i].type, rows[i].code, 0),
			-EMSGSIZE);
	}
}

/* About what, and to whom, no error is sent (RFC 1122 3.2.2, RFC 4443 2.4 e). */
static void test_build_error_never(void **state)
{
#define UDP4(addresses) "4500001c 00004000 40110000 " addresses PORTS "00080000"
#define UDP6(addresses) "60000000 00081140 " addresses PORTS "00080000"
#define ICMP4(type)	"4500001c 00004000 40010000 " IPV4_TO type " 00000000"
#define ICMP6(type)	"60000000 00083a40 " IPV6_TO type " 00000000"
#define ANYONE		"20010db8000000000000000000000001 "
	static const struct {
		const char *cause;
		uint8_t type, code;
		int result; /* 0: is sent */
	} rows[] = {
		{UDP4(IPV4_TO), 3, 3, 0},
		{UDP4("c0000201 e0000001 "), 3, 3, -ENOENT}, /* to a group */
		{UDP4("c0000201 ffffffff "), 3, 3, -ENOENT}, /* broadcast */
		{UDP4("c0000201 00000000 "), 3, 3, -ENOENT}, /* of old */
		{UDP4("00000000 c6336407 "), 3, 3, -ENOENT}, /* from nobody */
		{UDP4("7f000001 c6336407 "), 3, 3, -ENOENT}, /* loopback */
		{UDP4("e0000001 c6336407 "), 3, 3, -ENOENT},
		{UDP4("ffffffff c6336407 "), 3, 3, -ENOENT},
		{UDP4("f0000001 c6336407 "), 3, 3, -ENOENT}, /* class E */
		{UDP4(IPV4_TO), 8, 0, -EINVAL}, /* not an error */
		{UDP4(IPV4_TO), 13, 0, -EINVAL},
		{"4500001c 00002000 40110000 " IPV4_TO PORTS "00100000", 3, 3, 0}, /* the first */
		{"4500001c 00002001 40110000 " IPV4_TO PORTS "00100000", 3, 3, -ENOENT},
		{"4500001c 00000001 40110000 " IPV4_TO PORTS "00100000", 3, 3, -ENOENT},
		{ICMP4("08000000"), 3, 1, 0},
		{ICMP4("00000000"), 3, 1, 0},
		{ICMP4("0d000000"), 3, 1, 0},
		{ICMP4("03030000"), 3, 1, -ENOENT},
		{ICMP4("04000000"), 3, 1, -ENOENT},
		{ICMP4("05000000"), 3, 1, -ENOENT},
		{ICMP4("0b000000"), 3, 1, -ENOENT},
		{ICMP4("0c000000"), 3, 1, -ENOENT},
		{UDP6(IPV6_TO), 1, 4, 0},
		{UDP6(ANYONE "ff020000000000000000000000000001 "), 1, 4, -ENOENT},
		{UDP6(ANYONE "ff020000000000000000000000000001 "), 3, 0, -ENOENT},
		{UDP6(ANYONE "ff020000000000000000000000000001 "), 4, 0, -ENOENT},
		{UDP6(ANYONE "ff020000000000000000000000000001 "), 4, 2, 0},
		{UDP6(ANYONE "ff020000000000000000000000000001 "), 2, 0, 0},
		{UDP6("00000000000000000000000000000000 " ANYONE), 1, 4, -ENOENT},
		{UDP6("00000000000000000000000000000001 " ANYONE), 1, 4, -ENOENT},
		{UDP6("ff020000000000000000000000000001 " ANYONE), 2, 0, -ENOENT},
		{UDP6(IPV6_TO), 128, 0, -EINVAL},
		{UDP6(IPV6_TO), 0, 0, -EINVAL},
		{ICMP6("80000000"), 1, 0, 0},
		{ICMP6("81000000"), 1, 0, 0},
		{ICMP6("87000000"), 1, 0, 0},
		{ICMP6("01000000"), 1, 0, -ENOENT},
		{ICMP6("04000000"), 1, 0, -ENOENT},
		{ICMP6("64000000"), 1, 0, -ENOENT}, /* errors that have no name yet */
		{ICMP6("7f000000"), 1, 0, -ENOENT},
		{ICMP6("89000000"), 1, 0, -ENOENT}, /* redirect */
		/* later fragments: of UDP, and of what may be an error */
		{"60000000 00102c40 " IPV6_TO "1100000812345678 0000000000000000", 1, 0, 0},
		{"60000000 00102c40 " IPV6_TO "3a00000812345678 0000000000000000", 1, 0, -ENOENT},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[BYTES_MAX], out[BYTES_MAX];
		struct packet cause = decoded(bytes, from_hex(rows[i].cause, bytes));
		struct endpoint router = endpoint(
			cause.family == FAMILY_IPV4 ? "203.0.113.254" : "2001:db8:ffff::fe");
		int length = packet_build_error(
			out, sizeof(out), &router, &cause, rows[i].type, rows[i].code, 0);

		if ((length > 0 ? 0 : length) != rows[i].result)
			fail_msg("%s: %d", rows[i].cause, length);
	}
}

static void test_build_error_families(void **state)
{
	uint8_t bytes[BYTES_MAX], out[BYTES_MAX];
	struct packet cause =
		build_cause(bytes, sizeof(bytes), UDP, "192.0.2.1", "198.51.100.7", 0);
	struct endpoint router = endpoint("2001:db8:ffff::fe");

	(void)state;
	assert_int_equal(packet_build_error(out, sizeof(out), &router, &cause, 3, 3, 0), -EINVAL);
}

static void test_build_reset(void **state)
{
	static const struct {
		struct packet_tcp tcp;
		size_t payload;
		int result; /* 0: is sent */
		struct packet_tcp reset;
	} rows[] = {
		/* RFC 9293 3.5.2: without ACK what is acknowledged is all of the segment */
		{{1000, 0, PACKET_SYN, 9}, 0, 0, {0, 1001, PACKET_RST | PACKET_ACK, 0}},
		{{1000, 7, PACKET_SYN, 9}, 10, 0, {0, 1011, PACKET_RST | PACKET_ACK, 0}},
		{{1000, 0, PACKET_FIN, 9}, 10, 0, {0, 1011, PACKET_RST | PACKET_ACK, 0}},
		{{1000, 0, PACKET_SYN | PACKET_FIN, 9}, 0, 0,
			{0, 1002, PACKET_RST | PACKET_ACK, 0}},
		{{1000, 0, PACKET_PSH, 9}, 1, 0, {0, 1001, PACKET_RST | PACKET_ACK, 0}},
		{{1000, 0, 0, 9}, 0, 0, {0, 1000, PACKET_RST | PACKET_ACK, 0}},
		{{0xffffffff, 0, PACKET_SYN, 9}, 0, 0, {0, 0, PACKET_RST | PACKET_ACK, 0}},
		/* with ACK the sequence is what the peer has acknowledged */
		{{1000, 555, PACKET_ACK, 9}, 10, 0, {555, 0, PACKET_RST, 0}},
		{{1000, 555, PACKET_SYN | PACKET_ACK, 9}, 0, 0, {555, 0, PACKET_RST, 0}},
		{{1000, 555, PACKET_FIN | PACKET_ACK, 9}, 0, 0, {555, 0, PACKET_RST, 0}},
		{{1000, 0, PACKET_RST, 9}, 0, -ENOENT, {0}},
		{{1000, 555, PACKET_RST | PACKET_ACK, 9}, 0, -ENOENT, {0}},
	};
	static const char *const pairs[][2] = {
		{"192.0.2.1:40000", "198.51.100.7:80"},
		{"[2001:db8::1]:40000", "[2001:db8:1::7]:80"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * 2; i++) {
		struct endpoint from = endpoint(pairs[i & 1][0]), to = endpoint(pairs[i & 1][1]);
		uint8_t bytes[BYTES_MAX] = {0}, out[BYTES_MAX];
		int length = packet_build_tcp(bytes, sizeof(bytes), &from, &to, 1, &rows[i / 2].tcp,
			out, rows[i / 2].payload);
		struct packet cause = decoded(bytes, (size_t)length), p;

		length = packet_build_reset(out, sizeof(out), &cause, 60);
		assert_int_equal(length > 0 ? 0 : length, rows[i / 2].result);
		if (length < 0)
			continue;
		p = decoded(out, (size_t)length);
		assert_right(&p);
		assert_int_equal(length, i & 1 ? 60 : 40);
		assert_true(endpoint_equal(&p.source, &to));
		assert_true(endpoint_equal(&p.destination, &from));
		assert_int_equal(p.ttl, 60);
		assert_int_equal(p.sequence, rows[i / 2].reset.sequence);
		assert_int_equal(p.acknowledgment, rows[i / 2].reset.acknowledgment);
		assert_int_equal(p.flags, rows[i / 2].reset.flags);
		assert_int_equal(p.window, 0);
	}
}

static void test_build_reset_never(void **state)
{
#define SYN PORTS "01020304 00000000 50020000 00000000"
	static const char *const rows[] = {
		UDP4(IPV4_TO),
		ICMP4("08000000"),
		"45000028 00002000 40060000 " IPV4_TO SYN, /* a fragment */
		"45000028 00000001 40060000 " IPV4_TO SYN,
		"45000028 00004000 40060000 c0000201 e0000001 " SYN, /* to a group, or from one */
		"45000028 00004000 40060000 e0000001 c0000201 " SYN,
		"45000028 00004000 40060000 c0000201 ffffffff " SYN,
		"45000028 00004000 40060000 00000000 c0000201 " SYN,
		"60000000 00140640 20010db8000000000000000000000001 "
		"ff020000000000000000000000000001 " SYN,
	};
	uint8_t bytes[BYTES_MAX], out[BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct packet cause = decoded(bytes, from_hex(rows[i], bytes));

		assert_int_equal(packet_build_reset(out, sizeof(out), &cause, 64), -ENOENT);
	}
	for (size_t i = 0; i < COUNT(errors); i++) { /* a quoted SYN whose flags are cut off */
		struct packet error = decoded(bytes, from_hex(errors[i].bytes, bytes)), q;

		assert_int_equal(packet_decode_quoted(&error, &q), 0);
		if (q.cut_off)
			assert_int_equal(packet_build_reset(out, sizeof(out), &q, 64), -ENOENT);
	}
}

/* --- random packets --- */

struct sample {
	enum kind kind;
	enum family family;
	struct endpoint from, to;
	uint8_t payload[64];
	size_t payload_length;
};

static struct sample random_sample(struct random *r)
{
	struct sample s = {
		.kind = (enum kind)random_below(r, KINDS),
		.family = random_below(r, 2) ? FAMILY_IPV4 : FAMILY_IPV6,
		.payload_length = random_below(r, sizeof(s.payload) + 1),
	};

	s.from = random_endpoint(r, s.family);
	s.to = random_endpoint(r, s.family);
	random_bytes(r, s.payload, sizeof(s.payload));
	if (s.kind == ECHO_REQUEST || s.kind == ECHO_REPLY)
		s.to.port = s.from.port;
	return s;
}

static struct packet build_sample(const struct sample *s, uint8_t *bytes)
{
	int length =
		build(s->kind, bytes, BYTES_MAX, &s->from, &s->to, s->payload, s->payload_length);

	assert_true(length > 0);
	return decoded(bytes, (size_t)length);
}

/* The same change to what the packet is made of. */
static void set_sample(struct sample *s, bool source, const struct endpoint *e)
{
	*(source ? &s->from : &s->to) = *e;
	if (s->kind == ECHO_REQUEST || s->kind == ECHO_REPLY)
		s->from.port = s->to.port = e->port;
}

/* A packet with changed endpoints is, byte for byte, one that is built with them. */
static void test_random_set(void **state)
{
	struct random r;

	(void)state;
	random_init_number(&r, SEED);
	for (int i = 0; i < 20000; i++) {
		struct sample s = random_sample(&r);
		uint8_t bytes[BYTES_MAX], again[BYTES_MAX];
		struct packet p = build_sample(&s, bytes);

		assert_right(&p);
		for (int k = 0; k < 4; k++) {
			struct endpoint e = random_endpoint(&r, s.family);
			bool source = random_below(&r, 2);
			struct packet q;

			set(&p, source, &e);
			set_sample(&s, source, &e);
			q = build_sample(&s, again);
			assert_int_equal(p.length, q.length);
			assert_memory_equal(bytes, again, p.length);
			assert_right(&p);
		}
		assert_same_decoded(&p);
	}
}

/* One byte spoilt, anywhere that a checksum covers: no change repairs it. */
static void test_random_wrong(void **state)
{
	struct random r;

	(void)state;
	random_init_number(&r, SEED);
	for (int i = 0; i < 20000; i++) {
		struct sample s = random_sample(&r);
		uint8_t bytes[BYTES_MAX];
		struct packet p = build_sample(&s, bytes);
		size_t at = p.payload - 2 + random_below(&r, (uint32_t)p.payload_length + 2);
		struct endpoint e;

		bytes[at] ^= (uint8_t)(1 + random_below(&r, 255));
		if (s.kind == UDP && at < p.payload && !bytes[p.payload - 2] &&
			!bytes[p.payload - 1])
			continue; /* there is none now */
		p = decoded(bytes, p.length);
		assert_wrong(&p);
		for (int k = 0; k < 4; k++) {
			uint8_t byte = (uint8_t)random_below(&r, 256);

			e = random_endpoint(&r, s.family);
			set(&p, random_below(&r, 2), &e);
			packet_take_hop(&p);
			packet_replace_payload(
				&p, random_below(&r, (uint32_t)p.payload_length + 1), &byte, 1);
			assert_wrong(&p);
		}
	}
}

/* Changing what an error quotes leaves there what a changed packet would have had to be quoted. */
static void test_random_quoted(void **state)
{
	struct random r;

	(void)state;
	random_init_number(&r, SEED);
	for (int i = 0; i < 20000; i++) {
		struct sample s = random_sample(&r);
		uint8_t bytes[BYTES_MAX], packet[BYTES_MAX];
		struct packet p = build_sample(&s, packet);
		size_t n =
			p.transport + 8 + random_below(&r, (uint32_t)(p.length - p.transport) - 7);
		struct packet error = quoting(bytes, packet, n, s.family == FAMILY_IPV4);
		bool spoilt = random_below(&r, 2);

		write_error_checksum(&error);
		bytes[error.transport + 3] ^= spoilt;
		for (int k = 0; k < 4; k++) {
			struct endpoint e = random_endpoint(&r, s.family);
			bool source = random_below(&r, 2);

			set(&p, source, &e);
			set_quoted(&error, source, &e);
			/* half of a checksum cannot be adjusted */
			assert_memory_equal(error.bytes + error.quoted, packet,
				n - (s.kind == TCP && n == p.transport + 17));
			assert_int_equal(reference_transport(&error) == 0xffff, !spoilt);
		}
		assert_same_decoded(&error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_checksum_adjust),
		cmocka_unit_test(test_checksum_random),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_quoted),
		cmocka_unit_test(test_quoted_every_cut),
		cmocka_unit_test(test_quoted_spoilt),
		cmocka_unit_test(test_quoted_extensions),
		cmocka_unit_test(test_fragment_too_far),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_keeps_wrong),
		cmocka_unit_test(test_set_without_checksum),
		cmocka_unit_test(test_set_every_port),
		cmocka_unit_test(test_set_zeros),
		cmocka_unit_test(test_set_fragments),
		cmocka_unit_test(test_set_quoted),
		cmocka_unit_test(test_set_quoted_every_cut),
		cmocka_unit_test(test_set_quoted_keeps_wrong),
		cmocka_unit_test(test_take_hop),
		cmocka_unit_test(test_replace_payload),
		cmocka_unit_test(test_replace_options),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_quoted_numbers),
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_build_limits),
		cmocka_unit_test(test_build_udp_zero),
		cmocka_unit_test(test_build_error),
		cmocka_unit_test(test_build_error_never),
		cmocka_unit_test(test_build_error_families),
		cmocka_unit_test(test_build_reset),
		cmocka_unit_test(test_build_reset_never),
		cmocka_unit_test(test_random_set),
		cmocka_unit_test(test_random_wrong),
		cmocka_unit_test(test_random_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
