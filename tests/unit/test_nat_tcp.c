// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* TCP through the NAT: RFC 5382, and the states and windows as Linux sees them. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lab/kinds.h"
#include "tests/unit/test_nat_grid.h"
#include "wire/checksum.h"
#include "wire/syn.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

enum { S = PACKET_SYN, A = PACKET_ACK, F = PACKET_FIN, R = PACKET_RST, P = PACKET_PSH };

static struct kit kit;
static struct endpoint a, server, external;

static int setup(void **state)
{
	(void)state;
	a = at("10.0.0.2:5000");
	server = at("198.51.100.10:443");
	return 0;
}

static struct nat_config linux_config(void)
{
	struct nat_config addresses = kit_config(), c;

	assert_int_equal(nat_kind_config("linux", &c), 0);
	c.external_count = 1;
	c.external[0] = addresses.external[0];
	c.inside = addresses.inside;
	return c;
}

static void begin(const struct nat_config *c)
{
	kit_begin(&kit, c, 1);
	external = with_port(at("192.0.2.1"), 5000);
}

static enum nat_reason out(uint8_t flags, uint32_t sequence, uint32_t acknowledgment)
{
	enum nat_reason reason =
		tcp_send(&kit, NAT_INSIDE, a, server, flags, sequence, acknowledgment);

	if (reason == NAT_FORWARDED && kit.seen.source.address[0] != 10)
		external = kit.seen.source;
	return reason;
}

static enum nat_reason in(uint8_t flags, uint32_t sequence, uint32_t acknowledgment)
{
	return tcp_send(&kit, NAT_OUTSIDE, server, external, flags, sequence, acknowledgment);
}

static const char *state_now(void)
{
	struct nat_entry entry;
	size_t cursor = 0;

	return nat_next_entry(kit.nat, &cursor, &entry) ? entry.state : "none";
}

static uint64_t left_now(void)
{
	struct nat_entry entry;
	size_t cursor = 0;

	return nat_next_entry(kit.nat, &cursor, &entry) ? entry.expires_us - kit.now : 0;
}

/* A connection from its first SYN to its last ACK, with the state and lifetime after each segment. */
static void test_life(void **state)
{
	static const struct {
		bool inward;
		uint8_t flags;
		uint32_t sequence, acknowledgment;
		const char *state;
		uint64_t left_s;
	} rows[] = {
		{false, S, 1000, 0, "syn-sent", 120},
		{false, S, 1000, 0, "syn-sent", 119}, /* it counts from the first */
		{true, S | A, 7000, 1001, "syn-received", 60},
		{false, A, 1001, 7001, "established", 432000},
		{true, A | P, 7001, 1001, "established", 432000},
		{false, F | A, 1001, 7001, "fin-wait", 120},
		{true, A, 7001, 1002, "close-wait", 60},
		{true, F | A, 7001, 1002, "last-ack", 30},
		{false, A, 1002, 7002, "time-wait", 120},
		{false, S, 90000, 0, "syn-sent", 120}, /* the next one of the same endpoints */
		{true, S | A, 100000, 90001, "syn-received", 60},
		{false, A, 90001, 100001, "established", 432000},
		{true, R, 100001, 0, "closed", 10},
	};
	struct nat_config c = linux_config();

	(void)state;
	begin(&c);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		enum nat_reason reason = rows[i].inward
			? in(rows[i].flags, rows[i].sequence, rows[i].acknowledgment)
			: out(rows[i].flags, rows[i].sequence, rows[i].acknowledgment);

		assert_reason(reason, NAT_FORWARDED);
		assert_string_equal(state_now(), rows[i].state);
		assert_int_equal(left_now(), rows[i].left_s * SECOND);
		assert_endpoint(rows[i].inward ? kit.seen.destination : kit.seen.source,
			rows[i].inward ? a : external);
		kit.now += SECOND;
	}
	kit.now += 9 * SECOND;
	assert_reason(in(R, 100001, 0), NAT_DROP_NO_MAPPING);
	kit_end(&kit);
}

