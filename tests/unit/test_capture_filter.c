// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * The program runs where it will run: in the kernel. A socket of the UNIX domain has the same kind of filter as one of
 * packets, needs no privileges, and shows it what is sent from the first byte on.
 */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"
#include "net/capture_filter.h"
#include "wire/packet.h"

#define COUNT(a)  (sizeof(a) / sizeof(*(a)))
#define BYTES_MAX 4096
#define OURS	  40000
#define OTHER	  50000
#define SERVER	  3478

/* --- the gate: what the program lets in --- */

struct gate {
	int in, out;
};

static void gate_set(const struct gate *g, const struct capture_filter *f)
{
	struct sock_filter program[CAPTURE_PROGRAM_MAX];
	struct sock_fprog filter = {.filter = program};

	filter.len = (unsigned short)capture_filter_program(f, program);
	assert_in_range(filter.len, 1, CAPTURE_PROGRAM_MAX);
	if (setsockopt(g->out, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)))
		fail_msg("the kernel refuses %u instructions: %s", filter.len, strerror(errno));
}

static struct gate gate_open(const struct capture_filter *f)
{
	int pair[2];
	struct gate g;

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	g = (struct gate){pair[0], pair[1]};
	gate_set(&g, f);
	return g;
}

static void gate_close(struct gate *g)
{
	close(g->in);
	close(g->out);
}

static bool passes(const struct gate *g, const void *bytes, size_t length)
{
	uint8_t buffer[BYTES_MAX];
	ssize_t n;

	assert_int_equal(send(g->in, bytes, length, 0), (ssize_t)length);
	n = recv(g->out, buffer, sizeof(buffer), 0);
	if (n < 0) {
		assert_int_equal(errno, EAGAIN);
		return false;
	}
	assert_int_equal(n, (ssize_t)length); /* never cut off */
	return true;
}

/* --- packets --- */

struct bytes {
	uint8_t data[BYTES_MAX];
	size_t length;
};

static struct endpoint endpoint(enum family family, uint8_t host, uint16_t port)
{
	struct endpoint e = {.family = family, .port = port};

	if (family == FAMILY_IPV4)
		memcpy(e.address, (uint8_t[]){192, 0, 2, host}, 4);
	else
		memcpy(e.address,
			(uint8_t[]){0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host}, 16);
	return e;
}

static struct packet decoded(struct bytes *b)
{
	struct packet p;

	assert_int_equal(packet_decode(b->data, b->length, &p), 0);
	return p;
}

static void built(struct bytes *b, int length)
{
	assert_true(length > 0);
	b->length = (size_t)length;
}

/* From host 1 to host 2; of an echo both ports are the identifier, and this one is `from`. */
static void build(struct bytes *b, enum capture_kind kind, enum family family, uint16_t from,
	uint16_t to, size_t payload)
{
	static const uint8_t zeros[BYTES_MAX];
	static const struct packet_tcp tcp = {.flags = PACKET_SYN};
	struct endpoint source = endpoint(family, 1, from), target = endpoint(family, 2, to);

	switch (kind) {
	case CAPTURE_UDP:
		built(b,
			packet_build_udp(
				b->data, sizeof(b->data), &source, &target, 64, zeros, payload));
		break;
	case CAPTURE_TCP:
		built(b,
			packet_build_tcp(b->data, sizeof(b->data), &source, &target, 64, &tcp,
				zeros, payload));
		break;
	case CAPTURE_ECHO:
		built(b,
			packet_build_echo(b->data, sizeof(b->data), &source, &target, 64, to & 1,
				to, zeros, payload));
		break;
	}
}

/* From router 9, about b; other types than packet_build_error knows are written over its. */
static void build_error(struct bytes *b, struct bytes *cause, uint8_t type)
{
	struct packet p = decoded(cause);
	struct endpoint router = endpoint(p.family, 9, 0);
	uint8_t known = p.family == FAMILY_IPV4 ? 3 : 1;

	built(b, packet_build_error(b->data, sizeof(b->data), &router, &p, known, 0, 0));
	p = decoded(b);
	b->data[p.transport] = type;
}

