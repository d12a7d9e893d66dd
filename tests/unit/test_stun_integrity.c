// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* The published messages (RFC 5769; RFC 8489 B.1), read and written byte for byte. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/stun.h"

#define PASSWORD      "VOkJxbRl1RmTxUk/WvJxBt"
#define USER_KATAKANA "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9"
#define NONCE_5769    "f//499k954d6OL34oL9FSTvy64sA"
#define NONCE_8489    "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"
#define BYTES_MAX     256

static const struct stun_id short_id = {{0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
	0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae}};
static const struct stun_id long_id = {{0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6, 0xad,
	0x72, 0xc0, 0x29, 0xda, 0x41, 0x2e}};

/* clang-format off */

/*
 * RFC 5769 2.1
 *	Binding request, 108 bytes
 *	SOFTWARE            "STUN test client"
 *	PRIORITY            0x6e0001ff
 *	ICE-CONTROLLED      0x932ff9b151263b36
 *	USERNAME            "evtj:h6vY", padded with blanks
 *	MESSAGE-INTEGRITY   short-term, "VOkJxbRl1RmTxUk/WvJxBt"
 *	FINGERPRINT         0xe57a3bcf
 */
static const uint8_t request[] = {
	0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6,
	0x86, 0xfa, 0x87, 0xdf, 0xae,
	0x80, 0x22, 0x00, 0x10, 'S', 'T', 'U', 'N', ' ', 't', 'e', 's', 't', ' ', 'c', 'l', 'i',
	'e', 'n', 't',
	0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
	0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36,
	0x00, 0x06, 0x00, 0x09, 'e', 'v', 't', 'j', ':', 'h', '6', 'v', 'Y', ' ', ' ', ' ',
	0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2,
	0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2,
	0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
};

/*
 * RFC 5769 2.2
 *	Binding success response, 80 bytes
 *	SOFTWARE            "test vector", padded with a blank
 *	XOR-MAPPED-ADDRESS  192.0.2.1:32853
 *	MESSAGE-INTEGRITY   short-term, "VOkJxbRl1RmTxUk/WvJxBt"
 *	FINGERPRINT         0xc07d4c96
 */
static const uint8_t response_ipv4[] = {
	0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6,
	0x86, 0xfa, 0x87, 0xdf, 0xae,
	0x80, 0x22, 0x00, 0x0b, 't', 'e', 's', 't', ' ', 'v', 'e', 'c', 't', 'o', 'r', ' ',
	0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
	0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89,
	0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7,
	0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96,
};

/*
 * RFC 5769 2.3
 *	Binding success response, 92 bytes
 *	SOFTWARE            "test vector", padded with a blank
 *	XOR-MAPPED-ADDRESS  [2001:db8:1234:5678:11:2233:4455:6677]:32853
 *	MESSAGE-INTEGRITY   short-term, "VOkJxbRl1RmTxUk/WvJxBt"
 *	FINGERPRINT         0xc8fb0b4c
 */
static const uint8_t response_ipv6[] = {
	0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6,
	0x86, 0xfa, 0x87, 0xdf, 0xae,
	0x80, 0x22, 0x00, 0x0b, 't', 'e', 's', 't', ' ', 'v', 'e', 'c', 't', 'o', 'r', ' ',
	0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1,
	0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
	0x00, 0x08, 0x00, 0x14, 0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1, 0x17, 0x84, 0xc9,
	0x7c, 0x82, 0x92, 0xc2, 0x75, 0xbf, 0xe3, 0xed, 0x41,
	0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c,
};

/*
 * RFC 5769 2.4
 *	Binding request, 116 bytes
 *	USERNAME            U+30DE U+30C8 U+30EA U+30C3 U+30AF U+30B9
 *	NONCE               "f//499k954d6OL34oL9FSTvy64sA"
 *	REALM               "example.org", padded with zero
 *	MESSAGE-INTEGRITY   long-term: MD5 of user:realm:TheMatrIX
 */