/* RFC 5382 REQ-1, 3: the words mean the same as for UDP. */
static void test_mapping_and_filtering(void **state)
{
	static const char *const remotes[] = {
		"198.51.100.10:443", "198.51.100.10:444", "203.0.113.10:443", "203.0.113.10:444"};

	(void)state;
	for (int m = 0; m < 4; m++)
		for (int f = 0; f < 4; f++)
			for (size_t i = 0; i < LENGTH(remotes); i++) {
				struct nat_config c = kit_config();
				struct endpoint first = at(remotes[0]), to = at(remotes[i]), one;
				bool passes = is_one_to((enum nat_dependence)f, &first, &to);

				c.behaviour[NAT_TCP].mapping = (enum nat_dependence)m;
				c.behaviour[NAT_TCP].filtering = (enum nat_dependence)f;
				begin(&c);
				assert_reason(tcp_send(&kit, NAT_INSIDE, a, first, S, 1, 0),
					NAT_FORWARDED);
				one = kit.seen.source;
				assert_reason(tcp_send(&kit, NAT_OUTSIDE, to, one, S, 9, 0),
					passes ? NAT_FORWARDED : NAT_DROP_FILTERED);
				kit_end(&kit);
				begin(&c);
				tcp_send(&kit, NAT_INSIDE, a, first, S, 1, 0);
				one = kit.seen.source;
				assert_reason(
					tcp_send(&kit, NAT_INSIDE, a, to, S, 1, 0), NAT_FORWARDED);
				assert_int_equal(endpoint_equal(&one, &kit.seen.source),
					is_one_to((enum nat_dependence)m, &first, &to));
				kit_end(&kit);
			}
}

/* A connection from outside through an endpoint-independent filter. */
static void test_inward(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint other = at("203.0.113.10:9");

	(void)state;
	begin(&c);
	assert_reason(out(S, 1000, 0), NAT_FORWARDED);
	assert_reason(tcp_send(&kit, NAT_OUTSIDE, other, external, A, 5, 5), NAT_DROP_SEQUENCE);
	assert_reason(tcp_send(&kit, NAT_OUTSIDE, other, external, S, 5, 0), NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, a);
	assert_reason(tcp_send(&kit, NAT_INSIDE, a, other, S | A, 50, 6), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, external);
	assert_reason(tcp_send(&kit, NAT_OUTSIDE, other, external, A, 6, 51), NAT_FORWARDED);
	kit_end(&kit);
}

/* RFC 5382 REQ-2 a: both send a SYN, then both a SYN-ACK. */
static void test_simultaneous_open(void **state)
{
	struct nat_config c = linux_config();

	(void)state;
	for (int allowed = 0; allowed < 2; allowed++) {
		c.tcp.simultaneous_open = allowed;
		begin(&c);
		assert_reason(out(S, 1000, 0), NAT_FORWARDED);
		if (!allowed) {
			assert_reason(in(S, 7000, 0), NAT_DROP_SEQUENCE);
			assert_string_equal(state_now(), "syn-sent");
			kit_end(&kit);
			continue;
		}
		assert_reason(in(S, 7000, 0), NAT_FORWARDED);
		assert_string_equal(state_now(), "syn-sent2");
		assert_int_equal(left_now(), 120 * SECOND);
		assert_reason(out(S | A, 1000, 7001), NAT_FORWARDED);
		assert_string_equal(state_now(), "syn-received");
		assert_reason(in(S | A, 7000, 1001), NAT_FORWARDED);
		assert_reason(out(A, 1001, 7001), NAT_FORWARDED);
		assert_string_equal(state_now(), "established");
		kit_end(&kit);
	}
}

/* STUNT#2: the socket that sent the first SYN is gone, and a listener answers with another number. */
static void test_new_sequence_number(void **state)
{
	struct nat_config c = linux_config();

	(void)state;
	for (int strict = 0; strict < 2; strict++) {
		c.tcp.strict_sequence = strict;
		c.errors.untracked_outward = false;
		begin(&c);
		assert_reason(out(S, 1000, 0), NAT_FORWARDED);
		assert_reason(in(S, 7000, 0), NAT_FORWARDED);
		assert_reason(
			out(S | A, 500000000, 7001), strict ? NAT_DROP_SEQUENCE : NAT_FORWARDED);
		kit_end(&kit);
	}
}

static void test_reset_of_unanswered(void **state)
{
	struct nat_config c = linux_config();

	(void)state;
	for (int at_once = 0; at_once < 2; at_once++) {
		c.tcp.reset_ends_at_once = at_once;
		begin(&c);
		assert_reason(out(S, 1000, 0), NAT_FORWARDED);
		assert_reason(in(R | A, 0, 1001), NAT_FORWARDED);
		assert_endpoint(kit.seen.destination, a);
		assert_int_equal(nat_session_count(kit.nat), !at_once);
		assert_int_equal(nat_mapping_count(kit.nat), !at_once);
		/* and the next try works with either */
		assert_reason(out(S, 5000, 0), NAT_FORWARDED);
		assert_string_equal(state_now(), at_once ? "syn-sent" : "closed");
		assert_reason(in(S | A, 7000, 5001), NAT_FORWARDED);
		assert_string_equal(state_now(), "syn-received");
		/* with an answer before, a RST is no sudden death */
		assert_reason(in(R, 7001, 0), NAT_FORWARDED);
		assert_string_equal(state_now(), "closed");
		kit_end(&kit);
	}
}

