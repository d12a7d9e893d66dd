// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

/*
 * What the tests of the network share: a topology of text in virtual time, packets into it, and what arrives where
 * and when. Time goes from deadline to deadline; that nothing happens in between is tested all the way.
 * Behind the headers of cmocka.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/topology.h"
#include "wire/checksum.h"
#include "wire/packet.h"

#define COUNT(a)    (sizeof(a) / sizeof(*(a)))
#define MS	    1000ull
#define SECOND	    1000000ull
#define START	    (1000 * SECOND)
#define EVENTS_MAX  512
#define STEPS_MAX   100000
#define PAYLOAD_MAX 9000

struct seen_event {
	uint64_t t_us;
	enum world_what what;
	int node;
	enum nat_side side;
	const char *reason;
};

struct net {
	struct topology *topology;
	struct world *world;
	uint64_t now;
	uint8_t out[PACKET_BYTES_MAX]; /* what is sent */
	struct packet sent; /* a copy of it, as it was sent */
	uint8_t sent_bytes[PACKET_BYTES_MAX];
	int host; /* where it has arrived */
	uint8_t in[PACKET_BYTES_MAX];
	struct packet seen;
	size_t event_count; /* since net_send, as many as there was room for */
	struct seen_event events[EVENTS_MAX];
};

static inline struct endpoint at(const char *text)
{
	struct endpoint e;

	if (endpoint_parse(text, 0, &e))
		fail_msg("%s is no endpoint", text);
	return e;
}

static inline void net_event(void *context, const struct world_event *e)
{
	struct net *n = context;

	if (n->event_count && n->event_count <= EVENTS_MAX)
		assert_true(e->t_us >= n->events[n->event_count - 1].t_us);
	if (n->event_count < EVENTS_MAX)
		n->events[n->event_count++] =
			(struct seen_event){e->t_us, e->what, e->node, e->side, e->reason};
}

static inline void net_begin_seeded(struct net *n, const char *text, uint64_t seed)
{
	char error[256] = "";

	n->now = START;
	n->event_count = 0;
	assert_int_equal(topology_create(&n->topology), 0);
	if (topology_read(n->topology, text, strlen(text), error, sizeof(error)) ||
		topology_complete(n->topology, error, sizeof(error)) ||
		topology_build(n->topology, seed, &n->world, error, sizeof(error)))
		fail_msg("%s: %s", text, error);
	world_listen(n->world, net_event, n);
}

static inline void net_begin(struct net *n, const char *text)
{
	net_begin_seeded(n, text, 1);
}

static inline void net_end(struct net *n)
{
	world_destroy(n->world);
	topology_destroy(n->topology);
}

static inline int host_of(const struct net *n, const char *name)
{
	int host = topology_find(n->topology, WORLD_HOST, name);

	if (!host)
		fail_msg("no host %s", name);
	return host;
}

static inline int nat_of(const struct net *n, const char *name)
{
	int nat = topology_find(n->topology, WORLD_NAT, name);

	if (!nat)
		fail_msg("no nat %s", name);
	return nat;
}

/* The first address of a node of this family: of a NAT, outside. */
static inline struct endpoint address_of(
	const struct net *n, int node, enum family family, uint16_t port)
{
	const struct world_node *c = world_at(n->world, node);
	bool host = c->kind == WORLD_HOST;
	const struct endpoint *list = host ? c->addresses : c->nat.external;
	size_t count = host ? c->address_count : c->nat.external_count;
	struct endpoint e = {.family = FAMILY_NONE};

	for (size_t i = count; i-- > 0;)
		if (list[i].family == family)
			e = list[i];
	e.port = port;
	return e;
}

/* Sends what is in n->out. */
static inline void net_send(struct net *n, int host, int length)
{
	assert_true(length > 0);
	memcpy(n->sent_bytes, n->out, (size_t)length);
	assert_int_equal(packet_decode(n->sent_bytes, (size_t)length, &n->sent), 0);
	n->event_count = 0;
	world_input(n->world, n->now, host, n->out, (size_t)length);
}

/*
 * Up to the next packet that arrives at a host, no later than `until`; false: none does. n->now is when.
 */