static const uint8_t request_long_term[] = {
	0x00, 0x01, 0x00, 0x60, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72,
	0xc0, 0x29, 0xda, 0x41, 0x2e,
	0x00, 0x06, 0x00, 0x12, 0xe3, 0x83, 0x9e, 0xe3, 0x83, 0x88, 0xe3, 0x83, 0xaa, 0xe3, 0x83,
	0x83, 0xe3, 0x82, 0xaf, 0xe3, 0x82, 0xb9, 0x00, 0x00,
	0x00, 0x15, 0x00, 0x1c, 'f', '/', '/', '4', '9', '9', 'k', '9', '5', '4', 'd', '6', 'O',
	'L', '3', '4', 'o', 'L', '9', 'F', 'S', 'T', 'v', 'y', '6', '4', 's', 'A',
	0x00, 0x14, 0x00, 0x0b, 'e', 'x', 'a', 'm', 'p', 'l', 'e', '.', 'o', 'r', 'g', 0x00,
	0x00, 0x08, 0x00, 0x14, 0xf6, 0x70, 0x24, 0x65, 0x6d, 0xd6, 0x4a, 0x3e, 0x02, 0xb8, 0xe0,
	0x71, 0x2e, 0x85, 0xc9, 0xa2, 0x8c, 0xa8, 0x96, 0x66,
};

/*
 * RFC 8489 B.1 as corrected by erratum 6268
 *	Binding request, 164 bytes
 *	USERHASH                  of the same user and realm as above
 *	NONCE                     "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"
 *	REALM                     "example.org"
 *	PASSWORD-ALGORITHM        SHA-256
 *	MESSAGE-INTEGRITY-SHA256  long-term: SHA-256 of user:realm:TheMatrIX
 */
static const uint8_t request_sha256[] = {
	0x00, 0x01, 0x00, 0x90, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72,
	0xc0, 0x29, 0xda, 0x41, 0x2e,
	0x00, 0x1e, 0x00, 0x20, 0x4a, 0x3c, 0xf3, 0x8f, 0xef, 0x69, 0x92, 0xbd, 0xa9, 0x52, 0xc6,
	0x78, 0x04, 0x17, 0xda, 0x0f, 0x24, 0x81, 0x94, 0x15, 0x56, 0x9e, 0x60, 0xb2, 0x05, 0xc4,
	0x6e, 0x41, 0x40, 0x7f, 0x17, 0x04,
	0x00, 0x15, 0x00, 0x29, 'o', 'b', 'M', 'a', 't', 'J', 'o', 's', '2', 'A', 'A', 'A', 'C',
	'f', '/', '/', '4', '9', '9', 'k', '9', '5', '4', 'd', '6', 'O', 'L', '3', '4', 'o', 'L',
	'9', 'F', 'S', 'T', 'v', 'y', '6', '4', 's', 'A', 0x00, 0x00, 0x00,
	0x00, 0x14, 0x00, 0x0b, 'e', 'x', 'a', 'm', 'p', 'l', 'e', '.', 'o', 'r', 'g', 0x00,
	0x00, 0x1d, 0x00, 0x04, 0x00, 0x02, 0x00, 0x00,
	0x00, 0x1c, 0x00, 0x20, 0xb5, 0xc7, 0xbf, 0x00, 0x5b, 0x6c, 0x52, 0xa2, 0x1c, 0x51, 0xc5,
	0xe8, 0x92, 0xf8, 0x19, 0x24, 0x13, 0x62, 0x96, 0xcb, 0x92, 0x7c, 0x43, 0x14, 0x93, 0x09,
	0x27, 0x8c, 0xc6, 0x51, 0x8e, 0x65,
};

/* clang-format on */

static const uint8_t long_term_key[16] = {0xe8, 0xca, 0x7a, 0xd5, 0x9d, 0x5e, 0xb0, 0x51, 0x8e,
	0x31, 0x29, 0x11, 0xd2, 0xda, 0xb2, 0xa9};
static const uint8_t long_term_key_sha256[32] = {0xdd, 0x29, 0x5a, 0x61, 0x3b, 0x90, 0x58, 0xc3,
	0xc2, 0x3d, 0x6d, 0xc7, 0x16, 0x5b, 0xda, 0x07, 0x23, 0x04, 0xd9, 0x89, 0xc9, 0xd0, 0xaf,
	0x3a, 0x8c, 0x7e, 0x18, 0x4b, 0x4f, 0x9b, 0xb4, 0xa1};

static const struct {
	const uint8_t *bytes;
	size_t length;
	const void *key;
	size_t key_length;
	bool sha256, fingerprint;
} vectors[] = {
	{request, sizeof(request), PASSWORD, 22, false, true},
	{response_ipv4, sizeof(response_ipv4), PASSWORD, 22, false, true},
	{response_ipv6, sizeof(response_ipv6), PASSWORD, 22, false, true},
	{request_long_term, sizeof(request_long_term), long_term_key, 16, false, false},
	{request_sha256, sizeof(request_sha256), long_term_key_sha256, 32, true, false},
};

