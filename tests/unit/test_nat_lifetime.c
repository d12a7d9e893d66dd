// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Lifetimes, to the microsecond on both sides of the border: RFC 4787 4.3, RFC 5508 3.2. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/test_nat_kit.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static struct kit kit;

static struct nat_config config_with(bool outbound, bool inbound)
{
	struct nat_config c = kit_config();

	for (int t = 0; t < NAT_TRANSPORTS; t++) {
		c.behaviour[t].lifetimes.refresh_outbound = outbound;
		c.behaviour[t].lifetimes.refresh_inbound = inbound;
	}
	return c;
}

static void wait_for(uint64_t us)
{
	kit.now += us;
}

/* One packet out, then silence: alive a microsecond before the end, and gone at the end. */
static void test_one_way(void **state)
{
	struct endpoint a = at("10.0.0.2:5000"), s = at("198.51.100.10:3478"), external;

	(void)state;
	for (int early = 0; early < 2; early++) {
		struct nat_config c = config_with(true, true);

		kit_begin(&kit, &c, 1);
		assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
		external = kit.seen.source;
		wait_for(30 * SECOND - early * US);
		assert_reason(
			udp_in(&kit, s, external), early ? NAT_FORWARDED : NAT_DROP_NO_MAPPING);
		assert_int_equal(nat_mapping_count(kit.nat), early);
		kit_end(&kit);
	}
}

static void test_both_ways(void **state)
{
	struct endpoint a = at("10.0.0.2:5000"), s = at("198.51.100.10:3478"), external;

	(void)state;
	for (int early = 0; early < 2; early++) {
		struct nat_config c = config_with(true, true);

		kit_begin(&kit, &c, 1);
		assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
		external = kit.seen.source;
		wait_for(29 * SECOND);
		assert_reason(udp_in(&kit, s, external), NAT_FORWARDED);
		wait_for(120 * SECOND - early * US);
		assert_reason(
			udp_in(&kit, s, external), early ? NAT_FORWARDED : NAT_DROP_NO_MAPPING);
		kit_end(&kit);
	}
}

/*
 * RFC 4787 REQ-6: out and in at 0, then a packet in one direction after 100 of 120 seconds; whether it has
 * refreshed is seen at 120 s, and at 220 s.
 */
static void test_refresh(void **state)
{
	struct endpoint a = at("10.0.0.2:5000"), s = at("198.51.100.10:3478"), external;

	(void)state;
	for (int flags = 0; flags < 16; flags++) {
		bool outbound = flags & 1, inbound = flags & 2, out = flags & 4, early = flags & 8;
		struct nat_config c = config_with(outbound, inbound);
		bool refreshed = out ? outbound : inbound;
		uint64_t end = (refreshed ? 220 : 120) * SECOND;

		kit_begin(&kit, &c, 1);
		assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
		external = kit.seen.source;
		assert_reason(udp_in(&kit, s, external), NAT_FORWARDED);
		wait_for(100 * SECOND);
		assert_reason(out ? udp_out(&kit, a, s) : udp_in(&kit, s, external), NAT_FORWARDED);
		wait_for(end - 100 * SECOND - early * US);
		assert_reason(
			udp_in(&kit, s, external), early ? NAT_FORWARDED : NAT_DROP_NO_MAPPING);
		kit_end(&kit);
	}
}

/* Without refresh by inbound packets, an outside host cannot keep an open port open, whoever it is. */
static void test_inbound_does_not_prolong(void **state)
{
	struct nat_config c = config_with(true, false);
	struct endpoint a = at("10.0.0.2:5000"), s = at("198.51.100.10:3478"), external;

	(void)state;
	kit_begin(&kit, &c, 1);
	assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
	external = kit.seen.source;
	for (int i = 1; i < 6; i++) {
		wait_for(5 * SECOND);
		assert_reason(
			udp_in(&kit, with_port(at("203.0.113.9"), (uint16_t)(1000 + i)), external),
			NAT_FORWARDED);
	}
	wait_for(5 * SECOND - US);
	assert_reason(udp_in(&kit, at("203.0.113.9:2000"), external), NAT_FORWARDED);
	wait_for(US);
	assert_reason(udp_in(&kit, at("203.0.113.9:2001"), external), NAT_DROP_NO_MAPPING);
	kit_end(&kit);
}

