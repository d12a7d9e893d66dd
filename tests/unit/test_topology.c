// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Topologies: text to nodes, addresses for those that have none, and networks out of them. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/kinds.h"
#include "lab/topology.h"

#define COUNT(a)   (sizeof(a) / sizeof(*(a)))
#define MS	   1000ull
#define SECOND	   1000000ull
#define ERROR_SIZE 512

static char error[ERROR_SIZE];

static struct topology *create(void)
{
	struct topology *t;

	assert_int_equal(topology_create(&t), 0);
	return t;
}

static struct topology *read_text(const char *text)
{
	struct topology *t = create();

	if (topology_read(t, text, strlen(text), error, sizeof(error)))
		fail_msg("%s: %s", text, error);
	return t;
}

static void complete(struct topology *t)
{
	if (topology_complete(t, error, sizeof(error)))
		fail_msg("%s", error);
}

static struct topology *completed(const char *text)
{
	struct topology *t = read_text(text);

	complete(t);
	return t;
}

static void build(const struct topology *t)
{
	struct world *w;

	if (topology_build(t, 1, &w, error, sizeof(error)))
		fail_msg("%s", error);
	assert_int_equal(world_count(w), topology_count(t) + 1);
	world_destroy(w);
}

static const struct topology_node *node(
	const struct topology *t, enum world_kind kind, const char *name)
{
	int number = topology_find(t, kind, name);

	if (!number)
		fail_msg("no %s", name);
	return topology_at(t, number);
}

/* "alice 10.0.1.2 fd00::2; home 192.0.2.1 (10.0.1.1/24)": what each node has, in order. */
static const char *describe(const struct topology *t, char *out, size_t size)
{
	size_t n = 0;

	for (int i = 1; i <= topology_count(t); i++) {
		const struct world_node *w = &topology_at(t, i)->node;
		bool host = w->kind == WORLD_HOST;
		const struct endpoint *list = host ? w->addresses : w->nat.external;
		size_t count = host ? w->address_count : w->nat.external_count;
		char text[ENDPOINT_TEXT];

		n += (size_t)snprintf(out + n, size - n, "%s%s", i > 1 ? "; " : "", w->name);
		for (size_t k = 0; k < count; k++)
			n += (size_t)snprintf(
				out + n, size - n, " %s", endpoint_format_address(&list[k], text));
		for (int k = 0; k < 2; k++)
			if (w->inside[k].address.family != FAMILY_NONE)
				n += (size_t)snprintf(out + n, size - n, " (%s/%u)",
					endpoint_format_address(&w->inside[k].address, text),
					w->inside[k].bits);
		assert_true(n < size);
	}
	return out;
}

/* --- statements --- */

static void test_statements(void **state)
{
	struct topology *t = read_text("# a comment\n"
				       "\n"
				       "   \t \n"
				       "families 4\r\n"
				       "link delay=5ms # for all\n"
				       "nat isp kind=cgnat hops=3\n"
				       "\tnat  home\tkind=full-cone behind=isp udp.one-way=30s\n"
				       "link delay=0 up.loss=1%\n"
				       "host alice behind=home delay=1ms\n"
				       "host home behind=home\n"
				       "nat plain#comment\n"
				       "host server address=198.51.100.10,203.0.113.10");
	const struct topology_node *n;

	(void)state;
	assert_int_equal(topology_count(t), 6);
	n = topology_at(t, 1);
	assert_string_equal(n->node.name, "isp");
	assert_string_equal(n->kind, "cgnat");
	assert_true(n->carrier);
	assert_int_equal(n->node.kind, WORLD_NAT);
	assert_int_equal(n->node.up, 0);
	assert_int_equal(n->node.link.hops, 3);
	assert_int_equal(n->node.link.up.delay_us, 5 * MS);
	assert_int_equal(n->node.link.down.delay_us, 5 * MS);
	assert_true(n->node.link.up.loss == 0);
	n = node(t, WORLD_NAT, "home");
	assert_int_equal(n->node.up, 1);
	assert_false(n->carrier);
	assert_int_equal(n->node.nat.behaviour[NAT_UDP].lifetimes.one_way_us, 30 * SECOND);
	assert_int_equal(n->node.nat.behaviour[NAT_TCP].lifetimes.one_way_us, 0);
	assert_int_equal(n->node.link.hops, 0);
	n = node(t, WORLD_HOST, "alice");
	assert_int_equal(n->node.up, 2);
	assert_string_equal(n->kind, "");
	assert_int_equal(n->node.link.up.delay_us, 1 * MS);
	assert_true(n->node.link.up.loss > 0.0099 && n->node.link.up.loss < 0.0101);
	assert_true(n->node.link.down.loss == 0);
	assert_ptr_not_equal(node(t, WORLD_HOST, "home"), node(t, WORLD_NAT, "home"));
	assert_string_equal(node(t, WORLD_NAT, "plain")->kind, "linux"); /* the default */
	n = node(t, WORLD_HOST, "server");
	assert_int_equal(n->node.address_count, 2);
	assert_int_equal(topology_find(t, WORLD_HOST, "isp"), 0);
	assert_int_equal(topology_find(t, WORLD_NAT, ""), 0);
	topology_destroy(t);
}

