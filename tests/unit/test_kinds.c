// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Each kind of NAT against what its name promises, seen from outside; and the properties by name. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lab/kinds.h"
#include "wire/syn.h"
#include "tests/unit/test_nat_kit.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define REMOTES	  4

static struct kit kit;
static struct endpoint a, b, server;

static int setup(void **state)
{
	(void)state;
	a = at("10.0.0.2:5000");
	b = at("10.0.0.3:5000");
	server = at("198.51.100.10:3478");
	return 0;
}

static struct nat_config config_of(const char *kind)
{
	struct nat_config c, addresses = kit_config();

	assert_int_equal(nat_kind_config(kind, &c), 0);
	c.external_count = 2;
	c.external[0] = addresses.external[0];
	c.external[1] = at("192.0.2.2");
	c.inside = addresses.inside;
	c.inside6 = addresses.inside6;
	c.prefix_inside = at("fd00:1::");
	c.prefix_outside = at("2001:db8:1::");
	c.prefix_bits = 48;
	return c;
}

static struct endpoint remote(int i)
{
	static const char *const all[REMOTES] = {"198.51.100.10:3478", "198.51.100.10:3479",
		"203.0.113.10:3478", "203.0.113.10:3479"};

	return at(all[i]);
}

/* What a measurement from outside would say. */
struct seen {
	bool translated;
	enum nat_dependence mapping, filtering;
	bool preserved, hairpin, remapped;
	enum nat_reason stranger;
	bool told;
};

static enum nat_dependence dependence_of(bool port_matters, bool address_matters)
{
	if (port_matters && address_matters)
		return NAT_ADDRESS_AND_PORT_DEPENDENT;
	if (port_matters)
		return NAT_PORT_DEPENDENT;
	return address_matters ? NAT_ADDRESS_DEPENDENT : NAT_ENDPOINT_INDEPENDENT;
}

static struct seen measure(const char *kind)
{
	struct nat_config c = config_of(kind);
	struct endpoint external[REMOTES], external_b;
	struct seen s = {.translated = false};
	bool in[REMOTES];

	kit_begin(&kit, &c, 1);
	for (int i = 0; i < REMOTES; i++) {
		assert_reason(udp_out(&kit, a, remote(i)), NAT_FORWARDED);
		external[i] = kit.seen.source;
	}
	s.translated = !endpoint_equal(&external[0], &a);
	s.preserved = external[0].port == a.port;
	s.mapping = dependence_of(!endpoint_equal(&external[0], &external[1]),
		!endpoint_equal(&external[0], &external[2]));
	kit_end(&kit);
	for (int i = 1; i < REMOTES; i++) {
		kit_begin(&kit, &c, 1);
		assert_reason(udp_out(&kit, a, remote(0)), NAT_FORWARDED);
		in[i] = udp_in(&kit, remote(i), kit.seen.source) == NAT_FORWARDED;
		if (i == 3 && !in[i]) {
			s.stranger = kit.result.reason;
			s.told = kit.result.answer.length;
			assert_reason(udp_out(&kit, a, remote(i)), NAT_FORWARDED);
			s.remapped = kit.seen.source.port != external[0].port;
		}
		kit_end(&kit);
	}
	s.filtering = dependence_of(!in[1], !in[2]);
	kit_begin(&kit, &c, 1);
	assert_reason(udp_out(&kit, b, server), NAT_FORWARDED);
	external_b = kit.seen.source;
	assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
	if (s.translated) {
		udp_out(&kit, b, kit.seen.source);
		s.hairpin = udp_out(&kit, a, external_b) == NAT_HAIRPINNED;
	}
	kit_end(&kit);
	return s;
}

