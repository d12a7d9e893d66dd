// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "server/marked.h"
#include "wire/packet.h"

static const uint8_t token[ICMP_TOKEN_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};

static struct endpoint endpoint(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 0, &e), 0);
	return e;
}

static const struct {
	enum family family;
	uint8_t echo, error, ip_protocol;
	const char *from, *to;
} families[] = {{FAMILY_IPV4, 8, 3, 1, "10.0.0.7:4000", "203.0.113.9:53"},
	{FAMILY_IPV6, 128, 1, 58, "[2001:db8::7]:4000", "[2001:db8::9]:53"}};

struct result {
	bool taken;
	struct icmp_record record;
	uint8_t token[ICMP_TOKEN_BYTES];
	struct span data;
};

static struct result read_message(
	unsigned f, uint8_t type, uint8_t code, const void *body, size_t length)
{
	/* of its very length, so that nothing behind it can be read */
	uint8_t *exact = test_malloc(length ? length : 1);
	struct icmp_message m = {.type = type,
		.code = code,
		.rest = {0x12, 0x34, 0xab, 0xcd},
		.body = {exact, length}};
	struct result r = {.taken = false};

	if (length)
		memcpy(exact, body, length);
	r.taken = marked_read(families[f].family, &m, &r.record, r.token, &r.data);
	if (r.taken)
		assert_memory_equal(r.token, token, sizeof(token));
	if (r.data.length)
		assert_ptr_equal(r.data.data, exact);
	test_free(exact);
	return r;
}

static void test_echo(void **state)
{
	uint8_t body[40] = {0};

	(void)state;
	icmp_write_mark(token, body);
	for (unsigned f = 0; f < 2; f++) {
		struct result r = read_message(f, families[f].echo, 0, body, sizeof(body));

		assert_true(r.taken);
		assert_int_equal(r.record.kind, ICMP_KIND_ECHO);
		assert_int_equal(r.record.type, families[f].echo);
		assert_int_equal(r.record.identifier, 0x1234);
		assert_int_equal(r.record.sequence, 0xabcd);
		assert_int_equal(r.data.length, sizeof(body));
		assert_true(read_message(f, families[f].echo, 0, body, ICMP_MARK_BYTES).taken);
		for (size_t n = 0; n < ICMP_MARK_BYTES; n++)
			assert_false(read_message(f, families[f].echo, 0, body, n).taken);
		assert_false(read_message(f, families[f].echo, 1, body, sizeof(body)).taken);
		assert_false(read_message(f, families[!f].echo, 0, body, sizeof(body)).taken);
		assert_false(read_message(f, f ? 129 : 0, 0, body, sizeof(body)).taken);
	}
	body[0]++;
	assert_false(read_message(0, 8, 0, body, sizeof(body)).taken);
}

/* A datagram or an echo as an error quotes it. */
static size_t quote(unsigned f, bool echo, bool reply, uint8_t out[static 256])
{
	struct endpoint from = endpoint(families[f].from), to = endpoint(families[f].to);
	uint8_t payload[30] = {0};
	int n;

	icmp_write_mark(token, payload);
	n = echo ? packet_build_echo(out, 256, &from, &to, 5, reply, 9, payload, sizeof(payload))
		 : packet_build_udp(out, 256, &from, &to, 5, payload, sizeof(payload));
	assert_true(n > 0);
	return (size_t)n;
}

static void test_error(void **state)
{
	uint8_t quoted[256];

	(void)state;
	for (unsigned f = 0; f < 2; f++)
		for (unsigned kind = 0; kind < 3; kind++) {
			struct endpoint from = endpoint(families[f].from),
					to = endpoint(families[f].to);
			size_t length = quote(f, kind != 0, kind == 2, quoted);
			size_t needed = length - 30 + ICMP_MARK_BYTES;
			struct result r = read_message(f, families[f].error, 4, quoted, length);

			if (kind) /* an echo has one number, which is on both sides */
				to.port = from.port;
			assert_true(r.taken);
			assert_int_equal(r.record.kind, ICMP_KIND_ERROR);
			assert_int_equal(r.record.type, families[f].error);
			assert_int_equal(r.record.code, 4);
			assert_int_equal(r.record.identifier + r.record.sequence, 0);
			assert_int_equal(
				r.record.quoted_protocol, kind ? families[f].ip_protocol : 17);
			assert_true(endpoint_equal(&r.record.quoted_from, &from));
			assert_true(endpoint_equal(&r.record.quoted_to, &to));
			assert_int_equal(r.data.length, 0);
			for (size_t n = 0; n < length; n++) /* cut off anywhere */
				assert_int_equal(
					read_message(f, families[f].error, 4, quoted, n).taken,
					n >= needed);
		}
}

static void test_types(void **state)
{
	uint8_t quoted[256];

	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		size_t length = quote(f, false, false, quoted);
		uint32_t errors = f ? 0x1e : 1u << 3 | 1u << 4 | 1u << 11 | 1u << 12;

		for (unsigned type = 0; type < 256; type++)
			assert_int_equal(read_message(f, (uint8_t)type, 1, quoted, length).taken,
				type < 32 && errors >> type & 1);
	}
}

/* What else an error may quote. */
static void test_others(void **state)
{
	struct endpoint from = endpoint("10.0.0.7:4000"), to = endpoint("203.0.113.9:53");
	struct packet_tcp tcp = {.flags = PACKET_SYN};
	uint8_t payload[30] = {0}, quoted[256];
	int n;

	(void)state;
	icmp_write_mark(token, payload);
	n = packet_build_tcp(quoted, sizeof(quoted), &from, &to, 9, &tcp, payload, sizeof(payload));
	assert_true(n > 0);
	assert_false(read_message(0, 3, 1, quoted, (size_t)n).taken);
	n = (int)quote(0, false, false, quoted);
	quoted[7] = 1; /* a fragment behind the first */
	assert_false(read_message(0, 3, 1, quoted, (size_t)n).taken);
	quoted[7] = 0;
	quoted[25] = 10; /* two bytes of payload, it says */
	assert_false(read_message(0, 3, 1, quoted, (size_t)n).taken);
	memset(quoted, 0xff, sizeof(quoted));
	assert_false(read_message(0, 3, 1, quoted, sizeof(quoted)).taken);
	quoted[0] = 0x4f; /* an IPv4 header of 60 bytes */
	assert_false(read_message(0, 3, 1, quoted, 30).taken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
