// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "judge/private.h"
#include "test_report_sample.h"

#define EIM  DEPENDENCE_ENDPOINT_INDEPENDENT
#define ADM  DEPENDENCE_ADDRESS
#define APDM DEPENDENCE_ADDRESS_AND_PORT
#define PORT DEPENDENCE_PORT
#define NONE DEPENDENCE_UNKNOWN

#define EXTERNALS(a, port_a, b, port_b)                                                  \
	.external = {{.family = FAMILY_IPV4, .address = {192, 0, 2, a}, .port = port_a}, \
		{.family = FAMILY_IPV4, .address = {192, 0, 2, b}, .port = port_b}},     \
	.external_count = 2

#define USUALLY "direct connections will usually work by hole punching"
#define PEER	"direct connections need a peer that is easy to reach"

/* What follows for people and for programs from each kind of NAT. */
static const struct {
	const char *sentence;
	enum p2p p2p;
	enum method method;
	struct behaviour b;
} promises[] = {
	{"UDP: not tested", P2P_UNKNOWN, METHOD_UNKNOWN, {.status = PATH_UNTESTED}},
	{"UDP: no server answered, and nothing proves why: unknown", P2P_UNKNOWN, METHOD_UNKNOWN,
		{.status = PATH_UNREACHABLE}},
	{"UDP: blocked: 10.0.1.1 refuses it (ICMP type 3 code 13): no direct UDP connections from "
	 "here",
		P2P_NONE, METHOD_RELAY,
		{.status = PATH_BLOCKED,
			.icmp_offender = {.family = FAMILY_IPV4, .address = {10, 0, 1, 1}},
			.icmp_type = 3,
			.icmp_code = 13}},
	{"UDP: blocked: TCP reaches the servers' hosts and UDP does not: expect no direct UDP "
	 "connections from here",
		P2P_NONE, METHOD_RELAY, {.status = PATH_BLOCKED}},
	{"UDP: blocked: this host itself refuses to send it (Operation not permitted)", P2P_NONE,
		METHOD_RELAY, {.status = PATH_BLOCKED, .refused_here = EPERM}},
	{"UDP: blocked: this host has no route to the server", P2P_NONE, METHOD_RELAY,
		{.status = PATH_BLOCKED,
			.refused_here = EACCES,
			.why = "This host has no route to the server"}},
	/* packets that never left this host say nothing, whatever they look like */
	{"UDP: the server is on this host: nothing is learnt about the network", P2P_UNKNOWN,
		METHOD_UNKNOWN,
		{.status = PATH_OK,
			.nat = TRI_NO,
			.mapping = EIM,
			.filtering = EIM,
			.local = {.family = FAMILY_IPV4, .address = {127, 0, 0, 1}, .port = 1}}},
	{"UDP: the server is on this host: nothing is learnt about the network", P2P_UNKNOWN,
		METHOD_UNKNOWN,
		{.status = PATH_OK,
			.nat = TRI_YES,
			.mapping = EIM,
			.filtering = APDM,
			.external = {{.family = FAMILY_IPV6, .address = {[15] = 1}, .port = 1}},
			.external_count = 1}},
	{"UDP: no NAT and no firewall: peers can reach this host directly", P2P_EASY, METHOD_DIRECT,
		{.status = PATH_OK, .nat = TRI_NO, .mapping = EIM, .filtering = EIM}},
	{"UDP: no NAT, but a firewall with address-and-port-dependent filtering: " USUALLY,
		P2P_POSSIBLE, METHOD_PUNCH,
		{.status = PATH_OK, .nat = TRI_NO, .mapping = EIM, .filtering = APDM}},
	{"UDP: no NAT, filtering unknown: " USUALLY, P2P_POSSIBLE, METHOD_PUNCH,
		{.status = PATH_OK, .nat = TRI_NO}},
	{"UDP: endpoint-independent mapping, endpoint-independent filtering: direct connections "
	 "will work",
		P2P_EASY, METHOD_DIRECT,
		{.status = PATH_OK, .nat = TRI_YES, .mapping = EIM, .filtering = EIM}},
	{"UDP: endpoint-independent mapping, address-dependent filtering: direct connections will "
	 "almost always work by hole punching",
		P2P_EASY, METHOD_PUNCH,
		{.status = PATH_OK, .nat = TRI_YES, .mapping = EIM, .filtering = ADM}},
	{"UDP: endpoint-independent mapping, address-and-port-dependent filtering: " USUALLY,
		P2P_POSSIBLE, METHOD_PUNCH,
		{.status = PATH_OK, .nat = TRI_YES, .mapping = EIM, .filtering = APDM}},
	{"UDP: endpoint-independent mapping, port-dependent filtering: " USUALLY, P2P_POSSIBLE,
		METHOD_PUNCH,
		{.status = PATH_OK, .nat = TRI_YES, .mapping = EIM, .filtering = PORT}},
	{"UDP: endpoint-independent mapping, filtering unknown: " USUALLY, P2P_POSSIBLE,
		METHOD_PUNCH, {.status = PATH_OK, .nat = TRI_YES, .mapping = EIM}},
	{"UDP: endpoint-independent mapping, address-and-port-dependent filtering: " USUALLY
	 ", but a packet of the peer that arrives first moves the port: let this side send first",
		P2P_POSSIBLE, METHOD_PUNCH_FIRST,
		{.status = PATH_OK,
			.nat = TRI_YES,
			.mapping = EIM,
			.filtering = APDM,
			.early = EARLY_REMAP}},
	{"UDP: address-dependent mapping, address-dependent filtering: " PEER, P2P_HARD,
		METHOD_UNKNOWN,
		{.status = PATH_OK, .nat = TRI_YES, .mapping = ADM, .filtering = ADM}},
	{"UDP: address-and-port-dependent mapping, address-and-port-dependent filtering: " PEER
	 ", or port prediction",
		P2P_HARD, METHOD_PREDICT,
		{.status = PATH_OK,
			.nat = TRI_YES,
			.mapping = APDM,
			.filtering = APDM,
			.allocation = {.pattern = ALLOCATION_SEQUENTIAL, .step = 1}}},
	{"UDP: address-and-port-dependent mapping, address-and-port-dependent filtering: " PEER
	 ", or guesses within a band of ports",
		P2P_HARD, METHOD_PREDICT,
		{.status = PATH_OK,
			.nat = TRI_YES,
			.mapping = APDM,
			.filtering = APDM,
			EXTERNALS(11, 4000, 11, 4250),
			.allocation = {.pattern = ALLOCATION_BAND, .low = 4000, .high = 4250}}},
	/* towards another server the port was outside of the band */
	{"UDP: address-dependent mapping, address-and-port-dependent filtering: " PEER
	 ", or many guesses",
		P2P_HARD, METHOD_BIRTHDAY,
		{.status = PATH_OK,
			.nat = TRI_YES,
			.mapping = ADM,
			.filtering = APDM,
			EXTERNALS(11, 4000, 11, 5000),
			.allocation = {.pattern = ALLOCATION_BAND, .low = 4000, .high = 4250}}},
	/* RFC 4787 keeps pooling apart from mapping; a peer does not care */
	{"UDP: endpoint-independent mapping, address-and-port-dependent filtering: the external "
	 "address changes with the destination: " PEER ", or that tries every address",
		P2P_HARD, METHOD_PREDICT,
		{.status = PATH_OK,
			.nat = TRI_YES,
			.mapping = EIM,
			.filtering = APDM,
			EXTERNALS(11, 4000, 12, 4000),
			.pooling = POOLING_ARBITRARY}},
	{"UDP: address-and-port-dependent mapping, filtering unknown: " PEER
	 ", or very many guesses",
		P2P_HARD, METHOD_BIRTHDAY,
		{.status = PATH_OK,
			.nat = TRI_YES,
			.mapping = APDM,
			.allocation = {.pattern = ALLOCATION_RANDOM}}},
	{"UDP: mapping that varies with the peer's address (with its port: unknown), filtering "
	 "unknown: " PEER,
		P2P_HARD, METHOD_UNKNOWN,
		{.status = PATH_OK, .nat = TRI_YES, .mapping_by_address = TRI_YES}},
	{"UDP: mapping that varies with the peer's port (with its address: unknown), filtering "
	 "unknown: " PEER,
		P2P_HARD, METHOD_UNKNOWN,
		{.status = PATH_OK, .nat = TRI_YES, .mapping_by_port = TRI_YES}},
	{"UDP: mapping that does not vary with the peer's address (with its port: unknown), "
	 "filtering unknown: hole punching will work unless the mapping varies with the port",
		P2P_UNKNOWN, METHOD_UNKNOWN,
		{.status = PATH_OK, .nat = TRI_YES, .mapping_by_address = TRI_NO}},
	{"UDP: mapping unknown, filtering unknown: whether direct connections will work is unknown",
		P2P_UNKNOWN, METHOD_UNKNOWN, {.status = PATH_OK}},
};

