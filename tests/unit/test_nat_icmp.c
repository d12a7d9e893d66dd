// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* ICMP echo, and errors about packets of sessions: RFC 5508. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/test_nat_grid.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static struct kit kit;
static struct endpoint a, b, server, router, inside_router, external;

static int setup(void **state)
{
	(void)state;
	a = at("10.0.0.2:5000");
	b = at("10.0.0.3:5000");
	server = at("198.51.100.10:3478");
	router = at("203.0.113.77");
	inside_router = at("10.0.9.1");
	return 0;
}

static struct endpoint address(struct endpoint e)
{
	e.port = 0;
	return e;
}

/* --- echo --- */

/* REQ-1: an identifier is a port; each inside host gets its own answers. */
static void test_echo(void **state)
{
	struct nat_config c = kit_config();
	struct endpoint one, two;

	(void)state;
	c.behaviour[NAT_ICMP].filtering = NAT_ADDRESS_AND_PORT_DEPENDENT;
	kit_begin(&kit, &c, 1);
	assert_reason(echo_out(&kit, with_port(a, 7), server, false), NAT_FORWARDED);
	one = kit.seen.source;
	assert_true(endpoint_same_address(&one, &c.external[0]));
	assert_reason(echo_out(&kit, with_port(b, 7), server, false), NAT_FORWARDED);
	two = kit.seen.source;
	assert_int_not_equal(one.port, two.port);
	assert_reason(echo_in(&kit, with_port(server, two.port), two, true), NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, with_port(b, 7));
	assert_reason(echo_in(&kit, with_port(server, one.port), one, true), NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, with_port(a, 7));
	assert_memory_equal(&kit.seen.bytes[kit.seen.payload], "ping", 4);
	/* requests from outside are not answers; nor are answers from elsewhere */
	assert_reason(echo_in(&kit, with_port(server, one.port), one, false), NAT_DROP_NO_MAPPING);
	assert_reason(echo_in(&kit, with_port(router, one.port), one, true), NAT_DROP_FILTERED);
	/* an answer that nobody has asked for does not open anything */
	assert_reason(echo_out(&kit, with_port(a, 99), server, true), NAT_DROP_NO_MAPPING);
	kit_end(&kit);
}

/* REQ-1 a: the words of RFC 4787 with addresses alone, as there is no remote port. */
static void test_echo_grid(void **state)
{
	(void)state;
	for (int m = 0; m < 4; m++)
		for (int f = 0; f < 4; f++) {
			bool one_mapping = m == NAT_ENDPOINT_INDEPENDENT || m == NAT_PORT_DEPENDENT;
			bool open = f == NAT_ENDPOINT_INDEPENDENT || f == NAT_PORT_DEPENDENT;
			struct nat_config c = kit_config();
			struct endpoint one;

			c.behaviour[NAT_ICMP].mapping = (enum nat_dependence)m;
			c.behaviour[NAT_ICMP].filtering = (enum nat_dependence)f;
			kit_begin(&kit, &c, 1);
			assert_reason(echo_out(&kit, a, server, false), NAT_FORWARDED);
			one = kit.seen.source;
			assert_reason(echo_out(&kit, a, router, false), NAT_FORWARDED);
			assert_int_equal(endpoint_equal(&one, &kit.seen.source), one_mapping);
			kit_end(&kit);
			kit_begin(&kit, &c, 1);
			assert_reason(echo_out(&kit, a, server, false), NAT_FORWARDED);
			one = kit.seen.source;
			assert_reason(echo_in(&kit, with_port(router, one.port), one, true),
				open ? NAT_FORWARDED : NAT_DROP_FILTERED);
			kit_end(&kit);
		}
}

