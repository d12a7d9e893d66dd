// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Against natlab's NATs and natprobed's responder, in virtual time. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <limits.h>

#include "punch/lifetime.h"
#include "server/responder.h"
#include "tests/unit/test_world_kit.h"

#define FIRST	    700
#define ASKER	    LIFETIME_TRIALS
#define RTT_US	    (40 * MS)
#define LIMIT	    (400 * SECOND)
#define PACKETS_MAX 64
#define PORT	    3478
#define SEEDS	    25

static const char *const filterings[] = {"endpoint-independent", "address-dependent",
	"port-dependent", "address-and-port-dependent"};

/* What is wrong with the server … */
enum fault {
	FAULT_NONE,
	FAULT_SILENT,
	FAULT_SAME_PORT, /* RESPONSE-PORT is ignored, as by most servers */
	FAULT_REFUSES, /* … or is an unknown attribute */
	FAULT_NO_RECEIPTS,
	FAULT_MUTE, /* what goes to another port gets lost, and only that */
};

struct run {
	struct net net;
	struct lifetime l;
	struct responder responder;
	int client, server;
	enum family family;
	uint16_t ports[LIFETIME_SOCKETS]; /* 0: not open */
	enum fault fault;
	uint64_t fault_from, fault_to; /* … and when */
	unsigned deaf, slow; /* sockets that cannot be opened, or take their time, a bit each */
	unsigned sent, opened, closed;
	uint64_t opened_us;
	enum lifetime_state state;
	unsigned at_least_s, below_s;
};

static struct run run;

static void begin_far(const char *topology, enum family family, uint64_t seed, uint64_t rtt_us)
{
	struct random random;
	struct endpoint asked;

	memset(&run, 0, sizeof(run));
	net_begin_seeded(&run.net, topology, seed);
	run.client = host_of(&run.net, "a");
	run.server = host_of(&run.net, "s");
	run.family = family;
	run.fault_to = LIMIT;
	run.responder.software = "natprobed";
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++) {
		const struct world_node *s = world_at(run.net.world, run.server);
		enum family wanted = i & RESPONDER_IPV6 ? FAMILY_IPV6 : FAMILY_IPV4;
		unsigned which = i & RESPONDER_ADDRESS ? 1 : 0;

		for (size_t k = 0; k < s->address_count; k++)
			if (s->addresses[k].family == wanted && !which--)
				run.responder.advertised[i] = s->addresses[k];
		run.responder.advertised[i].port = i & RESPONDER_PORT ? PORT + 1 : PORT;
	}
	asked = address_of(&run.net, run.server, family, PORT);
	random_init_number(&random, seed + 1000);
	lifetime_begin(&run.l, FIRST, &asked, rtt_us, &random);
}

static void begin(const char *topology, enum family family, uint64_t seed)
{
	begin_far(topology, family, seed, RTT_US);
}

static void send_reply(const struct responder_reply *reply)
{
	struct endpoint from = run.responder.advertised[reply->local];

	net_send(&run.net, run.server,
		packet_build_udp(run.net.out, sizeof(run.net.out), &from, &reply->to, 64,
			reply->bytes, reply->length));
}

static bool is_faulty(enum fault fault)
{
	return run.fault == fault && run.net.now >= START + run.fault_from &&
		run.net.now < START + run.fault_to;
}

static void refuse(const struct responder_request *q, const struct stun_id *id)
{
	static const uint16_t type = STUN_RESPONSE_PORT;
	struct responder_reply reply = {.local = q->local, .to = q->from};
	struct stun_writer s =
		stun_begin(reply.bytes, sizeof(reply.bytes), STUN_ERROR, STUN_BINDING, id);

	stun_add_error(&s, 420, "Unknown Attribute");
	stun_add_unknown(&s, &type, 1);
	reply.length = (size_t)stun_end(&s);
	send_reply(&reply);
}