static void test_udp(void **state)
{
	enum { EI, AD, PD, APD };
	static const struct {
		const char *kind;
		bool translated;
		int mapping, filtering;
		bool preserved, hairpin, remapped, told;
	} rows[] = {
		{"none", false, EI, EI, true, false, false, false},
		{"firewall", false, EI, APD, true, false, false, false},
		{"one-to-one", true, EI, EI, true, false, false, false},
		{"full-cone", true, EI, EI, true, false, false, false},
		{"restricted", true, EI, AD, true, false, false, false},
		{"port-restricted", true, EI, APD, true, false, false, false},
		{"symmetric", true, APD, APD, false, false, true, false},
		{"symmetric-sequential", true, APD, APD, false, false, true, false},
		{"symmetric-block", true, APD, APD, false, false, true, false},
		{"linux", true, EI, APD, true, false, false, false},
		{"linux-accept", true, EI, APD, true, false, true, true},
		{"linux-reject", true, EI, APD, true, false, false, true},
		{"linux-random", true, APD, APD, false, false, true, false},
		{"openwrt", true, EI, APD, true, false, false, true},
		{"cgnat", true, EI, AD, false, true, false, false},
		{"carrier-block", true, APD, APD, false, false, true, false},
		{"rfc4787", true, EI, EI, true, true, false, false},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct seen s = measure(rows[i].kind);

		if (s.translated != rows[i].translated || (int)s.mapping != rows[i].mapping ||
			(int)s.filtering != rows[i].filtering || s.preserved != rows[i].preserved ||
			s.hairpin != rows[i].hairpin || s.remapped != rows[i].remapped ||
			s.told != rows[i].told)
			fail_msg(
				"%s: translated %d mapping %d filtering %d preserved %d hairpin %d "
				"remapped %d told %d",
				rows[i].kind, s.translated, s.mapping, s.filtering, s.preserved,
				s.hairpin, s.remapped, s.told);
	}
}

/* Every kind can be made, and has a sentence. */
static void test_list(void **state)
{
	const struct nat_kind *k = nat_kinds();
	struct random random;
	struct nat_config c;
	size_t count = 0;

	(void)state;
	random_init_number(&random, 1);
	for (; k->name; k++, count++) {
		struct nat *nat;

		assert_true(strlen(k->help) > 10);
		c = config_of(k->name);
		assert_int_equal(nat_create(&c, &random, &nat), 0);
		nat_destroy(nat);
	}
	assert_in_range(count, 20, 100);
	assert_int_equal(nat_kind_config("linus", &c), -ENOENT);
}

/* --- Linux, as measured with nftables on kernel 6.18 --- */

static void test_linux_lifetimes(void **state)
{
	static const struct {
		const char *kind;
		uint64_t one_way, stream;
	} rows[] = {{"linux", 30, 120}, {"openwrt", 60, 180}};

	(void)state;
	for (size_t i = 0; i < 2 * LENGTH(rows); i++) {
		struct nat_config c = config_of(rows[i / 2].kind);
		uint64_t early = i & 1;
		struct endpoint external;

		kit_begin(&kit, &c, 1);
		assert_reason(udp_out(&kit, a, server), NAT_FORWARDED);
		external = kit.seen.source;
		kit.now += rows[i / 2].one_way * SECOND - early;
		assert_int_equal(udp_in(&kit, server, external) == NAT_FORWARDED, early);
		kit_end(&kit);
		kit_begin(&kit, &c, 1);
		udp_out(&kit, a, server);
		udp_in(&kit, server, external);
		kit.now += 3 * SECOND;
		udp_out(&kit, a, server);
		kit.now += rows[i / 2].stream * SECOND - early;
		assert_int_equal(udp_in(&kit, server, external) == NAT_FORWARDED, early);
		kit_end(&kit);
	}
}