static void test_echo_inward(void **state)
{
	struct nat_config c = kit_config();

	(void)state;
	c.echo_inward = true;
	kit_begin(&kit, &c, 1);
	assert_reason(echo_out(&kit, a, server, false), NAT_FORWARDED);
	external = kit.seen.source;
	assert_reason(
		echo_in(&kit, with_port(router, external.port), external, false), NAT_FORWARDED);
	assert_endpoint(kit.seen.destination, a);
	assert_reason(echo_out(&kit, a, router, true), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, external);
	kit_end(&kit);
}

static void test_echo_lifetime(void **state)
{
	(void)state;
	for (int early = 0; early < 2; early++) {
		struct nat_config c = kit_config();

		c.behaviour[NAT_ICMP].lifetimes.one_way_us = 60 * SECOND;
		kit_begin(&kit, &c, 1);
		assert_reason(echo_out(&kit, a, server, false), NAT_FORWARDED);
		external = kit.seen.source;
		kit.now += 60 * SECOND - (unsigned)early;
		assert_reason(echo_in(&kit, with_port(server, external.port), external, true),
			early ? NAT_FORWARDED : NAT_DROP_NO_MAPPING);
		kit_end(&kit);
	}
}

/* REQ-3: RFC 5508 asks for it of ICMP alone. */
static void test_bad_checksum(void **state)
{
	struct nat_config c = kit_config();
	int length;

	(void)state;
	kit_begin(&kit, &c, 1);
	length = kit_echo(&kit, a, server, false);
	kit.bytes[length - 1] ^= 1;
	assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_DROP_CHECKSUM);
	length = kit_udp(&kit, a, server);
	kit.bytes[10] ^= 1; /* the IP header's own */
	assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_DROP_CHECKSUM);
	/* what is wrong with UDP is for the receiver to see: it stays as wrong as it was */
	length = kit_udp(&kit, a, server);
	kit.bytes[length - 1] ^= 1;
	nat_input(kit.nat, kit.now, NAT_INSIDE, kit.bytes, (size_t)length, &kit.result);
	assert_reason(kit.result.reason, NAT_FORWARDED);
	assert_int_equal(packet_decode(kit.bytes, (size_t)length, &kit.seen), 0);
	assert_false(packet_checksums_right(&kit.seen));
	kit.bytes[length - 1] ^= 1;
	assert_true(packet_checksums_right(&kit.seen));
	/* and none stays none */
	length = kit_udp(&kit, a, server);
	kit.bytes[26] = kit.bytes[27] = 0;
	assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_FORWARDED);
	assert_int_equal(kit.bytes[26] | kit.bytes[27], 0);
	kit_end(&kit);
}

/* The box answers for itself, and for nobody else. */
static void test_ping_the_box(void **state)
{
	struct nat_config c = kit_config();

	(void)state;
	kit_begin(&kit, &c, 1);
	assert_reason(echo_out(&kit, a, with_port(c.inside, 5000), false), NAT_DROP_ACCEPTED);
	assert_int_equal(kit.result.answer.side, NAT_INSIDE);
	assert_true(kit.answer.echo_reply);
	assert_endpoint(kit.answer.destination, a);
	assert_reason(echo_out(&kit, a, with_port(c.external[0], 5000), false), NAT_DROP_ACCEPTED);
	assert_true(kit.answer.echo_reply);
	assert_reason(udp_out(&kit, a, with_port(c.inside, 53)), NAT_DROP_ACCEPTED);
	assert_int_equal(kit.answer.code, 3);
	assert_reason(
		echo_in(&kit, server, with_port(c.external[0], 9), false), NAT_DROP_NO_MAPPING);
	assert_int_equal(kit.result.answer.length, 0);
	assert_int_equal(nat_session_count(kit.nat), 0);
	kit_end(&kit);
}

/* --- errors --- */

enum what { WHAT_UDP, WHAT_TCP, WHAT_ECHO, WHATS };

/* Sends a packet from a to the server; what the server got is in the kit, external is set. */
static void send_out(enum what what)
{
	if (what == WHAT_UDP)
		assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
	else if (what == WHAT_TCP)
		assert_reason(
			tcp_send(&kit, NAT_INSIDE, a, server, PACKET_SYN, 77, 0), NAT_FORWARDED);
	else
		assert_reason(echo_out(&kit, a, server, false), NAT_FORWARDED);
	external = kit.seen.source;
}