/* Each remote endpoint has its own session; the mapping lives as long as one of them. */
static void test_sessions(void **state)
{
	struct nat_config c = config_with(true, true);
	struct endpoint a = at("10.0.0.2:5000"), s = at("198.51.100.10:3478");
	struct endpoint t = at("203.0.113.10:3478"), external;

	(void)state;
	c.behaviour[NAT_UDP].filtering = NAT_ADDRESS_AND_PORT_DEPENDENT;
	kit_begin(&kit, &c, 1);
	assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
	external = kit.seen.source;
	wait_for(20 * SECOND);
	assert_reason(udp_out(&kit, a, t), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, external);
	assert_int_equal(nat_session_count(kit.nat), 2);
	wait_for(10 * SECOND);
	assert_reason(udp_in(&kit, s, external), NAT_DROP_FILTERED);
	assert_int_equal(nat_session_count(kit.nat), 1);
	assert_int_equal(nat_mapping_count(kit.nat), 1);
	wait_for(19 * SECOND);
	assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, external);
	wait_for(SECOND);
	assert_reason(udp_in(&kit, t, external), NAT_DROP_FILTERED);
	wait_for(29 * SECOND);
	assert_reason(udp_in(&kit, t, external), NAT_DROP_NO_MAPPING);
	kit_end(&kit);
}

/*
 * Linux: the first answer does not make it a stream; a packet more than two seconds after the first one
 * does, if there was an answer before.
 */
static void test_settle(void **state)
{
	static const struct {
		uint64_t answer, again, alive; /* after the first packet; 0: none */
	} rows[] = {
		{1, 0, 31},
		{3, 0, 33}, /* the answer comes late, and is only the first */
		{1, 2, 32},
		{1, 3, 123},
		{0, 3, 33},
		{3, 4, 124},
	};

	(void)state;
	for (size_t i = 0; i < 2 * LENGTH(rows); i++) {
		struct nat_config c = config_with(true, true);
		struct endpoint a = at("10.0.0.2:5000"), s = at("198.51.100.10:3478"), external;
		uint64_t start, early = i & 1;

		c.behaviour[NAT_UDP].lifetimes.settle_us = 2 * SECOND;
		kit_begin(&kit, &c, 1);
		start = kit.now;
		assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
		external = kit.seen.source;
		if (rows[i / 2].answer) {
			kit.now = start + rows[i / 2].answer * SECOND;
			assert_reason(udp_in(&kit, s, external), NAT_FORWARDED);
		}
		if (rows[i / 2].again) {
			kit.now = start + rows[i / 2].again * SECOND;
			assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
		}
		kit.now = start + rows[i / 2].alive * SECOND - early;
		assert_reason(
			udp_in(&kit, s, external), early ? NAT_FORWARDED : NAT_DROP_NO_MAPPING);
		kit_end(&kit);
	}
}

/* What nobody configured is what the RFCs ask for. */
static void test_defaults(void **state)
{
	static const uint64_t wanted[NAT_TRANSPORTS] = {
		[NAT_UDP] = 300 * SECOND, [NAT_TCP] = 240 * SECOND, [NAT_ICMP] = 60 * SECOND};

	(void)state;
	for (int t = 0; t < NAT_TRANSPORTS; t++) {
		struct nat_config c = config_with(true, true);
		struct endpoint a = at("10.0.0.2:5000"), s = at("198.51.100.10:3478");
		struct nat_entry entry;
		size_t cursor = 0;

		memset(&c.behaviour[t].lifetimes, 0, sizeof(c.behaviour[t].lifetimes));
		kit_begin(&kit, &c, 1);
		if (t == NAT_UDP)
			assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
		else if (t == NAT_ICMP)
			assert_reason(echo_out(&kit, a, s, false), NAT_FORWARDED);
		else
			assert_reason(
				tcp_send(&kit, NAT_INSIDE, a, s, PACKET_SYN, 1, 0), NAT_FORWARDED);
		assert_true(nat_next_entry(kit.nat, &cursor, &entry));
		assert_int_equal(entry.expires_us, kit.now + wanted[t]);
		assert_false(nat_next_entry(kit.nat, &cursor, &entry));
		kit_end(&kit);
	}
}