static void serve(void)
{
	const struct packet *p = &run.net.seen;
	struct responder_request q = {.data = p->bytes + p->payload,
		.length = p->payload_length,
		.from = p->source,
		.local = RESPONDER_ENDPOINTS,
		.meta = {.ttl = p->ttl}};
	static struct responder_replies replies;
	struct stun_message m;

	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		if (endpoint_equal(&run.responder.advertised[i], &p->destination))
			q.local = i;
	assert_int_equal(stun_decode(q.data, q.length, &m), 0);
	if (is_faulty(FAULT_SILENT))
		return;
	if (is_faulty(FAULT_REFUSES) && m.has_response_port) {
		refuse(&q, &m.id);
		return;
	}
	responder_answer(&run.responder, &q, &replies);
	for (size_t i = 0; i < replies.count; i++) {
		struct responder_reply *reply = &replies.reply[i];

		assert_int_equal(reply->copies, 1);
		/* no more comes back than was sent */
		assert_true(replies.count * reply->length <= q.length);
		if (reply->receipt && (is_faulty(FAULT_NO_RECEIPTS) || is_faulty(FAULT_SAME_PORT)))
			continue;
		if (is_faulty(FAULT_SAME_PORT))
			reply->to = q.from;
		if (is_faulty(FAULT_MUTE) && m.has_response_port && !reply->receipt)
			continue;
		send_reply(reply);
	}
}

static void open_socket(unsigned socket)
{
	unsigned number = socket - FIRST;

	assert_in_range(number, 0, LIFETIME_SOCKETS - 1);
	assert_int_equal(run.ports[number], 0);
	if (run.deaf >> number & 1) {
		lifetime_opened(&run.l, run.net.now, socket, -EMFILE);
		return;
	}
	/* no burst */
	if (number > 1 && number != ASKER)
		assert_true(run.net.now >= run.opened_us + 100 * MS);
	run.opened_us = run.net.now;
	run.opened++;
	run.ports[number] = (uint16_t)(40000 + number * 7);
	if (!(run.slow >> number & 1))
		lifetime_opened(&run.l, run.net.now, socket, 0);
}

static void send_request(const struct lifetime_output *out)
{
	unsigned number = out->socket - FIRST;
	struct endpoint from = address_of(&run.net, run.client, run.family, 0);

	assert_in_range(number, 0, LIFETIME_SOCKETS - 1);
	assert_int_not_equal(run.ports[number], 0);
	from.port = run.ports[number];
	run.sent++;
	net_send(&run.net, run.client,
		packet_build_udp(run.net.out, sizeof(run.net.out), &from, &out->to, 64, out->data,
			out->length));
}

static void close_socket(unsigned socket)
{
	assert_int_not_equal(run.ports[socket - FIRST], 0);
	run.ports[socket - FIRST] = 0;
	run.closed++;
}

/* Until when there is nothing to do. */
static uint64_t poll_until_rest(void)
{
	uint64_t deadline_us = UINT64_MAX;
	struct lifetime_output out;

	for (int i = 0; i < STEPS_MAX; i++)
		switch (lifetime_poll(&run.l, run.net.now, &out, &deadline_us)) {
		case LIFETIME_OPEN_SOCKET:
			open_socket(out.socket);
			break;
		case LIFETIME_SEND:
			send_request(&out);
			break;
		case LIFETIME_CLOSE_SOCKET:
			close_socket(out.socket);
			break;
		default:
			assert_true(deadline_us > run.net.now);
			return deadline_us;
		}
	fail_msg("it does not come to rest");
	return 0;
}

static void hear(void)
{
	const struct packet *p = &run.net.seen;

	if (run.net.host == run.server && p->protocol == PACKET_UDP)
		serve();
	for (unsigned i = 0; i < LIFETIME_SOCKETS; i++)
		if (run.net.host == run.client && p->protocol == PACKET_UDP && run.ports[i] &&
			run.ports[i] == p->destination.port)
			lifetime_input(&run.l, run.net.now, FIRST + i, &p->source,
				p->bytes + p->payload, p->payload_length);
}

/* Up to a moment, or to the end; what is known then. */
static void go(uint64_t until_us)
{
	uint64_t deadline_us = poll_until_rest();

	while (run.l.state == LIFETIME_MEASURING && run.net.now < START + until_us) {
		if (deadline_us > START + until_us)
			deadline_us = START + until_us;
		if (net_wait_until(&run.net, deadline_us))
			hear();
		else
			run.net.now = deadline_us;
		deadline_us = poll_until_rest();
	}
	run.state = lifetime_result(&run.l, &run.at_least_s, &run.below_s);
	assert_true(run.sent <= PACKETS_MAX);
}

