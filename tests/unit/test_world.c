// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* The network: who gets what, when, and what is told about the rest. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/test_world_kit.h"
#include "lab/world_private.h"

static struct net net;

/* --- from host to host --- */

#define TWO_SERVERS                                                     \
	"link delay=5ms\nhost s address=198.51.100.1,2001:db8:100::1\n" \
	"host t address=203.0.113.1,2001:db8:113::1\n"

/* Over so many ms; the first of NATs that see the packet on the way there, and of those that see the answer. */
static const struct {
	const char *text, *from, *to;
	unsigned there_ms, back_ms;
	bool translated, translated6;
} ways[] = {
	{TWO_SERVERS, "s", "t", 10, 10, false, false},
	{TWO_SERVERS "link up.delay=1ms down.delay=2ms\nnat n kind=port-restricted\nlink delay=0\n"
		     "host a behind=n\n",
		"a", "s", 6, 7, true, true},
	{TWO_SERVERS "nat n kind=linux\nhost a behind=n\n", "a", "s", 15, 15, true, false},
	{TWO_SERVERS "nat n kind=linux\nhost a behind=n\nhost b behind=n\n", "a", "b", 10, 10,
		false, false},
	{TWO_SERVERS "nat i kind=cgnat\nnat n kind=linux behind=i\nhost a behind=n\n", "a", "s", 20,
		20, true, true},
	{TWO_SERVERS "nat i kind=none\nnat n kind=symmetric behind=i\nhost a behind=n\n", "a", "s",
		20, 20, true, true},
	{TWO_SERVERS "nat i kind=firewall\nnat n kind=none behind=i\nhost a behind=n\n", "a", "s",
		20, 20, false, false},
	{TWO_SERVERS "nat n kind=none\nhost a behind=n\n", "s", "a", 15, 15, false, false},
	{TWO_SERVERS "nat i kind=none\nnat n kind=none behind=i\nhost a behind=n\n", "t", "a", 20,
		20, false, false},
	/* both behind one outer router, and each behind a firewall of its own: the outer one's LAN */
	{TWO_SERVERS "nat i kind=linux\nnat n kind=none behind=i\nnat m kind=none behind=i\n"
		     "host a behind=n\nhost b behind=m\n",
		"a", "b", 20, 20, false, false},
};

static void there_and_back(size_t row, enum family family, enum what what)
{
	bool translated = family == FAMILY_IPV4 ? ways[row].translated : ways[row].translated6;
	struct endpoint from, to;
	int a, b;

	net_begin(&net, ways[row].text);
	a = host_of(&net, ways[row].from);
	b = host_of(&net, ways[row].to);
	from = address_of(&net, a, family, what == WHAT_ECHO ? 77 : 5000);
	to = address_of(&net, b, family, what == WHAT_ECHO ? 77 : 3478);
	net_send(&net, a, make(&net, what, from, to, 64, false));
	expect_at(&net, b);
	assert_int_equal(net.now, START + ways[row].there_ms * MS);
	assert_int_equal(!endpoint_same_address(&net.seen.source, &from), translated);
	assert_address(net.seen.destination, to);
	assert_int_equal(net.seen.payload_length, net.sent.payload_length);
	assert_memory_equal(&net.seen.bytes[net.seen.payload], &net.sent.bytes[net.sent.payload],
		net.sent.payload_length);
	/* the answer, to whom it seems to come from */
	net.now = START + SECOND;
	net_send(&net, b, make(&net, what, to, net.seen.source, 64, true));
	expect_at(&net, a);
	assert_int_equal(net.now, START + SECOND + ways[row].back_ms * MS);
	assert_address(net.seen.source, to);
	assert_endpoint(net.seen.destination, from);
	assert_false(net_wait(&net));
	net_end(&net);
}

static void test_there_and_back(void **state)
{
	(void)state;
	for (size_t row = 0; row < COUNT(ways); row++)
		for (int what = 0; what < WHATS; what++) {
			there_and_back(row, FAMILY_IPV4, (enum what)what);
			there_and_back(row, FAMILY_IPV6, (enum what)what);
		}
}

/* Two homes of one carrier meet at its external address: there and back over its inside (RFC 4787 6). */
static void test_hairpin(void **state)
{
	struct endpoint a, b, outer_a, outer_b, server;
	int s;

	(void)state;
	net_begin(&net,
		"nat i kind=cgnat\nlink delay=3ms\nnat m kind=full-cone behind=i\n"
		"nat n kind=full-cone behind=i\nhost a behind=m delay=0\nhost b behind=n delay=0\n"
		"host s\n");
	s = host_of(&net, "s");
	server = address_of(&net, s, FAMILY_IPV4, 3478);
	a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
	b = address_of(&net, host_of(&net, "b"), FAMILY_IPV4, 5000);
	send_udp(&net, host_of(&net, "a"), a, server, 10);
	expect_at(&net, s);
	outer_a = net.seen.source;
	send_udp(&net, host_of(&net, "b"), b, server, 10);
	expect_at(&net, s);
	outer_b = net.seen.source;
	assert_address(outer_a, outer_b);
	/* the filter is by address: b has to send first; what it sends does not get in, and opens */
	send_udp(&net, host_of(&net, "b"), b, outer_a, 10);
	net_wait(&net);
	net.now += SECOND;
	send_udp(&net, host_of(&net, "a"), a, outer_b, 10);
	expect_at(&net, host_of(&net, "b"));
	assert_endpoint(net.seen.source, outer_a);
	assert_endpoint(net.seen.destination, b);
	net_end(&net);
}

static void test_nptv6_and_nat66(void **state)
{
	static const struct {
		const char *kind, *text, *outside;
		bool same_port;
	} rows[] = {
		{"prefix", "", "2001:db8:b:1:", true},
		{"prefix", "inside=fd12:3456:789a:1::1/64", "2001:db8:b:1:", true},
		{"one-to-one", "", "2001:db8:2::1", true},
		{"port-restricted", "", "2001:db8:2::1", true},
		{"symmetric", "", "2001:db8:2::1", false},
	};

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		char text[200], address[ENDPOINT_TEXT];
		struct endpoint a, s;

		snprintf(text, sizeof(text),
			"families 6\nnat f kind=none\nnat n kind=%s behind=f %s\nhost a behind=n\n"
			"nat g kind=none\nhost s behind=g\n",
			rows[r].kind, rows[r].text);
		/* the outer router hides nothing, so that what is announced goes through it */
		if (strcmp(rows[r].kind, "prefix") != 0)
			memcpy(strstr(text, "behind=f"), "        ", 8);
		net_begin(&net, text);
		a = address_of(&net, host_of(&net, "a"), FAMILY_IPV6, 5000);
		s = address_of(&net, host_of(&net, "s"), FAMILY_IPV6, 3478);
		send_udp(&net, host_of(&net, "a"), a, s, 10);
		expect_at(&net, host_of(&net, "s"));
		endpoint_format_address(&net.seen.source, address);
		if (strcmp(rows[r].kind, "prefix") != 0)
			assert_non_null(strstr(address, "2001:db8:2::"));
		else
			assert_non_null(strstr(address, "2001:db8:b:"));
		assert_int_equal(net.seen.source.port == 5000, rows[r].same_port);
		send_udp(&net, host_of(&net, "s"), s, net.seen.source, 10);
		expect_at(&net, host_of(&net, "a"));
		assert_endpoint(net.seen.destination, a);
		net_end(&net);
	}
}

