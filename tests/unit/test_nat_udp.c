// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * UDP over the whole grid: 4 mappings x 4 filterings x 3 hairpins x the allocations, each property held
 * against its definition in RFC 4787, packet by packet.
 */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/test_nat_kit.h"

#define REMOTES	  4
#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static const struct nat_ports allocations[] = {
	{.allocation = NAT_PRESERVING, .collision = NAT_COLLISION_NEXT},
	{.allocation = NAT_PRESERVING, .collision = NAT_COLLISION_RANDOM},
	{.allocation = NAT_PRESERVING, .collision = NAT_COLLISION_OVERLOAD},
	{.allocation = NAT_PRESERVING, .collision = NAT_COLLISION_DROP},
	{.allocation = NAT_PRESERVING, .collision = NAT_COLLISION_NEXT, .parity = true},
	{.allocation = NAT_PRESERVING, .collision = NAT_COLLISION_RANDOM, .parity = true},
	{.allocation = NAT_SEQUENTIAL, .step = 1},
	{.allocation = NAT_SEQUENTIAL, .step = 2},
	{.allocation = NAT_SEQUENTIAL, .step = -3, .low = 30000, .high = 30999},
	{.allocation = NAT_SEQUENTIAL, .step = 1, .parity = true},
	{.allocation = NAT_RANDOM},
	{.allocation = NAT_RANDOM, .low = 40000, .high = 40099},
	{.allocation = NAT_RANDOM, .block = 256, .low = 1024, .high = 65535},
	{.allocation = NAT_SEQUENTIAL, .block = 64, .low = 2048, .high = 4095},
	{.allocation = NAT_RANDOM, .contiguous = true},
	{.allocation = NAT_RANDOM, .parity = true, .contiguous = true},
};

struct cell {
	struct kit kit;
	enum nat_dependence mapping, filtering;
	enum nat_hairpin hairpin;
	const struct nat_ports *ports;
};

static struct endpoint remote(int i)
{
	static const char *const all[REMOTES] = {
		"198.51.100.10:3478",
		"198.51.100.10:3479",
		"203.0.113.10:3478",
		"203.0.113.10:3479",
	};

	return at(all[i]);
}

static void cell_begin(struct cell *c, int seed)
{
	struct nat_config config = kit_config();
	struct nat_behaviour *b = &config.behaviour[NAT_UDP];

	b->mapping = c->mapping;
	b->filtering = c->filtering;
	b->hairpin = c->hairpin;
	b->ports = *c->ports;
	kit_begin(&c->kit, &config, (uint64_t)seed);
}

/* A port of a preserving NAT can only be had once, and what cannot be had is refused. */
static bool is_refused(const struct cell *c, bool taken)
{
	return taken && c->ports->allocation == NAT_PRESERVING &&
		c->ports->collision == NAT_COLLISION_DROP;
}

static void check_port(const struct cell *c, uint16_t inside, uint16_t external)
{
	uint16_t low = c->ports->low ? c->ports->low : 1024;
	uint16_t high = c->ports->high ? c->ports->high : 65535;

	assert_in_range(external, low, high);
	if (c->ports->parity)
		assert_int_equal(inside % 2, external % 2);
}

/* RFC 4787 4.1: from one inside endpoint to four remote ones, twice. */
static void check_mapping(struct cell *c)
{
	struct endpoint a = at("10.0.0.2:5000"), seen[REMOTES] = {0};
	bool mapped[REMOTES] = {0};

	cell_begin(c, 1);
	for (int n = 0; n < 2 * REMOTES; n++) {
		struct endpoint to = remote(n % REMOTES);
		bool reused = false, first = true;
		enum nat_reason reason = udp_out(&c->kit, a, to);

		for (int k = 0; k < REMOTES; k++) {
			struct endpoint other = remote(k);

			first = first && !mapped[k];
			reused = reused || (mapped[k] && is_one_to(c->mapping, &to, &other));
		}
		if (is_refused(c, !first && !reused)) {
			assert_reason(reason, NAT_DROP_NO_PORT);
			continue;
		}
		assert_reason(reason, NAT_FORWARDED);
		assert_int_equal(c->kit.result.forward.side, NAT_OUTSIDE);
		assert_endpoint(c->kit.seen.destination, to);
		assert_true(endpoint_same_address(&c->kit.seen.source, &c->kit.config.external[0]));
		assert_int_equal(c->kit.seen.ttl, TTL_KIT - 1);
		check_port(c, a.port, c->kit.seen.source.port);
		if (first && c->ports->allocation == NAT_PRESERVING)
			assert_int_equal(c->kit.seen.source.port, a.port);
		seen[n % REMOTES] = c->kit.seen.source;
		mapped[n % REMOTES] = true;
		for (int k = 0; k < REMOTES; k++) {
			struct endpoint other = remote(k);

			if (mapped[k])
				assert_int_equal(is_one_to(c->mapping, &to, &other),
					endpoint_equal(&seen[k], &c->kit.seen.source));
		}
	}
	kit_end(&c->kit);
}

