// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Which external endpoint a mapping gets: RFC 4787 4.1 to 4.2, and the ways of NATs in the field. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/test_nat_kit.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static struct kit kit;
static struct endpoint server;

static int setup(void **state)
{
	(void)state;
	server = at("198.51.100.10:3478");
	return 0;
}

static void begin(const struct nat_ports *ports, uint64_t seed)
{
	struct nat_config c = kit_config();

	for (int t = 0; t < NAT_TRANSPORTS; t++)
		c.behaviour[t].ports = *ports;
	kit_begin(&kit, &c, seed);
}

/* The external port of an inside host's port; 0: none. */
static uint16_t map(unsigned host, uint16_t port)
{
	struct endpoint from = at("10.0.0.0");

	from.address[3] = (uint8_t)host;
	from.address[2] = (uint8_t)(host >> 8);
	from.port = port;
	if (udp_out(&kit, from, server) != NAT_FORWARDED)
		return 0;
	return kit.seen.source.port;
}

static void test_collision_next(void **state)
{
	(void)state;
	begin(&(struct nat_ports){.allocation = NAT_PRESERVING, .collision = NAT_COLLISION_NEXT},
		1);
	assert_int_equal(map(2, 5000), 5000);
	assert_int_equal(map(2, 5001), 5001);
	assert_int_equal(map(3, 5000), 5002);
	assert_int_equal(map(4, 5002), 5003);
	assert_int_equal(map(5, 65535), 65535);
	assert_int_equal(map(6, 65535), 1024); /* around the end */
	assert_int_equal(map(7, 80), 1025); /* not in the range */
	kit_end(&kit);
	begin(&(struct nat_ports){.allocation = NAT_PRESERVING,
		      .collision = NAT_COLLISION_NEXT,
		      .parity = true},
		1);
	assert_int_equal(map(2, 5000), 5000);
	assert_int_equal(map(3, 5000), 5002);
	assert_int_equal(map(3, 5001), 5001);
	assert_int_equal(map(4, 5001), 5003);
	kit_end(&kit);
}

static void test_collision_others(void **state)
{
	(void)state;
	begin(&(struct nat_ports){.allocation = NAT_PRESERVING, .collision = NAT_COLLISION_DROP},
		1);
	assert_int_equal(map(2, 5000), 5000);
	assert_int_equal(map(3, 5000), 0);
	assert_reason(kit.result.reason, NAT_DROP_NO_PORT);
	assert_int_equal(nat_mapping_count(kit.nat), 1);
	kit.now += 30 * SECOND; /* free again */
	assert_int_equal(map(3, 5000), 5000);
	kit_end(&kit);
	begin(&(struct nat_ports){.allocation = NAT_PRESERVING,
		      .collision = NAT_COLLISION_RANDOM,
		      .low = 5000,
		      .high = 5003},
		1);
	assert_int_equal(map(2, 5000), 5000);
	for (unsigned h = 3; h < 6; h++)
		assert_in_range(map(h, 5000), 5001, 5003);
	assert_int_equal(map(6, 5000), 0);
	assert_reason(kit.result.reason, NAT_DROP_NO_PORT);
	kit_end(&kit);
}

/* RFC 4787 REQ-3 a, in the classes of Linux; the last column is the range of who comes too late. */
static void test_classes(void **state)
{
	static const uint16_t rows[][3] = {{22, 1, 511}, {511, 1, 511}, {512, 600, 1023},
		{1023, 600, 1023}, {1024, 1024, 65535}, {40000, 1024, 65535}};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		for (uint64_t seed = 0; seed < 30; seed++) {
			begin(&(struct nat_ports){.allocation = NAT_PRESERVING,
				      .collision = NAT_COLLISION_OVERLOAD,
				      .low = 1,
				      .high = 65535,
				      .classes = true},
				seed);
			assert_int_equal(map(2, rows[i][0]), rows[i][0]);
			assert_in_range(map(3, rows[i][0]), rows[i][1], rows[i][2]);
			kit_end(&kit);
		}
}

