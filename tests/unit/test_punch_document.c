// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "test_document_check.h"
#include "test_punch_sample.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static void test_connected(void **state)
{
	struct punch_sample s;
	json_t *d;

	(void)state;
	punch_sample_begin(&s);
	punch_sample_register(&s, DEPENDENCE_ENDPOINT_INDEPENDENT);
	punch_sample_meet(&s, DEPENDENCE_ENDPOINT_INDEPENDENT);
	punch_sample_connect(&s, true);
	d = punch_sample_document(&s);
	CHECK(d, "format=punch-report", "format_version=1", "tool=udppunch", "complete=true",
		"duration_ms=812.346", "outcome=connected", "failure=null", "reason=null",
		"explanation=null", "transport=udp", "errors=[]", "icmp_errors=[]", "family=4",
		"server={\"address\":\"198.51.100.1\",\"port\":3478}", "local.address=10.0.1.2",
		"mapped={\"address\":\"192.0.2.1\",\"port\":5000}", "peer.port=6000",
		"peer_kind=server-reflexive", "strategy=direct", "rtt_ms=80.6", "loss=0.125");
	CHECK(d,
		"time_ms={\"register\":100.0,\"exchange\":300.0,\"first_packet\":30.0,"
		"\"first_inbound\":70.0,\"confirmed\":111.0,\"total\":520.0}",
		"attempts=[{\"strategy\":\"direct\",\"packets_sent\":1,\"packets_received\":1,"
		"\"packets_refused\":0,\"icmp_errors\":0,\"connections_opened\":0,"
		"\"connections_accepted\":0,"
		"\"resets\":0,\"duration_ms\":110.0,"
		"\"result\":\"connected\"}]",
		"steps.1={\"t_ms\":100.0,\"text\":\"register: done\"}");
	CHECK(d, "own_nat.mapping=endpoint-independent", "own_nat.external.0.port=5000",
		"own_nat.summary=NAT with endpoint-independent mapping, address-and-port-dependent "
		"filtering, preserving ports",
		"peer_nat.status=ok", "peer_nat.nat=true", "peer_nat.early_packet=silent",
		"peer_nat.port_allocation={\"pattern\":\"preserving\",\"step\":null,\"low\":null,"
		"\"high\":null}",
		"peer_nat.summary=NAT with endpoint-independent mapping, "
		"address-and-port-dependent filtering, preserving ports");
	document_keep(d, "connected");
	json_decref(d);
	s.flow = (struct flow_statistics){.pings = 0};
	d = punch_sample_document(&s);
	CHECK(d, "rtt_ms=81.0", "loss=null"); /* that of the checks */
	json_decref(d);
	punch_sample_end(&s);
}

/* Its first packets came before what it says of itself. */
static void test_quick_peer(void **state)
{
	struct punch_sample s;
	json_t *d;

	(void)state;
	punch_sample_begin(&s);
	punch_sample_register(&s, DEPENDENCE_ENDPOINT_INDEPENDENT);
	trail_attempt(s.trail, PUNCH_START_US + 410000, "direct");
	punch_sample_connect(&s, true);
	d = punch_sample_document(&s);
	CHECK(d, "outcome=connected", "family=4", "peer_nat=null", "strategy=direct",
		"time_ms.exchange=null", "time_ms.confirmed=null");
	document_keep(d, "quick-peer");
	json_decref(d);
	punch_sample_end(&s);
}

static void test_no_path(void **state)
{
	struct punch_sample s;
	json_t *d;

	(void)state;
	punch_sample_no_path(&s, DEPENDENCE_ENDPOINT_INDEPENDENT, DEPENDENCE_ADDRESS_AND_PORT);
	punch_sample_icmp(&s, "192.0.2.2", "192.0.2.2:6000", 3, 3);
	punch_sample_icmp(&s, "198.51.100.1", "198.51.100.1:3478", 3, 3);
	punch_sample_icmp(&s, NULL, "192.0.2.2:6000", 0, 0);
	d = punch_sample_document(&s);
	CHECK(d, "outcome=failed", "failure=no-path", "reason=no way was found: 1 of 1 plans tried",
		"peer=null", "peer_kind=null", "strategy=null", "mapped=null", "rtt_ms=null",
		"loss=null", "time_ms.first_packet=null", "time_ms.total=2500.0",
		"attempts.0.packets_sent=3", "attempts.0.icmp_errors=2", "attempts.0.result=failed",
		"attempts.0.strategy=birthday", "peer_nat.mapping=address-and-port-dependent");
	CHECK(d,
		"icmp_errors.0={\"towards\":\"server\",\"attempt\":null,\"from\":\"198.51.100.1\","
		"\"to\":{\"address\":\"198.51.100.1\",\"port\":3478},\"type\":3,\"code\":3,"
		"\"count\":1}",
		"icmp_errors.1={\"towards\":\"peer\",\"attempt\":1,\"from\":\"192.0.2.2\","
		"\"to\":{\"address\":\"192.0.2.2\",\"port\":6000},\"type\":3,\"code\":3,"
		"\"count\":1}",
		"icmp_errors.2.from=null", "icmp_errors.2.attempt=1",
		"explanation.certain.0=own side: NAT with endpoint-independent mapping, "
		"address-and-port-dependent filtering, preserving ports",
		"explanation.likely.0=our packets get as far as 192.0.2.2 and are not let in "
		"there: "
		"it has no mapping for them, or another port");
	document_keep(d, "no-path");
	json_decref(d);
	punch_sample_end(&s);
}