/* A RST that acknowledges nothing that was sent does not end anything. */
static void test_blind_reset(void **state)
{
	struct nat_config c = linux_config();

	(void)state;
	begin(&c);
	assert_reason(out(S, 1000, 0), NAT_FORWARDED);
	assert_reason(in(R | A, 0, 999999), NAT_DROP_SEQUENCE);
	assert_reason(in(R | A, 12345, 500), NAT_FORWARDED); /* within the slack */
	assert_int_equal(nat_session_count(kit.nat), 0);
	kit_end(&kit);
	begin(&c);
	out(S, 1000, 0);
	assert_reason(in(R | A, 77, 999999), NAT_DROP_SEQUENCE);
	assert_reason(in(S | A, 7000, 1001), NAT_FORWARDED);
	assert_reason(out(A, 1001, 7001), NAT_FORWARDED);
	assert_reason(in(R, 7001 + 500000, 0), NAT_DROP_SEQUENCE);
	assert_string_equal(state_now(), "established");
	kit_end(&kit);
}

/* The borders of the window: 65000 offered by each side, no scaling. */
static void test_window(void **state)
{
	static const struct {
		bool inward;
		uint32_t sequence, acknowledgment;
		bool fits;
	} rows[] = {
		{true, 7001, 1001, true},
		{true, 7001 + 65000, 1001, true}, /* the first byte behind the window */
		{true, 7001 + 65001, 1001, true}, /* some do, and it is taken */
		{true, 7001 + 129999, 1001, true},
		{true, 7001 + 130000, 1001, false},
		{true, 7001, 1002, false}, /* not sent yet */
		{false, 1001, 7002, false},
		{false, 1001 + 65000, 7001, true},
		{false, 1001 + 129999, 7001, true},
		{false, 1001 + 130000, 7001, false},
		{true, 7001 - 65000, 1001, true}, /* an old one again */
		{true, 7001 - 65001, 1001, true}, /* even older ones mean nothing, and pass */
		{true, 7001, 1001 - 66000, true},
		{true, 7001, 1001 - 66001, true},
	};

	(void)state;
	for (size_t i = 0; i < 2 * LENGTH(rows); i++) {
		bool strict = i & 1, fits = rows[i / 2].fits || !strict;
		struct nat_config c = linux_config();
		uint32_t seq = rows[i / 2].sequence, ack = rows[i / 2].acknowledgment;

		c.tcp.strict_sequence = strict;
		c.errors.untracked_outward = false;
		begin(&c);
		out(S, 1000, 0);
		in(S | A, 7000, 1001);
		assert_reason(out(A, 1001, 7001), NAT_FORWARDED);
		assert_reason(rows[i / 2].inward ? in(A, seq, ack) : out(A, seq, ack),
			fits ? NAT_FORWARDED : NAT_DROP_SEQUENCE);
		kit_end(&kit);
	}
}

/* Sequence numbers wrap around. */
static void test_wrap(void **state)
{
	struct nat_config c = linux_config();

	(void)state;
	c.errors.untracked_outward = false;
	begin(&c);
	assert_reason(out(S, 0xfffffff0, 0), NAT_FORWARDED);
	assert_reason(in(S | A, 0xffffffff, 0xfffffff1), NAT_FORWARDED);
	assert_reason(out(A, 0xfffffff1, 0), NAT_FORWARDED);
	assert_reason(out(A, 60000, 0), NAT_FORWARDED);
	assert_reason(out(A, 130000, 0), NAT_DROP_SEQUENCE);
	kit_end(&kit);
}

/* Windows count as the scale of the SYN says, if both sides have one (RFC 7323). */
static void send_syn(bool inward, uint8_t flags, uint32_t sequence, uint32_t ack, int scale)
{
	uint8_t options[] = {1, 3, 3, (uint8_t)scale};
	struct packet_tcp tcp = {sequence, ack, flags, 65000};
	struct packet p;
	int length;

	/* the header grows by a word: payload becomes options */
	length = packet_build_tcp(kit.bytes, sizeof(kit.bytes), inward ? &server : &a,
		inward ? &external : &server, TTL_KIT, &tcp, options, scale < 0 ? 0 : 4);
	assert_int_equal(packet_decode(kit.bytes, (size_t)length, &p), 0);
	if (scale >= 0) {
		uint8_t *offset = &kit.bytes[p.transport + 12];
		uint16_t field =
			(uint16_t)(kit.bytes[p.transport + 16] << 8 | kit.bytes[p.transport + 17]);
		uint32_t sum = (uint32_t)field + 0xffff - 0x1000; /* offset 5 becomes 6 */

		*offset = 6 << 4;
		sum = (sum & 0xffff) + (sum >> 16);
		kit.bytes[p.transport + 16] = (uint8_t)(sum >> 8);
		kit.bytes[p.transport + 17] = (uint8_t)sum;
	}
	assert_reason(kit_send(&kit, inward ? NAT_OUTSIDE : NAT_INSIDE, length), NAT_FORWARDED);
	if (!inward)
		external = kit.seen.source;
}

