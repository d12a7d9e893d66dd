// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Real sockets over loopback; the raw ones need CAP_NET_RAW. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "net/icmp.h"
#include "net/udp.h"
#include "wire/packet.h"

#define WAIT_MS 2000

static const struct {
	enum family family;
	const char *address;
	uint8_t exceeded, unreachable, echo;
} families[] = {{FAMILY_IPV4, "127.0.0.1", 11, 3, 8}, {FAMILY_IPV6, "::1", 3, 1, 128}};
#define FAMILIES (sizeof(families) / sizeof(*families))

static int open_raw(size_t f)
{
	int fd, err = icmp_open(families[f].family, NULL, &fd);

	if (err == -EPERM || err == -EAFNOSUPPORT)
		skip();
	assert_int_equal(err, 0);
	return fd;
}

static struct endpoint own(size_t f, uint16_t port)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(families[f].address, port, &e), 0);
	e.port = port;
	return e;
}

static bool is_ready(int fd, short what)
{
	struct pollfd p = {.fd = fd, .events = what};

	return poll(&p, 1, WAIT_MS) == 1;
}

/*
 * On which icmppunch stands: an error that quotes a datagram of a socket reaches its error queue with the bytes behind the
 * quoted header, whatever was in the datagram itself.
 */
static void test_error_queue(void **state)
{
	(void)state;
	for (size_t f = 0; f < FAMILIES; f++) {
		int raw = open_raw(f), udp;
		struct endpoint local = own(f, 0), from, to = own(f, 9);
		uint8_t quoted[256], buffer[256];
		struct icmp_message m = {.type = families[f].exceeded};
		struct udp_error error;
		int n;

		assert_int_equal(udp_open(&local, NULL, 0, &udp), 0);
		assert_int_equal(udp_local(udp, &from), 0);
		to.address[endpoint_address_length(to.family) - 1] = 7; /* nobody has to be there */
		n = packet_build_udp(quoted, sizeof(quoted), &from, &to, 1, "what I say", 10);
		assert_true(n > 0);
		m.body = (struct span){quoted, (size_t)n};
		assert_int_equal(icmp_send(raw, NULL, &from, 0, &m), 0);
		assert_true(is_ready(udp, 0)); /* POLLERR */
		assert_int_equal(udp_receive_error(udp, buffer, sizeof(buffer), &error), 0);
		assert_int_equal(error.type, families[f].exceeded);
		assert_false(error.local);
		assert_true(endpoint_equal(&error.to, &to));
		assert_int_equal(error.quoted, 10);
		assert_memory_equal(buffer, "what I say", 10);
		close(udp);
		close(raw);
	}
}

/* Both ends raw: all parts come as they were sent, of the types that are wanted. */
static void test_both_ways(void **state)
{
	(void)state;
	for (size_t f = 0; f < FAMILIES; f++) {
		int raw = open_raw(f), want = open_raw(f);
		struct endpoint host = own(f, 0);
		uint8_t quoted[64], buffer[ICMP_BYTES_MAX];
		struct icmp_message m = {.type = families[f].unreachable,
					    .code = 1,
					    .rest = {1, 2, 3, 4}},
				    got;
		struct icmp_meta meta;
		int n;

		n = packet_build_udp(quoted, sizeof(quoted), &host, &host, 1, "abc", 3);
		m.body = (struct span){quoted, (size_t)n};
		assert_int_equal(
			icmp_receive(want, host.family, buffer, sizeof(buffer), &got, &meta),
			-EAGAIN);
		assert_int_equal(icmp_want(want, host.family, &families[f].unreachable, 1), 0);
		m.type = families[f].exceeded;
		assert_int_equal(icmp_send(raw, NULL, &host, 0, &m), 0);
		m.type = families[f].unreachable;
		assert_int_equal(icmp_send(raw, &host, &host, 33, &m), 0);
		assert_true(is_ready(want, POLLIN));
		assert_int_equal(
			icmp_receive(want, host.family, buffer, sizeof(buffer), &got, &meta), 0);
		assert_int_equal(got.type, m.type);
		assert_int_equal(got.code, 1);
		assert_memory_equal(got.rest, m.rest, sizeof(m.rest));
		assert_int_equal(got.body.length, n);
		assert_memory_equal(got.body.data, quoted, (size_t)n);
		assert_int_equal(meta.ttl, 33);
		assert_true(endpoint_same_address(&meta.from, &host));
		assert_true(endpoint_same_address(&meta.to, &host));
		assert_int_equal(
			icmp_receive(want, host.family, buffer, sizeof(buffer), &got, &meta),
			-EAGAIN);
		close(raw);
		close(want);
	}
}

/* A raw socket hears what is not its own. */
static void test_pinged(void **state)
{
	(void)state;
	for (size_t f = 0; f < FAMILIES; f++) {
		int raw = open_raw(f);
		struct endpoint host = own(f, 0);
		struct icmp_message m = {.type = families[f].echo, .rest = {0x12, 0x34, 0, 1}}, got;
		uint8_t buffer[ICMP_BYTES_MAX];
		struct icmp_meta meta;

		assert_int_equal(icmp_want(raw, host.family, &families[f].echo, 1), 0);
		m.body = (struct span){(const uint8_t *)"odd", 3};
		assert_int_equal(icmp_send(raw, NULL, &host, 0, &m), 0);
		assert_true(is_ready(raw, POLLIN));
		assert_int_equal(
			icmp_receive(raw, host.family, buffer, sizeof(buffer), &got, &meta), 0);
		assert_int_equal(got.type, families[f].echo);
		assert_memory_equal(got.rest, m.rest, sizeof(m.rest));
		assert_memory_equal(got.body.data, "odd", 3);
		close(raw);
	}
}

static void test_limits(void **state)
{
	static const uint8_t much[ICMP_BYTES_MAX];
	struct icmp_message m = {.type = 11, .body = {much, sizeof(much)}};
	struct endpoint host = own(0, 0);
	int fd = open_raw(0);

	(void)state;
	assert_int_equal(icmp_send(fd, NULL, &host, 0, &m), -EMSGSIZE);
	m.body.length = 0;
	assert_int_equal(icmp_send(fd, NULL, &host, 0, &m),
		0); /* no error for the kernel, which is not asked */
	close(fd);
	assert_int_equal(icmp_open(FAMILY_IPV4, "no-such-if", &fd), -ENODEV);
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_queue),
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_pinged),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
