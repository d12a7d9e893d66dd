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

#include "net/capture_link.h"

#define COUNT(a)  (sizeof(a) / sizeof(*(a)))
#define BYTES_MAX 200

/* Bytes as hexadecimal digits with blanks between; how many there were. */
static size_t from_hex(const char *text, uint8_t *out)
{
	static const char all[] = "0123456789abcdef";
	size_t digits = 0;

	for (; *text; text++) {
		const char *digit = strchr(all, *text);

		if (!digit)
			continue;
		out[digits / 2] =
			(uint8_t)(digits % 2 ? out[digits / 2] << 4 | (digit - all) : digit - all);
		digits++;
	}
	return digits / 2;
}

/* A copy of the exact size, so that a sanitizer sees the first byte that is touched beyond it. */
static int decode(enum capture_link link, const uint8_t *bytes, size_t length, size_t whole,
	struct capture_packet *out)
{
	uint8_t *copy = malloc(length ? length : 1);
	int err;

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	err = capture_link_decode(link, (struct span){copy, length}, whole, out);
	if (!err)
		assert_ptr_equal(out->packet.data, copy + (link == CAPTURE_SLL2 ? 20 : 16));
	free(copy);
	return err;
}

#define SLL2	 "0800 0000 00000007 0001 00 06 020000000001 0000 " /* from interface 7, to this host */
#define SLL2_OUT "0800 0000 00000007 0001 04 06 020000000001 0000 "
#define SLL2_6	 "86dd 0000 fffffffe fffe 02 00 000000000000 0000 " /* to a group */
#define SLL	 "0000 0001 0006 020000000001 0000 0800 "
#define SLL_OUT	 "0004 0001 0006 020000000001 0000 86dd "
#define IPV4	 "4500001f 00000000 40110000 c0000201 c6336407 9c400d96 000b0000 616263 " /* 31 bytes */
#define IPV6                                                                                   \
	"60000000 00091140 20010db8000000000000000000000001 20010db8000000000000000000000002 " \
	"9c400d96 00090000 61 "

static void test_frames(void **state)
{
	static const struct {
		enum capture_link link;
		const char *bytes;
		size_t more; /* bytes that were not captured */
		int err;
		unsigned interface;
		enum capture_direction direction;
		size_t captured, length;
	} rows[] = {
		{CAPTURE_SLL2, SLL2 IPV4, 0, 0, 7, CAPTURE_IN, 31, 31},
		{CAPTURE_SLL2, SLL2_OUT IPV4, 0, 0, 7, CAPTURE_OUT, 31, 31},
		{CAPTURE_SLL2, SLL2_6 IPV6, 0, 0, 0xfffffffe, CAPTURE_IN, 49, 49},
		{CAPTURE_SLL, SLL IPV4, 0, 0, 0, CAPTURE_IN, 31, 31},
		{CAPTURE_SLL, SLL_OUT IPV6, 0, 0, 0, CAPTURE_OUT, 49, 49},
		/* padding, captured and not */
		{CAPTURE_SLL2, SLL2 IPV4 "0000 0000", 0, 0, 7, CAPTURE_IN, 31, 31},
		{CAPTURE_SLL2, SLL2 IPV4 "0000 0000", 9, 0, 7, CAPTURE_IN, 31, 31},
		{CAPTURE_SLL, SLL_OUT IPV6 "00", 0, 0, 0, CAPTURE_OUT, 49, 49},
		/* cut off */
		{CAPTURE_SLL2, SLL2 "450005dc 00000000 40110000", 1488, 0, 7, CAPTURE_IN, 12, 1500},
		{CAPTURE_SLL2, SLL2 "45ffffff", 65531, 0, 7, CAPTURE_IN, 4, 65535},
		{CAPTURE_SLL2, SLL2 "450005dc", 1495, -EBADMSG, 0, 0, 0, 0},
		{CAPTURE_SLL2, SLL2 "450005", 1497, -EBADMSG, 0, 0, 0, 0},
		{CAPTURE_SLL2, SLL2_6 "6000000005dc", 1534, 0, 0xfffffffe, CAPTURE_IN, 6, 1540},
		{CAPTURE_SLL2, SLL2_6 "6000000005", 1535, -EBADMSG, 0, 0, 0, 0},
		/* larger than the field can say */
		{CAPTURE_SLL2, SLL2 "45000000", 99996, 0, 7, CAPTURE_IN, 4, 100000},
		{CAPTURE_SLL2, SLL2_6 "600000000000", 99994, 0, 0xfffffffe, CAPTURE_IN, 6, 100000},
		{CAPTURE_SLL2, SLL2 "45000000", 15, -EBADMSG, 0, 0, 0, 0},
		/* contradictions */
		{CAPTURE_SLL2, SLL2 IPV6, 0, -EBADMSG, 0, 0, 0, 0},
		{CAPTURE_SLL2, SLL2_6 IPV4, 0, -EBADMSG, 0, 0, 0, 0},
		{CAPTURE_SLL2, SLL2 "44000014 00000000 40110000 c0000201 c6336407", 0, -EBADMSG, 0,
			0, 0, 0},
		{CAPTURE_SLL2, SLL2 "45000013 00000000 40110000 c0000201 c6336407", 0, -EBADMSG, 0,
			0, 0, 0},
		{CAPTURE_SLL2, SLL2 "45000015 00000000 40110000 c0000201 c6336407", 0, -EBADMSG, 0,
			0, 0, 0},
		/* ARP, 802.3, another host's */
		{CAPTURE_SLL2, "0806 0000 00000007 0001 00 06 020000000001 0000 0001", 26,
			-EAFNOSUPPORT, 0, 0, 0, 0},
		{CAPTURE_SLL, "0000 0001 0006 020000000001 0000 0004" IPV4, 0, -EAFNOSUPPORT, 0, 0,
			0, 0},
		{CAPTURE_SLL2, "0800 0000 00000007 0001 03 06 020000000001 0000" IPV4, 0,
			-EAFNOSUPPORT, 0, 0, 0, 0},
		{CAPTURE_SLL, "0003 0001 0006 020000000001 0000 0800" IPV4, 0, -EAFNOSUPPORT, 0, 0,
			0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct capture_packet p = {0};
		uint8_t bytes[BYTES_MAX];
		size_t length = from_hex(rows[i].bytes, bytes);
		int err = decode(rows[i].link, bytes, length, length + rows[i].more, &p);

		if (err != rows[i].err)
			fail_msg("row %zu: %d", i, err);
		if (!err &&
			(p.interface != rows[i].interface || p.direction != rows[i].direction ||
				p.packet.length != rows[i].captured || p.length != rows[i].length))
			fail_msg("row %zu: interface %u direction %d %zu of %zu bytes", i,
				p.interface, p.direction, p.packet.length, p.length);
	}
}

/* Every length of a frame, and a whole that is shorter than what is here. */
static void test_short(void **state)
{
	static const char *const frames[] = {SLL2 IPV4, SLL IPV4};

	(void)state;
	for (size_t i = 0; i < COUNT(frames); i++) {
		struct capture_packet p = {0};
		uint8_t bytes[BYTES_MAX];
		size_t length = from_hex(frames[i], bytes), header = i == 0 ? 20 : 16;

		for (size_t n = 0; n <= length; n++)
			assert_int_equal(
				decode(i == 0 ? CAPTURE_SLL2 : CAPTURE_SLL, bytes, n, length, &p),
				n < header + 4 ? -EBADMSG : 0);
		assert_int_equal(
			decode(i == 0 ? CAPTURE_SLL2 : CAPTURE_SLL, bytes, length, length - 1, &p),
			-EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