static void test_no_route(void **state)
{
	static const struct {
		const char *host, *to;
		uint64_t lost;
	} rows[] = {{"s", "203.0.113.99:9", 1}, /* of nobody */
		{"a", "203.0.113.99:9", 1}, {"s", "10.0.1.2:9", 1}, /* of somebody, but private */
		{"a", "10.0.1.99:9", 1}, /* not on the LAN: by the NAT to nowhere */
		{"s", "198.18.2.77:9", 1}, /* in a routed network, but no host */
		{"r", "198.18.2.77:9", 1}, {"s", "[2001:db8:a:2::77]:9", 1},
		{"s", "[2001:db8:113::99]:9", 1}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct endpoint to = at(rows[i].to);
		int host;

		net_begin(&net,
			"host s\nnat n kind=linux\nnat m kind=none\nhost a behind=n\nhost r "
			"behind=m\n");
		host = host_of(&net, rows[i].host);
		send_udp(&net, host, address_of(&net, host, to.family, 5000), to, 10);
		assert_false(net_wait(&net));
		assert_int_equal(world_lost_count(net.world, WORLD_LOST_NO_ROUTE), rows[i].lost);
		assert_int_equal(net.events[net.event_count - 1].what, WORLD_LOST);
		assert_string_equal(net.events[net.event_count - 1].reason, "no-route");
		net_end(&net);
	}
}

/* --- hops --- */

/*
 * host a -1 router- nat n -2 routers- nat i -1 router- internet -3 routers- host s. Every link has a delay of its
 * own in each direction, which is a whole number in each of its parts.
 */
#define LADDER(N, I)                                                     \
	"host s hops=3 up.delay=4ms down.delay=8ms\n"                    \
	"nat i kind=" I " hops=1 up.delay=6ms down.delay=2ms\n"          \
	"nat n behind=i kind=" N " hops=2 up.delay=3ms down.delay=9ms\n" \
	"host a behind=n hops=1 up.delay=10ms down.delay=20ms\n"

/* Who answers at each hop from a to s, and after how many us. */
struct rung {
	const char *v4, *v6;
	unsigned us;
};

/* Addresses of the routers: link N is that of node N: s 1, i 2, n 3, a 4. */
static const struct rung up_ladder[] = {
	{"198.19.4.1", "2001:db8:c:4::1", 15000}, /* 1/2 of 10 + 20 */
	{"10.0.2.1", "fd00:0:0:2::1", 30000},
	{"198.19.3.1", "2001:db8:c:3::1", 34000}, /* 1/3 of 3 + 9 */
	{"198.19.3.2", "2001:db8:c:3::2", 38000},
	{"100.64.1.1", "fd00:0:0:1::1", 42000},
	{"198.19.2.1", "2001:db8:c:2::1", 46000}, /* 1/2 of 6 + 2 */
	{"198.19.0.1", "2001:db8:c::1", 50000},
	{"198.19.1.3", "2001:db8:c:1::3", 53000}, /* 1/4 of 4 + 8 */
	{"198.19.1.2", "2001:db8:c:1::2", 56000},
	{"198.19.1.1", "2001:db8:c:1::1", 59000},
};

/* And from s to a, seen by s: what is behind a NAT has its address. */
static const struct rung down_ladder[] = {
	{"198.19.1.1", "2001:db8:c:1::1", 3000},
	{"198.19.1.2", "2001:db8:c:1::2", 6000},
	{"198.19.1.3", "2001:db8:c:1::3", 9000},
	{"198.19.0.1", "2001:db8:c::1", 12000},
	{"198.19.2.1", "2001:db8:c:2::1", 16000},
	{"192.0.2.1", "2001:db8:2::1", 20000},
	{"192.0.2.1", "2001:db8:2::1", 24000},
	{"192.0.2.1", "2001:db8:2::1", 28000},
	{"192.0.2.1", "2001:db8:2::1", 32000},
	{"192.0.2.1", "2001:db8:2::1", 47000},
};

/* The error that has come is about what was sent, as it was sent but for the hops it had. */
static void check_quote(const char *from)
{
	bool v4 = net.seen.family == FAMILY_IPV4;
	struct packet quoted;

	assert_int_equal(net.seen.protocol, PACKET_ERROR);
	assert_int_equal(net.seen.type, v4 ? 11 : 3);
	assert_int_equal(net.seen.code, 0);
	assert_address(net.seen.source, at(from));
	assert_address(net.seen.destination, net.sent.source);
	assert_int_equal(packet_decode_quoted(&net.seen, &quoted), 0);
	assert_true(packet_checksums_right(&quoted));
	assert_endpoint(quoted.source, net.sent.source);
	assert_endpoint(quoted.destination, net.sent.destination);
	assert_int_equal(quoted.protocol, net.sent.protocol);
	assert_int_equal(quoted.length, net.sent.length);
	assert_int_equal(quoted.ttl, 1);
	/* checksums are over the same addresses and ports again, so that all behind the IP header is the same */
	assert_memory_equal(&quoted.bytes[v4 ? 20 : 40], &net.sent.bytes[v4 ? 20 : 40],
		quoted.length - (v4 ? 20u : 40u));
}

static void climb(const struct rung *ladder, size_t rungs, enum family family, enum what what,
	int host, int end, const struct endpoint *from, const struct endpoint *to, bool back)
{
	for (size_t ttl = 1; ttl <= rungs; ttl++) {
		uint64_t lost = world_lost_count(net.world, WORLD_LOST_TTL);
		uint64_t begin = net.now += SECOND;

		net_send(&net, host, make(&net, what, *from, *to, (uint8_t)ttl, back));
		expect_at(&net, host);
		assert_int_equal(net.now - begin, ladder[ttl - 1].us);
		check_quote(family == FAMILY_IPV4 ? ladder[ttl - 1].v4 : ladder[ttl - 1].v6);
		assert_false(net_wait_until(&net, net.now + 100 * MS));
		/* what a NAT drops it counts itself */
		assert_in_range(world_lost_count(net.world, WORLD_LOST_TTL) - lost, 0, 1);
	}
	net.now += SECOND;
	net_send(&net, host, make(&net, what, *from, *to, (uint8_t)(rungs + 1), back));
	expect_at(&net, end);
	assert_int_equal(net.seen.ttl, 1);
}

static void check_ladder(enum family family, enum what what)
{
	struct endpoint a, s, seen;
	int host, server;

	net_begin(&net, LADDER("full-cone", "cgnat"));
	host = host_of(&net, "a");
	server = host_of(&net, "s");
	a = address_of(&net, host, family, 5000);
	s = address_of(&net, server, family, what == WHAT_ECHO ? 5000 : 3478);
	climb(up_ladder, COUNT(up_ladder), family, what, host, server, &a, &s, false);
	seen = net.seen.source;
	climb(down_ladder, COUNT(down_ladder), family, what, server, host, &s, &seen, true);
	assert_endpoint(net.seen.destination, a);
	net_end(&net);
}

static void test_ladder(void **state)
{
	(void)state;
	for (int what = 0; what < WHATS; what++) {
		check_ladder(FAMILY_IPV4, (enum what)what);
		check_ladder(FAMILY_IPV6, (enum what)what);
	}
}