static void end(void)
{
	assert_int_not_equal(run.state, LIFETIME_MEASURING);
	assert_int_equal(run.opened, run.closed);
	assert_int_equal(lifetime_reason(&run.l) != NULL, run.state == LIFETIME_UNKNOWN);
	net_end(&run.net);
}

static void assert_unknown(const char *reason)
{
	assert_int_equal(run.state, LIFETIME_UNKNOWN);
	assert_string_equal(lifetime_reason(&run.l), reason);
}

/* Never wrong, whatever is found. */
static void assert_right(unsigned lifetime_s)
{
	assert_true(run.at_least_s <= lifetime_s);
	assert_true(!run.below_s || run.below_s >= lifetime_s);
	assert_true(!run.below_s || run.below_s > run.at_least_s);
}

/* --- lifetimes --- */

static const struct {
	unsigned lifetime_s, at_least_s, dead_s; /* what was tried, and found to be too long */
	uint64_t end_s; /* when it can be known: the next longer one is dead, too */
} lifetimes[] = {
	{5, 1, 5, 10},
	{25, 20, 30, 45},
	{30, 20, 30, 45},
	{31, 30, 45, 60},
	{100, 90, 120, 180},
	{200, 180, 300, 300},
	{10000, 300, 0, 300},
};

static void make_topology(
	char text[static 512], unsigned lifetime_s, const char *filtering, const char *more)
{
	snprintf(text, 512,
		"host s address=198.51.100.1,203.0.113.1,2001:db8:100::1,2001:db8:113::1\n"
		"link delay=10ms\nnat n kind=full-cone filtering=%s udp.both-ways=%us %s\n"
		"host a behind=n\n",
		filtering, lifetime_s, more);
}

static void test_lifetimes(void **state)
{
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT(lifetimes) * COUNT(filterings) * 2; i++) {
		unsigned n = (unsigned)(i % COUNT(lifetimes));
		bool inbound = i / COUNT(lifetimes) % 2;

		make_topology(text, lifetimes[n].lifetime_s, filterings[i / COUNT(lifetimes) / 2],
			inbound ? "udp.refresh-inbound=no" : "");
		begin(text, FAMILY_IPV4, i);
		go(LIMIT);
		assert_int_equal(run.state, LIFETIME_DONE);
		assert_right(lifetimes[n].lifetime_s);
		assert_int_equal(run.at_least_s, lifetimes[n].at_least_s);
		assert_in_range(run.below_s, lifetimes[n].dead_s,
			lifetimes[n].dead_s ? lifetimes[n].dead_s + 3 : 0);
		assert_in_range(run.net.now, START + lifetimes[n].end_s * SECOND,
			START + (lifetimes[n].end_s + 15) * SECOND);
		assert_in_range(run.sent, 20, 44);
		end();
	}
}

/* Between the NAT and the server, on this side of the NAT, and with copies out of order. */
static void test_loss(void **state)
{
	static const char *const lossy[] = {"loss=10%", "", "loss=5% duplicate=10% reorder=10%"};
	static const char *const inside[] = {"", "loss=10%", "duplicate=10% jitter=30ms"};
	unsigned runs = 0, known = 0;
	char text[600];

	(void)state;
	for (size_t i = 0; i < COUNT(lifetimes) * COUNT(filterings) * COUNT(lossy) * SEEDS; i++) {
		unsigned lifetime_s = lifetimes[i % COUNT(lifetimes)].lifetime_s;
		size_t k = i / COUNT(lifetimes) / COUNT(filterings) % COUNT(lossy);

		make_topology(text, lifetime_s,
			filterings[i / COUNT(lifetimes) % COUNT(filterings)], lossy[k]);
		text[strlen(text) - 1] = ' '; /* host a goes on */
		strcat(text, inside[k]);
		begin(text, FAMILY_IPV4, i);
		go(LIMIT);
		assert_right(lifetime_s);
		runs++;
		known += run.state == LIFETIME_DONE;
		end();
	}
	assert_true(known >= runs * 9 / 10);
}