/* Moves what is behind the first `at` bytes, and puts zeros between. */
static void insert(struct bytes *b, size_t at, size_t count)
{
	memmove(b->data + at + count, b->data + at, b->length - at);
	memset(b->data + at, 0, count);
	b->length += count;
}

/* An IPv4 header of all its 60 bytes, at this offset. */
static void add_options(struct bytes *b, size_t at)
{
	insert(b, at + 20, 40);
	b->data[at] = 0x4f;
}

/* An extension header of 8 bytes in an IPv6 packet at this offset. */
static void add_extension(struct bytes *b, size_t at, uint8_t header)
{
	uint8_t next = b->data[at + 6];

	insert(b, at + 40, 8);
	b->data[at + 6] = header;
	b->data[at + 40] = next;
}

static const enum family families[] = {FAMILY_IPV4, FAMILY_IPV6};

static const char *const kinds[] = {"UDP", "TCP", "echo"};

/* --- tests --- */

/* Sets that make programs of all sizes; in each only OURS of this kind is in question. */
static void watch_around(struct capture_filter *f, enum capture_kind kind, unsigned variant)
{
	if (variant > 0)
		for (uint16_t i = 0; i < CAPTURE_RANGES_MAX - 1; i++)
			assert_true(capture_filter_watch(
				f, variant == 1 ? kind : (kind + 1) % 3, 100u + 3u * i));
	for (uint8_t i = 0; variant > 0 && i < CAPTURE_HOSTS_MAX; i++) {
		struct endpoint host =
			endpoint(variant == 1 ? FAMILY_IPV6 : families[i & 1], 100 + i, 0);

		assert_int_equal(capture_filter_watch_host(f, &host), 1);
	}
	assert_true(capture_filter_watch(f, kind, OURS));
}

static void check_packet(const struct gate *g, struct bytes *b, bool wanted, const char *what,
	enum capture_kind kind, enum family family)
{
	struct bytes error;
	const uint8_t *types = family == FAMILY_IPV4 ? (uint8_t[]){3, 4, 5, 11, 12, 0}
						     : (uint8_t[]){1, 2, 3, 4, 0};

	if (passes(g, b->data, b->length) != wanted)
		fail_msg("%s, %s of IPv%d", what, kinds[kind], family);
	for (; *types; types++) {
		build_error(&error, b, *types);
		if (passes(g, error.data, error.length) != wanted)
			fail_msg("error %u about %s, %s of IPv%d", *types, what, kinds[kind],
				family);
		if (family != FAMILY_IPV4)
			continue;
		add_options(&error, decoded(&error).quoted);
		if (passes(g, error.data, error.length) != wanted)
			fail_msg("error %u about options, %s, %s", *types, what, kinds[kind]);
		add_options(&error, 0);
		if (passes(g, error.data, error.length) != wanted)
			fail_msg("options, error %u about %s, %s", *types, what, kinds[kind]);
	}
	if (family == FAMILY_IPV4) {
		add_options(b, 0);
		if (passes(g, b->data, b->length) != wanted)
			fail_msg("options, %s, %s", what, kinds[kind]);
	}
}

/* Every protocol, family and direction; alone and quoted; with the smallest program and the largest ones. */
static void test_ports(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3 * 3 * 3 * COUNT(families); n++) {
		enum capture_kind kind = n % 3, watched = n / 3 % 3;
		enum family family = families[n / 9 % 2];
		struct capture_filter f = {0};
		struct gate g;
		struct bytes b;

		watch_around(&f, watched, n / 18);
		g = gate_open(&f);
		build(&b, kind, family, OURS, SERVER, 40);
		check_packet(&g, &b, kind == watched, "ours", kind, family);
		build(&b, kind, family, SERVER, OURS, 40);
		check_packet(
			&g, &b, kind == watched && kind != CAPTURE_ECHO, "to ours", kind, family);
		build(&b, kind, family, OTHER, SERVER, 40);
		check_packet(&g, &b, false, "another", kind, family);
		build(&b, kind, family, OURS + 1, OURS - 1, 40);
		check_packet(&g, &b, false, "neighbours", kind, family);
		build(&b, kind, family, 0, 65535, 0);
		check_packet(&g, &b, false, "the ends", kind, family);
		gate_close(&g);
	}
}