static void test_promises(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(promises) / sizeof(*promises); i++) {
		struct verdict v = {.udp4 = promises[i].b};
		struct outlook o;
		char text[512];

		judge_sentence(&v.udp4, FAMILY_IPV4, text, sizeof(text));
		assert_string_equal(text, promises[i].sentence);
		judge_outlook(&v, &o);
		assert_string_equal(p2p_name(o.udp4.p2p), p2p_name(promises[i].p2p));
		assert_string_equal(method_name(o.udp4.method), method_name(promises[i].method));
		assert_int_equal(o.p2p, promises[i].p2p);
		assert_true(*o.udp4.reason);
	}
}

static void test_sentence_is_cut(void **state)
{
	struct behaviour b = {.status = PATH_OK, .nat = TRI_NO};
	char text[8];

	(void)state;
	judge_sentence(&b, FAMILY_IPV6, text, sizeof(text));
	assert_string_equal(text, "UDP ove");
}

static void test_outlook_is_the_best_known(void **state)
{
	static const struct behaviour easy = {.status = PATH_OK, .nat = TRI_NO, .filtering = EIM},
				      hard = {.status = PATH_OK, .nat = TRI_YES, .mapping = APDM},
				      blocked = {.status = PATH_BLOCKED}, untested;
	static const struct {
		const struct behaviour *ipv4, *ipv6;
		enum p2p expected;
	} rows[] = {{&easy, &hard, P2P_EASY}, {&hard, &easy, P2P_EASY},
		{&hard, &untested, P2P_HARD}, {&untested, &blocked, P2P_NONE},
		{&blocked, &hard, P2P_HARD}, {&untested, &untested, P2P_UNKNOWN}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct verdict v = {.udp4 = *rows[i].ipv4, .udp6 = *rows[i].ipv6};
		struct outlook o;

		judge_outlook(&v, &o);
		assert_int_equal(o.p2p, rows[i].expected);
	}
}

