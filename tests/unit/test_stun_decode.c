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

#include "wire/stun.h"

#define BYTES_MAX 512

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

/* A response with these attributes behind a header whose length fits. */
static size_t message(const char *attributes, uint8_t *out)
{
	size_t n = from_hex("0101 0000 2112a442 000102030405060708090a0b", out);
	size_t length = from_hex(attributes, out + n);

	out[2] = (uint8_t)(length >> 8);
	out[3] = (uint8_t)length;
	return n + length;
}

static int decode(const char *attributes, struct stun_message *m)
{
	static uint8_t bytes[BYTES_MAX];

	return stun_decode(bytes, message(attributes, bytes), m);
}

static struct stun_message decoded(const char *attributes)
{
	struct stun_message m;

	if (decode(attributes, &m))
		fail_msg("%s was not taken", attributes);
	return m;
}

static void assert_endpoint(const struct endpoint *e, const char *expected)
{
	char text[ENDPOINT_TEXT];

	assert_string_equal(endpoint_format(e, text), expected);
}

/* --- the header --- */

static void test_header(void **state)
{
	static const struct {
		const char *bytes;
		int result;
	} rows[] = {
		{"0001 0000 2112a442 000102030405060708090a0b", 0},
		{"", -EBADMSG},
		{"00", -EBADMSG},
		{"0001 0000", -EBADMSG},
		{"0001 0000 2112a442 000102030405060708090a", -EBADMSG}, /* one byte less */
		{"0001 0000 2112a442 000102030405060708090a0b 00", -EBADMSG}, /* one more */
		{"0001 0004 2112a442 000102030405060708090a0b", -EBADMSG}, /* says more */
		{"0001 0000 2112a442 000102030405060708090a0b 80220000", -EBADMSG}, /* says less */
		{"0001 0001 2112a442 000102030405060708090a0b 00", -EBADMSG}, /* no multiple of 4 */
		{"0001 0002 2112a442 000102030405060708090a0b 0000", -EBADMSG},
		{"4001 0000 2112a442 000102030405060708090a0b", -EBADMSG}, /* the top bits */
		{"8001 0000 2112a442 000102030405060708090a0b", -EBADMSG},
		{"c001 0000 2112a442 000102030405060708090a0b", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t bytes[BYTES_MAX];
		size_t length = from_hex(rows[i].bytes, bytes);
		struct stun_message m;

		assert_int_equal(stun_decode(bytes, length, &m), rows[i].result);
		assert_int_equal(stun_looks_like(bytes, length), !rows[i].result);
	}
}

/* The bits of class and method are interleaved (RFC 8489 5). */
static void test_type(void **state)
{
	static const struct {
		const char *type;
		enum stun_class class;
		uint16_t method;
	} rows[] = {
		{"0001", STUN_REQUEST, 0x001},
		{"0011", STUN_INDICATION, 0x001},
		{"0101", STUN_SUCCESS, 0x001},
		{"0111", STUN_ERROR, 0x001},
		{"0000", STUN_REQUEST, 0x000},
		{"0020", STUN_REQUEST, 0x010},
		{"0200", STUN_REQUEST, 0x080},
		{"3eef", STUN_REQUEST, 0xfff},
		{"3fff", STUN_ERROR, 0xfff},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t bytes[BYTES_MAX];
		size_t length = message("", bytes);
		struct stun_message m;

		from_hex(rows[i].type, bytes);
		assert_int_equal(stun_decode(bytes, length, &m), 0);
		assert_int_equal(m.class, rows[i].class);
		assert_int_equal(m.method, rows[i].method);
	}
}

/* RFC 3489: sixteen bytes of transaction ID where the cookie stands now. */
static void test_classic(void **state)
{
	/*
	 * Binding response of RFC 3489
	 *	MAPPED-ADDRESS   192.0.2.1:32853
	 *	SOURCE-ADDRESS   198.51.100.10:3478
	 *	CHANGED-ADDRESS  203.0.113.10:3479
	 */
	static const char response[] = "0101 0024 00112233445566778899aabbccddeeff"
				       "0001 0008 0001 8055 c0000201"
				       "0004 0008 0001 0d96 c633640a"
				       "0005 0008 0001 0d97 cb00710a";
	uint8_t bytes[BYTES_MAX];
	size_t length = from_hex(response, bytes);
	struct stun_message m;

	(void)state;
	assert_int_equal(stun_decode(bytes, length, &m), 0);
	assert_true(m.classic);
	assert_int_equal(m.id.bytes[0], 0x00);
	assert_int_equal(m.id.bytes[15], 0xff);
	assert_endpoint(&m.mapped, "192.0.2.1:32853");
	assert_endpoint(&m.source_address, "198.51.100.10:3478");
	assert_endpoint(&m.changed_address, "203.0.113.10:3479");
	assert_int_equal(m.xor_mapped.family, FAMILY_NONE);
}

/* --- attributes --- */

#define V4_PLAIN "0008 0001 8055 c0000201" /* 192.0.2.1:32853 */
#define V4_XOR	 "0008 0001 a147 e112a643"
#define V6_PLAIN "0014 0002 8055 20010db8000000000000000000000001" /* 2001:db8::1 */
#define V6_XOR	 "0014 0002 a147 0113a9fa000102030405060708090a0a"

static void test_addresses(void **state)
{
	static const struct {
		const char *type;
		size_t offset; /* in struct stun_message */
		bool xor ;
	} rows[] = {
		{"0001", offsetof(struct stun_message, mapped), false},
		{"0004", offsetof(struct stun_message, source_address), false},
		{"0005", offsetof(struct stun_message, changed_address), false},
		{"0020", offsetof(struct stun_message, xor_mapped), true},
		{"8020", offsetof(struct stun_message, xor_mapped), true},
		{"8023", offsetof(struct stun_message, alternate_server), false},
		{"802b", offsetof(struct stun_message, response_origin), false},
		{"802c", offsetof(struct stun_message, other_address), false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (int ipv6 = 0; ipv6 < 2; ipv6++) {
			char text[128];
			struct stun_message m;
			const struct endpoint *e;

			strcpy(text, rows[i].type);
			strcat(text,
				rows[i].xor
					? (ipv6 ? V6_XOR : V4_XOR)
					: (ipv6 ? V6_PLAIN : V4_PLAIN));
			m = decoded(text);
			e = (const void *)((const char *)&m + rows[i].offset);
			assert_endpoint(e, ipv6 ? "[2001:db8::1]:32853" : "192.0.2.1:32853");
			assert_int_equal(m.unknown_count, 0);
		}
	}
}

static void test_values(void **state)
{
	struct stun_message m;

	(void)state;
	m = decoded("0003 0004 00000006");
	assert_true(m.has_change_request);
	assert_int_equal(m.change_request, STUN_CHANGE_ADDRESS | STUN_CHANGE_PORT);
	m = decoded("0027 0004 8055 0000");
	assert_true(m.has_response_port);
	assert_int_equal(m.response_port, 32853);
	m = decoded("0027 0002 8055 ffff");
	assert_int_equal(m.response_port, 32853);
	m = decoded("0026 0000");
	assert_true(m.has_padding);
	m = decoded("0026 0003 000000 00");
	assert_true(m.has_padding);
	m = decoded("0009 0010 00000414 556e6b6e6f776e2041747472");
	assert_true(m.has_error);
	assert_int_equal(m.error_code, 420);
	assert_int_equal(m.reason.length, 12);
	assert_memory_equal(m.reason.data, "Unknown Attr", 12);
	m = decoded("0009 0004 fffffb63"); /* what is reserved is not looked at */
	assert_int_equal(m.error_code, 399);
	m = decoded("0009 0004 00000663");
	assert_int_equal(m.error_code, 699);
	m = decoded("000a 0002 0003 0000  0024 0004 6e0001ff  8027 0000");
	assert_int_equal(m.unknown_count, 0);
	m = decoded("0006 0000 0014 0001 41000000 0015 0002 4142 0000 8022 0003 414243 ff");
	assert_non_null(m.username.data);
	assert_int_equal(m.username.length, 0);
	assert_memory_equal(m.realm.data, "A", m.realm.length);
	assert_memory_equal(m.nonce.data, "AB", m.nonce.length);
	assert_memory_equal(m.software.data, "ABC", m.software.length);
	assert_int_equal(m.software.length, 3);
}

static void test_own_values(void **state)
{
	struct stun_message m;

	(void)state;
	m = decoded("da70 0004 01070300");
	assert_true(m.has_probe);
	assert_int_equal(m.probe.version, 1);
	assert_int_equal(m.probe.wants, 7);
	assert_int_equal(m.probe.copies, 3);
	m = decoded("da71 000c 02000000 0001 a147 e112a643");
	assert_true(m.has_receipt);
	assert_int_equal(m.receipt.copies, 2);
	assert_endpoint(&m.receipt.from, "192.0.2.1:32853");
	m = decoded("da72 0008 01 07 40 02 0064 05dc");
	assert_true(m.has_observed);
	assert_int_equal(m.observed.version, 1);
	assert_int_equal(m.observed.can, 7);
	assert_int_equal(m.observed.ttl, 64);
	assert_int_equal(m.observed.tos, 2);
	assert_int_equal(m.observed.bytes, 100);
	assert_int_equal(m.observed.fragment_bytes, 1500);
	m = decoded("da75 0014 01 03 39 b8 0584 faf0 a77bbe4c 0f 0a 14 0c 05b4 07 00");
	assert_true(m.has_syn);
	assert_int_equal(m.syn.version, 1);
	assert_int_equal(m.syn.parts, STUN_SYN_ARRIVED | STUN_SYN_ANSWERED);
	assert_int_equal(m.syn.arrived.ttl, 57);
	assert_int_equal(m.syn.arrived.tos, 0xb8);
	assert_int_equal(m.syn.arrived.options.mss, 1412);
	assert_int_equal(m.syn.arrived.window, 64240);
	assert_int_equal(m.syn.arrived.sequence, 0xa77bbe4c);
	assert_int_equal(m.syn.arrived.options.has, 15);
	assert_int_equal(m.syn.arrived.options.scale, 10);
	assert_int_equal(m.syn.arrived.options_bytes, 20);
	assert_int_equal(m.syn.answered.has, SYN_SCALE | SYN_MSS);
	assert_int_equal(m.syn.answered.mss, 1460);
	assert_int_equal(m.syn.answered.scale, 7);
	m = decoded("da73 0014 030d0900 0001 2112 e112a643 0001 a147 e112a643");
	assert_int_equal(m.icmp_count, 1);
	assert_int_equal(m.icmp[0].type, 3);
	assert_int_equal(m.icmp[0].code, 13);
	assert_int_equal(m.icmp[0].count, 9);
	assert_endpoint(&m.icmp[0].offender, "192.0.2.1:0");
	assert_endpoint(&m.icmp[0].quoted_from, "192.0.2.1:32853");
	/* a later version may have more to say behind what we know */
	assert_true(decoded("da70 0008 0107030000000000").has_probe);
	assert_true(decoded("da72 000c 0107400200640000 00000000").has_observed);
	assert_true(decoded("da71 0010 02000000 0001 a147 e112a643 00000000").has_receipt);
	assert_true(decoded("da75 0018 010339b80584faf0a77bbe4c0f0a140c05b40700 00000000").has_syn);
	decoded("da74 0008 0000000000000000");
	decoded("da7f 0000");
}

/* Each is one attribute whose value cannot be. */
static void test_malformed(void **state)
{
	static const char *const rows[] = {
		"0001", /* no length */
		"0001 0008", /* nothing behind it */
		"8022 0005 4142434445", /* the padding is missing */
		"8022 ffff 41424344",
		"0001 0000", /* addresses: too short, too long, another family */
		"0001 0004 0001 8055",
		"0001 0007 0001 8055 c00002 00",
		"0001 000c 0001 8055 c0000201 00000000",
		"0001 0008 0000 8055 c0000201",
		"0001 0008 0003 8055 c0000201",
		"0001 0008 0002 8055 c0000201",
		"0020 0014 0001 a147 0113a9fa000102030405060708090a0a",
		"0020 0010 0002 a147 0113a9fa0001020304050607",
		"802c 0004 00000000",
		"0003 0000", /* CHANGE-REQUEST */
		"0003 0002 0006 0000",
		"0003 0008 0000000600000000",
		"0027 0000", /* RESPONSE-PORT */
		"0027 0001 80 000000",
		"0027 0003 805500 00",
		"0027 0008 8055000000000000",
		"0009 0000", /* ERROR-CODE */
		"0009 0003 000004 00",
		"0009 0004 00000263",
		"0009 0004 00000764",
		"0009 0004 00000464",
		"0008 0010 00000000000000000000000000000000", /* MESSAGE-INTEGRITY of 16 bytes */
		"da70 0002 0107 0000",
		"da71 0000",
		"da71 0004 02000000",
		"da71 000c 02000000 0003 a147 e112a643",
		"da72 0007 01074002006400 00",
		"da75 0010 010339b80584faf0a77bbe4c0f0a140c",
		"da75 0013 010339b80584faf0a77bbe4c0f0a140c05b407 00",
		"da75 0000",
		"da73 000c 030d0900 0001 2112 e112a643",
		"da73 0014 030d0900 0001 2112 e112a643 0005 a147 e112a643",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct stun_message m;

		if (decode(rows[i], &m) != -EBADMSG)
			fail_msg("%s was taken", rows[i]);
	}
}

/* What has to be understood and is not is remembered, up to a limit. */
static void test_unknown(void **state)
{
	struct stun_message m;

	(void)state;
	m = decoded("0002 0004 00000000 7fff 0000 8000 0000 ffff 0000");
	assert_int_equal(m.unknown_count, 2);
	assert_int_equal(m.unknown[0], 0x0002);
	assert_int_equal(m.unknown[1], 0x7fff);
	m = decoded(
		"0030 0000 0031 0000 0032 0000 0033 0000 0034 0000 0035 0000 0036 0000 0037 0000"
		"0038 0000 0039 0000");
	assert_int_equal(m.unknown_count, STUN_UNKNOWN_MAX);
	assert_int_equal(m.unknown[STUN_UNKNOWN_MAX - 1], 0x0037);
}

/* Of two addresses of a kind the first counts (RFC 8489 14); ICMP errors are a list. */
static void test_repeated(void **state)
{
	struct stun_message m;

	(void)state;
	m = decoded("0020" V4_XOR "0020" V6_XOR "8020" V6_XOR);
	assert_endpoint(&m.xor_mapped, "192.0.2.1:32853");
	m = decoded("da73 0014 01000000 0001 2112 e112a643 0001 a147 e112a643"
		    "da73 0014 02000000 0001 2112 e112a643 0001 a147 e112a643"
		    "da73 0014 03000000 0001 2112 e112a643 0001 a147 e112a643"
		    "da73 0014 04000000 0001 2112 e112a643 0001 a147 e112a643"
		    "da73 0014 05000000 0001 2112 e112a643 0001 a147 e112a643");
	assert_int_equal(m.icmp_count, STUN_ICMP_MAX);
	assert_int_equal(m.icmp[STUN_ICMP_MAX - 1].type, 4);
	assert_int_equal(decode("0020" V4_XOR "0020 0004 00000000", &m), -EBADMSG);
}

/* One by one, in their order, known or not, up to what proves integrity. */
static void test_next(void **state)
{
	static const struct {
		uint16_t type;
		size_t length;
		uint8_t first;
	} rows[] = {{0xc001, 1, 0xaa}, {0xc002, 0, 0}, {0x0020, 8, 0}, {0xc001, 4, 0xbb}};
	struct stun_message m =
		decoded("c001 0001 aa000000 c002 0000 0020" V4_XOR "c001 0004 bbbbbbbb"
			"0008 0014 0000000000000000000000000000000000000000"
			"c003 0000");
	struct span value;
	size_t cursor = 0;
	uint16_t type;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_true(stun_next(&m, &cursor, &type, &value));
		assert_int_equal(type, rows[i].type);
		assert_int_equal(value.length, rows[i].length);
		assert_true(!value.length || value.data[0] == rows[i].first);
	}
	for (int i = 0; i < 2; i++)
		assert_false(stun_next(&m, &cursor, &type, &value));
	m = decoded("");
	cursor = 0;
	assert_false(stun_next(&m, &cursor, &type, &value));
}

/* The beginnings of messages in a stream, and what they say of their length. */
static void test_frames(void **state)
{
	static const struct {
		const char *name;
		uint8_t bytes[6];
		size_t length;
		int result;
	} rows[] = {
		{"nothing", {0}, 0, 0},
		{"three bytes", {0, 1, 0}, 3, 0},
		{"empty message", {0, 1, 0, 0}, 4, 20},
		{"with more behind it", {0, 1, 0, 8, 0x21, 0x12}, 6, 28},
		{"as long as allowed", {0, 1, 0, 80}, 4, 100},
		{"longer", {0, 1, 0, 84}, 4, -EBADMSG},
		{"much longer", {0, 1, 255, 252}, 4, -EBADMSG},
		{"odd", {0, 1, 0, 7}, 4, -EBADMSG},
		{"no STUN in the first byte", {0x40}, 1, -EBADMSG},
		{"channel data (RFC 8656 12.4)", {0x40, 0, 0, 4}, 4, -EBADMSG},
		{"HTTP", {'H', 'T', 'T', 'P'}, 4, -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (stun_frame_bytes(rows[i].bytes, rows[i].length, 100) != rows[i].result)
			fail_msg("%s: %d", rows[i].name,
				stun_frame_bytes(rows[i].bytes, rows[i].length, 100));
}

static void test_xor_address(void **state)
{
	struct stun_message m = decoded("da89" V4_XOR "da8a 0004 00000000");
	struct endpoint e;
	struct span value;
	size_t cursor = 0;
	uint16_t type;

	(void)state;
	assert_true(stun_next(&m, &cursor, &type, &value));
	assert_int_equal(stun_xor_address(&m, value, &e), 0);
	assert_endpoint(&e, "192.0.2.1:32853");
	assert_true(stun_next(&m, &cursor, &type, &value));
	assert_int_equal(stun_xor_address(&m, value, &e), -EBADMSG);
	assert_int_equal(e.family, FAMILY_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_type),
		cmocka_unit_test(test_classic),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_own_values),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_xor_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