#define VECTORS (sizeof(vectors) / sizeof(*vectors))

static int check(size_t i, const struct stun_message *m)
{
	return vectors[i].sha256
		? stun_check_integrity_sha256(m, vectors[i].key, vectors[i].key_length)
		: stun_check_integrity(m, vectors[i].key, vectors[i].key_length);
}

static void assert_span(struct span s, const char *text)
{
	assert_int_equal(s.length, strlen(text));
	assert_memory_equal(s.data, text, s.length);
}

static void assert_mapped(const struct stun_message *m, const char *endpoint)
{
	char text[ENDPOINT_TEXT];

	assert_string_equal(endpoint_format(&m->xor_mapped, text), endpoint);
}

static void test_read(void **state)
{
	struct stun_message m;

	(void)state;
	assert_int_equal(stun_decode(request, sizeof(request), &m), 0);
	assert_int_equal(m.class, STUN_REQUEST);
	assert_int_equal(m.method, STUN_BINDING);
	assert_false(m.classic);
	assert_true(stun_id_equal(&m.id, &short_id));
	assert_span(m.software, "STUN test client");
	assert_span(m.username, "evtj:h6vY");
	assert_int_equal(m.unknown_count, 0);

	assert_int_equal(stun_decode(response_ipv4, sizeof(response_ipv4), &m), 0);
	assert_int_equal(m.class, STUN_SUCCESS);
	assert_span(m.software, "test vector");
	assert_mapped(&m, "192.0.2.1:32853");

	assert_int_equal(stun_decode(response_ipv6, sizeof(response_ipv6), &m), 0);
	assert_span(m.software, "test vector");
	assert_mapped(&m, "[2001:db8:1234:5678:11:2233:4455:6677]:32853");

	assert_int_equal(stun_decode(request_long_term, sizeof(request_long_term), &m), 0);
	assert_true(stun_id_equal(&m.id, &long_id));
	assert_span(m.username, USER_KATAKANA);
	assert_span(m.realm, "example.org");
	assert_span(m.nonce, NONCE_5769);

	assert_int_equal(stun_decode(request_sha256, sizeof(request_sha256), &m), 0);
	assert_span(m.realm, "example.org");
	assert_span(m.nonce, NONCE_8489);
	/* USERHASH and PASSWORD-ALGORITHM have to be understood, and are not */
	assert_int_equal(m.unknown_count, 2);
	assert_int_equal(m.unknown[0], 0x001e);
	assert_int_equal(m.unknown[1], 0x001d);
}

static void test_integrity(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		struct stun_message m;

		assert_int_equal(stun_decode(vectors[i].bytes, vectors[i].length, &m), 0);
		assert_int_equal(m.has_fingerprint, vectors[i].fingerprint);
		assert_int_equal(check(i, &m), 0);
		assert_int_equal(stun_check_integrity(&m, "wrong", 5),
			vectors[i].sha256 ? -ENOENT : -EBADMSG);
		assert_int_equal(stun_check_integrity_sha256(&m, "wrong", 5),
			vectors[i].sha256 ? -EBADMSG : -ENOENT);
	}
}

static void assert_written(struct stun_writer *s, const uint8_t *bytes, size_t length)
{
	assert_int_equal(stun_end(s), length);
	assert_memory_equal(s->w.data, bytes, length);
}