/* The ids of the findings with blanks between, in their order. */
static const char *ids(const struct finding *f, size_t count, char *out, size_t size)
{
	size_t used = 0;

	*out = '\0';
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? " " : "", f[i].id);
	return out;
}

#define OK4 \
	.status = PATH_OK, .local = {.family = FAMILY_IPV4, .address = {10, 0, 1, 2}, .port = 5000}
#define EXTERNAL(a, b, c, d)                                                          \
	.external = {{.family = FAMILY_IPV4, .address = {a, b, c, d}, .port = 4000}}, \
	.external_count = 1

/* Which findings one verdict gives; nothing that it does not hold. */
static const struct {
	const char *ids;
	struct behaviour b;
} verdicts[] = {
	{"", {.status = PATH_UNTESTED}},
	{"udp-silent", {.status = PATH_UNREACHABLE}},
	{"udp-blocked", {.status = PATH_BLOCKED}},
	{"", {OK4}},
	{"no-nat", {OK4, .nat = TRI_NO, .mapping = EIM, .filtering = EIM}},
	{"no-nat-filtering-unknown", {OK4, .nat = TRI_NO, .mapping = EIM}},
	{"firewall-without-nat", {OK4, .nat = TRI_NO, .mapping = EIM, .filtering = APDM}},
	{"filtering-endpoint-independent", {OK4, .nat = TRI_YES, .mapping = EIM, .filtering = EIM}},
	{"filtering-address-dependent", {OK4, .nat = TRI_YES, .mapping = EIM, .filtering = ADM}},
	{"filtering-port-dependent", {OK4, .nat = TRI_YES, .mapping = EIM, .filtering = PORT}},
	{"mapping-not-endpoint-independent filtering-address-and-port-dependent",
		{OK4, .nat = TRI_YES, .mapping = APDM, .filtering = APDM}},
	{"mapping-port-dependent", {OK4, .nat = TRI_YES, .mapping = PORT}},
	{"mapping-varies", {OK4, .nat = TRI_YES, .mapping_by_address = TRI_YES}},
	{"", {OK4, .nat = TRI_YES, .mapping_by_address = TRI_NO}},
	{"early-packet-remap", {OK4, .nat = TRI_YES, .mapping = EIM, .early = EARLY_REMAP}},
	{"early-packet-reject", {OK4, .nat = TRI_YES, .mapping = EIM, .early = EARLY_REJECT}},
	{"", {OK4, .nat = TRI_YES, .mapping = EIM, .early = EARLY_SILENT}},
	{"", {OK4, .nat = TRI_YES, .mapping = EIM, .early = EARLY_DELIVERED}},
	{"hairpin-missing", {OK4, .nat = TRI_YES, .mapping = EIM, .hairpin = TRI_NO}},
	{"", {OK4, .nat = TRI_YES, .mapping = EIM, .hairpin = TRI_YES}},
	{"external-address-varies pooling-arbitrary",
		{OK4, .nat = TRI_YES, .mapping = EIM, EXTERNALS(11, 4000, 12, 4000),
			.pooling = POOLING_ARBITRARY}},
	/* two servers, and nobody knows which of them lies: nothing is said about the NAT */
	{"servers-disagree", {OK4, .nat = TRI_YES, EXTERNALS(11, 4000, 99, 4000)}},
	{"", {OK4, .nat = TRI_YES, .mapping = EIM, EXTERNALS(11, 4000, 11, 4002)}},
	{"pooling-arbitrary", {OK4, .nat = TRI_YES, .mapping = EIM, .pooling = POOLING_ARBITRARY}},
	{"port-parity port-sequential",
		{OK4, .nat = TRI_YES, .mapping = EIM,
			.allocation = {.pattern = ALLOCATION_SEQUENTIAL, .parity = TRI_NO}}},
	{"port-band",
		{OK4, .nat = TRI_YES, .mapping = EIM, .allocation = {.pattern = ALLOCATION_BAND}}},
	{"port-random",
		{OK4, .nat = TRI_YES, .mapping = EIM,
			.allocation = {.pattern = ALLOCATION_RANDOM}}},
	/* what is kept without a NAT is no property of one */
	{"no-nat",
		{OK4, .nat = TRI_NO, .filtering = EIM, .hairpin = TRI_NO,
			.allocation = {.pattern = ALLOCATION_PRESERVING}}},
	/* nor is there a hairpin to ask for */
	{"no-nat",
		{OK4, .nat = TRI_NO, .filtering = EIM,
			.hairpin_basis = {.text = "there is no NAT"}}},
	{"server-on-this-host",
		{.status = PATH_OK,
			.local = {.family = FAMILY_IPV4, .address = {127, 0, 0, 1}, .port = 1},
			.nat = TRI_NO,
			.mapping = EIM,
			.filtering = EIM}},
	{"server-on-this-host",
		{.status = PATH_OK,
			.local = {.family = FAMILY_IPV4, .address = {127, 0, 0, 1}, .port = 1},
			.nat = TRI_NO,
			.filtering = APDM}},
	{"alg-rewrites", {OK4, .nat = TRI_YES, .mapping = EIM, .alg = TRI_YES}},
	{"external-address-shared", {OK4, .nat = TRI_YES, .mapping = EIM, EXTERNAL(100, 64, 0, 9)}},
	{"external-address-private",
		{OK4, .nat = TRI_YES, .mapping = EIM, EXTERNAL(192, 168, 1, 9)}},
	{"", {OK4, .nat = TRI_YES, .mapping = EIM, EXTERNAL(192, 0, 2, 9)}},
	{"carrier-grade-nat",
		{.status = PATH_OK,
			.local = {.family = FAMILY_IPV4, .address = {100, 64, 1, 1}, .port = 1},
			.nat = TRI_YES,
			.mapping = EIM,
			EXTERNAL(192, 0, 2, 9)}},
	{"nat-unknown mapping-unknown filtering-unknown early-packet-unknown hairpin-unknown "
	 "port-preservation-unknown port-allocation-unknown pooling-unknown",
		{OK4, .nat_basis = {.text = "x"}, .mapping_basis = {.text = "x"},
			.filtering_basis = {.text = "x"}, .early_basis = {.text = "x"},
			.hairpin_basis = {.text = "x"}, .preservation_basis = {.text = "x"},
			.allocation_basis = {.text = "x"}, .pooling_basis = {.text = "x"}}},
	/* a text beside a known verdict is no reason for not knowing */
	{"", {OK4, .nat = TRI_YES, .mapping = EIM, .mapping_basis = {.text = "x"}}},
};