/* The flow has to look like that of a path in use: 30 s would be the answer otherwise. */
static void test_kinds(void **state)
{
	static const struct {
		const char *nats;
		enum family family;
		unsigned at_least_s, dead_s;
	} rows[] = {
		{"nat n kind=linux\n", FAMILY_IPV4, 90, 120},
		{"nat n kind=linux-accept\n", FAMILY_IPV4, 90, 120},
		{"nat n kind=linux-reject\n", FAMILY_IPV4, 90, 120},
		{"nat n kind=linux-random\n", FAMILY_IPV4, 90, 120},
		{"nat n kind=openwrt\n", FAMILY_IPV4, 120, 180},
		{"nat n kind=cgnat\n", FAMILY_IPV4, 45, 60},
		{"nat n kind=symmetric-block udp.both-ways=50s\n", FAMILY_IPV4, 45, 60},
		{"nat n kind=firewall udp.both-ways=50s\n", FAMILY_IPV6, 45, 60},
		{"nat n kind=none\n", FAMILY_IPV4, 300, 0},
		/* the shortest counts, wherever it is */
		{"nat i kind=cgnat\nnat n kind=linux behind=i\n", FAMILY_IPV4, 45, 60},
		{"nat i kind=linux\nnat n kind=full-cone udp.both-ways=8s behind=i\n", FAMILY_IPV4,
			5, 10},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(text, sizeof(text),
			"host s address=198.51.100.1,203.0.113.1,2001:db8:100::1,2001:db8:113::1\n"
			"link delay=10ms\n%shost a behind=n\n",
			rows[i].nats);
		begin(text, rows[i].family, i);
		go(LIMIT);
		assert_int_equal(run.state, LIFETIME_DONE);
		assert_int_equal(run.at_least_s, rows[i].at_least_s);
		assert_in_range(
			run.below_s, rows[i].dead_s, rows[i].dead_s ? rows[i].dead_s + 3 : 0);
		end();
	}
}

/* Where the server is far away, that makes it slower and no more: nothing is sent twice. */
static void test_far(void **state)
{
	char text[512];

	(void)state;
	make_topology(text, 25, filterings[3], "delay=400ms");
	begin_far(text, FAMILY_IPV4, 1, 820 * MS);
	go(LIMIT);
	assert_int_equal(run.state, LIFETIME_DONE);
	assert_int_equal(run.at_least_s, 20);
	assert_in_range(run.below_s, 30, 37);
	assert_in_range(run.sent, 20, 44);
	end();
}

/*
 * What is known on the way: nothing before the control, and no end before it is confirmed. Sockets that are
 * of no more use are closed.
 */
static void test_meanwhile(void **state)
{
	static const struct {
		unsigned at_s, at_least_s, below_s, opened, closed;
	} rows[] = {
		{0, 0, 0, 2, 0},
		{3, 0, 0, 2, 0},
		{8, 1, 0, 13, 1},
		{20, 10, 0, 13, 3},
		{30, 20, 0, 13, 4},
		{42, 20, 0, 13, 5},
		{49, 20, 0, 13, 5},
		{60, 20, 33, 13, 13},
	};
	char text[512];

	(void)state;
	make_topology(text, 25, filterings[0], "");
	begin(text, FAMILY_IPV4, 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		go(rows[i].at_s * SECOND);
		assert_int_equal(run.at_least_s, rows[i].at_least_s);
		assert_int_equal(run.below_s, rows[i].below_s);
		assert_int_equal(run.opened, rows[i].opened);
		assert_int_equal(run.closed, rows[i].closed);
		assert_int_equal(run.state, rows[i].below_s ? LIFETIME_DONE : LIFETIME_MEASURING);
	}
	end();
}

/* --- what makes it unknown --- */