/* Each property of a link, for both directions or one. */
static void test_link_properties(void **state)
{
	static const struct {
		const char *text;
		size_t offset; /* in the link_config */
		double value;
	} directed[] = {
		{"delay=3ms", offsetof(struct link_config, delay_us), 3000},
		{"delay=0", offsetof(struct link_config, delay_us), 0},
		{"delay=1h", offsetof(struct link_config, delay_us), 3600e6},
		{"delay=7us", offsetof(struct link_config, delay_us), 7},
		{"jitter=1.5s", offsetof(struct link_config, jitter_us), 1500000},
		{"queue=20ms", offsetof(struct link_config, queue_us), 20000},
		{"rate=1000", offsetof(struct link_config, rate_bps), 1000},
		{"rate=1000bit", offsetof(struct link_config, rate_bps), 1000},
		{"rate=64kbit", offsetof(struct link_config, rate_bps), 64000},
		{"rate=16mbit", offsetof(struct link_config, rate_bps), 16e6},
		{"rate=1000gbit", offsetof(struct link_config, rate_bps), 1e12},
		{"rate=0", offsetof(struct link_config, rate_bps), 0},
	};
	static const struct {
		const char *text;
		size_t offset;
		double value;
	} chances[] = {
		{"loss=0.25", offsetof(struct link_config, loss), 0.25},
		{"loss=25%", offsetof(struct link_config, loss), 0.25},
		{"loss=.5", offsetof(struct link_config, loss), 0.5},
		{"loss=0", offsetof(struct link_config, loss), 0},
		{"loss=100%", offsetof(struct link_config, loss), 1},
		{"duplicate=1", offsetof(struct link_config, duplicate), 1},
		{"reorder=12.5%", offsetof(struct link_config, reorder), 0.125},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(directed) + COUNT(chances); i++)
		for (int d = 0; d < 3; d++) {
			static const char *const prefixes[] = {"", "up.", "down."};
			bool number = i < COUNT(directed);
			size_t k = number ? i : i - COUNT(directed);
			size_t offset = number ? directed[k].offset : chances[k].offset;
			double value = number ? directed[k].value : chances[k].value;
			char text[200];
			struct topology *t;
			const struct world_link *l;

			snprintf(text, sizeof(text), "link %s%s\nhost h\n", prefixes[d],
				number ? directed[k].text : chances[k].text);
			t = read_text(text);
			l = &node(t, WORLD_HOST, "h")->node.link;
			for (int down = 0; down < 2; down++) {
				const char *at = (const char *)(down ? &l->down : &l->up) + offset;
				double got = number ? (double)*(const uint64_t *)(const void *)at
						    : *(const double *)(const void *)at;
				bool set = d == 0 || d == 1 + down;

				assert_true(got == (set ? value : 0));
			}
			topology_destroy(t);
		}
}

static void test_link_flags(void **state)
{
	struct topology *t =
		read_text("host h hops=32 mtu=68 mtu-silent=yes filter=udp+fragments filter-hop=32 "
			  "source-check=yes\n"
			  "host i hops=0 mtu=65535 mtu-silent=no filter=udp+tcp+icmp+fragments "
			  "source-check=no\n"
			  "link filter=icmp mtu=1400\nhost k filter=none mtu=0\nhost l\n");
	const struct world_link *l = &node(t, WORLD_HOST, "h")->node.link;

	(void)state;
	assert_int_equal(l->hops, 32);
	assert_int_equal(l->mtu, 68);
	assert_true(l->mtu_silent && l->source_check);
	assert_int_equal(l->filter, WORLD_FILTER_UDP | WORLD_FILTER_FRAGMENTS);
	assert_int_equal(l->filter_hop, 32);
	l = &node(t, WORLD_HOST, "i")->node.link;
	assert_int_equal(l->mtu, 65535);
	assert_true(!l->mtu_silent && !l->source_check);
	assert_int_equal(l->filter, 15);
	l = &node(t, WORLD_HOST, "k")->node.link;
	assert_int_equal(l->filter, 0);
	assert_int_equal(l->mtu, 0);
	l = &node(t, WORLD_HOST, "l")->node.link;
	assert_int_equal(l->filter, WORLD_FILTER_ICMP);
	assert_int_equal(l->mtu, 1400);
	topology_destroy(t);
}

/* What is listed is there, and the other way round: each line's name is taken with a value of its kind. */
static void test_listed_properties(void **state)
{
	const char *p = topology_link_properties();
	unsigned lines = 0;

	(void)state;
	for (; *p; p += strcspn(p, "\n") + 1, lines++) {
		bool directed = !strncmp(p, "[up.|down.]", 11);
		const char *name = p + (directed ? 11 : 0);
		int length = (int)strcspn(name, "=");
		char text[200];

		snprintf(text, sizeof(text), "host h %.*s=%s\n", length, name,
			strstr(name, "no|yes") && strstr(name, "no|yes") < strchr(name, '\n')
				? "yes"
				: strncmp(name, "filter=", 7) ? "0"
							      : "udp");
		topology_destroy(read_text(text));
		snprintf(text, sizeof(text), "host h up.%.*s=0\n", length, name);
		{
			struct topology *t = create();

			assert_int_equal(topology_read(t, text, strlen(text), error, sizeof(error)),
				directed ? 0 : -EINVAL);
			topology_destroy(t);
		}
	}
	assert_int_equal(lines, 13);
}

/* --- errors --- */