static void test_verdicts(void **state)
{
	static struct finding f[FINDINGS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(*verdicts); i++) {
		struct verdict v = {.udp4 = verdicts[i].b};
		struct journal *j;
		char text[1024];
		size_t count;

		assert_int_equal(journal_create(1, &j), 0);
		count = judge_findings(j, &v, f);
		assert_string_equal(ids(f, count, text, sizeof(text)), verdicts[i].ids);
		for (size_t k = 0; k < count; k++) {
			assert_string_equal(f[k].about, "udp.ipv4");
			assert_true(*f[k].title && f[k].advice && *f[k].reference);
			assert_true(!k || f[k].severity <= f[k - 1].severity);
		}
		journal_destroy(j);
	}
}

/* Where there is a cause, its advice is the one to follow. */
static void test_silent_with_cause(void **state)
{
	struct verdict v = {.udp4 = {.status = PATH_UNREACHABLE}};
	static struct finding f[FINDINGS_MAX];
	struct journal *j;

	(void)state;
	assert_int_equal(journal_create(1, &j), 0);
	assert_int_equal(judge_findings(j, &v, f), 1);
	assert_string_equal(f[0].title, "No server answered, and nothing proves why");
	assert_non_null(strstr(f[0].advice, "Try other servers"));
	snprintf(v.udp4.why, sizeof(v.udp4.why), "this host's own firewall drops the answers");
	assert_int_equal(judge_findings(j, &v, f), 1);
	assert_string_equal(f[0].title, "No server answered");
	assert_string_equal(f[0].advice, "Do what the causes advise, and ask again.");
	v = (struct verdict){.tcp4 = {.status = PATH_UNREACHABLE, .transport = TRANSPORT_TCP}};
	assert_int_equal(judge_findings(j, &v, f), 1);
	assert_non_null(strstr(f[0].advice, "STUN over TCP"));
	snprintf(v.tcp4.why, sizeof(v.tcp4.why), "this host has no route to the server");
	assert_int_equal(judge_findings(j, &v, f), 1);
	assert_string_equal(f[0].id, "tcp-unreachable");
	assert_string_equal(f[0].advice, "Do what the causes advise, and ask again.");
	v.tcp4.status = PATH_BLOCKED;
	v.tcp4.refused_here = EPERM;
	assert_int_equal(judge_findings(j, &v, f), 1);
	assert_string_equal(f[0].id, "tcp-blocked");
	journal_destroy(j);
}

