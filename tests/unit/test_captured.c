// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Packets that were captured: what each is, which talk it counts in, and the bounds. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "journal/captured.h"
#include "packet_kit.h"
#include "wire/checksum.h"

static int set_up(void **state)
{
	struct captured_list *l;

	assert_int_equal(captured_create(true, &l), 0);
	*state = l;
	return 0;
}

static int tear_down(void **state)
{
	captured_destroy(*state);
	return 0;
}

/* --- what a packet is --- */

static void names_contents(void **state)
{
	struct captured_list *l = *state;
	const struct {
		struct kit_packet packet;
		enum content content;
	} rows[] = {
		{kit_stun("10.0.1.2:4000", "198.51.100.1:3478", STUN_REQUEST, 1), CONTENT_REQUEST},
		{kit_stun("198.51.100.1:3478", "10.0.1.2:4000", STUN_SUCCESS, 1), CONTENT_SUCCESS},
		{kit_stun("198.51.100.1:3478", "10.0.1.2:4000", STUN_ERROR, 1), CONTENT_REFUSAL},
		{kit_stun("198.51.100.1:3478", "10.0.1.2:4000", STUN_INDICATION, 1),
			CONTENT_INDICATION},
		{kit_udp("10.0.1.2:4000", "198.51.100.1:3478", "no STUN"), CONTENT_OTHER},
		{kit_tcp("10.0.1.2:4000", "198.51.100.1:80", PACKET_SYN), CONTENT_SYN},
		{kit_tcp("198.51.100.1:80", "10.0.1.2:4000", PACKET_SYN | PACKET_ACK),
			CONTENT_SYN_ACK},
		{kit_tcp("198.51.100.1:80", "10.0.1.2:4000", PACKET_RST | PACKET_ACK), CONTENT_RST},
		{kit_tcp("198.51.100.1:80", "10.0.1.2:4000", PACKET_FIN | PACKET_ACK), CONTENT_FIN},
		{kit_tcp("198.51.100.1:80", "10.0.1.2:4000", PACKET_ACK), CONTENT_OTHER},
		{kit_echo("10.0.1.2:7", "198.51.100.1:7", false), CONTENT_ECHO},
		{kit_echo("198.51.100.1:7", "10.0.1.2:7", true), CONTENT_ECHO_REPLY},
		{kit_stun("[2001:db8::2]:4000", "[2001:db8::1]:3478", STUN_REQUEST, 2),
			CONTENT_REQUEST},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct captured *c = kit_take(l, &rows[i].packet, WAY_OUT, 1000 * i);

		assert_non_null(c);
		assert_string_equal(
			content_name((enum content)c->content), content_name(rows[i].content));
		assert_false(c->checksum_wrong);
		assert_int_equal(c->number, i + 1);
		assert_int_equal(c->size, rows[i].packet.length);
	}
	assert_int_equal(l->seen, sizeof(rows) / sizeof(*rows));
}

/* The endpoints of what it quotes name the talk; those of the error itself say who sent it. */
static void takes_errors(void **state)
{
	struct captured_list *l = *state;
	struct kit_packet sent = kit_stun("10.0.1.2:4000", "198.51.100.1:3478", STUN_REQUEST, 1);
	struct kit_packet error = kit_error("192.0.2.1", &sent, 3, 13, 0);
	const struct captured *first = kit_take(l, &sent, WAY_OUT, 1000);
	const struct captured *c = kit_take(l, &error, WAY_IN, 2000);
	const struct talk *t;

	assert_int_equal(c->content, CONTENT_ERROR);
	assert_int_equal(c->talk, first->talk);
	assert_true(endpoint_equal(&c->quoted_from, &first->from));
	assert_true(endpoint_equal(&c->quoted_to, &first->to));
	t = &l->talks[c->talk];
	assert_int_equal(t->from[0].error_count, 1);
	assert_int_equal(t->from[0].errors[0].count, 1);
	assert_int_equal(t->from[0].errors[0].code, 13);
	assert_int_equal(t->from[0].errors[0].first, 2);
	kit_take(l, &error, WAY_IN, 3000);
	assert_int_equal(t->from[0].errors[0].count, 2);
	assert_int_equal(t->from[0].error_count, 1);
	assert_int_equal(t->from[0].packets, 1);
}

static void tells_the_mtu(void **state)
{
	struct kit_packet sent = kit_udp("10.0.1.2:4000", "198.51.100.1:9", "large");
	struct kit_packet error = kit_error("192.0.2.1", &sent, 3, 4, 1280);
	struct kit_packet six = kit_udp("[2001:db8::2]:4000", "[2001:db8::1]:9", "large");
	struct kit_packet too_big = kit_error("2001:db8:5::1", &six, 2, 0, 1400);

	assert_int_equal(kit_take(*state, &error, WAY_IN, 0)->mtu, 1280);
	assert_int_equal(kit_take(*state, &too_big, WAY_IN, 0)->mtu, 1400);
}

/* --- checksums: wrong is only what came so, and was not left to the hardware --- */