/* ICMP that is neither echo nor error, other protocols, other things than IP, packets that are cut off. */
static void test_others(void **state)
{
	struct capture_filter f = {0};
	struct gate g;
	struct bytes b, error;

	(void)state;
	watch_around(&f, CAPTURE_UDP, 2);
	g = gate_open(&f);
	for (unsigned type = 0; type < 256; type++) {
		bool error4 = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;

		for (size_t i = 0; i < COUNT(families); i++) {
			build(&b, CAPTURE_UDP, families[i], OURS, SERVER, 40);
			build_error(&error, &b, (uint8_t)type);
			if (passes(&g, error.data, error.length) !=
				(families[i] == FAMILY_IPV4 ? error4 : type >= 1 && type <= 4))
				fail_msg("type %u of IPv%d", type, families[i]);
		}
	}
	for (unsigned protocol = 0; protocol < 256; protocol++) {
		build(&b, CAPTURE_UDP, FAMILY_IPV4, OURS, SERVER, 40);
		b.data[9] = (uint8_t)protocol;
		if (passes(&g, b.data, b.length) != (protocol == 17))
			fail_msg("protocol %u", protocol);
		build(&b, CAPTURE_UDP, FAMILY_IPV4, OURS, SERVER, 40);
		b.data[0] = (uint8_t)protocol;
		if (passes(&g, b.data, b.length) != (protocol == 0x45))
			fail_msg("first byte %u", protocol);
	}
	for (size_t i = 0; i < COUNT(families); i++) {
		size_t header = families[i] == FAMILY_IPV4 ? 20 : 40;

		build(&b, CAPTURE_UDP, families[i], OURS, SERVER, 40);
		build_error(&error, &b, 3);
		for (size_t n = 1; n <= error.length; n++)
			if (passes(&g, error.data, n) != (n >= 2 * header + 8 + 2 + 2))
				fail_msg("an error of %zu bytes, IPv%d", n, families[i]);
		for (size_t n = 1; n <= b.length; n++)
			if (passes(&g, b.data, n) != (n >= header + 2 + 2))
				fail_msg("%zu bytes, IPv%d", n, families[i]);
	}
	gate_close(&g);
}

/* What has no ports, or has them where a program without loops does not find them. */
static void test_fragments(void **state)
{
	static const uint8_t extensions[] = {0, 43, 44, 60};
	struct capture_filter f = {0};
	struct gate g;
	struct bytes b, part;

	(void)state;
	watch_around(&f, CAPTURE_TCP, 0);
	g = gate_open(&f);
	for (unsigned kind = 0; kind < 3; kind++) {
		struct packet p;
		size_t cursor = 0;
		int length;

		build(&b, (enum capture_kind)kind, FAMILY_IPV4, OTHER, SERVER, 3000);
		b.data[6] = 0; /* may be fragmented */
		p = decoded(&b);
		for (unsigned n = 0; (length = packet_fragment(
					      &p, 1000, &cursor, part.data, sizeof(part.data))) > 0;
			n++)
			if (passes(&g, part.data, (size_t)length) != (n > 0 && kind != CAPTURE_TCP))
				fail_msg("fragment %u, %s", n, kinds[kind]);
		assert_int_equal(length, 0);
	}
	build(&b, CAPTURE_UDP, FAMILY_IPV4, OTHER, SERVER, 40);
	build_error(&part, &b, 3);
	assert_false(passes(&g, part.data, part.length));
	part.data[decoded(&part).quoted + 7] = 1; /* the offset of what is quoted */
	assert_true(passes(&g, part.data, part.length));
	for (size_t i = 0; i < COUNT(extensions); i++) {
		build(&b, CAPTURE_UDP, FAMILY_IPV6, OTHER, SERVER, 40);
		build_error(&part, &b, 1);
		assert_false(passes(&g, part.data, part.length));
		add_extension(&part, decoded(&part).quoted, extensions[i]);
		if (!passes(&g, part.data, part.length))
			fail_msg("a quoted header %u", extensions[i]);
		assert_false(passes(&g, b.data, b.length));
		add_extension(&b, 0, extensions[i]);
		if (!passes(&g, b.data, b.length))
			fail_msg("header %u", extensions[i]);
	}
	gate_close(&g);
}

