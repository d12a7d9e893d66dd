// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* What is not NAT44 with ports: firewalls, 1:1, NAT66, prefixes; addresses in payloads; wrong configs. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/test_nat_kit.h"
#include "wire/checksum.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static struct kit kit;
static struct endpoint a, b, server, other, a6, b6, server6, other6;

static int setup(void **state)
{
	(void)state;
	a = at("10.0.0.2:5000");
	b = at("10.0.0.3:5000");
	server = at("198.51.100.10:3478");
	other = at("203.0.113.10:9");
	a6 = at("[2001:db8:a::2]:5000");
	b6 = at("[2001:db8:a::3]:5000");
	server6 = at("[2001:db8:ffff::1]:3478");
	other6 = at("[2001:db8:ffff::2]:9");
	return 0;
}

/* --- NAT_NONE --- */

static void test_firewall(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct endpoint in = v6 ? a6 : a, out = v6 ? server6 : server;
		struct endpoint stranger = v6 ? other6 : other;
		struct nat_config c = kit_config();
		struct packet quoted;

		c.translation = NAT_NONE;
		c.external_count = 0;
		for (int t = 0; t < NAT_TRANSPORTS; t++)
			c.behaviour[t].filtering = NAT_ADDRESS_AND_PORT_DEPENDENT;
		kit_begin(&kit, &c, 1);
		assert_reason(udp_in(&kit, out, in), NAT_DROP_NO_MAPPING);
		assert_reason(udp_out(&kit, in, out), NAT_FORWARDED);
		assert_endpoint(kit.seen.source, in);
		assert_endpoint(kit.seen.destination, out);
		assert_reason(udp_in(&kit, stranger, in), NAT_DROP_FILTERED);
		assert_reason(udp_in(&kit, out, in), NAT_FORWARDED);
		assert_endpoint(kit.seen.destination, in);
		assert_endpoint(kit.seen.source, out);
		/* errors from anywhere about what went out, and about what came in */
		{
			uint8_t cause[200];
			int length = kit_udp(&kit, in, out);
			struct packet p;

			memcpy(cause, kit.bytes, (size_t)length);
			assert_int_equal(packet_decode(cause, (size_t)length, &p), 0);
			length = packet_build_error(
				kit.bytes, sizeof(kit.bytes), &stranger, &p, v6 ? 3 : 11, 0, 0);
			assert_reason(kit_send(&kit, NAT_OUTSIDE, length), NAT_FORWARDED);
			assert_endpoint(kit.seen.destination, with_port(in, 0));
			assert_int_equal(packet_decode_quoted(&kit.seen, &quoted), 0);
			assert_endpoint(quoted.source, in);
		}
		assert_reason(echo_out(&kit, in, out, false), NAT_FORWARDED);
		assert_reason(echo_in(&kit, with_port(out, in.port), in, true), NAT_FORWARDED);
		assert_reason(
			echo_in(&kit, with_port(stranger, in.port), in, true), NAT_DROP_FILTERED);
		kit_end(&kit);
	}
}

static void test_router(void **state)
{
	struct nat_config c = kit_config();

	(void)state;
	c.translation = NAT_NONE;
	c.external_count = 0;
	for (int t = 0; t < NAT_TRANSPORTS; t++)
		c.behaviour[t].unfiltered = true;
	kit_begin(&kit, &c, 1);
	assert_reason(udp_in(&kit, server, a), NAT_FORWARDED);
	assert_reason(tcp_send(&kit, NAT_OUTSIDE, server, a, PACKET_ACK, 1, 1), NAT_FORWARDED);
	assert_reason(echo_in(&kit, server, a, true), NAT_FORWARDED);
	assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, a);
	assert_int_equal(kit.seen.ttl, TTL_KIT - 1);
	/* RFC 768: who wants no answer has no port */
	assert_reason(udp_out(&kit, with_port(a, 0), server), NAT_FORWARDED);
	assert_reason(udp_in(&kit, with_port(server, 0), a), NAT_FORWARDED);
	assert_int_equal(nat_session_count(kit.nat), 0);
	kit_end(&kit);
}

