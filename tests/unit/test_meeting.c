// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "punch/meeting.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define BEGIN_US  1000000000u
#define SECOND	  1000000u
#define MS	  1000u
#define RTT_US	  40000u

static const struct endpoint mapped = {FAMILY_IPV4, 40000, 0, {198, 51, 100, 9}},
			     peer = {FAMILY_IPV4, 50000, 0, {203, 0, 113, 7}};
static const uint8_t session_id[RENDEZVOUS_SESSION_BYTES] = {7}, cookie[16] = {1, 2, 3};

/* A meeting, and a server of which the test says what it answers. */
struct kit {
	struct trail *trail;
	struct meeting *meeting;
	const struct meeting_view *view;
	uint64_t now_us;
	unsigned sent;
	uint8_t party[RENDEZVOUS_PARTY_BYTES]; /* of its requests */
	uint8_t bytes[STUN_MESSAGE_BYTES]; /* the latest request, to which `request` points */
	size_t length;
	struct rendezvous_message request, answer;
};

static void kit(struct kit *k, bool allocate)
{
	struct meeting_config c = {.allocate = allocate};

	memset(k, 0, sizeof(*k));
	assert_int_equal(trail_create(BEGIN_US, &k->trail), 0);
	c.trail = k->trail;
	if (!allocate)
		memcpy(c.session, session_id, sizeof(c.session));
	random_init_number(&c.random, 1);
	k->now_us = BEGIN_US;
	assert_int_equal(meeting_create(&c, &k->meeting), 0);
	k->view = meeting_view(k->meeting);
}

static void finish(struct kit *k)
{
	meeting_destroy(k->meeting);
	trail_destroy(k->trail);
}

/* Whether something is sent now; and when it wants to be asked again. */
static bool poll(struct kit *k, uint64_t *deadline_us)
{
	if (!meeting_poll(k->meeting, k->now_us, k->bytes, &k->length, deadline_us)) {
		assert_true(*deadline_us > k->now_us || k->view->state == MEETING_UNREACHABLE);
		return false;
	}
	k->sent++;
	assert_int_equal(rendezvous_decode(k->bytes, k->length, &k->request), 0);
	assert_int_equal(k->request.class, STUN_REQUEST);
	memcpy(k->party, k->request.party, sizeof(k->party));
	return true;
}

/* Time goes on to the next request; false: there is none until then. */
static bool next_until(struct kit *k, uint64_t end_us)
{
	uint64_t deadline_us;

	while (!poll(k, &deadline_us)) {
		if (deadline_us > end_us) {
			k->now_us = end_us;
			return false;
		}
		k->now_us = deadline_us;
	}
	return true;
}

static void input(struct kit *k)
{
	uint8_t data[STUN_MESSAGE_BYTES], *exact;
	int n = rendezvous_encode(&k->answer, data, sizeof(data), 0);

	assert_true(n > 0);
	exact = malloc((size_t)n); /* a sanitizer sees what is read beyond it, or kept of it */
	assert_non_null(exact);
	memcpy(exact, data, (size_t)n);
	assert_true(meeting_input(k->meeting, k->now_us, exact, (size_t)n));
	free(exact);
}

static void answer_begin(struct kit *k, enum stun_class class)
{
	k->answer = (struct rendezvous_message){
		.class = class, .method = RENDEZVOUS_JOIN, .id = k->request.id};
}

static void answer_error(struct kit *k, unsigned code, size_t cookie_length)
{
	static uint8_t long_cookie[RENDEZVOUS_COOKIE_MAX];

	answer_begin(k, STUN_ERROR);
	k->answer.error_code = (uint16_t)code;
	memcpy(long_cookie, cookie, sizeof(cookie));
	k->answer.cookie = (struct span){long_cookie, cookie_length};
	input(k);
}

/* A success that says what k->answer says besides. */
static void fill_success(struct kit *k, enum rendezvous_peer who)
{
	answer_begin(k, STUN_SUCCESS);
	k->answer.mapped = mapped;
	k->answer.has_peer = true;
	k->answer.peer = who;
	if (who == RENDEZVOUS_HERE)
		k->answer.peer_address = peer;
}