static void test_write(void **state)
{
	uint8_t buffer[BYTES_MAX];
	struct stun_writer s;
	struct endpoint e;

	(void)state;
	s = stun_begin(buffer, sizeof(buffer), STUN_REQUEST, STUN_BINDING, &short_id);
	s.padding = ' ';
	stun_add_text(&s, STUN_SOFTWARE, "STUN test client");
	stun_add_u32(&s, STUN_PRIORITY, 0x6e0001ff);
	stun_add(&s, STUN_ICE_CONTROLLED, "\x93\x2f\xf9\xb1\x51\x26\x3b\x36", 8);
	stun_add_text(&s, STUN_USERNAME, "evtj:h6vY");
	stun_add_integrity(&s, PASSWORD, strlen(PASSWORD));
	stun_add_fingerprint(&s);
	assert_written(&s, request, sizeof(request));

	assert_int_equal(endpoint_parse("192.0.2.1:32853", 0, &e), 0);
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		s = stun_begin(buffer, sizeof(buffer), STUN_SUCCESS, STUN_BINDING, &short_id);
		s.padding = ' ';
		stun_add_text(&s, STUN_SOFTWARE, "test vector");
		stun_add_address(&s, STUN_XOR_MAPPED_ADDRESS, &e);
		stun_add_integrity(&s, PASSWORD, strlen(PASSWORD));
		stun_add_fingerprint(&s);
		if (ipv6)
			assert_written(&s, response_ipv6, sizeof(response_ipv6));
		else
			assert_written(&s, response_ipv4, sizeof(response_ipv4));
		endpoint_parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853", 0, &e);
	}

	s = stun_begin(buffer, sizeof(buffer), STUN_REQUEST, STUN_BINDING, &long_id);
	stun_add_text(&s, STUN_USERNAME, USER_KATAKANA);
	stun_add_text(&s, STUN_NONCE, NONCE_5769);
	stun_add_text(&s, STUN_REALM, "example.org");
	stun_add_integrity(&s, long_term_key, sizeof(long_term_key));
	assert_written(&s, request_long_term, sizeof(request_long_term));

	s = stun_begin(buffer, sizeof(buffer), STUN_REQUEST, STUN_BINDING, &long_id);
	stun_add(&s, 0x001e, request_sha256 + 24, 32);
	stun_add_text(&s, STUN_NONCE, NONCE_8489);
	stun_add_text(&s, STUN_REALM, "example.org");
	stun_add_u32(&s, 0x001d, 0x00020000);
	stun_add_integrity_sha256(&s, long_term_key_sha256, sizeof(long_term_key_sha256));
	assert_written(&s, request_sha256, sizeof(request_sha256));
}

/*
 * In memory of exactly that size, so that a sanitizer sees the first byte that is read beyond
 * it.
 */
static int decode_copy(const uint8_t *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct stun_message m;
	int err;

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	err = stun_decode(copy, length, &m);
	free(copy);
	return err;
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		assert_int_equal(decode_copy(vectors[i].bytes, vectors[i].length), 0);
		for (size_t n = 0; n < vectors[i].length; n++)
			assert_int_equal(decode_copy(vectors[i].bytes, n), -EBADMSG);
	}
}

/* The same with a length field that says what is left: only whole attributes may remain. */
static void test_truncated_with_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		size_t boundaries = 0;

		for (size_t n = STUN_HEADER_BYTES; n < vectors[i].length; n++) {
			uint8_t copy[BYTES_MAX];
			struct stun_message m;

			memcpy(copy, vectors[i].bytes, n);
			copy[2] = (uint8_t)((n - STUN_HEADER_BYTES) >> 8);
			copy[3] = (uint8_t)(n - STUN_HEADER_BYTES);
			if (decode_copy(copy, n))
				continue;
			boundaries++;
			assert_int_equal(stun_decode(copy, n, &m), 0);
			assert_false(m.has_fingerprint);
			/* MESSAGE-INTEGRITY covers the length up to its own end */
			if (m.integrity_at || m.integrity_sha256_at)
				assert_int_equal(check(i, &m), 0);
		}
		assert_in_range(boundaries, 3, 6);
	}
}

/*
 * One bit wrong: the fingerprint does not fit, or has become something else; then the HMAC does
 * not.
 */
static void test_bit_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		uint8_t copy[BYTES_MAX];

		memcpy(copy, vectors[i].bytes, vectors[i].length);
		for (size_t bit = 0; bit < 8 * vectors[i].length; bit++) {
			size_t covered = vectors[i].length -
				(vectors[i].fingerprint ? STUN_FINGERPRINT_BYTES : 0);
			struct stun_message m;

			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (!stun_decode(copy, vectors[i].length, &m)) {
				assert_false(m.has_fingerprint);
				assert_int_equal(check(i, &m) != 0, bit / 8 < covered);
			}
			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/* MESSAGE-INTEGRITY-SHA256 may be cut to 16 bytes or more, in steps of four (RFC 8489 14.6). */
static void test_truncated_hmac(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes <= 40; bytes++) {
		static const uint8_t zeros[40];
		uint8_t buffer[BYTES_MAX];
		struct stun_message m;
		struct stun_writer s =
			stun_begin(buffer, sizeof(buffer), STUN_REQUEST, STUN_BINDING, &short_id);
		bool allowed = bytes >= 16 && bytes <= 32 && !(bytes % 4);

		stun_add(&s, STUN_MESSAGE_INTEGRITY_SHA256, zeros, bytes);
		assert_int_equal(
			stun_decode(buffer, (size_t)stun_end(&s), &m), allowed ? 0 : -EBADMSG);
		if (allowed)
			assert_int_equal(stun_check_integrity_sha256(&m, "key", 3), -EBADMSG);
	}
}