/* --- NAT_ADDRESSES --- */

static struct nat_config one_to_one(void)
{
	struct nat_config c = kit_config();

	c.translation = NAT_ADDRESSES;
	c.external_count = 2;
	c.external[1] = at("192.0.2.2");
	for (int t = 0; t < NAT_TRANSPORTS; t++) {
		c.behaviour[t].unfiltered = true;
		c.behaviour[t].hairpin = NAT_HAIRPIN_EXTERNAL;
	}
	c.echo_inward = true;
	return c;
}

static void test_one_to_one(void **state)
{
	struct nat_config c = one_to_one();

	(void)state;
	kit_begin(&kit, &c, 1);
	assert_reason(udp_in(&kit, server, at("192.0.2.1:80")), NAT_DROP_NO_MAPPING);
	assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, at("192.0.2.1:5000"));
	assert_reason(udp_out(&kit, b, server), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, at("192.0.2.2:5000"));
	assert_reason(udp_out(&kit, at("10.0.0.4:5"), server), NAT_DROP_NO_PORT);
	assert_reason(udp_in(&kit, other, at("192.0.2.2:80")), NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, at("10.0.0.3:80"));
	assert_reason(udp_out(&kit, with_port(b, 80), other), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, at("192.0.2.2:80"));
	assert_reason(tcp_send(&kit, NAT_OUTSIDE, other, at("192.0.2.1:80"), PACKET_SYN, 1, 0),
		NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, at("10.0.0.2:80"));
	assert_reason(echo_in(&kit, other, at("192.0.2.1:9"), false), NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, at("10.0.0.2:9"));
	assert_reason(echo_out(&kit, at("10.0.0.2:9"), other, true), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, at("192.0.2.1:9"));
	assert_reason(udp_out(&kit, a, at("192.0.2.2:80")), NAT_HAIRPINNED);
	assert_endpoint(kit.seen.source, at("192.0.2.1:5000"));
	assert_endpoint(kit.seen.destination, at("10.0.0.3:80"));
	assert_reason(echo_out(&kit, with_port(a, 3), at("192.0.2.2:3"), false), NAT_HAIRPINNED);
	assert_endpoint(kit.seen.destination, at("10.0.0.3:3"));
	/* the addresses stay where they are, also when nothing is left of the flows */
	kit.now += 1000000 * SECOND;
	assert_reason(udp_in(&kit, other, at("192.0.2.2:81")), NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, at("10.0.0.3:81"));
	kit_end(&kit);
	c.hosts[0] = with_port(b, 0);
	kit_begin(&kit, &c, 1);
	assert_reason(udp_in(&kit, server, at("192.0.2.1:80")), NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, at("10.0.0.3:80"));
	kit_end(&kit);
}

static void test_one_to_one_filtered(void **state)
{
	struct nat_config c = one_to_one();

	(void)state;
	for (int t = 0; t < NAT_TRANSPORTS; t++) {
		c.behaviour[t].unfiltered = false;
		c.behaviour[t].filtering = NAT_ADDRESS_DEPENDENT;
	}
	kit_begin(&kit, &c, 1);
	assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
	assert_reason(udp_in(&kit, with_port(server, 1), at("192.0.2.1:5000")), NAT_FORWARDED);
	assert_reason(udp_in(&kit, other, at("192.0.2.1:5000")), NAT_DROP_FILTERED);
	assert_reason(udp_in(&kit, server, at("192.0.2.1:5001")), NAT_DROP_NO_MAPPING);
	kit_end(&kit);
}