/*
 * nat_poll says until when nothing ends, and ends each session at its moment; a refresh costs one more
 * poll at most.
 */
static void test_deadline(void **state)
{
	struct nat_config c = config_with(true, true);
	struct endpoint a = at("10.0.0.2:5000"), s = at("198.51.100.10:3478");
	uint64_t deadline, start;
	unsigned polls = 0;
	struct nat_out out;

	(void)state;
	kit_begin(&kit, &c, 1);
	start = kit.now;
	assert_false(nat_poll(kit.nat, kit.now, &out, &deadline));
	assert_true(deadline == UINT64_MAX);
	for (int i = 0; i < 100; i++) {
		udp_out(&kit, a, with_port(s, (uint16_t)(1 + i * 37 % 100)));
		wait_for(SECOND / 10);
	}
	kit.now = start + 15 * SECOND; /* all are refreshed, in another order */
	for (int i = 0; i < 100; i++) {
		udp_out(&kit, a, with_port(s, (uint16_t)(1 + i)));
		wait_for(MS);
	}
	for (unsigned i = 0; i < 100; i++) {
		uint64_t end = start + 45 * SECOND + i * MS;

		while (kit.now < end) {
			assert_false(nat_poll(kit.nat, kit.now, &out, &deadline));
			assert_int_equal(nat_session_count(kit.nat), 100 - i);
			assert_in_range(deadline, kit.now + US, end);
			kit.now = deadline;
			polls++;
		}
	}
	assert_in_range(polls, 100, 200);
	assert_false(nat_poll(kit.nat, kit.now, &out, &deadline));
	assert_true(deadline == UINT64_MAX);
	assert_int_equal(nat_session_count(kit.nat), 0);
	assert_int_equal(nat_mapping_count(kit.nat), 0);
	kit_end(&kit);
}

/* Time that runs backwards stands still. */
static void test_backwards(void **state)
{
	struct nat_config c = config_with(true, true);
	struct endpoint a = at("10.0.0.2:5000"), s = at("198.51.100.10:3478"), external;

	(void)state;
	kit_begin(&kit, &c, 1);
	assert_reason(udp_out(&kit, a, s), NAT_FORWARDED);
	external = kit.seen.source;
	kit.now -= 500 * SECOND;
	assert_reason(udp_in(&kit, s, external), NAT_FORWARDED);
	kit.now += 500 * SECOND + 120 * SECOND - US;
	assert_reason(udp_in(&kit, s, external), NAT_FORWARDED);
	kit_end(&kit);
}

struct watched {
	unsigned created, removed, mappings;
};

static void watch(void *context, const struct nat_event *event)
{
	struct watched *w = context;

	if (event->remote.family == FAMILY_NONE)
		w->mappings += event->created ? 1 : -1u;
	else if (event->created)
		w->created++;
	else
		w->removed++;
}

static void test_events(void **state)
{
	struct nat_config c = config_with(true, true);
	struct endpoint a = at("10.0.0.2:5000"), s = at("198.51.100.10:3478");
	struct watched w = {0};

	(void)state;
	kit_begin(&kit, &c, 1);
	nat_listen(kit.nat, watch, &w);
	udp_out(&kit, a, s);
	udp_out(&kit, a, with_port(s, 3479));
	udp_out(&kit, with_port(a, 5001), s);
	assert_int_equal(w.created, 3);
	assert_int_equal(w.mappings, 2);
	assert_int_equal(w.removed, 0);
	wait_for(30 * SECOND);
	udp_in(&kit, s, at("192.0.2.1:9"));
	assert_int_equal(w.removed, 3);
	assert_int_equal(w.mappings, 0);
	assert_int_equal(nat_reason_count(kit.nat, NAT_FORWARDED), 3);
	assert_int_equal(nat_reason_count(kit.nat, NAT_DROP_NO_MAPPING), 1);
	kit_end(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_way),
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_inbound_does_not_prolong),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_settle),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_backwards),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