static void fill_news(struct kit *k, const uint8_t *id, enum rendezvous_peer who)
{
	fill_success(k, who);
	k->answer.class = STUN_INDICATION;
	k->answer.method = RENDEZVOUS_NEWS;
	k->answer.has_session = k->answer.has_party = true;
	memcpy(k->answer.session, id, sizeof(k->answer.session));
	memcpy(k->answer.party, k->party, sizeof(k->answer.party));
}

/* Registered, with a cookie. */
static void join(struct kit *k, enum rendezvous_peer who)
{
	assert_true(next_until(k, k->now_us));
	k->now_us += RTT_US;
	answer_error(k, RENDEZVOUS_STALE, sizeof(cookie));
	assert_true(next_until(k, k->now_us));
	k->now_us += RTT_US;
	fill_success(k, who);
	input(k);
}

static void test_join(void **state)
{
	struct kit k;

	(void)state;
	kit(&k, false);
	assert_int_equal(meeting_set_slot(k.meeting, k.now_us, "slot", 4), 0);
	assert_true(next_until(&k, k.now_us));
	assert_true(k.length >= 200); /* so that there is room for the answer with the cookie */
	assert_false(k.request.has_slot || k.request.cookie.length || k.request.allocate);
	assert_memory_equal(k.request.session, session_id, sizeof(session_id));
	k.now_us += RTT_US;
	answer_error(&k, RENDEZVOUS_STALE, sizeof(cookie));
	assert_int_equal(k.view->state, MEETING_JOINING);
	assert_true(next_until(&k, k.now_us)); /* at once */
	assert_int_equal(k.request.cookie.length, sizeof(cookie));
	assert_memory_equal(k.request.cookie.data, cookie, sizeof(cookie));
	assert_true(k.request.has_slot);
	assert_int_equal(k.request.slot_version, 1);
	assert_memory_equal(k.request.slot.data, "slot", 4);
	assert_false(meeting_is_current(k.meeting));
	k.now_us += RTT_US;
	fill_success(&k, RENDEZVOUS_NOBODY);
	input(&k);
	assert_int_equal(k.view->state, MEETING_WAITING);
	assert_true(meeting_is_current(k.meeting));
	assert_int_equal(k.view->rtt_us, RTT_US);
	assert_int_equal(k.view->registered_us, k.now_us);
	assert_true(endpoint_equal(&k.view->mapped, &mapped));
	finish(&k);
	meeting_destroy(NULL);
}

static void test_allocate(void **state)
{
	uint8_t expected[RENDEZVOUS_SESSION_BYTES];
	struct kit k;

	(void)state;
	rendezvous_session_of("4711", 4, expected);
	kit(&k, true);
	assert_true(next_until(&k, k.now_us));
	assert_true(k.request.allocate && !k.request.has_session);
	answer_error(&k, RENDEZVOUS_STALE, sizeof(cookie));
	assert_true(next_until(&k, k.now_us));
	fill_success(&k, RENDEZVOUS_NOBODY);
	k.answer.number = 4711;
	input(&k);
	assert_int_equal(k.view->number, 4711);
	assert_memory_equal(k.view->session, expected, sizeof(expected));
	/* it cannot be changed any more */
	assert_true(next_until(&k, k.now_us + 60u * SECOND));
	assert_true(k.request.has_session && !k.request.allocate);
	assert_memory_equal(k.request.session, expected, sizeof(expected));
	fill_success(&k, RENDEZVOUS_NOBODY);
	k.answer.number = 4712;
	input(&k);
	assert_int_equal(k.view->number, 4711);
	assert_memory_equal(k.view->session, expected, sizeof(expected));
	finish(&k);
	/* who did not ask for a number gets none */
	kit(&k, false);
	assert_true(next_until(&k, k.now_us));
	fill_success(&k, RENDEZVOUS_NOBODY);
	k.answer.number = 4711;
	input(&k);
	assert_int_equal(k.view->number, 0);
	assert_memory_equal(k.view->session, session_id, sizeof(session_id));
	finish(&k);
}

