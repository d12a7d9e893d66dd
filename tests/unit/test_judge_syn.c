// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* What becomes of SYNs: each verdict by what host and server say of them, and never one that they do not bear out. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "journal_build.h"
#include "judge/findings.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define UNKNOWN	  TRI_UNKNOWN
#define NO	  TRI_NO
#define YES	  TRI_YES
#define TS	  SYN_TIMESTAMPS
#define SACK	  SYN_SACK
#define WS	  SYN_SCALE
#define ALL	  (TS | SACK | WS | SYN_MSS)
#define NOT_KNOWN 0x100 /* no mask */

/* A connection of the mapping question to one of the server's endpoints, as a host sees it that nothing is done to. */
static struct observation *add_connection(struct journal *j, size_t server, bool first)
{
	struct endpoint to = build_target(j, server, false, !first);
	struct observation *o = build_ask(j, first ? QUESTION_BINDING : QUESTION_MAPPING, server,
		BUILD_SOCKET, &to, &to, 40000);

	o->transport = TRANSPORT_TCP;
	o->own = (struct connection_seen){.outcome = CONNECTION_MADE, .took_us = 40000};
	o->handshake = (struct handshake){.ttl = first ? 64 : 128,
		.known = ALL,
		.sent = {ALL, 7, 1460},
		.told = true,
		.agreed = TS | SACK | WS,
		.peer_scale = 7,
		.segment_bytes = 1448,
		.path_mtu = 1500,
		.window = 64240};
	o->answer.has_syn = true;
	o->answer.syn = (struct stun_syn){.version = 1,
		.parts = STUN_SYN_ARRIVED | STUN_SYN_ANSWERED,
		.arrived = {.ttl = first ? 60 : 124, .options = {ALL, 7, 1460}},
		.answered = {ALL, 7, 1460}};
	return o;
}

static size_t add_server(struct journal *j)
{
	size_t server = build_server(j);

	j->servers[server].transport = TRANSPORT_TCP;
	return server;
}

static struct journal *begin(struct observation **o)
{
	struct journal *j = build_journal();
	size_t server = add_server(j);

	o[0] = add_connection(j, server, true);
	o[1] = add_connection(j, server, false);
	return j;
}

/* --- nothing is done --- */

static void test_clean(void **state)
{
	struct observation *o[2];
	struct journal *j = begin(o);
	struct verdict v;

	(void)state;
	judge(j, &v);
	assert_int_equal(v.tcp4.mss_clamping, NO);
	assert_int_equal(v.tcp4.mss_outward.sent, 1460);
	assert_int_equal(v.tcp4.mss_outward.arrived, 1460);
	assert_int_equal(v.tcp4.mss_inward.sent, 1460);
	assert_int_equal(v.tcp4.mss_inward.arrived, 1460);
	assert_true(v.tcp4.options_known);
	assert_int_equal(v.tcp4.removed_outward | v.tcp4.removed_inward, 0);
	assert_true(v.tcp4.hops_known);
	assert_int_equal(v.tcp4.hops, 4);
	assert_int_equal(v.tcp4.mss_basis.evidence_count, 2);
	assert_int_equal(v.udp4.mss_clamping, UNKNOWN);
	assert_false(v.udp4.options_known || v.udp4.hops_known);
	journal_destroy(j);
}

/* Who knows nothing says why: no server, one that tells nothing, a system that tells nothing. */
static void test_untold(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct observation *o[2];
		struct journal *j = begin(o);
		struct verdict v;

		for (int k = 0; k < 2; k++) {
			o[k]->answer.has_syn = i != 0;
			o[k]->handshake.told = i != 1;
			if (i == 2)
				o[k]->question = QUESTION_HAIRPIN;
			if (i == 3)
				o[k]->state = OBSERVATION_SILENT;
		}
		judge(j, &v);
		assert_int_equal(v.tcp4.mss_clamping, UNKNOWN);
		assert_false(v.tcp4.options_known || v.tcp4.hops_known);
		assert_non_null(strstr(v.tcp4.mss_basis.text,
			i < 2 ? "no server that tells" : "no server answered"));
		assert_string_equal(v.tcp4.options_basis.text, v.tcp4.mss_basis.text);
		assert_string_equal(v.tcp4.hops_basis.text, v.tcp4.mss_basis.text);
		assert_int_equal(v.tcp4.mss_basis.evidence_count, 0);
		journal_destroy(j);
	}
}