/* RFC 4787 5: who may send back to an endpoint that was opened towards one remote endpoint. */
static void check_filtering(struct cell *c)
{
	struct endpoint a = at("10.0.0.2:5001");

	for (int opened = 0; opened < REMOTES; opened++) {
		for (int from = 0; from < REMOTES; from++) {
			struct endpoint to = remote(opened), back = remote(from), external;
			bool passes = is_one_to(c->filtering, &to, &back);

			cell_begin(c, 2);
			assert_reason(udp_out(&c->kit, a, to), NAT_FORWARDED);
			external = c->kit.seen.source;
			assert_reason(udp_in(&c->kit, back, external),
				passes ? NAT_FORWARDED : NAT_DROP_FILTERED);
			assert_int_equal(c->kit.result.answer.length, 0);
			if (passes) {
				assert_int_equal(c->kit.result.forward.side, NAT_INSIDE);
				assert_endpoint(c->kit.seen.source, back);
				assert_endpoint(c->kit.seen.destination, a);
				/* the answer leaves from where the packet came in */
				assert_reason(udp_out(&c->kit, a, back), NAT_FORWARDED);
				assert_endpoint(c->kit.seen.source, external);
			}
			/* one port away nothing is mapped, unless by chance */
			external.port = external.port == 65535 ? 1024 : external.port + 1;
			assert_reason(udp_in(&c->kit, to, external), NAT_DROP_NO_MAPPING);
			kit_end(&c->kit);
		}
	}
}

/* RFC 4787 REQ-3: two inside endpoints with one port, to all remote ones. */
static void check_sharing(struct cell *c)
{
	struct endpoint inside[2] = {at("10.0.0.2:6000"), at("10.0.0.3:6000")};
	struct endpoint seen[2][REMOTES];
	bool mapped[2][REMOTES] = {{0}};

	cell_begin(c, 3);
	for (int h = 0; h < 2; h++)
		for (int i = 0; i < REMOTES; i++) {
			mapped[h][i] = udp_out(&c->kit, inside[h], remote(i)) == NAT_FORWARDED;
			if (!mapped[h][i])
				assert_true(is_refused(c, true));
			seen[h][i] = c->kit.seen.source;
		}
	for (int i = 0; i < REMOTES; i++)
		for (int k = 0; k < REMOTES; k++) {
			bool same = endpoint_equal(&seen[0][i], &seen[1][k]);

			if (!mapped[0][i] || !mapped[1][k])
				continue;
			if (i == k || c->ports->collision != NAT_COLLISION_OVERLOAD)
				assert_false(same);
		}
	/* each gets what is meant for it, also where they share a port */
	for (int h = 0; h < 2; h++)
		for (int i = 0; i < REMOTES; i++) {
			if (!mapped[h][i])
				continue;
			assert_reason(udp_in(&c->kit, remote(i), seen[h][i]), NAT_FORWARDED);
			assert_endpoint(c->kit.seen.destination, inside[h]);
		}
	kit_end(&c->kit);
}

/* RFC 4787 6: A sends to the external endpoint of B, which has sent to A's before, or not. */
static void check_hairpin(struct cell *c, bool opened)
{
	struct endpoint a = at("10.0.0.2:7000"), b = at("10.0.0.3:7003");
	struct endpoint server = remote(0), external_a, external_b, from;
	enum nat_reason reason;
	bool passes;

	cell_begin(c, 4);
	assert_reason(udp_out(&c->kit, b, server), NAT_FORWARDED);
	external_b = c->kit.seen.source;
	assert_reason(udp_out(&c->kit, a, server), NAT_FORWARDED);
	external_a = c->kit.seen.source;
	if (opened)
		udp_out(&c->kit, b, external_a);
	reason = udp_out(&c->kit, a, external_b);
	if (c->hairpin == NAT_HAIRPIN_NONE ||
		is_refused(c, !is_one_to(c->mapping, &server, &external_b))) {
		assert_reason(reason, c->hairpin ? NAT_DROP_NO_PORT : NAT_DROP_HAIRPIN);
		kit_end(&c->kit);
		return;
	}
	/* where A's packet comes from, seen from outside; B's filter is asked about that */
	assert_int_equal(nat_from(&c->kit, a, external_b, &from), 0);
	assert_int_equal(
		endpoint_equal(&from, &external_a), is_one_to(c->mapping, &server, &external_b));
	passes = is_one_to(c->filtering, &server, &from);
	if (opened && is_one_to(c->mapping, &server, &external_a))
		passes = passes || is_one_to(c->filtering, &external_a, &from);
	assert_reason(reason, passes ? NAT_HAIRPINNED : NAT_DROP_FILTERED);
	if (passes) {
		assert_int_equal(c->kit.result.forward.side, NAT_INSIDE);
		assert_endpoint(c->kit.seen.source, c->hairpin == NAT_HAIRPIN_EXTERNAL ? from : a);
		assert_endpoint(c->kit.seen.destination, b);
		assert_int_equal(c->kit.seen.ttl, TTL_KIT - 1);
	} else if (c->mapping == NAT_ENDPOINT_INDEPENDENT) {
		/* but A's filter is open now, and with the answer B's is too */
		assert_reason(udp_out(&c->kit, b, external_a), NAT_HAIRPINNED);
		assert_endpoint(c->kit.seen.destination, a);
		assert_reason(udp_out(&c->kit, a, external_b), NAT_HAIRPINNED);
		assert_endpoint(c->kit.seen.destination, b);
	}
	kit_end(&c->kit);
}

static void test_grid(void **state)
{
	struct cell *c = calloc(1, sizeof(*c));

	(void)state;
	assert_non_null(c);
	for (size_t i = 0; i < LENGTH(allocations); i++)
		for (int m = 0; m <= NAT_ADDRESS_AND_PORT_DEPENDENT; m++)
			for (int f = 0; f <= NAT_ADDRESS_AND_PORT_DEPENDENT; f++)
				for (int h = 0; h <= NAT_HAIRPIN_INTERNAL; h++) {
					c->ports = &allocations[i];
					c->mapping = (enum nat_dependence)m;
					c->filtering = (enum nat_dependence)f;
					c->hairpin = (enum nat_hairpin)h;
					check_mapping(c);
					check_filtering(c);
					check_sharing(c);
					check_hairpin(c, false);
					check_hairpin(c, true);
				}
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
