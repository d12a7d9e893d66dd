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

#include "base/random.h"
#include "wire/syn.h"

#define LENGTH(a)   (sizeof(a) / sizeof(*(a)))
#define HEADERS_MAX 120

#define IPV4	    "4500 003c 0000 4000 3906 0000 0a090102 0a090202 "
#define IPV6 \
	"6200 0000 0028 0634 fd090001000000000000000000000002 fd090002000000000000000000000002 "
#define TCP	"9c41 0d96 a77bbe4c 00000000 a002 faf0 1744 0000 "
#define OPTIONS "0204 05b4 0402 080a b01e0812 00000000 01 0303 0a"

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

/* --- options --- */

static void test_options(void **state)
{
	static const struct {
		const char *bytes;
		uint8_t options, scale;
		uint16_t mss;
	} rows[] = {
		{"", 0, 0, 0},
		{OPTIONS, 15, 10, 1460},
		{"0204 0584", SYN_MSS, 0, 1412},
		{"0402", SYN_SACK, 0, 0},
		{"01 0303 0e", SYN_SCALE, 14, 0},
		{"01 0303 ff", SYN_SCALE, 255, 0},
		{"0101 080a 00000001 00000000", SYN_TIMESTAMPS, 0, 0},
		/* what is there as NOP is not there, as nft writes it */
		{"0204 0514 0101 0101 01010101 01010101 01 0101 01", SYN_MSS, 0, 1300},
		/* an END, and nothing behind it counts */
		{"0402 00 00 0204 05b4", SYN_SACK, 0, 0},
		/* the last one of two counts, as for Linux */
		{"0204 05b4 0204 0400", SYN_MSS, 0, 1024},
		/* one that is not known is skipped */
		{"2202 1e03 00 fe04 f989 0204 05b4", SYN_MSS, 0, 1460},
		/* lengths that are not those of the option */
		{"0203 05 0402", SYN_SACK, 0, 0},
		{"0205 05b4 00 0402", SYN_SACK, 0, 0},
		{"0403 00 0302 0402", SYN_SACK, 0, 0},
		{"0809 00000000000000 0402", SYN_SACK, 0, 0},
		/* lengths that cannot be, after which there is nothing more */
		{"0402 0200 0303 07", SYN_SACK, 0, 0},
		{"0402 0201 0303 07", SYN_SACK, 0, 0},
		{"0402 0205 05b4", SYN_SACK, 0, 0},
		{"0402 02", SYN_SACK, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		uint8_t bytes[HEADERS_MAX];
		struct span options = {bytes, from_hex(rows[i].bytes, bytes)};
		struct syn_options syn;

		memset(&syn, 0xff, sizeof(syn));
		syn_read_options(options, &syn);
		if (syn.has != rows[i].options || syn.scale != rows[i].scale ||
			syn.mss != rows[i].mss)
			fail_msg("%s: options %u, scale %u, MSS %u", rows[i].bytes, syn.has,
				syn.scale, syn.mss);
	}
}

/* Where each one stands, so that it can be overwritten. */
static void test_places(void **state)
{
	static const struct {
		uint8_t kind;
		size_t at, length;
	} rows[] = {{2, 0, 2}, {4, 4, 0}, {8, 6, 8}, {3, 17, 1}};
	uint8_t bytes[HEADERS_MAX], kind;
	struct reader r = reader_over(bytes, from_hex(OPTIONS, bytes));
	struct span value;
	size_t at;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		assert_true(tcp_option_next(&r, &kind, &at, &value));
		assert_int_equal(kind, rows[i].kind);
		assert_int_equal(at, rows[i].at);
		assert_int_equal(value.length, rows[i].length);
		assert_int_equal(bytes[at], kind);
	}
	assert_false(tcp_option_next(&r, &kind, &at, &value));
	assert_false(tcp_option_next(&r, &kind, &at, &value));
}

/* --- headers --- */

