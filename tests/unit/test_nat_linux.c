// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * What the kinds of Linux do as Linux 6.18 does it with nftables masquerade: each of these sequences is one
 * of tests/net/sequences.py, or a part of one, where the engine once did something else.
 */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lab/kinds.h"
#include "tests/unit/test_nat_kit.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

enum { S = PACKET_SYN, A = PACKET_ACK, F = PACKET_FIN, R = PACKET_RST };

static struct kit kit;
static struct endpoint a, b, server, other, external;

static int setup(void **state)
{
	(void)state;
	a = at("10.0.0.2:5000");
	b = at("10.0.0.3:5001");
	server = at("198.51.100.10:443");
	other = at("203.0.113.10:443");
	external = at("192.0.2.1:5000");
	return 0;
}

static void begin(const char *kind)
{
	struct nat_config usual = kit_config(), c;

	assert_int_equal(nat_kind_config(kind, &c), 0);
	c.external_count = 1;
	c.external[0] = usual.external[0];
	c.inside = usual.inside;
	kit_begin(&kit, &c, 1);
}

/* --- the box as a host --- */

/* Without a rule a packet from inside to the external address is for the box. */
static void test_hairpin_to_box(void **state)
{
	static const char *const names[] = {"linux", "linux-accept", "linux-reject"};

	(void)state;
	for (size_t i = 0; i < LENGTH(names); i++) {
		begin(names[i]);
		assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
		assert_reason(udp_out(&kit, b, external), NAT_DROP_ACCEPTED);
		assert_int_equal(kit.answer.type, 3);
		assert_int_equal(kit.answer.code, 3);
		assert_endpoint(kit.answer.source, with_port(external, 0));
		assert_reason(
			tcp_send(&kit, NAT_INSIDE, b, external, S, 1000, 0), NAT_DROP_ACCEPTED);
		assert_int_equal(kit.answer.flags, R | A);
		assert_endpoint(kit.answer.source, external);
		assert_reason(echo_out(&kit, b, external, false), NAT_DROP_ACCEPTED);
		assert_true(kit.answer.echo_reply);
		assert_int_equal(nat_session_count(kit.nat), 1);
		kit_end(&kit);
	}
}

/* --- checksums --- */

/* What is wrong belongs to no session: it leaves as it is, and does not come in. */
static void test_wrong_checksum(void **state)
{
	struct packet_tcp syn = {1000, 0, S, 65000};
	int length;

	(void)state;
	begin("linux-accept");
	for (int what = 0; what < 3; what++) {
		if (what == 0)
			length = kit_udp(&kit, a, server);
		else if (what == 1)
			length = kit_echo(&kit, a, server, false);
		else
			length = packet_build_tcp(
				kit.bytes, sizeof(kit.bytes), &a, &server, TTL_KIT, &syn, "x", 1);
		kit.bytes[length - 1] ^= 1;
		nat_input(kit.nat, kit.now, NAT_INSIDE, kit.bytes, (size_t)length, &kit.result);
		assert_reason(kit.result.reason, NAT_FORWARDED);
		assert_int_equal(packet_decode(kit.bytes, (size_t)length, &kit.seen), 0);
		assert_false(packet_checksums_right(&kit.seen));
		assert_endpoint(kit.seen.source, a);
		assert_int_equal(nat_session_count(kit.nat), 0);
	}
	assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
	length = kit_udp(&kit, server, external);
	kit.bytes[length - 1] ^= 1;
	assert_reason(kit_send(&kit, NAT_OUTSIDE, length), NAT_DROP_CHECKSUM);
	assert_int_equal(kit.result.answer.length, 0);
	length = kit_udp(&kit, a, external); /* nor is the box to be leaked to */
	kit.bytes[length - 1] ^= 1;
	assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_DROP_CHECKSUM);
	kit_end(&kit);
}

/* --- errors --- */

/* An error about the packet that was seen last, from one address to another. */
static int error_to(struct endpoint from, struct endpoint to, uint8_t type, uint8_t code)
{
	static uint8_t cause_bytes[2000];
	struct packet cause = kit.seen, error;
	int length;

	memcpy(cause_bytes, kit.seen.bytes, kit.seen.length);
	cause.bytes = cause_bytes;
	from.port = to.port = 0;
	length = packet_build_error(kit.bytes, sizeof(kit.bytes), &from, &cause, type, code, 0);
	assert_true(length > 0);
	assert_int_equal(packet_decode(kit.bytes, (size_t)length, &error), 0);
	packet_set_destination(&error, &to);
	return length;
}

/* A redirect is about routes that the other side does not have. */
static void test_redirect(void **state)
{
	(void)state;
	begin("linux");
	assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
	assert_reason(
		kit_send(&kit, NAT_OUTSIDE, error_to(server, external, 5, 1)), NAT_DROP_ERROR);
	assert_reason(udp_in(&kit, server, external), NAT_FORWARDED);
	assert_reason(kit_send(&kit, NAT_INSIDE, error_to(a, server, 5, 1)), NAT_DROP_ERROR);
	kit_end(&kit);
}

