// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Why a run failed: a row for each rule, with a capture and without one. Without it there is never a wrong cause. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "journal_build.h"
#include "judge/causes.h"
#include "judge/causes_punch.h"
#include "packet_kit.h"

#define HOST   "10.0.1.2:40000"
#define SERVER "203.0.113.1:3478"
#define ROUTER "10.0.1.1"
#define FAR    "192.0.2.1"

/* One run: two servers may have been asked, the first one has failed. */
struct scene {
	struct journal *j;
	struct observation *o; /* the first server's first question */
	struct captured_list *l;
	struct host_record host;
	uint64_t us;
};

static void begin(struct scene *s, enum transport transport)
{
	struct endpoint to;
	size_t server;

	*s = (struct scene){.j = build_journal(), .us = 1000000};
	server = build_server(s->j);
	to = build_target(s->j, server, false, false);
	s->o = build_ask(s->j, QUESTION_BINDING, server, BUILD_SOCKET, &to, &to, 0);
	s->o->transport = s->j->servers[server].transport = transport;
	s->o->sent = 3;
	s->o->settled_us = s->o->first_sent_us + 900000;
	assert_int_equal(captured_create(true, &s->l), 0);
	captured_interface(s->l, 2, "eth0");
	captured_interface(s->l, 3, "eth1");
	s->host.interface_count = 2;
	s->host.interfaces[0] = (struct host_interface){.index = 2, .name = "eth0"};
	s->host.interfaces[1] = (struct host_interface){.index = 3, .name = "eth1"};
	s->host.counters.known = true;
}

static void finish(struct scene *s)
{
	captured_destroy(s->l);
	journal_destroy(s->j);
}

static void take_on(struct scene *s, const struct kit_packet *p, enum way way, size_t interface)
{
	const struct captured_packet packet = {.number = (uint32_t)s->l->count + 1,
		.t_us = s->us,
		.interface = interface,
		.way = way,
		.ip = {p->bytes, p->length}};

	captured_take(s->l, &packet);
	s->us += 1000;
}

static void left(struct scene *s)
{
	struct kit_packet p = s->o->transport == TRANSPORT_TCP
		? kit_tcp(HOST, SERVER, PACKET_SYN)
		: kit_stun(HOST, SERVER, STUN_REQUEST, 1);

	for (unsigned i = 0; i < s->o->sent; i++)
		take_on(s, &p, WAY_OUT, 0);
}

static void came(struct scene *s, size_t interface, bool broken)
{
	struct kit_packet p = s->o->transport == TRANSPORT_TCP
		? kit_tcp(SERVER, HOST, PACKET_SYN | PACKET_ACK)
		: kit_stun(SERVER, HOST, STUN_SUCCESS, 1);

	if (broken)
		p.bytes[p.length - 1] ^= 0x55;
	for (unsigned i = 0; i < s->o->sent; i++)
		take_on(s, &p, WAY_IN, interface);
}

static void reset(struct scene *s, uint8_t ttl)
{
	struct kit_packet p = kit_tcp(SERVER, HOST, PACKET_RST | PACKET_ACK);

	kit_set_ttl(&p, ttl);
	s->o->own.outcome = CONNECTION_REFUSED;
	s->o->own.error = ECONNREFUSED;
	left(s);
	take_on(s, &p, WAY_IN, 0);
}

static void icmp(struct scene *s, const char *from, uint8_t type, uint8_t code, uint8_t ttl)
{
	struct kit_packet sent = kit_stun(HOST, SERVER, STUN_REQUEST, 1);
	struct kit_packet error = kit_error(from, &sent, type, code, 0);

	kit_set_ttl(&error, ttl);
	s->o->state = OBSERVATION_REFUSED;
	s->o->icmp = (struct icmp_seen){.count = 2,
		.error = ECONNREFUSED,
		.type = type,
		.code = code,
		.offender = build_at(from)};
	s->o->icmp.offender.port = 0;
	left(s);
	take_on(s, &error, WAY_IN, 0);
}

/* What another question to the same host has come to. */
static struct observation *control(struct scene *s, enum question question, bool answered)
{
	struct observation *o = build_ask(
		s->j, question, s->o->server, 40100, &s->o->to, &s->o->to, answered ? 40100 : 0);

