// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Why there was no way to the peer: a row for each rule, from what both sides have seen. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "journal_build.h"
#include "judge/causes_punch.h"
#include "packet_kit.h"

#define HOST "10.0.1.2:40000"
#define PEER "192.0.2.2:50000"

struct scene {
	struct journal *j;
	struct trail *t;
	struct captured_list *l;
	struct host_record host;
	struct pair_side own, peer;
	struct pair_tcp_side own_tcp, peer_tcp;
	struct explain_peer said;
	struct plans plans;
	bool tcp;
	uint64_t us;
};

static void begin(struct scene *s, bool tcp)
{
	const struct pair_side easy = {.status = PATH_OK,
		.nat = TRI_YES,
		.mapping = DEPENDENCE_ENDPOINT_INDEPENDENT,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.early = EARLY_SILENT};
	const struct pair_tcp_side easy_tcp = {.status = PATH_OK,
		.nat = TRI_YES,
		.mapping = DEPENDENCE_ENDPOINT_INDEPENDENT,
		.early = EARLY_SYN_SILENT};

	*s = (struct scene){.j = build_journal(),
		.own = easy,
		.peer = easy,
		.own_tcp = easy_tcp,
		.peer_tcp = easy_tcp,
		.tcp = tcp,
		.us = 1000000};
	s->host.counters.known = true;
	assert_int_equal(trail_create(s->us, &s->t), 0);
	assert_int_equal(captured_create(true, &s->l), 0);
	captured_interface(s->l, 2, "eth0");
	trail_attempt(s->t, s->us, "direct");
}

static void finish(struct scene *s)
{
	journal_destroy(s->j);
	trail_destroy(s->t);
	captured_destroy(s->l);
}

/* --- what happens --- */

static void event(struct scene *s, enum trail_kind kind, const char *from, const char *to)
{
	struct trail_event e = {.t_us = s->us, .kind = kind};

	if (from)
		e.from = build_at(from);
	if (to)
		e.to = build_at(to);
	trail_add(s->t, &e);
}

static void sent(struct scene *s, unsigned count, bool leaves)
{
	struct kit_packet p =
		s->tcp ? kit_tcp(HOST, PEER, PACKET_SYN) : kit_stun(HOST, PEER, STUN_REQUEST, 1);

	for (unsigned i = 0; i < count; i++, s->us += 10000) {
		event(s, TRAIL_SENT, NULL, PEER);
		if (leaves)
			kit_take(s->l, &p, WAY_OUT, s->us);
	}
}

static void came(struct scene *s, unsigned count, uint8_t flags, bool delivered)
{
	struct kit_packet p =
		s->tcp ? kit_tcp(PEER, HOST, flags) : kit_stun(PEER, HOST, STUN_REQUEST, 2);

	for (unsigned i = 0; i < count; i++, s->us += 10000) {
		kit_take(s->l, &p, WAY_IN, s->us);
		if (delivered)
			event(s, TRAIL_RECEIVED, PEER, NULL);
	}
}

static void refused(
	struct scene *s, unsigned count, const char *offender, uint8_t type, uint8_t code)
{
	struct kit_packet cause = kit_stun(HOST, PEER, STUN_REQUEST, 1);
	struct trail_event e = {
		.kind = TRAIL_ICMP, .to = build_at(PEER), .type = type, .code = code};

	if (offender)
		e.from = build_at(offender);
	e.from.port = 0;
	for (unsigned i = 0; i < count; i++, s->us += 1000) {
		e.t_us = s->us;
		trail_add(s->t, &e);
		if (offender) {
			struct kit_packet p = kit_error(offender, &cause, type, code, 0);

			kit_take(s->l, &p, WAY_IN, s->us);
		}
	}
}

/* What the peer says: its packets, and with a capture how many left and how many of ours arrived. */
static void says(struct scene *s, unsigned sent_by_it, unsigned received, int left, int arrived)
{
	s->said = (struct explain_peer){.said = true,
		.sent = sent_by_it,
		.received = received,
		.captured = left >= 0,
		.left = left < 0 ? 0 : (unsigned)left,
		.arrived = arrived < 0 ? 0 : (unsigned)arrived};
}

/* --- scenes --- */

static void output_refused(struct scene *s)
{
	sent(s, 5, false);
	refused(s, 5, NULL, 0, 0);
}

