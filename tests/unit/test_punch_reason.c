// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "test_punch_sample.h"
#include "tools/punch/reason.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static bool has(const struct explain_list *l, const char *part)
{
	for (size_t i = 0; i < l->count; i++)
		if (strstr(l->text[i], part))
			return true;
	return false;
}

static void test_reason(void **state)
{
	static const struct {
		enum session_state state;
		enum session_failure failure;
		bool registered, paired;
		struct punch_end end;
		unsigned reason;
	} rows[] = {
		{SESSION_FAILED, SESSION_NO_PATH, true, true, {.stood = false}, SESSION_NO_PATH},
		{SESSION_FAILED, SESSION_NO_PATH, true, true, {.late = true, .interrupted = true},
			SESSION_NO_PATH},
		{SESSION_FAILED, SESSION_NO_PEER, true, false, {.late = true}, SESSION_NO_PEER},
		{SESSION_FAILED, SESSION_NO_PEER, false, false, {.stood = false},
			SESSION_UNREACHABLE},
		{SESSION_CONNECTED, SESSION_NO_FAILURE, true, true, {.stood = true},
			SESSION_NO_FAILURE},
		{SESSION_CONNECTED, SESSION_NO_FAILURE, true, true, {.late = true}, REASON_SILENT},
		{SESSION_CONNECTED, SESSION_NO_FAILURE, true, true, {.interrupted = true},
			SESSION_NO_FAILURE},
		{SESSION_REGISTERING, SESSION_NO_FAILURE, false, false, {.late = true},
			SESSION_UNREACHABLE},
		{SESSION_WAITING, SESSION_NO_FAILURE, true, false, {.late = true}, SESSION_NO_PEER},
		{SESSION_EXCHANGING, SESSION_NO_FAILURE, true, true, {.late = true},
			REASON_DEADLINE},
		{SESSION_PUNCHING, SESSION_NO_FAILURE, true, true, {.late = true}, REASON_DEADLINE},
		{SESSION_PUNCHING, SESSION_NO_FAILURE, true, true,
			{.late = true, .interrupted = true}, SESSION_NO_FAILURE},
		{SESSION_PUNCHING, SESSION_NO_FAILURE, true, true, {.stood = false},
			SESSION_NO_FAILURE},
		{SESSION_PUNCHING, SESSION_NO_FAILURE, true, true,
			{.stood = true, .interrupted = true},
			SESSION_NO_FAILURE}, /* while another way is looked for */
		{SESSION_PUNCHING, SESSION_NO_FAILURE, true, true, {.stood = true, .lost = true},
			REASON_LOST},
		{SESSION_FAILED, SESSION_PEER_LEFT, true, true, {.stood = true, .lost = true},
			REASON_LOST},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct meeting_view meeting = {.paired_us = rows[i].paired};
		struct session_view v = {.state = rows[i].state,
			.failure = rows[i].failure,
			.registered_us = rows[i].registered,
			.meeting = &meeting};
		unsigned reason = reason_of(&v, &rows[i].end);

		if (reason != rows[i].reason)
			fail_msg("row %zu: %s", i, reason_name(reason));
	}
}

/* Each has a word of its own, a line, and something to do about it. */
static void test_all(void **state)
{
	struct punch_sample s;

	(void)state;
	for (unsigned i = 1; i < REASONS; i++) {
		struct explanation e;
		char message[400];

		punch_sample_begin(&s);
		reason_explain(i, &s.view, &s.server, s.trail, &e);
		reason_message(i, &s.view, &e, message, sizeof(message));
		assert_true(strlen(message) > 10);
		assert_in_range(e.try_next.count, 1, EXPLAIN_MAX);
		assert_in_range(reason_status(i, &s.view), 1, 4);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(reason_name(i), reason_name(k));
		punch_sample_end(&s);
	}
}

