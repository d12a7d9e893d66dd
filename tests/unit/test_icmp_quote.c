// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* What a raw socket sees of the packets that errors quote. */

#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "probe/icmp_private.h"
#include "wire/packet.h"

static const uint8_t rest[4];
static const uint8_t payload[40] = "what was sent";

static struct endpoint at(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 0, &e), 0);
	return e;
}

struct quoted {
	struct endpoint from, to;
	uint8_t packet[256];
	size_t length;
};

static struct quoted udp(const char *from, const char *to)
{
	struct quoted q = {.from = at(from), .to = at(to)};
	int length = packet_build_udp(
		q.packet, sizeof(q.packet), &q.from, &q.to, 1, payload, sizeof(payload));

	assert_true(length > 0);
	q.length = (size_t)length;
	return q;
}

static int parse(const struct quoted *q, struct icmp_quote *out)
{
	static uint8_t copy[ICMP_DATA_BYTES + 8];

	return icmp_quote_read(
		q->from.family, 11, rest, (struct span){q->packet, q->length}, copy, out);
}

static void test_udp(void **state)
{
	static const char *const pairs[][2] = {{"10.0.1.2:40000", "203.0.113.10:3478"},
		{"[2001:db8::2]:40000", "[2001:db8::10]:3478"}};
	struct icmp_quote out;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct quoted q = udp(pairs[i][0], pairs[i][1]);

		assert_int_equal(parse(&q, &out), 0);
		assert_int_equal(out.flow, ICMP_FLOW_UDP);
		assert_true(endpoint_equal(&out.from, &q.from));
		assert_true(endpoint_equal(&out.to, &q.to));
		assert_true(out.header_right);
		assert_int_equal(out.checksum,
			icmp_quote_checksum(&q.from, &q.to, payload, sizeof(payload)));
		assert_int_equal(out.payload.length, sizeof(payload));
		assert_memory_equal(out.payload.data, payload, sizeof(payload));
		/* the checksum is over addresses and ports, too */
		q.to.port++;
		assert_int_not_equal(out.checksum,
			icmp_quote_checksum(&q.from, &q.to, payload, sizeof(payload)));
	}
}

static void test_cut_off(void **state)
{
	struct quoted q = udp("10.0.1.2:40000", "203.0.113.10:3478");
	size_t whole = q.length;
	struct icmp_quote out;

	(void)state;
	for (q.length = 0; q.length < 20; q.length++)
		assert_int_equal(parse(&q, &out), -EBADMSG);
	/* eight bytes of UDP are enough for ports and checksum (RFC 792) */
	for (q.length = 28; q.length < whole; q.length++) {
		assert_int_equal(parse(&q, &out), 0);
		assert_int_equal(out.flow, ICMP_FLOW_UDP);
		assert_int_equal(out.payload.length, q.length - 28);
		assert_int_equal(out.checksum,
			icmp_quote_checksum(&q.from, &q.to, payload, sizeof(payload)));
	}
	for (q.length = 20; q.length < 28; q.length++)
		if (!parse(&q, &out))
			assert_int_equal(out.flow, ICMP_FLOW_NONE);
}

static void test_header(void **state)
{
	struct quoted q = udp("10.0.1.2:40000", "203.0.113.10:3478");
	struct icmp_quote out;

	(void)state;
	q.packet[8]++; /* its TTL, and the checksum is as before */
	assert_int_equal(parse(&q, &out), 0);
	assert_false(out.header_right);
}

static void test_others(void **state)
{
	struct quoted q = {.from = at("10.0.1.2:40000"), .to = at("203.0.113.10:3478")};
	struct packet_tcp tcp = {.sequence = 7, .flags = PACKET_SYN};
	struct icmp_quote out;
	int length;

	(void)state;
	length = packet_build_tcp(
		q.packet, sizeof(q.packet), &q.from, &q.to, 1, &tcp, payload, sizeof(payload));
	assert_true(length > 0);
	q.length = (size_t)length;
	assert_int_equal(parse(&q, &out), 0);
	assert_int_equal(out.flow, ICMP_FLOW_TCP);
	assert_true(endpoint_equal(&out.from, &q.from));
	assert_int_equal(out.payload.length, 0);
	length = packet_build_echo(
		q.packet, sizeof(q.packet), &q.from, &q.to, 1, false, 3, payload, sizeof(payload));
	assert_true(length > 0);
	q.length = (size_t)length;
	assert_int_equal(parse(&q, &out), 0);
	assert_int_equal(out.flow, ICMP_FLOW_ECHO);
	q.packet[9] = 132; /* SCTP */
	assert_int_equal(parse(&q, &out), 0);
	assert_int_equal(out.flow, ICMP_FLOW_NONE);
	q.packet[0] = 0x65; /* not IPv4 */
	assert_int_equal(parse(&q, &out), -EBADMSG);
}

/* More than anybody asked for is not looked at. */
static void test_long(void **state)
{
	static uint8_t big[1500], copy[ICMP_DATA_BYTES + 8];
	struct quoted q = udp("10.0.1.2:40000", "203.0.113.10:3478");
	struct icmp_quote out;

	(void)state;
	memcpy(big, q.packet, q.length);
	assert_int_equal(
		icmp_quote_read(FAMILY_IPV4, 3, rest, (struct span){big, sizeof(big)}, copy, &out),
		0);
	assert_int_equal(out.payload.length, sizeof(payload));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
