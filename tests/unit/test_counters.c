// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "net/counters.h"

#define COUNT(a)   (sizeof(a) / sizeof(*(a)))
#define TEXT_BYTES 4096

/* From a copy of the exact size, without a NUL, so that a sanitizer sees the first byte that is touched beyond it. */
static void parse(struct counters *c, const char *text, size_t length)
{
	char *copy = malloc(length ? length : 1);

	assert_non_null(copy);
	memcpy(copy, text, length);
	counters_parse(c, copy, length);
	free(copy);
}

/* "UdpNoPorts=3 IpInDiscards=0": all that is known, in the order of the table. */
static const char *describe(const struct counters *c, char *out)
{
	int n = 0;

	out[0] = '\0';
	for (int i = 0; i < COUNTERS; i++)
		if (c->known[i])
			n += snprintf(out + n, TEXT_BYTES - (size_t)n, "%s%s=%" PRIu64,
				n ? " " : "", counter_name((enum counter)i), c->values[i]);
	return out;
}

static void test_texts(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{"", ""},
		{"\n\n\n", ""},
		{"Udp: InDatagrams NoPorts InErrors\nUdp: 9 3 0\n", "UdpNoPorts=3 UdpInErrors=0"},
		{"Udp: InDatagrams NoPorts\nUdp: 9 3", "UdpNoPorts=3"},
		/* with other lines around; UdpLite is not Udp, nor a value of another group Udp's */
		{"IcmpMsg: InType3\nIcmpMsg: 4\nUdp: NoPorts\nUdp: 5\nUdpLite: NoPorts\nUdpLite: "
		 "6\n",
			"UdpNoPorts=5"},
		{"Tcp: NoPorts InErrs\nTcp: 7 8\n", "TcpInErrs=8"},
		{"TcpExt: TW IPReversePathFilter\nTcpExt: 1 2\nIpExt: InCsumErrors\nIpExt: 3\n",
			"IpExtInCsumErrors=3 TcpExtIPReversePathFilter=2"},
		{"Ip6InDiscards                   \t12\nUdp6NoPorts\t1\nIp6InDiscardsX 9\n",
			"Ip6InDiscards=12 Udp6NoPorts=1"},
		/* less or more numbers than words */
		{"Udp: InDatagrams NoPorts InErrors\nUdp: 9 3\n", "UdpNoPorts=3"},
		{"Udp: InDatagrams NoPorts\nUdp: 9 3 4 5\n", "UdpNoPorts=3"},
		{"Udp: InDatagrams NoPorts\nUdp:\n", ""},
		{"Udp: InDatagrams NoPorts", ""},
		{"Udp:\nUdp: 1\n", ""},
		/* lines that do not belong together, and then some that do */
		{"Udp: NoPorts\nIp: 3\nIp: InDiscards\nIp: 4\n", ""},
		{"Udp: NoPorts\nIp: InDiscards\nIp: 4\n", "IpInDiscards=4"},
		/* what is no number, negative, the largest, and larger */
		{"Udp: NoPorts InErrors RcvbufErrors\nUdp: -1 x2 3y\n", ""},
		{"Udp: NoPorts InErrors\nUdp: 18446744073709551615 18446744073709551616\n",
			"UdpNoPorts=18446744073709551615"},
		{"Udp: NoPorts InErrors\nUdp: 99999999999999999999999999 2\n", "UdpInErrors=2"},
		{":\n:\n", ""},
		{": NoPorts\n: 3\n", ""},
		{" Udp: NoPorts\n Udp: 3\n", ""},
		/* the last one counts */
		{"Udp6NoPorts 1\nUdp6NoPorts 2\n", "Udp6NoPorts=2"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct counters c = {0};
		char text[TEXT_BYTES];

		parse(&c, rows[i].text, strlen(rows[i].text));
		if (strcmp(describe(&c, text), rows[i].wanted) != 0)
			fail_msg("row %zu: \"%s\" and not \"%s\"", i, text, rows[i].wanted);
	}
}

/* Every name is found in a text that has all of them. */
static void test_names(void **state)
{
	static const char *const groups[] = {"IpExt", "TcpExt", "Ip", "Icmp", "Tcp", "Udp"};

	(void)state;
	for (int i = 0; i < COUNTERS; i++) {
		const char *name = counter_name((enum counter)i);
		struct counters c = {0};
		char text[TEXT_BYTES], wanted[TEXT_BYTES];
		const char *group = NULL;

		assert_non_null(name);
		for (size_t n = 0; n < COUNT(groups) && !group; n++)
			if (strncmp(name, groups[n], strlen(groups[n])) == 0 &&
				name[strlen(groups[n])] != '6')
				group = groups[n];
		if (group)
			snprintf(text, sizeof(text), "%s: %s\n%s: %d\n", group,
				name + strlen(group), group, i);
		else
			snprintf(text, sizeof(text), "%s %d\n", name, i);
		snprintf(wanted, sizeof(wanted), "%s=%d", name, i);
		parse(&c, text, strlen(text));
		assert_string_equal(describe(&c, text), wanted);
	}
}

static void test_difference(void **state)
{
	struct counters before = {0}, after = {0}, difference;
	char text[TEXT_BYTES];

	(void)state;
	parse(&before, "Udp: NoPorts InErrors RcvbufErrors SndbufErrors\nUdp: 1 7 5 9\n", 61);
	parse(&after, "Udp: NoPorts InErrors RcvbufErrors InCsumErrors\nUdp: 4 7 4 9\n", 61);
	difference = counters_difference(&before, &after);
	assert_string_equal(describe(&difference, text), "UdpNoPorts=3 UdpInErrors=0");
}

/* Any text, and no end is taken for more than it is. */
static void test_any(void **state)
{
	static const char alphabet[] = "Udp:NoPts \t\n0123456789\0-";
	struct random random;

	(void)state;
	random_init_number(&random, 0x636f756e74);
	for (unsigned round = 0; round < 20000; round++) {
		char text[64];
		size_t length = random_below(&random, sizeof(text));
		struct counters c = {0};

		for (size_t i = 0; i < length; i++)
			text[i] = alphabet[random_below(&random, sizeof(alphabet) - 1)];
		parse(&c, text, length);
	}
}

/* This machine's own. */
static void test_read(void **state)
{
	struct counters c;

	(void)state;
	assert_int_equal(counters_read(&c), 0);
	assert_true(c.known[COUNTER_UDP_NO_PORTS]);
	assert_true(c.known[COUNTER_IP_IN_DISCARDS]);
	assert_true(c.known[COUNTER_IP_REVERSE_PATH]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_difference),
		cmocka_unit_test(test_any),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
