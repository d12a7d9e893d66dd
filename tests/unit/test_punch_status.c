// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tools/punch/status.h"

#define SILENCE                                                                                 \
	"the rendezvous server does not answer: no server runs there, or something on the way " \
	"drops UDP to its port: silence does not tell which"
#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static void check(
	const struct session_view *v, const struct path_result *r, int status, const char *message)
{
	const struct endpoint server = {FAMILY_IPV4, 3478, 0, {198, 51, 100, 1}};
	char text[512] = "old";
	struct trail *t;

	assert_int_equal(trail_create(1, &t), 0);
	assert_int_equal(status_of(v, r, &server, t, text, sizeof(text)), status);
	assert_string_equal(text, message);
	trail_destroy(t);
}

static void test_failures(void **state)
{
	static const struct {
		enum session_failure failure;
		int status;
		const char *message;
	} rows[] = {
		{SESSION_NO_SOCKET, 3, "no socket could be opened for any address of the server"},
		{SESSION_UNREACHABLE, 4,
			"the rendezvous server does not answer any more: it was stopped, or the "
			"way to it "
			"is broken"},
		{SESSION_REFUSED, 4,
			"the rendezvous server refuses: error 0, it has given no number for a "
			"code"},
		{SESSION_NO_PEER, 4, "the other side did not come in time"},
		{SESSION_PEER_LEFT, 4, "the other side has gone"},
		{SESSION_PEER_SILENT, 4,
			"the other side came to the rendezvous, and then said nothing more"},
		{SESSION_WRONG_CODE, 4,
			"the code is wrong: the other side has another one; both begin anew"},
		{SESSION_BAD_PEER, 4, "the other side says what cannot be understood"},
		{SESSION_OTHER_TRANSPORT, 4, "one side punches over UDP and the other over TCP"},
		{SESSION_NO_FAMILY, 1, "the two sides have no address family in common"},
		{SESSION_NO_PATH, 1, "no way was found: no plan is worth trying between these two"},
	};
	const struct path_result r = {.fd = -1};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct session_view v = {
			.state = SESSION_FAILED, .failure = rows[i].failure, .registered_us = 7};

		check(&v, &r, rows[i].status, rows[i].message);
	}
	assert_int_equal(LENGTH(rows), SESSION_NO_PATH); /* each but "none" */
}

/* Who was never registered has not waited for anybody. */
static void test_unregistered(void **state)
{
	static const struct path_result r = {.fd = -1}, late = {.fd = -1, .late = true};
	struct session_view v = {.state = SESSION_FAILED, .failure = SESSION_UNREACHABLE};

	(void)state;
	check(&v, &r, 4, SILENCE);
	v.failure = SESSION_NO_PEER;
	check(&v, &r, 4, SILENCE);
	check(&v, &late, 4, SILENCE);
	v.state = SESSION_REGISTERING;
	check(&v, &late, 4, SILENCE);
}

static void test_refusals(void **state)
{
	static const struct {
		unsigned code;
		const char *message;
	} rows[] = {
		{400, "error 400, it does not understand this version"},
		{420, "error 420, it does not understand this version"},
		{409, "error 409, two others have met with this code: take a new one"},
		{486, "error 486, too many sessions are open from here"},
		{508, "error 508, it has too many sessions"},
		{500, "error 500, see its log"},
	};
	const struct path_result r = {.fd = -1};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct session_view v = {.state = SESSION_FAILED,
			.failure = SESSION_REFUSED,
			.error_code = rows[i].code};
		char text[128];

		snprintf(text, sizeof(text), "the rendezvous server refuses: %s", rows[i].message);
		check(&v, &r, 4, text);
	}
}

static void test_deadline(void **state)
{
	static const struct path_result late = {.fd = -1, .late = true};
	struct meeting_view meeting = {.registered_us = 7};
	struct session_view v = {.state = SESSION_WAITING, .registered_us = 7, .meeting = &meeting};

	(void)state;
	check(&v, &late, 4, "the other side did not come in time");
	meeting.paired_us = 8;
	v.state = SESSION_EXCHANGING;
	check(&v, &late, 4,
		"not done before the deadline: the other side came, and has not proved the code");
	v.state = SESSION_PUNCHING;
	v.has_peer = true;
	check(&v, &late, 1, "not done before the deadline");
	/* what has ended it before the deadline counts */
	v.state = SESSION_FAILED;
	v.failure = SESSION_WRONG_CODE;
	check(&v, &late, 4, "the code is wrong: the other side has another one; both begin anew");
}

static void test_plans(void **state)
{
	const struct path_result r = {.fd = -1};
	struct session_view v = {.state = SESSION_FAILED,
		.failure = SESSION_NO_PATH,
		.attempt = 2,
		.plans = {.count = 3}};

	(void)state;
	check(&v, &r, 1, "no way was found: 2 of 3 plans tried");
}

/* A way was proved: what became of it. */
static void test_way(void **state)
{
	static const struct {
		struct path_result result;
		int status;
		const char *message;
	} rows[] = {
		{{.stood = true}, 0, ""},
		{{.stood = true, .closed = true}, 0, ""},
		{{.stood = true, .late = true}, 0, ""},
		{{.stood = false}, 1, "the way was proved, and then nothing came over it"},
		{{.stood = true, .silent = true}, 1,
			"the way worked no more, and no other was found"},
		{{.stood = true, .error = -EPIPE}, 3, "standard input or output: Broken pipe"},
		{{.stood = true, .error = -EPIPE, .silent = true}, 3,
			"standard input or output: Broken pipe"},
		{{.stood = true, .signal = SIGINT}, 130, "interrupted: what is known so far"},
		{{.stood = false, .signal = SIGTERM}, 143, "interrupted: what is known so far"},
	};
	const struct session_view v = {.state = SESSION_CONNECTED, .registered_us = 7};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		check(&v, &rows[i].result, rows[i].status, rows[i].message);
}

static void test_undecided(void **state)
{
	static const struct path_result interrupted = {.fd = -1, .signal = SIGHUP},
					none = {.fd = -1};
	struct session_view v = {.state = SESSION_WAITING, .registered_us = 7};

	(void)state;
	check(&v, &interrupted, 129, "interrupted: what is known so far");
	check(&v, &none, 3, "ended before anything was decided");
	v.state = SESSION_FAILED;
	v.failure = SESSION_NO_PATH;
	check(&v, &interrupted, 129, "interrupted: what is known so far");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_unregistered),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_way),
		cmocka_unit_test(test_undecided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
