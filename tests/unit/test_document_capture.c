// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* What a capture adds to a document: its state, packets and causes. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "judge/join.h"
#include "packet_kit.h"
#include "report/document_private.h"
#include "test_document_check.h"
#include "test_report_sample.h"

#define HOST   "10.0.1.2:5000"
#define SERVER "203.0.113.10:3478"

static struct captured_list *make_list(void)
{
	struct captured_list *l;

	assert_int_equal(captured_create(true, &l), 0);
	assert_int_equal(captured_interface(l, 2, "eth0"), 0);
	return l;
}

static json_t *make(const struct report_capture *capture)
{
	struct maker m = {.failed = false};
	json_t *root = json_object();

	make_capture(&m, root, capture);
	assert_false(m.failed);
	return root;
}

/* --- the state --- */

static void is_off_without_one(void **state)
{
	json_t *d = make(NULL);

	(void)state;
	CHECK(d,
		"capture={\"state\":\"off\",\"hint\":null,\"interfaces\":[],\"packets\":0,\"kept\":"
		"0,"
		"\"missed\":0}",
		"causes=[]", "packets=[]");
	assert_int_equal(json_object_size(d), 3);
	json_decref(d);
}

static void says_its_state(void **state)
{
	static const char *const names[] = {[CAPTURE_OFF] = "off",
		[CAPTURE_ON] = "on",
		[CAPTURE_NOT_PERMITTED] = "not-permitted",
		[CAPTURE_UNAVAILABLE] = "unavailable",
		[CAPTURE_FILE] = "file"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		json_t *d = make(&(struct report_capture){
			.state = (enum capture_state)i, .hint = "setcap", .missed = 7});
		const json_t *c = json_object_get(d, "capture");

		assert_string_equal(json_string_value(json_object_get(c, "state")), names[i]);
		CHECK(d, "capture.hint=setcap", "capture.missed=7");
		json_decref(d);
	}
}

/* Names of interfaces come from files of strangers. */
static void escapes_names(void **state)
{
	struct captured_list *l = make_list();
	json_t *d;

	(void)state;
	captured_interface(l, 3, "\xff\033[2J");
	captured_interface(l, 4, "");
	d = make(&(struct report_capture){.state = CAPTURE_FILE, .list = l});
	CHECK(d, "capture.interfaces.0={\"n\":0,\"index\":2,\"name\":\"eth0\"}",
		"capture.interfaces.1.name=\357\277\275\033[2J", "capture.interfaces.2.name=null");
	json_decref(d);
	captured_destroy(l);
}

/* --- packets --- */

