// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "net/counters.h"
#include "net/proc.h"

#define FILE_BYTES 32768 /* of 4191 for the longest one that was seen */

static const char *const names[COUNTERS] = {
	[COUNTER_IP_IN_HEADER_ERRORS] = "IpInHdrErrors",
	[COUNTER_IP_IN_ADDRESS_ERRORS] = "IpInAddrErrors",
	[COUNTER_IP_IN_UNKNOWN_PROTOCOLS] = "IpInUnknownProtos",
	[COUNTER_IP_IN_DISCARDS] = "IpInDiscards",
	[COUNTER_IP_OUT_DISCARDS] = "IpOutDiscards",
	[COUNTER_IP_OUT_NO_ROUTES] = "IpOutNoRoutes",
	[COUNTER_IP_REASSEMBLY_FAILS] = "IpReasmFails",
	[COUNTER_IP_FRAGMENTATION_FAILS] = "IpFragFails",
	[COUNTER_IP_IN_CHECKSUM_ERRORS] = "IpExtInCsumErrors",
	[COUNTER_IP_IN_NO_ROUTES] = "IpExtInNoRoutes",
	[COUNTER_IP_IN_TRUNCATED] = "IpExtInTruncatedPkts",
	[COUNTER_IP_REVERSE_PATH] = "TcpExtIPReversePathFilter",
	[COUNTER_ICMP_IN_ERRORS] = "IcmpInErrors",
	[COUNTER_ICMP_IN_CHECKSUM_ERRORS] = "IcmpInCsumErrors",
	[COUNTER_ICMP_OUT_ERRORS] = "IcmpOutErrors",
	[COUNTER_ICMP_OUT_LIMIT_ALL] = "IcmpOutRateLimitGlobal",
	[COUNTER_ICMP_OUT_LIMIT_HOST] = "IcmpOutRateLimitHost",
	[COUNTER_TCP_IN_ERRORS] = "TcpInErrs",
	[COUNTER_TCP_IN_CHECKSUM_ERRORS] = "TcpInCsumErrors",
	[COUNTER_UDP_NO_PORTS] = "UdpNoPorts",
	[COUNTER_UDP_IN_ERRORS] = "UdpInErrors",
	[COUNTER_UDP_IN_BUFFER_ERRORS] = "UdpRcvbufErrors",
	[COUNTER_UDP_OUT_BUFFER_ERRORS] = "UdpSndbufErrors",
	[COUNTER_UDP_IN_CHECKSUM_ERRORS] = "UdpInCsumErrors",
	[COUNTER_UDP_MEMORY_ERRORS] = "UdpMemErrors",
	[COUNTER_IP6_IN_HEADER_ERRORS] = "Ip6InHdrErrors",
	[COUNTER_IP6_IN_TOO_BIG_ERRORS] = "Ip6InTooBigErrors",
	[COUNTER_IP6_IN_NO_ROUTES] = "Ip6InNoRoutes",
	[COUNTER_IP6_IN_ADDRESS_ERRORS] = "Ip6InAddrErrors",
	[COUNTER_IP6_IN_UNKNOWN_PROTOCOLS] = "Ip6InUnknownProtos",
	[COUNTER_IP6_IN_TRUNCATED] = "Ip6InTruncatedPkts",
	[COUNTER_IP6_IN_DISCARDS] = "Ip6InDiscards",
	[COUNTER_IP6_OUT_DISCARDS] = "Ip6OutDiscards",
	[COUNTER_IP6_OUT_NO_ROUTES] = "Ip6OutNoRoutes",
	[COUNTER_IP6_REASSEMBLY_FAILS] = "Ip6ReasmFails",
	[COUNTER_IP6_FRAGMENTATION_FAILS] = "Ip6FragFails",
	[COUNTER_ICMP6_IN_ERRORS] = "Icmp6InErrors",
	[COUNTER_ICMP6_IN_CHECKSUM_ERRORS] = "Icmp6InCsumErrors",
	[COUNTER_ICMP6_OUT_ERRORS] = "Icmp6OutErrors",
	[COUNTER_ICMP6_OUT_LIMIT_HOST] = "Icmp6OutRateLimitHost",
	[COUNTER_UDP6_NO_PORTS] = "Udp6NoPorts",
	[COUNTER_UDP6_IN_ERRORS] = "Udp6InErrors",
	[COUNTER_UDP6_IN_BUFFER_ERRORS] = "Udp6RcvbufErrors",
	[COUNTER_UDP6_OUT_BUFFER_ERRORS] = "Udp6SndbufErrors",
	[COUNTER_UDP6_IN_CHECKSUM_ERRORS] = "Udp6InCsumErrors",
	[COUNTER_UDP6_MEMORY_ERRORS] = "Udp6MemErrors",
};

