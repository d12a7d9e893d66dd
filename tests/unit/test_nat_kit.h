// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

/*
 * What the tests of the NAT engine share: a NAT in virtual time, packets into it, and a look at what
 * comes out: whatever leaves has to be a whole packet with right checksums, and nothing may leave for a packet
 * that was dropped. Behind the headers of cmocka.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lab/nat.h"
#include "wire/packet.h"

#define US	1ull
#define MS	1000ull
#define SECOND	1000000ull
#define TTL_KIT 64

struct kit {
	struct nat_config config;
	struct nat *nat;
	uint64_t now;
	uint8_t bytes[PACKET_BYTES_MAX];
	struct nat_result result;
	struct packet seen; /* what went on, if anything */
	struct packet answer; /* what the box answered, if anything */
};

static inline struct endpoint at(const char *text)
{
	struct endpoint e;

	if (endpoint_parse(text, 0, &e))
		fail_msg("%s is no endpoint", text);
	return e;
}

static inline struct endpoint with_port(struct endpoint e, uint16_t port)
{
	e.port = port;
	return e;
}

/* A NAT44 with one external address, everything independent, nothing preserved. */
static inline struct nat_config kit_config(void)
{
	struct nat_config c = {.translation = NAT_PORTS};

	for (int t = 0; t < NAT_TRANSPORTS; t++) {
		struct nat_behaviour *b = &c.behaviour[t];

		b->ports.allocation = NAT_RANDOM;
		b->lifetimes.one_way_us = 30 * SECOND;
		b->lifetimes.both_ways_us = 120 * SECOND;
		b->lifetimes.refresh_outbound = true;
		b->lifetimes.refresh_inbound = true;
	}
	c.errors.inward = true;
	c.tcp.simultaneous_open = true;
	c.external_count = 1;
	c.external[0] = at("192.0.2.1");
	c.inside = at("10.0.0.1");
	c.inside6 = at("2001:db8:a::1");
	return c;
}

static inline void kit_begin(struct kit *k, const struct nat_config *config, uint64_t seed)
{
	struct random random;

	random_init_number(&random, seed);
	memset(k, 0, sizeof(*k));
	k->config = *config;
	k->now = 1000 * SECOND;
	assert_int_equal(nat_create(config, &random, &k->nat), 0);
}

static inline void kit_end(struct kit *k)
{
	nat_destroy(k->nat);
	k->nat = NULL;
}

static inline bool went_on(enum nat_reason reason)
{
	return reason == NAT_FORWARDED || reason == NAT_HAIRPINNED;
}

static inline void kit_look(struct kit *k, const struct nat_out *out, struct packet *seen)
{
	memset(seen, 0, sizeof(*seen));
	(void)k;
	if (!out->length)
		return;
	assert_int_equal(packet_decode(out->bytes, out->length, seen), 0);
	assert_int_equal(seen->length, out->length);
	assert_true(packet_checksums_right(seen));
}

/* Sends what is in k->bytes. */
static inline enum nat_reason kit_send(struct kit *k, enum nat_side side, int length)
{
	assert_true(length > 0);
	nat_input(k->nat, k->now, side, k->bytes, (size_t)length, &k->result);
	assert_true((unsigned)k->result.reason < NAT_REASONS);
	assert_int_equal(went_on(k->result.reason), k->result.forward.length > 0);
	if (went_on(k->result.reason))
		assert_int_equal(k->result.answer.length, 0);
	kit_look(k, &k->result.forward, &k->seen);
	kit_look(k, &k->result.answer, &k->answer);
	return k->result.reason;
}

static inline int kit_udp(struct kit *k, struct endpoint from, struct endpoint to)
{
	return packet_build_udp(k->bytes, sizeof(k->bytes), &from, &to, TTL_KIT, "hello", 5);
}

static inline enum nat_reason udp_out(struct kit *k, struct endpoint from, struct endpoint to)
{
	return kit_send(k, NAT_INSIDE, kit_udp(k, from, to));
}

static inline enum nat_reason udp_in(struct kit *k, struct endpoint from, struct endpoint to)
{
	return kit_send(k, NAT_OUTSIDE, kit_udp(k, from, to));
}

static inline int kit_echo(struct kit *k, struct endpoint from, struct endpoint to, bool reply)
{
	return packet_build_echo(
		k->bytes, sizeof(k->bytes), &from, &to, TTL_KIT, reply, 7, "ping", 4);
}

static inline enum nat_reason echo_out(
	struct kit *k, struct endpoint from, struct endpoint to, bool reply)
{
	return kit_send(k, NAT_INSIDE, kit_echo(k, from, to, reply));
}

static inline enum nat_reason echo_in(
	struct kit *k, struct endpoint from, struct endpoint to, bool reply)
{
	return kit_send(k, NAT_OUTSIDE, kit_echo(k, from, to, reply));
}

static inline enum nat_reason tcp_send(struct kit *k, enum nat_side side, struct endpoint from,
	struct endpoint to, uint8_t flags, uint32_t sequence, uint32_t acknowledgment)
{
	struct packet_tcp tcp = {sequence, acknowledgment, flags, 65000};

	return kit_send(k, side,
		packet_build_tcp(k->bytes, sizeof(k->bytes), &from, &to, TTL_KIT, &tcp, NULL, 0));
}

/* The external endpoint that an inside one has towards a remote one, by the table; 0 if there is one. */
static inline int nat_from(
	struct kit *k, struct endpoint inside, struct endpoint remote, struct endpoint *out)
{
	struct nat_entry entry;
	size_t cursor = 0;

	while (nat_next_entry(k->nat, &cursor, &entry)) {
		if (!endpoint_equal(&entry.inside, &inside) ||
			!endpoint_equal(&entry.remote, &remote))
			continue;
		*out = entry.external;
		return 0;
	}
	return -1;
}

static inline void assert_same_endpoint(
	const struct endpoint *a, const struct endpoint *b, const char *file, int line)
{
	char text_a[ENDPOINT_TEXT], text_b[ENDPOINT_TEXT];

	if (endpoint_equal(a, b))
		return;
	fail_msg("%s:%d: %s is not %s", file, line, endpoint_format(a, text_a),
		endpoint_format(b, text_b));
}

#define assert_endpoint(a, b)                                       \
	do {                                                        \
		struct endpoint a_ = (a), b_ = (b);                 \
		assert_same_endpoint(&a_, &b_, __FILE__, __LINE__); \
	} while (0)

#define assert_reason(got, wanted)                                                               \
	do {                                                                                     \
		enum nat_reason got_ = (got), wanted_ = (wanted);                                \
		if (got_ != wanted_)                                                             \
			fail_msg("%s:%d: %s, not %s", __FILE__, __LINE__, nat_reason_name(got_), \
				nat_reason_name(wanted_));                                       \
	} while (0)

/*
 * Whether two remote endpoints are one to a behaviour, as RFC 4787 4.1 and 5 define the words (and
 * "port-dependent" likewise).
 */
static inline bool is_one_to(
	enum nat_dependence dependence, const struct endpoint *a, const struct endpoint *b)
{
	bool address = endpoint_same_address(a, b), port = a->port == b->port;

	switch (dependence) {
	case NAT_ENDPOINT_INDEPENDENT:
		return true;
	case NAT_ADDRESS_DEPENDENT:
		return address;
	case NAT_PORT_DEPENDENT:
		return port;
	default:
		return address && port;
	}
}
