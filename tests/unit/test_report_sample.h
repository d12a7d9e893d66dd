// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdlib.h>
#include <string.h>

#include "judge/findings.h"
#include "report/document.h"

/* Runs made up by hand, with their verdicts: what reports are tested with. Include after cmocka.h. */

struct sample {
	struct journal *j;
	struct verdict v;
	struct outlook outlook;
	struct finding findings[FINDINGS_MAX];
	size_t finding_count;
};

static inline struct endpoint at(const char *text)
{
	struct endpoint e = {.family = FAMILY_NONE};

	assert_int_equal(endpoint_parse(text, 0, &e), 0);
	return e;
}

static inline size_t sample_server(struct sample *s, const char *name, const char *endpoint)
{
	struct journal_server server = {.endpoint = at(endpoint)};
	size_t place;

	snprintf(server.name, sizeof(server.name), "%s", name);
	assert_int_equal(journal_add_server(s->j, &server, &place), 0);
	s->v.servers[place] = (struct server_verdict){.status = SERVER_OK,
		.rtt_us = 50612,
		.counts = true,
		.filters = true,
		.changes = true,
		.has_other = true,
		.answer_at = JOURNAL_NONE};
	return place;
}

/* A question, answered as seen from mapped; mapped NULL: silence to three packets. */
static inline struct observation *sample_ask(struct sample *s, enum question question,
	size_t server, const char *to, const char *expect, const char *mapped)
{
	struct observation *o = journal_add_observation(s->j);

	assert_non_null(o);
	o->question = question;
	o->server = server;
	o->to = at(to);
	o->family = o->to.family;
	o->expect = at(expect);
	o->local = at(o->family == FAMILY_IPV6 ? "[2001:db8:1::2]:5000" : "10.0.1.2:5000");
	o->first_sent_us = s->j->start_us + 1000 * (1 + journal_place(s->j, o));
	o->sent = mapped ? 1 : 3;
	o->awaited = o->sent;
	o->state = mapped ? OBSERVATION_ANSWERED : OBSERVATION_SILENT;
	if (!mapped)
		return o;
	o->answers = 1;
	o->answer.from = o->expect;
	o->answer.mapped = at(mapped);
	o->answer.has_xor = true;
	o->answer.t_us = o->first_sent_us + 50600;
	return o;
}

static inline void sample_basis(struct sample *s, struct basis *b, const struct observation *o)
{
	b->evidence[b->evidence_count++] = journal_place(s->j, o);
}

static inline void sample_begin(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	assert_int_equal(journal_create(1000000, &s->j), 0);
}

/* Judges what the verdict says. */
static inline void sample_judge(struct sample *s)
{
	judge_outlook(&s->v, &s->outlook);
	s->finding_count = judge_findings(s->j, &s->v, s->findings);
}

static inline void sample_end(struct sample *s)
{
	journal_destroy(s->j);
}

static inline json_t *sample_document(const struct sample *s)
{
	static const char *const tests[] = {"mapping", "filtering", "early", "hairpin"};
	const struct report_run run = {.tool = "natprobe",
		.version = "0.1.0",
		.time = "2026-11-20T10:00:00.123Z",
		.duration_ms = 412.3456,
		.complete = true,
		.tests = tests,
		.test_count = 4};
	const struct report_facts facts = {.journal = s->j,
		.verdict = &s->v,
		.outlook = &s->outlook,
		.findings = s->findings,
		.finding_count = s->finding_count};
	json_t *document;

	assert_int_equal(report_document(&run, &facts, &document), 0);
	return document;
}