static void test_sequential(void **state)
{
	(void)state;
	for (int step = -3; step <= 3; step++) {
		uint16_t low = 40000, high = 40999;

		begin(&(struct nat_ports){.allocation = NAT_SEQUENTIAL,
			      .step = step,
			      .low = low,
			      .high = high},
			1);
		for (int i = 0; i < 300; i++) {
			int wanted = step < 0 ? high + step * i : low + (step ? step : 1) * i;

			assert_int_equal(map(2, (uint16_t)(1000 + 7 * i)), wanted);
		}
		kit_end(&kit);
	}
}

/* All ports are found, whatever the step, and none twice. */
static void test_exhaustion(void **state)
{
	static const struct nat_ports all[] = {
		{.allocation = NAT_SEQUENTIAL, .step = 1, .low = 2000, .high = 2099},
		{.allocation = NAT_SEQUENTIAL, .step = 10, .low = 2000, .high = 2099},
		{.allocation = NAT_SEQUENTIAL, .step = -7, .low = 2000, .high = 2099},
		{.allocation = NAT_SEQUENTIAL, .step = 1000, .low = 2000, .high = 2099},
		{.allocation = NAT_RANDOM, .low = 2000, .high = 2099},
		{.allocation = NAT_RANDOM, .low = 2000, .high = 2099, .parity = true},
		{.allocation = NAT_PRESERVING, .low = 2000, .high = 2099},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(all); i++) {
		bool seen[100] = {false};

		begin(&all[i], 1);
		for (uint16_t n = 0; n < 100; n++) {
			uint16_t port = map(2 + n, (uint16_t)(5000 + n));

			assert_in_range(port, 2000, 2099);
			assert_false(seen[port - 2000]);
			seen[port - 2000] = true;
		}
		assert_int_equal(map(200, 9), 0);
		assert_reason(kit.result.reason, NAT_DROP_NO_PORT);
		assert_int_equal(nat_mapping_count(kit.nat), 100);
		kit_end(&kit);
	}
}

/* One port alone: the identifiers and ports of other transports are not concerned. */
static void test_transports_apart(void **state)
{
	struct endpoint a = at("10.0.0.2:9");

	(void)state;
	begin(&(struct nat_ports){.allocation = NAT_RANDOM, .low = 7777, .high = 7777}, 1);
	assert_int_equal(map(2, 9), 7777);
	assert_int_equal(map(3, 9), 0);
	assert_reason(echo_out(&kit, a, server, false), NAT_FORWARDED);
	assert_int_equal(kit.seen.source.port, 7777);
	assert_reason(tcp_send(&kit, NAT_INSIDE, a, server, PACKET_SYN, 1, 0), NAT_FORWARDED);
	assert_int_equal(kit.seen.source.port, 7777);
	kit_end(&kit);
}

/* Random is spread over the range: each quarter gets its share. */
static void test_random_spread(void **state)
{
	unsigned quarter[4] = {0};

	(void)state;
	begin(&(struct nat_ports){.allocation = NAT_RANDOM, .low = 20000, .high = 59999}, 7);
	for (unsigned i = 0; i < 4000; i++) {
		uint16_t port = map(2 + i / 1000, (uint16_t)(1024 + i));

		quarter[(port - 20000) / 10000]++;
	}
	for (int q = 0; q < 4; q++)
		assert_in_range(quarter[q], 850, 1150);
	kit_end(&kit);
}

static void test_contiguous(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 50; seed++) {
		uint16_t first;

		begin(&(struct nat_ports){.allocation = NAT_RANDOM, .contiguous = true}, seed);
		first = map(2, 5000);
		if (first < 65535)
			assert_int_equal(map(2, 5001), first + 1);
		map(3, 5001); /* not the same host */
		kit_end(&kit);
	}
}

