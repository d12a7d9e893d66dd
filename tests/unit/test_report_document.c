// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "test_document_check.h"
#include "test_report_sample.h"

static void test_home(void **state)
{
	struct sample s;
	json_t *d;

	(void)state;
	sample_home(&s);
	d = sample_document(&s);
	CHECK(d, "format=natprobe-report", "format_version=1", "tool=natprobe", "version=0.1.0",
		"time=2026-11-20T10:00:00.123Z", "duration_ms=412.346", "complete=true",
		"tests=[\"mapping\",\"filtering\",\"early\",\"hairpin\"]");
	CHECK(d, "udp.ipv4.status=ok", "udp.ipv4.nat=true",
		"udp.ipv4.local={\"address\":\"10.0.1.2\",\"port\":5000}",
		"udp.ipv4.external[0].port=5000", "udp.ipv4.mapping=endpoint-independent",
		"udp.ipv4.mapping_depends_on={\"address\":false,\"port\":false}",
		"udp.ipv4.filtering=address-and-port-dependent", "udp.ipv4.hairpin=false",
		"udp.ipv4.port_preservation=always", "udp.ipv4.pooling=paired",
		"udp.ipv4.early_packet=remap", "udp.ipv4.lifetime_s=null", "udp.ipv4.alg=false",
		"udp.ipv4.blocked_by=null", "udp.ipv4.rfc3489_class=port-restricted-cone",
		"udp.ipv4.reasons={}", "udp.ipv4.basis.early_packet=[4,5]",
		"udp.ipv4.port_allocation={\"pattern\":\"preserving\",\"step\":null,\"low\":null,"
		"\"high\":null,\"samples\":24,\"parity\":true,\"contiguity\":true,"
		"\"confidence\":0.988}");
	CHECK(d, "udp.ipv6.status=untested", "udp.ipv6.summary=UDP over IPv6: not tested",
		"tcp.ipv4.status=untested", "tcp.ipv4.summary=TCP: not tested",
		"tcp.ipv6.mapping=unknown", "icmp.ipv4.external=[]", "icmp.ipv6.nat=null",
		"path={\"nat_layers\":null,\"cgnat\":null,\"hops\":[],\"reached\":null,\"last_"
		"hop\":null,"
		"\"towards\":null,\"transport\":null,\"evidence\":null}",
		"gateway={\"pcp\":null,\"nat_pmp\":null,\"upnp_igd\":null}", "errors=[]");
	CHECK(d, "outlook.p2p=possible", "outlook.udp.ipv4.p2p=possible",
		"outlook.udp.ipv4.method=hole-punching-send-first", "outlook.udp.ipv6.p2p=unknown",
		"outlook.tcp.ipv4.reason=not tested",
		"outlook.icmp.ipv4={\"p2p\":\"unknown\",\"method\":\"unknown\",\"reason\":null}");
	CHECK(d, "findings.0.id=early-packet-remap", "findings.0.severity=problem",
		"findings.0.about=udp.ipv4", "findings.0.evidence=[4,5]",
		"findings.0.reference=RFC 4787 8 REQ-11", "findings.3.advice=null");
	document_keep(d, "home");
	json_decref(d);
	sample_end(&s);
}