/* The same in the other direction. */
static enum nat_reason send_in(enum what what)
{
	if (what == WHAT_UDP)
		return udp_in(&kit, server, external);
	if (what == WHAT_TCP)
		return tcp_send(
			&kit, NAT_OUTSIDE, server, external, PACKET_SYN | PACKET_ACK, 99, 78);
	return echo_in(&kit, with_port(server, external.port), external, true);
}

/* An error about what was seen last. */
static int error_about_seen(struct endpoint from, uint8_t type, uint8_t code)
{
	uint8_t copy[2048];
	struct packet cause;

	assert_true(kit.seen.length <= sizeof(copy));
	memcpy(copy, kit.seen.bytes, kit.seen.length);
	assert_int_equal(packet_decode(copy, kit.seen.length, &cause), 0);
	return packet_build_error(kit.bytes, sizeof(kit.bytes), &from, &cause, type, code, 0);
}

/* What is quoted, whose own checksums have to be right too, as it was sent whole. */
static struct packet quoted(void)
{
	struct packet q;

	assert_int_equal(packet_decode_quoted(&kit.seen, &q), 0);
	assert_true(packet_checksums_right(&q));
	return q;
}

/* REQ-4: from any address, every kind, the inner packet as the inside host has sent it. */
static void test_error_inward(void **state)
{
	static const uint8_t types[][2] = {
		{3, 0}, {3, 1}, {3, 3}, {3, 4}, {3, 13}, {4, 0}, {11, 0}, {11, 1}, {12, 0}};

	(void)state;
	for (size_t i = 0; i < LENGTH(types) * WHATS; i++) {
		enum what what = (enum what)(i % WHATS);
		struct nat_config c = kit_config();
		struct packet q;

		for (int t = 0; t < NAT_TRANSPORTS; t++)
			c.behaviour[t].filtering = NAT_ADDRESS_AND_PORT_DEPENDENT;
		kit_begin(&kit, &c, 1);
		send_out(what);
		assert_reason(
			kit_send(&kit, NAT_OUTSIDE,
				error_about_seen(router, types[i / WHATS][0], types[i / WHATS][1])),
			NAT_FORWARDED);
		assert_int_equal(kit.result.forward.side, NAT_INSIDE);
		assert_endpoint(kit.seen.source, address(router));
		assert_endpoint(kit.seen.destination, address(a));
		assert_int_equal(kit.seen.type, types[i / WHATS][0]);
		assert_int_equal(kit.seen.code, types[i / WHATS][1]);
		q = quoted();
		assert_endpoint(q.source, a);
		assert_endpoint(
			q.destination, what == WHAT_ECHO ? with_port(server, a.port) : server);
		kit_end(&kit);
	}
}

/* What has to be right in a quote, and what need not be (punching through errors rests on it). */
static void test_quote(void **state)
{
	struct nat_config c = kit_config();
	int length;

	(void)state;
	c.behaviour[NAT_UDP].filtering = NAT_ENDPOINT_INDEPENDENT;
	kit_begin(&kit, &c, 1);
	send_out(WHAT_UDP);
	/* to another remote endpoint, or from another port: no */
	for (int i = 0; i < 4; i++) {
		struct endpoint from = external, to = server;
		uint8_t inner[100];
		struct packet p;

		if (i == 1)
			from.port ^= 1;
		if (i == 2)
			to.port ^= 1;
		if (i == 3)
			to = with_port(router, server.port);
		length = packet_build_udp(inner, sizeof(inner), &from, &to, 9, "abcdefgh", 8);
		assert_int_equal(packet_decode(inner, (size_t)length, &p), 0);
		assert_reason(kit_send(&kit, NAT_OUTSIDE,
				      packet_build_error(
					      kit.bytes, sizeof(kit.bytes), &router, &p, 11, 0, 0)),
			i ? NAT_DROP_UNTRACKED_ERROR : NAT_FORWARDED);
	}
	/* another payload than ever was sent passes as it is */
	assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
	kit_end(&kit);
}

