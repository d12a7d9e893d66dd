// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

/*
 * The whole grid of a transport: 4 mappings x 4 filterings x 3 hairpins x the allocations, each property
 * held against its definition in RFC 4787 (RFC 5382 REQ-1, 3, 7, 8; RFC 5508 REQ-1), packet by packet.
 */

#include <stdlib.h>

#include "tests/unit/test_nat_kit.h"

#define REMOTES	       4
#define GRID_LENGTH(a) (sizeof(a) / sizeof(*(a)))

static const struct nat_ports grid_allocations[] = {
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
	enum nat_transport transport;
	bool v6;
	enum nat_dependence mapping, filtering;
	enum nat_hairpin hairpin;
	const struct nat_ports *ports;
};

static inline struct endpoint grid_remote(const struct cell *c, int i)
{
	static const char *const all[2][REMOTES] = {
		{
			"198.51.100.10:3478",
			"198.51.100.10:3479",
			"203.0.113.10:3478",
			"203.0.113.10:3479",
		},
		{
			"[2001:db8:ffff::1]:3478",
			"[2001:db8:ffff::1]:3479",
			"[2001:db8:fffe::1]:3478",
			"[2001:db8:fffe::1]:3479",
		},
	};

	return at(all[c->v6][i]);
}

static inline struct endpoint grid_inside(const struct cell *c, unsigned host, uint16_t port)
{
	struct endpoint e = at(c->v6 ? "fd00::" : "10.0.0.0");

	e.address[c->v6 ? 15 : 3] = (uint8_t)host;
	e.port = port;
	return e;
}

/* The first packet of a session: a SYN may cross another one, and an echo is a request. */
static inline enum nat_reason grid_out(struct cell *c, struct endpoint from, struct endpoint to)
{
	if (c->transport == NAT_UDP)
		return udp_out(&c->kit, from, to);
	if (c->transport == NAT_TCP)
		return tcp_send(&c->kit, NAT_INSIDE, from, to, PACKET_SYN, 1000, 0);
	return echo_out(&c->kit, from, to, false);
}

static inline enum nat_reason grid_in(struct cell *c, struct endpoint from, struct endpoint to)
{
	if (c->transport == NAT_UDP)
		return udp_in(&c->kit, from, to);
	if (c->transport == NAT_TCP)
		return tcp_send(&c->kit, NAT_OUTSIDE, from, to, PACKET_SYN, 7000, 0);
	return echo_in(&c->kit, with_port(from, to.port), to, true);
}

/* Of an echo there is no remote port: the words are about addresses alone (RFC 5508 REQ-1). */
static inline bool grid_is_one(const struct cell *c, enum nat_dependence dependence,
	const struct endpoint *a, const struct endpoint *b)
{
	struct endpoint x = *a, y = *b;

	if (c->transport == NAT_ICMP)
		x.port = y.port = 0;
	return is_one_to(dependence, &x, &y);
}

/* Both ends of an echo have one identifier. */
static inline struct endpoint grid_peer(
	const struct cell *c, struct endpoint remote, struct endpoint other_end)
{
	return c->transport == NAT_ICMP ? with_port(remote, other_end.port) : remote;
}

static inline void grid_begin(struct cell *c, int seed)
{
	struct nat_config config = kit_config();
	struct nat_behaviour *b = &config.behaviour[c->transport];

	b->mapping = c->mapping;
	b->filtering = c->filtering;
	b->hairpin = c->hairpin;
	b->ports = *c->ports;
	if (c->v6)
		config.external[0] = at("2001:db8:1::1");
	kit_begin(&c->kit, &config, (uint64_t)seed);
}

/* A port of a preserving NAT can only be had once, and what cannot be had is refused. */
static inline bool grid_is_refused(const struct cell *c, bool taken)
{
	return taken && c->ports->allocation == NAT_PRESERVING &&
		c->ports->collision == NAT_COLLISION_DROP;
}

static inline void grid_check_port(const struct cell *c, uint16_t inside, uint16_t external)
{
	uint16_t usual = c->transport == NAT_ICMP ? 0 : 1024;
	uint16_t low = c->ports->low ? c->ports->low : usual;
	uint16_t high = c->ports->high ? c->ports->high : 65535;

	assert_in_range(external, low, high);
	if (c->ports->parity)
		assert_int_equal(inside % 2, external % 2);
}