/* Less and less often; it counts as gone soon, and may come back at any time. */
static void test_no_server(void **state)
{
	uint64_t last_us;
	struct kit k;

	(void)state;
	kit(&k, false);
	last_us = k.now_us;
	while (next_until(&k, BEGIN_US + 8 * SECOND) && k.view->state == MEETING_JOINING) {
		assert_in_range(k.now_us - last_us, k.sent == 1 ? 0 : 187 * MS, 2500 * MS);
		last_us = k.now_us;
	}
	assert_in_range(k.sent, 4, 8);
	assert_int_equal(k.view->state, MEETING_UNREACHABLE);
	assert_in_range(last_us, BEGIN_US + 2 * SECOND, BEGIN_US + 5 * SECOND);
	k.sent = 0;
	while (next_until(&k, BEGIN_US + 105 * SECOND))
		;
	assert_in_range(k.sent, 10, 20);
	assert_true(next_until(&k, k.now_us + 20 * SECOND));
	k.now_us += RTT_US;
	fill_success(&k, RENDEZVOUS_HERE);
	input(&k);
	assert_int_equal(k.view->state, MEETING_PAIRED);
	finish(&k);
}

/* What it said before it began anew counts no more, and what it says then does. */
static void test_server_begins_anew(void **state)
{
	struct kit k;

	(void)state;
	kit(&k, false);
	join(&k, RENDEZVOUS_HERE);
	fill_news(&k, session_id, RENDEZVOUS_HERE);
	k.answer.has_slot = k.answer.has_go = k.answer.has_ready = true;
	k.answer.slot_version = 9;
	k.answer.slot = (struct span){(const uint8_t *)"x", 1};
	k.answer.go = k.answer.ready = 5;
	input(&k);
	assert_int_equal(k.view->go, 5);
	assert_true(next_until(&k, k.now_us + SECOND));
	assert_int_equal(k.request.seen_version, 9);
	fill_success(&k, RENDEZVOUS_NOBODY);
	input(&k);
	assert_int_equal(k.view->state, MEETING_WAITING);
	assert_int_equal(k.view->go, 0);
	assert_true(next_until(&k, k.now_us + 20 * SECOND));
	assert_int_equal(k.request.seen_version, 0);
	assert_int_equal(k.request.seen_ready, 0);
	assert_int_equal(k.request.seen_go, 0);
	fill_success(&k, RENDEZVOUS_HERE);
	k.answer.has_slot = true;
	k.answer.slot_version = 2;
	k.answer.slot = (struct span){(const uint8_t *)"yz", 2};
	input(&k);
	assert_int_equal(k.view->state, MEETING_PAIRED);
	assert_int_equal(k.view->slot_version, 2);
	assert_int_equal(k.view->slot_length, 2);
	finish(&k);
}

/* Over TCP no cookie is needed, nothing has to be filled up, and nothing is repeated soon. */
static void test_stream(void **state)
{
	struct kit k;

	(void)state;
	kit(&k, false);
	assert_int_equal(meeting_set_slot(k.meeting, k.now_us, "slot", 4), 0);
	assert_true(next_until(&k, k.now_us));
	meeting_rebind(k.meeting, k.now_us, true);
	assert_true(next_until(&k, k.now_us));
	assert_true(k.length < 150);
	assert_true(k.request.has_slot);
	assert_int_equal(k.request.cookie.length, 0);
	assert_false(next_until(&k, k.now_us + SECOND));
	fill_success(&k, RENDEZVOUS_NOBODY);
	input(&k);
	assert_int_equal(k.view->state, MEETING_WAITING);
	assert_true(meeting_is_current(k.meeting));
	finish(&k);
}