/* --- the MSS --- */

struct mss_row {
	const char *name;
	bool v6;
	uint16_t sent, arrived; /* of this host's SYN; 0: not known */
	uint16_t answered, segment;
	uint32_t mtu; /* of the server's; the segments with timestamps */
	uint32_t window;
	bool probes;
	enum tri outward, inward, all;
	uint16_t inward_arrived;
};

static const struct mss_row mss_rows[] = {
	{"clean", false, 1460, 1460, 1460, 1448, 1500, 64240, false, NO, NO, NO, 1460},
	{"IPv6", true, 1440, 1440, 1440, 1428, 1500, 64240, false, NO, NO, NO, 1440},
	{"both ways", false, 1460, 1412, 1460, 1400, 1500, 64240, false, YES, YES, YES, 1412},
	{"IPv6, both", true, 1440, 1220, 1440, 1208, 1500, 64240, false, YES, YES, YES, 1220},
	{"outward", false, 1460, 1412, 1460, 1448, 1500, 64240, false, YES, NO, YES, 1460},
	{"inward", false, 1460, 1460, 1460, 1400, 1500, 64240, false, NO, YES, YES, 1412},
	{"by one byte", false, 1460, 1459, 1460, 1447, 1500, 64240, false, YES, YES, YES, 1459},
	/* what arrives is larger than what was sent: nothing is smaller */
	{"raised", false, 1400, 1460, 1400, 1448, 1500, 64240, false, NO, NO, NO, 1460},
	/* the own packets are too small to show what comes in */
	{"PPPoE here", false, 1452, 1452, 1460, 1440, 1492, 64240, false, NO, UNKNOWN, UNKNOWN,
		1452},
	{"PPPoE here, clamped", false, 1452, 1412, 1460, 1440, 1492, 64240, false, YES, UNKNOWN,
		YES, 1452},
	{"the path is smaller", false, 1460, 1460, 1460, 1348, 1400, 64240, false, NO, UNKNOWN,
		UNKNOWN, 1360},
	{"large at the server", false, 1460, 1460, 8960, 1448, 1500, 64240, false, NO, UNKNOWN,
		UNKNOWN, 1460},
	{"large here", false, 8960, 8960, 1460, 1448, 9000, 64240, false, NO, NO, NO, 1460},
	{"large at both, small between", false, 8960, 1460, 8960, 1448, 9000, 64240, false, YES,
		YES, YES, 1460},
	/* half the window is smaller than the MSS */
	{"loopback", false, 65495, 65495, 65495, 32767, 65536, 65535, false, NO, UNKNOWN, UNKNOWN,
		0},
	{"small window", false, 1460, 1460, 1460, 500, 1500, 1000, false, NO, UNKNOWN, UNKNOWN, 0},
	{"no window known", false, 1460, 1460, 1460, 1388, 1500, 0, false, NO, UNKNOWN, UNKNOWN, 0},
	{"nor needed", false, 1460, 1460, 1460, 1448, 1500, 0, false, NO, NO, NO, 0},
	/* a system that looks for the path MTU by itself */
	{"probing", false, 1460, 1460, 1460, 1012, 1500, 64240, true, NO, UNKNOWN, UNKNOWN, 0},
	{"probing, all found", false, 1460, 1460, 1460, 1448, 1500, 64240, true, NO, NO, NO, 0},
	/* a fragment header in each packet (Linux up to 6.6, path MTU below 1280) */
	{"fragment header", true, 1220, 1220, 1440, 1200, 1280, 64240, false, NO, UNKNOWN, UNKNOWN,
		1212},
	/* not known */
	{"not sent", false, 0, 1460, 1460, 1448, 1500, 64240, false, UNKNOWN, NO, UNKNOWN, 1460},
	{"not arrived", false, 1460, 0, 1460, 1448, 1500, 64240, false, UNKNOWN, NO, UNKNOWN, 1460},
	{"not arrived, clamped", false, 1460, 0, 1460, 1400, 1500, 64240, false, UNKNOWN, YES, YES,
		1412},
	{"not answered", false, 1460, 1460, 0, 1448, 1500, 64240, false, NO, UNKNOWN, UNKNOWN,
		1460},
	{"no segments", false, 1460, 1460, 1460, 0, 1500, 64240, false, NO, UNKNOWN, UNKNOWN, 0},
	{"no path MTU", false, 1460, 1460, 1460, 1448, 0, 64240, false, NO, UNKNOWN, UNKNOWN, 0},
	{"more than fits", false, 1460, 1460, 1460, 1449, 1500, 64240, false, NO, UNKNOWN, UNKNOWN,
		0},
};