/* RFC 4787 4.1: from one inside endpoint to four remote ones, twice. */
static inline void grid_check_mapping(struct cell *c)
{
	struct endpoint a = grid_inside(c, 2, 5000), seen[REMOTES] = {0};
	bool mapped[REMOTES] = {0};

	grid_begin(c, 1);
	for (int n = 0; n < 2 * REMOTES; n++) {
		struct endpoint to = grid_remote(c, n % REMOTES);
		bool reused = false, first = true;
		enum nat_reason reason = grid_out(c, a, to);

		for (int k = 0; k < REMOTES; k++) {
			struct endpoint other = grid_remote(c, k);

			first = first && !mapped[k];
			reused = reused || (mapped[k] && grid_is_one(c, c->mapping, &to, &other));
		}
		if (grid_is_refused(c, !first && !reused)) {
			assert_reason(reason, NAT_DROP_NO_PORT);
			continue;
		}
		assert_reason(reason, NAT_FORWARDED);
		assert_int_equal(c->kit.result.forward.side, NAT_OUTSIDE);
		assert_endpoint(c->kit.seen.destination, grid_peer(c, to, c->kit.seen.source));
		assert_true(endpoint_same_address(&c->kit.seen.source, &c->kit.config.external[0]));
		assert_int_equal(c->kit.seen.ttl, TTL_KIT - 1);
		grid_check_port(c, a.port, c->kit.seen.source.port);
		if (first && c->ports->allocation == NAT_PRESERVING)
			assert_int_equal(c->kit.seen.source.port, a.port);
		seen[n % REMOTES] = c->kit.seen.source;
		mapped[n % REMOTES] = true;
		for (int k = 0; k < REMOTES; k++) {
			struct endpoint other = grid_remote(c, k);

			if (mapped[k])
				assert_int_equal(grid_is_one(c, c->mapping, &to, &other),
					endpoint_equal(&seen[k], &c->kit.seen.source));
		}
	}
	kit_end(&c->kit);
}

/* RFC 4787 5: who may send back to an endpoint that was opened towards one remote endpoint. */
static inline void grid_check_filtering(struct cell *c)
{
	struct endpoint a = grid_inside(c, 2, 5001);

	for (int opened = 0; opened < REMOTES; opened++) {
		for (int from = 0; from < REMOTES; from++) {
			struct endpoint to = grid_remote(c, opened), back = grid_remote(c, from),
					external;
			bool passes = grid_is_one(c, c->filtering, &to, &back);

			grid_begin(c, 2);
			assert_reason(grid_out(c, a, to), NAT_FORWARDED);
			external = c->kit.seen.source;
			assert_reason(grid_in(c, back, external),
				passes ? NAT_FORWARDED : NAT_DROP_FILTERED);
			assert_int_equal(c->kit.result.answer.length, 0);
			if (passes) {
				assert_int_equal(c->kit.result.forward.side, NAT_INSIDE);
				assert_endpoint(c->kit.seen.source, grid_peer(c, back, a));
				assert_endpoint(c->kit.seen.destination, a);
				/* the answer leaves from where the packet came in */
				assert_reason(grid_out(c, a, back), NAT_FORWARDED);
				assert_endpoint(c->kit.seen.source, external);
			}
			/* one port away nothing is mapped, unless by chance */
			external.port = external.port == 65535 ? 1024 : external.port + 1;
			assert_reason(grid_in(c, to, external), NAT_DROP_NO_MAPPING);
			kit_end(&c->kit);
		}
	}
}

/* RFC 4787 REQ-3: two inside endpoints with one port, to all remote ones. */
static inline void grid_check_sharing(struct cell *c)
{
	struct endpoint inside[2] = {grid_inside(c, 2, 6000), grid_inside(c, 3, 6000)};
	struct endpoint seen[2][REMOTES];
	bool mapped[2][REMOTES] = {{0}};

	grid_begin(c, 3);
	for (int h = 0; h < 2; h++)
		for (int i = 0; i < REMOTES; i++) {
			mapped[h][i] = grid_out(c, inside[h], grid_remote(c, i)) == NAT_FORWARDED;
			if (!mapped[h][i])
				assert_true(grid_is_refused(c, true));
			seen[h][i] = c->kit.seen.source;
		}
	for (int i = 0; i < REMOTES; i++)
		for (int k = 0; k < REMOTES; k++) {
			bool same = endpoint_equal(&seen[0][i], &seen[1][k]);

			if (!mapped[0][i] || !mapped[1][k])
				continue;
			struct endpoint one = grid_remote(c, i), other = grid_remote(c, k);
			bool same_remote =
				grid_is_one(c, NAT_ADDRESS_AND_PORT_DEPENDENT, &one, &other);

			if (same_remote || c->ports->collision != NAT_COLLISION_OVERLOAD)
				assert_false(same);
		}
	/* each gets what is meant for it, also where they share a port */
	for (int h = 0; h < 2; h++)
		for (int i = 0; i < REMOTES; i++) {
			if (!mapped[h][i])
				continue;
			assert_reason(grid_in(c, grid_remote(c, i), seen[h][i]), NAT_FORWARDED);
			assert_endpoint(c->kit.seen.destination, inside[h]);
		}
	kit_end(&c->kit);
}

