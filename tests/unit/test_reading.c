// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * What foreign captures show: a row for each state of a flow, for each mapping and for each cause, with the directions of
 * the packets and without them; and whose packets they are.
 */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/reading.h"
#include "packet_kit.h"

#define HOST   "10.0.1.2:40000"
#define SERVER "203.0.113.1:3478"

struct scene {
	struct captured_list *l;
	struct reading_flow flows[READING_FLOWS];
	struct reading r;
	struct kit_packet last; /* that was no error */
	uint64_t us;
};

static struct scene scene;

#define WORDS 7

/* "H" and "S" stand for the host and the server. */
static const char *endpoint_of(const char *word)
{
	return !strcmp(word, "H") ? HOST : !strcmp(word, "S") ? SERVER : word;
}

static unsigned number(const char *word)
{
	return (unsigned)strtoul(word, NULL, 10);
}

static struct kit_packet make_error(char *const w[WORDS])
{
	struct kit_packet p =
		kit_error(w[1], &scene.last, (uint8_t)number(w[3]), (uint8_t)number(w[4]), 0);

	kit_set_ttl(&p, (uint8_t)number(w[2]));
	return p;
}

static struct kit_packet make_tcp(
	const char *what, const char *from, const char *to, const char *ttl)
{
	struct kit_packet p = kit_tcp(from, to,
		!strcmp(what, "syn")		   ? PACKET_SYN
			: !strcmp(what, "syn-ack") ? PACKET_SYN | PACKET_ACK
						   : PACKET_RST | PACKET_ACK);

	if (*ttl)
		kit_set_ttl(&p, (uint8_t)number(ttl));
	return p;
}

/*
 * "request FROM TO TRANSACTION", "answer FROM TO TRANSACTION MAPPED [PLAIN]", "rst FROM TO [TTL]", "udp", "syn",
 * "syn-ack", "echo" and "reply FROM TO", and "error FROM TTL TYPE CODE" about the last one that was none. With "!" in
 * front its checksum is wrong.
 */
static struct kit_packet make(char *const w[WORDS])
{
	const char *what = w[0] + (*w[0] == '!'), *from = endpoint_of(w[1]),
		   *to = endpoint_of(w[2]);
	struct kit_packet p;

	if (!strcmp(what, "error"))
		return make_error(w);
	if (!strcmp(what, "request"))
		p = kit_stun(from, to, STUN_REQUEST, number(w[3]));
	else if (!strcmp(what, "answer"))
		p = kit_answer(from, to, number(w[3]), endpoint_of(w[4]), *w[5] ? w[5] : NULL);
	else if (!strcmp(what, "udp"))
		p = kit_udp(from, to, "data");
	else if (!strcmp(what, "echo") || !strcmp(what, "reply"))
		p = kit_echo(from, to, *what == 'r');
	else
		p = make_tcp(what, from, to, w[3]);
	if (*w[0] == '!')
		p.bytes[p.length - 1] ^= 0x55;
	scene.last = p;
	return p;
}

static bool is_of_host(const char *from)
{
	return !strncmp(from, "10.0.1.2:", 9) || !strncmp(from, "192.0.2.77:", 11) ||
		!strncmp(from, "[2001:db8:1::2]", 15);
}

static void put_packet(char *words, bool directed)
{
	static char none[] = "";
	char *w[WORDS], *rest = words;
	struct kit_packet p;
	enum way way;

	for (size_t i = 0; i < WORDS; i++) {
		w[i] = strtok_r(NULL, " ", &rest);
		w[i] = w[i] ? w[i] : none;
	}
	way = is_of_host(endpoint_of(w[1])) ? WAY_OUT : WAY_IN;
	p = make(w);
	kit_take(scene.l, &p, directed ? way : WAY_UNKNOWN, scene.us);
	scene.us += 1000;
}

/* Packets with "; " between. */
static void put(const char *script, bool directed)
{
	char copy[1024], *rest = copy, *words;

	snprintf(copy, sizeof(copy), "%s", script);
	while ((words = strtok_r(NULL, ";", &rest)))
		put_packet(words, directed);
}