static void test_icmp(void **state)
{
	struct sample s;
	json_t *d;

	(void)state;
	sample_icmp(&s);
	d = sample_document(&s);
	CHECK(d, "icmp.ipv4.status=ok", "icmp.ipv4.service=true", "icmp.ipv4.echo=true",
		"icmp.ipv4.identifiers=4", "icmp.ipv4.local.port=700",
		"icmp.ipv4.port_preservation=never",
		"icmp.ipv4.errors_arrive={\"udp\":\"sometimes\",\"tcp\":\"always\","
		"\"attempt\":\"unknown\"}",
		"icmp.ipv4.errors.0.udp={\"own\":true,\"other\":true}",
		"icmp.ipv4.errors.0.tcp={\"own\":true,\"other\":null}",
		"icmp.ipv4.errors.1={\"type\":11,\"code\":0,\"udp\":{\"own\":false,\"other\":true},"
		"\"tcp\":{\"own\":null,\"other\":null},\"attempt\":{\"own\":null,\"other\":null}}",
		"icmp.ipv4.quotes={\"right\":false,\"seen_by\":\"raw-socket\","
		"\"defects\":[\"ip-checksum\",\"udp-checksum\"]}",
		"icmp.ipv4.errors_end_mapping=false", "icmp.ipv4.errors_end_connection=true",
		"icmp.ipv4.errors_end_attempt=null", "icmp.ipv4.path_mtu_errors=true");
	CHECK(d, "icmp.ipv4.egress.untracked=inside-source", "icmp.ipv4.egress.source=10.0.1.2",
		"icmp.ipv4.egress.kinds.2={\"type\":11,\"code\":0,\"quotes\":\"echo\","
		"\"arrives\":null}",
		"icmp.ipv4.egress.translated=true",
		"icmp.ipv4.lifetime_s={\"at_least\":29,\"less_than\":40}",
		"icmp.ipv4.reasons={\"errors_attempt\":\"was not asked\","
		"\"errors_end_attempt\":\"no error has arrived\"}",
		"icmp.ipv4.basis.errors_udp=[1]", "icmp.ipv4.basis.lifetime_s=[2]",
		"icmp.ipv6.status=untested", "icmp.ipv6.lifetime_s=null", "icmp.ipv6.errors=[]",
		"icmp.ipv6.summary=ICMP over IPv6: not tested", "servers.0.transport=icmp");
	CHECK(d, "evidence.0.icmp_detail=null", "evidence.1.question=icmp-error",
		"evidence.1.icmp_detail.origin=other", "evidence.1.icmp_detail.path_mtu_after=1492",
		"evidence.1.icmp_detail.wrong_quotes=1", "evidence.2.icmp_detail.late_ms=40000",
		"evidence.2.icmp_detail.recorded_from={\"address\":\"192.0.2.11\",\"port\":701}");
	document_keep(d, "icmp");
	json_decref(d);
	sample_end(&s);
}

static void test_evidence(void **state)
{
	struct sample s;
	struct observation *o;
	json_t *d;

	(void)state;
	sample_home(&s);
	o = &s.j->observations[2];
	o->wrong_source = 2;
	o->wrong_from = at("[2001:db8::66]:1");
	o->malformed = 3;
	o->error_code = 420;
	o->receipts = 1;
	o->receipt_mapped = at("192.0.2.11:7");
	o->icmp =
		(struct icmp_seen){.count = 4, .type = 3, .code = 1, .offender = at("10.9.9.9:1")};
	o->reported_count = 1;
	o->reported[0] = (struct stun_icmp){3, 13, 2, at("10.8.8.8:1"), at("203.0.113.10:3479")};
	o = &s.j->observations[0];
	o->answer.ttl = 57;
	o->answer.has_observed = true;
	o->answer.observed = (struct stun_observed){1, 7, 55, 0xb8, 100, 0};
	s.v.servers[0].ours = true;
	o = &s.j->observations[1];
	o->sent = 2; /* which of the two was answered? */
	d = sample_document(&s);
	CHECK(d, "evidence.0.n=0", "evidence.0.t_ms=1.0", "evidence.0.question=binding",
		"evidence.0.state=answered", "evidence.0.server=stun.example",
		"evidence.0.server_n=0", "evidence.0.rtt_ms=50.6", "evidence.0.mapped.port=5000",
		"evidence.0.answer.software=natprobed 0.1.0", "evidence.0.answer.ttl=57",
		"evidence.0.answer.mapped_plain=null",
		"evidence.0.answer.observed={\"ttl\":55,\"tos\":184,\"size_bytes\":100,"
		"\"fragment_bytes\":null}",
		"servers.0.features=[\"other-address\",\"change-request\",\"receipt\",\"observed\","
		"\"icmp-report\"]");
	CHECK(d, "evidence.1.rtt_ms=null", "evidence.1.answer.t_ms=52.6");
	CHECK(d, "evidence.2.state=silent", "evidence.2.sent=3", "evidence.2.awaited=3",
		"evidence.2.received=0", "evidence.2.receipts=1", "evidence.2.answer=null",
		"evidence.2.from.port=3479", "evidence.2.mapped.port=7", "evidence.2.malformed=3",
		"evidence.2.error_code=420",
		"evidence.2.wrong_source={\"count\":2,\"from\":{\"address\":\"2001:db8::66\","
		"\"port\":1}}",
		"evidence.2.icmp={\"type\":3,\"code\":1,\"from\":\"10.9.9.9\",\"count\":4,"
		"\"local\":false}",
		"evidence.2.icmp_at_server=[{\"type\":3,\"code\":13,\"from\":\"10.8.8.8\","
		"\"count\":2,\"quoted_from\":{\"address\":\"203.0.113.10\",\"port\":3479}}]");
	document_keep(d, "evidence");
	json_decref(d);
	sample_end(&s);
}

