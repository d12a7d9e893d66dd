// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Real sockets over loopback; CAP_NET_RAW is needed. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/segment.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "server/raw.h"

#define WAIT_MS 2000

struct fixture {
	struct raws *raws;
	struct endpoint local[RESPONDER_ENDPOINTS];
	unsigned messages, segments, local_of_last;
	struct icmp_meta meta;
	uint8_t type;
	struct packet segment;
};

static void on_icmp(void *context, unsigned local, const struct icmp_message *message,
	const struct icmp_meta *meta)
{
	struct fixture *f = context;

	f->messages++;
	f->local_of_last = local;
	f->type = message->type;
	f->meta = *meta;
}

static void on_segment(void *context, unsigned local, const struct packet *segment)
{
	struct fixture *f = context;

	f->segments++;
	f->local_of_last = local;
	f->segment = *segment;
}

/* Addresses of this process's own in 127/8, so that no other test is in the way. */
static struct endpoint own_address(uint8_t which)
{
	uint32_t number = (uint32_t)getpid();

	return (struct endpoint){.family = FAMILY_IPV4,
		.address = {127, (uint8_t)(which + (number >> 16) % 100), (uint8_t)(number >> 8),
			(uint8_t)number}};
}

static int setup(void **state)
{
	static struct fixture f;
	struct raws_handler handler = {on_icmp, on_segment, &f};
	int err;

	memset(&f, 0, sizeof(f));
	f.local[0] = f.local[1] = own_address(1);
	f.local[4] = f.local[5] = (struct endpoint){.family = FAMILY_IPV6, .address = {[15] = 1}};
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		f.local[i].port = (uint16_t)(33470 + i);
	err = raws_open(&f.raws, f.local, true, &handler);
	if (err == -EPERM || err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL)
		f.raws = NULL;
	else
		assert_int_equal(err, 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	raws_close(f->raws);
	return 0;
}

static bool is_ready(int fd, short what, int ms)
{
	struct pollfd p = {.fd = fd, .events = what};

	return poll(&p, 1, ms) == 1;
}

/* Until something has come of what is wanted; false: nothing has. */
static bool run_until(struct fixture *f, const unsigned *count)
{
	for (unsigned before = *count; *count == before;) {
		if (!is_ready(raws_fd(f->raws), POLLIN, WAIT_MS))
			return false;
		raws_run(f->raws);
	}
	return true;
}

static void need(struct fixture *f)
{
	if (!f->raws)
		skip();
}

/* Nothing answers a SYN to the silent port, which is seen; a SYN to where nobody listens is refused, and not seen. */
static void test_silent(void **state)
{
	struct fixture *f = *state;

	need(f);
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i += 4) {
		struct endpoint to = f->local[i], from;
		int fd;

		to.port = raws_silent_port(f->raws, i);
		assert_int_not_equal(to.port, 0);
		assert_int_equal(to.port, raws_silent_port(f->raws, i + 1));
		assert_int_equal(tcp_connect_start(&to, NULL, NULL, &fd), 0);
		assert_int_equal(udp_local(fd, &from), 0);
		assert_true(run_until(f, &f->segments));
		assert_int_equal(f->local_of_last, i);
		assert_int_equal(
			f->segment.flags & (PACKET_SYN | PACKET_ACK | PACKET_RST), PACKET_SYN);
		assert_true(endpoint_equal(&f->segment.source, &from));
		assert_true(endpoint_equal(&f->segment.destination, &to));
		assert_int_equal(f->segment.ttl, 64);
		assert_int_equal(f->segment.payload_length, 0);
		assert_false(is_ready(fd, POLLOUT, 100));
		close(fd);
	}
	assert_int_equal(raws_silent_port(f->raws, 2), 0);
}

/* The RST and the SYN-ACK that a SYN from a server's address gets. */
static void test_answers(void **state)
{
	struct fixture *f = *state;

	need(f);
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i += 4) {
		struct endpoint from = f->local[i], to = from;
		int listener, fd, err;

		to.port = 0;
		assert_int_equal(tcp_listen(&to, &listener), 0);
		assert_int_equal(udp_local(listener, &to), 0);
		assert_int_equal(tcp_connect_start(&to, &from, NULL, &fd), 0);
		assert_true(run_until(f, &f->segments));
		assert_true(f->segment.flags & PACKET_SYN && f->segment.flags & PACKET_ACK);
		assert_true(endpoint_equal(&f->segment.source, &to));
		assert_int_equal(f->segment.ttl, 64);
		tcp_reset(fd);
		assert_true(run_until(f, &f->segments));
		close(listener);
		err = tcp_connect_start(&to, &from, NULL, &fd);
		assert_true(run_until(f, &f->segments));
		assert_true(f->segment.flags & PACKET_RST);
		assert_int_equal(f->segment.ttl, 64);
		if (!err)
			close(fd);
	}
}

/* Errors leave from the address that is named, and are seen like those of others. */
static void test_icmp(void **state)
{
	static const uint8_t types[2] = {3, 1}, redirects[2] = {5, 137};
	struct fixture *f = *state;
	uint8_t body[64] = {0x45};

	need(f);
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i += 4) {
		struct icmp_message m = {.type = redirects[i / 4], .body = {body, sizeof(body)}};

		assert_int_equal(raws_send(f->raws, i, &f->local[i], &m), 0);
		m.type = types[i / 4];
		assert_int_equal(raws_send(f->raws, i, &f->local[i], &m), 0);
		assert_true(run_until(f, &f->messages));
		assert_int_equal(f->type, m.type); /* and not the one before */
		assert_int_equal(f->local_of_last, i);
		assert_true(endpoint_same_address(&f->meta.from, &f->local[i]));
		assert_true(endpoint_same_address(&f->meta.to, &f->local[i]));
		assert_int_equal(f->meta.ttl, 64);
	}
}

/* Without TCP, and of one family only. */
static void test_less(void **state)
{
	struct fixture *f = *state;
	struct endpoint local[RESPONDER_ENDPOINTS] = {f->local[0], f->local[1]};
	struct raws_handler handler = {on_icmp, on_segment, f};
	struct icmp_message m = {.type = 1};
	struct raws *raws;

	need(f);
	assert_int_equal(raws_open(&raws, local, false, &handler), 0);
	assert_int_equal(raws_silent_port(raws, 0), 0);
	assert_int_equal(raws_send(raws, 4, &f->local[4], &m), -EAFNOSUPPORT);
	raws_close(raws);
	/* the port that is wanted has gone: any other one */
	assert_int_equal(raws_open(&raws, local, true, &handler), 0);
	assert_int_not_equal(raws_silent_port(raws, 0), 0);
	assert_int_not_equal(raws_silent_port(raws, 0), raws_silent_port(f->raws, 0));
	raws_close(raws);
	local[0].address[0] = 203; /* an address of somebody else */
	assert_true(raws_open(&raws, local, true, &handler) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_icmp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_less, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
