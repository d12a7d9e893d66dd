// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Packets from outside that nobody has asked for, and what they do to a flow that comes later. The
 * sequences with Linux in their name were observed with nftables masquerade on Linux 6.18.
 */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/test_nat_kit.h"

static struct kit kit;

static struct endpoint a, a2, p, s, q, w;

static int setup(void **state)
{
	(void)state;
	a = at("10.0.0.2:6000");
	a2 = at("10.0.0.3:6000");
	p = at("198.51.100.10:9000");
	s = at("203.0.113.10:3478");
	q = at("203.0.113.10:9001");
	w = at("192.0.2.1:6000");
	return 0;
}

/* As Linux masquerades, with the INPUT chain that the test is about. */
static struct nat_config linux_config(enum nat_unsolicited unsolicited)
{
	struct nat_config c = kit_config();

	for (int t = 0; t < NAT_TRANSPORTS; t++) {
		struct nat_behaviour *b = &c.behaviour[t];

		b->filtering = NAT_ADDRESS_AND_PORT_DEPENDENT;
		b->unsolicited = unsolicited;
		b->ports = (struct nat_ports){
			.allocation = NAT_PRESERVING,
			.collision = NAT_COLLISION_OVERLOAD,
			.low = t == NAT_ICMP ? 0 : 1,
			.high = 65535,
			.classes = true,
		};
	}
	c.tcp.reset_ends_at_once = true;
	c.tcp.strict_sequence = true;
	return c;
}

static bool is_port_unreachable(const struct packet *answer)
{
	return answer->protocol == PACKET_ERROR && answer->type == 3 && answer->code == 3;
}

/* Linux: the early packet takes the tuple, and the flow from inside leaves from another port. */
static void test_linux_remap(void **state)
{
	struct nat_config c = linux_config(NAT_ACCEPT);
	struct endpoint moved;

	(void)state;
	kit_begin(&kit, &c, 1);
	assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, w);
	assert_reason(udp_in(&kit, p, w), NAT_DROP_ACCEPTED);
	assert_true(is_port_unreachable(&kit.answer));
	assert_int_equal(kit.result.answer.side, NAT_OUTSIDE);
	assert_endpoint(kit.answer.destination, with_port(p, 0));
	assert_endpoint(kit.answer.source, with_port(w, 0));
	assert_reason(udp_out(&kit, a, p), NAT_FORWARDED);
	moved = kit.seen.source;
	assert_true(endpoint_same_address(&moved, &w));
	assert_in_range(moved.port, 1024, 65535);
	assert_int_not_equal(moved.port, 6000);
	/* whatever it sends to the old port does not come in, and to the new one it does */
	assert_reason(udp_in(&kit, p, w), NAT_DROP_ACCEPTED);
	assert_reason(udp_in(&kit, p, moved), NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, a);
	/* the old flow is not touched, and new ones follow the newest (find_appropriate_src) */
	assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, w);
	assert_reason(udp_out(&kit, a, q), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, moved);
	kit_end(&kit);
}

/* Linux: the same for two inside hosts with one port: the second one moves, and stays there. */
static void test_linux_overload(void **state)
{
	struct nat_config c = linux_config(NAT_ACCEPT);
	struct endpoint moved;

	(void)state;
	kit_begin(&kit, &c, 2);
	assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, w);
	assert_reason(udp_out(&kit, a2, s), NAT_FORWARDED);
	moved = kit.seen.source;
	assert_int_not_equal(moved.port, 6000);
	assert_reason(udp_out(&kit, a2, p), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, moved);
	kit_end(&kit);
	/* the other way round it keeps its port, until the collision comes */
	kit_begin(&kit, &c, 2);
	assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
	assert_reason(udp_out(&kit, a2, p), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, w);
	assert_reason(udp_in(&kit, p, w), NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, a2);
	assert_reason(udp_in(&kit, s, w), NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, a);
	assert_reason(udp_in(&kit, q, w), NAT_DROP_ACCEPTED);
	assert_reason(udp_out(&kit, a2, s), NAT_FORWARDED);
	assert_int_not_equal(kit.seen.source.port, 6000);
	kit_end(&kit);
}

/* The box's entry lives like any without an answer, and each early packet makes it live on. */
static void test_remap_lifetime(void **state)
{
	(void)state;
	for (int refreshed = 0; refreshed < 2; refreshed++)
		for (int early = 0; early < 2; early++) {
			struct nat_config c = linux_config(NAT_ACCEPT);

			kit_begin(&kit, &c, 3);
			assert_reason(udp_in(&kit, p, w), NAT_DROP_ACCEPTED);
			assert_int_equal(nat_session_count(kit.nat), 1);
			assert_int_equal(nat_mapping_count(kit.nat), 0);
			if (refreshed) {
				kit.now += 25 * SECOND;
				assert_reason(udp_in(&kit, p, w), NAT_DROP_ACCEPTED);
			}
			assert_int_equal(nat_session_count(kit.nat), 1);
			kit.now += 30 * SECOND - (unsigned)early * US;
			assert_reason(udp_out(&kit, a, p), NAT_FORWARDED);
			assert_int_equal(kit.seen.source.port == 6000, !early);
			kit_end(&kit);
		}
}