/* What the box has taken of an address is no obstacle to the host that has it: it cannot move. */
static void test_one_to_one_accepted(void **state)
{
	struct nat_config c = one_to_one();

	(void)state;
	for (int t = 0; t < NAT_TRANSPORTS; t++) {
		c.behaviour[t].unfiltered = false;
		c.behaviour[t].filtering = NAT_ADDRESS_AND_PORT_DEPENDENT;
		c.behaviour[t].unsolicited = NAT_ACCEPT;
	}
	for (int first = 0; first < 2; first++) {
		kit_begin(&kit, &c, 1);
		if (first) /* the host has a mapping already */
			assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
		assert_reason(udp_in(&kit, other, at("192.0.2.1:5000")), NAT_DROP_ACCEPTED);
		assert_int_equal(nat_session_count(kit.nat), 1 + first);
		assert_reason(udp_out(&kit, a, other), NAT_FORWARDED);
		assert_endpoint(kit.seen.source, at("192.0.2.1:5000"));
		assert_int_equal(nat_session_count(kit.nat), 1 + first);
		assert_int_equal(nat_mapping_count(kit.nat), 1);
		assert_reason(udp_in(&kit, other, at("192.0.2.1:5000")), NAT_FORWARDED);
		assert_endpoint(kit.seen.destination, a);
		kit_end(&kit);
	}
}

/* --- NAT66 --- */

static void test_nat66(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint one;

	(void)state;
	c.external_count = 2;
	c.external[1] = at("2001:db8:1::1");
	c.behaviour[NAT_UDP].filtering = NAT_ADDRESS_AND_PORT_DEPENDENT;
	kit_begin(&kit, &c, 1);
	assert_reason(udp_out(&kit, a6, server6), NAT_FORWARDED);
	one = kit.seen.source;
	assert_true(endpoint_same_address(&one, &c.external[1]));
	assert_reason(udp_out(&kit, b6, server6), NAT_FORWARDED);
	assert_int_not_equal(kit.seen.source.port, one.port);
	assert_reason(udp_in(&kit, server6, one), NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, a6);
	assert_reason(udp_in(&kit, other6, one), NAT_DROP_FILTERED);
	assert_reason(echo_out(&kit, a6, server6, false), NAT_FORWARDED);
	one = kit.seen.source;
	assert_reason(echo_in(&kit, with_port(server6, one.port), one, true), NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, a6);
	/* IPv4 has its own address */
	assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
	assert_true(endpoint_same_address(&kit.seen.source, &c.external[0]));
	kit_end(&kit);
	/* and IPv6 may be left as it is, behind the same filter */
	c.external_count = 1;
	kit_begin(&kit, &c, 1);
	assert_reason(udp_out(&kit, a6, server6), NAT_DROP_ADDRESS);
	kit_end(&kit);
	c.ipv6_untranslated = true;
	kit_begin(&kit, &c, 1);
	assert_reason(udp_in(&kit, server6, a6), NAT_DROP_NO_MAPPING);
	assert_reason(udp_out(&kit, a6, server6), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, a6);
	assert_reason(udp_in(&kit, server6, a6), NAT_FORWARDED);
	kit_end(&kit);
}

/* --- NAT_PREFIX --- */

static struct nat_config prefix_config(const char *inside, const char *outside, uint8_t bits)
{
	struct nat_config c = kit_config();

	c.translation = NAT_PREFIX;
	c.external_count = 0;
	c.inside6.family = FAMILY_NONE;
	c.prefix_inside = at(inside);
	c.prefix_outside = at(outside);
	c.prefix_bits = bits;
	return c;
}