	o->transport = TRANSPORT_UDP;
	return o;
}

static void second_server(struct scene *s, bool answers)
{
	size_t server = build_server(s->j);
	struct endpoint to = build_target(s->j, server, false, false);
	struct kit_packet p = kit_stun("10.0.1.2:40001", "203.0.113.2:3478", STUN_REQUEST, 2);

	take_on(s, &p, WAY_OUT, 0);
	s->j->servers[server].transport = s->o->transport;
	build_ask(s->j, QUESTION_BINDING, server, 40001, &to, &to, answers ? 40001 : 0)->transport =
		s->o->transport;
}

/* --- the scenes --- */

static void output_refused(struct scene *s)
{
	s->o->state = OBSERVATION_REFUSED;
	s->o->icmp = (struct icmp_seen){.count = 3, .local = true, .error = EPERM};
}

static void output_rejected(struct scene *s)
{
	icmp(s, "10.0.1.2", 3, 3, 64);
}

static void output_swallowed(struct scene *s)
{
	(void)s; /* the socket took three, and the capture has none */
}

static void no_route(struct scene *s)
{
	s->o->state = OBSERVATION_REFUSED;
	s->o->sent = 0;
	s->o->icmp = (struct icmp_seen){.count = 1, .local = true, .error = ENETUNREACH};
}

/* EACCES is a firewall's word, and that of a route; EINVAL is no word of the network but by a route. */
static void output_denied(struct scene *s)
{
	output_refused(s);
	s->o->icmp.error = EACCES;
	s->host.ways[s->host.way_count++] = (struct host_way){.to = s->o->to};
}

static void route_prohibits(struct scene *s)
{
	output_denied(s);
	s->host.ways[0].refused = EACCES;
}

static void route_prohibits_tcp(struct scene *s)
{
	output_denied(s);
	s->host.ways[0].refused = EACCES;
	s->o->icmp.count = 0;
	s->o->own.outcome = CONNECTION_LOCAL;
	s->o->own.error = EACCES;
}

static void black_hole(struct scene *s)
{
	output_denied(s);
	s->o->icmp.error = EINVAL;
	s->host.ways[0].refused = EINVAL;
}

static void no_black_hole(struct scene *s)
{
	output_denied(s);
	s->o->icmp.error = EINVAL;
	s->o->sent = 0;
}

static void no_neighbour(struct scene *s)
{
	s->o->state = OBSERVATION_REFUSED;
	s->o->icmp = (struct icmp_seen){.count = 1, .local = true, .error = EHOSTUNREACH};
}

static void input_dropped(struct scene *s)
{
	left(s);
	came(s, 0, false);
}

static void input_dropped_busy(struct scene *s)
{
	input_dropped(s);
	s->host.counters.buffers = 7;
}

static void wrong_checksum(struct scene *s)
{
	left(s);
	came(s, 0, true);
	s->host.counters.checksums = 3;
}

static void reverse_path(struct scene *s)
{
	left(s);
	came(s, 1, false);
	s->host.interfaces[1].strict = true;
	s->host.counters.reverse_path = 3;
}

static void strict_interface(struct scene *s)
{
	left(s);
	came(s, 1, false);
	s->host.interfaces[1].strict = true;
	s->host.counters.known = false;
}

static void way(struct scene *s, unsigned interface)
{
	s->host.ways[s->host.way_count++] =
		(struct host_way){.to = s->o->to, .interface = interface};
}

/* All that leaves by a tunnel since there is nothing else goes no other way. */
static void by_tunnel(struct scene *s)
{
	left(s);
	s->host.interfaces[0].tunnel = true;
	way(s, 2);
}

static void by_policy(struct scene *s)
{
	left(s);
	way(s, 3);
}

/* -I: the other way is meant. */
static void chosen(struct scene *s)
{
	by_policy(s);
	s->host.chosen = true;
}

static void no_neighbour_told(struct scene *s)
{
	icmp(s, "10.0.1.2", 3, 1, 64);
	s->l->count = 0; /* nothing leaves */
}

static void no_neighbour_tcp(struct scene *s)
{
	s->o->own.outcome = CONNECTION_UNREACHABLE;
	s->o->own.error = EHOSTUNREACH;
	s->o->own.took_us = 3050000;
}