static void test_linux_tcp(void **state)
{
	static const char *const kinds[] = {"linux", "linux-accept", "linux-reject"};

	(void)state;
	for (size_t i = 0; i < LENGTH(kinds); i++) {
		struct nat_config c = config_of(kinds[i]);
		struct endpoint w = at("192.0.2.1:5000");

		kit_begin(&kit, &c, 1);
		assert_reason(tcp_send(&kit, NAT_OUTSIDE, server, w, PACKET_SYN, 1, 0),
			i == 0		 ? NAT_DROP_NO_MAPPING
				: i == 1 ? NAT_DROP_ACCEPTED
					 : NAT_DROP_REJECTED);
		assert_int_equal(kit.result.answer.length > 0, i > 0);
		if (i)
			assert_int_equal(kit.answer.flags, PACKET_RST | PACKET_ACK);
		/* none of them makes the later flow move */
		assert_reason(
			tcp_send(&kit, NAT_INSIDE, a, server, PACKET_SYN, 1, 0), NAT_FORWARDED);
		assert_endpoint(kit.seen.source, w);
		/* simultaneous open passes */
		assert_reason(
			tcp_send(&kit, NAT_OUTSIDE, server, w, PACKET_SYN, 9, 0), NAT_FORWARDED);
		kit_end(&kit);
	}
}

/* The echo identifier is kept (pwnat rests on it), and random with masquerade random. */
static void test_linux_echo(void **state)
{
	struct nat_config c = config_of("linux");

	(void)state;
	kit_begin(&kit, &c, 1);
	assert_reason(echo_out(&kit, with_port(a, 0), at("3.3.3.3"), false), NAT_FORWARDED);
	assert_int_equal(kit.seen.source.port, 0);
	assert_reason(echo_out(&kit, with_port(b, 0), at("3.3.3.3"), false), NAT_FORWARDED);
	kit_end(&kit);
	c = config_of("linux-random");
	kit_begin(&kit, &c, 1);
	assert_reason(echo_out(&kit, with_port(a, 0), at("3.3.3.3"), false), NAT_FORWARDED);
	assert_int_not_equal(kit.seen.source.port, 0);
	kit_end(&kit);
}

/* pwnat's client: an error of its own making leaves a Linux box as it is, and not OpenWrt. */
static void test_linux_untracked(void **state)
{
	static const struct {
		const char *kind;
		enum nat_reason reason;
	} rows[] = {{"linux", NAT_FORWARDED}, {"openwrt", NAT_DROP_UNTRACKED_ERROR},
		{"rfc4787", NAT_DROP_UNTRACKED_ERROR}};
	struct endpoint victim = at("192.0.2.99");
	struct endpoint dead = at("3.3.3.3");
	uint8_t cause[100];
	struct packet p;
	int length = packet_build_echo(cause, sizeof(cause), &victim, &dead, 1, false, 0, NULL, 0);

	(void)state;
	assert_int_equal(packet_decode(cause, (size_t)length, &p), 0);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct nat_config c = config_of(rows[i].kind);

		kit_begin(&kit, &c, 1);
		assert_reason(
			kit_send(&kit, NAT_INSIDE,
				packet_build_error(kit.bytes, sizeof(kit.bytes), &a, &p, 11, 0, 0)),
			rows[i].reason);
		if (rows[i].reason == NAT_FORWARDED)
			assert_endpoint(kit.seen.source, with_port(a, 0));
		kit_end(&kit);
	}
}

/* Who can ping the router from outside. */
static void test_ping(void **state)
{
	static const struct {
		const char *kind;
		bool answered;
	} rows[] = {{"linux", false}, {"linux-accept", true}, {"openwrt", true}, {"cgnat", false}};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct nat_config c = config_of(rows[i].kind);

		kit_begin(&kit, &c, 1);
		echo_in(&kit, with_port(server, 7), with_port(c.external[0], 7), false);
		assert_int_equal(kit.result.answer.length > 0, rows[i].answered);
		if (rows[i].answered)
			assert_true(kit.answer.echo_reply);
		kit_end(&kit);
	}
}