static void begin(void)
{
	scene.us = 1000000;
	assert_int_equal(captured_create(false, &scene.l), 0);
	captured_interface(scene.l, 2, "eth0");
}

static void read_scene(void)
{
	reading_judge(scene.l, scene.flows, &scene.r);
}

static void finish(void)
{
	captured_destroy(scene.l);
}

static void play(const char *script, bool directed)
{
	begin();
	put(script, directed);
	read_scene();
}

/* Something else that this host does at the same time: without directions it shows whose the packets are. */
#define OTHER "; udp 10.0.1.2:50000 198.51.100.9:53; udp 198.51.100.9:53 10.0.1.2:50000"

/* --- states --- */

static void names_states(void **state)
{
	static const struct {
		const char *script, *flow;
		bool stun, heard_first;
	} rows[] = {
		{"request H S 1; answer S H 1 H" OTHER, "works", .stun = true},
		{"udp H S; udp S H" OTHER, "works", .stun = false},
		{"udp S H; udp H S" OTHER, "works", .heard_first = true},
		{"syn H S; syn-ack S H; rst S H" OTHER, "works", .stun = false},
		{"echo 10.0.1.2:7 203.0.113.1:7; reply 203.0.113.1:7 10.0.1.2:7" OTHER, "works",
			.stun = true}, /* a question that was answered */
		{"udp H S" OTHER, "silent", .stun = false},
		{"syn H S" OTHER, "silent", .stun = false},
		{"udp H S; error 10.0.1.1 64 3 13" OTHER, "refused", .stun = false},
		{"syn H S; error 192.0.2.1 60 3 1" OTHER, "refused", .stun = false},
		{"syn H S; rst S H" OTHER, "reset", .stun = false},
		{"udp S H" OTHER, "unasked", .stun = false},
		{"syn S H" OTHER, "unasked", .stun = false},
		{"syn [2001:db8:1::2]:4000 [2001:db8::1]:80", "silent", .stun = false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (int directed = 0; directed < 2; directed++) {
			const struct reading_flow *f = &scene.flows[0];
			char local[ENDPOINT_TEXT];

			play(rows[i].script, directed);
			if (strcmp(flow_state_name(f->state), rows[i].flow) != 0)
				fail_msg("%s, directed %d: %s", rows[i].script, directed,
					flow_state_name(f->state));
			assert_int_equal(f->stun, rows[i].stun);
			assert_int_equal(f->heard_first, rows[i].heard_first);
			assert_true(scene.r.states[f->state]);
			endpoint_format(&scene.l->talks[f->talk].ends[f->local], local);
			assert_true(is_of_host(local));
			finish();
		}
}

/* An error that quotes what is not in the capture makes a flow all the same. */
static void knows_what_only_errors_tell(void **state)
{
	const struct kit_packet sent = kit_udp(HOST, SERVER, "data");
	const struct kit_packet error = kit_error("10.0.1.1", &sent, 3, 1, 0);

	(void)state;
	begin();
	kit_take(scene.l, &error, WAY_IN, scene.us);
	read_scene();
	assert_int_equal(scene.r.flow_count, 1);
	assert_string_equal(flow_state_name(scene.flows[0].state), "unheard");
	finish();
}

/* --- mappings --- */

#define A  "203.0.113.1:3478"
#define A2 "203.0.113.1:3479"
#define B  "203.0.113.2:3478"
#define M  "192.0.2.11:"
#define ASK(server, transaction, mapped) \
	"; request H " server " " transaction "; answer " server " H " transaction " " mapped

static void judges_mappings(void **state)
{
	static const struct {
		const char *script;
		enum dependence mapping;
		bool nat, changed;
		size_t seen;
	} rows[] = {
		{ASK(A, "1", "H"), DEPENDENCE_UNKNOWN, false, false, 1},
		{ASK(A, "1", "H") ASK(B, "2", "H"), DEPENDENCE_ENDPOINT_INDEPENDENT, false, false,
			2},
		{ASK(A, "1", M "7") ASK(B, "2", M "7"), DEPENDENCE_ENDPOINT_INDEPENDENT, true,
			false, 2},
		{ASK(A, "1", M "7") ASK(B, "2", M "8"), DEPENDENCE_ADDRESS, true, false, 2},
		/* two ports of one address: what depends on the address does not show there */
		{ASK(A, "1", M "7") ASK(A2, "2", M "7"), DEPENDENCE_UNKNOWN, true, false, 2},
		{ASK(A, "1", M "7") ASK(A2, "2", M "8"), DEPENDENCE_PORT, true, false, 2},
		{ASK(A, "1", M "7") ASK(A2, "2", M "8") ASK(B, "3", M "9"),
			DEPENDENCE_ADDRESS_AND_PORT, true, false, 3},
		/* the same server sees another endpoint later on: lost in between, and no dependence */
		{ASK(A, "1", M "7") ASK(A, "2", M "9"), DEPENDENCE_UNKNOWN, true, false, 2},
		/* asked twice, seen once */
		{ASK(A, "1", M "7") ASK(A, "2", M "7"), DEPENDENCE_UNKNOWN, true, false, 1},
		/* the answer comes from where nothing was sent to */
		{"request H " A " 1; answer " B " H 1 " M "7", DEPENDENCE_UNKNOWN, true, true, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (int directed = 0; directed < 2; directed++) {
			const struct reading_mapping *m = &scene.r.mappings[0];

			play(rows[i].script, directed);
			assert_int_equal(scene.r.mapping_count, 1);
			if (m->mapping != rows[i].mapping || m->nat != rows[i].nat ||
				m->changed != rows[i].changed || m->count != rows[i].seen)
				fail_msg("%s, directed %d: %s, nat %d, changed %d, %zu seen",
					rows[i].script, directed, dependence_name(m->mapping),
					m->nat, m->changed, m->count);
			for (size_t k = 0; k < m->count; k++)
				assert_non_null(captured_find(scene.l, m->seen[k].packet));
			finish();
		}
}

/* What nobody here has asked for names no endpoint of ours. */
static void believes_no_stranger(void **state)
{
	static const char *const rows[] = {"answer S H 1 " M "7" OTHER,
		("request H S 1; answer S H 2 " M "7" OTHER),
		"request S H 1; answer H S 1 S" OTHER};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		play(rows[i], true);
		assert_int_equal(scene.r.mapping_count, 0);
		finish();
	}
}

/* --- causes --- */

#define NOTHING CAUSE_IDS

struct cause_row {
	const char *script;
	enum cause_id id;
	enum certainty certainty;
	enum place where;
	int hops;
	const char *device; /* "": nobody */
	const char *packets; /* that it cites */
	const char *says; /* in its detail */
};

static const struct cause_row causes[] = {
	{"request H S 1; answer S H 1 H" OTHER, .id = NOTHING},
	/* one packet may be lost, or need no answer */
	{"udp H S" OTHER, .id = NOTHING},
	{"udp H S; udp H S" OTHER, CAUSE_BLOCKED_ON_PATH, CERTAINTY_POSSIBLE, PLACE_PATH, -1,
		"203.0.113.1", "1 2",
		"2 packets to 203.0.113.1:3478 in 0.0 s, and none from there."},
	/* nobody answers for a group */
	{"udp H 224.0.0.251:5353; udp H 224.0.0.251:5353" OTHER, .id = NOTHING},
	/* a server that answers from elsewhere, as it is told to */
	{"answer H 203.0.113.9:5000 1 S; answer H 203.0.113.9:5000 1 S" OTHER, .id = NOTHING},
	{"answer H 203.0.113.9:5000 1 S; answer H 203.0.113.9:5000 1 S; udp 203.0.113.9:1 H" OTHER,
		.id = NOTHING},
	{"udp H S; udp H S; udp 203.0.113.1:9999 H" OTHER, CAUSE_DEPENDENT_MAPPING,
		CERTAINTY_LIKELY, PLACE_PEER_NAT, -1, "203.0.113.1", "1 3",
		"2 packets to 203.0.113.1:3478 had no answer, and 1 came from 203.0.113.1:9999, "
		"where nothing was sent to."},
	{"udp H S; error 203.0.113.1 60 3 3" OTHER, CAUSE_REFUSED_BY_SERVER, CERTAINTY_CERTAIN,
		PLACE_SERVER, 5, "203.0.113.1", "1 2",
		"203.0.113.1 answered packets to 203.0.113.1:3478 with ICMP type 3 code 3 (port "
		"unreachable), 1 times."},
	{"udp H S; error 10.0.1.1 64 3 13" OTHER, CAUSE_REFUSED_ON_PATH, CERTAINTY_CERTAIN,
		PLACE_OWN_NAT, 1, "10.0.1.1", "1 2", "type 3 code 13"},
	/* "port unreachable" of a router is a rule that rejects */
	{"udp H S; error 10.0.1.1 64 3 3" OTHER, CAUSE_REFUSED_ON_PATH, CERTAINTY_CERTAIN,
		PLACE_OWN_NAT, 1, "10.0.1.1", "1 2", "type 3 code 3"},
	{"udp H S; error 192.0.2.1 253 3 9" OTHER, CAUSE_REFUSED_ON_PATH, CERTAINTY_CERTAIN,
		PLACE_PATH, 3, "192.0.2.1", "1 2", "type 3 code 9"},
	{"syn H S; error 192.0.2.1 62 3 1" OTHER, CAUSE_UNREACHABLE, CERTAINTY_CERTAIN, PLACE_PATH,
		3, "192.0.2.1", "1 2", "host unreachable"},
	/* asked for, by traceroute and by path MTU discovery */
	{"udp H S; error 192.0.2.1 62 11 0" OTHER, .id = NOTHING},
	{"udp H S; error 192.0.2.1 62 3 4" OTHER, .id = NOTHING},
	/* no router is on the way to this host itself */
	{"syn H 127.0.0.1:3478; rst 127.0.0.1:3478 H 64" OTHER, CAUSE_REFUSED_BY_SERVER,
		CERTAINTY_POSSIBLE, PLACE_UNKNOWN, 1, "127.0.0.1", "1 2", "over 0 routers"},
	{"syn H S; rst S H 64" OTHER, CAUSE_RESET_BY_NAT, CERTAINTY_LIKELY, PLACE_OWN_NAT, 1, "",
		"1 2", "TTL 64 came from 203.0.113.1:3478, over 0 routers."},
	{"syn H S; rst S H 60" OTHER, CAUSE_REFUSED_BY_SERVER, CERTAINTY_POSSIBLE, PLACE_UNKNOWN, 5,
		"203.0.113.1", "1 2", "over 4 routers"},
	/* a neighbour's RST is its own */
	{"syn H 10.0.1.7:80; rst 10.0.1.7:80 H 64" OTHER, CAUSE_REFUSED_BY_SERVER,
		CERTAINTY_POSSIBLE, PLACE_UNKNOWN, 1, "10.0.1.7", "1 2", "over 0 routers"},
	{"syn 192.0.2.77:1 192.0.2.78:80; rst 192.0.2.78:80 192.0.2.77:1 64",
		CAUSE_REFUSED_BY_SERVER, CERTAINTY_POSSIBLE, PLACE_UNKNOWN, 1, "192.0.2.78", "1 2",
		"over 0 routers"},
	{"request H S 1; !answer S H 1 H" OTHER, CAUSE_BAD_CHECKSUM, CERTAINTY_CERTAIN,
		PLACE_UNKNOWN, -1, "", "2",
		"All 1 packets from 203.0.113.1:3478 have a wrong checksum."},
	{"request H S 1; answer S H 1 " M "7 10.0.1.2:7" OTHER, CAUSE_PAYLOAD_REWRITTEN,
		CERTAINTY_LIKELY, PLACE_PATH, -1, "", "2",
		"MAPPED-ADDRESS and XOR-MAPPED-ADDRESS of 1 answers differ."},
	{ASK(A, "1", M "7") ASK(B, "2", M "7") ASK("203.0.113.3:3478", "3", M "8"),
		CAUSE_DEPENDENT_MAPPING, CERTAINTY_LIKELY, PLACE_OWN_NAT, -1, "", "2 4 6",
		"192.0.2.11:7 by one server and as 192.0.2.11:8 by another."},
	{ASK(A, "1", M "7") ASK(B, "2", M "8") ASK("203.0.113.3:3478", "3", M "7"),
		CAUSE_DEPENDENT_MAPPING, CERTAINTY_LIKELY, PLACE_OWN_NAT, -1, "", "2 4 6",
		"10.0.1.2:40000 was seen as 192.0.2.11:7 by one server and as 192.0.2.11:8 by "
		"another."},
};

static void check_cause(const struct cause_row *r)
{
	const struct cause *c = &scene.r.causes.list[0];
	char device[ENDPOINT_TEXT] = "", packets[128] = "";
	size_t length = 0;

	if (!scene.r.causes.count != (r->id == NOTHING))
		fail_msg("%s: %s", r->script, scene.r.causes.count ? cause_name(c->id) : "nothing");
	if (r->id == NOTHING)
		return;
	if (c->device.family != FAMILY_NONE)
		endpoint_format_address(&c->device, device);
	for (size_t i = 0; i < c->packet_count; i++)
		length += (size_t)snprintf(packets + length, sizeof(packets) - length, "%s%u",
			i ? " " : "", c->packets[i]);
	if (c->id != r->id || c->certainty != r->certainty || c->where != r->where ||
		c->hops != r->hops || strcmp(device, r->device) != 0 ||
		strcmp(packets, r->packets) != 0)
		fail_msg("%s: %s, %s, %s, %d hops, device %s, packets %s", r->script,
			cause_name(c->id), certainty_name(c->certainty), place_name(c->where),
			c->hops, device, packets);
	if (!strstr(c->detail, r->says))
		fail_msg("%s: %s", r->script, c->detail);
	assert_true(*c->title && *c->advice);
	assert_int_equal(c->evidence_count, 0);
}

static void names_causes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(causes) / sizeof(*causes); i++)
		for (int directed = 0; directed < 2; directed++) {
			play(causes[i].script, directed);
			check_cause(&causes[i]);
			finish();
		}
}

/* What is certain comes first, and what is merely possible is told, too: each flow is a matter of its own. */
static void tells_all_causes(void **state)
{
	(void)state;
	play("udp H 203.0.113.5:1; udp H 203.0.113.5:1; syn H S; rst S H 60; udp H 203.0.113.6:1; "
	     "error 192.0.2.1 60 3 1",
		true);
	assert_int_equal(scene.r.causes.count, 3);
	assert_string_equal(cause_name(scene.r.causes.list[0].id), "unreachable");
	assert_string_equal(cause_name(scene.r.causes.list[1].id), "refused-by-server");
	assert_string_equal(cause_name(scene.r.causes.list[2].id), "blocked-on-path");
	finish();
}

/* More than can be cited. */
static void counts_all_answers(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 1; i <= 40; i++) {
		char script[128];

		snprintf(script, sizeof(script), "request H S %u; answer S H %u " M "7 10.0.1.2:7",
			i, i);
		put(script, true);
	}
	read_scene();
	assert_int_equal(scene.r.causes.list[0].packet_count, CAUSE_PACKETS);
	assert_non_null(strstr(scene.r.causes.list[0].detail, "of 40 answers"));
	finish();
}