/* To somebody who has not sent the packet: it says nothing about the session, and leaves as it is. */
static void test_error_to_third(void **state)
{
	(void)state;
	begin("linux");
	assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
	assert_reason(udp_in(&kit, server, external), NAT_FORWARDED);
	assert_reason(kit_send(&kit, NAT_INSIDE, error_to(a, other, 3, 3)), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, with_port(a, 0));
	kit_end(&kit);
}

/* --- echo --- */

/* A reply needs a request from outside; one of the host's own does not make it one. */
static void test_echo_reply_unasked(void **state)
{
	(void)state;
	begin("linux");
	assert_reason(echo_out(&kit, a, server, false), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, external);
	assert_reason(echo_out(&kit, a, server, true), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, a);
	kit_end(&kit);
}

/* --- hops --- */

/* A packet whose hops end here opens nothing, but counts for what is open. */
static void test_last_hop_refreshes(void **state)
{
	(void)state;
	for (int inward = 0; inward < 2; inward++)
		for (int hops = 1; hops < 3; hops++) {
			struct endpoint *from = inward ? &server : &a;
			int length;

			begin("linux");
			assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
			kit.now += 20 * SECOND;
			length = packet_build_udp(kit.bytes, sizeof(kit.bytes), from,
				inward ? &external : &server, (uint8_t)hops, "x", 1);
			assert_reason(kit_send(&kit, inward ? NAT_OUTSIDE : NAT_INSIDE, length),
				hops > 1 ? NAT_FORWARDED : NAT_DROP_TTL);
			kit.now += 20 * SECOND;
			assert_reason(udp_in(&kit, server, external), NAT_FORWARDED);
			kit_end(&kit);
		}
}

/* --- TCP --- */

static enum nat_reason out(uint8_t flags, uint32_t sequence, uint32_t acknowledgment)
{
	return tcp_send(&kit, NAT_INSIDE, a, server, flags, sequence, acknowledgment);
}

static enum nat_reason in(uint8_t flags, uint32_t sequence, uint32_t acknowledgment)
{
	return tcp_send(&kit, NAT_OUTSIDE, server, external, flags, sequence, acknowledgment);
}

static struct nat_entry entry_now(void)
{
	struct nat_entry entry = {.state = "none"};
	size_t cursor = 0;

	nat_next_entry(kit.nat, &cursor, &entry);
	return entry;
}

static void assert_entry(const char *state, unsigned seconds)
{
	struct nat_entry entry = entry_now();

	assert_string_equal(entry.state, state);
	assert_int_equal(entry.expires_us - kit.now, seconds * SECOND);
}

/* It stands: 1001 and 5001 come next. */
static void establish(void)
{
	assert_reason(out(S, 1000, 0), NAT_FORWARDED);
	assert_reason(in(S | A, 5000, 1001), NAT_FORWARDED);
	assert_reason(out(A, 1001, 5001), NAT_FORWARDED);
	assert_entry("established", 432000);
}

/* SYN without an answer counts from the first one, also if one of the other side crosses it. */
static void test_syn_does_not_refresh(void **state)
{
	(void)state;
	begin("linux");
	assert_reason(out(S, 1000, 0), NAT_FORWARDED);
	kit.now += 20 * SECOND;
	assert_reason(out(S, 1000, 0), NAT_FORWARDED);
	assert_entry("syn-sent", 100);
	assert_reason(in(S, 5000, 0), NAT_FORWARDED);
	assert_entry("syn-sent2", 100);
	assert_reason(out(S | A, 1000, 5001), NAT_FORWARDED);
	assert_entry("syn-received", 60);
	/* and one side's acknowledgment is enough then */
	assert_reason(in(A, 5001, 1001), NAT_FORWARDED);
	assert_entry("established", 432000);
	kit_end(&kit);
}

/* What is old, or a little more than the window, passes; it means nothing, and is no sign of life. */
static void test_barely_in_window(void **state)
{
	static const struct {
		uint32_t sequence, acknowledgment;
	} rows[] = {{5001 - 100000, 1001}, {5001, 1001 - 100000}, {5001 + 65001, 1001}};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		begin("linux");
		establish();
		kit.now += 10 * SECOND;
		assert_reason(in(A, rows[i].sequence, rows[i].acknowledgment), NAT_FORWARDED);
		assert_entry("established", 432000 - 10);
		/* what was too much may be acknowledged */
		assert_reason(out(A, 1001, 5001 + 65001),
			NAT_FORWARDED); /* else with the inside source */
		assert_endpoint(kit.seen.source, i == 2 ? external : a);
		kit_end(&kit);
	}
}