static const struct {
	const char *text, *error;
} bad[] = {
	{"hots a", "line 1: hots: expected host, nat, link or families"},
	{"\n\nhost", "line 3: expected a name"},
	{"nat", "line 1: expected a name"},
	{"host -a",
		"line 1: -a: a name has up to 31 letters, digits, dots, dashes and underscores"},
	{"host .a",
		"line 1: .a: a name has up to 31 letters, digits, dots, dashes and underscores"},
	{"host a/b",
		"line 1: a/b: a name has up to 31 letters, digits, dots, dashes and underscores"},
	{"host a=b",
		"line 1: a=b: a name has up to 31 letters, digits, dots, dashes and underscores"},
	{"host a1234567890123456789012345678901",
		"line 1: a1234567890123456789012345678901: a name has up to 31 letters, digits, "
		"dots, dashes and underscores"},
	{"host a\nhost a", "line 2: host a is there already"},
	{"nat a\nhost a\nnat a", "line 3: nat a is there already"},
	{"host a behind=b", "line 1: behind=b: no NAT above has this name"},
	{"host b\nhost a behind=b", "line 2: behind=b: no NAT above has this name"},
	{"nat a behind=a", "line 1: behind=a: no NAT above has this name"},
	{"host a behind=b\nnat b", "line 1: behind=b: no NAT above has this name"},
	{"host a behind", "line 1: behind: expected PROPERTY=VALUE"},
	{"host a kind=linux", "line 1: kind=linux: no such property of a host"},
	{"host a inside=10.0.0.1/8", "line 1: inside=10.0.0.1/8: no such property of a host"},
	{"host a mapping=x", "line 1: mapping=x: no such property of a host"},
	{"nat a kind=x", "line 1: x: no such kind of NAT"},
	{"nat a kind=", "line 1: : no such kind of NAT"},
	{"nat a kind=linux kind=cgnat", "line 1: kind=cgnat: it is linux already"},
	{"nat a colour=red", "line 1: colour=red: no such property of a NAT"},
	{"nat a mapping=x",
		"line 1: mapping=x: expected mapping=endpoint-independent|address-dependent|"
		"port-dependent|address-and-port-dependent"},
	{"nat a udp.hops=1", "line 1: udp.hops=1: no such property of a NAT"},
	{"nat a inside=10.0.0.1", "line 1: inside=10.0.0.1: expected ADDRESS/BITS"},
	{"nat a inside=10.0.0.1/31", "line 1: inside=10.0.0.1/31: expected ADDRESS/BITS"},
	{"nat a inside=10.0.0.1/7", "line 1: inside=10.0.0.1/7: expected ADDRESS/BITS"},
	{"nat a inside=fd00::1/127", "line 1: inside=fd00::1/127: expected ADDRESS/BITS"},
	{"nat a inside=/24", "line 1: inside=/24: expected ADDRESS/BITS"},
	{"nat a inside=10.0.0.1/24,", "line 1: inside=10.0.0.1/24,: expected ADDRESS/BITS"},
	{"nat a inside=10.0.0.1:80/24", "line 1: inside=10.0.0.1:80/24: expected ADDRESS/BITS"},
	{"nat a inside=0.0.0.0/24", "line 1: inside=0.0.0.0/24: expected ADDRESS/BITS"},
	{"nat a inside=224.0.0.1/24", "line 1: inside=224.0.0.1/24: expected ADDRESS/BITS"},
	{"host a address=", "line 1: address=: expected up to 16 addresses"},
	{"host a address=1.2.3", "line 1: address=1.2.3: expected up to 16 addresses"},
	{"host a address=1.2.3.4:5", "line 1: address=1.2.3.4:5: expected up to 16 addresses"},
	{"host a address=1.2.3.4,,1.2.3.5",
		"line 1: address=1.2.3.4,,1.2.3.5: expected up to 16 addresses"},
	{"host a address=0.0.0.0", "line 1: address=0.0.0.0: expected up to 16 addresses"},
	{"host a address=224.0.0.1", "line 1: address=224.0.0.1: expected up to 16 addresses"},
	{"host a address=255.255.255.255",
		"line 1: address=255.255.255.255: expected up to 16 addresses"},
	{"host a address=127.0.0.1", "line 1: address=127.0.0.1: expected up to 16 addresses"},
	{"host a address=ff02::1", "line 1: address=ff02::1: expected up to 16 addresses"},
	{"host a address=::1", "line 1: address=::1: expected up to 16 addresses"},
	{"host a address=::", "line 1: address=::: expected up to 16 addresses"},
	{"host a address=fe80::1%1", "line 1: address=fe80::1%1: expected up to 16 addresses"},
	{"nat a address=1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5,1.1.1.6,1.1.1.7,1.1.1.8,1.1.1.9,"
	 "1.1.1.10,1.1.1.11,1.1.1.12,1.1.1.13,1.1.1.14,1.1.1.15,1.1.1.16,1.1.1.17",
		"line 1: address=1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5,1.1.1.6,1.1.: expected up "
		"to 16 addresses"},
	{"link", NULL}, /* nothing is changed */
	{"link colour=red", "line 1: colour=red: no such property of a link"},
	{"link delay", "line 1: delay: expected PROPERTY=VALUE"},
	{"link up.hops=1", "line 1: up.hops=1: no such property of a link"},
	{"link up.=1", "line 1: up.=1: no such property of a link"},
	{"link =1", "line 1: =1: no such property of a link"},
	{"link up.down.delay=1", "line 1: up.down.delay=1: no such property of a link"},
	{"link delay=", "line 1: delay=: expected delay=TIME"},
	{"link delay=-1ms", "line 1: delay=-1ms: expected delay=TIME"},
	{"link delay=61m", "line 1: delay=61m: expected delay=TIME"},
	{"link delay=1parsec", "line 1: delay=1parsec: expected delay=TIME"},
	{"link up.loss=2", "line 1: up.loss=2: expected loss=0-1 or 0%-100%"},
	{"link loss=101%", "line 1: loss=101%: expected loss=0-1 or 0%-100%"},
	{"link loss=-1", "line 1: loss=-1: expected loss=0-1 or 0%-100%"},
	{"link loss=.", "line 1: loss=.: expected loss=0-1 or 0%-100%"},
	{"link loss=0.1.2", "line 1: loss=0.1.2: expected loss=0-1 or 0%-100%"},
	{"link loss=nan", "line 1: loss=nan: expected loss=0-1 or 0%-100%"},
	{"link loss=0x1p-3", "line 1: loss=0x1p-3: expected loss=0-1 or 0%-100%"},
	{"link loss=1%%", "line 1: loss=1%%: expected loss=0-1 or 0%-100%"},
	{"link rate=1001gbit", "line 1: rate=1001gbit: expected rate=NUMBER[kbit|mbit|gbit]"},
	{"link rate=1.5mbit", "line 1: rate=1.5mbit: expected rate=NUMBER[kbit|mbit|gbit]"},
	{"link rate=mbit", "line 1: rate=mbit: expected rate=NUMBER[kbit|mbit|gbit]"},
	{"link rate=99999999999999999999999999",
		"line 1: rate=99999999999999999999999999: expected rate=NUMBER[kbit|mbit|gbit]"},
	{"link hops=33", "line 1: hops=33: expected hops=0-32"},
	{"link filter-hop=33", "line 1: filter-hop=33: expected filter-hop=0-32, 0: the last one"},
	{"link mtu=67", "line 1: mtu=67: expected mtu=0 or 68-65535"},
	{"link mtu=65536", "line 1: mtu=65536: expected mtu=0 or 68-65535"},
	{"link mtu-silent=maybe", "line 1: mtu-silent=maybe: expected mtu-silent=no|yes"},
	{"link filter=", "line 1: filter=: expected filter=none or udp+tcp+icmp+fragments"},
	{"link filter=udp+", "line 1: filter=udp+: expected filter=none or udp+tcp+icmp+fragments"},
	{"link filter=udp+none",
		"line 1: filter=udp+none: expected filter=none or udp+tcp+icmp+fragments"},
	{"families", "line 1: families: expected 4, 6 or 4,6"},
	{"families 4 6", "line 1: families: expected 4, 6 or 4,6"},
	{"families 5", "line 1: families: expected 4, 6 or 4,6"},
	{"families ,", "line 1: families: expected 4, 6 or 4,6"},
	{"families 4,", "line 1: families: expected 4, 6 or 4,6"},
	{"families 46", "line 1: families: expected 4, 6 or 4,6"},
	{"families 4,4", "line 1: families: expected 4, 6 or 4,6"},
};

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct topology *t = create();
		int err;

		*error = '\0';
		err = topology_read(t, bad[i].text, strlen(bad[i].text), error, sizeof(error));
		assert_int_equal(err, bad[i].error ? -EINVAL : 0);
		assert_string_equal(error, bad[i].error ? bad[i].error : "");
		topology_destroy(t);
	}
}