static void test_scale(void **state)
{
	static const struct {
		int client, server;
		uint32_t window;
	} rows[] = {{-1, -1, 65000}, {7, -1, 65000}, {-1, 7, 65000}, {7, 3, 8 * 65000},
		{3, 7, 128 * 65000}, {14, 14, 16384u * 65000}, {14, 200, 16384u * 65000}};

	(void)state;
	for (size_t i = 0; i < 2 * LENGTH(rows); i++) {
		struct nat_config c = linux_config();
		/* as much again is let through (test_window) */
		uint32_t beyond = i & 1 ? rows[i / 2].window : 0;

		c.errors.untracked_outward = false;
		begin(&c);
		send_syn(false, S, 1000, 0, rows[i / 2].client);
		send_syn(true, S | A, 7000, 1001, rows[i / 2].server);
		assert_reason(out(A, 1001, 7001), NAT_FORWARDED);
		assert_reason(in(A, 7001, 1001), NAT_FORWARDED);
		assert_reason(out(A, 1001 + rows[i / 2].window + beyond, 7001),
			beyond ? NAT_DROP_SEQUENCE : NAT_FORWARDED);
		kit_end(&kit);
	}
}

/* Flags that no segment has. */
static void test_flags(void **state)
{
	struct nat_config c = linux_config();

	(void)state;
	c.errors.untracked_outward = false;
	for (int flags = 0; flags < 32; flags++) {
		int known = flags & (F | S | R | A);
		bool right = known == S || known == (S | A) || known == (F | A) || known == A ||
			known == R || known == (R | A);
		/* of a connection that stands: a SYN may be one of somebody out of sync */
		begin(&c);
		out(S, 1000, 0);
		in(S | A, 7000, 1001);
		out(A, 1001, 7001);
		assert_reason(out((uint8_t)flags, 1001, 7001),
			right && known != (S | A) ? NAT_FORWARDED : NAT_DROP_SEQUENCE);
		kit_end(&kit);
	}
}

/* In the middle of a connection that nobody has seen the beginning of. */
static void test_pick_up(void **state)
{
	(void)state;
	for (int pick_up = 0; pick_up < 2; pick_up++)
		for (int untracked = 0; untracked < 2; untracked++) {
			struct nat_config c = linux_config();

			c.tcp.pick_up = pick_up;
			c.errors.untracked_outward = untracked;
			begin(&c);
			assert_reason(
				out(R | A, 1, 1), untracked ? NAT_FORWARDED : NAT_DROP_SEQUENCE);
			assert_int_equal(nat_session_count(kit.nat), 0);
			if (untracked) /* with the inside source */
				assert_endpoint(kit.seen.source, a);
			assert_reason(out(A, 1, 1),
				untracked || pick_up ? NAT_FORWARDED : NAT_DROP_SEQUENCE);
			assert_int_equal(nat_session_count(kit.nat), pick_up);
			if (pick_up) {
				assert_string_equal(state_now(), "established");
				assert_endpoint(kit.seen.source, external);
				assert_reason(in(A, 100, 1), NAT_FORWARDED);
				assert_reason(in(A, 900000, 1), NAT_FORWARDED); /* who knows */
			}
			kit_end(&kit);
		}
}