static void output_swallowed(struct scene *s)
{
	sent(s, 5, false);
}

static void input_dropped(struct scene *s)
{
	sent(s, 5, true);
	came(s, 5, 0, false);
	says(s, 5, 5, 5, 5);
}

static void reverse_path(struct scene *s)
{
	input_dropped(s);
	s->host.counters.reverse_path = 5;
}

static void router_refuses(struct scene *s)
{
	sent(s, 5, true);
	refused(s, 5, "192.0.2.129", 3, 13);
}

static void peer_nat_refuses(struct scene *s)
{
	sent(s, 5, true);
	refused(s, 5, "192.0.2.2", 3, 13);
	says(s, 5, 0, 5, 0);
}

static void own_hard(struct scene *s)
{
	s->own.mapping = DEPENDENCE_ADDRESS_AND_PORT;
	sent(s, 5, true);
}

static void both_hard(struct scene *s)
{
	s->own.mapping = s->peer.mapping = DEPENDENCE_ADDRESS_AND_PORT;
}

static void peer_remaps(struct scene *s)
{
	s->peer.early = EARLY_REMAP;
	sent(s, 5, true);
	refused(s, 5, "192.0.2.2", 3, 3); /* its router says of each port that it is closed */
}

static void peer_blocked(struct scene *s)
{
	s->peer.status = PATH_UNREACHABLE;
}

static void peer_deaf(struct scene *s)
{
	sent(s, 5, true);
	came(s, 5, 0, true);
	says(s, 5, 0, 5, 5);
}

static void peer_mute(struct scene *s)
{
	sent(s, 5, true);
	says(s, 5, 5, 0, 5);
}

static void kept_out(struct scene *s)
{
	sent(s, 5, true);
	says(s, 5, 5, 5, 5);
}

static void parted(struct scene *s)
{
	sent(s, 5, true);
	says(s, 5, 0, 5, 0);
}

static void parted_half_seen(struct scene *s)
{
	sent(s, 5, true);
	says(s, 5, 0, -1, 0);
}

static void resets(struct scene *s)
{
	sent(s, 4, true);
	came(s, 4, PACKET_RST | PACKET_ACK, false);
	for (int i = 0; i < 4; i++)
		event(s, TRAIL_RESET, PEER, NULL);
}

static void reset_before_peer(struct scene *s)
{
	resets(s);
	says(s, 4, 0, 4, 0);
}

static void reset_by_peer(struct scene *s)
{
	resets(s);
	says(s, 4, 0, 4, 4);
}

static void syns_dropped(struct scene *s)
{
	sent(s, 4, true);
	came(s, 4, PACKET_SYN, false);
}

static void connected(struct scene *s)
{
	sent(s, 5, true);
	came(s, 5, 0, true);
	says(s, 5, 5, 5, 5);
}

#define NOTHING CAUSE_IDS