/* A home router that keeps ports, filters by address and port, and moves the port on early packets. */
static inline void sample_home(struct sample *s)
{
	struct behaviour *b = &s->v.udp4;
	struct observation *o;
	size_t one;

	sample_begin(s);
	one = sample_server(s, "stun.example", "198.51.100.10:3478");
	*b = (struct behaviour){.status = PATH_OK,
		.nat = TRI_YES,
		.local = at("10.0.1.2:5000"),
		.external = {at("192.0.2.11:5000")},
		.external_count = 1,
		.mapping = DEPENDENCE_ENDPOINT_INDEPENDENT,
		.mapping_by_address = TRI_NO,
		.mapping_by_port = TRI_NO,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.hairpin = TRI_NO,
		.port_preservation = SHARE_ALWAYS,
		.allocation = {.pattern = ALLOCATION_PRESERVING,
			.confidence = 0.98765,
			.samples = 24,
			.parity = TRI_YES,
			.contiguity = TRI_YES},
		.pooling = POOLING_PAIRED,
		.early = EARLY_REMAP,
		.classic = CLASSIC_PORT_RESTRICTED_CONE,
		.alg = TRI_NO};
	o = sample_ask(s, QUESTION_BINDING, one, "198.51.100.10:3478", "198.51.100.10:3478",
		"192.0.2.11:5000");
	snprintf(o->answer.software, sizeof(o->answer.software), "natprobed 0.1.0");
	s->v.servers[one].answer_at = 0;
	sample_basis(s, &b->nat_basis, o);
	sample_basis(s, &b->mapping_basis, o);
	o = sample_ask(s, QUESTION_MAPPING, one, "203.0.113.10:3478", "203.0.113.10:3478",
		"192.0.2.11:5000");
	sample_basis(s, &b->mapping_basis, o);
	o = sample_ask(
		s, QUESTION_FILTERING_BOTH, one, "198.51.100.10:3478", "203.0.113.10:3479", NULL);
	sample_basis(s, &b->filtering_basis, o);
	o = sample_ask(
		s, QUESTION_FILTERING_PORT, one, "198.51.100.10:3478", "198.51.100.10:3479", NULL);
	sample_basis(s, &b->filtering_basis, o);
	o = sample_ask(s, QUESTION_EARLY_BASE, one, "198.51.100.10:3478", "198.51.100.10:3478",
		"192.0.2.11:5001");
	sample_basis(s, &b->early_basis, o);
	o = sample_ask(s, QUESTION_EARLY_CHECK, one, "203.0.113.10:3479", "203.0.113.10:3479",
		"192.0.2.11:39145");
	sample_basis(s, &b->early_basis, o);
	o = sample_ask(s, QUESTION_HAIRPIN, one, "192.0.2.11:5002", "192.0.2.11:5002", NULL);
	sample_basis(s, &b->hairpin_basis, o);
	sample_judge(s);
}

/* A NAT that gives each destination another port in steps of 2; an IPv6 firewall; a liar. */
static inline void sample_symmetric(struct sample *s)
{
	struct behaviour *b = &s->v.udp4;
	struct observation *o;
	size_t one, liar, six;

	sample_begin(s);
	one = sample_server(s, "stun.example", "198.51.100.10:3478");
	liar = sample_server(s, "liar.example", "203.0.113.66:3478");
	six = sample_server(s, "stun.example", "[2001:db8::10]:3478");
	s->v.servers[liar].status = SERVER_MISBEHAVING;
	s->v.servers[liar].counts = s->v.servers[liar].filters = s->v.servers[liar].changes = false;
	s->v.servers[liar].has_other = false;
	s->v.servers[liar].defects[DEFECT_CHANGE_IGNORED] = true;
	snprintf(s->v.servers[liar].problem, JOURNAL_TEXT,
		"answers from the asked endpoint though another was requested");
	*b = (struct behaviour){.status = PATH_OK,
		.nat = TRI_YES,
		.local = at("10.0.1.2:5000"),
		.external = {at("192.0.2.11:40000"), at("192.0.2.11:40002")},
		.external_count = 2,
		.mapping = DEPENDENCE_ADDRESS_AND_PORT,
		.mapping_by_address = TRI_YES,
		.mapping_by_port = TRI_YES,
		.filtering = DEPENDENCE_ADDRESS,
		.port_preservation = SHARE_NEVER,
		.allocation = {.pattern = ALLOCATION_SEQUENTIAL,
			.step = 2,
			.samples = 16,
			.confidence = 0.9,
			.parity = TRI_NO},
		.pooling = POOLING_PAIRED,
		.early = EARLY_SILENT,
		.classic = CLASSIC_SYMMETRIC};
	snprintf(b->hairpin_basis.text, JOURNAL_TEXT, "not asked, since the mapping varies");
	o = sample_ask(s, QUESTION_BINDING, one, "198.51.100.10:3478", "198.51.100.10:3478",
		"192.0.2.11:40000");
	sample_basis(s, &b->mapping_basis, o);
	o = sample_ask(s, QUESTION_MAPPING, one, "203.0.113.10:3478", "203.0.113.10:3478",
		"192.0.2.11:40002");
	sample_basis(s, &b->mapping_basis, o);
	o = sample_ask(
		s, QUESTION_FILTERING_BOTH, liar, "203.0.113.66:3478", "203.0.113.67:3479", NULL);
	o->state = OBSERVATION_CHANGE_IGNORED;
	o->wrong_source = 1;
	o->wrong_from = at("203.0.113.66:3478");
	o = sample_ask(s, QUESTION_BINDING, six, "[2001:db8::10]:3478", "[2001:db8::10]:3478",
		"[2001:db8:1::2]:5000");
	s->v.udp6 = (struct behaviour){.status = PATH_OK,
		.nat = TRI_NO,
		.local = at("[2001:db8:1::2]:5000"),
		.external = {at("[2001:db8:1::2]:5000")},
		.external_count = 1,
		.mapping = DEPENDENCE_ENDPOINT_INDEPENDENT,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.classic = CLASSIC_SYMMETRIC_FIREWALL};
	sample_basis(s, &s->v.udp6.nat_basis, o);
	s->v.servers[six].answer_at = s->v.servers[one].answer_at = 0;
	sample_judge(s);
}