/* Who has given up says so at once: the caller would otherwise sleep on. */
static void test_gives_up_aloud(void **state)
{
	uint64_t deadline_us = 0;
	struct kit k;

	(void)state;
	kit(&k, false);
	while (k.view->state != MEETING_UNREACHABLE) {
		k.now_us = deadline_us > k.now_us ? deadline_us : k.now_us;
		poll(&k, &deadline_us);
	}
	assert_int_equal(deadline_us, k.now_us);
	finish(&k);
}

static void test_refused(void **state)
{
	static const struct {
		unsigned code;
		size_t cookie_length;
	} rows[] = {{RENDEZVOUS_BAD, 0}, {RENDEZVOUS_TAKEN, 0}, {RENDEZVOUS_QUOTA, 0},
		{RENDEZVOUS_FULL, 0}, {RENDEZVOUS_STALE, 0}, {300, 0}, {699, 0}};
	struct kit k;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		kit(&k, false);
		assert_true(next_until(&k, k.now_us));
		answer_error(&k, rows[i].code, rows[i].cookie_length);
		assert_int_equal(k.view->state, MEETING_REFUSED);
		assert_int_equal(k.view->error_code, rows[i].code);
		assert_false(next_until(&k, k.now_us + 600u * SECOND));
		fill_success(&k, RENDEZVOUS_HERE);
		input(&k);
		assert_int_equal(k.view->state, MEETING_REFUSED);
		finish(&k);
	}
}

/* A server that always wants another cookie gets no flood of requests. */
static void test_stale_for_ever(void **state)
{
	struct kit k;

	(void)state;
	kit(&k, false);
	while (k.now_us < BEGIN_US + 10 * SECOND && next_until(&k, BEGIN_US + 10 * SECOND)) {
		k.now_us += 100; /* it is near */
		answer_error(&k, RENDEZVOUS_STALE, sizeof(cookie));
	}
	assert_in_range(k.sent, 4, 9);
	assert_int_equal(k.view->state, MEETING_REFUSED);
	assert_int_equal(k.view->error_code, RENDEZVOUS_STALE);
	finish(&k);
	/* but one whose cookies last for one request at a time is followed at once */
	kit(&k, false);
	join(&k, RENDEZVOUS_NOBODY);
	assert_true(next_until(&k, k.now_us + 60u * SECOND));
	answer_error(&k, RENDEZVOUS_STALE, sizeof(cookie));
	assert_true(next_until(&k, k.now_us));
	fill_success(&k, RENDEZVOUS_NOBODY);
	input(&k);
	assert_int_equal(k.view->state, MEETING_WAITING);
	finish(&k);
}

/* Answers to what was not asked, or asked too long ago. */
static void test_false_answers(void **state)
{
	struct stun_id first;
	struct kit k;

	(void)state;
	kit(&k, false);
	assert_true(next_until(&k, k.now_us));
	first = k.request.id;
	fill_success(&k, RENDEZVOUS_HERE);
	k.answer.id.bytes[15] ^= 1;
	input(&k);
	fill_success(&k, RENDEZVOUS_HERE);
	k.answer.method = RENDEZVOUS_LEAVE;
	input(&k);
	answer_begin(&k, STUN_REQUEST);
	k.answer.has_party = k.answer.has_session = true;
	input(&k);
	assert_int_equal(k.view->state, MEETING_JOINING);
	assert_int_equal(k.view->rtt_us, 0);
	for (unsigned i = 0; i < 8; i++) {
		meeting_set_ready(k.meeting, k.now_us, (uint16_t)(1 + i));
		assert_true(next_until(&k, k.now_us));
	}
	fill_success(&k, RENDEZVOUS_HERE);
	k.answer.id = first;
	input(&k);
	assert_int_equal(k.view->state, MEETING_JOINING);
	assert_false(
		meeting_input(k.meeting, k.now_us, "no STUN at all, but 36 bytes of it..", 36));
	finish(&k);
}