/*
 * HMAC-SHA256 under "key" of 00 01 00 14, the cookie and the ID above, by another
 * implementation.
 */
static void test_truncated_hmac_right(void **state)
{
	static const uint8_t digest[16] = {0x1a, 0x46, 0xf7, 0x3c, 0x50, 0x69, 0xfc, 0x97, 0x30,
		0xd3, 0x87, 0x37, 0xbb, 0x12, 0xe4, 0x04};
	uint8_t buffer[BYTES_MAX];
	struct stun_writer s =
		stun_begin(buffer, sizeof(buffer), STUN_REQUEST, STUN_BINDING, &short_id);
	struct stun_message m;

	(void)state;
	stun_add(&s, STUN_MESSAGE_INTEGRITY_SHA256, digest, sizeof(digest));
	assert_int_equal(stun_decode(buffer, (size_t)stun_end(&s), &m), 0);
	assert_int_equal(stun_check_integrity_sha256(&m, "key", 3), 0);
}

/* Only what stands before the integrity is protected, and so only that is believed. */
static void test_behind_integrity(void **state)
{
	uint8_t buffer[BYTES_MAX];
	struct stun_writer s =
		stun_begin(buffer, sizeof(buffer), STUN_SUCCESS, STUN_BINDING, &short_id);
	struct stun_message m;
	struct endpoint e;

	(void)state;
	endpoint_parse("192.0.2.1:1", 0, &e);
	stun_add_integrity(&s, "key", 3);
	stun_add_address(&s, STUN_XOR_MAPPED_ADDRESS, &e);
	stun_add_integrity_sha256(&s, "key", 3);
	stun_add_integrity(&s, "other", 5);
	stun_add_fingerprint(&s);
	assert_int_equal(stun_decode(buffer, (size_t)stun_end(&s), &m), 0);
	assert_int_equal(m.xor_mapped.family, FAMILY_NONE);
	assert_true(m.has_fingerprint);
	assert_int_equal(stun_check_integrity(&m, "key", 3), 0);
	assert_int_equal(stun_check_integrity_sha256(&m, "key", 3), 0);
}

/* FINGERPRINT has to be right, and the last one. */
static void test_fingerprint(void **state)
{
	uint8_t buffer[BYTES_MAX];
	struct stun_message m;
	struct stun_writer s;

	(void)state;
	s = stun_begin(buffer, sizeof(buffer), STUN_REQUEST, STUN_BINDING, &short_id);
	stun_add_fingerprint(&s);
	assert_int_equal(stun_decode(buffer, (size_t)stun_end(&s), &m), 0);
	assert_true(m.has_fingerprint);
	stun_add_text(&s, STUN_SOFTWARE, "x");
	assert_int_equal(stun_decode(buffer, (size_t)stun_end(&s), &m), -EBADMSG);
	s = stun_begin(buffer, sizeof(buffer), STUN_REQUEST, STUN_BINDING, &short_id);
	stun_add(&s, STUN_FINGERPRINT, "\0\0\0\0", 4);
	assert_int_equal(stun_decode(buffer, (size_t)stun_end(&s), &m), -EBADMSG);
	s = stun_begin(buffer, sizeof(buffer), STUN_REQUEST, STUN_BINDING, &short_id);
	stun_add(&s, STUN_FINGERPRINT, "\0\0\0\0\0\0\0\0", 8);
	assert_int_equal(stun_decode(buffer, (size_t)stun_end(&s), &m), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_integrity),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_truncated_with_length),
		cmocka_unit_test(test_bit_errors),
		cmocka_unit_test(test_truncated_hmac),
		cmocka_unit_test(test_truncated_hmac_right),
		cmocka_unit_test(test_behind_integrity),
		cmocka_unit_test(test_fingerprint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
