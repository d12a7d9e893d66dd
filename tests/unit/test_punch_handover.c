// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/sockaddr.h"
#include "net/udp.h"
#include "tools/punch/handover.h"

static const char *self;

/* What the command finds: 0, or which of its expectations is not met. */
static int look_around(void)
{
	const char *fd = getenv("NATUTILS_FD"), *peer = getenv("NATUTILS_PEER"),
		   *local = getenv("NATUTILS_LOCAL");
	struct pollfd ready = {.fd = HANDOVER_FD, .events = POLLIN};
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	struct endpoint e;
	char text[ENDPOINT_TEXT];

	if (!fd || strcmp(fd, "3") != 0 || !peer || !local || getenv("NATUTILS_CODE"))
		return 10;
	if (getpeername(HANDOVER_FD, (struct sockaddr *)&address, &length))
		return 11;
	e = sockaddr_to_endpoint(&address);
	if (strcmp(endpoint_format(&e, text), peer) != 0)
		return 11;
	if (udp_local(HANDOVER_FD, &e) || strcmp(endpoint_format(&e, text), local) != 0)
		return 12;
	if (fcntl(HANDOVER_FD, F_GETFL) & O_NONBLOCK)
		return 13;
	return poll(&ready, 1, 0) ? 14 : 0; /* nothing is there to be read */
}

/* An error waits in the queue of a socket towards a port that is closed. */
static int make_socket(const char *loopback, struct endpoint *local, struct endpoint *peer)
{
	struct endpoint any;
	struct pollfd error;
	int fd, closed;

	assert_int_equal(endpoint_parse(loopback, 0, &any), 0);
	if (udp_open(&any, NULL, UDP_META, &fd))
		return -1;
	assert_int_equal(udp_open(&any, NULL, UDP_META, &closed), 0);
	assert_int_equal(udp_local(fd, local), 0);
	assert_int_equal(udp_local(closed, peer), 0);
	close(closed);
	assert_int_equal(udp_send(fd, peer, "x", 1), 0);
	error = (struct pollfd){.fd = fd};
	assert_int_equal(poll(&error, 1, 5000), 1);
	assert_true(error.revents & POLLERR);
	return fd;
}

static void hand_over(const char *loopback)
{
	struct endpoint local, peer;
	int fd = make_socket(loopback, &local, &peer), status;
	char command[512];
	pid_t child;

	if (fd < 0)
		skip();
	snprintf(command, sizeof(command), "exec '%s' look-around", self);
	assert_int_equal(setenv("NATUTILS_CODE", "7-acorn-albatross", 1), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		_exit(handover_exec("udppunch", command, fd, &local, &peer));
	close(fd);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_ipv4(void **state)
{
	(void)state;
	hand_over("127.0.0.1");
}

static void test_ipv6(void **state)
{
	(void)state;
	hand_over("::1");
}

static void test_no_socket(void **state)
{
	const struct endpoint e = {.family = FAMILY_IPV4, .port = 9, .address = {127, 0, 0, 1}};

	(void)state;
	assert_int_equal(handover_exec("udppunch", "exit 0", -1, &e, &e), 3);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_no_socket),
	};

	if (argc > 1)
		return look_around();
	self = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