/* A SYN in a connection that stands is let through; if the other side takes it, so do we. */
static void test_syn_again_taken(void **state)
{
	(void)state;
	begin("linux");
	establish();
	assert_reason(out(S, 700000, 0), NAT_FORWARDED);
	assert_reason(in(S | A, 9000, 700002), NAT_FORWARDED); /* for no SYN */
	assert_entry("established", 432000);
	assert_reason(out(S, 700000, 0), NAT_FORWARDED);
	assert_reason(in(S | A, 9000, 700001), NAT_FORWARDED);
	assert_entry("syn-received", 60);
	assert_reason(out(A, 700001, 9001), NAT_FORWARDED);
	assert_entry("established", 432000);
	assert_reason(in(A, 9001 + 500000, 700001), NAT_DROP_SEQUENCE);
	kit_end(&kit);
}

/* A SYN where a FIN waits for its ACK: the ACK is the SYN's (RFC 5961 4). */
static void test_challenged_fin(void **state)
{
	(void)state;
	begin("linux");
	establish();
	assert_reason(in(F | A, 5001, 1001), NAT_FORWARDED);
	assert_reason(out(F | A, 1001, 5002), NAT_FORWARDED);
	assert_entry("last-ack", 30);
	assert_reason(out(S, 700000, 0), NAT_FORWARDED);
	assert_reason(in(A, 5002, 1001), NAT_FORWARDED);
	assert_entry("last-ack", 30);
	assert_reason(in(A, 5002, 1002), NAT_FORWARDED);
	assert_entry("time-wait", 120);
	kit_end(&kit);
}

/* RFC 5961 3: a RST ends it with the number that is awaited; elsewhere in the window the ends have to ask. */
static void test_resets(void **state)
{
	static const struct {
		uint32_t sequence;
		enum nat_reason reason;
		const char *state;
		unsigned left_s;
	} rows[] = {
		{5001, NAT_FORWARDED, "closed", 10},
		{5000, NAT_DROP_SEQUENCE, "established", 432000},
		{5001 - 100000, NAT_DROP_SEQUENCE, "established", 432000},
		{5101, NAT_FORWARDED, "established", 10},
		{5001 + 200000, NAT_DROP_SEQUENCE, "established", 432000},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		begin("linux");
		establish();
		assert_reason(in(R, rows[i].sequence, 0), rows[i].reason);
		assert_entry(rows[i].state, rows[i].left_s);
		assert_reason(out(A, 1001, 5001), NAT_FORWARDED);
		if (i == 3)
			assert_entry("established", 432000);
		kit_end(&kit);
	}
}

/* After both FIN a SYN of the server's is one that nobody has asked for; the client's begins anew. */
static void test_time_wait(void **state)
{
	(void)state;
	for (int by_client = 0; by_client < 2; by_client++) {
		begin("linux-accept");
		establish();
		assert_reason(out(F | A, 1001, 5001), NAT_FORWARDED);
		assert_reason(in(F | A, 5001, 1002), NAT_FORWARDED);
		assert_reason(out(A, 1002, 5002), NAT_FORWARDED);
		assert_entry("time-wait", 120);
		if (by_client) {
			assert_reason(out(S, 800000, 0), NAT_FORWARDED);
			assert_entry("syn-sent", 120);
		} else {
			assert_reason(in(S, 900000, 0), NAT_DROP_ACCEPTED);
			assert_int_equal(kit.answer.flags, R | A);
			assert_int_equal(nat_session_count(kit.nat), 0);
		}
		kit_end(&kit);
	}
}

/* The next connection of the same endpoints has another port where each connection has. */
static void test_time_wait_random(void **state)
{
	struct endpoint first;

	(void)state;
	begin("linux-random");
	assert_reason(out(S, 1000, 0), NAT_FORWARDED);
	external = first = kit.seen.source;
	assert_reason(in(S | A, 5000, 1001), NAT_FORWARDED);
	assert_reason(out(A, 1001, 5001), NAT_FORWARDED);
	assert_reason(out(R, 1001, 0), NAT_FORWARDED);
	assert_reason(out(S, 800000, 0), NAT_FORWARDED);
	assert_int_not_equal(kit.seen.source.port, first.port);
	assert_int_equal(nat_session_count(kit.nat), 1);
	kit_end(&kit);
	external = with_port(external, 5000);
}

/* A SYN-ACK for something else leaves its number behind, and the right one is taken for an old one. */
static void test_false_syn_ack(void **state)
{
	(void)state;
	begin("linux");
	assert_reason(out(S, 1000, 0), NAT_FORWARDED);
	assert_reason(in(S | A, 99999999, 4001), NAT_DROP_SEQUENCE);
	assert_reason(in(S | A, 5000, 1001), NAT_FORWARDED);
	assert_entry("syn-sent", 120);
	kit_end(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hairpin_to_box),
		cmocka_unit_test(test_wrong_checksum),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_error_to_third),
		cmocka_unit_test(test_echo_reply_unasked),
		cmocka_unit_test(test_last_hop_refreshes),
		cmocka_unit_test(test_syn_does_not_refresh),
		cmocka_unit_test(test_barely_in_window),
		cmocka_unit_test(test_syn_again_taken),
		cmocka_unit_test(test_challenged_fin),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_time_wait),
		cmocka_unit_test(test_time_wait_random),
		cmocka_unit_test(test_false_syn_ack),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