static void test_control(void **state)
{
	static const struct {
		enum fault fault;
		const char *more, *reason;
		unsigned sent_max;
	} rows[] = {
		{FAULT_SILENT, "", "the server does not answer", 5},
		{FAULT_SAME_PORT, "", "the server does not answer to another port", 3},
		{FAULT_REFUSES, "", "the server refuses to answer to another port", 3},
		{FAULT_NO_RECEIPTS, "udp.blocked=yes", "the server does not answer", 5},
		{FAULT_MUTE, "", "what the server sends to another port does not come in", 7},
		/* without loss, it is answered for all that */
		{FAULT_NO_RECEIPTS, "", NULL, 44},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		make_topology(text, 10000, filterings[3], rows[i].more);
		begin(text, FAMILY_IPV4, i);
		run.fault = rows[i].fault;
		go(LIMIT);
		assert_true(run.sent <= rows[i].sent_max);
		if (rows[i].reason) {
			assert_unknown(rows[i].reason);
			assert_int_equal(run.at_least_s + run.below_s, 0);
			assert_in_range(run.opened, 2, 2);
		} else {
			assert_int_equal(run.state, LIFETIME_DONE);
		}
		end();
	}
}

/* Silence does not count without receipts: nothing of what is dead is said. */
static void test_no_receipts(void **state)
{
	char text[512];

	(void)state;
	make_topology(text, 25, filterings[3], "");
	begin(text, FAMILY_IPV4, 1);
	run.fault = FAULT_NO_RECEIPTS;
	go(LIMIT);
	assert_unknown("too many packets were lost");
	assert_int_equal(run.at_least_s, 20);
	assert_int_equal(run.below_s, 0);
	end();
}

/* A control that hears nothing but receipts, or not even those. */
static void test_control_silence(void **state)
{
	char text[512];

	(void)state;
	make_topology(text, 10000, filterings[3], "");
	begin(text, FAMILY_IPV4, 1);
	run.fault = FAULT_SILENT;
	run.fault_from = 3 * SECOND; /* after the exchanges */
	go(LIMIT);
	assert_unknown("the server does not say what it sends to another port");
	assert_int_equal(run.sent, 12);
	end();
}

/* A mapping that has any of several addresses: the answer goes to the one of the asking socket. */
static void test_pooling(void **state)
{
	unsigned unknown = 0;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		begin("host s address=198.51.100.1,203.0.113.1\nlink delay=10ms\n"
		      "nat n kind=port-restricted pooling=arbitrary udp.both-ways=100s "
		      "address=192.0.2.1,192.0.2.2,192.0.2.3\nhost a behind=n\n",
			FAMILY_IPV4, i);
		go(LIMIT);
		assert_right(100);
		if (run.state == LIFETIME_UNKNOWN && !run.at_least_s) {
			assert_unknown("the NATs have several external addresses");
			unknown++;
		}
		end();
	}
	assert_in_range(unknown, 20, 35); /* two of three */
}

/* The server dies: what is proved stays. */
static void test_server_dies(void **state)
{
	char text[512];

	(void)state;
	make_topology(text, 10000, filterings[3], "");
	begin(text, FAMILY_IPV4, 1);
	run.fault = FAULT_SILENT;
	run.fault_from = 200 * SECOND;
	go(LIMIT);
	assert_unknown("too few of the questions were answered");
	assert_int_equal(run.at_least_s, 180);
	assert_int_equal(run.below_s, 0);
	end();
}

/* While everything is silent for the time of one trial, nothing is said about that one alone. */
static void test_outage(void **state)
{
	char text[512];

	(void)state;
	make_topology(text, 100, filterings[3], "");
	begin(text, FAMILY_IPV4, 1);
	run.fault = FAULT_SILENT;
	run.fault_from = 30 * SECOND;
	run.fault_to = 45 * SECOND;
	go(LIMIT);
	assert_int_equal(run.state, LIFETIME_DONE);
	assert_int_equal(run.at_least_s, 90);
	assert_in_range(run.below_s, 120, 123);
	end();
}

/* Three answers were lost, and their receipts not. */
static void test_contradiction(void **state)
{
	char text[512];

	(void)state;
	make_topology(text, 10000, filterings[3], "");
	begin(text, FAMILY_IPV4, 1);
	run.fault = FAULT_MUTE;
	run.fault_from = 30 * SECOND;
	run.fault_to = 45 * SECOND;
	go(LIMIT);
	assert_unknown("a binding has ended, and one that was left alone for longer has not");
	assert_int_equal(run.at_least_s, 20);
	assert_int_equal(run.below_s, 0);
	assert_in_range(run.net.now, START + 45 * SECOND, START + 60 * SECOND);
	end();
}

