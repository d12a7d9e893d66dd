// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Frames of each link type, byte by byte, and at every length. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"

#define COUNT(a)    (sizeof(a) / sizeof(*(a)))
#define FRAME_BYTES 512

/* Bytes as hexadecimal digits with blanks between; how many there were. */
static size_t from_hex(const char *text, uint8_t *out)
{
	static const char all[] = "0123456789abcdef";
	size_t digits = 0;

	for (; *text; text++) {
		const char *digit = strchr(all, *text);

		if (!digit)
			continue;
		out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | (digit - all));
		digits++;
	}
	return digits / 2;
}

/* IPv4 with UDP, 29 bytes; IPv6 with UDP, 49 bytes. */
#define V4 "4500001d 00010000 4011f96c 0a000001 0a000002 0035 0035 0009 0000 aa "
#define V6                                                                                    \
	"60000000 00091140 20010db8000000000000000000000001 20010db8000000000000000000000002" \
	" 0035 0035 0009 0000 bb "
#define MACS			     "020000000001 020000000002 "
#define SLL(type, device)	     type device "0006 0200000000010000 "
#define SLL2(protocol, device, type) protocol "0000 00000007 " device type "06 0200000000010000 "
#define PADDING			     "0000000000000000000000000000"

enum { V4_BYTES = 29, V6_BYTES = 49 };

struct wanted {
	int result;
	size_t at, length; /* of the packet in the frame */
	enum pcapng_direction direction;
	uint32_t interface;
	bool endless; /* it ends with the frame */
};