/* A quote may end behind 8 bytes of transport header (RFC 792). */
static void test_short_quote(void **state)
{
	struct nat_config c = kit_config();
	struct packet q, p;
	int length;

	(void)state;
	for (int what = 0; what < WHATS; what++)
		for (int bytes = 0; bytes <= 8; bytes += 4) {
			kit_begin(&kit, &c, 1);
			send_out((enum what)what);
			length = error_about_seen(router, 11, 0);
			length = 20 + 8 + 20 + bytes;
			kit.bytes[2] = 0;
			kit.bytes[3] = (uint8_t)length;
			/* both checksums anew: through building an error of zeros would not do */
			kit.bytes[10] = kit.bytes[11] = kit.bytes[22] = kit.bytes[23] = 0;
			for (int part = 0; part < 2; part++) {
				int from = part ? 20 : 0, to = part ? length : 20;
				uint32_t sum = 0;

				for (int i = from; i < to; i += 2)
					sum += (uint32_t)(kit.bytes[i] << 8 | kit.bytes[i + 1]);
				sum = (sum & 0xffff) + (sum >> 16);
				sum = ~((sum & 0xffff) + (sum >> 16));
				kit.bytes[part ? 22 : 10] = (uint8_t)(sum >> 8);
				kit.bytes[part ? 23 : 11] = (uint8_t)sum;
			}
			assert_int_equal(packet_decode(kit.bytes, (size_t)length, &p), 0);
			assert_true(packet_checksums_right(&p));
			assert_reason(kit_send(&kit, NAT_OUTSIDE, length),
				bytes == 8 ? NAT_FORWARDED : NAT_DROP_UNTRACKED_ERROR);
			if (bytes == 8) {
				assert_int_equal(packet_decode_quoted(&kit.seen, &q), 0);
				assert_endpoint(q.source, a);
			}
			kit_end(&kit);
		}
}

/* REQ-5: about a packet that came in, by the host or a router on the inside. */
static void test_error_outward(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * WHATS; i++) {
		enum what what = (enum what)(i % WHATS);
		struct endpoint from = i < WHATS ? a : inside_router;
		struct nat_config c = kit_config();
		struct packet q;

		kit_begin(&kit, &c, 1);
		send_out(what);
		assert_reason(send_in(what), NAT_FORWARDED);
		assert_reason(
			kit_send(&kit, NAT_INSIDE, error_about_seen(from, 3, 3)), NAT_FORWARDED);
		assert_int_equal(kit.result.forward.side, NAT_OUTSIDE);
		assert_endpoint(kit.seen.source, address(c.external[0]));
		assert_endpoint(kit.seen.destination, address(server));
		q = quoted();
		assert_endpoint(q.destination, external);
		assert_endpoint(
			q.source, what == WHAT_ECHO ? with_port(server, external.port) : server);
		kit_end(&kit);
	}
}

/* REQ-5 c: with an address for each host, a router inside that has one is seen by that. */
static void test_error_outward_one_to_one(void **state)
{
	(void)state;
	for (int known = 0; known < 2; known++) {
		struct nat_config c = kit_config();

		c.translation = NAT_ADDRESSES;
		c.external_count = 2;
		c.external[1] = at("192.0.2.2");
		kit_begin(&kit, &c, 1);
		send_out(WHAT_UDP);
		if (known)
			assert_reason(
				udp_out(&kit, with_port(inside_router, 9), server), NAT_FORWARDED);
		assert_reason(send_in(WHAT_UDP), NAT_FORWARDED);
		assert_reason(kit_send(&kit, NAT_INSIDE, error_about_seen(inside_router, 11, 0)),
			NAT_FORWARDED);
		assert_endpoint(kit.seen.source, c.external[known]);
		assert_endpoint(quoted().destination, external);
		kit_end(&kit);
	}
}