static const struct row {
	const char *name;
	bool tcp;
	void (*stage)(struct scene *s);
	enum cause_id id;
	enum certainty certainty;
	enum place where;
	bool cites;
} rows[] = {
	{"output refused", false, output_refused, CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_CERTAIN,
		PLACE_HOST, false},
	{"output swallowed", false, output_swallowed, CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_LIKELY,
		PLACE_HOST, false},
	{"input dropped", false, input_dropped, CAUSE_LOCAL_FIREWALL_INPUT, CERTAINTY_CERTAIN,
		PLACE_HOST, true},
	{"reverse path", false, reverse_path, CAUSE_REVERSE_PATH_FILTER, CERTAINTY_CERTAIN,
		PLACE_HOST, true},
	{"a router refuses", false, router_refuses, CAUSE_REFUSED_ON_PATH, CERTAINTY_CERTAIN,
		PLACE_PATH, true},
	{"the peer's NAT refuses", false, peer_nat_refuses, CAUSE_REFUSED_ON_PATH, CERTAINTY_LIKELY,
		PLACE_PEER_NAT, true},
	{"own NAT is hard", false, own_hard, CAUSE_DEPENDENT_MAPPING, CERTAINTY_LIKELY,
		PLACE_OWN_NAT, true},
	{"both are hard", false, both_hard, CAUSE_DEPENDENT_MAPPING, CERTAINTY_CERTAIN,
		PLACE_UNKNOWN, false},
	{"the peer's NAT remaps", false, peer_remaps, CAUSE_REMAP, CERTAINTY_POSSIBLE,
		PLACE_PEER_NAT, true},
	{"the peer is blocked", false, peer_blocked, CAUSE_BLOCKED_ON_PATH, CERTAINTY_LIKELY,
		PLACE_PEER_NAT, false},
	{"the peer's host drops", false, peer_deaf, CAUSE_LOCAL_FIREWALL_INPUT, CERTAINTY_LIKELY,
		PLACE_PEER, true},
	{"the peer's host sends nothing", false, peer_mute, CAUSE_LOCAL_FIREWALL_OUTPUT,
		CERTAINTY_LIKELY, PLACE_PEER, true},
	{"ours arrive, theirs not", false, kept_out, CAUSE_BLOCKED_ON_PATH, CERTAINTY_LIKELY,
		PLACE_OWN_NAT, true},
	{"nothing arrives", false, parted, CAUSE_BLOCKED_ON_PATH, CERTAINTY_LIKELY, PLACE_PATH,
		true},
	{"nothing arrives, seen here", false, parted_half_seen, CAUSE_BLOCKED_ON_PATH,
		CERTAINTY_POSSIBLE, PLACE_PATH, true},
	{"RST, and no SYN arrives", true, reset_before_peer, CAUSE_RESET_BY_PEER_NAT,
		CERTAINTY_LIKELY, PLACE_PEER_NAT, true},
	{"RST, and SYNs arrive", true, reset_by_peer, CAUSE_RESET_BY_PEER, CERTAINTY_LIKELY,
		PLACE_PEER, true},
	{"RST, nothing said", true, resets, CAUSE_RESET_BY_PEER, CERTAINTY_POSSIBLE, PLACE_PEER,
		true},
	{"SYNs are dropped here", true, syns_dropped, CAUSE_LOCAL_FIREWALL_INPUT, CERTAINTY_LIKELY,
		PLACE_HOST, true},
	{"all arrives", false, connected, NOTHING, CERTAINTY_POSSIBLE, PLACE_UNKNOWN, false},
};

static void judge_scene(struct scene *s, bool captured, struct causes *out)
{
	static struct joined joined[JOURNAL_OBSERVATIONS];
	const struct punch_causes_facts facts = {.family = FAMILY_IPV4,
		.tcp = s->tcp,
		.own = s->tcp ? NULL : &s->own,
		.peer = s->tcp ? NULL : &s->peer,
		.own_tcp = s->tcp ? &s->own_tcp : NULL,
		.peer_tcp = s->tcp ? &s->peer_tcp : NULL,
		.plans = &s->plans,
		.trail = s->t,
		.said = &s->said,
		.journal = s->j,
		.captured = captured ? s->l : NULL,
		.joined = captured ? joined : NULL,
		.host = captured ? &s->host : NULL};

	out->count = 0;
	if (captured) {
		join_journal(s->l, s->j);
		join_trail(s->l, s->t);
		join_tally(s->l, s->j, joined);
	}
	judge_punch_causes(&facts, out);
}

static const char *main_cause(const struct causes *c)
{
	return c->count ? cause_name(c->list[0].id) : "nothing";
}

static void names_the_cause(void **state)
{
	static struct causes causes;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *r = &rows[i];
		const struct cause *c = &causes.list[0];
		const char *id = r->id == NOTHING ? "nothing" : cause_name(r->id);
		struct scene s;

		begin(&s, r->tcp);
		r->stage(&s);
		judge_scene(&s, true, &causes);
		if (strcmp(main_cause(&causes), id) ||
			(causes.count &&
				(c->certainty != r->certainty || c->where != r->where ||
					(c->packet_count > 0) != r->cites)))
			fail_msg("%s: %s, %s, %s, %zu packets", r->name, main_cause(&causes),
				certainty_name(c->certainty), place_name(c->where),
				c->packet_count);
		for (size_t n = 0; causes.count && n < c->packet_count; n++)
			assert_non_null(captured_find(s.l, c->packets[n]));
		finish(&s);
	}
}