/* The answers have come over hops, too: the further they come from, the more of them. */
static void test_hops_of_answers(void **state)
{
	struct endpoint a, s;

	(void)state;
	net_begin(&net, "host s hops=3\nhost a hops=4\n");
	a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
	s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
	for (uint8_t ttl = 1; ttl <= 8; ttl++) {
		net_send(&net, host_of(&net, "a"), make(&net, WHAT_UDP, a, s, ttl, false));
		expect_at(&net, host_of(&net, "a"));
		/* 64, less the routers in between */
		assert_int_equal(net.seen.ttl, 64 - ttl + 1);
	}
	net_end(&net);
}

/* A NAT that keeps the TTL is no hop, and a switch is none either. */
static void test_no_hops(void **state)
{
	struct endpoint a, b, s;

	(void)state;
	net_begin(&net, "host s\nnat n keep-ttl=yes\nhost a behind=n\nhost b behind=n\n");
	a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
	b = address_of(&net, host_of(&net, "b"), FAMILY_IPV4, 5000);
	s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
	net_send(&net, host_of(&net, "a"), make(&net, WHAT_UDP, a, b, 1, false));
	expect_at(&net, host_of(&net, "b"));
	net_send(&net, host_of(&net, "a"), make(&net, WHAT_UDP, a, s, 2, false));
	expect_at(&net, host_of(&net, "s"));
	net_end(&net);
}

/* An answer goes to whom the packet says it is from, not to who has sent it: nobody gets what is not his. */
static void test_answers_to_others(void **state)
{
	struct endpoint a, b, c, s;

	(void)state;
	net_begin(
		&net, "host s\nhost c\nnat n kind=none\nhost a behind=n hops=2\nhost b behind=n\n");
	a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
	b = address_of(&net, host_of(&net, "b"), FAMILY_IPV4, 5000);
	c = address_of(&net, host_of(&net, "c"), FAMILY_IPV4, 5000);
	s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
	(void)a;
	/* at a router of the link nothing is known of others; from the internet it finds its way */
	for (uint8_t ttl = 1; ttl <= 5; ttl++) {
		struct endpoint from[] = {b, c, at("10.99.99.99:5000")};

		for (size_t i = 0; i < COUNT(from); i++) {
			net_send(&net, host_of(&net, "a"),
				make(&net, WHAT_UDP, from[i], s, ttl, false));
			while (net_wait(&net)) {
				assert_true(net.host != host_of(&net, "a"));
				assert_address(net.seen.destination, ttl == 5 ? s : from[i]);
				assert_int_equal(net.host,
					ttl == 5     ? host_of(&net, "s")
						: !i ? host_of(&net, "b")
						     : host_of(&net, "c"));
			}
		}
	}
	net_end(&net);
}

/* --- sizes --- */

/* What arrives at a host as fragments, put together: its payload. */
static size_t collect(int host, uint8_t *out, unsigned *parts, size_t most)
{
	size_t end = 0, sum = 0;

	*parts = 0;
	while (net_wait(&net)) {
		size_t data = net.seen.length - 20;

		assert_int_equal(net.host, host);
		assert_true(net.seen.length <= most);
		assert_int_equal(net.seen.fragment_id, 0x1234);
		memcpy(out + net.seen.fragment_offset, net.in + 20, data);
		sum += data;
		if (!net.seen.more_fragments)
			end = net.seen.fragment_offset + data;
		++*parts;
	}
	assert_int_equal(sum, end);
	return end;
}

/* Both ways through a NAT, over links of several sizes: each cuts smaller what has come. */
static void test_fragments(void **state)
{
	static uint8_t whole[PACKET_BYTES_MAX];
	struct endpoint a, s, external;
	unsigned parts;
	size_t end;

	(void)state;
	net_begin(&net,
		"host s hops=1 mtu=700\nnat n kind=full-cone mtu=1001 hops=2\nhost a behind=n "
		"mtu=1500\n");
	a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
	s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
	for (int back = 0; back < 2; back++) {
		struct endpoint to = back ? external : s, from = back ? s : a;
		int sender = host_of(&net, back ? "s" : "a"),
		    receiver = host_of(&net, back ? "a" : "s");
		int length = make_udp(&net, from, to, 64, 4000);

		allow_fragments(&net, 0x1234);
		net_send(&net, sender, length);
		end = collect(receiver, whole, &parts, back ? 700 : 700);
		assert_int_equal(end, 4008);
		assert_memory_equal(whole + 8, &net.sent.bytes[28], 4000);
		/* 2 x 1480 and 1048, each in 976s; in 680s what is left of them, or in 680s at once */
		assert_true(parts >= 6 && parts <= 9);
		external = (struct endpoint){.family = FAMILY_IPV4, .port = 5000};
		external = address_of(&net, nat_of(&net, "n"), FAMILY_IPV4, 5000);
	}
	assert_int_equal(world_lost_count(net.world, WORLD_LOST_MTU), 0);
	net_end(&net);
}

/* What must not be fragmented is told so, with the size that would have fit, by who stands before the link. */
static const struct {
	const char *text; /* of nat n and of host a */
	enum family family;
	bool back; /* from the server to the host */
	size_t fits; /* bytes with headers */
	const char *router; /* NULL: nobody says so */
	unsigned us;
} too_big[] = {
	{"nat n kind=full-cone mtu=1400 hops=2 delay=3ms\nhost a behind=n\n", FAMILY_IPV4, false,
		1400, "198.19.2.1", 2000},
	{"nat n kind=full-cone mtu=1400 hops=2 delay=3ms\nhost a behind=n\n", FAMILY_IPV6, false,
		1400, "2001:db8:c:2::1", 2000},
	{"nat n kind=full-cone mtu=1400 hops=2 delay=3ms\nhost a behind=n\n", FAMILY_IPV4, true,
		1400, "198.19.2.2", 2000},
	{"nat n kind=full-cone mtu=1400 hops=2 delay=3ms\nhost a behind=n\n", FAMILY_IPV6, true,
		1400, "2001:db8:c:2::2", 2000},
	/* without routers it is who stands at the upper end */
	{"nat n kind=full-cone mtu=1400 delay=3ms\nhost a behind=n\n", FAMILY_IPV4, false, 1400,
		"198.19.0.1", 0},
	{"nat n kind=full-cone mtu=1400 delay=3ms\nhost a behind=n\n", FAMILY_IPV4, true, 1400,
		"198.19.0.1", 0},
	{"nat n kind=full-cone\nhost a behind=n mtu=1300 delay=3ms\n", FAMILY_IPV4, false, 1300,
		"10.0.1.1", 0},
	{"nat n kind=full-cone\nhost a behind=n mtu=1300 delay=3ms\n", FAMILY_IPV6, true, 1300,
		"2001:db8:2::1", 0},
	{"nat n kind=full-cone mtu=1400 mtu-silent=yes hops=2\nhost a behind=n\n", FAMILY_IPV4,
		false, 1400, NULL, 0},
	{"nat n kind=full-cone mtu=1400 mtu-silent=yes hops=2\nhost a behind=n\n", FAMILY_IPV6,
		true, 1400, NULL, 0},
	/* IPv6 has at least 1280 on any link (RFC 8200 5), and the answers fit, too */
	{"nat n kind=full-cone mtu=300 hops=1 delay=2ms\nhost a behind=n\n", FAMILY_IPV6, false,
		1280, "2001:db8:c:2::1", 2000},
	{"nat n kind=full-cone mtu=300 hops=1 delay=2ms\nhost a behind=n\n", FAMILY_IPV4, false,
		300, "198.19.2.1", 2000},
	{"nat n kind=full-cone mtu=68 hops=1 delay=2ms\nhost a behind=n\n", FAMILY_IPV4, true, 68,
		"198.19.2.1", 2000},
};

