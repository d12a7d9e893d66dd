// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/host_facts.h"
#include "net/proc.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static void test_kind(void **state)
{
	static const struct {
		unsigned flags, type;
		const char *kind;
		enum host_facts_kind wanted;
	} rows[] = {
		{IFF_UP | IFF_BROADCAST, ARPHRD_ETHER, "", HOST_FACTS_LINK},
		{IFF_BROADCAST, ARPHRD_ETHER, "veth", HOST_FACTS_LINK},
		{IFF_BROADCAST, ARPHRD_ETHER, "bridge", HOST_FACTS_LINK},
		{IFF_UP | IFF_LOOPBACK, ARPHRD_LOOPBACK, "", HOST_FACTS_LOOPBACK},
		{IFF_POINTOPOINT | IFF_NOARP, ARPHRD_NONE, "tun", HOST_FACTS_TUNNEL},
		{IFF_BROADCAST, ARPHRD_ETHER, "tun", HOST_FACTS_TUNNEL}, /* TAP */
		{IFF_POINTOPOINT | IFF_NOARP, ARPHRD_NONE, "wireguard", HOST_FACTS_TUNNEL},
		{IFF_BROADCAST, ARPHRD_ETHER, "vxlan", HOST_FACTS_TUNNEL},
		{IFF_POINTOPOINT | IFF_NOARP, ARPHRD_TUNNEL, "ipip", HOST_FACTS_TUNNEL},
		{IFF_NOARP, ARPHRD_SIT, "", HOST_FACTS_TUNNEL},
		{IFF_NOARP, ARPHRD_IPGRE, "", HOST_FACTS_TUNNEL},
		{IFF_POINTOPOINT, ARPHRD_PPP, "ppp", HOST_FACTS_POINT_TO_POINT},
		{IFF_POINTOPOINT, ARPHRD_NONE, "",
			HOST_FACTS_POINT_TO_POINT}, /* an older kernel's */
		{IFF_POINTOPOINT, ARPHRD_RAWIP, "", HOST_FACTS_POINT_TO_POINT},
		{IFF_POINTOPOINT, ARPHRD_ETHER, "", HOST_FACTS_POINT_TO_POINT},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (host_facts_kind(rows[i].flags, rows[i].type, rows[i].kind) != rows[i].wanted)
			fail_msg("row %zu", i);
}

/* Files as /proc has them, and worse. */
static void test_proc(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t value;
	} rows[] = {
		{"0\n", 0, 0},
		{"262144\n", 0, 262144},
		{"262144", 0, 262144},
		{"9223372036854775807\n", 0, INT64_MAX},
		{"\n", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"-1\n", -EINVAL, 0},
		{"1 2\n", -EINVAL, 0},
		{"12345678901234567890123456789012\n", -EFBIG, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char path[] = "/tmp/test_host_facts.XXXXXX";
		int fd = mkstemp(path), err;
		uint64_t value = 0;

		assert_true(fd >= 0);
		assert_int_equal(write(fd, rows[i].text, strlen(rows[i].text)),
			(ssize_t)strlen(rows[i].text));
		close(fd);
		err = proc_number(path, &value);
		unlink(path);
		if (err != rows[i].err || value != rows[i].value)
			fail_msg("row %zu: %d", i, err);
		assert_int_equal(proc_number(path, &value), -ENOENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kind),
		cmocka_unit_test(test_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
