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

static const struct stun_id id = {{0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
static const struct endpoint v4 = {FAMILY_IPV4, 40000, 0, {192, 0, 2, 1}};
static const struct endpoint v6 = {FAMILY_IPV6, 40000, 0, {0x20, 1, 0xd, 0xb8, [15] = 1}};
static const struct endpoint none = {FAMILY_NONE, 40000, 0, {0}};

static const struct stun_probe probe = {1, STUN_WANT_RECEIPT | STUN_WANT_ICMP, 3};
static const struct stun_observed observed = {1, 7, 64, 2, 1232, 576};
static const struct stun_syn syn = {1, STUN_SYN_ARRIVED | STUN_SYN_ANSWERED,
	{57, 0xb8, 64240, 0xa77bbe4c, 20,
		{SYN_TIMESTAMPS | SYN_SACK | SYN_SCALE | SYN_MSS, 10, 1412}},
	{SYN_SCALE | SYN_MSS, 7, 1460}};
static const uint16_t unknown[] = {3, 0x26, 0x27};

static void add_bytes(struct stun_writer *s)
{
	stun_add(s, STUN_SOFTWARE, "12345", 5);
}

static void add_u32(struct stun_writer *s)
{
	stun_add_u32(s, STUN_CHANGE_REQUEST, 6);
}

static void add_text(struct stun_writer *s)
{
	stun_add_text(s, STUN_SOFTWARE, "natprobed");
}

static void add_address(struct stun_writer *s)
{
	stun_add_address(s, STUN_MAPPED_ADDRESS, &v4);
}

static void add_address_xor(struct stun_writer *s)
{
	stun_add_address(s, STUN_XOR_MAPPED_ADDRESS, &v6);
}

static void add_response_port(struct stun_writer *s)
{
	stun_add_response_port(s, 40000, false);
}

static void add_response_port_short(struct stun_writer *s)
{
	stun_add_response_port(s, 40000, true);
}

static void add_error(struct stun_writer *s)
{
	stun_add_error(s, 420, "Unknown Attribute");
}

static void add_unknown(struct stun_writer *s)
{
	stun_add_unknown(s, unknown, 3);
}

static void add_probe(struct stun_writer *s)
{
	stun_add_probe(s, &probe);
}

static void add_receipt(struct stun_writer *s)
{
	stun_add_receipt(s, &(struct stun_receipt){2, v6});
}

static void add_observed(struct stun_writer *s)
{
	stun_add_observed(s, &observed);
}

static void add_syn(struct stun_writer *s)
{
	stun_add_syn(s, &syn);
}

static void add_icmp(struct stun_writer *s)
{
	stun_add_icmp(s, &(struct stun_icmp){3, 13, 255, v4, v4});
}

static void add_integrity(struct stun_writer *s)
{
	stun_add_integrity(s, "key", 3);
}

static void add_integrity_sha256(struct stun_writer *s)
{
	stun_add_integrity_sha256(s, "key", 3);
}

static void add_fingerprint(struct stun_writer *s)
{
	stun_add_fingerprint(s);
}

/* Each encoder with the bytes it takes, header and padding included. */
static const struct {
	void (*add)(struct stun_writer *s);
	size_t bytes;
} encoders[] = {
	{add_bytes, 12},
	{add_u32, 8},
	{add_text, 16},
	{add_address, 12},
	{add_address_xor, 24},
	{add_response_port, 8},
	{add_response_port_short, 8},
	{add_error, 28},
	{add_unknown, 12},
	{add_probe, 8},
	{add_receipt, 28},
	{add_observed, 12},
	{add_syn, 24},
	{add_icmp, 24},
	{add_integrity, 24},
	{add_integrity_sha256, 36},
	{add_fingerprint, 8},
};

/*
 * Into buffers of every size, each allocated to the byte for the sanitizer: it fits, or it is said
 * that it did not, and what follows changes nothing.
 */
static void test_short_buffers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(encoders) / sizeof(*encoders); i++) {
		size_t whole = STUN_HEADER_BYTES + encoders[i].bytes;

		for (size_t size = 0; size <= whole + 1; size++) {
			uint8_t *buffer = malloc(size ? size : 1);
			struct stun_writer s;
			struct stun_message m;

			assert_non_null(buffer);
			s = stun_begin(buffer, size, STUN_REQUEST, STUN_BINDING, &id);
			encoders[i].add(&s);
			if (size < whole) {
				assert_int_equal(stun_end(&s), -EMSGSIZE);
				stun_add(&s, STUN_PADDING, NULL, 0);
				assert_int_equal(stun_end(&s), -EMSGSIZE);
			} else {
				assert_int_equal(stun_end(&s), whole);
				assert_int_equal(stun_decode(buffer, whole, &m), 0);
			}
			free(buffer);
		}
	}
}