/* Without a session: dropped (REQ-5), or as Linux does it, out with the inside source. */
static void test_error_untracked(void **state)
{
	struct endpoint stranger = at("198.51.100.99:7");
	struct packet q, p;
	uint8_t inner[100];
	int length;

	(void)state;
	for (int forwarded = 0; forwarded < 2; forwarded++) {
		struct nat_config c = kit_config();

		c.errors.untracked_outward = forwarded;
		kit_begin(&kit, &c, 1);
		length = packet_build_udp(inner, sizeof(inner), &stranger, &a, 9, "abcdefgh", 8);
		assert_int_equal(packet_decode(inner, (size_t)length, &p), 0);
		assert_reason(
			kit_send(&kit, NAT_INSIDE,
				packet_build_error(kit.bytes, sizeof(kit.bytes), &a, &p, 11, 0, 0)),
			forwarded ? NAT_FORWARDED : NAT_DROP_UNTRACKED_ERROR);
		if (forwarded) {
			assert_endpoint(kit.seen.source, address(a));
			assert_endpoint(kit.seen.destination, address(stranger));
			q = quoted();
			assert_endpoint(q.destination, a);
		}
		kit_end(&kit);
	}
}

static void test_error_not_let_in(void **state)
{
	struct nat_config c = kit_config();
	int length;

	(void)state;
	c.errors.inward = false;
	kit_begin(&kit, &c, 1);
	send_out(WHAT_UDP);
	assert_reason(kit_send(&kit, NAT_OUTSIDE, error_about_seen(router, 3, 3)), NAT_DROP_ERROR);
	kit_end(&kit);
	c.errors.inward = true;
	kit_begin(&kit, &c, 1);
	send_out(WHAT_UDP);
	length = error_about_seen(router, 3, 3);
	kit.bytes[30] ^= 1; /* REQ-3 */
	assert_reason(kit_send(&kit, NAT_OUTSIDE, length), NAT_DROP_CHECKSUM);
	kit_end(&kit);
}

/*
 * REQ-6, RFC 4787 REQ-12, RFC 5382 REQ-10: an error ends nothing and prolongs nothing, unless a bad NAT is
 * wanted.
 */
static void test_error_and_session(void **state)
{
	(void)state;
	for (int i = 0; i < 4 * WHATS; i++) {
		enum what what = (enum what)(i / 4);
		bool ends = i & 2, early = i & 1;
		struct nat_config c = kit_config();

		c.errors.end_mapping = ends;
		kit_begin(&kit, &c, 1);
		send_out(what);
		kit.now += 20 * SECOND;
		assert_reason(
			kit_send(&kit, NAT_OUTSIDE, error_about_seen(router, 3, 3)), NAT_FORWARDED);
		assert_int_equal(nat_session_count(kit.nat), !ends);
		assert_int_equal(nat_mapping_count(kit.nat), !ends);
		kit.now += 10 * SECOND - early;
		assert_reason(send_in(what), early && !ends ? NAT_FORWARDED : NAT_DROP_NO_MAPPING);
		kit_end(&kit);
	}
}

/* Which errors are let in, where not all of them are. */
static void test_blocked_errors(void **state)
{
	static const struct {
		unsigned blocked;
		uint8_t type, code;
		bool dropped;
	} rows[] = {
		{NAT_ERROR_UNREACHABLE, 3, 1, true},
		{NAT_ERROR_UNREACHABLE, 3, 4, false},
		{NAT_ERROR_UNREACHABLE, 11, 0, false},
		{NAT_ERROR_TOO_BIG, 3, 4, true},
		{NAT_ERROR_TOO_BIG, 3, 3, false},
		{NAT_ERROR_TIME_EXCEEDED, 11, 1, true},
		{NAT_ERROR_TIME_EXCEEDED, 12, 0, false},
		{NAT_ERROR_PARAMETER, 12, 0, true},
		{NAT_ERROR_PARAMETER | NAT_ERROR_TIME_EXCEEDED, 11, 0, true},
		{0, 3, 1, false},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct nat_config c = kit_config();

		c.errors.blocked = rows[i].blocked;
		kit_begin(&kit, &c, 1);
		send_out(WHAT_UDP);
		assert_reason(kit_send(&kit, NAT_OUTSIDE,
				      error_about_seen(router, rows[i].type, rows[i].code)),
			rows[i].dropped ? NAT_DROP_ERROR : NAT_FORWARDED);
		kit_end(&kit);
	}
}

