// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "punch/hello.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static struct endpoint host4(unsigned last, uint16_t port)
{
	return (struct endpoint){FAMILY_IPV4, port, 0, {192, 0, 2, (uint8_t)last}};
}

static struct endpoint host6(unsigned last, uint16_t port)
{
	return (struct endpoint){FAMILY_IPV6, port, 0, {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)last}};
}

static int decode_exact(const uint8_t *data, size_t length, struct hello *out)
{
	uint8_t *exact = malloc(length ? length : 1); /* a sanitizer sees what is read beyond it */
	int err;

	assert_non_null(exact);
	memcpy(exact, data, length);
	err = hello_decode(exact, length, out);
	free(exact);
	return err;
}

/* As much as a hello can say. */
static struct hello full(enum hello_transport transport)
{
	struct hello h = {.transport = transport,
		.candidate_count = HELLO_CANDIDATES,
		.has_side = {true, true},
		.latest = host6(7, 65535),
		.port_count = CHECKS_PORTS,
		.attempt = {.number = 65535,
			.sent = 1,
			.received = UINT32_MAX,
			.refused = 3,
			.errors = 4,
			.opened = 5,
			.resets = UINT32_MAX - 1,
			.offender = host6(9, 1),
			.type = 11,
			.code = 255},
		.failed = true};

	for (unsigned i = 0; i < HELLO_CANDIDATES; i++) {
		h.candidates[i].kind = i & 1 ? CHECK_SERVER_REFLEXIVE : CHECK_HOST;
		h.candidates[i].endpoint = host6(i, (uint16_t)(1 + i));
	}
	for (unsigned i = 0; i < CHECKS_PORTS; i++)
		h.ports[i] = (uint16_t)(40000 + i);
	for (int f = 0; f < 2; f++) {
		h.side[f].low = 40000;
		h.side[f].high = UINT16_MAX;
		h.side[f].packets_max = PAIR_MANY;
		h.side[f].step = -PAIR_STEP_MAX;
		h.side[f].sync_error_us = 5000u + (unsigned)f;
		h.tcp[f] = (struct pair_tcp_side){.low = 40000,
			.high = UINT16_MAX,
			.step = PAIR_STEP_MAX,
			.early = EARLY_SYN_REMAP,
			.connections_max = UINT16_MAX,
			.sync_error_us = 6000u + (unsigned)f};
	}
	return h;
}

static void assert_sides(const struct hello *h)
{
	assert_true(h->has_side[0] && h->has_side[1]);
	if (h->transport == HELLO_UDP) {
		assert_int_equal(h->side[1].sync_error_us, 5001);
		assert_int_equal(h->side[0].step, -PAIR_STEP_MAX);
		assert_int_equal(h->tcp[0].step, 0);
	} else {
		assert_int_equal(h->tcp[1].sync_error_us, 6001);
		assert_int_equal(h->tcp[0].step, PAIR_STEP_MAX);
		assert_int_equal(h->side[0].step, 0);
	}
}

static void check_round_trip(enum hello_transport transport)
{
	struct hello h = full(transport), out;
	uint8_t data[HELLO_BYTES_MAX], again[HELLO_BYTES_MAX];
	int n = hello_encode(&h, data, sizeof(data));

	assert_true(n > 0);
	assert_int_equal(decode_exact(data, (size_t)n, &out), 0);
	assert_int_equal(out.transport, transport);
	assert_int_equal(hello_status(&out, 0), PATH_UNTESTED);
	assert_sides(&out);
	assert_int_equal(out.candidate_count, HELLO_CANDIDATES);
	for (unsigned i = 0; i < HELLO_CANDIDATES; i++) {
		assert_int_equal(out.candidates[i].kind, h.candidates[i].kind);
		assert_true(endpoint_equal(&out.candidates[i].endpoint, &h.candidates[i].endpoint));
	}
	assert_true(out.failed);
	assert_true(endpoint_equal(&out.latest, &h.latest));
	assert_int_equal(out.port_count, CHECKS_PORTS);
	assert_memory_equal(out.ports, h.ports, sizeof(h.ports));
	assert_int_equal(out.attempt.received, UINT32_MAX);
	assert_int_equal(out.attempt.code, 255);
	assert_int_equal(out.attempt.opened, 5);
	assert_int_equal(out.attempt.resets, UINT32_MAX - 1);
	assert_true(endpoint_equal(&out.attempt.offender, &h.attempt.offender));
	assert_int_equal(hello_encode(&out, again, sizeof(again)), n);
	assert_memory_equal(data, again, (size_t)n);
	for (int size = 0; size < n; size++)
		assert_int_equal(hello_encode(&h, again, (size_t)size), -EMSGSIZE);
}

static void test_round_trip(void **state)
{
	(void)state;
	check_round_trip(HELLO_UDP);
	check_round_trip(HELLO_TCP);
}

/* Of the other transport nothing is taken, not even when it is malformed. */
static void test_other_transport(void **state)
{
	static const uint8_t bytes[] = "\1\1\0\1\1\11\0\1\0\12\0\0";
	struct hello out;

	(void)state;
	assert_int_equal(decode_exact(bytes, sizeof(bytes) - 1, &out), 0);
	assert_false(out.has_side[0] || out.has_side[1]);
}