/* A router that refuses UDP with ICMP. */
static inline void sample_blocked(struct sample *s)
{
	struct observation *o;
	size_t one;

	sample_begin(s);
	one = sample_server(s, "stun.example", "198.51.100.10:3478");
	s->v.servers[one] =
		(struct server_verdict){.status = SERVER_UNREACHABLE, .answer_at = JOURNAL_NONE};
	o = sample_ask(s, QUESTION_BINDING, one, "198.51.100.10:3478", "198.51.100.10:3478", NULL);
	o->state = OBSERVATION_REFUSED;
	o->icmp =
		(struct icmp_seen){.count = 2, .type = 3, .code = 13, .offender = at("10.0.1.1:1")};
	s->v.udp4 = (struct behaviour){.status = PATH_BLOCKED,
		.local = at("10.0.1.2:5000"),
		.icmp_offender = at("10.0.1.1:1"),
		.icmp_type = 3,
		.icmp_code = 13,
		.classic = CLASSIC_BLOCKED};
	sample_basis(s, &s->v.udp4.status_basis, o);
	sample_judge(s);
}

static inline void sample_hop(struct trace *t, const char *from, uint8_t type, uint8_t code)
{
	struct hop *h = &t->hops[t->hop_count++];

	*h = (struct hop){.sent = from ? 1 : 3, .answers = from ? 1 : 0};
	if (!from)
		return;
	h->from = at(from);
	h->from.port = 0;
	h->icmp = type;
	h->type = type;
	h->code = code;
	h->rtt_us = 1000 * t->hop_count + 234;
}

/* A server that stays silent, behind a second NAT and a router that says nothing; something drops the packets. */
static inline void sample_lost(struct sample *s)
{
	struct observation *o;
	struct trace *t;
	size_t one;

	sample_begin(s);
	one = sample_server(s, "stun.example", "198.51.100.10:3478");
	o = sample_ask(s, QUESTION_BINDING, one, "198.51.100.10:3478", "198.51.100.10:3478", NULL);
	o = sample_ask(s, QUESTION_TRACE, one, "198.51.100.10:3478", "198.51.100.10:3478", NULL);
	o->state = OBSERVATION_ANSWERED;
	o->sent = 17;
	o->awaited = 0;
	t = journal_add_trace(s->j, o);
	assert_non_null(t);
	sample_hop(t, "10.0.1.1:1", 11, 0);
	sample_hop(t, "100.64.1.1:1", 11, 0);
	sample_hop(t, NULL, 0, 0);
	sample_hop(t, "192.0.2.130:1", 11, 0);
	sample_hop(t, NULL, 0, 0);
	sample_hop(t, NULL, 0, 0);
	sample_hop(t, NULL, 0, 0);
	sample_hop(t, NULL, 0, 0);
	judge(s->j, &s->v);
	sample_judge(s);
}