/* What is no text, or too much of it; and the longest that is not. */
static void test_sizes(void **state)
{
	static char text[TOPOLOGY_TEXT_MAX + 1];
	struct topology *t = create();

	(void)state;
	assert_int_equal(topology_read(t, "", 0, error, sizeof(error)), 0);
	assert_int_equal(topology_read(t, "host a\0b", 8, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "not a text");
	assert_int_equal(topology_count(t), 0);
	memset(text, '\n', sizeof(text));
	assert_int_equal(
		topology_read(t, text, TOPOLOGY_TEXT_MAX + 1, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "more than 65536 bytes");
	memcpy(text + TOPOLOGY_TEXT_MAX - 4, "nope", 4);
	assert_int_equal(topology_read(t, text, TOPOLOGY_TEXT_MAX, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "line 65533: nope: expected host, nat, link or families");
	/* only so much of a text is read as there is */
	memcpy(text, "host b", 6);
	assert_int_equal(topology_read(t, text, 6, error, sizeof(error)), 0);
	assert_int_equal(topology_find(t, WORLD_HOST, "b"), 1);
	memset(text, 'x', sizeof(text));
	assert_int_equal(topology_read(t, text, TOPOLOGY_TEXT_MAX, error, sizeof(error)), -EINVAL);
	assert_true(strlen(error) < 200);
	topology_destroy(t);
}

static void test_words(void **state)
{
	char text[1000] = "host a";
	struct topology *t = create();

	(void)state;
	for (int i = 2; i < 63; i++)
		strcat(text, " delay=1");
	assert_int_equal(topology_read(t, text, strlen(text), error, sizeof(error)), 0);
	text[5] = 'b';
	strcat(text, " delay=1");
	assert_int_equal(topology_read(t, text, strlen(text), error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "line 1: more than 63 words");
	topology_destroy(t);
}

static void test_most_nodes(void **state)
{
	struct topology *t = read_text("families 6\n");
	char text[40];

	(void)state;
	for (int i = 1; i < WORLD_NODES_MAX; i++) {
		snprintf(text, sizeof(text), "host h%d\n", i);
		assert_int_equal(topology_read(t, text, strlen(text), error, sizeof(error)), 0);
	}
	assert_int_equal(topology_read(t, "host x", 6, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "line 1: more than 511 nodes");
	assert_int_equal(topology_count(t), WORLD_NODES_MAX - 1);
	complete(t);
	build(t);
	topology_destroy(t);
}

/* --- addresses --- */

static const struct {
	const char *text, *nodes; /* or the error */
} addresses[] = {
	{"host s", "s 198.51.100.1 203.0.113.1 2001:db8:100::1 2001:db8:113::1"},
	{"host s\nhost t",
		"s 198.51.100.1 203.0.113.1 2001:db8:100::1 2001:db8:113::1; "
		"t 198.51.100.2 203.0.113.2 2001:db8:100::2 2001:db8:113::2"},
	{"families 4\nhost s\nnat n\nhost a behind=n\nhost b behind=n",
		"s 198.51.100.1 203.0.113.1; n 192.0.2.1 (10.0.1.1/24); a 10.0.1.2; b 10.0.1.3"},
	/* linux does not translate IPv6 */
	{"families 6\nnat n\nhost a behind=n",
		"n 2001:db8:2::1 (2001:db8:a:1::1/64); "
		"a 2001:db8:a:1::2"},
	{"families 6\nnat n kind=symmetric\nhost a behind=n",
		"n 2001:db8:2::1 (fd00:0:0:1::1/64); a fd00:0:0:1::2"},
	{"families 6\nnat n kind=linux ipv6=translated\nhost a behind=n",
		"n 2001:db8:2::1 (fd00:0:0:1::1/64); a fd00:0:0:1::2"},
	{"families 6\nnat n kind=prefix\nhost a behind=n",
		"n 2001:db8:2::1 (fd00:0:0:1::1/64); a fd00:0:0:1::2"},
	{"families 4\nnat i kind=cgnat\nnat n behind=i\nhost a behind=n",
		"i 192.0.2.1 (100.64.1.1/24); n 100.64.1.2 (10.0.2.1/24); a 10.0.2.2"},
	{"families 4\nnat i kind=carrier-block\nnat f kind=firewall behind=i\nhost a behind=f",
		"i 192.0.2.1 (100.64.1.1/24); f 100.64.1.2 (198.18.2.1/24); a 198.18.2.2"},
	{"families 4\nnat n kind=none\nhost a behind=n",
		"n 192.0.2.1 (198.18.1.1/24); a 198.18.1.2"},
	/* one for each host of a 1:1 NAT, and for each NAT */
	{"families 4\nnat n kind=one-to-one\nhost a behind=n\nnat m behind=n\nhost b behind=n",
		"n 192.0.2.1 192.0.2.2 192.0.2.3 (10.0.1.1/24); a 10.0.1.2; m 10.0.1.3 "
		"(10.0.2.1/24); b 10.0.1.4"},
	{"families 4\nnat n kind=one-to-one", "n 192.0.2.1 (10.0.1.1/24)"},
	{"families 4\nnat n kind=one-to-one\nhost a behind=n address=10.0.1.7,10.0.1.8\n"
	 "host b behind=n",
		"n 192.0.2.1 192.0.2.2 192.0.2.3 (10.0.1.1/24); a 10.0.1.7 10.0.1.8; b 10.0.1.2"},
	/* given ones are kept, of the other family one is chosen, and taken ones are stepped over */
	{"host s address=198.51.100.2\nhost t\nhost u",
		"s 198.51.100.2 2001:db8:100::1 2001:db8:113::1; "
		"t 198.51.100.1 203.0.113.1 2001:db8:100::2 2001:db8:113::2; "
		"u 198.51.100.3 203.0.113.2 2001:db8:100::3 2001:db8:113::3"},
	{"families 4\nnat n address=192.0.2.9,192.0.2.8\nhost a behind=n address=10.0.1.3\n"
	 "host b behind=n\nhost c behind=n",
		"n 192.0.2.9 192.0.2.8 (10.0.1.1/24); a 10.0.1.3; b 10.0.1.2; c 10.0.1.4"},
	{"host s address=2001:db8:9::1,198.51.100.7", "s 2001:db8:9::1 198.51.100.7"},
	/* networks of all sizes */
	{"families 4\nnat n inside=192.168.7.254/24\nhost a behind=n",
		"n 192.0.2.1 (192.168.7.254/24); a 192.168.7.1"},
	{"families 4\nnat n inside=192.168.7.1/30\nhost a behind=n",
		"n 192.0.2.1 (192.168.7.1/30); a 192.168.7.2"},
	{"families 4\nnat n inside=192.168.7.66/29\nhost a behind=n\nhost b behind=n",
		"n 192.0.2.1 (192.168.7.66/29); a 192.168.7.65; b 192.168.7.67"},
	{"families 4\nnat n inside=192.168.7.130/25\nhost a behind=n",
		"n 192.0.2.1 (192.168.7.130/25); a 192.168.7.129"},
	{"families 4\nnat n inside=172.16.5.1/23\nhost a behind=n",
		"n 192.0.2.1 (172.16.5.1/23); a 172.16.5.2"},
	{"families 4\nnat n inside=10.1.2.3/8\nhost a behind=n",
		"n 192.0.2.1 (10.1.2.3/8); a "
		"10.1.2.1"},
	{"families 6\nnat n kind=symmetric inside=fd00::ab01/126\nhost a behind=n",
		"n 2001:db8:2::1 (fd00::ab01/126); a fd00::ab02"},
	{"families 6\nnat n kind=symmetric inside=fd00::ab41/122\nhost a behind=n",
		"n 2001:db8:2::1 (fd00::ab41/122); a fd00::ab42"},
	{"families 6\nnat n kind=symmetric inside=fd00::abff/120\nhost a behind=n\nhost b behind=n",
		"n 2001:db8:2::1 (fd00::abff/120); a fd00::ab01; b fd00::ab02"},
	{"families 6\nnat n kind=symmetric inside=fd00::abff/119\nhost a behind=n",
		"n 2001:db8:2::1 (fd00::abff/119); a fd00::aa01"},
	{"families 6\nnat n kind=symmetric inside=fd00::abff/116\nhost a behind=n",
		"n 2001:db8:2::1 (fd00::abff/116); a fd00::a001"},
	{"families 6\nnat n kind=symmetric inside=fd00:1:2:3:4:5:6789:abff/48\nhost a behind=n",
		"n 2001:db8:2::1 (fd00:1:2:3:4:5:6789:abff/48); a fd00:1:2:3:4:5:6789:a001"},
	{"nat n inside=10.9.0.1/16,fd09::1/64 kind=full-cone\nhost a behind=n",
		"n 192.0.2.1 2001:db8:2::1 (10.9.0.1/16) (fd09::1/64); a 10.9.0.2 fd09::2"},
	/* none left */
	{"families 4\nnat n inside=192.168.7.1/30\nhost a behind=n\nhost b behind=n",
		"b: no address is left"},
	{"families 6\nnat n inside=fd00::1/126\nhost a behind=n\nhost b behind=n",
		"b: no address is left"},
	{"families 4\nnat n kind=prefix\nhost a behind=n",
		"n: translates IPv6 prefixes, and there is no IPv6"},
};

static void test_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct topology *t = read_text(addresses[i].text);
		char text[2000];

		*error = '\0';
		if (topology_complete(t, error, sizeof(error))) {
			assert_string_equal(error, addresses[i].nodes);
		} else {
			assert_string_equal(describe(t, text, sizeof(text)), addresses[i].nodes);
			build(t);
			complete(t); /* once more, it changes nothing */
			assert_string_equal(describe(t, text, sizeof(text)), addresses[i].nodes);
		}
		topology_destroy(t);
	}
}

/* A whole network: all that there are, and one more. */
static void test_all_addresses(void **state)
{
	static const struct {
		const char *text, *statement, *rest;
		unsigned fit;
	} rows[] = {
		{"families 4\n", "host", "", 254},
		{"families 4\n", "nat", "", 254},
		{"families 4\nnat n\n", "host", "behind=n", 253},
		{"families 4\nnat n inside=10.0.0.1/26\n", "host", "behind=n", 61},
		{"families 6\nnat n kind=symmetric inside=fd00::1/120\n", "host", "behind=n", 253},
		{"families 4\nnat n kind=one-to-one\n", "host", "behind=n", 16},
	};

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++)
		for (unsigned more = 0; more < 2; more++) {
			struct topology *t = read_text(rows[r].text);

			for (unsigned i = 0; i < rows[r].fit + more; i++) {
				char text[60];

				snprintf(text, sizeof(text), "%s h%u %s\n", rows[r].statement, i,
					rows[r].rest);
				assert_int_equal(
					topology_read(t, text, strlen(text), error, sizeof(error)),
					0);
			}
			assert_int_equal(
				topology_complete(t, error, sizeof(error)), more ? -EINVAL : 0);
			if (more && r == 1)
				assert_non_null(strstr(error, "no address is left"));
			if (!more)
				build(t);
			topology_destroy(t);
		}
}

static void test_too_many_nats(void **state)
{
	struct topology *t = create();

	(void)state;
	for (unsigned i = 0; i < 255; i++) {
		char text[60];

		snprintf(text, sizeof(text), "nat n%u kind=linux address=192.0.3.%u\n", i,
			i % 255 + 1);
		assert_int_equal(topology_read(t, text, strlen(text), error, sizeof(error)), 0);
	}
	assert_int_equal(topology_complete(t, error, sizeof(error)), -EINVAL);
	assert_true(!strcmp(error, "more than 254 NATs") || strstr(error, "no address is left"));
	topology_destroy(t);
}

/* 1:1: each host has its external address, whoever sends first. */
static void test_bound_hosts(void **state)
{
	struct topology *t = completed("families 4,6\nnat n kind=one-to-one\nhost a behind=n\n"
				       "nat m kind=symmetric behind=n\nhost b behind=n\n");
	const struct nat_config *c = &node(t, WORLD_NAT, "n")->node.nat;

	(void)state;
	assert_int_equal(c->external_count, 6);
	for (size_t i = 0; i < c->external_count; i++) {
		static const char *const wanted[] = {"10.0.1.2", "10.0.1.3", "10.0.1.4",
			"fd00:0:0:1::2", "fd00:0:0:1::3", "fd00:0:0:1::4"};
		char text[ENDPOINT_TEXT];

		assert_string_equal(endpoint_format_address(&c->hosts[i], text), wanted[i]);
		assert_int_equal(c->hosts[i].family, c->external[i].family);
	}
	topology_destroy(t);
}

/* Routers on links have addresses that nobody else has, up to the last node. */
static void test_routers(void **state)
{
	struct topology *t = read_text("families 6\n");

	(void)state;
	for (int i = 1; i < WORLD_NODES_MAX; i++) {
		char text[40];

		snprintf(text, sizeof(text), "host h%d hops=32\n", i);
		assert_int_equal(topology_read(t, text, strlen(text), error, sizeof(error)), 0);
	}
	complete(t);
	for (int i = 1; i <= topology_count(t); i++)
		for (int k = 1; k < i; k++)
			for (int f = 0; f < 2; f++) {
				const struct endpoint *a = &topology_at(t, i)->node.link.routers[f];
				const struct endpoint *b = &topology_at(t, k)->node.link.routers[f];
				size_t last = f ? 15 : 3;

				/* the addresses are the 32 behind this one */
				assert_true(memcmp(a->address, b->address, last) ||
					abs(a->address[last] - b->address[last]) > 32);
				assert_true(a->address[last] + 32 < 255);
			}
	topology_destroy(t);
}

/* --- from the command line --- */

static void test_set_nat(void **state)
{
	static const struct {
		const char *text;
		bool add;
		const char *error;
	} rows[] = {
		{"n=cgnat", false, NULL},
		{"n=cgnat,udp.one-way=5s,delay=7ms", false, NULL},
		{"new=symmetric", true, NULL},
		{"new=symmetric", false, "new: no NAT has this name"},
		{"a=cgnat", false, "a: no NAT has this name"}, /* a host */
		{"n", false, "n: expected NAME=KIND[,PROPERTY=VALUE]"},
		{"n=", false, "n: expected a kind of NAT"},
		{"n=,", false, "n: expected a kind of NAT"},
		{"n=x", false, "x: no such kind of NAT"},
		{"n=linux,kind=cgnat", false, "kind=cgnat: it is linux already"},
		{"n=linux,x=1", false, "x=1: no such property of a NAT"},
		{"n=linux,x", false, "x: expected PROPERTY=VALUE"},
		{"n=linux,behind=n", false, "behind=n: no NAT above has this name"},
		{"n=linux,behind=m", false, "behind=m: no NAT above has this name"},
		{"m=linux,behind=n", false, NULL},
		{"=linux", true,
			": a name has up to 31 letters, digits, dots, dashes and underscores"},
		{"a b=linux", true,
			"a b: a name has up to 31 letters, digits, dots, dashes and underscores"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct topology *t = read_text("nat n kind=full-cone mapping=address-dependent "
					       "address=192.0.2.77 inside=10.3.0.1/24 hops=9\n"
					       "nat m\nhost a behind=n\n");
		int err;

		*error = '\0';
		err = topology_set_nat(t, rows[i].text, rows[i].add, error, sizeof(error));
		assert_int_equal(err, rows[i].error ? -EINVAL : 0);
		assert_string_equal(error, rows[i].error ? rows[i].error : "");
		if (!err) {
			complete(t);
			build(t);
		}
		topology_destroy(t);
	}
}

/* Of what it was, addresses and the link stay; all else is the new kind's. */
static void test_set_nat_keeps(void **state)
{
	struct topology *t = read_text("nat n kind=full-cone mapping=address-dependent "
				       "address=192.0.2.77 inside=10.3.0.1/24 hops=9\n"
				       "host a behind=n\n");
	const struct topology_node *n;
	char text[200];

	(void)state;
	assert_int_equal(topology_set_nat(t, "n=cgnat,delay=7ms", false, error, sizeof(error)), 0);
	n = node(t, WORLD_NAT, "n");
	assert_string_equal(n->kind, "cgnat");
	assert_true(n->carrier);
	assert_int_equal(n->node.link.hops, 9);
	assert_int_equal(n->node.link.up.delay_us, 7 * MS);
	assert_int_equal(n->node.nat.behaviour[0].mapping, NAT_ENDPOINT_INDEPENDENT);
	topology_set_family(t, FAMILY_IPV4);
	complete(t);
	assert_string_equal(
		describe(t, text, sizeof(text)), "n 192.0.2.77 (10.3.0.1/24); a 10.3.0.2");
	topology_destroy(t);
}

/* --nat alone: a NAT on the internet, and a host of its name on its LAN. */
static void test_add_nats(void **state)
{
	struct topology *t = read_text("link delay=20ms hops=2\n");

	(void)state;
	for (int i = 0; i < 100; i++) {
		char text[40];

		snprintf(text, sizeof(text), "x%d=symmetric", i);
		assert_int_equal(topology_set_nat(t, text, true, error, sizeof(error)), 0);
	}
	assert_int_equal(topology_count(t), 200);
	for (int i = 1; i <= 200; i++) {
		const struct world_node *n = &topology_at(t, i)->node;

		assert_int_equal(n->kind, i % 2 ? WORLD_NAT : WORLD_HOST);
		assert_int_equal(n->up, i % 2 ? 0 : i - 1);
		assert_int_equal(n->link.hops, i % 2 ? 2 : 0);
		assert_int_equal(n->link.up.delay_us, i % 2 ? 20 * MS : 0);
	}
	complete(t);
	build(t);
	topology_destroy(t);
}

static void test_set_links(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"delay=3ms", NULL},
		{"delay=3ms,up.loss=1%,hops=2", NULL},
		{"", NULL},
		{"delay=x", "delay=x: expected delay=TIME"},
		{"mapping=x", "mapping=x: no such property of a link"},
		{"delay", "delay: expected PROPERTY=VALUE"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct topology *t = read_text("nat n\nnat m\nhost a behind=n\n");

		*error = '\0';
		assert_int_equal(topology_set_links(t, rows[i].text, error, sizeof(error)),
			rows[i].error ? -EINVAL : 0);
		assert_string_equal(error, rows[i].error ? rows[i].error : "");
		if (!strncmp(rows[i].text, "delay=3ms", 9)) {
			assert_int_equal(topology_at(t, 1)->node.link.up.delay_us, 3 * MS);
			assert_int_equal(topology_at(t, 2)->node.link.down.delay_us, 3 * MS);
			assert_int_equal(topology_at(t, 3)->node.link.up.delay_us, 0);
		}
		topology_destroy(t);
	}
	{
		struct topology *t = read_text("nat n\n");
		char text[1000] = "delay=1";

		for (int i = 0; i < 70; i++)
			strcat(text, ",delay=1");
		assert_int_equal(topology_set_links(t, text, error, sizeof(error)), -EINVAL);
		assert_non_null(strstr(error, "too long"));
		topology_destroy(t);
	}
}

/* Given addresses of the other family do not stay either. */
static void test_set_family(void **state)
{
	static const char text[] =
		"nat n address=192.0.2.7,2001:db8:2::7 inside=10.0.7.1/24,fd07::1/64\n"
		"host a behind=n\nhost s address=203.0.113.9,2001:db8:9::9\n";
	static const struct {
		enum family family;
		const char *nodes;
	} rows[] = {
		{FAMILY_IPV4, "n 192.0.2.7 (10.0.7.1/24); a 10.0.7.2; s 203.0.113.9"},
		{FAMILY_IPV6, "n 2001:db8:2::7 (fd07::1/64); a fd07::2; s 2001:db8:9::9"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct topology *t = read_text(text);
		char out[300];

		topology_set_family(t, rows[i].family);
		complete(t);
		assert_string_equal(describe(t, out, sizeof(out)), rows[i].nodes);
		build(t);
		topology_destroy(t);
	}
}

/* --- networks --- */

static void test_kinds_in_builtins(void **state)
{
	(void)state;
	for (const struct topology_builtin *b = topology_builtins(); b->name; b++)
		for (const struct nat_kind *k = nat_kinds(); k->name; k++) {
			struct topology *t = read_text(b->text);
			struct world *w;

			assert_non_null(b->help);
			for (int i = 1; i <= topology_count(t); i++) {
				char text[100];

				if (topology_at(t, i)->node.kind == WORLD_HOST)
					continue;
				snprintf(text, sizeof(text), "%s=%s", topology_at(t, i)->node.name,
					k->name);
				assert_int_equal(
					topology_set_nat(t, text, false, error, sizeof(error)), 0);
			}
			assert_true(topology_find(t, WORLD_HOST, "server"));
			assert_true(topology_find(t, WORLD_HOST, "a"));
			complete(t);
			if (topology_build(t, 1, &w, error, sizeof(error)))
				fail_msg("%s with %s: %s", b->name, k->name, error);
			for (int i = 1; i <= topology_count(t); i++) {
				assert_string_equal(
					world_at(w, i)->name, topology_at(t, i)->node.name);
				assert_int_equal(world_at(w, i)->up, topology_at(t, i)->node.up);
				assert_int_equal(!world_nat(w, i),
					topology_at(t, i)->node.kind == WORLD_HOST);
			}
			world_destroy(w);
			topology_destroy(t);
		}
}

static void test_build_errors(void **state)
{
	static const struct {
		const char *text, *error;
		int err;
	} rows[] = {
		{"host a address=1.2.3.4\nhost b address=1.2.3.4",
			"b: one of its addresses is taken", -EEXIST},
		{"host a address=1.2.3.4,1.2.3.4", "a: one of its addresses is taken", -EEXIST},
		{"nat a low=2000 high=1000", "a: its properties contradict each other", -EINVAL},
		{"nat a unsolicited=blacklist", "a: its properties contradict each other", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct topology *t = completed(rows[i].text);
		struct world *w = NULL;

		assert_int_equal(topology_build(t, 1, &w, error, sizeof(error)), rows[i].err);
		assert_string_equal(error, rows[i].error);
		assert_null(w);
		topology_destroy(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_link_properties),
		cmocka_unit_test(test_link_flags),
		cmocka_unit_test(test_listed_properties),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_most_nodes),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_all_addresses),
		cmocka_unit_test(test_too_many_nats),
		cmocka_unit_test(test_bound_hosts),
		cmocka_unit_test(test_routers),
		cmocka_unit_test(test_set_nat),
		cmocka_unit_test(test_set_nat_keeps),
		cmocka_unit_test(test_add_nats),
		cmocka_unit_test(test_set_links),
		cmocka_unit_test(test_set_family),
		cmocka_unit_test(test_kinds_in_builtins),
		cmocka_unit_test(test_build_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