static void test_no_sockets(void **state)
{
	static const struct {
		unsigned deaf, opened, at_least_s;
		const char *reason;
	} rows[] = {
		{1u << ASKER, 0, 0, "no socket can be opened"},
		{1u << 0, 1, 0, "no socket can be opened"},
		{0xffe, 2, 1, "too few of the questions were answered"},
		{1u << 10, LIFETIME_SOCKETS - 1, 300, NULL},
	};
	char text[512];

	(void)state;
	make_topology(text, 10000, filterings[3], "");
	for (size_t i = 0; i < COUNT(rows); i++) {
		begin(text, FAMILY_IPV4, i);
		run.deaf = rows[i].deaf;
		go(LIMIT);
		assert_int_equal(run.opened, rows[i].opened);
		assert_int_equal(run.at_least_s, rows[i].at_least_s);
		if (rows[i].reason)
			assert_unknown(rows[i].reason);
		else
			assert_int_equal(run.state, LIFETIME_DONE);
		end();
	}
}

/* It is open only after all is over: nothing is sent from it, and it is closed. */
static void test_slow_socket(void **state)
{
	char text[512];

	(void)state;
	make_topology(text, 25, filterings[3], "");
	begin(text, FAMILY_IPV4, 1);
	run.slow = 1u << 9;
	go(LIMIT);
	assert_int_equal(run.state, LIFETIME_DONE);
	assert_int_equal(run.opened, run.closed + 1);
	lifetime_opened(&run.l, run.net.now, FIRST + 9, 0);
	poll_until_rest();
	end();
}

/* --- what sockets hear besides --- */

static size_t make_message(
	enum stun_class class, const struct stun_id *id, uint8_t number, uint8_t out[static 512])
{
	static const struct endpoint mapped = {FAMILY_IPV4, 40000, 0, {192, 0, 2, 1}};
	struct stun_id whole = *id;
	struct stun_writer s;

	whole.bytes[15] = number;
	s = stun_begin(out, 512, class, STUN_BINDING, &whole);
	stun_add_address(&s, STUN_XOR_MAPPED_ADDRESS, &mapped);
	return (size_t)stun_end(&s);
}

/* Up to the moment when a trial has reached a phase. */
static void go_to_phase(unsigned trial, int phase)
{
	for (uint64_t until = 0; (int)run.l.trials[trial].phase != phase; until += 10 * MS) {
		assert_true(until < LIMIT);
		go(until);
	}
}

/* An answer without a mapping is none. */
static void test_unmapped(void **state)
{
	struct stun_writer s;
	struct stun_id id;
	uint8_t data[512];
	char text[512];

	(void)state;
	make_topology(text, 25, filterings[3], "");
	begin(text, FAMILY_IPV4, 1);
	run.fault = FAULT_SILENT;
	run.fault_to = SECOND;
	go_to_phase(0, LIFETIME_BINDING);
	id = run.l.trials[0].id;
	id.bytes[15] = 0;
	s = stun_begin(data, sizeof(data), STUN_SUCCESS, STUN_BINDING, &id);
	lifetime_input(&run.l, run.net.now, FIRST, &run.l.server, data, (size_t)stun_end(&s));
	assert_int_equal(run.l.trials[0].phase, LIFETIME_BINDING);
	go(LIMIT);
	assert_int_equal(run.at_least_s, 20);
	end();
}

/* After a repetition there may be another answer that passes the NAT, whether it is heard or not. */
static void test_repeated(void **state)
{
	const struct lifetime_trial *t = &run.l.trials[0];
	char text[512];

	(void)state;
	make_topology(text, 10000, filterings[3], "");
	for (int repeated = 0; repeated < 2; repeated++) {
		begin(text, FAMILY_IPV4, 1);
		go_to_phase(0, LIFETIME_KEEPING);
		run.fault = repeated ? FAULT_SILENT : FAULT_NONE;
		run.fault_to = run.net.now - START + 300 * MS;
		go_to_phase(0, LIFETIME_QUIET);
		assert_int_equal(t->sent, repeated ? 3 : 2);
		if (repeated)
			assert_true(t->next_us > run.net.now + SECOND + 400 * MS);
		else
			assert_true(t->next_us <= run.net.now + SECOND);
		go(LIMIT);
		assert_int_equal(run.state, LIFETIME_DONE);
		end();
	}
}