static void test_ipv6(void **state)
{
	static struct finding f[FINDINGS_MAX];
	struct verdict v = {.udp6 = {.status = PATH_OK, .nat = TRI_NO, .filtering = EIM}};
	struct journal *j;
	char text[256];

	(void)state;
	assert_int_equal(journal_create(1, &j), 0);
	assert_string_equal(ids(f, judge_findings(j, &v, f), text, sizeof(text)), "ipv6-open");
	assert_string_equal(f[0].about, "udp.ipv6");
	v.udp6.nat = TRI_YES;
	v.udp6.mapping = EIM;
	v.udp6.filtering = NONE;
	assert_string_equal(ids(f, judge_findings(j, &v, f), text, sizeof(text)), "ipv6-nat");
	journal_destroy(j);
}

static void test_figures(void **state)
{
	struct sample s;
	char text[1024];

	(void)state;
	sample_home(&s);
	assert_string_equal(ids(s.findings, s.finding_count, text, sizeof(text)),
		"early-packet-remap hairpin-missing filtering-address-and-port-dependent "
		"port-preserving");
	assert_non_null(strstr(s.findings[0].detail,
		"Here 192.0.2.11:5001 became 192.0.2.11:39145 towards 203.0.113.10:3479"));
	assert_int_equal(s.findings[0].evidence_count, 2);
	assert_int_equal(s.findings[0].evidence[0], 4);
	assert_non_null(strstr(s.findings[1].detail, "3 packets"));
	assert_non_null(strstr(s.findings[1].detail, "other hosts may get through."));
	assert_string_equal(s.findings[2].detail,
		"Answers from another port: 0 of 3 arrived; from another address and port: 0 of 3 "
		"arrived");
	sample_end(&s);
	sample_symmetric(&s);
	assert_string_equal(s.findings[0].id, "mapping-not-endpoint-independent");
	assert_non_null(strstr(s.findings[0].detail,
		"198.51.100.10:3478 saw 192.0.2.11:40000, 203.0.113.10:3478 saw 192.0.2.11:40002"));
	sample_end(&s);
}