static void check_too_big(size_t row)
{
	bool v4 = too_big[row].family == FAMILY_IPV4, back = too_big[row].back;
	size_t headers = v4 ? 28 : 48;
	struct endpoint from, to;
	struct packet quoted;
	char text[300];
	int sender, receiver;

	snprintf(text, sizeof(text), "host s\n%s", too_big[row].text);
	net_begin(&net, text);
	from = address_of(&net, host_of(&net, "a"), too_big[row].family, 5000);
	to = address_of(&net, host_of(&net, "s"), too_big[row].family, 3478);
	send_udp(&net, host_of(&net, "a"), from, to, too_big[row].fits - headers);
	expect_at(&net, host_of(&net, "s"));
	sender = host_of(&net, back ? "s" : "a");
	receiver = host_of(&net, back ? "a" : "s");
	if (back) {
		from = to;
		to = net.seen.source;
		send_udp(&net, sender, from, to, too_big[row].fits - headers);
		expect_at(&net, receiver);
	}
	net.now += SECOND;
	send_udp(&net, sender, from, to, too_big[row].fits - headers + 1);
	assert_int_equal(net_wait(&net), too_big[row].router != NULL);
	assert_int_equal(world_lost_count(net.world, WORLD_LOST_MTU), 1);
	if (!too_big[row].router) {
		net_end(&net);
		return;
	}
	assert_int_equal(net.host, sender);
	assert_address(net.seen.source, at(too_big[row].router));
	assert_int_equal(net.seen.protocol, PACKET_ERROR);
	assert_int_equal(net.seen.type, v4 ? 3 : 2);
	assert_int_equal(net.seen.code, v4 ? 4 : 0);
	assert_int_equal(net.in[net.seen.transport + 6] << 8 | net.in[net.seen.transport + 7],
		too_big[row].fits);
	assert_true(net.seen.length <= too_big[row].fits);
	assert_int_equal(packet_decode_quoted(&net.seen, &quoted), 0);
	assert_endpoint(quoted.source, from);
	assert_endpoint(quoted.destination, to);
	net_end(&net);
}

static void test_too_big(void **state)
{
	(void)state;
	for (size_t row = 0; row < COUNT(too_big); row++)
		check_too_big(row);
}

/* --- filters --- */

/* What a packet of each protocol comes to. */
static int make_filtered(unsigned filter, struct endpoint from, struct endpoint to)
{
	struct packet_tcp tcp = {.flags = PACKET_SYN};
	int length;

	switch (filter) {
	case WORLD_FILTER_UDP:
		return make_udp(&net, from, to, 64, 20);
	case WORLD_FILTER_TCP:
		return packet_build_tcp(net.out, sizeof(net.out), &from, &to, 64, &tcp, NULL, 0);
	case WORLD_FILTER_ICMP:
		return packet_build_echo(
			net.out, sizeof(net.out), &from, &to, 64, false, 1, "ping", 4);
	default:
		length = make_udp(&net, from, to, 64, 1800);
		net.out[1] = 0;
		allow_fragments(&net, 1);
		return length;
	}
}

/* Each filter at each router: what it drops does not arrive, all else does, in both directions. */
static void test_filters(void **state)
{
	static const char *const names[] = {"udp", "tcp", "icmp", "fragments"};

	(void)state;
	for (unsigned f = 0; f < 4; f++)
		for (int at_hop = 0; at_hop <= 3; at_hop++)
			for (int back = 0; back < 2; back++) {
				char text[200];
				struct endpoint a, s;

				snprintf(text, sizeof(text),
					"host s mtu=1000\nhost a mtu=1000 hops=%d filter=%s "
					"filter-hop=%d\n",
					at_hop ? 3 : 0, names[f], at_hop);
				for (unsigned sent = 0; sent < 4; sent++) {
					int count = 0, length;

					net_begin(&net, text);
					a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5);
					s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 6);
					length = make_filtered(
						1u << sent, back ? s : a, back ? a : s);
					net_send(&net, host_of(&net, back ? "s" : "a"), length);
					while (net_wait(&net))
						count++;
					/* the first fragment is none to a filter that sees no more */
					if (sent == 3)
						assert_int_equal(count,
							f == 0		 ? 0
								: f == 3 ? 1
									 : 2);
					else
						assert_int_equal(count, sent == f ? 0 : 1);
					net_end(&net);
				}
			}
}

/* Its place is seen from the hops that still answer: those before it. */
static void test_filter_place(void **state)
{
	static const struct {
		unsigned hop;
		bool back, icmp;
		unsigned answers; /* of 4 routers, before the end */
	} rows[] = {
		{1, false, false, 0},
		{2, false, false, 1},
		{4, false, false, 3},
		{0, false, false, 3}, /* the last one */
		{9, false, false, 3},
		{1, true, false, 3},
		{4, true, false, 0},
		{0, true, false, 0},
		/* all goes on, but answers from behind it do not come back */
		{1, false, true, 1},
		{3, false, true, 3},
		{0, false, true, 4},
		{1, true, true, 4},
		{3, true, true, 2},
		{0, true, true, 1},
	};

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		struct endpoint a, s;
		char text[200];
		unsigned answers = 0;

		snprintf(text, sizeof(text), "host s\nhost a hops=4 filter=%s filter-hop=%u\n",
			rows[r].icmp ? "icmp" : "udp", rows[r].hop);
		net_begin(&net, text);
		a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
		s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
		for (uint8_t ttl = 1; ttl <= 6; ttl++) {
			uint8_t first = rows[r].back ? 1 : 0; /* the internet itself */
			int sender = host_of(&net, rows[r].back ? "s" : "a");

			net_send(&net, sender,
				make(&net, WHAT_UDP, rows[r].back ? s : a, rows[r].back ? a : s,
					ttl, false));
			while (net_wait(&net))
				answers += net.seen.protocol == PACKET_ERROR && ttl > first &&
					ttl <= 4 + first;
		}
		assert_int_equal(answers, rows[r].answers);
		net_end(&net);
	}
}

