// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Fragments: RFC 4787 REQ-13 and 14. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/test_nat_kit.h"
#include "wire/checksum.h"

#define PARTS	    3
#define PAYLOAD	    2000
#define PART_BYTES  800 /* of IP payload in each fragment but the last */
#define IPV6_HEADER 40

static struct kit kit;
static struct endpoint a, server;

/* One datagram in pieces. */
struct pieces {
	uint8_t bytes[PARTS][1500];
	int length[PARTS];
};

static int setup(void **state)
{
	(void)state;
	a = at("10.0.0.2:5000");
	server = at("198.51.100.10:3478");
	return 0;
}

static void put16(uint8_t *at_byte, unsigned value)
{
	at_byte[0] = (uint8_t)(value >> 8);
	at_byte[1] = (uint8_t)value;
}

/* The datagram that is cut: a payload of 2000 bytes that tells where each is. */
static int whole_datagram(struct endpoint from, struct endpoint to, uint8_t *out, size_t size)
{
	uint8_t payload[PAYLOAD];

	for (int i = 0; i < PAYLOAD; i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
	return packet_build_udp(out, size, &from, &to, TTL_KIT, payload, sizeof(payload));
}

static void cut_ipv4(struct pieces *p, struct endpoint from, struct endpoint to, uint16_t id)
{
	uint8_t whole[4000];
	int total = whole_datagram(from, to, whole, sizeof(whole)) - 20;

	for (int i = 0; i < PARTS; i++) {
		int offset = i * PART_BYTES;
		int bytes = i == PARTS - 1 ? total - offset : PART_BYTES;
		uint8_t *b = p->bytes[i];

		memcpy(b, whole, 20);
		memcpy(b + 20, whole + 20 + offset, (size_t)bytes);
		put16(b + 2, (unsigned)(20 + bytes));
		put16(b + 4, id);
		put16(b + 6, (unsigned)(offset / 8) | (i == PARTS - 1 ? 0 : 0x2000));
		put16(b + 10, 0);
		put16(b + 10, (uint16_t)~checksum_sum(b, 20));
		p->length[i] = 20 + bytes;
	}
}

static void cut_ipv6(struct pieces *p, struct endpoint from, struct endpoint to, uint16_t id)
{
	uint8_t whole[4000];
	int total = whole_datagram(from, to, whole, sizeof(whole)) - IPV6_HEADER;

	for (int i = 0; i < PARTS; i++) {
		int offset = i * PART_BYTES;
		int bytes = i == PARTS - 1 ? total - offset : PART_BYTES;
		uint8_t *b = p->bytes[i];

		memcpy(b, whole, IPV6_HEADER);
		put16(b + 4, (unsigned)(8 + bytes));
		b[6] = 44;
		memset(b + IPV6_HEADER, 0, 8);
		b[IPV6_HEADER] = 17;
		put16(b + IPV6_HEADER + 2, (unsigned)offset | (i == PARTS - 1 ? 0 : 1));
		put16(b + IPV6_HEADER + 6, id);
		memcpy(b + IPV6_HEADER + 8, whole + IPV6_HEADER + offset, (size_t)bytes);
		p->length[i] = IPV6_HEADER + 8 + bytes;
	}
}

/* What the receiver puts together again: IP payloads by offset, IPv4 alone. */
struct receiver {
	uint8_t bytes[4000];
	size_t got;
	struct endpoint source, destination;
};

static void receive(struct receiver *r, const struct packet *p)
{
	size_t header = p->family == FAMILY_IPV4 ? 20 : IPV6_HEADER + 8;

	if (!r->got) {
		r->source = p->source;
		r->destination = p->destination;
		r->source.port = r->destination.port = 0;
	}
	assert_true(endpoint_same_address(&p->source, &r->source));
	assert_true(endpoint_same_address(&p->destination, &r->destination));
	memcpy(r->bytes + p->fragment_offset, p->bytes + header, p->length - header);
	r->got += p->length - header;
}

/* The datagram is whole, from and to where it should be, and its checksum is right. */
static void check_received(const struct receiver *r, struct endpoint from, struct endpoint to)
{
	uint8_t wanted[4000];
	size_t header = from.family == FAMILY_IPV4 ? 20 : IPV6_HEADER;
	int length = whole_datagram(from, to, wanted, sizeof(wanted));

	assert_int_equal(r->got, (size_t)length - header);
	assert_memory_equal(r->bytes, wanted + header, r->got);
}

static enum nat_reason send_piece(
	enum nat_side side, const struct pieces *p, int i, struct receiver *r)
{
	enum nat_reason reason;

	memcpy(kit.bytes, p->bytes[i], (size_t)p->length[i]);
	reason = kit_send(&kit, side, p->length[i]);
	if (went_on(reason))
		receive(r, &kit.seen);
	return reason;
}

static void poll_pieces(struct receiver *r)
{
	struct nat_out out;
	uint64_t deadline;

	while (nat_poll(kit.nat, kit.now, &out, &deadline)) {
		struct packet p;

		kit_look(&kit, &out, &p);
		assert_int_equal(p.ttl, TTL_KIT - 1);
		receive(r, &p);
	}
}

/* Every order of three pieces, out and in, IPv4 and IPv6. */
static void test_orders(void **state)
{
	static const int orders[][PARTS] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	(void)state;
	for (int o = 0; o < 6; o++)
		for (int v6 = 0; v6 < 2; v6++)
			for (int inward = 0; inward < 2; inward++) {
				struct nat_config c = kit_config();
				struct endpoint from = v6 ? at("[2001:db8:a::2]:5000") : a;
				struct endpoint to = v6 ? at("[2001:db8:ffff::1]:9") : server;
				struct receiver r = {.got = 0};
				struct endpoint external;
				struct pieces p;

				if (v6)
					c.external[0] = at("2001:db8:1::1");
				kit_begin(&kit, &c, 1);
				assert_reason(udp_out(&kit, from, to), NAT_FORWARDED);
				external = kit.seen.source;
				(v6 ? cut_ipv6 : cut_ipv4)(
					&p, inward ? to : from, inward ? external : to, 4711);
				for (int i = 0; i < PARTS; i++) {
					int n = orders[o][i];
					bool first_was_here = false;

					for (int k = 0; k <= i; k++)
						first_was_here |= !orders[o][k];
					assert_reason(send_piece(inward ? NAT_OUTSIDE : NAT_INSIDE,
							      &p, n, &r),
						first_was_here ? NAT_FORWARDED : NAT_HELD);
					poll_pieces(&r);
				}
				check_received(&r, inward ? to : external, inward ? from : to);
				kit_end(&kit);
			}
}

static void test_in_order_only(void **state)
{
	struct nat_config c = kit_config();
	struct receiver r = {.got = 0};
	struct pieces p;

	(void)state;
	c.fragments = NAT_FRAGMENTS_IN_ORDER;
	kit_begin(&kit, &c, 1);
	cut_ipv4(&p, a, server, 1);
	assert_reason(send_piece(NAT_INSIDE, &p, 1, &r), NAT_DROP_FRAGMENT);
	assert_reason(send_piece(NAT_INSIDE, &p, 0, &r), NAT_FORWARDED);
	assert_reason(send_piece(NAT_INSIDE, &p, 2, &r), NAT_FORWARDED);
	assert_reason(send_piece(NAT_INSIDE, &p, 1, &r), NAT_FORWARDED);
	kit_end(&kit);
	c.fragments = NAT_FRAGMENTS_REFUSED;
	kit_begin(&kit, &c, 1);
	for (int i = 0; i < PARTS; i++)
		assert_reason(send_piece(NAT_INSIDE, &p, i, &r), NAT_DROP_FRAGMENT);
	assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
	kit_end(&kit);
}

/* The fate of the first is that of all, before it and behind it. */
static void test_dropped_first(void **state)
{
	struct nat_config c = kit_config();
	struct receiver r = {.got = 0};
	struct pieces p;

	(void)state;
	kit_begin(&kit, &c, 1);
	cut_ipv4(&p, server, at("192.0.2.1:6000"), 1);
	assert_reason(send_piece(NAT_OUTSIDE, &p, 1, &r), NAT_HELD);
	assert_reason(send_piece(NAT_OUTSIDE, &p, 0, &r), NAT_DROP_NO_MAPPING);
	assert_reason(send_piece(NAT_OUTSIDE, &p, 2, &r), NAT_DROP_NO_MAPPING);
	assert_int_equal(nat_reason_count(kit.nat, NAT_DROP_NO_MAPPING), 3);
	poll_pieces(&r);
	assert_int_equal(r.got, 0);
	kit_end(&kit);
}

/* Another datagram, sender or side has other fragments. */
static void test_kept_apart(void **state)
{
	struct nat_config c = kit_config();
	struct receiver r = {.got = 0}, other = {.got = 0};
	struct endpoint b = at("10.0.0.3:5000");
	struct pieces one, two, three;

	(void)state;
	kit_begin(&kit, &c, 1);
	cut_ipv4(&one, a, server, 1);
	cut_ipv4(&two, a, server, 2);
	cut_ipv4(&three, b, server, 1);
	assert_reason(send_piece(NAT_INSIDE, &one, 0, &r), NAT_FORWARDED);
	assert_reason(send_piece(NAT_INSIDE, &two, 1, &r), NAT_HELD);
	assert_reason(send_piece(NAT_INSIDE, &three, 1, &r), NAT_HELD);
	assert_reason(send_piece(NAT_OUTSIDE, &one, 1, &r), NAT_HELD);
	poll_pieces(&r);
	assert_int_equal(r.got, PART_BYTES);
	assert_reason(send_piece(NAT_INSIDE, &three, 0, &other), NAT_FORWARDED);
	poll_pieces(&other);
	assert_int_equal(other.got, 2 * PART_BYTES);
	kit_end(&kit);
}

/* The mapping may end while its fragments are still coming. */
static void test_time(void **state)
{
	struct nat_config c = kit_config();
	struct receiver r = {.got = 0};
	uint64_t deadline;
	struct pieces p;
	struct nat_out out;

	(void)state;
	c.behaviour[NAT_UDP].lifetimes.one_way_us = SECOND;
	kit_begin(&kit, &c, 1);
	cut_ipv4(&p, a, server, 1);
	assert_reason(send_piece(NAT_INSIDE, &p, 0, &r), NAT_FORWARDED);
	kit.now += 30 * SECOND - US;
	assert_reason(send_piece(NAT_INSIDE, &p, 1, &r), NAT_FORWARDED);
	assert_int_equal(nat_mapping_count(kit.nat), 0);
	kit.now += US;
	assert_reason(send_piece(NAT_INSIDE, &p, 2, &r), NAT_HELD);
	assert_false(nat_poll(kit.nat, kit.now, &out, &deadline));
	assert_int_equal(deadline, kit.now + 30 * SECOND);
	assert_false(nat_poll(kit.nat, deadline, &out, &deadline));
	assert_true(deadline == UINT64_MAX);
	assert_int_equal(nat_reason_count(kit.nat, NAT_DROP_FRAGMENT), 1);
	kit_end(&kit);
}

/* One that has waited too long is over at that moment, whatever else is there and whoever asks. */
static void test_held_too_long(void **state)
{
	struct nat_config c = kit_config();
	struct receiver r = {.got = 0};
	struct pieces late, other;
	struct nat_out out;
	uint64_t deadline;

	(void)state;
	cut_ipv4(&late, a, server, 1);
	cut_ipv4(&other, a, server, 2);
	late.bytes[1][8] = 1; /* its last hop: it will not go on */
	put16(&late.bytes[1][10], 0);
	put16(&late.bytes[1][10], (uint16_t)~checksum_sum(late.bytes[1], 20));
	kit_begin(&kit, &c, 1);
	assert_reason(send_piece(NAT_INSIDE, &late, 1, &r), NAT_HELD);
	kit.now += SECOND;
	assert_reason(send_piece(NAT_INSIDE, &other, 1, &r), NAT_HELD);
	kit.now += 29 * SECOND - US;
	assert_reason(send_piece(NAT_INSIDE, &late, 0, &r), NAT_FORWARDED);
	kit.now += SECOND + US;
	assert_false(nat_poll(kit.nat, kit.now, &out, &deadline));
	assert_int_equal(nat_reason_count(kit.nat, NAT_DROP_TTL), 1);
	assert_int_equal(nat_reason_count(kit.nat, NAT_DROP_FRAGMENT), 1);
	assert_true(deadline > kit.now);
	/* the first one comes too late, before anybody has polled */
	assert_reason(send_piece(NAT_INSIDE, &other, 2, &r), NAT_HELD);
	kit.now += 30 * SECOND;
	assert_reason(send_piece(NAT_INSIDE, &other, 0, &r), NAT_FORWARDED);
	assert_false(nat_poll(kit.nat, kit.now, &out, &deadline));
	kit_end(&kit);
}

/* What is held is bounded, in number and in bytes. */
static void test_bounds(void **state)
{
	static struct pieces p;
	struct nat_config c = kit_config();
	struct receiver r = {.got = 0};
	unsigned held = 0;
	size_t before;

	(void)state;
	kit_begin(&kit, &c, 1);
	before = nat_bytes(kit.nat);
	for (unsigned id = 0; id < 3000; id++) {
		cut_ipv4(&p, a, server, (uint16_t)id);
		held += send_piece(NAT_INSIDE, &p, 1, &r) == NAT_HELD;
	}
	assert_in_range(held, 16, 1000);
	assert_in_range(nat_bytes(kit.nat) - before, 1, 1000000);
	assert_int_equal(nat_reason_count(kit.nat, NAT_DROP_FRAGMENT), 3000 - held);
	kit.now += 30 * SECOND; /* room again, without a poll in between */
	assert_reason(send_piece(NAT_INSIDE, &p, 1, &r), NAT_HELD);
	kit_end(&kit);
	/* first ones in any number cost nothing either */
	kit_begin(&kit, &c, 1);
	for (unsigned id = 0; id < 3000; id++) {
		r.got = 0;
		cut_ipv4(&p, a, server, (uint16_t)id);
		assert_reason(send_piece(NAT_INSIDE, &p, 0, &r), NAT_FORWARDED);
	}
	assert_in_range(nat_bytes(kit.nat) - before, 1, 1000000);
	kit_end(&kit);
}

static void test_hairpin(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint b = at("10.0.0.3:6000"), external_a, external_b;
	struct receiver r = {.got = 0};
	struct pieces p;

	(void)state;
	c.behaviour[NAT_UDP].hairpin = NAT_HAIRPIN_EXTERNAL;
	kit_begin(&kit, &c, 1);
	udp_out(&kit, b, server);
	external_b = kit.seen.source;
	udp_out(&kit, a, server);
	external_a = kit.seen.source;
	cut_ipv4(&p, a, external_b, 1);
	assert_reason(send_piece(NAT_INSIDE, &p, 2, &r), NAT_HELD);
	assert_reason(send_piece(NAT_INSIDE, &p, 0, &r), NAT_HAIRPINNED);
	poll_pieces(&r);
	assert_reason(send_piece(NAT_INSIDE, &p, 1, &r), NAT_HAIRPINNED);
	assert_int_equal(kit.result.forward.side, NAT_INSIDE);
	check_received(&r, external_a, b);
	kit_end(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_in_order_only),
		cmocka_unit_test(test_dropped_first),
		cmocka_unit_test(test_kept_apart),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_held_too_long),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_hairpin),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