/* Values that cannot be written make the message fail, not lie. */
static void test_impossible(void **state)
{
	static uint8_t big[1 << 17];
	struct stun_writer s;

	(void)state;
	s = stun_begin(big, sizeof(big), STUN_REQUEST, STUN_BINDING, &id);
	stun_add_address(&s, STUN_MAPPED_ADDRESS, &none);
	assert_int_equal(stun_end(&s), -EMSGSIZE);
	s = stun_begin(big, sizeof(big), STUN_REQUEST, STUN_BINDING, &id);
	stun_add_receipt(&s, &(struct stun_receipt){1, none});
	assert_int_equal(stun_end(&s), -EMSGSIZE);
	s = stun_begin(big, sizeof(big), STUN_REQUEST, STUN_BINDING, &id);
	stun_add_icmp(&s, &(struct stun_icmp){3, 3, 1, v4, none});
	assert_int_equal(stun_end(&s), -EMSGSIZE);
	s = stun_begin(big, sizeof(big), STUN_REQUEST, STUN_BINDING, &id);
	stun_add(&s, STUN_SOFTWARE, big, 0x10000);
	assert_int_equal(stun_end(&s), -EMSGSIZE);
}

/*
 * The length in the header has 16 bits: what makes a message longer than that does not fit
 * either.
 */
static void test_too_long(void **state)
{
	static uint8_t big[1 << 17], zeros[0xfff0];
	struct stun_writer s;

	(void)state;
	s = stun_begin(big, sizeof(big), STUN_REQUEST, STUN_BINDING, &id);
	stun_add(&s, STUN_PADDING, zeros, sizeof(zeros));
	assert_int_equal(stun_end(&s), STUN_HEADER_BYTES + 4 + sizeof(zeros));
	stun_add_u32(&s, STUN_CHANGE_REQUEST, 0);
	assert_int_equal(stun_end(&s), STUN_HEADER_BYTES + 4 + sizeof(zeros) + 8);
	stun_add_u32(&s, STUN_CHANGE_REQUEST, 0);
	assert_int_equal(stun_end(&s), -EMSGSIZE);
}

/* --- round trips --- */

static struct stun_message encoded(void (*add)(struct stun_writer *s))
{
	static uint8_t buffer[BYTES_MAX];
	struct stun_writer s = stun_begin(buffer, sizeof(buffer), STUN_SUCCESS, STUN_BINDING, &id);
	struct stun_message m;

	add(&s);
	assert_int_equal(stun_decode(buffer, (size_t)stun_end(&s), &m), 0);
	assert_true(stun_id_equal(&m.id, &id));
	return m;
}

static void test_round_trip(void **state)
{
	struct stun_message m;

	(void)state;
	m = encoded(add_bytes);
	assert_int_equal(m.software.length, 5);
	assert_memory_equal(m.software.data, "12345\0\0\0", 8); /* padded with zeros */
	assert_int_equal(encoded(add_u32).change_request, 6);
	m = encoded(add_address);
	assert_true(endpoint_equal(&m.mapped, &v4));
	m = encoded(add_address_xor);
	assert_true(endpoint_equal(&m.xor_mapped, &v6));
	assert_int_equal(encoded(add_response_port).response_port, 40000);
	assert_int_equal(encoded(add_response_port_short).response_port, 40000);
	m = encoded(add_error);
	assert_int_equal(m.error_code, 420);
	assert_int_equal(m.reason.length, strlen("Unknown Attribute"));
}