static void set_mss(struct observation *o, const struct mss_row *row)
{
	struct stun_syn *syn = &o->answer.syn;

	o->handshake.known = row->sent ? ALL : ALL & ~SYN_MSS;
	o->handshake.sent = (struct syn_options){o->handshake.known, 7, row->sent};
	o->handshake.segment_bytes = row->segment;
	o->handshake.path_mtu = row->mtu;
	o->handshake.window = row->window;
	o->handshake.probes_mtu = row->probes;
	syn->parts = (uint8_t)((row->arrived ? STUN_SYN_ARRIVED : 0) |
		(row->answered ? STUN_SYN_ANSWERED : 0));
	syn->arrived.options.mss = row->arrived;
	syn->answered.mss = row->answered;
}

/* A host and server of IPv6 in the same journal. */
static void to_ipv6(struct journal *j)
{
	struct endpoint server = build_at("[2001:db8:1::1]:3478");

	j->servers[0].endpoint = server;
	for (size_t i = 0; i < j->observation_count; i++) {
		struct observation *o = &j->observations[i];

		o->family = FAMILY_IPV6;
		o->to = o->expect = o->answer.from = server;
		o->local = build_at("[2001:db8:2::1]:40000");
		o->answer.mapped = o->answer.mapped_plain = o->local;
		o->answer.other = (struct endpoint){.family = FAMILY_NONE};
	}
}

static void test_mss(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(mss_rows); i++) {
		const struct mss_row *row = &mss_rows[i];
		struct observation *o[2];
		struct journal *j = begin(o);
		const struct behaviour *b;
		struct verdict v;

		set_mss(o[0], row);
		set_mss(o[1], row);
		if (row->v6)
			to_ipv6(j);
		judge(j, &v);
		b = row->v6 ? &v.tcp6 : &v.tcp4;
		if (b->mss_outward.clamped != row->outward ||
			b->mss_inward.clamped != row->inward || b->mss_clamping != row->all ||
			b->mss_inward.arrived != row->inward_arrived)
			fail_msg("%s: outward %d, inward %d (%u), both %d: %s", row->name,
				b->mss_outward.clamped, b->mss_inward.clamped,
				b->mss_inward.arrived, b->mss_clamping, b->mss_basis.text);
		assert_int_equal(b->mss_outward.sent, row->sent);
		assert_int_equal(b->mss_outward.arrived, row->arrived);
		assert_int_equal(b->mss_inward.sent, row->answered);
		assert_int_equal(*b->mss_basis.text != '\0', row->all == UNKNOWN);
		journal_destroy(j);
	}
}

/* Without the option the other side assumes the least. */
static void test_no_mss(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct observation *o[2];
		struct journal *j = begin(o);
		const struct behaviour *b;
		struct verdict v;

		for (int i = 0; i < 2; i++)
			o[i]->answer.syn.arrived.options =
				(struct syn_options){TS | SACK | WS, 7, 0};
		if (v6)
			to_ipv6(j);
		judge(j, &v);
		b = v6 ? &v.tcp6 : &v.tcp4;
		assert_int_equal(b->mss_clamping, YES);
		assert_int_equal(b->mss_outward.arrived, v6 ? 1220 : 536);
		assert_true(b->options_known);
		assert_int_equal(b->removed_outward, SYN_MSS);
		journal_destroy(j);
	}
}