/* RFC 5382 REQ-4: six seconds of silence, then the answer, unless a SYN from inside came before. */
static void test_syn_silence(void **state)
{
	(void)state;
	for (int rst = 0; rst < 2; rst++)
		for (int crossed = 0; crossed < 2; crossed++) {
			struct nat_config c = linux_config();
			uint64_t deadline, start;
			struct nat_out late;
			struct packet answer;

			c.behaviour[NAT_TCP].unsolicited = rst ? NAT_REJECT_RST : NAT_REJECT_ICMP;
			c.behaviour[NAT_TCP].icmp_code = 3;
			c.tcp.syn_silence_us = 6 * SECOND;
			begin(&c);
			start = kit.now;
			assert_reason(in(S, 7000, 0), NAT_DROP_REJECTED);
			assert_int_equal(kit.result.answer.length, 0);
			kit.now += SECOND;
			assert_reason(in(S, 7000, 0), NAT_DROP_REJECTED); /* sent again */
			kit.now = start + 6 * SECOND - US;
			assert_false(nat_poll(kit.nat, kit.now, &late, &deadline));
			assert_int_equal(deadline, start + 6 * SECOND);
			if (crossed) {
				assert_reason(out(S, 1000, 0), NAT_FORWARDED);
				assert_endpoint(kit.seen.source, external);
			}
			kit.now += US;
			assert_int_equal(nat_poll(kit.nat, kit.now, &late, &deadline), !crossed);
			if (crossed) {
				kit_end(&kit);
				continue;
			}
			assert_int_equal(late.side, NAT_OUTSIDE);
			kit_look(&kit, &late, &answer);
			assert_endpoint(answer.destination, rst ? server : with_port(server, 0));
			assert_int_equal(answer.protocol, rst ? PACKET_TCP : PACKET_ERROR);
			assert_false(nat_poll(kit.nat, kit.now, &late, &deadline)); /* once */
			assert_true(deadline == UINT64_MAX);
			kit_end(&kit);
		}
}

/* Only so many answers wait, and the others are never sent. */
static void test_syn_silence_bounded(void **state)
{
	struct nat_config c = linux_config();
	unsigned answers = 0;
	uint64_t deadline;
	struct nat_out late;

	(void)state;
	c.behaviour[NAT_TCP].unsolicited = NAT_REJECT_RST;
	c.tcp.syn_silence_us = 6 * SECOND;
	begin(&c);
	for (unsigned i = 1; i <= 5000; i++) {
		server.port = (uint16_t)i;
		assert_reason(in(S, 7000, 0), NAT_DROP_REJECTED);
	}
	server.port = 443;
	kit.now += 6 * SECOND;
	while (nat_poll(kit.nat, kit.now, &late, &deadline))
		answers++;
	assert_in_range(answers, 1, 1000);
	kit_end(&kit);
}

/* RFC 5382 REQ-8: both SYN go through the NAT, one each way. */
static void test_hairpin(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint b = at("10.0.0.3:6000"), external_a, external_b;

	(void)state;
	c.behaviour[NAT_TCP].hairpin = NAT_HAIRPIN_EXTERNAL;
	c.behaviour[NAT_TCP].filtering = NAT_ADDRESS_AND_PORT_DEPENDENT;
	c.tcp.strict_sequence = true;
	begin(&c);
	assert_reason(tcp_send(&kit, NAT_INSIDE, a, server, S, 1, 0), NAT_FORWARDED);
	external_a = kit.seen.source;
	assert_reason(tcp_send(&kit, NAT_INSIDE, b, server, S, 1, 0), NAT_FORWARDED);
	external_b = kit.seen.source;
	assert_reason(tcp_send(&kit, NAT_INSIDE, a, external_b, S, 100, 0), NAT_DROP_FILTERED);
	assert_reason(tcp_send(&kit, NAT_INSIDE, b, external_a, S, 500, 0), NAT_HAIRPINNED);
	assert_endpoint(kit.seen.source, external_b);
	assert_endpoint(kit.seen.destination, a);
	assert_reason(tcp_send(&kit, NAT_INSIDE, a, external_b, S | A, 100, 501), NAT_HAIRPINNED);
	assert_reason(tcp_send(&kit, NAT_INSIDE, b, external_a, A, 501, 101), NAT_HAIRPINNED);
	assert_reason(tcp_send(&kit, NAT_INSIDE, a, external_b, A, 101, 501), NAT_HAIRPINNED);
	assert_endpoint(kit.seen.destination, b);
	assert_endpoint(kit.seen.source, external_a);
	kit_end(&kit);
}

/* --- what is done to SYNs --- */

/* A segment whose payload becomes options: the header grows by so many words. */
static int build_with_numbers(struct endpoint from, struct endpoint to, uint8_t flags,
	uint32_t sequence, uint32_t acknowledgment, const uint8_t *options, size_t length)
{
	struct packet_tcp tcp = {sequence, acknowledgment, flags, 65000};
	int bytes = packet_build_tcp(
		kit.bytes, sizeof(kit.bytes), &from, &to, TTL_KIT, &tcp, options, length);
	uint8_t *header = &kit.bytes[from.family == FAMILY_IPV4 ? 20 : 40];
	uint16_t field = (uint16_t)(header[16] << 8 | header[17]), before;

	assert_int_equal(length % 4, 0);
	before = (uint16_t)(header[12] << 8 | header[13]);
	header[12] = (uint8_t)((5 + length / 4) << 4);
	field = checksum_adjust(
		field, checksum_change(before, (uint16_t)(header[12] << 8 | header[13])));
	header[16] = (uint8_t)(field >> 8);
	header[17] = (uint8_t)field;
	return bytes;
}