/*
 * A packet that comes in while a binding shall be left alone keeps it alive. If it is a late answer of the
 * server, the time begins again; a stranger's makes the trial worthless.
 */
static void test_refreshed(void **state)
{
	static const struct {
		bool stranger, other_id;
		int phase; /* where it leads to */
	} rows[] = {
		{false, false, LIFETIME_QUIET},
		{true, false, LIFETIME_UNHEARD},
		{false, true, LIFETIME_UNHEARD},
	};
	uint8_t data[512];
	char text[512];

	(void)state;
	make_topology(text, 100, filterings[0], "");
	for (size_t i = 0; i < COUNT(rows) * 2; i++) {
		bool asking = i / COUNT(rows);
		size_t k = i % COUNT(rows), length;
		struct lifetime_trial *t = &run.l.trials[2];
		struct endpoint from;
		struct stun_id id;

		begin(text, FAMILY_IPV4, i);
		go_to_phase(2, asking ? LIFETIME_ASKING : LIFETIME_QUIET);
		from = rows[k].stranger ? at("203.0.113.9:3478") : run.l.server;
		id = run.l.trials[rows[k].other_id ? 3 : 2].id;
		length = make_message(STUN_SUCCESS, &id, 0, data);
		run.net.now += SECOND / 10;
		lifetime_input(&run.l, run.net.now, FIRST + 2, &from, data, length);
		assert_int_equal(t->phase, asking ? LIFETIME_UNHEARD : rows[k].phase);
		if (t->phase == LIFETIME_QUIET)
			assert_true(t->next_us == run.net.now + 10 * SECOND);
		go(LIMIT);
		assert_int_equal(run.state, LIFETIME_DONE);
		assert_int_equal(run.at_least_s, 90);
		end();
	}
}

/* Nobody but the server, and of it only the answer to this question, shows that a binding stands. */
static void test_strangers(void **state)
{
	static const struct {
		bool stranger;
		enum stun_class class;
		int trial, number, phase;
	} rows[] = {
		{false, STUN_SUCCESS, 0, 2, LIFETIME_ALIVE},
		{true, STUN_SUCCESS, 0, 2, LIFETIME_UNHEARD},
		{false, STUN_ERROR, 0, 2, LIFETIME_UNHEARD},
		{false, STUN_REQUEST, 0, 2, LIFETIME_UNHEARD},
		{false, STUN_SUCCESS, 1, 2, LIFETIME_UNHEARD},
		{false, STUN_SUCCESS, 0, 1, LIFETIME_UNHEARD},
		{false, STUN_SUCCESS, 0, 3, LIFETIME_UNHEARD},
	};
	uint8_t data[512];
	char text[512];

	(void)state;
	make_topology(text, 10000, filterings[0], "");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct endpoint from;
		size_t length;

		begin(text, FAMILY_IPV4, i);
		run.fault = FAULT_MUTE;
		go_to_phase(0, LIFETIME_ASKING);
		assert_int_equal(run.l.trials[0].sent, 3);
		from = rows[i].stranger ? at("198.51.100.1:3479") : run.l.server;
		length = make_message(rows[i].class, &run.l.trials[rows[i].trial].id,
			(uint8_t)rows[i].number, data);
		lifetime_input(&run.l, run.net.now, FIRST + LIFETIME_SOCKETS, &from, data, length);
		lifetime_input(&run.l, run.net.now, FIRST - 1, &from, data, length);
		lifetime_opened(&run.l, run.net.now, FIRST + LIFETIME_SOCKETS, 0);
		lifetime_opened(&run.l, run.net.now, FIRST - 1, 0);
		lifetime_opened(&run.l, run.net.now, FIRST, 0); /* once more */
		assert_int_equal(run.l.trials[0].phase, LIFETIME_ASKING);
		lifetime_input(&run.l, run.net.now, FIRST, &from, data, length);
		assert_int_equal(run.l.trials[0].phase, rows[i].phase);
		run.fault = FAULT_NONE;
		go(LIMIT);
		end();
	}
}