static void test_syns(void **state)
{
	struct sample s;
	json_t *d;

	(void)state;
	sample_tcp(&s);
	d = sample_document(&s);
	CHECK(d, "tcp.ipv4.mss_clamping=true",
		"tcp.ipv4.mss.outward={\"sent\":1460,\"arrived\":1412,\"clamped\":true}",
		"tcp.ipv4.mss.inward={\"sent\":1440,\"arrived\":1440,\"clamped\":false}",
		"tcp.ipv4.options_removed=[\"timestamps\",\"sack\"]", "tcp.ipv4.hops=null",
		"tcp.ipv4.reasons.hops=SYNs have taken ways of different lengths",
		"tcp.ipv4.basis.mss_clamping=[0]", "tcp.ipv4.basis.options_removed=[0]",
		"tcp.ipv4.basis.hops=[]", "tcp.ipv4.sequence_rewriting=true",
		"tcp.ipv4.basis.sequence_rewriting=[0]", "tcp.ipv6.sequence_rewriting=null",
		"tcp.ipv6.mss_clamping=null",
		"tcp.ipv6.mss.inward={\"sent\":null,\"arrived\":null,\"clamped\":null}",
		"tcp.ipv6.options_removed=null", "udp.ipv4.options_removed=null");
	CHECK(d,
		"evidence.0.answer.syn.arrived={\"ttl\":57,\"tos\":184,\"mss\":1412,"
		"\"options\":[\"sack\",\"window-scale\",\"mss\"],\"window_scale\":7,"
		"\"window_bytes\":64240,\"sequence\":4000000000,\"options_bytes\":20}",
		"evidence.0.answer.syn.answered={\"mss\":1440,\"options\":[\"sack\","
		"\"window-scale\",\"mss\"],\"window_scale\":8}",
		"evidence.0.handshake={\"ttl\":64,\"mss\":1460,\"options\":[\"timestamps\","
		"\"sack\",\"window-scale\",\"mss\"],\"window_scale\":7,\"agreed\":["
		"\"window-scale\"],\"peer_window_scale\":8,\"segment_bytes\":1440,"
		"\"path_mtu_bytes\":1500,\"peer_window_bytes\":64240,\"sequence\":4100000000}",
		"servers.0.features=[\"other-address\",\"call-back\",\"syn-report\"]",
		"findings.0.id=mss-clamped", "findings.1.id=tcp-options-removed",
		"findings.2.id=sequence-rewritten");
	document_keep(d, "syns");
	json_decref(d);
	s.j->observations[0].answer.syn.parts = 0;
	s.j->observations[0].handshake = (struct handshake){.told = true, .known = SYN_SACK};
	d = sample_document(&s);
	CHECK(d, "evidence.0.answer.syn={\"arrived\":null,\"answered\":null}",
		"evidence.0.handshake={\"ttl\":null,\"mss\":null,\"options\":null,"
		"\"window_scale\":null,\"agreed\":[],\"peer_window_scale\":null,"
		"\"segment_bytes\":null,\"path_mtu_bytes\":null,\"peer_window_bytes\":null,"
		"\"sequence\":null}");
	document_keep(d, "syns-unknown");
	json_decref(d);
	s.j->observations[0].handshake = (struct handshake){.quoted = true};
	d = sample_document(&s);
	CHECK(d, "evidence.0.handshake.sequence=0", "evidence.0.handshake.mss=null");
	json_decref(d);
	s.j->observations[0].answer.has_syn = s.j->observations[0].handshake.quoted = false;
	d = sample_document(&s);
	CHECK(d, "evidence.0.answer.syn=null", "evidence.0.handshake=null");
	json_decref(d);
	sample_end(&s);
}