/* "All of ICMP" is also what has no name in wire/packet.h, and other fragments than the first. */
static void test_filter_by_protocol(void **state)
{
	static const struct {
		const char *filter;
		uint8_t protocol;
		bool lost;
	} rows[] = {
		{"icmp", 1, true},
		{"icmp", 17, false},
		{"udp", 17, true},
		{"tcp", 6, true},
		{"udp+tcp+icmp", 253, false},
		{"udp+tcp+icmp+fragments", 253, false},
	};

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		struct endpoint a, s;
		char text[100];
		int length;
		uint16_t sum;

		snprintf(text, sizeof(text), "host s\nhost a filter=%s\n", rows[r].filter);
		net_begin(&net, text);
		a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
		s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
		/* a timestamp request if it is ICMP; a source route makes all of them opaque */
		length = make_udp(&net, a, s, 64, 40);
		memmove(net.out + 24, net.out + 20, 44);
		length += 4;
		net.out[0] = 0x46;
		net.out[3] = (uint8_t)length;
		net.out[9] = rows[r].protocol;
		memcpy(net.out + 20, rows[r].protocol == 1 ? "\1\1\1\1" : "\x83\3\2\0", 4);
		net.out[24] = 13;
		net.out[10] = net.out[11] = 0;
		sum = (uint16_t)~checksum_sum(net.out, 24);
		net.out[10] = (uint8_t)(sum >> 8);
		net.out[11] = (uint8_t)sum;
		world_input(net.world, net.now, host_of(&net, "a"), net.out, (size_t)length);
		while (world_lost_count(net.world, WORLD_LOST_FILTER) == 0) {
			struct world_arrival arrival;
			uint64_t deadline;

			if (world_poll(net.world, net.now, &arrival, &deadline)) {
				assert_false(rows[r].lost);
				break;
			}
			assert_true(world_lost_count(net.world, WORLD_LOST_FILTER) ||
				deadline != UINT64_MAX);
			net.now = deadline;
		}
		assert_int_equal(world_lost_count(net.world, WORLD_LOST_FILTER), rows[r].lost);
		net_end(&net);
	}
}

/* BCP 38: upward only what is from this link. */
static void test_source_check(void **state)
{
	static const struct {
		const char *host, *from;
		bool passes;
	} rows[] = {
		{"a", "203.0.113.7:5", true}, {"a", "203.0.113.8:5", false},
		{"a", "10.0.0.1:5", false}, {"b", "198.18.1.2:5", true},
		{"b", "198.18.1.200:5", true}, /* of the network, which is the node's */
		{"b", "198.18.2.2:5", false}, {"b", "203.0.113.7:5", false},
		{"s", "203.0.113.99:5", true}, /* nobody looks */
	};

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		struct endpoint s;

		net_begin(&net,
			"host s\nhost t\nhost a address=203.0.113.7 source-check=yes\n"
			"nat n kind=none source-check=yes\nhost b behind=n\n");
		s = address_of(&net, host_of(&net, "t"), FAMILY_IPV4, 3478);
		send_udp(&net, host_of(&net, rows[r].host), at(rows[r].from), s, 10);
		assert_int_equal(net_wait(&net), rows[r].passes);
		assert_int_equal(world_lost_count(net.world, WORLD_LOST_SOURCE), !rows[r].passes);
		net_end(&net);
	}
}

/* --- chance --- */

static void test_loss_and_duplicates(void **state)
{
	struct endpoint a, s;
	unsigned count = 0;

	(void)state;
	net_begin(&net, "host s\nhost a up.loss=10% down.loss=100% up.duplicate=20%\n");
	a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
	s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
	for (int i = 0; i < 10000; i++) {
		send_udp(&net, host_of(&net, "a"), a, s, 10);
		while (net_wait_until(&net, net.now))
			count++;
		net.now += MS;
	}
	/* 5 standard deviations */
	assert_in_range(count, 10800 - 250, 10800 + 250);
	assert_in_range(world_lost_count(net.world, WORLD_LOST_LOSS), 1000 - 150, 1000 + 150);
	send_udp(&net, host_of(&net, "s"), s, a, 10);
	assert_false(net_wait(&net));
	net_end(&net);
}

static void test_rate_and_queue(void **state)
{
	struct endpoint a, s;
	unsigned count = 0;

	(void)state;
	/* 1000 bytes are 1 ms */
	net_begin(&net, "host s\nhost a up.rate=8mbit up.queue=10ms delay=7ms\n");
	a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
	s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
	for (int i = 0; i < 50; i++)
		send_udp(&net, host_of(&net, "a"), a, s, 972);
	while (net_wait(&net)) {
		count++;
		assert_int_equal(net.now, START + 7 * MS + count * MS);
	}
	assert_int_equal(count, 11);
	assert_int_equal(world_lost_count(net.world, WORLD_LOST_QUEUE), 39);
	net_end(&net);
}

/* The same seed, the same end of each packet; another one, another. */
static void test_seeds(void **state)
{
	uint64_t sums[3];

	(void)state;
	for (unsigned run = 0; run < 3; run++) {
		struct endpoint a, s;

		net_begin_seeded(&net,
			"link loss=5% duplicate=5% reorder=10% jitter=5ms delay=1ms\nhost s\n"
			"nat n kind=symmetric\nhost a behind=n\n",
			run / 2);
		a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
		s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
		sums[run] = 0;
		for (int i = 0; i < 300; i++) {
			a.port++;
			send_udp(&net, host_of(&net, "a"), a, s, 10);
			while (net_wait_until(&net, START + (unsigned)i * MS))
				sums[run] = sums[run] * 31 + net.now + net.seen.source.port;
			net.now = START + (unsigned)i * MS;
		}
		net_end(&net);
	}
	assert_int_equal(sums[0], sums[1]);
	assert_int_not_equal(sums[0], sums[2]);
}

/* --- what NATs do later --- */

/* RFC 5382 REQ-4: the answer to a SYN that nobody has asked for comes after 6 s. */
static void test_delayed_answer(void **state)
{
	struct endpoint n, s;
	struct packet_tcp syn = {.flags = PACKET_SYN};
	int server;

	(void)state;
	net_begin(&net, "host s delay=10ms\nnat n kind=rfc4787 delay=20ms\nhost a behind=n\n");
	server = host_of(&net, "s");
	n = address_of(&net, nat_of(&net, "n"), FAMILY_IPV4, 4000);
	s = address_of(&net, server, FAMILY_IPV4, 5000);
	net_send(&net, server,
		packet_build_tcp(net.out, sizeof(net.out), &s, &n, 64, &syn, NULL, 0));
	expect_at(&net, server);
	assert_int_equal(net.now, START + 6 * SECOND + 60 * MS);
	assert_int_equal(net.seen.protocol, PACKET_ERROR);
	assert_false(net_wait(&net));
	/* and when it is not looked at until much later, it has still been sent in time */
	net_send(&net, server,
		packet_build_tcp(net.out, sizeof(net.out), &s, &n, 64, &syn, NULL, 0));
	{
		uint64_t begin = net.now, deadline;
		struct world_arrival arrival;

		assert_true(world_poll(net.world, begin + 3600 * SECOND, &arrival, &deadline));
		assert_false(world_poll(net.world, begin + 3600 * SECOND, &arrival, &deadline));
		assert_int_equal(
			net.events[net.event_count - 1].t_us, begin + 6 * SECOND + 60 * MS);
	}
	net_end(&net);
}