static void test_hosts(void **state)
{
	struct capture_filter f = {0};
	struct endpoint none = {0}, host;
	struct gate g;
	struct bytes b, error;

	(void)state;
	assert_int_equal(capture_filter_watch_host(&f, &none), -EINVAL);
	for (uint8_t i = 0; i < CAPTURE_HOSTS_MAX; i++) {
		host = endpoint(families[i & 1], i < 2 ? 2 : 50 + i, 0);
		assert_int_equal(capture_filter_watch_host(&f, &host), 1);
		host.port = 7;
		assert_int_equal(capture_filter_watch_host(&f, &host), 0);
	}
	host = endpoint(FAMILY_IPV4, 77, 0);
	assert_int_equal(capture_filter_watch_host(&f, &host), -ENOSPC);

	g = gate_open(&f);
	for (size_t i = 0; i < COUNT(families); i++) {
		struct endpoint elsewhere = endpoint(families[i], 3, 0);
		struct packet p;

		build(&b, CAPTURE_UDP, families[i], OURS, SERVER, 40);
		assert_false(passes(&g, b.data, b.length));
		build_error(&error, &b, 3); /* to host 1, which is not watched */
		assert_false(passes(&g, error.data, error.length));
		build(&b, CAPTURE_UDP, families[i], SERVER, OURS, 40);
		p = decoded(&b);
		host = endpoint(families[i], 2, 0);
		packet_set_source(&p, &host);
		build_error(&error, &b, 3); /* to host 2 */
		assert_true(passes(&g, error.data, error.length));
		error.data[decoded(&error).transport] = 200; /* whatever it is */
		assert_true(passes(&g, error.data, error.length));

		build(&b, CAPTURE_ECHO, families[i], OURS, 0, 40); /* to host 2 */
		assert_true(passes(&g, b.data, b.length));
		p = decoded(&b);
		packet_set_destination(&p, &elsewhere);
		assert_false(passes(&g, b.data, b.length));
		packet_set_source(&p, &host); /* from host 2 */
		assert_true(passes(&g, b.data, b.length));
	}
	gate_close(&g);
}

/* Nothing is watched. */
static void test_empty(void **state)
{
	struct capture_filter f = {0};
	struct gate g = gate_open(&f);
	struct bytes b;

	(void)state;
	for (unsigned n = 0; n < 3 * COUNT(families); n++) {
		build(&b, n % 3, families[n / 3], OURS, OURS, 40);
		assert_false(passes(&g, b.data, b.length));
	}
	gate_close(&g);
}

static bool in_ranges(const struct capture_filter *f, uint32_t key)
{
	for (size_t i = 0; i < f->range_count; i++)
		if (f->ranges[i].first <= key && key <= f->ranges[i].last)
			return true;
	return false;
}

static void check_ranges(const struct capture_filter *f)
{
	assert_in_range(f->range_count, 1, CAPTURE_RANGES_MAX);
	for (size_t i = 0; i < f->range_count; i++) {
		const struct capture_range *r = &f->ranges[i];

		assert_true(r->first <= r->last);
		assert_int_equal(r->first >> 16, r->last >> 16);
		if (i > 0 && r[-1].last >> 16 == r->first >> 16)
			assert_true(r[-1].last + 1 < r->first);
		else if (i > 0)
			assert_true(r[-1].last < r->first);
	}
}