/* NATs that do it wrong: what they quote is not what the host has sent, and the error is a right one all the same. */
static void test_wrong_quotes(void **state)
{
	(void)state;
	for (int quotes = NAT_QUOTES_TRANSLATED; quotes <= NAT_QUOTES_CHECKSUM; quotes++) {
		struct nat_config c = kit_config();
		struct packet error, q;

		c.errors.quotes = (enum nat_quotes)quotes;
		kit_begin(&kit, &c, 1);
		send_out(WHAT_UDP);
		assert_reason(
			kit_send(&kit, NAT_OUTSIDE, error_about_seen(router, 3, 3)), NAT_FORWARDED);
		assert_int_equal(
			packet_decode(kit.result.forward.bytes, kit.result.forward.length, &error),
			0);
		assert_true(packet_checksums_right(&error));
		assert_true(endpoint_same_address(&error.destination, &a));
		assert_int_equal(packet_decode_quoted(&error, &q), 0);
		assert_int_equal(
			endpoint_same_address(&q.source, &a), quotes != NAT_QUOTES_UNTRANSLATED);
		assert_int_equal(packet_checksums_right(&q), quotes != NAT_QUOTES_CHECKSUM);
		kit_end(&kit);
	}
}

/* REQ-9, 10: other kinds of ICMP are nobody's. */
static void test_other_kinds(void **state)
{
	static const uint8_t types[] = {9, 10, 13, 14, 15, 16, 17, 18, 42};
	struct nat_config c = kit_config();

	(void)state;
	kit_begin(&kit, &c, 1);
	for (size_t i = 0; i < 2 * LENGTH(types); i++) {
		int length = kit_echo(&kit, i & 1 ? server : a, i & 1 ? c.external[0] : server, 0);

		kit.bytes[20] = types[i / 2]; /* whose checksum nobody looks at */
		assert_reason(kit_send(&kit, i & 1 ? NAT_OUTSIDE : NAT_INSIDE, length),
			NAT_DROP_PROTOCOL);
		assert_int_equal(kit.result.answer.length, 0);
	}
	kit_end(&kit);
}

/* REQ-7: A sends to B by the external endpoint of B, whose port is closed. */
static void test_error_hairpin(void **state)
{
	struct endpoint external_a, external_b;
	struct packet q;

	(void)state;
	for (int what = 0; what < WHAT_ECHO; what++) {
		struct nat_config c = kit_config();

		c.behaviour[NAT_UDP].hairpin = NAT_HAIRPIN_EXTERNAL;
		c.behaviour[NAT_TCP].hairpin = NAT_HAIRPIN_EXTERNAL;
		kit_begin(&kit, &c, 1);
		send_out((enum what)what);
		external_a = external;
		if (what == WHAT_UDP) {
			assert_reason(udp_out(&kit, b, server), NAT_FORWARDED);
			external_b = kit.seen.source;
			assert_reason(udp_out(&kit, a, external_b), NAT_HAIRPINNED);
		} else {
			assert_reason(tcp_send(&kit, NAT_INSIDE, b, server, PACKET_SYN, 1, 0),
				NAT_FORWARDED);
			external_b = kit.seen.source;
			assert_reason(tcp_send(&kit, NAT_INSIDE, a, external_b, PACKET_SYN, 1, 0),
				NAT_HAIRPINNED);
		}
		assert_endpoint(kit.seen.source, external_a);
		assert_endpoint(kit.seen.destination, b);
		assert_reason(
			kit_send(&kit, NAT_INSIDE, error_about_seen(b, 3, 3)), NAT_HAIRPINNED);
		assert_int_equal(kit.result.forward.side, NAT_INSIDE);
		assert_endpoint(kit.seen.source, address(external_b));
		assert_endpoint(kit.seen.destination, address(a));
		q = quoted();
		assert_endpoint(q.source, a);
		assert_endpoint(q.destination, external_b);
		kit_end(&kit);
	}
}