/* RFC 6296 2.2 has the first row; the others are its rules applied by hand. */
static void test_prefix(void **state)
{
	static const struct {
		const char *inside, *outside;
		uint8_t bits;
		const char *from, *to;
	} rows[] = {
		{"fd01:203:405::", "2001:db8:1::", 48, "[fd01:203:405:1::1234]:7",
			"[2001:db8:1:d550::1234]:7"},
		{"fd01:203:405:1::", "2001:db8:1:1::", 64, "[fd01:203:405:1::1]:7",
			"[2001:db8:1:1:d54f::1]:7"},
		{"fd01:203:405:1::", "2001:db8:1:1::", 64, "[fd01:203:405:1:ffff::1]:7",
			"[2001:db8:1:1:ffff:d54f:0:1]:7"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct nat_config c = prefix_config(rows[i].inside, rows[i].outside, rows[i].bits);
		struct endpoint from = at(rows[i].from), to = at(rows[i].to);
		uint8_t sent[2];
		int length;

		kit_begin(&kit, &c, 1);
		length = kit_udp(&kit, from, server6);
		memcpy(sent, &kit.bytes[46], 2);
		assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_FORWARDED);
		assert_endpoint(kit.seen.source, to);
		assert_memory_equal(sent, &kit.bytes[46], 2); /* neutral */
		assert_reason(udp_in(&kit, server6, to), NAT_FORWARDED);
		assert_endpoint(kit.seen.destination, from);
		assert_reason(
			tcp_send(&kit, NAT_OUTSIDE, server6, to, PACKET_SYN, 1, 0), NAT_FORWARDED);
		assert_reason(echo_in(&kit, server6, to, false), NAT_FORWARDED);
		assert_int_equal(nat_session_count(kit.nat), 0);
		assert_reason(udp_out(&kit, server6, from), NAT_DROP_ADDRESS);
		assert_reason(udp_in(&kit, server6, other6), NAT_DROP_ADDRESS);
		kit_end(&kit);
	}
}

/* There and back for many addresses and lengths of prefixes. */
static void test_prefix_round_trip(void **state)
{
	struct random random;

	(void)state;
	random_init_number(&random, 5);
	for (uint8_t bits = 8; bits <= 64; bits++) { /* shorter ones have the server in them */
		struct nat_config c = prefix_config("fd01:203:405:607::", "2a01:9:3:77::", bits);

		kit_begin(&kit, &c, 1);
		for (int i = 0; i < 50; i++) {
			struct endpoint from = at("[fd01:203:405:607::]:7"), seen;

			random_bytes(&random, &from.address[8], 8);
			if (i % 5 == 0)
				memset(&from.address[8], 0xff, 2);
			assert_reason(udp_out(&kit, from, server6), NAT_FORWARDED);
			seen = kit.seen.source;
			assert_false(endpoint_equal(&seen, &from));
			assert_int_equal(checksum_sum(seen.address, 16) % 0xffff,
				checksum_sum(from.address, 16) % 0xffff);
			assert_reason(udp_in(&kit, server6, seen), NAT_FORWARDED);
			assert_endpoint(kit.seen.destination, from);
		}
		kit_end(&kit);
	}
}

static void test_prefix_others(void **state)
{
	struct nat_config c = prefix_config("fd01:203:405::", "2001:db8:1::", 48);
	struct endpoint from = at("[fd01:203:405:1::1234]:7"), to = at("[2001:db8:1:d550::1234]:7");
	struct endpoint peer = at("[fd01:203:405:1::77]:8"), peer_out;
	uint8_t cause[200];
	struct packet p;
	int length;

	(void)state;
	c.inside6 = at("fd01:203:405:1::ff");
	kit_begin(&kit, &c, 1);
	/* a subnet of all ones has no counterpart (RFC 6296 3.4), of which its hosts are told */
	assert_reason(udp_out(&kit, at("[fd01:203:405:ffff::1]:7"), server6), NAT_DROP_ADDRESS);
	assert_int_equal(kit.answer.type, 1);
	assert_endpoint(kit.answer.source, at("fd01:203:405:1::ff"));
	assert_endpoint(kit.answer.destination, at("fd01:203:405:ffff::1"));
	assert_reason(udp_out(&kit, server6, to), NAT_DROP_ADDRESS);
	assert_int_equal(kit.result.answer.length, 0);
	/* hairpin */
	assert_reason(udp_out(&kit, peer, server6), NAT_FORWARDED);
	peer_out = kit.seen.source;
	assert_reason(udp_out(&kit, from, peer_out), NAT_HAIRPINNED);
	assert_endpoint(kit.seen.source, to);
	assert_endpoint(kit.seen.destination, peer);
	/* errors */
	length = kit_udp(&kit, to, server6);
	memcpy(cause, kit.bytes, (size_t)length);
	assert_int_equal(packet_decode(cause, (size_t)length, &p), 0);
	assert_reason(
		kit_send(&kit, NAT_OUTSIDE,
			packet_build_error(kit.bytes, sizeof(kit.bytes), &other6, &p, 1, 4, 0)),
		NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, with_port(from, 0));
	assert_int_equal(packet_decode_quoted(&kit.seen, &p), 0);
	assert_endpoint(p.source, from);
	/* IPv4 is only routed */
	assert_reason(udp_out(&kit, at("198.18.1.2:7"), at("198.51.100.10:8")), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, at("198.18.1.2:7"));
	assert_int_equal(kit.seen.ttl, TTL_KIT - 1);
	assert_reason(udp_in(&kit, at("198.51.100.10:8"), at("198.18.1.2:9")), NAT_FORWARDED);
	kit_end(&kit);
}