/* --- whose packets --- */

static void check_hosts(bool guessed, const char *hosts)
{
	char text[ENDPOINT_TEXT], all[512] = "";

	for (size_t i = 0; i < scene.r.host_count; i++) {
		strcat(all, i ? " " : "");
		strcat(all, endpoint_format_address(&scene.r.hosts[i], text));
		assert_int_equal(scene.r.hosts[i].port, 0);
	}
	assert_string_equal(all, hosts);
	assert_int_equal(scene.r.guessed, guessed);
}

static void finds_hosts(void **state)
{
	static const struct {
		const char *script;
		bool directed;
		const char *hosts;
	} rows[] = {
		/* the capture says so */
		{"udp H S; udp S H", true, "10.0.1.2"},
		/* one talk: who has begun it */
		{"udp H S; udp S H", false, "10.0.1.2"},
		{"udp S H", false, "203.0.113.1"},
		/* several: who has a part in most of them, whoever began */
		{"udp S H; udp 203.0.113.2:1 H", false, "10.0.1.2"},
		{"udp 198.51.100.7:53 10.0.1.2:1; udp 198.51.100.7:53 10.0.1.3:1; "
		 "udp 198.51.100.7:53 10.0.1.4:1",
			false, "198.51.100.7"},
		/* a tie: who asks is at home */
		{"udp H S; udp 198.51.100.1:1 10.0.1.2:1; udp 203.0.113.1:1 198.51.100.1:2", false,
			"10.0.1.2"},
		/* each family for itself */
		{"udp H S; udp [2001:db8:1::2]:1 [2001:db8::1]:1", false, "10.0.1.2 2001:db8:1::2"},
		{"udp H S; udp [2001:db8:1::2]:1 [2001:db8::1]:1", true, "10.0.1.2 2001:db8:1::2"},
		{"", false, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		play(rows[i].script, rows[i].directed);
		check_hosts(!rows[i].directed && *rows[i].hosts, rows[i].hosts);
		finish();
	}
}

/* --- bounds --- */

static void bounds_flows_and_mappings(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < READING_FLOWS + 50; i++) {
		char script[160];

		snprintf(script, sizeof(script),
			"request 10.0.1.2:%u S %u; answer S 10.0.1.2:%u %u " M "7", 1024 + i, i,
			1024 + i, i);
		put(script, true);
	}
	read_scene();
	assert_int_equal(scene.r.flow_count, READING_FLOWS);
	assert_int_equal(scene.r.states[FLOW_WORKS], READING_FLOWS + 50);
	assert_int_equal(scene.r.mapping_count, READING_MAPPINGS);
	finish();
}