static int build_with_options(struct endpoint from, struct endpoint to, uint8_t flags,
	const uint8_t *options, size_t length)
{
	return build_with_numbers(from, to, flags, 1000, flags == A ? 1 : 1001, options, length);
}

struct syn_row {
	uint16_t mss;
	unsigned strip;
	uint8_t flags;
	uint8_t options[24], after[24];
	size_t length;
};

/* clang-format off: as they are on the wire */
#define LINUX_OPTIONS                                                         \
	{                                                                     \
		2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7 \
	}
#define CLAMPED                                                               \
	{                                                                     \
		2, 4, 5, 132, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7 \
	}
#define NO_SACK                                                               \
	{                                                                     \
		2, 4, 5, 180, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7 \
	}
#define NO_TIMESTAMPS                                                        \
	{                                                                    \
		2, 4, 5, 180, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 7 \
	}
#define NO_SCALE                                                              \
	{                                                                     \
		2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 1, 1, 1 \
	}
#define ONLY_CLAMPED                                                         \
	{                                                                    \
		2, 4, 5, 132, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 \
	}
/* clang-format on */

static const struct syn_row syn_rows[] = {
	{0, 0, S, LINUX_OPTIONS, LINUX_OPTIONS, 20},
	{1412, 0, S, LINUX_OPTIONS, CLAMPED, 20},
	{1460, 0, S, LINUX_OPTIONS, LINUX_OPTIONS, 20},
	{9000, 0, S, LINUX_OPTIONS, LINUX_OPTIONS, 20}, /* never larger */
	{0, SYN_SACK, S, LINUX_OPTIONS, NO_SACK, 20},
	{0, SYN_TIMESTAMPS, S, LINUX_OPTIONS, NO_TIMESTAMPS, 20},
	{0, SYN_SCALE, S, LINUX_OPTIONS, NO_SCALE, 20},
	{1412, SYN_SACK | SYN_TIMESTAMPS | SYN_SCALE, S, LINUX_OPTIONS, ONLY_CLAMPED, 20},
	/* only SYNs; without options there is nothing to do */
	{1412, SYN_TIMESTAMPS, A, LINUX_OPTIONS, LINUX_OPTIONS, 20},
	{1412, SYN_TIMESTAMPS, S, {0}, {0}, 0},
	/* behind an END, and what is broken, stays as it is */
	{1412, SYN_SACK, S, {4, 2, 0, 2, 4, 5, 180, 0}, {1, 1, 0, 2, 4, 5, 180, 0}, 8},
	{1412, SYN_SACK, S, {4, 2, 2, 9, 5, 180, 4, 2}, {1, 1, 2, 9, 5, 180, 4, 2}, 8},
	{1412, 0, S, {2, 3, 255, 1}, {2, 3, 255, 1}, 4},
};

static void check_syn_row(const struct nat_config *config, const struct syn_row *row, bool v6)
{
	struct endpoint from = v6 ? at("[2001:db8:a::2]:5000") : a;
	struct endpoint to = v6 ? at("[2001:db8:ffff::1]:443") : server;
	struct nat_config c = *config;

	c.syn.mss = row->mss;
	c.syn.strip = row->strip;
	begin(&c);
	if (row->flags == A) {
		tcp_send(&kit, NAT_INSIDE, from, to, S, 999, 0);
		tcp_send(&kit, NAT_OUTSIDE, to, kit.seen.source, S | A, 0, 1000);
	}
	assert_reason(kit_send(&kit, NAT_INSIDE,
			      build_with_options(from, to, row->flags, row->options, row->length)),
		NAT_FORWARDED);
	assert_int_equal(packet_tcp_options(&kit.seen).length, row->length);
	assert_memory_equal(kit.seen.bytes + kit.seen.transport + 20, row->after, row->length);
	if (row->flags == S) { /* and what is answered */
		struct endpoint outside = kit.seen.source;

		assert_reason(
			kit_send(&kit, NAT_OUTSIDE,
				build_with_options(to, outside, S | A, row->options, row->length)),
			NAT_FORWARDED);
		assert_memory_equal(
			kit.seen.bytes + kit.seen.transport + 20, row->after, row->length);
	}
	kit_end(&kit);
}

