// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* The capture-report of a file of packets. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "packet_kit.h"
#include "test_document_check.h"
#include "test_reading_sample.h"

static void tells_the_file(void **state)
{
	struct reading_sample s;
	json_t *d;

	(void)state;
	reading_sample_begin(&s);
	reading_sample_mixed(&s);
	d = reading_sample_document(&s, false);
	CHECK(d, "format=capture-report", "format_version=1", "tool=natprobe", "version=0.1.0",
		"time=2026-11-20T10:00:00.123Z", "complete=true", "errors=[]");
	CHECK(d,
		"file={\"name\":\"x.pcapng\",\"packets\":11,\"without_ip\":3,\"malformed\":2,"
		"\"passed_over\":1,\"cut_off\":true,\"problem\":null,\"span_ms\":10.0}",
		"hosts=[\"10.0.1.2\"]", "hosts_guessed=false",
		"flow_states={\"works\":2,\"silent\":1,\"refused\":1,\"reset\":1,\"unasked\":1,"
		"\"unheard\":0}",
		"capture.state=file", "capture.packets=11", "capture.hint=null");
	document_keep(d, "reading");
	json_decref(d);
	reading_sample_end(&s);
}

/* What failed, and what is of STUN, comes before what works. */
static void tells_flows(void **state)
{
	struct reading_sample s;
	json_t *d;

	(void)state;
	reading_sample_begin(&s);
	reading_sample_mixed(&s);
	d = reading_sample_document(&s, true);
	CHECK(d,
		"flows.0={\"protocol\":\"udp\",\"local\":{\"address\":\"10.0.1.2\",\"port\":40000},"
		"\"remote\":{\"address\":\"203.0.113.1\",\"port\":3478},\"state\":\"works\","
		"\"stun\":"
		"true,\"heard_first\":false,\"sent\":{\"packets\":1,\"first\":2,\"last\":2,"
		"\"resets\":0,"
		"\"wrong_checksums\":0,\"largest_bytes\":48},\"received\":{\"packets\":1,\"first\":"
		"3,"
		"\"last\":3,\"resets\":0,\"wrong_checksums\":0,\"largest_bytes\":60},\"icmp_"
		"errors\":"
		"[]}",
		"flows.1.state=silent", "flows.2.state=refused",
		"flows.2.icmp_errors=[{\"from\":\"192.0.2.1\",\"type\":3,\"code\":13,\"mtu\":null,"
		"\"count\":1,\"first\":7}]",
		"flows.3.state=reset", "flows.3.protocol=tcp", "flows.3.received.resets=1",
		"flows.4.state=unasked", "flows.4.sent.first=null", "flows.5.state=works",
		"flows.5.stun=false");
	CHECK(d, "packets.0.n=1", "packets.10.n=11", "packets.1.t_ms=1.0");
	document_keep(d, "reading-all");
	json_decref(d);
	reading_sample_end(&s);
}

static void tells_mappings(void **state)
{
	struct reading_sample s;
	json_t *d;

	(void)state;
	reading_sample_begin(&s);
	reading_sample_dependent(&s);
	d = reading_sample_document(&s, false);
	CHECK(d,
		"mappings=[{\"local\":{\"address\":\"10.0.1.2\",\"port\":40000},\"nat\":true,"
		"\"mapping\":\"address-dependent\",\"let_in_others\":true,\"seen\":[{\"server\":"
		"{\"address\":\"203.0.113.1\",\"port\":3478},\"mapped\":{\"address\":\"192.0.2."
		"11\","
		"\"port\":7},\"packet\":2},{\"server\":{\"address\":\"203.0.113.2\",\"port\":3478},"
		"\"mapped\":{\"address\":\"192.0.2.11\",\"port\":8},\"packet\":4}]}]",
		"causes.0.id=dependent-mapping", "causes.0.packets=[2,4]", "causes.0.evidence=[]");
	/* only what the cause names is listed */
	assert_int_equal(json_array_size(json_object_get(d, "packets")), 2);
	document_keep(d, "reading-mapping");
	json_decref(d);
	reading_sample_end(&s);
}

/* Nothing in the file, and nothing that could be read. */
static void is_whole_without_packets(void **state)
{
	struct reading_sample s;
	json_t *d;

	(void)state;
	reading_sample_begin(&s);
	s.file = (struct reading_file){.name = "\xff\xfe", .problem = "at byte 0: broken"};
	d = reading_sample_document(&s, true);
	CHECK(d, "file.name=\357\277\275\357\277\275", "file.problem=at byte 0: broken",
		"file.span_ms=null", "hosts=[]", "hosts_guessed=false", "flows=[]", "mappings=[]",
		"causes=[]", "packets=[]", "flow_states.works=0");
	document_keep(d, "reading-empty");
	json_decref(d);
	captured_destroy(s.l);
	s.l = NULL;
	d = reading_sample_document(&s, true);
	CHECK(d, "flows=[]", "capture.packets=0", "capture.state=file");
	document_keep(d, "reading-nothing");
	json_decref(d);
	reading_sample_end(&s);
}

/* No more flows than can be looked at, whatever works in between. */
static void bounds_flows(void **state)
{
	struct reading_sample s;
	json_t *d;

	(void)state;
	reading_sample_begin(&s);
	for (unsigned i = 0; i < 700; i++) {
		char host[32];

		snprintf(host, sizeof(host), "10.0.1.2:%u", 1024 + i);
		reading_sample_put(&s, kit_udp(host, "203.0.113.1:9", "x"), WAY_OUT);
		if (i < 600)
			reading_sample_put(&s, kit_udp("203.0.113.1:9", host, "x"), WAY_IN);
	}
	d = reading_sample_document(&s, false);
	assert_int_equal(json_array_size(json_object_get(d, "flows")), 500);
	CHECK(d, "flows.0.state=silent", "flows.99.state=silent", "flows.100.state=works",
		"flow_states.works=600", "flow_states.silent=100");
	json_decref(d);
	reading_sample_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_file),
		cmocka_unit_test(tells_flows),
		cmocka_unit_test(tells_mappings),
		cmocka_unit_test(is_whole_without_packets),
		cmocka_unit_test(bounds_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
