// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Blocks of a pcapng file, byte by byte as draft-ietf-opsawg-pcapng has them. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/pcapng.h"

#define COUNT(a)    (sizeof(a) / sizeof(*(a)))
#define BLOCK_BYTES 4096

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

static uint32_t u32_at(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* What one of the functions writes: of a packet, or with a text. */
struct block {
	const struct pcapng_packet *packet;
	const char *section, *interface;
};

static int write_block(const struct block *b, void *buffer, size_t size)
{
	if (b->packet)
		return pcapng_packet(buffer, size, b->packet);
	if (b->section)
		return pcapng_section(buffer, size, b->section);
	return pcapng_interface(buffer, size, PCAPNG_LINK_SLL, b->interface);
}

static const char hello4[] = "\x45hello";

/* The packets of the tables. */
static const struct pcapng_packet plain = {.t_us = 1, .bytes = hello4, .length = 6},
				  inbound = {.interface = 0x01020304,
					  .t_us = 0x0005ffff12345678,
					  .direction = PCAPNG_INBOUND,
					  .bytes = "\x60six",
					  .length = 4,
					  .comment = "abc"},
				  outbound = {.interface = 7,
					  .direction = PCAPNG_OUTBOUND,
					  .bytes = "\x46"
						   "1234567",
					  .length = 8,
					  .comment = ""},
				  empty = {.bytes = NULL, .length = 0};

static const struct {
	struct block block;
	const char *hex;
} rows[] = {
	{{.section = "natlab"},
		"0a0d0d0a 0000002c 1a2b3c4d 0001 0000 ffffffffffffffff"
		"0004 0006 6e61746c6162 0000  0000 0000 0000002c"},
	{{.section = ""},
		"0a0d0d0a 00000024 1a2b3c4d 0001 0000 ffffffffffffffff"
		"0004 0000  0000 0000 00000024"},
	{{.interface = "nat"},
		"00000001 00000020 0071 0000 00000000 0002 0003 6e617400  0000 0000 00000020"},
	{{.packet = &plain},
		"00000006 0000003c 00000000 00000000 00000001 00000016 00000016"
		"0003 fffe 0000 0000000000000000 0800 4568656c6c6f 0000  0000 0000 0000003c"},
	{{.packet = &inbound},
		"00000006 00000048 01020304 0005ffff 12345678 00000014 00000014"
		"0000 fffe 0000 0000000000000000 86dd 60736978"
		"0001 0003 61626300 0002 0004 00000001 0000 0000 00000048"},
	{{.packet = &outbound},
		"00000006 00000048 00000007 00000000 00000000 00000018 00000018"
		"0004 fffe 0000 0000000000000000 0800 4631323334353637"
		"0001 0000 0002 0004 00000002 0000 0000 00000048"},
	{{.packet = &empty},
		"00000006 00000034 00000000 00000000 00000000 00000010 00000010"
		"0003 fffe 0000 0000000000000000 0800 0000 0000 00000034"},
};

static void test_bytes(void **state)
{
	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		uint8_t buffer[BLOCK_BYTES], wanted[BLOCK_BYTES] = {0};
		size_t length = from_hex(rows[r].hex, wanted);
		int n;

		memset(buffer, 0xee, sizeof(buffer));
		n = write_block(&rows[r].block, buffer, sizeof(buffer));
		assert_int_equal(n, length);
		assert_memory_equal(buffer, wanted, length);
		assert_int_equal(buffer[length], 0xee);
		assert_int_equal(u32_at(buffer + 4), length);
		assert_int_equal(u32_at(buffer + length - 4), length);
		assert_int_equal(length % 4, 0);
	}
}

/* Any buffer that is too small is said to be, and nothing is written behind it. */
static void test_small_buffers(void **state)
{
	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		uint8_t full[BLOCK_BYTES], *exact;
		int length = write_block(&rows[r].block, full, sizeof(full));

		for (int size = 0; size <= length; size++) {
			exact = malloc(size ? (size_t)size : 1);
			assert_non_null(exact);
			assert_int_equal(write_block(&rows[r].block, exact, (size_t)size),
				size == length ? length : -EMSGSIZE);
			if (size == length)
				assert_memory_equal(exact, full, (size_t)length);
			free(exact);
		}
	}
}

/* The largest packet with the longest comment fits in what the header says it needs. */
static void test_overhead(void **state)
{
	static uint8_t bytes[65535], buffer[sizeof(bytes) + PCAPNG_OVERHEAD];
	static char comment[2 * PCAPNG_COMMENT_MAX + 1];
	struct pcapng_packet p = {.direction = PCAPNG_INBOUND, .bytes = bytes, .comment = comment};

	(void)state;
	memset(comment, 'c', sizeof(comment) - 1);
	for (p.length = sizeof(bytes) - 4; p.length <= sizeof(bytes); p.length++)
		assert_true(pcapng_packet(buffer, p.length + PCAPNG_OVERHEAD, &p) > 0);
}

/* The comment of a packet with one that is longer than it may be. */
static size_t cut_comment(const char *comment, char *out)
{
	static uint8_t buffer[BLOCK_BYTES];
	struct pcapng_packet p = {.bytes = hello4, .length = 4, .comment = comment};
	size_t at = 28 + PCAPNG_SLL_BYTES + 4, length;

	assert_true(pcapng_packet(buffer, sizeof(buffer), &p) > 0);
	assert_int_equal(u32_at(buffer + at) >> 16, 1);
	length = u32_at(buffer + at) & 0xffff;
	memcpy(out, buffer + at + 4, length);
	return length;
}

/* Comments are UTF-8: they are cut off between characters. */
static void test_long_comments(void **state)
{
	static const struct {
		const char *character; /* which begins so many bytes before the end */
		size_t before, kept;
	} chars[] = {
		{"x", 1, 1},
		{"\xc3\xa4", 2, 2},
		{"\xc3\xa4", 1, 0},
		{"\xe2\x82\xac", 3, 3},
		{"\xe2\x82\xac", 2, 0},
		{"\xe2\x82\xac", 1, 0},
		{"\xf0\x9f\x98\x80", 4, 4},
		{"\xf0\x9f\x98\x80", 3, 0},
		{"\xf0\x9f\x98\x80", 1, 0},
		/* what is no UTF-8 anyway costs no more than a character could have */
		{"\x80\x80\x80\x80\x80\x80\x80\x80", 8, 8},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(chars); i++) {
		char text[PCAPNG_COMMENT_MAX + 100], out[BLOCK_BYTES];
		size_t at = PCAPNG_COMMENT_MAX - chars[i].before;
		size_t length;

		memset(text, 'a', sizeof(text));
		memcpy(text + at, chars[i].character, strlen(chars[i].character));
		text[sizeof(text) - 1] = '\0';
		length = cut_comment(text, out);
		assert_int_equal(length, at + chars[i].kept);
		assert_memory_equal(out, text, length);
		/* what is just long enough is whole, whatever it ends with */
		memset(text, 'a', sizeof(text));
		at = PCAPNG_COMMENT_MAX - strlen(chars[i].character);
		memcpy(text + at, chars[i].character, strlen(chars[i].character) + 1);
		assert_int_equal(cut_comment(text, out), PCAPNG_COMMENT_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_small_buffers),
		cmocka_unit_test(test_overhead),
		cmocka_unit_test(test_long_comments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