static void tells_wrong_checksums(void **state)
{
	struct kit_packet right = kit_stun("198.51.100.1:3478", "10.0.1.2:4000", STUN_SUCCESS, 1);
	struct kit_packet wrong = right, pending = right;

	wrong.bytes[27] ^= 0x55;
	kit_leave_checksum(&pending);
	assert_false(kit_take(*state, &right, WAY_IN, 0)->checksum_wrong);
	assert_true(kit_take(*state, &wrong, WAY_IN, 0)->checksum_wrong);
	assert_false(kit_take(*state, &wrong, WAY_OUT, 0)->checksum_wrong);
	assert_false(kit_take(*state, &pending, WAY_IN, 0)->checksum_wrong);
}

/* --- talks --- */

static void counts_both_ways(void **state)
{
	struct captured_list *l = *state;
	struct kit_packet out = kit_stun("10.0.1.2:4000", "198.51.100.1:3478", STUN_REQUEST, 1);
	struct kit_packet in = kit_stun("198.51.100.1:3478", "10.0.1.2:4000", STUN_SUCCESS, 1);
	const struct talk *t;

	kit_take(l, &out, WAY_OUT, 1000);
	kit_take(l, &out, WAY_OUT, 2000);
	kit_take(l, &in, WAY_IN, 3000);
	assert_int_equal(l->talk_count, 1);
	t = &l->talks[0];
	assert_int_equal(t->from[0].packets, 2);
	assert_int_equal(t->from[0].out, 2);
	assert_int_equal(t->from[0].requests, 2);
	assert_int_equal(t->from[1].packets, 1);
	assert_int_equal(t->from[1].in, 1);
	assert_int_equal(t->from[1].answers, 1);
	assert_int_equal(t->from[0].first, 1);
	assert_int_equal(t->from[0].last, 2);
	assert_int_equal(t->from[1].first_us, 3000);
}

/* Data without a question is described up to a bound, and counted beyond it. */
static void bounds_data(void **state)
{
	struct captured_list *l = *state;
	struct kit_packet data = kit_udp("10.0.1.2:4000", "198.51.100.1:9", "data");

	for (unsigned i = 0; i < TALK_DESCRIBED; i++)
		assert_non_null(kit_take(l, &data, WAY_OUT, i));
	for (unsigned i = 0; i < 10; i++)
		assert_null(kit_take(l, &data, WAY_OUT, i));
	assert_int_equal(l->count, TALK_DESCRIBED);
	assert_int_equal(l->undescribed, 10);
	assert_int_equal(l->talks[0].from[0].packets, TALK_DESCRIBED + 10);
}

static void bounds_talks(void **state)
{
	struct captured_list *l = *state;

	for (unsigned i = 0; i < TALKS_MAX + 100; i++) {
		struct kit_packet p = kit_udp("10.0.1.2:4000", "198.51.100.1:9", "data");

		p.bytes[20] = (uint8_t)(i >> 8); /* the source port */
		p.bytes[21] = (uint8_t)i;
		kit_take(l, &p, WAY_OUT, i);
	}
	assert_int_equal(l->talk_count, TALKS_MAX);
	assert_int_equal(l->uncounted, 100);
}

static void bounds_descriptions(void **state)
{
	struct captured_list *l = *state;
	struct kit_packet p = kit_stun("10.0.1.2:4000", "198.51.100.1:3478", STUN_REQUEST, 1);

	for (unsigned i = 0; i < CAPTURED_MAX; i++)
		assert_non_null(kit_take(l, &p, WAY_OUT, i));
	assert_int_equal(l->lost, 0);
	assert_null(kit_take(l, &p, WAY_OUT, 0));
	assert_int_equal(l->lost, 1);
	assert_true(l->kept_bytes <= CAPTURED_BYTES);
	assert_ptr_equal(captured_find(l, 77), &l->packets[76]);
	assert_null(captured_find(l, CAPTURED_MAX + 5));
	assert_null(captured_find(l, 0));
}

/* What is kept is a file without gaps: behind a packet that has no room a shorter one gets none. */
static void bounds_bytes(void **state)
{
	struct captured_list *l = *state;
	struct kit_packet small = kit_stun("10.0.1.2:4000", "198.51.100.1:3478", STUN_REQUEST, 1);
	struct kit_packet large = small;
	uint16_t sum;

	large.length = 1900;
	memset(&large.bytes[small.length], 0, large.length - small.length);
	large.bytes[2] = (uint8_t)(large.length >> 8);
	large.bytes[3] = (uint8_t)large.length;
	large.bytes[10] = large.bytes[11] = 0;
	sum = (uint16_t)~checksum_sum(large.bytes, 20);
	large.bytes[10] = (uint8_t)(sum >> 8);
	large.bytes[11] = (uint8_t)sum;
	for (size_t i = 0; i < CAPTURED_BYTES / large.length; i++)
		assert_int_equal(kit_take(l, &large, WAY_OUT, i)->bytes, large.length);
	assert_true(CAPTURED_BYTES - l->kept_bytes > small.length);
	assert_int_equal(kit_take(l, &large, WAY_OUT, 0)->bytes, 0);
	assert_int_equal(kit_take(l, &small, WAY_OUT, 0)->bytes, 0);
	assert_int_equal(l->lost, 0);
}