static void describes_packets(void **state)
{
	const struct kit_packet ask = kit_stun(HOST, SERVER, STUN_REQUEST, 1);
	const struct kit_packet answer = kit_stun(SERVER, HOST, STUN_SUCCESS, 1);
	const struct kit_packet syn = kit_tcp(HOST, "203.0.113.10:80", PACKET_SYN);
	const struct kit_packet rst =
		kit_tcp("203.0.113.10:80", HOST, PACKET_RST | PACKET_ACK | PACKET_PSH | PACKET_FIN);
	const struct kit_packet error = kit_error("10.0.1.1", &syn, 3, 13, 0);
	const struct kit_packet echo = kit_echo("[2001:db8:1::2]:7", "[2001:db8::1]:7", false);
	struct captured_list *l = make_list();
	struct report_capture capture = {
		.state = CAPTURE_ON, .list = l, .start_us = 1000000, .all = true};
	json_t *d;

	(void)state;
	kit_take(l, &ask, WAY_OUT, 1000000);
	kit_take(l, &answer, WAY_IN, 1050612);
	kit_take(l, &syn, WAY_OUT, 1060000);
	kit_take(l, &rst, WAY_IN, 1070000);
	kit_take(l, &error, WAY_IN, 1080000);
	kit_take(l, &echo, WAY_UNKNOWN, 900000); /* before the run: not below 0 */
	join_alone(l);
	l->packets[1].delivery_known = l->packets[1].delivered = true;
	l->packets[4].interface = CAPTURED_INTERFACES;
	d = make(&capture);
	CHECK(d, "capture.packets=6", "capture.kept=6", "capture.interfaces.0.name=eth0");
	CHECK(d, "packets.0.n=1", "packets.0.t_ms=0.0", "packets.0.interface=0",
		"packets.0.direction=out", "packets.0.protocol=udp",
		"packets.0.from={\"address\":\"10.0.1.2\",\"port\":5000}",
		"packets.0.to={\"address\":\"203.0.113.10\",\"port\":3478}",
		"packets.0.size_bytes=48", "packets.0.ttl=60", "packets.0.class=ours",
		"packets.0.content=request", "packets.0.meaning=request, answered by #2",
		"packets.0.evidence=null", "packets.0.about=null", "packets.0.type=null",
		"packets.0.code=null", "packets.0.flags=[]", "packets.0.delivered=null",
		"packets.0.checksum_wrong=false", "packets.0.device=host", "packets.0.hops=null");
	CHECK(d, "packets.1.t_ms=50.612", "packets.1.direction=in", "packets.1.class=answer",
		"packets.1.content=success", "packets.1.about=1", "packets.1.delivered=true",
		"packets.1.device=server", "packets.1.hops=5");
	CHECK(d, "packets.2.protocol=tcp", "packets.2.content=syn", "packets.2.flags=[\"SYN\"]",
		"packets.3.flags=[\"ACK\",\"PSH\",\"FIN\",\"RST\"]", "packets.3.content=rst");
	/* an error is one of ICMP, whatever it quotes */
	CHECK(d, "packets.4.protocol=icmp", "packets.4.content=icmp-error", "packets.4.type=3",
		"packets.4.code=13", "packets.4.class=error", "packets.4.about=3",
		"packets.4.interface=null", "packets.4.from.port=0");
	CHECK(d, "packets.5.protocol=icmpv6", "packets.5.type=128", "packets.5.direction=unknown",
		"packets.5.t_ms=0.0", "packets.5.device=unknown", "packets.5.hops=null");
	json_decref(d);
	captured_destroy(l);
}

/* Fragments and other protocols have no ports, and are there all the same. */
static void describes_what_has_no_ports(void **state)
{
	struct kit_packet p = kit_udp(HOST, SERVER, "data");
	struct captured_list *l = make_list();
	json_t *d;

	(void)state;
	p.bytes[9] = 47; /* GRE: of no protocol that is known here */
	kit_set_ttl(&p, 64);
	kit_take(l, &p, WAY_OUT, 0);
	p.bytes[6] = 0x01;
	kit_set_ttl(&p, 64);
	kit_take(l, &p, WAY_OUT, 0);
	join_alone(l);
	d = make(&(struct report_capture){.state = CAPTURE_FILE, .list = l, .all = true});
	CHECK(d, "packets.0.protocol=other", "packets.0.content=other", "packets.0.from.port=0",
		"packets.1.protocol=other", "packets.1.content=fragment");
	json_decref(d);
	captured_destroy(l);
}

/* Without `all` only what causes name; with it no more than so many, and what causes name besides. */
static void lists_what_is_named(void **state)
{
	const struct kit_packet ask = kit_stun(HOST, SERVER, STUN_REQUEST, 1);
	static struct causes causes = {.count = 1,
		.list[0] = {.id = CAUSE_REMAP,
			.packets = {2, REPORT_PACKETS_MAX + 5},
			.packet_count = 2}};
	struct captured_list *l = make_list();
	struct report_capture capture = {.state = CAPTURE_ON, .list = l, .causes = &causes};
	json_t *d;

	(void)state;
	for (unsigned i = 0; i < REPORT_PACKETS_MAX + 10; i++)
		kit_take(l, &ask, WAY_OUT, i);
	d = make(&capture);
	assert_int_equal(json_array_size(json_object_get(d, "packets")), 2);
	CHECK(d, "packets.0.n=2", "packets.1.n=1005", "capture.kept=1010");
	json_decref(d);
	capture.all = true;
	d = make(&capture);
	assert_int_equal(json_array_size(json_object_get(d, "packets")), REPORT_PACKETS_MAX + 1);
	CHECK(d, "packets.999.n=1000", "packets.1000.n=1005");
	json_decref(d);
	captured_destroy(l);
}

/* --- causes --- */