const char *counter_name(enum counter counter)
{
	return names[counter];
}

/* --- text --- */

/* A part of a text that is not ours to change, and has no NUL at its end. */
struct text {
	const char *at;
	size_t left;
};

/* What stands before the next of these characters, or the end; it and they are taken off. */
static struct text take_until(struct text *t, const char *any)
{
	struct text part = {t->at, 0};

	while (part.left < t->left && !strchr(any, t->at[part.left]))
		part.left++;
	t->at += part.left;
	t->left -= part.left;
	while (t->left > 0 && strchr(any, *t->at)) {
		t->at++;
		t->left--;
	}
	return part;
}

static struct text take_word(struct text *line)
{
	return take_until(line, " \t");
}

static bool same(struct text a, struct text b)
{
	return a.left == b.left && memcmp(a.at, b.at, a.left) == 0;
}

static bool read_number(struct text word, uint64_t *out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < word.left; i++) {
		unsigned digit = (unsigned)(word.at[i] - '0');

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return word.left > 0;
}

/* --- counters --- */

static void set(struct counters *c, struct text group, struct text word, struct text number)
{
	uint64_t value;

	if (!read_number(number, &value))
		return;
	for (size_t i = 0; i < COUNTERS; i++) {
		if (strlen(names[i]) != group.left + word.left ||
			memcmp(names[i], group.at, group.left) != 0 ||
			memcmp(names[i] + group.left, word.at, word.left) != 0)
			continue;
		c->values[i] = value;
		c->known[i] = true;
	}
}

/* "Udp: InDatagrams NoPorts …" and under it "Udp: 1 2 …" */
static void parse_pair(
	struct counters *c, struct text group, struct text words, struct text numbers)
{
	group.left--; /* the colon */
	while (words.left > 0 && numbers.left > 0)
		set(c, group, take_word(&words), take_word(&numbers));
}

void counters_parse(struct counters *c, const char *text, size_t length)
{
	struct text rest = {text, length};

	while (rest.left > 0) {
		struct text line = take_until(&rest, "\n");
		struct text group = take_word(&line), after = rest, below;

		if (group.left == 0)
			continue;
		if (group.at[group.left - 1] != ':') {
			set(c, (struct text){group.at, 0}, group, take_word(&line));
			continue;
		}
		below = take_until(&after, "\n");
		if (!same(group, take_word(&below)))
			continue;
		parse_pair(c, group, line, below);
		rest = after;
	}
}

struct counters counters_difference(const struct counters *before, const struct counters *after)
{
	struct counters out = {0};

	for (size_t i = 0; i < COUNTERS; i++) {
		out.known[i] = before->known[i] && after->known[i] &&
			after->values[i] >= before->values[i];
		if (out.known[i])
			out.values[i] = after->values[i] - before->values[i];
	}
	return out;
}

int counters_read(struct counters *out)
{
	static const char *const paths[] = {
		"/proc/net/snmp", "/proc/net/netstat", "/proc/net/snmp6"};
	char text[FILE_BYTES];
	int err = 0;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int length = proc_read(paths[i], text, sizeof(text));

		if (length >= 0)
			counters_parse(out, text, (size_t)length);
		else if (i == 0)
			err = length;
	}
	return err;
}