static void test_server(void **state)
{
	struct punch_sample s;
	struct explanation e;
	char message[400];

	(void)state;
	punch_sample_begin(&s);
	punch_sample_icmp(&s, "198.51.100.1", "198.51.100.1:3478", 3, 3);
	punch_sample_fail(&s, SESSION_UNREACHABLE);
	reason_explain(SESSION_UNREACHABLE, &s.view, &s.server, s.trail, &e);
	reason_message(SESSION_UNREACHABLE, &s.view, &e, message, sizeof(message));
	assert_string_equal(message,
		"the rendezvous server does not answer: 198.51.100.1 says that its UDP port 3478 "
		"is closed: is natprobed running on that port?");
	assert_true(has(&e.certain, "no answer came from 198.51.100.1:3478"));
	s.view.own_behaviour[1].status = PATH_OK; /* whichever family was measured */
	reason_explain(SESSION_UNREACHABLE, &s.view, &s.server, s.trail, &e);
	assert_true(has(&e.likely, "it answers STUN"));
	s.view.registered_us = PUNCH_START_US + 1;
	reason_explain(SESSION_UNREACHABLE, &s.view, &s.server, s.trail, &e);
	assert_false(has(&e.certain, "no answer came"));
	assert_true(has(&e.likely, "it was stopped"));
	punch_sample_end(&s);
}

static void test_waiting(void **state)
{
	struct punch_sample s;
	struct explanation e;

	(void)state;
	punch_sample_begin(&s);
	punch_sample_register(&s, DEPENDENCE_ENDPOINT_INDEPENDENT);
	punch_sample_fail(&s, SESSION_NO_PEER);
	reason_explain(SESSION_NO_PEER, &s.view, &s.server, s.trail, &e);
	assert_true(has(&e.certain,
		"own side, IPv4: NAT with endpoint-independent mapping, "
		"address-and-port-dependent filtering, preserving ports"));
	assert_true(has(&e.certain,
		"the server saw this side at 192.0.2.1:5000 for 2.4 s, and nobody else came"));
	s.meeting.mapped.port = 0;
	s.view.over_tcp = true;
	reason_explain(SESSION_NO_PEER, &s.view, &s.server, s.trail, &e);
	assert_true(has(&e.certain, "this side at 192.0.2.1 for 2.4 s"));
	assert_true(has(&e.certain, "the server answers this side over TCP, and not over UDP"));
	assert_false(has(&e.likely, "a firewall on this side"));
	s.meeting.peer = punch_at("192.0.2.2:6000"); /* who came over UDP */
	reason_explain(SESSION_PEER_LEFT, &s.view, &s.server, s.trail, &e);
	assert_true(has(&e.certain, "not over UDP, and the other side over UDP"));
	assert_true(has(&e.likely, "a firewall on this side lets no UDP out"));
	s.view.own.side[0].status = PATH_BLOCKED;
	s.view.ended_us = 0; /* ended by the deadline */
	reason_explain(SESSION_NO_PEER, &s.view, &s.server, s.trail, &e);
	assert_true(has(&e.certain, "own side, IPv4: UDP blocked"));
	assert_false(has(&e.certain, "the server saw"));
	punch_sample_end(&s);
}