static void tells_causes(void **state)
{
	static const struct causes causes = {.count = 2,
		.list = {{.id = CAUSE_REVERSE_PATH_FILTER,
				 .certainty = CERTAINTY_CERTAIN,
				 .where = PLACE_HOST,
				 .hops = CAUSE_HOPS_UNKNOWN,
				 .title = "title",
				 .detail = "detail",
				 .packets = {3, 7},
				 .packet_count = 2,
				 .evidence = {0},
				 .evidence_count = 1},
			{.id = CAUSE_REFUSED_ON_PATH,
				.certainty = CERTAINTY_POSSIBLE,
				.where = PLACE_OWN_NAT,
				.device = {FAMILY_IPV4, 9, 0, {10, 0, 1, 1}},
				.hops = 1,
				.title = "other",
				.advice = "do",
				.decide = "look"}}};
	json_t *d = make(&(struct report_capture){.causes = &causes});

	(void)state;
	CHECK(d,
		"causes.0={\"id\":\"reverse-path-filter\",\"certainty\":\"certain\",\"where\":"
		"\"host\","
		"\"device\":null,\"hops\":null,\"title\":\"title\",\"detail\":\"detail\","
		"\"advice\":"
		"null,\"decide\":null,\"packets\":[3,7],\"evidence\":[0]}",
		"causes.1={\"id\":\"refused-on-path\",\"certainty\":\"possible\",\"where\":\"own-"
		"nat\","
		"\"device\":\"10.0.1.1\",\"hops\":1,\"title\":\"other\",\"detail\":null,\"advice\":"
		"\"do\",\"decide\":\"look\",\"packets\":[],\"evidence\":[]}");
	json_decref(d);
}

/* --- a whole report: for the schema, too --- */

static void is_part_of_a_report(void **state)
{
	const struct report_run run = {.tool = "natprobe",
		.version = "0.1.0",
		.time = "2026-11-20T10:00:00.123Z",
		.complete = true};
	const struct kit_packet ask =
		kit_stun("10.0.1.2:5999", "198.51.100.10:3478", STUN_REQUEST, 1);
	struct kit_packet error = kit_error("10.0.1.1", &ask, 3, 13, 0);
	static struct joined joined[JOURNAL_OBSERVATIONS];
	static struct causes causes;
	struct captured_list *l = make_list();
	struct report_capture capture = {
		.state = CAPTURE_ON, .list = l, .all = true, .causes = &causes};
	struct report_facts facts;
	struct cause_facts why;
	struct observation *o;
	struct sample s;
	json_t *d;

	(void)state;
	sample_home(&s);
	o = &s.j->observations[0];
	o->state = OBSERVATION_REFUSED;
	o->local = at("10.0.1.2:5999");
	o->answers = 0;
	o->sent = 1;
	o->icmp =
		(struct icmp_seen){.count = 1, .type = 3, .code = 13, .offender = at("10.0.1.1:1")};
	s.v.servers[0].status = SERVER_UNREACHABLE;
	kit_take(l, &ask, WAY_OUT, o->first_sent_us);
	kit_set_ttl(&error, 64);
	kit_take(l, &error, WAY_IN, o->first_sent_us + 300);
	join_journal(l, s.j);
	join_tally(l, s.j, joined);
	why = (struct cause_facts){
		.journal = s.j, .verdict = &s.v, .captured = l, .joined = joined};
	judge_causes(&why, &causes);
	capture.journal = s.j;
	capture.start_us = s.j->start_us;
	facts = (struct report_facts){s.j, &s.v, &s.outlook, s.findings, s.finding_count, &capture};
	assert_int_equal(report_document(&run, &facts, &d), 0);
	CHECK(d, "capture.state=on", "causes.0.id=refused-on-path", "causes.0.where=own-nat",
		"causes.0.packets=[1,2]", "causes.0.evidence=[0]", "packets.0.evidence=0",
		"packets.1.about=1", "packets.1.device=own-nat", "packets.1.hops=1");
	document_keep(d, "capture");
	json_decref(d);
	captured_destroy(l);
	sample_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_off_without_one),
		cmocka_unit_test(says_its_state),
		cmocka_unit_test(escapes_names),
		cmocka_unit_test(describes_packets),
		cmocka_unit_test(describes_what_has_no_ports),
		cmocka_unit_test(lists_what_is_named),
		cmocka_unit_test(tells_causes),
		cmocka_unit_test(is_part_of_a_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