/* The server is this host. */
static void closed_here(struct scene *s)
{
	icmp(s, "203.0.113.1", 3, 3, 64);
	s->host.addresses[s->host.address_count++] = s->o->to;
}

static void prohibited_there(struct scene *s)
{
	icmp(s, "203.0.113.1", 3, 13, 61);
}

static void reset_neighbour(struct scene *s)
{
	way(s, 2);
	s->host.ways[0].specific = s->host.ways[0].neighbour = true;
	reset(s, 64);
}

/* The counter is of the whole host. */
static void reverse_path_of_others(struct scene *s)
{
	input_dropped(s);
	s->host.counters.reverse_path = 3;
}

/* … and the filter is strict, but the way back is the way that they came by. */
static void reverse_path_right(struct scene *s)
{
	reverse_path_of_others(s);
	s->host.interfaces[0].strict = true;
	way(s, 2);
	s->host.ways[0].back = 2;
}

static void late(struct scene *s)
{
	left(s);
	s->us = s->o->settled_us + 1000;
	came(s, 0, false);
}

static void closed(struct scene *s)
{
	icmp(s, "203.0.113.1", 3, 3, 61);
}

static void prohibited_near(struct scene *s)
{
	icmp(s, ROUTER, 3, 13, 64);
}

static void prohibited_far(struct scene *s)
{
	icmp(s, FAR, 3, 13, 253);
}

static void undeliverable(struct scene *s)
{
	icmp(s, FAR, 3, 1, 62);
}

static void loop(struct scene *s)
{
	icmp(s, FAR, 11, 0, 62);
}

/* An answer over UDP has shown how far away the server is. */
static void know_distance(struct scene *s)
{
	control(s, QUESTION_PORTS, true)->answer.ttl = 60;
}

static void reset_far(struct scene *s)
{
	know_distance(s);
	reset(s, 60);
}

static void reset_near(struct scene *s)
{
	know_distance(s);
	reset(s, 62);
}

static void reset_first(struct scene *s)
{
	know_distance(s);
	reset(s, 64);
}

static void reset_somewhere(struct scene *s)
{
	reset(s, 60);
}

static void connected_mute(struct scene *s)
{
	s->o->own.outcome = CONNECTION_MADE;
	left(s);
	came(s, 0, false);
}

static void portal(struct scene *s)
{
	connected_mute(s);
	s->o->malformed = 1;
}

static void portal_near(struct scene *s)
{
	struct kit_packet p = kit_tcp(SERVER, HOST, PACKET_SYN | PACKET_ACK);

	control(s, QUESTION_PORTS, true)->answer.ttl = 57;
	s->o->own.outcome = CONNECTION_MADE;
	left(s);
	take_on(s, &p, WAY_IN, 0);
}

static void wrong_source(struct scene *s)
{
	s->o->wrong_source = 2;
	s->o->wrong_from = build_at("203.0.113.77:3478");
	left(s);
}

static void gibberish(struct scene *s)
{
	s->o->malformed = 2;
	left(s);
}

static void silence(struct scene *s)
{
	left(s);
}

static void silence_host_there(struct scene *s)
{
	left(s);
	control(s, QUESTION_UDP_CONTROL, true);
}

static void silence_others_answer(struct scene *s)
{
	left(s);
	second_server(s, true);
}

static void silence_hosts_alive(struct scene *s)
{
	struct observation *o;

	left(s);
	second_server(s, false);
	control(s, QUESTION_TCP_CONTROL, true);
	o = control(s, QUESTION_TCP_CONTROL, true);
	o->to = s->j->servers[1].endpoint;
}

#define NOTHING CAUSE_IDS