/* --- what is not forwarded --- */

static void test_addresses(void **state)
{
	static const char *const bad[] = {"224.0.0.251:5353", "255.255.255.255:67", "127.0.0.1:1",
		"169.254.1.1:1", "0.0.0.0:1", "240.0.0.1:9"};
	struct nat_config c = kit_config();

	(void)state;
	kit_begin(&kit, &c, 1);
	for (size_t i = 0; i < LENGTH(bad); i++) {
		assert_reason(udp_out(&kit, a, at(bad[i])), NAT_DROP_ADDRESS);
		assert_reason(udp_out(&kit, at(bad[i]), server), NAT_DROP_ADDRESS);
	}
	assert_reason(udp_out(&kit, a6, at("[ff02::fb]:5353")), NAT_DROP_ADDRESS);
	assert_reason(udp_out(&kit, a6, at("[fe80::1]:5353")), NAT_DROP_ADDRESS);
	/* not ours, and ours as the source */
	assert_reason(udp_in(&kit, server, a), NAT_DROP_ADDRESS);
	assert_reason(udp_in(&kit, at("192.0.2.1:9"), at("192.0.2.1:9")), NAT_DROP_ADDRESS);
	assert_int_equal(nat_session_count(kit.nat), 0);
	/* port 0 is none */
	assert_reason(udp_out(&kit, with_port(a, 0), server), NAT_DROP_MALFORMED);
	assert_reason(udp_out(&kit, a, with_port(server, 0)), NAT_DROP_MALFORMED);
	kit_end(&kit);
}

/* From inside and outside, of every protocol. */
static void send_forged(const struct nat_config *c, struct endpoint own)
{
	bool v6 = own.family == FAMILY_IPV6;
	struct endpoint to = v6 ? server6 : server;

	kit_begin(&kit, c, 1);
	for (int side = NAT_INSIDE; side <= NAT_OUTSIDE; side++) {
		struct endpoint from = with_port(own, 9);

		if (side == NAT_OUTSIDE)
			to = v6 ? a6 : c->translation == NAT_NONE ? a : at("192.0.2.1:77");
		assert_reason(kit_send(&kit, (enum nat_side)side, kit_udp(&kit, from, to)),
			NAT_DROP_ADDRESS);
		assert_reason(tcp_send(&kit, (enum nat_side)side, from, to, PACKET_SYN, 1, 0),
			NAT_DROP_ADDRESS);
		assert_reason(kit_send(&kit, (enum nat_side)side, kit_echo(&kit, from, to, false)),
			NAT_DROP_ADDRESS);
		assert_int_equal(kit.result.answer.length, 0);
	}
	assert_int_equal(nat_session_count(kit.nat), 0);
	kit_end(&kit);
}