/* Fragments that come before the first one wait for it at the NAT, and follow it; or are forgotten. */
static void test_held_fragments(void **state)
{
	static uint8_t whole[4096];
	struct packet p;
	struct endpoint a, s;
	size_t length, cursor = 0, lengths[8];
	uint8_t parts[8][800];
	int host, count = 0, n;

	(void)state;
	net_begin(&net, "host s\nnat n kind=full-cone\nhost a behind=n\n");
	host = host_of(&net, "a");
	a = address_of(&net, host, FAMILY_IPV4, 5000);
	s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
	length = (size_t)make_udp(&net, a, s, 64, 3000);
	allow_fragments(&net, 7);
	memcpy(whole, net.out, length);
	assert_int_equal(packet_decode(whole, length, &p), 0);
	while ((n = packet_fragment(&p, 800, &cursor, parts[count], sizeof(parts[count]))) > 0)
		lengths[count++] = (size_t)n;
	assert_int_equal(count, 4);
	for (int i = 3; i >= 0; i--) {
		memcpy(net.out, parts[i], lengths[i]);
		net.now += MS;
		net_send(&net, host, (int)lengths[i]);
		if (i)
			assert_false(net_wait_until(&net, net.now + 500));
	}
	for (int i = 0; i < 4; i++)
		expect_at(&net, host_of(&net, "s"));
	assert_false(net_wait(&net));
	/* without the first one they are dropped after 30 s, by nobody's doing */
	memcpy(net.out, parts[1], lengths[1]);
	net.out[5] ^= 1;
	net.out[11] ^= 1; /* one's complement: the other way round */
	if (checksum_sum(net.out, 20) != 0xffff)
		net.out[11] = (uint8_t)(net.out[11] ^ 1),
		net.out[11] = (uint8_t)(net.out[11] + (net.out[5] & 1 ? -1 : 1));
	assert_int_equal(checksum_sum(net.out, 20), 0xffff);
	net_send(&net, host, (int)lengths[1]);
	assert_false(net_wait_until(&net, net.now + 40 * SECOND));
	assert_int_equal(
		nat_reason_count(world_nat(net.world, nat_of(&net, "n")), NAT_DROP_FRAGMENT), 1);
	net_end(&net);
}

/* Sessions end on time, however seldom the world is looked at. */
static void test_sessions_end(void **state)
{
	struct endpoint a, s;
	uint64_t deadline;
	struct world_arrival arrival;
	int n;

	(void)state;
	net_begin(&net, "host s\nnat n kind=linux\nhost a behind=n\n");
	n = nat_of(&net, "n");
	a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
	s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
	send_udp(&net, host_of(&net, "a"), a, s, 10);
	expect_at(&net, host_of(&net, "s"));
	assert_int_equal(nat_session_count(world_nat(net.world, n)), 1);
	assert_false(world_poll(net.world, START + 30 * SECOND - 1, &arrival, &deadline));
	assert_int_equal(nat_session_count(world_nat(net.world, n)), 1);
	assert_int_equal(deadline, START + 30 * SECOND);
	assert_false(world_poll(net.world, START + 30 * SECOND, &arrival, &deadline));
	assert_int_equal(nat_session_count(world_nat(net.world, n)), 0);
	assert_true(deadline == UINT64_MAX);
	net_end(&net);
}

/* --- time --- */

/* Years at once, and the end of all time: it comes back, and nothing is left. */
static void test_large_jumps(void **state)
{
	static const uint64_t jumps[] = {3600 * SECOND, 10ull * 365 * 86400 * SECOND,
		UINT64_MAX / 2, UINT64_MAX - 1, UINT64_MAX};
	struct world_arrival arrival;
	uint64_t deadline;

	(void)state;
	for (size_t i = 0; i < COUNT(jumps); i++) {
		struct endpoint a, s;

		net_begin(&net, "host s delay=1h\nnat n kind=linux delay=1h\nhost a behind=n\n");
		a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
		s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
		send_udp(&net, host_of(&net, "a"), a, s, 10);
		while (world_poll(net.world, jumps[i], &arrival, &deadline))
			assert_int_equal(arrival.host, host_of(&net, "s"));
		assert_int_equal(net.events[net.event_count - 1].what,
			jumps[i] > START + 7200 * SECOND ? WORLD_RECEIVED : WORLD_SENT);
		if (i)
			assert_true(deadline == UINT64_MAX);
		net_end(&net);
	}
}

/*
 * What is on its way has come as far as it would have by the time at which a host sends, whether or not somebody
 * has looked in between: times are the same, and so is the order.
 */
static void test_late_looks(void **state)
{
	uint64_t at[2][40];

	(void)state;
	for (int late = 0; late < 2; late++) {
		struct world_arrival arrival;
		uint64_t deadline;
		struct endpoint a, s;
		size_t count = 0;

		net_begin(&net,
			"host s delay=3ms rate=1mbit\nnat n kind=linux delay=2ms rate=1mbit\n"
			"host a behind=n delay=1ms\n");
		a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
		s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
		for (unsigned i = 0; i < 40; i++) {
			net_send(&net, host_of(&net, "a"), make_udp(&net, a, s, 64, i));
			while (!late && net_wait_until(&net, START + (i + 1) * 777))
				at[late][count++] = net.now;
			net.now = START + (i + 1) * 777;
		}
		while (count < 40 && late &&
			world_poll(net.world, net.now + SECOND, &arrival, &deadline))
			at[late][count++] = net.events[net.event_count - 1].t_us;
		while (count < 40 && net_wait(&net))
			at[late][count++] = net.now;
		assert_int_equal(count, 40);
		net_end(&net);
	}
	assert_memory_equal(at[0], at[1], sizeof(at[0]));
}

/* Time that runs backwards stands still. */
static void test_backwards(void **state)
{
	struct endpoint s, t;

	(void)state;
	net_begin(&net, TWO_SERVERS);
	s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
	t = address_of(&net, host_of(&net, "t"), FAMILY_IPV4, 3478);
	send_udp(&net, host_of(&net, "s"), s, t, 10);
	expect_at(&net, host_of(&net, "t"));
	net.now = START - SECOND;
	send_udp(&net, host_of(&net, "s"), s, t, 10);
	expect_at(&net, host_of(&net, "t"));
	assert_int_equal(net.now, START + 20 * MS);
	net_end(&net);
}

/* --- many --- */

/* Millions of packets, of which never more than some are on their way: they get the same memory again. */
static void test_memory(void **state)
{
	struct world_arrival arrival;
	size_t bytes = 0, length;
	struct endpoint s, t;
	uint64_t deadline, received = 0;
	int host;

	(void)state;
	net_begin(&net, TWO_SERVERS);
	world_listen(net.world, NULL, NULL);
	host = host_of(&net, "s");
	s = address_of(&net, host, FAMILY_IPV4, 3478);
	t = address_of(&net, host_of(&net, "t"), FAMILY_IPV4, 3478);
	length = (size_t)make_udp(&net, s, t, 64, 100);
	for (unsigned i = 0; i < 2000000; i++) {
		world_input(net.world, net.now, host, net.out, length);
		net.now += 100;
		while (world_poll(net.world, net.now, &arrival, &deadline))
			received++;
		if (i == 1000)
			bytes = net.world->flights.bytes;
	}
	assert_true(received > 1999000);
	assert_int_equal(net.world->flights.bytes, bytes);
	net_end(&net);
}