/* --- own ports --- */

static void takes_own_ports_only(void **state)
{
	struct captured_list *l = *state;
	struct kit_packet own = kit_udp("10.0.1.2:4000", "198.51.100.1:9", "data");
	struct kit_packet back = kit_udp("198.51.100.1:9", "10.0.1.2:4000", "data");
	struct kit_packet foreign = kit_udp("10.0.1.2:4001", "198.51.100.1:9", "data");
	struct kit_packet tcp = kit_tcp("10.0.1.2:4000", "198.51.100.1:9", PACKET_SYN);
	struct kit_packet error = kit_error("192.0.2.1", &own, 3, 3, 0);
	struct kit_packet foreign_error = kit_error("192.0.2.1", &foreign, 3, 3, 0);

	captured_own(l, PACKET_UDP, 4000);
	assert_non_null(kit_take(l, &own, WAY_OUT, 0));
	assert_non_null(kit_take(l, &back, WAY_IN, 0));
	assert_non_null(kit_take(l, &error, WAY_IN, 0));
	assert_null(kit_take(l, &foreign, WAY_OUT, 0));
	assert_null(kit_take(l, &foreign_error, WAY_IN, 0));
	assert_null(kit_take(l, &tcp, WAY_OUT, 0));
	assert_int_equal(l->seen, 3);
}

/* A knock quotes what somebody else has sent. Of its talk nothing is known, and it takes the room of none. */
static void takes_knocks(void **state)
{
	struct captured_list *l = *state;
	struct kit_packet own = kit_udp("10.0.1.2:4000", "198.51.100.1:9", "data");
	struct kit_packet theirs = kit_udp("198.51.100.1:9", "198.18.0.7:3", "data");
	struct kit_packet knock = kit_error("10.0.1.2", &theirs, 3, 3, 0);
	struct kit_packet about_own = kit_error("198.51.100.1", &own, 3, 3, 0);
	struct endpoint host = {.family = FAMILY_IPV4, .address = {198, 51, 100, 1}},
			other = {.family = FAMILY_IPV4, .address = {192, 0, 2, 1}};
	const struct captured *c;

	captured_own(l, PACKET_UDP, 4000);
	captured_host(l, &other);
	assert_null(kit_take(l, &knock, WAY_OUT, 0));
	captured_host(l, &host);
	captured_host(l, &host);
	assert_int_equal(l->host_count, 2);
	c = kit_take(l, &knock, WAY_OUT, 0);
	assert_non_null(c);
	assert_int_equal(c->content, CONTENT_ERROR);
	assert_int_equal(c->talk, CAPTURED_NONE);
	assert_int_equal(l->talk_count, 0);
	c = kit_take(l, &about_own, WAY_IN, 0);
	assert_non_null(c);
	assert_int_equal(l->talk_count, 1);
	for (unsigned i = 0; i < 2 * CAPTURED_HOSTS; i++) {
		host.address[3] = (uint8_t)(100 + i);
		captured_host(l, &host);
	}
	assert_int_equal(l->host_count, CAPTURED_HOSTS);
}

/* --- what is no packet --- */

static void survives_what_is_cut_off(void **state)
{
	struct captured_list *l = *state;
	struct kit_packet sent = kit_stun("10.0.1.2:4000", "198.51.100.1:3478", STUN_REQUEST, 1);
	struct kit_packet error = kit_error("192.0.2.1", &sent, 11, 0, 0);

	for (size_t n = 0; n < error.length; n++) {
		struct kit_packet cut = error;

		cut.length = n;
		kit_take(l, &cut, WAY_IN, 0);
	}
	assert_int_equal(l->seen + l->malformed, error.length);
	assert_true(l->malformed >= 20);
}

static void names_interfaces_once(void **state)
{
	struct captured_list *l = *state;
	char name[16];

	assert_int_equal(captured_interface(l, 2, "eth0"), 0);
	assert_int_equal(captured_interface(l, 3, "wg0"), 1);
	assert_int_equal(captured_interface(l, 2, "eth0"), 0);
	for (unsigned i = 2; i < CAPTURED_INTERFACES; i++) {
		snprintf(name, sizeof(name), "e%u", i);
		assert_int_equal(captured_interface(l, 100 + i, name), i);
	}
	assert_true(captured_interface(l, 999, "one more") == CAPTURED_NONE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_contents),
		TEST(takes_errors),
		TEST(tells_the_mtu),
		TEST(tells_wrong_checksums),
		TEST(counts_both_ways),
		TEST(bounds_data),
		TEST(bounds_talks),
		TEST(bounds_descriptions),
		TEST(bounds_bytes),
		TEST(takes_own_ports_only),
		TEST(takes_knocks),
		TEST(survives_what_is_cut_off),
		TEST(names_interfaces_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