/* TCP through a tunnel, in front of which a firewall takes timestamps out of SYNs. */
static inline void sample_tcp(struct sample *s)
{
	struct behaviour *b = &s->v.tcp4;
	struct observation *o;
	size_t one;

	sample_begin(s);
	one = sample_server(s, "stun.example", "198.51.100.10:3478");
	s->j->servers[one].transport = TRANSPORT_TCP;
	*b = (struct behaviour){.transport = TRANSPORT_TCP,
		.status = PATH_OK,
		.nat = TRI_YES,
		.local = at("10.0.1.2:5000"),
		.external = {at("192.0.2.11:5000")},
		.external_count = 1,
		.mapping = DEPENDENCE_ENDPOINT_INDEPENDENT,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.early = EARLY_SILENT,
		.simultaneous = TRI_YES,
		.hairpin = TRI_YES,
		.mss_outward = {1460, 1412, TRI_YES},
		.mss_inward = {1440, 1440, TRI_NO},
		.mss_clamping = TRI_YES,
		.removed_outward = SYN_TIMESTAMPS,
		.removed_inward = SYN_SACK,
		.options_known = true,
		.sequence_rewriting = TRI_YES,
		.classic = CLASSIC_PORT_RESTRICTED_CONE};
	snprintf(b->hops_basis.text, JOURNAL_TEXT, "SYNs have taken ways of different lengths");
	o = sample_ask(s, QUESTION_BINDING, one, "198.51.100.10:3478", "198.51.100.10:3478",
		"192.0.2.11:5000");
	o->transport = TRANSPORT_TCP;
	o->own = (struct connection_seen){
		.outcome = CONNECTION_MADE, .took_us = 50600, .segments = 1};
	o->handshake = (struct handshake){.ttl = 64,
		.known = SYN_TIMESTAMPS | SYN_SACK | SYN_SCALE | SYN_MSS,
		.sent = {SYN_TIMESTAMPS | SYN_SACK | SYN_SCALE | SYN_MSS, 7, 1460},
		.told = true,
		.agreed = SYN_SCALE,
		.peer_scale = 8,
		.segment_bytes = 1440,
		.path_mtu = 1500,
		.window = 64240,
		.quoted = true,
		.sequence = 4100000000u};
	o->answer.has_syn = true;
	o->answer.syn = (struct stun_syn){1, STUN_SYN_ARRIVED | STUN_SYN_ANSWERED,
		{57, 0xb8, 64240, 4000000000u, 20, {SYN_SACK | SYN_SCALE | SYN_MSS, 7, 1412}},
		{SYN_SACK | SYN_SCALE | SYN_MSS, 8, 1440}};
	s->v.servers[one].answer_at = 0;
	sample_basis(s, &b->mss_basis, o);
	sample_basis(s, &b->options_basis, o);
	sample_basis(s, &b->sequence_basis, o);
	sample_judge(s);
}

/* TCP through a NAT that answers SYNs with a RST. */
static inline void sample_reset(struct sample *s)
{
	struct behaviour *b = &s->v.tcp4;
	struct observation *o;

	sample_tcp(s);
	b->early = EARLY_REJECT;
	b->early_after_us = 20100;
	b->rejecter = REJECTER_NAT;
	b->rejecter_hops = 1;
	o = sample_ask(
		s, QUESTION_FILTERING_BOTH, 0, "198.51.100.10:3478", "203.0.113.10:3479", NULL);
	o->transport = TRANSPORT_TCP;
	o->state = OBSERVATION_REFUSED;
	o->call = (struct connection_seen){
		.outcome = CONNECTION_REFUSED, .error = 111, .took_us = 20100, .ttl = 62};
	sample_basis(s, &b->early_basis, o);
	sample_basis(s, &b->rejecter_basis, o);
	sample_judge(s);
}