/* Connections that say different things say nothing, unless the other direction does. */
static void test_mss_contradiction(void **state)
{
	(void)state;
	for (int inward = 0; inward < 2; inward++) {
		struct observation *o[2];
		struct journal *j = begin(o);
		struct verdict v;

		o[1]->answer.syn.arrived.options.mss = 1412;
		if (inward)
			o[0]->handshake.segment_bytes = o[1]->handshake.segment_bytes = 1400;
		judge(j, &v);
		assert_int_equal(v.tcp4.mss_outward.clamped, UNKNOWN);
		assert_int_equal(v.tcp4.mss_clamping, inward ? YES : UNKNOWN);
		if (!inward)
			assert_non_null(strstr(v.tcp4.mss_basis.text, "than others"));
		journal_destroy(j);
	}
}

/* --- options --- */

static const struct option_row {
	const char *name;
	unsigned known, sent, arrived, answered, agreed; /* NOT_KNOWN: of arrived, answered */
	bool is_known;
	unsigned outward, inward;
} option_rows[] = {
	{"clean", ALL, ALL, ALL, ALL, TS | SACK | WS, true, 0, 0},
	{"outward", ALL, ALL, ALL & ~TS, ALL & ~TS, SACK | WS, true, TS, 0},
	{"all outward", ALL, ALL, SYN_MSS, SYN_MSS, 0, true, TS | SACK | WS, 0},
	{"inward", ALL, ALL, ALL, ALL, SACK, true, 0, TS | WS},
	{"one each", ALL, ALL, ALL & ~SACK, ALL & ~SACK, WS, true, SACK, TS},
	/* a server, or a host, that has no such option */
	{"not answered", ALL, ALL, ALL, SYN_MSS | WS, WS, true, 0, 0},
	{"not sent", ALL, ALL & ~TS, ALL & ~TS, ALL & ~TS, SACK | WS, true, 0, 0},
	{"answered unasked", ALL, ALL & ~TS, ALL & ~TS, ALL, SACK | WS, true, 0, 0},
	/* who does not know what was sent still knows what has arrived */
	{"sent is not known", 0, 0, ALL, ALL, TS | SACK | WS, true, 0, 0},
	{"and nothing comes back", 0, 0, ALL, ALL, 0, true, 0, TS | SACK | WS},
	{"and something is missing", 0, 0, ALL & ~TS, ALL & ~TS, SACK | WS, false, 0, 0},
	{"of that only", ALL & ~TS, ALL & ~TS, ALL & ~TS, ALL & ~TS, SACK | WS, false, 0, 0},
	/* nothing was kept, or told */
	{"not kept", ALL, ALL, NOT_KNOWN, ALL, TS | SACK | WS, false, 0, 0},
	{"not told", ALL, ALL, ALL, NOT_KNOWN, TS | SACK | WS, true, 0, 0},
	{"not told, not agreed", ALL, ALL, ALL, NOT_KNOWN, TS | SACK, false, 0, 0},
};

static void set_options(struct observation *o, const struct option_row *row)
{
	struct stun_syn *syn = &o->answer.syn;

	o->handshake.known = (uint8_t)row->known;
	o->handshake.sent.has = (uint8_t)row->sent;
	o->handshake.agreed = (uint8_t)row->agreed;
	syn->arrived.options.has = (uint8_t)row->arrived;
	syn->answered.has = (uint8_t)row->answered;
	syn->parts = (uint8_t)((row->arrived == NOT_KNOWN ? 0 : STUN_SYN_ARRIVED) |
		(row->answered == NOT_KNOWN ? 0 : STUN_SYN_ANSWERED));
}