static void test_headers(void **state)
{
	static const struct {
		const char *bytes;
		struct syn syn; /* sequence 0: it is none */
	} rows[] = {
		{IPV4 TCP OPTIONS, {57, 0, 64240, 0xa77bbe4c, 20, {15, 10, 1460}}},
		{IPV6 TCP OPTIONS, {52, 0x20, 64240, 0xa77bbe4c, 20, {15, 10, 1460}}},
		/* TOS, options of IP, none of TCP */
		{"46b8 0040 0000 4000 ff06 0000 0a090102 0a090202 01010101 "
		 "9c41 0d96 00000001 00000000 5002 0010 1744 0000",
			{255, 0xb8, 16, 1, 0, {0, 0, 0}}},
		/* a SYN that carries data, of which only the headers were saved */
		{"4500 0440 0000 4000 4006 0000 0a090102 0a090202 " TCP OPTIONS,
			{64, 0, 64240, 0xa77bbe4c, 20, {15, 10, 1460}}},
		/* ECN flags beside the SYN */
		{IPV4 "9c41 0d96 00000001 00000000 50c2 0010 1744 0000",
			{57, 0, 16, 1, 0, {0, 0, 0}}},
		/* nothing, no IP, another protocol, IPv6 with an extension header */
		{"", {.ttl = 0}},
		{"45", {.ttl = 0}},
		{"5500 003c 0000 4000 4006 0000 0a090102 0a090202 " TCP OPTIONS, {.ttl = 0}},
		{"4400 003c 0000 4000 4006 0000 0a090102 0a090202 " TCP OPTIONS, {.ttl = 0}},
		{"4500 003c 0000 4000 4011 0000 0a090102 0a090202 " TCP OPTIONS, {.ttl = 0}},
		{"6000 0000 0028 0040 fd090001000000000000000000000002 "
		 "fd090002000000000000000000000002 0600000000000000 " TCP OPTIONS,
			{.ttl = 0}},
		/* no SYN; a header too short; one that is not there */
		{IPV4 "9c41 0d96 00000001 00000000 5010 0010 1744 0000", {.ttl = 0}},
		{IPV4 "9c41 0d96 00000001 00000000 4002 0010 1744 0000", {.ttl = 0}},
		{IPV4 "9c41 0d96 00000001 00000000 6002 0010 1744 0000", {.ttl = 0}},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		uint8_t bytes[HEADERS_MAX];
		size_t length = from_hex(rows[i].bytes, bytes);
		const struct syn *want = &rows[i].syn;
		struct syn syn;

		assert_int_equal(syn_decode(bytes, length, &syn), want->sequence ? 0 : -EBADMSG);
		if (!want->sequence)
			continue;
		assert_int_equal(syn.ttl, want->ttl);
		assert_int_equal(syn.tos, want->tos);
		assert_int_equal(syn.options.has, want->options.has);
		assert_int_equal(syn.options.scale, want->options.scale);
		assert_int_equal(syn.options.mss, want->options.mss);
		assert_int_equal(syn.window, want->window);
		assert_int_equal(syn.options_bytes, want->options_bytes);
		assert_int_equal(syn.sequence, want->sequence);
	}
}

/* Cut off anywhere, each time allocated to the byte for the sanitizer. */
static void test_cut_off(void **state)
{
	static const char *const whole[] = {IPV4 TCP OPTIONS, IPV6 TCP OPTIONS};

	(void)state;
	for (size_t i = 0; i < LENGTH(whole); i++) {
		uint8_t bytes[HEADERS_MAX];
		size_t length = from_hex(whole[i], bytes);

		for (size_t n = 0; n <= length; n++) {
			uint8_t *part = malloc(n ? n : 1);
			struct syn syn;

			assert_non_null(part);
			memcpy(part, bytes, n);
			assert_int_equal(syn_decode(part, n, &syn), n == length ? 0 : -EBADMSG);
			free(part);
		}
	}
}

/* Any bytes: it ends, and reads nothing beyond. */
static void test_any(void **state)
{
	struct random random;

	(void)state;
	random_init_number(&random, 1);
	for (unsigned i = 0; i < 200000; i++) {
		size_t length = random_below(&random, 61);
		uint8_t *bytes = malloc(length ? length : 1);
		struct syn_options options;
		struct syn syn;

		assert_non_null(bytes);
		random_bytes(&random, bytes, length);
		for (size_t k = 0; k < length; k++)
			if (random_below(&random, 2)) /* kinds and lengths that mean something */
				bytes[k] &= 15;
		syn_read_options((struct span){bytes, length}, &options);
		if (length) {
			bytes[0] = (uint8_t)(random_below(&random, 2) ? 0x45 : 0x60);
			syn_decode(bytes, length, &syn);
		}
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests_name("syn", tests, NULL, NULL);
}