static inline bool net_wait_until(struct net *n, uint64_t until)
{
	struct world_arrival a;
	uint64_t deadline = 0;

	for (int i = 0; i < STEPS_MAX; i++) {
		if (world_poll(n->world, n->now, &a, &deadline)) {
			n->host = a.host;
			memcpy(n->in, a.bytes, a.length);
			assert_int_equal(packet_decode(n->in, a.length, &n->seen), 0);
			assert_int_equal(n->seen.length, a.length);
			assert_true(packet_checksums_right(&n->seen));
			return true;
		}
		assert_true(deadline > n->now);
		if (deadline > until)
			return false;
		/* a microsecond before, nothing happens */
		if (deadline - 1 > n->now) {
			size_t events = n->event_count;
			uint64_t same;

			assert_false(world_poll(n->world, deadline - 1, &a, &same));
			assert_int_equal(same, deadline);
			assert_int_equal(n->event_count, events);
		}
		n->now = deadline;
	}
	fail_msg("it does not end");
	return false;
}

/* No session of the tests lives longer, or is of interest then. */
static inline bool net_wait(struct net *n)
{
	return net_wait_until(n, n->now + 20 * SECOND);
}

static inline void assert_same_endpoint(
	const struct endpoint *a, const struct endpoint *b, bool ports, const char *file, int line)
{
	char text_a[ENDPOINT_TEXT], text_b[ENDPOINT_TEXT];

	if (ports ? endpoint_equal(a, b) : endpoint_same_address(a, b))
		return;
	fail_msg("%s:%d: %s is not %s", file, line, endpoint_format(a, text_a),
		endpoint_format(b, text_b));
}

#define assert_endpoint(a, b)                                             \
	do {                                                              \
		struct endpoint a_ = (a), b_ = (b);                       \
		assert_same_endpoint(&a_, &b_, true, __FILE__, __LINE__); \
	} while (0)

#define assert_address(a, b)                                               \
	do {                                                               \
		struct endpoint a_ = (a), b_ = (b);                        \
		assert_same_endpoint(&a_, &b_, false, __FILE__, __LINE__); \
	} while (0)

/* --- packets --- */

enum what { WHAT_UDP, WHAT_TCP, WHAT_ECHO, WHATS };

static inline int make_udp(
	struct net *n, struct endpoint from, struct endpoint to, uint8_t ttl, size_t payload)
{
	static uint8_t data[PAYLOAD_MAX];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 11 + i / 256);
	return packet_build_udp(n->out, sizeof(n->out), &from, &to, ttl, data, payload);
}

/* The way there is a SYN or an echo request, the way back what answers it. */
static inline int make(struct net *n, enum what what, struct endpoint from, struct endpoint to,
	uint8_t ttl, bool back)
{
	struct packet_tcp tcp = {.sequence = back ? 900 : 100,
		.acknowledgment = back ? 101 : 0,
		.flags = back ? PACKET_SYN | PACKET_ACK : PACKET_SYN,
		.window = 65000};

	if (what == WHAT_TCP)
		return packet_build_tcp(n->out, sizeof(n->out), &from, &to, ttl, &tcp, NULL, 0);
	if (what == WHAT_UDP)
		return make_udp(n, from, to, ttl, 20);
	if (back)
		from.port = to.port;
	return packet_build_echo(n->out, sizeof(n->out), &from, &to, ttl, back, 7, "ping", 4);
}

/* Makes an IPv4 packet that may be fragmented out of one that must not. */
static inline void allow_fragments(struct net *n, uint16_t id)
{
	uint16_t sum;

	n->out[4] = (uint8_t)(id >> 8);
	n->out[5] = (uint8_t)id;
	n->out[6] = n->out[10] = n->out[11] = 0;
	sum = (uint16_t)~checksum_sum(n->out, 20);
	n->out[10] = (uint8_t)(sum >> 8);
	n->out[11] = (uint8_t)sum;
}

static inline void send_udp(
	struct net *n, int host, struct endpoint from, struct endpoint to, size_t payload)
{
	net_send(n, host, make_udp(n, from, to, 64, payload));
}

/* A UDP packet and where it has to arrive, as from whom. */
static inline void expect_at(struct net *n, int host)
{
	if (!net_wait(n))
		fail_msg("nothing arrives");
	assert_int_equal(n->host, host);
}