static void test_round_trip_own(void **state)
{
	struct stun_message m;

	(void)state;
	m = encoded(add_probe);
	assert_true(m.has_probe);
	assert_memory_equal(&m.probe, &probe, sizeof(probe));
	m = encoded(add_receipt);
	assert_true(m.has_receipt);
	assert_int_equal(m.receipt.copies, 2);
	assert_true(endpoint_equal(&m.receipt.from, &v6));
	m = encoded(add_observed);
	assert_true(m.has_observed);
	assert_memory_equal(&m.observed, &observed, sizeof(observed));
	m = encoded(add_syn);
	assert_true(m.has_syn);
	assert_int_equal(m.syn.version, 1);
	assert_int_equal(m.syn.parts, STUN_SYN_ARRIVED | STUN_SYN_ANSWERED);
	assert_int_equal(m.syn.arrived.ttl, 57);
	assert_int_equal(m.syn.arrived.tos, 0xb8);
	assert_int_equal(m.syn.arrived.window, 64240);
	assert_int_equal(m.syn.arrived.sequence, 0xa77bbe4c);
	assert_int_equal(m.syn.arrived.options_bytes, 20);
	assert_memory_equal(
		&m.syn.arrived.options, &syn.arrived.options, sizeof(syn.arrived.options));
	assert_memory_equal(&m.syn.answered, &syn.answered, sizeof(syn.answered));
	m = encoded(add_icmp);
	assert_int_equal(m.icmp_count, 1);
	assert_int_equal(m.icmp[0].type, 3);
	assert_int_equal(m.icmp[0].code, 13);
	assert_int_equal(m.icmp[0].count, 255);
	assert_true(endpoint_equal(&m.icmp[0].offender, &v4));
	assert_true(endpoint_equal(&m.icmp[0].quoted_from, &v4));
}

/* All classes with methods that have one bit each, and with all of them. */
static void test_types(void **state)
{
	(void)state;
	for (int class = STUN_REQUEST; class <= STUN_ERROR; class ++) {
		for (int bit = 0; bit <= 12; bit++) {
			uint16_t method = (uint16_t)(bit < 12 ? 1 << bit : 0xfff);
			uint8_t buffer[STUN_HEADER_BYTES];
			struct stun_writer s = stun_begin(
				buffer, sizeof(buffer), (enum stun_class) class, method, &id);
			struct stun_message m;

			assert_int_equal(stun_end(&s), STUN_HEADER_BYTES);
			assert_int_equal(stun_decode(buffer, sizeof(buffer), &m), 0);
			assert_int_equal(m.class, class);
			assert_int_equal(m.method, method);
		}
	}
}

/* FILL brings a message to a length, as near as multiples of four and its own header allow. */
static void test_fill(void **state)
{
	static const struct {
		size_t wanted, length;
	} rows[] = {
		{0, 20}, {20, 20}, {23, 20}, {24, 24}, {27, 24}, {28, 28}, {116, 116}, {119, 116}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t buffer[BYTES_MAX];
		struct stun_writer s =
			stun_begin(buffer, sizeof(buffer), STUN_REQUEST, STUN_BINDING, &id);
		struct stun_message m;

		memset(buffer + STUN_HEADER_BYTES, 0xff, sizeof(buffer) - STUN_HEADER_BYTES);
		stun_add_fill(&s, rows[i].wanted);
		assert_int_equal(stun_end(&s), rows[i].length);
		assert_int_equal(stun_decode(buffer, rows[i].length, &m), 0);
		for (size_t k = STUN_HEADER_BYTES + 4; k < rows[i].length; k++)
			assert_int_equal(buffer[k], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_buffers),
		cmocka_unit_test(test_impossible),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_round_trip_own),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