/* What has an address of the box as its source was not sent by the box. */
static void test_forged(void **state)
{
	(void)state;
	for (int translation = NAT_NONE; translation <= NAT_ADDRESSES; translation++)
		for (int unfiltered = 0; unfiltered < 2; unfiltered++) {
			struct nat_config c = kit_config();

			c.translation = (enum nat_translation)translation;
			for (int t = 0; t < NAT_TRANSPORTS; t++)
				c.behaviour[t].unfiltered = unfiltered;
			send_forged(&c, c.external[0]);
			send_forged(&c, c.inside);
			send_forged(&c, c.inside6);
		}
}

/* GRE */
static int other_protocol(struct endpoint from, struct endpoint to)
{
	int length = kit_udp(&kit, from, to);
	uint16_t sum;

	kit.bytes[9] = 47;
	kit.bytes[10] = kit.bytes[11] = 0;
	sum = (uint16_t)~checksum_sum(kit.bytes, 20);
	kit.bytes[10] = (uint8_t)(sum >> 8);
	kit.bytes[11] = (uint8_t)sum;
	return length;
}

static int error_from(struct endpoint from, struct endpoint about_from, struct endpoint about_to)
{
	uint8_t cause[100];
	struct packet p;
	int length =
		packet_build_udp(cause, sizeof(cause), &about_from, &about_to, 9, "abcdefgh", 8);

	assert_int_equal(packet_decode(cause, (size_t)length, &p), 0);
	return packet_build_error(kit.bytes, sizeof(kit.bytes), &from, &p, 3, 3, 0);
}

/* What is for the box stays there: a router passes it on to neither side. */
static void test_for_the_box(void **state)
{
	(void)state;
	for (int unfiltered = 0; unfiltered < 2; unfiltered++)
		for (int i = 0; i < 2; i++) {
			struct nat_config c = kit_config();
			struct endpoint own = with_port(i ? c.inside : c.external[0], 9);

			c.translation = NAT_NONE;
			c.errors.untracked_outward = true;
			for (int t = 0; t < NAT_TRANSPORTS; t++) {
				c.behaviour[t].unfiltered = unfiltered;
				c.behaviour[t].unsolicited = NAT_ACCEPT;
			}
			kit_begin(&kit, &c, 1);
			assert_reason(udp_in(&kit, server, own), NAT_DROP_ACCEPTED);
			assert_endpoint(kit.answer.source, with_port(own, 0));
			assert_int_equal(kit.answer.code, 3);
			assert_reason(tcp_send(&kit, NAT_OUTSIDE, server, own, PACKET_SYN, 1, 0),
				NAT_DROP_ACCEPTED);
			assert_int_equal(kit.answer.flags, PACKET_RST | PACKET_ACK);
			assert_reason(udp_out(&kit, a, own), NAT_DROP_ACCEPTED);
			assert_false(went_on(
				kit_send(&kit, NAT_OUTSIDE, error_from(server, own, other))));
			assert_false(
				went_on(kit_send(&kit, NAT_INSIDE, error_from(a, own, other))));
			assert_false(
				went_on(kit_send(&kit, NAT_OUTSIDE, other_protocol(server, own))));
			assert_false(went_on(kit_send(&kit, NAT_INSIDE, other_protocol(a, own))));
			kit_end(&kit);
		}
}

/* Nor does a NAT send out what is for itself. */
static void test_for_the_nat(void **state)
{
	struct nat_config c = one_to_one();

	(void)state;
	for (int translation = NAT_PORTS; translation <= NAT_ADDRESSES; translation++) {
		c.translation = (enum nat_translation)translation;
		c.errors.untracked_outward = true;
		kit_begin(&kit, &c, 1);
		for (int i = 0; i < 2; i++) {
			struct endpoint own = with_port(i ? c.inside : c.external[0], 9);

			assert_false(
				went_on(kit_send(&kit, NAT_INSIDE, error_from(a, own, other))));
			assert_false(went_on(kit_send(&kit, NAT_INSIDE, other_protocol(a, own))));
		}
		kit_end(&kit);
	}
}