/* What says nothing of connections is of the first version. */
static void test_first_version(void **state)
{
	struct hello h = full(HELLO_UDP), out;
	uint8_t data[HELLO_BYTES_MAX];
	int n;

	(void)state;
	h.failed = false; /* the attempt comes last */
	n = hello_encode(&h, data, sizeof(data));
	assert_true(n > 0);
	data[n - 28 - 19 - 1] -= 8;
	assert_int_equal(decode_exact(data, (size_t)n - 8, &out), 0);
	assert_int_equal(out.attempt.sent, 1);
	assert_int_equal(out.attempt.code, 255);
	assert_int_equal(out.attempt.opened, 0);
}

/* Who captures says what left and what arrived, and who does not says nothing of it. */
static void test_captured(void **state)
{
	struct hello h = full(HELLO_UDP), out;
	uint8_t data[HELLO_BYTES_MAX];
	int plain = hello_encode(&h, data, sizeof(data));

	(void)state;
	assert_int_equal(decode_exact(data, (size_t)plain, &out), 0);
	assert_false(out.attempt.captured);
	h.attempt.captured = true;
	h.attempt.left = UINT32_MAX;
	h.attempt.arrived = 7;
	assert_int_equal(hello_encode(&h, data, sizeof(data)), plain + 8);
	assert_int_equal(decode_exact(data, (size_t)plain + 8, &out), 0);
	assert_true(out.attempt.captured);
	assert_int_equal(out.attempt.left, UINT32_MAX);
	assert_int_equal(out.attempt.arrived, 7);
	assert_int_equal(out.attempt.resets, h.attempt.resets);
}

/* Counts beyond the arrays, as of a caller that has gone wrong, and a side that cannot be written. */
static void test_bounds(void **state)
{
	struct hello h = full(HELLO_UDP), out;
	uint8_t data[HELLO_BYTES_MAX];
	int n;

	(void)state;
	h.candidate_count = SIZE_MAX;
	h.port_count = UINT32_MAX;
	n = hello_encode(&h, data, sizeof(data));
	assert_true(n > 0);
	assert_int_equal(decode_exact(data, (size_t)n, &out), 0);
	assert_int_equal(out.candidate_count, HELLO_CANDIDATES);
	assert_int_equal(out.port_count, CHECKS_PORTS);
	h.side[0].depth = PAIR_DEPTH_MAX + 1;
	assert_true(hello_encode(&h, data, sizeof(data)) < 0);
}

/* Cut anywhere it is malformed, or another whole hello that is shorter by parts. */
static void test_cut(void **state)
{
	struct hello h = full(HELLO_UDP), out;
	uint8_t data[HELLO_BYTES_MAX];
	int n = hello_encode(&h, data, sizeof(data)), whole = 0;

	(void)state;
	assert_int_equal(decode_exact(data, 0, &out), -EBADMSG);
	for (int length = 1; length < n; length++) {
		int err = decode_exact(data, (size_t)length, &out);

		assert_true(!err || err == -EBADMSG);
		whole += !err;
	}
	/* behind the transport, and behind each part but the last */
	assert_int_equal(whole, 1 + HELLO_CANDIDATES + 2 + 1 + 1 + 1);
}

static void test_empty(void **state)
{
	struct hello h = {.transport = HELLO_UDP}, out;
	uint8_t data[HELLO_BYTES_MAX];
	int n = hello_encode(&h, data, sizeof(data));

	(void)state;
	assert_int_equal(n, 5);
	memset(&out, 0xff, sizeof(out));
	assert_int_equal(decode_exact(data, (size_t)n, &out), 0);
	assert_memory_equal(&out, &h, sizeof(h));
}

#define UDP "\1\1\0\1\1"