static const struct {
	unsigned link;
	const char *hex;
	struct wanted wanted;
} rows[] = {
	/* BSD loopback: families of several systems, in both orders */
	{0, "00000002" V4, {.at = 4, .length = V4_BYTES}},
	{0, "02000000" V4, {.at = 4, .length = V4_BYTES}},
	{0, "0a000000" V6, {.at = 4, .length = V6_BYTES}},
	{0, "18000000" V6, {.at = 4, .length = V6_BYTES}},
	{0, "1c000000" V6, {.at = 4, .length = V6_BYTES}},
	{0, "0000001e" V6, {.at = 4, .length = V6_BYTES}},
	{0, "07000000" V4, {.result = -EAFNOSUPPORT}},
	{0, "00000000" V4, {.result = -EAFNOSUPPORT}},
	{0, "02000000" V6, {.result = -EBADMSG}}, /* the version is another */
	{0, "1e000000" V4, {.result = -EBADMSG}},
	{108, "00000002" V4, {.at = 4, .length = V4_BYTES}},
	{108, "00000018" V6, {.at = 4, .length = V6_BYTES}},
	/* Ethernet: padded; tagged once, twice and once too often */
	{1, MACS "0800" V4, {.at = 14, .length = V4_BYTES}},
	{1, MACS "0800" V4 PADDING "00", {.at = 14, .length = V4_BYTES}},
	{1, MACS "86dd" V6 "00000000", {.at = 14, .length = V6_BYTES}},
	{1, MACS "8100 0005 0800" V4, {.at = 18, .length = V4_BYTES}},
	{1, MACS "88a8 0005 8100 e006 86dd" V6, {.at = 22, .length = V6_BYTES}},
	{1, MACS "9100 0005 8100 0006 0800" V4, {.at = 22, .length = V4_BYTES}},
	{1, MACS "8100 0005 8100 0006 8100 0007 0800" V4, {.result = -EAFNOSUPPORT}},
	{1, MACS "0806 0001 0800 0604 0001" PADDING, {.result = -EAFNOSUPPORT}},
	{1, MACS "0026 424203 0000000000" PADDING,
		{.result = -EAFNOSUPPORT}}, /* 802.3: spanning tree */
	{1, MACS "88cc 0207" PADDING, {.result = -EAFNOSUPPORT}},
	{1, MACS "0800" V6, {.result = -EBADMSG}},
	{1, MACS "86dd" V4, {.result = -EBADMSG}},
	/* PPPoE: IPv4, IPv6, behind a tag, LCP; another version; a stage that has no packets */
	{1, MACS "8864 11 00 0001 001f 0021" V4, {.at = 22, .length = V4_BYTES}},
	{1, MACS "8864 11 00 0001 0033 0057" V6, {.at = 22, .length = V6_BYTES}},
	{1, MACS "8100 0007 8864 11 00 0001 001f 0021" V4 "0000", {.at = 26, .length = V4_BYTES}},
	{1, MACS "8864 11 00 0001 0006 c021 0901 0004", {.result = -EAFNOSUPPORT}},
	{1, MACS "8864 12 00 0001 001f 0021" V4, {.result = -EBADMSG}},
	{1, MACS "8864 11 a7 0001 001f 0021" V4, {.result = -EBADMSG}},
	{1, MACS "8863 11 09 0000 0004 0101 0000", {.result = -EAFNOSUPPORT}},
	/* nothing before the packet */
	{101, V4, {.at = 0, .length = V4_BYTES}},
	{101, V6, {.at = 0, .length = V6_BYTES}},
	{12, V4, {.at = 0, .length = V4_BYTES}},
	{14, V6, {.at = 0, .length = V6_BYTES}},
	{101, "00" V4, {.result = -EBADMSG}},
	{101, "75" V4, {.result = -EBADMSG}},
	{228, V4 "00", {.at = 0, .length = V4_BYTES}},
	{228, V6, {.result = -EBADMSG}},
	{229, V6 "00", {.at = 0, .length = V6_BYTES}},
	{229, V4, {.result = -EBADMSG}},
	/* Linux cooked: to us, to all, to a group, to another, from us; kernel's own; over loopback */
	{113, SLL("0000", "0001") "0800" V4,
		{.at = 16, .length = V4_BYTES, .direction = PCAPNG_INBOUND}},
	{113, SLL("0001", "0001") "0800" V4,
		{.at = 16, .length = V4_BYTES, .direction = PCAPNG_INBOUND}},
	{113, SLL("0002", "0001") "86dd" V6,
		{.at = 16, .length = V6_BYTES, .direction = PCAPNG_INBOUND}},
	{113, SLL("0003", "0001") "0800" V4,
		{.at = 16, .length = V4_BYTES, .direction = PCAPNG_UNKNOWN}},
	{113, SLL("0004", "0001") "86dd" V6,
		{.at = 16, .length = V6_BYTES, .direction = PCAPNG_OUTBOUND}},
	{113, SLL("0004", "fffe") "0800" V4,
		{.at = 16, .length = V4_BYTES, .direction = PCAPNG_OUTBOUND}},
	{113, SLL("0007", "0001") "0800" V4,
		{.at = 16, .length = V4_BYTES, .direction = PCAPNG_UNKNOWN}},
	{113, SLL("0000", "0304") "0800" V4,
		{.at = 16, .length = V4_BYTES, .direction = PCAPNG_INBOUND}},
	{113, SLL("0004", "0304") "0800" V4,
		{.at = 16, .length = V4_BYTES, .direction = PCAPNG_INBOUND}},
	{113, SLL("0000", "0001") "8100 0005 0800" V4,
		{.at = 20, .length = V4_BYTES, .direction = PCAPNG_INBOUND}},
	{113, SLL("0000", "0200") "8864 11 00 0001 001f 0021" V4,
		{.at = 24, .length = V4_BYTES, .direction = PCAPNG_INBOUND}},
	{113, SLL("0000", "0001") "0806 0001", {.result = -EAFNOSUPPORT}},
	{113, SLL("0000", "0001") "0004 4242", {.result = -EAFNOSUPPORT}},
	{113, SLL("0000", "0001") "0800" V6, {.result = -EBADMSG}},
	{276, SLL2("0800", "0001", "00") V4,
		{.at = 20, .length = V4_BYTES, .direction = PCAPNG_INBOUND, .interface = 7}},
	{276, SLL2("86dd", "0001", "04") V6,
		{.at = 20, .length = V6_BYTES, .direction = PCAPNG_OUTBOUND, .interface = 7}},
	{276, SLL2("0800", "0304", "04") V4,
		{.at = 20, .length = V4_BYTES, .direction = PCAPNG_INBOUND, .interface = 7}},
	{276, SLL2("0800", "0001", "03") V4,
		{.at = 20, .length = V4_BYTES, .direction = PCAPNG_UNKNOWN, .interface = 7}},
	{276, SLL2("8100", "0001", "00") "0005 86dd" V6,
		{.at = 24, .length = V6_BYTES, .direction = PCAPNG_INBOUND, .interface = 7}},
	{276, SLL2("0806", "0001", "00") "0001", {.result = -EAFNOSUPPORT}},
	/* of headers, the length only: of IPv4 with options; less than its header */
	{101, "4600001c 00010000 40110000 0a000001 0a000002 94040000 aaaaaaaa",
		{.at = 0, .length = 28}},
	{101, "46000018 00010000 40110000 0a000001 0a000002 94040000 aaaaaaaa",
		{.at = 0, .length = 24}},
	{101, "46000017 00010000 40110000 0a000001 0a000002 94040000 aaaaaaaa",
		{.result = -EBADMSG}},
	{101, "44000020 00010000 40110000 0a000001 0a000002 94040000 aaaaaaaa",
		{.result = -EBADMSG}},
	{101, "40000020 00010000 40110000 0a000001 0a000002 94040000 aaaaaaaa",
		{.result = -EBADMSG}},
	/* no length where the packet is longer than it could say */
	{101, "45000000 00010000 40060000 0a000001 0a000002 aaaa", {.length = 22, .endless = true}},
	{101,
		"60000000 00000040 20010db8000000000000000000000001 "
		"20010db8000000000000000000000002"
		"0600c20400011170 aa",
		{.length = 49, .endless = true}},
	/* but none is what others with nothing inside have */
	{101,
		"60000000 00003b40 20010db8000000000000000000000001 "
		"20010db8000000000000000000000002"
		"0000",
		{.at = 0, .length = 40}},
	/* link types that are not known: PPP, 802.11, USB, and one whose low bits are Ethernet's */
	{9, "ff030021" V4, {.result = -ENOTSUP}},
	{105, "0800" V4, {.result = -ENOTSUP}},
	{220, V4, {.result = -ENOTSUP}},
	{0x10001, MACS "0800" V4, {.result = -ENOTSUP}},
};