static void test_rejecter(void **state)
{
	struct sample s;
	json_t *d;

	(void)state;
	sample_reset(&s);
	d = sample_document(&s);
	CHECK(d, "tcp.ipv4.early_packet=reject", "tcp.ipv4.early_packet_ms=20.1",
		"tcp.ipv4.early_packet_from={\"who\":\"nat\",\"hops_before\":1}",
		"tcp.ipv4.basis.early_packet_from=[1]", "tcp.ipv6.early_packet_from=null",
		"udp.ipv4.early_packet_from=null", "evidence.0.call=null",
		"evidence.0.connection.ttl=null",
		"evidence.1.call={\"outcome\":\"refused\",\"errno\":111,\"took_ms\":20.1,"
		"\"segments\":null,\"ttl\":62}",
		"tcp.ipv4.reasons={\"hops\":\"SYNs have taken ways of different lengths\"}",
		"findings.0.id=syn-rejected");
	document_keep(d, "reset");
	json_decref(d);
	s.v.tcp4.rejecter = REJECTER_PATH;
	s.v.tcp4.rejecter_hops = REJECTER_HOPS_UNKNOWN;
	d = sample_document(&s);
	CHECK(d, "tcp.ipv4.early_packet_from={\"who\":\"path\",\"hops_before\":null}");
	json_decref(d);
	s.v.tcp4.rejecter = REJECTER_UNKNOWN;
	snprintf(s.v.tcp4.rejecter_basis.text, JOURNAL_TEXT, "no TTL");
	d = sample_document(&s);
	CHECK(d, "tcp.ipv4.early_packet_from={\"who\":\"unknown\",\"hops_before\":null}",
		"tcp.ipv4.reasons.early_packet_from=no TTL");
	json_decref(d);
	s.v.tcp4.early = EARLY_SILENT;
	d = sample_document(&s);
	CHECK(d, "tcp.ipv4.early_packet_from=null");
	json_decref(d);
	sample_end(&s);
}

static void test_servers(void **state)
{
	struct sample s;
	struct journal_server lost = {.name = "no.such.example",
		.resolution = SERVER_UNRESOLVED,
		.problem = "the name has no address"};
	size_t place;
	json_t *d;

	(void)state;
	sample_symmetric(&s);
	assert_int_equal(journal_add_server(s.j, &lost, &place), 0);
	s.v.servers[place] =
		(struct server_verdict){.status = SERVER_NOT_RESOLVED, .answer_at = JOURNAL_NONE};
	d = sample_document(&s);
	CHECK(d, "servers.0.status=ok", "servers.0.transport=udp", "servers.0.rtt_ms=50.612",
		"servers.0.counts_for=[\"mapping\",\"filtering\"]", "servers.0.defects=[]",
		"servers.1.status=misbehaving", "servers.1.defects=[\"change-ignored\"]",
		"servers.1.counts_for=[]", "servers.1.features=[]",
		"servers.1.problem=answers from the asked endpoint though another was requested",
		"servers.2.endpoint={\"address\":\"2001:db8::10\",\"port\":3478}",
		"servers.3.status=unresolved", "servers.3.endpoint=null", "servers.3.rtt_ms=null",
		"servers.3.problem=the name has no address");
	CHECK(d, "findings.1.id=lying-server", "findings.1.about=servers.1",
		"findings.1.evidence=[2]", "udp.ipv4.port_allocation.step=2",
		"udp.ipv4.reasons={\"hairpin\":\"not asked, since the mapping varies\"}",
		"udp.ipv6.nat=false", "outlook.p2p=possible", "outlook.udp.ipv4.p2p=hard");
	document_keep(d, "symmetric");
	json_decref(d);
	sample_end(&s);
}