static void test_malformed(void **state)
{
	struct nat_config c = kit_config();
	int length;

	(void)state;
	kit_begin(&kit, &c, 1);
	length = kit_udp(&kit, a, server);
	for (int i = 1; i < length; i++) {
		kit_udp(&kit, a, server);
		assert_reason(kit_send(&kit, NAT_INSIDE, i), NAT_DROP_MALFORMED);
	}
	/* bytes behind the packet are not part of it */
	kit_udp(&kit, a, server);
	assert_reason(kit_send(&kit, NAT_INSIDE, length + 10), NAT_FORWARDED);
	assert_int_equal(kit.result.forward.length, length);
	/* GRE */
	length = kit_udp(&kit, a, server);
	kit.bytes[9] = 47;
	kit.bytes[11] = (uint8_t)(kit.bytes[11] - 30);
	assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_DROP_PROTOCOL);
	kit_end(&kit);
}

/* --- blocked --- */

static void test_blocked(void **state)
{
	struct nat_config c = kit_config();

	(void)state;
	for (uint8_t code = 0; code < 14; code = (uint8_t)(code + 13)) {
		c.behaviour[NAT_UDP].blocked = true;
		c.behaviour[NAT_UDP].blocked_icmp_code = code;
		kit_begin(&kit, &c, 1);
		assert_reason(udp_out(&kit, a, server), NAT_DROP_BLOCKED);
		assert_int_equal(kit.result.answer.length > 0, code > 0);
		if (code) {
			assert_int_equal(kit.answer.type, 3);
			assert_int_equal(kit.answer.code, code);
			assert_endpoint(kit.answer.source, with_port(c.inside, 0));
		}
		assert_reason(echo_out(&kit, a, server, false), NAT_FORWARDED);
		kit_end(&kit);
	}
}

/* --- addresses in payloads --- */

static void test_alg(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint inside = at("10.11.12.13:5000"), external;

	(void)state;
	c.external[0] = at("192.0.2.111");
	for (int alg = 0; alg < 2; alg++)
		for (size_t offset = 0; offset < 5; offset++) {
			uint8_t payload[64];
			int length;

			memset(payload, 'x', sizeof(payload));
			memcpy(&payload[offset], "\x0a\x0b\x0c\x0d", 4); /* also at odd offsets */
			memcpy(&payload[10], "c=IN IP4 10.11.12.13 ", 21);
			memcpy(&payload[60], "\x0a\x0b\x0c\x0d", 4);
			c.alg = alg;
			kit_begin(&kit, &c, 1);
			length = packet_build_udp(kit.bytes, sizeof(kit.bytes), &inside, &server,
				TTL_KIT, payload, sizeof(payload));
			assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_FORWARDED);
			external = kit.seen.source;
			assert_int_equal(kit.seen.length, length);
			if (alg) {
				memcpy(&payload[offset], "\xc0\x00\x02\x6f", 4);
				memcpy(&payload[60], "\xc0\x00\x02\x6f", 4);
			}
			if (alg) /* as text of the same length */
				memcpy(&payload[10], "c=IN IP4 192.0.2.111 ", 21);
			assert_memory_equal(&kit.bytes[kit.seen.payload], payload, sizeof(payload));
			/* and back */
			length = packet_build_udp(kit.bytes, sizeof(kit.bytes), &server, &external,
				TTL_KIT, payload, sizeof(payload));
			assert_reason(kit_send(&kit, NAT_OUTSIDE, length), NAT_FORWARDED);
			memcpy(&payload[offset], "\x0a\x0b\x0c\x0d", 4);
			memcpy(&payload[10], "c=IN IP4 10.11.12.13 ", 21);
			memcpy(&payload[60], "\x0a\x0b\x0c\x0d", 4);
			assert_memory_equal(&kit.bytes[kit.seen.payload], payload, sizeof(payload));
			kit_end(&kit);
		}
}