static const struct row {
	const char *name;
	enum transport transport;
	void (*stage)(struct scene *s);
	enum cause_id with, without; /* the main cause, with a capture and without */
	enum certainty certainty; /* with a capture */
	enum place where;
	int hops;
	size_t packets; /* that it cites */
} rows[] = {
	{"output, EPERM", TRANSPORT_UDP, output_refused, CAUSE_LOCAL_FIREWALL_OUTPUT,
		CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_CERTAIN, PLACE_HOST, -1, 0},
	{"output, rejected", TRANSPORT_UDP, output_rejected, CAUSE_LOCAL_FIREWALL_OUTPUT,
		CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_CERTAIN, PLACE_HOST, -1, 2},
	{"output, swallowed", TRANSPORT_UDP, output_swallowed, CAUSE_LOCAL_FIREWALL_OUTPUT, NOTHING,
		CERTAINTY_POSSIBLE, PLACE_HOST, -1, 0},
	{"output, TCP swallowed", TRANSPORT_TCP, output_swallowed, CAUSE_LOCAL_FIREWALL_OUTPUT,
		NOTHING, CERTAINTY_LIKELY, PLACE_HOST, -1, 0},
	{"output, EACCES", TRANSPORT_UDP, output_denied, CAUSE_LOCAL_FIREWALL_OUTPUT,
		CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_CERTAIN, PLACE_HOST, -1, 0},
	{"prohibited by a route", TRANSPORT_UDP, route_prohibits, CAUSE_NO_ROUTE, CAUSE_NO_ROUTE,
		CERTAINTY_CERTAIN, PLACE_HOST, -1, 0},
	{"TCP prohibited by a route", TRANSPORT_TCP, route_prohibits_tcp, CAUSE_NO_ROUTE,
		CAUSE_NO_ROUTE, CERTAINTY_CERTAIN, PLACE_HOST, -1, 0},
	{"black hole", TRANSPORT_UDP, black_hole, CAUSE_NO_ROUTE, CAUSE_NO_ROUTE, CERTAINTY_CERTAIN,
		PLACE_HOST, -1, 0},
	{"no route", TRANSPORT_UDP, no_route, CAUSE_NO_ROUTE, CAUSE_NO_ROUTE, CERTAINTY_CERTAIN,
		PLACE_HOST, -1, 0},
	{"no neighbour", TRANSPORT_UDP, no_neighbour, CAUSE_NO_ROUTE, CAUSE_NO_ROUTE,
		CERTAINTY_CERTAIN, PLACE_HOST, -1, 0},
	{"no neighbour, ICMP", TRANSPORT_UDP, no_neighbour_told, CAUSE_NO_ROUTE, CAUSE_NO_ROUTE,
		CERTAINTY_CERTAIN, PLACE_HOST, -1, 0},
	{"no neighbour, TCP", TRANSPORT_TCP, no_neighbour_tcp, CAUSE_NO_ROUTE, NOTHING,
		CERTAINTY_CERTAIN, PLACE_HOST, -1, 0},
	{"closed here", TRANSPORT_UDP, closed_here, CAUSE_REFUSED_BY_SERVER,
		CAUSE_REFUSED_BY_SERVER, CERTAINTY_CERTAIN, PLACE_SERVER, 1, 3},
	{"the server's firewall", TRANSPORT_UDP, prohibited_there, CAUSE_REFUSED_ON_PATH,
		CAUSE_REFUSED_ON_PATH, CERTAINTY_CERTAIN, PLACE_SERVER, 4, 3},
	{"RST of a neighbour", TRANSPORT_TCP, reset_neighbour, CAUSE_REFUSED_BY_SERVER, NOTHING,
		CERTAINTY_LIKELY, PLACE_SERVER, 1, 3},
	{"reverse path of others", TRANSPORT_UDP, reverse_path_of_others,
		CAUSE_LOCAL_FIREWALL_INPUT, NOTHING, CERTAINTY_LIKELY, PLACE_HOST, -1, 3},
	{"reverse path is right", TRANSPORT_UDP, reverse_path_right, CAUSE_LOCAL_FIREWALL_INPUT,
		NOTHING, CERTAINTY_LIKELY, PLACE_HOST, -1, 3},
	{"late answers", TRANSPORT_UDP, late, CAUSE_BLOCKED_ON_PATH, NOTHING, CERTAINTY_POSSIBLE,
		PLACE_PATH, -1, 2},
	{"-I", TRANSPORT_UDP, chosen, CAUSE_BLOCKED_ON_PATH, NOTHING, CERTAINTY_POSSIBLE,
		PLACE_PATH, -1, 2},
	{"input", TRANSPORT_UDP, input_dropped, CAUSE_LOCAL_FIREWALL_INPUT, NOTHING,
		CERTAINTY_CERTAIN, PLACE_HOST, -1, 3},
	{"input, TCP", TRANSPORT_TCP, input_dropped, CAUSE_LOCAL_FIREWALL_INPUT, NOTHING,
		CERTAINTY_CERTAIN, PLACE_HOST, -1, 3},
	{"input, other reasons there", TRANSPORT_UDP, input_dropped_busy,
		CAUSE_LOCAL_FIREWALL_INPUT, NOTHING, CERTAINTY_LIKELY, PLACE_HOST, -1, 3},
	{"checksum", TRANSPORT_UDP, wrong_checksum, CAUSE_BAD_CHECKSUM, NOTHING, CERTAINTY_CERTAIN,
		PLACE_PATH, -1, 3},
	{"reverse path", TRANSPORT_UDP, reverse_path, CAUSE_REVERSE_PATH_FILTER, NOTHING,
		CERTAINTY_CERTAIN, PLACE_HOST, -1, 3},
	{"reverse path, not counted", TRANSPORT_UDP, strict_interface, CAUSE_REVERSE_PATH_FILTER,
		NOTHING, CERTAINTY_LIKELY, PLACE_HOST, -1, 3},
	{"tunnel", TRANSPORT_UDP, by_tunnel, CAUSE_BLOCKED_ON_PATH, NOTHING, CERTAINTY_POSSIBLE,
		PLACE_PATH, -1, 2},
	{"policy route", TRANSPORT_UDP, by_policy, CAUSE_OTHER_WAY, NOTHING, CERTAINTY_LIKELY,
		PLACE_HOST, -1, 2},
	{"closed", TRANSPORT_UDP, closed, CAUSE_REFUSED_BY_SERVER, CAUSE_REFUSED_BY_SERVER,
		CERTAINTY_CERTAIN, PLACE_SERVER, 4, 3},
	{"prohibited by the first router", TRANSPORT_UDP, prohibited_near, CAUSE_REFUSED_ON_PATH,
		CAUSE_REFUSED_ON_PATH, CERTAINTY_CERTAIN, PLACE_OWN_NAT, 1, 3},
	{"prohibited farther away", TRANSPORT_UDP, prohibited_far, CAUSE_REFUSED_ON_PATH,
		CAUSE_REFUSED_ON_PATH, CERTAINTY_CERTAIN, PLACE_PATH, 3, 3},
	{"undeliverable", TRANSPORT_UDP, undeliverable, CAUSE_UNREACHABLE, CAUSE_UNREACHABLE,
		CERTAINTY_CERTAIN, PLACE_PATH, 3, 3},
	{"loop", TRANSPORT_UDP, loop, CAUSE_ROUTING_LOOP, CAUSE_ROUTING_LOOP, CERTAINTY_LIKELY,
		PLACE_PATH, 3, 3},
	{"RST from as far as the server", TRANSPORT_TCP, reset_far, CAUSE_REFUSED_BY_SERVER,
		NOTHING, CERTAINTY_LIKELY, PLACE_SERVER, 5, 3},
	{"RST from nearer", TRANSPORT_TCP, reset_near, CAUSE_RESET_ON_PATH, NOTHING,
		CERTAINTY_LIKELY, PLACE_PATH, 3, 3},
	{"RST of the first router", TRANSPORT_TCP, reset_first, CAUSE_RESET_BY_NAT, NOTHING,
		CERTAINTY_LIKELY, PLACE_OWN_NAT, 1, 3},
	{"RST, nothing to compare", TRANSPORT_TCP, reset_somewhere, CAUSE_REFUSED_BY_SERVER,
		NOTHING, CERTAINTY_POSSIBLE, PLACE_SERVER, 5, 3},
	{"connected, mute", TRANSPORT_TCP, connected_mute, CAUSE_SERVER_SILENT, CAUSE_SERVER_SILENT,
		CERTAINTY_LIKELY, PLACE_SERVER, -1, 3},
	{"portal", TRANSPORT_TCP, portal, CAUSE_CAPTIVE_PORTAL, CAUSE_CAPTIVE_PORTAL,
		CERTAINTY_LIKELY, PLACE_PATH, -1, 3},
	{"portal, nearer", TRANSPORT_TCP, portal_near, CAUSE_CAPTIVE_PORTAL, CAUSE_SERVER_SILENT,
		CERTAINTY_LIKELY, PLACE_PATH, -1, 3},
	{"other endpoint", TRANSPORT_UDP, wrong_source, CAUSE_OTHER_ENDPOINT, CAUSE_OTHER_ENDPOINT,
		CERTAINTY_CERTAIN, PLACE_SERVER, -1, 2},
	{"gibberish", TRANSPORT_UDP, gibberish, CAUSE_LYING_SERVER, CAUSE_LYING_SERVER,
		CERTAINTY_CERTAIN, PLACE_SERVER, -1, 2},
	{"silence", TRANSPORT_UDP, silence, CAUSE_BLOCKED_ON_PATH, NOTHING, CERTAINTY_POSSIBLE,
		PLACE_PATH, -1, 2},
	{"silence, the host is there", TRANSPORT_UDP, silence_host_there, CAUSE_SERVER_SILENT,
		NOTHING, CERTAINTY_LIKELY, PLACE_SERVER, -1, 2},
	{"silence, others answer", TRANSPORT_UDP, silence_others_answer, CAUSE_SERVER_SILENT,
		NOTHING, CERTAINTY_LIKELY, PLACE_SERVER, -1, 2},
	{"silence, hosts are there", TRANSPORT_UDP, silence_hosts_alive, CAUSE_BLOCKED_ON_PATH,
		NOTHING, CERTAINTY_LIKELY, PLACE_PATH, -1, 3},
};