static void give_receipt(uint8_t number)
{
	const struct lifetime_trial *t = &run.l.trials[0];
	struct stun_receipt receipt = {1, run.l.server};
	struct stun_id id = t->id;
	struct stun_writer s;
	uint8_t data[512];

	id.bytes[15] = number;
	s = stun_begin(data, sizeof(data), STUN_SUCCESS, STUN_BINDING, &id);
	stun_add_address(&s, STUN_XOR_MAPPED_ADDRESS, &t->mapped);
	stun_add_receipt(&s, &receipt);
	lifetime_input(
		&run.l, run.net.now, FIRST + ASKER, &run.l.server, data, (size_t)stun_end(&s));
}

/* A receipt is one, however often it comes; and those of no question are none. */
static void test_receipts(void **state)
{
	static const uint8_t numbers[] = {0, 1, 2, 2, 2, 2, 3};
	char text[512];

	(void)state;
	make_topology(text, 10000, filterings[0], "");
	begin(text, FAMILY_IPV4, 1);
	run.fault = FAULT_SILENT;
	run.fault_from = 3 * SECOND;
	go_to_phase(0, LIFETIME_QUIET);
	give_receipt(1);
	assert_int_equal(run.l.trials[0].receipts, 0);
	go_to_phase(0, LIFETIME_ASKING);
	for (size_t i = 0; i < COUNT(numbers); i++)
		give_receipt(numbers[i]);
	assert_int_equal(run.l.trials[0].receipts, 1 << 2);
	go(LIMIT);
	assert_int_equal(run.l.trials[0].phase, LIFETIME_UNHEARD);
	end();
}

static void test_not_begun(void **state)
{
	struct lifetime l = {.begun = false};
	struct lifetime_output out;
	uint64_t deadline_us = UINT64_MAX;
	struct endpoint from = at("198.51.100.1:3478");
	unsigned at_least_s, below_s;

	(void)state;
	lifetime_input(&l, START, 0, &from, "x", 1);
	lifetime_opened(&l, START, 0, 0);
	assert_int_equal(lifetime_poll(&l, START, &out, &deadline_us), LIFETIME_WAIT);
	assert_true(deadline_us == UINT64_MAX);
	assert_int_equal(lifetime_result(&l, &at_least_s, &below_s), LIFETIME_MEASURING);
	assert_int_equal(at_least_s + below_s, 0);
}

static void test_keepalive(void **state)
{
	static const struct {
		unsigned at_least_s, below_s;
		uint64_t us;
	} rows[] = {
		{0, 0, 15 * SECOND},
		{1, 0, 15 * SECOND},
		{30, 0, 15 * SECOND},
		{60, 0, 20 * SECOND},
		{180, 0, 60 * SECOND},
		{300, 0, 60 * SECOND},
		{0, 1, SECOND / 2},
		{0, 7, SECOND},
		{1, 7, SECOND},
		{5, 12, 5 * SECOND / 3},
		{20, 32, 20 * SECOND / 3},
		{90, 122, 30 * SECOND},
		{180, 302, 60 * SECOND},
		{UINT_MAX, 0, 60 * SECOND},
		{UINT_MAX, UINT_MAX, 60 * SECOND},
		{60, 20, 10 * SECOND},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
			lifetime_keepalive_us(rows[i].at_least_s, rows[i].below_s), rows[i].us);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lifetimes),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_far),
		cmocka_unit_test(test_meanwhile),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_no_receipts),
		cmocka_unit_test(test_control_silence),
		cmocka_unit_test(test_pooling),
		cmocka_unit_test(test_server_dies),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_contradiction),
		cmocka_unit_test(test_no_sockets),
		cmocka_unit_test(test_slow_socket),
		cmocka_unit_test(test_unmapped),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_refreshed),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_receipts),
		cmocka_unit_test(test_not_begun),
		cmocka_unit_test(test_keepalive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
