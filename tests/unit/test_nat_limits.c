// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Limits of the table, and what happens there. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/test_nat_kit.h"

static struct kit kit;
static struct endpoint a, server;

static int setup(void **state)
{
	(void)state;
	a = at("10.0.0.2:1");
	server = at("198.51.100.10:3478");
	return 0;
}

static struct endpoint inside(uint16_t port)
{
	return with_port(a, port);
}

static struct endpoint outside(uint16_t port)
{
	return with_port(server, port);
}

static void test_mappings_drop(void **state)
{
	struct nat_config c = kit_config();

	(void)state;
	for (int tell = 0; tell < 2; tell++) {
		c.limits.mappings = 10;
		c.limits.tell = tell;
		kit_begin(&kit, &c, 1);
		for (uint16_t i = 1; i <= 10; i++)
			assert_reason(udp_out(&kit, inside(i), server), NAT_FORWARDED);
		assert_reason(udp_out(&kit, inside(11), server), NAT_DROP_TABLE_FULL);
		assert_int_equal(kit.result.answer.length > 0, tell);
		if (tell) { /* RFC 5508 REQ-8 */
			assert_int_equal(kit.answer.type, 3);
			assert_int_equal(kit.answer.code, 13);
		}
		assert_reason(tcp_send(&kit, NAT_INSIDE, inside(1), server, PACKET_SYN, 1, 0),
			NAT_DROP_TABLE_FULL);
		/* what is there goes on, and may have more sessions */
		assert_reason(udp_out(&kit, inside(10), outside(1)), NAT_FORWARDED);
		assert_int_equal(nat_mapping_count(kit.nat), 10);
		kit.now += 30 * SECOND;
		assert_reason(udp_out(&kit, inside(11), server), NAT_FORWARDED);
		kit_end(&kit);
	}
}

static void test_mappings_evict(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint first, tenth;

	(void)state;
	c.limits.mappings = 10;
	c.limits.evict_oldest = true;
	kit_begin(&kit, &c, 1);
	for (uint16_t i = 1; i <= 10; i++) {
		assert_reason(udp_out(&kit, inside(i), server), NAT_FORWARDED);
		assert_reason(udp_out(&kit, inside(i), outside(i)), NAT_FORWARDED);
		if (i == 1)
			first = kit.seen.source;
	}
	tenth = kit.seen.source;
	assert_reason(udp_out(&kit, inside(11), server), NAT_FORWARDED);
	assert_int_equal(nat_mapping_count(kit.nat), 10);
	assert_int_equal(nat_session_count(kit.nat), 19);
	assert_reason(udp_in(&kit, server, first), NAT_DROP_NO_MAPPING);
	assert_reason(udp_in(&kit, server, tenth), NAT_FORWARDED);
	kit_end(&kit);
}

static void test_sessions(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint external;

	(void)state;
	for (int evict = 0; evict < 2; evict++) {
		c.limits.sessions = 10;
		c.limits.evict_oldest = evict;
		c.behaviour[NAT_UDP].filtering = NAT_ADDRESS_AND_PORT_DEPENDENT;
		kit_begin(&kit, &c, 1);
		for (uint16_t i = 1; i <= 10; i++)
			assert_reason(udp_out(&kit, a, outside(i)), NAT_FORWARDED);
		external = kit.seen.source;
		assert_reason(
			udp_out(&kit, a, outside(11)), evict ? NAT_FORWARDED : NAT_DROP_TABLE_FULL);
		assert_int_equal(nat_session_count(kit.nat), 10);
		assert_reason(udp_in(&kit, outside(1), external),
			evict ? NAT_DROP_FILTERED : NAT_FORWARDED);
		assert_reason(udp_in(&kit, outside(11), external),
			evict ? NAT_FORWARDED : NAT_DROP_FILTERED);
		kit_end(&kit);
	}
}

/* With room for one alone, a hairpinned packet must not throw out its own sender. */
static void test_evict_itself(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint b = at("10.0.0.3:2"), external_b;

	(void)state;
	c.behaviour[NAT_UDP].hairpin = NAT_HAIRPIN_EXTERNAL;
	c.limits.evict_oldest = true;
	for (size_t sessions = 1; sessions < 5; sessions++)
		for (size_t mappings = 1; mappings < 3; mappings++) {
			c.limits.sessions = sessions;
			c.limits.mappings = mappings;
			kit_begin(&kit, &c, 1);
			assert_reason(udp_out(&kit, b, server), NAT_FORWARDED);
			external_b = kit.seen.source;
			udp_out(&kit, a, external_b);
			if (sessions >= 3 && mappings >= 2)
				assert_reason(kit.result.reason, NAT_HAIRPINNED);
			else
				assert_false(went_on(kit.result.reason));
			assert_in_range(nat_session_count(kit.nat), 1, sessions);
			assert_in_range(nat_mapping_count(kit.nat), 1, mappings);
			/* an inward session that would end its own mapping */
			assert_reason(udp_out(&kit, b, server), NAT_FORWARDED);
			udp_in(&kit, outside(77), kit.seen.source);
			assert_in_range(nat_session_count(kit.nat), 1, sessions);
			kit_end(&kit);
		}
}