static void judge_scene(struct scene *s, bool captured, bool gaps, struct causes *out)
{
	static struct joined joined[JOURNAL_OBSERVATIONS];
	static struct verdict verdict;
	struct cause_facts facts = {
		.journal = s->j, .verdict = &verdict, .gaps = gaps, .host = &s->host};

	judge(s->j, &verdict);
	if (captured) {
		join_journal(s->l, s->j);
		join_tally(s->l, s->j, joined);
		facts.captured = s->l;
		facts.joined = joined;
	}
	judge_causes(&facts, out);
}

static const char *main_cause(const struct causes *c)
{
	return c->count ? cause_name(c->list[0].id) : "nothing";
}

static const char *name_of(enum cause_id id)
{
	return id == NOTHING ? "nothing" : cause_name(id);
}

static void check_packets(const struct scene *s, const struct cause *c)
{
	for (size_t i = 0; i < c->packet_count; i++)
		assert_non_null(captured_find(s->l, c->packets[i]));
	assert_int_equal(c->evidence_count > 0, true);
}

static void names_the_cause(void **state)
{
	static struct causes causes;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *r = &rows[i];
		struct scene s;

		begin(&s, r->transport);
		r->stage(&s);
		judge_scene(&s, true, false, &causes);
		if (strcmp(main_cause(&causes), name_of(r->with)) ||
			causes.list[0].certainty != r->certainty ||
			causes.list[0].where != r->where || causes.list[0].hops != r->hops ||
			causes.list[0].packet_count != r->packets)
			fail_msg("%s: %s, %s, %s, %d hops, %zu packets", r->name,
				main_cause(&causes), certainty_name(causes.list[0].certainty),
				place_name(causes.list[0].where), causes.list[0].hops,
				causes.list[0].packet_count);
		check_packets(&s, &causes.list[0]);
		assert_true(*causes.list[0].title && *causes.list[0].detail);
		judge_scene(&s, false, false, &causes);
		if (strcmp(main_cause(&causes), name_of(r->without)))
			fail_msg("%s, without a capture: %s", r->name, main_cause(&causes));
		if (causes.count)
			assert_int_equal(causes.list[0].packet_count, 0);
		finish(&s);
	}
}