/* RFC 4787 6: A sends to the external endpoint of B, which has sent to A's before, or not. */
static inline void grid_check_hairpin(struct cell *c, bool opened)
{
	struct endpoint a = grid_inside(c, 2, 7000), b = grid_inside(c, 3, 7003);
	struct endpoint server = grid_remote(c, 0), external_a, external_b, from;
	enum nat_reason reason;
	bool passes;

	grid_begin(c, 4);
	assert_reason(grid_out(c, b, server), NAT_FORWARDED);
	external_b = c->kit.seen.source;
	assert_reason(grid_out(c, a, server), NAT_FORWARDED);
	external_a = c->kit.seen.source;
	if (opened)
		grid_out(c, b, external_a);
	reason = grid_out(c, a, external_b);
	if (c->hairpin == NAT_HAIRPIN_NONE ||
		grid_is_refused(c, !grid_is_one(c, c->mapping, &server, &external_b))) {
		assert_reason(reason, c->hairpin ? NAT_DROP_NO_PORT : NAT_DROP_HAIRPIN);
		kit_end(&c->kit);
		return;
	}
	/* where A's packet comes from, seen from outside; B's filter is asked about that */
	assert_int_equal(nat_from(&c->kit, a, external_b, &from), 0);
	assert_int_equal(endpoint_equal(&from, &external_a),
		grid_is_one(c, c->mapping, &server, &external_b));
	passes = grid_is_one(c, c->filtering, &server, &from);
	if (opened && grid_is_one(c, c->mapping, &server, &external_a))
		passes = passes || grid_is_one(c, c->filtering, &external_a, &from);
	assert_reason(reason, passes ? NAT_HAIRPINNED : NAT_DROP_FILTERED);
	if (passes) {
		assert_int_equal(c->kit.result.forward.side, NAT_INSIDE);
		assert_endpoint(c->kit.seen.source, c->hairpin == NAT_HAIRPIN_EXTERNAL ? from : a);
		assert_endpoint(c->kit.seen.destination, b);
		assert_int_equal(c->kit.seen.ttl, TTL_KIT - 1);
	} else if (c->mapping == NAT_ENDPOINT_INDEPENDENT) {
		/* but A's filter is open now, and with the answer B's is too */
		assert_reason(grid_out(c, b, external_a), NAT_HAIRPINNED);
		assert_endpoint(c->kit.seen.destination, a);
		assert_reason(grid_out(c, a, external_b), NAT_HAIRPINNED);
		assert_endpoint(c->kit.seen.destination, b);
	}
	kit_end(&c->kit);
}

static inline void grid_check_cell(struct cell *c)
{
	grid_check_mapping(c);
	grid_check_filtering(c);
	grid_check_sharing(c);
	if (c->transport == NAT_ICMP) /* who pings an external address pings the box */
		return;
	grid_check_hairpin(c, false);
	grid_check_hairpin(c, true);
}

static inline void grid_check(enum nat_transport transport, bool v6)
{
	struct cell *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->transport = transport;
	c->v6 = v6;
	for (size_t i = 0; i < GRID_LENGTH(grid_allocations); i++)
		for (int m = 0; m <= NAT_ADDRESS_AND_PORT_DEPENDENT; m++)
			for (int f = 0; f <= NAT_ADDRESS_AND_PORT_DEPENDENT; f++)
				for (int h = 0; h <= NAT_HAIRPIN_INTERNAL; h++) {
					c->ports = &grid_allocations[i];
					c->mapping = (enum nat_dependence)m;
					c->filtering = (enum nat_dependence)f;
					c->hairpin = (enum nat_hairpin)h;
					grid_check_cell(c);
				}
	free(c);
}