/* IPv6 goes through a firewall in the home routers. */
static void test_linux_ipv6(void **state)
{
	struct endpoint a6 = at("[2001:db8:a::2]:5000"), out = at("[2001:db8:ffff::1]:9");
	struct nat_config c = config_of("linux-accept");

	(void)state;
	kit_begin(&kit, &c, 1);
	assert_reason(udp_in(&kit, out, a6), NAT_DROP_NO_MAPPING);
	assert_reason(udp_out(&kit, a6, out), NAT_FORWARDED);
	assert_endpoint(kit.seen.source, a6);
	assert_reason(udp_in(&kit, out, a6), NAT_FORWARDED);
	kit_end(&kit);
}

static void test_blocked(void **state)
{
	static const char *const kinds[] = {"udp-blocked", "udp-rejected"};

	(void)state;
	for (size_t i = 0; i < LENGTH(kinds); i++) {
		struct nat_config c = config_of(kinds[i]);

		kit_begin(&kit, &c, 1);
		assert_reason(udp_out(&kit, a, server), NAT_DROP_BLOCKED);
		assert_int_equal(kit.result.answer.length > 0, i);
		if (i)
			assert_int_equal(kit.answer.code, 13);
		assert_reason(
			tcp_send(&kit, NAT_INSIDE, a, server, PACKET_SYN, 1, 0), NAT_FORWARDED);
		kit_end(&kit);
	}
}

/* Blocks: 40 mappings of a host are within one, and another host has another one. */
static void test_blocks(void **state)
{
	static const struct {
		const char *kind;
		unsigned size;
	} rows[] = {{"symmetric-block", 256}, {"carrier-block", 2016}};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct nat_config c = config_of(rows[i].kind);
		unsigned block[2] = {0};

		c.external_count = 1;
		kit_begin(&kit, &c, 1);
		for (int h = 0; h < 2; h++)
			for (uint16_t n = 0; n < 40; n++) {
				unsigned port;

				udp_out(&kit, h ? b : a, with_port(server, (uint16_t)(1 + n)));
				port = kit.seen.source.port;
				assert_in_range(port, 1024, 65535);
				if (n)
					assert_int_equal((port - 1024) / rows[i].size, block[h]);
				block[h] = (port - 1024) / rows[i].size;
			}
		assert_int_not_equal(block[0], block[1]);
		kit_end(&kit);
	}
}

/* RFC 5382 REQ-4 is one of the things that rfc4787 keeps. */
static void test_rfc(void **state)
{
	struct nat_config c = config_of("rfc4787");
	struct endpoint w = at("192.0.2.1:5000");
	uint64_t deadline;
	struct nat_out late;

	(void)state;
	kit_begin(&kit, &c, 1);
	assert_reason(tcp_send(&kit, NAT_OUTSIDE, server, w, PACKET_SYN, 1, 0), NAT_DROP_REJECTED);
	assert_int_equal(kit.result.answer.length, 0);
	kit.now += 6 * SECOND - US;
	assert_false(nat_poll(kit.nat, kit.now, &late, &deadline));
	assert_true(nat_poll(kit.nat, kit.now + US, &late, &deadline));
	assert_reason(udp_out(&kit, with_port(a, 5002), server), NAT_FORWARDED);
	assert_int_equal(kit.seen.source.port % 2, 0);
	kit_end(&kit);
}

static void test_prefix(void **state)
{
	struct nat_config c = config_of("prefix");

	(void)state;
	c.inside6.family = FAMILY_NONE;
	kit_begin(&kit, &c, 1);
	assert_reason(
		udp_out(&kit, at("[fd00:1:0:1::2]:5"), at("[2001:db8:ffff::1]:9")), NAT_FORWARDED);
	assert_int_equal(kit.seen.source.address[0], 0x20);
	assert_int_equal(kit.seen.source.port, 5);
	kit_end(&kit);
}

/* --- properties --- */