static void test_rebind(void **state)
{
	struct kit k;

	(void)state;
	kit(&k, false);
	join(&k, RENDEZVOUS_NOBODY);
	meeting_rebind(k.meeting, k.now_us, false);
	assert_false(meeting_is_current(k.meeting));
	fill_success(&k, RENDEZVOUS_NOBODY); /* to the old socket */
	input(&k);
	assert_false(meeting_is_current(k.meeting));
	assert_true(next_until(&k, k.now_us));
	assert_int_equal(k.request.cookie.length, 0);
	answer_error(&k, RENDEZVOUS_STALE, sizeof(cookie));
	assert_true(next_until(&k, k.now_us));
	fill_success(&k, RENDEZVOUS_NOBODY);
	input(&k);
	assert_true(meeting_is_current(k.meeting));
	finish(&k);
}

static void test_peer(void **state)
{
	struct kit k;

	(void)state;
	kit(&k, false);
	join(&k, RENDEZVOUS_LEFT); /* nobody whom we have seen */
	assert_int_equal(k.view->state, MEETING_WAITING);
	fill_news(&k, session_id, RENDEZVOUS_HERE);
	k.answer.has_ready = true;
	k.answer.ready = 3;
	k.answer.place = 1;
	input(&k);
	assert_int_equal(k.view->state, MEETING_PAIRED);
	assert_true(endpoint_equal(&k.view->peer, &peer));
	assert_int_equal(k.view->peer_ready, 3);
	assert_int_equal(k.view->place, 1);
	/* news that has been overtaken leads back nowhere */
	k.answer.ready = 2;
	k.answer.peer_address.family = FAMILY_NONE;
	input(&k);
	assert_int_equal(k.view->peer_ready, 3);
	assert_true(endpoint_equal(&k.view->peer, &peer));
	fill_news(&k, session_id, RENDEZVOUS_LEFT);
	input(&k);
	assert_int_equal(k.view->state, MEETING_LEFT);
	fill_news(&k, session_id, RENDEZVOUS_NOBODY);
	input(&k);
	assert_int_equal(k.view->state, MEETING_LEFT);
	fill_news(&k, session_id, RENDEZVOUS_HERE);
	input(&k);
	assert_int_equal(k.view->state, MEETING_PAIRED);
	assert_int_equal(k.view->peer_ready, 3);
	finish(&k);
}

/* A datagram needs no more than the server's address to look as if it came from there. */
static void test_news_of_others(void **state)
{
	uint8_t other[RENDEZVOUS_SESSION_BYTES] = {8};
	struct kit k;

	(void)state;
	kit(&k, false);
	join(&k, RENDEZVOUS_HERE);
	fill_news(&k, other, RENDEZVOUS_LEFT);
	k.answer.has_slot = k.answer.has_go = true;
	k.answer.slot_version = 9;
	k.answer.slot = (struct span){(const uint8_t *)"x", 1};
	k.answer.go = 5;
	input(&k);
	assert_int_equal(k.view->state, MEETING_PAIRED);
	assert_int_equal(k.view->slot_version, 0);
	assert_int_equal(k.view->go, 0);
	assert_false(next_until(&k, k.now_us)); /* nor is it acknowledged */
	memcpy(other, session_id, sizeof(other));
	other[15] = 1;
	fill_news(&k, other, RENDEZVOUS_LEFT);
	input(&k);
	assert_int_equal(k.view->state, MEETING_PAIRED);
	/* who knows the session, from its number, does not know the party */
	fill_news(&k, session_id, RENDEZVOUS_LEFT);
	k.answer.party[15] ^= 1;
	input(&k);
	assert_int_equal(k.view->state, MEETING_PAIRED);
	assert_false(next_until(&k, k.now_us));
	finish(&k);
}

/* Each of them wants to be acknowledged, but not a thousand times a second. */
static void test_news_flood(void **state)
{
	struct kit k;

	(void)state;
	kit(&k, false);
	join(&k, RENDEZVOUS_HERE);
	k.sent = 0;
	for (unsigned i = 0; i < 10000; i++) {
		k.now_us += 100;
		fill_news(&k, session_id, RENDEZVOUS_HERE);
		input(&k);
		next_until(&k, k.now_us);
	}
	assert_in_range(k.sent, 20, 60);
	finish(&k);
}