/* EINVAL that no route explains is no sign of anything. */
static void knows_no_black_hole(void **state)
{
	static struct causes causes;
	struct scene s;

	(void)state;
	begin(&s, TRANSPORT_UDP);
	no_black_hole(&s);
	for (int captured = 0; captured < 2; captured++) {
		judge_scene(&s, captured, false, &causes);
		assert_int_equal(causes.count, 0);
	}
	finish(&s);
}

/* The sockets of a punch are bound to a port alone: packets are theirs all the same, and the host knows its addresses. */
static void knows_sockets_without_address(void **state)
{
	static const struct {
		void (*stage)(struct scene *s);
		const char *cause;
		size_t packets;
		bool without; /* a capture it is named, too */
	} scenes[] = {{output_rejected, "local-firewall-output", 2, true},
		{input_dropped, "local-firewall-input", 3, false},
		{silence, "blocked-on-path", 2, false}, {closed, "refused-by-server", 3, true}};
	static struct causes causes;
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes); i++) {
		begin(&s, TRANSPORT_UDP);
		scenes[i].stage(&s);
		memset(s.o->local.address, 0, sizeof(s.o->local.address));
		s.host.addresses[s.host.address_count++] = build_at("10.0.1.2:1");
		judge_scene(&s, true, false, &causes);
		assert_string_equal(main_cause(&causes), scenes[i].cause);
		assert_int_equal(causes.list[0].packet_count, scenes[i].packets);
		judge_scene(&s, false, false, &causes);
		assert_int_equal(!strcmp(main_cause(&causes), scenes[i].cause), scenes[i].without);
		finish(&s);
	}
}