/* More than the network holds: the rest is lost, and the network goes on. */
static void test_too_many(void **state)
{
	struct world_arrival arrival;
	struct endpoint s, t;
	uint64_t deadline, received = 0, sent = 20000;
	size_t length;
	int host;

	(void)state;
	net_begin(&net, "host s delay=100s\nhost t\n");
	world_listen(net.world, NULL, NULL);
	host = host_of(&net, "s");
	s = address_of(&net, host, FAMILY_IPV4, 3478);
	t = address_of(&net, host_of(&net, "t"), FAMILY_IPV4, 3478);
	length = (size_t)packet_build_udp(net.out, sizeof(net.out), &s, &t, 64, net.in, 60000);
	for (unsigned i = 0; i < sent; i++) {
		world_input(net.world, net.now++, host, net.out, length);
		assert_false(world_poll(net.world, net.now, &arrival, &deadline));
	}
	assert_true(net.world->flights.bytes <= 600u << 20);
	while (world_poll(net.world, net.now + 200 * SECOND, &arrival, &deadline))
		received++;
	assert_int_equal(received + world_lost_count(net.world, WORLD_LOST_QUEUE), sent);
	assert_true(received > 1000 && received < sent);
	world_input(net.world, net.now + 300 * SECOND, host, net.out, length);
	assert_true(world_poll(net.world, net.now + 500 * SECOND, &arrival, &deadline));
	net_end(&net);
}

/* --- events --- */

static void test_events(void **state)
{
	static const struct {
		unsigned ms;
		enum world_what what;
		const char *node;
		enum nat_side side;
		const char *reason;
	} wanted[] = {
		{0, WORLD_SENT, "a", NAT_OUTSIDE, NULL},
		{1, WORLD_RECEIVED, "n", NAT_INSIDE, NULL},
		{1, WORLD_SENT, "n", NAT_OUTSIDE, NULL},
		{3, WORLD_RECEIVED, "i", NAT_INSIDE, NULL},
		{3, WORLD_SENT, "i", NAT_OUTSIDE, NULL},
		{10, WORLD_RECEIVED, "s", NAT_OUTSIDE, NULL},
		{1000, WORLD_SENT, "s", NAT_OUTSIDE, NULL},
		{1007, WORLD_RECEIVED, "i", NAT_OUTSIDE, NULL},
		{1007, WORLD_SENT, "i", NAT_INSIDE, NULL},
		{1009, WORLD_RECEIVED, "n", NAT_OUTSIDE, NULL},
		{1009, WORLD_SENT, "n", NAT_INSIDE, NULL},
		{1010, WORLD_RECEIVED, "a", NAT_OUTSIDE, NULL},
		/* an answer of the NAT, and a loss */
		{2000, WORLD_SENT, "t", NAT_OUTSIDE, NULL},
		{2000, WORLD_LOST, "t", NAT_OUTSIDE, "ttl"},
		{3000, WORLD_SENT, "s", NAT_OUTSIDE, NULL},
		{3007, WORLD_RECEIVED, "i", NAT_OUTSIDE, "no-mapping"},
	};
	struct endpoint a, s, seen, t;
	size_t i = 0;

	(void)state;
	net_begin(&net,
		"nat i kind=cgnat delay=3ms\nnat n kind=linux behind=i delay=2ms\nhost a behind=n "
		"delay=1ms\nhost s delay=4ms\nhost t hops=1 down.loss=1\n");
	a = address_of(&net, host_of(&net, "a"), FAMILY_IPV4, 5000);
	s = address_of(&net, host_of(&net, "s"), FAMILY_IPV4, 3478);
	t = address_of(&net, host_of(&net, "t"), FAMILY_IPV4, 3478);
	for (int step = 0; step < 4; step++) {
		struct endpoint to = step == 0 ? s : seen;

		net.now = START + (unsigned)step * SECOND;
		if (step == 2)
			net_send(&net, host_of(&net, "t"), make(&net, WHAT_UDP, t, s, 1, false));
		else
			net_send(&net, host_of(&net, step ? "s" : "a"),
				make_udp(&net, step ? s : a, step == 3 ? (to.port++, to) : to, 64,
					9));
		while (net_wait_until(&net, net.now + 500 * MS))
			if (step == 0)
				seen = net.seen.source;
		for (size_t k = 0; k < net.event_count; k++, i++) {
			const struct seen_event *e = &net.events[k];
			const char *name = world_at(net.world, e->node)->name;

			assert_true(i < COUNT(wanted));
			if (e->t_us != START + wanted[i].ms * MS || e->what != wanted[i].what ||
				strcmp(name, wanted[i].node) != 0 || e->side != wanted[i].side ||
				!e->reason != !wanted[i].reason)
				fail_msg("event %zu is at %llu: %d %s %d %s", i,
					(unsigned long long)(e->t_us - START), e->what, name,
					e->side, e->reason ? e->reason : "-");
			if (e->reason)
				assert_string_equal(e->reason, wanted[i].reason);
		}
	}
	assert_int_equal(i, COUNT(wanted));
	net_end(&net);
}

static void test_names(void **state)
{
	(void)state;
	for (int r = 0; r < WORLD_LOST_REASONS; r++) {
		assert_non_null(world_lost_name((enum world_lost)r));
		for (int k = 0; k < r; k++)
			assert_string_not_equal(world_lost_name((enum world_lost)r),
				world_lost_name((enum world_lost)k));
	}
}

/* No packets at all, and none of IP: nothing comes of them. */
static void test_no_packets(void **state)
{
	static const uint8_t zeros[100];
	struct world_arrival arrival;
	uint64_t deadline;

	(void)state;
	net_begin(&net, TWO_SERVERS);
	for (size_t length = 0; length <= sizeof(zeros); length++)
		world_input(net.world, net.now, host_of(&net, "s"), zeros, length);
	assert_false(world_poll(net.world, net.now, &arrival, &deadline));
	assert_true(deadline == UINT64_MAX);
	assert_int_equal(net.event_count, 0);
	net_end(&net);
}

/* --- building --- */

static struct world_node a_host(int up, const char *address)
{
	struct world_node n = {.name = "h", .kind = WORLD_HOST, .up = up, .address_count = 1};

	n.addresses[0] = at(address);
	return n;
}

static struct world_node a_nat(int up, enum nat_translation translation, const char *external,
	const char *inside, uint8_t bits)
{
	struct world_node n = {.name = "n", .kind = WORLD_NAT, .up = up};

	n.nat.translation = translation;
	n.nat.external_count = 1;
	n.nat.external[0] = at(external);
	n.nat.inside = at(inside);
	n.inside[0] = (struct world_prefix){at(inside), bits};
	return n;
}

static struct world *two_networks(void)
{
	static const struct endpoint internet[2] = {{FAMILY_IPV4, 0, 0, {198, 19, 0, 1}},
		{FAMILY_IPV6, 0, 0, {0x20, 1, 0xd, 0xb8, 0, 0xc}}};
	struct world_node n;
	struct world *w;
	char error[100];

	assert_int_equal(world_create(1, internet, &w), 0);
	n = a_host(0, "198.51.100.1");
	assert_int_equal(world_add(w, &n, error, sizeof(error)), 1);
	n = a_nat(0, NAT_PORTS, "192.0.2.1", "10.0.1.1", 24);
	assert_int_equal(world_add(w, &n, error, sizeof(error)), 2);
	n = a_nat(0, NAT_NONE, "192.0.2.2", "198.18.1.1", 24);
	assert_int_equal(world_add(w, &n, error, sizeof(error)), 3);
	n = a_host(3, "198.18.1.2");
	assert_int_equal(world_add(w, &n, error, sizeof(error)), 4);
	return w;
}