/* Each failure is in the schema, has its line, and what follows. */
static void test_failures(void **state)
{
	static const char *const names[] = {"none", "no-socket", "server-unreachable", "refused",
		"no-peer", "peer-left", "peer-silent", "wrong-code", "bad-peer", "other-transport",
		"no-common-family", "no-path"};

	(void)state;
	assert_int_equal(LENGTH(names), SESSION_NO_PATH + 1);
	for (unsigned i = 1; i < LENGTH(names); i++) {
		char failure[64];
		const char *rows[] = {failure, "outcome=failed"};
		struct punch_sample s;
		json_t *d;

		punch_sample_begin(&s);
		if (i > SESSION_UNREACHABLE)
			punch_sample_register(&s, DEPENDENCE_ENDPOINT_INDEPENDENT);
		punch_sample_fail(&s, (enum session_failure)i);
		d = punch_sample_document(&s);
		snprintf(failure, sizeof(failure), "failure=%s", names[i]);
		document_check(d, rows, LENGTH(rows));
		assert_true(json_is_string(json_object_get(d, "reason")));
		assert_true(json_is_object(json_object_get(d, "explanation")));
		document_keep(d, names[i]);
		json_decref(d);
		punch_sample_end(&s);
	}
}

static void test_deadline(void **state)
{
	struct punch_sample s;
	json_t *d;

	(void)state;
	punch_sample_begin(&s);
	punch_sample_register(&s, DEPENDENCE_ENDPOINT_INDEPENDENT);
	s.facts.late = true;
	d = punch_sample_document(&s);
	CHECK(d, "failure=no-peer", "family=null", "peer_nat=null");
	json_decref(d);
	punch_sample_meet(&s, DEPENDENCE_ENDPOINT_INDEPENDENT);
	d = punch_sample_document(&s);
	CHECK(d, "failure=deadline", "reason=not done before the deadline",
		"attempts.0.result=failed", "attempts.0.duration_ms=null", "time_ms.total=null");
	document_keep(d, "deadline");
	json_decref(d);
	punch_sample_end(&s);
}

static void test_silent(void **state)
{
	struct punch_sample s;
	json_t *d;

	(void)state;
	punch_sample_begin(&s);
	punch_sample_register(&s, DEPENDENCE_ENDPOINT_INDEPENDENT);
	punch_sample_meet(&s, DEPENDENCE_ENDPOINT_INDEPENDENT);
	punch_sample_connect(&s, false);
	d = punch_sample_document(&s);
	CHECK(d, "outcome=failed", "failure=silent", "peer.address=192.0.2.2", "loss=1.0",
		"explanation.certain.0=own side, IPv4: NAT with endpoint-independent mapping, "
		"address-and-port-dependent filtering, preserving ports");
	document_keep(d, "silent");
	json_decref(d);
	s.run.complete = false; /* a signal, while the way was measured */
	d = punch_sample_document(&s);
	CHECK(d, "outcome=failed", "failure=null", "reason=null", "explanation=null");
	document_keep(d, "interrupted");
	json_decref(d);
	punch_sample_end(&s);
}

static void test_nothing(void **state)
{
	static const struct report_error errors[] = {{"usage", "wrong", NULL}};
	static const struct report_run run = {.tool = "udppunch",
		.version = "0.1.0",
		.time = "2026-11-27T10:00:00.123Z",
		.errors = errors,
		.error_count = 1};
	static const struct punch_facts facts = {.view = NULL};
	json_t *d = punch_document(&run, &facts);

	(void)state;
	assert_non_null(d);
	CHECK(d, "outcome=failed", "failure=null", "reason=null", "explanation=null", "server=null",
		"time_ms=null", "own_nat.status=untested", "peer_nat=null", "attempts=[]",
		"steps=[]", "evidence=[]", "errors.0.code=usage", "errors.0.message=wrong");
	document_keep(d, "nothing");
	json_decref(d);
}