/* A block for each host: all its ports in one block, no block with two hosts, and back when it is idle. */
static void test_blocks(void **state)
{
	static const enum nat_allocation allocations[] = {
		NAT_RANDOM, NAT_SEQUENTIAL, NAT_PRESERVING};

	(void)state;
	for (size_t k = 0; k < LENGTH(allocations); k++) {
		int block[11];

		begin(&(struct nat_ports){.allocation = allocations[k],
			      .collision = NAT_COLLISION_RANDOM,
			      .low = 10000,
			      .high = 10999,
			      .block = 100},
			3);
		for (unsigned h = 0; h < 10; h++) {
			for (uint16_t i = 0; i < 100; i++) {
				uint16_t port = map(2 + h, (uint16_t)(30000 + i));

				assert_in_range(port, 10000, 10999);
				if (!i)
					block[h] = (port - 10000) / 100;
				assert_int_equal((port - 10000) / 100, block[h]);
			}
			assert_int_equal(map(2 + h, 50000), 0); /* its block is full */
			for (unsigned other = 0; other < h; other++)
				assert_int_not_equal(block[h], block[other]);
		}
		assert_int_equal(map(12, 30000), 0); /* no block is left */
		assert_reason(kit.result.reason, NAT_DROP_NO_PORT);
		kit.now += 30 * SECOND;
		assert_int_not_equal(map(12, 30000), 0);
		kit_end(&kit);
	}
}

/* RFC 4787 REQ-2: paired: a host has one external address, for every transport. */
static void test_pooling(void **state)
{
	struct nat_config c = kit_config();

	(void)state;
	c.external_count = 4;
	for (int i = 0; i < 4; i++) {
		c.external[i] = at("192.0.2.0");
		c.external[i].address[3] = (uint8_t)(10 + i);
	}
	for (int arbitrary = 0; arbitrary < 2; arbitrary++) {
		unsigned hosts_of[4] = {0}, others = 0;

		c.pooling_arbitrary = arbitrary;
		kit_begin(&kit, &c, 1);
		for (unsigned h = 2; h < 10; h++) {
			uint8_t address = 0;

			for (uint16_t i = 0; i < 16; i++) {
				map(h, (uint16_t)(5000 + i));
				assert_in_range(kit.seen.source.address[3], 10, 13);
				if (!i)
					address = kit.seen.source.address[3];
				others += kit.seen.source.address[3] != address;
			}
			if (!arbitrary) {
				struct endpoint from = at("10.0.0.0:7");

				from.address[3] = (uint8_t)h;
				echo_out(&kit, from, server, false);
				assert_int_equal(kit.seen.source.address[3], address);
			}
			hosts_of[address - 10]++;
		}
		if (arbitrary)
			assert_in_range(others, 60, 120); /* three of four, by chance */
		else
			assert_int_equal(others, 0);
		for (int i = 0; i < 4 && !arbitrary; i++)
			assert_int_equal(hosts_of[i], 2);
		kit_end(&kit);
	}
}

/* The same seed gives the same ports, another one others. */
static void test_deterministic(void **state)
{
	uint16_t ports[3][50];
	int same = 0;

	(void)state;
	for (int run = 0; run < 3; run++) {
		begin(&(struct nat_ports){.allocation = NAT_RANDOM}, run == 2 ? 2 : 1);
		for (uint16_t i = 0; i < 50; i++)
			ports[run][i] = map(2, (uint16_t)(5000 + i));
		kit_end(&kit);
	}
	assert_memory_equal(ports[0], ports[1], sizeof(ports[0]));
	for (int i = 0; i < 50; i++)
		same += ports[0][i] == ports[2][i];
	assert_in_range(same, 0, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_collision_next),
		cmocka_unit_test(test_collision_others),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_sequential),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_transports_apart),
		cmocka_unit_test(test_random_spread),
		cmocka_unit_test(test_contiguous),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_pooling),
		cmocka_unit_test(test_deterministic),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