static void test_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(option_rows); i++) {
		const struct option_row *row = &option_rows[i];
		struct observation *o[2];
		struct journal *j = begin(o);
		struct verdict v;

		set_options(o[0], row);
		set_options(o[1], row);
		judge(j, &v);
		if (v.tcp4.options_known != row->is_known ||
			v.tcp4.removed_outward != row->outward ||
			v.tcp4.removed_inward != row->inward)
			fail_msg("%s: known %d, outward %u, inward %u", row->name,
				v.tcp4.options_known, v.tcp4.removed_outward,
				v.tcp4.removed_inward);
		assert_int_equal(*v.tcp4.options_basis.text == '\0', row->is_known);
		journal_destroy(j);
	}
}

static void test_option_contradiction(void **state)
{
	struct observation *o[2];
	struct journal *j = begin(o);
	struct verdict v;

	(void)state;
	o[1]->answer.syn.arrived.options.has &= ~SYN_SACK;
	o[1]->answer.syn.answered.has &= ~SYN_SACK;
	o[1]->handshake.agreed &= ~SYN_SACK;
	judge(j, &v);
	assert_false(v.tcp4.options_known);
	assert_int_equal(v.tcp4.removed_outward, 0);
	assert_non_null(strstr(v.tcp4.options_basis.text, "that others lack"));
	journal_destroy(j);
}

/* --- hops --- */