static void test_set(void **state)
{
	struct nat_config c = config_of("linux");
	char error[200];

	(void)state;
	assert_int_equal(nat_kind_set(&c, "mapping=port-dependent", error, sizeof(error)), 0);
	for (int t = 0; t < NAT_TRANSPORTS; t++)
		assert_int_equal(c.behaviour[t].mapping, NAT_PORT_DEPENDENT);
	assert_int_equal(
		nat_kind_set(&c, "udp.filtering=address-dependent", error, sizeof(error)), 0);
	assert_int_equal(c.behaviour[NAT_UDP].filtering, NAT_ADDRESS_DEPENDENT);
	assert_int_equal(c.behaviour[NAT_TCP].filtering, NAT_ADDRESS_AND_PORT_DEPENDENT);
	assert_int_equal(nat_kind_set(&c, "ports=sequential", error, sizeof(error)), 0);
	assert_int_equal(nat_kind_set(&c, "step=-2", error, sizeof(error)), 0);
	assert_int_equal(c.behaviour[NAT_ICMP].ports.allocation, NAT_SEQUENTIAL);
	assert_int_equal(c.behaviour[NAT_ICMP].ports.step, -2);
	assert_int_equal(nat_kind_set(&c, "tcp.unsolicited=blacklist", error, sizeof(error)), 0);
	assert_int_equal(nat_kind_set(&c, "tcp.blacklist=1.5m", error, sizeof(error)), 0);
	assert_int_equal(c.behaviour[NAT_TCP].blacklist_us, 90 * SECOND);
	assert_int_equal(nat_kind_set(&c, "udp.one-way=30ms", error, sizeof(error)), 0);
	assert_int_equal(c.behaviour[NAT_UDP].lifetimes.one_way_us, 30 * MS);
	assert_int_equal(nat_kind_set(&c, "hairpin=internal", error, sizeof(error)), 0);
	assert_int_equal(nat_kind_set(&c, "window=liberal", error, sizeof(error)), 0);
	assert_false(c.tcp.strict_sequence);
	assert_int_equal(nat_kind_set(&c, "established=2h", error, sizeof(error)), 0);
	assert_int_equal(c.tcp.state_us[NAT_TCP_ESTABLISHED], 7200 * SECOND);
	assert_int_equal(nat_kind_set(&c, "icmp-code=13", error, sizeof(error)), 0);
	assert_int_equal(c.behaviour[NAT_UDP].icmp_code, 13);
	assert_int_equal(nat_kind_set(&c, "max-sessions=1000", error, sizeof(error)), 0);
	assert_int_equal(c.limits.sessions, 1000);
	assert_int_equal(nat_kind_set(&c, "new-per-second=7", error, sizeof(error)), 0);
	assert_int_equal(c.limits.new_per_second, 7);
	assert_int_equal(nat_kind_set(&c, "when-full=evict", error, sizeof(error)), 0);
	assert_true(c.limits.evict_oldest);
	assert_int_equal(nat_kind_set(&c, "fragments=refused", error, sizeof(error)), 0);
	assert_int_equal(c.fragments, NAT_FRAGMENTS_REFUSED);
	assert_int_equal(nat_kind_set(&c, "translation=addresses", error, sizeof(error)), 0);
	assert_int_equal(c.translation, NAT_ADDRESSES);
	assert_int_equal(nat_kind_set(&c, "pooling=arbitrary", error, sizeof(error)), 0);
	assert_true(c.pooling_arbitrary);
	assert_int_equal(nat_kind_set(&c, "udp.blocked=yes", error, sizeof(error)), 0);
	assert_true(c.behaviour[NAT_UDP].blocked);
	assert_int_equal(nat_kind_set(&c, "mss-clamp=1412", error, sizeof(error)), 0);
	assert_int_equal(c.syn.mss, 1412);
	assert_int_equal(nat_kind_set(&c, "strip-options=sack", error, sizeof(error)), 0);
	assert_int_equal(c.syn.strip, SYN_SACK);
	assert_int_equal(
		nat_kind_set(&c, "strip-options=window-scale+timestamps", error, sizeof(error)), 0);
	assert_int_equal(c.syn.strip, SYN_SCALE | SYN_TIMESTAMPS);
	assert_int_equal(nat_kind_set(&c, "strip-options=none", error, sizeof(error)), 0);
	assert_int_equal(c.syn.strip, 0);
	assert_int_equal(nat_kind_set(&c, "low=5", error, sizeof(error)), 0);
	assert_int_equal(c.behaviour[NAT_UDP].ports.low, 5);
}