/* What the inside host has opened first is not taken; nor by packets that are dropped or rejected. */
static void test_no_remap(void **state)
{
	static const enum nat_unsolicited kinds[] = {
		NAT_ACCEPT, NAT_DROP, NAT_REJECT_ICMP, NAT_REJECT_RST};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct nat_config c = linux_config(kinds[i]);

		kit_begin(&kit, &c, 4);
		if (kinds[i] == NAT_ACCEPT)
			assert_reason(udp_out(&kit, a, p), NAT_FORWARDED);
		else
			udp_in(&kit, p, w);
		assert_int_equal(nat_session_count(kit.nat), kinds[i] == NAT_ACCEPT);
		assert_reason(udp_out(&kit, a, p), NAT_FORWARDED);
		assert_endpoint(kit.seen.source, w);
		assert_reason(udp_in(&kit, p, w), NAT_FORWARDED);
		kit_end(&kit);
	}
}

/* Not only Linux: a NAT with random ports and one that overloads nothing moves too. */
static void test_remap_of_others(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint external;

	(void)state;
	c.behaviour[NAT_UDP].filtering = NAT_ADDRESS_DEPENDENT;
	c.behaviour[NAT_UDP].unsolicited = NAT_ACCEPT;
	kit_begin(&kit, &c, 5);
	assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
	external = kit.seen.source;
	assert_reason(udp_in(&kit, p, external), NAT_DROP_ACCEPTED);
	assert_reason(udp_out(&kit, a, with_port(p, 1)), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, external);
	assert_reason(udp_out(&kit, a, p), NAT_FORWARDED);
	assert_int_not_equal(kit.seen.source.port, external.port);
	kit_end(&kit);
}

/* TCP: the RST ends the box's entry, an echo has another tuple than its request. */
static void test_tcp_and_echo_do_not_remap(void **state)
{
	struct nat_config c = linux_config(NAT_ACCEPT);

	(void)state;
	kit_begin(&kit, &c, 6);
	assert_reason(tcp_send(&kit, NAT_OUTSIDE, p, w, PACKET_SYN, 100, 0), NAT_DROP_ACCEPTED);
	assert_int_equal(kit.answer.protocol, PACKET_TCP);
	assert_int_equal(kit.answer.flags, PACKET_RST | PACKET_ACK);
	assert_int_equal(kit.answer.acknowledgment, 101);
	assert_endpoint(kit.answer.source, w);
	assert_endpoint(kit.answer.destination, p);
	assert_int_equal(nat_session_count(kit.nat), 0);
	assert_reason(tcp_send(&kit, NAT_INSIDE, a, p, PACKET_SYN, 1, 0), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, w);
	assert_reason(echo_in(&kit, p, w, false), NAT_DROP_ACCEPTED);
	assert_int_equal(kit.answer.protocol, PACKET_ECHO);
	assert_true(kit.answer.echo_reply);
	assert_int_equal(kit.answer.source.port, p.port);
	assert_int_equal(kit.answer.payload_length, 4);
	assert_memory_equal(&kit.answer.bytes[kit.answer.payload], "ping", 4);
	assert_reason(echo_in(&kit, p, w, true), NAT_DROP_ACCEPTED);
	assert_int_equal(kit.result.answer.length, 0);
	assert_reason(echo_out(&kit, with_port(a, p.port), p, false), NAT_FORWARDED);
	assert_int_equal(kit.seen.source.port, p.port);
	kit_end(&kit);
}

static void test_reject(void **state)
{
	struct nat_config c = linux_config(NAT_REJECT_ICMP);

	(void)state;
	for (int t = 0; t < NAT_TRANSPORTS; t++)
		c.behaviour[t].icmp_code = 13;
	kit_begin(&kit, &c, 7);
	assert_reason(udp_in(&kit, p, w), NAT_DROP_REJECTED);
	assert_int_equal(kit.answer.type, 3);
	assert_int_equal(kit.answer.code, 13);
	assert_reason(tcp_send(&kit, NAT_OUTSIDE, p, w, PACKET_SYN, 100, 0), NAT_DROP_REJECTED);
	assert_int_equal(kit.answer.code, 13);
	assert_reason(echo_in(&kit, p, w, false), NAT_DROP_REJECTED);
	assert_int_equal(kit.answer.code, 13);
	kit_end(&kit);
	c = linux_config(NAT_REJECT_RST);
	kit_begin(&kit, &c, 7);
	assert_reason(udp_in(&kit, p, w), NAT_DROP_REJECTED);
	assert_true(is_port_unreachable(&kit.answer));
	assert_reason(tcp_send(&kit, NAT_OUTSIDE, p, w, PACKET_SYN, 100, 0), NAT_DROP_REJECTED);
	assert_int_equal(kit.answer.flags, PACKET_RST | PACKET_ACK);
	/* nobody answers a RST */
	assert_reason(tcp_send(&kit, NAT_OUTSIDE, p, w, PACKET_RST, 100, 0), NAT_DROP_NO_MAPPING);
	assert_int_equal(kit.result.answer.length, 0);
	kit_end(&kit);
}