static void test_hops(void **state)
{
	static const struct {
		uint8_t sent[2], arrived[2]; /* sent 0: not known; arrived 0: not kept */
		int hops; /* -1: not known */
		const char *why;
	} rows[] = {
		{{64, 128}, {60, 124}, 4, NULL},
		{{64, 128}, {64, 128}, 0, NULL},
		{{64, 128}, {1, 65}, 63, NULL},
		{{64, 128}, {60, 60}, -1, "the same TTL"},
		{{64, 128}, {60, 123}, -1, "different lengths"},
		{{64, 128}, {65, 129}, -1, "raises"},
		{{64, 64}, {60, 60}, -1, "had the same TTL"},
		{{64, 0}, {60, 60}, -1, "had the same TTL"},
		{{0, 0}, {60, 60}, -1, "has not kept"},
		{{64, 128}, {0, 0}, -1, "has not kept"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct observation *o[2];
		struct journal *j = begin(o);
		struct verdict v;

		for (int k = 0; k < 2; k++) {
			o[k]->handshake.ttl = rows[i].sent[k];
			o[k]->answer.syn.arrived.ttl = rows[i].arrived[k];
			if (!rows[i].arrived[k])
				o[k]->answer.syn.parts = STUN_SYN_ANSWERED;
		}
		judge(j, &v);
		assert_int_equal(v.tcp4.hops_known, rows[i].hops >= 0);
		if (rows[i].hops >= 0)
			assert_int_equal(v.tcp4.hops, rows[i].hops);
		else
			assert_non_null(strstr(v.tcp4.hops_basis.text, rows[i].why));
		journal_destroy(j);
	}
}

/* The other address of a server may be another host; and of two servers the nearer one counts. */
static void test_nearest(void **state)
{
	struct observation *o[2], *other;
	struct journal *j = begin(o);
	struct verdict v;
	size_t server;

	(void)state;
	other = add_connection(j, 0, false);
	other->to = other->expect = other->answer.from = build_target(j, 0, true, true);
	other->answer.syn.arrived.ttl = 100;
	judge(j, &v);
	assert_true(v.tcp4.hops_known);
	assert_int_equal(v.tcp4.hops, 4);
	server = add_server(j);
	for (int i = 0; i < 2; i++) {
		other = add_connection(j, server, !i);
		other->answer.syn.arrived.ttl = (uint8_t)(other->handshake.ttl - 2);
	}
	judge(j, &v);
	assert_int_equal(v.tcp4.hops, 2);
	/* one of which nothing is known is no reason to know nothing */
	other->answer.syn.parts = 0;
	judge(j, &v);
	assert_int_equal(v.tcp4.hops, 4);
	journal_destroy(j);
}

/* --- sequence numbers --- */

#define SECOND_NS 1000000000ull
#define START_NS  (1800000000 * SECOND_NS)
#define CALL_NS	  50000u /* what the call takes in which the number is chosen */

/* The three SYNs: two that a router quotes, 20 ms apart, and one that arrives; a clock of 64 ns. */
static void add_sequence(struct journal *j, struct observation *o[3])
{
	for (unsigned i = 0; i < 3; i++) {
		uint64_t now_ns = START_NS + i * SECOND_NS / 50;

		o[i] = add_connection(j, 0, true);
		o[i]->question = QUESTION_SEQUENCE;
		o[i]->handshake.ttl = i < 2 ? 1 : 64;
		o[i]->handshake.since_ns = now_ns;
		o[i]->handshake.until_ns = now_ns + CALL_NS;
		o[i]->handshake.sequence = 0xfffffff0u + (uint32_t)((now_ns + CALL_NS / 2) / 64);
		o[i]->answer.syn.arrived.sequence = o[i]->handshake.sequence;
		if (i == 2)
			continue;
		o[i]->handshake.told = false;
		o[i]->handshake.quoted = true;
		o[i]->state = OBSERVATION_REFUSED;
		o[i]->answers = 0;
		o[i]->icmp = (struct icmp_seen){.count = 1, .type = 11};
	}
	o[2]->handshake.sequence = 0;
}

static void change_sequence(struct observation *o[3], char what)
{
	switch (what) {
	case 'r': /* another number */
		o[2]->answer.syn.arrived.sequence ^= 0x40000000;
		break;
	case '+': /* a little later, and earlier, than it can be */
		o[2]->answer.syn.arrived.sequence += 2 * CALL_NS / 64;
		break;
	case '-':
		o[2]->answer.syn.arrived.sequence -= 2 * CALL_NS / 64;
		break;
	case 'q': /* not quoted */
		o[0]->handshake.quoted = false;
		break;
	case 'Q':
		o[1]->handshake.quoted = false;
		break;
	case 's': /* the router says nothing */
		o[0]->handshake.quoted = false;
		o[0]->icmp.count = 0;
		o[0]->state = OBSERVATION_SILENT;
		break;
	case 'a': /* it arrives: there is no router */
		o[0]->handshake.quoted = false;
		o[0]->state = OBSERVATION_ANSWERED;
		break;
	case 'x':
		o[0]->handshake.quoted = false;
		o[0]->state = OBSERVATION_ABANDONED;
		break;
	case 'c': /* no clock */
		o[1]->handshake.sequence += 1000000;
		break;
	case 'n': /* the third is not told of, not connected, not saved */
		o[2]->answer.has_syn = false;
		break;
	case 'N':
		o[2]->state = OBSERVATION_SILENT;
		break;
	case 'k':
		o[2]->answer.syn.parts = STUN_SYN_ANSWERED;
		break;
	case 'l': /* other endpoints */
		o[2]->local.port++;
		break;
	case 't':
		o[1]->to.port++;
		break;
	case 'b': /* the clock was set back, or went on too far */
		o[2]->handshake.since_ns -= SECOND_NS;
		o[2]->handshake.until_ns -= SECOND_NS;
		break;
	case 'f':
		o[2]->handshake.since_ns += 100 * SECOND_NS;
		o[2]->handshake.until_ns += 100 * SECOND_NS;
		break;
	default:
		break;
	}
}

static void test_sequence(void **state)
{
	static const struct {
		const char *what;
		enum tri rewriting;
		const char *why;
	} rows[] = {
		{"", NO, NULL},
		{"r", YES, NULL},
		{"+", YES, NULL},
		{"-", YES, NULL},
		{"q", UNKNOWN, "does not show"},
		{"Q", UNKNOWN, "does not show"},
		{"rq", UNKNOWN, "does not show"},
		{"s", UNKNOWN, "no router says"},
		{"a", UNKNOWN, "no router is on the way"},
		{"x", UNKNOWN, "the run ended"},
		{"c", UNKNOWN, "by its clock"},
		{"cr", UNKNOWN, "by its clock"},
		{"n", UNKNOWN, "did not"},
		{"N", UNKNOWN, "did not"},
		{"k", UNKNOWN, "did not"},
		{"l", UNKNOWN, "by its clock"},
		{"t", UNKNOWN, "by its clock"},
		{"b", UNKNOWN, "by its clock"},
		{"rb", UNKNOWN, "by its clock"},
		{"rf", UNKNOWN, "by its clock"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct observation *o[2], *syns[3];
		struct journal *j = begin(o);
		struct verdict v;

		add_sequence(j, syns);
		for (const char *c = rows[i].what; *c; c++)
			change_sequence(syns, *c);
		judge(j, &v);
		if (v.tcp4.sequence_rewriting != rows[i].rewriting ||
			(rows[i].why && !strstr(v.tcp4.sequence_basis.text, rows[i].why)))
			fail_msg("\"%s\": %d: %s", rows[i].what, v.tcp4.sequence_rewriting,
				v.tcp4.sequence_basis.text);
		assert_int_equal(v.tcp4.sequence_basis.evidence_count, 3);
		journal_destroy(j);
	}
}

/* Not asked, or the run ended between. */
static void test_sequence_not_asked(void **state)
{
	(void)state;
	for (size_t left = 0; left < 3; left++) {
		struct observation *o[2], *syns[3];
		struct journal *j = begin(o);
		struct verdict v;

		add_sequence(j, syns);
		j->observation_count -= 3 - left;
		judge(j, &v);
		assert_int_equal(v.tcp4.sequence_rewriting, UNKNOWN);
		assert_non_null(strstr(
			v.tcp4.sequence_basis.text, left ? "did not" : "no server that tells"));
		journal_destroy(j);
	}
}

/* --- findings --- */

static const struct finding *find(const struct finding *findings, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(findings[i].id, id))
			return &findings[i];
	return NULL;
}

static void test_findings(void **state)
{
	static struct finding findings[FINDINGS_MAX];
	struct observation *o[2];
	struct journal *j = begin(o);
	const struct finding *f;
	struct verdict v;
	size_t count;

	(void)state;
	judge(j, &v);
	count = judge_findings(j, &v, findings);
	assert_null(find(findings, count, "mss-clamped"));
	assert_null(find(findings, count, "tcp-options-removed"));
	for (int i = 0; i < 2; i++) {
		o[i]->answer.syn.arrived.options = (struct syn_options){WS | SYN_MSS, 7, 1412};
		o[i]->answer.syn.answered = (struct syn_options){WS | SYN_MSS, 7, 1460};
		o[i]->handshake.agreed = 0;
		o[i]->handshake.segment_bytes = 1460;
	}
	judge(j, &v);
	count = judge_findings(j, &v, findings);
	f = find(findings, count, "mss-clamped");
	assert_non_null(f);
	assert_int_equal(f->severity, SEVERITY_INFO);
	assert_non_null(strstr(
		f->detail, "SYNs of this host leave with an MSS of 1460 and arrive with 1412."));
	assert_null(strstr(f->detail, "the server"));
	assert_int_equal(f->evidence_count, 2);
	f = find(findings, count, "tcp-options-removed");
	assert_non_null(f);
	assert_non_null(strstr(f->detail, "SYNs of this host arrive without timestamps, sack;"));
	assert_non_null(strstr(f->detail, "SYNs of the server arrive without window-scale."));
	assert_non_null(strstr(f->detail, "64 KiB"));
	journal_destroy(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_untold),
		cmocka_unit_test(test_mss),
		cmocka_unit_test(test_no_mss),
		cmocka_unit_test(test_mss_contradiction),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_option_contradiction),
		cmocka_unit_test(test_hops),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_sequence_not_asked),
		cmocka_unit_test(test_findings),
	};

	return cmocka_run_group_tests_name("judge_syn", tests, NULL, NULL);
}