static void test_blocked(void **state)
{
	struct sample s;
	json_t *d;

	(void)state;
	sample_blocked(&s);
	d = sample_document(&s);
	CHECK(d, "udp.ipv4.status=blocked", "udp.ipv4.rfc3489_class=blocked",
		"udp.ipv4.blocked_by={\"address\":\"10.0.1.1\",\"icmp_type\":3,\"icmp_code\":13}",
		"outlook.p2p=none", "outlook.udp.ipv4.method=relay", "evidence.0.state=refused",
		"servers.0.status=unreachable");
	document_keep(d, "blocked");
	json_decref(d);
	sample_end(&s);
}

static void test_lost(void **state)
{
	struct sample s;
	json_t *d;

	(void)state;
	sample_lost(&s);
	d = sample_document(&s);
	CHECK(d, "udp.ipv4.status=unreachable", "path.nat_layers=null", "path.cgnat=null",
		"path.reached=null", "path.transport=udp", "path.evidence=1",
		"path.towards={\"address\":\"198.51.100.10\",\"port\":3478}",
		"path.hops.0={\"ttl\":1,\"address\":\"10.0.1.1\",\"sent\":1,\"answers\":1,"
		"\"rtt_ms\":1.234,\"private\":true,\"shared\":false,\"icmp_type\":11,\"icmp_code\":"
		"0}",
		"path.hops.1.address=100.64.1.1", "path.hops.1.private=true",
		"path.hops.1.shared=true",
		"path.hops.2={\"ttl\":3,\"address\":null,\"sent\":3,\"answers\":0,\"rtt_ms\":null,"
		"\"private\":null,\"shared\":null,\"icmp_type\":null,\"icmp_code\":null}",
		"path.hops.3.private=false", "path.hops.7.ttl=8", "path.last_hop.ttl=4",
		"path.last_hop.address=192.0.2.130", "evidence.0.trace=null",
		"evidence.1.question=trace", "evidence.1.state=answered",
		"evidence.1.trace.reached=null", "evidence.1.trace.last_hop.ttl=4",
		"evidence.1.trace.hops.1.rtt_ms=2.234", "evidence.1.sent=17",
		"evidence.1.received=0", "evidence.1.answer=null");
	document_keep(d, "lost");
	json_decref(d);
	sample_end(&s);
}

/* The server's host, or a router, has the last word. */
static void test_reached(void **state)
{
	struct sample s;
	json_t *d;

	(void)state;
	sample_lost(&s);
	s.j->traces[0].hop_count = 3;
	sample_hop(&s.j->traces[0], "198.51.100.10:1", 3, 3);
	judge(s.j, &s.v);
	d = sample_document(&s);
	CHECK(d, "path.reached=true", "path.last_hop.ttl=2", "path.hops.3.icmp_code=3",
		"path.hops.3.address=198.51.100.10");
	document_keep(d, "reached");
	json_decref(d);

	s.j->traces[0].hop_count = 3;
	sample_hop(&s.j->traces[0], "192.0.2.130:1", 3, 13);
	judge(s.j, &s.v);
	d = sample_document(&s);
	CHECK(d, "path.reached=false", "path.last_hop.ttl=4", "path.hops.3.icmp_code=13");
	json_decref(d);

	s.j->traces[0].hop_count = 3;
	sample_hop(&s.j->traces[0], "198.51.100.10:1", 0, 0); /* a STUN answer */
	judge(s.j, &s.v);
	d = sample_document(&s);
	CHECK(d, "path.reached=true", "path.hops.3.icmp_type=null", "path.hops.3.answers=1");
	json_decref(d);
	sample_end(&s);
}

static void test_hostile_strings(void **state)
{
	struct sample s;
	json_t *d;
	char *text;

	(void)state;
	sample_hostile(&s);
	d = sample_document(&s);
	CHECK(d, "servers.0.name=\033[2Jevil\xe2\x80\xae<b>&\xef\xbf\xbd",
		"servers.0.software=M\xc3\xbcller \xc2\x9b"
		"31m\xf0\x9f\x92\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x07",
		"evidence.0.server=\033[2Jevil\xe2\x80\xae<b>&\xef\xbf\xbd");
	text = json_dumps(d, JSON_ENSURE_ASCII);
	for (const char *p = text; *p; p++)
		assert_true(*p >= ' ' && *p < 0x7f);
	free(text);
	document_keep(d, "hostile");
	json_decref(d);
	sample_end(&s);
}