/* What the box has for itself, and what filters let in, counts too. */
static void test_from_outside(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint external;

	(void)state;
	c.limits.sessions = 10;
	c.behaviour[NAT_UDP].unsolicited = NAT_ACCEPT;
	kit_begin(&kit, &c, 1);
	for (uint16_t i = 1; i <= 50; i++)
		assert_reason(udp_in(&kit, outside(i), at("192.0.2.1:9")), NAT_DROP_ACCEPTED);
	assert_int_equal(nat_session_count(kit.nat), 10);
	assert_reason(udp_out(&kit, a, server), NAT_DROP_TABLE_FULL);
	kit_end(&kit);
	kit_begin(&kit, &c, 1);
	assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
	external = kit.seen.source;
	for (uint16_t i = 1; i <= 50; i++)
		assert_reason(udp_in(&kit, outside(i), external),
			i < 10 ? NAT_FORWARDED : NAT_DROP_TABLE_FULL);
	assert_int_equal(nat_session_count(kit.nat), 10);
	kit_end(&kit);
}

/* So many at once, and then one for each part of the second. */
static void test_rate(void **state)
{
	struct nat_config c = kit_config();
	uint16_t port = 1;

	(void)state;
	c.limits.new_per_second = 10;
	kit_begin(&kit, &c, 1);
	for (int i = 0; i < 10; i++)
		assert_reason(udp_out(&kit, inside(port++), server), NAT_FORWARDED);
	assert_reason(udp_out(&kit, inside(port), server), NAT_DROP_RATE);
	assert_reason(udp_out(&kit, inside(1), server), NAT_FORWARDED); /* not new */
	kit.now += SECOND / 10 - US;
	assert_reason(udp_out(&kit, inside(port), server), NAT_DROP_RATE);
	kit.now += US;
	assert_reason(udp_out(&kit, inside(port++), server), NAT_FORWARDED);
	assert_reason(udp_out(&kit, inside(port), server), NAT_DROP_RATE);
	kit.now += 20 * SECOND; /* no more than a second's worth is saved */
	for (int i = 0; i < 10; i++)
		assert_reason(udp_out(&kit, inside(port++), server), NAT_FORWARDED);
	assert_reason(udp_out(&kit, inside(port), server), NAT_DROP_RATE);
	kit_end(&kit);
}

/* What is refused throws nothing out, and what does not become a session does not count as one. */
static void test_rate_and_room(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint first;

	(void)state;
	c.limits.new_per_second = 2;
	c.limits.sessions = 2;
	c.limits.evict_oldest = true;
	kit_begin(&kit, &c, 1);
	assert_reason(udp_out(&kit, inside(1), server), NAT_FORWARDED);
	first = kit.seen.source;
	assert_reason(udp_out(&kit, inside(2), server), NAT_FORWARDED);
	assert_reason(udp_out(&kit, inside(3), server), NAT_DROP_RATE);
	assert_int_equal(nat_session_count(kit.nat), 2);
	assert_reason(udp_in(&kit, server, first), NAT_FORWARDED);
	kit_end(&kit);
	c.limits.evict_oldest = false;
	c.limits.sessions = 1;
	kit_begin(&kit, &c, 1);
	assert_reason(udp_out(&kit, inside(1), server), NAT_FORWARDED);
	for (uint16_t i = 2; i < 9; i++)
		assert_reason(udp_out(&kit, inside(i), server), NAT_DROP_TABLE_FULL);
	kit_end(&kit);
}

/* REQ-8 of RFC 5508 is about hairpinned packets too. */
static void test_tell_hairpin(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint external;

	(void)state;
	c.behaviour[NAT_UDP].hairpin = NAT_HAIRPIN_EXTERNAL;
	c.limits.mappings = 1;
	c.limits.tell = true;
	kit_begin(&kit, &c, 1);
	assert_reason(udp_out(&kit, inside(1), server), NAT_FORWARDED);
	external = kit.seen.source;
	assert_reason(udp_out(&kit, inside(2), external), NAT_DROP_TABLE_FULL);
	assert_int_equal(kit.answer.type, 3);
	assert_int_equal(kit.answer.code, 13);
	assert_endpoint(kit.answer.destination, inside(0));
	kit_end(&kit);
}

/* Over many seconds the rate is what was configured. */
static void test_rate_over_time(void **state)
{
	struct nat_config c = kit_config();
	unsigned passed = 0;

	(void)state;
	c.limits.new_per_second = 7;
	kit_begin(&kit, &c, 1);
	for (unsigned i = 0; i < 10000; i++) { /* 100 s */
		kit.now += 10 * MS;
		passed += udp_out(&kit, inside((uint16_t)(1 + i % 60000)), server) == NAT_FORWARDED;
	}
	assert_in_range(passed, 700, 707);
	kit_end(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mappings_drop),
		cmocka_unit_test(test_mappings_evict),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_evict_itself),
		cmocka_unit_test(test_from_outside),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rate_and_room),
		cmocka_unit_test(test_rate_over_time),
		cmocka_unit_test(test_tell_hairpin),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