/* A capture with gaps proves no absence. */
static void gaps_prove_nothing(void **state)
{
	static struct causes causes;
	struct scene s;

	(void)state;
	begin(&s, TRANSPORT_UDP);
	judge_scene(&s, true, true, &causes);
	assert_string_equal(main_cause(&causes), "nothing");
	finish(&s);
}

/* What is possible is not told beside what is likely, and both are told where neither is. */
static void sorts_by_certainty(void **state)
{
	static struct causes causes;
	struct scene s;

	(void)state;
	begin(&s, TRANSPORT_UDP);
	silence(&s);
	judge_scene(&s, true, false, &causes);
	assert_int_equal(causes.count, 2);
	assert_string_equal(cause_name(causes.list[1].id), "server-silent");
	assert_true(*causes.list[0].decide);
	finish(&s);

	begin(&s, TRANSPORT_UDP);
	silence_others_answer(&s);
	judge_scene(&s, true, false, &causes);
	assert_int_equal(causes.count, 1);
	finish(&s);
}

/* The answer of the report is the main cause, when it is more than possible. */
static void tells_the_answer(void **state)
{
	static const struct {
		void (*stage)(struct scene *s);
		const char *sentence;
	} answers[] = {
		{input_dropped,
			"UDP: no server answered: answers arrive, and this host's own "
			"firewall drops them"},
		{silence, "UDP: no server answered, and nothing proves why: unknown"},
		{output_refused,
			"UDP: blocked: this host's own firewall does not let UDP out to the "
			"server"},
	};
	static struct verdict verdict;
	static struct causes causes;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct scene s;

		begin(&s, TRANSPORT_UDP);
		answers[i].stage(&s);
		judge_scene(&s, true, false, &causes);
		judge(s.j, &verdict);
		judge_why(&causes, s.j, &verdict);
		judge_sentence(&verdict.udp4, FAMILY_IPV4, text, sizeof(text));
		assert_string_equal(text, answers[i].sentence);
		finish(&s);
	}
}

/* Healthy runs, and what was never asked to its end, name nothing. */
static void healthy_runs_have_none(void **state)
{
	static struct causes causes;
	struct scene s;

	(void)state;
	for (int k = 0; k < 3; k++) {
		begin(&s, TRANSPORT_UDP);
		build_empty(s.j);
		s.o = NULL;
		if (k == 0)
			build_whole(s.j, 40000, "NNNR");
		else if (k == 1)
			build_whole(s.j, 40000, "YYYR");
		else
			build_ask(s.j, QUESTION_BINDING, build_server(s.j), BUILD_SOCKET,
				&(struct endpoint){.family = FAMILY_IPV4, .port = 1},
				&(struct endpoint){.family = FAMILY_IPV4, .port = 1}, 0)
				->state = OBSERVATION_ABANDONED;
		judge_scene(&s, true, false, &causes);
		assert_string_equal(main_cause(&causes), "nothing");
		finish(&s);
	}
}