/* A text that would become longer stays; TCP likewise, and an echo is none of its business. */
static void test_alg_limits(void **state)
{
	struct nat_config c = kit_config();
	struct packet_tcp tcp = {1, 0, PACKET_SYN, 1000};
	static const char text[] = "PORT 10.0.0.2 \x0a\x00\x00\x02";
	int length;

	(void)state;
	c.alg = true;
	kit_begin(&kit, &c, 1);
	length = packet_build_tcp(
		kit.bytes, sizeof(kit.bytes), &a, &server, TTL_KIT, &tcp, text, sizeof(text));
	assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_FORWARDED);
	assert_memory_equal(&kit.bytes[kit.seen.payload], "PORT 10.0.0.2 \xc0\x00\x02\x01", 19);
	length = packet_build_echo(
		kit.bytes, sizeof(kit.bytes), &a, &server, TTL_KIT, false, 1, text, sizeof(text));
	assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_FORWARDED);
	assert_memory_equal(&kit.bytes[kit.seen.payload], text, sizeof(text));
	kit_end(&kit);
}

/* --- configs that contradict themselves --- */

static void test_bad_configs(void **state)
{
	struct random random;

	(void)state;
	random_init_number(&random, 1);
	for (int i = 0; i < 17; i++) {
		struct nat_config c = kit_config();
		struct nat *nat = NULL;

		switch (i) {
		case 0:
			c.external_count = 0;
			break;
		case 1:
			c.external_count = NAT_EXTERNAL_MAX + 1;
			break;
		case 2:
			c.external[0].family = FAMILY_NONE;
			break;
		case 3:
			c.external_count = 2;
			c.external[1] = c.external[0];
			break;
		case 4:
			c.translation = (enum nat_translation)4;
			break;
		case 5:
			c.behaviour[NAT_TCP].mapping = (enum nat_dependence)4;
			break;
		case 6:
			c.behaviour[NAT_TCP].filtering = (enum nat_dependence) - 1;
			break;
		case 7:
			c.behaviour[NAT_UDP].ports.low = 5;
			c.behaviour[NAT_UDP].ports.high = 4;
			break;
		case 8:
			c.behaviour[NAT_UDP].ports.step = 65536;
			break;
		case 9:
			c.behaviour[NAT_UDP].ports.low = 100;
			c.behaviour[NAT_UDP].ports.high = 199;
			c.behaviour[NAT_UDP].ports.block = 101;
			break;
		case 10:
			c.behaviour[NAT_ICMP].hairpin = (enum nat_hairpin)4;
			break;
		case 11:
			c.behaviour[NAT_ICMP].unsolicited = (enum nat_unsolicited)5;
			break;
		case 12:
			c.translation = NAT_PREFIX;
			break;
		case 13:
			c = prefix_config("fd01::", "2001:db8::", 65);
			break;
		case 14:
			c.hosts[0] = a6;
			break;
		case 15:
			c = one_to_one();
			c.hosts[0] = c.hosts[1] = a;
			break;
		default:
			c.fragments = (enum nat_fragments)3;
			break;
		}
		assert_int_equal(nat_create(&c, &random, &nat), -EINVAL);
		assert_null(nat);
	}
	for (int r = 0; r < NAT_REASONS; r++)
		assert_true(*nat_reason_name((enum nat_reason)r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_firewall),
		cmocka_unit_test(test_router),
		cmocka_unit_test(test_one_to_one),
		cmocka_unit_test(test_one_to_one_filtered),
		cmocka_unit_test(test_one_to_one_accepted),
		cmocka_unit_test(test_nat66),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_prefix_round_trip),
		cmocka_unit_test(test_prefix_others),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_for_the_box),
		cmocka_unit_test(test_for_the_nat),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_alg),
		cmocka_unit_test(test_alg_limits),
		cmocka_unit_test(test_bad_configs),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