/* A run that failed before its first packet still has a whole document. */
static void test_failed_run(void **state)
{
	static const struct report_error errors[] = {
		{"no-server", "none of the servers could be resolved", NULL},
		{"permission", "no", "hairpin"}};
	static const struct report_facts nothing;
	struct report_run run = {.tool = "natprobe",
		.version = "0.1.0",
		.time = "2026-11-20T10:00:00Z",
		.duration_ms = -1,
		.errors = errors,
		.error_count = 2};
	json_t *d;

	(void)state;
	assert_int_equal(report_document(&run, &nothing, &d), 0);
	CHECK(d, "complete=false", "duration_ms=0.0", "tests=[]", "servers=[]",
		"udp.ipv4.status=untested", "udp.ipv4.summary=UDP: not tested", "findings=[]",
		"path.hops=[]", "path.reached=null", "path.last_hop=null", "path.towards=null",
		"path.transport=null", "path.evidence=null", "evidence=[]", "outlook.p2p=unknown",
		"errors.0.code=no-server", "errors.0.test=null", "errors.1.test=hairpin");
	document_keep(d, "failed");
	json_decref(d);
	run.duration_ms = NAN;
	assert_int_equal(report_document(&run, &nothing, &d), 0);
	CHECK(d, "duration_ms=0.0");
	json_decref(d);
}

/* Numbers that no verdict should hold must not make the document invalid. */
static void test_odd_numbers(void **state)
{
	static const double odd[] = {NAN, INFINITY, -INFINITY, -1, 2, 1e300};
	struct sample s;

	(void)state;
	sample_home(&s);
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		json_t *d;

		s.v.udp4.allocation.confidence = odd[i];
		d = sample_document(&s);
		CHECK(d, "udp.ipv4.port_allocation.confidence=null");
		json_decref(d);
	}
	s.v.udp4.external_count = 1000; /* beyond the array */
	s.j->observations[0].first_sent_us = 5; /* before the start */
	s.j->observations[0].server = JOURNAL_NONE;
	json_decref(sample_document(&s));
	sample_end(&s);
}

static size_t allocations_left;

static void *failing_malloc(size_t size)
{
	if (!allocations_left)
		return NULL;
	allocations_left--;
	return malloc(size);
}

/* Whichever allocation fails: -ENOMEM, no document, nothing lost (the sanitizer looks). */
static void test_no_memory(void **state)
{
	static const struct report_run run = {.tool = "natprobe", .version = "0", .time = "x"};
	struct sample s;
	struct report_facts facts;
	int err = -ENOMEM;

	(void)state;
	sample_home(&s);
	facts = (struct report_facts){.journal = s.j,
		.verdict = &s.v,
		.outlook = &s.outlook,
		.findings = s.findings,
		.finding_count = s.finding_count};
	json_set_alloc_funcs(failing_malloc, free);
	for (size_t n = 0; err; n += 1 + n / 16) {
		json_t *d;

		allocations_left = n;
		err = report_document(&run, &facts, &d);
		assert_true(err ? err == -ENOMEM && !d : d != NULL);
		json_decref(d);
	}
	json_set_alloc_funcs(malloc, free);
	sample_end(&s);
}

static void test_write(void **state)
{
	struct sample s;
	FILE *full = fopen("/dev/full", "w");
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	json_t *d;

	(void)state;
	sample_home(&s);
	d = sample_document(&s);
	assert_int_equal(report_write(d, out), 0);
	fclose(out);
	assert_int_equal(text[0], '{');
	assert_string_equal(text + length - 3, "\n}\n");
	free(text);
	if (full) {
		assert_int_equal(report_write(d, full), -EIO);
		fclose(full);
	}
	json_decref(d);
	sample_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_home),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_syns),
		cmocka_unit_test(test_rejecter),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_reached),
		cmocka_unit_test(test_hostile_strings),
		cmocka_unit_test(test_failed_run),
		cmocka_unit_test(test_odd_numbers),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