/* A host without IPv6 is no failure where the same server answers over IPv4. */
static void one_family_is_enough(void **state)
{
	static struct causes causes;
	struct endpoint six = build_at("[2001:db8::1]:3478");
	struct observation *o;
	struct scene s;
	size_t server;

	(void)state;
	begin(&s, TRANSPORT_UDP);
	build_empty(s.j);
	build_whole(s.j, 40000, "NNNR");
	server = build_plain_server(s.j, "[2001:db8::1]:3478");
	strcpy(s.j->servers[server].name, s.j->servers[0].name);
	o = build_ask(s.j, QUESTION_BINDING, server, 40005, &six, &six, 0);
	o->state = OBSERVATION_REFUSED;
	o->icmp = (struct icmp_seen){.count = 1, .local = true, .error = ENETUNREACH};
	judge_scene(&s, false, false, &causes);
	assert_string_equal(main_cause(&causes), "nothing");
	strcpy(s.j->servers[server].name, "another");
	judge_scene(&s, false, false, &causes);
	assert_string_equal(main_cause(&causes), "no-route");
	finish(&s);
}

/* --- what several questions show --- */

static void tells_a_full_table(void **state)
{
	static struct causes causes;
	struct endpoint to;
	struct scene s;
	size_t server;

	(void)state;
	for (int late = 0; late < 2; late++) {
		begin(&s, TRANSPORT_UDP);
		build_empty(s.j);
		server = build_whole(s.j, 40000, "NNNR");
		to = build_target(s.j, server, false, false);
		for (uint16_t i = 0; i < 4; i++) /* in between, or behind all that were answered */
			build_ask(s.j, QUESTION_PORTS, server, (uint16_t)(41000 + i), &to, &to, 0);
		if (!late)
			build_ask(s.j, QUESTION_PORTS, server, 41010, &to, &to, 41010);
		judge_scene(&s, false, false, &causes);
		assert_string_equal(main_cause(&causes), late ? "table-full" : "nothing");
		finish(&s);
	}
}

static void tells_duplicates(void **state)
{
	static struct causes causes;
	struct scene s;

	(void)state;
	begin(&s, TRANSPORT_UDP);
	build_empty(s.j);
	build_whole(s.j, 40000, "NNNR");
	for (size_t i = 0; i < 4; i++) { /* of the server's four endpoints; a few may happen */
		judge_scene(&s, false, false, &causes);
		assert_string_equal(main_cause(&causes), i < 3 ? "nothing" : "duplicates");
		s.j->observations[i].answers = 2;
	}
	finish(&s);
}

static void tells_rewriting(void **state)
{
	static struct causes causes;
	struct scene s;

	(void)state;
	begin(&s, TRANSPORT_UDP);
	build_empty(s.j);
	for (int i = 0; i < 2; i++)
		build_whole(s.j, 40000, "NNNR");
	for (size_t i = 0; i < s.j->observation_count; i++)
		if (s.j->observations[i].answers)
			s.j->observations[i].answer.mapped_plain = build_at("10.0.1.2:40000");
	judge_scene(&s, false, false, &causes);
	assert_string_equal(main_cause(&causes), "payload-rewritten");
	finish(&s);
}

/* Two sockets are read in another order than their packets came in. */
static void joins_deliveries(void **state)
{
	static const char *const peers[2] = {"198.51.100.1:5000", "198.51.100.1:5001"};
	struct trail *t;
	struct scene s;

	(void)state;
	begin(&s, TRANSPORT_UDP);
	assert_int_equal(trail_create(1, &t), 0);
	for (int i = 0; i < 2; i++) {
		struct kit_packet p = kit_udp(peers[i], HOST, "punch");

		take_on(&s, &p, WAY_IN, 0);
		trail_add(t,
			&(struct trail_event){.t_us = s.us + 2000,
				.kind = TRAIL_RECEIVED,
				.from = build_at(peers[!i])});
	}
	join_journal(s.l, s.j);
	join_trail(s.l, t);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(s.l->packets[i].class, CLASS_PEER);
		assert_true(s.l->packets[i].delivery_known);
		assert_true(s.l->packets[i].delivered);
	}
	trail_destroy(t);
	finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_cause),
		cmocka_unit_test(knows_no_black_hole),
		cmocka_unit_test(knows_sockets_without_address),
		cmocka_unit_test(gaps_prove_nothing),
		cmocka_unit_test(sorts_by_certainty),
		cmocka_unit_test(tells_the_answer),
		cmocka_unit_test(healthy_runs_have_none),
		cmocka_unit_test(one_family_is_enough),
		cmocka_unit_test(tells_a_full_table),
		cmocka_unit_test(tells_duplicates),
		cmocka_unit_test(tells_rewriting),
		cmocka_unit_test(joins_deliveries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