static void test_syn_changes(void **state)
{
	static const char *const kinds[] = {"linux", "none", "firewall", "cgnat"};

	(void)state;
	for (size_t k = 0; k < LENGTH(kinds); k++)
		for (size_t i = 0; i < LENGTH(syn_rows); i++) {
			struct nat_config c = linux_config(), kind;

			assert_int_equal(nat_kind_config(kinds[k], &kind), 0);
			kind.external_count = 1;
			kind.external[0] = c.external[0];
			check_syn_row(&kind, &syn_rows[i], false);
			if (kind.translation == NAT_NONE || kind.ipv6_untranslated)
				check_syn_row(&kind, &syn_rows[i], true);
		}
}

/* --- other sequence numbers outside --- */

static struct nat_config renumbering(void)
{
	struct nat_config c = linux_config();

	c.syn.renumber = true;
	c.errors.untracked_outward = false;
	return c;
}

/* Both ends see one connection, each with the numbers that it knows; the strict window is held by them. */
static void test_renumber(void **state)
{
	struct nat_config c = renumbering();
	uint32_t shift;

	(void)state;
	begin(&c);
	assert_reason(out(S, 1000, 0), NAT_FORWARDED);
	shift = kit.seen.sequence - 1000;
	assert_int_not_equal(shift, 0);
	assert_reason(out(S, 1000, 0), NAT_FORWARDED); /* once more */
	assert_int_equal(kit.seen.sequence, 1000 + shift);
	assert_reason(in(S | A, 7000, 1001 + shift), NAT_FORWARDED);
	assert_int_equal(kit.seen.sequence, 7000);
	assert_int_equal(kit.seen.acknowledgment, 1001);
	assert_reason(out(A, 1001, 7001), NAT_FORWARDED);
	assert_int_equal(kit.seen.sequence, 1001 + shift);
	assert_int_equal(kit.seen.acknowledgment, 7001);
	assert_reason(in(F | A, 7001, 1001 + shift), NAT_FORWARDED);
	assert_reason(out(F | A, 1001, 7002), NAT_FORWARDED);
	assert_reason(in(A, 7002, 1002 + shift), NAT_FORWARDED);
	assert_string_equal(state_now(), "time-wait");
	/* the next connection of the same endpoints has its own */
	assert_reason(out(S, 90000, 0), NAT_FORWARDED);
	assert_int_not_equal(kit.seen.sequence, 90000 + shift);
	assert_int_not_equal(kit.seen.sequence, 90000);
	kit_end(&kit);
}

/* Whoever begins, the numbers of the inside host are changed; where nobody does, in the middle, they are not. */
static void test_renumber_inward(void **state)
{
	struct nat_config c = renumbering();
	uint32_t shift;

	(void)state;
	c.behaviour[NAT_TCP].filtering = NAT_ENDPOINT_INDEPENDENT;
	begin(&c);
	assert_reason(out(S, 1000, 0), NAT_FORWARDED);
	server.port++;
	assert_reason(in(S, 5000, 0), NAT_FORWARDED);
	assert_int_equal(kit.seen.sequence, 5000);
	assert_reason(out(S | A, 300, 5001), NAT_FORWARDED);
	shift = kit.seen.sequence - 300;
	assert_int_not_equal(shift, 0);
	assert_int_equal(kit.seen.acknowledgment, 5001);
	assert_reason(in(A, 5001, 301 + shift), NAT_FORWARDED);
	assert_int_equal(kit.seen.acknowledgment, 301);
	kit_end(&kit);
	server.port--;
	begin(&c);
	assert_reason(out(A, 40, 50), NAT_FORWARDED);
	assert_int_equal(kit.seen.sequence, 40);
	kit_end(&kit);
}