static void test_reject_ipv6(void **state)
{
	struct nat_config c = linux_config(NAT_REJECT_RST);
	struct endpoint from = at("[2001:db8:ffff::1]:9000"), to = at("[2001:db8:1::1]:6000");

	(void)state;
	c.external[0] = at("2001:db8:1::1");
	kit_begin(&kit, &c, 8);
	assert_reason(udp_in(&kit, from, to), NAT_DROP_REJECTED);
	assert_int_equal(kit.answer.family, FAMILY_IPV6);
	assert_int_equal(kit.answer.type, 1);
	assert_int_equal(kit.answer.code, 4);
	kit_end(&kit);
}

/* The filter is what is asked, not whether a mapping is there. */
static void test_filtered(void **state)
{
	struct nat_config c = linux_config(NAT_DROP);

	(void)state;
	kit_begin(&kit, &c, 9);
	assert_reason(udp_in(&kit, p, w), NAT_DROP_NO_MAPPING);
	assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
	assert_reason(udp_in(&kit, p, w), NAT_DROP_FILTERED);
	assert_int_equal(kit.result.answer.length, 0);
	kit_end(&kit);
}

static void test_blacklist(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint external;

	(void)state;
	c.behaviour[NAT_UDP].filtering = NAT_ADDRESS_AND_PORT_DEPENDENT;
	c.behaviour[NAT_UDP].unsolicited = NAT_BLACKLIST;
	c.behaviour[NAT_UDP].blacklist_us = 60 * SECOND;
	c.behaviour[NAT_UDP].lifetimes.one_way_us = 300 * SECOND;
	for (int early = 0; early < 2; early++) {
		kit_begin(&kit, &c, 10);
		assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
		external = kit.seen.source;
		assert_reason(udp_in(&kit, p, external), NAT_DROP_FILTERED);
		/* now the punch of the inside host comes too late: its answers are kept out */
		assert_reason(udp_out(&kit, a, p), NAT_FORWARDED);
		assert_endpoint(kit.seen.source, external);
		assert_reason(udp_in(&kit, p, external), NAT_DROP_BLACKLISTED);
		assert_reason(udp_in(&kit, s, external), NAT_FORWARDED);
		assert_reason(udp_in(&kit, with_port(p, 9001), external), NAT_DROP_FILTERED);
		kit.now += 60 * SECOND - (unsigned)early * US;
		assert_reason(
			udp_in(&kit, p, external), early ? NAT_DROP_BLACKLISTED : NAT_FORWARDED);
		kit_end(&kit);
	}
	c.behaviour[NAT_UDP].blacklist_us = 0;
	assert_int_equal(nat_create(&c, &(struct random){{0}}, &kit.nat), -EINVAL);
}

/* What the box has for itself is seen in the table, and ends with events. */
static void test_entries(void **state)
{
	struct nat_config c = linux_config(NAT_ACCEPT);
	struct nat_entry entry;
	size_t cursor = 0;

	(void)state;
	kit_begin(&kit, &c, 11);
	udp_in(&kit, p, w);
	assert_true(nat_next_entry(kit.nat, &cursor, &entry));
	assert_int_equal(entry.inside.family, FAMILY_NONE);
	assert_endpoint(entry.external, w);
	assert_endpoint(entry.remote, p);
	assert_string_equal(entry.state, "box");
	assert_int_equal(entry.expires_us, kit.now + 30 * SECOND);
	assert_false(nat_next_entry(kit.nat, &cursor, &entry));
	kit_end(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linux_remap),
		cmocka_unit_test(test_linux_overload),
		cmocka_unit_test(test_remap_lifetime),
		cmocka_unit_test(test_no_remap),
		cmocka_unit_test(test_remap_of_others),
		cmocka_unit_test(test_tcp_and_echo_do_not_remap),
		cmocka_unit_test(test_reject),
		cmocka_unit_test(test_reject_ipv6),
		cmocka_unit_test(test_filtered),
		cmocka_unit_test(test_blacklist),
		cmocka_unit_test(test_entries),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