/* --- time exceeded --- */

static void test_ttl(void **state)
{
	struct nat_config c = kit_config();
	int length;

	(void)state;
	kit_begin(&kit, &c, 1);
	length = packet_build_udp(kit.bytes, sizeof(kit.bytes), &a, &server, 1, "hello", 5);
	assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_DROP_TTL);
	assert_int_equal(kit.result.answer.side, NAT_INSIDE);
	assert_int_equal(kit.answer.type, 11);
	assert_endpoint(kit.answer.source, address(c.inside));
	assert_endpoint(kit.answer.destination, address(a));
	assert_int_equal(nat_session_count(kit.nat), 0); /* it did not get out */
	send_out(WHAT_UDP);
	length = packet_build_udp(kit.bytes, sizeof(kit.bytes), &server, &external, 1, "hello", 5);
	assert_reason(kit_send(&kit, NAT_OUTSIDE, length), NAT_DROP_TTL);
	assert_int_equal(kit.result.answer.side, NAT_OUTSIDE);
	assert_int_equal(kit.answer.type, 11);
	assert_endpoint(kit.answer.source, address(external));
	assert_endpoint(kit.answer.destination, address(server));
	kit.seen = kit.answer;
	assert_endpoint(quoted().destination, external); /* not what is behind it */
	/* an error dies without another one */
	assert_reason(udp_in(&kit, server, external), NAT_FORWARDED);
	length = error_about_seen(a, 3, 3);
	kit.bytes[8] = 1;
	kit.bytes[10] = (uint8_t)(kit.bytes[10] + 63); /* from 64 to 1 */
	assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_DROP_TTL);
	assert_int_equal(kit.result.answer.length, 0);
	length = packet_build_udp(kit.bytes, sizeof(kit.bytes), &a, &server, 2, "hello", 5);
	assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_FORWARDED);
	assert_int_equal(kit.seen.ttl, 1);
	kit_end(&kit);
	c.keep_ttl = true;
	kit_begin(&kit, &c, 1);
	length = packet_build_udp(kit.bytes, sizeof(kit.bytes), &a, &server, 1, "hello", 5);
	assert_reason(kit_send(&kit, NAT_INSIDE, length), NAT_FORWARDED);
	assert_int_equal(kit.seen.ttl, 1);
	kit_end(&kit);
}

static void test_grid(void **state)
{
	(void)state;
	grid_check(NAT_ICMP, false);
	grid_check(NAT_ICMP, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_echo_grid),
		cmocka_unit_test(test_echo_inward),
		cmocka_unit_test(test_echo_lifetime),
		cmocka_unit_test(test_bad_checksum),
		cmocka_unit_test(test_ping_the_box),
		cmocka_unit_test(test_error_inward),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_short_quote),
		cmocka_unit_test(test_error_outward),
		cmocka_unit_test(test_error_outward_one_to_one),
		cmocka_unit_test(test_error_untracked),
		cmocka_unit_test(test_error_not_let_in),
		cmocka_unit_test(test_error_and_session),
		cmocka_unit_test(test_blocked_errors),
		cmocka_unit_test(test_wrong_quotes),
		cmocka_unit_test(test_other_kinds),
		cmocka_unit_test(test_error_hairpin),
		cmocka_unit_test(test_ttl),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