static void test_bytes(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		int result;
	} rows[] = {
#define ROW(text, result) {text, sizeof(text) - 1, result}
		ROW("", -EBADMSG),
		ROW("\0", -EPROTO),
		ROW("\2", -EPROTO),
		ROW("\377\1\0\1\1", -EPROTO),
		ROW("\1", -EBADMSG), /* no transport */
		ROW(UDP, 0),
		ROW("\1\1\0\1\2", 0),
		ROW("\1\1\0\1\0", -EBADMSG),
		ROW("\1\1\0\1\3", -EBADMSG),
		ROW("\1\1\0\0", -EBADMSG),
		ROW("\1\1\0\2\1", -EBADMSG), /* longer than what there is */
		ROW("\1\1\377\377\1", -EBADMSG),
		ROW(UDP "\143\0\3abc", 0), /* a part of a later version */
		ROW(UDP "\0\0\0", 0),
		ROW(UDP "\143\0", -EBADMSG),
		/* candidates: kind, family, port, address */
		ROW(UDP "\2\0\10\0\4\0\7\300\0\2\7", 0),
		ROW(UDP "\2\0\10\1\4\0\7\300\0\2\7", 0),
		ROW(UDP "\2\0\10\2\4\0\7\300\0\2\7", 0),
		ROW(UDP "\2\0\10\377\4\0\7\300\0\2\7", 0),
		ROW(UDP "\2\0\10\0\6\0\7\300\0\2\7", -EBADMSG),
		ROW(UDP "\2\0\10\0\5\0\7\300\0\2\7", -EBADMSG),
		ROW(UDP "\2\0\4\0\0\0\7", -EBADMSG),
		ROW(UDP "\2\0\11\0\4\0\7\300\0\2\7\0", -EBADMSG),
		ROW(UDP "\2\0\7\0\4\0\7\300\0\2", -EBADMSG),
		ROW(UDP "\2\0\0", -EBADMSG),
		/* sides, of which test_pair_wire knows more */
		ROW(UDP "\3\0\0", -EBADMSG),
		ROW(UDP "\4\0\1\0", -EBADMSG),
		/* the latest endpoint */
		ROW(UDP "\5\0\3\0\0\0", 0),
		ROW(UDP "\5\0\7\4\0\7\300\0\2\7", 0),
		ROW(UDP "\5\0\7\6\0\7\300\0\2\7", -EBADMSG),
		ROW(UDP "\5\0\0", -EBADMSG),
		/* ports */
		ROW(UDP "\10\0\0", 0),
		ROW(UDP "\10\0\4\0\1\0\2", 0),
		ROW(UDP "\10\0\3\0\1\0", -EBADMSG),
		/* an attempt that breaks off */
		ROW(UDP "\6\0\2\0\1", -EBADMSG),
#undef ROW
	};
	struct hello out;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_int_equal(decode_exact((const uint8_t *)rows[i].bytes, rows[i].length, &out),
			rows[i].result);
}

/* A kind that is not known, or is never said, costs a way and nothing else. */
static void test_kinds(void **state)
{
	uint8_t data[] = UDP "\2\0\10\0\4\0\7\300\0\2\7";
	struct hello out;

	(void)state;
	for (unsigned kind = 0; kind < 256; kind++) {
		data[8] = (uint8_t)kind;
		assert_int_equal(decode_exact(data, sizeof(data) - 1, &out), 0);
		assert_int_equal(
			out.candidate_count, kind == CHECK_HOST || kind == CHECK_SERVER_REFLEXIVE);
	}
}

/* Thousands of candidates and ports: what there is room for is kept, in order, and nothing else changes. */
static void test_flood(void **state)
{
	static uint8_t data[65536];
	struct writer w = writer_over(data, sizeof(data));
	struct hello out;

	(void)state;
	writer_bytes(&w, UDP, 5);
	for (unsigned i = 0; i < 3000; i++) {
		writer_bytes(&w, "\2\0\10\0\4", 5);
		writer_u16(&w, (uint16_t)(i + 1));
		writer_bytes(&w, "\300\0\2\7", 4);
	}
	writer_u8(&w, 8);
	writer_u16(&w, 2 * 5000 + 1);
	writer_fill(&w, 1, 2 * 5000 + 1);
	assert_false(w.failed);
	assert_int_equal(decode_exact(data, w.position, &out), 0);
	assert_int_equal(out.candidate_count, HELLO_CANDIDATES);
	assert_int_equal(out.candidates[HELLO_CANDIDATES - 1].endpoint.port, HELLO_CANDIDATES);
	assert_int_equal(out.port_count, CHECKS_PORTS);
	assert_int_equal(out.ports[CHECKS_PORTS - 1], 0x0101);
	assert_int_equal(out.attempt.number, 0);
}

/* Of parts that may stand only once, the last one counts. */
static void test_twice(void **state)
{
	static const uint8_t data[] = UDP "\10\0\4\0\1\0\2\10\0\2\0\3\1\0\1\2";
	struct hello out;

	(void)state;
	assert_int_equal(decode_exact(data, sizeof(data) - 1, &out), 0);
	assert_int_equal(out.port_count, 1);
	assert_int_equal(out.ports[0], 3);
	assert_int_equal(out.transport, HELLO_TCP);
}

/* Every value of every byte of a full hello: never a crash, and what is taken keeps its bounds. */
static void test_changed(void **state)
{
	struct hello h = full(HELLO_UDP), out;
	uint8_t data[HELLO_BYTES_MAX];
	int n;

	(void)state;
	h.candidates[0].endpoint = host4(1, 2);
	n = hello_encode(&h, data, sizeof(data));
	for (int i = 0; i < n; i++) {
		uint8_t was = data[i];

		for (unsigned value = 0; value < 256; value++) {
			data[i] = (uint8_t)value;
			if (decode_exact(data, (size_t)n, &out))
				continue;
			assert_true(out.candidate_count <= HELLO_CANDIDATES);
			assert_true(out.port_count <= CHECKS_PORTS);
			assert_true(out.transport == HELLO_UDP || out.transport == HELLO_TCP);
		}
		data[i] = was;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_other_transport),
		cmocka_unit_test(test_first_version),
		cmocka_unit_test(test_captured),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