/* Where there is no rendezvous server nothing is said of one. */
static void test_by_hand(void **state)
{
	static const struct {
		enum session_failure failure;
		const char *message, *likely, *todo;
	} rows[] = {
		{SESSION_UNREACHABLE, "no STUN server answers", "UDP does not get out", "--server"},
		{SESSION_NO_PEER, "the other side's line did not come in time", "not pasted here",
			"paste the other's"},
		{SESSION_WRONG_CODE, "packets come, but not from who", "the codes differ",
			"the same code on both sides"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct punch_sample s;
		struct explanation e;
		char message[400];

		punch_sample_begin(&s);
		s.view.manual = true;
		reason_explain(rows[i].failure, &s.view, &s.server, s.trail, &e);
		reason_message(rows[i].failure, &s.view, &e, message, sizeof(message));
		assert_non_null(strstr(message, rows[i].message));
		assert_null(strstr(message, "rendezvous"));
		assert_true(has(&e.likely, rows[i].likely) && has(&e.try_next, rows[i].todo));
		assert_false(has(&e.try_next, "natprobed") || has(&e.likely, "nameplate"));
		assert_int_equal(reason_status(rows[i].failure, &s.view), STATUS_PROTOCOL);
		punch_sample_end(&s);
	}
}

static void test_sockets(void **state)
{
	struct punch_sample s;
	struct explanation e;

	(void)state;
	punch_sample_begin(&s);
	trail_step(s.trail, PUNCH_START_US, "socket: none for IPv4: Permission denied");
	punch_sample_fail(&s, SESSION_NO_SOCKET);
	reason_explain(SESSION_NO_SOCKET, &s.view, &s.server, s.trail, &e);
	assert_int_equal(e.certain.count, 1);
	assert_true(has(&e.certain, "none for IPv4: Permission denied"));
	assert_true(has(&e.try_next, "--bind"));
	punch_sample_end(&s);
}

/* What the plans would have come to is not known when they were cut off. */
static void test_deadline(void **state)
{
	struct punch_sample s;
	struct explanation e;

	(void)state;
	punch_sample_begin(&s);
	punch_sample_register(&s, DEPENDENCE_ENDPOINT_INDEPENDENT);
	punch_sample_meet(&s, DEPENDENCE_ADDRESS_AND_PORT);
	punch_sample_event(&s, TRAIL_SENT, 430000, NULL, "192.0.2.2:6000");
	reason_explain(REASON_DEADLINE, &s.view, &s.server, s.trail, &e);
	assert_true(has(&e.certain, "attempt 1, birthday: 1 packets"));
	assert_true(has(&e.certain, "plan 1 of 1 was being tried"));
	assert_int_equal(e.likely.count, 0);
	assert_int_equal(e.try_next.count, 1);
	reason_explain(SESSION_PEER_LEFT, &s.view, &s.server, s.trail, &e);
	assert_true(has(&e.certain, "attempt 1, birthday: 1 packets"));
	assert_true(has(&e.likely, "it was ended there"));
	assert_int_equal(e.likely.count, 1);
	reason_explain(REASON_SILENT, &s.view, &s.server, s.trail, &e); /* that one succeeded */
	assert_false(has(&e.certain, "attempt 1"));
	assert_int_equal(reason_status(REASON_DEADLINE, &s.view), 1);
	s.view.attempt = 0;
	s.view.has_peer = false;
	reason_explain(REASON_DEADLINE, &s.view, &s.server, s.trail, &e);
	assert_false(has(&e.certain, "attempt"));
	assert_true(has(&e.certain, "own side, IPv4"));
	assert_int_equal(reason_status(REASON_DEADLINE, &s.view), 4);
	punch_sample_end(&s);
}

/* All that is in the explanation of a failed path comes from the session. */
static void test_path(void **state)
{
	struct punch_sample s;
	struct explanation e;

	(void)state;
	punch_sample_no_path(&s, DEPENDENCE_ENDPOINT_INDEPENDENT, DEPENDENCE_ADDRESS_AND_PORT);
	s.view.peer.attempt = (struct hello_attempt){.number = 1,
		.sent = 21,
		.received = 4,
		.errors = 9,
		.offender = punch_at("192.0.2.77"),
		.type = 3,
		.code = 13};
	s.view.peer.failed = true;
	reason_explain(SESSION_NO_PATH, &s.view, &s.server, s.trail, &e);
	assert_true(has(&e.certain, "own side: NAT with endpoint-independent mapping"));
	assert_true(has(&e.certain, "its side: NAT with address-and-port-dependent mapping"));
	assert_true(has(&e.certain, "attempt 1, birthday: 3 packets to the peer, 0 of its"));
	assert_true(has(&e.certain, "21 packets sent, 4 of ours arrived"));
	assert_true(has(&e.certain,
		"type 3 code 13 (prohibited by a firewall) came to it from "
		"192.0.2.77; errors in all: 9"));
	assert_true(has(&e.try_next, "IPv6 on both sides"));
	s.view.peer.has_side[1] = true;
	s.view.peer.failed = false; /* it has not come to its end */
	reason_explain(SESSION_NO_PATH, &s.view, &s.server, s.trail, &e);
	assert_true(has(&e.try_next, "IPv6 on both sides"));
	assert_false(has(&e.certain, "packets sent"));
	s.view.own.has_side[1] = true;
	reason_explain(SESSION_NO_PATH, &s.view, &s.server, s.trail, &e);
	assert_true(has(&e.try_next, "-6 on both sides"));
	punch_sample_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reason),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