/* What only a capture tells is not told without one. */
static void says_less_without_a_capture(void **state)
{
	static void (*const stages[])(struct scene * s) = {output_swallowed, parted};
	static struct causes causes;

	(void)state;
	for (size_t i = 0; i < sizeof(stages) / sizeof(*stages); i++) {
		struct scene s;

		begin(&s, false);
		stages[i](&s);
		judge_scene(&s, false, &causes);
		assert_string_equal(main_cause(&causes), "nothing");
		finish(&s);
	}
}

/* Both networks may use the same private addresses: what went to one's own is no peer's. */
static void knows_its_own_address(void **state)
{
	struct kit_packet to_peer = kit_stun(HOST, PEER, STUN_REQUEST, 1);
	struct kit_packet back = kit_stun("10.0.1.2:50000", HOST, STUN_REQUEST, 1);
	struct scene s;

	(void)state;
	begin(&s, false);
	event(&s, TRAIL_SENT, NULL, PEER);
	event(&s, TRAIL_SENT, NULL, "10.0.1.2:50000");
	kit_take(s.l, &to_peer, WAY_OUT, s.us);
	kit_take(s.l, &back, WAY_IN, s.us);
	join_journal(s.l, s.j);
	join_trail(s.l, s.t);
	assert_true(s.l->packets[0].to_peer);
	assert_int_not_equal(s.l->packets[1].class, CLASS_PEER);
	finish(&s);
}

/* --- who has not even met --- */

static void names_the_server(void **state)
{
	static const struct {
		const char *offender;
		uint8_t type, code;
		enum cause_id id;
		enum place where;
	} errors[] = {
		{PEER, 3, 3, CAUSE_REFUSED_BY_SERVER, PLACE_SERVER},
		{"192.0.2.129", 3, 13, CAUSE_REFUSED_ON_PATH, PLACE_PATH},
		{"192.0.2.129", 3, 1, CAUSE_UNREACHABLE, PLACE_PATH},
		{NULL, 0, 0, CAUSE_LOCAL_FIREWALL_OUTPUT, PLACE_HOST},
	};
	static struct causes causes;

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		struct scene s;

		begin(&s, false);
		refused(&s, 3, errors[i].offender, errors[i].type, errors[i].code);
		causes.count = 0;
		judge_server_causes(s.t, NULL, NULL, &causes);
		assert_int_equal(causes.count, 1);
		assert_string_equal(main_cause(&causes), cause_name(errors[i].id));
		assert_int_equal(causes.list[0].where, errors[i].where);
		finish(&s);
	}
}

static void names_the_stream(void **state)
{
	static const struct endpoint server = {FAMILY_IPV4, 50000, 0, {192, 0, 2, 2}};
	static const struct {
		uint8_t answer; /* flags; 0: none */
		bool taken, leaves;
		enum cause_id id;
		int error, route; /* errno of connect(), and of the routes */
	} ways[] = {
		{PACKET_SYN | PACKET_ACK, false, true, CAUSE_LOCAL_FIREWALL_INPUT, 0, 0},
		{PACKET_SYN | PACKET_ACK, true, true, NOTHING, 0, 0},
		{PACKET_RST | PACKET_ACK, false, true, CAUSE_REFUSED_BY_SERVER, 0, 0},
		{0, false, true, NOTHING, 0, 0},
		{0, false, false, CAUSE_LOCAL_FIREWALL_OUTPUT, 0, 0},
		{0, false, false, CAUSE_LOCAL_FIREWALL_OUTPUT, EACCES, 0},
		{0, false, false, CAUSE_NO_ROUTE, EACCES, EACCES},
		{0, false, false, CAUSE_NO_ROUTE, EINVAL, EINVAL},
		{0, false, false, CAUSE_NO_ROUTE, ENETUNREACH, 0},
	};
	static struct causes causes;

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		struct stream_causes_facts facts;
		struct scene s;

		begin(&s, true);
		sent(&s, 3, ways[i].leaves);
		if (ways[i].answer)
			came(&s, 3, ways[i].answer, false);
		s.host.ways[s.host.way_count++] =
			(struct host_way){.to = server, .refused = ways[i].route};
		facts = (struct stream_causes_facts){.server = &server,
			.taken = ways[i].taken,
			.error = -ways[i].error,
			.captured = s.l,
			.host = &s.host};
		causes.count = 0;
		judge_stream_causes(&facts, &causes);
		assert_string_equal(main_cause(&causes),
			ways[i].id == NOTHING ? "nothing" : cause_name(ways[i].id));
		finish(&s);
	}
}