static void test_add(void **state)
{
	struct world_node two = a_host(0, "203.0.113.1"), none = a_host(0, "203.0.113.1");
	struct world_node many = a_host(0, "203.0.113.1"), hops = a_host(0, "203.0.113.1");
	struct world_node bad = a_host(0, "203.0.113.1");
	struct world_node no_external = a_nat(0, NAT_PORTS, "192.0.2.9", "10.0.9.1", 24);
	struct world_node in_itself = a_nat(0, NAT_NONE, "198.18.9.1", "198.18.9.2", 24);

	two.addresses[two.address_count++] = at("203.0.113.1");
	none.address_count = 0;
	many.address_count = WORLD_ADDRESSES_MAX + 1;
	hops.link.hops = 33;
	bad.addresses[0].family = FAMILY_NONE;
	no_external.nat.external_count = 0;
	const struct {
		struct world_node node;
		int err;
		const char *error;
	} rows[] = {
		{a_host(0, "203.0.113.1"), 5, ""},
		{a_host(2, "203.0.113.1"), 5, ""},
		{a_host(2, "198.51.100.1"), 5, ""}, /* taken, but behind a NAT who can tell */
		{a_host(3, "203.0.113.9"), 5, ""}, /* an odd one, but it can be reached */
		{a_nat(2, NAT_PORTS, "10.0.1.9", "10.0.1.1", 24), 5, ""},
		{in_itself, 5, ""},
		{a_host(0, "198.51.100.1"), -EEXIST, "h: one of its addresses is taken"},
		{a_host(0, "192.0.2.1"), -EEXIST, "h: one of its addresses is taken"},
		{a_host(0, "198.19.0.1"), -EEXIST, "h: one of its addresses is taken"},
		{a_host(2, "10.0.1.1"), -EEXIST, "h: one of its addresses is taken"},
		{a_host(3, "198.18.1.1"), -EEXIST, "h: one of its addresses is taken"},
		{a_host(3, "192.0.2.2"), -EEXIST, "h: one of its addresses is taken"},
		{a_host(3, "198.18.1.2"), -EEXIST, "h: one of its addresses is taken"},
		{a_host(3, "198.51.100.1"), -EEXIST, "h: one of its addresses is taken"},
		{two, -EEXIST, "h: one of its addresses is taken"},
		/* networks that lie in each other */
		{a_nat(0, NAT_NONE, "192.0.2.3", "198.18.1.9", 24), -EEXIST,
			"n: one of its addresses is taken"},
		{a_nat(0, NAT_NONE, "192.0.2.3", "198.18.0.1", 16), -EEXIST,
			"n: one of its addresses is taken"},
		{a_nat(0, NAT_NONE, "192.0.2.3", "198.18.1.129", 25), -EEXIST,
			"n: one of its addresses is taken"},
		{a_nat(0, NAT_PORTS, "192.0.2.1", "10.0.9.1", 24), -EEXIST,
			"n: one of its addresses is taken"},
		{a_host(9, "203.0.113.1"), -EINVAL, "h: nothing to be behind of"},
		{a_host(-1, "203.0.113.1"), -EINVAL, "h: nothing to be behind of"},
		{a_host(5, "203.0.113.1"), -EINVAL, "h: nothing to be behind of"},
		{a_host(1, "203.0.113.1"), -EINVAL, "h: nothing to be behind of"},
		{none, -EINVAL, "h: a host needs 1 to 16 addresses"},
		{many, -EINVAL, "h: a host needs 1 to 16 addresses"},
		{hops, -EINVAL, "h: more than 32 hops"},
		{bad, -EINVAL, "h: not an address"},
		{no_external, -EINVAL, "n: its properties contradict each other"},
	};

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		struct world *w = two_networks();
		struct world_node after = a_host(0, "203.0.113.77");
		char error[100] = "";
		struct world_arrival arrival;
		uint64_t deadline;
		uint8_t bytes[100];
		struct endpoint s = at("198.51.100.1:9"), t = at("203.0.113.77:9");
		int got = world_add(w, &rows[r].node, error, sizeof(error)), number, length;

		if (got != rows[r].err)
			fail_msg("row %zu: %d, %s", r, got, error);
		assert_string_equal(error, rows[r].error);
		/* what was refused is not there, and all else goes on */
		number = got < 0 ? 5 : 6;
		assert_int_equal(world_count(w), number);
		assert_int_equal(world_add(w, &after, error, sizeof(error)), number);
		for (int back = 0; back < 2; back++) {
			length = packet_build_udp(
				bytes, sizeof(bytes), back ? &t : &s, back ? &s : &t, 64, "x", 1);
			world_input(w, START, back ? number : 1, bytes, (size_t)length);
			assert_true(world_poll(w, START, &arrival, &deadline));
			assert_int_equal(arrival.host, back ? 1 : number);
		}
		world_destroy(w);
	}
}

/* What failed has left nothing behind on the way up. */
static void test_add_after_failure(void **state)
{
	struct world *w = two_networks();
	struct world_node two = a_host(3, "198.18.1.3");
	struct world_node again = a_host(3, "198.18.1.3");
	char error[100];

	(void)state;
	two.addresses[two.address_count++] = at("198.51.100.1"); /* taken, but not here */
	assert_int_equal(world_add(w, &two, error, sizeof(error)), -EEXIST);
	assert_int_equal(world_add(w, &again, error, sizeof(error)), 5);
	world_destroy(w);
}

static void test_most_nodes(void **state)
{
	struct world *w = two_networks();
	struct world_node n;
	char text[ENDPOINT_TEXT], error[100];

	(void)state;
	for (int i = 5; i < WORLD_NODES_MAX; i++) {
		snprintf(text, sizeof(text), "203.0.%d.%d", 113 + i / 200, i % 200 + 1);
		n = a_host(0, text);
		assert_int_equal(world_add(w, &n, error, sizeof(error)), i);
	}
	n = a_host(0, "203.1.1.1");
	assert_int_equal(world_add(w, &n, error, sizeof(error)), -ENOSPC);
	assert_string_equal(error, "h: too many nodes");
	assert_int_equal(world_count(w), WORLD_NODES_MAX);
	for (int i = 5; i < WORLD_NODES_MAX; i++) {
		snprintf(text, sizeof(text), "203.0.%d.%d", 113 + i / 200, i % 200 + 1);
		assert_address(world_at(w, i)->addresses[0], at(text));
	}
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_hairpin),
		cmocka_unit_test(test_nptv6_and_nat66),
		cmocka_unit_test(test_no_route),
		cmocka_unit_test(test_ladder),
		cmocka_unit_test(test_hops_of_answers),
		cmocka_unit_test(test_no_hops),
		cmocka_unit_test(test_answers_to_others),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_filter_place),
		cmocka_unit_test(test_filter_by_protocol),
		cmocka_unit_test(test_source_check),
		cmocka_unit_test(test_loss_and_duplicates),
		cmocka_unit_test(test_rate_and_queue),
		cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_delayed_answer),
		cmocka_unit_test(test_held_fragments),
		cmocka_unit_test(test_sessions_end),
		cmocka_unit_test(test_late_looks),
		cmocka_unit_test(test_backwards),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_no_packets),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_add_after_failure),
		cmocka_unit_test(test_most_nodes),
		cmocka_unit_test(test_large_jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