/* Over IPv6 alone it is IPv6's block, also before the sides know each other. */
static void test_ipv6(void **state)
{
	struct punch_sample s;
	json_t *d;

	(void)state;
	punch_sample_begin(&s);
	s.view.own_behaviour[1] =
		(struct behaviour){.status = PATH_OK, .nat = TRI_NO, .mapping = DEPENDENCE_UNKNOWN};
	s.view.own.side[1] = (struct pair_side){.status = PATH_OK, .nat = TRI_NO};
	s.view.own.has_side[1] = true;
	s.view.registered_us = PUNCH_START_US + 1;
	punch_sample_fail(&s, SESSION_NO_PEER);
	d = punch_sample_document(&s);
	CHECK(d, "family=null", "own_nat.status=ok", "own_nat.nat=false",
		"own_nat.summary=no NAT, unknown filtering");
	json_decref(d);
	s.view.family = FAMILY_IPV6;
	s.view.peer.has_side[1] = true; /* of a hello that could not be read to its end */
	d = punch_sample_document(&s);
	CHECK(d, "family=6", "own_nat.nat=false", "peer_nat=null");
	document_keep(d, "ipv6");
	json_decref(d);
	punch_sample_end(&s);
}

/* --- JSON lines --- */

static void check_line(const struct punch_sample *s, const struct trail_event *e, const char *line)
{
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	struct lines l;

	assert_non_null(out);
	lines_begin(&l, out);
	punch_line(&l, s->trail, e);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, line);
	free(text);
}

static void test_lines(void **state)
{
	struct punch_sample s;

	(void)state;
	punch_sample_begin(&s);
	punch_sample_icmp(&s, "198.51.100.1", "198.51.100.1:3478", 3, 3);
	trail_attempt(s.trail, PUNCH_START_US + 410000, "direct");
	trail_attempt(s.trail, PUNCH_START_US + 410000, "low-ttl");
	punch_sample_event(&s, TRAIL_SENT, 430000, NULL, "192.0.2.2:6000");
	s.trail->events[2].ttl = 3;
	punch_sample_event(&s, TRAIL_REFUSED, 431000, "192.0.2.9:7", NULL);
	punch_sample_icmp(&s, "192.0.2.2", "192.0.2.2:6000", 3, 13);
	check_line(&s, &s.trail->events[0],
		"{\"event\":\"step\",\"seq\":0,\"t_ms\":0.5,\"text\":\"register: over IPv4\"}\n");
	check_line(&s, &s.trail->events[1],
		"{\"event\":\"icmp\",\"seq\":0,\"t_ms\":420.0,\"attempt\":null,"
		"\"from\":{\"address\":\"198.51.100.1\",\"port\":0},"
		"\"to\":{\"address\":\"198.51.100.1\",\"port\":3478},\"size_bytes\":0,\"ttl\":null,"
		"\"towards\":\"server\",\"type\":3,\"code\":3}\n");
	check_line(&s, &s.trail->events[2],
		"{\"event\":\"sent\",\"seq\":0,\"t_ms\":430.0,\"attempt\":2,\"from\":null,"
		"\"to\":{\"address\":\"192.0.2.2\",\"port\":6000},\"size_bytes\":72,\"ttl\":3}\n");
	check_line(&s, &s.trail->events[3],
		"{\"event\":\"refused\",\"seq\":0,\"t_ms\":431.0,\"attempt\":2,"
		"\"from\":{\"address\":\"192.0.2.9\",\"port\":7},\"to\":null,\"size_bytes\":72,"
		"\"ttl\":null}\n");
	check_line(&s, &s.trail->events[4],
		"{\"event\":\"icmp\",\"seq\":0,\"t_ms\":420.0,\"attempt\":2,"
		"\"from\":{\"address\":\"192.0.2.2\",\"port\":0},"
		"\"to\":{\"address\":\"192.0.2.2\",\"port\":6000},\"size_bytes\":0,\"ttl\":null,"
		"\"towards\":\"peer\",\"type\":3,\"code\":13}\n");
	punch_sample_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connected),
		cmocka_unit_test(test_quick_peer),
		cmocka_unit_test(test_no_path),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