/* Decodes a copy of the exact size, so that a sanitizer sees the first byte that is read beyond it. */
static int decode(unsigned link, const uint8_t *bytes, size_t length, struct wanted *out, bool *cut)
{
	uint8_t *exact = malloc(length ? length : 1);
	struct frame f;

	assert_non_null(exact);
	memcpy(exact, bytes, length);
	memset(&f, 0xee, sizeof(f));
	*out = (struct wanted){.result = frame_decode(link, (struct span){exact, length}, &f)};
	if (!out->result) {
		assert_true(f.packet.data >= exact);
		out->at = (size_t)(f.packet.data - exact);
		assert_true(out->at + f.packet.length <= length);
		assert_int_equal(f.cut_off, f.packet.length < f.length);
		assert_true(f.packet.length <= f.length);
		out->length = f.length;
		out->direction = f.direction;
		out->interface = f.interface;
		*cut = f.cut_off;
		if (f.cut_off)
			assert_int_equal(out->at + f.packet.length, length);
	}
	free(exact);
	return out->result;
}

static void assert_same(const struct wanted *a, const struct wanted *b)
{
	assert_int_equal(a->result, b->result);
	assert_int_equal(a->at, b->at);
	assert_int_equal(a->length, b->length);
	assert_int_equal(a->direction, b->direction);
	assert_int_equal(a->interface, b->interface);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[FRAME_BYTES] = {0};
		size_t length = from_hex(rows[i].hex, bytes);
		struct wanted got;
		bool cut = false;

		decode(rows[i].link, bytes, length, &got, &cut);
		assert_same(&got, &rows[i].wanted);
		assert_false(cut);
	}
}

/* How long the IP header of a packet is. */
static size_t header_of(const uint8_t *packet)
{
	return packet[0] >> 4 == 6 ? 40 : (packet[0] & 15) * 4u;
}

/*
 * Whatever its length, a frame is malformed up to the end of the IP header, then cut off, then whole. Those without a
 * length are whole always.
 */
static void test_lengths(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[FRAME_BYTES] = {0};
		size_t whole = from_hex(rows[i].hex, bytes), header;
		const struct wanted *w = &rows[i].wanted;

		if (w->result)
			continue;
		header = w->at + header_of(bytes + w->at);
		for (size_t length = 0; length < whole; length++) {
			struct wanted got;
			bool cut = false;

			decode(rows[i].link, bytes, length, &got, &cut);
			if (length < header) {
				assert_int_equal(got.result, -EBADMSG);
				continue;
			}
			if (w->endless) {
				assert_int_equal(got.length, length - w->at);
				assert_false(cut);
				continue;
			}
			assert_same(&got, w);
			assert_int_equal(cut, length < w->at + w->length);
		}
	}
}

/* Frames without IP that end before that is known are malformed; none is taken for a packet. */
static void test_lengths_without_packet(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[FRAME_BYTES] = {0};
		size_t whole = from_hex(rows[i].hex, bytes);
		const struct wanted *w = &rows[i].wanted;

		if (!w->result)
			continue;
		for (size_t length = 0; length < whole; length++) {
			struct wanted got;
			bool cut;

			decode(rows[i].link, bytes, length, &got, &cut);
			assert_true(got.result == w->result || got.result == -EBADMSG);
		}
	}
}

static void test_nothing(void **state)
{
	struct frame f;

	(void)state;
	assert_int_equal(frame_decode(101, (struct span){NULL, 0}, &f), -EBADMSG);
	assert_int_equal(frame_decode(1, (struct span){NULL, 0}, &f), -EBADMSG);
	assert_int_equal(frame_decode(2, (struct span){NULL, 0}, &f), -ENOTSUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_lengths_without_packet),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