static void take_slot(struct kit *k, uint32_t version, const char *text)
{
	fill_news(k, session_id, RENDEZVOUS_HERE);
	k->answer.has_slot = true;
	k->answer.slot_version = version;
	k->answer.slot = (struct span){(const uint8_t *)text, strlen(text)};
	input(k);
}

static void test_slots(void **state)
{
	char big[RENDEZVOUS_SLOT_MAX + 1];
	struct kit k;

	(void)state;
	memset(big, 'x', sizeof(big));
	big[RENDEZVOUS_SLOT_MAX] = 0;
	kit(&k, false);
	join(&k, RENDEZVOUS_HERE);
	take_slot(&k, 5, "five");
	assert_int_equal(k.view->slot_version, 5);
	assert_int_equal(k.view->slot_length, 4);
	take_slot(&k, 5, "another five");
	take_slot(&k, 4, "four");
	assert_int_equal(k.view->slot_length, 4);
	assert_memory_equal(k.view->slot, "five", 4);
	take_slot(&k, 6, big);
	assert_int_equal(k.view->slot_length, RENDEZVOUS_SLOT_MAX);
	take_slot(&k, UINT32_MAX, "last");
	assert_int_equal(k.view->slot_version, UINT32_MAX);
	take_slot(&k, 1, "again");
	assert_memory_equal(k.view->slot, "last", 4);
	assert_true(next_until(&k, k.now_us + SECOND));
	assert_true(k.request.has_seen);
	assert_int_equal(k.request.seen_version, UINT32_MAX);
	finish(&k);
}

static void test_own_slot(void **state)
{
	uint8_t big[RENDEZVOUS_SLOT_MAX + 1] = {9};
	struct kit k;

	(void)state;
	kit(&k, false);
	join(&k, RENDEZVOUS_NOBODY);
	assert_int_equal(meeting_next_version(k.meeting), 1);
	assert_int_equal(meeting_set_slot(k.meeting, k.now_us, big, sizeof(big)), -EMSGSIZE);
	assert_int_equal(meeting_next_version(k.meeting), 1);
	assert_int_equal(meeting_set_slot(k.meeting, k.now_us, big, sizeof(big) - 1), 0);
	assert_int_equal(meeting_next_version(k.meeting), 2);
	meeting_set_ready(k.meeting, k.now_us, 7);
	meeting_set_ready(k.meeting, k.now_us, 6); /* never back */
	assert_true(next_until(&k, k.now_us));
	assert_int_equal(k.request.slot.length, RENDEZVOUS_SLOT_MAX);
	assert_int_equal(k.request.ready, 7);
	finish(&k);
}

static void test_go(void **state)
{
	static const struct {
		uint16_t go;
		int32_t wait_us;
		uint16_t is;
		uint64_t at_us; /* from now on */
	} rows[] = {
		{1, 40000, 1, 40000},
		{1, 9, 1, 40000}, /* it is repeated, and does not move */
		{3, -5, 3, 0},
		{2, 77, 3, 0},
		{4, INT32_MIN, 4, 0},
		{5, INT32_MAX, 5, INT32_MAX},
		{UINT16_MAX, 0, UINT16_MAX, 0},
		{0, 5, UINT16_MAX, 0},
	};
	struct kit k;

	(void)state;
	kit(&k, false);
	join(&k, RENDEZVOUS_HERE);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		fill_news(&k, session_id, RENDEZVOUS_HERE);
		k.answer.has_go = true;
		k.answer.go = rows[i].go;
		k.answer.go_wait_us = rows[i].wait_us;
		input(&k);
		assert_int_equal(k.view->go, rows[i].is);
		assert_int_equal(k.view->go_at_us, k.now_us + rows[i].at_us);
	}
	finish(&k);
}