static void bounds_servers_and_hosts(void **state)
{
	char script[160];

	(void)state;
	begin();
	for (unsigned i = 1; i <= READING_SEEN + 4; i++) {
		snprintf(script, sizeof(script),
			"request H 203.0.113.%u:3478 %u; answer 203.0.113.%u:3478 H %u " M "7", i,
			i, i, i);
		put(script, true);
	}
	for (unsigned i = 1; i <= READING_HOSTS + 4; i++) {
		struct kit_packet p;

		snprintf(script, sizeof(script), "10.0.2.%u:1", i);
		p = kit_udp(script, SERVER, "data");
		kit_take(scene.l, &p, WAY_OUT, scene.us);
	}
	read_scene();
	assert_int_equal(scene.r.mappings[0].count, READING_SEEN);
	assert_int_equal(scene.r.mappings[0].mapping, DEPENDENCE_ENDPOINT_INDEPENDENT);
	assert_int_equal(scene.r.host_count, READING_HOSTS);
	finish();
}

/* Two hundred addresses that are silent: no more causes than there is room for. */
static void bounds_causes(void **state)
{
	char script[160];

	(void)state;
	begin();
	for (unsigned i = 1; i <= 200; i++) {
		snprintf(
			script, sizeof(script), "udp H 203.0.113.%u:9; udp H 203.0.113.%u:9", i, i);
		put(script, true);
	}
	read_scene();
	assert_int_equal(scene.r.causes.count, CAUSES_MAX);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_states),
		cmocka_unit_test(knows_what_only_errors_tell),
		cmocka_unit_test(judges_mappings),
		cmocka_unit_test(believes_no_stranger),
		cmocka_unit_test(names_causes),
		cmocka_unit_test(tells_all_causes),
		cmocka_unit_test(counts_all_answers),
		cmocka_unit_test(finds_hosts),
		cmocka_unit_test(bounds_flows_and_mappings),
		cmocka_unit_test(bounds_servers_and_hosts),
		cmocka_unit_test(bounds_causes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