static void test_alg_names_the_answer(void **state)
{
	struct sample s;
	struct observation *o;
	size_t one;

	(void)state;
	sample_begin(&s);
	one = sample_server(&s, "stun.example", "198.51.100.10:3478");
	o = sample_ask(&s, QUESTION_BINDING, one, "198.51.100.10:3478", "198.51.100.10:3478",
		"192.0.2.11:5000");
	o->answer.mapped_plain = at("10.0.1.2:5000");
	s.v.udp4 = (struct behaviour){OK4, .nat = TRI_YES, .mapping = EIM, .alg = TRI_YES};
	sample_judge(&s);
	assert_int_equal(s.finding_count, 1);
	assert_non_null(strstr(s.findings[0].detail, "10.0.1.2:5000"));
	assert_int_equal(s.findings[0].evidence_count, 1);
	sample_end(&s);
}

/* One server with a defect: how it is called and what becomes of its answers. */
static void test_servers(void **state)
{
	static const struct {
		enum server_status status;
		enum server_defect defect;
		bool counts, filters;
		enum severity severity;
		const char *id, *detail;
	} rows[] = {
		{SERVER_MISBEHAVING, DEFECT_CHANGE_IGNORED, false, false, SEVERITY_WARNING,
			"lying-server",
			"198.51.100.10:3478 answers from the endpoint that was asked although "
			"another was requested. Its answers were left out."},
		{SERVER_OK, DEFECT_SELF_AS_OTHER, true, false, SEVERITY_WARNING, "server-defect",
			"198.51.100.10:3478 names itself as its other address. Its answers about "
			"filtering were left out; those about mapping count."},
		{SERVER_OK, DEFECT_OTHER_SILENT, true, false, SEVERITY_WARNING,
			"server-second-address-silent",
			"198.51.100.10:3478 never answers on the second address that it names. The "
			"silence may be due to the server, or to a filter or a limit of sessions "
			"on this side. Its answers about filtering were left out; those about "
			"mapping count."},
		{SERVER_OK, DEFECT_DISAGREES, false, false, SEVERITY_WARNING, "servers-disagree",
			"198.51.100.10:3478 sees another endpoint than the other servers. It is "
			"wrong, or the NAT treats it differently. Its answers were left out."},
		{SERVER_MISBEHAVING, DEFECT_MAPPED_DIFFERS, false, false, SEVERITY_WARNING,
			"server-mapped-differs",
			"198.51.100.10:3478 gives two different mapped addresses in one answer. "
			"The server, or something on the path (an ALG), rewrites addresses. Its "
			"answers were left out."},
		{SERVER_OK, DEFECT_CHANGE_UNPROVED, true, false, SEVERITY_INFO, "server-defect",
			"198.51.100.10:3478 has not proved that it answers from another endpoint. "
			"Its answers about filtering were left out; those about mapping count."},
		{SERVER_MISBEHAVING, DEFECT_COUNT, false, false, SEVERITY_WARNING, "lying-server",
			"198.51.100.10:3478 misbehaves. Its answers were left out."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sample s;
		struct server_verdict *server;

		sample_begin(&s);
		server = &s.v.servers[sample_server(&s, "one", "198.51.100.10:3478")];
		server->status = rows[i].status;
		server->counts = rows[i].counts;
		server->filters = rows[i].filters;
		if (rows[i].defect < DEFECT_COUNT)
			server->defects[rows[i].defect] = true;
		sample_ask(&s, QUESTION_BINDING, 0, "198.51.100.10:3478", "198.51.100.10:3478",
			"192.0.2.11:5000");
		sample_judge(&s);
		assert_int_equal(s.finding_count, 1);
		assert_string_equal(s.findings[0].id, rows[i].id);
		assert_string_equal(s.findings[0].detail, rows[i].detail);
		assert_string_equal(s.findings[0].about, "servers.0");
		assert_int_equal(s.findings[0].severity, rows[i].severity);
		assert_int_equal(s.findings[0].evidence_count, 1);
		sample_end(&s);
	}
	for (int d = 0; d < DEFECT_COUNT; d++)
		assert_string_not_equal(server_defect_name(d), "unknown");
}

/* What an ALG does to all servers is no server's fault; their other defects are still told. */
static void test_alg_is_no_defect(void **state)
{
	struct sample s;
	struct server_verdict *server;
	char text[256];

	(void)state;
	sample_begin(&s);
	server = &s.v.servers[sample_server(&s, "one", "198.51.100.10:3478")];
	server->defects[DEFECT_MAPPED_DIFFERS] = true;
	snprintf(server->problem, sizeof(server->problem), "two addresses");
	sample_judge(&s);
	assert_string_equal(
		ids(s.findings, s.finding_count, text, sizeof(text)), "server-mapped-differs");
	s.v.udp6.alg = TRI_YES;
	sample_judge(&s);
	assert_string_equal(ids(s.findings, s.finding_count, text, sizeof(text)),
		"alg-rewrites server-mapped-differs");
	s.v.udp6.alg = TRI_UNKNOWN;
	s.v.udp4.alg = TRI_YES;
	sample_judge(&s);
	assert_string_equal(ids(s.findings, s.finding_count, text, sizeof(text)), "alg-rewrites");
	server->status = SERVER_MISBEHAVING;
	server->defects[DEFECT_CHANGE_IGNORED] = true;
	sample_judge(&s);
	assert_string_equal(
		ids(s.findings, s.finding_count, text, sizeof(text)), "alg-rewrites lying-server");
	assert_null(strstr(s.findings[1].detail, "two addresses"));
	sample_end(&s);
}

/* Silence names nobody. */
static void test_blocked(void **state)
{
	struct sample s;

	(void)state;
	sample_begin(&s);
	s.v.udp4.status = PATH_BLOCKED;
	sample_judge(&s);
	assert_string_equal(s.findings[0].title,
		"TCP reaches the servers' hosts and UDP does not: UDP is dropped on the way, or by "
		"all of them");
	s.v.udp4.icmp_offender = at("10.0.1.1:1");
	sample_judge(&s);
	assert_string_equal(s.findings[0].title, "UDP is blocked");
	/* this host has refused: nothing is known of its servers' hosts, nor of the path */
	s.v.udp4.icmp_offender = (struct endpoint){.family = FAMILY_NONE};
	s.v.udp4.refused_here = EPERM;
	basis_text(&s.v.udp4.status_basis, "this host itself refuses to send: no");
	sample_judge(&s);
	assert_string_equal(s.findings[0].title, "UDP is blocked");
	assert_string_equal(s.findings[0].detail, "this host itself refuses to send: no.");
	sample_end(&s);
}

static void test_plain_servers(void **state)
{
	struct sample s;
	char text[256];

	(void)state;
	sample_hostile(&s);
	assert_string_equal(ids(s.findings, s.finding_count, text, sizeof(text)),
		"only-plain-stun mapping-unknown filtering-unknown");
	s.v.servers[0].has_other = true;
	sample_judge(&s);
	assert_string_equal(ids(s.findings, s.finding_count, text, sizeof(text)),
		"mapping-unknown filtering-unknown");
	sample_end(&s);
}

/* Everything at once still fits, and no liar is lost. */
static void test_full(void **state)
{
	struct sample s;

	(void)state;
	sample_begin(&s);
	for (size_t i = 0; i < JOURNAL_SERVERS; i++) {
		size_t n = sample_server(&s, "liar", "198.51.100.10:3478");

		s.v.servers[n].status = SERVER_MISBEHAVING;
		memset(s.v.servers[n].defects, true, sizeof(s.v.servers[n].defects));
		memset(s.v.servers[n].problem, 'x', JOURNAL_TEXT - 1);
	}
	while (sample_ask(&s, QUESTION_BINDING, 0, "198.51.100.10:3478", "198.51.100.10:3478",
		       "192.0.2.11:5000") &&
		s.j->observation_count < 100)
		;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(*verdicts); i++) {
		s.v.udp4 = verdicts[i].b;
		s.v.udp6 = verdicts[sizeof(verdicts) / sizeof(*verdicts) - 1 - i].b;
		s.v.udp4.mapping_basis.evidence_count = BASIS_EVIDENCE;
		for (size_t k = 0; k < BASIS_EVIDENCE; k++)
			s.v.udp4.mapping_basis.evidence[k] = k ? k : JOURNAL_NONE;
		sample_judge(&s);
		assert_true(s.finding_count >= JOURNAL_SERVERS && s.finding_count <= FINDINGS_MAX);
	}
	sample_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_promises),
		cmocka_unit_test(test_sentence_is_cut),
		cmocka_unit_test(test_outlook_is_the_best_known),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_silent_with_cause),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_alg_names_the_answer),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_alg_is_no_defect),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_plain_servers),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