/* How often the place is kept, in rest and while something is awaited. */
static void test_refresh(void **state)
{
	static const struct {
		bool busy;
		uint64_t least_us, most_us;
	} rows[] = {{false, 11250 * MS, 18750 * MS}, {true, 750 * MS, 1250 * MS}};
	struct kit k;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		kit(&k, false);
		join(&k, RENDEZVOUS_HERE);
		if (rows[i].busy)
			meeting_set_ready(k.meeting, k.now_us, 1);
		else
			next_until(&k, k.now_us);
		for (unsigned round = 0; round < 50; round++) {
			uint64_t last_us = k.now_us;

			assert_true(next_until(&k, k.now_us + 60u * SECOND));
			if (round)
				assert_in_range(
					k.now_us - last_us, rows[i].least_us, rows[i].most_us);
			fill_success(&k, RENDEZVOUS_HERE);
			input(&k);
		}
		finish(&k);
	}
}

/* RFC 6298, however absurd the round trips are. */
static void test_round_trips(void **state)
{
	static const uint64_t rtts[] = {0, 9000 * MS, 0, 0, 1, 9999 * MS, 40 * MS};
	struct kit k;

	(void)state;
	kit(&k, false);
	for (size_t i = 0; i < LENGTH(rtts); i++) {
		assert_true(next_until(&k, k.now_us + 60u * SECOND));
		k.now_us += rtts[i];
		fill_success(&k, RENDEZVOUS_NOBODY);
		input(&k);
		assert_in_range(k.view->rtt_us, 1, 10000 * MS);
		assert_in_range(k.view->jitter_us, 0, 10000 * MS);
	}
	finish(&k);
}

/* Three times LEAVE, and then nothing, whatever comes late. */
static void test_leave(void **state)
{
	struct stun_id joined;
	struct kit k;

	(void)state;
	kit(&k, false);
	join(&k, RENDEZVOUS_HERE);
	meeting_set_ready(k.meeting, k.now_us, 1);
	assert_true(next_until(&k, k.now_us));
	joined = k.request.id;
	meeting_leave(k.meeting, k.now_us);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t last_us = k.now_us;

		assert_true(next_until(&k, k.now_us + SECOND));
		assert_int_equal(k.request.method, RENDEZVOUS_LEAVE);
		assert_int_equal(k.now_us - last_us, i ? 100 * MS : 0);
		meeting_set_ready(k.meeting, k.now_us, (uint16_t)(2 + i)); /* hurries nothing */
	}
	fill_success(&k, RENDEZVOUS_HERE);
	k.answer.id = joined;
	input(&k);
	fill_news(&k, session_id, RENDEZVOUS_LEFT);
	input(&k);
	answer_error(&k, RENDEZVOUS_STALE, sizeof(cookie));
	meeting_set_ready(k.meeting, k.now_us, 9);
	assert_int_equal(meeting_set_slot(k.meeting, k.now_us, "x", 1), 0);
	assert_false(next_until(&k, k.now_us + 600u * SECOND));
	assert_int_equal(k.view->state, MEETING_PAIRED);
	finish(&k);
}

/* The server that has refused, or the other one that has gone, is told all the same. */
static void test_leave_refused(void **state)
{
	struct kit k;

	(void)state;
	kit(&k, false);
	assert_true(next_until(&k, k.now_us));
	answer_error(&k, RENDEZVOUS_FULL, 0);
	meeting_leave(k.meeting, k.now_us);
	k.sent = 0;
	while (next_until(&k, k.now_us + 60u * SECOND))
		assert_int_equal(k.request.method, RENDEZVOUS_LEAVE);
	assert_int_equal(k.sent, 3);
	finish(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_allocate),
		cmocka_unit_test(test_no_server),
		cmocka_unit_test(test_gives_up_aloud),
		cmocka_unit_test(test_server_begins_anew),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_stale_for_ever),
		cmocka_unit_test(test_false_answers),
		cmocka_unit_test(test_rebind),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_news_of_others),
		cmocka_unit_test(test_news_flood),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_own_slot),
		cmocka_unit_test(test_go),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_leave),
		cmocka_unit_test(test_leave_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