static void knock(struct scene *s)
{
	struct kit_packet theirs = kit_udp(PEER, "198.18.0.7:9", "sealed");
	struct kit_packet p = kit_error("10.0.1.2", &theirs, 3, 3, 0);

	kit_take(s->l, &p, WAY_OUT, s->us);
}

/* With a capture: whether the errors left; a dropped one was sent to a server, the others to the other side. */
static void names_the_knock(void **state)
{
	static const struct {
		bool dropped, captured;
		unsigned left;
		int error;
		enum cause_id id;
		enum certainty certainty;
		enum place where;
		uint32_t first, last;
		bool by_route;
	} knocks[] = {
		{false, false, 0, 0, CAUSE_ICMP_BLOCKED, CERTAINTY_POSSIBLE, PLACE_PEER_NAT, 0, 0,
			false},
		{true, false, 0, 0, CAUSE_ICMP_BLOCKED, CERTAINTY_LIKELY, PLACE_OWN_NAT, 0, 0,
			false},
		{false, true, 7, 0, CAUSE_ICMP_BLOCKED, CERTAINTY_POSSIBLE, PLACE_PEER_NAT, 1, 7,
			false},
		{true, true, 4, 0, CAUSE_ICMP_BLOCKED, CERTAINTY_LIKELY, PLACE_OWN_NAT, 1, 4,
			false},
		{true, true, 1, 0, CAUSE_ICMP_BLOCKED, CERTAINTY_LIKELY, PLACE_OWN_NAT, 1, 0,
			false},
		{false, true, 0, 0, CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_LIKELY, PLACE_HOST, 0, 0,
			false},
		{true, true, 0, 0, CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_LIKELY, PLACE_HOST, 0, 0,
			false},
		{false, false, 0, -EPERM, CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_CERTAIN,
			PLACE_HOST, 0, 0, false},
		{false, true, 0, -EPERM, CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_CERTAIN, PLACE_HOST,
			0, 0, false},
		{false, true, 0, -ENETUNREACH, CAUSE_NO_ROUTE, CERTAINTY_CERTAIN, PLACE_HOST, 0, 0,
			false},
		{false, true, 0, -EACCES, CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_CERTAIN,
			PLACE_HOST, 0, 0, false},
		{.captured = true,
			.error = -EACCES,
			.by_route = true,
			.id = CAUSE_NO_ROUTE,
			.certainty = CERTAINTY_CERTAIN,
			.where = PLACE_HOST},
		{.captured = true,
			.error = -EINVAL,
			.by_route = true,
			.id = CAUSE_NO_ROUTE,
			.certainty = CERTAINTY_CERTAIN,
			.where = PLACE_HOST},
	};
	static struct causes causes;

	(void)state;
	for (size_t i = 0; i < sizeof(knocks) / sizeof(*knocks); i++) {
		const struct cause *c = &causes.list[0];
		const struct endpoint peer = build_at(PEER);
		struct knock_causes_facts facts;
		struct scene s;

		begin(&s, false);
		captured_own(s.l, PACKET_UDP, 40000);
		captured_host(s.l, &peer);
		for (unsigned n = 0; n < knocks[i].left; n++)
			knock(&s);
		causes.count = 0;
		facts = (struct knock_causes_facts){.dropped = knocks[i].dropped,
			.sent = 7,
			.unsent = knocks[i].error ? 7 : 0,
			.error = knocks[i].error,
			.by_route = knocks[i].by_route,
			.captured = knocks[i].captured ? s.l : NULL};
		judge_knock_causes(&facts, &causes);
		assert_string_equal(main_cause(&causes), cause_name(knocks[i].id));
		assert_int_equal(c->where, knocks[i].where);
		assert_int_equal(c->certainty, knocks[i].certainty);
		assert_int_equal(c->packet_count, !!knocks[i].first + !!knocks[i].last);
		if (knocks[i].first)
			assert_int_equal(c->packets[0], knocks[i].first);
		if (knocks[i].last)
			assert_int_equal(c->packets[1], knocks[i].last);
		finish(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_cause),
		cmocka_unit_test(says_less_without_a_capture),
		cmocka_unit_test(knows_its_own_address),
		cmocka_unit_test(names_the_server),
		cmocka_unit_test(names_the_stream),
		cmocka_unit_test(names_the_knock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