/* 2,000 ports of each kind, one after another: each passes from then on, and the program does what the ranges say. */
static void test_many(void **state)
{
	static const unsigned steps[] = {1, 7, 33}; /* side by side, near, and spread */
	struct random random;

	(void)state;
	random_init_number(&random, 0x66696c74);
	for (unsigned round = 0; round < 2 * COUNT(steps); round++) {
		static uint32_t keys[3 * 2000];
		struct capture_filter f = {0};
		struct gate g = gate_open(&f);
		struct bytes b;
		unsigned joined = 0;

		for (unsigned i = 0; i < COUNT(keys); i++)
			keys[i] = i / 2000 << 16 | ((i % 2000) * steps[round / 2] & 0xffff);
		for (unsigned i = 0; round % 2 && i < COUNT(keys); i++) {
			unsigned other = random_below(&random, COUNT(keys));
			uint32_t key = keys[i];

			keys[i] = keys[other];
			keys[other] = key;
		}
		for (unsigned i = 0; i < COUNT(keys); i++) {
			bool known = in_ranges(&f, keys[i]);

			assert_int_equal(
				capture_filter_watch(&f, keys[i] >> 16, (uint16_t)keys[i]), !known);
			assert_true(in_ranges(&f, keys[i]));
			assert_false(capture_filter_watch(&f, keys[i] >> 16, (uint16_t)keys[i]));
			if (i % 100 && i + 1 < COUNT(keys))
				continue;
			check_ranges(&f);
			for (unsigned n = 0; n <= i; n++)
				assert_true(in_ranges(&f, keys[n]));
			gate_set(&g, &f);
			for (unsigned n = 0; n < 40; n++) {
				uint32_t key = n & 1 ? keys[random_below(&random, i + 1)]
						     : random_below(&random, 3 << 16);
				uint16_t other = 65535; /* of no set */

				build(&b, key >> 16, families[n / 2 & 1], (uint16_t)key, other, 8);
				if (passes(&g, b.data, b.length) != in_ranges(&f, key))
					fail_msg("round %u, %u ports: port %x", round, i + 1, key);
			}
		}
		for (size_t i = 0; i < f.range_count; i++)
			joined += f.ranges[i].last - f.ranges[i].first + 1;
		if (steps[round / 2] == 1)
			assert_int_equal(joined, COUNT(keys)); /* nothing too much */
		gate_close(&g);
	}
}

/* Which ranges become one: the nearest ones, and never of two kinds. */
static void test_nearest(void **state)
{
	struct capture_filter f = {0};

	(void)state;
	for (uint16_t i = 0; i < CAPTURE_RANGES_MAX - 3; i++)
		assert_true(capture_filter_watch(&f, CAPTURE_UDP, 1000u + 100u * i));
	assert_true(capture_filter_watch(&f, CAPTURE_UDP, 65535));
	assert_true(capture_filter_watch(&f, CAPTURE_TCP, 0)); /* by number behind the former */
	assert_true(capture_filter_watch(&f, CAPTURE_ECHO, 7));
	assert_int_equal(f.range_count, CAPTURE_RANGES_MAX);
	assert_false(in_ranges(&f, 1050));

	assert_true(capture_filter_watch(&f, CAPTURE_UDP, 2090));
	assert_int_equal(f.range_count, CAPTURE_RANGES_MAX);
	check_ranges(&f);
	assert_true(in_ranges(&f, 2095));
	assert_false(in_ranges(&f, 2089));
	assert_false(in_ranges(&f, 2101));
	assert_false(capture_filter_watch(&f, CAPTURE_UDP, 2095));
	assert_true(capture_filter_watch(&f, CAPTURE_UDP, 1001)); /* makes one of 1000 and itself */
	assert_int_equal(f.range_count, CAPTURE_RANGES_MAX);
	assert_false(in_ranges(&f, 1002));
	assert_false(in_ranges(&f, 999));
	/* between two that it touches */
	assert_true(capture_filter_watch(&f, CAPTURE_UDP, 1003));
	assert_true(in_ranges(&f, 1002));
	check_ranges(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