static void test_set_wrong(void **state)
{
	static const struct {
		const char *text;
		int err;
	} rows[] = {
		{"mapping", -EINVAL},
		{"", -EINVAL},
		{"=", -ENOENT},
		{"udp.=3", -ENOENT},
		{"mappin=endpoint-independent", -ENOENT},
		{"mapping=endpoint", -EINVAL},
		{"mapping=", -EINVAL},
		{"sctp.mapping=endpoint-independent", -ENOENT},
		{"udp.alg=yes", -EINVAL},
		{"alg=maybe", -EINVAL},
		{"step=0", -EINVAL},
		{"step=65536", -EINVAL},
		{"low=65536", -EINVAL},
		{"low=-1", -EINVAL},
		{"icmp-code=16", -EINVAL},
		{"one-way=30x", -EINVAL},
		{"one-way=", -EINVAL},
		{"max-sessions=99999999999", -EINVAL},
		{"mss-clamp=65536", -EINVAL},
		{"mss-clamp=", -EINVAL},
		{"strip-options=", -EINVAL},
		{"strip-options=mss", -EINVAL},
		{"strip-options=sack+", -EINVAL},
		{"strip-options=+sack", -EINVAL},
		{"strip-options=sack+none", -EINVAL},
		{"strip-options=none+sack", -EINVAL},
		{"strip-options=sac", -EINVAL},
	};
	struct nat_config before = config_of("linux"), c = before;
	char error[80];

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		*error = '\0';
		assert_int_equal(nat_kind_set(&c, rows[i].text, error, sizeof(error)), rows[i].err);
		assert_true(*error);
		assert_null(strchr(error, '\n'));
		assert_memory_equal(&c, &before, sizeof(c));
	}
	assert_int_equal(nat_kind_set(&c, "nonsense=1", NULL, 0), -ENOENT);
}

/* What is listed can be set: each word of each line. */
static void test_properties(void **state)
{
	const char *line = nat_kind_properties();
	struct nat_config c = config_of("linux");
	unsigned lines = 0, words = 0;
	char error[200], text[300];

	(void)state;
	for (; *line; line = strchr(line, '\n') + 1, lines++) {
		size_t prefix = *line == '[' ? strlen("[udp.|tcp.|icmp.]") : 0;
		size_t name = strcspn(line + prefix, "=") + 1, length;
		const char *value = line + prefix + name;

		for (; *value != '\n'; value += length + (value[length] == '|')) {
			length = strcspn(value, "|\n");
			if (strchr("-0123456789NT", *value)) /* a number or time in words */
				continue;
			snprintf(text, sizeof(text), "%s%.*s%.*s", prefix ? "tcp." : "", (int)name,
				line + prefix, (int)length, value);
			if (nat_kind_set(&c, text, error, sizeof(error)))
				fail_msg("%s: %s", text, error);
			words++;
		}
	}
	assert_in_range(lines, 40, 100);
	assert_in_range(words, 60, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_linux_lifetimes),
		cmocka_unit_test(test_linux_tcp),
		cmocka_unit_test(test_linux_echo),
		cmocka_unit_test(test_linux_untracked),
		cmocka_unit_test(test_ping),
		cmocka_unit_test(test_linux_ipv6),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_rfc),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_wrong),
		cmocka_unit_test(test_properties),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