/* Blocks of SACK are about the inside host's numbers, too. */
static void test_renumber_blocks(void **state)
{
	struct nat_config c = renumbering();
	uint32_t shift, edge;
	uint8_t options[] = {1, 1, 5, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

	(void)state;
	begin(&c);
	out(S, 0, 0);
	shift = kit.seen.sequence;
	in(S | A, 0, 1 + shift);
	assert_reason(out(A, 1, 1), NAT_FORWARDED);
	for (uint32_t i = 0; i < 4; i++) {
		edge = 1000 * i + shift;
		for (uint32_t k = 0; k < 4; k++)
			options[4 + 4 * i + k] = (uint8_t)(edge >> (24 - 8 * k));
	}
	assert_reason(kit_send(&kit, NAT_OUTSIDE,
			      build_with_numbers(
				      server, external, A, 1, 1 + shift, options, sizeof(options))),
		NAT_FORWARDED);
	for (uint32_t i = 0; i < 4; i++) {
		const uint8_t *at = kit.seen.bytes + kit.seen.transport + 24 + 4 * i;

		edge = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
		assert_int_equal(edge, 1000 * i);
	}
	kit_end(&kit);
}

/* An error quotes what its sender has seen, and comes in as what the inside host has sent; the box's own does, too. */
static void test_renumber_errors(void **state)
{
	struct nat_config c = renumbering();
	struct endpoint router = at("203.0.113.1:1");
	struct packet_tcp tcp = {1000, 0, S, 65000};
	struct packet quoted, cause;
	uint8_t sent[PACKET_BYTES_MAX];
	int length;

	(void)state;
	begin(&c);
	for (uint8_t ttl = 1; ttl < 3; ttl++) {
		length = packet_build_tcp(
			kit.bytes, sizeof(kit.bytes), &a, &server, ttl, &tcp, NULL, 0);
		assert_reason(
			kit_send(&kit, NAT_INSIDE, length), ttl > 1 ? NAT_FORWARDED : NAT_DROP_TTL);
	}
	assert_int_equal(packet_decode_quoted(&kit.answer, &quoted), -EBADMSG);
	memcpy(sent, kit.seen.bytes, kit.seen.length);
	assert_int_equal(packet_decode(sent, kit.seen.length, &cause), 0);
	assert_int_not_equal(cause.sequence, 1000);
	length = packet_build_error(kit.bytes, sizeof(kit.bytes), &router, &cause, 11, 0, 0);
	assert_reason(kit_send(&kit, NAT_OUTSIDE, length), NAT_FORWARDED);
	assert_int_equal(packet_decode_quoted(&kit.seen, &quoted), 0);
	assert_int_equal(quoted.sequence, 1000);
	assert_endpoint(quoted.source, a);
	/* of a connection that is there by now */
	length = packet_build_tcp(kit.bytes, sizeof(kit.bytes), &a, &server, 1, &tcp, NULL, 0);
	assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_DROP_TTL);
	assert_int_equal(packet_decode_quoted(&kit.answer, &quoted), 0);
	assert_int_equal(quoted.sequence, 1000);
	kit_end(&kit);
}

/* Both sides of a hairpinned connection are inside hosts. */
static void test_renumber_hairpin(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint b = at("10.0.0.3:6000"), external_a, external_b;
	uint32_t shift_a, shift_b;

	(void)state;
	c.syn.renumber = true;
	c.behaviour[NAT_TCP].hairpin = NAT_HAIRPIN_EXTERNAL;
	c.tcp.strict_sequence = true;
	begin(&c);
	tcp_send(&kit, NAT_INSIDE, a, server, S, 1, 0);
	external_a = kit.seen.source;
	tcp_send(&kit, NAT_INSIDE, b, server, S, 1, 0);
	external_b = kit.seen.source;
	assert_reason(tcp_send(&kit, NAT_INSIDE, a, external_b, S, 100, 0), NAT_HAIRPINNED);
	shift_a = kit.seen.sequence - 100;
	assert_reason(tcp_send(&kit, NAT_INSIDE, b, external_a, S | A, 500, 101 + shift_a),
		NAT_HAIRPINNED);
	shift_b = kit.seen.sequence - 500;
	assert_true(shift_a && shift_b);
	assert_int_equal(kit.seen.acknowledgment, 101);
	assert_reason(
		tcp_send(&kit, NAT_INSIDE, a, external_b, A, 101, 501 + shift_b), NAT_HAIRPINNED);
	assert_int_equal(kit.seen.sequence, 101 + shift_a);
	assert_int_equal(kit.seen.acknowledgment, 501);
	kit_end(&kit);
}

static void test_grid(void **state)
{
	(void)state;
	grid_check(NAT_TCP, false);
	grid_check(NAT_TCP, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_mapping_and_filtering),
		cmocka_unit_test(test_inward),
		cmocka_unit_test(test_simultaneous_open),
		cmocka_unit_test(test_new_sequence_number),
		cmocka_unit_test(test_reset_of_unanswered),
		cmocka_unit_test(test_blind_reset),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_pick_up),
		cmocka_unit_test(test_syn_silence),
		cmocka_unit_test(test_syn_silence_bounded),
		cmocka_unit_test(test_hairpin),
		cmocka_unit_test(test_syn_changes),
		cmocka_unit_test(test_renumber),
		cmocka_unit_test(test_renumber_inward),
		cmocka_unit_test(test_renumber_blocks),
		cmocka_unit_test(test_renumber_errors),
		cmocka_unit_test(test_renumber_hairpin),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