/* ICMP behind a NAT that lets in some errors, quotes them wrongly, and lets out what is not its own as it is. */
static inline void sample_icmp(struct sample *s)
{
	struct icmp_verdict *v = &s->v.icmp4;
	struct observation *o;
	size_t one;

	sample_begin(s);
	one = sample_server(s, "stun.example", "198.51.100.10:3478");
	s->j->servers[one].transport = TRANSPORT_ICMP;
	*v = (struct icmp_verdict){.common = {.transport = TRANSPORT_ICMP,
					   .status = PATH_OK,
					   .nat = TRI_YES,
					   .local = at("10.0.1.2:700"),
					   .external = {at("192.0.2.11:701")},
					   .external_count = 1,
					   .mapping = DEPENDENCE_ENDPOINT_INDEPENDENT,
					   .port_preservation = SHARE_NEVER,
					   .pooling = POOLING_PAIRED},
		.service = TRI_YES,
		.echo = TRI_YES,
		.identifiers = 4,
		.errors = {{3, 1, {{TRI_YES, TRI_YES}, {TRI_YES, TRI_UNKNOWN}}},
			{11, 0, {{TRI_NO, TRI_YES}}}},
		.error_count = 2,
		.passing = {SHARE_SOMETIMES, SHARE_ALWAYS, SHARE_UNKNOWN},
		.quotes = TRI_NO,
		.quotes_whole = true,
		.quote_defects = QUOTE_CHECKSUM | QUOTE_HEADER,
		.end_mapping = TRI_NO,
		.end_connection = TRI_YES,
		.path_mtu = TRI_YES,
		.egress = EGRESS_INSIDE,
		.egress_from = at("10.0.1.2:1"),
		.egress_kinds = {{11, 0, 17, TRI_YES}, {3, 3, 17, TRI_NO}, {11, 0, 1, TRI_UNKNOWN}},
		.egress_count = 3,
		.outward = TRI_YES,
		.lasts_ms = 29000,
		.ends_ms = 40000};
	snprintf(v->passing_basis[ICMP_ABOUT_ATTEMPT].text, JOURNAL_TEXT, "was not asked");
	snprintf(v->end_attempt_basis.text, JOURNAL_TEXT, "no error has arrived");
	sample_ask(s, QUESTION_BINDING, one, "198.51.100.10:3478", "198.51.100.10:3478",
		"192.0.2.11:5000")
		->transport = TRANSPORT_ICMP;
	o = sample_ask(s, QUESTION_ICMP_ERROR, one, "198.51.100.10:3478", "203.0.113.10:1", NULL);
	o->transport = TRANSPORT_ICMP;
	o->detail = (struct icmp_detail){.flow = ICMP_FLOW_UDP,
		.type = 11,
		.other = true,
		.mtu = 1492,
		.mtu_before = 1500,
		.mtu_after = 1492,
		.quotes = 2,
		.wrong_quotes = 1};
	sample_basis(s, &v->passing_basis[ICMP_ABOUT_UDP], o);
	o = sample_ask(s, QUESTION_ECHO_TIMER, one, "198.51.100.10:1", "198.51.100.10:1", NULL);
	o->transport = TRANSPORT_ICMP;
	o->detail = (struct icmp_detail){.flow = ICMP_FLOW_ECHO,
		.late_ms = 40000,
		.recorded = 1,
		.recorded_from = at("192.0.2.11:701"),
		.recorded_to = at("198.51.100.10:1"),
		.recorded_quoted = at("198.51.100.10:1"),
		.quoted_protocol = 17};
	sample_basis(s, &v->lifetime_basis, o);
	sample_judge(s);
}

/* One plain server with a name and software that attack the terminal. */
static inline void sample_hostile(struct sample *s)
{
	struct observation *o;
	size_t one;

	sample_begin(s);
	one = sample_server(s, "\033[2Jevil\xe2\x80\xae<b>&\xff", "198.51.100.10:3478");
	s->v.servers[one].has_other = false;
	s->v.servers[one].answer_at = 0;
	s->v.servers[one].filters = false;
	snprintf(s->v.servers[one].software, sizeof(s->v.servers[one].software),
		"M\xc3\xbcller \xc2\x9b"
		"31m\xf0\x9f\x92\xa9\xed\xa0\x80\x07");
	snprintf(s->v.servers[one].problem, JOURNAL_TEXT, "says \"\x1b]0;owned\x07\"");
	o = sample_ask(s, QUESTION_BINDING, one, "198.51.100.10:3478", "198.51.100.10:3478",
		"192.0.2.11:5000");
	s->v.udp4 = (struct behaviour){.status = PATH_OK,
		.nat = TRI_YES,
		.local = at("10.0.1.2:5000"),
		.external = {at("192.0.2.11:5000")},
		.external_count = 1,
		.mapping_by_address = TRI_NO};
	snprintf(s->v.udp4.filtering_basis.text, JOURNAL_TEXT,
		"no probe server offers a second address");
	snprintf(s->v.udp4.mapping_basis.text, JOURNAL_TEXT, "all servers listen on the same port");
	sample_basis(s, &s->v.udp4.mapping_basis, o);
	sample_judge(s);
}
